/* A bounded queue of pointers between threads: a ring under one lock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#define WAIT_MS 1000 /* re-check interval; wake-ups come from the conditions */

struct ims_chan {
    struct ims_lock lock;
    struct ims_cond not_empty;
    struct ims_cond not_full;
    bool has_lock, has_not_empty, has_not_full;
    bool is_closed;
    size_t capacity;
    size_t head; /* next to pop */
    size_t n;
    uint64_t push_blocked_ns;
    uint64_t pop_blocked_ns;
    void *items[];
};

ims_status ims__chan_new(struct ims_chan **out, size_t capacity, ims_err *err)
{
    struct ims_chan *c = NULL;

    if (capacity == 0 || capacity > ((size_t)1 << 24))
        return ims_fail(err, IMS_E_INVALID, "chan", 0, "queue capacity %zu", capacity);
    c = ims__zalloc(1, sizeof(*c) + capacity * sizeof(void *));
    if (!c)
        goto nomem;
    c->capacity = capacity;
    c->has_lock = ims__lock_init(&c->lock) == IMS_OK;
    c->has_not_empty = ims__cond_init(&c->not_empty) == IMS_OK;
    c->has_not_full = ims__cond_init(&c->not_full) == IMS_OK;
    if (!c->has_lock || !c->has_not_empty || !c->has_not_full)
        goto nomem;
    *out = c;
    return IMS_OK;
nomem:
    ims__chan_free(c);
    return ims_fail(err, IMS_E_NOMEM, "chan", 0, "creating a queue of %zu", capacity);
}

void ims__chan_free(struct ims_chan *c)
{
    if (!c)
        return;
    if (c->has_lock)
        ims__lock_release(&c->lock);
    if (c->has_not_empty)
        ims__cond_release(&c->not_empty);
    if (c->has_not_full)
        ims__cond_release(&c->not_full);
    ims__free(c);
}

bool ims__chan_push(struct ims_chan *c, void *item)
{
    bool is_pushed = false;

    ims__lock(&c->lock);
    if (c->n == c->capacity && !c->is_closed) {
        uint64_t start = ims__mono_ns();

        while (c->n == c->capacity && !c->is_closed)
            ims__cond_wait(&c->not_full, &c->lock, WAIT_MS);
        c->push_blocked_ns += ims__mono_ns() - start;
    }
    if (!c->is_closed) {
        c->items[(c->head + c->n) % c->capacity] = item;
        c->n++;
        is_pushed = true;
        ims__cond_signal(&c->not_empty);
    }
    ims__unlock(&c->lock);
    return is_pushed;
}

/* The lock is held and n > 0. */
static void *take_head(struct ims_chan *c)
{
    void *item = c->items[c->head];

    c->head = (c->head + 1) % c->capacity;
    c->n--;
    ims__cond_signal(&c->not_full);
    return item;
}

bool ims__chan_pop(struct ims_chan *c, void **out_item)
{
    bool is_popped = false;

    ims__lock(&c->lock);
    if (c->n == 0 && !c->is_closed) {
        uint64_t start = ims__mono_ns();

        while (c->n == 0 && !c->is_closed)
            ims__cond_wait(&c->not_empty, &c->lock, WAIT_MS);
        c->pop_blocked_ns += ims__mono_ns() - start;
    }
    if (c->n > 0) {
        *out_item = take_head(c);
        is_popped = true;
    }
    ims__unlock(&c->lock);
    return is_popped;
}

bool ims__chan_pop_timed(struct ims_chan *c, void **out_item, unsigned timeout_ms, bool *out_closed)
{
    uint64_t start = ims__mono_ns(), waited_ms = 0;
    bool is_popped = false;

    ims__lock(&c->lock);
    while (c->n == 0 && !c->is_closed && waited_ms < timeout_ms) {
        ims__cond_wait(&c->not_empty, &c->lock, timeout_ms - (unsigned)waited_ms);
        waited_ms = (ims__mono_ns() - start) / 1000000;
    }
    c->pop_blocked_ns += ims__mono_ns() - start;
    if (c->n > 0) {
        *out_item = take_head(c);
        is_popped = true;
    }
    *out_closed = c->is_closed && !is_popped;
    ims__unlock(&c->lock);
    return is_popped;
}

void ims__chan_close(struct ims_chan *c)
{
    ims__lock(&c->lock);
    c->is_closed = true;
    ims__cond_broadcast(&c->not_empty);
    ims__cond_broadcast(&c->not_full);
    ims__unlock(&c->lock);
}

size_t ims__chan_len(struct ims_chan *c)
{
    size_t n;

    ims__lock(&c->lock);
    n = c->n;
    ims__unlock(&c->lock);
    return n;
}

static uint64_t read_ns(struct ims_chan *c, const uint64_t *field)
{
    uint64_t ns;

    ims__lock(&c->lock);
    ns = *field;
    ims__unlock(&c->lock);
    return ns;
}

uint64_t ims__chan_push_blocked_ns(struct ims_chan *c)
{
    return read_ns(c, &c->push_blocked_ns);
}

uint64_t ims__chan_pop_blocked_ns(struct ims_chan *c)
{
    return read_ns(c, &c->pop_blocked_ns);
}
