/* How each execution provider is put into a session: one table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "device/library.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __APPLE__
#define SIDE_LIBRARY(name) "libonnxruntime_providers_" name ".dylib"
#else
#define SIDE_LIBRARY(name) "libonnxruntime_providers_" name ".so"
#endif

struct provider {
    const char
        *generic_name; /* for the generic append; NULL where the provider has calls of its own */
    const char *side_library; /* must lie beside the runtime; NULL when compiled in */
    const char *advice;       /* what to install when it is not there */
    void (*fill)(const struct ort_ctx *ctx, const struct ims_compute_session_options *options,
                 const char *cache_dir, struct ort_option_list *out);
    /* (optional) instead of the generic append */
    ort_status *(*append)(const struct ort_ctx *ctx, ort_session_options *so,
                          const struct ims_compute_session_options *session,
                          const struct ort_option_list *options);
    /* It compiles the graph itself and reads weights from files only beside a model file: a graph in
     * memory must be whole. */
    bool wants_weights;
    /* What has free dimensions is left to the CPU. */
    bool wants_static_shapes;
};

static void add(struct ort_option_list *list, const char *key, const char *value)
{
    if (value && list->n < ORT_MAX_PROVIDER_OPTIONS) {
        list->keys[list->n] = key;
        list->values[list->n++] = value;
    }
}

static void add_index(struct ort_option_list *list, struct ims_device_id id)
{
    snprintf(list->index, sizeof(list->index), "%u", id.index);
    add(list, "device_id", list->index);
}

static void add_memory_limit(struct ort_option_list *list, const char *key, uint64_t bytes)
{
    if (bytes == 0)
        return;
    snprintf(list->memory, sizeof(list->memory), "%llu", (unsigned long long)bytes);
    add(list, key, list->memory);
}

/* The arena grows by what is asked for instead of doubling; convolutions pick their algorithm by
 * rule instead of by timing every new shape; float32 stays float32 (TF32 rounds to 10 bits). */
static void fill_cuda(const struct ort_ctx *ctx,
                      const struct ims_compute_session_options *options, const char *cache_dir,
                      struct ort_option_list *out)
{
    (void)cache_dir;
    add_index(out, *options->device);
    add(out, "arena_extend_strategy", "kSameAsRequested");
    add(out, "cudnn_conv_algo_search", options->is_shape_fixed ? "EXHAUSTIVE" : "HEURISTIC");
    add(out, "use_tf32", "0");
    add_memory_limit(out, "gpu_mem_limit", ctx->gpu_mem_limit_bytes);
}

static ort_status *append_cuda(const struct ort_ctx *ctx, ort_session_options *so,
                               const struct ims_compute_session_options *session,
                               const struct ort_option_list *options)
{
    const struct ort_runtime *rt = ctx->rt;
    ort_cuda_options *cuda = NULL;
    ort_status *status = rt->api.CreateCUDAProviderOptions(&cuda);

    (void)session;
    if (!status)
        status =
            rt->api.UpdateCUDAProviderOptions(cuda, options->keys, options->values, options->n);
    if (!status)
        status = rt->api.SessionOptionsAppendExecutionProvider_CUDA_V2(so, cuda);
    if (cuda)
        rt->api.ReleaseCUDAProviderOptions(cuda);
    return status;
}

static void fill_tensorrt(const struct ort_ctx *ctx,
                          const struct ims_compute_session_options *options, const char *cache_dir,
                          struct ort_option_list *out)
{
    (void)ctx;
    add_index(out, *options->device);
    add(out, "trt_engine_cache_enable", cache_dir ? "1" : "0");
    add(out, "trt_engine_cache_path", cache_dir);
    add(out, "trt_timing_cache_enable", cache_dir ? "1" : "0");
    add(out, "trt_timing_cache_path", cache_dir);
}

/* What TensorRT does not take goes to CUDA before it goes to the CPU. */
static ort_status *append_tensorrt(const struct ort_ctx *ctx, ort_session_options *so,
                                   const struct ims_compute_session_options *session,
                                   const struct ort_option_list *options)
{
    const struct ort_runtime *rt = ctx->rt;
    struct ort_option_list cuda = { .n = 0 };
    ort_tensorrt_options *trt = NULL;
    ort_status *status = rt->api.CreateTensorRTProviderOptions(&trt);

    if (!status)
        status =
            rt->api.UpdateTensorRTProviderOptions(trt, options->keys, options->values, options->n);
    if (!status)
        status = rt->api.SessionOptionsAppendExecutionProvider_TensorRT_V2(so, trt);
    if (trt)
        rt->api.ReleaseTensorRTProviderOptions(trt);
    if (status)
        return status;
    fill_cuda(ctx, session, NULL, &cuda);
    return append_cuda(ctx, so, session, &cuda);
}

/* ML programs take far more nodes than the older format; free dimensions would be recompiled for
 * every new shape, so nodes with them stay on the CPU: see static_dims of the session options. */
static void fill_coreml(const struct ort_ctx *ctx,
                        const struct ims_compute_session_options *options, const char *cache_dir,
                        struct ort_option_list *out)
{
    (void)options;
    add(out, "ModelFormat", "MLProgram");
    add(out, "MLComputeUnits", "ALL");
    add(out, "RequireStaticInputShapes", "1");
    if (ctx->rt->minor >= 21)
        add(out, "ModelCacheDirectory", cache_dir);
}

static void fill_openvino(const struct ort_ctx *ctx,
                          const struct ims_compute_session_options *options, const char *cache_dir,
                          struct ort_option_list *out)
{
    (void)ctx;
    (void)options;
    add(out, "device_type", "AUTO:GPU,CPU");
    add(out, "precision", "ACCURACY"); /* as the model is: no silent halves on a GPU */
    add(out, "disable_dynamic_shapes", "true"); /* on GPUs, free dimensions gave wrong results */
    add(out, "num_streams", "1");
    add(out, "cache_dir", cache_dir);
}

