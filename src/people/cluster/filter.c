/* What finds candidate pairs fast: vectors as bytes with a known error, or as they are.
 *
 * A vector is x = step * q + e with q the bytes less 128. For two of them
 *     x . y - step^2 (q . p) = e_x . y + (step * q) . e_y,  at most |e_x| |y| + (|x| + |e_x|) |e_y|,
 * so the largest error of all and a vector's own bound what a score of the vector can be off.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define N_SAMPLE 512    /* vectors from which the step is chosen */
#define SLACK 2e-6      /* of rounding scores and bounds to float */
#define PADDING_ROWS 64 /* a tile may reach past the last row */

/* Writes the bytes of x; returns the length of the error. */
static double quantise(const float *x, double inverse, size_t dim, float step, uint8_t *out)
{
    float scale = (float)(inverse / (double)step);
    double sum = 0;

    for (size_t i = 0; i < dim; i++) {
        float v = x[i] * scale;

        v = v > 127 ? 127 : v < -127 ? -127 : v;
        out[i] = (uint8_t)(v + 128.5f);
    }
    for (size_t i = 0; i < dim; i++) {
        float e = (float)((double)x[i] * inverse) - step * (float)(out[i] - 128);

        sum += (double)(e * e);
    }
    return sqrt(sum) + 1e-6;
}

/* The sum of a sample's mean error and of the largest one, that of face i included: about what a margin will be. */
static double expected_margin(const struct run *r, float step, size_t i, uint8_t *scratch)
{
    const struct ims_points *p = r->points;
    size_t stride = p->n > N_SAMPLE ? p->n / N_SAMPLE : 1, n = 0;
    double sum = 0, largest = quantise(p->vectors + i * p->dim, r->inverse[i], p->dim, step, scratch);

    for (size_t j = 0; j < p->n; j += stride, n++) {
        double error = quantise(p->vectors + j * p->dim, r->inverse[j], p->dim, step, scratch);

        sum += error;
        largest = fmax(largest, error);
    }
    return sum / (double)n + largest;
}

/* A smaller step is finer, but cuts off the largest elements. */
static float choose_step(const struct run *r, uint8_t *scratch)
{
    const struct ims_points *p = r->points;
    float largest = 0, best = 0;
    double best_margin = INFINITY;
    size_t at = 0;

    for (size_t i = 0; i < p->n * p->dim; i++) {
        if (fabsf(p->vectors[i]) > largest) {
            largest = fabsf(p->vectors[i]);
            at = i / p->dim;
        }
    }
    for (float part = 1.0f; part > 0.1f; part *= 0.9f) {
        float step = largest * part / 127;
        double margin = expected_margin(r, step, at, scratch);

        if (margin < best_margin) {
            best_margin = margin;
            best = step;
        }
    }
    return best;
}

struct quantise_job {
    struct filter *f;
    struct run *r;
    const uint32_t *order;
    atomic_size_t next;
};

static void quantise_rows(void *arg, unsigned worker)
{
    struct quantise_job *job = arg;
    const struct ims_points *p = job->r->points;

    (void)worker;
    for (;;) {
        size_t first = atomic_fetch_add(&job->next, SWEEP_BLOCK);

        if (first >= p->n)
            return;
        for (size_t row = first; row < first + SWEEP_BLOCK && row < p->n; row++) {
            size_t i = job->order ? job->order[row] : row;
            double error = quantise(p->vectors + i * p->dim, job->r->inverse[i], p->dim, job->f->step,
                                    job->f->bytes + row * job->f->stride);

            job->f->margins[i] = (float)error;
        }
    }
}

static void quantise_all(struct filter *f, struct run *r, const uint32_t *order)
{
    struct quantise_job job = { .f = f, .r = r, .order = order };
    double largest = 0;

    atomic_init(&job.next, 0);
    ims__run_parallel(r, quantise_rows, &job);
    for (size_t i = 0; i < r->points->n; i++)
        largest = fmax(largest, (double)f->margins[i]);
    for (size_t i = 0; i < r->points->n; i++) {
        double own = (double)f->margins[i];

        f->margins[i] = (float)(own + largest + own * largest + SLACK);
    }
}

ims_status ims__filter_init(struct filter *f, struct run *r, bool is_u8, ims_err *err)
{
    const struct ims_points *p = r->points;

    *f = (struct filter){ .is_u8 = is_u8, .unit = 1 };
    f->margins = ims__alloc(p->n, sizeof(*f->margins));
    if (!f->margins)
        goto nomem;
    if (!is_u8) {
        for (size_t i = 0; i < p->n; i++)
            f->margins[i] = (float)(((double)p->dim + 8) * 0x1p-24 * 1.05 + r->length_slack + SLACK);
        return IMS_OK;
    }
    f->stride = (p->dim + 63) / 64 * 64;
    f->bytes = ims__aligned_alloc(64, p->n + PADDING_ROWS, f->stride);
    if (!f->bytes)
        goto nomem;
    memset(f->bytes, 128, (p->n + PADDING_ROWS) * f->stride);
    f->step = choose_step(r, f->bytes);
    memset(f->bytes, 128, f->stride);
    f->unit = (double)f->step * (double)f->step;
    quantise_all(f, r, NULL);
    return IMS_OK;
nomem:
    ims__filter_release(f);
    return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "the compact form of %zu vectors", p->n);
}

void ims__filter_order(struct filter *f, struct run *r, const uint32_t *order)
{
    if (f->is_u8)
        quantise_all(f, r, order);
}

void ims__filter_release(struct filter *f)
{
    ims__free(f->bytes);
    ims__free(f->margins);
    f->bytes = NULL;
    f->margins = NULL;
}
