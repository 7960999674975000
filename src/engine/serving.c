/* Which model serves a library: the choice is stored in it, so that a second model can be indexed beside the
 * first and take over by one change of one row. Vectors of models that serve no more stay until dropped.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "engine/engine_internal.h"
#include "engine/lock_file.h"

#include <stdio.h>
#include <string.h>

#define KEY "serving_model"

ims_status ims__engine_lend_store(struct ims_engine *e, bool *out_is_lent, ims_err *err)
{
    ims_err why = { 0 };
    ims_status st;

    *out_is_lent = false;
    if (e->store)
        return IMS_OK;
    st = ims__engine_open_store(e, &why);
    *out_is_lent = st == IMS_OK;
    if (st) {
        ims_store_close(e->store);
        e->store = NULL;
    }
    if (st == IMS_E_NOT_FOUND || st == IMS_E_VERSION)
        return IMS_OK; /* none yet, or one from before there was this choice */
    if (st && err)
        *err = why;
    return st;
}

void ims__engine_return_store(struct ims_engine *e, bool is_lent)
{
    if (is_lent) {
        ims_store_close(e->store);
        e->store = NULL;
    }
}

/* NULL when no choice is stored. An engine without a library looks into the library all the same, if there
 * is one: `embed` and `search` must mean the same model. */
static ims_status read_choice(struct ims_engine *e, char **out, ims_err *err)
{
    bool is_lent;
    ims_status st = ims__engine_lend_store(e, &is_lent, err);

    *out = NULL;
    if (!st && e->store)
        st = ims_store_get_setting(e->store, KEY, out, err);
    ims__engine_return_store(e, is_lent);
    return st;
}

/* ---- names ---- */

ims_status ims__split_model(const char *model, char **out_name, ims_precision *out, bool *out_is_named,
                            ims_err *err)
{
    const char *at = strrchr(model, '@');
    bool is_named = at && at[1] && ims_precision_read(at + 1, out);
    char *name = ims__strndup(model, is_named ? (size_t)(at - model) : strlen(model));

    if (!name)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "choosing the model");
    *out_is_named = is_named;
    *out_name = name;
    return IMS_OK;
}

/* The precision of settings; a wrong word is an error, whatever else may be named. */
static ims_status read_wish(const struct ims_engine *e, ims_precision *out, ims_err *err)
{
    if (ims_precision_read(e->options.precision, out))
        return IMS_OK;
    return ims_fail(err, IMS_E_CONFIG, "engine", 0,
                    "the precision is '%.40s'; it is fp32, fp16, int8 or auto", e->options.precision);
}

ims_status ims__engine_need_pack(struct ims_engine *e, ims_err *err)
{
    struct ims_engine_options options = e->options;
    ims_precision precision, named;
    char *choice = NULL, *name = NULL;
    bool is_named = false;
    ims_status st = IMS_OK;

    if (e->pack)
        return IMS_OK;
    st = read_wish(e, &precision, err);
    if (!st && !options.model && !options.clip_model_name && !options.clip_pretrained)
        st = read_choice(e, &choice, err);
    if (!st && choice && *choice)
        options.model = choice;
    if (!st && options.model)
        st = ims__split_model(options.model, &name, &named, &is_named, err);
    if (is_named && (e->options.model || !options.precision)) /* a setting wins over what is stored */
        precision = named;
    options.model = name;
    if (!st)
        st = ims__choose_pack(&e->pack, &options, err);
    if (!st)
        e->precision = precision;
    ims__free(name);
    if (st == IMS_E_MODEL && choice && *choice)
        st = ims_fail_in(
            err, st, "this library is served by %.100s (`imgsearch models use` chooses another)",
            choice);
    ims__free(choice);
    return st;
}

/* ---- choosing ---- */

static ims_status count_vectors(struct ims_engine *e, const struct ims_clip_info *info,
                                int64_t *out, ims_err *err)
{
    int64_t id = 0;
    ims_status st = ims_store_find_model(e->store, info->name, info->digest, &id, err);

    *out = 0;
    return st || !id ? st : ims_store_vector_count(e->store, id, out, NULL, err);
}

static ims_status count_serving(struct ims_engine *e, struct ims_model_use *use, ims_err *err)
{
    ims_err why;

    use->before_vectors = 0;
    if (ims__engine_need_clip(e, &why)) /* none serves so far, which is why one is chosen */
        return IMS_OK;
    snprintf(use->before, sizeof(use->before), "%s", ims_clip_info(e->clip)->name);
    return count_vectors(e, ims_clip_info(e->clip), &use->before_vectors, err);
}

