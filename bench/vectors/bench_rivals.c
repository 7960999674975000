/* The rivals in bench_vectors: built or loaded, and asked with more and more effort until it is enough.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench_vectors.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCANS ((size_t)20)

static struct series run_rival(struct bench *b, struct rival *r, int kind, int effort, unsigned n_threads,
                               size_t n_queries, double *ms)
{
    struct series s = { .ms = ms };

    for (size_t i = 0; i < n_queries; i++) {
        int64_t got[K];
        uint64_t start = ims__mono_ns();
        size_t n = r->search(r->ctx, b->queries[kind] + i * b->dim, K, effort, n_threads, got);

        ms[s.n++] = bench_ms_since(start);
        bench_count_found(&s, b->wanted[kind] + i * K, got, n);
    }
    return s;
}

/* What its searches have to read, at the bandwidth that was measured. */
static double floor_ms(struct bench *b, struct rival *r, int kind, int effort, unsigned n_threads, size_t n_queries)
{
    double n_bytes = 0;

    for (size_t i = 0; i < n_queries; i++)
        n_bytes += (double)r->read_bytes(r->ctx, b->queries[kind] + i * b->dim, effort);
    return n_bytes / (double)n_queries / b->gb_per_s[n_threads] / 1e6;
}

/* The smallest effort of 16, 24, 32, 48 ... that is enough; a scan is asked a few queries only. */
static void measure_rival(struct bench *b, struct rival *r, unsigned n_threads)
{
    size_t n_queries = r->effort_from || b->n_queries < SCANS ? b->n_queries : SCANS;
    double *ms = bench_need(b->n_queries, sizeof(*ms));

    for (int kind = 0; kind < 2; kind++) {
        int effort = r->effort_from;
        struct series s = run_rival(b, r, kind, effort, n_threads, n_queries, ms);
        char how[32], rest[96];

        while (r->effort_from && bench_recall(&s) < BENCH_ENOUGH && effort < r->effort_until) {
            effort = effort & (effort - 1) ? effort / 3 * 4 : effort / 2 * 3;
            s = run_rival(b, r, kind, effort, n_threads, n_queries, ms);
        }
        snprintf(how, sizeof(how), r->effort_from ? "ef %d" : "scan", effort);
        snprintf(rest, sizeof(rest), "%s, %zu queries; floor %.3f ms", how, n_queries,
                 floor_ms(b, r, kind, effort, n_threads, n_queries));
        bench_report(&s, r->name, bench_kinds[kind], n_threads, rest);
    }
    ims__free(ms);
}

void bench_measure_rival(struct bench *b, struct rival *r)
{
    if (!r->allow(r->ctx, b->allowed, b->n))
        bench_die("a rival cannot be told what is allowed");
    for (unsigned n_threads = 1; n_threads <= r->max_threads; n_threads++)
        measure_rival(b, r, n_threads);
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
            return true;
    }
    return false;
}

static void print_cost(const struct rival *r, const char *what, struct cost from)
{
    struct cost c = { 0 };

    bench_cost_add(&c, from);
    printf("  %-18s %s in %.2f s (%.2f s of processor time)\n", r->name, what, c.ms / 1e3, c.cpu_ms / 1e3);
    fflush(stdout);
}

/* Built and saved, unless an earlier run did; loaded in any case. */
static void make_rival(struct bench *b, struct rival *r)
{
    char *path = ims__strfmt("%s/%s-%s%s-%zu-%u", b->work, r->name, b->family, b->is_shuffled ? "-shuffled" : "", b->n,
                             b->dim);
    struct ims_file_info file;
    struct cost from = bench_cost_from();
    ims_err err;

    if (!path)
        bench_die("out of memory");
    if (ims__stat(path, true, &file, NULL) != IMS_OK) {
        if (!r->build(r->ctx, b->rows, b->n, b->dim, 2))
            bench_die("a rival cannot be built");
        print_cost(r, "built", from);
        from = bench_cost_from();
        if (!r->save(r->ctx, path))
            bench_die("a rival cannot be saved");
        sync();
        print_cost(r, "saved", from);
        from = bench_cost_from();
    }
    if (!r->load(r->ctx, b->dim, path))
        bench_die("a rival cannot be loaded");
    print_cost(r, "loaded", from);
    bench_must(ims__stat(path, true, &file, &err), &err);
    printf("  %-18s per vector %.0f bytes in memory, %.0f on disk\n", r->name,
           (double)r->bytes(r->ctx) / (double)b->n, (double)file.size_bytes / (double)b->n);
    ims__free(path);
}

static size_t take_if(bool is_there, const char *name)
{
    if (!is_there)
        printf("  %-18s not there\n", name);
    return is_there;
}

size_t bench_open_rivals(struct bench *b, struct rival *out)
{
    const char *extension = getenv("IMS_BENCH_SQLITE_VEC");
    size_t n = 0;

    if (has_word(b->rivals, "hnswlib16"))
        n += take_if(rival_hnswlib(&out[n], "hnswlib M16", 16), "hnswlib M16");
    if (has_word(b->rivals, "hnswlib32"))
        n += take_if(rival_hnswlib(&out[n], "hnswlib M32", 32), "hnswlib M32");
    if (has_word(b->rivals, "faiss"))
        n += take_if(rival_faiss(&out[n]), "faiss");
    if (has_word(b->rivals, "sqlite-vec"))
        n += take_if(extension && rival_sqlite_vec(&out[n], extension), "sqlite-vec");
    if (n)
        bench_draw_rows(b);
    for (size_t i = 0; i < n; i++)
        make_rival(b, &out[i]);
    return n;
}

void bench_measure_rival_inserts(struct bench *b, struct rival *r)
{
    static const size_t groups[] = { 1, 16, 256, 4096 };
    char *path = ims__strfmt("%s/%s-inserts", b->work, r->name);
    size_t id = 0;

    if (!path)
        bench_die("out of memory");
    for (size_t i = 0; r->insert && i < IMS_ARRAY_LEN(groups) && groups[i] <= b->n; i++) {
        size_t first = id;
        uint64_t start;

        if (i == 0)
            (void)unlink(path);
        start = ims__mono_ns();
        for (; bench_ms_since(start) < 1000; id += groups[i]) {
            const float *rows = b->rows + id % (b->n - groups[i] + 1) * b->dim;

            if (!r->insert(r->ctx, path, rows, id, groups[i]))
                bench_die("a rival cannot insert");
        }
        printf("  %-18s durable inserts in groups of %zu: %.0f/s\n", r->name, groups[i],
               (double)(id - first) / bench_ms_since(start) * 1e3);
    }
    ims__free(path);
}

void bench_measure_rival_removal(struct bench *b, struct rival *r)
{
    size_t n = b->n / 2;
    int64_t *ids = bench_need(n, sizeof(*ids));
    uint64_t start;
    double ms;

    for (size_t i = 0; i < n; i++)
        ids[i] = (int64_t)(2 * i);
    start = ims__mono_ns();
    if (!r->remove(r->ctx, ids, n))
        bench_die("a rival cannot remove");
    ms = bench_ms_since(start);
    printf("  %-18s half removed in %.0f ms, %.0f bytes in memory per vector that is left\n", r->name, ms,
           (double)r->bytes(r->ctx) / (double)(b->n - n));
    ims__free(ids);
}
