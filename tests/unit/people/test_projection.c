/* Projections: the identity, checkpoints that survive and damage that is noticed, the gradient.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/fs.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "people/projection/projection.h"
#include "people/projection/projection_internal.h"
#include "people/projection/triplet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 12 };

static float uniform(uint64_t *state)
{
    return (float)(test_random(state) >> 40) / 8388608.0F - 1.0F;
}

static void unit_rows(float *out, size_t n, size_t dim, uint64_t *state)
{
    for (size_t i = 0; i < n * dim; i++)
        out[i] = uniform(state);
    for (size_t i = 0; i < n; i++)
        (void)ims__kernels()->normalise_f32(out + i * dim, dim);
}

static struct ims_projection *odd_projection(void)
{
    struct ims_projection *p = NULL;
    ims_err err = { 0 };
    uint64_t state = 3;

    CHECK_SOFT(ims_projection_new(&p, DIM, &err) == IMS_OK);
    for (size_t i = 0; p && i < DIM * DIM; i++) {
        p->weights[i] += 0.3F * uniform(&state);
        p->first[i] = uniform(&state);
        p->second[i] = fabsf(uniform(&state));
    }
    if (p) {
        p->steps = 1234567890123U;
        CHECK_SOFT(ims_projection_set_card(p, "{\"persons\": 12}", &err) == IMS_OK);
    }
    return p;
}

TEST(identity, "an untrained projection leaves unit vectors as they are")
{
    struct ims_projection *p = NULL;
    float in[5 * DIM], out[5 * DIM];
    uint64_t state = 1;
    ims_err err = { 0 };

    unit_rows(in, 5, DIM, &state);
    CHECK_OK(ims_projection_new(&p, DIM, &err), err);
    CHECK_OK(ims_projection_apply(p, in, 5, out, &err), err);
    for (size_t i = 0; i < 5 * DIM; i++)
        CHECK_NEAR(out[i], in[i], 1e-7);
    CHECK_INT(ims_projection_steps(p), 0);
    CHECK_STR(ims_projection_card(p), "");
    ims_projection_free(p);
}

TEST(applies, "a projection is a matrix product of length 1")
{
    struct ims_projection *p = odd_projection();
    float in[DIM], out[DIM];
    uint64_t state = 2;
    double want[DIM], square = 0.0;
    ims_err err = { 0 };

    unit_rows(in, 1, DIM, &state);
    CHECK_OK(ims_projection_apply(p, in, 1, out, &err), err);
    for (size_t i = 0; i < DIM; i++) {
        want[i] = 0.0;
        for (size_t j = 0; j < DIM; j++)
            want[i] += (double)p->weights[i * DIM + j] * (double)in[j];
        square += want[i] * want[i];
    }
    for (size_t i = 0; i < DIM; i++)
        CHECK_NEAR(out[i], want[i] / sqrt(square), 1e-6);
    ims_projection_free(p);
}

TEST(bad_vectors, "a vector without length or with a NaN is refused by its number")
{
    struct ims_projection *p = odd_projection();
    float in[3 * DIM], out[3 * DIM];
    uint64_t state = 2;
    ims_err err = { 0 };

    unit_rows(in, 3, DIM, &state);
    memset(in + DIM, 0, DIM * sizeof(float));
    CHECK_STATUS(ims_projection_apply(p, in, 3, out, &err), IMS_E_INVALID, err);
    CHECK(strstr(err.text, "vector 1 "));
    unit_rows(in, 3, DIM, &state);
    in[2 * DIM + 4] = NAN;
    CHECK_STATUS(ims_projection_apply(p, in, 3, out, &err), IMS_E_INVALID, err);
    CHECK(strstr(err.text, "vector 2 "));
    ims_projection_free(p);
}

TEST(dimensions, "a projection of no or too many dimensions is refused")
{
    struct ims_projection *p = NULL;
    ims_err err = { 0 };

    CHECK_STATUS(ims_projection_new(&p, 0, &err), IMS_E_DIMENSION, err);
    CHECK_STATUS(ims_projection_new(&p, IMS_PROJECTION_MAX_DIM + 1, &err), IMS_E_DIMENSION, err);
    CHECK(p == NULL);
}

static const char *in_tmp(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", test_tmp_dir(), name);
    return path;
}

TEST(checkpoint, "a checkpoint keeps weights, optimiser, steps and card to the bit")
{
    struct ims_projection *p = odd_projection(), *q = NULL;
    const char *path = in_tmp("kept");
    char a[IMS_PROJECTION_DIGEST_BYTES], b[IMS_PROJECTION_DIGEST_BYTES];
    ims_err err = { 0 };

    CHECK_OK(ims_projection_save(p, path, &err), err);
    CHECK_OK(ims_projection_save(p, path, &err), err); /* over the old one */
    CHECK_OK(ims_projection_load(&q, path, &err), err);
    CHECK_INT(ims_projection_dim(q), DIM);
    CHECK_MEM(q->weights, p->weights, DIM * DIM * sizeof(float));
    CHECK_MEM(q->first, p->first, DIM * DIM * sizeof(float));
    CHECK_MEM(q->second, p->second, DIM * DIM * sizeof(float));
    CHECK(ims_projection_steps(q) == 1234567890123U);
    CHECK_STR(ims_projection_card(q), "{\"persons\": 12}");
    CHECK_OK(ims_projection_digest(p, a, &err), err);
    CHECK_OK(ims_projection_digest(q, b, &err), err);
    CHECK_STR(a, b);
    q->weights[7] += 1e-6F;
    CHECK_OK(ims_projection_digest(q, b, &err), err);
    CHECK(strcmp(a, b) != 0);
    ims_projection_free(p);
    ims_projection_free(q);
}

