/* Persons and their faces: the plain changes, and what every change has in common.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "engine/people_internal.h"

#include <string.h>

ims_status ims__people_nomem(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "people", 0, "not enough memory");
}

struct ims_store *ims_people_store(struct ims_engine *e)
{
    return e->store;
}

ims_status ims_people_model(struct ims_engine *e, int64_t *out_id, ims_err *err)
{
    return ims__engine_find_face_model(e, out_id, err);
}

/* --- what every change has in common --- */

ims_status ims__people_faces(struct ims_store *s, const struct ims_store_face_filter *filter,
                             ims_store_face_order order, struct ims_arena *arena,
                             struct ims_store_face **out, size_t *out_n, ims_err *err)
{
    return ims_store_faces(s, filter, order, 0, 0, arena, out, out_n, NULL, err);
}

int64_t *ims__people_ids(struct ims_arena *arena, const struct ims_store_face *faces, size_t n)
{
    int64_t *ids = ims__arena_alloc(arena, n + 1, sizeof(*ids));

    for (size_t i = 0; ids && i < n; i++)
        ids[i] = faces[i].id;
    return ids;
}

ims_status ims__people_need_person(struct ims_store *s, struct ims_store_event *ev,
                                   int64_t person_id, const char *name, int64_t *out_id,
                                   bool *out_is_new, ims_err *err)
{
    ims_status st = IMS_OK;

    *out_is_new = false;
    *out_id = person_id;
    if (!person_id)
        st = ims_store_find_person(s, name, out_id, err);
    if (st || *out_id)
        return st;
    *out_is_new = true;
    return ims_store_create_person(s, ev, name, NULL, out_id, err);
}

ims_status ims__people_refresh_event(struct ims_store *s, const struct ims_prototype_rules *rules,
                                     int64_t model_id, int64_t event_id, ims_err *err)
{
    struct ims_arena arena;
    int64_t *persons = NULL;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_event_persons(s, event_id, &arena, &persons, &n, err);
    for (size_t i = 0; !st && i < n; i++)
        st = ims__people_refresh(s, rules, model_id, persons[i], err);
    ims__arena_release(&arena);
    return st;
}

static ims_status run_job(struct ims_store *s, void *arg, ims_err *err)
{
    struct ims__people_job *j = arg;
    const struct ims_store_event_in in = { .operation = j->operation,
                                           .actor = j->by ? j->by->actor : NULL,
                                           .note = j->by ? j->by->note : NULL,
                                           .from_person_id = j->from,
                                           .to_person_id = j->to };
    ims_status st;

    j->s = s;
    st = ims_store_event_begin(s, &in, &j->ev, err);
    if (!st)
        st = j->run(j, err);
    if (!st)
        st = ims_store_event_end(s, &j->ev, err);
    if (!st && j->ev.id)
        st = ims__people_refresh_event(s, &j->rules, j->model_id, j->ev.id, err);
    return st;
}

ims_status ims__people_run(struct ims__people_job *j, ims_err *err)
{
    ims_status st = ims_people_model(j->e, &j->model_id, err);

    if (!st)
        st = ims__people_rules(j->e, &j->rules, err);
    if (!st)
        st = ims_store_transact(j->e->store, run_job, j, err);
    if (!st)
        j->e->people_event = j->ev.id;
    return st;
}

int64_t ims_people_event(const struct ims_engine *e)
{
    return e->people_event;
}

/* --- finding --- */

ims_status ims_people_find(struct ims_engine *e, const char *word, bool is_merged_ok,
                           int64_t *out_id, ims_err *err)
{
    const struct ims_store_person_filter by_id = { .include_all = is_merged_ok };
    struct ims_store_person_filter filter = by_id;
    struct ims_store_person *p = NULL;
    struct ims_arena arena;
    char shown[IMS_SHOWN_BYTES];
    size_t n = 0;
    int64_t id = 0;
    ims_status st = ims_store_find_person(e->store, word, &id, err);

    if (st || id) {
        *out_id = st ? *out_id : id;
        return st;
    }
    if (ims__parse_int(word[0] == '#' ? word + 1 : word, 1, INT64_MAX, &filter.id)) {
        ims__arena_init(&arena, 0);
        st = ims_store_persons(e->store, &filter, IMS_PERSONS_BY_NAME, 0, 1, &arena, &p, &n, NULL,
                               err);
        ims__arena_release(&arena);
    }
    if (st)
        return st;
    if (!n)
        return ims_fail(err, IMS_E_NOT_FOUND, "people", 0,
                        "there is no person %s; `imgsearch people list` shows who is there",
                        ims__shown(shown, sizeof(shown), word));
    *out_id = filter.id;
    return IMS_OK;
}

/* --- persons --- */

struct create {
    const char *name;
    const char *birth_date;
    int64_t id;
};

static ims_status run_create(struct ims__people_job *j, ims_err *err)
{
    struct create *x = j->ctx;
    ims_status st = ims_store_create_person(j->s, &j->ev, x->name, x->birth_date, &x->id, err);

    return st ? st : ims_store_event_set_persons(j->s, &j->ev, 0, x->id, err);
}

