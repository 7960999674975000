/* The architecture of a CLIP model as open_clip's model configuration describes it.
 *
 * Every key of the configuration is either understood, known not to matter for embedding, or
 * refused by name: an unknown key could change the numbers without a sign.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_CONFIG_H
#define IMS_MODELS_CLIP_CONFIG_H

#include "ims/status.h"
#include "models/clip/preprocess.h"
#include "models/clip/textclean.h"
#include "models/pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ims_clip_act { IMS_CLIP_GELU, IMS_CLIP_GELU_TANH, IMS_CLIP_QUICK_GELU } ims_clip_act;

/* What the weights of a block are called. */
typedef enum ims_clip_names { IMS_CLIP_NAMES_OPEN_CLIP, IMS_CLIP_NAMES_TIMM } ims_clip_names;

/* A stack of residual attention blocks. */
struct ims_clip_blocks {
    uint32_t width, layers, heads, mlp_width;
    ims_clip_act act;
    ims_clip_names names;
    double norm_eps;
    bool has_layer_scale;
};

typedef enum ims_clip_image_pool {
    IMS_CLIP_POOL_CLASS,    /* the class token */
    IMS_CLIP_POOL_MEAN,     /* mean of the patches, without the class token */
    IMS_CLIP_POOL_ATTENTION /* a learnt query over the patches: timm's SigLIP towers, which have no
                             * class token, no first norm and no projection */
} ims_clip_image_pool;

struct ims_clip_vision {
    struct ims_clip_blocks blocks;
    uint32_t height, width; /* pixels */
    uint32_t patch_height, patch_width;
    ims_clip_image_pool pool;
    bool no_ln_pre;
    bool final_ln_after_pool;
};

typedef enum ims_clip_text_pool {
    IMS_CLIP_POOL_ARGMAX, /* first position of the largest id */
    IMS_CLIP_POOL_EOS,    /* first position of eos_id */
    IMS_CLIP_POOL_FIRST,
    IMS_CLIP_POOL_LAST
} ims_clip_text_pool;

typedef enum ims_clip_text_proj {
    IMS_CLIP_PROJ_MATRIX, /* [width, dim], no bias */
    IMS_CLIP_PROJ_LINEAR, /* [dim, width] and a bias */
    IMS_CLIP_PROJ_NONE
} ims_clip_text_proj;

struct ims_clip_text {
    struct ims_clip_blocks blocks;
    uint32_t context_length, vocab_size;
    ims_clip_text_pool pool;
    int32_t eos_id; /* POOL_EOS */
    ims_clip_text_proj proj;
    ims_clean clean;
    bool is_causal;
};

struct ims_clip_config {
    uint32_t dim;
    struct ims_clip_vision vision; /* Immich packs: only height and width */
    struct ims_clip_text text;     /* Immich packs: only context_length and vocab_size */
    struct ims_clip_preprocess preprocess;
};

/* Positions after the pooled one cannot reach it, so a batch may be cut to its longest text. */
bool ims__clip_text_is_cuttable(const struct ims_clip_text *t);

/* Reads the configuration files of a pack. IMS_E_FORMAT, IMS_E_LIMIT or IMS_E_UNSUPPORTED names
 * file, key, expected and found. */
ims_status ims__clip_config_read(struct ims_clip_config *out, const struct ims_pack *pack,
                                 ims_err *err) IMS_MUST_CHECK;
/* The same from memory. preprocess NULL: the open_clip form, where one file holds both. */
ims_status ims__clip_config_parse(struct ims_clip_config *out, ims_pack_layout layout,
                                  const char *text, size_t len, const char *path,
                                  const char *preprocess, size_t preprocess_len,
                                  const char *preprocess_path, ims_err *err) IMS_MUST_CHECK;

#endif
