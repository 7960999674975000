/* The job "ingest": indexes a folder, or folders in which something changed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/engine_internal.h"
#include "engine/folders.h"
#include "engine/people.h"
#include "engine/work.h"

#include <stdio.h>
#include <string.h>

bool ims__task_on_index(void *arg, const struct ims_index_progress *p)
{
    struct ims_task *t = arg;
    char text[400];

    if (p->done)
        ims__task_gets_on(t);
    snprintf(text, sizeof(text),
             "{\"phase\":\"%s\",\"current\":%llu,\"total\":%llu,\"failed\":%llu,\"rate\":%.3f,\"etaSeconds\":%.0f,"
             "\"message\":\"%llu of %llu pictures\"}",
             p->is_walking ? "discovering" : "running", (unsigned long long)p->done, (unsigned long long)p->total,
             (unsigned long long)p->failed, p->rate, p->eta_s < 0 ? -1 : p->eta_s, (unsigned long long)p->done,
             (unsigned long long)p->total);
    return ims__task_beat(t, text);
}

bool ims__task_on_match(void *arg, size_t done, size_t total)
{
    char text[120];

    snprintf(text, sizeof(text), "{\"phase\":\"matching\",\"current\":%zu,\"total\":%zu,\"message\":\"comparing faces\"}", done,
             total);
    return ims__task_beat(arg, text);
}

/* The folders of a job: what it names, each as the folder that is there. */
struct folders {
    struct ims_arena arena;
    struct ims_store_root *roots;
    size_t n_roots;
    const char **deep, **shallow;
    size_t n_deep, n_shallow;
};

static const char *root_of(const struct folders *f, const char *path)
{
    for (size_t i = 0; i < f->n_roots; i++) {
        if (ims__path_is_in(path, f->roots[i].path))
            return f->roots[i].path;
    }
    return NULL;
}

/* A folder that is gone by now means: look into the one that it was in. Above a root there is nothing to look for. */
static ims_status add_folder(struct folders *f, const char *shown, bool is_deep, ims_err *err)
{
    struct ims_file_info info;
    struct ims_buf path;
    const char *root;
    char *copy = NULL;
    ims_status st;

    if (!shown)
        return ims_fail(err, IMS_E_INVALID, "engine", 0, "the job's folders are no texts");
    ims__buf_init(&path, IMS_MAX_PATH_BYTES);
    st = ims__undisplay(shown, strlen(shown), &path);
    root = st ? NULL : root_of(f, path.data);
    while (root && (ims__stat(path.data, false, &info, NULL) || !info.is_dir)) {
        char *slash = strrchr(path.data, '/');

        *slash = '\0';
        is_deep = false;
        if (!*path.data || !ims__path_is_in(path.data, root))
            root = NULL;
    }
    if (root)
        copy = ims__arena_strndup(&f->arena, path.data, strlen(path.data));
    ims__buf_release(&path);
    if (st)
        return ims_fail(err, st, "engine", 0, "the job's folder %.200s", shown);
    if (root && !copy)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "the folders of a job");
    if (copy)
        *(is_deep ? &f->deep[f->n_deep++] : &f->shallow[f->n_shallow++]) = copy;
    return IMS_OK;
}

static ims_status read_folders(struct ims_task *t, struct folders *f, ims_err *err)
{
    const ims_json *deep = ims__json_get(t->args, "deep"), *shallow = ims__json_get(t->args, "shallow");
    const char *path = ims__json_str(ims__json_get(t->args, "path"), NULL);
    size_t n = ims__json_len(deep) + ims__json_len(shallow) + 1;
    ims_status st = ims_store_roots(t->engine->store, &f->arena, &f->roots, &f->n_roots, err);

    f->deep = ims__arena_alloc(&f->arena, n, sizeof(*f->deep));
    f->shallow = ims__arena_alloc(&f->arena, n, sizeof(*f->shallow));
    if (!st && (!f->deep || !f->shallow))
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "the folders of a job");
    if (!st && path)
        f->deep[f->n_deep++] = path;
    for (size_t i = 0; !st && i < ims__json_len(deep); i++)
        st = add_folder(f, ims__json_str(ims__json_at(deep, i), NULL), true, err);
    for (size_t i = 0; !st && i < ims__json_len(shallow); i++)
        st = add_folder(f, ims__json_str(ims__json_at(shallow, i), NULL), false, err);
    if (!st && n == 1 && !path)
        st = ims_fail(err, IMS_E_INVALID, "engine", 0, "the job names no path");
    return st;
}

/* The faces that were found since the job was given are compared with the persons who are known: also by a second try,
 * after the first one had found them. */
static ims_status match_faces(struct ims_task *t, struct ims_people_match *out, ims_err *err)
{
    static const struct ims_people_by by = { .actor = "indexing" };

    *out = (struct ims_people_match){ .created_from_us = t->job->created_us,
                                      .is_after_indexing = true,
                                      .on_progress = ims__task_on_match,
                                      .arg = t };
    return ims_people_match(t->engine, &by, out, err);
}

ims_status ims__work_ingest(struct ims_task *t, ims_err *err)
{
    struct folders f = { .n_deep = 0 };
    struct ims_index_options o = { .on_progress = ims__task_on_index, .arg = t };
    struct ims_index_summary s = { 0 };
    struct ims_people_match match = { 0 };
    ims_status st;

    ims__arena_init(&f.arena, 0);
    st = read_folders(t, &f, err);
    o.dirs = f.deep;
    o.n_dirs = f.n_deep;
    o.folders = f.shallow;
    o.n_folders = f.n_shallow;
    o.is_register_only = ims__json_bool(ims__json_get(t->args, "registerOnly"), false);
    if (!st)
        st = ims__index_config(t->args, &f.arena, &o, err);
    if (!st && f.n_deep + f.n_shallow)
        st = ims_engine_index(t->engine, &o, &s, err);
    ims__arena_release(&f.arena);
    if (st)
        return st;
    if (s.is_cancelled)
        return ims_fail(err, IMS_E_CANCELLED, "engine", 0, "stopped after %llu pictures", (unsigned long long)s.processed);
    st = match_faces(t, &match, err);
    if (st)
        return st;
    t->result = ims__strfmt("{\"processed\":%llu,\"errors\":%llu,\"unchanged\":%llu,\"deleted\":%llu,\"moved\":%llu,"
                            "\"elapsedSeconds\":%.3f,\"facesAssigned\":%zu,\"facesSuggested\":%zu}",
                            (unsigned long long)s.processed, (unsigned long long)s.errors,
                            (unsigned long long)s.unchanged, (unsigned long long)s.deleted,
                            (unsigned long long)s.moved, s.elapsed_s, match.n_assigned, match.n_suggested);
    return IMS_OK;
}
