/* imgsearch verify and the evidence it rests on: what agrees, what drifts, what is damaged, what is gone.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/library.h"

#include "db/db.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PHOTOS 6
#define N_MANY 24

static void fill(struct library *l)
{
    library_init(l);
    library_add_env(l, "IMS_FACES=false"); /* not what this is about */
    for (size_t i = 0; i < N_PHOTOS; i++) {
        char name[40];

        snprintf(name, sizeof(name), "%zu.jpg", i);
        library_copy(l, library_demo_jpeg(i), name);
    }
    CHECK_INT(library_index(l, "processed"), N_PHOTOS);
}

static long long number(const ims_json *v, const char *key)
{
    return ims__json_int(ims__json_get(v, key), -1);
}

static const char *text(const ims_json *v, const char *group, const char *key)
{
    const char *s = ims__json_str(ims__json_get(ims__json_get(v, group), key), NULL);

    return s ? s : "";
}

/* The record of a task in what `show --json` says; NULL when there is none. */
static const ims_json *evidence_of(const ims_json *shown, const char *task)
{
    const ims_json *list = ims__json_get(shown, "evidence");

    for (size_t i = 0; i < ims__json_len(list); i++) {
        const char *name = ims__json_str(ims__json_get(ims__json_at(list, i), "task"), NULL);

        if (name && strcmp(name, task) == 0)
            return ims__json_at(list, i);
    }
    return NULL;
}

TEST(evidence, "each vector carries by what, where, from what and how it was made")
{
    struct library l;
    char words[1400];
    const ims_json *ev, *meta;
    ims_json *v;

    fill(&l);
    snprintf(words, sizeof(words), "show\n--json\n%s/0.jpg", l.photos);
    v = library_run(&l, 0, words);
    ev = evidence_of(v, "clip");
    CHECK(ev != NULL);
    meta = ims__json_get(ev, "metadata");
    CHECK_STR(ims__json_str(ims__json_get(ev, "device"), NULL), "cpu");
    CHECK_STR(ims__json_str(ims__json_get(ev, "provider"), NULL), "CPUExecutionProvider");
    CHECK(strncmp(ims__json_str(ims__json_get(ev, "runtime"), NULL), "onnxruntime 1.", 14) == 0);
    CHECK_INT(strlen(ims__json_str(ims__json_get(ev, "checksum"), NULL)), 64);
    CHECK(ims__json_num(ims__json_get(ev, "embedding_ms"), 0) > 0);
    CHECK_INT(strlen(text(meta, "environment", "model_digest")), 64);
    CHECK_STR(text(meta, "embedding", "precision"), "fp32");
    CHECK_STR(text(meta, "embedding", "preprocessing"), "1 shortest bicubic 112x112");
    CHECK(number(ims__json_get(meta, "embedding"), "batch") >= 1);
    CHECK(number(ims__json_get(meta, "embedding"), "batch") <= N_PHOTOS);
    CHECK_STR(text(meta, "image", "sha256"), ims__json_str(ims__json_get(v, "sha256"), NULL));
    CHECK(text(meta, "environment", "os")[0] && text(meta, "environment", "platform")[0]);
    CHECK_STR(text(meta, "environment", "device"), "cpu");
    ims__json_free(v);
}

TEST(agrees, "vectors that were computed again agree, on the same device and in another process of it")
{
    struct library l;
    ims_json *v;

    fill(&l);
    v = library_run(&l, 0, "verify\n--json");
    CHECK_INT(number(v, "vectors"), N_PHOTOS);
    CHECK_INT(number(v, "compared"), N_PHOTOS);
    CHECK_INT(number(v, "damaged"), 0);
    CHECK_INT(number(ims__json_get(v, "computed_on"), "cpu"), N_PHOTOS);
    CHECK(ims__json_num(ims__json_get(v, "min_cosine"), 0) >= 0.99999);
    CHECK(!ims__json_bool(ims__json_get(v, "drift"), true));
    ims__json_free(v);
    v = library_run(&l, 0, "verify\n--json\n--sample\n2\n--device\ncpu,cpu");
    CHECK_INT(number(v, "sampled"), 2);
    CHECK_INT(number(v, "compared"), 2);
    ims__json_free(v);
    (void)library_run(&l, 0, "verify\n--min-cosine\n0.5");
    (void)library_run(&l, 16, "verify\n--device\ncuda");
    (void)library_run(&l, 2, "verify\n--min-cosine\n1.5");
}

