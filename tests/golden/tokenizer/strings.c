/* The golden strings, and their ids against the reference's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/tokenizer/strings.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#define N_STRINGS 10000
#define MAX_ATOMS 1024
#define MAX_SKIPS 256
#define MAX_CONTEXT 400

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
    char *text = test_read_file(test_source_path("tests/golden/tokenizer/atoms.txt"), NULL);

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

uint64_t fnv(uint64_t h, const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001B3u;
    return h;
}

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

static void load_golden(const char *path, struct golden *g)
{
    char *text = test_read_file(test_source_path(path), NULL);

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

void check_strings(const struct ims_tokenizer *t, const char *hashes, int context_length,
                   int other_context_length, size_t min_truncated)
{
    static struct golden golden;
    const struct golden *g = &golden;
    struct ims_buf text;
    uint64_t n = 0, first = 0, h = FNV_START;
    size_t n_truncated = 0;

    load_golden(hashes, &golden);
    load_atoms();
    ims__buf_init(&text, IMS_MAX_TEXT_BYTES);
    for (size_t done = 0; done < N_STRINGS; n++) {
        int32_t ids[MAX_CONTEXT];
        struct ims_tokens tokens = { .ids = ids,
                                     .context_length =
                                         n % 4 == 0 ? context_length : other_context_length };
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
            test_fail(__FILE__, __LINE__,
                      "%s: strings %llu to %llu differ from the reference; make_golden.py --show N "
                      "shows one",
                      hashes, (unsigned long long)first, (unsigned long long)n);
            break;
        }
    }
    test_note("%zu strings skipped, %zu truncated", g->n_skips, n_truncated);
    CHECK(n_truncated >= min_truncated);
    ims__buf_release(&text);
    free_atoms();
}

/* --- cases by hand --- */

static void check_case(const struct ims_tokenizer *t, const ims_json *row, int context_length)
{
    const ims_json *want = ims__json_at(row, 1);
    int32_t ids[MAX_CONTEXT];
    struct ims_tokens tokens = { .ids = ids, .context_length = context_length };
    ims_err err = { 0 };
    size_t len = 0;
    const char *text = ims__json_str(ims__json_at(row, 0), &len);
    bool is_same;

    CHECK(text && context_length <= MAX_CONTEXT);
    CHECK_OK(ims_tokenizer_encode(t, text, len, &tokens, &err), err);
    is_same = (size_t)tokens.n == ims__json_len(want);
    for (int i = 0; i < tokens.n && is_same; i++)
        is_same = ids[i] == ims__json_int(ims__json_at(want, (size_t)i), -1);
    if (!is_same)
        test_fail(__FILE__, __LINE__, "\"%s\": %d ids, the first %d, differ from the reference",
                  text, tokens.n, (int)ids[0]);
    for (int i = tokens.n; i < context_length; i++)
        CHECK_INT(ids[i], ims_tokenizer_pad_id(t));
}

void check_cases(const struct ims_tokenizer *t, const char *path, int context_length)
{
    size_t len;
    char *text = test_read_file(test_source_path(path), &len);
    ims_json *rows = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims__json_parse(&rows, text, len, path, &err), err);
    free(text);
    CHECK(ims__json_len(rows) > 20);
    for (size_t i = 0; i < ims__json_len(rows); i++)
        check_case(t, ims__json_at(rows, i), context_length);
    ims__json_free(rows);
}
