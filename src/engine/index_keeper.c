/* Keeping the vector index of a service: everything that takes longer than a search should.
 *
 * One thread at a time works on the index: this one while it runs, else whoever searches and finds a few changes to
 * take up. Which of them it is, is decided under the host's `sharing`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/index_keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine_internal.h"

#include <stdio.h>
#include <string.h>

#define PAUSE_NS ((uint64_t)2000000000) /* after a failure */

ims_status ims__keeper_init(struct ims_engine *host, ims_err *err)
{
    host->keeper.has_lock = ims__lock_init(&host->keeper.lock) == IMS_OK;
    return host->keeper.has_lock ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the library");
}

bool ims__keeper_is_running(struct ims_engine *host)
{
    bool is_it;

    ims__lock(&host->keeper.lock);
    is_it = host->keeper.is_running;
    ims__unlock(&host->keeper.lock);
    return is_it;
}

static bool on_step(void *arg, size_t done, size_t total)
{
    struct ims_engine *host = arg;
    struct ims_index_keeper *k = &host->keeper;
    bool goes_on;

    ims__lock(&k->lock);
    k->state.done = done;
    k->state.total = total;
    goes_on = !k->is_stopping;
    ims__unlock(&k->lock);
    if (goes_on && host->options.on_rebuild)
        host->options.on_rebuild(host->options.on_rebuild_arg, done, total);
    return goes_on;
}

/* The index as far as it came, for all to see; true when there is nothing more to do. */
static bool hand_over(struct ims_engine *host, const struct ims_index_feed *feed)
{
    ims__lock(&host->sharing);
    host->vectors_seq = feed->seq;
    host->is_index_counted = feed->is_counted;
    host->n_unsaved += feed->n_changes;
    ims__lock(&host->keeper.lock);
    host->vectors = feed->vectors;
    ims__unlock(&host->keeper.lock);
    ims__unlock(&host->sharing);
    return feed->n_changes == 0;
}

static ims_status follow(struct ims_engine *host, struct ims_engine *own, struct ims_index_feed *feed, ims_err *err)
{
    struct ims_index_keeper *k = &host->keeper;
    ims_status st;

    for (;;) {
        uint64_t start = ims__mono_ns();

        feed->n_changes = 0;
        st = ims__index_follow(own, feed, err);
        if (st)
            return st;
        if (feed->was_rebuilt) {
            ims__lock(&k->lock);
            k->state.n_rebuilds++;
            k->state.last_rebuild_s = (double)(ims__mono_ns() - start) / 1e9;
            ims__unlock(&k->lock);
        }
        if (hand_over(host, feed))
            return IMS_OK;
    }
}

/* What `host` had when it began; only this thread writes to the index while it runs. */
static ims_status keep_index(struct ims_engine *host, struct ims_engine *own, ims_err *err)
{
    struct ims_index_feed feed = { .on_step = on_step, .arg = host };
    bool was_open;
    ims_status st;

    ims__lock(&host->sharing);
    st = ims__engine_need_model_id(host, false, err);
    own->pack = host->pack;
    own->clip = host->clip;
    own->model_id = host->model_id;
    feed.vectors = host->vectors;
    feed.seq = host->vectors_seq;
    feed.is_counted = host->is_index_counted;
    ims__unlock(&host->sharing);
    if (st || !own->model_id)
        return st;
    was_open = feed.vectors != NULL;
    if (!was_open) {
        st = ims__index_open(own, &feed.vectors, err);
        if (st)
            return st;
        feed.seq = ims_vectors_seq(feed.vectors);
        feed.n_changes = own->n_unsaved; /* of codes that lied */
        (void)hand_over(host, &feed); /* what the folder holds answers already */
    }
    st = follow(host, own, &feed, err);
    if (st)
        return st;
    if (!was_open)
        ims_vectors_warm(feed.vectors);
    ims__engine_save_index(host);
    return host->n_unsaved ? ims_fail(err, IMS_E_IO, "engine", 0, "the vector index cannot be written to its folder")
                           : IMS_OK;
}

static void run_keeper(void *arg)
{
    struct ims_engine *host = arg, *own = NULL;
    struct ims_index_keeper *k = &host->keeper;
    ims_err err = { 0 };
    ims_status st = ims_engine_open_beside(&own, host, &err);

    if (!st)
        st = keep_index(host, own, &err);
    if (st && st != IMS_E_CANCELLED)
        ims__log_err(IMS_LOG_DEBUG, &err, "keeping the vector index");
    ims_engine_close(own);
    ims__lock(&k->lock);
    snprintf(k->state.problem, sizeof(k->state.problem), "%s", st && st != IMS_E_CANCELLED ? err.text : "");
    k->not_before_ns = st ? ims__mono_ns() + PAUSE_NS : 0;
    k->is_running = false;
    ims__unlock(&k->lock);
}

bool ims__keeper_wake(struct ims_engine *host)
{
    struct ims_index_keeper *k = &host->keeper;
    bool is_running, is_wanted;

    ims__lock(&k->lock);
    is_wanted = !k->is_running && !k->is_stopping && ims__mono_ns() >= k->not_before_ns;
    if (is_wanted) {
        k->is_running = true;
        k->state.done = k->state.total = 0;
    }
    is_running = k->is_running;
    ims__unlock(&k->lock);
    if (!is_wanted)
        return is_running;
    ims__thread_join(&k->thread); /* the one before has said that it is over */
    if (ims__thread_start(&k->thread, "ims-index", run_keeper, host, NULL) == IMS_OK)
        return true;
    ims__lock(&k->lock);
    k->is_running = false; /* the next search tries again */
    ims__unlock(&k->lock);
    return false;
}

void ims__keeper_release(struct ims_engine *host)
{
    struct ims_index_keeper *k = &host->keeper;

    if (!k->has_lock)
        return;
    ims__lock(&k->lock);
    k->is_stopping = true;
    ims__unlock(&k->lock);
    ims__thread_join(&k->thread);
    ims__lock_release(&k->lock);
}

void ims_engine_warm_index(struct ims_engine *e)
{
    struct ims_engine *host = e->host ? e->host : e;

    ims__lock(&host->sharing);
    (void)ims__keeper_wake(host);
    ims__unlock(&host->sharing);
}

void ims_engine_index_state(struct ims_engine *e, struct ims_index_state *out)
{
    struct ims_engine *host = e->host ? e->host : e;
    struct ims_index_keeper *k = &host->keeper;
    struct ims_vectors_audit a = { 0 };

    ims__lock(&k->lock);
    *out = k->state;
    out->is_rebuilding = k->is_running;
    if (host->vectors) {
        out->vectors = ims_vectors_count(host->vectors);
        out->is_ready = out->vectors > 0;
        ims_vectors_audit(host->vectors, &a);
    }
    ims__unlock(&k->lock);
    out->audit_searches = a.n_searches;
    out->audit_audited = a.n_audited;
    out->audit_hits = a.n_hits;
    out->audit_found = a.n_found;
    out->audit_us = a.last_us;
}