TEST(damage, "a checkpoint with any byte changed, cut or added to is refused, and nothing is loaded")
{
    struct ims_projection *p = odd_projection(), *q = NULL;
    const char *path = in_tmp("damaged");
    size_t n;
    char *good;
    ims_err err = { 0 };

    CHECK_OK(ims_projection_save(p, path, &err), err);
    good = test_read_file(path, &n);
    for (size_t i = 0; i < n; i++) {
        ims_status st;

        good[i] ^= 0x10;
        CHECK_OK(ims__write_derived(path, good, n, &err), err);
        good[i] ^= 0x10;
        st = ims_projection_load(&q, path, &err);
        CHECK(st == IMS_E_CORRUPT || (st == IMS_E_VERSION && i >= 8 && i < 12));
        CHECK(q == NULL);
    }
    for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 97) {
        CHECK_OK(ims__write_derived(path, good, cut, &err), err);
        CHECK_STATUS(ims_projection_load(&q, path, &err), IMS_E_CORRUPT, err);
    }
    good = realloc(good, n + 1);
    CHECK(good);
    good[n] = 0;
    CHECK_OK(ims__write_derived(path, good, n + 1, &err), err);
    CHECK_STATUS(ims_projection_load(&q, path, &err), IMS_E_CORRUPT, err);
    CHECK_STATUS(ims_projection_load(&q, in_tmp("nowhere"), &err), IMS_E_NOT_FOUND, err);
    CHECK(q == NULL);
    free(good);
    ims_projection_free(p);
}

TEST(not_finite, "a checkpoint whose weights are not finite is refused though its checksum fits")
{
    struct ims_projection *p = odd_projection(), *q = NULL;
    const char *path = in_tmp("infinite");
    ims_err err = { 0 };

    p->second[5] = INFINITY;
    CHECK_OK(ims_projection_save(p, path, &err), err);
    CHECK_STATUS(ims_projection_load(&q, path, &err), IMS_E_CORRUPT, err);
    ims_projection_free(p);
}

TEST(card_limit, "a card that is too long is refused and the old one stays")
{
    struct ims_projection *p = odd_projection();
    char *long_card = malloc(IMS_PROJECTION_MAX_CARD_BYTES + 2);
    ims_err err = { 0 };

    CHECK(long_card);
    memset(long_card, 'x', IMS_PROJECTION_MAX_CARD_BYTES + 1);
    long_card[IMS_PROJECTION_MAX_CARD_BYTES + 1] = '\0';
    CHECK_STATUS(ims_projection_set_card(p, long_card, &err), IMS_E_LIMIT, err);
    CHECK_STR(ims_projection_card(p), "{\"persons\": 12}");
    free(long_card);
    ims_projection_free(p);
}

/* The loss at the weights moved by `by` along element i. */
static double loss_at(struct ims_triplet_work *w, const float *weights, size_t i, float by,
                      const float *x, const uint32_t *persons, size_t n, double margin, ims_mining mining)
{
    float moved[DIM * DIM];

    memcpy(moved, weights, sizeof(moved));
    moved[i] += by;
    ims__triplet_step(w, moved, x, persons, n, margin, mining);
    return w->loss;
}

