/* The probe on arm64, where run_arm64.sh compiles and emulates it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"
#include "harness/test.h"
#include "kernels/kernels.h"

TEST(facts, "the probe tells an arm64 machine by its name, its instruction set and its cores")
{
    struct ims_device_facts f;

    ims_device_probe(&f);
    CHECK_STR(f.platform, "Linux");
    CHECK_STR(f.machine, "aarch64");
    CHECK_STR(ims__cpu_features(), "neon"); /* /proc/cpuinfo is the emulating machine's */
    CHECK(f.n_usable_cores >= 1 && f.n_usable_cores <= f.n_logical_cores);
    CHECK(f.memory_bytes > 0 && f.memory_usable_bytes <= f.memory_bytes);
    CHECK(!f.is_apple_silicon);
}

TEST(no_driver, "without NVIDIA's driver there is no CUDA device and nothing to complain about")
{
    struct ims_cuda_facts f;

    CHECK(!ims_device_has_cuda_driver());
    ims_device_probe_cuda(&f);
    CHECK(!f.has_driver);
    CHECK_INT(f.n_devices, 0);
    CHECK_STR(f.problem, "");
}

TEST_MAIN
