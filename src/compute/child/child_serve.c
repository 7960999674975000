/* The child's side: answers requests with a backend of its own until the parent is gone.
 *
 * It lives as long as the socket's other end. A second thread watches for that end to close, so a
 * child whose device hangs does not outlive its parent. (Linux could send a signal at the parent's
 * death, but means the death of the thread that started the child.)
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_internal.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

struct server {
    const struct ims_compute_backend *backend;
    void *ctx; /* NULL until the runtime is open */
    void *sessions[CHILD_MAX_SESSIONS];
    struct child_region region;
    struct ims_tensor pending[IMS_MAX_PORTS]; /* results that did not fit into the region */
    size_t n_pending;
};

static void end_sessions(struct server *s)
{
    for (size_t i = 0; i < CHILD_MAX_SESSIONS; i++) {
        if (!s->sessions[i])
            continue;
        s->backend->session_close(s->sessions[i]);
        ims__free(s->sessions[i]);
        s->sessions[i] = NULL;
    }
    if (s->ctx) {
        s->backend->close(s->ctx);
        ims__free(s->ctx);
        s->ctx = NULL;
    }
}

static void drop_pending(struct server *s)
{
    for (size_t i = 0; i < s->n_pending; i++)
        ims_tensor_release(&s->pending[i]);
    s->n_pending = 0;
}

static ims_status bad_request(ims_err *err)
{
    return ims_fail(err, IMS_E_INTERNAL, "child", 0, "the request makes no sense");
}

/* ---- the runtime ---- */

static void open_runtime(struct server *s, struct wire_reader *r, struct ims_buf *reply)
{
    struct ims_compute_backend_options o = { .runtime_path = ims__wire_get_str(r) };
    ims_err err = { .text = "" };
    ims_status st;

    o.cache_dir = ims__wire_get_str(r);
    o.gpu_mem_limit_bytes = ims__wire_get_u64(r);
    s->ctx = s->ctx ? s->ctx : ims__zalloc(1, s->backend->ctx_size);
    if (r->is_bad)
        st = bad_request(&err);
    else if (!s->ctx)
        st = ims_fail(&err, IMS_E_NOMEM, "child", 0, "allocating the runtime's context");
    else
        st = s->backend->open(s->ctx, &o, &err);
    ims__wire_err(reply, st, &err);
}

static void probe_cuda(struct ims_buf *reply)
{
    struct ims_cuda_facts facts;

    ims_device_probe_cuda(&facts);
    ims__wire_raw(reply, &facts, sizeof(facts));
}

static void probe_vulkan(struct ims_buf *reply)
{
    struct ims_vulkan_facts facts;

    ims_device_probe_vulkan(&facts);
    ims__wire_raw(reply, &facts, sizeof(facts));
}

static void read_log(struct server *s, struct ims_buf *reply)
{
    char text[IMS_LOG_RING_LINES * IMS_LOG_RING_LINE_BYTES / 2] = "";

    if (s->ctx && s->backend->log_tail)
        s->backend->log_tail(s->ctx, text, sizeof(text));
    ims__wire_str(reply, text);
}

/* ---- sessions ---- */

static void put_port(struct ims_buf *b, const struct ims_compute_port *p)
{
    ims__wire_str(b, p->name);
    ims__wire_u64(b, (uint64_t)p->dtype);
    ims__wire_u64(b, p->rank);
    for (unsigned i = 0; i < p->rank; i++) {
        ims__wire_u64(b, (uint64_t)p->shape[i]);
        ims__wire_str(b, p->symbol[i]);
    }
}

static void put_session(const struct server *s, size_t number, struct ims_buf *reply)
{
    struct ims_compute_ports ports;
    struct ims_compute_report report;

    s->backend->session_ports(s->sessions[number], &ports);
    ims__wire_u64(reply, ports.n_inputs);
    ims__wire_u64(reply, ports.n_outputs);
    for (size_t i = 0; i < ports.n_inputs; i++)
        put_port(reply, &ports.inputs[i]);
    for (size_t i = 0; i < ports.n_outputs; i++)
        put_port(reply, &ports.outputs[i]);
    memset(&report, 0, sizeof(report));
    s->backend->session_report(s->sessions[number], &report);
    ims__wire_raw(reply, &report, sizeof(report));
}

