/* Broken CLIP packs: each is refused when the model is opened, with a sentence that names file,
 * tensor, expected and found. The runtime is not needed for that.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip.h"

#include "base/fs.h"
#include "base/mem.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *dir;

static const char *in_dir(const char *name)
{
    static char path[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void make(const struct generated_faults *faults)
{
    struct ims_clip_config config;

    dir = test_tmp_dir();
    generated_pack(dir, test_source_path("tests/golden/clip/class_token.config.json"), "F32",
                   faults, &config);
}

static ims_status open_model(const struct ims_clip_options *options, ims_err *err)
{
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    ims_status st;

    *err = (ims_err){ 0 };
    st = ims_pack_open(&pack, dir, err);
    if (!st)
        st = ims_clip_open(&clip, pack, NULL, options, err);
    ims_clip_close(clip);
    ims_pack_close(pack);
    return st;
}

/* text: the message without the folder at its start. */
static void check_refused(ims_status want, const char *text)
{
    ims_err err;
    char full[1400];

    CHECK_STATUS(open_model(NULL, &err), want, err);
    (void)snprintf(full, sizeof(full), "%s/%s", dir, text);
    CHECK_STR(err.text, full);
}

TEST(sound, "the model that the other tests break opens as it is")
{
    ims_err err;

    make(NULL);
    CHECK_OK(open_model(NULL, &err), err);
}

TEST(missing, "a missing tensor is named with the shape that was expected")
{
    make(&(struct generated_faults){ .missing = "visual.conv1.weight" });
    check_refused(IMS_E_MODEL,
                  "open_clip_model.safetensors: tensor visual.conv1.weight: expected F32 "
                  "[64, 3, 8, 8] (or F16, BF16), found none");
    make(&(struct generated_faults){ .missing = "transformer.resblocks.1.mlp.c_proj.bias" });
    check_refused(IMS_E_MODEL,
                  "open_clip_model.safetensors: tensor "
                  "transformer.resblocks.1.mlp.c_proj.bias: expected F32 [48] (or F16, "
                  "BF16), found none");
    make(&(struct generated_faults){ .missing =
                                         "visual.transformer.resblocks.1.attn.in_proj_weight" });
    check_refused(IMS_E_MODEL,
                  "open_clip_model.safetensors: tensor "
                  "visual.transformer.resblocks.1.attn.in_proj_weight: expected F32 [192, "
                  "64] (or F16, BF16), found none");
}

TEST(shape, "a tensor of the wrong shape is named with both shapes")
{
    make(&(struct generated_faults){ .transposed = "token_embedding.weight" });
    check_refused(IMS_E_MODEL,
                  "open_clip_model.safetensors: tensor token_embedding.weight: expected F32 "
                  "[600, 48] (or F16, BF16), found F32 [48, 600]");
}

TEST(type, "a tensor of the wrong type is named with both types")
{
    make(&(struct generated_faults){ .retyped = "visual.proj" });
    check_refused(IMS_E_MODEL,
                  "open_clip_model.safetensors: tensor visual.proj: expected F32 [64, 64] "
                  "(or F16, BF16), found I32 [64, 64]");
}

TEST(truncated, "a model cut short is an error at every length that is tried")
{
    char *whole;
    size_t n;
    ims_err err = { 0 };

    make(NULL);
    whole = test_read_file(in_dir("open_clip_model.safetensors"), &n);
    for (size_t at = 0; at < n; at += at < 4096 ? 97 : n / 23) {
        CHECK_OK(ims__write_file(in_dir("open_clip_model.safetensors"), whole, at, &err), err);
        CHECK(open_model(NULL, &err) != IMS_OK);
        CHECK(err.status == IMS_E_TRUNCATED || err.status == IMS_E_FORMAT);
        CHECK(strstr(err.text, "open_clip_model.safetensors"));
        CHECK(strstr(err.text, "expected") && strstr(err.text, "found"));
    }
    free(whole);
}

/* The generated model with a word of its configuration replaced by one of the same length. */
static void reconfigure(const char *old, const char *new)
{
    char *text, *at;
    size_t n;
    ims_err err = { 0 };

    make(NULL);
    text = test_read_file(in_dir("open_clip_config.json"), &n);
    at = strstr(text, old);
    CHECK(at && strlen(old) == strlen(new));
    memcpy(at, new, strlen(new));
    CHECK_OK(ims__write_file(in_dir("open_clip_config.json"), text, n, &err), err);
    free(text);
}

