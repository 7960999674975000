/* The handle behind struct ims_db; only db*.c include this.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DB_DB_INTERNAL_H
#define IMS_DB_DB_INTERNAL_H

#include "db/db_backend.h"

#include <stdalign.h>
#include <stddef.h>

typedef enum db_transaction {
    DB_TX_NONE,
    DB_TX_OPEN,
    DB_TX_FAILED /* a statement failed: only rollback is left */
} db_transaction;

/* A prepared statement in the handle's list, most recently used first. */
struct ims_db_query {
    struct ims_db *db;
    struct ims_db_query *next;
    char *sql;
    uint64_t hash;
    bool is_open;  /* between ims_db_query and ims_db_done */
    bool has_row;  /* columns may be read */
    bool is_ended; /* by its last row, a failure or the end of the transaction */
    alignas(max_align_t) unsigned char stmt[];
};

struct ims_db {
    const struct ims_db_ops *ops;
    struct ims_db_query *queries;
    size_t n_queries;
    db_transaction tx;
    bool is_read_only;
    bool is_in_series; /* inside run_many: on_row must not use the handle */
    alignas(max_align_t) unsigned char ctx[];
};

/* Is the handle fit to run a statement now? Connects again where that is allowed. */
ims_status ims__db_check_ready(struct ims_db *db, ims_err *err) IMS_MUST_CHECK;
/* Marks an open transaction failed; returns st. */
ims_status ims__db_failed(struct ims_db *db, ims_status st);
void ims__db_end_queries(struct ims_db *db);  /* at the end of a transaction */
void ims__db_free_queries(struct ims_db *db); /* at close */

#endif
