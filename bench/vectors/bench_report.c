/* Failures, times and recall of bench_vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench_vectors.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

void bench_die(const char *what)
{
    fprintf(stderr, "bench_vectors: %s\n", what);
    exit(1);
}

void bench_must(ims_status st, const ims_err *err)
{
    if (st)
        bench_die(err->text);
}

void *bench_need(size_t n, size_t size)
{
    void *p = ims__aligned_alloc(64, n, size);

    if (!p)
        bench_die("out of memory");
    return p;
}

double bench_ms_since(uint64_t start)
{
    return (double)(ims__mono_ns() - start) / 1e6;
}

struct cost bench_cost_from(void)
{
    return (struct cost){ .ms = (double)ims__mono_ns() / 1e6, .cpu_ms = (double)ims__process_cpu_ns() / 1e6 };
}

void bench_cost_add(struct cost *sum, struct cost from)
{
    struct cost now = bench_cost_from();

    sum->ms += now.ms - from.ms;
    sum->cpu_ms += now.cpu_ms - from.cpu_ms;
}

void bench_cost_print(const char *what, struct cost c)
{
    printf("  %-18s %s in %.3f s, %.3f s of processor\n", "imgsearch", what, c.ms / 1e3, c.cpu_ms / 1e3);
    fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

void bench_count_found(struct series *s, const int64_t *truth, const int64_t *got, size_t n)
{
    for (size_t i = 0; i < K && truth[i] >= 0; i++) {
        s->n_true++;
        for (size_t j = 0; j < n; j++)
            s->n_found += got[j] == truth[i];
    }
}

double bench_recall(const struct series *s)
{
    return s->n_true ? (double)s->n_found / (double)s->n_true : 1.0;
}

void bench_report(struct series *s, const char *who, const char *kind, unsigned n_threads, const char *rest)
{
    qsort(s->ms, s->n, sizeof(double), by_value);
    printf("  %-18s %-5s %u thread%s  median %8.3f  p99 %8.3f ms  recall %.4f  %s\n", who, kind, n_threads,
           n_threads == 1 ? " " : "s", s->ms[s->n / 2], s->ms[s->n * 99 / 100], bench_recall(s), rest);
    fflush(stdout);
}
