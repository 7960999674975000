/* JPEG by libjpeg-turbo, straight into the image: a fifth faster than through libvips, which hands
 * libjpeg 4 KB at a time and copies every row twice. Errors belong to the handle, so to the thread.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/decode.h"

#include "base/limits.h"
#include "base/mem.h"
#include "media/image.h"
#include "media/segments.h"

#include <stdio.h>
#include <string.h>
#include <turbojpeg.h>

#define JPEG_MAX_SCANS 100 /* ten are usual; every one costs a pass over the picture */

static ims_status fail_early(const struct media_job *job, ims_err *err)
{
    return ims_fail(err, IMS_E_TRUNCATED, "jpeg", 0,
                    "the JPEG data ends too early, after %zu bytes", job->n);
}

static ims_status check_outline(const struct media_job *job, const struct jpeg_outline *o,
                                ims_err *err)
{
    if (o->width == 0 || o->height == 0 || o->n_scans == 0) {
        if (!o->is_complete && !o->is_damaged)
            return fail_early(job, err);
        return ims_fail(err, IMS_E_FORMAT, "jpeg", 0, "the JPEG file has no picture in it");
    }
    if (o->n_scans > JPEG_MAX_SCANS)
        return ims_fail(err, IMS_E_LIMIT, "jpeg", 0,
                        "the JPEG picture has %d scans; the limit is %d", o->n_scans,
                        JPEG_MAX_SCANS);
    return ims__media_check_size(job, o->width, o->height, err);
}

static ims_status take_profile(struct media_job *job, const struct jpeg_outline *o,
                               struct ims_image *image, ims_err *err)
{
    media_icc_kind kind = o->has_icc_parts ? MEDIA_ICC_DAMAGED : MEDIA_ICC_NONE;
    uint8_t *icc = NULL;
    ims_status st;

    if (o->icc_bytes && o->icc_bytes <= IMS_MAX_ICC_BYTES) {
        icc = ims__alloc(o->icc_bytes, 1);
        if (!icc)
            return ims_fail(err, IMS_E_NOMEM, "jpeg", 0, "a colour profile of %zu bytes",
                            o->icc_bytes);
        ims__jpeg_icc(job->p, job->n, o, icc);
        kind = ims__icc_kind(icc, o->icc_bytes);
        if (kind == MEDIA_ICC_RGB && o->n_components == 1)
            kind = MEDIA_ICC_OTHER;
    }
    st = ims__media_take_icc(job, image, kind, icc, o->icc_bytes, err);
    ims__free(icc);
    return st;
}

/* What libjpeg-turbo complained about: an error, or something that decoders pass over, which is
 * noted. */
static ims_status judge(struct media_job *job, tjhandle tj, ims_err *err)
{
    const char *text = tjGetErrorStr2(tj);

    if (tjGetErrorCode(tj) != TJERR_WARNING)
        return ims_fail(err, IMS_E_FORMAT, "jpeg", 0, "the JPEG data is damaged: %s", text);
    ims__media_note(&job->info, "%s", text);
    return IMS_OK;
}

static ims_status decompress(struct media_job *job, const struct jpeg_outline *o, uint8_t *rgb,
                             ims_err *err)
{
    tjhandle tj = tjInitDecompress();
    ims_status st = IMS_OK;

    if (!tj)
        return ims_fail(err, IMS_E_NOMEM, "jpeg", 0, "starting libjpeg-turbo: %s",
                        tjGetErrorStr2(NULL));
    if (tjDecompress2(tj, job->p, (unsigned long)job->n, rgb, o->width, o->width * 3, o->height,
                      TJPF_RGB, TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT))
        st = judge(job, tj, err);
    tjDestroy(tj);
    return st;
}

static ims_status decode_pixels(struct media_job *job, const struct jpeg_outline *o, ims_err *err)
{
    struct ims_image *image = NULL;
    uint8_t *stored = NULL;
    size_t stored_stride = (size_t)o->width * 3;
    bool is_upright = job->info.orientation == 1;
    ims_status st = ims__image_alloc(&image, job->info.width, job->info.height, false, err);

    if (st)
        return st;
    if (!is_upright) {
        stored = ims__media_alloc_px(stored_stride * (size_t)o->height);
        if (!stored) {
            st = ims_fail(err, IMS_E_NOMEM, "jpeg", 0, "pixels of %d x %d", o->width, o->height);
            goto out;
        }
    }
    st = decompress(job, o, is_upright ? image->rgb : stored, err);
    if (!st)
        st = take_profile(job, o, image, err);
    if (st)
        goto out;
    if (!is_upright) {
        struct ims_orient orient = { .orientation = job->info.orientation,
                                     .src_width = o->width,
                                     .src_height = o->height,
                                     .px_bytes = 3,
                                     .dst = image->rgb,
                                     .dst_stride = image->stride_bytes };

        ims__orient_rows(&orient, stored, stored_stride, 0, o->height);
    }
    job->image = image;
    image = NULL;
out:
    ims__free(stored);
    ims_image_unref(image);
    return st;
}

ims_status ims__jpeg_decode(struct media_job *job, bool *out_is_other, ims_err *err)
{
    struct jpeg_outline o;
    struct ims_media_info *info = &job->info;
    ims_status st;

    ims__jpeg_outline(&o, job->p, job->n);
    st = check_outline(job, &o, err);
    if (st)
        return st;
    /* Decoders fill what is missing with grey and call it a warning; so it is looked for
     * beforehand. */
    if (job->wants_pixels && !o.is_complete)
        return fail_early(job, err);
    if ((o.n_components != 1 && o.n_components != 3) || o.bits != 8 || o.is_unusual) {
        *out_is_other = true;
        return IMS_OK;
    }
    *out_is_other = false;
    info->format = IMS_MEDIA_JPEG;
    info->orientation = 1;
    info->n_pages = 1;
    info->bits = o.bits;
    if (o.exif)
        st = ims__media_take_exif(job, o.exif, o.exif_bytes, err);
    if (st)
        return st;
    ims__media_set_size(info, o.width, o.height);
    if (job->wants_pixels)
        return decode_pixels(job, &o, err);
    return take_profile(job, &o, NULL, err);
}
