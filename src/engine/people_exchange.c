/* Names as JSON: out of a library, and into this or another one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include "base/hash.h"
#include "base/text.h"

#include <string.h>

#define FORMAT "imgsearch-people"
#define VERSION 1
#define MIN_OVERLAP 0.5

/* --- out --- */

static ims_json *box_json(const struct ims_store_face *f)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "x", ims__json_new_int(f->x));
    (void)ims__json_set(o, "y", ims__json_new_int(f->y));
    (void)ims__json_set(o, "width", ims__json_new_int(f->w));
    (void)ims__json_set(o, "height", ims__json_new_int(f->h));
    return o;
}

/* Where a face is: the hash of its file, a path for people to read, its box. */
static ims_status place_json(struct ims_engine *e, const struct ims_store_face *f,
                             struct ims_arena *arena, ims_json **out, ims_err *err)
{
    struct ims_store_asset *asset = NULL;
    struct ims_buf shown;
    char hex[IMS_SHA256_HEX];
    ims_json *o = ims__json_new_object();
    size_t n = 0;
    ims_status st =
        f->asset_id ? ims_store_assets(e->store, &f->asset_id, 1, arena, &asset, &n, err) : IMS_OK;

    if (st || !n || !asset->has_sha256) {
        ims__json_free(o);
        *out = NULL;
        return st;
    }
    ims__hex(asset->sha256, IMS_SHA256_BYTES, hex);
    ims__buf_init(&shown, 4 * strlen(asset->path) + 1);
    st = ims__display(asset->path, strlen(asset->path), &shown);
    (void)ims__json_set(o, "sha256", ims__json_new_str(hex));
    (void)ims__json_set(o, "path", ims__json_new_str(st ? NULL : shown.data));
    if (ims__json_set(o, "box", box_json(f)))
        st = IMS_E_NOMEM;
    ims__buf_release(&shown);
    if (st) {
        ims__json_free(o);
        return ims__people_nomem(err);
    }
    *out = o;
    return IMS_OK;
}

static ims_status add_faces(struct ims_engine *e, const struct ims_store_person *p,
                            ims_json *person, struct ims_arena *arena, ims_err *err)
{
    const struct ims_store_face_filter filter = { .person_id = p->id };
    struct ims_store_face *faces = NULL;
    ims_json *list = ims__json_new_array();
    size_t n = 0;
    ims_status st =
        ims__people_faces(e->store, &filter, IMS_STORE_FACES_BY_ID, arena, &faces, &n, err);

    for (size_t i = 0; !st && i < n; i++) {
        ims_json *o = NULL;

        st = place_json(e, &faces[i], arena, &o, err);
        if (st || !o)
            continue;
        (void)ims__json_set(o, "assignedBy", ims__json_new_str(faces[i].assigned_by));
        if (faces[i].is_extra)
            (void)ims__json_set(o, "extra", ims__json_new_bool(true));
        if (ims__json_add(list, o))
            st = ims__people_nomem(err);
    }
    if (ims__json_set(person, "faces", list) && !st)
        st = ims__people_nomem(err);
    return st;
}

static ims_status add_rejections(struct ims_engine *e, const struct ims_store_person *p,
                                 ims_json *person, struct ims_arena *arena, ims_err *err)
{
    struct ims_store_rejection *r = NULL;
    ims_json *list = ims__json_new_array();
    size_t n = 0;
    ims_status st = ims_store_rejections(e->store, 0, p->id, arena, &r, &n, err);

    for (size_t i = 0; !st && i < n; i++) {
        struct ims_store_face *face = NULL;
        ims_json *o = NULL;

        st = ims_store_faces_by_id(e->store, &r[i].face_id, 1, arena, &face, err);
        if (!st)
            st = place_json(e, face, arena, &o, err);
        if (!st && o && ims__json_add(list, o))
            st = ims__people_nomem(err);
    }
    if (ims__json_set(person, "notFaces", list) && !st)
        st = ims__people_nomem(err);
    return st;
}

