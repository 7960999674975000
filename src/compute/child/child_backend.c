/* The backend that decides where a session lives: here, with the inner backend, or in a child.
 *
 * One child per device, started by the device's first session. When a child dies all its sessions
 * are dead; the next session that is opened on the device starts another.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_internal.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define START_MS 120000 /* loading the runtime from a cold disk */
#define CLOSE_MS 30000
#define LOG_MS 2000
#define MAX_PORT_TEXT_BYTES IMS_MIB

struct split {
    const struct ims_child_arg *arg;
    void *inner; /* the inner backend's context */
    bool has_lock, has_log;
    struct ims_lock lock; /* guards children and their n_sessions */
    struct child *children;
    struct ims_log_ring log;
    char *runtime_path; /* the file that is loaded here */
    char *cache_dir;
};

struct split_session {
    struct split *ctx;
    void *inner;         /* here, or */
    struct child *child; /* there, under */
    size_t number;
    bool is_open;
    unsigned run_timeout_ms;
    struct ims_arena texts;
    struct ims_compute_port inputs[IMS_MAX_PORTS], outputs[IMS_MAX_PORTS];
    size_t n_inputs, n_outputs;
    struct ims_compute_report report;
};

/* ---- context ---- */

static ims_status split_open(void *ctx, const struct ims_compute_backend_options *options,
                             ims_err *err)
{
    struct split *s = ctx;
    struct ims_compute_backend_options inner = *options;
    struct ims_compute_info *info;
    ims_status st;

    s->arg = options->arg;
    inner.arg = s->arg->inner_arg;
    s->has_lock = ims__lock_init(&s->lock) == IMS_OK;
    s->has_log = ims__lock_init(&s->log.lock) == IMS_OK;
    s->inner = ims__zalloc(1, s->arg->inner->ctx_size);
    s->cache_dir = ims__strdup(options->cache_dir);
    info = ims__zalloc(1, sizeof(*info));
    if (!s->has_lock || !s->has_log || !s->inner || !info || (options->cache_dir && !s->cache_dir))
        st = ims_fail(err, IMS_E_NOMEM, "child", 0, "allocating the runtime's context");
    else
        st = s->arg->inner->open(s->inner, &inner, err);
    if (!st) {
        s->arg->inner->describe(s->inner, info);
        s->runtime_path = ims__strdup(info->runtime_path);
        if (!s->runtime_path)
            st = ims_fail(err, IMS_E_NOMEM, "child", 0, "copying a path");
    }
    ims__free(info);
    return st;
}

static void free_child(struct child *c)
{
    ims__child_stop(c);
    if (c->has_lock)
        ims__lock_release(&c->lock);
    ims__free(c);
}

static void split_close(void *ctx)
{
    struct split *s = ctx;

    for (struct child *c = s->children, *next; c; c = next) {
        next = c->next;
        free_child(c);
    }
    if (s->inner)
        s->arg->inner->close(s->inner);
    ims__free(s->inner);
    ims__free(s->runtime_path);
    ims__free(s->cache_dir);
    if (s->has_log)
        ims__lock_release(&s->log.lock);
    if (s->has_lock)
        ims__lock_release(&s->lock);
}

static void split_describe(void *ctx, struct ims_compute_info *out)
{
    struct split *s = ctx;

    s->arg->inner->describe(s->inner, out);
}

/* What this process's runtime said, what children printed, what living children's runtimes said. */
static size_t split_log_tail(void *ctx, char *out, size_t size)
{
    struct split *s = ctx;
    struct ims_buf body, reply;
    size_t n = 0;

    if (s->arg->inner->log_tail)
        n = s->arg->inner->log_tail(s->inner, out, size);
    n += ims__log_ring_tail(&s->log, out + n, size - n);
    ims__buf_init(&body, 1);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    ims__lock(&s->lock);
    for (struct child *c = s->children; c; c = c->next) {
        ims__lock(&c->lock);
        if (!c->is_dead && c->pid &&
            !ims__child_ask(c, CHILD_LOG, &body, -1, LOG_MS, &reply, NULL)) {
            struct wire_reader r = { reply.data, reply.len, false };
            const char *text = ims__wire_get_str(&r);

            if (text && n + 1 < size) {
                snprintf(out + n, size - n, "%s", text);
                n += strlen(out + n);
            }
        }
        ims__unlock(&c->lock);
    }
    ims__unlock(&s->lock);
    ims__buf_release(&reply);
    ims__buf_release(&body);
    return n;
}

