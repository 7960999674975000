/* Training sessions: named runs of indexing over folders, with a state machine whose races are closed.
 *
 * The state is a row; every event is one transaction that looks at the state and changes it, so two events never
 * both win. A run carries the generation that its start gave it: what a run of an older generation reports is
 * refused. Counters are counted from the work states of the pictures below the folders, and kept when a run is complete.
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

struct ims_store_session_counts {
    int64_t assets, done, failed; /* the others are queued */
    int64_t unique;               /* different contents */
    int64_t skipped; /* of done: nothing had to be computed, since another one above has the same content */
};

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
    bool has_counts; /* of a completed one: as it was then */
    struct ims_store_session_counts counts;
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

/* Runs that are discovering or running, whose job (key "session:ID:GENERATION") is not there any more, become failed:
 * workers died at each attempt, or somebody cancelled the job. Pushing the job is one transaction with START. */
ims_status ims_store_settle_sessions(struct ims_store *s, int64_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* ---- what a session is about: store_training.c ----
 * The pictures below its selected subdirectories, or below its root when none is selected, each once, that are there
 * and in no ignored folder. task, model_id: whose work states are meant. */

/* Of a session that was completed just now, for good: until it starts again. */
ims_status ims_store_keep_session_counts(struct ims_store *s, int64_t id, const struct ims_store_session_counts *counts,
                                         ims_err *err) IMS_MUST_CHECK;
/* session_id 0: the whole library. */
ims_status ims_store_count_session(struct ims_store *s, int64_t session_id, const char *task, int64_t model_id,
                                   struct ims_store_session_counts *out, ims_err *err) IMS_MUST_CHECK;

typedef enum ims_session_items {
    IMS_ITEMS_ALL,
    IMS_ITEMS_QUEUED,
    IMS_ITEMS_DONE, /* and not skipped */
    IMS_ITEMS_FAILED,
    IMS_ITEMS_SKIPPED
} ims_session_items;

struct ims_store_session_item {
    int64_t asset_id;
    const char *path;
    ims_store_state state;
    const char *reason, *detail; /* of a failure */
    int64_t duplicate_of;        /* 0, or the asset of the smallest id that has its content: then it was skipped */
    double total_ms;             /* of the newest evidence; negative = none */
    int64_t created_us;          /* entered into the library */
    int64_t updated_us;          /* of the work state; 0 = none */
};
struct ims_store_session_item_filter {
    const char *task;
    int64_t model_id;
    ims_session_items which;
    int64_t asset_id; /* 0 = any */
};
/* Newest asset first. */
ims_status ims_store_session_items(struct ims_store *s, int64_t session_id,
                                   const struct ims_store_session_item_filter *filter, int64_t offset, int64_t limit,
                                   struct ims_arena *arena, struct ims_store_session_item **out, size_t *out_n,
                                   int64_t *out_total, ims_err *err) IMS_MUST_CHECK;
/* Ids above after_id, ascending: for going through all of them. */
ims_status ims_store_session_assets(struct ims_store *s, int64_t session_id, int64_t after_id, size_t limit,
                                    struct ims_arena *arena, int64_t **out, size_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* Of one folder and all below it. */
struct ims_store_folder_training {
    int64_t done;
    int64_t last_us; /* when one of them was last indexed; 0 = never */
};
ims_status ims_store_folder_training(struct ims_store *s, const char *folder, const char *task, int64_t model_id,
                                     struct ims_store_folder_training *out, ims_err *err) IMS_MUST_CHECK;
/* Is a session at work (discovering or running) on the folder, on one above it, or on one below it? */
ims_status ims_store_is_in_training(struct ims_store *s, const char *folder, bool *out, ims_err *err) IMS_MUST_CHECK;

/* ---- folders that are passed over: store_ignored.c ----
 * Nothing in them is found, handed out or counted; what the library has from there stays. */

#define IMS_MAX_IGNORED 1000

struct ims_store_ignored {
    const char *path, *reason;
    int64_t created_us;
};
/* IMS_E_EXISTS; IMS_E_LIMIT beyond IMS_MAX_IGNORED. */
ims_status ims_store_ignore(struct ims_store *s, const char *path, const char *reason, int64_t *out_created_us,
                            ims_err *err) IMS_MUST_CHECK;
/* IMS_E_NOT_FOUND. */
ims_status ims_store_unignore(struct ims_store *s, const char *path, int64_t *out_created_us, ims_err *err) IMS_MUST_CHECK;
/* By path. */
ims_status ims_store_ignored(struct ims_store *s, struct ims_arena *arena, struct ims_store_ignored **out, size_t *out_n,
                             ims_err *err) IMS_MUST_CHECK;

#endif
