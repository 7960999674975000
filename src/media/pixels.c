/* Samples as loaders give them to 8-bit RGB, the way Pillow converts them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/decode.h"

/* Sample i of a row; of 16 bits the upper 8. */
static inline unsigned get_sample(const struct media_layout *l, const void *src, size_t i)
{
    return l->is_16_bit ? ((const uint16_t *)src)[i] >> 8 : ((const uint8_t *)src)[i];
}

/* a * b / 255, rounded. */
static inline unsigned mul_255(unsigned a, unsigned b)
{
    unsigned t = a * b + 128;

    return ((t >> 8) + t) >> 8;
}

static inline uint8_t drop_ink(unsigned white, unsigned ink)
{
    unsigned dark = mul_255(ink, white);

    return (uint8_t)(dark < white ? white - dark : 0);
}

static void row_grey(const struct media_layout *l, const void *src, size_t width, uint8_t *rgb)
{
    for (size_t x = 0; x < width; x++) {
        uint8_t v = (uint8_t)get_sample(l, src, x * (size_t)l->bands);

        rgb[3 * x] = v;
        rgb[3 * x + 1] = v;
        rgb[3 * x + 2] = v;
    }
}

static void row_rgb(const struct media_layout *l, const void *src, size_t width, uint8_t *rgb)
{
    for (size_t x = 0; x < width; x++) {
        size_t i = x * (size_t)l->bands;

        rgb[3 * x] = (uint8_t)get_sample(l, src, i);
        rgb[3 * x + 1] = (uint8_t)get_sample(l, src, i + 1);
        rgb[3 * x + 2] = (uint8_t)get_sample(l, src, i + 2);
    }
}

static void row_cmyk(const struct media_layout *l, const void *src, size_t width, uint8_t *rgb)
{
    for (size_t x = 0; x < width; x++) {
        size_t i = x * (size_t)l->bands;
        unsigned white = 255 - get_sample(l, src, i + 3);

        rgb[3 * x] = drop_ink(white, get_sample(l, src, i));
        rgb[3 * x + 1] = drop_ink(white, get_sample(l, src, i + 1));
        rgb[3 * x + 2] = drop_ink(white, get_sample(l, src, i + 2));
    }
}

void ims__pixels_row(const struct media_layout *l, const void *src, int width, uint8_t *rgb,
                     uint8_t *alpha)
{
    size_t n = (size_t)width;
    size_t n_colours = l->colour == MEDIA_GREY ? 1 : l->colour == MEDIA_RGB ? 3 : 4;

    if (l->colour == MEDIA_GREY)
        row_grey(l, src, n, rgb);
    else if (l->colour == MEDIA_RGB)
        row_rgb(l, src, n, rgb);
    else
        row_cmyk(l, src, n, rgb);
    if (l->has_alpha && alpha) {
        for (size_t x = 0; x < n; x++)
            alpha[x] = (uint8_t)get_sample(l, src, x * (size_t)l->bands + n_colours);
    }
}
