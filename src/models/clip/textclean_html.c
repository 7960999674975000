/* HTML character references: html.unescape with all its leniency, and the careful form of ftfy.
 *
 * A reference is never shorter than what it stands for, so both rewrite in place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/textclean.h"
#include "models/clip/textclean_entities.h"

#include <string.h>

#define MAX_NAME 32         /* characters that html.unescape looks at, the semicolon not counted */
#define MAX_CAREFUL_NAME 24 /* the same for ftfy */
#define MAX_VALUE 3         /* code points of the longest replacement */

/* What numeric references of the C1 range mean: Windows-1252, as everywhere on the web. */
static const uint16_t c1_meaning[32] = {
    0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
    0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178,
};

static bool is_between(uint32_t cp, uint32_t first, uint32_t last)
{
    return cp >= first && cp <= last;
}

static bool is_ascii_digit(uint32_t cp)
{
    return is_between(cp, '0', '9');
}

static unsigned hex_value(uint32_t cp) /* 16: not a hexadecimal digit */
{
    if (is_ascii_digit(cp))
        return cp - '0';
    if (is_between(cp, 'a', 'f'))
        return cp - 'a' + 10;
    if (is_between(cp, 'A', 'F'))
        return cp - 'A' + 10;
    return 16;
}

/* The index of a name of ASCII letters and digits, or -1. */
static int find_entity(const char *name, size_t len)
{
    size_t lo = 0, hi = ims__n_entities;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct ims__entity *e = &ims__entities[mid];
        const char *text = ims__entity_names[e->place >> 12] + (e->place & 0xFFF);
        size_t common = len < e->name_len ? len : e->name_len;
        int order = memcmp(name, text, common);

        if (order == 0)
            order = (len > e->name_len) - (len < e->name_len);
        if (order == 0)
            return (int)mid;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return -1;
}

/* Copies a value of the tables, where 0 ends a short one. */
static size_t put(uint32_t *to, const uint32_t *cps, size_t max)
{
    size_t n = 0;

    while (n < max && cps[n]) {
        to[n] = cps[n];
        n++;
    }
    return n;
}

/* What the number of a reference stands for: 0 or 1 code points. */
static size_t put_number(uint32_t *to, uint32_t num)
{
    if (is_between(num, 0x80, 0x9F))
        num = c1_meaning[num - 0x80];
    else if (num == 0 || is_between(num, 0xD800, 0xDFFF) || num > 0x10FFFF)
        num = 0xFFFD;
    else if (is_between(num, 0x1, 0x8) || num == 0xB || is_between(num, 0xE, 0x1F) || num == 0x7F ||
             is_between(num, 0xFDD0, 0xFDEF) || (num & 0xFFFE) == 0xFFFE)
        return 0;
    *to = num;
    return 1;
}

/* Reads "#65" or "#x41" at at[0 .. n); returns the characters used, 0 when there is no number. */
static size_t read_number(const uint32_t *at, size_t n, uint32_t *out_num)
{
    unsigned base = 10;
    uint32_t num = 0;
    size_t i = 1;
    size_t first;

    if (n < 2 || at[0] != '#')
        return 0;
    if (at[1] == 'x' || at[1] == 'X') {
        base = 16;
        i = 2;
    }
    for (first = i; i < n && hex_value(at[i]) < base; i++) {
        if (num <= 0x10FFFF)
            num = num * base + hex_value(at[i]);
    }
    if (i == first)
        return 0;
    *out_num = num;
    return i;
}

/* The longest known name at the start of name[0 .. len), for references without a semicolon. */
static int find_legacy_prefix(const char *name, size_t len, size_t *out_len)
{
    for (size_t k = len < ims__max_legacy_entity ? len : ims__max_legacy_entity; k >= 2; k--) {
        int e = find_entity(name, k);

        if (e >= 0 && ims__entities[e].flags & IMS__ENTITY_LEGACY) {
            *out_len = k;
            return e;
        }
    }
    return -1;
}

static bool ends_name(uint32_t cp)
{
    return cp == '\t' || cp == '\n' || cp == '\f' || cp == ' ' || cp == '<' || cp == '&' ||
           cp == '#' || cp == ';';
}