ims_status ims_people_create(struct ims_engine *e, const struct ims_people_by *by, const char *name,
                             const char *birth_date, int64_t *out_id, ims_err *err)
{
    struct create x = { name, birth_date, 0 };
    struct ims__people_job j = {
        .e = e, .by = by, .operation = IMS_EVENT_CREATE, .run = run_create, .ctx = &x
    };
    ims_status st = ims__people_run(&j, err);

    if (!st)
        *out_id = x.id;
    return st;
}

static ims_status run_change(struct ims__people_job *j, ims_err *err)
{
    return ims_store_change_person(j->s, &j->ev, j->to, j->ctx, err);
}

ims_status ims_people_change(struct ims_engine *e, const struct ims_people_by *by,
                             int64_t person_id, const struct ims_store_person_change *change,
                             ims_err *err)
{
    struct ims_store_person_change copy = *change;
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = IMS_EVENT_UPDATE,
                                 .to = person_id,
                                 .run = run_change,
                                 .ctx = &copy };

    if (change->has_status && change->status > IMS_PERSON_HIDDEN)
        return ims_fail(
            err, IMS_E_INVALID, "people", 0,
            "a person becomes active or hidden; merging and deleting are changes of their own");
    return ims__people_run(&j, err);
}

/* Every face of a person, of all models and of files that are gone too. */
static ims_status all_faces(struct ims_store *s, int64_t person_id, struct ims_arena *arena,
                            int64_t **out, size_t *out_n, ims_err *err)
{
    const struct ims_store_face_filter filter = { .person_id = person_id, .include_gone = true };
    struct ims_store_face *faces = NULL;
    ims_status st =
        ims__people_faces(s, &filter, IMS_STORE_FACES_BY_QUALITY, arena, &faces, out_n, err);

    if (st)
        return st;
    *out = ims__people_ids(arena, faces, *out_n);
    return *out ? IMS_OK : ims__people_nomem(err);
}

static ims_status run_delete(struct ims__people_job *j, ims_err *err)
{
    const struct ims_store_person_change gone = { .has_status = true,
                                                  .status = IMS_PERSON_DELETED };
    struct ims_store_assign what = { .is_strict = true };
    struct ims_arena arena;
    int64_t *ids = NULL;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = all_faces(j->s, j->from, &arena, &ids, &what.n, err);
    what.face_ids = ids;
    if (!st)
        st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    if (!st)
        st = ims_store_change_person(j->s, &j->ev, j->from, &gone, err);
    if (!st)
        st = ims_store_expire_suggestions(j->s, j->from, 0, NULL, err);
    if (!st)
        st = ims_store_drop_centroids(j->s, j->from, NULL, err);
    ims__arena_release(&arena);
    *(size_t *)j->ctx = what.n_changed;
    return st;
}

ims_status ims_people_delete(struct ims_engine *e, const struct ims_people_by *by,
                             int64_t person_id, size_t *out_n_faces, ims_err *err)
{
    size_t n = 0;
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = IMS_EVENT_DELETE,
                                 .from = person_id,
                                 .run = run_delete,
                                 .ctx = &n };
    ims_status st = ims__people_run(&j, err);

    if (!st && out_n_faces)
        *out_n_faces = n;
    return st;
}

/* --- faces --- */

/* Leaves out faces that are not from_person_id by now; x->results tells. */
static ims_status choose_faces(struct ims__people_job *j, const struct ims_people_assign *x, struct ims_arena *arena,
                               const int64_t **out, size_t *out_n, ims_err *err)
{
    struct ims_store_face *faces = NULL;
    int64_t *ids = ims__arena_alloc(arena, x->n, sizeof(*ids));
    size_t n = 0;
    ims_status st = ids ? ims_store_faces_by_id(j->s, x->face_ids, x->n, arena, &faces, err) : ims__people_nomem(err);

    for (size_t i = 0; !st && i < x->n; i++) {
        if (faces[i].person_id == x->from_person_id)
            ids[n++] = faces[i].id;
        else if (x->is_strict)
            st = ims_fail(err, IMS_E_CONSTRAINT, "people", 0, "face %lld is not person %lld any more",
                          (long long)faces[i].id, (long long)x->from_person_id);
    }
    if (st)
        return st;
    *out = ids;
    *out_n = n;
    return IMS_OK;
}

static ims_status run_assign(struct ims__people_job *j, ims_err *err)
{
    struct ims_people_assign *x = j->ctx;
    struct ims_store_assign what = { .face_ids = x->face_ids,
                                     .n = x->n,
                                     .by = IMS_ASSIGNED_USER,
                                     .may_move = x->may_move,
                                     .allow_extra = x->allow_extra,
                                     .overrules = true,
                                     .is_strict = x->is_strict,
                                     .results = x->results };
    struct ims_arena arena;
    ims_status st = ims__people_need_person(j->s, &j->ev, x->person_id, x->name, &what.person_id,
                                            &x->is_new_person, err);

    ims__arena_init(&arena, 0);
    if (!st && x->from_person_id)
        st = choose_faces(j, x, &arena, &what.face_ids, &what.n, err);
    if (!st && what.n)
        st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    ims__arena_release(&arena);
    if (!st && !what.n_changed && x->is_new_person) /* a name nobody was given is not kept */
        st = ims_fail(err, IMS_E_CONSTRAINT, "people", 0, "none of the %zu faces could be assigned",
                      x->n);
    if (!st)
        st = ims_store_event_set_persons(j->s, &j->ev, 0, what.person_id, err);
    x->n_changed = what.n_changed;
    j->to = what.person_id;
    return st;
}

