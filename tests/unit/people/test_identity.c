/* Prototypes, centroids and the comparison with a person: rules on numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "kernels/kernels.h"
#include "people/identity/centroid.h"
#include "people/identity/prototypes.h"

#include <math.h>
#include <string.h>

#define MAX_FACES 20

static struct ims_prototype_face face(int64_t id, double quality, double age)
{
    return (struct ims_prototype_face){ .id = id,
                                        .photo = id,
                                        .quality = quality,
                                        .has_age = age >= 0,
                                        .age = age,
                                        .pinned_era = IMS_ERA_NONE };
}

static size_t choose(const struct ims_prototype_face *faces, size_t n,
                     struct ims_prototype_choice *out)
{
    struct ims_prototype_rules rules;
    size_t scratch[MAX_FACES];

    ims_prototype_rules_default(&rules);
    return ims_prototypes_choose(&rules, faces, n, scratch, out);
}

TEST(eras, "an age lies in one era, bounds included below")
{
    static const struct {
        double age;
        ims_era era;
    } rows[] = { { -1, IMS_ERA_INFANT },      { 3, IMS_ERA_INFANT }, { 3.1, IMS_ERA_CHILD },
                 { 12, IMS_ERA_CHILD },       { 19, IMS_ERA_TEEN },  { 20, IMS_ERA_YOUNG_ADULT },
                 { 35, IMS_ERA_YOUNG_ADULT }, { 55, IMS_ERA_ADULT }, { 56, IMS_ERA_SENIOR },
                 { 120, IMS_ERA_SENIOR },     { NAN, IMS_ERA_NONE } };
    struct ims_prototype_rules rules;
    ims_era era;

    ims_prototype_rules_default(&rules);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(ims_era_of(&rules, true, rows[i].age), rows[i].era);
    CHECK_INT(ims_era_of(&rules, false, 30), IMS_ERA_NONE);
    for (unsigned i = 0; i < IMS_N_ERAS; i++)
        CHECK(ims_era_parse(ims_era_name((ims_era)i), &era) && era == (ims_era)i);
    CHECK(!ims_era_parse("old", &era) && !ims_era_parse(NULL, &era) &&
          ims_era_name(IMS_ERA_NONE) == NULL);
}

TEST(era_score,
     "a face stands for its era by quality, looking ahead, size and known age, at most 1")
{
    struct ims_prototype_face f = face(1, 0.5, -1);

    CHECK(fabs(ims_prototype_era_score(&f) - 0.3) < 1e-12);
    f.has_pose = true;
    f.yaw = -15;
    CHECK(fabs(ims_prototype_era_score(&f) - 0.5) < 1e-12);
    f.pitch = 16;
    CHECK(fabs(ims_prototype_era_score(&f) - 0.3) < 1e-12);
    f.area_px = 10001;
    f.has_age = true;
    f.pitch = 0;
    f.quality = 1.5;
    CHECK(ims_prototype_era_score(&f) == 1);
}

TEST(eras_first, "each era gets its best face, then come exemplars; below the wanted quality a "
                 "face stands in for its era alone")
{
    struct ims_prototype_face faces[6] = { face(1, 0.9, 30), face(2, 0.8, 30), face(3, 0.7, 8),
                                           face(4, 0.3, 70), face(5, 0.6, -1), face(6, 0.4, 30) };
    struct ims_prototype_choice out[8];
    size_t n = choose(faces, 6, out);

    CHECK_INT(n, 5);
    CHECK(out[0].face == 0 && out[0].kind == IMS_PROTOTYPE_TEMPORAL &&
          out[0].era == IMS_ERA_YOUNG_ADULT);
    CHECK(out[1].face == 2 && out[1].kind == IMS_PROTOTYPE_TEMPORAL && out[1].era == IMS_ERA_CHILD);
    CHECK(out[2].face == 1 && out[2].kind == IMS_PROTOTYPE_EXEMPLAR);
    CHECK(out[3].face == 4 && out[3].era == IMS_ERA_NONE);
    CHECK(out[4].face == 3 && out[4].kind == IMS_PROTOTYPE_FALLBACK &&
          out[4].era == IMS_ERA_SENIOR);
}

TEST(limit, "with more eras than prototypes good ones win over stand-ins, and the number is kept")
{
    struct ims_prototype_face faces[6] = { face(1, 0.6, 2),  face(2, 0.4, 10), face(3, 0.6, 15),
                                           face(4, 0.6, 30), face(5, 0.6, 50), face(6, 0.9, 70) };
    struct ims_prototype_choice out[8];

    CHECK_INT(choose(faces, 6, out), 5);
    CHECK_INT(out[0].face, 5); /* the best first */
    for (int i = 0; i < 5; i++)
        CHECK(out[i].kind == IMS_PROTOTYPE_TEMPORAL && out[i].face != 1);
}

