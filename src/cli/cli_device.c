/* What a service settles and logs about its device before it begins.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"
#include "compute/compute.h"

#include <stdio.h>
#include <string.h>

static void log_choice(const struct ims_device_choice *choice)
{
    char name[IMS_DEVICE_NAME_BYTES], names[IMS_MAX_DEVICES * IMS_DEVICE_NAME_BYTES] = "";

    for (size_t i = 0; i < choice->n_ids; i++) {
        size_t n = strlen(names);

        ims_device_id_name(choice->ids[i], name);
        snprintf(names + n, sizeof(names) - n, "%s%s", n ? " " : "", name);
    }
    ims__log(IMS_LOG_INFO, "device", "%s: %s", names, choice->reason);
    for (size_t i = 0; i < choice->notes.n; i++)
        ims__log(choice->notes.at[i].is_warning ? IMS_LOG_WARN : IMS_LOG_INFO, "device", "%s",
                 choice->notes.at[i].text);
}

ims_status cli_settle_device(struct ims_engine *e, ims_err *err)
{
    struct ims_compute *c = ims_engine_compute(e);
    struct ims_device_choice choice;
    bool is_named;
    ims_err why;
    ims_status st;

    if (!ims_compute_may_accelerate(c, &is_named)) {
        ims__log(IMS_LOG_INFO, "device", "cpu: by the settings, or because there is no other here");
        return IMS_OK;
    }
    st = ims_compute_choose(c, &choice, &why);
    if (!st) {
        log_choice(&choice);
        return IMS_OK;
    }
    if (is_named) {
        if (err)
            *err = why;
        return st;
    }
    ims__log_err(IMS_LOG_WARN, &why, "no device"); /* whatever needs a model will say so again */
    return IMS_OK;
}
