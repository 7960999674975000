/* The second half of a commit: assets, moves, work, evidence.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_commit.h"

/* --- assets --- */

static ims_status take_prior(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_clean *c = ims__commit_chosen(arg, item);

    (void)err;
    c->prior_content_id = ims_db_column_int(row, 0);
    c->created_scan = ims_db_column_int(row, 1);
    return IMS_OK;
}

static ims_status read_prior(struct ims__store_commit *x, ims_err *err)
{
    ims__commit_start(x, 1);
    for (size_t i = 0; i < x->n; i++) {
        x->clean[i].prior_content_id = 0;
        x->clean[i].created_scan = x->last_scan;
        *ims__commit_choose(x, i) = ims__store_path(x->items[i].path);
    }
    return ims__commit_run(x, "SELECT content_id, created_scan FROM assets WHERE path = $1",
                           take_prior, err);
}

static ims_status take_asset_id(void *arg, size_t item, const struct ims_db_query *row,
                                ims_err *err)
{
    (void)err;
    ims__commit_chosen(arg, item)->asset_id = ims_db_column_int(row, 0);
    return IMS_OK;
}

static ims_status put_assets(struct ims__store_commit *x, ims_err *err)
{
    ims__commit_start(x, 9);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims_store_item *item = &x->items[i];
        const struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v = ims__commit_choose(x, i);

        v[0] = ims_db_int(item->root_id);
        v[1] = ims__store_path(item->path);
        v[2] = ims__commit_int_or_null(item->sha256 != NULL, c->content_id);
        v[3] = ims__commit_int_or_null(x->category_id != 0, x->category_id);
        v[4] = ims_db_int(item->size_bytes);
        v[5] = ims_db_int(item->mtime_us);
        v[6] = ims_db_int(x->last_scan);
        v[7] = ims_db_int(x->now_us);
        v[8] = ims__commit_int_or_null(c->state == IMS_STORE_DONE, x->now_us);
    }
    /* a file that could not be read keeps the content of its last successful read */
    return ims__commit_run(
        x,
        "INSERT INTO assets (root_id, path, content_id, category_id, size_bytes, mtime_us, "
        "seen_scan, created_scan, created_us, indexed_us) VALUES ($1, $2, $3, $4, $5, $6, $7, "
        "$7, $8, $9) ON CONFLICT (path) DO UPDATE SET content_id = COALESCE(excluded.content_id, "
        "assets.content_id), size_bytes = excluded.size_bytes, mtime_us = excluded.mtime_us, "
        "indexed_us = COALESCE(excluded.indexed_us, assets.indexed_us), deleted_us = NULL "
        "RETURNING id",
        take_asset_id, err);
}

/* --- moves --- */

static ims_status take_gone(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_commit *x = arg;

    (void)err;
    x->clean[x->chosen[item]].old_asset_id = ims_db_column_int(row, 0);
    return IMS_OK;
}

/* Two new copies may have found the same deleted file: the first has it. */
static bool is_taken(const struct ims__store_commit *x, size_t before, int64_t old_id)
{
    for (size_t k = 0; k < before; k++) {
        if (x->clean[x->chosen[k]].is_moved && x->clean[x->chosen[k]].asset_id == old_id)
            return true;
    }
    return false;
}

/* The batch may name one path twice. */
static void replace_asset_id(struct ims__store_commit *x, int64_t from, int64_t to)
{
    for (size_t i = 0; i < x->n; i++) {
        if (x->clean[i].asset_id == from)
            x->clean[i].asset_id = to;
    }
}

