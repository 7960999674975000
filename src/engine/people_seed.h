/* Names from a list of pictures and boxes, the "seed" form in which image-search-service hands people on: a face is told
 * by the path of its picture and where it is in it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_PEOPLE_SEED_H
#define IMS_ENGINE_PEOPLE_SEED_H

#include "engine/people.h"

#define IMS_SEED_VERSION "1.0"
#define IMS_SEED_TOLERANCE_PX 10

typedef enum ims_seed_found {
    IMS_SEED_MATCHED,   /* the face is that person now, or was already */
    IMS_SEED_NO_FACE,   /* no box is near enough */
    IMS_SEED_NO_IMAGE,  /* no such picture in the library, or its file is gone */
    IMS_SEED_UNREAD,    /* no face model has looked at it, or failed */
    IMS_SEED_CONFLICT   /* somebody else here, rejected, or the person is in the photo already */
} ims_seed_found;

/* One entry and what became of it. */
struct ims_seed_face {
    const char *path; /* as given: in display form */
    ims_seed_found found;
    int64_t face_id;   /* 0 = none */
    const char *error; /* why not; NULL when it matched */
};
struct ims_seed_person {
    const char *name;
    int64_t id;        /* 0: the name is none; error tells */
    bool is_new;
    const char *error;
    struct ims_seed_face *faces;
    size_t n_faces, n_matched, n_not_found, n_missing, n_conflicts;
};
struct ims_people_seed {
    bool is_dry_run;
    bool may_move;       /* also faces that are somebody else here */
    bool needs_all;      /* a missing picture: nothing is changed */
    int tolerance_px;    /* x, y, width and height differ by at most that; the smallest Euclidean distance wins.
                          * 0 = IMS_SEED_TOLERANCE_PX */
    /* filled, in the arena */
    struct ims_seed_person *persons;
    size_t n_persons;
    size_t n_assigned; /* faces that changed */
    size_t n_missing;  /* pictures that are not there */
    int64_t event_id;  /* 0 = nothing changed */
};
/* data: {version, persons: [{name, status, faceMappings: [{imagePath, boundingBox: {x, y, width, height}}]}]}. One change.
 * IMS_E_FORMAT for what is no such JSON of that version. */
ims_status ims_people_seed(struct ims_engine *e, const struct ims_people_by *by, const ims_json *data,
                           struct ims_people_seed *what, struct ims_arena *arena, ims_err *err) IMS_MUST_CHECK;

#endif
