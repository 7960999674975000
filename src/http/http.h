/* The listener: HTTP/1.1 over libmicrohttpd, with the contract in front of every handler.
 *
 *     ims__http_open(&server, &options, err)     listens; requests are answered from now on
 *     ims__http_close(server)                    no new requests; waits for those at work, then ends streams
 *
 * Sockets are served by a few threads of libmicrohttpd that never wait for a handler; handlers run on worker
 * threads and take requests from a bounded queue (full: 503 with Retry-After). What a request must look like is
 * decided by api/openapi.yaml before a handler sees it.
 *
 * Open and close belong to one thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_HTTP_H
#define IMS_HTTP_HTTP_H

#include "http/exchange.h"
#include "http/guard.h"
#include "http/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_http;

struct ims_http_options {
    const char *host; /* address to bind: "127.0.0.1", "::1", "0.0.0.0" ... */
    uint16_t port;    /* 0 = any free one */
    struct ims_http_guard_options guard;
    const struct ims_http_route *routes; /* one for every operation of the contract that is built */
    size_t n_routes;
    const struct ims_spec *spec; /* lives as long as the server */

    unsigned n_workers; /* 0 = 8 */
    /* Each worker thread makes its own context before its first request and ends it at the end. */
    ims_status (*open_context)(struct ims_http_context **out, void *arg, ims_err *err);
    void (*close_context)(struct ims_http_context *cx);
    void *arg;

    bool check_replies; /* hold every JSON reply against the contract; a difference is logged and a 500 */
    bool allow_destructive;
    unsigned idle_timeout_s;    /* 0 = IMS_HTTP_IDLE_TIMEOUT_S */
    unsigned max_connections;   /* 0 = IMS_HTTP_MAX_CONNECTIONS */
};

/* IMS_E_CONFIG: a route without an operation, or an operation without a route, or an address that needs a token
 * and has none. IMS_E_BUSY: the port is taken. */
ims_status ims__http_open(struct ims_http **out, const struct ims_http_options *options, ims_err *err)
    IMS_MUST_CHECK;
void ims__http_close(struct ims_http *h);

uint16_t ims__http_port(const struct ims_http *h);

/* Upper bounds in seconds of the buckets of a duration; one more has what is above. */
#define IMS_HTTP_N_BUCKETS 14
extern const double ims__http_buckets[IMS_HTTP_N_BUCKETS];

/* How long requests of one operation took, from the whole request being there to its reply being ready. */
struct ims_http_times {
    uint64_t n[IMS_HTTP_N_BUCKETS + 1]; /* each on its own, not summed up */
    uint64_t count;
    double seconds;
};
/* operation: its number in the contract. */
void ims__http_times(struct ims_http *h, size_t operation, struct ims_http_times *out);

struct ims_http_stats {
    uint64_t n_requests;
    uint64_t n_by_class[6]; /* replies of 1xx (unused) to 5xx */
    uint64_t n_cut;         /* ended without a reply, or within it: the client left or was too slow */
    uint64_t n_rejected;    /* of them before a handler: guard, contract, limits */
    unsigned n_connections, n_queued, n_streams;
    uint64_t body_bytes; /* of requests, in memory */
};
void ims__http_stats(struct ims_http *h, struct ims_http_stats *out);

#endif
