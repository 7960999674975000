/* What the files of the store share; only src/store includes this.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_STORE_INTERNAL_H
#define IMS_STORE_STORE_INTERNAL_H

#include "base/buf.h"
#include "base/mem.h"
#include "base/thread.h"
#include "db/db.h"
#include "store/store.h"

/* store_counted.c: counts that took long, for all handles beside each other. key: what, of which session, of which
 * model. */
#define IMS__COUNTED_VALUES 8
#define IMS__COUNTED_PICTURES 1
#define IMS__COUNTED_FACES 2
struct ims__counted {
    int64_t key[3];
    uint64_t at_ns, cost_ns; /* cost 0 = unused */
    int64_t values[IMS__COUNTED_VALUES];
};
struct ims__counts {
    struct ims_lock lock;
    struct ims__counted rows[16];
};

struct ims_store {
    struct ims_db *db;
    unsigned busy_timeout_ms;
    char library_id[40];
    size_t n_written; /* rows through this handle */
    size_t analyze_at;
    struct ims__counts own_counts, *counts; /* counts: own, or those of the handle that this one is beside */
};

bool ims__counted_get(struct ims_store *s, const int64_t key[3], int64_t values[IMS__COUNTED_VALUES]);
/* Keeps it when counting, since since_ns, took long. */
void ims__counted_put(struct ims_store *s, const int64_t key[3], const int64_t values[IMS__COUNTED_VALUES],
                      uint64_t since_ns);

/* --- store.c: transactions and lists --- */

/* The body of a writing transaction. It may run more than once (busy, lost connection), so it sets
 * its outputs anew each time and changes nothing outside the database that a repetition would
 * double. Within a transaction (ims_store_transact) it becomes part of that. */
typedef ims_status (*ims__store_body)(struct ims_store *s, void *arg, ims_err *err);
ims_status ims__store_write(struct ims_store *s, ims__store_body body, void *arg,
                            ims_err *err) IMS_MUST_CHECK;
/* The same for a consistent view. */
ims_status ims__store_read(struct ims_store *s, ims__store_body body, void *arg,
                           ims_err *err) IMS_MUST_CHECK;
/* After a transaction: n rows were written. Now and then has the database look at its tables again.
 */
void ims__store_grew(struct ims_store *s, size_t n);
/* Inside a writing transaction: answers of ims_store_candidates may change. */
ims_status ims__store_bump_epoch(struct ims_store *s, ims_err *err) IMS_MUST_CHECK;

typedef ims_status (*ims__store_row)(void *arg, const struct ims_db_query *row, ims_err *err);
/* Runs a query and shows each row. Outside a transaction it is repeated once when the connection
 * was found lost before the first row. */
ims_status ims__store_select(struct ims_store *s, const char *sql,
                             const struct ims_db_value *values, size_t n_values,
                             ims__store_row on_row, void *arg, ims_err *err) IMS_MUST_CHECK;

/* ims_db_get_int with the same repetition. */
ims_status ims__store_get_int(struct ims_store *s, const char *sql,
                              const struct ims_db_value *values, size_t n_values, int64_t *out,
                              bool *out_found, ims_err *err) IMS_MUST_CHECK;

/* A list that grows, then moves into the caller's arena. */
struct ims__store_list {
    struct ims_arena *arena; /* for the strings and, at the end, the items */
    void *items;
    size_t n;
    size_t cap;
    size_t item_size;
};
void *ims__store_list_add(struct ims__store_list *l,
                          ims_err *err); /* zeroed; NULL: *err is filled */
ims_status ims__store_list_end(struct ims__store_list *l, ims_status st, void **out, size_t *out_n,
                               ims_err *err) IMS_MUST_CHECK;

/* Copy of a text or blob column as a string; NULL for a null. */
ims_status ims__store_string(struct ims_arena *arena, const struct ims_db_query *row, size_t column,
                             const char **out, ims_err *err) IMS_MUST_CHECK;
