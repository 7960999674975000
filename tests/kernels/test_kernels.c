/* The vector kernels of every tier: against exact sums, and bit for bit against the generic tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tiers.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define N_SMALL 131 /* every length up to here: all remainders of all tiers' blocks */
static const size_t large_lengths[] = { 255, 256, 511, 512, 513, 768, 1000, 1024, 4099, 8192 };
#define N_LENGTHS (N_SMALL + sizeof(large_lengths) / sizeof(large_lengths[0]))

static size_t nth_length(size_t i)
{
    return i < N_SMALL ? i : large_lengths[i - N_SMALL];
}

/* Off the exact sum by no more than the header promises. */
static bool is_close(const char *what, size_t n, double got, double exact, double magnitude)
{
    double tolerance = ((double)n / 8 + 8) * 0x1p-24 * magnitude + 1e-43;

    if (fabs(got - exact) <= tolerance)
        return true;
    test_fail(__FILE__, __LINE__, "%s of %zu is %.9g, exactly %.17g, tolerance %.3g", what, n, got,
              exact, tolerance);
    return false;
}

static void sum_exactly(const float *a, const float *b, size_t n, double *out_sum,
                        double *out_magnitude)
{
    double sum = 0, magnitude = 0;

    for (size_t i = 0; i < n; i++) {
        double product = (double)a[i] * (double)b[i];

        sum += product;
        magnitude += fabs(product);
    }
    *out_sum = sum;
    *out_magnitude = magnitude;
}

static void dot_f32(const struct ims_kernels *k)
{
    for (size_t i = 0; i < N_LENGTHS; i++) {
        size_t n = nth_length(i);
        struct fence a = fence_new(n * 4), b = fence_new(n * 4);
        float *x = (float *)a.data, *y = (float *)b.data;
        double exact, magnitude;

        fill_floats(x, n, 1 + n);
        fill_floats(y, n, 9999 + n);
        sum_exactly(x, y, n, &exact, &magnitude);
        CHECK(is_close("dot_f32", n, (double)k->dot_f32(x, y, n), exact, magnitude));
        fence_free(&a);
        fence_free(&b);
    }
}
EACH_TIER(dot_f32, "a float dot product is within its tolerance at every length")

static void dot_halves(const struct ims_kernels *k)
{
    for (size_t i = 0; i < N_LENGTHS; i++) {
        size_t n = nth_length(i);
        struct fence a = fence_new(n * 2), b = fence_new(n * 2), c = fence_new(n * 4);
        uint16_t *x = (uint16_t *)a.data, *y = (uint16_t *)b.data;
        float wide_x[8192], wide_y[8192], *q = (float *)c.data;
        double exact, magnitude;

        fill_floats(q, n, 2 + n);
        GENERIC()->f32_to_f16(q, x, n);
        GENERIC()->f16_to_f32(x, wide_x, n);
        fill_floats(wide_y, n, 8888 + n);
        GENERIC()->f32_to_f16(wide_y, y, n);
        GENERIC()->f16_to_f32(y, wide_y, n);
        sum_exactly(wide_x, wide_y, n, &exact, &magnitude);
        CHECK(is_close("dot_f16", n, (double)k->dot_f16(x, y, n), exact, magnitude));
        sum_exactly(q, wide_y, n, &exact, &magnitude);
        CHECK(is_close("dot_f32_f16", n, (double)k->dot_f32_f16(q, y, n), exact, magnitude));
        fence_free(&a);
        fence_free(&b);
        fence_free(&c);
    }
}
EACH_TIER(dot_halves, "half precision dot products are within their tolerance at every length")

static void dot_unaligned(const struct ims_kernels *k)
{
    static uint8_t a[4 * 512 + 64], b[4 * 512 + 64];

    for (size_t shift = 0; shift < 16; shift++) {
        float *x = (float *)(void *)(a + 4 * shift), *y = (float *)(void *)(b + 4 * (15 - shift));
        int8_t *p = (int8_t *)a + shift, *q = (int8_t *)b + 15 - shift;
        double exact, magnitude;

        fill_floats(x, 200, shift + 1);
        fill_floats(y, 200, shift + 77);
        sum_exactly(x, y, 200, &exact, &magnitude);
        CHECK(is_close("dot_f32", 200, (double)k->dot_f32(x, y, 200), exact, magnitude));
        CHECK_INT(k->dot_i8(p, q, 200), GENERIC()->dot_i8(p, q, 200));
    }
}
EACH_TIER(dot_unaligned, "vectors may start at any element")

