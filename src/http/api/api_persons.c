/* Persons: lists, one, making and changing them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_faces.h"

#include <string.h>

ims_json *ims__api_person(const struct ims_store_person *p)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(
        o, ims__put_id(o, "id", IMS_ID_PERSON, p->id) && ims__put_str(o, "name", p->name) &&
               ims__put_str(o, "status", ims_store_person_status_name(p->status)) &&
               ims__put_str(o, "birthDate", p->birth_date) && ims__put_int(o, "faceCount", p->n_faces) &&
               ims__put_int(o, "photoCount", p->n_photos) && ims__put_int(o, "prototypeCount", p->n_prototypes) &&
               ims__put_asset_url(o, "thumbnailUrl", p->best_asset_id, "thumbnail") &&
               ims__put_face_url(o, "faceThumbnailUrl", p->best_face_id) &&
               ims__put_id(o, "mergedIntoId", IMS_ID_PERSON, p->merged_into) &&
               ims__put_time(o, "createdAt", p->created_us) && ims__put_time(o, "updatedAt", p->updated_us));
}

ims_status ims__api_find_person(struct ims_http_context *cx, int64_t id, struct ims_arena *arena,
                                struct ims_store_person **out, ims_err *err)
{
    struct ims_store_person_filter filter = { .id = id, .include_all = true };
    struct ims_store_person *p = NULL;
    size_t n = 0;
    ims_status st = ims_people_model(cx->engine, &filter.model_id, err);

    if (!st && id)
        st = ims_store_persons(cx->store, &filter, IMS_PERSONS_BY_NAME, 0, 1, arena, &p, &n, NULL, err);
    if (!st && (!n || p->status == IMS_PERSON_DELETED))
        return ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such person");
    if (!st)
        *out = p;
    return st;
}

/* ---- lists ---- */

static ims_store_person_status parse_status(const char *name)
{
    return strcmp(name, "hidden") == 0   ? IMS_PERSON_HIDDEN
           : strcmp(name, "merged") == 0 ? IMS_PERSON_MERGED
                                         : IMS_PERSON_ACTIVE;
}

IMS_API_HANDLER(ims__api_persons_list)
{
    const char *status = ims__in_str(rq->query, "status", NULL);
    struct ims_page page = ims__api_page(rq);
    struct ims_store_person_filter filter = { .has_status = status != NULL,
                                              .status = parse_status(status ? status : "active") };
    struct ims_arena arena;
    struct ims_store_person *found = NULL;
    size_t n = 0;
    int64_t total = 0;
    ims_json *items = ims__json_new_array();
    ims_status st = ims_people_model(cx->engine, &filter.model_id, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_store_persons(cx->store, &filter, IMS_PERSONS_BY_NAME, page.offset, page.size, &arena, &found, &n, &total,
                               err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!items || ims__json_add(items, ims__api_person(&found[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "persons");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, ims__api_plain_page_json(&page, items, total), err);
    ims__json_free(items);
    return st;
}

static ims_status reply_person(struct ims_http_context *cx, int64_t id, int status, struct ims_http_reply *rp, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_person *p = NULL;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, id, &arena, &p, err);
    if (!st)
        st = ims__reply_json(rp, status, ims__api_person(p), err);
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_person_get)
{
    return reply_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), 200, rp, err);
}

/* ---- making and changing ---- */

IMS_API_HANDLER(ims__api_person_create)
{
    int64_t id = 0;
    ims_status st = ims_people_create(cx->engine, &ims__api_by, ims__in_str(rq->body, "name", ""),
                                      ims__in_str(rq->body, "birthDate", NULL), &id, err);

    return st ? st : reply_person(cx, id, 201, rp, err);
}

IMS_API_HANDLER(ims__api_person_update)
{
    const char *status = ims__in_str(rq->body, "status", NULL);
    const struct ims_store_person_change change = {
        .name = ims__in_str(rq->body, "name", NULL),
        .has_birth_date = ims__json_get(rq->body, "birthDate") != NULL, /* null clears it */
        .birth_date = ims__in_str(rq->body, "birthDate", NULL),
        .has_status = status != NULL,
        .status = parse_status(status ? status : "active"),
    };
    struct ims_arena arena;
    struct ims_store_person *p = NULL;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &p, err);
    if (!st && p->status == IMS_PERSON_MERGED)
        st = ims_fail(err, IMS_E_CONSTRAINT, "http", 0, "the person was merged into another; change that one");
    if (!st)
        st = ims_people_change(cx->engine, &ims__api_by, p->id, &change, err);
    if (!st)
        st = reply_person(cx, p->id, 200, rp, err);
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_person_delete)
{
    struct ims_arena arena;
    struct ims_store_person *p = NULL;
    size_t n = 0;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &p, err);
    if (!st && p->status == IMS_PERSON_MERGED)
        st = ims_fail(err, IMS_E_CONSTRAINT, "http", 0, "the person was merged into another; it has no faces of its own");
    if (!st)
        st = ims_people_delete(cx->engine, &ims__api_by, p->id, &n, err);
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, p->id) && ims__put_str(o, "personName", p->name) &&
                              ims__put_int(o, "facesUnassigned", (int64_t)n) &&
                              ims__put_id(o, "eventId", IMS_ID_EVENT, ims_people_event(cx->engine)));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}
