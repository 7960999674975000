/* Reading: filters with a path boundary, date ranges, categories, lists, counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include <stdio.h>
#include <string.h>

static const char *const paths[] = {
    "/photos/a/b.jpg",     "/photos/a/b/c.jpg",    "/photos/a/bc/d.jpg", "/photos/a/b.dir/e.jpg",
    "/photos/z\xff/f.jpg", "/photos/a/b/\xff.jpg", "/photos/a/b0.jpg", /* '0' follows '/' */
};
#define N_PATHS 7

/* Photos 1 .. 7 taken at that many seconds; the last one without a date. */
static bool fill(struct library *l)
{
    for (uint64_t i = 0; i < N_PATHS; i++) {
        struct ims_store_item item = make_item(l, paths[i], i + 1, true);
        struct ims_store_media media = *item.media;

        media.has_taken_at = i + 1 < N_PATHS;
        item.media = &media;
        if (!test_check_ok(
                __FILE__, __LINE__, "commit",
                ims_store_commit(l->store, IMS_TASK_CLIP, l->model_id, &item, 1, &l->err), &l->err))
            return false;
    }
    return true;
}

/* A bit per photo of paths[] that the filter lets through, by the candidates and by the list alike.
 */
static unsigned found(struct library *l, const struct ims_store_filter *f)
{
    struct ims_store_pair *pairs = NULL;
    struct ims_store_asset *assets = NULL;
    unsigned by_pairs = 0, by_list = 0;
    size_t n = 0, n_list = 0;
    int64_t total = -1;

    if (!test_check_ok(__FILE__, __LINE__, "candidates",
                       ims_store_candidates(l->store, l->model_id, f, &pairs, &n, &l->err),
                       &l->err) ||
        !test_check_ok(__FILE__, __LINE__, "list",
                       ims_store_list_assets(l->store, f, 0, 100, &l->arena, &assets, &n_list,
                                             &total, &l->err),
                       &l->err))
        return 0xdead;
    for (size_t i = 0; i < n; i++) {
        if (i && (pairs[i].content_id < pairs[i - 1].content_id))
            test_fail(__FILE__, __LINE__, "the candidates are not in order");
        for (size_t k = 0; k < n_list; k++) {
            if (assets[k].id == pairs[i].asset_id)
                by_pairs |= 1u << (assets[k].media.phash - 0xf000000000000002u);
        }
    }
    for (size_t k = 0; k < n_list; k++)
        by_list |= 1u << (assets[k].media.phash - 0xf000000000000002u);
    if (by_pairs != by_list || n != n_list || total != (int64_t)n_list)
        test_fail(__FILE__, __LINE__, "candidates %x, list %x, total %lld", by_pairs, by_list,
                  (long long)total);
    ims__free(pairs);
    return by_list;
}

TEST(prefix, "a path prefix matches itself and what lies below it, by bytes, and not its namesakes")
{
    static const struct {
        const char *prefix;
        unsigned want;
    } cases[] = {
        { NULL, 0x7f },
        { "/", 0x7f },
        { "", 0x7f },
        { "/photos", 0x7f },
        { "/photos/", 0x7f },
        { "/photos/a", 0x6f },
        { "/photos/a/b", 0x22 },
        { "/photos/a/b/", 0x22 },
        { "/photos/a/b.jpg", 1 },
        { "/photos/a/bc", 4 },
        { "/photos/z\xff", 0x10 },
        { "/photos/z", 0 },
        { "/photo", 0 },
        { "/photos/a/b/c", 0 },
        { "/photos/A", 0 },
        { "/photos/a/b%", 0 },
        { "/photos/a/b0.jpg", 0x40 },
    };
    struct library l;

    CHECK(library_open(&l) && fill(&l));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ims_store_filter f = { .path_prefix = cases[i].prefix };
        unsigned got = found(&l, &f);

        if (got != cases[i].want)
            test_fail(__FILE__, __LINE__, "%s found %02x, expected %02x",
                      cases[i].prefix ? cases[i].prefix : "NULL", got, cases[i].want);
    }
    CHECK_INT(found(&l, NULL), 0x7f);
    library_close(&l);
}

TEST(dates, "a date range has its start and not its end; a photo without a date is in none")
{
    struct ims_store_filter f = { .has_taken_from = true, .taken_from_us = 2000000 };
    struct library l;

    CHECK(library_open(&l) && fill(&l));
    CHECK_INT(found(&l, &f), 0x3e);
    f.has_taken_until = true;
    f.taken_until_us = 4000000;
    CHECK_INT(found(&l, &f), 0x06);
    f.path_prefix = "/photos/a/b";
    CHECK_INT(found(&l, &f), 0x02);
    f = (struct ims_store_filter){ .has_taken_until = true, .taken_until_us = INT64_MAX };
    CHECK_INT(found(&l, &f), 0x3f);
    f = (struct ims_store_filter){ .has_taken_from = true, .taken_from_us = INT64_MIN };
    CHECK_INT(found(&l, &f), 0x3f);
    library_close(&l);
}

