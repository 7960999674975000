/* The listener: clients that are slow, broken or hostile.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/http_client.h"
#include "harness/test.h"
#include "http/http_limits.h"
#include "small_server.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_LATE_BYTES ((size_t)8 << 20) /* more than is on its way to a client that does not read */

static int status_of(const struct test_server *s, const char *path)
{
    for (struct test_wait w = { 0 }; test_waits(&w);) {
        struct http_reply r;
        int status;

        http_json(&r, s->port, "GET", path, NULL);
        status = r.status;
        http_reply_release(&r);
        if (status) /* 0: a short idle time was over before a busy machine came to it */
            return status;
    }
    return 0;
}

/* The server still answers. */
static bool is_well(const struct test_server *s)
{
    return status_of(s, "/health") == 200;
}

TEST(failures, "a failure inside is a status and a request id, never SQL, paths or what the handler had begun")
{
    struct test_server s;
    struct http_reply r;

    if (!test_server_open(&s, NULL, 0))
        return;
    http_json(&r, s.port, "GET", "/fail", NULL);
    CHECK_INT(r.status, 503);
    CHECK(!strstr(r.body, "SELECT") && !strstr(r.body, "/home"));
    CHECK(strstr(r.body, http_header(&r, "X-Request-Id")));
    CHECK_STR(http_header(&r, "ETag"), "");
    http_reply_release(&r);
    test_server_close(&s);
}

TEST(bad_json, "JSON that is malformed, deep, doubled or not UTF-8 is an error of the client")
{
    static const char *const bad[] = { "{", "{\"aB\":", "[1,2", "nonsense", "{\"aB\":\"\xff\"}", "{\"aB\":1,\"aB\":2}",
                                       "{\"aB\":\"a\\u0000b\"}", "\xef\xbb\xbf{", "{\"aB\": 1e999}", "{} {}" };
    struct test_server s;
    struct http_reply r;
    char *deep = malloc(600001);

    if (!test_server_open(&s, NULL, 0))
        return;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        http_json(&r, s.port, "POST", "/echo/1", bad[i]);
        test_note("%s", bad[i]);
        CHECK_INT(r.status, 422);
        http_reply_release(&r);
    }
    memset(deep, '[', 600000);
    deep[600000] = '\0';
    http_json(&r, s.port, "POST", "/echo/1", deep);
    CHECK_INT(r.status, 422);
    http_reply_release(&r);
    free(deep);
    CHECK(is_well(&s));
    test_server_close(&s);
}

TEST(bad_fields, "paths and queries with broken percent signs, NULs or bytes that are not UTF-8 are refused")
{
    static const char *const bad[] = { "/echo/%", "/echo/%4", "/echo/%zz", "/echo/%00", "/echo/%ff", "/echo/a?page_size=%00",
                                       "/echo/a?page_size=%", "/echo/a?%ff=1", "/echo/a?page_size=", "/echo/a?page_size=1e3" };
    struct test_server s;
    struct http_reply r;

    if (!test_server_open(&s, NULL, 0))
        return;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        http_json(&r, s.port, "POST", bad[i], "{}");
        test_note("%s", bad[i]);
        CHECK_INT(r.status, 422);
        http_reply_release(&r);
    }
    test_server_close(&s);
}

TEST(too_large, "heads, addresses and bodies beyond their limits are refused and the rest goes on")
{
    static const struct {
        int n_path, n_header, status;
        bool is_html; /* libmicrohttpd answers what does not fit its memory */
    } heads[] = {
        { 7, 1, 200, false },          { 16000, 1, 200, false },    { 12300, 8000, 200, false },
        { 17000, 1, 414, false },      { 7, 25000, 431, false },    { 7, 50000, 431, true },
        { 60000, 1, 414, true },
    };
    struct test_server s;
    struct http_reply r;
    char *long_text = malloc(200001);
    char headers[64 + 60000], path[60001];
    int fd;

    if (!test_server_open(&s, NULL, 0))
        return;
    memset(long_text, 'a', 200000);
    long_text[200000] = '\0';
    memcpy(long_text, "/health?a=", 10);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        snprintf(path, sizeof(path), "%.*s", heads[i].n_path, long_text);
        snprintf(headers, sizeof(headers), "X-Long: %.*s\r\n", heads[i].n_header, long_text);
        http_request(&r, s.port, "GET", path, headers, NULL, 0);
        test_note("row %zu", i);
        CHECK_INT(r.status, heads[i].status);
        CHECK(heads[i].is_html || r.status == 200 || strstr(r.body, "\"detail\""));
        http_reply_release(&r);
    }
    http_request(&r, s.port, "POST", "/echo/1", "Content-Length: 2000000\r\n", NULL, 0);
    CHECK_INT(r.status, 413);
    http_reply_release(&r);
    /* a body that does not say how long it is */
    fd = http_connect(s.port);
    (void)http_send_text(fd, "POST /echo/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 12; i++) {
        (void)http_send_text(fd, "186a0\r\n");
        (void)http_send_bytes(fd, long_text, 100000);
        (void)http_send_text(fd, "\r\n");
    }
    (void)http_send_text(fd, "0\r\n\r\n");
    http_read_reply(fd, &r, true, TEST_PATIENCE_MS);
    CHECK_INT(r.status, 413);
    http_reply_release(&r);
    close(fd);
    free(long_text);
    CHECK(is_well(&s));
    test_server_close(&s);
}

