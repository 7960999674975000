/* Scanning a unit of 1,024 slots for a query, and scoring the candidates that come of it.
 *
 * Where many slots of a unit are allowed, the codes of all are read in a row and a mask decides; where few
 * are, their bytes are fetched one by one. Skipping scattered blocks of codes would cost more than reading
 * them, because the processor's prefetching breaks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/cells.h"
#include "vectors/embedded/job.h"

#include <math.h>

#define AHEAD 24     /* rows asked for before they are needed, where they come in order of their places, */
#define AHEAD_SORTED 12 /* and where they lie anywhere */
#define PATIENCE 32  /* candidates scored in vain before the floor is given time to rise elsewhere */
#define MAX_PENDING ((size_t)1 << 16)

static uint32_t fill_allowed(const struct ims_job *j, const struct ims_view *v, size_t view, uint32_t unit,
                             uint32_t *allowed)
{
    const struct ims_kernels *k = ims__kernels();
    const struct ims_filter_part *p = j->filter ? j->filter->parts[view] : NULL;
    uint32_t first = unit * IMS_UNIT_WORDS, n_rows = v->n_rows - unit * IMS_UNIT_SLOTS;
    size_t n;

    if (j->filter && !p)
        return 0;
    n = k->keep_bits(p ? p->bits + first : NULL, v->dead ? v->dead->bits + first : NULL, IMS_UNIT_WORDS, allowed);
    if (n_rows >= IMS_UNIT_SLOTS)
        return (uint32_t)n;
    for (uint32_t i = n_rows / 32; i < IMS_UNIT_WORDS; i++) /* the slots past the last row */
        allowed[i] &= i == n_rows / 32 ? (1u << n_rows % 32) - 1 : 0;
    return (uint32_t)k->keep_bits(allowed, NULL, IMS_UNIT_WORDS, NULL);
}

static uint32_t list_allowed(const uint32_t *allowed, uint32_t from_word, uint32_t until_word, uint32_t *out)
{
    uint32_t n = 0;

    for (uint32_t i = from_word; i < until_word; i++) {
        for (uint32_t word = allowed[i]; word; word &= word - 1)
            out[n++] = i * 32 + (uint32_t)__builtin_ctz(word);
    }
    return n;
}

static void ask_for(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i += 64)
        __builtin_prefetch((const char *)p + i, 0, 3);
}

static void score_floats(struct ims_job *j, struct ims_collector *c, const struct ims_view *v, size_t view,
                         uint32_t first, uint32_t from_word, uint32_t until_word, struct ims_unit_room *room)
{
    const struct ims_kernels *k = ims__kernels();
    const struct ims_segment *s = v->segment;

    for (uint32_t i = from_word; i < until_word; i++) {
        uint32_t slot = first + i * 32;

        if (room->allowed[i] == ~0u)
            k->dot_f32_rows(j->query->vector, ims__segment_row(s, slot), s->row_stride / sizeof(float), 32,
                            s->dim, room->scores);
        for (uint32_t word = room->allowed[i]; word; word &= word - 1) {
            uint32_t lane = (uint32_t)__builtin_ctz(word);

            if (room->allowed[i] != ~0u)
                room->scores[lane] = k->dot_f32(j->query->vector, ims__segment_row(s, slot + lane), s->dim);
            ims__collector_score(c, room->scores[lane], IMS_AT(view, slot + lane));
            c->n_exact++;
        }
    }
}

float ims__job_score_bytes(const struct ims_job *j, size_t view, uint32_t slot)
{
    const struct ims_query_code *q = &j->codes[j->code_of_view[view]];
    const struct ims_segment *s = j->snapshot->views[view].segment;
    int32_t dot = ims__kernels()->dot_i8(q->bytes, s->bytes + (size_t)slot * s->byte_stride, s->dim);

    return q->along * s->centre[slot] + q->byte_scale * s->byte_scale[slot] * (float)dot;
}

float ims__job_score_part(const struct ims_job *j, size_t view, const struct ims_part *part, const int8_t *bytes)
{
    const struct ims_query_code *q = &j->codes[j->code_of_view[view]];
    int32_t dot = ims__kernels()->dot_i8(q->bytes, bytes, j->snapshot->views[view].segment->dim);

    return q->along * part->centre + q->byte_scale * part->byte_scale * (float)dot;
}

