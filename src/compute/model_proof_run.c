/* The fixed inputs through a session: all together, one by itself, and against the clock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/model_proof_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

#define MAX_TIMED_RUNS 5
#define ENOUGH_NS 500000000u /* of timing; a single run may take longer */

struct inputs {
    size_t n;
    struct ims_compute_value v[IMS_PROOF_MAX_OUTPUTS];
};

static void release_values(struct ims_compute_value *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ims_tensor_release(&v[i].tensor);
}

void ims__proof_results_release(struct proof_results *r)
{
    for (size_t i = 0; i < r->n_cases * r->n_outputs; i++)
        ims_tensor_release(&r->t[i]);
    memset(r, 0, sizeof(*r));
}

static ims_status fill(const struct ims_proof_set *set, struct ims_compute_session *s, size_t which,
                       struct inputs *out, ims_err *err)
{
    ims_status st;

    memset(out, 0, sizeof(*out));
    st = set->fill(set->arg, s, which, out->v, &out->n, err);
    if (st)
        release_values(out->v, IMS_PROOF_MAX_OUTPUTS);
    return st;
}

static ims_status count_outputs(const struct ims_proof_set *set,
                                const struct ims_compute_session *s, size_t *out, ims_err *err)
{
    *out = ims_compute_session_n_outputs(s);
    if (*out == 0 || *out > IMS_PROOF_MAX_OUTPUTS)
        return ims_fail(err, IMS_E_MODEL, "proof", 0, "%s %s: %zu outputs, expected 1 to %d",
                        set->model, set->graph_name, *out, IMS_PROOF_MAX_OUTPUTS);
    return IMS_OK;
}

/* ---- rows ---- */

/* Rows first .. first + n of a value, going round at its end, in new memory. */
static ims_status take_rows(const struct ims_compute_value *v, size_t first, size_t n,
                            struct ims_compute_value *out, ims_err *err)
{
    size_t n_all = (size_t)v->tensor.shape[0], bytes = v->tensor.bytes / n_all;
    ims_status st;

    *out = *v;
    out->tensor.shape[0] = (int64_t)n;
    out->tensor.data = NULL;
    st = ims_tensor_alloc(&out->tensor, err);
    for (size_t i = 0; !st && i < n; i++)
        memcpy((uint8_t *)out->tensor.data + i * bytes,
               (const uint8_t *)v->tensor.data + (first + i) % n_all * bytes, bytes);
    return st;
}

static ims_status run_rows(struct ims_compute_session *s, const struct inputs *all, size_t first,
                           size_t n, struct ims_compute_value *out, size_t n_out, ims_err *err)
{
    struct inputs part = { .n = 0 };
    ims_status st = IMS_OK;

    for (; !st && part.n < all->n; part.n++)
        st = take_rows(&all->v[part.n], first, n, &part.v[part.n], err);
    memset(out, 0, n_out * sizeof(*out));
    if (!st)
        st = ims_compute_session_run(s, part.v, part.n, out, n_out, err);
    release_values(part.v, part.n);
    return st;
}

/* How many rows the graph takes at once; 0 = any number. */
static size_t fixed_rows(const struct ims_compute_session *s)
{
    const struct ims_compute_port *p = ims_compute_session_input(s, 0);

    return p && p->rank > 0 && p->shape[0] > 0 ? (size_t)p->shape[0] : 0;
}

/* Copies n rows of a part's outputs to their places, which are made with the first part. */
static ims_status keep_rows(const struct ims_compute_value *part, size_t n_out, size_t first,
                            size_t n, size_t n_all, struct ims_tensor *out, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n_out; i++) {
        const struct ims_tensor *t = &part[i].tensor;
        size_t bytes;

        if (t->rank == 0 || t->shape[0] <= 0 || (size_t)t->shape[0] < n)
            return ims_fail(err, IMS_E_MODEL, "proof", 0, "an output has fewer rows than the input");
        bytes = t->bytes / (size_t)t->shape[0];
        if (!out[i].data) {
            out[i] = *t;
            out[i].shape[0] = (int64_t)n_all;
            out[i].data = NULL;
            st = ims_tensor_alloc(&out[i], err);
        }
        if (!st)
            memcpy((uint8_t *)out[i].data + first * bytes, t->data, n * bytes);
    }
    return st;
}

/* All rows, in as many runs as the graph needs. */
static ims_status run_all_rows(struct ims_compute_session *s, const struct inputs *in,
                               struct ims_tensor *out, size_t n_out, ims_err *err)
{
    size_t n_all = (size_t)in->v[0].tensor.shape[0], step = fixed_rows(s);
    struct ims_compute_value part[IMS_PROOF_MAX_OUTPUTS];
    ims_status st = IMS_OK;

    if (step == 0)
        step = n_all;
    for (size_t first = 0; !st && first < n_all; first += step) {
        size_t n = n_all - first < step ? n_all - first : step;

        st = run_rows(s, in, first, step, part, n_out, err);
        if (st)
            break;
        st = keep_rows(part, n_out, first, n, n_all, out, err);
        release_values(part, n_out);
    }
    return st;
}

