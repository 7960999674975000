/* Training: it helps where it can, refuses where it cannot, and keeps its three sets apart.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/mem.h"
#include "kernels/kernels.h"
#include "people/projection/separation.h"
#include "people/projection/train.h"
#include "people/projection/train_split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 48 };

struct people {
    float *rows;
    uint32_t *persons;
    size_t n;
};

static double normal(uint64_t *state)
{
    double u = ((double)(test_random(state) >> 11) + 0.5) / 9007199254740992.0;
    double v = (double)(test_random(state) >> 11) / 9007199254740992.0;

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* Faces as a recogniser might leave them: who somebody is, plus noise, plus a few directions that are the
 * same for everybody (light, pose) and say nothing; `nuisance` is how loud those are. */
static struct people draw(size_t n_persons, size_t n_faces, double nuisance, uint64_t seed)
{
    enum { DIRECTIONS = 6 };
    struct people p = { .n = n_persons * n_faces };
    double direction[DIRECTIONS][DIM], who[DIM];
    uint64_t state = 99; /* the directions are the world's, not the seed's */

    p.rows = calloc(p.n * DIM, sizeof(float));
    p.persons = calloc(p.n, sizeof(*p.persons));
    for (size_t d = 0; d < DIRECTIONS; d++) {
        for (size_t i = 0; i < DIM; i++)
            direction[d][i] = normal(&state);
    }
    state = seed;
    for (size_t k = 0; k < p.n; k++) {
        float *row = p.rows + k * DIM;

        if (k % n_faces == 0) {
            for (size_t i = 0; i < DIM; i++)
                who[i] = normal(&state);
        }
        p.persons[k] = (uint32_t)(k / n_faces) * 7 + 100;
        for (size_t i = 0; i < DIM; i++)
            row[i] = (float)(who[i] + 0.5 * normal(&state));
        for (size_t d = 0; d < DIRECTIONS; d++) {
            double loud = nuisance * normal(&state);

            for (size_t i = 0; i < DIM; i++)
                row[i] += (float)(loud * direction[d][i]);
        }
        (void)ims__kernels()->normalise_f32(row, DIM);
    }
    return p;
}

static void release(struct people *p)
{
    free(p->rows);
    free(p->persons);
}

static struct ims_train_options quick(void)
{
    struct ims_train_options o = ims_train_defaults();

    o.learning_rate = 1e-3;
    o.epochs = 12;
    o.max_far = 0.01;
    return o;
}

TEST(improves, "where light and pose drown people, training tells held-out faces apart far better")
{
    struct people p = draw(30, 10, 1.0, 1);
    struct ims_train_options o = quick();
    struct ims_projection *w = NULL;
    struct ims_train_report r;
    ims_err err = { 0 };

    CHECK_OK(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err), err);
    test_note("true accepts at %.3f false: %.3f -> %.3f, gain %.3f +- %.3f, loss %.3f -> %.3f, epoch %d of %d",
              r.after.false_accept_rate, r.before.true_accept_rate, r.after.true_accept_rate, r.gain,
              r.gain_error, r.watched_first, r.watched_best, r.best_epoch, r.epochs);
    CHECK(r.is_better);
    CHECK(r.after.true_accept_rate > r.before.true_accept_rate + 0.3);
    CHECK(r.after.false_accept_rate <= 0.01);
    CHECK(r.watched_best < r.watched_first);
    CHECK_INT(r.n_persons, 30);
    CHECK_INT(r.n_persons_held_out, 6);
    CHECK_INT(r.n_learned + r.n_watched + r.n_judged, 300);
    CHECK(ims_projection_steps(w) > 0);
    ims_projection_free(w);
    release(&p);
}

