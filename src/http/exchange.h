/* One request and its reply, as the handlers in api/ see them.
 *
 * A handler runs on one of the server's worker threads, with that thread's own context. It finds the inputs checked
 * against the contract and in shape (defaults filled in, camelCase or snake_case as the contract has it), and fills
 * the reply. Returning a failure makes the server write the error body; then whatever was in the reply is dropped.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_EXCHANGE_H
#define IMS_HTTP_EXCHANGE_H

#include "base/buf.h"
#include "base/json.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file of a multipart body, whole in memory. */
struct ims_http_file {
    const char *field;
    const char *name;         /* the client's name for it, "" when it gave none */
    const char *content_type; /* "" when it gave none */
    const uint8_t *data;
    size_t n_bytes;
};

struct ims_http_request {
    const char *id;         /* 16 hex digits; in every reply's X-Request-Id and in the log */
    const ims_json *path;   /* values of the path's names, typed */
    const ims_json *query;  /* parameters, typed */
    const ims_json *body;   /* JSON body or the text fields of a form; NULL when there was none */
    const struct ims_http_file *files;
    size_t n_files;
    /* A header's value or NULL; any case. */
    const char *(*header)(const struct ims_http_request *rq, const char *name);
    bool is_secure_client; /* it showed the token, or comes from loopback where none is needed */
};

/* Events for a client that stays. next is called on the streams' thread every interval_ms until it is done or
 * fails or the client is gone; it adds whole events ("event: ...\ndata: ...\n\n") to out, or nothing. */
struct ims_http_stream_ops {
    ims_status (*next)(void *stream, struct ims_buf *out, bool *out_is_done, ims_err *err);
    void (*close)(void *stream);
};

struct ims_http_reply {
    int status;               /* 0 = 200 */
    ims_json *json;           /* owned; or */
    struct ims_buf bytes;     /* with content_type; or */
    int fd;                   /* a file from offset 0, closed by the server; -1 = none; or */
    uint64_t n_file_bytes;
    const struct ims_http_stream_ops *stream_ops; /* a stream, closed by the server */
    void *stream;
    unsigned interval_ms;

    char content_type[64];
    char etag[80];            /* quoted; answers If-None-Match with 304 */
    char cache_control[64];
    char *location;           /* owned; NULL = none */
    char cookie[256];         /* Set-Cookie */
    char disposition[300];    /* Content-Disposition */
    unsigned retry_after_s;
};

void ims__reply_init(struct ims_http_reply *rp);
void ims__reply_release(struct ims_http_reply *rp);

/* Takes the value; status 0 = 200. IMS_E_NOMEM when json is NULL. */
ims_status ims__reply_json(struct ims_http_reply *rp, int status, ims_json *take_json, ims_err *err) IMS_MUST_CHECK;
/* {"detail": text, "message": text}: existing clients read one or the other. */
ims_status ims__reply_error(struct ims_http_reply *rp, int status, const char *text) IMS_MUST_CHECK;
/* {"detail": {"error": code, "code": code, "message": text}, "message": text}: the form of search and queues. */
ims_status ims__reply_coded_error(struct ims_http_reply *rp, int status, const char *code, const char *text)
    IMS_MUST_CHECK;

/* What api/ handlers share; made once per worker thread by the server's owner. */
struct ims_http_context;

typedef ims_status (*ims_http_handler)(struct ims_http_context *cx, const struct ims_http_request *rq,
                                       struct ims_http_reply *rp, ims_err *err);

struct ims_http_route {
    const char *operation; /* operationId */
    ims_http_handler fn;
};

#endif
