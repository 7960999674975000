/* Makes a reply ready for the wire on the worker that made it: JSON as text, texts as gzip. Both may be megabytes, which
 * the few threads of the sockets must not wait for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http_internal.h"
#include "http/wire.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define LEAST_GZIP_BYTES 1024

/* The text as gzip, or nothing when that does not help. */
static bool gzip(const struct ims_buf *in, struct ims_buf *out)
{
    z_stream z = { 0 };
    bool is_done = false;

    if (in->len > UINT32_MAX / 2 || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    if (ims__buf_reserve(out, in->len) == IMS_OK) {
        z.next_in = (Bytef *)in->data;
        z.avail_in = (uInt)in->len;
        z.next_out = (Bytef *)out->data;
        z.avail_out = (uInt)in->len;
        is_done = deflate(&z, Z_FINISH) == Z_STREAM_END;
        out->len = is_done ? z.total_out : 0;
    }
    deflateEnd(&z);
    return is_done;
}

static bool write_json(struct ims_http_reply *rp)
{
    ims__buf_clear(&rp->bytes);
    snprintf(rp->content_type, sizeof(rp->content_type), "application/json");
    return ims__json_write(rp->json, 0, &rp->bytes, NULL) == IMS_OK;
}

/* Pictures are packed already. */
static bool is_text(const struct ims_http_reply *rp)
{
    return strncmp(rp->content_type, "text/", 5) == 0 || strncmp(rp->content_type, "application/json", 16) == 0 ||
           strncmp(rp->content_type, "image/svg", 9) == 0;
}

bool ims__http_is_unchanged(const struct ims_http_exchange *x)
{
    return x->reply.status == 200 && x->reply.etag[0] &&
           ims__wire_knows_etag(ims__http_header(x, MHD_HTTP_HEADER_IF_NONE_MATCH), x->reply.etag);
}

void ims__http_pack(struct ims_http_exchange *x)
{
    struct ims_http_reply *rp = &x->reply;
    struct ims_buf packed;

    if (x->is_packed)
        return;
    x->is_packed = true;
    if (rp->json && !write_json(rp)) {
        ims__buf_release(&rp->bytes);
        ims__buf_init(&rp->bytes, IMS_HTTP_MAX_REPLY_BYTES);
        ims__http_refuse(x, 503, "the reply takes more memory than there is; ask for less of it");
        if (rp->json && !write_json(rp))
            ims__buf_clear(&rp->bytes); /* the status alone, then */
    }
    if (rp->bytes.len < LEAST_GZIP_BYTES || !is_text(rp) || ims__http_is_unchanged(x) ||
        !ims__wire_takes_gzip(ims__http_header(x, MHD_HTTP_HEADER_ACCEPT_ENCODING)))
        return;
    ims__buf_init(&packed, IMS_HTTP_MAX_REPLY_BYTES);
    x->is_gzip = gzip(&rp->bytes, &packed);
    if (x->is_gzip) {
        ims__buf_release(&rp->bytes);
        rp->bytes = packed;
    } else
        ims__buf_release(&packed);
}
