/* A library with faces, and short ways to change persons.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/people_fixture.h"

#include <stdio.h>

static bool add_photo(struct people *p, size_t photo, size_t n)
{
    static float vectors[PEOPLE_MAX_FACES][DIM];
    struct ims_store_face_in faces[PEOPLE_MAX_FACES];
    struct ims_store_faces_in in = { .model_id = p->face_model, .faces = faces, .n_faces = n };
    struct ims_store_item item;
    char path[64];

    for (size_t i = 0; i < n; i++) {
        make_vector(1000 + photo * 10 + i, vectors[i]);
        faces[i] = (struct ims_store_face_in){ .x = (int)i * 100,
                                               .y = 10,
                                               .w = 80,
                                               .h = 90,
                                               .score = 0.9f,
                                               .quality = 0.5f + 0.01f * (float)i,
                                               .gender = IMS_FACE_UNKNOWN_GENDER,
                                               .vector = vectors[i] };
    }
    snprintf(path, sizeof(path), "/photos/%zu.jpg", photo);
    item = make_item(&p->l, path, photo + 1, true);
    item.faces = &in;
    if (!test_check_ok(
            __FILE__, __LINE__, "commit",
            ims_store_commit(p->l.store, IMS_TASK_CLIP, p->l.model_id, &item, 1, &p->l.err),
            &p->l.err))
        return false;
    for (size_t i = 0; i < n; i++)
        p->faces[p->n_faces++] = faces[i].id;
    return true;
}

bool people_open(struct people *p, size_t n_photos, size_t n_per_photo)
{
    p->n_faces = 0;
    if (!library_open(&p->l) ||
        !test_check_ok(__FILE__, __LINE__, "face model",
                       ims_store_add_model(p->l.store, "faces", "1", IMS_MODEL_FACE, DIM,
                                           &p->face_model, &p->l.err),
                       &p->l.err))
        return false;
    for (size_t i = 0; i < n_photos; i++) {
        if (!add_photo(p, i, n_per_photo))
            return false;
    }
    return true;
}

/* --- one event --- */

struct step {
    const char *operation;
    ims_status (*run)(struct ims_store *s, struct step *x, ims_err *err);
    struct ims_store_event e;
    /* of the steps */
    const char *name;
    int64_t person_id;
    int64_t face_id;
    bool on;
    struct ims_store_assign *assign;
    const struct ims_store_person_change *change;
};

static ims_status run_step(struct ims_store *s, void *arg, ims_err *err)
{
    struct step *x = arg;
    const struct ims_store_event_in in = { .operation = x->operation, .actor = "test" };
    ims_status st = ims_store_event_begin(s, &in, &x->e, err);

    if (!st)
        st = x->run(s, x, err);
    return st ? st : ims_store_event_end(s, &x->e, err);
}

static ims_status transact(struct people *p, struct step *x, int64_t *out_event)
{
    ims_status st = ims_store_transact(p->l.store, run_step, x, &p->l.err);

    if (!st && out_event)
        *out_event = x->e.id;
    return st;
}

static ims_status step_create(struct ims_store *s, struct step *x, ims_err *err)
{
    return ims_store_create_person(s, &x->e, x->name, NULL, &x->person_id, err);
}

ims_status people_create(struct people *p, const char *name, int64_t *out_id, int64_t *out_event)
{
    struct step x = { .operation = IMS_EVENT_CREATE, .run = step_create, .name = name };
    ims_status st = transact(p, &x, out_event);

    if (!st)
        *out_id = x.person_id;
    return st;
}

static ims_status step_assign(struct ims_store *s, struct step *x, ims_err *err)
{
    return ims_store_assign_faces(s, &x->e, x->assign, err);
}

ims_status people_assign(struct people *p, struct ims_store_assign *what, int64_t *out_event)
{
    struct step x = { .operation = IMS_EVENT_ASSIGN, .run = step_assign, .assign = what };

    return transact(p, &x, out_event);
}

ims_status people_assign_one(struct people *p, int64_t face_id, int64_t person_id, bool may_move,
                             bool allow_extra)
{
    struct ims_store_assign what = { .face_ids = &face_id,
                                     .n = 1,
                                     .person_id = person_id,
                                     .may_move = may_move,
                                     .allow_extra = allow_extra,
                                     .is_strict = true };

    return people_assign(p, &what, NULL);
}

static ims_status step_reject(struct ims_store *s, struct step *x, ims_err *err)
{
    return ims_store_reject(s, &x->e, &x->face_id, 1, x->person_id, x->on, err);
}

ims_status people_reject(struct people *p, int64_t face_id, int64_t person_id, bool on)
{
    struct step x = { .operation = IMS_EVENT_REJECT,
                      .run = step_reject,
                      .face_id = face_id,
                      .person_id = person_id,
                      .on = on };

    return transact(p, &x, NULL);
}

static ims_status step_change(struct ims_store *s, struct step *x, ims_err *err)
{
    return ims_store_change_person(s, &x->e, x->person_id, x->change, err);
}

ims_status people_change(struct people *p, int64_t id, const struct ims_store_person_change *change,
                         int64_t *out_event)
{
    struct step x = {
        .operation = IMS_EVENT_UPDATE, .run = step_change, .person_id = id, .change = change
    };

    return transact(p, &x, out_event);
}

ims_status people_undo(struct people *p, int64_t event_id, bool is_partial, int64_t *out_event,
                       int64_t *out_n_kept)
{
    const struct ims_store_event_in in = { .operation = IMS_EVENT_UNDO, .actor = "test" };
    struct ims_store_undo undo = { .event_id = event_id, .is_partial = is_partial };
    ims_status st = ims_store_undo(p->l.store, &in, &undo, &p->l.err);

    if (!st && out_event)
        *out_event = undo.by.id;
    if (!st && out_n_kept)
        *out_n_kept = undo.n_kept;
    return st;
}

int64_t people_of(struct people *p, int64_t face_id)
{
    struct ims_store_face *face = NULL;

    if (!test_check_ok(
            __FILE__, __LINE__, "face",
            ims_store_faces_by_id(p->l.store, &face_id, 1, &p->l.arena, &face, &p->l.err),
            &p->l.err))
        return -1;
    return face->person_id;
}
