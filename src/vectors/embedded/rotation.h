/* A random rotation that costs n log n: signs and Walsh-Hadamard transforms, for any dimension.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_ROTATION_H
#define IMS_VECTORS_EMBEDDED_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two rounds of: random signs, then a Hadamard transform. Where dim is no power of two, a round
 * transforms the first and then the last `power` elements, which overlap; each is orthonormal, so the
 * whole is, and no dimension is added. Immutable after init. */
struct ims_rotation {
    uint32_t dim;
    uint32_t power; /* the largest power of two <= dim */
    float *signs;   /* rounds x dim, with the transform's factor of power^-1/2 */
};

/* The same seed gives the same rotation on every machine. false when memory is short. */
bool ims__rotation_init(struct ims_rotation *r, uint32_t dim, uint64_t seed);
void ims__rotation_release(struct ims_rotation *r);
/* in and out: dim floats, may be the same. */
void ims__rotate(const struct ims_rotation *r, const float *in, float *out);

#endif
