/* Comparing texts as people do: without the difference of case, form and width.
 *
 * The key of a text is its Unicode compatibility form with full case folding and without ignorable
 * characters (NFKC_Casefold), in which runs of white space are one blank and those at the ends are gone.
 * Two texts are the same when their keys are the same bytes. Accents count. No language's own rules: Turkish
 * dotless i is another letter than i, and "ß" is "ss".
 *
 * Pure functions; thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_FOLD_H
#define IMS_BASE_FOLD_H

#include "base/buf.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends the key of s[0..n). IMS_E_FORMAT when s is not UTF-8. */
ims_status ims__fold(const char *s, size_t n, struct ims_buf *out);
/* White space of Unicode (White_Space). */
bool ims__is_space(uint32_t cp);
/* s without the white space at its ends: *out points into s. s is UTF-8. */
size_t ims__trim(const char *s, size_t n, const char **out);

#endif
