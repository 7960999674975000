/* Catches what ONNX Runtime logs in a ring, for error messages and doctor.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

#include <stdio.h>
#include <string.h>

static const char severity_letters[] = "VIWEF";

void ims__ort_log_write(void *param, int severity, const char *category, const char *log_id,
                        const char *location, const char *message)
{
    struct ort_log *log = param;
    char *line;

    (void)category;
    ims__lock(&log->lock);
    line = log->lines[log->next];
    snprintf(line, ORT_LOG_LINE_BYTES, "%c %.32s %.300s (%.80s)",
             severity >= 0 && severity < 5 ? severity_letters[severity] : '?', log_id ? log_id : "",
             message ? message : "", location ? location : "");
    for (char *c = line; *c; c++) {
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    }
    log->next = (log->next + 1) % ORT_LOG_LINES;
    if (log->count < ORT_LOG_LINES)
        log->count++;
    ims__unlock(&log->lock);
}

size_t ims__ort_log_tail(struct ort_log *log, char *out, size_t size)
{
    size_t n = 0;
    unsigned first;

    ims__lock(&log->lock);
    first = (log->next + ORT_LOG_LINES - log->count) % ORT_LOG_LINES;
    for (unsigned i = 0; i < log->count; i++) {
        const char *line = log->lines[(first + i) % ORT_LOG_LINES];
        size_t len = strlen(line);

        if (n + len + 2 > size)
            break;
        memcpy(out + n, line, len);
        out[n + len] = '\n';
        n += len + 1;
    }
    out[n] = '\0';
    ims__unlock(&log->lock);
    return n;
}
