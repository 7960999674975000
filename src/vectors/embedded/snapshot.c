/* Publishing and reading snapshots.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/snapshot.h"

#include "base/mem.h"

#include <sched.h>

struct ims_snapshot *ims__snapshot_new(size_t n_views)
{
    struct ims_snapshot *s = ims__zalloc(1, sizeof(*s) + n_views * sizeof(s->views[0]));

    if (s)
        s->n_views = n_views;
    return s;
}

void ims__snapshot_free(struct ims_snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_views; i++) {
        ims__segment_unref(s->views[i].segment);
        ims__dead_unref(s->views[i].dead);
    }
    ims__free(s);
}

static bool is_read(struct ims_snapshots *all, const struct ims_snapshot *s)
{
    for (unsigned i = 0; i < IMS_MAX_READERS; i++) {
        if (atomic_load(&all->readers[i].used) == s)
            return true;
    }
    return false;
}

static void free_unread(struct ims_snapshots *all)
{
    for (struct ims_snapshot **at = &all->retired; *at;) {
        struct ims_snapshot *s = *at;

        if (is_read(all, s)) {
            at = &s->next;
        } else {
            *at = s->next;
            ims__snapshot_free(s);
        }
    }
}

void ims__snapshots_publish(struct ims_snapshots *all, struct ims_snapshot *s)
{
    struct ims_snapshot *former = atomic_load(&all->current);

    s->generation = former ? former->generation + 1 : 1;
    s->n_live = 0;
    for (size_t i = 0; i < s->n_views; i++)
        s->n_live += s->views[i].n_rows - (s->views[i].dead ? s->views[i].dead->n : 0);
    atomic_store(&all->current, s);
    if (former) {
        former->next = all->retired;
        all->retired = former;
    }
    free_unread(all);
}

void ims__snapshots_release(struct ims_snapshots *all)
{
    free_unread(all);
    ims__snapshot_free(atomic_load(&all->current));
    atomic_store(&all->current, NULL);
}

const struct ims_snapshot *ims__snapshot_take(struct ims_snapshots *all, unsigned *out_slot)
{
    for (unsigned i = 0;; i = (i + 1) % IMS_MAX_READERS) {
        struct ims_snapshot *seen = atomic_load(&all->current), *none = NULL;

        if (!seen)
            return NULL;
        if (!atomic_compare_exchange_strong(&all->readers[i].used, &none, seen)) {
            if (i == IMS_MAX_READERS - 1)
                sched_yield();
            continue;
        }
        /* It was named, but perhaps after the writer looked: only what is still present is safe. */
        while (seen != atomic_load(&all->current)) {
            seen = atomic_load(&all->current);
            atomic_store(&all->readers[i].used, seen);
        }
        *out_slot = i;
        return seen;
    }
}

void ims__snapshot_leave(struct ims_snapshots *all, unsigned slot)
{
    atomic_store(&all->readers[slot].used, NULL);
}
