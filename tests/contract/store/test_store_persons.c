/* Persons: names, assignment, "not this person", events and undo, prototypes, suggestions, centroids.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/people_fixture.h"

#include "base/thread.h"

#include <stdio.h>
#include <string.h>

/* --- names --- */

TEST(names, "names that differ in case, form, width or white space are one name; accents count")
{
    static const char *const same[][2] = {
        { "Zo\xc3\xab", "ZO\xc3\x8b" },           /* composed, capitals */
        { "Zo\xc3\xab", "zoe\xcc\x88" },          /* decomposed */
        { "Anna  Maria", " anna\xc2\xa0maria " }, /* runs of blanks, a no-break space */
        { "Stra\xc3\x9f"
          "e",
          "STRASSE" },                 /* full case folding */
        { "\xef\xbc\xa1nna", "anna" }, /* full width */
        { "\xce\xa3\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x82",
          "\xcf\x83\xce\xaf\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x83" }, /* final sigma */
    };
    static const char *const different[][2] = { { "Zo\xc3\xab", "Zoe" },
                                                { "Anna", "An na" },
                                                { "I", "\xc4\xb1" } };
    static const char *const wrong[] = {
        "", "   ", "\xe2\x80\x8b", "a\tb", "a\xff", "line\nbreak"
    };
    char *a = NULL, *b = NULL, *clean = NULL;
    char long_name[300];
    ims_err err;

    for (size_t i = 0; i < IMS_ARRAY_LEN(same); i++) {
        CHECK_OK(ims_store_name_key(same[i][0], &a, NULL, &err), err);
        CHECK_OK(ims_store_name_key(same[i][1], &b, NULL, &err), err);
        CHECK_STR(a, b);
        ims__free(a);
        ims__free(b);
    }
    for (size_t i = 0; i < IMS_ARRAY_LEN(different); i++) {
        CHECK_OK(ims_store_name_key(different[i][0], &a, NULL, &err), err);
        CHECK_OK(ims_store_name_key(different[i][1], &b, NULL, &err), err);
        CHECK(strcmp(a, b) != 0);
        ims__free(a);
        ims__free(b);
    }
    for (size_t i = 0; i < IMS_ARRAY_LEN(wrong); i++)
        CHECK_STATUS(ims_store_name_key(wrong[i], &a, NULL, &err), IMS_E_INVALID, err);
    memset(long_name, 'x', sizeof(long_name));
    long_name[IMS_MAX_PERSON_NAME] = '\0';
    CHECK_OK(ims_store_name_key(long_name, &a, NULL, &err), err);
    ims__free(a);
    long_name[IMS_MAX_PERSON_NAME] = 'x';
    long_name[IMS_MAX_PERSON_NAME + 1] = '\0';
    CHECK_STATUS(ims_store_name_key(long_name, &a, NULL, &err), IMS_E_INVALID, err);
    CHECK_OK(ims_store_name_key("\xe3\x80\x80 Anna \t", &a, &clean, &err), err);
    CHECK_STR(clean, "Anna");
    CHECK_STR(a, "anna");
    ims__free(a);
    ims__free(clean);
}

TEST(persons, "a person is made once, renamed, hidden, found under any form of the name, and "
              "listed with counts")
{
    const struct ims_store_person_filter all = { .include_all = true }, shown = { 0 };
    struct ims_store_person *list = NULL;
    struct people p;
    int64_t anna = 0, bert = 0, id = 0, total = 0;
    size_t n = 0;

    CHECK(people_open(&p, 2, 2));
    CHECK_OK(people_create(&p, " Anna ", &anna, NULL), p.l.err);
    CHECK_STATUS(people_create(&p, "ANNA", &id, NULL), IMS_E_EXISTS, p.l.err);
    CHECK(strstr(p.l.err.text, "ANNA") != NULL);
    CHECK_OK(people_create(&p, "Bert", &bert, NULL), p.l.err);
    CHECK_OK(ims_store_find_person(p.l.store, "anna", &id, &p.l.err), p.l.err);
    CHECK_INT(id, anna);
    CHECK_OK(ims_store_find_person(p.l.store, "nobody", &id, &p.l.err), p.l.err);
    CHECK_INT(id, 0);
    CHECK_STATUS(people_change(&p, bert, &(struct ims_store_person_change){ .name = "anna" }, NULL),
                 IMS_E_EXISTS, p.l.err);
    CHECK_STATUS(people_change(&p, 99, &(struct ims_store_person_change){ .name = "x" }, NULL),
                 IMS_E_NOT_FOUND, p.l.err);
    CHECK_OK(people_change(&p, anna, &(struct ims_store_person_change){ .name = "ANNA" }, NULL),
             p.l.err);
    CHECK_STATUS(people_change(&p, anna,
                               &(struct ims_store_person_change){ .has_birth_date = true,
                                                                  .birth_date = "2001-02-30" },
                               NULL),
                 IMS_E_INVALID, p.l.err);
    CHECK_OK(people_change(&p, anna,
                           &(struct ims_store_person_change){ .has_birth_date = true,
                                                              .birth_date = "2001-02-28" },
                           NULL),
             p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[1], anna, false, false), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[2], anna, false, false), p.l.err);
    CHECK_OK(ims_store_persons(p.l.store, &shown, IMS_PERSONS_BY_FACES, 0, 0, &p.l.arena, &list, &n,
                               &total, &p.l.err),
             p.l.err);
    CHECK_INT(n, 2);
    CHECK_STR(list[0].name, "ANNA");
    CHECK_STR(list[0].birth_date, "2001-02-28");
    CHECK_INT(list[0].n_faces, 2);
    CHECK_INT(list[0].n_photos, 2);
    CHECK_INT(list[0].best_face_id, p.faces[1]);
    CHECK_OK(
        people_change(&p, anna, &(struct ims_store_person_change){ .has_birth_date = true }, NULL),
        p.l.err);
    CHECK_OK(people_change(&p, bert,
                           &(struct ims_store_person_change){ .has_status = true,
                                                              .status = IMS_PERSON_DELETED },
                           NULL),
             p.l.err);
    CHECK_OK(ims_store_persons(p.l.store, &shown, IMS_PERSONS_BY_NAME, 0, 0, &p.l.arena, &list, &n,
                               &total, &p.l.err),
             p.l.err);
    CHECK_INT(n, 1);
    CHECK(list[0].birth_date == NULL);
    CHECK_OK(ims_store_persons(p.l.store, &all, IMS_PERSONS_BY_NAME, 1, 1, &p.l.arena, &list, &n,
                               &total, &p.l.err),
             p.l.err);
    CHECK_INT(total, 2);
    CHECK_STR(list[0].name, "Bert");
    CHECK_STR(ims_store_person_status_name(list[0].status), "deleted");
    CHECK_OK(people_create(&p, "bert", &id, NULL), p.l.err); /* a deleted person's name is free */
    CHECK(id != bert);
    library_close(&p.l);
}

