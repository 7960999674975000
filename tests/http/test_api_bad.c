/* Bad input to every operation of the contract as it is served: typed errors, one line of log each, and the service stays up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "exposition.h"
#include "serving.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ims_json *contract_of(const struct serving *s)
{
    struct http_reply r;
    ims_json *v = NULL;

    http_json(&r, s->port, "GET", "/openapi.json", NULL);
    if (r.status != 200 || ims__json_parse(&v, r.body, r.n_body, "the contract", NULL))
        test_fail(__FILE__, __LINE__, "no contract: %d", r.status);
    http_reply_release(&r);
    return v;
}

static int status_of(const struct serving *s, const char *path)
{
    struct http_reply r;
    int status;

    http_json(&r, s->port, "GET", path, NULL);
    status = r.status;
    http_reply_release(&r);
    return status;
}

/* ---- every operation ---- */

struct sweep {
    const struct serving *s;
    const char *method, *path; /* as the contract has them */
    const ims_json *operation;
    long n_sent, n_failed;
};

/* Whatever was sent: no failure of ours, nothing of the system's files, no header that came with the request. */
static void judge(struct sweep *w, const char *path, const char *what, const struct http_reply *r)
{
    bool is_unbuilt = ims__json_bool(ims__json_get(w->operation, "x-not-implemented"), false);

    w->n_sent++;
    w->n_failed += r->status >= 400;
    if (r->status >= 500 && !(is_unbuilt && r->status == 501))
        test_fail(__FILE__, __LINE__, "%s %.200s with %.200s: %d %.300s", w->method, path, what, r->status, r->body);
    if (r->status == 0)
        test_fail(__FILE__, __LINE__, "%s %.200s with %.200s: no reply", w->method, path, what);
    if (strstr(r->body, "root:") || strstr(r->head, "\nX-Injected"))
        test_fail(__FILE__, __LINE__, "%s %.200s with %.200s leads out: %.300s", w->method, path, what, r->body);
    if (r->status >= 400 && r->status != 501 && strcmp(w->method, "HEAD") != 0 && !strstr(r->body, "\"message\""))
        test_fail(__FILE__, __LINE__, "%s %.200s with %.200s: %d without a message: %.300s", w->method, path, what, r->status, r->body);
}

static void send(struct sweep *w, const char *path, const char *type, const char *body, const char *what)
{
    struct http_reply r;
    char headers[200] = "";

    if (type)
        snprintf(headers, sizeof(headers), "Content-Type: %s\r\n", type);
    http_request(&r, w->s->port, w->method, path, headers, body, body ? strlen(body) : 0);
    judge(w, path, what, &r);
    http_reply_release(&r);
}

/* The contract's path with every {name} replaced by value; false when it has none. */
static bool fill_path(const char *path, const char *value, char *out, size_t size)
{
    bool has_name = false;
    size_t n = 0;

    while (*path && n + strlen(value) + 2 < size) {
        if (*path == '{') {
            has_name = true;
            n += (size_t)snprintf(out + n, size - n, "%s", value);
            path = strchr(path, '}') + 1;
        } else
            out[n++] = *path++;
    }
    out[n] = '\0';
    return has_name;
}

static char long_text[6001];

static void bad_paths(struct sweep *w)
{
    static const char *const values[] = { "..", "%2e%2e", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "....%2f%2fetc",
                                          "%252e%252e%252fetc%252fpasswd", "..%5c..%5cetc", "%00", "1%00.jpg", "%ff%fe", "%", "%zz",
                                          "-1", "0", "1e3", "99999999999999999999", "9223372036854775807", "x",
                                          "1%0d%0aX-Injected:%20yes", "'%20OR%201=1--", "%F0%9F%98%80", "00000000-0000-4000-8000-000000000000",
                                          "00000000-0000-4000-8000-00000000000g", "clu_99999999999999999999", long_text };
    char path[8000];

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (fill_path(w->path, values[i], path, sizeof(path)))
            send(w, path, "application/json", strcmp(w->method, "GET") == 0 ? NULL : "{}", values[i]);
    }
}

static void bad_queries(struct sweep *w)
{
    static const char *const values[] = { "", "-1", "0", "x", "1e309", "99999999999999999999", "%00", "%ff", "%2e%2e%2fetc", "[]", "true" };
    const ims_json *parameters = ims__json_get(w->operation, "parameters");
    char path[2000], base[1000];

    fill_path(w->path, "1", base, sizeof(base));
    for (size_t i = 0; i < ims__json_len(parameters); i++) {
        const ims_json *p = ims__json_at(parameters, i);
        const char *name = ims__json_str(ims__json_get(p, "name"), NULL);

        for (size_t v = 0; name && v < sizeof(values) / sizeof(values[0]); v++) {
            snprintf(path, sizeof(path), "%s?%s=%s", base, name, values[v]);
            send(w, path, "application/json", strcmp(w->method, "GET") == 0 ? NULL : "{}", values[v]);
        }
    }
}

