/* Pictures: bytes in memory -> oriented 8-bit RGB pixels, EXIF facts, thumbnail, perceptual hash.
 *
 * A file is decoded once, at full resolution, with its EXIF orientation applied once; everything
 * else (model tensors, face crops, thumbnail, hash) is made from that one struct ims_image. The
 * pixels are those that Pillow's convert("RGB") gives after exif_transpose; docs/notes/media.md
 * names the cases where they differ on purpose.
 *
 * struct ims_media is thread-safe: any number of threads may decode with one handle, and each
 * decode runs on its caller's thread. libvips is loaded by ims_media_open, not at program start.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MEDIA_MEDIA_H
#define IMS_MEDIA_MEDIA_H

#include "ims/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_media;

/* A zero field means the default of base/limits.h. */
struct ims_media_options {
    uint64_t max_px;  /* width x height of one picture: IMS_MAX_IMAGE_PX */
    size_t max_bytes; /* one file: IMS_MAX_IMAGE_BYTES */
    unsigned max_ms;  /* one decode: IMS_MAX_DECODE_MS */
};

/* opts may be NULL. Takes some 40 ms the first time. IMS_E_RUNTIME when libvips is missing or too
 * old; the text names the package.
 */
ims_status ims_media_open(struct ims_media **out, const struct ims_media_options *opts,
                          ims_err *err) IMS_MUST_CHECK;
/* Every decode must have returned. Images outlive the handle. */
void ims_media_close(struct ims_media *m);
/* "8.14.1" of the loaded libvips; static storage. For `doctor` and evidence. */
const char *ims_media_vips_version(const struct ims_media *m);

typedef enum ims_media_format {
    IMS_MEDIA_UNKNOWN,
    IMS_MEDIA_JPEG,
    IMS_MEDIA_PNG,
    IMS_MEDIA_WEBP,
    IMS_MEDIA_GIF,
    IMS_MEDIA_TIFF,
    IMS_MEDIA_HEIC,
    IMS_MEDIA_AVIF,
    IMS_MEDIA_N_FORMATS
} ims_media_format;

const char *ims_media_format_name(ims_media_format f); /* "JPEG" ...; "unknown" */
const char *ims_media_format_mime(
    ims_media_format f); /* "image/jpeg" ...; "application/octet-stream" */
/* Is this format's loader present and allowed here (HEIC and AVIF come from a plug-in)? For
 * `doctor`. */
bool ims_media_can_decode(const struct ims_media *m, ims_media_format f);

/* By the first bytes, never by a name. When the format is not one of ours, *out_looks_like (may be
 * NULL) gets what it seems to be, as a noun ("a PDF document", "text"); static storage, never NULL.
 */
ims_media_format ims_media_sniff(const uint8_t *p, size_t n, const char **out_looks_like);

#define IMS_MEDIA_CAMERA_BYTES 404 /* 100 code points of UTF-8 and the NUL */

/* Facts about one file. Holds memory: end with ims_media_info_release. */
struct ims_media_info {
    ims_media_format format;
    int width; /* as displayed: after orientation */
    int height;
    int orientation; /* EXIF 1..8 as stored in the file; 1 when absent, and always 1 for HEIC and
                        AVIF */
    int n_pages;     /* frames or pages; the first is what is decoded */
    int bits;        /* per sample, as stored: 1, 8, 16 ... as far as the loader tells */
    bool has_alpha;
    bool has_icc;
    bool has_taken_at;
    int64_t taken_at_us; /* EXIF 36867, else 36868, read as UTC */
    bool has_gps;
    double gps_lat; /* degrees; north and east are positive */
    double gps_lng;
    char camera_make[IMS_MEDIA_CAMERA_BYTES]; /* "" when absent */
    char camera_model[IMS_MEDIA_CAMERA_BYTES];
    char *exif_json; /* one-line JSON object of the main IFD's tags by name; NULL when there are
                        none */
    char note[200];  /* what was wrong but not fatal, e.g. a damaged profile or EXIF block; "" if
                        nothing */
};

void ims_media_info_release(struct ims_media_info *info); /* zeroes it too */

