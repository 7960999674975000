/* Addresses: taking them apart, and deciding where a redirect may lead.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/fetch_rules.h"

#include "base/mem.h"
#include "base/text.h"
#include "models/registry.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN "fetch"

ims_status ims__url_parse(struct ims_url *out, const char *url, ims_err *err)
{
    struct ims_url u = { 0 };
    const char *p;
    size_t n;

    for (p = url; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f || p - url >= IMS_MAX_URL_BYTES)
            return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                            "an address holds blanks or is too long");
    }
    if (ims__starts_with(url, "https://")) {
        u.is_https = true;
        p = url + 8;
    } else if (ims__starts_with(url, "http://")) {
        p = url + 7;
    } else {
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                        "\"%.40s\" is not an address that begins with https://", url);
    }
    n = strcspn(p, "/?#");
    if (memchr(p, '@', n) || memchr(p, '\\', n))
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                        "an address with a user name or password in it is not used");
    if (n == 0 || n >= sizeof(u.host))
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0, "an address without a host");
    for (size_t i = 0; i < n; i++)
        u.host[i] = (char)tolower((unsigned char)p[i]);
    u.path = p + n;
    *out = u;
    return IMS_OK;
}

ims_status ims__url_join(char **out, const char *from, const char *location, ims_err *err)
{
    struct ims_url base;
    const char *end;
    char *url;
    ims_status st = ims__url_parse(&base, from, err);

    if (st)
        return st;
    end = base.path + strcspn(base.path, "?#");
    if (ims__starts_with(location, "//")) {
        url = ims__strfmt("%s:%s", base.is_https ? "https" : "http", location);
    } else if (location[0] == '/') {
        url = ims__strfmt("%.*s%s", (int)(base.path - from), from, location);
    } else if (strstr(location, "://") &&
               strcspn(location, ":/?#") == (size_t)(strstr(location, "://") - location)) {
        url = ims__strdup(location);
    } else {
        while (end > base.path && end[-1] != '/')
            end--;
        url =
            ims__strfmt("%.*s%s%s", (int)(end - from), from, end == base.path ? "/" : "", location);
    }
    if (!url)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "following a redirect");
    *out = url;
    return IMS_OK;
}

static bool is_below(const char *host, const char *domain)
{
    size_t n = strlen(host), m = strlen(domain);

    return strcmp(host, domain) == 0 ||
           (n > m && host[n - m - 1] == '.' && strcmp(host + n - m, domain) == 0);
}

/* Where the hub and GitHub's releases keep the bytes of large files. */
static bool is_storage(const char *host)
{
    return is_below(host, "huggingface.co") || is_below(host, "hf.co") ||
           is_below(host, "githubusercontent.com") || strcmp(host, "github.com") == 0;
}

ims_status ims__url_may_follow(const char *first, const char *from, const char *to, ims_err *err)
{
    struct ims_url a, b, c;
    ims_status st = ims__url_parse(&a, first, err);

    if (!st)
        st = ims__url_parse(&b, from, err);
    if (!st)
        st = ims__url_parse(&c, to, err);
    if (st)
        return ims_fail_in(err, IMS_E_PERMISSION, "%s", "a redirect is not followed");
    if (b.is_https && !c.is_https)
        return ims_fail(err, IMS_E_PERMISSION, ORIGIN, 0,
                        "%s redirects from https to http (%s): not followed", b.host, c.host);
    if (strcmp(a.host, c.host) == 0)
        return IMS_OK;
    if (!is_storage(c.host))
        return ims_fail(
            err, IMS_E_PERMISSION, ORIGIN, 0,
            "%s redirects to another host, %s, which is none of the hub's: not followed", b.host,
            c.host);
    if (!c.is_https)
        return ims_fail(err, IMS_E_PERMISSION, ORIGIN, 0,
                        "%s redirects to %s without https: not followed", b.host, c.host);
    return IMS_OK;
}
