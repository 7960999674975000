/* Faces: the shapes that replies about them share, those of a picture, their small pictures, who they are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_faces.h"

#include "base/hash.h"
#include "http/api/api_files.h"

#include <stdio.h>
#include <string.h>

const struct ims_people_by ims__api_by = { .actor = "web" };

/* ---- shapes ---- */

bool ims__put_cluster(ims_json *o, const char *key, int64_t cluster_id)
{
    char text[IMS_API_ID_BYTES];

    return ims__put_str(o, key, cluster_id ? ims__api_cluster_text(cluster_id, text) : NULL);
}

bool ims__put_asset_url(ims_json *o, const char *key, int64_t asset_id, const char *what)
{
    char url[80];

    snprintf(url, sizeof(url), "/api/v1/images/%lld/%s", (long long)asset_id, what);
    return ims__put_str(o, key, asset_id ? url : NULL);
}

bool ims__put_face_url(ims_json *o, const char *key, int64_t face_id)
{
    char url[100], id[IMS_API_ID_BYTES];

    snprintf(url, sizeof(url), "/api/v1/faces/faces/%s/thumbnail", ims__api_id_text(IMS_ID_FACE, face_id, id));
    return ims__put_str(o, key, face_id ? url : NULL);
}

bool ims__put_box(ims_json *o, const struct ims_store_face *f)
{
    return ims__put_int(o, "bboxX", f->x) && ims__put_int(o, "bboxY", f->y) && ims__put_int(o, "bboxW", f->w) &&
           ims__put_int(o, "bboxH", f->h);
}

ims_json *ims__api_face(const struct ims_store_face *f, int64_t asset_id)
{
    ims_json *o = ims__json_new_object(), *box = ims__json_new_object();

    box = ims__whole(box, ims__put_int(box, "x", f->x) && ims__put_int(box, "y", f->y) &&
                              ims__put_int(box, "width", f->w) && ims__put_int(box, "height", f->h));
    return ims__whole(o, ims__put(o, "bbox", box) && ims__put_id(o, "id", IMS_ID_FACE, f->id) &&
                             ims__put_int(o, "assetId", asset_id ? asset_id : f->asset_id) &&
                             ims__put_num(o, "detectionConfidence", f->score) &&
                             ims__put_num(o, "qualityScore", f->quality) &&
                             ims__put_cluster(o, "clusterId", f->cluster_id) &&
                             ims__put_id(o, "personId", IMS_ID_PERSON, f->person_id) &&
                             ims__put_str(o, "personName", f->person) && ims__put_time(o, "createdAt", f->created_us));
}

ims_json *ims__api_ids(ims_api_id_kind kind, const int64_t *ids, size_t n)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;
    char text[IMS_API_ID_BYTES];

    for (size_t i = 0; is_good && i < n; i++)
        is_good = ims__json_add(list, ims__json_new_str(ims__api_id_text(kind, ids[i], text))) == IMS_OK;
    return ims__whole(list, is_good);
}

/* ---- what a request names ---- */

ims_status ims__api_find_face(struct ims_http_context *cx, int64_t id, struct ims_arena *arena,
                              struct ims_store_face **out, ims_err *err)
{
    if (!id)
        return ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such face");
    return ims_store_faces_by_id(cx->store, &id, 1, arena, out, err);
}

ims_status ims__api_read_ids(const ims_json *list, ims_api_id_kind kind, struct ims_arena *arena, int64_t **out,
                             size_t *out_n, ims_err *err)
{
    size_t n = ims__json_len(list);
    int64_t *ids = ims__arena_alloc(arena, n + 1, sizeof(*ids));

    if (!ids)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "a list of ids");
    *out = ids;
    *out_n = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t id = ims__api_id_read(kind, ims__json_str(ims__json_at(list, i), NULL));

        if (id)
            ids[(*out_n)++] = id;
    }
    return IMS_OK;
}

/* ---- of a picture ---- */

IMS_API_HANDLER(ims__api_asset_faces)
{
    struct ims_store_face_filter filter = { .asset_id = ims__in_int(rq->path, "asset_id", 0) };
    struct ims_page page = { .number = 1 };
    struct ims_arena arena;
    struct ims_store_face *faces = NULL;
    size_t n = 0;
    ims_json *items = ims__json_new_array();
    ims_status st = ims_people_model(cx->engine, &filter.model_id, err);

    ims__arena_init(&arena, 0);
    if (!st && filter.asset_id && filter.model_id)
        st = ims_store_faces(cx->store, &filter, IMS_STORE_FACES_BY_PHOTO, 0, 0, &arena, &faces, &n, NULL, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!items || ims__json_add(items, ims__api_face(&faces[i], filter.asset_id)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "faces");
    }
    ims__arena_release(&arena);
    page.size = (int64_t)n;
    if (!st)
        return ims__reply_json(rp, 200, ims__api_plain_page_json(&page, items, page.size), err);
    ims__json_free(items);
    return st;
}

/* ---- small pictures ---- */

/* Names the content and the box, so that a face that was found anew elsewhere in it is fetched again. */
static void set_caching(struct ims_http_reply *rp, const struct ims_store_asset *a, const struct ims_store_face *f)
{
    char hex[IMS_SHA256_HEX];

    if (!a->has_sha256)
        return;
    ims__hex(a->sha256, IMS_SHA256_BYTES, hex);
    snprintf(rp->etag, sizeof(rp->etag), "\"%.32s-%d-%d-%d-%d\"", hex, f->x, f->y, f->w, f->h);
    snprintf(rp->cache_control, sizeof(rp->cache_control), "private, max-age=86400");
}

