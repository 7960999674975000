/* Opening, probing and decoding: the checks that hold for every format, and what the decoders
 * share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/decode.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "media/exif.h"
#include "media/image.h"
#include "media/media_handle.h"

#include <stdio.h>
#include <string.h>

ims_status ims_media_open(struct ims_media **out, const struct ims_media_options *opts,
                          ims_err *err)
{
    struct ims_media *m = ims__zalloc(1, sizeof(*m));
    ims_status st;

    if (!m)
        return ims_fail(err, IMS_E_NOMEM, "media", 0, "allocating the handle");
    if (opts)
        m->opts = *opts;
    if (!m->opts.max_px)
        m->opts.max_px = IMS_MAX_IMAGE_PX;
    if (!m->opts.max_bytes)
        m->opts.max_bytes = IMS_MAX_IMAGE_BYTES;
    if (!m->opts.max_ms)
        m->opts.max_ms = IMS_MAX_DECODE_MS;
    st = ims__vips_check(err);
    if (st) {
        ims__free(m);
        return st;
    }
    *out = m;
    return IMS_OK;
}

void ims_media_close(struct ims_media *m)
{
    ims__free(m);
}

void ims_media_info_release(struct ims_media_info *info)
{
    if (!info)
        return;
    ims__free(info->exif_json);
    memset(info, 0, sizeof(*info));
}

void ims__media_note(struct ims_media_info *info, const char *fmt, ...)
{
    size_t len = strlen(info->note);
    size_t room = sizeof(info->note) - len;
    va_list args;

    if (len && room > 2) {
        memcpy(info->note + len, "; ", 3);
        len += 2;
        room -= 2;
    }
    va_start(args, fmt);
    vsnprintf(info->note + len, room, fmt, args);
    va_end(args);
}

ims_status ims__media_check_size(const struct media_job *job, int width, int height, ims_err *err)
{
    const char *name = ims_media_format_name(job->format);

    if (width <= 0 || height <= 0)
        return ims_fail(err, IMS_E_FORMAT, "media", 0, "the %s picture is %d x %d pixels", name,
                        width, height);
    if (width > IMS_MAX_IMAGE_SIDE_PX || height > IMS_MAX_IMAGE_SIDE_PX)
        return ims_fail(err, IMS_E_LIMIT, "media", 0,
                        "the %s picture is %d x %d pixels; a side may have %d", name, width, height,
                        IMS_MAX_IMAGE_SIDE_PX);
    if ((uint64_t)width * (uint64_t)height > job->max_px)
        return ims_fail(err, IMS_E_LIMIT, "media", 0,
                        "the %s picture is %d x %d pixels; the limit is %llu megapixels", name,
                        width, height, (unsigned long long)(job->max_px / 1000000));
    return IMS_OK;
}

bool ims__media_is_late(const struct media_job *job)
{
    return ims__mono_ns() > job->deadline_ns;
}

ims_status ims__media_fail_late(const struct media_job *job, ims_err *err)
{
    return ims_fail(err, IMS_E_TIMEOUT, "media", 0, "decoding the %s picture took more than %u ms",
                    ims_media_format_name(job->format), job->max_ms);
}

void ims__media_set_size(struct ims_media_info *info, int width, int height)
{
    bool is_turned = ims__orient_swaps(info->orientation);

    info->width = is_turned ? height : width;
    info->height = is_turned ? width : height;
}

ims_status ims__media_take_exif(struct media_job *job, const uint8_t *p, size_t n, ims_err *err)
{
    struct ims_media_info *info = &job->info;
    struct ims_exif x;
    ims_status st = ims__exif_parse(&x, p, n, err);

    if (st)
        return st;
    if (x.orientation)
        info->orientation = x.orientation;
    info->has_taken_at = x.has_taken_at;
    info->taken_at_us = x.taken_at_us;
    info->has_gps = x.has_gps;
    info->gps_lat = x.gps_lat;
    info->gps_lng = x.gps_lng;
    memcpy(info->camera_make, x.make, sizeof(x.make));
    memcpy(info->camera_model, x.model, sizeof(x.model));
    ims__free(info->exif_json);
    info->exif_json = x.json;
    x.json = NULL;
    if (x.is_damaged)
        ims__media_note(info, "the EXIF block is damaged");
    if (x.is_cut)
        ims__media_note(info, "EXIF values that are too long were left out");
    ims__exif_release(&x);
    return IMS_OK;
}

ims_status ims__media_take_icc(struct media_job *job, struct ims_image *image, media_icc_kind kind,
                               const uint8_t *p, size_t n, ims_err *err)
{
    job->info.has_icc = kind != MEDIA_ICC_NONE;
    if (kind == MEDIA_ICC_DAMAGED)
        ims__media_note(&job->info, "the colour profile is damaged and was ignored");
    else if (kind == MEDIA_ICC_GREY || kind == MEDIA_ICC_CMYK || kind == MEDIA_ICC_OTHER)
        ims__media_note(&job->info, "the colour profile is not an RGB one and was ignored");
    if (kind != MEDIA_ICC_RGB || !image)
        return IMS_OK;
    image->icc = ims__memdup(p, n);
    if (!image->icc)
        return ims_fail(err, IMS_E_NOMEM, "media", 0, "a colour profile of %zu bytes", n);
    image->icc_bytes = n;
    return IMS_OK;
}

static ims_status check_bytes(const struct ims_media *m, struct media_job *job, ims_err *err)
{
    const char *looks_like;

    if (job->n == 0)
        return ims_fail(err, IMS_E_TRUNCATED, "media", 0, "the file is empty");
    if (job->n > m->opts.max_bytes)
        return ims_fail(err, IMS_E_LIMIT, "media", 0, "the file has %zu bytes; the limit is %zu",
                        job->n, m->opts.max_bytes);
    job->format = ims_media_sniff(job->p, job->n, &looks_like);
    if (job->format == IMS_MEDIA_UNKNOWN)
        return ims_fail(err, IMS_E_UNSUPPORTED, "media", 0, "this is not a picture but %s",
                        looks_like);
    return IMS_OK;
}

static ims_status run_job(const struct ims_media *m, struct media_job *job, ims_err *err)
{
    ims_status st = check_bytes(m, job, err);
    bool is_other = true;

    if (st)
        return st;
    job->max_px = m->opts.max_px;
    job->max_ms = m->opts.max_ms;
    job->deadline_ns = ims__mono_ns() + (uint64_t)m->opts.max_ms * 1000000;
    if (job->format == IMS_MEDIA_JPEG)
        st = ims__jpeg_decode(job, &is_other, err);
    if (!st && is_other)
        st = ims__vips_decode(job, err);
    return st;
}

ims_status ims_media_probe(struct ims_media *m, const uint8_t *p, size_t n,
                           struct ims_media_info *out_info, ims_err *err)
{
    struct media_job job = { .p = p, .n = n };
    ims_status st = run_job(m, &job, err);

    if (!st) {
        *out_info = job.info;
        job.info.exif_json = NULL;
    }
    ims_media_info_release(&job.info);
    return st;
}

ims_status ims_media_decode(struct ims_media *m, const uint8_t *p, size_t n,
                            struct ims_media_info *out_info, struct ims_image **out_image,
                            ims_err *err)
{
    struct media_job job = { .p = p, .n = n, .wants_pixels = true };
    ims_status st = run_job(m, &job, err);

    if (!st) {
        *out_image = job.image;
        if (out_info) {
            *out_info = job.info;
            job.info.exif_json = NULL;
        }
    }
    ims_media_info_release(&job.info);
    return st;
}
