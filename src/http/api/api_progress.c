/* How far a background job is, by its progress key: once, or as events.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_progress.h"

#include "base/clock.h"
#include "http/api/api_events.h"
#include "http/api/api_ids.h"

#include <stdio.h>
#include <string.h>

#define KEY_LIVES_US ((int64_t)3600 * 1000000) /* after the job's end */

/* ---- keys ---- */

const char *ims__api_progress_key(const char *func, int64_t person_id, int64_t job_id, char *out)
{
    char job[IMS_API_ID_BYTES], person[IMS_API_ID_BYTES];

    ims__api_id_text(IMS_ID_JOB, job_id, job);
    if (strcmp(func, "find_more") == 0 || strcmp(func, "find_more_centroid") == 0)
        snprintf(out, IMS_API_PROGRESS_KEY_BYTES, "%s:progress:%s:%s", func,
                 ims__api_id_text(IMS_ID_PERSON, person_id, person), job);
    else
        snprintf(out, IMS_API_PROGRESS_KEY_BYTES, "job:%s:progress", job);
    return out;
}

/* The job that a key names; 0 = none. */
static int64_t job_of_key(const char *key)
{
    int64_t id = 0;

    while (!id && *key) {
        size_t n = strcspn(key, ":");
        char part[IMS_API_ID_BYTES];

        if (n < sizeof(part)) {
            memcpy(part, key, n);
            part[n] = '\0';
            id = ims__api_id_read(IMS_ID_JOB, part);
        }
        key += n + (key[n] == ':');
    }
    return id;
}

ims_status ims__api_push(struct ims_http_context *cx, const struct ims_store_job *job, int64_t *out_id, ims_err *err)
{
    ims_status st = ims_store_push_job(cx->store, job, out_id, err);

    return st == IMS_E_EXISTS ? IMS_OK : st;
}

/* ---- what is told ---- */

/* Members of the text that o has not yet. */
static ims_status merge(ims_json *o, const char *text, ims_err *err)
{
    ims_json *in = NULL;
    ims_status st = text ? ims__json_parse(&in, text, strlen(text), "a job's report", err) : IMS_OK;

    for (void *it = ims__json_iter(in); !st && it; it = ims__json_next(in, it)) {
        if (!ims__json_get(o, ims__json_iter_key(it)) &&
            ims__json_set(o, ims__json_iter_key(it), ims__json_dup(ims__json_iter_value(it))))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a job's progress");
    }
    ims__json_free(in);
    return st;
}

static bool is_state(const struct ims_store_job *j, const char *state)
{
    return strcmp(j->state, state) == 0;
}

/* What the state of the job says for itself; a job at work speaks through its report. */
static bool put_state(ims_json *o, const struct ims_store_job *j)
{
    const char *why = j->error && *j->error ? j->error : NULL;

    if (is_state(j, "queued"))
        return ims__put_str(o, "phase", "queued") && (!why || ims__put_str(o, "message", why));
    if (is_state(j, "finished"))
        return ims__put_str(o, "phase", "completed") && ims__put_str(o, "message", "done");
    if (is_state(j, "started"))
        return true;
    if (!why)
        why = is_state(j, "canceled") ? "the job was cancelled" : "the job failed";
    return ims__put_str(o, "phase", "failed") && ims__put_str(o, "error", why) && ims__put_str(o, "message", why);
}

/* What every report has. A finished job did all it had to do. */
static bool put_rest(ims_json *o, const struct ims_store_job *j, int64_t person_id)
{
    int64_t total = ims__in_int(o, "total", 0);

    return (ims__json_get(o, "phase") || ims__put_str(o, "phase", "starting")) &&
           (ims__json_get(o, "message") || ims__put_str(o, "message", "")) && ims__put_int(o, "total", total) &&
           ims__put_int(o, "current", is_state(j, "finished") ? total : ims__in_int(o, "current", 0)) &&
           ims__put_id(o, "person_id", IMS_ID_PERSON, person_id) && ims__put_id(o, "job_id", IMS_ID_JOB, j->id);
}

static ims_status describe_job(const struct ims_store_job *j, int64_t person_id, struct ims_api_sight *out, ims_err *err)
{
    ims_json *o = ims__json_new_object();
    ims_status st = o && put_state(o, j) ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "a job's progress");

    if (!st && is_state(j, "finished"))
        st = merge(o, j->result_json, err);
    if (!st)
        st = merge(o, j->progress_json, err);
    if (!st && !put_rest(o, j, person_id))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a job's progress");
    if (st) {
        ims__json_free(o);
        return st;
    }
    out->data = o;
    out->is_last = !is_state(j, "queued") && !is_state(j, "started");
    out->event = is_state(j, "finished") ? "complete" : out->is_last ? "error" : "progress";
    return IMS_OK;
}

static ims_status person_of(const struct ims_store_job *j, int64_t *out, ims_err *err)
{
    ims_json *args = NULL;
    ims_status st = ims__json_parse(&args, j->args_json, strlen(j->args_json), "the job's arguments", err);

    if (!st)
        *out = ims__in_int(args, "person", 0);
    ims__json_free(args);
    return st;
}

/* Is it this job's key, and still alive? */
static bool is_key_of(const char *key, const struct ims_store_job *j, int64_t person_id)
{
    char own[IMS_API_PROGRESS_KEY_BYTES], general[IMS_API_PROGRESS_KEY_BYTES];

    ims__api_progress_key(j->func, person_id, j->id, own);
    ims__api_progress_key("", 0, j->id, general);
    return (strcmp(key, own) == 0 || strcmp(key, general) == 0) &&
           (!j->ended_us || ims__now_us() - j->ended_us < KEY_LIVES_US);
}

static ims_status look_up(struct ims_store *s, const char *key, struct ims_api_sight *out, ims_err *err)
{
    struct ims_store_job j = { .id = 0 };
    struct ims_arena arena;
    int64_t person_id = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_job(s, job_of_key(key), &arena, &j, err);
    if (!st)
        st = person_of(&j, &person_id, err);
    if (!st && !is_key_of(key, &j, person_id))
        st = IMS_E_NOT_FOUND;
    if (st == IMS_E_NOT_FOUND)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "Job not found or expired");
    else if (!st)
        st = describe_job(&j, person_id, out, err);
    ims__arena_release(&arena);
    return st;
}

/* ---- the handlers ---- */

static ims_status look_at_job(void *watch, struct ims_store *s, struct ims_api_sight *out, ims_err *err)
{
    return look_up(s, watch, out, err);
}

static const struct ims_api_watch_ops job_watch = { .look = look_at_job, .close = ims__free };

IMS_API_HANDLER(ims__api_job_events)
{
    return ims__api_watch(cx, rq, rp, &job_watch, ims__strdup(ims__in_str(rq->query, "progress_key", "")), err);
}

IMS_API_HANDLER(ims__api_job_status)
{
    struct ims_api_sight sight = { .data = NULL };
    ims_status st = look_up(cx->store, ims__in_str(rq->query, "progress_key", ""), &sight, err);

    if (!st && !ims__put_time(sight.data, "timestamp", ims__now_us())) {
        ims__json_free(sight.data);
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "a job's progress");
    }
    return st ? st : ims__reply_json(rp, 200, sight.data, err);
}
