/* Writes the ONNX graphs of a CLIP model's two towers from its architecture. The weights stay where
 * they are: every one is an external initializer that points into the safetensors file.
 * docs/notes/clip-graph.md describes the graphs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_GRAPH_H
#define IMS_MODELS_CLIP_GRAPH_H

#include "ims/status.h"
#include "models/clip/clip_config.h"
#include "models/safetensors.h"

#include <stddef.h>

/* image: uint8 [batch, height, width, 3], sRGB. embedding: float [batch, dim], unit length. */
ims_status ims__clip_graph_image(void **out, size_t *out_bytes,
                                 const struct ims_clip_config *config,
                                 const struct ims_safetensors *weights,
                                 ims_err *err) IMS_MUST_CHECK;
/* The same for a tower with attention pooling; the one above calls it. */
ims_status ims__clip_graph_siglip(void **out, size_t *out_bytes,
                                  const struct ims_clip_config *config,
                                  const struct ims_safetensors *weights,
                                  ims_err *err) IMS_MUST_CHECK;
/* text: int32 [batch, length], length at most context_length. embedding: float [batch, dim], unit
 * length. Rows shorter than length are padded with any id that does not pool. */
ims_status ims__clip_graph_text(void **out, size_t *out_bytes, const struct ims_clip_config *config,
                                const struct ims_safetensors *weights, ims_err *err) IMS_MUST_CHECK;
/* Both: *out is ims__free'd. IMS_E_MODEL names file, tensor, expected and found. */

#endif
