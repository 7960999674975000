/* Walks a value along its schema.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/schema.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/schema_text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_KEY_BYTES 128
#define MAX_SHOWN_INPUT 200

/* Where in the value we are: a list from the leaf to the root. */
struct spot {
    const struct spot *up;
    const char *key; /* NULL = the element at index */
    size_t index;
};

struct pass {
    const ims_json *document;
    ims_schema_mode mode;
    ims_json *issues;
    ims_err *err;
    ims_status status; /* of what is not an issue: memory, the schema itself */
    unsigned depth;
};

static bool read_value(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at,
                       ims_json **out);

/* ---- issues ---- */

static bool fail_pass(struct pass *p, ims_status st, const char *text)
{
    if (!p->status)
        p->status = ims_fail(p->err, st, "schema", 0, "%s", text);
    return false;
}

static ims_json *loc_of(const struct spot *at)
{
    ims_json *list = at->up ? loc_of(at->up) : ims__json_new_array();
    ims_json *one = at->key ? ims__json_new_str(at->key) : ims__json_new_int((int64_t)at->index);

    if (list && one && ims__json_add(list, one) == IMS_OK)
        return list;
    ims__json_free(list);
    return NULL;
}

/* Long texts are cut: a reply must not echo megabytes. */
static ims_json *shown_input(const ims_json *v)
{
    size_t n = 0;
    const char *s = ims__json_str(v, &n);
    char cut[MAX_SHOWN_INPUT + 1];

    if (s && n >= sizeof(cut))
        return ims__json_new_str(ims__shown(cut, sizeof(cut), s));
    if (ims__json_type(v) == IMS_JSON_OBJECT || ims__json_type(v) == IMS_JSON_ARRAY)
        return ims__json_new_null();
    return v ? ims__json_dup(v) : ims__json_new_null();
}

static bool issue(struct pass *p, const struct spot *at, const ims_json *input, const char *type, const char *fmt,
                  ...) IMS_PRINTF(5, 6);
static bool issue(struct pass *p, const struct spot *at, const ims_json *input, const char *type, const char *fmt,
                  ...)
{
    ims_json *one = NULL;
    char text[256];
    va_list args;
    ims_status st;

    if (ims__json_len(p->issues) >= IMS_MAX_SCHEMA_ISSUES)
        return false;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    one = ims__json_new_object();
    st = one ? ims__json_set(one, "type", ims__json_new_str(type)) : IMS_E_NOMEM;
    if (!st)
        st = ims__json_set(one, "loc", loc_of(at));
    if (!st)
        st = ims__json_set(one, "msg", ims__json_new_str(text));
    if (!st)
        st = ims__json_set(one, "input", shown_input(input));
    if (!st)
        st = ims__json_add(p->issues, one);
    else
        ims__json_free(one);
    return st ? fail_pass(p, IMS_E_NOMEM, "listing what is wrong with a request") : false;
}

/* ---- types ---- */

static const char *type_name(const ims_json *v)
{
    switch (ims__json_type(v)) {
    case IMS_JSON_NULL:
        return "null";
    case IMS_JSON_BOOL:
        return "boolean";
    case IMS_JSON_INT:
        return "integer";
    case IMS_JSON_REAL:
        return "number";
    case IMS_JSON_STRING:
        return "string";
    case IMS_JSON_ARRAY:
        return "array";
    case IMS_JSON_OBJECT:
        break;
    }
    return "object";
}

static bool allows(const ims_json *schema, const char *type)
{
    const ims_json *want = ims__json_get(schema, "type");
    const char *one = ims__json_str(want, NULL);

    if (!want || (one && strcmp(one, type) == 0))
        return true;
    for (size_t i = 0; i < ims__json_len(want); i++) {
        one = ims__json_str(ims__json_at(want, i), NULL);
        if (one && strcmp(one, type) == 0)
            return true;
    }
    return false;
}

