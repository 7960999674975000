/* Faces: stored with their photo or alone, kept by geometry, followed, read, clustered, projected.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include "base/clock.h"
#include "store/faces.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A library with a face model; a photo's faces are drawn from seeds. */
struct face_library {
    struct library l;
    int64_t face_model;
};

static bool faces_open(struct face_library *f)
{
    return library_open(&f->l) &&
           test_check_ok(__FILE__, __LINE__, "face model",
                         ims_store_add_model(f->l.store, "faces", "1", IMS_MODEL_FACE, DIM,
                                             &f->face_model, &f->l.err),
                         &f->l.err);
}

#define MAX_FACES 600
static float face_vectors[MAX_FACES][DIM];

static struct ims_store_face_in make_face(int i, uint64_t seed, int x, int y)
{
    make_vector(seed, face_vectors[i]);
    return (
        struct ims_store_face_in){ .x = x,
                                   .y = y,
                                   .w = 40,
                                   .h = 50,
                                   .score = 0.75f,
                                   .quality = 0.5f,
                                   .has_points = true,
                                   .points = { { 1, 2 }, { 3, 4 }, { 5, 6 }, { 7, 8 }, { 9, 10 } },
                                   .has_age = true,
                                   .age = 31.5f,
                                   .gender = 1,
                                   .has_pose = true,
                                   .yaw = -5,
                                   .pitch = 2,
                                   .roll = 1,
                                   .vector = face_vectors[i] };
}

/* Commits a photo with these faces; false after a reported failure. */
static bool commit_photo(struct face_library *f, const char *path, uint64_t seed,
                         struct ims_store_face_in *faces, size_t n, struct ims_store_item *out)
{
    static const struct ims_store_evidence_in evidence = { .device = "cpu", .embedding_ms = 2 };
    struct ims_store_faces_in in = { .model_id = f->face_model,
                                     .min_score = 0.5f,
                                     .min_size_px = 20,
                                     .faces = faces,
                                     .n_faces = n,
                                     .evidence = &evidence };
    struct ims_store_item item = make_item(&f->l, path, seed, true);

    item.faces = &in;
    if (!test_check_ok(
            __FILE__, __LINE__, "commit",
            ims_store_commit(f->l.store, IMS_TASK_CLIP, f->l.model_id, &item, 1, &f->l.err),
            &f->l.err))
        return false;
    if (in.state != IMS_STORE_DONE)
        test_fail(__FILE__, __LINE__, "faces are %s", ims_store_state_name(in.state));
    if (out)
        *out = item;
    return in.state == IMS_STORE_DONE;
}

static size_t faces_of(struct face_library *f, int64_t asset_id, struct ims_store_face **out)
{
    const struct ims_store_face_filter filter = { .model_id = f->face_model, .asset_id = asset_id };
    struct ims_store_face *faces = NULL;
    int64_t total = -1;
    size_t n = 0;

    if (!test_check_ok(__FILE__, __LINE__, "faces",
                       ims_store_faces(f->l.store, &filter, IMS_STORE_FACES_BY_ID, 0, 0,
                                       &f->l.arena, &faces, &n, &total, &f->l.err),
                       &f->l.err))
        return 0;
    if ((size_t)total != n)
        test_fail(__FILE__, __LINE__, "%zu faces, total %lld", n, (long long)total);
    if (out)
        *out = faces;
    return n;
}

