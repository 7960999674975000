/* Background work: hand a job to some worker, once it is safe in the database.
 *
 * A job is queued, then started by a worker that holds a lease on it, then finished, failed or canceled. A worker
 * that dies lets its lease run out; then another takes the job again (at least once: handlers must be idempotent).
 * A failed attempt is tried again after a while, longer each time, until max_attempts.
 *
 *     ims_store_push_job(s, &job, &id, err)                   by whoever wants work done
 *     ims_store_take_job(s, worker, queues, &job, err)        by a worker; then, while it works:
 *       ims_store_beat_job(s, worker, id, progress, &wish)      every few seconds: keeps the lease, tells, and hears wishes
 *       ims_store_end_job(s, worker, id, outcome, ...)          once
 *
 * Queues by priority: training-high, training-normal, training-low, default.
 * A store handle belongs to one thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_JOBS_H
#define IMS_STORE_JOBS_H

#include "base/mem.h"
#include "ims/status.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_JOB_LEASE_US ((int64_t)60 * 1000000)
#define IMS_JOB_WORKER_DEAD_US ((int64_t)120 * 1000000) /* without a heartbeat */
#define IMS_N_QUEUES 4
extern const char *const ims_store_queues[IMS_N_QUEUES]; /* by priority */

struct ims_store_job {
    int64_t id;
    const char *queue;     /* one of ims_store_queues */
    const char *func;
    const char *args_json; /* NULL reads as "{}" */
    const char *key;       /* NULL, or what no other unfinished job may have */
    int attempts;          /* so far, this one included */
    int max_attempts;      /* push: 0 = 3 */
    int64_t delay_us;      /* push: not before that time has passed */

    /* of a job that is read */
    const char *state;
    const char *worker, *wish, *progress_json, *result_json, *error;
    int64_t created_us, started_us, ended_us, due_us; /* 0 = not */
};

/* IMS_E_EXISTS: an unfinished job has this key; *out_id is that job's. IMS_E_INVALID: no such queue. */
ims_status ims_store_push_job(struct ims_store *s, const struct ims_store_job *job, int64_t *out_id, ims_err *err)
    IMS_MUST_CHECK;

/* The next job that is due: of the queue of highest priority, oldest first. out->id 0 = none. Strings live in arena.
 * A job whose lease ran out max_attempts times is failed on the way and not given. */
ims_status ims_store_take_job(struct ims_store *s, const char *worker, struct ims_arena *arena, struct ims_store_job *out,
                          ims_err *err) IMS_MUST_CHECK;

typedef enum ims_store_wish { IMS_JOB_GO_ON, IMS_JOB_CANCEL, IMS_JOB_PAUSE } ims_store_wish;

/* Renews the lease. IMS_E_NOT_FOUND: the lease is lost (somebody else has the job): stop, and write nothing.
 * progress_json NULL = as it was. */
ims_status ims_store_beat_job(struct ims_store *s, const char *worker, int64_t id, const char *progress_json,
                          ims_store_wish *out_wish, ims_err *err) IMS_MUST_CHECK;

/* The job gets on: the attempts so far count as one, so that only those without any progress wear it out. */
ims_status ims_store_job_gets_on(struct ims_store *s, const char *worker, int64_t id, ims_err *err) IMS_MUST_CHECK;

typedef enum ims_store_outcome {
    IMS_JOB_FINISHED,
    IMS_JOB_FAILED,    /* for good */
    IMS_JOB_TRY_AGAIN, /* later; the last attempt makes it FAILED */
    IMS_JOB_CANCELED,
    IMS_JOB_GIVEN_BACK, /* untouched, for the next worker: a shutdown. The attempt does not count. */
    IMS_JOB_WAITS       /* somebody else is in the way: a little later. The attempt does not count. */
} ims_store_outcome;

/* text: result JSON when finished, else the error. IMS_E_NOT_FOUND as above. */
ims_status ims_store_end_job(struct ims_store *s, const char *worker, int64_t id, ims_store_outcome outcome,
                         const char *text, ims_err *err) IMS_MUST_CHECK;

/* A queued job is canceled at once, a started one at its handler's next look (wish). *out_found false: no unfinished
 * job has that id. */
ims_status ims_store_ask_job(struct ims_store *s, int64_t id, ims_store_wish wish, bool *out_found, ims_err *err)
    IMS_MUST_CHECK;
/* The same for the unfinished job of a key. */
ims_status ims_store_ask_job_of(struct ims_store *s, const char *key, ims_store_wish wish, bool *out_found, ims_err *err)
    IMS_MUST_CHECK;

/* ---- looking ---- */

/* IMS_E_NOT_FOUND. */
ims_status ims_store_job(struct ims_store *s, int64_t id, struct ims_arena *arena, struct ims_store_job *out,
                         ims_err *err) IMS_MUST_CHECK;
/* The newest job that ever had the key; IMS_E_NOT_FOUND. */
ims_status ims_store_job_of(struct ims_store *s, const char *key, struct ims_arena *arena, struct ims_store_job *out,
                             ims_err *err) IMS_MUST_CHECK;
/* Jobs of a queue in a state, oldest first (ended ones: newest first). */
ims_status ims_store_list_jobs(struct ims_store *s, const char *queue, const char *state, size_t offset, size_t limit,
                          struct ims_arena *arena, struct ims_store_job **out, size_t *out_n, ims_err *err)
    IMS_MUST_CHECK;

struct ims_store_job_counts {
    const char *queue;
    int64_t queued, scheduled, started, finished, failed, canceled; /* scheduled: queued, but not due yet */
};
ims_status ims_store_count_jobs(struct ims_store *s, struct ims_store_job_counts out[IMS_N_QUEUES], ims_err *err)
    IMS_MUST_CHECK;

/* Forgets jobs that ended before that time. */
ims_status ims_store_purge_jobs(struct ims_store *s, int64_t ended_before_us, ims_err *err) IMS_MUST_CHECK;

/* ---- workers ---- */

struct ims_store_worker {
    const char *name, *hostname, *queues;
    int64_t pid, job_id; /* job_id 0 = idle */
    const char *job_func;
    int64_t job_started_us, n_succeeded, n_failed, worked_us, born_us, heartbeat_us;
};
/* Says that a worker lives; the first time it is entered. */
ims_status ims_store_beat_worker(struct ims_store *s, const char *name, ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_leave_worker(struct ims_store *s, const char *name, ims_err *err) IMS_MUST_CHECK;
/* The worker is known to be dead: what it had at work is due at once, not only when the lease has run out. */
ims_status ims_store_bury_worker(struct ims_store *s, const char *name, ims_err *err) IMS_MUST_CHECK;
/* Those that beat within IMS_JOB_WORKER_DEAD_US. */
ims_status ims_store_workers(struct ims_store *s, struct ims_arena *arena, struct ims_store_worker **out,
                             size_t *out_n, ims_err *err) IMS_MUST_CHECK;

#endif