/* A field's text as the value that the schema's type makes of it; a text stays where none fits. */
static ims_json *field_value(const ims_json *schema, const char *text)
{
    int64_t i;
    double d;
    bool b;

    if (!ims__json_get(schema, "type") || allows(schema, "string"))
        return ims__json_new_str(text);
    if (allows(schema, "integer") && ims__parse_int(text, INT64_MIN, INT64_MAX, &i))
        return ims__json_new_int(i);
    if (allows(schema, "number") && ims__parse_double(text, -1e300, 1e300, &d))
        return ims__json_new_num(d);
    if (allows(schema, "boolean") && ims__parse_bool(text, &b))
        return ims__json_new_bool(b);
    if (allows(schema, "null") && !*text)
        return ims__json_new_null();
    return ims__json_new_str(text);
}

/* The value with its type settled: a new one, or NULL after an issue. */
static ims_json *typed_value(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at)
{
    const char *text = ims__json_str(v, NULL);
    ims_json *out = NULL;
    double d;

    if (p->mode == IMS_SCHEMA_FIELDS && text)
        out = field_value(schema, text);
    else if (ims__json_type(v) == IMS_JSON_INT && !allows(schema, "integer") && allows(schema, "number"))
        out = ims__json_new_num((double)ims__json_int(v, 0));
    else if (ims__json_type(v) == IMS_JSON_REAL && !allows(schema, "number") && allows(schema, "integer")) {
        d = ims__json_num(v, 0);
        out = d == floor(d) && fabs(d) < 9e15 ? ims__json_new_int((int64_t)d) : ims__json_dup(v);
    } else if (ims__json_type(v) != IMS_JSON_ARRAY && ims__json_type(v) != IMS_JSON_OBJECT)
        out = ims__json_dup(v);
    else /* built member by member later */
        out = ims__json_type(v) == IMS_JSON_ARRAY ? ims__json_new_array() : ims__json_new_object();
    if (!out) {
        fail_pass(p, IMS_E_NOMEM, "reading a request");
        return NULL;
    }
    if (!allows(schema, type_name(out))) {
        const ims_json *want = ims__json_get(schema, "type");
        const char *name = ims__json_str(ims__json_len(want) ? ims__json_at(want, 0) : want, NULL);
        char kind[48];

        snprintf(kind, sizeof(kind), "%s_type", name ? name : "value");
        issue(p, at, v, kind, "Input should be %s %s", name && strchr("aio", *name) ? "an" : "a",
              name ? name : "value");
        ims__json_free(out);
        return NULL;
    }
    return out;
}

/* ---- simple values ---- */

static bool is_same(const ims_json *a, const ims_json *b)
{
    const char *s = ims__json_str(a, NULL), *t = ims__json_str(b, NULL);

    if (s || t)
        return s && t && strcmp(s, t) == 0;
    return ims__json_type(a) == ims__json_type(b) && ims__json_num(a, 0) == ims__json_num(b, 0) &&
           ims__json_bool(a, false) == ims__json_bool(b, false);
}

static bool check_enum(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at)
{
    const ims_json *list = ims__json_get(schema, "enum");
    const ims_json *only = ims__json_get(schema, "const");
    char names[200] = "";
    size_t used = 0;

    if (only && !is_same(only, v))
        return issue(p, at, v, "literal_error", "Input should be the one value that is allowed here");
    if (!list)
        return true;
    for (size_t i = 0; i < ims__json_len(list); i++) {
        const ims_json *one = ims__json_at(list, i);
        const char *s = ims__json_str(one, NULL);

        if (is_same(one, v))
            return true;
        if (s && used < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s'%s'", used ? ", " : "", s);
        else if (used < sizeof(names) && ims__json_type(one) == IMS_JSON_INT)
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%lld", used ? ", " : "",
                                     (long long)ims__json_int(one, 0));
    }
    return issue(p, at, v, "enum", "Input should be one of %s", names);
}

