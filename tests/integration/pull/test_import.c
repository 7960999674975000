/* Tests of `imgsearch models import`: what is taken in, and what is refused with which reason.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/json.h"
#include "golden/clip/generated.h"
#include "integration/library.h"
#include "models/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEIGHTS "open_clip_model.safetensors"

static struct library library;
static struct run_result result;
static char from[700]; /* the folder to be imported */

static void setup(void)
{
    struct ims_clip_config config;

    library_init(&library);
    snprintf(from, sizeof(from), "%s/tiny-model", library.photos);
    CHECK(mkdir(from, 0755) == 0);
    generated_pack(from, test_source_path("tests/golden/clip/class_token.config.json"), "F32", NULL,
                   &config);
}

static void run(int want, const char *option, const char *value)
{
    struct run_options o = { 0 };
    char words[2000];

    snprintf(words, sizeof(words), "models\nimport\n%s%s%s%s", from, option[0] ? "\n" : "", option,
             value);
    run_release(&result);
    library_run_with(&library, &o, &result, words);
    if (result.exit_code != want)
        test_fail(__FILE__, __LINE__, "exit code %d, expected %d: %s%s", result.exit_code, want,
                  result.out, result.err);
}

static bool has(const char *relative)
{
    char path[900];

    snprintf(path, sizeof(path), "%s/%s", library.data, relative);
    return access(path, F_OK) == 0;
}

static void put(const char *name, const void *p, size_t n)
{
    char path[900];
    ims_err err;

    snprintf(path, sizeof(path), "%s/%s", from, name);
    CHECK_OK(ims__write_derived(path, p, n, &err), err);
}

static void take_away(const char *name)
{
    char path[900];

    snprintf(path, sizeof(path), "%s/%s", from, name);
    CHECK(unlink(path) == 0);
}

static char *get(const char *name, size_t *out_n)
{
    char path[900];

    snprintf(path, sizeof(path), "%s/%s", from, name);
    return test_read_file(path, out_n);
}

TEST(folder, "a folder is copied, serves and is proven later")
{
    struct run_options o = { 0 };

    setup();
    run(0, "", "");
    CHECK(has("models/tiny-model/" WEIGHTS));
    CHECK(!has("downloads/tiny-model"));
    take_away(WEIGHTS);
    run_release(&result);
    library_run_with(&library, &o, &result, "models\nverify\ntiny-model");
    CHECK_INT(result.exit_code, 0);
    CHECK(!strstr(result.out, "no sum is known"));
    run_release(&result);
    library_run_with(&library, &o, &result, "tokenize\na car");
    CHECK_INT(result.exit_code, 0);
    run_release(&result);
}

TEST(twice, "a name that is taken is refused, and another name helps")
{
    setup();
    run(0, "", "");
    run(6, "", "");
    CHECK(strstr(result.err, "--name"));
    run(0, "--name\n", "second");
    CHECK(has("models/second/" WEIGHTS));
    run(2, "--name\n", "../third");
    run_release(&result);
}

TEST(known, "a repository that is known gets its own name")
{
    char old[700];

    setup();
    snprintf(old, sizeof(old), "%s", from);
    snprintf(from, sizeof(from), "%s/models--laion--CLIP-ViT-B-16-laion2B-s34B-b88K",
             library.photos);
    CHECK(rename(old, from) == 0);
    run(0, "", "");
    CHECK(has("models/ViT-B-16__laion2b_s34b_b88k/" WEIGHTS));
    run_release(&result);
}

TEST(file, "a single file is taken with the configuration and tokenizer beside it")
{
    setup();
    snprintf(from + strlen(from), sizeof(from) - strlen(from), "/" WEIGHTS);
    run(0, "--name\n", "single");
    CHECK(has("models/single/tokenizer.json"));
    run_release(&result);
}

TEST(file_alone, "weights alone do not say what they are")
{
    setup();
    take_away("open_clip_config.json");
    snprintf(from + strlen(from), sizeof(from) - strlen(from), "/" WEIGHTS);
    run(5, "--name\n", "single");
    CHECK(strstr(result.err, "--config"));
    run(0, "--name\nsingle\n--config\n",
        test_source_path("tests/golden/clip/class_token.config.json"));
    run_release(&result);
}

