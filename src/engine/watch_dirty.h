/* Folders in which something changed, and pictures that are being written: when to hand over which. One thread at a
 * time; times are of a clock of nanoseconds.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_WATCH_DIRTY_H
#define IMS_ENGINE_WATCH_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_DIRTY_MAX_FOLDERS 512 /* more, and the caller does better to look at everything */

struct ims_dirty {
    uint64_t debounce_ns;
    struct ims_dirty_folder {
        char *path;
        bool is_deep; /* or anywhere below it */
        bool is_handed; /* by take, until done */
        uint64_t first_ns, last_ns;
    } *folders;
    size_t n, cap;
    struct ims_dirty_file {
        char *path;
        uint64_t last_ns;
    } *open; /* files */
    size_t n_open, open_cap;
};

void ims__dirty_release(struct ims_dirty *d);
void ims__dirty_clear(struct ims_dirty *d);
/* false: too many, or no memory: look at everything. */
bool ims__dirty_folder(struct ims_dirty *d, const char *folder, bool is_deep, uint64_t now_ns);
void ims__dirty_file(struct ims_dirty *d, const char *path, bool is_open, uint64_t now_ns);
/* Marks as handed what may be handed over now; how many. */
size_t ims__dirty_take(struct ims_dirty *d, uint64_t now_ns);
/* They were handed over, and are forgotten; or were not, and are taken again. */
void ims__dirty_done(struct ims_dirty *d, bool is_good);

#endif
