/* The backend that decides where a session lives: here, with the inner backend, or in a child.
 *
 * One child per device, started by the device's first session. When a child dies all its sessions
 * are dead; the next session that is opened on the device starts another.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_split.h"

#include <stdio.h>
#include <string.h>

#define LOG_MS 2000
#define MAX_PORT_TEXT_BYTES IMS_MIB

/* ---- context ---- */

static ims_status split_open(void *ctx, const struct ims_compute_backend_options *options,
                             ims_err *err)
{
    struct split *s = ctx;
    struct ims_compute_backend_options inner = *options;
    struct ims_compute_info *info;
    ims_status st;

    s->arg = options->arg;
    s->gpu_mem_limit_bytes = options->gpu_mem_limit_bytes;
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

static void split_close(void *ctx)
{
    struct split *s = ctx;

    for (struct child *c = s->children, *next; c; c = next) {
        next = c->next;
        ims__split_free_child(c);
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
    if (!ims__split_goes_to_child(s, options->device)) {
        ss->inner = ims__zalloc(1, inner->session_size);
        if (!ss->inner)
            return ims_fail(err, IMS_E_NOMEM, "child", 0, "allocating a session");
        return inner->session_open(s->inner, ss->inner, graph, options, err);
    }
    st = ims__split_take_child(s, *options->device, &ss->child, &was_running, err);
    if (!st)
        st = ims__split_open_there(ss, graph, options, err);
    if (st != IMS_E_DEVICE || !was_running || !ss->child->is_dead)
        return st;
    /* It had ended before, unnoticed: that is nothing against the device. */
    ims__split_give_child(s, ss->child);
    ss->child = NULL;
    ss->number = 0;
    st = ims__split_take_child(s, *options->device, &ss->child, &was_running, err);
    return st ? st : ims__split_open_there(ss, graph, options, err);
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
            ims__split_close_there(ss);
        ims__split_give_child(ss->ctx, ss->child);
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

static ims_status split_session_run(void *session, const struct ims_compute_binding *in,
                                    size_t n_in, const struct ims_compute_binding *out,
                                    size_t n_out, ims_err *err)
{
    struct split_session *ss = session;

    return ss->inner ? ss->ctx->arg->inner->session_run(ss->inner, in, n_in, out, n_out, err)
                     : ims__split_run_there(ss, in, n_in, out, n_out, err);
}

static bool split_session_shrink(void *session)
{
    struct split_session *ss = session;
    const struct ims_compute_backend *inner = ss->ctx->arg->inner;

    if (!ss->inner)
        return ims__split_shrink_there(ss);
    return inner->session_shrink && inner->session_shrink(ss->inner);
}

static bool split_wants_static_shapes(void *ctx, ims_device_kind kind)
{
    const struct split *s = ctx;
    const struct ims_compute_backend *inner = s->arg->inner;

    return inner->wants_static_shapes && inner->wants_static_shapes(s->inner, kind);
}

static bool split_compiles_shapes(void *ctx, ims_device_kind kind)
{
    const struct split *s = ctx;
    const struct ims_compute_backend *inner = s->arg->inner;

    return inner->compiles_shapes && inner->compiles_shapes(s->inner, kind);
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
    .probe_cuda = ims__split_probe_cuda,
    .probe_vulkan = ims__split_probe_vulkan,
    .session_shrink = split_session_shrink,
    .wants_static_shapes = split_wants_static_shapes,
    .compiles_shapes = split_compiles_shapes,
    .watch_cuda = ims__split_watch_cuda,
};
