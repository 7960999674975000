/* Recognising colour profiles: sound or not, of which space, sRGB or not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/icc.h"

#include "base/limits.h"
#include "base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define HEADER_BYTES 128
#define MAX_TAGS 1000
#define COLORANT_TOLERANCE 0.002
#define CURVE_TOLERANCE 0.002 /* a plain gamma of 2.2 is further off than this */

struct tag {
    const uint8_t *p;
    size_t n;
};

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static double read_fixed(const uint8_t *p)
{
    return (double)(int32_t)read_u32(p) / 65536.0;
}

static bool is_sound(const uint8_t *p, size_t n)
{
    size_t n_tags;

    if (n < HEADER_BYTES + 4 || n > IMS_MAX_ICC_BYTES || memcmp(p + 36, "acsp", 4) != 0)
        return false;
    if (read_u32(p) < HEADER_BYTES + 4 || read_u32(p) > n)
        return false;
    n_tags = read_u32(p + HEADER_BYTES);
    if (n_tags > MAX_TAGS || n_tags > (n - HEADER_BYTES - 4) / 12)
        return false;
    for (size_t i = 0; i < n_tags; i++) {
        const uint8_t *t = p + HEADER_BYTES + 4 + i * 12;

        if (read_u32(t + 4) > n || read_u32(t + 8) > n - read_u32(t + 4))
            return false;
    }
    return true;
}

/* p is sound. false when the tag is not there or shorter than min_bytes. */
static bool find_tag(const uint8_t *p, const char *name, size_t min_bytes, struct tag *out)
{
    size_t n_tags = read_u32(p + HEADER_BYTES);

    for (size_t i = 0; i < n_tags; i++) {
        const uint8_t *t = p + HEADER_BYTES + 4 + i * 12;

        if (memcmp(t, name, 4) == 0) {
            out->p = p + read_u32(t + 4);
            out->n = read_u32(t + 8);
            return out->n >= min_bytes;
        }
    }
    return false;
}

static bool has_colorant(const uint8_t *p, const char *name, const double want[3])
{
    struct tag t;

    if (!find_tag(p, name, 20, &t) || memcmp(t.p, "XYZ ", 4) != 0)
        return false;
    for (size_t i = 0; i < 3; i++) {
        if (fabs(read_fixed(t.p + 8 + 4 * i) - want[i]) > COLORANT_TOLERANCE)
            return false;
    }
    return true;
}

static double eval_table(const struct tag *t, size_t count, double x)
{
    double at = x * (double)(count - 1);
    size_t i = (size_t)at;
    const uint8_t *q = t->p + 12 + 2 * i;
    double low = q[0] << 8 | q[1];
    double high = i + 1 < count ? (q[2] << 8 | q[3]) : low;

    return (low + (high - low) * (at - (double)i)) / 65535.0;
}

static bool eval_parametric(const struct tag *t, double x, double *out)
{
    static const uint8_t n_params[] = { 1, 3, 4, 5, 7 };
    double v[7] = { 0 };
    unsigned kind = (unsigned)(t->p[8] << 8 | t->p[9]);
    double linear;

    if (kind >= IMS_ARRAY_LEN(n_params) || t->n < 12u + 4u * n_params[kind])
        return false;
    for (size_t i = 0; i < n_params[kind]; i++)
        v[i] = read_fixed(t->p + 12 + 4 * i);
    linear = v[1] * x + v[2];
    switch (kind) {
    case 0:
        *out = pow(x, v[0]);
        break;
    case 1:
        *out = linear >= 0 ? pow(linear, v[0]) : 0;
        break;
    case 2:
        *out = linear >= 0 ? pow(linear, v[0]) + v[3] : v[3];
        break;
    default:
        *out = x >= v[4] ? pow(linear, v[0]) + v[5] : v[3] * x + v[6];
        break;
    }
    return true;
}

static bool eval_curve(const struct tag *t, double x, double *out)
{
    size_t count;

    if (memcmp(t->p, "para", 4) == 0)
        return eval_parametric(t, x, out);
    if (memcmp(t->p, "curv", 4) != 0)
        return false;
    count = read_u32(t->p + 8);
    if (count > (t->n - 12) / 2)
        return false;
    if (count == 0)
        *out = x;
    else if (count == 1)
        *out = pow(x, (t->p[12] << 8 | t->p[13]) / 256.0);
    else
        *out = eval_table(t, count, x);
    return true;
}

static bool has_srgb_curve(const uint8_t *p, const char *name)
{
    static const double points[] = { 0.02, 0.1, 0.25, 0.5, 0.8 };
    struct tag t;

    if (!find_tag(p, name, 12, &t))
        return false;
    for (size_t i = 0; i < IMS_ARRAY_LEN(points); i++) {
        double x = points[i];
        double want = x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4);
        double got;

        if (!eval_curve(&t, x, &got) || !(fabs(got - want) <= CURVE_TOLERANCE))
            return false;
    }
    return true;
}

static bool is_srgb(const uint8_t *p)
{
    /* sRGB's primaries adapted to the connection space's white, D50 */
    static const double red[] = { 0.4361, 0.2225, 0.0139 };
    static const double green[] = { 0.3851, 0.7169, 0.0971 };
    static const double blue[] = { 0.1431, 0.0606, 0.7141 };
    struct tag t;

    return !find_tag(p, "A2B0", 0, &t) && has_colorant(p, "rXYZ", red) &&
           has_colorant(p, "gXYZ", green) && has_colorant(p, "bXYZ", blue) &&
           has_srgb_curve(p, "rTRC") && has_srgb_curve(p, "gTRC") && has_srgb_curve(p, "bTRC");
}

media_icc_kind ims__icc_kind(const uint8_t *p, size_t n)
{
    if (n == 0)
        return MEDIA_ICC_NONE;
    if (!is_sound(p, n))
        return MEDIA_ICC_DAMAGED;
    if (memcmp(p + 16, "GRAY", 4) == 0)
        return MEDIA_ICC_GREY;
    if (memcmp(p + 16, "CMYK", 4) == 0)
        return MEDIA_ICC_CMYK;
    if (memcmp(p + 16, "RGB ", 4) != 0)
        return MEDIA_ICC_OTHER;
    return is_srgb(p) ? MEDIA_ICC_SRGB : MEDIA_ICC_RGB;
}
