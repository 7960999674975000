/* The tokenizers of SigLIP and SigLIP 2: forms of their files, and files that are not what they
 * should be.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "harness/test.h"
#include "models/clip/tokenizer.h"
#include "models/clip/tokenizer_charsmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define META "\xE2\x96\x81" /* U+2581 */

static const char unigram[] =
    "{\"added_tokens\":[{\"id\":0,\"content\":\"<pad>\"},{\"id\":1,\"content\":\"</s>\"},"
    "{\"id\":2,\"content\":\"<unk>\"}],"
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":["
    "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"},"
    "{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},"
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\"" META "\"}]},"
    "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" META "\","
    "\"prepend_scheme\":\"first\",\"split\":true},"
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"byte_fallback\":false,\"vocab\":["
    "[\"<pad>\",0.0],[\"</s>\",0],[\"<unk>\",0.0],[\"" META "\",-2.5],[\"a\",-3.0],"
    "[\"b\",-3.1],[\"ab\",-4.5],[\"" META "ab\",-3.25],[\"abab\",-20e0]]}}";

static const char gemma[] =
    "{\"added_tokens\":[{\"id\":0,\"content\":\"<pad>\"},{\"id\":8,\"content\":\"" META META "\"}],"
    "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" META "\"},"
    "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"}},"
    "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"fuse_unk\":true,"
    "\"vocab\":{\"<pad>\":0,\"<eos>\":1,\"<unk>\":2,\"<0xC3>\":3,\"<0xA4>\":4,\"a\":5,\"" META
    "\":6,"
    "\"a" META "\":7},\"merges\":[[\"a\",\"" META "\"]]}}";

/* The document with one piece of its text exchanged. */
static char *exchange(const char *json, const char *from, const char *to)
{
    const char *at = strstr(json, from);

    if (!at) {
        test_fail(__FILE__, __LINE__, "the document has no %s", from);
        return ims__strdup("");
    }
    return ims__strfmt("%.*s%s%s", (int)(at - json), json, to, at + strlen(from));
}

/* n ids follow text; -1 ends them. */
static void check_ids(const char *json, const char *text, const int *want)
{
    struct ims_tokenizer *t = NULL;
    int32_t ids[64];
    struct ims_tokens tokens = { .ids = ids, .context_length = 64 };
    ims_err err = { 0 };
    int n = 0;

    CHECK_OK(ims_tokenizer_parse(&t, json, strlen(json), "good", &err), err);
    if (!t)
        return;
    CHECK_OK(ims_tokenizer_encode(t, text, strlen(text), &tokens, &err), err);
    while (want[n] >= 0)
        n++;
    CHECK_INT(tokens.n, n);
    for (int i = 0; i < n && i < tokens.n; i++)
        CHECK_INT(ids[i], want[i]);
    for (int i = n; i < 64; i++)
        CHECK_INT(ids[i], ims_tokenizer_pad_id(t));
    ims_tokenizer_free(t);
}

#define CHECK_IDS(json, text, ...) check_ids(json, text, (const int[]){ __VA_ARGS__, -1 })

static void check_changed(const char *json, const char *from, const char *to, const char *text,
                          const int *want)
{
    char *changed = exchange(json, from, to);

    check_ids(changed, text, want);
    ims__free(changed);
}

TEST(unigram_words, "a Unigram word takes the pieces of the largest sum, unknowns fuse")
{
    CHECK_IDS(unigram, "", 1);
    CHECK_IDS(unigram, "ab", 7, 1);
    CHECK_IDS(unigram, "AB, ab!", 7, 7, 1);
    CHECK_IDS(unigram, "abab", 7, 6, 1); /* -3.25 - 4.5, more than -2.5 - 20 */
    CHECK_IDS(unigram, "ba", 3, 5, 4, 1);
    CHECK_IDS(unigram, "xyz", 3, 2, 1);
    CHECK_IDS(unigram, "xaz xx", 3, 2, 4, 2, 3, 2, 1);
    CHECK_IDS(unigram, "a_b", 3, 4, 3, 5, 1);
}

