/* Opens and closes the listener, and runs the worker threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "http/http_internal.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IO_THREADS 2
#define DEFAULT_WORKERS 8
#define DRAIN_MS 10000

/* ---- workers ---- */

static void run_worker(void *arg)
{
    struct ims_http_worker *w = arg;
    struct ims_http *h = w->server;
    struct ims_http_context *cx = NULL;
    void *item;

    while (ims__chan_pop(h->queue, &item)) {
        struct ims_http_exchange *x = item;
        ims_err err = { 0 };

        if (!cx && h->options.open_context && h->options.open_context(&cx, h->options.arg, &err)) {
            ims__http_note_failure(x, err.status, &err);
            ims__http_refuse(x, ims_status_http(err.status), "the library cannot be opened; the log says why");
        } else
            ims__http_work(x, cx);
        ims__http_pack(x);
        MHD_resume_connection(x->connection);
    }
    if (cx)
        h->options.close_context(cx);
}

static ims_status start_workers(struct ims_http *h, ims_err *err)
{
    unsigned n = h->options.n_workers ? h->options.n_workers : DEFAULT_WORKERS;
    ims_status st = ims__chan_new(&h->queue, IMS_HTTP_MAX_QUEUED + IO_THREADS, err);

    if (st)
        return st;
    h->workers = ims__zalloc(n, sizeof(*h->workers));
    if (!h->workers)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "starting the workers");
    for (; h->n_workers < n; h->n_workers++) {
        struct ims_http_worker *w = &h->workers[h->n_workers];

        w->server = h;
        st = ims__thread_start(&w->thread, "ims-http", run_worker, w, err);
        if (st)
            return st;
    }
    return IMS_OK;
}

/* ---- routes ---- */

static size_t operation_index(const struct ims_spec *spec, const char *id)
{
    size_t i = 0;

    while (i < ims__spec_n_operations(spec) && strcmp(ims__spec_operation(spec, i)->id, id) != 0)
        i++;
    return i;
}

/* Every route has its operation and every operation that is built its route. */
static ims_status bind_routes(struct ims_http *h, ims_err *err)
{
    const struct ims_spec *spec = h->options.spec;
    size_t n = ims__spec_n_operations(spec);

    h->handlers = ims__zalloc(n, sizeof(*h->handlers));
    h->clocks = ims__zalloc(n, sizeof(*h->clocks));
    if (!h->handlers || !h->clocks)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "binding the routes");
    for (size_t i = 0; i < h->options.n_routes; i++) {
        size_t at = operation_index(spec, h->options.routes[i].operation);

        if (at == n || h->handlers[at])
            return ims_fail(err, IMS_E_CONFIG, "http", 0, "the contract has no operation %s, or it is bound twice",
                            h->options.routes[i].operation);
        h->handlers[at] = &h->options.routes[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (!h->handlers[i] != ims__spec_operation(spec, i)->is_unbuilt)
            return ims_fail(err, IMS_E_CONFIG, "http", 0, "the operation %s has %s", ims__spec_operation(spec, i)->id,
                            h->handlers[i] ? "a handler and is marked as not implemented" : "no handler");
    }
    return IMS_OK;
}

/* ---- listening ---- */

/* As it came: http_work.c decodes, so that an encoded slash stays part of its segment. */
static size_t keep_encoded(void *cls, struct MHD_Connection *c, char *s)
{
    (void)cls;
    (void)c;
    return strlen(s);
}

static void IMS_PRINTF(2, 0) log_line(void *cls, const char *fmt, va_list args)
{
    char text[400];

    (void)cls;
    vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    ims__log(IMS_LOG_DEBUG, "http", "%s", text);
}

static ims_status find_address(const struct ims_http_options *o, struct addrinfo **out, ims_err *err)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    char port[8];
    int rc;

    snprintf(port, sizeof(port), "%u", (unsigned)o->port);
    rc = getaddrinfo(o->host, port, &hints, out);
    if (rc)
        return ims_fail(err, IMS_E_CONFIG, "http", rc, "the address %s: %s", o->host, gai_strerror(rc));
    return IMS_OK;
}

/* Room for the connections among the open files. */
static void raise_file_limit(unsigned n_connections)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < n_connections + 256u) {
        lim.rlim_cur = lim.rlim_max < n_connections + 256u ? lim.rlim_max : n_connections + 256u;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
}

static ims_status read_port(struct ims_http *h, ims_err *err)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);

    if (!info)
        return ims_fail(err, IMS_E_INTERNAL, "http", 0, "reading the port back");
    h->port = info->port;
    return IMS_OK;
}

