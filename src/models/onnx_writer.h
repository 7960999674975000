/* Writes an ONNX model: the few protobuf messages that a graph of ours needs, nothing else.
 *
 * A value (graph input, weight, constant, result of a node) is a small number. Nodes are written
 * in the order of the calls, which must be an order they can run in. Failures are remembered:
 * after one, every call returns IMS_ONNX_NONE, and ims__onnx_finish reports it. One thread at a
 * time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_ONNX_WRITER_H
#define IMS_MODELS_ONNX_WRITER_H

#include "base/buf.h"
#include "base/mem.h"
#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

#define IMS_ONNX_NONE (-1)
#define IMS_ONNX_OPSET 20     /* Gelu; known to ONNX Runtime from 1.17 on */
#define IMS_ONNX_IR_VERSION 9 /* goes with that operator set */
#define IMS_ONNX_MAX_BYTES (64 * 1024 * 1024)

/* TensorProto.DataType */
typedef enum ims_onnx_type {
    IMS_ONNX_FLOAT = 1,
    IMS_ONNX_UINT8 = 2,
    IMS_ONNX_INT8 = 3,
    IMS_ONNX_INT32 = 6,
    IMS_ONNX_INT64 = 7,
    IMS_ONNX_FLOAT16 = 10,
    IMS_ONNX_BFLOAT16 = 16
} ims_onnx_type;

/* One dimension of a graph input or output: a size, or the name of a free one. */
struct ims_onnx_dim {
    const char *name; /* NULL: value counts */
    int64_t value;
};

struct ims_onnx_attr {
    const char *name;
    enum { IMS_ONNX_ATTR_INT, IMS_ONNX_ATTR_FLOAT, IMS_ONNX_ATTR_INTS, IMS_ONNX_ATTR_TEXT } kind;
    int64_t i;
    float f;
    const int64_t *ints;
    size_t n_ints;
    const char *text;
};
#define IMS_ONNX_INT(attr_name, v)                                                                 \
    ((struct ims_onnx_attr){ .name = (attr_name), .kind = IMS_ONNX_ATTR_INT, .i = (v) })
#define IMS_ONNX_REAL(attr_name, v)                                                                \
    ((struct ims_onnx_attr){ .name = (attr_name), .kind = IMS_ONNX_ATTR_FLOAT, .f = (v) })
#define IMS_ONNX_INTS(attr_name, v, n)                                                             \
    ((struct ims_onnx_attr){                                                                       \
        .name = (attr_name), .kind = IMS_ONNX_ATTR_INTS, .ints = (v), .n_ints = (n) })
#define IMS_ONNX_TEXT(attr_name, v)                                                                \
    ((struct ims_onnx_attr){ .name = (attr_name), .kind = IMS_ONNX_ATTR_TEXT, .text = (v) })

struct ims_onnx {
    struct ims_buf nodes, initializers, inputs, outputs; /* encoded members of GraphProto */
    struct ims_buf part, inner;                          /* scratch for nested messages */
    struct ims_arena names;
    const char **values;
    size_t n_values, cap_values;
    ims_status status;
};

void ims__onnx_init(struct ims_onnx *g);
void ims__onnx_release(struct ims_onnx *g);

int ims__onnx_input(struct ims_onnx *g, const char *name, ims_onnx_type type,
                    const struct ims_onnx_dim *dims, size_t rank);
/* Declares value v, renamed to name by an Identity node, as a graph output. */
void ims__onnx_output(struct ims_onnx *g, int v, const char *name, ims_onnx_type type,
                      const struct ims_onnx_dim *dims, size_t rank);

/* A weight that stays in its file: location is relative to the folder the runtime is told. */
int ims__onnx_external(struct ims_onnx *g, const char *name, ims_onnx_type type,
                       const uint64_t *dims, size_t rank, const char *location, uint64_t offset,
                       uint64_t size_bytes);
/* Small constants, stored in the model itself; rank 0 when dims is NULL and n is 1. */
int ims__onnx_floats(struct ims_onnx *g, const float *v, size_t n, const uint64_t *dims,
                     size_t rank);
int ims__onnx_float(struct ims_onnx *g, float v);
int ims__onnx_byte(struct ims_onnx *g, uint8_t v);                  /* rank 0 */
int ims__onnx_ints(struct ims_onnx *g, const int64_t *v, size_t n); /* rank 1 */
int ims__onnx_int(struct ims_onnx *g, int64_t v);                   /* rank 0 */

/* Adds a node; its results are consecutive values, of which the first is returned. An input of
 * IMS_ONNX_NONE is an omitted one only when the writer has not failed. */
int ims__onnx_node(struct ims_onnx *g, const char *op, const int *inputs, size_t n_inputs,
                   size_t n_outputs, const struct ims_onnx_attr *attrs, size_t n_attrs);

/* The finished model; *out is ims__free'd. what names the graph in the message and the model. */
ims_status ims__onnx_finish(struct ims_onnx *g, const char *what, void **out, size_t *out_bytes,
                            ims_err *err) IMS_MUST_CHECK;

#endif
