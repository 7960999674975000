/* The hardware behind the devices, asked once, and what of it a verdict depends on.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/compute_internal.h"

#include "base/mem.h"
#include "compute/model_proof_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ims_status ims__compute_need_cuda(struct ims_compute *c, ims_err *err)
{
    struct ims_cuda_facts *cuda;

    if (c->cuda)
        return IMS_OK;
    cuda = ims__zalloc(1, sizeof(*cuda));
    if (!cuda)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "asking NVIDIA's driver");
    if (c->ctx && c->backend->probe_cuda)
        c->backend->probe_cuda(c->ctx, cuda);
    else
        ims_device_probe_cuda(cuda);
    c->cuda = cuda;
    return IMS_OK;
}

ims_status ims_compute_cuda(struct ims_compute *c, struct ims_cuda_facts *out, ims_err *err)
{
    ims_status st;

    ims__lock(&c->lock);
    if (ims__compute_load(c, NULL) != IMS_OK) {
        /* the hardware is there without a runtime, too */
    }
    st = ims__compute_need_cuda(c, err);
    if (!st)
        *out = *c->cuda;
    ims__unlock(&c->lock);
    return st;
}

ims_status ims_compute_watch_cuda(struct ims_compute *c, struct ims_cuda_facts *out, ims_err *err)
{
    struct ims_cuda_facts *facts;
    ims_status st;

    if (!ims_device_has_cuda_driver()) {
        memset(out, 0, sizeof(*out));
        return IMS_OK;
    }
    ims__lock(&c->lock);
    st = ims__compute_load(c, err);
    ims__unlock(&c->lock);
    if (st)
        return st;
    facts = ims__zalloc(1, sizeof(*facts));
    if (!facts)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "asking NVIDIA's driver");
    if (c->backend->watch_cuda)
        c->backend->watch_cuda(c->ctx, facts);
    else
        ims_device_probe_cuda(facts);
    *out = *facts;
    ims__free(facts);
    return IMS_OK;
}

/* Once, as NVIDIA's driver is. */
static ims_status need_vulkan(struct ims_compute *c, ims_err *err)
{
    struct ims_vulkan_facts *vulkan;

    if (c->vulkan)
        return IMS_OK;
    vulkan = ims__zalloc(1, sizeof(*vulkan));
    if (!vulkan)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "asking the Vulkan loader");
    if (c->ctx && c->backend->probe_vulkan)
        c->backend->probe_vulkan(c->ctx, vulkan);
    else
        ims_device_probe_vulkan(vulkan);
    c->vulkan = vulkan;
    return IMS_OK;
}

ims_status ims_compute_vulkan(struct ims_compute *c, struct ims_vulkan_facts *out, ims_err *err)
{
    ims_status st;

    ims__lock(&c->lock);
    if (ims__compute_load(c, NULL) != IMS_OK) {
        /* adapters are there without a runtime, too */
    }
    st = need_vulkan(c, err);
    if (!st)
        *out = *c->vulkan;
    ims__unlock(&c->lock);
    return st;
}

/* ---- what a verdict depends on ---- */

static int add_cuda(const struct ims_cuda_facts *cuda, unsigned index, char *out, size_t size)
{
    const struct ims_cuda_device *d = cuda && index < cuda->n_devices ? &cuda->devices[index] : NULL;

    return d ? snprintf(out, size, "%s\n%s\ndriver %s CUDA %u.%u\n", d->name, d->uuid,
                        cuda->driver_version, cuda->cuda_major, cuda->cuda_minor)
             : 0;
}

/* Which adapter WebGPU takes is not told: all of them with their drivers, and the variables that say
 * which drivers a Vulkan program is given. */
static size_t add_vulkan(const struct ims_vulkan_facts *vulkan, char *out, size_t size)
{
    const char *files = getenv("VK_DRIVER_FILES");
    size_t n;

    if (!files || !*files)
        files = getenv("VK_ICD_FILENAMES");
    n = (size_t)snprintf(out, size, "%.256s\n", files ? files : "");
    for (size_t i = 0; vulkan && i < vulkan->n_adapters && n < size; i++) {
        const struct ims_vulkan_adapter *a = &vulkan->adapters[i];

        n += (size_t)snprintf(out + n, size - n, "%.64s %04x:%04x driver %s %s Vulkan %s\n",
                              a->name, a->vendor_id, a->device_id, a->driver_version,
                              a->driver_build, a->api_version);
    }
    return n;
}

void ims__proof_hardware(struct ims_compute *c, struct ims_device_id id, char *out, size_t size)
{
    struct ims_compute_info *info = ims__zalloc(1, sizeof(*info));
    struct ims_device_facts facts;
    char name[IMS_DEVICE_NAME_BYTES];
    size_t n;

    if (id.kind == IMS_DEVICE_CPU)
        id.index = 0; /* shares of one processor */
    ims_device_id_name(id, name);
    ims_device_probe(&facts);
    n = (size_t)snprintf(out, size, "%s\n%s %s\n%s\n", name, facts.machine, facts.cpu_model,
                         id.kind == IMS_DEVICE_CPU ? facts.cpu_features : facts.kernel);
    if (n < size && (id.kind == IMS_DEVICE_CUDA || id.kind == IMS_DEVICE_TENSORRT))
        n += (size_t)add_cuda(c->cuda, id.index, out + n, size - n);
    if (n < size && id.kind == IMS_DEVICE_WEBGPU && need_vulkan(c, NULL) == IMS_OK)
        n += add_vulkan(c->vulkan, out + n, size - n);
    if (info && n < size) {
        c->backend->describe(c->ctx, info);
        snprintf(out + n, size - n, "%s %s\n%s\n%.256s\n", info->runtime_name,
                 info->runtime_version, info->runtime_build, info->runtime_path);
    }
    ims__free(info);
}
