/* Work states: what is to do, done, failed and why; counts; putting back to queued.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/clock.h"

#include <string.h>

static const char *const state_names[] = {
    [IMS_STORE_NONE] = "none",
    [IMS_STORE_QUEUED] = "queued",
    [IMS_STORE_DONE] = "done",
    [IMS_STORE_FAILED] = "failed",
};

const char *ims_store_state_name(ims_store_state state)
{
    return (size_t)state < IMS_ARRAY_LEN(state_names) ? state_names[state] : "none";
}

ims_store_state ims__store_parse_state(const char *name)
{
    for (size_t i = IMS_STORE_QUEUED; name && i < IMS_ARRAY_LEN(state_names); i++) {
        if (strcmp(name, state_names[i]) == 0)
            return (ims_store_state)i;
    }
    return IMS_STORE_NONE;
}

/* --- what is to do --- */

static ims_status take_todo(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_todo *t = ims__store_list_add(l, err);

    if (!t)
        return IMS_E_NOMEM;
    t->asset_id = ims_db_column_int(row, 0);
    t->root_id = ims_db_column_int(row, 1);
    t->size_bytes = ims_db_column_int(row, 2);
    t->mtime_us = ims_db_column_int(row, 3);
    t->attempts = (int)ims_db_column_int(row, 5);
    t->due = (unsigned)ims_db_column_int(row, 6);
    t->content_id = ims_db_column_int(row, 7);
    return ims__store_string(l->arena, row, 4, &t->path, err);
}

/* The first `limit` assets that a task has queued, as a member of a union. */
static void add_queued(struct ims__store_sql *q, const struct ims_store_task *task, size_t i,
                       int64_t after_asset_id, int64_t limit)
{
    (void)ims__buf_addf(&q->text,
                        "%sSELECT * FROM (SELECT w.asset_id, w.attempts, %u AS due FROM work w ",
                        i ? " UNION ALL " : "", 1U << i);
    ims__store_sql_add(q,
                       "JOIN assets a ON a.id = w.asset_id WHERE w.task = ? AND w.model_id = ? "
                       "AND w.state = 'queued' AND w.asset_id > ? AND a.deleted_us IS NULL AND "
                       IMS__NOT_IGNORED("a.path") " "
                       "ORDER BY w.asset_id LIMIT ?) t",
                       IMS_DB_ARGS(ims_db_text(task->name), ims_db_int(task->model_id),
                                   ims_db_int(after_asset_id), ims_db_int(limit)));
    (void)ims__buf_addf(&q->text, "%zu", i);
}

ims_status ims_store_queued(struct ims_store *s, const struct ims_store_task *tasks, size_t n_tasks,
                            int64_t after_asset_id, size_t limit, struct ims_arena *arena,
                            struct ims_store_todo **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql q;
    void *items = NULL;
    ims_status st;

    /* Each member brings its first `limit` assets, so the first `limit` of all are complete. */
    ims__store_sql_init(&q, "SELECT a.id, a.root_id, a.size_bytes, a.mtime_us, a.path, "
                            "MAX(q.attempts), SUM(q.due), a.content_id FROM (");
    for (size_t i = 0; i < n_tasks; i++)
        add_queued(&q, &tasks[i], i, after_asset_id, (int64_t)limit);
    ims__store_sql_add(&q,
                       ") q JOIN assets a ON a.id = q.asset_id GROUP BY a.id ORDER BY a.id LIMIT ?",
                       IMS_DB_ARGS(ims_db_int((int64_t)limit)));
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_todo, &l, err);
    ims__store_sql_release(&q);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

struct queue_missing {
    const char *task;
    int64_t model_id;
    const char *path_prefix;
    int64_t n;
};

static ims_status queue_missing(struct ims_store *s, void *arg, ims_err *err)
{
    struct queue_missing *x = arg;
    struct ims__store_sql q;
    ims_status st;

    ims__store_sql_init(&q, "INSERT INTO work (asset_id, task, model_id, state, updated_us) ");
    ims__store_sql_add(
        &q,
        "SELECT a.id, m.task, m.id, 'queued', m.us FROM assets a, (SELECT CAST(? AS "
        "TEXT) AS task, id, CAST(? AS BIGINT) AS us FROM models WHERE id = ?) m "
        "WHERE a.deleted_us IS NULL AND a.content_id IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM work w WHERE w.asset_id = a.id AND w.task = m.task "
        "AND w.model_id = m.id)",
        IMS_DB_ARGS(ims_db_text(x->task), ims_db_int(ims__now_us()), ims_db_int(x->model_id)));
    st = ims__store_sql_below(&q, "a.path", x->path_prefix, err);
    if (!st)
        st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims_db_run(s->db, q.text.data, q.values, q.n, &x->n, err);
    ims__store_sql_release(&q);
    return st;
}

