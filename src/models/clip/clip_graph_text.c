/* The graph of the text tower.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_graph.h"

#include "models/clip/clip_graph_internal.h"

#include <float.h>
#include <stdio.h>

#define TABLE "token_embedding.weight"

/* The graph's free sizes, as tensors. */
struct sizes {
    int shape;     /* [batch, length] */
    int batch;     /* scalar */
    int length;    /* scalar */
    int length_1d; /* [length] as a vector of one */
    int positions; /* 0, 1, ... length - 1 */
};

static int range(struct ims_graph *g, int end)
{
    const int in[] = { ims__onnx_int(&g->onnx, 0), end, ims__onnx_int(&g->onnx, 1) };

    return ims__onnx_node(&g->onnx, "Range", in, 3, 1, NULL, 0);
}

static struct sizes add_sizes(struct ims_graph *g, int text)
{
    struct sizes s;

    s.shape = ims__graph_op1(g, "Shape", text);
    s.batch = ims__graph_gather(g, s.shape, ims__onnx_int(&g->onnx, 0), 0);
    s.length = ims__graph_gather(g, s.shape, ims__onnx_int(&g->onnx, 1), 0);
    s.length_1d = ims__graph_reshape(g, s.length, (const int64_t[]){ 1 }, 1);
    s.positions = range(g, s.length);
    return s;
}

/* open_clip writes a text tower either beside the image tower or as a member "text" of its own. */
static const char *prefix_of(const struct ims_safetensors *weights)
{
    return ims__safetensors_find(weights, "text." TABLE) ? "text." : "";
}

bool ims__clip_is_table_narrow(const struct ims_safetensors *weights)
{
    const struct ims_weight *w = ims__safetensors_find(weights, "text." TABLE);

    if (!w)
        w = ims__safetensors_find(weights, TABLE);
    return w && w->type != IMS_WEIGHT_F32;
}

/* Token and position embeddings, as a matrix. The table is read row by row: a half table is widened
 * after the look-up, not as a whole, unless that was asked for. */
static int add_tokens(struct ims_graph *g, int text, const struct sizes *s,
                      const struct ims_clip_text *t, const char *prefix)
{
    const uint32_t w = t->blocks.width;
    ims_weight_type type = IMS_WEIGHT_F32;
    int table =
        ims__graph_stored(g, IMS_CLIP_TABLE, IMS_DIMS(t->vocab_size, w), &type, "%s" TABLE, prefix);
    int positions =
        ims__graph_weight(g, IMS_DIMS(t->context_length, w), "%spositional_embedding", prefix);
    int zero = ims__onnx_ints(&g->onnx, &(int64_t){ 0 }, 1);
    const int slice[] = { positions, zero, s->length_1d, zero };
    bool is_narrow = type != IMS_WEIGHT_F32;
    int x;

    if (is_narrow && g->is_table_wide)
        table = ims__graph_cast(g, table, IMS_ONNX_FLOAT);
    x = ims__graph_gather(g, table, text, 0);
    if (is_narrow && !g->is_table_wide)
        x = ims__graph_cast(g, x, IMS_ONNX_FLOAT);
    x = ims__graph_op2(g, "Add", x, ims__onnx_node(&g->onnx, "Slice", slice, 4, 1, NULL, 0));
    return ims__graph_reshape(g, x, (const int64_t[]){ -1, w }, 2);
}

/* [length, length]: 0 where a position may look, the lowest float where it may not. */
static int add_causal_mask(struct ims_graph *g, const struct sizes *s)
{
    int row = ims__graph_reshape(g, s->positions, (const int64_t[]){ -1, 1 }, 2);
    int column = ims__graph_reshape(g, s->positions, (const int64_t[]){ 1, -1 }, 2);
    const int in[] = { ims__graph_op2(g, "Greater", column, row),
                       ims__onnx_float(&g->onnx, -FLT_MAX), ims__onnx_float(&g->onnx, 0.0f) };

    return ims__onnx_node(&g->onnx, "Where", in, 3, 1, NULL, 0);
}

static int first_largest(struct ims_graph *g, int v)
{
    const struct ims_onnx_attr attrs[] = { IMS_ONNX_INT("axis", 1), IMS_ONNX_INT("keepdims", 0) };

    return ims__onnx_node(&g->onnx, "ArgMax", &v, 1, 1, attrs, 2);
}

