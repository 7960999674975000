/* Saying who a face is, and who it is not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static const char *const result_texts[] = {
    [IMS_ASSIGN_DONE] = "assigned",
    [IMS_ASSIGN_SAME] = "is that person already",
    [IMS_ASSIGN_OTHER] = "is somebody else",
    [IMS_ASSIGN_SAME_PHOTO] = "is in a photo where that person is already",
    [IMS_ASSIGN_REJECTED] = "was said not to be that person",
    [IMS_ASSIGN_GONE] = "does not exist",
};

const char *ims_store_assign_result_text(ims_store_assign_result r)
{
    return (size_t)r < IMS_ARRAY_LEN(result_texts) ? result_texts[r] : "";
}

/* --- what is there --- */

struct subject {
    int64_t content_id;
    int64_t model_id;
    struct ims__face_state state;
    int64_t in_photo;    /* another face of the photo that is the person; 0 = none */
    int64_t rejected_us; /* 0 = not rejected */
    bool is_found;
    ims_store_assign_result result;
};

struct assign {
    struct ims_store_assign *what;
    struct ims_store_event *e;
    struct subject *subjects;
    struct ims__face_change *changes;
    size_t n_changes;
};

static ims_status take_subject(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct assign *x = arg;
    struct subject *f = &x->subjects[item];

    (void)err;
    f->is_found = true;
    f->content_id = ims_db_column_int(row, 0);
    f->model_id = ims_db_column_int(row, 1);
    f->in_photo = ims_db_column_int(row, 2);
    f->rejected_us = ims_db_column_int(row, 3);
    ims__face_state_read(row, 4, &f->state);
    return IMS_OK;
}

static ims_status read_subjects(struct ims_store *s, struct assign *x, ims_err *err)
{
    struct ims_db_value *values = ims__zalloc(x->what->n, 2 * sizeof(*values));
    ims_status st;

    if (!values)
        return ims__store_nomem(err);
    for (size_t i = 0; i < x->what->n; i++) {
        values[2 * i] = ims_db_int(x->what->face_ids[i]);
        values[2 * i + 1] = ims_db_int(x->what->person_id);
    }
    st = ims_db_run_many(
        s->db,
        "SELECT f.content_id, f.model_id, (SELECT MIN(g.id) FROM faces g WHERE g.content_id = "
        "f.content_id AND g.model_id = f.model_id AND g.person_id = $2 AND g.id <> f.id), (SELECT "
        "r.created_us FROM face_rejections r WHERE r.face_id = f.id AND r.person_id = "
        "$2), " IMS_FACE_STATE_COLUMNS "FROM faces f WHERE f.id = $1",
        values, 2, x->what->n, take_subject, x, NULL, err);
    ims__free(values);
    return st;
}

/* --- two faces of one photo in the list --- */

struct photo_key {
    int64_t content_id;
    int64_t model_id;
    int64_t face_id;
    size_t i;
};

static int compare_keys(const void *pa, const void *pb)
{
    const struct photo_key *a = pa, *b = pb;

    if (a->content_id != b->content_id)
        return a->content_id < b->content_id ? -1 : 1;
    if (a->model_id != b->model_id)
        return a->model_id < b->model_id ? -1 : 1;
    return (a->i > b->i) - (a->i < b->i);
}

/* Notes for each face of the list which earlier one of its photo, that was not refused, becomes the
 * person: in_photo. Also a face named twice. */
static ims_status find_rivals(struct assign *x, ims_err *err)
{
    struct photo_key *keys = ims__zalloc(x->what->n, sizeof(*keys));

    if (!keys)
        return ims__store_nomem(err);
    for (size_t i = 0; i < x->what->n; i++)
        keys[i] = (struct photo_key){ x->subjects[i].content_id, x->subjects[i].model_id,
                                      x->what->face_ids[i], i };
    qsort(keys, x->what->n, sizeof(*keys), compare_keys);
    for (size_t i = 0, first = 0; i < x->what->n; i++) {
        struct subject *f = &x->subjects[keys[i].i];
        bool is_first = !i || keys[i].content_id != keys[i - 1].content_id ||
                        keys[i].model_id != keys[i - 1].model_id;

        if (is_first || x->subjects[keys[first].i].result != IMS_ASSIGN_DONE)
            first = i;
        else if (f->result == IMS_ASSIGN_DONE && keys[i].face_id == keys[first].face_id)
            f->result = IMS_ASSIGN_SAME;
        else if (!f->in_photo)
            f->in_photo = keys[first].face_id;
    }
    ims__free(keys);
    return IMS_OK;
}

