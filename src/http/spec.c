/* Reads the contract and finds the operation of a request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/spec.h"

#include "base/mem.h"
#include "http/http_limits.h"
#include "http/schema.h"
#include "http/spec_text.h"
#include "http/yaml.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MAX_OPERATIONS 1024

struct ims_spec {
    ims_json *document;
    ims_json *parameters; /* one array an operation, owned here */
    struct ims_spec_operation *operations;
    size_t n_operations, cap;
};

static const char *const methods[][2] = { { "get", "GET" },       { "post", "POST" },   { "put", "PUT" },
                                          { "patch", "PATCH" },   { "delete", "DELETE" } };

/* ---- reading ---- */

static ims_status add_parameters(struct ims_spec *s, ims_json *into, const ims_json *list, ims_err *err)
{
    for (size_t i = 0; i < ims__json_len(list); i++) {
        const ims_json *p = ims__schema_resolve(s->document, ims__json_at(list, i));

        if (!p)
            return ims_fail(err, IMS_E_FORMAT, "spec", 0, "a parameter refers to nothing");
        if (ims__json_add(into, ims__json_dup(p)))
            return ims_fail(err, IMS_E_NOMEM, "spec", 0, "reading the contract");
    }
    return IMS_OK;
}

static const ims_json *schema_of(const ims_json *content, const char *type)
{
    return ims__json_get(ims__json_get(content, type), "schema");
}

/* What every operation may answer besides its own replies: x-responses of the document, into the operation's. */
static ims_status add_common_replies(struct ims_spec *s, const ims_json *node, const struct ims_spec_operation *op)
{
    const ims_json *common = ims__json_get(s->document, "x-responses");
    ims_json *responses = (ims_json *)(uintptr_t)op->responses;

    for (void *it = ims__json_iter(common); it; it = ims__json_next(common, it)) {
        const char *status = ims__json_iter_key(it);

        if (ims__json_get(responses, status) || (op->is_public && strcmp(status, "401") == 0) ||
            (!ims__json_get(node, "requestBody") && strcmp(status, "413") == 0))
            continue;
        if (ims__json_set(responses, status, ims__json_dup(ims__json_iter_value(it))))
            return IMS_E_NOMEM;
    }
    return IMS_OK;
}

static void read_body(struct ims_spec *s, struct ims_spec_operation *op, const ims_json *node)
{
    const ims_json *body = ims__schema_resolve(s->document, ims__json_get(node, "requestBody"));
    const ims_json *content = ims__json_get(body, "content");

    op->body_json = schema_of(content, "application/json");
    op->body_form = schema_of(content, "multipart/form-data");
    op->is_body_required = ims__json_bool(ims__json_get(body, "required"), false);
    op->max_body_bytes =
        (size_t)ims__json_int(ims__json_get(node, "x-max-body-bytes"),
                              (int64_t)(op->body_form ? IMS_HTTP_MAX_UPLOAD_BYTES : IMS_HTTP_MAX_JSON_BYTES));
}

static ims_status add_operation(struct ims_spec *s, const char *method, const char *path, const ims_json *item,
                                const ims_json *node, ims_err *err)
{
    struct ims_spec_operation op = { .method = method, .path = path };
    const ims_json *security = ims__json_get(node, "security");
    ims_json *parameters;
    ims_status st;

    op.id = ims__json_str(ims__json_get(node, "operationId"), NULL);
    op.responses = ims__json_get(node, "responses");
    if (!op.id || !ims__json_len(op.responses))
        return ims_fail(err, IMS_E_FORMAT, "spec", 0, "%s %s lacks its operationId or its responses", method, path);
    if (!ims__grow((void **)&s->operations, &s->cap, s->n_operations, sizeof(op), MAX_OPERATIONS))
        return ims_fail(err, IMS_E_NOMEM, "spec", 0, "reading the contract");
    parameters = ims__json_new_array();
    op.parameters = parameters;
    if (ims__json_add(s->parameters, parameters))
        return ims_fail(err, IMS_E_NOMEM, "spec", 0, "reading the contract");
    st = add_parameters(s, parameters, ims__json_get(item, "parameters"), err);
    if (!st)
        st = add_parameters(s, parameters, ims__json_get(node, "parameters"), err);
    if (st)
        return ims_fail_in(err, st, "%s", op.id);
    read_body(s, &op, node);
    op.is_destructive = ims__json_bool(ims__json_get(node, "x-destructive"), false);
    op.is_unbuilt = ims__json_bool(ims__json_get(node, "x-not-implemented"), false);
    op.is_public = ims__json_type(security) == IMS_JSON_ARRAY && ims__json_len(security) == 0;
    if (add_common_replies(s, node, &op))
        return ims_fail(err, IMS_E_NOMEM, "spec", 0, "reading the contract");
    s->operations[s->n_operations++] = op;
    return IMS_OK;
}

