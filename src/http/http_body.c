/* Takes a request's body in as it comes: JSON into one buffer, a form into its parts, both within limits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http_internal.h"

#include "base/mem.h"

#include <string.h>
#include <strings.h>

#define FORM_BUFFER_BYTES (32 * IMS_KIB)

static void fail_body(struct ims_http_body *b, int status, const char *text)
{
    if (!b->failed_status) {
        b->failed_status = status;
        b->failed_text = text;
    }
}

/* The parts of all requests share one budget: many large uploads at a time must not take the memory. */
static bool count_bytes(struct ims_http_exchange *x, size_t n)
{
    struct ims_http_body *b = &x->body;

    if (b->n_bytes + n > x->operation->max_body_bytes) {
        fail_body(b, 413, "the body is larger than this request may be");
        return false;
    }
    if (atomic_fetch_add(&x->server->body_bytes, n) + n > IMS_HTTP_MAX_UPLOADS_BYTES) {
        atomic_fetch_sub(&x->server->body_bytes, n);
        fail_body(b, 503, "too many uploads at a time; try again in a moment");
        return false;
    }
    b->n_bytes += n;
    return true;
}

static struct ims_http_part *new_part(struct ims_http_body *b, const char *key, const char *filename, const char *type)
{
    struct ims_http_part *p;

    if (!key) {
        fail_body(b, 400, "a part of the form has no name");
        return NULL;
    }
    if (!ims__grow((void **)&b->parts, &b->cap_parts, b->n_parts, sizeof(*p), IMS_HTTP_MAX_FIELDS)) {
        fail_body(b, 413, "the form has too many fields");
        return NULL;
    }
    p = &b->parts[b->n_parts++];
    memset(p, 0, sizeof(*p));
    p->is_file = filename != NULL;
    p->field = ims__strdup(key);
    p->name = ims__strdup(filename ? filename : "");
    p->content_type = ims__strdup(type ? type : "");
    ims__buf_init(&p->data, filename ? IMS_HTTP_MAX_UPLOAD_BYTES : IMS_HTTP_MAX_FIELD_BYTES);
    if (!p->field || !p->name || !p->content_type)
        fail_body(b, 503, "out of memory");
    return p;
}

static enum MHD_Result take_form_data(void *cls, enum MHD_ValueKind kind, const char *key, const char *filename,
                                      const char *type, const char *encoding, const char *data, uint64_t offset,
                                      size_t size)
{
    struct ims_http_exchange *x = cls;
    struct ims_http_body *b = &x->body;
    struct ims_http_part *p;

    (void)kind;
    (void)encoding;
    if (b->failed_status)
        return MHD_YES; /* to the end of the body, which is thrown away */
    p = offset == 0 ? new_part(b, key, filename, type) : b->n_parts ? &b->parts[b->n_parts - 1] : NULL;
    if (!p || b->failed_status)
        return MHD_YES;
    if (count_bytes(x, size) && ims__buf_add(&p->data, data, size))
        fail_body(b, p->data.status == IMS_E_LIMIT ? 413 : 503, "a field of the form is too large");
    return MHD_YES;
}

bool ims__http_body_begin(struct ims_http_exchange *x)
{
    const char *type = ims__http_header(x, MHD_HTTP_HEADER_CONTENT_TYPE);
    struct ims_http_body *b = &x->body;

    ims__buf_init(&b->text, x->operation->max_body_bytes);
    if (!x->operation->body_form || !type || strncasecmp(type, "multipart/form-data", 19) != 0)
        return true;
    b->form = MHD_create_post_processor(x->connection, FORM_BUFFER_BYTES, take_form_data, x);
    if (!b->form)
        fail_body(b, 400, "the form's boundary is missing");
    return true;
}

/* What was kept so far: nobody will ask for it. */
static void drop_bytes(struct ims_http_exchange *x)
{
    struct ims_http_body *b = &x->body;

    for (size_t i = 0; i < b->n_parts; i++)
        ims__buf_release(&b->parts[i].data);
    ims__buf_release(&b->text);
    atomic_fetch_sub(&x->server->body_bytes, b->n_bytes);
    b->n_bytes = 0;
}

void ims__http_body_add(struct ims_http_exchange *x, const char *p, size_t n)
{
    struct ims_http_body *b = &x->body;

    if (b->failed_status)
        return;
    if (b->form) {
        if (MHD_post_process(b->form, p, n) != MHD_YES)
            fail_body(b, 400, "the form is malformed");
    } else if (count_bytes(x, n) && ims__buf_add(&b->text, p, n))
        fail_body(b, 503, "out of memory");
    if (b->failed_status) /* the rest is thrown away as it comes, however much that is */
        drop_bytes(x);
}

void ims__http_body_end(struct ims_http_exchange *x)
{
    struct ims_http_body *b = &x->body;

    if (b->form && MHD_destroy_post_processor(b->form) != MHD_YES)
        fail_body(b, 400, "the form is malformed or ends too early");
    b->form = NULL;
}

void ims__http_body_release(struct ims_http_exchange *x)
{
    struct ims_http_body *b = &x->body;

    ims__http_body_end(x);
    drop_bytes(x);
    for (size_t i = 0; i < b->n_parts; i++) {
        ims__free(b->parts[i].field);
        ims__free(b->parts[i].name);
        ims__free(b->parts[i].content_type);
    }
    ims__free(b->parts);
    memset(b, 0, sizeof(*b));
}
