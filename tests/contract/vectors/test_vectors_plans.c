/* The embedded index against the plain scan on drawn sets large enough for every plan: codes, bytes, floats.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/thread.h"
#include "synthetic.h"
#include "vectors/vectors.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* An index and the plain scan with the same rows. */
struct pair {
    struct synthetic *set;
    struct ims_vectors *fast, *plain;
    uint32_t dim;
    double miss; /* stated */
};

static bool add_rows(struct pair *p, size_t from, size_t n, int64_t first_id)
{
    float *rows = malloc(n * p->dim * sizeof(*rows));
    int64_t *ids = malloc(n * sizeof(*ids));
    ims_err err;
    bool is_fine;

    synthetic_rows(p->set, from, n, rows);
    for (size_t i = 0; i < n; i++)
        ids[i] = first_id + (int64_t)i;
    is_fine = ims_vectors_add(p->fast, ids, rows, n, &err) == IMS_OK &&
              ims_vectors_add(p->plain, ids, rows, n, &err) == IMS_OK;
    free(rows);
    free(ids);
    return is_fine;
}

static bool pair_open_tuned(struct pair *p, const char *family, uint32_t dim, size_t n, unsigned n_threads,
                            const struct ims_vectors_tuning *tuning)
{
    struct ims_vectors_options options = { .dim = dim, .n_threads = n_threads, .tuning = tuning };
    ims_err err;

    *p = (struct pair){ .set = synthetic_new(family, dim, n, 7), .dim = dim };
    if (!p->set || ims_vectors_open(&p->fast, "embedded", &options, &err) ||
        ims_vectors_open(&p->plain, "exact", &options, &err))
        return false;
    for (size_t from = 0; from < n; from += 5000) {
        if (!add_rows(p, from, n - from < 5000 ? n - from : 5000, (int64_t)from))
            return false;
    }
    return true;
}

static bool pair_open(struct pair *p, const char *family, uint32_t dim, size_t n, unsigned n_threads)
{
    return pair_open_tuned(p, family, dim, n, n_threads, NULL);
}

static void pair_close(struct pair *p)
{
    ims_vectors_close(p->fast);
    ims_vectors_close(p->plain);
    synthetic_free(p->set);
}

static bool is_same(const struct ims_vectors_hit *a, const struct ims_vectors_hit *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i].id != b[i].id || a[i].score < b[i].score || a[i].score > b[i].score)
            return false;
    }
    return true;
}

#define MAX_K 12000
static struct ims_vectors_hit got[MAX_K], want[MAX_K];

/* How many of the true best were found; -1 when a score, the order or a count is wrong. */
static int compare(struct pair *p, struct ims_vectors_query *q, struct ims_vectors_answer *out)
{
    struct ims_vectors_result a = { .hits = got }, b = { .hits = want };
    int n_found = 0;
    ims_err err;

    if (ims_vectors_search_many(p->fast, q, 1, &a, &err) || ims_vectors_search_many(p->plain, q, 1, &b, &err) ||
        a.n != b.n || a.answer.n_candidates != b.answer.n_candidates)
        return -1;
    for (size_t i = 0, j = 0; i < b.n; i++) { /* both are in order, so the found ones are too */
        for (size_t from = j; from < a.n; from++) {
            if (got[from].id != want[i].id)
                continue;
            if (got[from].score > want[i].score + 1e-6f || got[from].score < want[i].score - 1e-6f)
                return -1;
            n_found++;
            break;
        }
        if (i && (got[i].score > got[i - 1].score || (got[i].score == got[i - 1].score && got[i].id < got[i - 1].id)))
            return -1;
    }
    *out = a.answer;
    return n_found;
}

