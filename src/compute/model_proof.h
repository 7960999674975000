/* Proof before use, of a model's own graph: fixed inputs through it on a device, compared with
 * float32 results that are known.
 *
 * The test graph (ims_compute_prove) shows that a device computes at all; this shows that it
 * computes this model. Whoever has a graph describes it once, as a struct ims_proof_set, and either
 * gives it to a pool (ims_pool_options.proof) or asks here. What must come out is
 *   - the reference results that came with the model, where there are such, or
 *   - what the CPU gives in float32, computed once for a model and stored.
 * A device passes when its results are finite, differ from input to input, are near the expected
 * ones (bounds), and are the same for a row alone as for that row in a batch.
 *
 * Verdicts are kept in the handle, and below cache_dir/proofs in a file per device, its driver, the
 * runtime, model, graph, precision and inputs; a file that is damaged or of another recipe is as good
 * as none. A device that could not be asked (no session, out of memory, ended) is not written down:
 * the next process asks again.
 *
 * Thread-safe; a proof that is being made keeps others waiting.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_MODEL_PROOF_H
#define IMS_COMPUTE_MODEL_PROOF_H

#include "compute/compute.h"
#include "compute/precision.h"

#define IMS_PROOF_MAX_CASES 4
#define IMS_PROOF_MAX_OUTPUTS 16
#define IMS_PROOF_MAX_VERDICTS 64 /* that a handle remembers */

/* How near results must be. Cosine of every row with the expected one, and the largest difference
 * of a number as a part of the row's largest number. */
struct ims_proof_bounds {
    double min_cosine;
    double max_difference;
};
/* float32: 1e-5 and less is usual, so these leave room for other orders of summation only; Core ML
 * and OpenVINO compute in halves where the hardware likes that better, TensorRT in TF32. */
struct ims_proof_bounds ims_proof_bounds(ims_device_kind kind, ims_precision precision);

struct ims_proof_set {
    const char *model;      /* its name, for messages */
    const char *digest;     /* what tells it from another of that name */
    const char *graph_name; /* "image", "text", "detect" */
    ims_precision precision;
    struct ims_compute_graph graph; /* what is proven */
    /* The same model in float32. All zero: graph is that. */
    struct ims_compute_graph reference;
    const struct ims_compute_dim *static_dims; /* of the sessions' options */
    size_t n_static_dims;
    unsigned version; /* of the inputs and of the graph's making: raise it when one changes */
    /* Every input and output has rows as its first dimension, and fill gives several at once. A
     * graph that insists on fewer rows at a time is given as many. */
    bool has_rows;
    size_t n_cases; /* sets of inputs: 1 .. IMS_PROOF_MAX_CASES; 1 will do where there are rows */
    /* Allocates the inputs of case which (ims_tensor_alloc) for a session of either graph; they are
     * released here, also after a failure. Its error is the model's: no verdict about a device. */
    ims_status (*fill)(void *arg, const struct ims_compute_session *s, size_t which,
                       struct ims_compute_value *in, size_t *out_n, ims_err *err);
    /* (optional) The first output of a case, from the reference implementation; NULL = not known.
     * Lives as long as arg. */
    const float *(*golden)(void *arg, size_t which, size_t *out_n);
    void *arg;
};

struct ims_proof_verdict {
    struct ims_device_id device;
    char model[64];
    char graph_name[16];
    ims_precision precision;
    ims_proof_state state;
    char text[IMS_DEVICE_TEXT_BYTES];
    bool has_numbers;       /* the two below; not when the device could not be asked */
    double min_cosine;      /* of any row with the expected one */
    double max_difference;  /* see ims_proof_bounds */
    double rows_per_s;      /* 0 = not measured: only auto asks for it */
    double cpu_rows_per_s;  /* of the CPU at the time, with n_threads */
    unsigned n_threads;
    bool is_stored;         /* read from a file: made by an earlier process */
    int64_t made_us;        /* when; since 1970, UTC */
    size_t batch;            /* rows at a time that gave most a second (pool_batch.h); 0 = not known */
    double batch_rows_per_s; /* at that size */
};

/* The verdict about one device. A device that is not the CPU is also timed against it when
 * with_speed: then the state may be IMS_PROOF_SLOWER. Errors are those of the model on the CPU (a
 * graph that is refused, results that are none: IMS_E_MODEL), IMS_E_NOMEM and IMS_E_RUNTIME. */
ims_status ims_compute_prove_model(struct ims_compute *c, const struct ims_proof_set *set,
                                   struct ims_device_id id, bool with_speed,
                                   struct ims_proof_verdict *out, ims_err *err) IMS_MUST_CHECK;

/* ims_compute_choose for one graph: a candidate must pass the test graph and then this proof; auto,
 * where ONNX_PROVIDERS gives no order, also skips one that is slower than the CPU. set NULL: the
 * test graph alone. */
ims_status ims_compute_choose_for(struct ims_compute *c, const struct ims_proof_set *set,
                                  struct ims_device_choice *out, ims_err *err) IMS_MUST_CHECK;

/* The verdicts that this handle came by, oldest first, at most max; how many were written. */
size_t ims_compute_verdicts(struct ims_compute *c, struct ims_proof_verdict *out, size_t max);

#endif
