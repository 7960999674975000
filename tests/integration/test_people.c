/* The use cases about people on synthetic faces: naming, merging, undoing, matching, moving names.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/people_library.h"

#include "base/thread.h"
#include "engine/clusters.h"

#include <stdio.h>
#include <string.h>

static const struct ims_people_by me = { "me", NULL };

/* Names faces; the person's id, 0 after a reported failure. */
static int64_t name_faces(struct people_library *p, const char *name, const int64_t *ids, size_t n)
{
    struct ims_people_assign what = { .face_ids = ids, .n = n, .name = name, .is_strict = true };

    return test_check_ok(__FILE__, __LINE__, name, ims_people_assign(p->e, &me, &what, &p->err),
                         &p->err)
               ? what.person_id
               : 0;
}

static size_t n_prototypes(struct people_library *p, int64_t person_id)
{
    struct ims_store_prototype *list = NULL;
    size_t n = 0;

    return ims_store_prototypes(p->s, p->face_model, person_id, false, &p->arena, &list, &n,
                                &p->err)
               ? 999
               : n;
}

TEST(name_cluster, "a cluster is named once, without a second face of one photo, and not when it "
                   "vanished or changed")
{
    const int two[2] = { 1, 1 };
    struct people_library p;
    struct ims_people_name_cluster what = { .name = "Anna" }, again;
    char hash[IMS_SHA256_HEX];
    int64_t cluster;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 3, 1, 0.05) && people_add_photo(&p, 9, two, 2, 0.05));
    cluster = people_cluster(&p, p.faces, 5);
    CHECK_OK(ims_store_membership_hash(p.faces, 4, hash, &p.err), p.err);
    what.cluster_id = cluster + 1;
    CHECK_STATUS(ims_people_name_cluster(p.e, &me, &what, &p.err), IMS_E_NOT_FOUND, p.err);
    what.cluster_id = cluster;
    what.expected_hash = hash;
    CHECK_STATUS(ims_people_name_cluster(p.e, &me, &what, &p.err), IMS_E_CONSTRAINT, p.err);
    CHECK_OK(ims_store_membership_hash(p.faces, 5, hash, &p.err), p.err);
    CHECK_OK(ims_people_name_cluster(p.e, &me, &what, &p.err), p.err);
    CHECK_INT(what.n_faces, 4);
    CHECK_INT(what.n_skipped, 1);
    CHECK(what.is_new_person && what.event_id > 0);
    CHECK_INT(people_person_of(&p, p.faces[3]),
              what.named_person_id); /* of two the one of better quality */
    CHECK_INT(people_person_of(&p, p.faces[4]), 0);
    CHECK(n_prototypes(&p, what.named_person_id) > 0);
    again = (struct ims_people_name_cluster){ .cluster_id = cluster,
                                              .name = "Bert",
                                              .allow_extra = true };
    CHECK_OK(ims_people_undo(p.e, &me, what.event_id, false, NULL, NULL, &p.err), p.err);
    CHECK_OK(ims_people_name_cluster(p.e, &me, &again, &p.err), p.err);
    CHECK_INT(again.n_faces, 5);
    again.name = "Carl";
    CHECK_STATUS(ims_people_name_cluster(p.e, &me, &again, &p.err), IMS_E_CONSTRAINT, p.err);
    CHECK(strstr(p.err.text, "named already") != NULL);
    people_library_close(&p);
}

