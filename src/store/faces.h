/* Faces in the library: what a face model found in a picture, their vectors, clusters, projections.
 *
 * A face belongs to a content (store.h), so copies of a file share its faces and their names; a
 * question about a file is a question about its content. It also belongs to the model that found
 * it: two face models have faces of their own, and every list is of one model. Ids are never given
 * twice.
 *
 * A face keeps its id when the model looks again and finds a box that overlaps it (intersection
 * over union of at least 1/2); one that is not found again goes, unless a person was said to be on
 * it, or not on it. Faces of pictures whose files are all deleted stay until ims_store_purge, and
 * are in no list unless asked for.
 *
 * What the user said about the faces of a file is carried over when the file changes and the new content
 * has a face that overlaps and looks alike, and when another model finds a face in the same place: as an
 * event of its own (persons.h, IMS_EVENT_CARRY).
 *
 * Vectors of faces are numbered and followed exactly like those of pictures: ims_store_vectors and
 * ims_store_vector_count of a model whose kind is IMS_MODEL_FACE give face ids where they give content
 * ids of other models.
 *
 * Who a face is, is store/persons.h. Handles, threads, arenas, errors: as in store.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_FACES_H
#define IMS_STORE_FACES_H

#include "store/store.h"

#define IMS_TASK_FACES "faces"
#define IMS_MODEL_FACE "face" /* kind of a model whose vectors are of faces */
#define IMS_FACE_POINTS 5     /* left eye, right eye, nose, left and right end of the mouth */
#define IMS_FACE_UNKNOWN_GENDER (-1)

/* --- what a model found --- */

struct ims_store_face_in {
    int x, y, w, h; /* pixels of the displayed picture; may lie partly outside it; w, h > 0 */
    float score;    /* of the detector, 0..1 */
    float quality;  /* 0..1 */
    bool has_points;
    float points[IMS_FACE_POINTS][2]; /* left and right as seen in the picture */
    bool has_age;
    float age;  /* years */
    int gender; /* 0 female, 1 male, IMS_FACE_UNKNOWN_GENDER */
    bool has_pose;
    float yaw, pitch, roll; /* degrees */
    const float *vector;    /* dim of the model, L2-normalised, finite */
    int64_t id;             /* filled by the commit; 0 where two boxes were the same */
};

/* All that a face model found in one picture; or that it failed; or that the content was looked at
 * before. */
struct ims_store_faces_in {
    int64_t model_id; /* of kind IMS_MODEL_FACE */
    float min_score;  /* the limits of the search: noted with its result */
    int min_size_px;
    bool is_known; /* success without looking: the content was looked at before (n_faces is 0) */
    struct ims_store_face_in *faces;
    size_t n_faces;
    ims_status failure; /* as in struct ims_store_item */
    const char *reason;
    const char *detail;
    const struct ims_store_evidence_in *evidence; /* may be NULL */
    /* Filled by the commit. is_known, but never looked at: stays queued. A vector that is not finite
     * or not normalised: failed, "bad_vector"; a box without area or beyond IMS_MAX_FACE_COORDINATE:
     * failed, "bad_face"; then no face of the picture is stored. */
    ims_store_state state;
};

/* With the rest of a photo: ims_store_item.faces points to a struct ims_store_faces_in, and
 * ims_store_commit stores it in the same transaction, with a work state and evidence of its own
 * (IMS_TASK_FACES and its model).
 *
 * Alone, for photos that are in the library: n pictures in one transaction. content_id is the one
 * that was looked at; if the file has another by now, its work state stays. */
struct ims_store_faces_item {
    int64_t asset_id;
    int64_t content_id;
    struct ims_store_faces_in *faces;
};
ims_status ims_store_commit_faces(struct ims_store *s, struct ims_store_faces_item *items, size_t n,
                                  ims_err *err) IMS_MUST_CHECK;
/* What is still to be looked at: ims_store_queue_missing, then ims_store_queued with IMS_TASK_FACES. Whether a content was looked
 * at: ims_store_find_contents, whose has_vector means that for a face model. */

/* --- reading --- */

struct ims_store_face {
    int64_t id;
    int64_t content_id;
    int64_t model_id;
    int64_t asset_id; /* the first file of the content that is there; 0 = none is */
    const char *path; /* of asset_id; NULL without */
    int x, y, w, h;
    int image_width; /* of the picture, as displayed; 0 = unknown */
    int image_height;
    double score;
    double quality;
    const char *landmarks_json; /* {"left_eye":[x,y],...}; NULL = none */
    bool has_age;
    double age;
    int gender;
    bool has_pose;
    double yaw, pitch, roll;
    int64_t cluster_id;         /* 0 = none */
    double cluster_probability; /* of belonging to cluster_id */
    double outlier_score;       /* 0..1 */
    int64_t clustered_us;       /* 0 = no clustering looked at it; else without a cluster: noise */
    int64_t person_id;          /* 0 = nobody yet */
    const char *person;         /* its name; NULL = nobody */
    const char *birth_date;     /* of that person, "YYYY-MM-DD" or NULL */
    const char *assigned_by;    /* "user" ...; NULL = nobody */
    double assigned_score;      /* cosine that decided; 0 = none did */
    int64_t assigned_us;
    bool is_extra; /* the user said: that person once more in the same photo */
    bool has_taken_at;
    int64_t taken_at_us; /* of the picture */
    int64_t created_us;
};

