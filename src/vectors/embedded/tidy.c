/* Giving up the room of dead rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "vectors/embedded/cells.h"
#include "vectors/embedded/fill.h"
#include "vectors/embedded/persist.h"

#define DEAD_SHARE 4 /* a full segment with more than 1 / DEAD_SHARE dead rows is written anew */

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for the vector index");
}

static bool is_wasteful(const struct ims_view *v)
{
    return v->is_sealed && v->dead && (uint64_t)v->dead->n * DEAD_SHARE > v->n_rows;
}

/* Cells keep what lives of them; the last one takes rows that had no code before. */
static bool copy_cells(const struct ims_view *from, struct ims_segment *s, uint32_t n_coded)
{
    const struct ims_segment *f = from->segment;
    uint32_t *starts = ims__alloc(f->n_cells, sizeof(*starts)), n_starts = 0, n = 0;
    bool is_made;

    if (!starts)
        return false;
    for (uint32_t i = 0; i < f->n_cells && n < n_coded; i++) {
        uint32_t before = n;

        for (uint32_t k = 0; k < f->cells[i].n_coded; k++)
            n += !ims__is_dead(from->dead, f->cells[i].from + k);
        if (n > before)
            starts[n_starts++] = before;
    }
    if (!n_starts)
        starts[n_starts++] = 0;
    is_made = ims__cells_new(s, starts, n_starts, n_coded);
    ims__free(starts);
    return is_made;
}

/* The living rows of one segment in a segment of their own; no view when none lives. */
static ims_status copy_living(struct ims_embedded *e, const struct ims_view *from, struct ims_view *out,
                              ims_err *err)
{
    uint32_t n_live = from->n_rows - from->dead->n, n = 0;
    struct ims_view v = { .epoch = from->epoch, .is_sealed = true, .level = from->level,
                          .is_read_whole = from->is_read_whole };

    v.segment = ims__segment_new(e->dim, e->next_number, n_live);
    if (!v.segment)
        return no_memory(err);
    for (uint32_t slot = 0; slot < from->n_rows; slot++) {
        if (!ims__is_dead(from->dead, slot))
            ims__segment_copy(v.segment, n++, from->segment, slot);
    }
    v.n_rows = n;
    v.n_coded = v.epoch ? n - n % IMS_CODE_BLOCK : 0;
    if (!ims__segment_seal(v.segment, n) ||
        (from->segment->n_cells && v.n_coded && !copy_cells(from, v.segment, v.n_coded))) {
        ims__segment_unref(v.segment);
        return no_memory(err);
    }
    e->next_number++;
    if (v.epoch) {
        v.segment->epoch = from->segment->epoch;
        v.segment->epoch->refs++;
        ims__embedded_encode(e, v.segment, 0, v.n_coded, &v.spreads);
        ims__embedded_sum_up(e, v.segment, v.n_coded);
        if (v.segment->n_cells)
            ims__embedded_encode_cells(e, v.segment, &v.spreads);
    }
    *out = v;
    return IMS_OK;
}

/* Replaces every segment of which much is dead. Rows keep their order. */
ims_status ims__embedded_tidy(struct ims_embedded *e, ims_err *err)
{
    struct ims_snapshot *now = atomic_load(&e->snapshots.current), *next;
    ims_status st = IMS_OK;
    size_t n_wasteful = 0, n = 0;

    for (size_t i = 0; i < now->n_views; i++)
        n_wasteful += is_wasteful(&now->views[i]);
    if (!n_wasteful)
        return IMS_OK;
    next = ims__snapshot_new(now->n_views);
    if (!next)
        return no_memory(err);
    for (size_t i = 0; !st && i < now->n_views; i++) {
        const struct ims_view *v = &now->views[i];

        if (!is_wasteful(v)) {
            next->views[n++] = *v;
            v->segment->refs++;
            if (v->dead)
                v->dead->refs++;
        } else if (v->dead->n < v->n_rows) {
            st = copy_living(e, v, &next->views[n], err);
            n += !st;
        }
    }
    next->n_views = n;
    if (st)
        ims__snapshot_free(next);
    else
        ims__snapshots_publish(&e->snapshots, next);
    return st;
}
