/* Fresh databases for tests: SQLite files, or schemas on the server of IMS_TEST_POSTGRES_URL.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_DB_FIXTURE_H
#define IMS_TESTS_DB_FIXTURE_H

#include "db/db.h"

bool fixture_is_postgres(void);
/* The address of a new, empty database; valid until the program ends. */
const char *fixture_url(void);
/* Runs fn in a forked child and returns its exit status; 128 + signal when it was killed. */
int fixture_fork(int (*fn)(void *arg), void *arg);

#endif