TEST(photos, "exemplars come from photos that are not used yet, as long as there are any")
{
    struct ims_prototype_face faces[7];
    struct ims_prototype_choice out[8];

    for (int i = 0; i < 7; i++)
        faces[i] = face(i + 1, 0.9 - 0.01 * i, -1);
    faces[1].photo = faces[2].photo = faces[0].photo;
    CHECK_INT(choose(faces, 7, out), 5);
    for (int i = 0; i < 5; i++)
        CHECK(out[i].face != 1 && out[i].face != 2);
    CHECK_INT(choose(faces, 4, out), 4); /* there are no others */
}

TEST(pins,
     "pins take places and eras, excluded faces are never chosen, and a person is never without")
{
    struct ims_prototype_face faces[4] = { face(1, 0.2, 30), face(2, 0.9, 30), face(3, 0.8, 8),
                                           face(4, 0.1, -1) };
    struct ims_prototype_choice out[8];
    size_t n;

    faces[0].is_pinned = true;
    faces[0].pinned_era = IMS_ERA_YOUNG_ADULT;
    faces[2].is_excluded = true;
    n = choose(faces, 4, out);
    CHECK_INT(n, 1);
    CHECK(out[0].face == 1 && out[0].kind == IMS_PROTOTYPE_EXEMPLAR); /* its era is pinned */
    for (int i = 0; i < 4; i++)
        faces[i].is_pinned = false;
    CHECK_INT(choose(faces + 3, 1, out), 1); /* the only one, of whatever quality */
    CHECK_INT(out[0].kind, IMS_PROTOTYPE_FALLBACK);
    faces[3].is_excluded = true;
    CHECK_INT(choose(faces + 3, 1, out), 0);
    CHECK_INT(choose(faces, 0, out), 0);
}

TEST(order, "the choice does not depend on the order of the faces")
{
    struct ims_prototype_face faces[MAX_FACES], turned[MAX_FACES];
    struct ims_prototype_choice a[8], b[8];
    uint64_t state = 5;
    size_t n_a, n_b;

    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < MAX_FACES; i++) {
            faces[i] = face(i + 1, (double)(test_random(&state) % 8) / 8,
                            (double)(test_random(&state) % 90));
            faces[i].has_age = test_random(&state) % 3 != 0;
            faces[i].photo = (int64_t)(test_random(&state) % 6);
        }
        for (int i = 0; i < MAX_FACES; i++)
            turned[i] = faces[(i * 7 + round) % MAX_FACES];
        n_a = choose(faces, MAX_FACES, a);
        n_b = choose(turned, MAX_FACES, b);
        CHECK_INT(n_a, n_b);
        for (size_t i = 0; i < n_a; i++)
            CHECK_INT(faces[a[i].face].id, turned[b[i].face].id);
    }
}

/* --- centroids --- */

#define DIM 8
#define MAX_VECTORS 320

static float vectors[MAX_VECTORS * DIM];