/* --- deciding --- */

/* Without regard to the photo, which needs the others. */
static ims_store_assign_result judge(const struct ims_store_assign *what, const struct subject *f)
{
    if (!f->is_found)
        return IMS_ASSIGN_GONE;
    if (f->state.person_id == what->person_id)
        return IMS_ASSIGN_SAME;
    if (!what->person_id)
        return IMS_ASSIGN_DONE;
    if (f->rejected_us && !what->overrules)
        return IMS_ASSIGN_REJECTED;
    if (f->state.person_id && !what->may_move)
        return IMS_ASSIGN_OTHER;
    return IMS_ASSIGN_DONE;
}

static ims_status refuse(const struct ims_store_assign *what, size_t i, const struct subject *f,
                         ims_err *err)
{
    long long face = (long long)what->face_ids[i], person = (long long)what->person_id;

    switch (f->result) {
    case IMS_ASSIGN_GONE:
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no face %lld", face);
    case IMS_ASSIGN_OTHER:
        return ims_fail(err, IMS_E_CONSTRAINT, "store", 0,
                        "face %lld is person %lld already; it has to be moved to become another's", face,
                        (long long)f->state.person_id);
    case IMS_ASSIGN_SAME_PHOTO:
        return ims_fail(
            err, IMS_E_CONSTRAINT, "store", 0,
            "face %lld of the same photo is person %lld already; say that face %lld is that "
            "person once more (--twice), if it is so",
            (long long)f->in_photo, person, face);
    case IMS_ASSIGN_REJECTED:
        return ims_fail(err, IMS_E_CONSTRAINT, "store", 0,
                        "face %lld was said not to be person %lld", face, person);
    default:
        return IMS_OK;
    }
}

static void add_change(struct assign *x, size_t i)
{
    const struct ims_store_assign *what = x->what;
    const struct subject *f = &x->subjects[i];
    struct ims__face_change *c = &x->changes[x->n_changes++];

    *c = (struct ims__face_change){ .face_id = what->face_ids[i], .before = f->state };
    if (!what->person_id)
        return;
    c->after = f->state;
    c->after.person_id = what->person_id;
    c->after.is_extra = f->in_photo != 0;
    if (what->keeps_origin && f->state.person_id)
        return;
    c->after.by = what->by;
    c->after.us = x->e->created_us;
    c->after.has_score = what->scores != NULL;
    c->after.score = what->scores ? what->scores[i] : 0;
}

static ims_status decide(struct assign *x, ims_err *err)
{
    struct ims_store_assign *what = x->what;
    ims_status st;

    for (size_t i = 0; i < what->n; i++)
        x->subjects[i].result = judge(what, &x->subjects[i]);
    st = what->person_id ? find_rivals(x, err) : IMS_OK;
    for (size_t i = 0; !st && i < what->n; i++) {
        struct subject *f = &x->subjects[i];

        if (f->result == IMS_ASSIGN_DONE && what->person_id && f->in_photo && !what->allow_extra)
            f->result = IMS_ASSIGN_SAME_PHOTO;
        if (what->is_strict)
            st = refuse(what, i, f, err);
        if (f->result == IMS_ASSIGN_DONE)
            add_change(x, i);
    }
    return st;
}

/* Rejections that the user overrules go first, so that undoing brings them back last. */
static ims_status drop_rejections(struct ims_store *s, struct assign *x, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < x->what->n; i++) {
        const struct subject *f = &x->subjects[i];

        if (f->result == IMS_ASSIGN_DONE && f->rejected_us)
            st = ims__rejection_put(s, x->e, x->what->face_ids[i], x->what->person_id,
                                    f->rejected_us, 0, err);
    }
    return st;
}

