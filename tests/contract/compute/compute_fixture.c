/* Shared parts of the compute tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ims_compute *the_compute;

const char *fixture_device(void)
{
    const char *device = getenv("IMS_TEST_DEVICE");

    return device && *device ? device : "cpu";
}

static bool use_driver(const char *folder)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/libvk_swiftshader.so", folder);
    if (access(path, R_OK) != 0)
        return false;
    snprintf(path, sizeof(path), "%s/vk_swiftshader_icd.json", folder);
    if (access(path, R_OK) != 0)
        return false;
    setenv("VK_DRIVER_FILES", path, 1);
    setenv("VK_ICD_FILENAMES", path, 1); /* loaders before 1.3.207 */
    return true;
}

static bool find_driver(void)
{
    const char *named = getenv("IMS_SWIFTSHADER_DIR");
    char folder[1024];
    char *cached = NULL;
    bool found;

    if (getenv("VK_DRIVER_FILES"))
        return true;
    if (named && *named)
        return use_driver(named);
    if (ims_compute_runtime_cache_path(&cached, NULL) != IMS_OK)
        return false;
    /* .../imgsearch/onnxruntime/VERSION/FILE -> .../imgsearch/swiftshader */
    *strstr(cached, "/onnxruntime/") = '\0';
    snprintf(folder, sizeof(folder), "%s/swiftshader", cached);
    ims__free(cached);
    found = use_driver(folder) || use_driver("/usr/lib/chromium");
    return found;
}

bool fixture_prepare(const char *device, int *out_exit_code)
{
    const char *required = getenv("IMS_TEST_REQUIRE_WEBGPU");
    void *loader;

    if (strcmp(device, "webgpu") != 0)
        return true;
    loader = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (loader && find_driver()) {
        dlclose(loader);
        if (!getenv("XDG_RUNTIME_DIR"))
            setenv("XDG_RUNTIME_DIR", test_tmp_dir(), 1);
        return true;
    }
    printf("1..0 # SKIP no %s for WebGPU\n",
           loader ? "software Vulkan driver (SwiftShader)" : "libvulkan.so.1");
    *out_exit_code = required && *required ? 1 : 77;
    return false;
}

static void close_compute(void)
{
    ims_compute_close(the_compute);
}

struct ims_compute *fixture_compute(void)
{
    struct ims_compute_options options = { .device = { .flag = fixture_device() }, .n_threads = 2 };
    struct ims_device_choice choice;
    ims_err err;

    if (the_compute)
        return the_compute;
    if (ims_compute_open(&the_compute, &options, &err) ||
        ims_compute_choose(the_compute, &choice, &err)) {
        fprintf(stderr, "no compute: %s\n", err.text);
        exit(99);
    }
    atexit(close_compute);
    return the_compute;
}

const char *fixture_graph(const char *name)
{
    char relative[256];

    snprintf(relative, sizeof(relative), "tests/contract/compute/graphs/%s.onnx", name);
    return test_source_path(relative);
}

struct ims_compute_session *fixture_open(const char *name,
                                         const struct ims_compute_session_options *options)
{
    struct ims_compute_graph graph = { .path = fixture_graph(name) };
    struct ims_compute_session *s = NULL;
    ims_err err = { .text = "" };
    ims_status st = ims_compute_session_open(fixture_compute(), &s, &graph, options, &err);

    return test_check_ok(__FILE__, __LINE__, name, st, &err) ? s : NULL;
}

struct ims_compute_value fixture_f32(const char *name, unsigned rank, const int64_t *shape,
                                     const float *data)
{
    struct ims_compute_value v = {
        .name = name, .tensor = ims_tensor_view(IMS_DTYPE_F32, rank, shape, (void *)data, 0)
    };

    v.tensor.bytes = ims_tensor_count(&v.tensor) * sizeof(float);
    return v;
}

double fixture_tolerance(void)
{
    return strcmp(fixture_device(), "cpu") == 0 ? 1e-6 : 1e-4;
}
