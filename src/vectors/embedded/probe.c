/* Choosing the units that a query reads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/job.h"

#include "base/mem.h"
#include "vectors/embedded/cells.h"

#include <math.h>

#define ROWS_OF_PLACE 4  /* neighbours of each other, drawn at each of IMS_PROBE_PLACES */
#define SAMPLE (IMS_PROBE_PLACES * ROWS_OF_PLACE)
#define AHEAD 8          /* places asked for before they are needed */
#define TAIL 512         /* the second best of SAMPLE, 1 in TAIL, is */
#define TAIL_Z 2.886f    /* so many deviations above the mean, if they are normal */
#define PROMISE 4.0f     /* units are ordered by what their best row may score: so many deviations above the mean */
#define N_STEPS 1024     /* of that order */
#define UNITS_PER_VIEW (IMS_SEGMENT_SLOTS / IMS_UNIT_SLOTS)
#define Z_MARGIN 1.25f    /* a hit that is missed would be so much farther from its mean than any that was found */
#define FAR 7.0f         /* Q of it is 1e-12 */
#define LEAST_CELL_Z 4.0f /* from there to FAR in steps */
#define CELL_STEPS_PER_Z 16.0f
#define N_CELL_STEPS 48
#define Q_FAR 1.3e-12f

static bool has_parts(const struct ims_view *v)
{
    return v->is_sealed && v->n_coded && v->segment->parts;
}

static bool is_in_order(const struct ims_job *j, const struct ims_view *v)
{
    return has_parts(v) && v->segment->n_cells && (!v->is_read_whole || j->rules->is_trial);
}

/* An upper bound of the normal distribution's tail: phi(x) / x. */
static float tail_of(float x)
{
    if (x >= FAR)
        return Q_FAR;
    return x > 1 ? expf(-0.5f * x * x) * 0.39894228f / x : 1.0f;
}

static float score_of_unit(const struct ims_job *j, size_t view, uint32_t unit)
{
    const struct ims_segment *s = j->snapshot->views[view].segment;

    return ims__job_score_part(j, view, &s->parts[unit], s->part_bytes + (size_t)unit * s->byte_stride);
}

static float score_of_cell(const struct ims_job *j, size_t view, uint32_t cell)
{
    const struct ims_segment *s = j->snapshot->views[view].segment;

    return ims__job_score_part(j, view, &s->cells[cell], s->cell_bytes + (size_t)cell * s->byte_stride);
}

/* Of n rows of a unit. */
static uint32_t count_allowed(const struct ims_job *j, size_t view, uint32_t unit, uint32_t n)
{
    const struct ims_filter_part *p = j->filter ? j->filter->parts[view] : NULL;

    if (!j->filter)
        return n;
    if (!p)
        return 0;
    if (p->slots)
        return (uint32_t)(p->starts[unit + 1] - p->starts[unit]);
    return (uint32_t)ims__kernels()->keep_bits(p->bits + unit * IMS_UNIT_WORDS, NULL, IMS_UNIT_WORDS, NULL);
}

/* All units of which rows are allowed; those without a mean come first. usual: how far a score is from its mean's, in spreads. */
static void list_units(const struct ims_job *j, struct ims_probe *p, float usual)
{
    for (size_t view = 0; view < j->snapshot->n_views; view++) {
        const struct ims_view *v = &j->snapshot->views[view];

        for (uint32_t unit = 0; unit < ims__n_parts(v->n_rows); unit++) {
            uint32_t n = v->n_rows - unit * IMS_UNIT_SLOTS;
            float promise = INFINITY;

            n = count_allowed(j, view, unit, n < IMS_UNIT_SLOTS ? n : IMS_UNIT_SLOTS);
            if (!n)
                continue;
            if (has_parts(v) && v->segment->parts[unit].n_coded)
                promise = score_of_unit(j, view, unit) + PROMISE * usual * v->segment->parts[unit].spread;
            p->units[p->n++] = (struct ims_probed){ .promise = isfinite(promise) ? promise : INFINITY, .at = IMS_AT(view, unit) };
            p->n_rows += n;
        }
    }
}

