/* The weights of a CLIP graph: found in their file, checked, taken down in the plan, and used in
 * products of the graph's precision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_graph_internal.h"
#include "models/clip/clip_weights.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN "clip"
#define MAX_NAME 160
#define MAX_NEEDS 100000
#define INT8_ZERO 128 /* activations are bytes around it: the fast kernels take unsigned ones */
#define INT8_TOP 127.0f
#define LEAST_TOP 1e-30f /* of a row of zeros, which is divided by it */

/* ---- the plan ---- */

void ims__clip_plan_init(struct ims_clip_plan *plan)
{
    *plan = (struct ims_clip_plan){ 0 };
    ims__arena_init(&plan->names, 0);
}

void ims__clip_plan_release(struct ims_clip_plan *plan)
{
    ims__arena_release(&plan->names);
    ims__free(plan->needs);
    *plan = (struct ims_clip_plan){ 0 };
}

static void take_down(struct ims_graph *g, const struct ims_clip_need *need)
{
    struct ims_clip_plan *p = g->plan;
    char *name;

    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->needs[i].name, need->name) == 0)
            return;
    }
    name = ims__arena_strndup(&p->names, need->name, strlen(need->name));
    if (!name || !ims__grow((void **)&p->needs, &p->cap, p->n, sizeof(*p->needs), MAX_NEEDS)) {
        g->status = ims_fail(g->err, IMS_E_NOMEM, ORIGIN, 0, "planning the weights");
        return;
    }
    p->needs[p->n] = *need;
    p->needs[p->n++].name = name;
}

/* ---- stored weights ---- */

static ims_onnx_type onnx_type(ims_weight_type t)
{
    switch (t) {
    case IMS_WEIGHT_F16:
        return IMS_ONNX_FLOAT16;
    case IMS_WEIGHT_BF16:
        return IMS_ONNX_BFLOAT16;
    case IMS_WEIGHT_I8:
        return IMS_ONNX_INT8;
    default:
        return IMS_ONNX_FLOAT;
    }
}

/* Trained weights may be of any float type; those of a made file are what was made of them. */
static bool is_type(const struct ims_graph *g, ims_clip_role role, ims_weight_type found)
{
    if (g->precision != IMS_PRECISION_FP32)
        return found == ims__clip_weight_type(g->precision, role);
    return found == IMS_WEIGHT_F32 || found == IMS_WEIGHT_F16 || found == IMS_WEIGHT_BF16;
}

static const struct ims_weight *find_weight(struct ims_graph *g, ims_clip_role role,
                                            const char *name, const uint64_t *dims, size_t rank)
{
    bool is_made = g->precision != IMS_PRECISION_FP32;
    const struct ims_weight *w;
    char expected[96];
    char found[96] = "none";

    if (g->status || g->onnx.status)
        return NULL;
    w = ims__safetensors_find(g->weights, name);
    if (w && w->rank == rank && memcmp(w->dims, dims, rank * sizeof(*dims)) == 0 &&
        is_type(g, role, w->type))
        return w;
    ims__weight_describe(is_made ? ims__clip_weight_type(g->precision, role) : IMS_WEIGHT_F32,
                         (uint32_t)rank, dims, expected, sizeof(expected));
    if (w)
        ims__weight_describe(w->type, w->rank, w->dims, found, sizeof(found));
    g->status =
        ims_fail(g->err, IMS_E_MODEL, ORIGIN, 0, "%s: tensor %s: expected %s%s, found %s",
                 g->weights->path, name, expected, is_made ? "" : " (or F16, BF16)", found);
    return NULL;
}

static int add_stored(struct ims_graph *g, ims_clip_role role, const char *name,
                      const uint64_t *dims, size_t rank, ims_weight_type *out_type)
{
    const struct ims_weight *w = find_weight(g, role, name, dims, rank);

    if (!w)
        return IMS_ONNX_NONE;
    if (g->plan)
        take_down(g, &(struct ims_clip_need){
                         .name = name, .source = w, .n_rows = rank ? dims[0] : 1, .role = role });
    *out_type = w->type;
    return ims__onnx_external(&g->onnx, name, onnx_type(w->type), dims, rank, w->file, w->offset,
                              w->size_bytes);
}

int ims__graph_stored(struct ims_graph *g, ims_clip_role role, const uint64_t *dims, size_t rank,
                      ims_weight_type *out_type, const char *fmt, ...)
{
    char name[MAX_NAME];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(name, sizeof(name), fmt, ap);
    va_end(ap);
    return add_stored(g, role, name, dims, rank, out_type);
}

