/* Looking at folders without entering anything.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/folders.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "engine/engine_internal.h"
#include "engine/walk.h"

#include <string.h>

struct look {
    struct ims_arena *arena;
    const struct ims_folders_options *options; /* of a list; else NULL */
    uint64_t until_ns;                         /* 0 = no limit */
    const char *root;
    struct ims_folder *folders;
    size_t n, cap, at; /* at: index + 1 of the folder that is walked; 0: the root */
    int64_t pictures;
    bool is_partial;
    /* files of one folder */
    struct ims_folder_file *files;
    size_t n_files, files_cap, max_files, n_seen;
};

static void pass_odd(void *arg, const char *path, const char *what)
{
    (void)arg;
    (void)path;
    (void)what;
}

static ims_status pass_failed_dir(void *arg, const char *path, const ims_err *why, ims_err *err)
{
    (void)arg;
    (void)path;
    (void)why;
    (void)err;
    return IMS_OK;
}

static ims_status pass_subdir(void *arg, const char *path, ims_err *err)
{
    (void)arg;
    (void)path;
    (void)err;
    return IMS_OK;
}

static bool is_time_up(void *arg)
{
    struct look *l = arg;

    if (l->until_ns && ims__mono_ns() > l->until_ns)
        l->is_partial = true;
    return l->is_partial && l->until_ns;
}

/* ---- what the user wants to be passed over ---- */

static ims_status read_ignored(struct ims_engine *e, struct ims_arena *arena, const char ***out, size_t *out_n, ims_err *err)
{
    struct ims_store_ignored *list;
    const char **paths;
    size_t n = 0;
    ims_status st = ims_store_ignored(e->store, arena, &list, &n, err);

    if (st)
        return st;
    paths = ims__arena_alloc(arena, n + 1, sizeof(*paths));
    if (!paths)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "looking at folders");
    for (size_t i = 0; i < n; i++)
        paths[i] = list[i].path;
    *out = paths;
    *out_n = n;
    return IMS_OK;
}

ims_status ims__walk_read_ignored(struct ims_engine *e, struct ims_arena *arena, struct ims_walk_filter *f, ims_err *err)
{
    const char **paths = NULL;
    ims_status st = read_ignored(e, arena, &paths, &f->n_ignored, err);

    f->ignored = paths;
    return st;
}

/* ---- folders ---- */

static ims_status add_folder(struct look *l, const char *path, bool is_ignored, ims_err *err)
{
    size_t parent = l->at;
    struct ims_folder *f;

    while (parent && !ims__path_is_in(path, l->folders[parent - 1].path))
        parent = l->folders[parent - 1].parent;
    l->at = parent;
    if (parent && !l->options->is_recursive)
        return IMS_OK; /* counted where it is listed */
    if (l->n == IMS_MAX_FOLDERS) {
        l->is_partial = true;
        return IMS_OK;
    }
    if (!ims__grow((void **)&l->folders, &l->cap, l->n, sizeof(*l->folders), IMS_MAX_FOLDERS))
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "looking at folders");
    f = &l->folders[l->n++];
    *f = (struct ims_folder){ .path = ims__arena_strndup(l->arena, path, strlen(path)),
                              .parent = parent,
                              .depth = parent ? l->folders[parent - 1].depth + 1 : 1,
                              .is_ignored = is_ignored };
    l->at = l->n;
    return f->path ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "looking at folders");
}

static ims_status on_dir(void *arg, const char *path, ims_err *err)
{
    return add_folder(arg, path, false, err);
}

static ims_status on_left_out(void *arg, const char *path, ims_err *err)
{
    struct look *l = arg;

    return l->options->include_ignored ? add_folder(l, path, true, err) : IMS_OK;
}

/* Files come between the folders beside them, by name. */
static ims_status count_file(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    struct look *l = arg;

    (void)size_bytes;
    (void)mtime_us;
    (void)err;
    while (l->at && !ims__path_is_in(path, l->folders[l->at - 1].path))
        l->at = l->folders[l->at - 1].parent;
    if (l->at)
        l->folders[l->at - 1].pictures++;
    l->pictures++;
    return IMS_OK;
}

ims_status ims_engine_list_folders(struct ims_engine *e, const char *dir, const struct ims_folders_options *options,
                                   struct ims_arena *arena, struct ims_folders *out, ims_err *err)
{
    struct look l = { .arena = arena, .options = options, .root = dir };
    struct ims_walk_filter filter = { .suffixes = options->suffixes, .n_suffixes = options->n_suffixes };
    struct ims_walk_sink sink = { .arg = &l,
                                  .on_file = count_file,
                                  .on_odd = pass_odd,
                                  .on_failed_dir = pass_failed_dir,
                                  .is_stopped = is_time_up,
                                  .on_subdir = options->is_flat ? pass_subdir : NULL,
                                  .on_dir = on_dir,
                                  .on_ignored = on_left_out,
                                  .filter = &filter };
    struct ims_walk_counts counts = { 0 };
    ims_status st = ims__walk_read_ignored(e, arena, &filter, err);

