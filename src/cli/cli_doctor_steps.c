/* What each device needs before it can work, one step after the other: a table. docs/devices.md, "Getting a
 * runtime", has the same steps with these names, and a test compares them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/cli_doctor.h"
#include "device/library.h"

#include <stdio.h>
#include <string.h>

#define MAX_LIBRARIES 3
#define MIN_CUDA_MAJOR 12 /* what the runtime's GPU builds are made for */
#define OF(kind) (1u << IMS_DEVICE_##kind)

struct step {
    const char *line;
    unsigned kinds; /* bits of ims_device_kind */
    /* Writes what was found, or what is missing; NULL: the libraries below are looked for. */
    bool (*is_done)(const struct cli_steps *s, char *text, size_t size);
    const char *libraries[MAX_LIBRARIES];
    const char *advice;
};

static bool has_libraries(const struct step *step, char *text, size_t size)
{
    char path[400];

    for (size_t i = 0; i < MAX_LIBRARIES && step->libraries[i]; i++) {
        if (!ims_library_find(step->libraries[i], NULL, NULL, path, sizeof(path))) {
            snprintf(text, size, "%s is not found", step->libraries[i]);
            return false;
        }
    }
    snprintf(text, size, "%s", path); /* of the last one */
    return true;
}

static bool has_cuda_card(const struct cli_steps *s, char *text, size_t size)
{
    const struct ims_cuda_facts *f = s->cuda;

    if (f->n_devices == 0)
        snprintf(text, size, "%s", f->problem[0] ? f->problem : "no NVIDIA device is shown");
    else
        snprintf(text, size, "%s, the driver speaks CUDA %u.%u%s%s", f->devices[0].name, f->cuda_major, f->cuda_minor,
                 f->problem[0] ? "; " : "", f->problem);
    return f->n_devices > 0 && f->cuda_major >= MIN_CUDA_MAJOR && !f->problem[0];
}

static bool has_apple_silicon(const struct cli_steps *s, char *text, size_t size)
{
    (void)s;
    snprintf(text, size, ims_device_is_apple_silicon() ? "macOS on Apple silicon" : "this is not macOS on Apple silicon");
    return ims_device_is_apple_silicon();
}

#ifdef __APPLE__
static bool has_vulkan_driver(const struct cli_steps *s, char *text, size_t size)
{
    (void)s;
    snprintf(text, size, "Metal is part of macOS");
    return true;
}
#define has_vulkan_loader has_vulkan_driver
#else
static bool has_vulkan_driver(const struct cli_steps *s, char *text, size_t size)
{
    const struct ims_vulkan_facts *f = s->vulkan;

    if (f->problem[0])
        snprintf(text, size, "%s", f->problem);
    else if (f->n_adapters == 0)
        snprintf(text, size, "no Vulkan driver shows a device");
    else
        snprintf(text, size, "%s (%s), Vulkan %s", f->adapters[0].name, ims_vulkan_kind_name(f->adapters[0].kind),
                 f->adapters[0].api_version);
    return f->n_adapters > 0;
}
#define has_vulkan_loader NULL /* the library is looked for */
#endif

static bool has_provider(const struct cli_steps *s, ims_device_kind kind, char *text, size_t size)
{
    const char *name = ims_device_kind_provider(kind);

    if (!s->info->has_runtime) {
        snprintf(text, size, "there is no runtime");
        return false;
    }
    for (size_t i = 0; i < s->info->n_providers; i++) {
        if (strcmp(s->info->providers[i], name) == 0) {
            ims_compute_provider_missing(s->info->runtime_path, kind, text, size);
            if (text[0])
                return false;
            snprintf(text, size, "%s is in the runtime", name);
            return true;
        }
    }
    snprintf(text, size, "the runtime that serves was built without %s", name);
    return false;
}

#define PROVIDER(name, KIND)                                                                   \
    static bool name(const struct cli_steps *s, char *text, size_t size)                       \
    {                                                                                          \
        return has_provider(s, IMS_DEVICE_##KIND, text, size);                                 \
    }
PROVIDER(has_cuda, CUDA)
PROVIDER(has_tensorrt, TENSORRT)
PROVIDER(has_coreml, COREML)
PROVIDER(has_webgpu, WEBGPU)
PROVIDER(has_openvino, OPENVINO)
PROVIDER(has_migraphx, MIGRAPHX)

static const struct step steps[] = {
    { "cuda driver", OF(CUDA) | OF(TENSORRT), NULL, { "libcuda.so.1" }, "install NVIDIA's driver, 525 or newer" },
    { "cuda card", OF(CUDA) | OF(TENSORRT), has_cuda_card, { NULL },
      "`nvidia-smi` must list the card; CUDA 12 needs driver 525 or newer" },
    { "cuda libraries", OF(CUDA) | OF(TENSORRT), NULL, { "libcudart.so.12", "libcublas.so.12", "libcudnn.so.9" },
      "install the CUDA 12 runtime and cuDNN 9 of NVIDIA's package repository" },
    { "cuda provider", OF(CUDA) | OF(TENSORRT), has_cuda, { NULL },
      "unpack the GPU build of ONNX Runtime, then `imgsearch runtime use FILE`" },
    { "tensorrt libraries", OF(TENSORRT), NULL, { "libnvinfer.so.10", "libnvonnxparser.so.10" },
      "install TensorRT 10 of NVIDIA's package repository" },
    { "tensorrt provider", OF(TENSORRT), has_tensorrt, { NULL },
      "the GPU build of ONNX Runtime has it: `imgsearch runtime use FILE`" },
    { "coreml system", OF(COREML), has_apple_silicon, { NULL }, "Core ML is there only" },
    { "coreml provider", OF(COREML), has_coreml, { NULL }, "the macOS build has it: `imgsearch runtime pull cpu`" },
    { "webgpu loader", OF(WEBGPU), has_vulkan_loader, { "libvulkan.so.1" }, "install libvulkan1" },
    { "webgpu driver", OF(WEBGPU), has_vulkan_driver, { NULL },
      "install the card's Vulkan 1.1 driver; `vulkaninfo --summary` then lists the card" },
    { "webgpu provider", OF(WEBGPU), has_webgpu, { NULL }, "`imgsearch runtime pull cpu` fetches a build that has it" },
    { "openvino provider", OF(OPENVINO), has_openvino, { NULL },
      "unpack Intel's wheel onnxruntime-openvino, then `imgsearch runtime use FILE`" },
    { "migraphx provider", OF(MIGRAPHX), has_migraphx, { NULL },
      "install ROCm and migraphx, unpack AMD's build of ONNX Runtime, then `imgsearch runtime use FILE`" },
};

void cli_check_steps(const struct cli_steps *s)
{
    unsigned wanted = 0;

    for (unsigned k = 0; k < IMS_DEVICE_KINDS; k++)
        wanted |= s->kinds[k] ? 1u << k : 0;
    for (size_t i = 0; i < IMS_ARRAY_LEN(steps); i++) {
        const struct step *step = &steps[i];
        char found[400], text[700];
        bool is_done;

        if (!(step->kinds & wanted))
            continue;
        is_done = step->is_done ? step->is_done(s, found, sizeof(found)) : has_libraries(step, found, sizeof(found));
        snprintf(text, sizeof(text), "%s: %s%s%s", is_done ? "done" : "not done", found, is_done ? "" : "; ",
                 is_done ? "" : step->advice);
        s->report(s->arg, step->line, is_done, text);
    }
}
