/* Putting the rows of full segments in order of likeness, so that a query can skip most of them.
 *
 * The rows are split into up to BRANCHES clusters (k-means of a sample, by the bytes of their residuals), each
 * of those again, until a cluster fits a unit; the order is that of the leaves. New segments are filled in that order
 * and take the place of the former ones. Rows that come later fill segments of their own, which are put in order among
 * themselves when there are as many again: each row moves once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/fill.h"
#include "vectors/embedded/persist.h"

#include "base/mem.h"

#include <math.h>

#define BRANCHES 16
#define SAMPLED 64 /* rows per branch that its place is learned from */
#define ROUNDS 6

struct orderer {
    struct ims_embedded *e;
    const struct ims_snapshot *from;
    uint32_t *rows, *room; /* IMS_AT; n_rows each */
    uint8_t *branches;     /* of each row */
    size_t n_rows;
    uint64_t state;        /* of drawing */
    float *sums;           /* BRANCHES * dim */
    int8_t *means;         /* BRANCHES * byte_stride */
    float scales[BRANCHES], halves[BRANCHES]; /* of means; half their squared lengths */
    unsigned n_branches;
};

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for putting the vector index in order");
}

static bool is_unordered(const struct ims_view *v)
{
    return v->is_sealed && !v->is_ordered && v->n_coded;
}

static const int8_t *bytes_of(const struct orderer *o, uint32_t at, float *out_scale)
{
    const struct ims_segment *s = o->from->views[at >> 16].segment;
    uint32_t slot = at & 0xffffu;

    *out_scale = s->byte_scale[slot];
    return s->bytes + (size_t)slot * s->byte_stride;
}

/* The branch whose mean is nearest: |x - m|^2 = |x|^2 - 2 (<x,m> - |m|^2 / 2). */
static unsigned nearest(const struct orderer *o, uint32_t at)
{
    const struct ims_kernels *k = ims__kernels();
    float scale, best = -INFINITY;
    const int8_t *bytes = bytes_of(o, at, &scale);
    size_t stride = o->from->views[at >> 16].segment->byte_stride;
    unsigned branch = 0;

    for (unsigned b = 0; b < o->n_branches; b++) {
        float score = scale * o->scales[b] * (float)k->dot_i8(bytes, o->means + b * stride, o->e->dim) - o->halves[b];

        if (score > best) {
            best = score;
            branch = b;
        }
    }
    return branch;
}

static void set_mean(struct orderer *o, unsigned b, float *mean, size_t stride)
{
    const struct ims_kernels *k = ims__kernels();
    float most = 0;

    for (uint32_t i = 0; i < o->e->dim; i++)
        most = fmaxf(most, fabsf(mean[i]));
    memset(o->means + b * stride, 0, stride);
    k->quantise_i8(mean, o->e->dim, most > 0 ? 127.0f / most : 0.0f, o->means + b * stride);
    o->scales[b] = most / 127.0f;
    o->halves[b] = 0.5f * k->dot_f32(mean, mean, o->e->dim);
}

static uint32_t draw(struct orderer *o, const uint32_t *rows, size_t n)
{
    o->state = o->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return rows[(size_t)(((o->state >> 32) * (uint64_t)n) >> 32)];
}

static void add_row(const struct orderer *o, uint32_t at, float *sum)
{
    float scale;
    const int8_t *bytes = bytes_of(o, at, &scale);

    ims__kernels()->add_i8(sum, bytes, scale, o->e->dim);
}

/* Lloyd's k-means over drawn rows; a branch that no row is near to keeps its place. */
static void learn_means(struct orderer *o, const uint32_t *rows, size_t n)
{
    size_t stride = o->from->views[rows[0] >> 16].segment->byte_stride, dim = o->e->dim;
    size_t n_drawn = (size_t)SAMPLED * o->n_branches;
    uint64_t seed = o->state;

    for (unsigned b = 0; b < o->n_branches; b++) {
        memset(o->sums, 0, dim * sizeof(float));
        add_row(o, draw(o, rows, n), o->sums);
        set_mean(o, b, o->sums, stride);
    }
    for (int round = 0; round < ROUNDS; round++) {
        size_t counts[BRANCHES] = { 0 };

        memset(o->sums, 0, o->n_branches * dim * sizeof(float));
        o->state = seed + 1; /* the same rows in every round */
        for (size_t i = 0; i < n_drawn; i++) {
            uint32_t at = draw(o, rows, n);
            unsigned b = nearest(o, at);

            add_row(o, at, o->sums + b * dim);
            counts[b]++;
        }
        for (unsigned b = 0; b < o->n_branches; b++) {
            for (size_t i = 0; counts[b] && i < dim; i++)
                o->sums[b * dim + i] /= (float)counts[b];
            if (counts[b])
                set_mean(o, b, o->sums + b * dim, stride);
        }
    }
}

/* Sorts rows by branch; where they begin goes to starts, BRANCHES + 1 of them. */
static void part(struct orderer *o, uint32_t *rows, size_t n, size_t *starts)
{
    size_t at[BRANCHES];

    memset(starts, 0, (BRANCHES + 1) * sizeof(*starts));
    for (size_t i = 0; i < n; i++) {
        o->branches[i] = (uint8_t)nearest(o, rows[i]);
        starts[o->branches[i] + 1]++;
    }
    for (unsigned b = 0; b < BRANCHES; b++) {
        starts[b + 1] += starts[b];
        at[b] = starts[b];
    }
    for (size_t i = 0; i < n; i++)
        o->room[at[o->branches[i]]++] = rows[i];
    memcpy(rows, o->room, n * sizeof(*rows));
}

