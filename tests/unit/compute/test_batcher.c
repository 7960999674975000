/* Tests of dynamic batching, without any device: the function doubles numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/batcher.h"
#include "harness/test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <string.h>

/* What the function saw; a gate lets a test hold a worker inside it. */
struct probe {
    struct ims_lock lock;
    struct ims_cond cond;
    bool is_gated; /* the function waits while this is set */
    unsigned n_inside;
    size_t sizes[4096];
    size_t n_calls;
    int order[4096]; /* items in the order seen */
    size_t n_seen;
    size_t nomem_above; /* 0 = never */
    ims_status fail_with;
};

static void probe_init(struct probe *p)
{
    memset(p, 0, sizeof(*p));
    CHECK_SOFT(ims__lock_init(&p->lock) == IMS_OK);
    CHECK_SOFT(ims__cond_init(&p->cond) == IMS_OK);
}

static void probe_release(struct probe *p)
{
    ims__cond_release(&p->cond);
    ims__lock_release(&p->lock);
}

static ims_status run(void *arg, unsigned worker, const void *items, size_t n, void *results,
                      ims_err *err)
{
    struct probe *p = arg;
    const int *in = items;
    int *out = results;
    ims_status st = IMS_OK;

    (void)worker;
    ims__lock(&p->lock);
    p->n_inside++;
    ims__cond_broadcast(&p->cond);
    while (p->is_gated)
        (void)ims__cond_wait(&p->cond, &p->lock, 1000); /* either way: look again */
    p->n_inside--;
    p->sizes[p->n_calls++ % 4096] = n;
    if (p->nomem_above && n > p->nomem_above)
        st = ims_fail(err, IMS_E_NOMEM, "test", 0, "no memory for %zu", n);
    else if (p->fail_with)
        st = ims_fail(err, p->fail_with, "test", 7, "told to fail");
    for (size_t i = 0; i < n && !st; i++) {
        p->order[p->n_seen++ % 4096] = in[i];
        out[i] = 2 * in[i];
    }
    ims__unlock(&p->lock);
    return st;
}

static void gate(struct probe *p, bool closed)
{
    ims__lock(&p->lock);
    p->is_gated = closed;
    ims__cond_broadcast(&p->cond);
    ims__unlock(&p->lock);
}

static void wait_inside(struct probe *p)
{
    ims__lock(&p->lock);
    while (p->n_inside == 0)
        (void)ims__cond_wait(&p->cond, &p->lock, 1000); /* either way: look again */
    ims__unlock(&p->lock);
}

static struct ims_batcher *make(struct probe *p, size_t max_batch, unsigned max_wait_ms,
                                size_t capacity)
{
    struct ims_batcher_options options = { .name = "test",
                                           .max_batch = max_batch,
                                           .max_wait_ms = max_wait_ms,
                                           .queue_capacity = capacity,
                                           .item_bytes = sizeof(int),
                                           .result_bytes = sizeof(int),
                                           .run = run,
                                           .arg = p };
    struct ims_batcher *b = NULL;
    ims_err err = { .text = "" };

    return test_check_ok(__FILE__, __LINE__, "new", ims_batcher_new(&b, &options, &err), &err)
               ? b
               : NULL;
}

TEST(options, "options that cannot work are refused")
{
    struct ims_batcher_options good = {
        .max_batch = 4, .item_bytes = 4, .result_bytes = 4, .run = run
    };
    struct ims_batcher_options bad[5] = { good, good, good, good, good };
    struct ims_batcher *b = NULL;
    ims_err err = { .text = "" };

    bad[0].max_batch = 0;
    bad[1].item_bytes = 0;
    bad[2].result_bytes = 0;
    bad[3].run = NULL;
    bad[4].queue_capacity = 3;
    for (size_t i = 0; i < 5; i++)
        CHECK_STATUS(ims_batcher_new(&b, &bad[i], &err), IMS_E_INVALID, err);
    good.item_bytes = SIZE_MAX / 2;
    CHECK_STATUS(ims_batcher_new(&b, &good, &err), IMS_E_NOMEM, err);
    CHECK(b == NULL);
    ims_batcher_free(NULL);
}

