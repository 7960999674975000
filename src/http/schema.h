/* JSON Schema, the part of it that the HTTP contract uses: checks values and brings them into shape.
 *
 * Keywords: $ref (into the same document), type (one or a list), enum, const, minimum, maximum,
 * exclusiveMinimum, exclusiveMaximum, minLength, maxLength, pattern (POSIX extended), format (uuid, date,
 * date-time), items, minItems, maxItems, properties, required, additionalProperties, default, allOf, anyOf.
 * Annotations (title, description, examples, deprecated ...) and those that begin with "x-" say nothing to it.
 * Thread-safe: the schema is only read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_SCHEMA_H
#define IMS_HTTP_SCHEMA_H

#include "base/json.h"
#include "ims/status.h"

#include <stdbool.h>

typedef enum ims_schema_mode {
    /* A body from a client: keys may be camelCase or snake_case, members that the schema does not name are left
     * out, missing ones get their default. */
    IMS_SCHEMA_REQUEST,
    /* The same of query, path and form fields: every value is a text, read as the type it should have. */
    IMS_SCHEMA_FIELDS,
    /* Our own reply: as it stands; a member that the schema does not name is an issue. */
    IMS_SCHEMA_REPLY
} ims_schema_mode;

#define IMS_MAX_SCHEMA_ISSUES 20

/* Checks value against schema (a node of document) and gives it in shape: *out (ims__json_free) on success.
 * What is wrong goes to issues, an array that the caller owns, as {type, loc: [place, ...], msg, input}; then
 * the status is IMS_E_INVALID and *out is untouched. value NULL = not there at all.
 * IMS_E_INTERNAL: the schema itself is not understood. */
ims_status ims__schema_read(const ims_json *document, const ims_json *schema, const ims_json *value,
                            ims_schema_mode mode, const char *place, ims_json **out, ims_json *issues,
                            ims_err *err) IMS_MUST_CHECK;

/* The node that a {"$ref": "#/a/b"} points to, through any number of them; other nodes are given as they are.
 * NULL when it points nowhere. */
const ims_json *ims__schema_resolve(const ims_json *document, const ims_json *node);

/* Does every keyword below this schema belong to the list above? For a test over the whole contract. */
ims_status ims__schema_is_known(const ims_json *document, const ims_json *schema, ims_err *err) IMS_MUST_CHECK;

#endif