static ims_status person_json(struct ims_engine *e, const struct ims_store_person *p,
                              ims_json *list, ims_err *err)
{
    ims_json *o = ims__json_new_object();
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    (void)ims__json_set(o, "name", ims__json_new_str(p->name));
    (void)ims__json_set(o, "status", ims__json_new_str(ims_store_person_status_name(p->status)));
    (void)ims__json_set(o, "birthDate", ims__json_new_str(p->birth_date));
    st = add_faces(e, p, o, &arena, err);
    if (!st)
        st = add_rejections(e, p, o, &arena, err);
    if (ims__json_add(list, o) && !st)
        st = ims__people_nomem(err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_export(struct ims_engine *e, ims_json **out, ims_err *err)
{
    const struct ims_store_person_filter filter = { 0 };
    struct ims_store_person *persons = NULL;
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    (void)ims__json_set(o, "format", ims__json_new_str(FORMAT));
    (void)ims__json_set(o, "version", ims__json_new_int(VERSION));
    st = ims_store_persons(e->store, &filter, IMS_PERSONS_BY_NAME, 0, 0, &arena, &persons, &n, NULL,
                           err);
    for (size_t i = 0; !st && i < n; i++)
        st = person_json(e, &persons[i], list, err);
    if (ims__json_set(o, "persons", list) && !st)
        st = ims__people_nomem(err);
    ims__arena_release(&arena);
    if (st)
        ims__json_free(o);
    else
        *out = o;
    return st;
}

/* --- in --- */

struct import {
    const ims_json *data;
    struct ims_people_import *what;
};

static ims_status wrong(const char *what, size_t i, ims_err *err)
{
    return ims_fail(err, IMS_E_FORMAT, "people", 0, "person %zu of the file: %s", i + 1, what);
}

static bool parse_hex(const char *text, uint8_t out[IMS_SHA256_BYTES])
{
    if (!text || strlen(text) != IMS_SHA256_HEX - 1)
        return false;
    for (size_t i = 0; i < IMS_SHA256_HEX - 1; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, text[i]);

        if (!at)
            return false;
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | (at - digits) : (at - digits) << 4);
    }
    return true;
}

struct box {
    double x, y, w, h;
};

static bool parse_box(const ims_json *v, struct box *out)
{
    out->x = ims__json_num(ims__json_get(v, "x"), -1e9);
    out->y = ims__json_num(ims__json_get(v, "y"), -1e9);
    out->w = ims__json_num(ims__json_get(v, "width"), 0);
    out->h = ims__json_num(ims__json_get(v, "height"), 0);
    return out->x > -1e8 && out->y > -1e8 && out->w > 0 && out->h > 0 && out->w < 1e8 &&
           out->h < 1e8;
}

static double overlap(const struct box *a, const struct ims_store_face *f)
{
    double left = a->x > f->x ? a->x : f->x, top = a->y > f->y ? a->y : f->y;
    double right = a->x + a->w < f->x + f->w ? a->x + a->w : f->x + f->w;
    double bottom = a->y + a->h < f->y + f->h ? a->y + a->h : f->y + f->h;
    double common = right > left && bottom > top ? (right - left) * (bottom - top) : 0;

    return common / (a->w * a->h + (double)f->w * f->h - common);
}

/* The face that is meant; 0 = none, *out_has_photo tells whether the picture is here at all. */
static ims_status find_face(struct ims__people_job *j, const ims_json *v, size_t person,
                            int64_t *out, bool *out_has_photo, ims_err *err)
{
    struct ims_store_known known = { 0 };
    struct ims_store_face_filter filter = { .model_id = j->model_id };
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    struct box box;
    uint8_t sha256[IMS_SHA256_BYTES];
    double best = MIN_OVERLAP;
    size_t n = 0;
    ims_status st;

    *out = 0;
    *out_has_photo = false;
    if (!parse_hex(ims__json_str(ims__json_get(v, "sha256"), NULL), sha256) ||
        !parse_box(ims__json_get(v, "box"), &box))
        return wrong("a face needs sha256 and box {x, y, width, height}", person, err);
    st = ims_store_find_contents(j->s, (const uint8_t(*)[IMS_SHA256_BYTES]) & sha256, 1,
                                 j->model_id, &known, err);
    if (st || !known.content_id)
        return st;
    *out_has_photo = true;
    filter.content_id = known.content_id;
    ims__arena_init(&arena, 0);
    st = ims__people_faces(j->s, &filter, IMS_STORE_FACES_BY_ID, &arena, &faces, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (overlap(&box, &faces[i]) >= best) {
            best = overlap(&box, &faces[i]);
            *out = faces[i].id;
        }
    }
    ims__arena_release(&arena);
    return st;
}

static void count(struct ims_people_import *w, ims_store_assign_result r)
{
    switch (r) {
    case IMS_ASSIGN_DONE:
        w->n_assigned++;
        break;
    case IMS_ASSIGN_SAME:
        w->n_same++;
        break;
    case IMS_ASSIGN_GONE:
        w->n_no_face++;
        break;
    default:
        w->n_conflicts++;
    }
}

static ims_status import_face(struct ims__people_job *j, const struct import *x, const ims_json *v,
                              size_t person, int64_t person_id, ims_err *err)
{
    ims_store_assign_result result = IMS_ASSIGN_GONE;
    int64_t face_id = 0;
    struct ims_store_assign what = { .face_ids = &face_id,
                                     .n = 1,
                                     .person_id = person_id,
                                     .by = IMS_ASSIGNED_IMPORT,
                                     .may_move = x->what->may_move,
                                     .allow_extra =
                                         ims__json_bool(ims__json_get(v, "extra"), false),
                                     .results = &result };
    bool has_photo = false;
    ims_status st = find_face(j, v, person, &face_id, &has_photo, err);

    if (st)
        return st;
    if (!face_id) {
        x->what->n_no_photo += !has_photo;
        x->what->n_no_face += has_photo;
        return IMS_OK;
    }
    st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    if (!st)
        count(x->what, result);
    return st;
}