TEST(merge,
     "merging moves faces, rejections and pins; unmerging brings back what was not changed since")
{
    struct people_library p;
    struct ims_people_merge what = { 0 };
    struct ims_store_pin pin = { .is_on = true, .role = IMS_ROLE_PRIMARY };
    int64_t anna, bert, carl, kept = 0;
    struct ims_store_rejection *r = NULL;
    struct ims_store_prototype *pins = NULL;
    char *before, *after;
    size_t n = 0;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 8, 1, 0.05));
    anna = name_faces(&p, "Anna", p.faces, 3);
    bert = name_faces(&p, "Bert", p.faces + 3, 2);
    carl = name_faces(&p, "Carl", p.faces + 5, 1);
    CHECK(anna && bert && carl);
    CHECK_OK(ims_people_reject(p.e, &me, &p.faces[6], 1, anna, true, NULL, &p.err), p.err);
    pin.person_id = anna;
    pin.face_id = p.faces[1];
    CHECK_OK(ims_people_pin(p.e, &me, &pin, &p.err), p.err);
    before = people_snapshot(&p);
    what.from = what.into = anna;
    CHECK_STATUS(ims_people_merge(p.e, &me, &what, &p.err), IMS_E_INVALID, p.err);
    what.into = 999;
    CHECK_STATUS(ims_people_merge(p.e, &me, &what, &p.err), IMS_E_NOT_FOUND, p.err);
    what.into = bert;
    CHECK_OK(ims_people_merge(p.e, &me, &what, &p.err), p.err);
    CHECK_INT(what.n_faces, 3);
    CHECK_INT(people_person_of(&p, p.faces[0]), bert);
    CHECK_OK(ims_store_rejections(p.s, p.faces[6], bert, &p.arena, &r, &n, &p.err), p.err);
    CHECK_INT(n, 1);
    CHECK_OK(ims_store_prototypes(p.s, p.face_model, bert, false, &p.arena, &pins, &n, &p.err),
             p.err);
    CHECK(n > 0 && pins[0].is_pinned && pins[0].face_id == p.faces[1]);
    CHECK_STATUS(ims_people_merge(p.e, &me, &what, &p.err), IMS_E_NOT_FOUND,
                 p.err); /* Anna is no more */
    CHECK_STATUS(ims_people_unmerge(p.e, &me, carl, NULL, NULL, &p.err), IMS_E_CONSTRAINT, p.err);
    CHECK_OK(ims_people_unmerge(p.e, &me, anna, NULL, &kept, &p.err), p.err);
    CHECK_INT(kept, 0);
    after = people_snapshot(&p);
    CHECK_STR(after, before);
    ims__free(before);
    ims__free(after);

    CHECK_OK(ims_people_merge(p.e, &me, &what, &p.err), p.err); /* into Bert, and he into Carl */
    what.from = bert;
    what.into = carl;
    CHECK_OK(ims_people_merge(p.e, &me, &what, &p.err), p.err);
    CHECK_OK(ims_people_remove(p.e, &me, p.faces, 1, 0, true, NULL, NULL, &p.err), p.err);
    CHECK_OK(ims_people_unmerge(p.e, &me, anna, NULL, &kept, &p.err), p.err);
    CHECK(kept > 0);
    CHECK_INT(people_person_of(&p, p.faces[0]), 0);
    CHECK_INT(people_person_of(&p, p.faces[1]), anna);
    CHECK_INT(people_person_of(&p, p.faces[3]), carl);
    people_library_close(&p);
}

TEST(merge_same_photo, "two persons of one photo are not merged, unless the user says so")
{
    const int two[2] = { 1, 2 };
    struct people_library p;
    struct ims_people_merge what = { 0 };
    struct ims_store_face *face = NULL;

    CHECK(people_library_open(&p));
    CHECK(people_add_photo(&p, 1, two, 2, 0.05));
    what.from = name_faces(&p, "Anna", p.faces, 1);
    what.into = name_faces(&p, "Bert", p.faces + 1, 1);
    CHECK_STATUS(ims_people_merge(p.e, &me, &what, &p.err), IMS_E_CONSTRAINT, p.err);
    CHECK(strstr(p.err.text, "same photo") != NULL);
    CHECK_INT(people_person_of(&p, p.faces[0]), what.from);
    what.allow_extra = true;
    CHECK_OK(ims_people_merge(p.e, &me, &what, &p.err), p.err);
    CHECK_OK(ims_store_faces_by_id(p.s, p.faces, 1, &p.arena, &face, &p.err), p.err);
    CHECK(face->is_extra && face->person_id == what.into);
    people_library_close(&p);
}

TEST(reject_several, "that faces are not a person is one change, of those that were it and those that were not; all or none")
{
    struct people_library p;
    struct ims_store_rejection *r = NULL;
    int64_t anna, ids[3];
    size_t n = 0, n_removed = 0;
    char *before, *after;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 5, 1, 0.05));
    anna = name_faces(&p, "Anna", p.faces, 3);
    before = people_snapshot(&p);
    memcpy(ids, p.faces + 2, sizeof(ids));
    CHECK_STATUS(ims_people_reject(p.e, &me, (int64_t[]){ ids[0], 999 }, 2, anna, true, NULL, &p.err), IMS_E_NOT_FOUND, p.err);
    after = people_snapshot(&p);
    CHECK_STR(after, before);
    ims__free(after);
    CHECK_OK(ims_people_reject(p.e, &me, ids, 3, anna, true, &n_removed, &p.err), p.err);
    CHECK_INT(n_removed, 1);
    CHECK_INT(people_person_of(&p, ids[0]), 0);
    CHECK_OK(ims_store_rejections(p.s, 0, anna, &p.arena, &r, &n, &p.err), p.err);
    CHECK_INT(n, 3);
    CHECK_OK(ims_people_undo(p.e, &me, ims_people_event(p.e), false, NULL, NULL, &p.err), p.err);
    after = people_snapshot(&p);
    CHECK_STR(after, before);
    CHECK_STATUS(ims_people_reject(p.e, &me, ids, 0, anna, true, NULL, &p.err), IMS_E_INVALID, p.err);
    ims__free(before);
    ims__free(after);
    people_library_close(&p);
}

