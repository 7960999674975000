/* Scores of byte vectors for AMX: 32 x 32 of them in four of the eight tile registers. Unsigned rows, signed
 * columns and starting values as in vnni_tiles.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <string.h>

#define SIDE 32
#define HALF 16  /* rows, or columns, of one tile register */
#define DEPTH 64 /* elements of one */
#define TILE_BYTES 1024

/* For each 64 elements and each half of the columns a register's content: groups of four elements,
 * [(k / 4 * HALF + c) * 4 + k % 4]; then SIDE starting values. */
static void pack_u8(const uint8_t *vectors, size_t stride, size_t n, size_t n_k, void *panel)
{
    uint8_t *out = panel;
    int32_t start[SIDE] = { 0 };

    for (size_t c = 0; c < SIDE; c++) {
        int32_t sum = 0;

        for (size_t k = 0; k < n_k; k++) {
            uint8_t b = c < n ? vectors[c * stride + k] : 128;
            uint8_t *tile = out + (k / DEPTH * 2 + c / HALF) * TILE_BYTES;

            tile[(k % DEPTH / 4 * HALF + c % HALF) * 4 + k % 4] = b ^ 0x80;
            sum += b - 128;
        }
        start[c] = -128 * sum;
    }
    memcpy(out + n_k * SIDE, start, sizeof(start));
}

static void begin(void)
{
    /* Palette 1; all eight registers 16 rows of 64 bytes. */
    struct {
        uint8_t palette, first_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t n_rows[16];
    } config = { .palette = 1 };

    for (size_t i = 0; i < 8; i++) {
        config.row_bytes[i] = DEPTH;
        config.n_rows[i] = HALF;
    }
    _tile_loadconfig(&config);
}

static void end(void)
{
    _tile_release();
}

static void run_u8(const uint8_t *rows, size_t stride, const void *panel, size_t n_k, float *out)
{
    const uint8_t *columns = panel, *start = columns + n_k * SIDE;
    int32_t sums[SIDE * SIDE];

    _tile_loadd(0, start, 0); /* the same row sixteen times */
    _tile_loadd(1, start + HALF * 4, 0);
    _tile_loadd(2, start, 0);
    _tile_loadd(3, start + HALF * 4, 0);
    for (size_t k = 0; k < n_k; k += DEPTH, columns += 2 * TILE_BYTES) {
        _tile_loadd(4, rows + k, stride);
        _tile_loadd(6, columns, DEPTH);
        _tile_loadd(7, columns + TILE_BYTES, DEPTH);
        _tile_loadd(5, rows + HALF * stride + k, stride);
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_stored(0, sums, SIDE * 4);
    _tile_stored(1, sums + HALF, SIDE * 4);
    _tile_stored(2, sums + HALF * SIDE, SIDE * 4);
    _tile_stored(3, sums + HALF * SIDE + HALF, SIDE * 4);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        out[i] = (float)sums[i];
}

void ims__kernels_fill_amx_tiles(struct ims_kernels *k)
{
    k->tiles_u8 = (struct ims_tiles_u8){ .n_rows = SIDE,
                                         .n_cols = SIDE,
                                         .element_bytes = 1,
                                         .pack = pack_u8,
                                         .begin = begin,
                                         .end = end,
                                         .run = run_u8 };
}
