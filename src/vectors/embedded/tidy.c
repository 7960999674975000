/* Giving up the room of dead rows.
 * SPDX-License-Identifier: Apache-2.0 */
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

/* The living rows of one segment in a segment of their own; no view when none lives. */
static ims_status copy_living(struct ims_embedded *e, const struct ims_view *from, struct ims_view *out,
                              ims_err *err)
{
    uint32_t n_live = from->n_rows - from->dead->n, n = 0;
    struct ims_view v = { .epoch = from->epoch, .is_sealed = true, .is_ordered = from->is_ordered };

    v.segment = ims__segment_new(e->dim, e->next_number, n_live);
    if (!v.segment)
        return no_memory(err);
    for (uint32_t slot = 0; slot < from->n_rows; slot++) {
        if (!ims__is_dead(from->dead, slot))
            ims__segment_copy(v.segment, n++, from->segment, slot);
    }
    v.n_rows = n;
    if (!ims__segment_seal(v.segment, n)) {
        ims__segment_unref(v.segment);
        return no_memory(err);
    }
    e->next_number++;
    if (v.epoch) {
        v.segment->epoch = from->segment->epoch;
        v.segment->epoch->refs++;
        v.n_coded = n - n % IMS_CODE_BLOCK;
        ims__embedded_encode(e, v.segment, 0, v.n_coded, &v.spreads);
        ims__embedded_sum_up(e, v.segment, v.n_coded);
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
