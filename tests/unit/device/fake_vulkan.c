/* A stand-in for libvulkan: FAKE_ADAPTERS adapters with numbers that tell them apart, or an instance that
 * fails with FAKE_INSTANCE_CODE. Structures are written byte by byte where the specification puts them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifndef FAKE_INSTANCE_CODE
#define FAKE_INSTANCE_CODE 0
#endif

int vkCreateInstance(const unsigned char *info, const void *allocator, void **out);
void vkDestroyInstance(void *instance, const void *allocator);
int vkEnumeratePhysicalDevices(void *instance, uint32_t *n, void **out);
void vkGetPhysicalDeviceProperties(void *device, unsigned char *out);
void vkGetPhysicalDeviceMemoryProperties(void *device, unsigned char *out);

static int instance;
static const uint32_t n_adapters = FAKE_ADAPTERS;
static char adapters[64];

static void put32(unsigned char *out, size_t at, uint32_t v)
{
    memcpy(out + at, &v, sizeof(v));
}

static uint32_t get32(const unsigned char *p, size_t at)
{
    uint32_t v;

    memcpy(&v, p + at, sizeof(v));
    return v;
}

int vkCreateInstance(const unsigned char *info, const void *allocator, void **out)
{
    const unsigned char *application;

    if (FAKE_INSTANCE_CODE)
        return FAKE_INSTANCE_CODE;
    memcpy(&application, info + 24, sizeof(application));
    /* types 1 and 0, no layers, no extensions, version 1.1 asked for */
    if (allocator || get32(info, 0) != 1 || get32(info, 32) || get32(info, 48) || !application ||
        get32(application, 0) != 0 || get32(application, 44) != 0x401000)
        return -3;
    *out = &instance;
    return 0;
}

void vkDestroyInstance(void *i, const void *allocator)
{
    (void)i;
    (void)allocator;
}

int vkEnumeratePhysicalDevices(void *i, uint32_t *n, void **out)
{
    uint32_t room = *n;

    if (i != &instance)
        return -3;
    for (*n = 0; *n < n_adapters && *n < room; (*n)++)
        out[*n] = &adapters[*n];
    return *n < n_adapters ? 5 : 0; /* incomplete */
}

/* Adapter 0 is NVIDIA's, the second Mesa's on a processor, all further ones of a type that is not known. */
void vkGetPhysicalDeviceProperties(void *device, unsigned char *out)
{
    unsigned k = (unsigned)((char *)device - adapters);

    memset(out, 0xee, 824);
    put32(out, 0, 1u << 22 | 3u << 12 | 242);
    put32(out, 4, k == 0 ? 535u << 22 | 183u << 14 | 1u << 6 : 23u << 22 | 2u << 12 | 1);
    put32(out, 8, k == 0 ? 0x10de : 0x10005);
    put32(out, 12, 0x2684 + k);
    put32(out, 16, k == 0 ? 2 : k == 1 ? 4 : 77);
    snprintf((char *)out + 20, 256, "Test Adapter %u \xc3\xa9", k);
    for (unsigned i = 0; i < 16; i++)
        out[276 + i] = (unsigned char)(i + k);
}

/* A heap on the device, one of the host, and another on the device. */
void vkGetPhysicalDeviceMemoryProperties(void *device, unsigned char *out)
{
    uint64_t sizes[] = { (uint64_t)24 << 30, (uint64_t)64 << 30, (uint64_t)1 << 28 };

    (void)device;
    memset(out, 0xee, 520);
    put32(out, 260, 3);
    for (size_t i = 0; i < 3; i++) {
        memcpy(out + 264 + 16 * i, &sizes[i], sizeof(sizes[i]));
        put32(out, 272 + 16 * i, i == 1 ? 0 : 1);
    }
}
