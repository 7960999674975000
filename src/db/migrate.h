/* Migrations: numbered steps that bring a database to the form this program expects.
 *
 * Each step runs in one transaction together with the row that records it, so a half-applied step
 * cannot exist; programs that start at the same moment take turns.
 *
 * The text of a step is SQL in which {id} {int} {real} {blob} {strict} stand for the words of the
 * dialect, and in which a line `-- sqlite` or `-- postgres` starts a part for that dialect only, up
 * to the line `-- all` or the end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DB_MIGRATE_H
#define IMS_DB_MIGRATE_H

#include "db/db.h"

struct ims_db_migration {
    int version;      /* 1, 2, 3 ... without gaps */
    const char *name; /* of the file: "0001_library" */
    const char *sql;
};

/* Applies what is missing. IMS_E_DB_NEWER: the database holds a step this program does not know;
 * IMS_E_VERSION: a step of the same number has another name there. out_n_applied may be NULL. */
ims_status ims_db_migrate(struct ims_db *db, const struct ims_db_migration *steps, size_t n_steps,
                          size_t *out_n_applied, ims_err *err) IMS_MUST_CHECK;
/* The same checks without changing anything: *out_version is the last step applied, 0 for an empty
 * database. */
ims_status ims_db_migrations_check(struct ims_db *db, const struct ims_db_migration *steps,
                                   size_t n_steps, int *out_version, ims_err *err) IMS_MUST_CHECK;

#endif
