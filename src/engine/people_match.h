/* A run of matching, as comparing leaves it for what follows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_PEOPLE_MATCH_H
#define IMS_ENGINE_PEOPLE_MATCH_H

#include "engine/people_internal.h"

/* A face and the person it is most like. */
struct ims__match_hit {
    int64_t face_id;
    size_t person; /* of the gallery */
    double score;  /* aggregate */
    double confidence;
    int64_t source_face_id; /* 0 = the centroid */
    size_t n_matches;
    char *scores_json; /* in the run's arena; NULL = none */
    bool is_assigned;
    bool is_pending; /* suggested before; known for only_new */
};

struct ims__match_run {
    struct ims_engine *e;
    struct ims_people_match *what;
    struct ims__gallery g;
    struct ims_arena arena;
    double auto_threshold, threshold;
    size_t max_suggestions; /* of a person */
    size_t n_top;           /* only so many persons are suggested; 0 = all */
    float *view, *scores;
    size_t n_total, n_done;
    struct ims__match_hit *hits;
    size_t n_hits, cap_hits;
};

/* Names and suggests, one change for each person. Sorts the hits. */
ims_status ims__match_follow(struct ims__match_run *x, const struct ims_people_by *by, ims_err *err) IMS_MUST_CHECK;

#endif
