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
#include "harness/test.h"
#include "models/clip/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/tokenizer/"
#define N_STRINGS 10000
#define MAX_ATOMS 1024
#define MAX_SKIPS 256
#define LONG_CONTEXT 400

/* --- the strings, as make_golden.py makes them --- */

struct atom {
    ims_json *string; /* NULL: the range */
    uint32_t first;
    uint32_t last;
};

static struct atom atoms[MAX_ATOMS];
static size_t n_atoms;

static void load_atoms(void)
{
    char *text = test_read_file(test_source_path(FOLDER "atoms.txt"), NULL);

    n_atoms = 0;
    for (char *line = text, *end; *line; line = end) {
        struct atom *a = &atoms[n_atoms];
        ims_err err = { 0 };

        end = line + strcspn(line, "\n");
        if (*line == '"') {
            CHECK(n_atoms < MAX_ATOMS);
            CHECK_OK(ims__json_parse(&a->string, line, (size_t)(end - line), "atoms.txt", &err),
                     err);
            n_atoms++;
        } else if (strncmp(line, "range ", 6) == 0) {
            char *rest;

            CHECK(n_atoms < MAX_ATOMS);
            a->first = (uint32_t)strtoul(line + 6, &rest, 16);
            a->last = (uint32_t)strtoul(rest, NULL, 16);
            n_atoms++;
        }
        end += *end == '\n';
    }
    free(text);
    CHECK(n_atoms > 400);
}

static void free_atoms(void)
{
    for (size_t i = 0; i < n_atoms; i++)
        ims__json_free(atoms[i].string);
    memset(atoms, 0, sizeof(atoms));
}

static uint64_t draw(uint64_t n, uint64_t k, uint64_t below)
{
    uint64_t x = (n << 20) + k + 0x9E3779B97F4A7C15u;

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (x ^ (x >> 31)) % below;
}

static void make_string(uint64_t n, struct ims_buf *out)
{
    static const char *const gaps[] = { "", "", " ", " ", " ", " ", "  ", "\n" };
    uint64_t count = n % 50 == 0 ? 60 : 1 + draw(n, 0, 10);

    ims__buf_clear(out);
    for (uint64_t k = 0; k < count; k++) {
        const struct atom *a = &atoms[draw(n, 16 * k + 1, n_atoms)];
        size_t len;

        if (a->string) {
            const char *s = ims__json_str(a->string, &len);

            ims__buf_add(out, s, len);
        } else {
            uint64_t n_chars = 1 + draw(n, 16 * k + 2, 4);

            for (uint64_t m = 0; m < n_chars; m++) {
                char bytes[4];
                uint64_t step = draw(n, 16 * k + 4 + m, a->last - a->first + 1);

                ims__buf_add(out, bytes, ims__utf8_encode(a->first + (uint32_t)step, bytes));
            }
        }
        ims__buf_add_str(out, gaps[draw(n, 16 * k + 3, IMS_ARRAY_LEN(gaps))]);
    }
}

/* --- the numbers --- */

static uint64_t fnv(uint64_t h, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001B3u;
    return h;
}

#define FNV_START 0xCBF29CE484222325u

static uint64_t hash_ids(uint64_t h, const int32_t *ids, int n)
{
    for (int i = 0; i < n; i++) {
        uint32_t v = (uint32_t)ids[i];
        unsigned char le[4];

        for (int k = 0; k < 4; k++)
            le[k] = (unsigned char)(v >> 8 * k & 0xFF);
        h = fnv(h, le, 4);
    }
    return h;
}

struct golden {
    uint64_t skips[MAX_SKIPS];
    size_t n_skips;
    uint64_t hashes[N_STRINGS / 10];
    size_t n_hashes;
};

static void load_golden(const char *name, struct golden *g)
{
    char path[128] = FOLDER;
    char *text;

    strncat(path, name, sizeof(path) - strlen(path) - 1);
    text = test_read_file(test_source_path(path), NULL);
    memset(g, 0, sizeof(*g));
    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n");

        if (strncmp(line, "skip ", 5) == 0 && g->n_skips < MAX_SKIPS)
            g->skips[g->n_skips++] = strtoull(line + 5, NULL, 10);
        else if (*line != '#' && g->n_hashes < IMS_ARRAY_LEN(g->hashes))
            g->hashes[g->n_hashes++] = strtoull(line, NULL, 16);
        line += len + (line[len] == '\n');
    }
    free(text);
    CHECK_INT(g->n_hashes, IMS_ARRAY_LEN(g->hashes));
}

static bool is_skipped(const struct golden *g, uint64_t n)
{
    for (size_t i = 0; i < g->n_skips; i++) {
        if (g->skips[i] == n)
            return true;
    }
    return false;
}

static void check_strings(const struct ims_tokenizer *t, const struct golden *g)
{
    struct ims_buf text;
    uint64_t n = 0, first = 0, h = FNV_START;
    size_t n_truncated = 0;

    load_atoms();
    ims__buf_init(&text, IMS_MAX_TEXT_BYTES);
    for (size_t done = 0; done < N_STRINGS; n++) {
        int32_t ids[LONG_CONTEXT];
        struct ims_tokens tokens = { .ids = ids, .context_length = n % 4 == 0 ? 77 : LONG_CONTEXT };
        ims_err err = { 0 };

        if (is_skipped(g, n))
            continue;
        if (done % 10 == 0) {
            h = FNV_START;
            first = n;
        }
        make_string(n, &text);
        CHECK_OK(ims_tokenizer_encode(t, text.data, text.len, &tokens, &err), err);
        n_truncated += tokens.is_truncated;
        h = hash_ids(h, ids, tokens.context_length);
        if (++done % 10 == 0 && h != g->hashes[done / 10 - 1]) {
            test_fail(
                __FILE__, __LINE__,
                "strings %llu to %llu differ from the reference; make_golden.py --show N shows one",
                (unsigned long long)first, (unsigned long long)n);
            break;
        }
    }
    CHECK(n_truncated > 20);
    test_note("%zu strings skipped, %zu truncated", g->n_skips, n_truncated);
    ims__buf_release(&text);
    free_atoms();
}

TEST(small, "10,000 strings give the reference's ids on a small vocabulary")
{
    static struct golden g;
    struct ims_tokenizer *t = NULL;
    ims_err err = { 0 };

    load_golden("ids_small.txt", &g);
    CHECK_OK(ims_tokenizer_open(&t, test_source_path(FOLDER "tokenizer.json"), &err), err);
    CHECK_INT(ims_tokenizer_vocab_size(t), 2914);
    check_strings(t, &g);
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
    static struct golden g;
    struct ims_tokenizer *t = open_full();

    if (!t)
        return;
    load_golden("ids_full.txt", &g);
    CHECK_INT(ims_tokenizer_vocab_size(t), 49408);
    CHECK_INT(ims_tokenizer_start_id(t), 49406);
    CHECK_INT(ims_tokenizer_end_id(t), 49407);
    check_strings(t, &g);
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