/* --- assignment --- */

TEST(assign, "a face is one person; what stands in the way is named, and the user may overrule it")
{
    struct people p;
    int64_t anna = 0, bert = 0;
    ims_store_assign_result results[4];
    int64_t ids[4];
    struct ims_store_assign what = { .face_ids = ids, .n = 4, .results = results };
    struct ims_store_face *face = NULL;

    CHECK(people_open(&p, 2, 3));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    CHECK_OK(people_create(&p, "Bert", &bert, NULL), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[0], anna, false, false), p.l.err);
    CHECK_STATUS(people_assign_one(&p, p.faces[0], bert, false, false), IMS_E_CONSTRAINT, p.l.err);
    CHECK_STATUS(people_assign_one(&p, p.faces[1], anna, false, false), IMS_E_CONSTRAINT, p.l.err);
    CHECK(strstr(p.l.err.text, "same photo") != NULL);
    CHECK_STATUS(people_assign_one(&p, 999, anna, false, false), IMS_E_NOT_FOUND, p.l.err);
    CHECK_STATUS(people_assign_one(&p, p.faces[1], 999, false, false), IMS_E_NOT_FOUND, p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[1], anna, false, true), p.l.err);
    CHECK_OK(ims_store_faces_by_id(p.l.store, &p.faces[1], 1, &p.l.arena, &face, &p.l.err),
             p.l.err);
    CHECK(face->is_extra);
    CHECK_STR(face->assigned_by, "user");
    CHECK_OK(people_assign_one(&p, p.faces[0], bert, true, false), p.l.err);
    CHECK_OK(people_reject(&p, p.faces[2], bert, true), p.l.err);

    ids[0] = p.faces[0];
    ids[1] = p.faces[2];
    ids[2] = p.faces[3];
    ids[3] = p.faces[4];
    what.person_id = bert;
    what.by = IMS_ASSIGNED_CLUSTER;
    CHECK_OK(people_assign(&p, &what, NULL), p.l.err);
    CHECK_INT(results[0], IMS_ASSIGN_SAME);
    CHECK_INT(results[1], IMS_ASSIGN_REJECTED);
    CHECK_INT(results[2], IMS_ASSIGN_DONE);
    CHECK_INT(results[3], IMS_ASSIGN_SAME_PHOTO); /* the earlier in the list is preferred */
    CHECK_INT(what.n_changed, 1);
    CHECK_INT(people_of(&p, p.faces[3]), bert);
    CHECK_INT(people_of(&p, p.faces[4]), 0);
    what.person_id = anna;
    what.overrules = true;
    ids[1] = 999;
    ids[2] = ids[3];
    CHECK_OK(people_assign(&p, &what, NULL), p.l.err);
    CHECK_INT(results[0], IMS_ASSIGN_OTHER);
    CHECK_INT(results[1], IMS_ASSIGN_GONE);
    CHECK_INT(results[2], IMS_ASSIGN_DONE);
    CHECK_INT(results[3], IMS_ASSIGN_SAME); /* named twice */
    library_close(&p.l);
}

TEST(assign_database, "the database itself refuses a person twice in a photo")
{
    struct people p;
    int64_t anna = 0;
    struct ims_db *db = NULL;
    char sql[160];

    CHECK(people_open(&p, 1, 2));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[0], anna, false, false), p.l.err);
    CHECK_OK(ims_db_open(&db, p.l.url, NULL, &p.l.err), p.l.err);
    snprintf(sql, sizeof(sql),
             "UPDATE faces SET person_id = %lld, assigned_by = 'user' WHERE id = %lld",
             (long long)anna, (long long)p.faces[1]);
    CHECK_STATUS(ims_db_exec(db, sql, &p.l.err), IMS_E_CONSTRAINT, p.l.err);
    ims_db_close(db);
    library_close(&p.l);
}