/* A folder is stored as an absolute path: it must mean the same from everywhere. */
static ims_status store_choice(struct ims_engine *e, const char *name, ims_err *err)
{
    char *real = NULL;
    char *bare = NULL, *full = NULL;
    ims_precision p = IMS_PRECISION_FP32;
    bool is_named = false;
    ims_status st;

    if (!strchr(name, '/'))
        return ims_store_set_setting(e->store, KEY, name, err);
    st = ims__split_model(name, &bare, &p, &is_named, err);
    if (!st)
        st = ims__real_path(bare, &real, err);
    full = st ? NULL : ims__strfmt(is_named ? "%s@%s" : "%s", real, ims_precision_name(p));
    if (!st)
        st = full ? ims_store_set_setting(e->store, KEY, full, err)
                  : ims_fail(err, IMS_E_NOMEM, "engine", 0, "choosing the model");
    ims__free(full);
    ims__free(bare);
    ims__free(real);
    return st;
}

ims_status ims_engine_use_model(struct ims_engine *e, const char *name, bool is_forced,
                                struct ims_model_use *out, ims_err *err)
{
    struct ims_model_use use = { 0 };
    struct ims_clip_options options = { 0 };
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    char *bare = NULL, *cache = NULL;
    bool is_named;
    ims_status st;

    if (!name) {
        st = ims_store_set_setting(e->store, KEY, "", err);
        if (!st)
            *out = use;
        return st;
    }
    st = read_wish(e, &options.precision, err);
    if (!st)
        st = ims__split_model(name, &bare, &options.precision, &is_named, err);
    if (!st)
        st = ims_pack_find(&pack, e->options.model_roots, e->options.n_model_roots, bare, NULL, err);
    if (!st)
        st = ims__engine_settle_precision(e, pack, &options.precision, err);
    options.cache_dir = cache = ims__path_join(e->options.data_dir, "cache");
    if (!st)
        st = ims_clip_open(&clip, pack, NULL, &options, err);
    if (!st)
        st = count_vectors(e, ims_clip_info(clip), &use.vectors, err);
    if (!st)
        st = count_serving(e, &use, err);
    if (!st && use.vectors < use.before_vectors && !is_forced)
        st = ims_fail(err, IMS_E_CONSTRAINT, "engine", 0,
                      "%s has vectors of %lld pictures, %s, which serves, of %lld: index with "
                      "--model %s first, or add "
                      "--now",
                      ims_clip_info(clip)->name, (long long)use.vectors, use.before,
                      (long long)use.before_vectors, name);
    if (!st)
        st = store_choice(e, name, err);
    if (!st) {
        snprintf(use.name, sizeof(use.name), "%s", ims_clip_info(clip)->name);
        *out = use;
    }
    ims__free(bare);
    ims__free(cache);
    ims_clip_close(clip);
    ims_pack_close(pack);
    return st;
}

/* ---- what is stored ---- */

ims_status ims_engine_stored_models(struct ims_engine *e, ims_stored_model_fn fn, void *arg,
                                    ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_model *models;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_models(e->store, &arena, &models, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        int64_t n_vectors = 0;

        st = ims_store_vector_count(e->store, models[i].id, &n_vectors, NULL, err);
        if (!st)
            fn(arg, models[i].name, models[i].digest, n_vectors);
    }
    ims__arena_release(&arena);
    return st;
}

static ims_status check_serving(struct ims_engine *e, const struct ims_store_model *m, ims_err *err)
{
    char *choice = NULL;
    ims_err why;
    ims_status st = read_choice(e, &choice, err);
    bool serves;

    if (st)
        return st;
    serves = (choice && strcmp(choice, m->name) == 0) ||
             (ims__engine_need_model_id(e, false, &why) == IMS_OK && e->model_id == m->id);
    ims__free(choice);
    return serves ? ims_fail(err, IMS_E_CONSTRAINT, "engine", 0,
                             "%s serves this library; let another model serve first (`imgsearch "
                             "models use`)",
                             m->name)
                  : IMS_OK;
}

static ims_status drop_all(struct ims_engine *e, const char *name, int64_t *out_n, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_model *models;
    size_t n = 0, n_found = 0;
    int64_t total = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_models(e->store, &arena, &models, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (strcmp(models[i].name, name) == 0) {
            n_found++;
            st = check_serving(e, &models[i], err);
        }
    }
    if (!st && n_found == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "engine", 0,
                      "this library has nothing of a model named %.100s", name);
    for (size_t i = 0; !st && i < n; i++) {
        int64_t n_vectors = 0;

        if (strcmp(models[i].name, name) != 0)
            continue;
        st = ims_store_drop_model(e->store, models[i].id, &n_vectors, err);
        total += n_vectors;
    }
    ims__arena_release(&arena);
    if (!st)
        *out_n = total;
    return st;
}

ims_status ims_engine_drop_vectors(struct ims_engine *e, const char *name, int64_t *out_n,
                                   ims_err *err)
{
    struct ims_lock_file *lock = NULL;
    ims_status st = ims__lock_file_take(&lock, e->options.data_dir, "index.lock", err);

    if (!st)
        st = drop_all(e, name, out_n, err);
    ims__lock_file_release(lock);
    return st;
}
