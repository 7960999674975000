/* A background job at work, as its handler sees it; and the table of handlers.
 *
 * A handler does what its arguments say, calls ims__task_beat often (between two pictures, two pages, two steps), and
 * stops with IMS_E_CANCELLED once that says so. It may be run again from the beginning at any time: what it writes must
 * be the same the second time. It runs on the worker's thread with the worker's engine.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_WORK_H
#define IMS_ENGINE_WORK_H

#include "base/json.h"
#include "ims/engine.h"
#include "store/jobs.h"

struct ims_worker;

struct ims_task {
    struct ims_engine *engine; /* the worker's own */
    const struct ims_store_job *job;
    const ims_json *args;
    char *result; /* JSON that the handler leaves, or NULL; freed by the worker */

    /* the worker's: */
    struct ims_worker *worker;
    ims_store_wish wish;
    bool gets_on; /* pictures were done in this attempt */
    bool is_lost; /* the lease: somebody else has the job */
    uint64_t beaten_ns;
};

/* Tells how far the job is ({phase, current, total, message ...}; NULL = as it was) and listens: false when the handler
 * should stop. Cheap to call often: it is written down every two seconds. */
bool ims__task_beat(struct ims_task *t, const char *progress_json);
/* The same at once, for the first and the last word of a phase. */
bool ims__task_tell(struct ims_task *t, const char *progress_json);
/* Something of the job is done for good: earlier attempts that died are forgiven. Cheap to call often. */
void ims__task_gets_on(struct ims_task *t);
/* After a failure: will the job be taken up again, or was it asked to end? Then nothing is told to others. */
bool ims__task_goes_on(const struct ims_task *t, ims_status st);
/* For ims_index_options.on_progress; arg is the task. */
bool ims__task_on_index(void *arg, const struct ims_index_progress *p);
/* The same for ims_people_match. */
bool ims__task_on_match(void *arg, size_t done, size_t total);

typedef ims_status (*ims_work_fn)(struct ims_task *t, ims_err *err);

#define IMS_WORK(func, handler) ims_status handler(struct ims_task *t, ims_err *err) IMS_MUST_CHECK;
#include "engine/work_table.h"
#undef IMS_WORK

/* work_train.c. What a training session is about: its selected subdirectories, else its root; in arena. */
ims_status ims__session_folders(struct ims_engine *e, int64_t session_id, struct ims_arena *arena, const char ***out,
                                size_t *out_n, ims_err *err) IMS_MUST_CHECK;

#endif
