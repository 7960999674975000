/* What the handlers about groups of unknown faces share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_UNKNOWN_H
#define IMS_HTTP_API_API_UNKNOWN_H

#include "http/api/api_faces.h"

/* A group: a cluster with faces that nobody named. */
struct ims__group {
    const struct ims_store_cluster *cluster;
    bool is_dismissed;
};
struct ims__groups {
    struct ims_arena arena;
    int64_t model_id;
    struct ims__group *list;
    size_t n;
    size_t n_dismissed;
};
/* All there are, most faces first; in g->arena, which the caller releases, also after a failure. */
ims_status ims__api_groups(struct ims_http_context *cx, struct ims__groups *g, ims_err *err) IMS_MUST_CHECK;
double ims__group_confidence(const struct ims_store_cluster *c); /* 0..1 */

/* The faces of a cluster, best first. */
ims_status ims__api_group_faces(struct ims_http_context *cx, const struct ims_store_cluster *c, struct ims_arena *arena,
                                struct ims_store_face **out, size_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* The first `limit` of them that nobody named. NULL: no memory. */
ims_json *ims__api_unknown_faces(const struct ims_store_face *faces, size_t n, size_t limit);
/* What all replies about a group have, of all its faces. */
ims_status ims__put_group(ims_json *o, const struct ims_store_cluster *c, const struct ims_store_face *faces, size_t n,
                          struct ims_arena *arena, ims_err *err) IMS_MUST_CHECK;

#endif