TEST(rejections,
     "\"not this person\" stays, holds against all but the user, and is undone with its event")
{
    struct ims_store_rejection *list = NULL;
    struct ims_store_assign what;
    struct people p;
    int64_t anna = 0, event = 0;
    size_t n = 0;

    CHECK(people_open(&p, 1, 2));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    CHECK_OK(people_reject(&p, p.faces[0], anna, true), p.l.err);
    CHECK_OK(people_reject(&p, p.faces[0], anna, true), p.l.err); /* twice is once */
    CHECK_OK(ims_store_rejections(p.l.store, 0, anna, &p.l.arena, &list, &n, &p.l.err), p.l.err);
    CHECK_INT(n, 1);
    CHECK_STATUS(people_assign_one(&p, p.faces[0], anna, false, false), IMS_E_CONSTRAINT, p.l.err);
    what = (struct ims_store_assign){
        .face_ids = p.faces, .n = 1, .person_id = anna, .overrules = true, .is_strict = true
    };
    CHECK_OK(people_assign(&p, &what, &event), p.l.err);
    CHECK_OK(ims_store_rejections(p.l.store, p.faces[0], 0, &p.l.arena, &list, &n, &p.l.err),
             p.l.err);
    CHECK_INT(n, 0);
    CHECK_STATUS(people_reject(&p, p.faces[0], anna, true), IMS_E_CONSTRAINT, p.l.err);
    CHECK_OK(people_undo(&p, event, false, NULL, NULL), p.l.err);
    CHECK_INT(people_of(&p, p.faces[0]), 0);
    CHECK_OK(ims_store_rejections(p.l.store, p.faces[0], anna, &p.l.arena, &list, &n, &p.l.err),
             p.l.err);
    CHECK_INT(n, 1);
    CHECK_STATUS(people_reject(&p, 999, anna, true), IMS_E_NOT_FOUND, p.l.err);
    CHECK_STATUS(people_reject(&p, p.faces[0], 999, true), IMS_E_NOT_FOUND, p.l.err);
    library_close(&p.l);
}

/* --- events --- */

TEST(outside, "persons do not change without an event and a transaction")
{
    const struct ims_store_event_in in = { .operation = IMS_EVENT_CREATE };
    struct ims_store_event e = { .id = 1 };
    struct people p;
    int64_t id = 0;

    CHECK(people_open(&p, 0, 0));
    CHECK_STATUS(ims_store_create_person(p.l.store, &e, "A", NULL, &id, &p.l.err), IMS_E_INVALID,
                 p.l.err);
    CHECK_STATUS(ims_store_event_begin(p.l.store, &in, &e, &p.l.err), IMS_E_INVALID, p.l.err);
    library_close(&p.l);
}

TEST(events, "an event tells what it changed, and one that changed nothing is not kept")
{
    struct ims_store_event_filter filter = { 0 };
    struct ims_store_event_row *rows = NULL;
    struct ims_store_change *changes = NULL;
    struct ims_store_assign what;
    struct people p;
    int64_t anna = 0, event = 0, total = 0;
    size_t n = 0;

    CHECK(people_open(&p, 2, 1));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    what = (struct ims_store_assign){ .face_ids = p.faces, .n = 2, .person_id = anna };
    CHECK_OK(people_assign(&p, &what, &event), p.l.err);
    CHECK(event > 0);
    filter.id = event;
    CHECK_OK(ims_store_events(p.l.store, &filter, 0, 0, &p.l.arena, &rows, &n, &total, &p.l.err),
             p.l.err);
    CHECK_INT(n, 1);
    CHECK_INT(rows[0].n_faces, 2);
    CHECK_INT(rows[0].n_photos, 2);
    CHECK_STR(rows[0].actor, "test");
    CHECK_OK(ims_store_event_changes(p.l.store, event, &p.l.arena, &changes, &n, &p.l.err),
             p.l.err);
    CHECK_INT(n, 2);
    CHECK_STR(changes[0].subject, "face");
    CHECK(changes[0].before_json == NULL &&
          strstr(changes[0].after_json, "\"by\":\"user\"") != NULL);
    CHECK_OK(people_assign(&p, &what, &event), p.l.err); /* the same again */
    CHECK_INT(event, 0);
    filter = (struct ims_store_event_filter){ .person_id = anna };
    CHECK_OK(ims_store_events(p.l.store, &filter, 0, 1, &p.l.arena, &rows, &n, &total, &p.l.err),
             p.l.err);
    CHECK_INT(total, 2); /* made, and given faces by an event that names nobody */
    CHECK_STR(rows[0].operation, IMS_EVENT_ASSIGN);
    filter.person_id = anna + 10;
    CHECK_OK(ims_store_events(p.l.store, &filter, 0, 1, &p.l.arena, &rows, &n, &total, &p.l.err), p.l.err);
    CHECK_INT(total, 0);
    library_close(&p.l);
}

