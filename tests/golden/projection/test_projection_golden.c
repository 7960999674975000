/* The triplet step and Adam against PyTorch's numbers (make.py, golden.txt).
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/mem.h"
#include "people/projection/adam.h"
#include "people/projection/triplet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 24, N = 14, STEPS = 5 };
static const uint32_t persons[N] = { 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4 };
static const double margin = 0.2, rate = 0.01;

/* The n numbers of a name in golden.txt. */
static bool golden(const char *name, float *out, size_t n)
{
    char *text = test_read_file(test_source_path("tests/golden/projection/golden.txt"), NULL);
    char head[64];
    char *at;

    snprintf(head, sizeof(head), "\n%s %zu\n", name, n);
    at = strstr(text, head);
    if (at)
        at += strlen(head);
    for (size_t i = 0; at && i < n; i++)
        out[i] = strtof(at, &at);
    free(text);
    return at != NULL;
}

static void check_all(const float *got, const char *name, size_t n, float tolerance)
{
    float *want = ims__alloc(n, sizeof(*want)), worst = 0.0F;

    CHECK_SOFT(want && golden(name, want, n));
    for (size_t i = 0; want && i < n; i++)
        worst = fmaxf(worst, fabsf(got[i] - want[i]));
    test_note("%s: largest difference %g", name, (double)worst);
    CHECK_SOFT(worst <= tolerance);
    ims__free(want);
}

static void check_step(const char *word, ims_mining mining)
{
    struct ims_triplet_work w;
    float x[N * DIM], weights[DIM * DIM];
    char name[64];
    float one;
    ims_err err = { 0 };

    CHECK(golden("vectors", x, N * DIM) && golden("weights", weights, DIM * DIM));
    CHECK_OK(ims__triplet_work_init(&w, DIM, N, &err), err);
    ims__triplet_step(&w, weights, x, persons, N, margin, mining);
    snprintf(name, sizeof(name), "%s_triplets", word);
    CHECK_SOFT(golden(name, &one, 1) && w.n_triplets == (size_t)one);
    one = (float)w.loss;
    snprintf(name, sizeof(name), "%s_loss", word);
    check_all(&one, name, 1, 1e-6F);
    snprintf(name, sizeof(name), "%s_gradient", word);
    check_all(w.gradient, name, DIM * DIM, 2e-7F);
    ims__triplet_work_release(&w);
}

TEST(semi_hard, "loss and gradient with semi-hard mining are PyTorch's")
{
    check_step("semi_hard", IMS_MINING_SEMI_HARD);
}

TEST(hard, "loss and gradient with hard mining are PyTorch's")
{
    check_step("hard", IMS_MINING_HARD);
}

TEST(adam, "five steps of Adam give PyTorch's weights and running means")
{
    struct ims_triplet_work w;
    float x[N * DIM], weights[DIM * DIM], first[DIM * DIM] = { 0 }, second[DIM * DIM] = { 0 };
    ims_err err = { 0 };

    CHECK(golden("vectors", x, N * DIM) && golden("weights", weights, DIM * DIM));
    CHECK_OK(ims__triplet_work_init(&w, DIM, N, &err), err);
    for (int step = 0; step < STEPS; step++) {
        ims__triplet_step(&w, weights, x, persons, N, margin,
                          step % 2 ? IMS_MINING_HARD : IMS_MINING_SEMI_HARD);
        ims__adam_step(weights, first, second, w.gradient, DIM * DIM, rate, (uint64_t)step + 1);
    }
    check_all(weights, "trained", DIM * DIM, 2e-5F);
    check_all(first, "first", DIM * DIM, 1e-7F);
    check_all(second, "second", DIM * DIM, 1e-9F);
    ims__triplet_work_release(&w);
}

TEST_MAIN