static void check_gradient(ims_mining mining, double margin)
{
    enum { N = 9 };
    static const uint32_t persons[N] = { 7, 7, 7, 2, 2, 2, 5, 5, 5 };
    struct ims_projection *p = odd_projection();
    struct ims_triplet_work w;
    float x[N * DIM], gradient[DIM * DIM];
    const float step = 2e-3F;
    uint64_t state = 11;
    double worst = 0.0, largest = 0.0;
    size_t n_triplets;
    ims_err err = { 0 };

    unit_rows(x, N, DIM, &state);
    CHECK_OK(ims__triplet_work_init(&w, DIM, N, &err), err);
    ims__triplet_step(&w, p->weights, x, persons, N, margin, mining);
    n_triplets = w.n_triplets;
    CHECK(n_triplets > 4);
    memcpy(gradient, w.gradient, sizeof(gradient));
    for (size_t i = 0; i < DIM * DIM; i++) {
        double up = loss_at(&w, p->weights, i, step, x, persons, N, margin, mining);
        double down = loss_at(&w, p->weights, i, -step, x, persons, N, margin, mining);

        CHECK_INT(w.n_triplets, n_triplets); /* the same triplets, or the quotient means nothing */
        worst = fmax(worst, fabs((up - down) / (2.0 * (double)step) - (double)gradient[i]));
        largest = fmax(largest, fabs((double)gradient[i]));
    }
    test_note("gradient up to %.4f, off by at most %.2e", largest, worst);
    CHECK(largest > 0.05);
    CHECK(worst < 2e-3 * largest);
    ims__triplet_work_release(&w);
    ims_projection_free(p);
}

TEST(gradient_hard, "the gradient with hard mining is the loss's slope along every weight")
{
    check_gradient(IMS_MINING_HARD, 1.0);
}

TEST(gradient_semi_hard, "the gradient with semi-hard mining is the loss's slope along every weight")
{
    check_gradient(IMS_MINING_SEMI_HARD, 0.4);
}

TEST(mining, "semi-hard mining takes the nearest beyond the positive, hard mining the nearest of all")
{
    /* Angles on a circle: anchor 0, positive at 20 degrees, negatives at 10, 25 and 80. */
    static const double degrees[] = { 0, 20, 10, 25, 80 };
    static const uint32_t persons[] = { 0, 0, 1, 2, 3 };
    struct ims_triplet_work w;
    struct ims_projection *p = NULL;
    const double pi = 3.14159265358979323846, margin = 0.05;
    float x[10];
    ims_err err = { 0 };

    for (size_t i = 0; i < 5; i++) {
        x[2 * i] = (float)cos(degrees[i] * pi / 180);
        x[2 * i + 1] = (float)sin(degrees[i] * pi / 180);
    }
    CHECK_OK(ims_projection_new(&p, 2, &err), err);
    CHECK_OK(ims__triplet_work_init(&w, 2, 5, &err), err);
    /* Anchor 0 meets 25 degrees; anchor 20 has 10 and 25 nearer than its positive, 80 too far. */
    ims__triplet_step(&w, p->weights, x, persons, 5, margin, IMS_MINING_SEMI_HARD);
    CHECK_INT(w.n_triplets, 1);
    CHECK_NEAR(w.loss, cos(25 * pi / 180) - cos(20 * pi / 180) + margin, 1e-6);
    /* Anchor 0 meets 10 degrees, anchor 20 meets 25. */
    ims__triplet_step(&w, p->weights, x, persons, 5, margin, IMS_MINING_HARD);
    CHECK_INT(w.n_triplets, 2);
    CHECK_NEAR(w.loss, (cos(10 * pi / 180) + cos(5 * pi / 180)) / 2 - cos(20 * pi / 180) + margin, 1e-6);
    ims__triplet_work_release(&w);
    ims_projection_free(p);
}

TEST(nothing_to_learn, "a batch without a loss has a gradient of zero")
{
    static const uint32_t persons[] = { 0, 0, 1, 1 };
    static const float x[] = { 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0 };
    struct ims_triplet_work w;
    struct ims_projection *p = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_projection_new(&p, 3, &err), err);
    CHECK_OK(ims__triplet_work_init(&w, 3, 4, &err), err);
    ims__triplet_step(&w, p->weights, x, persons, 4, 0.2, IMS_MINING_HARD);
    CHECK_INT(w.n_triplets, 0);
    CHECK_NEAR(w.loss, 0.0, 0.0);
    for (size_t i = 0; i < 9; i++)
        CHECK_NEAR(w.gradient[i], 0.0, 0.0);
    ims__triplet_work_release(&w);
    ims_projection_free(p);
}

TEST_MAIN
