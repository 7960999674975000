/* The pool: which device takes which rows, and what happens when one fails.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/pool_internal.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 1000
#define MEASURE_EVERY 64       /* batches */
#define MAX_FAULTS_PER_PIECE 2 /* on one device, before another is tried */

static uint64_t now_ms(void)
{
    return ims__mono_ns() / 1000000;
}

/* ---- taking and giving back a slot ---- */

static bool is_free(const struct ims_pool_slot *s)
{
    return s->n_users < s->max_users && !s->is_closing;
}

/* Is a the better one to give a batch? A device that was never tried is, so that it gets measured.
 */
static bool is_better(const struct ims_pool_slot *a, const struct ims_pool_slot *b)
{
    if (a->info.health.state != b->info.health.state)
        return a->info.health.state == IMS_HEALTH_READY;
    if (a->info.rows_per_s == 0 || b->info.rows_per_s == 0)
        return a->info.rows_per_s == 0 && b->info.rows_per_s != 0;
    return a->info.rows_per_s > b->info.rows_per_s;
}

/* The best slot from first to end that is free; *out_has_busy: there is one to wait for. A benched
 * one counts only when asked for. */
static struct ims_pool_slot *find_slot(struct ims_pool *p, size_t first, size_t end, uint32_t tried,
                                       bool is_benched, bool *out_has_busy)
{
    struct ims_pool_slot *best = NULL;

    *out_has_busy = false;
    for (size_t i = first; i < end; i++) {
        struct ims_pool_slot *s = &p->slots[i];

        if (tried >> i & 1 || (s->info.health.state == IMS_HEALTH_BENCHED) != is_benched)
            continue;
        if (!is_free(s))
            *out_has_busy = true;
        else if (!best || is_better(s, best))
            best = s;
    }
    return best;
}

/* Meant devices first, then the reserve, then what is on the bench: a last attempt is better than
 * none. NULL when every slot is in tried. */
static struct ims_pool_slot *take_slot(struct ims_pool *p, uint32_t tried)
{
    struct ims_pool_slot *s = NULL;
    bool has_busy;

    ims__lock(&p->lock);
    for (;;) {
        for (size_t i = 0; i < p->n_slots; i++)
            p->slots[i].info.health =
                ims__health_step(p->slots[i].info.health, &p->rules, IMS_HEALTH_TICK, now_ms());
        s = find_slot(p, 0, p->n_primary, tried, false, &has_busy);
        if (!s && !has_busy)
            s = find_slot(p, p->n_primary, p->n_slots, tried, false, &has_busy);
        if (!s && !has_busy)
            s = find_slot(p, 0, p->n_slots, tried, true, &has_busy);
        if (s || !has_busy)
            break;
        (void)ims__cond_wait(&p->changed, &p->lock, WAIT_MS); /* either way: look again */
    }
    if (s)
        s->n_users++;
    ims__unlock(&p->lock);
    return s;
}

/* must_close: the session may not be used again; it goes with its last user. */
static void give_slot(struct ims_pool *p, struct ims_pool_slot *s, bool must_close)
{
    bool is_last;

    ims__lock(&p->lock);
    s->n_users--;
    s->is_closing = s->is_closing || must_close;
    is_last = s->is_closing && s->n_users == 0;
    ims__unlock(&p->lock);
    if (is_last)
        ims__pool_slot_close(s, true);
    ims__lock(&p->lock);
    if (is_last)
        s->is_closing = false;
    ims__cond_broadcast(&p->changed);
    ims__unlock(&p->lock);
}

/* ---- a piece of a run ---- */

struct job {
    struct ims_pool *p;
    const struct ims_compute_value *in;
    const struct ims_compute_value *out;
    size_t n_in, n_out, n;
    struct ims_pool_place *places;
    struct ims_lock lock; /* guards what follows */
    size_t next;
    ims_status status;
    ims_err err;
};

