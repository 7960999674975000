/* Jobs: pushed, taken under a lease, ended.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/jobs.h"
#include "store/store_internal.h"

#include <string.h>

#define DEFAULT_ATTEMPTS 3
#define FIRST_RETRY_US ((int64_t)5 * 1000000)
#define WAIT_US ((int64_t)5 * 1000000) /* for whoever is in the way */
#define LAST_RETRY_US ((int64_t)600 * 1000000)

const char *const ims_store_queues[IMS_N_QUEUES] = { "training-high", "training-normal", "training-low", "default" };

/* ---- pushing ---- */

struct push {
    const struct ims_store_job *job;
    int priority;
    int64_t id;
    bool is_new;
};

static ims_status push_job(struct ims_store *s, void *arg, ims_err *err)
{
    struct push *x = arg;
    const struct ims_store_job *j = x->job;
    int64_t now = ims__now_us();
    ims_status st;

    x->is_new = false;
    st = ims_db_get_int(s->db,
                        "INSERT INTO jobs (queue, priority, func, args_json, job_key, state, max_attempts, due_us, "
                        "created_us) VALUES ($1, $2, $3, $4, $5, 'queued', $6, $7, $8) "
                        "ON CONFLICT (job_key) WHERE state IN ('queued', 'started') DO NOTHING RETURNING id",
                        IMS_DB_ARGS(ims_db_text(j->queue), ims_db_int(x->priority), ims_db_text(j->func),
                                    ims_db_text(j->args_json ? j->args_json : "{}"), ims_db_text(j->key),
                                    ims_db_int(j->max_attempts ? j->max_attempts : DEFAULT_ATTEMPTS),
                                    ims_db_int(now + j->delay_us), ims_db_int(now)),
                        &x->id, &x->is_new, err);
    if (st || x->is_new)
        return st;
    return ims_db_get_int(s->db, "SELECT id FROM jobs WHERE job_key = $1 AND state IN ('queued', 'started')",
                          IMS_DB_ARGS(ims_db_text(j->key)), &x->id, NULL, err);
}

ims_status ims_store_push_job(struct ims_store *s, const struct ims_store_job *job, int64_t *out_id, ims_err *err)
{
    struct push x = { .job = job };
    ims_status st;

    while (x.priority < IMS_N_QUEUES && strcmp(ims_store_queues[x.priority], job->queue) != 0)
        x.priority++;
    if (x.priority == IMS_N_QUEUES)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "there is no queue %s", job->queue);
    st = ims__store_write(s, push_job, &x, err);
    if (st)
        return st;
    *out_id = x.id;
    return x.is_new ? IMS_OK
                    : ims_fail(err, IMS_E_EXISTS, "store", 0, "job %lld does this already", (long long)x.id);
}

/* ---- taking ---- */

struct take {
    const char *worker;
    int64_t id;
};

/* Whoever held the lease died each time: no more of it. */
static ims_status fail_worn_out(struct ims_store *s, int64_t now, ims_err *err)
{
    return ims_db_run(s->db,
                      "UPDATE jobs SET state = 'failed', ended_us = $1, lease_until_us = 0, "
                      "error = 'the worker died at each attempt' "
                      "WHERE state = 'started' AND lease_until_us < $1 AND attempts >= max_attempts",
                      IMS_DB_ARGS(ims_db_int(now)), NULL, err);
}

static ims_status take_job(struct ims_store *s, void *arg, ims_err *err)
{
    struct take *x = arg;
    int64_t now = ims__now_us();
    bool is_found = false;
    ims_status st = fail_worn_out(s, now, err);

    x->id = 0;
    if (!st)
        st = ims_db_get_int(s->db,
                            "SELECT id FROM jobs WHERE (state = 'queued' AND due_us <= $1) OR "
                            "(state = 'started' AND lease_until_us < $1) ORDER BY priority, id LIMIT 1",
                            IMS_DB_ARGS(ims_db_int(now)), &x->id, &is_found, err);
    if (st || !is_found)
        return st;
    st = ims_db_run(s->db,
                    "UPDATE jobs SET state = 'started', worker = $2, attempts = attempts + 1, wish = NULL, "
                    "error = NULL, started_us = $3, lease_until_us = $4 WHERE id = $1",
                    IMS_DB_ARGS(ims_db_int(x->id), ims_db_text(x->worker), ims_db_int(now),
                                ims_db_int(now + IMS_JOB_LEASE_US)),
                    NULL, err);
    if (!st)
        st = ims_db_run(s->db, "UPDATE workers SET job_id = $2, job_started_us = $3 WHERE name = $1",
                        IMS_DB_ARGS(ims_db_text(x->worker), ims_db_int(x->id), ims_db_int(now)), NULL, err);
    return st;
}

ims_status ims_store_take_job(struct ims_store *s, const char *worker, struct ims_arena *arena,
                              struct ims_store_job *out, ims_err *err)
{
    struct take x = { .worker = worker };
    bool is_any = false;
    int64_t one;
    ims_status st;