ims_status ims_store_assign_faces(struct ims_store *s, struct ims_store_event *e,
                                  struct ims_store_assign *what, ims_err *err)
{
    struct assign x = { .what = what, .e = e };
    ims_status st = ims__event_check(s, e, err);

    if (!st && what->person_id)
        st = ims__person_is_usable(s, what->person_id, err);
    if (st)
        return st;
    x.subjects = ims__zalloc(what->n, sizeof(*x.subjects));
    x.changes = ims__zalloc(what->n, sizeof(*x.changes));
    st = x.subjects && x.changes ? read_subjects(s, &x, err) : ims__store_nomem(err);
    if (!st)
        st = decide(&x, err);
    if (!st && what->person_id)
        st = drop_rejections(s, &x, err);
    if (!st)
        st = ims__face_states_put(s, e, x.changes, x.n_changes, err);
    if (!st) {
        what->n_changed = x.n_changes;
        for (size_t i = 0; what->results && i < what->n; i++)
            what->results[i] = x.subjects[i].result;
    }
    ims__free(x.subjects);
    ims__free(x.changes);
    return st;
}

/* --- who it is not --- */

static ims_status reject_face(struct ims_store *s, struct ims_store_event *e, int64_t face_id,
                              int64_t person_id, bool on, ims_err *err)
{
    bool is_found = false;
    int64_t now_is = 0, us = 0;
    ims_status st = ims_db_get_int(s->db, "SELECT person_id FROM faces WHERE id = $1",
                                   IMS_DB_ARGS(ims_db_int(face_id)), &now_is, &is_found, err);

    if (!st && !is_found)
        st =
            ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no face %lld", (long long)face_id);
    if (!st && on && now_is == person_id)
        st = ims_fail(err, IMS_E_CONSTRAINT, "store", 0,
                      "face %lld is person %lld; take it away first", (long long)face_id,
                      (long long)person_id);
    if (!st)
        st = ims__rejection_get(s, face_id, person_id, &us, err);
    if (st || (us != 0) == on)
        return st;
    return ims__rejection_put(s, e, face_id, person_id, us, on ? e->created_us : 0, err);
}

ims_status ims_store_reject(struct ims_store *s, struct ims_store_event *e, const int64_t *face_ids,
                            size_t n, int64_t person_id, bool on, ims_err *err)
{
    ims_status st = ims__event_check(s, e, err);
    int64_t root;

    if (!st)
        st = ims_store_merged_root(s, person_id, &root, err); /* it exists */
    for (size_t i = 0; !st && i < n; i++)
        st = reject_face(s, e, face_ids[i], person_id, on, err);
    return st;
}

static ims_status take_rejection(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_rejection *r = ims__store_list_add(arg, err);

    if (!r)
        return IMS_E_NOMEM;
    r->face_id = ims_db_column_int(row, 0);
    r->person_id = ims_db_column_int(row, 1);
    r->created_us = ims_db_column_int(row, 2);
    return IMS_OK;
}

ims_status ims_store_rejections(struct ims_store *s, int64_t face_id, int64_t person_id,
                                struct ims_arena *arena, struct ims_store_rejection **out,
                                size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql q;
    void *items = NULL;
    ims_status st;

    ims__store_sql_init(&q,
                        "SELECT face_id, person_id, created_us FROM face_rejections WHERE 1 = 1");
    if (face_id)
        ims__store_sql_add(&q, " AND face_id = ?", IMS_DB_ARGS(ims_db_int(face_id)));
    if (person_id)
        ims__store_sql_add(&q, " AND person_id = ?", IMS_DB_ARGS(ims_db_int(person_id)));
    ims__store_sql_add(&q, " ORDER BY face_id, person_id", NULL, 0);
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_rejection, &l, err);
    ims__store_sql_release(&q);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}