/* How one piece fared so far. */
struct attempt {
    uint32_t tried; /* slots that are not to be tried again */
    unsigned n_faults[IMS_POOL_MAX_SLOTS];
    unsigned n_odd[IMS_POOL_MAX_SLOTS]; /* of them: numbers that cannot be */
    bool has_shrunk, has_restarted;
    uint64_t failed_ns; /* the first fault since the last rows came out */
};

static bool is_device_fault(ims_status st)
{
    return st == IMS_E_DEVICE || st == IMS_E_TIMEOUT || st == IMS_E_RUNTIME || st == IMS_E_INTERNAL;
}

static void note_fault(struct ims_pool *p, struct ims_pool_slot *s, struct attempt *a, bool is_odd,
                       const ims_err *err)
{
    size_t i = (size_t)(s - p->slots);

    ims__lock(&p->lock);
    s->info.health = ims__health_step(s->info.health, &p->rules, IMS_HEALTH_FAULT, now_ms());
    s->info.n_faults++;
    snprintf(s->info.reason, sizeof(s->info.reason), "%.*s", (int)sizeof(s->info.reason) - 1,
             err->text);
    a->n_faults[i]++;
    a->n_odd[i] += is_odd;
    if (a->n_faults[i] >= MAX_FAULTS_PER_PIECE) /* a benched one is taken when no other is left */
        a->tried |= 1u << i;
    ims__log_ring_addf(&p->log, "%s: fault %llu on %s%s: %.300s", p->label,
                       (unsigned long long)s->info.n_faults, s->info.name,
                       s->info.health.state == IMS_HEALTH_BENCHED ? ", which is benched" : "",
                       err->text);
    ims__unlock(&p->lock);
}

/* The rows were to blame, not the devices that stumbled over them. */
static void forgive(struct ims_pool *p, const struct attempt *a)
{
    ims__lock(&p->lock);
    for (size_t i = 0; i < p->n_slots; i++) {
        for (unsigned k = 0; k < a->n_odd[i]; k++)
            p->slots[i].info.health =
                ims__health_step(p->slots[i].info.health, &p->rules, IMS_HEALTH_FORGIVE, now_ms());
    }
    ims__unlock(&p->lock);
}

static void note_good(struct job *j, struct ims_pool_slot *s, struct attempt *a, size_t first,
                      size_t n)
{
    struct ims_pool *p = j->p;
    double ms = a->failed_ns ? (double)(ims__mono_ns() - a->failed_ns) / 1e6 : 0;

    for (size_t i = first; j->places && i < first + n; i++)
        j->places[i] = (struct ims_pool_place){ (uint16_t)(s - p->slots), (uint16_t)n };
    ims__lock(&p->lock);
    s->info.health = ims__health_step(s->info.health, &p->rules, IMS_HEALTH_GOOD, now_ms());
    if (a->failed_ns) {
        s->info.last_recovery_ms = ms;
        ims__log_ring_addf(&p->log,
                           "%s: %zu rows were computed again on %s, %.0f ms after the fault",
                           p->label, n, s->info.name, ms);
    }
    ims__unlock(&p->lock);
    *a = (struct attempt){ .tried = 0 };
}

/* What the runtime keeps is given back, once; then the batch is halved; then, when it is one row, the
 * device is started afresh, once. false: no use. */
static bool make_room(struct ims_pool *p, struct ims_pool_slot *s, struct attempt *a, size_t rows)
{
    if (!a->has_shrunk && s->session) {
        a->has_shrunk = true;
        if (ims__compute_session_shrink(s->session)) {
            ims__lock(&p->lock);
            s->info.n_shrinks++;
            ims__unlock(&p->lock);
            return true;
        }
    }
    if (rows > 1) {
        bool is_found;

        ims__lock(&p->lock);
        is_found = ims__batch_halve(&s->info.batch, rows);
        s->info.n_halvings++;
        ims__log_ring_addf(&p->log,
                           "%s: %zu rows do not fit into the memory of %s, going on with %zu",
                           p->label, rows, s->info.name, s->info.batch.rows);
        ims__unlock(&p->lock);
        if (is_found)
            ims__pool_batch_keep(p, s);
        return true;
    }
    if (a->has_restarted)
        return false;
    a->has_restarted = true;
    return true;
}

