/* The pieces of a CLIP graph: single operators, normalisation.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_graph_internal.h"

void ims__graph_init(struct ims_graph *g, const struct ims_clip_source *source, ims_err *err)
{
    *g = (struct ims_graph){ .weights = source->weights,
                             .precision = source->precision,
                             .is_table_wide = source->is_table_wide,
                             .plan = source->plan,
                             .err = err };
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

int ims__graph_half(struct ims_graph *g, int x)
{
    return g->precision == IMS_PRECISION_FP16 ? ims__graph_cast(g, x, IMS_ONNX_FLOAT16) : x;
}

int ims__graph_full(struct ims_graph *g, int x)
{
    return g->precision == IMS_PRECISION_FP16 ? ims__graph_cast(g, x, IMS_ONNX_FLOAT) : x;
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

void ims__graph_embedding(struct ims_graph *g, int x, uint32_t dim)
{
    const struct ims_onnx_dim dims[] = { { "batch", 0 }, { NULL, dim } };
    const int in[] = { x, ims__onnx_ints(&g->onnx, &(int64_t){ -1 }, 1) };
    int length = ims__onnx_node(&g->onnx, "ReduceL2", in, 2, 1, &IMS_ONNX_INT("keepdims", 1), 1);

    length = ims__graph_op2(g, "Max", length, ims__onnx_float(&g->onnx, 1e-12f));
    ims__onnx_output(&g->onnx, ims__graph_op2(g, "Div", x, length), "embedding", IMS_ONNX_FLOAT,
                     dims, 2);
}
