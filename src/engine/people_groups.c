/* Changes of whole groups: merging and splitting persons, naming clusters, undoing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include <stdlib.h>
#include <string.h>

/* --- merging --- */

static ims_status copy_rejections(struct ims__people_job *j, struct ims_arena *arena, ims_err *err)
{
    struct ims_store_rejection *r = NULL;
    size_t n = 0;
    ims_status st = ims_store_rejections(j->s, 0, j->from, arena, &r, &n, err);

    for (size_t i = 0; !st && i < n; i++) {
        struct ims_store_face *face = NULL;

        st = ims_store_faces_by_id(j->s, &r[i].face_id, 1, arena, &face, err);
        if (!st && face->person_id != j->to) /* who is there by the user's word stays */
            st = ims_store_reject(j->s, &j->ev, &r[i].face_id, 1, j->to, true, err);
    }
    return st;
}

static bool has_era(const struct ims_store_prototype *list, size_t n,
                    const struct ims_store_prototype *p)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].is_pinned && list[i].role == p->role &&
            (p->role != IMS_ROLE_TEMPORAL ||
             (list[i].era && p->era && strcmp(list[i].era, p->era) == 0)))
            return true;
    }
    return false;
}

/* Pins of the merged person that do not compete with one of the other. */
static ims_status copy_pins(struct ims__people_job *j, const struct ims_store_prototype *pins,
                            size_t n, const struct ims_store_prototype *theirs, size_t n_theirs,
                            ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n; i++) {
        struct ims_store_pin pin = { .person_id = j->to,
                                     .face_id = pins[i].face_id,
                                     .is_on = true,
                                     .role = pins[i].role,
                                     .era = pins[i].era,
                                     .by = pins[i].pinned_by };

        if ((pins[i].is_pinned && !has_era(theirs, n_theirs, &pins[i])) ||
            pins[i].role == IMS_ROLE_EXCLUDED)
            st = ims_store_pin(j->s, &j->ev, &pin, err);
    }
    return st;
}

static ims_status move_all(struct ims__people_job *j, struct ims_people_merge *x,
                           struct ims_arena *arena, ims_err *err)
{
    const struct ims_store_face_filter filter = { .person_id = j->from, .include_gone = true };
    struct ims_store_assign what = { .person_id = j->to,
                                     .may_move = true,
                                     .keeps_origin = true,
                                     .overrules = true,
                                     .allow_extra = x->allow_extra,
                                     .is_strict = true };
    struct ims_store_face *faces = NULL;
    ims_status st =
        ims__people_faces(j->s, &filter, IMS_STORE_FACES_BY_QUALITY, arena, &faces, &what.n, err);

    if (st)
        return st;
    what.face_ids = ims__people_ids(arena, faces, what.n);
    st = what.face_ids ? ims_store_assign_faces(j->s, &j->ev, &what, err) : ims__people_nomem(err);
    x->n_faces = what.n_changed;
    return st;
}

static ims_status run_merge(struct ims__people_job *j, ims_err *err)
{
    struct ims_people_merge *x = j->ctx;
    const struct ims_store_person_change merged = { .has_status = true,
                                                    .status = IMS_PERSON_MERGED,
                                                    .merged_into = j->to };
    struct ims_store_prototype *pins = NULL, *theirs = NULL;
    struct ims_arena arena;
    size_t n_pins = 0, n_theirs = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_prototypes(j->s, j->model_id, j->from, true, &arena, &pins, &n_pins, err);
    if (!st)
        st = ims_store_prototypes(j->s, j->model_id, j->to, true, &arena, &theirs, &n_theirs, err);
    if (!st)
        st = move_all(j, x, &arena, err);
    if (!st)
        st = copy_pins(j, pins, n_pins, theirs, n_theirs, err);
    if (!st)
        st = copy_rejections(j, &arena, err);
    if (!st)
        st = ims_store_change_person(j->s, &j->ev, j->from, &merged, err);
    if (!st)
        st = ims_store_expire_suggestions(j->s, j->from, 0, NULL, err);
    if (!st)
        st = ims_store_drop_centroids(j->s, j->from, NULL, err);
    ims__arena_release(&arena);
    return st;
}

/* Is the person active or hidden? */
static ims_status check_present(struct ims_engine *e, int64_t person_id, ims_err *err)
{
    const struct ims_store_person_filter filter = { .id = person_id };
    struct ims_store_person *p = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_persons(e->store, &filter, IMS_PERSONS_BY_NAME, 0, 1, &arena, &p, &n, NULL, err);
    ims__arena_release(&arena);
    if (!st && !n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "people", 0, "there is no person %lld, or not any more",
                      (long long)person_id);
    return st;
}

