/* The watcher's thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch_internal.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOTS_NS ((uint64_t)2 * 1000000000) /* between two looks at the list of roots */
#define IDLE_MS 1000
#define BUSY_MS 50
#define DEFAULT_DEBOUNCE_S 1.0
#define DEFAULT_POLL_S 60.0

void ims__watch_note(struct ims_watch *w, bool is_warning, const char *fmt, ...)
{
    char text[900];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (w->o.on_note)
        w->o.on_note(w->o.arg, is_warning, text);
}
/* ---- what the sources tell ---- */

static bool is_stopped(void *arg)
{
    return atomic_load(&((struct ims_watch *)arg)->is_stopping);
}

static void on_folder(void *arg, const char *folder, bool is_deep)
{
    struct ims_watch *w = arg;

    if (!ims__dirty_folder(&w->dirty, folder, is_deep, ims__mono_ns()))
        w->is_lost = true; /* so many that everything may as well be looked at */
}

static void on_file(void *arg, const char *path, bool is_open)
{
    ims__dirty_file(&((struct ims_watch *)arg)->dirty, path, is_open, ims__mono_ns());
}

static void on_lost(void *arg)
{
    ((struct ims_watch *)arg)->is_lost = true;
}

static void on_full(void *arg)
{
    ((struct ims_watch *)arg)->is_full = true;
}

/* Its watches go with the next look at the roots. */
static void on_away(void *arg, const char *path)
{
    struct ims_watch *w = arg;

    for (size_t i = 0; i < w->n_roots; i++) {
        if (strcmp(w->roots[i].path, path) == 0 && w->roots[i].state == IMS_ROOT_LISTENING)
            w->roots[i].state = IMS_ROOT_AWAY;
    }
    w->next_roots_ns = 0;
}
/* ---- the loop ---- */

/* Events from before may be missing and watches of folders that appeared meanwhile too: everything anew. */
static void start_again(struct ims_watch *w)
{
    ims__watch_note(w, false, "changes came too fast to follow one by one; all folders are looked at");
    w->is_lost = false;
    ims__dirty_clear(&w->dirty);
    for (size_t i = 0; i < w->n_roots; i++) {
        struct ims_watch_root *r = &w->roots[i];

        if (r->state == IMS_ROOT_LISTENING) {
            ims__events_remove(w->events, r->path);
            ims__watch_start_root(w, r);
        } else if (r->state == IMS_ROOT_POLLED) {
            on_folder(w, r->path, true);
        }
    }
    ims__lock(&w->lock);
    w->status.n_overflows++;
    ims__unlock(&w->lock);
}

static void tell_status(struct ims_watch *w)
{
    struct ims_watch_status s = { .n_roots = w->n_roots };

    for (size_t i = 0; i < w->n_roots; i++) {
        s.is_listening |= w->roots[i].state == IMS_ROOT_LISTENING;
        s.n_polled += w->roots[i].state == IMS_ROOT_POLLED;
        s.n_away += w->roots[i].state == IMS_ROOT_AWAY;
    }
    s.n_folders = w->events ? ims__events_n_folders(w->events) : 0;
    s.n_changed = w->dirty.n;
    ims__lock(&w->lock);
    s.n_jobs = w->status.n_jobs;
    s.n_overflows = w->status.n_overflows;
    w->status = s;
    ims__unlock(&w->lock);
}

static int wait_ms(const struct ims_watch *w)
{
    bool is_busy = w->dirty.n > 0;

    for (size_t i = 0; i < w->n_roots; i++)
        is_busy |= w->roots[i].state == IMS_ROOT_POLLED &&
                   (ims__poll_n_unsettled(w->roots[i].poll) || w->o.poll_s * 1000 < IDLE_MS);
    return is_busy ? BUSY_MS : IDLE_MS;
}

static void wait_for_news(struct ims_watch *w)
{
    struct pollfd fds[2] = { { .fd = w->wake[0], .events = POLLIN }, { .fd = -1, .events = POLLIN } };
    ims_err err;

    if (w->events)
        fds[1].fd = ims__events_fd(w->events);
    if (poll(fds, 2, wait_ms(w)) > 0 && fds[1].revents && w->events && ims__events_read(w->events, &err))
        ims__watch_give_up_events(w, err.text);
}

static void run(void *arg)
{
    struct ims_watch *w = arg;

    while (!is_stopped(w)) {
        uint64_t now = ims__mono_ns();

        if (now >= w->next_roots_ns) {
            w->next_roots_ns = now + ROOTS_NS;
            ims__watch_look_at_roots(w);
        }
        if (w->is_full && w->events)
            ims__watch_give_up_events(w, "the kernel gives no more watches to this user (fs.inotify.max_user_watches)");
        w->is_full = false;
        if (w->is_lost)
            start_again(w);
        ims__watch_poll_roots(w, now);
        ims__watch_hand_over(w, ims__mono_ns());
        tell_status(w);
        wait_for_news(w);
    }
}