static void bad_bodies(struct sweep *w)
{
    static const struct {
        const char *type, *body;
    } rows[] = {
        { "application/json", "" },
        { "application/json", "{" },
        { "application/json", "[]" },
        { "application/json", "null" },
        { "application/json", "\"text\"" },
        { "application/json", "{\"name\":\"\xff\xfe\"}" },
        { "application/json", "{\"name\":\"a\",\"name\":\"b\"}" },
        { "application/json", "{\"name\":{},\"query\":[],\"limit\":\"x\",\"rootPath\":7,\"path\":{},\"faceIds\":1,\"personId\":[],\"ids\":{}}" },
        { "application/json", "{\"rootPath\":\"../../../etc\",\"path\":\"/etc/passwd\",\"directory\":\"\\u0000\",\"pathPrefix\":\"/\"}" },
        { "application/json", "{\"limit\":1e400}" },
        { "application/json", "{\"limit\":99999999999999999999999}" },
        { "application/x-something", "{}" },
        { "text/xml", "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>" },
        { "multipart/form-data", "no boundary" },
        { "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../a\"\r\n\r\nx" },
        { "application/json; charset=utf-16", "\xff\xfe{\0" },
    };
    char path[1000];

    if (!ims__json_get(w->operation, "requestBody"))
        return;
    fill_path(w->path, "1", path, sizeof(path));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        send(w, path, rows[i].type, rows[i].body, rows[i].body);
}

static int count_lines(const struct serving *s, const char *has)
{
    char *log = test_read_file(s->log, NULL);
    int n = 0;

    for (const char *p = log; (p = strstr(p, has)) != NULL; p++)
        n++;
    free(log);
    return n;
}

TEST(bad_everywhere, "no path, query or body breaks any operation, leads out of the library or goes unnoticed by the log")
{
    static const char *const methods[][2] = { { "get", "GET" }, { "post", "POST" }, { "put", "PUT" }, { "patch", "PATCH" }, { "delete", "DELETE" } };
    struct sweep w = { 0 };
    struct serving s;
    ims_json *contract;
    const ims_json *paths;

    memset(long_text, 'a', sizeof(long_text) - 1);
    if (!serving_open(&s, 2, NULL))
        return;
    w.s = &s;
    contract = contract_of(&s);
    paths = ims__json_get(contract, "paths");
    for (void *it = ims__json_iter(paths); it; it = ims__json_next(paths, it)) {
        for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
            w.path = ims__json_iter_key(it);
            w.operation = ims__json_get(ims__json_iter_value(it), methods[m][0]);
            w.method = methods[m][1];
            if (!w.operation)
                continue;
            bad_paths(&w);
            bad_queries(&w);
            bad_bodies(&w);
        }
    }
    test_note("%ld requests, %ld refused", w.n_sent, w.n_failed);
    CHECK(w.n_sent > 1000 && w.n_failed > w.n_sent / 2);
    for (struct test_wait some = { 0 }; test_waits(&some) && count_lines(&s, "request failed") < w.n_failed;) {
    }
    CHECK_INT(count_lines(&s, "request failed"), w.n_failed);
    CHECK_INT(status_of(&s, "/health"), 200);
    ims__json_free(contract);
    serving_stop(&s, SIGTERM);
}

/* ---- bombs ---- */

static double figure(const struct serving *s, const char *name)
{
    struct http_reply r;
    double v;

    http_json(&r, s->port, "GET", "/metrics", NULL);
    v = exposition_value(r.body, name);
    http_reply_release(&r);
    return v;
}

static int post_picture(const struct serving *s, const void *data, size_t n)
{
    static const char head[] = "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"q.png\"\r\nContent-Type: image/png\r\n\r\n";
    char *body = malloc(n + sizeof(head) + 20);
    struct http_reply r;
    int status;

    memcpy(body, head, sizeof(head) - 1);
    memcpy(body + sizeof(head) - 1, data, n);
    memcpy(body + sizeof(head) - 1 + n, "\r\n--xyz--\r\n", 11);
    http_request(&r, s->port, "POST", "/api/v1/search/image", "Content-Type: multipart/form-data; boundary=xyz\r\n", body,
                 n + sizeof(head) - 1 + 11);
    status = r.status;
    if (status >= 400 && !strstr(r.body, "\"message\":\"q.png: "))
        test_fail(__FILE__, __LINE__, "%d %.300s", status, r.body);
    http_reply_release(&r);
    free(body);
    return status;
}

