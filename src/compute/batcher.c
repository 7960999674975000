/* Gathers single items from many threads into batches; see batcher.h for the rules.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/batcher.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <stdio.h>
#include <string.h>

#define IDLE_WAIT_MS 1000

enum { TICKET_IDLE, TICKET_QUEUED, TICKET_DONE };

struct worker {
    struct ims_batcher *batcher;
    unsigned index;
    struct ims_thread thread;
    struct ims_batch_ticket **tickets; /* max_batch of them */
    char *items, *results;
};

struct ims_batcher {
    struct ims_batcher_options o;
    struct worker *workers;
    struct ims_lock lock;
    struct ims_cond work;  /* something to take, or the end */
    struct ims_cond space; /* room in the queue */
    struct ims_cond done;  /* a batch came back */
    unsigned n_inits;      /* of the four above: what release must undo */

    /* guarded by lock */
    struct ims_batch_ticket *head, *tail;
    size_t n_waiting;
    size_t n_flush; /* of the waiting, how many need not wait for company */
    bool is_stopped;
    bool is_ending;
    struct ims_batcher_stats stats;
};

/* ---- taking ---- */

/* 0 = take what is there now; otherwise how long to sleep before looking again. */
static unsigned wait_ms(const struct ims_batcher *b)
{
    uint64_t age_ms;

    if (b->n_waiting == 0)
        return IDLE_WAIT_MS;
    if (b->n_waiting >= b->stats.max_batch_now || b->n_flush > 0 || b->is_stopped)
        return 0;
    age_ms = (ims__mono_ns() - b->head->submitted_ns) / 1000000;
    return age_ms >= b->o.max_wait_ms ? 0 : b->o.max_wait_ms - (unsigned)age_ms;
}

/* Waits for a batch and takes it off the queue; 0 at the end. Lock held. */
static size_t take_batch(struct worker *w)
{
    struct ims_batcher *b = w->batcher;
    size_t n = 0;
    unsigned ms;

    for (;;) {
        ms = wait_ms(b);
        if (ms == 0)
            break;
        if (b->n_waiting == 0 && b->is_ending)
            return 0;
        (void)ims__cond_wait(&b->work, &b->lock, ms); /* either way: look again */
    }
    while (n < b->stats.max_batch_now && b->head) {
        w->tickets[n] = b->head;
        b->head = b->head->next;
        n++;
    }
    if (!b->head)
        b->tail = NULL;
    b->n_waiting -= n;
    b->n_flush -= n < b->n_flush ? n : b->n_flush;
    ims__cond_broadcast(&b->space);
    return n;
}

/* ---- running ---- */

static ims_status run_part(struct worker *w, struct ims_batch_ticket **tickets, size_t n,
                           ims_err *err)
{
    struct ims_batcher *b = w->batcher;
    uint64_t start;
    ims_status st;

    for (size_t i = 0; i < n; i++)
        memcpy(w->items + i * b->o.item_bytes, tickets[i]->item, b->o.item_bytes);
    start = ims__mono_ns();
    st = b->o.run(b->o.arg, w->index, w->items, n, w->results, err);
    for (size_t i = 0; !st && i < n; i++)
        memcpy(tickets[i]->result, w->results + i * b->o.result_bytes, b->o.result_bytes);

    ims__lock(&b->lock);
    b->stats.n_batches++;
    b->stats.busy_ns += ims__mono_ns() - start;
    ims__unlock(&b->lock);
    return st;
}

/* The tickets belong to their callers again as soon as they are marked done. */
static void finish(struct ims_batcher *b, struct ims_batch_ticket **tickets, size_t n,
                   ims_status st, const ims_err *err)
{
    ims__lock(&b->lock);
    for (size_t i = 0; i < n; i++) {
        tickets[i]->status = st;
        if (st)
            tickets[i]->err = *err;
        tickets[i]->state = TICKET_DONE;
    }
    b->stats.n_items += n;
    b->stats.n_failed_items += st ? n : 0;
    ims__cond_broadcast(&b->done);
    ims__unlock(&b->lock);
}

