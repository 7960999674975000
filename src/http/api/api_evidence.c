/* Evidence: how vectors came to be.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api.h"
#include "store/sessions.h"

#include <string.h>

static ims_json *metadata_of(const struct ims_store_evidence *e)
{
    ims_json *v = NULL;

    if (e->metadata_json && ims__json_parse(&v, e->metadata_json, strlen(e->metadata_json), "metadata", NULL) == IMS_OK &&
        ims__json_type(v) == IMS_JSON_OBJECT)
        return v;
    ims__json_free(v);
    return ims__json_new_null();
}

/* sessionId 0: no training session computed it, or that one was forgotten. */
ims_json *ims__api_evidence(const struct ims_store_evidence *e)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_int(o, "id", e->id) && ims__put_int(o, "assetId", e->asset_id) &&
                             ims__put_int(o, "sessionId", e->session_id) && ims__put_str(o, "modelName", e->model_name) &&
                             ims__put_str(o, "modelVersion", e->model_digest) &&
                             ims__put_str(o, "embeddingChecksum", e->checksum) && ims__put_str(o, "device", e->device) &&
                             ims__put_int(o, "processingTimeMs", (int64_t)(e->total_ms + 0.5)) &&
                             ims__put_str(o, "errorMessage", e->error) && ims__put(o, "metadataJson", metadata_of(e)) &&
                             ims__put_time(o, "createdAt", e->created_us));
}

/* An id that a client names is meant, whatever it is: 0 is nobody's. */
static int64_t id_in(const ims_json *query, const char *key)
{
    return ims__json_get(query, key) && ims__json_type(ims__json_get(query, key)) != IMS_JSON_NULL
               ? ims__in_int(query, key, -1) ? ims__in_int(query, key, -1) : -1
               : 0;
}

IMS_API_HANDLER(ims__api_evidence_list)
{
    const struct ims_store_evidence_filter filter = { .session_id = id_in(rq->query, "session_id"),
                                                      .asset_id = id_in(rq->query, "asset_id") };
    struct ims_page page = ims__api_page(rq);
    struct ims_store_evidence *found;
    struct ims_arena arena;
    size_t n = 0;
    int64_t total = 0;
    ims_json *items = ims__json_new_array();
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_list_evidence(cx->store, &filter, page.offset, page.size, &arena, &found, &n, &total, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!items || ims__json_add(items, ims__api_evidence(&found[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "evidence");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, ims__api_page_json(&page, items, total), err);
    ims__json_free(items);
    return st;
}

static ims_status reply_one(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_http_reply *rp,
                            bool with_path, ims_err *err)
{
    const struct ims_store_evidence_filter filter = { .id = ims__in_int(rq->path, "evidence_id", 0) };
    struct ims_store_evidence *found;
    struct ims_arena arena;
    ims_json *o;
    size_t n = 0;
    ims_status st = IMS_OK;

    ims__arena_init(&arena, 0);
    if (filter.id)
        st = ims_store_list_evidence(cx->store, &filter, 0, 1, &arena, &found, &n, NULL, err);
    if (!st && n == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no evidence %lld", (long long)filter.id);
    if (!st) {
        o = ims__api_evidence(found);
        if (with_path)
            o = ims__whole(o, ims__put_path(o, "assetPath", found->asset_path));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_evidence_get)
{
    return reply_one(cx, rq, rp, false, err);
}

IMS_API_HANDLER(ims__api_evidence_detail)
{
    return reply_one(cx, rq, rp, true, err);
}

IMS_API_HANDLER(ims__api_evidence_delete)
{
    rp->status = 204;
    return ims_store_delete_evidence(cx->store, ims__in_int(rq->path, "evidence_id", 0), err);
}

/* ---- of a session ---- */

static ims_json *words_json(const char *const *words, size_t n)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < n; i++)
        is_good = ims__json_add(list, ims__json_new_str(words[i])) == IMS_OK;
    return ims__whole(list, is_good);
}

IMS_API_HANDLER(ims__api_session_evidence_stats)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);
    struct ims_store_evidence_stats x;
    struct ims_store_session s;
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, id, &arena, &s, err);
    if (!st)
        st = ims_store_session_evidence_stats(cx->store, id, &arena, &x, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_int(o, "total", x.total) && ims__put_int(o, "successful", x.total - x.failed) &&
                                               ims__put_int(o, "failed", x.failed) &&
                                               ims__put_num(o, "avgProcessingTimeMs", x.mean_ms) &&
                                               ims__put_int(o, "minProcessingTimeMs", (int64_t)(x.min_ms + 0.5)) &&
                                               ims__put_int(o, "maxProcessingTimeMs", (int64_t)(x.max_ms + 0.5)) &&
                                               ims__put(o, "devicesUsed", words_json(x.devices, x.n_devices)) &&
                                               ims__put(o, "modelVersions", words_json(x.digests, x.n_digests))),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}
