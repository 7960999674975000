/* Every picture of this folder against what Pillow makes of it (expected.json, make.py).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "harness/test.h"
#include "media/media.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/media/"
#define GRID 4
#define INEXACT_STEPS 6 /* how far a lossy decoder's patch mean may be from the drawing's */

static struct ims_media *media;
static ims_json *root;

struct picture {
    const char *name;
    const ims_json *want;
    struct ims_media_info info;
    struct ims_image *image;
};

static bool setup(void)
{
    ims_err err;
    char *text;
    size_t n;

    if (root)
        return true;
    text = test_read_file(test_source_path(FOLDER "expected.json"), &n);
    if (ims__json_parse(&root, text, n, "expected.json", &err) ||
        ims_media_open(&media, NULL, &err))
        test_fail(__FILE__, __LINE__, "%s", err.text);
    free(text);
    return root && media;
}

static bool load(struct picture *p)
{
    char path[256];
    char *bytes;
    size_t n;
    ims_err err;
    ims_status st;

    snprintf(path, sizeof(path), FOLDER "files/%s", p->name);
    bytes = test_read_file(test_source_path(path), &n);
    st = ims_media_decode(media, (const uint8_t *)bytes, n, &p->info, &p->image, &err);
    free(bytes);
    if (st)
        test_fail(__FILE__, __LINE__, "%s: %s", p->name, err.text);
    return st == IMS_OK;
}

static void for_each(void (*check)(struct picture *p))
{
    const ims_json *files = ims__json_get(root, "files");
    size_t n = 0;

    for (void *it = ims__json_iter(files); it; it = ims__json_next(files, it)) {
        struct picture p = { .name = ims__json_iter_key(it), .want = ims__json_iter_value(it) };

        if (!load(&p))
            return;
        check(&p);
        ims_image_unref(p.image);
        ims_media_info_release(&p.info);
        n++;
        if (test_has_failed()) {
            test_note("in %s", p.name);
            return;
        }
    }
    CHECK(n > 50);
}

static const char *want_str(const struct picture *p, const char *key)
{
    return ims__json_str(ims__json_get(p->want, key), NULL);
}

static int64_t want_int(const struct picture *p, const char *key)
{
    return ims__json_int(ims__json_get(p->want, key), -1);
}

static bool is_exact(const struct picture *p)
{
    return ims__json_bool(ims__json_get(p->want, "exact"), false);
}

static void hash_hex(const void *p, size_t n, char hex[IMS_SHA256_HEX])
{
    uint8_t hash[IMS_SHA256_BYTES];
    ims_err err;

    CHECK_OK(ims__sha256(p, n, hash, &err), err);
    ims__hex(hash, sizeof(hash), hex);
}

static void check_facts(struct picture *p)
{
    CHECK_STR(ims_media_format_name(p->info.format), want_str(p, "format"));
    CHECK_INT(p->info.width, want_int(p, "width"));
    CHECK_INT(p->info.height, want_int(p, "height"));
    CHECK_INT(p->image->width, want_int(p, "width"));
    CHECK_INT(p->image->height, want_int(p, "height"));
    CHECK_INT(p->info.orientation, want_int(p, "orientation"));
    CHECK_INT(p->info.n_pages, want_int(p, "pages"));
    CHECK_INT(p->info.has_alpha, ims__json_bool(ims__json_get(p->want, "has_alpha"), false));
}

TEST(facts, "size, format, orientation, pages and alpha are those that Pillow finds")
{
    if (setup())
        for_each(check_facts);
}

static void check_pixels(struct picture *p)
{
    char hex[IMS_SHA256_HEX] = "";

    if (!is_exact(p))
        return;
    CHECK_INT(p->image->stride_bytes, p->image->width * 3);
    hash_hex(p->image->rgb, (size_t)p->image->width * 3 * (size_t)p->image->height, hex);
    CHECK_STR(hex, want_str(p, "rgb_sha256"));
    CHECK_INT(p->image->alpha != NULL, want_str(p, "alpha_sha256") != NULL);
    if (p->image->alpha) {
        hash_hex(p->image->alpha, (size_t)p->image->width * (size_t)p->image->height, hex);
        CHECK_STR(hex, want_str(p, "alpha_sha256"));
    }
}

