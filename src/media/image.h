/* Inside media: making images, large blocks, and the placing of rows under an orientation.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_IMAGE_H
#define IMS_MEDIA_IMAGE_H

#include "media/media.h"

/* Pixels are not zeroed. */
ims_status ims__image_alloc(struct ims_image **out, int width, int height, bool has_alpha,
                            ims_err *err) IMS_MUST_CHECK;

/* On huge pages where there are any: a 12-megapixel picture then costs 18 page faults, not 9000 (a tenth of its decode
 * time). */
uint8_t *ims__media_alloc_px(size_t bytes); /* ims__free */

/* Does an EXIF orientation exchange width and height? */
bool ims__orient_swaps(int orientation);
/* Copies rows [y, y + n_rows) of a picture of src_width x src_height elements of px_bytes (1 or 3)
 * each to their place in dst, which is as wide and high as the oriented picture. */
struct ims_orient {
    int orientation; /* 1..8 */
    int src_width;
    int src_height;
    int px_bytes;
    uint8_t *dst;
    size_t dst_stride;
};
void ims__orient_rows(const struct ims_orient *o, const uint8_t *src, size_t src_stride, int y,
                      int n_rows);

#endif
