/* Stores the faces of a batch of pictures: compares with those that are there, then one series for each
 * kind of change.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_face_commit.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WIDTH 15

/* A face that the library has of one of the pictures. */
struct old_face {
    size_t picture;
    int64_t id;
    struct ims__box box;
    bool is_held; /* the user said who it is or is not */
    bool is_matched;
};

/* --- series --- */

static struct ims_db_value *add_values(struct ims__face_batch *b, size_t *n, size_t width,
                                       size_t item)
{
    b->chosen[*n] = item;
    return b->values + (*n)++ * width;
}

/* Are the faces of picture i to be stored? Of two copies in a batch the first brings them. */
static bool brings_faces(const struct ims__face_batch *b, size_t i)
{
    const struct ims__face_picture *p = &b->pictures[i];

    if (p->reason || p->in->is_known || !p->content_id)
        return false;
    for (size_t k = 0; k < i; k++) {
        const struct ims__face_picture *q = &b->pictures[k];

        if (q->content_id == p->content_id && !q->reason && !q->in->is_known)
            return false;
    }
    return true;
}

/* --- what is there --- */

struct read_old {
    struct ims__face_batch *b;
    struct ims__store_list list;
};

static ims_status take_old(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct read_old *x = arg;
    struct old_face *f = ims__store_list_add(&x->list, err);

    if (!f)
        return IMS_E_NOMEM;
    f->picture = x->b->chosen[item];
    f->id = ims_db_column_int(row, 0);
    f->box = (struct ims__box){ (int)ims_db_column_int(row, 1), (int)ims_db_column_int(row, 2),
                                (int)ims_db_column_int(row, 3), (int)ims_db_column_int(row, 4) };
    f->is_held = ims_db_column_int(row, 5) != 0;
    return IMS_OK;
}

static ims_status read_old(struct ims__face_batch *b, struct read_old *x, ims_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_pictures; i++) {
        struct ims_db_value *v;

        if (!brings_faces(b, i))
            continue;
        v = add_values(b, &n, 2, i);
        v[0] = ims_db_int(b->pictures[i].content_id);
        v[1] = ims_db_int(b->model_id);
    }
    return ims_db_run_many(
        b->s->db,
        "SELECT f.id, f.x, f.y, f.w, f.h, CASE WHEN f.person_id IS NOT NULL OR EXISTS (SELECT 1 "
        "FROM face_rejections r WHERE r.face_id = f.id) THEN 1 ELSE 0 END FROM faces f "
        "WHERE f.content_id = $1 AND f.model_id = $2 ORDER BY f.id",
        b->values, 2, n, take_old, x, NULL, err);
}

static struct ims__box box_of(const struct ims_store_face_in *f)
{
    return (struct ims__box){ f->x, f->y, f->w, f->h };
}

/* Gives rows [from, to), of one picture, the ids of old faces they overlap. */
static ims_status match_picture(struct ims__face_batch *b, size_t from, size_t to,
                                struct old_face *old, size_t n_old, ims_err *err)
{
    struct ims__box *boxes = ims__zalloc(to - from + n_old, sizeof(*boxes));
    int *pairs = ims__zalloc(to - from, sizeof(*pairs));
    ims_status st = IMS_OK;

    if (!boxes || !pairs) {
        st = ims__store_nomem(err);
        goto out;
    }
    for (size_t i = from; i < to; i++)
        boxes[i - from] = b->rows[i].is_double ? (struct ims__box){ 0 } : box_of(b->rows[i].in);
    for (size_t i = 0; i < n_old; i++)
        boxes[to - from + i] = old[i].box;
    st = ims__pair_boxes(boxes, to - from, boxes + (to - from), n_old, pairs, err);
    for (size_t i = from; !st && i < to; i++) {
        int k = pairs[i - from];

        if (k < 0)
            continue;
        b->rows[i].id = old[k].id;
        b->rows[i].is_new = false;
        old[k].is_matched = true;
    }
out:
    ims__free(boxes);
    ims__free(pairs);
    return st;
}

/* Both lists are in the order of pictures. */
static ims_status match_all(struct ims__face_batch *b, struct old_face *old, size_t n_old,
                            ims_err *err)
{
    ims_status st = IMS_OK;
    size_t first_old = 0;

    for (size_t i = 0, end; !st && i < b->n_rows; i = end) {
        size_t picture = b->rows[i].picture, end_old;

        for (end = i; end < b->n_rows && b->rows[end].picture == picture; end++) {
            b->rows[end].id = 0;
            b->rows[end].is_new = !b->rows[end].is_double && brings_faces(b, picture);
        }
        while (first_old < n_old && old[first_old].picture < picture)
            first_old++;
        for (end_old = first_old; end_old < n_old && old[end_old].picture == picture; end_old++)
            ;
        st = match_picture(b, i, end, old + first_old, end_old - first_old, err);
        first_old = end_old;
    }
    return st;
}

