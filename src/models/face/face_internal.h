/* The inside of a face models handle; for its own files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FACE_INTERNAL_H
#define IMS_MODELS_FACE_INTERNAL_H

#include "base/thread.h"
#include "compute/pool.h"
#include "models/face/face.h"
#include "models/face/scrfd.h"

#define FACE_DETECT_SIDE_PX 640 /* where the graph leaves its size free; InsightFace's sizes */
#define FACE_SMALL_SIDE_PX 128
#define FACE_DEFAULT_BATCH 8 /* on two cores as fast as any, at a third of the memory of 32 */
#define FACE_DEFAULT_MIN_SCORE 0.5F
#define FACE_LANDMARK_ROWS 1103 /* of which the last 68 are the landmarks */

/* What a part does to a pixel: x * scale + bias. */
struct ims_face_pixels {
    float scale, bias;
};
extern const struct ims_face_pixels ims__face_pixels[IMS_FACE_N_PARTS];

/* What a graph's ports say, read when its first session opens. */
struct ims_face_graph {
    struct ims_face_models *m;
    ims_face_part part;
    int wanted_px;          /* detectors: the size that was asked for where it is free */
    struct ims_scrfd scrfd; /* its canvas is the graph's own size, 0 where that is still free */
    bool is_batched;        /* detectors: outputs have a batch dimension */
    bool has_free_batch;    /* more than one row per run */
};

/* One look at a picture: resized to at most width x height in the canvas of the graph. */
struct ims_face_scale {
    struct ims_pool *pool;
    struct ims_face_graph graph;
    bool is_own_pool; /* otherwise that of the main scale */
    struct ims_scrfd scrfd;
    int width, height;
};

struct ims_face_side {
    struct ims_lock lock;
    bool has_lock;
    struct ims_pool *pool;
    struct ims_face_graph graph;
};

struct ims_face_models {
    const struct ims_face_pack *pack;
    struct ims_compute *compute;
    struct ims_face_options options; /* defaults filled in */
    struct ims_face_side sides[IMS_FACE_N_PARTS];
    struct ims_face_scale scales[IMS_FACE_MAX_SCALES]; /* the small one first, as ties go by it */
    size_t n_scales;
    bool no_proof; /* tests with graphs that give constants */
};

/* Rows that one call of ims_pool_run should get at most: the batch, for every device. */
size_t ims__face_turn(const struct ims_face_models *m, ims_face_part part, size_t left);

/* on_open and look of the pools; arg is a struct ims_face_graph. */
ims_status ims__face_opened(void *graph, const struct ims_compute_session *s, ims_err *err);
ims_status ims__face_look(void *graph, const struct ims_compute_value *out, size_t n_out,
                          ims_err *err);

/* Fills in the angles from the points; 0 for points that lie in a line. */
void ims__face_pose(struct ims_face_shape *s);

#endif
