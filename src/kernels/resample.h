/* Resizing of 8-bit pictures, bit for bit what Pillow's Image.resize gives.
 *
 * Separable and antialiased: horizontal pass first, then vertical, each rounded to 8 bits; a pass
 * whose size does not change is skipped. Only the rows and columns that the wanted window needs are
 * computed. Thread-safe; scratch is allocated per call.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_KERNELS_RESAMPLE_H
#define IMS_KERNELS_RESAMPLE_H

#include "ims/status.h"
#include "kernels/kernels.h"

#include <stddef.h>
#include <stdint.h>

typedef enum ims_filter {
    IMS_FILTER_BILINEAR, /* triangle, support 1 */
    IMS_FILTER_BICUBIC,  /* a = -0.5, support 2 */
    IMS_FILTER_LANCZOS3, /* windowed sinc, support 3 */
    IMS_FILTER_N
} ims_filter;

struct ims_resample {
    const uint8_t *src; /* interleaved, row y at src + y * src_stride */
    int src_width;
    int src_height;
    size_t src_stride; /* bytes, >= src_width * channels */
    int channels;      /* 1 or 3 */
    ims_filter filter;
    int dst_width; /* the size to resize to */
    int dst_height;
    /* The part of that picture to write, in its pixels. All four 0: the whole of it. */
    int crop_x;
    int crop_y;
    int crop_width;
    int crop_height;
};

/* Writes crop_width x crop_height pixels; row y at dst + y * dst_stride, dst_stride >= crop_width *
 * channels bytes. dst must not overlap src. The size resized to may be far larger than the window.
 * IMS_E_INVALID for arguments that contradict each other, IMS_E_LIMIT when the source or the window
 * has more pixels than IMS_MAX_IMAGE_PX or a side above IMS_MAX_IMAGE_SIDE_PX, or when the rows
 * between the passes would have more pixels than that; IMS_E_NOMEM. */
ims_status ims__resample(const struct ims_resample *r, uint8_t *dst, size_t dst_stride,
                         ims_err *err) IMS_MUST_CHECK;
/* The same with a table of your choice. For tests and benches. */
ims_status ims__resample_with(const struct ims_kernels *k, const struct ims_resample *r,
                              uint8_t *dst, size_t dst_stride, ims_err *err) IMS_MUST_CHECK;

#endif
