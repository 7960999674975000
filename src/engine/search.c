/* Searching: a query becomes a vector, filters become a list of contents, the index ranks, and what it
 * found is expanded to the files that have that content.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "engine/engine_internal.h"
#include "store/persons.h"

static double ms_since(uint64_t start_ns)
{
    return (double)(ims__mono_ns() - start_ns) / 1e6;
}

static ims_status query_vector(struct ims_engine *e, const struct ims_search_query *q, float **out,
                               ims_err *err)
{
    uint32_t dim = ims_clip_info(e->clip)->dim;
    float *vector;
    ims_status st;

    if (q->text)
        return ims_engine_embed_text(e, q->text, out, &dim, err);
    if (q->image_path)
        return ims_engine_embed_image(e, q->image_path, out, &dim, err);
    vector = q->vector ? ims__memdup(q->vector, dim * sizeof(float)) : ims__alloc(dim, sizeof(float));
    if (!vector)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "searching");
    if (q->vector) {
        *out = vector;
        return IMS_OK;
    }
    st = e->model_id ? ims_store_asset_vector(e->store, q->asset_id, e->model_id, vector, (int)dim, err)
                     : IMS_E_NOT_FOUND;
    if (st == IMS_E_NOT_FOUND)
        st = ims_fail(err, st, "engine", 0, "picture %lld is not in the library, or not indexed with the model %s",
                      (long long)q->asset_id, ims_clip_info(e->clip)->name);
    if (st)
        ims__free(vector);
    else
        *out = vector;
    return st;
}

/* ---- candidates and hits ---- */

static ims_status find_persons(struct ims_engine *e, const struct ims_search_filter *f, int64_t *out, ims_err *err)
{
    ims_status st = IMS_OK;

    if (f->n_persons + f->n_person_ids > IMS_STORE_MAX_FILTER_PERSONS)
        return ims_fail(err, IMS_E_LIMIT, "engine", 0, "a search names at most %d persons",
                        IMS_STORE_MAX_FILTER_PERSONS);
    for (size_t i = 0; !st && i < f->n_persons; i++) {
        st = ims_store_find_person(e->store, f->persons[i], &out[i], err);
        if (!st && !out[i])
            st = ims_fail(err, IMS_E_NOT_FOUND, "engine", 0,
                          "there is no person named %.100s; `imgsearch people list` shows who there is",
                          f->persons[i]);
    }
    for (size_t i = 0; !st && i < f->n_person_ids; i++)
        out[f->n_persons + i] = f->person_ids[i];
    return st;
}

/* persons: room for the ids, which the filter then points to. */
static ims_status store_filter(struct ims_engine *e, const struct ims_search_query *q, int64_t *persons,
                               struct ims_store_filter *out, ims_err *err)
{
    struct ims_store_filter filter = { .path_prefix = q->filter.path_prefix,
                                       .has_taken_from = q->filter.has_from,
                                       .has_taken_until = q->filter.has_until,
                                       .taken_from_us = q->filter.from_us,
                                       .taken_until_us = q->filter.until_us,
                                       .has_area = q->filter.has_area,
                                       .west = q->filter.west,
                                       .south = q->filter.south,
                                       .east = q->filter.east,
                                       .north = q->filter.north };
    ims_status st = find_persons(e, &q->filter, persons, err);

    filter.person_ids = persons;
    filter.n_person_ids = q->filter.n_persons + q->filter.n_person_ids;
    if (!st && q->filter.category)
        st = ims_store_find_category(e->store, q->filter.category, &filter.category_id, err);
    if (!st)
        *out = filter;
    return st;
}

static ims_status find_candidates(struct ims_engine *e, const struct ims_search_query *q,
                                  const struct ims_candidates **out, ims_err *err)
{
    int64_t persons[IMS_STORE_MAX_FILTER_PERSONS];
    struct ims_store_filter filter;
    ims_status st = store_filter(e, q, persons, &filter, err);

    if (!st)
        st = ims__candidates_get(&e->candidates, e->store, e->model_id, &filter, out, err);
    return st;
}

struct ranked {
    int64_t asset_id;
    float score;
};

/* Expands contents to assets, in the order of score, content, asset. That order is total and the same
 * for every window, so pages cut from windows of different length agree. hits hold the best contents of
 * a window and one more, and each has at least one asset, so the first assets of the window are among them
 * even without the excluded one. */
