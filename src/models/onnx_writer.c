/* The ONNX writer: protobuf wire format by hand, field numbers as in the public onnx.proto.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/onnx_writer.h"

#include <string.h>

#define ORIGIN "onnx"
#define MAX_VALUES 1000000

enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Field numbers, by message. */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSET = 8 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTR_NAME = 1, ATTR_F = 2, ATTR_I = 3, ATTR_S = 4, ATTR_INTS = 8, ATTR_TYPE = 20 };
enum { ATTR_TYPE_FLOAT = 1, ATTR_TYPE_INT = 2, ATTR_TYPE_STRING = 3, ATTR_TYPE_INTS = 7 };
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION = 14
};
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2 };
enum {
    TYPE_TENSOR = 1,
    TYPE_ELEM = 1,
    TYPE_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    DIM_PARAM = 2
};

/* A struct ims_buf remembers its failure, so the helpers below need no return value. */
static void put_varint(struct ims_buf *b, uint64_t v)
{
    char bytes[10];
    size_t n = 0;

    do {
        bytes[n++] = (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v);
    (void)ims__buf_add(b, bytes, n);
}

static void put_int(struct ims_buf *b, unsigned field, int64_t v)
{
    put_varint(b, (uint64_t)field << 3 | WIRE_VARINT);
    put_varint(b, (uint64_t)v);
}

static void put_bytes(struct ims_buf *b, unsigned field, const void *p, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | WIRE_BYTES);
    put_varint(b, n);
    (void)ims__buf_add(b, p, n);
}

static void put_text(struct ims_buf *b, unsigned field, const char *s)
{
    put_bytes(b, field, s, strlen(s));
}

/* Little-endian whatever the host: raw_data and fixed32 are defined so. */
static void put_le(struct ims_buf *b, uint64_t v, unsigned n_bytes)
{
    char bytes[8];

    for (unsigned i = 0; i < n_bytes; i++)
        bytes[i] = (char)(v >> (8 * i));
    (void)ims__buf_add(b, bytes, n_bytes);
}

static uint32_t float_bits(float v)
{
    uint32_t u;

    memcpy(&u, &v, sizeof(u));
    return u;
}

/* The message in *from becomes a member of *to; *from is empty afterwards. */
static void put_message(struct ims_onnx *g, struct ims_buf *to, unsigned field,
                        struct ims_buf *from)
{
    if (!g->status)
        g->status = ims__buf_status(from);
    if (g->status)
        return;
    put_bytes(to, field, from->data, from->len);
    g->status = ims__buf_status(to);
    ims__buf_clear(from);
}

void ims__onnx_init(struct ims_onnx *g)
{
    *g = (struct ims_onnx){ 0 };
    ims__buf_init(&g->nodes, IMS_ONNX_MAX_BYTES);
    ims__buf_init(&g->initializers, IMS_ONNX_MAX_BYTES);
    ims__buf_init(&g->inputs, IMS_ONNX_MAX_BYTES);
    ims__buf_init(&g->outputs, IMS_ONNX_MAX_BYTES);
    ims__buf_init(&g->part, IMS_ONNX_MAX_BYTES);
    ims__buf_init(&g->inner, IMS_ONNX_MAX_BYTES);
    ims__arena_init(&g->names, IMS_ONNX_MAX_BYTES);
}

void ims__onnx_release(struct ims_onnx *g)
{
    ims__buf_release(&g->nodes);
    ims__buf_release(&g->initializers);
    ims__buf_release(&g->inputs);
    ims__buf_release(&g->outputs);
    ims__buf_release(&g->part);
    ims__buf_release(&g->inner);
    ims__arena_release(&g->names);
    ims__free((void *)g->values);
    *g = (struct ims_onnx){ 0 };
}

/* A new value; a NULL name becomes v0, v1, ... */
static int add_value(struct ims_onnx *g, const char *name)
{
    const char *kept;
    char *made = NULL;

    if (g->status)
        return IMS_ONNX_NONE;
    if (!name)
        name = made = ims__strfmt("v%zu", g->n_values);
    kept = name ? ims__arena_strndup(&g->names, name, strlen(name)) : NULL;
    ims__free(made);
    if (!kept || !ims__grow((void **)&g->values, &g->cap_values, g->n_values, sizeof(*g->values),
                            MAX_VALUES)) {
        g->status = IMS_E_NOMEM;
        return IMS_ONNX_NONE;
    }
    g->values[g->n_values] = kept;
    return (int)g->n_values++;
}

static const char *name_of(const struct ims_onnx *g, int v)
{
    return v >= 0 && (size_t)v < g->n_values ? g->values[v] : "";
}

