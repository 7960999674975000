/* `imgsearch faces train` on libraries of synthetic faces: it learns where there is something to learn, keeps
 * nothing where there is not, and can be taken back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/people_library.h"

#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PERSONS = 20, FACES = 10, DIRECTIONS = 4 };

#define TRAIN "faces\ntrain\n--json\n--quiet\n--learning-rate\n0.002\n--epochs\n30"

static const struct ims_people_by me = { "me", NULL };

static double normal(uint64_t *state)
{
    double u = ((double)(test_random(state) >> 11) + 0.5) / 9007199254740992.0;
    double v = (double)(test_random(state) >> 11) / 9007199254740992.0;

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* Who somebody is, a little noise, and a few loud directions that are the same for everybody. */
static bool add_faces(struct people_library *p)
{
    double direction[DIRECTIONS][FACE_DIM], who[FACE_DIM] = { 0 };
    uint64_t state = 21;

    for (int d = 0; d < DIRECTIONS; d++) {
        for (int i = 0; i < FACE_DIM; i++)
            direction[d][i] = normal(&state);
    }
    for (int k = 0; k < PERSONS * FACES; k++) {
        float v[FACE_DIM];

        for (int i = 0; i < FACE_DIM && k % FACES == 0; i++)
            who[i] = normal(&state);
        for (int i = 0; i < FACE_DIM; i++)
            v[i] = (float)(who[i] + 0.4 * normal(&state));
        for (int d = 0; d < DIRECTIONS; d++) {
            double loud = normal(&state);

            for (int i = 0; i < FACE_DIM; i++)
                v[i] += (float)(loud * direction[d][i]);
        }
        (void)ims__kernels()->normalise_f32(v, FACE_DIM);
        if (!people_add_vector(p, k + 1, v))
            return false;
    }
    return true;
}

/* Person i gets the faces i * FACES .. of `order`; n_persons of them. */
static bool name_faces(struct people_library *p, const int64_t *order, int n_persons)
{
    for (int i = 0; i < n_persons; i++) {
        char name[32];
        struct ims_people_assign what = {
            .face_ids = order + i * FACES, .n = FACES, .name = name, .is_strict = true
        };

        snprintf(name, sizeof(name), "Person %d", i);
        if (!test_check_ok(__FILE__, __LINE__, name, ims_people_assign(p->e, &me, &what, &p->err),
                           &p->err))
            return false;
    }
    return true;
}

static bool open_library(struct people_library *p, bool is_enabled)
{
    if (!people_library_open(p) || !add_faces(p))
        return false;
    if (is_enabled)
        library_add_env(&p->l, "FACE_TRAINING_ENABLED=true");
    return true;
}

static double number(const ims_json *v, const char *in, const char *key)
{
    return ims__json_num(ims__json_get(in ? ims__json_get(v, in) : v, key), -1);
}

static bool flag(const ims_json *v, const char *key)
{
    return ims__json_bool(ims__json_get(v, key), false);
}

/* How many trainings are kept, and which serves (0 = none). */
static void check_versions(struct people_library *p, size_t n, int active)
{
    ims_json *list = library_run(&p->l, 0, "faces\ntrain\n--list\n--json");
    int serves = 0;

    for (size_t i = 0; i < ims__json_len(list); i++) {
        if (flag(ims__json_at(list, i), "active"))
            serves = (int)number(ims__json_at(list, i), NULL, "version");
    }
    CHECK_INT(ims__json_len(list), n);
    CHECK_INT(serves, active);
    ims__json_free(list);
}

TEST(switched_off, "training needs its switch and enough named faces, and says so")
{
    struct people_library p;
    struct run_options o = { 0 };
    struct run_result r;

    CHECK(open_library(&p, false));
    library_run_with(&p.l, &o, &r, "faces\ntrain");
    CHECK_INT(r.exit_code, 15);
    CHECK(strstr(r.err, "FACE_TRAINING_ENABLED"));
    run_release(&r);
    library_add_env(&p.l, "FACE_TRAINING_ENABLED=true");
    CHECK(name_faces(&p, p.faces, 1));
    library_run_with(&p.l, &o, &r, "faces\ntrain");
    CHECK_INT(r.exit_code, 2);
    CHECK(strstr(r.err, "two persons with 5"));
    run_release(&r);
    library_run_with(&p.l, &o, &r, "faces\ntrain\n--batch-size\n3");
    CHECK_INT(r.exit_code, 2);
    run_release(&r);
    check_versions(&p, 0, 0);
    people_library_close(&p);
}

