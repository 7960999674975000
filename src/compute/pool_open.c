/* Opening, closing and describing a pool.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/pool_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_MAX_ROWS 64
#define SHARED_USERS 1024 /* runs at once on a session in this process */

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "pool", 0, "allocating a pool");
}

static ims_status copy_graph(struct ims_pool *p, const struct ims_compute_graph *graph,
                             ims_err *err)
{
    struct ims_compute_graph *g = &p->graph;

    g->n_bytes = graph->n_bytes;
    g->bytes = graph->bytes ? ims__memdup(graph->bytes, graph->n_bytes) : NULL;
    g->external_dir = ims__strdup(graph->external_dir);
    g->path = ims__strdup(graph->path);
    if ((graph->bytes && !g->bytes) || (graph->external_dir && !g->external_dir) ||
        (graph->path && !g->path))
        return no_memory(err);
    return IMS_OK;
}

static ims_status add_slot(struct ims_pool *p, struct ims_device_id id, unsigned n_threads,
                           ims_err *err)
{
    struct ims_pool_slot *s = &p->slots[p->n_slots++];

    s->info.device = id;
    ims_device_id_name(id, s->info.name);
    s->info.is_isolated = ims__compute_is_isolated(p->compute, id);
    s->n_threads = n_threads;
    s->max_users = 1;
    s->has_lock = ims__lock_init(&s->open_lock) == IMS_OK;
    return s->has_lock ? IMS_OK : no_memory(err);
}

/* The devices of the choice; CPU shares split the threads. */
static ims_status add_slots(struct ims_pool *p, ims_err *err)
{
    struct ims_device_id cpu = { IMS_DEVICE_CPU, 0 };
    const struct ims_device_choice *choice = &p->choice;
    unsigned n_cpu = 0, n_threads;
    ims_status st = ims_compute_choose_for(p->compute, p->o.proof, &p->choice, err);

    if (st)
        return st;
    for (size_t i = 0; i < choice->n_ids; i++)
        n_cpu += choice->ids[i].kind == IMS_DEVICE_CPU;
    n_threads = p->compute->n_threads / (n_cpu ? n_cpu : 1);
    for (size_t i = 0; !st && i < choice->n_ids; i++)
        st = add_slot(p, choice->ids[i], n_threads ? n_threads : 1, err);
    p->n_primary = p->n_slots;
    if (!st && n_cpu == 0 && ims__compute_may_use_cpu(p->compute)) {
        st = add_slot(p, cpu, p->compute->n_threads, err);
        p->slots[p->n_primary].info.is_reserve = true;
    }
    if (p->n_primary == 1 && !p->slots[0].info.is_isolated)
        p->slots[0].max_users = SHARED_USERS;
    for (size_t i = 0; !st && i < p->n_slots; i++)
        st = ims__pool_batch_recall(p, &p->slots[i], err);
    p->o.proof = NULL;
    return st;
}

void ims_pool_limit_rows(struct ims_pool *p, size_t max_rows)
{
    ims__lock(&p->lock);
    if (max_rows < p->o.max_rows)
        p->o.max_rows = max_rows;
    for (size_t i = 0; i < p->n_slots; i++)
        ims__batch_limit(&p->slots[i].info.batch, p->o.max_rows);
    ims__unlock(&p->lock);
}

static ims_status greet(struct ims_pool *p, struct ims_pool_slot *s, ims_err *err)
{
    const struct ims_compute_port *port = ims_compute_session_input(s->session, 0);

    if (port && port->rank > 0 && port->shape[0] > 0)
        ims_pool_limit_rows(p, (size_t)port->shape[0]);
    return p->o.on_open ? p->o.on_open(p->o.arg, s->session, err) : IMS_OK;
}

static bool may_move_on(const struct ims_pool *p, ims_status st)
{
    return p->compute->request.is_auto &&
           (st == IMS_E_DEVICE || st == IMS_E_TIMEOUT || st == IMS_E_NOMEM);
}

static ims_status open_first(struct ims_pool *p, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; i < p->n_slots; i++) {
        struct ims_pool_slot *s = &p->slots[i];
        ims_err why;

        st = ims__pool_slot_open(p, s, &why);
        if (!st)
            return greet(p, s, err);
        if (!may_move_on(p, st) || i + 1 == p->n_slots) {
            if (err)
                *err = why;
            return st;
        }
        s->info.n_faults++;
        s->info.health = ims__health_step(s->info.health, &p->rules, IMS_HEALTH_FAULT, 0);
        memcpy(s->info.reason, why.text, sizeof(s->info.reason) - 1);
        ims__log_ring_addf(&p->log, "%s: %s does not open: %.300s", p->label, s->info.name,
                           why.text);
    }
    return st;
}