TEST(split_delete, "a person is split, moved from, hidden and deleted, and all of it is undone")
{
    struct people_library p;
    struct ims_store_event_row *events = NULL;
    const struct ims_store_event_filter all = { 0 };
    struct ims_people_assign move = { .name = "Bert", .n = 1, .may_move = true },
                             nothing = { .name = "X" };
    struct ims_store_person_change hidden = { .has_status = true, .status = IMS_PERSON_HIDDEN };
    int64_t anna, other = 0;
    size_t n = 0, n_freed = 0;
    char *before, *after;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 6, 1, 0.05));
    before = people_snapshot(&p);
    CHECK_STATUS(ims_people_assign(p.e, &me, &nothing, &p.err), IMS_E_INVALID, p.err);
    anna = name_faces(&p, "Anna", p.faces, 6);
    CHECK_OK(ims_people_split(p.e, &me, anna, p.faces, 2, "Zo\xc3\xab", &other, &p.err), p.err);
    CHECK_STATUS(ims_people_split(p.e, &me, anna, p.faces, 1, "X", &other, &p.err),
                 IMS_E_CONSTRAINT, p.err);
    CHECK_STATUS(ims_people_split(p.e, &me, anna, p.faces + 2, 1, "ZO\xc3\x8b", &other, &p.err),
                 IMS_E_EXISTS, p.err);
    move.face_ids = p.faces + 2;
    CHECK_OK(ims_people_assign(p.e, &me, &move, &p.err), p.err);
    CHECK(move.is_new_person);
    CHECK_OK(ims_people_change(p.e, &me, anna, &hidden, &p.err), p.err);
    hidden.status = IMS_PERSON_DELETED;
    CHECK_STATUS(ims_people_change(p.e, &me, anna, &hidden, &p.err), IMS_E_INVALID, p.err);
    CHECK_OK(ims_people_delete(p.e, &me, anna, &n_freed, &p.err), p.err);
    CHECK_INT(n_freed, 3);
    CHECK_INT(n_prototypes(&p, anna), 0);
    CHECK_STATUS(ims_people_delete(p.e, &me, 999, NULL, &p.err), IMS_E_NOT_FOUND, p.err);
    CHECK_OK(ims_store_events(p.s, &all, 0, 0, &p.arena, &events, &n, NULL, &p.err), p.err);
    for (size_t i = 0; i < n; i++)
        CHECK_OK(ims_people_undo(p.e, &me, events[i].id, false, NULL, NULL, &p.err), p.err);
    after = people_snapshot(&p);
    CHECK_STR(after, before);
    ims__free(before);
    ims__free(after);
    people_library_close(&p);
}

