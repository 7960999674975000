/* Grouping faces as clients ask for it: arguments and result as JSON, at once or as a background job.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_FACE_WORK_H
#define IMS_ENGINE_FACE_WORK_H

#include "base/json.h"
#include "engine/clusters.h"

/* Jobs of these names take these arguments and leave these results. A library in which no face model ever looked gives
 * a result of zeros. IMS_E_LIMIT: more than max_faces are waiting (0: any number). *out: ims__json_free.
 *
 * "cluster_faces" {method, min_quality, min_size, eps, max_faces} -> {totalFaces, clustersFound, noiseCount}
 * "discover"      the same and min_confidence, which is noted as that of the last discovery (ims_face_work_discovery)
 * "cluster_dual"  {threshold, method, min_size, eps, max_faces} -> {total_processed, assigned_to_people, unknown_clusters,
 *                 still_unlabeled} */
ims_status ims_face_work_cluster(struct ims_engine *e, const ims_json *args, ims_clusters_progress_fn on_progress,
                                 void *arg, ims_json **out, ims_err *err) IMS_MUST_CHECK;
ims_status ims_face_work_dual(struct ims_engine *e, const ims_json *args, ims_clusters_progress_fn on_progress, void *arg,
                              ims_json **out, ims_err *err) IMS_MUST_CHECK;
#define IMS_FACE_WORK_MIN_CONFIDENCE 0.70 /* of a group of unknown faces */
/* When unknown persons were last looked for (0 = never), and from which confidence of a group on. */
ims_status ims_face_work_discovery(struct ims_engine *e, int64_t *out_us, double *out_min_confidence,
                                   ims_err *err) IMS_MUST_CHECK;
/* Faces that nobody named, of the face model that serves. */
ims_status ims_face_work_waiting(struct ims_engine *e, int64_t *out, ims_err *err) IMS_MUST_CHECK;

#endif
