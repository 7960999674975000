/* A library for an integration test: a data directory, a database of its own, pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_INTEGRATION_LIBRARY_H
#define IMS_TESTS_INTEGRATION_LIBRARY_H

#include "base/json.h"
#include "harness/run.h"
#include "harness/test.h"

/* SQLite in data, or a new database on the server of IMS_TEST_POSTGRES_URL when that is set. */
struct library {
    char data[600];
    char photos[600];
    char database_env[1200]; /* "DATABASE_URL=..." or "" */
    const char *env[8];      /* of every command; ended by NULL */
};

void library_init(struct library *l);
/* Keeps every other program from writing its SQLite database until it is unlocked; NULL and a failed test if it cannot. */
struct library_lock;
struct library_lock *library_lock(struct library *l);
void library_unlock(struct library_lock *lock);
void library_add_env(struct library *l, const char *name_value); /* must outlive l */

/* Runs imgsearch on it (words separated by '\n'), wants exit code `want`, and parses stdout as JSON when
 * the words hold --json; otherwise NULL. The caller frees with ims__json_free. */
ims_json *library_run(struct library *l, int want, const char *words);
/* The same with options, handing out the whole result (run_release). */
void library_run_with(struct library *l, struct run_options *o, struct run_result *r, const char *words);

/* "index --json PHOTOS" and the number under key in its summary. */
long long library_index(struct library *l, const char *key);
/* A number of `status --json`. */
long long library_status(struct library *l, const char *key);
/* The reason why a file of `photos` failed; "" if it did not. Static buffer. */
const char *library_failure(struct library *l, const char *name);

/* Runs SQL on its database, beside whoever uses it. */
bool library_sql(struct library *l, const char *sql);
/* The number that a query gives; -1 and a failed test when it gives none. */
long long library_sql_number(struct library *l, const char *sql);

/* Copies a file of the source tree into photos under a name; returns its path (static, 4 in turn). */
const char *library_copy(struct library *l, const char *source, const char *name);
void library_write(struct library *l, const char *name, const void *p, size_t n);
/* A copy with the pixels of one row changed cannot be had without a decoder: these are whole pictures of
 * the demo library, by number, JPEG only. NULL past the end. Static storage. */
const char *library_demo_jpeg(size_t i);

#endif
