/* Rebuilding the embedded index beside searches, and searching without an index.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/mem.h"
#include "base/thread.h"
#include "synthetic.h"
#include "vectors/vectors.h"

#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DIM = 64, SEGMENT = 65536, OLD = SEGMENT + 900, NEW = SEGMENT + 4000, K = 20 };

static struct synthetic *the_set(void)
{
    static struct synthetic *set;

    if (!set)
        set = synthetic_new("c06", DIM, 200000, 3);
    return set;
}

static ims_status open_in(struct ims_vectors **out, const char *dir, ims_err *err)
{
    static const struct ims_vectors_tuning as_rows_came = { .skip_rows = SIZE_MAX };
    struct ims_vectors_options options = { .dim = DIM, .n_threads = 2, .dir = dir, .key = "k", .tuning = &as_rows_came };

    return ims_vectors_open(out, "embedded", &options, err);
}

/* Row i of the set under id i + first_id - from. */
static bool add_rows(struct ims_vectors *v, size_t from, size_t n, int64_t first_id)
{
    float *rows = malloc(n * DIM * sizeof(*rows));
    int64_t *ids = malloc(n * sizeof(*ids));
    bool is_fine;

    synthetic_rows(the_set(), from, n, rows);
    for (size_t i = 0; i < n; i++)
        ids[i] = first_id + (int64_t)i;
    is_fine = ims_vectors_add(v, ids, rows, n, NULL) == IMS_OK;
    free(rows);
    free(ids);
    return is_fine;
}

static bool are_same(const struct ims_vectors_hit *a, const struct ims_vectors_hit *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i].id != b[i].id || a[i].score < b[i].score || a[i].score > b[i].score)
            return false;
    }
    return true;
}

static size_t ask(struct ims_vectors *v, uint64_t i, bool is_exact, struct ims_vectors_hit *hits)
{
    float query[DIM];
    struct ims_vectors_query q = { .vector = query, .k = K, .is_exact = is_exact };
    size_t n = 0;

    synthetic_query(the_set(), i % 2, i, query);
    return ims_vectors_search(v, &q, hits, &n, NULL, NULL) == IMS_OK ? n : 0;
}

static bool are_alike(struct ims_vectors *a, struct ims_vectors *b)
{
    struct ims_vectors_hit x[K], y[K];

    if (ims_vectors_count(a) != ims_vectors_count(b))
        return false;
    for (uint64_t i = 0; i < 12; i++) {
        if (ask(a, i, i % 3 == 0, x) != K || ask(b, i, i % 3 == 0, y) != K || !are_same(x, y, K))
            return false;
    }
    return true;
}

/* ---- queries go on ---- */

enum { QUERIES = 6 };

struct watch {
    struct ims_vectors *v;
    struct ims_vectors_hit former[QUERIES][K], next[QUERIES][K];
    _Atomic bool is_over;
    _Atomic int n_former, n_next, n_wrong;
};

static void search_all_the_time(void *arg)
{
    struct watch *w = arg;
    struct ims_vectors_hit hits[K];

    for (uint64_t i = 0; !w->is_over; i = (i + 1) % QUERIES) {
        size_t n = ask(w->v, i, true, hits);

        if (n == K && are_same(hits, w->former[i], K))
            w->n_former++;
        else if (n == K && are_same(hits, w->next[i], K))
            w->n_next++;
        else
            w->n_wrong++;
    }
}

TEST(beside, "while an index is made anew searches give the former answers, then the new ones, and nothing between")
{
    static struct watch w;
    const char *dir = test_tmp_dir();
    struct ims_vectors *staged = NULL, *kept = NULL, *second = NULL;
    struct ims_thread threads[2] = { 0 };
    int seen;
    ims_err err;

    CHECK_OK(open_in(&w.v, dir, &err), err);
    CHECK_OK(open_in(&kept, NULL, &err), err);
    CHECK(add_rows(w.v, 0, OLD, 0) && add_rows(kept, 100000, NEW, 500));
    CHECK_OK(ims_vectors_save(w.v, 3, &err), err);
    for (uint64_t i = 0; i < QUERIES; i++)
        CHECK(ask(w.v, i, true, w.former[i]) == K && ask(kept, i, true, w.next[i]) == K);
    for (int i = 0; i < 2; i++)
        CHECK_OK(ims__thread_start(&threads[i], "reader", search_all_the_time, &w, &err), err);
    CHECK_OK(ims_vectors_stage(&staged, w.v, &err), err);
    CHECK_STATUS(ims_vectors_stage(&second, w.v, &err), IMS_E_BUSY, err);
    for (size_t at = 0; at < NEW; at += 8000) {
        seen = w.n_former;
        CHECK(add_rows(staged, 100000 + at, NEW - at < 8000 ? NEW - at : 8000, (int64_t)(500 + at)));
        CHECK_OK(ims_vectors_save(staged, 0, &err), err);
        while (w.n_former < seen + 2 && !w.n_wrong) /* queries go on, however long it takes */
            usleep(100);
        if (at == 16000) /* the index that answers may be saved meanwhile: files of the other stay */
            CHECK_OK(ims_vectors_save(w.v, 4, &err), err);
    }
    CHECK_INT(w.n_next, 0);
    CHECK_OK(ims_vectors_adopt(w.v, staged, &err), err);
    CHECK_INT(ims_vectors_count(staged), 0);
    ims_vectors_close(staged);
    while (w.n_next < 5 && !w.n_wrong)
        usleep(100);
    w.is_over = true;
    for (int i = 0; i < 2; i++)
        ims__thread_join(&threads[i]);
    CHECK_INT(w.n_wrong, 0);
    CHECK(are_alike(w.v, kept));
    CHECK_OK(ims_vectors_verify(w.v, &err), err);
    CHECK(add_rows(w.v, 5, 300, 500) && add_rows(kept, 5, 300, 500)); /* rows of both segments are found and replaced */
    CHECK_OK(ims_vectors_save(w.v, 7, &err), err);
    CHECK(are_alike(w.v, kept));
    ims_vectors_close(w.v);
    CHECK_OK(open_in(&w.v, dir, &err), err);
    CHECK_INT(ims_vectors_seq(w.v), 7);
    CHECK(are_alike(w.v, kept));
    ims_vectors_close(w.v);
    ims_vectors_close(kept);
}

