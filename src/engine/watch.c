/* The watcher's thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/engine_internal.h"
#include "engine/watch_dirty.h"
#include "engine/watch_poll.h"
#include "store/jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOTS_NS ((uint64_t)2 * 1000000000) /* between two looks at the list of roots */
#define AGAIN_NS ((uint64_t)500000000)      /* while the job before still waits or runs */
#define IDLE_MS 1000
#define BUSY_MS 50
#define MAX_ROOTS 4096
#define JOB_KEY "ingest:watch"
#define JOB_ATTEMPTS 100 /* somebody else may be indexing for hours */
#define DEFAULT_DEBOUNCE_S 1.0
#define DEFAULT_POLL_S 60.0

enum root_state { ROOT_NEW, ROOT_LISTENING, ROOT_POLLED, ROOT_AWAY };

struct root {
    char *path;
    enum root_state state;
    struct ims_poll *poll;
    uint64_t next_poll_ns, device;
    bool is_listed;
    bool is_told; /* that it is away */
};

struct ims_watch {
    struct ims_watch_options o;
    struct ims_engine *host;
    struct ims_store *store; /* the thread's */
    struct ims_thread thread;
    struct ims_watch_sink sink;
    struct ims_events *events; /* NULL: everything is polled */
    struct ims_dirty dirty;
    struct root *roots;
    size_t n_roots, cap;
    uint64_t next_roots_ns, next_push_ns;
    bool is_lost, is_full;
    bool is_store_told;
    int wake[2];
    atomic_bool is_stopping;
    struct ims_lock lock; /* of status */
    bool has_lock;
    struct ims_watch_status status;
};

static void note(struct ims_watch *w, bool is_warning, const char *fmt, ...) IMS_PRINTF(3, 4);

static void note(struct ims_watch *w, bool is_warning, const char *fmt, ...)
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
        if (strcmp(w->roots[i].path, path) == 0 && w->roots[i].state == ROOT_LISTENING)
            w->roots[i].state = ROOT_AWAY;
    }
    w->next_roots_ns = 0;
}

/* ---- roots ---- */

static void release_root(struct ims_watch *w, struct root *r)
{
    if (w->events)
        ims__events_remove(w->events, r->path);
    ims__poll_close(r->poll);
    ims__free(r->path);
}

/* Takes up what is new in the library's list and lets go what is not in it any more; a root inside another one needs
 * nothing of its own. */
static ims_status list_roots(struct ims_watch *w, ims_err *err)
{
    struct ims_store_root *found;
    struct ims_arena arena;
    size_t n = 0, kept = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_roots(w->store, &arena, &found, &n, err);
    for (size_t i = 0; i < w->n_roots; i++)
        w->roots[i].is_listed = st != IMS_OK;
    for (size_t i = 0; !st && i < n; i++) {
        bool is_inner = false;
        size_t k = 0;

        for (size_t j = 0; j < n; j++)
            is_inner |= j != i && ims__path_is_in(found[i].path, found[j].path);
        while (k < w->n_roots && strcmp(w->roots[k].path, found[i].path) != 0)
            k++;
        if (!is_inner && k == w->n_roots) {
            if (!ims__grow((void **)&w->roots, &w->cap, w->n_roots, sizeof(*w->roots), MAX_ROOTS))
                st = ims_fail(err, IMS_E_NOMEM, "watch", 0, "listing the roots");
            else
                w->roots[w->n_roots] = (struct root){ .path = ims__strdup(found[i].path) };
            if (!st && !w->roots[w->n_roots].path)
                st = ims_fail(err, IMS_E_NOMEM, "watch", 0, "listing the roots");
            if (!st)
                w->n_roots++;
        }
        if (!st)
            w->roots[k].is_listed |= !is_inner;
    }
    for (size_t i = 0; !st && i < w->n_roots; i++) {
        if (w->roots[i].is_listed)
            w->roots[kept++] = w->roots[i];
        else
            release_root(w, &w->roots[i]);
    }
    if (!st)
        w->n_roots = kept;
    ims__arena_release(&arena);
    return st;
}

/* A folder that is there and has something in it: the place of a disk that is not mounted is an empty folder. */
static bool is_there(const char *path, uint64_t *out_device)
{
    struct ims_file_info info;
    struct dirent *entry;
    bool has_entry = false;
    DIR *d;

    if (ims__stat(path, true, &info, NULL) || !info.is_dir)
        return false;
    d = opendir(path);
    while (d && !has_entry && (entry = readdir(d)) != NULL)
        has_entry = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (d)
        closedir(d);
    *out_device = info.device;
    return has_entry;
}

