/* Changes below a folder by looking again and again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/watch_poll.h"

#include "base/fs.h"
#include "base/mem.h"
#include "engine/walk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FOLDERS ((size_t)1 << 24)

struct record {
    char *path; /* a folder that directly holds pictures */
    uint64_t hash;
    bool is_unsettled;
};

struct records {
    struct record *at; /* by path, once complete */
    size_t n, cap;
};

struct ims_poll {
    const struct ims_watch_sink *sink;
    char *root;
    struct records known;
    size_t n_unsettled;
    bool has_looked;
};

/* One walk. Files of a folder come in between those of its subfolders, so a folder may have several records until the
 * end; their hashes are summed, which does not mind the order. */
struct look {
    struct ims_poll *poll;
    struct records found;
    char **failed; /* folders that could not be read */
    size_t n_failed, failed_cap;
};

static void release_records(struct records *r)
{
    for (size_t i = 0; i < r->n; i++)
        ims__free(r->at[i].path);
    ims__free(r->at);
    *r = (struct records){ .at = NULL };
}

static uint64_t mix(uint64_t h)
{
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u; /* splitmix64 */
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

static uint64_t hash_file(const char *name, int64_t size_bytes, int64_t mtime_us)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    return mix(h + mix((uint64_t)size_bytes + mix((uint64_t)mtime_us)));
}

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "watch", 0, "looking at folders");
}

static ims_status on_file(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    struct look *l = arg;
    const char *name = ims__path_base(path);
    size_t n = (size_t)(name - path) > 1 ? (size_t)(name - path) - 1 : 1;
    struct record *last = l->found.n ? &l->found.at[l->found.n - 1] : NULL;
    uint64_t hash = hash_file(name, size_bytes, mtime_us);

    if (last && strlen(last->path) == n && memcmp(last->path, path, n) == 0) {
        last->hash += hash;
        return IMS_OK;
    }
    if (!ims__grow((void **)&l->found.at, &l->found.cap, l->found.n, sizeof(*l->found.at), MAX_FOLDERS))
        return no_memory(err);
    last = &l->found.at[l->found.n];
    *last = (struct record){ .path = ims__strndup(path, n), .hash = hash };
    if (!last->path)
        return no_memory(err);
    l->found.n++;
    return IMS_OK;
}

static void on_odd(void *arg, const char *path, const char *what)
{
    (void)arg;
    (void)path;
    (void)what;
}

static ims_status on_failed_dir(void *arg, const char *path, const ims_err *why, ims_err *err)
{
    struct look *l = arg;

    (void)why;
    if (!ims__grow((void **)&l->failed, &l->failed_cap, l->n_failed, sizeof(*l->failed), MAX_FOLDERS))
        return no_memory(err);
    l->failed[l->n_failed] = ims__strdup(path);
    return l->failed[l->n_failed] ? (l->n_failed++, IMS_OK) : no_memory(err);
}

static ims_status on_subdir(void *arg, const char *path, ims_err *err)
{
    (void)arg;
    (void)path;
    (void)err;
    return IMS_OK;
}

static bool is_stopped(void *arg)
{
    const struct ims_watch_sink *sink = ((struct look *)arg)->poll->sink;

    return sink->is_stopped(sink->arg);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct record *)a)->path, ((const struct record *)b)->path);
}

/* Sorts the records and makes one of those of a folder. */
static void complete(struct records *r)
{
    size_t kept = 0;

    if (r->n)
        qsort(r->at, r->n, sizeof(*r->at), compare_paths);
    for (size_t i = 0; i < r->n; i++) {
        if (kept && strcmp(r->at[kept - 1].path, r->at[i].path) == 0) {
            r->at[kept - 1].hash += r->at[i].hash;
            ims__free(r->at[i].path);
        } else {
            r->at[kept++] = r->at[i];
        }
    }
    r->n = kept;
}

static ims_status walk(struct look *l, const char *dir, bool is_shallow, ims_err *err)
{
    const struct ims_walk_sink sink = { .arg = l,
                                        .on_file = on_file,
                                        .on_odd = on_odd,
                                        .on_failed_dir = on_failed_dir,
                                        .is_stopped = is_stopped,
                                        .on_subdir = is_shallow ? on_subdir : NULL };
    struct ims_walk_counts counts = { 0 };
    ims_status st = ims__walk(dir, &sink, &counts, err);

    if (!st)
        complete(&l->found);
    return st;
}

