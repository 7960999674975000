/* The loop of a background worker.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/process.h"
#include "engine/engine_internal.h"
#include "engine/people.h"
#include "engine/work.h"
#include "store/face_sessions.h"
#include "store/jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 250            /* between two looks for a job when there is none */
#define BEAT_NS ((uint64_t)2000000000)
#define IDLE_BEAT_NS ((uint64_t)30000000000)
#define EXPIRE_NS ((uint64_t)3600000000000)
#define KEEP_ENDED_US ((int64_t)7 * 24 * 3600 * 1000000)

struct ims_worker {
    struct ims_engine *host, *engine;
    struct ims_thread thread;
    ims_worker_note_fn on_note;
    void *arg;
    char name[80];
    atomic_bool is_stopping;
    uint64_t beaten_ns, expired_ns;
};

static bool tell(struct ims_task *t, const char *progress_json, uint64_t at_least_ns)
{
    struct ims_worker *w = t->worker;
    ims_err err;

    if (atomic_load(&w->is_stopping) || t->is_lost || t->wish != IMS_JOB_GO_ON)
        return false;
    if (ims__mono_ns() - t->beaten_ns < at_least_ns)
        return true;
    t->beaten_ns = ims__mono_ns();
    /* A beat that fails for another reason (busy, a lost connection) is made up for by the next one. */
    if (ims_store_beat_job(w->engine->store, w->name, t->job->id, progress_json, &t->wish, &err) == IMS_E_NOT_FOUND)
        t->is_lost = true;
    return !t->is_lost && t->wish == IMS_JOB_GO_ON;
}

bool ims__task_beat(struct ims_task *t, const char *progress_json)
{
    return tell(t, progress_json, BEAT_NS);
}

bool ims__task_tell(struct ims_task *t, const char *progress_json)
{
    return tell(t, progress_json, 0);
}

void ims__task_gets_on(struct ims_task *t)
{
    ims_err err;

    if (t->gets_on || t->job->attempts <= 1)
        return;
    t->gets_on = true;
    if (ims_store_job_gets_on(t->worker->engine->store, t->worker->name, t->job->id, &err))
        ims__log_err(IMS_LOG_DEBUG, &err, "%s", t->worker->name); /* one attempt more or less */
}

/* ---- the loop ---- */

static const struct {
    const char *func;
    ims_work_fn run;
} handlers[] = {
#define IMS_WORK(func, handler) { #func, handler },
#include "engine/work_table.h"
#undef IMS_WORK
};

static ims_status run_job(struct ims_task *t, ims_err *err)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(handlers); i++) {
        if (strcmp(handlers[i].func, t->job->func) == 0)
            return handlers[i].run(t, err);
    }
    return ims_fail(err, IMS_E_UNSUPPORTED, "engine", 0, "no worker of this version knows the job %s", t->job->func);
}

static ims_store_outcome outcome_of(const struct ims_task *t, ims_status st)
{
    if (!st)
        return IMS_JOB_FINISHED;
    if (st == IMS_E_CANCELLED) /* at a shutdown it is taken up again; else somebody wanted it to end */
        return t->wish == IMS_JOB_GO_ON && atomic_load(&t->worker->is_stopping) ? IMS_JOB_GIVEN_BACK : IMS_JOB_CANCELED;
    if (st == IMS_E_BUSY) /* another process indexes this library, perhaps for hours */
        return IMS_JOB_WAITS;
    return ims_status_is_retryable(st) || st == IMS_E_DB ? IMS_JOB_TRY_AGAIN : IMS_JOB_FAILED;
}

bool ims__task_goes_on(const struct ims_task *t, ims_status st)
{
    ims_store_outcome outcome = st ? outcome_of(t, st) : IMS_JOB_FINISHED;

    return outcome == IMS_JOB_CANCELED || outcome == IMS_JOB_GIVEN_BACK || outcome == IMS_JOB_WAITS ||
           (outcome == IMS_JOB_TRY_AGAIN && t->job->attempts < t->job->max_attempts);
}

static void do_job(struct ims_worker *w, const struct ims_store_job *job)
{
    struct ims_task t = { .engine = w->engine, .worker = w, .job = job, .beaten_ns = ims__mono_ns() };
    ims_json *args = NULL;
    ims_err err = { 0 }, why = { 0 };
    ims_status st = ims__json_parse(&args, job->args_json, strlen(job->args_json), "the job's arguments", &err);

    t.args = args;
    if (!st)
        st = run_job(&t, &err);
    if (st && st != IMS_E_CANCELLED && w->on_note)
        w->on_note(w->arg, job->id, job->func, &err);
    if (!t.is_lost && ims_store_end_job(w->engine->store, w->name, job->id, outcome_of(&t, st), st ? err.text : t.result, &why) &&
        w->on_note)
        w->on_note(w->arg, job->id, job->func, &why); /* the lease runs out, and the job is done again */
    ims__free(t.result);
    ims__json_free(args);
}