    l.until_ns = options->max_ms ? ims__mono_ns() + (uint64_t)options->max_ms * 1000000 : 0;
    if (!st)
        st = ims__walk(dir, &sink, &counts, err);
    if (st == IMS_E_CANCELLED && l.is_partial)
        st = IMS_OK;
    for (size_t i = l.n; !st && i-- > 0;) { /* those below come after */
        if (l.folders[i].parent)
            l.folders[l.folders[i].parent - 1].pictures += l.folders[i].pictures;
    }
    if (!st && l.n && !(out->items = ims__arena_alloc(arena, l.n, sizeof(*out->items))))
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "looking at folders");
    if (!st) {
        if (l.n)
            memcpy(out->items, l.folders, l.n * sizeof(*out->items));
        out->n = l.n;
        out->pictures = l.pictures;
        out->is_partial = l.is_partial;
    }
    ims__free(l.folders);
    return st;
}

/* ---- files ---- */

static ims_status keep_file(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    struct look *l = arg;

    if (l->n_seen++ >= l->max_files)
        return IMS_OK;
    l->files[l->n_files] = (struct ims_folder_file){ ims__arena_strndup(l->arena, path, strlen(path)), size_bytes, mtime_us };
    return l->files[l->n_files++].path ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "looking at a folder");
}

ims_status ims_engine_folder_files(struct ims_engine *e, const char *dir, size_t limit, struct ims_arena *arena,
                                   struct ims_folder_file **out, size_t *out_n, size_t *out_total, ims_err *err)
{
    struct look l = { .arena = arena, .max_files = limit };
    struct ims_walk_sink sink = { .arg = &l,
                                  .on_file = keep_file,
                                  .on_odd = pass_odd,
                                  .on_failed_dir = pass_failed_dir,
                                  .is_stopped = is_time_up,
                                  .on_subdir = pass_subdir }; /* without a filter: an ignored folder may be looked at */
    struct ims_walk_counts counts = { 0 };
    ims_status st;

    (void)e;
    l.files = ims__arena_alloc(arena, limit + 1, sizeof(*l.files));
    st = l.files ? ims__walk(dir, &sink, &counts, err) : ims_fail(err, IMS_E_NOMEM, "engine", 0, "looking at a folder");
    if (!st) {
        *out = l.files;
        *out_n = l.n_files;
        *out_total = l.n_seen;
    }
    return st;
}

ims_status ims__index_config(const ims_json *config, struct ims_arena *arena, struct ims_index_options *o, ims_err *err)
{
    const ims_json *list = ims__json_get(config, "extensions");
    size_t n = ims__json_len(list);
    const char **suffixes = ims__arena_alloc(arena, n + 1, sizeof(*suffixes));

    if (!suffixes)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "the extensions of a run");
    if (!ims__json_bool(ims__json_get(config, "recursive"), true)) {
        o->folders = o->dirs;
        o->n_folders = o->n_dirs;
        o->n_dirs = 0;
    }
    for (size_t i = 0; i < n; i++) {
        const char *word = ims__json_str(ims__json_at(list, i), NULL);
        char *suffix = word && *word ? ims__arena_alloc(arena, strlen(word) + 2, 1) : NULL;

        if (!suffix)
            return ims_fail(err, word && *word ? IMS_E_NOMEM : IMS_E_INVALID, "engine", 0, "extensions are words such as jpg");
        *suffix = '.';
        memcpy(suffix + 1, word + (*word == '.'), strlen(word + (*word == '.')) + 1);
        suffixes[i] = suffix;
    }
    o->suffixes = suffixes;
    o->n_suffixes = n;
    return IMS_OK;
}

/* ---- counts ---- */

ims_status ims_engine_count_folder(struct ims_engine *e, const char *dir, const struct ims_index_options *wanted,
                                   struct ims_folder_count *out, ims_err *err)
{
    const struct ims_folders_options options = { .suffixes = wanted->suffixes,
                                                 .n_suffixes = wanted->n_suffixes,
                                                 .is_flat = wanted->n_folders > 0 };
    struct ims_store_filter filter = { .path_prefix = dir };
    struct ims_folders folders = { 0 };
    struct ims_store_asset *some;
    struct ims_arena arena;
    size_t n = 0;
    int64_t known = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_engine_list_folders(e, dir, &options, &arena, &folders, err);
    if (!st)
        st = ims_store_list_assets(e->store, &filter, 0, 1, &arena, &some, &n, &known, err);
    if (!st)
        *out = (struct ims_folder_count){ .pictures = (uint64_t)folders.pictures,
                                          .known = (uint64_t)(known < folders.pictures ? known : folders.pictures) };
    ims__arena_release(&arena);
    return st;
}

ims_status ims_engine_serving_model(struct ims_engine *e, int64_t *out_id, ims_err *err)
{
    ims_status st = ims__engine_need_model_id(e, false, err);

    if (!st)
        *out_id = e->model_id;
    return st;
}

ims_status ims_engine_count_done(struct ims_engine *e, const struct ims_store_session *session,
                                 struct ims_store_session_counts *out, ims_err *err)
{
    ims_status st = session->has_counts ? IMS_OK : ims__engine_need_model_id(e, false, err);

    if (session->has_counts)
        *out = session->counts;
    return st || session->has_counts ? st : ims_store_count_session(e->store, session->id, IMS_TASK_CLIP, e->model_id, out, err);
}
