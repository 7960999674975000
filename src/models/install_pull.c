/* Fetching a model of the registry: facts about every file first, then the bytes, then its place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "models/fetch_rules.h"
#include "models/install_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ORIGIN "install"
#define POINTER_BYTES 1024
#define SPARE_BYTES (16 * IMS_MIB) /* left free for the database and the system */

struct pull {
    const struct ims_registry_row *row;
    const struct ims_pull_options *options;
    struct ims_fetch *fetch;
    struct ims_staging staging;
    struct ims_fetch_meta metas[IMS_REGISTRY_MAX_FILES];
    char commit[41];                           /* all files come from one commit */
    bool is_elsewhere[IMS_REGISTRY_MAX_FILES]; /* taken from the other repository */
    size_t at;                                 /* file at hand */
    uint64_t total_bytes, before_bytes, fetched_bytes;
};

static char *file_url(const struct pull *p, size_t i, const char *what)
{
    if (p->is_elsewhere[i])
        return ims__strfmt("%s/%s/%s/main/%s", p->options->hub_url, p->row->files[i].other_repo,
                           what, p->row->files[i].path);
    return ims__strfmt("%s/%s/%s/%s/%s", p->options->hub_url, p->row->repo, what,
                       p->commit[0] ? p->commit : p->row->revision, p->row->files[i].path);
}

char *ims_model_file_url(const struct ims_registry_row *row, size_t i, const char *hub_url)
{
    return ims__strfmt("%s/%s/resolve/%s/%s", hub_url, row->repo, row->revision,
                       row->files[i].path);
}

static bool on_progress(void *arg, uint64_t done, uint64_t total)
{
    struct pull *p = arg;
    struct ims_pull_progress now = { .file = p->row->files[p->at].local,
                                     .done_bytes = p->before_bytes + done,
                                     .total_bytes = p->total_bytes };

    (void)total;
    return !p->options->on_progress || p->options->on_progress(p->options->arg, &now);
}

static bool on_wait(void *arg, unsigned wait_ms, const char *why)
{
    struct pull *p = arg;

    return p->options->on_wait(p->options->arg, wait_ms, why);
}

/* ---- what the hub says ---- */

/* What the table pins goes before what a server says; a server that contradicts it is refused here. */
static ims_status apply_pin(const struct ims_registry_file *file, struct ims_fetch_meta *m,
                            ims_err *err)
{
    if (file->sha256 && m->sha256[0] && strcmp(m->sha256, file->sha256) != 0)
        return ims_fail(err, IMS_E_CORRUPT, ORIGIN, 0,
                        "%s: the server has another file (SHA-256 %.16s..., expected %.16s...)",
                        file->path, m->sha256, file->sha256);
    if (file->size_bytes && m->has_size && m->size_bytes != file->size_bytes)
        return ims_fail(err, IMS_E_CORRUPT, ORIGIN, 0,
                        "%s: the server has %llu bytes of it, expected %llu", file->path,
                        (unsigned long long)m->size_bytes, (unsigned long long)file->size_bytes);
    if (file->sha256)
        snprintf(m->sha256, sizeof(m->sha256), "%s", file->sha256);
    if (file->size_bytes) {
        m->has_size = true;
        m->size_bytes = file->size_bytes;
    }
    return IMS_OK;
}

/* A mirror that serves plain files says no sums; it may still have the pointer that stands in the
 * repository in place of a large file. */
static ims_status ask_pointer(struct pull *p, size_t i, ims_err *err)
{
    char *url = file_url(p, i, "raw");
    struct ims_buf text;
    ims_status st = url ? ims__fetch_text(p->fetch, url, POINTER_BYTES, &text, err)
                        : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "asking for a sum");

    if (!st) {
        (void)ims__lfs_pointer(text.data ? text.data : "", text.len, &p->metas[i]);
        ims__buf_release(&text);
    }
    ims__free(url);
    return st == IMS_E_CANCELLED || st == IMS_E_NOMEM ? st : IMS_OK;
}

static bool is_weights(const char *path)
{
    return strstr(path, ".safetensors") || strstr(path, ".onnx");
}

static ims_status ask(struct pull *p, size_t i, ims_err *err)
{
    char *url = file_url(p, i, "resolve");
    ims_status st = url ? ims__fetch_probe(p->fetch, url, &p->metas[i], err)
                        : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "asking for a file");

    ims__free(url);
    return st;
}