TEST(pickle, "a pickle is refused with the reason and the way out, whatever its name")
{
    static const char zip[] = "PK\003\004archive/data.pkl",
                      bare[] = "\200\002}q\000(X\003\000\000\000abc";

    setup();
    take_away(WEIGHTS);
    put("open_clip_pytorch_model.bin", zip, sizeof(zip));
    run(11, "", "");
    CHECK(strstr(result.err, "pickle") && strstr(result.err, "safetensors"));
    CHECK(!has("models/tiny-model"));
    put("disguised.safetensors", zip, sizeof(zip));
    put("bare.safetensors", bare, sizeof(bare));
    snprintf(from + strlen(from), sizeof(from) - strlen(from), "/disguised.safetensors");
    run(11, "--name\n", "x");
    CHECK(strstr(result.err, "pickle"));
    snprintf(strrchr(from, '/'), 20, "/bare.safetensors");
    run(11, "--name\n", "x");
    CHECK(strstr(result.err, "pickle"));
    run_release(&result);
}

TEST(transformers, "the transformers library's form is named as such")
{
    setup();
    take_away(WEIGHTS);
    take_away("open_clip_config.json");
    put("model.safetensors", "x", 1);
    put("config.json", "{}", 2);
    run(11, "", "");
    CHECK(strstr(result.err, "transformers"));
    run_release(&result);
}

TEST(missing, "a folder with a missing file is refused by that file's name")
{
    setup();
    take_away("tokenizer.json");
    run(18, "", "");
    CHECK(strstr(result.err, "tokenizer.json"));
    CHECK(!has("models/tiny-model"));
    run_release(&result);
}

TEST(half, "half a download is refused")
{
    size_t n;
    char *data;

    setup();
    data = get(WEIGHTS, &n);
    put(WEIGHTS, data, n / 2);
    run(10, "", "");
    CHECK(strstr(result.err, WEIGHTS));
    CHECK(!has("models/tiny-model"));
    free(data);
    run_release(&result);
}

TEST(architecture, "an architecture that is not built is named")
{
    static const char config[] = "{\"model_cfg\": {\"embed_dim\": 64, \"vision_cfg\": "
                                 "{\"image_size\": 32, \"layers\": [1, 2, 3, 4], "
                                 "\"width\": 64}, \"text_cfg\": {}}}";

    setup();
    put("open_clip_config.json", config, sizeof(config) - 1);
    run(11, "", "");
    CHECK(strstr(result.err, "layers") && strstr(result.err, "vision transformers are supported"));
    CHECK(!has("models/tiny-model"));
    run_release(&result);
}

TEST(tokenizer, "a tokenizer of an unknown kind is refused")
{
    static const char json[] = "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 0}}}";

    setup();
    put("tokenizer.json", json, sizeof(json) - 1);
    run(11, "", "");
    CHECK(strstr(result.err, "WordPiece") && strstr(result.err, "BPE"));
    CHECK(!has("models/tiny-model"));
    run_release(&result);
}

TEST(faces, "files that are named like a face pack and are not are refused")
{
    setup();
    put("det_10g.onnx", "a", 1);
    put("w600k_r50.onnx", "b", 1);
    run(13, "", "");
    CHECK(strstr(result.err, "wrong sum"));
    run_release(&result);
}

/* Any bytes do: what a model computes is asked when it is first used. */
static void put_faces(const char *detector, const char *recogniser)
{
    put(detector, "detector", 8);
    put(recogniser, "recogniser", 10);
}

static void new_folder(const char *name)
{
    library_init(&library);
    snprintf(from, sizeof(from), "%s/%s", library.photos, name);
    CHECK(mkdir(from, 0755) == 0);
}

TEST(own_faces, "face models of one's own are taken in whole, listed and proven, under either layout")
{
    struct run_options o = { 0 };

    new_folder("mine");
    put_faces("det_mine.onnx", "rec_mine.onnx");
    put("genderage.onnx", "g", 1);
    put("notes.txt", "n", 1);
    run(0, "", "");
    CHECK(has("models/mine/det_mine.onnx") && has("models/mine/rec_mine.onnx"));
    CHECK(has("models/mine/genderage.onnx") && !has("models/mine/notes.txt"));
    CHECK(has("models/mine/imgsearch-model.json"));
    run_release(&result);
    library_run_with(&library, &o, &result, "models\nverify\nmine");
    CHECK_INT(result.exit_code, 0);
    CHECK(!strstr(result.out, "no sum is known"));
    run_release(&result);
    library_run_with(&library, &o, &result, "models\nlist\n--json");
    CHECK_INT(result.exit_code, 0);
    CHECK(strstr(result.out, "\"insightface\"") && strstr(result.out, "\"faces\""));
    run_release(&result);
    library_run_with(&library, &o, &result, "models\nremove\nmine");
    CHECK_INT(result.exit_code, 0);
    CHECK(!has("models/mine"));
    new_folder("other");
    put_faces("detection/model.onnx", "recognition/model.onnx");
    run(0, "", "");
    CHECK(has("models/other/detection/model.onnx") && has("models/other/recognition/model.onnx"));
    run_release(&result);
}