/* Is what is there now what was there when it was taken up, and not the place where its disk was mounted? */
static bool is_same(const struct root *r)
{
    struct ims_file_info info;

    return ims__stat(r->path, true, &info, NULL) == IMS_OK && info.is_dir && info.device == r->device;
}

static void poll_root(struct ims_watch *w, struct root *r)
{
    ims_err err;

    r->state = ROOT_POLLED;
    r->next_poll_ns = 0;
    if (!r->poll && ims__poll_open(&r->poll, r->path, &w->sink, &err))
        r->state = ROOT_NEW; /* no memory: tried again */
}

/* The system's watches are used up: one kind of watching for all, so that the operator knows what to expect. */
static void give_up_events(struct ims_watch *w, const char *why)
{
    for (size_t i = 0; i < w->n_roots; i++) {
        if (w->roots[i].state == ROOT_LISTENING)
            poll_root(w, &w->roots[i]);
    }
    ims__events_close(w->events);
    w->events = NULL;
    note(w, true, "%s: folders are looked at every %g s instead", why, w->o.poll_s);
}

static void start_root(struct ims_watch *w, struct root *r)
{
    char shown[IMS_SHOWN_BYTES];
    ims_err err = { 0 };
    ims_status st;

    if (!is_there(r->path, &r->device)) {
        if (!r->is_told)
            note(w, true, "%s is not there, or empty; it is watched once it is back", ims__shown(shown, sizeof(shown), r->path));
        r->is_told = true;
        r->state = ROOT_AWAY;
        return;
    }
    r->is_told = false;
    st = w->events ? ims__events_add(w->events, r->path, &err) : IMS_E_UNSUPPORTED;
    if (st == IMS_OK)
        r->state = ROOT_LISTENING;
    else if (st != IMS_E_CANCELLED)
        poll_root(w, r);
    if (st == IMS_E_LIMIT)
        give_up_events(w, err.text);
    else if (st && st != IMS_E_CANCELLED && w->events)
        note(w, false, "%s is looked at every %g s: %s", ims__shown(shown, sizeof(shown), r->path), w->o.poll_s, err.text);
    if (st != IMS_E_CANCELLED)
        on_folder(w, r->path, true); /* what changed while nobody watched */
}

static void look_at_roots(struct ims_watch *w)
{
    ims_err err;
    ims_status st = list_roots(w, &err);

    if (st && !w->is_store_told)
        note(w, true, "the library cannot be read: %s", err.text);
    w->is_store_told = st != IMS_OK;
    for (size_t i = 0; i < w->n_roots && !is_stopped(w); i++) {
        struct root *r = &w->roots[i];

        if ((r->state == ROOT_LISTENING || r->state == ROOT_POLLED) && !is_same(r))
            r->state = ROOT_AWAY;
        if (r->state == ROOT_AWAY && w->events)
            ims__events_remove(w->events, r->path);
        if (r->state == ROOT_AWAY || r->state == ROOT_NEW)
            start_root(w, r);
    }
}

/* ---- polling ---- */

static void poll_one(struct ims_watch *w, struct root *r, uint64_t now)
{
    uint64_t settle_ns = w->dirty.debounce_ns;
    size_t n_left = 0;
    ims_err err;
    ims_status st;

    if (now < r->next_poll_ns)
        return;
    if (ims__poll_n_unsettled(r->poll)) {
        st = ims__poll_settle(r->poll, &n_left, &err);
    } else if (!is_same(r)) {
        r->state = ROOT_AWAY;
        w->next_roots_ns = 0;
        return;
    } else {
        st = ims__poll_look(r->poll, &err);
        n_left = st ? 0 : ims__poll_n_unsettled(r->poll);
    }
    /* A look that failed is made up for by the next one. */
    r->next_poll_ns = ims__mono_ns() + (n_left ? settle_ns : (uint64_t)(w->o.poll_s * 1e9));
}

static void poll_roots(struct ims_watch *w, uint64_t now)
{
    for (size_t i = 0; i < w->n_roots && !is_stopped(w); i++) {
        if (w->roots[i].state == ROOT_POLLED)
            poll_one(w, &w->roots[i], now);
    }
}

/* ---- handing over ---- */

static bool add_shown(ims_json *list, const char *path)
{
    struct ims_buf shown;
    bool is_good;

    ims__buf_init(&shown, (size_t)IMS_MAX_PATH_BYTES * 4 + 1);
    is_good = list && ims__display(path, strlen(path), &shown) == IMS_OK &&
              ims__json_add(list, ims__json_new_str(shown.data)) == IMS_OK;
    ims__buf_release(&shown);
    return is_good;
}

