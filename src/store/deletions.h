/* Deleting by hand what was computed: vectors of pictures, with a log of who took away what; or all of the library.
 *
 * A vector belongs to a content, so copies elsewhere lose it too. Whatever loses its vector is queued again: it is
 * made anew when somebody indexes the folder, and is found by no search until then. Files are never touched.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_DELETIONS_H
#define IMS_STORE_DELETIONS_H

#include "store/store.h"

typedef enum ims_store_forget_scope {
    IMS_FORGET_DIRECTORY, /* files at or below a path */
    IMS_FORGET_ASSET,
    IMS_FORGET_SESSION,  /* files below the folders of a training session */
    IMS_FORGET_CATEGORY, /* files of a category */
    IMS_FORGET_ORPHANS,  /* contents whose files are all gone */
    IMS_FORGET_ALL
} ims_store_forget_scope;

struct ims_store_forget {
    ims_store_forget_scope scope;
    const char *path; /* of DIRECTORY */
    int64_t id;       /* of ASSET, SESSION, CATEGORY */
    const char *reason; /* the user's, or NULL */
};

/* Removes the vectors of every model of pictures, notes the removals for those who follow them, queues the work, and
 * writes the log: one transaction. *out_n: vectors. IMS_E_NOT_FOUND: no such asset, session or category. Files that
 * are gone do not choose a content, except for ORPHANS and ALL. */
ims_status ims_store_forget_vectors(struct ims_store *s, const struct ims_store_forget *what, int64_t *out_n,
                                    ims_err *err) IMS_MUST_CHECK;

/* The same for a folder, and a session of that category that does the folder anew, in one transaction. It is pending: a
 * user starts it. IMS_E_NOT_FOUND: the category. */
ims_status ims_store_retrain(struct ims_store *s, const char *folder, int64_t category_id, const char *reason,
                             int64_t *out_n, int64_t *out_session, ims_err *err) IMS_MUST_CHECK;

struct ims_store_deletion {
    int64_t id;
    const char *kind; /* DIRECTORY ASSET SESSION CATEGORY ORPHAN FULL_RESET */
    const char *target;
    int64_t n_vectors;
    const char *reason; /* NULL = none was given */
    int64_t created_us;
};
/* The log, newest first. */
ims_status ims_store_deletions(struct ims_store *s, int64_t offset, int64_t limit, struct ims_arena *arena,
                               struct ims_store_deletion **out, size_t *out_n, int64_t *out_total, ims_err *err)
    IMS_MUST_CHECK;

/* A folder that directly holds files with vectors. */
struct ims_store_vector_folder {
    const char *path;
    int64_t n_vectors;  /* one for each file and model */
    int64_t indexed_us; /* the last time work on one of them succeeded; 0 = unknown */
};
/* In the order of their first files. *out_total: vectors of the library, copies counted once. */
ims_status ims_store_vector_folders(struct ims_store *s, struct ims_arena *arena, struct ims_store_vector_folder **out,
                                    size_t *out_n, int64_t *out_total, ims_err *err) IMS_MUST_CHECK;

/* What was in a table that was emptied. */
struct ims_store_emptied {
    const char *table; /* a literal */
    int64_t n_rows;
};
#define IMS_STORE_MAX_EMPTIED 64
struct ims_store_reset {
    struct ims_store_emptied tables[IMS_STORE_MAX_EMPTIED];
    size_t n_tables;
    const char *schema; /* the last migration, which stays: a literal */
};
/* Empties the library in one transaction: pictures, faces, people, sessions, jobs that are not at work, the log (one
 * line says what happened). What stays: roots, settings, models, the default category, jobs at work (asked to end) and
 * workers. reason may be NULL. */
ims_status ims_store_reset(struct ims_store *s, const char *reason, struct ims_store_reset *out, ims_err *err)
    IMS_MUST_CHECK;

#endif
