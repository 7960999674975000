/* Face sessions: every event in every state, jobs of before, races, what is written down at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/people_fixture.h"

#include "base/thread.h"
#include "store/face_sessions.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

static int64_t add_session(struct library *l, int64_t training)
{
    struct ims_store_face_session x = {
        .training_session_id = training, .min_confidence = 0.5, .min_face_size = 20, .batch_size = 16
    };
    int64_t id = 0;

    if (ims_store_add_face_session(l->store, &x, &id, &l->err))
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
    return id;
}

static struct ims_store_face_session look(struct library *l, int64_t id)
{
    struct ims_store_face_session x = { 0 };

    if (ims_store_face_session(l->store, id, l->model_id, &l->arena, &x, &l->err))
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
    return x;
}

static ims_status step(struct library *l, int64_t id, ims_face_session_event event, int64_t generation)
{
    const struct ims_store_face_session_step s = {
        .id = id, .event = event, .generation = generation, .text = "why", .model_id = l->model_id
    };

    return ims_store_face_session_event(l->store, &s, NULL, &l->err);
}

/* What the contract of the interface allows, written down apart from the table in the code. */
static const char *expected(const char *from, ims_face_session_event event)
{
    static const struct {
        const char *from;
        ims_face_session_event event;
        const char *to;
    } rows[] = {
        { "pending", IMS_FACE_SESSION_PICKED, "processing" },    { "pending", IMS_FACE_SESSION_CANCEL, "cancelled" },
        { "pending", IMS_FACE_SESSION_BROKEN, "failed" },        { "processing", IMS_FACE_SESSION_PICKED, "processing" },
        { "processing", IMS_FACE_SESSION_PAUSE, "paused" },      { "processing", IMS_FACE_SESSION_CANCEL, "cancelled" },
        { "processing", IMS_FACE_SESSION_DONE, "completed" },    { "processing", IMS_FACE_SESSION_BROKEN, "failed" },
        { "paused", IMS_FACE_SESSION_RESUME, "processing" },     { "paused", IMS_FACE_SESSION_CANCEL, "cancelled" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].from, from) == 0 && rows[i].event == event)
            return rows[i].to;
    }
    return NULL;
}

TEST(face_sessions_machine, "D-F9: each of the 36 pairs of a face session's state and event does what the contract says, and nothing else")
{
    struct library l;
    int64_t id;

    if (!library_open(&l))
        return;
    id = add_session(&l, 0);
    for (int from = 0; from < IMS_FACE_SESSION_N_STATUSES; from++) {
        for (int event = 0; event < IMS_FACE_SESSION_N_EVENTS; event++) {
            const char *name = ims_face_session_status_name((ims_face_session_status)from);
            const char *want = expected(name, (ims_face_session_event)event);
            char sql[200];
            ims_status st;

            snprintf(sql, sizeof(sql), "UPDATE face_sessions SET status = '%s', generation = 7", name);
            CHECK(sql_exec(&l, sql));
            st = step(&l, id, (ims_face_session_event)event, 7);
            test_note("%s %s", name, ims_face_session_event_name((ims_face_session_event)event));
            CHECK_INT(st == IMS_OK, want != NULL);
            CHECK_STR(ims_face_session_status_name(look(&l, id).status), want ? want : name);
        }
    }
    CHECK_STATUS(step(&l, 99, IMS_FACE_SESSION_CANCEL, 0), IMS_E_NOT_FOUND, l.err);
    library_close(&l);
}

TEST(face_sessions_generation, "what the job of before a pause reports changes nothing; times and the error are kept")
{
    struct library l;
    int64_t id;

    if (!library_open(&l))
        return;
    id = add_session(&l, 0);
    CHECK(look(&l, id).started_us == 0 && look(&l, id).generation == 0);
    CHECK_OK(step(&l, id, IMS_FACE_SESSION_PICKED, 0), l.err);
    CHECK(look(&l, id).started_us > 0);
    CHECK_OK(step(&l, id, IMS_FACE_SESSION_PAUSE, 0), l.err);
    CHECK_STATUS(step(&l, id, IMS_FACE_SESSION_DONE, 0), IMS_E_CANCELLED, l.err); /* the last picture came too late */
    CHECK_OK(step(&l, id, IMS_FACE_SESSION_RESUME, 0), l.err);
    CHECK_INT(look(&l, id).generation, 1);
    CHECK_STATUS(step(&l, id, IMS_FACE_SESSION_DONE, 0), IMS_E_CANCELLED, l.err);
    CHECK_STATUS(step(&l, id, IMS_FACE_SESSION_BROKEN, 0), IMS_E_CANCELLED, l.err);
    CHECK_OK(step(&l, id, IMS_FACE_SESSION_BROKEN, 1), l.err);
    CHECK_STR(look(&l, id).last_error, "why");
    CHECK(look(&l, id).completed_us > 0);
    library_close(&l);
}

