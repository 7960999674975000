/* How a head is turned: the affine map from the mean head to its landmarks, read as a rotation.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/face_internal.h"

#include "models/face/face_pose_mean.h"

#include <math.h>

#define DEGREES (180.0 / 3.14159265358979323846)

/* Solves a x = b for three right sides, in place, by elimination with the largest pivot. a is
 * regular: the mean head is not flat. */
static void solve(double a[4][4], double b[4][3])
{
    for (int k = 0; k < 4; k++) {
        int pivot = k;
        for (int i = k + 1; i < 4; i++)
            pivot = fabs(a[i][k]) > fabs(a[pivot][k]) ? i : pivot;
        for (int j = 0; j < 4 && pivot != k; j++) {
            double t = a[k][j];
            a[k][j] = a[pivot][j];
            a[pivot][j] = t;
        }
        for (int j = 0; j < 3 && pivot != k; j++) {
            double t = b[k][j];
            b[k][j] = b[pivot][j];
            b[pivot][j] = t;
        }
        for (int i = 0; i < 4; i++) {
            double f = i == k ? 0 : a[i][k] / a[k][k];
            for (int j = k; j < 4; j++)
                a[i][j] -= f * a[k][j];
            for (int j = 0; j < 3; j++)
                b[i][j] -= f * b[k][j];
        }
    }
    for (int k = 0; k < 4; k++) {
        for (int j = 0; j < 3; j++)
            b[k][j] /= a[k][k];
    }
}

/* The least-squares map: out[j][k] is what mean coordinate k adds to coordinate j. */
static void fit_affine(const struct ims_face_shape *s, double out[3][3])
{
    double a[4][4] = { { 0 } }, b[4][3] = { { 0 } };

    for (size_t i = 0; i < IMS_FACE_N_LANDMARKS; i++) {
        const double x[4] = { (double)mean_head[i][0], (double)mean_head[i][1],
                              (double)mean_head[i][2], 1 };
        for (int r = 0; r < 4; r++) {
            for (int c = 0; c < 4; c++)
                a[r][c] += x[r] * x[c];
            for (int c = 0; c < 3; c++)
                b[r][c] += x[r] * (double)s->points[i][c];
        }
    }
    solve(a, b);
    for (int j = 0; j < 3; j++) {
        for (int k = 0; k < 3; k++)
            out[j][k] = b[k][j];
    }
}

static bool normalise(double v[3])
{
    double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);

    if (!(length > 0))
        return false;
    for (int i = 0; i < 3; i++)
        v[i] /= length;
    return true;
}

void ims__face_pose(struct ims_face_shape *s)
{
    double r[3][3], sy;

    s->pitch = s->yaw = s->roll = 0;
    fit_affine(s, r);
    if (!normalise(r[0]) || !normalise(r[1]))
        return;
    for (int i = 0; i < 3; i++) /* the third axis: first x second */
        r[2][i] = r[0][(i + 1) % 3] * r[1][(i + 2) % 3] - r[0][(i + 2) % 3] * r[1][(i + 1) % 3];
    sy = sqrt(r[0][0] * r[0][0] + r[1][0] * r[1][0]);
    s->yaw = (float)(atan2(-r[2][0], sy) * DEGREES);
    if (sy < 1e-6) { /* looking straight to the side: pitch and roll are one */
        s->pitch = (float)(atan2(-r[1][2], r[1][1]) * DEGREES);
        return;
    }
    s->pitch = (float)(atan2(r[2][1], r[2][2]) * DEGREES);
    s->roll = (float)(atan2(r[1][0], r[0][0]) * DEGREES);
}
