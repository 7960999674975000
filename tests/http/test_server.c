/* The listener: what good clients see.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/http_client.h"
#include "harness/test.h"
#include "small_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TEST(inputs, "path, query and body reach the handler typed, with defaults, decoded once")
{
    struct test_server s;
    struct http_reply r;

    if (!test_server_open(&s, NULL, 0))
        return;
    http_json(&r, s.port, "POST", "/echo/a%2Fb%25?pageSize=7&other=1", "{\"a_b\": \"x\"}");
    CHECK_INT(r.status, 201);
    CHECK_STR(r.body, "{\"path\":{\"id\":\"a/b%\"},\"query\":{\"page_size\":7},\"body\":{\"aB\":\"x\"}}");
    CHECK(strlen(http_header(&r, "X-Request-Id")) == 16);
    CHECK_STR(http_header(&r, "X-Content-Type-Options"), "nosniff");
    CHECK_STR(http_header(&r, "Content-Type"), "application/json");
    http_reply_release(&r);
    http_json(&r, s.port, "POST", "/echo/1?page_size=101", "{}");
    CHECK_INT(r.status, 422);
    CHECK(strstr(r.body, "\"loc\":[\"query\",\"page_size\"]") && strstr(r.body, "\"message\""));
    http_reply_release(&r);
    http_json(&r, s.port, "POST", "/echo/1", NULL);
    CHECK_INT(r.status, 422);
    CHECK(strstr(r.body, "\"loc\":[\"body\"]"));
    http_reply_release(&r);
    test_server_close(&s);
}

TEST(misses, "unknown paths, wrong methods, slashes too many and parts that are not built say so")
{
    static const struct {
        const char *method, *path;
        int status;
        const char *header, *value;
    } rows[] = {
        { "GET", "/nothing", 404, "Content-Type", "application/json" },
        { "PUT", "/health", 405, "Allow", "GET" },
        { "GET", "/health/", 307, "Location", "/health" },
        { "GET", "/health/?a=1%2f&b=x+y&c", 307, "Location", "/health?a=1%2f&b=x+y&c" },
        { "GET", "/later", 501, "Content-Type", "application/json" },
        { "HEAD", "/health", 200, "Content-Length", "15" },
        { "POST", "/wipe", 403, "Content-Type", "application/json" },
    };
    struct test_server s;

    if (!test_server_open(&s, NULL, 0))
        return;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_reply r;

        http_json(&r, s.port, rows[i].method, rows[i].path, NULL);
        CHECK_INT(r.status, rows[i].status);
        CHECK_STR(http_header(&r, rows[i].header), rows[i].value);
        if (r.status >= 400 && (!strstr(r.body, "\"detail\"") || !strstr(r.body, "\"message\"")))
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].path, r.body);
        http_reply_release(&r);
    }
    test_server_close(&s);
}

TEST(cors, "an origin of ours is echoed with its preflight; a foreign one is refused on every route")
{
    struct test_server s;
    struct http_reply r;

    if (!test_server_open(&s, NULL, 0))
        return;
    http_request(&r, s.port, "OPTIONS", "/echo/1",
                 "Origin: http://localhost:5173\r\nAccess-Control-Request-Method: POST\r\n"
                 "Access-Control-Request-Headers: content-type, x-one\r\n", NULL, 0);
    CHECK_INT(r.status, 204);
    CHECK_STR(http_header(&r, "Access-Control-Allow-Origin"), "http://localhost:5173");
    CHECK_STR(http_header(&r, "Access-Control-Allow-Headers"), "content-type, x-one");
    CHECK_STR(http_header(&r, "Access-Control-Allow-Credentials"), "true");
    CHECK_STR(http_header(&r, "Access-Control-Max-Age"), "600");
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/health", "Origin: http://evil.example\r\n", NULL, 0);
    CHECK_INT(r.status, 403);
    CHECK_STR(http_header(&r, "Access-Control-Allow-Origin"), "");
    http_reply_release(&r);
    http_request(&r, s.port, "OPTIONS", "/health", "Origin: http://evil.example\r\n", NULL, 0);
    CHECK_INT(r.status, 403);
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/health", "Host: evil.example\r\n", NULL, 0);
    CHECK_INT(r.status, 421);
    http_reply_release(&r);
    test_server_close(&s);
}

TEST(kept_open, "a refusal or a preflight without a body leaves the connection open for the next request")
{
    static const char *const heads[] = {
        "OPTIONS /echo/1 HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:5173\r\n\r\n",
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /wipe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /wipe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n", /* a body in vain: the last one */
    };
    static const int statuses[] = { 204, 404, 403, 200, 403 };
    struct test_server s;
    struct http_reply r;
    int fd;

    if (!test_server_open(&s, NULL, 0))
        return;
    fd = http_connect(s.port);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        CHECK(http_send_text(fd, heads[i]));
        http_read_reply(fd, &r, statuses[i] != 204, TEST_PATIENCE_MS);
        test_note("request %zu", i);
        CHECK_INT(r.status, statuses[i]);
        CHECK_STR(http_header(&r, "Connection"), i == 4 ? "close" : "");
        http_reply_release(&r);
    }
    close(fd);
    test_server_close(&s);
}

