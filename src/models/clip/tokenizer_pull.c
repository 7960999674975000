/* Pulling values out of a list of a tokenizer.json.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_json.h"

#include "base/text.h"

#include <float.h>
#include <string.h>

static void skip_space(struct ims__json_pull *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

static bool fail(struct ims__json_pull *p, ims_status st)
{
    if (!p->status)
        p->status = st;
    return false;
}

static bool take(struct ims__json_pull *p, char c)
{
    skip_space(p);
    if (p->at == p->end || *p->at != c)
        return false;
    p->at++;
    return true;
}

void ims__pull_init(struct ims__json_pull *p, struct ims__json_span span)
{
    p->at = span.at;
    p->end = span.at + span.len;
    p->status = IMS_OK;
    p->n_text = 0;
    p->text[0] = '\0';
}

bool ims__pull_enter(struct ims__json_pull *p, char bracket)
{
    return !p->status && take(p, bracket);
}

/* The comma before the next value, or the closing bracket. */
static bool next(struct ims__json_pull *p, bool *is_first, char closing)
{
    bool was_first = *is_first;

    *is_first = false;
    if (p->status || take(p, closing))
        return false;
    return was_first || take(p, ',') || fail(p, IMS_E_FORMAT);
}

bool ims__pull_element(struct ims__json_pull *p, bool *is_first)
{
    return next(p, is_first, ']');
}

bool ims__pull_member(struct ims__json_pull *p, bool *is_first)
{
    if (!next(p, is_first, '}'))
        return false;
    return (ims__pull_string(p) && take(p, ':')) || fail(p, IMS_E_FORMAT);
}

static bool put(struct ims__json_pull *p, const char *bytes, size_t n)
{
    if (n >= sizeof(p->text) - p->n_text)
        return fail(p, IMS_E_LIMIT);
    memcpy(p->text + p->n_text, bytes, n);
    p->n_text += n;
    return true;
}

static bool read_hex4(struct ims__json_pull *p, uint32_t *out)
{
    uint32_t v = 0;

    if (p->end - p->at < 4)
        return fail(p, IMS_E_FORMAT);
    for (int i = 0; i < 4; i++) {
        char c = *p->at++;

        if (c >= '0' && c <= '9')
            v = v * 16 + (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f')
            v = v * 16 + (uint32_t)((c | 32) - 'a' + 10);
        else
            return fail(p, IMS_E_FORMAT);
    }
    *out = v;
    return true;
}

/* What follows "\u". NUL is refused: no token has one, and tokens are kept as C strings. */
static bool read_unicode_escape(struct ims__json_pull *p)
{
    char bytes[4];
    uint32_t cp, low;
    size_t n;

    if (!read_hex4(p, &cp))
        return false;
    if (cp >= 0xD800 && cp <= 0xDBFF) {
        if (p->end - p->at < 2 || p->at[0] != '\\' || p->at[1] != 'u')
            return fail(p, IMS_E_FORMAT);
        p->at += 2;
        if (!read_hex4(p, &low) || low < 0xDC00 || low > 0xDFFF)
            return fail(p, IMS_E_FORMAT);
        cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
    }
    n = cp ? ims__utf8_encode(cp, bytes) : 0;
    return n ? put(p, bytes, n) : fail(p, IMS_E_FORMAT);
}

static bool read_escape(struct ims__json_pull *p)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *found;
    char c;

    if (p->at == p->end)
        return fail(p, IMS_E_FORMAT);
    c = *p->at++;
    if (c == 'u')
        return read_unicode_escape(p);
    found = c ? strchr(names, c) : NULL;
    return found ? put(p, &meanings[found - names], 1) : fail(p, IMS_E_FORMAT);
}

/* A character of ASCII that stands for itself in a string. */
static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

bool ims__pull_string(struct ims__json_pull *p)
{
    if (p->status || !take(p, '"'))
        return false;
    p->n_text = 0;
    while (p->at < p->end && *p->at != '"') {
        const char *at = p->at;
        uint32_t cp;

        while (p->at < p->end && is_plain(*p->at))
            p->at++;
        if (p->at > at) {
            if (!put(p, at, (size_t)(p->at - at)))
                return false;
            continue;
        }
        if (*at == '\\') {
            p->at++;
            if (!read_escape(p))
                return false;
            continue;
        }
        p->at += ims__utf8_decode(at, (size_t)(p->end - at), &cp);
        if (cp < 0x20 || cp > 0x10FFFF)
            return fail(p, IMS_E_FORMAT);
        if (!put(p, at, (size_t)(p->at - at)))
            return false;
    }
    if (p->at == p->end)
        return fail(p, IMS_E_FORMAT);
    p->at++;
    p->text[p->n_text] = '\0';
    return true;
}

