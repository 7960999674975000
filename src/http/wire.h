/* Parsers of what a request says in its address and headers: pure functions over texts of any content.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_WIRE_H
#define IMS_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "%41" and, in a query, "+" as what they mean, in place: never longer. false: malformed, or a NUL; then s is undefined. */
bool ims__wire_decode(char *s, bool is_query);

/* Range: "bytes=first-last", "bytes=first-", "bytes=-count" of n bytes (RFC 9110, 14.1.2). 206 with a span inside of them,
 * 416, or 200 where the header is absent (NULL), has several ranges or is not understood. */
int ims__wire_range(const char *range, uint64_t n, uint64_t *out_first, uint64_t *out_count);

/* If-None-Match: a list of tags, quoted, perhaps weak, or "*"; compared weakly (RFC 9110, 13.1.2). list may be NULL. */
bool ims__wire_knows_etag(const char *list, const char *etag);

/* Accept-Encoding names gzip, or "*", with a weight above 0 (RFC 9110, 12.5.3). NULL: no. */
bool ims__wire_takes_gzip(const char *accepted);

#endif
