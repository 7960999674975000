/* A compute backend that wraps another and fails on demand: what real devices won't do when asked.
 *
 *     struct fault_plan plan = { .run_fails_at = 3, .run_status = IMS_E_DEVICE };
 *     options.backend = &fault_backend;
 *     options.backend_arg = &plan;
 *
 * In a child process the plan lies in a file that both processes map: see fault_plan_share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_FAULT_BACKEND_H
#define IMS_TESTS_FAULT_BACKEND_H

#include "compute/compute_backend.h"

#include <stdatomic.h>

/* How a failing run fails. */
enum fault_kind {
    FAULT_STATUS, /* with run_status; IMS_OK = it gives NaN */
    FAULT_CONSTANT,
    FAULT_WRONG, /* every second number is a quarter too large */
    FAULT_SLIGHT, /* every second number is a hundredth too large */
    FAULT_PERMUTED_ROWS, /* each row's result stands in the next row */
    FAULT_PERMUTED_NUMBERS, /* within a row */
    FAULT_IN_BATCHES, /* as FAULT_SLIGHT, but only runs of several rows */
    FAULT_SLOW, /* right, 20 ms later */
    FAULT_ABORT,
    FAULT_KILL, /* SIGKILL to its own process */
    FAULT_HANG  /* until somebody ends the process */
};

struct fault_plan {
    const struct ims_compute_backend *inner; /* NULL = ONNX Runtime */
    bool lists_cuda;           /* claims a CUDA provider; its sessions run on the inner CPU */
    unsigned n_cuda;           /* devices that its driver shows; 0 = this machine's */
    const char *vulkan_driver; /* version of the one adapter's that it shows; NULL = it shows none */
    ims_status open_status;    /* IMS_OK = let it through; otherwise the open fails with it */
    ims_status session_status; /* the same for sessions */
    unsigned run_fails_at;     /* number of the first failing run, counted from 1; 0 = none */
    unsigned n_failing_runs;   /* how many from there on; 0 = all */
    enum fault_kind run_kind;
    ims_status run_status; /* of FAULT_STATUS */
    char label[64];        /* only runs of sessions with this label count and fail; "" = all */
    bool has_device;
    struct ims_device_id device; /* the same for sessions on this device */
    unsigned
        static_kinds; /* a bit per kind of device that takes only fixed shapes, as Core ML does */
    _Atomic int64_t least_rows, most_rows; /* first dimension of the runs that count */
    int64_t memory_for; /* runs of a larger first dimension are out of memory; 0 = no limit */
    int64_t shrunk_memory_for; /* what memory_for becomes when the session is shrunk; 0 = it cannot be */
    /* (optional) Called for each run of any session, in its thread; not across processes. */
    void (*on_run)(struct ims_device_id device, size_t n_rows);
    _Atomic unsigned n_shrinks;
    _Atomic uint64_t gpu_mem_limit_bytes; /* as the last open was told */
    _Atomic int pid;    /* of the process that ran last */
    _Atomic unsigned n_meant; /* runs of sessions that count, failing or not */
    _Atomic unsigned n_runs, n_opens, n_closes, n_sessions, n_session_closes;
};

extern const struct ims_compute_backend fault_backend;

/* A plan in a new file, named in the environment of the processes that are started from now on. A
 * child's fault_backend, which has no argument, takes that one. Stays mapped. */
struct fault_plan *fault_plan_share(const char *path);

#endif
