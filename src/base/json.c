/* JSON values over jansson.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/limits.h"
#include "base/text.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* struct ims_json is never defined: the pointers are jansson's. */
static json_t *to_jansson(const ims_json *v)
{
    return (json_t *)(uintptr_t)v;
}

static ims_json *from_jansson(json_t *v)
{
    return (ims_json *)v;
}

ims_status ims__json_parse(ims_json **out, const char *text, size_t len, const char *what, ims_err *err)
{
    json_error_t e;
    json_t *v;

    if (len > IMS_MAX_JSON_BYTES)
        return ims_fail(err, IMS_E_LIMIT, "json", 0, "%s: %zu bytes of JSON, the limit is %zu", what,
                        len, IMS_MAX_JSON_BYTES);
    v = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (!v) {
        ims_status st = json_error_code(&e) == json_error_out_of_memory ? IMS_E_NOMEM : IMS_E_FORMAT;

        return ims_fail(err, st, "json", (int)json_error_code(&e), "%s: line %d, column %d: %s", what,
                        e.line, e.column, e.text);
    }
    *out = from_jansson(v);
    return IMS_OK;
}

void ims__json_free(ims_json *v)
{
    json_decref(to_jansson(v));
}

ims_json *ims__json_dup(const ims_json *v)
{
    return from_jansson(json_deep_copy(to_jansson(v)));
}

ims_json_type ims__json_type(const ims_json *v)
{
    if (!v)
        return IMS_JSON_NULL;
    switch (json_typeof(to_jansson(v))) {
    case JSON_OBJECT:
        return IMS_JSON_OBJECT;
    case JSON_ARRAY:
        return IMS_JSON_ARRAY;
    case JSON_STRING:
        return IMS_JSON_STRING;
    case JSON_INTEGER:
        return IMS_JSON_INT;
    case JSON_REAL:
        return IMS_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return IMS_JSON_BOOL;
    case JSON_NULL:
        break;
    }
    return IMS_JSON_NULL;
}

const ims_json *ims__json_get(const ims_json *object, const char *key)
{
    return from_jansson(json_object_get(to_jansson(object), key));
}

const ims_json *ims__json_at(const ims_json *array, size_t i)
{
    return from_jansson(json_array_get(to_jansson(array), i));
}

size_t ims__json_len(const ims_json *v)
{
    switch (ims__json_type(v)) {
    case IMS_JSON_ARRAY:
        return json_array_size(to_jansson(v));
    case IMS_JSON_OBJECT:
        return json_object_size(to_jansson(v));
    default:
        return 0;
    }
}

const char *ims__json_str(const ims_json *v, size_t *out_len)
{
    if (ims__json_type(v) != IMS_JSON_STRING)
        return NULL;
    if (out_len)
        *out_len = json_string_length(to_jansson(v));
    return json_string_value(to_jansson(v));
}

int64_t ims__json_int(const ims_json *v, int64_t fallback)
{
    return ims__json_type(v) == IMS_JSON_INT ? json_integer_value(to_jansson(v)) : fallback;
}

double ims__json_num(const ims_json *v, double fallback)
{
    ims_json_type type = ims__json_type(v);

    return type == IMS_JSON_INT || type == IMS_JSON_REAL ? json_number_value(to_jansson(v)) : fallback;
}

bool ims__json_bool(const ims_json *v, bool fallback)
{
    return ims__json_type(v) == IMS_JSON_BOOL ? json_is_true(to_jansson(v)) : fallback;
}

void *ims__json_iter(const ims_json *object)
{
    return json_object_iter(to_jansson(object));
}

void *ims__json_next(const ims_json *object, void *it)
{
    return json_object_iter_next(to_jansson(object), it);
}

const char *ims__json_iter_key(void *it)
{
    return json_object_iter_key(it);
}

const ims_json *ims__json_iter_value(void *it)
{
    return from_jansson(json_object_iter_value(it));
}

ims_json *ims__json_new_object(void)
{
    return from_jansson(json_object());
}

ims_json *ims__json_new_array(void)
{
    return from_jansson(json_array());
}

ims_json *ims__json_new_str(const char *s)
{
    struct ims_buf shown;
    json_t *v = NULL;
    size_t n;

    if (!s)
        return ims__json_new_null();
    n = strlen(s);
    if (ims__utf8_is_valid(s, n))
        return from_jansson(json_stringn_nocheck(s, n));
    ims__buf_init(&shown, 4 * n + 1);
    if (ims__display(s, n, &shown) == IMS_OK)
        v = json_stringn_nocheck(shown.data, shown.len);
    ims__buf_release(&shown);
    return from_jansson(v);
}

ims_json *ims__json_new_int(int64_t v)
{
    return from_jansson(json_integer(v));
}

ims_json *ims__json_new_num(double v)
{
    return isfinite(v) ? from_jansson(json_real(v)) : ims__json_new_null();
}

ims_json *ims__json_new_bool(bool v)
{
    return from_jansson(json_boolean(v));
}

ims_json *ims__json_new_null(void)
{
    return from_jansson(json_null());
}

ims_status ims__json_set(ims_json *object, const char *key, ims_json *take_value)
{
    return json_object_set_new(to_jansson(object), key, to_jansson(take_value)) ? IMS_E_NOMEM : IMS_OK;
}

ims_status ims__json_add(ims_json *array, ims_json *take_value)
{
    return json_array_append_new(to_jansson(array), to_jansson(take_value)) ? IMS_E_NOMEM : IMS_OK;
}

static int append_chunk(const char *p, size_t n, void *arg)
{
    return ims__buf_add(arg, p, n) ? -1 : 0;
}

ims_status ims__json_write(const ims_json *v, int indent, struct ims_buf *out, ims_err *err)
{
    size_t flags = JSON_ENCODE_ANY | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9);

    flags |= indent > 0 ? (size_t)JSON_INDENT(indent) : JSON_COMPACT;
    if (!v || json_dump_callback(to_jansson(v), append_chunk, out, flags) != 0) {
        ims_status st = ims__buf_status(out);

        return ims_fail(err, st ? st : IMS_E_NOMEM, "json", 0, "writing JSON");
    }
    return IMS_OK;
}
