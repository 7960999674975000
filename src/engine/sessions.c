/* Steps of training and face sessions: events with their jobs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/sessions.h"

#include "engine/engine_internal.h"
#include "engine/people.h"
#include "store/jobs.h"
#include "store/persons.h"

#include <stdio.h>

#define MAX_ATTEMPTS 10

/* One key for each run: the job of the run before may still be on its way out. */
static void job_key(char out[60], const char *kind, int64_t id, int64_t generation)
{
    snprintf(out, 60, "%s:%lld:%lld", kind, (long long)id, (long long)generation);
}

/* The work of a run; an unfinished job of the one before is asked to end. */
static ims_status push_run(struct ims_store *s, struct ims_store_job *job, const char *kind, int64_t id, int64_t generation,
                           ims_err *err)
{
    char key[60], before[60];
    bool found;
    int64_t job_id;
    ims_status st;

    job_key(key, kind, id, generation);
    job_key(before, kind, id, generation - 1);
    job->key = key;
    job->max_attempts = MAX_ATTEMPTS;
    st = ims_store_ask_job_of(s, before, IMS_JOB_CANCEL, &found, err);
    return st ? st : ims_store_push_job(s, job, &job_id, err);
}

/* ---- training ---- */

struct step {
    struct ims_engine *e;
    int64_t id;
    ims_session_event event;
    bool is_forced, with_retry;
    const char *reason;
};

static ims_status push_training(struct ims_store *s, const struct step *x, int64_t generation, ims_err *err)
{
    char args[120];
    struct ims_store_job job = { .queue = "training-high", .func = "train", .args_json = args };

    snprintf(args, sizeof(args), "{\"session\":%lld,\"generation\":%lld,\"retryFailed\":%s}", (long long)x->id,
             (long long)generation, x->with_retry ? "true" : "false");
    return push_run(s, &job, "session", x->id, generation, err);
}

static ims_status run_start(struct ims_store *s, void *arg, ims_err *err)
{
    const struct step *x = arg;
    int64_t generation = 0;
    ims_status st = ims_store_session_event(s, x->id, IMS_SESSION_START, 0, NULL, &generation, err);

    return st ? st : push_training(s, x, generation, err);
}

ims_status ims_sessions_start(struct ims_engine *e, int64_t id, ims_err *err)
{
    struct step x = { .e = e, .id = id };

    return ims_store_transact(e->store, run_start, &x, err);
}

/* The state changes at once; the worker hears of it at its next look and stops. */
static ims_status run_stop(struct ims_store *s, void *arg, ims_err *err)
{
    const struct step *x = arg;
    int64_t generation = 0;
    char key[60];
    bool found;
    ims_status st = ims_store_session_event(s, x->id, x->event, 0, NULL, &generation, err);

    job_key(key, "session", x->id, generation);
    return st ? st : ims_store_ask_job_of(s, key, x->event == IMS_SESSION_PAUSE ? IMS_JOB_PAUSE : IMS_JOB_CANCEL, &found, err);
}

ims_status ims_sessions_pause(struct ims_engine *e, int64_t id, ims_err *err)
{
    struct step x = { .e = e, .id = id, .event = IMS_SESSION_PAUSE };

    return ims_store_transact(e->store, run_stop, &x, err);
}

ims_status ims_sessions_cancel(struct ims_engine *e, int64_t id, ims_err *err)
{
    struct step x = { .e = e, .id = id, .event = IMS_SESSION_CANCEL };

    return ims_store_transact(e->store, run_stop, &x, err);
}

/* To where RESTART is possible. */
static ims_status make_restartable(struct ims_store *s, const struct step *x, bool *out_is_fresh, ims_err *err)
{
    struct ims_store_session now;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(s, x->id, &arena, &now, err);
    *out_is_fresh = !st && now.status == IMS_SESSION_PENDING;
    if (!st && now.status == IMS_SESSION_RUNNING)
        st = ims_store_session_event(s, x->id, IMS_SESSION_CANCEL, 0, NULL, NULL, err);
    ims__arena_release(&arena);
    return st;
}

static ims_status run_restart(struct ims_store *s, void *arg, ims_err *err)
{
    struct step *x = arg;
    bool is_fresh = false;
    int64_t generation = 0;
    ims_status st = x->is_forced ? make_restartable(s, x, &is_fresh, err) : IMS_OK;

    if (!st && !is_fresh)
        st = ims_store_session_event(s, x->id, IMS_SESSION_RESTART, 0, x->reason, &generation, err);
    if (!st && generation) { /* START counts on: the run before this one is two back */
        char key[60];
        bool found;

        job_key(key, "session", x->id, generation - 1);
        st = ims_store_ask_job_of(s, key, IMS_JOB_CANCEL, &found, err);
    }
    return st ? st : run_start(s, x, err);
}

