/* What the files of compute/ share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_INTERNAL_H
#define IMS_COMPUTE_INTERNAL_H

#include "base/thread.h"
#include "compute/compute_backend.h"
#include "compute/model_proof.h"

/* A verdict of this process; key_hash: what it is about, see model_proof_store.c. */
struct ims_kept_verdict {
    uint64_t key_hash;
    struct ims_proof_verdict verdict;
};

struct ims_compute {
    const struct ims_compute_backend *backend;
    void *backend_arg;
    struct ims_child_arg child_arg; /* of the backend, when it is the splitting one */
    struct ims_device_request request;
    char *runtime_path;
    char *cache_dir;
    unsigned n_threads;
    unsigned deadline_ms;
    uint64_t gpu_mem_limit_bytes;
    bool prove_again;

    struct ims_lock proof_lock; /* held while a model is proven; taken before lock; guards these */
    bool has_proof_lock;
    size_t n_verdicts;
    struct ims_kept_verdict *verdicts; /* NULL or IMS_PROOF_MAX_VERDICTS */

    struct ims_lock lock; /* guards what follows */
    bool has_lock;
    void *ctx;        /* the backend's; NULL until loaded */
    ims_err load_err; /* status IMS_OK while there is nothing to report */
    bool is_chosen;
    struct ims_device_choice choice;
    ims_err choice_err;
    size_t n_proofs;
    struct ims_device_proof proofs[IMS_MAX_PROOFS];
    struct ims_device_inventory *inventory; /* NULL until taken */
    struct ims_cuda_facts *cuda;            /* NULL until asked for */
    struct ims_vulkan_facts *vulkan;        /* the same */
    double load_ms;
};

struct ims_compute_session {
    struct ims_compute *compute;
    void *impl;
    struct ims_compute_ports ports;
    char label[64];
    size_t n_rows;                      /* of every run there is; 0 = any number */
    struct ims_compute_port *own_ports; /* with n_rows: what ports points to */
};

/* What the session's provider is told to fix: options->dims, and with static shapes static_dims. */
#define IMS_COMPUTE_MAX_DIMS 16
struct ims_fixed_dims {
    size_t n, n_rows; /* n_rows 0: free */
    struct ims_compute_dim dims[IMS_COMPUTE_MAX_DIMS];
};
ims_status ims__fixed_dims(struct ims_compute *c, const struct ims_compute_session_options *options,
                           struct ims_fixed_dims *out, ims_err *err) IMS_MUST_CHECK;
/* The rows of every port read as free. IMS_E_MODEL when they are not what was fixed. */
ims_status ims__session_free_rows(struct ims_compute_session *s, ims_err *err) IMS_MUST_CHECK;
/* A checked run of any number of rows, on a session with n_rows. */
ims_status ims__session_run_rows(struct ims_compute_session *s,
                                 const struct ims_compute_binding *in, size_t n_in,
                                 const struct ims_compute_binding *out, size_t n_out,
                                 ims_err *err) IMS_MUST_CHECK;

/* All five with the lock held. */
ims_status ims__compute_load(struct ims_compute *c, ims_err *err) IMS_MUST_CHECK;
/* Asks NVIDIA's driver, once; in a child where there are such. */
ims_status ims__compute_need_cuda(struct ims_compute *c, ims_err *err) IMS_MUST_CHECK;
ims_status ims__compute_inventory(struct ims_compute *c, ims_err *err) IMS_MUST_CHECK;
ims_status ims__compute_settle(struct ims_compute *c, ims_err *err) IMS_MUST_CHECK;
ims_status ims__compute_proof(struct ims_compute *c, struct ims_device_id id,
                              const struct ims_device_proof **out, ims_err *err) IMS_MUST_CHECK;

/* Does a session on this device live in a child? */
bool ims__compute_is_isolated(const struct ims_compute *c, struct ims_device_id id);
/* May the CPU stand in for a device that failed? Not when ONNX_PROVIDERS leaves it out. */
bool ims__compute_may_use_cpu(const struct ims_compute *c);

/* Does the choice depend on which device is faster? Only where nobody named one or gave an order. */
bool ims__compute_minds_speed(const struct ims_compute *c);

/* See session_shrink of the backend. */
bool ims__compute_session_shrink(struct ims_compute_session *s);

/* Opens on a device that is settled already; takes no lock. */
ims_status ims__compute_session_open_on(struct ims_compute *c, struct ims_compute_session **out,
                                        const struct ims_compute_graph *graph,
                                        const struct ims_compute_session_options *options,
                                        ims_err *err) IMS_MUST_CHECK;

#endif
