/* The watcher's own parts: what its files share. All of it is the watcher's thread's, but for what has a lock.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_WATCH_INTERNAL_H
#define IMS_ENGINE_WATCH_INTERNAL_H

#include "base/thread.h"
#include "engine/engine_internal.h"
#include "engine/watch.h"
#include "engine/watch_dirty.h"
#include "engine/watch_poll.h"

enum ims_root_state { IMS_ROOT_NEW, IMS_ROOT_LISTENING, IMS_ROOT_POLLED, IMS_ROOT_AWAY };

struct ims_watch_root {
    char *path;
    enum ims_root_state state;
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
    struct ims_watch_root *roots;
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

/* For the operator; once for each thing. */
void ims__watch_note(struct ims_watch *w, bool is_warning, const char *fmt, ...) IMS_PRINTF(3, 4);

/* ---- watch_roots.c ---- */

/* Takes up what is new among the library's roots, lets go what is gone, and looks whether those that were away are back. */
void ims__watch_look_at_roots(struct ims_watch *w);
/* Follows the root by events or, where that cannot be, by polling; what is below it is looked at once. */
void ims__watch_start_root(struct ims_watch *w, struct ims_watch_root *r);
void ims__watch_release_root(struct ims_watch *w, struct ims_watch_root *r);
/* Everything is polled from now on. */
void ims__watch_give_up_events(struct ims_watch *w, const char *why);
/* Looks at polled roots that are due. */
void ims__watch_poll_roots(struct ims_watch *w, uint64_t now_ns);

/* ---- watch_job.c ---- */

/* Pushes the job of what may be handed over now. */
void ims__watch_hand_over(struct ims_watch *w, uint64_t now_ns);

#endif