struct racer {
    const char *url;
    int64_t id;
    ims_face_session_event event;
    ims_status st;
};

static void race(void *arg)
{
    struct racer *r = arg;
    const struct ims_store_face_session_step s = { .id = r->id, .event = r->event };
    struct ims_store *store = NULL;
    ims_err err;

    r->st = ims_store_open(&store, r->url, NULL, &err);
    if (!r->st)
        r->st = ims_store_face_session_event(store, &s, NULL, &err);
    ims_store_close(store);
}

TEST(face_sessions_race, "of cancel and done at the same moment one wins, and the state is the winner's")
{
    struct library l;

    if (!library_open(&l))
        return;
    for (int round = 0; round < 10; round++) {
        struct racer r[2];
        struct ims_thread t[2] = { 0 };
        int64_t id = add_session(&l, 0);

        CHECK_OK(step(&l, id, IMS_FACE_SESSION_PICKED, 0), l.err);
        for (int i = 0; i < 2; i++) {
            r[i] = (struct racer){ l.url, id, i == round % 2 ? IMS_FACE_SESSION_CANCEL : IMS_FACE_SESSION_DONE, IMS_OK };
            CHECK_OK(ims__thread_start(&t[i], "racer", race, &r[i], &l.err), l.err);
        }
        for (int i = 0; i < 2; i++)
            ims__thread_join(&t[i]);
        CHECK_INT((r[0].st == IMS_OK) + (r[1].st == IMS_OK), 1);
        CHECK_INT(look(&l, id).status,
                  (r[round % 2].st == IMS_OK) ? IMS_FACE_SESSION_CANCELLED : IMS_FACE_SESSION_COMPLETED);
    }
    library_close(&l);
}

TEST(face_sessions_rows, "D-F8: counters are those of the pictures while it is at work, and stay as they were when it has ended")
{
    struct ims_store_session training = { .name = "s", .root_path = "/photos", .config_json = "{}" };
    struct ims_store_face_session now, *list;
    struct library l;
    int64_t id, second, unknown, session, total, n = 0;
    size_t n_list;

    if (!library_open(&l))
        return;
    CHECK(commit_one(&l, "/photos/1.jpg", 1) && commit_one(&l, "/photos/2.jpg", 2) && commit_one(&l, "/other/3.jpg", 3));
    CHECK_OK(ims_store_add_session(l.store, &training, NULL, 0, &session, &l.err), l.err);
    id = add_session(&l, session);
    CHECK_INT(look(&l, id).images, 0); /* nobody looked yet */
    CHECK_OK(step(&l, id, IMS_FACE_SESSION_PICKED, 0), l.err);
    now = look(&l, id);
    CHECK(now.images == 2 && now.processed == 0 && now.faces == 0);
    CHECK(sql_exec(&l, "INSERT INTO work (asset_id, task, model_id, state, updated_us) SELECT a.id, 'faces', m.id, 'done', 1 "
                       "FROM assets a, models m"));
    now = look(&l, id);
    CHECK(now.images == 2 && now.processed == 2);
    CHECK_OK(step(&l, id, IMS_FACE_SESSION_DONE, 0), l.err);
    CHECK(sql_exec(&l, "DELETE FROM work WHERE task = 'faces'"));
    now = look(&l, id);
    CHECK(now.images == 2 && now.processed == 2 && now.status == IMS_FACE_SESSION_COMPLETED);
    /* lists, and what is forgotten */
    second = add_session(&l, session);
    CHECK_OK(ims_store_face_session_of(l.store, session, l.model_id, &l.arena, &now, &l.err), l.err);
    CHECK_INT(now.id, second);
    CHECK_OK(ims_store_list_face_sessions(l.store, IMS_FACE_SESSION_COMPLETED, 0, 0, 9, &l.arena, &list, &n_list, &total, &l.err), l.err);
    CHECK(n_list == 1 && total == 1 && list[0].id == id);
    CHECK_STATUS(ims_store_delete_face_session(l.store, second, &l.err), IMS_E_INVALID, l.err);
    CHECK_OK(ims_store_delete_face_session(l.store, id, &l.err), l.err);
    CHECK_STATUS(ims_store_delete_face_session(l.store, id, &l.err), IMS_E_NOT_FOUND, l.err);
    unknown = 999;
    CHECK_STATUS(ims_store_add_face_session(l.store,
                                            &(struct ims_store_face_session){ .training_session_id = unknown, .batch_size = 1 },
                                            &id, &l.err),
                 IMS_E_NOT_FOUND, l.err);
    /* D-F27: the job is not there */
    CHECK_OK(ims_store_settle_face_sessions(l.store, &n, &l.err), l.err);
    CHECK_INT(n, 1);
    CHECK_INT(look(&l, second).status, IMS_FACE_SESSION_FAILED);
    CHECK_OK(ims_store_delete_session(l.store, session, &l.err), l.err);
    CHECK_STATUS(ims_store_face_session(l.store, second, 0, &l.arena, &now, &l.err), IMS_E_NOT_FOUND, l.err);
    library_close(&l);
}

