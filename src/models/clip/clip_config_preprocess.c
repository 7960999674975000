/* The preprocessing part of a CLIP configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_config_internal.h"

#include "base/limits.h"
#include "base/mem.h"

#include <stddef.h>
#include <string.h>

struct raw {
    const ims_json *size, *mode, *mean, *std, *interpolation, *resize_mode;
    uint32_t fill;
};

#define NODE(key)                                                                                  \
    {                                                                                              \
#key, IMS_CLIP_KEY_NODE, offsetof(struct raw, key), 0, 0, NULL                             \
    }

static const struct ims_clip_key keys[] = {
    NODE(size),
    NODE(mode),
    NODE(mean),
    NODE(std),
    NODE(interpolation),
    NODE(resize_mode),
    { "fill_color", IMS_CLIP_KEY_COUNT, offsetof(struct raw, fill), 0, 255, NULL },
};

/* Index of the text v among names, or n. */
static size_t find(const ims_json *v, const char *const *names, size_t n)
{
    const char *s = ims__json_str(v, NULL);
    size_t i = 0;

    while (i < n && !(s && strcmp(s, names[i]) == 0))
        i++;
    return i;
}

static ims_status read_triple(const char *path, const char *object_name, const char *key,
                              const ims_json *v, double min, float out[3], ims_err *err)
{
    if (!v)
        return IMS_OK;
    for (size_t i = 0; i < 3; i++) {
        double x = ims__json_num(ims__json_at(v, i), -1e9);
        if (ims__json_len(v) != 3 || !(x >= min && x <= 1e3))
            return ims__clip_key_bad(IMS_E_FORMAT, path, object_name, key,
                                     min > 0 ? "three numbers above 0" : "three numbers", v, err);
    }
    for (size_t i = 0; i < 3; i++)
        out[i] = (float)ims__json_num(ims__json_at(v, i), 0.0);
    return IMS_OK;
}

static ims_status read_names(struct ims_clip_preprocess *io, const struct raw *raw,
                             const char *path, const char *object_name, ims_err *err)
{
    static const char *const modes[] = { "RGB" };
    static const char *const filters[] = { "bicubic", "bilinear" };
    static const char *const resizes[] = { "shortest", "squash", "longest" };
    size_t i;

    if (raw->mode && find(raw->mode, modes, IMS_ARRAY_LEN(modes)) == IMS_ARRAY_LEN(modes))
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, object_name, "mode", "\"RGB\"", raw->mode,
                                 err);
    if (raw->interpolation) {
        i = find(raw->interpolation, filters, IMS_ARRAY_LEN(filters));
        if (i == IMS_ARRAY_LEN(filters))
            return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, object_name, "interpolation",
                                     "\"bicubic\" or \"bilinear\"", raw->interpolation, err);
        io->interpolation = i == 0 ? IMS_FILTER_BICUBIC : IMS_FILTER_BILINEAR;
    }
    if (raw->resize_mode) {
        static const ims_clip_resize values[] = { IMS_CLIP_RESIZE_SHORTEST, IMS_CLIP_RESIZE_SQUASH,
                                                  IMS_CLIP_RESIZE_LONGEST };
        i = find(raw->resize_mode, resizes, IMS_ARRAY_LEN(resizes));
        if (i == IMS_ARRAY_LEN(resizes))
            return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, object_name, "resize_mode",
                                     "\"shortest\", \"squash\" or \"longest\"", raw->resize_mode,
                                     err);
        io->resize = values[i];
    }
    return IMS_OK;
}

ims_status ims__clip_preprocess_read(struct ims_clip_preprocess *io, const char *path,
                                     const char *object_name, const ims_json *v, ims_err *err)
{
    struct raw raw = { .fill = io->fill };
    uint32_t h = (uint32_t)io->height;
    uint32_t w = (uint32_t)io->width;
    ims_status st;

    if (!v)
        return IMS_OK;
    st = ims__clip_keys_read(path, object_name, v, keys, IMS_ARRAY_LEN(keys), &raw, err);
    if (!st && raw.size)
        st = ims__clip_pair_read(path, object_name, "size", raw.size, IMS_MAX_MODEL_SIDE_PX, &h, &w,
                                 err);
    if (!st && (h != (uint32_t)io->height || w != (uint32_t)io->width))
        st = ims__clip_key_bad(IMS_E_FORMAT, path, object_name, "size",
                               "the image_size of the model", raw.size, err);
    if (!st)
        st = read_triple(path, object_name, "mean", raw.mean, -1e3, io->mean, err);
    if (!st)
        st = read_triple(path, object_name, "std", raw.std, 1e-6, io->std, err);
    if (!st)
        st = read_names(io, &raw, path, object_name, err);
    io->fill = (uint8_t)raw.fill;
    return st;
}
