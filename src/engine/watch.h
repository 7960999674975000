/* Follows the roots of a library: a change below them becomes a job "ingest" of the folders it happened in.
 *
 * A thread of its own listens to the system (watch_events.h) and polls what the system does not tell about
 * (watch_poll.h). A folder is handed over once nothing changed in it for the debounce time and nothing in it is open
 * for writing; what changes meanwhile is gathered, so a burst is one job. At most one such job waits or runs at a time.
 * At the start, and whenever changes may have been missed, the roots are looked at as a whole.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_WATCH_H
#define IMS_ENGINE_WATCH_H

#include "ims/engine.h"

#define IMS_WATCH_MIN_DEBOUNCE_S 0.05
#define IMS_WATCH_MAX_DEBOUNCE_S 3600.0
#define IMS_WATCH_MIN_POLL_S 0.2
#define IMS_WATCH_MAX_POLL_S 86400.0

struct ims_watch;

struct ims_watch_options {
    double debounce_s;  /* 0 = 1 */
    double poll_s;      /* between two looks, where the system does not tell; 0 = 60 */
    bool auto_train;    /* new pictures are embedded; otherwise registered, and wait for an indexing run */
    bool is_polling;    /* do not even ask the system */
    size_t max_watches; /* of the system's; 0 = as many as it gives */
    /* What the operator should know; from the watcher's thread. */
    void (*on_note)(void *arg, bool is_warning, const char *text);
    void *arg;
};

struct ims_watch_status {
    bool is_listening;   /* to the system, for one root at least */
    size_t n_roots, n_polled, n_away; /* away: not there at the moment; what the library has of them stays */
    size_t n_folders;    /* listened to */
    size_t n_changed;    /* folders that wait for being handed over */
    uint64_t n_jobs;     /* handed over so far */
    uint64_t n_overflows;
};

/* host must outlive it. IMS_E_CONFIG: a time out of bounds. */
ims_status ims__watch_open(struct ims_watch **out, struct ims_engine *host, const struct ims_watch_options *options,
                           ims_err *err) IMS_MUST_CHECK;
/* Ends within a moment, whatever goes on. Accepts NULL. */
void ims__watch_close(struct ims_watch *w);
/* Thread-safe. */
void ims__watch_status(struct ims_watch *w, struct ims_watch_status *out);

#endif