TEST(unigram_forms, "the forms that writers of different age give a Unigram file mean the same")
{
    static const char *const changes[][2] = {
        { "\"prepend_scheme\":\"first\",\"split\":true", "\"add_prefix_space\":true" },
        { "\"prepend_scheme\":\"first\"", "\"prepend_scheme\":\"always\"" },
        { "{\"type\":\"Metaspace\"",
          "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},"
          "{\"type\":\"Metaspace\",\"prepend_scheme\":\"always\",\"replacement\":\"" META "\"}],"
          "\"x\":0" },
        { "\"content\":\"" META "\"", "\"content\":\" \"" },
        { "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"},", "" },
        { "\"byte_fallback\":false,", "" },
        { "\"normalizer\"", "\"normaliser\"" },
    };

    for (size_t i = 0; i < IMS_ARRAY_LEN(changes); i++)
        check_changed(unigram, changes[i][0], changes[i][1], "ab ba",
                      (const int[]){ 7, 3, 5, 4, 1, -1 });
    check_changed(unigram, "\"prepend_scheme\":\"first\"", "\"prepend_scheme\":\"never\"", "ab ba",
                  (const int[]){ 6, 3, 5, 4, 1, -1 });
    check_changed(unigram, "[\"abab\",-20e0]", "[\"b\",-3.0]", "b", (const int[]){ 3, 8, 1, -1 });
}

TEST(gemma_words, "characters without a token become bytes, or unknown where bytes are missing")
{
    CHECK_IDS(gemma, "", 1);
    CHECK_IDS(gemma, "a a", 7, 5, 1);
    CHECK_IDS(gemma, "\xC3\xA4", 3, 4, 1);
    CHECK_IDS(gemma, "xyz", 2, 1);
    CHECK_IDS(gemma, "xay", 2, 5, 2, 1);
    CHECK_IDS(gemma,
              "x\xC3\xA4"
              "a",
              3, 4, 2, 5, 1); /* bytes overtake, as in the reference */
    CHECK_IDS(gemma, "a" META META "a", 5, 8, 5, 1);
    check_changed(gemma, "\"fuse_unk\":true", "\"fuse_unk\":false", "xyz",
                  (const int[]){ 2, 2, 2, 1, -1 });
    check_changed(gemma, "\"unk_token\":\"<unk>\"", "\"unk_token\":null", "xa",
                  (const int[]){ 5, 1, -1 });
    check_changed(gemma, "\"content\":\"" META META "\"",
                  "\"normalized\":true,\"content\":\"" META META "\"", "a " META "a",
                  (const int[]){ 5, 8, 5, 1, -1 });
}

TEST(limit, "added tokens that no text can have are beyond what the model must know")
{
    static const char extra[] = "{\"id\":2,\"content\":\"<unk>\"},{\"id\":9,\"content\":\"<x0>\"},"
                                "{\"id\":10,\"content\":\"<x1>\"}";
    char *json = exchange(unigram, "{\"id\":2,\"content\":\"<unk>\"}", extra);
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_parse(&t, json, strlen(json), "good", &err), err);
    CHECK_INT(ims_tokenizer_vocab_size(t), 11);
    CHECK_INT(ims_tokenizer_id_limit(t), 9);
    ims_tokenizer_free(t);
    ims__free(json);
    t = NULL;
    CHECK_OK(ims_tokenizer_parse(&t, gemma, strlen(gemma), "good", &err), err);
    CHECK_INT(ims_tokenizer_vocab_size(t), 9);
    CHECK_INT(ims_tokenizer_id_limit(t), 9); /* two U+2581 can be in a text */
    ims_tokenizer_free(t);
}

struct bad {
    const char *from;
    const char *to;
    ims_status status;
    const char *says; /* part of the message */
};

