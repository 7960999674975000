/* No events: this system is polled.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch_events.h"

ims_status ims__events_open(struct ims_events **out, size_t max_watches, const struct ims_watch_sink *sink, ims_err *err)
{
    (void)out;
    (void)max_watches;
    (void)sink;
    return ims_fail(err, IMS_E_UNSUPPORTED, "watch", 0, "this system is polled");
}

void ims__events_close(struct ims_events *e)
{
    (void)e;
}

int ims__events_fd(const struct ims_events *e)
{
    (void)e;
    return -1;
}

ims_status ims__events_add(struct ims_events *e, const char *root, ims_err *err)
{
    (void)e;
    (void)root;
    return ims_fail(err, IMS_E_UNSUPPORTED, "watch", 0, "this system is polled");
}

void ims__events_remove(struct ims_events *e, const char *root)
{
    (void)e;
    (void)root;
}

size_t ims__events_n_folders(const struct ims_events *e)
{
    (void)e;
    return 0;
}

ims_status ims__events_read(struct ims_events *e, ims_err *err)
{
    (void)e;
    (void)err;
    return IMS_OK;
}

void ims__events_take(struct ims_events *e, const void *bytes, size_t n)
{
    (void)e;
    (void)bytes;
    (void)n;
}
