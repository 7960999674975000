/* Counting cosines of pairs on a fine grid, and what a threshold on it accepts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/projection/separation.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>

#define CELLS_PER_UNIT 32768
#define N_CELLS (2 * CELLS_PER_UNIT + 1)

struct counts {
    uint64_t *same, *different; /* N_CELLS each */
    size_t n_same, n_different;
    double sum_same, sum_different;
};

static size_t cell_of(float cosine)
{
    double at = ((double)cosine + 1.0) * CELLS_PER_UNIT;

    if (!(at > 0.0))
        return 0;
    return at >= N_CELLS - 1 ? N_CELLS - 1 : (size_t)at;
}

static void count_probe(struct counts *c, const struct ims_separation_faces *f, size_t probe,
                        const float *cosines)
{
    for (size_t i = 0; i < probe; i++) {
        if (f->persons[i] == f->persons[probe]) {
            c->same[cell_of(cosines[i])]++;
            c->n_same++;
            c->sum_same += (double)cosines[i];
        } else {
            c->different[cell_of(cosines[i])]++;
            c->n_different++;
            c->sum_different += (double)cosines[i];
        }
    }
}

static double rate_of_probe(const struct ims_separation_faces *f, size_t probe, const float *cosines,
                            size_t lowest_cell)
{
    size_t n = 0, accepted = 0;

    for (size_t i = 0; i < probe; i++) {
        if (f->persons[i] != f->persons[probe])
            continue;
        n++;
        accepted += cell_of(cosines[i]) >= lowest_cell;
    }
    return n ? (double)accepted / (double)n : -1.0;
}

/* The lowest cell from which upwards at most max_far of the different pairs lie. */
static size_t cut(const struct counts *c, double max_far, struct ims_separation *out)
{
    const uint64_t allowed = (uint64_t)(max_far * (double)c->n_different);
    uint64_t wrong = 0, right = 0;
    size_t cell = N_CELLS;

    while (cell > 0 && wrong + c->different[cell - 1] <= allowed) {
        cell--;
        wrong += c->different[cell];
        right += c->same[cell];
    }
    *out = (struct ims_separation){
        .n_same = c->n_same,
        .n_different = c->n_different,
        .threshold = (double)cell / CELLS_PER_UNIT - 1.0,
        .false_accept_rate = (double)wrong / (double)c->n_different,
        .true_accept_rate = (double)right / (double)c->n_same,
        .mean_same = c->sum_same / (double)c->n_same,
        .mean_different = c->sum_different / (double)c->n_different,
    };
    return cell;
}

ims_status ims_separation_measure(const struct ims_separation_faces *f, double max_far,
                                  struct ims_separation *out, double *out_probe_rates, ims_err *err)
{
    const struct ims_kernels *k = ims__kernels();
    struct counts c = { 0 };
    float *cosines = ims__alloc(f->n, sizeof(*cosines));
    ims_status st = IMS_OK;
    size_t cell;

    c.same = ims__zalloc(N_CELLS, sizeof(*c.same));
    c.different = ims__zalloc(N_CELLS, sizeof(*c.different));
    if (!cosines || !c.same || !c.different) {
        st = ims_fail(err, IMS_E_NOMEM, "projection", 0, "comparing %zu faces", f->n);
        goto out;
    }
    for (size_t i = f->n_gallery; i < f->n; i++) {
        k->dot_f32_rows(f->rows + i * f->dim, f->rows, f->dim, i, f->dim, cosines);
        count_probe(&c, f, i, cosines);
    }
    if (c.n_same == 0 || c.n_different == 0) {
        st = ims_fail(err, IMS_E_INVALID, "projection", 0,
                      "measuring needs held-out pairs of the same person and of different ones");
        goto out;
    }
    cell = cut(&c, max_far, out);
    for (size_t i = f->n_gallery; out_probe_rates && i < f->n; i++) {
        k->dot_f32_rows(f->rows + i * f->dim, f->rows, f->dim, i, f->dim, cosines);
        out_probe_rates[i - f->n_gallery] = rate_of_probe(f, i, cosines, cell);
    }
out:
    ims__free(cosines);
    ims__free(c.same);
    ims__free(c.different);
    return st;
}

bool ims_separation_gain(const double *before, const double *after, size_t n_probes, double *out_mean,
                         double *out_error)
{
    double sum = 0.0, squares = 0.0, mean;
    size_t n = 0;

    for (size_t i = 0; i < n_probes; i++) {
        if (before[i] < 0.0)
            continue;
        sum += after[i] - before[i];
        squares += (after[i] - before[i]) * (after[i] - before[i]);
        n++;
    }
    if (n < 2)
        return false;
    mean = sum / (double)n;
    *out_mean = mean;
    *out_error = sqrt(fmax(0.0, squares / (double)n - mean * mean) / (double)(n - 1));
    return true;
}
