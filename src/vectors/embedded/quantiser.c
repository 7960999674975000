/* Coding of vectors and queries.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/quantiser.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

struct ims_epoch *ims__epoch_load(uint32_t dim, const float *centre, uint64_t number)
{
    struct ims_epoch *e = ims__zalloc(1, sizeof(*e));

    if (!e)
        return NULL;
    *e = (struct ims_epoch){ .number = number, .refs = 1, .dim = dim };
    e->centre = ims__memdup(centre, dim * sizeof(float));
    if (!e->centre) {
        ims__epoch_unref(e);
        return NULL;
    }
    e->norm_square = ims__kernels()->dot_f32(e->centre, e->centre, dim);
    return e;
}

struct ims_epoch *ims__epoch_new(const struct ims_rotation *r, const float *centre, uint64_t number)
{
    float *rotated = ims__alloc(r->dim, sizeof(float));
    struct ims_epoch *e = NULL;

    if (!rotated)
        return NULL;
    ims__rotate(r, centre, rotated);
    e = ims__epoch_load(r->dim, rotated, number);
    ims__free(rotated);
    return e;
}

void ims__epoch_unref(struct ims_epoch *e)
{
    if (!e || --e->refs)
        return;
    ims__free(e->centre);
    ims__free(e);
}

float ims__code_spread(uint32_t dim, float sum, float square)
{
    float share = sum * sum / (square * (float)dim); /* w^2 */

    return dim > 1 && share < 1.0f ? sqrtf((1.0f - share) * (float)dim / (float)(dim - 1)) : 0;
}

struct ims_coded ims__encode(const struct ims_epoch *e, float *rotated, uint8_t *signs, int8_t *bytes)
{
    const struct ims_kernels *k = ims__kernels();
    struct ims_coded c = { .centre = k->dot_f32(e->centre, rotated, e->dim) };
    float square, sum, most;

    k->residual_f32(rotated, e->centre, 1.0f, e->dim, rotated, &sum, &most);
    square = k->dot_f32(rotated, rotated, e->dim);
    k->pack_signs(rotated, e->dim, signs);
    if (square < IMS_LEAST_SQUARE) { /* the vector is the centre */
        memset(bytes, 0, e->dim);
        return c;
    }
    c.length = sqrtf(square);
    c.scale = square / sum;
    c.byte_scale = most / 127.0f;
    k->quantise_i8(rotated, e->dim, 127.0f / most, bytes);
    c.spread = ims__code_spread(e->dim, sum, square);
    return c;
}

/* The entries for four neighbouring elements: every choice of signs. Entry m stands for +q_i where bit i
 * of m is set and -q_i where not, counted from the smallest such sum in units of step. */
static void fill_table(const float q[4], float inverse_step, uint8_t out[16], float *base)
{
    float least = -(fabsf(q[0]) + fabsf(q[1]) + fabsf(q[2]) + fabsf(q[3]));

    for (unsigned m = 0; m < 16; m++) {
        float sum = 0;

        for (unsigned i = 0; i < 4; i++)
            sum += m >> i & 1 ? q[i] : -q[i];
        out[m] = (uint8_t)((sum - least) * inverse_step + 0.5f);
    }
    *base += least;
}

static float largest_range(const float *q, uint32_t dim)
{
    float most = 0;

    for (uint32_t i = 0; i < dim; i += 4) {
        float range = 0;

        for (uint32_t j = i; j < i + 4 && j < dim; j++)
            range += 2 * fabsf(q[j]);
        most = range > most ? range : most;
    }
    return most;
}

static void fill_tables(const float *q, uint32_t dim, struct ims_query_code *out)
{
    uint32_t n_tables = (dim + 7) / 8 * 2;
    unsigned highest = 65535 / n_tables < IMS_CODE_LUT_MAX ? 65535 / n_tables : IMS_CODE_LUT_MAX;
    float range = largest_range(q, dim);

    out->step = range > 0 ? range / (float)highest : 1.0f;
    out->base = 0;
    for (uint32_t t = 0; t < n_tables; t++) {
        float part[4] = { 0 };

        for (uint32_t j = 0; j < 4 && 4 * t + j < dim; j++)
            part[j] = q[4 * t + j];
        fill_table(part, 1.0f / out->step * 0.999999f, out->lut + (size_t)t * 16, &out->base);
    }
    out->rounding = out->step * sqrtf((float)n_tables / 12.0f);
}

void ims__query_code(const struct ims_epoch *e, const float *rotated, float *room, struct ims_query_code *out)
{
    const struct ims_kernels *k = ims__kernels();
    float sum, most; /* the sum is of no use here */

    out->along = 0;
    if (e->norm_square > IMS_LEAST_SQUARE)
        out->along = k->dot_f32(rotated, e->centre, e->dim) / e->norm_square;
    k->residual_f32(rotated, e->centre, out->along, e->dim, room, &sum, &most);
    out->length = sqrtf(k->dot_f32(room, room, e->dim));
    out->byte_scale = most / 127.0f;
    k->quantise_i8(room, e->dim, most > 0 ? 127.0f / most : 0.0f, out->bytes);
    fill_tables(room, e->dim, out);
}
