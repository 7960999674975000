/* Faces through imgsearch itself: found with the picture or later, shared by copies, kept when looked for again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/library.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_PHOTOS 4

/* The i-th JPEG of the demo library with somebody in it. NULL past the end. Static storage. */
static const char *people_jpeg(size_t i)
{
    static ims_json *truth;
    static char path[600];
    const ims_json *scenes;
    char *text;
    size_t n;
    ims_err err;

    if (!truth) {
        text = test_read_file(test_source_path("demo/truth.json"), &n);
        if (ims__json_parse(&truth, text, n, "demo/truth.json", &err))
            test_fail(__FILE__, __LINE__, "%s", err.text);
        free(text);
    }
    scenes = ims__json_get(truth, "scenes");
    for (size_t k = 0; k < ims__json_len(scenes); k++) {
        const ims_json *scene = ims__json_at(scenes, k);
        const char *file = ims__json_str(ims__json_get(scene, "file"), NULL);

        if (!ims__ends_with(file, ".jpg") || !ims__json_len(ims__json_get(scene, "people")) ||
            ims__json_str(ims__json_get(scene, "duplicate_of"), NULL) || i-- > 0)
            continue;
        snprintf(path, sizeof(path), "demo/%s", file);
        return path;
    }
    return NULL;
}

static void fill(struct library *l, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char name[40];

        snprintf(name, sizeof(name), "p%zu.jpg", i);
        library_copy(l, people_jpeg(i), name);
    }
}

/* A number of the answer in JSON to words, in which @ stands for the folder of the photos. */
static long long number(struct library *l, const char *words, const char *key)
{
    size_t n_before = strcspn(words, "@");
    char filled[1400];
    ims_json *v;
    long long n;

    snprintf(filled, sizeof(filled), "%.*s%s%s", (int)n_before, words, words[n_before] ? l->photos : "",
             words[n_before] ? words + n_before + 1 : "");
    v = library_run(l, 0, filled);
    n = ims__json_int(ims__json_get(v, key), -1);
    ims__json_free(v);
    return n;
}

static long long faces_stats(struct library *l, const char *key)
{
    return number(l, "faces\nstats\n--json", key);
}

static ims_json *show(struct library *l, const char *name)
{
    char words[1400];

    snprintf(words, sizeof(words), "show\n--json\n%s/%s", l->photos, name);
    return library_run(l, 0, words);
}

/* How often a task was tried on a photo. */
static long long attempts(struct library *l, const char *name, const char *task)
{
    ims_json *v = show(l, name);
    const ims_json *work = ims__json_get(v, "work");
    long long n = 0;

    for (size_t i = 0; i < ims__json_len(work); i++) {
        const ims_json *w = ims__json_at(work, i);

        if (strcmp(ims__json_str(ims__json_get(w, "task"), NULL), task) == 0)
            n += ims__json_int(ims__json_get(w, "attempts"), -1);
    }
    ims__json_free(v);
    return n;
}

/* "id:x,y,w,h:person;" of every face of a photo. */
static void describe_faces(struct library *l, const char *name, char *out, size_t size)
{
    ims_json *v = show(l, name);
    const ims_json *faces = ims__json_get(v, "faces");
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ims__json_len(faces) && n < size; i++) {
        const ims_json *f = ims__json_at(faces, i), *b = ims__json_get(f, "bbox");

        n += (size_t)snprintf(out + n, size - n, "%lld:%lld,%lld,%lld,%lld:%lld;",
                              (long long)ims__json_int(ims__json_get(f, "id"), -1),
                              (long long)ims__json_int(ims__json_get(b, "x"), -1),
                              (long long)ims__json_int(ims__json_get(b, "y"), -1),
                              (long long)ims__json_int(ims__json_get(b, "w"), -1),
                              (long long)ims__json_int(ims__json_get(b, "h"), -1),
                              (long long)ims__json_int(ims__json_get(f, "personId"), 0));
    }
    ims__json_free(v);
}

static struct ims_db *open_db(struct library *l)
{
    char path[700];
    struct ims_db *db = NULL;
    ims_err err;