static const struct bad bad_unigram[] = {
    { "\"vocab\":[", "\"vcb\":[", IMS_E_FORMAT, "model.vocab: expected an array" },
    { "\"vocab\":[", "\"vocab\":{},\"x\":[", IMS_E_FORMAT, "model.vocab: expected an array" },
    { "\"vocab\":[", "\"vocab\":[],\"x\":[", IMS_E_FORMAT, "found an empty one" },
    { "[\"a\",-3.0]", "[\"a\"]", IMS_E_FORMAT, "model.vocab[4]: expected [piece, score]" },
    { "[\"a\",-3.0]", "[\"a\",-3.0,1]", IMS_E_FORMAT, "model.vocab[4]: expected [piece, score]" },
    { "[\"a\",-3.0]", "[\"a\",\"-3.0\"]", IMS_E_FORMAT, "model.vocab[4]: expected" },
    { "[\"a\",-3.0]", "[\"a\",-3.]", IMS_E_FORMAT, "model.vocab[4]: expected" },
    { "[\"a\",-3.0]", "[\"a\",-03.0]", IMS_E_FORMAT, "model.vocab[4]: expected" },
    { "[\"a\",-3.0]", "[\"a\",-3e999]", IMS_E_FORMAT, "model.vocab[4]: expected" },
    { "[\"a\",-3.0]", "[\"a\",-]", IMS_E_FORMAT, "model.vocab[4]: expected" },
    { "[\"a\",-3.0]", "{\"a\":-3.0}", IMS_E_FORMAT,
      "model.vocab[4]: expected [piece, score], found an object" },
    { "[\"a\",-3.0]", "[\"a\",-3.0] 1", IMS_E_FORMAT, "malformed JSON" },
    { "\"unk_id\":2", "\"unk_id\":9", IMS_E_FORMAT,
      "model.unk_id: expected an id of model.vocab, found 9" },
    { "\"unk_id\":2", "\"unk_id\":null", IMS_E_FORMAT, "model.unk_id: expected" },
    { "\"byte_fallback\":false", "\"byte_fallback\":true", IMS_E_UNSUPPORTED,
      "model.byte_fallback: expected false" },
    { "[\"</s>\",0]", "[\"<s>\",0]", IMS_E_FORMAT, "added_tokens[1]: expected a content with" },
    { "{\"id\":1,\"content\":\"</s>\"},", "", IMS_OK, "" },
    { "{\"id\":2,\"content\":\"<unk>\"}", "{\"id\":11,\"content\":\"x\"}", IMS_E_FORMAT,
      "or the next id 9, found id 11" },
    { "\"type\":\"Metaspace\"", "\"type\":\"ByteLevel\"", IMS_E_UNSUPPORTED,
      "pre_tokenizer: expected Metaspace with U+2581" },
    { "\"replacement\":\"" META "\"", "\"replacement\":\"_\"", IMS_E_UNSUPPORTED,
      "pre_tokenizer: expected Metaspace" },
    { "\"prepend_scheme\":\"first\"", "\"prepend_scheme\":\"last\"", IMS_E_UNSUPPORTED,
      "pre_tokenizer: expected Metaspace" },
    { "\"type\":\"Strip\"", "\"type\":\"NFKD\"", IMS_E_UNSUPPORTED,
      "normalizer: expected Sequence" },
    { " {2,}", " +", IMS_E_UNSUPPORTED, "found a Replace of another pattern" },
    { "\"precompiled_charsmap\":\"\"", "\"precompiled_charsmap\":\"AAAA\"", IMS_E_FORMAT,
      "precompiled_charsmap: expected base64" },
    { "\"precompiled_charsmap\":\"\"", "\"precompiled_charsmap\":\"%%%%\"", IMS_E_FORMAT,
      "precompiled_charsmap: expected base64" },
    { "\"precompiled_charsmap\":\"\"", "\"precompiled_charsmap\":\"BAAAAAAAAAAA\"", IMS_OK, "" },
    { "\"precompiled_charsmap\":\"\"", "\"precompiled_charsmap\":\"BQAAAAAAAAAA\"", IMS_E_FORMAT,
      "precompiled_charsmap: expected base64" },
    { "\"precompiled_charsmap\":\"\"", "\"precompiled_charsmap\":\"/////wAAAAAA\"", IMS_E_FORMAT,
      "precompiled_charsmap: expected base64" },
};

static const struct bad bad_gemma[] = {
    { "\"<eos>\"", "\"<end>\"", IMS_E_FORMAT, "found no \"<eos>\"" },
    { "\"fuse_unk\"", "\"ignore_merges\":true,\"fuse_unk\"", IMS_E_UNSUPPORTED,
      "model.ignore_merges: expected false" },
    { "\"String\":\" \"", "\"String\":\"x\"", IMS_E_UNSUPPORTED,
      "normalizer: expected Replace of \" \" by U+2581" },
    { "\"normalizer\"", "\"normaliser\"", IMS_E_UNSUPPORTED, "normalizer: expected Replace" },
    { "\"a\":5", "\"a\":6", IMS_E_FORMAT, "contradicts an earlier entry" },
    { "[\"a\",\"" META "\"]", "[\"a\",\"b\"]", IMS_E_FORMAT, "expected tokens of the vocabulary" },
    { "\"content\":\"" META META "\"", "\"lstrip\":true,\"content\":\"" META META "\"",
      IMS_E_UNSUPPORTED, "expected id 8 without single_word" },
    { "\"byte_fallback\":true", "\"byte_fallback\":false", IMS_E_UNSUPPORTED,
      "expected a tokenizer of the kinds clip-bpe (BPE over bytes" },
};

static void check_bads(const char *good, const struct bad *bads, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *json = exchange(good, bads[i].from, bads[i].to);
        struct ims_tokenizer *t = NULL;
        ims_err err = { 0 };

        CHECK_INT(ims_tokenizer_parse(&t, json, strlen(json), "bad.json", &err), bads[i].status);
        if (bads[i].status && (!strstr(err.text, bads[i].says) || !strstr(err.text, "bad.json")))
            test_fail(__FILE__, __LINE__, "the message \"%s\" lacks \"%s\" or the file", err.text,
                      bads[i].says);
        ims_tokenizer_free(t);
        ims__free(json);
    }
}

