/* The residual attention blocks, which both towers share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_graph_internal.h"

#include <math.h>
#include <stdio.h>

#define MAX_NAME 128

/* [rows, positions, heads, head width] of a matrix; then heads before positions, or, for keys, the
 * positions last as the score product wants them. */
static int split_heads(struct ims_graph *g, int x, int shape, bool is_key)
{
    static const int64_t heads_first[] = { 0, 2, 1, 3 };
    static const int64_t positions_last[] = { 0, 2, 3, 1 };

    return ims__graph_transpose(g, ims__graph_op2(g, "Reshape", x, shape),
                                is_key ? positions_last : heads_first, 4);
}

/* softmax(q k^T / sqrt(d) + mask) v, back as a matrix [rows * query positions, width]. The scale
 * goes on q, as torch does it. */
static int attend(struct ims_graph *g, const struct ims_clip_blocks *b, int q, int k, int v,
                  int q_shape, int kv_shape, int mask)
{
    static const int64_t heads_first[] = { 0, 2, 1, 3 };
    const int64_t flat[] = { -1, b->width };
    const double head_width = b->width / b->heads;
    int scores;

    q = ims__graph_op2(g, "Mul", q, ims__onnx_float(&g->onnx, (float)(1.0 / sqrt(head_width))));
    q = split_heads(g, q, q_shape, false);
    k = split_heads(g, k, kv_shape, true);
    v = split_heads(g, v, kv_shape, false);
    scores = ims__graph_op2(g, "MatMul", q, k);
    if (mask != IMS_ONNX_NONE)
        scores = ims__graph_op2(g, "Add", scores, mask);
    scores = ims__onnx_node(&g->onnx, "Softmax", &scores, 1, 1, &IMS_ONNX_INT("axis", -1), 1);
    v = ims__graph_op2(g, "MatMul", scores, v);
    return ims__graph_reshape(g, ims__graph_transpose(g, v, heads_first, 4), flat, 2);
}

static int split(struct ims_graph *g, int x, size_t n)
{
    const struct ims_onnx_attr attrs[] = { IMS_ONNX_INT("axis", 1),
                                           IMS_ONNX_INT("num_outputs", (int64_t)n) };

    return ims__onnx_node(&g->onnx, "Split", &x, 1, n, attrs, IMS_ARRAY_LEN(attrs));
}

/* Attention of every position: q, k and v in one product. */
static int attend_all(struct ims_graph *g, const struct ims_clip_blocks *b, int x,
                      const struct ims_graph_rows *rows, const char *name)
{
    const uint64_t w = b->width;
    int weight = ims__graph_weight(g, IMS_DIMS(3 * w, w), "%s.attn.in_proj_weight", name);
    int bias = ims__graph_weight(g, IMS_DIMS(3 * w), "%s.attn.in_proj_bias", name);
    int qkv = ims__onnx_node(&g->onnx, "Gemm", (const int[]){ x, weight, bias }, 3, 1,
                             &IMS_ONNX_INT("transB", 1), 1);

    qkv = split(g, qkv, 3);
    return attend(g, b, qkv, qkv + 1, qkv + 2, rows->heads_shape, rows->heads_shape, rows->mask);
}

/* Attention of the pooled positions x to all positions all: the stored matrix has the rows of q,
 * then those of k and v, so its parts are used where they lie. */
static int attend_pooled(struct ims_graph *g, const struct ims_clip_blocks *b, int x, int all,
                         const struct ims_graph_rows *rows, const char *name)
{
    const uint64_t w = b->width;
    const struct ims_onnx_attr trans = IMS_ONNX_INT("transB", 1);
    int q_in[] = { x, ims__graph_rows(g, IMS_DIMS(3 * w, w), 0, w, "%s.attn.in_proj_weight", name),
                   ims__graph_rows(g, IMS_DIMS(3 * w), 0, w, "%s.attn.in_proj_bias", name) };
    int kv_in[] = {
        all, ims__graph_rows(g, IMS_DIMS(3 * w, w), w, 2 * w, "%s.attn.in_proj_weight", name),
        ims__graph_rows(g, IMS_DIMS(3 * w), w, 2 * w, "%s.attn.in_proj_bias", name)
    };
    int q = ims__onnx_node(&g->onnx, "Gemm", q_in, 3, 1, &trans, 1);
    int kv = split(g, ims__onnx_node(&g->onnx, "Gemm", kv_in, 3, 1, &trans, 1), 2);

    return attend(g, b, q, kv, kv + 1, rows->pooled_shape, rows->heads_shape, rows->pooled_mask);
}

