/* Choosing the units that a query reads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/job.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define SAMPLE 2048      /* rows whose scores tell the deviation */
#define TAIL 4           /* the TAIL-th best of them, 1 in 512, is */
#define TAIL_Z 2.886f    /* so many deviations above the mean, if they are normal */
#define PROMISE 4.0f     /* units are ordered by what their best row may score: so many deviations above the mean */
#define N_STEPS 1024     /* of that order */
#define UNITS_PER_VIEW (IMS_SEGMENT_SLOTS / IMS_UNIT_SLOTS)
#define Z_MARGIN 1.0f    /* a hit that is missed would be so much farther from its mean than any that was found */
#define FAR 7.0f         /* Q of it is 1e-12 */
#define Q_FAR 1.3e-12f

static bool has_parts(const struct ims_view *v)
{
    return v->is_sealed && v->n_coded && v->segment->parts;
}

static size_t count_covered(const struct ims_snapshot *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_views; i++)
        n += has_parts(&s->views[i]) && s->views[i].is_ordered ? s->views[i].n_coded : 0;
    return n;
}

/* An upper bound of the normal distribution's tail: phi(x) / x. */
static float tail_of(float x)
{
    if (x >= FAR)
        return Q_FAR;
    return x > 1 ? expf(-0.5f * x * x) * 0.39894228f / x : 1.0f;
}

static float score_of_mean(const struct ims_job *j, size_t view, uint32_t unit)
{
    const struct ims_query_code *q = &j->codes[j->code_of_view[view]];
    const struct ims_segment *s = j->snapshot->views[view].segment;
    const struct ims_part *p = &s->parts[unit];
    int32_t dot = ims__kernels()->dot_i8(q->bytes, s->part_bytes + (size_t)unit * s->byte_stride, s->dim);

    return q->along * p->centre + q->byte_scale * p->byte_scale * (float)dot;
}

/* All units that have rows; those without a mean, or with rows beyond it, are read whatever happens. */
static void list_units(const struct ims_job *j, struct ims_probe *p)
{
    for (size_t view = 0; view < j->snapshot->n_views; view++) {
        const struct ims_view *v = &j->snapshot->views[view];

        for (uint32_t unit = 0; unit < ims__n_parts(v->n_rows); unit++) {
            uint32_t from = unit * IMS_UNIT_SLOTS, n = v->n_rows - from;
            struct ims_probed *u = &p->units[p->n++];

            n = n < IMS_UNIT_SLOTS ? n : IMS_UNIT_SLOTS;
            *u = (struct ims_probed){ .at = IMS_AT(view, unit), .n_rows = n };
            p->n_rows += n;
            if (has_parts(v) && (v->is_ordered || !p->may_skip) && v->segment->parts[unit].n_coded == n) {
                u->score = score_of_mean(j, view, unit);
                u->per_deviation = 1.0f / fmaxf(v->segment->parts[unit].spread, 1e-9f);
                if (!isfinite(u->score) || !(u->per_deviation > 0)) /* a file that lies with the right checksum */
                    u->per_deviation = 0;
            }
        }
    }
}

