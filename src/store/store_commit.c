/* Commits a batch: contents, vectors, assets, moves, work, evidence, in that order, in one transaction.
 *
 * Each step is one statement in series over the items that need it, so a batch costs a handful of round
 * trips. A step's values are built in the arena just before it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

struct commit {
    const char *task;
    int64_t model_id;
    int dim;
    struct ims_store_item *items;
    struct ims__store_clean *clean;
    size_t n;
    struct ims_arena arena; /* holds clean */
    /* of one try */
    struct ims_store *s;
    struct ims_db_value *values;
    size_t *chosen;
    size_t n_chosen;
    size_t width;
    int64_t now_us;
    int64_t last_scan;
    int64_t category_id;
};
#define MAX_WIDTH 16

/* --- a series over some of the items ----------------------------------------------------------------- */

static void start_series(struct commit *x, size_t width)
{
    x->n_chosen = 0;
    x->width = width;
}

static struct ims_db_value *choose(struct commit *x, size_t i)
{
    x->chosen[x->n_chosen] = i;
    return x->values + x->n_chosen++ * x->width;
}

static struct ims__store_clean *chosen_item(struct commit *x, size_t item)
{
    return &x->clean[x->chosen[item]];
}

/* Runs the series; a failure names the file. */
static ims_status run_series(struct commit *x, const char *sql, ims_db_row_fn on_row, ims_err *err)
{
    struct ims_buf shown;
    size_t failed = 0;
    ims_status st = ims_db_run_many(x->s->db, sql, x->values, x->width, x->n_chosen, on_row, x, &failed, err);

    if (st && x->n_chosen) {
        const char *path = x->items[x->chosen[failed < x->n_chosen ? failed : 0]].path;

        ims__buf_init(&shown, 4 * strlen(path) + 1);
        if (!ims__display(path, strlen(path), &shown))
            st = ims_fail_in(err, st, "storing %s", shown.data);
        ims__buf_release(&shown);
    }
    return st;
}

static struct ims_db_value int_or_null(bool has, int64_t v)
{
    return has ? ims_db_int(v) : ims_db_null();
}

static struct ims_db_value finite_or_null(bool has, double v)
{
    return has && isfinite(v) ? ims_db_double(v) : ims_db_null();
}

/* --- contents ----------------------------------------------------------------------------------------- */

static ims_status take_content_id(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    (void)err;
    chosen_item(arg, item)->content_id = ims_db_column_int(row, 0);
    return IMS_OK;
}

static void media_values(struct ims_db_value *v, const struct ims_store_media *m)
{
    v[0] = ims_db_text(m->mime);
    v[1] = ims_db_int(m->width);
    v[2] = ims_db_int(m->height);
    v[3] = ims_db_int(m->orientation);
    v[4] = ims_db_int(m->n_pages);
    v[5] = int_or_null(m->has_phash, (int64_t)m->phash);
    v[6] = int_or_null(m->has_taken_at, m->taken_at_us);
    v[7] = ims_db_text(m->camera_make);
    v[8] = ims_db_text(m->camera_model);
    v[9] = finite_or_null(m->has_gps, m->gps_lat);
    v[10] = finite_or_null(m->has_gps, m->gps_lng);
    v[11] = ims_db_text(m->exif_json);
    v[12] = ims_db_text(m->note);
}

