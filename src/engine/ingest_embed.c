/* Ingest, third part: pictures and the faces in them to vectors, in batches.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/ingest.h"

#include <string.h>

#define GATHER_MS 200 /* how long a batch that is not full waits for the next, when one is on its way */
#define GATHER_STEP_MS 20

struct batcher {
    struct ims_ingest *g;
    size_t room;       /* pictures that the arrays hold: a batch for each device */
    size_t max;        /* pictures at a time; halved when memory is short */
    size_t px_bytes;   /* of one picture; 0 when only faces are looked for, as is the next */
    size_t dim;
    uint8_t *pixels;
    float *vectors;
    struct ims_pool_place *places; /* where in the model's pool each was computed */
    struct ims_job **jobs;
    struct ims_job **clip_jobs; /* of them, those that need a vector of the picture */
};

static ims_status embed(struct batcher *b, size_t first, size_t n, ims_err *err)
{
    struct ims_ingest *g = b->g;

    for (size_t i = 0; i < n; i++)
        memcpy(b->pixels + i * b->px_bytes, b->clip_jobs[first + i]->pixels, b->px_bytes);
    return ims_clip_embed_images_on(g->e->clip, b->pixels, n, b->vectors + first * g->info->dim,
                                    b->places + first, err);
}

/* The model refused a batch: the pictures one by one, so that only the guilty fail. */
static ims_status embed_singly(struct batcher *b, size_t first, size_t n, ims_err *err)
{
    for (size_t i = first; i < first + n; i++) {
        ims_status st = embed(b, i, 1, err);

        if (st == IMS_E_MODEL)
            ims__job_fail(b->clip_jobs[i], st, "bad_vector", err);
        else if (st)
            return st;
    }
    return IMS_OK;
}

/* All n jobs, in pieces of at most max; a piece that does not fit into memory is halved. */
static ims_status embed_all(struct batcher *b, size_t n, ims_err *err)
{
    size_t first = 0;
    ims_status st = IMS_OK;

    while (!st && first < n) {
        size_t piece = n - first < b->max ? n - first : b->max;

        st = embed(b, first, piece, err);
        if (st == IMS_E_NOMEM && piece > 1) {
            b->max = piece / 2;
            st = IMS_OK;
            continue;
        }
        if (st == IMS_E_MODEL)
            st = embed_singly(b, first, piece, err);
        first += piece;
        b->g->n_batches++;
        ims__figure_add(b->g->e, IMS_FIGURE_BATCHES, 1);
    }
    return st;
}

/* Failed ones were computed nowhere. */
static void note_place(struct ims_ingest *g, struct ims_job *j, struct ims_pool_place place)
{
    struct ims_compute_report report;

    if (j->failure || !ims_pool_slot_report(ims_clip_pool(g->e->clip, IMS_CLIP_IMAGE), place.slot, &report))
        return;
    j->batch = place.batch;
    memcpy(j->device, report.device_name, sizeof(j->device));
    memcpy(j->provider, report.provider, sizeof(j->provider));
}

/* Copies what was computed for each of the first n pictures that needed it. */
static void take_vectors(struct batcher *b, size_t n, uint64_t start_ns)
{
    struct ims_ingest *g = b->g;
    double ms = (double)(ims__mono_ns() - start_ns) / 1e6;

    for (size_t i = 0; i < n; i++) {
        struct ims_job *j = b->clip_jobs[i];

        j->embedding_ms = ms / (double)n;
        ims__free(j->pixels);
        j->pixels = NULL;
        note_place(g, j, b->places[i]);
        if (!j->failure)
            j->vector = ims__memdup(b->vectors + i * g->info->dim, g->info->dim * sizeof(float));
        if (!j->failure && !j->vector)
            ims__job_fail(j, IMS_E_NOMEM, "out_of_memory", NULL);
    }
}

static void hand_over(struct batcher *b, size_t n)
{
    struct ims_ingest *g = b->g;

    for (size_t i = 0; i < n; i++) {
        struct ims_job *j = b->jobs[i];

        j->total_ms = (double)(ims__mono_ns() - j->started_ns) / 1e6;
        if (j->vector) {
            j->metadata = ims__ingest_evidence(g, j);
            if (!j->metadata) {
                ims__free(j->vector);
                j->vector = NULL;
                ims__job_fail(j, IMS_E_NOMEM, "out_of_memory", NULL);
            }
        }
        if (!ims__chan_push(g->to_write, j))
            ims__job_free(j);
    }
}

