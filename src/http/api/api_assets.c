/* Assets: lists, one, its evidence; indexing a folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/text.h"
#include "engine/engine_parts.h"
#include "engine/folders.h"
#include "http/api/api.h"
#include "http/api/api_files.h"
#include "http/api/api_filters.h"
#include "store/jobs.h"

#include <string.h>

#define MAX_EVIDENCE 1000

/* from_date and to_date: when the picture was entered, in lists. */
static ims_status read_span(const struct ims_http_request *rq, struct ims_store_filter *f, ims_err *err)
{
    const char *from = ims__in_str(rq->query, "from_date", NULL), *until = ims__in_str(rq->query, "to_date", NULL);
    int64_t unused;

    if ((from && !ims__parse_date(from, &f->created_from_us, &unused)) ||
        (until && !ims__parse_date(until, &unused, &f->created_until_us)))
        return ims_fail(err, IMS_E_INVALID, "http", 0, "from_date and to_date are dates such as 2024-05-17");
    f->has_created_from = from != NULL;
    f->has_created_until = until != NULL;
    return IMS_OK;
}

/* The filters of searches, without the spellings that mean something else here. */
static ims_status read_list_filter(struct ims_http_context *cx, const struct ims_http_request *rq,
                                   struct ims_api_filters *given, struct ims_store_filter *out, ims_err *err)
{
    static const char *const names[] = { "dateFrom", "dateTo", "folder", "personId", "area", "category_id" };
    ims_json *some = ims__json_new_object();
    bool is_good = some != NULL;
    ims_status st;

    for (size_t i = 0; is_good && i < IMS_ARRAY_LEN(names); i++) {
        const ims_json *v = ims__json_get(rq->query, names[i]);

        is_good = !v || ims__put(some, names[i], ims__json_dup(v));
    }
    st = is_good ? ims__api_filters_read(cx, some, -1, given, err) : ims_fail(err, IMS_E_NOMEM, "http", 0, "assets");
    given->filter.path_prefix = ims__in_str(rq->query, "folder", NULL); /* the copy goes */
    if (!st)
        *out = ims__api_filters_of_store(given);
    ims__json_free(some);
    if (!st)
        st = read_span(rq, out, err);
    out->is_indexed = ims__in_bool(rq->query, "indexed", false);
    out->newest_taken = strcmp(ims__in_str(rq->query, "sort", ""), "taken") == 0;
    return st;
}