TEST(strangers, "what was learnt on some people also helps to tell strangers apart")
{
    struct people p = draw(30, 10, 1.0, 1), q = draw(40, 6, 1.0, 2);
    struct ims_train_options o = quick();
    struct ims_projection *w = NULL;
    struct ims_train_report r;
    struct ims_separation before, after;
    float *rows = malloc(q.n * DIM * sizeof(*rows));
    struct ims_separation_faces f = { q.rows, q.persons, q.n, 0, DIM };
    ims_err err = { 0 };

    CHECK_OK(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err), err);
    CHECK_OK(ims_separation_measure(&f, 0.01, &before, NULL, &err), err);
    CHECK_OK(ims_projection_apply(w, q.rows, q.n, rows, &err), err);
    f.rows = rows;
    CHECK_OK(ims_separation_measure(&f, 0.01, &after, NULL, &err), err);
    test_note("strangers: %.3f -> %.3f", before.true_accept_rate, after.true_accept_rate);
    CHECK(after.true_accept_rate > before.true_accept_rate + 0.2);
    free(rows);
    ims_projection_free(w);
    release(&p);
    release(&q);
}

TEST(repeats, "the same seed gives the same weights to the bit, another seed others")
{
    struct people p = draw(8, 8, 1.0, 3);
    struct ims_train_options o = quick();
    char digest[3][IMS_PROJECTION_DIGEST_BYTES];
    struct ims_train_report r;
    ims_err err = { 0 };

    for (int i = 0; i < 3; i++) {
        struct ims_projection *w = NULL;

        o.seed = i < 2 ? 5 : 6;
        CHECK_OK(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err), err);
        CHECK_OK(ims_projection_digest(w, digest[i], &err), err);
        ims_projection_free(w);
    }
    CHECK_STR(digest[0], digest[1]);
    CHECK(strcmp(digest[0], digest[2]) != 0);
    release(&p);
}

TEST(perfect, "vectors that tell everybody apart already are left alone")
{
    struct people p = draw(20, 8, 0.0, 4);
    struct ims_train_options o = quick();
    struct ims_projection *w = NULL;
    struct ims_train_report r;
    ims_err err = { 0 };

    CHECK_OK(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err), err);
    CHECK_NEAR(r.before.true_accept_rate, 1.0, 1e-9);
    CHECK(!r.is_better);
    ims_projection_free(w);
    release(&p);
}

TEST(keeps_best, "the epoch that was best for the watched faces is kept, or none, however wild the others are")
{
    struct people p = draw(12, 10, 0.3, 11);
    struct ims_train_options o = quick();
    struct ims_projection *w = NULL;
    struct ims_train_report r;
    ims_err err = { 0 };

    o.learning_rate = 0.1;
    CHECK_OK(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err), err);
    test_note("watched loss %.3f, best %.3f in epoch %d of %d", r.watched_first, r.watched_best,
              r.best_epoch, r.epochs);
    CHECK(r.watched_best <= r.watched_first);
    CHECK(r.best_epoch < r.epochs);
    if (r.best_epoch == 0)
        CHECK_INT(ims_projection_steps(w), 0);
    ims_projection_free(w);
    release(&p);
}

TEST(shuffled, "names given at random teach nothing: such a training is not better")
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct people p = draw(20, 10, 1.0, seed);
        struct ims_train_options o = quick();
        struct ims_projection *w = NULL;
        struct ims_train_report r;
        uint64_t state = seed;
        ims_err err = { 0 };

        for (size_t i = p.n; i > 1; i--) {
            size_t j = test_random(&state) % i;
            uint32_t t = p.persons[i - 1];

            p.persons[i - 1] = p.persons[j];
            p.persons[j] = t;
        }
        CHECK_OK(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err), err);
        CHECK(!r.is_better);
        ims_projection_free(w);
        release(&p);
    }
}

TEST(goes_on, "training goes on from a checkpoint's weights and steps")
{
    struct people p = draw(12, 8, 1.0, 5);
    struct ims_train_options o = quick();
    struct ims_projection *first = NULL, *second = NULL, *wrong = NULL;
    struct ims_train_report r;
    double reached;
    ims_err err = { 0 };

    CHECK_OK(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &first, &r, &err), err);
    reached = r.watched_best;
    CHECK_OK(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, first, &second, &r, &err), err);
    CHECK_NEAR(r.watched_first, reached, 1e-9);
    CHECK(ims_projection_steps(second) >= ims_projection_steps(first));
    CHECK_OK(ims_projection_new(&wrong, DIM + 1, &err), err);
    CHECK_STATUS(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, wrong, &second, &r, &err),
                 IMS_E_DIMENSION, err);
    ims_projection_free(first);
    ims_projection_free(second);
    ims_projection_free(wrong);
    release(&p);
}

