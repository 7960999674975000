/* Large derived files, written piece by piece: under the name PATH.partial until they are whole.
 *
 * One process at a time writes a file: the others wait for it. What a killed one left behind is
 * taken over, so at most one partial file is ever there. Not synced: after a loss of power a file
 * may be damaged, so its reader must be able to tell. One thread at a time per object.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_FS_PARTIAL_H
#define IMS_BASE_FS_PARTIAL_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_partial {
    char *path, *partial;
    int fd;
    bool has_waited; /* another process was at it: the file may be there now */
};

/* The folder is made when it is missing. Statuses are those of fs.h. */
ims_status ims__partial_open(struct ims_partial *out, const char *path,
                             ims_err *err) IMS_MUST_CHECK;
ims_status ims__partial_add(struct ims_partial *f, const void *p, size_t n,
                            ims_err *err) IMS_MUST_CHECK;
/* Bytes that were written before. */
ims_status ims__partial_patch(struct ims_partial *f, uint64_t at, const void *p, size_t n,
                              ims_err *err) IMS_MUST_CHECK;
/* Gives the file its name, in place of what had it. */
ims_status ims__partial_publish(struct ims_partial *f, ims_err *err) IMS_MUST_CHECK;
/* Removes what was not published, and lets go. Accepts a zeroed or published one. */
void ims__partial_drop(struct ims_partial *f);

#endif