TEST(undo, "undoing restores the state before, once, and can be undone itself")
{
    struct people p;
    int64_t anna = 0, bert = 0, made = 0, moved = 0, undone = 0, redone = 0;
    struct ims_store_assign what;

    CHECK(people_open(&p, 2, 1));
    CHECK_OK(people_create(&p, "Anna", &anna, &made), p.l.err);
    CHECK_OK(people_create(&p, "Bert", &bert, NULL), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[0], anna, false, false), p.l.err);
    what = (struct ims_store_assign){
        .face_ids = p.faces, .n = 2, .person_id = bert, .may_move = true
    };
    CHECK_OK(people_assign(&p, &what, &moved), p.l.err);
    CHECK_OK(people_undo(&p, moved, false, &undone, NULL), p.l.err);
    CHECK_INT(people_of(&p, p.faces[0]), anna);
    CHECK_INT(people_of(&p, p.faces[1]), 0);
    CHECK_STATUS(people_undo(&p, moved, false, NULL, NULL), IMS_E_EXISTS, p.l.err);
    CHECK_OK(people_undo(&p, undone, false, &redone, NULL), p.l.err);
    CHECK_INT(people_of(&p, p.faces[0]), bert);
    CHECK_STATUS(people_undo(&p, 999, false, NULL, NULL), IMS_E_NOT_FOUND, p.l.err);
    CHECK_STATUS(people_undo(&p, 0, false, NULL, NULL), IMS_E_NOT_FOUND, p.l.err);
    CHECK_OK(people_undo(&p, redone, false, NULL, NULL), p.l.err);
    CHECK_STATUS(people_undo(&p, made, false, NULL, NULL), IMS_E_CONSTRAINT,
                 p.l.err); /* she has a face */
    CHECK(strstr(p.l.err.text, "faces by now") != NULL);
    library_close(&p.l);
}

TEST(undo_conflicts, "what was changed since is named and nothing is put back; partly, the rest is")
{
    struct people p;
    int64_t anna = 0, bert = 0, event = 0, by = 0, kept = 0;
    struct ims_store_assign what;
    char text[64];

    CHECK(people_open(&p, 3, 1));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    CHECK_OK(people_create(&p, "Bert", &bert, NULL), p.l.err);
    what = (struct ims_store_assign){ .face_ids = p.faces, .n = 3, .person_id = anna };
    CHECK_OK(people_assign(&p, &what, &event), p.l.err);
    what = (struct ims_store_assign){
        .face_ids = p.faces, .n = 1, .person_id = bert, .may_move = true
    };
    CHECK_OK(people_assign(&p, &what, &by), p.l.err);
    CHECK_STATUS(people_undo(&p, event, false, NULL, NULL), IMS_E_CONSTRAINT, p.l.err);
    snprintf(text, sizeof(text), "event %lld", (long long)by);
    CHECK(strstr(p.l.err.text, text) != NULL);
    CHECK_INT(people_of(&p, p.faces[2]), anna); /* nothing half-done */
    CHECK_OK(people_undo(&p, event, true, NULL, &kept), p.l.err);
    CHECK_INT(kept, 1);
    CHECK_INT(people_of(&p, p.faces[0]), bert);
    CHECK_INT(people_of(&p, p.faces[1]), 0);
    library_close(&p.l);
}

TEST(undo_names,
     "a name that was taken since, and a place in a photo that was, stand in the way of undoing")
{
    struct people p;
    int64_t anna = 0, other = 0, renamed = 0, id = 0, away = 0;
    struct ims_store_assign what;

    CHECK(people_open(&p, 1, 2));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    CHECK_OK(people_change(&p, anna, &(struct ims_store_person_change){ .name = "Nina" }, &renamed),
             p.l.err);
    CHECK_OK(people_create(&p, "anna", &other, NULL), p.l.err);
    CHECK_STATUS(people_undo(&p, renamed, false, NULL, NULL), IMS_E_EXISTS, p.l.err);
    CHECK_OK(ims_store_find_person(p.l.store, "Nina", &id, &p.l.err), p.l.err);
    CHECK_INT(id, anna);

    CHECK_OK(people_assign_one(&p, p.faces[0], anna, false, false), p.l.err);
    what = (struct ims_store_assign){ .face_ids = p.faces, .n = 1, .is_strict = true };
    CHECK_OK(people_assign(&p, &what, &away), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[1], anna, false, false), p.l.err);
    CHECK_STATUS(people_undo(&p, away, false, NULL, NULL), IMS_E_CONSTRAINT, p.l.err);
    CHECK_INT(people_of(&p, p.faces[0]), 0);
    library_close(&p.l);
}

TEST(merged_root, "a merged person leads to the one it is part of now")
{
    struct people p;
    int64_t id[3], root = 0;
    struct ims_store_person_change c = { .has_status = true, .status = IMS_PERSON_MERGED };

    CHECK(people_open(&p, 0, 0));
    CHECK_OK(people_create(&p, "A", &id[0], NULL), p.l.err);
    CHECK_OK(people_create(&p, "B", &id[1], NULL), p.l.err);
    CHECK_OK(people_create(&p, "C", &id[2], NULL), p.l.err);
    c.merged_into = id[0];
    CHECK_STATUS(people_change(&p, id[0], &c, NULL), IMS_E_INVALID, p.l.err);
    c.merged_into = id[1];
    CHECK_OK(people_change(&p, id[0], &c, NULL), p.l.err);
    c.merged_into = id[2];
    CHECK_OK(people_change(&p, id[1], &c, NULL), p.l.err);
    CHECK_OK(ims_store_merged_root(p.l.store, id[0], &root, &p.l.err), p.l.err);
    CHECK_INT(root, id[2]);
    CHECK_STATUS(ims_store_merged_root(p.l.store, 99, &root, &p.l.err), IMS_E_NOT_FOUND, p.l.err);
    library_close(&p.l);
}

