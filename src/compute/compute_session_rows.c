/* Sessions whose graph has a fixed number of rows, for callers who bring any number.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/compute_internal.h"

#include "base/mem.h"

#include <string.h>

bool ims_compute_wants_static_shapes(struct ims_compute *c, ims_device_kind kind)
{
    return c->ctx && c->backend->wants_static_shapes &&
           c->backend->wants_static_shapes(c->ctx, kind);
}

ims_status ims__fixed_dims(struct ims_compute *c, const struct ims_compute_session_options *options,
                           struct ims_fixed_dims *out, ims_err *err)
{
    bool is_static =
        options->n_static_dims > 0 && ims_compute_wants_static_shapes(c, options->device->kind);
    size_t n_static = is_static ? options->n_static_dims : 0;

    *out = (struct ims_fixed_dims){ .n = options->n_dims + n_static };
    if (options->n_dims > IMS_COMPUTE_MAX_DIMS || n_static > IMS_COMPUTE_MAX_DIMS - options->n_dims)
        return ims_fail(err, IMS_E_LIMIT, "compute", 0,
                        "%s: %zu dimensions are fixed, at most %d can be", options->label, out->n,
                        IMS_COMPUTE_MAX_DIMS);
    if (options->n_dims)
        memcpy(out->dims, options->dims, options->n_dims * sizeof(*out->dims));
    if (is_static)
        memcpy(out->dims + options->n_dims, options->static_dims, n_static * sizeof(*out->dims));
    if (is_static)
        out->n_rows = (size_t)options->static_dims[0].value;
    return IMS_OK;
}

ims_status ims__session_free_rows(struct ims_compute_session *s, ims_err *err)
{
    size_t n = s->ports.n_inputs + s->ports.n_outputs;

    s->own_ports = ims__alloc(n, sizeof(*s->own_ports));
    if (!s->own_ports)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "allocating a session");
    for (size_t i = 0; i < n; i++) {
        struct ims_compute_port *p = &s->own_ports[i];

        *p = i < s->ports.n_inputs ? s->ports.inputs[i] : s->ports.outputs[i - s->ports.n_inputs];
        if (p->rank == 0 || (p->shape[0] >= 0 && (size_t)p->shape[0] != s->n_rows))
            return ims_fail(err, IMS_E_MODEL, "compute", 0, "%s: %s does not have %zu rows",
                            s->label, p->name, s->n_rows);
        p->shape[0] = -1;
    }
    s->ports.inputs = s->own_ports;
    s->ports.outputs = s->own_ports + s->ports.n_inputs;
    return IMS_OK;
}

/* ---- runs ---- */

/* One turn: rows first .. first + n of a run of total. */
struct turn {
    size_t first, n, total, n_in, n_out;
    struct ims_tensor in[IMS_MAX_PORTS], out[IMS_MAX_PORTS];
    struct ims_compute_binding bound_in[IMS_MAX_PORTS], bound_out[IMS_MAX_PORTS];
    bool is_padded; /* in is allocated; otherwise a view */
};

static void end_turn(struct turn *t)
{
    for (size_t i = 0; t->is_padded && i < t->n_in; i++)
        ims_tensor_release(&t->in[i]);
    for (size_t i = 0; i < t->n_out; i++)
        ims_tensor_release(&t->out[i]);
}

/* Rows that are missing repeat the first one: what the graph does with it is known to be sound. */
static ims_status take_rows(const struct turn *t, size_t n_rows, const struct ims_tensor *all,
                            struct ims_tensor *out, ims_err *err)
{
    size_t bytes = 0;
    const uint8_t *from;
    ims_status st = ims_tensor_measure(all, &bytes, err);

    if (st)
        return st;
    bytes /= t->total;
    from = (const uint8_t *)all->data + t->first * bytes;
    *out = *all;
    out->shape[0] = (int64_t)n_rows;
    out->bytes = n_rows * bytes;
    out->data = (void *)(uintptr_t)from;
    if (!t->is_padded)
        return IMS_OK;
    out->data = NULL;
    st = ims_tensor_alloc(out, err);
    for (size_t r = 0; !st && r < n_rows; r++)
        memcpy((uint8_t *)out->data + r * bytes, from + (r < t->n ? r : 0) * bytes, bytes);
    return st;
}

