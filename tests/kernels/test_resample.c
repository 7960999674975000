/* The passes of a resize on every tier, bit for bit against the generic one, and the resampler's
 * contract. That the generic one gives Pillow's pixels is what tests/golden/preprocess shows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tiers.h"

#include "base/mem.h"
#include "kernels/resample.h"

#include <string.h>

static uint32_t pick(uint64_t *seed, uint32_t n)
{
    return (uint32_t)(test_random(seed) >> 32) % n;
}

/* n weights of a filter with lobes: absolute values add up to at most 1.9, as large as sums may
 * become. */
static void draw_weights(int32_t *weights, size_t n, uint64_t *seed)
{
    int64_t left = (int64_t)(1.9 * (1 << IMS_RESAMPLE_BITS));

    for (size_t i = 0; i < n; i++) {
        int64_t limit = pick(seed, 8) == 0 ? left : left / (int64_t)(n - i);
        int64_t w = limit > 0 ? (int64_t)(test_random(seed) % (uint64_t)limit) : 0;

        left -= w;
        weights[i] = (int32_t)(pick(seed, 4) == 0 ? -w : w);
    }
}

struct rows_case {
    size_t channels, width, n_rows, stride, n_out, n_taps, dst_stride;
    uint32_t first[64];
    int32_t *weights;
};

static void run_rows(const struct ims_kernels *k, const struct rows_case *c, const uint8_t *src,
                     uint8_t *dst)
{
    const struct ims_rows_kernel *rk = c->channels == 3 ? &k->rows_rgb : &k->rows_grey;
    struct ims_taps taps = { .n_out = c->n_out,
                             .n_blocks = c->n_taps / rk->block_px,
                             .first = c->first };
    uint32_t *words = ims__alloc(c->n_out * taps.n_blocks, rk->block_words * sizeof(*words));

    for (size_t b = 0; b < c->n_out * taps.n_blocks; b++)
        rk->pack(c->weights + b * rk->block_px, words + b * rk->block_words);
    taps.words = words;
    rk->run(&taps, src, c->stride, c->n_rows, dst, c->dst_stride);
    ims__free(words);
}

static void rows(const struct ims_kernels *k)
{
    uint64_t seed = 11;

    for (int round = 0; round < 600; round++) {
        struct rows_case c = { .channels = round % 2 ? 3 : 1, .n_rows = 1 + pick(&seed, 19) };
        const struct ims_rows_kernel *rk = c.channels == 3 ? &k->rows_rgb : &k->rows_grey;
        struct fence src, dst, want;
        size_t row, src_bytes, dst_bytes;

        c.n_taps = rk->block_px * (1 + pick(&seed, 5));
        c.width = c.n_taps + pick(&seed, 40);
        c.n_out = 1 + pick(&seed, 40);
        row = c.n_out * c.channels;
        c.stride = c.width * c.channels + pick(&seed, 9);
        c.dst_stride = row + pick(&seed, 9);
        c.weights = ims__alloc(c.n_out, c.n_taps * sizeof(int32_t));
        for (size_t o = 0; o < c.n_out; o++) {
            c.first[o] = pick(&seed, (uint32_t)(c.width - c.n_taps) + 1);
            draw_weights(c.weights + o * c.n_taps, c.n_taps, &seed);
        }
        src_bytes = (c.n_rows - 1) * c.stride + c.width * c.channels + rk->slack_bytes;
        dst_bytes = (c.n_rows - 1) * c.dst_stride + row;
        src = fence_new(src_bytes);
        dst = fence_new(dst_bytes);
        want = fence_new(dst_bytes);
        fill_bytes(src.data, src_bytes, (uint64_t)round);
        if (round % 5 == 0)
            memset(src.data, 255, src_bytes);
        run_rows(GENERIC(), &c, src.data, want.data);
        run_rows(k, &c, src.data, dst.data);
        CHECK_MEM(dst.data, want.data, dst_bytes); /* what lies between the rows included */
        CHECK(fence_check(&dst));
        ims__free(c.weights);
        fence_free(&src);
        fence_free(&dst);
        fence_free(&want);
    }
}
EACH_TIER(rows, "the horizontal pass gives the generic bits and touches nothing else")

