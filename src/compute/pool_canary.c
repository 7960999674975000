/* The remembered row: computed on the CPU once, on every device again and again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/pool_internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define DEFAULT_MIN_COSINE 0.999
#define MAX_LENGTH_RATIO 1.05

static void release_values(struct ims_compute_value *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ims_tensor_release(&v[i].tensor);
}

void ims__canary_release(struct ims_canary *c)
{
    release_values(c->in, c->n_in);
    release_values(c->out, c->n_out);
    memset(c, 0, sizeof(*c));
}

ims_status ims__canary_take(struct ims_pool *p, const struct ims_compute_value *in, size_t n_in,
                            size_t n_out, size_t first, ims_err *err)
{
    struct ims_canary *c = &p->canary;
    size_t total = (size_t)in[0].tensor.shape[0];
    ims_status st = IMS_OK;

    ims__lock(&p->canary_lock);
    if (!c->has_input) {
        for (size_t i = 0; !st && i < n_in; i++) {
            struct ims_compute_value row = ims__pool_rows(&in[i], total, first, 1);

            c->in[i] = row;
            st = ims_tensor_alloc(&c->in[i].tensor, err);
            if (st)
                break;
            memcpy(c->in[i].tensor.data, row.tensor.data, row.tensor.bytes);
            c->n_in++;
        }
        c->n_out = n_out;
        c->has_input = !st;
        if (st)
            ims__canary_release(c);
    }
    ims__unlock(&p->canary_lock);
    return st;
}

/* Same direction and about the same length: what a precision changes is less, what a fault changes
 * is more. */
static bool is_alike(const struct ims_tensor *a, const struct ims_tensor *b, double min_cosine)
{
    const float *x = a->data, *y = b->data;
    size_t n = ims_tensor_count(a);
    double xy = 0, xx = 0, yy = 0;

    if (a->dtype != b->dtype || a->bytes != b->bytes)
        return false;
    if (a->dtype != IMS_DTYPE_F32)
        return memcmp(a->data, b->data, a->bytes) == 0;
    for (size_t i = 0; i < n; i++) {
        xy += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    if (xx == 0 || yy == 0)
        return xx == yy;
    return xy / sqrt(xx * yy) >= min_cosine && xx <= yy * MAX_LENGTH_RATIO &&
           yy <= xx * MAX_LENGTH_RATIO;
}

static ims_status run_row(struct ims_pool *p, struct ims_compute_session *s,
                          struct ims_compute_value *out, ims_err *err)
{
    memset(out, 0, POOL_MAX_VALUES * sizeof(*out));
    return ims_compute_session_run(s, p->canary.in, p->canary.n_in, out, p->canary.n_out, err);
}

/* On a session of its own that is gone afterwards. */
static ims_status compute_on_cpu(struct ims_pool *p, ims_err *err)
{
    struct ims_device_id cpu = { IMS_DEVICE_CPU, 0 };
    struct ims_compute_session_options o = { .label = p->label,
                                             .device = &cpu,
                                             .dims = p->o.dims,
                                             .n_dims = p->o.n_dims,
                                             .static_dims = p->o.static_dims,
                                             .n_static_dims = p->o.n_static_dims,
                                             .no_prepacking = true };
    struct ims_compute_session *s = NULL;
    ims_status st = ims_compute_session_open(p->compute, &s, &p->graph, &o, err);

    if (!st)
        st = run_row(p, s, p->canary.out, err);
    ims_compute_session_close(s);
    return st;
}

/* With the canary's lock held. */
static ims_status learn(struct ims_pool *p, struct ims_pool_slot *slot, ims_err *err)
{
    bool on_cpu = slot->info.device.kind != IMS_DEVICE_CPU && ims__compute_may_use_cpu(p->compute);
    ims_status st = IMS_OK;

    if (on_cpu && compute_on_cpu(p, NULL) != IMS_OK) /* too large for this machine, say */
        on_cpu = false;
    if (!on_cpu)
        st = run_row(p, slot->session, p->canary.out, err);
    if (st)
        return st;
    p->canary.is_known = true;
    p->canary.is_from_cpu = on_cpu;
    return IMS_OK;
}

static ims_status compare(struct ims_pool *p, struct ims_pool_slot *slot, ims_err *err)
{
    double least = p->o.min_cosine > 0 ? p->o.min_cosine : DEFAULT_MIN_COSINE;
    struct ims_compute_value got[POOL_MAX_VALUES];
    ims_status st = run_row(p, slot->session, got, err);

    if (st)
        return st;
    for (size_t i = 0; !st && i < p->canary.n_out; i++) {
        if (!is_alike(&got[i].tensor, &p->canary.out[i].tensor, least))
            st = ims_fail(err, IMS_E_DEVICE, "pool", 0,
                          "%s: %s gave wrong numbers for a row whose result is known", p->label,
                          slot->info.name);
    }
    release_values(got, p->canary.n_out);
    return st;
}

ims_status ims__canary_check(struct ims_pool *p, struct ims_pool_slot *slot, ims_err *err)
{
    ims_status st = IMS_OK;

    ims__lock(&p->canary_lock);
    if (!p->canary.is_known)
        st = learn(p, slot, err);
    ims__unlock(&p->canary_lock);
    return st ? st : compare(p, slot, err); /* what is known does not change any more */
}