static bool stop_at_two(void *arg, const struct ims_train_progress *p)
{
    *(int *)arg = p->epoch;
    return p->epoch < 2;
}

TEST(cancel, "training stops at the epoch in which it is cancelled and leaves nothing")
{
    struct people p = draw(8, 8, 1.0, 6);
    struct ims_train_options o = quick();
    struct ims_projection *w = NULL;
    struct ims_train_report r;
    int last = 0;
    ims_err err = { 0 };

    o.on_epoch = stop_at_two;
    o.arg = &last;
    CHECK_STATUS(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err),
                 IMS_E_CANCELLED, err);
    CHECK_INT(last, 2);
    CHECK(w == NULL);
    release(&p);
}

TEST(too_few, "one person, or one face of each, is refused with what is needed")
{
    struct people p = draw(1, 30, 1.0, 7), q = draw(30, 1, 1.0, 7);
    struct ims_train_options o = quick();
    struct ims_projection *w = NULL;
    struct ims_train_report r;
    ims_err err = { 0 };

    CHECK_STATUS(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err),
                 IMS_E_INVALID, err);
    CHECK(strstr(err.text, "two persons with 5"));
    CHECK_STATUS(ims_train_projection(q.rows, q.persons, q.n, DIM, &o, NULL, &w, &r, &err),
                 IMS_E_INVALID, err);
    CHECK_STATUS(ims_train_projection(q.rows, q.persons, 0, DIM, &o, NULL, &w, &r, &err), IMS_E_INVALID,
                 err);
    CHECK(w == NULL);
    release(&p);
    release(&q);
}

TEST(bad_options, "options out of range are refused before anything is done")
{
    struct people p = draw(4, 6, 1.0, 8);
    struct ims_train_options good = quick(), o;
    struct ims_projection *w = NULL;
    struct ims_train_report r;
    ims_err err = { 0 };

#define REFUSED(field, value)                                                                         \
    o = good;                                                                                         \
    o.field = value;                                                                                  \
    CHECK_STATUS(ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err),            \
                 IMS_E_INVALID, err)
    REFUSED(margin, 0.0);
    REFUSED(margin, 1.5);
    REFUSED(margin, (double)NAN);
    REFUSED(learning_rate, 0.0);
    REFUSED(learning_rate, 0.2);
    REFUSED(epochs, 0);
    REFUSED(epochs, 1001);
    REFUSED(batch, 3);
    REFUSED(batch, 257);
#undef REFUSED
    p.rows[5] = NAN;
    CHECK_STATUS(ims_train_projection(p.rows, p.persons, p.n, DIM, &good, NULL, &w, &r, &err),
                 IMS_E_INVALID, err);
    CHECK(strstr(err.text, "face 0"));
    CHECK(w == NULL);
    release(&p);
}

TEST(split, "no face is learnt from, watched and judged twice, and copies count once")
{
    struct people p = draw(20, 9, 1.0, 9);
    struct ims_train_split s;
    const struct ims_face_set *sets[3];
    bool learnt[20 * 7 + 101] = { false };
    ims_err err = { 0 };

    memcpy(p.rows + DIM, p.rows, DIM * sizeof(float)); /* faces 0 and 1 are a photo and its copy */
    CHECK_OK(ims_train_split_make(&s, p.rows, p.persons, p.n, DIM, 5, 1, &err), err);
    sets[0] = &s.learn;
    sets[1] = &s.watch;
    sets[2] = &s.judge;
    CHECK_INT(s.n_persons_held_out, 4);
    CHECK_INT(s.n_ignored, 1);
    CHECK_INT(s.learn.n + s.watch.n + s.judge.n, 179);
    for (int a = 0; a < 3; a++) {
        for (int b = a; b < 3; b++) {
            for (size_t i = 0; i < sets[a]->n; i++) {
                for (size_t j = a == b ? i + 1 : 0; j < sets[b]->n; j++)
                    CHECK(memcmp(sets[a]->rows + i * DIM, sets[b]->rows + j * DIM,
                                 DIM * sizeof(float)) != 0);
            }
        }
    }
    for (size_t i = 0; i < s.learn.n; i++)
        learnt[s.learn.persons[i]] = true;
    for (size_t i = 0, held_out = 0; i < s.judge.n; i++) {
        held_out += !learnt[s.judge.persons[i]];
        if (i == s.judge.n - 1)
            CHECK(held_out == 36 || held_out == 35); /* four persons of nine faces, one may have a copy */
    }
    for (size_t i = 0; i < s.watch.n; i++)
        CHECK(learnt[s.watch.persons[i]]);
    ims_train_split_release(&s);
    release(&p);
}

