/* Which handler an operation of the contract has, and the context that handlers get.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api.h"

#include "engine/engine_parts.h"

const struct ims_http_route ims__api_routes[] = {
    { "health", ims__api_health },
    { "ready", ims__api_ready },
    { "metrics", ims__api_metrics },
    { "openapi", ims__api_openapi },
    { "docs", ims__api_docs },
    { "webIndex", ims__api_web_index },
    { "webFile", ims__api_web_file },
    { "login", ims__api_login },
    { "logout", ims__api_logout },
    { "imageThumbnail", ims__api_image_thumbnail },
    { "imageFull", ims__api_image_full },
    { "imageThumbnailsBatch", ims__api_image_thumbnails_batch },
    { "imageThumbnailGenerate", ims__api_image_thumbnail_generate },
    { "assetsList", ims__api_assets_list },
    { "assetsIngest", ims__api_assets_ingest },
    { "assetGet", ims__api_asset_get },
    { "assetHistory", ims__api_asset_history },
    { "search", ims__api_search },
    { "searchImage", ims__api_search_image },
    { "searchSimilar", ims__api_search_similar },
    { "searchHybrid", ims__api_search_hybrid },
    { "searchCompose", ims__api_search_compose },
    { "categoriesList", ims__api_categories_list },
    { "categoryCreate", ims__api_category_create },
    { "categoryGet", ims__api_category_get },
    { "categoryUpdate", ims__api_category_update },
    { "categoryDelete", ims__api_category_delete },
    { "sessionsList", ims__api_sessions_list },
    { "sessionCreate", ims__api_session_create },
    { "sessionGet", ims__api_session_get },
    { "sessionUpdate", ims__api_session_update },
    { "sessionDelete", ims__api_session_delete },
    { "sessionStart", ims__api_session_start },
    { "sessionPause", ims__api_session_pause },
    { "sessionCancel", ims__api_session_cancel },
    { "sessionRestart", ims__api_session_restart },
    { "sessionProgress", ims__api_session_progress },
    { "queuesList", ims__api_queues_list },
    { "queueGet", ims__api_queue_get },
    { "jobGet", ims__api_job_get },
    { "workersList", ims__api_workers_list },
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
