/* What the files of the people use cases share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_PEOPLE_INTERNAL_H
#define IMS_ENGINE_PEOPLE_INTERNAL_H

#include "engine/engine_internal.h"
#include "engine/people.h"

/* One change: an event, what it does, and the prototypes of the persons it touched. */
struct ims__people_job {
    struct ims_engine *e;
    const struct ims_people_by *by; /* may be NULL */
    const char *operation;
    int64_t from, to;
    ims_status (*run)(struct ims__people_job *j, ims_err *err); /* may run more than once */
    void *ctx;
    /* set by ims__people_run */
    struct ims_store *s;
    int64_t model_id;
    struct ims_prototype_rules rules;
    struct ims_store_event ev; /* id 0 afterwards: nothing changed */
};
ims_status ims__people_run(struct ims__people_job *j, ims_err *err) IMS_MUST_CHECK;

ims_status ims__people_rules(struct ims_engine *e, struct ims_prototype_rules *out,
                             ims_err *err) IMS_MUST_CHECK;
/* Chooses the prototypes of a person anew, within a transaction. */
ims_status ims__people_refresh(struct ims_store *s, const struct ims_prototype_rules *rules,
                               int64_t model_id, int64_t person_id, ims_err *err) IMS_MUST_CHECK;
/* The same for every person that an event touched. */
ims_status ims__people_refresh_event(struct ims_store *s, const struct ims_prototype_rules *rules,
                                     int64_t model_id, int64_t event_id,
                                     ims_err *err) IMS_MUST_CHECK;
/* Within an event: the person of that id, or of that name, made when there is none. */
ims_status ims__people_need_person(struct ims_store *s, struct ims_store_event *ev,
                                   int64_t person_id, const char *name, int64_t *out_id,
                                   bool *out_is_new, ims_err *err) IMS_MUST_CHECK;
/* Faces of a filter, any number. */
ims_status ims__people_faces(struct ims_store *s, const struct ims_store_face_filter *filter,
                             ims_store_face_order order, struct ims_arena *arena,
                             struct ims_store_face **out, size_t *out_n,
                             ims_err *err) IMS_MUST_CHECK;
int64_t *ims__people_ids(struct ims_arena *arena, const struct ims_store_face *faces, size_t n);
ims_status ims__people_nomem(ims_err *err);
/* The length of a model's vectors. */
ims_status ims__people_model_dim(struct ims_engine *e, int64_t model_id, int *out, ims_err *err) IMS_MUST_CHECK;

/* --- the gallery: what faces are compared with --- */

struct ims__gallery {
    struct ims_arena arena;
    int64_t model_id;
    int64_t projection_id;
    float *projection; /* dim x dim; NULL = none */
    int dim;
    size_t n_persons;
    struct ims__gallery_person {
        int64_t id;
        const char *name;
        size_t first, n; /* of the prototypes */
        size_t centroid; /* row of vectors; (size_t)-1 = none */
        int64_t n_faces;
    } * persons;
    size_t n_rows;     /* prototypes, then centroids */
    float *vectors;    /* n_rows x dim, in the space that is compared in */
    int64_t *face_ids; /* of the prototypes */
    double *qualities;
};
struct ims__gallery_of {
    int64_t person_id;      /* 0 = all active persons */
    const int64_t *queries; /* of one person: these faces instead of its prototypes and centroid */
    size_t n_queries;
    bool by_centroid; /* the centroid alone, made when it is missing or stale, whatever the settings */
};
ims_status ims__gallery_open(struct ims_engine *e, const struct ims__gallery_of *of,
                             struct ims__gallery *out, ims_err *err) IMS_MUST_CHECK;
void ims__gallery_release(struct ims__gallery *g);
/* The vector as it is compared: out[dim]. */
void ims__gallery_view(const struct ims__gallery *g, const float *vector, float *out);
/* The active projection of a model, or NULL; ims__free. */
ims_status ims__people_projection(struct ims_engine *e, int64_t model_id, int64_t *out_id,
                                  float **out, ims_err *err) IMS_MUST_CHECK;
void ims__people_project(const float *projection, int dim, const float *in, float *out);

#endif