static void columns(const struct ims_kernels *k)
{
    uint64_t seed = 12;

    for (size_t n_bytes = 0; n_bytes < 200; n_bytes++) {
        size_t n_taps = 1 + pick(&seed, 20), stride = n_bytes + pick(&seed, 5);
        size_t src_bytes = (n_taps - 1) * stride + n_bytes;
        struct fence src = fence_new(src_bytes), dst = fence_new(n_bytes),
                     want = fence_new(n_bytes);
        int32_t weights[20];

        draw_weights(weights, n_taps, &seed);
        fill_bytes(src.data, src_bytes, n_bytes);
        k->resample_column(weights, n_taps, src.data, stride, n_bytes, dst.data);
        GENERIC()->resample_column(weights, n_taps, src.data, stride, n_bytes, want.data);
        CHECK_MEM(dst.data, want.data, n_bytes);
        CHECK(fence_check(&dst));
        fence_free(&src);
        fence_free(&dst);
        fence_free(&want);
    }
}
EACH_TIER(columns, "the vertical pass gives the generic bits at every width")

/* Source and destination of a random resize, each ending at a wall. */
struct picture_case {
    struct ims_resample r;
    struct fence src, dst, want;
    size_t dst_stride;
};

static struct picture_case draw_case(uint64_t *seed)
{
    struct picture_case c = { 0 };
    uint32_t most = pick(seed, 3) == 0 ? 400 : 60;
    size_t row, bytes;

    c.r.channels = pick(seed, 2) ? 3 : 1;
    c.r.filter = (ims_filter)pick(seed, IMS_FILTER_N);
    c.r.src_width = 1 + (int)pick(seed, most);
    c.r.src_height = 1 + (int)pick(seed, most);
    c.r.dst_width = pick(seed, 8) == 0 ? c.r.src_width : 1 + (int)pick(seed, 90);
    c.r.dst_height = pick(seed, 8) == 0 ? c.r.src_height : 1 + (int)pick(seed, 90);
    c.r.crop_width = 1 + (int)pick(seed, (uint32_t)c.r.dst_width);
    c.r.crop_height = 1 + (int)pick(seed, (uint32_t)c.r.dst_height);
    c.r.crop_x = (int)pick(seed, (uint32_t)(c.r.dst_width - c.r.crop_width) + 1);
    c.r.crop_y = (int)pick(seed, (uint32_t)(c.r.dst_height - c.r.crop_height) + 1);
    row = (size_t)(c.r.src_width * c.r.channels);
    c.r.src_stride = row + pick(seed, 7);
    c.src = fence_new((size_t)(c.r.src_height - 1) * c.r.src_stride + row);
    fill_bytes(c.src.data, c.src.bytes, *seed);
    c.r.src = c.src.data;
    row = (size_t)(c.r.crop_width * c.r.channels);
    c.dst_stride = row + pick(seed, 7);
    bytes = (size_t)(c.r.crop_height - 1) * c.dst_stride + row;
    c.dst = fence_new(bytes);
    c.want = fence_new(bytes);
    return c;
}

static void release_case(struct picture_case *c)
{
    fence_free(&c->src);
    fence_free(&c->dst);
    fence_free(&c->want);
}

static void pictures(const struct ims_kernels *k)
{
    uint64_t seed = 13;

    for (int round = 0; round < 500; round++) {
        struct picture_case c = draw_case(&seed);
        ims_err err = { 0 };

        CHECK_OK(ims__resample_with(GENERIC(), &c.r, c.want.data, c.dst_stride, &err), err);
        CHECK_OK(ims__resample_with(k, &c.r, c.dst.data, c.dst_stride, &err), err);
        CHECK_MEM(c.dst.data, c.want.data, c.dst.bytes);
        CHECK(fence_check(&c.dst));
        release_case(&c);
    }
}
EACH_TIER(pictures, "resizing pictures of all shapes gives the generic bits")

TEST(windows, "a window holds the pixels that the whole picture has there")
{
    uint64_t seed = 14;

    for (int round = 0; round < 300; round++) {
        struct picture_case c = draw_case(&seed);
        struct ims_resample whole = c.r;
        size_t row = (size_t)(c.r.dst_width * c.r.channels);
        uint8_t *all = ims__zalloc((size_t)c.r.dst_height, row);
        ims_err err = { 0 };

        whole.crop_x = whole.crop_y = whole.crop_width = whole.crop_height = 0;
        CHECK_OK(ims__resample(&whole, all, row, &err), err);
        CHECK_OK(ims__resample(&c.r, c.dst.data, c.dst_stride, &err), err);
        for (int y = 0; y < c.r.crop_height; y++)
            CHECK_MEM(c.dst.data + (size_t)y * c.dst_stride,
                      all + (size_t)(c.r.crop_y + y) * row + (size_t)(c.r.crop_x * c.r.channels),
                      (size_t)(c.r.crop_width * c.r.channels));
        ims__free(all);
        release_case(&c);
    }
}

