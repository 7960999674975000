/* Choosing the units that a query reads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/job.h"

#include "base/mem.h"
#include "vectors/embedded/cells.h"

#include <math.h>
#include <sched.h>

#define PLACES_PER_TURN 32 /* that a thread looks at before others may */
#define PLACE_TURNS (IMS_PROBE_PLACES / PLACES_PER_TURN)
#define SAMPLE (IMS_PROBE_PLACES * IMS_PLACE_ROWS)
#define AHEAD 8          /* places asked for before they are needed */
#define TAIL 512         /* the second best of SAMPLE, 1 in TAIL, is */
#define TAIL_Z 2.886f    /* so many deviations above the mean, if they are normal */
#define PROMISE 4.0f     /* units are ordered by what their best row may score: so many deviations above the mean */
#define N_STEPS 1024     /* of that order */
#define PROMISING 16     /* the best 1 in so many units come first; the others as they lie, as memory is read fastest */
#define UNITS_PER_VIEW (IMS_SEGMENT_SLOTS / IMS_UNIT_SLOTS)
#define Z_MARGIN 0.41667  /* a hit that is missed would be so much farther from its mean than any that was found, for each */
                          /* tenth part of the stated probability: 1.25 for 1 in 1,000 */
#define FAR 7.0f         /* Q of it is 1e-12 */
#define LEAST_CELL_Z 3.0f /* from there to FAR in steps */
#define CELL_STEPS_PER_Z 16.0f
#define N_CELL_STEPS 64
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

/* All units of which rows are allowed. */
static void list_units(const struct ims_job *j, struct ims_probe *p)
{
    for (size_t view = 0; view < j->snapshot->n_views; view++) {
        const struct ims_view *v = &j->snapshot->views[view];

        p->views[view].first_unit = p->n;
        for (uint32_t unit = 0; unit < ims__n_parts(v->n_rows); unit++) {
            uint32_t n = v->n_rows - unit * IMS_UNIT_SLOTS;

            n = count_allowed(j, view, unit, n < IMS_UNIT_SLOTS ? n : IMS_UNIT_SLOTS);
            if (n)
                p->listed[p->n++] = (struct ims_probed){ .promise = INFINITY, .at = IMS_AT(view, unit) };
            p->n_rows += n;
        }
        p->views[view].n_units = p->n - p->views[view].first_unit;
    }
}

/* What the best row of a unit may score, by its cells or its mean. usual: how far a score is from its mean's, in spreads. */
static float promise_of(const struct ims_job *j, size_t view, uint32_t unit, float usual)
{
    const struct ims_segment *s = j->snapshot->views[view].segment;
    const float *bounds = j->probe.views[view].bounds;
    float promise = -INFINITY;

    if (!bounds)
        return score_of_unit(j, view, unit) + PROMISE * usual * s->parts[unit].spread;
    for (uint32_t i = s->parts[unit].cell; i < s->n_cells && s->cells[i].from < (unit + 1) * IMS_UNIT_SLOTS; i++)
        promise = fmaxf(promise, bounds[i] + PROMISE * usual * s->cells[i].spread);
    return promise;
}

/* Bounds of its cells, and the promise of its units; those without a mean come first. */
static void look_at_view(struct ims_job *j, size_t view)
{
    const struct ims_probed_view *seen = &j->probe.views[view];
    const struct ims_view *v = &j->snapshot->views[view];
    const struct ims_query_code *q = &j->codes[j->code_of_view[view]];
    float usual = q->length / sqrtf((float)j->rules->rotation->dim);

    if (!has_parts(v))
        return;
    if (seen->bounds && seen->n_units)
        ims__cells_bound(v->segment, q, j->rules->deviations, seen->bounds);
    for (size_t i = seen->first_unit; i < seen->first_unit + seen->n_units; i++) {
        struct ims_probed *u = &j->probe.listed[i];
        float promise = INFINITY;

        if (v->segment->parts[u->at & 0xffffu].n_coded)
            promise = promise_of(j, view, u->at & 0xffffu, usual);
        u->promise = isfinite(promise) ? promise : INFINITY;
    }
}

