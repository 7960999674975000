/* Runs graphs: tensors in, tensors out, on the device that was asked for or proven best.
 *
 *     struct ims_compute *c;          one per process; opening it reads settings, loads nothing
 *     struct ims_compute_session *s;  one per graph and device; shared between threads
 *
 *     ims_compute_open(&c, &options, err)
 *     ims_compute_session_open(c, &s, &graph, &session_options, err)   loads, picks the device
 *     ims_compute_session_run(s, in, n_in, out, n_out, err)            any number of threads
 *     ims_compute_session_close(s); ims_compute_close(c)               in this order
 *
 * The inference runtime is loaded when the first session is opened (or when described), so a
 * command that needs no model works without it. When it is missing or too old, that is
 * IMS_E_RUNTIME with a sentence saying what to do.
 *
 * All functions are thread-safe except open and close of one and the same object.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_COMPUTE_H
#define IMS_COMPUTE_COMPUTE_H

#include "compute/tensor.h"
#include "device/device.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The runtime version that the set-up script fetches, and the oldest one that is accepted. */
#define IMS_ONNXRUNTIME_VERSION "1.30.0"
#define IMS_ONNXRUNTIME_MIN_MINOR 21 /* 1.21 */

#define IMS_MAX_PORTS 64      /* inputs or outputs of a graph */
#define IMS_MAX_PROVIDERS 24  /* that one runtime may list */
#define IMS_PROVIDER_BYTES 48 /* "TensorrtExecutionProvider" */

struct ims_compute;
struct ims_compute_session;
struct ims_compute_backend;

/* Which sessions live in a child process, one process per device. There a driver that aborts, hangs
 * or leaks costs a batch, not this process. */
typedef enum ims_isolation {
    IMS_ISOLATE_AUTO,   /* accelerators do, the CPU does not; none do in a program that is not ready
                         */
    IMS_ISOLATE_ALWAYS, /* the CPU too */
    IMS_ISOLATE_NEVER
} ims_isolation;

/* "auto", "always", "never"; NULL and "" are auto. false: it is none of them. */
bool ims_compute_isolation_read(const char *text, ims_isolation *out);

/* The first thing in main() of a program that is to use children: a child is the same program,
 * started again. true: this process is such a child and has done its work; return *out_exit. false:
 * go on, children can be started from now on. backend: what a child computes with, NULL = ONNX
 * Runtime. */
bool ims_compute_child_main(int argc, char **argv, const struct ims_compute_backend *backend,
                            int *out_exit);

struct ims_compute_options {
    struct ims_device_settings device; /* what was asked for; the texts are copied */
    /* File of the runtime library. NULL: $ORT_DYLIB_PATH, then an installed one, then the cache. */
    const char *runtime_path;
    unsigned n_threads; /* per CPU session; 0 = ims_device_usable_cores() */
    /* Where accelerators keep compiled models, for providers that do, and where verdicts about
     * devices are kept (model_proof.h); may be NULL. */
    const char *cache_dir;
    bool prove_again; /* take no notice of verdicts that are kept there */
    ims_isolation isolation;
    unsigned deadline_ms; /* of a pool's batch, after which its device counts as hung; 0 = 120 s */
    /* How far the memory arena of a session on a GPU may grow, where its provider has such an arena
     * (CUDA, MIGraphX, what TensorRT leaves to CUDA); 0 = no limit of ours. */
    uint64_t gpu_mem_limit_bytes;
    /* NULL = ONNX Runtime; tests pass a decorator. */
    const struct ims_compute_backend *backend;
    void *backend_arg; /* handed to that backend's open */
};
/* Sets ORT_DISABLE_TELEMETRY (nothing here may report home) and NVIDIA_TF32_OVERRIDE in the environment
 * unless they are set, so call it before other threads read the environment.
 * Fails on settings that are wrong in themselves (a device name that is none), never for a missing
 * runtime; the error then says what there is, for which the runtime is loaded. */
ims_status ims_compute_open(struct ims_compute **out, const struct ims_compute_options *options,
                            ims_err *err) IMS_MUST_CHECK;
/* Every session must be closed before. */
void ims_compute_close(struct ims_compute *c);

/* ---- the runtime and the device ---- */

/* Where the runtime library is kept by the set-up script, without looking whether it is there:
 * $XDG_CACHE_HOME/imgsearch/onnxruntime/<version>/libonnxruntime.so.1 (default ~/.cache). New
 * string. */
ims_status ims_compute_runtime_cache_path(char **out, ims_err *err) IMS_MUST_CHECK;

/* What keeps a provider of the runtime at that path from loading, as far as the files beside it tell: which
 * library is missing. "" when nothing is. Loads nothing. */
void ims_compute_provider_missing(const char *runtime_path, ims_device_kind kind, char *out, size_t size);