static int activate(struct ims_graph *g, const struct ims_clip_blocks *b, int x)
{
    int gate;

    switch (b->act) {
    case IMS_CLIP_QUICK_GELU:
        gate = ims__graph_op2(g, "Mul", x, ims__onnx_float(&g->onnx, 1.702f));
        return ims__graph_op2(g, "Mul", x, ims__graph_op1(g, "Sigmoid", gate));
    case IMS_CLIP_GELU_TANH:
        return ims__onnx_node(&g->onnx, "Gelu", &x, 1, 1, &IMS_ONNX_TEXT("approximate", "tanh"), 1);
    case IMS_CLIP_GELU:
        break;
    }
    return ims__graph_op1(g, "Gelu", x);
}

/* x + scale * y, the scale only where the model has one. */
static int add_residual(struct ims_graph *g, const struct ims_clip_blocks *b, int x, int y,
                        const char *name, const char *scale)
{
    if (b->has_layer_scale)
        y = ims__graph_op2(g, "Mul", y,
                           ims__graph_weight(g, IMS_DIMS(b->width), "%s.%s.gamma", name, scale));
    return ims__graph_op2(g, "Add", x, y);
}

static int add_linear(struct ims_graph *g, int x, uint32_t n_out, uint32_t n_in, const char *name,
                      const char *part)
{
    char full[MAX_NAME + 32];

    (void)snprintf(full, sizeof(full), "%s.%s", name, part);
    return ims__graph_linear(g, x, n_out, n_in, full);
}

static int add_norm(struct ims_graph *g, const struct ims_clip_blocks *b, int x, const char *name,
                    const char *part)
{
    char full[MAX_NAME + 32];

    (void)snprintf(full, sizeof(full), "%s.%s", name, part);
    return ims__graph_norm(g, x, b->width, b->norm_eps, full);
}

static int add_block(struct ims_graph *g, int x, const struct ims_clip_blocks *b,
                     const struct ims_graph_rows *rows, bool is_pooled, const char *name)
{
    int y = add_norm(g, b, x, name, "ln_1");

    if (is_pooled) {
        int all = y;
        x = ims__graph_gather(g, x, rows->pooled, 0);
        y = ims__graph_gather(g, y, rows->pooled, 0);
        y = attend_pooled(g, b, y, all, rows, name);
    } else {
        y = attend_all(g, b, y, rows, name);
    }
    y = add_linear(g, y, b->width, b->width, name, "attn.out_proj");
    x = add_residual(g, b, x, y, name, "ls_1");
    y = add_norm(g, b, x, name, "ln_2");
    y = add_linear(g, y, b->mlp_width, b->width, name, "mlp.c_fc");
    y = activate(g, b, y);
    y = add_linear(g, y, b->width, b->mlp_width, name, "mlp.c_proj");
    return add_residual(g, b, x, y, name, "ls_2");
}

int ims__graph_blocks(struct ims_graph *g, int x, const struct ims_clip_blocks *b,
                      const struct ims_graph_rows *rows, const char *prefix)
{
    char name[MAX_NAME];

    for (uint32_t i = 0; i < b->layers && !g->status; i++) {
        bool is_pooled = rows->pooled != IMS_ONNX_NONE && i + 1 == b->layers;
        (void)snprintf(name, sizeof(name), "%stransformer.resblocks.%u", prefix, i);
        x = add_block(g, x, b, rows, is_pooled, name);
    }
    return x;
}
