/* Catches what ONNX Runtime logs in a ring, for error messages and doctor.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

static const char severity_letters[] = "VIWEF";

void ims__ort_log_write(void *param, int severity, const char *category, const char *log_id,
                        const char *location, const char *message)
{
    (void)category;
    ims__log_ring_addf(param, "%c %.32s %.300s (%.80s)",
                       severity >= 0 && severity < 5 ? severity_letters[severity] : '?',
                       log_id ? log_id : "", message ? message : "", location ? location : "");
}
