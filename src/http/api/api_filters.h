/* Which pictures a request is about: the filters of searches and lists, in every spelling that clients use.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_FILTERS_H
#define IMS_HTTP_API_API_FILTERS_H

#include "http/api/api.h"

#define IMS_API_MAX_PERSONS 8

struct ims_api_filters {
    struct ims_search_filter filter; /* points into this struct and into what was given */
    int64_t category_id;             /* 0 = any */
    char category[128];
    int64_t persons[IMS_API_MAX_PERSONS];
};

/* given: an object with any of dateFrom, dateTo, categoryId, folder, personId, area; NULL = none. category_id: what
 * stands beside it, -1 = nothing. IMS_E_INVALID says which one is wrong, and how it is written. */
ims_status ims__api_filters_read(struct ims_http_context *cx, const ims_json *given, int64_t category_id,
                                 struct ims_api_filters *out, ims_err *err) IMS_MUST_CHECK;
/* The same for lists of the store. */
struct ims_store_filter ims__api_filters_of_store(const struct ims_api_filters *f);

#endif
