/* Changes below a folder by looking again and again, where the system does not tell.
 *
 * Kept are a path and 8 bytes for each folder that holds pictures: a hash over names, sizes and times. A folder that
 * changed is reported when two looks in a row find the same: what is still being written is left alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_WATCH_POLL_H
#define IMS_ENGINE_WATCH_POLL_H

#include "engine/watch_events.h"

struct ims_poll;

ims_status ims__poll_open(struct ims_poll **out, const char *root, const struct ims_watch_sink *sink, ims_err *err)
    IMS_MUST_CHECK;
void ims__poll_close(struct ims_poll *p);
/* Looks at the whole tree; the first look only remembers. What cannot be read stays as it was. */
ims_status ims__poll_look(struct ims_poll *p, ims_err *err) IMS_MUST_CHECK;
/* Looks once more at the folders that had changed and reports those that are the same now. *out_n: how many still are
 * not. */
ims_status ims__poll_settle(struct ims_poll *p, size_t *out_n, ims_err *err) IMS_MUST_CHECK;
size_t ims__poll_n_unsettled(const struct ims_poll *p);

#endif
