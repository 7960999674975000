/* Which model serves a library: the choice is stored in it, so that a second model can be indexed beside the
 * first and take over by one change of one row. Vectors of models that serve no more stay until dropped.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "engine/engine_internal.h"
#include "engine/lock_file.h"

#include <stdio.h>
#include <string.h>

#define KEY "serving_model"

/* NULL when no choice is stored. An engine without a library looks into the library all the same, if there
 * is one: `embed` and `search` must mean the same model. */
static ims_status read_choice(struct ims_engine *e, char **out, ims_err *err)
{
    ims_err why = { 0 };
    ims_status st;

    *out = NULL;
    if (e->store)
        return ims_store_get_setting(e->store, KEY, out, err);
    st = ims__engine_open_store(e, &why);
    if (st == IMS_E_NOT_FOUND || st == IMS_E_VERSION)
        return IMS_OK; /* none yet, or one from before there was this choice */
    if (!st)
        st = ims_store_get_setting(e->store, KEY, out, &why);
    ims_store_close(e->store);
    e->store = NULL;
    if (st && err)
        *err = why;
    return st;
}

ims_status ims__engine_need_pack(struct ims_engine *e, ims_err *err)
{
    struct ims_engine_options options = e->options;
    char *choice = NULL;
    ims_status st = IMS_OK;

    if (e->pack)
        return IMS_OK;
    if (!options.model && !options.clip_model_name && !options.clip_pretrained)
        st = read_choice(e, &choice, err);
    if (!st && choice && *choice)
        options.model = choice;
    if (!st)
        st = ims__choose_pack(&e->pack, &options, err);
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
    ims_status st = strchr(name, '/') ? ims__real_path(name, &real, err) : IMS_OK;

    if (!st)
        st = ims_store_set_setting(e->store, KEY, real ? real : name, err);
    ims__free(real);
    return st;
}

ims_status ims_engine_use_model(struct ims_engine *e, const char *name, bool is_forced,
                                struct ims_model_use *out, ims_err *err)
{
    struct ims_model_use use = { 0 };
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    ims_status st;

    if (!name) {
        st = ims_store_set_setting(e->store, KEY, "", err);
        if (!st)
            *out = use;
        return st;
    }
    st = ims_pack_find(&pack, e->options.model_roots, e->options.n_model_roots, name, NULL, err);
    if (!st)
        st = ims_clip_open(&clip, pack, NULL, NULL, err);
    if (!st)
        st = count_vectors(e, ims_clip_info(clip), &use.vectors, err);
    if (!st)
        st = count_serving(e, &use, err);
    if (!st && use.vectors < use.before_vectors && !is_forced)
        st = ims_fail(err, IMS_E_CONSTRAINT, "engine", 0,
                      "%s has vectors of %lld pictures, %s, which serves, of %lld: index with "
                      "--model %s first, or add "
                      "--now",
                      pack->name, (long long)use.vectors, use.before, (long long)use.before_vectors,
                      name);
    if (!st)
        st = store_choice(e, name, err);
    if (!st) {
        snprintf(use.name, sizeof(use.name), "%s", pack->name);
        *out = use;
    }
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
