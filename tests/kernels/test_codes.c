/* The kernels of one-bit codes and checksums on every tier: bit for bit against plain C, and the plain C
 * against the definition.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tiers.h"

#include <math.h>
#include <string.h>

static void hadamard(const struct ims_kernels *k)
{
    for (size_t n = 1; n <= 4096; n *= 2) {
        struct fence got = fence_new(n * 4), want = fence_new(n * 4), in = fence_new(n * 4);
        float *x = (float *)in.data;

        fill_floats(x, n, n + 3);
        memcpy(got.data, x, n * 4);
        memcpy(want.data, x, n * 4);
        k->hadamard_f32((float *)got.data, n);
        GENERIC()->hadamard_f32((float *)want.data, n);
        CHECK_MEM(got.data, want.data, n * 4);
        for (size_t row = 0; row < n; row += n / 5 + 1) { /* row r of the matrix has signs (-1)^popcount(r & i) */
            double sum = 0, magnitude = 0;

            for (size_t i = 0; i < n; i++) {
                sum += __builtin_popcountll(row & i) % 2 ? -(double)x[i] : (double)x[i];
                magnitude += fabs((double)x[i]);
            }
            CHECK_NEAR((double)((float *)got.data)[row], sum, 1e-6 * magnitude + 1e-30);
        }
        CHECK(fence_check(&got));
        fence_free(&got);
        fence_free(&want);
        fence_free(&in);
    }
    k->hadamard_f32(NULL, 0);
}
EACH_TIER(hadamard, "the Hadamard transform follows its definition and has the same bits as in plain C")

static void signs(const struct ims_kernels *k)
{
    for (size_t n = 0; n < 150; n++) {
        struct fence in = fence_new(n * 4), out = fence_new((n + 7) / 8);
        float *x = (float *)in.data;

        fill_floats(x, n, n + 9);
        if (n > 2) {
            x[n / 2] = -0.0f;
            x[n / 3] = 0.0f;
        }
        memset(out.data, 0xa5, (n + 7) / 8);
        k->pack_signs(x, n, out.data);
        for (size_t i = 0; i < (n + 7) / 8 * 8; i++)
            CHECK_INT(out.data[i / 8] >> i % 8 & 1, i < n && !signbit(x[i]));
        CHECK(fence_check(&out));
        fence_free(&in);
        fence_free(&out);
    }
}
EACH_TIER(signs, "signs are packed at every length, with zeros behind the last")

static void bytes(const struct ims_kernels *k)
{
    static const float telling[] = { 0.5f,  1.5f,   2.5f,    -0.5f,  -1.5f,   126.5f,  127.4f,
                                     1e4f,  -1e4f,  -126.5f, -127.4f, 0.4999f, 3.5001f, 0.0f };

    for (size_t n = 0; n < 140; n++) {
        struct fence in = fence_new(n * 4), out = fence_new(n);
        float *x = (float *)in.data, scale = n % 2 ? 1.0f : 100.0f;

        fill_floats(x, n, n + 21);
        for (size_t i = 0; i < n; i++) {
            if (n % 2)
                x[i] = telling[(i + n) % (sizeof(telling) / sizeof(telling[0]))];
        }
        k->quantise_i8(x, n, scale, (int8_t *)out.data);
        for (size_t i = 0; i < n; i++) {
            float want = nearbyintf(x[i] * scale);

            want = want > 127 ? 127 : want < -127 ? -127 : want;
            CHECK_INT((int8_t)out.data[i], (int)want);
        }
        CHECK(fence_check(&out));
        fence_free(&in);
        fence_free(&out);
    }
}
EACH_TIER(bytes, "floats round to bytes, ties to even, and stop at 127 on both sides")

