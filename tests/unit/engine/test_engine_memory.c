/* Memory that runs out at every point of a search and of a small index: an error each time, never a crash,
 * a leak (the sanitizer builds look for those) or a library that does not add up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/fs.h"
#include "base/mem.h"
#include "ims/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const pictures[] = { "tests/golden/media/files/o5.avif", "tests/golden/media/files/cmyk.jpg",
                                        "tests/golden/media/files/plain.heic", "tests/golden/media/files/la.png" };

static void put(const char *dir, const char *name, const char *source)
{
    char path[1200];
    size_t n;
    char *data = test_read_file(test_source_path(source), &n);
    ims_err err;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    CHECK_OK(ims__write_derived(path, data, n, &err), err);
    free(data);
}

static void fill(const char *dir)
{
    char name[40];

    for (size_t i = 0; i < IMS_ARRAY_LEN(pictures); i++) {
        snprintf(name, sizeof(name), "%zu/%s", i % 2, strrchr(pictures[i], '/') + 1);
        put(dir, name, pictures[i]);
    }
    put(dir, "copy.jpg", pictures[1]);
    put(dir, "bad.jpg", "README.md");
}

static ims_status open_engine(struct ims_engine **out, const char *data, ims_err *err)
{
    static char model[1200];
    struct ims_engine_options options = { .data_dir = data, .model = model, .force_cpu = "true", .n_threads = 2 };

    snprintf(model, sizeof(model), "%s", test_source_path("models/demo/clip"));
    return ims_engine_open(out, &options, err);
}

static ims_status index_dir(struct ims_engine *e, const char *dir, struct ims_index_summary *out, ims_err *err)
{
    return ims_engine_index(e, &(struct ims_index_options){ .dirs = &dir, .n_dirs = 1 }, out, err);
}

static bool is_memory_error(ims_status st, const ims_err *err)
{
    /* a vendor's library that is given no memory may say something else; it must say something */
    return st != IMS_OK && err->status == st && err->text[0];
}

TEST(search, "a search that runs out of memory at any point is an error, and the next one works")
{
    char data[700], photos[700];
    struct ims_engine *e = NULL;
    struct ims_index_summary summary;
    uint64_t n = 1, failed = 0;
    ims_err err;

    snprintf(data, sizeof(data), "%s", test_tmp_dir());
    snprintf(photos, sizeof(photos), "%s", test_tmp_dir());
    fill(photos);
    CHECK_OK(open_engine(&e, data, &err), err);
    CHECK_OK(index_dir(e, photos, &summary, &err), err);
    CHECK_INT(summary.processed, 5);
    for (;; n++) {
        struct ims_search_query q = { .text = "a red car", .limit = 3, .offset = 1, .filter.path_prefix = photos };
        struct ims_search_results r = { .total = 77 };
        ims_status st;

        ims__mem_fail_at(n);
        st = ims_engine_search(e, &q, &r, &err);
        ims__mem_fail_at(0);
        if (!st) {
            CHECK_INT(r.total, 5);
            CHECK_INT(r.n, 3);
            ims_search_results_release(&r);
            break;
        }
        failed++;
        CHECK(is_memory_error(st, &err));
        CHECK_INT(r.total, 77); /* outputs only on success */
    }
    test_note("%llu places where a search can run out of memory", (unsigned long long)failed);
    CHECK(failed > 10);
    ims_engine_close(e);
}

/* Everything from opening a new library on fails from allocation n on. False when nothing failed. */
static bool index_failing_at(uint64_t n, const char *photos)
{
    char data[700];
    struct ims_engine *e = NULL;
    struct ims_index_summary summary;
    struct ims_library_status s;
    uint64_t last = ims__mem_count() + n;
    bool was_reached;
    ims_err err = { 0 };
    ims_status st;

    snprintf(data, sizeof(data), "%s", test_tmp_dir());
    ims__mem_fail_at(n);
    st = open_engine(&e, data, &err);
    if (!st)
        st = index_dir(e, photos, &summary, &err);
    was_reached = ims__mem_count() >= last;
    ims__mem_fail_at(0);
    ims_engine_close(e);
    if (st && !is_memory_error(st, &err))
        test_fail(__FILE__, __LINE__, "allocation %llu: %s: %s", (unsigned long long)n, ims_status_name(st), err.text);

    if (test_check_ok(__FILE__, __LINE__, "opening again", open_engine(&e, data, &err), &err) &&
        test_check_ok(__FILE__, __LINE__, "indexing again", index_dir(e, photos, &summary, &err), &err) &&
        test_check_ok(__FILE__, __LINE__, "status", ims_engine_status(e, &s, &err), &err) &&
        (s.assets != 6 || s.done != 5 || s.failed != 1 || s.vectors != 4))
        test_fail(__FILE__, __LINE__, "after allocation %llu failed: %lld assets, %lld done, %lld failed, %lld vectors",
                  (unsigned long long)n, (long long)s.assets, (long long)s.done, (long long)s.failed,
                  (long long)s.vectors);
    ims_engine_close(e);
    return was_reached;
}

TEST(index, "an index that runs out of memory loses nothing: the next one completes the library")
{
    char photos[700];
    uint64_t n = 1, tried = 0;

    snprintf(photos, sizeof(photos), "%s", test_tmp_dir());
    fill(photos);
    while (index_failing_at(n, photos) && !test_has_failed()) {
        tried++;
        n += 1 + n / 12; /* close together at first, where one thread runs; then a sample */
    }
    test_note("%llu of %llu allocations tried", (unsigned long long)tried, (unsigned long long)n);
    CHECK(tried > 30);
}

TEST_MAIN