static void check_family(const char *family, uint32_t dim, size_t n, enum ims_vectors_plan plan)
{
    struct pair p;
    float *query = malloc(dim * sizeof(*query));
    int n_found = 0, n_asked = 0;

    CHECK(pair_open(&p, family, dim, n, 2));
    for (uint64_t i = 0; i < 40; i++) {
        struct ims_vectors_query q = { .vector = query, .k = 10 };
        struct ims_vectors_answer a;
        int found;

        synthetic_query(p.set, i % 2, i, query);
        found = compare(&p, &q, &a);
        CHECK(found >= 0);
        CHECK_INT(a.plan, plan);
        CHECK(plan == IMS_VECTORS_CODES ? a.n_coded >= n - 64 && a.miss > 0 : a.n_coded == 0 && a.miss == 0);
        n_found += found;
        n_asked += 10;
        if (plan != IMS_VECTORS_CODES)
            CHECK_INT(found, 10);
        q.is_exact = true;
        CHECK_INT(compare(&p, &q, &a), 10);
        CHECK_INT(a.plan, IMS_VECTORS_FLOATS);
    }
    test_note("%s %u x %zu: %d of %d", family, dim, n, n_found, n_asked);
    CHECK(n_found >= n_asked - 3); /* the stated probability is 1 in 1,000 each */
    pair_close(&p);
    free(query);
}

TEST(families, "codes find the true best on sets like CLIP's, round clusters and uniform noise")
{
    check_family("c10", 128, 24000, IMS_VECTORS_CODES);
    check_family("c06", 192, 24000, IMS_VECTORS_CODES);
    check_family("g", 128, 24000, IMS_VECTORS_CODES);
    check_family("u", 77, 24000, IMS_VECTORS_CODES);
}

TEST(small_sets, "small sets are answered from bytes without a miss, tiny rows as floats")
{
    check_family("c10", 128, 9000, IMS_VECTORS_BYTES);
    check_family("u", 100, 5000, IMS_VECTORS_BYTES);
    check_family("c06", 48, 9000, IMS_VECTORS_FLOATS);
}

static size_t every_nth(int64_t *ids, size_t n, size_t step, size_t offset)
{
    size_t m = 0;

    for (size_t i = offset; i < n; i += step)
        ids[m++] = (int64_t)i;
    return m;
}

TEST(filters, "filters of any width find no less than the plain scan, prepared or not, while rows come and go")
{
    enum { N = 70000, DIM = 64 };
    static const size_t steps[] = { 1, 2, 9, 100, 1000, 40000 };
    struct pair p;
    static int64_t ids[N + 2000];
    float query[DIM];
    ims_err err;
    int n_missed = 0;

    CHECK(pair_open(&p, "c06", DIM, N, 2));
    for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
        size_t n_ids = every_nth(ids, N + 2000, steps[s], s % steps[s]);
        struct ims_vectors_filter *filter = NULL;

        CHECK_OK(ims_vectors_filter_open(&filter, ids, n_ids, &err), err);
        for (uint64_t i = 0; i < 8; i++) {
            struct ims_vectors_query q = { .vector = query, .k = 10 };
            struct ims_vectors_answer a;
            int found, expected;

            synthetic_query(p.set, i % 2, i, query);
            if (i % 2) {
                q.filter = filter;
            } else {
                q.only_ids = ids;
                q.n_only_ids = n_ids;
            }
            found = compare(&p, &q, &a);
            expected = a.n_candidates < 10 ? (int)a.n_candidates : 10;
            CHECK(found >= 0);
            n_missed += expected - found;
            if (steps[s] >= 9)
                CHECK(found == expected && a.n_coded == 0);
            /* between the queries: rows replaced, removed, added */
            CHECK(add_rows(&p, i * 100, 50, (int64_t)(i * 7000 + s * 10)));
            for (int64_t id = 0; id < 40; id++) {
                int64_t gone = (int64_t)(s * 9000 + i * 700) + id * 3;

                CHECK_OK(ims_vectors_remove(p.fast, &gone, 1, &err), err);
                CHECK_OK(ims_vectors_remove(p.plain, &gone, 1, &err), err);
            }
            CHECK(add_rows(&p, 500 + i, 20, (int64_t)(N + s * 200 + i * 20)));
        }
        ims_vectors_filter_close(filter);
    }
    CHECK(n_missed <= 2);
    pair_close(&p);
}

