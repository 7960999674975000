/* Ingest, last part: results to the store, one transaction per batch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/ingest.h"

#include <assert.h>
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
    size_t n_items, n_alone;
    /* of the jobs whose pictures are due; those of which only the faces are, come alone */
    struct ims_store_item items[COMMIT_BATCH];
    struct ims_store_media media[COMMIT_BATCH];
    struct ims_store_evidence_in evidence[COMMIT_BATCH];
    struct ims_store_faces_item alone[COMMIT_BATCH];
    /* by job */
    struct ims_store_faces_in faces[COMMIT_BATCH];
    struct ims_store_evidence_in face_evidence[COMMIT_BATCH];
    struct ims_arena arena; /* what faces points to */
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

static void fill_item(struct writer *w, size_t i, const struct ims_job *j)
{
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
        w->evidence[i] = (struct ims_store_evidence_in){ .device = j->device,
                                                         .provider = j->provider,
                                                         .runtime = used->runtime,
                                                         .embedding_ms = j->embedding_ms,
                                                         .total_ms = j->total_ms,
                                                         .metadata_json = j->metadata,
                                                         .session_id = w->g->options->session_id };
        w->items[i].evidence = &w->evidence[i];
    }
}

/* ---- faces ---- */

static void fill_face(struct ims_store_face_in *out, const struct ims_job_faces *f, size_t k)
{
    const struct ims_face *face = &f->faces[k];

    *out = (struct ims_store_face_in){
        .x = (int)face->x,
        .y = (int)face->y,
        .w = face->width < 1 ? 1 : (int)face->width,
        .h = face->height < 1 ? 1 : (int)face->height,
        .score = face->score,
        .quality = (float)ims_face_quality(face->width, face->height, face->score),
        .has_points = face->has_points,
        .gender = IMS_FACE_UNKNOWN_GENDER,
        .vector = f->vectors + k * IMS_FACE_DIM,
    };
    static_assert(sizeof(out->points) == sizeof(face->points), "five points each");
    memcpy(out->points, face->points, sizeof(out->points));
    if (f->ages) {
        out->has_age = true;
        out->age = (float)(f->ages[k].age > 0 ? f->ages[k].age : 0);
        out->gender = f->ages[k].is_male;
    }
    if (f->shapes) {
        out->has_pose = true;
        out->yaw = f->shapes[k].yaw;
        out->pitch = f->shapes[k].pitch;
        out->roll = f->shapes[k].roll;
    }
}

/* What failed for the picture failed for its faces too. */
static bool fill_faces(struct writer *w, size_t i)
{
    struct ims_job *j = w->jobs[i];
    struct ims_job_faces *f = &j->faces;
    struct ims_store_faces_in *in = &w->faces[i];
    ims_status failure = j->failure ? j->failure : f->failure;

    *in = (struct ims_store_faces_in){
        .model_id = w->g->e->face_model_id,
        .min_score = (float)w->g->min_face_score,
        .min_size_px = (int)w->g->min_face_px,
        .is_known = f->is_known && !failure,
        .n_faces = failure ? 0 : f->n,
        .failure = failure,
        .reason = j->failure ? j->reason : f->reason,
        .detail = j->failure ? j->detail : f->failure ? f->detail : NULL,
    };
    in->faces = ims__arena_alloc(&w->arena, in->n_faces, sizeof(*in->faces));
    for (size_t k = 0; in->faces && k < in->n_faces; k++)
        fill_face(&in->faces[k], f, k);
    f->metadata = f->device[0] ? ims__ingest_face_evidence(w->g, j, w->used.runtime) : NULL;
    if (f->metadata) {
        w->face_evidence[i] = (struct ims_store_evidence_in){ .device = f->device,
                                                              .provider = f->provider,
                                                              .runtime = w->used.runtime,
                                                              .embedding_ms = f->detect_ms + f->recognise_ms,
                                                              .total_ms = f->detect_ms + f->align_ms +
                                                                          f->recognise_ms,
                                                              .metadata_json = f->metadata,
                                                              .session_id = w->g->options->session_id };
        in->evidence = &w->face_evidence[i];
    }
    return in->n_faces == 0 || in->faces != NULL;
}