struct open_request {
    size_t number;
    struct ims_compute_graph graph;
    struct ims_compute_session_options options;
    struct ims_device_id device;
    struct ims_compute_dim dims[CHILD_MAX_DIMS];
};

static bool read_open(const struct server *s, struct wire_reader *r, struct open_request *q)
{
    uint64_t flags;

    memset(q, 0, sizeof(*q));
    q->number = ims__wire_get_u64(r);
    q->options.label = ims__wire_get_str(r);
    q->device.kind = (ims_device_kind)ims__wire_get_u64(r);
    q->device.index = (unsigned)ims__wire_get_u64(r);
    q->options.device = &q->device;
    q->options.n_threads = (unsigned)ims__wire_get_u64(r);
    flags = ims__wire_get_u64(r);
    q->options.is_shape_fixed = flags & 1;
    q->options.no_cpu_fallback = flags & 2;
    q->options.no_optimisation = flags & 4;
    q->options.no_prepacking = flags & 8;
    q->options.keep_memory = flags & 16;
    q->options.n_dims = ims__wire_get_u64(r);
    for (size_t i = 0; i < q->options.n_dims && i < CHILD_MAX_DIMS; i++) {
        q->dims[i].symbol = ims__wire_get_str(r);
        q->dims[i].value = (int64_t)ims__wire_get_u64(r);
    }
    q->options.dims = q->dims;
    q->graph.external_dir = ims__wire_get_str(r);
    q->graph.path = ims__wire_get_str(r);
    q->graph.n_bytes = ims__wire_get_u64(r);
    if (!q->graph.path)
        q->graph.bytes = s->region.data;
    return !r->is_bad && s->ctx && q->number < CHILD_MAX_SESSIONS && !s->sessions[q->number] &&
           q->options.label && q->options.n_dims <= CHILD_MAX_DIMS &&
           (unsigned)q->device.kind < IMS_DEVICE_KINDS && q->graph.n_bytes <= s->region.bytes;
}

static void open_session(struct server *s, struct wire_reader *r, struct ims_buf *reply)
{
    struct open_request q;
    ims_err err = { .text = "" };
    void *impl = NULL;
    ims_status st;

    if (!read_open(s, r, &q)) {
        ims__wire_err(reply, bad_request(&err), &err);
        return;
    }
    impl = ims__zalloc(1, s->backend->session_size);
    if (!impl)
        st = ims_fail(&err, IMS_E_NOMEM, "child", 0, "allocating a session");
    else
        st = s->backend->session_open(s->ctx, impl, &q.graph, &q.options, &err);
    ims__wire_err(reply, st, &err);
    if (!st) {
        s->sessions[q.number] = impl;
        put_session(s, q.number, reply);
    } else if (impl) {
        s->backend->session_close(impl);
        ims__free(impl);
    }
}

static void close_session(struct server *s, struct wire_reader *r, struct ims_buf *reply)
{
    size_t number = ims__wire_get_u64(r);
    ims_err err = { .text = "" };
    bool is_there = number < CHILD_MAX_SESSIONS && s->sessions[number];

    if (is_there) {
        s->backend->session_close(s->sessions[number]);
        ims__free(s->sessions[number]);
        s->sessions[number] = NULL;
        ims__return_memory(); /* its weights */
    }
    ims__wire_err(reply, is_there ? IMS_OK : bad_request(&err), &err);
}

static void shrink_session(struct server *s, struct wire_reader *r, struct ims_buf *reply)
{
    size_t number = ims__wire_get_u64(r);
    bool can = number < CHILD_MAX_SESSIONS && s->sessions[number] && s->backend->session_shrink &&
               s->backend->session_shrink(s->sessions[number]);

    ims__wire_u64(reply, can);
}

/* ---- runs ---- */

struct run_request {
    size_t number, n_in, n_out;
    uint64_t free_from; /* the region from here on takes what the run allocates */
    struct ims_tensor in[IMS_MAX_PORTS], out[IMS_MAX_PORTS];
    struct ims_compute_binding bound_in[IMS_MAX_PORTS], bound_out[IMS_MAX_PORTS];
};

