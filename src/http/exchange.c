/* Replies: building them and giving up what they hold.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/exchange.h"

#include "base/mem.h"
#include "http/http_limits.h"

#include <string.h>
#include <unistd.h>

void ims__reply_init(struct ims_http_reply *rp)
{
    memset(rp, 0, sizeof(*rp));
    rp->fd = -1;
    ims__buf_init(&rp->bytes, IMS_HTTP_MAX_REPLY_BYTES);
}

void ims__reply_release(struct ims_http_reply *rp)
{
    ims__json_free(rp->json);
    ims__buf_release(&rp->bytes);
    ims__free(rp->location);
    if (rp->fd >= 0)
        close(rp->fd);
    if (rp->stream_ops && rp->stream)
        rp->stream_ops->close(rp->stream);
    ims__reply_init(rp);
}

ims_status ims__reply_json(struct ims_http_reply *rp, int status, ims_json *take_json, ims_err *err)
{
    if (!take_json)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "writing a reply");
    ims__json_free(rp->json);
    rp->json = take_json;
    rp->status = status ? status : 200;
    return IMS_OK;
}

static ims_status set_text(ims_json *object, const char *key, const char *text)
{
    return object ? ims__json_set(object, key, ims__json_new_str(text)) : IMS_E_NOMEM;
}

ims_status ims__reply_error(struct ims_http_reply *rp, int status, const char *text)
{
    ims_json *body = ims__json_new_object();

    if (set_text(body, "detail", text) || set_text(body, "message", text)) {
        ims__json_free(body);
        return IMS_E_NOMEM;
    }
    return ims__reply_json(rp, status, body, NULL);
}

ims_status ims__reply_coded_error(struct ims_http_reply *rp, int status, const char *code, const char *text)
{
    ims_json *body = ims__json_new_object(), *detail = ims__json_new_object();
    ims_status st = set_text(detail, "error", code);

    if (!st)
        st = set_text(detail, "code", code);
    if (!st)
        st = set_text(detail, "message", text);
    if (!st && body) {
        st = ims__json_set(body, "detail", detail);
        detail = NULL;
    }
    if (!st)
        st = set_text(body, "message", text);
    if (!st)
        return ims__reply_json(rp, status, body, NULL);
    ims__json_free(detail);
    ims__json_free(body);
    return IMS_E_NOMEM;
}
