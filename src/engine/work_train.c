/* The job "train": one run of a training session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"
#include "engine/folders.h"
#include "engine/sessions.h"
#include "engine/work.h"
#include "store/persons.h"
#include "store/sessions.h"

#include <string.h>

ims_status ims__session_folders(struct ims_engine *e, int64_t session_id, struct ims_arena *arena, const char ***out,
                                size_t *out_n, ims_err *err)
{
    struct ims_store_subdirectory *subs;
    struct ims_store_session session;
    const char **folders;
    size_t n_subs = 0, n = 0;
    ims_status st = ims_store_session(e->store, session_id, arena, &session, err);

    if (!st)
        st = ims_store_subdirectories(e->store, session_id, arena, &subs, &n_subs, err);
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
        folders[n++] = session.root_path;
    *out = folders;
    *out_n = n;
    return IMS_OK;
}

struct train {
    struct ims_task *task;
    struct ims_store_session session;
    int64_t id, generation;
    bool is_told; /* that its pictures are known */
};

/* A session that was deleted meanwhile wants to hear nothing more. */
static ims_status report(struct train *t, ims_session_event event, const char *text, ims_err *err)
{
    ims_status st = ims_store_session_event(t->task->engine->store, t->id, event, t->generation, text, NULL, err);

    return st == IMS_E_NOT_FOUND ? IMS_E_CANCELLED : st;
}

/* The session hears at once when the walk is over; one that is paused or cancelled meanwhile refuses it. */
static bool on_train_progress(void *arg, const struct ims_index_progress *p)
{
    struct train *t = arg;
    ims_err err;

    if (!p->is_walking && !t->is_told && p->found > 0) {
        ims_status st = report(t, IMS_SESSION_DISCOVERED, NULL, &err);

        t->is_told = st == IMS_OK || st == IMS_E_CANCELLED; /* refused: it runs already, the rest of a paused one */
    }
    return ims__task_on_index(t->task, p);
}

static ims_status read_config(const struct train *t, struct ims_arena *arena, struct ims_index_options *o, ims_err *err)
{
    const char *text = t->session.config_json;
    ims_json *config = NULL;
    ims_status st = text ? ims__json_parse(&config, text, strlen(text), "the session's configuration", err) : IMS_OK;

    if (!st)
        st = ims__index_config(config, arena, o, err);
    ims__json_free(config);
    return st;
}

static ims_status index_session(struct train *t, struct ims_arena *arena, struct ims_index_summary *s, ims_err *err)
{
    struct ims_index_options o = { .session_id = t->id, .on_progress = on_train_progress, .arg = t };
    const char **folders;
    ims_status st = ims__session_folders(t->task->engine, t->id, arena, &folders, &o.n_dirs, err);

    if (st)
        return st;
    o.dirs = folders;
    st = read_config(t, arena, &o, err);
    if (st)
        return st;
    o.retry_failed = ims__json_bool(ims__json_get(t->task->args, "retryFailed"), false);
    st = ims_engine_index(t->task->engine, &o, s, err);
    return !st && s->is_cancelled ? ims_fail(err, IMS_E_CANCELLED, "engine", 0, "stopped") : st;
}

/* The session is completed and the faces' session is there, or neither. */
static ims_status run_done(struct ims_store *s, void *arg, ims_err *err)
{
    struct train *t = arg;
    struct ims_store_session_counts c = { 0 };
    int64_t id;
    ims_status st = report(t, IMS_SESSION_DONE, NULL, err);

    if (!st)
        st = ims_store_count_session(s, t->id, IMS_TASK_CLIP, t->task->engine->model_id, &c, err);
    if (!st)
        st = ims_store_keep_session_counts(s, t->id, &c, err);
    return st ? st : ims__sessions_follow_up(t->task->engine, t->id, &id, err);
}

/* How the run ended, told to the session. A session that is no longer this run's says so and nothing is written. */
static ims_status end_session(struct train *t, ims_status st, const struct ims_index_summary *s, ims_err *err)
{
    ims_err refused = { 0 };

    if (ims__task_goes_on(t->task, st))
        return st; /* paused, cancelled, shut down, or tried again: the session's state stands */
    if (!st && s->found && !t->is_told && report(t, IMS_SESSION_DISCOVERED, NULL, &refused) == IMS_E_DB)
        return ims_fail(err, IMS_E_DB, "engine", 0, "%s", refused.text);
    if (st || !s->found) {
        if (report(t, IMS_SESSION_BROKEN, st ? err->text : "there are no pictures below its folders", &refused))
            return IMS_E_CANCELLED;
        return st ? st : ims_fail(err, IMS_E_NOT_FOUND, "engine", 0, "session %lld has no pictures", (long long)t->id);
    }
    return ims_store_transact(t->task->engine->store, run_done, t, err);
}

static ims_status begin(struct train *t, struct ims_arena *arena, ims_err *err)
{
    ims_status st = ims_store_session(t->task->engine->store, t->id, arena, &t->session, err);

    if (st == IMS_E_NOT_FOUND)
        return ims_fail(err, IMS_E_CANCELLED, "engine", 0, "session %lld is gone", (long long)t->id);
    if (!st && t->session.generation != t->generation)
        st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "session %lld was started anew", (long long)t->id);
    if (!st && t->session.status != IMS_SESSION_DISCOVERING && t->session.status != IMS_SESSION_RUNNING)
        st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "session %lld is %s", (long long)t->id,
                      ims_session_status_name(t->session.status));
    return st;
}

ims_status ims__work_train(struct ims_task *task, ims_err *err)
{
    struct train t = { .task = task,
                       .id = ims__json_int(ims__json_get(task->args, "session"), 0),
                       .generation = ims__json_int(ims__json_get(task->args, "generation"), 0) };
    struct ims_index_summary s = { 0 };
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = begin(&t, &arena, err);
    if (!st) {
        st = index_session(&t, &arena, &s, err);
        st = end_session(&t, st, &s, err);
    }
    if (!st)
        task->result = ims__strfmt("{\"processed\":%llu,\"errors\":%llu,\"unchanged\":%llu}",
                                   (unsigned long long)s.processed, (unsigned long long)s.errors,
                                   (unsigned long long)s.unchanged);
    ims__arena_release(&arena);
    return st;
}