TEST(bombs, "pictures that are small files and huge pixels, and packed bodies, are refused before they take memory")
{
    static const char *const files[] = { "huge.png", "huge.jpg", "bomb.gif", "many_frames.gif", "many_scans.jpg", "huge.heic" };
    static const unsigned char gzip[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1, 1, 1, 0, 0, 0, 0x80, 0x90, 0xfe, 0xaf, 0xee };
    struct serving s;
    struct http_reply r;
    double before, after;
    size_t len;
    char *jpeg = test_read_file(test_source_path(library_demo_jpeg(0)), &len), path[100];

    if (!serving_open(&s, 1, NULL))
        return;
    CHECK_INT(post_picture(&s, jpeg, len), 200); /* the decoder and the model are there */
    before = figure(&s, "imgsearch_process_resident_bytes");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *bytes;
        int status;

        snprintf(path, sizeof(path), "tests/fuzz/media/bad/%s", files[i]);
        bytes = test_read_file(test_source_path(path), &len);
        status = post_picture(&s, bytes, len);
        test_note("%s: %d", files[i], status);
        CHECK(status == 400 || (status == 200 && strncmp(files[i], "many", 4) == 0));
        free(bytes);
    }
    http_request(&r, s.port, "POST", "/api/v1/search", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", gzip, sizeof(gzip));
    CHECK_INT(r.status, 422);
    http_reply_release(&r);
    after = figure(&s, "imgsearch_process_resident_bytes");
    test_note("%.0f MiB more", (after - before) / 1048576);
#if !defined(__SANITIZE_ADDRESS__)
    CHECK(after - before < 150e6);
#endif
    free(jpeg);
    serving_stop(&s, SIGTERM);
}

