/* Storing what a face model found, inside a transaction: used by ims_store_commit and
 * ims_store_commit_faces.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_STORE_FACE_COMMIT_H
#define IMS_STORE_STORE_FACE_COMMIT_H

#include "store/faces.h"
#include "store/store_internal.h"

/* A picture of a batch. */
struct ims__face_picture {
    struct ims_store_faces_in *in;
    /* what it is a picture of; known when the batch is stored */
    int64_t asset_id;
    int64_t content_id;       /* 0 = could not be read */
    int64_t prior_content_id; /* the one the file had before; 0 = none */
    bool is_current;          /* the file still has that content: its work state is written */
    /* made fit for SQL */
    const char *reason; /* NULL = success */
    const char *detail;
    const char *metadata_json;
    const char *checksum; /* of all vectors, in the order of the faces */
    ims_status failure;
    ims_store_state state;
};

/* A face of a batch. */
struct ims__face_row {
    size_t picture;
    struct ims_store_face_in *in;
    const void *vector; /* stored form */
    const char *landmarks_json;
    bool is_double; /* a box that the same picture had before */
    int64_t id;     /* 0 until it is known */
    bool is_new;
};

struct ims__face_batch {
    struct ims_arena arena; /* for what the rows point to */
    int64_t model_id;
    int dim;
    struct ims__face_picture *pictures;
    size_t n_pictures;
    struct ims__face_row *rows; /* of pictures that succeeded, by picture */
    size_t n_rows;
    /* of one try */
    struct ims_store *s;
    int64_t now_us;
    struct ims_db_value *values;
    size_t *chosen;
};

/* Makes room for n pictures. */
ims_status ims__face_batch_init(struct ims__face_batch *b, size_t n, ims_err *err) IMS_MUST_CHECK;
void ims__face_batch_release(struct ims__face_batch *b);
/* Outside the transaction: checks the results in pictures[].in and makes them fit. All of one model;
 * IMS_E_INVALID for what no detector may bring. */
ims_status ims__face_batch_clean(struct ims_store *s, struct ims__face_batch *b,
                                 ims_err *err) IMS_MUST_CHECK;
/* Inside: pictures[] have their ids. May be repeated. */
ims_status ims__face_batch_put(struct ims_store *s, struct ims__face_batch *b,
                               ims_err *err) IMS_MUST_CHECK;
/* Part of it (store_face_carry.c): names of the new faces, where they are known from before. */
ims_status ims__face_batch_carry(struct ims__face_batch *b, ims_err *err) IMS_MUST_CHECK;
/* After the transaction: tells the results to pictures[].in. */
void ims__face_batch_publish(struct ims__face_batch *b);

/* Pairs boxes of two lists by overlap, largest first, each box once, from intersection over union of
 * 1/2 on: pairs[i] is the index in b of the partner of a[i], or -1. */
struct ims__box {
    int x, y, w, h;
};
double ims__box_overlap(const struct ims__box *a, const struct ims__box *b);
ims_status ims__pair_boxes(const struct ims__box *a, size_t n_a, const struct ims__box *b,
                           size_t n_b, int *pairs, ims_err *err) IMS_MUST_CHECK;

extern const char ims__store_put_work_sql[];
extern const char ims__store_put_evidence_sql[];

#endif