static void residual(const struct ims_kernels *k)
{
    for (size_t n = 0; n < 150; n++) {
        struct fence a = fence_new(n * 4), c = fence_new(n * 4), got = fence_new(n * 4), want = fence_new(n * 4);
        float *x = (float *)a.data, *y = (float *)c.data, *out = (float *)got.data, along = n % 3 ? 0.37f : 1.0f;
        float sum, most, want_sum, want_most, largest = 0;
        double sizes = 0;

        fill_floats(x, n, n + 4);
        fill_floats(y, n, n + 5);
        if (n)
            x[n - 1] = -7.0f; /* the largest is the last */
        GENERIC()->residual_f32(x, y, along, n, (float *)want.data, &want_sum, &want_most);
        k->residual_f32(x, y, along, n, out, &sum, &most);
        CHECK_MEM(got.data, want.data, n * 4);
        CHECK(sum == want_sum && most == want_most);
        for (size_t i = 0; i < n; i++) {
            float product = along * y[i];

            CHECK(out[i] == x[i] - product);
            sizes += fabs((double)out[i]);
            largest = fabsf(out[i]) > largest ? fabsf(out[i]) : largest;
        }
        CHECK(most == largest);
        CHECK_NEAR((double)sum, sizes, 1e-5 * sizes);
        k->residual_f32(x, y, along, n, x, &sum, &most); /* in place */
        CHECK_MEM(a.data, want.data, n * 4);
        CHECK(sum == want_sum && most == want_most && fence_check(&a) && fence_check(&got));
        k->mul_f32(x, y, out, n);
        for (size_t i = 0; i < n; i++)
            CHECK(out[i] == x[i] * y[i]);
        k->mul_f32(x, y, x, n);
        CHECK_MEM(a.data, got.data, n * 4);
        CHECK(fence_check(&a) && fence_check(&got));
        fence_free(&a);
        fence_free(&c);
        fence_free(&got);
        fence_free(&want);
    }
}
EACH_TIER(residual, "residuals, their sizes and products have the same bits as in plain C, in place too")

static void sums(const struct ims_kernels *k)
{
    for (size_t n = 0; n < 150; n++) {
        struct fence sum = fence_new(n * 4), want = fence_new(n * 4), x = fence_new(n);
        float *s = (float *)sum.data;

        fill_floats(s, n, n + 1);
        fill_bytes(x.data, n, n + 2);
        memcpy(want.data, s, n * 4);
        k->add_i8(s, (const int8_t *)x.data, 0.013f, n);
        for (size_t i = 0; i < n; i++) {
            float product = 0.013f * (float)(int8_t)x.data[i];

            CHECK(s[i] == ((float *)want.data)[i] + product);
        }
        CHECK(fence_check(&sum));
        fence_free(&sum);
        fence_free(&want);
        fence_free(&x);
    }
}
EACH_TIER(sums, "bytes are added to floats with a weight, with the same bits as in plain C")

static void scan(const struct ims_kernels *k)
{
    static const size_t widths[] = { 1, 2, 3, 4, 5, 7, 8, 12, 63, 64, 65, 96, 128, 260 };

    for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
        for (size_t n_blocks = 0; n_blocks < 10; n_blocks++) {
            size_t n_bytes = widths[w], n = n_blocks * IMS_CODE_BLOCK;
            struct fence codes = fence_new(n * n_bytes), lut = fence_new(n_bytes * IMS_CODE_LUT_BYTES);
            struct fence out = fence_new(n * 2);
            uint16_t *sums = (uint16_t *)out.data;

            fill_bytes(codes.data, n * n_bytes, n_bytes + n_blocks);
            fill_bytes(lut.data, n_bytes * IMS_CODE_LUT_BYTES, n_bytes);
            for (size_t i = 0; i < n_bytes * IMS_CODE_LUT_BYTES; i++)
                lut.data[i] = n_blocks == 3 ? IMS_CODE_LUT_MAX : lut.data[i] & IMS_CODE_LUT_MAX;
            k->scan_codes(codes.data, n_bytes, n_blocks, lut.data, sums);
            for (size_t v = 0; v < n; v++) {
                unsigned want = 0;

                for (size_t c = 0; c < n_bytes; c++) {
                    uint8_t code = codes.data[(v / 32 * n_bytes + c) * 32 + v % 32];

                    want += (unsigned)(lut.data[c * 32 + (code & 15u)] + lut.data[c * 32 + 16 + (code >> 4)]);
                }
                CHECK_INT(sums[v], want);
            }
            CHECK(fence_check(&out));
            fence_free(&codes);
            fence_free(&lut);
            fence_free(&out);
        }
    }
}
EACH_TIER(scan, "a scan sums the table entries of every vector, the largest sums included")