static int as_float(struct ims_graph *g, int v, ims_weight_type type)
{
    return type == IMS_WEIGHT_F32 ? v : ims__graph_cast(g, v, IMS_ONNX_FLOAT);
}

/* In the type that products of this graph take: halves with fp16, floats otherwise. */
static int as_operand(struct ims_graph *g, int v, ims_weight_type type)
{
    return g->precision == IMS_PRECISION_FP16 ? v : as_float(g, v, type);
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
    v = add_stored(g, IMS_CLIP_EXACT, name, dims, rank, &type);
    return as_float(g, v, type);
}

/* Rows [first, first + n_rows) of a tensor. In a made file they are a tensor of their own. */
static int add_rows(struct ims_graph *g, ims_clip_role role, const char *name,
                    const uint64_t *dims, size_t rank, uint64_t first, uint64_t n_rows)
{
    uint64_t part[IMS_MAX_TENSOR_RANK];
    const struct ims_weight *w = find_weight(g, role, name, dims, rank);
    char part_name[MAX_NAME + 48];
    uint64_t row_bytes;
    int v;

    if (!w)
        return IMS_ONNX_NONE;
    ims__clip_part_name(part_name, sizeof(part_name), name, first, n_rows);
    if (g->plan)
        take_down(g, &(struct ims_clip_need){ .name = part_name,
                                              .source = w,
                                              .first = first,
                                              .n_rows = n_rows,
                                              .role = role });
    row_bytes = w->size_bytes / dims[0];
    memcpy(part, dims, rank * sizeof(*dims));
    part[0] = n_rows;
    v = ims__onnx_external(&g->onnx, part_name, onnx_type(w->type), part, rank, w->file,
                           w->offset + first * row_bytes, n_rows * row_bytes);
    return as_float(g, v, w->type);
}

/* A weight or bias of a product: whole, or the rows that a asks for. */
static int add_operand(struct ims_graph *g, ims_clip_role role, const struct ims_graph_affine *a,
                       const char *name, const uint64_t *dims, size_t rank)
{
    ims_weight_type type = IMS_WEIGHT_F32;
    uint64_t part[IMS_MAX_TENSOR_RANK];
    char part_name[MAX_NAME + 48];
    int v;

    if (!a->n_rows) {
        v = add_stored(g, role, name, dims, rank, &type);
        return as_operand(g, v, type);
    }
    if (g->precision == IMS_PRECISION_FP32)
        return add_rows(g, role, name, dims, rank, a->first, a->n_rows);
    ims__clip_part_name(part_name, sizeof(part_name), name, a->first, a->n_rows);
    memcpy(part, dims, rank * sizeof(*dims));
    part[0] = a->n_rows;
    v = add_stored(g, role, part_name, part, rank, &type);
    return as_operand(g, v, type);
}

/* ---- products ---- */

static int multiply(struct ims_graph *g, const int *in, size_t n, bool is_matrix)
{
    return is_matrix ? ims__graph_op2(g, "MatMul", in[0], in[1])
                     : ims__onnx_node(&g->onnx, "Gemm", in, n, 1, &IMS_ONNX_INT("transB", 1), 1);
}

static int add_float_product(struct ims_graph *g, int x, const struct ims_graph_affine *a)
{
    int in[3] = { a->is_half_in ? x : ims__graph_half(g, x), IMS_ONNX_NONE, IMS_ONNX_NONE };
    int y;

    in[1] = a->is_matrix
                ? add_operand(g, IMS_CLIP_MATRIX, a, a->weight, IMS_DIMS(a->n_in, a->n_out))
                : add_operand(g, IMS_CLIP_LINEAR, a, a->weight, IMS_DIMS(a->n_out, a->n_in));
    if (a->bias)
        in[2] = add_operand(g, IMS_CLIP_BIAS, a, a->bias, IMS_DIMS(a->n_out));
    y = multiply(g, in, a->bias ? 3 : 2, a->is_matrix);
    return a->is_half_out ? y : ims__graph_full(g, y);
}

/* The largest magnitude of each row, [rows, 1]; in two reads of x, without a copy of it. */
static int row_tops(struct ims_graph *g, int x)
{
    const struct ims_onnx_attr keep = IMS_ONNX_INT("keepdims", 1);
    const int in[] = { x, ims__onnx_ints(&g->onnx, &(int64_t){ -1 }, 1) };
    int high = ims__onnx_node(&g->onnx, "ReduceMax", in, 2, 1, &keep, 1);
    int low = ims__onnx_node(&g->onnx, "ReduceMin", in, 2, 1, &keep, 1);
    int tops[3] = { high, ims__graph_op1(g, "Neg", low), ims__onnx_float(&g->onnx, LEAST_TOP) };

    return ims__onnx_node(&g->onnx, "Max", tops, 3, 1, NULL, 0);
}

