/* One computation: checks its input, runs its threads, tells its caller how far it is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>

#define LENGTH_TOLERANCE 0.01

static ims_status check_points(const struct ims_points *p, ims_err *err)
{
    if (p->n > IMS_GRAPH_MAX_POINTS)
        return ims_fail(err, IMS_E_LIMIT, "cluster", 0, "%zu faces are more than the %zu that one clustering takes",
                        p->n, IMS_GRAPH_MAX_POINTS);
    if (p->n && (p->dim == 0 || p->dim > IMS_TILE_U8_MAX))
        return ims_fail(err, IMS_E_DIMENSION, "cluster", 0, "vectors of %zu numbers; 1 to %d are possible", p->dim,
                        IMS_TILE_U8_MAX);
    for (size_t i = 1; i < p->n; i++) {
        if (p->ids[i] <= p->ids[i - 1])
            return ims_fail(err, IMS_E_INVALID, "cluster", 0, "face %" PRId64 " comes after face %" PRId64
                            ": ids must rise", p->ids[i], p->ids[i - 1]);
    }
    return IMS_OK;
}

static ims_status measure_lengths(struct run *r, ims_err *err)
{
    const struct ims_points *p = r->points;
    double worst = 0;

    for (size_t i = 0; i < p->n; i++) {
        const float *v = p->vectors + i * p->dim;
        double length = sqrt(r->kernels->dot_wide(v, v, p->dim));

        if (!(fabs(length - 1) <= LENGTH_TOLERANCE)) /* NaN too */
            return ims_fail(err, IMS_E_INVALID, "cluster", 0, isfinite(length)
                            ? "the vector of face %" PRId64 " has length %g instead of 1; make its embedding again"
                            : "the vector of face %" PRId64 " is not finite (%g); make its embedding again",
                            p->ids[i], length);
        r->inverse[i] = 1 / length;
        worst = fmax(worst, fabs(r->inverse[i] - 1));
    }
    r->length_slack = 2 * worst + worst * worst;
    return IMS_OK;
}

ims_status ims__run_init(struct run *r, const struct ims_points *points, const struct ims_graph_options *options,
                         ims_err *err)
{
    ims_status st = check_points(points, err);

    if (st)
        return st;
    *r = (struct run){ .points = points, .options = *options };
    atomic_init(&r->is_cancelled, false);
    r->kernels = options->kernels ? options->kernels : ims__kernels();
    if (r->options.n_threads == 0)
        r->options.n_threads = 1;
    if (r->options.n_threads > MAX_WORKERS)
        r->options.n_threads = MAX_WORKERS;
    if (r->options.n_neighbours == 0)
        r->options.n_neighbours = IMS_GRAPH_NEIGHBOURS;
    if (r->options.max_samples == 0)
        r->options.max_samples = IMS_GRAPH_MAX_SAMPLES;
    if (r->options.max_bytes == 0)
        r->options.max_bytes = IMS_GRAPH_DEFAULT_BYTES;
    if (r->options.max_samples > r->options.n_neighbours)
        return ims_fail(err, IMS_E_INVALID, "cluster", 0, "min_samples up to %u need at least as many neighbours, not %u",
                        r->options.max_samples, r->options.n_neighbours);
    r->inverse = ims__alloc(points->n, sizeof(*r->inverse));
    if (!r->inverse)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "the lengths of %zu vectors", points->n);
    st = measure_lengths(r, err);
    if (st)
        ims__run_release(r);
    return st;
}

void ims__run_release(struct run *r)
{
    ims__free(r->inverse);
    r->inverse = NULL;
}

static float round_cosine(double c)
{
    return (float)(c > 1 ? 1 : c < -1 ? -1 : c);
}

float ims__run_cosine(const struct run *r, size_t i, size_t j)
{
    const struct ims_points *p = r->points;
    double dot = r->kernels->dot_wide(p->vectors + i * p->dim, p->vectors + j * p->dim, p->dim);

    return round_cosine(dot * (r->inverse[i] * r->inverse[j]));
}

float ims__cosine(const float *a, double inverse_a, const float *b, double inverse_b, size_t dim)
{
    return round_cosine(ims__kernels()->dot_wide(a, b, dim) * (inverse_a * inverse_b));
}

bool ims__run_report(struct run *r, const char *phase, double fraction)
{
    if (r->options.on_progress && !r->options.on_progress(r->options.arg, phase, fraction))
        atomic_store(&r->is_cancelled, true);
    return !atomic_load(&r->is_cancelled);
}

struct worker {
    void (*fn)(void *arg, unsigned worker);
    void *arg;
    unsigned number;
};

static void run_worker(void *p)
{
    const struct worker *w = p;

    w->fn(w->arg, w->number);
}

void ims__run_parallel(struct run *r, void (*fn)(void *arg, unsigned worker), void *arg)
{
    struct ims_thread threads[MAX_WORKERS] = { 0 };
    struct worker workers[MAX_WORKERS];

    for (unsigned i = 1; i < r->options.n_threads; i++) {
        workers[i] = (struct worker){ fn, arg, i };
        if (ims__thread_start(&threads[i], "cluster", run_worker, &workers[i], NULL))
            break;
    }
    fn(arg, 0);
    for (unsigned i = 1; i < r->options.n_threads; i++)
        ims__thread_join(&threads[i]);
}
