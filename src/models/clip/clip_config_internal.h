/* Shared by the files that read CLIP configurations; not for others.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_CONFIG_INTERNAL_H
#define IMS_MODELS_CLIP_CONFIG_INTERNAL_H

#include "base/json.h"
#include "models/clip/clip_config.h"

/* How one key of a configuration object is read. Absent and null keep the default. */
struct ims_clip_key {
    const char *name;
    enum {
        IMS_CLIP_KEY_COUNT,   /* uint32_t, min to max */
        IMS_CLIP_KEY_REAL,    /* double, above 0 up to max */
        IMS_CLIP_KEY_FLAG,    /* bool */
        IMS_CLIP_KEY_NODE,    /* const ims_json *, looked at by the caller */
        IMS_CLIP_KEY_IGNORED, /* cannot change an embedding */
        IMS_CLIP_KEY_REFUSED  /* changes it in a way that is not built; hint says what is */
    } kind;
    size_t offset;
    uint32_t min, max;
    const char *hint;
};

/* Reads object (named "vision_cfg" in messages, "" for the top) by its table into *out; a key that
 * the table lacks is IMS_E_UNSUPPORTED. */
ims_status ims__clip_keys_read(const char *path, const char *object_name, const ims_json *object,
                               const struct ims_clip_key *keys, size_t n_keys, void *out,
                               ims_err *err) IMS_MUST_CHECK;

/* "path: vision_cfg.width: expected E, found F" */
ims_status ims__clip_key_bad(ims_status st, const char *path, const char *object_name,
                             const char *key, const char *expected, const ims_json *found,
                             ims_err *err);

/* A number or [height, width]. */
ims_status ims__clip_pair_read(const char *path, const char *object_name, const char *key,
                               const ims_json *v, uint32_t max, uint32_t *out_height,
                               uint32_t *out_width, ims_err *err) IMS_MUST_CHECK;

/* The image tower that open_clip takes from timm under that name; pool and proj are the values of
 * timm_pool and timm_proj, NULL when they are absent. Sets sizes, patches, pool and blocks. */
ims_status ims__clip_timm_read(struct ims_clip_vision *out, const char *path, const ims_json *name,
                               const ims_json *pool, const ims_json *proj,
                               ims_err *err) IMS_MUST_CHECK;

ims_status ims__clip_preprocess_read(struct ims_clip_preprocess *io, const char *path,
                                     const char *object_name, const ims_json *v,
                                     ims_err *err) IMS_MUST_CHECK;

#endif
