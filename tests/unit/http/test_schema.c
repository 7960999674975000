/* Values against schemas, and YAML.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "http/schema.h"
#include "http/yaml.h"

#include <stdio.h>
#include <string.h>

static char shown[16000];

/* What value becomes under schema: its JSON, or "! " and the issues. Both in YAML. */
static const char *read_as(ims_schema_mode mode, const char *schema, const char *value)
{
    ims_json *s = NULL, *v = NULL, *out = NULL, *issues = ims__json_new_array();
    struct ims_buf text;
    ims_err err = { 0 };
    ims_status st;

    ims__buf_init(&text, sizeof(shown));
    st = ims__yaml_read(&s, schema, strlen(schema), "schema", &err);
    if (!st)
        st = ims__yaml_read(&v, value, strlen(value), "value", &err);
    if (!st)
        st = ims__schema_read(s, s, v, mode, "body", &out, issues, &err);
    if (st && st != IMS_E_INVALID)
        snprintf(shown, sizeof(shown), "!! %s: %s", ims_status_name(st), err.text);
    else if (ims__json_write(st ? issues : out, 0, &text, &err))
        snprintf(shown, sizeof(shown), "!! %s", err.text);
    else
        snprintf(shown, sizeof(shown), "%s%s", st ? "! " : "", text.data);
    ims__buf_release(&text);
    ims__json_free(issues);
    ims__json_free(out);
    ims__json_free(v);
    ims__json_free(s);
    return shown;
}

#define ASSET                                                                                                        \
    "type: object\nrequired: [rootPath]\nproperties:\n"                                                              \
    "  rootPath: {type: string, minLength: 1, maxLength: 5}\n"                                                       \
    "  limit: {type: integer, minimum: 1, maximum: 100, default: 50}\n"                                              \
    "  kind: {type: [string, 'null'], enum: [a, b, null]}\n"

TEST(schema_defaults, "members get their defaults, unknown ones are left out, snake_case is understood")
{
    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, ASSET, "{root_path: abc, other: 1}"), "{\"rootPath\":\"abc\",\"limit\":50}");
    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, ASSET, "{rootPath: abc, limit: 7.0, kind: ~}"),
              "{\"rootPath\":\"abc\",\"limit\":7,\"kind\":null}");
    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, "properties: {a_b: {type: integer}}", "{aB: 3}"), "{\"a_b\":3}");
}

TEST(schema_issues, "what is wrong is listed with its place, its kind and what was given")
{
    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, ASSET, "{limit: 0, kind: c}"),
              "! [{\"type\":\"missing\",\"loc\":[\"body\",\"rootPath\"],\"msg\":\"Field required\",\"input\":null},"
              "{\"type\":\"greater_than_equal\",\"loc\":[\"body\",\"limit\"],\"msg\":\"Input should be greater than or "
              "equal to 1\",\"input\":0},"
              "{\"type\":\"enum\",\"loc\":[\"body\",\"kind\"],\"msg\":\"Input should be one of 'a', 'b'\",\"input\":"
              "\"c\"}]");
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, ASSET, "{rootPath: abcdef}"), "at most 5 characters"));
    CHECK(strncmp(read_as(IMS_SCHEMA_REQUEST, ASSET, "{rootPath: ééééé}"), "{", 1) == 0); /* characters, not bytes */
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, ASSET, "{rootPath: 5}"), "string_type"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, ASSET, "{rootPath: a, limit: true}"), "integer_type"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, ASSET, "{rootPath: a, limit: 1.5}"), "integer_type"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, ASSET, "[1]"), "object_type"));
}

TEST(schema_fields, "texts of a query are read as the type that the schema wants")
{
    const char *s = "properties: {n: {type: integer}, x: {type: number}, b: {type: boolean}, t: {type: string}}";

    CHECK_STR(read_as(IMS_SCHEMA_FIELDS, s, "{n: '12', x: '0.5', b: 'true', t: '7'}"),
              "{\"n\":12,\"x\":0.5,\"b\":true,\"t\":\"7\"}");
    CHECK(strstr(read_as(IMS_SCHEMA_FIELDS, s, "{n: '12x'}"), "integer_type"));
    CHECK(strstr(read_as(IMS_SCHEMA_FIELDS, s, "{n: ''}"), "integer_type"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{n: '12'}"), "integer_type")); /* JSON says what it means */
}

TEST(schema_values, "where values are listed and no type is, nothing else is taken: no object, list or null either")
{
    static const char *const bad[] = { "{k: {}}", "{k: []}", "{k: null}", "{k: 1}", "{k: c}", "{k: true}" };
    const char *s = "properties: {k: {enum: [a, b]}, one: {const: x}}";

    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, s, "{k: b, one: x}"), "{\"k\":\"b\",\"one\":\"x\"}");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, bad[i]), "\"type\":\"enum\""));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{one: {}}"), "literal_error"));
}

