/* A small HTTP server for tests, with faults on demand: cut connections, ranges or none, error statuses,
 * redirects, web pages. It listens on a free port of 127.0.0.1, in a thread of the test.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HARNESS_HTTP_SERVER_H
#define IMS_TESTS_HARNESS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct http_server;

/* What stands under a path. Strings and body are copied. */
struct http_route {
    const char *path;    /* "/a/b" without a query */
    int status;          /* 0 = 200 */
    const char *headers; /* further ones, each ended by "\r\n"; may be NULL */
    const void *body;
    size_t body_bytes;
    size_t fail_times; /* so many requests get fail_status instead, HEAD requests included */
    int fail_status;
    const char *fail_headers;
    size_t cut_times; /* so many GETs are cut after cut_bytes bytes of the body */
    size_t cut_bytes;
    bool no_ranges;      /* answers a Range with the whole */
    bool no_length;      /* no Content-Length; the connection's end is the body's */
    bool is_wrong_range; /* answers a Range with another one */
};

struct http_server *http_server_start(void);
void http_server_stop(struct http_server *s);
/* Adds a route, or replaces the one of that path. */
void http_server_route(struct http_server *s, const struct http_route *r);
const char *http_server_url(const struct http_server *s); /* http://127.0.0.1:PORT */
/* Requests so far, of all or of one method and path ("GET /a"), and bytes of bodies that were sent. */
size_t http_server_count(struct http_server *s, const char *method_and_path);
size_t http_server_sent(struct http_server *s);
/* Does the last request of that path have this line (any case)? */
bool http_server_had_header(struct http_server *s, const char *path, const char *line);

#endif