static void dot_special(const struct ims_kernels *k)
{
    for (size_t n = 1; n < 80; n++) {
        float x[80], y[80];
        size_t at = (n * 7) % n, other = (at + n / 2) % n;

        for (size_t i = 0; i < n; i++)
            x[i] = y[i] = 1.0f;
        x[at] = NAN;
        CHECK(isnan(k->dot_f32(x, y, n)));
        x[at] = INFINITY;
        CHECK(k->dot_f32(x, y, n) == INFINITY);
        y[at] = 0.0f;
        CHECK(isnan(k->dot_f32(x, y, n)));
        y[at] = 1.0f;
        if (other != at) {
            x[other] = -INFINITY;
            CHECK(isnan(k->dot_f32(x, y, n)));
            x[other] = 1.0f;
        }
        x[at] = y[at] = FLT_MAX;
        CHECK(k->dot_f32(x, y, n) == INFINITY);
        for (size_t i = 0; i < n; i++) {
            x[i] = 0x1p-140f; /* subnormal; nothing may be flushed to zero */
            y[i] = 0x1p+100f;
        }
        CHECK(k->dot_f32(x, y, n) == (float)n * 0x1p-40f);
    }
    CHECK(k->dot_f32(NULL, NULL, 0) == 0.0f);
    CHECK(k->dot_f16(NULL, NULL, 0) == 0.0f);
    CHECK_INT(k->dot_i8(NULL, NULL, 0), 0);
}
EACH_TIER(dot_special, "NaN, infinities, overflow and subnormals behave as in plain C")

static void dot_i8(const struct ims_kernels *k)
{
    static int8_t extreme[IMS_DOT_I8_MAX];

    for (size_t n = 0; n < 700; n++) {
        struct fence a = fence_new(n), b = fence_new(n);
        int64_t want = 0;

        fill_bytes(a.data, n, n + 5);
        fill_bytes(b.data, n, n + 50000);
        for (size_t i = 0; i < n; i++)
            want += (int8_t)a.data[i] * (int8_t)b.data[i];
        CHECK_INT(k->dot_i8((int8_t *)a.data, (int8_t *)b.data, n), want);
        fence_free(&a);
        fence_free(&b);
    }
    memset(extreme, -128, sizeof(extreme));
    CHECK_INT(k->dot_i8(extreme, extreme, IMS_DOT_I8_MAX), 16384LL * IMS_DOT_I8_MAX);
}
EACH_TIER(dot_i8, "a byte dot product is exact, the largest sum included")

static void dot_rows(const struct ims_kernels *k)
{
    static const size_t lengths[] = { 0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 512, 513 };

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t n_rows = 0; n_rows < 12; n_rows++) {
            size_t n = lengths[i], stride = n + n_rows % 3;
            size_t n_floats = n_rows ? (n_rows - 1) * stride + n : 0;
            struct fence q = fence_new(n * 4), rows = fence_new(n_floats * 4);
            struct fence out = fence_new(n_rows * 4);
            float *scores = (float *)out.data;

            fill_floats((float *)q.data, n, n + 3);
            fill_floats((float *)rows.data, n_floats, n + 4);
            k->dot_f32_rows((float *)q.data, (float *)rows.data, stride, n_rows, n, scores);
            for (size_t r = 0; r < n_rows; r++) {
                double exact, magnitude;

                sum_exactly((float *)q.data, (float *)rows.data + r * stride, n, &exact,
                            &magnitude);
                CHECK(is_close("dot_f32_rows", n, (double)scores[r], exact, magnitude));
            }
            CHECK(fence_check(&out));
            fence_free(&q);
            fence_free(&rows);
            fence_free(&out);
        }
    }
}
EACH_TIER(dot_rows, "a scan over rows scores each row, whatever their number, length and stride")