static void put_value_info(struct ims_onnx *g, struct ims_buf *to, unsigned field, const char *name,
                           ims_onnx_type type, const struct ims_onnx_dim *dims, size_t rank)
{
    struct ims_buf shape;
    struct ims_buf tensor;

    ims__buf_init(&shape, IMS_ONNX_MAX_BYTES);
    ims__buf_init(&tensor, IMS_ONNX_MAX_BYTES);
    for (size_t i = 0; i < rank; i++) {
        if (dims[i].name)
            put_text(&g->inner, DIM_PARAM, dims[i].name);
        else
            put_int(&g->inner, DIM_VALUE, dims[i].value);
        put_message(g, &shape, SHAPE_DIM, &g->inner);
    }
    put_int(&tensor, TYPE_ELEM, type);
    put_message(g, &tensor, TYPE_SHAPE, &shape);
    put_message(g, &g->inner, TYPE_TENSOR, &tensor);
    put_text(&g->part, VALUE_NAME, name);
    put_message(g, &g->part, VALUE_TYPE, &g->inner);
    put_message(g, to, field, &g->part);
    ims__buf_release(&shape);
    ims__buf_release(&tensor);
}

int ims__onnx_input(struct ims_onnx *g, const char *name, ims_onnx_type type,
                    const struct ims_onnx_dim *dims, size_t rank)
{
    int v = add_value(g, name);

    if (v != IMS_ONNX_NONE)
        put_value_info(g, &g->inputs, GRAPH_INPUT, name, type, dims, rank);
    return v;
}

void ims__onnx_output(struct ims_onnx *g, int v, const char *name, ims_onnx_type type,
                      const struct ims_onnx_dim *dims, size_t rank)
{
    if (g->status)
        return;
    put_text(&g->part, NODE_INPUT, name_of(g, v));
    put_text(&g->part, NODE_OUTPUT, name);
    put_text(&g->part, NODE_OP, "Identity");
    put_message(g, &g->nodes, GRAPH_NODE, &g->part);
    put_value_info(g, &g->outputs, GRAPH_OUTPUT, name, type, dims, rank);
}

static void put_tensor_head(struct ims_onnx *g, int v, ims_onnx_type type, const uint64_t *dims,
                            size_t rank)
{
    for (size_t i = 0; i < rank; i++)
        put_int(&g->part, TENSOR_DIMS, (int64_t)dims[i]);
    put_int(&g->part, TENSOR_TYPE, type);
    put_text(&g->part, TENSOR_NAME, name_of(g, v));
}

static void put_entry(struct ims_onnx *g, const char *key, const char *value)
{
    put_text(&g->inner, ENTRY_KEY, key);
    put_text(&g->inner, ENTRY_VALUE, value);
    put_message(g, &g->part, TENSOR_EXTERNAL, &g->inner);
}

static void put_number_entry(struct ims_onnx *g, const char *key, uint64_t value)
{
    char *text = ims__strfmt("%llu", (unsigned long long)value);

    if (!text)
        g->status = IMS_E_NOMEM;
    else
        put_entry(g, key, text);
    ims__free(text);
}

int ims__onnx_external(struct ims_onnx *g, const char *name, ims_onnx_type type,
                       const uint64_t *dims, size_t rank, const char *location, uint64_t offset,
                       uint64_t size_bytes)
{
    int v = add_value(g, name);

    if (v == IMS_ONNX_NONE)
        return v;
    put_tensor_head(g, v, type, dims, rank);
    put_entry(g, "location", location);
    put_number_entry(g, "offset", offset);
    put_number_entry(g, "length", size_bytes);
    put_int(&g->part, TENSOR_LOCATION, 1);
    put_message(g, &g->initializers, GRAPH_INITIALIZER, &g->part);
    return g->status ? IMS_ONNX_NONE : v;
}

int ims__onnx_floats(struct ims_onnx *g, const float *values, size_t n, const uint64_t *dims,
                     size_t rank)
{
    int v = add_value(g, NULL);

    if (v == IMS_ONNX_NONE)
        return v;
    put_tensor_head(g, v, IMS_ONNX_FLOAT, dims, rank);
    for (size_t i = 0; i < n; i++)
        put_le(&g->inner, float_bits(values[i]), 4);
    put_message(g, &g->part, TENSOR_RAW, &g->inner);
    put_message(g, &g->initializers, GRAPH_INITIALIZER, &g->part);
    return g->status ? IMS_ONNX_NONE : v;
}

int ims__onnx_float(struct ims_onnx *g, float v)
{
    return ims__onnx_floats(g, &v, 1, NULL, 0);
}

int ims__onnx_byte(struct ims_onnx *g, uint8_t byte)
{
    int v = add_value(g, NULL);

    if (v == IMS_ONNX_NONE)
        return v;
    put_tensor_head(g, v, IMS_ONNX_UINT8, NULL, 0);
    put_le(&g->inner, byte, 1);
    put_message(g, &g->part, TENSOR_RAW, &g->inner);
    put_message(g, &g->initializers, GRAPH_INITIALIZER, &g->part);
    return g->status ? IMS_ONNX_NONE : v;
}

