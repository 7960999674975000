/* What the phases of building a neighbour graph share. For src/people/cluster only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_CLUSTER_INTERNAL_H
#define IMS_PEOPLE_CLUSTER_INTERNAL_H

#include "people/cluster/graph.h"

#include "base/thread.h"
#include "kernels/kernels.h"

#define EVERYTHING_LISTED (-2.0f) /* below every cosine */
#define MAX_WORKERS 64

/* One computation: its input, its threads, whether it was cancelled. */
struct run {
    const struct ims_points *points;
    const struct ims_kernels *kernels;
    struct ims_graph_options options; /* defaults filled in */
    double *inverse;                  /* 1 / length of each vector */
    double length_slack;              /* how far a product of two inverses may be from 1 */
    atomic_bool is_cancelled;
};
ims_status ims__run_init(struct run *r, const struct ims_points *points, const struct ims_graph_options *options,
                         ims_err *err) IMS_MUST_CHECK;
void ims__run_release(struct run *r);
float ims__run_cosine(const struct run *r, size_t i, size_t j);
/* Tells the caller; false = stop. Only from the calling thread. */
bool ims__run_report(struct run *r, const char *phase, double fraction);
/* fn(arg, worker) in each thread; worker 0 is the calling thread. Threads that do not start are done without. */
void ims__run_parallel(struct run *r, void (*fn)(void *arg, unsigned worker), void *arg);

/* A score and a place in one number that sorts by score, equal scores by place: larger is better. */
uint64_t ims__rank_key(float score, uint32_t place);
float ims__rank_score(uint64_t key);
uint32_t ims__rank_place(uint64_t key);
/* Moves the n_best largest keys to the front, in any order. */
void ims__rank_select(uint64_t *keys, size_t n, size_t n_best);
void ims__rank_sort(uint64_t *keys, size_t n); /* largest first */
float ims__rank_lowest(const uint64_t *keys, size_t n);

/* Vectors as bytes, byte b standing for (b - 128) * step; or the vectors themselves. A score of either times
 * unit is the cosine, off by at most the margin of one of the two. */
struct filter {
    bool is_u8;
    double unit;
    float *margins; /* of each face, by place in the set */
    uint8_t *bytes; /* one row per place in the order of the sweep, and some empty ones behind */
    size_t stride;
    float step;
};
/* Rows in the order given (NULL: as they are). */
ims_status ims__filter_init(struct filter *f, struct run *r, bool is_u8, ims_err *err) IMS_MUST_CHECK;
void ims__filter_order(struct filter *f, struct run *r, const uint32_t *order);
void ims__filter_release(struct filter *f);

struct hit {
    uint32_t row, col; /* places in the order of the sweep */
    float score;
};

#define SWEEP_BLOCK 480 /* rows, and columns, handled at a time: a multiple of every tier's tile */

/* Scores rows 0 .. n_rows - 1 against all later places, in parallel, and hands over the pairs whose score is above
 * the lower of their two bounds. */
struct sweep {
    struct run *run;
    const struct filter *filter;
    const uint32_t *order; /* the place in the set of each row; NULL = the same */
    size_t n, n_rows;
    const char *phase;
    /* Fills the bounds, in units of scores, of n places from first on (a multiple of SWEEP_BLOCK). */
    void (*bounds)(void *arg, size_t first, size_t n, float *out);
    /* May every pair of the two blocks be passed over? (optional) */
    bool (*skips)(void *arg, size_t row_first, size_t n_rows, size_t col_first, size_t n_cols);
    ims_status (*take)(void *arg, const struct hit *hits, size_t n);
    void *arg;
};
ims_status ims__sweep(struct sweep *s, ims_err *err) IMS_MUST_CHECK;

/* Fills neighbours, similarities and bounds of g. */
ims_status ims__lists_build(struct ims_graph *g, struct run *r, struct filter *f, ims_err *err) IMS_MUST_CHECK;
/* Settles the core similarities of n faces: afterwards nothing unlisted is above the max_samples-th neighbour. */
ims_status ims__lists_refine(struct ims_graph *g, struct run *r, struct filter *f, const uint32_t *places, size_t n,
                             ims_err *err) IMS_MUST_CHECK;
/* k keys, sorted, become the list of face i. */
void ims__lists_store(struct ims_graph *g, size_t i, const uint64_t *keys);

/* --- components that grow along edges of the tree --- */

struct forest {
    const struct ims_graph *g;
    size_t n, n_components;
    uint32_t *parent;
    uint32_t *comp;   /* of each place its root, as of the last ims__forest_flatten */
    float *core;
    struct ims_tree_edge *edges; /* n - 1 of them when complete */
    size_t n_edges;
};
ims_status ims__forest_init(struct forest *f, const struct ims_graph *g, unsigned min_samples,
                            ims_err *err) IMS_MUST_CHECK;
void ims__forest_release(struct forest *f);
uint32_t ims__forest_find(struct forest *f, uint32_t i);
void ims__forest_flatten(struct forest *f);
/* Boruvka's rounds over the lists. is_certified: only edges that the lists prove to be in a minimum spanning tree;
 * else the best that is listed, until nothing listed leaves a component. */
ims_status ims__forest_grow(struct forest *f, bool is_certified, ims_err *err) IMS_MUST_CHECK;

ims_status ims__graph_new(struct ims_graph **out, size_t n, size_t dim, size_t k, size_t max_samples,
                          ims_err *err) IMS_MUST_CHECK;
/* The second pass: fills the bridges of g. rows as in ims__bridges_search. */
ims_status ims__graph_bridge(struct ims_graph *g, struct run *r, struct filter *f, const uint32_t *rows, size_t n_rows,
                             ims_err *err) IMS_MUST_CHECK;

/* --- the rest of the tree --- */

/* Edges between components that may be in the tree. Kept small: when there are too many, only a spanning forest of
 * them stays. */
struct bridges {
    const struct forest *base;
    uint32_t *index;  /* of each place, its component: 0 .. n_components - 1 */
    size_t n_components;
    float *reach;     /* of each component: nothing below the lower reach of two components can link them better than
                       * known edges do */
    uint32_t *first, *next; /* scratch: adjacency */
    struct ims_graph_edge *edges; /* similarity: mutual reachability */
    size_t n_edges, capacity;
};
ims_status ims__bridges_init(struct bridges *b, const struct forest *certified, struct run *r,
                             ims_err *err) IMS_MUST_CHECK;
void ims__bridges_release(struct bridges *b);
ims_status ims__bridges_add(struct bridges *b, uint32_t i, uint32_t j, float weight) IMS_MUST_CHECK;
/* All edges of the lists, and of more, that may matter. */
ims_status ims__bridges_add_known(struct bridges *b, const struct ims_graph *g, ims_err *err) IMS_MUST_CHECK;
/* Leaves only a maximum spanning forest. */
ims_status ims__bridges_reduce(struct bridges *b) IMS_MUST_CHECK;
/* All pairs that the lists leave open. rows: NULL, or n_rows places to which the search is limited. */
ims_status ims__bridges_search(struct bridges *b, struct run *r, struct filter *f, const uint32_t *rows,
                               size_t n_rows, ims_err *err) IMS_MUST_CHECK;

#endif
