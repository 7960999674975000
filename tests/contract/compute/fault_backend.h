/* A compute backend that wraps another and fails on demand: what real devices won't do when asked.
 *
 *     struct fault_plan plan = { .run_fails_at = 3, .run_status = IMS_E_DEVICE };
 *     options.backend = &fault_backend;
 *     options.backend_arg = &plan;
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_FAULT_BACKEND_H
#define IMS_TESTS_FAULT_BACKEND_H

#include "compute/compute_backend.h"

#include <stdatomic.h>

struct fault_plan {
    const struct ims_compute_backend *inner; /* NULL = ONNX Runtime */
    bool lists_cuda;           /* claims a CUDA provider; its sessions run on the inner CPU */
    ims_status open_status;    /* IMS_OK = let it through; otherwise the open fails with it */
    ims_status session_status; /* the same for sessions */
    unsigned run_fails_at;     /* number of the first failing run, counted from 1; 0 = none */
    unsigned n_failing_runs;   /* how many from there on; 0 = all */
    ims_status run_status;     /* with which they fail; IMS_OK = they give NaN instead */
    int64_t memory_for; /* runs of a larger first dimension are out of memory; 0 = no limit */
    _Atomic unsigned n_runs, n_opens, n_closes, n_sessions, n_session_closes;
};

extern const struct ims_compute_backend fault_backend;

#endif