static ims_status import_rejection(struct ims__people_job *j, const struct import *x,
                                   const ims_json *v, size_t person, int64_t person_id,
                                   ims_err *err)
{
    struct ims_store_face *face = NULL;
    struct ims_arena arena;
    int64_t face_id = 0;
    bool has_photo;
    ims_status st = find_face(j, v, person, &face_id, &has_photo, err);

    if (st || !face_id)
        return st;
    ims__arena_init(&arena, 0);
    st = ims_store_faces_by_id(j->s, &face_id, 1, &arena, &face, err);
    if (!st && face->person_id != person_id) {
        st = ims_store_reject(j->s, &j->ev, &face_id, 1, person_id, true, err);
        x->what->n_rejections += !st;
    }
    ims__arena_release(&arena);
    return st;
}

static ims_status import_person(struct ims__people_job *j, const struct import *x, size_t i,
                                ims_err *err)
{
    const ims_json *p = ims__json_at(ims__json_get(x->data, "persons"), i);
    const ims_json *faces = ims__json_get(p, "faces"), *not_faces = ims__json_get(p, "notFaces");
    const char *name = ims__json_str(ims__json_get(p, "name"), NULL);
    const char *birth_date = ims__json_str(ims__json_get(p, "birthDate"), NULL);
    const char *status = ims__json_str(ims__json_get(p, "status"), NULL);
    struct ims_store_person_change change = { .has_birth_date = birth_date != NULL,
                                              .birth_date = birth_date };
    bool is_new = false;
    int64_t id = 0;
    ims_status st;

    if (!name)
        return wrong("it has no name", i, err);
    st = ims__people_need_person(j->s, &j->ev, 0, name, &id, &is_new, err);
    change.has_status = is_new && status && strcmp(status, "hidden") == 0;
    change.status = IMS_PERSON_HIDDEN;
    if (!st && (is_new || change.has_birth_date))
        st = ims_store_change_person(j->s, &j->ev, id, &change, err);
    x->what->n_persons_made += is_new;
    x->what->n_persons_found += !is_new;
    /* A second face in a photo after the first one, whatever the order in the file: only it may be there too. */
    for (int extra = 0; extra < 2; extra++) {
        for (size_t k = 0; !st && k < ims__json_len(faces); k++) {
            const ims_json *f = ims__json_at(faces, k);

            if (ims__json_bool(ims__json_get(f, "extra"), false) == (extra == 1))
                st = import_face(j, x, f, i, id, err);
        }
    }
    for (size_t k = 0; !st && k < ims__json_len(not_faces); k++)
        st = import_rejection(j, x, ims__json_at(not_faces, k), i, id, err);
    return st == IMS_E_INVALID ? ims_fail(err, IMS_E_FORMAT, "people", 0,
                                          "person %zu of the file: %s", i + 1, err ? err->text : "")
                               : st;
}

static ims_status run_import(struct ims__people_job *j, ims_err *err)
{
    const struct import *x = j->ctx;
    const struct ims_people_import clean = { .is_dry_run = x->what->is_dry_run,
                                             .may_move = x->what->may_move };
    size_t n = ims__json_len(ims__json_get(x->data, "persons"));
    ims_status st = IMS_OK;

    *x->what = clean;
    for (size_t i = 0; !st && i < n; i++)
        st = import_person(j, x, i, err);
    if (!st && x->what->is_dry_run) /* nothing of it is kept */
        st = ims_fail(err, IMS_E_CANCELLED, "people", 0, "a dry run");
    return st;
}

ims_status ims_people_import(struct ims_engine *e, const struct ims_people_by *by,
                             const ims_json *data, struct ims_people_import *what, ims_err *err)
{
    struct import x = { data, what };
    struct ims__people_job j = {
        .e = e, .by = by, .operation = IMS_EVENT_IMPORT, .run = run_import, .ctx = &x
    };
    const char *format = ims__json_str(ims__json_get(data, "format"), NULL);
    ims_err own = { 0 };
    ims_status st;

    if (!format || strcmp(format, FORMAT) != 0)
        return ims_fail(err, IMS_E_FORMAT, "people", 0,
                        "this is no export of people: \"format\" is not \"%s\"", FORMAT);
    if (ims__json_int(ims__json_get(data, "version"), 0) != VERSION)
        return ims_fail(err, IMS_E_VERSION, "people", 0, "the export has another version than %d",
                        VERSION);
    if (ims__json_type(ims__json_get(data, "persons")) != IMS_JSON_ARRAY)
        return ims_fail(err, IMS_E_FORMAT, "people", 0, "the export has no list \"persons\"");
    st = ims__people_run(&j, &own);
    if (st == IMS_E_CANCELLED && what->is_dry_run)
        return IMS_OK;
    if (st)
        return err ? (*err = own, st) : st;
    what->event_id = j.ev.id;
    return IMS_OK;
}