TEST(port_taken, "a port that another server has is refused: two would share its clients at random")
{
    struct test_server s;

    if (!test_server_open(&s, NULL, 0))
        return;
    CHECK_INT(test_server_try_port(s.port), IMS_E_BUSY);
    test_server_close(&s);
}

TEST(token, "with a token set only public routes answer without it")
{
    struct test_server s;
    struct http_reply r;

    if (!test_server_open(&s, "0123456789abcdef", 0))
        return;
    http_json(&r, s.port, "GET", "/health", NULL);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    http_json(&r, s.port, "GET", "/text", NULL);
    CHECK_INT(r.status, 401);
    CHECK_STR(http_header(&r, "WWW-Authenticate"), "Bearer");
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/text", "Authorization: Bearer 0123456789abcdef\r\n", NULL, 0);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    test_server_close(&s);
}

TEST(files, "a file comes whole, in part, not again when it is known, and not beyond its end")
{
    static const struct {
        const char *headers;
        int status;
        const char *range;
        size_t n;
    } rows[] = {
        { "Range: bytes=0-9\r\n", 206, "bytes 0-9/", 10 },
        { "Range: bytes=5-\r\n", 206, "bytes 5-", 0 },
        { "Range: bytes=-7\r\n", 206, "bytes ", 7 },
        { "Range: bytes=0-9\r\nIf-Range: \"v1\"\r\n", 206, "bytes 0-9/", 10 },
        { "Range: bytes=0-9\r\nIf-Range: \"v0\"\r\n", 200, "", 0 },
        { "Range: bytes=99999999-\r\n", 416, "bytes */", 0 },
        { "Range: bytes=9-5\r\n", 200, "", 0 },
        { "Range: bytes=0-1,3-4\r\n", 200, "", 0 },
        { "Range: lines=1-2\r\n", 200, "", 0 },
        { "Range: bytes=-\r\n", 200, "", 0 },
        { "Range: bytes=99999999999999999999-1\r\n", 200, "", 0 },
        { "If-None-Match: \"v1\"\r\n", 304, "", 0 },
        { "If-None-Match: W/\"v0\"\r\n", 200, "", 0 },
    };
    struct test_server s;
    struct http_reply r;
    size_t len;
    char *whole = test_read_file(test_source_path("LICENSE"), &len);

    if (!test_server_open(&s, NULL, 0))
        return;
    http_json(&r, s.port, "GET", "/file", NULL);
    CHECK_INT(r.n_body, len);
    CHECK_MEM(r.body, whole, len);
    CHECK_STR(http_header(&r, "ETag"), "\"v1\"");
    http_reply_release(&r);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        http_request(&r, s.port, "GET", "/file", rows[i].headers, NULL, 0);
        test_note("row %zu", i);
        CHECK_INT(r.status, rows[i].status);
        CHECK(strncmp(http_header(&r, "Content-Range"), rows[i].range, strlen(rows[i].range)) == 0);
        if (r.status == 416)
            CHECK(strstr(r.body, "\"detail\"") && strcmp(http_header(&r, "Content-Type"), "application/json") == 0);
        if (rows[i].n) {
            CHECK_INT(r.n_body, rows[i].n);
            CHECK_MEM(r.body, rows[i].headers[13] == '-' ? whole + len - rows[i].n : whole, rows[i].n);
        }
        http_reply_release(&r);
    }
    free(whole);
    test_server_close(&s);
}

TEST(gzip, "a client that takes gzip gets long texts packed, another does not, and nobody gets packed pictures")
{
    struct test_server s;
    struct http_reply r;

    if (!test_server_open(&s, NULL, 0))
        return;
    http_request(&r, s.port, "GET", "/text", "Accept-Encoding: gzip, br\r\n", NULL, 0);
    CHECK_STR(http_header(&r, "Content-Encoding"), "gzip");
    CHECK_STR(http_header(&r, "ETag"), "W/\"t1\""); /* other bytes than those of "t1" */
    CHECK(r.n_body < 1000 && (unsigned char)r.body[0] == 0x1f && (unsigned char)r.body[1] == 0x8b);
    http_reply_release(&r);
    http_json(&r, s.port, "GET", "/text", NULL);
    CHECK_STR(http_header(&r, "Content-Encoding"), "");
    CHECK_STR(http_header(&r, "ETag"), "\"t1\"");
    CHECK_INT(r.n_body, 500 * strlen("the same again and again "));
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/text", "Accept-Encoding: gzip\r\nIf-None-Match: W/\"t1\"\r\n", NULL, 0);
    CHECK_INT(r.status, 304);
    http_reply_release(&r);
    http_request(&r, s.port, "GET", "/text", "Accept-Encoding: gzip\r\nX-Type: image/jpeg\r\n", NULL, 0);
    CHECK_STR(http_header(&r, "Content-Encoding"), "");
    CHECK_INT(r.n_body, 500 * strlen("the same again and again "));
    http_reply_release(&r);
    test_server_close(&s);
}

