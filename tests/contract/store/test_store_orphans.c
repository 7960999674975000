/* Faces that are left over, and searches that ask for persons.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/people_fixture.h"

static struct ims_store_face_orphans orphans_of(struct people *p, bool is_fixed)
{
    struct ims_store_face_orphans o = { .gone = -1 };

    if (ims_store_face_orphans(p->l.store, is_fixed, &o, &p->l.err))
        test_fail(__FILE__, __LINE__, "%s", p->l.err.text);
    return o;
}

static ims_status note_removed(void *arg, int64_t id, ims_err *err)
{
    int64_t *n = arg;

    (void)err;
    *n += id > 0;
    return IMS_OK;
}

static ims_status note_vector(void *arg, int64_t id, const float *vector, int64_t seq, ims_err *err)
{
    (void)arg;
    (void)id;
    (void)vector;
    (void)seq;
    (void)err;
    return IMS_OK;
}

TEST(orphans_gone, "unnamed faces of pictures that are gone are forgotten, and followers of vectors hear of it")
{
    const char *const only[] = { "/photos/2.jpg" };
    struct ims_store_vector_sink sink = { .on_removed = note_removed, .on_vector = note_vector };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_face_orphans o;
    int64_t person, seq = 0, n_vectors = 0, n_removed = 0;
    struct people p;

    CHECK(people_open(&p, 3, 2));
    CHECK_OK(people_create(&p, "Ida", &person, NULL), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[0], person, false, false), p.l.err);
    o = orphans_of(&p, true);
    CHECK_INT(o.gone + o.gone_held + o.without_vector, 0);
    CHECK_OK(ims_store_vector_count(p.l.store, p.face_model, &n_vectors, &seq, &p.l.err), p.l.err);
    CHECK_INT(n_vectors, 6);

    CHECK(scan_all(&p.l, only, 1, &r));
    CHECK_INT(r.n_deleted, 2);
    o = orphans_of(&p, false);
    CHECK_INT(o.gone, 3);
    CHECK_INT(o.gone_held, 1);
    o = orphans_of(&p, true);
    CHECK_INT(o.gone, 3);
    o = orphans_of(&p, false);
    CHECK_INT(o.gone, 0);
    CHECK_INT(o.gone_held, 1);
    CHECK_INT(people_of(&p, p.faces[0]), person);
    sink.arg = &n_removed;
    CHECK_OK(ims_store_vectors(p.l.store, p.face_model, seq, &sink, &seq, &p.l.err), p.l.err);
    CHECK_INT(n_removed, 3);
    /* what was forgotten is looked for when the picture comes back */
    CHECK_INT(sql_int(&p.l, "SELECT count(*) FROM work WHERE task = 'faces' AND state = 'queued'"), 2);
    CHECK_INT(sql_int(&p.l, "SELECT count(*) FROM face_scans"), 1);
    library_close(&p.l);
}

TEST(orphans_bare, "a picture with a face that has no vector is looked at again")
{
    struct ims_store_face_orphans o;
    struct ims_store_todo *todo = NULL;
    struct ims_store_task task = { IMS_TASK_FACES, 0 };
    struct people p;
    size_t n = 0;

    CHECK(people_open(&p, 2, 2));
    CHECK(sql_exec(&p.l, "DELETE FROM face_vectors WHERE face_id = (SELECT MAX(id) FROM faces)"));
    o = orphans_of(&p, true);
    CHECK_INT(o.without_vector, 1);
    CHECK_INT(o.gone, 0);
    task.model_id = p.face_model;
    CHECK_OK(ims_store_queued(p.l.store, &task, 1, 0, 9, &p.l.arena, &todo, &n, &p.l.err), p.l.err);
    CHECK_INT(n, 1);
    CHECK_STR(todo[0].path, "/photos/1.jpg");
    CHECK_INT(sql_int(&p.l, "SELECT count(*) FROM faces"), 4);
    library_close(&p.l);
}

static size_t candidates(struct people *p, const int64_t *persons, size_t n)
{
    const struct ims_store_filter filter = { .person_ids = persons, .n_person_ids = n };
    struct ims_store_pair *pairs = NULL;
    size_t n_pairs = 0;

    if (ims_store_candidates(p->l.store, p->l.model_id, &filter, &pairs, &n_pairs, &p->l.err))
        test_fail(__FILE__, __LINE__, "%s", p->l.err.text);
    ims__free(pairs);
    return n_pairs;
}

TEST(person_filter, "a filter by persons passes the files in whose picture all of them are")
{
    int64_t who[IMS_STORE_MAX_FILTER_PERSONS + 1] = { 0 };
    struct ims_store_filter many = { .person_ids = who,
                                     .n_person_ids = IMS_STORE_MAX_FILTER_PERSONS + 1 };
    struct ims_store_pair *pairs = NULL;
    struct people p;
    size_t n = 0;

    CHECK(people_open(&p, 3, 2));
    CHECK_OK(people_create(&p, "Ida", &who[0], NULL), p.l.err);
    CHECK_OK(people_create(&p, "Oz", &who[1], NULL), p.l.err);
    CHECK_OK(people_assign_one(&p, p.faces[0], who[0], false, false), p.l.err); /* photo 0 */
    CHECK_OK(people_assign_one(&p, p.faces[2], who[0], false, false), p.l.err); /* photo 1 */
    CHECK_OK(people_assign_one(&p, p.faces[3], who[1], false, false), p.l.err);
    CHECK_INT(candidates(&p, who, 0), 3);
    CHECK_INT(candidates(&p, who, 1), 2);
    CHECK_INT(candidates(&p, who + 1, 1), 1);
    CHECK_INT(candidates(&p, who, 2), 1);
    CHECK_INT(commit_one(&p.l, "/photos/copy.jpg", 1) > 0, 1); /* the content of photo 0 */
    CHECK_INT(candidates(&p, who, 1), 3);
    CHECK_STATUS(ims_store_candidates(p.l.store, p.l.model_id, &many, &pairs, &n, &p.l.err),
                 IMS_E_LIMIT, p.l.err);
    library_close(&p.l);
}
