/* One file from the hub to the disk: a partial file that grows over attempts and runs, then a check, then
 * its name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/fetch_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORIGIN "fetch"
#define PART ".part"
#define ETAG ".part.etag"
#define MAX_ETAG_BYTES 256

struct file_fetch {
    struct ims_fetch *f;
    const char *url, *path;
    const struct ims_fetch_meta *want;
    char *part, *etag_path;
    int fd;
    uint64_t at;       /* bytes of the partial file that stand */
    uint64_t best;     /* the most that stood after any attempt: only more than that is progress */
    uint64_t total;    /* of the whole file; 0 = not known */
    char etag[160];    /* that the partial file belongs to; "" = not known */
    bool is_body;      /* the response at hand is the file, not a redirect's text */
    bool must_restart; /* the server cannot go on from where we are */
};

static ims_status fail_errno(const struct file_fetch *t, const char *verb, ims_err *err)
{
    int e = errno;

    if (ims__errno_status(e) == IMS_E_NO_SPACE)
        return ims_fail(
            err, IMS_E_NO_SPACE, ORIGIN, e,
            "no space left for %.300s; the %llu bytes that arrived are kept for the next try",
            t->path, (unsigned long long)t->at);
    return ims_fail(err, ims__errno_status(e), ORIGIN, e, "%s %.300s: %s", verb, t->part,
                    strerror(e));
}

/* ---- the partial file ---- */

static ims_status start_anew(struct file_fetch *t, ims_err *err)
{
    if (ftruncate(t->fd, 0) != 0 || lseek(t->fd, 0, SEEK_SET) != 0)
        return fail_errno(t, "writing", err);
    t->at = 0;
    (void)unlink(t->etag_path);
    return IMS_OK;
}

static void read_etag(struct file_fetch *t)
{
    struct ims_buf text;

    t->etag[0] = '\0';
    if (ims__read_file(t->etag_path, MAX_ETAG_BYTES, &text, NULL, NULL))
        return;
    if (text.len < sizeof(t->etag) && text.len > 1 && text.data[0] == '"' &&
        !strpbrk(text.data, "\r\n"))
        memcpy(t->etag, text.data, text.len + 1);
    ims__buf_release(&text);
}

/* What is there may go on when the server can tell that it is still the same file, or the sum will. */
static ims_status open_part(struct file_fetch *t, ims_err *err)
{
    struct stat s;

    t->fd = open(t->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (t->fd < 0 || fstat(t->fd, &s) != 0)
        return fail_errno(t, "opening", err);
    if (!S_ISREG(s.st_mode))
        return ims_fail(err, IMS_E_EXISTS, ORIGIN, 0, "%.400s is not a file", t->part);
    t->at = (uint64_t)s.st_size;
    read_etag(t);
    if (t->at && ((!t->etag[0] && !t->want->sha256[0]) ||
                  (t->want->has_size && t->at > t->want->size_bytes)))
        return start_anew(t, err);
    if (lseek(t->fd, 0, SEEK_END) < 0)
        return fail_errno(t, "writing", err);
    return IMS_OK;
}

/* ---- the response ---- */

static ims_status check_length(struct file_fetch *t, uint64_t total, ims_err *err)
{
    if (t->want->has_size && total != t->want->size_bytes)
        return ims_fail(err, IMS_E_CORRUPT, ORIGIN, 0,
                        "%.200s: the server has %llu bytes of it, expected %llu", t->url,
                        (unsigned long long)total, (unsigned long long)t->want->size_bytes);
    t->total = total;
    return IMS_OK;
}

static ims_status begin_whole(struct file_fetch *t, const struct ims_http_head *h, ims_err *err)
{
    ims_status st = start_anew(t, err);

    if (!st && h->has_length)
        st = check_length(t, h->length, err);
    if (!st && h->etag[0])
        st = ims__write_file(t->etag_path, h->etag, strlen(h->etag), err);
    return st;
}

static ims_status on_head(void *arg, const struct ims_http_head *h, ims_err *err)
{
    struct file_fetch *t = arg;
    ims_status st;

    t->is_body = !ims__http_is_redirect(h->status);
    if (!t->is_body)
        return IMS_OK;
    t->f->retry_after_s = h->retry_after_s;
    t->must_restart =
        t->at > 0 && (h->status == 416 || (h->status == 206 && h->range_start != t->at));
    if (t->must_restart)
        return ims_fail(err, IMS_E_IO, ORIGIN, 0, "%.300s cannot be gone on with", t->url);
    st = ims__fetch_refuse(h, t->url, err);
    if (st)
        return st;
    if (h->status == 200)
        return begin_whole(t, h, err);
    if (!h->has_range || t->at == 0)
        return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                        "%.300s: a part was sent that was not asked for", t->url);
    return h->range_total ? check_length(t, h->range_total, err) : IMS_OK;
}