/* with_media chooses: the items that were decoded, or the others whose hash is known. */
static ims_status put_contents(struct commit *x, bool with_media, ims_err *err)
{
    static const char with[] =
        "INSERT INTO contents (sha256, size_bytes, created_us, mime, width, height, orientation, n_pages, "
        "phash, taken_at_us, camera_make, camera_model, gps_lat, gps_lng, exif_json, note) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) "
        "ON CONFLICT (sha256) DO UPDATE SET mime = excluded.mime, width = excluded.width, "
        "height = excluded.height, orientation = excluded.orientation, n_pages = excluded.n_pages, "
        "phash = excluded.phash, taken_at_us = excluded.taken_at_us, camera_make = excluded.camera_make, "
        "camera_model = excluded.camera_model, gps_lat = excluded.gps_lat, gps_lng = excluded.gps_lng, "
        "exif_json = excluded.exif_json, note = excluded.note RETURNING id";
    static const char without[] =
        "INSERT INTO contents (sha256, size_bytes, created_us) VALUES ($1, $2, $3) "
        "ON CONFLICT (sha256) DO UPDATE SET size_bytes = excluded.size_bytes RETURNING id";

    start_series(x, with_media ? 16 : 3);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims_store_item *item = &x->items[i];
        struct ims_db_value *v;

        if (!item->sha256 || (item->media != NULL) != with_media)
            continue;
        v = choose(x, i);
        v[0] = ims_db_blob(item->sha256, IMS_SHA256_BYTES);
        v[1] = ims_db_int(item->size_bytes);
        v[2] = ims_db_int(x->now_us);
        if (with_media)
            media_values(v + 3, &x->clean[i].media);
    }
    return run_series(x, with_media ? with : without, take_content_id, err);
}

/* --- vectors ------------------------------------------------------------------------------------------ */

static ims_status put_vectors(struct commit *x, ims_err *err)
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
    start_series(x, 5);
    for (size_t i = 0; i < x->n; i++) {
        struct ims_db_value *v;

        if (!x->clean[i].vector)
            continue;
        v = choose(x, i);
        v[0] = ims_db_int(x->clean[i].content_id);
        v[1] = ims_db_int(x->model_id);
        v[2] = ims_db_int(seq++);
        v[3] = ims_db_blob(x->clean[i].vector, (size_t)x->dim * sizeof(float));
        v[4] = ims_db_int(x->now_us);
    }
    return run_series(x,
                      "INSERT INTO embeddings (content_id, model_id, seq, vector, created_us) "
                      "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (content_id, model_id) DO UPDATE "
                      "SET seq = excluded.seq, vector = excluded.vector, created_us = excluded.created_us "
                      "WHERE embeddings.vector <> excluded.vector",
                      NULL, err);
}

static ims_status take_has_vector(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    (void)row;
    (void)err;
    chosen_item(arg, item)->has_vector = true;
    return IMS_OK;
}

/* What is to be stored as done without bringing a vector must find one; else it stays queued. */
static ims_status settle_states(struct commit *x, ims_err *err)
{
    ims_status st;

    start_series(x, 2);
    for (size_t i = 0; i < x->n; i++) {
        struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v;

        c->has_vector = c->vector != NULL;
        if (c->vector || c->reason)
            continue;
        v = choose(x, i);
        v[0] = ims_db_int(c->content_id);
        v[1] = ims_db_int(x->model_id);
    }
    st = run_series(x, "SELECT 1 FROM embeddings WHERE content_id = $1 AND model_id = $2", take_has_vector,
                    err);
    for (size_t i = 0; i < x->n; i++) {
        struct ims__store_clean *c = &x->clean[i];

        c->state = c->reason ? IMS_STORE_FAILED : c->has_vector ? IMS_STORE_DONE : IMS_STORE_QUEUED;
    }
    return st;
}

/* --- assets ------------------------------------------------------------------------------------------- */

static ims_status take_prior(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_clean *c = chosen_item(arg, item);

    (void)err;
    c->prior_content_id = ims_db_column_int(row, 0);
    c->created_scan = ims_db_column_int(row, 1);
    return IMS_OK;
}

static ims_status read_prior(struct commit *x, ims_err *err)
{
    start_series(x, 1);
    for (size_t i = 0; i < x->n; i++) {
        x->clean[i].prior_content_id = 0;
        x->clean[i].created_scan = x->last_scan;
        *choose(x, i) = ims__store_path(x->items[i].path);
    }
    return run_series(x, "SELECT content_id, created_scan FROM assets WHERE path = $1", take_prior, err);
}

static ims_status take_asset_id(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    (void)err;
    chosen_item(arg, item)->asset_id = ims_db_column_int(row, 0);
    return IMS_OK;
}

