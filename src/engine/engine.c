/* Opening and closing the engine, and bringing up its parts when they are first needed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_STRING_BYTES ((size_t)1 << 20)

/* "" and NULL both mean "not set" in options; inside the engine it is always NULL. */
static ims_status keep_string(struct ims_engine *e, const char **s, ims_err *err)
{
    if (!*s || !**s) {
        *s = NULL;
        return IMS_OK;
    }
    *s = ims__arena_strndup(&e->strings, *s, strlen(*s));
    return *s ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the library");
}

static ims_status keep_options(struct ims_engine *e, const struct ims_engine_options *options,
                               ims_err *err)
{
    struct ims_engine_options *o = &e->options;
    const char **strings[] = { &o->data_dir,        &o->database_url,   &o->model, &o->precision,
                               &o->clip_model_name, &o->clip_pretrained, &o->device_flag,
                               &o->device,          &o->pytorch_device, &o->force_cpu,
                               &o->onnx_providers,  &o->runtime_path,    &o->compute_child,
                               &o->face_model };
    const char **roots;
    ims_status st = IMS_OK;

    *o = *options;
    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(strings); i++)
        st = keep_string(e, strings[i], err);
    if (st)
        return st;
    roots = ims__arena_alloc(&e->strings, o->n_model_roots + 1, sizeof(*roots));
    if (!roots)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the library");
    for (size_t i = 0; !st && i < o->n_model_roots; i++) {
        roots[i] = options->model_roots[i];
        st = keep_string(e, &roots[i], err);
    }
    o->model_roots = roots;
    if (!o->thumbnail_px)
        o->thumbnail_px = IMS_DEFAULT_THUMBNAIL_PX;
    if (!o->batch_size)
        o->batch_size = IMS_DEFAULT_BATCH;
    if (o->min_face_score <= 0)
        o->min_face_score = IMS_DEFAULT_MIN_FACE_SCORE;
    if (!o->min_face_px)
        o->min_face_px = IMS_DEFAULT_MIN_FACE_PX;
    return st;
}

/* Looking at a library still migrates it, when this user may write; otherwise it is opened as it is.
 * SQLite can read without writing only while the log beside the database is there, which it is while the
 * library's owner has it open. */
static ims_status open_database(struct ims_engine *e, ims_err *err)
{
    struct ims_store_options options = { .must_exist = e->options.is_read_only,
                                         .beside = e->host ? e->host->store : NULL };
    char shown[IMS_SHOWN_BYTES];
    ims_status st = ims_store_open(&e->store, e->database, &options, err);

    if (st != IMS_E_PERMISSION || !e->options.is_read_only)
        return st;
    options.is_read_only = true;
    st = ims_store_open(&e->store, e->database, &options, err);
    if (st == IMS_E_PERMISSION)
        st = ims_fail_in(err, st, "this user may not write in %s, which reading the database needs too",
                         ims__shown(shown, sizeof(shown), e->options.data_dir));
    return st;
}

ims_status ims__engine_open_store(struct ims_engine *e, ims_err *err)
{
    const struct ims_engine_options *o = &e->options;
    char *path;
    ims_status st;

    if (o->database_url) {
        e->database = o->database_url;
        return open_database(e, err);
    }
    path = ims__path_join(o->data_dir, "library.db");
    if (path)
        e->database = ims__arena_strndup(&e->strings, path, strlen(path));
    ims__free(path);
    if (!e->database)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the library");
    st = open_database(e, err);
    if (st == IMS_E_NOT_FOUND && o->is_read_only)
        return ims_fail(err, IMS_E_NOT_FOUND, "engine", 0,
                        "there is no library in %s yet; `imgsearch index FOLDER` makes one", o->data_dir);
    return st;
}

static ims_status open_compute(struct ims_engine *e, ims_err *err)
{
    const struct ims_engine_options *o = &e->options;
    char *cache = ims__path_join(o->data_dir, "cache");
    struct ims_compute_options options = {
        .device = { .flag = o->device_flag,
                    .device = o->device,
                    .pytorch_device = o->pytorch_device,
                    .force_cpu = o->force_cpu,
                    .onnx_providers = o->onnx_providers },
        .runtime_path = o->runtime_path,
        .n_threads = o->n_threads,
        .deadline_ms = o->compute_deadline_s * 1000,
        .gpu_mem_limit_bytes = (uint64_t)o->gpu_mem_limit_mib * IMS_MIB,
        .prove_again = o->prove_again,
    };
    ims_status st = IMS_OK;

    if (!ims_compute_isolation_read(o->compute_child, &options.isolation))
        st = ims_fail(err, IMS_E_CONFIG, "engine", 0,
                      "IMS_COMPUTE_CHILD is '%s'; it is auto, always or never", o->compute_child);
    if (!st && !cache)
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the library");
    if (!o->is_read_only || access(o->data_dir, F_OK) == 0) /* looking makes no folder */
        options.cache_dir = cache;
    if (!st)
        st = ims_compute_open(&e->compute, &options, err);
    ims__free(cache);
    return st;
}