void ims__job_ask_for_bytes(const struct ims_job *j, size_t view, uint32_t slot)
{
    const struct ims_segment *s = j->snapshot->views[view].segment;

    ask_for(s->bytes + (size_t)slot * s->byte_stride, s->dim);
    __builtin_prefetch(s->centre + slot, 0, 3);
    __builtin_prefetch(s->byte_scale + slot, 0, 3);
}

/* Rows of several units at once: their bytes are asked for long before they are needed. */
static void score_listed(struct ims_job *j, struct ims_collector *c)
{
    for (uint32_t i = 0; i < AHEAD && i < c->n_listed; i++)
        ims__job_ask_for_bytes(j, c->listed[i] >> 16, c->listed[i] & 0xffffu);
    for (uint32_t i = 0; i < c->n_listed; i++) {
        uint32_t at = c->listed[i];

        if (i + AHEAD < c->n_listed)
            ims__job_ask_for_bytes(j, c->listed[i + AHEAD] >> 16, c->listed[i + AHEAD] & 0xffffu);
        ims__collector_score(c, ims__job_score_bytes(j, at >> 16, at & 0xffffu), at);
    }
    c->n_bytes += c->n_listed;
    c->n_listed = 0;
}

static void list_row(struct ims_job *j, struct ims_collector *c, uint32_t at)
{
    if (c->n_listed == IMS_LISTED)
        score_listed(j, c);
    c->listed[c->n_listed++] = at;
}

/* A unit of which the filter allows few rows, which it knows by number. False: not such a unit. */
static bool list_few(struct ims_job *j, struct ims_collector *c, size_t view, uint32_t unit)
{
    const struct ims_view *v = &j->snapshot->views[view];
    const struct ims_filter_part *p = j->filter ? j->filter->parts[view] : NULL;
    uint32_t from, until;

    if (!p || !p->slots || j->plan == IMS_VECTORS_FLOATS || v->n_coded < (unit + 1) * IMS_UNIT_SLOTS)
        return false;
    from = p->starts[unit];
    until = p->starts[unit + 1];
    if (j->plan == IMS_VECTORS_CODES && until - from >= IMS_UNIT_SLOTS / IMS_SPARSE)
        return false;
    for (uint32_t i = from; i < until; i++) {
        if (!ims__is_dead(v->dead, p->slots[i]))
            list_row(j, c, IMS_AT(view, p->slots[i]));
    }
    return true;
}

/* Those of n_blocks blocks from slot `first` on whose bound reaches the floor join the pending ones. sums: of their codes;
 * local: what the mean of their cell adds to each score. */
static void select_rows(struct ims_job *j, struct ims_collector *c, size_t view, uint32_t first, uint32_t n_blocks,
                        const uint16_t *sums, const uint32_t *allowed, float local, struct ims_unit_room *room)
{
    const struct ims_view *v = &j->snapshot->views[view];
    const struct ims_query_code *q = &j->codes[j->code_of_view[view]];
    float error = q->length * v->spreads.spread;
    struct ims_code_bounds b = { .sums = sums,
                                 .scale = v->segment->scale + first,
                                 .centre = v->segment->centre + first,
                                 .allowed = allowed,
                                 .along = q->along,
                                 .step = q->step,
                                 .least = ims__floor_get(&j->floor) - local };
    size_t n;

    if (!ims__collector_reserve(c, (size_t)n_blocks * IMS_CODE_BLOCK))
        return;
    b.offset = q->base + j->rules->deviations * sqrtf(error * error + q->rounding * q->rounding);
    n = ims__kernels()->select_codes(&b, n_blocks, room->bounds, room->at);
    for (size_t i = 0; i < n; i++)
        c->pending[c->n_pending++] =
            (struct ims_candidate){ .bound = room->bounds[i] + local, .at = IMS_AT(view, first + room->at[i]) };
    if (c->n_pending > MAX_PENDING)
        ims__job_drain(j, (unsigned)(c - j->collectors));
}

static void sum_codes(const struct ims_job *j, size_t view, uint32_t first, uint32_t n_blocks, uint16_t *sums)
{
    const struct ims_segment *s = j->snapshot->views[view].segment;

    ims__kernels()->scan_codes(s->codes + (size_t)first * s->n_bytes, s->n_bytes, n_blocks,
                               j->codes[j->code_of_view[view]].lut, sums);
}