static bool is_digit(const struct ims__json_pull *p, const char *at)
{
    return at < p->end && *at >= '0' && *at <= '9';
}

bool ims__pull_int(struct ims__json_pull *p, int64_t *out)
{
    const char *at;
    bool is_negative;
    int64_t v = 0;

    skip_space(p);
    is_negative = p->at < p->end && *p->at == '-';
    at = p->at + is_negative;
    if (p->status || !is_digit(p, at) || (*at == '0' && is_digit(p, at + 1)))
        return false;
    for (; is_digit(p, at); at++) {
        if (v > (INT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (*at - '0');
    }
    if (at < p->end && (*at == '.' || *at == 'e' || *at == 'E'))
        return false;
    p->at = at;
    *out = is_negative ? -v : v;
    return true;
}

/* Digits, if any; at least one. */
static bool skip_digits(const struct ims__json_pull *p, const char **at)
{
    const char *from = *at;

    while (is_digit(p, *at))
        ++*at;
    return *at > from;
}

bool ims__pull_number(struct ims__json_pull *p, double *out)
{
    char text[64];
    const char *at;
    size_t n;

    skip_space(p);
    at = p->at + (p->at < p->end && *p->at == '-');
    if (p->status || (is_digit(p, at) && *at == '0' && is_digit(p, at + 1)) || !skip_digits(p, &at))
        return false;
    if (at < p->end && *at == '.') {
        at++;
        if (!skip_digits(p, &at))
            return false;
    }
    if (at < p->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < p->end && (*at == '-' || *at == '+');
        if (!skip_digits(p, &at))
            return false;
    }
    n = (size_t)(at - p->at);
    if (n >= sizeof(text))
        return false;
    memcpy(text, p->at, n);
    text[n] = '\0';
    if (!ims__parse_double(text, -DBL_MAX, DBL_MAX, out))
        return false;
    p->at = at;
    return true;
}

const char *ims__pull_found(struct ims__json_pull *p)
{
    skip_space(p);
    if (p->status || p->at == p->end)
        return "malformed text";
    switch (*p->at) {
    case '"':
        return "a string";
    case '[':
        return "an array";
    case '{':
        return "an object";
    case 't':
    case 'f':
        return "a boolean";
    case 'n':
        return "null";
    default:
        return *p->at == '-' || is_digit(p, p->at) ? "another number" : "malformed text";
    }
}

bool ims__pull_is_at_end(struct ims__json_pull *p)
{
    skip_space(p);
    return !p->status && p->at == p->end;
}

/* The characters that mean something to skip_value outside strings. */
static bool is_mark(char c)
{
    static const bool marks[256] = {
        ['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true, [','] = true
    };

    return marks[(unsigned char)c];
}

/* From an opening quote to the closing one; false when there is none. */
static bool skip_string(struct ims__json_pull *p)
{
    const char *at = p->at + 1;

    while (at < p->end && *at != '"')
        at += *at == '\\' && at + 1 < p->end ? 2 : 1;
    p->at = at;
    return at < p->end;
}

static bool skip_value(struct ims__json_pull *p)
{
    size_t depth = 0;

    for (; p->at < p->end; p->at++) {
        char c = *p->at;

        if (!is_mark(c))
            continue;
        if (c == '"') {
            if (!skip_string(p))
                return false;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0)
                return true; /* the closing bracket of the container around a plain value */
            if (--depth == 0) {
                p->at++;
                return true;
            }
        } else if (c == ',' && depth == 0) {
            return true;
        }
    }
    return false;
}

bool ims__pull_skip(struct ims__json_pull *p, struct ims__json_span *out)
{
    const char *from;

    skip_space(p);
    from = p->at;
    if (!skip_value(p))
        return false;
    *out = (struct ims__json_span){ from, (size_t)(p->at - from) };
    return true;
}
