/* Any bytes as the body of any operation of the contract: what comes out keeps its schema, and is the same when it is
 * read once more. The first two bytes choose the operation and the mode.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/json.h"
#include "http/schema.h"
#include "http/spec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ims_spec *contract(void)
{
    static struct ims_spec *spec;

    if (!spec && ims__spec_open(&spec, NULL))
        abort();
    return spec;
}

static const ims_json *body_of(const struct ims_spec *spec, unsigned which)
{
    size_t n = ims__spec_n_operations(spec);

    for (size_t i = 0; i < n; i++) {
        const struct ims_spec_operation *op = ims__spec_operation(spec, (which + i) % n);

        if (op->body_json || op->body_form)
            return op->body_json ? op->body_json : op->body_form;
    }
    abort();
}

static void read_again(const struct ims_spec *spec, const ims_json *schema, const ims_json *first)
{
    ims_json *issues = ims__json_new_array(), *second = NULL;
    struct ims_buf a, b;

    if (ims__schema_read(ims__spec_document(spec), schema, first, IMS_SCHEMA_REQUEST, "body", &second, issues, NULL))
        abort();
    ims__buf_init(&a, 64 << 20);
    ims__buf_init(&b, 64 << 20);
    if (ims__json_write(first, 0, &a, NULL) || ims__json_write(second, 0, &b, NULL) || a.len != b.len ||
        memcmp(a.data, b.data, a.len) != 0)
        abort();
    ims__buf_release(&a);
    ims__buf_release(&b);
    ims__json_free(second);
    ims__json_free(issues);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ims_spec *spec = contract();
    ims_json *raw = NULL, *read = NULL, *issues;
    const ims_json *schema;
    ims_schema_mode mode;
    ims_status st;

    if (size < 2 || ims__json_parse(&raw, (const char *)data + 2, size - 2, "the body", NULL))
        return 0;
    schema = body_of(spec, data[0]);
    mode = (ims_schema_mode)(data[1] % 3);
    issues = ims__json_new_array();
    st = ims__schema_read(ims__spec_document(spec), schema, raw, mode, "body", &read, issues, NULL);
    if (st && st != IMS_E_INVALID)
        abort(); /* the contract is always understood */
    if ((st == IMS_E_INVALID) != (ims__json_len(issues) > 0) || ims__json_len(issues) > IMS_MAX_SCHEMA_ISSUES)
        abort();
    if (!st && mode == IMS_SCHEMA_REQUEST)
        read_again(spec, schema, read);
    ims__json_free(issues);
    ims__json_free(read);
    ims__json_free(raw);
    return 0;
}
