/* What the handlers about faces and people share: shapes of the contract, finding what a path names, starting work.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_FACES_H
#define IMS_HTTP_API_API_FACES_H

#include "engine/people.h"
#include "http/api/api.h"
#include "http/api/api_ids.h"
#include "store/persons.h"

#define IMS_API_NO_CLUSTER "-1" /* the "cluster" of the faces that are in none */

#define IMS_API_MAX_FACES_AT_ONCE 2000 /* grouped while the client waits; about a second of one core */

/* Who changes things, in the history. */
extern const struct ims_people_by ims__api_by;

/* ---- shapes; NULL: no memory ---- */

/* Face of the contract. asset_id 0 = the face's own. */
ims_json *ims__api_face(const struct ims_store_face *f, int64_t asset_id);
/* Person of the contract, the union of what its routes give. */
ims_json *ims__api_person(const struct ims_store_person *p);
/* bboxX, bboxY, bboxW, bboxH. As the ims__put family, and so are the next. */
bool ims__put_box(ims_json *o, const struct ims_store_face *f);
bool ims__put_cluster(ims_json *o, const char *key, int64_t cluster_id); /* 0 = null */
/* "/api/v1/images/12/thumbnail" and "/full" of an asset, "/api/v1/faces/faces/.../thumbnail" of a face; 0 = null. */
bool ims__put_asset_url(ims_json *o, const char *key, int64_t asset_id, const char *what);
bool ims__put_face_url(ims_json *o, const char *key, int64_t face_id);
/* A list of the names of n rows. */
ims_json *ims__api_ids(ims_api_id_kind kind, const int64_t *ids, size_t n);

/* ---- what a request names; strings in the arena ---- */

/* The person of the path's person_id, or of an id; IMS_E_NOT_FOUND also for a deleted one. Merged persons are
 * found: they say into whom. */
ims_status ims__api_find_person(struct ims_http_context *cx, int64_t id, struct ims_arena *arena,
                                struct ims_store_person **out, ims_err *err) IMS_MUST_CHECK;
/* The face of that id; IMS_E_NOT_FOUND. */
ims_status ims__api_find_face(struct ims_http_context *cx, int64_t id, struct ims_arena *arena,
                              struct ims_store_face **out, ims_err *err) IMS_MUST_CHECK;
/* The cluster of that name, of the face model that serves; IMS_E_NOT_FOUND. */
ims_status ims__api_find_cluster(struct ims_http_context *cx, const char *name, struct ims_arena *arena,
                                 struct ims_store_cluster **out, ims_err *err) IMS_MUST_CHECK;
/* Ids of a member that is a list of names; one that is no name of ours is left out. *out_n of them in the arena. */
ims_status ims__api_read_ids(const ims_json *list, ims_api_id_kind kind, struct ims_arena *arena, int64_t **out,
                             size_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* ---- work ---- */

/* Hands over a job of the default queue; an unfinished one of the same key is as good. args is consumed. out_id may be
 * NULL. */
ims_status ims__api_push_work(struct ims_http_context *cx, const char *func, const char *key, ims_json *take_args,
                              int64_t *out_id, ims_err *err) IMS_MUST_CHECK;
/* Suggests faces that look like one that was just named; or, for face_id 0, like any of the person's. */
ims_status ims__api_push_search(struct ims_http_context *cx, int64_t person_id, int64_t face_id, ims_err *err)
    IMS_MUST_CHECK;

#endif
