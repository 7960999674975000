/* Scans: which files are new, changed, unchanged, gone; decided from the walk's facts, without
 * reading.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define MAX_TASK_LETTERS 15

struct begin_scan {
    struct ims_store_scan scan;
    int64_t category_id;
};

static ims_status begin_scan(struct ims_store *s, void *arg, ims_err *err)
{
    struct begin_scan *x = arg;
    ims_status st = IMS_OK;

    x->scan.started_us = ims__now_us();
    x->scan.category_id = x->category_id;
    if (!x->scan.category_id)
        st = ims_store_find_category(s, NULL, &x->scan.category_id, err);
    if (st == IMS_E_NOT_FOUND) { /* a library whose owner removed the default category */
        x->scan.category_id = 0;
        st = IMS_OK;
    }
    if (st)
        return st;
    return ims_db_get_int(
        s->db,
        "INSERT INTO scans (root_id, task, model_id, started_us) VALUES ($1, $2, $3, $4) "
        "RETURNING id",
        IMS_DB_ARGS(ims_db_int(x->scan.root_id), ims_db_text(x->scan.tasks[0].name),
                    ims_db_int(x->scan.tasks[0].model_id), ims_db_int(x->scan.started_us)),
        &x->scan.id, NULL, err);
}

static ims_status check_tasks(const struct ims_store_task *tasks, size_t n, ims_err *err)
{
    if (n == 0 || n > IMS_STORE_MAX_TASKS)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a scan is for 1 to %d tasks, not %zu",
                        IMS_STORE_MAX_TASKS, n);
    for (size_t i = 0; i < n; i++) {
        if (!tasks[i].name || !*tasks[i].name || strlen(tasks[i].name) > MAX_TASK_LETTERS)
            return ims_fail(err, IMS_E_INVALID, "store", 0, "a task has a name of 1 to %d letters",
                            MAX_TASK_LETTERS);
    }
    return IMS_OK;
}

ims_status ims_store_scan_begin(struct ims_store *s, int64_t root_id,
                                const struct ims_store_task *tasks, size_t n_tasks,
                                int64_t category_id, struct ims_store_scan *out, ims_err *err)
{
    struct begin_scan x = { .scan = { .root_id = root_id, .n_tasks = n_tasks },
                            .category_id = category_id };
    ims_status st = check_tasks(tasks, n_tasks, err);

    if (st)
        return st;
    memcpy(x.scan.tasks, tasks, n_tasks * sizeof(*tasks));
    st = ims__store_write(s, begin_scan, &x, err);
    if (st == IMS_E_CONSTRAINT)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no root %lld or no model %lld",
                        (long long)root_id, (long long)tasks[0].model_id);
    if (!st)
        *out = x.scan;
    return st;
}

/* --- files --- */

struct scan_files {
    const struct ims_store_scan *scan;
    struct ims_store_file *files;
    size_t n;
    struct ims_db_value *values; /* room for n * MAX_VALUES */
    size_t *chosen;              /* which file each set of values is of */
    size_t n_chosen;
    int64_t now_us;
    bool is_any_back;
};
#define MAX_VALUES 7

/* The next set of values, of `width`, for file i. */
static struct ims_db_value *choose(struct scan_files *x, size_t i, size_t width)
{
    x->chosen[x->n_chosen] = i;
    return x->values + x->n_chosen++ * width;
}

/* What is to be done about a file is what the most urgent of its tasks asks for. */
static ims_store_verdict more_urgent(ims_store_verdict a, ims_store_verdict b)
{
    static const int urgency[] = { [IMS_STORE_FILE_NEW] = 4,
                                   [IMS_STORE_FILE_CHANGED] = 3,
                                   [IMS_STORE_FILE_QUEUED] = 2,
                                   [IMS_STORE_FILE_FAILED] = 1,
                                   [IMS_STORE_FILE_DONE] = 0 };

    return urgency[a] >= urgency[b] ? a : b;
}

