/* A request's inputs against the contract, then its handler, then what came of it; on a worker thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/http_internal.h"
#include "http/schema.h"
#include "http/wire.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Everything that lives while a handler runs. */
struct inputs {
    struct ims_http_request rq; /* first: header() finds the exchange behind it */
    const struct ims_http_exchange *exchange;
    ims_json *path, *query, *body;
    ims_json *issues;
    struct ims_http_file files[IMS_HTTP_MAX_FIELDS];
};

void ims__http_refuse(struct ims_http_exchange *x, int status, const char *text)
{
    x->reply.status = status;
    if (ims__reply_error(&x->reply, status, text ? text : "")) {
        ims__json_free(x->reply.json);
        x->reply.json = NULL; /* the status alone, then */
    }
}

static const char *header_of(const struct ims_http_request *rq, const char *name)
{
    return ims__http_header(((const struct inputs *)(const void *)rq)->exchange, name);
}

/* ---- fields ---- */

static ims_status add_text(ims_json *object, const char *key, char *text, bool is_query, ims_err *err)
{
    if (!ims__wire_decode(text, is_query) || !ims__utf8_is_valid(text, strlen(text)))
        return ims_fail(err, IMS_E_FORMAT, "http", 0, "%s is not UTF-8, or its percent signs are wrong", key);
    return ims__json_set(object, key, ims__json_new_str(text)) ? ims_fail(err, IMS_E_NOMEM, "http", 0, "reading a request")
                                                               : IMS_OK;
}

/* The path's {names} with the texts that stand in their place. */
static ims_status path_fields(const struct ims_http_exchange *x, ims_json *out, ims_err *err)
{
    for (size_t i = 0; i < x->match.n_values; i++) {
        char *text = ims__strndup(x->match.values[i].start, x->match.values[i].len);
        char name[64];
        ims_status st;

        snprintf(name, sizeof(name), "%.*s", (int)strcspn(x->match.names[i], "}"), x->match.names[i]);
        st = text ? add_text(out, name, text, false, err) : ims_fail(err, IMS_E_NOMEM, "http", 0, "reading a request");
        ims__free(text);
        if (st)
            return st;
    }
    return IMS_OK;
}

struct query_pass {
    ims_json *out;
    ims_status status;
    ims_err *err;
};

static enum MHD_Result take_query_field(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct query_pass *p = cls;
    char *name = ims__strdup(key), *text = ims__strdup(value ? value : "");

    (void)kind;
    if (p->status)
        ; /* the first failure stands */
    else if (!name || !text)
        p->status = ims_fail(p->err, IMS_E_NOMEM, "http", 0, "reading a request");
    else if (!ims__wire_decode(name, true) || !ims__utf8_is_valid(name, strlen(name)))
        p->status = ims_fail(p->err, IMS_E_FORMAT, "http", 0, "the name of a query parameter is not UTF-8");
    else
        p->status = add_text(p->out, name, text, true, p->err);
    ims__free(text);
    ims__free(name);
    return MHD_YES;
}

static ims_status query_fields(const struct ims_http_exchange *x, ims_json *out, ims_err *err)
{
    struct query_pass p = { .out = out, .err = err };

    MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, take_query_field, &p);
    return p.status;
}

/* A schema of the parameters that stand in one place. */
static ims_json *parameters_schema(const struct ims_spec_operation *op, const char *place)
{
    ims_json *schema = ims__json_new_object(), *properties = ims__json_new_object(), *required = ims__json_new_array();
    bool is_good = schema && properties && required;

    for (size_t i = 0; is_good && i < ims__json_len(op->parameters); i++) {
        const ims_json *p = ims__json_at(op->parameters, i);
        const char *name = ims__json_str(ims__json_get(p, "name"), NULL);

        if (strcmp(ims__json_str(ims__json_get(p, "in"), NULL), place) != 0)
            continue;
        is_good = ims__json_set(properties, name, ims__json_dup(ims__json_get(p, "schema"))) == IMS_OK;
        if (is_good && ims__json_bool(ims__json_get(p, "required"), false))
            is_good = ims__json_add(required, ims__json_new_str(name)) == IMS_OK;
    }
    is_good = is_good && ims__json_set(schema, "type", ims__json_new_str("object")) == IMS_OK;
    is_good = is_good && ims__json_set(schema, "properties", properties) == IMS_OK;
    properties = is_good ? NULL : properties;
    is_good = is_good && ims__json_set(schema, "required", required) == IMS_OK;
    required = is_good ? NULL : required;
    if (is_good)
        return schema;
    ims__json_free(required);
    ims__json_free(properties);
    ims__json_free(schema);
    return NULL;
}