static size_t expand(const struct ims_candidates *c, int64_t excluded_asset, const struct ims_vectors_hit *hits,
                     size_t n_hits, struct ranked *out)
{
    size_t n = 0;

    for (size_t i = 0; i < n_hits; i++) {
        for (size_t p = ims__candidates_find(c, hits[i].id); p < c->n && c->pairs[p].content_id == hits[i].id; p++) {
            if (c->pairs[p].asset_id == excluded_asset)
                continue;
            out[n++] = (struct ranked){ .asset_id = c->pairs[p].asset_id, .score = hits[i].score };
        }
    }
    return n;
}

/* Is one of the hits no candidate? */
static bool has_stranger(const struct ims_candidates *c, const struct ims_vectors_hit *hits, size_t n_hits)
{
    for (size_t i = 0; i < n_hits; i++) {
        size_t p = ims__candidates_find(c, hits[i].id);

        if (p == c->n || c->pairs[p].content_id != hits[i].id)
            return true;
    }
    return false;
}

static void tell(const struct ims_vectors_answer *a, bool is_of_library, struct ims_search_answer *out)
{
    *out = (struct ims_search_answer){ .plan = is_of_library ? "library" : ims_vectors_plan_name(a->plan),
                                       .scanned = a->n_coded ? a->n_coded : a->n_bytes + a->n_floats,
                                       .reranked = a->n_reranked,
                                       .miss = a->miss };
}

/* The best contents of a window. An index that is not ready is not waited for. */
static ims_status find_hits(struct ims_engine *e, struct ims_vectors_query *q, const struct ims_candidates *c,
                            struct ims_vectors_result *out, struct ims_search_answer *answer, ims_err *err)
{
    size_t n = e->vectors ? ims_vectors_count(e->vectors) : 0;
    ims_status st;

    if (n != c->n_contents)
        q->filter = c->filter; /* else everything is allowed: the plain scan is faster */
    if (!n) {
        st = ims__index_scan_library(e, q, out, err);
    } else {
        st = ims_vectors_search_many(e->vectors, q, 1, out, err);
        if (!st && !q->filter && has_stranger(c, out->hits, out->n)) { /* as many, but not the same: a purge came between */
            q->filter = c->filter;
            st = ims_vectors_search_many(e->vectors, q, 1, out, err);
        }
    }
    if (!st)
        tell(&out->answer, !n, answer);
    return st;
}

static ims_status rank(struct ims_engine *e, const struct ims_search_query *q, const float *vector,
                       const struct ims_candidates *c, int64_t excluded_asset, struct ims_search_answer *answer,
                       struct ranked **out, size_t *out_n, ims_err *err)
{
    size_t window = q->offset + q->limit + (excluded_asset != 0);
    struct ims_vectors_query vq = { .vector = vector, .is_exact = q->is_exact || e->options.is_exact };
    struct ims_vectors_result found = { .n = 0 };
    struct ranked *ranked = NULL;
    ims_status st = IMS_OK;

    vq.k = window < c->n_contents ? window : c->n_contents;
    vq.k = vq.k < IMS_MAX_SEARCH_WINDOW ? vq.k : IMS_MAX_SEARCH_WINDOW;
    found.hits = ims__alloc(vq.k, sizeof(*found.hits));
    ranked = ims__alloc(c->n, sizeof(*ranked));
    if (!found.hits || !ranked)
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for %zu candidates", c->n);
    if (!st && vq.k)
        st = find_hits(e, &vq, c, &found, answer, err);
    if (!st) {
        *out_n = expand(c, excluded_asset, found.hits, found.n, ranked);
        *out = ranked;
        ranked = NULL;
    }
    ims__free(found.hits);
    ims__free(ranked);
    return st;
}

static bool has_asset(const struct ims_candidates *c, int64_t asset_id)
{
    for (size_t i = 0; asset_id && i < c->n; i++) {
        if (c->pairs[i].asset_id == asset_id)
            return true;
    }
    return false;
}

/* ---- results ---- */

