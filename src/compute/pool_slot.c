/* One device of a pool: its session, a batch on it, and whether the numbers can be.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/pool_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

#define DEFAULT_DEADLINE_MS 120000
#define DEFAULT_OPEN_DEADLINE_MS 600000
#define DEFAULT_CHECK_EVERY 64
#define RATE_WEIGHT 0.25 /* of the newest batch */

struct ims_compute_value ims__pool_rows(const struct ims_compute_value *v, size_t total,
                                        size_t first, size_t n)
{
    struct ims_compute_value part = *v;
    int64_t per_row = v->tensor.shape[0] / (int64_t)total;
    size_t bytes = 0;

    part.tensor.shape[0] = per_row;
    if (ims_tensor_measure(&part.tensor, &bytes, NULL) != IMS_OK)
        bytes = 0; /* refused by ims_pool_run before */
    part.tensor.shape[0] = (int64_t)n * per_row;
    part.tensor.data = (uint8_t *)v->tensor.data + first * bytes;
    part.tensor.bytes = n * bytes;
    return part;
}

/* ---- the session ---- */

static unsigned first_set(unsigned a, unsigned b, unsigned c)
{
    return a ? a : b ? b : c;
}

static ims_status open_session(struct ims_pool *p, struct ims_pool_slot *s, ims_err *err)
{
    struct ims_compute_session_options o = {
        .label = p->label,
        .device = &s->info.device,
        .n_threads = s->n_threads,
        .dims = p->o.dims,
        .n_dims = p->o.n_dims,
        .static_dims = p->o.static_dims,
        .n_static_dims = p->o.n_static_dims,
        .no_prepacking = p->o.no_prepacking,
        .keep_memory = p->o.keep_memory,
        .run_timeout_ms = first_set(p->o.deadline_ms, p->compute->deadline_ms, DEFAULT_DEADLINE_MS),
        .open_timeout_ms = first_set(p->o.open_deadline_ms, 0, DEFAULT_OPEN_DEADLINE_MS),
    };
    struct ims_compute_report report;
    ims_status st = ims_compute_session_open(p->compute, &s->session, &p->graph, &o, err);

    if (st)
        return st;
    ims_compute_session_report(s->session, &report);
    ims__lock(&p->lock);
    if (s->info.has_report)
        s->info.n_restarts++;
    s->info.report = report;
    s->info.has_report = true;
    s->n_since_open = 0;
    ims__unlock(&p->lock);
    s->n_unchecked = UINT32_MAX; /* a new session is checked with its first batch */
    return IMS_OK;
}

ims_status ims__pool_slot_open(struct ims_pool *p, struct ims_pool_slot *s, ims_err *err)
{
    ims_status st = IMS_OK;

    ims__lock(&s->open_lock);
    if (!s->session)
        st = open_session(p, s, err);
    ims__unlock(&s->open_lock);
    return st;
}

void ims__pool_slot_close(struct ims_pool_slot *s, bool is_suspect)
{
    if (is_suspect)
        ims_compute_session_discard(s->session);
    else
        ims_compute_session_close(s->session);
    s->session = NULL;
}

/* ---- what came out ---- */

static bool are_rows_equal(const struct ims_tensor *t, size_t n)
{
    size_t bytes = t->bytes / n;

    for (size_t i = 1; i < n; i++) {
        if (memcmp((const uint8_t *)t->data + i * bytes, t->data, bytes) != 0)
            return false;
    }
    return true;
}

/* Different inputs, one result: nothing was computed. */
static bool is_constant(const struct ims_compute_value *in, size_t n_in,
                        const struct ims_compute_value *out, size_t n_out)
{
    size_t n = (size_t)in[0].tensor.shape[0];

    if (n < 2)
        return false;
    for (size_t i = 0; i < n_out; i++) {
        if (!are_rows_equal(&out[i].tensor, n))
            return false;
    }
    for (size_t i = 0; i < n_in; i++) {
        if (!are_rows_equal(&in[i].tensor, n))
            return true;
    }
    return false;
}

