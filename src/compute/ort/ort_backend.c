/* ONNX Runtime as a backend of the compute seam.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static ims_status ort_open(void *ctx_, const struct ims_compute_backend_options *options,
                           ims_err *err)
{
    struct ort_ctx *ctx = ctx_;

    ctx->gpu_mem_limit_bytes = options->gpu_mem_limit_bytes;
    if (options->cache_dir) {
        ctx->cache_dir = ims__strdup(options->cache_dir);
        if (!ctx->cache_dir)
            return ims_fail(err, IMS_E_NOMEM, "ort", 0, "copying the cache folder");
    }
    return ims__ort_runtime_ref(&ctx->rt, options->runtime_path, err);
}

static void ort_close(void *ctx_)
{
    struct ort_ctx *ctx = ctx_;

    ims__ort_runtime_unref(ctx->rt);
    ims__free(ctx->cache_dir);
}

static void ort_describe(void *ctx_, struct ims_compute_info *out)
{
    struct ort_ctx *ctx = ctx_;
    struct ort_runtime *rt = ctx->rt;
    char **names = NULL;
    int n = 0;

    snprintf(out->runtime_name, sizeof(out->runtime_name), "onnxruntime");
    memcpy(out->runtime_version, rt->version, sizeof(out->runtime_version));
    memcpy(out->runtime_path, rt->path, sizeof(out->runtime_path));
    memcpy(out->runtime_origin, rt->origin, sizeof(out->runtime_origin));
    if (rt->api.GetBuildInfoString)
        snprintf(out->runtime_build, sizeof(out->runtime_build), "%.159s",
                 rt->api.GetBuildInfoString());
    out->n_providers = 0;
    if (ims__ort_fail(rt, rt->api.GetAvailableProviders(&names, &n), IMS_E_RUNTIME, NULL,
                      "listing"))
        return;
    for (int i = 0; i < n && out->n_providers < IMS_MAX_PROVIDERS; i++)
        snprintf(out->providers[out->n_providers++], IMS_PROVIDER_BYTES, "%.47s", names[i]);
    if (ims__ort_fail(rt, rt->api.ReleaseAvailableProviders(names, n), IMS_E_RUNTIME, NULL,
                      "listing"))
        return; /* only memory of the library is at stake */
}

static size_t ort_log_tail(void *ctx_, char *out, size_t size)
{
    struct ort_ctx *ctx = ctx_;

    return ims__log_ring_tail(&ctx->rt->log, out, size);
}

static void ort_session_ports(const void *session, struct ims_compute_ports *out)
{
    const struct ort_impl *s = session;

    *out = (struct ims_compute_ports){ s->n_inputs, s->n_outputs, s->inputs, s->outputs };
}

static void ort_session_report(const void *session, struct ims_compute_report *out)
{
    const struct ort_impl *s = session;

    *out = s->report;
}

static bool ort_wants_static_shapes(void *ctx, ims_device_kind kind)
{
    (void)ctx;
    return ims__ort_wants_static_shapes(kind);
}

/* Those that compile the graph themselves do it for the shapes they meet. */
static bool ort_compiles_shapes(void *ctx, ims_device_kind kind)
{
    (void)ctx;
    return ims__ort_wants_weights(kind);
}

const struct ims_compute_backend ims__compute_ort = {
    .abi = IMS_COMPUTE_ABI,
    .name = "ort",
    .ctx_size = sizeof(struct ort_ctx),
    .session_size = sizeof(struct ort_impl),
    .open = ort_open,
    .close = ort_close,
    .describe = ort_describe,
    .log_tail = ort_log_tail,
    .session_open = ims__ort_session_open,
    .session_close = ims__ort_session_close,
    .session_ports = ort_session_ports,
    .session_report = ort_session_report,
    .session_run = ims__ort_session_run,
    .session_shrink = ims__ort_session_shrink,
    .wants_static_shapes = ort_wants_static_shapes,
    .compiles_shapes = ort_compiles_shapes,
};