/* ---- which child ---- */

static bool goes_to_child(const struct split *s, const struct ims_device_id *device)
{
    return s->arg->isolation == IMS_ISOLATE_ALWAYS || device->kind != IMS_DEVICE_CPU;
}

/* Both with the context's lock held. */
static void drop_dead(struct split *s)
{
    for (struct child **at = &s->children; *at;) {
        struct child *c = *at;

        if (!c->is_dead || c->n_sessions > 0) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        free_child(c);
    }
}

static struct child *find_child(struct split *s, struct ims_device_id device)
{
    for (struct child *c = s->children; c; c = c->next) {
        if (!c->is_dead && ims_device_id_equal(c->device, device))
            return c;
    }
    return NULL;
}

/* Returns it with a session counted; it may not be started yet: then not *out_is_running. */
static ims_status take_child(struct split *s, struct ims_device_id device, struct child **out,
                             bool *out_is_running, ims_err *err)
{
    struct child *c;
    ims_status st = IMS_OK;

    ims__lock(&s->lock);
    drop_dead(s);
    c = find_child(s, device);
    *out_is_running = c != NULL;
    if (!c) {
        c = ims__zalloc(1, sizeof(*c));
        if (!c || ims__lock_init(&c->lock) != IMS_OK) {
            ims__free(c);
            st = ims_fail(err, IMS_E_NOMEM, "child", 0, "allocating a process");
            goto out;
        }
        c->has_lock = true;
        c->device = device;
        c->sock = c->stderr_fd = -1;
        c->log = &s->log;
        ims_device_id_name(device, c->name);
        c->next = s->children;
        s->children = c;
    }
    c->n_sessions++;
    *out = c;
out:
    ims__unlock(&s->lock);
    return st;
}

static void give_child(struct split *s, struct child *c)
{
    ims__lock(&s->lock);
    c->n_sessions--;
    drop_dead(s);
    ims__unlock(&s->lock);
}

/* With the child's lock held. */
static ims_status need_started(struct split *s, struct child *c, struct ims_buf *reply,
                               ims_err *err)
{
    struct wire_reader r;
    struct ims_buf body;
    ims_status st;

    if (c->pid || c->is_dead)
        return IMS_OK;
    st = ims__child_start(c, err);
    if (st)
        return st;
    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__wire_str(&body, s->runtime_path);
    ims__wire_str(&body, s->cache_dir);
    st = ims__child_ask(c, CHILD_OPEN_RUNTIME, &body, -1, START_MS, reply, err);
    ims__buf_release(&body);
    if (st)
        return st;
    r = (struct wire_reader){ reply->data, reply->len, false };
    st = ims__wire_get_err(&r, err);
    if (st)
        ims__child_kill(c, "it could not load the runtime");
    return st;
}

/* The driver is started where cuda:0 will live. A driver that does not come back is none. */
static void split_probe_cuda(void *ctx, struct ims_cuda_facts *out)
{
    struct split *s = ctx;
    struct ims_device_id id = { IMS_DEVICE_CUDA, 0 };
    struct ims_buf body, reply;
    struct child *c = NULL;
    bool is_running;
    ims_err err = { .text = "" };
    ims_status st;

    memset(out, 0, sizeof(*out));
    if (!ims_device_has_cuda_driver())
        return;
    ims__buf_init(&body, 1);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    st = take_child(s, id, &c, &is_running, &err);
    if (!st) {
        struct wire_reader r = { NULL, 0, true };

        ims__lock(&c->lock);
        st = need_started(s, c, &reply, &err);
        if (!st)
            st = ims__child_ask(c, CHILD_PROBE_CUDA, &body, -1, START_MS, &reply, &err);
        if (!st)
            r = (struct wire_reader){ reply.data, reply.len, false };
        ims__wire_get_raw(&r, out, sizeof(*out));
        ims__unlock(&c->lock);
        give_child(s, c);
    }
    if (st) {
        out->has_driver = true;
        snprintf(out->problem, sizeof(out->problem), "%.250s", err.text);
    }
    ims__buf_release(&reply);
    ims__buf_release(&body);
}

