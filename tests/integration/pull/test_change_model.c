/* Tests of changing a library's model: a second one beside the first, switched at once, old vectors kept
 * until they are dropped.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "golden/clip/generated.h"
#include "integration/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECOND "Tiny__second"
#define N_PHOTOS 6

static struct library library;

static void setup(void)
{
    struct ims_clip_config config;
    char dir[800];
    ims_err err;

    library_init(&library);
    snprintf(dir, sizeof(dir), "%s/models/" SECOND, library.data);
    CHECK_OK(ims__mkdir_p(dir, &err), err);
    generated_pack(dir, test_source_path("tests/golden/clip/class_token.config.json"), "F32", NULL,
                   &config);
    library_add_env(&library, "DEVICE=cpu");
    for (size_t i = 0; i < N_PHOTOS; i++) {
        char name[40];

        snprintf(name, sizeof(name), "%zu.jpg", i);
        (void)library_copy(&library, library_demo_jpeg(i), name);
    }
}

static void index_with(const char *model)
{
    char words[1200];

    snprintf(words, sizeof(words), "--model\n%s\nindex\n--quiet\n%s", model, library.photos);
    ims__json_free(library_run(&library, 0, words));
}

/* The model that answers a search, and in how many pictures it looked. */
static void check_serves(const char *model, size_t n_hits)
{
    ims_json *v = library_run(&library, 0, "search\n--json\n--limit\n100\na red car");

    CHECK_STR(ims__json_str(ims__json_get(v, "model"), NULL), model);
    CHECK_INT(ims__json_len(ims__json_get(v, "results")), n_hits);
    ims__json_free(v);
}

static long long vectors_of(const char *model)
{
    ims_json *list = library_run(&library, 0, "models\nlist\n--json");
    long long n = -1;

    for (size_t i = 0; i < ims__json_len(list); i++) {
        const ims_json *m = ims__json_at(list, i);

        if (strcmp(ims__json_str(ims__json_get(m, "name"), NULL), model) == 0)
            n = ims__json_int(ims__json_get(m, "vectors"), -1);
    }
    ims__json_free(list);
    return n;
}

TEST(change, "a second model is indexed beside the first, takes over at once, and the first can go")
{
    setup();
    index_with("demo");
    ims__json_free(library_run(&library, 0, "models\nuse\ndemo"));
    check_serves("demo", N_PHOTOS);

    /* not before it has the pictures */
    ims__json_free(library_run(&library, 22, "models\nuse\n" SECOND));
    check_serves("demo", N_PHOTOS);
    index_with(SECOND);
    check_serves("demo", N_PHOTOS);
    CHECK_INT(vectors_of("demo"), N_PHOTOS);
    CHECK_INT(vectors_of(SECOND), N_PHOTOS);

    ims__json_free(library_run(&library, 0, "models\nuse\n--json\n" SECOND));
    check_serves(SECOND, N_PHOTOS);
    CHECK_INT(vectors_of("demo"), N_PHOTOS);

    /* and back, as quick */
    ims__json_free(library_run(&library, 0, "models\nuse\ndemo"));
    check_serves("demo", N_PHOTOS);
    ims__json_free(library_run(&library, 0, "models\nuse\n" SECOND));

    ims__json_free(library_run(&library, 22, "models\ndrop-vectors\n" SECOND));
    ims__json_free(library_run(&library, 0, "models\ndrop-vectors\n--json\ndemo"));
    CHECK_INT(vectors_of("demo"), 0);
    check_serves(SECOND, N_PHOTOS);
    ims__json_free(library_run(&library, 5, "models\ndrop-vectors\ndemo"));
    ims__json_free(library_run(&library, 22, "models\nuse\ndemo"));
    ims__json_free(library_run(&library, 0, "models\nuse\n--now\ndemo"));
    check_serves("demo", 0);
    index_with("demo");
    check_serves("demo", N_PHOTOS);
}

TEST(same_everywhere, "words are embedded with the model that the library chose")
{
    static char chosen[60000], named[60000];
    struct run_options o = { 0 };
    struct run_result r;

    setup();
    index_with(SECOND);
    ims__json_free(library_run(&library, 0, "models\nuse\n" SECOND));
    library_run_with(&library, &o, &r, "embed\n--json\na car");
    CHECK_INT(r.exit_code, 0);
    snprintf(chosen, sizeof(chosen), "%s", r.out);
    run_release(&r);
    library_run_with(&library, &o, &r, "--model\n" SECOND "\nembed\n--json\na car");
    snprintf(named, sizeof(named), "%s", r.out);
    run_release(&r);
    CHECK(strchr(chosen, '['));
    CHECK_STR(strchr(chosen, '['), strchr(named, '['));
    CHECK(strstr(chosen, SECOND));
}

TEST(rank, "a model that is named wins over the library's choice, and auto takes the choice back")
{
    ims_json *v;

    setup();
    index_with("demo");
    index_with(SECOND);
    ims__json_free(library_run(&library, 0, "models\nuse\ndemo"));
    v = library_run(&library, 0, "--model\n" SECOND "\nsearch\n--json\ncar");
    CHECK_STR(ims__json_str(ims__json_get(v, "model"), NULL), SECOND);
    ims__json_free(v);
    ims__json_free(library_run(&library, 0, "models\nuse\nauto"));
    check_serves(SECOND, N_PHOTOS); /* the only one that is not the demo */
}

TEST(gone, "a library whose model was removed says so instead of answering with another")
{
    struct run_options o = { 0 };
    struct run_result r;

    setup();
    index_with(SECOND);
    ims__json_free(library_run(&library, 0, "models\nuse\n" SECOND));
    ims__json_free(library_run(&library, 0, "models\nremove\n" SECOND));
    library_run_with(&library, &o, &r, "search\na car");
    CHECK_INT(r.exit_code, 18);
    CHECK(strstr(r.err, SECOND) && strstr(r.err, "models use"));
    run_release(&r);
    ims__json_free(library_run(&library, 18, "models\nuse\n" SECOND));
}

TEST_MAIN