TEST(damaged_faces, "a damaged file of a face pack is found by verify")
{
    struct run_options o = { 0 };
    char path[900];
    ims_err err;

    new_folder("mine");
    put_faces("det_mine.onnx", "rec_mine.onnx");
    run(0, "", "");
    snprintf(path, sizeof(path), "%s/models/mine/rec_mine.onnx", library.data);
    CHECK_OK(ims__write_derived(path, "recogniseR", 10, &err), err);
    run_release(&result);
    library_run_with(&library, &o, &result, "models\nverify\nmine");
    CHECK_INT(result.exit_code, 13);
    CHECK(strstr(result.out, "BAD   rec_mine.onnx"));
    run_release(&result);
}

TEST(nested_faces, "a pack in a folder of the same name, as one archive has it, is found there")
{
    new_folder("antelope");
    put_faces("antelope/det_mine.onnx", "antelope/rec_mine.onnx");
    run(0, "", "");
    CHECK(has("models/antelope/det_mine.onnx"));
    run_release(&result);
}

TEST(half_faces, "half of a face pack is refused and nothing is left")
{
    new_folder("half");
    put("det_mine.onnx", "d", 1);
    run(18, "", "");
    CHECK(!has("models/half") && !has("downloads/half"));
    run_release(&result);
}

TEST(nothing, "what is not there, and what is no model, are refused")
{
    setup();
    snprintf(from, sizeof(from), "%s/none", library.photos);
    run(5, "", "");
    CHECK(mkdir(from, 0755) == 0);
    run(18, "", "");
    CHECK(strstr(result.err, "open_clip_config.json"));
    put("x.onnx", "a", 1);
    snprintf(from + strlen(from), sizeof(from) - strlen(from), "/x.onnx");
    run(11, "", "");
    run_release(&result);
}

/* ---- weights in several files ---- */

static void put_shard(const char *name, const ims_json *header, const char *data,
                      const char *const *names, size_t n)
{
    ims_json *out = ims__json_new_object();
    struct ims_buf file, text;
    uint64_t at = 0;
    ims_err err;

    ims__buf_init(&text, 1 << 20);
    ims__buf_init(&file, 1 << 26);
    for (size_t i = 0; i < n; i++) {
        const ims_json *t = ims__json_get(header, names[i]),
                       *offsets = ims__json_get(t, "data_offsets");
        uint64_t size = (uint64_t)(ims__json_int(ims__json_at(offsets, 1), 0) -
                                   ims__json_int(ims__json_at(offsets, 0), 0));
        ims_json *o = ims__json_new_object(), *shape = ims__json_new_array(),
                 *range = ims__json_new_array();

        for (size_t k = 0; k < ims__json_len(ims__json_get(t, "shape")); k++)
            (void)ims__json_add(shape, ims__json_new_int(ims__json_int(
                                           ims__json_at(ims__json_get(t, "shape"), k), 0)));
        (void)ims__json_add(range, ims__json_new_int((int64_t)at));
        (void)ims__json_add(range, ims__json_new_int((int64_t)(at + size)));
        (void)ims__json_set(o, "dtype",
                            ims__json_new_str(ims__json_str(ims__json_get(t, "dtype"), NULL)));
        (void)ims__json_set(o, "shape", shape);
        (void)ims__json_set(o, "data_offsets", range);
        (void)ims__json_set(out, names[i], o);
        at += size;
    }
    CHECK_OK(ims__json_write(out, 0, &text, &err), err);
    for (unsigned i = 0; i < 8; i++)
        (void)ims__buf_add_char(&file, (char)((uint64_t)text.len >> (8 * i)));
    (void)ims__buf_add(&file, text.data, text.len);
    for (size_t i = 0; i < n; i++) {
        const ims_json *offsets = ims__json_get(ims__json_get(header, names[i]), "data_offsets");
        size_t begin = (size_t)ims__json_int(ims__json_at(offsets, 0), 0),
               end = (size_t)ims__json_int(ims__json_at(offsets, 1), 0);

        (void)ims__buf_add(&file, data + begin, end - begin);
    }
    CHECK_INT(ims__buf_status(&file), IMS_OK);
    put(name, file.data, file.len);
    ims__buf_release(&file);
    ims__buf_release(&text);
    ims__json_free(out);
}

