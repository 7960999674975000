/* Crops through the recogniser and the other parts, in turns of a batch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "kernels/kernels.h"
#include "models/face/face_internal.h"

#include <math.h>
#include <string.h>

#define ORIGIN "face"

/* InsightFace's last two graphs begin with their own normalisation and take 0..255. */
const struct ims_face_pixels ims__face_pixels[IMS_FACE_N_PARTS] = {
    [IMS_FACE_DETECT] = { 1 / 128.0F, -127.5F / 128 },
    [IMS_FACE_EMBED] = { 1 / 127.5F, -1 },
    [IMS_FACE_GENDER_AGE] = { 1, 0 },
    [IMS_FACE_LANDMARKS] = { 1, 0 },
};

/* n crops of a part to n rows of length floats. */
static ims_status run_crops(struct ims_face_models *m, ims_face_part part, const uint8_t *crops,
                            size_t n, size_t length, float *planes, float *out, struct ims_pool_place *places,
                            ims_err *err)
{
    const float s = ims__face_pixels[part].scale, b = ims__face_pixels[part].bias;
    const float scale[3] = { s, s, s }, bias[3] = { b, b, b };
    const int side = ims_face_crop_side(part);
    const size_t n_px = (size_t)side * (size_t)side;
    const int64_t in_shape[4] = { (int64_t)n, 3, side, side };
    const int64_t out_shape[2] = { (int64_t)n, (int64_t)length };
    struct ims_compute_value in = { .tensor = ims_tensor_view(IMS_DTYPE_F32, 4, in_shape, planes,
                                                              n * n_px * 3 * sizeof(float)) };
    struct ims_compute_value result = { .tensor = ims_tensor_view(IMS_DTYPE_F32, 2, out_shape, out,
                                                                  n * length * sizeof(float)) };
    ims_status st;

    for (size_t i = 0; i < n; i++)
        ims__kernels()->u8_to_f32_planar(crops + i * n_px * 3, n_px, scale, bias,
                                         planes + i * n_px * 3, n_px);
    st = ims_pool_run(m->sides[part].pool, &in, 1, &result, 1, places, err);
    return st ? ims_fail_in(err, st, "%s", m->pack->files[part]) : IMS_OK;
}

/* All of them into rows, a new block of n * length floats. */
static ims_status run_part(struct ims_face_models *m, ims_face_part part, const uint8_t *crops,
                           size_t n, size_t length, float **out_rows, struct ims_pool_place *places, ims_err *err)
{
    const int side = ims_face_crop_side(part);
    const size_t crop_bytes = (size_t)side * (size_t)side * 3;
    float *planes = NULL, *rows = NULL;
    size_t n_floats;
    ims_status st = ims_face_load(m, part, err);

    if (st)
        return st;
    planes = ims__alloc(ims__face_turn(m, part, n), crop_bytes * sizeof(*planes));
    rows = ims__mul_size(n, length, &n_floats) ? ims__alloc(n_floats, sizeof(*rows)) : NULL;
    if (!planes || !rows)
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "%s of %zu faces", ims_face_part_name(part), n);
    for (size_t at = 0, turn; at < n && !st; at += turn) {
        turn = ims__face_turn(m, part, n - at);
        st = run_crops(m, part, crops + at * crop_bytes, turn, length, planes, rows + at * length,
                       places ? places + at : NULL, err);
    }
    ims__free(planes);
    if (st)
        ims__free(rows);
    else
        *out_rows = rows;
    return st;
}

ims_status ims_face_embed(struct ims_face_models *m, const uint8_t *crops, size_t n, float *unit,
                          float *raw, struct ims_pool_place *places, ims_err *err)
{
    float *rows = NULL;
    ims_status st;

    if (n == 0)
        return IMS_OK;
    st = run_part(m, IMS_FACE_EMBED, crops, n, IMS_FACE_DIM, &rows, places, err);
    if (st)
        return st;
    if (raw)
        memcpy(raw, rows, n * IMS_FACE_DIM * sizeof(*rows));
    for (size_t i = 0; i < n; i++)
        (void)ims__kernels()->normalise_f32(rows + i * IMS_FACE_DIM, IMS_FACE_DIM);
    memcpy(unit, rows, n * IMS_FACE_DIM * sizeof(*rows));
    ims__free(rows);
    return IMS_OK;
}

ims_status ims_face_gender_age(struct ims_face_models *m, const uint8_t *crops, size_t n,
                               struct ims_face_gender_age *out, ims_err *err)
{
    float *rows = NULL;
    ims_status st;

    if (n == 0)
        return IMS_OK;
    st = run_part(m, IMS_FACE_GENDER_AGE, crops, n, 3, &rows, NULL, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++) {
        const float *row = rows + 3 * i;
        const float years = rintf(row[2] * 100);
        out[i].is_male = row[1] > row[0];
        out[i].age = years > -1000 && years < 1000 ? (int)years : years < 0 ? -1000 : 1000;
    }
    ims__free(rows);
    return IMS_OK;
}

/* ---- landmarks ---- */

/* The inverse of a transform that scales both ways alike and neither turns nor mirrors. */
static void place(const float *row, int side, const struct ims_face_affine *a,
                  struct ims_face_shape *out)
{
    const float half = (float)(side / 2);
    const double scale = 1.0 / a->m[0];

    for (size_t i = 0; i < IMS_FACE_N_LANDMARKS; i++, row += 3) {
        float x = (row[0] + 1) * half, y = (row[1] + 1) * half, z = row[2] * half;
        out->points[i][0] = (float)(scale * (double)x - scale * a->m[2]);
        out->points[i][1] = (float)(scale * (double)y - scale * a->m[5]);
        out->points[i][2] = (float)((double)z * scale);
    }
}

ims_status ims_face_landmarks(struct ims_face_models *m, const uint8_t *crops,
                              const struct ims_face_affine *affines, size_t n,
                              struct ims_face_shape *out, ims_err *err)
{
    const size_t length = FACE_LANDMARK_ROWS * 3;
    const size_t skipped = length - (size_t)IMS_FACE_N_LANDMARKS * 3;
    float *rows = NULL;
    ims_status st;

    if (n == 0)
        return IMS_OK;
    for (size_t i = 0; i < n; i++) {
        if (!(affines[i].m[0] > 0))
            return ims_fail(err, IMS_E_INVALID, ORIGIN, 0, "landmarks of a crop of no size");
    }
    st = run_part(m, IMS_FACE_LANDMARKS, crops, n, length, &rows, NULL, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++) {
        place(rows + i * length + skipped, ims_face_crop_side(IMS_FACE_LANDMARKS), &affines[i],
              &out[i]);
        ims__face_pose(&out[i]);
    }
    ims__free(rows);
    return IMS_OK;
}
