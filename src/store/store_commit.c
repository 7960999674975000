/* Commits a batch: contents, vectors, assets, moves, work, evidence, faces, in that order, in one
 * transaction.
 *
 * Each step is one statement in series over the items that need it, so a batch costs a handful of
 * round trips. A step's values are built in the arena just before it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_commit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

/* --- a series over some of the items --- */

void ims__commit_start(struct ims__store_commit *x, size_t width)
{
    x->n_chosen = 0;
    x->width = width;
}

struct ims_db_value *ims__commit_choose(struct ims__store_commit *x, size_t i)
{
    x->chosen[x->n_chosen] = i;
    return x->values + x->n_chosen++ * x->width;
}

struct ims__store_clean *ims__commit_chosen(struct ims__store_commit *x, size_t item)
{
    return &x->clean[x->chosen[item]];
}

/* Runs the series; a failure names the file. */
ims_status ims__commit_run(struct ims__store_commit *x, const char *sql, ims_db_row_fn on_row,
                           ims_err *err)
{
    struct ims_buf shown;
    size_t failed = 0;
    ims_status st =
        ims_db_run_many(x->s->db, sql, x->values, x->width, x->n_chosen, on_row, x, &failed, err);

    if (st && x->n_chosen) {
        const char *path = x->items[x->chosen[failed < x->n_chosen ? failed : 0]].path;

        ims__buf_init(&shown, 4 * strlen(path) + 1);
        if (!ims__display(path, strlen(path), &shown))
            st = ims_fail_in(err, st, "storing %s", shown.data);
        ims__buf_release(&shown);
    }
    return st;
}

struct ims_db_value ims__commit_int_or_null(bool has, int64_t v)
{
    return has ? ims_db_int(v) : ims_db_null();
}

struct ims_db_value ims__commit_finite_or_null(bool has, double v)
{
    return has && isfinite(v) ? ims_db_double(v) : ims_db_null();
}

/* --- contents --- */

static ims_status take_content_id(void *arg, size_t item, const struct ims_db_query *row,
                                  ims_err *err)
{
    (void)err;
    ims__commit_chosen(arg, item)->content_id = ims_db_column_int(row, 0);
    return IMS_OK;
}

static void media_values(struct ims_db_value *v, const struct ims_store_media *m)
{
    v[0] = ims_db_text(m->mime);
    v[1] = ims_db_int(m->width);
    v[2] = ims_db_int(m->height);
    v[3] = ims_db_int(m->orientation);
    v[4] = ims_db_int(m->n_pages);
    v[5] = ims__commit_int_or_null(m->has_phash, (int64_t)m->phash);
    v[6] = ims__commit_int_or_null(m->has_taken_at, m->taken_at_us);
    v[7] = ims_db_text(m->camera_make);
    v[8] = ims_db_text(m->camera_model);
    v[9] = ims__commit_finite_or_null(m->has_gps, m->gps_lat);
    v[10] = ims__commit_finite_or_null(m->has_gps, m->gps_lng);
    v[11] = ims_db_text(m->exif_json);
    v[12] = ims_db_text(m->note);
}

