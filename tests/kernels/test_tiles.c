/* Scores of many vectors against many, on every tier: against exact sums, and bit for bit between the tiers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tiers.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define N_DEEP 16384

static void *new_panel(const struct ims_tiles_u8 *t, size_t n_k, struct fence *f)
{
    *f = fence_new(t->n_cols * (n_k * t->element_bytes + 4));
    return f->data;
}

static void tiles_f32(const struct ims_kernels *k)
{
    static const size_t depths[] = { 0, 1, 2, 3, 7, 64, 128, 511, 512 };
    const struct ims_tiles_f32 *t = &k->tiles_f32;

    CHECK(t->n_rows * t->n_cols <= IMS_TILE_MAX && t->n_rows <= IMS_TILE_SIDE_MAX && t->n_cols <= IMS_TILE_SIDE_MAX);
    for (size_t i = 0; i < IMS_ARRAY_LEN(depths); i++) {
        size_t n_k = depths[i], n_rows = t->n_rows, n_cols = t->n_cols;
        struct fence a = fence_new(n_rows * n_k * 4), b = fence_new(n_cols * n_k * 4);
        struct fence o = fence_new(n_rows * n_cols * 4);
        const float *rows[IMS_TILE_SIDE_MAX], *x = (float *)a.data, *panel = (float *)b.data;
        float *out = (float *)o.data;

        fill_floats((float *)a.data, n_rows * n_k, n_k + 1);
        fill_floats((float *)b.data, n_cols * n_k, n_k + 2);
        for (size_t r = 0; r < n_rows; r++)
            rows[r] = x + r * n_k;
        t->run(rows, panel, n_k, out);
        CHECK(fence_check(&o));
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t c = 0; c < n_cols; c++) {
                double exact = 0, magnitude = 0;

                for (size_t j = 0; j < n_k; j++) {
                    double product = (double)rows[r][j] * (double)panel[j * n_cols + c];

                    exact += product;
                    magnitude += fabs(product);
                }
                CHECK_NEAR(out[r * n_cols + c], exact, ((double)n_k + 8) * 0x1p-24 * magnitude + 1e-43);
            }
        }
        fence_free(&a);
        fence_free(&b);
        fence_free(&o);
    }
}
EACH_TIER(tiles_f32, "a tile of float scores is within its tolerance at every depth")

static void tiles_f32_place(const struct ims_kernels *k)
{
    const struct ims_tiles_f32 *t = &k->tiles_f32;
    float x[100], panel[100 * IMS_TILE_SIDE_MAX], out[IMS_TILE_MAX];
    const float *rows[IMS_TILE_SIDE_MAX];

    fill_floats(x, 100, 5);
    for (size_t r = 0; r < t->n_rows; r++)
        rows[r] = x;
    for (size_t j = 0; j < 100; j++) {
        for (size_t c = 0; c < t->n_cols; c++)
            panel[j * t->n_cols + c] = x[99 - j];
    }
    t->run(rows, panel, 100, out);
    for (size_t i = 1; i < t->n_rows * t->n_cols; i++)
        CHECK(out[i] == out[0]);
}
EACH_TIER(tiles_f32_place, "a float score does not depend on its place in the tile")

static void tiles_u8(const struct ims_kernels *k)
{
    static const size_t depths[] = { 64, 128, 192, 512, 1024 };
    const struct ims_tiles_u8 *t = &k->tiles_u8;

    CHECK(t->n_rows * t->n_cols <= IMS_TILE_MAX && t->n_rows <= IMS_TILE_SIDE_MAX && t->n_cols <= IMS_TILE_SIDE_MAX);
    for (size_t i = 0; i < IMS_ARRAY_LEN(depths) * 3; i++) {
        size_t n_k = depths[i / 3], stride = n_k + (i % 3) * 64;
        size_t n = i % 3 == 0 ? t->n_cols : i % 3 == 1 ? t->n_cols - 1 : 1;
        struct fence a = fence_new((t->n_rows - 1) * stride + n_k), b = fence_new((n - 1) * stride + n_k);
        struct fence o = fence_new(t->n_rows * t->n_cols * 4), p;
        void *panel = new_panel(t, n_k, &p);
        const float *out = (float *)o.data;

        fill_bytes(a.data, (t->n_rows - 1) * stride + n_k, i + 1);
        fill_bytes(b.data, (n - 1) * stride + n_k, i + 2);
        t->pack(b.data, stride, n, n_k, panel);
        CHECK(fence_check(&p));
        t->begin();
        t->run(a.data, stride, panel, n_k, (float *)o.data);
        t->end();
        CHECK(fence_check(&o));
        for (size_t r = 0; r < t->n_rows; r++) {
            for (size_t c = 0; c < t->n_cols; c++) {
                int64_t want = 0;

                for (size_t j = 0; j < n_k && c < n; j++)
                    want += (a.data[r * stride + j] - 128) * (b.data[c * stride + j] - 128);
                CHECK(out[r * t->n_cols + c] == (float)want);
            }
        }
        fence_free(&a);
        fence_free(&b);
        fence_free(&o);
        fence_free(&p);
    }
}
EACH_TIER(tiles_u8, "a tile of byte scores is exact, and columns that are not there score 0")

static void tiles_u8_deep(const struct ims_kernels *k)
{
    static uint8_t rows[IMS_TILE_SIDE_MAX * N_DEEP];
    const struct ims_tiles_u8 *t = &k->tiles_u8;
    float out[IMS_TILE_MAX];
    struct fence p;
    void *panel = new_panel(t, IMS_TILE_U8_MAX, &p);

    for (int high = 0; high < 2; high++) {
        memset(rows, high ? 255 : 0, sizeof(rows)); /* 127 x 127 and -128 x -128, the largest sums */
        t->pack(rows, N_DEEP, t->n_cols, IMS_TILE_U8_MAX, panel);
        t->begin();
        t->run(rows, N_DEEP, panel, IMS_TILE_U8_MAX, out);
        t->end();
        for (size_t i = 0; i < t->n_rows * t->n_cols; i++)
            CHECK(out[i] == (float)((high ? 127 * 127 : 128 * 128) * (int64_t)IMS_TILE_U8_MAX));
    }
    fence_free(&p);
}
EACH_TIER(tiles_u8_deep, "the largest sums of bytes do not overflow")

