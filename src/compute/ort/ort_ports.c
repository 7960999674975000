/* Names, element types and shapes of a session's inputs and outputs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

#include "base/mem.h"

#include <string.h>

/* Our types by the number that ONNX gives them. */
static const ims_dtype by_onnx[] = {
    [1] = IMS_DTYPE_F32,   [2] = IMS_DTYPE_U8,   [3] = IMS_DTYPE_I8,   [4] = IMS_DTYPE_U16,
    [5] = IMS_DTYPE_I16,   [6] = IMS_DTYPE_I32,  [7] = IMS_DTYPE_I64,  [9] = IMS_DTYPE_BOOL,
    [10] = IMS_DTYPE_F16,  [11] = IMS_DTYPE_F64, [12] = IMS_DTYPE_U32, [13] = IMS_DTYPE_U64,
    [16] = IMS_DTYPE_BF16,
};

ims_dtype ims__ort_dtype_of(int onnx_type)
{
    return onnx_type >= 0 && (size_t)onnx_type < IMS_ARRAY_LEN(by_onnx) ? by_onnx[onnx_type]
                                                                        : IMS_DTYPE_NONE;
}

int ims__ort_type_of(ims_dtype t)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(by_onnx); i++) {
        if (by_onnx[i] == t && t != IMS_DTYPE_NONE)
            return (int)i;
    }
    return 0;
}

ims_status ims__ort_shape_read(const struct ort_runtime *rt, const ort_tensor_info *info,
                               struct ims_tensor *out, ims_err *err)
{
    size_t rank = 0;
    int type = 0;
    ims_status st;

    st = ims__ort_fail(rt, rt->api.GetTensorElementType(info, &type), IMS_E_MODEL, err,
                       "reading a type");
    if (!st)
        st = ims__ort_fail(rt, rt->api.GetDimensionsCount(info, &rank), IMS_E_MODEL, err,
                           "reading a rank");
    if (st)
        return st;
    if (rank > IMS_MAX_TENSOR_RANK)
        return ims_fail(err, IMS_E_MODEL, "ort", 0, "a tensor has rank %zu, the limit is %d", rank,
                        IMS_MAX_TENSOR_RANK);
    out->dtype = ims__ort_dtype_of(type);
    out->rank = (unsigned)rank;
    return ims__ort_fail(rt, rt->api.GetDimensions(info, out->shape, rank), IMS_E_MODEL, err,
                         "reading a shape");
}

static ims_status read_symbols(const struct ort_runtime *rt, const ort_tensor_info *info,
                               struct ims_compute_port *port, ims_err *err)
{
    const char *symbols[IMS_MAX_TENSOR_RANK] = { NULL };
    ims_status st = ims__ort_fail(rt, rt->api.GetSymbolicDimensions(info, symbols, port->rank),
                                  IMS_E_MODEL, err, "reading names of dimensions");

    for (unsigned i = 0; !st && i < port->rank; i++) {
        port->symbol[i] = ims__strdup(symbols[i] ? symbols[i] : "");
        if (!port->symbol[i])
            st = ims_fail(err, IMS_E_NOMEM, "ort", 0, "copying a name");
    }
    return st;
}

/* A port that is no tensor (a sequence, a map) keeps IMS_DTYPE_NONE; using it in a run is an error.
 */
static ims_status read_type(const struct ort_runtime *rt, ort_type_info *type,
                            struct ims_compute_port *port, ims_err *err)
{
    const ort_tensor_info *info = NULL;
    struct ims_tensor t = { .dtype = IMS_DTYPE_NONE };
    int onnx_kind = 0;
    ims_status st;

    st = ims__ort_fail(rt, rt->api.GetOnnxTypeFromTypeInfo(type, &onnx_kind), IMS_E_MODEL, err,
                       "reading a kind");
    if (st || onnx_kind != ORT_ONNX_TENSOR)
        return st;
    st = ims__ort_fail(rt, rt->api.CastTypeInfoToTensorInfo(type, &info), IMS_E_MODEL, err,
                       "reading a tensor type");
    if (!st)
        st = ims__ort_shape_read(rt, info, &t, err);
    if (st)
        return st;
    port->dtype = t.dtype;
    port->rank = t.rank;
    memcpy(port->shape, t.shape, sizeof(port->shape));
    return read_symbols(rt, info, port, err);
}

static ims_status copy_name(struct ort_runtime *rt, char *vendor_name,
                            struct ims_compute_port *port, ims_err *err)
{
    ims_status st;

    port->name = ims__strdup(vendor_name);
    st = ims__ort_fail(rt, rt->api.AllocatorFree(rt->allocator, vendor_name), IMS_E_RUNTIME, err,
                       "freeing a name");
    if (!st && !port->name)
        st = ims_fail(err, IMS_E_NOMEM, "ort", 0, "copying a name");
    return st;
}

static ims_status read_port(struct ort_impl *s, bool is_input, size_t i,
                            struct ims_compute_port *port, ims_err *err)
{
    struct ort_runtime *rt = s->rt;
    ort_type_info *type = NULL;
    char *name = NULL;
    ims_status st;

    st = ims__ort_fail(rt,
                       is_input ? rt->api.SessionGetInputName(s->session, i, rt->allocator, &name)
                                : rt->api.SessionGetOutputName(s->session, i, rt->allocator, &name),
                       IMS_E_MODEL, err, "reading the name of port %zu", i);
    if (!st)
        st = copy_name(rt, name, port, err);
    if (!st)
        st = ims__ort_fail(rt,
                           is_input ? rt->api.SessionGetInputTypeInfo(s->session, i, &type)
                                    : rt->api.SessionGetOutputTypeInfo(s->session, i, &type),
                           IMS_E_MODEL, err, "reading the type of %.64s", port->name);
    if (!st)
        st = read_type(rt, type, port, err);
    if (type)
        rt->api.ReleaseTypeInfo(type);
    return st;
}

ims_status ims__ort_ports_read(struct ort_impl *s, ims_err *err)
{
    struct ort_runtime *rt = s->rt;
    size_t n_in = 0, n_out = 0;
    ims_status st;

    st = ims__ort_fail(rt, rt->api.SessionGetInputCount(s->session, &n_in), IMS_E_MODEL, err,
                       "counting inputs");
    if (!st)
        st = ims__ort_fail(rt, rt->api.SessionGetOutputCount(s->session, &n_out), IMS_E_MODEL, err,
                           "counting outputs");
    if (st)
        return st;
    if (n_in > IMS_MAX_PORTS || n_out > IMS_MAX_PORTS)
        return ims_fail(err, IMS_E_MODEL, "ort", 0, "%zu inputs and %zu outputs, the limit is %d",
                        n_in, n_out, IMS_MAX_PORTS);
    for (; !st && s->n_inputs < n_in; s->n_inputs++)
        st = read_port(s, true, s->n_inputs, &s->inputs[s->n_inputs], err);
    for (; !st && s->n_outputs < n_out; s->n_outputs++)
        st = read_port(s, false, s->n_outputs, &s->outputs[s->n_outputs], err);
    return st;
}

static void release_ports(struct ims_compute_port *ports, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ims__free((void *)ports[i].name);
        for (unsigned d = 0; d < IMS_MAX_TENSOR_RANK; d++)
            ims__free((void *)ports[i].symbol[d]);
    }
}

void ims__ort_ports_release(struct ort_impl *s)
{
    release_ports(s->inputs, s->n_inputs);
    release_ports(s->outputs, s->n_outputs);
}
