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
#include <time.h>

#define ENOUGH 0.99 /* recall */

static struct series run_rival(struct bench *b, struct rival *r, int kind, int effort, unsigned n_threads,
                               size_t n_queries, double *ms)
{
    struct series s = { .ms = ms };

    for (size_t i = 0; i < n_queries; i++) {
        int64_t got[K];
        uint64_t start = ims__mono_ns();
        size_t n = r->search(r->ctx, b->queries[kind] + i * b->dim, K, effort, b->allowed, n_threads, got);

        ms[s.n++] = bench_ms_since(start);
        bench_count_found(&s, b->wanted[kind] + i * K, got, n);
    }
    return s;
}

/* The smallest effort of 16, 24, 32, 48 ... that is enough. */
void bench_measure_rival(struct bench *b, struct rival *r, unsigned n_threads)
{
    double *ms = bench_need(b->n_queries, sizeof(*ms));

    for (int kind = 0; kind < 2; kind++) {
        size_t n_queries = r->effort_from ? b->n_queries : b->n_queries < 20 ? b->n_queries : 20;
        int effort = r->effort_from;
        struct series s = run_rival(b, r, kind, effort, n_threads, n_queries, ms);
        char rest[64] = "";

        while (r->effort_from && bench_recall(&s) < ENOUGH && effort < r->effort_until) {
            effort = effort & (effort - 1) ? effort / 3 * 4 : effort / 2 * 3;
            s = run_rival(b, r, kind, effort, n_threads, n_queries, ms);
        }
        if (r->effort_from)
            snprintf(rest, sizeof(rest), "ef %d", effort);
        bench_report(&s, r->name, bench_kinds[kind], n_threads, rest);
    }
    ims__free(ms);
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

size_t bench_open_rivals(struct bench *b, struct rival *out)
{
    const char *extension = getenv("IMS_BENCH_SQLITE_VEC");
    size_t n = 0;

    if (has_word(b->rivals, "hnswlib16"))
        n += rival_hnswlib(&out[n], "hnswlib M16", 16);
    if (has_word(b->rivals, "hnswlib32"))
        n += rival_hnswlib(&out[n], "hnswlib M32", 32);
    if (has_word(b->rivals, "faiss"))
        n += rival_faiss(&out[n]);
    if (has_word(b->rivals, "sqlite-vec") && extension)
        n += rival_sqlite_vec(&out[n], extension);
    if (n)
        bench_draw_rows(b);
    for (size_t i = 0; i < n; i++) {
        char *path = ims__strfmt("%s/%s-%s-%zu-%u", b->work, out[i].name, b->family, b->n, b->dim);
        struct ims_file_info file;
        bool was_there = path && ims__stat(path, true, &file, NULL) == IMS_OK;
        uint64_t start = ims__mono_ns();
        clock_t start_cpu = clock();

        if (!path || !out[i].build(out[i].ctx, b->rows, b->n, b->dim, 2, path))
            bench_die("a rival cannot be built");
        printf("  %-18s %s in %.2f s (%.2f s of processor time), %.0f bytes per vector in memory\n", out[i].name,
               was_there ? "loaded" : "built", bench_ms_since(start) / 1e3,
               (double)(clock() - start_cpu) / CLOCKS_PER_SEC, (double)out[i].bytes(out[i].ctx) / (double)b->n);
        fflush(stdout);
        ims__free(path);
    }
    return n;
}

void bench_measure_rival_removal(struct bench *b, struct rival *r)
{
    uint64_t start = ims__mono_ns();

    if (!r->remove)
        return;
    for (size_t i = 0; i < b->n; i += 2)
        (void)r->remove(r->ctx, i);
    printf("  %-18s half marked deleted in %.0f ms; their memory stays\n", r->name, bench_ms_since(start));
}
