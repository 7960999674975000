/* The photos of a person.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/engine_parts.h"
#include "http/api/api_faces.h"

#include <stdlib.h>
#include <string.h>

/* ---- shapes ---- */

/* Whole years from one date (YYYY-MM-DD...) to another; negative before it. */
static int years_between(const char *born, const char *then)
{
    int years = (int)(strtol(then, NULL, 10) - strtol(born, NULL, 10));

    return strncmp(then + 4, born + 4, 6) < 0 ? years - 1 : years;
}

static bool put_age(ims_json *o, const char *key, const struct ims_store_face *f)
{
    char taken[40] = "";
    int age;

    if (f->has_taken_at)
        ims__format_utc(f->taken_at_us, taken, sizeof(taken));
    if (!taken[0] || !f->birth_date)
        return ims__put_null(o, key);
    age = years_between(f->birth_date, taken);
    return age < 0 ? ims__put_null(o, key) : ims__put_int(o, key, age);
}

static ims_json *face_json(const struct ims_store_face *f)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_id(o, "faceInstanceId", IMS_ID_FACE, f->id) && ims__put_box(o, f) &&
                             ims__put_num(o, "detectionConfidence", f->score) &&
                             ims__put_num(o, "qualityScore", f->quality) &&
                             ims__put_id(o, "personId", IMS_ID_PERSON, f->person_id) &&
                             ims__put_str(o, "personName", f->person) &&
                             ims__put_cluster(o, "clusterId", f->cluster_id) && put_age(o, "personAgeAtPhoto", f));
}

static ims_json *photo_json(const struct ims_store_photo *photo, const struct ims_asset *a, int64_t person_id)
{
    ims_json *o = ims__json_new_object(), *faces = ims__json_new_array();
    bool is_good = faces != NULL, has_others = false;

    for (size_t i = 0; is_good && i < photo->n_faces; i++) {
        has_others = has_others || photo->faces[i].person_id != person_id;
        is_good = ims__json_add(faces, face_json(&photo->faces[i])) == IMS_OK;
    }
    faces = ims__whole(faces, is_good);
    return ims__whole(o, ims__put(o, "faces", faces) && ims__put_int(o, "photoId", a->id) &&
                             ims__put_time(o, "takenAt", a->has_taken_at ? a->taken_at_us : 0) &&
                             ims__put_asset_url(o, "thumbnailUrl", a->id, "thumbnail") &&
                             ims__put_asset_url(o, "fullUrl", a->id, "full") && ims__put_str(o, "path", a->path) &&
                             ims__put_int(o, "faceCount", (int64_t)photo->n_faces) &&
                             ims__put_bool(o, "hasNonPersonFaces", has_others) && ims__put_camera(o, "camera", a) &&
                             ims__put_location(o, "location", a));
}

/* ---- the list ---- */

static ims_status photos_json(struct ims_http_context *cx, const struct ims_store_photo *photos, size_t n,
                              int64_t person_id, struct ims_arena *arena, ims_json **out, ims_err *err)
{
    int64_t *ids = ims__arena_alloc(arena, n + 1, sizeof(*ids));
    struct ims_store_asset *assets = NULL;
    size_t n_assets = 0, at = 0;
    ims_json *list = ims__json_new_array();
    ims_status st = ids && list ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "photos");

    for (size_t i = 0; !st && i < n; i++)
        ids[i] = photos[i].asset_id;
    if (!st)
        st = ims_store_assets(cx->store, ids, n, arena, &assets, &n_assets, err);
    for (size_t i = 0; !st && i < n_assets; i++) {
        struct ims_asset a;

        while (photos[at].asset_id != assets[i].id) /* one that was forgotten between the two looks */
            at++;
        ims__asset_from_store(&a, &assets[i]);
        if (ims__json_add(list, photo_json(&photos[at], &a, person_id)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "photos");
    }
    if (st)
        ims__json_free(list);
    else
        *out = list;
    return st;
}

IMS_API_HANDLER(ims__api_person_photos)
{
    struct ims_page page = ims__api_page(rq);
    struct ims_arena arena;
    struct ims_store_person *person = NULL;
    struct ims_store_photo *photos = NULL;
    int64_t model_id = 0, total = 0;
    size_t n = 0;
    ims_json *items = NULL, *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &person, err);
    if (!st)
        st = ims_people_model(cx->engine, &model_id, err);
    if (!st)
        st = ims_store_person_photos(cx->store, model_id, person->id, page.offset, page.size, &arena, &photos, &n, &total,
                                     err);
    if (!st)
        st = photos_json(cx, photos, n, person->id, &arena, &items, err);
    if (!st) {
        o = ims__api_plain_page_json(&page, items, total);
        o = ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, person->id) &&
                              ims__put_str(o, "personName", person->name));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