/* Decoded pixels, shared by reference count; immutable once published. */
struct ims_image {
    uint8_t *rgb; /* height rows of width RGB triples, stride_bytes apart, top left first */
    int width;
    int height;
    size_t stride_bytes;
    uint8_t *alpha; /* width x height, tightly packed; NULL when there is none or it is opaque
                       throughout */
    uint8_t *icc;   /* the profile rgb is in, only when that is not sRGB; else NULL */
    size_t icc_bytes;
    atomic_int n_refs; /* ims_image_ref, ims_image_unref */
};

struct ims_image *ims_image_ref(struct ims_image *im);
void ims_image_unref(struct ims_image *im); /* accepts NULL; thread-safe */
/* An image of one's own (crops, resized pictures): zeroed pixels, packed rows, no alpha, one
 * reference. */
ims_status ims_image_new(struct ims_image **out, int width, int height,
                         ims_err *err) IMS_MUST_CHECK;

/* Header and EXIF only; no pixels are decoded. info->has_alpha is then what the header says.
 * IMS_E_UNSUPPORTED (not a picture of ours; says what it looks like), IMS_E_LIMIT, IMS_E_FORMAT,
 * IMS_E_TRUNCATED. Zero bytes are IMS_E_TRUNCATED. Whether the pixels behind the header are sound
 * is decode's to say. */
ims_status ims_media_probe(struct ims_media *m, const uint8_t *p, size_t n,
                           struct ims_media_info *out_info, ims_err *err) IMS_MUST_CHECK;

/* Decodes the first page. out_info may be NULL. Errors as for probe, and IMS_E_TIMEOUT. A file that
 * ends early is IMS_E_TRUNCATED, never a picture with a grey bottom. p need not outlive the call.
 */
ims_status ims_media_decode(struct ims_media *m, const uint8_t *p, size_t n,
                            struct ims_media_info *out_info, struct ims_image **out_image,
                            ims_err *err) IMS_MUST_CHECK;

/* Converts packed RGB (n_px triples) in place from the profile of `of` to sRGB; nothing happens
 * when of->icc is NULL. Meant for what has been resized. A profile that cannot be applied leaves
 * the pixels as they are and is still success: *out_applied (may be NULL) tells. */
ims_status ims_media_to_srgb(struct ims_media *m, const struct ims_image *of, uint8_t *rgb,
                             size_t n_px, bool *out_applied, ims_err *err) IMS_MUST_CHECK;

/* JPEG bytes of the picture shrunk to fit max_px x max_px (never enlarged), Lanczos, on white,
 * sRGB, without metadata. The caller ends *out_buf with ims__free. */
ims_status ims_media_thumbnail(struct ims_media *m, const struct ims_image *im, int max_px,
                               int quality, uint8_t **out_buf, size_t *out_bytes,
                               ims_err *err) IMS_MUST_CHECK;
/* The size that thumbnail gives: Pillow's Image.thumbnail rule. */
void ims_media_fit(int width, int height, int max_px, int *out_width, int *out_height);

/* Encodes RGB rows as they are (taken to be sRGB), optimised Huffman tables, no metadata. */
ims_status ims_media_encode_jpeg(struct ims_media *m, const uint8_t *rgb, int width, int height,
                                 size_t stride_bytes, int quality, uint8_t **out_buf,
                                 size_t *out_bytes, ims_err *err) IMS_MUST_CHECK;

#define IMS_DHASH_HEX 17 /* with the NUL */

/* 64-bit difference hash: Pillow's convert("L"), resize((9, 8), LANCZOS), bit = left > right,
 * row-major, first bit highest. Alpha and profile are ignored. */
ims_status ims_media_dhash(const struct ims_image *im, uint64_t *out_hash,
                           ims_err *err) IMS_MUST_CHECK;
void ims_media_dhash_hex(uint64_t hash, char out[IMS_DHASH_HEX]);
/* Number of differing bits; 5 or fewer is a near duplicate. */
int ims_media_dhash_distance(uint64_t a, uint64_t b);

#endif