/* Some neighbouring rows. */
struct drawn {
    uint32_t view, slot; /* the first of them */
};

static size_t draw_places(const struct ims_job *j, struct drawn *out)
{
    const struct ims_probe *p = &j->probe;
    uint64_t state = 1;
    size_t n = 0;

    for (size_t i = 0; i < IMS_PROBE_PLACES; i++) {
        uint32_t at = p->units[i * p->n / IMS_PROBE_PLACES].at, unit = at & 0xffffu;
        const struct ims_view *v = &j->snapshot->views[at >> 16];

        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if (is_in_order(j, v) && v->segment->parts[unit].n_coded >= ROWS_OF_PLACE)
            out[n++] = (struct drawn){ .view = at >> 16,
                                       .slot = unit * IMS_UNIT_SLOTS + (uint32_t)(state >> 33) %
                                           (v->segment->parts[unit].n_coded / ROWS_OF_PLACE) * ROWS_OF_PLACE };
    }
    return n;
}

static void ask_for_place(const struct ims_job *j, const struct drawn *d)
{
    for (uint32_t i = 0; i < ROWS_OF_PLACE; i++)
        ims__job_ask_for_bytes(j, d->view, d->slot + i);
}

_Static_assert(SAMPLE == 2 * TAIL, "the second best of the sample is the tail's");

static float deviation_of(const float *z, size_t n)
{
    float square = 0, best = -INFINITY, second = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        square += z[i] * z[i];
        second = fmaxf(second, fminf(z[i], best));
        best = fmaxf(best, z[i]);
    }
    return n < SAMPLE / 2 ? 0 : fmaxf(sqrtf(square / (float)n), second / TAIL_Z);
}

/* How far the scores of rows are from those of their cells' means, in spreads: a few rows here and there. 0: there are too few. */
static float learn_deviation(struct ims_job *j)
{
    struct ims_probe *p = &j->probe;
    struct drawn drawn[IMS_PROBE_PLACES];
    float z[SAMPLE];
    size_t n = draw_places(j, drawn), n_z = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t view = drawn[i].view, slot = drawn[i].slot;
        const struct ims_segment *s = j->snapshot->views[view].segment;
        uint32_t cell = ims__cell_of(s, slot);
        float score = score_of_cell(j, view, cell), spread = s->cells[cell].spread;

        for (size_t ahead = i ? i + AHEAD : 0; ahead <= i + AHEAD && ahead < n; ahead++)
            ask_for_place(j, &drawn[ahead]);
        if (!(spread > 0) || !isfinite(score)) /* all its rows are alike; or a file that lies with the right checksum */
            continue;
        p->cells[p->n_cells++] = (struct ims_probed_cell){ score, 1.0f / spread };
        for (uint32_t k = 0; k < ROWS_OF_PLACE && slot + k < s->cells[cell].from + s->cells[cell].n_coded; k++)
            z[n_z++] = (ims__job_score_bytes(j, view, slot + k) - score) / spread;
    }
    return deviation_of(z, n_z);
}

/* The least z of which cells that reach it are expected to hold no more than `budget` rows above the floor together: by
 * what the drawn ones tell, and one more at just that z, so that none in a range does not mean that there are none. */
static float least_z_of_cells(const struct ims_probe *p, float floor)
{
    float lost[N_CELL_STEPS + 1] = { 0 }, each = (float)p->n_rows / (float)p->n_cells, sum = 0;
    uint32_t step = N_CELL_STEPS;

    for (size_t i = 0; i < p->n_cells; i++) {
        float z = (floor - p->cells[i].score) * p->cells[i].per_deviation;

        if (z >= LEAST_CELL_Z)
            lost[z < FAR ? (uint32_t)((z - LEAST_CELL_Z) * CELL_STEPS_PER_Z) : N_CELL_STEPS] += tail_of(z) * each;
    }
    for (sum = lost[step]; step > 0; step--) {
        float z = LEAST_CELL_Z + (float)(step - 1) / CELL_STEPS_PER_Z;

        sum += lost[step - 1];
        if ((double)(sum + tail_of(z) * each) > p->budget)
            break;
    }
    return LEAST_CELL_Z + (float)step / CELL_STEPS_PER_Z;
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
        float promise = p->units[i].promise;

        if (isinf(promise))
            continue;
        low = fminf(low, promise);
        high = fmaxf(high, promise);
    }
    factor = high > low ? (float)(N_STEPS - 1) / (high - low) : 0.0f;
