/* Who may ask: the Host header, the Origin header, the token, the login cookie. Thread-safe after open.
 *
 * Loopback needs no token. Any other address does: the client shows it as "Authorization: Bearer ..." or logs in once
 * and gets a cookie. A page of another site can neither read (no CORS for foreign origins) nor act (foreign Origin is
 * refused) nor come through a name that its owner points at this machine (foreign Host is refused).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_GUARD_H
#define IMS_HTTP_GUARD_H

#include "base/buf.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>

struct ims_guard;

struct ims_http_guard_options {
    const char *bind;    /* the address that is listened on */
    const char *token;   /* NULL or "" = none; at least IMS_GUARD_MIN_TOKEN characters otherwise */
    const char *hosts;   /* further names in Host that are ours, separated by commas; NULL = none */
    const char *origins; /* further origins that may read and act, separated by commas ("https://photos.example"); no "*" */
    bool no_cors;        /* ENABLE_CORS=false: no origin but our own */
};

#define IMS_GUARD_MIN_TOKEN 16
#define IMS_GUARD_COOKIE "imgsearch_session"
#define IMS_GUARD_SESSION_S (30 * 24 * 3600)

/* IMS_E_CONFIG: off loopback without a token, a token that is too short, "*" among the origins, an origin that is none. */
ims_status ims__guard_open(struct ims_guard **out, const struct ims_http_guard_options *options, ims_err *err)
    IMS_MUST_CHECK;
void ims__guard_close(struct ims_guard *g);

bool ims__guard_is_loopback(const char *address);

/* The Host header names this server. NULL is refused (HTTP/1.1 requires it). */
bool ims__guard_knows_host(const struct ims_guard *g, const char *host);
/* A request with this Origin may be answered: there is none, it is our own (scheme and authority of host), a loopback
 * one or a configured one. "null" is refused. */
bool ims__guard_allows_origin(const struct ims_guard *g, const char *origin, const char *host);
/* The token is right, or a login's cookie is, or none is needed. authorization, cookie: header values or NULL. */
bool ims__guard_is_known(const struct ims_guard *g, const char *authorization, const char *cookie);
bool ims__guard_needs_token(const struct ims_guard *g);

/* A login: true and a Set-Cookie value when the token is right. */
bool ims__guard_login(struct ims_guard *g, const char *token, bool is_https, char *out_cookie, size_t size);
/* The Set-Cookie value that ends a login. */
void ims__guard_logout(char *out_cookie, size_t size);

#endif
