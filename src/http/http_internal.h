/* The server's own parts: what its files share.
 *
 * A connection's exchange belongs to libmicrohttpd's thread while the request comes in and the reply goes out, and
 * to one worker in between; the connection is suspended then, so never to both.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_HTTP_INTERNAL_H
#define IMS_HTTP_HTTP_INTERNAL_H

#include "base/thread.h"
#include "http/http.h"
#include "http/http_limits.h"

#include <microhttpd.h>
#include <stdatomic.h>

struct ims_http_worker {
    struct ims_http *server;
    struct ims_thread thread;
};

/* Durations of an operation's requests. */
struct ims_http_clock {
    atomic_ullong n[IMS_HTTP_N_BUCKETS + 1], ns;
};

struct ims_http {
    struct ims_http_options options;
    struct ims_guard *guard;
    struct MHD_Daemon *daemon;
    uint16_t port;
    const struct ims_http_route **handlers; /* of the contract's operation i, or NULL */
    struct ims_http_clock *clocks;          /* likewise */

    struct ims_chan *queue; /* exchanges with a whole request */
    struct ims_http_worker *workers;
    unsigned n_workers;
    struct ims_http_streams *streams;

    atomic_bool is_closing;
    atomic_uint n_live; /* exchanges */
    atomic_size_t body_bytes;
    atomic_ullong n_requests, n_rejected, n_cut, n_by_class[6];
};

/* A field or file of a form that is coming in. */
struct ims_http_part {
    char *field, *name, *content_type;
    struct ims_buf data;
    bool is_file;
};

struct ims_http_body {
    struct ims_buf text; /* a JSON body */
    struct MHD_PostProcessor *form;
    struct ims_http_part *parts;
    size_t n_parts, cap_parts;
    size_t n_bytes; /* counted in the server's body_bytes */
    int failed_status; /* != 0: the rest is thrown away, this is the answer */
    const char *failed_text;
};

struct ims_http_exchange {
    struct ims_http *server;
    struct MHD_Connection *connection;
    const struct ims_spec_operation *operation;
    struct ims_spec_match match; /* values point into path */
    char *path;
    char method[12];
    char id[17];
    uint64_t started_ns;
    bool is_answered, is_known;
    bool is_packed, is_gzip; /* the reply as bytes; those bytes */
    struct ims_http_body body;
    struct ims_http_reply reply;
    int status; /* sent */
    uint64_t whole_ns;      /* when the whole request was there; 0 = it never was */
    char *why;              /* the operator's sentence of a failure, for the log; NULL = the reply says it all */
};

/* http_log.c: durations, and the line of a request that failed */
void ims__http_note_time(struct ims_http_exchange *x);
/* What the line will say. err may be empty. */
void ims__http_note_failure(struct ims_http_exchange *x, ims_status st, const ims_err *err);
void ims__http_log_end(struct ims_http_exchange *x, bool is_cut);

/* http_intake.c: libmicrohttpd's callbacks */
enum MHD_Result ims__http_intake(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **out_exchange);
void ims__http_completed(void *cls, struct MHD_Connection *c, void **exchange, enum MHD_RequestTerminationCode why);
const char *ims__http_header(const struct ims_http_exchange *x, const char *name);

/* http_body.c */
bool ims__http_body_begin(struct ims_http_exchange *x); /* false: no memory */
void ims__http_body_add(struct ims_http_exchange *x, const char *p, size_t n);
void ims__http_body_end(struct ims_http_exchange *x);
void ims__http_body_release(struct ims_http_exchange *x);

/* http_work.c: inputs against the contract, the handler, the error bodies; on a worker */
void ims__http_work(struct ims_http_exchange *x, struct ims_http_context *cx);
/* Puts an error into the reply; text NULL = the status's own. */
void ims__http_refuse(struct ims_http_exchange *x, int status, const char *text);

/* http_pack.c: the reply as bytes, on the worker that made it; does nothing the second time */
void ims__http_pack(struct ims_http_exchange *x);
/* The client has this version already. */
bool ims__http_is_unchanged(const struct ims_http_exchange *x);

/* http_send.c: the reply onto the wire */
enum MHD_Result ims__http_send(struct ims_http_exchange *x);

/* http_stream.c */
struct ims_http_streams;
ims_status ims__http_streams_open(struct ims_http_streams **out, ims_err *err) IMS_MUST_CHECK;
/* Every stream ends now; new ones end at once. */
void ims__http_streams_end(struct ims_http_streams *s);
/* Waits for that; libmicrohttpd must still run, so that it lets go of them. */
void ims__http_streams_close(struct ims_http_streams *s);
unsigned ims__http_streams_count(struct ims_http_streams *s);
/* Takes the reply's stream; NULL when there are too many or memory is short. */
struct MHD_Response *ims__http_stream_response(struct ims_http_streams *s, struct ims_http_exchange *x);

#endif
