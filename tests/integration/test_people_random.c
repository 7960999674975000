/* Random sequences of changes: what must hold after each of them, and what undoing all of them restores.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/people_library.h"

#include "db/db.h"

#include <stdio.h>
#include <string.h>

#define N_PHOTOS 14
#define N_PERSONS 5
#define N_STEPS 60
#define N_SEEDS 2

static const char *const names[N_PERSONS] = { "Anna", "Bert", "Carl", "Dora", "Emil" };

static unsigned pick(uint64_t *state, unsigned n)
{
    return (unsigned)(test_random(state) >> 33) % n;
}

/* A person of the library, of any status; 0 when there is none. */
static int64_t any_person(struct people_library *p, uint64_t *state)
{
    const struct ims_store_person_filter all = { .include_all = true };
    struct ims_store_person *list = NULL;
    size_t n = 0;

    if (ims_store_persons(p->s, &all, IMS_PERSONS_BY_NAME, 0, 0, &p->arena, &list, &n, NULL,
                          &p->err) ||
        !n)
        return 0;
    return list[pick(state, (unsigned)n)].id;
}

static int64_t any_event(struct people_library *p, uint64_t *state)
{
    const struct ims_store_event_filter all = { 0 };
    struct ims_store_event_row *list = NULL;
    size_t n = 0;

    if (ims_store_events(p->s, &all, 0, 0, &p->arena, &list, &n, NULL, &p->err) || !n)
        return 0;
    return list[pick(state, (unsigned)n)].id;
}

static ims_status assign_some(struct people_library *p, uint64_t *state)
{
    int64_t ids[4];
    struct ims_people_assign what = { .face_ids = ids,
                                      .n = 1 + pick(state, 4),
                                      .name = names[pick(state, N_PERSONS)],
                                      .may_move = pick(state, 2),
                                      .allow_extra = pick(state, 4) == 0,
                                      .is_strict = pick(state, 2) };

    for (size_t i = 0; i < what.n; i++)
        ids[i] = p->faces[pick(state, (unsigned)p->n_faces)];
    return ims_people_assign(p->e, NULL, &what, &p->err);
}

static ims_status split_some(struct people_library *p, uint64_t *state)
{
    int64_t face = p->faces[pick(state, (unsigned)p->n_faces)], id;
    int64_t person = people_person_of(p, face);

    return person > 0 ? ims_people_split(p->e, NULL, person, &face, 1,
                                         names[pick(state, N_PERSONS)], &id, &p->err)
                      : IMS_OK;
}

static ims_status pin_some(struct people_library *p, uint64_t *state)
{
    static const char *const eras[2] = { "teen", "adult" };
    int64_t face = p->faces[pick(state, (unsigned)p->n_faces)];
    struct ims_store_pin pin = { .face_id = face,
                                 .person_id = people_person_of(p, face),
                                 .is_on = pick(state, 3) != 0,
                                 .role = pick(state, 2) ? IMS_ROLE_TEMPORAL : IMS_ROLE_EXCLUDED,
                                 .era = eras[pick(state, 2)] };

    return pin.person_id > 0 ? ims_people_pin(p->e, NULL, &pin, &p->err) : IMS_OK;
}

/* One change that may well be refused. */
static ims_status step(struct people_library *p, uint64_t *state)
{
    struct ims_people_merge merge = { 0 };
    struct ims_people_match match = { .auto_threshold = 0.9, .threshold = 0.8 };
    int64_t face = p->faces[pick(state, (unsigned)p->n_faces)], person = any_person(p, state),
            event;

    switch (pick(state, 10)) {
    case 0:
        return ims_people_remove(p->e, NULL, &face, 1, 0, pick(state, 2), NULL, NULL, &p->err);
    case 1:
        return ims_people_reject(p->e, NULL, &face, 1, person, pick(state, 3) != 0, NULL, &p->err);
    case 2:
        merge = (struct ims_people_merge){ .from = person,
                                           .into = any_person(p, state),
                                           .allow_extra = pick(state, 2) };
        return ims_people_merge(p->e, NULL, &merge, &p->err);
    case 3:
        return ims_people_unmerge(p->e, NULL, person, NULL, NULL, &p->err);
    case 4:
        return split_some(p, state);
    case 5:
        return ims_people_delete(p->e, NULL, person, NULL, &p->err);
    case 6:
        event = any_event(p, state);
        return ims_people_undo(p->e, NULL, event, pick(state, 2), NULL, NULL, &p->err);
    case 7:
        return pin_some(p, state);
    case 8:
        return pick(state, 4) ? assign_some(p, state)
                              : ims_people_match(p->e, NULL, &match, &p->err);
    default:
        return assign_some(p, state);
    }
}