static bool check_number(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at)
{
    double d = ims__json_num(v, 0);
    double least = ims__json_num(ims__json_get(schema, "minimum"), -INFINITY);
    double most = ims__json_num(ims__json_get(schema, "maximum"), INFINITY);
    double above = ims__json_num(ims__json_get(schema, "exclusiveMinimum"), -INFINITY);
    double below = ims__json_num(ims__json_get(schema, "exclusiveMaximum"), INFINITY);

    if (d < least)
        return issue(p, at, v, "greater_than_equal", "Input should be greater than or equal to %g", least);
    if (d > most)
        return issue(p, at, v, "less_than_equal", "Input should be less than or equal to %g", most);
    if (d <= above)
        return issue(p, at, v, "greater_than", "Input should be greater than %g", above);
    if (d >= below)
        return issue(p, at, v, "less_than", "Input should be less than %g", below);
    return true;
}

static bool check_string(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at)
{
    size_t n_bytes = 0;
    const char *s = ims__json_str(v, &n_bytes);
    const char *pattern = ims__json_str(ims__json_get(schema, "pattern"), NULL);
    const char *format = ims__json_str(ims__json_get(schema, "format"), NULL);
    int64_t least = ims__json_int(ims__json_get(schema, "minLength"), 0);
    int64_t most = ims__json_int(ims__json_get(schema, "maxLength"), INT64_MAX);
    int64_t n = (int64_t)ims__schema_text_length(s, n_bytes);
    ims_status st;

    if (p->mode != IMS_SCHEMA_REPLY && strlen(s) != n_bytes)
        return issue(p, at, NULL, "string_null", "Texts must not contain the character U+0000");
    if (n < least)
        return issue(p, at, v, "string_too_short", "String should have at least %lld characters", (long long)least);
    if (n > most)
        return issue(p, at, v, "string_too_long", "String should have at most %lld characters", (long long)most);
    if (format && !ims__schema_text_has_format(s, format))
        return issue(p, at, v, "format", "Input should be a valid %s", format);
    if (!pattern)
        return true;
    st = ims__schema_text_matches(s, pattern, p->err);
    if (st == IMS_E_NOT_FOUND)
        return issue(p, at, v, "string_pattern_mismatch", "String should match pattern '%s'", pattern);
    if (st && !p->status)
        p->status = st;
    return st == IMS_OK;
}

/* ---- arrays and objects ---- */

static bool read_array(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at,
                       ims_json *out)
{
    const ims_json *items = ims__json_get(schema, "items");
    size_t n = ims__json_len(v);
    int64_t least = ims__json_int(ims__json_get(schema, "minItems"), 0);
    int64_t most = ims__json_int(ims__json_get(schema, "maxItems"), INT64_MAX);
    bool is_good = true;

    if ((int64_t)n < least)
        return issue(p, at, v, "too_short", "List should have at least %lld items, not %zu", (long long)least, n);
    if ((int64_t)n > most)
        return issue(p, at, v, "too_long", "List should have at most %lld items, not %zu", (long long)most, n);
    for (size_t i = 0; i < n; i++) {
        struct spot here = { .up = at, .index = i };
        ims_json *one = NULL;

        if (!items)
            one = ims__json_dup(ims__json_at(v, i));
        else if (!read_value(p, items, ims__json_at(v, i), &here, &one)) {
            is_good = false;
            continue;
        }
        if (ims__json_add(out, one))
            return fail_pass(p, IMS_E_NOMEM, "reading a list");
    }
    return is_good;
}

/* some_name <-> someName; false when the key is too long or stays what it is. */
static bool other_spelling(const char *key, char *out)
{
    size_t n = 0;

    for (const char *c = key; *c; c++) {
        if (n + 3 > MAX_KEY_BYTES)
            return false;
        if (*c == '_' && n && c[1])
            out[n++] = (char)toupper((unsigned char)*++c);
        else if (isupper((unsigned char)*c)) {
            out[n++] = '_';
            out[n++] = (char)tolower((unsigned char)*c);
        } else
            out[n++] = *c;
    }
    out[n] = '\0';
    return strcmp(out, key) != 0;
}

