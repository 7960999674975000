/* The jobs that workers know, one IMS_WORK(func, handler) a line; included where something is made of each.
 * SPDX-License-Identifier: Apache-2.0 */

/* ---- indexing ---- */
IMS_WORK(ingest, ims__work_ingest) /* {path}, or {deep, shallow, registerOnly}: of the watcher */
IMS_WORK(train, ims__work_train)   /* {session, generation, retryFailed} */
IMS_WORK(thumbnails, ims__work_thumbnails) /* {session} */

/* ---- faces ---- */
IMS_WORK(cluster_faces, ims__work_cluster_faces) /* face_work.h has the arguments of these three */
IMS_WORK(cluster_dual, ims__work_cluster_dual)
IMS_WORK(discover, ims__work_discover)
IMS_WORK(train_faces, ims__work_train_faces) /* {epochs, margin, batch, learning_rate, min_faces} */
IMS_WORK(face_session, ims__work_face_session) /* {session, generation} */

/* ---- people ---- */
IMS_WORK(find_more, ims__work_find_more)                   /* {person, prototypes, max, threshold}; 0 or absent: as usual */
IMS_WORK(find_more_centroid, ims__work_find_more_centroid) /* {person, max, threshold} */
IMS_WORK(match, ims__work_match)                           /* {person, expire}: suggestions for one person, 0 = for all */
IMS_WORK(propagate, ims__work_propagate)                   /* {person, face} */

/* ---- upkeep ---- */