IMS_API_HANDLER(ims__api_face_thumbnail)
{
    struct ims_arena arena;
    struct ims_store_face *face = NULL;
    struct ims_store_asset *asset = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0, n_assets = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_face(cx, ims__in_id(rq->path, "face_id", IMS_ID_FACE), &arena, &face, err);
    if (!st && !face->asset_id)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "the picture of this face is gone");
    if (!st)
        st = ims_store_assets(cx->store, &face->asset_id, 1, &arena, &asset, &n_assets, err);
    if (!st && n_assets)
        st = ims__api_check_path(cx->store, asset->path, NULL, err);
    if (!st)
        st = ims_engine_face_thumbnail(cx->engine, face->id, &bytes, &n, err);
    if (!st && ims__buf_add(&rp->bytes, bytes, n))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a thumbnail");
    if (!st && n_assets)
        set_caching(rp, asset, face);
    ims_engine_free(bytes);
    ims__arena_release(&arena);
    snprintf(rp->content_type, sizeof(rp->content_type), "image/jpeg");
    return st;
}

/* ---- who a face is ---- */

static ims_json *assigned_json(const struct ims_store_face *f, const struct ims_store_person *p, int64_t event_id)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_id(o, "faceId", IMS_ID_FACE, f->id) &&
                             ims__put_id(o, "personId", IMS_ID_PERSON, p->id) && ims__put_str(o, "personName", p->name) &&
                             ims__put_id(o, "eventId", IMS_ID_EVENT, event_id));
}

IMS_API_HANDLER(ims__api_face_assign)
{
    int64_t person_id = ims__in_id(rq->body, "personId", IMS_ID_PERSON);
    struct ims_arena arena;
    struct ims_store_face *face = NULL;
    struct ims_store_person *person = NULL;
    struct ims_people_assign what = { .n = 1,
                                      .person_id = person_id,
                                      .allow_extra = ims__in_bool(rq->body, "allowSamePhoto", false),
                                      .is_strict = true };
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_face(cx, ims__in_id(rq->path, "face_id", IMS_ID_FACE), &arena, &face, err);
    if (!st)
        st = ims__api_find_person(cx, person_id, &arena, &person, err);
    if (!st && face->person_id != person_id) {
        what.face_ids = &face->id;
        what.may_move = face->person_id != 0; /* a face that somebody named meanwhile is not taken from them */
        what.from_person_id = face->person_id;
        st = ims_people_assign(cx->engine, &ims__api_by, &what, err);
        if (!st)
            st = ims__api_push_search(cx, person_id, face->id, err);
    }
    if (!st)
        st = ims__reply_json(rp, 200, assigned_json(face, person, what.event_id), err);
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_face_unassign)
{
    struct ims_arena arena;
    struct ims_store_face *face = NULL;
    size_t n_changed = 0;
    int64_t event_id = 0;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_face(cx, ims__in_id(rq->path, "face_id", IMS_ID_FACE), &arena, &face, err);
    if (!st && !face->person_id) {
        ims__arena_release(&arena);
        return ims__reply_error(rp, 400, "the face is nobody's");
    }
    if (!st)
        st = ims_people_remove(cx->engine, &ims__api_by, &face->id, 1, face->person_id, true, &n_changed, &event_id,
                               err);
    if (!st && !n_changed)
        st = ims_fail(err, IMS_E_CONSTRAINT, "http", 0, "the face was changed meanwhile; look again");
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put_id(o, "faceId", IMS_ID_FACE, face->id) &&
                              ims__put_id(o, "previousPersonId", IMS_ID_PERSON, face->person_id) &&
                              ims__put_str(o, "previousPersonName", face->person) &&
                              ims__put_id(o, "eventId", IMS_ID_EVENT, event_id));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_face_reject)
{
    int64_t person_id = ims__in_id(rq->body, "personId", IMS_ID_PERSON);
    bool on = ims__in_bool(rq->body, "on", true);
    struct ims_arena arena;
    struct ims_store_face *face = NULL;
    struct ims_store_person *person = NULL;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_face(cx, ims__in_id(rq->path, "face_id", IMS_ID_FACE), &arena, &face, err);
    if (!st)
        st = ims__api_find_person(cx, person_id, &arena, &person, err);
    if (!st)
        st = ims_people_reject(cx->engine, &ims__api_by, &face->id, 1, person_id, on, NULL, err);
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put_id(o, "faceId", IMS_ID_FACE, face->id) &&
                              ims__put_id(o, "personId", IMS_ID_PERSON, person_id) && ims__put_bool(o, "isRejected", on) &&
                              ims__put_id(o, "eventId", IMS_ID_EVENT, ims_people_event(cx->engine)));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

static ims_json *candidates_json(const struct ims_people_candidate *found, size_t n)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < n; i++) {
        ims_json *o = ims__json_new_object();

        o = ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, found[i].person_id) &&
                              ims__put_str(o, "personName", found[i].name) &&
                              ims__put_num(o, "confidence", found[i].score > 1 ? 1 : found[i].score));
        is_good = ims__json_add(list, o) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

IMS_API_HANDLER(ims__api_face_candidates)
{
    double threshold = ims__in_num(rq->query, "min_confidence", 0.7);
    size_t limit = (size_t)ims__in_int(rq->query, "limit", 5), n = 0;
    struct ims_people_candidate *found = NULL;
    struct ims_store_face *face = NULL;
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_face(cx, ims__in_id(rq->path, "face_id", IMS_ID_FACE), &arena, &face, err);
    if (!st)
        st = ims_people_candidates(cx->engine, face->id, threshold, limit, &arena, &found, &n, err);
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put(o, "suggestions", candidates_json(found, n)) &&
                              ims__put_id(o, "faceId", IMS_ID_FACE, face->id) &&
                              ims__put_num(o, "thresholdUsed", threshold));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}
