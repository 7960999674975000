/* Checks a resize and drives its two passes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/resample.h"

#include "base/limits.h"
#include "base/mem.h"
#include "kernels/resample_axis.h"

#include <string.h>

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

/* Runs over the rows. A tier may read a little past the end of a row; after the last row of the
 * picture nothing is, so that one is copied. */
static ims_status run_rows(const struct job *j, const struct ims_rows_kernel *rk,
                           const struct ims_taps *taps, struct ims_span rows, uint8_t *dst,
                           size_t dst_stride, ims_err *err)
{
    size_t n_rows = (size_t)(rows.end - rows.begin);
    size_t row_bytes = (size_t)j->r.src_width * (size_t)j->r.channels;
    const uint8_t *src = j->r.src + (size_t)rows.begin * j->r.src_stride;
    const uint8_t *last = src + (n_rows - 1) * j->r.src_stride;
    uint8_t *copy;

    if (rk->slack_bytes == 0 || rows.end < j->r.src_height) {
        rk->run(taps, src, j->r.src_stride, n_rows, dst, dst_stride);
        return IMS_OK;
    }
    copy = ims__zalloc(row_bytes + rk->slack_bytes, 1);
    if (!copy)
        return ims_fail(err, IMS_E_NOMEM, "resample", 0, "allocating a row");
    memcpy(copy, last, row_bytes);
    rk->run(taps, src, j->r.src_stride, n_rows - 1, dst, dst_stride);
    rk->run(taps, copy, row_bytes, 1, dst + (n_rows - 1) * dst_stride, dst_stride);
    ims__free(copy);
    return IMS_OK;
}

static const struct ims_rows_kernel *pick_rows(const struct job *j, const struct ims_kernels *k)
{
    return j->r.channels == 3 ? &k->rows_rgb : &k->rows_grey;
}

/* Resizes rows.begin .. rows.end - 1 of the source in x. */
static ims_status pass_x(const struct job *j, struct ims_span rows, uint8_t *dst, size_t dst_stride,
                         ims_err *err)
{
    const struct ims_rows_kernel *rk = pick_rows(j, j->kernels);
    struct ims_axis a = { .filter = j->r.filter,
                          .n_in = j->r.src_width,
                          .n_all = j->r.dst_width,
                          .from = j->r.crop_x,
                          .n_out = (size_t)j->r.crop_width };
    struct ims_taps taps = { .n_out = a.n_out };
    uint32_t *words = NULL;
    ims_status st;

    st = ims__axis_init(&a, rk->block_px, err);
    if (st)
        goto out;
    if (a.n_taps % rk->block_px != 0) /* the picture is narrower than the tier's blocks */
        rk = pick_rows(j, ims__kernels_for(IMS_CPU_GENERIC));
    taps.n_blocks = a.n_taps / rk->block_px;
    words = ims__alloc(a.n_out, taps.n_blocks * rk->block_words * sizeof(*words));
    if (!words) {
        st = ims_fail(err, IMS_E_NOMEM, "resample", 0, "allocating the packed weights");
        goto out;
    }
    for (size_t b = 0; b < a.n_out * taps.n_blocks; b++)
        rk->pack(a.weights + b * rk->block_px, words + b * rk->block_words);
    taps.first = a.first;
    taps.words = words;
    st = run_rows(j, rk, &taps, rows, dst, dst_stride, err);
out:
    ims__free(words);
    ims__axis_release(&a);
    return st;
}

/* src: the columns of the window; its first row is row y_begin of the source. */
static void pass_y(const struct job *j, const struct ims_axis *a, const uint8_t *src,
                   size_t src_stride, int y_begin, uint8_t *dst, size_t dst_stride)
{
    for (size_t o = 0; o < a->n_out; o++) {
        const uint8_t *row = src + (a->first[o] - (size_t)y_begin) * src_stride;

        j->kernels->resample_column(a->weights + o * a->n_taps, a->n_taps, row, src_stride,
                                    j->row_bytes, dst + o * dst_stride);
    }
}

static ims_status pass_both(const struct job *j, const struct ims_axis *a, uint8_t *dst,
                            size_t dst_stride, ims_err *err)
{
    struct ims_span rows = ims__axis_needed(a);
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
    struct ims_axis a = { 0 };
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
        return pass_x(&j, (struct ims_span){ j.r.crop_y, j.r.crop_y + j.r.crop_height }, dst,
                      dst_stride, err);

    a = (struct ims_axis){ .filter = j.r.filter,
                           .n_in = j.r.src_height,
                           .n_all = j.r.dst_height,
                           .from = j.r.crop_y,
                           .n_out = (size_t)j.r.crop_height };
    st = ims__axis_init(&a, 1, err);
    if (st)
        goto out;
    if (j.has_x)
        st = pass_both(&j, &a, dst, dst_stride, err);
    else
        pass_y(&j, &a, window, j.r.src_stride, 0, dst, dst_stride);
out:
    ims__axis_release(&a);
    return st;
}

ims_status ims__resample(const struct ims_resample *r, uint8_t *dst, size_t dst_stride,
                         ims_err *err)
{
    return ims__resample_with(ims__kernels(), r, dst, dst_stride, err);
}
