/* The rows and queries of bench_vectors, and what memory gives.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench_vectors.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdio.h>
#include <string.h>

#define BANDWIDTH_BYTES ((size_t)1 << 30)

struct half {
    struct bench *b;
    size_t from, until;
    float *out; /* of row `from` */
    uint64_t sum;
    const uint64_t *words;
    struct ims_thread thread;
};

/* Which row of the set has id i: with --shuffle another one, each once where n has no factor 7919. */
static size_t row_of(const struct bench *b, size_t i)
{
    return b->is_shuffled ? (size_t)((uint64_t)i * 7919 * 7919 % b->n) : i;
}

static void draw_half(void *arg)
{
    struct half *h = arg;

    for (size_t i = h->from; i < h->until; i++)
        synthetic_rows(h->b->set, row_of(h->b, i), 1, h->out + (i - h->from) * h->b->dim);
}

static void sum_half(void *arg)
{
    struct half *h = arg;
    uint64_t sums[8] = { 0 };

    for (size_t i = h->from; i < h->until; i += 8) {
        for (size_t j = 0; j < 8; j++)
            sums[j] += h->words[i + j];
    }
    for (size_t j = 0; j < 8; j++)
        h->sum += sums[j];
}

static void run_halves(struct half *h, unsigned n, void (*fn)(void *))
{
    ims_err err;

    for (unsigned i = 1; i < n; i++)
        bench_must(ims__thread_start(&h[i].thread, "bench", fn, &h[i], &err), &err);
    fn(&h[0]);
    for (unsigned i = 1; i < n; i++)
        ims__thread_join(&h[i].thread);
}

static void draw_part(struct bench *b, size_t from, size_t n, float *out)
{
    size_t half = from + n / 2;
    struct half h[2] = { { .b = b, .from = from, .until = half, .out = out },
                         { .b = b, .from = half, .until = from + n, .out = out + n / 2 * b->dim } };

    run_halves(h, 2, draw_half);
}

void bench_draw_rows(struct bench *b)
{
    b->rows = bench_need(b->n * b->dim, sizeof(float));
    draw_part(b, 0, b->n, b->rows);
}

/* Up to BENCH_SLICE rows, drawn now unless all are there. */
const float *bench_some_rows(struct bench *b, size_t from, size_t n)
{
    if (b->rows)
        return b->rows + from * b->dim;
    draw_part(b, from, n, b->slice);
    return b->slice;
}

void bench_draw_queries(struct bench *b)
{
    b->queries[0] = bench_need(2 * b->n_queries * b->dim, sizeof(float));
    b->queries[1] = b->queries[0] + b->n_queries * b->dim;
    b->slice = bench_need(BENCH_SLICE * b->dim, sizeof(float));
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < b->n_queries; i++)
            synthetic_query(b->set, kind == 1, i, b->queries[kind] + i * b->dim);
    }
    b->truth = truth_new(b->queries[0], 2 * b->n_queries, b->dim, b->filters, b->n_filters);
    if (!b->truth)
        bench_die("out of memory");
}

void bench_measure_bandwidth(struct bench *b)
{
    size_t n = BANDWIDTH_BYTES / 8;
    uint64_t *words = bench_need(n, 8);
    uint64_t sum = 0;

    memset(words, 1, BANDWIDTH_BYTES);
    for (unsigned n_threads = 1; n_threads <= 2; n_threads++) {
        for (int round = 0; round < 5; round++) {
            struct half h[2] = { { .until = n / n_threads, .words = words },
                                 { .from = n / 2, .until = n, .words = words } };
            uint64_t start = ims__mono_ns();
            double rate;

            run_halves(h, n_threads, sum_half);
            rate = (double)BANDWIDTH_BYTES / bench_ms_since(start) / 1e6;
            b->gb_per_s[n_threads] = rate > b->gb_per_s[n_threads] ? rate : b->gb_per_s[n_threads];
            sum += h[0].sum;
        }
    }
    printf("memory     %.1f GB/s on 1 thread, %.1f on 2%s\n", b->gb_per_s[1], b->gb_per_s[2], sum ? "" : "?");
    ims__free(words);
}
