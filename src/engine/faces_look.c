/* The faces of one file as the models see them, without a library: nothing is stored.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/engine_internal.h"

#include <stdio.h>
#include <string.h>

#define CROP_QUALITY 92
#define PICTURE_QUALITY 85

struct look {
    struct ims_engine *e;
    const struct ims_faces_look_options *o;
    struct ims_image *image;
    struct ims_rgb_view view;
    struct ims_face_list list;
    struct ims_seen_faces *out;
};

void ims_seen_faces_release(struct ims_seen_faces *s)
{
    for (size_t i = 0; i < s->n; i++)
        ims__free(s->faces[i].crop_jpeg);
    ims__free(s->faces);
    ims__free(s->picture_jpeg);
    *s = (struct ims_seen_faces){ .faces = NULL };
}

static ims_status need_models(struct ims_engine *e, ims_err *err)
{
    char why[sizeof(err->text)] = "";
    ims_status st = ims__engine_need_faces(e, why, sizeof(why), err);

    if (!st && !e->faces)
        st = ims_fail(err, IMS_E_MODEL, "engine", 0, "%s", why);
    return st;
}

static ims_status detect(struct look *l, ims_err *err)
{
    struct ims_face_input input = { 0 };
    uint64_t start = ims__mono_ns();
    ims_status st = ims_face_prepare(l->e->faces, &l->view, &input, err);

    if (!st)
        st = ims_media_to_srgb(l->e->media, l->image, input.pixels, input.n_px, NULL, err);
    if (!st)
        st = ims_face_detect(l->e->faces, &input, 1, &l->list, NULL, err);
    ims_face_input_release(&input);
    l->out->detect_ms = (double)(ims__mono_ns() - start) / 1e6;
    return st;
}

/* A new block of the part's crops, in sRGB. affines may be NULL. */
static ims_status cut(struct look *l, ims_face_part part, struct ims_face_affine *affines,
                      uint8_t **out, ims_err *err)
{
    const size_t side = (size_t)ims_face_crop_side(part), n = l->list.n;
    uint8_t *crops = ims__zalloc(n, side * side * 3);
    ims_status st =
        crops ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for %zu faces", n);

    for (size_t i = 0; !st && i < n; i++)
        st = ims_face_crop(part, &l->view, &l->list.faces[i], crops + i * side * side * 3,
                           affines ? &affines[i] : NULL, err);
    if (!st)
        st = ims_media_to_srgb(l->e->media, l->image, crops, n * side * side, NULL, err);
    if (st)
        ims__free(crops);
    else
        *out = crops;
    return st;
}

/* Upright faces as pictures. One whose points are of no use has none, and says so by that. */
static ims_status add_crops(struct look *l, ims_err *err)
{
    uint8_t rgb[IMS_FACE_EMBED_SIDE_PX * IMS_FACE_EMBED_SIDE_PX * 3];
    const int side = IMS_FACE_EMBED_SIDE_PX;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < l->list.n; i++) {
        struct ims_seen_face *f = &l->out->faces[i];
        st = ims_face_crop(IMS_FACE_EMBED, &l->view, &l->list.faces[i], rgb, NULL, err);
        f->is_usable = !st;
        if (st == IMS_E_INVALID || st == IMS_E_UNSUPPORTED) {
            st = IMS_OK;
            continue;
        }
        if (st || !l->o->with_pictures)
            continue;
        st = ims_media_to_srgb(l->e->media, l->image, rgb, (size_t)side * (size_t)side, NULL, err);
        if (!st)
            st = ims_media_encode_jpeg(l->e->media, rgb, side, side, (size_t)side * 3, CROP_QUALITY,
                                       &f->crop_jpeg, &f->crop_bytes, err);
    }
    return st;
}

static ims_status add_ages(struct look *l, ims_err *err)
{
    struct ims_face_gender_age *ages = ims__zalloc(l->list.n, sizeof(*ages));
    uint8_t *crops = NULL;
    ims_status st = ages ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for faces");

    if (!st)
        st = cut(l, IMS_FACE_GENDER_AGE, NULL, &crops, err);
    if (!st)
        st = ims_face_gender_age(l->e->faces, crops, l->list.n, ages, err);
    for (size_t i = 0; !st && i < l->list.n; i++) {
        l->out->faces[i].has_age = true;
        l->out->faces[i].is_male = ages[i].is_male;
        l->out->faces[i].age = ages[i].age;
    }
    ims__free(crops);
    ims__free(ages);
    return st;
}

