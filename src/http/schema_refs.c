/* References inside a contract, and whether it keeps to the keywords that are understood.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "http/schema.h"

#include <string.h>

static const ims_json *point_to(const ims_json *document, const char *pointer)
{
    char key[128];

    if (strncmp(pointer, "#/", 2) != 0)
        return NULL;
    for (pointer += 2; document; pointer++) {
        size_t n = strcspn(pointer, "/");

        if (n >= sizeof(key))
            return NULL;
        memcpy(key, pointer, n);
        key[n] = '\0';
        document = ims__json_get(document, key);
        pointer += n;
        if (!*pointer)
            return document;
    }
    return NULL;
}

const ims_json *ims__schema_resolve(const ims_json *document, const ims_json *node)
{
    for (unsigned hops = 0; node && hops < 16; hops++) {
        const char *ref = ims__json_str(ims__json_get(node, "$ref"), NULL);

        if (!ref)
            return node;
        node = point_to(document, ref);
    }
    return NULL;
}

static bool is_keyword(const char *key)
{
    static const char *const known[] = { "type", "enum", "const", "minimum", "maximum", "exclusiveMinimum",
                                         "exclusiveMaximum", "minLength", "maxLength", "pattern", "format", "items",
                                         "minItems", "maxItems", "properties", "required", "additionalProperties",
                                         "default", "allOf", "anyOf", "title", "description", "examples", "deprecated",
                                         "contentEncoding", "contentMediaType" };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(key, known[i]) == 0)
            return true;
    }
    return strncmp(key, "x-", 2) == 0;
}

static ims_status check_schema(const ims_json *document, const ims_json *schema, unsigned depth, ims_err *err);

static ims_status check_members(const ims_json *document, const ims_json *object, unsigned depth, ims_err *err)
{
    ims_status st = IMS_OK;

    for (void *it = ims__json_iter(object); !st && it; it = ims__json_next(object, it))
        st = check_schema(document, ims__json_iter_value(it), depth + 1, err);
    return st;
}

static ims_status check_list(const ims_json *document, const ims_json *list, unsigned depth, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < ims__json_len(list); i++)
        st = check_schema(document, ims__json_at(list, i), depth + 1, err);
    return st;
}

static ims_status check_schema(const ims_json *document, const ims_json *schema, unsigned depth, ims_err *err)
{
    ims_status st = IMS_OK;

    if (depth > IMS_MAX_JSON_DEPTH)
        return ims_fail(err, IMS_E_LIMIT, "schema", 0, "the schema is nested too deep");
    if (ims__json_get(schema, "$ref"))
        return ims__schema_resolve(document, schema)
                   ? IMS_OK
                   : ims_fail(err, IMS_E_NOT_FOUND, "schema", 0, "%s points nowhere",
                              ims__json_str(ims__json_get(schema, "$ref"), NULL));
    for (void *it = ims__json_iter(schema); !st && it; it = ims__json_next(schema, it)) {
        const char *key = ims__json_iter_key(it);
        const ims_json *v = ims__json_iter_value(it);

        if (!is_keyword(key))
            st = ims_fail(err, IMS_E_UNSUPPORTED, "schema", 0, "the keyword %s", key);
        else if (strcmp(key, "properties") == 0)
            st = check_members(document, v, depth, err);
        else if (strcmp(key, "items") == 0 ||
                 (strcmp(key, "additionalProperties") == 0 && ims__json_type(v) == IMS_JSON_OBJECT))
            st = check_schema(document, v, depth + 1, err);
        else if (strcmp(key, "allOf") == 0 || strcmp(key, "anyOf") == 0)
            st = check_list(document, v, depth, err);
    }
    return st;
}

ims_status ims__schema_is_known(const ims_json *document, const ims_json *schema, ims_err *err)
{
    return check_schema(document, schema, 0, err);
}
