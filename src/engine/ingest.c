/* Ingest: sets the stages up, reports progress while they run, sums up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/ingest.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "engine/folders.h"
#include "engine/lock_file.h"

#include <stdio.h>
#include <string.h>

#define READ_AHEAD 256  /* jobs waiting to be read: paths only */
#define EMBED_AHEAD 2   /* batches of model pixels waiting */
#define WRITE_AHEAD 256 /* results waiting: vectors */
#define PROGRESS_MS 100
#define RATE_WINDOW 50 /* progress steps the rate is taken over: 5 seconds */

static void free_faces(struct ims_job_faces *f)
{
    ims__free(f->faces);
    for (int part = 0; part < IMS_FACE_N_PARTS; part++)
        ims__free(f->crops[part]);
    ims__free(f->affines);
    ims__free(f->vectors);
    ims__free(f->ages);
    ims__free(f->shapes);
    ims__free(f->metadata);
}

void ims__job_free(struct ims_job *j)
{
    if (!j)
        return;
    ims_media_info_release(&j->info);
    ims__free(j->path);
    ims__free(j->pixels);
    ims__free(j->vector);
    ims__free(j->metadata);
    free_faces(&j->faces);
    ims__free(j);
}

void ims__job_fail(struct ims_job *j, ims_status st, const char *reason, const ims_err *why)
{
    j->failure = st;
    j->reason = reason;
    snprintf(j->detail, sizeof(j->detail), "%s", why ? why->text : ims_status_text(st));
}

void ims__ingest_fatal(struct ims_ingest *g, ims_status st, const ims_err *err)
{
    ims__lock(&g->lock);
    if (!g->fatal) {
        g->fatal = st;
        g->fatal_err = *err;
    }
    g->has_failed = true;
    ims__cond_broadcast(&g->changed);
    ims__unlock(&g->lock);
}

bool ims__ingest_is_ending(struct ims_ingest *g)
{
    return g->stop || g->has_failed;
}

void ims__ingest_note(struct ims_ingest *g, const char *path, const char *reason, const char *text)
{
    if (!g->options->on_note)
        return;
    ims__lock(&g->lock);
    g->options->on_note(g->options->arg, path, reason, text);
    ims__unlock(&g->lock);
}

/* ---- set-up ---- */

/* A folder inside another one that is named needs no walk of its own: its files would count twice. */
static void add_dir(struct ims_ingest *g, char *take_dir)
{
    size_t kept = 0;

    for (size_t i = 0; i < g->n_dirs; i++) {
        if (ims__path_is_in(take_dir, g->dirs[i])) {
            ims__free(take_dir);
            return;
        }
    }
    for (size_t i = 0; i < g->n_dirs; i++) {
        if (ims__path_is_in(g->dirs[i], take_dir))
            ims__free(g->dirs[i]);
        else
            g->dirs[kept++] = g->dirs[i];
    }
    g->dirs[kept++] = take_dir;
    g->n_dirs = kept;
}

/* One that a folder of the first kind holds, or that is named twice, is walked once. */
static void add_folder(struct ims_ingest *g, char *take_dir)
{
    bool is_known = false;

    for (size_t i = 0; i < g->n_dirs; i++)
        is_known |= ims__path_is_in(take_dir, g->dirs[i]);
    for (size_t i = 0; i < g->n_folders; i++)
        is_known |= strcmp(take_dir, g->folders[i]) == 0;
    if (is_known)
        ims__free(take_dir);
    else
        g->folders[g->n_folders++] = take_dir;
}

static ims_status resolve_dir(struct ims_ingest *g, const char *named, void (*add)(struct ims_ingest *, char *),
                              ims_err *err)
{
    struct ims_file_info info;
    char shown[IMS_SHOWN_BYTES], *dir;
    ims_status st = ims__real_path(named, &dir, err);

    if (st)
        return st;
    st = ims__stat(dir, true, &info, err);
    if (!st && !info.is_dir && !g->is_without_walk)
        st = ims_fail(err, IMS_E_INVALID, "ingest", 0, "%s is not a folder; name the folder it is in",
                      ims__shown(shown, sizeof(shown), dir));
    if (st)
        ims__free(dir);
    else
        add(g, dir);
    return st;
}

static ims_status resolve_dirs(struct ims_ingest *g, ims_err *err)
{
    ims_status st = IMS_OK;

    g->dirs = ims__zalloc(g->options->n_dirs + 1, sizeof(*g->dirs));
    g->folders = ims__zalloc(g->options->n_folders + 1, sizeof(*g->folders));
    if (!g->dirs || !g->folders)
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "starting");
    for (size_t i = 0; !st && i < g->options->n_dirs; i++)
        st = resolve_dir(g, g->options->dirs[i], add_dir, err);
    for (size_t i = 0; !st && i < g->options->n_folders; i++)
        st = resolve_dir(g, g->options->folders[i], add_folder, err);
    return st;
}

