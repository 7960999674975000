/* Decides from the headers who may ask.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/guard.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_NAMES 64
#define COOKIE_HEX (IMS_SHA256_HEX - 1)

struct ims_guard {
    char *bind, *token;
    char *words; /* what hosts and origins point into */
    const char *hosts[MAX_NAMES], *origins[MAX_NAMES];
    size_t n_hosts, n_origins;
    bool no_cors;
};

/* ---- opening ---- */

/* Only whole numbers: "127.evil.example" is a name, which anybody may own. */
bool ims__guard_is_loopback(const char *address)
{
    struct in_addr v4;

    if (ims__strcasecmp_ascii(address, "localhost") == 0 || strcmp(address, "::1") == 0 || strcmp(address, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, address, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* Cuts a list at its commas, in place. */
static ims_status split(char *list, const char **out, size_t *out_n, const char *what, ims_err *err)
{
    for (char *save = NULL, *word = strtok_r(list, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        if (*out_n == MAX_NAMES)
            return ims_fail(err, IMS_E_CONFIG, "http", 0, "more than %d %s", MAX_NAMES, what);
        out[(*out_n)++] = word;
    }
    return IMS_OK;
}

static ims_status check_origins(const struct ims_guard *g, ims_err *err)
{
    for (size_t i = 0; i < g->n_origins; i++) {
        const char *o = g->origins[i];
        size_t n = strncmp(o, "http://", 7) == 0 ? 7 : strncmp(o, "https://", 8) == 0 ? 8 : 0;

        if (!n || !o[n] || strpbrk(o + n, "/*?#@"))
            return ims_fail(err, IMS_E_CONFIG, "http", 0,
                            "%s is not an origin; write scheme, host and port, such as https://photos.example:8443", o);
    }
    return IMS_OK;
}

ims_status ims__guard_open(struct ims_guard **out, const struct ims_http_guard_options *options, ims_err *err)
{
    struct ims_guard *g = NULL;
    const char *token = options->token && *options->token ? options->token : NULL;
    size_t n_hosts = options->hosts ? strlen(options->hosts) : 0;
    ims_status st;

    if (!token && !ims__guard_is_loopback(options->bind))
        return ims_fail(err, IMS_E_CONFIG, "http", 0,
                        "%s can be reached from other machines: set a token of at least %d characters (IMS_TOKEN), or "
                        "listen on 127.0.0.1", options->bind, IMS_GUARD_MIN_TOKEN);
    if (token && strlen(token) < IMS_GUARD_MIN_TOKEN)
        return ims_fail(err, IMS_E_CONFIG, "http", 0, "the token has less than %d characters", IMS_GUARD_MIN_TOKEN);
    g = ims__zalloc(1, sizeof(*g));
    if (!g)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "opening the guard");
    g->bind = ims__strdup(options->bind);
    g->token = ims__strdup(token);
    g->words = ims__strfmt("%s%c%s", options->hosts ? options->hosts : "", '\n', options->origins ? options->origins : "");
    g->no_cors = options->no_cors;
    st = g->bind && g->words && (g->token || !token) ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "opening the guard");
    if (st)
        goto out;
    g->words[n_hosts] = '\0';
    st = split(g->words, g->hosts, &g->n_hosts, "names of hosts", err);
    if (!st)
        st = split(g->words + n_hosts + 1, g->origins, &g->n_origins, "origins", err);
    if (!st)
        st = check_origins(g, err);
    if (st)
        goto out;
    *out = g;
    g = NULL;
out:
    ims__guard_close(g);
    return st;
}

void ims__guard_close(struct ims_guard *g)
{
    if (!g)
        return;
    ims__free(g->words);
    ims__free(g->token);
    ims__free(g->bind);
    ims__free(g);
}

/* ---- hosts and origins ---- */

/* The name in "name:port", "[v6]:port" or either without a port; false when it is none. */
static bool host_name(const char *host, char *out, size_t size)
{
    const char *end = *host == '[' ? strchr(host, ']') : NULL;
    size_t n = *host == '[' ? (end ? (size_t)(end - host) + 1 : 0) : strcspn(host, ":");

    if (n == 0 || n >= size || (host[n] && (host[n] != ':' || strspn(host + n + 1, "0123456789") != strlen(host + n + 1))))
        return false;
    memcpy(out, host, n);
    out[n] = '\0';
    return true;
}

bool ims__guard_knows_host(const struct ims_guard *g, const char *host)
{
    char name[256];

    if (!host || !host_name(host, name, sizeof(name)))
        return false;
    if (ims__strcasecmp_ascii(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0 || strcmp(name, "[::1]") == 0 ||
        ims__strcasecmp_ascii(name, g->bind) == 0)
        return true;
    for (size_t i = 0; i < g->n_hosts; i++) {
        if (ims__strcasecmp_ascii(name, g->hosts[i]) == 0)
            return true;
    }
    /* A numeric address cannot be re-pointed by whoever owns a name. */
    return !ims__guard_is_loopback(g->bind) && (*name == '[' || strspn(name, "0123456789.") == strlen(name));
}

bool ims__guard_allows_origin(const struct ims_guard *g, const char *origin, const char *host)
{
    char name[256];
    const char *authority;

    if (!origin)
        return true;
    authority = strncmp(origin, "http://", 7) == 0 ? origin + 7 : strncmp(origin, "https://", 8) == 0 ? origin + 8 : NULL;
    if (!authority || !host_name(authority, name, sizeof(name)))
        return false;
    if (host && ims__strcasecmp_ascii(authority, host) == 0)
        return true;
    if (g->no_cors)
        return false;
    for (size_t i = 0; i < g->n_origins; i++) {
        if (ims__strcasecmp_ascii(origin, g->origins[i]) == 0)
            return true;
    }
    return ims__guard_is_loopback(g->bind) && ims__guard_is_loopback(name);
}

/* ---- tokens ---- */

bool ims__guard_needs_token(const struct ims_guard *g)
{
    return g->token != NULL;
}

/* Of the same length or not, the comparison takes as long: both sides are hashed first. */
static bool is_token(const struct ims_guard *g, const char *given)
{
    uint8_t a[IMS_SHA256_BYTES], b[IMS_SHA256_BYTES];

    return g->token && given && ims__sha256(g->token, strlen(g->token), a, NULL) == IMS_OK &&
           ims__sha256(given, strlen(given), b, NULL) == IMS_OK && ims__is_equal_secret(a, b, sizeof(a));
}

/* A cookie is "<expiry>.<HMAC of it under the token>": it outlives a restart and dies with the token. */
static bool sign_expiry(const struct ims_guard *g, const char *expiry, char out[IMS_SHA256_HEX])
{
    uint8_t mac[IMS_SHA256_BYTES];
    char text[64];

    snprintf(text, sizeof(text), "imgsearch login until %s", expiry);
    if (ims__hmac_sha256(g->token, strlen(g->token), text, strlen(text), mac, NULL))
        return false;
    ims__hex(mac, sizeof(mac), out);
    return true;
}

static bool is_login(const struct ims_guard *g, const char *value, size_t n)
{
    char expiry[24], mac[IMS_SHA256_HEX];
    size_t len = strspn(value, "0123456789");
    int64_t until;

    if (len == 0 || len >= sizeof(expiry) || n != len + 1 + COOKIE_HEX || value[len] != '.')
        return false;
    memcpy(expiry, value, len);
    expiry[len] = '\0';
    return ims__parse_int(expiry, 0, INT64_MAX / 1000000, &until) && until * 1000000 > ims__now_us() &&
           sign_expiry(g, expiry, mac) && ims__is_equal_secret(mac, value + len + 1, COOKIE_HEX);
}

static bool has_login(const struct ims_guard *g, const char *cookie)
{
    const size_t n_name = strlen(IMS_GUARD_COOKIE);

    while (cookie && *cookie) {
        size_t n;

        cookie += strspn(cookie, "; ");
        n = strcspn(cookie, ";");
        if (n > n_name + 1 && strncmp(cookie, IMS_GUARD_COOKIE "=", n_name + 1) == 0 &&
            is_login(g, cookie + n_name + 1, n - n_name - 1))
            return true;
        cookie += n;
    }
    return false;
}

bool ims__guard_is_known(const struct ims_guard *g, const char *authorization, const char *cookie)
{
    if (!g->token)
        return true;
    if (authorization && strncasecmp(authorization, "Bearer ", 7) == 0 && is_token(g, authorization + 7))
        return true;
    return has_login(g, cookie);
}

bool ims__guard_login(struct ims_guard *g, const char *token, bool is_https, char *out_cookie, size_t size)
{
    char expiry[24], mac[IMS_SHA256_HEX];

    if (!is_token(g, token))
        return false;
    snprintf(expiry, sizeof(expiry), "%lld", (long long)(ims__now_us() / 1000000 + IMS_GUARD_SESSION_S));
    if (!sign_expiry(g, expiry, mac))
        return false;
    snprintf(out_cookie, size, IMS_GUARD_COOKIE "=%s.%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", expiry, mac,
             IMS_GUARD_SESSION_S, is_https ? "; Secure" : "");
    return true;
}

void ims__guard_logout(char *out_cookie, size_t size)
{
    snprintf(out_cookie, size, IMS_GUARD_COOKIE "=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
}
