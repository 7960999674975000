/* Queries of the index in bench_vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench_vectors.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

struct ims_vectors *bench_open_index(struct bench *b, unsigned n_threads, const char *dir)
{
    struct ims_vectors_options o = {
        .dim = b->dim, .n_threads = n_threads, .miss = b->miss, .dir = dir, .key = "bench", .tuning = &b->tuning
    };
    struct ims_vectors *v = NULL;
    ims_err err;

    bench_must(ims_vectors_open(&v, "embedded", &o, &err), &err);
    return v;
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

void bench_measure_own(struct bench *b, struct ims_vectors *v, unsigned n_threads, struct ims_vectors_filter *f)
{
    double *ms = bench_need(b->n_queries, sizeof(*ms));
    ims_err err;

    for (int kind = 0; kind < 2; kind++) {
        struct series s = { .ms = ms };
        double n_coded = 0, n_bytes = 0, n_skipped = 0, floor_ms;
        struct ims_vectors_hit hits[K];
        struct ims_vectors_result r = { .hits = hits };
        char rest[160];

        for (size_t i = 0; i < b->n_queries; i++) {
            struct ims_vectors_query q = { .vector = b->queries[kind] + i * b->dim, .k = K, .filter = f };
            uint64_t start = ims__mono_ns();
            int64_t got[K];

            bench_must(ims_vectors_search_many(v, &q, 1, &r, &err), &err);
            ms[s.n++] = bench_ms_since(start);
            for (size_t k = 0; k < r.n; k++)
                got[k] = hits[k].id;
            bench_count_found(&s, b->wanted[kind] + i * K, got, r.n);
            n_coded += (double)r.answer.n_coded;
            n_skipped += (double)r.answer.n_skipped;
            n_bytes += (double)r.answer.n_bytes;
        }
        n_coded /= (double)b->n_queries;
        n_bytes /= (double)b->n_queries;
        floor_ms = (n_coded * (b->dim / 8.0 + 8) + n_bytes * b->dim) / b->gb_per_s[n_threads] / 1e6;
        snprintf(rest, sizeof(rest), "%s: %.0f codes, %.0f skipped, %.0f bytes; floor %.3f ms",
                 ims_vectors_plan_name(r.answer.plan), n_coded, n_skipped / (double)b->n_queries, n_bytes, floor_ms);
        bench_report(&s, "imgsearch", bench_kinds[kind], n_threads, rest);
    }
    ims__free(ms);
}
