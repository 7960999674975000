/* Files: read whole, map, replace atomically, make folders. Thread-safe.
 *
 * errno becomes IMS_E_NOT_FOUND (ENOENT, ENOTDIR), IMS_E_PERMISSION (EACCES, EPERM), IMS_E_NO_SPACE
 * (ENOSPC, EDQUOT), IMS_E_NOMEM, else IMS_E_IO. Messages show the display form of the path.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_FS_H
#define IMS_BASE_FS_H

#include "base/buf.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

ims_status ims__errno_status(int e);

struct ims_file_info {
    uint64_t size_bytes;
    int64_t mtime_us;
    uint64_t device;
    uint64_t inode;
    bool is_regular;
    bool is_dir;
    bool is_symlink; /* only from ims__stat with follow == false */
};
ims_status ims__stat(const char *path, bool follow, struct ims_file_info *out, ims_err *err) IMS_MUST_CHECK;

/* Reads a regular file into *out (new buffer, ims__buf_release). Never blocks on a FIFO or device:
 * what is not a regular file is IMS_E_UNSUPPORTED; larger than max_bytes is IMS_E_LIMIT.
 * out_info may be NULL; it describes the very file that was read (fstat). */
ims_status ims__read_file(const char *path, size_t max_bytes, struct ims_buf *out,
                          struct ims_file_info *out_info, ims_err *err) IMS_MUST_CHECK;

struct ims_map {
    const uint8_t *data; /* NULL when size_bytes is 0 */
    size_t size_bytes;
};
ims_status ims__map_open(struct ims_map *out, const char *path, ims_err *err) IMS_MUST_CHECK;
void ims__map_close(struct ims_map *m);

/* Writes a temporary file beside path, syncs it, renames it over path: the old or the new content is
 * there, never a mixture. Permissions follow the umask. A device or a pipe is not replaced but written to. */
ims_status ims__write_file(const char *path, const void *p, size_t n, ims_err *err) IMS_MUST_CHECK;
/* The same for data that can be made again: not synced, and the folder is created when it is missing. */
ims_status ims__write_derived(const char *path, const void *p, size_t n, ims_err *err) IMS_MUST_CHECK;
ims_status ims__mkdir_p(const char *path, ims_err *err) IMS_MUST_CHECK;
/* dir + "/" + name in a new string (ims__free); NULL when memory is short. */
char *ims__path_join(const char *dir, const char *name);
/* Absolute, without links, "." and ".."; new string. The file must exist. */
ims_status ims__real_path(const char *path, char **out, ims_err *err) IMS_MUST_CHECK;
const char *ims__path_base(const char *path); /* after the last '/' */
/* Is path the folder dir or below it? Both absolute, without trailing slash (except "/"). Looks at names only. */
bool ims__path_is_in(const char *path, const char *dir);

#endif
