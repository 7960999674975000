/* The neighbour graph of a set of faces: what every clustering of it is computed from.
 *
 * Similarity is the cosine, distance is 1 - cosine. The graph holds, for each face, its K most similar
 * faces with their similarities, an upper bound of the similarity to everything that is not listed, and a few
 * further edges ("bridges"). From these the minimum spanning tree of the mutual reachability distance
 * follows, exactly, for every min_samples up to max_samples, without looking at a vector again
 * (docs/notes/clustering.md has the argument).
 *
 * Similarities are computed in double and rounded once, so all results are the same bits whatever the
 * processor, the number of threads, the filter that found the pairs, and the order of the faces.
 *
 * A graph is immutable; any number of threads may read it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_CLUSTER_GRAPH_H
#define IMS_PEOPLE_CLUSTER_GRAPH_H

#include "base/buf.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_kernels;

#define IMS_GRAPH_NEIGHBOURS 64
#define IMS_GRAPH_MAX_SAMPLES 16                    /* default of max_samples */
#define IMS_GRAPH_MAX_POINTS ((size_t)1 << 30)
#define IMS_GRAPH_DEFAULT_BYTES ((size_t)4 << 30)

/* Faces to be clustered. Every vector is finite and of length 1 within 1 %. */
struct ims_points {
    size_t n;
    size_t dim;
    const float *vectors; /* n x dim */
    const int64_t *ids;   /* n of them, rising strictly */
};

typedef enum ims_graph_filter {
    IMS_GRAPH_FILTER_AUTO, /* bytes where they are precise enough, else floats */
    IMS_GRAPH_FILTER_F32,
    IMS_GRAPH_FILTER_U8
} ims_graph_filter;

/* fraction: 0..1 of the phase. Called from the calling thread; false ends the work with IMS_E_CANCELLED. */
typedef bool (*ims_cluster_progress_fn)(void *arg, const char *phase, double fraction);

struct ims_graph_options {
    unsigned n_threads;    /* 0 = 1 */
    unsigned n_neighbours; /* K; 0 = IMS_GRAPH_NEIGHBOURS */
    unsigned max_samples;  /* <= K; 0 = IMS_GRAPH_MAX_SAMPLES */
    ims_graph_filter filter;
    size_t max_bytes; /* of memory beside the vectors; 0 = IMS_GRAPH_DEFAULT_BYTES */
    const struct ims_kernels *kernels; /* NULL = of this processor */
    ims_cluster_progress_fn on_progress; /* may be NULL */
    void *arg;
};

struct ims_graph_edge {
    uint32_t a, b; /* places of two faces */
    float similarity;
};

struct ims_graph {
    size_t n, dim;
    size_t k;           /* neighbours listed for each face: min(K, n - 1) */
    size_t max_samples; /* <= k */
    int64_t *ids;
    uint32_t *neighbours;  /* n x k, most similar first, then by place */
    float *similarities;   /* of them */
    float *bounds;         /* nothing unlisted is more similar; -2 where everything is listed */
    struct ims_graph_edge *bridges;
    size_t n_bridges;
};

/* IMS_E_INVALID names the first id whose vector is not finite or not of unit length, or out of order;
 * IMS_E_LIMIT gives the memory needed and allowed; IMS_E_CANCELLED. */
ims_status ims__graph_build(struct ims_graph **out, const struct ims_points *points,
                            const struct ims_graph_options *options, ims_err *err) IMS_MUST_CHECK;
/* The graph of points from the graph of some of them: only what is new is compared, with everything.
 * IMS_E_UNSUPPORTED when a face of old is missing or so much is new that building anew is faster: build then.
 * Whether the vectors of old faces are still the same, the caller knows. */
ims_status ims__graph_extend(struct ims_graph **out, const struct ims_graph *old, const struct ims_points *points,
                             const struct ims_graph_options *options, ims_err *err) IMS_MUST_CHECK;
void ims__graph_free(struct ims_graph *g);
/* Was the graph made of these very vectors? Every face of it is among the points, and has the cosine with its nearest
 * neighbour that is listed: a vector that changed does not pass. */
bool ims__graph_fits(const struct ims_graph *g, const struct ims_points *points);

/* An edge of the spanning tree; distance is the mutual reachability distance, in double from a float cosine. */
struct ims_tree_edge {
    uint32_t a, b;
    float similarity; /* mutual reachability: min(cosine, core of a, core of b) */
};
/* The n - 1 edges of a minimum spanning tree, most similar first, then by places. min_samples counts
 * as the hdbscan package does: the core distance of a face is that to its min_samples-th neighbour, itself not
 * counted; more than n - 1 is n - 1. IMS_E_LIMIT for more than the graph's max_samples. *out: ims__free; NULL
 * for n < 2. */
ims_status ims__graph_tree(const struct ims_graph *g, unsigned min_samples, struct ims_tree_edge **out,
                           ims_err *err) IMS_MUST_CHECK;
/* The m-th largest similarity of a face, m from 1; 1 for m = 0. */
float ims__graph_core(const struct ims_graph *g, size_t i, size_t m);
/* The cosine that all of this uses: both vectors, and the inverse of their lengths in double. */
float ims__cosine(const float *a, double inverse_a, const float *b, double inverse_b, size_t dim);

/* The graph as bytes, with a checksum, what it was made of (key: the caller's, e.g. model and projection)
 * and a generation. *out: a new buffer. */
ims_status ims__graph_encode(const struct ims_graph *g, const char *key, uint64_t generation, struct ims_buf *out,
                             ims_err *err) IMS_MUST_CHECK;
/* IMS_E_CORRUPT for what is damaged, IMS_E_VERSION for another format or key. */
ims_status ims__graph_decode(struct ims_graph **out, const void *bytes, size_t n, const char *key,
                             uint64_t *out_generation, ims_err *err) IMS_MUST_CHECK;

#endif
