/* The loop of a background worker, and the jobs it knows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/engine_internal.h"
#include "store/jobs.h"
#include "store/sessions.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 250            /* between two looks for a job when there is none */
#define BEAT_NS ((uint64_t)2000000000)
#define IDLE_BEAT_NS ((uint64_t)30000000000)
#define KEEP_ENDED_US ((int64_t)7 * 24 * 3600 * 1000000)

struct ims_worker {
    struct ims_engine *host, *engine;
    struct ims_thread thread;
    ims_worker_note_fn on_note;
    void *arg;
    char name[80];
    atomic_bool is_stopping;
    uint64_t beaten_ns;
};

/* A job at work. */
struct task {
    struct ims_worker *worker;
    const struct ims_store_job *job;
    const ims_json *args;
    ims_store_wish wish;
    bool is_lost; /* the lease: somebody else has the job */
    uint64_t beaten_ns;
    char *result; /* JSON; owned */
};

/* Tells and listens; false when the job should stop. Cheap to call often. */
static bool beat(struct task *t, const char *progress_json)
{
    struct ims_worker *w = t->worker;
    ims_err err;

    if (atomic_load(&w->is_stopping) || t->is_lost || t->wish != IMS_JOB_GO_ON)
        return false;
    if (ims__mono_ns() - t->beaten_ns < BEAT_NS)
        return true;
    t->beaten_ns = ims__mono_ns();
    /* A beat that fails for another reason (busy, a lost connection) is made up for by the next one. */
    if (ims_store_beat_job(w->engine->store, w->name, t->job->id, progress_json, &t->wish, &err) == IMS_E_NOT_FOUND)
        t->is_lost = true;
    return !t->is_lost && t->wish == IMS_JOB_GO_ON;
}

/* ---- ingest: {path} ---- */

static bool on_index_progress(void *arg, const struct ims_index_progress *p)
{
    struct task *t = arg;
    char text[400];

    snprintf(text, sizeof(text),
             "{\"phase\":\"%s\",\"current\":%llu,\"total\":%llu,\"failed\":%llu,\"rate\":%.3f,\"etaSeconds\":%.0f,"
             "\"message\":\"%llu of %llu pictures\"}",
             p->is_walking ? "discovering" : "running", (unsigned long long)p->done, (unsigned long long)p->total,
             (unsigned long long)p->failed, p->rate, p->eta_s < 0 ? -1 : p->eta_s, (unsigned long long)p->done,
             (unsigned long long)p->total);
    return beat(t, text);
}

static ims_status run_ingest(struct task *t, ims_err *err)
{
    const char *dir = ims__json_str(ims__json_get(t->args, "path"), NULL);
    struct ims_index_options o = { .dirs = &dir, .n_dirs = 1, .on_progress = on_index_progress, .arg = t };
    struct ims_index_summary s;
    ims_status st;

    if (!dir)
        return ims_fail(err, IMS_E_INVALID, "engine", 0, "the job names no path");
    st = ims_engine_index(t->worker->engine, &o, &s, err);
    if (st)
        return st;
    if (s.is_cancelled)
        return ims_fail(err, IMS_E_CANCELLED, "engine", 0, "stopped after %llu pictures", (unsigned long long)s.processed);
    t->result = ims__strfmt("{\"processed\":%llu,\"errors\":%llu,\"unchanged\":%llu,\"elapsedSeconds\":%.3f}",
                            (unsigned long long)s.processed, (unsigned long long)s.errors,
                            (unsigned long long)s.unchanged, s.elapsed_s);
    return IMS_OK;
}

/* ---- train: {session, generation} ---- */

/* What a session is about: its selected subdirectories, else its root. Strings live in arena. */
static ims_status session_folders(struct ims_worker *w, const struct ims_store_session *session, struct ims_arena *arena,
                                  const char ***out, size_t *out_n, ims_err *err)
{
    struct ims_store_subdirectory *subs;
    const char **folders;
    size_t n_subs = 0, n = 0;
    ims_status st = ims_store_subdirectories(w->engine->store, session->id, arena, &subs, &n_subs, err);

    if (st)
        return st;
    folders = ims__arena_alloc(arena, n_subs + 1, sizeof(*folders));
    if (!folders)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "the folders of a session");
    for (size_t i = 0; i < n_subs; i++) {
        if (subs[i].is_selected)
            folders[n++] = subs[i].path;
    }
    if (n == 0)
        folders[n++] = session->root_path;
    *out = folders;
    *out_n = n;
    return IMS_OK;
}

struct train {
    struct task *task;
    int64_t id, generation;
    bool is_told; /* that its pictures are known */
};

static ims_status report(struct train *t, ims_session_event event, const char *text, ims_err *err)
{
    return ims_store_session_event(t->task->worker->engine->store, t->id, event, t->generation, text, NULL, err);
}

/* The session hears at once when the walk is over; one that is paused or cancelled meanwhile refuses it. */
static bool on_train_progress(void *arg, const struct ims_index_progress *p)
{
    struct train *t = arg;
    ims_err err;

    if (!p->is_walking && !t->is_told && p->found > 0) {
        ims_status st = report(t, IMS_SESSION_DISCOVERED, NULL, &err);

        t->is_told = st == IMS_OK;
        if (st == IMS_E_CANCELLED && !t->is_told)
            t->is_told = true; /* it runs already: the rest of a paused one */
    }
    return on_index_progress(t->task, p);
}