ims_status ims__store_nomem(ims_err *err);

/* The path as a value; paths are blobs. */
struct ims_db_value ims__store_path(const char *path);
/* IMS_E_INVALID unless absolute and within IMS_MAX_PATH_BYTES. */
ims_status ims__store_check_path(const char *path, ims_err *err) IMS_MUST_CHECK;

ims_store_state ims__store_parse_state(const char *name); /* NULL: IMS_STORE_NONE */

/* --- store_filter.c --- */

/* A statement in the making: text and the values of $1 ... */
struct ims__store_sql {
    struct ims_buf text;
    struct ims_db_value values[24];
    size_t n;
    char *prefix; /* owned; values point into it */
};
void ims__store_sql_init(struct ims__store_sql *q, const char *text);
void ims__store_sql_release(struct ims__store_sql *q);
/* Adds text in which every ? becomes the next $n; as many values follow as there are ?. */
void ims__store_sql_add(struct ims__store_sql *q, const char *text,
                        const struct ims_db_value *values, size_t n);
/* Adds " AND <column> is at or below prefix"; nothing for NULL and "/". */
ims_status ims__store_sql_below(struct ims__store_sql *q, const char *column, const char *prefix,
                                ims_err *err) IMS_MUST_CHECK;
/* Adds the conditions of a filter over assets a and contents c. */
ims_status ims__store_sql_filter(struct ims__store_sql *q, const struct ims_store_filter *f,
                                 ims_err *err) IMS_MUST_CHECK;
ims_status ims__store_sql_status(const struct ims__store_sql *q, ims_err *err) IMS_MUST_CHECK;
/* What is below a folder: from <= path < until, as values that live as long as the returned block
 * (ims__free); NULL: no memory. */
char *ims__store_path_range(const char *path, struct ims_db_value *from, struct ims_db_value *until);

/* --- store_scope.c --- */

/* Begins a statement over the pictures of a training session that are there and not passed over; 0: of the
 * whole library. select: "SELECT ..." without FROM, after the list "WITH folder AS (...) "; afterwards " FROM ... assets a" and join stand, and a WHERE to
 * which " AND ..." may be added. The session is always $1. */
void ims__store_sql_scope(struct ims__store_sql *q, int64_t session_id, const char *select,
                          const char *join, const struct ims_db_value *values, size_t n);
#define IMS__NOT_IGNORED(path)                                                                     \
    "NOT EXISTS (SELECT 1 FROM ignored_directories g WHERE " path " >= g.path_from AND " path      \
    " < g.path_until)"

/* --- store_session_faces.c --- */

struct ims_store_face_session;
/* Fills the counters of a session that is at work; what took long may be some seconds old unless is_exact. */
ims_status ims__face_session_count(struct ims_store *s, int64_t model_id, bool is_exact, struct ims_store_face_session *x,
                                   ims_err *err) IMS_MUST_CHECK;

/* --- store_library.c --- */

/* IMS_E_NOT_FOUND when there is no such model. */
ims_status ims__store_model_dim(struct ims_store *s, int64_t model_id, int *out_dim,
                                ims_err *err) IMS_MUST_CHECK;

/* The same, and whether its vectors are of faces. */
ims_status ims__store_model_shape(struct ims_store *s, int64_t model_id, int *out_dim,
                                  bool *out_is_of_faces, ims_err *err) IMS_MUST_CHECK;

/* --- store_moves.c --- */

/* Inside a transaction: the file of asset `fresh` is the one that asset `old` was, elsewhere. old
 * takes over its path, state and work; fresh is gone. */
ims_status ims__store_join_assets(struct ims_store *s, int64_t old_id, int64_t fresh_id,
                                  ims_err *err) IMS_MUST_CHECK;
/* Joins assets deleted by `scan` (deleted_us == marked_us) with files of the same content that
 * appeared after they were last seen. */