static void above(const struct ims_kernels *k)
{
    for (size_t n_cols = 1; n_cols <= 50; n_cols++) {
        size_t n_rows = 1 + n_cols % 7, n = n_rows * n_cols, at = 0, n_found;
        struct fence t = fence_new(n * 4), rb = fence_new(n_rows * 4), cb = fence_new(n_cols * 4);
        struct fence o = fence_new(n * 2);
        float *tile = (float *)t.data, *rows = (float *)rb.data, *cols = (float *)cb.data;
        const uint16_t *out = (uint16_t *)o.data;

        fill_floats(tile, n, n_cols);
        fill_floats(rows, n_rows, n_cols + 1);
        fill_floats(cols, n_cols, n_cols + 2);
        tile[n / 2] = NAN;
        tile[0] = rows[0] < cols[0] ? rows[0] : cols[0]; /* equal is not above */
        rows[n_rows - 1] = -INFINITY;
        n_found = k->tile_above(tile, n_rows, n_cols, rows, cols, (uint16_t *)o.data);
        for (size_t i = 0; i < n; i++) {
            if (tile[i] > fminf(rows[i / n_cols], cols[i % n_cols])) {
                CHECK(at < n_found);
                CHECK_INT(out[at++], i);
            }
        }
        CHECK_INT(n_found, at);
        for (size_t i = 0; i < n; i++)
            tile[i] = 2; /* all of them */
        CHECK_INT(k->tile_above(tile, n_rows, n_cols, rows, cols, (uint16_t *)o.data), n);
        CHECK(fence_check(&o));
        fence_free(&t);
        fence_free(&rb);
        fence_free(&cb);
        fence_free(&o);
    }
}
EACH_TIER(above, "the scores above the lower of two bounds are found in order, equal ones and NaN are not")

static void wide(const struct ims_kernels *k)
{
    for (size_t n = 0; n < 600; n += n < 70 ? 1 : 37) {
        struct fence a = fence_new(n * 4), b = fence_new(n * 4);
        double exact = 0, magnitude = 0, got;
        const float *x = (float *)a.data, *y = (float *)b.data;

        fill_floats((float *)a.data, n, n + 7);
        fill_floats((float *)b.data, n, n + 8);
        got = k->dot_wide(x, y, n);
        CHECK(got == GENERIC()->dot_wide(x, y, n));
        CHECK(got == k->dot_wide(y, x, n));
        for (size_t i = 0; i < n; i++) {
            exact += (double)x[i] * (double)y[i];
            magnitude += fabs((double)x[i] * (double)y[i]);
        }
        CHECK_NEAR(got, exact, (double)n * 0x1p-52 * magnitude);
        fence_free(&a);
        fence_free(&b);
    }
}
EACH_TIER(wide, "a dot product in double is the same bits on every tier and both ways round")

static void u8_rows(const struct ims_kernels *k)
{
    for (size_t n = 0; n < 300; n++) {
        size_t n_rows = n % 19, stride = n + n % 5;
        size_t n_bytes = n_rows ? (n_rows - 1) * stride + n : 0;
        struct fence q = fence_new(n), rows = fence_new(n_bytes), o = fence_new(n_rows * 4);
        const int32_t *out = (int32_t *)o.data;

        fill_bytes(q.data, n, n + 1);
        fill_bytes(rows.data, n_bytes, n + 2);
        k->dot_u8_rows((int8_t *)q.data, rows.data, stride, n_rows, n, (int32_t *)o.data);
        for (size_t r = 0; r < n_rows; r++) {
            int64_t want = 0;

            for (size_t i = 0; i < n; i++)
                want += (rows.data[r * stride + i] - 128) * (int8_t)q.data[i];
            CHECK_INT(out[r], want);
        }
        CHECK(fence_check(&o));
        fence_free(&q);
        fence_free(&rows);
        fence_free(&o);
    }
}
EACH_TIER(u8_rows, "a scan over byte rows is exact at every length and stride")

TEST_MAIN
