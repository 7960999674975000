/* What a schema says about texts: length, form, pattern. Thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_SCHEMA_TEXT_H
#define IMS_HTTP_SCHEMA_TEXT_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Code points. */
size_t ims__schema_text_length(const char *s, size_t n);
/* uuid, date (YYYY-MM-DD, one that exists), date-time (RFC 3339); a format of another name fits all. */
bool ims__schema_text_has_format(const char *s, const char *format);
/* IMS_OK, IMS_E_NOT_FOUND when it does not match, IMS_E_INTERNAL for a pattern that is none. */
ims_status ims__schema_text_matches(const char *s, const char *pattern, ims_err *err) IMS_MUST_CHECK;

#endif
