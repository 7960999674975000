/* Our ids of a Unigram tokenizer against Hugging Face's: 10,000 strings on a small model of our
 * own, and on the same pieces behind SentencePiece's full character map where one is at hand.
 * make_golden.py wrote the numbers.
 *
 * IMS_TEST_UNIGRAM_TOKENIZER names what make_golden.py --full wrote.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/tokenizer/strings.h"
#include "harness/test.h"

#include <stdlib.h>

#define FOLDER "tests/golden/tokenizer_unigram/"
#define CONTEXT 64

static void check(const char *path, const char *hashes)
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_open(&t, path, &err), err);
    CHECK_STR(ims_tokenizer_kind(t), "unigram");
    CHECK_INT(ims_tokenizer_start_id(t), -1);
    CHECK_INT(ims_tokenizer_end_id(t), 1);
    CHECK_INT(ims_tokenizer_pad_id(t), 1);
    check_strings(t, hashes, CONTEXT, CONTEXT, 100);
    ims_tokenizer_free(t);
}

TEST(small, "10,000 strings give the reference's ids on a small Unigram model")
{
    check(test_source_path(FOLDER "tokenizer.json"), FOLDER "ids.txt");
}

TEST(cases, "spaces, marks, deletions and U+2581 by hand give the reference's ids")
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_open(&t, test_source_path(FOLDER "tokenizer.json"), &err), err);
    check_cases(t, FOLDER "cases.json", CONTEXT);
    ims_tokenizer_free(t);
}

TEST(full_map, "10,000 strings give the reference's ids behind SentencePiece's full character map")
{
    const char *path = getenv("IMS_TEST_UNIGRAM_TOKENIZER");

    if (!path || !*path) {
        test_skip("IMS_TEST_UNIGRAM_TOKENIZER does not name a tokenizer.json with the full map");
        return;
    }
    check(path, FOLDER "ids_nfkc.txt");
}

TEST_MAIN