TEST(faces_with_photo, "D-F3: a photo and its faces are stored together, with a work state of their own; age and pose too")
{
    struct ims_store_face_in in[2] = { make_face(0, 100, 10, 20), make_face(1, 101, 300, 20) };
    struct face_library f;
    struct ims_store_item item;
    struct ims_store_face *faces = NULL;
    struct ims_store_face_counts counts;
    struct ims_store_work *work = NULL;
    size_t n_work = 0;
    float v[2][DIM];
    int64_t ids[2];

    CHECK(faces_open(&f));
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 2, &item));
    CHECK(in[0].id > 0 && in[1].id > in[0].id);
    CHECK_INT(faces_of(&f, item.asset_id, &faces), 2);
    CHECK_INT(faces[0].id, in[0].id);
    CHECK_INT(faces[0].asset_id, item.asset_id);
    CHECK_STR(faces[0].path, "/photos/a.jpg");
    CHECK_INT(faces[0].x, 10);
    CHECK_INT(faces[0].h, 50);
    CHECK_INT(faces[0].image_width, 640);
    CHECK_STR(faces[0].landmarks_json, "{\"left_eye\":[1.00,2.00],\"right_eye\":[3.00,4.00],"
                                       "\"nose\":[5.00,6.00],\"mouth_left\":[7.00,8.00],"
                                       "\"mouth_right\":[9.00,10.00]}");
    CHECK(faces[0].has_age && fabs(faces[0].age - 31.5) < 1e-6 && faces[0].gender == 1);
    CHECK(faces[0].has_pose && fabs(faces[0].yaw + 5) < 1e-6);
    CHECK_INT(faces[0].person_id, 0);
    CHECK_INT(faces[0].cluster_id, 0);
    ids[0] = in[1].id;
    ids[1] = in[0].id;
    CHECK_OK(ims_store_face_vectors_by_id(f.l.store, ids, 2, DIM, v[0], &f.l.err), f.l.err);
    CHECK_MEM(v[0], face_vectors[1], sizeof(v[0]));
    CHECK_MEM(v[1], face_vectors[0], sizeof(v[1]));
    CHECK_OK(ims_store_count_faces(f.l.store, f.face_model, &counts, &f.l.err), f.l.err);
    CHECK_INT(counts.faces, 2);
    CHECK_INT(counts.photos, 1);
    CHECK_INT(counts.unassigned, 2);
    CHECK_INT(counts.unclustered, 2);
    CHECK_OK(ims_store_asset_work(f.l.store, item.asset_id, &f.l.arena, &work, &n_work, &f.l.err),
             f.l.err);
    CHECK_INT(n_work, 2);
    CHECK_INT(sql_int(&f.l, "SELECT count(*) FROM evidence WHERE task = 'faces' AND dim = 16"), 1);
    library_close(&f.l);
}

TEST(faces_by_geometry,
     "looking again keeps the ids of faces that overlap, and drops those not found again")
{
    struct ims_store_face_in in[3] = { make_face(0, 1, 10, 20), make_face(1, 2, 300, 20),
                                       make_face(2, 3, 500, 20) };
    struct ims_store_face_in again[2] = { make_face(3, 2, 303, 22), make_face(4, 7, 100, 300) };
    struct face_library f;
    struct ims_store_item item;
    struct ims_store_face *faces = NULL;
    int64_t kept, seq = 0, last = 0, n = 0;

    CHECK(faces_open(&f));
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 3, &item));
    kept = in[1].id;
    CHECK_OK(ims_store_vector_count(f.l.store, f.face_model, &n, &seq, &f.l.err), f.l.err);
    CHECK_INT(n, 3);
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 3, &item)); /* the same again */
    CHECK_INT(in[1].id, kept);
    CHECK_INT(faces_of(&f, item.asset_id, NULL), 3);
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, again, 2, &item));
    CHECK_INT(again[0].id, kept);
    CHECK(again[1].id > in[2].id);
    CHECK_INT(faces_of(&f, item.asset_id, &faces), 2);
    CHECK_INT(faces[0].id, kept);
    CHECK_INT(faces[0].x, 303);
    CHECK_OK(ims_store_vector_count(f.l.store, f.face_model, &n, &last, &f.l.err), f.l.err);
    CHECK_INT(n, 2);
    CHECK(last > seq);
    CHECK_INT(sql_int(&f.l, "SELECT count(*) FROM vector_removals"), 2);
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, NULL, 0, &item)); /* a photo without faces */
    CHECK_INT(faces_of(&f, item.asset_id, NULL), 0);
    library_close(&f.l);
}

