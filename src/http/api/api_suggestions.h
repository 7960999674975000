/* What the handlers about suggestions share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_SUGGESTIONS_H
#define IMS_HTTP_API_API_SUGGESTIONS_H

#include "http/api/api_faces.h"

/* A background search for more faces of a person; n_queries 0: compare with its centroid. */
struct ims_api_find_more {
    int64_t person_id;
    int64_t n_queries;
    int64_t max_suggestions; /* 0 = as usual */
    double threshold;        /* 0 = the setting */
};
/* Puts it into the queue; one that waits or runs for the person is as good. */
ims_status ims__api_push_find_more(struct ims_http_context *cx, const struct ims_api_find_more *what, int64_t *out_job,
                                   ims_err *err) IMS_MUST_CHECK;
const char *ims__api_find_more_func(const struct ims_api_find_more *what);

/* Suggestion of the contract, with its face: a list of n. */
ims_status ims__api_suggestions_json(struct ims_http_context *cx, const struct ims_store_suggestion *list, size_t n,
                                     ims_json **out, ims_err *err) IMS_MUST_CHECK;

#endif
