/* A plain HTTP/1.1 client for tests: sends bytes as they are, reads one reply.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HARNESS_HTTP_CLIENT_H
#define IMS_TESTS_HARNESS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_reply {
    int status;   /* 0 = none came (closed, or the time was up) */
    char *head;   /* status line and headers, NUL-terminated, never NULL */
    char *body;   /* chunks joined, NUL-terminated, never NULL */
    size_t n_body;
};

/* A connection to 127.0.0.1:port; -1 when it is refused. */
int http_connect(uint16_t port);
bool http_send_bytes(int fd, const void *p, size_t n);
bool http_send_text(int fd, const char *s);
/* Reads one whole reply, or what came until timeout_ms passed or the peer closed. */
void http_read_reply(int fd, struct http_reply *out, bool has_body, unsigned timeout_ms);
/* Bytes that come within timeout_ms, at most size - 1, NUL-terminated; returns their number, 0 at the end. */
size_t http_read_some(int fd, char *out, size_t size, unsigned timeout_ms);

/* One request on its own connection. headers: lines that end in "\r\n", or NULL; Host is added unless they name it. */
void http_request(struct http_reply *out, uint16_t port, const char *method, const char *path, const char *headers,
                  const void *body, size_t n_body);
/* The same with a JSON body, or without one when json is NULL. */
void http_json(struct http_reply *out, uint16_t port, const char *method, const char *path, const char *json);
/* A header's value in head or "" (static buffer). */
const char *http_header(const struct http_reply *r, const char *name);
void http_reply_release(struct http_reply *r);

#endif
