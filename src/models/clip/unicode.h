/* Characters as the CLIP reference sees them, and text as an array of code points.
 *
 * Code points are Unicode scalar values (no surrogates); the decoder below delivers nothing else.
 * Pure functions on the caller's memory; thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_UNICODE_H
#define IMS_MODELS_CLIP_UNICODE_H

#include "base/buf.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two lowest bits of a character's properties are its class in the splitting pattern. */
#define IMS__CHAR_CLASS 3u
#define IMS__CHAR_LETTER 1u /* \p{L} */
#define IMS__CHAR_NUMBER 2u /* \p{N} */
#define IMS__CHAR_OTHER 3u  /* [^\s\p{L}\p{N}]; class 0 is in none of the three and is dropped */
#define IMS__CHAR_SPACE 4u  /* str.isspace() */
#define IMS__CHAR_CASED 8u
#define IMS__CHAR_IGNORABLE 16u /* a final sigma looks through it */
#define IMS__CHAR_DIGIT 32u     /* decimal digit of any script */

unsigned ims__unicode_props(uint32_t cp);

/* A growing array of code points. Zero-initialised is empty. */
struct ims__cps {
    uint32_t *at;
    size_t n;
    size_t cap;
};
void ims__cps_release(struct ims__cps *s);
ims_status ims__cps_reserve(struct ims__cps *s, size_t cap);
ims_status ims__cps_add(struct ims__cps *s, uint32_t cp);
ims_status ims__cps_add_all(struct ims__cps *s, const uint32_t *at, size_t n);
/* Appends; every byte that is not part of valid UTF-8 becomes U+FFFD. */
ims_status ims__cps_add_utf8(struct ims__cps *s, const char *utf8, size_t len);
ims_status ims__cps_to_utf8(const uint32_t *at, size_t n, struct ims_buf *out);

/* NFC of *s, in place. */
ims_status ims__unicode_nfc(struct ims__cps *s);
/* Lower case with the final-sigma rule, in place. */
ims_status ims__unicode_lower(struct ims__cps *s);
/* Is there a border of user-perceived characters between neighbours? state is the caller's, 0 at
 * the start of a text. */
bool ims__unicode_is_grapheme_break(uint32_t a, uint32_t b, int32_t *state);
/* What ftfy's character-wise steps make of cp: 1 to 3 code points, or 0 when it stays. */
size_t ims__unicode_fix(uint32_t cp, uint32_t out[3]);

#endif
