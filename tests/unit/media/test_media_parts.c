/* Sniffing, profiles, turning, sizes, hashes: the parts that need no decoder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/mem.h"
#include "harness/test.h"
#include "media/decode.h"
#include "media/image.h"
#include "media/segments.h"

#include <stdlib.h>
#include <string.h>

static void check_sniff(const char *bytes, size_t n, ims_media_format want, const char *noun)
{
    const char *got = NULL;

    CHECK_INT(ims_media_sniff((const uint8_t *)bytes, n, &got), want);
    CHECK_STR(got, noun);
}

TEST(sniff, "files are known by their first bytes")
{
    check_sniff("\xFF\xD8\xFF\xE0", 4, IMS_MEDIA_JPEG, "a JPEG picture");
    check_sniff("RIFF\0\0\0\0WEBPVP8 ", 16, IMS_MEDIA_WEBP, "a WebP picture");
    check_sniff("\0\0\0\x18"
                "ftypmif1\0\0\0\0mif1heic",
                24, IMS_MEDIA_HEIC, "a HEIC picture");
    check_sniff("\0\0\0\x18"
                "ftypmif1\0\0\0\0mif1avif",
                24, IMS_MEDIA_AVIF, "an AVIF picture");
    check_sniff("\0\0\0\x18"
                "ftypavif\0\0\0\0",
                16, IMS_MEDIA_AVIF, "an AVIF picture");
    check_sniff("\0\0\0\x18"
                "ftypisom\0\0\0\0",
                16, IMS_MEDIA_UNKNOWN, "an MPEG-4 video");
    check_sniff("\0\0\0\x18"
                "ftypcrx \0\0\0\0",
                16, IMS_MEDIA_UNKNOWN, "a Canon raw photo (CR3)");
    check_sniff("II*\0\x10\0\0\0CR\x02\0", 12, IMS_MEDIA_UNKNOWN, "a Canon raw photo (CR2)");
    check_sniff("II*\0\x08\0\0\0", 8, IMS_MEDIA_TIFF, "a TIFF picture");
    check_sniff("%PDF-1.7", 8, IMS_MEDIA_UNKNOWN, "a PDF document");
    check_sniff("<?xml version='1.0'?><svg>", 26, IMS_MEDIA_UNKNOWN, "an SVG drawing");
    check_sniff("<!DOCTYPE html>", 15, IMS_MEDIA_UNKNOWN, "an HTML page");
    check_sniff("hello, world\n", 13, IMS_MEDIA_UNKNOWN, "text");
    check_sniff("gr\xC3\xBC\xC3\x9F"
                "e\n",
                8, IMS_MEDIA_UNKNOWN, "text");
    check_sniff("\x01\x02\x03\x04", 4, IMS_MEDIA_UNKNOWN, "no kind of file known here");
    check_sniff("", 0, IMS_MEDIA_UNKNOWN, "an empty file");
    check_sniff("\x1A\x45\xDF\xA3", 4, IMS_MEDIA_UNKNOWN, "a Matroska or WebM video");
}

TEST(sniff_short, "no prefix of a signature is read beyond its end")
{
    static const char *const heads[] = { "\xFF\xD8\xFF", "\x89PNG\r\n\x1A\n",
                                         "RIFF....WEBP", "....ftypheic....",
                                         "GIF89a",       "FUJIFILMCCD-RAW" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(heads); i++) {
        for (size_t n = 0; n <= strlen(heads[i]); n++) {
            uint8_t *p = malloc(n ? n : 1);
            const char *noun = NULL;

            CHECK(p != NULL);
            memcpy(p, heads[i], n);
            (void)ims_media_sniff(p, n, &noun);
            free(p);
            CHECK(noun != NULL);
        }
    }
}

TEST(names, "formats have a name and a media type, unknown ones too")
{
    CHECK_STR(ims_media_format_name(IMS_MEDIA_HEIC), "HEIC");
    CHECK_STR(ims_media_format_mime(IMS_MEDIA_JPEG), "image/jpeg");
    CHECK_STR(ims_media_format_mime(IMS_MEDIA_UNKNOWN), "application/octet-stream");
    CHECK_STR(ims_media_format_name((ims_media_format)99), "unknown");
}

/* The definition of the eight orientations, pixel by pixel. */
static void place_plainly(int o, int w, int h, int x, int y, int *out_x, int *out_y)
{
    static const struct {
        bool swaps, flips_x, flips_y; /* flips count in the result */
    } rules[9] = {
        [1] = { false, false, false }, [2] = { false, true, false }, [3] = { false, true, true },
        [4] = { false, false, true },  [5] = { true, false, false }, [6] = { true, true, false },
        [7] = { true, true, true },    [8] = { true, false, true }
    };
    int width = rules[o].swaps ? h : w;
    int height = rules[o].swaps ? w : h;

    *out_x = rules[o].swaps ? y : x;
    *out_y = rules[o].swaps ? x : y;
    if (rules[o].flips_x)
        *out_x = width - 1 - *out_x;
    if (rules[o].flips_y)
        *out_y = height - 1 - *out_y;
}