ims_status ims_store_queue_missing(struct ims_store *s, const char *task, int64_t model_id,
                                   const char *path_prefix, int64_t *out_n, ims_err *err)
{
    struct queue_missing x = { task, model_id, path_prefix, 0 };
    ims_status st = ims__store_write(s, queue_missing, &x, err);

    if (!st && out_n)
        *out_n = x.n;
    return st;
}

struct requeue {
    const struct ims_store_requeue *what;
    int64_t n;
};

static ims_status requeue(struct ims_store *s, void *arg, ims_err *err)
{
    struct requeue *x = arg;
    const struct ims_store_requeue *w = x->what;
    struct ims__store_sql q;
    ims_status st;

    ims__store_sql_init(
        &q, "UPDATE work SET state = 'queued', failure = 0, reason = NULL, detail = NULL, ");
    ims__store_sql_add(
        &q, "updated_us = ? WHERE task = ? AND model_id = ? AND state ",
        IMS_DB_ARGS(ims_db_int(ims__now_us()), ims_db_text(w->task), ims_db_int(w->model_id)));
    ims__store_sql_add(&q, w->include_done ? "<> 'queued'" : "= 'failed'", NULL, 0);
    if (w->asset_id)
        ims__store_sql_add(&q, " AND asset_id = ?", IMS_DB_ARGS(ims_db_int(w->asset_id)));
    if (w->reason)
        ims__store_sql_add(&q, " AND reason = ?", IMS_DB_ARGS(ims_db_text(w->reason)));
    ims__store_sql_add(&q, " AND asset_id IN (SELECT id FROM assets WHERE deleted_us IS NULL", NULL,
                       0);
    st = ims__store_sql_below(&q, "path", w->path_prefix, err);
    if (!st) {
        ims__store_sql_add(&q, ")", NULL, 0);
        st = ims__store_sql_status(&q, err);
    }
    if (!st)
        st = ims_db_run(s->db, q.text.data, q.values, q.n, &x->n, err);
    ims__store_sql_release(&q);
    return st;
}

ims_status ims_store_requeue(struct ims_store *s, const struct ims_store_requeue *what,
                             int64_t *out_n, ims_err *err)
{
    struct requeue x = { .what = what };
    ims_status st = ims__store_write(s, requeue, &x, err);

    if (!st && out_n)
        *out_n = x.n;
    return st;
}

/* --- counts --- */

static ims_status take_asset_counts(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_counts *c = arg;

    (void)err;
    c->assets = ims_db_column_int(row, 0);
    c->deleted = ims_db_column_int(row, 1);
    c->contents = ims_db_column_int(row, 2);
    return IMS_OK;
}

static ims_status take_state_count(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_counts *c = arg;
    ims_store_state state = ims__store_parse_state(ims_db_column_text(row, 0, NULL));

    (void)err;
    if (state == IMS_STORE_DONE)
        c->done = ims_db_column_int(row, 1);
    else if (state == IMS_STORE_FAILED)
        c->failed = ims_db_column_int(row, 1);
    return IMS_OK;
}

struct count {
    const char *task;
    int64_t model_id;
    struct ims_store_counts counts;
};

static ims_status count(struct ims_store *s, void *arg, ims_err *err)
{
    struct count *x = arg;
    ims_status st;

    x->counts = (struct ims_store_counts){ 0 };
    st = ims__store_select(
        s,
        "SELECT count(CASE WHEN deleted_us IS NULL THEN 1 END), count(deleted_us), "
        "count(DISTINCT CASE WHEN deleted_us IS NULL THEN content_id END) FROM assets",
        IMS_DB_NO_ARGS, take_asset_counts, &x->counts, err);
    if (!st)
        st = ims__store_select(
            s,
            "SELECT w.state, count(*) FROM work w JOIN assets a ON a.id = w.asset_id "
            "WHERE w.task = $1 AND w.model_id = $2 AND a.deleted_us IS NULL GROUP BY w.state",
            IMS_DB_ARGS(ims_db_text(x->task), ims_db_int(x->model_id)), take_state_count,
            &x->counts, err);
    if (!st)
        st = ims_db_get_int(s->db, "SELECT count(*) FROM embeddings WHERE model_id = $1",
                            IMS_DB_ARGS(ims_db_int(x->model_id)), &x->counts.vectors, NULL, err);
    x->counts.queued = x->counts.assets - x->counts.done - x->counts.failed;
    return st;
}

