/* From changed folders to a job.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch_internal.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/jobs.h"

#include <string.h>

#define AGAIN_NS ((uint64_t)500000000) /* while the job before still waits or runs */
#define JOB_KEY "ingest:watch"
#define JOB_ATTEMPTS 100 /* somebody else may be indexing for hours */

static bool add_shown(ims_json *list, const char *path)
{
    struct ims_buf shown;
    bool is_good;

    ims__buf_init(&shown, (size_t)IMS_MAX_PATH_BYTES * 4 + 1);
    is_good = list && ims__display(path, strlen(path), &shown) == IMS_OK &&
              ims__json_add(list, ims__json_new_str(shown.data)) == IMS_OK;
    ims__buf_release(&shown);
    return is_good;
}

/* Is it covered by another folder that is handed over as a whole? */
static bool is_covered(const struct ims_dirty *d, const struct ims_dirty_folder *f)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct ims_dirty_folder *o = &d->folders[i];

        if (o != f && o->is_handed && o->is_deep && ims__path_is_in(f->path, o->path))
            return true;
    }
    return false;
}

static ims_status job_args(struct ims_watch *w, struct ims_buf *out, ims_err *err)
{
    ims_json *args = ims__json_new_object(), *deep = ims__json_new_array(), *shallow = ims__json_new_array();
    bool is_good = args && deep && shallow;
    ims_status st;

    for (size_t i = 0; is_good && i < w->dirty.n; i++) {
        const struct ims_dirty_folder *f = &w->dirty.folders[i];

        if (f->is_handed && !is_covered(&w->dirty, f))
            is_good = add_shown(f->is_deep ? deep : shallow, f->path);
    }
    if (is_good)
        is_good = ims__json_set(args, "registerOnly", ims__json_new_bool(!w->o.auto_train)) == IMS_OK;
    if (is_good) {
        is_good = ims__json_set(args, "deep", deep) == IMS_OK;
        deep = NULL;
    }
    if (is_good) {
        is_good = ims__json_set(args, "shallow", shallow) == IMS_OK;
        shallow = NULL;
    }
    st = is_good ? ims__json_write(args, 0, out, err) : ims_fail(err, IMS_E_NOMEM, "watch", 0, "a job");
    ims__json_free(args);
    ims__json_free(deep);
    ims__json_free(shallow);
    return st;
}

/* One job at a time: while the last one waits or runs, changes go on being gathered. */
void ims__watch_hand_over(struct ims_watch *w, uint64_t now)
{
    struct ims_store_job job = {
        .queue = "training-normal", .func = "ingest", .key = JOB_KEY, .max_attempts = JOB_ATTEMPTS
    };
    struct ims_buf args;
    int64_t id;
    ims_err err;
    ims_status st;

    if (now < w->next_push_ns || !ims__dirty_take(&w->dirty, now))
        return;
    ims__buf_init(&args, 16 * IMS_MIB);
    st = job_args(w, &args, &err);
    job.args_json = args.data;
    if (!st)
        st = ims_store_push_job(w->store, &job, &id, &err);
    ims__buf_release(&args);
    ims__dirty_done(&w->dirty, st == IMS_OK);
    w->next_push_ns = st ? ims__mono_ns() + AGAIN_NS : 0;
    if (st && st != IMS_E_EXISTS && !w->is_store_told) {
        ims__watch_note(w, true, "changes wait for being handed over: %s", err.text);
        w->is_store_told = true;
    }
    if (!st) {
        ims__lock(&w->lock);
        w->status.n_jobs++;
        ims__unlock(&w->lock);
    }
}
