/* Changing the index: rows are appended to the last segment, replaced and removed ones marked dead, codes made
 * of what has become a whole block, and all of it published at once as the next snapshot.
 *
 * Nothing a reader may see is written to: appended rows lie beyond the counts of every snapshot, bitmaps are
 * copied before a bit is set.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/fill.h"

#include "base/mem.h"

#define DRIFT 0.05f /* of a segment's mean from the centre, as a share of the mean squared distance */

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for more vectors");
}

static const struct ims_snapshot *present(struct ims_embedded *e)
{
    return atomic_load(&e->snapshots.current);
}

static struct ims_view *last_view(struct ims_change *c)
{
    return c->next->n_views ? &c->next->views[c->next->n_views - 1] : NULL;
}

ims_status ims__change_begin(struct ims_change *c, struct ims_embedded *e, size_t n_more_rows, ims_err *err)
{
    const struct ims_snapshot *now = present(e);
    size_t most = now->n_views + n_more_rows / IMS_SEGMENT_SLOTS + 2;

    *c = (struct ims_change){ .e = e };
    c->next = ims__snapshot_new(most);
    c->is_copied = ims__zalloc(most, sizeof(*c->is_copied));
    c->rows = ims__alloc(n_more_rows < IMS_SEGMENT_SLOTS ? n_more_rows : IMS_SEGMENT_SLOTS, sizeof(*c->rows));
    if (!c->next || !c->is_copied || !c->rows) {
        ims__free(c->next);
        ims__free(c->is_copied);
        ims__free(c->rows);
        return no_memory(err);
    }
    c->next->n_views = now->n_views;
    memcpy(c->next->views, now->views, now->n_views * sizeof(now->views[0]));
    for (size_t i = 0; i < now->n_views; i++) {
        c->next->views[i].segment->refs++;
        if (c->next->views[i].dead)
            c->next->views[i].dead->refs++;
    }
    return IMS_OK;
}

/* The table of the last segment's ids as the present snapshot has them. There is room. */
static void refill_active_rows(struct ims_embedded *e)
{
    const struct ims_snapshot *now = present(e);
    const struct ims_view *v = now->n_views ? &now->views[now->n_views - 1] : NULL;

    ims__id_map_clear(&e->active_rows);
    if (!v || v->is_sealed)
        return;
    for (uint32_t slot = 0; slot < v->n_rows; slot++) {
        if (!ims__is_dead(v->dead, slot))
            ims__id_map_put(&e->active_rows, v->segment->ids[slot], slot);
    }
}

ims_status ims__restore_active_rows(struct ims_embedded *e, ims_err *err)
{
    const struct ims_snapshot *now = present(e);
    const struct ims_view *v = now->n_views ? &now->views[now->n_views - 1] : NULL;

    if (v && !v->is_sealed && !ims__id_map_reserve(&e->active_rows, v->n_rows))
        return no_memory(err);
    refill_active_rows(e);
    return IMS_OK;
}

void ims__change_drop(struct ims_change *c)
{
    ims__snapshot_free(c->next);
    ims__free(c->is_copied);
    ims__free(c->rows);
    refill_active_rows(c->e); /* it held them before */
}

static uint32_t find_in_view(struct ims_embedded *e, const struct ims_view *v, int64_t id)
{
    size_t row;

    if (v->is_sealed) { /* ids mostly grow: most segments are out at the first look */
        const struct ims_segment *s = v->segment;

        if (id < s->ids[s->order[0]] || id > s->ids[s->order[v->n_rows - 1]])
            return IMS_NO_SLOT;
        return ims__segment_find(s, v->n_rows, id);
    }
    row = ims__id_map_get(&e->active_rows, id);
    return row == IMS_NO_ROW ? IMS_NO_SLOT : (uint32_t)row;
}

