/* What a query sees: an unchanging list of segments with their counts and dead rows.
 *
 * One writer publishes snapshots; any number of readers take the present one without a lock and without
 * waiting for the writer. A reader says which snapshot it uses in a slot of its own (a hazard pointer,
 * Michael 2004), and the writer frees only what no slot names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_SNAPSHOT_H
#define IMS_VECTORS_EMBEDDED_SNAPSHOT_H

#include "vectors/embedded/segment.h"

#include <stdatomic.h>

#define IMS_MAX_ORDER_LEVEL 7
#define IMS_MAX_READERS 128 /* at one moment; further ones wait for a slot */

struct ims_view {
    struct ims_segment *segment;   /* one reference */
    struct ims_dead *dead;         /* one reference; NULL = none is dead */
    const struct ims_epoch *epoch; /* the segment's; NULL = not coded */
    uint32_t n_rows;
    uint32_t n_coded; /* of them, a multiple of IMS_CODE_BLOCK */
    bool is_sealed;   /* no row will follow; the segment has its `order` */
    uint8_t level;   /* of its order of likeness (order.c); 0: rows lie as they came */
    bool is_read_whole; /* in order of likeness, but skipping by it was found to miss too much (trial.c) */
    struct ims_spreads spreads;
};

/* A full segment whose file of codes was damaged: they were made again from its rows, and no save has written them. */
static inline bool ims__view_is_stale(const struct ims_view *v)
{
    return v->is_sealed && v->segment->row_map.data && !v->segment->code_map.data;
}

struct ims_snapshot {
    uint64_t generation; /* grows with every one published */
    size_t n_live;
    size_t n_views;
    struct ims_snapshot *next; /* among those to be freed */
    struct ims_view views[];
};

struct ims_snapshots {
    _Atomic(struct ims_snapshot *) current;
    struct ims_snapshot *retired;
    struct ims_reader_slot {
        _Atomic(struct ims_snapshot *) used;
        char rest_of_line[64 - sizeof(_Atomic(struct ims_snapshot *))];
    } readers[IMS_MAX_READERS];
};

/* Writer: room for n views, all fields zero. NULL when memory is short. */
struct ims_snapshot *ims__snapshot_new(size_t n_views);
/* Writer: gives up the references that a snapshot nobody reads holds. */
void ims__snapshot_free(struct ims_snapshot *s);
/* Writer: s becomes the present one, takes the next generation and counts what lives; the former one is
 * freed when its last reader has gone (now or at a later call). */
void ims__snapshots_publish(struct ims_snapshots *all, struct ims_snapshot *s);
/* Writer, when no reader is left. */
void ims__snapshots_release(struct ims_snapshots *all);

/* Readers. NULL while nothing was published. Every take needs its leave. */
const struct ims_snapshot *ims__snapshot_take(struct ims_snapshots *all, unsigned *out_slot);
void ims__snapshot_leave(struct ims_snapshots *all, unsigned slot);

#endif
