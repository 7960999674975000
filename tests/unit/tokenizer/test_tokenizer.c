/* Encoding: the merge algorithm against the reference's own way of doing it, frames, limits,
 * threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "harness/test.h"
#include "models/clip/tokenizer.h"
#include "small_vocab.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_MERGES 24
#define MAX_TOKENS (8 + MAX_MERGES)
#define MAX_WORD 40

static struct ims_tokenizer *open_json(const struct ims_buf *json)
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    if (ims_tokenizer_parse(&t, json->data, json->len, "test", &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return t;
}

static struct ims_tokenizer *open_golden(void)
{
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    if (ims_tokenizer_open(&t, test_source_path("tests/golden/tokenizer/tokenizer.json"), &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    return t;
}

/* --- random merge tables over a, b, c, where one token may come out of several merges --- */

struct table {
    char tokens[MAX_TOKENS][64];
    size_t n_tokens;
    char left[MAX_MERGES][64];
    char right[MAX_MERGES][64];
    size_t n_merges;
};

static bool has_token(const struct table *t, const char *s)
{
    for (size_t i = 0; i < t->n_tokens; i++) {
        if (strcmp(t->tokens[i], s) == 0)
            return true;
    }
    return false;
}

static bool has_merge(const struct table *t, const char *left, const char *right)
{
    for (size_t i = 0; i < t->n_merges; i++) {
        if (strcmp(t->left[i], left) == 0 && strcmp(t->right[i], right) == 0)
            return true;
    }
    return false;
}

static void make_table(struct table *t, uint64_t *seed)
{
    static const char *const base[] = { "a", "b", "c", "a</w>", "b</w>", "c</w>" };

    memset(t, 0, sizeof(*t));
    for (; t->n_tokens < IMS_ARRAY_LEN(base); t->n_tokens++)
        memcpy(t->tokens[t->n_tokens], base[t->n_tokens], strlen(base[t->n_tokens]));
    while (t->n_merges < MAX_MERGES) {
        char left[64], right[64], joined[64];

        memcpy(left, t->tokens[test_random(seed) % t->n_tokens], 64);
        memcpy(right, t->tokens[test_random(seed) % t->n_tokens], 64);
        if (strstr(left, "</w>") || strlen(left) + strlen(right) > 12 || has_merge(t, left, right))
            continue;
        snprintf(joined, sizeof(joined), "%.30s%.30s", left, right);
        memcpy(t->left[t->n_merges], left, 64);
        memcpy(t->right[t->n_merges++], right, 64);
        if (!has_token(t, joined))
            memcpy(t->tokens[t->n_tokens++], joined, 64);
    }
    /* The order in which they were found would favour trained tables; ranks here are arbitrary. */
    for (size_t i = t->n_merges - 1; i > 0; i--) {
        size_t k = test_random(seed) % (i + 1);
        char swap[64];

        memcpy(swap, t->left[i], 64), memcpy(t->left[i], t->left[k], 64),
            memcpy(t->left[k], swap, 64);
        memcpy(swap, t->right[i], 64), memcpy(t->right[i], t->right[k], 64),
            memcpy(t->right[k], swap, 64);
    }
}

static struct ims_tokenizer *open_table(const struct table *t, bool as_pairs)
{
    const char *results[MAX_TOKENS];
    struct ims_buf merges, json;
    struct ims_tokenizer *tok;
    size_t n = 0;

    for (size_t i = 6; i < t->n_tokens; i++)
        results[n++] = t->tokens[i];
    ims__buf_init(&merges, IMS_MIB);
    for (size_t i = 0; i < t->n_merges; i++)
        ims__buf_addf(&merges, as_pairs ? "%s[\"%s\",\"%s\"]" : "%s\"%s %s\"", i ? "," : "",
                      t->left[i], t->right[i]);
    write_vocab(&json, results, n, merges.data);
    tok = open_json(&json);
    ims__buf_release(&json);
    ims__buf_release(&merges);
    return tok;
}

