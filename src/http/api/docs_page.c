/* Writes the contract as one HTML page without scripts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/docs_page.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"

#include <string.h>

static void add_value(struct ims_buf *b, const char *label, const ims_json *v)
{
    struct ims_buf text;

    if (!v)
        return;
    ims__buf_init(&text, IMS_MAX_JSON_BYTES);
    if (ims__json_write(v, 2, &text, NULL) == IMS_OK) {
        (void)ims__buf_addf(b, "<details><summary>%s</summary><pre>", label);
        ims__html_add(b, text.data);
        (void)ims__buf_add_str(b, "</pre></details>\n");
    }
    ims__buf_release(&text);
}

static void add_operation(struct ims_buf *b, const struct ims_spec *spec, const struct ims_spec_operation *op)
{
    const ims_json *paths = ims__json_get(ims__spec_document(spec), "paths");
    const ims_json *item = ims__json_get(paths, op->path);
    const ims_json *node = NULL;

    for (void *it = ims__json_iter(item); it; it = ims__json_next(item, it)) {
        const char *id = ims__json_str(ims__json_get(ims__json_iter_value(it), "operationId"), NULL);

        if (id && strcmp(id, op->id) == 0)
            node = ims__json_iter_value(it);
    }
    (void)ims__buf_addf(b, "<section id=\"%s\"><h2><b>%s</b> <code>", op->id, op->method);
    ims__html_add(b, op->path);
    (void)ims__buf_add_str(b, "</code></h2>\n<p>");
    ims__html_add(b, ims__json_str(ims__json_get(node, "summary"), NULL));
    (void)ims__buf_add_str(b, op->is_unbuilt ? " <em>Not built yet: 501.</em></p>\n" : "</p>\n");
    if (ims__json_len(op->parameters))
        add_value(b, "Parameters", op->parameters);
    add_value(b, "Body", op->body_json ? op->body_json : op->body_form);
    add_value(b, "Replies", op->responses);
    (void)ims__buf_add_str(b, "</section>\n");
}

ims_status ims__docs_page(const struct ims_spec *spec, struct ims_buf *out, ims_err *err)
{
    (void)ims__buf_add_str(out, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>imgsearch: the HTTP "
                                "interface</title><meta name=\"viewport\" content=\"width=device-width\">"
                                "<link rel=\"stylesheet\" href=\"/web/docs.css\"><main><h1>The HTTP interface</h1>"
                                "<p>The same as <a href=\"/openapi.json\">OpenAPI 3.1</a>. Members may be spelled in "
                                "camelCase or snake_case.</p>\n");
    for (size_t i = 0; i < ims__spec_n_operations(spec); i++)
        add_operation(out, spec, ims__spec_operation(spec, i));
    add_value(out, "Schemas", ims__json_get(ims__json_get(ims__spec_document(spec), "components"), "schemas"));
    (void)ims__buf_add_str(out, "</main></html>\n");
    return ims__buf_status(out) ? ims_fail(err, IMS_E_NOMEM, "http", 0, "the page of the contract") : IMS_OK;
}