static ims_status open_engine(struct ims_engine **out, const struct ims_engine_options *options,
                              struct ims_engine *host, ims_err *err)
{
    struct ims_engine *e = NULL;
    ims_status st;

    if (!options->data_dir || !*options->data_dir)
        return ims_fail(err, IMS_E_INVALID, "engine", 0, "no data directory is given");
    e = ims__zalloc(1, sizeof(*e));
    if (!e)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the library");
    e->host = host;
    if (ims__lock_init(&e->sharing)) {
        ims__free(e);
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the library");
    }
    if (ims__text_cache_open(&e->texts, err)) {
        ims__lock_release(&e->sharing);
        ims__free(e);
        return IMS_E_NOMEM;
    }
    ims__arena_init(&e->strings, MAX_STRING_BYTES);
    ims__arena_init(&e->story, IMS_MAX_JSON_BYTES);
    st = keep_options(e, options, err);
    if (!st && !e->host)
        st = ims__keeper_init(e, err);
    if (!st && e->host)
        e->compute = e->host->compute;
    else if (!st)
        st = open_compute(e, err); /* first: wrong device settings must not leave an empty library behind */
    if (!st && !options->is_read_only)
        st = ims__mkdir_p(e->options.data_dir, err);
    if (!st && !options->is_bare)
        st = ims__engine_open_store(e, err);
    if (st)
        goto out;
    *out = e;
    e = NULL;
out:
    ims_engine_close(e);
    return st;
}

ims_status ims_engine_open(struct ims_engine **out, const struct ims_engine_options *options, ims_err *err)
{
    return open_engine(out, options, NULL, err);
}

ims_status ims_engine_open_beside(struct ims_engine **out, struct ims_engine *host, ims_err *err)
{
    return open_engine(out, &host->options, host, err);
}

void ims_engine_close(struct ims_engine *e)
{
    if (!e)
        return;
    if (!e->host) {
        ims__keeper_release(e);
        ims__engine_save_index(e);
        ims_vectors_close(e->vectors);
        ims_face_models_close(e->faces);
        ims_face_pack_close(e->face_pack);
        ims_clip_close(e->clip);
        ims_pack_close(e->pack);
        ims_media_close(e->media);
        ims_compute_close(e->compute);
    }
    ims__text_cache_release(&e->texts);
    ims__candidates_release(&e->candidates);
    ims__lock_release(&e->sharing);
    ims_store_close(e->store);
    ims__arena_release(&e->strings);
    ims__arena_release(&e->story);
    ims__free(e);
}

struct ims_store *ims__engine_store(struct ims_engine *e)
{
    return e->store;
}

void ims_engine_free(void *p)
{
    ims__free(p);
}

ims_status ims__engine_need_media(struct ims_engine *e, ims_err *err)
{
    struct ims_media_options options = { .max_px = e->options.max_image_px };
    ims_status st;

    if (e->media)
        return IMS_OK;
    if (!e->host)
        return ims_media_open(&e->media, &options, err);
    ims__lock(&e->host->sharing);
    st = ims__engine_need_media(e->host, err);
    e->media = e->host->media;
    ims__unlock(&e->host->sharing);
    return st;
}

static ims_status borrow_clip(struct ims_engine *e, ims_err *err)
{
    ims_status st;

    ims__lock(&e->host->sharing);
    st = ims__engine_need_clip(e->host, err);
    if (!st)
        st = ims_clip_gather_texts(e->host->clip, err); /* those who borrow are threads of a server */
    e->pack = e->host->pack;
    e->clip = e->host->clip;
    ims__unlock(&e->host->sharing);
    return st;
}

ims_status ims__engine_need_clip(struct ims_engine *e, ims_err *err)
{
    struct ims_clip_options options = { .expected_dim = e->options.expected_dim,
                                        .max_batch = e->options.batch_size,
                                        .measures_batch = true,
                                        .is_one_shot = e->options.is_one_shot };
    char *cache;
    ims_status st;

    if (e->clip)
        return IMS_OK;
    if (e->host)
        return borrow_clip(e, err);
    st = ims__engine_need_pack(e, err);
    if (!st)
        st = ims__engine_settle_precision(e, e->pack, &e->precision, err);
    if (st)
        return st;
    cache = ims__path_join(e->options.data_dir, "cache");
    options.precision = e->precision;
    options.cache_dir = cache;
    st = cache ? ims_clip_open(&e->clip, e->pack, e->compute, &options, err)
               : ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the model");
    ims__free(cache);
    return st;
}

ims_status ims__engine_need_model_id(struct ims_engine *e, bool create, ims_err *err)
{
    const struct ims_clip_info *info;
    ims_status st;

    if (e->model_id)
        return IMS_OK;
    st = ims__engine_need_clip(e, err);
    if (st)
        return st;
    info = ims_clip_info(e->clip);
    if (create)
        return ims_store_add_model(e->store, info->name, info->digest, "clip", (int)info->dim,
                                   &e->model_id, err);
    return ims_store_find_model(e->store, info->name, info->digest, &e->model_id, err);
}

