/* Decoding through libvips: loader, header, limits, EXIF, profile, colour space.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/vips_load.h"

#include "media/media_handle.h"

#include <string.h>

ims_status ims__vips_fail(const struct media_job *job, const char *what, ims_err *err)
{
    const char *name = ims_media_format_name(job->format);

    if (job->format != IMS_MEDIA_JPEG && ims__media_ends_early(job->format, job->p, job->n))
        return ims_fail(err, IMS_E_TRUNCATED, "vips", 0,
                        "the %s data ends too early, after %zu bytes", name, job->n);
    return ims_fail(err, IMS_E_FORMAT, "vips", 0, "the %s %s", name, what);
}

static ims_status open_file(const struct vips_api *v, struct vips_load *l, ims_err *err)
{
    const struct media_job *job = l->job;
    void *p = (void *)(uintptr_t)job->p; /* read only, whatever the prototype says */
    int failed = -1;

#define LOAD(loader)                                                                               \
    v->loader(p, job->n, &l->file, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",                    \
              VIPS_FAIL_ON_TRUNCATED, NULL)
    switch (job->format) {
    case IMS_MEDIA_JPEG:
        failed = LOAD(vips_jpegload_buffer);
        break;
    case IMS_MEDIA_PNG:
        failed = LOAD(vips_pngload_buffer);
        break;
    case IMS_MEDIA_WEBP:
        failed = LOAD(vips_webpload_buffer);
        break;
    case IMS_MEDIA_GIF:
        failed = LOAD(vips_gifload_buffer);
        break;
    case IMS_MEDIA_TIFF:
        failed = LOAD(vips_tiffload_buffer);
        break;
    case IMS_MEDIA_HEIC:
    case IMS_MEDIA_AVIF:
        if (!v->vips_type_find("VipsOperation", "heifload_buffer"))
            return ims_fail(err, IMS_E_UNSUPPORTED, "vips", 0,
                            "this libvips cannot read %s; its plug-in vips-heif is missing",
                            ims_media_format_name(job->format));
        failed = LOAD(vips_heifload_buffer);
        break;
    default:
        break;
    }
#undef LOAD
    return failed ? ims__vips_fail(job, "file cannot be opened", err) : IMS_OK;
}

static bool get_blob(const struct vips_api *v, VipsImage *image, const char *name,
                     const uint8_t **out, size_t *out_bytes)
{
    const void *p;

    if (!v->vips_image_get_typeof(image, name) ||
        v->vips_image_get_blob(image, name, &p, out_bytes))
        return false;
    *out = p;
    return *out_bytes > 0;
}

static int get_int(const struct vips_api *v, VipsImage *image, const char *name, int fallback)
{
    int value;

    if (!v->vips_image_get_typeof(image, name) || v->vips_image_get_int(image, name, &value))
        return fallback;
    return value;
}

/* A TIFF file is itself what an EXIF block is. libheif has turned HEIC and AVIF pictures already,
 * by the container's own rotation, which is the one that counts there. */
static ims_status read_exif(const struct vips_api *v, struct vips_load *l, ims_err *err)
{
    struct media_job *job = l->job;
    const uint8_t *exif;
    size_t exif_bytes;
    ims_status st = IMS_OK;

    if (job->format == IMS_MEDIA_TIFF && job->p[2] != '+' && job->p[3] != '+')
        st = ims__media_take_exif(job, job->p, job->n, err);
    else if (get_blob(v, l->file, VIPS_META_EXIF_NAME, &exif, &exif_bytes))
        st = ims__media_take_exif(job, exif, exif_bytes, err);
    if (st)
        return st;
    if (job->format == IMS_MEDIA_HEIC || job->format == IMS_MEDIA_AVIF)
        job->info.orientation = 1;
    if (job->format == IMS_MEDIA_TIFF)
        job->info.orientation = get_int(v, l->file, VIPS_META_ORIENTATION, job->info.orientation);
    if (job->info.orientation < 1 || job->info.orientation > 8)
        job->info.orientation = 1;
    return IMS_OK;
}

static bool is_plain(VipsInterpretation space, VipsBandFormat format)
{
    if (format != VIPS_FORMAT_UCHAR && format != VIPS_FORMAT_USHORT)
        return false;
    switch (space) {
    case VIPS_INTERPRETATION_MULTIBAND:
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_GREY16:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_RGB16:
    case VIPS_INTERPRETATION_CMYK:
        return true;
    default:
        return false;
    }
}

static void set_layout(const struct vips_api *v, struct vips_load *l)
{
    int bands = v->vips_image_get_bands(l->ready);
    bool is_cmyk =
        v->vips_image_get_interpretation(l->ready) == VIPS_INTERPRETATION_CMYK && bands >= 4;

    l->layout.bands = bands;
    l->layout.is_16_bit = v->vips_image_get_format(l->ready) == VIPS_FORMAT_USHORT;
    l->layout.colour = is_cmyk ? MEDIA_CMYK : bands >= 3 ? MEDIA_RGB : MEDIA_GREY;
    l->layout.has_alpha = !is_cmyk && (bands == 2 || bands >= 4);
}

/* Inks with a profile become sRGB by it, here and now; colour spaces that are neither grey, RGB nor
 * inks become sRGB by libvips' rules. */