/* --- faces --- */

static ims_status remove_lost(struct ims__face_batch *b, const struct old_face *old, size_t n_old,
                              ims_err *err)
{
    int64_t *ids = ims__zalloc(n_old, sizeof(*ids));
    struct ims_db_value *values = ims__zalloc(n_old, sizeof(*values));
    size_t n = 0;
    ims_status st = ids && values ? IMS_OK : ims__store_nomem(err);

    for (size_t i = 0; !st && i < n_old; i++) {
        if (old[i].is_matched || old[i].is_held)
            continue;
        values[n] = ims_db_int(old[i].id);
        ids[n++] = old[i].id;
    }
    if (!st)
        st = ims__store_log_removals(b->s, b->model_id, ids, n, err);
    if (!st)
        st = ims_db_run_many(b->s->db, "DELETE FROM faces WHERE id = $1", values, 1, n, NULL, NULL,
                             NULL, err);
    ims__free(ids);
    ims__free(values);
    return st;
}

static struct ims_db_value real_or_null(bool has, float v)
{
    return has && v == v && v < 1e30f && v > -1e30f ? ims_db_double((double)v) : ims_db_null();
}

static void face_values(struct ims__face_batch *b, const struct ims__face_row *row,
                        struct ims_db_value *v)
{
    const struct ims_store_face_in *f = row->in;

    v[0] = ims_db_int(f->x);
    v[1] = ims_db_int(f->y);
    v[2] = ims_db_int(f->w);
    v[3] = ims_db_int(f->h);
    v[4] = ims_db_double((double)f->score);
    v[5] = ims_db_double((double)f->quality);
    v[6] = ims_db_text(row->landmarks_json);
    v[7] = real_or_null(f->has_age, f->age);
    v[8] = f->gender == 0 || f->gender == 1 ? ims_db_int(f->gender) : ims_db_null();
    v[9] = real_or_null(f->has_pose, f->yaw);
    v[10] = real_or_null(f->has_pose, f->pitch);
    v[11] = real_or_null(f->has_pose, f->roll);
    v[12] = ims_db_int(b->now_us);
}

static ims_status take_face_id(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct ims__face_batch *b = arg;

    (void)err;
    b->rows[b->chosen[item]].id = ims_db_column_int(row, 0);
    return IMS_OK;
}

/* New faces are inserted, found ones take the new box and attributes. */
static ims_status put_rows(struct ims__face_batch *b, bool is_new, ims_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_rows; i++) {
        struct ims_db_value *v;

        if (is_new ? !b->rows[i].is_new : !b->rows[i].id || b->rows[i].is_new)
            continue;
        v = add_values(b, &n, is_new ? 15 : 14, i);
        face_values(b, &b->rows[i], v);
        v[13] = ims_db_int(is_new ? b->pictures[b->rows[i].picture].content_id : b->rows[i].id);
        if (is_new)
            v[14] = ims_db_int(b->model_id);
    }
    if (is_new)
        return ims_db_run_many(b->s->db,
                               "INSERT INTO faces (x, y, w, h, score, quality, landmarks_json, "
                               "age, gender, yaw, pitch, "
                               "roll, created_us, updated_us, content_id, model_id) VALUES ($1, "
                               "$2, $3, $4, $5, $6, $7, "
                               "$8, $9, $10, $11, $12, $13, $13, $14, $15) RETURNING id",
                               b->values, 15, n, take_face_id, b, NULL, err);
    return ims_db_run_many(
        b->s->db,
        "UPDATE faces SET x = $1, y = $2, w = $3, h = $4, score = $5, quality = $6, "
        "landmarks_json = $7, age = $8, gender = $9, yaw = $10, pitch = $11, roll = $12, "
        "updated_us = $13 WHERE id = $14",
        b->values, 14, n, NULL, NULL, NULL, err);
}