/* with_media chooses: the items that were decoded, or the others whose hash is known. */
static ims_status put_contents(struct ims__store_commit *x, bool with_media, ims_err *err)
{
    static const char with[] =
        "INSERT INTO contents (sha256, size_bytes, created_us, mime, width, height, orientation, "
        "n_pages, "
        "phash, taken_at_us, camera_make, camera_model, gps_lat, gps_lng, exif_json, note) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) "
        "ON CONFLICT (sha256) DO UPDATE SET mime = excluded.mime, width = excluded.width, "
        "height = excluded.height, orientation = excluded.orientation, n_pages = excluded.n_pages, "
        "phash = excluded.phash, taken_at_us = excluded.taken_at_us, camera_make = "
        "excluded.camera_make, "
        "camera_model = excluded.camera_model, gps_lat = excluded.gps_lat, gps_lng = "
        "excluded.gps_lng, "
        "exif_json = excluded.exif_json, note = excluded.note RETURNING id";
    static const char without[] =
        "INSERT INTO contents (sha256, size_bytes, created_us) VALUES ($1, $2, $3) "
        "ON CONFLICT (sha256) DO UPDATE SET size_bytes = excluded.size_bytes RETURNING id";

    ims__commit_start(x, with_media ? 16 : 3);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims_store_item *item = &x->items[i];
        struct ims_db_value *v;

        if (!item->sha256 || (item->media != NULL) != with_media)
            continue;
        v = ims__commit_choose(x, i);
        v[0] = ims_db_blob(item->sha256, IMS_SHA256_BYTES);
        v[1] = ims_db_int(item->size_bytes);
        v[2] = ims_db_int(x->now_us);
        if (with_media)
            media_values(v + 3, &x->clean[i].media);
    }
    return ims__commit_run(x, with_media ? with : without, take_content_id, err);
}

/* --- vectors --- */

static ims_status put_vectors(struct ims__store_commit *x, ims_err *err)
{
    int64_t seq = 0;
    size_t n = 0;
    ims_status st;

    for (size_t i = 0; i < x->n; i++)
        n += x->clean[i].vector != NULL;
    if (!n)
        return IMS_OK;
    st = ims__store_take_seq(x->s, x->model_id, n, &seq, err);
    if (st)
        return st;
    ims__commit_start(x, 5);
    for (size_t i = 0; i < x->n; i++) {
        struct ims_db_value *v;

        if (!x->clean[i].vector)
            continue;
        v = ims__commit_choose(x, i);
        v[0] = ims_db_int(x->clean[i].content_id);
        v[1] = ims_db_int(x->model_id);
        v[2] = ims_db_int(seq++);
        v[3] = ims_db_blob(x->clean[i].vector, (size_t)x->dim * sizeof(float));
        v[4] = ims_db_int(x->now_us);
    }
    return ims__commit_run(
        x,
        "INSERT INTO embeddings (content_id, model_id, seq, vector, created_us) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (content_id, model_id) DO UPDATE "
        "SET seq = excluded.seq, vector = excluded.vector, created_us = excluded.created_us "
        "WHERE embeddings.vector <> excluded.vector",
        NULL, err);
}

static ims_status take_has_vector(void *arg, size_t item, const struct ims_db_query *row,
                                  ims_err *err)
{
    (void)row;
    (void)err;
    ims__commit_chosen(arg, item)->has_vector = true;
    return IMS_OK;
}

/* What is to be stored as done without bringing a vector must find one; else it stays queued. */
static ims_status settle_states(struct ims__store_commit *x, ims_err *err)
{
    ims_status st;

    ims__commit_start(x, 2);
    for (size_t i = 0; i < x->n; i++) {
        struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v;

        c->has_vector = c->vector != NULL;
        if (c->vector || c->reason)
            continue;
        v = ims__commit_choose(x, i);
        v[0] = ims_db_int(c->content_id);
        v[1] = ims_db_int(x->model_id);
    }
    st = ims__commit_run(x, "SELECT 1 FROM embeddings WHERE content_id = $1 AND model_id = $2",
                         take_has_vector, err);
    for (size_t i = 0; i < x->n; i++) {
        struct ims__store_clean *c = &x->clean[i];

        c->state = c->reason ? IMS_STORE_FAILED : c->has_vector ? IMS_STORE_DONE : IMS_STORE_QUEUED;
    }
    return st;
}

static ims_status read_context(struct ims__store_commit *x, ims_err *err)
{
    bool is_found = false;
    ims_status st;

    x->now_us = ims__now_us();
    x->category_id = 0;
    st = ims_db_get_int(x->s->db, "SELECT COALESCE(MAX(id), 0) FROM scans", IMS_DB_NO_ARGS,
                        &x->last_scan, NULL, err);
    if (!st)
        st = ims_db_get_int(x->s->db, "SELECT id FROM categories WHERE is_default = 1 ORDER BY id",
                            IMS_DB_NO_ARGS, &x->category_id, &is_found, err);
    return st;
}

