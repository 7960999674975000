/* What the files of the ONNX Runtime backend share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_ORT_INTERNAL_H
#define IMS_COMPUTE_ORT_INTERNAL_H

#include "base/thread.h"
#include "compute/compute_backend.h"
#include "compute/log_ring.h"
#include "compute/ort/ort_api.h"

/* Of the runtime: param is a struct ims_log_ring. */
void ims__ort_log_write(void *param, int severity, const char *category, const char *log_id,
                        const char *location, const char *message);

/* A loaded library with its environment. The environment is one per process and library, and so is
 * the logger given when it was made: so runtimes are shared and counted, see ort_runtime.c. */
struct ort_runtime {
    struct ort_api api;
    ort_env *env;
    ort_memory_info *cpu_memory;
    ort_allocator *allocator; /* the default one; belongs to the library */
    unsigned minor;
    char version[32];
    char path[1024];
    char origin[64];
    void *library;
    struct ims_log_ring log;
    unsigned n_refs;
    struct ort_runtime *next;
};
ims_status ims__ort_runtime_ref(struct ort_runtime **out, const char *path,
                                ims_err *err) IMS_MUST_CHECK;
void ims__ort_runtime_unref(struct ort_runtime *rt);

/* Looks for the library in the order option, ORT_DYLIB_PATH, installed, cache. */
struct ort_library {
    void *handle; /* of dlopen; the caller closes it */
    const struct ort_api_base *base;
    unsigned minor;
    char version[32];
    char path[1024]; /* as the dynamic linker reports it */
    char origin[64];
};
ims_status ims__ort_find(struct ort_library *out, const char *path, ims_err *err) IMS_MUST_CHECK;

/* The one translation of a vendor status, which it releases. NULL status is IMS_OK. otherwise: the
 * status for codes that do not say what kind of failure it is. */
ims_status ims__ort_fail(const struct ort_runtime *rt, ort_status *status, ims_status otherwise,
                         ims_err *err, const char *fmt, ...) IMS_PRINTF(5, 6) IMS_MUST_CHECK;

struct ort_ctx {
    struct ort_runtime *rt;
    char *cache_dir;              /* NULL = nothing is kept */
    uint64_t gpu_mem_limit_bytes; /* 0 = none */
};

/* A provider's options as texts; values may point into the list itself, so it is not copied. */
#define ORT_MAX_PROVIDER_OPTIONS 12
struct ort_option_list {
    size_t n;
    const char *keys[ORT_MAX_PROVIDER_OPTIONS];
    const char *values[ORT_MAX_PROVIDER_OPTIONS];
    char index[8];   /* the device's number */
    char memory[24]; /* a limit in bytes */
};
/* What the provider of options->device is given; empty for the CPU. cache_dir: the provider's own
 * folder, may be NULL. */
void ims__ort_provider_options(const struct ort_ctx *ctx,
                               const struct ims_compute_session_options *options,
                               const char *cache_dir, struct ort_option_list *out);

/* Appends the provider of options->device; nothing for the CPU. */
ims_status ims__ort_append_provider(const struct ort_ctx *ctx, ort_session_options *so,
                                    const struct ims_compute_session_options *options,
                                    ims_err *err) IMS_MUST_CHECK;

/* Must a graph in memory carry its weights for this provider? */
bool ims__ort_wants_weights(ims_device_kind kind);
bool ims__ort_wants_static_shapes(ims_device_kind kind);

struct ort_impl {
    struct ort_runtime *rt;
    ort_session_options *options; /* kept: the WebGPU provider of some versions needs it to live */
    ort_session *session;
    ort_run_options *run_options;
    ort_run_options *shrinking; /* the same, and the arena is shrunk after the run; NULL: no arena */
    _Atomic bool does_shrink;
    struct ims_compute_port inputs[IMS_MAX_PORTS], outputs[IMS_MAX_PORTS];
    size_t n_inputs, n_outputs;
    struct ims_compute_report report;
    bool is_open; /* from then on the log is only forwarded */
};
/* Where the nodes went. The runtime tells in two ways: slots 407-409 (1.24 and later) count the
 * nodes that a provider was given, also when it fused them into one, but miss those that a provider
 * took before a change of layout (WebGPU); its verbose log counts the nodes as they are run. The
 * larger of the two counts is reported. The log is asked for on accelerators only. */
ims_status ims__ort_placement_listen(struct ort_impl *s, ims_err *err) IMS_MUST_CHECK;
ims_status ims__ort_placement_read(struct ort_impl *s, ims_err *err) IMS_MUST_CHECK;
ims_status ims__ort_session_open(void *ctx, void *session, const struct ims_compute_graph *graph,
                                 const struct ims_compute_session_options *options,
                                 ims_err *err) IMS_MUST_CHECK;
void ims__ort_session_close(void *session);
/* Reads names, types and shapes of every input and output into the session. */
ims_status ims__ort_ports_read(struct ort_impl *s, ims_err *err) IMS_MUST_CHECK;
void ims__ort_ports_release(struct ort_impl *s);
ims_status ims__ort_shape_read(const struct ort_runtime *rt, const ort_tensor_info *info,
                               struct ims_tensor *out, ims_err *err) IMS_MUST_CHECK;
ims_status ims__ort_session_run(void *session, const struct ims_compute_binding *in, size_t n_in,
                                const struct ims_compute_binding *out, size_t n_out,
                                ims_err *err) IMS_MUST_CHECK;
bool ims__ort_session_shrink(void *session);
int ims__ort_type_of(ims_dtype t);
ims_dtype ims__ort_dtype_of(int onnx_type);

/* Makes this thread's floating point flush denormals, as the pool's threads do; returns what to
 * give back to ims__ort_float_restore. */
uint64_t ims__ort_float_flush(void);
void ims__ort_float_restore(uint64_t saved);

#endif
