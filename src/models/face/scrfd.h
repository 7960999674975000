/* SCRFD's outputs: from what the graph gives at every anchor to faces.
 *
 * A detector looks at a canvas of width x height pixels on 3 grids (strides 8, 16, 32, two anchors
 * a cell) or on 5 (strides 8 to 128, one anchor). Its outputs are, level by level, first all
 * scores, then all boxes, then, where it has them, all points. Distances are in strides from the
 * anchor, which sits at (column * stride, row * stride). As InsightFace decodes them. Thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FACE_SCRFD_H
#define IMS_MODELS_FACE_SCRFD_H

#include "ims/status.h"
#include "models/face/face.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRFD_MAX_LEVELS 5
#define SCRFD_MAX_OUTPUTS (3 * SCRFD_MAX_LEVELS)
#define SCRFD_MAX_IOU 0.4F /* of two faces that stay two */

struct ims_scrfd {
    size_t n_outputs, n_levels, n_anchors;
    bool has_points;
    int width, height; /* of the canvas; multiples of the largest stride */
};

/* false when no SCRFD has that number of outputs. */
bool ims__scrfd_init(struct ims_scrfd *out, size_t n_outputs);
int ims__scrfd_stride(size_t level);
int ims__scrfd_max_stride(const struct ims_scrfd *s);
/* Anchors of a level, and floats that output i has for each. */
size_t ims__scrfd_rows(const struct ims_scrfd *s, size_t level);
size_t ims__scrfd_columns(const struct ims_scrfd *s, size_t output);

/* A face before suppression; its box by its corners, as areas are computed from them. */
struct ims_scrfd_candidate {
    float x1, y1, x2, y2, score;
    float points[IMS_FACE_N_POINTS][2];
    uint32_t order; /* ties of the score go by it */
};
struct ims_scrfd_candidates {
    struct ims_scrfd_candidate *items; /* ims__free */
    size_t n, cap;
    size_t n_before; /* the caller's: how many there were before the last scale */
};

/* Adds every anchor with score >= min_score, divided by scale (canvas pixels per pixel of the
 * picture). outputs[i]: rows(i % n_levels) x columns(i) floats. A box without area is left out.
 * IMS_E_NOMEM. */
ims_status ims__scrfd_decode(const struct ims_scrfd *s, const float *const *outputs,
                             float min_score, float scale, struct ims_scrfd_candidates *c,
                             ims_err *err) IMS_MUST_CHECK;
/* The first n_coarse candidates come from a smaller copy of the picture, whose boxes and points are as much
 * coarser: those that meet one of the rest (as suppression has it) go, whatever their scores. */
void ims__scrfd_prefer_fine(struct ims_scrfd_candidates *c, size_t n_coarse);
/* Sorts by score, best first, and keeps of those that overlap by more than SCRFD_MAX_IOU
 * (areas in whole pixels, ends included) the first; at most max_n in all. */
void ims__scrfd_suppress(struct ims_scrfd_candidates *c, size_t max_n);

#endif