ims_status ims_sessions_restart(struct ims_engine *e, int64_t id, const char *reason, bool is_forced, ims_err *err)
{
    struct step x = { .e = e, .id = id, .reason = reason, .is_forced = is_forced, .with_retry = true };

    return ims_store_transact(e->store, run_restart, &x, err);
}

/* ---- faces ---- */

ims_status ims_face_sessions_model(struct ims_engine *e, int64_t *out_id, ims_err *err)
{
    return ims__engine_find_face_model(e, out_id, err);
}

static ims_status push_faces(struct ims_store *s, int64_t id, int64_t generation, ims_err *err)
{
    char args[80];
    struct ims_store_job job = { .queue = "default", .func = "face_session", .args_json = args };

    snprintf(args, sizeof(args), "{\"session\":%lld,\"generation\":%lld}", (long long)id, (long long)generation);
    return push_run(s, &job, "face-session", id, generation, err);
}

struct add {
    const struct ims_store_face_session *session;
    int64_t id;
};

static ims_status run_add(struct ims_store *s, void *arg, ims_err *err)
{
    struct add *x = arg;
    ims_status st = ims_store_add_face_session(s, x->session, &x->id, err);

    return st ? st : push_faces(s, x->id, 0, err);
}

ims_status ims_face_sessions_add(struct ims_engine *e, const struct ims_store_face_session *session, int64_t *out_id,
                                 ims_err *err)
{
    struct add x = { .session = session };
    ims_status st = ims_store_transact(e->store, run_add, &x, err);

    if (!st)
        *out_id = x.id;
    return st;
}

static ims_status run_face_step(struct ims_store *s, void *arg, ims_err *err)
{
    const struct ims_store_face_session_step *x = arg;
    int64_t generation = 0;
    char key[60];
    bool found;
    ims_status st = ims_store_face_session_event(s, x, &generation, err);

    if (st || x->event == IMS_FACE_SESSION_RESUME)
        return st ? st : push_faces(s, x->id, generation, err);
    job_key(key, "face-session", x->id, generation);
    return ims_store_ask_job_of(s, key, x->event == IMS_FACE_SESSION_PAUSE ? IMS_JOB_PAUSE : IMS_JOB_CANCEL, &found, err);
}

static ims_status face_step(struct ims_engine *e, int64_t id, ims_face_session_event event, ims_err *err)
{
    struct ims_store_face_session_step x = { .id = id, .event = event };
    ims_status st = ims__engine_find_face_model(e, &x.model_id, err);

    return st ? st : ims_store_transact(e->store, run_face_step, &x, err);
}

ims_status ims_face_sessions_pause(struct ims_engine *e, int64_t id, ims_err *err)
{
    return face_step(e, id, IMS_FACE_SESSION_PAUSE, err);
}

ims_status ims_face_sessions_resume(struct ims_engine *e, int64_t id, ims_err *err)
{
    return face_step(e, id, IMS_FACE_SESSION_RESUME, err);
}

ims_status ims_face_sessions_cancel(struct ims_engine *e, int64_t id, ims_err *err)
{
    return face_step(e, id, IMS_FACE_SESSION_CANCEL, err);
}

static struct ims_store_face_session defaults_for(int64_t training_session_id)
{
    return (struct ims_store_face_session){ .training_session_id = training_session_id,
                                            .min_confidence = IMS_FACE_SESSION_MIN_CONFIDENCE,
                                            .min_face_size = IMS_FACE_SESSION_MIN_FACE_PX,
                                            .batch_size = IMS_FACE_SESSION_BATCH };
}

ims_status ims__sessions_follow_up(struct ims_engine *e, int64_t training_session_id, int64_t *out_id, ims_err *err)
{
    struct ims_store_face_session now = { 0 }, next = defaults_for(training_session_id);
    struct ims_arena arena;
    ims_status st;

    *out_id = 0;
    if (!e->faces) /* the run before opened them, when there are any */
        return IMS_OK;
    ims__arena_init(&arena, 0);
    st = ims_store_face_session_of(e->store, training_session_id, 0, &arena, &now, err);
    ims__arena_release(&arena);
    return st || now.id ? st : ims_face_sessions_add(e, &next, out_id, err);
}

/* ---- starting anew ---- */

struct anew {
    struct ims_engine *e;
    int64_t id, model_id;
    bool with_persons;
    struct ims_restarted_faces *out;
};