static void normalise(const struct ims_kernels *k)
{
    for (size_t i = 1; i < N_LENGTHS; i++) {
        size_t n = nth_length(i);
        double scales[] = { 1.0, 1e30, 1e-40 }; /* squares that overflow and vanish in float */

        for (size_t s = 0; s < 3; s++) {
            struct fence v = fence_new(n * 4);
            float *x = (float *)v.data, before[8192];
            double sum = 0, norm;

            fill_floats(x, n, n + s);
            for (size_t j = 0; j < n; j++) {
                before[j] = x[j] = (float)((double)x[j] * scales[s]);
                sum += (double)x[j] * (double)x[j];
            }
            norm = k->normalise_f32(x, n);
            if (sum == 0) { /* a single value below the smallest float */
                CHECK(norm == 0);
                fence_free(&v);
                continue;
            }
            CHECK_NEAR(norm / sqrt(sum), 1.0, (double)n * 0x1p-52);
            for (size_t j = 0; j < n; j++) {
                double want = (double)before[j] / sqrt(sum);

                CHECK_NEAR(x[j], want, fabs(want) * 0x1p-23 + 0x1p-149);
            }
            CHECK(fence_check(&v));
            fence_free(&v);
        }
    }
}
EACH_TIER(normalise,
          "normalising divides by the norm to the last bit, even for huge and tiny values")

static void normalise_special(const struct ims_kernels *k)
{
    float zero[20] = { 0 }, nan[20] = { 0 }, inf[20] = { 0 };

    CHECK(k->normalise_f32(zero, 20) == 0.0);
    CHECK(zero[0] == 0.0f && zero[19] == 0.0f);
    nan[17] = NAN;
    nan[3] = 2.0f;
    CHECK(isnan(k->normalise_f32(nan, 20)));
    CHECK(nan[3] == 2.0f && isnan(nan[17]));
    inf[18] = INFINITY;
    inf[3] = 2.0f;
    CHECK(k->normalise_f32(inf, 20) == (double)INFINITY);
    CHECK(inf[3] == 2.0f && inf[18] == INFINITY);
    CHECK(k->normalise_f32(NULL, 0) == 0.0);
}
EACH_TIER(normalise_special, "a zero, infinite or NaN norm leaves the vector as it was")

static double half_value(uint16_t h)
{
    int exponent = (h >> 10) & 31;
    double mantissa = h & 0x3ff;
    double v = exponent == 0 ? ldexp(mantissa, -24) : ldexp(mantissa + 1024, exponent - 25);

    if (exponent == 31)
        v = mantissa > 0 ? NAN : INFINITY;
    return h & 0x8000u ? -v : v;
}

static void widen(const struct ims_kernels *k)
{
    static uint16_t all[65536];
    static float wide[65536];

    for (size_t i = 0; i < 65536; i++)
        all[i] = (uint16_t)i;
    k->f16_to_f32(all, wide, 65536);
    for (size_t i = 0; i < 65536; i++) {
        double want = half_value(all[i]);

        CHECK(isnan(want) ? isnan(wide[i])
                          : (double)wide[i] == want && !signbit(wide[i]) == !signbit(want));
    }
    for (size_t n = 0; n < 70; n++) {
        struct fence in = fence_new(n * 2), out = fence_new(n * 4);

        memcpy(in.data, all + 0x3c00, n * 2);
        k->f16_to_f32((uint16_t *)in.data, (float *)out.data, n);
        CHECK_MEM(out.data, wide + 0x3c00, n * 4);
        CHECK(fence_check(&out));
        fence_free(&in);
        fence_free(&out);
    }
}
EACH_TIER(widen, "all 65,536 halves widen exactly")

/* Nearest half to x, ties to even, by arithmetic in double. */
static double round_to_half(double x)
{
    double v;
    int exponent;

    if (x == 0 || isnan(x) || isinf(x))
        return x;
    exponent = ilogb(x) < -14 ? -14 : ilogb(x);
    v = ldexp(nearbyint(ldexp(x, 10 - exponent)), exponent - 10);
    return fabs(v) >= 65536.0 ? copysign(INFINITY, x) : v;
}

