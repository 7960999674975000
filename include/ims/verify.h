/* Are the stored vectors still what the model gives? A sample is computed again, from the files, on
 * whatever device the engine was opened with, and compared.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VERIFY_H
#define IMS_VERIFY_H

#include "ims/engine.h"

#define IMS_VERIFY_MAX_ORIGINS 8

struct ims_verify_options {
    size_t sample;     /* pictures, spread evenly over the library; 0 = 32 */
    double min_cosine; /* floor; 0 = by the devices and the precision: 0.99999 between processors */
    /* Why a picture could not be compared, or does not agree: "gone", "changed", "unreadable", "damaged",
     * "drift". May be NULL. */
    ims_index_note_fn on_note;
    /* Now and then; false ends with IMS_E_CANCELLED. May be NULL. */
    bool (*on_progress)(void *arg, size_t done, size_t total);
    void *arg;
};

struct ims_verify_report {
    char model[300];
    char device[16], provider[48], runtime[64]; /* of the new vectors */
    size_t n_vectors;    /* pictures of the library that have a vector of this model */
    size_t n_sampled;    /* == n_compared + n_gone + n_changed + n_unreadable */
    size_t n_compared;
    size_t n_gone;       /* the file is not there any more */
    size_t n_changed;    /* other content than was indexed: `imgsearch index` would do it again */
    size_t n_unreadable;
    size_t n_damaged;    /* of the sampled: the stored vector is not the one that its evidence vouches for */
    size_t n_equal;      /* of the compared: the same checksum, bit for bit */
    double min_cosine, mean_cosine, max_difference; /* 0 when none was compared */
    double floor;
    bool has_drift;      /* min_cosine < floor */
    size_t n_origins;    /* on which devices the stored vectors were computed, as far as known */
    struct {
        char device[16];
        size_t n;
    } origins[IMS_VERIFY_MAX_ORIGINS];
};

/* Changes nothing. Drift and damage are in the report, not errors. IMS_E_NOT_FOUND: the library has no
 * vector of the model. */
IMS_API ims_status ims_engine_verify(struct ims_engine *e, const struct ims_verify_options *options,
                                     struct ims_verify_report *out, ims_err *err) IMS_MUST_CHECK;

#endif
