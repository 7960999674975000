/* Tensors: sizes, allocation, description.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/tensor.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TENSOR_ALIGNMENT 64

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [IMS_DTYPE_NONE] = { "none", 0 }, [IMS_DTYPE_F32] = { "f32", 4 },
    [IMS_DTYPE_F16] = { "f16", 2 },   [IMS_DTYPE_BF16] = { "bf16", 2 },
    [IMS_DTYPE_F64] = { "f64", 8 },   [IMS_DTYPE_U8] = { "u8", 1 },
    [IMS_DTYPE_I8] = { "i8", 1 },     [IMS_DTYPE_U16] = { "u16", 2 },
    [IMS_DTYPE_I16] = { "i16", 2 },   [IMS_DTYPE_U32] = { "u32", 4 },
    [IMS_DTYPE_I32] = { "i32", 4 },   [IMS_DTYPE_U64] = { "u64", 8 },
    [IMS_DTYPE_I64] = { "i64", 8 },   [IMS_DTYPE_BOOL] = { "bool", 1 },
};

size_t ims_dtype_bytes(ims_dtype t)
{
    return (size_t)t < IMS_ARRAY_LEN(dtypes) ? dtypes[t].bytes : 0;
}

const char *ims_dtype_name(ims_dtype t)
{
    return (size_t)t < IMS_ARRAY_LEN(dtypes) ? dtypes[t].name : "none";
}

ims_status ims_tensor_measure(const struct ims_tensor *t, size_t *out_bytes, ims_err *err)
{
    size_t bytes = ims_dtype_bytes(t->dtype);

    if (bytes == 0)
        return ims_fail(err, IMS_E_INVALID, "compute", 0, "the tensor has no element type");
    if (t->rank > IMS_MAX_TENSOR_RANK)
        return ims_fail(err, IMS_E_DIMENSION, "compute", 0, "rank %u is above the limit of %d",
                        t->rank, IMS_MAX_TENSOR_RANK);
    for (unsigned i = 0; i < t->rank; i++) {
        if (t->shape[i] < 0)
            return ims_fail(err, IMS_E_DIMENSION, "compute", 0, "dimension %u is %lld", i,
                            (long long)t->shape[i]);
        if (!ims__mul_size(bytes, (size_t)t->shape[i], &bytes))
            return ims_fail(err, IMS_E_LIMIT, "compute", 0, "the tensor is too large to address");
    }
    *out_bytes = bytes;
    return IMS_OK;
}

size_t ims_tensor_count(const struct ims_tensor *t)
{
    size_t bytes;

    if (ims_tensor_measure(t, &bytes, NULL) != IMS_OK)
        return 0;
    return bytes / ims_dtype_bytes(t->dtype);
}

struct ims_tensor ims_tensor_view(ims_dtype dtype, unsigned rank, const int64_t *shape, void *data,
                                  size_t bytes)
{
    struct ims_tensor t = { .dtype = dtype, .rank = rank, .data = data, .bytes = bytes };

    for (unsigned i = 0; i < rank && i < IMS_MAX_TENSOR_RANK; i++)
        t.shape[i] = shape[i];
    return t;
}

ims_status ims_tensor_alloc(struct ims_tensor *t, ims_err *err)
{
    size_t bytes;
    ims_status st = ims_tensor_measure(t, &bytes, err);

    if (st)
        return st;
    t->data = ims__aligned_alloc(TENSOR_ALIGNMENT, bytes ? bytes : 1, 1);
    if (!t->data)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "allocating a tensor of %zu bytes", bytes);
    t->bytes = bytes;
    return IMS_OK;
}

void ims_tensor_release(struct ims_tensor *t)
{
    if (!t)
        return;
    ims__free(t->data);
    memset(t, 0, sizeof(*t));
}

/* An exponent of all ones is NaN or infinity in every IEEE format. */
static bool is_finite_16(const uint16_t *p, size_t n, uint16_t exponent)
{
    for (size_t i = 0; i < n; i++) {
        if ((p[i] & exponent) == exponent)
            return false;
    }
    return true;
}

bool ims_tensor_is_finite(const struct ims_tensor *t)
{
    size_t n = ims_tensor_count(t);
    const float *f = t->data;
    const double *d = t->data;

    switch (t->dtype) {
    case IMS_DTYPE_F32:
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(f[i]))
                return false;
        }
        return true;
    case IMS_DTYPE_F64:
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(d[i]))
                return false;
        }
        return true;
    case IMS_DTYPE_F16:
        return is_finite_16(t->data, n, 0x7c00);
    case IMS_DTYPE_BF16:
        return is_finite_16(t->data, n, 0x7f80);
    default:
        return true;
    }
}

char *ims_tensor_describe(ims_dtype dtype, unsigned rank, const int64_t *shape, char *out,
                          size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s[", ims_dtype_name(dtype));

    for (unsigned i = 0; i < rank && n < size; i++) {
        const char *comma = i ? "," : "";

        if (shape[i] < 0)
            n += (size_t)snprintf(out + n, size - n, "%s?", comma);
        else
            n += (size_t)snprintf(out + n, size - n, "%s%lld", comma, (long long)shape[i]);
    }
    if (n < size)
        snprintf(out + n, size - n, "]");
    return out;
}