#define STEP_OF(u) (isinf((u)->promise) ? 0u : 1u + (uint32_t)((high - (u)->promise) * factor))
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

/* False: nothing is to be passed over. */
static bool prepare_skipping(struct ims_job *j)
{
    struct ims_probe *p = &j->probe;

    p->deviation = learn_deviation(j);
    if (!(p->deviation > 0) || isinf(p->deviation))
        return false;
    for (size_t i = 0; i < p->n_cells; i++)
        p->cells[i].per_deviation /= p->deviation;
    p->budget = j->rules->miss * IMS_SKIP_SHARE * (double)j->k;
    ims__floor_init(&p->farthest);
    ims__floor_init(&p->floor_seen);
    atomic_init(&p->least_z, FAR);
    return true;
}

bool ims__probe_prepare(struct ims_job *j)
{
    struct ims_probe *p = &j->probe;

    for (size_t i = 0; j->snapshot->n_live >= j->rules->skip_rows && i < j->snapshot->n_views; i++)
        p->may_skip = p->may_skip || is_in_order(j, &j->snapshot->views[i]);
    if (!p->may_skip && !j->has_pass)
        return true;
    p->units = ims__alloc(j->snapshot->n_views * UNITS_PER_VIEW, sizeof(*p->units));
    if (!p->units)
        return false;
    list_units(j, p, j->codes[0].length / sqrtf((float)j->rules->rotation->dim));
    p->may_skip = p->may_skip && p->n && prepare_skipping(j);
    return sort_units(p);
}

size_t ims__probe_next(struct ims_probe *p, size_t n, const struct ims_probed **out)
{
    size_t i = atomic_fetch_add_explicit(&p->next, n, memory_order_relaxed);

    if (i >= p->n)
        return 0;
    *out = p->units + i;
    return n < p->n - i ? n : p->n - i;
}

/* The z of what one thread holds above the floor. */
static void look_at_hits(struct ims_job *j, const struct ims_collector *c, float floor)
{
    struct ims_probe *p = &j->probe;

    for (size_t i = 0; i < c->n_kept; i++) {
        size_t view = c->kept[i].at >> 16;
        uint32_t slot = c->kept[i].at & 0xffffu, cell;
        const struct ims_view *v = &j->snapshot->views[view];

        if (c->kept[i].score < floor || !is_in_order(j, v) || slot >= v->n_coded)
            continue;
        cell = ims__cell_of(v->segment, slot);
        if (v->segment->cells[cell].spread > 0)
            ims__floor_raise(&p->farthest, (c->kept[i].score - score_of_cell(j, view, cell)) /
                                               (v->segment->cells[cell].spread * p->deviation));
    }
}

void ims__probe_narrow(struct ims_job *j, unsigned thread)
{
    struct ims_probe *p = &j->probe;
    float floor = ims__floor_get(&j->floor);

    if (isinf(floor) || !p->may_skip)
        return;
    look_at_hits(j, &j->collectors[thread], floor);
    if (floor > ims__floor_get(&p->floor_seen)) {
        ims__floor_raise(&p->floor_seen, floor);
        atomic_store_explicit(&p->least_z, least_z_of_cells(p, floor), memory_order_relaxed);
    }
}

float ims__probe_reach(struct ims_job *j, const struct ims_view *v)
{
    struct ims_probe *p = &j->probe;

    if (!p->may_skip || !is_in_order(j, v))
        return INFINITY;
    return p->deviation * fmaxf(atomic_load_explicit(&p->least_z, memory_order_relaxed),
                                ims__floor_get(&p->farthest) + Z_MARGIN);
}