static ims_status look_at(const struct ims_pool *p, const struct ims_pool_slot *s,
                          const struct ims_compute_value *in, size_t n_in,
                          const struct ims_compute_value *out, size_t n_out, ims_err *err)
{
    ims_status st = p->o.look ? p->o.look(p->o.arg, out, n_out, err) : IMS_OK;

    if (st)
        return ims_fail_in(err, IMS_E_DEVICE, "%s", s->info.name);
    for (size_t i = 0; i < n_out; i++) {
        if (!ims_tensor_is_finite(&out[i].tensor))
            return ims_fail(err, IMS_E_DEVICE, "pool", 0, "%s: %s gave numbers that are none",
                            p->label, s->info.name);
    }
    if (!ims__pool_is_trusted(s) && is_constant(in, n_in, out, n_out))
        return ims_fail(err, IMS_E_DEVICE, "pool", 0, "%s: %s gave one result for different inputs",
                        p->label, s->info.name);
    return IMS_OK;
}

bool ims__pool_is_trusted(const struct ims_pool_slot *s)
{
    return s->info.device.kind == IMS_DEVICE_CPU && !s->info.is_isolated;
}

static bool is_check_due(const struct ims_pool *p, const struct ims_pool_slot *s)
{
    unsigned every = p->o.check_every ? p->o.check_every : DEFAULT_CHECK_EVERY;

    if (every == IMS_POOL_NO_CHECKS || ims__pool_is_trusted(s))
        return false;
    return s->n_unchecked >= every - 1;
}

static void note_speed(struct ims_pool *p, struct ims_pool_slot *s, size_t n, uint64_t ns)
{
    double rate = ns ? (double)n * 1e9 / (double)ns : 0;
    double *known = &s->info.rows_per_s;
    bool is_found = false;

    ims__lock(&p->lock);
    if (s->n_since_open > 0 && s->n_users == 1)
        is_found = ims__batch_note(&s->info.batch, n, ns);
    /* The first batch warms up and a small one is slower by the row: they count only for want of
     * better. */
    if (*known == 0 || s->n_since_open == 1)
        *known = rate;
    else if (s->n_since_open > 1 && n * 2 >= s->info.batch.rows)
        *known += (rate - *known) * RATE_WEIGHT;
    if (s->n_since_open < 2)
        s->n_since_open++;
    s->info.n_batches++;
    s->info.n_rows += n;
    s->info.busy_ns += ns;
    ims__unlock(&p->lock);
    if (is_found)
        ims__pool_batch_keep(p, s);
}

static ims_status check(struct ims_pool *p, struct ims_pool_slot *s,
                        const struct ims_compute_value *in, size_t n_in, size_t n_out, ims_err *err)
{
    ims_status st;

    if (!is_check_due(p, s)) {
        s->n_unchecked++;
        return IMS_OK;
    }
    st = ims__canary_take(p, in, n_in, n_out, 0, err);
    if (!st)
        st = ims__canary_check(p, s, err);
    if (st)
        return st;
    s->n_unchecked = 0;
    ims__lock(&p->lock);
    s->info.n_checks++;
    ims__unlock(&p->lock);
    return IMS_OK;
}

ims_status ims__pool_slot_run(struct ims_pool *p, struct ims_pool_slot *s,
                              const struct ims_compute_value *in, size_t n_in,
                              const struct ims_compute_value *out, size_t n_out, size_t first,
                              size_t n, bool *out_is_odd, ims_err *err)
{
    struct ims_compute_value part_in[POOL_MAX_VALUES], part_out[POOL_MAX_VALUES];
    size_t total = (size_t)in[0].tensor.shape[0];
    uint64_t start, ns;
    ims_status st = ims__pool_slot_open(p, s, err);

    *out_is_odd = false;
    if (st)
        return st;
    for (size_t i = 0; i < n_in; i++)
        part_in[i] = ims__pool_rows(&in[i], total, first, n);
    for (size_t i = 0; i < n_out; i++)
        part_out[i] = ims__pool_rows(&out[i], total, first, n);
    start = p->o.clock_ns();
    st = ims_compute_session_run(s->session, part_in, n_in, part_out, n_out, err);
    ns = p->o.clock_ns() - start;
    if (!st) {
        st = look_at(p, s, part_in, n_in, part_out, n_out, err);
        *out_is_odd = st != IMS_OK;
    }
    if (!st)
        st = check(p, s, part_in, n_in, n_out, err);
    if (!st)
        note_speed(p, s, n, ns);
    return st;
}
