/* Takes requests in, on libmicrohttpd's threads: who asks, for what, how much; then hands them to a worker.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/http_internal.h"

#include <stdio.h>
#include <string.h>

const char *ims__http_header(const struct ims_http_exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static struct ims_http_exchange *new_exchange(struct ims_http *h, struct MHD_Connection *c, const char *url,
                                              const char *method)
{
    struct ims_http_exchange *x = ims__zalloc(1, sizeof(*x));
    uint8_t id[8];

    if (!x)
        return NULL;
    x->path = ims__strdup(url);
    if (!x->path || ims__random_bytes(id, sizeof(id), NULL)) {
        ims__free(x->path);
        ims__free(x);
        return NULL;
    }
    ims__hex(id, sizeof(id), x->id);
    x->server = h;
    x->connection = c;
    x->started_ns = ims__mono_ns();
    snprintf(x->method, sizeof(x->method), "%s", method);
    ims__reply_init(&x->reply);
    atomic_fetch_add(&h->n_live, 1);
    atomic_fetch_add(&h->n_requests, 1);
    return x;
}

/* ---- refusals that need no body ---- */

static bool is_too_long(const struct ims_http_exchange *x)
{
    const char *text = ims__http_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t n;

    return text && (!ims__parse_int(text, 0, INT64_MAX, &n) || (uint64_t)n > x->operation->max_body_bytes);
}

/* As it came: libmicrohttpd made spaces of pluses and left the rest alone. */
static enum MHD_Result add_query_field(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct ims_buf *b = cls;
    size_t from = b->len;

    (void)kind;
    if (ims__buf_status(b))
        return MHD_NO;
    (void)ims__buf_addf(b, "%c%s%s%s", memchr(b->data, '?', b->len) ? '&' : '?', key, value ? "=" : "", value ? value : "");
    for (size_t i = from; i < b->len; i++) {
        if (b->data[i] == ' ')
            b->data[i] = '+';
    }
    return MHD_YES;
}

static void redirect(struct ims_http_exchange *x)
{
    struct ims_buf to;
    size_t n;

    ims__buf_init(&to, 2 * IMS_HTTP_MAX_URL_BYTES);
    (void)ims__buf_add(&to, x->path, strlen(x->path) - 1);
    MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, add_query_field, &to);
    x->reply.location = ims__buf_take(&to, &n);
    ims__buf_release(&to);
    if (x->reply.location)
        ims__http_refuse(x, 307, "the address has no slash at its end");
    else
        ims__http_refuse(x, 503, "out of memory");
}

static enum MHD_Result add_length(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    *(size_t *)cls += strlen(key) + (value ? strlen(value) + 2 : 1);
    return MHD_YES;
}

/* Of the headers that say whose request it is and where it ends. */
struct framing {
    unsigned n_hosts, n_lengths, n_codings;
};