TEST(better, "what is better is kept, serves, and can be taken back; vectors stay as they are")
{
    static float before[PERSONS * FACES][FACE_DIM], after[PERSONS * FACES][FACE_DIM];
    struct people_library p;
    char words[1200], checkpoint[700];
    ims_json *v;

    CHECK(open_library(&p, true) && name_faces(&p, p.faces, PERSONS));
    CHECK_OK(ims_store_face_vectors_by_id(p.s, p.faces, p.n_faces, FACE_DIM, before[0], &p.err), p.err);
    v = library_run(&p.l, 0, TRAIN "\n--dry-run");
    CHECK(flag(v, "better") && !flag(v, "active"));
    ims__json_free(v);
    check_versions(&p, 0, 0);

    snprintf(checkpoint, sizeof(checkpoint), "%s/trained.bin", p.l.photos);
    snprintf(words, sizeof(words), TRAIN "\n--checkpoint\n%s", checkpoint);
    v = library_run(&p.l, 0, words);
    test_note("true accepts %.3f -> %.3f at %.4f false", number(v, "before", "trueAcceptRate"),
              number(v, "after", "trueAcceptRate"), number(v, "after", "falseAcceptRate"));
    CHECK(flag(v, "better") && flag(v, "active"));
    CHECK_INT(number(v, NULL, "version"), 1);
    CHECK(number(v, "after", "trueAcceptRate") > number(v, "before", "trueAcceptRate") + 0.1);
    CHECK(number(v, "after", "falseAcceptRate") <= 0.001);
    CHECK(access(checkpoint, R_OK) == 0);
    ims__json_free(v);
    check_versions(&p, 1, 1);
    CHECK_OK(ims_store_face_vectors_by_id(p.s, p.faces, p.n_faces, FACE_DIM, after[0], &p.err), p.err);
    CHECK_MEM(after, before, sizeof(before));

    ims__json_free(library_run(&p.l, 0, "faces\ntrain\n--use\nnone\n--json"));
    check_versions(&p, 1, 0);
    ims__json_free(library_run(&p.l, 0, "faces\ntrain\n--use\n1\n--json"));
    check_versions(&p, 1, 1);
    (void)library_run(&p.l, 5, "faces\ntrain\n--use\n7");
    check_versions(&p, 1, 1);
    people_library_close(&p);
}

TEST(goes_on, "training goes on from the version that serves")
{
    struct people_library p;
    double first;
    ims_json *v;

    CHECK(open_library(&p, true) && name_faces(&p, p.faces, PERSONS));
    v = library_run(&p.l, 0, "faces\ntrain\n--json\n--quiet\n--learning-rate\n0.002\n--epochs\n12");
    CHECK(flag(v, "active"));
    first = number(v, NULL, "watchedLossAfter");
    ims__json_free(v);
    v = library_run(&p.l, 0, TRAIN "\n--continue");
    CHECK_NEAR(number(v, NULL, "watchedLossBefore"), first, 1e-4);
    CHECK(number(v, NULL, "watchedLossAfter") <= first);
    ims__json_free(v);
    people_library_close(&p);
}

TEST(no_better, "names dealt at random teach nothing: nothing is kept and nothing serves")
{
    struct people_library p;
    int64_t order[PERSONS * FACES];
    uint64_t state = 5;
    ims_json *v;

    CHECK(open_library(&p, true));
    memcpy(order, p.faces, sizeof(order));
    for (size_t i = PERSONS * FACES; i > 1; i--) {
        size_t k = test_random(&state) % i;
        int64_t t = order[i - 1];

        order[i - 1] = order[k];
        order[k] = t;
    }
    CHECK(name_faces(&p, order, PERSONS));
    v = library_run(&p.l, 0, TRAIN);
    CHECK(!flag(v, "better") && !flag(v, "active"));
    ims__json_free(v);
    check_versions(&p, 0, 0);
    people_library_close(&p);
}

TEST(unwritable, "when the checkpoint cannot be written, the library stays as it was")
{
    struct people_library p;
    struct run_options o = { 0 };
    struct run_result r;

    CHECK(open_library(&p, true) && name_faces(&p, p.faces, PERSONS));
    library_run_with(&p.l, &o, &r, TRAIN "\n--checkpoint\n/nowhere/at/all/trained.bin");
    CHECK_INT(r.exit_code, 5);
    run_release(&r);
    check_versions(&p, 0, 0);
    people_library_close(&p);
}

TEST_MAIN