TEST(one, "a single item is run after the wait, alone")
{
    struct probe p;
    struct ims_batcher *b;
    int x = 21, y = 0;
    ims_err err = { .text = "" };

    probe_init(&p);
    b = make(&p, 8, 1, 0);
    CHECK(b);
    CHECK_OK(ims_batcher_do(b, &x, &y, &err), err);
    CHECK_INT(y, 42);
    CHECK_INT(p.sizes[0], 1);
    ims_batcher_free(b);
    probe_release(&p);
}

TEST(full, "what is waiting is taken together, in order, up to the largest batch")
{
    struct ims_batch_ticket tickets[11];
    struct probe p;
    struct ims_batcher *b;
    int x[11], y[11];
    ims_err err = { .text = "" };

    probe_init(&p);
    b = make(&p, 4, 60000, 16);
    CHECK(b);
    gate(&p, true);
    for (int i = 0; i < 11; i++) {
        x[i] = i;
        CHECK_OK(ims_batcher_submit(b, &tickets[i], &x[i], &y[i], &err), err);
    }
    gate(&p, false);
    for (int i = 0; i < 8; i++) /* two whole batches come without any waiting for time */
        CHECK_OK(ims_batcher_wait(b, &tickets[i], &err), err);
    ims_batcher_flush(b); /* the rest would wait a minute for company */
    for (int i = 8; i < 11; i++)
        CHECK_OK(ims_batcher_wait(b, &tickets[i], &err), err);
    for (int i = 0; i < 11; i++) {
        CHECK_INT(y[i], 2 * i);
        CHECK_INT(p.order[i], i);
    }
    CHECK_INT(p.n_calls, 3);
    CHECK_INT(p.sizes[0], 4);
    CHECK_INT(p.sizes[1], 4);
    CHECK_INT(p.sizes[2], 3);
    for (int i = 0; i < 4; i++) /* the flush is over: these wait for each other again */
        CHECK_OK(ims_batcher_submit(b, &tickets[i], &x[i], &y[i], &err), err);
    for (int i = 0; i < 4; i++)
        CHECK_OK(ims_batcher_wait(b, &tickets[i], &err), err);
    CHECK_INT(p.sizes[3], 4);
    ims_batcher_free(b);
    probe_release(&p);
}

struct submitter {
    struct ims_batcher *b;
    struct ims_batch_ticket ticket;
    struct ims_thread thread;
    int x, y;
    ims_status st;
};

static void submit_one(void *arg)
{
    struct submitter *s = arg;

    s->st = ims_batcher_do(s->b, &s->x, &s->y, NULL);
}

TEST(bounded, "submitting blocks while the queue is full, and the time is counted")
{
    struct ims_batch_ticket tickets[3];
    struct ims_batcher_stats stats;
    struct submitter late = { .x = 9 };
    struct probe p;
    int x[3] = { 1, 2, 3 }, y[3];
    ims_err err = { .text = "" };

    probe_init(&p);
    late.b = make(&p, 1, 0, 2);
    CHECK(late.b);
    gate(&p, true);
    CHECK_OK(ims_batcher_submit(late.b, &tickets[0], &x[0], &y[0], &err), err);
    wait_inside(&p); /* the worker holds the first; two more fill the queue */
    for (int i = 1; i < 3; i++)
        CHECK_OK(ims_batcher_submit(late.b, &tickets[i], &x[i], &y[i], &err), err);
    CHECK_OK(ims__thread_start(&late.thread, "late", submit_one, &late, &err), err);
    gate(&p, false);
    ims__thread_join(&late.thread);
    CHECK_INT(late.st, IMS_OK);
    CHECK_INT(late.y, 18);
    for (int i = 0; i < 3; i++)
        CHECK_OK(ims_batcher_wait(late.b, &tickets[i], &err), err);
    CHECK_INT(p.order[3], 9); /* it came last */
    ims_batcher_stats(late.b, &stats);
    CHECK_INT(stats.n_items, 4);
    CHECK_INT(stats.n_batches, 4);
    ims_batcher_free(late.b);
    probe_release(&p);
}

