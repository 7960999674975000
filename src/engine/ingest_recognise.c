/* Ingest, in the embed thread: crops of faces to vectors, ages and poses, in batches that run across pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/ingest.h"

#include <string.h>

#define BATCH 64 /* crops in one call; the models cut it further */

/* A face of the batch: number k of a job. */
struct place {
    struct ims_job *job;
    size_t k;
};

struct recogniser {
    struct ims_ingest *g;
    struct place *places;
    size_t n;
    size_t max;           /* crops at a time; halved when memory is short */
    uint8_t *crops;       /* BATCH of the largest side */
    struct ims_face_affine affines[BATCH];
    float vectors[BATCH * IMS_FACE_DIM];
    struct ims_face_gender_age ages[BATCH];
    struct ims_face_shape shapes[BATCH];
};

/* ---- the parts: what each does with crops [0, n) that belong to places p[0..n) ---- */

static ims_status run_embed(struct recogniser *r, const struct place *p, size_t n, ims_err *err)
{
    ims_status st = ims_face_embed(r->g->e->faces, r->crops, n, r->vectors, NULL, NULL, err);

    for (size_t i = 0; !st && i < n; i++)
        memcpy(p[i].job->faces.vectors + p[i].k * IMS_FACE_DIM, r->vectors + i * IMS_FACE_DIM,
               IMS_FACE_DIM * sizeof(float));
    return st;
}

static ims_status run_ages(struct recogniser *r, const struct place *p, size_t n, ims_err *err)
{
    ims_status st = ims_face_gender_age(r->g->e->faces, r->crops, n, r->ages, err);

    for (size_t i = 0; !st && i < n; i++)
        p[i].job->faces.ages[p[i].k] = r->ages[i];
    return st;
}

static ims_status run_shapes(struct recogniser *r, const struct place *p, size_t n, ims_err *err)
{
    ims_status st;

    for (size_t i = 0; i < n; i++)
        r->affines[i] = p[i].job->faces.affines[p[i].k];
    st = ims_face_landmarks(r->g->e->faces, r->crops, r->affines, n, r->shapes, err);
    for (size_t i = 0; !st && i < n; i++)
        p[i].job->faces.shapes[p[i].k] = r->shapes[i];
    return st;
}

static const struct part {
    ims_face_part part;
    ims_status (*run)(struct recogniser *r, const struct place *p, size_t n, ims_err *err);
} parts[] = {
    { IMS_FACE_EMBED, run_embed },
    { IMS_FACE_GENDER_AGE, run_ages },
    { IMS_FACE_LANDMARKS, run_shapes },
};

/* ---- batches ---- */

static ims_status run_piece(struct recogniser *r, const struct part *part, size_t first, size_t n, ims_err *err)
{
    size_t side = (size_t)ims_face_crop_side(part->part), bytes = side * side * 3;

    for (size_t i = 0; i < n; i++) {
        const struct place *p = &r->places[first + i];

        memcpy(r->crops + i * bytes, p->job->faces.crops[part->part] + p->k * bytes, bytes);
    }
    return part->run(r, r->places + first, n, err);
}

/* The models refused a batch: its faces one by one, so that only the guilty picture fails. */
static ims_status run_singly(struct recogniser *r, const struct part *part, size_t first, size_t n, ims_err *err)
{
    for (size_t i = first; i < first + n; i++) {
        struct ims_job *j = r->places[i].job;
        ims_status st = j->faces.failure ? IMS_OK : run_piece(r, part, i, 1, err);

        if (st && st != IMS_E_MODEL)
            return st;
        if (st)
            ims__job_fail_faces(j, st, "bad_face", err);
    }
    return IMS_OK;
}

static ims_status run_part(struct recogniser *r, const struct part *part, ims_err *err)
{
    size_t first = 0;
    ims_status st = IMS_OK;

    while (!st && first < r->n) {
        size_t piece = r->n - first < r->max ? r->n - first : r->max;

        st = run_piece(r, part, first, piece, err);
        if (st == IMS_E_NOMEM && piece > 1) {
            r->max = piece / 2;
            st = IMS_OK;
            continue;
        }
        if (st == IMS_E_MODEL)
            st = run_singly(r, part, first, piece, err);
        first += piece;
    }
    return st;
}

