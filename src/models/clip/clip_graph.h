/* Writes the ONNX graphs of a CLIP model's two towers from its architecture. The weights stay where
 * they are: every one is an external initializer that points into the safetensors file.
 * docs/notes/clip-graph.md describes the graphs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_GRAPH_H
#define IMS_MODELS_CLIP_GRAPH_H

#include "compute/precision.h"
#include "ims/status.h"
#include "models/clip/clip_config.h"
#include "models/safetensors.h"

#include <stdbool.h>
#include <stddef.h>

/* What a weight is for, which says what becomes of it in another precision. */
typedef enum ims_clip_role {
    IMS_CLIP_EXACT,  /* norms, positions: float always */
    IMS_CLIP_TABLE,  /* rows that are looked up */
    IMS_CLIP_KERNEL, /* the patches' convolution, and its bias */
    IMS_CLIP_LINEAR, /* [n_out, n_in] of a product */
    IMS_CLIP_MATRIX, /* [n_in, n_out] of a product */
    IMS_CLIP_BIAS    /* of a product */
} ims_clip_role;

/* One weight as a graph uses it: the whole tensor, or rows [first, first + n_rows) of it. */
struct ims_clip_need {
    const char *name; /* of the tensor, or "NAME[FIRST:END]" */
    const struct ims_weight *source;
    uint64_t first, n_rows;
    ims_clip_role role;
};
/* The weights that graphs need, each once. Zeroed is empty. */
struct ims_clip_plan {
    struct ims_arena names;
    struct ims_clip_need *needs;
    size_t n, cap;
};
void ims__clip_plan_init(struct ims_clip_plan *plan);
void ims__clip_plan_release(struct ims_clip_plan *plan);

/* Where a graph's weights come from. */
struct ims_clip_source {
    const struct ims_safetensors *weights;
    /* fp32: weights as they were trained. Others: a file made by clip_weights.h. */
    ims_precision precision;
    struct ims_clip_plan *plan; /* (optional) takes down what is needed */
    /* The text tower looks tokens up in a table of floats, whatever it is stored as: accelerators
     * cannot all read halves. It costs the runtime a copy of the table. */
    bool is_table_wide;
};
/* Is the token table stored in less than floats? Only then is_table_wide makes another graph. */
bool ims__clip_is_table_narrow(const struct ims_safetensors *weights);

/* image: uint8 [batch, height, width, 3], sRGB. embedding: float [batch, dim], unit length. */
ims_status ims__clip_graph_image(void **out, size_t *out_bytes,
                                 const struct ims_clip_config *config,
                                 const struct ims_clip_source *source,
                                 ims_err *err) IMS_MUST_CHECK;
/* The same for a tower with attention pooling; the one above calls it. */
ims_status ims__clip_graph_siglip(void **out, size_t *out_bytes,
                                  const struct ims_clip_config *config,
                                  const struct ims_clip_source *source,
                                  ims_err *err) IMS_MUST_CHECK;
/* text: int32 [batch, length], length at most context_length. embedding: float [batch, dim], unit
 * length. Rows shorter than length are padded with any id that does not pool. */
ims_status ims__clip_graph_text(void **out, size_t *out_bytes, const struct ims_clip_config *config,
                                const struct ims_clip_source *source, ims_err *err) IMS_MUST_CHECK;
/* Both: *out is ims__free'd. IMS_E_MODEL names file, tensor, expected and found. */

#endif
