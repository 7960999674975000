/* Hosts, origins, tokens and logins.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "http/guard.h"

#include <stdio.h>
#include <string.h>

static struct ims_guard *open_guard(const char *bind, const char *token, const char *hosts, const char *origins)
{
    struct ims_http_guard_options o = { .bind = bind, .token = token, .hosts = hosts, .origins = origins };
    struct ims_guard *g = NULL;
    ims_err err = { 0 };

    if (ims__guard_open(&g, &o, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return g;
}

TEST(guard_needs_token, "an address that others can reach needs a token, and a long one")
{
    static const struct {
        const char *bind, *token, *origins;
        ims_status want;
    } rows[] = {
        { "127.0.0.1", NULL, NULL, IMS_OK },
        { "127.0.0.1", "", NULL, IMS_OK },
        { "::1", NULL, NULL, IMS_OK },
        { "127.0.0.2", NULL, NULL, IMS_OK },
        { "127.photos.example", NULL, NULL, IMS_E_CONFIG }, /* a name, whatever it begins with */
        { "127.0.0.1.example", NULL, NULL, IMS_E_CONFIG },
        { "0.0.0.0", NULL, NULL, IMS_E_CONFIG },
        { "0.0.0.0", "", NULL, IMS_E_CONFIG },
        { "192.168.1.5", NULL, NULL, IMS_E_CONFIG },
        { "::", NULL, NULL, IMS_E_CONFIG },
        { "0.0.0.0", "short", NULL, IMS_E_CONFIG },
        { "127.0.0.1", "short", NULL, IMS_E_CONFIG },
        { "0.0.0.0", "0123456789abcdef", NULL, IMS_OK },
        { "127.0.0.1", NULL, "*", IMS_E_CONFIG },
        { "127.0.0.1", NULL, "photos.example", IMS_E_CONFIG },
        { "127.0.0.1", NULL, "https://photos.example/x", IMS_E_CONFIG },
        { "127.0.0.1", NULL, "https://*.example", IMS_E_CONFIG },
        { "127.0.0.1", NULL, "https://photos.example, http://a:1", IMS_OK },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ims_http_guard_options o = { .bind = rows[i].bind, .token = rows[i].token, .origins = rows[i].origins };
        struct ims_guard *g = NULL;
        ims_status st = ims__guard_open(&g, &o, NULL);

        if (st != rows[i].want)
            test_fail(__FILE__, __LINE__, "row %zu: %s", i, ims_status_name(st));
        ims__guard_close(g);
    }
}

TEST(guard_hosts, "a name that is not ours is refused, whatever address it points at")
{
    struct ims_guard *local = open_guard("127.0.0.1", NULL, "photos.lan,nas", NULL);
    struct ims_guard *open = open_guard("0.0.0.0", "0123456789abcdef", NULL, NULL);

    CHECK(ims__guard_knows_host(local, "localhost:8000"));
    CHECK(ims__guard_knows_host(local, "LOCALHOST"));
    CHECK(ims__guard_knows_host(local, "127.0.0.1:1"));
    CHECK(ims__guard_knows_host(local, "[::1]:8000"));
    CHECK(ims__guard_knows_host(local, "photos.lan:8000"));
    CHECK(ims__guard_knows_host(local, "nas"));
    CHECK(!ims__guard_knows_host(local, NULL));
    CHECK(!ims__guard_knows_host(local, ""));
    CHECK(!ims__guard_knows_host(local, "evil.example:8000"));
    CHECK(!ims__guard_knows_host(local, "localhost.evil.example"));
    CHECK(!ims__guard_knows_host(local, "localhost:80x"));
    CHECK(!ims__guard_knows_host(local, "localhost@evil.example"));
    CHECK(!ims__guard_knows_host(local, "192.168.1.5"));
    CHECK(ims__guard_knows_host(open, "192.168.1.5:8000"));
    CHECK(!ims__guard_knows_host(open, "photos.lan"));
    ims__guard_close(local);
    ims__guard_close(open);
}

