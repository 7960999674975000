/* Placing rows of pixels where an EXIF orientation wants them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/image.h"

#include <string.h>

#define TILE_PX 32 /* 32 rows of 32 RGB pixels stay in the first-level cache */

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

static void place_tile_rgb(const struct steps *s, const uint8_t *src, size_t src_stride, int x0, int x1,
                           int y0, int y1, int y)
{
    for (int x = x0; x < x1; x++) {
        uint8_t *to = s->origin + x * s->right + (y + y0) * s->down;
        const uint8_t *from = src + (size_t)y0 * src_stride + (size_t)x * 3;

        for (int j = y0; j < y1; j++) {
            to[0] = from[0];
            to[1] = from[1];
            to[2] = from[2];
            to += s->down;
            from += src_stride;
        }
    }
}

static void place_tile_grey(const struct steps *s, const uint8_t *src, size_t src_stride, int x0, int x1,
                            int y0, int y1, int y)
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

void ims__orient_rows(const struct ims_orient *o, const uint8_t *src, size_t src_stride, int y, int n_rows)
{
    struct steps s = find_steps(o);

    if (s.right == o->px_bytes) {
        for (int j = 0; j < n_rows; j++)
            memcpy(s.origin + (y + j) * s.down, src + (size_t)j * src_stride,
                   (size_t)o->src_width * (size_t)o->px_bytes);
        return;
    }
    for (int y0 = 0; y0 < n_rows; y0 += TILE_PX) {
        int y1 = n_rows - y0 < TILE_PX ? n_rows : y0 + TILE_PX;

        for (int x0 = 0; x0 < o->src_width; x0 += TILE_PX) {
            int x1 = o->src_width - x0 < TILE_PX ? o->src_width : x0 + TILE_PX;

            if (o->px_bytes == 3)
                place_tile_rgb(&s, src, src_stride, x0, x1, y0, y1, y);
            else
                place_tile_grey(&s, src, src_stride, x0, x1, y0, y1, y);
        }
    }
}
