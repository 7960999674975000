/* Running queries over the units of a snapshot.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/pass.h"

#include "base/clock.h"
#include "base/mem.h"
#include "vectors/vectors_backend.h"

#include <sched.h>

#define WAIT_MS 1000
#define ROWS_ALONE 20000 /* an index of fewer rows is scanned sooner than a helper wakes, */
#define LISTED_ALONE 3000 /* and so many rows that lie scattered */
#define AWAKE_NS UINT64_C(100000) /* for what comes within it nobody goes to sleep */

/* One caller's queries. */
struct ims_ticket {
    const struct ims_vectors_query *queries;
    struct ims_vectors_result *results;
    size_t n, n_begun; /* of the queries */
    size_t n_running;
    ims_status status;
    ims_err err;
    struct ims_ticket *next;
};

struct ims_pass {
    const struct ims_snapshot *snapshot;
    size_t n_units; /* of all views, IMS_SEGMENT_SLOTS / IMS_UNIT_SLOTS each */
    size_t stride;  /* units are visited in steps of it, so that the first ones are a fair sample */
    _Atomic size_t next;
    _Atomic unsigned n_joined; /* threads that took a number */
    _Atomic unsigned n_inside; /* helpers; changed under the lock */
    unsigned n_jobs;
    struct ims_job *jobs[IMS_PASS_JOBS];
    struct ims_ticket *tickets[IMS_PASS_JOBS];
};

#define PROBE_DRAIN 64 /* units between two drains, at most */
#define PROBE_RUN 8    /* units that a thread takes at a time, but for the first ones */
#define UNITS_PER_VIEW (IMS_SEGMENT_SLOTS / IMS_UNIT_SLOTS)