static int from_high(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

/* How far the scores of rows are from those of their means, in spreads: one row each of units here and there. */
static float learn_deviation(const struct ims_job *j, const struct ims_probe *p)
{
    float z[SAMPLE], square = 0;
    size_t n = 0;
    uint64_t state = 1;

    for (size_t i = 0; i < SAMPLE; i++) {
        const struct ims_probed *u = &p->units[i * p->n / SAMPLE];
        uint32_t slot;

        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        slot = (u->at & 0xffffu) * IMS_UNIT_SLOTS + (uint32_t)(state >> 33) % u->n_rows;
        if (u->per_deviation <= 0)
            continue;
        z[n] = (ims__job_score_bytes(j, u->at >> 16, slot) - u->score) * u->per_deviation;
        square += z[n] * z[n];
        n++;
    }
    if (n < SAMPLE / 2)
        return 0;
    qsort(z, n, sizeof(z[0]), from_high);
    return fmaxf(sqrtf(square / (float)n), z[n * TAIL / SAMPLE] / TAIL_Z);
}

static float promise_of(const struct ims_probed *u)
{
    return u->per_deviation > 0 ? u->score + PROMISE / u->per_deviation : INFINITY;
}

/* In steps of promise, the highest first. */
static bool sort_units(struct ims_probe *p)
{
    struct ims_probed *sorted = ims__alloc(p->n, sizeof(*sorted));
    uint32_t starts[N_STEPS + 2] = { 0 };
    float low = INFINITY, high = -INFINITY, factor;

    if (!sorted)
        return false;
    for (size_t i = 0; i < p->n; i++) {
        float promise = promise_of(&p->units[i]);

        if (isinf(promise))
            continue;
        low = fminf(low, promise);
        high = fmaxf(high, promise);
    }
    factor = high > low ? (float)(N_STEPS - 1) / (high - low) : 0.0f;
#define STEP_OF(u) (isinf(promise_of(u)) ? 0u : 1u + (uint32_t)((high - promise_of(u)) * factor))
    for (size_t i = 0; i < p->n; i++)
        starts[STEP_OF(&p->units[i]) + 1]++;
    for (size_t i = 0; i <= N_STEPS; i++)
        starts[i + 1] += starts[i];
    for (size_t i = 0; i < p->n; i++)
        sorted[starts[STEP_OF(&p->units[i])]++] = p->units[i];
#undef STEP_OF
    ims__free(p->units);
    p->units = sorted;
    return true;
}

bool ims__probe_prepare(struct ims_job *j)
{
    struct ims_probe *p = &j->probe;
    float deviation;

    p->may_skip = count_covered(j->snapshot) >= j->rules->skip_rows;
    if (!p->may_skip && !j->has_pass)
        return true;
    p->units = ims__alloc(j->snapshot->n_views * UNITS_PER_VIEW, sizeof(*p->units));
    if (!p->units)
        return false;
    list_units(j, p);
    /* without skipping a guess will do: that of directions without a preference */
    deviation = p->may_skip ? learn_deviation(j, p) : j->codes[0].length / sqrtf((float)j->rules->rotation->dim);
    if (!(deviation > 0) || isinf(deviation)) {
        p->may_skip = false;
        p->n = 0;
        return true;
    }
    for (size_t i = 0; i < p->n; i++)
        p->units[i].per_deviation /= deviation;
    p->deviation = deviation;
    ims__floor_init(&p->farthest);
    if (!sort_units(p))
        return false;
    p->budget = j->rules->miss * IMS_SKIP_SHARE * (double)j->k;
    atomic_init(&p->until, p->n);
    return true;
}

bool ims__probe_next(struct ims_probe *p, uint32_t *out_at)
{
    size_t i = atomic_load_explicit(&p->next, memory_order_relaxed);

    do {
        if (i >= atomic_load_explicit(&p->until, memory_order_relaxed))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&p->next, &i, i + 1, memory_order_relaxed, memory_order_relaxed));
    *out_at = p->units[i].at;
    atomic_fetch_add_explicit(&p->n_rows_read, p->units[i].n_rows, memory_order_relaxed);
    return true;
}

bool ims__probe_has_next(struct ims_probe *p)
{
    return atomic_load_explicit(&p->next, memory_order_relaxed) < atomic_load_explicit(&p->until, memory_order_relaxed);
}

/* The z of what one thread holds above the floor. */
static void look_at_hits(struct ims_job *j, const struct ims_collector *c, float floor)
{
    for (size_t i = 0; i < c->n_kept; i++) {
        size_t view = c->kept[i].at >> 16;
        uint32_t unit = (c->kept[i].at & 0xffffu) / IMS_UNIT_SLOTS;
        const struct ims_view *v = &j->snapshot->views[view];
        const struct ims_part *part = has_parts(v) ? &v->segment->parts[unit] : NULL;

        if (c->kept[i].score >= floor && part && part->n_coded && part->spread > 0)
            ims__floor_raise(&j->probe.farthest, (c->kept[i].score - score_of_mean(j, view, unit)) /
                                                     (part->spread * j->probe.deviation));
    }
}

void ims__probe_narrow(struct ims_job *j, unsigned thread)
{
    struct ims_probe *p = &j->probe;
    float floor = ims__floor_get(&j->floor), least_z;
    size_t i = p->n;
    double lost = 0;

    if (isinf(floor) || !p->may_skip)
        return;
    look_at_hits(j, &j->collectors[thread], floor);
    least_z = ims__floor_get(&p->farthest) + Z_MARGIN;
    for (; i > 0 && p->units[i - 1].per_deviation > 0; i--) {
        const struct ims_probed *u = &p->units[i - 1];
        float z = (floor - u->score) * u->per_deviation;

        lost += (double)((float)u->n_rows * tail_of(z));
        if (lost > p->budget || z < least_z)
            break;
    }
    atomic_store_explicit(&p->until, i, memory_order_relaxed);
}

size_t ims__probe_skipped(struct ims_probe *p)
{
    return p->n_rows - atomic_load(&p->n_rows_read);
}