typedef enum ims_store_face_who {
    IMS_STORE_FACE_ANY,
    IMS_STORE_FACE_ASSIGNED,  /* has a person */
    IMS_STORE_FACE_UNASSIGNED /* has none */
} ims_store_face_who;

/* All conditions must hold; a zero or NULL field asks for nothing. */
struct ims_store_face_filter {
    int64_t model_id;
    int64_t content_id;
    int64_t asset_id; /* faces of its content */
    int64_t person_id;
    int64_t cluster_id;
    ims_store_face_who who;
    bool is_unclustered; /* only those without a cluster */
    double min_quality;
    int64_t after_id;        /* ids above */
    int64_t created_from_us; /* found at or after */
    bool include_gone;       /* also of deleted files */
};

typedef enum ims_store_face_order {
    IMS_STORE_FACES_BY_ID,
    IMS_STORE_FACES_BY_QUALITY, /* best first */
    IMS_STORE_FACES_BY_PHOTO    /* newest asset first, then from left to right */
} ims_store_face_order;

/* limit 0 = all. out_total (may be NULL) counts all that pass. */
ims_status ims_store_faces(struct ims_store *s, const struct ims_store_face_filter *filter,
                           ims_store_face_order order, int64_t offset, int64_t limit,
                           struct ims_arena *arena, struct ims_store_face **out, size_t *out_n,
                           int64_t *out_total, ims_err *err) IMS_MUST_CHECK;
/* By id, in the order asked for, of deleted files too; IMS_E_NOT_FOUND names the first that does not
 * exist. */
ims_status ims_store_faces_by_id(struct ims_store *s, const int64_t *ids, size_t n,
                                 struct ims_arena *arena, struct ims_store_face **out,
                                 ims_err *err) IMS_MUST_CHECK;

struct ims_store_face_counts {
    int64_t faces;  /* of files that are there */
    int64_t photos; /* contents with at least one */
    int64_t assigned;
    int64_t unassigned;  /* faces == assigned + unassigned */
    int64_t clustered;   /* of unassigned */
    int64_t noise;       /* of unassigned: looked at, in no cluster */
    int64_t unclustered; /* of unassigned: no clustering looked at them */
    int64_t clusters;    /* with at least one unassigned face */
    int64_t persons;     /* active or hidden, whatever the model */
};
ims_status ims_store_count_faces(struct ims_store *s, int64_t model_id,
                                 struct ims_store_face_counts *out, ims_err *err) IMS_MUST_CHECK;

#define IMS_STORE_LISTED_ORPHANS 100
struct ims_store_face_orphans {
    int64_t gone;           /* faces of pictures whose files are all gone */
    int64_t gone_held;      /* the same where the user said who they are, or are not: kept */
    int64_t without_vector; /* faces of pictures that are there */
    int64_t unseen;         /* that the user said something about, and their model did not find when it last looked: kept */
    size_t n_listed;        /* of the last: the first ones */
    int64_t listed[IMS_STORE_LISTED_ORPHANS];
};
/* Of all models. is_fixed: the first are forgotten and the pictures of the last are queued again; a picture
 * whose faces were forgotten is looked at again when it comes back. */
ims_status ims_store_face_orphans(struct ims_store *s, bool is_fixed,
                                  struct ims_store_face_orphans *out, ims_err *err) IMS_MUST_CHECK;
typedef ims_status (*ims_store_face_box_fn)(void *arg, const uint8_t sha256[IMS_SHA256_BYTES], int x,
                                            int y, int w, int h, ims_err *err);
/* Shows the box of every face, of all models and of deleted files too, with the hash of its picture. */
ims_status ims_store_face_boxes(struct ims_store *s, ims_store_face_box_fn fn, void *arg,
                                ims_err *err) IMS_MUST_CHECK;

/* --- vectors, for clustering, matching and training --- */

struct ims_store_face_key {
    int64_t id;
    int64_t content_id;
    int64_t person_id;
    int64_t cluster_id;
    int64_t area_px;
    double quality;
};
/* vector: borrowed for the call, aligned for float, dim of the model. */
typedef ims_status (*ims_store_face_vector_fn)(void *arg, const struct ims_store_face_key *face,
                                               const float *vector, ims_err *err);
/* Every face that passes (filter->model_id is needed), with its vector, in the order of ids; one
 * consistent view. */
ims_status ims_store_face_vectors(struct ims_store *s, const struct ims_store_face_filter *filter,
                                  ims_store_face_vector_fn fn, void *arg,
                                  ims_err *err) IMS_MUST_CHECK;