static ims_status on_bytes(void *arg, const void *p, size_t n, ims_err *err)
{
    struct file_fetch *t = arg;
    const char *from = p;
    uint64_t most = t->want->has_size ? t->want->size_bytes : IMS_MAX_MODEL_FILE_BYTES;

    if (!t->is_body)
        return IMS_OK;
    if (n > most - t->at)
        return ims_fail(err, t->want->has_size ? IMS_E_CORRUPT : IMS_E_LIMIT, ORIGIN, 0,
                        "%.300s sends more than %llu bytes", t->url, (unsigned long long)most);
    while (n > 0) {
        ssize_t k = write(t->fd, from, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return fail_errno(t, "writing", err);
        from += k;
        n -= (size_t)k;
        t->at += (uint64_t)k;
    }
    return IMS_OK;
}

static bool on_tick(void *arg)
{
    struct file_fetch *t = arg;
    struct ims_fetch_options *o = &t->f->options;

    return !o->on_progress ||
           o->on_progress(o->arg, t->at, t->want->has_size ? t->want->size_bytes : t->total);
}

static ims_status transfer(struct file_fetch *t, ims_err *err)
{
    struct ims_http_request r = { .url = t->url,
                                  .from_byte = t->at,
                                  .if_range = t->etag,
                                  .stall_s = t->f->options.stall_s,
                                  .on_head = on_head,
                                  .on_bytes = on_bytes,
                                  .on_tick = on_tick,
                                  .arg = t };
    struct ims_http_head head;
    char *url = NULL;
    ims_status st = ims__fetch_follow(t->f, &r, &head, &url, err);

    ims__free(url);
    return st;
}

static ims_status file_once(struct ims_fetch *f, void *arg, ims_err *err)
{
    struct file_fetch *t = arg;
    ims_status st;

    t->total = 0;
    t->must_restart = false;
    st = open_part(t, err);
    if (!st && !(t->want->has_size && t->at == t->want->size_bytes && t->at > 0)) {
        st = transfer(t, err);
        if (t->must_restart) {
            st = start_anew(t, err);
            t->etag[0] = '\0';
            if (!st)
                st = transfer(t, err);
        }
    }
    f->has_progress = t->at > t->best;
    t->best = t->at > t->best ? t->at : t->best;
    if (!st && fsync(t->fd) != 0)
        st = fail_errno(t, "writing", err);
    if (t->fd >= 0 && close(t->fd) != 0 && !st)
        st = fail_errno(t, "writing", err);
    t->fd = -1;
    if (!st && t->want->has_size && t->at < t->want->size_bytes)
        st = ims_fail(err, IMS_E_TRUNCATED, ORIGIN, 0, "%.300s ended after %llu of %llu bytes",
                      t->url, (unsigned long long)t->at, (unsigned long long)t->want->size_bytes);
    return st;
}

ims_status ims__fetch_file(struct ims_fetch *f, const char *url, const char *path,
                           const struct ims_fetch_meta *want, ims_err *err)
{
    struct file_fetch t = { .f = f, .url = url, .path = path, .want = want, .fd = -1 };
    ims_status st;

    t.part = ims__strfmt("%s" PART, path);
    t.etag_path = ims__strfmt("%s" ETAG, path);
    if (!t.part || !t.etag_path) {
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "fetching %s", url);
        goto out;
    }
    st = ims__fetch_try(f, file_once, &t, err);
    if (!st)
        st = ims__fetch_check(t.part, want, err);
    if (st == IMS_E_CORRUPT) {
        (void)unlink(t.part);
        (void)unlink(t.etag_path);
        st = ims_fail_in(err, st, "%.150s", url);
    }
    if (!st && rename(t.part, path) != 0)
        st = fail_errno(&t, "naming", err);
    if (!st)
        (void)unlink(t.etag_path);
out:
    ims__free(t.part);
    ims__free(t.etag_path);
    return st;
}

/* ---- checking ---- */

static ims_status check_sha256(const struct ims_map *map, const char *want, ims_err *err)
{
    uint8_t sum[IMS_SHA256_BYTES];
    char hex[IMS_SHA256_HEX];
    ims_status st =
        ims__sha256(map->data ? map->data : (const uint8_t *)"", map->size_bytes, sum, err);

    if (st)
        return st;
    ims__hex(sum, sizeof(sum), hex);
    if (ims__strcasecmp_ascii(hex, want) != 0)
        return ims_fail(err, IMS_E_CORRUPT, ORIGIN, 0, "wrong sum: SHA-256 is %s, expected %.64s",
                        hex, want);
    return IMS_OK;
}

static ims_status check_git_sha1(const struct ims_map *map, const char *want, ims_err *err)
{
    uint8_t sum[IMS_SHA1_BYTES];
    char hex[2 * IMS_SHA1_BYTES + 1];
    ims_status st = ims__git_blob_sha1(map->data, map->size_bytes, sum, err);

    if (st)
        return st;
    ims__hex(sum, sizeof(sum), hex);
    if (strcmp(hex, want) != 0)
        return ims_fail(err, IMS_E_CORRUPT, ORIGIN, 0,
                        "wrong sum: its Git object is %s, expected %.40s", hex, want);
    return IMS_OK;
}

ims_status ims__fetch_check(const char *path, const struct ims_fetch_meta *want, ims_err *err)
{
    struct ims_map map;
    ims_status st = ims__map_open(&map, path, err);

    if (st)
        return st;
    if (want->has_size && map.size_bytes != want->size_bytes)
        st = ims_fail(err, IMS_E_CORRUPT, ORIGIN, 0, "wrong size: %zu bytes, expected %llu",
                      map.size_bytes, (unsigned long long)want->size_bytes);
    if (!st && want->sha256[0])
        st = check_sha256(&map, want->sha256, err);
    else if (!st && want->git_sha1[0])
        st = check_git_sha1(&map, want->git_sha1, err);
    ims__map_close(&map);
    return st;
}