/* The bits from .. until - 1 of a unit's. false: none is set. */
static bool cut_allowed(const uint32_t *allowed, uint32_t from, uint32_t until, uint32_t *out)
{
    uint32_t any = 0;

    for (uint32_t i = from / 32; i <= (until - 1) / 32; i++) {
        uint32_t bits = allowed[i];

        if (i == from / 32)
            bits &= ~0u << from % 32;
        if (i == (until - 1) / 32)
            bits &= ~0u >> (31 - (until - 1) % 32);
        out[i] = bits;
        any |= bits;
    }
    return any != 0;
}

/* What the rounding of the query's bytes may make of the score of a mean. */
static float mean_error(const struct ims_job *j, const struct ims_view *v, const struct ims_query_code *q)
{
    return j->rules->deviations * q->byte_scale * v->spreads.length * 0.28867513f; /* 12^-1/2 */
}

/* The cells of slots first .. until - 1, but for those whose bounds say already that they are too far. Returns their number. */
static uint32_t list_cells(struct ims_job *j, struct ims_collector *c, size_t view, uint32_t first, uint32_t until, float least,
                           float reach, uint32_t *out)
{
    const struct ims_segment *s = j->snapshot->views[view].segment;
    const float *bounds = isinf(reach) ? NULL : j->probe.views[view].bounds;
    uint32_t n = 0;

    for (uint32_t i = ims__cell_of(s, first); i < s->n_cells && s->cells[i].from < until; i++) {
        const struct ims_part *cell = &s->cells[i];
        uint32_t from = cell->from > first ? cell->from : first, end = cell->from + cell->n_coded;

        if (bounds && least - bounds[i] > reach * cell->spread) {
            c->n_skipped += (end < until ? end : until) - from;
            continue;
        }
        ask_for(s->cell_bytes + (size_t)i * s->byte_stride, s->dim);
        out[n++] = i;
    }
    return n;
}

/* The first n_blocks blocks of a unit, cell by cell; what lies in cells that are too far is passed over. */
static void scan_cells(struct ims_job *j, struct ims_collector *c, size_t view, uint32_t first, uint32_t n_blocks,
                       struct ims_unit_room *room)
{
    const struct ims_view *v = &j->snapshot->views[view];
    const struct ims_segment *s = v->segment;
    const struct ims_query_code *q = &j->codes[j->code_of_view[view]];
    uint32_t until = first + n_blocks * IMS_CODE_BLOCK, n_summed = 0; /* blocks that have their sums */
    float error = mean_error(j, v, q);
    float reach = ims__probe_reach(j, v), floor = ims__floor_get(&j->floor);
    uint32_t n_cells = list_cells(j, c, view, first, until, floor, reach, room->cells);

    for (uint32_t k = 0; k < n_cells; k++) {
        uint32_t i = room->cells[k];
        const struct ims_part *cell = &s->cells[i];
        uint32_t from = cell->from > first ? cell->from - first : 0, end = cell->from + cell->n_coded - first;
        uint32_t block = from / IMS_CODE_BLOCK, end_block;
        float score;

        end = end < n_blocks * IMS_CODE_BLOCK ? end : n_blocks * IMS_CODE_BLOCK;
        end_block = (end + IMS_CODE_BLOCK - 1) / IMS_CODE_BLOCK;
        if (!cut_allowed(room->allowed, from, end, room->of_cell))
            continue;
        score = ims__job_score_part(j, view, cell, s->cell_bytes + (size_t)i * s->byte_stride);
        if (floor - score > reach * cell->spread) {
            c->n_skipped += end - from;
            continue;
        }
        if (n_summed < block)
            n_summed = block;
        if (n_summed < end_block)
            sum_codes(j, view, first + n_summed * IMS_CODE_BLOCK, end_block - n_summed, room->sums + n_summed * IMS_CODE_BLOCK);
        n_summed = end_block;
        select_rows(j, c, view, first + block * IMS_CODE_BLOCK, end_block - block, room->sums + block * IMS_CODE_BLOCK,
                    room->of_cell + block, score - q->along * cell->centre + error, room);
        c->n_coded += end - from;
    }
}

