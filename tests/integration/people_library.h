/* An engine on a library of synthetic faces: photos without files, faces that look like their model.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_PEOPLE_LIBRARY_H
#define IMS_TESTS_PEOPLE_LIBRARY_H

#include "engine/people.h"
#include "harness/test.h"
#include "integration/library.h"

#define FACE_DIM 32
#define MAX_FACES 512

struct people_library {
    struct library l;
    const char *url; /* NULL: SQLite in the data directory */
    struct ims_engine *e;
    struct ims_store *s;
    int64_t root_id, clip_model, face_model;
    int64_t faces[MAX_FACES]; /* in the order in which they were added */
    size_t n_faces;
    struct ims_arena arena;
    ims_err err;
};

/* false after a failure that was reported. */
bool people_library_open(struct people_library *p);
void people_library_close(struct people_library *p);
/* Another engine on the same library. */
struct ims_engine *people_library_engine(struct people_library *p);

/* A photo of content `photo` with a face for each of looks[0..n): faces of one look are alike (cosine about
 * 0.95 with spread 0.05), those of different ones are not. Their quality falls from left to right, from 0.9. */
bool people_add_photo(struct people_library *p, int photo, const int *looks, size_t n,
                      double spread);
/* A photo of content `photo` with one face of that vector (FACE_DIM floats, length 1). */
bool people_add_vector(struct people_library *p, int photo, const float *vector);
/* n photos with one face each of a look. */
bool people_add_faces(struct people_library *p, int first_photo, size_t n, int look, double spread);
/* Makes a cluster of faces; its id. */
int64_t people_cluster(struct people_library *p, const int64_t *face_ids, size_t n);
int64_t people_person_of(struct people_library *p, int64_t face_id); /* -1 after a failure */
/* All that is known about who is whom, as text: equal texts, equal states. ims__free. */
char *people_snapshot(struct people_library *p);

#endif