/* ---- given up ---- */

static void rebuild_and_die(const char *dir, bool has_adopted)
{
    struct ims_vectors *v = NULL, *staged = NULL;

    if (open_in(&v, dir, NULL) || ims_vectors_stage(&staged, v, NULL) || !add_rows(staged, 100000, NEW, 0) ||
        ims_vectors_save(staged, 0, NULL) || (has_adopted && ims_vectors_adopt(v, staged, NULL)))
        _exit(1);
    _exit(0);
}

static bool has_file(const char *dir, const char *name)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

TEST(given_up, "a rebuild that is dropped or dies before it was saved leaves the folder as it was")
{
    const char *dir = test_tmp_dir();
    struct ims_vectors *v = NULL, *kept = NULL, *staged = NULL;
    ims_err err;

    CHECK_OK(open_in(&v, dir, &err), err);
    CHECK_OK(open_in(&kept, NULL, &err), err);
    CHECK(add_rows(v, 0, OLD, 0) && add_rows(kept, 0, OLD, 0));
    CHECK_OK(ims_vectors_save(v, 3, &err), err);
    CHECK_OK(ims_vectors_stage(&staged, v, &err), err);
    CHECK(add_rows(staged, 100000, NEW, 0));
    CHECK_OK(ims_vectors_save(staged, 0, &err), err);
    CHECK(has_file(dir, "codes-4")); /* 1 to 3 are the former's: two segments and a centre */
    ims_vectors_close(staged);
    CHECK_OK(ims_vectors_save(v, 3, &err), err);
    CHECK(!has_file(dir, "codes-4") && has_file(dir, "codes-1"));
    ims_vectors_close(v);
    for (int has_adopted = 0; has_adopted < 2; has_adopted++) {
        int status = -1;
        pid_t child;

        ims_vectors_close(kept); /* ThreadSanitizer wants no thread beside a fork */
        child = fork();
        if (child == 0)
            rebuild_and_die(dir, has_adopted);
        CHECK_OK(open_in(&kept, NULL, &err), err);
        CHECK(add_rows(kept, 0, OLD, 0));
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK(has_file(dir, "codes-1"));
        CHECK_OK(open_in(&v, dir, &err), err);
        CHECK_INT(ims_vectors_seq(v), 3);
        CHECK(are_alike(v, kept));
        CHECK_OK(ims_vectors_verify(v, &err), err);
        ims_vectors_close(v);
    }
    ims_vectors_close(kept);
}

TEST(no_memory, "a rebuild for which memory is short fails and leaves the index as it was")
{
    struct ims_vectors *v = NULL;
    struct ims_vectors_hit hit;
    float query[DIM];
    bool is_through = false;
    ims_err err;

    synthetic_query(the_set(), false, 1, query);
    CHECK_OK(open_in(&v, NULL, &err), err);
    CHECK(add_rows(v, 0, 5000, 0));
    for (uint64_t at = 1; !is_through; at++) {
        struct ims_vectors_query q = { .vector = query, .k = 1 };
        struct ims_vectors *staged = NULL;
        size_t n;

        ims__mem_fail_at(at);
        if (ims_vectors_stage(&staged, v, &err) == IMS_OK) {
            ims__mem_fail_at(0);
            CHECK(add_rows(staged, 7000, 100, 0));
            ims__mem_fail_at(at);
            is_through = ims_vectors_adopt(v, staged, &err) == IMS_OK && at > 3;
        }
        ims__mem_fail_at(0);
        ims_vectors_close(staged);
        CHECK(ims_vectors_count(v) == 100 || ims_vectors_count(v) == 5000);
        CHECK_OK(ims_vectors_search(v, &q, &hit, &n, NULL, &err), err);
        CHECK(n == 1 && at < 100);
    }
    CHECK_INT(ims_vectors_count(v), 100);
    ims_vectors_close(v);
}

