/* A library with faces, and short ways to change persons.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_PEOPLE_FIXTURE_H
#define IMS_TESTS_PEOPLE_FIXTURE_H

#include "contract/store/store_fixture.h"
#include "store/persons.h"

#define PEOPLE_MAX_FACES 64

struct people {
    struct library l;
    int64_t face_model;
    int64_t faces[PEOPLE_MAX_FACES]; /* in the order of photos, then of faces */
    size_t n_faces;
};

/* n_photos photos with n_per_photo faces each. false after a failure that was reported. */
bool people_open(struct people *p, size_t n_photos, size_t n_per_photo);

/* Each of these is one event in one transaction; the status is returned, *out_event (may be NULL) is the
 * event's id. */
ims_status people_create(struct people *p, const char *name, int64_t *out_id, int64_t *out_event);
ims_status people_assign(struct people *p, struct ims_store_assign *what, int64_t *out_event);
/* One face, strictly. flags: of struct ims_store_assign. */
ims_status people_assign_one(struct people *p, int64_t face_id, int64_t person_id, bool may_move,
                             bool allow_extra);
ims_status people_reject(struct people *p, int64_t face_id, int64_t person_id, bool on);
ims_status people_change(struct people *p, int64_t id, const struct ims_store_person_change *change,
                         int64_t *out_event);
ims_status people_undo(struct people *p, int64_t event_id, bool is_partial, int64_t *out_event,
                       int64_t *out_n_kept);
/* Who a face is; -1 after a reported failure. */
int64_t people_of(struct people *p, int64_t face_id);

#endif