/* --- prototypes --- */

struct pin_step {
    struct ims_store_pin *pin;
    struct ims_store_event e;
};

static ims_status run_pin(struct ims_store *s, void *arg, ims_err *err)
{
    const struct ims_store_event_in in = { .operation = IMS_EVENT_PIN };
    struct pin_step *x = arg;
    ims_status st = ims_store_event_begin(s, &in, &x->e, err);

    if (!st)
        st = ims_store_pin(s, &x->e, x->pin, err);
    return st ? st : ims_store_event_end(s, &x->e, err);
}

static ims_status pin(struct people *p, struct ims_store_pin *what)
{
    struct pin_step x = { .pin = what };

    return ims_store_transact(p->l.store, run_pin, &x, &p->l.err);
}

TEST(prototypes, "prototypes are of the person's faces, pins stay when others are chosen, and go "
                 "and come with the face")
{
    struct ims_store_prototype *list = NULL;
    struct ims_store_prototype_in in[2];
    struct ims_store_pin what;
    struct ims_store_assign assign;
    struct people p;
    int64_t anna = 0, bert = 0, event = 0;
    size_t n = 0, created = 0, removed = 0;

    CHECK(people_open(&p, 3, 1));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    CHECK_OK(people_create(&p, "Bert", &bert, NULL), p.l.err);
    assign = (struct ims_store_assign){ .face_ids = p.faces, .n = 2, .person_id = anna };
    CHECK_OK(people_assign(&p, &assign, NULL), p.l.err);
    in[0] = (struct ims_store_prototype_in){ p.faces[0], IMS_ROLE_EXEMPLAR, NULL };
    in[1] = (struct ims_store_prototype_in){ p.faces[1], IMS_ROLE_TEMPORAL, "teen" };
    CHECK_OK(ims_store_put_prototypes(p.l.store, p.face_model, anna, in, 2, &created, &removed,
                                      &p.l.err),
             p.l.err);
    CHECK_INT(created, 2);
    CHECK_OK(ims_store_put_prototypes(p.l.store, p.face_model, anna, in + 1, 1, &created, &removed,
                                      &p.l.err),
             p.l.err);
    CHECK_INT(created, 0);
    CHECK_INT(removed, 1);
    in[0].face_id = p.faces[2];
    CHECK_STATUS(
        ims_store_put_prototypes(p.l.store, p.face_model, anna, in, 1, NULL, NULL, &p.l.err),
        IMS_E_CONSTRAINT, p.l.err);
    what = (struct ims_store_pin){ .person_id = anna,
                                   .face_id = p.faces[0],
                                   .is_on = true,
                                   .role = IMS_ROLE_PRIMARY,
                                   .by = "me \"and\" you" };
    CHECK_OK(pin(&p, &what), p.l.err);
    what.face_id = p.faces[2];
    CHECK_STATUS(pin(&p, &what), IMS_E_CONSTRAINT, p.l.err);
    CHECK_OK(ims_store_put_prototypes(p.l.store, p.face_model, anna, NULL, 0, NULL, NULL, &p.l.err),
             p.l.err);
    CHECK_OK(
        ims_store_prototypes(p.l.store, p.face_model, anna, false, &p.l.arena, &list, &n, &p.l.err),
        p.l.err);
    CHECK_INT(n, 1);
    CHECK(list[0].is_pinned);
    CHECK_STR(list[0].pinned_by, "me and you");
    assign = (struct ims_store_assign){
        .face_ids = p.faces, .n = 1, .person_id = bert, .may_move = true
    };
    CHECK_OK(people_assign(&p, &assign, &event), p.l.err);
    CHECK_OK(
        ims_store_prototypes(p.l.store, p.face_model, 0, true, &p.l.arena, &list, &n, &p.l.err),
        p.l.err);
    CHECK_INT(n, 0);
    CHECK_OK(people_undo(&p, event, false, NULL, NULL), p.l.err);
    CHECK_OK(
        ims_store_prototypes(p.l.store, p.face_model, anna, true, &p.l.arena, &list, &n, &p.l.err),
        p.l.err);
    CHECK_INT(n, 1);
    CHECK(list[0].is_pinned && list[0].role == IMS_ROLE_PRIMARY);
    what = (struct ims_store_pin){
        .person_id = anna, .face_id = p.faces[1], .is_on = true, .role = IMS_ROLE_EXCLUDED
    };
    CHECK_OK(pin(&p, &what), p.l.err);
    CHECK_OK(
        ims_store_prototypes(p.l.store, p.face_model, anna, false, &p.l.arena, &list, &n, &p.l.err),
        p.l.err);
    CHECK_INT(n, 1);
    what.is_on = false;
    CHECK_OK(pin(&p, &what), p.l.err);
    CHECK_OK(
        ims_store_prototypes(p.l.store, p.face_model, anna, true, &p.l.arena, &list, &n, &p.l.err),
        p.l.err);
    CHECK_INT(n, 1);
    library_close(&p.l);
}

