/* NVIDIA devices as the CUDA driver sees them: libcuda loaded at run time, no headers.
 *
 * Numbers of the driver's ABI used here: results 0 (success) and 100 (no device); attributes 75 and
 * 76 (compute capability, major and minor). CUDA_VISIBLE_DEVICES is applied by the driver itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"
#include "device/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define CUDA_SUCCESS 0
#define CUDA_NO_DEVICE 100
#define CUDA_ATTRIBUTE_MAJOR 75
#define CUDA_ATTRIBUTE_MINOR 76

struct cuda_driver {
    int (*init)(unsigned flags);
    int (*driver_version)(int *out);
    int (*device_count)(int *out);
    int (*device_get)(int *out, int ordinal);
    int (*device_name)(char *out, int size, int device);
    int (*device_uuid)(unsigned char out[16], int device);
    int (*device_memory)(size_t *out, int device);
    int (*device_attribute)(int *out, int attribute, int device);
    int (*device_pci_id)(char *out, int size, int device);
    int (*error_string)(int code, const char **out);
};

static bool bind(void *library, struct cuda_driver *d)
{
    return ims_library_symbol(library, "cuInit", &d->init) &&
           ims_library_symbol(library, "cuDriverGetVersion", &d->driver_version) &&
           ims_library_symbol(library, "cuDeviceGetCount", &d->device_count) &&
           ims_library_symbol(library, "cuDeviceGet", &d->device_get) &&
           ims_library_symbol(library, "cuDeviceGetName", &d->device_name) &&
           (ims_library_symbol(library, "cuDeviceGetUuid_v2", &d->device_uuid) ||
            ims_library_symbol(library, "cuDeviceGetUuid", &d->device_uuid)) &&
           ims_library_symbol(library, "cuDeviceTotalMem_v2", &d->device_memory) &&
           ims_library_symbol(library, "cuDeviceGetAttribute", &d->device_attribute) &&
           ims_library_symbol(library, "cuDeviceGetPCIBusId", &d->device_pci_id) &&
           ims_library_symbol(library, "cuGetErrorString", &d->error_string);
}

static void tell(const struct cuda_driver *d, struct ims_cuda_facts *out, const char *call,
                 int code)
{
    const char *text = NULL;

    if (d->error_string(code, &text) != CUDA_SUCCESS || !text)
        text = "unknown error";
    snprintf(out->problem, sizeof(out->problem), "%s failed with %d (%.180s)", call, code, text);
}

static void format_uuid(const unsigned char u[16], char *out, size_t size)
{
    snprintf(out, size, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
             u[14], u[15]);
}

/* A fact that the driver refuses stays empty; a device that it does not even name is lost. */
static int read_device(const struct cuda_driver *d, unsigned ordinal, struct ims_cuda_device *out)
{
    unsigned char uuid[16];
    size_t bytes = 0;
    int device, value, code;

    memset(out, 0, sizeof(*out));
    out->index = ordinal;
    code = d->device_get(&device, (int)ordinal);
    if (code == CUDA_SUCCESS)
        code = d->device_name(out->name, (int)sizeof(out->name), device);
    if (code != CUDA_SUCCESS) {
        out->name[0] = '\0';
        return code;
    }
    out->name[sizeof(out->name) - 1] = '\0';
    if (d->device_uuid(uuid, device) == CUDA_SUCCESS)
        format_uuid(uuid, out->uuid, sizeof(out->uuid));
    if (d->device_memory(&bytes, device) == CUDA_SUCCESS)
        out->memory_bytes = bytes;
    if (d->device_attribute(&value, CUDA_ATTRIBUTE_MAJOR, device) == CUDA_SUCCESS && value >= 0)
        out->compute_major = (unsigned)value;
    if (d->device_attribute(&value, CUDA_ATTRIBUTE_MINOR, device) == CUDA_SUCCESS && value >= 0)
        out->compute_minor = (unsigned)value;
    if (d->device_pci_id(out->pci_id, (int)sizeof(out->pci_id), device) != CUDA_SUCCESS)
        out->pci_id[0] = '\0';
    out->pci_id[sizeof(out->pci_id) - 1] = '\0';
    return CUDA_SUCCESS;
}

static void read_devices(const struct cuda_driver *d, struct ims_cuda_facts *out)
{
    int count = 0, version = 0, code;

    code = d->init(0);
    if (code == CUDA_NO_DEVICE)
        return;
    if (code != CUDA_SUCCESS) {
        tell(d, out, "cuInit", code);
        return;
    }
    if (d->driver_version(&version) == CUDA_SUCCESS && version > 0) {
        out->cuda_major = (unsigned)version / 1000;
        out->cuda_minor = (unsigned)version % 1000 / 10;
    }
    code = d->device_count(&count);
    if (code != CUDA_SUCCESS) {
        tell(d, out, "cuDeviceGetCount", code);
        return;
    }
    for (int i = 0; i < count && i < IMS_MAX_DEVICES; i++) {
        char call[48];

        /* One that is lost keeps its place: the others' numbers are the driver's. */
        code = read_device(d, (unsigned)i, &out->devices[out->n_devices++]);
        snprintf(call, sizeof(call), "cuda:%d is lost: cuDeviceGetName", i);
        if (code != CUDA_SUCCESS)
            tell(d, out, call, code);
    }
}

void ims__device_probe_cuda_from(struct ims_cuda_facts *out, const char *libcuda,
                                 const char *libnvml)
{
    struct cuda_driver d;
    void *library;

    memset(out, 0, sizeof(*out));
    library = dlopen(libcuda, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return;
    out->has_driver = true;
    if (bind(library, &d))
        read_devices(&d, out);
    else
        snprintf(out->problem, sizeof(out->problem), "the driver library %.100s lacks functions",
                 libcuda);
    dlclose(library);
    if (out->n_devices > 0)
        ims__device_join_nvml(out, libnvml);
}

/* Not by loading it: even that much runs its code in this process. */
bool ims_device_has_cuda_driver(void)
{
    return ims_library_find("libcuda.so.1", NULL, NULL, NULL, 0);
}

void ims_device_probe_cuda(struct ims_cuda_facts *out)
{
    ims__device_probe_cuda_from(out, "libcuda.so.1", "libnvidia-ml.so.1");
}