static void draw_places(const struct ims_job *j, struct ims_drawn *out)
{
    const struct ims_probe *p = &j->probe;
    uint64_t state = 1;

    for (size_t i = 0; i < IMS_PROBE_PLACES; i++) {
        uint32_t at = p->listed[i * p->n / IMS_PROBE_PLACES].at, unit = at & 0xffffu;
        const struct ims_view *v = &j->snapshot->views[at >> 16];

        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i].view = at >> 16;
        out[i].slot = IMS_NO_SLOT;
        if (is_in_order(j, v) && v->segment->parts[unit].n_coded >= IMS_PLACE_ROWS)
            out[i].slot = unit * IMS_UNIT_SLOTS + (uint32_t)(state >> 33) %
                          (v->segment->parts[unit].n_coded / IMS_PLACE_ROWS) * IMS_PLACE_ROWS;
    }
}

static void ask_for_place(const struct ims_job *j, const struct ims_drawn *d)
{
    for (uint32_t i = 0; d->slot != IMS_NO_SLOT && i < IMS_PLACE_ROWS; i++)
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

/* How far the scores of a place's rows are from that of their cell's mean, in spreads. */
static void look_at_place(const struct ims_job *j, struct ims_drawn *d)
{
    const struct ims_segment *s = j->snapshot->views[d->view].segment;
    uint32_t cell;
    float score, spread;

    d->n_z = 0;
    if (d->slot == IMS_NO_SLOT)
        return;
    cell = ims__cell_of(s, d->slot);
    score = score_of_cell(j, d->view, cell);
    spread = s->cells[cell].spread;
    if (!(spread > 0) || !isfinite(score)) /* all its rows are alike; or a file that lies with the right checksum */
        return;
    d->score = score;
    d->spread = spread;
    for (uint32_t k = 0; k < IMS_PLACE_ROWS && d->slot + k < s->cells[cell].from + s->cells[cell].n_coded; k++)
        d->z[d->n_z++] = (ims__job_score_bytes(j, d->view, d->slot + k) - score) / spread;
}

/* The least z of which cells that reach it are expected to hold no more than `budget` rows above the floor together: by
 * what the drawn ones tell, and one more at just that z, so that none in a range does not mean that there are none. */
static float least_z_of_cells(const struct ims_probe *p, float floor)
{
    float lost[N_CELL_STEPS + 1] = { 0 }, each = (float)p->n_rows / (float)p->n_drawn, sum = 0;
    uint32_t step = N_CELL_STEPS;

    for (size_t i = 0; i < p->n_drawn; i++) {
        float z = (floor - p->drawn[i].score) / p->drawn[i].spread;

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

/* The most promising first, in steps of promise; a step keeps the order in which units lie. */
static void sort_units(struct ims_probe *p)
{
    uint32_t starts[N_STEPS + 2] = { 0 };
    float low = INFINITY, high = -INFINITY, factor;
    uint32_t last = N_STEPS; /* the step that all further ones join */

    for (size_t i = 0; i < p->n; i++) {
        float promise = p->listed[i].promise;

        if (isinf(promise))
            continue;
        low = fminf(low, promise);
        high = fmaxf(high, promise);
    }
    factor = high > low ? (float)(N_STEPS - 1) / (high - low) : 0.0f;
#define STEP_OF(u) (isinf((u)->promise) ? 0u : 1u + (uint32_t)((high - (u)->promise) * factor))
    for (size_t i = 0; i < p->n; i++)
        starts[STEP_OF(&p->listed[i]) + 1]++;
    for (size_t i = 0; i <= N_STEPS; i++) {
        starts[i + 1] += starts[i];
        if (last == N_STEPS && starts[i + 1] >= p->n / PROMISING)
            last = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < p->n; i++) {
        uint32_t step = STEP_OF(&p->listed[i]);

        p->units[starts[step < last ? step : last]++] = p->listed[i];
    }
#undef STEP_OF
}

/* All was looked at: what is read first, and what can be passed over, if anything. */
static void end_learning(struct ims_job *j)
{
    struct ims_probe *p = &j->probe;
    float z[SAMPLE];
    size_t n_z = 0;

    sort_units(p);
    for (size_t i = 0; p->bounds && i < IMS_PROBE_PLACES; i++) {
        for (uint32_t k = 0; k < p->drawn[i].n_z; k++)
            z[n_z++] = p->drawn[i].z[k];
        if (p->drawn[i].n_z)
            p->drawn[p->n_drawn++] = p->drawn[i];
    }
    p->deviation = deviation_of(z, n_z);
    p->may_skip = p->deviation > 0 && !isinf(p->deviation);
    for (size_t i = 0; i < p->n_drawn; i++)
        p->drawn[i].spread *= p->deviation;
    atomic_store_explicit(&p->is_learned, true, memory_order_release);
}

static void look_at_places(struct ims_job *j, size_t from)
{
    struct ims_drawn *drawn = j->probe.drawn + from;

    for (size_t i = 0; i < AHEAD; i++)
        ask_for_place(j, &drawn[i]);
    for (size_t i = 0; i < PLACES_PER_TURN; i++) {
        if (i + AHEAD < PLACES_PER_TURN)
            ask_for_place(j, &drawn[i + AHEAD]);
        look_at_place(j, &drawn[i]);
    }
}

void ims__probe_learn(struct ims_job *j)
{
    struct ims_probe *p = &j->probe;
    size_t turn;

    if (atomic_load_explicit(&p->is_learned, memory_order_acquire))
        return;
    while ((turn = atomic_fetch_add_explicit(&p->next_turn, 1, memory_order_relaxed)) < p->n_turns) {
        if (turn < p->n_views)
            look_at_view(j, turn);
        else
            look_at_places(j, (turn - p->n_views) * PLACES_PER_TURN);
        if (atomic_fetch_add_explicit(&p->n_turns_done, 1, memory_order_acq_rel) + 1 == p->n_turns)
            end_learning(j);
    }
    while (!atomic_load_explicit(&p->is_learned, memory_order_acquire))
        sched_yield(); /* the last turns take a few microseconds */
}

_Static_assert(IMS_PROBE_PLACES % PLACES_PER_TURN == 0 && AHEAD <= PLACES_PER_TURN, "turns are whole");

/* How many cells may be passed over. */
static size_t count_cells(const struct ims_job *j)
{
    size_t n = 0;

    for (size_t i = 0; j->snapshot->n_live >= j->rules->skip_rows && i < j->snapshot->n_views; i++)
        n += is_in_order(j, &j->snapshot->views[i]) ? j->snapshot->views[i].segment->n_cells : 0;
    return n;
}

bool ims__probe_may_skip(const struct ims_job *j)
{
    return count_cells(j) > 0;
}

static bool make_room(const struct ims_job *j, struct ims_probe *p, size_t n_cells)
{
    p->n_views = j->snapshot->n_views;
    p->views = ims__zalloc(p->n_views, sizeof(*p->views));
    p->listed = ims__alloc(2 * p->n_views * UNITS_PER_VIEW, sizeof(*p->listed));
    p->bounds = n_cells ? ims__alloc(n_cells, sizeof(*p->bounds)) : NULL;
    if (!p->views || !p->listed || (n_cells && !p->bounds))
        return false;
    p->units = p->listed + p->n_views * UNITS_PER_VIEW;
    for (size_t i = 0, at = 0; at < n_cells; i++) {
        if (!is_in_order(j, &j->snapshot->views[i]))
            continue;
        p->views[i].bounds = p->bounds + at;
        at += j->snapshot->views[i].segment->n_cells;
    }
    return true;
}

bool ims__probe_prepare(struct ims_job *j)
{
    struct ims_probe *p = &j->probe;
    size_t n_cells = count_cells(j);

    if (!n_cells && !j->has_pass)
        return true;
    if (!make_room(j, p, n_cells))
        return false;
    list_units(j, p);
    if (n_cells && p->n)
        draw_places(j, p->drawn);
    p->n_turns = p->n_views + (n_cells && p->n ? PLACE_TURNS : 0);
    p->budget = j->rules->miss * IMS_SKIP_SHARE * (double)j->k;
    p->margin = (float)(Z_MARGIN * -log10(j->rules->miss));
    ims__floor_init(&p->farthest);
    ims__floor_init(&p->floor_seen);
    atomic_init(&p->least_z, FAR);
    return true;
}

void ims__probe_release(struct ims_probe *p)
{
    ims__free(p->views);
    ims__free(p->listed);
    ims__free(p->bounds);
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
                                ims__floor_get(&p->farthest) + p->margin);
}