static enum MHD_Result count_framing(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct framing *f = cls;

    (void)kind;
    (void)value;
    f->n_hosts += ims__strcasecmp_ascii(key, MHD_HTTP_HEADER_HOST) == 0;
    f->n_lengths += ims__strcasecmp_ascii(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    f->n_codings += ims__strcasecmp_ascii(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

/* What a proxy in front might read otherwise than we do (RFC 9112, 3.2 and 6.3) is refused, and so is what is longer than
 * any browser makes it. Longer yet does not fit what libmicrohttpd keeps for a connection: it answers itself, in HTML. */
static int check_head(struct ims_http_exchange *x, const char **out_text)
{
    const union MHD_ConnectionInfo *head =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t n_url = strlen(x->path);
    struct framing f = { 0 };

    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, count_framing, &f);
    if (f.n_hosts > 1 || f.n_lengths + f.n_codings > 1) {
        *out_text = "the request names its host or its length more than once";
        return 400;
    }
    MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, add_length, &n_url);
    if (n_url > IMS_HTTP_MAX_URL_BYTES) {
        *out_text = "the address is too long";
        return 414;
    }
    if (head && head->header_size > IMS_HTTP_MAX_HEADER_BYTES) {
        *out_text = "the headers are too long";
        return 431;
    }
    return 0;
}

/* Who may ask at all. */
static int check_client(struct ims_http_exchange *x, const char **out_text)
{
    const struct ims_guard *g = x->server->guard;
    const char *host = ims__http_header(x, MHD_HTTP_HEADER_HOST);

    if (!ims__guard_knows_host(g, host)) {
        *out_text = "this name is not one of the server's: add it to IMS_ALLOWED_HOSTS if it should be";
        return 421;
    }
    if (!ims__guard_allows_origin(g, ims__http_header(x, MHD_HTTP_HEADER_ORIGIN), host)) {
        *out_text = "pages of this origin may not use the server: add it to IMS_CORS_ORIGINS if it should";
        return 403;
    }
    x->is_known = ims__guard_is_known(g, ims__http_header(x, MHD_HTTP_HEADER_AUTHORIZATION),
                                      ims__http_header(x, MHD_HTTP_HEADER_COOKIE));
    return 0;
}

/* Settles what can be settled from the head of the request: true when a reply is ready. */
static bool answer_early(struct ims_http_exchange *x)
{
    const struct ims_http_options *o = &x->server->options;
    const char *text = NULL;
    int status = check_client(x, &text);

    if (!status)
        status = check_head(x, &text);
    if (status) {
        ims__http_refuse(x, status, text);
        return true;
    }
    if (atomic_load(&x->server->is_closing)) {
        x->reply.retry_after_s = 1;
        ims__http_refuse(x, 503, "the server is shutting down");
        return true;
    }
    if (strcmp(x->method, MHD_HTTP_METHOD_OPTIONS) == 0) {
        x->reply.status = 204;
        return true;
    }
    ims__spec_match(o->spec, x->method, x->path, &x->match);
    x->operation = x->match.operation;
    if (x->match.is_slash_too_many)
        redirect(x);
    else if (!x->match.has_path)
        ims__http_refuse(x, 404, "Not Found");
    else if (!x->operation)
        ims__http_refuse(x, 405, "Method Not Allowed");
    else if (!x->is_known && !x->operation->is_public)
        ims__http_refuse(x, 401, "a token is needed: Authorization: Bearer ..., or log in");
    else if (x->operation->is_destructive && !o->allow_destructive)
        ims__http_refuse(x, 403, "this deletes data and is off; set ALLOW_DESTRUCTIVE_ADMIN_OPS=true to allow it");
    else if (x->operation->is_unbuilt)
        ims__http_refuse(x, 501, "this part of the interface is not built yet");
    else if (is_too_long(x))
        ims__http_refuse(x, 413, "the body is larger than this request may be");
    else
        return false;
    return true;
}

/* ---- libmicrohttpd's callbacks ---- */

static bool has_body(const struct ims_http_exchange *x)
{
    const char *length = ims__http_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return ims__http_header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING) || (length && strcmp(length, "0") != 0);
}

static enum MHD_Result begin(struct ims_http_exchange *x)
{
    if (!answer_early(x))
        return ims__http_body_begin(x) ? MHD_YES : MHD_NO;
    if (x->reply.status >= 400)
        atomic_fetch_add(&x->server->n_rejected, 1);
    x->is_answered = true;
    /* An answer now ends the connection, so that nobody sends a body in vain. Without one it waits for the end of the
     * head, and the next request (a preflight's!) finds the connection open. */
    return has_body(x) ? ims__http_send(x) : MHD_YES;
}

/* The whole request is here: to a worker, while the connection sleeps. */
static enum MHD_Result hand_over(struct ims_http_exchange *x)
{
    struct ims_http *h = x->server;

    ims__http_body_end(x);
    x->whole_ns = ims__mono_ns();
    x->is_answered = true;
    if (ims__chan_len(h->queue) >= IMS_HTTP_MAX_QUEUED) {
        x->reply.retry_after_s = 1;
        ims__http_refuse(x, 503, "too many requests at a time; try again in a moment");
        return ims__http_send(x);
    }
    MHD_suspend_connection(x->connection);
    if (ims__chan_push(h->queue, x))
        return MHD_YES;
    MHD_resume_connection(x->connection);
    ims__http_refuse(x, 503, "the server is shutting down");
    return MHD_YES;
}

enum MHD_Result ims__http_intake(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_size, void **out_exchange)
{
    struct ims_http_exchange *x = *out_exchange;

    (void)version;
    if (!x) {
        x = new_exchange(cls, c, url, method);
        *out_exchange = x;
        return x ? begin(x) : MHD_NO;
    }
    if (*upload_size) {
        if (!x->is_answered)
            ims__http_body_add(x, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    return x->is_answered ? ims__http_send(x) : hand_over(x);
}

void ims__http_completed(void *cls, struct MHD_Connection *c, void **exchange, enum MHD_RequestTerminationCode why)
{
    struct ims_http *h = cls;
    struct ims_http_exchange *x = *exchange;

    (void)c;
    if (!x)
        return;
    ims__http_log_end(x, why != MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (x->status >= 100 && x->status < 600)
        atomic_fetch_add(&h->n_by_class[x->status / 100], 1);
    ims__http_body_release(x);
    ims__reply_release(&x->reply);
    ims__free(x->why);
    ims__free(x->path);
    ims__free(x);
    *exchange = NULL;
    atomic_fetch_sub(&h->n_live, 1);
}
