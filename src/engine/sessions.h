/* The steps of training and face sessions that users take: each is one transaction of the event and the job that
 * follows, so that a session never waits for a job that was not queued. Statuses of the store's events apply.
 *
 * One thread at a time per engine, as all of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_SESSIONS_H
#define IMS_ENGINE_SESSIONS_H

#include "ims/engine.h"
#include "store/face_sessions.h"

/* What a face session looks for unless told otherwise. */
#define IMS_FACE_SESSION_MIN_CONFIDENCE 0.5
#define IMS_FACE_SESSION_MIN_FACE_PX 20
#define IMS_FACE_SESSION_BATCH 16

ims_status ims_sessions_start(struct ims_engine *e, int64_t id, ims_err *err) IMS_MUST_CHECK;
ims_status ims_sessions_pause(struct ims_engine *e, int64_t id, ims_err *err) IMS_MUST_CHECK;
ims_status ims_sessions_cancel(struct ims_engine *e, int64_t id, ims_err *err) IMS_MUST_CHECK;
/* From the beginning, trying again what failed. is_forced: also a session that runs or was never started. */
ims_status ims_sessions_restart(struct ims_engine *e, int64_t id, const char *reason, bool is_forced, ims_err *err)
    IMS_MUST_CHECK;

/* A face session and its job. */
ims_status ims_face_sessions_add(struct ims_engine *e, const struct ims_store_face_session *session, int64_t *out_id,
                                 ims_err *err) IMS_MUST_CHECK;
ims_status ims_face_sessions_pause(struct ims_engine *e, int64_t id, ims_err *err) IMS_MUST_CHECK;
ims_status ims_face_sessions_resume(struct ims_engine *e, int64_t id, ims_err *err) IMS_MUST_CHECK;
ims_status ims_face_sessions_cancel(struct ims_engine *e, int64_t id, ims_err *err) IMS_MUST_CHECK;

/* The face models whose work a session counts: those that serve, else those with the most faces; 0 = none. */
ims_status ims_face_sessions_model(struct ims_engine *e, int64_t *out_id, ims_err *err) IMS_MUST_CHECK;

struct ims_restarted_faces {
    int64_t face_session_id; /* the new one */
    int64_t pictures;        /* looked at again */
    int64_t by_hand;         /* faces that a user's word gave a person: they keep it */
    int64_t reset;           /* faces that comparing had given one: nobody's until compared again; undoable */
    int64_t suggestions;     /* that expire */
    int64_t persons_deleted; /* with_persons: those without any face by a user's word; undoable */
};
/* Looks at the pictures of a completed training session again. The job of the new face session does all of it, so it takes
 * as long as counting whatever there is to be taken back. IMS_E_INVALID: it is not completed; IMS_E_CONSTRAINT: a
 * face session of it is at work; IMS_E_NOT_FOUND. */
ims_status ims_sessions_restart_faces(struct ims_engine *e, int64_t id, bool with_persons, struct ims_restarted_faces *out,
                                      ims_err *err) IMS_MUST_CHECK;
/* Groups the faces without a person anew; nothing is taken away before the new groups are there. IMS_E_INVALID: its
 * newest face session is not completed, or found no face. */
ims_status ims_sessions_restart_clustering(struct ims_engine *e, int64_t id, struct ims_restarted_faces *out, ims_err *err)
    IMS_MUST_CHECK;

/* For the workers: the face session that follows a finished training; within the caller's transaction. *out_id 0:
 * there is one already, or no face models are installed. */
ims_status ims__sessions_follow_up(struct ims_engine *e, int64_t training_session_id, int64_t *out_id, ims_err *err)
    IMS_MUST_CHECK;

#endif
