/* Lengths, formats and patterns of texts in requests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/schema_text.h"

#include "base/text.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>

size_t ims__schema_text_length(const char *s, size_t n)
{
    size_t count = 0, used = 0;
    uint32_t cp;

    for (; used < n; count++)
        used += ims__utf8_decode(s + used, n - used, &cp);
    return count;
}

static bool is_uuid(const char *s)
{
    size_t i;

    for (i = 0; s[i]; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (is_dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
            return false;
    }
    return i == 36;
}

static bool is_date(const char *s)
{
    int64_t from, until;

    return strlen(s) == 10 && ims__parse_date(s, &from, &until);
}

static bool is_date_time(const char *s)
{
    char plain[32];
    int64_t from, until;
    size_t n = strlen(s);

    if (n < 20 || n >= sizeof(plain) || (s[10] != 'T' && s[10] != 't' && s[10] != ' '))
        return false;
    memcpy(plain, s, 19);
    plain[10] = 'T';
    plain[19] = '\0';
    s += 19;
    if (*s == '.')
        s += 1 + strspn(s + 1, "0123456789");
    if (!ims__parse_date(plain, &from, &until))
        return false;
    if ((*s == 'Z' || *s == 'z') && !s[1])
        return true;
    return (*s == '+' || *s == '-') && strlen(s) == 6 && isdigit((unsigned char)s[1]) && isdigit((unsigned char)s[2]) &&
           s[3] == ':' && isdigit((unsigned char)s[4]) && isdigit((unsigned char)s[5]);
}

bool ims__schema_text_has_format(const char *s, const char *format)
{
    if (strcmp(format, "uuid") == 0)
        return is_uuid(s);
    if (strcmp(format, "date") == 0)
        return is_date(s);
    if (strcmp(format, "date-time") == 0)
        return is_date_time(s);
    return true;
}

ims_status ims__schema_text_matches(const char *s, const char *pattern, ims_err *err)
{
    regex_t re;
    int rc = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);

    if (rc)
        return ims_fail(err, rc == REG_ESPACE ? IMS_E_NOMEM : IMS_E_INTERNAL, "schema", rc, "the pattern %s", pattern);
    rc = regexec(&re, s, 0, NULL, 0);
    regfree(&re);
    return rc == 0 ? IMS_OK : IMS_E_NOT_FOUND;
}
