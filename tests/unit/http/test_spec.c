/* Finding the operation of a request; the contract that is part of the program.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "http/schema.h"
#include "http/spec.h"

#include <stdlib.h>
#include <string.h>

static const char small[] =
    "paths:\n"
    "  /a/{id}:\n"
    "    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]\n"
    "    get: {operationId: get_a, responses: {'200': {description: ok}}}\n"
    "    delete: {operationId: delete_a, x-destructive: true, security: [], responses: {'204': {description: ok}}}\n"
    "  /a/all:\n"
    "    get: {operationId: all, responses: {'200': {description: ok}}}\n"
    "  /a/{x}/b/{y}:\n"
    "    get: {operationId: two, responses: {'200': {description: ok}}}\n";

TEST(spec_match, "a path finds its operation, a literal segment before a name")
{
    struct ims_spec *s = NULL;
    struct ims_spec_match m;
    ims_err err = { 0 };

    CHECK_OK(ims__spec_read(&s, small, strlen(small), "small", &err), err);
    ims__spec_match(s, "GET", "/a/12", &m);
    CHECK(m.operation && strcmp(m.operation->id, "get_a") == 0);
    CHECK_INT(m.n_values, 1);
    CHECK(m.values[0].len == 2 && memcmp(m.values[0].start, "12", 2) == 0);
    ims__spec_match(s, "GET", "/a/all", &m);
    CHECK(m.operation && strcmp(m.operation->id, "all") == 0);
    ims__spec_match(s, "HEAD", "/a/x/b/y", &m);
    CHECK(m.operation && strcmp(m.operation->id, "two") == 0);
    CHECK_INT(m.n_values, 2);
    ims__spec_match(s, "PUT", "/a/12", &m);
    CHECK(!m.operation && m.has_path);
    CHECK_STR(m.allow, "GET, DELETE");
    ims__spec_match(s, "DELETE", "/a/all", &m); /* the literal path has no DELETE: 405, not another path's */
    CHECK(!m.operation && m.has_path);
    ims__spec_match(s, "DELETE", "/a/3", &m);
    CHECK(m.operation && m.operation->is_destructive && m.operation->is_public);
    ims__spec_close(s);
}

TEST(spec_misses, "what is no path is none; a slash too many is said")
{
    static const char *const none[] = { "/", "", "/a", "/a//", "/a//b/c", "/a/1/b", "/a/1/b/2/3", "/A/1", "a/1" };
    struct ims_spec *s = NULL;
    struct ims_spec_match m;
    ims_err err = { 0 };

    CHECK_OK(ims__spec_read(&s, small, strlen(small), "small", &err), err);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        ims__spec_match(s, "GET", none[i], &m);
        if (m.operation || m.has_path || m.is_slash_too_many)
            test_fail(__FILE__, __LINE__, "%s is a path", none[i]);
    }
    ims__spec_match(s, "GET", "/a/1/", &m);
    CHECK(!m.operation && m.is_slash_too_many);
    ims__spec_close(s);
}

TEST(spec_malformed, "a contract without ids, responses or paths is refused")
{
    static const char *const bad[] = { "paths: {}", "paths: {/a: {get: {responses: {'200': {}}}}}",
                                       "paths: {/a: {get: {operationId: a}}}",
                                       "paths: {/a: {get: {operationId: a, responses: {'200': {}}, parameters: [{$ref: "
                                       "'#/none'}]}}}" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ims_spec *s = NULL;

        CHECK_INT(ims__spec_read(&s, bad[i], strlen(bad[i]), "bad", NULL), IMS_E_FORMAT);
    }
}

/* Every schema in every operation keeps to the keywords that are understood. */
static void check_content(const ims_json *document, const ims_json *content, const char *where)
{
    for (void *it = ims__json_iter(content); it; it = ims__json_next(content, it)) {
        const ims_json *schema = ims__json_get(ims__json_iter_value(it), "schema");
        ims_err err = { 0 };

        if (schema && ims__schema_is_known(document, schema, &err))
            test_fail(__FILE__, __LINE__, "%s: %s", where, err.text);
    }
}

TEST(spec_own, "the contract of this program parses, and its schemas use what the checks understand")
{
    struct ims_spec *s = NULL;
    ims_err err = { 0 };
    const ims_json *document, *schemas;

    CHECK_OK(ims__spec_open(&s, &err), err);
    document = ims__spec_document(s);
    schemas = ims__json_get(ims__json_get(document, "components"), "schemas");
    for (void *it = ims__json_iter(schemas); it; it = ims__json_next(schemas, it)) {
        if (ims__schema_is_known(document, ims__json_iter_value(it), &err))
            test_fail(__FILE__, __LINE__, "%s: %s", ims__json_iter_key(it), err.text);
    }
    for (size_t i = 0; i < ims__spec_n_operations(s); i++) {
        const struct ims_spec_operation *op = ims__spec_operation(s, i);

        for (size_t k = 0; k < ims__json_len(op->parameters); k++)
            if (ims__schema_is_known(document, ims__json_get(ims__json_at(op->parameters, k), "schema"), &err))
                test_fail(__FILE__, __LINE__, "%s: %s", op->id, err.text);
        if ((op->body_json && ims__schema_is_known(document, op->body_json, &err)) ||
            (op->body_form && ims__schema_is_known(document, op->body_form, &err)))
            test_fail(__FILE__, __LINE__, "%s: %s", op->id, err.text);
        for (void *it = ims__json_iter(op->responses); it; it = ims__json_next(op->responses, it)) {
            const ims_json *r = ims__schema_resolve(document, ims__json_iter_value(it));

            if (!r || !ims__json_str(ims__json_get(r, "description"), NULL))
                test_fail(__FILE__, __LINE__, "%s: the reply %s lacks its description", op->id, ims__json_iter_key(it));
            check_content(document, ims__json_get(r, "content"), op->id);
        }
    }
    ims__spec_close(s);
}
