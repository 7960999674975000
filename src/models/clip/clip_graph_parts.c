/* The pieces of a CLIP graph: weights, single operators, normalisation.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_graph_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN "clip"
#define MAX_NAME 160

void ims__graph_init(struct ims_graph *g, const struct ims_safetensors *weights, ims_err *err)
{
    *g = (struct ims_graph){ .weights = weights, .err = err };
    ims__onnx_init(&g->onnx);
}

void ims__graph_release(struct ims_graph *g)
{
    ims__onnx_release(&g->onnx);
}

ims_status ims__graph_finish(struct ims_graph *g, const char *what, void **out, size_t *out_bytes)
{
    if (g->status)
        return g->status;
    return ims__onnx_finish(&g->onnx, what, out, out_bytes, g->err);
}

/* ---- weights ---- */

static bool onnx_type(ims_weight_type t, ims_onnx_type *out)
{
    switch (t) {
    case IMS_WEIGHT_F32:
        *out = IMS_ONNX_FLOAT;
        return true;
    case IMS_WEIGHT_F16:
        *out = IMS_ONNX_FLOAT16;
        return true;
    case IMS_WEIGHT_BF16:
        *out = IMS_ONNX_BFLOAT16;
        return true;
    default:
        return false;
    }
}

/* The tensor of that name if it has that shape and a float type; otherwise fails the graph. */
static const struct ims_weight *find_weight(struct ims_graph *g, const char *name,
                                            const uint64_t *dims, size_t rank,
                                            ims_onnx_type *out_type)
{
    const struct ims_weight *w;
    char expected[96];
    char found[96] = "none";

    if (g->status)
        return NULL;
    w = ims__safetensors_find(g->weights, name);
    if (w && w->rank == rank && memcmp(w->dims, dims, rank * sizeof(*dims)) == 0 &&
        onnx_type(w->type, out_type))
        return w;
    ims__weight_describe(IMS_WEIGHT_F32, (uint32_t)rank, dims, expected, sizeof(expected));
    if (w)
        ims__weight_describe(w->type, w->rank, w->dims, found, sizeof(found));
    g->status = ims_fail(g->err, IMS_E_MODEL, ORIGIN, 0,
                         "%s: tensor %s: expected %s (or F16, BF16), found %s", g->weights->path,
                         name, expected, found);
    return NULL;
}

static int add_stored(struct ims_graph *g, const char *name, const uint64_t *dims, size_t rank,
                      ims_weight_type *out_type)
{
    ims_onnx_type type;
    const struct ims_weight *w = find_weight(g, name, dims, rank, &type);

    if (!w)
        return IMS_ONNX_NONE;
    *out_type = w->type;
    return ims__onnx_external(&g->onnx, name, type, dims, rank, w->file, w->offset,
                              w->size_bytes);
}

static int as_float(struct ims_graph *g, int v, ims_weight_type type)
{
    return type == IMS_WEIGHT_F32 ? v : ims__graph_cast(g, v, IMS_ONNX_FLOAT);
}

int ims__graph_stored(struct ims_graph *g, const uint64_t *dims, size_t rank,
                      ims_weight_type *out_type, const char *fmt, ...)
{
    char name[MAX_NAME];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    return add_stored(g, name, dims, rank, out_type);
}

int ims__graph_weight(struct ims_graph *g, const uint64_t *dims, size_t rank, const char *fmt, ...)
{
    ims_weight_type type = IMS_WEIGHT_F32;
    char name[MAX_NAME];
    va_list ap;
    int v;

    va_start(ap, fmt);
    (void)vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    v = add_stored(g, name, dims, rank, &type);
    return as_float(g, v, type);
}