static void shrink(struct ims_batcher *b, size_t failed_size)
{
    ims__lock(&b->lock);
    b->stats.n_halvings++;
    if (failed_size / 2 < b->stats.max_batch_now)
        b->stats.max_batch_now = failed_size / 2;
    ims__unlock(&b->lock);
}

static void run_batch(struct worker *w, size_t n)
{
    struct ims_batcher *b = w->batcher;
    size_t size = n;

    for (size_t i = 0; i < n;) {
        ims_err err = { .status = IMS_OK };
        ims_status st;

        if (size > n - i)
            size = n - i;
        st = run_part(w, w->tickets + i, size, &err);
        if (st == IMS_E_NOMEM && size > 1) {
            shrink(b, size);
            size /= 2;
            continue;
        }
        finish(b, w->tickets + i, size, st, &err);
        i += size;
    }
}

static void work(void *arg)
{
    struct worker *w = arg;
    size_t n;

    for (;;) {
        ims__lock(&w->batcher->lock);
        n = take_batch(w);
        ims__unlock(&w->batcher->lock);
        if (n == 0)
            return;
        run_batch(w, n);
    }
}

/* ---- life ---- */

static ims_status start_worker(struct ims_batcher *b, unsigned index, ims_err *err)
{
    struct worker *w = &b->workers[index];
    char name[16];

    w->batcher = b;
    w->index = index;
    w->tickets = ims__zalloc(b->o.max_batch, sizeof(struct ims_batch_ticket *));
    w->items = ims__zalloc(b->o.max_batch, b->o.item_bytes);
    w->results = ims__zalloc(b->o.max_batch, b->o.result_bytes);
    if (!w->tickets || !w->items || !w->results)
        return ims_fail(err, IMS_E_NOMEM, "batcher", 0, "allocating a batch of %zu",
                        b->o.max_batch);
    snprintf(name, sizeof(name), "%.12s%u", b->o.name ? b->o.name : "batch", index % 100);
    return ims__thread_start(&w->thread, name, work, w, err);
}

static ims_status init_sync(struct ims_batcher *b, ims_err *err)
{
    struct ims_cond *conds[] = { &b->work, &b->space, &b->done };
    ims_status st = ims__lock_init(&b->lock);

    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(conds); i++) {
        b->n_inits++; /* the lock, then each condition before */
        st = ims__cond_init(conds[i]);
    }
    if (st)
        return ims_fail(err, IMS_E_NOMEM, "batcher", 0, "creating locks");
    b->n_inits++;
    return IMS_OK;
}

static ims_status check_options(const struct ims_batcher_options *o, ims_err *err)
{
    if (!o->run || o->max_batch == 0 || o->item_bytes == 0 || o->result_bytes == 0)
        return ims_fail(
            err, IMS_E_INVALID, "batcher", 0,
            "a batcher needs a function, a batch size and the sizes of items and results");
    if (o->queue_capacity != 0 && o->queue_capacity < o->max_batch)
        return ims_fail(err, IMS_E_INVALID, "batcher", 0,
                        "a queue of %zu cannot fill a batch of %zu", o->queue_capacity,
                        o->max_batch);
    return IMS_OK;
}

ims_status ims_batcher_new(struct ims_batcher **out, const struct ims_batcher_options *options,
                           ims_err *err)
{
    struct ims_batcher *b = NULL;
    ims_status st = check_options(options, err);

    if (st)
        return st;
    b = ims__zalloc(1, sizeof(*b));
    if (!b)
        return ims_fail(err, IMS_E_NOMEM, "batcher", 0, "allocating the batcher");
    b->o = *options;
    b->o.n_workers = options->n_workers ? options->n_workers : 1;
    b->o.queue_capacity =
        options->queue_capacity ? options->queue_capacity : 4 * options->max_batch;
    b->stats.max_batch_now = options->max_batch;
    st = init_sync(b, err);
    if (!st) {
        b->workers = ims__zalloc(b->o.n_workers, sizeof(struct worker));
        if (!b->workers)
            st = ims_fail(err, IMS_E_NOMEM, "batcher", 0, "allocating the workers");
    }
    for (unsigned i = 0; !st && i < b->o.n_workers; i++)
        st = start_worker(b, i, err);
    if (st)
        goto out;

    *out = b;
    b = NULL;
out:
    ims_batcher_free(b); /* NULL after success */
    return st;
}