/* Fields of the path or the query, typed. */
static ims_status read_parameters(struct inputs *in, const char *place, ims_json **out, ims_err *err)
{
    const struct ims_http_exchange *x = in->exchange;
    ims_json *raw = ims__json_new_object(), *schema = parameters_schema(x->operation, place);
    ims_status st;

    if (!raw || !schema) {
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "reading a request");
        goto out;
    }
    st = strcmp(place, "path") == 0 ? path_fields(x, raw, err) : query_fields(x, raw, err);
    if (!st)
        st = ims__schema_read(ims__spec_document(x->server->options.spec), schema, raw, IMS_SCHEMA_FIELDS, place, out,
                              in->issues, err);
out:
    ims__json_free(schema);
    ims__json_free(raw);
    return st;
}

/* ---- bodies ---- */

static ims_status read_form(struct inputs *in, ims_err *err)
{
    const struct ims_http_exchange *x = in->exchange;
    const struct ims_spec *spec = x->server->options.spec;
    ims_json *raw = ims__json_new_object();
    ims_status st = raw ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "reading a form");

    for (size_t i = 0; !st && i < x->body.n_parts; i++) {
        const struct ims_http_part *p = &x->body.parts[i];
        const char *text = p->data.data ? p->data.data : "";

        /* A file's bytes are not JSON; its place in the form is marked by its name. */
        if (p->is_file)
            in->files[in->rq.n_files++] = (struct ims_http_file){ p->field, p->name, p->content_type,
                                                                  (const uint8_t *)text, p->data.len };
        if (!ims__utf8_is_valid(p->field, strlen(p->field)) || (!p->is_file && !ims__utf8_is_valid(text, p->data.len)))
            st = ims_fail(err, IMS_E_FORMAT, "http", 0, "the form is not UTF-8");
        else if (ims__json_set(raw, p->field, ims__json_new_str(p->is_file ? p->name : text)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "reading a form");
    }
    if (!st)
        st = ims__schema_read(ims__spec_document(spec), x->operation->body_form, raw, IMS_SCHEMA_FIELDS, "body",
                              &in->body, in->issues, err);
    ims__json_free(raw);
    return st;
}

static ims_status read_json(struct inputs *in, ims_err *err)
{
    const struct ims_http_exchange *x = in->exchange;
    const struct ims_buf *text = &x->body.text;
    ims_json *raw = NULL;
    ims_status st = IMS_OK;

    if (text->len)
        st = ims__json_parse(&raw, text->data, text->len, "the body", err);
    if (!st && (raw || x->operation->is_body_required))
        st = ims__schema_read(ims__spec_document(x->server->options.spec), x->operation->body_json, raw,
                              IMS_SCHEMA_REQUEST, "body", &in->body, in->issues, err);
    ims__json_free(raw);
    return st;
}

static ims_status read_inputs(struct inputs *in, ims_err *err)
{
    const struct ims_http_exchange *x = in->exchange;
    const struct ims_spec_operation *op = x->operation;
    ims_status st = read_parameters(in, "path", &in->path, err);

    if (!st)
        st = read_parameters(in, "query", &in->query, err);
    if (st)
        return st;
    if (op->body_form && (x->body.n_parts || !op->body_json))
        st = read_form(in, err);
    else if (op->body_json)
        st = read_json(in, err);
    in->rq.id = x->id;
    in->rq.path = in->path;
    in->rq.query = in->query;
    in->rq.body = in->body;
    in->rq.files = in->files;
    in->rq.header = header_of;
    in->rq.is_secure_client = x->is_known;
    return st;
}

static void release_inputs(struct inputs *in)
{
    ims__json_free(in->path);
    ims__json_free(in->query);
    ims__json_free(in->body);
    ims__json_free(in->issues);
}

/* ---- outcomes ---- */

/* For the log: where the first fault is, and which. */
static void note_issue(struct ims_http_exchange *x, const ims_json *issue)
{
    const ims_json *loc = ims__json_get(issue, "loc");
    const char *place = ims__json_str(ims__json_at(loc, 0), NULL);
    const char *name = ims__json_str(ims__json_at(loc, ims__json_len(loc) - 1), NULL);
    const char *text = ims__json_str(ims__json_get(issue, "msg"), NULL);

    x->why = ims__strfmt("%s %s: %s", place ? place : "", name ? name : "", text ? text : "");
}

