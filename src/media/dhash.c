/* The perceptual hash: which of two neighbouring grey patches is lighter, 64 times.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/media.h"

#include "base/mem.h"
#include "kernels/resample.h"
#include "media/image.h"

#include <inttypes.h>
#include <stdio.h>

#define HASH_WIDTH 9
#define HASH_HEIGHT 8

ims_status ims_media_dhash(const struct ims_image *im, uint64_t *out_hash, ims_err *err)
{
    const struct ims_kernels *k = ims__kernels();
    size_t width = (size_t)im->width;
    struct ims_resample r = { .src_width = im->width,
                              .src_height = im->height,
                              .src_stride = width,
                              .channels = 1,
                              .filter = IMS_FILTER_LANCZOS3,
                              .dst_width = HASH_WIDTH,
                              .dst_height = HASH_HEIGHT };
    uint8_t *luma = ims__media_alloc_px(width * (size_t)im->height);
    uint8_t grey[HASH_WIDTH * HASH_HEIGHT];
    uint64_t hash = 0;
    ims_status st;

    if (!luma)
        return ims_fail(err, IMS_E_NOMEM, "media", 0, "grey pixels of %d x %d", im->width,
                        im->height);
    for (size_t y = 0; y < (size_t)im->height; y++)
        k->rgb_to_luma(im->rgb + y * im->stride_bytes, width, luma + y * width);
    r.src = luma;
    st = ims__resample(&r, grey, HASH_WIDTH, err);
    ims__free(luma);
    if (st)
        return st;
    for (size_t y = 0; y < HASH_HEIGHT; y++) {
        for (size_t x = 0; x + 1 < HASH_WIDTH; x++)
            hash = hash << 1 | (grey[y * HASH_WIDTH + x] > grey[y * HASH_WIDTH + x + 1]);
    }
    *out_hash = hash;
    return IMS_OK;
}

void ims_media_dhash_hex(uint64_t hash, char out[IMS_DHASH_HEX])
{
    snprintf(out, IMS_DHASH_HEX, "%016" PRIx64, hash);
}

int ims_media_dhash_distance(uint64_t a, uint64_t b)
{
    int n = 0;

    for (uint64_t d = a ^ b; d; d &= d - 1)
        n++;
    return n;
}