/* ---- opening there ---- */

static void put_open(struct ims_buf *b, const struct split_session *ss,
                     const struct ims_compute_graph *graph,
                     const struct ims_compute_session_options *o)
{
    ims__wire_u64(b, ss->number);
    ims__wire_str(b, o->label);
    ims__wire_u64(b, (uint64_t)o->device->kind);
    ims__wire_u64(b, o->device->index);
    ims__wire_u64(b, o->n_threads);
    ims__wire_u64(b, (o->is_shape_fixed ? 1u : 0) | (o->no_cpu_fallback ? 2u : 0) |
                         (o->no_optimisation ? 4u : 0) | (o->no_prepacking ? 8u : 0));
    ims__wire_u64(b, o->n_dims);
    for (size_t i = 0; i < o->n_dims; i++) {
        ims__wire_str(b, o->dims[i].symbol);
        ims__wire_u64(b, (uint64_t)o->dims[i].value);
    }
    ims__wire_str(b, graph->external_dir);
    ims__wire_str(b, graph->path);
    ims__wire_u64(b, graph->path ? 0 : graph->n_bytes);
}

static const char *keep(struct split_session *ss, struct wire_reader *r)
{
    const char *s = ims__wire_get_str(r);
    const char *kept = s ? ims__arena_strndup(&ss->texts, s, strlen(s)) : NULL;

    if (!kept)
        r->is_bad = true;
    return kept;
}

static void get_ports(struct split_session *ss, struct wire_reader *r,
                      struct ims_compute_port *ports, size_t n)
{
    for (size_t i = 0; i < n && !r->is_bad; i++) {
        struct ims_compute_port *p = &ports[i];

        p->name = keep(ss, r);
        p->dtype = (ims_dtype)ims__wire_get_u64(r);
        p->rank = (unsigned)ims__wire_get_u64(r);
        if (p->rank > IMS_MAX_TENSOR_RANK)
            r->is_bad = true;
        for (unsigned k = 0; k < p->rank && !r->is_bad; k++) {
            p->shape[k] = (int64_t)ims__wire_get_u64(r);
            p->symbol[k] = keep(ss, r);
        }
    }
}

static ims_status get_opened(struct split_session *ss, const struct ims_buf *reply, ims_err *err)
{
    struct wire_reader r = { reply->data, reply->len, false };
    ims_status st = ims__wire_get_err(&r, err);

    if (st)
        return st;
    ss->is_open = true;
    ss->child->sessions |= (uint64_t)1 << ss->number;
    ss->n_inputs = ims__wire_get_u64(&r);
    ss->n_outputs = ims__wire_get_u64(&r);
    if (ss->n_inputs > IMS_MAX_PORTS || ss->n_outputs > IMS_MAX_PORTS)
        r.is_bad = true;
    get_ports(ss, &r, ss->inputs, ss->n_inputs);
    get_ports(ss, &r, ss->outputs, ss->n_outputs);
    ims__wire_get_raw(&r, &ss->report, sizeof(ss->report));
    return r.is_bad ? ims_fail(err, IMS_E_INTERNAL, "child", 0, "the answer makes no sense")
                    : IMS_OK;
}