static bool check_narrowed(const float *in, const uint16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double want = round_to_half((double)in[i]), got = half_value(out[i]);

        if (isnan(want) ? !isnan(got) : got != want || !signbit(got) != !signbit(want)) {
            test_fail(__FILE__, __LINE__, "%a became %a, expected %a", (double)in[i], got, want);
            return false;
        }
    }
    return true;
}

static void narrow(const struct ims_kernels *k)
{
    static float in[65536];
    static uint16_t out[65536];
    uint64_t seed = 7;

    for (unsigned step = 0; step < 3;
         step++) { /* just below, at and just above the middle of two halves */
        for (unsigned h = 0; h < 0x7c00; h++) {
            double next = h == 0x7bff ? 65536.0 : half_value((uint16_t)(h + 1));
            float middle = (float)((half_value((uint16_t)h) + next) / 2);

            in[2 * h] = step == 0   ? nextafterf(middle, 0.0f)
                        : step == 1 ? middle
                                    : nextafterf(middle, 1e9f);
            in[2 * h + 1] = -in[2 * h];
        }
        k->f32_to_f16(in, out, 2 * 0x7c00);
        CHECK(check_narrowed(in, out, 2 * 0x7c00));
    }
    for (size_t i = 0; i < 65536; i++) { /* any bits */
        uint32_t bits = (uint32_t)(test_random(&seed) >> 32);

        memcpy(&in[i], &bits, sizeof(bits));
    }
    k->f32_to_f16(in, out, 65536);
    CHECK(check_narrowed(in, out, 65536));
    for (size_t n = 0; n < 70; n++) {
        struct fence a = fence_new(n * 4), b = fence_new(n * 2);

        fill_floats((float *)a.data, n, n);
        k->f32_to_f16((float *)a.data, (uint16_t *)b.data, n);
        CHECK(check_narrowed((float *)a.data, (uint16_t *)b.data, n));
        CHECK(fence_check(&b));
        fence_free(&a);
        fence_free(&b);
    }
}
EACH_TIER(narrow, "floats narrow to the nearest half, ties to even")

static void planar(const struct ims_kernels *k)
{
    const float scale[3] = { 0.0145984266f, 0.0150077685f, 0.0142205f };
    const float bias[3] = { -1.7922626f, -1.7520971f, -1.4802198f };

    for (size_t i = 0; i < N_LENGTHS; i++) {
        size_t n = nth_length(i), stride = n + i % 2;
        size_t n_floats = 2 * stride + n;
        struct fence in = fence_new(n * 3), out = fence_new(n_floats * 4),
                     want = fence_new(n_floats * 4);

        fill_bytes(in.data, n * 3, n);
        k->u8_to_f32_planar(in.data, n, scale, bias, (float *)out.data, stride);
        GENERIC()->u8_to_f32_planar(in.data, n, scale, bias, (float *)want.data, stride);
        CHECK_MEM(out.data, want.data, n_floats * 4); /* a gap between planes must stay as it was */
        CHECK(fence_check(&out));
        for (size_t c = 0; n && c < 3; c++) {
            float exact = (float)in.data[c] * scale[c];

            exact = exact + bias[c];
            CHECK(((float *)out.data)[c * stride] == exact);
        }
        fence_free(&in);
        fence_free(&out);
        fence_free(&want);
    }
}
EACH_TIER(planar, "bytes become float planes with the same bits as in plain C")

static void luma(const struct ims_kernels *k)
{
    for (size_t i = 0; i < N_LENGTHS; i++) {
        size_t n = nth_length(i);
        struct fence in = fence_new(n * 3), out = fence_new(n);

        fill_bytes(in.data, n * 3, n);
        if (n)
            memset(in.data, 255, 3);
        k->rgb_to_luma(in.data, n, out.data);
        for (size_t j = 0; j < n; j++) {
            const uint8_t *p = in.data + 3 * j;

            CHECK_INT(out.data[j], (p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 32768) / 65536);
        }
        CHECK(fence_check(&out));
        fence_free(&in);
        fence_free(&out);
    }
}
EACH_TIER(luma, "luma is exact at every length")

TEST_MAIN
