/* Learning from the faces that the user has named: a projection of the face vectors, kept in versions.
 *
 * A training is kept only when it tells people apart better on faces it never saw; then it serves at once
 * whenever faces are compared. The vectors themselves never change, so any version, or none, may serve at any
 * time. Handles, threads and errors are those of ims/engine.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_FACE_TRAINING_H
#define IMS_FACE_TRAINING_H

#include "ims/engine.h"

struct ims_face_training_progress {
    int epoch, n_epochs;                /* from 1 */
    double loss;                        /* of the epoch's batches */
    double watched_loss, watched_first; /* of faces that are only watched: now, and before */
};
/* Called after each epoch; false cancels. */
typedef bool (*ims_face_training_fn)(void *arg, const struct ims_face_training_progress *p);

struct ims_face_training_options {
    double margin, learning_rate; /* 0 = 0.2, 0.0001 */
    int epochs, batch;            /* 0 = 20, 32 */
    size_t min_faces;             /* persons with fewer named faces are left out; 0 = 5 */
    uint64_t seed;
    bool go_on;      /* from the version that serves, instead of from the start */
    bool is_dry_run; /* keep nothing, whatever comes out */
    const char *checkpoint; /* file that receives a version that is kept; NULL or "" = none */
    ims_face_training_fn on_epoch; /* may be NULL */
    void *arg;
};

struct ims_face_training_rates {
    double true_accepts, false_accepts; /* shares of pairs, at that threshold */
    double threshold;                   /* cosine */
    double mean_same, mean_different;
};

struct ims_face_training_result {
    size_t persons, persons_held_out;
    size_t learned, watched, judged, ignored; /* faces */
    size_t triplets;                          /* that had a loss, over all epochs */
    size_t same_pairs, different_pairs;       /* that it was judged by */
    int epochs, best_epoch;                   /* best 0: no epoch was better than none */
    double watched_first, watched_best;
    struct ims_face_training_rates before, after;
    double gain, gain_error; /* of the true accepts, and its standard error */
    bool is_better, is_active;
    int version;     /* 0 = not kept */
    char digest[65]; /* of its weights; "" = not kept */
};

/* IMS_E_NOT_FOUND when no face models have found faces here, IMS_E_INVALID when too few are named or an option
 * is out of range, IMS_E_CANCELLED. That it was no better is no error: look at the result. */
IMS_API ims_status ims_engine_train_faces(struct ims_engine *e, const struct ims_face_training_options *options,
                                          struct ims_face_training_result *out, ims_err *err) IMS_MUST_CHECK;

struct ims_face_training_version {
    int version;
    const char *name, *digest;
    const char *metrics_json; /* what it was trained on and what it reached */
    bool is_active;
    int64_t created_us;
};
/* Newest first; loans for the call. */
typedef void (*ims_face_training_version_fn)(void *arg, const struct ims_face_training_version *v);
IMS_API ims_status ims_engine_face_trainings(struct ims_engine *e, ims_face_training_version_fn fn, void *arg,
                                             ims_err *err) IMS_MUST_CHECK;
/* 0: the vectors as they are. IMS_E_NOT_FOUND. */
IMS_API ims_status ims_engine_use_face_training(struct ims_engine *e, int version, ims_err *err) IMS_MUST_CHECK;

#endif
