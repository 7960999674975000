/* Changes below folders as the operating system tells them: inotify on Linux; elsewhere unsupported, and polled.
 *
 * Watches are set on folders before these are listed, and what appears in between is reported as a whole folder: a
 * change may be reported twice, never not at all. One thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_WATCH_EVENTS_H
#define IMS_ENGINE_WATCH_EVENTS_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Who hears of changes; also used by polling. Paths are loans for the call. */
struct ims_watch_sink {
    void *arg;
    /* Something in the folder changed; is_deep: or anywhere below it. The folder may be gone. */
    void (*on_folder)(void *arg, const char *folder, bool is_deep);
    /* A picture is being written (is_open), or is so no more. */
    void (*on_file)(void *arg, const char *path, bool is_open);
    /* A root was removed, renamed or unmounted. */
    void (*on_away)(void *arg, const char *root);
    /* Changes were lost: everything must be looked at, and the roots must be added anew. */
    void (*on_lost)(void *arg);
    /* The system has no more watches for us. */
    void (*on_full)(void *arg);
    bool (*is_stopped)(void *arg);
};

struct ims_events;

/* max_watches: 0 = as many as the system gives. IMS_E_UNSUPPORTED: not on this system; IMS_E_LIMIT: the system
 * has none left. sink must outlive it. */
ims_status ims__events_open(struct ims_events **out, size_t max_watches, const struct ims_watch_sink *sink, ims_err *err)
    IMS_MUST_CHECK;
void ims__events_close(struct ims_events *e);
/* Readable when there is something for ims__events_read. */
int ims__events_fd(const struct ims_events *e);
/* Watches a folder and all below it. IMS_E_UNSUPPORTED: it is on a file system that does not tell what other machines
 * change; IMS_E_LIMIT: no more watches; IMS_E_NOT_FOUND; IMS_E_CANCELLED: is_stopped said so. */
ims_status ims__events_add(struct ims_events *e, const char *root, ims_err *err) IMS_MUST_CHECK;
void ims__events_remove(struct ims_events *e, const char *root);
size_t ims__events_n_folders(const struct ims_events *e);
/* Hands over what has happened, without waiting. */
ims_status ims__events_read(struct ims_events *e, ims_err *err) IMS_MUST_CHECK;
/* The same for bytes in the kernel's form: what read does; apart for tests. */
void ims__events_take(struct ims_events *e, const void *bytes, size_t n);

#endif