static ims_status open_there(struct split_session *ss, const struct ims_compute_graph *graph,
                             const struct ims_compute_session_options *o, ims_err *err)
{
    struct child *c = ss->child;
    struct ims_buf body, reply;
    int fd = -1;
    ims_status st;

    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    ims__lock(&c->lock);
    st = need_started(ss->ctx, c, &reply, err);
    while (ss->number < CHILD_MAX_SESSIONS && (c->sessions >> ss->number & 1))
        ss->number++;
    if (!st && ss->number == CHILD_MAX_SESSIONS)
        st = ims_fail(err, IMS_E_LIMIT, "child", 0, "%s has %d sessions already", c->name,
                      CHILD_MAX_SESSIONS);
    if (!st && o->n_dims > CHILD_MAX_DIMS)
        st = ims_fail(err, IMS_E_LIMIT, "child", 0, "%zu dimensions are fixed, at most %d can be",
                      o->n_dims, CHILD_MAX_DIMS);
    if (!st && !graph->path && !c->is_dead) {
        st = ims__child_need_region(c, graph->n_bytes, &fd, err);
        if (!st)
            memcpy(c->region.data, graph->bytes, graph->n_bytes);
    }
    if (!st) {
        put_open(&body, ss, graph, o);
        st = ims__child_ask(c, CHILD_OPEN, &body, fd, o->open_timeout_ms, &reply, err);
    }
    if (!st)
        st = get_opened(ss, &reply, err);
    ims__unlock(&c->lock);
    ims__buf_release(&reply);
    ims__buf_release(&body);
    return st;
}

/* ---- sessions ---- */

static ims_status split_session_open(void *ctx, void *session,
                                     const struct ims_compute_graph *graph,
                                     const struct ims_compute_session_options *options,
                                     ims_err *err)
{
    struct split *s = ctx;
    struct split_session *ss = session;
    const struct ims_compute_backend *inner = s->arg->inner;
    bool was_running = false;
    ims_status st;

    ss->ctx = s;
    ss->run_timeout_ms = options->run_timeout_ms;
    ims__arena_init(&ss->texts, MAX_PORT_TEXT_BYTES);
    if (!goes_to_child(s, options->device)) {
        ss->inner = ims__zalloc(1, inner->session_size);
        if (!ss->inner)
            return ims_fail(err, IMS_E_NOMEM, "child", 0, "allocating a session");
        return inner->session_open(s->inner, ss->inner, graph, options, err);
    }
    st = take_child(s, *options->device, &ss->child, &was_running, err);
    if (!st)
        st = open_there(ss, graph, options, err);
    if (st != IMS_E_DEVICE || !was_running || !ss->child->is_dead)
        return st;
    /* It had ended before, unnoticed: that is nothing against the device. */
    give_child(s, ss->child);
    ss->child = NULL;
    ss->number = 0;
    st = take_child(s, *options->device, &ss->child, &was_running, err);
    return st ? st : open_there(ss, graph, options, err);
}

static void close_there(struct split_session *ss)
{
    struct child *c = ss->child;
    struct ims_buf body, reply;

    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    ims__wire_u64(&body, ss->number);
    ims__lock(&c->lock);
    if (!c->is_dead && ims__child_ask(c, CHILD_CLOSE, &body, -1, CLOSE_MS, &reply, NULL) == IMS_OK)
        c->sessions &= ~((uint64_t)1 << ss->number); /* otherwise the process is gone */
    ims__unlock(&c->lock);
    ims__buf_release(&reply);
    ims__buf_release(&body);
}

static void split_session_close(void *session)
{
    struct split_session *ss = session;

    if (!ss->ctx)
        return;
    if (ss->inner) {
        ss->ctx->arg->inner->session_close(ss->inner);
        ims__free(ss->inner);
    }
    if (ss->child) {
        if (ss->is_open)
            close_there(ss);
        give_child(ss->ctx, ss->child);
    }
    ims__arena_release(&ss->texts);
}

/* The device may be in any state: the whole process goes, with its other sessions. */
static void split_session_discard(void *session)
{
    struct split_session *ss = session;

    if (ss->child) {
        ims__lock(&ss->child->lock);
        ims__child_kill(ss->child, "its device misbehaved");
        ims__unlock(&ss->child->lock);
    }
    split_session_close(session);
}