/* The batch size of the image tower that `devices` tells for a device; 0 = none. */
static long long kept_batch(struct library *l, const char *words)
{
    ims_json *v = library_run(l, 0, words);
    const ims_json *list = ims__json_get(v, "model_proofs");
    long long batch = 0;

    for (size_t i = 0; i < ims__json_len(list); i++) {
        const char *graph = ims__json_str(ims__json_get(ims__json_at(list, i), "graph"), NULL);

        if (graph && strcmp(graph, "image") == 0)
            batch = ims__json_int(ims__json_get(ims__json_at(list, i), "batch"), 0);
    }
    ims__json_free(v);
    return batch;
}

/* Pictures from..until, by two devices: the demo library's over and over, each with bytes of its own
 * behind its end. */
static void index_more(struct library *l, size_t from, size_t until)
{
    char words[1400];

    for (size_t i = from; i < until; i++) {
        size_t n;
        char *jpeg = test_read_file(test_source_path(library_demo_jpeg(i % N_MANY)), &n);
        char *copy = malloc(n + sizeof(i));
        char name[40];

        CHECK(copy != NULL);
        memcpy(copy, jpeg, n);
        memcpy(copy + n, &i, sizeof(i));
        snprintf(name, sizeof(name), "%zu.jpg", i);
        library_write(l, name, copy, n + sizeof(i));
        free(copy);
        free(jpeg);
    }
    snprintf(words, sizeof(words), "index\n--json\n--device\ncpu,cpu\n--batch\n2\n%s", l->photos);
    ims__json_free(library_run(l, 0, words));
}

TEST(batches, "two devices find their batch size while they index, and evidence says what was run")
{
    struct library l;
    char words[1400];
    size_t n_on[2] = { 0, 0 };
    ims_json *v;

    library_init(&l);
    library_add_env(&l, "IMS_FACES=false");
    CHECK_INT(kept_batch(&l, "devices\n--json\n--device\ncpu,cpu"), 0);
    index_more(&l, 0, N_MANY);
    for (size_t i = 0; i < N_MANY; i++) {
        const ims_json *ev;
        const char *device;
        long long batch;

        snprintf(words, sizeof(words), "show\n--json\n%s/%zu.jpg", l.photos, i);
        v = library_run(&l, 0, words);
        ev = evidence_of(v, "clip");
        device = ims__json_str(ims__json_get(ev, "device"), NULL);
        batch = number(ims__json_get(ims__json_get(ev, "metadata"), "embedding"), "batch");
        CHECK(device && (strcmp(device, "cpu") == 0 || strcmp(device, "cpu:1") == 0));
        CHECK(batch == 1 || batch == 2);
        n_on[device[3] == ':']++;
        ims__json_free(v);
    }
    test_note("%zu on the one share of the CPU, %zu on the other", n_on[0], n_on[1]);
    CHECK(n_on[0] > 0 && n_on[1] > 0);
    /* On a busy machine the first device may have got too few full batches of a run to judge by. */
    for (size_t n = 1; kept_batch(&l, "devices\n--json\n--device\ncpu,cpu") == 0 && n < 10; n++)
        index_more(&l, n * 3 * N_MANY, (n + 1) * 3 * N_MANY);
    CHECK(kept_batch(&l, "devices\n--json\n--device\ncpu,cpu") >= 1);
    CHECK(kept_batch(&l, "devices\n--json\n--device\ncpu,cpu") <= 2);
    CHECK_INT(kept_batch(&l, "devices\n--json\n--device\ncpu,cpu\n--again"), 0);
    CHECK_INT(kept_batch(&l, "devices\n--json\n--device\ncpu,cpu"), 0);
}

