/* Resizing and CLIP preprocessing against Pillow, torchvision and open_clip: cases.txt, made by
 * make.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/hash.h"
#include "base/mem.h"
#include "kernels/resample.h"
#include "models/clip/preprocess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const filter_names[] = { "bilinear", "bicubic", "lanczos3" };
static const char *const mode_names[] = { "shortest", "squash", "longest" };

static int find_name(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

/* The formula of make.py. */
static uint64_t mix(uint64_t seed, uint64_t index)
{
    uint64_t state = seed + index * 0x9e3779b97f4a7c15u;

    return test_random(&state);
}

static uint8_t *draw_picture(const char *kind, uint64_t seed, int width, int height, int channels)
{
    uint8_t *pixels = ims__alloc((size_t)width * (size_t)height, (size_t)channels), *p = pixels;
    bool is_noise = strcmp(kind, "noise") == 0;
    uint64_t index = 0;

    for (uint64_t y = 0; y < (uint64_t)height; y++) {
        for (uint64_t x = 0; x < (uint64_t)width; x++) {
            for (uint64_t c = 0; c < (uint64_t)channels; c++)
                *p++ =
                    (uint8_t)(is_noise ? mix(seed, index++) >> 56
                                       : (mix(seed, ((y / 7) << 32) + x / 7 * 4 + c) >> 63) * 255);
        }
    }
    return pixels;
}

/* true when the sum is the one expected */
static bool check_sum(const char *line, const uint8_t *pixels, size_t n, const char *want)
{
    uint8_t sum[IMS_SHA256_BYTES];
    char hex[IMS_SHA256_HEX];
    ims_err err = { 0 };

    if (!test_check_ok(__FILE__, __LINE__, line, ims__sha256(pixels, n, sum, &err), &err))
        return false;
    ims__hex(sum, sizeof(sum), hex);
    if (strcmp(hex, want) == 0)
        return true;
    test_fail(__FILE__, __LINE__, "%s: the pixels differ", line);
    return false;
}

/* Calls run for each line of cases.txt that starts with word; returns how many there were. */
static int each_case(const char *word, void (*run)(const char *line))
{
    char *text = test_read_file(test_source_path("tests/golden/preprocess/cases.txt"), NULL);
    size_t len = strlen(word);
    char *next = NULL;
    int n = 0;

    for (char *line = text; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (strncmp(line, word, len) == 0 && line[len] == ' ') {
            run(line + len + 1);
            n++;
        }
    }
    free(text);
    return n;
}

static void run_resize(const char *line)
{
    char kind[16], filter[16], sum[80];
    unsigned seed;
    struct ims_resample r = { 0 };
    uint8_t *src, *dst;
    size_t row;
    ims_err err = { 0 };

    CHECK_INT(sscanf(line, "%15s %u %d %d %d %15s %d %d %79s", kind, &seed, &r.src_width,
                     &r.src_height, &r.channels, filter, &r.dst_width, &r.dst_height, sum),
              9);
    r.filter = (ims_filter)find_name(filter_names, 3, filter);
    src = draw_picture(kind, seed, r.src_width, r.src_height, r.channels);
    r.src = src;
    r.src_stride = (size_t)r.src_width * (size_t)r.channels;
    row = (size_t)r.dst_width * (size_t)r.channels;
    for (int tier = 0; tier < IMS_CPU_N_TIERS; tier++) {
        const struct ims_kernels *k = ims__kernels_for((ims_cpu_tier)tier);

        if (!k)
            continue;
        dst = ims__zalloc((size_t)r.dst_height, row);
        CHECK_OK(ims__resample_with(k, &r, dst, row, &err), err);
        if (!check_sum(line, dst, row * (size_t)r.dst_height, sum))
            test_note("tier %s", k->name);
        ims__free(dst);
    }
    ims__free(src);
}

TEST(resize, "a resize gives Pillow's pixels on every tier of this machine")
{
    CHECK_INT(each_case("resize", run_resize), 156);
}

static void run_clip(const char *line)
{
    char kind[16], mode[16], filter[16], sum[80];
    unsigned seed, fill;
    int width, height;
    struct ims_clip_preprocess p = { 0 };
    uint8_t *src, *dst;
    ims_err err = { 0 };

    CHECK_INT(sscanf(line, "%15s %u %d %d %15s %15s %u %d %d %79s", kind, &seed, &width, &height,
                     mode, filter, &fill, &p.width, &p.height, sum),
              10);
    p.resize = (ims_clip_resize)find_name(mode_names, 3, mode);
    p.interpolation = (ims_filter)find_name(filter_names, 3, filter);
    p.fill = (uint8_t)fill;
    src = draw_picture(kind, seed, width, height, 3);
    dst = ims__zalloc((size_t)p.width * (size_t)p.height, 3);
    CHECK_OK(ims__clip_preprocess_run(&p, src, width, height, (size_t)width * 3, dst, &err), err);
    check_sum(line, dst, (size_t)p.width * (size_t)p.height * 3, sum);
    ims__free(dst);
    ims__free(src);
}

