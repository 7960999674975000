/* The graph of timm's SigLIP image tower: no class token, and a learnt query that attends to all
 * patches in place of a pooled position.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_graph.h"

#include "models/clip/clip_graph_internal.h"

#define TRUNK "visual.trunk."

/* Patches to a matrix [batch * patches, width], positions added. */
static int add_patches(struct ims_graph *g, int x, const struct ims_clip_vision *v,
                       uint32_t n_patches)
{
    static const int64_t patches_first[] = { 0, 2, 1 };
    const uint32_t w = v->blocks.width;
    int positions = ims__graph_weight(g, IMS_DIMS(1, n_patches, w), TRUNK "pos_embed");

    x = ims__graph_patches(g, x, v, TRUNK "patch_embed.proj.weight", TRUNK "patch_embed.proj.bias");
    x = ims__graph_reshape(g, x, (const int64_t[]){ 0, w, n_patches }, 3);
    x = ims__graph_transpose(g, x, patches_first, 3);
    x = ims__graph_op2(g, "Add", x, positions);
    return ims__graph_reshape(g, x, (const int64_t[]){ -1, w }, 2);
}

ims_status ims__clip_graph_siglip(void **out, size_t *out_bytes,
                                  const struct ims_clip_config *config,
                                  const struct ims_clip_source *source, ims_err *err)
{
    const struct ims_clip_vision *v = &config->vision;
    const struct ims_clip_blocks *b = &v->blocks;
    const uint32_t n_patches = (v->height / v->patch_height) * (v->width / v->patch_width);
    const int64_t heads[] = { -1, n_patches, b->heads, b->width / b->heads };
    const struct ims_onnx_dim dims[] = {
        { "batch", 0 }, { NULL, v->height }, { NULL, v->width }, { NULL, 3 }
    };
    struct ims_graph_rows rows = { 0, IMS_ONNX_NONE, IMS_ONNX_NONE, IMS_ONNX_NONE, IMS_ONNX_NONE };
    struct ims_graph g;
    ims_status st;
    int x;

    ims__graph_init(&g, source, err);
    x = ims__onnx_input(&g.onnx, "image", IMS_ONNX_UINT8, dims, 4);
    x = ims__graph_pixels(&g, x, &config->preprocess);
    x = add_patches(&g, x, v, n_patches);
    rows.heads_shape = ims__onnx_ints(&g.onnx, heads, 4);
    x = ims__graph_blocks(&g, x, b, &rows, TRUNK);
    x = ims__graph_norm(&g, x, b->width, b->norm_eps, TRUNK "norm");
    x = ims__graph_attention_pool(&g, x, b, rows.heads_shape, TRUNK "attn_pool");
    ims__graph_embedding(&g, x, config->dim);
    st = ims__graph_finish(&g, "image tower", out, out_bytes);
    ims__graph_release(&g);
    return st;
}
