/* The vector index beside hnswlib, faiss and sqlite-vec, in one run on the same drawn rows.
 *
 *   bench_vectors [--n N] [--dim D] [--set c10] [--queries Q] [--miss P] [--work DIR] [--rivals LIST]
 *                 [--only-build] [--only-index] [--skip-rows N] [--shuffle] [--reuse] [--keep] [--one-in LIST]
 *
 *   --rivals   of hnswlib16, hnswlib32, faiss, sqlite-vec, separated by commas; what was not built in is named
 *   --work     where the files of the index and of rivals go; rivals are taken from there the next time
 *              (default build/bench/vectors)
 *   --only-index  builds, saves, rebuilds and opens the index; no queries
 *   --skip-rows  full segments with so many rows are put in order of likeness (built in: 65,536)
 *   --shuffle  the rows come in an order that has nothing to do with their likeness
 *   --reuse    the index of an earlier run in the same folder is taken as it is, and what its full scans found
 *   --keep     no inserts and removals: the index stays for --reuse
 *   --one-in   one row in how many is allowed, separated by commas (default 1,10,100,1000; 1 = no filter)
 *   IMS_BENCH_SQLITE_VEC   path of the extension vec0
 *
 * One query at a time. Times are milliseconds; the floor is what the codes' bytes take at the bandwidth that
 * was measured before. Recall is over the ten best of all rows, found in full while they are drawn; a rival's effort is
 * raised until it reaches 0.99, and one that scans is asked at most 20 queries of a kind. imgsearch is measured as it comes,
 * and with the largest of some probabilities to miss a hit that reaches 0.99 as well. Every query was asked once before it
 * counts, so filters are worked out and files are mapped. Without rivals neither rows nor index need be in memory: ten million take 3 GB and 35 GB
 * of disk while they are put in order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "bench_vectors.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void measure_filters(struct bench *b, const struct bench_own own[3], struct rival *rivals, size_t n_rivals)
{
    for (size_t i = 0; i < b->n_filters; i++) {
        unsigned one_in = b->filters[i];
        struct ims_vectors_filter *f = bench_make_filter(b, one_in);

        b->wanted[0] = truth_of(b->truth, i);
        b->wanted[1] = b->wanted[0] + b->n_queries * K;
        printf("%s %zu x %u, %g %% allowed\n", b->family, b->n, b->dim, 100.0 / one_in);
        for (unsigned n_threads = 1; n_threads <= 2; n_threads++)
            bench_measure_own(b, &own[n_threads], n_threads, f);
        for (size_t r = 0; r < n_rivals; r++)
            bench_measure_rival(b, &rivals[r]);
        ims_vectors_filter_close(f);
    }
}

static void run(struct bench *b)
{
    struct ims_vectors *built = NULL;
    struct bench_own own[3]; /* on 1 and 2 threads */
    struct rival rivals[4];
    size_t n_rivals;
    char *dir = ims__strfmt("%s/index", b->work);
    char *scratch = ims__strfmt("%s/inserts", b->work);

    b->set = synthetic_new(b->family, b->dim, b->n, 1);
    if (!b->set || !dir || !scratch)
        bench_die("no such set, or out of memory");
    bench_draw_queries(b);
    printf("%s %zu x %u\n", b->family, b->n, b->dim);
    bench_measure_bandwidth(b);
    n_rivals = bench_open_rivals(b, rivals);
    if (!b->only_build)
        bench_measure_build(b, dir, &built);
    if (!b->only_build && !b->only_index) {
        bench_open_efforts(b, 1, dir, &own[1]);
        bench_open_efforts(b, 2, dir, &own[2]);
        measure_filters(b, own, rivals, n_rivals);
        bench_close_efforts(&own[1]);
        bench_close_efforts(&own[2]);
        if (!b->is_kept) {
            bench_measure_inserts(b, scratch);
            bench_measure_removal(b, built);
        }
        for (size_t i = 0; !b->is_kept && i < n_rivals; i++) {
            bench_measure_rival_inserts(b, &rivals[i]);
            bench_measure_rival_removal(b, &rivals[i]);
        }
    }
    ims_vectors_close(built);
    for (size_t i = 0; i < n_rivals; i++)
        rivals[i].close(rivals[i].ctx);
    synthetic_free(b->set);
    truth_free(b->truth);
    ims__free(b->allowed);
    ims__free(b->slice);
    ims__free(b->queries[0]);
    ims__free(b->rows);
    ims__free(dir);
    ims__free(scratch);
}

