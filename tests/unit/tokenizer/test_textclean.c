/* The cleaning steps one by one against values of the reference, and what no reference says: bytes
 * that are not UTF-8, limits, memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "harness/test.h"
#include "models/clip/textclean.h"
#include "models/clip/tokenizer_split.h"
#include "models/clip/unicode.h"

#include <stdlib.h>
#include <string.h>

static ims_json *load_steps(void)
{
    ims_json *steps = NULL;
    ims_err err = { 0 };
    size_t len;
    char *text = test_read_file(test_source_path("tests/golden/tokenizer/steps.json"), &len);

    if (ims__json_parse(&steps, text, len, "steps.json", &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    free(text);
    return steps;
}

typedef ims_status step_fn(struct ims__cps *s);

static ims_status unescape(struct ims__cps *s)
{
    ims__textclean_unescape(s);
    return IMS_OK;
}

static ims_status unescape_careful(struct ims__cps *s)
{
    ims__textclean_unescape_careful(s);
    return IMS_OK;
}

static ims_status terminal(struct ims__cps *s)
{
    ims__textclean_terminal(s);
    return IMS_OK;
}

static ims_status controls(struct ims__cps *s)
{
    ims__textclean_controls(s);
    return IMS_OK;
}

static ims_status spaces(struct ims__cps *s)
{
    ims__textclean_spaces(s);
    return IMS_OK;
}

static ims_status fix(struct ims__cps *s)
{
    return ims__textclean_fix(s, NULL);
}

/* The whole, back from and to code points to share the loop below. */
static ims_status clean_as(struct ims__cps *s, ims_clean kind)
{
    struct ims_buf utf8;
    ims_status st;

    ims__buf_init(&utf8, IMS_MIB);
    st = ims__cps_to_utf8(s->at, s->n, &utf8);
    if (!st)
        st = ims__textclean(utf8.data ? utf8.data : "", utf8.len, kind, s, NULL);
    ims__buf_release(&utf8);
    return st;
}

static ims_status clean(struct ims__cps *s)
{
    return clean_as(s, IMS_CLEAN_LOWER);
}

static ims_status canonicalize(struct ims__cps *s)
{
    return clean_as(s, IMS_CLEAN_CANONICAL);
}

static void check_step(const char *name, size_t min_cases, step_fn *step)
{
    ims_json *steps = load_steps();
    const ims_json *cases = ims__json_get(steps, name);

    CHECK(ims__json_len(cases) >= min_cases);
    for (size_t i = 0; i < ims__json_len(cases); i++) {
        struct ims__cps s = { 0 };
        struct ims_buf got;
        size_t in_len, want_len;
        const char *in = ims__json_str(ims__json_at(ims__json_at(cases, i), 0), &in_len);
        const char *want = ims__json_str(ims__json_at(ims__json_at(cases, i), 1), &want_len);

        ims__buf_init(&got, IMS_MIB);
        CHECK_INT(ims__cps_add_utf8(&s, in, in_len), IMS_OK);
        CHECK_INT(step(&s), IMS_OK);
        CHECK_INT(ims__cps_to_utf8(s.at, s.n, &got), IMS_OK);
        if (got.len != want_len || (want_len && memcmp(got.data, want, want_len) != 0))
            test_fail(__FILE__, __LINE__, "%s of \"%s\": \"%s\", the reference has \"%s\"", name,
                      in, got.len ? got.data : "", want);
        ims__buf_release(&got);
        ims__cps_release(&s);
    }
    ims__json_free(steps);
}

TEST(unescape, "HTML references are undone with all of HTML5's leniency")
{
    check_step("unescape", 50, unescape);
}

TEST(careful, "ftfy's careful form undoes complete references only")
{
    check_step("unescape_careful", 40, unescape_careful);
}

TEST(terminal, "terminal escape sequences go")
{
    check_step("terminal", 10, terminal);
}

TEST(controls, "control characters go, white space and joiners stay")
{
    check_step("controls", 8, controls);
}

TEST(nfc, "text is normalised to NFC")
{
    check_step("nfc", 30, ims__unicode_nfc);
}

TEST(spaces, "white space of any kind becomes single spaces")
{
    check_step("spaces", 10, spaces);
}

TEST(lower, "lower case knows final sigma and the dotted capital i")
{
    check_step("lower", 30, ims__unicode_lower);
}

TEST(fix, "ftfy's steps repeat line by line until nothing changes")
{
    check_step("fix", 30, fix);
}

TEST(clean, "the whole cleaning equals the reference")
{
    check_step("clean", 20, clean);
}

TEST(canonicalize, "SigLIP's cleaning equals the reference")
{
    check_step("canonicalize", 15, canonicalize);
}

TEST(split, "text is cut into pieces as by the reference's pattern")
{
    ims_json *steps = load_steps();
    const ims_json *cases = ims__json_get(steps, "split");

    CHECK(ims__json_len(cases) >= 40);
    for (size_t i = 0; i < ims__json_len(cases); i++) {
        const ims_json *want = ims__json_at(ims__json_at(cases, i), 1);
        struct ims__cps s = { 0 };
        struct ims__piece piece;
        size_t len, pos = 0, n = 0;
        const char *in = ims__json_str(ims__json_at(ims__json_at(cases, i), 0), &len);

        CHECK_INT(ims__cps_add_utf8(&s, in, len), IMS_OK);
        while (ims__split_next(s.at, s.n, &pos, &piece)) {
            struct ims_buf text;

            ims__buf_init(&text, IMS_MIB);
            CHECK_INT(ims__cps_to_utf8(piece.at, piece.n, &text), IMS_OK);
            CHECK_STR(text.data, ims__json_str(ims__json_at(want, n), NULL));
            n++;
            ims__buf_release(&text);
        }
        CHECK_INT(n, ims__json_len(want));
        ims__cps_release(&s);
    }
    ims__json_free(steps);
}