static ort_status *append_openvino(const struct ort_ctx *ctx, ort_session_options *so,
                                   const struct ims_compute_session_options *session,
                                   const struct ort_option_list *options)
{
    (void)session;
    return ctx->rt->api.SessionOptionsAppendExecutionProvider_OpenVINO_V2(
        so, options->keys, options->values, options->n);
}

static void fill_migraphx(const struct ort_ctx *ctx,
                          const struct ims_compute_session_options *options, const char *cache_dir,
                          struct ort_option_list *out)
{
    add_index(out, *options->device);
    add(out, "migraphx_model_cache_dir", cache_dir);
    add_memory_limit(out, "migraphx_mem_limit", ctx->gpu_mem_limit_bytes);
}

static const struct provider providers[IMS_DEVICE_KINDS] = {
    [IMS_DEVICE_CUDA] = { NULL, SIDE_LIBRARY("cuda"),
                          "the GPU build of the same version brings it, and needs CUDA 12 and "
                          "cuDNN 9",
                          fill_cuda, append_cuda, false, false },
    [IMS_DEVICE_TENSORRT] = { NULL, SIDE_LIBRARY("tensorrt"),
                              "the GPU build of the same version brings it, and needs TensorRT 10",
                              fill_tensorrt, append_tensorrt, true, false },
    [IMS_DEVICE_COREML] = { "CoreML", NULL, "the macOS build has it", fill_coreml, NULL, true,
                            true },
    [IMS_DEVICE_WEBGPU] = { "WebGPU", NULL,
                            "it needs a working Vulkan, Metal or Direct3D 12 driver", NULL, NULL,
                            false, false },
    [IMS_DEVICE_OPENVINO] = { NULL, SIDE_LIBRARY("openvino"), "Intel's OpenVINO build brings it",
                              fill_openvino, append_openvino, true, false },
    [IMS_DEVICE_MIGRAPHX] = { "MIGraphX", SIDE_LIBRARY("migraphx"), "AMD's ROCm build brings it",
                              fill_migraphx, NULL, true, false },
};

bool ims__ort_wants_weights(ims_device_kind kind)
{
    return providers[kind].wants_weights;
}

bool ims__ort_wants_static_shapes(ims_device_kind kind)
{
    return providers[kind].wants_static_shapes;
}

void ims_compute_provider_missing(const char *runtime_path, ims_device_kind kind, char *out, size_t size)
{
    const char *const files[] = { providers[kind].side_library, SIDE_LIBRARY("shared") };
    const char *slash = strrchr(runtime_path, '/');
    char path[1280], missing[400];

    out[0] = '\0';
    for (size_t i = 0; files[0] && !out[0] && i < IMS_ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%.*s%s", slash ? (int)(slash - runtime_path) + 1 : 0, runtime_path, files[i]);
        if (access(path, R_OK) != 0) {
            snprintf(out, size, "%s is missing beside the runtime (%.120s)", files[i], runtime_path);
            continue;
        }
        ims_library_missing(path, missing, sizeof(missing));
        if (missing[0])
            snprintf(out, size, "%s needs what is not installed: %.200s", files[i], missing);
    }
}

/* Each provider has a folder of its own, which must exist: some end the process when it does not.
 * NULL: nothing is kept. */
static const char *cache_of(ims_device_kind kind, const char *cache_dir, char *out, size_t size)
{
    if (!cache_dir)
        return NULL;
    snprintf(out, size, "%s/%s", cache_dir, ims_device_kind_name(kind));
    return ims__mkdir_p(out, NULL) == IMS_OK && access(out, W_OK | X_OK) == 0 ? out : NULL;
}

void ims__ort_provider_options(const struct ort_ctx *ctx,
                               const struct ims_compute_session_options *options,
                               const char *cache_dir, struct ort_option_list *out)
{
    const struct provider *p = &providers[options->device->kind];

    out->n = 0;
    if (p->fill)
        p->fill(ctx, options, cache_dir, out);
}

ims_status ims__ort_append_provider(const struct ort_ctx *ctx, ort_session_options *so,
                                    const struct ims_compute_session_options *options, ims_err *err)
{
    struct ort_runtime *rt = ctx->rt;
    const struct provider *p = &providers[options->device->kind];
    struct ort_option_list list;
    const char *full_name = ims_device_kind_provider(options->device->kind);
    char missing[320], folder[IMS_MAX_PATH_BYTES];
    ort_status *status;
    ims_err why;
    ims_status st;

    if (options->device->kind == IMS_DEVICE_CPU)
        return IMS_OK;
    ims__ort_provider_options(
        ctx, options, cache_of(options->device->kind, ctx->cache_dir, folder, sizeof(folder)), &list);
    status = p->append ? p->append(ctx, so, options, &list)
                       : rt->api.SessionOptionsAppendExecutionProvider(
                             so, p->generic_name, list.keys, list.values, list.n);
    st = ims__ort_fail(rt, status, IMS_E_DEVICE, &why, "%s", full_name);
    if (!st)
        return IMS_OK;
    ims_compute_provider_missing(rt->path, options->device->kind, missing, sizeof(missing));
    if (missing[0])
        return ims_fail(err, IMS_E_DEVICE, "ort", why.native, "%s; %s", missing, p->advice);
    return ims_fail(err, st == IMS_E_NOMEM ? st : IMS_E_DEVICE, "ort", why.native, "%.220s; %s",
                    why.text, p->advice);
}
