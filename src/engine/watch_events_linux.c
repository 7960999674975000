/* Changes below folders by inotify.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch_events.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MASK                                                                                                         \
    (IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | \
     IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)
#define MAX_FOLDERS ((size_t)1 << 24)
#define READ_BYTES 65536
#define MAX_READS 64 /* at a time: whoever reads has other things to do too */

struct folder {
    int wd;
    char *path;
    bool is_root;
};

struct ims_events {
    const struct ims_watch_sink *sink;
    int fd;
    struct folder *folders; /* by wd, which the kernel counts upwards: most are added at the end */
    size_t n, cap, max;
};

/* ---- the table ---- */

static size_t place_of(const struct ims_events *e, int wd)
{
    size_t from = 0, to = e->n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (e->folders[mid].wd < wd)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static struct folder *find(struct ims_events *e, int wd)
{
    size_t i = place_of(e, wd);

    return i < e->n && e->folders[i].wd == wd ? &e->folders[i] : NULL;
}

static void drop_at(struct ims_events *e, size_t i)
{
    ims__free(e->folders[i].path);
    e->n--;
    memmove(&e->folders[i], &e->folders[i + 1], (e->n - i) * sizeof(*e->folders));
}

static ims_status put(struct ims_events *e, int wd, const char *path, bool is_root, ims_err *err)
{
    char *copy = ims__strdup(path);
    struct folder *known = find(e, wd);
    size_t i;

    if (!copy || (!known && !ims__grow((void **)&e->folders, &e->cap, e->n, sizeof(*e->folders), MAX_FOLDERS))) {
        ims__free(copy);
        return ims_fail(err, IMS_E_NOMEM, "watch", 0, "watching a folder");
    }
    if (known) { /* the same folder under another name */
        ims__free(known->path);
        known->path = copy;
        known->is_root |= is_root;
        return IMS_OK;
    }
    i = place_of(e, wd);
    memmove(&e->folders[i + 1], &e->folders[i], (e->n - i) * sizeof(*e->folders));
    e->folders[i] = (struct folder){ .wd = wd, .path = copy, .is_root = is_root };
    e->n++;
    return IMS_OK;
}

/* ---- adding ---- */

static ims_status watch_one(struct ims_events *e, const char *path, bool is_root, ims_err *err)
{
    int wd = e->max && e->n >= e->max ? -1 : inotify_add_watch(e->fd, path, MASK);

    if (wd >= 0)
        return put(e, wd, path, is_root, err);
    if ((e->max && e->n >= e->max) || errno == ENOSPC)
        return ims_fail(err, IMS_E_LIMIT, "watch", ENOSPC, "the kernel gives no more than %zu watches to this user "
                        "(fs.inotify.max_user_watches)", e->n);
    return ims_fail(err, ims__errno_status(errno), "watch", errno, "%s", strerror(errno));
}

static bool is_folder(const char *path, unsigned char type)
{
    struct stat st;

    if (type != DT_UNKNOWN)
        return type == DT_DIR;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static ims_status watch_tree(struct ims_events *e, const char *path, unsigned depth, ims_err *err);

static ims_status watch_below(struct ims_events *e, const char *path, unsigned depth, ims_err *err)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    ims_status st = IMS_OK;

    if (!d)
        return IMS_OK; /* gone again, or not ours to read: there is nothing to hear of */
    while (!st && (entry = readdir(d)) != NULL) {
        char *child;

        if (ims__walk_is_passed_over(entry->d_name) || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        child = ims__path_join(path, entry->d_name);
        if (!child)
            st = ims_fail(err, IMS_E_NOMEM, "watch", 0, "watching a folder");
        else if (e->sink->is_stopped(e->sink->arg))
            st = ims_fail(err, IMS_E_CANCELLED, "watch", 0, "stopped");
        else if (is_folder(child, entry->d_type))
            st = watch_tree(e, child, depth + 1, err);
        ims__free(child);
    }
    closedir(d);
    return st;
}

/* The watch comes first: what appears while the folder is listed is told. */
static ims_status watch_tree(struct ims_events *e, const char *path, unsigned depth, ims_err *err)
{
    ims_status st = watch_one(e, path, depth == 0, err);

    if (st == IMS_E_NOMEM || st == IMS_E_LIMIT || (st && depth == 0))
        return st;
    if (st || depth + 1 >= IMS_MAX_WALK_DEPTH)
        return IMS_OK;
    return watch_below(e, path, depth, err);
}

/* File systems whose changes may come from another machine; inotify tells only those of this one. */
static bool is_remote(const char *path)
{
    static const uint32_t magic[] = { 0x6969 /* nfs */, 0x517b /* smb */, 0xff534d42 /* cifs */, 0xfe534d42 /* smb2 */,
                                      0x65735546 /* fuse, virtiofs */, 0x01021997 /* 9p */, 0x00c36400 /* ceph */,
                                      0x6b414653 /* afs */, 0x5346414f /* afs of old */, 0x73757245 /* coda */,
                                      0x47504653 /* gpfs */, 0x0bd00bd0 /* lustre */ };
    struct statfs fs;

    if (statfs(path, &fs))
        return false;
    for (size_t i = 0; i < IMS_ARRAY_LEN(magic); i++) {
        if ((uint32_t)fs.f_type == magic[i])
            return true;
    }
    return false;
}

ims_status ims__events_add(struct ims_events *e, const char *root, ims_err *err)
{
    ims_status st;

    if (is_remote(root))
        return ims_fail(err, IMS_E_UNSUPPORTED, "watch", 0, "it is on a file system that other machines may change");
    st = watch_tree(e, root, 0, err);
    if (st)
        ims__events_remove(e, root);
    return st;
}

void ims__events_remove(struct ims_events *e, const char *root)
{
    for (size_t i = e->n; i-- > 0;) {
        if (ims__path_is_in(e->folders[i].path, root)) {
            (void)inotify_rm_watch(e->fd, e->folders[i].wd);
            drop_at(e, i);
        }
    }
}

/* ---- events ---- */

static void on_subfolder(struct ims_events *e, const char *parent, const char *path, uint32_t mask)
{
    ims_err err;

    if (mask & (IN_DELETE | IN_MOVED_FROM)) {
        ims__events_remove(e, path);
        e->sink->on_folder(e->sink->arg, parent, false);
    } else if (mask & (IN_CREATE | IN_MOVED_TO | IN_ATTRIB)) {
        if (watch_tree(e, path, 1, &err) == IMS_E_LIMIT)
            e->sink->on_full(e->sink->arg);
        e->sink->on_folder(e->sink->arg, path, true);
    }
}

/* A file that was made by opening it is closed one day; a link is not. */
static bool is_opened(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

static void on_picture(struct ims_events *e, const char *parent, const char *path, uint32_t mask)
{
    if (mask & (IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO))
        e->sink->on_file(e->sink->arg, path, false);
    else if ((mask & IN_MODIFY) || ((mask & IN_CREATE) && is_opened(path)))
        e->sink->on_file(e->sink->arg, path, true);
    e->sink->on_folder(e->sink->arg, parent, false);
}

static void on_event(struct ims_events *e, const struct inotify_event *ev, const char *name)
{
    struct folder *f = find(e, ev->wd);
    char *path;

    if (ev->mask & IN_Q_OVERFLOW) {
        e->sink->on_lost(e->sink->arg);
        return;
    }
    if (!f)
        return; /* of a folder that was moved away since */
    if (ev->mask & (IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF)) { /* of a subfolder, its parent tells */
        if (f->is_root)
            e->sink->on_away(e->sink->arg, f->path);
        return;
    }
    if (ev->mask & IN_IGNORED) {
        drop_at(e, place_of(e, ev->wd));
        return;
    }
    if (!*name || ((ev->mask & IN_ISDIR) ? ims__walk_is_passed_over(name) : !ims__walk_is_picture_name(name)))
        return;
    path = ims__path_join(f->path, name);
    if (!path)
        e->sink->on_lost(e->sink->arg);
    else if (ev->mask & IN_ISDIR)
        on_subfolder(e, f->path, path, ev->mask);
    else
        on_picture(e, f->path, path, ev->mask);
    ims__free(path);
}

void ims__events_take(struct ims_events *e, const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n >= sizeof(struct inotify_event)) {
        struct inotify_event ev;

        memcpy(&ev, p, sizeof(ev));
        if (ev.len > n - sizeof(ev) || (ev.len && p[sizeof(ev) + ev.len - 1])) {
            e->sink->on_lost(e->sink->arg);
            return;
        }
        on_event(e, &ev, ev.len ? p + sizeof(ev) : "");
        p += sizeof(ev) + ev.len;
        n -= sizeof(ev) + ev.len;
    }
}

ims_status ims__events_read(struct ims_events *e, ims_err *err)
{
    _Alignas(struct inotify_event) char bytes[READ_BYTES];
    ssize_t n = 1;

    for (int i = 0; i < MAX_READS && !e->sink->is_stopped(e->sink->arg) && (n = read(e->fd, bytes, sizeof(bytes))) > 0; i++)
        ims__events_take(e, bytes, (size_t)n);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return ims_fail(err, IMS_E_IO, "watch", errno, "inotify: %s", strerror(errno));
    return IMS_OK;
}

/* ---- life ---- */

ims_status ims__events_open(struct ims_events **out, size_t max_watches, const struct ims_watch_sink *sink, ims_err *err)
{
    struct ims_events *e = ims__zalloc(1, sizeof(*e));

    if (!e)
        return ims_fail(err, IMS_E_NOMEM, "watch", 0, "watching folders");
    e->sink = sink;
    e->max = max_watches;
    e->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (e->fd < 0) {
        int why = errno;

        ims__free(e);
        return ims_fail(err, why == EMFILE ? IMS_E_LIMIT : ims__errno_status(why), "watch", why,
                        "inotify: %s (fs.inotify.max_user_instances)", strerror(why));
    }
    *out = e;
    return IMS_OK;
}

void ims__events_close(struct ims_events *e)
{
    if (!e)
        return;
    close(e->fd); /* the kernel drops its watches */
    for (size_t i = 0; i < e->n; i++)
        ims__free(e->folders[i].path);
    ims__free(e->folders);
    ims__free(e);
}

int ims__events_fd(const struct ims_events *e)
{
    return e->fd;
}

size_t ims__events_n_folders(const struct ims_events *e)
{
    return e->n;
}