/* --- suggestions --- */

static size_t pending_of(struct people *p, int64_t face_id, struct ims_store_suggestion **out)
{
    const struct ims_store_suggestion_filter filter = { .face_id = face_id, .has_status = true };
    size_t n = 0;

    return test_check_ok(__FILE__, __LINE__, "suggestions",
                         ims_store_suggestions(p->l.store, &filter, 0, 0, &p->l.arena, out, &n,
                                               NULL, &p->l.err),
                         &p->l.err)
               ? n
               : 99;
}

TEST(suggestions,
     "a pair is suggested once at a time, never against the user's word, and ends once")
{
    struct ims_store_suggestion in[2], *list = NULL;
    struct people p;
    int64_t anna = 0, bert = 0, n_expired = 0;
    size_t n_new = 0;

    CHECK(people_open(&p, 3, 1));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    CHECK_OK(people_create(&p, "Bert", &bert, NULL), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[2], anna, false, false), p.l.err);
    in[0] = (struct ims_store_suggestion){ .face_id = p.faces[0],
                                           .person_id = anna,
                                           .source_face_id = p.faces[2],
                                           .confidence = 0.8,
                                           .aggregate_confidence = 0.8,
                                           .n_matches = 1,
                                           .scores_json = "{\"3\":0.8}" };
    in[1] = in[0];
    in[1].person_id = bert;
    in[1].source_face_id = 0;
    in[1].aggregate_confidence = 0.9;
    CHECK_OK(ims_store_put_suggestions(p.l.store, in, 2, &n_new, &p.l.err), p.l.err);
    CHECK_INT(n_new, 2);
    CHECK_OK(ims_store_put_suggestions(p.l.store, in, 2, &n_new, &p.l.err), p.l.err);
    CHECK_INT(n_new, 0);
    CHECK_INT(pending_of(&p, p.faces[0], &list), 2);
    CHECK_STR(list[0].person, "Bert"); /* the higher one first */
    CHECK_STR(list[1].scores_json, "{\"3\":0.8}");
    CHECK_OK(people_reject(&p, p.faces[0], bert, true), p.l.err); /* ends the suggestion too */
    CHECK_INT(pending_of(&p, p.faces[0], &list), 1);
    CHECK_OK(ims_store_put_suggestions(p.l.store, in + 1, 1, &n_new, &p.l.err), p.l.err);
    CHECK_INT(n_new, 0);
    CHECK_INT(in[1].id, 0);
    CHECK_OK(people_assign_one(&p, p.faces[2], 0, false, false),
             p.l.err); /* its source is nobody now */
    CHECK_INT(pending_of(&p, p.faces[0], &list), 0);
    in[0].source_face_id = 0;
    CHECK_OK(ims_store_put_suggestions(p.l.store, in, 1, &n_new, &p.l.err), p.l.err);
    CHECK_OK(ims_store_close_suggestion(p.l.store, in[0].id, IMS_SUGGESTION_ACCEPTED, &p.l.err),
             p.l.err);
    CHECK_STATUS(ims_store_close_suggestion(p.l.store, in[0].id, IMS_SUGGESTION_REJECTED, &p.l.err),
                 IMS_E_CONSTRAINT, p.l.err);
    CHECK(strstr(p.l.err.text, "accepted") != NULL);
    CHECK_STATUS(ims_store_close_suggestion(p.l.store, 999, IMS_SUGGESTION_REJECTED, &p.l.err),
                 IMS_E_NOT_FOUND, p.l.err);
    in[0].face_id = p.faces[1];
    CHECK_OK(ims_store_put_suggestions(p.l.store, in, 1, &n_new, &p.l.err), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[1], bert, false, false),
             p.l.err); /* nobody needs to ask any more */
    CHECK_INT(pending_of(&p, p.faces[1], &list), 0);
    in[0].face_id = p.faces[2];
    CHECK_OK(ims_store_put_suggestions(p.l.store, in, 1, &n_new, &p.l.err), p.l.err);
    CHECK_OK(ims_store_expire_suggestions(p.l.store, anna, in[0].created_us, &n_expired, &p.l.err),
             p.l.err);
    CHECK_INT(n_expired, 0);
    CHECK_OK(ims_store_expire_suggestions(p.l.store, 0, in[0].created_us + 1, &n_expired, &p.l.err),
             p.l.err);
    CHECK_INT(n_expired, 1);
    library_close(&p.l);
}

TEST(suggestions_unique, "D-F21: the database holds one pending suggestion of a pair")
{
    struct people p;
    int64_t anna = 0;
    struct ims_db *db = NULL;
    char sql[300];

    CHECK(people_open(&p, 1, 1));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    snprintf(sql, sizeof(sql),
             "INSERT INTO face_suggestions (face_id, person_id, confidence, "
             "aggregate_confidence, n_matches, status, created_us) VALUES (%lld, %lld, 1, 1, 0, "
             "'pending', 1)",
             (long long)p.faces[0], (long long)anna);
    CHECK_OK(ims_db_open(&db, p.l.url, NULL, &p.l.err), p.l.err);
    CHECK_OK(ims_db_exec(db, sql, &p.l.err), p.l.err);
    CHECK_STATUS(ims_db_exec(db, sql, &p.l.err), IMS_E_CONSTRAINT, p.l.err);
    ims_db_close(db);
    library_close(&p.l);
}

