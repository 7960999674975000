/* A byte buffer that grows up to a stated maximum. One thread at a time.
 *
 * data is always NUL-terminated after a successful append (the NUL is not counted in len), so text
 * may be used as a C string. When an append fails, the buffer is released and remembers the failure:
 * further appends fail too, so a series may be checked once at its end with ims__buf_status.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_BUF_H
#define IMS_BASE_BUF_H

#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

struct ims_buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max_bytes;
    ims_status status; /* IMS_OK, IMS_E_NOMEM or IMS_E_LIMIT */
};

void ims__buf_init(struct ims_buf *b, size_t max_bytes);
void ims__buf_release(struct ims_buf *b);
void ims__buf_clear(struct ims_buf *b); /* len = 0, keeps the memory */
void ims__buf_drop(struct ims_buf *b, size_t n); /* the first n bytes go, or all */
ims_status ims__buf_reserve(struct ims_buf *b, size_t more);
ims_status ims__buf_add(struct ims_buf *b, const void *p, size_t n);
ims_status ims__buf_add_str(struct ims_buf *b, const char *s);
ims_status ims__buf_add_char(struct ims_buf *b, char c);
ims_status ims__buf_addf(struct ims_buf *b, const char *fmt, ...) IMS_PRINTF(2, 3);
ims_status ims__buf_status(const struct ims_buf *b);
/* Hands the memory to the caller (ims__free) and leaves the buffer empty. NULL when empty or failed. */
char *ims__buf_take(struct ims_buf *b, size_t *out_len);

#endif