/* The reference's loop: the pair of the lowest rank, all its occurrences from left to right, again.
 */
static size_t merge_plainly(const struct table *t, const char *word, char out[MAX_WORD][64])
{
    size_t n = strlen(word);

    for (size_t i = 0; i < n; i++)
        snprintf(out[i], 64, "%c%s", word[i], i == n - 1 ? "</w>" : "");
    for (size_t rank = 0; rank < t->n_merges;) {
        size_t to = 0;
        bool found = false;

        for (size_t i = 0; i < n; i++, to++) {
            if (i + 1 < n && strcmp(out[i], t->left[rank]) == 0 &&
                strcmp(out[i + 1], t->right[rank]) == 0) {
                char joined[64];

                snprintf(joined, sizeof(joined), "%.30s%.30s", out[i], out[i + 1]);
                memcpy(out[to], joined, 64);
                found = true;
                i++;
            } else if (to != i) {
                memcpy(out[to], out[i], 64);
            }
        }
        n = to;
        rank = found ? 0 : rank + 1; /* a merge may make a pair of a lower rank */
    }
    return n;
}

TEST(merges, "words are merged as by the reference on random tables, shared results included")
{
    uint64_t seed = 20240517;
    size_t n_words = 0;

    for (int round = 0; round < 60; round++) {
        struct table table;
        struct ims_tokenizer *t;

        make_table(&table, &seed);
        t = open_table(&table, round % 2 != 0);
        CHECK(t != NULL);
        for (int w = 0; w < 200; w++, n_words++) {
            char word[MAX_WORD], want[MAX_WORD][64];
            int32_t ids[MAX_WORD + 2];
            struct ims_tokens tokens = { .ids = ids, .context_length = MAX_WORD + 2 };
            size_t len = 1 + test_random(&seed) % (MAX_WORD - 1), n;
            ims_err err = { 0 };

            for (size_t i = 0; i < len; i++)
                word[i] = (char)('a' + test_random(&seed) % 3);
            word[len == MAX_WORD ? len - 1 : len] = '\0';
            n = merge_plainly(&table, word, want);
            CHECK_OK(ims_tokenizer_encode(t, word, strlen(word), &tokens, &err), err);
            CHECK_INT(tokens.n, n + 2);
            for (size_t i = 0; i < n; i++)
                CHECK_STR(ims_tokenizer_token(t, ids[i + 1]), want[i]);
        }
        ims_tokenizer_free(t);
    }
    test_note("%zu words", n_words);
}

TEST(both_forms, "merges written as strings and as pairs give the same ids")
{
    uint64_t seed = 7;
    struct table table;
    struct ims_tokenizer *strings, *pairs;
    int32_t a[64], b[64];
    struct ims_tokens ta = { .ids = a, .context_length = 64 },
                      tb = { .ids = b, .context_length = 64 };
    ims_err err = { 0 };

    make_table(&table, &seed);
    strings = open_table(&table, false);
    pairs = open_table(&table, true);
    CHECK(strings && pairs);
    CHECK_OK(ims_tokenizer_encode(strings, "abcabbacaabcccba", 16, &ta, &err), err);
    CHECK_OK(ims_tokenizer_encode(pairs, "abcabbacaabcccba", 16, &tb, &err), err);
    CHECK_INT(ta.n, tb.n);
    CHECK_MEM(a, b, sizeof(a));
    ims_tokenizer_free(strings);
    ims_tokenizer_free(pairs);
}

/* --- long words --- */

