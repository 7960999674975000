/* The steps to a working device, each looked at by itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_CLI_CLI_DOCTOR_H
#define IMS_CLI_CLI_DOCTOR_H

#include "compute/compute.h"
#include "device/device.h"

#include <stdbool.h>

struct cli_steps {
    const struct ims_compute_info *info; /* described; without a choice */
    const struct ims_cuda_facts *cuda; /* all 0 unless CUDA's steps are asked for */
    const struct ims_vulkan_facts *vulkan; /* the same for WebGPU's */
    bool kinds[IMS_DEVICE_KINDS];        /* whose steps are asked for */
    /* line: "cuda driver"; text: "done: ..." or "not done: ...", with what to do. */
    void (*report)(void *arg, const char *line, bool is_done, const char *text);
    void *arg;
};
/* cli_doctor_steps.c: reports every step of docs/devices.md that those devices need, in its order. Loads nothing. */
void cli_check_steps(const struct cli_steps *s);

#endif
