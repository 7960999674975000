/* The tests' HTTP client.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/http_client.h"

#include "harness/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct bytes {
    char *p;
    size_t n, cap;
};

static void add(struct bytes *b, const char *p, size_t n)
{
    while (b->n + n + 1 > b->cap) {
        b->cap = b->cap ? 2 * b->cap : 4096;
        b->p = realloc(b->p, b->cap);
        if (!b->p)
            abort();
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

int http_connect(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

bool http_send_bytes(int fd, const void *p, size_t n)
{
    const char *s = p;

    while (n) {
        ssize_t sent = send(fd, s, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        s += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool http_send_text(int fd, const char *s)
{
    return http_send_bytes(fd, s, strlen(s));
}

size_t http_read_some(int fd, char *out, size_t size, unsigned timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t n = poll(&p, 1, (int)timeout_ms) > 0 ? recv(fd, out, size - 1, 0) : 0;

    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static const char *find_header(const char *head, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
            return line + 2 + n + 1 + strspn(line + 2 + n + 1, " ");
    }
    return NULL;
}

const char *http_header(const struct http_reply *r, const char *name)
{
    static char value[1024];
    const char *at = find_header(r->head, name);

    snprintf(value, sizeof(value), "%.*s", at ? (int)strcspn(at, "\r") : 0, at ? at : "");
    return value;
}

/* The chunks of raw joined; false while the last one has not come. */
static bool join_chunks(const struct bytes *raw, size_t at, struct bytes *out)
{
    out->n = 0;
    for (;;) {
        char *end;
        size_t len;

        if (!strstr(raw->p + at, "\r\n"))
            return false;
        len = strtoul(raw->p + at, &end, 16);
        at = (size_t)(end - raw->p) + 2;
        if (len == 0)
            return true;
        if (at + len + 2 > raw->n)
            return false;
        add(out, raw->p + at, len);
        at += len + 2;
    }
}

/* Is the reply whole? Then body holds it. */
static bool is_whole(struct bytes *raw, bool has_body, struct bytes *body)
{
    char *end = strstr(raw->p, "\r\n\r\n");
    const char *length, *coding;
    size_t at;

    if (!end)
        return false;
    at = (size_t)(end - raw->p) + 4;
    *end = '\0';
    length = find_header(raw->p, "Content-Length");
    coding = find_header(raw->p, "Transfer-Encoding");
    *end = '\r';
    if (!has_body || strncmp(raw->p + 9, "304", 3) == 0 || strncmp(raw->p + 9, "204", 3) == 0)
        return true;
    if (coding)
        return join_chunks(raw, at, body);
    if (!length || raw->n - at < strtoul(length, NULL, 10))
        return false;
    body->n = 0;
    add(body, raw->p + at, strtoul(length, NULL, 10));
    return true;
}

void http_read_reply(int fd, struct http_reply *out, bool has_body, unsigned timeout_ms)
{
    struct bytes raw = { 0 }, body = { 0 };
    char some[16384];
    size_t n, head = 0;

    add(&raw, "", 0);
    add(&body, "", 0);
    while (!is_whole(&raw, has_body, &body) && (n = http_read_some(fd, some, sizeof(some), timeout_ms)) > 0)
        add(&raw, some, n);
    memset(out, 0, sizeof(*out));
    if (strstr(raw.p, "\r\n\r\n"))
        head = (size_t)(strstr(raw.p, "\r\n\r\n") - raw.p) + 2;
    raw.p[head] = '\0';
    out->status = head ? atoi(raw.p + 9) : 0;
    out->head = raw.p;
    out->body = body.p;
    out->n_body = body.n;
}

void http_request(struct http_reply *out, uint16_t port, const char *method, const char *path, const char *headers,
                  const void *body, size_t n_body)
{
    struct bytes b = { 0 };
    char line[256];
    int fd = http_connect(port);

    memset(out, 0, sizeof(*out));
    if (fd < 0) {
        out->head = calloc(1, 1);
        out->body = calloc(1, 1);
        return;
    }
    add(&b, method, strlen(method));
    add(&b, " ", 1);
    add(&b, path, strlen(path));
    add(&b, " HTTP/1.1\r\n", 11);
    if (!headers || !strstr(headers, "Host:")) {
        snprintf(line, sizeof(line), "Host: 127.0.0.1:%u\r\n", (unsigned)port);
        add(&b, line, strlen(line));
    }
    if (headers)
        add(&b, headers, strlen(headers));
    if (body) {
        snprintf(line, sizeof(line), "Content-Length: %zu\r\n", n_body);
        add(&b, line, strlen(line));
    }
    add(&b, "\r\n", 2);
    if (body)
        add(&b, body, n_body);
    (void)http_send_bytes(fd, b.p, b.n);
    free(b.p);
    http_read_reply(fd, out, strcmp(method, "HEAD") != 0, TEST_PATIENCE_MS);
    close(fd);
}

void http_json(struct http_reply *out, uint16_t port, const char *method, const char *path, const char *json)
{
    http_request(out, port, method, path, "Content-Type: application/json\r\n", json, json ? strlen(json) : 0);
}

void http_reply_release(struct http_reply *r)
{
    free(r->head);
    free(r->body);
    memset(r, 0, sizeof(*r));
}