TEST(faces_held, "D-F25, D-F26: a face that the user said something about stays when it is not found again")
{
    struct ims_store_face_in in[3] = { make_face(0, 1, 10, 20), make_face(1, 2, 300, 20),
                                       make_face(2, 3, 500, 20) };
    struct face_library f;
    struct ims_store_item item;
    struct ims_store_face_orphans o;
    int64_t first;
    char sql[200];

    CHECK(faces_open(&f));
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 3, &item));
    CHECK(sql_exec(&f.l, "INSERT INTO persons (name, name_key, status, created_us, updated_us) "
                         "VALUES ('A', 'a', 'active', 1, 1)"));
    snprintf(sql, sizeof(sql),
             "UPDATE faces SET person_id = 1, assigned_by = 'user' WHERE id = %lld",
             (long long)in[0].id);
    CHECK(sql_exec(&f.l, sql));
    snprintf(sql, sizeof(sql), "INSERT INTO face_rejections VALUES (%lld, 1, 1)",
             (long long)in[1].id);
    CHECK(sql_exec(&f.l, sql));
    first = in[0].id;
    CHECK_OK(ims_store_face_orphans(f.l.store, false, &o, &f.l.err), f.l.err);
    CHECK_INT(o.unseen, 0);
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, NULL, 0, &item));
    CHECK_INT(faces_of(&f, item.asset_id, NULL), 2);
    CHECK_OK(ims_store_face_orphans(f.l.store, true, &o, &f.l.err), f.l.err); /* told, not taken away */
    CHECK_INT(o.unseen, 2);
    CHECK_INT(o.n_listed, 2);
    CHECK_INT(o.listed[0], first);
    CHECK_INT(o.listed[1], in[1].id);
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 1, &item)); /* the first is seen again */
    CHECK_INT(in[0].id, first);
    CHECK_OK(ims_store_face_orphans(f.l.store, false, &o, &f.l.err), f.l.err);
    CHECK_INT(o.unseen, 1);
    CHECK_INT(o.listed[0], in[1].id);
    CHECK_INT(faces_of(&f, item.asset_id, NULL), 2);
    CHECK_STATUS(ims_store_drop_model(f.l.store, f.face_model, NULL, &f.l.err), IMS_E_CONSTRAINT,
                 f.l.err);
    CHECK_INT(faces_of(&f, item.asset_id, NULL), 2);
    library_close(&f.l);
}

TEST(faces_of_copies,
     "D-F10: copies share the faces of their content; a known content, also one without faces, needs no second look")
{
    struct ims_store_face_in in[1] = { make_face(0, 1, 10, 20) };
    struct ims_store_faces_in known = { .is_known = true }, unknown = { .is_known = true };
    struct ims_store_known k;
    struct face_library f;
    struct ims_store_item a, b, c;
    struct ims_store_face *faces = NULL;
    uint8_t sha256[IMS_SHA256_BYTES];

    CHECK(faces_open(&f));
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 1, &a));
    make_sha256(1, sha256);
    CHECK_OK(ims_store_find_contents(f.l.store, (const uint8_t(*)[IMS_SHA256_BYTES]) & sha256, 1,
                                     f.face_model, &k, &f.l.err),
             f.l.err);
    CHECK(k.has_vector);
    make_sha256(2, sha256);
    CHECK_OK(ims_store_find_contents(f.l.store, (const uint8_t(*)[IMS_SHA256_BYTES]) & sha256, 1,
                                     f.face_model, &k, &f.l.err),
             f.l.err);
    CHECK(!k.has_vector);
    CHECK(commit_photo(&f, "/photos/empty.jpg", 3, NULL, 0, &c));
    make_sha256(3, sha256);
    CHECK_OK(ims_store_find_contents(f.l.store, (const uint8_t(*)[IMS_SHA256_BYTES]) & sha256, 1,
                                     f.face_model, &k, &f.l.err),
             f.l.err);
    CHECK(k.has_vector);
    b = make_item(&f.l, "/photos/copy.jpg", 1, false);
    known.model_id = unknown.model_id = f.face_model;
    b.faces = &known;
    c = make_item(&f.l, "/photos/other.jpg", 2, true);
    c.faces = &unknown;
    CHECK_OK(ims_store_commit(f.l.store, IMS_TASK_CLIP, f.l.model_id, &b, 1, &f.l.err), f.l.err);
    CHECK_INT(known.state, IMS_STORE_DONE);
    CHECK_OK(ims_store_commit(f.l.store, IMS_TASK_CLIP, f.l.model_id, &c, 1, &f.l.err), f.l.err);
    CHECK_INT(unknown.state, IMS_STORE_QUEUED);
    CHECK_INT(faces_of(&f, b.asset_id, &faces), 1);
    CHECK_INT(faces[0].id, in[0].id);
    CHECK_INT(faces[0].asset_id, a.asset_id); /* the first of the files */
    CHECK_INT(faces_of(&f, c.asset_id, NULL), 0);
    library_close(&f.l);
}

