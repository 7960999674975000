/* Queues, jobs and workers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "http/api/api.h"
#include "http/api/api_ids.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

#define MAX_ARGUMENT_BYTES ((size_t)65536)

/* Members of the job's arguments as texts. */
static ims_json *kwargs_of(const struct ims_store_job *j)
{
    ims_json *in = NULL, *out = ims__json_new_object();
    bool is_good = out && ims__json_parse(&in, j->args_json, strlen(j->args_json), "arguments", NULL) == IMS_OK;

    for (void *it = ims__json_iter(in); is_good && it; it = ims__json_next(in, it)) {
        const ims_json *v = ims__json_iter_value(it);
        struct ims_buf text;

        ims__buf_init(&text, MAX_ARGUMENT_BYTES);
        if (ims__json_str(v, NULL))
            is_good = ims__put_str(out, ims__json_iter_key(it), ims__json_str(v, NULL));
        else
            is_good = ims__json_write(v, 0, &text, NULL) == IMS_OK && ims__put_str(out, ims__json_iter_key(it), text.data);
        ims__buf_release(&text);
    }
    ims__json_free(in);
    return ims__whole(out, is_good);
}

static bool put_job(ims_json *o, const struct ims_store_job *j)
{
    return ims__put_id(o, "id", IMS_ID_JOB, j->id) && ims__put_str(o, "funcName", j->func) && ims__put_str(o, "status", j->state) &&
           ims__put_str(o, "queueName", j->queue) && ims__put(o, "args", ims__json_new_array()) &&
           ims__put(o, "kwargs", kwargs_of(j)) && ims__put_time(o, "createdAt", j->created_us) &&
           ims__put_time(o, "enqueuedAt", j->created_us) && ims__put_time(o, "startedAt", j->started_us) &&
           ims__put_time(o, "endedAt", j->ended_us) && ims__put_null(o, "timeout") &&
           ims__put_str(o, "result", j->result_json) && ims__put_str(o, "errorMessage", j->error) &&
           ims__put_str(o, "workerName", j->worker);
}

static ims_status jobs_json(struct ims_http_context *cx, const char *queue, const char *state, size_t offset, size_t limit,
                            ims_json **out, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_job *jobs;
    size_t n = 0;
    ims_json *list = ims__json_new_array();
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_list_jobs(cx->store, queue, state, offset, limit, &arena, &jobs, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        ims_json *one = ims__json_new_object();

        one = ims__whole(one, put_job(one, &jobs[i]));
        if (!one || ims__json_add(list, one))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "jobs");
    }
    ims__arena_release(&arena);
    if (st)
        ims__json_free(list);
    else
        *out = list;
    return st;
}

/* ---- queues ---- */

static ims_json *queue_json(const struct ims_store_job_counts *c)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_str(o, "name", c->queue) && ims__put_int(o, "count", c->queued) &&
                             ims__put_bool(o, "isEmpty", c->queued == 0) && ims__put_int(o, "startedCount", c->started) &&
                             ims__put_int(o, "failedCount", c->failed) && ims__put_int(o, "finishedCount", c->finished) &&
                             ims__put_int(o, "scheduledCount", c->scheduled));
}

static ims_status count_workers(struct ims_http_context *cx, int64_t *out_n, int64_t *out_busy, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_worker *w;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_workers(cx->store, &arena, &w, &n, err);
    *out_n = (int64_t)n;
    *out_busy = 0;
    for (size_t i = 0; !st && i < n; i++)
        *out_busy += w[i].job_id != 0;
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_queues_list)
{
    struct ims_store_job_counts counts[IMS_N_QUEUES];
    int64_t n_workers, n_busy, n_jobs = 0;
    ims_json *o, *list;
    bool is_good = true;
    ims_status st = ims_store_count_jobs(cx->store, counts, err);

    (void)rq;
    if (!st)
        st = count_workers(cx, &n_workers, &n_busy, err);
    if (st)
        return st;
    o = ims__json_new_object();
    list = ims__json_new_array();
    for (size_t i = 0; is_good && i < IMS_N_QUEUES; i++) {
        n_jobs += counts[i].queued + counts[i].started;
        is_good = list && ims__json_add(list, queue_json(&counts[i])) == IMS_OK;
    }
    list = ims__whole(list, is_good);
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put(o, "queues", list) && ims__put_int(o, "totalJobs", n_jobs) &&
                                             ims__put_int(o, "totalWorkers", n_workers) &&
                                             ims__put_int(o, "workersBusy", n_busy) &&
                                             ims__put_bool(o, "redisConnected", true)),
                           err);
}

static const struct ims_store_job_counts *find_queue(const struct ims_store_job_counts *counts, const char *name)
{
    for (size_t i = 0; i < IMS_N_QUEUES; i++) {
        if (strcmp(counts[i].queue, name) == 0)
            return &counts[i];
    }
    return NULL;
}