bool ims__embedded_find(struct ims_embedded *e, const struct ims_snapshot *s, int64_t id, size_t *out_view,
                        uint32_t *out_slot)
{
    for (size_t i = s->n_views; i-- > 0;) {
        uint32_t slot = find_in_view(e, &s->views[i], id);

        if (slot != IMS_NO_SLOT && !ims__is_dead(s->views[i].dead, slot)) {
            *out_view = i;
            *out_slot = slot;
            return true;
        }
    }
    return false;
}

ims_status ims__change_remove(struct ims_change *c, int64_t id, ims_err *err)
{
    struct ims_view *v;
    size_t view;
    uint32_t slot;

    if (!ims__embedded_find(c->e, c->next, id, &view, &slot))
        return IMS_OK;
    v = &c->next->views[view];
    if (!c->is_copied[view]) {
        struct ims_dead *copy = ims__dead_copy(v->dead);

        if (!copy)
            return no_memory(err);
        ims__dead_unref(v->dead);
        v->dead = copy;
        c->is_copied[view] = true;
    }
    v->dead->bits[slot / 32] |= 1u << slot % 32;
    v->dead->n++;
    if (!v->is_sealed)
        ims__id_map_remove(&c->e->active_rows, id);
    return IMS_OK;
}

/* ---- epochs ---- */

static bool is_coded_dim(const struct ims_embedded *e)
{
    return e->dim >= IMS_MIN_CODED_DIM;
}

static void mean_of_rows(const struct ims_segment *s, uint32_t n, float *out)
{
    memset(out, 0, s->dim * sizeof(float));
    for (uint32_t slot = 0; slot < n; slot++) {
        const float *row = ims__segment_row(s, slot);

        for (uint32_t i = 0; i < s->dim; i++)
            out[i] += row[i];
    }
    for (uint32_t i = 0; i < s->dim; i++)
        out[i] /= (float)n;
}

/* epoch: taken over, with the next number; NULL when memory is short. */
static ims_status begin_epoch(struct ims_embedded *e, struct ims_epoch *epoch, ims_err *err)
{
    if (!epoch)
        return no_memory(err);
    e->next_number++;
    ims__epoch_unref(e->epoch);
    e->epoch = epoch;
    return IMS_OK;
}

/* The mean of a segment's coded rows, rotated: the centre and what the means of its units add. */
static void mean_of_parts(const struct ims_view *v, float *out)
{
    const struct ims_segment *s = v->segment;

    memcpy(out, v->epoch->centre, s->dim * sizeof(float));
    for (uint32_t i = 0; i < ims__n_parts(v->n_coded); i++) {
        const int8_t *bytes = s->part_bytes + (size_t)i * s->byte_stride;
        float weight = s->parts[i].byte_scale * (float)s->parts[i].n_coded / (float)v->n_coded;

        ims__kernels()->add_i8(out, bytes, weight, s->dim);
    }
}

/* The rows of a full segment drifted from the centre when the square of the distance between the two is a
 * noticeable part of what the codes must describe: 1 - 2 <c,m> + |c|^2 on average, for unit vectors. */
static ims_status follow_drift(struct ims_embedded *e, const struct ims_view *v, ims_err *err)
{
    const struct ims_kernels *k = ims__kernels();
    float *mean = e->room;
    float along, mean_square, away, within;

    mean_of_parts(v, mean);
    along = k->dot_f32(mean, v->epoch->centre, e->dim);
    mean_square = k->dot_f32(mean, mean, e->dim);
    away = mean_square - 2 * along + v->epoch->norm_square;
    within = 1 - 2 * along + v->epoch->norm_square;
    return away > DRIFT * within ? begin_epoch(e, ims__epoch_load(e->dim, mean, e->next_number), err) : IMS_OK;
}

/* ---- appending ---- */