/* Every row of x by a scale of its own to bytes around INT8_ZERO: so a row's result does not depend
 * on what else is in the batch. Two values: the bytes, and the scales [rows, 1]. */
static int quantise(struct ims_graph *g, int x, int *out_scale)
{
    int step = ims__onnx_float(&g->onnx, 1.0f / INT8_TOP);
    int q[3] = { x, IMS_ONNX_NONE, IMS_ONNX_NONE };

    *out_scale = ims__graph_op2(g, "Mul", row_tops(g, x), step);
    q[1] = ims__graph_reshape(g, *out_scale, (const int64_t[]){ -1 }, 1);
    q[2] = ims__graph_op2(g, "Expand", ims__onnx_byte(&g->onnx, INT8_ZERO),
                          ims__graph_op1(g, "Shape", q[1]));
    return ims__onnx_node(&g->onnx, "QuantizeLinear", q, 3, 1, &IMS_ONNX_INT("axis", 0), 1);
}

/* The weights [n_in, n_out] of 8 bits with a scale per column, whichever way they were trained. */
static int add_int8_product(struct ims_graph *g, int x, const struct ims_graph_affine *a)
{
    const uint64_t n_out = a->n_rows ? a->n_rows : a->n_out;
    const ims_clip_role role = a->is_matrix ? IMS_CLIP_MATRIX : IMS_CLIP_LINEAR;
    ims_weight_type type = IMS_WEIGHT_F32;
    char name[MAX_NAME + 48];
    char scale_name[MAX_NAME + 64];
    int row_scale, y, in[3];

    if (a->n_rows)
        ims__clip_part_name(name, sizeof(name), a->weight, a->first, a->n_rows);
    else
        (void)snprintf(name, sizeof(name), "%s", a->weight);
    (void)snprintf(scale_name, sizeof(scale_name), "%s" IMS_CLIP_SCALE, name);
    in[0] = quantise(g, x, &row_scale);
    in[1] = add_stored(g, role, name, IMS_DIMS(a->n_in, n_out), &type);
    in[2] = ims__onnx_byte(&g->onnx, INT8_ZERO);
    y = ims__graph_cast(g, ims__onnx_node(&g->onnx, "MatMulInteger", in, 3, 1, NULL, 0),
                        IMS_ONNX_FLOAT);
    y = ims__graph_op2(g, "Mul", y,
                       add_stored(g, IMS_CLIP_EXACT, scale_name, IMS_DIMS(n_out), &type));
    y = ims__graph_op2(g, "Mul", y, row_scale);
    if (!a->bias)
        return y;
    return ims__graph_op2(g, "Add", y,
                          add_operand(g, IMS_CLIP_BIAS, a, a->bias, IMS_DIMS(a->n_out)));
}

int ims__graph_affine(struct ims_graph *g, int x, const struct ims_graph_affine *a)
{
    return g->precision == IMS_PRECISION_INT8 ? add_int8_product(g, x, a)
                                              : add_float_product(g, x, a);
}

int ims__graph_patches(struct ims_graph *g, int x, const struct ims_clip_vision *v,
                       const char *kernel, const char *bias)
{
    const uint64_t dims[] = { v->blocks.width, 3, v->patch_height, v->patch_width };
    const int64_t patch[] = { v->patch_height, v->patch_width };
    const struct ims_onnx_attr conv[] = { IMS_ONNX_INTS("kernel_shape", patch, 2),
                                          IMS_ONNX_INTS("strides", patch, 2) };
    ims_weight_type type = IMS_WEIGHT_F32;
    int in[3] = { ims__graph_half(g, x), IMS_ONNX_NONE, IMS_ONNX_NONE };
    int y;

    y = add_stored(g, IMS_CLIP_KERNEL, kernel, dims, 4, &type);
    in[1] = as_operand(g, y, type);
    if (bias) {
        y = add_stored(g, IMS_CLIP_KERNEL, bias, dims, 1, &type);
        in[2] = as_operand(g, y, type);
    }
    y = ims__onnx_node(&g->onnx, "Conv", in, bias ? 3 : 2, 1, conv, 2);
    return ims__graph_full(g, y);
}