TEST(other_config, "a configuration of another width than the weights' is seen at the first tensor")
{
    reconfigure("\"width\": 64", "\"width\": 96");
    check_refused(IMS_E_MODEL,
                  "open_clip_model.safetensors: tensor visual.conv1.weight: expected F32 "
                  "[96, 3, 8, 8] (or F16, BF16), found F32 [64, 3, 8, 8]");
}

TEST(other_size, "an image size or a context length that the model was not made for is refused")
{
    reconfigure("\"image_size\": 32", "\"image_size\": 48");
    check_refused(IMS_E_MODEL,
                  "open_clip_model.safetensors: tensor visual.positional_embedding: expected F32 "
                  "[37, 64] (or F16, BF16), found F32 [17, 64]");
    reconfigure("\"context_length\": 16", "\"context_length\": 77");
    check_refused(IMS_E_MODEL,
                  "open_clip_model.safetensors: tensor positional_embedding: expected F32 "
                  "[77, 48] (or F16, BF16), found F32 [16, 48]");
}

TEST(no_merges, "a tokenizer without merges is refused by name")
{
    char *text;
    char *at;
    size_t n;
    ims_err err = { 0 };

    make(NULL);
    text = test_read_file(in_dir("tokenizer.json"), &n);
    at = strstr(text, "\"merges\"");
    CHECK(at);
    memcpy(at, "\"merged\"", strlen("\"merges\""));
    CHECK_OK(ims__write_file(in_dir("tokenizer.json"), text, n, &err), err);
    CHECK_STATUS(open_model(NULL, &err), IMS_E_FORMAT, err);
    CHECK(strstr(err.text, "tokenizer.json") && strstr(err.text, "merges"));
    CHECK(strstr(err.text, "expected") && strstr(err.text, "found"));
    CHECK_INT(unlink(in_dir("tokenizer.json")), 0);
    check_refused(IMS_E_MODEL, "tokenizer.json: expected a file, found none");
    free(text);
}

TEST(big_vocabulary, "a tokenizer with more tokens than the model has rows is refused")
{
    struct ims_clip_config config;
    char *text;
    size_t n;
    char *at;
    ims_err err = { 0 };

    make(NULL);
    text = test_read_file(test_source_path("tests/golden/clip/class_token.config.json"), &n);
    at = strstr(text, "\"vocab_size\": 600");
    CHECK(at);
    memcpy(at, "\"vocab_size\": 300", strlen("\"vocab_size\": 600"));
    CHECK_OK(ims__write_file(in_dir("small.json"), text, n, &err), err);
    generated_pack(dir, in_dir("small.json"), "F32", NULL, &config);
    check_refused(IMS_E_MODEL,
                  "tokenizer.json: expected at most 300 tokens (text_cfg.vocab_size), found 516");
    free(text);
}

/* Opens the reduced SigLIP with what is wrong with it; out_pad may be NULL. */
static ims_status open_siglip(const struct generated_faults *faults, const char *tokenizer_config,
                              int32_t *out_pad, ims_err *err)
{
    struct ims_clip_config config;
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    ims_status st;

    dir = test_tmp_dir();
    *err = (ims_err){ 0 };
    generated_pack_with(dir, test_source_path("tests/golden/siglip/siglip.config.json"), "F32",
                        "tests/golden/tokenizer_unigram/tokenizer.json", faults, &config);
    st = ims__write_file(in_dir("tokenizer_config.json"), tokenizer_config,
                         strlen(tokenizer_config), err);
    if (!st)
        st = ims_pack_open(&pack, dir, err);
    if (!st)
        st = ims__clip_open(&clip, pack, &config, NULL, NULL, err);
    if (!st && out_pad)
        *out_pad = clip->pad_id;
    ims_clip_close(clip);
    ims_pack_close(pack);
    return st;
}

TEST(siglip, "a tensor that a SigLIP tower lacks or has in another shape is named")
{
    ims_err err;

    CHECK_STATUS(
        open_siglip(&(struct generated_faults){ .missing = "visual.trunk.attn_pool.latent" }, "{}",
                    NULL, &err),
        IMS_E_MODEL, err);
    CHECK(strstr(err.text, "tensor visual.trunk.attn_pool.latent: expected F32 [1, 1, 48]"));
    CHECK_STATUS(
        open_siglip(
            &(struct generated_faults){ .transposed = "visual.trunk.blocks.2.attn.qkv.weight" },
            "{}", NULL, &err),
        IMS_E_MODEL, err);
    CHECK(strstr(err.text, "expected F32 [144, 48] (or F16, BF16), found F32 [48, 144]"));
}