static size_t common_divisor(size_t a, size_t b)
{
    while (b) {
        size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static size_t choose_stride(size_t n)
{
    size_t stride = n * 5 / 8 + 1;

    while (common_divisor(stride, n) != 1)
        stride++;
    return stride;
}

/* A query that reads units in an order of its own goes through them by itself; one thread's share of that. */
static void probe(struct ims_job *j, unsigned thread, struct ims_unit_room *room)
{
    size_t n_done = 0, drain_at = 1, n;
    const struct ims_probed *units;

    ims__probe_learn(j);
    while ((n = ims__probe_next(&j->probe, n_done < PROBE_RUN ? 1 : PROBE_RUN, &units)) > 0) {
        for (size_t i = 0; i < n; i++)
            ims__job_scan(j, thread, units[i].at >> 16, units[i].at & 0xffffu, room);
        n_done += n;
        if (n_done >= drain_at) {
            ims__job_raise_floor(j, thread);
            ims__probe_narrow(j, thread);
            drain_at += drain_at < PROBE_DRAIN ? drain_at : PROBE_DRAIN;
        }
    }
    ims__job_drain(j, thread);
}

/* What one thread does. Candidates are scored now and then, so that the floor rises early: after 1, 4, 16 ...
 * units and at the end. */
static void work(struct ims_pass *p, unsigned thread, struct ims_unit_room *room)
{
    size_t n_done = 0, drain_at = 1;
    struct ims_job *all[IMS_PASS_JOBS];
    unsigned n_all = 0;

    for (unsigned j = 0; j < p->n_jobs; j++) {
        if (p->jobs[j]->probe.n)
            probe(p->jobs[j], thread, room);
        else
            all[n_all++] = p->jobs[j];
    }
    while (n_all) {
        size_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed), unit;

        if (i >= p->n_units)
            break;
        unit = i * p->stride % p->n_units;
        for (unsigned j = 0; j < n_all; j++)
            ims__job_scan(all[j], thread, unit / UNITS_PER_VIEW, (uint32_t)(unit % UNITS_PER_VIEW), room);
        if (++n_done == drain_at) {
            for (unsigned j = 0; j < n_all; j++)
                ims__job_raise_floor(all[j], thread);
            drain_at *= 4;
        }
    }
    for (unsigned j = 0; j < n_all; j++)
        ims__job_drain(all[j], thread);
}

/* Waking costs about as much as reading some thousand rows, so a helper that was called for a pass that is being
 * prepared stays awake for it, and so does the caller who waits for helpers to end. */
static void await_pass(struct ims_passes *all)
{
    uint64_t until = ims__mono_ns() + AWAKE_NS;

    while (atomic_load(&all->is_coming) && ims__mono_ns() < until)
        sched_yield();
}

static void await_end(const struct ims_pass *p)
{
    uint64_t until = ims__mono_ns() + AWAKE_NS;

    while (atomic_load(&p->n_inside) && ims__mono_ns() < until)
        sched_yield();
}

static void help(void *arg)
{
    struct ims_passes *all = arg;
    struct ims_unit_room *room = ims__alloc(1, sizeof(*room));

    if (!room)
        return;
    ims__lock(&all->lock);
    while (!all->is_stopping) {
        struct ims_pass *p = all->pass;

        if (!p) {
            (void)ims__cond_wait(&all->work_comes, &all->lock, WAIT_MS);
            ims__unlock(&all->lock);
            await_pass(all);
            ims__lock(&all->lock);
            continue;
        }
        p->n_inside++;
        ims__unlock(&all->lock);
        work(p, atomic_fetch_add(&p->n_joined, 1), room);
        ims__lock(&all->lock);
        p->n_inside--;
        all->pass = NULL; /* nothing is left to begin */
        ims__cond_broadcast(&all->changed);
    }
    ims__unlock(&all->lock);
    ims__free(room);
}

/* ---- a pass ---- */

static void free_bits(void *bits)
{
    ims__filter_bits_unref(bits);
}

static ims_status resolve_filter(struct ims_job *j, const struct ims_snapshot *s, const void *owner,
                                 ims_err *err)
{
    const struct ims_vectors_query *q = j->query;
    struct ims_vectors_filter *f = q->filter;
    struct ims_filter_bits *bits = NULL;

    if (!f && !q->only_ids)
        return IMS_OK;
    if (!f) {
        bits = ims__filter_resolve(s, q->only_ids, q->n_only_ids, NULL);
    } else {
        pthread_mutex_lock(&f->lock);
        bits = f->owner == owner ? f->state : NULL;
        if (!bits || bits->generation != s->generation)
            bits = ims__filter_resolve(s, f->ids, f->n, bits);
        if (bits && bits != f->state) {
            if (f->state)
                f->free_state(f->state);
            f->state = bits;
            f->owner = owner;
            f->free_state = free_bits;
        }
        if (bits)
            bits->refs++;
        pthread_mutex_unlock(&f->lock);
    }
    j->filter = bits;
    return bits ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for a filter");
}

static void drop_filter(struct ims_job *j)
{
    struct ims_vectors_filter *f = j->query->filter;

    if (f)
        pthread_mutex_lock(&f->lock);
    ims__filter_bits_unref((struct ims_filter_bits *)(uintptr_t)j->filter);
    if (f)
        pthread_mutex_unlock(&f->lock);
}

static void add_job(struct ims_passes *all, struct ims_pass *p, struct ims_ticket *t, size_t i, bool has_pass)
{
    struct ims_job *j = ims__aligned_alloc(IMS_CACHE_LINE, 1, sizeof(*j));
    ims_status st;

    if (!j) {
        t->status = ims_fail(&t->err, IMS_E_NOMEM, "vectors", 0, "searching");
        return;
    }
    *j = (struct ims_job){
        .query = &t->queries[i], .result = &t->results[i], .rules = all->rules, .has_pass = has_pass
    };
    p->jobs[p->n_jobs] = j;
    p->tickets[p->n_jobs++] = t;
    st = resolve_filter(j, p->snapshot, all, &t->err);
    if (st)
        t->status = st;
    else
        ims__job_plan(j, p->snapshot);
}

/* Whether there is more to read than one thread reads before another is awake. */
static bool has_enough(const struct ims_pass *p)
{
    size_t n = 0;

    for (unsigned i = 0; i < p->n_jobs; i++)
        n += p->tickets[i]->status ? 0 : p->jobs[i]->n_candidates;
    return n > LISTED_ALONE;
}

static void prepare_jobs(struct ims_pass *p, unsigned n_threads)
{
    for (unsigned i = 0; i < p->n_jobs; i++) {
        struct ims_ticket *t = p->tickets[i];

        if (!t->status)
            t->status = ims__job_prepare(p->jobs[i], n_threads, &t->err);
    }
}

static void finish_jobs(struct ims_pass *p)
{
    for (unsigned i = 0; i < p->n_jobs; i++) {
        struct ims_job *j = p->jobs[i];
        struct ims_ticket *t = p->tickets[i];

        if (!t->status)
            t->status = ims__job_finish(j, &t->err);
        j->result->answer.n_shared = p->n_jobs;
        ims__job_release(j);
        drop_filter(j);
        ims__free(j);
    }
}

/* Removes what cannot or need not be scanned; its finish says the rest. */
static unsigned keep_runnable(struct ims_pass *p, struct ims_job **out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->n_jobs; i++) {
        if (!p->tickets[i]->status && p->jobs[i]->n_candidates)
            out[n++] = p->jobs[i];
    }
    return n;
}