static void take_filters(struct bench *b, const char *list)
{
    for (const char *rest = list; rest; rest = strchr(rest, ',') ? strchr(rest, ',') + 1 : NULL) {
        unsigned one_in = (unsigned)strtoul(rest, NULL, 10);

        if (!one_in || b->n_filters == TRUTH_FILTERS)
            bench_die("--one-in takes up to 8 whole numbers above 0");
        b->filters[b->n_filters++] = one_in;
    }
}

static const char usage[] = "the head of bench/vectors/bench_vectors.c tells the options";

static void take_options(struct bench *b, int argc, char **argv)
{
    enum { N, DIM, SET, QUERIES, MISS, WORK, RIVALS, SKIP_ROWS, ONE_IN, ONLY_BUILD, ONLY_INDEX, SHUFFLE, REUSE, KEEP };
    static const struct option options[] = {
        { "n", required_argument, NULL, N },           { "dim", required_argument, NULL, DIM },
        { "set", required_argument, NULL, SET },       { "queries", required_argument, NULL, QUERIES },
        { "miss", required_argument, NULL, MISS },     { "work", required_argument, NULL, WORK },
        { "rivals", required_argument, NULL, RIVALS }, { "skip-rows", required_argument, NULL, SKIP_ROWS },
        { "one-in", required_argument, NULL, ONE_IN }, { "only-build", no_argument, NULL, ONLY_BUILD },
        { "only-index", no_argument, NULL, ONLY_INDEX }, { "shuffle", no_argument, NULL, SHUFFLE },
        { "reuse", no_argument, NULL, REUSE },         { "keep", no_argument, NULL, KEEP },
        { NULL, 0, NULL, 0 },
    };

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case N: b->n = strtoull(optarg, NULL, 10); break;
        case DIM: b->dim = (uint32_t)strtoul(optarg, NULL, 10); break;
        case SET: b->family = optarg; break;
        case QUERIES: b->n_queries = strtoull(optarg, NULL, 10); break;
        case MISS: b->miss = strtod(optarg, NULL); break;
        case WORK: b->work = optarg; break;
        case RIVALS: b->rivals = optarg; break;
        case SKIP_ROWS: b->tuning.skip_rows = strtoull(optarg, NULL, 10); break;
        case ONE_IN: take_filters(b, optarg); break;
        case ONLY_BUILD: b->only_build = true; break;
        case ONLY_INDEX: b->only_index = true; break;
        case SHUFFLE: b->is_shuffled = true; break;
        case REUSE: b->is_reused = true; break;
        case KEEP: b->is_kept = true; break;
        default: bench_die(usage);
        }
    }
    if (optind < argc)
        bench_die(usage);
    if (!b->n || !b->n_queries || !b->dim || b->dim > 8192)
        bench_die("sizes must be above 0, dimensions at most 8192");
    if (!b->n_filters)
        take_filters(b, "1,10,100,1000");
}

int main(int argc, char **argv)
{
    struct bench b = { .n = 100000, .dim = 512, .family = "c10", .n_queries = 200, .work = "build/bench/vectors",
                       .rivals = "hnswlib16,hnswlib32,faiss,sqlite-vec" };
    ims_err err;

    take_options(&b, argc, argv);
    bench_must(ims__mkdir_p(b.work, &err), &err);
    run(&b);
    return 0;
}