static ims_status run_case(const struct ims_proof_set *set, struct ims_compute_session *s,
                           const struct inputs *in, struct ims_tensor *out, size_t n_out,
                           ims_err *err)
{
    struct ims_compute_value values[IMS_PROOF_MAX_OUTPUTS];
    ims_status st;

    if (set->has_rows)
        return run_all_rows(s, in, out, n_out, err);
    memset(values, 0, sizeof(values));
    st = ims_compute_session_run(s, in->v, in->n, values, n_out, err);
    for (size_t i = 0; !st && i < n_out; i++)
        out[i] = values[i].tensor;
    return st;
}

/* ---- the door ---- */

static ims_status check_types(const struct ims_proof_set *set, const struct proof_results *r,
                              ims_err *err)
{
    for (size_t i = 0; i < r->n_cases * r->n_outputs; i++) {
        if (r->t[i].dtype != IMS_DTYPE_F32)
            return ims_fail(err, IMS_E_MODEL, "proof", 0, "%s %s: an output is %s, expected f32",
                            set->model, set->graph_name, ims_dtype_name(r->t[i].dtype));
    }
    return IMS_OK;
}

ims_status ims__proof_compute(const struct ims_proof_set *set, struct ims_compute_session *s,
                              struct proof_results *out, ims_err *err)
{
    struct proof_results r = { .n_cases = set->n_cases };
    ims_status st = count_outputs(set, s, &r.n_outputs, err);

    for (size_t i = 0; !st && i < set->n_cases; i++) {
        struct inputs in;

        st = fill(set, s, i, &in, err);
        if (st)
            break;
        st = run_case(set, s, &in, &r.t[i * r.n_outputs], r.n_outputs, err);
        release_values(in.v, in.n);
    }
    if (!st)
        st = check_types(set, &r, err);
    if (st) {
        ims__proof_results_release(&r);
        return st;
    }
    *out = r;
    return IMS_OK;
}

static bool is_row_of(const struct ims_compute_value *alone, const struct ims_tensor *all,
                      size_t row, struct ims_proof_bounds bounds)
{
    size_t n = ims_tensor_count(all) / (size_t)all->shape[0];

    return ims_tensor_count(&alone->tensor) == n && alone->tensor.dtype == all->dtype &&
           ims__proof_is_within(ims__proof_distance(alone->tensor.data,
                                                    (const float *)all->data + row * n, n),
                                bounds);
}

ims_status ims__proof_compute_alone(const struct ims_proof_set *set, struct ims_compute_session *s,
                                    size_t row, const struct proof_results *all,
                                    struct ims_proof_bounds bounds, bool *out_is_same, ims_err *err)
{
    struct ims_compute_value out[IMS_PROOF_MAX_OUTPUTS];
    struct inputs in;
    bool is_same = true;
    ims_status st;

    *out_is_same = true;
    if (!set->has_rows || fixed_rows(s))
        return IMS_OK;
    st = fill(set, s, 0, &in, err);
    if (st)
        return st;
    st = run_rows(s, &in, row, 1, out, all->n_outputs, err);
    release_values(in.v, in.n);
    if (st)
        return st;
    for (size_t i = 0; i < all->n_outputs; i++)
        is_same = is_same && is_row_of(&out[i], &all->t[i], row, bounds);
    release_values(out, all->n_outputs);
    *out_is_same = is_same;
    return IMS_OK;
}

ims_status ims__proof_speed(const struct ims_proof_set *set, struct ims_compute_session *s,
                            double *out_rows_per_s, ims_err *err)
{
    struct ims_tensor out[IMS_PROOF_MAX_OUTPUTS] = { { .dtype = IMS_DTYPE_NONE } };
    uint64_t best = UINT64_MAX, spent = 0;
    struct inputs in;
    size_t n_out, n_rows;
    ims_status st = count_outputs(set, s, &n_out, err);

    if (!st)
        st = fill(set, s, 0, &in, err);
    if (st)
        return st;
    n_rows = set->has_rows ? (size_t)in.v[0].tensor.shape[0] : 1;
    for (unsigned i = 0; !st && i <= MAX_TIMED_RUNS && spent < ENOUGH_NS; i++) {
        uint64_t start = ims__mono_ns(), ns;

        st = run_case(set, s, &in, out, n_out, err);
        ns = ims__mono_ns() - start;
        for (size_t k = 0; k < n_out; k++)
            ims_tensor_release(&out[k]);
        if (i == 0) /* the caches and the clock of the device are cold */
            continue;
        spent += ns;
        if (ns < best)
            best = ns;
    }
    release_values(in.v, in.n);
    if (!st)
        *out_rows_per_s = (double)n_rows * 1e9 / (double)(best ? best : 1);
    return st;
}
