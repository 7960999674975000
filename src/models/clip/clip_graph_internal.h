/* Pieces that both towers' graphs are made of; not for others.
 *
 * Values are numbers of the ONNX writer. Failures are remembered (struct ims_graph.status), so a
 * series of calls is checked once, at its end. Activations are matrices [positions of all rows,
 * width].
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_GRAPH_INTERNAL_H
#define IMS_MODELS_CLIP_GRAPH_INTERNAL_H

#include "models/clip/clip_graph.h"
#include "models/onnx_writer.h"

struct ims_graph {
    struct ims_onnx onnx;
    const struct ims_safetensors *weights;
    ims_precision precision;
    bool is_table_wide;
    struct ims_clip_plan *plan; /* NULL: none is kept */
    ims_err *err;
    ims_status status;
};

void ims__graph_init(struct ims_graph *g, const struct ims_clip_source *source, ims_err *err);
void ims__graph_release(struct ims_graph *g);
ims_status ims__graph_finish(struct ims_graph *g, const char *what, void **out,
                             size_t *out_bytes) IMS_MUST_CHECK;

/* Shapes as literals: IMS_DIMS(768, 3, 32, 32) is two arguments. */
#define IMS_DIMS(...)                                                                              \
    (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t)

/* A weight as it is stored, checked for type and shape. */
int ims__graph_stored(struct ims_graph *g, ims_clip_role role, const uint64_t *dims, size_t rank,
                      ims_weight_type *out_type, const char *fmt, ...) IMS_PRINTF(6, 7);
/* The same as float: halves get a Cast, which the runtime folds away once. */
int ims__graph_weight(struct ims_graph *g, const uint64_t *dims, size_t rank, const char *fmt, ...)
    IMS_PRINTF(4, 5);

/* x W^T + b, in the graph's precision. */
struct ims_graph_affine {
    const char *weight, *bias; /* names of tensors; bias NULL: none */
    uint64_t n_out, n_in;      /* of the stored weight, [n_out, n_in] */
    uint64_t first, n_rows;    /* only these outputs; n_rows 0: all of them */
    bool is_matrix;            /* stored as [n_in, n_out], for x W */
    /* Where the precision is fp16, what goes in, or comes out, is of halves already. */
    bool is_half_in, is_half_out;
};
int ims__graph_affine(struct ims_graph *g, int x, const struct ims_graph_affine *a);
/* Patches of the image: x is float, and so is the result. bias NULL: none. */
int ims__graph_patches(struct ims_graph *g, int x, const struct ims_clip_vision *v,
                       const char *kernel, const char *bias);
/* Halves where the precision is fp16, else x itself; and back. */
int ims__graph_half(struct ims_graph *g, int x);
int ims__graph_full(struct ims_graph *g, int x);

int ims__graph_op1(struct ims_graph *g, const char *op, int a);
int ims__graph_op2(struct ims_graph *g, const char *op, int a, int b);
int ims__graph_cast(struct ims_graph *g, int a, ims_onnx_type type);
int ims__graph_transpose(struct ims_graph *g, int a, const int64_t *perm, size_t rank);
int ims__graph_concat(struct ims_graph *g, int a, int b, int64_t axis);
int ims__graph_gather(struct ims_graph *g, int a, int indices, int64_t axis);
/* Shape from constants: -1 is the rest, 0 is the same dimension of the input. */
int ims__graph_reshape(struct ims_graph *g, int a, const int64_t *shape, size_t rank);
int ims__graph_norm(struct ims_graph *g, int x, uint32_t width, double eps, const char *name);
/* x / max(|x|, 1e-12) by rows, then the graph's output "embedding". */
void ims__graph_embedding(struct ims_graph *g, int x, uint32_t dim);

/* What a stack of blocks needs to know about the positions it works on. */
struct ims_graph_rows {
    int heads_shape;  /* int64 tensor [rows, positions, heads, head width] */
    int mask;         /* float [positions, positions] added to the scores; IMS_ONNX_NONE: none */
    int pooled;       /* int64 [rows]: which matrix row each row is pooled at; IMS_ONNX_NONE: all */
    int pooled_shape; /* int64 tensor [rows, 1, heads, head width]; with pooled */
    int pooled_mask;  /* float [rows, 1, 1, positions]; IMS_ONNX_NONE: none; with pooled */
};
/* The blocks named PREFIXtransformer.resblocks.N or, timm's, PREFIXblocks.N. With pooled, the last
 * block computes only those positions and the result is [rows, width]. */
int ims__graph_blocks(struct ims_graph *g, int x, const struct ims_clip_blocks *b,
                      const struct ims_graph_rows *rows, const char *prefix);
/* timm's attention pooling: one learnt query over all positions x of a row, then an MLP.
 * heads_shape as above; the result is [rows, width]. */
int ims__graph_attention_pool(struct ims_graph *g, int x, const struct ims_clip_blocks *b,
                              int heads_shape, const char *name);

/* Bytes [batch, height, width, 3] to normalised planes. */
int ims__graph_pixels(struct ims_graph *g, int image, const struct ims_clip_preprocess *p);

#endif
