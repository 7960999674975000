/* Counters of the process, and a look at its loaded models and index without waiting for either.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/figures.h"

#include "engine/engine_internal.h"

static struct ims_engine *host_of(struct ims_engine *e)
{
    return e->host ? e->host : e;
}

void ims__figure_add(struct ims_engine *e, ims_figure which, uint64_t n)
{
    if (n)
        atomic_fetch_add_explicit(&host_of(e)->figures.at[which], n, memory_order_relaxed);
}

void ims__figures_read(struct ims_engine *e, uint64_t out[IMS_N_FIGURES])
{
    for (size_t i = 0; i < IMS_N_FIGURES; i++)
        out[i] = atomic_load_explicit(&host_of(e)->figures.at[i], memory_order_relaxed);
}

static const char *const clip_parts[IMS_CLIP_N_TOWERS] = { [IMS_CLIP_IMAGE] = "clip_image", [IMS_CLIP_TEXT] = "clip_text" };
static const char *const face_parts[IMS_FACE_N_PARTS] = { [IMS_FACE_DETECT] = "face_detect",
                                                          [IMS_FACE_EMBED] = "face_embed",
                                                          [IMS_FACE_GENDER_AGE] = "face_gender_age",
                                                          [IMS_FACE_LANDMARKS] = "face_landmarks" };

void ims__engine_pools(struct ims_engine *e, ims_pool_fn fn, void *arg)
{
    struct ims_engine *host = host_of(e);
    struct ims_pool_info *info;

    if (!ims__try_lock(&host->sharing))
        return;
    info = ims__zalloc(1, sizeof(*info));
    for (int i = 0; info && host->clip && i < IMS_CLIP_N_TOWERS; i++) {
        if (ims_pool_describe(ims_clip_pool(host->clip, (ims_clip_tower)i), info))
            fn(arg, clip_parts[i], info);
    }
    for (int i = 0; info && host->faces && i < IMS_FACE_N_PARTS; i++) {
        if (ims_pool_describe(ims_face_pool(host->faces, (ims_face_part)i), info))
            fn(arg, face_parts[i], info);
    }
    ims__unlock(&host->sharing);
    ims__free(info);
}

void ims__engine_device_now(struct ims_engine *e, struct ims_device_used *out)
{
    struct ims_engine *host = host_of(e);

    *out = e->used;
    if (out->device[0] || !ims__try_lock(&host->sharing))
        return;
    *out = host->used;
    ims__unlock(&host->sharing);
}

bool ims__engine_index_now(struct ims_engine *e, struct ims_index_info *out)
{
    struct ims_engine *host = host_of(e);
    struct ims_vectors_info info;
    bool is_open;

    if (!ims__try_lock(&host->sharing))
        return false;
    is_open = host->vectors != NULL && !ims__keeper_is_running(host);
    if (is_open) {
        *out = (struct ims_index_info){ .model = ims_clip_info(host->clip)->name };
        ims_vectors_info(host->vectors, &info);
        ims__index_fill_info(&info, out);
    }
    ims__unlock(&host->sharing);
    return is_open;
}
