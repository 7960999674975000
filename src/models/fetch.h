/* Fetching files from a model hub or a mirror of it: the only part of imgsearch that uses the network.
 *
 *     ims__fetch_open(&f, &options, &err)       loads libcurl
 *     ims__fetch_probe(f, url, &meta, &err)     what the hub says about a file, without its bytes
 *     ims__fetch_file(f, url, path, &meta, &err)
 *     ims__fetch_close(f)
 *
 * A file arrives as PATH.part, with PATH.part.etag beside it; a cut connection goes on from there, also in
 * a later run, when the server still has the same file. Only when size and sum are right does it become
 * PATH. A redirect is followed to the same host, or over https to the hub's own storage, and nowhere else;
 * nothing secret is ever sent. Proxies come from http_proxy, https_proxy, all_proxy and no_proxy.
 * One thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_FETCH_H
#define IMS_MODELS_FETCH_H

#include "base/buf.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_fetch;

struct ims_fetch_options {
    /* Bytes of the file at hand, a few times a second; total 0 = not known. false ends the transfer with
     * IMS_E_CANCELLED, and what has arrived stays for the next run. May be NULL. */
    bool (*on_progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes);
    /* Waits before another attempt and says why; false = do not wait, give up. NULL waits in silence,
     * asking on_progress. */
    bool (*on_wait)(void *arg, unsigned wait_ms, const char *why);
    void *arg;
    unsigned n_attempts; /* without a byte of progress; 0 = 5 */
    unsigned stall_s;    /* this long without a byte is a cut connection; 0 = 60 */
};
ims_status ims__fetch_open(struct ims_fetch **out, const struct ims_fetch_options *options,
                           ims_err *err) IMS_MUST_CHECK;
void ims__fetch_close(struct ims_fetch *f);

/* What is known about a file. Empty strings and false: not known. */
struct ims_fetch_meta {
    bool has_size;
    uint64_t size_bytes;
    char sha256[65];   /* of the content, hex */
    char git_sha1[41]; /* of the Git object that holds the content, hex */
    char commit[41];   /* of the repository, as far as the hub tells */
};
/* IMS_E_NOT_FOUND, IMS_E_PERMISSION (the hub wants a sign-in, or has no such repository), IMS_E_FORMAT (a
 * web page instead of a file), IMS_E_IO, IMS_E_TIMEOUT. */
ims_status ims__fetch_probe(struct ims_fetch *f, const char *url, struct ims_fetch_meta *out,
                            ims_err *err) IMS_MUST_CHECK;
/* A small text into *out (new buffer, ims__buf_release); IMS_E_LIMIT. */
ims_status ims__fetch_text(struct ims_fetch *f, const char *url, size_t max_bytes,
                           struct ims_buf *out, ims_err *err) IMS_MUST_CHECK;
/* want: what the file must be; may be all unknown. Also IMS_E_CORRUPT (wrong size or sum; nothing is
 * kept), IMS_E_NO_SPACE (what has arrived is kept). */
ims_status ims__fetch_file(struct ims_fetch *f, const char *url, const char *path,
                           const struct ims_fetch_meta *want, ims_err *err) IMS_MUST_CHECK;

/* Does the file have the size and the sums of want? IMS_E_CORRUPT says what differs. */
ims_status ims__fetch_check(const char *path, const struct ims_fetch_meta *want,
                            ims_err *err) IMS_MUST_CHECK;

/* No connection could be made at all: there is no network, or no such host. */
bool ims__fetch_is_offline(const ims_err *err);

#endif
