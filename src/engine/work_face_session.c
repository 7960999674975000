/* The job "face_session": what is to be decided anew is taken back, faces of pictures are found, told whose they are, and
 * grouped.
 *
 * Each step may be done again: pictures that were looked at are done in the database, what was told and grouped is
 * told and grouped the same, and only what is older than the session is taken back. So a job that is paused, or whose worker dies, goes on where it was.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/clusters.h"
#include "engine/engine_internal.h"
#include "engine/people.h"
#include "engine/work.h"
#include "store/face_sessions.h"

#include <stdio.h>
#include <string.h>

#define FACES_AT_A_TIME 2000 /* in one transaction, during which nobody else writes */
#define MAX_LOOKS 5          /* for what is to be taken back, while somebody else changes it */

struct run {
    struct ims_task *task;
    struct ims_store_face_session session;
    struct ims_arena arena;
    const char **folders;
    size_t n_folders;
    struct ims_people_match match;
    struct ims_clusters_result groups;
};

static ims_status report(struct run *r, ims_face_session_event event, const char *text, ims_err *err)
{
    struct ims_engine *e = r->task->engine;
    struct ims_store_face_session_step step = {
        .id = r->session.id, .event = event, .generation = r->session.generation, .text = text
    };
    ims_status st = ims__engine_find_face_model(e, &step.model_id, err);

    if (!st)
        st = ims_store_face_session_event(e->store, &step, NULL, err);
    return st == IMS_E_NOT_FOUND ? IMS_E_CANCELLED : st; /* deleted meanwhile: it wants to hear nothing more */
}

/* ---- taking back ---- */

static const struct ims_people_by by_restart = { .actor = "restart", .note = "faces of a session were started anew" };

static ims_status beat(struct run *r, size_t done, size_t total, ims_err *err)
{
    char text[160];

    snprintf(text, sizeof(text), "{\"phase\":\"taking back\",\"current\":%zu,\"total\":%zu}", done, total);
    return ims__task_beat(r->task, text) ? IMS_OK : ims_fail(err, IMS_E_CANCELLED, "engine", 0, "stopped");
}

static ims_status delete_persons(struct run *r, int64_t model_id, ims_err *err)
{
    struct ims_engine *e = r->task->engine;
    int64_t *ids = NULL;
    size_t n = 0;
    ims_status st = ims_store_automatic_persons(e->store, r->session.training_session_id, model_id, r->session.created_us,
                                                &r->arena, &ids, &n, err);

    for (size_t i = 0; !st && i < n; i++) {
        st = ims_people_delete(e, &by_restart, ids[i], NULL, err);
        if (!st)
            st = beat(r, i + 1, n, err);
    }
    return st;
}

/* Person by person, as they were told: each is an event that can be undone. */
static ims_status take_back_faces(struct run *r, int64_t model_id, ims_err *err)
{
    struct ims_engine *e = r->task->engine;
    struct ims_store_automatic_face *faces = NULL;
    int64_t ids[FACES_AT_A_TIME];
    size_t n = 0;
    ims_status st = ims_store_automatic_faces(e->store, r->session.training_session_id, model_id, r->session.created_us,
                                              &r->arena, &faces, &n, err);

    for (size_t i = 0; !st && i < n;) {
        int64_t person_id = faces[i].person_id;
        size_t some = 0;

        for (; i < n && some < FACES_AT_A_TIME && faces[i].person_id == person_id; i++)
            ids[some++] = faces[i].face_id;
        st = ims_people_remove(e, &by_restart, ids, some, person_id, false, NULL, NULL, err);
        if (!st)
            st = beat(r, i, n, err);
    }
    return st;
}

/* First the pictures, so that progress begins at nothing. */
static ims_status take_back(struct run *r, ims_err *err)
{
    struct ims_store *s = r->task->engine->store;
    const struct ims_store_face_session *x = &r->session;
    int64_t model_id = 0;
    ims_status st;

    if (x->takes_back == IMS_FACE_SESSION_TAKES_NOTHING)
        return IMS_OK;
    st = ims__engine_find_face_model(r->task->engine, &model_id, err);
    if (!st)
        st = ims_store_forget_face_scans(s, x->training_session_id, model_id, x->created_us, err);
    if (!st)
        st = ims_store_expire_session_suggestions(s, x->training_session_id, model_id, x->created_us, err);
    if (st)
        return st;
    for (int i = 0; i < MAX_LOOKS; i++) {
        st = x->takes_back == IMS_FACE_SESSION_TAKES_PERSONS ? delete_persons(r, model_id, err) : IMS_OK;
        if (!st)
            st = take_back_faces(r, model_id, err);
        if (st != IMS_E_NOT_FOUND && st != IMS_E_CONSTRAINT) /* a face or a person that has gone since it was listed */
            break;
    }
    return st;
}