/* Everything that the library has, where nothing is named. */
static ims_status take_roots(struct ims_ingest *g, ims_err *err)
{
    struct ims_store_root *roots;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_roots(g->e->store, &arena, &roots, &n, err);
    if (!st)
        g->dirs = ims__zalloc(n, sizeof(*g->dirs));
    for (size_t i = 0; !st && i < n; i++) {
        char *dir = g->dirs ? ims__strdup(roots[i].path) : NULL;

        if (dir)
            add_dir(g, dir);
        else
            st = ims_fail(err, IMS_E_NOMEM, "ingest", 0, "starting");
    }
    ims__arena_release(&arena);
    return st;
}

/* What failed for a reason outside the file is tried again in every run, the rest when asked. */
static ims_status requeue_task(struct ims_ingest *g, const struct ims_store_task *task, const char *dir, ims_err *err)
{
    static const char *const passing[] = { "vanished", "no_permission", "unreadable", "out_of_memory", "changed" };
    struct ims_store_requeue what = { .task = task->name,
                                      .model_id = task->model_id,
                                      .path_prefix = dir,
                                      .include_done = g->redo_faces };
    bool is_all = g->options->retry_failed || g->redo_faces;
    ims_status st = IMS_OK;
    int64_t n;

    if (is_all)
        return ims_store_requeue(g->e->store, &what, &n, err);
    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(passing); i++) {
        what.reason = passing[i];
        st = ims_store_requeue(g->e->store, &what, &n, err);
    }
    return st;
}

static ims_status requeue(struct ims_ingest *g, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t d = 0; !st && d < g->n_dirs; d++) {
        for (size_t t = 0; !st && t < g->n_tasks; t++)
            st = requeue_task(g, &g->tasks[t], g->dirs[d], err);
    }
    for (size_t d = 0; !st && d < g->n_folders; d++) {
        for (size_t t = 0; !st && t < g->n_tasks; t++)
            st = requeue_task(g, &g->tasks[t], g->folders[d], err);
    }
    return st;
}

/* A library may be without a default category: then new pictures have none. */
static ims_status find_category(struct ims_ingest *g, ims_err *err)
{
    const char *name = g->options->category;
    ims_status st = ims_store_find_category(g->e->store, name, &g->category_id, err);

    if (st == IMS_E_NOT_FOUND)
        st = name ? ims_store_add_category(g->e->store, name, NULL, NULL, &g->category_id, err) : IMS_OK;
    return st;
}

/* The picture's vector: every run that walks. */
static ims_status prepare_clip(struct ims_ingest *g, ims_err *err)
{
    ims_status st = ims__engine_need_model_id(g->e, true, err);

    if (st)
        return st;
    g->has_clip = true;
    g->info = ims_clip_info(g->e->clip);
    g->tasks[g->n_tasks++] = (struct ims_store_task){ IMS_TASK_CLIP, g->e->model_id };
    return find_category(g, err);
}

/* Without face models a walk goes on with the pictures alone, and says so. */
static ims_status prepare_faces(struct ims_ingest *g, ims_err *err)
{
    ims_status st = ims__engine_need_faces(g->e, g->faces_note, sizeof(g->faces_note), err);

    if (!st && !g->e->faces)
        return g->has_clip ? IMS_OK : ims_fail(err, IMS_E_MODEL, "ingest", 0, "%s", g->faces_note);
    if (!st)
        st = ims__engine_need_face_model_id(g->e, true, err);
    if (st)
        return st;
    g->has_faces = true;
    g->tasks[g->n_tasks++] = (struct ims_store_task){ IMS_TASK_FACES, g->e->face_model_id };
    return IMS_OK;
}

/* What the user wants to be passed over, and what this run is not about. */
static ims_status prepare_filter(struct ims_ingest *g, ims_err *err)
{
    g->filter = (struct ims_walk_filter){ .suffixes = g->options->suffixes, .n_suffixes = g->options->n_suffixes };
    return ims__walk_read_ignored(g->e, &g->ignored, &g->filter, err);
}