/* --- what must hold --- */

static struct ims_db *open_beside(struct people_library *p)
{
    char *path = p->url ? NULL : ims__strfmt("%s/library.db", p->l.data);
    struct ims_db *db = NULL;
    bool ok = test_check_ok(__FILE__, __LINE__, "database",
                            ims_db_open(&db, p->url ? p->url : path, NULL, &p->err), &p->err);

    ims__free(path);
    return ok ? db : NULL;
}

static const struct {
    const char *what, *sql;
} invariants[] = {
    { "a face is a person who is merged or deleted",
      "SELECT count(*) FROM faces f JOIN persons p ON p.id = f.person_id WHERE p.status IN "
      "('merged', 'deleted')" },
    { "a face is a person whom it was said not to be",
      "SELECT count(*) FROM faces f JOIN face_rejections r ON r.face_id = f.id AND r.person_id = "
      "f.person_id" },
    { "a person is in a photo twice without the user's word",
      "SELECT count(*) FROM (SELECT 1 FROM faces WHERE person_id IS NOT NULL AND is_extra = 0 "
      "GROUP BY content_id, model_id, person_id HAVING count(*) > 1) t" },
    { "a prototype is of a face that is somebody else",
      "SELECT count(*) FROM person_prototypes y JOIN faces f ON f.id = y.face_id WHERE f.person_id "
      "IS NULL OR "
      "f.person_id <> y.person_id" },
    { "a person with faces has no prototype that is not excluded",
      "SELECT count(*) FROM persons p WHERE EXISTS (SELECT 1 FROM faces f WHERE f.person_id = p.id "
      "AND NOT EXISTS "
      "(SELECT 1 FROM person_prototypes x WHERE x.face_id = f.id AND x.role = 'excluded')) AND NOT "
      "EXISTS (SELECT 1 "
      "FROM person_prototypes y WHERE y.person_id = p.id AND y.role <> 'excluded')" },
    { "two persons have one name", "SELECT count(*) FROM (SELECT 1 FROM persons WHERE status IN "
                                   "('active', 'hidden') GROUP BY name_key "
                                   "HAVING count(*) > 1) t" },
    { "a merged person leads to one that is merged in a circle or deleted with faces",
      "SELECT count(*) FROM persons a JOIN persons b ON b.id = a.merged_into WHERE b.merged_into = "
      "a.id" },
    { "a pending suggestion is about a face that is somebody",
      "SELECT count(*) FROM face_suggestions s JOIN faces f ON f.id = s.face_id WHERE s.status = "
      "'pending' AND "
      "f.person_id IS NOT NULL" },
    { "an event has no change",
      "SELECT count(*) FROM person_events e WHERE NOT EXISTS (SELECT 1 FROM "
      "person_event_changes c WHERE c.event_id = e.id)" },
};

static bool check_invariants(struct ims_db *db, int at)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(invariants); i++) {
        int64_t n = -1;
        ims_err err;

        if (ims_db_get_int(db, invariants[i].sql, IMS_DB_NO_ARGS, &n, NULL, &err) || n != 0) {
            test_fail(__FILE__, __LINE__, "after step %d: %lld times %s", at, (long long)n,
                      invariants[i].what);
            return false;
        }
    }
    return true;
}

