/* Our ids against open_clip's: 10,000 strings of many scripts, emoji and control characters, on a
 * small vocabulary of our own and, where one is at hand, on the full one. make_golden.py wrote the
 * numbers.
 *
 * IMS_TEST_CLIP_TOKENIZER names a tokenizer.json with CLIP's full vocabulary.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "golden/tokenizer/strings.h"
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/tokenizer/"
#define LONG_CONTEXT 400

TEST(small, "10,000 strings give the reference's ids on a small vocabulary")
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_open(&t, test_source_path(FOLDER "tokenizer.json"), &err), err);
    CHECK_INT(ims_tokenizer_vocab_size(t), 2914);
    check_strings(t, FOLDER "ids_small.txt", 77, LONG_CONTEXT, 21);
    ims_tokenizer_free(t);
}

static struct ims_tokenizer *open_full(void)
{
    const char *path = getenv("IMS_TEST_CLIP_TOKENIZER");
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    if (!path || !*path) {
        test_skip("IMS_TEST_CLIP_TOKENIZER does not name a full CLIP tokenizer.json");
        return NULL;
    }
    if (ims_tokenizer_open(&t, path, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return t;
}

TEST(full, "10,000 strings give the reference's ids on CLIP's full vocabulary")
{
    struct ims_tokenizer *t = open_full();

    if (!t)
        return;
    CHECK_INT(ims_tokenizer_vocab_size(t), 49408);
    CHECK_INT(ims_tokenizer_start_id(t), 49406);
    CHECK_INT(ims_tokenizer_end_id(t), 49407);
    check_strings(t, FOLDER "ids_full.txt", 77, LONG_CONTEXT, 21);
    ims_tokenizer_free(t);
}

TEST(known, "well-known texts give the known ids on CLIP's full vocabulary")
{
    struct ims_tokenizer *t = open_full();
    size_t len;
    char *text;
    ims_json *cases = NULL;
    ims_err err = { 0 };

    if (!t)
        return;
    text = test_read_file(test_source_path(FOLDER "known_full.json"), &len);
    CHECK_OK(ims__json_parse(&cases, text, len, "known_full.json", &err), err);
    free(text);
    CHECK(ims__json_len(cases) >= 17);
    for (size_t i = 0; i < ims__json_len(cases); i++) {
        const ims_json *want = ims__json_get(ims__json_at(cases, i), "ids");
        const char *s = ims__json_str(ims__json_get(ims__json_at(cases, i), "text"), &len);
        int32_t ids[77];
        struct ims_tokens tokens = { .ids = ids, .context_length = 77 };

        CHECK_OK(ims_tokenizer_encode(t, s, len, &tokens, &err), err);
        CHECK_INT(tokens.n, ims__json_len(want));
        for (int k = 0; k < tokens.n; k++)
            CHECK_INT(ids[k], ims__json_int(ims__json_at(want, (size_t)k), -1));
        for (int k = tokens.n; k < 77; k++)
            CHECK_INT(ids[k], 0);
    }
    ims__json_free(cases);
    ims_tokenizer_free(t);
}

TEST(codepoints, "every code point between two letters is cleaned as by the reference")
{
    struct ims_tokenizer *t = NULL;
    char *text = test_read_file(test_source_path(FOLDER "codepoints.txt"), NULL);
    char *line = text;
    struct ims_buf out;
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_open(&t, test_source_path(FOLDER "tokenizer.json"), &err), err);
    ims__buf_init(&out, 4096);
    while (*line == '#')
        line += strcspn(line, "\n") + 1;
    for (uint32_t block = 0; block < 0x110000; block += 4096) {
        uint64_t h = FNV_START;

        for (uint32_t cp = block; cp < block + 4096; cp++) {
            char s[8] = "a";
            size_t len = ims__utf8_encode(cp, s + 1);

            if (len == 0)
                continue;
            s[1 + len] = 'b';
            ims__buf_clear(&out);
            CHECK_OK(ims_tokenizer_clean(t, s, len + 2, &out, &err), err);
            ims__buf_add_char(&out, '\n');
            h = fnv(h, (const unsigned char *)out.data, out.len);
        }
        if (h != strtoull(line, &line, 16))
            test_fail(__FILE__, __LINE__, "a code point of U+%04X .. U+%04X differs", block,
                      block + 4095);
        line += *line == '\n';
    }
    CHECK_STR(line, "");
    free(text);
    ims__buf_release(&out);
    ims_tokenizer_free(t);
}

TEST_MAIN
