/* Faces in pictures: where they are, and the vector that tells whose they are.
 *
 * The work is cut where it changes hands, so that an ingest can put each stage on its own threads:
 *
 *     ims_face_prepare(m, &view, &input)        CPU    picture -> the detector's pixels
 *     ims_face_detect(m, inputs, n, lists)      device faces of n pictures, best score first
 *     ims_face_crop(m, part, &view, &face, ..)  CPU    one face -> the upright pixels of a part
 *     ims_face_embed(m, crops, n, ..)           device vectors of n faces of any pictures
 *     ims_face_gender_age, ims_face_landmarks   device the same for what the pack has besides
 *
 * Numbers are those of InsightFace on the same files: resizing, warping, decoding and suppression
 * follow its code and OpenCV's (docs/notes/face-models.md says where they do not). Pixels are 8-bit
 * RGB; coordinates are pixels of the oriented picture, x to the right, y down, a box being
 * [x, x + width) x [y, y + height).
 *
 * A handle is thread-safe, except open and close. Sessions open on first use, each part by itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FACE_FACE_H
#define IMS_MODELS_FACE_FACE_H

#include "compute/compute.h"
#include "compute/pool.h"
#include "ims/status.h"
#include "kernels/bilinear.h"
#include "models/face/face_pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_FACE_DIM 512 /* floats of a vector; every pack that is supported has this many */
#define IMS_FACE_MAX_SCALES 2
#define IMS_FACE_MAX_PER_IMAGE 2000
#define IMS_FACE_EMBED_SIDE_PX 112
#define IMS_FACE_DETECT_BATCH                                                                      \
    4 /* pictures per run of the detector, where its graph takes several */

struct ims_face_models;

typedef enum ims_face_point {
    IMS_FACE_LEFT_EYE, /* left in the picture, as are the others */
    IMS_FACE_RIGHT_EYE,
    IMS_FACE_NOSE,
    IMS_FACE_MOUTH_LEFT,
    IMS_FACE_MOUTH_RIGHT,
    IMS_FACE_N_POINTS
} ims_face_point;

struct ims_face {
    float x, y, width, height; /* may reach outside of the picture; width and height are above 0 */
    float score;               /* 0..1 */
    bool has_points;           /* false: the detector gives none */
    float points[IMS_FACE_N_POINTS][2]; /* x, y */
};

struct ims_face_list {
    struct ims_face *faces; /* best score first; NULL when n is 0 */
    size_t n;
};
void ims_face_list_release(struct ims_face_list *l);

struct ims_face_options {
    float min_score;   /* 0 = 0.5 */
    float min_size_px; /* of width and of height, 0 = any */
    size_t max_faces;  /* of one picture, the best; 0 = IMS_FACE_MAX_PER_IMAGE, which is the most */
    bool no_second_scale; /* do not look for faces that fill the picture (at a fifth of the size) */
    size_t max_batch;     /* crops per run of a graph; 0 = 8 */
    bool measures_batch;  /* as many as prove fastest, up to that (compute/pool_batch.h) */
    bool is_one_shot;     /* for a few runs: start fast rather than run fast, trust the device */
};

/* pack and compute are loans that must outlive the handle. options may be NULL. Loads nothing. */
ims_status ims_face_models_open(struct ims_face_models **out, const struct ims_face_pack *pack,
                                struct ims_compute *compute, const struct ims_face_options *options,
                                ims_err *err) IMS_MUST_CHECK;
void ims_face_models_close(struct ims_face_models *m);
const struct ims_face_pack *ims_face_models_pack(const struct ims_face_models *m);
bool ims_face_has(const struct ims_face_models *m, ims_face_part part);

/* Opens the sessions of a part now; otherwise the first use does. IMS_E_MODEL names the file, what
 * its inputs and outputs must be and what they are. IMS_E_UNSUPPORTED: the pack lacks the part. */
ims_status ims_face_load(struct ims_face_models *m, ims_face_part part,
                         ims_err *err) IMS_MUST_CHECK;

/* ---- detection ---- */

/* A picture made ready for the detector: at each scale shrunk or enlarged (OpenCV's bilinear
 * resize) into the top left of a square, black elsewhere. Holds memory: ims_face_input_release. */