TEST(ambiguous, "a request with two hosts or two lengths is refused and its connection ends: a proxy may see another request")
{
    static const char *const heads[] = {
        "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\nConnection: close\r\n\r\n",
        "POST /echo/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
        "POST /echo/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    struct test_server s;
    struct http_reply r;
    char more[10];

    if (!test_server_open(&s, NULL, 0))
        return;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        int fd = http_connect(s.port);

        CHECK(http_send_text(fd, heads[i]));
        http_read_reply(fd, &r, true, TEST_PATIENCE_MS);
        test_note("row %zu", i);
        CHECK_INT(r.status, 400);
        CHECK(strstr(r.body, "more than once"));
        CHECK_STR(http_header(&r, "Connection"), "close");
        CHECK_INT(http_read_some(fd, more, sizeof(more), TEST_PATIENCE_MS), 0);
        http_reply_release(&r);
        close(fd);
    }
    CHECK(is_well(&s));
    test_server_close(&s);
}

TEST(nonsense, "bytes that are no request end the connection, not the server")
{
    static const char *const lines[] = { "\r\n\r\n\r\n", "GET\r\n\r\n", "GET /health HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
                                         "GET /health HTTP/1.1\r\n\r\n", /* no Host */
                                         "POST /echo/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                                         "POST /echo/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5x\r\n\r\n",
                                         "POST /echo/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" };
    struct test_server s;

    if (!test_server_open(&s, NULL, 1))
        return;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct http_reply r;
        int fd = http_connect(s.port);

        (void)http_send_text(fd, lines[i]);
        shutdown(fd, SHUT_WR);
        http_read_reply(fd, &r, true, TEST_PATIENCE_MS);
        if (r.status && (r.status < 400 || r.status >= 500) && r.status != 505)
            test_fail(__FILE__, __LINE__, "line %zu: %d", i, r.status);
        http_reply_release(&r);
        close(fd);
    }
    CHECK(is_well(&s));
    test_server_close(&s);
}

TEST(idle, "two thousand connections that say nothing keep nobody else out")
{
    struct test_server s;
    int *fds = malloc(2000 * sizeof(*fds));
    int n = 0;

    if (!test_server_open(&s, NULL, 0))
        return;
    while (n < 2000 && (fds[n] = http_connect(s.port)) >= 0) {
        if (n % 2)
            (void)http_send_text(fds[n], "GET /heal"); /* half a request */
        n++;
    }
    test_note("%d connections", n);
    if (n < 2000)
        test_note("the limit of open files of this process");
    CHECK(n > 400);
    CHECK(is_well(&s));
    while (n > 0)
        close(fds[--n]);
    free(fds);
    test_server_close(&s);
}

TEST(slow, "a client that never ends its request is cut off after the idle time")
{
    struct test_server s;
    char some[100];
    int fd;

    if (!test_server_open(&s, NULL, 1))
        return;
    fd = http_connect(s.port);
    (void)http_send_text(fd, "GET /health HTTP/1.1\r\nHost: local");
    CHECK_INT(http_read_some(fd, some, sizeof(some), TEST_PATIENCE_MS), 0); /* closed by the server, not by the time here */
    CHECK(is_well(&s));
    close(fd);
    test_server_close(&s);
}

TEST(left, "clients that leave while their request is at work do no harm")
{
    struct test_server s;

    if (!test_server_open(&s, NULL, 0))
        return;
    for (int i = 0; i < 20; i++) {
        int fd = http_connect(s.port);

        (void)http_send_text(fd, i % 2 ? "GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n" : "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n");
        close(fd);
        if (i == 3)
            test_server_release_held();
    }
    CHECK(is_well(&s));
    test_server_close(&s);
}

