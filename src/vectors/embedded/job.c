/* Preparing and finishing a query; job_scan.c does what lies between.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/job.h"

#include "base/mem.h"
#include "vectors/embedded/top_k.h"

#include <math.h>

#define BYTE_DEVIATIONS 6.0f /* of rounding to bytes: more than that once in a billion */
#define WORTH_SKIPPING 3     /* of the rows that are read whole otherwise, this part at least; */
#define WORTH_SKIPPING_IN 12 /* and no fewer than one in so many of all rows */
#define FLOAT_ERROR 2e-6f    /* of a float dot product of unit vectors, on any tier */

/* The z with P(Z > z) = miss for a normal Z: Abramowitz and Stegun 26.2.23, off by less than 5e-4. */
void ims__job_rules_miss(struct ims_job_rules *r, double miss)
{
    double t = sqrt(-2 * log(miss));

    r->miss = miss;
    r->deviations = (float)(t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                                    (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
}

static size_t count_allowed(const struct ims_view *v, const struct ims_filter_part *p)
{
    if (!p)
        return 0;
    return v->dead ? ims__kernels()->keep_bits(p->bits, v->dead->bits, (v->n_rows + 31) / 32, NULL) : p->n_set;
}

static size_t count_candidates(const struct ims_job *j)
{
    size_t n = 0;

    if (!j->filter)
        return j->snapshot->n_live;
    for (size_t i = 0; i < j->snapshot->n_views; i++)
        n += count_allowed(&j->snapshot->views[i], j->filter->parts[i]);
    return n;
}

/* Lists are collected for a few lengths only, so that pages cut from windows of one such length come from
 * the same list. */
static size_t rounded_window(size_t k)
{
    return k <= 10 ? 10 : k <= 20 ? 20 : k <= 200 ? 200 : k <= 10000 ? 10000 : IMS_MAX_SEARCH_WINDOW;
}

static bool is_coded(const struct ims_snapshot *s)
{
    for (size_t i = 0; i < s->n_views; i++) {
        if (s->views[i].n_coded)
            return true;
    }
    return false;
}

/* Whether so many candidates lie in order of likeness, and so close to each other, that telling near cells from far ones is less
 * work than reading the bytes of all. */
static bool is_worth_skipping(const struct ims_job *j)
{
    return j->n_candidates >= j->rules->bytes_rows / WORTH_SKIPPING && j->n_candidates >= j->snapshot->n_live / WORTH_SKIPPING_IN &&
           ims__probe_may_skip(j);
}

void ims__job_plan(struct ims_job *j, const struct ims_snapshot *s)
{
    j->snapshot = s;
    j->n_candidates = count_candidates(j);
    j->k = rounded_window(j->query->k);
    if (j->k > j->n_candidates)
        j->k = j->n_candidates;
    if (j->query->is_exact || !j->rules->rotation || !is_coded(j->snapshot))
        j->plan = IMS_VECTORS_FLOATS;
    else if (j->k > j->n_candidates / 8 || (j->n_candidates <= j->rules->bytes_rows && !is_worth_skipping(j)))
        j->plan = IMS_VECTORS_BYTES;
    else
        j->plan = IMS_VECTORS_CODES;
}

static size_t count_epochs(struct ims_job *j)
{
    const struct ims_snapshot *s = j->snapshot;
    size_t n = 0;

    for (size_t i = 0; i < s->n_views; i++) {
        const struct ims_epoch *e = s->views[i].epoch;
        bool is_new = e != NULL;

        for (size_t before = i; is_new && before-- > 0;) {
            if (s->views[before].epoch == e) {
                j->code_of_view[i] = j->code_of_view[before];
                is_new = false;
            }
        }
        if (is_new)
            j->code_of_view[i] = (uint16_t)n++;
    }
    return n;
}

static void *keep(struct ims_job *j, size_t i, void *p)
{
    return j->memory[i] = p;
}

/* One table and one vector of bytes per epoch. */
static bool fill_codes(struct ims_job *j)
{
    const struct ims_snapshot *s = j->snapshot;
    const struct ims_rotation *r = j->rules->rotation;
    size_t lut_bytes = (size_t)(r->dim + 7) / 8 * IMS_CODE_LUT_BYTES;
    size_t each = (lut_bytes + r->dim + 63) / 64 * 64;
    float *room = ims__alloc(2 * (size_t)r->dim, sizeof(float));
    uint8_t *tables;
    size_t done = 0;

    j->code_of_view = keep(j, 0, ims__zalloc(s->n_views, sizeof(*j->code_of_view)));
    if (!room || !j->code_of_view) {
        ims__free(room);
        return false;
    }
    j->n_codes = count_epochs(j);
    j->codes = keep(j, 1, ims__zalloc(j->n_codes, sizeof(*j->codes)));
    tables = keep(j, 2, ims__aligned_alloc(64, j->n_codes, each));
    if (j->codes && tables)
        ims__rotate(r, j->query->vector, room);
    for (size_t i = 0; j->codes && tables && i < s->n_views; i++) {
        if (!s->views[i].epoch || j->code_of_view[i] != done)
            continue;
        j->codes[done].lut = tables + done * each;
        j->codes[done].bytes = (int8_t *)(tables + done * each + lut_bytes);
        ims__query_code(s->views[i].epoch, room, room + r->dim, &j->codes[done]);
        done++;
    }
    ims__free(room);
    return j->codes && tables;
}

/* How far a score from bytes may be off: rounding errors are independent and uniform, over all elements of
 * both sides. */
static float byte_margin(const struct ims_job *j)
{
    float most = 0;

    for (size_t i = 0; i < j->snapshot->n_views; i++) {
        const struct ims_view *v = &j->snapshot->views[i];
        const struct ims_query_code *c = &j->codes[j->code_of_view[i]];
        float ours = c->length * v->spreads.byte_scale, theirs = c->byte_scale * v->spreads.length;
        float square = (ours * ours + theirs * theirs) / 12.0f;

        if (v->n_coded && square > most)
            most = square;
    }
    return BYTE_DEVIATIONS * sqrtf(most) + FLOAT_ERROR;
}

ims_status ims__job_prepare(struct ims_job *j, unsigned n_threads, ims_err *err)
{
    bool is_short = false;

    j->margin = FLOAT_ERROR;
    if (!j->n_candidates)
        return IMS_OK;
    if (j->plan != IMS_VECTORS_FLOATS) {
        is_short = !fill_codes(j);
        if (!is_short)
            j->margin = byte_margin(j);
    }
    ims__floor_init(&j->floor);
    if (!is_short && j->plan == IMS_VECTORS_CODES)
        is_short = !ims__probe_prepare(j);
    j->collectors = keep(j, 3, ims__aligned_alloc(IMS_CACHE_LINE, n_threads, sizeof(*j->collectors)));
    is_short = is_short || !j->collectors;
    for (j->n_collectors = 0; !is_short && j->n_collectors < n_threads; j->n_collectors++)
        is_short = !ims__collector_init(&j->collectors[j->n_collectors], j->k, j->margin, &j->floor);
    return is_short ? ims_fail(err, IMS_E_NOMEM, "vectors", 0, "preparing a search for %zu hits", j->k)
                    : IMS_OK;
}

/* The kept rows of all threads in one array (that of the first). */
static bool join_kept(struct ims_job *j, struct ims_scored **out, size_t *out_n)
{
    struct ims_collector *first = &j->collectors[0];
    size_t n = 0;

    for (unsigned i = 0; i < j->n_collectors; i++) {
        if (j->collectors[i].is_short)
            return false;
        n += j->collectors[i].n_kept;
    }
    if (n > first->kept_cap) {
        struct ims_scored *kept = ims__realloc(first->kept, n, sizeof(*kept));

        if (!kept)
            return false;
        first->kept = kept;
        first->kept_cap = n;
    }
    for (unsigned i = 1; i < j->n_collectors; i++) {
        memcpy(first->kept + first->n_kept, j->collectors[i].kept,
               j->collectors[i].n_kept * sizeof(*first->kept));
        first->n_kept += j->collectors[i].n_kept;
    }
    *out = first->kept;
    *out_n = n;
    return true;
}

static void tell(struct ims_job *j, size_t n_reranked)
{
    struct ims_vectors_answer *a = &j->result->answer;

    *a = (struct ims_vectors_answer){ .plan = j->plan,
                                      .n_candidates = j->n_candidates,
                                      .n_reranked = n_reranked,
                                      .generation = j->snapshot->generation };
    for (unsigned i = 0; i < j->n_collectors; i++) {
        a->n_coded += j->collectors[i].n_coded;
        a->n_bytes += j->collectors[i].n_bytes;
        a->n_floats += j->collectors[i].n_exact;
        a->n_skipped += j->collectors[i].n_skipped;
    }
    if (a->n_coded)
        a->miss = j->rules->miss;
    if (j->probe.may_skip)
        a->miss += j->rules->miss * IMS_SKIP_SHARE;
    if (a->n_coded)
        a->deviations = (double)j->rules->deviations;
}

ims_status ims__job_finish(struct ims_job *j, ims_err *err)
{
    struct ims_top_k best = { .hits = j->result->hits, .k = j->query->k };
    struct ims_scored *kept = NULL;
    size_t n = 0, n_reranked = 0;
    float least = -INFINITY;

    if (j->n_candidates && !join_kept(j, &kept, &n))
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for the candidates of a search");
    if (n > j->query->k)
        least = ims__kth_score(kept, n, j->query->k) - 2 * j->margin;
    for (size_t i = 0; i < n; i++) {
        const struct ims_segment *s = j->snapshot->views[kept[i].at >> 16].segment;
        uint32_t slot = kept[i].at & 0xffffu;

        if (kept[i].score < least)
            continue;
        ims__top_k_offer(&best, s->ids[slot],
                         ims__kernels()->dot_f32(j->query->vector, ims__segment_row(s, slot), s->dim));
        n_reranked++;
    }
    ims__top_k_sort(&best);
    j->result->n = best.n;
    tell(j, n_reranked);
    return IMS_OK;
}

void ims__job_release(struct ims_job *j)
{
    for (unsigned i = 0; i < j->n_collectors; i++)
        ims__collector_release(&j->collectors[i]);
    for (size_t i = 0; i < IMS_ARRAY_LEN(j->memory); i++)
        ims__free(j->memory[i]);
    ims__probe_release(&j->probe);
    j->n_collectors = 0;
}
