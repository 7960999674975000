/* Computes the filter weights of both axes and drives the two passes of a resize.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/resample.h"

#include "base/limits.h"
#include "base/mem.h"

#include <limits.h>
#include <math.h>
#include <string.h>

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

/* One direction of a resize, restricted to the outputs from..from + n_out - 1 of all. Output o uses
 * the source positions first[o] .. first[o] + n_taps - 1, for every o the same number: where the
 * filter is narrower (at the edges), the rest has weight 0. */
struct axis {
    ims_filter filter;
    int n_in;
    int n_all;
    int from;
    size_t n_out;
    double scale; /* source positions per output */
    double filter_scale;
    size_t n_taps;
    uint32_t *first;
    int32_t *weights; /* n_out x n_taps */
};

struct span {
    int begin, end;
};

static double find_centre(const struct axis *a, size_t o)
{
    return ((double)a->from + (double)o + 0.5) * a->scale;
}

static struct span find_span(const struct axis *a, double centre)
{
    double support = filters[a->filter].support * a->filter_scale;
    struct span s = { (int)(centre - support + 0.5), (int)(centre + support + 0.5) };

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
static void fill_output(struct axis *a, size_t o, double *scratch)
{
    double centre = find_centre(a, o), sum = 0.0;
    double factor = 1.0 / a->filter_scale;
    struct span s = find_span(a, centre);
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

/* Weights of n_taps rounded up to blocks of block_px, as far as the source is that wide. */
static ims_status make_axis(struct axis *a, const struct ims_rows_kernel *rows, bool *out_fits,
                            ims_err *err)
{
    size_t widest = 1, padded;
    double *scratch;

    a->scale = (double)a->n_in / a->n_all;
    a->filter_scale = a->scale < 1.0 ? 1.0 : a->scale;
    for (size_t o = 0; o < a->n_out; o++) {
        struct span s = find_span(a, find_centre(a, o));

        if ((size_t)(s.end - s.begin) > widest)
            widest = (size_t)(s.end - s.begin);
    }
    a->n_taps = widest;
    if (rows) {
        padded = (widest + rows->block_px - 1) / rows->block_px * rows->block_px;
        *out_fits = padded + rows->slack_px <= (size_t)a->n_in;
        if (*out_fits)
            a->n_taps = padded;
    }
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

static void release_axis(struct axis *a)
{
    ims__free(a->first);
    ims__free(a->weights);
}

/* The source positions that the axis reads. first[] never falls. */
static struct span find_needed(const struct axis *a)
{
    return (struct span){ (int)a->first[0], (int)(a->first[a->n_out - 1] + a->n_taps) };
}

/* The argument of ims__resample with the defaults filled in. */
struct job {
    const struct ims_kernels *kernels;
    struct ims_resample r;
    size_t row_bytes; /* of the window */
    bool has_x, has_y;
};

static bool is_inside(int at, int size, int all)
{
    return at >= 0 && size > 0 && size <= all && at <= all - size;
}

static bool is_too_large(int width, int height)
{
    return width > IMS_MAX_IMAGE_SIDE_PX || height > IMS_MAX_IMAGE_SIDE_PX ||
           (uint64_t)width * (uint64_t)height > IMS_MAX_IMAGE_PX;
}

static ims_status check_job(struct job *j, size_t dst_stride, ims_err *err)
{
    struct ims_resample *r = &j->r;

    if (!r->crop_x && !r->crop_y && !r->crop_width && !r->crop_height) {
        r->crop_width = r->dst_width;
        r->crop_height = r->dst_height;
    }
    if (!r->src || (r->channels != 1 && r->channels != 3) || (int)r->filter < 0 ||
        r->filter >= IMS_FILTER_N)
        return ims_fail(err, IMS_E_INVALID, "resample", 0, "no pixels, channels or filter unknown");
    if (r->src_width <= 0 || r->src_height <= 0 || r->dst_width <= 0 || r->dst_height <= 0 ||
        !is_inside(r->crop_x, r->crop_width, r->dst_width) ||
        !is_inside(r->crop_y, r->crop_height, r->dst_height))
        return ims_fail(err, IMS_E_INVALID, "resample", 0,
                        "%d x %d to %d x %d, window %d x %d at %d, %d: not a resize", r->src_width,
                        r->src_height, r->dst_width, r->dst_height, r->crop_width, r->crop_height,
                        r->crop_x, r->crop_y);
    if (is_too_large(r->src_width, r->src_height) || is_too_large(r->crop_width, r->crop_height))
        return ims_fail(err, IMS_E_LIMIT, "resample", 0,
                        "%d x %d to a window of %d x %d: too many pixels", r->src_width,
                        r->src_height, r->crop_width, r->crop_height);
    j->row_bytes = (size_t)r->crop_width * (size_t)r->channels;
    if (r->src_stride < (size_t)r->src_width * (size_t)r->channels || dst_stride < j->row_bytes)
        return ims_fail(err, IMS_E_INVALID, "resample", 0, "a stride is shorter than its row");
    j->has_x = r->dst_width != r->src_width;
    j->has_y = r->dst_height != r->src_height;
    return IMS_OK;
}

/* Resizes rows.begin .. rows.end - 1 of the source in x. */
static ims_status pass_x(const struct job *j, struct span rows, uint8_t *dst, size_t dst_stride,
                         ims_err *err)
{
    const struct ims_kernels *k = j->kernels;
    const struct ims_rows_kernel *rk = j->r.channels == 3 ? &k->rows_rgb : &k->rows_grey;
    struct axis a = { .filter = j->r.filter,
                      .n_in = j->r.src_width,
                      .n_all = j->r.dst_width,
                      .from = j->r.crop_x,
                      .n_out = (size_t)j->r.crop_width };
    struct ims_taps taps = { 0 };
    uint32_t *words = NULL;
    bool fits = true;
    ims_status st;

    st = make_axis(&a, rk, &fits, err);
    if (st)
        goto out;
    if (!fits) { /* a picture narrower than the tier's blocks */
        k = ims__kernels_for(IMS_CPU_GENERIC);
        rk = j->r.channels == 3 ? &k->rows_rgb : &k->rows_grey;
    }
    taps = (struct ims_taps){ .n_out = a.n_out,
                              .n_blocks = a.n_taps / rk->block_px,
                              .first = a.first };
    words = ims__alloc(a.n_out, taps.n_blocks * rk->block_words * sizeof(*words));
    if (!words) {
        st = ims_fail(err, IMS_E_NOMEM, "resample", 0, "allocating the packed weights");
        goto out;
    }
    for (size_t b = 0; b < a.n_out * taps.n_blocks; b++)
        rk->pack(a.weights + b * rk->block_px, words + b * rk->block_words);
    taps.words = words;
    rk->run(&taps, j->r.src + (size_t)rows.begin * j->r.src_stride, j->r.src_stride,
            (size_t)(rows.end - rows.begin), dst, dst_stride);
out:
    ims__free(words);
    release_axis(&a);
    return st;
}

/* src: the columns of the window; its first row is row y_begin of the source. */
static void pass_y(const struct job *j, const struct axis *a, const uint8_t *src, size_t src_stride,
                   int y_begin, uint8_t *dst, size_t dst_stride)
{
    for (size_t o = 0; o < a->n_out; o++) {
        const uint8_t *row = src + (a->first[o] - (size_t)y_begin) * src_stride;

        j->kernels->resample_column(a->weights + o * a->n_taps, a->n_taps, row, src_stride,
                                    j->row_bytes, dst + o * dst_stride);
    }
}

static ims_status pass_both(const struct job *j, const struct axis *a, uint8_t *dst,
                            size_t dst_stride, ims_err *err)
{
    struct span rows = find_needed(a);
    uint64_t between_px = (uint64_t)(rows.end - rows.begin) * (uint64_t)j->r.crop_width;
    uint8_t *between;
    ims_status st;

    if (between_px > IMS_MAX_IMAGE_PX)
        return ims_fail(err, IMS_E_LIMIT, "resample", 0,
                        "%d x %d to a window of %d x %d: too many pixels between the passes",
                        j->r.src_width, j->r.src_height, j->r.crop_width, j->r.crop_height);
    between = ims__alloc((size_t)(rows.end - rows.begin), j->row_bytes);
    if (!between)
        return ims_fail(err, IMS_E_NOMEM, "resample", 0, "allocating the rows between the passes");
    st = pass_x(j, rows, between, j->row_bytes, err);
    if (!st)
        pass_y(j, a, between, j->row_bytes, rows.begin, dst, dst_stride);
    ims__free(between);
    return st;
}

ims_status ims__resample_with(const struct ims_kernels *k, const struct ims_resample *r,
                              uint8_t *dst, size_t dst_stride, ims_err *err)
{
    struct job j = { .kernels = k, .r = *r };
    struct axis a = { 0 };
    const uint8_t *window;
    ims_status st;

    st = check_job(&j, dst_stride, err);
    if (st)
        return st;
    window = j.r.src + (size_t)j.r.crop_x * (size_t)j.r.channels;
    if (!j.has_y && !j.has_x) {
        for (int y = 0; y < j.r.crop_height; y++)
            memcpy(dst + (size_t)y * dst_stride, window + (size_t)(j.r.crop_y + y) * j.r.src_stride,
                   j.row_bytes);
        return IMS_OK;
    }
    if (!j.has_y)
        return pass_x(&j, (struct span){ j.r.crop_y, j.r.crop_y + j.r.crop_height }, dst,
                      dst_stride, err);

    a = (struct axis){ .filter = j.r.filter,
                       .n_in = j.r.src_height,
                       .n_all = j.r.dst_height,
                       .from = j.r.crop_y,
                       .n_out = (size_t)j.r.crop_height };
    st = make_axis(&a, NULL, NULL, err);
    if (st)
        goto out;
    if (j.has_x)
        st = pass_both(&j, &a, dst, dst_stride, err);
    else
        pass_y(&j, &a, window, j.r.src_stride, 0, dst, dst_stride);
out:
    release_axis(&a);
    return st;
}

ims_status ims__resample(const struct ims_resample *r, uint8_t *dst, size_t dst_stride,
                         ims_err *err)
{
    return ims__resample_with(ims__kernels(), r, dst, dst_stride, err);
}