static ims_status prepare(struct ims_ingest *g, ims_err *err)
{
    unsigned n = g->e->options.n_threads;
    ims_status st;

    g->has_lock = ims__lock_init(&g->lock) == IMS_OK;
    g->has_cond = ims__cond_init(&g->changed) == IMS_OK;
    if (!g->has_lock || !g->has_cond)
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "starting");
    g->cores = ims_device_usable_cores();
    g->n_readers = n ? n : g->cores;
    if (g->n_readers > IMS_INGEST_MAX_READERS)
        g->n_readers = IMS_INGEST_MAX_READERS;
    g->min_face_score = g->options->min_face_score > 0 ? g->options->min_face_score : g->e->options.min_face_score;
    g->min_face_px = g->options->min_face_px ? g->options->min_face_px : g->e->options.min_face_px;
    st = g->options->n_dirs || !g->is_without_walk ? resolve_dirs(g, err) : take_roots(g, err);
    if (!st)
        st = prepare_filter(g, err);
    if (!st)
        st = ims__engine_need_media(g->e, err);
    if (!st && !g->is_without_walk)
        st = prepare_clip(g, err);
    if (!st && !g->options->no_faces)
        st = prepare_faces(g, err);
    if (st)
        return st;
    ims__ingest_probe_machine(g->e->compute, &g->machine);
    st = requeue(g, err);
    if (!st)
        st = ims__chan_new(&g->to_read, READ_AHEAD, err);
    if (!st)
        st = ims__chan_new(&g->to_embed, (size_t)EMBED_AHEAD * g->e->options.batch_size, err);
    if (!st)
        st = ims__chan_new(&g->to_write, WRITE_AHEAD, err);
    return st;
}

/* ---- running ---- */

/* Starts from the far end, so that whoever starts has a consumer. When a thread cannot be started the
 * queue it would have closed is closed here, and the run ends in order. */
static void start_threads(struct ims_ingest *g)
{
    ims_err err;
    ims_status st;

    st = ims__thread_start(&g->write_thread, "ims-write", ims__ingest_write, g, &err);
    if (st) {
        ims__ingest_fatal(g, st, &err);
        ims__chan_close(g->to_write);
        g->is_finished = true;
        return;
    }
    st = ims__thread_start(&g->embed_thread, "ims-embed", ims__ingest_embed, g, &err);
    if (st) {
        ims__ingest_fatal(g, st, &err);
        ims__chan_close(g->to_write);
        return;
    }
    g->readers_left = g->n_readers;
    for (unsigned i = 0; !st && i < g->n_readers; i++) {
        st = ims__thread_start(&g->readers[i], "ims-read", ims__ingest_read, g, &err);
        if (st) {
            unsigned missing = g->n_readers - i;

            ims__ingest_fatal(g, st, &err);
            if (atomic_fetch_sub(&g->readers_left, missing) == missing)
                ims__chan_close(g->to_embed);
        }
    }
    if (!st)
        st = ims__thread_start(&g->feed_thread, "ims-feed", ims__ingest_feed, g, &err);
    if (st) {
        ims__ingest_fatal(g, st, &err);
        ims__chan_close(g->to_read);
        return;
    }
    st = ims__thread_start(&g->scan_thread, "ims-scan", ims__ingest_scan, g, &err);
    if (st) {
        ims__ingest_fatal(g, st, &err);
        g->is_scanned = true;
    }
}

struct rate {
    uint64_t done[RATE_WINDOW];
    double at[RATE_WINDOW];
    size_t n;
};

/* false: the caller wants to stop. */
static bool report(struct ims_ingest *g, struct rate *r, uint64_t start_ns)
{
    struct ims_index_progress p = {
        .is_walking = !g->is_scanned,
        .found = g->found,
        .total = g->total > g->fed ? g->total : g->fed,
        .done = g->done,
        .failed = g->errors,
        .faces = g->n_faces,
        .elapsed_s = (double)(ims__mono_ns() - start_ns) / 1e9,
        .eta_s = -1.0,
    };
    size_t newest = r->n % RATE_WINDOW, oldest = r->n < RATE_WINDOW ? 0 : (r->n + 1) % RATE_WINDOW;
    double span;

    r->done[newest] = p.done;
    r->at[newest] = p.elapsed_s;
    r->n++;
    span = r->at[newest] - r->at[oldest];
    if (span > 0)
        p.rate = (double)(r->done[newest] - r->done[oldest]) / span;
    if (p.rate > 0 && p.total >= p.done)
        p.eta_s = (double)(p.total - p.done) / p.rate;
    return !g->options->on_progress || g->options->on_progress(g->options->arg, &p);
}

static void wait_a_moment(struct ims_ingest *g)
{
    uint64_t until = ims__mono_ns() + (uint64_t)PROGRESS_MS * 1000000, now;

    ims__lock(&g->lock);
    while (!g->is_finished && (now = ims__mono_ns()) < until)
        ims__cond_wait(&g->changed, &g->lock, (unsigned)((until - now) / 1000000) + 1);
    ims__unlock(&g->lock);
}

