/* What the files of fetching share; not for others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FETCH_INTERNAL_H
#define IMS_MODELS_FETCH_INTERNAL_H

#include "models/fetch.h"
#include "models/fetch_curl.h"
#include "models/fetch_rules.h"

struct ims_fetch {
    struct ims_fetch_options options;
    struct ims_http *http;
    long retry_after_s; /* of the attempt at hand; -1 = none */
    bool has_progress;  /* the attempt at hand left more than any before it */
};

/* A response that is no file: an error status, a web page, a packed body. */
ims_status ims__fetch_refuse(const struct ims_http_head *h, const char *url,
                             ims_err *err) IMS_MUST_CHECK;
ims_status ims__fetch_follow(struct ims_fetch *f, struct ims_http_request *r,
                             struct ims_http_head *out_head, char **out_url,
                             ims_err *err) IMS_MUST_CHECK;
/* Calls once() until it succeeds, fails for good, or fails n_attempts times without progress; waits longer
 * and longer in between, or as long as the server said. */
ims_status ims__fetch_try(struct ims_fetch *f,
                          ims_status (*once)(struct ims_fetch *f, void *arg, ims_err *err),
                          void *arg, ims_err *err) IMS_MUST_CHECK;

#endif