IMS_API_HANDLER(ims__api_queue_get)
{
    const char *name = ims__in_str(rq->path, "name", "");
    struct ims_page page = ims__api_page(rq);
    struct ims_store_job_counts counts[IMS_N_QUEUES];
    const struct ims_store_job_counts *c;
    ims_json *o, *lists[3] = { NULL };
    static const char *const states[3] = { "queued", "started", "failed" };
    static const char *const keys[3] = { "jobs", "startedJobs", "failedJobs" };
    bool is_good;
    ims_status st = ims_store_count_jobs(cx->store, counts, err);

    if (st)
        return st;
    c = find_queue(counts, name);
    if (!c)
        return ims__reply_coded_error(rp, 404, "QUEUE_NOT_FOUND", "there is no such queue");
    for (size_t i = 0; !st && i < 3; i++)
        st = jobs_json(cx, name, states[i], i == 0 ? (size_t)page.offset : 0, (size_t)page.size, &lists[i], err);
    o = ims__json_new_object();
    is_good = !st && ims__put_str(o, "name", name) && ims__put_int(o, "count", c->queued) &&
              ims__put_bool(o, "isEmpty", c->queued == 0);
    for (size_t i = 0; i < 3; i++) {
        is_good = ims__put(is_good ? o : NULL, keys[i], lists[i]);
    }
    o = ims__whole(o, is_good && ims__put_int(o, "page", page.number) && ims__put_int(o, "pageSize", page.size) &&
                          ims__put_bool(o, "hasMore", page.offset + page.size < c->queued + c->scheduled));
    return st ? st : ims__reply_json(rp, 200, o, err);
}

IMS_API_HANDLER(ims__api_job_get)
{
    struct ims_arena arena;
    struct ims_store_job j;
    ims_json *o;
    int64_t id;
    ims_status st;

    /* its name, or the bare number that earlier versions gave */
    id = ims__in_id(rq->path, "job_id", IMS_ID_JOB);
    if (!id && !ims__parse_int(ims__in_str(rq->path, "job_id", ""), 1, INT64_MAX, &id))
        return ims__reply_coded_error(rp, 404, "JOB_NOT_FOUND", "there is no such job");
    ims__arena_init(&arena, 0);
    st = ims_store_job(cx->store, id, &arena, &j, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, put_job(o, &j) && ims__put_str(o, "excInfo", j.error) &&
                                               ims__put(o, "meta", ims__json_new_object()) &&
                                               ims__put_int(o, "retryCount", j.attempts > 0 ? j.attempts - 1 : 0) &&
                                               ims__put_str(o, "origin", j.queue)),
                             err);
    }
    ims__arena_release(&arena);
    return st == IMS_E_NOT_FOUND ? ims__reply_coded_error(rp, 404, "JOB_NOT_FOUND", "there is no such job") : st;
}

/* ---- workers ---- */

static ims_json *current_job(const struct ims_store_worker *w)
{
    ims_json *o;

    if (!w->job_id)
        return ims__json_new_null();
    o = ims__json_new_object();
    return ims__whole(o, ims__put_id(o, "jobId", IMS_ID_JOB, w->job_id) &&
                             ims__put_str(o, "funcName", w->job_func ? w->job_func : "") &&
                             ims__put_time(o, "startedAt", w->job_started_us));
}

static ims_json *queues_of(const struct ims_store_worker *w)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (const char *s = w->queues; is_good && *s;) {
        size_t n = strcspn(s, ",");
        char *name = ims__strndup(s, n);

        is_good = name && ims__json_add(list, ims__json_new_str(name)) == IMS_OK;
        ims__free(name);
        s += n + (s[n] == ',');
    }
    return ims__whole(list, is_good);
}

static ims_json *worker_json(const struct ims_store_worker *w)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_str(o, "name", w->name) && ims__put_str(o, "state", w->job_id ? "busy" : "idle") &&
                             ims__put(o, "queues", queues_of(w)) && ims__put(o, "currentJob", current_job(w)) &&
                             ims__put_int(o, "successfulJobCount", w->n_succeeded) &&
                             ims__put_int(o, "failedJobCount", w->n_failed) &&
                             ims__put_num(o, "totalWorkingTime", (double)w->worked_us / 1e6) &&
                             ims__put_time(o, "birthDate", w->born_us) && ims__put_time(o, "lastHeartbeat", w->heartbeat_us) &&
                             ims__put_int(o, "pid", w->pid) && ims__put_str(o, "hostname", w->hostname));
}

IMS_API_HANDLER(ims__api_workers_list)
{
    struct ims_arena arena;
    struct ims_store_worker *w;
    size_t n = 0;
    int64_t n_busy = 0;
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();
    ims_status st;

    (void)rq;
    ims__arena_init(&arena, 0);
    st = ims_store_workers(cx->store, &arena, &w, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        n_busy += w[i].job_id != 0;
        if (!list || ims__json_add(list, worker_json(&w[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "workers");
    }
    ims__arena_release(&arena);
    o = ims__whole(o, ims__put(o, "workers", list) && ims__put_int(o, "total", (int64_t)n) &&
                          ims__put_int(o, "active", n_busy) && ims__put_int(o, "idle", (int64_t)n - n_busy));
    if (!st)
        return ims__reply_json(rp, 200, o, err);
    ims__json_free(o);
    return st;
}