TEST(pixels, "pixels are Pillow's to the bit, turned, and so is alpha")
{
    if (setup())
        for_each(check_pixels);
}

/* Mean colours of GRID x GRID patches against the wanted ones. */
static void check_grid(const uint8_t *rgb, int width, int height, const ims_json *want,
                       double tolerance)
{
    for (int gy = 0; gy < GRID; gy++) {
        for (int gx = 0; gx < GRID; gx++) {
            for (int c = 0; c < 3; c++) {
                double sum = 0;
                double weight = 0;

                for (int y = 0; y < height; y++) {
                    for (int x = 0; x < width; x++) {
                        double wy = fmin(y + 1, (gy + 1.0) * height / GRID) -
                                    fmax(y, gy * 1.0 * height / GRID);
                        double wx = fmin(x + 1, (gx + 1.0) * width / GRID) -
                                    fmax(x, gx * 1.0 * width / GRID);

                        if (wy > 0 && wx > 0) {
                            sum += wy * wx *
                                   rgb[((size_t)y * (size_t)width + (size_t)x) * 3 + (size_t)c];
                            weight += wy * wx;
                        }
                    }
                }
                CHECK_NEAR(
                    sum / weight,
                    ims__json_num(ims__json_at(want, (size_t)((gy * GRID + gx) * 3 + c)), -1000),
                    tolerance);
            }
        }
    }
}

static void check_lossy(struct picture *p)
{
    if (!is_exact(p))
        check_grid(p->image->rgb, p->image->width, p->image->height, ims__json_get(p->want, "grid"),
                   INEXACT_STEPS);
}

TEST(lossy, "HEIC, AVIF and CMYK with a profile show the drawing, the right way up")
{
    if (setup())
        for_each(check_lossy);
}

static void check_dhash(struct picture *p)
{
    char hex[IMS_DHASH_HEX];
    uint64_t hash;
    ims_err err;

    CHECK_OK(ims_media_dhash(p->image, &hash, &err), err);
    ims_media_dhash_hex(hash, hex);
    if (is_exact(p))
        CHECK_STR(hex, want_str(p, "dhash"));
    else
        CHECK(ims_media_dhash_distance(hash, strtoull(want_str(p, "dhash"), NULL, 16)) <= 5);
}

TEST(dhash, "the perceptual hash is that of Pillow's L, 9 x 8 Lanczos")
{
    if (setup())
        for_each(check_dhash);
}

static void check_tag(const struct picture *p, const char *key, const ims_json *got,
                      const ims_json *want)
{
    if (!got) {
        test_fail(__FILE__, __LINE__, "%s: no tag %s", p->name, key);
        return;
    }
    if (ims__json_type(want) == IMS_JSON_STRING) {
        CHECK_STR(ims__json_str(got, NULL), ims__json_str(want, NULL));
    } else if (ims__json_type(want) == IMS_JSON_ARRAY) {
        CHECK_INT(ims__json_len(got), ims__json_len(want));
        for (size_t i = 0; i < ims__json_len(want); i++)
            CHECK_NEAR(ims__json_num(ims__json_at(got, i), NAN),
                       ims__json_num(ims__json_at(want, i), NAN), 1e-6);
    } else {
        CHECK_NEAR(ims__json_num(got, NAN), ims__json_num(want, NAN), 1e-6);
    }
}

static void check_tags(struct picture *p, const ims_json *tags)
{
    ims_json *got = NULL;
    ims_err err;

    if (ims__json_len(tags) == 0)
        return;
    CHECK(p->info.exif_json != NULL);
    CHECK_OK(ims__json_parse(&got, p->info.exif_json, strlen(p->info.exif_json), p->name, &err),
             err);
    for (void *it = ims__json_iter(tags); it; it = ims__json_next(tags, it)) {
        const char *key = ims__json_iter_key(it);

        /* pillow-heif rewrites the orientation of what it has turned */
        if (p->info.format != IMS_MEDIA_HEIC || strcmp(key, "Orientation") != 0)
            check_tag(p, key, ims__json_get(got, key), ims__json_iter_value(it));
    }
    ims__json_free(got);
}

