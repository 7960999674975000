/* Training sessions: named runs of indexing over folders, with a state machine whose races are closed.
 *
 * The state is a row; every event is one transaction that looks at the state and changes it, so two events never
 * both win. A run carries the generation that its start gave it: what a run of an older generation reports is
 * refused. Counters are not stored: they are counted from the work states of the pictures below the folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_SESSIONS_H
#define IMS_STORE_SESSIONS_H

#include "store/store.h"

typedef enum ims_session_status {
    IMS_SESSION_PENDING,
    IMS_SESSION_DISCOVERING,
    IMS_SESSION_RUNNING,
    IMS_SESSION_PAUSED,
    IMS_SESSION_COMPLETED,
    IMS_SESSION_CANCELLED,
    IMS_SESSION_FAILED,
    IMS_SESSION_N_STATUSES
} ims_session_status;

typedef enum ims_session_event {
    IMS_SESSION_START,      /* by a user: a new run, or the rest of a paused or failed one */
    IMS_SESSION_PAUSE,      /* by a user */
    IMS_SESSION_CANCEL,     /* by a user */
    IMS_SESSION_RESTART,    /* by a user: back to the beginning, then START */
    IMS_SESSION_DISCOVERED, /* by the run: its pictures are known, at least one */
    IMS_SESSION_DONE,       /* by the run: nothing is left to do */
    IMS_SESSION_BROKEN,     /* by the run: it cannot go on, or there is nothing to do */
    IMS_SESSION_N_EVENTS
} ims_session_event;

const char *ims_session_status_name(ims_session_status status); /* "pending" ... */
bool ims_session_status_read(const char *name, ims_session_status *out);
const char *ims_session_event_name(ims_session_event event); /* "start" ... */
/* The state machine: false when the event is not possible in that state. */
bool ims_session_next(ims_session_status from, ims_session_event event, ims_session_status *out);
/* Is the event one that a run reports (and not a user)? */
bool ims_session_is_report(ims_session_event event);

struct ims_store_session {
    int64_t id;
    const char *name;
    ims_session_status status;
    const char *root_path;
    int64_t category_id; /* 0 = none */
    const char *config_json;
    int64_t generation;
    const char *reset_reason, *error;
    int64_t created_us, started_us, completed_us, paused_us, reset_us; /* 0 = not */
};

struct ims_store_subdirectory {
    int64_t id, session_id;
    const char *path, *name;
    bool is_selected;
    int64_t created_us;
};

/* subdirectories: absolute paths below root_path; none means all of it. *out_id. IMS_E_NOT_FOUND: the category. */
ims_status ims_store_add_session(struct ims_store *s, const struct ims_store_session *session,
                                 const char *const *subdirectories, size_t n, int64_t *out_id, ims_err *err)
    IMS_MUST_CHECK;
/* IMS_E_NOT_FOUND. */
ims_status ims_store_session(struct ims_store *s, int64_t id, struct ims_arena *arena, struct ims_store_session *out,
                             ims_err *err) IMS_MUST_CHECK;
/* Newest first; status < 0 = any. */
ims_status ims_store_list_sessions(struct ims_store *s, int status, int64_t offset, int64_t limit,
                                   struct ims_arena *arena, struct ims_store_session **out, size_t *out_n,
                                   int64_t *out_total, ims_err *err) IMS_MUST_CHECK;
/* NULL = as it is. */
ims_status ims_store_change_session(struct ims_store *s, int64_t id, const char *name, const char *config_json,
                                    ims_err *err) IMS_MUST_CHECK;
/* The pictures and their vectors stay. IMS_E_NOT_FOUND. */
ims_status ims_store_delete_session(struct ims_store *s, int64_t id, ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_subdirectories(struct ims_store *s, int64_t session_id, struct ims_arena *arena,
                                    struct ims_store_subdirectory **out, size_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* IMS_E_NOT_FOUND: the session has no such row. */
ims_status ims_store_select_subdirectory(struct ims_store *s, int64_t session_id, int64_t id, bool is_selected,
                                         ims_err *err) IMS_MUST_CHECK;

/* One event, in one transaction. text: the reason of a restart, the error of BROKEN. A run's reports carry its
 * generation; users' events 0. *out_generation (may be NULL) is the session's afterwards.
 * IMS_E_INVALID: not possible in this state (the message names both). IMS_E_NOT_FOUND: no such session.
 * IMS_E_CANCELLED: the report of a run that is no longer the session's: stop, and write nothing. */
ims_status ims_store_session_event(struct ims_store *s, int64_t id, ims_session_event event, int64_t generation,
                                   const char *text, int64_t *out_generation, ims_err *err) IMS_MUST_CHECK;

struct ims_store_folder_counts {
    int64_t assets, done, failed; /* of the task and model, among the files that are there */
    int64_t duplicates;           /* of assets: another one above has the same content */
};
/* Counts the pictures below the folders, each once. */
ims_status ims_store_count_below(struct ims_store *s, const char *const *folders, size_t n, const char *task,
                                 int64_t model_id, struct ims_store_folder_counts *out, ims_err *err) IMS_MUST_CHECK;

#endif
