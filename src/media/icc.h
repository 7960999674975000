/* What a colour profile is, as far as we need to know before using it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_ICC_H
#define IMS_MEDIA_ICC_H

#include <stddef.h>
#include <stdint.h>

typedef enum media_icc_kind {
    MEDIA_ICC_NONE,
    MEDIA_ICC_DAMAGED,
    MEDIA_ICC_SRGB, /* a matrix profile with sRGB's primaries and curve, whatever it calls itself */
    MEDIA_ICC_RGB,
    MEDIA_ICC_GREY,
    MEDIA_ICC_CMYK,
    MEDIA_ICC_OTHER
} media_icc_kind;

/* n == 0 gives MEDIA_ICC_NONE. */
media_icc_kind ims__icc_kind(const uint8_t *p, size_t n);

#endif