void ims__asset_from_store(struct ims_asset *out, const struct ims_store_asset *in)
{
    *out = (struct ims_asset){
        .id = in->id,
        .path = in->path,
        .mime = in->media.mime,
        .width = in->media.width,
        .height = in->media.height,
        .size_bytes = in->size_bytes,
        .mtime_us = in->mtime_us,
        .created_us = in->created_us,
        .indexed_us = in->indexed_us,
        .has_taken_at = in->media.has_taken_at,
        .taken_at_us = in->media.taken_at_us,
        .has_gps = in->media.has_gps,
        .gps_lat = in->media.gps_lat,
        .gps_lng = in->media.gps_lng,
        .camera_make = in->media.camera_make,
        .camera_model = in->media.camera_model,
        .category_id = in->category_id,
        .is_deleted = in->deleted_us != 0,
        .exif_json = in->media.exif_json,
        .note = in->media.note,
    };
    if (in->has_sha256)
        ims__hex(in->sha256, IMS_SHA256_BYTES, out->sha256);
    if (in->media.has_phash)
        ims_media_dhash_hex(in->media.phash, out->phash);
}

struct memory {
    struct ims_arena arena;
};

static ims_status fill_results(struct ims_engine *e, const struct ims_search_query *q,
                               const struct ranked *ranked, size_t n_ranked,
                               struct ims_search_results *r, ims_err *err)
{
    size_t first = q->offset < n_ranked ? q->offset : n_ranked;
    size_t n = n_ranked - first < q->limit ? n_ranked - first : q->limit;
    struct memory *memory = r->memory;
    struct ims_store_asset *assets = NULL;
    int64_t *ids = ims__arena_alloc(&memory->arena, n + 1, sizeof(*ids));
    size_t n_assets = 0, next = 0;
    ims_status st;

    r->hits = ims__arena_alloc(&memory->arena, n + 1, sizeof(*r->hits));
    if (!ids || !r->hits)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for %zu results", n);
    for (size_t i = 0; i < n; i++)
        ids[i] = ranked[first + i].asset_id;
    st = ims_store_assets(e->store, ids, n, &memory->arena, &assets, &n_assets, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++) { /* what was purged since is left out */
        if (next < n_assets && assets[next].id == ids[i]) {
            r->hits[r->n].score = ranked[first + i].score;
            ims__asset_from_store(&r->hits[r->n++].asset, &assets[next++]);
        }
    }
    return IMS_OK;
}

/* The asset that is the query itself; 0 when it is none or is wanted. */
static ims_status find_self(struct ims_engine *e, const struct ims_search_query *q, int64_t *out, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_asset *asset;
    char *real = NULL;
    ims_status st;

    *out = 0;
    if (!q->exclude_self || q->text || q->vector)
        return IMS_OK;
    if (q->asset_id) {
        *out = q->asset_id;
        return IMS_OK;
    }
    st = ims__real_path(q->image_path, &real, err);
    if (st)
        return st;
    ims__arena_init(&arena, 0);
    st = ims_store_asset_by_path(e->store, real, &arena, &asset, err);
    if (!st)
        *out = asset->id;
    ims__free(real);
    ims__arena_release(&arena);
    return st == IMS_E_NOT_FOUND ? IMS_OK : st;
}

static int n_questions(const struct ims_search_query *q)
{
    return (q->text != NULL) + (q->image_path != NULL) + (q->asset_id != 0) + (q->vector != NULL);
}

static bool has_filter(const struct ims_search_filter *f)
{
    return f->path_prefix || f->has_from || f->has_until || f->category || f->n_persons || f->n_person_ids ||
           f->has_area;
}

static ims_status check_query(const struct ims_search_query *q, ims_err *err)
{
    if (n_questions(q) > 1 || (n_questions(q) == 0 && !has_filter(&q->filter)))
        return ims_fail(err, IMS_E_INVALID, "engine", 0,
                        "a search needs words, a picture or an asset, and only one of them, or else a filter");
    if (q->limit == 0 || q->limit > IMS_MAX_SEARCH_LIMIT)
        return ims_fail(err, IMS_E_LIMIT, "engine", 0, "limit is %zu; 1 to %d are possible", q->limit,
                        IMS_MAX_SEARCH_LIMIT);
    if (q->offset > IMS_MAX_SEARCH_WINDOW - q->limit)
        return ims_fail(err, IMS_E_LIMIT, "engine", 0, "offset %zu is beyond %zu", q->offset,
                        IMS_MAX_SEARCH_WINDOW - q->limit);
    return IMS_OK;
}

