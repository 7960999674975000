/* Prototypes: the faces a person is recognised by, chosen, pinned or left out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_faces.h"
#include "people/identity/prototypes.h"

#include <stdio.h>
#include <string.h>

/* ---- shapes ---- */

static ims_json *prototype_json(const struct ims_store_prototype *p, int64_t asset_id)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_id(o, "id", IMS_ID_PROTOTYPE, p->id) &&
                             ims__put_id(o, "faceInstanceId", IMS_ID_FACE, p->face_id) &&
                             ims__put_str(o, "role", ims_store_role_name(p->role)) &&
                             ims__put_str(o, "ageEraBucket", p->era) && ims__put_null(o, "decadeBucket") &&
                             ims__put_bool(o, "isPinned", p->is_pinned) && ims__put_num(o, "qualityScore", p->quality) &&
                             ims__put_time(o, "createdAt", p->created_us) &&
                             ims__put_asset_url(o, "thumbnailUrl", asset_id, "thumbnail"));
}

static bool covers(const struct ims_store_prototype *list, size_t n, const char *era)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].role == IMS_ROLE_TEMPORAL && list[i].era && strcmp(list[i].era, era) == 0)
            return true;
    }
    return false;
}

/* Names of the members: in camelCase, and in snake_case for the route that has them so. */
struct coverage_names {
    const char *covered, *missing, *percentage, *total;
};
static const struct coverage_names camel = { "coveredEras", "missingEras", "coveragePercentage", "totalPrototypes" };
static const struct coverage_names snake = { "covered_eras", "missing_eras", "coverage_percentage", "total_prototypes" };

/* Eras that have a temporal prototype, of all there are. */
static ims_json *coverage_json(const struct ims_store_prototype *list, size_t n, const struct coverage_names *names)
{
    ims_json *o = ims__json_new_object(), *covered = ims__json_new_array(), *missing = ims__json_new_array();
    bool is_good = covered && missing;
    double percent;
    int n_covered = 0;

    for (int i = 0; is_good && i < IMS_N_ERAS; i++) {
        const char *era = ims_era_name((ims_era)i);
        bool is_there = covers(list, n, era);

        n_covered += is_there;
        is_good = ims__json_add(is_there ? covered : missing, ims__json_new_str(era)) == IMS_OK;
    }
    percent = 100.0 * n_covered / IMS_N_ERAS;
    is_good = ims__put(is_good ? o : NULL, names->covered, covered);
    is_good = ims__put(is_good ? o : NULL, names->missing, missing);
    return ims__whole(o, is_good && ims__put_num(o, names->percentage, (double)(int64_t)(percent * 10 + 0.5) / 10) &&
                             ims__put_int(o, names->total, (int64_t)n));
}

/* Those of the path's person; none for a person that is not there. */
static ims_status read_prototypes(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_arena *arena,
                                  struct ims_store_prototype **out, size_t *out_n, ims_err *err)
{
    int64_t id = ims__in_id(rq->path, "person_id", IMS_ID_PERSON), model_id = 0;
    ims_status st = ims_people_model(cx->engine, &model_id, err);

    *out_n = 0;
    return st || !id || !model_id
               ? st
               : ims_store_prototypes(cx->store, model_id, id, false, arena, out, out_n, err);
}

static ims_status items_json(struct ims_http_context *cx, const struct ims_store_prototype *list, size_t n,
                             struct ims_arena *arena, ims_json **out, ims_err *err)
{
    int64_t *ids = ims__arena_alloc(arena, n + 1, sizeof(*ids));
    struct ims_store_face *faces = NULL;
    ims_json *items = ims__json_new_array();
    ims_status st = ids && items ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "prototypes");

    for (size_t i = 0; !st && i < n; i++)
        ids[i] = list[i].face_id;
    if (!st && n)
        st = ims_store_faces_by_id(cx->store, ids, n, arena, &faces, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (ims__json_add(items, prototype_json(&list[i], faces[i].asset_id)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "prototypes");
    }
    if (st)
        ims__json_free(items);
    else
        *out = items;
    return st;
}

