/* Tests of the probe of Vulkan adapters, through stand-ins for the loader.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"
#include "harness/test.h"

#include <string.h>

static void probe(struct ims_vulkan_facts *f, const char *library)
{
    ims__device_probe_vulkan_from(f, test_build_path(library));
}

TEST(no_loader, "without a loader there are no adapters, and nothing is said")
{
    struct ims_vulkan_facts f;

    ims__device_probe_vulkan_from(&f, "/nonexistent/libvulkan.so.1");
    CHECK(!f.has_loader);
    CHECK_INT(f.n_adapters, 0);
    CHECK_STR(f.problem, "");
}

TEST(none, "a loader without adapters, or without any driver, is no problem")
{
    struct ims_vulkan_facts f;

    probe(&f, "fakes/fake_vulkan_0.so");
    CHECK(f.has_loader);
    CHECK_INT(f.n_adapters, 0);
    CHECK_STR(f.problem, "");
    probe(&f, "fakes/fake_vulkan_undriven.so");
    CHECK(f.has_loader);
    CHECK_INT(f.n_adapters, 0);
    CHECK_STR(f.problem, "");
}

TEST(two, "each adapter has its name, type, numbers, versions and memory")
{
    struct ims_vulkan_facts f;

    probe(&f, "fakes/fake_vulkan_2.so");
    CHECK(f.has_loader);
    CHECK_STR(f.problem, "");
    CHECK_INT(f.n_adapters, 2);
    CHECK_STR(f.adapters[0].name, "Test Adapter 0 ??"); /* what is not ASCII is not repeated */
    CHECK_STR(ims_vulkan_kind_name(f.adapters[0].kind), "discrete");
    CHECK_INT(f.adapters[0].vendor_id, 0x10de);
    CHECK_INT(f.adapters[0].device_id, 0x2684);
    CHECK_STR(f.adapters[0].driver_version, "535.183.1.0");
    CHECK_STR(f.adapters[0].api_version, "1.3.242");
    CHECK_STR(f.adapters[0].driver_build, "000102030405060708090a0b0c0d0e0f");
    CHECK_INT(f.adapters[0].memory_bytes, ((long long)24 << 30) + (1 << 28));
    CHECK_STR(f.adapters[1].name, "Test Adapter 1 ??");
    CHECK_INT(f.adapters[1].kind, IMS_VULKAN_CPU);
    CHECK_STR(ims_vulkan_kind_name(f.adapters[1].kind), "cpu");
    CHECK_INT(f.adapters[1].device_id, 0x2685);
    CHECK_STR(f.adapters[1].driver_version, "23.2.1");
}

TEST(many, "of more adapters than there is room for, the first are taken")
{
    struct ims_vulkan_facts f;

    probe(&f, "fakes/fake_vulkan_20.so");
    CHECK_STR(f.problem, "");
    CHECK_INT(f.n_adapters, IMS_MAX_VULKAN_ADAPTERS);
    CHECK_STR(f.adapters[7].name, "Test Adapter 7 ??");
    CHECK_STR(ims_vulkan_kind_name(f.adapters[7].kind), "other");
}

TEST(broken, "an instance that fails, and a library that is no loader, are problems with a reason")
{
    struct ims_vulkan_facts f;

    probe(&f, "fakes/fake_vulkan_broken.so");
    CHECK(f.has_loader);
    CHECK_INT(f.n_adapters, 0);
    CHECK_STR(f.problem, "vkCreateInstance failed with -3");
    probe(&f, "fakes/fake_cuda_empty.so");
    CHECK(f.has_loader);
    CHECK(strstr(f.problem, "lacks functions") != NULL);
}

TEST_MAIN