int ims__graph_rows(struct ims_graph *g, const uint64_t *dims, size_t rank, uint64_t first,
                    uint64_t n_rows, const char *fmt, ...)
{
    uint64_t part[IMS_MAX_TENSOR_RANK];
    const struct ims_weight *w;
    char name[MAX_NAME];
    char part_name[MAX_NAME + 48];
    ims_onnx_type type;
    uint64_t row_bytes;
    va_list ap;
    int v;

    va_start(ap, fmt);
    (void)vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    w = find_weight(g, name, dims, rank, &type);
    if (!w)
        return IMS_ONNX_NONE;
    row_bytes = w->size_bytes / dims[0];
    memcpy(part, dims, rank * sizeof(*dims));
    part[0] = n_rows;
    (void)snprintf(part_name, sizeof(part_name), "%s[%llu:%llu]", name, (unsigned long long)first,
                   (unsigned long long)(first + n_rows));
    v = ims__onnx_external(&g->onnx, part_name, type, part, rank, w->file,
                           w->offset + first * row_bytes, n_rows * row_bytes);
    return as_float(g, v, w->type);
}

/* ---- operators ---- */

int ims__graph_op1(struct ims_graph *g, const char *op, int a)
{
    return ims__onnx_node(&g->onnx, op, &a, 1, 1, NULL, 0);
}

int ims__graph_op2(struct ims_graph *g, const char *op, int a, int b)
{
    return ims__onnx_node(&g->onnx, op, (const int[]){ a, b }, 2, 1, NULL, 0);
}

int ims__graph_cast(struct ims_graph *g, int a, ims_onnx_type type)
{
    return ims__onnx_node(&g->onnx, "Cast", &a, 1, 1, &IMS_ONNX_INT("to", type), 1);
}

int ims__graph_transpose(struct ims_graph *g, int a, const int64_t *perm, size_t rank)
{
    return ims__onnx_node(&g->onnx, "Transpose", &a, 1, 1, &IMS_ONNX_INTS("perm", perm, rank), 1);
}

int ims__graph_concat(struct ims_graph *g, int a, int b, int64_t axis)
{
    return ims__onnx_node(&g->onnx, "Concat", (const int[]){ a, b }, 2, 1,
                          &IMS_ONNX_INT("axis", axis), 1);
}

int ims__graph_gather(struct ims_graph *g, int a, int indices, int64_t axis)
{
    return ims__onnx_node(&g->onnx, "Gather", (const int[]){ a, indices }, 2, 1,
                          &IMS_ONNX_INT("axis", axis), 1);
}

int ims__graph_reshape(struct ims_graph *g, int a, const int64_t *shape, size_t rank)
{
    return ims__graph_op2(g, "Reshape", a, ims__onnx_ints(&g->onnx, shape, rank));
}

int ims__graph_norm(struct ims_graph *g, int x, uint32_t width, double eps, const char *name)
{
    const struct ims_onnx_attr attrs[] = { IMS_ONNX_INT("axis", -1),
                                           IMS_ONNX_REAL("epsilon", (float)eps) };
    int scale = ims__graph_weight(g, IMS_DIMS(width), "%s.weight", name);
    int bias = ims__graph_weight(g, IMS_DIMS(width), "%s.bias", name);

    return ims__onnx_node(&g->onnx, "LayerNormalization", (const int[]){ x, scale, bias }, 3, 1,
                          attrs, IMS_ARRAY_LEN(attrs));
}

int ims__graph_linear(struct ims_graph *g, int x, uint32_t n_out, uint32_t n_in, const char *name)
{
    int w = ims__graph_weight(g, IMS_DIMS(n_out, n_in), "%s.weight", name);
    int b = ims__graph_weight(g, IMS_DIMS(n_out), "%s.bias", name);

    return ims__onnx_node(&g->onnx, "Gemm", (const int[]){ x, w, b }, 3, 1,
                          &IMS_ONNX_INT("transB", 1), 1);
}

void ims__graph_embedding(struct ims_graph *g, int x, uint32_t dim)
{
    const struct ims_onnx_dim dims[] = { { "batch", 0 }, { NULL, dim } };
    const int in[] = { x, ims__onnx_ints(&g->onnx, &(int64_t){ -1 }, 1) };
    int length = ims__onnx_node(&g->onnx, "ReduceL2", in, 2, 1, &IMS_ONNX_INT("keepdims", 1), 1);

    length = ims__graph_op2(g, "Max", length, ims__onnx_float(&g->onnx, 1e-12f));
    ims__onnx_output(&g->onnx, ims__graph_op2(g, "Div", x, length), "embedding", IMS_ONNX_FLOAT,
                     dims, 2);
}