/* Loads the runtime if need be and settles the device: proves candidates and applies the rules of
 * ims_device_choose. Done once, lazily, by the first session; a failure is returned again to later
 * callers. */
ims_status ims_compute_choose(struct ims_compute *c, struct ims_device_choice *out,
                              ims_err *err) IMS_MUST_CHECK;

/* Could the settings lead to another device than the CPU here? Looks at the settings and for drivers;
 * loads nothing, so it may say yes where a choice says no. *out_is_named: a device was asked for by
 * name, so that a choice that fails is an error and not the CPU. */
bool ims_compute_may_accelerate(const struct ims_compute *c, bool *out_is_named);

/* Can no device but the CPU come to run a graph? What would be chosen if all that there is passed its
 * proof; nothing is proven for it. Loads the runtime if need be. Errors: those of a choice. */
ims_status ims_compute_is_only_cpu(struct ims_compute *c, bool *out, ims_err *err) IMS_MUST_CHECK;

/* Runs the test graph on one device and compares with the known numbers. What the device did wrong
 * is in *out (state IMS_PROOF_FAILED); a status other than IMS_OK means no proof could be made at
 * all. */
ims_status ims_compute_prove(struct ims_compute *c, struct ims_device_id id,
                             struct ims_device_proof *out, ims_err *err) IMS_MUST_CHECK;

struct ims_compute_info {
    struct ims_device_request request;
    bool has_runtime;
    char runtime_name[32];    /* "onnxruntime" */
    char runtime_version[32]; /* "1.30.0" */
    char runtime_build[160];  /* the runtime's own build line */
    char runtime_path[1024];  /* the file that is loaded */
    char runtime_origin[64];  /* "ORT_DYLIB_PATH", "installed", "cache", "option" */
    ims_err runtime_err;      /* why there is none, when !has_runtime */
    size_t n_providers;
    char providers[IMS_MAX_PROVIDERS]
                  [IMS_PROVIDER_BYTES]; /* what was compiled in, not what works */
    bool has_choice;
    struct ims_device_choice choice;
    ims_err choice_err; /* why there is none, when has_runtime && !has_choice */
    size_t n_proofs;    /* every proof made so far */
    struct ims_device_proof proofs[IMS_MAX_PROOFS];
    unsigned n_threads; /* of a CPU session */
    double load_ms;     /* runtime load, environment and proofs */
};
/* Everything `imgsearch devices` prints about compute. choose: settle the device too (may load and
 * prove); false only looks at the runtime. Problems are in *out; fails only when memory is short.
 */
ims_status ims_compute_describe(struct ims_compute *c, bool choose, struct ims_compute_info *out,
                                ims_err *err) IMS_MUST_CHECK;

/* NVIDIA's devices. The driver is started in the child of cuda:0 where there are children: then it is
 * neither loaded nor started in this process. Asked once; later calls return the same. */
ims_status ims_compute_cuda(struct ims_compute *c, struct ims_cuda_facts *out,
                            ims_err *err) IMS_MUST_CHECK;

/* The same as it is now, usage and temperature included, asked anew each time: in a process of its
 * own where there are children, so neither a batch nor a device that hangs keeps the caller waiting
 * for more than seconds. After that failed it is not tried for five minutes; *out then says why.
 * Nothing where there is no driver. Errors: those of loading the runtime. */
ims_status ims_compute_watch_cuda(struct ims_compute *c, struct ims_cuda_facts *out,
                                  ims_err *err) IMS_MUST_CHECK;

/* The adapters that WebGPU can choose from (Vulkan's). The loader and its drivers are started in the
 * child of webgpu where there are children, so a driver that aborts or hangs is a problem told in
 * *out. Asked once; later calls return the same. */
ims_status ims_compute_vulkan(struct ims_compute *c, struct ims_vulkan_facts *out,
                              ims_err *err) IMS_MUST_CHECK;

/* The last messages the runtime logged, oldest first, one a line, into out; bytes written, without
 * the NUL. The runtime never writes to stderr itself. */
size_t ims_compute_runtime_log(struct ims_compute *c, char *out, size_t size);

/* ---- sessions ---- */

/* A graph in memory or in a file; exactly one of bytes and path. The bytes may go after the open.
 * external_dir: folder of the files that a graph in memory keeps its weights in (its initializers'
 * "location" is a plain file name in there). Files must stay while the session lives. */
struct ims_compute_graph {
    const void *bytes;
    size_t n_bytes;
    const char *external_dir;
    const char *path;
};

/* Fixes a symbolic dimension ("batch") at session creation. */
struct ims_compute_dim {
    const char *symbol;
    int64_t value;
};

