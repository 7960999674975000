/* The roots that the watcher follows: which there are, how each is followed, and those that are away.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch_internal.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"

#include <dirent.h>
#include <string.h>

#define MAX_ROOTS 4096

void ims__watch_release_root(struct ims_watch *w, struct ims_watch_root *r)
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
                w->roots[w->n_roots] = (struct ims_watch_root){ .path = ims__strdup(found[i].path) };
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
            ims__watch_release_root(w, &w->roots[i]);
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
static bool is_same(const struct ims_watch_root *r)
{
    struct ims_file_info info;

    return ims__stat(r->path, true, &info, NULL) == IMS_OK && info.is_dir && info.device == r->device;
}

static void poll_root(struct ims_watch *w, struct ims_watch_root *r)
{
    ims_err err;

    r->state = IMS_ROOT_POLLED;
    r->next_poll_ns = 0;
    if (!r->poll && ims__poll_open(&r->poll, r->path, &w->sink, &err))
        r->state = IMS_ROOT_NEW; /* no memory: tried again */
}

/* The system's watches are used up: one kind of watching for all, so that the operator knows what to expect. */
void ims__watch_give_up_events(struct ims_watch *w, const char *why)
{
    for (size_t i = 0; i < w->n_roots; i++) {
        if (w->roots[i].state == IMS_ROOT_LISTENING)
            poll_root(w, &w->roots[i]);
    }
    ims__events_close(w->events);
    w->events = NULL;
    ims__watch_note(w, true, "%s: folders are looked at every %g s instead", why, w->o.poll_s);
}

void ims__watch_start_root(struct ims_watch *w, struct ims_watch_root *r)
{
    char shown[IMS_SHOWN_BYTES];
    ims_err err = { 0 };
    ims_status st;

    if (!is_there(r->path, &r->device)) {
        if (!r->is_told)
            ims__watch_note(w, true, "%s is not there, or empty; it is watched once it is back", ims__shown(shown, sizeof(shown), r->path));
        r->is_told = true;
        r->state = IMS_ROOT_AWAY;
        return;
    }
    r->is_told = false;
    st = w->events ? ims__events_add(w->events, r->path, &err) : IMS_E_UNSUPPORTED;
    if (st == IMS_OK)
        r->state = IMS_ROOT_LISTENING;
    else if (st != IMS_E_CANCELLED)
        poll_root(w, r);
    if (st == IMS_E_LIMIT)
        ims__watch_give_up_events(w, err.text);
    else if (st && st != IMS_E_CANCELLED && w->events)
        ims__watch_note(w, false, "%s is looked at every %g s: %s", ims__shown(shown, sizeof(shown), r->path), w->o.poll_s, err.text);
    if (st != IMS_E_CANCELLED)
        w->sink.on_folder(w, r->path, true); /* what changed while nobody watched */
}

void ims__watch_look_at_roots(struct ims_watch *w)
{
    ims_err err;
    ims_status st = list_roots(w, &err);

    if (st && !w->is_store_told)
        ims__watch_note(w, true, "the library cannot be read: %s", err.text);
    w->is_store_told = st != IMS_OK;
    for (size_t i = 0; i < w->n_roots && !w->sink.is_stopped(w); i++) {
        struct ims_watch_root *r = &w->roots[i];

        if ((r->state == IMS_ROOT_LISTENING || r->state == IMS_ROOT_POLLED) && !is_same(r))
            r->state = IMS_ROOT_AWAY;
        if (r->state == IMS_ROOT_AWAY && w->events)
            ims__events_remove(w->events, r->path);
        if (r->state == IMS_ROOT_AWAY || r->state == IMS_ROOT_NEW)
            ims__watch_start_root(w, r);
    }
}

/* ---- polling ---- */

static void poll_one(struct ims_watch *w, struct ims_watch_root *r, uint64_t now)
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
        r->state = IMS_ROOT_AWAY;
        w->next_roots_ns = 0;
        return;
    } else {
        st = ims__poll_look(r->poll, &err);
        n_left = st ? 0 : ims__poll_n_unsettled(r->poll);
    }
    /* A look that failed is made up for by the next one. */
    r->next_poll_ns = ims__mono_ns() + (n_left ? settle_ns : (uint64_t)(w->o.poll_s * 1e9));
}

void ims__watch_poll_roots(struct ims_watch *w, uint64_t now)
{
    for (size_t i = 0; i < w->n_roots && !w->sink.is_stopped(w); i++) {
        if (w->roots[i].state == IMS_ROOT_POLLED)
            poll_one(w, &w->roots[i], now);
    }
}
