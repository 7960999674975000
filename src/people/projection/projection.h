/* A trained view of face vectors: one square matrix that brings faces of a person together.
 *
 * A vector x becomes W x, scaled to length 1. A new projection is the identity and changes nothing. The
 * weights carry the state of the optimiser that made them, so that training can go on, and a card: a
 * JSON text that says what they were trained on. Vectors that are stored are never changed; a
 * projection is applied when faces are compared.
 *
 * Applying is thread-safe; everything that changes a projection is for one thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_PROJECTION_H
#define IMS_PEOPLE_PROJECTION_H

#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

#define IMS_PROJECTION_MAX_DIM 2048
#define IMS_PROJECTION_MAX_CARD_BYTES 65536
#define IMS_PROJECTION_DIGEST_BYTES 65 /* hex and its NUL */

struct ims_projection;

/* The identity of dim numbers, 1 .. IMS_PROJECTION_MAX_DIM. */
ims_status ims_projection_new(struct ims_projection **out, size_t dim, ims_err *err) IMS_MUST_CHECK;
ims_status ims_projection_dup(struct ims_projection **out, const struct ims_projection *p,
                              ims_err *err) IMS_MUST_CHECK;
void ims_projection_free(struct ims_projection *p);

size_t ims_projection_dim(const struct ims_projection *p);
const float *ims_projection_weights(const struct ims_projection *p); /* dim rows of dim; a loan */
uint64_t ims_projection_steps(const struct ims_projection *p); /* of the optimiser, 0 = untrained */
/* "" when none was set. Valid until it is set again. */
const char *ims_projection_card(const struct ims_projection *p);
ims_status ims_projection_set_card(struct ims_projection *p, const char *json,
                                   ims_err *err) IMS_MUST_CHECK;
/* SHA-256 of the weights alone: equal for projections that do the same. */
ims_status ims_projection_digest(const struct ims_projection *p,
                                 char out[IMS_PROJECTION_DIGEST_BYTES], ims_err *err) IMS_MUST_CHECK;

/* in and out: n rows of dim floats that do not overlap; rows of out have length 1. A row that is not
 * finite, or that nothing is left of, is IMS_E_INVALID naming it, and out is then undefined. */
ims_status ims_projection_apply(const struct ims_projection *p, const float *in, size_t n, float *out,
                                ims_err *err) IMS_MUST_CHECK;

/* A checkpoint (docs/notes/projection.md) in memory: *out is ended with ims__free. */
ims_status ims_projection_encode(const struct ims_projection *p, uint8_t **out, size_t *out_n,
                                 ims_err *err) IMS_MUST_CHECK;
/* what names the bytes in errors, which are those of load. */
ims_status ims_projection_decode(struct ims_projection **out, const uint8_t *data, size_t n,
                                 const char *what, ims_err *err) IMS_MUST_CHECK;

/* The same as a file: written beside path and renamed over it. */
ims_status ims_projection_save(const struct ims_projection *p, const char *path,
                               ims_err *err) IMS_MUST_CHECK;
/* IMS_E_NOT_FOUND; IMS_E_CORRUPT when it is no checkpoint, was cut, or a byte of it is wrong;
 * IMS_E_VERSION when a newer program wrote it. */
ims_status ims_projection_load(struct ims_projection **out, const char *path,
                               ims_err *err) IMS_MUST_CHECK;

#endif
