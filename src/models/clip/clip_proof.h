/* The fixed pictures and texts with which a device proves that it computes a CLIP model, and the
 * reference results that may lie in a pack as proof.json.
 *
 * proof.json: {"digest": of the pack, "inputs": IMS_CLIP_PROOF_VERSION, "image": rows, "text": rows},
 * each row the dim numbers of one input's vector. One that belongs to other weights or inputs is not
 * used. tests/golden/clip/make.py writes it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_PROOF_H
#define IMS_MODELS_CLIP_PROOF_H

#include "compute/model_proof.h"
#include "models/clip/clip_internal.h"

#define IMS_CLIP_PROOF_VERSION 1 /* of the inputs */
#define IMS_CLIP_PROOF_ROWS 8

/* Picture k, 0 .. IMS_CLIP_PROOF_ROWS - 1: height x width x 3 bytes. Integer arithmetic only, so the
 * reference script makes the same bytes. */
void ims__clip_proof_picture(unsigned k, size_t height, size_t width, uint8_t *out);
extern const char *const ims__clip_proof_texts[IMS_CLIP_PROOF_ROWS];

/* A proof set for one tower, with what it needs at hand. */
struct ims_clip_proof {
    struct ims_clip *clip;
    ims_clip_tower tower;
    float *golden; /* ROWS x dim; NULL = none */
    struct ims_proof_set set;
};
/* graph is borrowed. The pointers in p->set lead back to p: do not move it. */
ims_status ims__clip_proof_init(struct ims_clip_proof *p, struct ims_clip *clip,
                                ims_clip_tower tower, const struct ims_compute_graph *graph,
                                ims_err *err) IMS_MUST_CHECK;
void ims__clip_proof_release(struct ims_clip_proof *p);

#endif