/* ---- codes that lie ---- */

TEST(stale, "codes that lie are made again when the folder is opened, and written by the next save")
{
    const char *dir = test_tmp_dir();
    struct ims_vectors *v = NULL, *kept = NULL;
    struct ims_vectors_info info;
    char path[600], byte = 0;
    int fd;
    ims_err err;

    CHECK_OK(open_in(&v, dir, &err), err);
    CHECK_OK(open_in(&kept, NULL, &err), err);
    CHECK(add_rows(v, 0, 2 * SEGMENT, 0) && add_rows(kept, 0, 2 * SEGMENT, 0));
    CHECK_OK(ims_vectors_save(v, 1, &err), err);
    ims_vectors_close(v);
    snprintf(path, sizeof(path), "%s/codes-1", dir);
    fd = open(path, O_RDWR);
    CHECK(pread(fd, &byte, 1, 5000) == 1);
    byte ^= 1;
    CHECK(pwrite(fd, &byte, 1, 5000) == 1);
    close(fd);
    CHECK_OK(open_in(&v, dir, &err), err);
    for (int round = 0; round < 2; round++) {
        struct ims_vectors_hit hits[K];
        struct ims_vectors_result r = { .hits = hits };
        float query[DIM];
        struct ims_vectors_query q = { .vector = query, .k = K };

        ims_vectors_info(v, &info);
        CHECK_INT(info.n_stale, round == 0);
        CHECK_INT(info.n_mapped, round == 0 ? 1 : 2);
        CHECK_INT(info.n_coded, 2 * SEGMENT);
        synthetic_query(the_set(), false, 5, query);
        CHECK_OK(ims_vectors_search_many(v, &q, 1, &r, &err), err);
        CHECK_INT(r.answer.plan, IMS_VECTORS_CODES);
        CHECK_INT(r.answer.n_floats, 0);
        CHECK(are_alike(v, kept));
        CHECK_OK(ims_vectors_save(v, 1, &err), err);
    }
    CHECK_OK(ims_vectors_verify(v, &err), err);
    ims_vectors_close(v);
    ims_vectors_close(kept);
}

/* ---- no index ---- */

TEST(scan, "the scan without an index gives what an index gives in full, filters included")
{
    enum { N = 3000 };
    struct ims_vectors *v = NULL;
    struct ims_vectors_filter *filter = NULL;
    static float rows[N][DIM];
    static int64_t ids[N];
    float query[DIM], zero[DIM] = { 0 };
    ims_err err;

    CHECK_OK(open_in(&v, NULL, &err), err);
    synthetic_rows(the_set(), 0, N, rows[0]);
    CHECK(add_rows(v, 0, N, 0));
    for (size_t i = 0; i < N / 3; i++)
        ids[i] = (int64_t)(3 * i + 1);
    CHECK_OK(ims_vectors_filter_open(&filter, ids, N / 3, &err), err);
    for (uint64_t i = 0; i < 9; i++) {
        struct ims_vectors_query q = { .vector = query, .k = i == 8 ? N : K, .is_exact = true };
        static struct ims_vectors_hit got[N], want[N];
        struct ims_vectors_result r = { .hits = got };
        struct ims_vectors_scan *s = NULL;
        size_t n;

        synthetic_query(the_set(), i % 2, i, query);
        if (i % 3 == 1) {
            q.only_ids = ids;
            q.n_only_ids = N / 3;
        } else if (i % 3 == 2) {
            q.filter = filter;
        }
        CHECK_OK(ims_vectors_scan_open(&s, DIM, &q, &err), err);
        ims_vectors_scan_row(s, 1, zero);
        for (int64_t id = N; id-- > 0;)
            ims_vectors_scan_row(s, id, rows[id]);
        ims_vectors_scan_finish(s, &r);
        ims_vectors_scan_close(s);
        CHECK_OK(ims_vectors_search(v, &q, want, &n, NULL, &err), err);
        CHECK_INT(r.n, n);
        for (size_t k = 0; k < n; k++) {
            CHECK_INT(got[k].id, want[k].id);
            CHECK_NEAR((double)got[k].score, (double)want[k].score, 1e-6);
        }
        CHECK_INT(r.answer.n_candidates, i % 3 ? N / 3 : N);
    }
    query[0] = INFINITY;
    CHECK_STATUS(ims_vectors_scan_open(&(struct ims_vectors_scan *){ NULL }, DIM,
                                       &(struct ims_vectors_query){ .vector = query, .k = 1 }, &err),
                 IMS_E_INVALID, err);
    ims_vectors_filter_close(filter);
    ims_vectors_close(v);
}

TEST_MAIN