static void split_session_ports(const void *session, struct ims_compute_ports *out)
{
    const struct split_session *ss = session;

    if (ss->inner)
        ss->ctx->arg->inner->session_ports(ss->inner, out);
    else
        *out = (struct ims_compute_ports){ ss->n_inputs, ss->n_outputs, ss->inputs, ss->outputs };
}

static void split_session_report(const void *session, struct ims_compute_report *out)
{
    const struct split_session *ss = session;

    if (ss->inner)
        ss->ctx->arg->inner->session_report(ss->inner, out);
    else
        *out = ss->report;
}

/* ---- runs there ---- */

struct layout {
    size_t in[IMS_MAX_PORTS], out[IMS_MAX_PORTS]; /* offsets in the region */
    size_t in_bytes[IMS_MAX_PORTS], out_bytes[IMS_MAX_PORTS];
    size_t end;
};

static ims_status place(size_t *end, const struct ims_tensor *t, size_t *out_offset,
                        size_t *out_bytes, ims_err *err)
{
    ims_status st = ims_tensor_measure(t, out_bytes, err);
    size_t next;

    if (st)
        return st;
    *out_offset = *end;
    if (!ims__add_size(*end, *out_bytes, &next) || !ims__add_size(next, CHILD_ALIGNMENT - 1, &next))
        return ims_fail(err, IMS_E_LIMIT, "child", 0, "the tensors are too large to address");
    *end = next / CHILD_ALIGNMENT * CHILD_ALIGNMENT;
    return IMS_OK;
}

static ims_status lay_out(struct layout *l, const struct ims_compute_binding *in, size_t n_in,
                          const struct ims_compute_binding *out, size_t n_out, ims_err *err)
{
    ims_status st = IMS_OK;

    l->end = 0;
    for (size_t i = 0; !st && i < n_in; i++)
        st = place(&l->end, in[i].tensor, &l->in[i], &l->in_bytes[i], err);
    for (size_t i = 0; !st && i < n_out; i++) {
        if (out[i].tensor->data)
            st = place(&l->end, out[i].tensor, &l->out[i], &l->out_bytes[i], err);
    }
    return st;
}

static void put_run(struct ims_buf *b, const struct split_session *ss, const struct layout *l,
                    const struct ims_compute_binding *in, size_t n_in,
                    const struct ims_compute_binding *out, size_t n_out)
{
    ims__wire_u64(b, ss->number);
    ims__wire_u64(b, l->end);
    ims__wire_u64(b, n_in);
    ims__wire_u64(b, n_out);
    for (size_t i = 0; i < n_in; i++) {
        ims__wire_u64(b, in[i].port);
        ims__wire_tensor(b, in[i].tensor);
        ims__wire_u64(b, l->in[i]);
    }
    for (size_t i = 0; i < n_out; i++) {
        ims__wire_u64(b, out[i].port);
        ims__wire_u64(b, out[i].tensor->data != NULL);
        if (out[i].tensor->data) {
            ims__wire_tensor(b, out[i].tensor);
            ims__wire_u64(b, l->out[i]);
        }
    }
}

/* The results that the child allocated, out of the region into fresh memory. */
static ims_status take_results(struct child *c, struct wire_reader *r,
                               const struct ims_compute_binding *out, size_t n_out, ims_err *err)
{
    struct ims_tensor fresh[IMS_MAX_PORTS] = { { .dtype = IMS_DTYPE_NONE } };
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n_out; i++) {
        size_t bytes = 0;
        uint64_t offset;

        if (out[i].tensor->data)
            continue;
        ims__wire_get_tensor(r, &fresh[i]);
        offset = ims__wire_get_u64(r);
        if (r->is_bad || ims_tensor_measure(&fresh[i], &bytes, NULL) || offset > c->region.bytes ||
            bytes > c->region.bytes - offset)
            st = ims_fail(err, IMS_E_INTERNAL, "child", 0, "the answer makes no sense");
        else
            st = ims_tensor_alloc(&fresh[i], err);
        if (!st)
            memcpy(fresh[i].data, c->region.data + offset, bytes);
    }
    for (size_t i = 0; i < n_out; i++) {
        if (st)
            ims_tensor_release(&fresh[i]);
        else if (!out[i].tensor->data)
            *out[i].tensor = fresh[i];
    }
    return st;
}

