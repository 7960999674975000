/* A byte buffer with a maximum.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

void ims__buf_init(struct ims_buf *b, size_t max_bytes)
{
    *b = (struct ims_buf){ .max_bytes = max_bytes };
}

void ims__buf_release(struct ims_buf *b)
{
    ims__free(b->data);
    *b = (struct ims_buf){ .max_bytes = b->max_bytes };
}

void ims__buf_clear(struct ims_buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

static ims_status fail(struct ims_buf *b, ims_status st)
{
    ims__buf_release(b);
    b->status = st;
    return st;
}

void ims__buf_drop(struct ims_buf *b, size_t n)
{
    if (n >= b->len) {
        ims__buf_clear(b);
    } else if (n) {
        b->len -= n;
        memmove(b->data, b->data + n, b->len + 1);
    }
}

ims_status ims__buf_reserve(struct ims_buf *b, size_t more)
{
    size_t need, cap;
    char *data;

    if (b->status)
        return b->status;
    if (!ims__add_size(b->len, more, &need) || need > b->max_bytes)
        return fail(b, IMS_E_LIMIT);
    if (need < b->cap)
        return IMS_OK;
    cap = b->cap < 32 ? 64 : b->cap;
    while (cap <= need)
        cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
    if (cap > b->max_bytes && b->max_bytes < SIZE_MAX)
        cap = b->max_bytes + 1;
    data = ims__realloc(b->data, cap, 1);
    if (!data)
        return fail(b, IMS_E_NOMEM);
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return IMS_OK;
}

ims_status ims__buf_add(struct ims_buf *b, const void *p, size_t n)
{
    ims_status st = ims__buf_reserve(b, n);

    if (st)
        return st;
    if (n)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
    return IMS_OK;
}

ims_status ims__buf_add_str(struct ims_buf *b, const char *s)
{
    return ims__buf_add(b, s, strlen(s));
}

ims_status ims__buf_add_char(struct ims_buf *b, char c)
{
    return ims__buf_add(b, &c, 1);
}

ims_status ims__buf_addf(struct ims_buf *b, const char *fmt, ...)
{
    va_list args, again;
    ims_status st;
    int n;

    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        st = fail(b, IMS_E_INVALID);
    else
        st = ims__buf_reserve(b, (size_t)n);
    if (!st) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return st;
}

ims_status ims__buf_status(const struct ims_buf *b)
{
    return b->status;
}

char *ims__buf_take(struct ims_buf *b, size_t *out_len)
{
    char *data = b->data;

    if (out_len)
        *out_len = b->len;
    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}
