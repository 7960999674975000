/* The upright pixels of a face: by its five points, or by its box.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/face.h"

#include <math.h>

#define ORIGIN "face"

/* Where recognisers of the ArcFace family expect the points in 112 x 112. */
static const double template_points[IMS_FACE_N_POINTS][2] = { { 38.2946, 51.6963 },
                                                              { 73.5318, 51.5014 },
                                                              { 56.0252, 71.7366 },
                                                              { 41.5493, 92.3655 },
                                                              { 70.7299, 92.2041 } };

#define BOX_MARGIN 1.5F         /* of the longer side, for the other parts */
#define MIN_SPREAD 1e-6         /* of the points, relative to where they lie */
#define MAX_POINT_PX 1000000.0F /* a point further off comes from no picture */

int ims_face_crop_side(ims_face_part part)
{
    static const int sides[IMS_FACE_N_PARTS] = { [IMS_FACE_EMBED] = IMS_FACE_EMBED_SIDE_PX,
                                                 [IMS_FACE_GENDER_AGE] = 96,
                                                 [IMS_FACE_LANDMARKS] = 192 };

    return sides[part];
}

/* ---- by points ---- */

/* The similarity transform (turn, scale, shift; no mirror) with the least squared error, Umeyama
 * 1991 (DOI 10.1109/34.88573), which in the plane has this closed form. */
static bool fit_similarity(const float points[IMS_FACE_N_POINTS][2], double m[6])
{
    const double n = IMS_FACE_N_POINTS;
    double from[2] = { 0, 0 }, to[2] = { 0, 0 }, a = 0, b = 0, spread = 0, reach = 1;

    for (int i = 0; i < IMS_FACE_N_POINTS; i++) {
        for (int k = 0; k < 2; k++) {
            if (!(fabsf(points[i][k]) <= MAX_POINT_PX)) /* NaN too */
                return false;
            from[k] += (double)points[i][k] / n;
            to[k] += template_points[i][k] / n;
        }
    }
    for (int i = 0; i < IMS_FACE_N_POINTS; i++) {
        double sx = (double)points[i][0] - from[0], sy = (double)points[i][1] - from[1];
        double dx = template_points[i][0] - to[0], dy = template_points[i][1] - to[1];
        a += sx * dx + sy * dy;
        b += sx * dy - sy * dx;
        spread += sx * sx + sy * sy;
    }
    for (int k = 0; k < 2; k++)
        reach = fabs(from[k]) > reach ? fabs(from[k]) : reach;
    a /= spread;
    b /= spread;
    if (!(sqrt(spread) > MIN_SPREAD * reach) || !(a * a + b * b > 0))
        return false;
    m[0] = m[4] = a;
    m[1] = -b;
    m[3] = b;
    m[2] = to[0] - a * from[0] + b * from[1];
    m[5] = to[1] - b * from[0] - a * from[1];
    return true;
}

static ims_status align_points(const struct ims_face *f, struct ims_face_affine *out, ims_err *err)
{
    if (!f->has_points)
        return ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0,
                        "this detector gives no points of a face, which recognition needs");
    if (!fit_similarity(f->points, out->m))
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                        "the points of the face at %.0f, %.0f coincide or lie outside of any "
                        "picture",
                        (double)f->x, (double)f->y);
    return IMS_OK;
}

/* ---- by box ---- */

/* InsightFace computes scale and centre in float. */
static ims_status align_box(const struct ims_face *f, int side, struct ims_face_affine *out,
                            ims_err *err)
{
    const float x2 = f->x + f->width, y2 = f->y + f->height;
    const float longer = f->width > f->height ? f->width : f->height;
    const float scale = (float)side / (longer * BOX_MARGIN);
    const float cx = (x2 + f->x) / 2 * scale, cy = (y2 + f->y) / 2 * scale;

    if (!(f->width > 0) || !(f->height > 0) || !(fabsf(f->x) <= MAX_POINT_PX) ||
        !(fabsf(f->y) <= MAX_POINT_PX) || !(longer <= MAX_POINT_PX))
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                        "a face of %g x %g at %g, %g: not a box of a picture", (double)f->width,
                        (double)f->height, (double)f->x, (double)f->y);
    *out = (struct ims_face_affine){ { (double)scale, 0, side / 2.0 - (double)cx, 0, (double)scale,
                                       side / 2.0 - (double)cy } };
    return IMS_OK;
}

ims_status ims_face_crop(ims_face_part part, const struct ims_rgb_view *view,
                         const struct ims_face *face, uint8_t *out_rgb,
                         struct ims_face_affine *out_affine, ims_err *err)
{
    const int side = ims_face_crop_side(part);
    struct ims_face_affine a;
    ims_status st;

    if (side == 0)
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0, "the detector takes no crops");
    st = part == IMS_FACE_EMBED ? align_points(face, &a, err) : align_box(face, side, &a, err);
    if (!st)
        st = ims__bilinear_warp(view, a.m, side, side, out_rgb, (size_t)side * 3, err);
    if (!st && out_affine)
        *out_affine = a;
    return st;
}
