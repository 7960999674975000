/* Ingest, first part: the walk that registers pictures, and the feed that hands out what is queued.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "engine/ingest.h"
#include "engine/walk.h"

#include <string.h>

#define SCAN_BATCH 256 /* files per transaction of the walk */
#define FEED_PAGE 256  /* queued items read at a time */
#define POLL_MS 20

/* ---- walk ---- */

struct scan {
    struct ims_ingest *g;
    struct ims_store *store;
    struct ims_store_scan scan;
    struct ims_arena paths; /* of the batch */
    struct ims_store_file files[SCAN_BATCH];
    size_t n;
    struct ims_arena failed_paths;
    const char **failed_dirs;
    size_t n_failed_dirs, failed_cap;
};

static ims_status flush_scan(struct scan *s, ims_err *err)
{
    struct ims_ingest *g = s->g;
    ims_status st;

    if (s->n == 0)
        return IMS_OK;
    st = ims_store_scan_files(s->store, &s->scan, s->files, s->n, err);
    for (size_t i = 0; !st && i < s->n; i++) {
        g->found++;
        g->fresh += s->files[i].verdict == IMS_STORE_FILE_NEW;
        if (s->files[i].verdict == IMS_STORE_FILE_DONE)
            g->unchanged++;
        else if (s->files[i].verdict == IMS_STORE_FILE_FAILED)
            g->known_failures++;
        else
            g->total++;
    }
    s->n = 0;
    ims__arena_release(&s->paths);
    return st;
}

static ims_status on_file(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    struct scan *s = arg;
    char *copy = ims__arena_strndup(&s->paths, path, strlen(path));

    if (!copy)
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "walking");
    s->files[s->n++] = (struct ims_store_file){ .path = copy, .size_bytes = size_bytes, .mtime_us = mtime_us };
    return s->n == SCAN_BATCH ? flush_scan(s, err) : IMS_OK;
}

static void on_odd(void *arg, const char *path, const char *what)
{
    struct scan *s = arg;

    s->g->scan.skipped_other++;
    ims__ingest_note(s->g, path, "not_a_file", what);
}

/* What is below this folder counts as seen. */
static ims_status keep_below(struct scan *s, const char *path, ims_err *err)
{
    char *copy = ims__arena_strndup(&s->failed_paths, path, strlen(path));

    if (!copy || !ims__grow((void **)&s->failed_dirs, &s->failed_cap, s->n_failed_dirs,
                            sizeof(*s->failed_dirs), (size_t)1 << 20))
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "walking");
    s->failed_dirs[s->n_failed_dirs++] = copy;
    return IMS_OK;
}

static ims_status on_failed_dir(void *arg, const char *path, const ims_err *why, ims_err *err)
{
    struct scan *s = arg;

    ims__ingest_note(s->g, path, "folder_unreadable", why->text);
    return keep_below(s, path, err);
}

static ims_status on_subdir(void *arg, const char *path, ims_err *err)
{
    return keep_below(arg, path, err);
}

static bool is_stopped(void *arg)
{
    struct ims_ingest *g = ((struct scan *)arg)->g;

    if (g->until_ns && ims__mono_ns() > g->until_ns)
        g->stop = true;
    return ims__ingest_is_ending(g);
}

/* A folder inside a known root belongs to that root; any other becomes one. */
static ims_status find_root(struct scan *s, const char *dir, int64_t *out, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_root *roots;
    size_t n, best = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    *out = 0;
    st = ims_store_roots(s->store, &arena, &roots, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        size_t len = strlen(roots[i].path);

        if (len > best && ims__path_is_in(dir, roots[i].path)) {
            best = len;
            *out = roots[i].id;
        }
    }
    ims__arena_release(&arena);
    if (!st && !*out)
        st = ims_store_add_root(s->store, dir, out, err);
    return st;
}

/* What is in an ignored folder is not gone: nobody looked. */
static ims_status keep_ignored(struct scan *s, const char *dir, ims_err *err)
{
    const struct ims_walk_filter *f = &s->g->filter;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < f->n_ignored; i++) {
        if (ims__path_is_in(f->ignored[i], dir))
            st = keep_below(s, f->ignored[i], err);
    }
    return st;
}

