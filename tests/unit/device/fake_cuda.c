/* A stand-in for libcuda: FAKE_DEVICES devices with numbers that tell them apart.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef FAKE_INIT_CODE
#define FAKE_INIT_CODE (FAKE_DEVICES ? 0 : 100)
#endif
#ifndef FAKE_CUDA
#define FAKE_CUDA 12040 /* what the driver speaks */
#endif
#ifndef FAKE_LOST
#define FAKE_LOST (-1) /* the device that is gone from the second start on */
#endif

static int n_starts;

int cuInit(unsigned flags);
int cuDriverGetVersion(int *out);
int cuDeviceGetCount(int *out);
int cuDeviceGet(int *out, int ordinal);
int cuDeviceGetName(char *out, int size, int device);
int cuDeviceGetUuid(unsigned char *out, int device);
int cuDeviceTotalMem_v2(size_t *out, int device);
int cuDeviceGetAttribute(int *out, int attribute, int device);
int cuDeviceGetPCIBusId(char *out, int size, int device);
int cuGetErrorString(int code, const char **out);

int cuInit(unsigned flags)
{
#ifdef FAKE_ABORTS
    abort();
#endif
    n_starts++;
    return flags ? 1 : FAKE_INIT_CODE;
}

int cuDriverGetVersion(int *out)
{
    *out = FAKE_CUDA;
    return 0;
}

int cuDeviceGetCount(int *out)
{
    *out = FAKE_DEVICES;
    return 0;
}

int cuDeviceGet(int *out, int ordinal)
{
    *out = 100 + ordinal; /* a handle is not the ordinal */
    return ordinal >= 0 && ordinal < FAKE_DEVICES ? 0 : 101;
}

int cuDeviceGetName(char *out, int size, int device)
{
    snprintf(out, (size_t)size, "Test Accelerator %d", device - 100);
    return device - 100 == FAKE_LOST && n_starts > 1 ? 46 : 0;
}

int cuDeviceGetUuid(unsigned char *out, int device)
{
    for (int i = 0; i < 16; i++)
        out[i] = (unsigned char)(i * 16 + device - 100);
    return 0;
}

int cuDeviceTotalMem_v2(size_t *out, int device)
{
    *out = (size_t)(device - 99) << 30;
    return 0;
}

int cuDeviceGetAttribute(int *out, int attribute, int device)
{
    (void)device;
    *out = attribute == 75 ? 8 : attribute == 76 ? 6 : -1;
    return 0;
}

int cuDeviceGetPCIBusId(char *out, int size, int device)
{
    snprintf(out, (size_t)size, "0000:%02x:00.0", device - 100 + 1);
    return 0;
}

int cuGetErrorString(int code, const char **out)
{
    *out = code == 803  ? "system has unsupported display driver / cuda driver combination"
           : code == 46 ? "CUDA-capable device(s) is/are busy or unavailable"
                        : NULL;
    return *out ? 0 : 1;
}
