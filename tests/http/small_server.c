/* The small server of the listener's tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "small_server.h"

#include "base/mem.h"
#include "base/thread.h"
#include "harness/test.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char contract[] =
    "openapi: 3.1.0\n"
    "paths:\n"
    "  /health: {get: {operationId: health, security: [], responses: {'200': {description: ok}}}}\n"
    "  /echo/{id}:\n"
    "    parameters: [{name: id, in: path, required: true, schema: {type: string}}]\n"
    "    post:\n"
    "      operationId: echo\n"
    "      parameters:\n"
    "        - {name: page_size, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 20}}\n"
    "      requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {aB: {type: "
    "string}}}}}}\n"
    "      responses: {'200': {description: ok}}\n"
    "  /file: {get: {operationId: file, responses: {'200': {description: ok}}}}\n"
    "  /big: {get: {operationId: big, responses: {'200': {description: ok}}}}\n"
    "  /text: {get: {operationId: text, responses: {'200': {description: ok}}}}\n"
    "  /hold: {get: {operationId: hold, responses: {'200': {description: ok}}}}\n"
    "  /events: {get: {operationId: events, responses: {'200': {description: ok}}}}\n"
    "  /fail: {get: {operationId: fail, responses: {'200': {description: ok}}}}\n"
    "  /wipe: {post: {operationId: wipe, x-destructive: true, responses: {'200': {description: ok}}}}\n"
    "  /later: {get: {operationId: later, x-not-implemented: true, responses: {'501': {description: later}}}}\n"
    "  /upload:\n"
    "    post:\n"
    "      operationId: upload\n"
    "      x-max-body-bytes: 1000000\n"
    "      requestBody: {required: true, content: {multipart/form-data: {schema: {type: object, required: [file], "
    "properties: {file: {type: string}, limit: {type: integer, default: 50}}}}}}\n"
    "      responses: {'200': {description: ok}}\n";

static atomic_uint n_held, n_opened, n_closed;
static atomic_bool is_released;

void test_server_release_held(void)
{
    atomic_store(&is_released, true);
}

unsigned test_server_n_held(void)
{
    return atomic_load(&n_held);
}

unsigned test_server_n_streams(bool closed)
{
    return atomic_load(closed ? &n_closed : &n_opened);
}

static ims_status health(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                         ims_err *err)
{
    ims_json *v = ims__json_new_object();

    (void)cx;
    (void)rq;
    if (v && ims__json_set(v, "status", ims__json_new_str("ok")))
        return IMS_E_NOMEM;
    return ims__reply_json(rp, 200, v, err);
}

static ims_status echo(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                       ims_err *err)
{
    ims_json *v = ims__json_new_object();

    (void)cx;
    if (ims__json_set(v, "path", ims__json_dup(rq->path)) || ims__json_set(v, "query", ims__json_dup(rq->query)) ||
        ims__json_set(v, "body", ims__json_dup(rq->body)))
        return IMS_E_NOMEM;
    return ims__reply_json(rp, 201, v, err);
}

static ims_status file(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                       ims_err *err)
{
    struct stat st;

    (void)cx;
    (void)rq;
    rp->fd = open(test_source_path("LICENSE"), O_RDONLY | O_CLOEXEC);
    if (rp->fd < 0 || fstat(rp->fd, &st))
        return ims_fail(err, IMS_E_NOT_FOUND, "test", 0, "LICENSE");
    rp->n_file_bytes = (uint64_t)st.st_size;
    strcpy(rp->content_type, "text/plain");
    strcpy(rp->etag, "\"v1\"");
    return IMS_OK;
}

static ims_status big(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                      ims_err *err)
{
    char path[300];

    (void)cx;
    (void)rq;
    snprintf(path, sizeof(path), "%s/big", test_tmp_dir());
    rp->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    rp->n_file_bytes = 64 << 20;
    if (rp->fd < 0 || ftruncate(rp->fd, 64 << 20))
        return ims_fail(err, IMS_E_IO, "test", 0, "a large file");
    strcpy(rp->content_type, "application/octet-stream");
    return IMS_OK;
}

static ims_status text(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                       ims_err *err)
{
    const char *type = rq->header(rq, "X-Type"); /* the one that the reply shall have */

    (void)cx;
    (void)err;
    for (int i = 0; i < 500; i++) {
        if (ims__buf_add_str(&rp->bytes, "the same again and again "))
            return IMS_E_NOMEM;
    }
    snprintf(rp->content_type, sizeof(rp->content_type), "%s", type ? type : "text/plain");
    strcpy(rp->etag, "\"t1\"");
    return IMS_OK;
}

static ims_status hold(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                       ims_err *err)
{
    atomic_fetch_add(&n_held, 1);
    for (struct test_wait w = { 0 }; test_waits(&w) && !atomic_load(&is_released);) {
    }
    atomic_fetch_sub(&n_held, 1);
    return health(cx, rq, rp, err);
}