ims_status ims_store_count(struct ims_store *s, const char *task, int64_t model_id,
                           struct ims_store_counts *out, ims_err *err)
{
    struct count x = { .task = task, .model_id = model_id };
    ims_status st = ims__store_read(s, count, &x, err);

    if (!st)
        *out = x.counts;
    return st;
}

/* --- failures and the work of one asset --- */

#define WORK_COLUMNS                                                                               \
    "w.asset_id, a.path, w.task, w.model_id, w.state, w.failure, w.reason, w.detail, w.attempts, " \
    "w.updated_us "

static ims_status take_work(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_work *w = ims__store_list_add(l, err);
    ims_status st;

    if (!w)
        return IMS_E_NOMEM;
    w->asset_id = ims_db_column_int(row, 0);
    w->model_id = ims_db_column_int(row, 3);
    w->state = ims__store_parse_state(ims_db_column_text(row, 4, NULL));
    w->failure = (ims_status)ims_db_column_int(row, 5);
    w->attempts = (int)ims_db_column_int(row, 8);
    w->updated_us = ims_db_column_int(row, 9);
    st = ims__store_string(l->arena, row, 1, &w->path, err);
    if (!st)
        st = ims__store_string(l->arena, row, 2, &w->task, err);
    if (!st)
        st = ims__store_string(l->arena, row, 6, &w->reason, err);
    if (!st)
        st = ims__store_string(l->arena, row, 7, &w->detail, err);
    return st;
}

ims_status ims_store_failures(struct ims_store *s, const char *task, int64_t model_id,
                              const char *reason, int64_t after_asset_id, size_t limit,
                              struct ims_arena *arena, struct ims_store_work **out, size_t *out_n,
                              ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql q;
    void *items = NULL;
    ims_status st;

    ims__store_sql_init(&q,
                        "SELECT " WORK_COLUMNS "FROM work w JOIN assets a ON a.id = w.asset_id ");
    ims__store_sql_add(
        &q,
        "WHERE w.task = ? AND w.model_id = ? AND w.state = 'failed' AND w.asset_id > ? "
        "AND a.deleted_us IS NULL",
        IMS_DB_ARGS(ims_db_text(task), ims_db_int(model_id), ims_db_int(after_asset_id)));
    if (reason)
        ims__store_sql_add(&q, " AND w.reason = ?", IMS_DB_ARGS(ims_db_text(reason)));
    ims__store_sql_add(&q, " ORDER BY w.asset_id LIMIT ?", IMS_DB_ARGS(ims_db_int((int64_t)limit)));
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_work, &l, err);
    ims__store_sql_release(&q);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

ims_status ims_store_asset_work(struct ims_store *s, int64_t asset_id, struct ims_arena *arena,
                                struct ims_store_work **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st =
        ims__store_select(s,
                          "SELECT " WORK_COLUMNS "FROM work w JOIN assets a ON a.id = w.asset_id "
                          "WHERE w.asset_id = $1 ORDER BY w.task, w.model_id",
                          IMS_DB_ARGS(ims_db_int(asset_id)), take_work, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

static ims_status take_reason(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_reason *r = ims__store_list_add(l, err);

    if (!r)
        return IMS_E_NOMEM;
    r->n = ims_db_column_int(row, 1);
    return ims__store_string(l->arena, row, 0, &r->reason, err);
}

ims_status ims_store_failure_reasons(struct ims_store *s, const char *task, int64_t model_id,
                                     struct ims_arena *arena, struct ims_store_reason **out,
                                     size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s,
                                      "SELECT w.reason, count(*) AS n FROM work w JOIN assets a "
                                      "ON a.id = w.asset_id WHERE w.task = $1 AND w.model_id = $2 "
                                      "AND w.state = 'failed' AND a.deleted_us IS NULL "
                                      "GROUP BY w.reason ORDER BY n DESC, w.reason",
                                      IMS_DB_ARGS(ims_db_text(task), ims_db_int(model_id)),
                                      take_reason, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}
