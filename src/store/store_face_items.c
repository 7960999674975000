/* Checks what a face model brings and makes it fit for SQL; pairs boxes by overlap.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_face_commit.h"

#include "base/buf.h"
#include "base/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_OVERLAP 0.5

static const char *const point_names[IMS_FACE_POINTS] = { "left_eye", "right_eye", "nose",
                                                          "mouth_left", "mouth_right" };

/* --- overlap --- */

double ims__box_overlap(const struct ims__box *a, const struct ims__box *b)
{
    double left = a->x > b->x ? a->x : b->x, top = a->y > b->y ? a->y : b->y;
    double right = fmin((double)a->x + a->w, (double)b->x + b->w);
    double bottom = fmin((double)a->y + a->h, (double)b->y + b->h);
    double common = fmax(0, right - left) * fmax(0, bottom - top);
    double all = (double)a->w * a->h + (double)b->w * b->h - common;

    return all > 0 ? common / all : 0;
}

struct pair {
    double overlap;
    int a, b;
};

static int compare_pairs(const void *pa, const void *pb)
{
    const struct pair *a = pa, *b = pb;

    if (a->overlap != b->overlap)
        return a->overlap < b->overlap ? 1 : -1;
    return a->a != b->a ? (a->a > b->a) - (a->a < b->a) : (a->b > b->b) - (a->b < b->b);
}

ims_status ims__pair_boxes(const struct ims__box *a, size_t n_a, const struct ims__box *b,
                           size_t n_b, int *pairs, ims_err *err)
{
    struct ims__store_list l = { .item_size = sizeof(struct pair) };
    bool *is_used = ims__zalloc(n_b, sizeof(*is_used));
    const struct pair *all;
    ims_status st = is_used ? IMS_OK : ims__store_nomem(err);

    for (size_t i = 0; i < n_a; i++)
        pairs[i] = -1;
    for (size_t i = 0; !st && i < n_a; i++) {
        for (size_t k = 0; !st && k < n_b; k++) {
            double overlap = ims__box_overlap(&a[i], &b[k]);
            struct pair *p = overlap >= MIN_OVERLAP ? ims__store_list_add(&l, err) : NULL;

            if (p)
                *p = (struct pair){ overlap, (int)i, (int)k };
            else if (overlap >= MIN_OVERLAP)
                st = IMS_E_NOMEM;
        }
    }
    if (!st && l.n)
        qsort(l.items, l.n, l.item_size, compare_pairs);
    all = l.items;
    for (size_t i = 0; !st && i < l.n; i++) {
        if (pairs[all[i].a] >= 0 || is_used[all[i].b])
            continue;
        pairs[all[i].a] = all[i].b;
        is_used[all[i].b] = true;
    }
    ims__free(l.items);
    ims__free(is_used);
    return st;
}

/* --- one face --- */

static bool is_sane(const struct ims_store_face_in *f)
{
    if (f->w <= 0 || f->h <= 0 || f->w > IMS_MAX_FACE_COORDINATE ||
        f->h > IMS_MAX_FACE_COORDINATE || abs(f->x) > IMS_MAX_FACE_COORDINATE ||
        abs(f->y) > IMS_MAX_FACE_COORDINATE)
        return false;
    return isfinite(f->score) && isfinite(f->quality);
}

static ims_status clean_landmarks(struct ims_arena *arena, const struct ims_store_face_in *f,
                                  const char **out, ims_err *err)
{
    struct ims_buf text;
    ims_status st;

    *out = NULL;
    for (int i = 0; i < IMS_FACE_POINTS; i++) {
        if (!f->has_points || !isfinite(f->points[i][0]) || !isfinite(f->points[i][1]))
            return IMS_OK; /* five or none */
    }
    ims__buf_init(&text, IMS_KIB);
    for (int i = 0; i < IMS_FACE_POINTS; i++)
        (void)ims__buf_addf(&text, "%s\"%s\":[%.2f,%.2f]", i ? "," : "{", point_names[i],
                            (double)f->points[i][0], (double)f->points[i][1]);
    (void)ims__buf_add_char(&text, '}');
    st = ims__buf_status(&text);
    if (!st) {
        *out = ims__arena_strndup(arena, text.data, text.len);
        st = *out ? IMS_OK : IMS_E_NOMEM;
    }
    ims__buf_release(&text);
    return st ? ims__store_nomem(err) : IMS_OK;
}

static void refuse(struct ims__face_picture *p, ims_status st, const char *reason,
                   const char *detail)
{
    p->failure = st;
    p->reason = reason;
    p->detail = detail;
}

/* Adds the row of a face; a bad one makes the picture a failure instead. */
static ims_status clean_face(struct ims__face_batch *b, size_t picture, struct ims_store_face_in *f,
                             ims_err *err)
{
    struct ims__face_picture *p = &b->pictures[picture];
    struct ims__face_row *row = &b->rows[b->n_rows];
    void *stored;

    if (!is_sane(f)) {
        refuse(p, IMS_E_RUNTIME, "bad_face",
               "the model found a box without area or out of all bounds");
        return IMS_OK;
    }
    if (!f->vector || !ims__store_is_unit(f->vector, b->dim, NULL)) {
        refuse(p, IMS_E_RUNTIME, "bad_vector", "the vector of a face has not length 1");
        return IMS_OK;
    }
    *row = (struct ims__face_row){ .picture = picture, .in = f };
    for (size_t i = b->n_rows; i-- > 0 && b->rows[i].picture == picture;) {
        const struct ims_store_face_in *g = b->rows[i].in;

        if (g->x == f->x && g->y == f->y && g->w == f->w && g->h == f->h)
            row->is_double = true;
    }
    stored = ims__arena_alloc(&b->arena, (size_t)b->dim, sizeof(float));
    if (!stored)
        return ims__store_nomem(err);
    ims__store_put_f32(stored, f->vector, (size_t)b->dim);
    row->vector = stored;
    b->n_rows++;
    return clean_landmarks(&b->arena, f, &row->landmarks_json, err);
}