static void release_look(struct look *l)
{
    release_records(&l->found);
    for (size_t i = 0; i < l->n_failed; i++)
        ims__free(l->failed[i]);
    ims__free(l->failed);
}

/* ---- what changed ---- */

static bool is_unknown(const struct look *l, const char *path)
{
    for (size_t i = 0; i < l->n_failed; i++) {
        if (ims__path_is_in(path, l->failed[i]))
            return true;
    }
    return false;
}

/* A folder without pictures now: reported at once, there is nothing that could be half written. One that could not be
 * read is kept. */
static ims_status lose(struct look *l, struct record *old, ims_err *err)
{
    struct records *r = &l->found;

    if (!is_unknown(l, old->path)) {
        l->poll->sink->on_folder(l->poll->sink->arg, old->path, false);
        return IMS_OK;
    }
    if (!ims__grow((void **)&r->at, &r->cap, r->n, sizeof(*r->at), MAX_FOLDERS))
        return no_memory(err);
    r->at[r->n++] = *old;
    old->path = NULL; /* ours now */
    return IMS_OK;
}

static ims_status compare(struct look *l, ims_err *err)
{
    struct records *old = &l->poll->known;
    size_t n = l->found.n, i = 0;
    ims_status st = IMS_OK;

    for (size_t k = 0; !st && (k < old->n || i < n);) {
        int c = k == old->n ? 1 : i == n ? -1 : strcmp(old->at[k].path, l->found.at[i].path);

        if (c < 0) {
            st = lose(l, &old->at[k++], err);
            continue;
        }
        l->found.at[i].is_unsettled = c > 0 || old->at[k].is_unsettled || old->at[k].hash != l->found.at[i].hash;
        k += c == 0;
        i++;
    }
    if (!st && l->found.n > n)
        qsort(l->found.at, l->found.n, sizeof(*l->found.at), compare_paths);
    return st;
}

static void count_unsettled(struct ims_poll *p)
{
    p->n_unsettled = 0;
    for (size_t i = 0; i < p->known.n; i++)
        p->n_unsettled += p->known.at[i].is_unsettled;
}

ims_status ims__poll_look(struct ims_poll *p, ims_err *err)
{
    struct look l = { .poll = p };
    ims_status st = walk(&l, p->root, false, err);

    if (!st && p->has_looked)
        st = compare(&l, err);
    if (!st) {
        struct records before = p->known;

        p->known = l.found;
        l.found = before;
        p->has_looked = true;
        count_unsettled(p);
    }
    release_look(&l);
    return st;
}

/* The folder again; gone or empty it counts as changed for good. */
static ims_status settle(struct ims_poll *p, struct record *r, ims_err *err)
{
    struct look l = { .poll = p };
    ims_err why;
    ims_status st = walk(&l, r->path, true, &why);
    uint64_t hash = st || !l.found.n ? 0 : l.found.at[0].hash;

    release_look(&l);
    if (st == IMS_E_CANCELLED || st == IMS_E_NOMEM)
        return ims_fail(err, st, "watch", 0, "%s", why.text);
    r->is_unsettled = hash != r->hash;
    r->hash = hash;
    if (!r->is_unsettled)
        p->sink->on_folder(p->sink->arg, r->path, false);
    return IMS_OK;
}

ims_status ims__poll_settle(struct ims_poll *p, size_t *out_n, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < p->known.n; i++) {
        if (p->known.at[i].is_unsettled)
            st = settle(p, &p->known.at[i], err);
    }
    count_unsettled(p);
    *out_n = p->n_unsettled;
    return st;
}

size_t ims__poll_n_unsettled(const struct ims_poll *p)
{
    return p->n_unsettled;
}

/* ---- life ---- */

ims_status ims__poll_open(struct ims_poll **out, const char *root, const struct ims_watch_sink *sink, ims_err *err)
{
    struct ims_poll *p = ims__zalloc(1, sizeof(*p));

    if (p)
        p->root = ims__strdup(root);
    if (!p || !p->root) {
        ims__free(p);
        return no_memory(err);
    }
    p->sink = sink;
    *out = p;
    return IMS_OK;
}

void ims__poll_close(struct ims_poll *p)
{
    if (!p)
        return;
    release_records(&p->known);
    ims__free(p->root);
    ims__free(p);
}