/* A tensor and where in the region it lies. */
static void read_place(const struct server *s, struct wire_reader *r, struct ims_tensor *t)
{
    uint64_t offset;

    ims__wire_get_tensor(r, t);
    offset = ims__wire_get_u64(r);
    if (r->is_bad || ims_tensor_measure(t, &t->bytes, NULL) || offset > s->region.bytes ||
        t->bytes > s->region.bytes - offset)
        r->is_bad = true;
    else
        t->data = s->region.data + offset;
}

static bool read_run(const struct server *s, struct wire_reader *r, struct run_request *q)
{
    memset(q, 0, sizeof(*q));
    q->number = ims__wire_get_u64(r);
    q->free_from = ims__wire_get_u64(r);
    q->n_in = ims__wire_get_u64(r);
    q->n_out = ims__wire_get_u64(r);
    if (r->is_bad || q->number >= CHILD_MAX_SESSIONS || !s->sessions[q->number] ||
        q->n_in > IMS_MAX_PORTS || q->n_out > IMS_MAX_PORTS || q->free_from > s->region.bytes)
        return false;
    for (size_t i = 0; i < q->n_in; i++) {
        q->bound_in[i] = (struct ims_compute_binding){ ims__wire_get_u64(r), &q->in[i] };
        read_place(s, r, &q->in[i]);
    }
    for (size_t i = 0; i < q->n_out; i++) {
        q->bound_out[i] = (struct ims_compute_binding){ ims__wire_get_u64(r), &q->out[i] };
        if (ims__wire_get_u64(r)) /* the caller brought memory */
            read_place(s, r, &q->out[i]);
    }
    return !r->is_bad;
}

/* Copies pending results into the region from offset on and tells where; without room, says how
 * many bytes they need and keeps them. */
static void put_pending(struct server *s, size_t offset, struct ims_buf *reply)
{
    uint64_t needed = 0, at = offset;

    for (size_t i = 0; i < s->n_pending; i++)
        needed += (s->pending[i].bytes + CHILD_ALIGNMENT - 1) / CHILD_ALIGNMENT * CHILD_ALIGNMENT;
    if (needed > s->region.bytes - offset) {
        ims__wire_u64(reply, needed);
        return;
    }
    ims__wire_u64(reply, 0);
    for (size_t i = 0; i < s->n_pending; i++) {
        struct ims_tensor *t = &s->pending[i];

        if (t->bytes)
            memcpy(s->region.data + at, t->data, t->bytes);
        ims__wire_tensor(reply, t);
        ims__wire_u64(reply, at);
        at += (t->bytes + CHILD_ALIGNMENT - 1) / CHILD_ALIGNMENT * CHILD_ALIGNMENT;
    }
    drop_pending(s);
}

static void run(struct server *s, struct wire_reader *r, struct ims_buf *reply)
{
    struct run_request q;
    ims_err err = { .text = "" };
    bool has_memory[IMS_MAX_PORTS];
    ims_status st;

    if (!read_run(s, r, &q)) {
        ims__wire_err(reply, bad_request(&err), &err);
        return;
    }
    for (size_t i = 0; i < q.n_out; i++)
        has_memory[i] = q.out[i].data != NULL;
    st = s->backend->session_run(s->sessions[q.number], q.bound_in, q.n_in, q.bound_out, q.n_out,
                                 &err);
    ims__wire_err(reply, st, &err);
    if (st)
        return;
    for (size_t i = 0; i < q.n_out; i++) {
        if (!has_memory[i])
            s->pending[s->n_pending++] = q.out[i];
    }
    put_pending(s, q.free_from, reply);
}

/* ---- the loop ---- */

static void answer(struct server *s, uint32_t kind, struct wire_reader *r, struct ims_buf *reply)
{
    ims_err err = { .text = "" };

    if (kind != CHILD_FETCH)
        drop_pending(s);
    switch (kind) {
    case CHILD_OPEN_RUNTIME:
        open_runtime(s, r, reply);
        break;
    case CHILD_OPEN:
        open_session(s, r, reply);
        break;
    case CHILD_CLOSE:
        close_session(s, r, reply);
        break;
    case CHILD_RUN:
        run(s, r, reply);
        break;
    case CHILD_FETCH:
        put_pending(s, 0, reply);
        break;
    case CHILD_PROBE_CUDA:
        probe_cuda(reply);
        break;
    case CHILD_PROBE_VULKAN:
        probe_vulkan(reply);
        break;
    case CHILD_SHRINK:
        shrink_session(s, r, reply);
        break;
    case CHILD_LOG:
        read_log(s, reply);
        break;
    default:
        ims__wire_err(reply, bad_request(&err), &err);
    }
}

