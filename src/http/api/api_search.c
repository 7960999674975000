/* Search by words, by picture, by both.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "http/api/api.h"
#include "http/api/api_filters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RRF_K 60.0 /* reciprocal rank fusion: Cormack, Clarke, Buettcher 2009 */

/* ---- replies ---- */

static ims_json *results_json(const struct ims_search_results *r)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < r->n; i++) {
        ims_json *one = ims__json_new_object();

        one = ims__whole(one, ims__put(one, "asset", ims__api_asset(&r->hits[i].asset)) &&
                                  ims__put_num(one, "score", (double)r->hits[i].score) &&
                                  ims__put(one, "highlights", ims__json_new_array()));
        is_good = one && ims__json_add(list, one) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

/* text: the words that were searched for; NULL = none were. query: what the reply calls it. */
static ims_status reply_results(struct ims_http_context *cx, struct ims_http_reply *rp, const char *text,
                                const char *query, const struct ims_search_results *r, ims_err *err)
{
    struct ims_model_facts model;
    bool is_cut = false;
    struct ims_device_used device;
    ims_json *o = ims__json_new_object();
    ims_status st = ims_engine_model(cx->engine, &model, err);

    if (st) {
        ims__json_free(o);
        return st;
    }
    ims_engine_device_used(cx->engine, &device);
    if (text && ims_engine_text_is_cut(cx->engine, text, &is_cut, NULL))
        is_cut = false;
    return ims__reply_json(rp, 200,
                           ims__whole(o, (!is_cut || ims__put_bool(o, "queryIsCut", true)) &&
                                             ims__put(o, "results", results_json(r)) &&
                                             ims__put_int(o, "total", (int64_t)r->total) &&
                                             ims__put_str(o, "query", query) && ims__put_str(o, "model", model.name) &&
                                             ims__put_str(o, "device", device.device)),
                           err);
}

/* Failures of search have codes that clients know. */
static ims_status fail_coded(const struct ims_http_request *rq, struct ims_http_reply *rp, ims_status st, ims_err *err)
{
    int status = ims_status_http(st);

    if (st == IMS_E_INVALID || st == IMS_E_LIMIT)
        return ims__reply_coded_error(rp, 400, "invalid_request", err->text);
    if (st == IMS_E_FORMAT || st == IMS_E_TRUNCATED || st == IMS_E_UNSUPPORTED || st == IMS_E_DIMENSION)
        return ims__reply_coded_error(rp, 400, "embedding_error", err->text);
    if (st == IMS_E_NOT_FOUND)
        return ims__reply_coded_error(rp, 404, "not_found", err->text);
    if (status == 503) {
        rp->retry_after_s = ims_status_is_retryable(st) ? 2 : 0;
        ims__log_err(IMS_LOG_ERROR, err, "%s search", rq->id);
        return ims__reply_coded_error(rp, 503, "service_unavailable", ims_status_text(st));
    }
    return st;
}

static ims_status search_and_reply(struct ims_http_context *cx, const struct ims_http_request *rq, const ims_json *in,
                                   const struct ims_search_query *base, const ims_json *given, const char *shown,
                                   struct ims_http_reply *rp, ims_err *err)
{
    struct ims_search_query q = *base;
    struct ims_search_results r = { 0 };
    struct ims_api_filters f;
    ims_status st = ims__api_filters_read(cx, given, ims__in_int(in, "categoryId", ims__in_int(in, "category_id", -1)), &f, err);

    q.filter = f.filter;
    q.limit = (size_t)ims__in_int(in, "limit", 50);
    q.offset = (size_t)ims__in_int(in, "offset", 0);
    if (!st)
        st = ims_engine_search(cx->engine, &q, &r, err);
    if (!st)
        st = reply_results(cx, rp, q.text, shown, &r, err);
    ims_search_results_release(&r);
    return st ? fail_coded(rq, rp, st, err) : IMS_OK;
}

IMS_API_HANDLER(ims__api_search)
{
    const char *text = ims__in_str(rq->body, "query", "");
    struct ims_search_query q = { .text = *text ? text : NULL }; /* without words, filters alone decide */

    return search_and_reply(cx, rq, rq->body, &q, ims__json_get(rq->body, "filters"), text, rp, err);
}

IMS_API_HANDLER(ims__api_search_similar)
{
    int64_t id = ims__in_int(rq->path, "asset_id", 0);
    struct ims_search_query q = { .asset_id = id, .exclude_self = ims__in_bool(rq->query, "exclude_self", true) };
    char shown[64];

    snprintf(shown, sizeof(shown), "<similar to asset %lld>", (long long)id);
    if (!id)
        return ims__reply_coded_error(rp, 404, "not_found", "there is no asset 0");
    return search_and_reply(cx, rq, rq->query, &q, rq->query, shown, rp, err);
}

/* ---- with a picture ---- */

/* The picture of a form to its vector; ims_engine_free. A reply is ready when *out stays NULL with IMS_OK. */
static ims_status picture_vector(struct ims_http_context *cx, const struct ims_http_request *rq,
                                 struct ims_http_reply *rp, float **out, uint32_t *out_dim, ims_err *err)
{
    const struct ims_http_file *file = rq->n_files ? &rq->files[0] : NULL;
    ims_status st;

    if (!file || !file->n_bytes)
        return ims__reply_coded_error(rp, 400, "invalid_file_type", "file must be a picture");
    if (strncmp(file->content_type, "image/", 6) != 0)
        return ims__reply_coded_error(rp, 400, "invalid_file_type", "the content type of file is not image/*");
    st = ims_engine_embed_picture(cx->engine, file->data, file->n_bytes, file->name, out, out_dim, err);
    return st ? fail_coded(rq, rp, st, err) : IMS_OK;
}

static const char *picture_name(const struct ims_http_request *rq)
{
    return rq->n_files && rq->files[0].name[0] ? rq->files[0].name : "picture";
}

IMS_API_HANDLER(ims__api_search_image)
{
    struct ims_search_query q = { 0 };
    float *vector = NULL;
    uint32_t dim;
    char shown[300];
    ims_status st = picture_vector(cx, rq, rp, &vector, &dim, err);

    if (st || !vector)
        return st;
    q.vector = vector;
    snprintf(shown, sizeof(shown), "<image: %.200s>", picture_name(rq));
    st = search_and_reply(cx, rq, rq->body, &q, rq->body, shown, rp, err);
    ims_engine_free(vector);
    return st;
}

/* (1 - alpha) * picture + alpha * words, both of length 1. */
static ims_status compose(struct ims_http_context *cx, const char *text, double alpha, float *vector, uint32_t dim,
                          ims_err *err)
{
    float *words = NULL;
    uint32_t n;
    ims_status st = ims_engine_embed_text(cx->engine, text, &words, &n, err);

    if (st)
        return st;
    for (uint32_t i = 0; i < dim; i++)
        vector[i] = (float)((1 - alpha) * (double)vector[i] + alpha * (double)words[i]);
    ims_engine_free(words);
    return IMS_OK;
}

IMS_API_HANDLER(ims__api_search_compose)
{
    const char *text = ims__in_str(rq->body, "modifierText", "");
    double alpha = ims__in_num(rq->body, "alpha", 0.3);
    struct ims_search_query q = { 0 };
    float *vector = NULL;
    uint32_t dim = 0;
    ims_status st = picture_vector(cx, rq, rp, &vector, &dim, err);

    if (st || !vector)
        return st;
    st = compose(cx, text, alpha, vector, dim, err);
    q.vector = vector;
    if (!st)
        st = search_and_reply(cx, rq, rq->body, &q, rq->body, "", rp, err);
    else
        st = fail_coded(rq, rp, st, err);
    ims_engine_free(vector);
    if (!st && rp->status == 200 && rp->json) { /* the members of this operation instead of the query's */
        ims_json *o = ims__json_new_object();

        o = ims__whole(o, ims__put(o, "results", ims__json_dup(ims__json_get(rp->json, "results"))) &&
                              ims__put(o, "total", ims__json_dup(ims__json_get(rp->json, "total"))) &&
                              ims__put_str(o, "referenceImage", picture_name(rq)) &&
                              ims__put_str(o, "modifierText", text) && ims__put_num(o, "alpha", alpha));
        st = ims__reply_json(rp, 200, o, err);
    }
    return st;
}

/* ---- fusion ---- */

struct fused {
    const struct ims_asset *asset;
    double score, text_score, image_score; /* scores NAN = not in that list */
};

static int by_asset(const void *a, const void *b)
{
    int64_t x = ((const struct fused *)a)->asset->id, y = ((const struct fused *)b)->asset->id;

    return (x > y) - (x < y);
}

static int by_score(const void *a, const void *b)
{
    double x = ((const struct fused *)a)->score, y = ((const struct fused *)b)->score;

    return x != y ? (x < y) - (x > y) : by_asset(a, b);
}

/* Ranks of both lists, each asset once: score = sum of weight / (60 + rank). Room for both in out. */
static size_t fuse(const struct ims_search_results *text, const struct ims_search_results *image, double text_weight,
                   struct fused *out)
{
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < text->n; i++)
        out[n++] = (struct fused){ &text->hits[i].asset, text_weight / (RRF_K + (double)i + 1),
                                   (double)text->hits[i].score, NAN };
    for (size_t i = 0; i < image->n; i++)
        out[n++] = (struct fused){ &image->hits[i].asset, (1 - text_weight) / (RRF_K + (double)i + 1), NAN,
                                   (double)image->hits[i].score };
    qsort(out, n, sizeof(*out), by_asset);
    for (size_t i = 0; i < n; i++) {
        if (kept && out[kept - 1].asset->id == out[i].asset->id) {
            struct fused *f = &out[kept - 1];

            f->score += out[i].score;
            f->text_score = isnan(f->text_score) ? out[i].text_score : f->text_score;
            f->image_score = isnan(f->image_score) ? out[i].image_score : f->image_score;
        } else
            out[kept++] = out[i];
    }
    qsort(out, kept, sizeof(*out), by_score);
    return kept;
}