static ims_status probe_file(struct pull *p, size_t i, ims_err *err)
{
    const struct ims_registry_file *file = &p->row->files[i];
    struct ims_fetch_meta *m = &p->metas[i];
    ims_err why = { 0 };
    ims_status st = ask(p, i, &why);

    if (st == IMS_E_NOT_FOUND && file->other_repo) {
        p->is_elsewhere[i] = true;
        if (ask(p, i, NULL) == IMS_OK)
            st = IMS_OK; /* else what the first one said counts */
    }
    if (st) {
        if (err)
            *err = why;
        return st;
    }
    if (!p->commit[0] && !p->is_elsewhere[i])
        snprintf(p->commit, sizeof(p->commit), "%s", m->commit);
    if (is_weights(file->path) && !file->sha256 && !m->sha256[0])
        st = ask_pointer(p, i, err);
    if (!st)
        st = apply_pin(file, m, err);
    if (!st && is_weights(file->path) && !m->sha256[0])
        st = ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0,
                      "%s/%s: nobody says its sum, neither this program's table nor %.120s; fetch "
                      "it another way and "
                      "use `imgsearch models import`",
                      p->row->repo, file->path, p->options->hub_url);
    return st;
}

static ims_status probe_all(struct pull *p, ims_err *err)
{
    ims_status st = IMS_OK;
    bool is_known = true;
    uint64_t total = 0;

    for (p->at = 0; !st && p->at < p->row->n_files; p->at++) {
        st = probe_file(p, p->at, err);
        is_known = is_known && p->metas[p->at].has_size;
        total += p->metas[p->at].size_bytes;
    }
    p->at = 0;
    p->total_bytes = is_known ? total : 0;
    return st;
}

/* ---- room ---- */

static uint64_t bytes_there(const char *path)
{
    struct ims_file_info info;
    char *part = ims__strfmt("%s.part", path);
    uint64_t n = 0;

    if (ims__stat(path, true, &info, NULL) == IMS_OK ||
        (part && ims__stat(part, true, &info, NULL) == IMS_OK))
        n = info.size_bytes;
    ims__free(part);
    return n;
}

static ims_status check_room(struct pull *p, ims_err *err)
{
    uint64_t missing = 0, room;
    struct statvfs fs;

    for (size_t i = 0; i < p->row->n_files; i++) {
        char *path = ims__path_join(p->staging.dir, p->row->files[i].local);
        uint64_t there = path ? bytes_there(path) : 0;

        missing += p->metas[i].size_bytes > there ? p->metas[i].size_bytes - there : 0;
        ims__free(path);
    }
    if (!missing || statvfs(p->staging.dir, &fs) != 0)
        return IMS_OK; /* not every file system tells; writing will */
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room < missing + SPARE_BYTES)
        return ims_fail(err, IMS_E_NO_SPACE, ORIGIN, 0,
                        "%s still needs %.1f MB, and %.1f MB are free in %.300s; make room, or "
                        "name another data "
                        "directory",
                        p->row->name, (double)(missing + SPARE_BYTES) / 1e6, (double)room / 1e6,
                        p->staging.dir);
    return IMS_OK;
}

/* ---- the files ---- */

static ims_status fetch_one(struct pull *p, size_t i, ims_err *err)
{
    char *path = NULL, *url = file_url(p, i, "resolve");
    struct ims_file_info info;
    ims_status st = url ? ims__staging_path(&p->staging, p->row->files[i].local, &path, err)
                        : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "fetching a file");

    p->at = i;
    if (st)
        goto out;
    /* What an earlier run finished is checked again and kept, or fetched again. */
    if (ims__stat(path, true, &info, NULL) == IMS_OK &&
        ims__fetch_check(path, &p->metas[i], NULL) == IMS_OK)
        goto out;
    (void)unlink(path);
    st = ims__fetch_file(p->fetch, url, path, &p->metas[i], err);
    if (!st)
        st = ims__stat(path, true, &info, err);
    if (!st)
        p->fetched_bytes += info.size_bytes;
out:
    if (!st && strcmp(p->row->files[i].local, "open_clip_config.json") == 0)
        st = ims__model_config_probe(path, err);
    p->before_bytes += p->metas[i].size_bytes;
    ims__free(path);
    ims__free(url);
    return st;
}