TEST(uneven_filter, "of one filter, codes are read where many rows are allowed and bytes where few are, but of none that is gone")
{
    enum { N = 70000, DIM = 64, DENSE_FROM = 9000, DENSE_UNTIL = 13000, STEP = 47, GONE = 3 };
    static const struct ims_vectors_tuning tuning = { .bytes_rows = 1000 };
    struct pair p;
    static int64_t ids[N];
    struct ims_vectors_filter *filter = NULL;
    float query[DIM];
    size_t n_ids = 0;
    ims_err err;
    int n_missed = 0;

    CHECK(pair_open_tuned(&p, "c10", DIM, N, 2, &tuning));
    for (int64_t id = 0; id < N; id++) {
        if ((id >= DENSE_FROM && id < DENSE_UNTIL) || id % STEP == 0 || id == 65535)
            ids[n_ids++] = id;
    }
    CHECK_OK(ims_vectors_filter_open(&filter, ids, n_ids, &err), err);
    for (uint64_t i = 0; i < 24; i++) {
        struct ims_vectors_query q = { .vector = query, .k = 10, .filter = filter };
        struct ims_vectors_answer a;
        int found;

        synthetic_query(p.set, i % 2, i, query);
        found = compare(&p, &q, &a);
        CHECK(found >= 0);
        n_missed += 10 - found;
        CHECK_INT(a.plan, IMS_VECTORS_CODES);
        CHECK(a.n_coded >= DENSE_UNTIL - DENSE_FROM && a.n_coded <= DENSE_UNTIL - DENSE_FROM + 2048);
        CHECK(a.n_bytes >= (N - (DENSE_UNTIL - DENSE_FROM)) / STEP / 2);
        for (size_t g = 0; g < GONE; g++) { /* what was just found */
            CHECK_OK(ims_vectors_remove(p.plain, &want[g].id, 1, &err), err);
            CHECK_OK(ims_vectors_remove(p.fast, &want[g].id, 1, &err), err);
        }
    }
    CHECK(n_missed <= 2);
    ims_vectors_filter_close(filter);
    pair_close(&p);
}

/* ---- rows in order of likeness, and units that are skipped ---- */

enum { LIKE_N = 68000, LIKE_DIM = 96, LIKE_QUERIES = 12 };

/* The rows of a set in an order that has nothing to do with their likeness; n shares no divisor with 77,777. */
static bool open_shuffled(struct pair *p, const char *family, uint32_t dim, size_t n, const char *dir, double miss)
{
    static const struct ims_vectors_tuning tuning = { .skip_rows = 60000 };
    struct ims_vectors_options options = { .dim = dim, .n_threads = 2, .miss = miss, .tuning = &tuning, .dir = dir, .key = "k" };
    enum { BATCH = 5000 };
    static int64_t ids[BATCH];
    float *rows = malloc(BATCH * dim * sizeof(*rows));
    bool is_fine;

    *p = (struct pair){ .set = synthetic_new(family, dim, n, 7), .dim = dim, .miss = miss > 0 ? miss : IMS_VECTORS_MISS };
    is_fine = rows && p->set && ims_vectors_open(&p->fast, "embedded", &options, NULL) == IMS_OK;
    options.dir = NULL;
    is_fine = is_fine && ims_vectors_open(&p->plain, "exact", &options, NULL) == IMS_OK;
    for (size_t from = 0; is_fine && from < n; from += BATCH) {
        size_t here = n - from < BATCH ? n - from : BATCH;

        for (size_t i = 0; i < here; i++) {
            ids[i] = (int64_t)((from + i) * 77777 % n);
            synthetic_rows(p->set, (size_t)ids[i], 1, rows + i * dim);
        }
        is_fine = ims_vectors_add(p->fast, ids, rows, here, NULL) == IMS_OK &&
                  ims_vectors_add(p->plain, ids, rows, here, NULL) == IMS_OK;
    }
    free(rows);
    return is_fine;
}