static ims_status take_known(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_file *f = &((struct scan_files *)arg)->files[item];
    ims_store_state state = ims__store_parse_state(ims_db_column_text(row, 5, NULL));
    ims_store_verdict verdict;

    (void)err;
    if (ims_db_column_int(row, 1) != f->size_bytes || ims_db_column_int(row, 2) != f->mtime_us)
        verdict = IMS_STORE_FILE_CHANGED;
    else if (state == IMS_STORE_DONE)
        verdict = IMS_STORE_FILE_DONE;
    else if (state == IMS_STORE_FAILED)
        verdict = IMS_STORE_FILE_FAILED;
    else
        verdict = IMS_STORE_FILE_QUEUED;
    f->verdict = f->asset_id ? more_urgent(f->verdict, verdict) : verdict;
    f->asset_id = ims_db_column_int(row, 0);
    f->content_id = ims_db_column_int(row, 3);
    f->is_back = !ims_db_column_is_null(row, 4);
    return IMS_OK;
}

static ims_status look_up_task(struct ims_store *s, struct scan_files *x,
                               const struct ims_store_task *task, ims_err *err)
{
    for (size_t i = 0; i < x->n; i++) {
        struct ims_db_value *v = x->values + i * 3;

        v[0] = ims__store_path(x->files[i].path);
        v[1] = ims_db_text(task->name);
        v[2] = ims_db_int(task->model_id);
    }
    return ims_db_run_many(s->db,
                           "SELECT a.id, a.size_bytes, a.mtime_us, a.content_id, a.deleted_us, "
                           "(SELECT w.state FROM work w WHERE w.asset_id = a.id AND w.task = $2 "
                           "AND w.model_id = $3) FROM assets a WHERE a.path = $1",
                           x->values, 3, x->n, take_known, x, NULL, err);
}

static ims_status look_up(struct ims_store *s, struct scan_files *x, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; i < x->n; i++) {
        struct ims_store_file *f = &x->files[i];

        f->asset_id = 0;
        f->content_id = 0;
        f->is_back = false;
        f->verdict = IMS_STORE_FILE_NEW;
    }
    for (size_t t = 0; !st && t < x->scan->n_tasks; t++)
        st = look_up_task(s, x, &x->scan->tasks[t], err);
    return st;
}

static ims_status take_new_id(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct scan_files *x = arg;

    (void)err;
    x->files[x->chosen[item]].asset_id = ims_db_column_int(row, 0);
    return IMS_OK;
}

static ims_status insert_new(struct ims_store *s, struct scan_files *x, ims_err *err)
{
    x->n_chosen = 0;
    for (size_t i = 0; i < x->n; i++) {
        const struct ims_store_file *f = &x->files[i];
        struct ims_db_value *v;

        if (f->verdict != IMS_STORE_FILE_NEW)
            continue;
        v = choose(x, i, 7);
        v[0] = ims_db_int(x->scan->root_id);
        v[1] = ims__store_path(f->path);
        v[2] = x->scan->category_id ? ims_db_int(x->scan->category_id) : ims_db_null();
        v[3] = ims_db_int(f->size_bytes);
        v[4] = ims_db_int(f->mtime_us);
        v[5] = ims_db_int(x->scan->id);
        v[6] = ims_db_int(x->now_us);
    }
    return ims_db_run_many(
        s->db,
        "INSERT INTO assets (root_id, path, category_id, size_bytes, mtime_us, seen_scan, "
        "created_scan, created_us) VALUES ($1, $2, $3, $4, $5, $6, $6, $7) "
        "ON CONFLICT (path) DO UPDATE SET seen_scan = excluded.seen_scan RETURNING id",
        x->values, 7, x->n_chosen, take_new_id, x, NULL, err);
}

