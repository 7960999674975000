/* Looking at jobs and workers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/jobs.h"
#include "store/store_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define JOB_COLUMNS                                                                                                   \
    "SELECT id, queue, func, args_json, job_key, state, attempts, max_attempts, worker, wish, progress_json, "       \
    "result_json, error, created_us, started_us, ended_us, due_us FROM jobs "

static ims_status read_job(struct ims_arena *arena, const struct ims_db_query *row, struct ims_store_job *j, ims_err *err)
{
    const char **const texts[] = { &j->queue, &j->func, &j->args_json, &j->key, &j->state };
    const char **const later[] = { &j->worker, &j->wish, &j->progress_json, &j->result_json, &j->error };
    ims_status st = IMS_OK;

    j->id = ims_db_column_int(row, 0);
    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(texts); i++)
        st = ims__store_string(arena, row, 1 + i, texts[i], err);
    j->attempts = (int)ims_db_column_int(row, 6);
    j->max_attempts = (int)ims_db_column_int(row, 7);
    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(later); i++)
        st = ims__store_string(arena, row, 8 + i, later[i], err);
    j->created_us = ims_db_column_int(row, 13);
    j->started_us = ims_db_column_int(row, 14);
    j->ended_us = ims_db_column_int(row, 15);
    j->due_us = ims_db_column_int(row, 16);
    return st;
}

static ims_status take_job_row(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_job *j = ims__store_list_add(l, err);

    return j ? read_job(l->arena, row, j, err) : IMS_E_NOMEM;
}

static ims_status select_jobs(struct ims_store *s, const char *sql, const struct ims_db_value *values, size_t n_values,
                              struct ims_arena *arena, struct ims_store_job **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s, sql, values, n_values, take_job_row, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

ims_status ims_store_job(struct ims_store *s, int64_t id, struct ims_arena *arena, struct ims_store_job *out,
                         ims_err *err)
{
    struct ims_store_job *found;
    size_t n;
    ims_status st = select_jobs(s, JOB_COLUMNS "WHERE id = $1", IMS_DB_ARGS(ims_db_int(id)), arena, &found, &n, err);

    if (!st && n == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no job %lld", (long long)id);
    if (!st)
        *out = found[0];
    return st;
}

ims_status ims_store_job_of(struct ims_store *s, const char *key, struct ims_arena *arena, struct ims_store_job *out,
                            ims_err *err)
{
    struct ims_store_job *found;
    size_t n;
    ims_status st = select_jobs(s, JOB_COLUMNS "WHERE job_key = $1 ORDER BY id DESC LIMIT 1",
                                IMS_DB_ARGS(ims_db_text(key)), arena, &found, &n, err);

    if (!st && n == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no job of the key %s", key);
    if (!st)
        *out = found[0];
    return st;
}

ims_status ims_store_list_jobs(struct ims_store *s, const char *queue, const char *state, size_t offset, size_t limit,
                               struct ims_arena *arena, struct ims_store_job **out, size_t *out_n, ims_err *err)
{
    bool is_open = strcmp(state, "queued") == 0 || strcmp(state, "started") == 0;

    return select_jobs(s,
                       is_open ? JOB_COLUMNS "WHERE queue = $1 AND state = $2 ORDER BY id LIMIT $3 OFFSET $4"
                               : JOB_COLUMNS "WHERE queue = $1 AND state = $2 ORDER BY id DESC LIMIT $3 OFFSET $4",
                       IMS_DB_ARGS(ims_db_text(queue), ims_db_text(state), ims_db_int((int64_t)limit),
                                   ims_db_int((int64_t)offset)),
                       arena, out, out_n, err);
}

/* ---- counts ---- */

static void count_row(struct ims_store_job_counts *c, const char *state, int64_t n, int64_t n_later)
{
    if (strcmp(state, "queued") == 0) {
        c->queued = n - n_later;
        c->scheduled = n_later;
    } else if (strcmp(state, "started") == 0)
        c->started = n;
    else if (strcmp(state, "finished") == 0)
        c->finished = n;
    else if (strcmp(state, "failed") == 0)
        c->failed = n;
    else
        c->canceled = n;
}

static ims_status take_count(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_job_counts *counts = arg;

    (void)err;
    for (size_t i = 0; i < IMS_N_QUEUES; i++) {
        if (strcmp(counts[i].queue, ims_db_column_text(row, 0, NULL)) == 0)
            count_row(&counts[i], ims_db_column_text(row, 1, NULL), ims_db_column_int(row, 2), ims_db_column_int(row, 3));
    }
    return IMS_OK;
}