ims_status ims_people_assign(struct ims_engine *e, const struct ims_people_by *by,
                             struct ims_people_assign *what, ims_err *err)
{
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = what->may_move ? IMS_EVENT_MOVE : IMS_EVENT_ASSIGN,
                                 .from = what->from_person_id,
                                 .run = run_assign,
                                 .ctx = what };
    ims_status st;

    if (!what->n)
        return ims_fail(err, IMS_E_INVALID, "people", 0, "no faces are named");
    st = ims__people_run(&j, err);
    if (st)
        return st;
    what->person_id = j.to;
    what->event_id = j.ev.id;
    return IMS_OK;
}

struct remove_faces {
    const int64_t *face_ids;
    size_t n;
    int64_t person_id;
    bool is_rejected;
    size_t n_changed;
};

static bool is_of(const struct ims_store_face *f, int64_t person_id)
{
    return f->person_id && (!person_id || f->person_id == person_id);
}

/* Those of the faces that are the person (0: somebody) are nobody's then. */
static ims_status leave(struct ims__people_job *j, const struct ims_store_face *faces, size_t n, int64_t person_id,
                        struct ims_arena *arena, size_t *out_n, ims_err *err)
{
    struct ims_store_assign what = { .is_strict = true };
    int64_t *ids = ims__arena_alloc(arena, n, sizeof(*ids));
    ims_status st;

    if (!ids)
        return ims__people_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (is_of(&faces[i], person_id))
            ids[what.n++] = faces[i].id;
    }
    what.face_ids = ids;
    st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    *out_n = what.n_changed;
    return st;
}

/* Rejections come after the faces have left: undone in reverse, they go first. */
static ims_status run_remove(struct ims__people_job *j, ims_err *err)
{
    struct remove_faces *x = j->ctx;
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_faces_by_id(j->s, x->face_ids, x->n, &arena, &faces, err);
    if (!st)
        st = leave(j, faces, x->n, x->person_id, &arena, &x->n_changed, err);
    for (size_t i = 0; !st && x->is_rejected && i < x->n; i++) {
        if (is_of(&faces[i], x->person_id))
            st = ims_store_reject(j->s, &j->ev, &faces[i].id, 1, faces[i].person_id, true, err);
    }
    if (!st && x->n == 1)
        st = ims_store_event_set_persons(j->s, &j->ev, faces[0].person_id, 0, err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_remove(struct ims_engine *e, const struct ims_people_by *by,
                             const int64_t *face_ids, size_t n, int64_t person_id, bool is_rejected,
                             size_t *out_n_changed, int64_t *out_event_id, ims_err *err)
{
    struct remove_faces x = { face_ids, n, person_id, is_rejected, 0 };
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = n > 1 ? IMS_EVENT_REMOVE : IMS_EVENT_UNASSIGN,
                                 .from = person_id,
                                 .run = run_remove,
                                 .ctx = &x };
    ims_status st;

    if (!n)
        return ims_fail(err, IMS_E_INVALID, "people", 0, "no faces are named");
    st = ims__people_run(&j, err);
    if (st)
        return st;
    if (out_n_changed)
        *out_n_changed = x.n_changed;
    if (out_event_id)
        *out_event_id = j.ev.id;
    return IMS_OK;
}

struct reject {
    const int64_t *face_ids;
    size_t n;
    bool on;
    size_t n_removed;
};

static ims_status run_reject(struct ims__people_job *j, ims_err *err)
{
    struct reject *x = j->ctx;
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_faces_by_id(j->s, x->face_ids, x->n, &arena, &faces, err);
    if (!st && x->on)
        st = leave(j, faces, x->n, j->from, &arena, &x->n_removed, err);
    if (!st)
        st = ims_store_reject(j->s, &j->ev, x->face_ids, x->n, j->from, x->on, err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_reject(struct ims_engine *e, const struct ims_people_by *by, const int64_t *face_ids, size_t n,
                             int64_t person_id, bool on, size_t *out_n_removed, ims_err *err)
{
    struct reject x = { face_ids, n, on, 0 };
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = IMS_EVENT_REJECT,
                                 .from = person_id,
                                 .run = run_reject,
                                 .ctx = &x };
    ims_status st;

    if (!n)
        return ims_fail(err, IMS_E_INVALID, "people", 0, "no faces are named");
    st = ims__people_run(&j, err);
    if (!st && out_n_removed)
        *out_n_removed = x.n_removed;
    return st;
}