struct ims_face_input {
    uint8_t *pixels; /* the squares of the scales, one after another, RGB */
    size_t n_px;     /* of all of them; a colour conversion may be done in place, pixel by pixel */
    int width, height; /* of the picture */
    float min_score, min_size_px; /* for this picture; 0 = as the models were opened */
};
void ims_face_input_release(struct ims_face_input *in);

/* Opens the detector's session if need be, as the sizes are read from it. IMS_E_INVALID for a
 * picture that makes no sense, IMS_E_LIMIT for one that is too large. */
ims_status ims_face_prepare(struct ims_face_models *m, const struct ims_rgb_view *view,
                            struct ims_face_input *out, ims_err *err) IMS_MUST_CHECK;
/* n lists, each written on success only and ended by ims_face_list_release. places: NULL, or n
 * that receive the slot of the pool that looked at each picture. Scores or boxes that cannot be
 * (not finite, scores outside 0..1) are IMS_E_MODEL. Memory: some 6 MB per picture, of at most
 * IMS_FACE_DETECT_BATCH pictures per device at a time. */
ims_status ims_face_detect(struct ims_face_models *m, const struct ims_face_input *inputs, size_t n,
                           struct ims_face_list *lists, struct ims_pool_place *places,
                           ims_err *err) IMS_MUST_CHECK;

/* 0.5 * min(1, width * height / 40000) + 0.5 * score, pixels of the oriented picture. */
double ims_face_quality(double width, double height, double score);

/* ---- crops ---- */

/* (x, y) of the picture -> (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]) of a crop. */
struct ims_face_affine {
    double m[6];
};

/* Side in pixels of a part's square crop: 112, 96 or 192; 0 for IMS_FACE_DETECT. */
int ims_face_crop_side(ims_face_part part);
/* Writes side x side x 3 bytes, black outside of the picture. IMS_FACE_EMBED: turned and scaled so
 * that the five points come to lie where recognisers expect them; points that coincide, are not
 * finite or lie absurdly far away are IMS_E_INVALID, a face without points is IMS_E_UNSUPPORTED. The
 * other parts: upright around the box, 1.5 times its longer side. out_affine may be NULL. */
ims_status ims_face_crop(ims_face_part part, const struct ims_rgb_view *view,
                         const struct ims_face *face, uint8_t *out_rgb,
                         struct ims_face_affine *out_affine, ims_err *err) IMS_MUST_CHECK;

/* ---- what the crops say ---- */

/* crops: n * 112 * 112 * 3 bytes. unit: n * IMS_FACE_DIM floats, rows of length 1. raw (may be
 * NULL): the recogniser's own output, likewise. places as above. Written on success only. A vector
 * that is not finite or has no length is IMS_E_MODEL. n = 0 does nothing. */
ims_status ims_face_embed(struct ims_face_models *m, const uint8_t *crops, size_t n, float *unit,
                          float *raw, struct ims_pool_place *places, ims_err *err) IMS_MUST_CHECK;

struct ims_face_gender_age {
    bool is_male; /* as the model reads the picture: a guess */
    int age;      /* years; the model's own number may be below 0 */
};
/* crops: n * 96 * 96 * 3 bytes, of IMS_FACE_GENDER_AGE. IMS_E_UNSUPPORTED without that part. */
ims_status ims_face_gender_age(struct ims_face_models *m, const uint8_t *crops, size_t n,
                               struct ims_face_gender_age *out, ims_err *err) IMS_MUST_CHECK;

#define IMS_FACE_N_LANDMARKS 68

struct ims_face_shape {
    float points[IMS_FACE_N_LANDMARKS][3]; /* x, y of the picture; z in the same unit */
    float pitch, yaw, roll;                /* degrees */
};
/* crops: n * 192 * 192 * 3 bytes of IMS_FACE_LANDMARKS, affines: what ims_face_crop gave for each.
 * IMS_E_UNSUPPORTED without that part. */
ims_status ims_face_landmarks(struct ims_face_models *m, const uint8_t *crops,
                              const struct ims_face_affine *affines, size_t n,
                              struct ims_face_shape *out, ims_err *err) IMS_MUST_CHECK;

/* What a part runs on, to ask where it ran and what happened (compute/pool.h); NULL until it is
 * loaded. Lives as long as m. */
struct ims_pool *ims_face_pool(struct ims_face_models *m, ims_face_part part);

#endif
