/* Nearest neighbours by cosine over unit vectors: what callers see.
 *
 * An index holds rows of `dim` floats under 64-bit ids. It is derived data: whoever owns it fills it
 * from the store and may throw it away at any time.
 *
 * A search reads exact rows, rows rounded to bytes, or one-bit codes, whatever is fastest for what is
 * allowed by the filter; scores are always those of the full rows. With codes one of the true best may be
 * missed with the probability in the options; the answer says how it came about.
 *
 * Threads: any number of searches at any time, from any thread, and one writer (add, remove, ...) beside
 * them; the handle does what is needed. A search sees the index as it was at one moment.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_VECTORS_VECTORS_H
#define IMS_VECTORS_VECTORS_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_vectors;
struct ims_vectors_filter;

/* Thresholds, for tests and measurements; a field of 0 is as built in. */
struct ims_vectors_tuning {
    size_t first_centre_rows; /* rows after which the first centre is taken and codes begin */
    size_t bytes_rows;        /* up to so many candidates bytes are read and no codes */
    size_t skip_rows;         /* full segments with so many rows together are put in order of likeness, and from so many rows
                               * on parts of those in order are skipped */
};

struct ims_vectors_options {
    uint32_t dim;       /* 1..IMS_MAX_EMBEDDING_DIM */
    unsigned n_threads; /* that search at once, in all; 0 = 1 */
    double miss;        /* probability that one of the true best is missed; 0 = IMS_VECTORS_MISS */
    const char *dir;    /* the index's own folder, made when missing; NULL = in memory only */
    unsigned audit_every; /* of the searches by codes without a filter, one in so many is answered again by the
                           * full scan in the background; 0 = none */
    const struct ims_vectors_tuning *tuning; /* NULL = as built in */
    const char *key;    /* what the rows are: a folder of another key counts as empty. At most 63 bytes */
};

#define IMS_VECTORS_MISS 0.001
#define IMS_VECTORS_KEY_BYTES 64

struct ims_vectors_hit {
    int64_t id;
    float score; /* cosine, -1..1 up to rounding */
};

struct ims_vectors_query {
    const float *vector; /* dim floats; need not be of unit length, must be finite and not zero */
    size_t k;            /* how many hits at most; 1..IMS_MAX_SEARCH_WINDOW */
    /* Only these ids may be found: ascending, without repeats. NULL = all. Ids that the index does not
     * hold are passed over. */
    const int64_t *only_ids;
    size_t n_only_ids;
    struct ims_vectors_filter *filter; /* the same, prepared; NULL or only_ids is NULL */
    bool is_exact;                     /* read every row in full, whatever it costs */
    bool is_audited; /* compare with the full scan at once, whether it is the turn of this query or not */
};

/* What the rows were read as. */
enum ims_vectors_plan {
    IMS_VECTORS_FLOATS, /* in full */
    IMS_VECTORS_BYTES,  /* every candidate as bytes, then the best in full */
    IMS_VECTORS_CODES,  /* as one-bit codes, then what they leave as bytes, then the best in full */
};
/* "exact", "bytes", "codes" */
const char *ims_vectors_plan_name(enum ims_vectors_plan plan);

/* How a search was answered. */
struct ims_vectors_answer {
    enum ims_vectors_plan plan;
    size_t n_candidates; /* rows that the filter allows */
    size_t n_coded;      /* rows whose codes were read, allowed or not */
    size_t n_skipped;    /* rows, allowed or not, in parts that were not read, as none of them was likely enough to be a hit */
    size_t n_bytes;      /* rows whose bytes were read */
    size_t n_floats;     /* rows read in full because they have no codes, or by plan */
    size_t n_reranked;   /* rows read in full for the final order */
    double miss;         /* the stated probability; 0 when no code decided */
    double deviations;   /* of the code's error that the bound allowed for */
    unsigned n_shared;   /* queries that went through the index together */
    uint64_t generation; /* of what was seen; grows with every change */
};

struct ims_vectors_result {
    struct ims_vectors_hit *hits; /* the caller's room for the query's k */
    size_t n;
    struct ims_vectors_answer answer;
};

#define IMS_MAX_SEARCH_WINDOW ((size_t)1 << 20)

/* name: "embedded". IMS_E_UNSUPPORTED names what is built in. */
ims_status ims_vectors_open(struct ims_vectors **out, const char *name,
                            const struct ims_vectors_options *options, ims_err *err) IMS_MUST_CHECK;
void ims_vectors_close(struct ims_vectors *v);

/* Adds n rows; a row whose id is there already replaces it. rows: n x dim floats, finite; they are
 * brought to unit length. IMS_E_INVALID for a row that is zero or not finite: then nothing is added. */
ims_status ims_vectors_add(struct ims_vectors *v, const int64_t *ids, const float *rows, size_t n,
                           ims_err *err) IMS_MUST_CHECK;
/* Unknown ids are passed over. */
ims_status ims_vectors_remove(struct ims_vectors *v, const int64_t *ids, size_t n, ims_err *err)
    IMS_MUST_CHECK;
size_t ims_vectors_count(struct ims_vectors *v);
uint32_t ims_vectors_dim(const struct ims_vectors *v);
/* The row of one id into out (dim floats); IMS_E_NOT_FOUND. */
ims_status ims_vectors_get(struct ims_vectors *v, int64_t id, float *out, ims_err *err) IMS_MUST_CHECK;

/* The min(k, candidates) best rows: score descending, equal scores by ascending id, so that pages cut
 * from longer lists agree. out_hits has room for k. out_candidates (may be NULL): rows looked at. */
