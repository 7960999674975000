/* One direction of a resize: which source positions make which output, with which weights.
 * For src/kernels only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_KERNELS_RESAMPLE_AXIS_H
#define IMS_KERNELS_RESAMPLE_AXIS_H

#include "kernels/resample.h"

#include <stdbool.h>

struct ims_span {
    int begin, end;
};

/* One direction of a resize, restricted to the outputs from..from + n_out - 1 of all. Output o uses
 * the source positions first[o] .. first[o] + n_taps - 1, for every o the same number: where the
 * filter is narrower (at the edges), the rest has weight 0. */
struct ims_axis {
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

/* Computes first and weights. With block_px > 1, n_taps is a multiple of it unless the source is
 * narrower than that; see n_taps afterwards. ims__axis_release in every case. */
ims_status ims__axis_init(struct ims_axis *a, size_t block_px, ims_err *err) IMS_MUST_CHECK;
void ims__axis_release(struct ims_axis *a);
/* The source positions that the axis reads. */
struct ims_span ims__axis_needed(const struct ims_axis *a);

#endif
