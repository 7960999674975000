/* One-bit codes and bytes of vectors, after RaBitQ (Gao and Long, SIGMOD 2024), with the centre kept apart.
 *
 * A unit vector x is rotated and split at the centre c: x = c + r. A query q loses its part along c:
 * q' = q - a c with a = <q,c> / |c|^2, so <q',c> = 0 and
 *
 *     <q,x> = a <c,x> + <q',r>
 *
 * exactly. <c,x> is stored as a float; only <q',r> is estimated, from the signs of r or from r in bytes:
 *
 *     <q',r> ~ f * sum_i sign(r_i) q'_i     with f = |r|^2 / sum_i |r_i|
 *
 * whose error over random rotations has the deviation f |q'| t with t^2 = (1 - w^2) D / (D - 1) and
 * w = sum_i |r_i| / (|r| D^1/2). t hardly varies, so its largest value serves a whole segment and
 * an upper bound of the score costs no more than the score.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_QUANTISER_H
#define IMS_VECTORS_EMBEDDED_QUANTISER_H

#include "base/limits.h"
#include "vectors/embedded/rotation.h"

#define IMS_LEAST_SQUARE 1e-12f /* a centre or residual shorter than 1e-6 counts as none */
#define IMS_MAX_CODE_BYTES ((IMS_MAX_EMBEDDING_DIM + 7) / 8)

/* The centre of the segments that were coded with it, rotated. Immutable; counted by the writer. */
struct ims_epoch {
    uint64_t number;
    unsigned refs;
    uint32_t dim;
    float norm_square; /* of the centre */
    float *centre;     /* dim floats, rotated */
};

/* centre: not rotated. NULL when memory is short. One reference. */
struct ims_epoch *ims__epoch_new(const struct ims_rotation *r, const float *centre, uint64_t number);
/* centre: as stored, rotated. */
struct ims_epoch *ims__epoch_load(uint32_t dim, const float *centre, uint64_t number);
void ims__epoch_unref(struct ims_epoch *e);

/* What becomes of one vector. */
struct ims_coded {
    float scale;      /* f */
    float centre;     /* <c,x> */
    float byte_scale; /* r ~ byte_scale * bytes */
    float spread;     /* t */
    float length;     /* |r| */
};
/* rotated: dim floats, lost; signs: (dim + 7) / 8 bytes; bytes: dim. */
struct ims_coded ims__encode(const struct ims_epoch *e, float *rotated, uint8_t *signs, int8_t *bytes);

/* t of dim elements of this sum of absolute values and of squares. */
float ims__code_spread(uint32_t dim, float sum, float square);

/* A query against one epoch. */
struct ims_query_code {
    float along;  /* a */
    float length; /* |q'| */
    float step, base; /* sum_i sign_i q'_i = step * (sum of table entries) + base, up to rounding: */
    float rounding;   /* the deviation of that */
    float byte_scale; /* q' ~ byte_scale * bytes */
    uint8_t *lut;     /* IMS_CODE_LUT_BYTES per code byte */
    int8_t *bytes;    /* dim */
};
/* rotated: the rotated unit query, dim floats; room: the same, scratch. lut and bytes are the caller's. */
void ims__query_code(const struct ims_epoch *e, const float *rotated, float *room, struct ims_query_code *out);

#endif
