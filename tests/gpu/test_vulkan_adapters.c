/* The probe of Vulkan adapters on a real loader with a real driver, in a child as in the program.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"

#include <stdlib.h>
#include <string.h>

TEST(real, "the software driver is listed as what it is, and was not loaded here")
{
    struct ims_compute_options options = { .device = { .flag = "cpu" } };
    const char *file = getenv("VK_DRIVER_FILES");
    struct ims_vulkan_facts f, again;
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };

    CHECK_OK(ims_compute_open(&c, &options, &err), err);
    CHECK_OK(ims_compute_vulkan(c, &f, &err), err);
    CHECK(f.has_loader);
    CHECK_STR(f.problem, "");
    CHECK(f.n_adapters >= 1);
    for (size_t i = 0; i < f.n_adapters; i++) {
        const struct ims_vulkan_adapter *a = &f.adapters[i];

        test_note("%s (%s), driver %s %s, Vulkan %s, %llu bytes", a->name, ims_vulkan_kind_name(a->kind),
                  a->driver_version, a->driver_build, a->api_version, (unsigned long long)a->memory_bytes);
        CHECK(a->name[0] && a->memory_bytes > 0);
        CHECK(strncmp(a->api_version, "1.", 2) == 0);
    }
    if (file && strstr(file, "vk_swiftshader_icd.json")) {
        CHECK_INT(f.n_adapters, 1);
        CHECK(strncmp(f.adapters[0].name, "SwiftShader", 11) == 0);
        CHECK_INT(f.adapters[0].kind, IMS_VULKAN_CPU);
        CHECK_INT(f.adapters[0].vendor_id, 0x1ae0);
    }
    CHECK_OK(ims_compute_vulkan(c, &again, &err), err);
    CHECK(memcmp(&f, &again, sizeof(f)) == 0);
    ims_compute_close(c);
}

int main(int argc, char **argv)
{
    int code = 0;

    if (ims_compute_child_main(argc, argv, NULL, &code))
        return code;
    return fixture_prepare("webgpu", &code) ? test_main(argc, argv) : code;
}