/* n vectors near the first axis, of which n_odd point elsewhere. */
static void make_vectors(size_t n, size_t n_odd)
{
    uint64_t state = 3;

    for (size_t i = 0; i < n; i++) {
        float *v = vectors + i * DIM;

        for (int d = 0; d < DIM; d++)
            v[d] = 0.05f * (float)((double)(test_random(&state) >> 11) / 9007199254740992.0 - 0.5);
        v[i < n_odd ? 1 : 0] += 1;
        (void)ims__kernels()->normalise_f32(v, DIM);
    }
}

TEST(centroid, "a centroid is the scaled mean, of 50 faces on without the least similar ones")
{
    static const struct {
        size_t n, trimmed;
    } rows[] = { { 1, 0 }, { 49, 0 }, { 50, 2 }, { 300, 15 }, { 301, 30 } };
    float c[DIM];
    size_t n_trimmed = 99;
    ims_err err;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make_vectors(rows[i].n, rows[i].trimmed); /* as many as are left out */
        CHECK_OK(ims_centroid(ims__kernels(), vectors, rows[i].n, DIM, c, &n_trimmed, &err), err);
        CHECK_INT(n_trimmed, rows[i].trimmed);
        CHECK(fabs(ims__kernels()->normalise_f32(c, DIM) - 1) < 1e-6);
        CHECK((double)c[0] > 0.998 && fabs((double)c[1]) < 0.03);
    }
}

TEST(no_centroid, "there is no centroid of nothing, or of faces that cancel out")
{
    float c[DIM] = { 7 };
    size_t n_trimmed = 0;
    ims_err err;

    CHECK_STATUS(ims_centroid(ims__kernels(), vectors, 0, DIM, c, &n_trimmed, &err), IMS_E_INVALID,
                 err);
    memset(vectors, 0, 2 * DIM * sizeof(float));
    vectors[0] = 1;
    vectors[DIM] = -1;
    CHECK_STATUS(ims_centroid(ims__kernels(), vectors, 2, DIM, c, &n_trimmed, &err), IMS_E_INVALID,
                 err);
    CHECK(c[0] == 7);
}

TEST(hash, "the hash of a centroid's faces is that of their numbers joined by colons")
{
    const int64_t ids[3] = { 1, 20, 300 };
    char out[IMS_CENTROID_HASH_BYTES];
    ims_err err;

    CHECK_OK(ims_centroid_hash(ids, 3, out, &err), err);
    CHECK_STR(out, "ab7f9517e8f0595b"); /* printf 1:20:300 | sha256sum | cut -c1-16 */
}

TEST(matching,
     "a person's score is the best of all, its confidence that of the best face that matches")
{
    const float scores[3] = { 0.8f, 0.9f, 0.3f };
    const double qualities[3] = { 0.9, 0.5, 1.0 };
    struct ims_match m;

    ims_match_person(scores, qualities, 3, -2, 0.7, &m);
    CHECK(fabs(m.aggregate - 0.9) < 1e-6 && m.best == 1 && m.n_matches == 2);
    CHECK(fabs(m.confidence - 0.8) < 1e-6);
    ims_match_person(scores, qualities, 3, 0.95, 0.7, &m);
    CHECK(fabs(m.aggregate - 0.95) < 1e-6 && m.best == 1 && m.n_matches == 2);
    ims_match_person(scores + 2, qualities, 1, 0.75, 0.7, &m); /* the centroid alone */
    CHECK(fabs(m.confidence - 0.75) < 1e-6 && m.n_matches == 0);
    ims_match_person(scores, qualities, 0, 0.75, 0.7, &m);
    CHECK(fabs(m.aggregate - 0.75) < 1e-6 && m.best == 0);
    ims_match_person((const float[]){ 1.0000001f }, qualities, 1, -2, 0.7, &m);
    CHECK(m.aggregate == 1);
}

TEST_MAIN