ims_status ims_engine_model(struct ims_engine *e, struct ims_model_facts *out, ims_err *err)
{
    const struct ims_clip_info *info;
    ims_status st = ims__engine_need_clip(e, err);

    if (st)
        return st;
    info = ims_clip_info(e->clip);
    *out = (struct ims_model_facts){ .name = info->name,
                                     .digest = info->digest,
                                     .precision = ims_precision_name(info->precision),
                                     .dir = e->pack->dir,
                                     .is_demo = info->is_demo,
                                     .dim = info->dim,
                                     .image_px = (uint32_t)info->preprocess.width,
                                     .context_length = info->context_length };
    return IMS_OK;
}

static void note_runtime(struct ims_engine *e)
{
    struct ims_compute_info *info = ims__zalloc(1, sizeof(*info));

    if (info && ims_compute_describe(e->compute, false, info, NULL) == IMS_OK)
        snprintf(e->used.runtime, sizeof(e->used.runtime), "%s %s", info->runtime_name,
                 info->runtime_version);
    ims__free(info);
}

/* So that engines beside a host know what one of them found out. */
static void share_used(struct ims_engine *e)
{
    if (e->host && ims__try_lock(&e->host->sharing)) {
        e->host->used = e->used;
        ims__unlock(&e->host->sharing);
    }
}

/* true the first time: the runtime and the reason do not change in a process. */
static bool note_report(struct ims_engine *e, const struct ims_compute_report *report)
{
    bool is_first = !e->used.runtime[0];

    snprintf(e->used.device, sizeof(e->used.device), "%s", report->device_name);
    snprintf(e->used.provider, sizeof(e->used.provider), "%s", report->provider);
    if (is_first)
        note_runtime(e);
    return is_first;
}

void ims__engine_note_device(struct ims_engine *e, bool is_image_tower)
{
    ims_clip_tower tower = is_image_tower ? IMS_CLIP_IMAGE : IMS_CLIP_TEXT;
    struct ims_device_choice choice;
    struct ims_compute_report report;

    if (!ims_pool_report(ims_clip_pool(e->clip, tower), &report))
        return;
    if (note_report(e, &report) && ims_clip_choose(e->clip, tower, &choice, NULL) == IMS_OK)
        snprintf(e->used.reason, sizeof(e->used.reason), "%s", choice.reason);
    share_used(e);
}

void ims__engine_note_face_device(struct ims_engine *e)
{
    struct ims_compute_report report;

    if (ims_pool_report(ims_face_pool(e->faces, IMS_FACE_DETECT), &report))
        (void)note_report(e, &report);
}

struct ims_compute *ims_engine_compute(struct ims_engine *e)
{
    return e->compute;
}

ims_status ims_engine_choose(struct ims_engine *e, bool is_image_tower, struct ims_device_choice *out,
                             ims_err *err)
{
    ims_status st = ims__engine_need_clip(e, err);

    return st ? st : ims_clip_choose(e->clip, is_image_tower ? IMS_CLIP_IMAGE : IMS_CLIP_TEXT, out, err);
}

ims_status ims_engine_device_chosen(struct ims_engine *e, struct ims_device_used *out, ims_err *err)
{
    struct ims_device_choice choice;
    ims_status st = ims_engine_choose(e, true, &choice, err);

    if (st)
        return st;
    if (!e->used.runtime[0]) {
        note_runtime(e);
        snprintf(e->used.reason, sizeof(e->used.reason), "%s", choice.reason);
    }
    *out = e->used;
    if (!out->device[0]) {
        ims_device_id_name(choice.ids[0], out->device);
        snprintf(out->provider, sizeof(out->provider), "%s", ims_device_kind_provider(choice.ids[0].kind));
    }
    return IMS_OK;
}

void ims_engine_device_used(const struct ims_engine *e, struct ims_device_used *out)
{
    *out = e->used;
}

/* The choice of a tower that is at work; without one, what the test graph alone decides. */
static ims_status choose_loaded(struct ims_engine *e, struct ims_device_choice *out)
{
    struct ims_compute_report report;

    for (int t = 0; e->clip && t < IMS_CLIP_N_TOWERS; t++) {
        if (ims_pool_report(ims_clip_pool(e->clip, (ims_clip_tower)t), &report))
            return ims_clip_choose(e->clip, (ims_clip_tower)t, out, NULL);
    }
    return ims_compute_choose(e->compute, out, NULL);
}

bool ims_engine_device_note(struct ims_engine *e, size_t i, bool *out_is_warning, char *out_text,
                            size_t size)
{
    struct ims_device_choice choice;

    if (choose_loaded(e, &choice) || i >= choice.notes.n)
        return false;
    *out_is_warning = choice.notes.at[i].is_warning;
    snprintf(out_text, size, "%s", choice.notes.at[i].text);
    return true;
}
