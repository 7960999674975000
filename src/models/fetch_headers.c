/* Reading the headers of a response, and the pointer files of Git LFS.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "models/fetch_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_hex(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isxdigit((unsigned char)s[i]) || isupper((unsigned char)s[i]))
            return false;
    }
    return s[n] == '\0';
}

/* Digits only, and what fits: "12" but neither "+12" nor "12x". */
static bool read_size(const char *s, uint64_t *out)
{
    int64_t v;

    if (!isdigit((unsigned char)*s) || !ims__parse_int(s, 0, INT64_MAX, &v))
        return false;
    *out = (uint64_t)v;
    return true;
}

/* "bytes 100-199/200"; a star in place of the 200 when the server does not know. */
static void read_range(struct ims_http_head *h, const char *value)
{
    unsigned long long start, end, total = 0;
    char star;

    if (sscanf(value, "bytes %19llu-%19llu/%19llu", &start, &end, &total) == 3 ||
        (sscanf(value, "bytes %19llu-%19llu/%c", &start, &end, &star) == 3 && star == '*')) {
        h->has_range = end >= start;
        h->range_start = start;
        h->range_total = total;
    }
}

/* Seconds, or a date of the one form that HTTP still allows to be sent. */
static long read_retry_after(const char *value)
{
    struct tm when = { 0 };
    int64_t s;
    double left;

    if (ims__parse_int(value, 0, 1000000000, &s))
        return (long)s;
    if (!strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &when))
        return -1;
    left = difftime(timegm(&when), time(NULL));
    return left < 0 ? 0 : left > 1e9 ? 1000000000 : (long)left;
}

static void copy(char *out, size_t size, const char *value)
{
    if (strlen(value) < size)
        memcpy(out, value, strlen(value) + 1);
}

static void take(struct ims_http_head *h, const char *name, const char *value)
{
    if (strcmp(name, "etag") == 0 && value[0] == '"')
        copy(h->etag, sizeof(h->etag), value);
    else if (strcmp(name, "location") == 0)
        copy(h->location, sizeof(h->location), value);
    else if (strcmp(name, "content-type") == 0)
        copy(h->content_type, sizeof(h->content_type), value);
    else if (strcmp(name, "content-encoding") == 0)
        copy(h->encoding, sizeof(h->encoding), value);
    else if (strcmp(name, "content-length") == 0)
        h->has_length = read_size(value, &h->length);
    else if (strcmp(name, "content-range") == 0)
        read_range(h, value);
    else if (strcmp(name, "x-linked-size") == 0)
        h->has_linked_size = read_size(value, &h->linked_size);
    else if (strcmp(name, "x-linked-etag") == 0)
        copy(h->linked_etag, sizeof(h->linked_etag), value);
    else if (strcmp(name, "x-repo-commit") == 0 && is_hex(value, 40))
        copy(h->commit, sizeof(h->commit), value);
    else if (strcmp(name, "retry-after") == 0)
        h->retry_after_s = read_retry_after(value);
}

void ims__http_head_line(struct ims_http_head *h, const char *line, size_t n)
{
    char text[IMS_MAX_URL_BYTES + 64], *colon, *value;

    while (n && (line[n - 1] == '\n' || line[n - 1] == '\r' || line[n - 1] == ' '))
        n--;
    if (n >= sizeof(text))
        return; /* none of the headers that matter is that long */
    memcpy(text, line, n);
    text[n] = '\0';
    if (ims__starts_with(text, "HTTP/")) {
        const char *status = strchr(text, ' ');

        *h = (struct ims_http_head){ .retry_after_s = -1 };
        h->status = status ? strtol(status, NULL, 10) : 0;
        return;
    }
    colon = strchr(text, ':');
    if (!colon)
        return;
    *colon = '\0';
    for (char *p = text; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    value = colon + 1;
    value += strspn(value, " \t");
    take(h, text, value);
}

bool ims__http_is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool ims__http_is_page(const struct ims_http_head *h)
{
    return ims__starts_with(h->content_type, "text/html") ||
           ims__starts_with(h->content_type, "application/xhtml");
}

/* "abc", W/"abc" and abc are all abc here; then hex of the right length says what it is. */
static void read_sum(const char *etag, struct ims_fetch_meta *io)
{
    char text[160];
    size_t n;

    if (ims__starts_with(etag, "W/"))
        etag += 2;
    if (*etag == '"')
        etag++;
    n = strcspn(etag, "\"");
    memcpy(text, etag, n);
    text[n] = '\0';
    if (n == 64 && is_hex(text, 64))
        memcpy(io->sha256, text, 65);
    else if (n == 40 && is_hex(text, 40))
        memcpy(io->git_sha1, text, 41);
}

/* The hub's own headers say what the file is; its ordinary ETag does so for files that are not stored
 * elsewhere. The ETag of a server that names no commit means nothing here. */
void ims__http_meta(const struct ims_http_head *h, struct ims_fetch_meta *io)
{
    if (h->commit[0])
        memcpy(io->commit, h->commit, sizeof(io->commit));
    if (io->sha256[0] || io->git_sha1[0])
        return;
    if (h->linked_etag[0])
        read_sum(h->linked_etag, io);
    else if (h->status == 200 && h->commit[0])
        read_sum(h->etag, io);
    if (h->has_linked_size) {
        io->has_size = true;
        io->size_bytes = h->linked_size;
    } else if (h->status == 200 && h->has_length && !h->encoding[0] && !io->has_size) {
        io->has_size = true;
        io->size_bytes = h->length;
    }
}

bool ims__lfs_pointer(const char *text, size_t n, struct ims_fetch_meta *io)
{
    static const char version[] = "version https://git-lfs.github.com/spec/v1\n";
    struct ims_fetch_meta m = *io;
    const char *oid, *size;
    char line[200];

    if (n >= 1024 || strlen(text) != n || !ims__starts_with(text, version))
        return false;
    oid = strstr(text, "\noid sha256:");
    size = strstr(text, "\nsize ");
    if (!oid || !size)
        return false;
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(oid + 12, "\n"), oid + 12);
    if (strlen(line) != 64 || !is_hex(line, 64))
        return false;
    memcpy(m.sha256, line, 65);
    snprintf(line, sizeof(line), "%.*s", (int)strcspn(size + 6, "\n"), size + 6);
    if (!read_size(line, &m.size_bytes))
        return false;
    m.has_size = true;
    *io = m;
    return true;
}