/* All pictures get the vector of the last one. */
static void spoil(struct library *l, bool forgets_checksum)
{
    static const char *const change =
        "UPDATE embeddings SET vector = (SELECT e.vector FROM embeddings e ORDER BY e.content_id DESC LIMIT 1)";
    char url[700];
    struct ims_db *db = NULL;
    ims_err err = { .text = "" };

    snprintf(url, sizeof(url), "%s/library.db", l->data);
    CHECK_OK(ims_db_open(&db, l->database_env[0] ? strchr(l->database_env, '=') + 1 : url, NULL, &err), err);
    CHECK_OK(ims_db_exec(db, change, &err), err);
    if (forgets_checksum)
        CHECK_OK(ims_db_exec(db, "UPDATE evidence SET checksum = NULL", &err), err);
    ims_db_close(db);
}

TEST(damaged, "a stored vector that is not the recorded one is damage, with an exit code of its own")
{
    struct library l;
    ims_json *v;

    fill(&l);
    spoil(&l, false);
    v = library_run(&l, 13, "verify\n--json");
    CHECK_INT(number(v, "damaged"), N_PHOTOS - 1);
    CHECK(ims__json_bool(ims__json_get(v, "drift"), false));
    ims__json_free(v);
}

TEST(drift, "vectors that come out otherwise than they are stored are drift")
{
    struct library l;
    ims_json *v;

    fill(&l);
    spoil(&l, true);
    v = library_run(&l, 16, "verify\n--json");
    CHECK_INT(number(v, "damaged"), 0);
    CHECK_INT(number(v, "compared"), N_PHOTOS);
    CHECK(number(v, "equal_checksums") <= 1);
    CHECK(ims__json_bool(ims__json_get(v, "drift"), false));
    CHECK(ims__json_num(ims__json_get(v, "min_cosine"), 1) < 0.99);
    CHECK(ims__json_num(ims__json_get(v, "mean_cosine"), 1) >= ims__json_num(ims__json_get(v, "min_cosine"), 1));
    ims__json_free(v);
}

TEST(files, "files that are gone, changed or no pictures any more are counted and named")
{
    struct library l;
    struct run_options o = { 0 };
    struct run_result r;
    char path[1300];
    ims_json *v;

    fill(&l);
    snprintf(path, sizeof(path), "%s/0.jpg", l.photos);
    CHECK_INT(unlink(path), 0);
    library_write(&l, "1.jpg", "no picture", 10);
    v = library_run(&l, 0, "verify\n--json");
    CHECK_INT(number(v, "gone"), 1);
    CHECK_INT(number(v, "changed"), 1);
    CHECK_INT(number(v, "compared"), N_PHOTOS - 2);
    ims__json_free(v);
    for (size_t i = 2; i < N_PHOTOS; i++) {
        snprintf(path, sizeof(path), "%s/%zu.jpg", l.photos, i);
        CHECK_INT(unlink(path), 0);
    }
    library_run_with(&l, &o, &r, "verify");
    CHECK_INT(r.exit_code, 5);
    CHECK(strstr(r.err, "nothing could be compared: of 6 files 5 are gone, 1 changed") != NULL);
    CHECK(strstr(r.err, "0.jpg: gone: the file is not there any more") != NULL);
    run_release(&r);
}

TEST(empty, "a library without vectors says what to do")
{
    struct library l;
    struct run_options o = { 0 };
    struct run_result r;

    library_init(&l);
    library_run_with(&l, &o, &r, "verify");
    CHECK_INT(r.exit_code, 5);
    CHECK(strstr(r.err, "imgsearch index") != NULL);
    run_release(&r);
}

TEST_MAIN