TEST(prototypes, "prototypes follow the faces, pins have quotas, excluded faces are not chosen")
{
    struct people_library p;
    struct ims_store_pin pin = { .is_on = true, .role = IMS_ROLE_TEMPORAL };
    struct ims_store_prototype *list = NULL;
    int64_t anna;
    size_t n = 0, created = 0, removed = 0;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 12, 1, 0.05));
    anna = name_faces(&p, "Anna", p.faces, 12);
    CHECK_INT(n_prototypes(&p, anna), 5);
    pin.person_id = anna;
    pin.face_id = p.faces[0];
    CHECK_STATUS(ims_people_pin(p.e, &me, &pin, &p.err), IMS_E_INVALID, p.err); /* no age, no era */
    pin.era = "grown-up";
    CHECK_STATUS(ims_people_pin(p.e, &me, &pin, &p.err), IMS_E_INVALID, p.err);
    pin.era = "teen";
    CHECK_OK(ims_people_pin(p.e, &me, &pin, &p.err), p.err);
    pin.face_id = p.faces[1];
    CHECK_STATUS(ims_people_pin(p.e, &me, &pin, &p.err), IMS_E_LIMIT, p.err);
    pin.role = IMS_ROLE_PRIMARY;
    for (int i = 1; i <= 3; i++) {
        pin.face_id = p.faces[i];
        CHECK_OK(ims_people_pin(p.e, &me, &pin, &p.err), p.err);
    }
    pin.face_id = p.faces[4];
    CHECK_STATUS(ims_people_pin(p.e, &me, &pin, &p.err), IMS_E_LIMIT, p.err);
    CHECK_INT(n_prototypes(&p, anna), 5); /* with the pins */
    CHECK_OK(ims_people_choose_prototypes(p.e, &me, anna, false, &created, &removed, &p.err),
             p.err);
    CHECK_OK(ims_store_prototypes(p.s, p.face_model, anna, false, &p.arena, &list, &n, &p.err),
             p.err);
    CHECK(n == 5 && !list[0].is_pinned);
    pin.role = IMS_ROLE_EXCLUDED;
    pin.face_id = list[0].face_id;
    CHECK_OK(ims_people_pin(p.e, &me, &pin, &p.err), p.err);
    CHECK_OK(ims_store_prototypes(p.s, p.face_model, anna, false, &p.arena, &list, &n, &p.err),
             p.err);
    CHECK_INT(n, 5);
    for (size_t i = 0; i < n; i++)
        CHECK(list[i].face_id != pin.face_id);
    people_library_close(&p);
}

/* --- matching --- */

static size_t pending(struct people_library *p, struct ims_store_suggestion **out)
{
    const struct ims_store_suggestion_filter filter = { .has_status = true };
    size_t n = 0;

    return ims_store_suggestions(p->s, &filter, 0, 0, &p->arena, out, &n, NULL, &p->err) ? 999 : n;
}

TEST(match, "new faces become the persons they are like, without a clustering; the user's word is "
            "not overruled")
{
    struct people_library p;
    struct ims_people_match m = { 0 };
    struct ims_people_candidate *candidates = NULL;
    int64_t anna, bert, removed_event = 0;
    size_t n = 0;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 6, 1, 0.05) && people_add_faces(&p, 11, 6, 2, 0.05));
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_persons, 0);
    anna = name_faces(&p, "Anna", p.faces, 6);
    bert = name_faces(&p, "Bert", p.faces + 6, 2);
    CHECK(people_add_faces(&p, 21, 3, 1, 0.05) && people_add_faces(&p, 31, 2, 3, 0.05));
    CHECK_OK(ims_people_candidates(p.e, p.faces[12], 0.5, 5, &p.arena, &candidates, &n, &p.err),
             p.err);
    CHECK_INT(n, 1);
    CHECK_STR(candidates[0].name, "Anna");
    m.is_dry_run = true;
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_faces, 9);
    CHECK_INT(m.n_assigned, 7); /* four of Bert, three of Anna */
    CHECK_INT(people_person_of(&p, p.faces[12]), 0);
    CHECK_OK(ims_people_reject(p.e, &me, &p.faces[13], 1, anna, true, NULL, &p.err), p.err);
    m.is_dry_run = false;
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_assigned, 6);
    CHECK_INT(people_person_of(&p, p.faces[12]), anna);
    CHECK_INT(people_person_of(&p, p.faces[13]), 0);
    CHECK_INT(people_person_of(&p, p.faces[8]), bert);
    CHECK_INT(people_person_of(&p, p.faces[15]), 0); /* nobody is like that */
    CHECK_OK(ims_people_remove(p.e, &me, p.faces + 12, 1, anna, true, &n, &removed_event, &p.err),
             p.err);
    CHECK_INT(n, 1);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_assigned, 0); /* "not Anna" holds */
    CHECK_OK(ims_people_undo(p.e, &me, removed_event, false, NULL, NULL, &p.err), p.err);
    CHECK_INT(people_person_of(&p, p.faces[12]), anna);
    people_library_close(&p);
}