TEST(halving, "out of memory halves the batch, keeps the order, and stays careful")
{
    struct ims_batch_ticket tickets[16];
    struct ims_batcher_stats stats;
    struct probe p;
    struct ims_batcher *b;
    int x[16], y[16];
    ims_err err = { .text = "" };

    probe_init(&p);
    p.nomem_above = 3;
    b = make(&p, 16, 60000, 16);
    CHECK(b);
    for (int i = 0; i < 16; i++) {
        x[i] = i;
        CHECK_OK(ims_batcher_submit(b, &tickets[i], &x[i], &y[i], &err), err);
    }
    for (int i = 0; i < 16; i++) {
        CHECK_OK(ims_batcher_wait(b, &tickets[i], &err), err);
        CHECK_INT(y[i], 2 * i);
        CHECK_INT(p.order[i], i);
    }
    ims_batcher_stats(b, &stats);
    CHECK_INT(stats.n_halvings, 3); /* 16, 8 and 4 failed */
    CHECK_INT(stats.max_batch_now, 2);
    CHECK_INT(stats.n_failed_items, 0);
    ims_batcher_free(b);
    probe_release(&p);
}

TEST(too_large_alone, "a single item that has no memory gets the error, and the next ones go on")
{
    struct ims_batcher_stats stats;
    struct probe p;
    struct ims_batcher *b;
    int x = 1, y = 77;
    ims_err err = { .text = "" };

    probe_init(&p);
    p.fail_with = IMS_E_NOMEM;
    b = make(&p, 4, 0, 0);
    CHECK(b);
    CHECK_STATUS(ims_batcher_do(b, &x, &y, &err), IMS_E_NOMEM, err);
    CHECK_INT(y, 77); /* untouched */
    ims__lock(&p.lock);
    p.fail_with = IMS_OK;
    ims__unlock(&p.lock);
    CHECK_OK(ims_batcher_do(b, &x, &y, &err), err);
    CHECK_INT(y, 2);
    ims_batcher_stats(b, &stats);
    CHECK_INT(stats.max_batch_now, 4); /* one item says nothing about batches */
    CHECK_INT(stats.n_failed_items, 1);
    ims_batcher_free(b);
    probe_release(&p);
}

TEST(errors, "an error reaches every caller of the batch with status, text and native code")
{
    struct ims_batch_ticket tickets[3];
    struct probe p;
    struct ims_batcher *b;
    int x[3] = { 1, 2, 3 }, y[3] = { 7, 7, 7 };
    ims_err err = { .text = "" };

    probe_init(&p);
    p.fail_with = IMS_E_DEVICE;
    b = make(&p, 3, 60000, 0);
    CHECK(b);
    for (int i = 0; i < 3; i++)
        CHECK_OK(ims_batcher_submit(b, &tickets[i], &x[i], &y[i], &err), err);
    for (int i = 0; i < 3; i++) {
        err = (ims_err){ .text = "" };
        CHECK_STATUS(ims_batcher_wait(b, &tickets[i], &err), IMS_E_DEVICE, err);
        CHECK_STR(err.text, "told to fail");
        CHECK_INT(err.native, 7);
        CHECK_INT(y[i], 7);
    }
    ims_batcher_free(b);
    probe_release(&p);
}