/* ---- the steps ---- */

static ims_status detect(struct run *r, ims_err *err)
{
    struct ims_index_options o = { .dirs = r->folders,
                                   .n_dirs = r->n_folders,
                                   .session_id = r->session.training_session_id,
                                   .min_face_score = r->session.min_confidence,
                                   .min_face_px = (unsigned)r->session.min_face_size,
                                   .on_progress = ims__task_on_index,
                                   .arg = r->task };
    struct ims_index_summary s;
    ims_status st = ims_engine_detect_faces(r->task->engine, IMS_FACES_MISSING, &o, &s, err);

    return !st && s.is_cancelled ? ims_fail(err, IMS_E_CANCELLED, "engine", 0, "stopped") : st;
}

static bool on_cluster(void *arg, const char *phase, double fraction)
{
    char text[160];

    snprintf(text, sizeof(text), "{\"phase\":\"clustering\",\"current\":%d,\"total\":100,\"message\":\"%s\"}",
             (int)(fraction * 100), phase);
    return ims__task_beat(arg, text);
}

static ims_status tell_people(struct run *r, ims_err *err)
{
    const struct ims_people_by by = { .actor = "face session", .note = NULL };
    struct ims_clusters_options o = { .eps = -1,
                                      .min_quality = -1,
                                      .merge_similarity = -1,
                                      .person_threshold = -1,
                                      .is_anew = r->session.is_anew,
                                      .on_progress = on_cluster,
                                      .arg = r->task };
    ims_status st;

    r->match = (struct ims_people_match){ .is_after_indexing = true, .on_progress = ims__task_on_match, .arg = r->task };
    st = ims_people_match(r->task->engine, &by, &r->match, err);
    return st ? st : ims_engine_cluster_faces(r->task->engine, &o, &r->groups, err);
}

/* ---- beginning and end ---- */

/* Of the training session; none: the whole library. */
static ims_status find_folders(struct run *r, ims_err *err)
{
    ims_status st;

    if (!r->session.training_session_id)
        return IMS_OK;
    st = ims__session_folders(r->task->engine, r->session.training_session_id, &r->arena, &r->folders, &r->n_folders, err);
    return st == IMS_E_NOT_FOUND ? ims_fail(err, IMS_E_CANCELLED, "engine", 0, "the training session is gone") : st;
}

static ims_status begin(struct run *r, ims_err *err)
{
    const ims_json *args = r->task->args;
    int64_t generation = ims__json_int(ims__json_get(args, "generation"), 0);
    ims_status st = ims_store_face_session(r->task->engine->store, ims__json_int(ims__json_get(args, "session"), 0), 0, &r->arena,
                                           &r->session, err);

    if (st == IMS_E_NOT_FOUND)
        return ims_fail(err, IMS_E_CANCELLED, "engine", 0, "the face session is gone");
    if (!st && generation != r->session.generation)
        st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "the face session has another job");
    if (!st)
        st = report(r, IMS_FACE_SESSION_PICKED, NULL, err);
    return st ? st : find_folders(r, err);
}

/* Paused, cancelled, shut down, or tried again: the session's state stands. */
static ims_status end(struct run *r, ims_status st, ims_err *err)
{
    ims_err refused = { 0 };

    if (!st)
        return report(r, IMS_FACE_SESSION_DONE, NULL, err);
    if (ims__task_goes_on(r->task, st))
        return st;
    return report(r, IMS_FACE_SESSION_BROKEN, err->text, &refused) ? IMS_E_CANCELLED : st;
}

ims_status ims__work_face_session(struct ims_task *task, ims_err *err)
{
    struct run r = { .task = task };
    ims_status st;

    ims__arena_init(&r.arena, 0);
    st = begin(&r, err);
    if (!st) {
        st = take_back(&r, err);
        if (!st)
            st = detect(&r, err);
        if (!st)
            st = tell_people(&r, err);
        st = end(&r, st, err);
    }
    if (!st)
        task->result = ims__strfmt("{\"compared\":%zu,\"assigned\":%zu,\"suggested\":%zu,\"clusters\":%zu,\"noise\":%zu}",
                                   r.match.n_faces, r.match.n_assigned, r.match.n_suggested, r.groups.clusters,
                                   r.groups.noise);
    ims__arena_release(&r.arena);
    return st;
}