/* What the client sent for a property, under either of its names. */
static const ims_json *member_of(const struct pass *p, const ims_json *v, const char *name)
{
    const ims_json *found = ims__json_get(v, name);
    char other[MAX_KEY_BYTES];

    if (found || p->mode == IMS_SCHEMA_REPLY || !other_spelling(name, other))
        return found;
    return ims__json_get(v, other);
}

static bool is_required(const ims_json *schema, const char *name)
{
    const ims_json *list = ims__json_get(schema, "required");

    for (size_t i = 0; i < ims__json_len(list); i++) {
        if (strcmp(ims__json_str(ims__json_at(list, i), NULL), name) == 0)
            return true;
    }
    return false;
}

static bool read_property(struct pass *p, const ims_json *schema, const char *name, const ims_json *property,
                          const ims_json *v, const struct spot *at, ims_json *out)
{
    struct spot here = { .up = at, .key = name };
    const ims_json *given = member_of(p, v, name);
    const ims_json *preset =
        ims__json_get(ims__schema_resolve(p->document, property), "default");
    ims_json *one = NULL;

    if (!given && is_required(schema, name))
        return issue(p, &here, NULL, "missing", "Field required");
    if (!given) {
        if (!preset || p->mode == IMS_SCHEMA_REPLY)
            return true;
        one = ims__json_dup(preset);
    } else if (!read_value(p, property, given, &here, &one))
        return false;
    return ims__json_set(out, name, one) == IMS_OK || fail_pass(p, IMS_E_NOMEM, "reading an object");
}

/* Members that no property names: kept when the schema says what they are, else left out of a request and an
 * issue in a reply. */
static bool read_others(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at,
                        ims_json *out)
{
    const ims_json *properties = ims__json_get(schema, "properties");
    const ims_json *more = ims__json_get(schema, "additionalProperties");
    bool is_any = ims__json_bool(more, !properties && !more);
    bool is_good = true;

    for (void *it = ims__json_iter(v); it; it = ims__json_next(v, it)) {
        const char *key = ims__json_iter_key(it);
        struct spot here = { .up = at, .key = key };
        ims_json *one = NULL;

        if (ims__json_get(properties, key))
            continue;
        if (is_any)
            one = ims__json_dup(ims__json_iter_value(it));
        else if (ims__json_type(more) != IMS_JSON_OBJECT) {
            if (p->mode == IMS_SCHEMA_REPLY)
                is_good = issue(p, &here, NULL, "extra_forbidden", "The contract has no such member");
            continue;
        } else if (!read_value(p, more, ims__json_iter_value(it), &here, &one)) {
            is_good = false;
            continue;
        }
        if (ims__json_set(out, key, one))
            return fail_pass(p, IMS_E_NOMEM, "reading an object");
    }
    return is_good;
}

static bool read_object(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at,
                        ims_json *out)
{
    const ims_json *properties = ims__json_get(schema, "properties");
    bool is_good = true;

    for (void *it = ims__json_iter(properties); it; it = ims__json_next(properties, it)) {
        if (!read_property(p, schema, ims__json_iter_key(it), ims__json_iter_value(it), v, at, out))
            is_good = false;
    }
    return read_others(p, schema, v, at, out) && is_good;
}

/* ---- a value ---- */

/* The first schema of the list that the value fits; its issues count only when none does. */
static bool read_any(struct pass *p, const ims_json *list, const ims_json *v, const struct spot *at,
                     ims_json **out)
{
    ims_json *kept = p->issues;

    for (size_t i = 0; i < ims__json_len(list) && !p->status; i++) {
        bool is_good;

        p->issues = ims__json_new_array();
        is_good = p->issues && read_value(p, ims__json_at(list, i), v, at, out);
        if (!p->issues)
            fail_pass(p, IMS_E_NOMEM, "reading a request");
        ims__json_free(p->issues);
        p->issues = kept;
        if (is_good)
            return true;
    }
    return p->status ? false : issue(p, at, v, "union", "Input is none of what is allowed here");
}

