/* Faces against InsightFace and OpenCV: the files that make.py wrote.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "golden/face/pictures.h"
#include "kernels/bilinear.h"
#include "models/face/face.h"
#include "models/face/scrfd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/golden/face/"

static struct ims_rgb_view view_of(const uint8_t *rgb, int width, int height)
{
    return (struct ims_rgb_view){ rgb, width, height, (size_t)width * 3 };
}

static bool has_sum(const uint8_t *p, size_t n, const char *want)
{
    uint8_t sum[IMS_SHA256_BYTES];
    char hex[IMS_SHA256_HEX];

    if (ims__sha256(p, n, sum, NULL) != IMS_OK)
        return false;
    ims__hex(sum, sizeof(sum), hex);
    return strcmp(hex, want) == 0;
}

/* Calls run for each line of a file that is no remark; *out_n: how many there were. */
static void each_line(const char *name, void (*run)(const char *line), int *out_n)
{
    char path[128];
    char *text, *next;

    (void)snprintf(path, sizeof(path), FOLDER "%s", name);
    text = test_read_file(test_source_path(path), NULL);
    *out_n = 0;
    for (char *line = text; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (*line != '#') {
            run(line);
            ++*out_n;
        }
    }
    free(text);
}

/* ---- OpenCV ---- */

static void run_resize(const char *line)
{
    struct ims_rgb_view v;
    char kind[16], sum[80];
    int width, height, new_width, new_height;
    unsigned seed;
    uint8_t *src, *dst;
    size_t row, stride;
    ims_err err = { 0 };

    CHECK_INT(sscanf(line, "%15s %u %d %d %d %d %79s", kind, &seed, &width, &height, &new_width,
                     &new_height, sum),
              7);
    src = draw_test_picture(kind, seed, width, height);
    v = view_of(src, width, height);
    row = (size_t)new_width * 3;
    stride = row + 5; /* rows need not be packed */
    dst = ims__zalloc((size_t)new_height, stride);
    CHECK_OK(ims__bilinear_resize(&v, new_width, new_height, dst, stride, &err), err);
    for (int y = 0; y < new_height; y++)
        memmove(dst + (size_t)y * row, dst + (size_t)y * stride, row);
    if (!has_sum(dst, row * (size_t)new_height, sum))
        test_fail(__FILE__, __LINE__, "%s: the pixels differ", line);
    ims__free(dst);
    ims__free(src);
}

TEST(resize, "a resize gives the pixels of cv2.resize, bit for bit")
{
    int n;

    each_line("resize.txt", run_resize, &n);
    CHECK_INT(n, 14);
}

static void run_warp(const char *line)
{
    struct ims_rgb_view v;
    char kind[16], sum[80];
    int width, height, new_width, new_height;
    unsigned seed;
    double m[6];
    uint8_t *src, *dst;
    ims_err err = { 0 };

    CHECK_INT(sscanf(line, "%15s %u %d %d %d %d %lf %lf %lf %lf %lf %lf %79s", kind, &seed, &width,
                     &height, &new_width, &new_height, &m[0], &m[1], &m[2], &m[3], &m[4], &m[5],
                     sum),
              13);
    src = draw_test_picture(kind, seed, width, height);
    v = view_of(src, width, height);
    dst = ims__alloc((size_t)new_width * (size_t)new_height, 3);
    CHECK_OK(ims__bilinear_warp(&v, m, new_width, new_height, dst, (size_t)new_width * 3, &err),
             err);
    if (!has_sum(dst, (size_t)new_width * (size_t)new_height * 3, sum))
        test_fail(__FILE__, __LINE__, "%s: the pixels differ", line);
    ims__free(dst);
    ims__free(src);
}

TEST(warp, "an affine warp gives the pixels of cv2.warpAffine, bit for bit")
{
    int n;

    each_line("warp.txt", run_warp, &n);
    CHECK_INT(n, 8);
}

/* ---- decoding ---- */

/* The outputs of make.py's FakeSession for a canvas; ims__free each. */
static void make_outputs(const struct ims_scrfd *s, uint64_t seed, double limit, float **outputs)
{
    for (size_t i = 0; i < s->n_outputs; i++) {
        size_t n = ims__scrfd_rows(s, i % s->n_levels) * ims__scrfd_columns(s, i);
        outputs[i] = ims__alloc(n, sizeof(float));
        for (size_t k = 0; k < n; k++) {
            double u = (double)(mix_test_number(seed + 1000 * i, k) >> 40) / 16777216.0;
            if (i < s->n_levels)
                u = u < limit ? u / limit : 0.25 * u;
            else
                u = i < 2 * s->n_levels ? u * 8 - 0.5 : u * 10 - 5;
            outputs[i][k] = (float)u;
        }
    }
}