static ims_status update_known(struct ims_store *s, struct scan_files *x, ims_err *err)
{
    x->n_chosen = 0;
    for (size_t i = 0; i < x->n; i++) {
        const struct ims_store_file *f = &x->files[i];
        struct ims_db_value *v;

        if (f->verdict == IMS_STORE_FILE_NEW)
            continue;
        x->is_any_back |= f->is_back;
        v = choose(x, i, 4);
        v[0] = ims_db_int(f->asset_id);
        v[1] = ims_db_int(f->size_bytes);
        v[2] = ims_db_int(f->mtime_us);
        v[3] = ims_db_int(x->scan->id);
    }
    /* two scans at once: the later one's mark stays */
    return ims_db_run_many(
        s->db,
        "UPDATE assets SET size_bytes = $2, mtime_us = $3, deleted_us = NULL, "
        "seen_scan = CASE WHEN seen_scan > $4 THEN seen_scan ELSE $4 END WHERE id = $1",
        x->values, 4, x->n_chosen, NULL, NULL, NULL, err);
}

/* Work of changed files starts again, for every task and model. */
static ims_status requeue_changed(struct ims_store *s, struct scan_files *x, ims_err *err)
{
    x->n_chosen = 0;
    for (size_t i = 0; i < x->n; i++) {
        struct ims_db_value *v;

        if (x->files[i].verdict != IMS_STORE_FILE_CHANGED)
            continue;
        v = choose(x, i, 2);
        v[0] = ims_db_int(x->files[i].asset_id);
        v[1] = ims_db_int(x->now_us);
    }
    return ims_db_run_many(
        s->db,
        "UPDATE work SET state = 'queued', failure = 0, reason = NULL, detail = NULL, "
        "attempts = 0, updated_us = $2 WHERE asset_id = $1",
        x->values, 2, x->n_chosen, NULL, NULL, NULL, err);
}

static ims_status register_work(struct ims_store *s, struct scan_files *x,
                                const struct ims_store_task *task, ims_err *err)
{
    x->n_chosen = 0;
    for (size_t i = 0; i < x->n; i++) {
        struct ims_db_value *v;

        if (x->files[i].verdict == IMS_STORE_FILE_DONE ||
            x->files[i].verdict == IMS_STORE_FILE_FAILED)
            continue;
        v = choose(x, i, 4);
        v[0] = ims_db_int(x->files[i].asset_id);
        v[1] = ims_db_text(task->name);
        v[2] = ims_db_int(task->model_id);
        v[3] = ims_db_int(x->now_us);
    }
    return ims_db_run_many(
        s->db,
        "INSERT INTO work (asset_id, task, model_id, state, updated_us) "
        "VALUES ($1, $2, $3, 'queued', $4) ON CONFLICT (asset_id, task, model_id) DO NOTHING",
        x->values, 4, x->n_chosen, NULL, NULL, NULL, err);
}

static ims_status scan_files(struct ims_store *s, void *arg, ims_err *err)
{
    struct scan_files *x = arg;
    ims_status st;

    x->is_any_back = false;
    x->now_us = ims__now_us();
    st = look_up(s, x, err);
    if (!st)
        st = insert_new(s, x, err);
    if (!st)
        st = update_known(s, x, err);
    if (!st)
        st = requeue_changed(s, x, err);
    for (size_t t = 0; !st && t < x->scan->n_tasks; t++)
        st = register_work(s, x, &x->scan->tasks[t], err);
    if (!st && x->is_any_back)
        st = ims__store_bump_epoch(s, err);
    return st;
}

ims_status ims_store_scan_files(struct ims_store *s, const struct ims_store_scan *scan,
                                struct ims_store_file *files, size_t n, ims_err *err)
{
    struct scan_files x = { .scan = scan, .files = files, .n = n };
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n; i++)
        st = ims__store_check_path(files[i].path, err);
    if (st || !n)
        return st;
    x.values = ims__zalloc(n, MAX_VALUES * sizeof(*x.values));
    x.chosen = ims__zalloc(n, sizeof(*x.chosen));
    st = x.values && x.chosen ? ims__store_write(s, scan_files, &x, err) : ims__store_nomem(err);
    if (!st)
        ims__store_grew(s, n);
    ims__free(x.values);
    ims__free(x.chosen);
    return st;
}

