/* Driver version, memory in use, utilisation, temperature and power of NVIDIA devices: libnvidia-ml
 * loaded at run time.
 *
 * NVML numbers devices by the bus and ignores CUDA_VISIBLE_DEVICES, so its records are looked up by
 * the UUID that the CUDA driver gave, and by PCI id where the UUID is not known to NVML.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"
#include "device/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define NVML_SUCCESS 0

struct nvml_memory {
    unsigned long long total, free, used;
};

struct nvml_utilisation {
    unsigned gpu, memory;
};

struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*driver_version)(char *out, unsigned size);
    int (*by_uuid)(const char *uuid, void **out);
    int (*by_pci_id)(const char *pci_id, void **out);
    int (*name)(void *device, char *out, unsigned size);
    int (*memory)(void *device, struct nvml_memory *out);
    int (*utilisation)(void *device, struct nvml_utilisation *out);
    /* (optional) degrees Celsius of sensor 0, the chip; milliwatts */
    int (*temperature)(void *device, int sensor, unsigned *out);
    int (*power)(void *device, unsigned *out);
};

static bool bind(void *library, struct nvml *n)
{
    (void)ims_library_symbol(library, "nvmlDeviceGetTemperature", &n->temperature);
    (void)ims_library_symbol(library, "nvmlDeviceGetPowerUsage", &n->power);
    return ims_library_symbol(library, "nvmlInit_v2", &n->init) &&
           ims_library_symbol(library, "nvmlShutdown", &n->shutdown) &&
           ims_library_symbol(library, "nvmlSystemGetDriverVersion", &n->driver_version) &&
           ims_library_symbol(library, "nvmlDeviceGetHandleByUUID", &n->by_uuid) &&
           ims_library_symbol(library, "nvmlDeviceGetHandleByPciBusId_v2", &n->by_pci_id) &&
           ims_library_symbol(library, "nvmlDeviceGetName", &n->name) &&
           ims_library_symbol(library, "nvmlDeviceGetMemoryInfo", &n->memory) &&
           ims_library_symbol(library, "nvmlDeviceGetUtilizationRates", &n->utilisation);
}

static void read_device(const struct nvml *n, struct ims_cuda_device *d)
{
    struct nvml_memory memory = { 0, 0, 0 };
    struct nvml_utilisation use = { 0, 0 };
    unsigned value;
    void *device = NULL;

    if ((!d->uuid[0] || n->by_uuid(d->uuid, &device) != NVML_SUCCESS) &&
        (!d->pci_id[0] || n->by_pci_id(d->pci_id, &device) != NVML_SUCCESS))
        return;
    if (n->name(device, d->nvml_name, sizeof(d->nvml_name)) != NVML_SUCCESS)
        d->nvml_name[0] = '\0';
    d->nvml_name[sizeof(d->nvml_name) - 1] = '\0';
    d->has_memory_used = n->memory(device, &memory) == NVML_SUCCESS;
    if (d->has_memory_used)
        d->memory_used_bytes = memory.used;
    d->has_utilisation = n->utilisation(device, &use) == NVML_SUCCESS;
    if (d->has_utilisation)
        d->utilisation_percent = use.gpu;
    if (n->temperature && n->temperature(device, 0, &value) == NVML_SUCCESS)
        d->temperature_c = value;
    if (n->power && n->power(device, &value) == NVML_SUCCESS)
        d->power_w = value / 1000;
}

void ims__device_join_nvml(struct ims_cuda_facts *f, const char *libnvml)
{
    void *library = dlopen(libnvml, RTLD_NOW | RTLD_LOCAL);
    struct nvml n;

    if (!library)
        return;
    if (bind(library, &n) && n.init() == NVML_SUCCESS) {
        f->has_nvml = true;
        if (n.driver_version(f->driver_version, sizeof(f->driver_version)) != NVML_SUCCESS)
            f->driver_version[0] = '\0';
        for (size_t i = 0; i < f->n_devices; i++)
            read_device(&n, &f->devices[i]);
        n.shutdown();
    }
    dlclose(library);
}
