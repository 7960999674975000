/* YAML to JSON values, over libyaml's event stream.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/yaml.h"

#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const char *what;
    ims_err *err;
};

static ims_status refuse(struct reader *r, const yaml_event_t *at, const char *why)
{
    return ims_fail(r->err, IMS_E_FORMAT, "yaml", 0, "%s: line %zu, column %zu: %s", r->what,
                    at->start_mark.line + 1, at->start_mark.column + 1, why);
}

static ims_status next_event(struct reader *r, yaml_event_t *out)
{
    if (yaml_parser_parse(&r->parser, out))
        return IMS_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return ims_fail(r->err, IMS_E_NOMEM, "yaml", 0, "%s", r->what);
    return ims_fail(r->err, IMS_E_FORMAT, "yaml", (int)r->parser.error, "%s: line %zu, column %zu: %s", r->what,
                    r->parser.problem_mark.line + 1, r->parser.problem_mark.column + 1,
                    r->parser.problem ? r->parser.problem : "not YAML");
}

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(s, *words) == 0)
            return true;
    }
    return false;
}

/* An unquoted scalar by the core schema. */
static ims_json *plain_value(const char *s)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const trues[] = { "true", "True", "TRUE", NULL };
    static const char *const falses[] = { "false", "False", "FALSE", NULL };
    int64_t i;
    double d;

    if (is_one_of(s, nulls))
        return ims__json_new_null();
    if (is_one_of(s, trues))
        return ims__json_new_bool(true);
    if (is_one_of(s, falses))
        return ims__json_new_bool(false);
    if (ims__parse_int(s, INT64_MIN, INT64_MAX, &i))
        return ims__json_new_int(i);
    if (strspn(s, "+-.0123456789eE") == strlen(s) && ims__parse_double(s, -1e300, 1e300, &d))
        return ims__json_new_num(d);
    return ims__json_new_str(s);
}

static ims_status scalar_value(struct reader *r, const yaml_event_t *ev, ims_json **out)
{
    const char *s = (const char *)ev->data.scalar.value;

    if (strlen(s) != ev->data.scalar.length)
        return refuse(r, ev, "a NUL inside a text");
    *out = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_value(s) : ims__json_new_str(s);
    return *out ? IMS_OK : ims_fail(r->err, IMS_E_NOMEM, "yaml", 0, "%s", r->what);
}

static ims_status read_node(struct reader *r, const yaml_event_t *ev, unsigned depth, ims_json **out);

/* Members up to the end of the mapping that was just opened. */
static ims_status read_mapping(struct reader *r, unsigned depth, ims_json *object)
{
    for (;;) {
        yaml_event_t key, value;
        ims_json *v = NULL;
        ims_status st = next_event(r, &key);

        if (st)
            return st;
        if (key.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&key);
            return IMS_OK;
        }
        if (key.type != YAML_SCALAR_EVENT)
            st = refuse(r, &key, "a key must be a text");
        else if (ims__json_get(object, (const char *)key.data.scalar.value))
            st = refuse(r, &key, "the key is there twice");
        if (!st)
            st = next_event(r, &value);
        if (!st) {
            st = read_node(r, &value, depth, &v);
            yaml_event_delete(&value);
        }
        if (!st && ims__json_set(object, (const char *)key.data.scalar.value, v))
            st = ims_fail(r->err, IMS_E_NOMEM, "yaml", 0, "%s", r->what);
        yaml_event_delete(&key);
        if (st)
            return st;
    }
}

static ims_status read_sequence(struct reader *r, unsigned depth, ims_json *array)
{
    for (;;) {
        yaml_event_t ev;
        ims_json *v = NULL;
        ims_status st = next_event(r, &ev);
        bool is_end;

        if (st)
            return st;
        is_end = ev.type == YAML_SEQUENCE_END_EVENT;
        if (!is_end)
            st = read_node(r, &ev, depth, &v);
        yaml_event_delete(&ev);
        if (st || is_end)
            return st;
        if (ims__json_add(array, v))
            return ims_fail(r->err, IMS_E_NOMEM, "yaml", 0, "%s", r->what);
    }
}

static ims_status read_node(struct reader *r, const yaml_event_t *ev, unsigned depth, ims_json **out)
{
    bool is_map = ev->type == YAML_MAPPING_START_EVENT;
    ims_json *v;
    ims_status st;

    if (ev->type == YAML_ALIAS_EVENT)
        return refuse(r, ev, "aliases are not allowed");
    if (ev->type == YAML_SCALAR_EVENT)
        return ev->data.scalar.anchor || ev->data.scalar.tag ? refuse(r, ev, "anchors and tags are not allowed")
                                                             : scalar_value(r, ev, out);
    if (!is_map && ev->type != YAML_SEQUENCE_START_EVENT)
        return refuse(r, ev, "a value is missing");
    if (is_map ? ev->data.mapping_start.anchor || ev->data.mapping_start.tag
               : ev->data.sequence_start.anchor || ev->data.sequence_start.tag)
        return refuse(r, ev, "anchors and tags are not allowed");
    if (depth >= IMS_MAX_JSON_DEPTH)
        return refuse(r, ev, "nested too deep");
    v = is_map ? ims__json_new_object() : ims__json_new_array();
    if (!v)
        return ims_fail(r->err, IMS_E_NOMEM, "yaml", 0, "%s", r->what);
    st = is_map ? read_mapping(r, depth + 1, v) : read_sequence(r, depth + 1, v);
    if (st)
        ims__json_free(v);
    else
        *out = v;
    return st;
}

/* stream start, document start, the node, document end, stream end */
static ims_status read_document(struct reader *r, ims_json **out)
{
    static const yaml_event_type_t before[] = { YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT };
    static const yaml_event_type_t after[] = { YAML_DOCUMENT_END_EVENT, YAML_STREAM_END_EVENT };
    ims_json *v = NULL;
    yaml_event_t ev;
    ims_status st;

    for (size_t i = 0; i < 5; i++) {
        st = next_event(r, &ev);
        if (st)
            goto out;
        if (i == 2)
            st = read_node(r, &ev, 0, &v);
        else if (ev.type != (i < 2 ? before[i] : after[i - 3]))
            st = refuse(r, &ev, i < 2 ? "the document is empty" : "more than one document");
        yaml_event_delete(&ev);
        if (st)
            goto out;
    }
    *out = v;
    v = NULL;
out:
    ims__json_free(v);
    return st;
}

ims_status ims__yaml_read(ims_json **out, const char *text, size_t len, const char *what, ims_err *err)
{
    struct reader r = { .what = what, .err = err };
    ims_status st;

    if (!yaml_parser_initialize(&r.parser))
        return ims_fail(err, IMS_E_NOMEM, "yaml", 0, "%s", what);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    st = read_document(&r, out);
    yaml_parser_delete(&r.parser);
    return st;
}
