/* What the files of `imgsearch devices` share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_CLI_DEVICES_VIEW_H
#define IMS_CLI_DEVICES_VIEW_H

#include "cli/cli.h"
#include "compute/compute.h"
#include "compute/model_proof.h"
#include "device/device.h"

struct devices_view {
    struct ims_device_facts facts;
    struct ims_cuda_facts cuda;
    struct ims_vulkan_facts vulkan;
    struct ims_compute_info compute;
    char model[160]; /* that the devices were proven with; "" = none */
    ims_err model_err; /* why not */
    size_t n_verdicts;
    struct ims_proof_verdict verdicts[IMS_PROOF_MAX_VERDICTS];
};

const char *cli_proof_name(ims_proof_state state);
ims_json *cli_devices_json(const struct devices_view *v);

#endif