/* ---- changing what is in photos ---- */

struct change {
    struct ims_arena arena;
    struct ims_store_person *person;
    int64_t *faces; /* of the person, in the photos */
    size_t n;
};

static ims_status find_faces(struct ims_http_context *cx, const struct ims_http_request *rq, struct change *c, ims_err *err)
{
    const ims_json *photos = ims__json_get(rq->body, "photoIds");
    size_t n = ims__json_len(photos);
    int64_t *ids;
    ims_status st;

    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &c->arena, &c->person, err);
    if (st)
        return st;
    ids = ims__arena_alloc(&c->arena, n + 1, sizeof(*ids));
    if (!ids)
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "photos");
    for (size_t i = 0; i < n; i++)
        ids[i] = ims__json_int(ims__json_at(photos, i), 0);
    return ims_people_faces_in(cx->engine, ids, n, c->person->id, &c->arena, &c->faces, &c->n, err);
}

/* updatedFaces, updatedPhotos, skippedFaces, eventId. */
static bool put_counts(struct ims_http_context *cx, ims_json *o, struct change *c, int64_t event_id, ims_err *err)
{
    const struct ims_store_event_filter filter = { .id = event_id };
    struct ims_store_event_row *rows = NULL, none = { .id = 0 };
    const struct ims_store_event_row *e = &none;
    size_t n = 0;

    if (event_id && ims_store_events(cx->store, &filter, 0, 1, &c->arena, &rows, &n, NULL, err))
        return false;
    if (n)
        e = &rows[0];
    return ims__put_int(o, "updatedFaces", e->n_faces) && ims__put_int(o, "updatedPhotos", e->n_photos) &&
           ims__put_int(o, "skippedFaces", (int64_t)c->n - e->n_faces) && ims__put_id(o, "eventId", IMS_ID_EVENT, event_id);
}

IMS_API_HANDLER(ims__api_person_photos_remove)
{
    struct change c = { .n = 0 };
    int64_t event_id = 0;
    ims_json *o;
    ims_status st;

    ims__arena_init(&c.arena, 0);
    st = find_faces(cx, rq, &c, err);
    if (!st && c.n)
        st = ims_people_remove(cx->engine, &ims__api_by, c.faces, c.n, c.person->id, true, NULL, &event_id, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200, ims__whole(o, put_counts(cx, o, &c, event_id, err)), err);
    }
    ims__arena_release(&c.arena);
    return st;
}

static ims_status move(struct ims_http_context *cx, const struct ims_http_request *rq, struct change *c,
                       struct ims_http_reply *rp, ims_err *err)
{
    struct ims_people_assign what = { .face_ids = c->faces,
                                      .n = c->n,
                                      .person_id = ims__in_id(rq->body, "toPersonId", IMS_ID_PERSON),
                                      .name = ims__in_str(rq->body, "toPersonName", NULL),
                                      .from_person_id = c->person->id,
                                      .may_move = true };
    struct ims_store_person *to = NULL;
    ims_json *o;
    ims_status st = IMS_OK;

    if (!what.name)
        st = ims__api_find_person(cx, what.person_id, &c->arena, &to, err);
    if (!st && !c->n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "the person is in none of these photos");
    if (!st)
        st = ims_people_assign(cx->engine, &ims__api_by, &what, err);
    if (!st)
        st = ims__api_find_person(cx, what.person_id, &c->arena, &to, err);
    if (!st)
        st = ims__api_push_search(cx, to->id, 0, err);
    if (st)
        return st;
    o = ims__json_new_object();
    o = ims__whole(o, put_counts(cx, o, c, what.event_id, err) && ims__put_id(o, "toPersonId", IMS_ID_PERSON, to->id) &&
                          ims__put_str(o, "toPersonName", to->name) &&
                          ims__put_bool(o, "personCreated", what.is_new_person));
    return ims__reply_json(rp, 200, o, err);
}

IMS_API_HANDLER(ims__api_person_photos_move)
{
    struct change c = { .n = 0 };
    ims_status st;

    if (!ims__in_str(rq->body, "toPersonId", NULL) == !ims__in_str(rq->body, "toPersonName", NULL))
        return ims__reply_error(rp, 422, "say either toPersonId or toPersonName");
    ims__arena_init(&c.arena, 0);
    st = find_faces(cx, rq, &c, err);
    if (!st)
        st = move(cx, rq, &c, rp, err);
    ims__arena_release(&c.arena);
    return st;
}
