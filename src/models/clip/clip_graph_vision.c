/* The graph of open_clip's own image tower; clip_graph_siglip.c has timm's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_graph.h"

#include "models/clip/clip_graph_internal.h"

/* Bytes to normalised floats, planar: x / 255 - mean over std as one product and one sum per
 * channel, whose constants are worked out in double. */
int ims__graph_pixels(struct ims_graph *g, int image, const struct ims_clip_preprocess *p)
{
    static const int64_t planar[] = { 0, 3, 1, 2 };
    float scale[3];
    float shift[3];
    int x;

    for (size_t i = 0; i < 3; i++) {
        scale[i] = (float)(1.0 / (255.0 * (double)p->std[i]));
        shift[i] = (float)(-(double)p->mean[i] / (double)p->std[i]);
    }
    x = ims__graph_cast(g, image, IMS_ONNX_FLOAT);
    x = ims__graph_transpose(g, x, planar, 4);
    x = ims__graph_op2(g, "Mul", x, ims__onnx_floats(&g->onnx, scale, 3, IMS_DIMS(1, 3, 1, 1)));
    return ims__graph_op2(g, "Add", x, ims__onnx_floats(&g->onnx, shift, 3, IMS_DIMS(1, 3, 1, 1)));
}

/* Patches to a matrix [batch * (1 + patches), width], class token first, positions added. */
static int add_tokens(struct ims_graph *g, int x, int image, const struct ims_clip_vision *v,
                      uint32_t n_patches)
{
    static const int64_t patches_first[] = { 0, 2, 1 };
    const uint32_t w = v->blocks.width;
    const struct ims_onnx_attr first[] = { IMS_ONNX_INT("start", 0), IMS_ONNX_INT("end", 1) };
    const int64_t one_row[] = { 1, w };
    int class_token;
    int positions;
    int shape;

    x = ims__graph_patches(g, x, v, "visual.conv1.weight", NULL);
    class_token = ims__graph_weight(g, IMS_DIMS(w), "visual.class_embedding");
    positions = ims__graph_weight(g, IMS_DIMS(n_patches + 1, w), "visual.positional_embedding");
    x = ims__graph_reshape(g, x, (const int64_t[]){ 0, w, n_patches }, 3);
    x = ims__graph_transpose(g, x, patches_first, 3);
    shape = ims__onnx_node(&g->onnx, "Shape", &image, 1, 1, first, 2);
    shape = ims__graph_concat(g, shape, ims__onnx_ints(&g->onnx, one_row, 2), 0);
    x = ims__graph_concat(g, ims__graph_op2(g, "Expand", class_token, shape), x, 1);
    x = ims__graph_op2(g, "Add", x, positions);
    x = ims__graph_reshape(g, x, (const int64_t[]){ -1, w }, 2);
    return v->no_ln_pre ? x : ims__graph_norm(g, x, w, v->blocks.norm_eps, "visual.ln_pre");
}

/* The matrix rows of the class tokens: 0, positions, 2 positions, ... */
static int class_rows(struct ims_graph *g, int image, uint32_t n_positions)
{
    const struct ims_onnx_attr first[] = { IMS_ONNX_INT("start", 0), IMS_ONNX_INT("end", 1) };
    int batch = ims__onnx_node(&g->onnx, "Shape", &image, 1, 1, first, 2);
    int in[3] = { ims__onnx_int(&g->onnx, 0), IMS_ONNX_NONE, ims__onnx_int(&g->onnx, 1) };
    int rows;

    in[1] = ims__graph_reshape(g, batch, NULL, 0);
    rows = ims__onnx_node(&g->onnx, "Range", in, 3, 1, NULL, 0);
    return ims__graph_op2(g, "Mul", rows, ims__onnx_int(&g->onnx, n_positions));
}

