/* The ring of log lines.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/log_ring.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ims__log_ring_addf(struct ims_log_ring *r, const char *fmt, ...)
{
    va_list args;
    char *line;

    ims__lock(&r->lock);
    line = r->lines[r->next];
    va_start(args, fmt);
    vsnprintf(line, IMS_LOG_RING_LINE_BYTES, fmt, args);
    va_end(args);
    for (char *c = line; *c; c++) {
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    }
    r->next = (r->next + 1) % IMS_LOG_RING_LINES;
    if (r->count < IMS_LOG_RING_LINES)
        r->count++;
    ims__unlock(&r->lock);
}

size_t ims__log_ring_tail(struct ims_log_ring *r, char *out, size_t size)
{
    size_t n = 0;
    unsigned first;

    ims__lock(&r->lock);
    first = (r->next + IMS_LOG_RING_LINES - r->count) % IMS_LOG_RING_LINES;
    for (unsigned i = 0; i < r->count; i++) {
        const char *line = r->lines[(first + i) % IMS_LOG_RING_LINES];
        size_t len = strlen(line);

        if (n + len + 2 > size)
            break;
        memcpy(out + n, line, len);
        out[n + len] = '\n';
        n += len + 1;
    }
    out[n] = '\0';
    ims__unlock(&r->lock);
    return n;
}
