/* From labels to groups of faces that a person may be named from: rules of photos, quality, users; lasting ids.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_CLUSTER_GROUPS_H
#define IMS_PEOPLE_CLUSTER_GROUPS_H

#include "people/cluster/labels.h"

/* Two faces, by place, of which the user said something. */
struct ims_face_pair {
    uint32_t a, b;
};

struct ims_group_rules {
    const int64_t *photos; /* of each face; two faces of one are two persons, unless must_link says so. NULL: no rule */
    const struct ims_face_pair *must_link; /* the same person: ends in one cluster, whatever else speaks against it */
    size_t n_must_link;
    const struct ims_face_pair *cannot_link; /* two persons */
    size_t n_cannot_link;
    double merge_similarity; /* clusters whose faces have at least this cosine on average become one; > 1: none do */
    size_t min_cluster_size; /* afterwards; what the user linked may be smaller */
};
/* Applies the rules to labels, in this order: must-link joins; where a cluster has two faces that cannot be the same
 * person, the one less like the cluster leaves it and is noise; then clusters are merged, the most similar first, as
 * long as no two of their faces cannot be the same person; then small ones become noise. The mean cosine of all
 * pairs between two clusters is the product of their mean vectors, so a merge costs one vector.
 * IMS_E_INVALID for a pair that is both must-link and cannot-link. */
ims_status ims__groups_apply(struct ims_labels *l, const struct ims_points *points, const struct ims_group_rules *rules,
                             ims_err *err) IMS_MUST_CHECK;

/* Faces of low quality may join a group, and never make or bridge one. l: labels of the clustering of core (a part of
 * all, in the same order); is_core tells for each face of all whether it is in it; graph: of core. Such a face joins the
 * cluster of its most similar core face j when min(cosine, core similarity of j) is no less than what holds the
 * cluster's loosest member: as a leaf of the tree, it would hang no looser. out: labels of all. */
ims_status ims__groups_join(const struct ims_labels *l, const struct ims_graph *graph, unsigned min_samples,
                            const struct ims_points *core, const struct ims_points *all, const bool *is_core,
                            const int64_t *photos, struct ims_labels *out, ims_err *err) IMS_MUST_CHECK;

/* Gives each cluster the id of the earlier cluster with which it shares most faces; no id is given twice, so the larger
 * overlap wins, on equal ones the smaller id. before: of each face, 0 = none. out: n_clusters ids, 0 = a new cluster. A
 * cluster whose members did not change keeps its id. */
ims_status ims__groups_match(const struct ims_labels *l, const int64_t *before, int64_t *out,
                             ims_err *err) IMS_MUST_CHECK;

/* Mean cosine of all pairs of each cluster, 1 for a single face, clamped to 0..1. out: n_clusters. */
ims_status ims__groups_confidence(const struct ims_labels *l, const struct ims_points *points, double *out,
                                  ims_err *err) IMS_MUST_CHECK;

/* Dual clustering, first phase: each face goes to the person whose centroid is nearest, if the cosine is at least
 * threshold. centroids: n_persons unit vectors. Of two faces of one photo only the more similar one is that person, and
 * the other goes to its next best; a photo that has the person already (has) gets it not again, and a face never goes to
 * one that is excluded for it. out: of each face the index of a person, or -1; scores: the cosine. */
struct ims_assign_rules {
    double threshold;
    const int64_t *photos;                                       /* may be NULL */
    bool (*is_excluded)(void *arg, size_t face, size_t person);  /* may be NULL */
    bool (*has)(void *arg, int64_t photo, size_t person);        /* may be NULL */
    void *arg;
};
ims_status ims__groups_assign(const struct ims_points *points, const float *centroids, size_t n_persons,
                              const struct ims_assign_rules *rules, int32_t *out, float *scores,
                              ims_err *err) IMS_MUST_CHECK;

#endif
