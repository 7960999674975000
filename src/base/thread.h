/* Threads, locks with timeouts, a stop flag and a bounded queue. POSIX threads underneath.
 *
 * Every wait has a timeout in milliseconds; callers loop and look at their stop flag.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_THREAD_H
#define IMS_BASE_THREAD_H

#include "ims/status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_thread {
    pthread_t id;
    bool is_running;
};
/* name: at most 15 characters, shown by ps and gdb. */
ims_status ims__thread_start(struct ims_thread *t, const char *name, void (*fn)(void *arg), void *arg,
                             ims_err *err) IMS_MUST_CHECK;
void ims__thread_join(struct ims_thread *t); /* safe on one that was never started */

struct ims_lock {
    pthread_mutex_t mutex;
};
ims_status ims__lock_init(struct ims_lock *l) IMS_MUST_CHECK;
void ims__lock_release(struct ims_lock *l);
void ims__lock(struct ims_lock *l);
bool ims__try_lock(struct ims_lock *l); /* false: somebody else has it */
void ims__unlock(struct ims_lock *l);

struct ims_cond {
    pthread_cond_t cond;
};
ims_status ims__cond_init(struct ims_cond *c) IMS_MUST_CHECK;
void ims__cond_release(struct ims_cond *c);
/* true = woken (perhaps for nothing), false = the time passed. The lock is held again either way. */
bool ims__cond_wait(struct ims_cond *c, struct ims_lock *l, unsigned timeout_ms);
void ims__cond_signal(struct ims_cond *c);
void ims__cond_broadcast(struct ims_cond *c);

/* A bounded queue of pointers between threads, with the time spent blocked on each side.
 * push blocks while full, pop while empty. After close, push returns false at once, and pop
 * returns what is left and then false. The queue never owns what it carries. */
struct ims_chan;
ims_status ims__chan_new(struct ims_chan **out, size_t capacity, ims_err *err) IMS_MUST_CHECK;
void ims__chan_free(struct ims_chan *c);
bool ims__chan_push(struct ims_chan *c, void *item);
bool ims__chan_pop(struct ims_chan *c, void **out_item);
/* false when nothing came within timeout_ms; *out_closed tells an empty closed queue from a timeout. */
bool ims__chan_pop_timed(struct ims_chan *c, void **out_item, unsigned timeout_ms, bool *out_closed);
void ims__chan_close(struct ims_chan *c);
size_t ims__chan_len(struct ims_chan *c);
uint64_t ims__chan_push_blocked_ns(struct ims_chan *c);
uint64_t ims__chan_pop_blocked_ns(struct ims_chan *c);

#endif
