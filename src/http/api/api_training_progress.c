/* How far training sessions are: the run itself, and the run with the faces that follow it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/engine_parts.h"
#include "engine/sessions.h"
#include "http/api/api.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

/* What each phase counts for; faces are found in the same pass as vectors where that is possible, so these are the
 * shares that clients know, not times. */
#define SHARE_TRAINING 0.30
#define SHARE_FACES 0.65
#define SHARE_CLUSTERING 0.05

/* The speed of a job as it was measured over the last seconds; 0 and -1 = unknown. */
struct speed {
    double per_s, eta_s;
};

static struct speed speed_of(struct ims_http_context *cx, const char *kind, int64_t id, int64_t generation)
{
    struct speed s = { 0, -1 };
    struct ims_store_job job;
    struct ims_arena arena;
    ims_json *progress = NULL;
    char key[60];

    snprintf(key, sizeof(key), "%s:%lld:%lld", kind, (long long)id, (long long)generation);
    ims__arena_init(&arena, 0);
    if (ims_store_job_of(cx->store, key, &arena, &job, NULL) == IMS_OK && job.progress_json &&
        strcmp(job.state, "started") == 0 &&
        ims__json_parse(&progress, job.progress_json, strlen(job.progress_json), "progress", NULL) == IMS_OK) {
        s.per_s = ims__in_num(progress, "rate", 0);
        s.eta_s = ims__in_num(progress, "etaSeconds", -1);
    }
    ims__json_free(progress);
    ims__arena_release(&arena);
    return s;
}

static double round2(double x)
{
    return (double)(int64_t)(x * 100 + 0.5) / 100;
}

/* 0..100 */
static double percent_of(int64_t current, int64_t total)
{
    double p = total > 0 ? 100.0 * (double)current / (double)total : 0;

    return p > 100 ? 100 : p;
}

static bool put_speed(ims_json *o, struct speed s)
{
    return (s.eta_s >= 0 ? ims__put_int(o, "etaSeconds", (int64_t)s.eta_s) : ims__put_null(o, "etaSeconds")) &&
           (s.per_s > 0 ? ims__put_num(o, "imagesPerMinute", round2(s.per_s * 60)) : ims__put_null(o, "imagesPerMinute"));
}

/* ---- the run ---- */

static ims_json *progress_json(const struct ims_store_session *s, const struct ims_store_session_counts *c, struct speed speed)
{
    ims_json *o = ims__json_new_object();
    int64_t current = c->done + c->failed;
    double percent = s->status == IMS_SESSION_COMPLETED ? 100 : percent_of(current, c->assets);

    return ims__whole(o, ims__put_int(o, "current", current) && ims__put_int(o, "total", c->assets) &&
                             ims__put_num(o, "percentage", round2(percent)) && put_speed(o, speed) &&
                             ims__put_int(o, "unique", c->unique) && ims__put_int(o, "skipped", c->skipped));
}

static ims_json *summary_json(const struct ims_store_session *s, const struct ims_store_session_counts *c)
{
    ims_json *o = ims__json_new_object();
    int64_t left = c->assets - c->done - c->failed;
    bool is_cancelled = s->status == IMS_SESSION_CANCELLED;

    return ims__whole(o, ims__put_int(o, "pending", is_cancelled ? 0 : left) && ims__put_int(o, "running", 0) &&
                             ims__put_int(o, "completed", c->done - c->skipped) && ims__put_int(o, "failed", c->failed) &&
                             ims__put_int(o, "cancelled", is_cancelled ? left : 0) && ims__put_int(o, "skipped", c->skipped));
}

static bool is_at_work(const struct ims_store_session *s)
{
    return s->status == IMS_SESSION_RUNNING || s->status == IMS_SESSION_DISCOVERING;
}

IMS_API_HANDLER(ims__api_session_progress)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);
    struct ims_store_session_counts c = { 0 };
    struct ims_store_session s;
    struct speed speed = { 0, -1 };
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, id, &arena, &s, err);
    if (!st)
        st = ims_engine_count_done(cx->engine, &s, &c, err);
    if (!st) {
        if (is_at_work(&s))
            speed = speed_of(cx, "session", id, s.generation);
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_int(o, "sessionId", id) &&
                                               ims__put_str(o, "status", ims_session_status_name(s.status)) &&
                                               ims__put(o, "progress", progress_json(&s, &c, speed)) &&
                                               ims__put(o, "jobsSummary", summary_json(&s, &c))),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}

/* ---- the run and its faces ---- */

struct unified {
    struct ims_store_session s;
    struct ims_store_session_counts c;
    struct ims_store_face_session f; /* the newest; id 0 = none */
    struct speed training, faces;
    bool is_without_faces; /* the run is complete, and nothing is to follow: there are no face models */
};

static bool are_faces_done(const struct unified *u)
{
    return u->is_without_faces || (u->f.id && u->f.status == IMS_FACE_SESSION_COMPLETED);
}

static bool are_faces_at_work(const struct unified *u)
{
    return u->f.id && (u->f.status == IMS_FACE_SESSION_PENDING || u->f.status == IMS_FACE_SESSION_PROCESSING);
}

static const char *training_status(const struct unified *u)
{
    return u->s.status == IMS_SESSION_DISCOVERING ? "running" : ims_session_status_name(u->s.status);
}