/* Hits that were missed among some queries of each kind; the rows that were skipped, of all that could be. */
static int count_missed(struct pair *p, struct ims_vectors_filter *filter, double out_skipped[2])
{
    float query[LIKE_DIM];
    int n_missed = 0;

    out_skipped[0] = out_skipped[1] = 0;
    for (uint64_t i = 0; i < 2 * LIKE_QUERIES; i++) {
        struct ims_vectors_query q = { .vector = query, .k = 10, .filter = filter };
        struct ims_vectors_answer a;
        int found;

        synthetic_query(p->set, i % 2, i, query);
        found = compare(p, &q, &a);
        if (found < 0 || a.n_coded + a.n_skipped > LIKE_N + 3000 || (a.n_skipped > 0 && a.miss <= p->miss))
            return 1000;
        n_missed += 10 - found;
        out_skipped[i % 2] += (double)a.n_skipped / LIKE_N / LIKE_QUERIES;
    }
    return n_missed;
}

static void check_likeness(const char *family, double image_at_least, double text_at_least)
{
    struct ims_vectors_info info;
    double skipped[2];
    struct pair p;
    int n_missed;
    ims_err err;

    CHECK(open_shuffled(&p, family, LIKE_DIM, LIKE_N, NULL, 0));
    n_missed = count_missed(&p, NULL, skipped);
    CHECK(n_missed <= 3 && skipped[0] + skipped[1] < 1e-9); /* not in order: all is read */
    CHECK_OK(ims_vectors_save(p.fast, 0, &err), err);
    ims_vectors_info(p.fast, &info);
    CHECK_INT(info.n_ordered, 1);
    CHECK_INT(info.n_read_whole, 0); /* the trial of the order */
    CHECK_INT(info.n_rows, LIKE_N);
    n_missed = count_missed(&p, NULL, skipped);
    test_note("%s: missed %d of %d; skipped %.2f of the rows for pictures, %.2f for texts", family, n_missed,
              20 * LIKE_QUERIES, skipped[0], skipped[1]);
    CHECK(n_missed <= 3);
    CHECK(skipped[0] >= image_at_least && skipped[1] >= text_at_least);
    pair_close(&p);
}

TEST(likeness, "in order of likeness rows are skipped, and no more hits are missed than was stated")
{
    check_likeness("c10", 0.4, 0.3); /* more where there are more rows: docs/benchmarks.md */
    check_likeness("c06", 0.5, 0.3);
    check_likeness("g", 0, 0);
    check_likeness("u", 0, 0);
}

TEST(likeness_effort, "the larger the stated probability to miss a hit, the fewer rows are read; it is kept, and no order is refused for it")
{
    static const double misses[] = { 0.0001, 0.001, 0.02, 0.1 };
    double skipped[2], before = 0;
    struct ims_vectors_info info;
    int n_missed;
    ims_err err;

    for (size_t i = 0; i < sizeof(misses) / sizeof(misses[0]); i++) {
        int n_stated = (int)(misses[i] * 1.25 * 20 * LIKE_QUERIES);
        struct pair p;

        CHECK(open_shuffled(&p, "c10", LIKE_DIM, LIKE_N, NULL, misses[i]));
        CHECK_OK(ims_vectors_save(p.fast, 0, &err), err);
        ims_vectors_info(p.fast, &info);
        CHECK(info.n_ordered == 1 && info.n_read_whole == 0);
        n_missed = count_missed(&p, NULL, skipped);
        test_note("%g stated: missed %d of %d; skipped %.2f and %.2f", misses[i], n_missed, 20 * LIKE_QUERIES, skipped[0], skipped[1]);
        CHECK(n_missed <= n_stated + 3);
        CHECK(skipped[0] + skipped[1] > before);
        before = skipped[0] + skipped[1];
        pair_close(&p);
    }
}

