/* Tests of tensors: sizes, limits, description.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/tensor.h"
#include "harness/test.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

TEST(measure, "the bytes of a tensor follow from type and shape")
{
    static const struct {
        ims_dtype dtype;
        unsigned rank;
        int64_t shape[4];
        size_t bytes;
    } cases[] = {
        { IMS_DTYPE_F32, 0, { 0 }, 4 },           { IMS_DTYPE_F32, 1, { 7 }, 28 },
        { IMS_DTYPE_U8, 4, { 2, 3, 4, 5 }, 120 }, { IMS_DTYPE_I64, 2, { 3, 77 }, 1848 },
        { IMS_DTYPE_F16, 2, { 0, 9 }, 0 },        { IMS_DTYPE_BOOL, 1, { 3 }, 3 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ims_tensor t =
            ims_tensor_view(cases[i].dtype, cases[i].rank, cases[i].shape, NULL, 0);
        ims_err err = { .text = "" };
        size_t bytes = 999;

        CHECK_OK(ims_tensor_measure(&t, &bytes, &err), err);
        CHECK_INT(bytes, cases[i].bytes);
        CHECK_INT(ims_tensor_count(&t), cases[i].bytes / ims_dtype_bytes(cases[i].dtype));
    }
}

TEST(refused, "negative dimensions, high ranks, overflow and no type are refused")
{
    struct ims_tensor t = { .dtype = IMS_DTYPE_F32, .rank = 2, .shape = { 2, -1 } };
    ims_err err = { .text = "" };
    size_t bytes = 5;

    CHECK_STATUS(ims_tensor_measure(&t, &bytes, &err), IMS_E_DIMENSION, err);
    t.rank = IMS_MAX_TENSOR_RANK + 1;
    CHECK_STATUS(ims_tensor_measure(&t, &bytes, &err), IMS_E_DIMENSION, err);
    t = (struct ims_tensor){ .dtype = IMS_DTYPE_F32, .rank = 2, .shape = { INT64_MAX, 2 } };
    CHECK_STATUS(ims_tensor_measure(&t, &bytes, &err), IMS_E_LIMIT, err);
    CHECK_STATUS(ims_tensor_alloc(&t, &err), IMS_E_LIMIT, err);
    t.dtype = IMS_DTYPE_NONE;
    CHECK_STATUS(ims_tensor_measure(&t, &bytes, &err), IMS_E_INVALID, err);
    t.dtype = (ims_dtype)99;
    CHECK_STATUS(ims_tensor_measure(&t, &bytes, &err), IMS_E_INVALID, err);
    CHECK_INT(bytes, 5);
    CHECK_INT(ims_tensor_count(&t), 0);
    t = (struct ims_tensor){ .dtype = IMS_DTYPE_U8, .rank = 1, .shape = { 100 } };
    ims__mem_fail_at(1);
    CHECK_SOFT(ims_tensor_alloc(&t, &err) == IMS_E_NOMEM);
    ims__mem_fail_at(0);
    CHECK(t.data == NULL);
}

TEST(alloc, "allocated memory is aligned, and release empties the tensor")
{
    struct ims_tensor t = { .dtype = IMS_DTYPE_F32, .rank = 2, .shape = { 3, 5 } };
    ims_err err = { .text = "" };

    CHECK_OK(ims_tensor_alloc(&t, &err), err);
    CHECK_INT((uintptr_t)t.data % 64, 0);
    CHECK_INT(t.bytes, 60);
    memset(t.data, 0, t.bytes);
    ims_tensor_release(&t);
    CHECK(t.data == NULL && t.rank == 0 && t.bytes == 0);
    ims_tensor_release(&t);
    ims_tensor_release(NULL);
}

TEST(finite, "NaN and infinity are found in every float type, at every place")
{
    float f[3] = { 1, -2, 0 };
    double d[3] = { 1, -2, 0 };
    uint16_t half[3] = { 0x3c00, 0x7bff, 0xfbff }, brain[3] = { 0x3f80, 0x7f7f, 0xff7f };
    uint8_t bytes[4] = { 0xff, 0xff, 0xff, 0xff };
    int64_t three = 3;
    struct ims_tensor tf = ims_tensor_view(IMS_DTYPE_F32, 1, &three, f, sizeof(f));
    struct ims_tensor td = ims_tensor_view(IMS_DTYPE_F64, 1, &three, d, sizeof(d));
    struct ims_tensor th = ims_tensor_view(IMS_DTYPE_F16, 1, &three, half, sizeof(half));
    struct ims_tensor tb = ims_tensor_view(IMS_DTYPE_BF16, 1, &three, brain, sizeof(brain));
    struct ims_tensor tu = ims_tensor_view(IMS_DTYPE_U8, 1, &three, bytes, sizeof(bytes));

    CHECK(ims_tensor_is_finite(&tf) && ims_tensor_is_finite(&td) && ims_tensor_is_finite(&th));
    CHECK(ims_tensor_is_finite(&tb) && ims_tensor_is_finite(&tu));
    f[2] = NAN;
    d[0] = -INFINITY;
    half[1] = 0x7c00;
    brain[2] = 0xffc0;
    CHECK(!ims_tensor_is_finite(&tf) && !ims_tensor_is_finite(&td));
    CHECK(!ims_tensor_is_finite(&th) && !ims_tensor_is_finite(&tb));
}

TEST(describe, "a shape is written with its type, free dimensions as question marks")
{
    int64_t shape[] = { -1, 3, 224, 224 };
    char out[64], tiny[6];

    CHECK_STR(ims_tensor_describe(IMS_DTYPE_U8, 4, shape, out, sizeof(out)), "u8[?,3,224,224]");
    CHECK_STR(ims_tensor_describe(IMS_DTYPE_F32, 0, NULL, out, sizeof(out)), "f32[]");
    CHECK_STR(ims_tensor_describe((ims_dtype)77, 1, shape, out, sizeof(out)), "none[?]");
    CHECK_STR(ims_tensor_describe(IMS_DTYPE_F32, 4, shape, tiny, sizeof(tiny)), "f32[?");
}

TEST_MAIN