static void call_helpers(struct ims_passes *all)
{
    atomic_store(&all->is_coming, true);
    ims__lock(&all->lock);
    ims__cond_broadcast(&all->work_comes);
    ims__unlock(&all->lock);
}

static void scan_all(struct ims_passes *all, struct ims_pass *p, bool is_alone, struct ims_unit_room *room)
{
    struct ims_job *jobs[IMS_PASS_JOBS];
    struct ims_pass scanned = { .snapshot = p->snapshot };

    scanned.n_jobs = keep_runnable(p, jobs);
    if (!scanned.n_jobs)
        return;
    memcpy(scanned.jobs, jobs, sizeof(jobs));
    scanned.n_units = p->snapshot->n_views * UNITS_PER_VIEW;
    scanned.stride = choose_stride(scanned.n_units);
    atomic_init(&scanned.n_joined, 1);
    if (is_alone) {
        work(&scanned, 0, room);
        return;
    }
    ims__lock(&all->lock);
    all->pass = &scanned;
    atomic_store(&all->is_coming, false);
    ims__cond_broadcast(&all->work_comes);
    ims__unlock(&all->lock);
    work(&scanned, 0, room);
    ims__lock(&all->lock);
    all->pass = NULL;
    ims__unlock(&all->lock);
    await_end(&scanned);
    ims__lock(&all->lock);
    while (scanned.n_inside)
        (void)ims__cond_wait(&all->changed, &all->lock, WAIT_MS);
    ims__unlock(&all->lock);
}

/* Takes the next queries of waiting tickets. The lock is held. */
static void run_pass(struct ims_passes *all, struct ims_ticket **tickets, const size_t *at, unsigned n,
                     bool is_alone)
{
    struct ims_pass p = { 0 };
    struct ims_unit_room *room = ims__alloc(1, sizeof(*room));
    unsigned slot;

    p.snapshot = ims__snapshot_take(all->snapshots, &slot);
    for (unsigned i = 0; i < n; i++)
        add_job(all, &p, tickets[i], at[i], n == 1);
    for (unsigned i = 0; !room && i < n; i++)
        tickets[i]->status = ims_fail(&tickets[i]->err, IMS_E_NOMEM, "vectors", 0, "searching");
    is_alone = is_alone || !has_enough(&p);
    if (!is_alone)
        call_helpers(all);
    prepare_jobs(&p, is_alone ? 1 : all->n_threads);
    scan_all(all, &p, is_alone, room);
    if (!is_alone)
        atomic_store(&all->is_coming, false);
    finish_jobs(&p);
    ims__snapshot_leave(all->snapshots, slot);
    ims__free(room);
}

/* ---- callers ---- */

static void enqueue(struct ims_passes *all, struct ims_ticket *t)
{
    if (all->last)
        all->last->next = t;
    else
        all->first = t;
    all->last = t;
}

