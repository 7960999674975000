/* Draws the vectors of the golden clusterings.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw.h"

#include "harness/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double uniform(uint64_t *state)
{
    return (double)(test_random(state) >> 11) * 0x1p-53;
}

static void unit(const double *v, size_t dim, float *out)
{
    double sum = 0;

    for (size_t i = 0; i < dim; i++)
        sum += v[i] * v[i];
    sum = sqrt(sum);
    for (size_t i = 0; i < dim; i++)
        out[i] = (float)(v[i] / sum);
}

static void draw_direction(uint64_t *state, size_t dim, double *scratch, float *out)
{
    for (size_t i = 0; i < dim; i++) {
        scratch[i] = uniform(state);
        scratch[i] += uniform(state);
        scratch[i] += uniform(state);
        scratch[i] += uniform(state);
        scratch[i] -= 2;
    }
    unit(scratch, dim, out);
}

static size_t group_of(size_t i, int groups)
{
    size_t g = 0;

    if (groups > 0)
        return i % (size_t)groups;
    for (; i % 2 && g + 1 < (size_t)-groups; g++)
        i /= 2;
    return g;
}

static void draw_rows(const struct draw *d, float *rows, double *scratch, float *centres)
{
    uint64_t state = d->seed;
    size_t n_drawn = d->n - d->copies;

    for (size_t g = 0; g < (size_t)abs(d->groups); g++)
        draw_direction(&state, d->dim, scratch, centres + g * d->dim);
    for (size_t i = 0; i < n_drawn; i++) {
        float *row = rows + i * d->dim;
        const float *centre = centres + (d->groups ? group_of(i, d->groups) : 0) * d->dim;

        draw_direction(&state, d->dim, scratch, row);
        if (i < d->strangers)
            continue;
        for (size_t k = 0; k < d->dim; k++)
            scratch[k] = (double)centre[k] + d->spread * (double)row[k];
        unit(scratch, d->dim, row);
    }
    for (size_t i = 0; i < d->copies; i++)
        memcpy(rows + (n_drawn + i) * d->dim, rows + i % n_drawn * d->dim, d->dim * sizeof(*rows));
}

struct ims_points draw_points(const struct draw *d)
{
    float *rows = calloc(d->n * d->dim + 1, sizeof(*rows));
    float *centres = calloc(((size_t)abs(d->groups) + 1) * d->dim, sizeof(*centres));
    double *scratch = calloc(d->dim + 2, sizeof(*scratch));
    int64_t *ids = calloc(d->n + 1, sizeof(*ids));

    if (!rows || !centres || !scratch || !ids)
        abort();
    for (size_t i = 0; i < d->n; i++)
        ids[i] = 10 * (int64_t)(i + 1);
    if (!d->is_grid)
        draw_rows(d, rows, scratch, centres);
    for (size_t i = 0; i < d->n && d->is_grid; i++) {
        scratch[0] = cos((double)(i % 10) * 0.1) + (double)(i / 10);
        scratch[1] = sin((double)(i % 10) * 0.1) + (double)(i / 10);
        unit(scratch, 2, rows + 2 * i);
    }
    free(centres);
    free(scratch);
    return (struct ims_points){ .n = d->n, .dim = d->dim, .vectors = rows, .ids = ids };
}

void draw_free(struct ims_points *p)
{
    free((void *)(uintptr_t)p->vectors);
    free((void *)(uintptr_t)p->ids);
    *p = (struct ims_points){ 0 };
}
