/* A new library with one root and one model, and short ways to scan and commit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_STORE_FIXTURE_H
#define IMS_TESTS_STORE_FIXTURE_H

#include "contract/db/db_fixture.h"
#include "harness/test.h"
#include "store/store.h"

#define DIM 16

struct library {
    struct ims_store *store;
    const char *url;
    int64_t root_id; /* of /photos */
    int64_t model_id;
    struct ims_arena arena;
    ims_err err;
};

/* false after a failure that was reported. */
bool library_open(struct library *l);
void library_close(struct library *l);

/* A unit vector and a hash that depend on seed alone. */
void make_vector(uint64_t seed, float out[DIM]);
void make_sha256(uint64_t seed, uint8_t out[IMS_SHA256_BYTES]);

/* An item with everything that a photo of content `seed` brings. Uses static memory: at most 1024
 * at a time, in turn. with_vector false: the content is known already. */
struct ims_store_item make_item(const struct library *l, const char *path, uint64_t seed,
                                bool with_vector);
/* Commits one such item; returns its asset id, 0 after a reported failure. */
int64_t commit_one(struct library *l, const char *path, uint64_t seed);
/* Scans the paths as files of size 100 and time 1000 and fills files (if not NULL). */
bool scan_paths(struct library *l, const char *const *paths, size_t n, struct ims_store_file *files,
                struct ims_store_scan *out_scan);
/* scan_paths and the end of the scan. */
bool scan_all(struct library *l, const char *const *paths, size_t n,
              struct ims_store_scan_result *out);
struct ims_store_counts counts_of(struct library *l);
/* Runs SQL on the library's database beside the store. */
int64_t sql_int(struct library *l, const char *sql);
bool sql_exec(struct library *l, const char *sql);

#endif
