/* The history of persons, taking changes back, merging and splitting.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "http/api/api_faces.h"

/* ---- history ---- */

static ims_json *faces_of(const struct ims_store_event_row *e)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;
    char text[IMS_API_ID_BYTES];

    for (size_t i = 0; is_good && i < e->n_listed; i++)
        is_good = ims__json_add(list, ims__json_new_str(ims__api_id_text(IMS_ID_FACE, e->faces[i].face_id, text))) == IMS_OK;
    return ims__whole(list, is_good);
}

/* The faces come by asset: each once. */
static ims_json *assets_of(const struct ims_store_event_row *e)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < e->n_listed; i++) {
        int64_t id = e->faces[i].asset_id;

        if (id && (!i || e->faces[i - 1].asset_id != id))
            is_good = ims__json_add(list, ims__json_new_int(id)) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

static ims_json *event_json(const struct ims_store_event_row *e)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_id(o, "id", IMS_ID_EVENT, e->id) && ims__put_str(o, "operation", e->operation) &&
                             ims__put_time(o, "createdAt", e->created_us) && ims__put_int(o, "faceCount", e->n_faces) &&
                             ims__put_int(o, "photoCount", e->n_photos) &&
                             ims__put(o, "faceInstanceIds", faces_of(e)) && ims__put(o, "assetIds", assets_of(e)) &&
                             ims__put_id(o, "fromPersonId", IMS_ID_PERSON, e->from_person_id) &&
                             ims__put_id(o, "toPersonId", IMS_ID_PERSON, e->to_person_id) &&
                             ims__put_str(o, "fromPersonName", e->from_person) &&
                             ims__put_str(o, "toPersonName", e->to_person) && ims__put_str(o, "note", e->note) &&
                             ims__put_str(o, "actor", e->actor) && ims__put_bool(o, "undone", e->undone_by != 0));
}