/* A named reference after the '&' at at[-1]; returns the characters used, 0 when it is none. Only
 * the leading letters and digits can belong to a name, but the semicolon counts only if the whole
 * run of up to 32 characters before it is one. */
static size_t replace_name(const uint32_t *at, size_t n, uint32_t *to, size_t *out_n)
{
    char name[MAX_NAME];
    size_t run = 0, len = 0;
    int e;

    while (run < n && run < MAX_NAME && !ends_name(at[run]))
        run++;
    while (len < run && at[len] < 0x80) {
        name[len] = (char)at[len];
        len++;
    }
    if (len == run && run < n && at[run] == ';') {
        e = find_entity(name, len);
        if (e >= 0) {
            *out_n = put(to, ims__entities[e].to, 2);
            return run + 1;
        }
    }
    e = find_legacy_prefix(name, len, &len);
    if (e < 0)
        return 0;
    *out_n = put(to, ims__entities[e].to, 2);
    return len;
}

void ims__textclean_unescape(struct ims__cps *s)
{
    size_t to = 0;

    for (size_t i = 0; i < s->n;) {
        const uint32_t *at = s->at + i + 1;
        size_t rest = s->n - i - 1;
        size_t used, n = 0;
        uint32_t value[MAX_VALUE], num;

        if (s->at[i] != '&') {
            s->at[to++] = s->at[i++];
            continue;
        }
        used = read_number(at, rest, &num);
        if (used) {
            n = put_number(value, num);
            used += used < rest && at[used] == ';';
        } else {
            used = replace_name(at, rest, value, &n);
        }
        if (!used)
            s->at[to++] = '&';
        for (size_t k = 0; k < n; k++)
            s->at[to++] = value[k];
        i += 1 + used;
    }
    s->n = to;
}

/* A name in capitals that ftfy reads as if it were in small letters. */
static size_t replace_capitals(const char *name, size_t len, uint32_t *to)
{
    char small[MAX_CAREFUL_NAME];
    int e;

    for (size_t i = 0; i < len; i++) {
        if (is_between((unsigned char)name[i], 'a', 'z'))
            return 0;
        small[i] = is_between((unsigned char)name[i], 'A', 'Z') ? (char)(name[i] + 32) : name[i];
    }
    e = find_entity(small, len);
    if (e < 0 || !(ims__entities[e].flags & IMS__ENTITY_UPPER))
        return 0;
    for (size_t i = 0; i < ims__n_entity_uppers; i++) {
        if (ims__entity_uppers[i].entity == e)
            return put(to, ims__entity_uppers[i].to, 3);
    }
    return put(to, ims__entities[e].to, 2);
}

/* One complete "name;" or "#number;" after an '&'; returns the characters used or 0. */
static size_t replace_careful(const uint32_t *at, size_t n, uint32_t *to, size_t *out_n)
{
    char name[MAX_CAREFUL_NAME];
    size_t hash = n > 0 && at[0] == '#';
    size_t len = 0;
    uint32_t num;
    int e;

    while (hash + len < n && len < MAX_CAREFUL_NAME && at[hash + len] < 0x80 &&
           (hex_value(at[hash + len]) < 16 || is_between(at[hash + len] | 32, 'a', 'z'))) {
        name[len] = (char)at[hash + len];
        len++;
    }
    if (len == 0 || hash + len >= n || at[hash + len] != ';')
        return 0;
    if (hash) {
        if (read_number(at, n, &num) != 1 + len)
            return 0;
        if (num == ';') /* ftfy takes a semicolon in the result for one left over */
            return 0;
        *out_n = put_number(to, num);
        return len + 2;
    }
    e = find_entity(name, len);
    *out_n = e >= 0 ? put(to, ims__entities[e].to, 2) : replace_capitals(name, len, to);
    return *out_n ? len + 1 : 0;
}

void ims__textclean_unescape_careful(struct ims__cps *s)
{
    size_t to = 0;

    for (size_t i = 0; i < s->n;) {
        size_t used = 0, n = 0;
        uint32_t value[MAX_VALUE];

        if (s->at[i] == '&')
            used = replace_careful(s->at + i + 1, s->n - i - 1, value, &n);
        if (!used)
            s->at[to++] = s->at[i];
        for (size_t k = 0; k < n; k++)
            s->at[to++] = value[k];
        i += 1 + used;
    }
    s->n = to;
}