/* ---- life ---- */

static ims_status check_options(struct ims_watch_options *o, ims_err *err)
{
    if (o->debounce_s == 0)
        o->debounce_s = DEFAULT_DEBOUNCE_S;
    if (o->poll_s == 0)
        o->poll_s = DEFAULT_POLL_S;
    if (!(o->debounce_s >= IMS_WATCH_MIN_DEBOUNCE_S && o->debounce_s <= IMS_WATCH_MAX_DEBOUNCE_S))
        return ims_fail(err, IMS_E_CONFIG, "watch", 0, "WATCH_DEBOUNCE_SECONDS is %g; %g to %g are possible", o->debounce_s,
                        IMS_WATCH_MIN_DEBOUNCE_S, IMS_WATCH_MAX_DEBOUNCE_S);
    if (!(o->poll_s >= IMS_WATCH_MIN_POLL_S && o->poll_s <= IMS_WATCH_MAX_POLL_S))
        return ims_fail(err, IMS_E_CONFIG, "watch", 0, "IMS_WATCH_POLL_SECONDS is %g; %g to %g are possible", o->poll_s,
                        IMS_WATCH_MIN_POLL_S, IMS_WATCH_MAX_POLL_S);
    return IMS_OK;
}

static ims_status open_parts(struct ims_watch *w, ims_err *err)
{
    ims_err why;
    ims_status st = ims__lock_init(&w->lock);

    if (st)
        return ims_fail(err, st, "watch", 0, "starting the watcher");
    w->has_lock = true;
    if (pipe(w->wake) || fcntl(w->wake[0], F_SETFD, FD_CLOEXEC) || fcntl(w->wake[1], F_SETFD, FD_CLOEXEC))
        return ims_fail(err, ims__errno_status(errno), "watch", errno, "starting the watcher: %s", strerror(errno));
    st = ims_store_open(&w->store, w->host->database, NULL, err);
    if (st)
        return st;
    if (w->o.is_polling || ims__events_open(&w->events, w->o.max_watches, &w->sink, &why) == IMS_OK)
        return IMS_OK;
    ims__watch_note(w, why.status != IMS_E_UNSUPPORTED, "%s: folders are looked at every %g s", why.text, w->o.poll_s);
    return IMS_OK;
}

ims_status ims__watch_open(struct ims_watch **out, struct ims_engine *host, const struct ims_watch_options *options,
                           ims_err *err)
{
    struct ims_watch *w = ims__zalloc(1, sizeof(*w));
    ims_status st;

    if (!w)
        return ims_fail(err, IMS_E_NOMEM, "watch", 0, "starting the watcher");
    w->o = *options;
    w->host = host;
    w->wake[0] = w->wake[1] = -1;
    w->sink = (struct ims_watch_sink){ .arg = w,
                                       .on_folder = on_folder,
                                       .on_file = on_file,
                                       .on_away = on_away,
                                       .on_lost = on_lost,
                                       .on_full = on_full,
                                       .is_stopped = is_stopped };
    st = check_options(&w->o, err);
    w->dirty.debounce_ns = (uint64_t)(w->o.debounce_s * 1e9);
    if (!st)
        st = open_parts(w, err);
    if (!st)
        st = ims__thread_start(&w->thread, "ims-watch", run, w, err);
    if (st) {
        ims__watch_close(w);
        return st;
    }
    *out = w;
    return IMS_OK;
}

void ims__watch_close(struct ims_watch *w)
{
    if (!w)
        return;
    atomic_store(&w->is_stopping, true);
    if (w->wake[1] >= 0 && write(w->wake[1], "x", 1) < 0)
        ims__log(IMS_LOG_DEBUG, "watch", "waking up: %s", strerror(errno)); /* it looks up by itself soon */
    ims__thread_join(&w->thread);
    for (size_t i = 0; i < w->n_roots; i++)
        ims__watch_release_root(w, &w->roots[i]);
    ims__free(w->roots);
    ims__events_close(w->events);
    ims__dirty_release(&w->dirty);
    ims_store_close(w->store);
    for (int i = 0; i < 2; i++) {
        if (w->wake[i] >= 0)
            close(w->wake[i]);
    }
    if (w->has_lock)
        ims__lock_release(&w->lock);
    ims__free(w);
}

void ims__watch_status(struct ims_watch *w, struct ims_watch_status *out)
{
    ims__lock(&w->lock);
    *out = w->status;
    ims__unlock(&w->lock);
}
