/* The use cases about groups of faces without a name: cluster them, sort known ones out first, split a group.
 *
 * All work on the faces of the serving face model that have no person. Results are stored in one transaction, so a
 * cancelled or failed run leaves everything as it was. A cluster keeps its id as long as it shares more faces with its
 * earlier self than with any other. One thread at a time per engine.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_CLUSTERS_H
#define IMS_ENGINE_CLUSTERS_H

#include "ims/engine.h"

typedef enum ims_clusters_method {
    IMS_CLUSTERS_HDBSCAN,
    IMS_CLUSTERS_DBSCAN,
    IMS_CLUSTERS_AGGLOMERATIVE
} ims_clusters_method;
/* "hdbscan", "dbscan", "agglomerative"; IMS_E_INVALID names them for another word. */
ims_status ims_clusters_method_of(const char *word, ims_clusters_method *out, ims_err *err) IMS_MUST_CHECK;
const char *ims_clusters_method_name(ims_clusters_method method);

#define IMS_CLUSTERS_MIN_SIZE 3
#define IMS_CLUSTERS_MIN_SAMPLES 3
#define IMS_CLUSTERS_EPS 0.5            /* cosine distance: DBSCAN and agglomerative */
#define IMS_CLUSTERS_MIN_QUALITY 0.3    /* the least for a face that makes clusters; worse ones may join */
#define IMS_CLUSTERS_MERGE 0.5          /* clusters of this mean cosine become one */
#define IMS_CLUSTERS_PERSON 0.7         /* cosine with a person's centroid, dual mode */

/* fraction: of the phase; false cancels. */
typedef bool (*ims_clusters_progress_fn)(void *arg, const char *phase, double fraction);

struct ims_clusters_options {
    ims_clusters_method method;
    unsigned min_cluster_size; /* 0 = IMS_CLUSTERS_MIN_SIZE */
    unsigned min_samples;      /* 0 = IMS_CLUSTERS_MIN_SAMPLES */
    double eps;                /* DBSCAN, agglomerative; negative = IMS_CLUSTERS_EPS. HDBSCAN: clusters that split below
                                * this distance stay together, negative = 0 */
    double min_quality;        /* negative = IMS_CLUSTERS_MIN_QUALITY */
    double merge_similarity;   /* negative = IMS_CLUSTERS_MERGE; above 1: none are merged */
    bool use_leaves;           /* HDBSCAN: the smallest clusters */
    bool is_anew;              /* do not use the stored neighbour lists */
    size_t max_bytes;          /* of memory; 0 = 4 GiB */
    double person_threshold;   /* dual; negative = IMS_CLUSTERS_PERSON */
    ims_clusters_progress_fn on_progress; /* may be NULL */
    void *arg;
};

struct ims_clusters_result {
    size_t faces;       /* looked at */
    size_t low_quality; /* of them: could only join */
    size_t clusters, clustered, noise; /* faces == assigned + clustered + noise */
    size_t kept;        /* clusters that have their id from before */
    size_t assigned;    /* dual: to persons */
    size_t persons;     /* dual: that they were compared with */
    double seconds;
    const char *lists;  /* "stored", "extended" or "computed": where the neighbour lists came from; "" without faces */
};

/* IMS_E_NOT_FOUND when no face model has looked at this library. */
ims_status ims_engine_cluster_faces(struct ims_engine *e, const struct ims_clusters_options *options,
                                    struct ims_clusters_result *out, ims_err *err) IMS_MUST_CHECK;

/* First every face without a person goes to the person whose centroid (mean of the named faces) is nearest, from
 * person_threshold on; never twice in a photo and never against "not this person". One event, which can be undone. The
 * others are clustered. */
ims_status ims_engine_cluster_dual(struct ims_engine *e, const struct ims_clusters_options *options,
                                   struct ims_clusters_result *out, ims_err *err) IMS_MUST_CHECK;

/* Looks for clusters within one cluster. New ones get new ids; what belongs to none of them stays in the old one.
 * IMS_E_NOT_FOUND when the cluster vanished; IMS_E_CONSTRAINT when it has fewer than 2 x min_cluster_size faces.
 * *out_ids (ims_engine_free) has *out_n new ids: 0 or at least 2. */
ims_status ims_engine_split_cluster(struct ims_engine *e, int64_t cluster_id, unsigned min_cluster_size, int64_t **out_ids,
                                    size_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* Two clusters of faces without a person that may be one person. */
struct ims_clusters_pair {
    int64_t a, b; /* a < b */
    double similarity; /* cosine of their mean vectors */
    size_t n_a, n_b;   /* faces without a person */
};
/* The pairs with at least that similarity, most alike first, of the IMS_CLUSTERS_MAX_COMPARED largest clusters. out has
 * room for max_pairs; *out_n_compared clusters were looked at. */
#define IMS_CLUSTERS_MAX_COMPARED 1000
ims_status ims_engine_alike_clusters(struct ims_engine *e, double min_similarity, size_t max_pairs,
                                     struct ims_clusters_pair *out, size_t *out_n, size_t *out_n_compared,
                                     ims_err *err) IMS_MUST_CHECK;
/* The faces of `from` go to `into`, and `from` is gone. IMS_E_INVALID for a cluster into itself, IMS_E_NOT_FOUND. */
ims_status ims_engine_merge_clusters(struct ims_engine *e, int64_t into, int64_t from, size_t *out_n_faces,
                                     size_t *out_n_moved, ims_err *err) IMS_MUST_CHECK;

#endif