    snprintf(path, sizeof(path), "%s/library.db", l->data);
    if (ims_db_open(&db, l->database_env[0] ? strchr(l->database_env, '=') + 1 : path, NULL, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return db;
}

/* Changes the library's tables behind imgsearch's back. */
static void sql(struct library *l, const char *text)
{
    struct ims_db *db = open_db(l);
    ims_err err;

    CHECK(db);
    CHECK_OK(ims_db_exec(db, text, &err), err);
    ims_db_close(db);
}

static long long sql_int(struct library *l, const char *text)
{
    struct ims_db *db = open_db(l);
    int64_t n = -1;
    ims_err err;

    if (db && ims_db_get_int(db, text, IMS_DB_NO_ARGS, &n, NULL, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    ims_db_close(db);
    return n;
}

/* Says who the face of best quality of the library is. */
static void name_best_face(struct library *l)
{
    sql(l, "INSERT INTO persons (name, name_key, status, created_us, updated_us) VALUES ('Ida', 'ida', 'active', 1, 1)");
    sql(l, "UPDATE faces SET person_id = (SELECT id FROM persons WHERE name = 'Ida'), assigned_by = 'user' "
           "WHERE id = (SELECT f.id FROM faces f ORDER BY f.quality DESC, f.id LIMIT 1)");
}

static size_t count_files(const char *dir)
{
    char command[900], line[40] = "0";
    FILE *p;

    snprintf(command, sizeof(command), "find '%s' -name '*.jpg' 2>/dev/null | wc -l", dir);
    p = popen(command, "r");
    if (!p || !fgets(line, sizeof(line), p))
        test_fail(__FILE__, __LINE__, "counting files");
    if (p)
        pclose(p);
    return (size_t)atol(line);
}

TEST(together, "faces are found while indexing, and counted, shown and pictured")
{
    struct library l;
    char dir[700];
    long long n, shown = 0;

    library_init(&l);
    fill(&l, N_PHOTOS);
    n = library_index(&l, "total_faces");
    CHECK(n >= N_PHOTOS); /* somebody is in each */
    CHECK_INT(library_status(&l, "faces"), n);
    CHECK_INT(library_status(&l, "facesDone"), N_PHOTOS);
    CHECK_INT(faces_stats(&l, "faces"), n);
    CHECK_INT(faces_stats(&l, "unassigned"), n);
    for (int i = 0; i < N_PHOTOS; i++) {
        char name[40];
        ims_json *v;

        snprintf(name, sizeof(name), "p%d.jpg", i);
        v = show(&l, name);
        shown += (long long)ims__json_len(ims__json_get(v, "faces"));
        ims__json_free(v);
    }
    CHECK_INT(shown, n);
    snprintf(dir, sizeof(dir), "%s/faces", l.data);
    CHECK_INT(count_files(dir), n);
    CHECK_INT(library_index(&l, "total_faces"), 0);
    CHECK_INT(library_status(&l, "faces"), n);
}

TEST(apart, "a library indexed without faces gets them later, without its pictures being embedded again")
{
    struct library l;
    long long n;

    library_init(&l);
    fill(&l, N_PHOTOS);
    CHECK_INT(number(&l, "index\n--json\n--quiet\n--no-faces\n@", "processed"), N_PHOTOS);
    CHECK_INT(library_status(&l, "faces"), 0);
    CHECK_INT(library_status(&l, "facesQueued"), N_PHOTOS);
    n = library_index(&l, "total_faces");
    CHECK(n >= N_PHOTOS);
    CHECK_INT(attempts(&l, "p0.jpg", "clip"), 1);
    CHECK_INT(attempts(&l, "p0.jpg", "faces"), 1);
    CHECK_INT(library_index(&l, "processed"), 0);

    /* and the other way round */
    sql(&l, "DELETE FROM work WHERE task = 'clip'");
    sql(&l, "DELETE FROM embeddings");
    CHECK_INT(library_index(&l, "processed"), N_PHOTOS);
    CHECK_INT(library_status(&l, "vectors"), N_PHOTOS);
    CHECK_INT(attempts(&l, "p0.jpg", "faces"), 1);
    CHECK_INT(library_status(&l, "faces"), n);
}

TEST(library_only, "faces detect looks at what the library has: what is missing, what failed, or all of it")
{
    struct library l;
    long long n;

    library_init(&l);
    fill(&l, 3);
    CHECK_INT(number(&l, "index\n--json\n--quiet\n--no-faces\n@", "processed"), 3);
    library_copy(&l, people_jpeg(3), "not-indexed.jpg");
    n = number(&l, "faces\ndetect\n--json\n--quiet\n@/p0.jpg", "total_faces");
    CHECK(n >= 1);
    CHECK_INT(library_status(&l, "facesDone"), 1);
    n += number(&l, "faces\ndetect\n--json\n--quiet", "total_faces");
    CHECK_INT(library_status(&l, "facesDone"), 3);
    CHECK_INT(library_status(&l, "assets"), 3);
    CHECK_INT(library_status(&l, "faces"), n);
    CHECK_INT(number(&l, "faces\ndetect\n--json\n--quiet", "processed"), 0);
    CHECK_INT(number(&l, "faces\ndetect\n--json\n--quiet\n--redo", "processed"), 3);
    CHECK_INT(library_status(&l, "faces"), n);

    /* a file that is another by now is not taken for the one that is known */
    library_copy(&l, people_jpeg(4), "p1.jpg");
    CHECK_INT(number(&l, "faces\ndetect\n--json\n--quiet\n--redo\n@/p1.jpg", "errors"), 1);
    CHECK_STR(library_failure(&l, "p1.jpg"), "changed");
    CHECK_INT(library_index(&l, "errors"), 0);
    CHECK_STR(library_failure(&l, "p1.jpg"), "");
}

TEST(again, "looking again keeps numbers, boxes and names, and a named face stays even when it is not found")
{
    struct library l;
    char before[3][1000], after[1000];
    long long n;

    library_init(&l);
    fill(&l, 3);
    n = library_index(&l, "total_faces");
    name_best_face(&l);
    for (int i = 0; i < 3; i++) {
        char name[40];

        snprintf(name, sizeof(name), "p%d.jpg", i);
        describe_faces(&l, name, before[i], sizeof(before[i]));
    }
    CHECK_INT(number(&l, "faces\ndetect\n--json\n--quiet\n--redo", "processed"), 3);
    for (int i = 0; i < 3; i++) {
        char name[40];

        snprintf(name, sizeof(name), "p%d.jpg", i);
        describe_faces(&l, name, after, sizeof(after));
        CHECK_STR(after, before[i]);
    }
    CHECK_INT(library_status(&l, "faces"), n);

    CHECK_INT(number(&l, "faces\ndetect\n--json\n--quiet\n--redo\n--min-face-size\n9999", "total_faces"), 0);
    CHECK_INT(library_status(&l, "faces"), 1);
    CHECK_INT(faces_stats(&l, "assigned"), 1);
    CHECK_INT(number(&l, "faces\ndetect\n--json\n--quiet\n--redo", "total_faces"), n);
    CHECK_INT(library_status(&l, "faces"), n);
    CHECK_INT(faces_stats(&l, "assigned"), 1);
}

TEST(person, "a search for a person has the pictures that the person is in, copies included, and no others")
{
    struct library l;

    library_init(&l);
    fill(&l, 4);
    CHECK_INT(library_index(&l, "errors"), 0);
    name_best_face(&l);
    CHECK_INT(number(&l, "search\n--json\n--person\nIDA\na person", "total"), 1);
    CHECK_INT(number(&l, "search\n--json\n--person\nida\n--in\n@\na person", "total"), 1);
    CHECK_INT(number(&l, "search\n--json\n--person\nida\n--category\nGeneral\n--until\n1999\na person", "total"), 0);
    CHECK_INT(number(&l, "search\n--json\na person", "total"), 4);
    for (int i = 0; i < 4; i++) {
        char name[40];

        snprintf(name, sizeof(name), "copy%d.jpg", i);
        library_copy(&l, people_jpeg((size_t)i), name);
    }
    CHECK_INT(library_index(&l, "total_faces"), 0);
    CHECK_INT(number(&l, "search\n--json\n--person\nida\na person", "total"), 2);
    sql(&l, "INSERT INTO persons (name, name_key, status, created_us, updated_us) VALUES ('Oz', 'oz', 'active', 1, 1)");
    CHECK_INT(number(&l, "search\n--json\n--person\nida\n--person\noz\na person", "total"), 0);
    library_run(&l, ims_status_exit(IMS_E_NOT_FOUND), "search\n--person\nnobody\na person");
    library_run(&l, ims_status_exit(IMS_E_USAGE), "search\n--person\n\na person");
}

TEST(limits, "fewer faces are found when they must be larger, and limits that make no sense are refused")
{
    struct library l;
    char words[800];
    long long n;

    library_init(&l);
    fill(&l, N_PHOTOS);
    n = library_index(&l, "total_faces");
    library_add_env(&l, "IMS_MIN_FACE_SIZE=110");
    CHECK(number(&l, "faces\ndetect\n--json\n--quiet\n--redo", "total_faces") < n);
    CHECK_INT(number(&l, "faces\ndetect\n--json\n--quiet\n--redo\n--min-face-size\n20", "total_faces"), n);
    CHECK(number(&l, "faces\ndetect\n--json\n--quiet\n--redo\n--min-face-size\n20\n--min-face-score\n1", "total_faces") <
          n);
    snprintf(words, sizeof(words), "index\n--min-face-score\n2\n%s", l.photos);
    library_run(&l, ims_status_exit(IMS_E_USAGE), words);
    snprintf(words, sizeof(words), "index\n--min-face-size\n0\n%s", l.photos);
    library_run(&l, ims_status_exit(IMS_E_USAGE), words);
    library_run(&l, ims_status_exit(IMS_E_USAGE), "faces\ndetect\n--redo\n--all");
}

TEST(files, "copies share faces, a moved file takes them along, another content under a name has its own")
{
    struct library l;
    char before[1000], after[1000], from[1300], to[1300];
    long long n, of_p0;

    library_init(&l);
    fill(&l, 3);
    n = library_index(&l, "total_faces");
    describe_faces(&l, "p0.jpg", before, sizeof(before));
    library_copy(&l, people_jpeg(0), "copy.jpg");
    snprintf(from, sizeof(from), "%s/p1.jpg", l.photos);
    snprintf(to, sizeof(to), "%s/moved.jpg", l.photos);
    CHECK_INT(rename(from, to), 0);
    CHECK_INT(library_index(&l, "total_faces"), 0);
    CHECK_INT(library_status(&l, "faces"), n);
    CHECK_INT(library_status(&l, "facesDone"), 4);
    describe_faces(&l, "copy.jpg", after, sizeof(after));
    CHECK_STR(after, before);
    describe_faces(&l, "moved.jpg", after, sizeof(after));
    CHECK(after[0]);

    /* p0 goes, its copy becomes another picture: then nobody has those faces any more */
    snprintf(from, sizeof(from), "%s/p0.jpg", l.photos);
    CHECK_INT(unlink(from), 0);
    library_copy(&l, people_jpeg(5), "copy.jpg");
    CHECK_INT(library_index(&l, "errors"), 0);
    of_p0 = number(&l, "faces\nfind-orphans\n--json", "facesOfDeleted");
    CHECK(of_p0 >= 1);
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json\n--fix", "facesOfDeleted"), of_p0);
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json", "facesOfDeleted"), 0);
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json", "thumbnailsWithoutFace"), 0);

    library_copy(&l, people_jpeg(0), "p0.jpg"); /* it comes back, and so do they */
    CHECK_INT(library_index(&l, "total_faces"), of_p0);
}

TEST(orphans, "a face without a vector is mended, a named face of a picture that is gone is kept")
{
    struct library l;
    char path[1300];
    long long n;

    library_init(&l);
    fill(&l, 2);
    n = library_index(&l, "total_faces");
    sql(&l, "DELETE FROM face_vectors WHERE face_id = (SELECT MIN(f.id) FROM faces f)");
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json\n--fix", "facesWithoutVector"), 1);
    CHECK_INT(library_status(&l, "facesQueued"), 1);
    CHECK_INT(library_index(&l, "errors"), 0);
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json", "facesWithoutVector"), 0);
    CHECK_INT(library_status(&l, "faces"), n);

    name_best_face(&l);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/p%d.jpg", l.photos, i);
        CHECK_INT(unlink(path), 0);
    }
    CHECK_INT(library_index(&l, "deleted"), 2);
    CHECK_INT(library_status(&l, "faces"), 0);
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json\n--fix", "facesOfDeleted"), n - 1);
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json", "namedFacesOfDeleted"), 1);
    library_write(&l, "../data/faces/00/stray.jpg", "x", 1);
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json\n--fix", "thumbnailsWithoutFace"), 1);
    CHECK_INT(number(&l, "faces\nfind-orphans\n--json", "thumbnailsWithoutFace"), 0);
}

/* A folder of face models made of the demo's detector and some recogniser. */
static void make_pack(struct library *l, char *dir, size_t size, const char *name, const char *recogniser)
{
    char json[200], relative[200];

    snprintf(dir, size, "%s-packs/%s", l->data, name);
    snprintf(relative, sizeof(relative), "../data-packs/%s/det_demo.onnx", name);
    library_copy(l, "models/demo/face/det_demo.onnx", relative);
    snprintf(relative, sizeof(relative), "../data-packs/%s/rec_demo.onnx", name);
    library_copy(l, recogniser, relative);
    snprintf(relative, sizeof(relative), "../data-packs/%s/imgsearch.json", name);
    snprintf(json, sizeof(json), "{\"name\": \"%s\", \"demo\": true}", name);
    library_write(l, relative, json, strlen(json));
}

TEST(other_models, "other face models look at every picture again and leave its vector and the first models' faces alone")
{
    struct library l;
    char dir[700], env[800];
    long long n;

    library_init(&l);
    fill(&l, 3);
    n = library_index(&l, "total_faces");
    name_best_face(&l);
    make_pack(&l, dir, sizeof(dir), "second", "models/demo/face/rec_demo.onnx");
    snprintf(env, sizeof(env), "FACE_MODEL_NAME=%s", dir);
    library_add_env(&l, env);
    CHECK_INT(library_index(&l, "total_faces"), n);
    CHECK_INT(library_status(&l, "facesDone"), 3);
    CHECK_INT(attempts(&l, "p0.jpg", "clip"), 1);
    CHECK_INT(attempts(&l, "p0.jpg", "faces"), 2); /* one by each */
    l.env[l.database_env[0] ? 1 : 0] = NULL; /* the first models again */
    CHECK_INT(library_index(&l, "processed"), 0);
    CHECK_INT(faces_stats(&l, "assigned"), 1);
}

TEST(no_numbers, "vectors that are no numbers fail the faces of a picture with a reason, and nothing else")
{
    struct library l;
    char dir[700], env[800];
    long long n;

    library_init(&l);
    fill(&l, 3);
    make_pack(&l, dir, sizeof(dir), "broken", "tests/integration/packs/nan_recogniser.onnx");
    snprintf(env, sizeof(env), "FACE_MODEL_NAME=%s", dir);
    library_add_env(&l, env);
    CHECK_INT(library_index(&l, "errors"), 3);
    CHECK_INT(library_status(&l, "done"), 3);
    CHECK_INT(library_status(&l, "vectors"), 3);
    CHECK_INT(library_status(&l, "faces"), 0);
    CHECK_INT(library_status(&l, "facesFailed"), 3);
    CHECK_STR(library_failure(&l, "p0.jpg"), "bad_face");
    CHECK_INT(library_index(&l, "known_failures"), 3);
    l.env[l.database_env[0] ? 1 : 0] = NULL;
    n = library_index(&l, "total_faces");
    CHECK(n >= 3);
    CHECK_INT(library_status(&l, "facesFailed"), 0);
}

TEST(ages, "D-F3: models that tell age and pose have them stored with each face")
{
    struct library l;
    char env[1300];
    const ims_json *faces;
    ims_json *v;

    library_init(&l);
    fill(&l, 1);
    snprintf(env, sizeof(env), "FACE_MODEL_NAME=%s", test_source_path("tests/golden/face/pack"));
    library_add_env(&l, env);
    library_add_env(&l, "IMS_MIN_FACE_SCORE=0.1"); /* their weights are random */
    CHECK(library_index(&l, "total_faces") > 0);
    v = show(&l, "p0.jpg");
    faces = ims__json_get(v, "faces");
    CHECK(ims__json_len(faces) > 0);
    for (size_t i = 0; i < ims__json_len(faces); i++)
        CHECK(ims__json_num(ims__json_get(ims__json_at(faces, i), "age"), -1) >= 0);
    ims__json_free(v);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM faces WHERE yaw IS NULL OR pitch IS NULL OR roll IS NULL"), 0);
}

TEST(no_models, "face models that are named and not there are an error before anything is done")
{
    struct library l;
    char words[800];

    library_init(&l);
    fill(&l, 1);
    library_add_env(&l, "FACE_MODEL_NAME=no-such-models");
    snprintf(words, sizeof(words), "index\n%s", l.photos);
    library_run(&l, ims_status_exit(IMS_E_MODEL), words);
    CHECK_INT(library_status(&l, "assets"), 0);
    CHECK_INT(number(&l, "index\n--json\n--quiet\n--no-faces\n@", "processed"), 1);
}

TEST(bad_files, "a file that is no picture fails once, for itself and its faces")
{
    struct library l;
    ims_json *v;

    library_init(&l);
    library_write(&l, "bad.jpg", "no picture", 10);
    CHECK_INT(library_index(&l, "errors"), 1);
    CHECK_INT(library_status(&l, "facesFailed"), 1);
    v = library_run(&l, 0, "status\n--json\n--failures");
    CHECK_INT(ims__json_len(ims__json_get(v, "failures")), 1);
    ims__json_free(v);
    CHECK_INT(library_index(&l, "known_failures"), 1);
    library_copy(&l, people_jpeg(0), "bad.jpg"); /* mended */
    CHECK(library_index(&l, "total_faces") >= 1);
    CHECK_INT(library_status(&l, "facesFailed"), 0);
}

TEST_MAIN
