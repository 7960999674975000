/* The rules of fetching, without a network: addresses, redirects, headers. Pure functions.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FETCH_RULES_H
#define IMS_MODELS_FETCH_RULES_H

#include "ims/status.h"
#include "models/fetch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_MAX_URL_BYTES 4096
#define IMS_MAX_RETRY_AFTER_S 300

struct ims_url {
    bool is_https;
    char host[256];   /* lower case, with the port */
    const char *path; /* from its '/'; "" when there is none */
};
/* http:// and https:// only; IMS_E_INVALID for anything else, for a user name in it, for blanks and control
 * characters. The error shows no more than scheme and host. */
ims_status ims__url_parse(struct ims_url *out, const char *url, ims_err *err) IMS_MUST_CHECK;
/* The address that a Location header means, seen from `from`; a new string. */
ims_status ims__url_join(char **out, const char *from, const char *location,
                         ims_err *err) IMS_MUST_CHECK;
/* May a fetch that began at `first` follow `from` to `to`? IMS_E_PERMISSION says why not. */
ims_status ims__url_may_follow(const char *first, const char *from, const char *to,
                               ims_err *err) IMS_MUST_CHECK;

/* What one response said. */
struct ims_http_head {
    long status;
    char etag[160]; /* as sent, quotes included; "" for none or a weak one */
    char location[IMS_MAX_URL_BYTES];
    char content_type[80];
    char encoding[40];
    bool has_length, has_range, has_linked_size;
    uint64_t length;      /* Content-Length */
    uint64_t range_start; /* Content-Range */
    uint64_t range_total; /* 0 = "*" */
    uint64_t linked_size; /* X-Linked-Size */
    char linked_etag[160];
    char commit[41];
    long retry_after_s; /* -1 = none */
};
/* Takes one header line with or without its end; a status line starts anew. */
void ims__http_head_line(struct ims_http_head *h, const char *line, size_t n);
bool ims__http_is_redirect(long status);
bool ims__http_is_page(const struct ims_http_head *h);
void ims__http_meta(const struct ims_http_head *h, struct ims_fetch_meta *io);
/* The text of a Git LFS pointer file; false when it is none. */
bool ims__lfs_pointer(const char *text, size_t n, struct ims_fetch_meta *io);

#endif
