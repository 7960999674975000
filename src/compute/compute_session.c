/* Sessions: settles the device, opens through the backend, and checks every run before it starts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/compute_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

ims_status ims__compute_session_open_on(struct ims_compute *c, struct ims_compute_session **out,
                                        const struct ims_compute_graph *graph,
                                        const struct ims_compute_session_options *options,
                                        ims_err *err)
{
    struct ims_compute_session_options o = *options;
    struct ims_compute_session *s = NULL;
    struct ims_fixed_dims fixed;
    ims_status st = ims__fixed_dims(c, options, &fixed, err);

    if (st)
        return st;
    s = ims__zalloc(1, sizeof(*s));
    if (s)
        s->impl = ims__zalloc(1, c->backend->session_size);
    if (!s || !s->impl) {
        st = ims_fail(err, IMS_E_NOMEM, "compute", 0, "allocating a session");
        goto out;
    }
    s->compute = c;
    s->n_rows = fixed.n_rows;
    o.dims = fixed.dims;
    o.n_dims = fixed.n;
    snprintf(s->label, sizeof(s->label), "%.63s", options->label);
    st = c->backend->session_open(c->ctx, s->impl, graph, &o, err);
    if (st)
        goto out;
    c->backend->session_ports(s->impl, &s->ports);
    if (s->n_rows)
        st = ims__session_free_rows(s, err);
    if (st)
        goto out;

    *out = s;
    s = NULL;
out:
    ims_compute_session_close(s); /* NULL after success */
    return st;
}

static ims_status check_graph(const struct ims_compute_graph *graph, ims_err *err)
{
    if (!graph->bytes == !graph->path)
        return ims_fail(err, IMS_E_INVALID, "compute", 0, "a graph is either bytes or a path");
    if (graph->bytes && graph->n_bytes == 0)
        return ims_fail(err, IMS_E_MODEL, "compute", 0, "the graph has no bytes");
    return IMS_OK;
}

/* A device that the caller names must have passed its proof like the chosen one. */
static ims_status settle_device(struct ims_compute *c, const struct ims_device_id *wanted,
                                struct ims_device_id *out, ims_err *err)
{
    const struct ims_device_proof *proof;
    char name[IMS_DEVICE_NAME_BYTES];
    ims_status st;

    if (!wanted) {
        st = ims__compute_settle(c, err);
        if (!st)
            *out = c->choice.ids[0];
        return st;
    }
    st = ims__compute_load(c, err);
    if (!st)
        st = ims__compute_proof(c, *wanted, &proof, err);
    if (st)
        return st;
    if (proof->state == IMS_PROOF_FAILED) {
        ims_device_id_name(*wanted, name);
        return ims_fail(err, IMS_E_DEVICE, "compute", 0, "%s cannot be used: %s", name,
                        proof->text);
    }
    *out = *wanted;
    return IMS_OK;
}

ims_status ims_compute_session_open(struct ims_compute *c, struct ims_compute_session **out,
                                    const struct ims_compute_graph *graph,
                                    const struct ims_compute_session_options *options, ims_err *err)
{
    struct ims_compute_session_options o = { 0 };
    struct ims_device_id device;
    ims_status st;

    if (options)
        o = *options;
    if (!o.label)
        o.label = graph->path ? graph->path : "a graph";
    st = check_graph(graph, err);
    if (st)
        return st;
    ims__lock(&c->lock);
    st = settle_device(c, o.device, &device, err);
    ims__unlock(&c->lock);
    if (st)
        return st;
    o.device = &device;
    if (o.n_threads == 0)
        o.n_threads = c->n_threads;
    return ims__compute_session_open_on(c, out, graph, &o, err);
}

void ims_compute_session_close(struct ims_compute_session *s)
{
    if (!s)
        return;
    if (s->impl) {
        s->compute->backend->session_close(s->impl);
        ims__free(s->impl);
    }
    ims__free(s->own_ports);
    ims__free(s);
}

void ims_compute_session_discard(struct ims_compute_session *s)
{
    if (s && s->impl && s->compute->backend->session_discard) {
        s->compute->backend->session_discard(s->impl);
        ims__free(s->impl);
        s->impl = NULL;
    }
    ims_compute_session_close(s);
}

bool ims__compute_session_shrink(struct ims_compute_session *s)
{
    const struct ims_compute_backend *b = s->compute->backend;

    return b->session_shrink && b->session_shrink(s->impl);
}

size_t ims_compute_session_n_inputs(const struct ims_compute_session *s)
{
    return s->ports.n_inputs;
}

size_t ims_compute_session_n_outputs(const struct ims_compute_session *s)
{
    return s->ports.n_outputs;
}

const struct ims_compute_port *ims_compute_session_input(const struct ims_compute_session *s,
                                                         size_t i)
{
    return i < s->ports.n_inputs ? &s->ports.inputs[i] : NULL;
}

const struct ims_compute_port *ims_compute_session_output(const struct ims_compute_session *s,
                                                          size_t i)
{
    return i < s->ports.n_outputs ? &s->ports.outputs[i] : NULL;
}

void ims_compute_session_report(const struct ims_compute_session *s, struct ims_compute_report *out)
{
    memset(out, 0, sizeof(*out));
    s->compute->backend->session_report(s->impl, out);
}

/* ---- runs ---- */