TEST(likeness_filter, "a filter of one row in nine passes over cells in order of likeness, and finds no less; of fewer rows each is read")
{
    static int64_t ids[LIKE_N];
    struct ims_vectors_filter *filter = NULL;
    double skipped[2];
    struct pair p;
    int n_missed;
    ims_err err;

    CHECK(open_shuffled(&p, "c10", LIKE_DIM, LIKE_N, NULL, 0));
    CHECK_OK(ims_vectors_save(p.fast, 0, &err), err);
    CHECK_OK(ims_vectors_filter_open(&filter, ids, every_nth(ids, LIKE_N, 9, 1), &err), err);
    n_missed = count_missed(&p, filter, skipped);
    test_note("missed %d of %d; skipped %.2f and %.2f", n_missed, 20 * LIKE_QUERIES, skipped[0], skipped[1]);
    CHECK(n_missed <= 3);
    CHECK(skipped[0] > 0.2 && skipped[1] > 0.1);
    ims_vectors_filter_close(filter);
    CHECK_OK(ims_vectors_filter_open(&filter, ids, every_nth(ids, LIKE_N, 14, 1), &err), err);
    CHECK_INT(count_missed(&p, filter, skipped), 0);
    CHECK(skipped[0] + skipped[1] < 1e-9);
    ims_vectors_filter_close(filter);
    pair_close(&p);
}

TEST(likeness_changes, "rows in order of likeness come back from their folder, are replaced, removed, filtered, and not moved twice")
{
    const char *dir = test_tmp_dir();
    static const struct ims_vectors_tuning tuning = { .skip_rows = 60000 };
    struct ims_vectors_options options = { .dim = LIKE_DIM, .n_threads = 2, .tuning = &tuning, .dir = dir, .key = "k" };
    struct ims_vectors_filter *filter = NULL;
    static int64_t ids[LIKE_N];
    struct ims_vectors_info before, after;
    double skipped[2];
    int n_missed;
    struct pair p;
    ims_err err;

    CHECK(open_shuffled(&p, "c10", LIKE_DIM, LIKE_N, dir, 0));
    CHECK_OK(ims_vectors_save(p.fast, 1, &err), err);
    ims_vectors_info(p.fast, &before);
    ims_vectors_close(p.fast);
    CHECK_OK(ims_vectors_open(&p.fast, "embedded", &options, &err), err);
    CHECK_OK(ims_vectors_verify(p.fast, &err), err);
    ims_vectors_info(p.fast, &after);
    CHECK(after.n_ordered == 1 && after.n_mapped == 1 && before.disk_bytes == after.disk_bytes);
    n_missed = count_missed(&p, NULL, skipped);
    test_note("missed %d, skipped %.2f and %.2f", n_missed, skipped[0], skipped[1]);
    CHECK(n_missed <= 3 && skipped[0] > 0.03);
    for (int64_t i = 0; i < 3000; i++) { /* the best hits of many go, others get rows of other places */
        ids[0] = i * 21;
        CHECK_OK(ims_vectors_remove(p.fast, ids, 1, &err), err);
        CHECK_OK(ims_vectors_remove(p.plain, ids, 1, &err), err);
    }
    CHECK(add_rows(&p, 50000, 2000, 100));
    CHECK_OK(ims_vectors_save(p.fast, 2, &err), err);
    ims_vectors_info(p.fast, &after);
    CHECK_INT(after.n_ordered, 1);
    n_missed = count_missed(&p, NULL, skipped);
    test_note("missed %d, skipped %.2f and %.2f", n_missed, skipped[0], skipped[1]);
    CHECK(n_missed <= 3 && skipped[0] > 0.03);
    CHECK_OK(ims_vectors_filter_open(&filter, ids, every_nth(ids, LIKE_N, 3, 1), &err), err);
    CHECK(count_missed(&p, filter, skipped) <= 3);
    ims_vectors_filter_close(filter);
    pair_close(&p);
}