ims_status ims_vectors_search(struct ims_vectors *v, const struct ims_vectors_query *query,
                              struct ims_vectors_hit *out_hits, size_t *out_n, size_t *out_candidates,
                              ims_err *err) IMS_MUST_CHECK;
/* The same for n queries, which read the index together; results[i].hits is given by the caller. All or
 * nothing. Also the way to learn how a single query was answered. */
ims_status ims_vectors_search_many(struct ims_vectors *v, const struct ims_vectors_query *queries, size_t n,
                                   struct ims_vectors_result *results, ims_err *err) IMS_MUST_CHECK;

/* A set of ids for many queries: which rows it allows is worked out once and followed as the index changes.
 * ids: ascending, without repeats; copied. Any number of threads may query with it. */
ims_status ims_vectors_filter_open(struct ims_vectors_filter **out, const int64_t *ids, size_t n, ims_err *err)
    IMS_MUST_CHECK;
void ims_vectors_filter_close(struct ims_vectors_filter *f); /* no query uses it any more */

/* ---- the index's folder ----
 *
 * Everything in it can be made again from what the caller holds. One handle at a time writes there, across
 * processes; others read what is there and keep what is added to themselves. What was damaged is noticed on
 * opening or by ims_vectors_verify and never used. */

/* How far the folder goes: what the last save said, 0 when rows must be added from the beginning. */
int64_t ims_vectors_seq(struct ims_vectors *v);
/* Gives up rows that are dead, and makes the folder hold the index as it is; seq is remembered. On disk when
 * it returns. Searches go on meanwhile. */
ims_status ims_vectors_save(struct ims_vectors *v, int64_t seq, ims_err *err) IMS_MUST_CHECK;
/* Brings what searches read besides the codes into memory, as far as there is room: the first ones are then as
 * fast as the others. Searches go on meanwhile. */
void ims_vectors_warm(struct ims_vectors *v);
/* Reads every byte of the folder that is in use against its checksum. IMS_E_CORRUPT: clear, and add again. */
ims_status ims_vectors_verify(struct ims_vectors *v, ims_err *err) IMS_MUST_CHECK;
/* Removes all rows, here and in the folder. */
ims_status ims_vectors_clear(struct ims_vectors *v, ims_err *err) IMS_MUST_CHECK;

/* ---- a rebuild beside searches ----
 *
 * A second index, empty, with v's options: rows are added to it while v answers, then v takes it over. Its full
 * segments go to v's folder at each ims_vectors_save of it, but the folder speaks of them only after the next save of
 * v. One at a time. Close it, taken over or not, before v. */
ims_status ims_vectors_stage(struct ims_vectors **out, struct ims_vectors *v, ims_err *err) IMS_MUST_CHECK;
/* v becomes what staged is, at once, for every search that begins afterwards; those under way end on the former.
 * staged is empty then. Nobody writes to either meanwhile. */
ims_status ims_vectors_adopt(struct ims_vectors *v, struct ims_vectors *staged, ims_err *err) IMS_MUST_CHECK;

/* ---- without an index ----
 *
 * The plain scan over rows that come one at a time: what answers while there is no index. One thread at a time. */
struct ims_vectors_scan;
/* query: borrowed with all it points to. */
ims_status ims_vectors_scan_open(struct ims_vectors_scan **out, uint32_t dim, const struct ims_vectors_query *query,
                                 ims_err *err) IMS_MUST_CHECK;
/* A row of any length; passed over when the query's filter does not allow the id, or when it is zero or not finite. */
void ims_vectors_scan_row(struct ims_vectors_scan *s, int64_t id, const float *row);
/* hits as ims_vectors_search gives them, into room for the query's k. */
void ims_vectors_scan_finish(struct ims_vectors_scan *s, struct ims_vectors_result *out);
void ims_vectors_scan_close(struct ims_vectors_scan *s);

struct ims_vectors_info {
    uint32_t dim;
    unsigned n_threads;
    double miss;
    size_t n_rows;     /* alive */
    size_t n_dead;     /* rows that take room until the next save */
    size_t n_coded;    /* rows with codes, dead ones included */
    size_t n_segments, n_sealed, n_mapped, n_epochs;
    size_t n_ordered; /* segments in order of likeness; */
    size_t n_read_whole; /* of them, those in which passing over cells would miss too much, as a trial found */
    size_t n_stale; /* segments whose codes lied and were made again from rows: the next save writes them */
    uint64_t code_bytes; /* read by every search of the whole */
    uint64_t byte_bytes, row_bytes, id_bytes; /* read for some rows */
    uint64_t memory_bytes; /* of all these: in memory, the rest is in mapped files */
    uint64_t disk_bytes;   /* as of the last save */
    uint64_t generation;   /* of the present state */
    uint64_t saved_generation; /* 0 = never saved, or no folder */
    int64_t seq;
    bool is_writer;
    char note[256]; /* what was damaged when the folder was opened; "" = nothing */
    struct ims_vectors_audit {
        uint64_t n_searches; /* by codes */
        uint64_t n_audited;  /* of them, answered again by the full scan */
        uint64_t n_hits;     /* the full scan's */
        uint64_t n_found;    /* of those, what the codes had found: recall = n_found / n_hits */
        int64_t last_us;     /* when; 0 = never */
    } audit;
};
/* Waits for a writer that is at work. */
void ims_vectors_info(struct ims_vectors *v, struct ims_vectors_info *out);
/* The audit's counts alone, at once. */
void ims_vectors_audit(struct ims_vectors *v, struct ims_vectors_audit *out);

#endif