static ims_status fill(struct writer *w, ims_err *err)
{
    w->n_items = w->n_alone = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct ims_job *j = w->jobs[i];

        if (j->is_faces_due && !fill_faces(w, i))
            return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "storing faces");
        if (j->is_clip_due) {
            fill_item(w, w->n_items, j);
            w->items[w->n_items++].faces = j->is_faces_due ? &w->faces[i] : NULL;
        } else {
            w->alone[w->n_alone++] = (struct ims_store_faces_item){ .asset_id = j->asset_id,
                                                                    .content_id = j->content_id,
                                                                    .faces = &w->faces[i] };
        }
    }
    return IMS_OK;
}

/* An asset may have gone meanwhile: a moved file keeps the number of its old path. Then the next run finds what is
 * due under that number. */
static ims_status commit_alone(struct writer *w, ims_err *err)
{
    ims_status st = ims_store_commit_faces(w->store, w->alone, w->n_alone, err);

    if (st != IMS_E_NOT_FOUND)
        return st;
    st = IMS_OK;
    for (size_t i = 0; !st && i < w->n_alone; i++) {
        st = ims_store_commit_faces(w->store, &w->alone[i], 1, err);
        if (st == IMS_E_NOT_FOUND) {
            w->alone[i].faces->state = IMS_STORE_QUEUED;
            st = IMS_OK;
        }
    }
    return st;
}

static ims_status commit(struct writer *w, ims_err *err)
{
    ims_status st = fill(w, err);

    if (!st && w->n_items)
        st = ims_store_commit(w->store, IMS_TASK_CLIP, w->g->e->model_id, w->items, w->n_items, err);
    if (!st && w->n_alone)
        st = commit_alone(w, err);
    return st;
}

/* ---- counting ---- */

static void note_failure(struct ims_ingest *g, const struct ims_job *j, bool is_of_faces)
{
    const struct ims_job_faces *f = &j->faces;

    if (j->failure)
        ims__ingest_note(g, j->path, j->reason, j->detail);
    else if (!is_of_faces)
        ims__ingest_note(g, j->path, "bad_vector", "the vector is not usable");
    else
        ims__ingest_note(g, j->path, f->reason ? f->reason : "bad_vector",
                         f->reason ? f->detail : "the faces found are not usable");
}

/* A known content whose vector or faces were purged before the commit stays queued: the feed's second pass
 * finds it, so it is neither done nor failed here. */
static void count(struct ims_ingest *g, const struct ims_job *j, const struct ims_store_item *item,
                  const struct ims_store_faces_in *faces)
{
    bool has_failed = item && item->state == IMS_STORE_FAILED;
    bool have_faces_failed = faces && faces->state == IMS_STORE_FAILED;

    g->settled++;
    if ((item && item->state == IMS_STORE_QUEUED) || (faces && faces->state == IMS_STORE_QUEUED))
        return;
    if (has_failed || have_faces_failed) {
        g->errors++;
        ims__figure_add(g->e, IMS_FIGURE_FAILED, 1);
        note_failure(g, j, !has_failed);
    } else if (j->is_duplicate) {
        g->duplicates++;
        ims__figure_add(g->e, IMS_FIGURE_DUPLICATES, 1);
    }
    if (item && item->is_moved)
        g->moved++;
    if (faces && !have_faces_failed) {
        g->n_faces += faces->n_faces;
        ims__figure_add(g->e, IMS_FIGURE_FACES, faces->n_faces);
    }
    g->done++;
    ims__figure_add(g->e, IMS_FIGURE_DONE, 1);
}

static void flush(struct writer *w)
{
    struct ims_ingest *g = w->g;
    const struct ims_store_item *item = w->items;
    uint64_t start;
    ims_err err;
    ims_status st = g->has_failed ? IMS_E_CANCELLED : IMS_OK;

    if (!st && w->n) {
        ims__lock(&g->lock);
        if (!g->e->used.runtime[0] && g->has_faces)
            ims__engine_note_face_device(g->e);
        w->used = g->e->used;
        ims__unlock(&g->lock);
        start = ims__mono_ns();
        st = commit(w, &err);
        ims__ingest_count(g, IMS_FIGURE_WRITE_N, st ? 0 : w->n, ims__mono_ns() - start);
        if (st)
            ims__ingest_fatal(g, st, &err);
    }
    for (size_t i = 0; i < w->n; i++) {
        struct ims_job *j = w->jobs[i];

        if (!st)
            count(g, j, j->is_clip_due ? item++ : NULL, j->is_faces_due ? &w->faces[i] : NULL);
        ims__job_free(j);
    }
    w->n = 0;
    ims__arena_release(&w->arena);
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
        ims__arena_init(&w->arena, 0);
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
