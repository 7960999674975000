/* The triplet loss of a batch of labelled vectors under a projection, and its gradient.
 *
 *     loss = mean over triplets (a, p, n) of max(0, d(a, p) - d(a, n) + margin),  d = 1 - cosine
 *
 * Every ordered pair of one person's vectors is an anchor and a positive; its negative is mined within
 * the batch (Schroff, Kalenichenko and Philbin 2015, FaceNet). Triplets without loss do not count.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_TRIPLET_H
#define IMS_PEOPLE_TRIPLET_H

#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum ims_mining {
    IMS_MINING_SEMI_HARD, /* the nearest negative that is further away than the positive */
    IMS_MINING_HARD,      /* the nearest negative */
} ims_mining;

/* Room for batches of up to max_n vectors. One thread at a time. */
struct ims_triplet_work {
    size_t dim, max_n;
    float *y;         /* projected vectors, max_n * dim */
    float *dz;        /* gradient of what was projected, before its length was made 1; likewise */
    float *dz_t;      /* dim * max_n: the same, an element of all vectors in a row */
    float *x_t;       /* dim * max_n: the vectors themselves, likewise */
    float *cosines;   /* max_n * max_n */
    float *pull;      /* max_n * max_n: how the loss changes with each cosine, made symmetric */
    double *norms;    /* max_n */
    float *gradient;  /* dim * dim, of the weights: the result */
    double loss;      /* the result; 0 without triplets */
    size_t n_triplets;
};
ims_status ims__triplet_work_init(struct ims_triplet_work *w, size_t dim, size_t max_n,
                                  ims_err *err) IMS_MUST_CHECK;
void ims__triplet_work_release(struct ims_triplet_work *w);

/* x: n rows; persons: whose each is. Fills loss, n_triplets and gradient. */
void ims__triplet_step(struct ims_triplet_work *w, const float *weights, const float *x,
                       const uint32_t *persons, size_t n, double margin, ims_mining mining);

#endif
