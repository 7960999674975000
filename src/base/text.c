/* UTF-8, display forms and small parsers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BAD_CODE_POINT 0xFFFFFFFFu

/* The first continuation byte is limited more tightly after E0, ED, F0 and F4: that is what excludes
 * overlong forms, surrogates and values above U+10FFFF (Unicode, table 3-7). */
size_t ims__utf8_decode(const char *s, size_t n, uint32_t *out_cp)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned char lo = 0x80, hi = 0xbf;
    size_t len;
    uint32_t cp;

    if (n == 0)
        return 0;
    *out_cp = BAD_CODE_POINT;
    if (p[0] < 0x80) {
        *out_cp = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;
        cp = p[0] & 0x1fu;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        cp = p[0] & 0x0fu;
        if (p[0] == 0xe0)
            lo = 0xa0;
        if (p[0] == 0xed)
            hi = 0x9f;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        cp = p[0] & 0x07u;
        if (p[0] == 0xf0)
            lo = 0x90;
        if (p[0] == 0xf4)
            hi = 0x8f;
    } else {
        return 1;
    }
    if (n < len || p[1] < lo || p[1] > hi)
        return 1;
    cp = cp << 6 | (p[1] & 0x3fu);
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        cp = cp << 6 | (p[i] & 0x3fu);
    }
    *out_cp = cp;
    return len;
}

size_t ims__utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp >= 0xd800 && cp <= 0xdfff)
        return 0;
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    if (cp > 0x10ffff)
        return 0;
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

bool ims__utf8_is_valid(const char *s, size_t n)
{
    size_t i = 0;
    uint32_t cp;

    while (i < n) {
        i += ims__utf8_decode(s + i, n - i, &cp);
        if (cp == BAD_CODE_POINT)
            return false;
    }
    return true;
}

#define MAX_UNIT 8 /* bytes of one unit of the display form: two escapes */

/* The display form of what bytes[0..n) begins with: its length, and in *out_used how much was read. */
static size_t display_unit(const char *bytes, size_t n, char out[MAX_UNIT], size_t *out_used)
{
    static const char digits[] = "0123456789ABCDEF";
    uint32_t cp;
    size_t len = 0;

    *out_used = ims__utf8_decode(bytes, n, &cp);
    if (cp == '\\') {
        memcpy(out, "\\\\", 2);
        return 2;
    }
    if (cp != BAD_CODE_POINT && cp >= 0x20 && (cp < 0x7f || cp > 0x9f)) {
        memcpy(out, bytes, *out_used);
        return *out_used;
    }
    for (size_t i = 0; i < *out_used; i++) {
        out[len++] = '\\';
        out[len++] = 'x';
        out[len++] = digits[(unsigned char)bytes[i] >> 4];
        out[len++] = digits[(unsigned char)bytes[i] & 15];
    }
    return len;
}

ims_status ims__display(const char *bytes, size_t n, struct ims_buf *out)
{
    for (size_t i = 0, used; i < n; i += used) {
        char unit[MAX_UNIT];
        size_t len = display_unit(bytes + i, n - i, unit, &used);
        ims_status st = ims__buf_add(out, unit, len);

        if (st)
            return st;
    }
    return ims__buf_reserve(out, 0);
}

const char *ims__shown(char *out, size_t size, const char *bytes)
{
    size_t n = strlen(bytes), len = 0, cut = 0; /* cut: the last place with room for the dots */

    for (size_t i = 0, used; i < n; i += used) {
        char unit[MAX_UNIT];
        size_t more = display_unit(bytes + i, n - i, unit, &used);

        if (len + more + 1 > size) {
            memcpy(out + cut, "...", 3);
            len = cut + 3;
            break;
        }
        memcpy(out + len, unit, more);
        len += more;
        if (len + sizeof("...") <= size)
            cut = len;
    }
    out[len] = '\0';
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

ims_status ims__undisplay(const char *s, size_t n, struct ims_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        ims_status st;

        if (s[i] != '\\') {
            st = ims__buf_add_char(out, s[i]);
        } else if (n - i >= 2 && s[i + 1] == '\\') {
            st = ims__buf_add_char(out, '\\');
            i++;
        } else if (n - i >= 4 && s[i + 1] == 'x' && hex_digit(s[i + 2]) >= 0 &&
                   hex_digit(s[i + 3]) >= 0) {
            st = ims__buf_add_char(out, (char)(hex_digit(s[i + 2]) * 16 + hex_digit(s[i + 3])));
            i += 3;
        } else {
            return IMS_E_FORMAT;
        }
        if (st)
            return st;
    }
    return ims__buf_reserve(out, 0);
}

