/* A strict reader of the text form of metrics.
 * SPDX-License-Identifier: Apache-2.0 */
#include "exposition.h"

#include "harness/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FAMILIES 200
#define MAX_SAMPLES 4000
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct reader {
    char family[200], type[20]; /* of the lines that are being read */
    bool has_type;
    char families[MAX_FAMILIES][200];
    int n_families;
    const char *samples[MAX_SAMPLES]; /* name and labels */
    size_t lengths[MAX_SAMPLES];
    int n_samples;
    double bucket; /* the last one of a histogram, -1 = none yet */
    double infinite;
};

static size_t name_length(const char *s)
{
    size_t first = strspn(s, LOWER UPPER "_:");

    return first ? first + strspn(s + first, LOWER UPPER "_:0123456789") : 0;
}

static size_t label_name_length(const char *s)
{
    size_t first = strspn(s, LOWER UPPER "_");

    return first ? first + strspn(s + first, LOWER UPPER "_0123456789") : 0;
}

/* Past "{a="b",...}"; NULL when it is none. */
static const char *skip_labels(const char *s)
{
    for (s++; *s != '}';) {
        size_t n = label_name_length(s);

        if (!n || strncmp(s + n, "=\"", 2) != 0)
            return NULL;
        for (s += n + 2; *s != '"'; s++) {
            if (*s == '\\' && !strchr("\\\"n", *++s))
                return NULL;
            if (!*s || *s == '\n')
                return NULL;
        }
        s++;
        if (*s == ',' && s[1] != '}')
            s++;
        else if (*s != '}')
            return NULL;
    }
    return s + 1;
}

static const char *begin_family(struct reader *r, const char *s, size_t n)
{
    for (int i = 0; i < r->n_families; i++) {
        if (strlen(r->families[i]) == n && strncmp(r->families[i], s, n) == 0)
            return "a family comes twice";
    }
    if (r->n_families == MAX_FAMILIES || n >= sizeof(r->family))
        return "too many families";
    memcpy(r->family, s, n);
    r->family[n] = '\0';
    memcpy(r->families[r->n_families++], r->family, n + 1);
    r->has_type = false;
    r->bucket = r->infinite = -1;
    return NULL;
}

static const char *read_comment(struct reader *r, const char *s, const char *end)
{
    bool is_help = strncmp(s, "# HELP ", 7) == 0;
    size_t n = name_length(s + 7);

    if ((!is_help && strncmp(s, "# TYPE ", 7) != 0) || !n || s[7 + n] != ' ' || s + 8 + n == end)
        return "neither HELP nor TYPE with a name and a word";
    if (is_help)
        return begin_family(r, s + 7, n);
    if (strlen(r->family) != n || strncmp(s + 7, r->family, n) != 0 || r->has_type)
        return "a TYPE that is not that of the HELP before it";
    s += 8 + n;
    if ((size_t)(end - s) >= sizeof(r->type))
        return "no type";
    memcpy(r->type, s, (size_t)(end - s));
    r->type[end - s] = '\0';
    r->has_type = true;
    if (strcmp(r->type, "counter") == 0)
        return strstr(r->family, "_total") ? NULL : "a counter whose name does not end in _total";
    return strcmp(r->type, "gauge") == 0 || strcmp(r->type, "histogram") == 0 ? NULL : "an unknown type";
}

/* What of a histogram this sample is, and whether it fits those before it. */
static const char *read_histogram(struct reader *r, const char *s, size_t n_name, double v)
{
    size_t n = strlen(r->family);
    const char *part = s + n;

    if (strncmp(part, "_sum", n_name - n) == 0)
        return v >= 0 ? NULL : "a negative sum";
    if (strncmp(part, "_count", n_name - n) == 0) {
        bool is_same = v == r->infinite;

        r->bucket = r->infinite = -1;
        return is_same ? NULL : "a count that is not the +Inf bucket's";
    }
    if (strncmp(part, "_bucket", n_name - n) != 0 || !strstr(s, "le=\""))
        return "no part of a histogram";
    if (v < r->bucket)
        return "a bucket smaller than the one before";
    r->bucket = v;
    if (strncmp(strstr(s, "le=\""), "le=\"+Inf\"", 9) == 0)
        r->infinite = v;
    return NULL;
}

static const char *read_sample(struct reader *r, const char *s, const char *end)
{
    size_t n_name = name_length(s), n_family = strlen(r->family);
    const char *value = s + n_name;
    char *rest;
    double v;

    if (n_name && *value == '{')
        value = skip_labels(value);
    if (!n_name || !value || *value != ' ')
        return "no sample";
    for (int i = 0; i < r->n_samples; i++) {
        if (r->lengths[i] == (size_t)(value - s) && strncmp(r->samples[i], s, r->lengths[i]) == 0)
            return "a sample comes twice";
    }
    if (r->n_samples == MAX_SAMPLES)
        return "too many samples";
    r->samples[r->n_samples] = s;
    r->lengths[r->n_samples++] = (size_t)(value - s);
    v = strtod(value + 1, &rest);
    if (rest == value + 1 || rest != end || isnan(v))
        return "no number";
    if (!r->has_type || strncmp(s, r->family, n_family) != 0)
        return "a sample of another family";
    if (strcmp(r->type, "histogram") == 0)
        return n_name > n_family ? read_histogram(r, s, n_name, v) : "no part of a histogram";
    if (n_name != n_family)
        return "a sample of another family";
    return strcmp(r->type, "counter") == 0 && v < 0 ? "a negative counter" : NULL;
}

int exposition_check(const char *text)
{
    const char *wrong, *line;
    int n = exposition_read(text, &wrong, &line);

    if (wrong)
        test_fail(__FILE__, __LINE__, "%s: %.*s", wrong, (int)strcspn(line, "\n"), line);
    return n;
}

int exposition_read(const char *text, const char **out_wrong, const char **out_line)
{
    struct reader *r = calloc(1, sizeof(*r));
    int n;

    *out_wrong = NULL;
    *out_line = text;
    for (const char *s = text; *s;) {
        const char *end = strchr(s, '\n');
        *out_line = s;
        *out_wrong = !end ? "the last line has no end" : *s == '#' ? read_comment(r, s, end) : read_sample(r, s, end);

        if (*out_wrong)
            break;
        s = end + 1;
    }
    n = r->n_samples;
    free(r);
    return n;
}

double exposition_value(const char *text, const char *sample)
{
    size_t n = strlen(sample);

    for (const char *s = text; s && *s; s = strchr(s, '\n'), s = s ? s + 1 : NULL) {
        if (strncmp(s, sample, n) == 0 && s[n] == ' ')
            return strtod(s + n + 1, NULL);
    }
    return -1;
}
