/* Precisions on the demo library: how far they agree, what auto means, and that spaces stay apart.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/library.h"

#include "base/mem.h"
#include "base/fs.h"

#include <stdio.h>
#include <string.h>

static struct library *library(void)
{
    static struct library l;

    if (!l.data[0])
        library_init(&l);
    return &l;
}

static const ims_json *row_of(const ims_json *v, const char *precision)
{
    const ims_json *rows = ims__json_get(v, "rows");

    for (size_t i = 0; i < ims__json_len(rows); i++) {
        const char *name = ims__json_str(ims__json_get(ims__json_at(rows, i), "precision"), NULL);

        if (name && strcmp(name, precision) == 0)
            return ims__json_at(rows, i);
    }
    return NULL;
}

static double number(const ims_json *row, const char *key)
{
    return ims__json_num(ims__json_get(row, key), -9);
}

TEST(agreement, "on the demo library fp16 ranks as fp32 does, int8 nearly so, and both are good")
{
    char words[900];
    ims_json *v;

    snprintf(words, sizeof(words), "bench\n--json\n--pictures\n80\n--agreement\n%s", test_source_path("demo"));
    v = library_run(library(), 0, words);
    CHECK(ims__json_int(ims__json_get(v, "pictures"), 0) > 75);
    CHECK_NEAR(number(row_of(v, "fp32"), "picture_top10"), 1, 1e-12);
    CHECK(number(row_of(v, "fp16"), "min_cosine") > 0.99999);
    CHECK(number(row_of(v, "fp16"), "picture_top10") > 0.99);
    CHECK(number(row_of(v, "int8"), "min_cosine") > 0.999);
    CHECK(number(row_of(v, "int8"), "picture_top1") >= 0.93);
    CHECK(number(row_of(v, "int8"), "picture_top10") >= 0.95);
    CHECK(number(row_of(v, "int8"), "word_top10") >= 0.93);
    CHECK(ims__json_bool(ims__json_get(row_of(v, "int8"), "good"), false));
    ims__json_free(v);
}

/* The file that bench --agreement keeps, with int8 the fastest and good or not. */
static void write_record(const char *digest, bool is_good)
{
    char path[900], text[900];
    ims_err err;

    snprintf(path, sizeof(path), "%s/cache/agreement/%.32s.cpu.json", library()->data, digest);
    snprintf(text, sizeof(text),
             "{\"digest\": \"%s\", \"rows\": [{\"precision\": \"fp32\", \"images_per_s\": 1, \"good\": true},"
             "{\"precision\": \"int8\", \"images_per_s\": 3, \"good\": %s}]}",
             digest, is_good ? "true" : "false");
    CHECK_OK(ims__write_derived(path, text, strlen(text), &err), err);
}

static void check_model(const char *words, const char *want)
{
    ims_json *v = library_run(library(), 0, words);

    CHECK_STR(ims__json_str(ims__json_get(v, "model"), NULL), want);
    ims__json_free(v);
}

TEST(automatic, "auto is the fastest good precision that was measured, fp32 where none was, and the one "
                "that the library has vectors of once it has some")
{
    ims_json *v = library_run(library(), 0, "models\nlist\n--json");
    char digest[80], words[900];

    snprintf(digest, sizeof(digest), "%s", ims__json_str(ims__json_get(ims__json_at(v, 0), "digest"), NULL));
    ims__json_free(v);
    write_record("0000000000000000000000000000000000000000000000000000000000000000", true);
    write_record(digest, false);
    check_model("--precision\nauto\nembed\n--json\ndog", "demo");
    write_record(digest, true);
    check_model("--precision\nauto\nembed\n--json\ndog", "demo@int8");
    library_copy(library(), "demo/2021/beach-trip/IMG_1002.jpg", "a.jpg");
    library_copy(library(), "demo/2021/beach-trip/IMG_1004.jpg", "b.jpg");
    snprintf(words, sizeof(words), "--precision\nfp16\nindex\n--json\n%s", library()->photos);
    ims__json_free(library_run(library(), 0, words));
    check_model("--precision\nauto\nsearch\n--json\ndog", "demo@fp16");
}

static long long total(const char *words)
{
    ims_json *v = library_run(library(), 0, words);
    long long n = ims__json_int(ims__json_get(v, "total"), -1);

    ims__json_free(v);
    return n;
}

TEST(spaces, "a search sees only vectors of its own precision, and `models use` can choose one")
{
    char words[900];

    CHECK_INT(total("--precision\nfp16\nsearch\n--json\ndog"), 2);
    CHECK_INT(total("--precision\nint8\nsearch\n--json\ndog"), 0);
    CHECK_INT(total("--precision\nfp32\nsearch\n--json\ndog"), 0);
    CHECK_INT(total("--model\ndemo@fp16\nsearch\n--json\ndog"), 2);
    ims__json_free(library_run(library(), 0, "models\nuse\n--json\ndemo@fp16"));
    CHECK_INT(total("search\n--json\ndog"), 2);
    CHECK_INT(total("--precision\nfp32\nsearch\n--json\ndog"), 0);
    snprintf(words, sizeof(words), "--precision\nfp32\nindex\n--json\n%s", library()->photos);
    ims__json_free(library_run(library(), 0, words));
    CHECK_INT(total("--precision\nfp32\nsearch\n--json\ndog"), 2);
    ims__json_free(library_run(library(), 0, "models\ndrop-vectors\n--json\ndemo"));
    CHECK_INT(total("--precision\nfp32\nsearch\n--json\ndog"), 0);
    CHECK_INT(total("search\n--json\ndog"), 2);
}

TEST_MAIN