TEST(padding, "SigLIP pads with the end token, or with what tokenizer_config.json names")
{
    int32_t pad = -1;
    ims_err err;

    CHECK_OK(open_siglip(NULL, "{\"model_max_length\":64}", &pad, &err), err);
    CHECK_INT(pad, 1);
    CHECK_OK(open_siglip(NULL, "{\"pad_token\":\"<pad>\"}", &pad, &err), err);
    CHECK_INT(pad, 0);
    CHECK_OK(open_siglip(NULL, "{\"pad_token\":{\"content\":\"<unk>\"}}", &pad, &err), err);
    CHECK_INT(pad, 2);
    CHECK_STATUS(open_siglip(NULL, "{\"pad_token\":\"<fill>\"}", &pad, &err), IMS_E_MODEL, err);
    CHECK(strstr(err.text, "tokenizer_config.json: pad_token: expected a token"));
}

TEST(cleaning, "a tokenizer whose texts are cleaned in another way than the model's is refused")
{
    struct ims_clip_config config;

    dir = test_tmp_dir();
    generated_pack_with(dir, test_source_path("tests/golden/clip/class_token.config.json"), "F32",
                        "tests/golden/tokenizer_unigram/tokenizer.json", NULL, &config);
    check_refused(IMS_E_UNSUPPORTED,
                  "open_clip_config.json: text_cfg.tokenizer_kwargs.clean: expected "
                  "\"canonicalize\" for a tokenizer of the kind unigram, found \"lower\"");
}

TEST(dimension, "an EMBEDDING_DIM that is not the model's is an error that names both")
{
    ims_err err;
    char want[1200];

    make(NULL);
    CHECK_OK(open_model(&(struct ims_clip_options){ .expected_dim = 64 }, &err), err);
    CHECK_STATUS(open_model(&(struct ims_clip_options){ .expected_dim = 512 }, &err), IMS_E_CONFIG,
                 err);
    (void)snprintf(want, sizeof(want), "EMBEDDING_DIM is 512, but the model %s makes vectors of 64",
                   ims__path_base(dir));
    CHECK_STR(err.text, want);
}

TEST(no_runtime,
     "a model opened without a runtime describes itself and tokenizes, but does not embed")
{
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    const char *texts[] = { "ab" };
    float out[64];
    int32_t *ids = NULL;
    size_t n = 0;
    ims_err err = { 0 };

    make(NULL);
    CHECK_OK(ims_pack_open(&pack, dir, &err), err);
    CHECK_OK(ims_clip_open(&clip, pack, NULL, NULL, &err), err);
    CHECK_INT(ims_clip_info(clip)->dim, 64);
    CHECK_INT(ims_clip_info(clip)->context_length, 16);
    CHECK_INT(ims_clip_info(clip)->preprocess.width, 32);
    CHECK_STR(ims_clip_info(clip)->digest, pack->digest);
    CHECK_OK(ims_clip_tokenize(clip, "ab", &ids, &n, &err), err);
    CHECK_INT(n, 3);
    CHECK_INT(ids[0], 514);
    CHECK_INT(ids[1], 513);
    CHECK_INT(ids[2], 515);
    ims__free(ids);
    CHECK_STATUS(ims_clip_embed_text(clip, texts, 1, out, &err), IMS_E_RUNTIME, err);
    ims_clip_close(clip);
    ims_pack_close(pack);
}

TEST(memory, "every allocation of opening may fail, and opening says so")
{
    ims_err err = { 0 };
    ims_status st = IMS_E_NOMEM;
    uint64_t total;
    uint64_t before = ims__mem_count();

    make(NULL);
    CHECK_OK(open_model(NULL, &err), err);
    before = ims__mem_count();
    CHECK_OK(open_model(NULL, &err), err);
    total = ims__mem_count() - before;
    CHECK(total > 50);
    for (uint64_t n = 1; n <= total; n += 1 + total / 300) {
        ims__mem_fail_at(n);
        st = open_model(NULL, &err);
        ims__mem_fail_at(0);
        CHECK(st != IMS_OK);
        CHECK_STATUS(st, IMS_E_NOMEM, err);
    }
}

TEST_MAIN
