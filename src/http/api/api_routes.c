/* Which handler an operation of the contract has, and the context that handlers get.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api.h"

#include "engine/engine_parts.h"

const struct ims_http_route ims__api_routes[] = {
#define IMS_ROUTE(operation, handler) { #operation, handler },
#include "http/api/api_table.h"
#undef IMS_ROUTE
};
const size_t ims__api_n_routes = IMS_ARRAY_LEN(ims__api_routes);

ims_status ims__api_context_open(struct ims_http_context **out, void *api, ims_err *err)
{
    struct ims_http_context *cx = ims__zalloc(1, sizeof(*cx));
    ims_status st;

    if (!cx)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "a worker's context");
    cx->api = api;
    st = ims_engine_open_beside(&cx->engine, cx->api->host, err);
    if (st) {
        ims__free(cx);
        return st;
    }
    cx->store = ims__engine_store(cx->engine);
    *out = cx;
    return IMS_OK;
}

void ims__api_context_close(struct ims_http_context *cx)
{
    if (!cx)
        return;
    ims_engine_close(cx->engine);
    ims__free(cx);
}
