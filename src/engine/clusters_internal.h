/* What the files of the clustering use cases share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_CLUSTERS_INTERNAL_H
#define IMS_ENGINE_CLUSTERS_INTERNAL_H

#include "engine/clusters.h"
#include "engine/engine_internal.h"
#include "people/cluster/groups.h"
#include "store/faces.h"

/* Faces in memory, by id, and what the store says of each. */
struct ims__face_set {
    size_t n, cap, dim;
    float *vectors;
    int64_t *ids, *contents, *clusters, *persons;
    double *qualities;
    int64_t projection_id; /* the training that the vectors went through; 0 = they are as the model gave them */
};
/* With the active training applied, as everywhere that faces are compared. */
ims_status ims__face_set_load(struct ims__face_set *f, struct ims_engine *e, const struct ims_store_face_filter *filter,
                              ims_err *err) IMS_MUST_CHECK;
void ims__face_set_release(struct ims__face_set *f);
struct ims_points ims__face_set_points(const struct ims__face_set *f);
/* The faces for which is_in holds. */
ims_status ims__face_set_part(struct ims__face_set *out, const struct ims__face_set *f, const bool *is_in,
                              ims_err *err) IMS_MUST_CHECK;

/* Their neighbour graph: stored, extended or computed, and then stored. */
ims_status ims__face_graph(struct ims_graph **out, struct ims_engine *e, int64_t model_id, const struct ims__face_set *f,
                           const struct ims_graph_options *options, bool is_anew, const char **out_from,
                           ims_err *err) IMS_MUST_CHECK;

/* Options with their defaults. */
struct ims_clusters_options ims__clusters_defaults(const struct ims_clusters_options *in);
ims_status ims__clusters_check(const struct ims_clusters_options *o, ims_err *err) IMS_MUST_CHECK;
struct ims_graph_options ims__clusters_graph_options(const struct ims_engine *e, const struct ims_clusters_options *o);
ims_status ims__clusters_model(struct ims_engine *e, int64_t *out_id, ims_err *err) IMS_MUST_CHECK;

/* Clusters the faces without a person and stores the result. */
ims_status ims__clusters_run(struct ims_engine *e, int64_t model_id, const struct ims_clusters_options *o,
                             struct ims_clusters_result *out, ims_err *err) IMS_MUST_CHECK;

#endif