static ims_status write_manifest(struct pull *p, ims_err *err)
{
    struct ims_manifest m = { 0 };
    ims_status st = IMS_OK;

    m.name = ims__strdup(p->row->name);
    m.kind = ims__strdup(p->row->kind == IMS_MODEL_FACES ? "faces" : "clip");
    m.licence = ims__strdup(p->row->licence);
    m.source = ims__strfmt("%s/%s", p->options->hub_url, p->row->repo);
    m.revision = ims__strdup(p->commit[0] ? p->commit : p->row->revision);
    if (!m.name || !m.kind || !m.licence || !m.source || !m.revision)
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "listing the model's files");
    for (size_t i = 0; !st && i < p->row->n_files; i++)
        st = ims__manifest_add(&m, p->staging.dir, p->row->files[i].local, err);
    if (!st)
        st = ims__manifest_write(&m, p->staging.dir, err);
    ims__manifest_release(&m);
    return st;
}

static ims_status check_licence(const struct pull *p, ims_err *err)
{
    if (!p->row->terms || p->options->accept_licence)
        return IMS_OK;
    return ims_fail(
        err, IMS_E_PERMISSION, ORIGIN, 0,
        "%s is under the licence \"%s\": %s Read it, and if your use is one that it allows, add "
        "--accept-licence",
        p->row->name, p->row->licence, p->row->terms);
}

/* Is a finished model there? A folder that is anything else is the user's own. */
static ims_status check_there(const struct pull *p, bool *out_is_there, ims_err *err)
{
    struct ims_manifest m;
    struct ims_file_info info;
    ims_err why;

    *out_is_there = false;
    if (ims__stat(p->staging.final, false, &info, NULL) != IMS_OK)
        return IMS_OK;
    if (ims__manifest_read(&m, p->staging.final, NULL) == IMS_OK) {
        ims__manifest_release(&m);
        *out_is_there = true;
        return IMS_OK;
    }
    if (p->row->kind == IMS_MODEL_CLIP && ims__model_probe(p->staging.final, &why) == IMS_OK) {
        *out_is_there = true;
        return IMS_OK;
    }
    return ims_fail(
        err, IMS_E_EXISTS, ORIGIN, 0,
        "%.300s is there, but is no usable model; `imgsearch models remove %s` takes it away",
        p->staging.final, p->row->name);
}

static ims_status fetch_all(struct pull *p, ims_err *err)
{
    struct ims_fetch_options o = { .on_progress = on_progress, .arg = p };
    ims_status st;

    if (p->options->on_wait)
        o.on_wait = on_wait;
    st = ims__fetch_open(&p->fetch, &o, err);
    if (!st)
        st = probe_all(p, err);
    if (!st)
        st = check_room(p, err);
    for (size_t i = 0; !st && i < p->row->n_files; i++)
        st = fetch_one(p, i, err);
    if (!st && p->row->kind == IMS_MODEL_CLIP)
        st = ims__model_probe(p->staging.dir, err);
    if (!st)
        st = write_manifest(p, err);
    if (!st)
        st = ims__staging_publish(&p->staging, err);
    ims__fetch_close(p->fetch);
    return st;
}

ims_status ims_model_pull(const struct ims_registry_row *row,
                          const struct ims_pull_options *options, struct ims_pull_result *out,
                          ims_err *err)
{
    struct pull p = { .row = row, .options = options, .staging = { .lock_fd = -1 } };
    bool is_there = false;
    struct ims_url hub;
    ims_status st = check_licence(&p, err);

    if (!st && ims__url_parse(&hub, options->hub_url, err))
        st = ims_fail_in(err, IMS_E_CONFIG, "IMS_HUB_URL");
    if (!st)
        st = ims__staging_open(&p.staging, options->data_dir, row->name, err);
    if (!st)
        st = check_there(&p, &is_there, err);
    if (!st && !is_there)
        st = fetch_all(&p, err);
    if (!st) {
        *out = (struct ims_pull_result){ .dir = p.staging.final,
                                         .fetched_bytes = p.fetched_bytes,
                                         .was_there = is_there };
        p.staging.final = NULL;
    }
    if (p.staging.dir)
        (void)rmdir(p.staging.dir); /* when it is empty */
    ims__staging_close(&p.staging);
    return st;
}

bool ims_model_pull_is_offline(const ims_err *err)
{
    return ims__fetch_is_offline(err);
}