static ims_status list_events(struct ims_http_context *cx, const struct ims_store_event_filter *filter, int64_t offset,
                              int64_t limit, struct ims_arena *arena, ims_json **out, int64_t *out_total, ims_err *err)
{
    struct ims_store_event_row *rows = NULL;
    ims_json *list = ims__json_new_array();
    size_t n = 0;
    ims_status st = ims_store_events(cx->store, filter, offset, limit, arena, &rows, &n, out_total, err);

    if (!st)
        st = ims_store_event_faces(cx->store, rows, n, arena, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!list || ims__json_add(list, event_json(&rows[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "events");
    }
    if (st)
        ims__json_free(list);
    else
        *out = list;
    return st;
}

IMS_API_HANDLER(ims__api_person_history)
{
    const char *since = ims__in_str(rq->query, "since", NULL);
    int64_t limit = ims__in_int(rq->query, "limit", 20), offset = ims__in_int(rq->query, "offset", 0), total = 0, unused;
    struct ims_store_event_filter filter = { .operation = ims__in_str(rq->query, "operation", NULL) };
    struct ims_store_person *p = NULL;
    struct ims_arena arena;
    ims_json *o, *events = NULL;
    ims_status st;

    if (since && !ims__parse_date(since, &filter.since_us, &unused))
        return ims_fail(err, IMS_E_INVALID, "http", 0, "since is a date or a time such as 2024-05-17T10:20:30Z");
    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &p, err);
    if (!st) {
        filter.person_id = p->id;
        st = list_events(cx, &filter, offset, limit, &arena, &events, &total, err);
    }
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put(o, "events", events) && ims__put_int(o, "total", total) &&
                              ims__put_int(o, "offset", offset) && ims__put_int(o, "limit", limit));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

/* ---- taking back ---- */

static ims_status find_event(struct ims_http_context *cx, int64_t id, struct ims_arena *arena,
                             struct ims_store_event_row **out, ims_err *err)
{
    const struct ims_store_event_filter filter = { .id = id };
    size_t n = 0;
    ims_status st = id ? ims_store_events(cx->store, &filter, 0, 1, arena, out, &n, NULL, err) : IMS_OK;

    if (!st && !n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such event");
    return st;
}

IMS_API_HANDLER(ims__api_event_undo)
{
    bool is_partial = ims__in_bool(rq->query, "partial", false);
    struct ims_store_event_row *e = NULL, *undo = NULL;
    struct ims_arena arena;
    int64_t undo_id = 0, n_kept = 0;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_event(cx, ims__in_id(rq->path, "event_id", IMS_ID_EVENT), &arena, &e, err);
    if (!st)
        st = ims_people_undo(cx->engine, &ims__api_by, e->id, is_partial, &undo_id, &n_kept, err);
    if (!st && undo_id)
        st = find_event(cx, undo_id, &arena, &undo, err);
    if (!st) {
        bool is_to = e->to_person_id != 0;

        o = ims__json_new_object();
        o = ims__whole(o, ims__put_id(o, "eventId", IMS_ID_EVENT, e->id) &&
                              ims__put_int(o, "facesUnassigned", undo ? undo->n_faces : 0) &&
                              ims__put_id(o, "personId", IMS_ID_PERSON, is_to ? e->to_person_id : e->from_person_id) &&
                              ims__put_str(o, "personName", is_to ? e->to_person : e->from_person) &&
                              ims__put_id(o, "undoEventId", IMS_ID_EVENT, undo_id) && ims__put_int(o, "kept", n_kept));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

/* ---- merging and splitting ---- */

IMS_API_HANDLER(ims__api_person_merge)
{
    struct ims_people_merge what = { .allow_extra = ims__in_bool(rq->body, "allowSamePhoto", false) };
    struct ims_store_person *from = NULL, *into = NULL;
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &from, err);
    if (!st)
        st = ims__api_find_person(cx, ims__in_id(rq->body, "intoPersonId", IMS_ID_PERSON), &arena, &into, err);
    if (!st) {
        what.from = from->id;
        what.into = into->id;
        st = ims_people_merge(cx->engine, &ims__api_by, &what, err);
    }
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put_id(o, "sourcePersonId", IMS_ID_PERSON, from->id) &&
                              ims__put_id(o, "targetPersonId", IMS_ID_PERSON, into->id) &&
                              ims__put_int(o, "facesMoved", (int64_t)what.n_faces) &&
                              ims__put_id(o, "eventId", IMS_ID_EVENT, what.event_id));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_person_unmerge)
{
    struct ims_store_person *p = NULL;
    struct ims_arena arena;
    int64_t event_id = 0, n_kept = 0;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &p, err);
    if (!st)
        st = ims_people_unmerge(cx->engine, &ims__api_by, p->id, &event_id, &n_kept, err);
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, p->id) && ims__put_str(o, "personName", p->name) &&
                              ims__put_id(o, "eventId", IMS_ID_EVENT, event_id) && ims__put_int(o, "kept", n_kept));
        st = ims__reply_json(rp, 200, o, err);
    }
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_person_split)
{
    const ims_json *named = ims__json_get(rq->body, "faceIds");
    struct ims_store_person *p = NULL, *made = NULL;
    struct ims_arena arena;
    int64_t *faces = NULL, id = 0;
    size_t n = 0;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &p, err);
    if (!st)
        st = ims__api_read_ids(named, IMS_ID_FACE, &arena, &faces, &n, err);
    if (!st && n < ims__json_len(named))
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "one of the faces is not there");
    if (!st)
        st = ims_people_split(cx->engine, &ims__api_by, p->id, faces, n, ims__in_str(rq->body, "name", ""), &id, err);
    if (!st)
        st = ims__api_find_person(cx, id, &arena, &made, err);
    if (!st) {
        o = ims__json_new_object();
        o = ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, id) && ims__put_str(o, "personName", made->name) &&
                              ims__put_int(o, "facesMoved", made->n_faces) &&
                              ims__put_id(o, "eventId", IMS_ID_EVENT, ims_people_event(cx->engine)));
        st = ims__reply_json(rp, 201, o, err);
    }
    ims__arena_release(&arena);
    return st;
}