static ims_status convert(const struct vips_api *v, struct vips_load *l, ims_err *err)
{
    VipsInterpretation space = v->vips_image_get_interpretation(l->file);
    VipsBandFormat format = v->vips_image_get_format(l->file);
    VipsImage *converted = NULL;

    if (space == VIPS_INTERPRETATION_CMYK && l->icc_kind == MEDIA_ICC_CMYK &&
        v->vips_icc_is_compatible_profile(l->file, l->icc, l->icc_bytes)) {
        if (v->vips_icc_transform(l->file, &l->ready, "srgb", "embedded", TRUE, "intent",
                                  VIPS_INTENT_PERCEPTUAL, NULL))
            return ims__vips_fail(l->job, "picture cannot be converted from its CMYK profile", err);
        l->icc_kind = MEDIA_ICC_SRGB;
        return IMS_OK;
    }
    if (is_plain(space, format)) {
        l->ready = l->file;
        return IMS_OK;
    }
    if (v->vips_colourspace(l->file, &converted, VIPS_INTERPRETATION_sRGB, NULL))
        return ims__vips_fail(l->job, "picture is in a colour space that cannot be converted", err);
    if (v->vips_cast(converted, &l->ready, VIPS_FORMAT_UCHAR, NULL))
        l->ready = NULL;
    v->g_object_unref(converted);
    if (!l->ready)
        return ims__vips_fail(l->job, "samples cannot be converted to 8 bits", err);
    return IMS_OK;
}

static ims_status read_header(const struct vips_api *v, struct vips_load *l, ims_err *err)
{
    struct ims_media_info *info = &l->job->info;
    ims_status st;

    l->width = v->vips_image_get_width(l->file);
    l->height = v->vips_image_get_height(l->file);
    st = ims__media_check_size(l->job, l->width, l->height, err);
    if (st)
        return st;
    info->format = l->job->format;
    info->orientation = 1;
    info->n_pages = v->vips_image_get_n_pages(l->file);
    info->bits = v->vips_image_get_format(l->file) == VIPS_FORMAT_USHORT ? 16 : 8;
    info->bits = get_int(v, l->file, "heif-bitdepth", info->bits);
    info->bits = get_int(v, l->file, "bits-per-sample", info->bits);
    info->bits = get_int(v, l->file, "palette-bit-depth", info->bits);
    st = read_exif(v, l, err);
    if (st)
        return st;
    ims__media_set_size(info, l->width, l->height);
    if (get_blob(v, l->file, VIPS_META_ICC_NAME, &l->icc, &l->icc_bytes))
        l->icc_kind = ims__icc_kind(l->icc, l->icc_bytes);
    st = convert(v, l, err);
    if (st)
        return st;
    set_layout(v, l);
    info->has_alpha = l->layout.has_alpha;
    if (l->icc_kind == MEDIA_ICC_RGB && l->layout.colour != MEDIA_RGB)
        l->icc_kind = MEDIA_ICC_OTHER;
    return IMS_OK;
}

static ims_status load_file(const struct vips_api *v, void *arg, ims_err *err)
{
    struct vips_load l = { .job = arg };
    ims_status st;

    ims_media_info_release(&l.job->info); /* of a first attempt */
    st = open_file(v, &l, err);
    if (!st)
        st = read_header(v, &l, err);
    if (!st && l.job->wants_pixels)
        st = ims__vips_read_pixels(v, &l, err);
    else if (!st)
        st = ims__media_take_icc(l.job, NULL, l.icc_kind, l.icc, l.icc_bytes, err);
    if (l.ready && l.ready != l.file)
        v->g_object_unref(l.ready);
    if (l.file)
        v->g_object_unref(l.file);
    return st;
}

ims_status ims__vips_decode(struct media_job *job, ims_err *err)
{
    const struct vips_api *v;
    struct vips_work work = { load_file, job };
    ims_status st = ims__vips_get(&v, err);

    if (st)
        return st;
    st = ims__vips_run(v, &work, err);
    /* libheif checks sizes before libvips learns of them; only its words tell that it was that */
    if (st == IMS_E_FORMAT && err && strstr(err->text, "Security limit exceeded"))
        st = err->status = IMS_E_LIMIT;
    return st;
}

ims_status ims__vips_check(ims_err *err)
{
    const struct vips_api *v;

    return ims__vips_get(&v, err);
}

const char *ims_media_vips_version(const struct ims_media *m)
{
    const struct vips_api *v;

    (void)m;
    return ims__vips_get(&v, NULL) ? "unknown" : v->vips_version_string();
}

bool ims_media_can_decode(const struct ims_media *m, ims_media_format f)
{
    static const char *const loaders[IMS_MEDIA_N_FORMATS] = {
        [IMS_MEDIA_JPEG] = "jpegload_buffer", [IMS_MEDIA_PNG] = "pngload_buffer",
        [IMS_MEDIA_WEBP] = "webpload_buffer", [IMS_MEDIA_GIF] = "gifload_buffer",
        [IMS_MEDIA_TIFF] = "tiffload_buffer", [IMS_MEDIA_HEIC] = "heifload_buffer",
        [IMS_MEDIA_AVIF] = "heifload_buffer",
    };
    const struct vips_api *v;

    (void)m;
    return f < IMS_MEDIA_N_FORMATS && loaders[f] && !ims__vips_get(&v, NULL) &&
           v->vips_type_find("VipsOperation", loaders[f]) != 0;
}