static ims_status fetch(struct split_session *ss, size_t bytes, struct ims_buf *body,
                        struct ims_buf *reply, ims_err *err)
{
    int fd = -1;
    ims_status st = ims__child_need_region(ss->child, bytes, &fd, err);

    ims__buf_clear(body);
    if (!st)
        st = ims__child_ask(ss->child, CHILD_FETCH, body, fd, ss->run_timeout_ms, reply, err);
    return st;
}

/* With the child's lock held. */
static ims_status run_there(struct split_session *ss, const struct ims_compute_binding *in,
                            size_t n_in, const struct ims_compute_binding *out, size_t n_out,
                            struct ims_buf *body, struct ims_buf *reply, ims_err *err)
{
    struct child *c = ss->child;
    struct wire_reader r;
    struct layout l;
    int fd = -1;
    size_t more;
    ims_status st = lay_out(&l, in, n_in, out, n_out, err);

    if (!st && !c->is_dead)
        st = ims__child_need_region(c, l.end, &fd, err);
    for (size_t i = 0; !st && !c->is_dead && i < n_in; i++)
        memcpy(c->region.data + l.in[i], in[i].tensor->data, l.in_bytes[i]);
    if (st)
        return st;
    put_run(body, ss, &l, in, n_in, out, n_out);
    st = ims__child_ask(c, CHILD_RUN, body, fd, ss->run_timeout_ms, reply, err);
    if (st)
        return st;
    r = (struct wire_reader){ reply->data, reply->len, false };
    st = ims__wire_get_err(&r, err);
    if (st)
        return st;
    for (size_t i = 0; i < n_out; i++) {
        if (out[i].tensor->data)
            memcpy(out[i].tensor->data, c->region.data + l.out[i], l.out_bytes[i]);
    }
    more = ims__wire_get_u64(&r);
    if (more) {
        st = fetch(ss, more, body, reply, err);
        r = (struct wire_reader){ reply->data, reply->len, false };
        if (!st && ims__wire_get_u64(&r) != 0)
            st = ims_fail(err, IMS_E_INTERNAL, "child", 0, "the answer makes no sense");
    }
    return st ? st : take_results(c, &r, out, n_out, err);
}

static ims_status split_session_run(void *session, const struct ims_compute_binding *in,
                                    size_t n_in, const struct ims_compute_binding *out,
                                    size_t n_out, ims_err *err)
{
    struct split_session *ss = session;
    struct ims_buf body, reply;
    ims_status st;

    if (ss->inner)
        return ss->ctx->arg->inner->session_run(ss->inner, in, n_in, out, n_out, err);
    ims__buf_init(&body, CHILD_MAX_BODY_BYTES);
    ims__buf_init(&reply, CHILD_MAX_BODY_BYTES);
    ims__lock(&ss->child->lock);
    st = run_there(ss, in, n_in, out, n_out, &body, &reply, err);
    ims__unlock(&ss->child->lock);
    ims__buf_release(&reply);
    ims__buf_release(&body);
    return st;
}

const struct ims_compute_backend ims__compute_split = {
    .abi = IMS_COMPUTE_ABI,
    .name = "split",
    .ctx_size = sizeof(struct split),
    .session_size = sizeof(struct split_session),
    .open = split_open,
    .close = split_close,
    .describe = split_describe,
    .log_tail = split_log_tail,
    .session_open = split_session_open,
    .session_close = split_session_close,
    .session_ports = split_session_ports,
    .session_report = split_session_report,
    .session_run = split_session_run,
    .session_discard = split_session_discard,
    .probe_cuda = split_probe_cuda,
};