static ims_json *fused_json(const struct fused *f, size_t rank)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put(o, "asset", ims__api_asset(f->asset)) && ims__put_num(o, "textScore", f->text_score) &&
                             ims__put_num(o, "imageScore", f->image_score) &&
                             ims__put_num(o, "combinedScore", f->score) && ims__put_int(o, "rank", (int64_t)rank));
}

static ims_status reply_fused(const struct ims_http_request *rq, struct ims_http_reply *rp, struct fused *fused, size_t n,
                              size_t total, ims_err *err)
{
    size_t first = (size_t)ims__in_int(rq->body, "offset", 0), limit = (size_t)ims__in_int(rq->body, "limit", 20);
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = first; is_good && i < n && i < first + limit; i++) {
        ims_json *one = fused_json(&fused[i], i + 1);

        is_good = one && ims__json_add(list, one) == IMS_OK;
    }
    list = ims__whole(list, is_good);
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put(o, "results", list) && ims__put_int(o, "total", (int64_t)total) &&
                                             ims__put_str(o, "textQuery", ims__in_str(rq->body, "textQuery", NULL)) &&
                                             ims__put_str(o, "imageFilename", rq->n_files ? picture_name(rq) : NULL)),
                           err);
}

/* As deep as the page that is asked for needs, from both lists: what stands below rank offset + limit in both cannot
 * reach that page's end unless it is in both, so twice as deep is looked at. */