static void choose(const struct ims_kernels *k)
{
    enum { BLOCKS = 9, N = BLOCKS * IMS_CODE_BLOCK };

    for (unsigned round = 0; round < 40; round++) {
        size_t n_blocks = round % (BLOCKS + 1), n = n_blocks * IMS_CODE_BLOCK, n_got, n_want;
        struct fence sums = fence_new(n * 2), scale = fence_new(n * 4), centre = fence_new(n * 4);
        struct fence allowed = fence_new(n_blocks * 4);
        static const float least[] = { -1e30f, 0.0f, 0.4f, 2.0f, 1e30f };
        struct ims_code_bounds b = { .sums = (uint16_t *)sums.data,
                                     .scale = (float *)scale.data,
                                     .centre = (float *)centre.data,
                                     .allowed = (uint32_t *)allowed.data,
                                     .along = 0.7f,
                                     .step = 3e-5f,
                                     .offset = -0.6f,
                                     .least = least[round % 5] };
        float got[N], want[N];
        uint32_t got_at[N], want_at[N];

        fill_bytes(sums.data, n * 2, round);
        fill_floats((float *)scale.data, n, round + 1);
        fill_floats((float *)centre.data, n, round + 2);
        fill_bytes(allowed.data, n_blocks * 4, round + 3);
        if (n_blocks > 2)
            memset(allowed.data, round % 2 ? 0 : 255, 8);
        n_got = k->select_codes(&b, n_blocks, got, got_at);
        n_want = GENERIC()->select_codes(&b, n_blocks, want, want_at);
        CHECK_INT(n_got, n_want);
        CHECK_MEM(got, want, n_want * sizeof(float));
        CHECK_MEM(got_at, want_at, n_want * sizeof(uint32_t));
        for (size_t i = 0; i < n_want; i++) {
            CHECK(want[i] >= b.least && (b.allowed[want_at[i] / 32] >> want_at[i] % 32 & 1u));
            CHECK(i == 0 || want_at[i - 1] < want_at[i]);
        }
        if (b.least < -1e20f) { /* nothing but the mask decides */
            size_t n_allowed = 0;

            for (size_t i = 0; i < n_blocks; i++)
                n_allowed += (size_t)__builtin_popcount(b.allowed[i]);
            CHECK_INT(n_want, n_allowed);
        }
        fence_free(&sums);
        fence_free(&scale);
        fence_free(&centre);
        fence_free(&allowed);
    }
}
EACH_TIER(choose, "the vectors above a bound are chosen, with the same bits as in plain C")

static void bits(const struct ims_kernels *k)
{
    for (size_t n = 0; n < 70; n++) {
        struct fence keep = fence_new(n * 4), drop = fence_new(n * 4), out = fence_new(n * 4);
        const uint32_t *a = (uint32_t *)keep.data, *b = (uint32_t *)drop.data;
        uint32_t *got = (uint32_t *)out.data;

        fill_bytes(keep.data, n * 4, n);
        fill_bytes(drop.data, n * 4, n + 1);
        for (int which = 0; which < 4; which++) {
            size_t want = 0;

            for (size_t i = 0; i < n * 32; i++)
                want += (!(which & 1) || (a[i / 32] >> i % 32 & 1)) && !((which & 2) && (b[i / 32] >> i % 32 & 1));
            CHECK_INT(k->keep_bits(which & 1 ? a : NULL, which & 2 ? b : NULL, n, got), want);
            CHECK_INT(k->keep_bits(which & 1 ? a : NULL, which & 2 ? b : NULL, n, NULL), want);
            for (size_t i = 0; i < n; i++)
                CHECK_INT(got[i], (which & 1 ? a[i] : ~0u) & (which & 2 ? ~b[i] : ~0u));
        }
        CHECK(fence_check(&out));
        fence_free(&keep);
        fence_free(&drop);
        fence_free(&out);
    }
}
EACH_TIER(bits, "bits are kept, dropped and counted")

static void checksum(const struct ims_kernels *k)
{
    uint8_t zeros[32] = { 0 }, ones[32], text[] = "123456789";

    memset(ones, 255, sizeof(ones));
    CHECK_INT(k->crc32c(0, text, 9), 0xe3069283u); /* the check value of the CRC catalogue */
    CHECK_INT(k->crc32c(0, zeros, 32), 0x8a9136aau); /* RFC 3720, B.4 */
    CHECK_INT(k->crc32c(0, ones, 32), 0x62a8ab43u);
    CHECK_INT(k->crc32c(77, NULL, 0), 77);
    for (size_t n = 0; n < 9000; n += n < 200 ? 1 : n % 7 + 231) { /* parts that are taken side by side, and rests */
        struct fence p = fence_new(n);
        uint32_t whole;

        fill_bytes(p.data, n, n);
        whole = k->crc32c(0, p.data, n);
        CHECK_INT(whole, GENERIC()->crc32c(0, p.data, n));
        CHECK_INT(whole, k->crc32c(k->crc32c(0, p.data, n / 3), p.data + n / 3, n - n / 3));
        fence_free(&p);
    }
}
EACH_TIER(checksum, "CRC-32C has the published values and may be taken in pieces")

TEST_MAIN
