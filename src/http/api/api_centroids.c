/* Centroids: the mean of a person's faces, and the faces near it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_faces.h"

#include <stdio.h>

/* ---- shapes ---- */

static const char *reason_of(ims_centroid_state state)
{
    switch (state) {
    case IMS_CENTROID_MISSING:
        return "missing";
    case IMS_CENTROID_STALE:
        return "the person's faces changed";
    case IMS_CENTROID_FRESH:
        break;
    }
    return NULL;
}

/* The model that a centroid is of, by the name it has in the library. */
static ims_status model_name(struct ims_http_context *cx, int64_t model_id, struct ims_arena *arena, const char **out,
                             ims_err *err)
{
    struct ims_store_model *models = NULL;
    size_t n = 0;
    ims_status st = ims_store_models(cx->store, arena, &models, &n, err);

    *out = "";
    for (size_t i = 0; i < n; i++) {
        if (models[i].id == model_id)
            *out = models[i].name;
    }
    return st;
}

static ims_json *centroid_json(const struct ims_store_centroid *c, const char *model, bool is_stale)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_id(o, "centroidId", IMS_ID_CENTROID, c->id) && ims__put_str(o, "centroidType", "global") &&
                             ims__put_str(o, "clusterLabel", "global") && ims__put_int(o, "nFaces", c->n_faces) &&
                             ims__put_str(o, "modelVersion", model) && ims__put_int(o, "centroidVersion", c->algorithm) &&
                             ims__put_time(o, "createdAt", c->created_us) && ims__put_bool(o, "isStale", is_stale));
}

struct seen {
    struct ims_store_centroid *centroid;
    ims_centroid_state state;
    const char *model;
};

static ims_status look(struct ims_http_context *cx, int64_t person_id, struct ims_arena *arena, struct seen *out,
                       ims_err *err)
{
    struct ims_store_person *person = NULL;
    ims_status st = ims__api_find_person(cx, person_id, arena, &person, err);

    if (!st)
        st = ims_people_centroid_of(cx->engine, person_id, arena, &out->centroid, &out->state, err);
    return st ? st : model_name(cx, out->centroid ? out->centroid->model_id : 0, arena, &out->model, err);
}

/* A list of the one centroid, or of none. */
static ims_json *list_json(const struct seen *s, bool include_stale)
{
    ims_json *list = ims__json_new_array();
    bool is_stale = s->state != IMS_CENTROID_FRESH;

    if (!s->centroid || (is_stale && !include_stale))
        return list;
    return ims__whole(list, list && ims__json_add(list, centroid_json(s->centroid, s->model, is_stale)) == IMS_OK);
}

IMS_API_HANDLER(ims__api_centroids_get)
{
    int64_t id = ims__in_id(rq->path, "person_id", IMS_ID_PERSON);
    struct ims_arena arena;
    struct seen s = { .state = IMS_CENTROID_MISSING };
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = look(cx, id, &arena, &s, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, id) &&
                                               ims__put(o, "centroids",
                                                        list_json(&s, ims__in_bool(rq->query, "include_stale", false))) &&
                                               ims__put_bool(o, "isStale", s.state != IMS_CENTROID_FRESH) &&
                                               ims__put_str(o, "staleReason", reason_of(s.state))),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}

/* ---- making ---- */

/* IMS_E_FORMAT (422): the person has too few faces. */
static ims_status make(struct ims_http_context *cx, int64_t person_id, int64_t min_faces, bool is_forced, bool *out_is_made,
                       ims_err *err)
{
    struct ims_people_centroids what = { .person_id = person_id, .min_faces = (size_t)min_faces, .is_forced = is_forced };
    ims_status st = ims_people_centroids(cx->engine, &what, err);

    if (!st && !what.n_made && !what.n_fresh)
        st = ims_fail(err, IMS_E_FORMAT, "http", 0, "the person has too few named faces; %lld are needed",
                      (long long)min_faces);
    *out_is_made = what.n_made > 0;
    return st;
}