static ims_status put_assets(struct commit *x, ims_err *err)
{
    start_series(x, 9);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims_store_item *item = &x->items[i];
        const struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v = choose(x, i);

        v[0] = ims_db_int(item->root_id);
        v[1] = ims__store_path(item->path);
        v[2] = int_or_null(item->sha256 != NULL, c->content_id);
        v[3] = int_or_null(x->category_id != 0, x->category_id);
        v[4] = ims_db_int(item->size_bytes);
        v[5] = ims_db_int(item->mtime_us);
        v[6] = ims_db_int(x->last_scan);
        v[7] = ims_db_int(x->now_us);
        v[8] = int_or_null(c->state == IMS_STORE_DONE, x->now_us);
    }
    /* a file that could not be read keeps the content of its last successful read */
    return run_series(x,
                      "INSERT INTO assets (root_id, path, content_id, category_id, size_bytes, mtime_us, "
                      "seen_scan, created_scan, created_us, indexed_us) VALUES ($1, $2, $3, $4, $5, $6, $7, "
                      "$7, $8, $9) ON CONFLICT (path) DO UPDATE SET content_id = COALESCE(excluded.content_id, "
                      "assets.content_id), size_bytes = excluded.size_bytes, mtime_us = excluded.mtime_us, "
                      "indexed_us = COALESCE(excluded.indexed_us, assets.indexed_us), deleted_us = NULL "
                      "RETURNING id",
                      take_asset_id, err);
}

/* --- moves -------------------------------------------------------------------------------------------- */

static ims_status take_gone(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct commit *x = arg;

    (void)err;
    x->clean[x->chosen[item]].old_asset_id = ims_db_column_int(row, 0);
    return IMS_OK;
}

/* Two new copies may have found the same deleted file: the first has it. */
static bool is_taken(const struct commit *x, size_t before, int64_t old_id)
{
    for (size_t k = 0; k < before; k++) {
        if (x->clean[x->chosen[k]].is_moved && x->clean[x->chosen[k]].asset_id == old_id)
            return true;
    }
    return false;
}

/* The batch may name one path twice. */
static void replace_asset_id(struct commit *x, int64_t from, int64_t to)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->clean[i].asset_id == from)
            x->clean[i].asset_id = to;
    }
}

/* A file met for the first time takes over the asset of a deleted one of the same content. */
static ims_status join_moves(struct commit *x, ims_err *err)
{
    ims_status st;

    start_series(x, 2);
    for (size_t i = 0; i < x->n; i++) {
        struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v;

        c->is_moved = false;
        c->old_asset_id = 0;
        if (!c->content_id || c->prior_content_id)
            continue;
        v = choose(x, i);
        v[0] = ims_db_int(c->content_id);
        v[1] = ims_db_int(c->created_scan);
    }
    st = run_series(x,
                    "SELECT id FROM assets WHERE content_id = $1 AND deleted_us IS NOT NULL AND seen_scan < $2 "
                    "ORDER BY deleted_us DESC, id LIMIT 1",
                    take_gone, err);
    for (size_t k = 0; !st && k < x->n_chosen; k++) {
        struct ims__store_clean *c = &x->clean[x->chosen[k]];

        if (!c->old_asset_id || is_taken(x, k, c->old_asset_id))
            continue;
        st = ims__store_join_assets(x->s, c->old_asset_id, c->asset_id, err);
        replace_asset_id(x, c->asset_id, c->old_asset_id);
        c->is_moved = true;
    }
    return st;
}

/* --- work and evidence ---------------------------------------------------------------------------------- */

/* What other tasks and models did with the former content of a file is out of date. */
static ims_status requeue_others(struct commit *x, ims_err *err)
{
    start_series(x, 4);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v;

        if (!c->prior_content_id || !c->content_id || c->prior_content_id == c->content_id)
            continue;
        v = choose(x, i);
        v[0] = ims_db_int(c->asset_id);
        v[1] = ims_db_text(x->task);
        v[2] = ims_db_int(x->model_id);
        v[3] = ims_db_int(x->now_us);
    }
    return run_series(x,
                      "UPDATE work SET state = 'queued', failure = 0, reason = NULL, detail = NULL, "
                      "attempts = 0, updated_us = $4 WHERE asset_id = $1 AND NOT (task = $2 AND model_id = $3)",
                      NULL, err);
}