static ims_status put_vectors(struct ims__face_batch *b, ims_err *err)
{
    size_t n = 0;
    int64_t seq = 0;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < b->n_rows; i++)
        n += b->rows[i].id != 0;
    if (n)
        st = ims__store_take_seq(b->s, b->model_id, n, &seq, err);
    n = 0;
    for (size_t i = 0; !st && i < b->n_rows; i++) {
        struct ims_db_value *v;

        if (!b->rows[i].id)
            continue;
        v = add_values(b, &n, 5, i);
        v[0] = ims_db_int(b->rows[i].id);
        v[1] = ims_db_int(b->model_id);
        v[2] = ims_db_int(seq++);
        v[3] = ims_db_blob(b->rows[i].vector, (size_t)b->dim * sizeof(float));
        v[4] = ims_db_int(b->now_us);
    }
    if (!st)
        st = ims_db_run_many(
            b->s->db,
            "INSERT INTO face_vectors (face_id, model_id, seq, vector, created_us) "
            "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (face_id) DO UPDATE SET seq = excluded.seq, "
            "vector = excluded.vector, created_us = excluded.created_us "
            "WHERE face_vectors.vector <> excluded.vector",
            b->values, 5, n, NULL, NULL, NULL, err);
    return st;
}

/* --- scans, states, evidence --- */

static ims_status put_scans(struct ims__face_batch *b, ims_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_pictures; i++) {
        const struct ims__face_picture *p = &b->pictures[i];
        struct ims_db_value *v;

        if (!brings_faces(b, i))
            continue;
        v = add_values(b, &n, 5, i);
        v[0] = ims_db_int(p->content_id);
        v[1] = ims_db_int(b->model_id);
        v[2] = ims_db_double((double)p->in->min_score);
        v[3] = ims_db_int(p->in->min_size_px);
        v[4] = ims_db_int(b->now_us);
    }
    return ims_db_run_many(
        b->s->db,
        "INSERT INTO face_scans (content_id, model_id, min_score, min_size_px, created_us) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (content_id, model_id) DO UPDATE SET "
        "min_score = excluded.min_score, min_size_px = excluded.min_size_px, "
        "created_us = excluded.created_us",
        b->values, 5, n, NULL, NULL, NULL, err);
}

static ims_status take_is_scanned(void *arg, size_t item, const struct ims_db_query *row,
                                  ims_err *err)
{
    struct ims__face_batch *b = arg;

    (void)row;
    (void)err;
    b->pictures[b->chosen[item]].state = IMS_STORE_DONE;
    return IMS_OK;
}

/* Done is what was looked at; a "known" content that nobody looked at stays queued. */
static ims_status settle_states(struct ims__face_batch *b, ims_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_pictures; i++) {
        struct ims__face_picture *p = &b->pictures[i];
        struct ims_db_value *v;

        p->state = p->reason ? IMS_STORE_FAILED : IMS_STORE_QUEUED;
        if (p->reason)
            continue;
        v = add_values(b, &n, 2, i);
        v[0] = ims_db_int(p->content_id);
        v[1] = ims_db_int(b->model_id);
    }
    return ims_db_run_many(b->s->db,
                           "SELECT 1 FROM face_scans WHERE content_id = $1 AND model_id = $2",
                           b->values, 2, n, take_is_scanned, b, NULL, err);
}

static ims_status put_work(struct ims__face_batch *b, ims_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_pictures; i++) {
        const struct ims__face_picture *p = &b->pictures[i];
        struct ims_db_value *v;

        if (!p->is_current)
            continue;
        v = add_values(b, &n, 8, i);
        v[0] = ims_db_int(p->asset_id);
        v[1] = ims_db_text(IMS_TASK_FACES);
        v[2] = ims_db_int(b->model_id);
        v[3] = ims_db_text(ims_store_state_name(p->state));
        v[4] = ims_db_int(p->failure);
        v[5] = ims_db_text(p->reason);
        v[6] = ims_db_text(p->detail);
        v[7] = ims_db_int(b->now_us);
    }
    return ims_db_run_many(b->s->db, ims__store_put_work_sql, b->values, 8, n, NULL, NULL, NULL,
                           err);
}

static ims_status put_evidence(struct ims__face_batch *b, ims_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n_pictures; i++) {
        const struct ims__face_picture *p = &b->pictures[i];
        const struct ims_store_evidence_in *e = p->in->evidence;
        struct ims_db_value *v;

        if (!e)
            continue;
        v = add_values(b, &n, 15, i);
        v[0] = ims_db_int(p->asset_id);
        v[1] = ims_db_text(IMS_TASK_FACES);
        v[2] = ims_db_int(b->model_id);
        v[3] = ims_db_text(e->device);
        v[4] = ims_db_text(e->provider);
        v[5] = ims_db_text(e->runtime);
        v[6] = ims_db_text(p->checksum);
        v[7] = p->checksum ? ims_db_int(b->dim) : ims_db_null();
        v[8] = ims_db_null();
        v[9] = real_or_null(true, (float)e->embedding_ms);
        v[10] = real_or_null(true, (float)e->total_ms);
        v[11] = ims_db_text(p->reason ? (p->detail ? p->detail : p->reason) : NULL);
        v[12] = ims_db_text(p->metadata_json);
        v[13] = ims_db_int(b->now_us);
        v[14] = ims_db_int(e->session_id);
    }
    return ims_db_run_many(b->s->db, ims__store_put_evidence_sql, b->values, 15, n, NULL, NULL,
                           NULL, err);
}