IMS_API_HANDLER(ims__api_assets_list)
{
    struct ims_page page = ims__api_page(rq);
    struct ims_api_filters given;
    struct ims_store_filter filter = { 0 };
    struct ims_arena arena;
    struct ims_store_asset *found;
    size_t n = 0;
    int64_t total = 0;
    ims_json *items = ims__json_new_array();
    ims_status st = read_list_filter(cx, rq, &given, &filter, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_store_list_assets(cx->store, &filter, page.offset, page.size, &arena, &found, &n, &total, err);
    for (size_t i = 0; !st && i < n; i++) {
        struct ims_asset a;

        ims__asset_from_store(&a, &found[i]);
        if (!items || ims__json_add(items, ims__api_asset(&a)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "assets");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, ims__api_page_json(&page, items, total), err);
    ims__json_free(items);
    return st;
}

IMS_API_HANDLER(ims__api_asset_get)
{
    int64_t id = ims__in_int(rq->path, "asset_id", 0);
    struct ims_arena arena;
    struct ims_store_asset *found;
    struct ims_asset a;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_assets(cx->store, &id, 1, &arena, &found, &n, err);
    if (!st && n == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no asset %lld", (long long)id);
    if (!st) {
        ims__asset_from_store(&a, found);
        st = ims__reply_json(rp, 200, ims__api_asset(&a), err);
    }
    ims__arena_release(&arena);
    return st;
}

/* ---- evidence ---- */

IMS_API_HANDLER(ims__api_asset_history)
{
    struct ims_arena arena;
    struct ims_store_evidence *found;
    size_t n = 0;
    ims_json *list = ims__json_new_array();
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_asset_evidence(cx->store, ims__in_int(rq->path, "asset_id", 0), MAX_EVIDENCE, &arena, &found, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!list || ims__json_add(list, ims__api_evidence(&found[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "evidence");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, list, err);
    ims__json_free(list);
    return st;
}

/* ---- what failed ---- */

struct failures {
    ims_json *list;
    bool is_whole;
};

static void add_failure(void *arg, int64_t id, const char *path, const char *task, const char *reason, const char *detail)
{
    struct failures *f = arg;
    ims_json *o = ims__json_new_object();

    o = ims__whole(o, ims__put_int(o, "assetId", id) && ims__put_path(o, "path", path) && ims__put_str(o, "task", task) &&
                          ims__put_str(o, "reason", reason) && ims__put_str(o, "detail", detail));
    f->is_whole = f->is_whole && o && ims__json_add(f->list, o) == IMS_OK;
}

IMS_API_HANDLER(ims__api_asset_failures)
{
    struct failures f = { .list = ims__json_new_array() };
    ims_json *o = ims__json_new_object();
    ims_status st;

    f.is_whole = f.list != NULL;
    st = ims_engine_failures(cx->engine, (size_t)ims__in_int(rq->query, "limit", 100), add_failure, &f, err);
    if (!st && !f.is_whole)
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "failures");
    if (!st)
        return ims__reply_json(rp, 200, ims__whole(o, ims__put(o, "items", f.list)), err);
    ims__json_free(f.list);
    ims__json_free(o);
    return st;
}

/* ---- indexing ---- */

/* One job for a folder and a way of looking at it. */
ims_status ims__api_push_ingest(struct ims_http_context *cx, const char *real, const ims_json *body, ims_err *err)
{
    const ims_json *extensions = ims__json_get(body, "extensions");
    bool is_recursive = ims__in_bool(body, "recursive", true), is_plain = is_recursive && !ims__json_len(extensions);
    struct ims_store_job job = { .queue = "training-normal", .func = "ingest", .max_attempts = 10 };
    ims_json *args = ims__json_new_object();
    struct ims_buf text;
    char *key = NULL;
    int64_t id;
    ims_status st;

    ims__buf_init(&text, IMS_MIB);
    args = ims__whole(args, ims__put_str(args, "path", real) &&
                                (is_plain || (ims__put_bool(args, "recursive", is_recursive) &&
                                              (!extensions || ims__put(args, "extensions", ims__json_dup(extensions))))));
    st = args ? ims__json_write(args, 0, &text, err) : ims_fail(err, IMS_E_NOMEM, "http", 0, "a job");
    if (!st)
        key = is_plain ? ims__strfmt("ingest:%s", real) : ims__strfmt("ingest:%s", text.data);
    if (!st && !key)
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a job");
    job.args_json = text.data;
    job.key = key;
    if (!st)
        st = ims_store_push_job(cx->store, &job, &id, err);
    ims__buf_release(&text);
    ims__free(key);
    ims__json_free(args);
    return st == IMS_E_EXISTS ? IMS_OK : st; /* it is on its way already */
}

IMS_API_HANDLER(ims__api_assets_ingest)
{
    bool is_dry = ims__in_bool(rq->body, "dryRun", false);
    struct ims_folder_count count = { 0 };
    struct ims_index_options wanted = { 0 };
    struct ims_arena arena;
    char *real = NULL;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_folder(cx->store, ims__in_str(rq->body, "rootPath", ""), &real, err);
    wanted.dirs = (const char *const *)&real;
    wanted.n_dirs = 1;
    if (!st)
        st = ims__index_config(rq->body, &arena, &wanted, err);
    if (!st)
        st = ims_engine_count_folder(cx->engine, real, &wanted, &count, err);
    if (!st && !is_dry)
        st = ims__api_push_ingest(cx, real, rq->body, err);
    ims__free(real);
    ims__arena_release(&arena);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_int(o, "discovered", (int64_t)count.pictures) &&
                                             ims__put_int(o, "enqueued", (int64_t)(is_dry ? 0 : count.pictures - count.known)) &&
                                             ims__put_int(o, "skipped", (int64_t)count.known)),
                           err);
}
