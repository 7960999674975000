/* Training a projection on faces that the user has named, and judging whether it helps.
 *
 * Adam on the triplet loss (triplet.h) of batches with four faces of each person; semi-hard mining in the
 * first half of the epochs, hard mining in the second. After every epoch the loss of the watched faces
 * decides which weights are kept and when to stop. At the end the judged faces, which nothing before has
 * looked at, say whether people are told apart better than by the vectors as they are.
 *
 * The same input, seed and processor give the same weights; processors with other vector instructions
 * round differently in the last bits. One thread; may be called from any.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_TRAIN_H
#define IMS_PEOPLE_TRAIN_H

#include "ims/status.h"
#include "people/projection/projection.h"
#include "people/projection/separation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_train_progress {
    int epoch, n_epochs;  /* from 1 */
    double loss;          /* mean over the epoch's batches */
    double watched_loss;  /* of the watched faces, after the epoch */
    double watched_first; /* before training */
};

struct ims_train_options {
    double margin;        /* above 0, at most 1 */
    double learning_rate; /* 1e-6 .. 0.1 */
    int epochs;           /* 1 .. 1000, at most so many */
    int batch;            /* faces, 4 .. 256 */
    size_t min_faces;     /* persons with fewer are left out */
    uint64_t seed;
    double max_far;       /* where the judgement looks: 0 = 0.001 */
    double min_gain;      /* of the true-accept rate: 0 = 0.005 */
    int patience;         /* epochs without a better one before it stops: 0 = 5 */
    bool (*on_epoch)(void *arg, const struct ims_train_progress *p); /* false = cancel; may be NULL */
    void *arg;
};

struct ims_train_report {
    size_t n_persons, n_persons_held_out, n_ignored; /* as in train_split.h */
    size_t n_learned, n_watched, n_judged;           /* faces */
    size_t n_triplets;                               /* that had a loss, over all epochs */
    int epochs, best_epoch;                          /* run; kept, 0 = none was better than none */
    double watched_first, watched_best;
    struct ims_separation before, after; /* of the judged faces */
    double gain, gain_error;             /* of the true-accept rate by probe, and its standard error */
    bool is_better;                      /* by min_gain, and by two standard errors */
};

/* What FACE_TRIPLET_MARGIN and its companions say by default. */
struct ims_train_options ims_train_defaults(void);

/* rows: n unit vectors of dim numbers, persons: whose each is. from: NULL, or a projection to go on from,
 * judged against no projection all the same. *out is the best projection even when it is no better:
 * the caller looks at the report. IMS_E_INVALID for options out of range or too few faces,
 * IMS_E_CANCELLED. */
ims_status ims_train_projection(const float *rows, const uint32_t *persons, size_t n, size_t dim,
                                const struct ims_train_options *options,
                                const struct ims_projection *from, struct ims_projection **out,
                                struct ims_train_report *out_report, ims_err *err) IMS_MUST_CHECK;

#endif