IMS_API_HANDLER(ims__api_prototypes_list)
{
    struct ims_store_prototype *list = NULL;
    struct ims_arena arena;
    ims_json *items = NULL, *o;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = read_prototypes(cx, rq, &arena, &list, &n, err);
    if (!st)
        st = items_json(cx, list, n, &arena, &items, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put(o, "items", items) &&
                                               ims__put(o, "coverage", coverage_json(list, n, &camel))),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_temporal_coverage)
{
    struct ims_store_prototype *list = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = read_prototypes(cx, rq, &arena, &list, &n, err);
    if (!st)
        st = ims__reply_json(rp, 200, coverage_json(list, n, &snake), err);
    ims__arena_release(&arena);
    return st;
}

/* ---- pins ---- */

static ims_json *pinned_json(const struct ims_store_prototype *p)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_id(o, "prototypeId", IMS_ID_PROTOTYPE, p->id) &&
                             ims__put_str(o, "role", ims_store_role_name(p->role)) &&
                             ims__put_str(o, "ageEraBucket", p->era) && ims__put_bool(o, "isPinned", p->is_pinned) &&
                             ims__put_time(o, "createdAt", p->created_us));
}

static const struct ims_store_prototype *find_prototype(const struct ims_store_prototype *list, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].id == id)
            return &list[i];
    }
    return NULL;
}

/* What the user asked for contradicts what is there: the contract has one status for all of that. */
static ims_status refuse(ims_status st, const ims_err *why, struct ims_http_reply *rp, ims_err *err)
{
    if (st == IMS_E_CONSTRAINT || st == IMS_E_LIMIT)
        return ims__reply_error(rp, 400, why->text);
    return st ? ims_fail(err, st, why->origin, why->native, "%s", why->text) : IMS_OK;
}

static ims_status pin(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_store_pin *what,
                      ims_err *err)
{
    const struct ims_people_by by = { .actor = ims__api_by.actor, .note = ims__in_str(rq->body, "note", NULL) };
    struct ims_store_person *person = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, what->person_id, &arena, &person, err);
    if (!st && !what->face_id)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such face");
    if (!st)
        st = ims_people_pin(cx->engine, &by, what, err);
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_prototype_pin)
{
    struct ims_store_pin what = { .person_id = ims__in_id(rq->path, "person_id", IMS_ID_PERSON),
                                  .face_id = ims__in_id(rq->body, "faceInstanceId", IMS_ID_FACE),
                                  .is_on = true,
                                  .role = strcmp(ims__in_str(rq->body, "role", "temporal"), "primary") == 0
                                              ? IMS_ROLE_PRIMARY
                                              : IMS_ROLE_TEMPORAL,
                                  .era = ims__in_str(rq->body, "ageEraBucket", NULL) };
    const struct ims_store_prototype *p;
    struct ims_store_prototype *list = NULL;
    struct ims_arena arena;
    ims_err why = { 0 };
    size_t n = 0;
    ims_status st = pin(cx, rq, &what, &why);

    if (st)
        return refuse(st, &why, rp, err);
    ims__arena_init(&arena, 0);
    st = read_prototypes(cx, rq, &arena, &list, &n, err);
    p = find_prototype(list, n, what.id);
    if (!st && !p)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "the face was changed meanwhile");
    if (!st)
        st = ims__reply_json(rp, 200, pinned_json(p), err);
    ims__arena_release(&arena);
    return st;
}