TEST(category_filter, "a category filter shows its assets only, and all conditions must hold")
{
    struct ims_store_asset *a = NULL;
    struct ims_store_filter f = { .path_prefix = NULL };
    struct library l;
    int64_t ids[2];

    CHECK(library_open(&l) && fill(&l));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(ims_store_asset_by_path(l.store, paths[i], &l.arena, &a, &l.err), l.err);
        ids[i] = a->id;
    }
    CHECK_OK(ims_store_add_category(l.store, "Cats", NULL, NULL, &f.category_id, &l.err), l.err);
    CHECK_INT(found(&l, &f), 0);
    CHECK_OK(ims_store_set_category(l.store, ids, 2, f.category_id, &l.err), l.err);
    CHECK_INT(found(&l, &f), 0x03);
    f.path_prefix = "/photos/a/b";
    f.has_taken_from = true;
    f.taken_from_us = 1;
    f.has_taken_until = true;
    f.taken_until_us = 9000000;
    CHECK_INT(found(&l, &f), 0x02);
    library_close(&l);
}

TEST(no_candidates, "no candidates is an empty list, and files without a vector are none")
{
    const char *const queued[] = { "/photos/q.jpg" };
    struct ims_store_pair *pairs = NULL;
    struct library l;
    size_t n = 7;

    CHECK(library_open(&l));
    CHECK(scan_paths(&l, queued, 1, NULL, NULL));
    CHECK_OK(ims_store_candidates(l.store, l.model_id, NULL, &pairs, &n, &l.err), l.err);
    CHECK_INT(n, 0);
    CHECK(pairs != NULL);
    ims__free(pairs);
    library_close(&l);
}

TEST(pages, "a list is newest first, in pages, with the true total; single assets come in the "
            "order asked for")
{
    struct ims_store_asset *a = NULL, *b = NULL;
    struct library l;
    int64_t total = 0, ids[4];
    size_t n = 0;

    CHECK(library_open(&l) && fill(&l));
    CHECK_OK(ims_store_list_assets(l.store, NULL, 0, 4, &l.arena, &a, &n, &total, &l.err), l.err);
    CHECK_INT(n, 4);
    CHECK_INT(total, N_PATHS);
    CHECK_STR(a[0].path, paths[N_PATHS - 1]);
    CHECK_OK(ims_store_list_assets(l.store, NULL, 4, 4, &l.arena, &b, &n, &total, &l.err), l.err);
    CHECK_INT(n, 3);
    CHECK_STR(b[2].path, paths[0]);
    CHECK_OK(ims_store_list_assets(l.store, NULL, 100, 4, &l.arena, &b, &n, &total, &l.err), l.err);
    CHECK_INT(n, 0);
    CHECK_INT(total, N_PATHS);
    CHECK_STATUS(ims_store_list_assets(l.store, NULL, -1, 4, &l.arena, &b, &n, &total, &l.err),
                 IMS_E_INVALID, l.err);
    ids[0] = a[3].id;
    ids[1] = 424242;
    ids[2] = a[0].id;
    ids[3] = a[3].id;
    CHECK_OK(ims_store_assets(l.store, ids, 4, &l.arena, &b, &n, &l.err), l.err);
    CHECK_INT(n, 3);
    CHECK_INT(b[0].id, a[3].id);
    CHECK_INT(b[1].id, a[0].id);
    CHECK_INT(b[2].id, a[3].id);
    CHECK_OK(ims_store_assets(l.store, NULL, 0, &l.arena, &b, &n, &l.err), l.err);
    CHECK_INT(n, 0);
    CHECK_STATUS(ims_store_asset_by_path(l.store, "/photos/none", &l.arena, &b, &l.err),
                 IMS_E_NOT_FOUND, l.err);
    library_close(&l);
}

TEST(other_model, "counts and candidates are of one model: files it has not seen are queued for it")
{
    struct ims_store_counts c;
    struct ims_store_pair *pairs = NULL;
    struct library l;
    int64_t other = 0;
    size_t n = 0;

    CHECK(library_open(&l) && fill(&l));
    CHECK_OK(ims_store_add_model(l.store, "other", "x", "clip", 8, &other, &l.err), l.err);
    CHECK_OK(ims_store_count(l.store, IMS_TASK_CLIP, other, &c, &l.err), l.err);
    CHECK_INT(c.assets, N_PATHS);
    CHECK_INT(c.queued, N_PATHS);
    CHECK_INT(c.done, 0);
    CHECK_INT(c.vectors, 0);
    CHECK_OK(ims_store_candidates(l.store, other, NULL, &pairs, &n, &l.err), l.err);
    CHECK_INT(n, 0);
    ims__free(pairs);
    CHECK_INT(counts_of(&l).done, N_PATHS);
    CHECK_INT(counts_of(&l).vectors, N_PATHS);
    library_close(&l);
}

TEST(reading_out_of_memory, "memory that runs out while reading is IMS_E_NOMEM and leaks nothing")
{
    struct ims_store_filter f = { .path_prefix = "/photos/a" };
    struct library l;
    unsigned n = 0;
    ims_status st;

    CHECK(library_open(&l) && fill(&l));
    do {
        struct ims_store_asset *assets = NULL;
        struct ims_store_pair *pairs = NULL;
        struct ims_arena arena;
        size_t count = 0;

        ims__arena_init(&arena, 0);
        ims__mem_fail_at(++n);
        st = ims_store_list_assets(l.store, &f, 0, 10, &arena, &assets, &count, NULL, &l.err);
        if (!st)
            st = ims_store_candidates(l.store, l.model_id, &f, &pairs, &count, &l.err);
        ims__mem_fail_at(0);
        ims__free(pairs);
        ims__arena_release(&arena);
        if (st)
            CHECK_STATUS(st, IMS_E_NOMEM, l.err);
    } while (st && n < 1000);
    CHECK_OK(st, l.err);
    CHECK(n > 3);
    library_close(&l);
}