/* Mean over the patches, the class token left out; the last norm before it or after it. */
static int add_mean(struct ims_graph *g, int x, const struct ims_clip_vision *v,
                    uint32_t n_positions)
{
    const struct ims_clip_blocks *b = &v->blocks;
    const int64_t rows[] = { -1, n_positions, b->width };
    int axis = ims__onnx_ints(&g->onnx, &(int64_t){ 1 }, 1);
    int slice[4];
    int mean[2];

    if (!v->final_ln_after_pool)
        x = ims__graph_norm(g, x, b->width, b->norm_eps, "visual.ln_post");
    slice[0] = ims__graph_reshape(g, x, rows, 3);
    slice[1] = ims__onnx_ints(&g->onnx, &(int64_t){ 1 }, 1);
    slice[2] = ims__onnx_ints(&g->onnx, &(int64_t){ n_positions }, 1);
    slice[3] = axis;
    mean[0] = ims__onnx_node(&g->onnx, "Slice", slice, 4, 1, NULL, 0);
    mean[1] = axis;
    x = ims__onnx_node(&g->onnx, "ReduceMean", mean, 2, 1, &IMS_ONNX_INT("keepdims", 0), 1);
    return v->final_ln_after_pool ? ims__graph_norm(g, x, b->width, b->norm_eps, "visual.ln_post")
                                  : x;
}

static ims_status write_graph(void **out, size_t *out_bytes, const struct ims_clip_config *config,
                              const struct ims_clip_source *source, ims_err *err)
{
    const struct ims_clip_vision *v = &config->vision;
    const struct ims_clip_blocks *b = &v->blocks;
    const uint32_t n_patches = (v->height / v->patch_height) * (v->width / v->patch_width);
    const int64_t heads[] = { -1, n_patches + 1, b->heads, b->width / b->heads };
    const int64_t pooled[] = { -1, 1, b->heads, b->width / b->heads };
    const struct ims_onnx_dim dims[] = {
        { "batch", 0 }, { NULL, v->height }, { NULL, v->width }, { NULL, 3 }
    };
    struct ims_graph_rows rows = { 0, IMS_ONNX_NONE, IMS_ONNX_NONE, IMS_ONNX_NONE, IMS_ONNX_NONE };
    struct ims_graph g;
    ims_status st;
    int image;
    int x;

    ims__graph_init(&g, source, err);
    image = ims__onnx_input(&g.onnx, "image", IMS_ONNX_UINT8, dims, 4);
    x = ims__graph_pixels(&g, image, &config->preprocess);
    x = add_tokens(&g, x, image, v, n_patches);
    rows.heads_shape = ims__onnx_ints(&g.onnx, heads, 4);
    if (v->pool == IMS_CLIP_POOL_CLASS) {
        rows.pooled = class_rows(&g, image, n_patches + 1);
        rows.pooled_shape = ims__onnx_ints(&g.onnx, pooled, 4);
    }
    x = ims__graph_blocks(&g, x, b, &rows, "visual.");
    if (v->pool == IMS_CLIP_POOL_CLASS)
        x = ims__graph_norm(&g, x, b->width, b->norm_eps, "visual.ln_post");
    else
        x = add_mean(&g, x, v, n_patches + 1);
    x = ims__graph_affine(&g, x,
                          &(struct ims_graph_affine){ .weight = "visual.proj",
                                                      .n_out = config->dim,
                                                      .n_in = b->width,
                                                      .is_matrix = true });
    ims__graph_embedding(&g, x, config->dim);
    st = ims__graph_finish(&g, "image tower", out, out_bytes);
    ims__graph_release(&g);
    return st;
}

ims_status ims__clip_graph_image(void **out, size_t *out_bytes,
                                 const struct ims_clip_config *config,
                                 const struct ims_clip_source *source, ims_err *err)
{
    if (config->vision.pool == IMS_CLIP_POOL_ATTENTION)
        return ims__clip_graph_siglip(out, out_bytes, config, source, err);
    return write_graph(out, out_bytes, config, source, err);
}
