/* The state of one ims_store_commit, and series of a statement over some of its items; shared by
 * store_commit*.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_STORE_COMMIT_H
#define IMS_STORE_STORE_COMMIT_H

#include "store/store_face_commit.h"
#include "store/store_internal.h"

struct ims__store_commit {
    const char *task;
    int64_t model_id;
    int dim;
    struct ims_store_item *items;
    struct ims__store_clean *clean;
    size_t n;
    struct ims_arena arena;       /* holds clean */
    struct ims__face_batch faces; /* of the items that bring them */
    size_t *face_items;           /* which those are */
    /* of one try */
    struct ims_store *s;
    struct ims_db_value *values;
    size_t *chosen;
    size_t n_chosen;
    size_t width;
    int64_t now_us;
    int64_t last_scan;
    int64_t category_id;
};
/* values per item, at most */
#define IMS_COMMIT_MAX_WIDTH 16

/* A series: start, choose items and fill their values, run. A failure of run names the file. */
void ims__commit_start(struct ims__store_commit *x, size_t width);
struct ims_db_value *ims__commit_choose(struct ims__store_commit *x, size_t i);
ims_status ims__commit_run(struct ims__store_commit *x, const char *sql, ims_db_row_fn on_row,
                           ims_err *err) IMS_MUST_CHECK;
/* In on_row (whose arg is the commit): the item that the row belongs to. */
struct ims__store_clean *ims__commit_chosen(struct ims__store_commit *x, size_t item);

struct ims_db_value ims__commit_int_or_null(bool has, int64_t v);
struct ims_db_value ims__commit_finite_or_null(bool has, double v);

/* store_commit_assets.c: assets, moves, work and evidence, once contents and states are settled */
ims_status ims__commit_assets(struct ims__store_commit *x, ims_err *err) IMS_MUST_CHECK;

#endif
