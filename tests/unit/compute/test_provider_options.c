/* Tests of the options table: what each provider of the runtime is given.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"
#include "harness/test.h"

#include <string.h>

/* NULL when the provider is not given the option. */
static const char *value_of(ims_device_kind kind, uint64_t limit, const char *key)
{
    static struct ort_option_list list;
    const struct ims_device_id device = { kind, 3 };
    const struct ims_compute_session_options options = { .device = &device };
    struct ort_runtime rt = { .minor = IMS_ONNXRUNTIME_MIN_MINOR };
    const struct ort_ctx ctx = { .rt = &rt, .gpu_mem_limit_bytes = limit };

    ims__ort_provider_options(&ctx, &options, "/cache", &list);
    for (size_t i = 0; i < list.n; i++) {
        if (strcmp(list.keys[i], key) == 0)
            return list.values[i];
    }
    return NULL;
}

TEST(limit, "a limit of GPU memory arrives in bytes, under the provider's own name for it")
{
    CHECK_STR(value_of(IMS_DEVICE_CUDA, (uint64_t)6144 << 20, "gpu_mem_limit"), "6442450944");
    CHECK_STR(value_of(IMS_DEVICE_MIGRAPHX, (uint64_t)6144 << 20, "migraphx_mem_limit"), "6442450944");
    CHECK_STR(value_of(IMS_DEVICE_CUDA, UINT64_MAX, "gpu_mem_limit"), "18446744073709551615");
}

TEST(no_limit, "without a limit, and where there is no such option, none is given")
{
    CHECK(!value_of(IMS_DEVICE_CUDA, 0, "gpu_mem_limit"));
    CHECK(!value_of(IMS_DEVICE_MIGRAPHX, 0, "migraphx_mem_limit"));
    for (unsigned k = 0; k < IMS_DEVICE_KINDS; k++) {
        CHECK(k == IMS_DEVICE_CUDA || !value_of((ims_device_kind)k, 1, "gpu_mem_limit"));
        CHECK(k == IMS_DEVICE_MIGRAPHX || !value_of((ims_device_kind)k, 1, "migraphx_mem_limit"));
    }
}

TEST(index, "providers that know several devices are given the device's number")
{
    CHECK_STR(value_of(IMS_DEVICE_CUDA, 0, "device_id"), "3");
    CHECK_STR(value_of(IMS_DEVICE_TENSORRT, 0, "device_id"), "3");
    CHECK_STR(value_of(IMS_DEVICE_MIGRAPHX, 0, "device_id"), "3");
    CHECK(!value_of(IMS_DEVICE_COREML, 0, "device_id"));
}

TEST(exact, "CUDA computes float32 as float32, and its memory grows by what is asked for")
{
    CHECK_STR(value_of(IMS_DEVICE_CUDA, 0, "use_tf32"), "0");
    CHECK_STR(value_of(IMS_DEVICE_CUDA, 0, "arena_extend_strategy"), "kSameAsRequested");
    CHECK_STR(value_of(IMS_DEVICE_CUDA, 0, "cudnn_conv_algo_search"), "HEURISTIC");
}

TEST_MAIN
