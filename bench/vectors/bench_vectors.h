/* What the parts of bench_vectors share: the run's settings and data, and how a failure, a time and a recall are told.
 * A failure ends the program.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BENCH_VECTORS_H
#define IMS_BENCH_VECTORS_H

#include "ims/status.h"
#include "rivals.h"
#include "synthetic.h"
#include "truth.h"
#include "vectors/vectors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define K TRUTH_K
#define BENCH_ENOUGH 0.99 /* recall */
#define BENCH_EFFORTS 7
#define BENCH_SLICE ((size_t)65536) /* rows drawn at once, unless rivals need all of them */

struct bench {
    size_t n;
    uint32_t dim;
    const char *family, *work, *rivals;
    size_t n_queries;
    double miss;
    bool only_build, only_index, is_shuffled, is_reused, is_kept;
    struct ims_vectors_tuning tuning;
    struct synthetic *set;
    float *rows;         /* all of them, for rivals; else NULL */
    float *slice;        /* room for BENCH_SLICE of them */
    float *queries[2];   /* pictures, texts; one behind the other */
    uint8_t *allowed;    /* of the present filter; NULL = all */
    unsigned filters[TRUTH_FILTERS]; /* one in so many is allowed */
    size_t n_filters;
    struct truth *truth; /* of all queries, pictures first */
    const int64_t *wanted[2]; /* of the present filter: n_queries x K; -1 where there are fewer */
    double gb_per_s[3]; /* on 1 and 2 threads */
};

static const char *const bench_kinds[] = { "image", "text" };

/* ---- bench_report.c ---- */

_Noreturn void bench_die(const char *what);
void bench_must(ims_status st, const ims_err *err);
/* n * size bytes on a cache line; ims__free */
void *bench_need(size_t n, size_t size);
double bench_ms_since(uint64_t start_ns);

/* Of a piece of work: what passed, and the processor's time of all threads. */
struct cost {
    double ms, cpu_ms;
};
struct cost bench_cost_from(void);
void bench_cost_add(struct cost *sum, struct cost from);
void bench_cost_print(const char *what, struct cost c);

struct series {
    double *ms;
    size_t n, n_found, n_true;
};
/* truth: K ids, -1 where there are fewer; got: n. */
void bench_count_found(struct series *s, const int64_t *truth, const int64_t *got, size_t n);
double bench_recall(const struct series *s);
/* Sorts the times. */
void bench_report(struct series *s, const char *who, const char *kind, unsigned n_threads, const char *rest);

/* ---- bench_rows.c ---- */

void bench_draw_queries(struct bench *b);
void bench_draw_rows(struct bench *b);
/* n <= BENCH_SLICE rows, drawn now unless all are there; until the next call. */
const float *bench_some_rows(struct bench *b, size_t from, size_t n);
void bench_measure_bandwidth(struct bench *b);

/* ---- bench_own.c ---- */

/* miss: the probability to miss a hit; 0: as b says */
struct ims_vectors *bench_open_index(struct bench *b, unsigned n_threads, const char *dir, double miss);
/* The index, and the same with less effort: larger probabilities to miss a hit. */
struct bench_own {
    struct ims_vectors *by_effort[BENCH_EFFORTS]; /* the first one as it comes, then less and less */
};
void bench_open_efforts(struct bench *b, unsigned n_threads, const char *dir, struct bench_own *out);
void bench_close_efforts(struct bench_own *own);
/* Sets b->allowed too. NULL where all are. */
struct ims_vectors_filter *bench_make_filter(struct bench *b, unsigned one_in);
/* As it comes, and with the least effort that is enough, where that is less. */
void bench_measure_own(struct bench *b, const struct bench_own *own, unsigned n_threads, struct ims_vectors_filter *f);

/* ---- bench_build.c ---- */

/* Leaves the index open in *out. */
void bench_measure_build(struct bench *b, const char *dir, struct ims_vectors **out);
void bench_measure_inserts(struct bench *b, const char *dir);
void bench_measure_removal(struct bench *b, struct ims_vectors *v);

/* ---- bench_rivals.c ---- */

/* Those that were asked for and are built in; how many of 4 places. */
size_t bench_open_rivals(struct bench *b, struct rival *out);
/* Under the present filter, on as many threads as it can use. */
void bench_measure_rival(struct bench *b, struct rival *r);
void bench_measure_rival_inserts(struct bench *b, struct rival *r);
void bench_measure_rival_removal(struct bench *b, struct rival *r);

#endif
