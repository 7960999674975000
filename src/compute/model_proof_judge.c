/* What results must be: near the expected ones, and numbers at all.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/model_proof_internal.h"

#include <math.h>
#include <string.h>

struct ims_proof_bounds ims_proof_bounds(ims_device_kind kind, ims_precision precision)
{
    if (precision == IMS_PRECISION_INT8)
        return (struct ims_proof_bounds){ 0.97, 0.25 };
    if (precision == IMS_PRECISION_FP16)
        return (struct ims_proof_bounds){ 0.999, 5e-2 };
    switch (kind) {
    case IMS_DEVICE_COREML:
    case IMS_DEVICE_OPENVINO:
        return (struct ims_proof_bounds){ 0.999, 5e-2 };
    case IMS_DEVICE_TENSORRT:
        return (struct ims_proof_bounds){ 0.9999, 2e-2 };
    default:
        return (struct ims_proof_bounds){ 0.99999, 5e-3 };
    }
}

struct proof_distance ims__proof_distance(const float *got, const float *expected, size_t n)
{
    double xy = 0, xx = 0, yy = 0, largest = 0, worst = 0;

    for (size_t i = 0; i < n; i++) {
        double x = (double)got[i], y = (double)expected[i];

        if (!isfinite(x))
            return (struct proof_distance){ -1, HUGE_VAL };
        xy += x * y;
        xx += x * x;
        yy += y * y;
        largest = fmax(largest, fabs(y));
        worst = fmax(worst, fabs(x - y));
    }
    if (xx == 0 || yy == 0) /* no direction: alike only when both are zero */
        return xx == yy ? (struct proof_distance){ 1, 0 } : (struct proof_distance){ 0, HUGE_VAL };
    return (struct proof_distance){ xy / sqrt(xx * yy), worst / largest };
}

static size_t count_rows(const struct ims_tensor *t, bool has_rows)
{
    return has_rows ? (size_t)t->shape[0] : 1;
}

static bool have_same_shape(const struct ims_tensor *a, const struct ims_tensor *b)
{
    return a->rank == b->rank && a->bytes == b->bytes &&
           memcmp(a->shape, b->shape, a->rank * sizeof(a->shape[0])) == 0;
}

static bool are_equal(const struct ims_tensor *a, const struct ims_tensor *b)
{
    return have_same_shape(a, b) && memcmp(a->data, b->data, a->bytes) == 0;
}

static bool are_rows_equal(const struct ims_tensor *t)
{
    size_t n = (size_t)t->shape[0], bytes = n ? t->bytes / n : 0;

    for (size_t i = 1; i < n; i++) {
        if (memcmp((const uint8_t *)t->data + i * bytes, t->data, bytes) != 0)
            return false;
    }
    return true;
}

/* Every output of every input the same? One input says nothing. */
static bool is_constant(const struct proof_results *r, bool has_rows)
{
    size_t n_inputs = has_rows ? r->n_cases * (size_t)r->t[0].shape[0] : r->n_cases;

    for (size_t o = 0; o < r->n_outputs; o++) {
        if (has_rows && !are_rows_equal(&r->t[o]))
            return false;
        for (size_t c = 1; c < r->n_cases; c++) {
            if (!are_equal(&r->t[o], &r->t[c * r->n_outputs + o]))
                return false;
        }
    }
    return n_inputs > 1;
}

const char *ims__proof_absurd(const struct proof_results *r, bool has_rows)
{
    for (size_t i = 0; i < r->n_cases * r->n_outputs; i++) {
        if (!ims_tensor_is_finite(&r->t[i]))
            return "it gave results that are no numbers";
    }
    return is_constant(r, has_rows) ? "it gave one result for different inputs" : NULL;
}

bool ims__proof_compare(const struct proof_results *got, const struct proof_results *expected,
                        bool has_rows, struct proof_distance *out)
{
    struct proof_distance all = { 1, 0 };

    if (got->n_cases != expected->n_cases || got->n_outputs != expected->n_outputs)
        return false;
    for (size_t i = 0; i < got->n_cases * got->n_outputs; i++) {
        const struct ims_tensor *g = &got->t[i], *e = &expected->t[i];
        size_t n_rows = count_rows(g, has_rows), n = n_rows ? ims_tensor_count(g) / n_rows : 0;

        if (!have_same_shape(g, e))
            return false;
        for (size_t r = 0; r < n_rows; r++) {
            struct proof_distance d = ims__proof_distance((const float *)g->data + r * n,
                                                          (const float *)e->data + r * n, n);

            all.min_cosine = fmin(all.min_cosine, d.min_cosine);
            all.max_difference = fmax(all.max_difference, d.max_difference);
        }
    }
    *out = all;
    return true;
}

bool ims__proof_is_within(struct proof_distance d, struct ims_proof_bounds b)
{
    return d.min_cosine >= b.min_cosine && d.max_difference <= b.max_difference;
}
