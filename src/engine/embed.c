/* Words and pictures to vectors, outside of indexing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/engine_internal.h"

ims_status ims_engine_embed_text(struct ims_engine *e, const char *text, float **out, uint32_t *out_dim,
                                 ims_err *err)
{
    struct ims_text_cache *texts = &(e->host ? e->host : e)->texts;
    float *vector = NULL;
    ims_status st = ims__engine_need_clip(e, err);

    if (st)
        return st;
    vector = ims__alloc(ims_clip_info(e->clip)->dim, sizeof(float));
    if (!vector)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "embedding a text");
    *out_dim = ims_clip_info(e->clip)->dim;
    if (ims__text_cache_get(texts, text, vector, *out_dim)) {
        ims__figure_add(e, IMS_FIGURE_TEXT_HITS, 1);
        *out = vector;
        return IMS_OK;
    }
    ims__figure_add(e, IMS_FIGURE_TEXT_MISSES, 1);
    st = ims_clip_embed_text(e->clip, &text, 1, vector, err);
    if (st) {
        ims__free(vector);
        return st;
    }
    ims__text_cache_put(texts, text, vector, *out_dim);
    ims__engine_note_device(e, false);
    *out = vector;
    return IMS_OK;
}

static ims_status embed_bytes(struct ims_engine *e, const uint8_t *bytes, size_t n_bytes, float *out, ims_err *err)
{
    const struct ims_clip_info *info = ims_clip_info(e->clip);
    struct ims_image *image = NULL;
    uint8_t *pixels = NULL;
    ims_status st = ims__engine_need_media(e, err);

    if (st)
        return st;
    st = ims_media_decode(e->media, bytes, n_bytes, NULL, &image, err);
    if (st)
        goto out;
    pixels = ims__alloc((size_t)info->preprocess.width * (size_t)info->preprocess.height, 3);
    if (!pixels) {
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "embedding a picture");
        goto out;
    }
    st = ims__model_pixels(e->media, info, image, pixels, err);
    if (!st)
        st = ims_clip_embed_images(e->clip, pixels, 1, out, err);
    if (!st)
        ims__engine_note_device(e, true);
out:
    ims__free(pixels);
    ims_image_unref(image);
    return st;
}

ims_status ims_engine_embed_picture(struct ims_engine *e, const uint8_t *bytes, size_t n_bytes, const char *what,
                                    float **out, uint32_t *out_dim, ims_err *err)
{
    char shown[IMS_SHOWN_BYTES];
    float *vector;
    ims_status st = ims__engine_need_clip(e, err);

    if (st)
        return st;
    vector = ims__alloc(ims_clip_info(e->clip)->dim, sizeof(float));
    if (!vector)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "embedding a picture");
    st = embed_bytes(e, bytes, n_bytes, vector, err);
    if (st) {
        ims__free(vector);
        return ims_fail_in(err, st, "%s", ims__shown(shown, sizeof(shown), what));
    }
    *out = vector;
    *out_dim = ims_clip_info(e->clip)->dim;
    return IMS_OK;
}

ims_status ims_engine_embed_image(struct ims_engine *e, const char *path, float **out, uint32_t *out_dim,
                                  ims_err *err)
{
    struct ims_buf bytes;
    ims_status st = ims__read_file(path, IMS_MAX_IMAGE_BYTES, &bytes, NULL, err);

    if (st)
        return st;
    st = ims_engine_embed_picture(e, (const uint8_t *)bytes.data, bytes.len, ims__path_base(path), out, out_dim, err);
    ims__buf_release(&bytes);
    return st;
}

ims_status ims_engine_tokenize(struct ims_engine *e, const char *text, int32_t **out, size_t *out_n,
                               ims_err *err)
{
    ims_status st = ims__engine_need_clip(e, err);

    return st ? st : ims_clip_tokenize(e->clip, text, out, out_n, err);
}

ims_status ims_engine_text_is_cut(struct ims_engine *e, const char *text, bool *out, ims_err *err)
{
    ims_status st = ims__engine_need_clip(e, err);

    return st ? st : ims_clip_text_is_cut(e->clip, text, out, err);
}