    memset(out, 0, sizeof(*out));
    /* Idle workers look often: without taking the writers' turn. */
    st = ims__store_get_int(s,
                            "SELECT 1 FROM jobs WHERE (state = 'queued' AND due_us <= $1) OR "
                            "(state = 'started' AND lease_until_us < $1) LIMIT 1",
                            IMS_DB_ARGS(ims_db_int(ims__now_us())), &one, &is_any, err);
    if (st || !is_any)
        return st;
    st = ims__store_write(s, take_job, &x, err);
    return st || !x.id ? st : ims_store_job(s, x.id, arena, out, err);
}

/* ---- at work ---- */

struct beat {
    const char *worker, *progress;
    int64_t id;
    ims_store_wish wish;
};

static ims_status take_wish(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct beat *x = arg;
    const char *wish = ims_db_column_text(row, 0, NULL);

    (void)err;
    x->wish = !wish || !*wish ? IMS_JOB_GO_ON : strcmp(wish, "cancel") == 0 ? IMS_JOB_CANCEL : IMS_JOB_PAUSE;
    return IMS_OK;
}

static ims_status lost_lease(int64_t id, ims_err *err)
{
    return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "job %lld is no longer this worker's", (long long)id);
}

static ims_status beat_job(struct ims_store *s, void *arg, ims_err *err)
{
    struct beat *x = arg;
    int64_t now = ims__now_us(), n = 0;
    ims_status st;

    st = ims_db_run(s->db,
                    "UPDATE jobs SET lease_until_us = $3, progress_json = COALESCE($4, progress_json) "
                    "WHERE id = $1 AND worker = $2 AND state = 'started'",
                    IMS_DB_ARGS(ims_db_int(x->id), ims_db_text(x->worker), ims_db_int(now + IMS_JOB_LEASE_US),
                                ims_db_text(x->progress)),
                    &n, err);
    if (!st && n == 0)
        st = lost_lease(x->id, err);
    if (!st)
        st = ims_db_run(s->db, "UPDATE workers SET heartbeat_us = $2 WHERE name = $1",
                        IMS_DB_ARGS(ims_db_text(x->worker), ims_db_int(now)), NULL, err);
    if (!st)
        st = ims__store_select(s, "SELECT wish FROM jobs WHERE id = $1", IMS_DB_ARGS(ims_db_int(x->id)), take_wish, x,
                               err);
    return st;
}

ims_status ims_store_beat_job(struct ims_store *s, const char *worker, int64_t id, const char *progress_json,
                              ims_store_wish *out_wish, ims_err *err)
{
    struct beat x = { .worker = worker, .progress = progress_json, .id = id };
    ims_status st = ims__store_write(s, beat_job, &x, err);

    if (!st)
        *out_wish = x.wish;
    return st;
}

static ims_status get_on(struct ims_store *s, void *arg, ims_err *err)
{
    struct beat *x = arg;

    return ims_db_run(s->db, "UPDATE jobs SET attempts = 1 WHERE id = $1 AND worker = $2 AND state = 'started'",
                      IMS_DB_ARGS(ims_db_int(x->id), ims_db_text(x->worker)), NULL, err);
}

ims_status ims_store_job_gets_on(struct ims_store *s, const char *worker, int64_t id, ims_err *err)
{
    struct beat x = { .worker = worker, .id = id };

    return ims__store_write(s, get_on, &x, err);
}

/* ---- ending ---- */

struct end {
    const char *worker, *text;
    int64_t id;
    ims_store_outcome outcome;
};

/* 5 s, 10 s, 20 s ... 10 minutes, by the attempts so far. */
static int64_t retry_delay(int64_t attempts)
{
    int64_t delay = FIRST_RETRY_US;

    for (int64_t i = 1; i < attempts && delay < LAST_RETRY_US; i++)
        delay *= 2;
    return delay < LAST_RETRY_US ? delay : LAST_RETRY_US;
}

static const char *end_state(ims_store_outcome outcome)
{
    switch (outcome) {
    case IMS_JOB_FINISHED:
        return "finished";
    case IMS_JOB_CANCELED:
        return "canceled";
    case IMS_JOB_FAILED:
        return "failed";
    case IMS_JOB_TRY_AGAIN:
    case IMS_JOB_GIVEN_BACK:
    case IMS_JOB_WAITS:
        break;
    }
    return "queued";
}

struct attempt {
    int64_t attempts, max_attempts, started_us;
    bool is_found;
};

static ims_status take_attempt(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct attempt *a = arg;

    (void)err;
    a->is_found = true;
    a->attempts = ims_db_column_int(row, 0);
    a->max_attempts = ims_db_column_int(row, 1);
    a->started_us = ims_db_column_int(row, 2);
    return IMS_OK;
}