static ims_status hybrid(struct ims_http_context *cx, const struct ims_http_request *rq, const char *text,
                         const float *vector, struct ims_http_reply *rp, ims_err *err)
{
    struct ims_search_results by_text = { 0 }, by_image = { 0 };
    struct ims_api_filters f;
    struct ims_search_query q = { .limit = 2 * (size_t)(ims__in_int(rq->body, "offset", 0) + ims__in_int(rq->body, "limit", 20)) };
    double weight = text && vector ? ims__in_num(rq->body, "textWeight", 0.5) : text ? 1 : 0;
    struct fused *fused = NULL;
    ims_status st = ims__api_filters_read(cx, rq->body, ims__in_int(rq->body, "categoryId", -1), &f, err);

    q.limit = q.limit > 10000 ? 10000 : q.limit;
    q.filter = f.filter;
    q.text = text;
    if (!st && text)
        st = ims_engine_search(cx->engine, &q, &by_text, err);
    q.text = NULL;
    q.vector = vector;
    if (!st && vector)
        st = ims_engine_search(cx->engine, &q, &by_image, err);
    fused = st ? NULL : ims__alloc(by_text.n + by_image.n + 1, sizeof(*fused));
    if (!st && !fused)
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "fusing two lists");
    if (!st) {
        size_t n = fuse(&by_text, &by_image, weight, fused);

        if (!text || !vector) /* one list: its own score says more than its rank */
            for (size_t i = 0; i < n; i++)
                fused[i].score = text ? fused[i].text_score : fused[i].image_score;
        st = reply_fused(rq, rp, fused, n, text ? by_text.total : by_image.total, err);
    }
    ims__free(fused);
    ims_search_results_release(&by_text);
    ims_search_results_release(&by_image);
    return st ? fail_coded(rq, rp, st, err) : IMS_OK;
}

IMS_API_HANDLER(ims__api_search_hybrid)
{
    const char *text = ims__in_str(rq->body, "textQuery", "");
    float *vector = NULL;
    uint32_t dim;
    ims_status st = IMS_OK;

    text = *text ? text : NULL;
    if (!text && !rq->n_files)
        return ims__reply_coded_error(rp, 400, "missing_query", "give words, a picture, or both");
    if (rq->n_files) {
        st = picture_vector(cx, rq, rp, &vector, &dim, err);
        if (st || !vector)
            return st;
    }
    st = hybrid(cx, rq, text, vector, rp, err);
    ims_engine_free(vector);
    return st;
}
