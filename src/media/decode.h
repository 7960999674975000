/* Inside media: what the decoders of the formats share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_DECODE_H
#define IMS_MEDIA_DECODE_H

#include "media/icc.h"
#include "media/media.h"

/* One file on its way to pixels. */
struct media_job {
    const uint8_t *p;
    size_t n;
    ims_media_format format;
    uint64_t max_px;
    uint64_t deadline_ns; /* of ims__mono_ns */
    unsigned max_ms;      /* for the message */
    bool wants_pixels;
    struct ims_media_info info; /* filled on the way; released by the caller, also on failure */
    struct ims_image *image;    /* the result; owned by the caller once the decoder succeeds */
};

/* Adds to the note, behind "; " when there is one. */
void ims__media_note(struct ims_media_info *info, const char *fmt, ...) IMS_PRINTF(2, 3);
/* Width and height as stored, before orientation. IMS_E_LIMIT names both figures. */
ims_status ims__media_check_size(const struct media_job *job, int width, int height,
                                 ims_err *err) IMS_MUST_CHECK;
bool ims__media_is_late(const struct media_job *job);
ims_status ims__media_fail_late(const struct media_job *job, ims_err *err);
/* Fills the EXIF fields of job->info, the orientation too. */
ims_status ims__media_take_exif(struct media_job *job, const uint8_t *p, size_t n,
                                ims_err *err) IMS_MUST_CHECK;
/* Sets info's displayed size from the stored one. */
void ims__media_set_size(struct ims_media_info *info, int width, int height);
/* Keeps an RGB profile that is not sRGB with the image (may be NULL: probing); notes one it cannot
 * use. */
ims_status ims__media_take_icc(struct media_job *job, struct ims_image *image, media_icc_kind kind,
                               const uint8_t *p, size_t n, ims_err *err) IMS_MUST_CHECK;
/* Does the file's own structure reach beyond its last byte? Not for JPEG (see segments.h). */
bool ims__media_ends_early(ims_media_format format, const uint8_t *p, size_t n);

/* Greyscale and three-component JPEG, by libjpeg-turbo. *out_is_other is set, and nothing else
 * done, for the rest (CMYK, rare codings): those are for ims__vips_decode. */
ims_status ims__jpeg_decode(struct media_job *job, bool *out_is_other, ims_err *err) IMS_MUST_CHECK;
/* Every format, by libvips. */
ims_status ims__vips_decode(struct media_job *job, ims_err *err) IMS_MUST_CHECK;

/* From the samples of one row to RGB and alpha. */
typedef enum media_colour { MEDIA_GREY, MEDIA_RGB, MEDIA_CMYK } media_colour;
struct media_layout {
    media_colour colour;
    int bands;      /* as stored; more than colour and alpha need are passed over */
    bool is_16_bit; /* the upper byte counts */
    bool has_alpha; /* the band behind the colour */
};
/* Writes 3 * width bytes and, where there is alpha, width bytes. */
void ims__pixels_row(const struct media_layout *l, const void *src, int width, uint8_t *rgb,
                     uint8_t *alpha);

#endif