IMS_API_HANDLER(ims__api_centroids_compute)
{
    int64_t id = ims__in_id(rq->path, "person_id", IMS_ID_PERSON);
    bool is_forced = ims__in_bool(rq->body, "forceRebuild", false), is_made = false;
    const char *reason;
    struct ims_arena arena;
    struct seen s = { .state = IMS_CENTROID_MISSING };
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = look(cx, id, &arena, &s, err);
    reason = s.state == IMS_CENTROID_FRESH && is_forced ? "asked for" : reason_of(s.state);
    if (!st)
        st = make(cx, id, ims__in_int(rq->body, "minFaces", 2), is_forced, &is_made, err);
    if (!st && is_made)
        st = look(cx, id, &arena, &s, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, id) &&
                                               ims__put(o, "centroids", list_json(&s, true)) &&
                                               ims__put_bool(o, "rebuilt", is_made) &&
                                               ims__put_str(o, "staleReason", reason)),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_centroids_delete)
{
    int64_t id = ims__in_id(rq->path, "person_id", IMS_ID_PERSON), n = 0;
    struct ims_store_person *person = NULL;
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, id, &arena, &person, err);
    if (!st)
        st = ims_store_drop_centroids(cx->store, id, &n, err);
    ims__arena_release(&arena);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(
        rp, 200, ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, id) && ims__put_int(o, "deletedCount", n)), err);
}

/* ---- faces near it ---- */

static ims_json *near_json(const struct ims_people_near *near)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;
    char asset[24];

    for (size_t i = 0; is_good && i < near->n; i++) {
        const struct ims_people_near_face *f = &near->faces[i];
        ims_json *o = ims__json_new_object();

        snprintf(asset, sizeof(asset), "%lld", (long long)f->asset_id);
        o = ims__whole(o, ims__put_id(o, "faceInstanceId", IMS_ID_FACE, f->face_id) && ims__put_str(o, "assetId", asset) &&
                              ims__put_num(o, "score", f->score) && ims__put_str(o, "matchedCentroid", "global") &&
                              ims__put_asset_url(o, "thumbnailUrl", f->asset_id, "thumbnail"));
        is_good = o && ims__json_add(list, o) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

/* Brings the centroid up to date where that is wanted; IMS_E_FORMAT (422) when there is none and can be none. */
static ims_status prepare(struct ims_http_context *cx, int64_t person_id, bool may_build, bool *out_is_made, ims_err *err)
{
    struct ims_arena arena;
    struct seen s = { .state = IMS_CENTROID_MISSING };
    ims_status st;

    ims__arena_init(&arena, 0);
    st = look(cx, person_id, &arena, &s, err);
    if (!st && s.state != IMS_CENTROID_FRESH && may_build)
        st = make(cx, person_id, 2, false, out_is_made, err);
    else if (!st && !s.centroid)
        st = ims_fail(err, IMS_E_FORMAT, "http", 0, "the person has no centroid; compute it first");
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_centroids_suggest)
{
    struct ims_people_near near = { .person_id = ims__in_id(rq->path, "person_id", IMS_ID_PERSON),
                                    .min_similarity = ims__in_num(rq->body, "minSimilarity", 0.65),
                                    .max_faces = (size_t)ims__in_int(rq->body, "maxResults", 200),
                                    .include_assigned = !ims__in_bool(rq->body, "unassignedOnly", true),
                                    .include_prototypes = !ims__in_bool(rq->body, "excludePrototypes", true) };
    bool is_made = false;
    struct ims_arena arena;
    ims_json *o;
    ims_status st = prepare(cx, near.person_id, ims__in_bool(rq->body, "autoRebuild", true), &is_made, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_people_near(cx->engine, &near, &arena, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(
            rp, 200,
            ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, near.person_id) &&
                              ims__put(o, "centroidsUsed", ims__api_ids(IMS_ID_CENTROID, &near.centroid_id, 1)) &&
                              ims__put(o, "suggestions", near_json(&near)) &&
                              ims__put_int(o, "totalFound", (int64_t)near.n) &&
                              ims__put_bool(o, "rebuiltCentroids", is_made)),
            err);
    }
    ims__arena_release(&arena);
    return st;
}