TEST(faces_twice_in_batch, "copies in one batch bring their faces once")
{
    struct ims_store_face_in a[1] = { make_face(0, 1, 10, 20) }, b[1] = { make_face(1, 1, 10, 20) };
    struct ims_store_faces_in in[2] = { { .faces = a, .n_faces = 1 },
                                        { .faces = b, .n_faces = 1 } };
    struct ims_store_item items[2];
    struct face_library f;

    CHECK(faces_open(&f));
    items[0] = make_item(&f.l, "/photos/a.jpg", 1, true);
    items[1] = make_item(&f.l, "/photos/b.jpg", 1, true);
    for (int i = 0; i < 2; i++) {
        in[i].model_id = f.face_model;
        items[i].faces = &in[i];
    }
    CHECK_OK(ims_store_commit(f.l.store, IMS_TASK_CLIP, f.l.model_id, items, 2, &f.l.err), f.l.err);
    CHECK_INT(in[0].state, IMS_STORE_DONE);
    CHECK_INT(in[1].state, IMS_STORE_DONE);
    CHECK(a[0].id > 0 && b[0].id == 0);
    CHECK_INT(faces_of(&f, items[1].asset_id, NULL), 1);
    library_close(&f.l);
}

TEST(faces_refused,
     "what no face can be makes the photo's faces a failure, and costs the photo nothing else")
{
    struct face_library f;
    float nan_vector[DIM];
    struct ims_store_face_in bad[4];
    const char *const reasons[] = { "bad_vector", "bad_vector", "bad_face", "bad_face" };

    CHECK(faces_open(&f));
    make_vector(5, nan_vector);
    nan_vector[3] = NAN;
    for (int i = 0; i < 4; i++)
        bad[i] = make_face(i, 9, 10, 10);
    bad[0].vector = nan_vector;
    bad[1].vector = NULL;
    bad[2].w = 0;
    bad[3].x = 2000000;
    for (int i = 0; i < 4; i++) {
        struct ims_store_face_in two[2] = { make_face(10, 11, 200, 200), bad[i] };
        struct ims_store_faces_in in = { .model_id = f.face_model, .faces = two, .n_faces = 2 };
        char path[40], sql[160];
        struct ims_store_item item;

        snprintf(path, sizeof(path), "/photos/%d.jpg", i);
        item = make_item(&f.l, path, (uint64_t)i, true);
        item.faces = &in;
        CHECK_OK(ims_store_commit(f.l.store, IMS_TASK_CLIP, f.l.model_id, &item, 1, &f.l.err),
                 f.l.err);
        CHECK_INT(item.state, IMS_STORE_DONE);
        CHECK_INT(in.state, IMS_STORE_FAILED);
        CHECK_INT(faces_of(&f, item.asset_id, NULL), 0);
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM work WHERE asset_id = %lld AND reason = '%s'",
                 (long long)item.asset_id, reasons[i]);
        CHECK_INT(sql_int(&f.l, sql), 1);
    }
    library_close(&f.l);
}