/* 422 with what is wrong, field by field. */
static void refuse_inputs(struct ims_http_exchange *x, struct inputs *in)
{
    ims_json *body = ims__json_new_object();
    ims_status st;

    note_issue(x, ims__json_at(in->issues, 0));
    st = body ? ims__json_set(body, "detail", in->issues) : IMS_E_NOMEM;

    if (body)
        in->issues = NULL;
    if (!st)
        st = ims__json_set(body, "message", ims__json_new_str("the request does not follow the contract"));
    if (!st)
        st = ims__reply_json(&x->reply, 422, body, NULL);
    else
        ims__json_free(body);
    if (st)
        ims__http_refuse(x, 503, "out of memory");
}

/* A failure as its HTTP status. The operator's sentence goes to the log; a client sees it only where it speaks of
 * what the client sent. */
static void refuse_failure(struct ims_http_exchange *x, ims_status st, const ims_err *err)
{
    int status = ims_status_http(st);
    char text[400];

    ims__reply_release(&x->reply);
    ims__http_note_failure(x, st, err);
    if (status >= 500) {
        snprintf(text, sizeof(text), "%s (request %s)", ims_status_text(st), x->id);
    } else
        snprintf(text, sizeof(text), "%s", err->text[0] ? err->text : ims_status_text(st));
    if (ims_status_is_retryable(st))
        x->reply.retry_after_s = 2;
    ims__http_refuse(x, status, text);
}

/* Does our own reply keep the contract? For tests: a difference becomes a 500 that nobody overlooks. */
static void check_reply(struct ims_http_exchange *x)
{
    const struct ims_spec *spec = x->server->options.spec;
    const ims_json *schema = NULL;
    ims_json *issues = ims__json_new_array(), *read = NULL;
    struct ims_buf text;
    ims_err err = { 0 };
    ims_status st = ims__spec_reply_schema(spec, x->operation, x->reply.status, &schema, &err);

    ims__buf_init(&text, IMS_KIB * 64);
    if (!st && x->reply.json && !schema)
        st = ims_fail(&err, IMS_E_FORMAT, "http", 0, "the contract knows no JSON body for status %d", x->reply.status);
    else if (!st && x->reply.json)
        st = ims__schema_read(ims__spec_document(spec), schema, x->reply.json, IMS_SCHEMA_REPLY, "reply", &read, issues,
                              &err);
    if (st) {
        if (ims__json_len(issues) && ims__json_write(issues, 0, &text, NULL) == IMS_OK)
            ims__log(IMS_LOG_ERROR, "http", "%s %s: the reply is not what the contract says: %s", x->id,
                     x->operation->id, text.data);
        else
            ims__log_err(IMS_LOG_ERROR, &err, "%s %s", x->id, x->operation->id);
        ims__reply_release(&x->reply);
        ims__http_refuse(x, 500, "the reply does not keep the contract; the log says where");
    }
    ims__buf_release(&text);
    ims__json_free(read);
    ims__json_free(issues);
}

static const struct ims_http_route *route_of(const struct ims_http *h, const struct ims_spec_operation *op)
{
    return h->handlers[op - ims__spec_operation(h->options.spec, 0)];
}

void ims__http_work(struct ims_http_exchange *x, struct ims_http_context *cx)
{
    struct inputs in = { .exchange = x, .issues = ims__json_new_array() };
    ims_err err = { 0 };
    ims_status st;

    if (x->body.failed_status) {
        ims__http_refuse(x, x->body.failed_status, x->body.failed_text);
        goto out;
    }
    st = in.issues ? read_inputs(&in, &err) : IMS_E_NOMEM;
    if (st == IMS_E_INVALID && ims__json_len(in.issues))
        refuse_inputs(x, &in);
    else if (st)
        refuse_failure(x, st, &err);
    else {
        st = route_of(x->server, x->operation)->fn(cx, &in.rq, &x->reply, &err);
        if (st)
            refuse_failure(x, st, &err);
        else if (x->reply.stream && ims__http_streams_count(x->server->streams) >= IMS_HTTP_MAX_STREAMS) {
            ims__reply_release(&x->reply);
            x->reply.retry_after_s = 5;
            ims__http_refuse(x, 503, "too many event streams are open");
        } else if (!x->reply.status)
            x->reply.status = 200;
    }
    if (x->server->options.check_replies)
        check_reply(x);
out:
    ims__http_note_time(x);
    release_inputs(&in);
}
