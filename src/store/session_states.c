/* The state machine of training sessions, as a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sessions.h"

#include "base/mem.h"

#include <string.h>

static const char *const status_names[IMS_SESSION_N_STATUSES] = { "pending",   "discovering", "running", "paused",
                                                                  "completed", "cancelled",   "failed" };
static const char *const event_names[IMS_SESSION_N_EVENTS] = { "start",      "pause", "cancel", "restart",
                                                               "discovered", "done",  "broken" };

#define NO (-1)
#define PEN IMS_SESSION_PENDING
#define DIS IMS_SESSION_DISCOVERING
#define RUN IMS_SESSION_RUNNING
#define PAU IMS_SESSION_PAUSED
#define COM IMS_SESSION_COMPLETED
#define CAN IMS_SESSION_CANCELLED
#define FAI IMS_SESSION_FAILED

/* clang-format off */
static const int next_status[IMS_SESSION_N_STATUSES][IMS_SESSION_N_EVENTS] = {
    /*                 start pause cancel restart discovered done broken */
    [IMS_SESSION_PENDING]     = { DIS, NO,  NO,  NO,  NO,  NO,  NO },
    [IMS_SESSION_DISCOVERING] = { NO,  NO,  CAN, NO,  RUN, NO,  FAI },
    [IMS_SESSION_RUNNING]     = { NO,  PAU, CAN, NO,  NO,  COM, FAI },
    [IMS_SESSION_PAUSED]      = { RUN, NO,  CAN, PEN, NO,  NO,  NO },
    [IMS_SESSION_COMPLETED]   = { NO,  NO,  NO,  PEN, NO,  NO,  NO },
    [IMS_SESSION_CANCELLED]   = { NO,  NO,  NO,  PEN, NO,  NO,  NO },
    [IMS_SESSION_FAILED]      = { RUN, NO,  NO,  PEN, NO,  NO,  NO },
};
/* clang-format on */

const char *ims_session_status_name(ims_session_status status)
{
    return status_names[status];
}

const char *ims_session_event_name(ims_session_event event)
{
    return event_names[event];
}

bool ims_session_status_read(const char *name, ims_session_status *out)
{
    for (int i = 0; name && i < IMS_SESSION_N_STATUSES; i++) {
        if (strcmp(status_names[i], name) == 0) {
            *out = (ims_session_status)i;
            return true;
        }
    }
    return false;
}

bool ims_session_next(ims_session_status from, ims_session_event event, ims_session_status *out)
{
    int next = next_status[from][event];

    if (next == NO)
        return false;
    *out = (ims_session_status)next;
    return true;
}

bool ims_session_is_report(ims_session_event event)
{
    return event == IMS_SESSION_DISCOVERED || event == IMS_SESSION_DONE || event == IMS_SESSION_BROKEN;
}
