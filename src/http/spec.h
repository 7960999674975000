/* The HTTP contract (api/openapi.yaml, OpenAPI 3.1) as the server uses it: which operation a request is, what its
 * inputs must look like, which replies it may give. The file is part of the program.
 *
 * Immutable after open, so any thread may use it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_SPEC_H
#define IMS_HTTP_SPEC_H

#include "base/json.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>

#define IMS_MAX_ROUTE_SEGMENTS 12

struct ims_spec;

struct ims_spec_operation {
    const char *id;     /* operationId: the name of the handler */
    const char *method; /* "GET" */
    const char *path;   /* "/api/v1/images/{asset_id}/full" */
    const ims_json *parameters;   /* array, of the operation and of its path; references resolved */
    const ims_json *body_json;    /* schema of an application/json body, or NULL */
    const ims_json *body_form;    /* schema of a multipart/form-data body, or NULL */
    bool is_body_required;
    size_t max_body_bytes;        /* x-max-body-bytes, else the default of the server */
    bool is_destructive;          /* x-destructive: off unless allowed */
    bool is_public;               /* security: [] -- answered without a token */
    bool is_unbuilt;              /* x-not-implemented: always 501 */
    const ims_json *responses;
};

/* The contract that is part of this program. */
ims_status ims__spec_open(struct ims_spec **out, ims_err *err) IMS_MUST_CHECK;
/* Another one, for tests; what names it in messages. */
ims_status ims__spec_read(struct ims_spec **out, const char *yaml, size_t len, const char *what, ims_err *err)
    IMS_MUST_CHECK;
void ims__spec_close(struct ims_spec *s);

const ims_json *ims__spec_document(const struct ims_spec *s);
size_t ims__spec_n_operations(const struct ims_spec *s);
const struct ims_spec_operation *ims__spec_operation(const struct ims_spec *s, size_t i);

/* What became of a path. */
struct ims_spec_match {
    const struct ims_spec_operation *operation; /* NULL = no such path, or not with this method */
    bool has_path;                              /* the path exists with another method */
    bool is_slash_too_many;                     /* it would without the '/' at its end */
    char allow[64];                             /* has_path: "GET, PUT" */
    size_t n_values;                            /* of the path's {names}, in order; still percent-encoded */
    const char *names[IMS_MAX_ROUTE_SEGMENTS];
    struct {
        const char *start;
        size_t len;
    } values[IMS_MAX_ROUTE_SEGMENTS];
};
/* path: as it came, up to but without '?'. A literal segment wins over a {name}. */
void ims__spec_match(const struct ims_spec *s, const char *method, const char *path, struct ims_spec_match *out);

/* The schema of a JSON reply; *out NULL when the reply has another kind of body or none. IMS_E_NOT_FOUND when the
 * contract knows no such status here. */
ims_status ims__spec_reply_schema(const struct ims_spec *s, const struct ims_spec_operation *op, int status,
                                  const ims_json **out, ims_err *err) IMS_MUST_CHECK;

#endif
