/* Walks a folder and hands over the pictures in it, by name.
 *
 * Links are not followed (what they lead to inside the root is found by itself, and nothing outside it
 * may be opened); hidden folders, the thumbnail stores of NAS systems and the "._" files of macOS are
 * passed over, and so is what the filter leaves out. The order is that of sorted names within each folder, so two walks of the same tree agree.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_WALK_H
#define IMS_ENGINE_WALK_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_walk_counts {
    uint64_t files; /* handed over */
    uint64_t links;
    uint64_t others; /* files that are not pictures by name */
    uint64_t failed_dirs;
};

/* All zero leaves nothing out. */
struct ims_walk_filter {
    const char *const *ignored; /* folders, with all that is below them */
    size_t n_ignored;
    const char *const *suffixes; /* ".jpg" ..., any case: of the known ones only these */
    size_t n_suffixes;
};
bool ims__walk_is_ignored(const struct ims_walk_filter *f, const char *dir);
/* Does the filter let a picture of that name through? */
bool ims__walk_has_suffix(const struct ims_walk_filter *f, const char *name);

struct ims_walk_sink {
    void *arg;
    /* A regular file with the name of a picture. Not OK ends the walk with that status. */
    ims_status (*on_file)(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err);
    /* A name of a picture that cannot be taken: a FIFO, a device, a path that is too long. */
    void (*on_odd)(void *arg, const char *path, const char *what);
    /* A folder that could not be read (again); what is below it is unknown, not gone. */
    ims_status (*on_failed_dir)(void *arg, const char *path, const ims_err *why, ims_err *err);
    bool (*is_stopped)(void *arg);
    /* When set, folders are handed over here and not entered. */
    ims_status (*on_subdir)(void *arg, const char *path, ims_err *err);
    /* A folder that is entered. (optional) */
    ims_status (*on_dir)(void *arg, const char *path, ims_err *err);
    /* One that the filter ignores. (optional) */
    ims_status (*on_ignored)(void *arg, const char *path, ims_err *err);
    const struct ims_walk_filter *filter; /* may be NULL */
};

bool ims__walk_is_picture_name(const char *name);
/* Folders of that name are not entered. */
bool ims__walk_is_passed_over(const char *name);

/* dir: absolute. IMS_E_CANCELLED when is_stopped said so. That dir itself cannot be read is an error;
 * a folder below it goes to on_failed_dir. In an ignored folder nothing is found. */
ims_status ims__walk(const char *dir, const struct ims_walk_sink *sink, struct ims_walk_counts *counts,
                     ims_err *err) IMS_MUST_CHECK;

#endif
