/* A small HTTP server for tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/http_server.h"

#include "harness/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* SIGPIPE is ignored besides */
#endif
#define MAX_ROUTES 64
#define MAX_LOG 1024
#define REQUEST_BYTES 16384
#define POLL_MS 50

struct http_server {
    int fd;
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    atomic_bool is_over;
    struct http_route routes[MAX_ROUTES];
    size_t n_routes;
    struct {
        char line[300]; /* "GET /path" */
        char headers[REQUEST_BYTES];
    } * log;
    size_t n_log, sent;
};

static char *copy_text(const char *s)
{
    return s ? strdup(s) : NULL;
}

static void release_route(struct http_route *r)
{
    free((char *)(size_t)r->path);
    free((char *)(size_t)r->headers);
    free((char *)(size_t)r->fail_headers);
    free((char *)(size_t)r->body);
}

void http_server_route(struct http_server *s, const struct http_route *r)
{
    struct http_route copy = *r;
    char *body = malloc(r->body_bytes + 1);
    size_t i = 0;

    if (r->body_bytes)
        memcpy(body, r->body, r->body_bytes);
    copy.path = copy_text(r->path);
    copy.headers = copy_text(r->headers);
    copy.fail_headers = copy_text(r->fail_headers);
    copy.body = body;
    pthread_mutex_lock(&s->lock);
    while (i < s->n_routes && strcmp(s->routes[i].path, r->path) != 0)
        i++;
    if (i == MAX_ROUTES)
        abort();
    if (i < s->n_routes)
        release_route(&s->routes[i]);
    else
        s->n_routes++;
    s->routes[i] = copy;
    pthread_mutex_unlock(&s->lock);
}

static bool send_all(int fd, const void *p, size_t n)
{
    const char *at = p;

    while (n > 0) {
        ssize_t k = send(fd, at, n, MSG_NOSIGNAL);

        if (k <= 0)
            return false;
        at += k;
        n -= (size_t)k;
    }
    return true;
}

static bool sendf(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool sendf(int fd, const char *fmt, ...)
{
    char text[8192];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return n >= 0 && (size_t)n < sizeof(text) && send_all(fd, text, (size_t)n);
}

/* Reads up to the empty line; requests here have no body. */
static bool read_request(int fd, char *out, size_t size)
{
    size_t n = 0;

    while (n + 1 < size) {
        ssize_t k = recv(fd, out + n, size - 1 - n, 0);

        if (k <= 0)
            return false;
        n += (size_t)k;
        out[n] = '\0';
        if (strstr(out, "\r\n\r\n"))
            return true;
    }
    return false;
}

/* The value of "etag: ..." among the route's headers, for If-Range. */
static void route_etag(const struct http_route *r, char *out, size_t size)
{
    const char *p = r->headers ? strstr(r->headers, "ETag: ") : NULL;

    out[0] = '\0';
    if (p)
        snprintf(out, size, "%.*s", (int)strcspn(p + 6, "\r"), p + 6);
}

static const char *find_header(const char *request, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = strstr(request, "\r\n"); p && p[2]; p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':')
            return p + 2 + n + 1 + strspn(p + 2 + n + 1, " ");
    }
    return NULL;
}

/* From which byte on; 0 = all. */
static size_t asked_from(const struct http_route *r, const char *request)
{
    const char *range = find_header(request, "Range"), *if_range = find_header(request, "If-Range");
    char etag[200];
    unsigned long long from = 0;

    route_etag(r, etag, sizeof(etag));
    if (!range || r->no_ranges || sscanf(range, "bytes=%llu-", &from) != 1)
        return 0;
    if (if_range && (strncmp(if_range, etag, strlen(etag)) != 0 || !etag[0]))
        return 0;
    return (size_t)from;
}

static void send_body(struct http_server *s, int fd, struct http_route *r, size_t from)
{
    size_t n = r->body_bytes - from;

    if (r->cut_times > 0) {
        r->cut_times--;
        n = n < r->cut_bytes ? n : r->cut_bytes;
    }
    s->sent += n;
    (void)send_all(fd, (const char *)r->body + from, n);
}

