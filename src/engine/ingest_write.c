/* Ingest, last part: results to the store, one transaction per batch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/ingest.h"

#include <stdio.h>
#include <string.h>

#define COMMIT_BATCH 64
#define COMMIT_MS 500 /* nothing finished waits longer for its commit */

struct writer {
    struct ims_ingest *g;
    struct ims_store *store;
    struct ims_device_used used; /* as of this batch */
    size_t n;
    struct ims_job *jobs[COMMIT_BATCH];
    struct ims_store_item items[COMMIT_BATCH];
    struct ims_store_media media[COMMIT_BATCH];
    struct ims_store_evidence_in evidence[COMMIT_BATCH];
};

static void fill_media(struct ims_store_media *m, const struct ims_job *j)
{
    const struct ims_media_info *i = &j->info;

    *m = (struct ims_store_media){
        .mime = ims_media_format_mime(i->format),
        .width = i->width,
        .height = i->height,
        .orientation = i->orientation,
        .n_pages = i->n_pages,
        .has_phash = j->has_phash,
        .phash = j->phash,
        .has_taken_at = i->has_taken_at,
        .taken_at_us = i->taken_at_us,
        .has_gps = i->has_gps,
        .gps_lat = i->gps_lat,
        .gps_lng = i->gps_lng,
        .camera_make = i->camera_make[0] ? i->camera_make : NULL,
        .camera_model = i->camera_model[0] ? i->camera_model : NULL,
        .exif_json = i->exif_json,
        .note = i->note[0] ? i->note : NULL,
    };
}

static void fill_item(struct writer *w, size_t i)
{
    const struct ims_job *j = w->jobs[i];
    const struct ims_device_used *used = &w->used;

    w->items[i] = (struct ims_store_item){
        .path = j->path,
        .root_id = j->root_id,
        .size_bytes = j->size_bytes,
        .mtime_us = j->mtime_us,
        .sha256 = j->has_sha256 ? j->sha256 : NULL,
        .vector = j->vector,
        .failure = j->failure,
        .reason = j->reason,
        .detail = j->failure ? j->detail : NULL,
    };
    if (j->is_decoded) {
        fill_media(&w->media[i], j);
        w->items[i].media = &w->media[i];
    }
    if (j->vector) {
        w->evidence[i] = (struct ims_store_evidence_in){ .device = used->device,
                                                         .provider = used->provider,
                                                         .runtime = used->runtime,
                                                         .embedding_ms = j->embedding_ms,
                                                         .total_ms = j->total_ms,
                                                         .metadata_json = j->metadata };
        w->items[i].evidence = &w->evidence[i];
    }
}

/* A known content whose vector was purged before the commit stays queued: the feed's second pass finds
 * it, so it is neither done nor failed here. */
static void count(struct ims_ingest *g, const struct ims_job *j, const struct ims_store_item *item)
{
    g->settled++;
    if (item->state == IMS_STORE_QUEUED)
        return;
    if (item->state == IMS_STORE_FAILED)
        g->errors++;
    else if (item->state == IMS_STORE_DONE && j->is_duplicate)
        g->duplicates++;
    if (item->is_moved)
        g->moved++;
    g->done++;
    if (item->state == IMS_STORE_FAILED)
        ims__ingest_note(g, j->path, j->reason ? j->reason : "bad_vector",
                         j->failure ? j->detail : "the vector is not usable");
}

static void flush(struct writer *w)
{
    struct ims_ingest *g = w->g;
    ims_err err;
    ims_status st = g->has_failed ? IMS_E_CANCELLED : IMS_OK;

    if (!st && w->n) {
        ims__lock(&g->lock);
        w->used = g->e->used;
        ims__unlock(&g->lock);
        for (size_t i = 0; i < w->n; i++)
            fill_item(w, i);
        st = ims_store_commit(w->store, IMS_TASK_CLIP, g->e->model_id, w->items, w->n, &err);
        if (st)
            ims__ingest_fatal(g, st, &err);
    }
    for (size_t i = 0; i < w->n; i++) {
        if (!st)
            count(g, w->jobs[i], &w->items[i]);
        ims__job_free(w->jobs[i]);
    }
    w->n = 0;
    ims__lock(&g->lock);
    ims__cond_broadcast(&g->changed);
    ims__unlock(&g->lock);
}

static void run_writer(struct writer *w)
{
    struct ims_ingest *g = w->g;
    uint64_t oldest = 0;
    bool is_closed = false;

    while (!is_closed) {
        void *item;
        uint64_t waited_ms = w->n ? (ims__mono_ns() - oldest) / 1000000 : 0;
        unsigned wait_ms = waited_ms < COMMIT_MS ? COMMIT_MS - (unsigned)waited_ms : 0;

        if (ims__chan_pop_timed(g->to_write, &item, wait_ms, &is_closed)) {
            if (w->n == 0)
                oldest = ims__mono_ns();
            w->jobs[w->n++] = item;
            if (w->n < COMMIT_BATCH && g->settled + w->n < g->fed) /* else nothing more is on its way */
                continue;
        }
        flush(w);
    }
}

void ims__ingest_write(void *arg)
{
    struct ims_ingest *g = arg;
    struct writer *w = ims__zalloc(1, sizeof(*w));
    uint64_t cpu = ims__thread_cpu_ns();
    void *item;
    ims_err err;
    ims_status st;

    st = w ? ims_store_open(&w->store, g->e->database, NULL, &err)
           : ims_fail(&err, IMS_E_NOMEM, "ingest", 0, "starting the writer");
    if (st) {
        ims__ingest_fatal(g, st, &err);
        while (ims__chan_pop(g->to_write, &item))
            ims__job_free(item);
    } else {
        w->g = g;
        run_writer(w);
    }
    if (w)
        ims_store_close(w->store);
    ims__free(w);
    g->write.cpu_ns += ims__thread_cpu_ns() - cpu;
    g->is_finished = true;
    ims__lock(&g->lock);
    ims__cond_broadcast(&g->changed);
    ims__unlock(&g->lock);
}
