/* The state machine of face sessions, as a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/face_sessions.h"

#include <string.h>

static const char *const status_names[IMS_FACE_SESSION_N_STATUSES] = { "pending",   "processing", "paused",
                                                                       "completed", "failed",     "cancelled" };
static const char *const event_names[IMS_FACE_SESSION_N_EVENTS] = { "pause", "resume", "cancel", "be picked up",
                                                                    "be done", "break" };

#define NO (-1)
#define PRO IMS_FACE_SESSION_PROCESSING
#define PAU IMS_FACE_SESSION_PAUSED
#define COM IMS_FACE_SESSION_COMPLETED
#define FAI IMS_FACE_SESSION_FAILED
#define CAN IMS_FACE_SESSION_CANCELLED

/* clang-format off */
static const int next_status[IMS_FACE_SESSION_N_STATUSES][IMS_FACE_SESSION_N_EVENTS] = {
    /*                              pause resume cancel picked done broken */
    [IMS_FACE_SESSION_PENDING]    = { NO,  NO,  CAN, PRO, NO,  FAI },
    [IMS_FACE_SESSION_PROCESSING] = { PAU, NO,  CAN, PRO, COM, FAI },
    [IMS_FACE_SESSION_PAUSED]     = { NO,  PRO, CAN, NO,  NO,  NO },
    [IMS_FACE_SESSION_COMPLETED]  = { NO,  NO,  NO,  NO,  NO,  NO },
    [IMS_FACE_SESSION_FAILED]     = { NO,  NO,  NO,  NO,  NO,  NO },
    [IMS_FACE_SESSION_CANCELLED]  = { NO,  NO,  NO,  NO,  NO,  NO },
};
/* clang-format on */

const char *ims_face_session_status_name(ims_face_session_status status)
{
    return status_names[status];
}

const char *ims_face_session_event_name(ims_face_session_event event)
{
    return event_names[event];
}

bool ims_face_session_status_read(const char *name, ims_face_session_status *out)
{
    for (int i = 0; name && i < IMS_FACE_SESSION_N_STATUSES; i++) {
        if (strcmp(status_names[i], name) == 0) {
            *out = (ims_face_session_status)i;
            return true;
        }
    }
    return false;
}

bool ims_face_session_next(ims_face_session_status from, ims_face_session_event event, ims_face_session_status *out)
{
    int next = next_status[from][event];

    if (next == NO)
        return false;
    *out = (ims_face_session_status)next;
    return true;
}

bool ims_face_session_is_report(ims_face_session_event event)
{
    return event == IMS_FACE_SESSION_PICKED || event == IMS_FACE_SESSION_DONE || event == IMS_FACE_SESSION_BROKEN;
}

bool ims_face_session_is_over(ims_face_session_status status)
{
    return status == IMS_FACE_SESSION_COMPLETED || status == IMS_FACE_SESSION_FAILED ||
           status == IMS_FACE_SESSION_CANCELLED;
}