static void run(struct ims_ingest *g, uint64_t start_ns)
{
    struct rate rate = { .n = 0 };

    start_threads(g);
    while (!g->is_finished) {
        if (!report(g, &rate, start_ns))
            g->stop = true;
        wait_a_moment(g);
    }
    ims__thread_join(&g->scan_thread);
    ims__thread_join(&g->feed_thread);
    for (unsigned i = 0; i < g->n_readers; i++)
        ims__thread_join(&g->readers[i]);
    ims__thread_join(&g->embed_thread);
    ims__thread_join(&g->write_thread);
    (void)report(g, &rate, start_ns); /* the last state; too late to stop */
}

/* ---- the end ---- */

static void release(struct ims_ingest *g)
{
    for (size_t i = 0; i < g->n_dirs; i++)
        ims__free(g->dirs[i]);
    ims__free(g->dirs);
    for (size_t i = 0; i < g->n_folders; i++)
        ims__free(g->folders[i]);
    ims__free(g->folders);
    ims__arena_release(&g->ignored);
    ims__chan_free(g->to_read);
    ims__chan_free(g->to_embed);
    ims__chan_free(g->to_write);
    if (g->has_cond)
        ims__cond_release(&g->changed);
    if (g->has_lock)
        ims__lock_release(&g->lock);
    ims__free(g);
}

static ims_status run_all(struct ims_engine *e, struct ims_ingest *take_g, struct ims_index_summary *out,
                          ims_err *err)
{
    uint64_t start_ns = ims__mono_ns(), start_cpu_ns = ims__process_cpu_ns();
    struct ims_lock_file *lock = NULL;
    struct ims_ingest *g = take_g;
    ims_status st = ims__lock_file_take(&lock, e->options.data_dir, "index.lock", err);

    g->e = e;
    ims__arena_init(&g->ignored, 0);
    if (!st)
        st = prepare(g, err);
    if (!st) {
        ims__figure_add(e, IMS_FIGURE_RUNS, 1);
        run(g, start_ns);
        ims__figure_add(e, IMS_FIGURE_RUNS_ENDED, 1);
        st = g->fatal;
        if (st && err)
            *err = g->fatal_err;
    }
    if (!st)
        ims__ingest_sum_up(g, start_ns, start_cpu_ns, out);
    ims__lock_file_release(lock);
    release(g);
    return st;
}

ims_status ims_engine_index(struct ims_engine *e, const struct ims_index_options *options,
                            struct ims_index_summary *out, ims_err *err)
{
    struct ims_ingest *g;
    ims_status st;

    if (options->n_dirs == 0 && options->n_folders == 0)
        return ims_fail(err, IMS_E_INVALID, "ingest", 0, "no folder is named");
    g = ims__zalloc(1, sizeof(*g));
    if (!g)
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "starting");
    g->options = options;
    st = run_all(e, g, out, err);
    /* The next search finds its index ready. Where that fails, the search tells. */
    if (!st && !out->is_cancelled && e->clip && e->model_id && ims__engine_catch_up(e, NULL) == IMS_OK && !e->host)
        ims__engine_save_index(e);
    return st;
}

ims_status ims_engine_register(struct ims_engine *e, const struct ims_index_options *options, unsigned max_ms,
                               struct ims_registered *out, ims_err *err)
{
    struct ims_ingest *g = ims__zalloc(1, sizeof(*g));
    ims_status st;

    if (!g)
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "starting");
    g->e = e;
    g->options = options;
    g->until_ns = ims__mono_ns() + (uint64_t)max_ms * 1000000;
    ims__arena_init(&g->ignored, 0);
    st = prepare(g, err);
    if (!st) {
        ims__ingest_scan(g);
        st = g->fatal;
        if (st && err)
            *err = g->fatal_err;
    }
    if (!st && g->stop)
        st = ims_fail(err, IMS_E_TIMEOUT, "ingest", 0,
                      "the folder is too large to be looked at in one request; index it as a background job");
    if (!st)
        *out = (struct ims_registered){ g->found, g->fresh, g->found - g->fresh };
    release(g);
    return st;
}

ims_status ims_engine_detect_faces(struct ims_engine *e, ims_faces_scope scope,
                                   const struct ims_index_options *options, struct ims_index_summary *out,
                                   ims_err *err)
{
    struct ims_index_options faces = *options;
    struct ims_ingest *g = ims__zalloc(1, sizeof(*g));

    if (!g)
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "starting");
    faces.no_faces = false;
    faces.retry_failed = scope != IMS_FACES_MISSING;
    g->options = &faces;
    g->is_without_walk = true;
    g->redo_faces = scope == IMS_FACES_REDO;
    return run_all(e, g, out, err);
}
