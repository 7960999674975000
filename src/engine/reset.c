/* Emptying a library: its rows, then the small pictures that were made of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "engine/engine_internal.h"
#include "engine/lock_file.h"
#include "engine/walk.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static ims_status on_thumb(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    (void)arg;
    (void)size_bytes;
    (void)mtime_us;
    return unlink(path) == 0 || errno == ENOENT
               ? IMS_OK
               : ims_fail(err, ims__errno_status(errno), "engine", errno, "removing a thumbnail: %s", strerror(errno));
}

static void on_odd(void *arg, const char *path, const char *what)
{
    (void)arg;
    (void)path;
    (void)what;
}

static ims_status on_failed_dir(void *arg, const char *path, const ims_err *why, ims_err *err)
{
    (void)arg;
    (void)path;
    return ims_fail(err, why->status, "engine", why->native, "%s", why->text);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static ims_status remove_thumbs(const char *data_dir, const char *name, ims_err *err)
{
    const struct ims_walk_sink sink = {
        .on_file = on_thumb, .on_odd = on_odd, .on_failed_dir = on_failed_dir, .is_stopped = never
    };
    char *named = ims__path_join(data_dir, name), *dir = NULL;
    struct ims_walk_counts counts = { 0 };
    ims_status st = named ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "removing thumbnails");

    if (!st && ims__real_path(named, &dir, NULL) == IMS_OK) /* else none was ever stored */
        st = ims__walk(dir, &sink, &counts, err);
    ims__free(named);
    ims__free(dir);
    return st;
}

ims_status ims_engine_delete_all(struct ims_engine *e, const char *reason, struct ims_store_reset *out, ims_err *err)
{
    struct ims_lock_file *lock = NULL;
    ims_status st = ims__lock_file_take(&lock, e->options.data_dir, "index.lock", err);

    if (!st)
        st = ims_store_reset(e->store, reason, out, err);
    if (!st)
        st = remove_thumbs(e->options.data_dir, "thumbs", err);
    if (!st)
        st = remove_thumbs(e->options.data_dir, "faces", err);
    ims__lock_file_release(lock);
    return st;
}
