/* Graphics adapters as the Vulkan loader shows them, which is how WebGPU sees them on Linux: libvulkan
 * loaded at run time, no headers.
 *
 * Of Vulkan's ABI: structures of version 1.0 as the specification lays them out, and the results 0
 * (success), 5 (incomplete) and -9 (incompatible driver: what a loader says that found none).
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"
#include "device/library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define VULKAN_SUCCESS 0
#define VULKAN_INCOMPLETE 5
#define VULKAN_NO_DRIVER (-9)
#define VULKAN_APPLICATION_INFO 0
#define VULKAN_INSTANCE_INFO 1
#define VULKAN_VERSION_1_1 (1u << 22 | 1u << 12) /* what WebGPU needs */
#define VULKAN_HEAP_IS_LOCAL 1u
#define VULKAN_MAX_HEAPS 16
#define VENDOR_NVIDIA 0x10de

struct vulkan_application {
    uint32_t type;
    const void *next;
    const char *name;
    uint32_t version;
    const char *engine;
    uint32_t engine_version, api_version;
};

struct vulkan_instance_info {
    uint32_t type;
    const void *next;
    uint32_t flags;
    const struct vulkan_application *application;
    uint32_t n_layers;
    const char *const *layers;
    uint32_t n_extensions;
    const char *const *extensions;
};

/* Limits (504 bytes) and sparse properties (20) follow, which nobody reads here: with room to spare. */
struct vulkan_properties {
    uint32_t api_version, driver_version, vendor_id, device_id, type;
    char name[256];
    uint8_t cache_uuid[16];
    uint64_t rest[128];
};

struct vulkan_memory {
    uint32_t n_types;
    struct {
        uint32_t flags, heap;
    } types[32];
    uint32_t n_heaps;
    struct {
        uint64_t bytes;
        uint32_t flags;
    } heaps[VULKAN_MAX_HEAPS];
};

_Static_assert(offsetof(struct vulkan_properties, rest) == 296, "VkPhysicalDeviceProperties.limits");
_Static_assert(offsetof(struct vulkan_memory, heaps) == 264 && sizeof(struct vulkan_memory) == 520,
               "VkPhysicalDeviceMemoryProperties");

struct vulkan {
    int (*create)(const struct vulkan_instance_info *info, const void *allocator, void **out);
    void (*destroy)(void *instance, const void *allocator);
    int (*list)(void *instance, uint32_t *n, void **out);
    void (*properties)(void *device, struct vulkan_properties *out);
    void (*memory)(void *device, struct vulkan_memory *out);
};

static bool bind(void *library, struct vulkan *v)
{
    return ims_library_symbol(library, "vkCreateInstance", &v->create) &&
           ims_library_symbol(library, "vkDestroyInstance", &v->destroy) &&
           ims_library_symbol(library, "vkEnumeratePhysicalDevices", &v->list) &&
           ims_library_symbol(library, "vkGetPhysicalDeviceProperties", &v->properties) &&
           ims_library_symbol(library, "vkGetPhysicalDeviceMemoryProperties", &v->memory);
}

const char *ims_vulkan_kind_name(ims_vulkan_kind kind)
{
    static const char *const names[] = { "other", "integrated", "discrete", "virtual", "cpu" };

    return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : names[0];
}

/* NVIDIA packs its driver's version in a way of its own; the others as Vulkan packs its own. */
static void format_driver(uint32_t v, uint32_t vendor, char *out, size_t size)
{
    if (vendor == VENDOR_NVIDIA)
        snprintf(out, size, "%u.%u.%u.%u", v >> 22, v >> 14 & 0xff, v >> 6 & 0xff, v & 0x3f);
    else
        snprintf(out, size, "%u.%u.%u", v >> 22, v >> 12 & 0x3ff, v & 0xfff);
}

static void read_adapter(const struct vulkan *v, void *device, struct ims_vulkan_adapter *out)
{
    struct vulkan_properties p;
    struct vulkan_memory m;

    memset(&p, 0, sizeof(p));
    memset(&m, 0, sizeof(m));
    v->properties(device, &p);
    v->memory(device, &m);
    p.name[sizeof(p.name) - 1] = '\0';
    ims__device_clean(p.name, out->name, sizeof(out->name));
    out->kind = p.type <= IMS_VULKAN_CPU ? (ims_vulkan_kind)p.type : IMS_VULKAN_OTHER;
    out->vendor_id = p.vendor_id;
    out->device_id = p.device_id;
    format_driver(p.driver_version, p.vendor_id, out->driver_version, sizeof(out->driver_version));
    for (size_t i = 0; i < sizeof(p.cache_uuid); i++)
        snprintf(out->driver_build + 2 * i, sizeof(out->driver_build) - 2 * i, "%02x", p.cache_uuid[i]);
    snprintf(out->api_version, sizeof(out->api_version), "%u.%u.%u", p.api_version >> 22 & 0x7f,
             p.api_version >> 12 & 0x3ff, p.api_version & 0xfff);
    for (uint32_t i = 0; i < m.n_heaps && i < VULKAN_MAX_HEAPS; i++) {
        if (m.heaps[i].flags & VULKAN_HEAP_IS_LOCAL)
            out->memory_bytes += m.heaps[i].bytes;
    }
}

static void read_adapters(const struct vulkan *v, struct ims_vulkan_facts *out)
{
    const struct vulkan_application application = { .type = VULKAN_APPLICATION_INFO,
                                                    .name = "imgsearch",
                                                    .api_version = VULKAN_VERSION_1_1 };
    const struct vulkan_instance_info info = { .type = VULKAN_INSTANCE_INFO,
                                               .application = &application };
    void *devices[IMS_MAX_VULKAN_ADAPTERS] = { NULL };
    uint32_t n = IMS_MAX_VULKAN_ADAPTERS;
    void *instance = NULL;
    int code = v->create(&info, NULL, &instance);

    if (code == VULKAN_NO_DRIVER)
        return;
    if (code != VULKAN_SUCCESS) {
        snprintf(out->problem, sizeof(out->problem), "vkCreateInstance failed with %d", code);
        return;
    }
    code = v->list(instance, &n, devices);
    if (code != VULKAN_SUCCESS && code != VULKAN_INCOMPLETE) {
        snprintf(out->problem, sizeof(out->problem), "vkEnumeratePhysicalDevices failed with %d", code);
        n = 0;
    }
    for (uint32_t i = 0; i < n && i < IMS_MAX_VULKAN_ADAPTERS; i++)
        read_adapter(v, devices[i], &out->adapters[out->n_adapters++]);
    v->destroy(instance, NULL);
}

void ims__device_probe_vulkan_from(struct ims_vulkan_facts *out, const char *libvulkan)
{
    struct vulkan v;
    void *library;

    memset(out, 0, sizeof(*out));
    library = dlopen(libvulkan, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return;
    out->has_loader = true;
    if (bind(library, &v))
        read_adapters(&v, out);
    else
        snprintf(out->problem, sizeof(out->problem), "the Vulkan loader %.100s lacks functions",
                 libvulkan);
    dlclose(library);
}

bool ims_device_has_vulkan_loader(void)
{
    return ims_library_find("libvulkan.so.1", NULL, NULL, NULL, 0);
}

void ims_device_probe_vulkan(struct ims_vulkan_facts *out)
{
    ims__device_probe_vulkan_from(out, "libvulkan.so.1");
}