/* --- faces --- */

static ims_status collect_faces(struct ims_store *s, struct ims__store_commit *x, ims_err *err)
{
    struct ims__face_batch *b = &x->faces;
    ims_status st = ims__face_batch_init(b, x->n, err);

    x->face_items = ims__zalloc(x->n, sizeof(*x->face_items));
    if (!st && !x->face_items)
        st = ims__store_nomem(err);
    for (size_t i = 0; !st && i < x->n; i++) {
        if (!x->items[i].faces)
            continue;
        x->face_items[b->n_pictures] = i;
        b->pictures[b->n_pictures++].in = x->items[i].faces;
        if (!x->items[i].sha256 && !x->items[i].faces->failure)
            st = ims_fail(err, IMS_E_INVALID, "store", 0, "faces without the content's hash");
    }
    return st ? st : ims__face_batch_clean(s, b, err);
}

static ims_status put_faces(struct ims__store_commit *x, ims_err *err)
{
    for (size_t i = 0; i < x->faces.n_pictures; i++) {
        const struct ims__store_clean *c = &x->clean[x->face_items[i]];
        struct ims__face_picture *p = &x->faces.pictures[i];

        p->asset_id = c->asset_id;
        p->content_id = c->content_id;
        p->prior_content_id = c->prior_content_id;
        p->is_current = true;
    }
    return ims__face_batch_put(x->s, &x->faces, err);
}

/* --- the whole --- */

static ims_status commit_batch(struct ims_store *s, void *arg, ims_err *err)
{
    struct ims__store_commit *x = arg;
    ims_status st;

    x->s = s;
    st = read_context(x, err);
    if (!st)
        st = put_contents(x, true, err);
    if (!st)
        st = put_contents(x, false, err);
    if (!st)
        st = put_vectors(x, err);
    if (!st)
        st = settle_states(x, err);
    if (!st)
        st = ims__commit_assets(x, err);
    if (!st)
        st = put_faces(x, err);
    return st ? st : ims__store_bump_epoch(s, err);
}

static void publish(struct ims__store_commit *x)
{
    for (size_t i = 0; i < x->n; i++) {
        x->items[i].asset_id = x->clean[i].asset_id;
        x->items[i].content_id = x->clean[i].content_id;
        x->items[i].state = x->clean[i].state;
        x->items[i].is_moved = x->clean[i].is_moved;
    }
}

ims_status ims_store_commit(struct ims_store *s, const char *task, int64_t model_id,
                            struct ims_store_item *items, size_t n, ims_err *err)
{
    struct ims__store_commit x = { .task = task, .model_id = model_id, .items = items, .n = n };
    ims_status st;

    if (!n)
        return IMS_OK;
    ims__arena_init(&x.arena, 0);
    st = ims__store_model_dim(s, model_id, &x.dim, err);
    if (!st)
        st = ims__store_clean_items(&x.arena, items, n, x.dim, &x.clean, err);
    if (!st)
        st = collect_faces(s, &x, err);
    if (st)
        goto out;
    x.values = ims__zalloc(n, IMS_COMMIT_MAX_WIDTH * sizeof(*x.values));
    x.chosen = ims__zalloc(n, sizeof(*x.chosen));
    st = x.values && x.chosen ? ims__store_write(s, commit_batch, &x, err) : ims__store_nomem(err);
    if (!st) {
        publish(&x);
        ims__face_batch_publish(&x.faces);
        ims__store_grew(s, n);
    }
out:
    ims__free(x.values);
    ims__free(x.chosen);
    ims__free(x.face_items);
    ims__face_batch_release(&x.faces);
    ims__arena_release(&x.arena);
    return st;
}
