/* Tokenizer files that are not what they should be: each refused with file, expectation and
 * finding.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "harness/test.h"
#include "models/clip/tokenizer.h"
#include "models/clip/tokenizer_json.h"
#include "small_vocab.h"

#include <stdio.h>
#include <stdlib.h>

static void good_document(struct ims_buf *out)
{
    static const char *const results[] = { "ab", "abc</w>" };

    write_vocab(out, results, 2, "\"a b\",[\"ab\",\"c</w>\"]");
}

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

struct bad {
    const char *from;
    const char *to;
    ims_status status;
    const char *says; /* part of the message */
};

static const struct bad bads[] = {
    { "{\"model\"", "{\"mdl\"", IMS_E_FORMAT,
      "expected a tokenizer.json with model.type, found none" },
    { "\"BPE\"", "\"Unigram\"", IMS_E_FORMAT, "expected an array of [piece, score], found none" },
    { "\"BPE\"", "\"WordPiece\"", IMS_E_UNSUPPORTED, "WordPiece" },
    { "\"BPE\"", "5", IMS_E_FORMAT, "found none" },
    { "\"BPE\",", "\"BPE\",\"byte_fallback\":true,", IMS_E_UNSUPPORTED,
      "found model.type \"BPE\"" },
    { "\"BPE\",", "\"BPE\",\"continuing_subword_prefix\":\"##\",", IMS_E_UNSUPPORTED, "clip-bpe" },
    { "_suffix\":\"</w>\"", "_suffix\":null", IMS_E_UNSUPPORTED, "end_of_word_suffix \"</w>\"" },
    { "\"merges\"", "\"mergers\"", IMS_E_FORMAT,
      "model.merges: expected an array of merges, found nothing" },
    { "[\"a b\",[\"ab\",\"c</w>\"]]", "[]", IMS_E_FORMAT,
      "model.merges: expected an array of merges, found an empty one" },
    { "[\"a b\",[\"ab\",\"c</w>\"]]", "{}", IMS_E_FORMAT, "found an object" },
    { "\"a b\"", "\"ab\"", IMS_E_FORMAT, "model.merges[0]: expected \"left right\"" },
    { "\"a b\"", "\"a b c\"", IMS_E_FORMAT, "model.merges[0]: expected \"left right\"" },
    { "\"a b\"", "\"a \"", IMS_E_FORMAT, "model.merges[0]: expected \"left right\"" },
    { "\"a b\"", "17", IMS_E_FORMAT, "found another number" },
    { "[\"ab\",\"c</w>\"]", "[\"ab\"]", IMS_E_FORMAT, "model.merges[1]: expected" },
    { "[\"ab\",\"c</w>\"]", "[\"ab\",7]", IMS_E_FORMAT, "model.merges[1]: expected" },
    { "\"a b\"", "\"a xyz\"", IMS_E_FORMAT, "expected tokens of the vocabulary, found \"xyz\"" },
    { "\"a b\"", "\"a c\"", IMS_E_FORMAT, "expected a result in the vocabulary, found no \"ac\"" },
    { "\"vocab\"", "\"vcb\"", IMS_E_FORMAT,
      "model.vocab: expected an object of token to id, found nothing" },
    { "\"ab\":512", "\"ab\":511", IMS_E_FORMAT, "id 511 contradicts an earlier entry" },
    { "\"ab\":512", "\"ab\":520", IMS_E_FORMAT,
      "expected ids without gaps up to 520, found none for 512" },
    { "\"ab\":512", "\"ab\":-1", IMS_E_FORMAT, "token \"ab\": expected an id of 0 or more" },
    { "\"ab\":512", "\"ab\":\"512\"", IMS_E_FORMAT,
      "token \"ab\": expected an id of 0 or more, found a string" },
    { "\"ab\":512", "\"ab\":99999999999", IMS_E_LIMIT, "token \"ab\" has id 99999999999" },
    { "\"ab\":512", "\"a\":512", IMS_E_FORMAT, "bad.json" },
    { "\"!\":0", "\"!?\":0", IMS_E_FORMAT, "expected byte 33 as \"!\"" },
    { "\"!</w>\":256", "\"!?</w>\":256", IMS_E_FORMAT,
      "expected byte 33 as \"!\" and \"!</w>\", found only the first" },
    { "<|startoftext|>", "<|begin|>", IMS_E_FORMAT, "expected a token \"<|startoftext|>\"" },
    { "<|endoftext|>", "<|fin|>", IMS_E_FORMAT, "expected a token \"<|endoftext|>\"" },
    { "\"content\":\"<|endoftext|>\"", "\"x\":1", IMS_E_FORMAT,
      "added_tokens[1].content: expected a string, found nothing" },
    { "\"ab\":512", "\"ab\" 512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"ab\":512,", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"ab\":512 7", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "ab:512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"ab\":0512", IMS_E_FORMAT, "found another number" },
    { "\"ab\":512", "\"ab\":512.0", IMS_E_FORMAT, "found another number" },
    { "\"ab\":512", "\"ab\":9223372036854775808", IMS_E_FORMAT, "found another number" },
    { "\"ab\":512", "\"ab\":nothing", IMS_E_FORMAT, "found null" },
    { "\"ab\":512", "\"\\ud800\":512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"\\ud83dx\":512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"\\udc00\":512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"\\u0000\":512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"\\u12g4\":512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"\\x\":512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"a\001\":512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"ab\":512", "\"a\377\":512", IMS_E_FORMAT, "model.vocab: malformed JSON at byte" },
    { "\"a b\",", "\"a b\" ", IMS_E_FORMAT, "model.merges: malformed JSON at byte" },
    { "\"a b\",", "\"a b\",,", IMS_E_FORMAT, "expected \"left right\"" },
    { "[\"ab\",\"c</w>\"]", "[\"ab\" \"c</w>\"]", IMS_E_FORMAT, "model.merges: malformed JSON" },
    { "\"BPE\",", "\"BPE\",\"merges\":[],", IMS_E_FORMAT, "duplicate" },
    { "{\"id\":514", "{\"ID\":514", IMS_E_FORMAT, "expected an id of 0 or more, found nothing" },
};

