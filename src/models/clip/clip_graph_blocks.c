/* The residual attention blocks, which both towers share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_graph_internal.h"

#include <math.h>
#include <stdio.h>

#define MAX_NAME 128

/* The parts of a block by the names of those who trained it. */
struct part_names {
    const char *stack, *norm_1, *qkv_weight, *qkv_bias, *out, *scale_1, *norm_2, *fc_1, *fc_2,
        *scale_2;
};

static const struct part_names part_names[] = {
    [IMS_CLIP_NAMES_OPEN_CLIP] = { "transformer.resblocks", "ln_1", "attn.in_proj_weight",
                                   "attn.in_proj_bias", "attn.out_proj", "ls_1", "ln_2", "mlp.c_fc",
                                   "mlp.c_proj", "ls_2" },
    [IMS_CLIP_NAMES_TIMM] = { "blocks", "norm1", "attn.qkv.weight", "attn.qkv.bias", "attn.proj",
                              "ls1", "norm2", "mlp.fc1", "mlp.fc2", "ls2" },
};

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
 * goes on q, as torch does it. With fp16, q, k, v and the result are halves; the softmax is not. */
static int attend(struct ims_graph *g, const struct ims_clip_blocks *b, int q, int k, int v,
                  int q_shape, int kv_shape, int mask)
{
    static const int64_t heads_first[] = { 0, 2, 1, 3 };
    const int64_t flat[] = { -1, b->width };
    const double head_width = b->width / b->heads;
    int scores;

    scores = ims__graph_half(g, ims__onnx_float(&g->onnx, (float)(1.0 / sqrt(head_width))));
    q = ims__graph_op2(g, "Mul", q, scores);
    q = split_heads(g, q, q_shape, false);
    k = split_heads(g, k, kv_shape, true);
    v = split_heads(g, v, kv_shape, false);
    scores = ims__graph_full(g, ims__graph_op2(g, "MatMul", q, k));
    if (mask != IMS_ONNX_NONE)
        scores = ims__graph_op2(g, "Add", scores, mask);
    scores = ims__onnx_node(&g->onnx, "Softmax", &scores, 1, 1, &IMS_ONNX_INT("axis", -1), 1);
    v = ims__graph_op2(g, "MatMul", ims__graph_half(g, scores), v);
    return ims__graph_reshape(g, ims__graph_transpose(g, v, heads_first, 4), flat, 2);
}

static int split(struct ims_graph *g, int x, size_t n)
{
    const struct ims_onnx_attr attrs[] = { IMS_ONNX_INT("axis", 1),
                                           IMS_ONNX_INT("num_outputs", (int64_t)n) };

    return ims__onnx_node(&g->onnx, "Split", &x, 1, n, attrs, IMS_ARRAY_LEN(attrs));
}

/* Parts first .. first + n of q, k and v, in one product. */
static int add_qkv(struct ims_graph *g, const struct ims_clip_blocks *b, int x, const char *name,
                   unsigned first, unsigned n)
{
    const struct part_names *part = &part_names[b->names];
    const uint64_t w = b->width;
    char weight[MAX_NAME + 32];
    char bias[MAX_NAME + 32];

    (void)snprintf(weight, sizeof(weight), "%s.%s", name, part->qkv_weight);
    (void)snprintf(bias, sizeof(bias), "%s.%s", name, part->qkv_bias);
    return ims__graph_affine(g, x,
                             &(struct ims_graph_affine){ .weight = weight,
                                                         .bias = bias,
                                                         .n_out = 3 * w,
                                                         .n_in = w,
                                                         .first = first * w,
                                                         .n_rows = n == 3 ? 0 : n * w,
                                                         .is_half_out = true });
}

/* Attention of every position. */
static int attend_all(struct ims_graph *g, const struct ims_clip_blocks *b, int x,
                      const struct ims_graph_rows *rows, const char *name)
{
    int qkv = split(g, add_qkv(g, b, x, name, 0, 3), 3);

    return attend(g, b, qkv, qkv + 1, qkv + 2, rows->heads_shape, rows->heads_shape, rows->mask);
}

/* Attention of the pooled positions x to all positions all: the stored matrix has the rows of q,
 * then those of k and v, so its parts are used where they lie. */
static int attend_pooled(struct ims_graph *g, const struct ims_clip_blocks *b, int x, int all,
                         const struct ims_graph_rows *rows, const char *name)
{
    int q = add_qkv(g, b, x, name, 0, 1);
    int kv = split(g, add_qkv(g, b, all, name, 1, 2), 2);

    return attend(g, b, q, kv, kv + 1, rows->pooled_shape, rows->heads_shape, rows->pooled_mask);
}