static void check_turn(int o, int w, int h, int px, int strip)
{
    size_t n = (size_t)w * (size_t)h * (size_t)px;
    uint8_t *src = malloc(n);
    uint8_t *dst = calloc(n + 2, 1); /* a guard on each side */
    struct ims_orient orient = {
        .orientation = o, .src_width = w, .src_height = h, .px_bytes = px
    };
    uint64_t seed = (uint64_t)(o * 1000 + w * 10 + h);
    bool is_same = true;

    CHECK(src && dst);
    dst[0] = dst[n + 1] = 0xA5;
    for (size_t i = 0; i < n; i++)
        src[i] = (uint8_t)test_random(&seed);
    orient.dst = dst + 1;
    orient.dst_stride = (size_t)(o >= 5 ? h : w) * (size_t)px;
    for (int y = 0; y < h; y += strip)
        ims__orient_rows(&orient, src + (size_t)y * (size_t)w * (size_t)px, (size_t)w * (size_t)px,
                         y, h - y < strip ? h - y : strip);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            int tx, ty;

            place_plainly(o, w, h, x, y, &tx, &ty);
            is_same =
                is_same && memcmp(src + (size_t)(y * w + x) * (size_t)px,
                                  dst + 1 + (size_t)ty * orient.dst_stride + (size_t)(tx * px),
                                  (size_t)px) == 0;
        }
    }
    CHECK_SOFT(dst[0] == 0xA5 && dst[n + 1] == 0xA5);
    free(src);
    free(dst);
    if (!is_same)
        test_fail(__FILE__, __LINE__, "orientation %d of %d x %d x %d in strips of %d", o, w, h, px,
                  strip);
}

TEST(turning,
     "every orientation puts every pixel where its definition says, in strips of any height")
{
    static const int sizes[][2] = { { 1, 1 },   { 1, 7 },    { 7, 1 },  { 63, 65 },
                                    { 64, 64 }, { 130, 33 }, { 5, 200 } };
    static const int strips[] = { 1, 16, 64, 1000 };

    for (int o = 1; o <= 8; o++) {
        for (size_t i = 0; i < IMS_ARRAY_LEN(sizes); i++) {
            for (size_t s = 0; s < IMS_ARRAY_LEN(strips); s++) {
                check_turn(o, sizes[i][0], sizes[i][1], 3, strips[s]);
                check_turn(o, sizes[i][0], sizes[i][1], 1, strips[s]);
            }
        }
    }
}

static void check_fit(int w, int h, int want_w, int want_h)
{
    int got_w, got_h;

    ims_media_fit(w, h, 256, &got_w, &got_h);
    CHECK_INT(got_w, want_w);
    CHECK_INT(got_h, want_h);
}

