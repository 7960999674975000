/* What a projection is made of, for the files of this folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_PROJECTION_INTERNAL_H
#define IMS_PEOPLE_PROJECTION_INTERNAL_H

#include "people/projection/projection.h"

struct ims_projection {
    size_t dim;
    float *weights; /* dim rows of dim: row i makes element i of the result */
    float *first;   /* Adam's running mean of the gradient, like weights */
    float *second;  /* and of its square */
    uint64_t steps;
    char *card;
};

/* y = rows of W x scaled to length 1, norms their lengths before that (norms may be NULL).
 * Rows that have no length or are not finite stay as W x and have that norm. */
void ims__projection_rows(const float *weights, size_t dim, const float *x, size_t n, float *y,
                          double *norms);

#endif
