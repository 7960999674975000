/* The outline of a JPEG file: where EXIF and profile lie, and whether the file is all there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_SEGMENTS_H
#define IMS_MEDIA_SEGMENTS_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jpeg_outline {
    int width; /* from the frame header; 0 when there is none */
    int height;
    int n_components;
    int bits;
    int n_scans;
    bool is_complete; /* an end-of-image marker follows the last scan */
    bool is_damaged;  /* the chain of segments breaks before that */
    bool is_progressive;
    bool is_unusual;     /* a coding that photos do not use: lossless, hierarchical, arithmetic */
    const uint8_t *exif; /* into the file; NULL if none */
    size_t exif_bytes;
    size_t icc_bytes; /* all parts of the profile together; 0 if none or if a part is missing */
    bool has_icc_parts;
};

/* Reads markers only; walks the compressed data for the end marker. p starts with FF D8. */
void ims__jpeg_outline(struct jpeg_outline *out, const uint8_t *p, size_t n);
/* Joins the profile's parts into out[0..outline->icc_bytes). */
void ims__jpeg_icc(const uint8_t *p, size_t n, const struct jpeg_outline *outline, uint8_t *out);

#endif
