/* The steps of migrations/, compiled in.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_STORE_MIGRATIONS_H
#define IMS_STORE_STORE_MIGRATIONS_H

#include "db/migrate.h"

extern const struct ims_db_migration ims__store_migrations[];
extern const size_t ims__store_n_migrations;

#endif