TEST(match_second, "when the closest person was ruled out the next one gets its chance, and of two "
                   "close ones none is chosen")
{
    struct people_library p;
    struct ims_people_match m = { 0 };
    int64_t anna, bert;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 5, 1, 0.01));
    anna = name_faces(&p, "Anna", p.faces, 2);
    bert = name_faces(&p, "Bert", p.faces + 2, 2);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_ambiguous, 1);
    CHECK_INT(m.n_assigned, 0);
    CHECK_INT(m.n_suggested, 1);
    CHECK_OK(ims_people_reject(p.e, &me, &p.faces[4], 1, anna, true, NULL, &p.err), p.err);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_assigned, 1);
    CHECK_INT(people_person_of(&p, p.faces[4]), bert);
    CHECK_OK(ims_people_remove(p.e, &me, p.faces + 4, 1, bert, true, NULL, NULL, &p.err), p.err);
    CHECK_OK(ims_people_reject(p.e, &me, &p.faces[4], 1, anna, false, NULL, &p.err), p.err);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(people_person_of(&p, p.faces[4]), anna);
    people_library_close(&p);
}

TEST(match_same_photo, "of two faces of one photo that are like a person the better one becomes it")
{
    const int twins[2] = { 1, 1 };
    struct people_library p;
    struct ims_people_match m = { 0 };
    int64_t anna;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 3, 1, 0.01));
    anna = name_faces(&p, "Anna", p.faces, 3);
    CHECK(people_add_photo(&p, 21, twins, 2, 0.05));
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_assigned, 1);
    CHECK_INT(
        (people_person_of(&p, p.faces[3]) == anna) + (people_person_of(&p, p.faces[4]) == anna), 1);
    people_library_close(&p);
}

TEST(suggestions,
     "D-C2: accepting is one change that is undone; rejecting is for good; answering twice is an error")
{
    struct people_library p;
    struct ims_people_match m = { .auto_threshold = 2 };
    struct ims_store_suggestion *list = NULL;
    const struct ims_store_event_filter latest = { 0 };
    struct ims_store_event_row *events = NULL;
    int64_t anna, first, second, n_expired = 0;
    size_t n = 0;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 6, 1, 0.05));
    anna = name_faces(&p, "Anna", p.faces, 3);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_assigned, 0);
    CHECK_INT(m.n_suggested, 3);
    CHECK_INT(pending(&p, &list), 3);
    CHECK(list[0].n_matches > 0 && list[0].aggregate_confidence >= list[0].confidence &&
          list[0].source_face_id > 0);
    CHECK(strstr(list[0].scores_json, "\":0.") != NULL);
    first = list[0].face_id;
    second = list[1].face_id;
    CHECK_OK(ims_people_accept(p.e, &me, list[0].id, &p.err), p.err);
    CHECK_STATUS(ims_people_accept(p.e, &me, list[0].id, &p.err), IMS_E_CONSTRAINT, p.err);
    CHECK_STATUS(ims_people_accept(p.e, &me, 999, &p.err), IMS_E_NOT_FOUND, p.err);
    CHECK_INT(people_person_of(&p, first), anna);
    CHECK_OK(ims_people_reject_suggestion(p.e, &me, list[1].id, &p.err), p.err);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_suggested, 0); /* one is pending, one was rejected */
    CHECK_INT(pending(&p, &list), 1);
    CHECK_INT(people_person_of(&p, second), 0);
    CHECK_OK(ims_store_events(p.s, &latest, 1, 1, &p.arena, &events, &n, NULL, &p.err), p.err);
    CHECK_OK(ims_people_undo(p.e, &me, events[0].id, false, NULL, NULL, &p.err), p.err);
    CHECK_INT(people_person_of(&p, first), 0);
    CHECK_OK(ims_people_expire(p.e, 1, &n_expired, &p.err), p.err);
    CHECK_INT(n_expired, 0);
    people_library_close(&p);
}

TEST(projection, "an active projection is applied to both sides when faces are compared, and can "
                 "be switched off")
{
    static float w[FACE_DIM * FACE_DIM];
    float vectors[5 * FACE_DIM];
    struct people_library p;
    struct ims_people_match m = { .is_dry_run = true };
    int64_t id = 0;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 3, 1, 0.05) && people_add_faces(&p, 11, 2, 2, 0.05));
    CHECK(name_faces(&p, "Anna", p.faces, 3) != 0);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK_INT(m.n_assigned, 0);
    /* keeps of a vector only its share of the direction between the looks: all faces are the same then */
    CHECK_OK(ims_store_face_vectors_by_id(p.s, p.faces, 5, FACE_DIM, vectors, &p.err), p.err);
    for (int d = 0; d < FACE_DIM; d++)
        w[d] = vectors[d] + vectors[3 * FACE_DIM + d];
    CHECK_OK(
        ims_store_add_projection(p.s, p.face_model, "one direction", w, NULL, 0, NULL, &id, &p.err),
        p.err);
    CHECK_OK(ims_store_activate_projection(p.s, p.face_model, id, &p.err), p.err);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK(m.has_projection);
    CHECK_INT(m.n_assigned, 2);
    CHECK_OK(ims_store_activate_projection(p.s, p.face_model, 0, &p.err), p.err);
    CHECK_OK(ims_people_match(p.e, &me, &m, &p.err), p.err);
    CHECK(!m.has_projection);
    CHECK_INT(m.n_assigned, 0);
    people_library_close(&p);
}

