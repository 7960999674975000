/* One HTTP request by libcurl, which is opened at run time; for fetch.c and its parts alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FETCH_CURL_H
#define IMS_MODELS_FETCH_CURL_H

#include "ims/status.h"
#include "models/fetch_rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_http; /* a connection that is used again; one thread at a time */

struct ims_http_request {
    const char *url;
    bool is_head;
    uint64_t from_byte;   /* > 0: only from there on (Range) */
    const char *if_range; /* with from_byte: the ETag that the file must still have; "" = none */
    unsigned stall_s;
    /* All headers are in, before the first byte of a body (also when there is none). A status other than
     * IMS_OK ends the request with it. */
    ims_status (*on_head)(void *arg, const struct ims_http_head *head, ims_err *err);
    ims_status (*on_bytes)(void *arg, const void *p, size_t n, ims_err *err);
    bool (*on_tick)(void *arg); /* now and then; false = IMS_E_CANCELLED */
    void *arg;
};

/* IMS_E_RUNTIME when libcurl is missing. */
ims_status ims__fetch_http_open(struct ims_http **out, ims_err *err) IMS_MUST_CHECK;
void ims__fetch_http_close(struct ims_http *h);
/* IMS_OK when a whole response came, whatever its status; redirects are responses like others. IMS_E_IO and
 * IMS_E_TIMEOUT carry libcurl's code as native, and origin "curl". */
ims_status ims__http_run(struct ims_http *h, const struct ims_http_request *request,
                         struct ims_http_head *out_head, ims_err *err) IMS_MUST_CHECK;
/* Of an error of ims__http_run: no connection at all; or one that broke and may work again. */
bool ims__http_is_offline(const ims_err *err);
bool ims__http_is_broken(const ims_err *err);

#endif
