/* The job "train": one run of a training session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"
#include "engine/work.h"
#include "store/sessions.h"

/* What a session is about: its selected subdirectories, else its root. Strings live in arena. */
static ims_status session_folders(struct ims_engine *e, const struct ims_store_session *session, struct ims_arena *arena,
                                  const char ***out, size_t *out_n, ims_err *err)
{
    struct ims_store_subdirectory *subs;
    const char **folders;
    size_t n_subs = 0, n = 0;
    ims_status st = ims_store_subdirectories(e->store, session->id, arena, &subs, &n_subs, err);

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
    struct ims_task *task;
    int64_t id, generation;
    bool is_told; /* that its pictures are known */
};

static ims_status report(struct train *t, ims_session_event event, const char *text, ims_err *err)
{
    return ims_store_session_event(t->task->engine->store, t->id, event, t->generation, text, NULL, err);
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
    return ims__task_on_index(t->task, p);
}

static ims_status index_session(struct train *t, const char **folders, size_t n, struct ims_index_summary *s, ims_err *err)
{
    struct ims_index_options o = { .dirs = folders, .n_dirs = n, .on_progress = on_train_progress, .arg = t };

    o.retry_failed = ims__json_bool(ims__json_get(t->task->args, "retryFailed"), false);
    return ims_engine_index(t->task->engine, &o, s, err);
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

ims_status ims__work_train(struct ims_task *task, ims_err *err)
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
    st = ims_store_session(task->engine->store, t.id, &arena, &session, err);
    if (!st && session.generation != t.generation)
        st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "session %lld was started anew", (long long)t.id);
    if (!st)
        st = session_folders(task->engine, &session, &arena, &folders, &n, err);
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