static ims_status read_paths(struct ims_spec *s, ims_err *err)
{
    const ims_json *paths = ims__json_get(s->document, "paths");

    for (void *it = ims__json_iter(paths); it; it = ims__json_next(paths, it)) {
        const ims_json *item = ims__json_iter_value(it);

        for (size_t m = 0; m < IMS_ARRAY_LEN(methods); m++) {
            const ims_json *node = ims__json_get(item, methods[m][0]);
            ims_status st = node ? add_operation(s, methods[m][1], ims__json_iter_key(it), item, node, err) : IMS_OK;

            if (st)
                return st;
        }
    }
    if (!s->n_operations)
        return ims_fail(err, IMS_E_FORMAT, "spec", 0, "the contract has no operation");
    return IMS_OK;
}

ims_status ims__spec_read(struct ims_spec **out, const char *yaml, size_t len, const char *what, ims_err *err)
{
    struct ims_spec *s = ims__zalloc(1, sizeof(*s));
    ims_status st;

    if (!s)
        return ims_fail(err, IMS_E_NOMEM, "spec", 0, "reading the contract");
    st = ims__yaml_read(&s->document, yaml, len, what, err);
    if (st)
        goto out;
    s->parameters = ims__json_new_array();
    st = read_paths(s, err);
    if (st)
        goto out;
    *out = s;
    s = NULL;
out:
    ims__spec_close(s);
    return st;
}

ims_status ims__spec_open(struct ims_spec **out, ims_err *err)
{
    return ims__spec_read(out, ims__spec_text, ims__spec_text_bytes, "openapi.yaml", err);
}

void ims__spec_close(struct ims_spec *s)
{
    if (!s)
        return;
    ims__free(s->operations);
    ims__json_free(s->parameters);
    ims__json_free(s->document);
    ims__free(s);
}

const ims_json *ims__spec_document(const struct ims_spec *s)
{
    return s->document;
}

size_t ims__spec_n_operations(const struct ims_spec *s)
{
    return s->n_operations;
}

const struct ims_spec_operation *ims__spec_operation(const struct ims_spec *s, size_t i)
{
    return i < s->n_operations ? &s->operations[i] : NULL;
}

/* ---- finding ---- */

/* Does the path fit the pattern? Fills the values of its names; *out_literal counts the segments that are equal
 * by letter: more of them is the better fit. */
static bool fits(const char *pattern, const char *path, struct ims_spec_match *out, unsigned *out_literal)
{
    out->n_values = 0;
    *out_literal = 0;
    for (;;) {
        size_t n = strcspn(pattern, "/"), len = strcspn(path, "/");

        if (*pattern == '{') {
            if (len == 0 || out->n_values == IMS_MAX_ROUTE_SEGMENTS)
                return false;
            out->names[out->n_values] = pattern + 1; /* up to its '}' */
            out->values[out->n_values].start = path;
            out->values[out->n_values++].len = len;
        } else if (n != len || memcmp(pattern, path, n) != 0)
            return false;
        else
            ++*out_literal;
        pattern += n;
        path += len;
        if (!*pattern || !*path)
            return !*pattern && !*path;
        pattern++;
        path++;
    }
}

static void add_method(char *allow, size_t size, const char *method)
{
    size_t n = strlen(allow);

    snprintf(allow + n, size - n, "%s%s", n ? ", " : "", method);
}

/* The best pattern for the path decides; then the method must be one of its own. */
static bool match_exact(const struct ims_spec *s, const char *method, const char *path, struct ims_spec_match *out)
{
    const char *best = NULL;
    unsigned most = 0;

    for (size_t i = 0; i < s->n_operations; i++) {
        struct ims_spec_match m;
        unsigned n_literal;

        if (!fits(s->operations[i].path, path, &m, &n_literal) || (best && n_literal <= most))
            continue;
        best = s->operations[i].path;
        most = n_literal;
    }
    if (!best)
        return false;
    fits(best, path, out, &most);
    out->has_path = true;
    for (size_t i = 0; i < s->n_operations; i++) {
        if (strcmp(s->operations[i].path, best) != 0)
            continue;
        add_method(out->allow, sizeof(out->allow), s->operations[i].method);
        if (strcmp(s->operations[i].method, method) == 0)
            out->operation = &s->operations[i];
    }
    return true;
}

void ims__spec_match(const struct ims_spec *s, const char *method, const char *path, struct ims_spec_match *out)
{
    size_t n = strlen(path);
    char *cut;

    *out = (struct ims_spec_match){ .operation = NULL };
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    if (match_exact(s, method, path, out) || n < 2 || path[n - 1] != '/')
        return;
    cut = ims__strndup(path, n - 1);
    if (cut && match_exact(s, method, cut, out))
        *out = (struct ims_spec_match){ .is_slash_too_many = true };
    ims__free(cut);
}

ims_status ims__spec_reply_schema(const struct ims_spec *s, const struct ims_spec_operation *op, int status,
                                  const ims_json **out, ims_err *err)
{
    char key[16];
    const ims_json *r;

    snprintf(key, sizeof(key), "%d", status);
    r = ims__schema_resolve(s->document, ims__json_get(op->responses, key));
    if (!r)
        return ims_fail(err, IMS_E_NOT_FOUND, "spec", status, "the contract of %s knows no status %d", op->id, status);
    *out = schema_of(ims__json_get(r, "content"), "application/json");
    return IMS_OK;
}