static ims_status fail_on_purpose(struct ims_http_context *cx, const struct ims_http_request *rq,
                                  struct ims_http_reply *rp, ims_err *err)
{
    (void)cx;
    (void)rq;
    strcpy(rp->etag, "\"gone\"");
    return ims_fail(err, IMS_E_DB, "sqlite", 1, "SELECT secret FROM /home/somebody/imgsearch.db");
}

/* Three events, then the end; Last-Event-ID asks for one that never says anything, or never stops. */
struct counter {
    unsigned n;
    bool is_silent, is_flood;
};

static atomic_size_t n_flooded;

size_t test_server_n_flooded(void)
{
    return atomic_load(&n_flooded);
}

static ims_status flood(struct ims_buf *out)
{
    size_t before = out->len;

    for (int i = 0; i < 3000; i++) { /* nearly as much as a source may tell at a time */
        if (ims__buf_add_str(out, "data: the same again and again, for somebody who never reads it\n\n"))
            return IMS_E_NOMEM;
    }
    atomic_fetch_add(&n_flooded, out->len - before);
    return IMS_OK;
}

static ims_status count_on(void *stream, struct ims_buf *out, bool *out_is_done, ims_err *err)
{
    struct counter *c = stream;

    (void)err;
    if (c->is_silent)
        return IMS_OK;
    if (c->is_flood)
        return flood(out);
    c->n++;
    *out_is_done = c->n == 3;
    return ims__buf_addf(out, "event: progress\ndata: {\"n\":%u}\n\n", c->n);
}

static void close_counter(void *stream)
{
    atomic_fetch_add(&n_closed, 1);
    ims__free(stream);
}

static const struct ims_http_stream_ops counter_ops = { .next = count_on, .close = close_counter };

static ims_status events(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                         ims_err *err)
{
    struct counter *c = ims__zalloc(1, sizeof(*c));
    const char *last = rq->header(rq, "Last-Event-ID");

    (void)cx;
    if (!c)
        return ims_fail(err, IMS_E_NOMEM, "test", 0, "a stream");
    c->is_silent = last && strcmp(last, "silent") == 0;
    c->is_flood = last && strcmp(last, "flood") == 0;
    atomic_fetch_add(&n_opened, 1);
    rp->stream_ops = &counter_ops;
    rp->stream = c;
    rp->interval_ms = 10;
    strcpy(rp->content_type, "text/event-stream");
    return IMS_OK;
}

static ims_status upload(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                         ims_err *err)
{
    ims_json *v;

    (void)cx;
    if (!rq->n_files)
        return ims_fail(err, IMS_E_INVALID, "test", 0, "file must be a file");
    v = ims__json_new_object();
    if (ims__json_set(v, "name", ims__json_new_str(rq->files[0].name)) ||
        ims__json_set(v, "type", ims__json_new_str(rq->files[0].content_type)) ||
        ims__json_set(v, "bytes", ims__json_new_int((int64_t)rq->files[0].n_bytes)) ||
        ims__json_set(v, "body", ims__json_dup(rq->body)))
        return IMS_E_NOMEM;
    return ims__reply_json(rp, 200, v, err);
}

static const struct ims_http_route routes[] = {
    { "health", health }, { "echo", echo },     { "file", file }, { "big", big },         { "text", text }, { "hold", hold },
    { "events", events }, { "upload", upload }, { "fail", fail_on_purpose }, { "wipe", health },
};

static ims_status open_on(struct test_server *s, uint16_t port, const char *token, unsigned idle_timeout_s, ims_err *err)
{
    struct ims_http_options o = { .host = "127.0.0.1",
                                  .port = port,
                                  .guard = { .bind = "127.0.0.1", .token = token },
                                  .routes = routes,
                                  .n_routes = IMS_ARRAY_LEN(routes),
                                  .n_workers = 4,
                                  .idle_timeout_s = idle_timeout_s };
    ims_status st;

    memset(s, 0, sizeof(*s));
    st = ims__spec_read(&s->spec, contract, strlen(contract), "small", err);
    o.spec = s->spec;
    if (!st)
        st = ims__http_open(&s->http, &o, err);
    if (st)
        ims__spec_close(s->spec);
    return st;
}

bool test_server_open(struct test_server *s, const char *token, unsigned idle_timeout_s)
{
    ims_err err = { 0 };

    atomic_store(&is_released, false);
    if (open_on(s, 0, token, idle_timeout_s, &err)) {
        test_fail(__FILE__, __LINE__, "%s", err.text);
        return false;
    }
    s->port = ims__http_port(s->http);
    return true;
}

ims_status test_server_try_port(uint16_t port)
{
    struct test_server s;
    ims_status st = open_on(&s, port, NULL, 0, NULL);

    if (!st)
        test_server_close(&s);
    return st;
}

void test_server_close(struct test_server *s)
{
    test_server_release_held();
    ims__http_close(s->http);
    ims__spec_close(s->spec);
}