static ims_status count_work(struct ims_store *s, const struct end *x, int64_t worked_us, ims_err *err)
{
    bool is_good = x->outcome == IMS_JOB_FINISHED, is_bad = x->outcome == IMS_JOB_FAILED || x->outcome == IMS_JOB_TRY_AGAIN;

    return ims_db_run(s->db,
                      "UPDATE workers SET job_id = NULL, job_started_us = NULL, n_succeeded = n_succeeded + $2, "
                      "n_failed = n_failed + $3, worked_us = worked_us + $4 WHERE name = $1",
                      IMS_DB_ARGS(ims_db_text(x->worker), ims_db_int(is_good), ims_db_int(is_bad),
                                  ims_db_int(worked_us > 0 ? worked_us : 0)),
                      NULL, err);
}

/* What of a job that is queued again changes: not before when, and whether the attempt counted. */
static int64_t due_after(ims_store_outcome outcome, const struct attempt *a)
{
    return outcome == IMS_JOB_TRY_AGAIN ? retry_delay(a->attempts) : outcome == IMS_JOB_WAITS ? WAIT_US : 0;
}

static ims_status end_job(struct ims_store *s, void *arg, ims_err *err)
{
    struct end x = *(const struct end *)arg;
    struct attempt a = { 0 };
    int64_t now = ims__now_us();
    bool is_over, is_uncounted = x.outcome == IMS_JOB_GIVEN_BACK || x.outcome == IMS_JOB_WAITS;
    ims_status st;

    st = ims__store_select(s,
                           "SELECT attempts, max_attempts, started_us FROM jobs WHERE id = $1 AND worker = $2 AND "
                           "state = 'started'",
                           IMS_DB_ARGS(ims_db_int(x.id), ims_db_text(x.worker)), take_attempt, &a, err);
    if (!st && !a.is_found)
        st = lost_lease(x.id, err);
    if (st)
        return st;
    if (x.outcome == IMS_JOB_TRY_AGAIN && a.attempts >= a.max_attempts)
        x.outcome = IMS_JOB_FAILED;
    is_over = x.outcome != IMS_JOB_TRY_AGAIN && !is_uncounted;
    st = ims_db_run(s->db,
                    "UPDATE jobs SET state = $2, ended_us = $3, due_us = $4, lease_until_us = 0, attempts = $5, "
                    "result_json = $6, error = $7, wish = NULL WHERE id = $1",
                    IMS_DB_ARGS(ims_db_int(x.id), ims_db_text(end_state(x.outcome)),
                                is_over ? ims_db_int(now) : ims_db_null(),
                                ims_db_int(now + due_after(x.outcome, &a)),
                                ims_db_int(a.attempts - is_uncounted),
                                ims_db_text(x.outcome == IMS_JOB_FINISHED ? x.text : NULL),
                                ims_db_text(x.outcome == IMS_JOB_FINISHED ? NULL : x.text)),
                    NULL, err);
    return st ? st : count_work(s, &x, now - a.started_us, err);
}

ims_status ims_store_end_job(struct ims_store *s, const char *worker, int64_t id, ims_store_outcome outcome,
                             const char *text, ims_err *err)
{
    struct end x = { .worker = worker, .text = text, .id = id, .outcome = outcome };

    return ims__store_write(s, end_job, &x, err);
}

/* ---- wishes ---- */

struct ask {
    int64_t id;
    const char *key;
    ims_store_wish wish;
    int64_t n;
};

/* A job that nobody works on is canceled on the spot; pausing one that has not begun is the same. */
static ims_status ask_job(struct ims_store *s, void *arg, ims_err *err)
{
    struct ask *x = arg;
    int64_t n_queued = 0, n_started = 0;
    ims_status st;

    st = ims_db_run(s->db,
                    "UPDATE jobs SET state = 'canceled', ended_us = $3 WHERE state = 'queued' AND (id = $1 OR job_key = $2)",
                    IMS_DB_ARGS(ims_db_int(x->id), ims_db_text(x->key), ims_db_int(ims__now_us())), &n_queued, err);
    if (!st)
        st = ims_db_run(s->db, "UPDATE jobs SET wish = $3 WHERE state = 'started' AND (id = $1 OR job_key = $2)",
                        IMS_DB_ARGS(ims_db_int(x->id), ims_db_text(x->key),
                                    ims_db_text(x->wish == IMS_JOB_CANCEL ? "cancel" : "pause")),
                        &n_started, err);
    x->n = n_queued + n_started;
    return st;
}

static ims_status ask_any(struct ims_store *s, struct ask *x, bool *out_found, ims_err *err)
{
    ims_status st = x->wish == IMS_JOB_GO_ON ? ims_fail(err, IMS_E_INVALID, "store", 0, "going on is no wish")
                                             : ims__store_write(s, ask_job, x, err);

    if (!st)
        *out_found = x->n > 0;
    return st;
}

ims_status ims_store_ask_job(struct ims_store *s, int64_t id, ims_store_wish wish, bool *out_found, ims_err *err)
{
    return ask_any(s, &(struct ask){ .id = id, .wish = wish }, out_found, err);
}

ims_status ims_store_ask_job_of(struct ims_store *s, const char *key, ims_store_wish wish, bool *out_found, ims_err *err)
{
    return ask_any(s, &(struct ask){ .id = -1, .key = key, .wish = wish }, out_found, err);
}