static int add_ints(struct ims_onnx *g, const int64_t *values, size_t n, size_t rank)
{
    const uint64_t dim = n;
    int v = add_value(g, NULL);

    if (v == IMS_ONNX_NONE)
        return v;
    put_tensor_head(g, v, IMS_ONNX_INT64, &dim, rank);
    for (size_t i = 0; i < n; i++)
        put_le(&g->inner, (uint64_t)values[i], 8);
    put_message(g, &g->part, TENSOR_RAW, &g->inner);
    put_message(g, &g->initializers, GRAPH_INITIALIZER, &g->part);
    return g->status ? IMS_ONNX_NONE : v;
}

int ims__onnx_ints(struct ims_onnx *g, const int64_t *v, size_t n)
{
    return add_ints(g, v, n, 1);
}

int ims__onnx_int(struct ims_onnx *g, int64_t v)
{
    return add_ints(g, &v, 1, 0);
}

static void put_attr(struct ims_onnx *g, const struct ims_onnx_attr *a)
{
    struct ims_buf *b = &g->inner;

    put_text(b, ATTR_NAME, a->name);
    switch (a->kind) {
    case IMS_ONNX_ATTR_INT:
        put_int(b, ATTR_I, a->i);
        put_int(b, ATTR_TYPE, ATTR_TYPE_INT);
        break;
    case IMS_ONNX_ATTR_FLOAT:
        put_varint(b, ATTR_F << 3 | WIRE_FIXED32);
        put_le(b, float_bits(a->f), 4);
        put_int(b, ATTR_TYPE, ATTR_TYPE_FLOAT);
        break;
    case IMS_ONNX_ATTR_INTS:
        for (size_t i = 0; i < a->n_ints; i++)
            put_int(b, ATTR_INTS, a->ints[i]);
        put_int(b, ATTR_TYPE, ATTR_TYPE_INTS);
        break;
    case IMS_ONNX_ATTR_TEXT:
        put_text(b, ATTR_S, a->text);
        put_int(b, ATTR_TYPE, ATTR_TYPE_STRING);
        break;
    }
    put_message(g, &g->part, NODE_ATTRIBUTE, b);
}

int ims__onnx_node(struct ims_onnx *g, const char *op, const int *inputs, size_t n_inputs,
                   size_t n_outputs, const struct ims_onnx_attr *attrs, size_t n_attrs)
{
    int first = IMS_ONNX_NONE;

    if (g->status)
        return IMS_ONNX_NONE;
    for (size_t i = 0; i < n_inputs; i++)
        put_text(&g->part, NODE_INPUT, name_of(g, inputs[i]));
    for (size_t i = 0; i < n_outputs; i++) {
        int v = add_value(g, NULL);
        if (v == IMS_ONNX_NONE)
            return v;
        put_text(&g->part, NODE_OUTPUT, name_of(g, v));
        if (i == 0)
            first = v;
    }
    put_text(&g->part, NODE_NAME,
             name_of(g, first)); /* value names are unique, so node names are */
    put_text(&g->part, NODE_OP, op);
    for (size_t i = 0; i < n_attrs; i++)
        put_attr(g, &attrs[i]);
    put_message(g, &g->nodes, GRAPH_NODE, &g->part);
    return g->status ? IMS_ONNX_NONE : first;
}

ims_status ims__onnx_finish(struct ims_onnx *g, const char *what, void **out, size_t *out_bytes,
                            ims_err *err)
{
    struct ims_buf model;
    struct ims_buf *graph = &g->part;
    const struct ims_buf *members[] = { &g->nodes, &g->initializers, &g->inputs, &g->outputs };

    ims__buf_init(&model, IMS_ONNX_MAX_BYTES);
    if (!g->status) {
        for (size_t i = 0; i < IMS_ARRAY_LEN(members); i++) {
            if (members[i]->len)
                (void)ims__buf_add(graph, members[i]->data, members[i]->len);
        }
        put_text(graph, GRAPH_NAME, what);
        put_int(&model, MODEL_IR_VERSION, IMS_ONNX_IR_VERSION);
        put_text(&model, MODEL_PRODUCER, "imgsearch");
        put_text(&g->inner, OPSET_DOMAIN, "");
        put_int(&g->inner, OPSET_VERSION, IMS_ONNX_OPSET);
        put_message(g, &model, MODEL_OPSET, &g->inner);
        put_message(g, &model, MODEL_GRAPH, graph);
    }
    if (g->status) {
        ims__buf_release(&model);
        return ims_fail(err, g->status, ORIGIN, 0, "writing the graph of the %s", what);
    }
    *out = ims__buf_take(&model, out_bytes);
    return IMS_OK;
}