static ims_status index_session(struct train *t, const char **folders, size_t n, struct ims_index_summary *s, ims_err *err)
{
    struct ims_index_options o = { .dirs = folders, .n_dirs = n, .on_progress = on_train_progress, .arg = t };

    o.retry_failed = ims__json_bool(ims__json_get(t->task->args, "retryFailed"), false);
    return ims_engine_index(t->task->worker->engine, &o, s, err);
}

/* How the run ended, told to the session. A session that is no longer this run's says so and nothing is written. */
static ims_status end_session(struct train *t, ims_status st, const struct ims_index_summary *s, ims_err *err)
{
    ims_err refused = { 0 };

    if (st == IMS_E_CANCELLED || (st && ims_status_is_retryable(st)))
        return st; /* paused, cancelled, shut down, or tried again: the session's state stands */
    if (!st && s->found && !t->is_told && report(t, IMS_SESSION_DISCOVERED, NULL, &refused) == IMS_E_DB)
        return ims_fail(err, IMS_E_DB, "engine", 0, "%s", refused.text);
    if (st || !s->found) {
        if (report(t, IMS_SESSION_BROKEN, st ? err->text : "there are no pictures below its folders", &refused))
            return IMS_E_CANCELLED;
        return st ? st : ims_fail(err, IMS_E_NOT_FOUND, "engine", 0, "session %lld has no pictures", (long long)t->id);
    }
    return report(t, IMS_SESSION_DONE, NULL, err);
}

static ims_status run_train(struct task *task, ims_err *err)
{
    struct train t = { .task = task,
                       .id = ims__json_int(ims__json_get(task->args, "session"), 0),
                       .generation = ims__json_int(ims__json_get(task->args, "generation"), 0) };
    struct ims_index_summary s = { 0 };
    struct ims_store_session session;
    struct ims_arena arena;
    const char **folders = NULL;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(task->worker->engine->store, t.id, &arena, &session, err);
    if (!st && session.generation != t.generation)
        st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "session %lld was started anew", (long long)t.id);
    if (!st)
        st = session_folders(task->worker, &session, &arena, &folders, &n, err);
    if (!st) {
        st = index_session(&t, folders, n, &s, err);
        if (!st && s.is_cancelled)
            st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "stopped");
        st = end_session(&t, st, &s, err);
    }
    if (!st)
        task->result = ims__strfmt("{\"processed\":%llu,\"errors\":%llu,\"unchanged\":%llu}",
                                   (unsigned long long)s.processed, (unsigned long long)s.errors,
                                   (unsigned long long)s.unchanged);
    ims__arena_release(&arena);
    return st;
}

/* ---- the loop ---- */

static const struct {
    const char *func;
    ims_status (*run)(struct task *t, ims_err *err);
} handlers[] = {
    { "ingest", run_ingest },
    { "train", run_train },
};

static ims_status run_job(struct task *t, ims_err *err)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(handlers); i++) {
        if (strcmp(handlers[i].func, t->job->func) == 0)
            return handlers[i].run(t, err);
    }
    return ims_fail(err, IMS_E_UNSUPPORTED, "engine", 0, "no worker of this version knows the job %s", t->job->func);
}

static ims_store_outcome outcome_of(const struct task *t, ims_status st)
{
    if (!st)
        return IMS_JOB_FINISHED;
    if (st == IMS_E_CANCELLED) /* at a shutdown it is taken up again; else somebody wanted it to end */
        return t->wish == IMS_JOB_GO_ON && atomic_load(&t->worker->is_stopping) ? IMS_JOB_GIVEN_BACK : IMS_JOB_CANCELED;
    return ims_status_is_retryable(st) || st == IMS_E_DB ? IMS_JOB_TRY_AGAIN : IMS_JOB_FAILED;
}

static void do_job(struct ims_worker *w, const struct ims_store_job *job)
{
    struct task t = { .worker = w, .job = job, .beaten_ns = ims__mono_ns() };
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

static void look_for_work(struct ims_worker *w)
{
    struct ims_arena arena;
    struct ims_store_job job = { .id = 0 };
    ims_err err;

    ims__arena_init(&arena, 0);
    if (ims__mono_ns() - w->beaten_ns > IDLE_BEAT_NS) {
        w->beaten_ns = ims__mono_ns();
        if (ims_store_beat_worker(w->engine->store, w->name, &err) ||
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

    while (!atomic_load(&w->is_stopping))
        look_for_work(w);
    if (ims_store_leave_worker(w->engine->store, w->name, &err))
        ims__log_err(IMS_LOG_DEBUG, &err, "%s", w->name); /* it is passed over once it beats no more */
}

ims_status ims__worker_open(struct ims_worker **out, struct ims_engine *host, unsigned index, ims_worker_note_fn on_note,
                            void *arg, ims_err *err)
{
    struct ims_worker *w = ims__zalloc(1, sizeof(*w));
    char hostname[48] = "";
    ims_status st;

    if (!w)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "starting a worker");
    (void)gethostname(hostname, sizeof(hostname) - 1);
    snprintf(w->name, sizeof(w->name), "%s-%ld-%u", hostname, (long)getpid(), index);
    w->host = host;
    w->on_note = on_note;
    w->arg = arg;
    st = ims_engine_open_beside(&w->engine, host, err);
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
