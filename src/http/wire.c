/* Parsers of a request's address and headers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/wire.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* -1: no hexadecimal digit */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool ims__wire_decode(char *s, bool is_query)
{
    char *out = s;

    for (; *s; s++) {
        int high, low;

        if (*s != '%') {
            *out++ = (char)(*s == '+' && is_query ? ' ' : *s);
            continue;
        }
        high = hex_value(s[1]);
        low = high < 0 ? -1 : hex_value(s[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *out++ = (char)(high * 16 + low);
        s += 2;
    }
    *out = '\0';
    return true;
}

int ims__wire_range(const char *range, uint64_t n, uint64_t *out_first, uint64_t *out_count)
{
    char first[24] = "", last[24] = "";
    int64_t a = 0, b = (int64_t)n - 1;
    int used = 0;

    if (!range || strchr(range, ',') || strncmp(range, "bytes=", 6) != 0)
        return 200;
    range += 6;
    used = (int)strspn(range, "0123456789");
    if (used >= (int)sizeof(first) || range[used] != '-' || strlen(range + used + 1) >= sizeof(last))
        return 200;
    snprintf(first, sizeof(first), "%.*s", used, range);
    snprintf(last, sizeof(last), "%s", range + used + 1);
    if ((*first && !ims__parse_int(first, 0, INT64_MAX, &a)) || (*last && !ims__parse_int(last, 0, INT64_MAX, &b)) ||
        (!*first && !*last))
        return 200;
    if (!*first) { /* the last b bytes */
        a = b >= (int64_t)n ? 0 : (int64_t)n - b;
        b = (int64_t)n - 1;
    } else if (b >= (int64_t)n)
        b = (int64_t)n - 1;
    if (a > b)
        return *last && *first && a < (int64_t)n ? 200 : 416;
    *out_first = (uint64_t)a;
    *out_count = (uint64_t)(b - a + 1);
    return 206;
}

bool ims__wire_knows_etag(const char *list, const char *etag)
{
    size_t n = strlen(etag);

    while (list && *list) {
        const char *end;

        list += strspn(list, ", \t");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        end = *list == '"' ? strchr(list + 1, '"') : NULL;
        if (!end)
            return false;
        if ((size_t)(end + 1 - list) == n && memcmp(list, etag, n) == 0)
            return true;
        list = end + 1;
    }
    return false;
}

/* The weight behind a coding's name: 1 without one. */
static bool is_wanted(const char *parameters, size_t n)
{
    char text[32];
    const char *q;

    snprintf(text, sizeof(text), "%.*s", (int)(n < sizeof(text) ? n : sizeof(text) - 1), parameters);
    q = strstr(text, "q=");
    return !q || strspn(q + 2, "0.") < strcspn(q + 2, "; \t");
}

bool ims__wire_takes_gzip(const char *accepted)
{
    bool is_any = false;

    while (accepted && *accepted) {
        size_t n, name;

        accepted += strspn(accepted, ", \t");
        n = strcspn(accepted, ",");
        name = strcspn(accepted, ",; \t");
        if (name == 4 && strncasecmp(accepted, "gzip", 4) == 0)
            return is_wanted(accepted + name, n - name);
        if (name == 1 && *accepted == '*')
            is_any = is_wanted(accepted + name, n - name);
        accepted += n;
    }
    return is_any;
}