/* ---- jobs ---- */

static bool is_wanted(const struct ims_job *j)
{
    return j->faces.n > 0 && !j->faces.failure && !j->failure;
}

/* Room for what the job's faces will give. */
static bool make_results(struct ims_job_faces *f)
{
    f->vectors = ims__alloc(f->n, IMS_FACE_DIM * sizeof(float));
    if (f->crops[IMS_FACE_GENDER_AGE])
        f->ages = ims__alloc(f->n, sizeof(*f->ages));
    if (f->crops[IMS_FACE_LANDMARKS])
        f->shapes = ims__alloc(f->n, sizeof(*f->shapes));
    return f->vectors && (f->ages || !f->crops[IMS_FACE_GENDER_AGE]) &&
           (f->shapes || !f->crops[IMS_FACE_LANDMARKS]);
}

static ims_status start(struct recogniser *r, struct ims_job *const *jobs, size_t n, ims_err *err)
{
    size_t n_faces = 0;
    bool is_ok = true;

    for (size_t i = 0; i < n; i++)
        n_faces += is_wanted(jobs[i]) ? jobs[i]->faces.n : 0;
    r->places = ims__alloc(n_faces, sizeof(*r->places));
    r->crops = ims__alloc(BATCH, (size_t)ims_face_crop_side(IMS_FACE_LANDMARKS) *
                                     (size_t)ims_face_crop_side(IMS_FACE_LANDMARKS) * 3);
    is_ok = r->places && r->crops;
    for (size_t i = 0; is_ok && i < n; i++) {
        if (!is_wanted(jobs[i]))
            continue;
        is_ok = make_results(&jobs[i]->faces);
        for (size_t k = 0; k < jobs[i]->faces.n; k++)
            r->places[r->n++] = (struct place){ jobs[i], k };
    }
    return is_ok ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "ingest", 0, "memory for %zu faces", n_faces);
}

static void drop_crops(struct ims_ingest *g, struct ims_job *const *jobs, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++) {
        struct ims_job_faces *f = &jobs[i]->faces;

        bytes += f->crop_bytes;
        f->crop_bytes = 0;
        for (int part = 0; part < IMS_FACE_N_PARTS; part++) {
            ims__free(f->crops[part]);
            f->crops[part] = NULL;
        }
    }
    ims__lock(&g->lock);
    g->crop_bytes -= bytes;
    ims__cond_broadcast(&g->changed);
    ims__unlock(&g->lock);
}

ims_status ims__ingest_recognise(struct ims_ingest *g, struct ims_job *const *jobs, size_t n, ims_err *err)
{
    struct recogniser *r = ims__zalloc(1, sizeof(*r));
    uint64_t begin = ims__mono_ns();
    double ms;
    ims_status st = IMS_OK;

    if (!r)
        st = ims_fail(err, IMS_E_NOMEM, "ingest", 0, "recognising faces");
    if (!st) {
        r->g = g;
        r->max = BATCH;
        st = start(r, jobs, n, err);
    }
    for (size_t i = 0; !st && r->n && i < IMS_ARRAY_LEN(parts); i++) {
        if (ims_face_has(g->e->faces, parts[i].part))
            st = run_part(r, &parts[i], err);
    }
    drop_crops(g, jobs, n);
    ms = (double)(ims__mono_ns() - begin) / 1e6;
    for (size_t i = 0; !st && r->n && i < n; i++) /* each has its share */
        jobs[i]->faces.recognise_ms = ms * (double)jobs[i]->faces.n / (double)r->n;
    ims__ingest_count(g, IMS_FIGURE_RECOGNISE_N, r ? r->n : 0, ims__mono_ns() - begin);
    g->face_times.recognise_ns += ims__mono_ns() - begin;
    if (r) {
        ims__free(r->places);
        ims__free(r->crops);
    }
    ims__free(r);
    return st;
}
