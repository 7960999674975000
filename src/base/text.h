/* Bytes and text: UTF-8, display forms of arbitrary bytes, small parsers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_TEXT_H
#define IMS_BASE_TEXT_H

#include "base/buf.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_SHOWN_BYTES 400 /* enough for ims__shown in a message */

/* Decodes one code point of s[0..n); returns the bytes used (1..4), 0 when n is 0. Ill-formed input
 * (overlong, surrogate, above U+10FFFF, cut short) gives *out_cp = 0xFFFFFFFF and 1. */
size_t ims__utf8_decode(const char *s, size_t n, uint32_t *out_cp);
/* Writes 1..4 bytes; 0 for a surrogate or a value above U+10FFFF. */
size_t ims__utf8_encode(uint32_t cp, char out[4]);
bool ims__utf8_is_valid(const char *s, size_t n);

/* The display form of arbitrary bytes (paths): valid UTF-8, where the bytes of control characters (U+0000
 * to U+001F and U+007F to U+009F: terminals obey them) and bytes that are not UTF-8 are written \xHH (two
 * hex digits) and a backslash as two of them. */
ims_status ims__display(const char *bytes, size_t n, struct ims_buf *out);
/* The same of a NUL-terminated string into a buffer on the stack, for messages: what does not fit is cut
 * off and ends in "...". size >= 16. Returns out. */
const char *ims__shown(char *out, size_t size, const char *bytes);
/* The reverse; IMS_E_FORMAT when an escape is malformed. */
ims_status ims__undisplay(const char *s, size_t n, struct ims_buf *out);

/* Text for HTML, in an element or an attribute's quotes: & < > " ' become references. */
void ims__html_add(struct ims_buf *out, const char *s);

/* RFC 4648 base64 with padding. */
ims_status ims__base64(const void *p, size_t n, struct ims_buf *out);

/* Whole-string numbers in a range; false when anything is left over or it does not fit. */
bool ims__parse_int(const char *s, int64_t min, int64_t max, int64_t *out);
bool ims__parse_double(const char *s, double min, double max, double *out);
/* "true 1 yes on" / "false 0 no off", any case. */
bool ims__parse_bool(const char *s, bool *out);
/* "2024", "2024-05", "2024-05-17" or "2024-05-17T10:20:30[Z]": start of that span and of the next, in
 * microseconds since the epoch, UTC. */
bool ims__parse_date(const char *s, int64_t *out_from_us, int64_t *out_until_us);

bool ims__starts_with(const char *s, const char *prefix);
bool ims__ends_with(const char *s, const char *suffix);
int ims__strcasecmp_ascii(const char *a, const char *b);

#endif
