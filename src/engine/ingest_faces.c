/* Ingest, in the readers: the faces of a decoded picture are found and cut out of its full resolution, so
 * that the pixels need not wait for anything behind.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/limits.h"
#include "engine/ingest.h"

#include <stdio.h>
#include <string.h>

#define ROOM_STEP_MS 20

void ims__job_fail_faces(struct ims_job *j, ims_status st, const char *reason, const ims_err *why)
{
    j->faces.failure = st;
    j->faces.reason = reason;
    snprintf(j->faces.detail, sizeof(j->faces.detail), "%.255s", why ? why->text : ims_status_text(st));
}

/* What is the picture's fault, or a moment's, by its reason; NULL: the device or the models are at fault. */
static const char *failure_word(ims_status st)
{
    switch (st) {
    case IMS_E_MODEL:
        return "bad_detection";
    case IMS_E_INVALID:
    case IMS_E_LIMIT:
        return "odd_picture";
    case IMS_E_NOMEM:
        return "out_of_memory";
    default:
        return NULL;
    }
}

static ims_status detect(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image,
                         const struct ims_rgb_view *view, struct ims_face_list *out, ims_err *err)
{
    struct ims_face_models *models = g->e->faces;
    struct ims_compute_report report;
    struct ims_face_input input = { 0 };
    uint64_t start;
    struct ims_pool_place place = { .slot = 0 };
    ims_status st = ims_face_prepare(models, view, &input, err);

    if (!st)
        st = ims_media_to_srgb(g->e->media, image, input.pixels, input.n_px, NULL, err);
    input.min_score = (float)g->min_face_score;
    input.min_size_px = (float)g->min_face_px;
    start = ims__mono_ns();
    if (!st)
        st = ims_face_detect(models, &input, 1, out, &place, err);
    j->faces.detect_ms = (double)(ims__mono_ns() - start) / 1e6;
    ims__ingest_count(g, IMS_FIGURE_DETECT_N, 1, ims__mono_ns() - start);
    g->face_times.detect_ns += ims__mono_ns() - start;
    ims_face_input_release(&input);
    if (!st && ims_pool_slot_report(ims_face_pool(models, IMS_FACE_DETECT), place.slot, &report)) {
        memcpy(j->faces.device, report.device_name, sizeof(j->faces.device));
        memcpy(j->faces.provider, report.provider, sizeof(j->faces.provider));
    }
    return st;
}

static size_t crop_bytes(ims_face_part part)
{
    size_t side = (size_t)ims_face_crop_side(part);

    return side * side * 3;
}

static ims_status allocate(const struct ims_ingest *g, struct ims_job_faces *f, size_t n, ims_err *err)
{
    bool is_ok = true;

    f->faces = ims__alloc(n, sizeof(*f->faces));
    f->affines = ims__alloc(n, sizeof(*f->affines));
    for (int part = IMS_FACE_EMBED; part < IMS_FACE_N_PARTS; part++) {
        if (!ims_face_has(g->e->faces, (ims_face_part)part))
            continue;
        f->crops[part] = ims__alloc(n, crop_bytes((ims_face_part)part));
        f->crop_bytes += n * crop_bytes((ims_face_part)part);
        is_ok = is_ok && f->crops[part];
    }
    return is_ok && f->faces && f->affines ? IMS_OK
                                           : ims_fail(err, IMS_E_NOMEM, "ingest", 0, "memory for %zu faces", n);
}

/* All crops of one face, as number k. IMS_E_INVALID, IMS_E_UNSUPPORTED: its points are of no use. */
static ims_status cut_out(const struct ims_rgb_view *view, const struct ims_face *face, struct ims_job_faces *f,
                          size_t k, ims_err *err)
{
    ims_status st = IMS_OK;

    for (int i = IMS_FACE_EMBED; !st && i < IMS_FACE_N_PARTS; i++) {
        ims_face_part part = (ims_face_part)i;

        if (f->crops[i])
            st = ims_face_crop(part, view, face, f->crops[i] + k * crop_bytes(part),
                               part == IMS_FACE_LANDMARKS ? &f->affines[k] : NULL, err);
    }
    return st;
}

static ims_status convert(struct ims_ingest *g, const struct ims_image *image, const struct ims_job_faces *f,
                          ims_err *err)
{
    ims_status st = IMS_OK;

    for (int i = IMS_FACE_EMBED; !st && image->icc && i < IMS_FACE_N_PARTS; i++) {
        if (f->crops[i])
            st = ims_media_to_srgb(g->e->media, image, f->crops[i], f->n * crop_bytes((ims_face_part)i) / 3, NULL,
                                   err);
    }
    return st;
}

/* A face whose points are of no use cannot be recognised: it is left out, counted and reported. */
static ims_status cut_out_all(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image,
                              const struct ims_rgb_view *view, const struct ims_face_list *list, ims_err *err)
{
    struct ims_job_faces *f = &j->faces;
    ims_status st = list->n ? allocate(g, f, list->n, err) : IMS_OK;

    for (size_t i = 0; !st && i < list->n; i++) {
        st = cut_out(view, &list->faces[i], f, f->n, err);
        if (st == IMS_E_INVALID || st == IMS_E_UNSUPPORTED) {
            g->n_unusable_faces++;
            ims__ingest_note(g, j->path, "unusable_face", err->text);
            st = IMS_OK;
        } else if (!st) {
            f->faces[f->n++] = list->faces[i];
        }
    }
    return st ? st : convert(g, image, f, err);
}

ims_status ims__ingest_find_faces(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image,
                                  ims_err *err)
{
    const struct ims_rgb_view view = { image->rgb, image->width, image->height, image->stride_bytes };
    struct ims_face_list list = { 0 };
    const char *word;
    uint64_t start;
    ims_status st = detect(g, j, image, &view, &list, err);

    start = ims__mono_ns();
    if (!st)
        st = cut_out_all(g, j, image, &view, &list, err);
    if (!st && !g->options->no_thumbnails)
        st = ims__ingest_store_face_thumbs(g, j, image, err);
    j->faces.align_ms = (double)(ims__mono_ns() - start) / 1e6;
    ims__ingest_count(g, IMS_FIGURE_ALIGN_N, st ? 0 : list.n, ims__mono_ns() - start);
    g->face_times.align_ns += ims__mono_ns() - start;
    ims_face_list_release(&list);
    word = failure_word(st);
    if (!st || !word)
        return st;
    j->faces.n = 0;
    ims__job_fail_faces(j, st, word, err);
    return IMS_OK;
}

void ims__ingest_take_room(struct ims_ingest *g, const struct ims_job *j)
{
    uint64_t start = ims__mono_ns();
    size_t n = j->faces.crop_bytes;

    if (n == 0)
        return;
    g->n_waiting++;
    ims__lock(&g->lock);
    while (g->crop_bytes > 0 && g->crop_bytes + n > IMS_INGEST_MAX_CROP_BYTES && !g->has_failed)
        ims__cond_wait(&g->changed, &g->lock, ROOM_STEP_MS);
    g->crop_bytes += n;
    ims__unlock(&g->lock);
    g->n_waiting--;
    g->face_times.wait_ns += ims__mono_ns() - start;
}