static ims_status checksum_of(struct ims__face_batch *b, struct ims__face_picture *p, size_t first,
                              ims_err *err)
{
    struct ims_sha256 *h = NULL;
    uint8_t digest[IMS_SHA256_BYTES];
    char *hex = ims__arena_alloc(&b->arena, IMS_SHA256_HEX, 1);
    ims_status st = hex ? ims__sha256_new(&h, err) : ims__store_nomem(err);

    for (size_t i = first; !st && i < b->n_rows; i++)
        st = ims__sha256_add(h, b->rows[i].vector, (size_t)b->dim * sizeof(float), err);
    if (!st)
        st = ims__sha256_end(h, digest, err);
    ims__sha256_free(h);
    if (st)
        return st;
    ims__hex(digest, sizeof(digest), hex);
    p->checksum = hex;
    return IMS_OK;
}

/* --- a picture --- */

static ims_status check_picture(const struct ims__face_batch *b,
                                const struct ims_store_faces_in *in, ims_err *err)
{
    if (in->model_id != b->model_id)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "faces of two models in one batch");
    if (!in->failure != !in->reason || (in->reason && !*in->reason))
        return ims_fail(err, IMS_E_INVALID, "store", 0,
                        "a failure has a status and a reason, success neither");
    if ((in->failure || in->is_known) && in->n_faces)
        return ims_fail(err, IMS_E_INVALID, "store", 0,
                        "faces with a failure, or of a known content");
    if (in->evidence && !in->evidence->device)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "evidence without a device");
    return IMS_OK;
}

static ims_status clean_picture(struct ims__face_batch *b, size_t picture, ims_err *err)
{
    struct ims__face_picture *p = &b->pictures[picture];
    struct ims_store_faces_in *in = p->in;
    size_t first = b->n_rows;
    ims_status st = check_picture(b, in, err);

    if (!st)
        st = ims__store_clean_text(&b->arena, in->reason, &p->reason, err);
    if (!st)
        st = ims__store_clean_text(&b->arena, in->detail, &p->detail, err);
    if (!st && in->evidence)
        st = ims__store_clean_text(&b->arena, in->evidence->metadata_json, &p->metadata_json, err);
    p->failure = in->failure;
    if (in->n_faces > IMS_MAX_FACES_PER_PHOTO)
        refuse(p, IMS_E_LIMIT, "too_many_faces",
               "the model found more faces than a photo may have");
    for (size_t i = 0; !st && !p->reason && i < in->n_faces; i++)
        st = clean_face(b, picture, &in->faces[i], err);
    if (p->reason)
        b->n_rows = first;
    if (!st && b->n_rows > first)
        st = checksum_of(b, p, first, err);
    return st;
}

ims_status ims__face_batch_init(struct ims__face_batch *b, size_t n, ims_err *err)
{
    memset(b, 0, sizeof(*b));
    ims__arena_init(&b->arena, 0);
    b->pictures = ims__zalloc(n, sizeof(*b->pictures));
    return b->pictures ? IMS_OK : ims__store_nomem(err);
}

void ims__face_batch_release(struct ims__face_batch *b)
{
    ims__free(b->pictures);
    ims__free(b->rows);
    ims__free(b->values);
    ims__free(b->chosen);
    ims__arena_release(&b->arena);
}

ims_status ims__face_batch_clean(struct ims_store *s, struct ims__face_batch *b, ims_err *err)
{
    bool is_of_faces = false;
    size_t n = 0;
    ims_status st;

    if (!b->n_pictures)
        return IMS_OK;
    b->model_id = b->pictures[0].in->model_id;
    st = ims__store_model_shape(s, b->model_id, &b->dim, &is_of_faces, err);
    if (!st && !is_of_faces)
        st = ims_fail(err, IMS_E_INVALID, "store", 0, "model %lld is no face model",
                      (long long)b->model_id);
    if (st)
        return st;
    for (size_t i = 0; i < b->n_pictures; i++)
        n += b->pictures[i].in->n_faces;
    b->rows = ims__zalloc(n, sizeof(*b->rows));
    if (!b->rows)
        return ims__store_nomem(err);
    for (size_t i = 0; !st && i < b->n_pictures; i++)
        st = clean_picture(b, i, err);
    return st;
}

void ims__face_batch_publish(struct ims__face_batch *b)
{
    for (size_t i = 0; i < b->n_pictures; i++) {
        b->pictures[i].in->state = b->pictures[i].state;
        for (size_t k = 0; k < b->pictures[i].in->n_faces; k++)
            b->pictures[i].in->faces[k].id = 0;
    }
    for (size_t i = 0; i < b->n_rows; i++)
        b->rows[i].in->id = b->rows[i].is_double ? 0 : b->rows[i].id;
}
