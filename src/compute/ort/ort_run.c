/* One run: views of the caller's memory in, results copied or written in place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

#include <string.h>

struct run {
    struct ort_impl *s;
    const char *in_names[IMS_MAX_PORTS], *out_names[IMS_MAX_PORTS];
    ort_value *in[IMS_MAX_PORTS], *out[IMS_MAX_PORTS];
};

/* A runtime value over memory that stays the caller's. */
static ims_status make_view(struct run *r, const char *name, const struct ims_tensor *t,
                            ort_value **out, ims_err *err)
{
    const struct ort_runtime *rt = r->s->rt;

    return ims__ort_fail(rt,
                         rt->api.CreateTensorWithDataAsOrtValue(rt->cpu_memory, t->data, t->bytes,
                                                                t->shape, t->rank,
                                                                ims__ort_type_of(t->dtype), out),
                         IMS_E_INVALID, err, "%.64s", name);
}

/* The runtime refuses memory of another shape than the graph declares, although it computes other
 * shapes (face models in use declare a batch of 1 and take any). Such an output is copied instead.
 */
static bool can_write_in_place(const struct ims_compute_port *port, const struct ims_tensor *t)
{
    if (!t->data || port->rank != t->rank)
        return false;
    for (unsigned i = 0; i < t->rank; i++) {
        if (port->shape[i] >= 0 && port->shape[i] != t->shape[i])
            return false;
    }
    return true;
}

static ims_status prepare(struct run *r, const struct ims_compute_binding *in, size_t n_in,
                          const struct ims_compute_binding *out, size_t n_out, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n_in; i++) {
        r->in_names[i] = r->s->inputs[in[i].port].name;
        st = make_view(r, r->in_names[i], in[i].tensor, &r->in[i], err);
    }
    for (size_t i = 0; !st && i < n_out; i++) {
        r->out_names[i] = r->s->outputs[out[i].port].name;
        if (can_write_in_place(&r->s->outputs[out[i].port], out[i].tensor))
            st = make_view(r, r->out_names[i], out[i].tensor, &r->out[i], err);
    }
    return st;
}

/* Type, shape and memory of a value that the runtime allocated. */
static ims_status look_at(const struct ort_runtime *rt, ort_value *value, const char *name,
                          struct ims_tensor *out, ims_err *err)
{
    ort_tensor_info *info = NULL;
    int is_tensor = 0;
    ims_status st;

    st = ims__ort_fail(rt, rt->api.IsTensor(value, &is_tensor), IMS_E_MODEL, err, "%.64s", name);
    if (!st && !is_tensor)
        st = ims_fail(err, IMS_E_MODEL, "ort", 0, "%.64s is no tensor", name);
    if (!st)
        st = ims__ort_fail(rt, rt->api.GetTensorTypeAndShape(value, &info), IMS_E_MODEL, err,
                           "%.64s", name);
    if (!st)
        st = ims__ort_shape_read(rt, info, out, err);
    if (!st && out->dtype == IMS_DTYPE_NONE)
        st = ims_fail(err, IMS_E_MODEL, "ort", 0, "%.64s has an element type not known here", name);
    if (!st)
        st = ims_tensor_measure(out, &out->bytes, err);
    if (!st)
        st = ims__ort_fail(rt, rt->api.GetTensorMutableData(value, &out->data), IMS_E_MODEL, err,
                           "%.64s", name);
    if (info)
        rt->api.ReleaseTensorTypeAndShapeInfo(info);
    return st;
}

/* Copies into *fresh, or into the caller's memory when that has exactly this shape. */
static ims_status copy_out(const struct ims_tensor *from, const char *name,
                           const struct ims_tensor *wanted, struct ims_tensor *fresh, ims_err *err)
{
    struct ims_tensor to = *from;
    char got[96], want[96];
    ims_status st;

    if (wanted->data) {
        if (from->dtype != wanted->dtype || from->rank != wanted->rank ||
            memcmp(from->shape, wanted->shape, from->rank * sizeof(from->shape[0])) != 0)
            return ims_fail(
                err, IMS_E_DIMENSION, "ort", 0, "%.64s is %s, the memory is for %s", name,
                ims_tensor_describe(from->dtype, from->rank, from->shape, got, sizeof(got)),
                ims_tensor_describe(wanted->dtype, wanted->rank, wanted->shape, want,
                                    sizeof(want)));
        memcpy(wanted->data, from->data, from->bytes);
        return IMS_OK;
    }
    st = ims_tensor_alloc(&to, err);
    if (st)
        return st;
    if (from->bytes)
        memcpy(to.data, from->data, from->bytes);
    *fresh = to;
    return IMS_OK;
}

static ims_status publish(struct run *r, const struct ims_compute_binding *out, size_t n_out,
                          ims_err *err)
{
    struct ims_tensor fresh[IMS_MAX_PORTS] = { { .dtype = IMS_DTYPE_NONE } };
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n_out; i++) {
        struct ims_tensor seen = { .dtype = IMS_DTYPE_NONE };

        if (can_write_in_place(&r->s->outputs[out[i].port], out[i].tensor))
            continue;
        st = look_at(r->s->rt, r->out[i], r->out_names[i], &seen, err);
        if (!st)
            st = copy_out(&seen, r->out_names[i], out[i].tensor, &fresh[i], err);
    }
    for (size_t i = 0; i < n_out; i++) {
        if (st)
            ims_tensor_release(&fresh[i]);
        else if (!out[i].tensor->data)
            *out[i].tensor = fresh[i];
    }
    return st;
}

static ims_status execute(struct run *r, size_t n_in, size_t n_out, ims_err *err)
{
    struct ort_impl *s = r->s;
    bool is_cpu = s->report.device.kind == IMS_DEVICE_CPU;
    uint64_t saved = ims__ort_float_flush();
    const ort_run_options *options = s->does_shrink ? s->shrinking : s->run_options;
    ort_status *status =
        s->rt->api.Run(s->session, options, r->in_names, (const ort_value *const *)r->in,
                       n_in, r->out_names, n_out, r->out);

    ims__ort_float_restore(saved);
    return ims__ort_fail(s->rt, status, is_cpu ? IMS_E_MODEL : IMS_E_DEVICE, err, "running on %s",
                         s->report.device_name);
}

ims_status ims__ort_session_run(void *session, const struct ims_compute_binding *in, size_t n_in,
                                const struct ims_compute_binding *out, size_t n_out, ims_err *err)
{
    struct run r = { .s = session };
    ims_status st;

    st = prepare(&r, in, n_in, out, n_out, err);
    if (!st)
        st = execute(&r, n_in, n_out, err);
    if (!st)
        st = publish(&r, out, n_out, err);
    for (size_t i = 0; i < n_in; i++)
        r.s->rt->api.ReleaseValue(r.in[i]);
    for (size_t i = 0; i < n_out; i++)
        r.s->rt->api.ReleaseValue(r.out[i]);
    return st;
}
