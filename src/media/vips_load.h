/* Inside media: one file between its header and its pixels, in libvips' hands.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_VIPS_LOAD_H
#define IMS_MEDIA_VIPS_LOAD_H

#include "media/decode.h"
#include "media/vips_lib.h"

struct vips_load {
    struct media_job *job;
    VipsImage *file;  /* as the loader gives it */
    VipsImage *ready; /* what is read: file itself, or a conversion of it with its own reference */
    const uint8_t *icc; /* owned by file, until its pixels are read */
    size_t icc_bytes;
    media_icc_kind icc_kind;
    int width; /* as stored */
    int height;
    struct media_layout layout;
};

/* IMS_E_TRUNCATED when the file's structure says so, else IMS_E_FORMAT: "the PNG <what>". */
ims_status ims__vips_fail(const struct media_job *job, const char *what, ims_err *err);
/* Reads l->ready strip by strip on this thread and sets l->job->image. */
ims_status ims__vips_read_pixels(const struct vips_api *v, struct vips_load *l,
                                 ims_err *err) IMS_MUST_CHECK;

#endif