TEST(faces_many, "five hundred faces in one photo, boxes beyond its border and boxes met twice")
{
    static struct ims_store_face_in in[MAX_FACES];
    struct face_library f;
    struct ims_store_item item;

    CHECK(faces_open(&f));
    for (int i = 0; i < 500; i++)
        in[i] = make_face(i, (uint64_t)i, (i % 25) * 60 - 30, (i / 25) * 60 - 30);
    in[500] = in[7];
    CHECK(commit_photo(&f, "/photos/crowd.jpg", 1, in, 501, &item));
    CHECK_INT(in[500].id, 0);
    CHECK_INT(faces_of(&f, item.asset_id, NULL), 500);
    CHECK(commit_photo(&f, "/photos/crowd.jpg", 1, in, 501, &item));
    CHECK_INT(sql_int(&f.l, "SELECT MAX(id) FROM faces"), in[499].id);
    library_close(&f.l);
}

TEST(faces_alone, "faces of photos that are in the library already are stored without them")
{
    struct ims_store_face_in in[1] = { make_face(0, 1, 10, 20) };
    struct ims_store_faces_in faces = { .faces = in, .n_faces = 1 }, stale = { .is_known = true };
    struct ims_store_faces_item items[2];
    struct ims_store_task task = { .name = IMS_TASK_FACES };
    struct ims_store_todo *todo = NULL;
    struct face_library f;
    int64_t a, b, n = 0;
    size_t n_todo = 0;

    CHECK(faces_open(&f));
    a = commit_one(&f.l, "/photos/a.jpg", 1);
    b = commit_one(&f.l, "/photos/b.jpg", 2);
    CHECK_OK(ims_store_queue_missing(f.l.store, IMS_TASK_FACES, f.face_model, NULL, &n, &f.l.err),
             f.l.err);
    CHECK_INT(n, 2);
    CHECK_OK(ims_store_queue_missing(f.l.store, IMS_TASK_FACES, f.face_model, NULL, &n, &f.l.err),
             f.l.err);
    CHECK_INT(n, 0);
    faces.model_id = stale.model_id = f.face_model;
    items[0] =
        (struct ims_store_faces_item){ a, sql_int(&f.l, "SELECT MIN(id) FROM contents"), &faces };
    items[1] =
        (struct ims_store_faces_item){ b, items[0].content_id, &stale }; /* b has changed since */
    CHECK_OK(ims_store_commit_faces(f.l.store, items, 2, &f.l.err), f.l.err);
    CHECK_INT(faces_of(&f, a, NULL), 1);
    task.model_id = f.face_model;
    CHECK_OK(ims_store_queued(f.l.store, &task, 1, 0, 10, &f.l.arena, &todo, &n_todo, &f.l.err),
             f.l.err);
    CHECK_INT(n_todo, 1);
    CHECK_INT(todo[0].asset_id, b);
    items[0].asset_id = 999;
    CHECK_STATUS(ims_store_commit_faces(f.l.store, items, 1, &f.l.err), IMS_E_NOT_FOUND, f.l.err);
    faces.model_id = f.l.model_id;
    items[0].asset_id = a;
    CHECK_STATUS(ims_store_commit_faces(f.l.store, items, 1, &f.l.err), IMS_E_INVALID, f.l.err);
    library_close(&f.l);
}

/* --- following --- */

struct follower {
    int64_t n_vectors, n_removed, last_id;
};

static ims_status note_removed(void *arg, int64_t id, ims_err *err)
{
    (void)id;
    (void)err;
    ((struct follower *)arg)->n_removed++;
    return IMS_OK;
}

static ims_status note_vector(void *arg, int64_t id, const float *vector, int64_t seq, ims_err *err)
{
    struct follower *w = arg;

    (void)vector;
    (void)seq;
    (void)err;
    w->n_vectors++;
    w->last_id = id;
    return IMS_OK;
}

