/* A stand-in for libnvidia-ml: numbers the devices the other way round, knows the first by UUID and
 * the second only by its PCI id. FAKE_MEMORY_CODE and FAKE_USE_CODE: what it says instead of a number.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct memory {
    unsigned long long total, free, used;
};

struct utilisation {
    unsigned gpu, memory;
};

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlSystemGetDriverVersion(char *out, unsigned size);
int nvmlDeviceGetHandleByUUID(const char *uuid, void **out);
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci_id, void **out);
int nvmlDeviceGetName(void *device, char *out, unsigned size);
int nvmlDeviceGetMemoryInfo(void *device, struct memory *out);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *out);
int nvmlDeviceGetPowerUsage(void *device, unsigned *out);
int nvmlDeviceGetUtilizationRates(void *device, struct utilisation *out);

#ifndef FAKE_MEMORY_CODE
#define FAKE_MEMORY_CODE 0
#endif
#ifndef FAKE_USE_CODE
#define FAKE_USE_CODE 0
#endif

static int devices[2] = { 70, 30 };

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    snprintf(out, size, "550.54.14");
    return 0;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **out)
{
    if (strcmp(uuid, "GPU-00102030-4050-6070-8090-a0b0c0d0e0f0") != 0)
        return 6;
    *out = &devices[0];
    return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *pci_id, void **out)
{
    if (strcmp(pci_id, "0000:02:00.0") != 0)
        return 6;
    *out = &devices[1];
    return 0;
}

int nvmlDeviceGetName(void *device, char *out, unsigned size)
{
    snprintf(out, size, "NVML %d", *(int *)device);
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *out)
{
    *out = (struct memory){ 1000, 900, (unsigned long long)*(int *)device };
    return FAKE_MEMORY_CODE;
}

int nvmlDeviceGetUtilizationRates(void *device, struct utilisation *out)
{
    *out = (struct utilisation){ (unsigned)*(int *)device, 1 };
    return FAKE_USE_CODE;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *out)
{
    *out = (unsigned)*(int *)device + 1;
    return FAKE_MEMORY_CODE ? FAKE_MEMORY_CODE : sensor;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *out)
{
    *out = (unsigned)*(int *)device * 1000 + 999;
    return FAKE_MEMORY_CODE;
}