TEST(likeness_refused, "an order of likeness by which hits would be missed is kept, but every row is read, also after opening again")
{
    enum { N = 131072, DIM = 256 }; /* round clusters without any order among them: k-means does not find them all */
    const char *dir = test_tmp_dir();
    struct ims_vectors_options options = { .dim = DIM, .n_threads = 2, .dir = dir, .key = "k" };
    struct ims_vectors_info info;
    float query[DIM];
    int n_missed = 0;
    struct pair p;
    ims_err err;

    CHECK(open_shuffled(&p, "g", DIM, N, dir, 0));
    CHECK_OK(ims_vectors_save(p.fast, 1, &err), err);
    for (int round = 0; round < 2; round++) {
        ims_vectors_info(p.fast, &info);
        CHECK_INT(info.n_rows, N);
        CHECK(info.n_ordered > 0);
        CHECK_INT(info.n_read_whole, info.n_ordered);
        for (uint64_t i = 0; i < 20; i++) {
            struct ims_vectors_query q = { .vector = query, .k = 10 };
            struct ims_vectors_answer a = { 0 };

            synthetic_query(p.set, false, i, query);
            n_missed += 10 - compare(&p, &q, &a);
            CHECK(a.n_skipped == 0 && a.n_coded + a.n_floats >= N);
        }
        ims_vectors_close(p.fast);
        CHECK_OK(ims_vectors_open(&p.fast, "embedded", &options, &err), err);
    }
    CHECK(n_missed <= 3);
    pair_close(&p);
}

TEST(pages, "pages up to the 10,000th hit are cut from one list")
{
    enum { N = 90000, DIM = 64, PAGE = 997 };
    static struct ims_vectors_hit page[MAX_K];
    struct pair p;
    float query[DIM];
    size_t n;
    ims_err err;

    CHECK(pair_open(&p, "c10", DIM, N, 3));
    synthetic_query(p.set, true, 3, query);
    for (size_t until = 10000; until > 200; until -= until > PAGE + 200 ? PAGE : until - 200) {
        struct ims_vectors_query q = { .vector = query, .k = until };
        struct ims_vectors_answer a;

        if (until == 10000) {
            CHECK(compare(&p, &q, &a) >= 9990);
            CHECK_INT(a.plan, IMS_VECTORS_CODES);
            memcpy(page, got, sizeof(page));
        }
        CHECK_OK(ims_vectors_search(p.fast, &q, got, &n, NULL, &err), err);
        CHECK_INT(n, until);
        CHECK(is_same(got, page, until));
    }
    pair_close(&p);
}

TEST(many, "a batch gives each query what it gets alone")
{
    enum { N = 30000, DIM = 96, Q = 37, K = 15 };
    static float queries[Q][DIM];
    static struct ims_vectors_hit hits[Q][K];
    struct ims_vectors_query q[Q] = { 0 };
    struct ims_vectors_result r[Q] = { 0 };
    struct pair p;
    ims_err err;
    size_t n;

    CHECK(pair_open(&p, "c06", DIM, N, 2));
    for (int i = 0; i < Q; i++) {
        synthetic_query(p.set, i % 2, (uint64_t)i, queries[i]);
        q[i] = (struct ims_vectors_query){ .vector = queries[i], .k = (size_t)(i % K + 1), .is_exact = i % 5 == 0 };
        r[i].hits = hits[i];
    }
    CHECK_OK(ims_vectors_search_many(p.fast, q, Q, r, &err), err);
    for (int i = 0; i < Q; i++) {
        CHECK_OK(ims_vectors_search(p.fast, &q[i], got, &n, NULL, &err), err);
        CHECK_INT(r[i].n, n);
        CHECK(is_same(r[i].hits, got, n));
        CHECK(r[i].answer.n_shared > 1);
    }
    pair_close(&p);
}

TEST(threads, "the number of threads is bounded, whatever was asked for")
{
    struct ims_vectors_options options = { .dim = 64, .n_threads = 100000 };
    struct ims_vectors *v = NULL;
    struct ims_vectors_info info;
    ims_err err;

    CHECK_OK(ims_vectors_open(&v, "embedded", &options, &err), err);
    ims_vectors_info(v, &info);
    CHECK_INT(info.n_threads, 64);
    ims_vectors_close(v);
}