struct ims_compute_session_options {
    const char *label;                  /* names the model in messages: "ViT-B-32 image" */
    const struct ims_device_id *device; /* NULL = the first device of the choice */
    unsigned n_threads;                 /* 0 = the compute's */
    const struct ims_compute_dim *dims;
    size_t n_dims;
    /* Fixed too where the device's provider takes only graphs without free dimensions (Core ML). The
     * first is that of the rows: the first dimension of every input and output. It still reads as
     * free, and a run may have any number of rows: they go through so many at a time, the last ones
     * filled up. The symbols live as long as the open. */
    const struct ims_compute_dim *static_dims;
    size_t n_static_dims;
    bool is_shape_fixed;  /* every run has the same shapes: lets the runtime plan its memory once */
    bool no_cpu_fallback; /* an accelerator must take every node; otherwise opening fails */
    bool no_optimisation; /* run the graph as it is written */
    /* Leave the weights where they are instead of copying them into the layout that the CPU's
     * kernels like: opens many times faster, runs somewhat slower. For a session of a few runs. */
    bool no_prepacking;
    /* Keep the memory of a run for the next one. For graphs with many large results between light
     * operators, where asking the system for it each time costs more than computing; otherwise it is
     * as fast without, and memory follows the batch. */
    bool keep_memory;
    /* How long one run, and the opening, may take before the device counts as hung: IMS_E_TIMEOUT.
     * 0 = as long as it takes. Kept only where the session runs in a child process (isolation). */
    unsigned run_timeout_ms, open_timeout_ms;
};
/* options may be NULL. Errors: IMS_E_RUNTIME, IMS_E_DEVICE, IMS_E_MODEL (the graph is refused),
 * IMS_E_NOT_FOUND (file of path), IMS_E_NOMEM. */
ims_status ims_compute_session_open(struct ims_compute *c, struct ims_compute_session **out,
                                    const struct ims_compute_graph *graph,
                                    const struct ims_compute_session_options *options,
                                    ims_err *err) IMS_MUST_CHECK;
void ims_compute_session_close(struct ims_compute_session *s);
/* Closes a session whose device misbehaved: a child process that it lives in is ended, with every
 * session in it. */
void ims_compute_session_discard(struct ims_compute_session *s);

/* Do static_dims count on this kind of device? The runtime must be loaded: a device was chosen. */
bool ims_compute_wants_static_shapes(struct ims_compute *c, ims_device_kind kind);

/* An input or output of the graph. Valid as long as the session. */
struct ims_compute_port {
    const char *name;
    ims_dtype dtype;
    unsigned rank;
    int64_t shape[IMS_MAX_TENSOR_RANK];      /* -1 where the dimension is free */
    const char *symbol[IMS_MAX_TENSOR_RANK]; /* its name, "" when fixed or nameless */
};
size_t ims_compute_session_n_inputs(const struct ims_compute_session *s);
size_t ims_compute_session_n_outputs(const struct ims_compute_session *s);
/* NULL when i is out of range. */
const struct ims_compute_port *ims_compute_session_input(const struct ims_compute_session *s,
                                                         size_t i);
const struct ims_compute_port *ims_compute_session_output(const struct ims_compute_session *s,
                                                          size_t i);

/* Where the session really runs. */
struct ims_compute_share {
    char provider[IMS_PROVIDER_BYTES];
    size_t n_nodes;
};
struct ims_compute_report {
    struct ims_device_id device;
    char device_name[IMS_DEVICE_NAME_BYTES]; /* "cpu", "cuda:0": for evidence */
    char provider[IMS_PROVIDER_BYTES];       /* of that device */
    bool is_assignment_known;                /* runtime >= 1.24; otherwise n_shares is 0 */
    size_t n_shares;
    struct ims_compute_share shares[IMS_MAX_PROVIDERS]; /* nodes per provider, after optimisation */
};
void ims_compute_session_report(const struct ims_compute_session *s,
                                struct ims_compute_report *out);

/* One value of a run. name NULL: the graph's port at the same position as in the array. */
struct ims_compute_value {
    const char *name;
    struct ims_tensor tensor;
};
/* Inputs are views and are not written. Outputs: with tensor.data NULL the run allocates and fills
 * tensor wholly (end with ims_tensor_release); with data set, dtype, shape and bytes must be what
 * the graph will produce, and the result is written there. n_out may be less than the graph has.
 * Allocated outputs exist only on success. Errors: IMS_E_INVALID (name, type, too few bytes),
 * IMS_E_DIMENSION (shape), IMS_E_NOMEM (the device's memory or ours: a smaller batch may do),
 * IMS_E_DEVICE (the device failed, or the process it is in ended: open the session anew),
 * IMS_E_TIMEOUT (no answer within run_timeout_ms; the same), IMS_E_MODEL (a node of the graph
 * failed). */
ims_status ims_compute_session_run(struct ims_compute_session *s,
                                   const struct ims_compute_value *in, size_t n_in,
                                   struct ims_compute_value *out, size_t n_out,
                                   ims_err *err) IMS_MUST_CHECK;

#endif