ims_status ims__store_join_moved(struct ims_store *s, const struct ims_store_scan *scan,
                                 int64_t marked_us, int64_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* --- store_faces.c --- */

/* What ims__store_take_face reads into a list of struct ims_store_face: of faces f, their contents c and persons p, and
 * the file a that is to be named. */
#define IMS_STORE_FACE_COLUMNS                                                                               \
    "f.id, f.content_id, f.model_id, a.id, a.path, f.x, f.y, f.w, f.h, c.width, c.height, "        \
    "f.score, f.quality, f.landmarks_json, f.age, f.gender, f.yaw, f.pitch, f.roll, "              \
    "f.cluster_id, f.cluster_probability, f.outlier_score, f.clustered_us, f.person_id, "          \
    "f.assigned_by, f.assigned_score, f.assigned_us, f.is_extra, c.taken_at_us, f.created_us, "    \
    "p.name, p.birth_date "
ims_status ims__store_take_face(void *list, const struct ims_db_query *row, ims_err *err) IMS_MUST_CHECK;

/* --- store_clusters.c --- */

ims_status ims__store_drop_empty_clusters(struct ims_store *s, ims_err *err) IMS_MUST_CHECK;

/* --- store_vectors.c --- */

/* Takes n numbers for changes of the vectors of a model; *out_first .. *out_first + n - 1 are ours.
 */
ims_status ims__store_take_seq(struct ims_store *s, int64_t model_id, size_t n, int64_t *out_first,
                               ims_err *err) IMS_MUST_CHECK;
/* IMS_E_CORRUPT: a stored vector of the wrong length; what: "face" or "content". */
ims_status ims__store_bad_vector(const char *what, int64_t id, size_t n_bytes, int dim,
                                 ims_err *err) IMS_MUST_CHECK;
/* Notes that vectors of a model are gone: of contents or faces. */
ims_status ims__store_log_removals(struct ims_store *s, int64_t model_id, const int64_t *ids,
                                   size_t n, ims_err *err) IMS_MUST_CHECK;
/* The same for what a query chooses: rows (model id, id), ordered by model. out_n may be NULL. */
ims_status ims__store_log_chosen(struct ims_store *s, const char *sql, const struct ims_db_value *values,
                                 size_t n_values, int64_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* dim floats from and to stored form (little-endian). */
void ims__store_get_f32(float *out, const void *stored, size_t dim);
void ims__store_put_f32(void *stored, const float *in, size_t dim);

/* --- store_items.c: what a batch brings, checked and made fit for SQL --- */

struct ims__store_clean {
    struct ims_store_media media; /* with clean strings; unused when the item has none */
    const char *reason;           /* of the failure to be stored; NULL = success */
    const char *detail;
    ims_status failure;
    const void *vector; /* stored form; NULL = none */
    const char *checksum;
    double norm;
    const char *metadata_json;
    /* filled while committing */
    int64_t content_id;
    int64_t asset_id;
    int64_t prior_content_id; /* before this batch; 0 = none or unknown asset */
    int64_t created_scan;     /* of the asset */
    int64_t old_asset_id;     /* deleted, of the same content; 0 = none */
    bool has_vector;          /* after the vectors were written */
    bool is_moved;
    ims_store_state state;
};
/* Not UTF-8: its display form. NULL stays NULL. */
ims_status ims__store_clean_text(struct ims_arena *arena, const char *in, const char **out,
                                 ims_err *err) IMS_MUST_CHECK;
/* Is it finite and, within 0.01, of length 1? out_norm may be NULL. */
bool ims__store_is_unit(const float *v, int dim, double *out_norm);
ims_status ims__store_clean_items(struct ims_arena *arena, const struct ims_store_item *items,
                                  size_t n, int dim, struct ims__store_clean **out,
                                  ims_err *err) IMS_MUST_CHECK;

#endif