static size_t gather(struct batcher *b, bool *out_is_closed)
{
    struct ims_ingest *g = b->g;
    size_t want = b->room, n = 0;
    unsigned waited_ms = 0;
    void *item;

    *out_is_closed = !ims__chan_pop(g->to_embed, &item);
    if (*out_is_closed)
        return 0;
    b->jobs[n++] = item;
    g->coming--;
    /* a reader that waits for room for its faces waits for this batch */
    while (n < want && g->coming > 0 && !g->n_waiting && waited_ms < GATHER_MS && !*out_is_closed) {
        if (ims__chan_pop_timed(g->to_embed, &item, GATHER_STEP_MS, out_is_closed)) {
            b->jobs[n++] = item;
            g->coming--;
            waited_ms = 0;
        } else {
            waited_ms += GATHER_STEP_MS;
        }
    }
    return n;
}

static ims_status compute(struct batcher *b, size_t n, ims_err *err)
{
    struct ims_ingest *g = b->g;
    uint64_t start = ims__mono_ns();
    size_t n_clip = 0;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < n; i++) {
        if (b->jobs[i]->pixels)
            b->clip_jobs[n_clip++] = b->jobs[i];
    }
    if (n_clip)
        st = embed_all(b, n_clip, err);
    if (!st && n_clip) {
        take_vectors(b, n_clip, start);
        ims__lock(&g->lock); /* the writer reads it */
        ims__engine_note_device(g->e, true);
        ims__unlock(&g->lock);
    }
    ims__ingest_count(g, IMS_FIGURE_EMBED_N, n_clip, ims__mono_ns() - start);
    if (!st && g->has_faces)
        st = ims__ingest_recognise(g, b->jobs, n, err);
    g->embed.wall_ns += ims__mono_ns() - start;
    return st;
}

static void run_batch(struct batcher *b, size_t n)
{
    struct ims_ingest *g = b->g;
    ims_err err;
    ims_status st = g->has_failed ? IMS_E_CANCELLED : compute(b, n, &err);

    if (!st) {
        hand_over(b, n);
        return;
    }
    if (!g->has_failed)
        ims__ingest_fatal(g, st, &err);
    for (size_t i = 0; i < n; i++)
        ims__job_free(b->jobs[i]);
}

static void release(struct batcher *b)
{
    ims__free(b->pixels);
    ims__free(b->vectors);
    ims__free(b->places);
    ims__free(b->jobs);
    ims__free(b->clip_jobs);
}

static bool make_room(struct batcher *b, size_t n)
{
    release(b);
    b->room = b->max = n;
    b->pixels = ims__alloc(n, b->px_bytes);
    b->vectors = ims__alloc(n * b->dim, sizeof(float));
    b->places = ims__zalloc(n, sizeof(*b->places));
    b->jobs = ims__alloc(n, sizeof(*b->jobs));
    b->clip_jobs = ims__alloc(n, sizeof(*b->clip_jobs));
    return b->pixels && b->vectors && b->places && b->jobs && b->clip_jobs;
}

/* Known after the first batch. */
static size_t n_devices(const struct ims_ingest *g)
{
    return g->has_clip ? ims_pool_n_devices(ims_clip_pool(g->e->clip, IMS_CLIP_IMAGE))
                       : ims_pool_n_devices(ims_face_pool(g->e->faces, IMS_FACE_EMBED));
}

void ims__ingest_embed(void *arg)
{
    struct ims_ingest *g = arg;
    size_t batch = g->e->options.batch_size;
    struct batcher b = { .g = g };
    bool is_closed = false, has_room;
    void *item;
    ims_err err;

    if (g->has_clip) {
        b.px_bytes = (size_t)g->info->preprocess.width * (size_t)g->info->preprocess.height * 3;
        b.dim = g->info->dim;
    }
    has_room = make_room(&b, batch);
    while (has_room && !is_closed) {
        size_t n = gather(&b, &is_closed);

        if (n)
            run_batch(&b, n);
        if (n_devices(g) * batch > b.room)
            has_room = make_room(&b, n_devices(g) * batch);
    }
    if (!has_room) {
        ims__ingest_fatal(g, ims_fail(&err, IMS_E_NOMEM, "ingest", 0, "memory for a batch of %zu", b.room), &err);
        while (ims__chan_pop(g->to_embed, &item))
            ims__job_free(item);
    }
    release(&b);
    ims__chan_close(g->to_write);
}