static ims_status scan_dir(struct scan *s, const char *dir, bool is_shallow, ims_err *err)
{
    struct ims_ingest *g = s->g;
    struct ims_walk_sink sink = { .arg = s,
                                  .on_file = on_file,
                                  .on_odd = on_odd,
                                  .on_failed_dir = on_failed_dir,
                                  .is_stopped = is_stopped,
                                  .on_subdir = is_shallow ? on_subdir : NULL,
                                  .filter = &g->filter };
    struct ims_walk_counts counts = { 0 };
    struct ims_store_scan_result result;
    int64_t root_id;
    ims_status st;

    if (ims__walk_is_ignored(&g->filter, dir))
        return IMS_OK;
    s->n_failed_dirs = 0;
    st = find_root(s, dir, &root_id, err);
    if (!st)
        st = ims_store_scan_begin(s->store, root_id, g->tasks, g->n_tasks, g->category_id, &s->scan,
                                  err);
    if (!st)
        st = ims__walk(dir, &sink, &counts, err);
    if (!st)
        st = flush_scan(s, err);
    g->scan.skipped_links += counts.links;
    g->scan.skipped_other += counts.others;
    g->scan.failed_folders += counts.failed_dirs;
    /* A walk that leaves files out cannot tell which are gone. */
    if (st || g->filter.n_suffixes)
        return st;
    st = keep_ignored(s, dir, err);
    if (!st)
        st = ims_store_scan_end(s->store, &s->scan, dir, s->failed_dirs, s->n_failed_dirs, &result, err);
    if (!st) {
        g->scan.deleted += (uint64_t)result.n_deleted;
        g->scan.moved += (uint64_t)result.n_moved;
    }
    return st;
}

/* What the library knows already, without a look at the folders. */
static ims_status register_known(struct ims_ingest *g, struct ims_store *store, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < g->n_dirs; i++) {
        const struct ims_store_filter below = { .path_prefix = g->dirs[i] };
        struct ims_store_asset *none;
        struct ims_arena arena;
        int64_t n = 0;
        size_t n_none;

        for (size_t t = 0; !st && t < g->n_tasks; t++)
            st = ims_store_queue_missing(store, g->tasks[t].name, g->tasks[t].model_id, g->dirs[i], NULL,
                                         err);
        ims__arena_init(&arena, 0);
        if (!st)
            st = ims_store_list_assets(store, &below, 0, 0, &arena, &none, &n_none, &n, err);
        ims__arena_release(&arena);
        g->found += (uint64_t)n;
    }
    return st;
}

void ims__ingest_scan(void *arg)
{
    struct ims_ingest *g = arg;
    struct scan *s = ims__zalloc(1, sizeof(*s));
    uint64_t cpu = ims__thread_cpu_ns();
    ims_err err;
    ims_status st = IMS_OK;

    if (!s) {
        st = ims_fail(&err, IMS_E_NOMEM, "ingest", 0, "walking");
        goto out;
    }
    s->g = g;
    ims__arena_init(&s->paths, 0);
    ims__arena_init(&s->failed_paths, 0);
    st = ims_store_open(&s->store, g->e->database, NULL, &err);
    if (!st && g->is_without_walk)
        st = register_known(g, s->store, &err);
    for (size_t i = 0; !st && !g->is_without_walk && i < g->n_dirs; i++)
        st = scan_dir(s, g->dirs[i], false, &err);
    for (size_t i = 0; !st && i < g->n_folders; i++)
        st = scan_dir(s, g->folders[i], true, &err);
    ims_store_close(s->store);
    ims__arena_release(&s->paths);
    ims__arena_release(&s->failed_paths);
    ims__free(s->failed_dirs);
    ims__free(s);
out:
    if (st && st != IMS_E_CANCELLED)
        ims__ingest_fatal(g, st, &err);
    g->walk.cpu_ns += ims__thread_cpu_ns() - cpu;
    g->is_scanned = true;
}

/* ---- feed ---- */

