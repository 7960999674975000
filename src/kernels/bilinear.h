/* Bilinear sampling of 8-bit RGB pictures without antialiasing, bit for bit what OpenCV 4 gives:
 * cv::resize and cv::warpAffine with INTER_LINEAR, border 0. Face models were trained behind these.
 *
 * Integer arithmetic after the coordinates, so the result is the same on every processor. Next to
 * the inference that follows both are small, hence plain loops. Thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_KERNELS_BILINEAR_H
#define IMS_KERNELS_BILINEAR_H

#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

/* A picture as a loan: height rows of width RGB triples, stride_bytes apart. */
struct ims_rgb_view {
    const uint8_t *rgb;
    int width, height;
    size_t stride_bytes;
};

/* Writes width x height pixels, row y at dst + y * dst_stride, dst_stride >= 3 * width. An exact
 * halving of both sides averages four pixels, as OpenCV does. IMS_E_INVALID for arguments that
 * contradict each other, IMS_E_LIMIT above IMS_MAX_IMAGE_PX or IMS_MAX_IMAGE_SIDE_PX, IMS_E_NOMEM.
 */
ims_status ims__bilinear_resize(const struct ims_rgb_view *src, int width, int height, uint8_t *dst,
                                size_t dst_stride, ims_err *err) IMS_MUST_CHECK;

/* m maps a pixel (x, y) of src to (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]) of dst, which is
 * width x height (rows as above); positions are rounded to 1/32 of a source pixel and what lies
 * outside of src is black. IMS_E_INVALID as above, for a matrix that cannot be inverted, and for
 * one that reaches further than 2^20 pixels away from the picture; IMS_E_LIMIT. */
ims_status ims__bilinear_warp(const struct ims_rgb_view *src, const double m[6], int width,
                              int height, uint8_t *dst, size_t dst_stride,
                              ims_err *err) IMS_MUST_CHECK;

#endif
