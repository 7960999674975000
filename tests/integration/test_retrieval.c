/* The demo model through imgsearch itself, on scenes of a seed that training never saw: full captions,
 * short queries, and shuffled captions, which must fail.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/json.h"
#include "base/text.h"
#include "engine/engine_parts.h"
#include "vectors/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HITS 10
#define MAX_MISSED 8 /* of 3,000, at a stated probability of 1 in 1,000 for each */
#define EVAL_DIR "models/demo/clip/eval"
#define MIN_SCENES 300
#define MIN_TOP_1 0.80
#define MIN_TOP_5 0.95
#define MIN_PRECISION_5 0.80
#define MAX_SHUFFLED_TOP_5 0.10

/* The evaluation set, indexed once for all tests of this program. */
static struct {
    struct ims_engine *engine;
    ims_json *truth;
    const ims_json *scenes;
    size_t n;
} eval;

static void open_eval(void)
{
    char root[1100], dir[1100], data[1100];
    const char *roots[] = { root }, *dirs[] = { dir };
    struct ims_engine_options options = { .data_dir = data, .model_roots = roots, .n_model_roots = 1 };
    struct ims_index_options index = { .dirs = dirs, .n_dirs = 1, .no_thumbnails = true };
    struct ims_index_summary summary;
    char *text;
    size_t n;
    ims_err err;

    if (eval.engine)
        return;
    snprintf(root, sizeof(root), "%s", test_source_path("models/demo"));
    snprintf(dir, sizeof(dir), "%s", test_source_path(EVAL_DIR));
    snprintf(data, sizeof(data), "%s", test_tmp_dir());
    text = test_read_file(test_source_path(EVAL_DIR "/truth.json"), &n);
    CHECK_OK(ims__json_parse(&eval.truth, text, n, "truth.json", &err), err);
    free(text);
    eval.scenes = ims__json_get(eval.truth, "scenes");
    eval.n = ims__json_len(eval.scenes);
    CHECK(eval.n >= MIN_SCENES);
    CHECK_OK(ims_engine_open(&eval.engine, &options, &err), err);
    CHECK_OK(ims_engine_index(eval.engine, &index, &summary, &err), err);
    CHECK_INT(summary.processed, eval.n);
    test_note("indexed %zu scenes in %.1f s (%.0f/s) on %s", eval.n, summary.elapsed_s, summary.throughput, summary.device);
}