TEST(uploads, "a form's file and fields arrive; a file over the limit is refused without being kept")
{
    static const char form[] = "--xyz\r\nContent-Disposition: form-data; name=\"limit\"\r\n\r\n12\r\n"
                               "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.jpg\"\r\n"
                               "Content-Type: image/jpeg\r\n\r\nJPEG bytes\r\n--xyz--\r\n";
    static const char nameless[] = "--xyz\r\nContent-Disposition: form-data; nam=\"limit\"\r\n\r\n12\r\n--xyz--\r\n";
    static const char type[] = "Content-Type: multipart/form-data; boundary=xyz\r\n";
    struct test_server s;
    struct http_reply r;

    if (!test_server_open(&s, NULL, 0))
        return;
    http_request(&r, s.port, "POST", "/upload", type, form, strlen(form));
    CHECK_STR(r.body, "{\"name\":\"a b.jpg\",\"type\":\"image/jpeg\",\"bytes\":10,\"body\":{\"file\":\"a b.jpg\",\"limit\":12}}");
    http_reply_release(&r);
    http_request(&r, s.port, "POST", "/upload", "Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: 99000000\r\n",
                 NULL, 0);
    CHECK_INT(r.status, 413);
    http_reply_release(&r);
    http_request(&r, s.port, "POST", "/upload", "Content-Type: text/plain\r\n", form, strlen(form));
    CHECK_INT(r.status, 422);
    http_reply_release(&r);
    http_request(&r, s.port, "POST", "/upload", type, nameless, strlen(nameless));
    CHECK(r.status == 400 && strstr(r.body, "no name"));
    http_reply_release(&r);
    http_request(&r, s.port, "POST", "/upload", type, form, 100); /* ends inside a part */
    CHECK(r.status == 400 || r.status == 422);
    http_reply_release(&r);
    test_server_close(&s);
}

TEST(held, "D-O8: requests that take long do not keep others from being answered, nor the server from closing in order")
{
    struct test_server s;
    struct http_reply r;
    int fds[3];

    if (!test_server_open(&s, NULL, 0))
        return;
    for (int i = 0; i < 3; i++) { /* of four workers */
        fds[i] = http_connect(s.port);
        CHECK(http_send_text(fds[i], "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    for (struct test_wait w = { 0 }; test_waits(&w) && test_server_n_held() < 3;) {
    }
    http_json(&r, s.port, "GET", "/health", NULL);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    test_server_close(&s); /* lets the held ones go, and waits for them */
    for (int i = 0; i < 3; i++) {
        http_read_reply(fds[i], &r, true, TEST_PATIENCE_MS);
        CHECK_INT(r.status, 200);
        http_reply_release(&r);
        close(fds[i]);
    }
}

TEST(events, "an event stream brings its events, then ends")
{
    struct test_server s;
    struct http_reply r;

    if (!test_server_open(&s, NULL, 0))
        return;
    http_json(&r, s.port, "GET", "/events", NULL);
    CHECK_STR(r.body, "retry: 3000\n\nevent: progress\ndata: {\"n\":1}\n\nevent: progress\ndata: {\"n\":2}\n\nevent: progress\ndata: "
                      "{\"n\":3}\n\n");
    CHECK_STR(http_header(&r, "Content-Type"), "text/event-stream");
    http_reply_release(&r);
    test_server_close(&s);
    CHECK_INT(test_server_n_streams(true), test_server_n_streams(false));
}

TEST(silent_streams, "streams that say nothing, and clients that left them, are all closed with the server")
{
    struct test_server s;
    unsigned before;
    char some[1000];
    int fds[10];

    if (!test_server_open(&s, NULL, 0))
        return;
    before = test_server_n_streams(false);
    for (int i = 0; i < 10; i++) {
        fds[i] = http_connect(s.port);
        CHECK(http_send_text(fds[i], "GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: silent\r\n\r\n"));
        CHECK(http_read_some(fds[i], some, sizeof(some), TEST_PATIENCE_MS) > 0); /* the head is there: it is open */
    }
    CHECK_INT(test_server_n_streams(false), before + 10);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    test_server_close(&s);
    for (int i = 5; i < 10; i++)
        close(fds[i]);
    CHECK_INT(test_server_n_streams(true), test_server_n_streams(false));
}

TEST_MAIN
