/* Writes the test graph, byte by byte, and computes its result the slow way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/proof_graph.h"

#include <math.h>
#include <string.h>

enum {
    CHANNELS = 3,
    SIDE = 8,
    PATCH = 4,
    PATCHES = SIDE / PATCH, /* per side */
    FILTERS = 16,
    WIDE = FILTERS * PATCHES * PATCHES,
    HIDDEN = 32
};

#define GELU_SCALE 1.702f

struct weights {
    float patch[FILTERS][CHANNELS][PATCH][PATCH];
    float hidden[WIDE][HIDDEN];
    float bias[HIDDEN];
    float last[HIDDEN][IMS_PROOF_OUTPUT];
};

/* Numbers in (-scale, scale) from a counter, the same on every machine. */
static void fill(float *p, size_t n, uint32_t seed, float scale)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t h = (uint32_t)i * 2654435761u + seed * 40503u;

        h ^= h >> 15;
        h *= 2246822519u;
        h ^= h >> 13;
        p[i] = ((float)(h >> 8) / 8388608.0f - 1.0f) * scale;
    }
}

static void fill_weights(struct weights *w)
{
    fill(&w->patch[0][0][0][0], sizeof(w->patch) / sizeof(float), 1, 0.25f);
    fill(&w->hidden[0][0], sizeof(w->hidden) / sizeof(float), 2, 0.25f);
    fill(w->bias, HIDDEN, 3, 0.5f);
    fill(&w->last[0][0], sizeof(w->last) / sizeof(float), 4, 0.25f);
}

void ims__proof_input(float *x, size_t batch)
{
    fill(x, batch * IMS_PROOF_INPUT, 5, 1.0f);
}

/* ---- protobuf: a message is written into its own buffer, then appended with its length ---- */

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static void put_varint(struct ims_buf *b, uint64_t v)
{
    char bytes[10];
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (char)(v | 0x80);
    bytes[n++] = (char)v;
    (void)ims__buf_add(b, bytes, n); /* the buffer remembers a failure */
}

static void put_int(struct ims_buf *b, unsigned field, uint64_t v)
{
    put_varint(b, field << 3 | WIRE_VARINT);
    put_varint(b, v);
}

static void put_bytes(struct ims_buf *b, unsigned field, const void *p, size_t n)
{
    put_varint(b, field << 3 | WIRE_BYTES);
    put_varint(b, n);
    (void)ims__buf_add(b, p, n);
}

static void put_text(struct ims_buf *b, unsigned field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

/* Appends *message under field and ends it; a failure inside carries over. */
static void put_message(struct ims_buf *b, unsigned field, struct ims_buf *message)
{
    if (ims__buf_status(message) == IMS_OK)
        put_bytes(b, field, message->len ? message->data : "", message->len);
    else
        (void)ims__buf_reserve(b, SIZE_MAX / 2); /* fails, and *b remembers */
    ims__buf_release(message);
}

static struct ims_buf new_message(void)
{
    struct ims_buf b;

    ims__buf_init(&b, 1u << 20);
    return b;
}

/* NodeProto: input 1, output 2, op_type 4, attribute 5. Returns with the node open for attributes.
 */
static struct ims_buf new_node(const char *op, const char *a, const char *b, const char *out)
{
    struct ims_buf node = new_message();

    put_text(&node, 1, a);
    if (b)
        put_text(&node, 1, b);
    put_text(&node, 2, out);
    put_text(&node, 4, op);
    return node;
}

/* AttributeProto: name 1, ints 8, type 20 (7 = INTS). */
static void put_ints(struct ims_buf *node, const char *name, uint64_t v, unsigned n)
{
    struct ims_buf attribute = new_message();

    put_text(&attribute, 1, name);
    for (unsigned i = 0; i < n; i++)
        put_int(&attribute, 8, v);
    put_int(&attribute, 20, 7);
    put_message(node, 5, &attribute);
}

/* TensorProto: dims 1, data_type 2 (1 = float), name 8, raw_data 9 (little-endian). */
static void put_weights(struct ims_buf *graph, const char *name, const float *p, unsigned rank,
                        const uint64_t *shape)
{
    struct ims_buf tensor = new_message();
    size_t n = 1;

    for (unsigned i = 0; i < rank; i++) {
        put_int(&tensor, 1, shape[i]);
        n *= shape[i];
    }
    put_int(&tensor, 2, 1);
    put_text(&tensor, 8, name);
    put_varint(&tensor, 9 << 3 | WIRE_BYTES);
    put_varint(&tensor, n * 4);
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        char le[4];

        memcpy(&u, &p[i], 4);
        for (unsigned k = 0; k < 4; k++)
            le[k] = (char)(u >> 8 * k);
        (void)ims__buf_add(&tensor, le, 4);
    }
    put_message(graph, 5, &tensor);
}

/* ValueInfoProto: name 1, type 2 { tensor_type 1 { elem_type 1, shape 2 { dim 1 { value 1, param 2
 * }}}}. The first dimension is "batch". */