TEST(stop, "after a stop nothing new is taken, and what was taken is finished")
{
    struct ims_batch_ticket tickets[2], late;
    struct probe p;
    struct ims_batcher *b;
    int x[2] = { 1, 2 }, y[2] = { 0 };
    ims_err err = { .text = "" };

    probe_init(&p);
    b = make(&p, 8, 60000, 0);
    CHECK(b);
    for (int i = 0; i < 2; i++)
        CHECK_OK(ims_batcher_submit(b, &tickets[i], &x[i], &y[i], &err), err);
    ims_batcher_stop(b);
    CHECK_STATUS(ims_batcher_submit(b, &late, &x[0], &y[0], &err), IMS_E_CANCELLED, err);
    CHECK_STATUS(ims_batcher_wait(b, &late, &err), IMS_E_INVALID, err);
    for (int i = 0; i < 2; i++)
        CHECK_OK(ims_batcher_wait(b, &tickets[i], &err), err);
    CHECK_INT(y[1], 4);
    ims_batcher_free(b);
    probe_release(&p);
}

struct crowd {
    struct ims_batcher *b;
    struct ims_thread thread;
    int first;
    unsigned n_wrong;
};

static void push_crowd(void *arg)
{
    struct crowd *c = arg;
    struct ims_batch_ticket tickets[20];
    int x[20], y[20];

    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 20; i++) {
            x[i] = c->first + round * 20 + i;
            y[i] = 0;
            c->n_wrong += ims_batcher_submit(c->b, &tickets[i], &x[i], &y[i], NULL) != IMS_OK;
        }
        for (int i = 0; i < 20; i++) {
            c->n_wrong += ims_batcher_wait(c->b, &tickets[i], NULL) != IMS_OK;
            c->n_wrong += y[i] != 2 * x[i];
        }
    }
}

TEST(crowd, "six threads and two workers: every item gets its own result")
{
    struct ims_batcher_options options = { .max_batch = 8,
                                           .max_wait_ms = 1,
                                           .queue_capacity = 16,
                                           .n_workers = 2,
                                           .item_bytes = sizeof(int),
                                           .result_bytes = sizeof(int),
                                           .run = run };
    struct ims_batcher_stats stats;
    struct crowd crowds[6];
    struct probe p;
    ims_err err = { .text = "" };

    probe_init(&p);
    options.arg = &p;
    CHECK_OK(ims_batcher_new(&crowds[0].b, &options, &err), err);
    for (int i = 0; i < 6; i++) {
        crowds[i] = (struct crowd){ .b = crowds[0].b, .first = i * 1000 };
        CHECK_OK(ims__thread_start(&crowds[i].thread, "crowd", push_crowd, &crowds[i], &err), err);
    }
    for (int i = 0; i < 6; i++)
        ims__thread_join(&crowds[i].thread);
    for (int i = 0; i < 6; i++)
        CHECK_INT(crowds[i].n_wrong, 0);
    ims_batcher_stats(crowds[0].b, &stats);
    test_note("%llu items in %llu batches", (unsigned long long)stats.n_items,
              (unsigned long long)stats.n_batches);
    CHECK_INT(stats.n_items, 1200);
    CHECK(stats.n_batches < 1200);
    CHECK(stats.most_waiting >= 2 && stats.most_waiting <= 16);
    ims_batcher_free(crowds[0].b);
    probe_release(&p);
}

TEST(memory, "when memory is short, a batcher is refused cleanly at every allocation")
{
    struct ims_batcher_options options = {
        .max_batch = 4, .n_workers = 2, .item_bytes = 8, .result_bytes = 8, .run = run
    };
    struct ims_batcher *b = NULL;
    ims_err err = { .text = "" };
    ims_status st = IMS_E_NOMEM;

    for (unsigned i = 1; st && i < 100; i++) {
        ims__mem_fail_at(i);
        st = ims_batcher_new(&b, &options, &err);
        ims__mem_fail_at(0);
        CHECK(st == IMS_OK || st == IMS_E_NOMEM);
    }
    CHECK_OK(st, err);
    ims_batcher_free(b);
}

TEST_MAIN
