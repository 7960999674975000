/* Opens a session: options, provider, graph; then reads back where its nodes went.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/graph_inline.h"
#include "compute/ort/ort_internal.h"
#include "kernels/kernels.h"

#include <stdio.h>

static ims_status set_entry(struct ort_impl *s, const char *key, const char *value, ims_err *err)
{
    return ims__ort_fail(s->rt, s->rt->api.AddSessionConfigEntry(s->options, key, value),
                         IMS_E_RUNTIME, err, "setting %s", key);
}

/* Waiting threads sleep instead of spinning: the cores belong to decoding meanwhile. */
static ims_status set_threads(struct ort_impl *s, const struct ims_compute_session_options *o,
                              ims_err *err)
{
    const struct ort_api *api = &s->rt->api;
    int n = o->n_threads > 512 ? 512 : (int)o->n_threads;
    ims_status st;

    st = ims__ort_fail(s->rt, api->SetIntraOpNumThreads(s->options, n), IMS_E_RUNTIME, err,
                       "setting %d threads", n);
    if (!st)
        st = ims__ort_fail(s->rt, api->SetInterOpNumThreads(s->options, 1), IMS_E_RUNTIME, err,
                           "setting threads between operators");
    if (!st)
        st = ims__ort_fail(s->rt, api->SetSessionExecutionMode(s->options, ORT_SEQUENTIAL),
                           IMS_E_RUNTIME, err, "setting the order of operators");
    if (!st)
        st = set_entry(s, "session.intra_op.allow_spinning", "0", err);
    if (!st)
        st = set_entry(s, "session.inter_op.allow_spinning", "0", err);
    if (!st)
        st = set_entry(s, "session.set_denormal_as_zero", "1", err);
    return st;
}

/* The arena keeps the largest batch ever seen and rounds weights up to powers of two; without it
 * memory follows the batch, at the same speed. A memory pattern is kept per input shape and never
 * dropped: only for runs of one shape. */
static ims_status set_memory(struct ort_impl *s, const struct ims_compute_session_options *o,
                             ims_err *err)
{
    ims_status st = IMS_OK;

    if (!o->keep_memory)
        st = ims__ort_fail(s->rt, s->rt->api.DisableCpuMemArena(s->options), IMS_E_RUNTIME, err,
                           "setting memory use");

    if (!st && !o->is_shape_fixed)
        st = ims__ort_fail(s->rt, s->rt->api.DisableMemPattern(s->options), IMS_E_RUNTIME, err,
                           "setting memory use");
    return st;
}

static ims_status set_graph(struct ort_impl *s, const struct ims_compute_graph *graph,
                            const struct ims_compute_session_options *o, ims_err *err)
{
    const struct ort_api *api = &s->rt->api;
    ims_status st;

    st = ims__ort_fail(s->rt,
                       api->SetSessionGraphOptimizationLevel(
                           s->options, o->no_optimisation ? ORT_OPTIMISE_NONE : ORT_OPTIMISE_ALL),
                       IMS_E_RUNTIME, err, "setting the optimisation");
    for (size_t i = 0; !st && i < o->n_dims; i++)
        st = ims__ort_fail(
            s->rt,
            api->AddFreeDimensionOverrideByName(s->options, o->dims[i].symbol, o->dims[i].value),
            IMS_E_INVALID, err, "fixing the dimension %.64s", o->dims[i].symbol);
    if (!st && graph->external_dir)
        st = set_entry(s, "session.model_external_initializers_file_folder_path",
                       graph->external_dir, err);
    if (!st && s->rt->minor >= 24)
        st = set_entry(s, "session.record_ep_graph_assignment_info", "1", err);
    /* 8-bit products with signed weights overflow in 16 bits on processors without VNNI; this makes
     * such processors take the slower kernel that does not. The runtime does not look itself: on one with
     * VNNI the entry would cost two thirds of the speed. */
    if (!st && ims__cpu_i8_overflows())
        st = set_entry(s, "session.x64quantprecision", "1", err);
    if (!st && o->no_prepacking)
        st = set_entry(s, "session.disable_prepacking", "1", err);
    if (!st && o->no_cpu_fallback && o->device->kind != IMS_DEVICE_CPU)
        st = set_entry(s, "session.disable_cpu_ep_fallback", "1", err);
    return st;
}

static ims_status make_options(struct ort_impl *s, const struct ort_ctx *ctx,
                               const struct ims_compute_graph *graph,
                               const struct ims_compute_session_options *o, ims_err *err)
{
    const struct ort_api *api = &s->rt->api;
    ims_status st;

    st = ims__ort_fail(s->rt, api->CreateSessionOptions(&s->options), IMS_E_RUNTIME, err,
                       "creating options");
    if (!st)
        st = ims__ort_fail(s->rt, api->SetSessionLogId(s->options, o->label), IMS_E_RUNTIME, err,
                           "naming the session");
    if (!st)
        st = ims__ort_fail(s->rt, api->SetSessionLogSeverityLevel(s->options, ORT_LOG_WARNING),
                           IMS_E_RUNTIME, err, "setting the log level");
    if (!st && o->device->kind != IMS_DEVICE_CPU)
        st = ims__ort_placement_listen(s, err);
    if (!st)
        st = set_threads(s, o, err);
    if (!st)
        st = set_memory(s, o, err);
    if (!st)
        st = set_graph(s, graph, o, err);
    if (!st)
        st = ims__ort_append_provider(ctx, s->options, o, err);
    return st;
}

