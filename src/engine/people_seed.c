/* Names from a list of pictures and boxes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_seed.h"

#include "base/limits.h"
#include "base/text.h"
#include "engine/people_internal.h"

#include <math.h>
#include <string.h>

struct seed {
    const ims_json *data;
    struct ims_people_seed *what;
    struct ims_arena *arena;
};

struct box {
    double x, y, w, h;
};

static bool parse_box(const ims_json *v, struct box *out)
{
    *out = (struct box){ ims__json_num(ims__json_get(v, "x"), NAN), ims__json_num(ims__json_get(v, "y"), NAN),
                         ims__json_num(ims__json_get(v, "width"), NAN), ims__json_num(ims__json_get(v, "height"), NAN) };
    return isfinite(out->x) && isfinite(out->y) && isfinite(out->w) && isfinite(out->h);
}

/* ---- one face ---- */

/* The picture of that path, if its file is there. */
static ims_status find_asset(const struct ims__people_job *j, const char *shown, struct ims_arena *arena,
                             struct ims_store_asset **out, ims_err *err)
{
    struct ims_buf path;
    ims_status st;

    *out = NULL;
    ims__buf_init(&path, IMS_MAX_PATH_BYTES);
    st = ims__undisplay(shown, strlen(shown), &path);
    if (!st && path.len && path.data[0] == '/')
        st = ims_store_asset_by_path(j->s, path.data, arena, out, err);
    ims__buf_release(&path);
    if (!st && *out && ((*out)->deleted_us || !(*out)->content_id))
        *out = NULL;
    return st == IMS_E_NOT_FOUND || st == IMS_E_FORMAT || st == IMS_E_LIMIT ? IMS_OK : st;
}

/* Index of the nearest box of which no side is further off than the tolerance; n = none. */
static size_t nearest(const struct ims_store_face *faces, size_t n, const struct box *b, double tolerance)
{
    double best = INFINITY;
    size_t at = n;

    for (size_t i = 0; i < n; i++) {
        double dx = fabs(b->x - faces[i].x), dy = fabs(b->y - faces[i].y);
        double dw = fabs(b->w - faces[i].w), dh = fabs(b->h - faces[i].h);
        double distance = dx * dx + dy * dy + dw * dw + dh * dh;

        if (dx <= tolerance && dy <= tolerance && dw <= tolerance && dh <= tolerance && distance < best) {
            best = distance;
            at = i;
        }
    }
    return at;
}

/* What the entry means; found NO_FACE with a face_id: the face is there. */
static ims_status locate(const struct ims__people_job *j, const struct seed *x, const ims_json *v, struct ims_seed_face *out,
                         ims_err *err)
{
    struct ims_store_face_filter filter = { .model_id = j->model_id };
    struct ims_store_asset *asset = NULL;
    struct ims_store_face *faces = NULL;
    struct box box = { 0 };
    size_t n = 0, at;
    ims_status st = find_asset(j, out->path, x->arena, &asset, err);

    out->found = IMS_SEED_NO_FACE;
    out->error = "no face of the picture is there";
    if (!parse_box(ims__json_get(v, "boundingBox"), &box))
        out->error = "boundingBox needs x, y, width and height";
    if (!st && !asset) {
        out->found = IMS_SEED_NO_IMAGE;
        out->error = "there is no such picture in the library";
    }
    if (st || !asset)
        return st;
    filter.content_id = asset->content_id;
    if (j->model_id)
        st = ims__people_faces(j->s, &filter, IMS_STORE_FACES_BY_ID, x->arena, &faces, &n, err);
    if (!st && !n) {
        out->found = IMS_SEED_UNREAD;
        out->error = "no face was found in the picture yet";
    }
    at = nearest(faces, n, &box, x->what->tolerance_px ? x->what->tolerance_px : IMS_SEED_TOLERANCE_PX);
    out->face_id = !st && at < n ? faces[at].id : 0;
    return st;
}

static ims_status take_face(struct ims__people_job *j, const struct seed *x, const ims_json *v, struct ims_seed_person *p,
                            struct ims_seed_face *out, ims_err *err)
{
    ims_store_assign_result result = IMS_ASSIGN_GONE;
    struct ims_store_assign what = { .n = 1,
                                     .person_id = p->id,
                                     .by = IMS_ASSIGNED_IMPORT,
                                     .may_move = x->what->may_move,
                                     .results = &result };
    const char *path = ims__json_str(ims__json_get(v, "imagePath"), NULL);
    ims_status st;

    *out = (struct ims_seed_face){ .path = path ? path : "" };
    st = locate(j, x, v, out, err);
    if (st || !out->face_id)
        return st;
    what.face_ids = &out->face_id;
    st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    if (st)
        return st;
    x->what->n_assigned += what.n_changed;
    if (result == IMS_ASSIGN_DONE || result == IMS_ASSIGN_SAME) {
        out->found = IMS_SEED_MATCHED;
        out->error = NULL;
    } else {
        out->found = IMS_SEED_CONFLICT;
        out->error = ims_store_assign_result_text(result);
    }
    return IMS_OK;
}