static ims_status add_poses(struct look *l, ims_err *err)
{
    struct ims_face_affine *affines = ims__zalloc(l->list.n, sizeof(*affines));
    struct ims_face_shape *shapes = ims__zalloc(l->list.n, sizeof(*shapes));
    uint8_t *crops = NULL;
    ims_status st =
        affines && shapes ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for faces");

    if (!st)
        st = cut(l, IMS_FACE_LANDMARKS, affines, &crops, err);
    if (!st)
        st = ims_face_landmarks(l->e->faces, crops, affines, l->list.n, shapes, err);
    for (size_t i = 0; !st && i < l->list.n; i++) {
        struct ims_seen_face *f = &l->out->faces[i];
        f->has_pose = true;
        f->pitch = (double)shapes[i].pitch;
        f->yaw = (double)shapes[i].yaw;
        f->roll = (double)shapes[i].roll;
    }
    ims__free(crops);
    ims__free(affines);
    ims__free(shapes);
    return st;
}

static struct ims_seen_face seen(const struct ims_face *f)
{
    struct ims_seen_face s = { .x = (double)f->x,
                               .y = (double)f->y,
                               .width = (double)f->width,
                               .height = (double)f->height,
                               .score = (double)f->score,
                               .has_points = f->has_points };

    s.quality = ims_face_quality(s.width, s.height, s.score);
    for (size_t i = 0; i < IMS_FACE_N_POINTS; i++) {
        s.points[i][0] = (double)f->points[i][0];
        s.points[i][1] = (double)f->points[i][1];
    }
    return s;
}

static ims_status describe(struct look *l, ims_err *err)
{
    struct ims_face_models *m = l->e->faces;
    struct ims_seen_faces *out = l->out;
    ims_status st = IMS_OK;

    out->faces = ims__zalloc(l->list.n, sizeof(*out->faces));
    if (!out->faces)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for %zu faces", l->list.n);
    out->n = l->list.n;
    for (size_t i = 0; i < out->n; i++)
        out->faces[i] = seen(&l->list.faces[i]);
    if (out->n) {
        st = add_crops(l, err);
        if (!st && ims_face_has(m, IMS_FACE_GENDER_AGE))
            st = add_ages(l, err);
        if (!st && ims_face_has(m, IMS_FACE_LANDMARKS))
            st = add_poses(l, err);
    }
    if (!st && l->o->with_pictures)
        st = ims_media_thumbnail(l->e->media, l->image,
                                 l->o->picture_px ? (int)l->o->picture_px : 1024, PICTURE_QUALITY,
                                 &out->picture_jpeg, &out->picture_bytes, err);
    return st;
}

static ims_status look_at(struct look *l, const struct ims_buf *bytes, ims_err *err)
{
    struct ims_compute_report report;
    uint64_t start = ims__mono_ns();
    ims_status st = ims_media_decode(l->e->media, (const uint8_t *)bytes->data, bytes->len, NULL,
                                     &l->image, err);

    if (st)
        return st;
    l->out->decode_ms = (double)(ims__mono_ns() - start) / 1e6;
    l->out->width = l->image->width;
    l->out->height = l->image->height;
    l->view = (struct ims_rgb_view){ l->image->rgb, l->image->width, l->image->height,
                                     l->image->stride_bytes };
    st = detect(l, err);
    if (!st)
        st = describe(l, err);
    if (!st && ims_pool_report(ims_face_pool(l->e->faces, IMS_FACE_DETECT), &report))
        snprintf(l->out->device, sizeof(l->out->device), "%s", report.device_name);
    return st;
}

ims_status ims_engine_look_at_faces(struct ims_engine *e, const char *path,
                                    const struct ims_faces_look_options *options,
                                    struct ims_seen_faces *out, ims_err *err)
{
    static const struct ims_faces_look_options none = { .with_pictures = false };
    struct ims_seen_faces seen_faces = { .faces = NULL };
    struct look l = { .e = e, .o = options ? options : &none, .out = &seen_faces };
    char shown[IMS_SHOWN_BYTES];
    struct ims_buf bytes;
    ims_status st = ims__read_file(path, IMS_MAX_IMAGE_BYTES, &bytes, NULL, err);

    if (st)
        return st;
    st = ims__engine_need_media(e, err);
    if (!st)
        st = need_models(e, err);
    if (!st) {
        st = look_at(&l, &bytes, err);
        if (st)
            st = ims_fail_in(err, st, "%s", ims__shown(shown, sizeof(shown), ims__path_base(path)));
    }
    if (!st) {
        seen_faces.model = e->face_pack->name;
        seen_faces.is_demo = e->face_pack->is_demo;
        *out = seen_faces;
        seen_faces = (struct ims_seen_faces){ .faces = NULL };
    }
    ims_seen_faces_release(&seen_faces);
    ims_face_list_release(&l.list);
    ims_image_unref(l.image);
    ims__buf_release(&bytes);
    return st;
}