static bool receive_all(void *p, size_t n, int *fd)
{
    char *at = p;

    while (n > 0) {
        ssize_t got = ims__frame_receive(CHILD_SOCKET, at, n, fd, true);

        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

/* One request; false at the end. */
static bool serve_one(struct server *s, struct ims_buf *body, struct ims_buf *reply)
{
    struct child_header h;
    struct wire_reader r;
    int fd = -1;
    bool is_good;

    ims__buf_clear(body);
    ims__buf_clear(reply);
    if (!receive_all(&h, sizeof(h), &fd) || h.magic != CHILD_MAGIC ||
        h.n_bytes > CHILD_MAX_BODY_BYTES || ims__buf_reserve(body, h.n_bytes) ||
        !receive_all(body->data, h.n_bytes, NULL))
        return false;
    is_good = (fd >= 0) == (h.region_bytes > 0) &&
              (fd < 0 || ims__child_region_map(&s->region, fd, h.region_bytes));
    if (fd >= 0)
        close(fd);
    if (!is_good || h.kind == CHILD_QUIT)
        return false;
    r = (struct wire_reader){ body->data, h.n_bytes, false };
    answer(s, h.kind, &r, reply);
    if (ims__buf_status(reply))
        return false;
    h = (struct child_header){ .magic = CHILD_MAGIC,
                               .kind = CHILD_REPLY,
                               .n_bytes = (uint32_t)reply->len };
    return ims__frame_send(CHILD_SOCKET, &h, reply->data, -1);
}

static void watch_parent(void *arg)
{
    (void)arg;
    for (;;) {
        struct pollfd p = { .fd = CHILD_SOCKET, .events = 0 };

        if (poll(&p, 1, -1) > 0 && p.revents)
            _exit(0); /* whatever the other threads are in the middle of */
    }
}

static int serve(const struct ims_compute_backend *backend)
{
    struct server s = { .backend = backend ? backend : &ims__compute_ort };
    struct ims_thread watcher = { .is_running = false };
    struct ims_buf body, reply;
    struct stat st;
    ims_err err;

    ims__keep_memory(CHILD_KEPT_BYTES);
    if (fstat(CHILD_SOCKET, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        fprintf(stderr, "%s is how this program starts its own helpers\n", CHILD_ARGUMENT);
        return ims_status_exit(IMS_E_USAGE);
    }
    if (fcntl(CHILD_SOCKET, F_SETFD, FD_CLOEXEC) != 0 ||
        ims__thread_start(&watcher, "ims-watch", watch_parent, NULL, &err))
        return ims_status_exit(IMS_E_INTERNAL);
    /* Ctrl-C reaches every process of the terminal; the parent decides when this one ends. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    while (serve_one(&s, &body, &reply))
        ;
    drop_pending(&s);
    end_sessions(&s);
    _exit(0); /* without the exit handlers of drivers, some of which abort */
}

/* ---- the door ---- */

static bool is_possible;
static char program[64];
static char executable[IMS_MAX_PATH_BYTES];

bool ims__child_is_possible(void)
{
    return is_possible;
}

const char *ims__child_executable(void)
{
    return executable;
}

const char *ims__child_program(void)
{
    return program;
}

static bool find_executable(const char *argv0)
{
#if defined(__linux__)
    (void)argv0;
    snprintf(executable, sizeof(executable), "/proc/self/exe");
    return true;
#elif defined(__APPLE__)
    uint32_t size = sizeof(executable);

    (void)argv0;
    return _NSGetExecutablePath(executable, &size) == 0;
#else
    snprintf(executable, sizeof(executable), "%s", argv0);
    return strchr(argv0, '/') != NULL;
#endif
}

bool ims_compute_child_main(int argc, char **argv, const struct ims_compute_backend *backend,
                            int *out_exit)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

    if (argc == 3 && strcmp(argv[1], CHILD_ARGUMENT) == 0) {
        *out_exit = serve(backend);
        return true;
    }
    if (argc > 0) {
        snprintf(program, sizeof(program), "%s", slash ? slash + 1 : argv[0]);
        is_possible = find_executable(argv[0]);
    }
    return false;
}
