/* The embedded index's own state: what its files share. Writers hold the lock; readers use snapshots.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_EMBEDDED_EMBEDDED_H
#define IMS_VECTORS_EMBEDDED_EMBEDDED_H

#include "vectors/embedded/audit.h"
#include "vectors/embedded/id_map.h"
#include "vectors/embedded/pass.h"
#include "vectors/vectors_backend.h"

#define IMS_FIRST_CENTRE_ROWS 4096

struct ims_embedded {
    uint32_t dim;
    struct ims_rotation rotation;
    bool has_rotation;
    struct ims_job_rules rules;
    size_t first_centre_rows;
    struct ims_snapshots snapshots;
    struct ims_passes passes;
    bool has_passes;
    struct ims_audit audit;

    struct ims_lock lock; /* of the writer: all below */
    bool has_lock;
    struct ims_id_map active_rows; /* id -> slot of the last segment, those alive */
    struct ims_epoch *epoch;       /* for new segments; NULL before the first centre */
    uint64_t next_number;          /* of segments and epochs */
    float *room;                   /* 4 * dim floats: two threads' */
    struct ims_segment *spare;     /* one reference: a full segment that went to disk, for the next one; NULL = none */

    /* persist.c; dir NULL: an index in memory */
    char *dir;
    char key[IMS_VECTORS_KEY_BYTES];
    int lock_fd;
    bool is_writer; /* of the folder: this handle has its lock */
    uint64_t saved_generation;
    int64_t seq;
    struct ims_saved {
        uint64_t number;
        uint32_t n_rows;
        bool has_codes;
        bool is_durable; /* else still to be synced */
    } *saved; /* what lies in the folder, by segment */
    size_t n_saved, saved_cap;
    char note[256]; /* what was found damaged on opening; "" = nothing */

    struct ims_embedded *stage_of; /* this is the other index of that one, which may take it over; NULL = no such */
    bool has_stage;                /* there is such another one: files of its segments are let be */
    uint64_t stage_from, stage_until; /* their numbers */
};

/* An empty index with its threads; rules have their probability to miss. After a failure it is closed all the same. */
ims_status ims__embedded_init(struct ims_embedded *e, uint32_t dim, unsigned n_threads, unsigned audit_every,
                              const struct ims_vectors_tuning *tuning, ims_err *err) IMS_MUST_CHECK;

/* stage.c: as in vectors_backend.h. */
ims_status ims__embedded_stage(struct ims_embedded *e, struct ims_embedded *staged, ims_err *err) IMS_MUST_CHECK;
ims_status ims__embedded_adopt(struct ims_embedded *e, struct ims_embedded *staged, ims_err *err) IMS_MUST_CHECK;
void ims__embedded_leave_stage(struct ims_embedded *staged);

/* writer.c; the lock is held. A change in the making: the next snapshot's views, with the bitmaps that were
 * copied for it. */
struct ims_change {
    struct ims_embedded *e;
    struct ims_snapshot *next;
    bool *is_copied; /* by view: its bitmap belongs to `next` alone */
    const float **rows; /* the last n_pending slots of the last view have ids, but not their rows yet: these */
    uint32_t n_pending;
};
/* n_more_rows: how many will be appended at most. */
ims_status ims__change_begin(struct ims_change *c, struct ims_embedded *e, size_t n_more_rows, ims_err *err)
    IMS_MUST_CHECK;
/* Marks the row of id dead, if there is one. */
ims_status ims__change_remove(struct ims_change *c, int64_t id, ims_err *err) IMS_MUST_CHECK;
/* row: borrowed until the change is published or dropped. */
ims_status ims__change_append(struct ims_change *c, int64_t id, const float *row, ims_err *err) IMS_MUST_CHECK;
/* Codes what has become whole and publishes. */
ims_status ims__change_publish(struct ims_change *c, ims_err *err) IMS_MUST_CHECK;
/* Gives up what was not published. */
void ims__change_drop(struct ims_change *c);

/* Makes active_rows what the present snapshot says. */
ims_status ims__restore_active_rows(struct ims_embedded *e, ims_err *err) IMS_MUST_CHECK;

/* Where the living row of id is; false when there is none. The lock is held. */
bool ims__embedded_find(struct ims_embedded *e, const struct ims_snapshot *s, int64_t id, size_t *out_view,
                        uint32_t *out_slot);

#endif
