/* Cells of a segment: room, codes about their means, finding one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/cells.h"

#include "base/mem.h"

#include <math.h>

bool ims__cells_new(struct ims_segment *s, const uint32_t *starts, uint32_t n, uint32_t n_coded)
{
    s->own_cells = s->cells = ims__zalloc(n, sizeof(*s->cells));
    s->own_cell_codes = s->cell_codes = ims__aligned_alloc(64, ims__whole_blocks(n), s->n_bytes);
    s->own_cell_bytes = s->cell_bytes = ims__aligned_alloc(64, n, s->byte_stride);
    if (!s->cells || !s->cell_codes || !s->cell_bytes)
        return false;
    memset(s->cell_codes, 0, (size_t)ims__whole_blocks(n) * s->n_bytes);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t end = i + 1 < n ? starts[i + 1] : n_coded;

        s->cells[i] = (struct ims_part){ .from = starts[i], .n_coded = end - starts[i] };
    }
    s->n_cells = n;
    return true;
}

/* The code of a less `along` times b, put among codes at `at`. Returns the squared length; *out_t grows to that of quantiser.h. */
static float encode(const struct ims_segment *s, const float *a, const float *b, float along, float *room, uint8_t *codes,
                    uint32_t at, float *out_scale, float *out_t)
{
    const struct ims_kernels *k = ims__kernels();
    uint8_t code[IMS_MAX_CODE_BYTES];
    float sum, most, square;

    k->residual_f32(a, b, along, s->dim, room, &sum, &most);
    square = k->dot_f32(room, room, s->dim);
    k->pack_signs(room, s->dim, code);
    ims__put_code(codes, s->n_bytes, at, code);
    *out_scale = 0;
    if (square < IMS_LEAST_SQUARE) /* nothing is left */
        return square;
    *out_scale = square / sum;
    *out_t = fmaxf(*out_t, ims__code_spread(s->dim, sum, square));
    return square;
}

/* The row less its cell's mean. Its bytes describe it well enough: their error is a hundredth of a code's. */
static float encode_row(struct ims_segment *s, uint32_t slot, const float *mean, float *row, float *out_spread)
{
    memset(row, 0, s->dim * sizeof(float));
    ims__kernels()->add_i8(row, s->bytes + (size_t)slot * s->byte_stride, s->byte_scale[slot], s->dim);
    return encode(s, row, mean, 1, row, s->codes, slot, &s->scale[slot], out_spread);
}

void ims__cells_encode(struct ims_segment *s, uint32_t from, uint32_t until, float *room, float *out_spread)
{
    float *mean = room + s->dim;

    for (uint32_t i = from; i < until; i++) {
        struct ims_part *cell = &s->cells[i];
        int8_t *bytes = s->cell_bytes + (size_t)i * s->byte_stride;
        uint32_t end = cell->from + cell->n_coded;
        float farthest = 0, t = 0;

        ims__part_sum_up(s, cell->from, end, mean, cell, bytes);
        memset(mean, 0, s->dim * sizeof(float)); /* as its bytes say, which is what a query sees */
        ims__kernels()->add_i8(mean, bytes, cell->byte_scale, s->dim);
        encode(s, mean, mean, 0, room, s->cell_codes, i, &cell->scale, &t);
        cell->error = cell->scale * t;
        for (uint32_t slot = cell->from; slot < end; slot++)
            farthest = fmaxf(farthest, encode_row(s, slot, mean, room, out_spread));
        cell->spread = sqrtf(farthest);
    }
}

void ims__cells_bound(const struct ims_segment *s, const struct ims_query_code *q, float deviations, float *out)
{
    enum { BLOCKS = 8, CELLS = BLOCKS * IMS_CODE_BLOCK };
    uint16_t sums[CELLS];
    float rounding = deviations * q->rounding + q->base, error = deviations * q->length;

    for (uint32_t from = 0; from < s->n_cells; from += CELLS) {
        uint32_t n = s->n_cells - from < CELLS ? s->n_cells - from : CELLS;

        ims__kernels()->scan_codes(s->cell_codes + (size_t)from * s->n_bytes, s->n_bytes, ims__whole_blocks(n) / IMS_CODE_BLOCK,
                                   q->lut, sums);
        for (uint32_t i = 0; i < n; i++) {
            const struct ims_part *c = &s->cells[from + i];

            out[from + i] = q->along * c->centre + c->scale * (q->step * (float)sums[i] + rounding) + error * c->error;
        }
    }
}

uint32_t ims__cell_between(const struct ims_segment *s, uint32_t slot, uint32_t low, uint32_t high)
{
    while (low + 1 < high) { /* cells[low].from <= slot < cells[high].from */
        uint32_t mid = low + (high - low) / 2;

        if (s->cells[mid].from <= slot)
            low = mid;
        else
            high = mid;
    }
    return low;
}

uint32_t ims__cell_of(const struct ims_segment *s, uint32_t slot)
{
    uint32_t i = s->parts[slot / IMS_UNIT_SLOTS].cell;

    while (i + 1 < s->n_cells && s->cells[i + 1].from <= slot)
        i++;
    return i;
}

bool ims__cells_are_sound(const struct ims_segment *s, uint32_t n_coded)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < s->n_cells; i++) {
        if (s->cells[i].from != at || !s->cells[i].n_coded || s->cells[i].n_coded > n_coded - at)
            return false;
        at += s->cells[i].n_coded;
    }
    for (uint32_t i = 0; s->n_cells && i < ims__n_parts(n_coded); i++) {
        if (s->parts[i].cell != ims__cell_between(s, i * IMS_UNIT_SLOTS, 0, s->n_cells))
            return false;
    }
    return s->n_cells == 0 || at == n_coded;
}