static void answer_route(struct http_server *s, int fd, struct http_route *r, const char *request)
{
    bool is_head = strncmp(request, "HEAD ", 5) == 0;
    size_t from = asked_from(r, request), at = r->is_wrong_range && from ? from - 1 : from;
    int status = r->status ? r->status : 200;

    if (r->fail_times > 0) {
        r->fail_times--;
        (void)sendf(fd, "HTTP/1.1 %d Fault\r\nContent-Length: 0\r\nConnection: close\r\n%s\r\n",
                    r->fail_status, r->fail_headers ? r->fail_headers : "");
        return;
    }
    if (from > 0 && from >= r->body_bytes) {
        (void)sendf(fd,
                    "HTTP/1.1 416 Range\r\nContent-Range: bytes */%zu\r\nContent-Length: "
                    "0\r\nConnection: close\r\n\r\n",
                    r->body_bytes);
        return;
    }
    (void)sendf(fd, "HTTP/1.1 %d OK\r\nConnection: close\r\n%s", from ? 206 : status,
                r->headers ? r->headers : "");
    if (from)
        (void)sendf(fd, "Content-Range: bytes %zu-%zu/%zu\r\n", at, r->body_bytes - 1,
                    r->body_bytes);
    if (!r->no_length)
        (void)sendf(fd, "Content-Length: %zu\r\n", r->body_bytes - at);
    (void)sendf(fd, "\r\n");
    if (!is_head)
        send_body(s, fd, r, at);
}

static void answer(struct http_server *s, int fd)
{
    char request[REQUEST_BYTES], path[300] = "", method[16] = "";
    struct timeval patience = { .tv_sec = TEST_PATIENCE_MS / 1000 };

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (!read_request(fd, request, sizeof(request)) ||
        sscanf(request, "%15s %299[^ ?]", method, path) != 2)
        return;
    pthread_mutex_lock(&s->lock);
    if (s->n_log < MAX_LOG) {
        snprintf(s->log[s->n_log].line, sizeof(s->log[0].line), "%.15s %.280s", method, path);
        snprintf(s->log[s->n_log++].headers, sizeof(s->log[0].headers), "%s", request);
    }
    for (size_t i = 0; i < s->n_routes; i++) {
        if (strcmp(s->routes[i].path, path) == 0) {
            answer_route(s, fd, &s->routes[i], request);
            path[0] = '\0';
            break;
        }
    }
    if (path[0])
        (void)sendf(fd, "HTTP/1.1 404 None\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    pthread_mutex_unlock(&s->lock);
}

static void *serve(void *arg)
{
    struct http_server *s = arg;

    while (!atomic_load(&s->is_over)) {
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        int fd;

        if (poll(&p, 1, POLL_MS) <= 0)
            continue;
        fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            continue;
        answer(s, fd);
        (void)shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

struct http_server *http_server_start(void)
{
    struct http_server *s = calloc(1, sizeof(*s));
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(a);

    signal(SIGPIPE, SIG_IGN);
    s->log = calloc(MAX_LOG, sizeof(*s->log));
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (!s->log || s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(s->fd, 16) != 0 || getsockname(s->fd, (struct sockaddr *)&a, &n) != 0 ||
        pthread_mutex_init(&s->lock, NULL) != 0)
        abort();
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
    if (pthread_create(&s->thread, NULL, serve, s) != 0)
        abort();
    return s;
}

void http_server_stop(struct http_server *s)
{
    atomic_store(&s->is_over, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
    for (size_t i = 0; i < s->n_routes; i++)
        release_route(&s->routes[i]);
    free(s->log);
    free(s);
}

const char *http_server_url(const struct http_server *s)
{
    return s->url;
}

size_t http_server_count(struct http_server *s, const char *method_and_path)
{
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_log; i++)
        n += !method_and_path || strcmp(s->log[i].line, method_and_path) == 0;
    pthread_mutex_unlock(&s->lock);
    return n;
}

size_t http_server_sent(struct http_server *s)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    n = s->sent;
    pthread_mutex_unlock(&s->lock);
    return n;
}

bool http_server_had_header(struct http_server *s, const char *path, const char *line)
{
    bool had = false;

    pthread_mutex_lock(&s->lock);
    for (size_t i = s->n_log; i > 0; i--) {
        const char *at = strchr(s->log[i - 1].line, ' ') + 1;

        if (strcmp(at, path) != 0)
            continue;
        for (const char *p = strstr(s->log[i - 1].headers, "\r\n"); p && !had;
             p = strstr(p + 2, "\r\n"))
            had = strncasecmp(p + 2, line, strlen(line)) == 0;
        break;
    }
    pthread_mutex_unlock(&s->lock);
    return had;
}
