/* The web page's own files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api.h"
#include "http/web_files.h"

#include <stdio.h>
#include <string.h>

static ims_status send_file(const char *name, struct ims_http_reply *rp, ims_err *err)
{
    for (size_t i = 0; i < ims__web_n_files; i++) {
        const struct ims_web_file *f = &ims__web_files[i];

        if (strcmp(f->name, name) != 0)
            continue;
        snprintf(rp->content_type, sizeof(rp->content_type), "%s", f->content_type);
        snprintf(rp->etag, sizeof(rp->etag), "%s", f->etag);
        snprintf(rp->cache_control, sizeof(rp->cache_control), "no-cache"); /* asked for each time, mostly answered 304 */
        return ims__buf_add(&rp->bytes, f->data, f->n_bytes) ? ims_fail(err, IMS_E_NOMEM, "http", 0, "%s", name) : IMS_OK;
    }
    return ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "Not Found");
}

IMS_API_HANDLER(ims__api_web_index)
{
    (void)cx;
    (void)rq;
    return send_file("index.html", rp, err);
}

IMS_API_HANDLER(ims__api_web_file)
{
    (void)cx;
    return send_file(ims__in_str(rq->path, "file", ""), rp, err);
}