/* A file met for the first time takes over the asset of a deleted one of the same content. */
static ims_status join_moves(struct ims__store_commit *x, ims_err *err)
{
    ims_status st;

    ims__commit_start(x, 2);
    for (size_t i = 0; i < x->n; i++) {
        struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v;

        c->is_moved = false;
        c->old_asset_id = 0;
        if (!c->content_id || c->prior_content_id)
            continue;
        v = ims__commit_choose(x, i);
        v[0] = ims_db_int(c->content_id);
        v[1] = ims_db_int(c->created_scan);
    }
    st = ims__commit_run(
        x,
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

/* --- work and evidence --- */

const char ims__store_put_work_sql[] =
    "INSERT INTO work (asset_id, task, model_id, state, failure, reason, detail, attempts, "
    "updated_us) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8) "
    "ON CONFLICT (asset_id, task, model_id) DO UPDATE SET state = excluded.state, "
    "failure = excluded.failure, reason = excluded.reason, detail = excluded.detail, "
    "attempts = work.attempts + 1, updated_us = excluded.updated_us";
const char ims__store_put_evidence_sql[] =
    "INSERT INTO evidence (asset_id, task, model_id, device, provider, runtime, checksum, dim, "
    "norm, embedding_ms, total_ms, error, metadata_json, created_us, session_id) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
    "(SELECT id FROM training_sessions WHERE id = $15))";

/* What other tasks and models did with the former content of a file is out of date. */
static ims_status requeue_others(struct ims__store_commit *x, ims_err *err)
{
    ims__commit_start(x, 4);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v;

        if (!c->prior_content_id || !c->content_id || c->prior_content_id == c->content_id)
            continue;
        v = ims__commit_choose(x, i);
        v[0] = ims_db_int(c->asset_id);
        v[1] = ims_db_text(x->task);
        v[2] = ims_db_int(x->model_id);
        v[3] = ims_db_int(x->now_us);
    }
    return ims__commit_run(
        x,
        "UPDATE work SET state = 'queued', failure = 0, reason = NULL, detail = NULL, "
        "attempts = 0, updated_us = $4 WHERE asset_id = $1 AND NOT (task = $2 AND model_id = $3)",
        NULL, err);
}

static ims_status put_work(struct ims__store_commit *x, ims_err *err)
{
    ims__commit_start(x, 8);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v = ims__commit_choose(x, i);

        v[0] = ims_db_int(c->asset_id);
        v[1] = ims_db_text(x->task);
        v[2] = ims_db_int(x->model_id);
        v[3] = ims_db_text(ims_store_state_name(c->state));
        v[4] = ims_db_int(c->failure);
        v[5] = ims_db_text(c->reason);
        v[6] = ims_db_text(c->detail);
        v[7] = ims_db_int(x->now_us);
    }
    return ims__commit_run(x, ims__store_put_work_sql, NULL, err);
}

static ims_status put_evidence(struct ims__store_commit *x, ims_err *err)
{
    ims__commit_start(x, 15);
    for (size_t i = 0; i < x->n; i++) {
        const struct ims_store_evidence_in *e = x->items[i].evidence;
        const struct ims__store_clean *c = &x->clean[i];
        struct ims_db_value *v;

        if (!e)
            continue;
        v = ims__commit_choose(x, i);
        v[0] = ims_db_int(c->asset_id);
        v[1] = ims_db_text(x->task);
        v[2] = ims_db_int(x->model_id);
        v[3] = ims_db_text(e->device);
        v[4] = ims_db_text(e->provider);
        v[5] = ims_db_text(e->runtime);
        v[6] = ims_db_text(c->checksum);
        v[7] = ims__commit_int_or_null(c->vector != NULL, x->dim);
        v[8] = ims__commit_finite_or_null(c->vector != NULL, c->norm);
        v[9] = ims__commit_finite_or_null(true, e->embedding_ms);
        v[10] = ims__commit_finite_or_null(true, e->total_ms);
        v[11] = ims_db_text(c->reason ? (c->detail ? c->detail : c->reason) : NULL);
        v[12] = ims_db_text(c->metadata_json);
        v[13] = ims_db_int(x->now_us);
        v[14] = ims_db_int(e->session_id);
    }
    return ims__commit_run(x, ims__store_put_evidence_sql, NULL, err);
}

ims_status ims__commit_assets(struct ims__store_commit *x, ims_err *err)
{
    ims_status st = read_prior(x, err);

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
    return st;
}