/* Sessions whose job died at each attempt must not wait for it for ever. */
static ims_status settle_sessions(struct ims_worker *w, ims_err *err)
{
    int64_t n;
    ims_status st = ims_store_settle_sessions(w->engine->store, &n, err);

    return st ? st : ims_store_settle_face_sessions(w->engine->store, &n, err);
}

/* Suggestions that nobody answered for too long, once an hour. */
static void expire_suggestions(struct ims_worker *w)
{
    ims_err err;

    if (w->expired_ns && ims__mono_ns() - w->expired_ns < EXPIRE_NS)
        return;
    w->expired_ns = ims__mono_ns();
    if (ims_people_expire(w->engine, 0, NULL, &err))
        ims__log_err(IMS_LOG_DEBUG, &err, "%s", w->name); /* made up for in an hour */
}

static void look_for_work(struct ims_worker *w)
{
    struct ims_arena arena;
    struct ims_store_job job = { .id = 0 };
    ims_err err;

    ims__arena_init(&arena, 0);
    expire_suggestions(w);
    if (ims__mono_ns() - w->beaten_ns > IDLE_BEAT_NS) {
        w->beaten_ns = ims__mono_ns();
        if (ims_store_beat_worker(w->engine->store, w->name, &err) || settle_sessions(w, &err) ||
            ims_store_purge_jobs(w->engine->store, ims__now_us() - KEEP_ENDED_US, &err))
            ims__log_err(IMS_LOG_DEBUG, &err, "%s", w->name); /* made up for by the next beat */
    }
    if (ims_store_take_job(w->engine->store, w->name, &arena, &job, &err) == IMS_OK && job.id)
        do_job(w, &job);
    else
        usleep(LOOK_MS * 1000);
    ims__arena_release(&arena);
}

static void run_worker(void *arg)
{
    struct ims_worker *w = arg;
    ims_err err;

    ims__yield_to_others(); /* sessions that a job opens have threads of their own, which do so too: queries go first */
    while (!atomic_load(&w->is_stopping))
        look_for_work(w);
    if (ims_store_leave_worker(w->engine->store, w->name, &err))
        ims__log_err(IMS_LOG_DEBUG, &err, "%s", w->name); /* it is passed over once it beats no more */
}

/* Workers of this machine whose process is gone, or which had our name: killed. What they had at work need not wait for
 * its lease to run out. (Two machines of one name, or two containers: then a job may be done twice, which it allows.) */
static ims_status bury_dead(struct ims_worker *w, const char *hostname, ims_err *err)
{
    struct ims_store_worker *others = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_workers(w->engine->store, &arena, &others, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        bool is_dead = others[i].pid != getpid() && kill((pid_t)others[i].pid, 0) != 0 && errno == ESRCH;

        if (strcmp(others[i].name, w->name) == 0 || (is_dead && strcmp(others[i].hostname, hostname) == 0))
            st = ims_store_bury_worker(w->engine->store, others[i].name, err);
    }
    ims__arena_release(&arena);
    return st;
}

ims_status ims__worker_open(struct ims_worker **out, struct ims_engine *host, unsigned index, ims_worker_note_fn on_note,
                            void *arg, ims_err *err)
{
    struct ims_worker *w = ims__zalloc(1, sizeof(*w));
    char hostname[256] = "";
    ims_status st;

    if (!w)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "starting a worker");
    (void)gethostname(hostname, sizeof(hostname) - 1);
    snprintf(w->name, sizeof(w->name), "%.47s-%ld-%u", hostname, (long)getpid(), index);
    w->host = host;
    w->on_note = on_note;
    w->arg = arg;
    st = ims_engine_open_beside(&w->engine, host, err);
    if (!st)
        st = bury_dead(w, hostname, err);
    if (!st)
        st = ims_store_beat_worker(w->engine->store, w->name, err);
    w->beaten_ns = ims__mono_ns();
    if (!st)
        st = ims__thread_start(&w->thread, "ims-worker", run_worker, w, err);
    if (st) {
        ims__worker_close(w);
        return st;
    }
    *out = w;
    return IMS_OK;
}

void ims__worker_close(struct ims_worker *w)
{
    if (!w)
        return;
    atomic_store(&w->is_stopping, true);
    ims__thread_join(&w->thread);
    ims_engine_close(w->engine);
    ims__free(w);
}