ims_status ims_people_merge(struct ims_engine *e, const struct ims_people_by *by,
                            struct ims_people_merge *what, ims_err *err)
{
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = IMS_EVENT_MERGE,
                                 .from = what->from,
                                 .to = what->into,
                                 .run = run_merge,
                                 .ctx = what };
    ims_status st;

    if (what->from == what->into)
        return ims_fail(err, IMS_E_INVALID, "people", 0, "a person cannot be merged into itself");
    st = check_present(e, what->from, err);
    if (!st)
        st = check_present(e, what->into, err);
    if (!st)
        st = ims__people_run(&j, err);
    what->event_id = j.ev.id;
    return st;
}

/* --- undoing --- */

struct undo {
    struct ims_engine *e;
    struct ims_store_event_in in;
    struct ims_store_undo undo;
    struct ims_prototype_rules rules;
    int64_t model_id;
};

static ims_status run_undo(struct ims_store *s, void *arg, ims_err *err)
{
    struct undo *x = arg;
    ims_status st = ims_store_undo(s, &x->in, &x->undo, err);

    if (!st && x->undo.by.id)
        st = ims__people_refresh_event(s, &x->rules, x->model_id, x->undo.by.id, err);
    return st;
}

static ims_status undo(struct ims_engine *e, const struct ims_people_by *by, const char *operation,
                       int64_t event_id, bool is_partial, int64_t *out_event_id,
                       int64_t *out_n_kept, ims_err *err)
{
    struct undo x = { .e = e,
                      .in = { .operation = operation,
                              .actor = by ? by->actor : NULL,
                              .note = by ? by->note : NULL },
                      .undo = { .event_id = event_id, .is_partial = is_partial } };
    ims_status st = ims_people_model(e, &x.model_id, err);

    if (!st)
        st = ims__people_rules(e, &x.rules, err);
    if (!st)
        st = ims_store_transact(e->store, run_undo, &x, err);
    if (st)
        return st;
    e->people_event = x.undo.by.id;
    if (out_event_id)
        *out_event_id = x.undo.by.id;
    if (out_n_kept)
        *out_n_kept = x.undo.n_kept;
    return IMS_OK;
}

ims_status ims_people_undo(struct ims_engine *e, const struct ims_people_by *by, int64_t event_id,
                           bool is_partial, int64_t *out_event_id, int64_t *out_n_kept,
                           ims_err *err)
{
    return undo(e, by, IMS_EVENT_UNDO, event_id, is_partial, out_event_id, out_n_kept, err);
}

/* The merge of a person that still stands. */
static ims_status find_merge(struct ims_engine *e, int64_t person_id, int64_t *out, ims_err *err)
{
    const struct ims_store_event_filter filter = { .person_id = person_id,
                                                   .operation = IMS_EVENT_MERGE };
    struct ims_store_event_row *rows = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    *out = 0;
    ims__arena_init(&arena, 0);
    st = ims_store_events(e->store, &filter, 0, 0, &arena, &rows, &n, NULL, err);
    for (size_t i = 0; !st && !*out && i < n; i++) {
        if (rows[i].from_person_id == person_id && !rows[i].undone_by)
            *out = rows[i].id;
    }
    ims__arena_release(&arena);
    if (!st && !*out)
        st = ims_fail(err, IMS_E_CONSTRAINT, "people", 0, "person %lld was not merged into another",
                      (long long)person_id);
    return st;
}

ims_status ims_people_unmerge(struct ims_engine *e, const struct ims_people_by *by,
                              int64_t person_id, int64_t *out_event_id, int64_t *out_n_kept,
                              ims_err *err)
{
    int64_t event_id = 0, root = 0;
    ims_status st = ims_store_merged_root(e->store, person_id, &root, err);

    if (!st && root == person_id)
        return ims_fail(err, IMS_E_CONSTRAINT, "people", 0,
                        "person %lld is not merged into another", (long long)person_id);
    if (!st)
        st = find_merge(e, person_id, &event_id, err);
    return st ? st : undo(e, by, IMS_EVENT_UNMERGE, event_id, true, out_event_id, out_n_kept, err);
}

/* --- splitting --- */

struct split {
    const int64_t *face_ids;
    size_t n;
    const char *name;
    int64_t id;
};