/* Is it covered by another folder that is handed over as a whole? */
static bool is_covered(const struct ims_dirty *d, const struct ims_dirty_folder *f)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct ims_dirty_folder *o = &d->folders[i];

        if (o != f && o->is_handed && o->is_deep && ims__path_is_in(f->path, o->path))
            return true;
    }
    return false;
}

static ims_status job_args(struct ims_watch *w, struct ims_buf *out, ims_err *err)
{
    ims_json *args = ims__json_new_object(), *deep = ims__json_new_array(), *shallow = ims__json_new_array();
    bool is_good = args && deep && shallow;
    ims_status st;

    for (size_t i = 0; is_good && i < w->dirty.n; i++) {
        const struct ims_dirty_folder *f = &w->dirty.folders[i];

        if (f->is_handed && !is_covered(&w->dirty, f))
            is_good = add_shown(f->is_deep ? deep : shallow, f->path);
    }
    if (is_good)
        is_good = ims__json_set(args, "registerOnly", ims__json_new_bool(!w->o.auto_train)) == IMS_OK;
    if (is_good) {
        is_good = ims__json_set(args, "deep", deep) == IMS_OK;
        deep = NULL;
    }
    if (is_good) {
        is_good = ims__json_set(args, "shallow", shallow) == IMS_OK;
        shallow = NULL;
    }
    st = is_good ? ims__json_write(args, 0, out, err) : ims_fail(err, IMS_E_NOMEM, "watch", 0, "a job");
    ims__json_free(args);
    ims__json_free(deep);
    ims__json_free(shallow);
    return st;
}

/* One job at a time: while the last one waits or runs, changes go on being gathered. */
static void hand_over(struct ims_watch *w, uint64_t now)
{
    struct ims_store_job job = {
        .queue = "training-normal", .func = "ingest", .key = JOB_KEY, .max_attempts = JOB_ATTEMPTS
    };
    struct ims_buf args;
    int64_t id;
    ims_err err;
    ims_status st;

    if (now < w->next_push_ns || !ims__dirty_take(&w->dirty, now))
        return;
    ims__buf_init(&args, 16 * IMS_MIB);
    st = job_args(w, &args, &err);
    job.args_json = args.data;
    if (!st)
        st = ims_store_push_job(w->store, &job, &id, &err);
    ims__buf_release(&args);
    ims__dirty_done(&w->dirty, st == IMS_OK);
    w->next_push_ns = st ? ims__mono_ns() + AGAIN_NS : 0;
    if (st && st != IMS_E_EXISTS && !w->is_store_told) {
        note(w, true, "changes wait for being handed over: %s", err.text);
        w->is_store_told = true;
    }
    if (!st) {
        ims__lock(&w->lock);
        w->status.n_jobs++;
        ims__unlock(&w->lock);
    }
}

/* ---- the loop ---- */

/* Events from before may be missing and watches of folders that appeared meanwhile too: everything anew. */
static void start_again(struct ims_watch *w)
{
    note(w, false, "changes came too fast to follow one by one; all folders are looked at");
    w->is_lost = false;
    ims__dirty_clear(&w->dirty);
    for (size_t i = 0; i < w->n_roots; i++) {
        struct root *r = &w->roots[i];

        if (r->state == ROOT_LISTENING) {
            ims__events_remove(w->events, r->path);
            start_root(w, r);
        } else if (r->state == ROOT_POLLED) {
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
        s.is_listening |= w->roots[i].state == ROOT_LISTENING;
        s.n_polled += w->roots[i].state == ROOT_POLLED;
        s.n_away += w->roots[i].state == ROOT_AWAY;
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
        is_busy |= w->roots[i].state == ROOT_POLLED &&
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
        give_up_events(w, err.text);
}

static void run(void *arg)
{
    struct ims_watch *w = arg;

    while (!is_stopped(w)) {
        uint64_t now = ims__mono_ns();

        if (now >= w->next_roots_ns) {
            w->next_roots_ns = now + ROOTS_NS;
            look_at_roots(w);
        }
        if (w->is_full && w->events)
            give_up_events(w, "the kernel gives no more watches to this user (fs.inotify.max_user_watches)");
        w->is_full = false;
        if (w->is_lost)
            start_again(w);
        poll_roots(w, now);
        hand_over(w, ims__mono_ns());
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
    note(w, why.status != IMS_E_UNSUPPORTED, "%s: folders are looked at every %g s", why.text, w->o.poll_s);
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
        release_root(w, &w->roots[i]);
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
