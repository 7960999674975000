/* The order of the cleaning steps, and those that are not about HTML.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/textclean.h"

#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define ESCAPE 0x1Bu

static bool is_digit(uint32_t cp)
{
    return (ims__unicode_props(cp) & IMS__CHAR_DIGIT) != 0;
}

static bool is_ascii_letter(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z');
}

void ims__textclean_terminal(struct ims__cps *s)
{
    size_t to = 0;

    for (size_t i = 0; i < s->n;) {
        size_t end = i;

        if (s->at[i] == ESCAPE && i + 1 < s->n && s->at[i + 1] == '[') {
            end = i + 2;
            while (end < s->n && (s->at[end] == ';' || is_digit(s->at[end])))
                end++;
            end = end < s->n && is_ascii_letter(s->at[end]) ? end + 1 : i;
        }
        if (end > i)
            i = end;
        else
            s->at[to++] = s->at[i++];
    }
    s->n = to;
}

static bool is_control(uint32_t cp)
{
    if (cp < 0x20)
        return cp != '\t' && cp != '\n' && cp != '\f' && cp != '\r';
    return cp == 0x7F || (cp >= 0x206A && cp <= 0x206F) || cp == 0xFEFF ||
           (cp >= 0xFFF9 && cp <= 0xFFFC);
}

void ims__textclean_controls(struct ims__cps *s)
{
    size_t to = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (!is_control(s->at[i]))
            s->at[to++] = s->at[i];
    }
    s->n = to;
}

/* C1 controls, ligatures, character width, quotes and line breaks: one table, as each of the steps
 * looks at single characters. Only \r\n needs a look ahead. */
static ims_status fix_characters(struct ims__cps *s)
{
    struct ims__cps out = { 0 };
    ims_status st = ims__cps_reserve(&out, s->n + 8);

    for (size_t i = 0; i < s->n && !st; i++) {
        uint32_t cp = s->at[i];
        uint32_t to[3];
        size_t n;

        if (cp == '\r' && i + 1 < s->n && s->at[i + 1] == '\n')
            continue;
        n = cp >= 0x20 && cp < 0x80 ? 0 : ims__unicode_fix(cp, to);
        st = n ? ims__cps_add_all(&out, to, n) : ims__cps_add(&out, cp);
    }
    if (st) {
        ims__cps_release(&out);
        return st;
    }
    ims__cps_release(s);
    *s = out;
    return IMS_OK;
}

/* Text that no step changes: what most queries are. */
static bool is_plain(const struct ims__cps *s)
{
    for (size_t i = 0; i < s->n; i++) {
        uint32_t cp = s->at[i];

        if (cp >= 0x7F || cp == '&' || (cp < 0x20 && cp != '\t' && cp != '\n'))
            return false;
    }
    return true;
}

static ims_status fix_once(struct ims__cps *s, bool unescape)
{
    ims_status st;

    if (unescape)
        ims__textclean_unescape_careful(s);
    st = fix_characters(s);
    if (st)
        return st;
    ims__textclean_terminal(s);
    ims__textclean_controls(s);
    return ims__unicode_nfc(s);
}

/* Rounds over one line until one of them changes nothing. */
static ims_status fix_line(struct ims__cps *line, bool unescape, size_t *work, ims_err *err)
{
    struct ims__cps before = { 0 };
    ims_status st = IMS_OK;

    while (!is_plain(line)) {
        if (line->n > *work) {
            st = ims_fail(err, IMS_E_LIMIT, "textclean", 0,
                          "the text has too many nested character references");
            break;
        }
        *work -= line->n;
        before.n = 0;
        st = ims__cps_add_all(&before, line->at, line->n);
        if (!st)
            st = fix_once(line, unescape);
        if (st) {
            st = ims_fail(err, st, "textclean", 0, "fixing a line of %zu characters", before.n);
            break;
        }
        if (line->n == before.n &&
            (line->n == 0 || memcmp(line->at, before.at, line->n * sizeof(*line->at)) == 0))
            break;
    }
    ims__cps_release(&before);
    return st;
}

ims_status ims__textclean_fix(struct ims__cps *s, ims_err *err)
{
    struct ims__cps out = { 0 }, line = { 0 };
    size_t work = IMS__CLEAN_MAX_WORK;
    bool unescape = true;
    ims_status st = IMS_OK;

    if (is_plain(s))
        return IMS_OK;
    for (size_t from = 0, end; from < s->n; from = end) {
        for (end = from; end < s->n && s->at[end] != '\n';) {
            /* Text with a '<' is taken for HTML: its references stay, from this line on. */
            if (s->at[end++] == '<')
                unescape = false;
        }
        end += end < s->n;
        line.n = 0;
        st = ims__cps_add_all(&line, s->at + from, end - from);
        if (!st) {
            st = fix_line(&line, unescape, &work, err);
            if (st)
                goto out;
            st = ims__cps_add_all(&out, line.at, line.n);
        }
        if (st) {
            st = ims_fail(err, st, "textclean", 0, "copying a line of %zu characters", line.n);
            goto out;
        }
    }
    ims__cps_release(s);
    *s = out;
    memset(&out, 0, sizeof(out));
out:
    ims__cps_release(&out);
    ims__cps_release(&line);
    return st;
}

void ims__textclean_spaces(struct ims__cps *s)
{
    size_t to = 0;
    bool gap = false;

    for (size_t i = 0; i < s->n; i++) {
        if (ims__unicode_props(s->at[i]) & IMS__CHAR_SPACE) {
            gap = to > 0;
            continue;
        }
        /* A space precedes this character in the source too, so to never overtakes i. */
        if (gap)
            s->at[to++] = ' ';
        gap = false;
        s->at[to++] = s->at[i];
    }
    s->n = to;
}

void ims__textclean_punctuation(struct ims__cps *s)
{
    size_t to = 0;

    for (size_t i = 0; i < s->n; i++) {
        uint32_t cp = s->at[i];

        if (cp == '_')
            cp = ' ';
        if (!(cp > ' ' && cp < 0x7F) || (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') ||
            (cp >= 'a' && cp <= 'z'))
            s->at[to++] = cp;
    }
    s->n = to;
}

ims_status ims__textclean(const char *utf8, size_t len, ims_clean kind, struct ims__cps *out,
                          ims_err *err)
{
    ims_status st;

    if (len > IMS_MAX_TEXT_BYTES)
        return ims_fail(err, IMS_E_LIMIT, "textclean", 0,
                        "a text of %zu bytes, at most %zu are read", len, IMS_MAX_TEXT_BYTES);
    out->n = 0;
    st = ims__cps_add_utf8(out, utf8, len);
    if (st)
        return ims_fail(err, st, "textclean", 0, "decoding %zu bytes", len);
    st = ims__textclean_fix(out, err);
    if (st)
        return st;
    ims__textclean_unescape(out);
    ims__textclean_unescape(out);
    if (kind == IMS_CLEAN_CANONICAL)
        ims__textclean_punctuation(out);
    ims__textclean_spaces(out);
    st = ims__unicode_lower(out);
    if (st)
        return ims_fail(err, st, "textclean", 0, "lower case of %zu characters", out->n);
    return IMS_OK;
}
