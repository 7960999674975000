/* The library in SQL: roots, assets, contents, work, evidence, vectors, categories. The only truth.
 *
 * An asset is a file (a path); a content is its bytes (a SHA-256). Vectors belong to contents, so
 * files of equal content share one vector. Work is a row per (asset, task, model) and in exactly
 * one state. What is done has its vector: both are written in one transaction, and ims_store_commit
 * checks it.
 *
 * A handle belongs to one thread at a time: open one per thread. Functions that write do so in one
 * transaction of their own, repeated a few times when the database is busy; they cannot be nested.
 *
 * Paths are bytes without NUL, absolute, as the file system gives them. Lists are built in the
 * caller's arena (base/mem.h); strings in them live as long as the arena. Errors are those of
 * db/db.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_STORE_H
#define IMS_STORE_STORE_H

#include "base/hash.h"
#include "base/mem.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_store;
struct ims_buf;

struct ims_store_options {
    bool is_read_only; /* implies must_exist; a database that needs migrating is IMS_E_VERSION */
    bool must_exist;   /* a missing SQLite file is IMS_E_NOT_FOUND instead of a new library */
    unsigned busy_timeout_ms; /* 0 = 10 seconds */
    struct ims_store *beside;  /* another handle on the same library, which outlives this one, or NULL: what either
                                * took long to count the other need not count again for a while */
};

/* url: DATABASE_URL or the path of a SQLite file (its folder must exist). Migrates to this
 * program's schema; IMS_E_DB_NEWER when the database is ahead of it. opts may be NULL. */
ims_status ims_store_open(struct ims_store **out, const char *url,
                          const struct ims_store_options *opts, ims_err *err) IMS_MUST_CHECK;
void ims_store_close(struct ims_store *s);
const char *ims_store_location(const struct ims_store *s); /* without secrets; as long as s */
const char *ims_store_db_version(const struct ims_store *s);
/* Identifies this library for ever (32 hex digits): files derived from it carry it. As long as s.
 */
const char *ims_store_library_id(const struct ims_store *s);

