/* What a compute backend implements. Callers use compute.h.
 *
 * compute.c owns the memory of contexts and sessions (zeroed blocks of ctx_size and session_size
 * bytes), resolves names to ports, checks types, shapes and sizes before a run, settles device and
 * threads before a session is opened, and always calls the closing slot, also after a failed open:
 * so a closing slot accepts a half-built object. Every slot may be called from any thread; open,
 * close and describe of one context, and open and close of one session, come one at a time. Runs
 * overlap.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_BACKEND_H
#define IMS_COMPUTE_BACKEND_H

#include "compute/compute.h"

#define IMS_COMPUTE_ABI 7

struct ims_compute_backend_options {
    const char *runtime_path; /* NULL = search */
    const char *cache_dir;    /* NULL = keep nothing */
    void *arg;                /* ims_compute_options.backend_arg */
    uint64_t gpu_mem_limit_bytes; /* of ims_compute_options */
};

/* Ports of a session; names and symbols belong to the session. */
struct ims_compute_ports {
    size_t n_inputs, n_outputs;
    const struct ims_compute_port *inputs, *outputs;
};

/* One input or output of a run: a checked tensor and the number of its port. */
struct ims_compute_binding {
    size_t port;
    struct ims_tensor *tensor;
};

struct ims_compute_backend {
    uint32_t abi;
    const char *name;
    size_t ctx_size;
    size_t session_size;

    /* Loads the runtime. IMS_E_RUNTIME with a sentence that says what to do. */
    ims_status (*open)(void *ctx, const struct ims_compute_backend_options *options, ims_err *err);
    /* Ends it; sessions are closed by then. */
    void (*close)(void *ctx);
    /* Fills runtime_* and providers of *out; only after a successful open. */
    void (*describe)(void *ctx, struct ims_compute_info *out);
    /* (optional) The last lines of the runtime's own log; returns the bytes written. */
    size_t (*log_tail)(void *ctx, char *out, size_t size);

    /* options->device and options->n_threads are set, options->label is never NULL. */
    ims_status (*session_open)(void *ctx, void *session, const struct ims_compute_graph *graph,
                               const struct ims_compute_session_options *options, ims_err *err);
    void (*session_close)(void *session);
    void (*session_ports)(const void *session, struct ims_compute_ports *out);
    void (*session_report)(const void *session, struct ims_compute_report *out);
    /* Every input once, in any order; outputs with data NULL are allocated with ims_tensor_alloc.
     * On failure the backend releases what it allocated and leaves the outputs as they were. */
    ims_status (*session_run)(void *session, const struct ims_compute_binding *in, size_t n_in,
                              const struct ims_compute_binding *out, size_t n_out, ims_err *err);
    /* (optional) Instead of session_close, for a session whose device gave an error or wrong
     * numbers: nothing of the device's state may be used again. */
    void (*session_discard)(void *session);
    /* (optional) ims_device_probe_cuda somewhere else: starting NVIDIA's driver may take long, and
     * may not come back. */
    void (*probe_cuda)(void *ctx, struct ims_cuda_facts *out);
    /* (optional) The same for ims_device_probe_vulkan. */
    void (*probe_vulkan)(void *ctx, struct ims_vulkan_facts *out);
    /* (optional) After a run that was out of memory: from the next run on, what the runtime keeps for
     * later is given back at the end of each. false: it keeps nothing that it could give. */
    bool (*session_shrink)(void *session);
    /* (optional) Does this kind of device take only graphs without free dimensions? */
    bool (*wants_static_shapes)(void *ctx, ims_device_kind kind);
    /* (optional) Does this kind of device compile the graph anew for another number of rows? */
    bool (*compiles_shapes)(void *ctx, ims_device_kind kind);
    /* (optional) probe_cuda, now and somewhere that computes nothing: back within seconds, whatever
     * the devices are doing. */
    void (*watch_cuda)(void *ctx, struct ims_cuda_facts *out);
};

/* ONNX Runtime, loaded with dlopen. */
extern const struct ims_compute_backend ims__compute_ort;

/* Sends sessions to children or to the inner backend. backend_arg: a struct ims_child_arg. */
extern const struct ims_compute_backend ims__compute_split;
struct ims_child_arg {
    const struct ims_compute_backend *inner;
    void *inner_arg;
    ims_isolation isolation;
};
/* Did this program say (ims_compute_child_main) that it can be started as a child? */
bool ims__child_is_possible(void);

#endif