TEST(contradictions, "a file that contradicts itself is refused, saying what was expected")
{
    check_bads(unigram, bad_unigram, IMS_ARRAY_LEN(bad_unigram));
    check_bads(gemma, bad_gemma, IMS_ARRAY_LEN(bad_gemma));
}

TEST(cut_short, "a file cut off anywhere is refused")
{
    static const char *const goods[] = { unigram, gemma };

    for (size_t k = 0; k < 2; k++) {
        for (size_t len = 0; len < strlen(goods[k]); len++) {
            struct ims_tokenizer *t = NULL;
            ims_err err = { 0 };

            CHECK_INT(ims_tokenizer_parse(&t, goods[k], len, "cut", &err), IMS_E_FORMAT);
            CHECK(t == NULL);
        }
    }
}

TEST(memory, "loading and encoding survive every single failing allocation")
{
    static const char *const goods[] = { unigram, gemma };
    static const char text[] = "ab xyz " META META " \xC3\xA4 aaa";

    for (size_t k = 0; k < 2; k++) {
        struct ims_tokenizer *t = NULL;
        int32_t ids[64];
        struct ims_tokens tokens = { .ids = ids, .context_length = 64 };
        ims_status st = IMS_E_NOMEM;

        for (uint64_t n = 1; st == IMS_E_NOMEM && n < 100000; n++) {
            ims__mem_fail_at(n);
            st = ims_tokenizer_parse(&t, goods[k], strlen(goods[k]), "good", NULL);
            ims__mem_fail_at(0);
        }
        CHECK_INT(st, IMS_OK);
        st = IMS_E_NOMEM;
        for (uint64_t n = 1; st == IMS_E_NOMEM && n < 1000; n++) {
            ims__mem_fail_at(n);
            st = ims_tokenizer_encode(t, text, sizeof(text) - 1, &tokens, NULL);
            ims__mem_fail_at(0);
        }
        CHECK_INT(st, IMS_OK);
        ims_tokenizer_free(t);
    }
}

TEST(long_texts, "a text at the limit is encoded as far as it fits, one above is refused")
{
    static const char *const goods[] = { unigram, gemma };
    char *text = malloc(IMS_MAX_TEXT_BYTES + 1);

    CHECK(text != NULL);
    for (size_t k = 0; k < 2 && text; k++) {
        struct ims_tokenizer *t = NULL;
        int32_t ids[64];
        struct ims_tokens tokens = { .ids = ids, .context_length = 64 };
        ims_err err = { 0 };

        CHECK_OK(ims_tokenizer_parse(&t, goods[k], strlen(goods[k]), "good", &err), err);
        memset(text, 'a', IMS_MAX_TEXT_BYTES + 1);
        CHECK_OK(ims_tokenizer_encode(t, text, IMS_MAX_TEXT_BYTES, &tokens, &err), err);
        CHECK_INT(tokens.n, 64);
        CHECK(tokens.is_truncated);
        CHECK_INT(ids[63], 1);
        CHECK_STATUS(ims_tokenizer_encode(t, text, IMS_MAX_TEXT_BYTES + 1, &tokens, &err),
                     IMS_E_LIMIT, err);
        ims_tokenizer_free(t);
    }
    free(text);
}

TEST(growth, "a character map that makes a text beyond all measure longer is a limit")
{
    /* a trie of "a" alone, mapped to 15 characters: units 0 (root), 'a' and its leaf */
    uint32_t units[256] = { 0 };
    struct ims__charsmap m = { .units = units, .n_units = 256 };
    char *texts = ims__strdup("aaaaaaaaaaaaaaa");
    struct ims__cps s = { 0 };

    units['a'] = 'a' | 1u << 8 | ('a' ^ 'b') << 10; /* leaf at 'b' */
    units['b'] = 1u << 31;                          /* text at 0 */
    m.texts = texts;
    m.n_texts = 16;
    for (int i = 0; i < 100; i++)
        CHECK_INT(ims__cps_add(&s, 'a'), IMS_OK);
    CHECK_INT(ims__charsmap_apply(&m, &s, 1499), IMS_E_LIMIT);
    CHECK_INT(s.n, 100);
    CHECK_INT(ims__charsmap_apply(&m, &s, 1500), IMS_OK);
    CHECK_INT(s.n, 1500);
    ims__cps_release(&s);
    ims__free(texts);
}

TEST_MAIN