TEST(same_size, "a resize to the same size is a copy")
{
    uint8_t src[5 * 4 * 3], dst[5 * 4 * 3] = { 0 };
    struct ims_resample r = { .src = src,
                              .src_width = 5,
                              .src_height = 4,
                              .src_stride = 15,
                              .channels = 3,
                              .filter = IMS_FILTER_LANCZOS3,
                              .dst_width = 5,
                              .dst_height = 4 };
    ims_err err = { 0 };

    fill_bytes(src, sizeof(src), 1);
    CHECK_OK(ims__resample(&r, dst, 15, &err), err);
    CHECK_MEM(dst, src, sizeof(src));
}

static const struct ims_resample valid = { .src = (const uint8_t *)"123456789012",
                                           .src_width = 2,
                                           .src_height = 2,
                                           .src_stride = 6,
                                           .channels = 3,
                                           .filter = IMS_FILTER_BICUBIC,
                                           .dst_width = 2,
                                           .dst_height = 2 };

TEST(bad_arguments, "arguments that contradict each other are refused and nothing is written")
{
    uint8_t dst[64] = { 0 }, zero[64] = { 0 };
    ims_err err = { 0 };

#define REFUSED(field, value, want)                                                                \
    do {                                                                                           \
        struct ims_resample r = valid;                                                             \
        r.field = value;                                                                           \
        CHECK_STATUS(ims__resample(&r, dst, 6, &err), want, err);                                  \
        CHECK_MEM(dst, zero, sizeof(dst));                                                         \
    } while (0)

    REFUSED(src, NULL, IMS_E_INVALID);
    REFUSED(channels, 0, IMS_E_INVALID);
    REFUSED(channels, 2, IMS_E_INVALID);
    REFUSED(channels, 4, IMS_E_INVALID);
    REFUSED(filter, IMS_FILTER_N, IMS_E_INVALID);
    REFUSED(src_width, 0, IMS_E_INVALID);
    REFUSED(src_height, -1, IMS_E_INVALID);
    REFUSED(dst_width, 0, IMS_E_INVALID);
    REFUSED(dst_height, -2147483647 - 1, IMS_E_INVALID);
    REFUSED(src_stride, 5, IMS_E_INVALID);
    REFUSED(crop_width, 1, IMS_E_INVALID); /* without a height */
    REFUSED(crop_x, -1, IMS_E_INVALID);
    REFUSED(crop_x, 2147483647, IMS_E_INVALID);
    REFUSED(src_width, 65501, IMS_E_LIMIT);
    REFUSED(dst_width, 65501, IMS_E_LIMIT);
    CHECK_STATUS(ims__resample(&valid, dst, 5, &err), IMS_E_INVALID, err);
}

TEST(too_large_between, "a pass between that would be too large is refused before it is allocated")
{
    uint8_t *src = ims__zalloc(65500, 1), *dst = ims__zalloc(65500, 1);
    struct ims_resample r = { .src = src,
                              .src_width = 1,
                              .src_height = 65500,
                              .src_stride = 1,
                              .channels = 1,
                              .filter = IMS_FILTER_BILINEAR,
                              .dst_width = 65500,
                              .dst_height = 1 };
    ims_err err = { 0 };

    CHECK_STATUS(ims__resample(&r, dst, 65500, &err), IMS_E_LIMIT, err);
    ims__free(src);
    ims__free(dst);
}

TEST(out_of_memory, "every allocation may fail and gives the typed error")
{
    uint8_t src[30 * 20 * 3], dst[7 * 5 * 3] = { 0 };
    struct ims_resample r = { .src = src,
                              .src_width = 30,
                              .src_height = 20,
                              .src_stride = 90,
                              .channels = 3,
                              .filter = IMS_FILTER_BICUBIC,
                              .dst_width = 7,
                              .dst_height = 5 };
    ims_status st = IMS_E_NOMEM;
    ims_err err = { 0 };
    int n = 0;

    fill_bytes(src, sizeof(src), 1);
    while (st == IMS_E_NOMEM && n < 100) {
        ims__mem_fail_at((uint64_t)++n);
        st = ims__resample(&r, dst, 21, &err);
        ims__mem_fail_at(0);
    }
    CHECK_OK(st, err);
    CHECK(n > 4);
}

TEST_MAIN