static size_t batch_size(struct ims_pool *p, struct ims_pool_slot *s, size_t left)
{
    size_t most;

    ims__lock(&p->lock);
    most = s->info.batch.rows;
    ims__unlock(&p->lock);
    return left < most ? left : most;
}

/* What to do after rows failed on *slot: IMS_OK to try again, then *slot is the one to use and may
 * be another; else the final status, and no slot is held. */
static ims_status recover(struct job *j, struct ims_pool_slot **slot, struct attempt *a,
                          size_t rows, ims_status st, bool is_odd, ims_err *err)
{
    struct ims_pool *p = j->p;
    struct ims_pool_slot *s = *slot;
    bool was_odd = is_odd && ims__pool_is_trusted(s);

    if (a->failed_ns == 0)
        a->failed_ns = ims__mono_ns();
    if (st == IMS_E_NOMEM && rows > 1 && make_room(p, s, a, rows))
        return IMS_OK;
    if ((!is_device_fault(st) && st != IMS_E_NOMEM) || was_odd) {
        give_slot(p, s, false);
        if (was_odd)
            forgive(p, a);
        return was_odd ? ims_fail_in(err, IMS_E_MODEL, "the model or what it was given") : st;
    }
    if (st != IMS_E_NOMEM || !make_room(p, s, a, rows)) {
        note_fault(p, s, a, is_odd, err);
        if (st == IMS_E_NOMEM)
            a->tried |= 1u << (s - p->slots);
    }
    give_slot(p, s, true);
    *slot = take_slot(p, a->tried);
    if (*slot)
        return IMS_OK;
    for (size_t i = 0; is_odd && i < p->n_slots; i++)
        is_odd = a->n_odd[i] == a->n_faults[i];
    if (!is_odd)
        return st;
    forgive(p, a);
    return ims_fail_in(err, IMS_E_MODEL, "every device");
}

static ims_status run_piece(struct job *j, struct ims_pool_slot *s, size_t first, size_t end,
                            ims_err *err)
{
    struct attempt a = { .tried = 0 };

    while (first < end) {
        size_t rows = batch_size(j->p, s, end - first);
        bool is_odd;
        ims_status st = ims__pool_slot_run(j->p, s, j->in, j->n_in, j->out, j->n_out, first, rows,
                                           &is_odd, err);

        if (!st) {
            note_good(j, s, &a, first, rows);
            first += rows;
            continue;
        }
        st = recover(j, &s, &a, rows, st, is_odd, err);
        if (st)
            return st;
    }
    give_slot(j->p, s, false);
    return IMS_OK;
}

/* ---- a run ---- */

/* A full batch, or near the end of a run the device's fair share of what is left, so that a slow
 * one does not keep the others waiting. Now and then a full one all the same: speed is measured on
 * those. */
static size_t piece_size(struct ims_pool *p, const struct ims_pool_slot *s, size_t left)
{
    double sum = 0, share;
    bool is_known = true;
    size_t n;

    ims__lock(&p->lock);
    n = s->info.batch.rows;
    for (size_t i = 0; i < p->n_primary; i++) {
        const struct ims_pool_slot_info *info = &p->slots[i].info;

        if (info->health.state == IMS_HEALTH_BENCHED)
            continue;
        sum += info->rows_per_s;
        is_known = is_known && info->rows_per_s > 0;
    }
    share = sum > 0 ? (double)left * s->info.rows_per_s / sum : 0;
    is_known = is_known && !s->info.is_reserve && s->info.n_batches % MEASURE_EVERY != 0;
    ims__unlock(&p->lock);
    if (is_known && share < (double)n)
        n = (size_t)(share + 0.5);
    return n ? n : 1;
}

static void end_job(struct job *j, ims_status st, const ims_err *err)
{
    ims__lock(&j->lock);
    if (!j->status) {
        j->status = st;
        j->err = *err;
    }
    ims__unlock(&j->lock);
}