static void count_face(struct ims_seed_person *p, const struct ims_seed_face *f)
{
    p->n_matched += f->found == IMS_SEED_MATCHED;
    p->n_missing += f->found == IMS_SEED_NO_IMAGE;
    p->n_conflicts += f->found == IMS_SEED_CONFLICT;
    p->n_not_found += f->found == IMS_SEED_NO_FACE || f->found == IMS_SEED_UNREAD;
}

/* ---- one person ---- */

/* Found or made. A name that is none is told, and does not stop the others. */
static ims_status need_person(struct ims__people_job *j, const struct seed *x, const ims_json *v, struct ims_seed_person *p,
                              ims_err *err)
{
    const char *status = ims__json_str(ims__json_get(v, "status"), NULL);
    const struct ims_store_person_change hide = { .has_status = true, .status = IMS_PERSON_HIDDEN };
    char *key = NULL;
    ims_err why = { 0 };
    ims_status st = ims_store_name_key(p->name, &key, NULL, &why);

    ims__free(key);
    if (st == IMS_E_INVALID) {
        p->error = ims__arena_strndup(x->arena, why.text, strlen(why.text));
        return p->error ? IMS_OK : ims__people_nomem(err);
    }
    if (st)
        return ims_fail(err, st, why.origin, why.native, "%s", why.text);
    st = ims__people_need_person(j->s, &j->ev, 0, p->name, &p->id, &p->is_new, err);
    if (!st && p->is_new && status && strcmp(status, "hidden") == 0)
        st = ims_store_change_person(j->s, &j->ev, p->id, &hide, err);
    return st;
}

static ims_status take_person(struct ims__people_job *j, const struct seed *x, const ims_json *v, struct ims_seed_person *p,
                              ims_err *err)
{
    const ims_json *faces = ims__json_get(v, "faceMappings");
    const char *name = ims__json_str(ims__json_get(v, "name"), NULL);
    ims_status st;

    *p = (struct ims_seed_person){ .name = name ? name : "" };
    st = need_person(j, x, v, p, err);
    if (st || !p->id)
        return st;
    p->faces = ims__arena_alloc(x->arena, ims__json_len(faces) + 1, sizeof(*p->faces));
    if (!p->faces)
        return ims__people_nomem(err);
    for (; !st && p->n_faces < ims__json_len(faces); p->n_faces++) {
        st = take_face(j, x, ims__json_at(faces, p->n_faces), p, &p->faces[p->n_faces], err);
        if (!st)
            count_face(p, &p->faces[p->n_faces]);
    }
    x->what->n_missing += p->n_missing;
    return st;
}

/* ---- the whole ---- */

static ims_status run_seed(struct ims__people_job *j, ims_err *err)
{
    const struct seed *x = j->ctx;
    const ims_json *persons = ims__json_get(x->data, "persons");
    struct ims_people_seed *what = x->what;
    size_t n = ims__json_len(persons);
    ims_status st = IMS_OK;

    what->n_assigned = what->n_missing = 0;
    what->persons = ims__arena_alloc(x->arena, n + 1, sizeof(*what->persons));
    if (!what->persons)
        return ims__people_nomem(err);
    for (what->n_persons = 0; !st && what->n_persons < n; what->n_persons++)
        st = take_person(j, x, ims__json_at(persons, what->n_persons), &what->persons[what->n_persons], err);
    if (!st && (what->is_dry_run || (what->needs_all && what->n_missing))) /* nothing of it is kept */
        st = ims_fail(err, IMS_E_CANCELLED, "people", 0, "nothing is changed");
    return st;
}

ims_status ims_people_seed(struct ims_engine *e, const struct ims_people_by *by, const ims_json *data,
                           struct ims_people_seed *what, struct ims_arena *arena, ims_err *err)
{
    struct seed x = { data, what, arena };
    struct ims__people_job j = { .e = e, .by = by, .operation = IMS_EVENT_IMPORT, .run = run_seed, .ctx = &x };
    const char *version = ims__json_str(ims__json_get(data, "version"), NULL);
    ims_err own = { 0 };
    ims_status st;

    if (!version || strcmp(version, IMS_SEED_VERSION) != 0)
        return ims_fail(err, IMS_E_FORMAT, "people", 0, "this is no export of version " IMS_SEED_VERSION);
    if (ims__json_type(ims__json_get(data, "persons")) != IMS_JSON_ARRAY)
        return ims_fail(err, IMS_E_FORMAT, "people", 0, "the export has no list \"persons\"");
    st = ims__people_run(&j, &own);
    what->event_id = st ? 0 : j.ev.id;
    if (st == IMS_E_CANCELLED)
        return IMS_OK;
    return st && err ? (*err = own, st) : st;
}