/* The rows that count to their places; with the first turn these are made where there are none. */
static ims_status keep_rows(const struct ims_compute_session *s, const struct turn *t,
                            const struct ims_tensor *part, struct ims_tensor *all, ims_err *err)
{
    size_t row_bytes, bytes = 0;
    ims_status st;

    if (part->rank == 0 || part->shape[0] != (int64_t)s->n_rows)
        return ims_fail(err, IMS_E_MODEL, "compute", 0, "an output does not have %zu rows",
                        s->n_rows);
    row_bytes = part->bytes / s->n_rows;
    if (!all->data) {
        *all = *part;
        all->shape[0] = (int64_t)t->total;
        all->data = NULL;
        st = ims_tensor_alloc(all, err);
        if (st)
            return st;
    }
    st = ims_tensor_measure(all, &bytes, err);
    if (!st && bytes != row_bytes * t->total)
        st = ims_fail(err, IMS_E_DIMENSION, "compute", 0, "an output has %zu bytes, expected %zu",
                      bytes, row_bytes * t->total);
    if (!st)
        memcpy((uint8_t *)all->data + t->first * row_bytes, part->data, t->n * row_bytes);
    return st;
}

static ims_status run_turn(struct ims_compute_session *s, struct turn *t,
                           const struct ims_compute_binding *in,
                           const struct ims_compute_binding *out, struct ims_tensor *all,
                           ims_err *err)
{
    ims_status st = IMS_OK;

    t->n = t->total - t->first < s->n_rows ? t->total - t->first : s->n_rows;
    t->is_padded = t->n < s->n_rows;
    memset(t->in, 0, sizeof(t->in));
    memset(t->out, 0, sizeof(t->out));
    for (size_t i = 0; !st && i < t->n_in; i++) {
        t->bound_in[i] = (struct ims_compute_binding){ in[i].port, &t->in[i] };
        st = take_rows(t, s->n_rows, in[i].tensor, &t->in[i], err);
    }
    for (size_t i = 0; i < t->n_out; i++)
        t->bound_out[i] = (struct ims_compute_binding){ out[i].port, &t->out[i] };
    if (!st)
        st = s->compute->backend->session_run(s->impl, t->bound_in, t->n_in, t->bound_out, t->n_out,
                                              err);
    for (size_t i = 0; !st && i < t->n_out; i++)
        st = keep_rows(s, t, &t->out[i], &all[i], err);
    end_turn(t);
    return st;
}

ims_status ims__session_run_rows(struct ims_compute_session *s,
                                 const struct ims_compute_binding *in, size_t n_in,
                                 const struct ims_compute_binding *out, size_t n_out, ims_err *err)
{
    struct ims_tensor all[IMS_MAX_PORTS];
    struct turn *t = ims__zalloc(1, sizeof(*t));
    ims_status st = IMS_OK;

    if (!t)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "%s: padding a batch", s->label);
    t->total = (size_t)in[0].tensor->shape[0];
    t->n_in = n_in;
    t->n_out = n_out;
    for (size_t i = 0; !st && i < n_in; i++) {
        if ((size_t)in[i].tensor->shape[0] != t->total)
            st = ims_fail(err, IMS_E_DIMENSION, "compute", 0, "inputs differ in their rows");
    }
    for (size_t i = 0; i < n_out; i++)
        all[i] = *out[i].tensor;
    for (t->first = 0; !st && t->first < t->total; t->first += s->n_rows)
        st = run_turn(s, t, in, out, all, err);
    for (size_t i = 0; i < n_out; i++) {
        if (!st)
            *out[i].tensor = all[i];
        else if (!out[i].tensor->data)
            ims_tensor_release(&all[i]);
    }
    ims__free(t);
    return st;
}