ims_status ims_store_count_jobs(struct ims_store *s, struct ims_store_job_counts out[IMS_N_QUEUES], ims_err *err)
{
    memset(out, 0, IMS_N_QUEUES * sizeof(*out));
    for (size_t i = 0; i < IMS_N_QUEUES; i++)
        out[i].queue = ims_store_queues[i];
    return ims__store_select(s,
                             "SELECT queue, state, COUNT(*), SUM(CASE WHEN due_us > $1 THEN 1 ELSE 0 END) FROM jobs "
                             "GROUP BY queue, state",
                             IMS_DB_ARGS(ims_db_int(ims__now_us())), take_count, out, err);
}

static ims_status purge_jobs(struct ims_store *s, void *arg, ims_err *err)
{
    return ims_db_run(s->db, "DELETE FROM jobs WHERE ended_us < $1", IMS_DB_ARGS(ims_db_int(*(const int64_t *)arg)), NULL,
                      err);
}

ims_status ims_store_purge_jobs(struct ims_store *s, int64_t ended_before_us, ims_err *err)
{
    return ims__store_write(s, purge_jobs, &ended_before_us, err);
}

/* ---- workers ---- */

static ims_status beat_worker(struct ims_store *s, void *arg, ims_err *err)
{
    int64_t now = ims__now_us();
    char host[256] = "";

    (void)gethostname(host, sizeof(host) - 1);
    return ims_db_run(s->db,
                      "INSERT INTO workers (name, pid, hostname, queues, born_us, heartbeat_us) "
                      "VALUES ($1, $2, $3, 'training-high,training-normal,training-low,default', $4, $4) "
                      "ON CONFLICT (name) DO UPDATE SET heartbeat_us = excluded.heartbeat_us",
                      IMS_DB_ARGS(ims_db_text(arg), ims_db_int(getpid()), ims_db_text(host), ims_db_int(now)), NULL, err);
}

ims_status ims_store_beat_worker(struct ims_store *s, const char *name, ims_err *err)
{
    return ims__store_write(s, beat_worker, (void *)(uintptr_t)name, err);
}

static ims_status leave_worker(struct ims_store *s, void *arg, ims_err *err)
{
    return ims_db_run(s->db, "DELETE FROM workers WHERE name = $1 OR heartbeat_us < $2",
                      IMS_DB_ARGS(ims_db_text(arg), ims_db_int(ims__now_us() - 10 * IMS_JOB_WORKER_DEAD_US)), NULL, err);
}

ims_status ims_store_leave_worker(struct ims_store *s, const char *name, ims_err *err)
{
    return ims__store_write(s, leave_worker, (void *)(uintptr_t)name, err);
}

static ims_status bury_worker(struct ims_store *s, void *arg, ims_err *err)
{
    ims_status st = ims_db_run(s->db, "UPDATE jobs SET lease_until_us = 0 WHERE worker = $1 AND state = 'started'",
                               IMS_DB_ARGS(ims_db_text(arg)), NULL, err);

    return st ? st : ims_db_run(s->db, "DELETE FROM workers WHERE name = $1", IMS_DB_ARGS(ims_db_text(arg)), NULL, err);
}

ims_status ims_store_bury_worker(struct ims_store *s, const char *name, ims_err *err)
{
    return ims__store_write(s, bury_worker, (void *)(uintptr_t)name, err);
}

static ims_status take_worker(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_worker *w = ims__store_list_add(l, err);
    ims_status st;

    if (!w)
        return IMS_E_NOMEM;
    st = ims__store_string(l->arena, row, 0, &w->name, err);
    if (!st)
        st = ims__store_string(l->arena, row, 1, &w->hostname, err);
    if (!st)
        st = ims__store_string(l->arena, row, 2, &w->queues, err);
    if (!st)
        st = ims__store_string(l->arena, row, 5, &w->job_func, err);
    w->pid = ims_db_column_int(row, 3);
    w->job_id = ims_db_column_int(row, 4);
    w->job_started_us = ims_db_column_int(row, 6);
    w->n_succeeded = ims_db_column_int(row, 7);
    w->n_failed = ims_db_column_int(row, 8);
    w->worked_us = ims_db_column_int(row, 9);
    w->born_us = ims_db_column_int(row, 10);
    w->heartbeat_us = ims_db_column_int(row, 11);
    return st;
}

ims_status ims_store_workers(struct ims_store *s, struct ims_arena *arena, struct ims_store_worker **out, size_t *out_n,
                             ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st;

    st = ims__store_select(s,
                           "SELECT w.name, w.hostname, w.queues, w.pid, w.job_id, j.func, w.job_started_us, "
                           "w.n_succeeded, w.n_failed, w.worked_us, w.born_us, w.heartbeat_us FROM workers w "
                           "LEFT JOIN jobs j ON j.id = w.job_id WHERE w.heartbeat_us >= $1 ORDER BY w.name",
                           IMS_DB_ARGS(ims_db_int(ims__now_us() - IMS_JOB_WORKER_DEAD_US)), take_worker, &l, err);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}