static void check_refused(const char *json, size_t len, ims_status status, const char *says)
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_STATUS(ims_tokenizer_parse(&t, json, len, "bad.json", &err), status, err);
    CHECK(t == NULL);
    if (!strstr(err.text, says) || !strstr(err.text, "bad.json"))
        test_fail(__FILE__, __LINE__, "the message \"%s\" lacks \"%s\" or the file", err.text,
                  says);
}

TEST(contradictions,
     "a file that contradicts itself is refused, saying what was expected and found")
{
    struct ims_buf good;
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    good_document(&good);
    CHECK_OK(ims_tokenizer_parse(&t, good.data, good.len, "good", &err), err);
    CHECK_INT(ims_tokenizer_vocab_size(t), 516);
    ims_tokenizer_free(t);
    for (size_t i = 0; i < IMS_ARRAY_LEN(bads); i++) {
        char *json = exchange(good.data, bads[i].from, bads[i].to);

        check_refused(json, strlen(json), bads[i].status, bads[i].says);
        ims__free(json);
    }
    ims__buf_release(&good);
}

TEST(accepted, "harmless differences between writers are accepted")
{
    static const char *const changes[][2] = {
        { "<|startoftext|>", "<start_of_text>" },
        { "<|endoftext|>", "<end_of_text>" },
        { "\"BPE\",", "\"BPE\",\"continuing_subword_prefix\":null,\"fuse_unk\":false," },
        { "\"ab\":512", "\"ab\":512,\"<|startoftext|>\":514,\"<|endoftext|>\":515" },
        { "\"a b\",", "\"a b\",\"a b\"," },
        { "\"ab\":512", " \"\\u0061b\"\n:\t512 , \"\\uD83d\\uDE42\\/\\n\\r\\t\\b\\f\\\"\":516" },
        { "\"a b\",", "[ \"a\" , \"\\u0062\" ] ," },
        { "{\"model\":",
          "{\"x\":[\"]}\\\"\",{\"vocab\":[1]}],\"vocab\":{\"a\":[2]},\"mod\\u0065l\":" },
    };
    struct ims_buf good;

    good_document(&good);
    for (size_t i = 0; i < IMS_ARRAY_LEN(changes); i++) {
        char *json = exchange(good.data, changes[i][0], changes[i][1]);
        struct ims_tokenizer *t = NULL;
        int32_t ids[8];
        struct ims_tokens tokens = { .ids = ids, .context_length = 8 };
        ims_err err = { 0 };

        CHECK_OK(ims_tokenizer_parse(&t, json, strlen(json), "good", &err), err);
        CHECK_OK(ims_tokenizer_encode(t, "abc ab", 6, &tokens, &err), err);
        CHECK_INT(tokens.n, 5);
        CHECK_INT(ids[0], 514);
        CHECK_INT(ids[1], 513);
        CHECK_INT(ids[4], 515);
        ims_tokenizer_free(t);
        ims__free(json);
    }
    ims__buf_release(&good);
}

