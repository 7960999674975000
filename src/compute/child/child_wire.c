/* Bodies of frames: numbers, texts, errors and tensors, appended and read back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_internal.h"

#include <string.h>

/* Failures stay in the buffer, where the sender finds them. */
void ims__wire_raw(struct ims_buf *b, const void *p, size_t n)
{
    (void)ims__buf_add(b, p, n);
}

void ims__wire_u64(struct ims_buf *b, uint64_t v)
{
    ims__wire_raw(b, &v, sizeof(v));
}

void ims__wire_str(struct ims_buf *b, const char *s)
{
    size_t n = s ? strlen(s) + 1 : 0;

    ims__wire_u64(b, n);
    ims__wire_raw(b, s, n);
}

void ims__wire_err(struct ims_buf *b, ims_status st, const ims_err *err)
{
    ims__wire_u64(b, (uint64_t)(int64_t)st);
    if (!st)
        return;
    ims__wire_u64(b, (uint64_t)(int64_t)err->native);
    ims__wire_str(b, err->origin);
    ims__wire_str(b, err->text);
}

void ims__wire_tensor(struct ims_buf *b, const struct ims_tensor *t)
{
    ims__wire_u64(b, (uint64_t)t->dtype);
    ims__wire_u64(b, t->rank);
    for (unsigned i = 0; i < t->rank; i++)
        ims__wire_u64(b, (uint64_t)t->shape[i]);
}

void ims__wire_get_raw(struct wire_reader *r, void *p, size_t n)
{
    if (r->is_bad || r->left < n) {
        r->is_bad = true;
        memset(p, 0, n);
        return;
    }
    memcpy(p, r->p, n);
    r->p += n;
    r->left -= n;
}

uint64_t ims__wire_get_u64(struct wire_reader *r)
{
    uint64_t v;

    ims__wire_get_raw(r, &v, sizeof(v));
    return v;
}

const char *ims__wire_get_str(struct wire_reader *r)
{
    uint64_t n = ims__wire_get_u64(r);
    const char *s = r->p;

    if (r->is_bad || n == 0)
        return NULL;
    if (n > r->left || s[n - 1] != '\0') {
        r->is_bad = true;
        return NULL;
    }
    r->p += n;
    r->left -= n;
    return s;
}

ims_status ims__wire_get_err(struct wire_reader *r, ims_err *err)
{
    ims_status st = (ims_status)(int64_t)ims__wire_get_u64(r);
    const char *origin, *text;
    int native;

    if (!st || r->is_bad)
        return IMS_OK;
    native = (int)(int64_t)ims__wire_get_u64(r);
    origin = ims__wire_get_str(r);
    text = ims__wire_get_str(r);
    return ims_fail(err, st, origin ? origin : "child", native, "%s", text ? text : "");
}

void ims__wire_get_tensor(struct wire_reader *r, struct ims_tensor *t)
{
    uint64_t dtype = ims__wire_get_u64(r), rank = ims__wire_get_u64(r);

    memset(t, 0, sizeof(*t));
    if (dtype > IMS_DTYPE_BOOL || rank > IMS_MAX_TENSOR_RANK)
        r->is_bad = true;
    if (r->is_bad)
        return;
    t->dtype = (ims_dtype)dtype;
    t->rank = (unsigned)rank;
    for (unsigned i = 0; i < t->rank; i++)
        t->shape[i] = (int64_t)ims__wire_get_u64(r);
}
