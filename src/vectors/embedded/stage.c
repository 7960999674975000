/* A second index beside the one that answers, and its taking over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/persist.h"

#include "base/mem.h"

#define STAGE_NUMBERS ((uint64_t)1 << 20) /* set aside for its segments and epochs; more than a manifest may name */

ims_status ims__embedded_stage(struct ims_embedded *e, struct ims_embedded *staged, ims_err *err)
{
    struct ims_vectors_tuning tuning;
    ims_status st;

    staged->rules.miss = e->rules.miss;
    tuning = (struct ims_vectors_tuning){ .first_centre_rows = e->first_centre_rows };
    st = ims__embedded_init(staged, e->dim, 1, 0, &tuning, err);
    if (st)
        return st;
    ims__lock(&e->lock);
    if (e->has_stage)
        st = ims_fail(err, IMS_E_BUSY, "vectors", 0, "the vector index is being made anew already");
    if (!st && e->dir) {
        staged->dir = ims__strdup(e->dir);
        if (!staged->dir)
            st = ims_fail(err, IMS_E_NOMEM, "vectors", 0, "making an index anew");
    }
    if (!st) {
        staged->stage_of = e;
        staged->is_writer = e->is_writer;
        staged->next_number = e->stage_from = e->next_number;
        e->stage_until = e->next_number += STAGE_NUMBERS;
        e->has_stage = true;
    }
    ims__unlock(&e->lock);
    return st;
}

void ims__embedded_leave_stage(struct ims_embedded *staged)
{
    struct ims_embedded *e = staged->stage_of;

    if (!e)
        return;
    ims__lock(&e->lock);
    e->has_stage = false;
    e->stage_from = e->stage_until = 0;
    ims__unlock(&e->lock);
    staged->stage_of = NULL;
}

static struct ims_snapshot *copy_snapshot(const struct ims_snapshot *from)
{
    struct ims_snapshot *s = ims__snapshot_new(from->n_views);

    for (size_t i = 0; s && i < from->n_views; i++) {
        s->views[i] = from->views[i];
        s->views[i].segment->refs++;
        if (s->views[i].dead)
            s->views[i].dead->refs++;
    }
    return s;
}

static bool reserve_saved(struct ims_embedded *e, size_t n_more)
{
    struct ims_saved *saved = ims__realloc(e->saved, e->n_saved + n_more + 1, sizeof(*saved));

    if (!saved)
        return false;
    e->saved = saved;
    e->saved_cap = e->n_saved + n_more + 1;
    return true;
}

static void take_over(struct ims_embedded *e, struct ims_embedded *staged, struct ims_snapshot *next)
{
    struct ims_id_map rows = e->active_rows;

    ims__snapshots_publish(&e->snapshots, next);
    ims__epoch_unref(e->epoch);
    e->epoch = staged->epoch;
    staged->epoch = NULL;
    e->active_rows = staged->active_rows;
    staged->active_rows = rows;
    ims__id_map_clear(&staged->active_rows);
    if (staged->n_saved)
        memcpy(e->saved + e->n_saved, staged->saved, staged->n_saved * sizeof(*e->saved));
    e->n_saved += staged->n_saved;
    staged->n_saved = 0;
}

ims_status ims__embedded_adopt(struct ims_embedded *e, struct ims_embedded *staged, ims_err *err)
{
    struct ims_snapshot *next, *empty = ims__snapshot_new(0);
    ims_status st = IMS_OK;

    ims__lock(&e->lock);
    ims__lock(&staged->lock);
    next = copy_snapshot(atomic_load(&staged->snapshots.current));
    if (!next || !empty || !reserve_saved(e, staged->n_saved)) {
        ims__snapshot_free(next);
        ims__free(empty);
        st = ims_fail(err, IMS_E_NOMEM, "vectors", 0, "making an index anew");
    } else {
        take_over(e, staged, next);
        ims__snapshots_publish(&staged->snapshots, empty);
    }
    ims__unlock(&staged->lock);
    ims__unlock(&e->lock);
    return st;
}