static ims_status run_split(struct ims__people_job *j, ims_err *err)
{
    struct split *x = j->ctx;
    struct ims_store_assign what = { .face_ids = x->face_ids,
                                     .n = x->n,
                                     .may_move = true,
                                     .overrules = true,
                                     .allow_extra = true,
                                     .is_strict = true };
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_faces_by_id(j->s, x->face_ids, x->n, &arena, &faces, err);
    for (size_t i = 0; !st && i < x->n; i++) {
        if (faces[i].person_id != j->from)
            st = ims_fail(err, IMS_E_CONSTRAINT, "people", 0, "face %lld is not person %lld",
                          (long long)faces[i].id, (long long)j->from);
    }
    if (!st)
        st = ims_store_create_person(j->s, &j->ev, x->name, NULL, &x->id, err);
    what.person_id = x->id;
    if (!st)
        st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    if (!st)
        st = ims_store_event_set_persons(j->s, &j->ev, 0, x->id, err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_split(struct ims_engine *e, const struct ims_people_by *by, int64_t person_id,
                            const int64_t *face_ids, size_t n, const char *name, int64_t *out_id,
                            ims_err *err)
{
    struct split x = { face_ids, n, name, 0 };
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = IMS_EVENT_SPLIT,
                                 .from = person_id,
                                 .run = run_split,
                                 .ctx = &x };
    ims_status st;

    if (!n)
        return ims_fail(err, IMS_E_INVALID, "people", 0, "no faces are named");
    st = ims__people_run(&j, err);
    if (!st)
        *out_id = x.id;
    return st;
}

/* --- clusters --- */

static bool is_excepted(const struct ims_people_name_cluster *x, int64_t face_id)
{
    for (size_t i = 0; i < x->n_except; i++) {
        if (x->except[i] == face_id)
            return true;
    }
    return false;
}

static ims_status cluster_faces(struct ims_store *s, int64_t cluster_id, struct ims_arena *arena,
                                struct ims_store_face **out, size_t *out_n, ims_err *err)
{
    const struct ims_store_face_filter filter = { .cluster_id = cluster_id };
    ims_status st =
        ims__people_faces(s, &filter, IMS_STORE_FACES_BY_QUALITY, arena, out, out_n, err);

    if (!st && !*out_n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "people", 0,
                      "there is no cluster %lld, or not any more; list the clusters again",
                      (long long)cluster_id);
    return st;
}

static ims_status check_members(const struct ims_people_name_cluster *x, const int64_t *ids,
                                size_t n, ims_err *err)
{
    char hash[IMS_SHA256_HEX];
    ims_status st = x->expected_hash ? ims_store_membership_hash(ids, n, hash, err) : IMS_OK;

    if (!st && x->expected_hash && strcmp(hash, x->expected_hash) != 0)
        st = ims_fail(err, IMS_E_CONSTRAINT, "people", 0,
                      "cluster %lld has other faces by now; look at it again",
                      (long long)x->cluster_id);
    return st;
}

static ims_status assign_cluster(struct ims__people_job *j, struct ims_people_name_cluster *x,
                                 const struct ims_store_face *faces, size_t n, int64_t *ids,
                                 ims_err *err)
{
    struct ims_store_assign what = { .face_ids = ids,
                                     .by = IMS_ASSIGNED_CLUSTER,
                                     .allow_extra = x->allow_extra };
    const struct ims_store_face *named = NULL;
    size_t n_free = 0;
    ims_status st;

    for (size_t i = 0; i < n; i++) {
        if (faces[i].person_id)
            named = &faces[i];
        n_free += !faces[i].person_id;
        if (!faces[i].person_id && !is_excepted(x, faces[i].id))
            ids[what.n++] = faces[i].id;
    }
    if (!n_free)
        return ims_fail(err, IMS_E_CONSTRAINT, "people", 0,
                        "cluster %lld was named already: it is person %lld",
                        (long long)x->cluster_id, (long long)named->person_id);
    st = ims__people_need_person(j->s, &j->ev, x->person_id, x->name, &what.person_id,
                                 &x->is_new_person, err);
    if (!st)
        st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    if (!st)
        st = ims_store_event_set_persons(j->s, &j->ev, 0, what.person_id, err);
    x->named_person_id = what.person_id;
    x->n_faces = what.n_changed;
    x->n_skipped = n_free - what.n_changed;
    return st;
}

static ims_status run_name(struct ims__people_job *j, ims_err *err)
{
    struct ims_people_name_cluster *x = j->ctx;
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    int64_t *ids = NULL;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = cluster_faces(j->s, x->cluster_id, &arena, &faces, &n, err);
    if (!st) {
        ids = ims__people_ids(&arena, faces, n);
        st = ids ? check_members(x, ids, n, err) : ims__people_nomem(err);
    }
    if (!st)
        st = assign_cluster(j, x, faces, n, ids, err);
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_name_cluster(struct ims_engine *e, const struct ims_people_by *by,
                                   struct ims_people_name_cluster *what, ims_err *err)
{
    struct ims__people_job j = {
        .e = e, .by = by, .operation = IMS_EVENT_ASSIGN, .run = run_name, .ctx = what
    };
    ims_status st = ims__people_run(&j, err);

    if (!st)
        what->event_id = j.ev.id;
    return st;
}

ims_status ims_people_dismiss_cluster(struct ims_engine *e, int64_t cluster_id, const char *reason,
                                      bool is_noise, ims_err *err)
{
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    int64_t *ids;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = cluster_faces(e->store, cluster_id, &arena, &faces, &n, err);
    if (!st) {
        ids = ims__people_ids(&arena, faces, n);
        st = ids ? ims_store_dismiss(e->store, ids, n, cluster_id, reason, is_noise, NULL, err)
                 : ims__people_nomem(err);
    }
    ims__arena_release(&arena);
    return st;
}
