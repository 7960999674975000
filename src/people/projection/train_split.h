/* Which labelled faces training learns from, which it watches to know when to stop, and which it is
 * judged by: three sets with no face in common.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_TRAIN_SPLIT_H
#define IMS_PEOPLE_TRAIN_SPLIT_H

#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

#define IMS_TRAIN_FEWEST_FACES 4 /* of a person: two to learn from, one to watch, one to be judged by */

struct ims_face_set {
    float *rows;       /* n * dim */
    uint32_t *persons; /* 0 .. n_persons - 1, of the split */
    size_t n;
};

struct ims_train_split {
    size_t dim;
    size_t n_persons;          /* who have enough faces */
    size_t n_persons_held_out; /* of those: nobody learns from or watches a face of theirs */
    size_t n_ignored;          /* faces: too few of a person, or the same vector twice */
    struct ims_face_set learn, watch, judge;
};

/* From each ten persons, when there are ten, two are held out whole and only judged; of everybody else a
 * fifth of the faces is watched and a fifth judged. Vectors of one person that are equal to the bit count
 * once, so that a copy of a photo is not on both sides. IMS_E_INVALID when fewer than two persons have
 * min_faces faces (IMS_TRAIN_FEWEST_FACES at least), or a vector is not of length 1. */
ims_status ims_train_split_make(struct ims_train_split *out, const float *rows,
                                const uint32_t *persons, size_t n, size_t dim, size_t min_faces,
                                uint64_t seed, ims_err *err) IMS_MUST_CHECK;
void ims_train_split_release(struct ims_train_split *s);

/* splitmix64: the same numbers everywhere for the same seed. below > 0. */
uint64_t ims__train_random(uint64_t *state);
size_t ims__train_random_below(uint64_t *state, size_t below);

#endif
