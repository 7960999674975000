/* Clusterings read off a neighbour graph: HDBSCAN, DBSCAN, average linkage.
 *
 * Every one is a function of the set of faces alone: neither their order nor a random number matters. Labels
 * are numbered by the first face of each cluster.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_CLUSTER_LABELS_H
#define IMS_PEOPLE_CLUSTER_LABELS_H

#include "people/cluster/graph.h"

#define IMS_NOISE (-1)

struct ims_labels {
    size_t n, n_clusters;
    int32_t *labels;      /* 0 .. n_clusters - 1, or IMS_NOISE */
    float *probabilities; /* 0..1, how firmly a face belongs to its cluster; 0 for noise */
    float *outlier_scores; /* 0..1: GLOSH; 0 where the method gives none */
    float *reaches;       /* of each cluster: the mutual reachability similarity with which its loosest member hangs on;
                           * n of them, those past n_clusters mean nothing */
};
void ims__labels_release(struct ims_labels *l);

struct ims_hdbscan_options {
    unsigned min_cluster_size; /* >= 2 */
    unsigned min_samples;      /* 0 = min_cluster_size */
    double epsilon;            /* clusters that split below this distance stay together; 0 = off */
    bool use_leaves;           /* the smallest clusters of the hierarchy instead of those with most excess of mass */
    bool allow_single;         /* may everything be one cluster? */
};
/* As the hdbscan package 0.8 with metric "precomputed" on 1 - cosine: condensed tree, excess of mass or
 * leaves, probabilities, GLOSH. Edges of equal length are taken at once, which makes the result independent of their
 * order; the package takes them as they come. IMS_E_INVALID, IMS_E_LIMIT as ims__graph_tree. */
ims_status ims__hdbscan(const struct ims_graph *g, const struct ims_hdbscan_options *options, struct ims_labels *out,
                        ims_err *err) IMS_MUST_CHECK;

/* As scikit-learn's DBSCAN with metric "cosine": a face with at least min_samples faces (itself counted) within eps
 * is a core; cores within eps share a cluster; another face within eps of a core joins the cluster whose
 * first core comes first. eps: 0..2. */
ims_status ims__dbscan(const struct ims_graph *g, double eps, unsigned min_samples, struct ims_labels *out,
                       ims_err *err) IMS_MUST_CHECK;

/* As scikit-learn's AgglomerativeClustering with linkage "average", metric "cosine" and distance_threshold: clusters
 * join while their mean distance is below the threshold (0..2). Works on each single-linkage component alone;
 * IMS_E_LIMIT when the largest needs more than max_bytes (0 = the default), IMS_E_CANCELLED. */
ims_status ims__average_linkage(const struct ims_graph *g, const struct ims_points *points, double threshold,
                                const struct ims_graph_options *options, struct ims_labels *out,
                                ims_err *err) IMS_MUST_CHECK;

/* For the implementers of the above: room for n faces, all noise; and numbering by first face (labels may be any
 * number in 0 .. n - 1; reaches is set up with n_clusters times -1). */
ims_status ims__labels_init(struct ims_labels *l, size_t n, ims_err *err) IMS_MUST_CHECK;
ims_status ims__labels_number(struct ims_labels *l, ims_err *err) IMS_MUST_CHECK;

#endif