TEST(separation, "the accept rates are those of counting pairs by hand")
{
    /* On a circle: gallery at 0 and 90 degrees, probes at 10 and 30 (person 0) and 70 (person 1). */
    static const double degrees[] = { 0, 90, 10, 30, 70 };
    static const uint32_t persons[] = { 0, 1, 0, 0, 1 };
    float rows[10];
    struct ims_separation_faces f = { rows, persons, 5, 2, 2 };
    struct ims_separation s;
    double rates[3];
    ims_err err = { 0 };

    for (size_t i = 0; i < 5; i++) {
        rows[2 * i] = (float)cos(degrees[i] * 3.14159265358979 / 180);
        rows[2 * i + 1] = (float)sin(degrees[i] * 3.14159265358979 / 180);
    }
    /* Same: 10, 30, 20 (10-30), 20 (70-90). Different: 80, 60, 70 (0-70), 60 (10-70), 40 (30-70). */
    CHECK_OK(ims_separation_measure(&f, 0.0, &s, rates, &err), err);
    CHECK_INT(s.n_same, 4);
    CHECK_INT(s.n_different, 5);
    CHECK_NEAR(s.true_accept_rate, 1.0, 0);
    CHECK_NEAR(s.false_accept_rate, 0.0, 0);
    CHECK_NEAR(s.threshold, cos(40 * 3.14159265358979 / 180), 1e-4);
    CHECK_NEAR(rates[1], 1.0, 0);
    rows[6] = (float)cos(45 * 3.14159265358979 / 180); /* the probe at 30 moves to 45 */
    rows[7] = rows[6];
    /* Now 25 degrees lie between it and 70; same pairs: 10, 45, 35, 20. */
    CHECK_OK(ims_separation_measure(&f, 0.0, &s, rates, &err), err);
    CHECK_NEAR(s.true_accept_rate, 0.5, 0);
    CHECK_NEAR(rates[0], 1.0, 0);
    CHECK_NEAR(rates[1], 0.0, 0);
    CHECK_OK(ims_separation_measure(&f, 0.2, &s, rates, &err), err);
    CHECK_NEAR(s.false_accept_rate, 0.2, 0);
    CHECK_NEAR(s.true_accept_rate, 0.75, 0);
    f.n = 3;
    CHECK_OK(ims_separation_measure(&f, 0.2, &s, NULL, &err), err);
    f.n_gallery = 1;
    f.n = 2;
    CHECK_STATUS(ims_separation_measure(&f, 0.2, &s, NULL, &err), IMS_E_INVALID, err);
}

TEST(memory, "when memory is short at any point, training says so and leaks nothing")
{
    struct people p = draw(4, 6, 1.0, 10);
    struct ims_train_options o = quick();
    struct ims_train_report r;
    ims_status st;

    o.epochs = 2;
    for (uint64_t at = 1; at < 1000; at++) {
        struct ims_projection *w = NULL;
        ims_err err = { 0 };

        ims__mem_fail_at(at);
        st = ims_train_projection(p.rows, p.persons, p.n, DIM, &o, NULL, &w, &r, &err);
        ims__mem_fail_at(0);
        ims_projection_free(w);
        if (!st)
            break;
        CHECK_INT(st, IMS_E_NOMEM);
    }
    CHECK_INT(st, IMS_OK);
    release(&p);
}

TEST_MAIN