TEST(gigabyte, "an upload of a gigabyte, announced or not, is 413 and takes no memory")
{
    struct serving s;
    struct http_reply r;
    char *chunk = calloc(1, 1 << 20);
    double before, after;
    int fd;

    if (!serving_open(&s, 1, NULL))
        return;
    http_request(&r, s.port, "POST", "/api/v1/search/image",
                 "Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: 1073741824\r\n", NULL, 0);
    CHECK_INT(r.status, 413);
    http_reply_release(&r);
    before = figure(&s, "imgsearch_process_resident_bytes");
    fd = http_connect(s.port);
    CHECK(http_send_text(fd, "POST /api/v1/search/image HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                             "Content-Type: multipart/form-data; boundary=xyz\r\n\r\n"
                             "62\r\n--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"q.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\r\n"));
    for (int i = 0; i < 1024; i++) {
        if (!http_send_text(fd, "100000\r\n") || !http_send_bytes(fd, chunk, 1 << 20) || !http_send_text(fd, "\r\n"))
            break; /* it may hang up early */
    }
    (void)http_send_text(fd, "0\r\n\r\n");
    http_read_reply(fd, &r, true, TEST_PATIENCE_MS);
    CHECK_INT(r.status, 413);
    http_reply_release(&r);
    after = figure(&s, "imgsearch_process_resident_bytes");
    test_note("%.0f MiB more", (after - before) / 1048576);
#if !defined(__SANITIZE_ADDRESS__) /* which keeps what was freed for a while */
    CHECK(after >= 0 && after - before < 150e6);
#endif
    CHECK_INT((long long)figure(&s, "imgsearch_http_body_bytes"), 0); /* though the client is still there */
    close(fd);
    free(chunk);
    serving_stop(&s, SIGTERM);
}

/* ---- what happens to the library meanwhile ---- */

TEST(photos_moved, "while the folder of the photos is away, pictures are 404, searches go on, and a job deletes nothing")
{
    struct serving s;
    struct http_reply r;
    char away[700], body[900];

    if (!serving_open(&s, 3, NULL))
        return;
    snprintf(away, sizeof(away), "%s.away", s.library.photos);
    CHECK_INT(status_of(&s, "/api/v1/images/1/full"), 200);
    CHECK(rename(s.library.photos, away) == 0);
    CHECK_INT(status_of(&s, "/api/v1/images/1/full"), 404);
    http_json(&r, s.port, "POST", "/api/v1/search", "{\"query\":\"a boat\"}");
    CHECK(r.status == 200 && strstr(r.body, "\"total\":3"));
    http_reply_release(&r);
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    http_json(&r, s.port, "POST", "/api/v1/assets/ingest", body);
    CHECK_INT(r.status, 400);
    http_reply_release(&r);
    CHECK_INT(status_of(&s, "/health"), 200);
    CHECK(rename(away, s.library.photos) == 0);
    CHECK_INT(status_of(&s, "/api/v1/images/1/full"), 200);
    serving_stop(&s, SIGTERM);
    CHECK_INT(library_status(&s.library, "assets"), 3);
}

TEST(locked, "while another program has the database locked, reading goes on, writing is 503 with Retry-After, then all is well")
{
    struct serving s;
    struct http_reply r;
    struct library_lock *lock;

    if (!serving_open(&s, 2, NULL))
        return;
    if (s.library.database_env[0]) {
        serving_stop(&s, SIGTERM);
        SKIP("one program cannot lock PostgreSQL for all");
    }
    CHECK_INT(status_of(&s, "/api/v1/assets"), 200);
    lock = library_lock(&s.library);
    CHECK(lock);
    CHECK_INT(status_of(&s, "/api/v1/assets"), 200);
    CHECK_INT(status_of(&s, "/api/v1/images/1/thumbnail"), 200);
    http_json(&r, s.port, "POST", "/api/v1/categories", "{\"name\":\"Locked\"}");
    CHECK_INT(r.status, 503);
    CHECK(atoi(http_header(&r, "Retry-After")) > 0 && strstr(r.body, "\"message\""));
    http_reply_release(&r);
    CHECK_INT(status_of(&s, "/health"), 200);
    library_unlock(lock);
    http_json(&r, s.port, "POST", "/api/v1/categories", "{\"name\":\"Locked\"}");
    CHECK_INT(r.status, 201);
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
}

/* ---- ending ---- */

TEST(ends_well, "a server that is asked to end finishes an upload on its way and gives its job to the next one")
{
    struct serving s;
    struct http_reply r;
    char body[900], head[300], some[64], *jpeg;
    bool is_turned_away = false;
    size_t len;
    int fd;

    if (!serving_open(&s, 1, NULL))
        return;
    jpeg = test_read_file(test_source_path(library_demo_jpeg(0)), &len);
    CHECK_INT(post_picture(&s, jpeg, len), 200); /* the model is there: what is on its way at the end takes no time */
    for (size_t i = 1; i < 25; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%02zu.jpg", i);
        library_copy(&s.library, library_demo_jpeg(i), name);
    }
    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    http_json(&r, s.port, "POST", "/api/v1/assets/ingest", body);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    fd = http_connect(s.port);
    snprintf(head, sizeof(head),
             "POST /api/v1/search/image HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=xyz\r\n"
             "Content-Length: %zu\r\n\r\n", len + 98 + 11);
    CHECK(http_send_text(fd, head));
    CHECK(http_send_text(fd, "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"q.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"));
    CHECK(http_send_bytes(fd, jpeg, len / 2));
    for (struct test_wait w = { 0 }; test_waits(&w) && figure(&s, "imgsearch_http_body_bytes") < 1;) {
        /* it is being taken in */
    }
    kill(s.pid, SIGTERM);
    for (struct test_wait w = { 0 }; !is_turned_away && test_waits(&w);) {
        int other = http_connect(s.port);

        is_turned_away = other < 0 || !http_send_text(other, "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n") ||
                         !http_read_some(other, some, sizeof(some), TEST_PATIENCE_MS);
        close(other);
    }
    CHECK(is_turned_away); /* nobody new is heard, though the upload is */
    CHECK(http_send_bytes(fd, jpeg + len / 2, len - len / 2));
    CHECK(http_send_text(fd, "\r\n--xyz--\r\n"));
    http_read_reply(fd, &r, true, TEST_PATIENCE_MS);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    close(fd);
    serving_stop(&s, 0); /* it was asked already */
    CHECK(library_sql_number(&s.library, "SELECT COUNT(*) FROM jobs WHERE state = 'started'") == 0);
    CHECK(serving_start(&s, NULL));
    for (struct test_wait w = { 0 };
         test_waits(&w) && library_sql_number(&s.library, "SELECT COUNT(*) FROM jobs WHERE state = 'finished'") < 1;) {
    }
    CHECK_INT(library_status(&s.library, "done"), 25);
    CHECK_INT(library_sql_number(&s.library, "SELECT attempts FROM jobs"), 1);
    free(jpeg);
    serving_stop(&s, SIGTERM);
}

TEST_MAIN
