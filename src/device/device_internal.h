/* What the files of device/ share: the seams to the platform and the helpers for notes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DEVICE_INTERNAL_H
#define IMS_DEVICE_INTERNAL_H

#include "device/device.h"

/* ---- one platform file implements these ---- */

/* Operating system, CPU model, features and memory. Cores are filled by the caller. */
void ims__device_probe_platform(struct ims_device_facts *f);
/* Cores the scheduler lets this process run on; 0 = unknown. */
unsigned ims__device_affinity_cores(void);
/* Limits set from outside (control groups); 0 = none. root is put before /proc and /sys ("" in
 * production), so that tests can bring their own. */
unsigned ims__device_quota_cores(const char *root);
uint64_t ims__device_memory_limit(const char *root);

/* min of what is known, at least 1; 0 = not known. */
unsigned ims__device_min_cores(unsigned online, unsigned affinity, unsigned quota);

/* ---- CUDA: library names as arguments, so that tests can bring stand-ins ---- */

void ims__device_probe_cuda_from(struct ims_cuda_facts *out, const char *libcuda,
                                 const char *libnvml);
/* Adds NVML's view to devices found by the driver, joined by UUID or PCI id. */
void ims__device_join_nvml(struct ims_cuda_facts *f, const char *libnvml);

/* The same for Vulkan. */
void ims__device_probe_vulkan_from(struct ims_vulkan_facts *out, const char *libvulkan);

/* ---- notes ---- */

/* What does not fit any more is counted in the last note. */
void ims__device_note(struct ims_device_notes *notes, bool is_warning, const char *fmt, ...)
    IMS_PRINTF(3, 4);
/* Copies foreign text for a message: cut to size, control and non-ASCII bytes as '?'. Returns out.
 */
char *ims__device_clean(const char *text, char *out, size_t size);

#endif