void ims__html_add(struct ims_buf *out, const char *s)
{
    static const char *const references[128] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"
    };

    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 128 && references[c])
            (void)ims__buf_add_str(out, references[c]);
        else
            (void)ims__buf_add_char(out, *s);
    }
}

ims_status ims__base64(const void *p, size_t n, struct ims_buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = p;
    ims_status st = ims__buf_reserve(out, n / 3 * 4 + 4);

    for (size_t i = 0; !st && i < n; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16;
        char four[4];

        if (i + 1 < n)
            v |= (uint32_t)in[i + 1] << 8;
        if (i + 2 < n)
            v |= in[i + 2];
        four[0] = digits[v >> 18];
        four[1] = digits[v >> 12 & 63];
        four[2] = i + 1 < n ? digits[v >> 6 & 63] : '=';
        four[3] = i + 2 < n ? digits[v & 63] : '=';
        st = ims__buf_add(out, four, 4);
    }
    return st;
}

bool ims__parse_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    long long v;

    if (!s || !*s || strchr(" \t\n\r\v\f", *s))
        return false;
    errno = 0;
    v = strtoll(s, &end, 10);
    if (errno || *end || v < min || v > max)
        return false;
    *out = v;
    return true;
}

bool ims__parse_double(const char *s, double min, double max, double *out)
{
    char *end;
    double v;

    if (!s || !*s || strchr(" \t\n\r\v\f", *s))
        return false;
    errno = 0;
    v = strtod(s, &end);
    if (*end || !isfinite(v) || v < min || v > max)
        return false;
    *out = v;
    return true;
}

int ims__strcasecmp_ascii(const char *a, const char *b)
{
    for (;; a++, b++) {
        unsigned char x = (unsigned char)*a, y = (unsigned char)*b;

        if (x >= 'A' && x <= 'Z')
            x = (unsigned char)(x + 32);
        if (y >= 'A' && y <= 'Z')
            y = (unsigned char)(y + 32);
        if (x != y || !x)
            return (int)x - (int)y;
    }
}

bool ims__parse_bool(const char *s, bool *out)
{
    static const char *const yes[] = { "true", "1", "yes", "on" };
    static const char *const no[] = { "false", "0", "no", "off" };

    for (size_t i = 0; i < 4; i++) {
        if (ims__strcasecmp_ascii(s, yes[i]) == 0) {
            *out = true;
            return true;
        }
        if (ims__strcasecmp_ascii(s, no[i]) == 0) {
            *out = false;
            return true;
        }
    }
    return false;
}

/* Reads exactly n digits. */
static bool read_digits(const char **s, int n, int *out)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if ((*s)[i] < '0' || (*s)[i] > '9')
            return false;
        v = v * 10 + ((*s)[i] - '0');
    }
    *s += n;
    *out = v;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && is_leap ? 29 : days[month - 1];
}

static bool parse_time_of_day(const char *s, int64_t *out_seconds)
{
    int h, m, sec;

    if (!read_digits(&s, 2, &h) || *s++ != ':' || !read_digits(&s, 2, &m) || *s++ != ':' ||
        !read_digits(&s, 2, &sec))
        return false;
    if (*s == 'Z')
        s++;
    if (*s || h > 23 || m > 59 || sec > 59)
        return false;
    *out_seconds = h * 3600 + m * 60 + sec;
    return true;
}

bool ims__parse_date(const char *s, int64_t *out_from_us, int64_t *out_until_us)
{
    const int64_t day_us = (int64_t)86400 * 1000000;
    int year, month = 1, day = 1;
    int64_t from, until, seconds;

    if (!read_digits(&s, 4, &year))
        return false;
    if (!*s) {
        *out_from_us = ims__days_from_civil(year, 1, 1) * day_us;
        *out_until_us = ims__days_from_civil(year + 1, 1, 1) * day_us;
        return true;
    }
    if (*s++ != '-' || !read_digits(&s, 2, &month) || month < 1 || month > 12)
        return false;
    from = ims__days_from_civil(year, (unsigned)month, 1) * day_us;
    until = from + days_in_month(year, month) * day_us;
    if (*s) {
        if (*s++ != '-' || !read_digits(&s, 2, &day) || day < 1 || day > days_in_month(year, month))
            return false;
        from += (day - 1) * day_us;
        until = from + day_us;
    }
    if (*s) {
        if ((*s != 'T' && *s != ' ') || !parse_time_of_day(s + 1, &seconds))
            return false;
        from += seconds * 1000000;
        until = from + 1000000;
    }
    *out_from_us = from;
    *out_until_us = until;
    return true;
}

bool ims__starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool ims__ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n >= m && strcmp(s + n - m, suffix) == 0;
}