/* Per text, the position whose vector becomes the embedding: int64 [batch] or a scalar. */
static int pooled_positions(struct ims_graph *g, int text, const struct sizes *s,
                            const struct ims_clip_text *t)
{
    int eos;

    switch (t->pool) {
    case IMS_CLIP_POOL_EOS:
        eos = ims__graph_cast(g, ims__onnx_int(&g->onnx, t->eos_id), IMS_ONNX_INT32);
        return first_largest(
            g, ims__graph_cast(g, ims__graph_op2(g, "Equal", text, eos), IMS_ONNX_INT32));
    case IMS_CLIP_POOL_FIRST:
        return ims__onnx_int(&g->onnx, 0);
    case IMS_CLIP_POOL_LAST:
        return ims__graph_op2(g, "Sub", s->length, ims__onnx_int(&g->onnx, 1));
    case IMS_CLIP_POOL_ARGMAX:
        break;
    }
    return first_largest(g, text);
}

static struct ims_graph_rows add_rows(struct ims_graph *g, int text, const struct sizes *s,
                                      const struct ims_clip_text *t)
{
    const struct ims_clip_blocks *b = &t->blocks;
    const int64_t heads[] = { b->heads, b->width / b->heads };
    const int64_t pooled[] = { -1, 1, b->heads, b->width / b->heads };
    struct ims_graph_rows rows = { 0, IMS_ONNX_NONE, IMS_ONNX_NONE, IMS_ONNX_NONE, IMS_ONNX_NONE };
    int at = pooled_positions(g, text, s, t);
    int starts = ims__graph_op2(g, "Mul", range(g, s->batch), s->length);

    rows.heads_shape = ims__graph_concat(g, s->shape, ims__onnx_ints(&g->onnx, heads, 2), 0);
    rows.pooled = ims__graph_op2(g, "Add", starts, at);
    rows.pooled_shape = ims__onnx_ints(&g->onnx, pooled, 4);
    if (t->is_causal) {
        int mask = add_causal_mask(g, s);
        int lines = ims__graph_gather(g, mask, at, 0);
        rows.mask = mask;
        rows.pooled_mask = ims__graph_op2(
            g, "Reshape", lines,
            ims__graph_concat(g, ims__onnx_ints(&g->onnx, (const int64_t[]){ -1, 1, 1 }, 3),
                              s->length_1d, 0));
    }
    return rows;
}

static int add_projection(struct ims_graph *g, int x, const struct ims_clip_config *c,
                          const char *prefix)
{
    struct ims_graph_affine a = { .n_out = c->dim, .n_in = c->text.blocks.width };
    char weight[48];
    char bias[48];

    if (c->text.proj == IMS_CLIP_PROJ_NONE)
        return x;
    a.is_matrix = c->text.proj == IMS_CLIP_PROJ_MATRIX;
    (void)snprintf(weight, sizeof(weight), "%stext_projection%s", prefix,
                   a.is_matrix ? "" : ".weight");
    (void)snprintf(bias, sizeof(bias), "%stext_projection.bias", prefix);
    a.weight = weight;
    a.bias = a.is_matrix ? NULL : bias;
    return ims__graph_affine(g, x, &a);
}

ims_status ims__clip_graph_text(void **out, size_t *out_bytes, const struct ims_clip_config *config,
                                const struct ims_clip_source *source, ims_err *err)
{
    static const struct ims_onnx_dim dims[] = { { "batch", 0 }, { "length", 0 } };
    const struct ims_clip_text *t = &config->text;
    const char *prefix = prefix_of(source->weights);
    char norm[32];
    struct ims_graph_rows rows;
    struct ims_graph g;
    struct sizes s;
    ims_status st;
    int text;
    int x;

    ims__graph_init(&g, source, err);
    text = ims__onnx_input(&g.onnx, "text", IMS_ONNX_INT32, dims, 2);
    s = add_sizes(&g, text);
    x = add_tokens(&g, text, &s, t, prefix);
    rows = add_rows(&g, text, &s, t);
    x = ims__graph_blocks(&g, x, &t->blocks, &rows, prefix);
    (void)snprintf(norm, sizeof(norm), "%sln_final", prefix);
    x = ims__graph_norm(&g, x, t->blocks.width, t->blocks.norm_eps, norm);
    x = add_projection(&g, x, config, prefix);
    ims__graph_embedding(&g, x, config->dim);
    st = ims__graph_finish(&g, "text tower", out, out_bytes);
    ims__graph_release(&g);
    return st;
}