TEST(long_word, "64 KiB of one letter are encoded in far less than quadratic time")
{
    static const char *const results[] = { "aa", "aaaa", "aaaaaaaa", "aa</w>" };
    size_t len = IMS_MAX_TEXT_BYTES, joined = 0;
    int context = (int)len + 2;
    struct ims_buf json;
    struct ims_tokenizer *t;
    struct ims_tokens tokens = { .context_length = context };
    char *text = ims__alloc(len, 1);
    uint64_t started;
    ims_err err = { 0 };

    write_vocab(&json, results, 4, "\"a a\",\"aa aa\",\"aaaa aaaa\",\"a a</w>\"");
    t = open_json(&json);
    tokens.ids = ims__alloc((size_t)context, sizeof(*tokens.ids));
    memset(text, 'a', len);
    started = ims__thread_cpu_ns();
    CHECK_OK(ims_tokenizer_encode(t, text, len, &tokens, &err), err);
    CHECK(ims__thread_cpu_ns() - started < 2000000000u);
    CHECK(!tokens.is_truncated);
    CHECK_INT(tokens.n - 2, (len - 8) / 8 + 3);
    for (int i = 1; i < tokens.n - 1; i++)
        joined += strcspn(ims_tokenizer_token(t, tokens.ids[i]), "<");
    CHECK_INT(joined, len);
    CHECK_STR(ims_tokenizer_token(t, tokens.ids[tokens.n - 2]), "aa</w>");
    ims__free(tokens.ids);
    ims__free(text);
    ims__buf_release(&json);
    ims_tokenizer_free(t);
}

/* --- frames --- */

TEST(empty, "an empty text is start and end, then padding")
{
    struct ims_tokenizer *t = open_golden();
    int32_t ids[8];
    struct ims_tokens tokens = { .ids = ids, .context_length = 8 };
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_encode(t, NULL, 0, &tokens, &err), err);
    CHECK_INT(tokens.n, 2);
    CHECK(!tokens.is_truncated);
    CHECK_INT(ids[0], ims_tokenizer_start_id(t));
    CHECK_INT(ids[1], ims_tokenizer_end_id(t));
    for (int i = 2; i < 8; i++)
        CHECK_INT(ids[i], ims_tokenizer_pad_id(t));
    CHECK_OK(ims_tokenizer_encode(t, "\0 \r\n\x7F", 5, &tokens, &err), err);
    CHECK_INT(tokens.n, 2);
    ims_tokenizer_free(t);
}

TEST(truncation, "a text that just fits is whole; one id more and the end id takes the last place")
{
    struct ims_tokenizer *t = open_golden();
    int32_t whole[10], cut[10];
    struct ims_tokens a = { .ids = whole, .context_length = 10 },
                      b = { .ids = cut, .context_length = 10 };
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_encode(t, "12345678", 8, &a, &err), err);
    CHECK_INT(a.n, 10);
    CHECK(!a.is_truncated);
    CHECK_INT(whole[9], ims_tokenizer_end_id(t));
    CHECK_OK(ims_tokenizer_encode(t, "123456789", 9, &b, &err), err);
    CHECK_INT(b.n, 10);
    CHECK(b.is_truncated);
    CHECK_MEM(whole, cut, sizeof(whole));
    b.context_length = 2;
    CHECK_OK(ims_tokenizer_encode(t, "123", 3, &b, &err), err);
    CHECK_INT(b.n, 2);
    CHECK(b.is_truncated);
    CHECK_INT(cut[1], ims_tokenizer_end_id(t));
    ims_tokenizer_free(t);
}

TEST(specials, "open_clip's spellings of the special tokens in a text are those tokens")
{
    struct ims_tokenizer *t = open_golden();
    int32_t ids[32];
    struct ims_tokens tokens = { .ids = ids, .context_length = 32 };
    static const char text[] = "<START_OF_TEXT><end_of_text>";
    ims_err err = { 0 };

    CHECK_OK(ims_tokenizer_encode(t, text, strlen(text), &tokens, &err), err);
    CHECK_INT(tokens.n, 4);
    CHECK_INT(ids[1], ims_tokenizer_start_id(t));
    CHECK_INT(ids[2], ims_tokenizer_end_id(t));
    ims_tokenizer_free(t);
}

/* --- arguments and failures --- */