/* Cuts the weights in from into two files and an index. lie: one tensor is said to be in the wrong file. */
static void shard(bool lie)
{
    static const char *const shards[] = { "open_clip_model-00001-of-00002.safetensors",
                                          "open_clip_model-00002-of-00002.safetensors" };
    const char *names[2][200];
    size_t n, counts[2] = { 0 }, turn = 0;
    char *whole = get(WEIGHTS, &n);
    uint64_t header_bytes = 0;
    ims_json *header = NULL, *index = ims__json_new_object(), *map = ims__json_new_object();
    struct ims_buf text;
    ims_err err;

    for (unsigned i = 0; i < 8; i++)
        header_bytes |= (uint64_t)(uint8_t)whole[i] << (8 * i);
    CHECK_OK(ims__json_parse(&header, whole + 8, (size_t)header_bytes, "header", &err), err);
    for (void *it = ims__json_iter(header); it; it = ims__json_next(header, it)) {
        size_t k = turn++ % 2;

        if (strcmp(ims__json_iter_key(it), "__metadata__") == 0)
            continue;
        names[k][counts[k]++] = ims__json_iter_key(it);
        (void)ims__json_set(map, ims__json_iter_key(it),
                            ims__json_new_str(shards[lie && turn == 5 ? 1 - k : k]));
    }
    for (size_t k = 0; k < 2; k++)
        put_shard(shards[k], header, whole + 8 + header_bytes, names[k], counts[k]);
    (void)ims__json_set(index, "weight_map", map);
    ims__buf_init(&text, 1 << 20);
    CHECK_OK(ims__json_write(index, 1, &text, &err), err);
    put(WEIGHTS ".index.json", text.data, text.len);
    take_away(WEIGHTS);
    ims__buf_release(&text);
    ims__json_free(index);
    ims__json_free(header);
    free(whole);
}

/* The vector of a text, as JSON text; ends with the model removed. */
static void embed(char *out, size_t size)
{
    struct run_options o = { 0 };
    const char *numbers;

    run(0, "--name\n", "sharded");
    run_release(&result);
    library_run_with(&library, &o, &result, "--device\ncpu\nembed\n--json\na red car");
    if (result.exit_code)
        test_fail(__FILE__, __LINE__, "%s", result.err);
    numbers = strchr(result.out, '[');
    snprintf(out, size, "%s", numbers ? numbers : "");
    run_release(&result);
    library_run_with(&library, &o, &result, "models\nremove\nsharded");
}

TEST(shards, "weights in several files give the same vectors as in one")
{
    static char one[100000], several[100000];

    setup();
    embed(one, sizeof(one));
    shard(false);
    embed(several, sizeof(several));
    CHECK(strlen(one) > 100);
    CHECK_STR(several, one);
    run_release(&result);
}

TEST(bad_shards, "an index that does not fit its files is refused")
{
    static const char climbing[] = "{\"weight_map\": {\"a\": \"../x.safetensors\"}}",
                      empty[] = "{\"weight_map\": {}}";

    setup();
    shard(true);
    run(10, "", "");
    CHECK(strstr(result.err, "expected it in"));
    put(WEIGHTS ".index.json", climbing, sizeof(climbing) - 1);
    run(10, "", "");
    CHECK(strstr(result.err, "same folder"));
    put(WEIGHTS ".index.json", empty, sizeof(empty) - 1);
    run(10, "", "");
    run_release(&result);
}

TEST(lost_shard, "a file that the index names and that is missing is named")
{
    setup();
    shard(false);
    take_away("open_clip_model-00002-of-00002.safetensors");
    run(5, "", "");
    CHECK(strstr(result.err, "00002-of-00002"));
    run_release(&result);
}

TEST_MAIN