/* Runs log errors only: a graph that declares its output shapes wrongly (InsightFace packs do)
 * would warn at every run. */
static ims_status make_run_options(struct ort_impl *s, ort_run_options **out, ims_err *err)
{
    ims_status st = ims__ort_fail(s->rt, s->rt->api.CreateRunOptions(out), IMS_E_RUNTIME, err,
                                  "creating run options");

    if (!st)
        st = ims__ort_fail(s->rt, s->rt->api.RunOptionsSetRunLogSeverityLevel(*out, ORT_LOG_ERROR),
                           IMS_E_RUNTIME, err, "setting the log level of runs");
    return st;
}

/* NVIDIA's providers keep an arena that never shrinks by itself. That a run shall shrink it is an
 * option of the run; as one of the session it does nothing. */
static ims_status make_shrinking(struct ort_impl *s, ims_err *err)
{
    struct ims_device_id id = s->report.device;
    char arena[16];
    ims_status st;

    if (id.kind != IMS_DEVICE_CUDA && id.kind != IMS_DEVICE_TENSORRT)
        return IMS_OK;
    st = make_run_options(s, &s->shrinking, err);
    snprintf(arena, sizeof(arena), "gpu:%u", id.index);
    return st ? st
              : ims__ort_fail(s->rt,
                              s->rt->api.AddRunConfigEntry(
                                  s->shrinking, "memory.enable_memory_arena_shrinkage", arena),
                              IMS_E_RUNTIME, err, "setting memory use of runs");
}

bool ims__ort_session_shrink(void *session)
{
    struct ort_impl *s = session;

    s->does_shrink = s->shrinking != NULL;
    return s->does_shrink;
}

static ims_status create(struct ort_impl *s, const struct ims_compute_graph *graph,
                         const struct ims_compute_session_options *o, ims_err *err)
{
    const struct ort_api *api = &s->rt->api;
    bool is_cpu = o->device->kind == IMS_DEVICE_CPU;
    ort_status *status;
    ims_status st;

    status = graph->path ? api->CreateSession(s->rt->env, graph->path, s->options, &s->session)
                         : api->CreateSessionFromArray(s->rt->env, graph->bytes, graph->n_bytes,
                                                       s->options, &s->session);
    st = ims__ort_fail(s->rt, status, is_cpu ? IMS_E_MODEL : IMS_E_DEVICE, err,
                       "%.80s: opening on %s", o->label, ims_device_kind_name(o->device->kind));
    /* From memory, a missing file can only be one of weights, which is the model's fault. */
    if (st == IMS_E_NOT_FOUND && graph->bytes)
        st = ims_fail_in(err, IMS_E_MODEL, "a file of weights is missing");
    return st;
}

/* The same, with the weights in the graph. */
static ims_status create_whole(struct ort_impl *s, const struct ims_compute_graph *graph,
                               const struct ims_compute_session_options *o, ims_err *err)
{
    struct ims_compute_graph whole = { .bytes = NULL };
    struct ims_buf bytes;
    ims_status st = ims__graph_inline(graph->bytes, graph->n_bytes, graph->external_dir, &bytes, err);

    whole.bytes = bytes.data;
    whole.n_bytes = bytes.len;
    if (!st)
        st = create(s, &whole, o, err);
    ims__buf_release(&bytes);
    return st;
}

ims_status ims__ort_session_open(void *ctx_, void *session, const struct ims_compute_graph *graph,
                                 const struct ims_compute_session_options *o, ims_err *err)
{
    const struct ort_ctx *ctx = ctx_;
    struct ort_impl *s = session;
    ims_status st;

    s->rt = ctx->rt;
    s->report.device = *o->device;
    ims_device_id_name(*o->device, s->report.device_name);
    snprintf(s->report.provider, sizeof(s->report.provider), "%s",
             ims_device_kind_provider(o->device->kind));
    st = make_options(s, ctx, graph, o, err);
    if (!st)
        st = graph->bytes && graph->external_dir && ims__ort_wants_weights(o->device->kind)
                 ? create_whole(s, graph, o, err)
                 : create(s, graph, o, err);
    if (!st)
        st = make_run_options(s, &s->run_options, err);
    if (!st)
        st = make_shrinking(s, err);
    if (!st)
        st = ims__ort_ports_read(s, err);
    if (!st)
        st = ims__ort_placement_read(s, err);
    s->is_open = true;
    return st;
}

/* Session before options before environment: the other order aborts with some WebGPU builds. */
void ims__ort_session_close(void *session)
{
    struct ort_impl *s = session;

    if (!s->rt)
        return;
    ims__ort_ports_release(s);
    if (s->run_options)
        s->rt->api.ReleaseRunOptions(s->run_options);
    if (s->shrinking)
        s->rt->api.ReleaseRunOptions(s->shrinking);
    if (s->session)
        s->rt->api.ReleaseSession(s->session);
    if (s->options)
        s->rt->api.ReleaseSessionOptions(s->options);
}