/* --- the whole --- */

static ims_status put_faces(struct ims__face_batch *b, ims_err *err)
{
    struct read_old x = { b, { .item_size = sizeof(struct old_face) } };
    ims_status st = read_old(b, &x, err);

    if (!st)
        st = match_all(b, x.list.items, x.list.n, err);
    if (!st)
        st = remove_lost(b, x.list.items, x.list.n, err);
    if (!st)
        st = put_rows(b, false, err);
    if (!st)
        st = put_rows(b, true, err);
    if (!st)
        st = put_vectors(b, err);
    if (!st)
        st = ims__face_batch_carry(b, err);
    ims__free(x.list.items);
    return st;
}

ims_status ims__face_batch_put(struct ims_store *s, struct ims__face_batch *b, ims_err *err)
{
    size_t n = b->n_rows > b->n_pictures ? b->n_rows : b->n_pictures;
    ims_status st = IMS_OK;

    if (!b->n_pictures)
        return IMS_OK;
    b->s = s;
    b->now_us = ims__now_us();
    if (!b->values) {
        b->values = ims__zalloc(n, MAX_WIDTH * sizeof(*b->values));
        b->chosen = ims__zalloc(n, sizeof(*b->chosen));
    }
    if (!b->values || !b->chosen)
        return ims__store_nomem(err);
    st = put_faces(b, err);
    if (!st)
        st = put_scans(b, err);
    if (!st)
        st = settle_states(b, err);
    if (!st)
        st = put_work(b, err);
    return st ? st : put_evidence(b, err);
}

/* --- on its own --- */

struct commit_faces {
    struct ims_store_faces_item *items;
    struct ims__face_batch batch;
};

static ims_status take_current(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct commit_faces *x = arg;

    (void)err;
    x->batch.pictures[item].is_current = ims_db_column_int(row, 0) == x->items[item].content_id;
    x->batch.pictures[item].asset_id = x->items[item].asset_id;
    return IMS_OK;
}

static ims_status commit_faces(struct ims_store *s, void *arg, ims_err *err)
{
    struct commit_faces *x = arg;
    struct ims_db_value *values = ims__zalloc(x->batch.n_pictures, sizeof(*values));
    ims_status st;

    if (!values)
        return ims__store_nomem(err);
    for (size_t i = 0; i < x->batch.n_pictures; i++) {
        x->batch.pictures[i].asset_id = 0;
        values[i] = ims_db_int(x->items[i].asset_id);
    }
    st = ims_db_run_many(s->db, "SELECT content_id FROM assets WHERE id = $1", values, 1,
                         x->batch.n_pictures, take_current, x, NULL, err);
    for (size_t i = 0; !st && i < x->batch.n_pictures; i++) {
        if (!x->batch.pictures[i].asset_id)
            st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no asset %lld",
                          (long long)x->items[i].asset_id);
    }
    if (!st)
        st = ims__face_batch_put(s, &x->batch, err);
    ims__free(values);
    return st ? st : ims__store_bump_epoch(s, err);
}

ims_status ims_store_commit_faces(struct ims_store *s, struct ims_store_faces_item *items, size_t n,
                                  ims_err *err)
{
    struct commit_faces x = { .items = items };
    ims_status st;

    if (!n)
        return IMS_OK;
    st = ims__face_batch_init(&x.batch, n, err);
    for (size_t i = 0; !st && i < n; i++) {
        x.batch.pictures[i].in = items[i].faces;
        x.batch.pictures[i].content_id = items[i].content_id;
    }
    x.batch.n_pictures = n;
    if (!st)
        st = ims__face_batch_clean(s, &x.batch, err);
    if (!st)
        st = ims__store_write(s, commit_faces, &x, err);
    if (!st) {
        ims__face_batch_publish(&x.batch);
        ims__store_grew(s, n);
    }
    ims__face_batch_release(&x.batch);
    return st;
}
