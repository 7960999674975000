/* Our ids of a byte-fallback byte-pair tokenizer against Hugging Face's: 10,000 strings on a small
 * model of our own. make_golden.py wrote the numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/tokenizer/strings.h"
#include "harness/test.h"

#define FOLDER "tests/golden/tokenizer_gemma/"
#define CONTEXT 64

TEST(small, "10,000 strings give the reference's ids on a small byte-fallback model")
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_open(&t, test_source_path(FOLDER "tokenizer.json"), &err), err);
    CHECK_STR(ims_tokenizer_kind(t), "gemma-bpe");
    CHECK_INT(ims_tokenizer_start_id(t), -1);
    CHECK_INT(ims_tokenizer_end_id(t), 1);
    CHECK_INT(ims_tokenizer_pad_id(t), 0);
    check_strings(t, FOLDER "ids.txt", CONTEXT, CONTEXT, 200);
    ims_tokenizer_free(t);
}

TEST(cases, "added tokens, bytes, nothing and long texts by hand give the reference's ids")
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_open(&t, test_source_path(FOLDER "tokenizer.json"), &err), err);
    check_cases(t, FOLDER "cases.json", CONTEXT);
    ims_tokenizer_free(t);
}

TEST(shuffled, "merges in an order that no training gives are taken in the reference's order")
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_open(&t, test_source_path(FOLDER "shuffled.json"), &err), err);
    check_cases(t, FOLDER "shuffled_cases.json", CONTEXT);
    ims_tokenizer_free(t);
}

TEST_MAIN