/* Vectors of n faces, all of one model of dim dimensions, into out[n][dim]. IMS_E_NOT_FOUND names the
 * first that does not exist, IMS_E_DIMENSION one of another length. */
ims_status ims_store_face_vectors_by_id(struct ims_store *s, const int64_t *ids, size_t n, int dim,
                                        float *out, ims_err *err) IMS_MUST_CHECK;

/* --- clusters --- */

struct ims_store_cluster_in {
    int64_t id;        /* one of before, to be kept; 0 = a new one. Filled: as stored */
    double confidence; /* mean cosine between members */
};
struct ims_store_cluster_member {
    int64_t face_id;
    int cluster; /* index into the clusters; -1 = noise */
    float probability;
    float outlier_score;
};
/* Result of a clustering, in one transaction: its members leave the clusters they were in. Clusters
 * without faces go. Members that vanished meanwhile are passed over; a cluster to be kept that vanished
 * gets a new id. out_n_stored (may be NULL): members stored. */
ims_status ims_store_put_clusters(struct ims_store *s, int64_t model_id, const char *method,
                                  struct ims_store_cluster_in *clusters, size_t n_clusters,
                                  const struct ims_store_cluster_member *members, size_t n_members,
                                  size_t *out_n_stored, ims_err *err) IMS_MUST_CHECK;

struct ims_store_cluster {
    int64_t id;
    int64_t model_id;
    const char *method;
    double confidence;
    int64_t n_faces;      /* of files that are there */
    int64_t n_unassigned; /* of them */
    double avg_quality;
    int64_t best_face_id; /* of best quality */
    int64_t best_asset_id; /* the first file that shows it */
    int64_t person_id;    /* of the faces that have one, the most frequent; 0 = none has */
    const char *person;   /* its name */
    int64_t created_us;
    int64_t updated_us;
    int64_t *samples; /* faces of best quality, when ims_store_sample_clusters was asked; else NULL */
    size_t n_samples;
};
struct ims_store_cluster_filter {
    int64_t model_id; /* needed */
    int64_t id;
    bool include_assigned; /* also those of which a face has a person */
    bool no_dismissed;     /* without those whose faces are a dismissed group */
    int64_t min_faces;
    double min_confidence;
};
/* Most faces first, then by id. limit 0 = all. */
ims_status ims_store_clusters(struct ims_store *s, const struct ims_store_cluster_filter *filter,
                              int64_t offset, int64_t limit, struct ims_arena *arena,
                              struct ims_store_cluster **out, size_t *out_n, int64_t *out_total,
                              ims_err *err) IMS_MUST_CHECK;

/* Fills in samples of n listed clusters, at most per_cluster of each, best first; in the arena. */
ims_status ims_store_sample_clusters(struct ims_store *s, struct ims_store_cluster *clusters, size_t n,
                                     size_t per_cluster, struct ims_arena *arena, ims_err *err) IMS_MUST_CHECK;

/* --- projections: learned maps of a face model's vectors --- */

struct ims_store_projection {
    int64_t id;
    int64_t model_id;
    int version; /* 1, 2, ... for each model */
    const char *name;
    const char *digest; /* hex SHA-256 of the weights as stored */
    const char *metrics_json;
    bool is_active;
    int64_t created_us;
};
/* weights: dim x dim of the model, row by row (y = W x); optimizer (may be NULL): state to go on from;
 * metrics_json (may be NULL). Not active. */
ims_status ims_store_add_projection(struct ims_store *s, int64_t model_id, const char *name,
                                    const float *weights, const void *optimizer,
                                    size_t optimizer_bytes, const char *metrics_json,
                                    int64_t *out_id, ims_err *err) IMS_MUST_CHECK;
/* Newest first. */
ims_status ims_store_projections(struct ims_store *s, int64_t model_id, struct ims_arena *arena,
                                 struct ims_store_projection **out, size_t *out_n,
                                 ims_err *err) IMS_MUST_CHECK;
/* *out_weights: dim x dim floats, 64-byte aligned; *out_optimizer (may be NULL; *out NULL when there
 * is none): ims__free both. IMS_E_NOT_FOUND; IMS_E_CORRUPT when the digest does not fit. */
ims_status ims_store_read_projection(struct ims_store *s, int64_t id, float **out_weights,
                                     int *out_dim, void **out_optimizer,
                                     size_t *out_optimizer_bytes, ims_err *err) IMS_MUST_CHECK;
/* Makes it the one that is applied when faces of the model are compared; id 0: none is. At most one
 * is active. IMS_E_NOT_FOUND. */
ims_status ims_store_activate_projection(struct ims_store *s, int64_t model_id, int64_t id,
                                         ims_err *err) IMS_MUST_CHECK;
/* 0 = none. */
ims_status ims_store_active_projection(struct ims_store *s, int64_t model_id, int64_t *out_id,
                                       ims_err *err) IMS_MUST_CHECK;
/* IMS_E_CONSTRAINT while it is active. */
ims_status ims_store_drop_projection(struct ims_store *s, int64_t id, ims_err *err) IMS_MUST_CHECK;

#endif
