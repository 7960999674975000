/* A lock between processes: held as long as the handle, gone with the process however it ends.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_LOCK_FILE_H
#define IMS_ENGINE_LOCK_FILE_H

#include "ims/status.h"

struct ims_lock_file;

/* IMS_E_BUSY names the process that holds it. */
ims_status ims__lock_file_take(struct ims_lock_file **out, const char *dir, const char *name, ims_err *err)
    IMS_MUST_CHECK;
void ims__lock_file_release(struct ims_lock_file *l);

#endif
