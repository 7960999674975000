/* Face sessions: named runs over pictures of the library that find faces, tell whose they are, and group the others.
 *
 * The same kind of state machine as training sessions (sessions.h): a row, events as transactions, a generation for
 * each job. Counters are counted while the session is at work and written down when it ends.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_FACE_SESSIONS_H
#define IMS_STORE_FACE_SESSIONS_H

#include "store/sessions.h"

typedef enum ims_face_session_status {
    IMS_FACE_SESSION_PENDING,
    IMS_FACE_SESSION_PROCESSING,
    IMS_FACE_SESSION_PAUSED,
    IMS_FACE_SESSION_COMPLETED,
    IMS_FACE_SESSION_FAILED,
    IMS_FACE_SESSION_CANCELLED,
    IMS_FACE_SESSION_N_STATUSES
} ims_face_session_status;

typedef enum ims_face_session_event {
    IMS_FACE_SESSION_PAUSE,  /* by a user */
    IMS_FACE_SESSION_RESUME, /* by a user: a new job does the rest */
    IMS_FACE_SESSION_CANCEL, /* by a user */
    IMS_FACE_SESSION_PICKED, /* by the job: a worker has it, perhaps once more */
    IMS_FACE_SESSION_DONE,   /* by the job */
    IMS_FACE_SESSION_BROKEN, /* by the job: it cannot go on */
    IMS_FACE_SESSION_N_EVENTS
} ims_face_session_event;

const char *ims_face_session_status_name(ims_face_session_status status); /* "pending" ... */
bool ims_face_session_status_read(const char *name, ims_face_session_status *out);
const char *ims_face_session_event_name(ims_face_session_event event); /* "pause" ... */
/* The state machine: false when the event is not possible in that state. */
bool ims_face_session_next(ims_face_session_status from, ims_face_session_event event, ims_face_session_status *out);
bool ims_face_session_is_report(ims_face_session_event event);
bool ims_face_session_is_over(ims_face_session_status status);

/* What its job takes back first, of what was there when the session was made. */
typedef enum ims_face_session_takes {
    IMS_FACE_SESSION_TAKES_NOTHING,
    IMS_FACE_SESSION_TAKES_ASSIGNMENTS, /* and suggestions, and that pictures were looked at: what comparing decided */
    IMS_FACE_SESSION_TAKES_PERSONS      /* these too: those of whom no face is by a user's word */
} ims_face_session_takes;

struct ims_store_face_session {
    int64_t id;
    int64_t training_session_id; /* whose pictures; 0 = the whole library */
    ims_face_session_status status;
    int64_t generation;
    double min_confidence;
    int64_t min_face_size, batch_size;
    bool is_anew; /* groups are made without what was kept of the last ones */
    ims_face_session_takes takes_back;
    const char *last_error;
    int64_t images, processed, failed; /* of its pictures: looked at, could not be looked at */
    int64_t faces;                     /* in its pictures */
    int64_t assigned;                  /* of them: have a person */
    int64_t auto_assigned;             /* of them: since the session started, by comparing */
    int64_t clusters, suggestions;     /* with its faces, made since the session started */
    int64_t created_us, started_us, completed_us; /* 0 = not */
};

/* training_session_id, min_confidence, min_face_size, batch_size, is_anew and takes_back are read. IMS_E_NOT_FOUND: the training
 * session. */
ims_status ims_store_add_face_session(struct ims_store *s, const struct ims_store_face_session *session, int64_t *out_id,
                                      ims_err *err) IMS_MUST_CHECK;
/* model_id: the face model whose work is counted; 0 = none. IMS_E_NOT_FOUND. */
ims_status ims_store_face_session(struct ims_store *s, int64_t id, int64_t model_id, struct ims_arena *arena,
                                  struct ims_store_face_session *out, ims_err *err) IMS_MUST_CHECK;
/* The newest of a training session; out->id 0 = it has none. */
ims_status ims_store_face_session_of(struct ims_store *s, int64_t training_session_id, int64_t model_id,
                                     struct ims_arena *arena, struct ims_store_face_session *out, ims_err *err)
    IMS_MUST_CHECK;
/* Newest first; status < 0 = any. */
ims_status ims_store_list_face_sessions(struct ims_store *s, int status, int64_t model_id, int64_t offset, int64_t limit,
                                        struct ims_arena *arena, struct ims_store_face_session **out, size_t *out_n,
                                        int64_t *out_total, ims_err *err) IMS_MUST_CHECK;
/* What it found and did stays. IMS_E_NOT_FOUND; IMS_E_INVALID unless it is over. */
ims_status ims_store_delete_face_session(struct ims_store *s, int64_t id, ims_err *err) IMS_MUST_CHECK;

struct ims_store_face_session_step {
    int64_t id;
    ims_face_session_event event;
    int64_t generation; /* of a report */
    const char *text;   /* of BROKEN */
    int64_t model_id;   /* for the counts that are written down at the end */
};
/* One event, in one transaction; statuses as ims_store_session_event. */
ims_status ims_store_face_session_event(struct ims_store *s, const struct ims_store_face_session_step *step,
                                        int64_t *out_generation, ims_err *err) IMS_MUST_CHECK;
/* Those at work whose job (key "face-session:ID:GENERATION") is not there any more become failed. */
ims_status ims_store_settle_face_sessions(struct ims_store *s, int64_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* Before the pictures of a training session are looked at again: forgets that they were, before that time. Faces stay until
 * then; those that are found again keep their number and name. */
ims_status ims_store_forget_face_scans(struct ims_store *s, int64_t training_session_id, int64_t model_id, int64_t before_us,
                                       ims_err *err) IMS_MUST_CHECK;

/* Who said whose the faces in a training session's pictures are. */
struct ims_store_session_faces {
    int64_t faces;
    int64_t by_hand;     /* by a user's word: kept by whatever starts anew */
    int64_t automatic;   /* by comparing alone */
    int64_t grouped;     /* without a person, in a group */
    int64_t pending;     /* suggestions about them */
};
ims_status ims_store_count_session_faces(struct ims_store *s, int64_t training_session_id, int64_t model_id,
                                         struct ims_store_session_faces *out, ims_err *err) IMS_MUST_CHECK;
/* The faces that comparing alone gave a person before that time, by person and id. */
struct ims_store_automatic_face {
    int64_t face_id, person_id;
};
ims_status ims_store_automatic_faces(struct ims_store *s, int64_t training_session_id, int64_t model_id, int64_t before_us,
                                     struct ims_arena *arena, struct ims_store_automatic_face **out, size_t *out_n,
                                     ims_err *err) IMS_MUST_CHECK;
/* Persons who were given such a face, and none anywhere by a user's word. */
ims_status ims_store_automatic_persons(struct ims_store *s, int64_t training_session_id, int64_t model_id, int64_t before_us,
                                       struct ims_arena *arena, int64_t **out, size_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* Suggestions about its faces that were pending before that time expire. */
ims_status ims_store_expire_session_suggestions(struct ims_store *s, int64_t training_session_id, int64_t model_id,
                                                int64_t before_us, ims_err *err) IMS_MUST_CHECK;

#endif
