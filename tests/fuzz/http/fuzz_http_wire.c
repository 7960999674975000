/* Any text as an address, a Range, an If-None-Match, an Accept-Encoding, a Host, an Origin, a token and a cookie: spans lie in
 * their file, decoded texts are not longer, and nobody gets in by a text that is not the token.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "http/guard.h"
#include "http/spec.h"
#include "http/wire.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN "0123456789abcdef0123"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranges(const char *text)
{
    static const uint64_t sizes[] = { 0, 1, 1000, (uint64_t)1 << 62 };

    for (size_t i = 0; i < IMS_ARRAY_LEN(sizes); i++) {
        uint64_t first = 0, n = 0;
        int status = ims__wire_range(text, sizes[i], &first, &n);

        if (status != 200 && status != 206 && status != 416)
            abort();
        if (status == 206 && (n == 0 || first >= sizes[i] || n > sizes[i] - first))
            abort();
    }
}

static void check_path(const char *text)
{
    static struct ims_spec *spec;
    struct ims_spec_match m;
    size_t n = strlen(text);
    char *copy = ims__strdup(text);

    if (!spec && ims__spec_open(&spec, NULL))
        abort();
    ims__spec_match(spec, "GET", text, &m);
    for (size_t i = 0; i < m.n_values; i++) {
        if (m.values[i].start < text || m.values[i].start + m.values[i].len > text + n ||
            memchr(m.values[i].start, '/', m.values[i].len))
            abort();
    }
    if (m.is_slash_too_many && (n < 2 || text[n - 1] != '/'))
        abort();
    if (ims__wire_decode(copy, n % 2) && strlen(copy) > n)
        abort();
    ims__free(copy);
}

static void check_guard(const char *text)
{
    static struct ims_guard *g;
    const struct ims_http_guard_options o = { .bind = "127.0.0.1", .token = TOKEN, .hosts = "photos.lan", .origins = "https://photos.example" };
    char cookie[300];

    if (!g && ims__guard_open(&g, &o, NULL))
        abort();
    if (ims__guard_knows_host(g, text) && !strstr(text, "127.0.0.1") && !strstr(text, "::1") &&
        !strchr("Ll", *text) && !strchr("Pp", *text))
        abort();
    if (ims__guard_allows_origin(g, text, "localhost:8000") && strncmp(text, "http", 4) != 0)
        abort();
    if (ims__guard_is_known(g, text, NULL) && !strstr(text, TOKEN))
        abort();
    if (ims__guard_is_known(g, NULL, text)) /* it would take an HMAC */
        abort();
    if (ims__guard_login(g, text, false, cookie, sizeof(cookie)) != (strcmp(text, TOKEN) == 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = ims__strndup(size ? (const char *)data : "", size);

    if (!text)
        return 0;
    check_ranges(text);
    check_path(text);
    check_guard(text);
    if (ims__wire_knows_etag(text, "\"v1\"") && !strstr(text, "\"v1\"") && !strchr(text, '*'))
        abort();
    if (ims__wire_takes_gzip(text) && !strpbrk(text, "gG*"))
        abort();
    ims__free(text);
    return 0;
}