/* The next queries in the order of arrival; tickets of which all are begun leave the queue. */
static unsigned take_waiting(struct ims_passes *all, struct ims_ticket **tickets, size_t *at)
{
    unsigned n = 0;

    while (n < IMS_PASS_JOBS && all->first) {
        struct ims_ticket *t = all->first;

        tickets[n] = t;
        at[n++] = t->n_begun++;
        t->n_running++;
        if (t->n_begun == t->n) {
            all->first = t->next;
            if (!all->first)
                all->last = NULL;
        }
    }
    return n;
}

/* Waits for its turn; whoever finds no pass running leads the next one, for all who wait. */
static void serve(struct ims_passes *all, struct ims_ticket *mine)
{
    struct ims_ticket *tickets[IMS_PASS_JOBS];
    size_t at[IMS_PASS_JOBS];

    ims__lock(&all->lock);
    enqueue(all, mine);
    while (mine->n_begun < mine->n || mine->n_running) {
        unsigned n;

        if (all->is_running) {
            (void)ims__cond_wait(&all->changed, &all->lock, WAIT_MS);
            continue;
        }
        all->is_running = true;
        n = take_waiting(all, tickets, at);
        ims__unlock(&all->lock);
        run_pass(all, tickets, at, n, all->n_threads == 1);
        ims__lock(&all->lock);
        for (unsigned i = 0; i < n; i++)
            tickets[i]->n_running--;
        all->is_running = false;
        ims__cond_broadcast(&all->changed);
    }
    ims__unlock(&all->lock);
}

static bool is_small(struct ims_passes *all)
{
    unsigned slot;
    const struct ims_snapshot *s = ims__snapshot_take(all->snapshots, &slot);
    bool is_it = s->n_live <= ROWS_ALONE;

    ims__snapshot_leave(all->snapshots, slot);
    return is_it;
}

static void serve_alone(struct ims_passes *all, struct ims_ticket *mine)
{
    struct ims_ticket *tickets[IMS_PASS_JOBS];
    size_t at[IMS_PASS_JOBS];

    while (mine->n_begun < mine->n) {
        unsigned n = 0;

        while (n < IMS_PASS_JOBS && mine->n_begun < mine->n) {
            tickets[n] = mine;
            at[n++] = mine->n_begun++;
        }
        run_pass(all, tickets, at, n, true);
    }
}

ims_status ims__passes_search(struct ims_passes *all, const struct ims_vectors_query *queries, size_t n,
                              struct ims_vectors_result *results, ims_err *err)
{
    struct ims_ticket mine = { .queries = queries, .results = results, .n = n };

    if (is_small(all))
        serve_alone(all, &mine);
    else
        serve(all, &mine);
    if (mine.status && err)
        *err = mine.err;
    return mine.status;
}

ims_status ims__passes_open(struct ims_passes *p, struct ims_snapshots *snapshots,
                            const struct ims_job_rules *rules, unsigned n_threads, ims_err *err)
{
    p->snapshots = snapshots;
    p->rules = rules;
    p->n_threads = n_threads;
    p->has_lock = ims__lock_init(&p->lock) == IMS_OK;
    p->has_cond = p->has_lock && ims__cond_init(&p->changed) == IMS_OK;
    p->has_work_cond = p->has_cond && ims__cond_init(&p->work_comes) == IMS_OK;
    if (!p->has_work_cond)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "creating a lock");
    while (p->n_helpers + 1 < n_threads) { /* fewer than wanted only make it slower */
        if (ims__thread_start(&p->helpers[p->n_helpers], "ims-scan", help, p, NULL))
            break;
        p->n_helpers++;
    }
    return IMS_OK;
}

void ims__passes_close(struct ims_passes *p)
{
    if (p->has_work_cond) {
        ims__lock(&p->lock);
        p->is_stopping = true;
        ims__cond_broadcast(&p->work_comes);
        ims__unlock(&p->lock);
    }
    for (unsigned i = 0; i < p->n_helpers; i++)
        ims__thread_join(&p->helpers[i]);
    if (p->has_work_cond)
        ims__cond_release(&p->work_comes);
    if (p->has_cond)
        ims__cond_release(&p->changed);
    if (p->has_lock)
        ims__lock_release(&p->lock);
}