/* How many faces and persons that comparing alone decided are older than that. */
static void check_older(struct people *p, int64_t before_us, size_t n_faces, size_t n_persons)
{
    struct ims_store_automatic_face *faces;
    int64_t *persons;
    size_t n = 99;

    CHECK_OK(ims_store_automatic_faces(p->l.store, 0, p->face_model, before_us, &p->l.arena, &faces, &n, &p->l.err), p->l.err);
    CHECK_INT(n, n_faces);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(faces[i].face_id, p->faces[i]);
    CHECK_OK(ims_store_automatic_persons(p->l.store, 0, p->face_model, before_us, &p->l.arena, &persons, &n, &p->l.err), p->l.err);
    CHECK_INT(n, n_persons);
}

TEST(face_sessions_take_back, "a face session takes back what was there before it, and nothing that came since or that a user said")
{
    struct ims_store_face_session x = { .batch_size = 16, .takes_back = IMS_FACE_SESSION_TAKES_PERSONS };
    struct ims_store_assign what = { .n = 3, .by = IMS_ASSIGNED_AUTO };
    struct people p;
    int64_t id;

    if (!people_open(&p, 3, 1))
        return;
    CHECK_OK(ims_store_add_face_session(p.l.store, &x, &id, &p.l.err), p.l.err);
    CHECK_INT(look(&p.l, id).takes_back, IMS_FACE_SESSION_TAKES_PERSONS);
    CHECK_INT(look(&p.l, add_session(&p.l, 0)).takes_back, IMS_FACE_SESSION_TAKES_NOTHING);
    CHECK_OK(people_create(&p, "Anna", &what.person_id, NULL), p.l.err);
    what.face_ids = p.faces;
    CHECK_OK(people_assign(&p, &what, NULL), p.l.err);
    CHECK(sql_exec(&p.l, "UPDATE faces SET assigned_us = 10 * id"));
    CHECK(sql_exec(&p.l, "UPDATE face_scans SET created_us = 10 * content_id"));
    CHECK(sql_exec(&p.l, "DELETE FROM work WHERE task = 'faces'"));
    CHECK(sql_exec(&p.l, "INSERT INTO work (asset_id, task, model_id, state, updated_us) SELECT a.id, 'faces', f.model_id, "
                         "'done', 10 * f.content_id FROM faces f JOIN assets a ON a.content_id = f.content_id"));
    CHECK(sql_exec(&p.l, "INSERT INTO face_suggestions (face_id, person_id, confidence, aggregate_confidence, n_matches, "
                         "scores_json, status, created_us) SELECT id, person_id, 0.5, 0.5, 1, '{}', 'pending', 10 * id FROM "
                         "faces"));
    check_older(&p, 10 * p.faces[0], 0, 0);
    check_older(&p, 10 * p.faces[1], 1, 1);
    check_older(&p, INT64_MAX, 3, 1);
    CHECK(sql_exec(&p.l, "UPDATE faces SET assigned_by = 'user' WHERE id = (SELECT MAX(id) FROM faces)"));
    check_older(&p, INT64_MAX, 2, 0);
    for (int again = 0; again < 2; again++) {
        int64_t before = 10 * p.faces[1];

        CHECK_OK(ims_store_expire_session_suggestions(p.l.store, 0, p.face_model, before, &p.l.err), p.l.err);
        CHECK_INT(sql_int(&p.l, "SELECT count(*) FROM face_suggestions WHERE status = 'expired'"), 1);
        before = sql_int(&p.l, "SELECT 10 * MIN(content_id) + 10 FROM faces");
        CHECK_OK(ims_store_forget_face_scans(p.l.store, 0, p.face_model, before, &p.l.err), p.l.err);
        CHECK_INT(sql_int(&p.l, "SELECT count(*) FROM face_scans"), 2);
        CHECK_INT(sql_int(&p.l, "SELECT count(*) FROM work WHERE task = 'faces' AND state = 'queued'"), 1);
    }
    library_close(&p.l);
}
