/* Tensors: an element type, a shape and memory. Plain values; the functions are thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_TENSOR_H
#define IMS_COMPUTE_TENSOR_H

#include "base/limits.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ims_dtype {
    IMS_DTYPE_NONE, /* not a tensor of a type known here */
    IMS_DTYPE_F32,
    IMS_DTYPE_F16, /* IEEE half, in uint16_t */
    IMS_DTYPE_BF16,
    IMS_DTYPE_F64,
    IMS_DTYPE_U8,
    IMS_DTYPE_I8,
    IMS_DTYPE_U16,
    IMS_DTYPE_I16,
    IMS_DTYPE_U32,
    IMS_DTYPE_I32,
    IMS_DTYPE_U64,
    IMS_DTYPE_I64,
    IMS_DTYPE_BOOL /* one byte, 0 or 1 */
} ims_dtype;

size_t ims_dtype_bytes(ims_dtype t);     /* of one element; 0 for NONE */
const char *ims_dtype_name(ims_dtype t); /* "f32"; "none" */

/* Row-major, dense. rank 0 is a scalar of one element. */
struct ims_tensor {
    ims_dtype dtype;
    unsigned rank;
    int64_t shape[IMS_MAX_TENSOR_RANK];
    void *data;
    size_t bytes; /* of data; at least what dtype and shape need */
};

/* dtype, shape -> bytes. IMS_E_DIMENSION for a negative dimension or rank above the limit,
 * IMS_E_LIMIT when the product overflows, IMS_E_INVALID for IMS_DTYPE_NONE. */
ims_status ims_tensor_measure(const struct ims_tensor *t, size_t *out_bytes,
                              ims_err *err) IMS_MUST_CHECK;
/* Number of elements; 0 when the shape is invalid. */
size_t ims_tensor_count(const struct ims_tensor *t);
/* A view of the caller's memory; shape has rank entries. Does not check: the run does. */
struct ims_tensor ims_tensor_view(ims_dtype dtype, unsigned rank, const int64_t *shape, void *data,
                                  size_t bytes);
/* Memory for dtype and shape (64-byte aligned, not zeroed) into t->data. */
ims_status ims_tensor_alloc(struct ims_tensor *t, ims_err *err) IMS_MUST_CHECK;
/* Frees data that ims_tensor_alloc or a run allocated, and zeroes *t. Never for a view. */
void ims_tensor_release(struct ims_tensor *t);
/* false when an element of a float tensor is NaN or infinite; true for integer types. */
bool ims_tensor_is_finite(const struct ims_tensor *t);
/* "f32[1,3,?,?]" into out (always NUL-terminated); -1 prints as "?". Returns out. */
char *ims_tensor_describe(ims_dtype dtype, unsigned rank, const int64_t *shape, char *out,
                          size_t size);

#endif