TEST(long_tokens, "a token longer than any real one is refused")
{
    struct ims_buf good;
    char token[IMS__MAX_TOKEN_BYTES * 3];
    static const struct {
        size_t len;
        const char *says;
    } cases[] = {
        { IMS__MAX_TOKEN_BYTES + 1, "has id 512 and 4097 bytes" },
        { IMS__MAX_TOKEN_BYTES * 2 + 3, "a string at byte" },
    };

    good_document(&good);
    for (size_t i = 0; i < IMS_ARRAY_LEN(cases); i++) {
        char *entry, *json;

        memset(token, 'x', sizeof(token));
        token[cases[i].len] = '\0';
        entry = ims__strfmt("\"%s\":512", token);
        json = exchange(good.data, "\"ab\":512", entry);
        check_refused(json, strlen(json), IMS_E_LIMIT, cases[i].says);
        ims__free(json);
        ims__free(entry);
    }
    ims__buf_release(&good);
}

TEST(cut_short, "a file cut off anywhere is refused")
{
    struct ims_buf good;

    good_document(&good);
    for (size_t len = 0; len < good.len; len += len % 97 ? 1 : 13)
        check_refused(good.data, len, IMS_E_FORMAT, "");
    check_refused("[1,2]", 5, IMS_E_FORMAT, "found none");
    check_refused("null", 4, IMS_E_FORMAT, "found none");
    ims__buf_release(&good);
}

TEST(paths, "a missing file and a folder are told apart from a bad one")
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_STATUS(ims_tokenizer_open(&t, "/nonexistent/tokenizer.json", &err), IMS_E_NOT_FOUND, err);
    CHECK_STATUS(ims_tokenizer_open(&t, test_tmp_dir(), &err), IMS_E_UNSUPPORTED, err);
    CHECK(t == NULL);
}

TEST(memory, "loading survives every single failing allocation")
{
    struct ims_buf good;
    struct ims_tokenizer *t = NULL;
    ims_status st = IMS_E_NOMEM;
    uint64_t n;

    good_document(&good);
    for (n = 1; st == IMS_E_NOMEM && n < 100000; n++) {
        ims__mem_fail_at(n);
        st = ims_tokenizer_parse(&t, good.data, good.len, "good", NULL);
        ims__mem_fail_at(0);
    }
    CHECK_INT(st, IMS_OK);
    CHECK(n > 8);
    ims_tokenizer_free(t);
    ims__buf_release(&good);
}

TEST_MAIN
