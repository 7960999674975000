/* Puts a reply on the wire: conditional and partial replies, the headers that every reply has.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/text.h"
#include "http/http_internal.h"
#include "http/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool add_header(struct MHD_Response *r, const char *name, const char *value)
{
    return !*value || MHD_add_response_header(r, name, value) == MHD_YES;
}

/* ---- bodies ---- */

/* The reply's bytes; the response frees them. */
static struct MHD_Response *bytes_response(struct ims_http_exchange *x)
{
    struct MHD_Response *r;
    size_t n;
    char *p;

    ims__http_pack(x); /* what was settled from the head alone comes straight to here */
    p = ims__buf_take(&x->reply.bytes, &n);
    r = MHD_create_response_from_buffer_with_free_callback(p ? n : 0, p, ims__free);
    if (!r)
        ims__free(p);
    return r;
}

/* The file, or the part of it that was asked for. The response owns the descriptor then. */
static struct MHD_Response *file_response(struct ims_http_exchange *x)
{
    struct ims_http_reply *rp = &x->reply;
    const char *if_range = ims__http_header(x, "If-Range");
    bool may_cut = rp->status == 200 && (!if_range || strcmp(if_range, rp->etag) == 0);
    uint64_t first = 0, count = rp->n_file_bytes;
    int status = may_cut ? ims__wire_range(ims__http_header(x, MHD_HTTP_HEADER_RANGE), count, &first, &count) : 200;
    struct MHD_Response *r;
    char span[80] = "";

    if (status == 416) {
        snprintf(span, sizeof(span), "bytes */%llu", (unsigned long long)rp->n_file_bytes);
        rp->cache_control[0] = '\0';
        ims__http_refuse(x, 416, "the file has no such part");
        x->is_packed = false;
        r = bytes_response(x);
    } else {
#if defined(POSIX_FADV_WILLNEED)
        (void)posix_fadvise(rp->fd, (off_t)first, (off_t)count, POSIX_FADV_WILLNEED);
#endif
        r = MHD_create_response_from_fd_at_offset64(count, rp->fd, first);
        if (r)
            rp->fd = -1;
        if (status == 206)
            snprintf(span, sizeof(span), "bytes %llu-%llu/%llu", (unsigned long long)first,
                     (unsigned long long)(first + count - 1), (unsigned long long)rp->n_file_bytes);
    }
    if (status != 200)
        rp->status = status;
    if (r && (!add_header(r, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes") ||
              !add_header(r, MHD_HTTP_HEADER_CONTENT_RANGE, span))) {
        MHD_destroy_response(r);
        r = NULL;
    }
    return r;
}

static struct MHD_Response *make_response(struct ims_http_exchange *x)
{
    struct ims_http_reply *rp = &x->reply;

    if (ims__http_is_unchanged(x)) {
        rp->status = 304;
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    if (rp->stream)
        return ims__http_stream_response(x->server->streams, x);
    return rp->fd >= 0 ? file_response(x) : bytes_response(x);
}

/* ---- headers ---- */

static bool add_cors(const struct ims_http_exchange *x, struct MHD_Response *r)
{
    const char *origin = ims__http_header(x, MHD_HTTP_HEADER_ORIGIN);
    const char *asked = ims__http_header(x, "Access-Control-Request-Headers");

    if (!add_header(r, MHD_HTTP_HEADER_VARY, "Origin, Accept-Encoding"))
        return false;
    if (!origin ||
        !ims__guard_allows_origin(x->server->guard, origin, ims__http_header(x, MHD_HTTP_HEADER_HOST)))
        return true;
    if (!add_header(r, "Access-Control-Allow-Origin", origin) ||
        !add_header(r, "Access-Control-Allow-Credentials", "true") ||
        !add_header(r, "Access-Control-Expose-Headers", "X-Request-Id, ETag, Content-Range"))
        return false;
    if (strcmp(x->method, MHD_HTTP_METHOD_OPTIONS) != 0)
        return true;
    return add_header(r, "Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS") &&
           add_header(r, "Access-Control-Allow-Headers", asked ? asked : "Content-Type, Authorization") &&
           add_header(r, "Access-Control-Max-Age", "600");
}

static bool add_headers(const struct ims_http_exchange *x, struct MHD_Response *r)
{
    const struct ims_http_reply *rp = &x->reply;
    char seconds[16] = "", etag[sizeof(rp->etag) + 2];

    /* packed, it is another row of bytes of the same version */
    snprintf(etag, sizeof(etag), "%s%s", x->is_gzip && rp->etag[0] == '"' ? "W/" : "", rp->etag);

    if (rp->retry_after_s)
        snprintf(seconds, sizeof(seconds), "%u", rp->retry_after_s);
    return add_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, rp->status == 304 ? "" : rp->content_type) &&
           add_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, x->is_gzip ? "gzip" : "") &&
           add_header(r, MHD_HTTP_HEADER_ETAG, etag) &&
           add_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, rp->cache_control[0] ? rp->cache_control : "no-store") &&
           add_header(r, MHD_HTTP_HEADER_LOCATION, rp->location ? rp->location : "") &&
           add_header(r, MHD_HTTP_HEADER_SET_COOKIE, rp->cookie) &&
           add_header(r, "Content-Disposition", rp->disposition) &&
           add_header(r, "X-Accel-Buffering", rp->stream_ops ? "no" : "") && /* a proxy hands events on at once */
           add_header(r, MHD_HTTP_HEADER_RETRY_AFTER, seconds) &&
           add_header(r, MHD_HTTP_HEADER_ALLOW, rp->status == 405 ? x->match.allow : "") &&
           add_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, rp->status == 401 ? "Bearer" : "") &&
           add_header(r, "X-Request-Id", x->id) && add_header(r, "X-Content-Type-Options", "nosniff") &&
           add_header(r, "Referrer-Policy", "same-origin") && add_header(r, "X-Frame-Options", "DENY") &&
           add_header(r, "Content-Security-Policy",
                      "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
                      "frame-ancestors 'none'; form-action 'self'") &&
           add_cors(x, r);
}

enum MHD_Result ims__http_send(struct ims_http_exchange *x)
{
    struct MHD_Response *r = make_response(x);
    enum MHD_Result rc = MHD_NO;

    if (!r)
        return MHD_NO; /* no memory even for a refusal: the connection ends */
    if (add_headers(x, r))
        rc = MHD_queue_response(x->connection, (unsigned)x->reply.status, r);
    x->status = x->reply.status;
    MHD_destroy_response(r);
    return rc;
}