static void check_exif(struct picture *p)
{
    const ims_json *want = ims__json_get(p->want, "exif");
    const ims_json *gps = ims__json_get(want, "gps");
    const char *date = ims__json_str(ims__json_get(want, "taken_at"), NULL);
    const char *make = ims__json_str(ims__json_get(want, "make"), NULL);
    const char *model = ims__json_str(ims__json_get(want, "model"), NULL);

    CHECK_INT(p->info.has_taken_at, date != NULL);
    if (date) /* the only date that make.py writes there */
        CHECK_INT(p->info.taken_at_us, INT64_C(1625402096000000));
    CHECK_INT(p->info.has_gps, gps != NULL);
    CHECK_NEAR(p->info.gps_lat, ims__json_num(ims__json_at(gps, 0), 0), 1e-9);
    CHECK_NEAR(p->info.gps_lng, ims__json_num(ims__json_at(gps, 1), 0), 1e-9);
    CHECK_STR(p->info.camera_make, make ? make : "");
    CHECK_STR(p->info.camera_model, model ? model : "");
    check_tags(p, ims__json_get(want, "tags"));
}

TEST(exif, "date, place, camera and the tags of the first directory are those that Pillow reads")
{
    if (setup())
        for_each(check_exif);
}

static void check_thumbnail(struct picture *p)
{
    uint8_t *jpeg = NULL;
    size_t n = 0;
    struct ims_image *t = NULL;
    struct ims_media_info info = { 0 };
    const char *sha = want_str(p, "thumb_sha256");
    char hex[IMS_SHA256_HEX] = "";
    ims_err err;

    CHECK_OK(ims_media_thumbnail(media, p->image, 16, 85, &jpeg, &n, &err), err);
    CHECK_OK(ims_media_decode(media, jpeg, n, &info, &t, &err), err);
    CHECK_INT(t->width, ims__json_int(ims__json_at(ims__json_get(p->want, "thumb_size"), 0), -1));
    CHECK_INT(t->height, ims__json_int(ims__json_at(ims__json_get(p->want, "thumb_size"), 1), -1));
    CHECK(!info.has_icc && !info.exif_json);
    if (sha) {
        hash_hex(t->rgb, (size_t)t->width * 3 * (size_t)t->height, hex);
        CHECK_STR(hex, sha);
    } else {
        check_grid(t->rgb, t->width, t->height, ims__json_get(p->want, "thumb_grid"),
                   INEXACT_STEPS + 4);
    }
    ims_image_unref(t);
    ims__free(jpeg);
}

TEST(thumbnails, "a thumbnail decodes to the pixels of the one that Pillow writes")
{
    if (setup())
        for_each(check_thumbnail);
}

static void check_srgb(struct picture *p)
{
    const ims_json *want = ims__json_get(p->want, "srgb");
    size_t n_px = ims__json_len(want) / 3;
    bool is_applied = false;
    uint8_t *rgb;
    ims_err err;

    CHECK_INT(p->image->icc != NULL, want != NULL);
    if (!want)
        return;
    rgb = ims__memdup(p->image->rgb, n_px * 3);
    CHECK_OK(ims_media_to_srgb(media, p->image, rgb, n_px, &is_applied, &err), err);
    CHECK(is_applied);
    for (size_t i = 0; i < n_px * 3; i++)
        CHECK_NEAR(rgb[i], ims__json_num(ims__json_at(want, i), -1), 2);
    CHECK(memcmp(rgb, p->image->rgb, n_px * 3) != 0);
    ims__free(rgb);
}

TEST(profiles, "profiles other than sRGB are kept, and convert to what littleCMS gives")
{
    if (setup())
        for_each(check_srgb);
}

TEST_MAIN