static const char *faces_status(const struct unified *u)
{
    return are_faces_done(u) ? "completed" : u->f.id ? ims_face_session_status_name(u->f.status) : "pending";
}

static const char *clustering_status(const struct unified *u)
{
    return are_faces_done(u) ? "completed" : u->f.status == IMS_FACE_SESSION_PROCESSING ? "running" : "pending";
}

static double training_percent(const struct unified *u)
{
    return u->s.status == IMS_SESSION_COMPLETED ? 100 : percent_of(u->c.done + u->c.failed, u->c.assets);
}

static double faces_percent(const struct unified *u)
{
    return are_faces_done(u) ? 100 : percent_of(u->f.processed + u->f.failed, u->f.images);
}

/* A run that looks for pictures still counts as running, so that clients go on asking. */
static const char *overall_status(const struct unified *u)
{
    if (u->s.status == IMS_SESSION_COMPLETED && are_faces_done(u))
        return "completed";
    if (u->s.status == IMS_SESSION_FAILED || (u->f.id && u->f.status == IMS_FACE_SESSION_FAILED))
        return "failed";
    return is_at_work(&u->s) || are_faces_at_work(u) ? "running" : "pending";
}

static const char *current_phase(const struct unified *u)
{
    if (u->s.status == IMS_SESSION_COMPLETED)
        return are_faces_done(u) ? "completed" : "face_detection";
    return u->s.status == IMS_SESSION_DISCOVERING ? "discovering" : "training";
}

static ims_json *phase_json(const char *name, const char *status, ims_json *take_progress, int64_t started_us,
                            int64_t completed_us)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_str(o, "name", name) && ims__put_str(o, "status", status) &&
                             ims__put(o, "progress", take_progress) && ims__put_time(o, "startedAt", started_us) &&
                             ims__put_time(o, "completedAt", completed_us));
}

static ims_json *plain_progress(int64_t current, int64_t total, double percent, struct speed speed)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_int(o, "current", current) && ims__put_int(o, "total", total) &&
                             ims__put_num(o, "percentage", round2(percent)) && put_speed(o, speed) &&
                             ims__put_null(o, "unique") && ims__put_null(o, "skipped"));
}

static ims_json *faces_json(const struct unified *u)
{
    return phase_json("face_detection", faces_status(u),
                      plain_progress(u->f.processed + u->f.failed, u->f.images, faces_percent(u), u->faces), u->f.started_us,
                      u->f.completed_us);
}

/* Clients read faceDetection or face_detection. */
static ims_json *phases_json(const struct unified *u)
{
    const struct speed none = { 0, -1 };
    int64_t done = are_faces_done(u);
    ims_json *o = ims__json_new_object();

    return ims__whole(
        o, ims__put(o, "training",
                    phase_json("training", training_status(u), progress_json(&u->s, &u->c, u->training), u->s.started_us,
                               u->s.completed_us)) &&
               ims__put(o, "faceDetection", faces_json(u)) && ims__put(o, "face_detection", faces_json(u)) &&
               ims__put(o, "clustering",
                        phase_json("clustering", clustering_status(u), plain_progress(done, 1, done ? 100 : 0, none),
                                   u->f.started_us, u->f.completed_us)));
}

/* As measured, of the phase that is at work; unknown otherwise. */
static ims_json *overall_json(const struct unified *u)
{
    double eta = is_at_work(&u->s) ? u->training.eta_s : are_faces_at_work(u) ? u->faces.eta_s : -1;
    double percent = SHARE_TRAINING * training_percent(u) + SHARE_FACES * faces_percent(u) +
                     SHARE_CLUSTERING * (are_faces_done(u) ? 100 : 0);
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_num(o, "percentage", round2(percent > 100 ? 100 : percent)) &&
                             (eta >= 0 ? ims__put_int(o, "etaSeconds", (int64_t)eta) : ims__put_null(o, "etaSeconds")) &&
                             ims__put_str(o, "currentPhase", current_phase(u)));
}

static ims_status look(struct ims_http_context *cx, int64_t id, struct ims_arena *arena, struct unified *u, ims_err *err)
{
    int64_t model_id = 0;
    ims_status st = ims_store_session(cx->store, id, arena, &u->s, err);

    if (!st)
        st = ims_engine_count_done(cx->engine, &u->s, &u->c, err);
    if (!st)
        st = ims_face_sessions_model(cx->engine, &model_id, err);
    if (!st)
        st = ims_store_face_session_of(cx->store, id, model_id, arena, &u->f, err);
    if (st)
        return st;
    u->training = u->faces = (struct speed){ 0, -1 };
    if (is_at_work(&u->s))
        u->training = speed_of(cx, "session", id, u->s.generation);
    if (u->f.status == IMS_FACE_SESSION_PROCESSING)
        u->faces = speed_of(cx, "face-session", u->f.id, u->f.generation);
    u->is_without_faces = u->s.status == IMS_SESSION_COMPLETED && !u->f.id;
    return IMS_OK;
}

IMS_API_HANDLER(ims__api_session_progress_unified)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);
    struct unified u = { 0 };
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = look(cx, id, &arena, &u, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_int(o, "sessionId", id) &&
                                               ims__put_str(o, "overallStatus", overall_status(&u)) &&
                                               ims__put(o, "overallProgress", overall_json(&u)) &&
                                               ims__put(o, "phases", phases_json(&u))),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}