static ims_status find_port(const struct ims_compute_session *s,
                            const struct ims_compute_port *ports, size_t n_ports, const char *what,
                            const char *name, size_t position, size_t *out, ims_err *err)
{
    if (!name) {
        if (position >= n_ports)
            return ims_fail(err, IMS_E_INVALID, "compute", 0,
                            "%s: there is no %s number %zu, only %zu", s->label, what, position,
                            n_ports);
        *out = position;
        return IMS_OK;
    }
    for (size_t i = 0; i < n_ports; i++) {
        if (strcmp(ports[i].name, name) == 0) {
            *out = i;
            return IMS_OK;
        }
    }
    return ims_fail(err, IMS_E_INVALID, "compute", 0, "%s: there is no %s named '%.64s'", s->label,
                    what, name);
}

/* Type, shape and bytes of what the caller brings for a port. A port without dimensions may be one
 * of unknown rank, so only the runtime can judge there. */
static ims_status check_tensor(const struct ims_compute_session *s,
                               const struct ims_compute_port *port, const struct ims_tensor *t,
                               bool is_input, ims_err *err)
{
    char got[96], want[96];
    bool fits = t->rank == port->rank || port->rank == 0;
    size_t bytes = 0;
    ims_status st = ims_tensor_measure(t, &bytes, err);

    if (st)
        return ims_fail_in(err, st, "%s: %s", s->label, port->name);
    ims_tensor_describe(t->dtype, t->rank, t->shape, got, sizeof(got));
    ims_tensor_describe(port->dtype, port->rank, port->shape, want, sizeof(want));
    if (t->dtype != port->dtype)
        return ims_fail(err, IMS_E_INVALID, "compute", 0, "%s: %s is %s, expected %s", s->label,
                        port->name, got, want);
    for (unsigned i = 0; is_input && fits && i < port->rank; i++)
        fits = port->shape[i] < 0 || port->shape[i] == t->shape[i];
    if (!fits)
        return ims_fail(err, IMS_E_DIMENSION, "compute", 0, "%s: %s is %s, expected %s", s->label,
                        port->name, got, want);
    if (bytes == 0)
        return ims_fail(err, IMS_E_DIMENSION, "compute", 0, "%s: %s is empty (%s)", s->label,
                        port->name, got);
    if (!t->data || t->bytes < bytes)
        return ims_fail(err, IMS_E_INVALID, "compute", 0, "%s: %s needs %zu bytes and has %zu",
                        s->label, port->name, bytes, t->data ? t->bytes : 0);
    return IMS_OK;
}

static ims_status bind_inputs(const struct ims_compute_session *s, struct ims_compute_value *in,
                              size_t n, struct ims_compute_binding *out, ims_err *err)
{
    bool is_bound[IMS_MAX_PORTS] = { false };
    ims_status st;

    if (n != s->ports.n_inputs)
        return ims_fail(err, IMS_E_INVALID, "compute", 0, "%s: %zu inputs given, expected %zu",
                        s->label, n, s->ports.n_inputs);
    for (size_t i = 0; i < n; i++) {
        st = find_port(s, s->ports.inputs, s->ports.n_inputs, "input", in[i].name, i, &out[i].port,
                       err);
        if (!st)
            st = check_tensor(s, &s->ports.inputs[out[i].port], &in[i].tensor, true, err);
        if (st)
            return st;
        if (is_bound[out[i].port])
            return ims_fail(err, IMS_E_INVALID, "compute", 0, "%s: input %s is given twice",
                            s->label, s->ports.inputs[out[i].port].name);
        is_bound[out[i].port] = true;
        out[i].tensor = &in[i].tensor;
    }
    return IMS_OK;
}

static ims_status bind_outputs(const struct ims_compute_session *s,
                               struct ims_compute_value *values, size_t n,
                               struct ims_compute_binding *out, ims_err *err)
{
    bool is_bound[IMS_MAX_PORTS] = { false };
    ims_status st;

    if (n == 0 || n > s->ports.n_outputs)
        return ims_fail(err, IMS_E_INVALID, "compute", 0,
                        "%s: %zu outputs asked for, there are %zu", s->label, n,
                        s->ports.n_outputs);
    for (size_t i = 0; i < n; i++) {
        st = find_port(s, s->ports.outputs, s->ports.n_outputs, "output", values[i].name, i,
                       &out[i].port, err);
        if (!st && values[i].tensor.data)
            st = check_tensor(s, &s->ports.outputs[out[i].port], &values[i].tensor, false, err);
        if (st)
            return st;
        if (is_bound[out[i].port])
            return ims_fail(err, IMS_E_INVALID, "compute", 0, "%s: output %s is asked for twice",
                            s->label, s->ports.outputs[out[i].port].name);
        is_bound[out[i].port] = true;
        out[i].tensor = &values[i].tensor;
    }
    return IMS_OK;
}

ims_status ims_compute_session_run(struct ims_compute_session *s,
                                   const struct ims_compute_value *in, size_t n_in,
                                   struct ims_compute_value *out, size_t n_out, ims_err *err)
{
    struct ims_compute_value inputs[IMS_MAX_PORTS];
    struct ims_compute_binding bound_in[IMS_MAX_PORTS], bound_out[IMS_MAX_PORTS];
    ims_status st;

    if (n_in > IMS_MAX_PORTS || n_out > IMS_MAX_PORTS)
        return ims_fail(err, IMS_E_LIMIT, "compute", 0, "%s: more than %d inputs or outputs",
                        s->label, IMS_MAX_PORTS);
    memcpy(inputs, in, n_in * sizeof(*in));
    st = bind_inputs(s, inputs, n_in, bound_in, err);
    if (!st)
        st = bind_outputs(s, out, n_out, bound_out, err);
    if (st)
        return st;
    st = s->n_rows
             ? ims__session_run_rows(s, bound_in, n_in, bound_out, n_out, err)
             : s->compute->backend->session_run(s->impl, bound_in, n_in, bound_out, n_out, err);
    return st ? ims_fail_in(err, st, "%s", s->label) : IMS_OK;
}
