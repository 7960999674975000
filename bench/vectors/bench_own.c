/* Queries of the index in bench_vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench_vectors.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

static const double misses[BENCH_EFFORTS] = { 0, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2 };

struct ims_vectors *bench_open_index(struct bench *b, unsigned n_threads, const char *dir, double miss)
{
    struct ims_vectors_options o = { .dim = b->dim, .n_threads = n_threads, .miss = miss > 0 ? miss : b->miss, .dir = dir,
                                     .key = "bench", .tuning = &b->tuning };
    struct ims_vectors *v = NULL;
    ims_err err;

    bench_must(ims_vectors_open(&v, "embedded", &o, &err), &err);
    return v;
}

void bench_open_efforts(struct bench *b, unsigned n_threads, const char *dir, struct bench_own *out)
{
    for (size_t i = 0; i < BENCH_EFFORTS; i++) {
        out->by_effort[i] = bench_open_index(b, n_threads, dir, misses[i]);
        ims_vectors_warm(out->by_effort[i]);
    }
}

void bench_close_efforts(struct bench_own *own)
{
    for (size_t i = 0; i < BENCH_EFFORTS; i++)
        ims_vectors_close(own->by_effort[i]);
}

struct ims_vectors_filter *bench_make_filter(struct bench *b, unsigned one_in)
{
    struct ims_vectors_filter *f = NULL;
    int64_t *ids = bench_need(b->n, sizeof(*ids));
    size_t n = 0;
    ims_err err;

    ims__free(b->allowed);
    b->allowed = NULL;
    if (one_in > 1) {
        b->allowed = bench_need(b->n, 1);
        for (size_t i = 0; i < b->n; i++) {
            b->allowed[i] = truth_allows(one_in, i);
            if (b->allowed[i])
                ids[n++] = (int64_t)i;
        }
        bench_must(ims_vectors_filter_open(&f, ids, n, &err), &err);
    }
    ims__free(ids);
    return f;
}

/* All queries of a kind, timed and compared. */
struct own_run {
    struct series series;
    double miss, n_coded, n_skipped, n_bytes; /* per query */
    enum ims_vectors_plan plan;
};

static void ask(struct bench *b, struct ims_vectors *v, int kind, struct ims_vectors_filter *f, struct own_run *run)
{
    struct ims_vectors_hit hits[K];
    struct ims_vectors_result r = { .hits = hits };
    ims_err err;

    for (size_t i = 0; i < b->n_queries; i++) {
        struct ims_vectors_query q = { .vector = b->queries[kind] + i * b->dim, .k = K, .filter = f };
        uint64_t start = ims__mono_ns();
        int64_t got[K];

        bench_must(ims_vectors_search_many(v, &q, 1, &r, &err), &err);
        run->series.ms[run->series.n++] = bench_ms_since(start);
        for (size_t k = 0; k < r.n; k++)
            got[k] = hits[k].id;
        bench_count_found(&run->series, b->wanted[kind] + i * K, got, r.n);
        run->n_coded += (double)r.answer.n_coded / (double)b->n_queries;
        run->n_skipped += (double)r.answer.n_skipped / (double)b->n_queries;
        run->n_bytes += (double)r.answer.n_bytes / (double)b->n_queries;
    }
    run->plan = r.answer.plan;
}

static struct own_run measure(struct bench *b, const struct bench_own *own, size_t effort, int kind, struct ims_vectors_filter *f,
                              double *ms)
{
    struct own_run run = { 0 };

    for (int round = 0; round < 2; round++) { /* the first one brings in pages and works out the filter */
        run = (struct own_run){ .series.ms = ms, .miss = misses[effort] };
        ask(b, own->by_effort[effort], kind, f, &run);
    }
    return run;
}

static void report(struct bench *b, struct own_run *run, int kind, unsigned n_threads)
{
    double n_read = run->n_coded * (b->dim / 8.0 + 8) + run->n_bytes * b->dim;
    char who[32] = "imgsearch", rest[160];

    if (run->miss > 0)
        snprintf(who, sizeof(who), "imgsearch %g", run->miss);
    snprintf(rest, sizeof(rest), "%s: %.0f codes, %.0f skipped, %.0f bytes; floor %.3f ms", ims_vectors_plan_name(run->plan),
             run->n_coded, run->n_skipped, run->n_bytes, n_read / b->gb_per_s[n_threads] / 1e6);
    bench_report(&run->series, who, bench_kinds[kind], n_threads, rest);
}

void bench_measure_own(struct bench *b, const struct bench_own *own, unsigned n_threads, struct ims_vectors_filter *f)
{
    double *ms[2] = { bench_need(b->n_queries, sizeof(double)), bench_need(b->n_queries, sizeof(double)) };

    for (int kind = 0; kind < 2; kind++) {
        struct own_run best = measure(b, own, 0, kind, f, ms[0]);

        report(b, &best, kind, n_threads);
        for (size_t i = 1; i < BENCH_EFFORTS && best.plan == IMS_VECTORS_CODES; i++) {
            struct own_run run = measure(b, own, i, kind, f, best.series.ms == ms[0] ? ms[1] : ms[0]);

            if (bench_recall(&run.series) < BENCH_ENOUGH)
                break;
            best = run;
        }
        if (best.miss > 0)
            report(b, &best, kind, n_threads);
    }
    ims__free(ms[0]);
    ims__free(ms[1]);
}