TEST(projected_clusters, "clusters are made of what the active training makes of the faces, and of the faces "
                         "alone when it is switched off")
{
    static float w[FACE_DIM * FACE_DIM];
    float vectors[6 * FACE_DIM];
    struct people_library p;
    struct ims_clusters_options o = { .method = IMS_CLUSTERS_DBSCAN, .eps = 0.3, .min_samples = 2, .min_cluster_size = 2,
                                      .min_quality = 0, .merge_similarity = 2, .person_threshold = -1 };
    struct ims_clusters_result r = { 0 };
    int64_t id = 0;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 3, 1, 0.05) && people_add_faces(&p, 11, 3, 2, 0.05));
    CHECK_OK(ims_engine_cluster_faces(p.e, &o, &r, &p.err), p.err);
    CHECK_INT(r.clusters, 2);
    CHECK_STR(r.lists, "computed");
    CHECK_OK(ims_store_face_vectors_by_id(p.s, p.faces, 6, FACE_DIM, vectors, &p.err), p.err);
    for (int d = 0; d < FACE_DIM; d++)
        w[d] = vectors[d] + vectors[3 * FACE_DIM + d];
    CHECK_OK(
        ims_store_add_projection(p.s, p.face_model, "one direction", w, NULL, 0, NULL, &id, &p.err),
        p.err);
    CHECK_OK(ims_store_activate_projection(p.s, p.face_model, id, &p.err), p.err);
    CHECK_OK(ims_engine_cluster_faces(p.e, &o, &r, &p.err), p.err);
    CHECK_INT(r.clusters, 1);
    CHECK_STR(r.lists, "computed"); /* not the lists of before */
    CHECK_OK(ims_engine_cluster_faces(p.e, &o, &r, &p.err), p.err);
    CHECK_STR(r.lists, "stored");
    CHECK_OK(ims_store_activate_projection(p.s, p.face_model, 0, &p.err), p.err);
    CHECK_OK(ims_engine_cluster_faces(p.e, &o, &r, &p.err), p.err);
    CHECK_INT(r.clusters, 2);
    CHECK_OK(ims_store_face_vectors_by_id(p.s, p.faces, 1, FACE_DIM, w, &p.err), p.err);
    CHECK(memcmp(w, vectors, FACE_DIM * sizeof(*w)) == 0); /* as it was */
    people_library_close(&p);
}

TEST(centroids,
     "centroids are made for persons with enough faces, and anew only when their faces changed")
{
    struct people_library p;
    struct ims_people_centroids c = { 0 };
    struct ims_store_centroid *list = NULL;
    int64_t anna;
    size_t n = 0;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 61, 1, 0.05));
    anna = name_faces(&p, "Anna", p.faces, 60);
    CHECK(name_faces(&p, "Bert", p.faces + 60, 1) != 0);
    CHECK_OK(ims_people_centroids(p.e, &c, &p.err), p.err);
    CHECK_INT(c.n_made, 1);
    CHECK_INT(c.n_too_few, 1);
    CHECK_OK(ims_store_centroids(p.s, p.face_model, 0, anna, &p.arena, &list, &n, &p.err), p.err);
    CHECK_INT(n, 1);
    CHECK_INT(list[0].n_faces, 60);
    CHECK_INT(list[0].n_trimmed, 3);
    CHECK_OK(ims_people_centroids(p.e, &c, &p.err), p.err);
    CHECK_INT(c.n_fresh, 1);
    CHECK_INT(c.n_made, 0);
    CHECK_OK(ims_people_remove(p.e, &me, p.faces, 1, 0, false, NULL, NULL, &p.err), p.err);
    CHECK_OK(ims_people_centroids(p.e, &c, &p.err), p.err);
    CHECK_INT(c.n_made, 1);
    c.person_id = 999;
    CHECK_STATUS(ims_people_centroids(p.e, &c, &p.err), IMS_E_NOT_FOUND, p.err);
    people_library_close(&p);
}

