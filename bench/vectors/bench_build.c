/* How long the index takes to be built, saved, opened, rebuilt, added to and halved.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench_vectors.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH 8192
#define SAVE_ROWS ((size_t)1 << 20) /* rows after which the index is saved: it needs memory for so many */

/* rows: of the ids from .. until - 1 */
static void add_rows(struct bench *b, struct ims_vectors *v, const float *rows, size_t from, size_t until, size_t batch)
{
    int64_t ids[BATCH];
    ims_err err;

    for (size_t n; from < until; from += n, rows += n * b->dim) {
        n = until - from < batch ? until - from : batch;
        for (size_t i = 0; i < n; i++)
            ids[i] = (int64_t)(from + i);
        bench_must(ims_vectors_add(v, ids, rows, n, &err), &err);
    }
}

/* What was found in full is kept beside the index. */
static char *truth_path(const struct bench *b, unsigned one_in)
{
    char *path = ims__strfmt("%s/truth-%s%s-%zu-%u-%zu-%u", b->work, b->family, b->is_shuffled ? "-shuffled" : "", b->n,
                             b->dim, b->n_queries, one_in);

    if (!path)
        bench_die("out of memory");
    return path;
}

static bool load_truth(struct bench *b)
{
    bool is_there = true;

    for (size_t i = 0; is_there && i < b->n_filters; i++) {
        char *path = truth_path(b, b->filters[i]);

        is_there = truth_load(b->truth, i, path);
        ims__free(path);
    }
    return is_there;
}

static void save_truth(struct bench *b)
{
    for (size_t i = 0; i < b->n_filters; i++) {
        char *path = truth_path(b, b->filters[i]);

        if (!truth_save(b->truth, i, path))
            bench_die("what was found cannot be kept");
        ims__free(path);
    }
}

/* Every row passes by once: what the full scan finds is noted, and the row is added to the index (NULL: it is there).
 * Saved as it grows, so that neither the rows nor the index need be in memory. */
static void pass_rows(struct bench *b, struct ims_vectors *v, struct cost *build, struct cost *save)
{
    ims_err err;

    for (size_t from = 0, n; from < b->n; from += n) {
        const float *rows;
        struct cost start;

        n = b->n - from < BENCH_SLICE ? b->n - from : BENCH_SLICE;
        rows = bench_some_rows(b, from, n);
        if (!b->only_index)
            truth_pass(b->truth, rows, from, n);
        if (b->n > SAVE_ROWS)
            fprintf(stderr, "\r%zu of %zu rows", from + n, b->n);
        if (!v)
            continue;
        start = bench_cost_from();
        add_rows(b, v, rows, from, from + n, BATCH);
        bench_cost_add(build, start);
        if ((from + n) % SAVE_ROWS && from + n < b->n)
            continue;
        start = bench_cost_from();
        bench_must(ims_vectors_save(v, (int64_t)(from + n), &err), &err);
        bench_cost_add(save, start);
    }
    if (b->n > SAVE_ROWS)
        fprintf(stderr, "\n");
    if (!b->only_index)
        save_truth(b);
}

/* Every file of codes is cut off, as a damaged disk would: the index comes back from its rows. */
static void damage_codes(const char *dir)
{
    DIR *d = opendir(dir);

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char *path = ims__path_join(dir, e->d_name);

        if (strncmp(e->d_name, "codes-", 6) == 0 && (!path || truncate(path, 100) != 0))
            bench_die("a file of codes cannot be cut");
        ims__free(path);
    }
    if (d)
        closedir(d);
}

static void measure_rebuild(struct bench *b, const char *dir)
{
    struct cost rebuild = { 0 }, save = { 0 }, start;
    struct ims_vectors *v;
    ims_err err;

    damage_codes(dir);
    start = bench_cost_from();
    v = bench_open_index(b, 2, dir, 0);
    bench_cost_add(&rebuild, start);
    bench_cost_print("rebuilt from rows", rebuild);
    start = bench_cost_from();
    bench_must(ims_vectors_save(v, (int64_t)b->n, &err), &err);
    bench_cost_add(&save, start);
    bench_cost_print("codes saved", save);
    ims_vectors_close(v);
}

void bench_measure_build(struct bench *b, const char *dir, struct ims_vectors **out)
{
    struct ims_vectors *v = bench_open_index(b, 2, dir, 0);
    struct ims_vectors_info info;
    bool is_there = b->is_reused && ims_vectors_count(v) == b->n;
    struct cost build = { 0 }, save = { 0 }, load = { 0 }, from;
    uint64_t start;
    ims_err err;

    if (!is_there)
        bench_must(ims_vectors_clear(v, &err), &err);
    if (!is_there || !load_truth(b))
        pass_rows(b, is_there ? NULL : v, &build, &save);
    ims_vectors_close(v);
    if (!is_there) {
        bench_cost_print("built", build);
        bench_cost_print("saved", save);
    }
    if (b->only_index)
        measure_rebuild(b, dir);
    from = bench_cost_from();
    v = bench_open_index(b, 2, dir, 0);
    bench_cost_add(&load, from);
    bench_cost_print("opened", load);
    ims_vectors_info(v, &info);
    start = ims__mono_ns();
    ims_vectors_warm(v);
    printf("  %-18s bytes brought into memory in %.1f ms\n", "imgsearch", bench_ms_since(start));
    printf("  %-18s per vector %.1f bytes hot, %.0f on disk, %.0f in memory for all\n", "imgsearch",
           (double)info.code_bytes / (double)info.n_coded, (double)info.disk_bytes / (double)b->n, (double)info.memory_bytes / (double)b->n);
    printf("  %-18s %zu of %zu segments in order of likeness\n", "imgsearch", info.n_ordered, info.n_segments);
    *out = v;
}

void bench_measure_inserts(struct bench *b, const char *dir)
{
    static const size_t batches[] = { 1, 16, 256, 4096 };
    size_t most = b->n < 60000 ? b->n : 60000;
    const float *rows = bench_some_rows(b, 0, most);
    ims_err err;

    for (size_t i = 0; i < IMS_ARRAY_LEN(batches); i++) {
        struct ims_vectors *v = bench_open_index(b, 1, dir, 0);
        uint64_t start;
        size_t n = 0;

        bench_must(ims_vectors_clear(v, &err), &err);
        start = ims__mono_ns();
        while (bench_ms_since(start) < 1000 && n + batches[i] <= most) {
            add_rows(b, v, rows + n * b->dim, n, n + batches[i], batches[i]);
            n += batches[i];
            bench_must(ims_vectors_save(v, (int64_t)n, &err), &err);
        }
        printf("  %-18s durable inserts in groups of %zu: %.0f/s\n", "imgsearch", batches[i],
               (double)n / bench_ms_since(start) * 1e3);
        bench_must(ims_vectors_clear(v, &err), &err);
        ims_vectors_close(v);
    }
}

void bench_measure_removal(struct bench *b, struct ims_vectors *v)
{
    int64_t *ids = bench_need(b->n / 2, sizeof(*ids));
    uint64_t start = ims__mono_ns();
    double remove_ms;
    ims_err err;

    for (size_t i = 0; i < b->n / 2; i++)
        ids[i] = (int64_t)(2 * i);
    bench_must(ims_vectors_remove(v, ids, b->n / 2, &err), &err);
    remove_ms = bench_ms_since(start);
    start = ims__mono_ns();
    bench_must(ims_vectors_save(v, 2, &err), &err);
    printf("  %-18s half removed in %.0f ms, written anew without them in %.2f s\n", "imgsearch", remove_ms,
           bench_ms_since(start) / 1e3);
    ims__free(ids);
}