/* The prototype that the path names, as a word on its face; a prototype of somebody else is IMS_E_CONSTRAINT. */
static ims_status find_named(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_store_pin *out,
                             ims_err *err)
{
    int64_t id = ims__in_id(rq->path, "prototype_id", IMS_ID_PROTOTYPE), model_id = 0;
    const struct ims_store_prototype *p;
    struct ims_store_prototype *list = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st = ims_people_model(cx->engine, &model_id, err);

    *out = (struct ims_store_pin){ .person_id = ims__in_id(rq->path, "person_id", IMS_ID_PERSON) };
    ims__arena_init(&arena, 0);
    if (!st && model_id)
        st = ims_store_prototypes(cx->store, model_id, 0, false, &arena, &list, &n, err);
    p = find_prototype(list, n, id);
    if (!st && !p)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no such prototype");
    else if (!st && p->person_id != out->person_id)
        st = ims_fail(err, IMS_E_CONSTRAINT, "http", 0, "the prototype is another person's");
    if (!st)
        out->face_id = p->face_id;
    ims__arena_release(&arena);
    return st;
}

static ims_status reply_status(const char *word, struct ims_http_reply *rp, ims_err *err)
{
    ims_json *o = ims__json_new_object();

    return ims__reply_json(rp, 200, ims__whole(o, ims__put_str(o, "status", word)), err);
}

IMS_API_HANDLER(ims__api_prototype_unpin)
{
    struct ims_store_pin what;
    ims_err why = { 0 };
    ims_status st = find_named(cx, rq, &what, &why);

    if (!st)
        st = pin(cx, rq, &what, &why);
    return st ? refuse(st, &why, rp, err) : reply_status("unpinned", rp, err);
}

/* Left out for good, so that the next choice does not bring it back; pinning it takes that back. */
IMS_API_HANDLER(ims__api_prototype_delete)
{
    struct ims_store_pin what;
    ims_err why = { 0 };
    ims_status st = find_named(cx, rq, &what, &why);

    what.is_on = true;
    what.role = IMS_ROLE_EXCLUDED;
    if (!st)
        st = pin(cx, rq, &what, &why);
    return st ? refuse(st, &why, rp, err) : reply_status("deleted", rp, err);
}

/* ---- choosing anew ---- */

static ims_status rescan(struct ims_http_context *cx, int64_t person_id, bool keep_suggestions, ims_err *err)
{
    ims_json *args = ims__json_new_object();
    char key[48];

    snprintf(key, sizeof(key), "match:%lld:%d", (long long)person_id, keep_suggestions);
    args = ims__whole(args, ims__put_int(args, "person", person_id) && ims__put_bool(args, "expire", !keep_suggestions));
    return ims__api_push_work(cx, "match", key, args, NULL, err);
}

IMS_API_HANDLER(ims__api_prototypes_recompute)
{
    int64_t id = ims__in_id(rq->path, "person_id", IMS_ID_PERSON);
    bool is_rescan = ims__in_bool(rq->body, "triggerRescan", false);
    struct ims_store_person *person = NULL;
    struct ims_store_prototype *list = NULL;
    struct ims_arena arena;
    size_t n = 0, n_created = 0, n_removed = 0;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, id, &arena, &person, err);
    if (!st)
        st = ims_people_choose_prototypes(cx->engine, &ims__api_by, id, ims__in_bool(rq->body, "preservePins", true),
                                          &n_created, &n_removed, err);
    if (!st && is_rescan)
        st = rescan(cx, id, ims__in_bool(rq->body, "preserveExistingSuggestions", true), err);
    if (!st)
        st = read_prototypes(cx, rq, &arena, &list, &n, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(
            rp, 200,
            ims__whole(o, ims__put_int(o, "prototypesCreated", (int64_t)n_created) &&
                              ims__put_int(o, "prototypesRemoved", (int64_t)n_removed) &&
                              ims__put(o, "coverage", coverage_json(list, n, &camel)) &&
                              ims__put_bool(o, "rescanTriggered", is_rescan) &&
                              ims__put_str(o, "rescanMessage", is_rescan ? "Looking for this person's faces." : NULL)),
            err);
    }
    ims__arena_release(&arena);
    return st;
}
