/* Telling a file that was cut off from one that is damaged, by its own lengths.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/decode.h"

#include "media/exif.h"

#include <string.h>

static uint64_t read_be(const uint8_t *p, int n_bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < n_bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static bool png_ends_early(const uint8_t *p, size_t n)
{
    size_t at = 8;

    while (n - at >= 12) {
        uint64_t chunk = read_be(p + at, 4) + 12;

        if (memcmp(p + at + 4, "IEND", 4) == 0)
            return false;
        if (chunk > n - at)
            return true;
        at += (size_t)chunk;
    }
    return true;
}

static bool webp_ends_early(const uint8_t *p, size_t n)
{
    uint64_t size =
        (uint64_t)p[4] | (uint64_t)p[5] << 8 | (uint64_t)p[6] << 16 | (uint64_t)p[7] << 24;

    return size + 8 > n;
}

/* at: the first of a row of length-prefixed blocks. Returns the place behind it, n when it runs
 * out. */
static size_t skip_gif_blocks(const uint8_t *p, size_t n, size_t at)
{
    while (at < n && p[at])
        at += 1 + (size_t)p[at];
    return at < n ? at + 1 : n;
}

static size_t gif_table_bytes(uint8_t flags)
{
    return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

static bool gif_ends_early(const uint8_t *p, size_t n)
{
    size_t at = 13;

    if (n < 13)
        return true;
    at += gif_table_bytes(p[10]);
    while (at < n) {
        if (p[at] == 0x3B)
            return false;
        if (p[at] == 0x21) {
            at = skip_gif_blocks(p, n, at + 2);
        } else if (p[at] == 0x2C) {
            if (n - at < 11)
                return true;
            at = skip_gif_blocks(p, n, at + 10 + gif_table_bytes(p[at + 9]) + 1);
        } else {
            return false; /* no block starts like this: damaged, not cut */
        }
    }
    return true;
}

struct tiff_extent {
    size_t n;
    struct exif_entry offsets;
    bool has_offsets;
    bool ends_early;
};

static ims_status take_extent(const struct exif_block *b, const struct exif_entry *e, void *arg)
{
    struct tiff_extent *x = arg;

    if (e->tag == 273 || e->tag == 324) { /* where strips or tiles lie */
        x->offsets = *e;
        x->has_offsets = true;
    } else if ((e->tag == 279 || e->tag == 325) && x->has_offsets) { /* their bytes */
        for (uint32_t i = 0; i < e->count && i < x->offsets.count; i++) {
            double offset;
            double bytes;

            if (ims__exif_number(b, &x->offsets, i, &offset) && ims__exif_number(b, e, i, &bytes) &&
                offset + bytes > (double)x->n)
                x->ends_early = true;
        }
    }
    return IMS_OK;
}

static bool tiff_ends_early(const uint8_t *p, size_t n)
{
    struct exif_block b = { .p = p, .n = n, .is_big_endian = p[0] == 'M' };
    struct tiff_extent x = { .n = n };
    bool is_outside = false;

    if (n < 8)
        return true;
    if (ims__exif_walk(&b, ims__exif_u32(&b, p + 4), take_extent, &x, &is_outside))
        return false;
    return x.ends_early || is_outside;
}

static bool heif_ends_early(const uint8_t *p, size_t n)
{
    size_t at = 0;
    bool has_meta = false;
    bool has_data = false;

    while (at < n) {
        uint64_t size;

        if (n - at < 8)
            return true;
        has_meta = has_meta || memcmp(p + at + 4, "meta", 4) == 0;
        has_data = has_data || memcmp(p + at + 4, "mdat", 4) == 0;
        size = read_be(p + at, 4);
        if (size == 0) /* to the end of the file, wherever that is */
            return false;
        if (size == 1) {
            if (n - at < 16)
                return true;
            size = read_be(p + at + 8, 8);
        }
        if (size < 8)
            return false;
        if (size > n - at)
            return true;
        at += (size_t)size;
    }
    return !has_meta || !has_data;
}

bool ims__media_ends_early(ims_media_format format, const uint8_t *p, size_t n)
{
    switch (format) {
    case IMS_MEDIA_PNG:
        return png_ends_early(p, n);
    case IMS_MEDIA_WEBP:
        return webp_ends_early(p, n);
    case IMS_MEDIA_GIF:
        return gif_ends_early(p, n);
    case IMS_MEDIA_TIFF:
        return tiff_ends_early(p, n);
    case IMS_MEDIA_HEIC:
    case IMS_MEDIA_AVIF:
        return heif_ends_early(p, n);
    default:
        return false;
    }
}