/* The queue may hold work of other folders, left by an earlier run: not ours now. */
static bool is_wanted(const struct ims_ingest *g, const char *path)
{
    if (!ims__walk_has_suffix(&g->filter, path))
        return false;
    for (size_t i = 0; i < g->n_dirs; i++) {
        if (ims__path_is_in(path, g->dirs[i]))
            return true;
    }
    for (size_t i = 0; i < g->n_folders; i++) {
        size_t n = strlen(g->folders[i]);

        if (ims__path_is_in(path, g->folders[i]) && !strchr(path + n + (n > 1), '/'))
            return true;
    }
    return false;
}

static ims_status feed_item(struct ims_ingest *g, const struct ims_store_todo *todo, ims_err *err)
{
    struct ims_job *j = ims__zalloc(1, sizeof(*j));

    if (j) {
        j->asset_id = todo->asset_id;
        j->content_id = todo->content_id;
        j->is_clip_due = g->has_clip && (todo->due & 1);
        j->is_faces_due = g->has_faces && (todo->due >> (g->n_tasks - 1) & 1); /* the last task */
        j->root_id = todo->root_id;
        j->size_bytes = todo->size_bytes;
        j->mtime_us = todo->mtime_us;
        j->path = ims__strdup(todo->path);
    }
    if (!j || !j->path) {
        ims__job_free(j);
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "reading the queue");
    }
    g->fed++;
    g->coming++;
    if (!ims__chan_push(g->to_read, j)) {
        ims__job_free(j);
        return IMS_E_CANCELLED;
    }
    return IMS_OK;
}

/* One page from above *after; *out_n is what the page held. */
static ims_status feed_page(struct ims_ingest *g, struct ims_store *store, int64_t *after, size_t *out_n,
                            ims_err *err)
{
    struct ims_store_todo *todo;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_queued(store, g->tasks, g->n_tasks, *after, FEED_PAGE, &arena, &todo, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        *after = todo[i].asset_id;
        if (ims__ingest_is_ending(g))
            st = IMS_E_CANCELLED;
        else if (is_wanted(g, todo[i].path))
            st = feed_item(g, &todo[i], err);
    }
    ims__arena_release(&arena);
    *out_n = n;
    return st;
}

/* Before the second pass, which takes what the walk queued behind the first pass's place (files that had
 * changed have small ids): when everything handed out is committed, nothing queued is in flight. */
static void wait_until_idle(struct ims_ingest *g)
{
    ims__lock(&g->lock);
    while (g->settled < g->fed && !ims__ingest_is_ending(g))
        ims__cond_wait(&g->changed, &g->lock, POLL_MS);
    ims__unlock(&g->lock);
}

static void wait_until_scanned(struct ims_ingest *g)
{
    ims__lock(&g->lock);
    while (!g->is_scanned && !ims__ingest_is_ending(g))
        ims__cond_wait(&g->changed, &g->lock, POLL_MS);
    ims__unlock(&g->lock);
}

static ims_status feed_all(struct ims_ingest *g, struct ims_store *store, ims_err *err)
{
    bool is_second_pass = false;
    int64_t after = 0;
    ims_status st = IMS_OK;

    while (!st) {
        bool was_scanned = g->is_scanned; /* read before the page: an empty page after it is the end */
        size_t n = 0;

        st = feed_page(g, store, &after, &n, err);
        if (st || n > 0)
            continue;
        if (!was_scanned) {
            ims__lock(&g->lock);
            ims__cond_wait(&g->changed, &g->lock, POLL_MS);
            ims__unlock(&g->lock);
            continue;
        }
        if (is_second_pass)
            break;
        is_second_pass = true;
        wait_until_idle(g);
        after = 0;
    }
    return st;
}

void ims__ingest_feed(void *arg)
{
    struct ims_ingest *g = arg;
    struct ims_store *store = NULL;
    uint64_t cpu = ims__thread_cpu_ns();
    ims_err err;
    ims_status st = ims_store_open(&store, g->e->database, NULL, &err);

    if (!st && g->options->is_register_only)
        wait_until_scanned(g);
    else if (!st)
        st = feed_all(g, store, &err);
    if (st && st != IMS_E_CANCELLED)
        ims__ingest_fatal(g, st, &err);
    ims_store_close(store);
    g->walk.cpu_ns += ims__thread_cpu_ns() - cpu;
    ims__chan_close(g->to_read);
}