TEST(fit, "thumbnail sizes are those of Pillow")
{
    check_fit(4000, 3000, 256, 192); /* Image.thumbnail((256, 256)).size of Pillow 13.0 */
    check_fit(3000, 4000, 192, 256);
    check_fit(256, 256, 256, 256);
    check_fit(100, 50, 100, 50);
    check_fit(257, 1, 256, 1);
    check_fit(10000, 3, 256, 1);
    check_fit(3, 10000, 1, 256);
    check_fit(1023, 767, 256, 192);
    check_fit(640, 427, 256, 171);
    check_fit(427, 640, 171, 256);
    check_fit(300, 299, 256, 255);
    check_fit(1000, 999, 256, 256);
}

TEST(dhash_text, "hashes print as 16 digits and differ by bits")
{
    char hex[IMS_DHASH_HEX];

    ims_media_dhash_hex(UINT64_C(0x00ABCDEF01234567), hex);
    CHECK_STR(hex, "00abcdef01234567");
    CHECK_INT(ims_media_dhash_distance(0, UINT64_MAX), 64);
    CHECK_INT(ims_media_dhash_distance(5, 6), 2);
    CHECK_INT(ims_media_dhash_distance(7, 7), 0);
}

TEST(images, "an image is black, counted, and gone with its last reference")
{
    struct ims_image *im = NULL;
    ims_err err;

    CHECK_OK(ims_image_new(&im, 3, 2, &err), err);
    CHECK_INT(im->stride_bytes, 9);
    CHECK_INT(im->rgb[17], 0);
    CHECK(ims_image_ref(im) == im);
    ims_image_unref(im);
    CHECK_INT(im->width, 3);
    ims_image_unref(im);
    ims_image_unref(NULL);
    CHECK_STATUS(ims_image_new(&im, 0, 2, &err), IMS_E_INVALID, err);
    ims__mem_fail_at(2);
    CHECK_INT(ims_image_new(&im, 3, 2, &err), IMS_E_NOMEM);
    ims__mem_fail_at(0);
}

TEST(icc_garbage, "what is no profile is damaged, and nothing is no profile")
{
    uint8_t p[400] = { 0 };

    CHECK_INT(ims__icc_kind(NULL, 0), MEDIA_ICC_NONE);
    CHECK_INT(ims__icc_kind(p, 10), MEDIA_ICC_DAMAGED);
    CHECK_INT(ims__icc_kind(p, sizeof(p)), MEDIA_ICC_DAMAGED);
    memcpy(p + 36, "acsp", 4);
    memcpy(p + 16, "RGB ", 4);
    p[2] = 1; /* size 256 */
    CHECK_INT(ims__icc_kind(p, sizeof(p)), MEDIA_ICC_RGB);
    CHECK_INT(ims__icc_kind(p, 200), MEDIA_ICC_DAMAGED); /* shorter than it says */
    p[128] = 0xFF;                                       /* tags without end */
    CHECK_INT(ims__icc_kind(p, sizeof(p)), MEDIA_ICC_DAMAGED);
    p[128] = 0;
    p[131] = 1;
    memset(p + 136, 0xFF, 8); /* a tag that lies outside */
    CHECK_INT(ims__icc_kind(p, sizeof(p)), MEDIA_ICC_DAMAGED);
}

TEST(outline, "a JPEG is complete only with an end marker outside its segments")
{
    static const uint8_t thumb[] = { 0xFF, 0xD8, 0xFF, 0xE1, 0,    8,    'x',  0xFF,
                                     0xD8, 0xFF, 0xD9, 0,    0xFF, 0xDA, 0,    4,
                                     0,    0,    0x12, 0xFF, 0x00, 0xFF, 0xD3, 0x34 };
    uint8_t whole[sizeof(thumb) + 2];
    struct jpeg_outline o;

    ims__jpeg_outline(&o, thumb, sizeof(thumb));
    CHECK(!o.is_complete);
    CHECK_INT(o.n_scans, 1);
    memcpy(whole, thumb, sizeof(thumb));
    whole[sizeof(thumb)] = 0xFF;
    whole[sizeof(thumb) + 1] = 0xD9;
    ims__jpeg_outline(&o, whole, sizeof(whole));
    CHECK(o.is_complete);
    CHECK(!o.is_damaged);
}

TEST_MAIN