/* The newest face session; one at work stands in the way. */
static ims_status check_anew(struct anew *x, struct ims_arena *arena, struct ims_store_face_session *out, ims_err *err)
{
    struct ims_store_session training;
    ims_status st = ims_store_session(x->e->store, x->id, arena, &training, err);

    if (!st && training.status != IMS_SESSION_COMPLETED)
        st = ims_fail(err, IMS_E_INVALID, "engine", 0, "training session %lld is %s; it must be completed first",
                      (long long)x->id, ims_session_status_name(training.status));
    if (!st)
        st = ims_store_face_session_of(x->e->store, x->id, x->model_id, arena, out, err);
    if (!st && out->id && !ims_face_session_is_over(out->status))
        st = ims_fail(err, IMS_E_CONSTRAINT, "engine", 0, "a face session of it is %s; wait for it or cancel it",
                      ims_face_session_status_name(out->status));
    return st;
}

/* What the job of the new session will take back. */
static ims_status count_anew(struct anew *x, struct ims_arena *arena, ims_err *err)
{
    struct ims_store *s = x->e->store;
    struct ims_store_session_counts pictures = { 0 };
    struct ims_store_session_faces faces = { 0 };
    int64_t *persons;
    size_t n = 0;
    ims_status st = ims_store_count_session_faces(s, x->id, x->model_id, &faces, err);

    if (!st)
        st = ims_store_count_session(s, x->id, "faces", x->model_id, &pictures, err);
    if (!st && x->with_persons)
        st = ims_store_automatic_persons(s, x->id, x->model_id, INT64_MAX, arena, &persons, &n, err);
    x->out->pictures = pictures.done + pictures.failed;
    x->out->by_hand = faces.by_hand;
    x->out->reset = faces.automatic;
    x->out->suggestions = faces.pending;
    x->out->persons_deleted = (int64_t)n;
    return st;
}

static ims_status run_faces_anew(struct ims_store *s, void *arg, ims_err *err)
{
    struct anew *x = arg;
    struct ims_store_face_session now = { 0 }, next = defaults_for(x->id);
    struct ims_arena arena;
    ims_status st;

    (void)s;
    *x->out = (struct ims_restarted_faces){ 0 };
    next.takes_back = x->with_persons ? IMS_FACE_SESSION_TAKES_PERSONS : IMS_FACE_SESSION_TAKES_ASSIGNMENTS;
    ims__arena_init(&arena, 0);
    st = check_anew(x, &arena, &now, err);
    if (!st)
        st = count_anew(x, &arena, err);
    if (!st)
        st = ims_face_sessions_add(x->e, &next, &x->out->face_session_id, err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_sessions_restart_faces(struct ims_engine *e, int64_t id, bool with_persons, struct ims_restarted_faces *out,
                                      ims_err *err)
{
    struct anew x = { .e = e, .id = id, .with_persons = with_persons, .out = out };
    ims_status st = ims__engine_find_face_model(e, &x.model_id, err);

    return st ? st : ims_store_transact(e->store, run_faces_anew, &x, err);
}

static ims_status run_clusters_anew(struct ims_store *s, void *arg, ims_err *err)
{
    struct anew *x = arg;
    struct ims_store_face_session now = { 0 }, next = defaults_for(x->id);
    struct ims_store_session_faces counts = { 0 };
    struct ims_arena arena;
    ims_status st;

    *x->out = (struct ims_restarted_faces){ 0 };
    ims__arena_init(&arena, 0);
    st = check_anew(x, &arena, &now, err);
    if (!st && (!now.id || now.status != IMS_FACE_SESSION_COMPLETED))
        st = ims_fail(err, IMS_E_INVALID, "engine", 0, "its faces were not looked for to the end; restart the faces first");
    if (!st && now.faces == 0)
        st = ims_fail(err, IMS_E_INVALID, "engine", 0, "no face was found in its pictures");
    if (!st)
        st = ims_store_count_session_faces(s, x->id, x->model_id, &counts, err);
    next.min_confidence = now.min_confidence;
    next.min_face_size = now.min_face_size;
    next.batch_size = now.batch_size;
    next.is_anew = true;
    if (!st)
        st = ims_face_sessions_add(x->e, &next, &x->out->face_session_id, err);
    x->out->by_hand = counts.by_hand;
    x->out->reset = counts.faces - counts.by_hand - counts.automatic;
    ims__arena_release(&arena);
    return st;
}

ims_status ims_sessions_restart_clustering(struct ims_engine *e, int64_t id, struct ims_restarted_faces *out, ims_err *err)
{
    struct anew x = { .e = e, .id = id, .out = out };
    ims_status st = ims__engine_find_face_model(e, &x.model_id, err);

    return st ? st : ims_store_transact(e->store, run_clusters_anew, &x, err);
}