TEST(arguments, "missing places and too long texts are refused and leave the output as it was")
{
    struct ims_tokenizer *t = open_golden();
    char *text = ims__alloc(IMS_MAX_TEXT_BYTES + 1, 1);
    int32_t ids[4] = { -7, -7, -7, -7 };
    struct ims_tokens tokens = { .ids = ids, .context_length = 4, .n = -7 };
    struct ims_tokens none = { .context_length = 4 }, tiny = { .ids = ids, .context_length = 1 };
    struct ims_tokenizer *not_set = NULL;
    ims_err err = { 0 };

    memset(text, 'x', IMS_MAX_TEXT_BYTES + 1);
    CHECK_STATUS(ims_tokenizer_encode(t, text, IMS_MAX_TEXT_BYTES + 1, &tokens, &err), IMS_E_LIMIT,
                 err);
    CHECK_STATUS(ims_tokenizer_encode(t, NULL, 1, &tokens, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_tokenizer_encode(t, "x", 1, &none, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_tokenizer_encode(t, "x", 1, &tiny, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_tokenizer_encode(NULL, "x", 1, &tokens, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_tokenizer_parse(&not_set, NULL, 4, "x", &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_tokenizer_open(&not_set, NULL, &err), IMS_E_INVALID, err);
    CHECK(not_set == NULL);
    CHECK_INT(tokens.n, -7);
    CHECK_INT(ids[0], -7);
    CHECK(ims_tokenizer_token(t, -1) == NULL);
    CHECK(ims_tokenizer_token(t, ims_tokenizer_vocab_size(t)) == NULL);
    CHECK_STR(ims_tokenizer_token(t, ims_tokenizer_start_id(t)), "<|startoftext|>");
    CHECK_STR(ims_tokenizer_kind(t), "clip-bpe");
    ims_tokenizer_free(NULL);
    ims_tokenizer_free(t);
    ims__free(text);
}

TEST(memory, "encoding survives every single failing allocation")
{
    struct ims_tokenizer *t = open_golden();
    static const char text[] = "A pho\xCC\x81to of &eacute; \xE6\x97\xA5\xE6\x9C\xAC";
    int32_t ids[200];
    struct ims_tokens tokens = { .ids = ids, .context_length = 200 };
    ims_status st = IMS_E_NOMEM;
    uint64_t n;

    for (n = 1; st == IMS_E_NOMEM && n < 1000; n++) {
        ims__mem_fail_at(n);
        st = ims_tokenizer_encode(t, text, strlen(text), &tokens, NULL);
        ims__mem_fail_at(0);
    }
    CHECK_INT(st, IMS_OK);
    CHECK(n > 8);
    ims_tokenizer_free(t);
}

/* --- threads --- */

struct job {
    const struct ims_tokenizer *t;
    uint64_t sum;
};

static void encode_many(void *arg)
{
    struct job *job = arg;

    for (int i = 0; i < 2000; i++) {
        char text[64];
        int32_t ids[77];
        struct ims_tokens tokens = { .ids = ids, .context_length = 77 };

        snprintf(text, sizeof(text), "photo %d of a cat's \xC3\x89t\xC3\xA9 &amp; dog", i);
        if (ims_tokenizer_encode(job->t, text, strlen(text), &tokens, NULL))
            return;
        for (int k = 0; k < tokens.n; k++)
            job->sum = job->sum * 31 + (uint64_t)ids[k];
    }
}

TEST(threads, "four threads share one tokenizer and agree")
{
    struct ims_tokenizer *t = open_golden();
    struct job jobs[4];
    struct ims_thread threads[4] = { 0 };
    ims_err err = { 0 };

    for (int i = 0; i < 4; i++) {
        jobs[i] = (struct job){ t, 0 };
        CHECK_OK(ims__thread_start(&threads[i], "encode", encode_many, &jobs[i], &err), err);
    }
    for (int i = 0; i < 4; i++)
        ims__thread_join(&threads[i]);
    for (int i = 0; i < 4; i++) {
        CHECK(jobs[i].sum != 0);
        CHECK(jobs[i].sum == jobs[0].sum);
    }
    ims_tokenizer_free(t);
}

TEST_MAIN