TEST(guard_origins, "pages of our own, of loopback and of configured origins may ask; no other")
{
    struct ims_guard *local = open_guard("127.0.0.1", NULL, NULL, "https://photos.example");
    struct ims_guard *open = open_guard("0.0.0.0", "0123456789abcdef", NULL, "https://photos.example");
    struct ims_http_guard_options o = { .bind = "127.0.0.1", .no_cors = true };
    struct ims_guard *closed = NULL;
    ims_err err = { 0 };

    CHECK(ims__guard_allows_origin(local, NULL, "localhost:8000"));
    CHECK(ims__guard_allows_origin(local, "http://localhost:5173", "localhost:8000"));
    CHECK(ims__guard_allows_origin(local, "http://127.0.0.1:5173", "localhost:8000"));
    CHECK(ims__guard_allows_origin(local, "http://[::1]:5173", "localhost:8000"));
    CHECK(ims__guard_allows_origin(local, "https://photos.example", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "http://photos.example", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "https://photos.example:444", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "http://evil.example", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "http://localhost.evil.example", "localhost:8000"));
    CHECK(ims__guard_allows_origin(local, "http://127.0.0.9:5173", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "http://127.evil.example", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "http://127.0.0.1.evil.example:8000", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "http://127.0.0.1x", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "null", "localhost:8000"));
    CHECK(!ims__guard_allows_origin(local, "file://", "localhost:8000"));
    CHECK(ims__guard_allows_origin(open, "http://192.168.1.5:8000", "192.168.1.5:8000")); /* its own page */
    CHECK(!ims__guard_allows_origin(open, "http://localhost:5173", "192.168.1.5:8000"));
    CHECK_OK(ims__guard_open(&closed, &o, &err), err);
    CHECK(!ims__guard_allows_origin(closed, "http://localhost:5173", "localhost:8000"));
    CHECK(ims__guard_allows_origin(closed, "http://localhost:8000", "localhost:8000"));
    ims__guard_close(local);
    ims__guard_close(open);
    ims__guard_close(closed);
}

TEST(guard_tokens, "the token opens, as a header or as the cookie of a login; nothing near it does")
{
    struct ims_guard *g = open_guard("127.0.0.1", "0123456789abcdef", NULL, NULL);
    struct ims_guard *other = open_guard("127.0.0.1", "0123456789abcdeg", NULL, NULL);
    char cookie[300], sent[300];

    CHECK(!ims__guard_is_known(g, NULL, NULL));
    CHECK(ims__guard_is_known(g, "Bearer 0123456789abcdef", NULL));
    CHECK(ims__guard_is_known(g, "bearer 0123456789abcdef", NULL));
    CHECK(!ims__guard_is_known(g, "Bearer 0123456789abcde", NULL));
    CHECK(!ims__guard_is_known(g, "Bearer 0123456789abcdef0", NULL));
    CHECK(!ims__guard_is_known(g, "0123456789abcdef", NULL));
    CHECK(!ims__guard_login(g, "0123456789abcdeF", false, cookie, sizeof(cookie)));
    CHECK(!ims__guard_login(g, NULL, false, cookie, sizeof(cookie)));
    CHECK(ims__guard_login(g, "0123456789abcdef", false, cookie, sizeof(cookie)));
    CHECK(strstr(cookie, "HttpOnly") && strstr(cookie, "SameSite=Strict") && !strstr(cookie, "Secure"));
    CHECK(!strstr(cookie, "0123456789abcdef"));
    snprintf(sent, sizeof(sent), "theme=dark; %.*s", (int)strcspn(cookie, ";"), cookie);
    CHECK(ims__guard_is_known(g, NULL, sent));
    CHECK(!ims__guard_is_known(other, NULL, sent)); /* another token: every login is void */
    sent[strlen(sent) - 1] ^= 1;
    CHECK(!ims__guard_is_known(g, NULL, sent));
    CHECK(!ims__guard_is_known(g, NULL, IMS_GUARD_COOKIE "=1.0000000000000000000000000000000000000000000000000000000000000000"));
    CHECK(!ims__guard_is_known(g, NULL, IMS_GUARD_COOKIE "="));
    CHECK(!ims__guard_is_known(g, NULL, IMS_GUARD_COOKIE "=99999999999999999999999999999999.00"));
    CHECK(ims__guard_login(g, "0123456789abcdef", true, cookie, sizeof(cookie)));
    CHECK(strstr(cookie, "; Secure"));
    ims__guard_close(g);
    ims__guard_close(other);
}

TEST_MAIN