TEST(specials, "only the exact spelling of a special token is one")
{
    static const uint32_t text[] = {
        '<', 'e', 'n', 'd', '_', 'o', 'f', '_', 't', 'e', 'x', 't', '>'
    };
    uint32_t start[15];
    struct ims__piece piece;
    size_t pos = 0;

    CHECK(ims__split_next(text, IMS_ARRAY_LEN(text), &pos, &piece));
    CHECK_INT(piece.kind, IMS__PIECE_END);
    for (size_t i = 0; i < 15; i++)
        start[i] = (unsigned char)"<start_of_text>"[i];
    pos = 0;
    CHECK(ims__split_next(start, 15, &pos, &piece));
    CHECK_INT(piece.kind, IMS__PIECE_START);
    start[1] = 0x17F;
    pos = 0;
    CHECK(ims__split_next(start, 15, &pos, &piece));
    CHECK_INT(piece.kind, IMS__PIECE_WORD);
    CHECK_INT(piece.n, 15);
}

TEST(invalid, "each byte that is not UTF-8 reads as U+FFFD")
{
    static const char bad[] = "a\xFF\xC3(\xE2\x82 \xED\xA0\x80\xF4\x90\x80\x80z\0y";
    struct ims__cps s = { 0 };
    struct ims_buf out;
    ims_err err = { 0 };

    ims__buf_init(&out, IMS_MIB);
    CHECK_OK(ims__textclean(bad, sizeof(bad) - 1, IMS_CLEAN_LOWER, &s, &err), err);
    CHECK_INT(ims__cps_to_utf8(s.at, s.n, &out), IMS_OK);
#define FFFD "\xEF\xBF\xBD"
    CHECK_STR(out.data, "a" FFFD FFFD "(" FFFD FFFD " " FFFD FFFD FFFD FFFD FFFD FFFD FFFD "zy");
    ims__buf_release(&out);
    ims__cps_release(&s);
}

static char *repeat(const char *unit, size_t n_bytes)
{
    char *s = ims__alloc(n_bytes, 1);

    for (size_t i = 0; i < n_bytes; i++)
        s[i] = unit[i % strlen(unit)];
    return s;
}

TEST(limit, "a text above the limit is refused")
{
    struct ims__cps s = { 0 };
    char *text = repeat("x", IMS_MAX_TEXT_BYTES + 1);
    ims_err err = { 0 };

    CHECK_OK(ims__textclean(text, IMS_MAX_TEXT_BYTES, IMS_CLEAN_LOWER, &s, &err), err);
    CHECK_INT(s.n, IMS_MAX_TEXT_BYTES);
    CHECK_STATUS(ims__textclean(text, IMS_MAX_TEXT_BYTES + 1, IMS_CLEAN_LOWER, &s, &err),
                 IMS_E_LIMIT, err);
    ims__free(text);
    ims__cps_release(&s);
}

TEST(nested, "references nested without end are refused instead of undone for seconds")
{
    struct ims__cps s = { 0 };
    char *text = repeat("amp;", IMS_MAX_TEXT_BYTES);
    ims_err err = { 0 };

    text[0] = '&'; /* "&mp;..." is nothing; below it becomes "&amp;amp;..." */
    CHECK_OK(ims__textclean(text, IMS_MAX_TEXT_BYTES, IMS_CLEAN_LOWER, &s, &err), err);
    text[3] = '&';
    CHECK_STATUS(ims__textclean(text, IMS_MAX_TEXT_BYTES, IMS_CLEAN_LOWER, &s, &err), IMS_E_LIMIT,
                 err);
    CHECK_OK(ims__textclean(text + 3, 4001, IMS_CLEAN_LOWER, &s, &err),
             err); /* 1,000 levels are still undone */
    CHECK_INT(s.n, 1);
    ims__free(text);
    ims__cps_release(&s);
}

TEST(marks, "64 KiB of combining marks in disorder are sorted")
{
    struct ims__cps s = { 0 };
    char *text = repeat("\xCC\x95\xCC\x80", IMS_MAX_TEXT_BYTES); /* classes 232, 230 */
    ims_err err = { 0 };

    CHECK_OK(ims__textclean(text, IMS_MAX_TEXT_BYTES, IMS_CLEAN_LOWER, &s, &err), err);
    CHECK_INT(s.n, IMS_MAX_TEXT_BYTES / 2);
    for (size_t i = 0; i < s.n; i++)
        CHECK_INT(s.at[i], i < s.n / 2 ? 0x300 : 0x315);
    ims__free(text);
    ims__cps_release(&s);
}

TEST(memory, "cleaning survives every single failing allocation")
{
    static const char text[] = "I\xCC\x87&amp;\n\xEF\xAC\x83 e\xCC\x81\xCC\xA3 \xC4\xB0 A\xCE\xA3";
    struct ims__cps s = { 0 };
    ims_status st = IMS_E_NOMEM;
    uint64_t n;

    for (n = 1; st == IMS_E_NOMEM && n < 1000; n++) {
        ims__cps_release(&s);
        ims__mem_fail_at(n);
        st = ims__textclean(text, sizeof(text) - 1, IMS_CLEAN_LOWER, &s, NULL);
        ims__mem_fail_at(0);
    }
    CHECK_INT(st, IMS_OK);
    CHECK(n > 5);
    ims__cps_release(&s);
}

TEST_MAIN