/* --- settings --- */

TEST(settings, "settings have defaults, keep to their bounds, and are set all or none")
{
    const char *const keys[2] = { "face_auto_assign_threshold", "post_training_suggestions_mode" };
    const char *good[2] = { "0.9", "top_n" }, *bad[2] = { "0.6", "some" };
    const char *const unknown = "no_such_setting";
    struct people_library p;
    double v = 0;

    CHECK(people_library_open(&p));
    CHECK_OK(ims_people_setting(p.e, keys[0], &v, &p.err), p.err);
    CHECK(v == 0.85);
    CHECK_STATUS(ims_people_set(p.e, keys, bad, 2, &p.err), IMS_E_INVALID, p.err);
    CHECK_OK(ims_people_setting(p.e, keys[0], &v, &p.err), p.err);
    CHECK(v == 0.85);
    CHECK_OK(ims_people_set(p.e, keys, good, 2, &p.err), p.err);
    CHECK_OK(ims_people_setting(p.e, keys[0], &v, &p.err), p.err);
    CHECK(v == 0.9);
    CHECK_OK(ims_people_setting(p.e, keys[1], &v, &p.err), p.err);
    CHECK(v == 1);
    CHECK_STATUS(ims_people_setting(p.e, unknown, &v, &p.err), IMS_E_NOT_FOUND, p.err);
    CHECK_STATUS(ims_people_set(p.e, &unknown, good, 1, &p.err), IMS_E_NOT_FOUND, p.err);
    people_library_close(&p);
}

/* --- moving names --- */

TEST(exchange_extra, "two faces of one photo that the user said are one person stay so in another library, whatever "
                     "their order")
{
    static const int both[2] = { 1, 1 };
    struct people_library a, b;
    struct ims_people_import in = { 0 };
    ims_json *data = NULL;

    CHECK(people_library_open(&a) && people_library_open(&b));
    CHECK(people_add_photo(&a, 1, both, 2, 0.05) && people_add_photo(&b, 1, both, 2, 0.05));
    for (int k = 1; k >= 0; k--) { /* the face of the lower id is the second one */
        struct ims_people_assign what = { .face_ids = &a.faces[k], .n = 1, .name = "Anna", .is_strict = true, .allow_extra = k == 0 };

        CHECK_OK(ims_people_assign(a.e, &me, &what, &a.err), a.err);
    }
    CHECK_OK(ims_people_export(a.e, &data, &a.err), a.err);
    CHECK_OK(ims_people_import(b.e, &me, data, &in, &b.err), b.err);
    CHECK_INT(in.n_assigned, 2);
    CHECK_INT(in.n_conflicts, 0);
    ims__json_free(data);
    people_library_close(&a);
    people_library_close(&b);
}