static struct {
    struct ims_scrfd_candidates found;
    size_t at, n_shown;
    bool has_points;
} decoded;

static void start_case(const char *line)
{
    struct ims_scrfd s;
    float *outputs[SCRFD_MAX_OUTPUTS] = { NULL };
    double ratio, limit;
    unsigned seed, n_outputs;
    char is_batched[8];
    int width, height, n_faces;
    float scale;
    ims_err err = { 0 };

    CHECK_INT(sscanf(line, "case %u %u %7s %d %d %lf %d", &seed, &n_outputs, is_batched, &width,
                     &height, &limit, &n_faces),
              7);
    CHECK_INT(decoded.at, decoded.n_shown); /* of the case before */
    ims__free(decoded.found.items);
    memset(&decoded, 0, sizeof(decoded));
    CHECK(ims__scrfd_init(&s, n_outputs));
    s.width = s.height = 640;
    make_outputs(&s, seed, limit, outputs);
    ratio = (double)height / width;
    scale = (float)((ratio > 1 ? 640.0 : (double)(int)(640 * ratio)) / height);
    CHECK_OK(
        ims__scrfd_decode(&s, (const float *const *)outputs, 0.5F, scale, &decoded.found, &err),
        err);
    ims__scrfd_suppress(&decoded.found, IMS_FACE_MAX_PER_IMAGE);
    for (size_t i = 0; i < s.n_outputs; i++)
        ims__free(outputs[i]);
    CHECK_INT(decoded.found.n, n_faces);
    decoded.n_shown = n_faces < 20 ? (size_t)n_faces : 20;
    decoded.has_points = s.has_points;
}

static void check_row(const char *line)
{
    const struct ims_scrfd_candidate *c;
    char *at = (char *)(uintptr_t)line;
    float want[15];
    size_t n = decoded.has_points ? 15 : 5;

    CHECK(decoded.at < decoded.found.n);
    c = &decoded.found.items[decoded.at++];
    for (size_t i = 0; i < n; i++)
        want[i] = strtof(at, &at);
    CHECK(c->x1 == want[0] && c->y1 == want[1] && c->x2 == want[2] && c->y2 == want[3]);
    CHECK(c->score == want[4]);
    if (decoded.has_points)
        CHECK_MEM(c->points, want + 5, sizeof(c->points));
}

static void run_decode(const char *line)
{
    if (strncmp(line, "case ", 5) == 0)
        start_case(line);
    else
        check_row(line);
}

TEST(decode, "every form of SCRFD's outputs decodes to InsightFace's faces, bit for bit")
{
    int n;

    each_line("decode.txt", run_decode, &n);
    CHECK(n > 6 * 10);
    CHECK_INT(decoded.at, decoded.n_shown);
    ims__free(decoded.found.items);
    memset(&decoded, 0, sizeof(decoded));
}

TEST(prefer_fine,
     "a candidate of the small scale gives way to one of the main scale, whatever its score")
{
    struct ims_scrfd_candidate items[] = {
        { .x1 = 10,
          .y1 = 10,
          .x2 = 109,
          .y2 = 109,
          .score = 0.9F }, /* small scale: met by the fourth */
        { .x1 = 300, .y1 = 10, .x2 = 399, .y2 = 109, .score = 0.6F }, /* met by nobody */
        { .x1 = 310,
          .y1 = 10,
          .x2 = 409,
          .y2 = 109,
          .score = 0.8F }, /* only by one of its own scale */
        { .x1 = 15, .y1 = 10, .x2 = 114, .y2 = 109, .score = 0.5F }, /* main scale */
    };
    struct ims_scrfd_candidates c = { .items = items, .n = 4, .cap = 4 };

    ims__scrfd_prefer_fine(&c, 3);
    CHECK_INT(c.n, 3);
    CHECK_NEAR(c.items[0].x1, 300, 0);
    CHECK_NEAR(c.items[1].x1, 310, 0);
    CHECK_NEAR(c.items[2].x1, 15, 0);
    ims__scrfd_prefer_fine(&c, 0);
    CHECK_INT(c.n, 3);
    ims__scrfd_suppress(&c, 10);
    CHECK_INT(c.n, 2);
    CHECK_NEAR(c.items[0].score, 0.8F, 0);
}

TEST_MAIN