/* --- the end --- */

struct end_scan {
    const struct ims_store_scan *scan;
    const char *walked;
    const char *const *failed_dirs;
    size_t n_failed_dirs;
    struct ims_store_scan_result result;
};

/* Runs "UPDATE assets ..." for what is below prefix and was not seen by the scan. */
static ims_status update_unseen(struct ims_store *s, const struct ims_store_scan *scan,
                                const char *set, int64_t value, const char *prefix, int64_t *out_n,
                                ims_err *err)
{
    struct ims__store_sql q;
    ims_status st;

    ims__store_sql_init(&q, "UPDATE assets SET ");
    ims__store_sql_add(&q, set, IMS_DB_ARGS(ims_db_int(value)));
    ims__store_sql_add(&q, " WHERE deleted_us IS NULL AND seen_scan < ?",
                       IMS_DB_ARGS(ims_db_int(scan->id)));
    st = ims__store_sql_below(&q, "path", prefix, err);
    if (!st)
        st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims_db_run(s->db, q.text.data, q.values, q.n, out_n, err);
    ims__store_sql_release(&q);
    return st;
}

struct root_path {
    struct ims_arena arena;
    const char *path;
};

static ims_status take_path(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct root_path *r = arg;

    return ims__store_string(&r->arena, row, 0, &r->path, err);
}

static ims_status mark_deleted(struct ims_store *s, struct end_scan *x, int64_t now_us,
                               ims_err *err)
{
    struct root_path root = { .path = NULL };
    const char *walked = x->walked;
    ims_status st = IMS_OK;

    ims__arena_init(&root.arena, 0);
    if (!walked) {
        st = ims__store_select(s, "SELECT path FROM roots WHERE id = $1",
                               IMS_DB_ARGS(ims_db_int(x->scan->root_id)), take_path, &root, err);
        if (!st && !root.path)
            st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no root %lld",
                          (long long)x->scan->root_id);
        walked = root.path;
    }
    /* what could not be looked at counts as seen */
    for (size_t i = 0; !st && i < x->n_failed_dirs; i++)
        st = update_unseen(s, x->scan, "seen_scan = ?", x->scan->id, x->failed_dirs[i], NULL, err);
    if (!st)
        st = update_unseen(s, x->scan, "deleted_us = ?", now_us, walked, &x->result.n_deleted, err);
    ims__arena_release(&root.arena);
    return st;
}

static ims_status end_scan(struct ims_store *s, void *arg, ims_err *err)
{
    struct end_scan *x = arg;
    int64_t now_us = ims__now_us();
    ims_status st;

    x->result = (struct ims_store_scan_result){ 0 };
    st = mark_deleted(s, x, now_us, err);
    if (!st && x->result.n_deleted) {
        st = ims__store_join_moved(s, x->scan, now_us, &x->result.n_moved, err);
        if (!st)
            st = ims__store_bump_epoch(s, err);
    }
    if (!st)
        st = ims_db_run(s->db, "UPDATE scans SET ended_us = $2 WHERE id = $1",
                        IMS_DB_ARGS(ims_db_int(x->scan->id), ims_db_int(now_us)), NULL, err);
    x->result.n_deleted -= x->result.n_moved;
    return st;
}

ims_status ims_store_scan_end(struct ims_store *s, const struct ims_store_scan *scan,
                              const char *walked, const char *const *failed_dirs,
                              size_t n_failed_dirs, struct ims_store_scan_result *out, ims_err *err)
{
    struct end_scan x = {
        .scan = scan, .walked = walked, .failed_dirs = failed_dirs, .n_failed_dirs = n_failed_dirs
    };
    ims_status st = IMS_OK;

    if (walked)
        st = ims__store_check_path(walked, err);
    for (size_t i = 0; !st && i < n_failed_dirs; i++)
        st = ims__store_check_path(failed_dirs[i], err);
    if (!st)
        st = ims__store_write(s, end_scan, &x, err);
    if (!st && out)
        *out = x.result;
    return st;
}