TEST(schema_replies, "a reply with a member that the contract does not name, or without one that it does, is an issue")
{
    CHECK(strstr(read_as(IMS_SCHEMA_REPLY, ASSET, "{rootPath: a, other: 1}"), "extra_forbidden"));
    CHECK(strstr(read_as(IMS_SCHEMA_REPLY, ASSET, "{limit: 1}"), "missing"));
    CHECK(strstr(read_as(IMS_SCHEMA_REPLY, ASSET, "{root_path: a}"), "missing"));
}

TEST(schema_lists, "lists are checked element by element, at any depth, with their index in the place")
{
    const char *s = "properties: {ids: {type: array, minItems: 1, maxItems: 3, items: {type: array, items: {type: "
                    "integer, minimum: 0}}}}";

    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, s, "{ids: [[1], [2, 3]]}"), "{\"ids\":[[1],[2,3]]}");
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{ids: [[1], [2, -3]]}"), "[\"body\",\"ids\",1,1]"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{ids: []}"), "too_short"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{ids: [[],[],[],[]]}"), "too_long"));
}

TEST(schema_unions, "anyOf takes the first that fits, allOf joins the members of all")
{
    const char *any = "anyOf: [{type: integer, minimum: 10}, {type: string, pattern: '^x+$'}]";
    const char *all = "{a: {properties: {n: {type: integer}}, required: [n]}, type: object, allOf: [{$ref: '#/a'}, "
                      "{properties: {m: {type: string}}}]}";

    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, any, "12"), "12");
    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, any, "xxx"), "\"xxx\"");
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, any, "9"), "union"));
    CHECK_STR(read_as(IMS_SCHEMA_REQUEST, all, "{m: a, n: 1}"), "{\"n\":1,\"m\":\"a\"}");
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, all, "{m: a}"), "missing"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, "{$ref: '#/nowhere'}", "1"), "!! IMS_E_INTERNAL"));
}

TEST(schema_maps, "additionalProperties says what free members look like")
{
    const char *s = "{type: object, additionalProperties: {type: integer}}";

    CHECK_STR(read_as(IMS_SCHEMA_REPLY, s, "{a: 1, b_c: 2}"), "{\"a\":1,\"b_c\":2}");
    CHECK(strstr(read_as(IMS_SCHEMA_REPLY, s, "{a: x}"), "[\"body\",\"a\"]"));
    CHECK_STR(read_as(IMS_SCHEMA_REPLY, "{type: object}", "{a: {b: [1]}}"), "{\"a\":{\"b\":[1]}}");
}

TEST(schema_formats, "uuid, date and date-time are held to their form")
{
    const char *s = "properties: {u: {type: string, format: uuid}, d: {type: string, format: date}, t: {type: string, "
                    "format: date-time}}";

    CHECK(*read_as(IMS_SCHEMA_REQUEST, s,
                   "{u: 0123abcd-0000-4000-8000-0123456789ab, d: '2024-02-29', t: '2024-01-02T03:04:05.123456Z'}") == '{');
    CHECK(*read_as(IMS_SCHEMA_REQUEST, s, "{t: '2024-01-02T03:04:05+02:00'}") == '{');
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{u: 0123abcd-0000-4000-8000-0123456789a}"), "format"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{d: '2023-02-29'}"), "format"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{t: '2024-01-02'}"), "format"));
    CHECK(strstr(read_as(IMS_SCHEMA_REQUEST, s, "{t: '2024-01-02T03:04:05'}"), "format"));
}

TEST(schema_issue_limit, "a thousand wrong members give a list that ends")
{
    char value[8000] = "{ids: [";
    size_t n = strlen(value);

    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(value + n, sizeof(value) - n, "-%d,", i + 1);
    snprintf(value + n, sizeof(value) - n, "0]}");
    (void)read_as(IMS_SCHEMA_REQUEST, "properties: {ids: {type: array, items: {type: integer, minimum: 0}}}", value);
    CHECK(*shown == '!');
    CHECK(strstr(shown, "\"ids\",19]"));
    CHECK(!strstr(shown, "\"ids\",20]"));
}

TEST(schema_deep, "nesting beyond the limit is refused, not followed")
{
    char value[400], *p = value;

    memset(p, '[', 100);
    memset(p + 100, ']', 100);
    p[200] = '\0';
    CHECK(strncmp(read_as(IMS_SCHEMA_REQUEST, "{type: array, items: {$ref: '#'}}", value), "!", 1) == 0);
}

TEST(yaml_refused, "aliases, anchors, tags, second documents, double keys and malformed text are errors with a line")
{
    static const char *const bad[] = { "a: &x 1\nb: *x", "a: !!str 1", "--- 1\n--- 2", "a: 1\na: 2", "a: [1", "? [1]\n: 2",
                                       "", "a: \"\\0\"" };
    ims_json *v = NULL;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ims_err err = { 0 };

        CHECK_INT(ims__yaml_read(&v, bad[i], strlen(bad[i]), "text", &err), IMS_E_FORMAT);
        CHECK(strstr(err.text, "line ") != NULL);
    }
}
