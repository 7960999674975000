/* Any bytes as a server's headers and as a pointer file: what is taken from them is well formed, and a
 * redirect that may be followed leads to the same host or, over https, to the hub's storage.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/text.h"
#include "models/fetch_rules.h"

#include <stdlib.h>
#include <string.h>

#define FROM "https://hub.example/a/b"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sum(const char *sum, size_t n)
{
    if (sum[0] && (strlen(sum) != n || strspn(sum, "0123456789abcdef") != n))
        abort();
}

static void check_meta(const struct ims_fetch_meta *m)
{
    check_sum(m->sha256, 64);
    check_sum(m->git_sha1, 40);
    check_sum(m->commit, 40);
}

static void check_redirect(const char *location)
{
    struct ims_url u;
    char *to = NULL;

    if (ims__url_join(&to, FROM, location, NULL))
        abort();
    if (ims__url_may_follow(FROM, FROM, to, NULL) == IMS_OK) {
        if (ims__url_parse(&u, to, NULL) || !u.is_https)
            abort();
        if (strcmp(u.host, "hub.example") != 0 && !ims__ends_with(u.host, "hf.co") &&
            !ims__ends_with(u.host, "huggingface.co") &&
            !ims__ends_with(u.host, "githubusercontent.com") && strcmp(u.host, "github.com") != 0)
            abort();
    }
    ims__free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct ims_http_head head = { .retry_after_s = -1 };
    struct ims_fetch_meta m = { 0 };
    char *copy;

    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t n = end ? (size_t)(end - (text + at)) + 1 : size - at;

        ims__http_head_line(&head, text + at, n);
        at += n;
    }
    ims__http_meta(&head, &m);
    check_meta(&m);
    check_redirect(head.location);
    copy = ims__strndup(text ? text : "", size);
    if (copy && ims__lfs_pointer(copy, size, &m))
        check_meta(&m);
    ims__free(copy);
    return 0;
}