TEST(too_many, "more requests than may wait are told to come back; none hangs")
{
    struct test_server s;
    struct http_reply r;
    struct pollfd at[300];
    int fds[300], n_ok = 0, n_busy = 1, first = 0;

    if (!test_server_open(&s, NULL, 0))
        return;
    for (int i = 0; i < 300; i++) {
        fds[i] = http_connect(s.port);
        CHECK(http_send_text(fds[i], "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        at[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    }
    CHECK(poll(at, 300, TEST_PATIENCE_MS) > 0); /* the others are held: the queue was full when this one came */
    while (!at[first].revents)
        first++;
    http_read_reply(fds[first], &r, true, TEST_PATIENCE_MS);
    CHECK_INT(r.status, 503);
    CHECK_STR(http_header(&r, "Retry-After"), "1");
    http_reply_release(&r);
    test_server_release_held();
    for (int i = 0; i < 300; i++) {
        if (i != first) {
            http_read_reply(fds[i], &r, true, TEST_PATIENCE_MS);
            n_ok += r.status == 200;
            n_busy += r.status == 503;
            http_reply_release(&r);
        }
        close(fds[i]);
    }
    CHECK_INT(n_ok + n_busy, 300);
    CHECK(n_ok >= 256);
    test_server_close(&s);
}

/* Until no source is asked any more: all buffers are full. */
static bool are_full(const struct test_server *s, size_t n_streams, size_t n_before)
{
    size_t before = 0, after = n_before;

    for (struct test_wait w = { 0 }; test_waits(&w);) {
        before = after;
        usleep(300000);
        after = test_server_n_flooded();
        if (!is_well(s))
            break;
        if (after == before && after > n_before + n_streams * IMS_HTTP_MAX_STREAM_BYTES / 2)
            return true;
    }
    test_fail(__FILE__, __LINE__, "%zu bytes, then %zu", before, after);
    return false;
}

TEST(never_read, "event streams whose clients never read are asked for no more than their buffers hold, and keep nobody out")
{
    struct test_server s;
    size_t n_before = test_server_n_flooded(), after;
    int fds[20];

    if (!test_server_open(&s, NULL, 0))
        return;
    for (int i = 0; i < 20; i++) {
        fds[i] = http_connect(s.port);
        CHECK(http_send_text(fds[i], "GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: flood\r\n\r\n"));
    }
    CHECK(are_full(&s, 20, n_before));
    after = test_server_n_flooded() - n_before;
    test_note("%zu bytes for each", after / 20);
    CHECK(after < 20 * N_LATE_BYTES);
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    test_server_close(&s);
    CHECK_INT(test_server_n_streams(true), test_server_n_streams(false));
}

TEST(read_late, "an event stream whose client is far behind goes on when it reads, with nothing lost")
{
    static const char line[] = "data: the same again and again, for somebody who never reads it\n\n";
    struct test_server s;
    char some[16001], *whole = calloc(1, N_LATE_BYTES + sizeof(some)), *at;
    size_t n = 0, n_before = test_server_n_flooded();
    int fd;

    if (!test_server_open(&s, NULL, 0))
        return;
    fd = http_connect(s.port);
    CHECK(http_send_text(fd, "GET /events HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: flood\r\n\r\n"));
    CHECK(are_full(&s, 1, n_before));
    for (size_t got; n < N_LATE_BYTES; n += got) {
        got = http_read_some(fd, some, sizeof(some), TEST_PATIENCE_MS);
        CHECK(got > 0);
        memcpy(whole + n, some, got);
    }
    at = strstr(whole, "retry: 3000\n\n");
    CHECK(at);
    for (at += strlen("retry: 3000\n\n"); at + sizeof(line) <= whole + n; at += sizeof(line) - 1)
        CHECK_MEM(at, line, sizeof(line) - 1);
    CHECK_MEM(at, line, (size_t)(whole + n - at));
    free(whole);
    close(fd);
    test_server_close(&s);
}

TEST(slow_readers, "clients that do not take what they asked for keep neither others nor the end of the server waiting")
{
    struct test_server s;
    int fds[20];

    if (!test_server_open(&s, NULL, 1))
        return;
    for (int i = 0; i < 20; i++) {
        fds[i] = http_connect(s.port);
        CHECK(http_send_text(fds[i], "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    for (int i = 0; i < 50; i++)
        CHECK(is_well(&s));
    CHECK_INT(status_of(&s, "/file"), 200);
    test_server_close(&s); /* the idle time cuts them off */
    for (int i = 0; i < 20; i++)
        close(fds[i]);
}

TEST(half_closed, "a client that closed its side after its request gets its reply")
{
    struct test_server s;
    struct http_reply r;
    int fd;

    if (!test_server_open(&s, NULL, 0))
        return;
    fd = http_connect(s.port);
    CHECK(http_send_text(fd, "POST /echo/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n{\"a_b\":\"x\"}"));
    shutdown(fd, SHUT_WR);
    http_read_reply(fd, &r, true, TEST_PATIENCE_MS);
    CHECK_INT(r.status, 201);
    http_reply_release(&r);
    close(fd);
    test_server_close(&s);
    if (!test_server_open(&s, NULL, 1)) /* libmicrohttpd may notice only when the idle time is over */
        return;
    fd = http_connect(s.port);
    CHECK(http_send_text(fd, "POST /echo/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"a_b\""));
    shutdown(fd, SHUT_WR);
    http_read_reply(fd, &r, true, TEST_PATIENCE_MS); /* the rest cannot come any more */
    CHECK_INT(r.status, 0);
    http_reply_release(&r);
    close(fd);
    CHECK(is_well(&s));
    test_server_close(&s);
}