/* Not MHD_quiesce_daemon: in 0.9.75 it and each polling thread may take the socket out of the same epoll set, and the
 * second to try ends the program. */
static enum MHD_Result may_connect(void *cls, const struct sockaddr *from, socklen_t len)
{
    struct ims_http *h = cls;

    (void)from;
    (void)len;
    return atomic_load(&h->is_closing) ? MHD_NO : MHD_YES;
}

static ims_status listen_on(struct ims_http *h, ims_err *err)
{
    const struct ims_http_options *o = &h->options;
    unsigned max = o->max_connections ? o->max_connections : IMS_HTTP_MAX_CONNECTIONS;
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct addrinfo *at = NULL;
    ims_status st = find_address(o, &at, err);

    if (st)
        return st;
    raise_file_limit(max);
    if (at->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    h->daemon = MHD_start_daemon(
        flags, o->port, may_connect, h, ims__http_intake, h, MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL,
        MHD_OPTION_SOCK_ADDR, at->ai_addr, MHD_OPTION_NOTIFY_COMPLETED, ims__http_completed, h,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)IO_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, max, MHD_OPTION_CONNECTION_TIMEOUT,
        o->idle_timeout_s ? o->idle_timeout_s : (unsigned)IMS_HTTP_IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)IMS_HTTP_MAX_PARSER_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_END);
    freeaddrinfo(at);
    if (!h->daemon)
        return errno == EADDRINUSE
                   ? ims_fail(err, IMS_E_BUSY, "http", errno, "%s:%u is in use; stop the other program or choose another port",
                              o->host, (unsigned)o->port)
                   : ims_fail(err, errno == EACCES ? IMS_E_PERMISSION : IMS_E_IO, "http", errno, "listening on %s:%u: %s",
                              o->host, (unsigned)o->port, errno ? strerror(errno) : "libmicrohttpd refused");
    return read_port(h, err);
}

ims_status ims__http_open(struct ims_http **out, const struct ims_http_options *options, ims_err *err)
{
    struct ims_http *h = ims__zalloc(1, sizeof(*h));
    ims_status st;

    if (!h)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "opening the server");
    h->options = *options;
    st = ims__guard_open(&h->guard, &options->guard, err);
    if (!st)
        st = bind_routes(h, err);
    if (!st)
        st = ims__http_streams_open(&h->streams, err);
    if (!st)
        st = start_workers(h, err);
    if (!st)
        st = listen_on(h, err);
    if (st) {
        ims__http_close(h);
        return st;
    }
    *out = h;
    return IMS_OK;
}

/* Waits until every request that was begun is answered: an upload on its way may come to its end. One whose client has
 * stopped sending is cut off with the connections when the time is over. */
static void drain(struct ims_http *h)
{
    for (unsigned waited = 0; waited < DRAIN_MS && atomic_load(&h->n_live); waited += 10) {
        struct timespec ten_ms = { 0, 10000000 };

        nanosleep(&ten_ms, NULL);
    }
}

void ims__http_close(struct ims_http *h)
{
    if (!h)
        return;
    atomic_store(&h->is_closing, true); /* connections and requests that begin now are refused */
    if (h->streams) /* they end while libmicrohttpd still lets go of them */
        ims__http_streams_end(h->streams);
    drain(h);
    if (h->queue)
        ims__chan_close(h->queue);
    for (unsigned i = 0; i < h->n_workers; i++)
        ims__thread_join(&h->workers[i].thread);
    if (h->streams)
        ims__http_streams_close(h->streams);
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    ims__chan_free(h->queue);
    ims__free(h->workers);
    ims__free(h->clocks);
    ims__free(h->handlers);
    ims__guard_close(h->guard);
    ims__free(h);
}

uint16_t ims__http_port(const struct ims_http *h)
{
    return h->port;
}

void ims__http_stats(struct ims_http *h, struct ims_http_stats *out)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

    *out = (struct ims_http_stats){ .n_requests = atomic_load(&h->n_requests),
                                    .n_rejected = atomic_load(&h->n_rejected),
                                    .n_cut = atomic_load(&h->n_cut),
                                    .body_bytes = atomic_load(&h->body_bytes),
                                    .n_connections = info ? info->num_connections : 0,
                                    .n_queued = (unsigned)ims__chan_len(h->queue),
                                    .n_streams = ims__http_streams_count(h->streams) };
    for (size_t i = 0; i < IMS_ARRAY_LEN(out->n_by_class); i++)
        out->n_by_class[i] = atomic_load(&h->n_by_class[i]);
}