static ims_status put_work(struct commit *x, ims_err *err)
{
    start_series(x, 8);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v = choose(x, i);

        v[0] = ims_db_int(c->asset_id);
        v[1] = ims_db_text(x->task);
        v[2] = ims_db_int(x->model_id);
        v[3] = ims_db_text(ims_store_state_name(c->state));
        v[4] = ims_db_int(c->failure);
        v[5] = ims_db_text(c->reason);
        v[6] = ims_db_text(c->detail);
        v[7] = ims_db_int(x->now_us);
    }
    return run_series(x,
                      "INSERT INTO work (asset_id, task, model_id, state, failure, reason, detail, attempts, "
                      "updated_us) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8) "
                      "ON CONFLICT (asset_id, task, model_id) DO UPDATE SET state = excluded.state, "
                      "failure = excluded.failure, reason = excluded.reason, detail = excluded.detail, "
                      "attempts = work.attempts + 1, updated_us = excluded.updated_us",
                      NULL, err);
}

static ims_status put_evidence(struct commit *x, ims_err *err)
{
    start_series(x, 14);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims_store_evidence_in *e = x->items[i].evidence;
        const struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v;

        if (!e)
            continue;
        v = choose(x, i);
        v[0] = ims_db_int(c->asset_id);
        v[1] = ims_db_text(x->task);
        v[2] = ims_db_int(x->model_id);
        v[3] = ims_db_text(e->device);
        v[4] = ims_db_text(e->provider);
        v[5] = ims_db_text(e->runtime);
        v[6] = ims_db_text(c->checksum);
        v[7] = int_or_null(c->vector != NULL, x->dim);
        v[8] = finite_or_null(c->vector != NULL, c->norm);
        v[9] = finite_or_null(true, e->embedding_ms);
        v[10] = finite_or_null(true, e->total_ms);
        v[11] = ims_db_text(c->reason ? (c->detail ? c->detail : c->reason) : NULL);
        v[12] = ims_db_text(c->metadata_json);
        v[13] = ims_db_int(x->now_us);
    }
    return run_series(x,
                      "INSERT INTO evidence (asset_id, task, model_id, device, provider, runtime, checksum, dim, "
                      "norm, embedding_ms, total_ms, error, metadata_json, created_us) "
                      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                      NULL, err);
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static ims_status read_context(struct commit *x, ims_err *err)
{
    bool is_found = false;
    ims_status st;

    x->now_us = ims__now_us();
    x->category_id = 0;
    st = ims_db_get_int(x->s->db, "SELECT COALESCE(MAX(id), 0) FROM scans", IMS_DB_NO_ARGS, &x->last_scan,
                        NULL, err);
    if (!st)
        st = ims_db_get_int(x->s->db, "SELECT id FROM categories WHERE is_default = 1 ORDER BY id",
                            IMS_DB_NO_ARGS, &x->category_id, &is_found, err);
    return st;
}

static ims_status commit_batch(struct ims_store *s, void *arg, ims_err *err)
{
    struct commit *x = arg;
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
        st = read_prior(x, err);
    if (!st)
        st = put_assets(x, err);
    if (!st)
        st = join_moves(x, err);
    if (!st)
        st = requeue_others(x, err);
    if (!st)
        st = put_work(x, err);
    if (!st)
        st = put_evidence(x, err);
    return st ? st : ims__store_bump_epoch(s, err);
}

static void publish(struct commit *x)
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
    struct commit x = { .task = task, .model_id = model_id, .items = items, .n = n };
    ims_status st;

    if (!n)
        return IMS_OK;
    ims__arena_init(&x.arena, 0);
    st = ims__store_model_dim(s, model_id, &x.dim, err);
    if (!st)
        st = ims__store_clean_items(&x.arena, items, n, x.dim, &x.clean, err);
    if (st)
        goto out;
    x.values = ims__zalloc(n, MAX_WIDTH * sizeof(*x.values));
    x.chosen = ims__zalloc(n, sizeof(*x.chosen));
    st = x.values && x.chosen ? ims__store_write(s, commit_batch, &x, err) : ims__store_nomem(err);
    if (!st) {
        publish(&x);
        ims__store_grew(s, n);
    }
out:
    ims__free(x.values);
    ims__free(x.chosen);
    ims__arena_release(&x.arena);
    return st;
}