ims_status ims_pool_open(struct ims_pool **out, struct ims_compute *compute,
                         const struct ims_compute_graph *graph,
                         const struct ims_pool_options *options, ims_err *err)
{
    struct ims_pool *p = ims__zalloc(1, sizeof(*p));
    ims_status st;

    if (!p)
        return no_memory(err);
    p->compute = compute;
    p->o = *options;
    p->o.max_rows = options->max_rows ? options->max_rows : DEFAULT_MAX_ROWS;
    if (p->o.max_rows > UINT16_MAX)
        p->o.max_rows = UINT16_MAX;
    p->o.clock_ns = options->clock_ns ? options->clock_ns : ims__mono_ns;
    p->rules = options->rules ? *options->rules : ims__health_rules;
    snprintf(p->label, sizeof(p->label), "%.63s", options->label ? options->label : "a graph");
    p->has_lock = ims__lock_init(&p->lock) == IMS_OK;
    p->has_canary_lock = ims__lock_init(&p->canary_lock) == IMS_OK;
    p->has_log = ims__lock_init(&p->log.lock) == IMS_OK;
    p->has_cond = ims__cond_init(&p->changed) == IMS_OK;
    st = p->has_lock && p->has_canary_lock && p->has_log && p->has_cond ? IMS_OK : no_memory(err);
    if (!st)
        st = copy_graph(p, graph, err);
    if (!st)
        st = add_slots(p, err);
    if (!st)
        st = open_first(p, err);
    if (st)
        goto out;

    *out = p;
    p = NULL;
out:
    ims_pool_close(p); /* NULL after success */
    return st;
}

void ims_pool_close(struct ims_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_slots; i++) {
        ims__pool_slot_close(&p->slots[i], false);
        ims__free(p->slots[i].batch_key);
        if (p->slots[i].has_lock)
            ims__lock_release(&p->slots[i].open_lock);
    }
    ims__canary_release(&p->canary);
    ims__free((void *)(uintptr_t)p->graph.bytes);
    ims__free((void *)(uintptr_t)p->graph.external_dir);
    ims__free((void *)(uintptr_t)p->graph.path);
    if (p->has_cond)
        ims__cond_release(&p->changed);
    if (p->has_log)
        ims__lock_release(&p->log.lock);
    if (p->has_canary_lock)
        ims__lock_release(&p->canary_lock);
    if (p->has_lock)
        ims__lock_release(&p->lock);
    ims__free(p);
}

void ims_pool_choice(const struct ims_pool *p, struct ims_device_choice *out)
{
    *out = p->choice;
}

size_t ims_pool_n_devices(const struct ims_pool *p)
{
    return p ? p->n_primary : 1;
}

bool ims_pool_describe(struct ims_pool *p, struct ims_pool_info *out)
{
    memset(out, 0, sizeof(*out));
    if (!p)
        return false;
    ims__lock(&p->lock);
    out->n_slots = p->n_slots;
    for (size_t i = 0; i < p->n_slots; i++)
        out->slots[i] = p->slots[i].info;
    ims__unlock(&p->lock);
    return true;
}

/* Under the lock. n_slots: no session was opened. */
static size_t main_slot(const struct ims_pool *p)
{
    size_t found = p->n_slots;

    for (size_t i = 0; i < p->n_slots; i++) {
        const struct ims_pool_slot_info *s = &p->slots[i].info;

        if (s->has_report && s->health.state != IMS_HEALTH_BENCHED)
            return i;
        if (s->has_report && found == p->n_slots)
            found = i;
    }
    return found;
}

/* Under the lock. */
static bool report_of(const struct ims_pool *p, size_t slot, struct ims_compute_report *out)
{
    if (slot >= p->n_slots || !p->slots[slot].info.has_report)
        return false;
    *out = p->slots[slot].info.report;
    return true;
}

bool ims_pool_report(struct ims_pool *p, struct ims_compute_report *out)
{
    bool has_report;

    if (!p)
        return false;
    ims__lock(&p->lock);
    has_report = report_of(p, main_slot(p), out);
    ims__unlock(&p->lock);
    return has_report;
}

bool ims_pool_slot_report(struct ims_pool *p, size_t slot, struct ims_compute_report *out)
{
    bool has_report;

    if (!p)
        return false;
    ims__lock(&p->lock);
    has_report = report_of(p, slot, out);
    ims__unlock(&p->lock);
    return has_report;
}

size_t ims_pool_log(struct ims_pool *p, char *out, size_t size)
{
    return ims__log_ring_tail(&p->log, out, size);
}
