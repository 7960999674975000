/* The last lines that a runtime or a driver wrote, in bounded memory. Thread-safe after init.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_LOG_RING_H
#define IMS_COMPUTE_LOG_RING_H

#include "base/thread.h"

#include <stddef.h>

#define IMS_LOG_RING_LINES 64
#define IMS_LOG_RING_LINE_BYTES 480

struct ims_log_ring {
    struct ims_lock lock;
    unsigned next;  /* where the next line goes */
    unsigned count; /* lines held */
    char lines[IMS_LOG_RING_LINES][IMS_LOG_RING_LINE_BYTES];
};

/* One line, cut to fit; line ends inside it become spaces. The lock is the owner's to init. */
void ims__log_ring_addf(struct ims_log_ring *r, const char *fmt, ...) IMS_PRINTF(2, 3);
/* Oldest first, one a line, whole lines only; bytes written, without the NUL. size >= 1. */
size_t ims__log_ring_tail(struct ims_log_ring *r, char *out, size_t size);

#endif