static int activate(struct ims_graph *g, const struct ims_clip_blocks *b, int x)
{
    int gate;

    switch (b->act) {
    case IMS_CLIP_QUICK_GELU:
        gate = ims__graph_half(g, ims__onnx_float(&g->onnx, 1.702f));
        gate = ims__graph_op2(g, "Mul", x, gate);
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

enum { HALF_IN = 1, HALF_OUT = 2 }; /* with fp16 */

/* part is the prefix of ".weight" and ".bias". */
static int add_linear(struct ims_graph *g, int x, uint32_t n_out, uint32_t n_in, const char *name,
                      const char *part, unsigned halves)
{
    char weight[MAX_NAME + 32];
    char bias[MAX_NAME + 32];

    (void)snprintf(weight, sizeof(weight), "%s.%s.weight", name, part);
    (void)snprintf(bias, sizeof(bias), "%s.%s.bias", name, part);
    return ims__graph_affine(g, x,
                             &(struct ims_graph_affine){ .weight = weight,
                                                         .bias = bias,
                                                         .n_out = n_out,
                                                         .n_in = n_in,
                                                         .is_half_in = halves & HALF_IN,
                                                         .is_half_out = halves & HALF_OUT });
}

static int add_norm(struct ims_graph *g, const struct ims_clip_blocks *b, int x, const char *name,
                    const char *part)
{
    char full[MAX_NAME + 32];

    (void)snprintf(full, sizeof(full), "%s.%s", name, part);
    return ims__graph_norm(g, x, b->width, b->norm_eps, full);
}

/* fc_2(act(fc_1(x))) */
static int add_mlp(struct ims_graph *g, const struct ims_clip_blocks *b, int x, const char *name)
{
    const struct part_names *part = &part_names[b->names];

    x = add_linear(g, x, b->mlp_width, b->width, name, part->fc_1, HALF_OUT);
    x = activate(g, b, x);
    return add_linear(g, x, b->width, b->mlp_width, name, part->fc_2, HALF_IN);
}

static int add_block(struct ims_graph *g, int x, const struct ims_clip_blocks *b,
                     const struct ims_graph_rows *rows, bool is_pooled, const char *name)
{
    const struct part_names *part = &part_names[b->names];
    int y = add_norm(g, b, x, name, part->norm_1);

    if (is_pooled) {
        int all = y;
        x = ims__graph_gather(g, x, rows->pooled, 0);
        y = ims__graph_gather(g, y, rows->pooled, 0);
        y = attend_pooled(g, b, y, all, rows, name);
    } else {
        y = attend_all(g, b, y, rows, name);
    }
    y = add_linear(g, y, b->width, b->width, name, part->out, HALF_IN);
    x = add_residual(g, b, x, y, name, part->scale_1);
    y = add_norm(g, b, x, name, part->norm_2);
    y = add_mlp(g, b, y, name);
    return add_residual(g, b, x, y, name, part->scale_2);
}

int ims__graph_blocks(struct ims_graph *g, int x, const struct ims_clip_blocks *b,
                      const struct ims_graph_rows *rows, const char *prefix)
{
    char name[MAX_NAME];

    for (uint32_t i = 0; i < b->layers && !g->status; i++) {
        bool is_pooled = rows->pooled != IMS_ONNX_NONE && i + 1 == b->layers;
        (void)snprintf(name, sizeof(name), "%s%s.%u", prefix, part_names[b->names].stack, i);
        x = add_block(g, x, b, rows, is_pooled, name);
    }
    return x;
}

/* The query is the same for every row, so it has one; the score product repeats it over the batch.
 */
int ims__graph_attention_pool(struct ims_graph *g, int x, const struct ims_clip_blocks *b,
                              int heads_shape, const char *name)
{
    const int64_t one_query[] = { 1, 1, b->heads, b->width / b->heads };
    const uint32_t w = b->width;
    int q = ims__graph_weight(g, IMS_DIMS(1, 1, w), "%s.latent", name);
    int kv = add_linear(g, x, 2 * w, w, name, "kv", HALF_OUT);
    int y;

    q = ims__graph_reshape(g, q, (const int64_t[]){ 1, w }, 2);
    q = add_linear(g, q, w, w, name, "q", HALF_OUT);
    kv = split(g, kv, 2);
    x = attend(g, b, q, kv, kv + 1, ims__onnx_ints(&g->onnx, one_query, 4), heads_shape,
               IMS_ONNX_NONE);
    x = add_linear(g, x, w, w, name, "proj", HALF_IN);
    y = add_norm(g, b, x, name, "norm");
    return ims__graph_op2(g, "Add", x, add_mlp(g, b, y, name));
}
