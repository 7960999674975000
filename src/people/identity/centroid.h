/* Centroids of persons and the comparison of a face with a person.
 *
 * Pure functions; thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_CENTROID_H
#define IMS_PEOPLE_CENTROID_H

#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

#define IMS_CENTROID_ALGORITHM 2 /* grows when the rule below changes */
#define IMS_CENTROID_HASH_BYTES 17

struct ims_kernels;

/* The mean of n unit vectors, scaled to length 1; of 50 to 300 vectors the 5 % (rounded down), of more the
 * 10 % least similar to it are left out first, equal ones by their place. Sums are in double. IMS_E_INVALID when
 * n is 0, or when the mean has no direction (then nothing is written). */
ims_status ims_centroid(const struct ims_kernels *k, const float *vectors, size_t n, size_t dim,
                        float *out, size_t *out_n_trimmed, ims_err *err) IMS_MUST_CHECK;

/* What a centroid was made of: the first 16 hex digits of the SHA-256 over the ids in rising order, in decimal,
 * joined by ':'. ids are rising. */
ims_status ims_centroid_hash(const int64_t *ids, size_t n, char out[IMS_CENTROID_HASH_BYTES],
                             ims_err *err) IMS_MUST_CHECK;

/* A face against one person. */
struct ims_match {
    double aggregate; /* best of all scores, prototypes and centroid */
    double
        confidence; /* score of the best-quality prototype among those that match; of the centroid if none */
    size_t best;      /* prototype with the highest score; n_prototypes when there is none */
    size_t n_matches; /* prototypes with at least the threshold */
};
/* scores, qualities: of the person's prototypes; centroid: its score, -2 = there is none. Scores outside
 * [-1, 1] by rounding are taken as that. */
void ims_match_person(const float *scores, const double *qualities, size_t n_prototypes,
                      double centroid, double threshold, struct ims_match *out);

#endif