/* Free-form settings of the library. *out is NULL when there is none; ims__free. */
ims_status ims_store_get_setting(struct ims_store *s, const char *key, char **out,
                                 ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_set_setting(struct ims_store *s, const char *key, const char *value,
                                 ims_err *err) IMS_MUST_CHECK;

/* --- roots, categories, models: find or create --- */

struct ims_store_root {
    int64_t id;
    const char *path; /* without a trailing slash, except "/" */
    int64_t created_us;
};
ims_status ims_store_add_root(struct ims_store *s, const char *path, int64_t *out_id,
                              ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_roots(struct ims_store *s, struct ims_arena *arena,
                           struct ims_store_root **out, size_t *out_n, ims_err *err) IMS_MUST_CHECK;

struct ims_store_category {
    int64_t id;
    const char *name;
    const char *description; /* NULL if none */
    const char *color;       /* "#rrggbb" or NULL */
    bool is_default;
    int64_t created_us;
    int64_t updated_us;
};
/* IMS_E_EXISTS when the name is taken. description, color may be NULL. */
ims_status ims_store_add_category(struct ims_store *s, const char *name, const char *description,
                                  const char *color, int64_t *out_id, ims_err *err) IMS_MUST_CHECK;
/* name NULL: the default one. IMS_E_NOT_FOUND. */
ims_status ims_store_find_category(struct ims_store *s, const char *name, int64_t *out_id,
                                   ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_categories(struct ims_store *s, struct ims_arena *arena,
                                struct ims_store_category **out, size_t *out_n,
                                ims_err *err) IMS_MUST_CHECK;
/* NULL name = as it is; the others only where has_ says so. IMS_E_NOT_FOUND, IMS_E_EXISTS. */
struct ims_store_category_change {
    const char *name;
    bool has_description, has_color;
    const char *description, *color;
};
ims_status ims_store_change_category(struct ims_store *s, int64_t id,
                                     const struct ims_store_category_change *change,
                                     ims_err *err) IMS_MUST_CHECK;
/* Its assets have none then. IMS_E_NOT_FOUND; IMS_E_PERMISSION: it is the default one;
 * IMS_E_CONSTRAINT: training sessions use it. */
ims_status ims_store_delete_category(struct ims_store *s, int64_t id, ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_count_category_sessions(struct ims_store *s, int64_t id, int64_t *out_n,
                                             ims_err *err) IMS_MUST_CHECK;
/* IMS_E_NOT_FOUND when the category or one of the assets does not exist; then nothing is changed.
 */
ims_status ims_store_set_category(struct ims_store *s, const int64_t *asset_ids, size_t n,
                                  int64_t category_id, ims_err *err) IMS_MUST_CHECK;

struct ims_store_model {
    int64_t id;
    const char *name; /* "ViT-B-32/laion2b_s34b_b79k" */
    const char
        *digest;      /* what tells two models of one name apart, e.g. hex SHA-256 of the weights */
    const char *kind; /* "clip", "face" */
    int dim;
    int64_t created_us;
};
/* Finds (name, digest) or creates it. IMS_E_DIMENSION when it is there with another dim or kind. */
ims_status ims_store_add_model(struct ims_store *s, const char *name, const char *digest,
                               const char *kind, int dim, int64_t *out_id,
                               ims_err *err) IMS_MUST_CHECK;
/* Finds only: *out_id is 0 when there is none (works on a read-only library). */
ims_status ims_store_find_model(struct ims_store *s, const char *name, const char *digest,
                                int64_t *out_id, ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_models(struct ims_store *s, struct ims_arena *arena,
                            struct ims_store_model **out, size_t *out_n,
                            ims_err *err) IMS_MUST_CHECK;

/* Forgets a model with its vectors, work and evidence, in one transaction; assets stay.
 * IMS_E_NOT_FOUND. */
ims_status ims_store_drop_model(struct ims_store *s, int64_t model_id, int64_t *out_n_vectors,
                                ims_err *err) IMS_MUST_CHECK;

/* --- scanning: what is new, changed, gone --- */

#define IMS_TASK_CLIP "clip"

/* One kind of work, with the model that does it. */
struct ims_store_task {
    const char *name; /* 1 to 15 letters; a literal: it is not copied */
    int64_t model_id;
};
#define IMS_STORE_MAX_TASKS 4

typedef enum ims_store_state {
    IMS_STORE_NONE,   /* no work is registered */
    IMS_STORE_QUEUED, /* to be done */
    IMS_STORE_DONE,   /* the content's vector is stored */
    IMS_STORE_FAILED  /* with a reason */
} ims_store_state;
const char *ims_store_state_name(ims_store_state state); /* "queued" ... */

/* One walk over a root for some tasks. Plain values; copy freely. */
struct ims_store_scan {
    int64_t id; /* grows with every scan of the library */
    int64_t root_id;
    int64_t category_id; /* of new assets */
    int64_t started_us;
    size_t n_tasks;
    struct ims_store_task tasks[IMS_STORE_MAX_TASKS];
};
/* category_id 0: the default category. The first task is the one that the scan is noted for. */
ims_status ims_store_scan_begin(struct ims_store *s, int64_t root_id,
                                const struct ims_store_task *tasks, size_t n_tasks,
                                int64_t category_id, struct ims_store_scan *out,
                                ims_err *err) IMS_MUST_CHECK;

typedef enum ims_store_verdict {
    IMS_STORE_FILE_NEW,     /* not known before: registered as queued */
    IMS_STORE_FILE_CHANGED, /* size or time differ: all its work is queued again */
    IMS_STORE_FILE_QUEUED,  /* known, unchanged, one of the tasks not finished */
    IMS_STORE_FILE_DONE,    /* known, unchanged, all done: nothing to do */
    IMS_STORE_FILE_FAILED   /* known, unchanged, one failed before: not tried again unless asked */
} ims_store_verdict;

struct ims_store_file {
    const char *path;
    int64_t size_bytes;
    int64_t mtime_us;
    /* filled by scan_files: */
    int64_t asset_id;
    int64_t content_id; /* of the last successful read; 0 = never read */
    ims_store_verdict verdict;
    bool is_back; /* had been marked deleted */
};
/* Tells each file's verdict and registers it; one transaction for all n, synced once: hand in
 * hundreds at a time. Reads no files. */
ims_status ims_store_scan_files(struct ims_store *s, const struct ims_store_scan *scan,
                                struct ims_store_file *files, size_t n,
                                ims_err *err) IMS_MUST_CHECK;

struct ims_store_scan_result {
    int64_t n_deleted; /* marked deleted: below `walked`, not seen, not below a failed folder */
    int64_t n_moved;   /* not seen, but found again under another path: they keep their id */
};
/* Ends a walk that went over everything below `walked` (NULL: the root) except failed_dirs. A walk
 * that was cut short must not call this. Files whose move shows only later, when the new path's
 * content is committed, are joined by ims_store_commit. */
ims_status ims_store_scan_end(struct ims_store *s, const struct ims_store_scan *scan,
                              const char *walked, const char *const *failed_dirs,
                              size_t n_failed_dirs, struct ims_store_scan_result *out,
                              ims_err *err) IMS_MUST_CHECK;

/* What is still to do of some tasks, in the order of asset ids, from above after_asset_id: for
 * resuming without a walk. Deleted assets are left out. */
struct ims_store_todo {
    int64_t asset_id;
    int64_t content_id; /* of the last successful read; 0 = never read */
    unsigned due;       /* bit i: tasks[i] */
    int64_t root_id;
    int64_t size_bytes;
    int64_t mtime_us;
    const char *path;
    int attempts; /* the most of the tasks that are due */
};
ims_status ims_store_queued(struct ims_store *s, const struct ims_store_task *tasks, size_t n_tasks,
                            int64_t after_asset_id, size_t limit, struct ims_arena *arena,
                            struct ims_store_todo **out, size_t *out_n,
                            ims_err *err) IMS_MUST_CHECK;

/* Registers as queued what is there and was never queued for a task and model: for looking at a library
 * with a model it does not know, without a walk. path_prefix as in struct ims_store_filter, or NULL. */
ims_status ims_store_queue_missing(struct ims_store *s, const char *task, int64_t model_id,
                                   const char *path_prefix, int64_t *out_n,
                                   ims_err *err) IMS_MUST_CHECK;

/* Puts work back to queued. reason NULL: any; asset_id 0: all; include_done: also successes. */
struct ims_store_requeue {
    const char *task;
    int64_t model_id;
    int64_t asset_id;
    const char *reason;
    const char *path_prefix; /* as in struct ims_store_filter */
    bool include_done;
};
ims_status ims_store_requeue(struct ims_store *s, const struct ims_store_requeue *what,
                             int64_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* --- contents: is this picture known already? --- */

struct ims_store_known {
    int64_t content_id; /* 0: these bytes were never seen */
    /* of model_id: then neither decode nor inference is needed. A face model: the content was looked at. */
    bool has_vector;
};
ims_status ims_store_find_contents(struct ims_store *s, const uint8_t (*sha256)[IMS_SHA256_BYTES],
                                   size_t n, int64_t model_id, struct ims_store_known *out,
                                   ims_err *err) IMS_MUST_CHECK;

/* --- commit: the results of one batch, all or nothing --- */

/* Facts from the decode. Strings may be NULL; what is not UTF-8 is stored in its display form. */
struct ims_store_media {
    const char *mime;
    int width; /* as displayed, after orientation */
    int height;
    int orientation; /* as in the file, 1..8 */
    int n_pages;
    bool has_phash;
    uint64_t phash;
    bool has_taken_at;
    int64_t taken_at_us;
    bool has_gps;
    double gps_lat;
    double gps_lng;
    const char *camera_make;
    const char *camera_model;
    const char *exif_json;
    const char *note; /* what was wrong but not fatal */
};

/* How a vector came to be; with it a row of evidence is written, also for a failure. */
struct ims_store_evidence_in {
    const char *device;   /* "cpu", "cuda:0" */
    const char *provider; /* "CPUExecutionProvider" */
    const char *runtime;  /* "ONNX Runtime 1.30.0" */
    double embedding_ms;  /* share of this item */
    double total_ms;      /* from read to result */
    const char *metadata_json;
    int64_t session_id; /* the training session it was computed for (sessions.h); 0, or unknown = none */
};

struct ims_store_faces_in;

struct ims_store_item {
    /* the file as it was read; unknown paths are registered */
    const char *path;
    int64_t root_id;
    int64_t size_bytes;
    int64_t mtime_us;
    const uint8_t *sha256;               /* NULL: could not be read (only for failures) */
    const struct ims_store_media *media; /* NULL: not decoded; what is known of the content stays */
    /* success: failure is IMS_OK, reason NULL. vector NULL: the content has its vector already. */
    const float *vector; /* dim of the model, L2-normalised, finite */
    ims_status failure;
    const char *reason; /* short name, "truncated", "not_a_picture"; must be set when failure is */
    const char *detail; /* one sentence */
    const struct ims_store_evidence_in *evidence; /* may be NULL */
    struct ims_store_faces_in *faces;             /* faces.h; NULL: faces were not looked for */
    /* filled by commit: */
    int64_t asset_id;
    int64_t content_id; /* 0 when sha256 is NULL */
    /* As stored. Asked to be done but without any vector: stays queued. A vector that is not finite
     * or not normalised: failed, reason "bad_vector". */
    ims_store_state state;
    bool is_moved; /* the asset took over the id of a deleted file of the same content */
};

/* Stores content, asset, vector, faces, work and evidence of all n items in one transaction. Doing it
 * twice changes nothing but adds evidence. IMS_E_INVALID names the item. */
ims_status ims_store_commit(struct ims_store *s, const char *task, int64_t model_id,
                            struct ims_store_item *items, size_t n, ims_err *err) IMS_MUST_CHECK;

/* Forgets assets deleted before a time, then contents and vectors that no asset has. */
ims_status ims_store_purge(struct ims_store *s, int64_t deleted_before_us, int64_t *out_n_assets,
                           ims_err *err) IMS_MUST_CHECK;

/* --- vectors --- */

/* One change of the set of vectors of a model. seq grows with every change, in the order of
 * commits, so whoever has seen everything up to seq n continues after n and misses nothing. */
struct ims_store_vector_sink {
    void *arg;
    /* Vectors that are gone (comes first) ... Ids are of contents, or of faces (faces.h). */
    ims_status (*on_removed)(void *arg, int64_t id, ims_err *err); /* may be NULL */
    /* ... then those that are there, new or replaced. vector is borrowed for the call, aligned for
     * float, dim of the model. In the order of seq. */
    ims_status (*on_vector)(void *arg, int64_t id, const float *vector, int64_t seq, ims_err *err);
};
/* after_seq 0 gives all. *out_seq: what to pass next time. One consistent view. */
ims_status ims_store_vectors(struct ims_store *s, int64_t model_id, int64_t after_seq,
                             const struct ims_store_vector_sink *sink, int64_t *out_seq,
                             ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_vector_count(struct ims_store *s, int64_t model_id, int64_t *out_n,
                                  int64_t *out_seq, ims_err *err) IMS_MUST_CHECK;
/* That seq alone, for looking often: counting takes as long as there are vectors. */
ims_status ims_store_vector_seq(struct ims_store *s, int64_t model_id, int64_t *out, ims_err *err) IMS_MUST_CHECK;
/* The vector of one asset's content into out[dim]; IMS_E_NOT_FOUND. */
ims_status ims_store_asset_vector(struct ims_store *s, int64_t asset_id, int64_t model_id,
                                  float *out, int dim, ims_err *err) IMS_MUST_CHECK;

/* --- reading --- */

/* All conditions must hold; a zero or NULL field asks for nothing. Deleted assets never match.
 * "/a/b" matches "/a/b" and what is below it, not "/a/bc". The dates are those when the picture was
 * taken (EXIF): a picture without one is not in any range. */
#define IMS_STORE_MAX_FILTER_PERSONS 8
struct ims_store_filter {
    const char *path_prefix;
    bool has_taken_from;
    bool has_taken_until;
    int64_t taken_from_us;  /* included */
    int64_t taken_until_us; /* not included */
    int64_t category_id;
    const int64_t *person_ids; /* all of them are in the picture, by faces of any model */
    size_t n_person_ids;       /* at most IMS_STORE_MAX_FILTER_PERSONS */
    bool has_created_from; /* when the file was entered into the library */
    bool has_created_until;
    int64_t created_from_us;  /* included */
    int64_t created_until_us; /* not included */
    bool has_area; /* taken within these degrees; west > east: across the antimeridian */
    double west, south, east, north;
    bool is_indexed; /* work on them has succeeded */
    bool newest_taken; /* the order of lists: by when a picture was taken (or else changed) instead of by id */
};

struct ims_store_pair {
    int64_t content_id;
    int64_t asset_id;
};
/* The assets that pass the filter and have a vector of the model, ordered by content, then asset:
 * the candidates of a search and, expanded, its results. ims__free(*out). filter may be NULL. */
ims_status ims_store_candidates(struct ims_store *s, int64_t model_id,
                                const struct ims_store_filter *filter, struct ims_store_pair **out,
                                size_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* Adds to out bytes that differ for any two filters with different answers: for caching them. */
ims_status ims_store_candidates_key(int64_t model_id, const struct ims_store_filter *filter, struct ims_buf *out,
                                    ims_err *err) IMS_MUST_CHECK;
/* Grows with every change that may alter any answer of ims_store_candidates: for caching them. */
ims_status ims_store_epoch(struct ims_store *s, int64_t *out, ims_err *err) IMS_MUST_CHECK;

struct ims_store_asset {
    int64_t id;
    int64_t root_id;
    int64_t content_id; /* 0: never read; all that follows from the content is then unset */
    int64_t category_id;
    const char *path;
    int64_t size_bytes;
    int64_t mtime_us;
    int64_t created_us;
    int64_t indexed_us; /* when work on it last succeeded; 0 = never */
    int64_t deleted_us; /* 0 = the file is there */
    bool has_sha256;
    uint8_t sha256[IMS_SHA256_BYTES];
    struct ims_store_media media;
};
/* By id, in the order asked for; ids that do not exist are left out. Deleted ones are included. */
ims_status ims_store_assets(struct ims_store *s, const int64_t *ids, size_t n,
                            struct ims_arena *arena, struct ims_store_asset **out, size_t *out_n,
                            ims_err *err) IMS_MUST_CHECK;
/* IMS_E_NOT_FOUND. */
ims_status ims_store_asset_by_path(struct ims_store *s, const char *path, struct ims_arena *arena,
                                   struct ims_store_asset **out, ims_err *err) IMS_MUST_CHECK;
/* Those that pass the filter (may be NULL), newest id first unless it says otherwise; out_total counts all. */
ims_status ims_store_list_assets(struct ims_store *s, const struct ims_store_filter *filter,
                                 int64_t offset, int64_t limit, struct ims_arena *arena,
                                 struct ims_store_asset **out, size_t *out_n, int64_t *out_total,
                                 ims_err *err) IMS_MUST_CHECK;

struct ims_store_spot {
    int64_t asset_id;
    double lat, lng; /* degrees */
};
/* Where the files that are there were taken, by id; those that do not say are left out. */
ims_status ims_store_spots(struct ims_store *s, struct ims_arena *arena, struct ims_store_spot **out, size_t *out_n,
                           ims_err *err) IMS_MUST_CHECK;

/* Counted by SQL each time. assets == done + failed + queued. */
struct ims_store_counts {
    int64_t assets;   /* files that are there */
    int64_t deleted;  /* known, but gone */
    int64_t contents; /* different contents among the assets */
    int64_t done;
    int64_t failed;
    int64_t queued; /* registered or not */
    int64_t vectors;
};
ims_status ims_store_count(struct ims_store *s, const char *task, int64_t model_id,
                           struct ims_store_counts *out, ims_err *err) IMS_MUST_CHECK;

struct ims_store_work {
    int64_t asset_id;
    const char *path;
    const char *task;
    int64_t model_id;
    ims_store_state state;
    ims_status failure;
    const char *reason; /* NULL unless failed */
    const char *detail;
    int attempts;
    int64_t updated_us;
};
/* Failures in the order of asset ids, from above after_asset_id; reason NULL: any. */
ims_status ims_store_failures(struct ims_store *s, const char *task, int64_t model_id,
                              const char *reason, int64_t after_asset_id, size_t limit,
                              struct ims_arena *arena, struct ims_store_work **out, size_t *out_n,
                              ims_err *err) IMS_MUST_CHECK;
struct ims_store_reason {
    const char *reason;
    int64_t n;
};
/* How many failed for which reason, most frequent first. */
ims_status ims_store_failure_reasons(struct ims_store *s, const char *task, int64_t model_id,
                                     struct ims_arena *arena, struct ims_store_reason **out,
                                     size_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* All work of one asset. */
ims_status ims_store_asset_work(struct ims_store *s, int64_t asset_id, struct ims_arena *arena,
                                struct ims_store_work **out, size_t *out_n,
                                ims_err *err) IMS_MUST_CHECK;

struct ims_store_evidence {
    int64_t id;
    int64_t asset_id;
    int64_t model_id;
    int64_t session_id; /* 0 = none */
    const char *asset_path;
    const char *task;
    const char *model_name;
    const char *model_digest;
    const char *device;
    const char *provider;
    const char *runtime;
    const char *checksum; /* hex SHA-256 of the vector as little-endian f32; NULL without one */
    int dim;
    double norm;
    double embedding_ms;
    double total_ms;
    const char *error; /* NULL on success */
    const char *metadata_json;
    int64_t created_us;
};
/* 0 = any. */
struct ims_store_evidence_filter {
    int64_t id;
    int64_t asset_id;
    int64_t session_id;
};
/* Newest first. out_total (may be NULL) counts all. */
ims_status ims_store_list_evidence(struct ims_store *s, const struct ims_store_evidence_filter *filter,
                                   int64_t offset, int64_t limit, struct ims_arena *arena,
                                   struct ims_store_evidence **out, size_t *out_n, int64_t *out_total,
                                   ims_err *err) IMS_MUST_CHECK;
/* Of one asset, the newest first. */
ims_status ims_store_asset_evidence(struct ims_store *s, int64_t asset_id, size_t limit,
                                    struct ims_arena *arena, struct ims_store_evidence **out,
                                    size_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* The vector stays. IMS_E_NOT_FOUND. */
ims_status ims_store_delete_evidence(struct ims_store *s, int64_t id, ims_err *err) IMS_MUST_CHECK;

struct ims_store_evidence_stats {
    int64_t total, failed;
    double mean_ms, min_ms, max_ms; /* of total_ms; 0 without any */
    const char **devices, **digests; /* different ones, sorted */
    size_t n_devices, n_digests;
};
/* Of a training session, counted by SQL. */
ims_status ims_store_session_evidence_stats(struct ims_store *s, int64_t session_id, struct ims_arena *arena,
                                            struct ims_store_evidence_stats *out, ims_err *err) IMS_MUST_CHECK;

#endif