static void end_workers(struct ims_batcher *b)
{
    ims__lock(&b->lock);
    b->is_stopped = true;
    b->is_ending = true;
    ims__cond_broadcast(&b->work);
    ims__cond_broadcast(&b->space);
    ims__unlock(&b->lock);
    for (unsigned i = 0; i < b->o.n_workers; i++) {
        ims__thread_join(&b->workers[i].thread);
        ims__free(b->workers[i].tickets);
        ims__free(b->workers[i].items);
        ims__free(b->workers[i].results);
    }
}

void ims_batcher_free(struct ims_batcher *b)
{
    if (!b)
        return;
    if (b->workers)
        end_workers(b);
    if (b->n_inits >= 4)
        ims__cond_release(&b->done);
    if (b->n_inits >= 3)
        ims__cond_release(&b->space);
    if (b->n_inits >= 2)
        ims__cond_release(&b->work);
    if (b->n_inits >= 1)
        ims__lock_release(&b->lock);
    ims__free(b->workers);
    ims__free(b);
}

/* ---- callers ---- */

ims_status ims_batcher_submit(struct ims_batcher *b, struct ims_batch_ticket *ticket,
                              const void *item, void *result, ims_err *err)
{
    uint64_t start = 0;

    memset(ticket, 0, sizeof(*ticket));
    ticket->item = item;
    ticket->result = result;
    ims__lock(&b->lock);
    while (b->n_waiting >= b->o.queue_capacity && !b->is_stopped) {
        if (start == 0)
            start = ims__mono_ns();
        (void)ims__cond_wait(&b->space, &b->lock, IDLE_WAIT_MS); /* either way: look again */
    }
    if (start)
        b->stats.blocked_ns += ims__mono_ns() - start;
    if (b->is_stopped) {
        ims__unlock(&b->lock);
        return ims_fail(err, IMS_E_CANCELLED, "batcher", 0, "the batcher was stopped");
    }
    ticket->submitted_ns = ims__mono_ns();
    ticket->state = TICKET_QUEUED;
    if (b->tail)
        b->tail->next = ticket;
    else
        b->head = ticket;
    b->tail = ticket;
    b->n_waiting++;
    if (b->n_waiting > b->stats.most_waiting)
        b->stats.most_waiting = b->n_waiting;
    ims__cond_signal(&b->work);
    ims__unlock(&b->lock);
    return IMS_OK;
}

ims_status ims_batcher_wait(struct ims_batcher *b, struct ims_batch_ticket *ticket, ims_err *err)
{
    bool was_submitted;

    ims__lock(&b->lock);
    was_submitted = ticket->state != TICKET_IDLE;
    while (was_submitted && ticket->state != TICKET_DONE)
        (void)ims__cond_wait(&b->done, &b->lock, IDLE_WAIT_MS); /* either way: look again */
    ims__unlock(&b->lock);
    if (!was_submitted)
        return ims_fail(err, IMS_E_INVALID, "batcher", 0, "the ticket was not submitted");
    if (ticket->status && err)
        *err = ticket->err;
    return ticket->status;
}

ims_status ims_batcher_do(struct ims_batcher *b, const void *item, void *result, ims_err *err)
{
    struct ims_batch_ticket ticket;
    ims_status st = ims_batcher_submit(b, &ticket, item, result, err);

    return st ? st : ims_batcher_wait(b, &ticket, err);
}

void ims_batcher_flush(struct ims_batcher *b)
{
    ims__lock(&b->lock);
    b->n_flush = b->n_waiting;
    ims__cond_broadcast(&b->work);
    ims__unlock(&b->lock);
}

void ims_batcher_stop(struct ims_batcher *b)
{
    ims__lock(&b->lock);
    b->is_stopped = true;
    ims__cond_broadcast(&b->work);
    ims__cond_broadcast(&b->space);
    ims__unlock(&b->lock);
}

void ims_batcher_stats(struct ims_batcher *b, struct ims_batcher_stats *out)
{
    ims__lock(&b->lock);
    *out = b->stats;
    ims__unlock(&b->lock);
}