/* --- names carried over --- */

/* Commits a file again with another content and faces that may have moved or changed their look. */
static bool change_file(struct people *p, const char *path, uint64_t content, int64_t model_id,
                        int dx, const uint64_t *looks, size_t n, int64_t *out_ids)
{
    float vectors[4][DIM];
    struct ims_store_face_in faces[4];
    struct ims_store_faces_in in = { .model_id = model_id, .faces = faces, .n_faces = n };
    struct ims_store_item item = make_item(&p->l, path, content, true);

    for (size_t i = 0; i < n; i++) {
        make_vector(looks[i], vectors[i]);
        faces[i] = (struct ims_store_face_in){ .x = (int)i * 100 + dx,
                                               .y = 10,
                                               .w = 80,
                                               .h = 90,
                                               .score = 0.9f,
                                               .quality = 0.5f,
                                               .gender = IMS_FACE_UNKNOWN_GENDER,
                                               .vector = vectors[i] };
    }
    item.faces = &in;
    if (!test_check_ok(
            __FILE__, __LINE__, "commit",
            ims_store_commit(p->l.store, IMS_TASK_CLIP, p->l.model_id, &item, 1, &p->l.err),
            &p->l.err))
        return false;
    for (size_t i = 0; i < n; i++)
        out_ids[i] = faces[i].id;
    return true;
}

TEST(carry, "names stay with a file that is changed, and come along to another face model")
{
    /* the looks of people_open's first photo, and one that is somebody else */
    const uint64_t same[3] = { 1000, 1001, 1002 }, other[3] = { 1000, 777, 1002 };
    struct ims_store_rejection *r = NULL;
    struct ims_store_face *face = NULL;
    struct people p;
    int64_t anna = 0, bert = 0, ids[3] = { 0 }, again[3] = { 0 }, elsewhere[3] = { 0 }, model = 0;
    size_t n = 0;

    CHECK(people_open(&p, 1, 3));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    CHECK_OK(people_create(&p, "Bert", &bert, NULL), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[0], anna, false, false), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[1], bert, false, false), p.l.err);
    CHECK_OK(people_reject(&p, p.faces[2], anna, true), p.l.err);
    CHECK(change_file(&p, "/photos/0.jpg", 500, p.face_model, 5, other, 3, ids));
    CHECK_INT(people_of(&p, ids[0]), anna);
    CHECK_INT(people_of(&p, ids[1]), 0); /* in the same place, but somebody else */
    CHECK_OK(ims_store_rejections(p.l.store, ids[2], 0, &p.l.arena, &r, &n, &p.l.err), p.l.err);
    CHECK(n == 1 && r[0].person_id == anna);
    CHECK_OK(ims_store_faces_by_id(p.l.store, ids, 1, &p.l.arena, &face, &p.l.err), p.l.err);
    CHECK_STR(face->assigned_by, "carried");
    CHECK_INT(sql_int(&p.l, "SELECT count(*) FROM person_events WHERE operation = 'CARRY_OVER'"),
              1);

    CHECK(change_file(&p, "/photos/0.jpg", 501, p.face_model, 60, same, 3,
                      again)); /* moved too far */
    CHECK_INT(people_of(&p, again[0]), 0);
    CHECK_INT(sql_int(&p.l, "SELECT count(*) FROM person_events WHERE operation = 'CARRY_OVER'"),
              1);

    CHECK_OK(people_assign_one(&p, again[0], anna, false, false), p.l.err);
    CHECK_OK(
        ims_store_add_model(p.l.store, "other faces", "1", IMS_MODEL_FACE, DIM, &model, &p.l.err),
        p.l.err);
    CHECK(change_file(&p, "/photos/0.jpg", 501, model, 62, other, 3, elsewhere));
    CHECK_INT(people_of(&p, elsewhere[0]), anna);
    CHECK_INT(people_of(&p, again[0]), anna);
    library_close(&p.l);
}

/* --- centroids, dismissed groups --- */

TEST(centroids, "D-C8: a new centroid of a person takes the place of the one before")
{
    struct ims_store_centroid *list = NULL, c;
    struct people p;
    float v[DIM], wrong[DIM] = { 0 };
    int64_t anna = 0, first, n_dropped = 0;
    size_t n = 0;

    CHECK(people_open(&p, 0, 0));
    CHECK_OK(people_create(&p, "Anna", &anna, NULL), p.l.err);
    make_vector(1, v);
    c = (struct ims_store_centroid){ .person_id = anna,
                                     .model_id = p.face_model,
                                     .algorithm = 1,
                                     .n_faces = 5,
                                     .source_hash = "ab",
                                     .vector = v };
    CHECK_OK(ims_store_put_centroid(p.l.store, &c, &p.l.err), p.l.err);
    first = c.id;
    make_vector(2, v);
    CHECK_OK(ims_store_put_centroid(p.l.store, &c, &p.l.err), p.l.err);
    CHECK_OK(ims_store_centroids(p.l.store, p.face_model, 0, 0, &p.l.arena, &list, &n, &p.l.err),
             p.l.err);
    CHECK_INT(n, 1);
    CHECK(list[0].id > first);
    CHECK_MEM(list[0].vector, v, sizeof(v));
    CHECK_OK(ims_store_centroids(p.l.store, p.face_model, 7, 0, &p.l.arena, &list, &n, &p.l.err),
             p.l.err);
    CHECK_INT(n, 0);
    c.vector = wrong;
    CHECK_STATUS(ims_store_put_centroid(p.l.store, &c, &p.l.err), IMS_E_INVALID, p.l.err);
    CHECK_OK(ims_store_drop_centroids(p.l.store, anna, &n_dropped, &p.l.err), p.l.err);
    CHECK_INT(n_dropped, 2);
    library_close(&p.l);
}