/* A figure of a baseline, as tools/train_demo_clip/evaluate.py measured it on the same set. */
static double baseline(const char *row, const char *figure)
{
    size_t n;
    char *text = test_read_file(test_source_path(EVAL_DIR "/bars.json"), &n);
    ims_json *bars = NULL;
    double v = 2; /* nothing beats that, so a missing figure fails the test */
    ims_err err;

    if (ims__json_parse(&bars, text, n, "bars.json", &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    v = ims__json_num(ims__json_get(ims__json_get(bars, row), figure), v);
    ims__json_free(bars);
    free(text);
    return v;
}

static const char *scene_text(size_t i, const char *key)
{
    return ims__json_str(ims__json_get(ims__json_at(eval.scenes, i % eval.n), key), NULL);
}

/* The place of a scene's file in the answer to a text, from 0; limit when it is not among the first. */
static size_t rank_of(const char *text, const char *file, size_t limit)
{
    struct ims_search_query q = { .text = text, .limit = limit };
    struct ims_search_results r;
    size_t at = 0;
    ims_err err;

    if (ims_engine_search(eval.engine, &q, &r, &err)) {
        test_fail(__FILE__, __LINE__, "search failed: %s", err.text);
        return limit;
    }
    while (at < r.n && !ims__ends_with(r.hits[at].asset.path, file))
        at++;
    ims_search_results_release(&r);
    return at < limit ? at : limit;
}

static void rank_captions(size_t shift, double *top_1, double *top_5)
{
    size_t first = 0, among_5 = 0;

    for (size_t i = 0; i < eval.n; i++) {
        size_t at = rank_of(scene_text(i + shift, "caption"), scene_text(i, "file"), 5);

        first += at == 0;
        among_5 += at < 5;
    }
    *top_1 = (double)first / (double)eval.n;
    *top_5 = (double)among_5 / (double)eval.n;
}

TEST(captions, "full captions find their scene: top-1 >= 0.8, top-5 >= 0.95 over 300 unseen scenes")
{
    double top_1, top_5;

    open_eval();
    rank_captions(0, &top_1, &top_5);
    test_note("captions: top-1 %.3f, top-5 %.3f", top_1, top_5);
    test_note("  chance: top-1 %.3f, top-5 %.3f", 1.0 / (double)eval.n, 5.0 / (double)eval.n);
    test_note("  colour histogram: top-1 %.3f, top-5 %.3f", baseline("colour histogram", "top_1"),
              baseline("colour histogram", "top_5"));
    CHECK(top_1 > baseline("colour histogram", "top_1"));
    CHECK(top_5 > baseline("colour histogram", "top_5"));
    CHECK(top_1 >= MIN_TOP_1);
    CHECK(top_5 >= MIN_TOP_5);
}

TEST(shuffled, "shuffled captions fail the same test")
{
    double top_1, top_5;

    open_eval();
    rank_captions(eval.n / 2 + 1, &top_1, &top_5);
    test_note("shuffled captions: top-1 %.3f, top-5 %.3f", top_1, top_5);
    CHECK(top_5 <= MAX_SHUFFLED_TOP_5);
}

static bool is_relevant(const ims_json *relevant, const char *path)
{
    for (size_t i = 0; i < ims__json_len(relevant); i++) {
        if (ims__ends_with(path, ims__json_str(ims__json_at(relevant, i), NULL)))
            return true;
    }
    return false;
}

TEST(short_queries, "short queries such as \"a red car\" have precision@5 >= 0.8 by truth")
{
    const ims_json *queries;
    double hits = 0, chance = 0, n = 0;

    open_eval();
    queries = ims__json_get(eval.truth, "queries");
    for (size_t i = 0; i < ims__json_len(queries); i++) {
        const ims_json *q = ims__json_at(queries, i), *relevant = ims__json_get(q, "relevant");
        struct ims_search_query query = { .text = ims__json_str(ims__json_get(q, "text"), NULL), .limit = 5 };
        struct ims_search_results r;
        ims_err err;

        CHECK(ims__json_len(relevant) >= 5);
        CHECK_OK(ims_engine_search(eval.engine, &query, &r, &err), err);
        CHECK_INT(r.n, 5);
        for (size_t k = 0; k < r.n; k++)
            hits += is_relevant(relevant, r.hits[k].asset.path);
        chance += (double)ims__json_len(relevant) / (double)eval.n;
        ims_search_results_release(&r);
        n++;
    }
    test_note("%.0f short queries: precision@5 %.3f (chance %.3f, colour histogram %.3f)", n, hits / (5 * n), chance / n,
              baseline("colour histogram", "precision_5"));
    CHECK(hits / (5 * n) > baseline("colour histogram", "precision_5"));
    CHECK(n >= 20);
    CHECK(hits / (5 * n) >= MIN_PRECISION_5);
}

/* Runs last: tests run in the order in which they stand. */
/* ---- the vectors in the index ---- */

static ims_status keep_vector(void *arg, int64_t id, const float *vector, int64_t seq, ims_err *err)
{
    (void)seq;
    return ims_vectors_add(arg, &id, vector, 1, err);
}

/* How many of the full scan's ten best of every query the codes found. */
static size_t count_found(struct ims_vectors *v, float *const *queries, size_t n, size_t *out_read)
{
    struct ims_vectors_info info;
    ims_err err;

    *out_read = 0;
    for (size_t i = 0; i < n; i++) {
        struct ims_vectors_hit hits[HITS];
        struct ims_vectors_query q = { .vector = queries[i], .k = HITS, .is_audited = true };
        struct ims_vectors_result r = { .hits = hits };

        if (!test_check_ok(__FILE__, __LINE__, "search", ims_vectors_search_many(v, &q, 1, &r, &err), &err))
            return 0;
        if (r.answer.plan != IMS_VECTORS_CODES)
            test_fail(__FILE__, __LINE__, "the query was not answered by codes");
        *out_read += r.answer.n_bytes;
    }
    ims_vectors_info(v, &info);
    return (size_t)info.audit.n_found;
}

TEST(codes, "one-bit codes of the demo model's vectors find what the full scan finds, by picture and by text")
{
    /* thresholds lowered so that a few hundred vectors are searched as a few hundred thousand are */
    static const struct ims_vectors_tuning tuning = { .first_centre_rows = 64, .bytes_rows = 1 };
    struct ims_vectors_options options = { .n_threads = 1, .tuning = &tuning };
    struct ims_store_vector_sink sink = { .on_vector = keep_vector };
    float **queries;
    int64_t seq;
    ims_err err;

    open_eval();
    queries = calloc(eval.n, sizeof(*queries));
    for (size_t i = 0; i < eval.n; i++)
        CHECK_OK(ims_engine_embed_text(eval.engine, scene_text(i, "caption"), &queries[i], &options.dim, &err), err);
    for (int is_image = 0; is_image < 2; is_image++) {
        struct ims_vectors *v = NULL;
        size_t n_found, n_read;

        CHECK_OK(ims_vectors_open(&v, "embedded", &options, &err), err);
        sink.arg = v;
        CHECK_OK(ims_store_vectors(ims__engine_store(eval.engine), 1, 0, &sink, &seq, &err), err);
        CHECK_INT(ims_vectors_count(v), eval.n);
        for (size_t i = 0; is_image && i < eval.n; i++)
            CHECK_OK(ims_store_asset_vector(ims__engine_store(eval.engine), (int64_t)i + 1, 1, queries[i], (int)options.dim, &err), err);
        n_found = count_found(v, queries, eval.n, &n_read);
        test_note("%s: recall@%d %.4f; bytes read of %.0f %% of the rows", is_image ? "pictures" : "texts", HITS,
                  (double)n_found / (double)(HITS * eval.n), 100.0 * (double)n_read / (double)(eval.n * eval.n));
        CHECK(n_found + MAX_MISSED >= HITS * eval.n);
        CHECK(n_read < eval.n * eval.n * 9 / 10); /* the codes do rule rows out */
        ims_vectors_close(v);
    }
    for (size_t i = 0; i < eval.n; i++)
        ims_engine_free(queries[i]);
    free(queries);
}

TEST(close_eval, "the engine closes clean after the searches")
{
    ims_engine_close(eval.engine);
    ims__json_free(eval.truth);
}

TEST_MAIN