static void scan_unit(struct ims_job *j, struct ims_collector *c, size_t view, uint32_t first, uint32_t n_blocks,
                      struct ims_unit_room *room)
{
    if (j->snapshot->views[view].segment->n_cells) {
        scan_cells(j, c, view, first, n_blocks, room);
        return;
    }
    sum_codes(j, view, first, n_blocks, room->sums);
    select_rows(j, c, view, first, n_blocks, room->sums, room->allowed, 0, room);
    c->n_coded += (size_t)n_blocks * IMS_CODE_BLOCK;
}

void ims__job_scan(struct ims_job *j, unsigned thread, size_t view, uint32_t unit, struct ims_unit_room *room)
{
    const struct ims_view *v = &j->snapshot->views[view];
    struct ims_collector *c = &j->collectors[thread];
    uint32_t first = unit * IMS_UNIT_SLOTS, n_blocks = 0, n_allowed, n;

    if (first >= v->n_rows || c->is_short || list_few(j, c, view, unit))
        return;
    n_allowed = fill_allowed(j, v, view, unit, room->allowed);
    if (!n_allowed)
        return;
    if (j->plan != IMS_VECTORS_FLOATS && v->n_coded > first)
        n_blocks = (v->n_coded - first) / IMS_CODE_BLOCK;
    if (n_blocks > IMS_UNIT_WORDS)
        n_blocks = IMS_UNIT_WORDS;
    if (n_blocks < IMS_UNIT_WORDS)
        score_floats(j, c, v, view, first, n_blocks, IMS_UNIT_WORDS, room);
    if (!n_blocks)
        return;
    if (j->plan == IMS_VECTORS_CODES && n_allowed >= n_blocks * IMS_CODE_BLOCK / IMS_SPARSE) {
        scan_unit(j, c, view, first, n_blocks, room);
        return;
    }
    n = list_allowed(room->allowed, 0, n_blocks, room->at);
    for (uint32_t i = 0; i < n; i++)
        list_row(j, c, IMS_AT(view, first + room->at[i]));
}

/* Of n sorted candidates, until `patience` of them in a row have not raised the floor. Returns how many were done
 * with; what lies beyond the last that may reach the floor is done with, too. */
static size_t score_sorted(struct ims_job *j, struct ims_collector *c, size_t n, size_t patience)
{
    float floor = ims__floor_get(&j->floor);

    for (size_t i = 0; i < AHEAD_SORTED && i < n; i++)
        ims__job_ask_for_bytes(j, c->sorted[i].at >> 16, c->sorted[i].at & 0xffffu);
    for (size_t i = 0, in_vain = 0; i < n; i++, in_vain++) {
        float before = floor;

        floor = ims__floor_get(&j->floor);
        if (c->sorted[i].bound + c->step < floor)
            break;
        if (floor > before)
            in_vain = 0;
        if (in_vain == patience)
            return i;
        if (i + AHEAD_SORTED < n)
            ims__job_ask_for_bytes(j, c->sorted[i + AHEAD_SORTED].at >> 16, c->sorted[i + AHEAD_SORTED].at & 0xffffu);
        if (c->sorted[i].bound < floor)
            continue;
        ims__collector_score(c, ims__job_score_bytes(j, c->sorted[i].at >> 16, c->sorted[i].at & 0xffffu),
                             c->sorted[i].at);
        c->n_bytes++;
    }
    return n;
}

void ims__job_raise_floor(struct ims_job *j, unsigned thread)
{
    struct ims_collector *c = &j->collectors[thread];
    size_t n, n_done;

    if (c->n_listed)
        score_listed(j, c);
    if (c->n_pending == c->n_deferred)
        return;
    n = ims__collector_sort(c);
    n_done = score_sorted(j, c, n, PATIENCE);
    ims__collector_defer(c, n_done, n);
}

void ims__job_drain(struct ims_job *j, unsigned thread)
{
    struct ims_collector *c = &j->collectors[thread];

    if (c->n_listed)
        score_listed(j, c);
    if (!c->n_pending)
        return;
    c->n_deferred = 0;
    (void)score_sorted(j, c, ims__collector_sort(c), SIZE_MAX);
}