/* One object that satisfies several schemas: their properties together. */
static bool read_all(struct pass *p, const ims_json *list, const ims_json *v, const struct spot *at,
                     ims_json *out)
{
    ims_json *whole = ims__json_new_object(), *properties = ims__json_new_object();
    ims_json *required = ims__json_new_array();
    bool is_good = whole && properties && required;

    for (size_t i = 0; is_good && i < ims__json_len(list); i++) {
        const ims_json *part = ims__schema_resolve(p->document, ims__json_at(list, i));
        const ims_json *props = ims__json_get(part, "properties"), *names = ims__json_get(part, "required");

        for (void *it = ims__json_iter(props); is_good && it; it = ims__json_next(props, it))
            is_good = ims__json_set(properties, ims__json_iter_key(it), ims__json_dup(ims__json_iter_value(it))) == IMS_OK;
        for (size_t k = 0; is_good && k < ims__json_len(names); k++)
            is_good = ims__json_add(required, ims__json_dup(ims__json_at(names, k))) == IMS_OK;
    }
    is_good = is_good && ims__json_set(whole, "properties", properties) == IMS_OK;
    properties = is_good ? NULL : properties;
    is_good = is_good && ims__json_set(whole, "required", required) == IMS_OK;
    required = is_good ? NULL : required;
    is_good = is_good ? read_object(p, whole, v, at, out) : fail_pass(p, IMS_E_NOMEM, "joining schemas");
    ims__json_free(properties);
    ims__json_free(required);
    ims__json_free(whole);
    return is_good;
}

static bool read_into(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at,
                      ims_json *out)
{
    const ims_json *all = ims__json_get(schema, "allOf");

    switch (ims__json_type(out)) {
    case IMS_JSON_OBJECT:
        return check_enum(p, schema, v, at) && (all ? read_all(p, all, v, at, out) : read_object(p, schema, v, at, out));
    case IMS_JSON_ARRAY:
        return check_enum(p, schema, v, at) && read_array(p, schema, v, at, out);
    case IMS_JSON_STRING:
        return check_enum(p, schema, out, at) && check_string(p, schema, out, at);
    case IMS_JSON_INT:
    case IMS_JSON_REAL:
        return check_enum(p, schema, out, at) && check_number(p, schema, out, at);
    case IMS_JSON_BOOL:
        return check_enum(p, schema, out, at);
    case IMS_JSON_NULL:
        break;
    }
    return ims__json_get(schema, "type") || check_enum(p, schema, out, at); /* a type that allows null says so itself */
}

static bool read_value(struct pass *p, const ims_json *schema, const ims_json *v, const struct spot *at,
                       ims_json **out)
{
    const ims_json *any;
    ims_json *made;
    bool is_good;

    schema = ims__schema_resolve(p->document, schema);
    if (!schema)
        return fail_pass(p, IMS_E_INTERNAL, "the contract refers to a schema that it does not have");
    if (p->depth >= IMS_MAX_JSON_DEPTH)
        return issue(p, at, NULL, "too_deep", "Input is nested too deep");
    any = ims__json_get(schema, "anyOf");
    p->depth++;
    if (any)
        is_good = read_any(p, any, v, at, out);
    else {
        made = typed_value(p, schema, v, at);
        is_good = made && read_into(p, schema, v, at, made);
        if (is_good)
            *out = made;
        else
            ims__json_free(made);
    }
    p->depth--;
    return is_good;
}

ims_status ims__schema_read(const ims_json *document, const ims_json *schema, const ims_json *value,
                            ims_schema_mode mode, const char *place, ims_json **out, ims_json *issues,
                            ims_err *err)
{
    struct pass p = { .document = document, .mode = mode, .issues = issues, .err = err };
    struct spot top = { .key = place };
    ims_json *made = NULL;

    if (!value)
        issue(&p, &top, NULL, "missing", "Field required");
    else if (read_value(&p, schema, value, &top, &made)) {
        *out = made;
        return IMS_OK;
    }
    return p.status ? p.status : ims_fail(err, IMS_E_INVALID, "schema", 0, "the %s does not follow the contract", place);
}
