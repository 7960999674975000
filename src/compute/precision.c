/* Names of precisions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/precision.h"

#include "base/mem.h"

#include <string.h>

static const char *const names[] = {
    [IMS_PRECISION_FP32] = "fp32",
    [IMS_PRECISION_FP16] = "fp16",
    [IMS_PRECISION_INT8] = "int8",
    [IMS_PRECISION_AUTO] = "auto",
};

const char *ims_precision_name(ims_precision p)
{
    return names[p];
}

bool ims_precision_read(const char *text, ims_precision *out)
{
    if (!text || !*text) {
        *out = IMS_PRECISION_FP32;
        return true;
    }
    for (size_t i = 0; i < IMS_ARRAY_LEN(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (ims_precision)i;
            return true;
        }
    }
    return false;
}