TEST(faces_followed, "vectors of faces are followed like those of photos, also through a purge")
{
    struct ims_store_face_in in[2] = { make_face(0, 1, 10, 20), make_face(1, 2, 300, 20) };
    struct follower w = { 0 };
    const struct ims_store_vector_sink sink = { &w, note_removed, note_vector };
    struct ims_store_scan_result r = { 0 };
    struct face_library f;
    struct ims_store_item item;
    int64_t seq = 0, n = 0;

    CHECK(faces_open(&f));
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 2, &item));
    CHECK_OK(ims_store_vectors(f.l.store, f.face_model, 0, &sink, &seq, &f.l.err), f.l.err);
    CHECK_INT(w.n_vectors, 2);
    CHECK_INT(w.last_id, in[1].id);
    CHECK(scan_all(&f.l, NULL, 0, &r));
    CHECK_INT(faces_of(&f, item.asset_id, NULL), 0); /* of a deleted file: in no list */
    CHECK_OK(ims_store_purge(f.l.store, ims__now_us() + 1, &n, &f.l.err), f.l.err);
    CHECK_OK(ims_store_vectors(f.l.store, f.face_model, seq, &sink, &seq, &f.l.err), f.l.err);
    CHECK_INT(w.n_removed, 2);
    CHECK_OK(ims_store_vector_count(f.l.store, f.face_model, &n, NULL, &f.l.err), f.l.err);
    CHECK_INT(n, 0);
    library_close(&f.l);
}

static ims_status add_key(void *arg, const struct ims_store_face_key *key, const float *vector,
                          ims_err *err)
{
    int64_t *sum = arg;

    (void)vector;
    (void)err;
    *sum += key->area_px == 40 * 50 && key->quality > 0.4 ? key->id : -1000;
    return IMS_OK;
}

TEST(faces_filtered,
     "faces and their vectors are read by model, quality, person, cluster and age of the row")
{
    struct ims_store_face_in in[3] = { make_face(0, 1, 10, 20), make_face(1, 2, 300, 20),
                                       make_face(2, 3, 500, 20) };
    struct ims_store_face_filter filter;
    struct ims_store_face *faces = NULL;
    struct face_library f;
    struct ims_store_item item;
    int64_t sum = 0, total = 0;
    const int64_t missing[2] = { 1, 77 };
    size_t n = 0;
    float v[2 * DIM];

    in[1].quality = 0.9f;
    CHECK(faces_open(&f));
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 3, &item));
    filter = (struct ims_store_face_filter){ .model_id = f.face_model };
    CHECK_OK(ims_store_face_vectors(f.l.store, &filter, add_key, &sum, &f.l.err), f.l.err);
    CHECK_INT(sum, in[0].id + in[1].id + in[2].id);
    filter.min_quality = 0.8;
    sum = 0;
    CHECK_OK(ims_store_face_vectors(f.l.store, &filter, add_key, &sum, &f.l.err), f.l.err);
    CHECK_INT(sum, in[1].id);
    filter = (struct ims_store_face_filter){ .model_id = f.face_model,
                                             .after_id = in[0].id,
                                             .who = IMS_STORE_FACE_UNASSIGNED,
                                             .is_unclustered = true };
    CHECK_OK(ims_store_faces(f.l.store, &filter, IMS_STORE_FACES_BY_QUALITY, 0, 1, &f.l.arena,
                             &faces, &n, &total, &f.l.err),
             f.l.err);
    CHECK_INT(n, 1);
    CHECK_INT(total, 2);
    CHECK_INT(faces[0].id, in[1].id);
    filter.who = IMS_STORE_FACE_ASSIGNED;
    CHECK_OK(ims_store_faces(f.l.store, &filter, IMS_STORE_FACES_BY_PHOTO, 0, 0, &f.l.arena, &faces,
                             &n, &total, &f.l.err),
             f.l.err);
    CHECK_INT(total, 0);
    CHECK_STATUS(ims_store_faces_by_id(f.l.store, missing, 2, &f.l.arena, &faces, &f.l.err),
                 IMS_E_NOT_FOUND, f.l.err);
    CHECK(strstr(f.l.err.text, "77") != NULL);
    CHECK_STATUS(ims_store_face_vectors_by_id(f.l.store, missing, 2, DIM, v, &f.l.err),
                 IMS_E_NOT_FOUND, f.l.err);
    CHECK_STATUS(ims_store_face_vectors_by_id(f.l.store, missing, 1, DIM + 1, v, &f.l.err),
                 IMS_E_DIMENSION, f.l.err);
    library_close(&f.l);
}