static void put_port(struct ims_buf *graph, unsigned field, const char *name, unsigned rank,
                     const uint64_t *shape)
{
    struct ims_buf info = new_message(), type = new_message(), tensor = new_message();
    struct ims_buf dims = new_message();

    for (unsigned i = 0; i < rank; i++) {
        struct ims_buf dim = new_message();

        if (i == 0)
            put_text(&dim, 2, "batch");
        else
            put_int(&dim, 1, shape[i]);
        put_message(&dims, 1, &dim);
    }
    put_int(&tensor, 1, 1);
    put_message(&tensor, 2, &dims);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(graph, field, &info);
}

static void put_nodes(struct ims_buf *graph)
{
    struct ims_buf node = new_node("Conv", "x", "patch", "patches");

    put_ints(&node, "strides", PATCH, 2);
    put_message(graph, 1, &node);
    node = new_node("Flatten", "patches", NULL, "flat"); /* axis 1 is the default */
    put_message(graph, 1, &node);
    node = new_node("MatMul", "flat", "hidden", "product");
    put_message(graph, 1, &node);
    node = new_node("Add", "product", "bias", "sum");
    put_message(graph, 1, &node);
    node = new_node("Mul", "sum", "gelu_scale", "scaled");
    put_message(graph, 1, &node);
    node = new_node("Sigmoid", "scaled", NULL, "gate");
    put_message(graph, 1, &node);
    node = new_node("Mul", "sum", "gate", "active");
    put_message(graph, 1, &node);
    node = new_node("MatMul", "active", "last", "y");
    put_message(graph, 1, &node);
}

ims_status ims__proof_graph(struct ims_buf *out, ims_err *err)
{
    static const uint64_t patch[] = { FILTERS, CHANNELS, PATCH, PATCH },
                          hidden[] = { WIDE, HIDDEN };
    static const uint64_t bias[] = { HIDDEN }, last[] = { HIDDEN, IMS_PROOF_OUTPUT };
    static const uint64_t x[] = { 0, CHANNELS, SIDE, SIDE }, y[] = { 0, IMS_PROOF_OUTPUT };
    static const float gelu_scale = GELU_SCALE;
    struct weights w;
    struct ims_buf graph = new_message(), opset = new_message();
    ims_status st;

    fill_weights(&w);
    put_nodes(&graph);
    put_text(&graph, 2, "proof");
    put_weights(&graph, "patch", &w.patch[0][0][0][0], 4, patch);
    put_weights(&graph, "hidden", &w.hidden[0][0], 2, hidden);
    put_weights(&graph, "bias", w.bias, 1, bias);
    put_weights(&graph, "gelu_scale", &gelu_scale, 0, NULL);
    put_weights(&graph, "last", &w.last[0][0], 2, last);
    put_port(&graph, 11, "x", 4, x);
    put_port(&graph, 12, "y", 2, y);
    put_int(&opset, 2, 13);
    /* ModelProto: ir_version 1, graph 7, opset_import 8 */
    ims__buf_init(out, 1u << 20);
    put_int(out, 1, 7);
    put_message(out, 8, &opset);
    put_message(out, 7, &graph);
    st = ims__buf_status(out);
    if (st) {
        ims__buf_release(out);
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "building the test graph");
    }
    return IMS_OK;
}

static void expected_patches(const struct weights *w, const float *x, double *flat)
{
    for (size_t f = 0; f < FILTERS; f++) {
        for (size_t p = 0; p < PATCHES * PATCHES; p++) {
            double sum = 0;

            for (size_t c = 0; c < CHANNELS; c++) {
                for (size_t i = 0; i < PATCH * PATCH; i++) {
                    size_t row = p / PATCHES * PATCH + i / PATCH;
                    size_t column = p % PATCHES * PATCH + i % PATCH;

                    sum += (double)x[(c * SIDE + row) * SIDE + column] *
                           (double)w->patch[f][c][i / PATCH][i % PATCH];
                }
            }
            flat[f * PATCHES * PATCHES + p] = sum;
        }
    }
}

void ims__proof_expected(const float *x, size_t batch, double *y)
{
    struct weights w;
    double flat[WIDE], hidden[HIDDEN];

    fill_weights(&w);
    for (size_t n = 0; n < batch; n++, x += IMS_PROOF_INPUT, y += IMS_PROOF_OUTPUT) {
        expected_patches(&w, x, flat);
        for (size_t j = 0; j < HIDDEN; j++) {
            double sum = (double)w.bias[j];

            for (size_t i = 0; i < WIDE; i++)
                sum += flat[i] * (double)w.hidden[i][j];
            hidden[j] = sum / (1.0 + exp(-(double)GELU_SCALE * sum));
        }
        for (size_t k = 0; k < IMS_PROOF_OUTPUT; k++) {
            y[k] = 0;
            for (size_t j = 0; j < HIDDEN; j++)
                y[k] += hidden[j] * (double)w.last[j][k];
        }
    }
}

double ims__proof_tolerance(ims_device_kind kind)
{
    switch (kind) {
    case IMS_DEVICE_CPU:
        return 1e-5;
    case IMS_DEVICE_COREML:   /* the neural engine computes in half precision */
    case IMS_DEVICE_OPENVINO: /* so do Intel GPUs by default */
        return 2e-2;
    default:
        return 1e-3;
    }
}