/* Brings the pending rows in; codes them, and what was left before, once there is an epoch. */
static ims_status fill_pending(struct ims_change *c, struct ims_view *v, ims_err *err)
{
    uint32_t first_new = v->n_rows - c->n_pending;
    struct ims_fill fill = { .segment = v->segment,
                             .from = v->segment->epoch ? v->n_coded : first_new - first_new % IMS_CODE_BLOCK,
                             .until = v->n_rows,
                             .first_new = first_new,
                             .rows = c->rows,
                             .spreads = v->spreads };
    ims_status st = ims__embedded_fill(c->e, &fill, err);

    if (st)
        return st;
    c->n_pending = 0;
    v->spreads = fill.spreads;
    v->epoch = v->segment->epoch;
    if (v->epoch)
        v->n_coded = v->n_rows - v->n_rows % IMS_CODE_BLOCK;
    return IMS_OK;
}

static void join_epoch(struct ims_embedded *e, struct ims_segment *s)
{
    if (s->epoch || !e->epoch)
        return;
    s->epoch = e->epoch;
    e->epoch->refs++;
}

static ims_status take_pending(struct ims_change *c, struct ims_view *v, ims_err *err)
{
    struct ims_embedded *e = c->e;
    ims_status st;

    join_epoch(e, v->segment);
    st = fill_pending(c, v, err);
    if (st || !is_coded_dim(e) || e->epoch || v->n_rows < e->first_centre_rows)
        return st;
    mean_of_rows(v->segment, v->n_rows, e->room);
    st = begin_epoch(e, ims__epoch_new(&e->rotation, e->room, e->next_number), err);
    if (st)
        return st;
    join_epoch(e, v->segment);
    return fill_pending(c, v, err);
}

/* The spare one, unless somebody still looks at it, or a new one. */
static struct ims_segment *empty_segment(struct ims_embedded *e)
{
    struct ims_segment *s = e->spare;

    e->spare = NULL;
    if (s && s->refs == 1) {
        ims__segment_reset(s, e->next_number);
        return s;
    }
    ims__segment_unref(s);
    return ims__segment_new(e->dim, e->next_number, IMS_SEGMENT_SLOTS);
}

static ims_status add_segment(struct ims_change *c, ims_err *err)
{
    struct ims_segment *s = empty_segment(c->e);

    if (!s)
        return no_memory(err);
    c->e->next_number++;
    c->next->views[c->next->n_views++] = (struct ims_view){ .segment = s };
    ims__id_map_clear(&c->e->active_rows);
    return IMS_OK;
}

static ims_status seal(struct ims_change *c, struct ims_view *v, ims_err *err)
{
    ims_status st = take_pending(c, v, err);

    if (st)
        return st;
    if (!ims__segment_seal(v->segment, v->n_rows))
        return no_memory(err);
    if (v->epoch)
        ims__embedded_sum_up(c->e, v->segment, v->n_coded);
    v->is_sealed = true;
    return v->epoch ? follow_drift(c->e, v, err) : IMS_OK;
}

ims_status ims__change_append(struct ims_change *c, int64_t id, const float *row, ims_err *err)
{
    struct ims_view *v = last_view(c);
    ims_status st = IMS_OK;

    if (!v || v->is_sealed)
        st = add_segment(c, err);
    if (st)
        return st;
    v = last_view(c);
    if (!ims__id_map_reserve(&c->e->active_rows, (size_t)v->n_rows + 1))
        return no_memory(err);
    v->segment->ids[v->n_rows] = id;
    c->rows[c->n_pending++] = row;
    ims__id_map_put(&c->e->active_rows, id, v->n_rows);
    v->n_rows++;
    return v->n_rows == IMS_SEGMENT_SLOTS ? seal(c, v, err) : IMS_OK;
}

ims_status ims__change_publish(struct ims_change *c, ims_err *err)
{
    struct ims_view *v = last_view(c);
    ims_status st = v && !v->is_sealed ? take_pending(c, v, err) : IMS_OK;

    if (st)
        return st;
    ims__snapshots_publish(&c->e->snapshots, c->next);
    ims__free(c->is_copied);
    ims__free(c->rows);
    return IMS_OK;
}