static bool take_rows(struct job *j, struct ims_pool_slot *s, size_t *out_first, size_t *out_end)
{
    bool has_rows;
    size_t most;

    ims__lock(&j->lock);
    has_rows = !j->status && j->next < j->n;
    most = piece_size(j->p, s, j->n - j->next);
    *out_first = j->next;
    *out_end = j->n - j->next < most ? j->n : j->next + most;
    if (has_rows)
        j->next = *out_end;
    ims__unlock(&j->lock);
    return has_rows;
}

static void work(void *arg)
{
    struct job *j = arg;
    size_t first, end;

    for (;;) {
        struct ims_pool_slot *s = take_slot(j->p, 0);
        ims_err err;
        ims_status st;

        if (!take_rows(j, s, &first, &end)) {
            give_slot(j->p, s, false);
            return;
        }
        st = run_piece(j, s, first, end, &err);
        if (st)
            end_job(j, st, &err);
    }
}

static ims_status check_values(const struct ims_pool *p, const struct ims_compute_value *v,
                               size_t n_values, int64_t n, bool is_input, ims_err *err)
{
    for (size_t i = 0; i < n_values; i++) {
        size_t bytes = 0;
        ims_status st = ims_tensor_measure(&v[i].tensor, &bytes, err);

        if (st)
            return st;
        if (v[i].tensor.rank == 0 || n < 1 || v[i].tensor.shape[0] < n ||
            v[i].tensor.shape[0] % n != 0 || (is_input && v[i].tensor.shape[0] != n))
            return ims_fail(err, IMS_E_DIMENSION, "pool", 0, "%s: inputs and outputs are rows",
                            p->label);
        if (!v[i].tensor.data || v[i].tensor.bytes < bytes)
            return ims_fail(err, IMS_E_INVALID, "pool", 0, "%s: memory for rows is missing",
                            p->label);
    }
    return IMS_OK;
}

/* Threads besides the caller's: one for each further device that there are full batches for. */
static size_t count_helpers(struct ims_pool *p, size_t n)
{
    size_t least = p->o.max_rows, n_helpers;

    ims__lock(&p->lock);
    for (size_t i = 0; i < p->n_primary; i++)
        least = p->slots[i].info.batch.rows < least ? p->slots[i].info.batch.rows : least;
    ims__unlock(&p->lock);
    n_helpers = (n - 1) / least;
    return n_helpers < p->n_primary - 1 ? n_helpers : p->n_primary - 1;
}

ims_status ims_pool_run(struct ims_pool *p, const struct ims_compute_value *in, size_t n_in,
                        struct ims_compute_value *out, size_t n_out, struct ims_pool_place *places,
                        ims_err *err)
{
    struct job j = { .p = p, .in = in, .out = out, .n_in = n_in, .n_out = n_out, .places = places };
    struct ims_thread helpers[IMS_POOL_MAX_SLOTS] = { { .is_running = false } };
    size_t n_helpers;
    ims_status st;

    if (n_in == 0 || n_out == 0 || n_in > POOL_MAX_VALUES || n_out > POOL_MAX_VALUES)
        return ims_fail(err, IMS_E_INVALID, "pool", 0, "%s: 1 to %d inputs and outputs", p->label,
                        POOL_MAX_VALUES);
    st = check_values(p, in, n_in, in[0].tensor.shape[0], true, err);
    if (!st)
        st = check_values(p, out, n_out, in[0].tensor.shape[0], false, err);
    if (st)
        return st;
    if (ims__lock_init(&j.lock) != IMS_OK)
        return ims_fail(err, IMS_E_NOMEM, "pool", 0, "creating a lock");
    j.n = (size_t)in[0].tensor.shape[0];
    n_helpers = count_helpers(p, j.n);
    for (size_t i = 0; i < n_helpers; i++) { /* with fewer it takes longer, that is all */
        if (ims__thread_start(&helpers[i], "ims-pool", work, &j, NULL) != IMS_OK)
            break;
    }
    work(&j);
    for (size_t i = 0; i < n_helpers; i++)
        ims__thread_join(&helpers[i]);
    ims__lock_release(&j.lock);
    if (j.status && err)
        *err = j.err;
    return j.status;
}