/* --- clusters --- */

static size_t clusters_of(struct face_library *f, int64_t id, struct ims_store_cluster **out)
{
    const struct ims_store_cluster_filter filter = { .model_id = f->face_model,
                                                     .id = id,
                                                     .include_assigned = true };
    int64_t total = 0;
    size_t n = 0;

    return test_check_ok(__FILE__, __LINE__, "clusters",
                         ims_store_clusters(f->l.store, &filter, 0, 0, &f->l.arena, out, &n, &total,
                                            &f->l.err),
                         &f->l.err)
               ? n
               : 0;
}

TEST(clusters,
     "D-C7, D-C9: a clustering is stored as a whole: kept ids stay, empty clusters go, noise is told from not looked at")
{
    struct ims_store_face_in in[5];
    struct ims_store_cluster_in two[2] = { { .confidence = 0.9 }, { .confidence = 0.8 } }, one[1],
                                lost[1];
    struct ims_store_cluster_member members[5];
    struct ims_store_cluster *clusters = NULL;
    struct ims_store_face_counts counts;
    struct face_library f;
    struct ims_store_item item;
    size_t n_stored = 0;
    int64_t kept;

    CHECK(faces_open(&f));
    for (int i = 0; i < 5; i++) {
        in[i] = make_face(i, (uint64_t)i, i * 100, 20);
        in[i].quality = 0.5f + 0.1f * (float)i;
    }
    CHECK(commit_photo(&f, "/photos/a.jpg", 1, in, 5, &item));
    for (int i = 0; i < 4; i++)
        members[i] = (struct ims_store_cluster_member){ in[i].id, i < 3 ? 0 : -1, 0.75f, 0.25f };
    members[1].cluster = 1;
    CHECK_OK(ims_store_put_clusters(f.l.store, f.face_model, "hdbscan", two, 2, members, 4,
                                    &n_stored, &f.l.err),
             f.l.err);
    CHECK_INT(n_stored, 4);
    CHECK(two[0].id > 0 && two[1].id > two[0].id);
    CHECK_INT(clusters_of(&f, 0, &clusters), 2);
    CHECK_INT(clusters[0].id, two[0].id);
    CHECK_INT(clusters[0].n_faces, 2);
    CHECK_INT(clusters[0].n_unassigned, 2);
    CHECK_INT(clusters[0].best_face_id, in[2].id);
    CHECK_STR(clusters[0].method, "hdbscan");
    CHECK(fabs(clusters[0].avg_quality - 0.6) < 1e-6);
    CHECK_OK(ims_store_count_faces(f.l.store, f.face_model, &counts, &f.l.err), f.l.err);
    CHECK_INT(counts.clusters, 2);
    CHECK_INT(counts.clustered, 3);
    CHECK_INT(counts.noise, 1);
    CHECK_INT(counts.unclustered, 1);

    kept = two[0].id; /* all in the first one now */
    one[0] = (struct ims_store_cluster_in){ .id = kept, .confidence = NAN };
    for (int i = 0; i < 4; i++)
        members[i].cluster = 0;
    members[4] = (struct ims_store_cluster_member){ 12345, 0, 1, 0 }; /* vanished meanwhile */
    CHECK_OK(ims_store_put_clusters(f.l.store, f.face_model, "split", one, 1, members, 5, &n_stored,
                                    &f.l.err),
             f.l.err);
    CHECK_INT(n_stored, 4);
    CHECK_INT(one[0].id, kept);
    CHECK_INT(clusters_of(&f, 0, &clusters), 1);
    CHECK_INT(clusters[0].n_faces, 4);
    lost[0] = (struct ims_store_cluster_in){ .id = two[1].id, .confidence = 1 }; /* it went above */
    members[0].cluster = 0;
    CHECK_OK(ims_store_put_clusters(f.l.store, f.face_model, "hdbscan", lost, 1, members, 1, NULL,
                                    &f.l.err),
             f.l.err);
    CHECK(lost[0].id > two[1].id);
    members[0].cluster = 1;
    CHECK_STATUS(ims_store_put_clusters(f.l.store, f.face_model, "hdbscan", lost, 1, members, 1,
                                        NULL, &f.l.err),
                 IMS_E_INVALID, f.l.err);
    library_close(&f.l);
}