TEST(clip, "CLIP preprocessing gives open_clip's pixels in every resize mode")
{
    CHECK_INT(each_case("clip", run_clip), 234);
}

static void run_luma(const char *line)
{
    char kind[16], sum[80];
    unsigned seed;
    int width, height;
    uint8_t *src, *dst;
    size_t n;

    CHECK_INT(sscanf(line, "%15s %u %d %d %79s", kind, &seed, &width, &height, sum), 5);
    src = draw_picture(kind, seed, width, height, 3);
    n = (size_t)width * (size_t)height;
    dst = ims__zalloc(n, 1);
    ims__kernels()->rgb_to_luma(src, n, dst);
    check_sum(line, dst, n, sum);
    ims__free(dst);
    ims__free(src);
}

TEST(luma, "luma is Pillow's conversion to grey")
{
    CHECK_INT(each_case("luma", run_luma), 4);
}

TEST(geometry, "halves of the excess go to the even neighbour and sides are truncated")
{
    struct ims_clip_preprocess p = ims__clip_preprocess_openai;
    struct ims_clip_geometry g = { 0 };
    ims_err err = { 0 };

    CHECK_OK(ims__clip_preprocess_geometry(&p, 4000, 3000, &g, &err), err);
    CHECK_INT(g.resized_width, 298); /* 298.67 */
    CHECK_INT(g.resized_height, 224);
    CHECK_INT(g.left, 37);
    CHECK_OK(ims__clip_preprocess_geometry(&p, 224, 299, &g, &err), err);
    CHECK_INT(g.top, 38); /* 37.5 */
    CHECK_OK(ims__clip_preprocess_geometry(&p, 224, 297, &g, &err), err);
    CHECK_INT(g.top, 36); /* 36.5 */
    p.resize = IMS_CLIP_RESIZE_LONGEST;
    CHECK_OK(ims__clip_preprocess_geometry(&p, 448, 225, &g, &err), err);
    CHECK_INT(g.resized_height, 112); /* 112.5 */
    CHECK_INT(g.top, -56);
    CHECK_OK(ims__clip_preprocess_geometry(&p, 65500, 1, &g, &err), err);
    CHECK_INT(g.resized_height, 1); /* never 0 */
}

TEST(extreme_aspect, "a picture 65,500 times as tall as wide needs memory for the crop only")
{
    struct ims_clip_preprocess p = ims__clip_preprocess_openai;
    uint8_t *src = draw_picture("noise", 3, 1, 65500, 3);
    uint8_t *dst = ims__zalloc(224 * 224, 3);
    ims_err err = { 0 };

    /* the whole resized picture would be 224 x 14,672,000 */
    CHECK_OK(ims__clip_preprocess_run(&p, src, 1, 65500, 3, dst, &err), err);
    CHECK(memcmp(dst, dst + 224 * 3 * 223, 3) != 0);
    CHECK_MEM(dst, dst + 3, 223 * 3); /* a single column widened: the row is one colour */
    ims__free(src);
    ims__free(dst);
}

TEST(bad_arguments, "descriptions and pictures that make no sense are refused")
{
    struct ims_clip_preprocess p = ims__clip_preprocess_openai;
    uint8_t src[12] = { 0 }, dst[12];
    ims_err err = { 0 };

    p.width = p.height = 2;
    CHECK_STATUS(ims__clip_preprocess_run(&p, src, 0, 2, 6, dst, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims__clip_preprocess_run(&p, src, 2, -1, 6, dst, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims__clip_preprocess_run(&p, src, 2, 2, 5, dst, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims__clip_preprocess_run(&p, NULL, 2, 2, 6, dst, &err), IMS_E_INVALID, err);
    p.interpolation = IMS_FILTER_LANCZOS3;
    CHECK_STATUS(ims__clip_preprocess_run(&p, src, 2, 2, 6, dst, &err), IMS_E_INVALID, err);
    p.interpolation = IMS_FILTER_BICUBIC;
    p.resize = IMS_CLIP_RESIZE_N;
    CHECK_STATUS(ims__clip_preprocess_run(&p, src, 2, 2, 6, dst, &err), IMS_E_INVALID, err);
    p.resize = IMS_CLIP_RESIZE_SQUASH;
    p.width = 0;
    CHECK_STATUS(ims__clip_preprocess_run(&p, src, 2, 2, 6, dst, &err), IMS_E_INVALID, err);
    p.width = 4096;
    CHECK_STATUS(ims__clip_preprocess_run(&p, src, 2, 2, 6, dst, &err), IMS_E_INVALID, err);
}

TEST_MAIN