TEST(audit, "searches are compared with the full scan, on demand and in the background")
{
    enum { N = 24000, DIM = 64 };
    struct ims_vectors_options options = { .dim = DIM, .n_threads = 2, .audit_every = 3 };
    struct ims_vectors_info info;
    struct pair p;
    float query[DIM];
    ims_err err;

    CHECK(pair_open(&p, "g", DIM, N, 1));
    ims_vectors_close(p.fast);
    CHECK_OK(ims_vectors_open(&p.fast, "embedded", &options, &err), err);
    CHECK(add_rows(&p, 0, N, 0));
    synthetic_query(p.set, false, 1, query);
    for (int i = 1; i <= 4; i++) {
        struct ims_vectors_query q = { .vector = query, .k = 7, .is_audited = true };
        size_t n;

        CHECK_OK(ims_vectors_search(p.fast, &q, got, &n, NULL, &err), err);
        ims_vectors_info(p.fast, &info);
        CHECK_INT(info.audit.n_audited, i);
        CHECK_INT(info.audit.n_hits, 7 * i);
        CHECK_INT(info.audit.n_searches, 0);
    }
    do { /* until the background had its turn */
        struct ims_vectors_query q = { .vector = query, .k = 7 };
        size_t n;

        CHECK_OK(ims_vectors_search(p.fast, &q, got, &n, NULL, &err), err);
        ims_vectors_info(p.fast, &info);
    } while (info.audit.n_audited == 4);
    CHECK(info.audit.n_searches >= 3 && info.audit.last_us > 0);
    CHECK(info.audit.n_found + 2 >= info.audit.n_hits && info.audit.n_found <= info.audit.n_hits);
    pair_close(&p);
}

/* ---- readers beside a writer ---- */

enum { STABLE = 25000, SHARED_DIM = 64 };

struct shared {
    struct pair p;
    _Atomic bool is_over;
    _Atomic int n_searches, n_wrong, n_shared;
};

/* Ids below STABLE are replaced by equal rows all the time: each must be there once in every answer. */
static void read_all_the_time(void *arg)
{
    struct shared *s = arg;
    float query[SHARED_DIM];
    struct ims_vectors_hit hits[50];
    uint64_t i = 0;

    do {
        struct ims_vectors_query q = { .vector = query, .k = 50 };
        struct ims_vectors_result r = { .hits = hits };
        bool is_right;

        synthetic_query(s->p.set, i % 2, i, query);
        i++;
        is_right = ims_vectors_search_many(s->p.fast, &q, 1, &r, NULL) == IMS_OK && r.n == 50 &&
                   r.answer.n_candidates >= STABLE && r.answer.n_candidates <= STABLE + 1000;
        for (size_t a = 1; is_right && a < r.n; a++) {
            for (size_t b = 0; b < a; b++)
                is_right = is_right && hits[a].id != hits[b].id;
        }
        s->n_wrong += !is_right;
        s->n_shared += r.answer.n_shared > 1;
        s->n_searches++;
    } while (!s->is_over);
}

TEST(readers, "searches beside a writer see every row once, neither half a change")
{
    static struct shared s;
    struct ims_thread readers[3] = { 0 };
    ims_err err;

    CHECK(pair_open(&s.p, "c10", SHARED_DIM, STABLE, 2));
    for (int i = 0; i < 3; i++)
        CHECK_OK(ims__thread_start(&readers[i], "reader", read_all_the_time, &s, &err), err);
    for (int round = 0; round < 60 || s.n_searches < 100 || !s.n_shared; round++) /* some that queued went together */ {
        int64_t extra[1000];

        CHECK(add_rows(&s.p, (size_t)round * 300 % (STABLE - 1000), 1000, round * 300 % (STABLE - 1000)));
        CHECK(add_rows(&s.p, 100, 1000, STABLE));
        for (int i = 0; i < 1000; i++)
            extra[i] = STABLE + i;
        CHECK_OK(ims_vectors_remove(s.p.fast, extra, 1000, &err), err);
    }
    s.is_over = true;
    for (int i = 0; i < 3; i++)
        ims__thread_join(&readers[i]);
    CHECK_INT(s.n_wrong, 0);
    pair_close(&s.p);
}

TEST_MAIN