/* Nothing to rank may mean that another model filled this library: counted only then, as it takes a while. */
static ims_status count_queued(struct ims_engine *e, size_t *out, ims_err *err)
{
    struct ims_store_counts counts;
    ims_status st = ims_store_count(e->store, IMS_TASK_CLIP, e->model_id, &counts, err);

    if (!st)
        *out = (size_t)counts.queued;
    return st;
}

static ims_status run_search(struct ims_engine *e, const struct ims_search_query *q,
                             struct ims_search_results *r, ims_err *err)
{
    const struct ims_candidates none = { 0 }, *c = &none;
    struct ranked *ranked = NULL;
    float *vector = NULL;
    size_t n_ranked = 0;
    int64_t self;
    uint64_t start = ims__mono_ns();
    ims_status st;

    st = find_self(e, q, &self, err);
    if (!st)
        st = query_vector(e, q, &vector, err);
    r->embed_ms = ms_since(start);
    start = ims__mono_ns();
    if (!st && e->model_id)
        st = ims__engine_catch_up(e, err);
    r->load_ms = ms_since(start);
    start = ims__mono_ns();
    if (!st && e->model_id)
        st = find_candidates(e, q, &c, err);
    if (!st && e->model_id)
        st = rank(e, q, vector, c, self, &r->answer, &ranked, &n_ranked, err);
    if (!st)
        st = fill_results(e, q, ranked, n_ranked, r, err);
    if (!st && c->n == 0)
        st = count_queued(e, &r->n_queued, err);
    r->total = c->n - has_asset(c, self);
    r->scan_ms = ms_since(start);
    ims__free(vector);
    ims__free(ranked);
    return st;
}

/* Nothing to rank by: what passes the filter, newest first. No model is asked. */
static ims_status list(struct ims_engine *e, const struct ims_search_query *q, struct ims_search_results *r, ims_err *err)
{
    struct memory *memory = r->memory;
    int64_t persons[IMS_STORE_MAX_FILTER_PERSONS], total = 0;
    struct ims_store_filter filter;
    struct ims_store_asset *assets = NULL;
    size_t n = 0;
    uint64_t start = ims__mono_ns();
    ims_status st = store_filter(e, q, persons, &filter, err);

    if (st)
        return st;
    filter.newest_taken = true;
    st = ims_store_list_assets(e->store, &filter, (int64_t)q->offset, (int64_t)q->limit, &memory->arena, &assets, &n,
                               &total, err);
    if (st)
        return st;
    r->hits = ims__arena_alloc(&memory->arena, n + 1, sizeof(*r->hits));
    if (!r->hits)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for %zu results", n);
    for (r->n = 0; r->n < n; r->n++) {
        r->hits[r->n].score = 0;
        ims__asset_from_store(&r->hits[r->n].asset, &assets[r->n]);
    }
    r->total = (size_t)total;
    r->answer.plan = "filter";
    r->scan_ms = ms_since(start);
    return IMS_OK;
}

ims_status ims_engine_search(struct ims_engine *e, const struct ims_search_query *query,
                             struct ims_search_results *out, ims_err *err)
{
    struct ims_search_results r = { 0 };
    struct memory *memory;
    uint64_t start = ims__mono_ns();
    ims_status st = check_query(query, err);

    if (st)
        return st;
    memory = ims__zalloc(1, sizeof(*memory));
    if (!memory)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "searching");
    ims__arena_init(&memory->arena, 0);
    r.memory = memory;
    if (n_questions(query) == 0)
        st = list(e, query, &r, err);
    else
        st = ims__engine_need_model_id(e, false, err);
    if (!st && n_questions(query))
        st = run_search(e, query, &r, err);
    r.total_ms = ms_since(start);
    if (st)
        ims_search_results_release(&r);
    else
        *out = r;
    return st;
}

void ims_search_results_release(struct ims_search_results *r)
{
    struct memory *memory = r->memory;

    if (memory)
        ims__arena_release(&memory->arena);
    ims__free(memory);
    *r = (struct ims_search_results){ 0 };
}