/* The last state that the events give a face equals the one it has. */
static bool check_replay(struct people_library *p)
{
    const struct ims_store_event_filter all = { 0 };
    struct ims_store_event_row *events = NULL;
    struct ims_store_face *faces = NULL;
    long long person[MAX_FACES] = { 0 };
    size_t n = 0;

    if (ims_store_events(p->s, &all, 0, 0, &p->arena, &events, &n, NULL, &p->err) ||
        ims_store_faces_by_id(p->s, p->faces, p->n_faces, &p->arena, &faces, &p->err))
        return false;
    for (size_t i = n; i-- > 0;) {
        struct ims_store_change *c = NULL;
        size_t n_c = 0;

        if (ims_store_event_changes(p->s, events[i].id, &p->arena, &c, &n_c, &p->err))
            return false;
        for (size_t k = 0; k < n_c; k++) {
            for (size_t f = 0; strcmp(c[k].subject, "face") == 0 && f < p->n_faces; f++) {
                if (p->faces[f] == c[k].face_id) {
                    person[f] = 0;
                    if (c[k].after_json)
                        (void)sscanf(c[k].after_json, "{\"person\":%lld", &person[f]);
                }
            }
        }
    }
    for (size_t f = 0; f < p->n_faces; f++) {
        if (person[f] != faces[f].person_id)
            return false;
    }
    return true;
}

/* Does the event stand? */
static bool stands(struct people_library *p, int64_t id)
{
    const struct ims_store_event_filter one = { .id = id };
    struct ims_store_event_row *row = NULL;
    size_t n = 0;

    return !ims_store_events(p->s, &one, 0, 0, &p->arena, &row, &n, NULL, &p->err) && n == 1 &&
           !row->undone_by;
}

/* Takes everything back, newest first. An undo among them is undone too, so what it had taken back stands
 * again when its turn comes. */
static bool undo_all(struct people_library *p)
{
    const struct ims_store_event_filter all = { 0 };
    struct ims_store_event_row *events = NULL;
    size_t n = 0;

    if (ims_store_events(p->s, &all, 0, 0, &p->arena, &events, &n, NULL, &p->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!test_check_ok(__FILE__, __LINE__, "undo",
                           stands(p, events[i].id) ? ims_people_undo(p->e, NULL, events[i].id,
                                                                     false, NULL, NULL, &p->err)
                                                   : IMS_OK,
                           &p->err))
            return false;
    }
    return true;
}

TEST(random_changes, "whatever is done in whatever order, the rules hold, events replay, and "
                     "undoing all restores the start")
{
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        struct people_library p;
        uint64_t state = seed * 1000003;
        struct ims_db *db;
        int n_done = 0;
        char *before, *after;

        CHECK(people_library_open(&p));
        for (int i = 0; i < N_PHOTOS; i++) {
            const int looks[3] = { (int)pick(&state, 4), (int)pick(&state, 4),
                                   (int)pick(&state, 4) };

            CHECK(people_add_photo(&p, i + 1, looks, 1 + pick(&state, 3), 0.1));
        }
        before = people_snapshot(&p);
        db = open_beside(&p);
        CHECK(db != NULL);
        for (int i = 0; i < N_STEPS; i++) {
            ims_status st = step(&p, &state);

            n_done += st == IMS_OK;
            if (st && st != IMS_E_CONSTRAINT && st != IMS_E_EXISTS && st != IMS_E_INVALID &&
                st != IMS_E_NOT_FOUND && st != IMS_E_LIMIT)
                test_fail(__FILE__, __LINE__, "step %d: %s", i, p.err.text);
            CHECK(check_invariants(db, i));
        }
        CHECK(n_done > N_STEPS / 3);
        CHECK(check_replay(&p));
        CHECK(undo_all(&p));
        after = people_snapshot(&p);
        CHECK_STR(after, before);
        ims__free(before);
        ims__free(after);
        ims_db_close(db);
        people_library_close(&p);
    }
}
