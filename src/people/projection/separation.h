/* How well vectors tell people apart: the share of same-person pairs that are accepted when at most a
 * given share of different pairs is.
 *
 * Pairs are a probe (a face that training never saw) with a gallery face or with an earlier probe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_SEPARATION_H
#define IMS_PEOPLE_SEPARATION_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_separation {
    size_t n_same, n_different; /* pairs */
    double threshold;           /* a cosine above it is accepted */
    double false_accept_rate;   /* of different pairs at that threshold: at most what was asked */
    double true_accept_rate;    /* of same pairs */
    double mean_same, mean_different; /* cosines */
};

/* Unit rows of one set of faces; the first n_gallery are the gallery, the rest the probes. */
struct ims_separation_faces {
    const float *rows;
    const uint32_t *persons;
    size_t n, n_gallery, dim;
};

/* max_far: 0..1. out_probe_rates: NULL, or for each probe the share of its same pairs that are accepted,
 * -1 without any. IMS_E_INVALID without both kinds of pairs. The threshold lies on a grid of 2^-15. */
ims_status ims_separation_measure(const struct ims_separation_faces *f, double max_far,
                                  struct ims_separation *out, double *out_probe_rates,
                                  ims_err *err) IMS_MUST_CHECK;

/* Paired over probes: the mean of after - before, and its standard error. false below two probes. */
bool ims_separation_gain(const double *before, const double *after, size_t n_probes, double *out_mean,
                         double *out_error);

#endif