TEST(dismissed, "a dismissed group is known by its members, whatever their order")
{
    struct ims_store_dismissed *list = NULL;
    struct people p;
    int64_t back[2], a = 0, b = 0;
    char hash[IMS_SHA256_HEX];
    size_t n = 0;

    CHECK(people_open(&p, 1, 2));
    back[0] = p.faces[1];
    back[1] = p.faces[0];
    CHECK_OK(ims_store_dismiss(p.l.store, p.faces, 2, 3, "strangers", false, &a, &p.l.err),
             p.l.err);
    CHECK_OK(ims_store_dismiss(p.l.store, back, 2, 3, NULL, true, &b, &p.l.err), p.l.err);
    CHECK_INT(a, b);
    CHECK_OK(ims_store_membership_hash(back, 2, hash, &p.l.err), p.l.err);
    CHECK_OK(ims_store_dismissed_groups(p.l.store, &p.l.arena, &list, &n, &p.l.err), p.l.err);
    CHECK_INT(n, 1);
    CHECK_STR(list[0].membership_hash, hash);
    CHECK_STR(list[0].reason, "strangers");
    CHECK_STATUS(ims_store_membership_hash(back, 0, hash, &p.l.err), IMS_E_INVALID, p.l.err);
    CHECK_OK(ims_store_undismiss(p.l.store, a, &p.l.err), p.l.err);
    CHECK_STATUS(ims_store_undismiss(p.l.store, a, &p.l.err), IMS_E_NOT_FOUND, p.l.err);
    library_close(&p.l);
}

/* --- two users at once --- */

#define N_USERS 4

struct user {
    struct people p; /* with a handle of its own */
    const char *name;
    int64_t face_id;
    ims_status create_status, assign_status; /* read after the thread has ended */
    int64_t person_id;
};

static void name_face(void *arg)
{
    struct user *u = arg;

    u->create_status = people_create(&u->p, u->name, &u->person_id, NULL);
    if (!u->create_status)
        u->assign_status = people_assign_one(&u->p, u->face_id, u->person_id, false, false);
}

/* Runs all at once; the number of those for whom `which` is IMS_OK. */
static bool run_users(struct people *p, struct user *users, const char *const *names)
{
    struct ims_thread threads[N_USERS] = { 0 };
    bool ok = true;

    for (int i = 0; i < N_USERS; i++) {
        users[i] = (struct user){ .name = names[i], .face_id = p->faces[0] };
        users[i].p = *p;
        users[i].p.l.store = NULL;
        ok = ok && ims_store_open(&users[i].p.l.store, p->l.url, NULL, &p->l.err) == IMS_OK;
    }
    for (int i = 0; ok && i < N_USERS; i++)
        ok = ims__thread_start(&threads[i], "user", name_face, &users[i], &p->l.err) == IMS_OK;
    for (int i = 0; i < N_USERS; i++) {
        ims__thread_join(&threads[i]);
        ims_store_close(users[i].p.l.store);
    }
    return ok;
}

TEST(two_users, "of users who name one face at once one wins, and the others are told who it is")
{
    static const char *const same[N_USERS] = { "Anna", "ANNA", "anna ", "aNNa" };
    static const char *const different[N_USERS] = { "A", "B", "C", "D" };
    static struct user users[N_USERS];
    struct people p;
    int n_created = 0, n_assigned = 0;
    int64_t winner = 0;

    CHECK(people_open(&p, 1, 1));
    CHECK(run_users(&p, users, same));
    for (int i = 0; i < N_USERS; i++) {
        n_created += users[i].create_status == IMS_OK;
        if (users[i].create_status != IMS_OK)
            CHECK_INT(users[i].create_status, IMS_E_EXISTS);
    }
    CHECK_INT(n_created, 1);
    CHECK_OK(people_assign_one(&p, p.faces[0], 0, true, false), p.l.err);
    CHECK(run_users(&p, users, different));
    for (int i = 0; i < N_USERS; i++) {
        CHECK_INT(users[i].create_status, IMS_OK);
        n_assigned += users[i].assign_status == IMS_OK;
        if (users[i].assign_status == IMS_OK) {
            winner = users[i].person_id;
        } else {
            CHECK_INT(users[i].assign_status, IMS_E_CONSTRAINT);
            CHECK(strstr(users[i].p.l.err.text, "already") != NULL);
        }
    }
    CHECK_INT(n_assigned, 1);
    CHECK_INT(people_of(&p, p.faces[0]), winner);
    library_close(&p.l);
}
