/* Threads, locks and conditions over pthreads.
 * SPDX-License-Identifier: Apache-2.0 */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* pthread_setname_np */
#endif
#include "base/thread.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct start {
    void (*fn)(void *);
    void *arg;
    char name[16];
};

static void *run_thread(void *p)
{
    struct start s = *(struct start *)p;

    ims__free(p);
#if defined(__linux__)
    pthread_setname_np(pthread_self(), s.name);
#elif defined(__APPLE__)
    pthread_setname_np(s.name);
#endif
    s.fn(s.arg);
    return NULL;
}

ims_status ims__thread_start(struct ims_thread *t, const char *name, void (*fn)(void *arg), void *arg,
                             ims_err *err)
{
    struct start *s = ims__zalloc(1, sizeof(*s));
    int e;

    if (!s)
        return ims_fail(err, IMS_E_NOMEM, "thread", 0, "starting thread %s", name);
    s->fn = fn;
    s->arg = arg;
    snprintf(s->name, sizeof(s->name), "%s", name);
    e = pthread_create(&t->id, NULL, run_thread, s);
    if (e) {
        ims__free(s);
        return ims_fail(err, IMS_E_NOMEM, "thread", e, "starting thread %s: %s", name, strerror(e));
    }
    t->is_running = true;
    return IMS_OK;
}

void ims__thread_join(struct ims_thread *t)
{
    if (!t->is_running)
        return;
    pthread_join(t->id, NULL);
    t->is_running = false;
}

ims_status ims__lock_init(struct ims_lock *l)
{
    return pthread_mutex_init(&l->mutex, NULL) ? IMS_E_NOMEM : IMS_OK;
}

void ims__lock_release(struct ims_lock *l)
{
    pthread_mutex_destroy(&l->mutex);
}

void ims__lock(struct ims_lock *l)
{
    pthread_mutex_lock(&l->mutex);
}

bool ims__try_lock(struct ims_lock *l)
{
    return pthread_mutex_trylock(&l->mutex) == 0;
}

void ims__unlock(struct ims_lock *l)
{
    pthread_mutex_unlock(&l->mutex);
}

ims_status ims__cond_init(struct ims_cond *c)
{
#if defined(__APPLE__)
    return pthread_cond_init(&c->cond, NULL) ? IMS_E_NOMEM : IMS_OK;
#else
    pthread_condattr_t attr;
    int e = pthread_condattr_init(&attr);

    if (e)
        return IMS_E_NOMEM;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* a changed wall clock must not stretch waits */
    e = pthread_cond_init(&c->cond, &attr);
    pthread_condattr_destroy(&attr);
    return e ? IMS_E_NOMEM : IMS_OK;
#endif
}

void ims__cond_release(struct ims_cond *c)
{
    pthread_cond_destroy(&c->cond);
}

bool ims__cond_wait(struct ims_cond *c, struct ims_lock *l, unsigned timeout_ms)
{
#if defined(__APPLE__)
    struct timespec span = { .tv_sec = timeout_ms / 1000,
                             .tv_nsec = (long)(timeout_ms % 1000) * 1000000 };

    return pthread_cond_timedwait_relative_np(&c->cond, &l->mutex, &span) == 0;
#else
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(&c->cond, &l->mutex, &until) == 0;
#endif
}

void ims__cond_signal(struct ims_cond *c)
{
    pthread_cond_signal(&c->cond);
}

void ims__cond_broadcast(struct ims_cond *c)
{
    pthread_cond_broadcast(&c->cond);
}
