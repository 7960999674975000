/* What a device must compute rightly before it gets a part of a face pack; made for the call that
 * opens its pool.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FACE_PROOF_H
#define IMS_MODELS_FACE_PROOF_H

#include "compute/model_proof.h"
#include "models/face/face_internal.h"

struct ims_face_proof {
    const struct ims_face_graph *graph;
    struct ims_proof_set set;
};
/* Holds no memory. p and graph must stay where they are while the set is used. */
void ims__face_proof_init(struct ims_face_proof *p, const struct ims_face_graph *graph);

#endif