/* --- projections --- */

TEST(projections, "projections have versions, at most one is active, and damaged weights are found")
{
    static float w[DIM * DIM];
    struct ims_store_projection *list = NULL;
    struct face_library f;
    float *weights = NULL;
    void *optimizer = NULL;
    size_t n = 0, n_bytes = 0;
    int64_t a = 0, b = 0, active = -1;
    int dim = 0;

    CHECK(faces_open(&f));
    for (int i = 0; i < DIM; i++)
        w[i * DIM + i] = 1;
    CHECK_OK(ims_store_add_projection(f.l.store, f.face_model, "first", w, "state", 5,
                                      "{\"tar\":1}", &a, &f.l.err),
             f.l.err);
    w[3] = 0.5f;
    CHECK_OK(
        ims_store_add_projection(f.l.store, f.face_model, "second", w, NULL, 0, NULL, &b, &f.l.err),
        f.l.err);
    CHECK_OK(ims_store_projections(f.l.store, f.face_model, &f.l.arena, &list, &n, &f.l.err),
             f.l.err);
    CHECK_INT(n, 2);
    CHECK_INT(list[0].version, 2);
    CHECK_STR(list[1].metrics_json, "{\"tar\":1}");
    CHECK_OK(ims_store_active_projection(f.l.store, f.face_model, &active, &f.l.err), f.l.err);
    CHECK_INT(active, 0);
    CHECK_OK(ims_store_activate_projection(f.l.store, f.face_model, a, &f.l.err), f.l.err);
    CHECK_OK(ims_store_activate_projection(f.l.store, f.face_model, b, &f.l.err), f.l.err);
    CHECK_OK(ims_store_active_projection(f.l.store, f.face_model, &active, &f.l.err), f.l.err);
    CHECK_INT(active, b);
    CHECK_STATUS(ims_store_activate_projection(f.l.store, f.face_model, 99, &f.l.err),
                 IMS_E_NOT_FOUND, f.l.err);
    CHECK_OK(ims_store_active_projection(f.l.store, f.face_model, &active, &f.l.err), f.l.err);
    CHECK_INT(active, b);
    CHECK_STATUS(ims_store_drop_projection(f.l.store, b, &f.l.err), IMS_E_CONSTRAINT, f.l.err);
    CHECK_OK(ims_store_read_projection(f.l.store, b, &weights, &dim, NULL, NULL, &f.l.err),
             f.l.err);
    CHECK_INT(dim, DIM);
    CHECK_MEM(weights, w, sizeof(w));
    ims__free(weights);
    CHECK_OK(
        ims_store_read_projection(f.l.store, a, &weights, &dim, &optimizer, &n_bytes, &f.l.err),
        f.l.err);
    CHECK_INT(n_bytes, 5);
    CHECK_MEM(optimizer, "state", 5);
    ims__free(weights);
    ims__free(optimizer);
    CHECK_OK(ims_store_activate_projection(f.l.store, f.face_model, 0, &f.l.err), f.l.err);
    CHECK_OK(ims_store_drop_projection(f.l.store, b, &f.l.err), f.l.err);
    CHECK_STATUS(ims_store_read_projection(f.l.store, b, &weights, &dim, NULL, NULL, &f.l.err),
                 IMS_E_NOT_FOUND, f.l.err);
    CHECK(sql_exec(&f.l, "UPDATE face_projections SET digest = 'x'"));
    CHECK_STATUS(ims_store_read_projection(f.l.store, a, &weights, &dim, NULL, NULL, &f.l.err),
                 IMS_E_CORRUPT, f.l.err);
    library_close(&f.l);
}