static void order_rows(struct orderer *o, uint32_t *rows, size_t n)
{
    size_t starts[BRANCHES + 1], wanted = n / IMS_UNIT_SLOTS + 1;

    if (wanted < 2)
        return;
    o->n_branches = wanted < BRANCHES ? (unsigned)wanted : BRANCHES;
    learn_means(o, rows, n);
    part(o, rows, n, starts);
    for (unsigned b = 0; b < BRANCHES; b++) {
        if (starts[b + 1] - starts[b] < n) /* else all rows are alike: nothing to gain */
            order_rows(o, rows + starts[b], starts[b + 1] - starts[b]);
    }
}

/* Those with bytes, or those without (a few at the end of a segment that was written anew), join the rows. */
static void list_rows(struct orderer *o, bool has_bytes)
{
    for (size_t view = 0; view < o->from->n_views; view++) {
        const struct ims_view *v = &o->from->views[view];
        uint32_t from = has_bytes ? 0 : v->n_coded, until = has_bytes ? v->n_coded : v->n_rows;

        for (uint32_t slot = from; is_unordered(v) && slot < until; slot++) {
            if (!ims__is_dead(v->dead, slot))
                o->rows[o->n_rows++] = IMS_AT(view, slot);
        }
    }
}

/* One new segment of the next rows, on disk at once where there is a folder. */
static ims_status fill_segment(const struct orderer *o, const uint32_t *rows, uint32_t n, struct ims_view *out, ims_err *err)
{
    struct ims_embedded *e = o->e;
    struct ims_view v = { .epoch = e->epoch, .n_rows = n, .is_sealed = true, .is_ordered = true };
    ims_status st;

    v.segment = ims__segment_new(e->dim, e->next_number, n);
    if (!v.segment)
        return no_memory(err);
    for (uint32_t i = 0; i < n; i++)
        ims__segment_copy(v.segment, i, o->from->views[rows[i] >> 16].segment, rows[i] & 0xffffu);
    if (!ims__segment_seal(v.segment, n)) {
        ims__segment_unref(v.segment);
        return no_memory(err);
    }
    e->next_number++;
    v.segment->epoch = e->epoch;
    e->epoch->refs++;
    v.n_coded = n - n % IMS_CODE_BLOCK;
    ims__embedded_encode(e, v.segment, 0, v.n_coded, &v.spreads);
    ims__embedded_sum_up(e, v.segment, v.n_coded);
    st = ims__embedded_spill_view(e, &v, err);
    if (st)
        ims__segment_unref(v.segment);
    else
        *out = v;
    return st;
}

static ims_status replace_segments(struct orderer *o, ims_err *err)
{
    size_t n_new = (o->n_rows + IMS_SEGMENT_SLOTS - 1) / IMS_SEGMENT_SLOTS, n = 0;
    struct ims_snapshot *next = ims__snapshot_new(n_new + o->from->n_views);
    ims_status st = next ? IMS_OK : no_memory(err);

    for (size_t done = 0; !st && done < o->n_rows; n += !st) {
        uint32_t here = (uint32_t)(o->n_rows - done < IMS_SEGMENT_SLOTS ? o->n_rows - done : IMS_SEGMENT_SLOTS);

        st = fill_segment(o, o->rows + done, here, &next->views[n], err);
        done += here;
    }
    for (size_t i = 0; !st && i < o->from->n_views; i++) {
        const struct ims_view *v = &o->from->views[i];

        if (is_unordered(v))
            continue;
        next->views[n++] = *v;
        v->segment->refs++;
        if (v->dead)
            v->dead->refs++;
    }
    if (next)
        next->n_views = n;
    if (st)
        ims__snapshot_free(next);
    else
        ims__snapshots_publish(&o->e->snapshots, next);
    return st;
}

ims_status ims__embedded_order(struct ims_embedded *e, ims_err *err)
{
    struct orderer o = { .e = e, .from = atomic_load(&e->snapshots.current), .state = 7 };
    size_t n = 0, stride = ((size_t)e->dim + 15) / 16 * 16;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < o.from->n_views; i++)
        n += is_unordered(&o.from->views[i]) ? o.from->views[i].n_rows : 0;
    if (n < e->rules.skip_rows || !e->epoch)
        return IMS_OK;
    o.rows = ims__alloc(n, sizeof(*o.rows));
    o.room = ims__alloc(n, sizeof(*o.room));
    o.branches = ims__alloc(n, 1);
    o.sums = ims__alloc(BRANCHES * (size_t)e->dim, sizeof(float));
    o.means = ims__aligned_alloc(64, BRANCHES, stride);
    if (o.rows && o.room && o.branches && o.sums && o.means) {
        list_rows(&o, true);
        order_rows(&o, o.rows, o.n_rows);
        list_rows(&o, false);
        st = replace_segments(&o, err);
    } else {
        st = no_memory(err);
    }
    ims__free(o.rows);
    ims__free(o.room);
    ims__free(o.branches);
    ims__free(o.sums);
    ims__free(o.means);
    return st;
}