TEST(exchange, "names go to another library where the boxes differ a little, and what the user "
               "said there wins")
{
    static const char *const wrong[] = { "[]", "{\"format\":\"x\"}",
                                         "{\"format\":\"imgsearch-people\",\"version\":9}",
                                         "{\"format\":\"imgsearch-people\",\"version\":1}" };
    static const char *const spoiled = "{\"format\":\"imgsearch-people\",\"version\":1,\"persons\":"
                                       "[{\"name\":\"New\"},{\"name\":\"\"}]}";
    struct people_library a, b;
    struct ims_people_import in = { .is_dry_run = true };
    struct ims_store_event_filter concerned = { 0 };
    struct ims_store_event_row *events = NULL;
    ims_json *data = NULL, *bad = NULL;
    int64_t anna, bert, id = 0;
    size_t n = 0;

    CHECK(people_library_open(&a) && people_library_open(&b));
    CHECK(people_add_faces(&a, 1, 5, 1, 0.05) && people_add_faces(&b, 1, 4, 1, 0.05));
    anna = name_faces(&a, "Anna", a.faces, 3);
    CHECK_OK(ims_people_reject(a.e, &me, &a.faces[3], 1, anna, true, NULL, &a.err), a.err);
    bert = name_faces(&b, "Bert", b.faces + 2, 1);
    CHECK(bert != 0);
    CHECK_OK(ims_people_export(a.e, &data, &a.err), a.err);
    CHECK_OK(ims_people_import(b.e, &me, data, &in, &b.err), b.err);
    CHECK_INT(in.n_assigned, 2);
    CHECK_INT(in.n_conflicts, 1);
    CHECK_OK(ims_store_find_person(b.s, "Anna", &id, &b.err), b.err);
    CHECK_INT(id, 0); /* a dry run */
    in.is_dry_run = false;
    CHECK_OK(ims_people_import(b.e, &me, data, &in, &b.err), b.err);
    CHECK_INT(in.n_assigned, 2);
    CHECK_INT(in.n_rejections, 1);
    CHECK_INT(in.n_persons_made, 1);
    CHECK_OK(ims_store_find_person(b.s, "ANNA", &id, &b.err), b.err);
    CHECK_INT(people_person_of(&b, b.faces[0]), id);
    CHECK(people_person_of(&b, b.faces[2]) != id);
    CHECK_OK(ims_people_import(b.e, &me, data, &in, &b.err), b.err);
    CHECK_INT(in.n_same, 2);
    CHECK_INT(in.event_id, 0);
    in.may_move = true;
    CHECK_OK(ims_people_import(b.e, &me, data, &in, &b.err), b.err);
    CHECK_INT(people_person_of(&b, b.faces[2]), id);
    concerned.person_id = bert; /* the import is of several, and took a face from Bert */
    CHECK_OK(ims_store_events(b.s, &concerned, 0, 0, &b.arena, &events, &n, NULL, &b.err), b.err);
    CHECK(n == 2 && events[0].id == in.event_id);
    concerned.person_id = bert + 10;
    CHECK_OK(ims_store_events(b.s, &concerned, 0, 0, &b.arena, &events, &n, NULL, &b.err), b.err);
    CHECK_INT(n, 0);
    for (size_t i = 0; i < IMS_ARRAY_LEN(wrong); i++) {
        CHECK_OK(ims__json_parse(&bad, wrong[i], strlen(wrong[i]), "test", &b.err), b.err);
        CHECK(ims_people_import(b.e, &me, bad, &in, &b.err) != IMS_OK);
        ims__json_free(bad);
    }
    CHECK_OK(ims__json_parse(&bad, spoiled, strlen(spoiled), "test", &b.err), b.err);
    CHECK_STATUS(ims_people_import(b.e, &me, bad, &in, &b.err), IMS_E_FORMAT, b.err);
    ims__json_free(bad);
    CHECK_OK(ims_store_find_person(b.s, "New", &id, &b.err), b.err);
    CHECK_INT(id, 0); /* nothing half-done */
    ims__json_free(data);
    people_library_close(&a);
    people_library_close(&b);
}

/* --- two users at once --- */

#define N_USERS 3

struct user {
    struct ims_engine *e;
    struct ims_people_name_cluster what;
    ims_status st; /* read after the thread has ended */
    ims_err err;
};

static void name_it(void *arg)
{
    struct user *u = arg;

    u->st = ims_people_name_cluster(u->e, &me, &u->what, &u->err);
}

TEST(users,
     "of users who name a cluster at once one wins and the others are told that it was named")
{
    static const char *const names[N_USERS] = { "Anna", "Bert", "Carl" };
    struct ims_thread threads[N_USERS] = { 0 };
    struct user users[N_USERS];
    struct people_library p;
    int64_t cluster, winner = 0;
    int n_won = 0;

    CHECK(people_library_open(&p));
    CHECK(people_add_faces(&p, 1, 6, 1, 0.05));
    cluster = people_cluster(&p, p.faces, 6);
    for (int i = 0; i < N_USERS; i++) {
        users[i] = (struct user){ .e = people_library_engine(&p),
                                  .what = { .cluster_id = cluster, .name = names[i] } };
        CHECK(users[i].e != NULL);
    }
    for (int i = 0; i < N_USERS; i++)
        CHECK_OK(ims__thread_start(&threads[i], "user", name_it, &users[i], &p.err), p.err);
    for (int i = 0; i < N_USERS; i++) {
        ims__thread_join(&threads[i]);
        n_won += users[i].st == IMS_OK;
        if (users[i].st == IMS_OK)
            winner = users[i].what.named_person_id;
        else
            CHECK_STATUS(users[i].st, IMS_E_CONSTRAINT, users[i].err);
        ims_engine_close(users[i].e);
    }
    CHECK_INT(n_won, 1);
    for (int i = 0; i < 6; i++)
        CHECK_INT(people_person_of(&p, p.faces[i]), winner);
    people_library_close(&p);
}

TEST_MAIN
