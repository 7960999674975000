/* Computes the filter weights of one direction of a resize, as Pillow does, to the last bit.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/resample_axis.h"

#include "base/mem.h"

#include <math.h>

#define PI 3.14159265358979323846

static double weigh_bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double weigh_bicubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0)
        return 1.0;
    x *= PI;
    return sin(x) / x;
}

static double weigh_lanczos3(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0;
}

static const struct {
    double (*weigh)(double x);
    double support;
} filters[IMS_FILTER_N] = {
    [IMS_FILTER_BILINEAR] = { weigh_bilinear, 1.0 },
    [IMS_FILTER_BICUBIC] = { weigh_bicubic, 2.0 },
    [IMS_FILTER_LANCZOS3] = { weigh_lanczos3, 3.0 },
};

static double find_centre(const struct ims_axis *a, size_t o)
{
    return ((double)a->from + (double)o + 0.5) * a->scale;
}

static struct ims_span find_span(const struct ims_axis *a, double centre)
{
    double support = filters[a->filter].support * a->filter_scale;
    struct ims_span s = { (int)(centre - support + 0.5), (int)(centre + support + 0.5) };

    if (s.begin < 0)
        s.begin = 0;
    if (s.end > a->n_in)
        s.end = a->n_in;
    return s;
}

static int32_t to_fixed(double w)
{
    return (int32_t)(w * (double)(1 << IMS_RESAMPLE_BITS) + (w < 0 ? -0.5 : 0.5));
}

/* The sum is taken in the order of the positions and the weights divided by it one by one, as the
 * reference does: the last bit of a weight can decide a pixel. */
static void fill_output(struct ims_axis *a, size_t o, double *scratch)
{
    double centre = find_centre(a, o), sum = 0.0;
    double factor = 1.0 / a->filter_scale;
    struct ims_span s = find_span(a, centre);
    int first = s.begin;
    int32_t *weights;

    if (first > a->n_in - (int)a->n_taps)
        first = a->n_in - (int)a->n_taps;
    a->first[o] = (uint32_t)first;
    weights = a->weights + o * a->n_taps + (s.begin - first);
    for (int k = 0; k < s.end - s.begin; k++) {
        scratch[k] = filters[a->filter].weigh((k + s.begin - centre + 0.5) * factor);
        sum += scratch[k];
    }
    for (int k = 0; k < s.end - s.begin; k++)
        weights[k] = to_fixed(sum != 0.0 ? scratch[k] / sum : scratch[k]);
}

ims_status ims__axis_init(struct ims_axis *a, size_t block_px, ims_err *err)
{
    size_t widest = 1, padded;
    double *scratch;

    a->scale = (double)a->n_in / a->n_all;
    a->filter_scale = a->scale < 1.0 ? 1.0 : a->scale;
    for (size_t o = 0; o < a->n_out; o++) {
        struct ims_span s = find_span(a, find_centre(a, o));

        if ((size_t)(s.end - s.begin) > widest)
            widest = (size_t)(s.end - s.begin);
    }
    padded = (widest + block_px - 1) / block_px * block_px;
    a->n_taps = padded <= (size_t)a->n_in ? padded : widest;
    a->first = ims__alloc(a->n_out, sizeof(*a->first));
    a->weights = ims__zalloc(a->n_out, a->n_taps * sizeof(*a->weights));
    scratch = ims__alloc(widest, sizeof(*scratch));
    if (!a->first || !a->weights || !scratch) {
        ims__free(scratch);
        return ims_fail(err, IMS_E_NOMEM, "resample", 0, "allocating the weights");
    }
    for (size_t o = 0; o < a->n_out; o++)
        fill_output(a, o, scratch);
    ims__free(scratch);
    return IMS_OK;
}

void ims__axis_release(struct ims_axis *a)
{
    ims__free(a->first);
    ims__free(a->weights);
}

/* first[] never falls. */
struct ims_span ims__axis_needed(const struct ims_axis *a)
{
    return (struct ims_span){ (int)a->first[0], (int)(a->first[a->n_out - 1] + a->n_taps) };
}
