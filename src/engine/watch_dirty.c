/* Folders in which something changed, and when to hand them over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch_dirty.h"

#include "base/fs.h"
#include "base/mem.h"

#include <string.h>

#define MAX_OPEN 4096                            /* files; more are not waited for */
#define OPEN_NS ((uint64_t)60 * 1000000000)      /* a file that is open and not written to is as good as closed */
#define PATIENCE_NS ((uint64_t)30 * 1000000000)  /* where it never gets quiet */
#define LAST_NS ((uint64_t)600 * 1000000000)     /* where a file never gets closed */

void ims__dirty_clear(struct ims_dirty *d)
{
    for (size_t i = 0; i < d->n; i++)
        ims__free(d->folders[i].path);
    d->n = 0;
}

void ims__dirty_release(struct ims_dirty *d)
{
    ims__dirty_clear(d);
    for (size_t i = 0; i < d->n_open; i++)
        ims__free(d->open[i].path);
    ims__free(d->folders);
    ims__free(d->open);
    *d = (struct ims_dirty){ .debounce_ns = d->debounce_ns };
}

bool ims__dirty_folder(struct ims_dirty *d, const char *folder, bool is_deep, uint64_t now_ns)
{
    for (size_t i = d->n; i-- > 0;) { /* mostly the last one */
        struct ims_dirty_folder *f = &d->folders[i];

        if (strcmp(f->path, folder) == 0) {
            f->is_deep |= is_deep;
            f->last_ns = now_ns;
            return true;
        }
    }
    if (!ims__grow((void **)&d->folders, &d->cap, d->n, sizeof(*d->folders), IMS_DIRTY_MAX_FOLDERS))
        return false;
    d->folders[d->n] = (struct ims_dirty_folder){
        .path = ims__strdup(folder), .is_deep = is_deep, .first_ns = now_ns, .last_ns = now_ns
    };
    return d->folders[d->n].path ? (d->n++, true) : false;
}

void ims__dirty_file(struct ims_dirty *d, const char *path, bool is_open, uint64_t now_ns)
{
    size_t i = 0;

    while (i < d->n_open && strcmp(d->open[i].path, path) != 0)
        i++;
    if (i < d->n_open && !is_open) {
        ims__free(d->open[i].path);
        d->open[i] = d->open[--d->n_open];
    } else if (i < d->n_open) {
        d->open[i].last_ns = now_ns;
    } else if (is_open && ims__grow((void **)&d->open, &d->open_cap, d->n_open, sizeof(*d->open), MAX_OPEN)) {
        d->open[i] = (struct ims_dirty_file){ .path = ims__strdup(path), .last_ns = now_ns };
        d->n_open += d->open[i].path != NULL;
    }
}

/* Is a picture in the folder (or below, for a deep one) being written? */
static bool is_written_to(const struct ims_dirty *d, const struct ims_dirty_folder *f, uint64_t now_ns)
{
    for (size_t i = 0; i < d->n_open; i++) {
        const char *name = ims__path_base(d->open[i].path);
        size_t n = (size_t)(name - d->open[i].path);

        if (now_ns - d->open[i].last_ns >= OPEN_NS)
            continue;
        if (f->is_deep ? ims__path_is_in(d->open[i].path, f->path)
                       : n == strlen(f->path) + 1 && memcmp(f->path, d->open[i].path, n - 1) == 0)
            return true;
    }
    return false;
}

static bool is_ready(const struct ims_dirty *d, const struct ims_dirty_folder *f, uint64_t now_ns)
{
    bool is_quiet = now_ns - f->last_ns >= d->debounce_ns;
    bool is_overdue = now_ns - f->first_ns >= PATIENCE_NS + 10 * d->debounce_ns;

    if (now_ns - f->first_ns >= LAST_NS + d->debounce_ns)
        return true;
    return (is_quiet || is_overdue) && !is_written_to(d, f, now_ns);
}

size_t ims__dirty_take(struct ims_dirty *d, uint64_t now_ns)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++) {
        d->folders[i].is_handed = is_ready(d, &d->folders[i], now_ns);
        n += d->folders[i].is_handed;
    }
    return n;
}

void ims__dirty_done(struct ims_dirty *d, bool is_good)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->n; i++) {
        if (d->folders[i].is_handed && is_good) {
            ims__free(d->folders[i].path);
            continue;
        }
        d->folders[i].is_handed = false;
        d->folders[kept++] = d->folders[i];
    }
    d->n = kept;
}
