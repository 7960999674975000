/* Putting the rows of full segments in order of likeness, so that a query can skip most of them.
 *
 * The rows are brought into the order of clusters of like ones (order_tree.h). New segments are filled in that order, each cluster a
 * cell, and take the place of the former ones. Segments have levels, as in a log-structured merge tree: 0 as rows came,
 * l + 1 once put in order with at least skip_rows * 8^l others. When as many have come together again that all up to a level
 * reach the next one, they are put in order together: clusters of more rows are finer, and each row moves once per level.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/cells.h"
#include "vectors/embedded/fill.h"
#include "vectors/embedded/order_tree.h"
#include "vectors/embedded/persist.h"

#include "base/mem.h"

#define LEVEL_FACTOR 8

struct orderer {
    struct ims_embedded *e;
    const struct ims_snapshot *from;
    unsigned level; /* segments up to this one are put in order */
    uint32_t *rows; /* IMS_AT; those with bytes first */
    size_t n_rows, n_coded;
    uint32_t *starts; /* of cells among them */
    size_t n_starts, next_start;
};

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for putting the vector index in order");
}

static bool is_chosen(const struct orderer *o, const struct ims_view *v)
{
    return v->is_sealed && v->n_coded && v->level <= o->level;
}

/* The rows that are to be put in order; 0: there are too few new ones. */
static size_t choose_level(struct orderer *o)
{
    size_t by_level[IMS_MAX_ORDER_LEVEL + 1] = { 0 }, n = 0, n_chosen = 0, needed = o->e->rules.skip_rows;

    for (size_t i = 0; i < o->from->n_views; i++) {
        const struct ims_view *v = &o->from->views[i];

        if (v->is_sealed && v->n_coded)
            by_level[v->level] += v->n_rows;
    }
    for (unsigned level = 0; level < IMS_MAX_ORDER_LEVEL && by_level[0] >= o->e->rules.skip_rows; level++) {
        n += by_level[level];
        if (n >= needed) {
            o->level = level;
            n_chosen = n;
        }
        if (needed > SIZE_MAX / LEVEL_FACTOR)
            break;
        needed *= LEVEL_FACTOR;
    }
    return n_chosen;
}

/* Those with bytes, or those without (a few at the end of a segment that was written anew), join the rows. */
static void list_rows(struct orderer *o, bool has_bytes)
{
    for (size_t view = 0; view < o->from->n_views; view++) {
        const struct ims_view *v = &o->from->views[view];
        uint32_t from = has_bytes ? 0 : v->n_coded, until = has_bytes ? v->n_coded : v->n_rows;

        for (uint32_t slot = from; is_chosen(o, v) && slot < until; slot++) {
            if (!ims__is_dead(v->dead, slot))
                o->rows[o->n_rows++] = IMS_AT(view, slot);
        }
    }
}

/* The cells of the coded rows first .. first + n - 1: those that begin among them, and the rest of one that began before. */
static bool make_cells(struct orderer *o, struct ims_segment *s, size_t first, uint32_t n)
{
    uint32_t *starts = ims__alloc(n, sizeof(*starts)), n_starts = 0;
    bool is_made;

    if (!starts)
        return false;
    for (; o->next_start < o->n_starts && o->starts[o->next_start] < first + n; o->next_start++) {
        if (o->starts[o->next_start] < first)
            continue;
        if (!n_starts && o->starts[o->next_start] > first)
            starts[n_starts++] = 0;
        starts[n_starts++] = (uint32_t)(o->starts[o->next_start] - first);
    }
    if (!n_starts)
        starts[n_starts++] = 0;
    is_made = ims__cells_new(s, starts, n_starts, n);
    ims__free(starts);
    return is_made;
}

/* One new segment of the n rows from `first` on, on disk at once where there is a folder. */
static ims_status fill_segment(struct orderer *o, size_t first, uint32_t n, struct ims_view *out, ims_err *err)
{
    struct ims_embedded *e = o->e;
    struct ims_view v = { .epoch = e->epoch, .n_rows = n, .is_sealed = true, .level = (uint8_t)(o->level + 1),
                          .is_read_whole = true };
    const uint32_t *rows = o->rows + first;
    ims_status st;

    v.segment = ims__segment_new(e->dim, e->next_number, n);
    if (!v.segment)
        return no_memory(err);
    v.n_coded = n - n % IMS_CODE_BLOCK;
    for (uint32_t i = 0; i < n; i++)
        ims__segment_copy(v.segment, i, o->from->views[rows[i] >> 16].segment, rows[i] & 0xffffu);
    if (!ims__segment_seal(v.segment, n) || (v.n_coded && !make_cells(o, v.segment, first, v.n_coded))) {
        ims__segment_unref(v.segment);
        return no_memory(err);
    }
    e->next_number++;
    v.segment->epoch = e->epoch;
    e->epoch->refs++;
    ims__embedded_encode(e, v.segment, 0, v.n_coded, &v.spreads);
    ims__embedded_sum_up(e, v.segment, v.n_coded);
    ims__embedded_encode_cells(e, v.segment, &v.spreads);
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

        st = fill_segment(o, done, here, &next->views[n], err);
        done += here;
    }
    for (size_t i = 0; !st && i < o->from->n_views; i++) {
        const struct ims_view *v = &o->from->views[i];

        if (is_chosen(o, v))
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
    struct orderer o = { .e = e, .from = atomic_load(&e->snapshots.current) };
    size_t n = choose_level(&o);
    ims_status st;

    if (!n || !e->epoch)
        return IMS_OK;
    o.rows = ims__alloc(n, sizeof(*o.rows));
    if (!o.rows)
        return no_memory(err);
    list_rows(&o, true);
    o.n_coded = o.n_rows;
    if (ims__cluster_rows(o.from, e->dim, o.rows, o.n_coded, &o.starts, &o.n_starts)) {
        list_rows(&o, false);
        st = replace_segments(&o, err);
        if (!st)
            st = ims__embedded_try_order(e, o.level + 1, err);
    } else {
        st = no_memory(err);
    }
    ims__free(o.rows);
    ims__free(o.starts);
    return st;
}
