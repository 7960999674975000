/* The image towers that open_clip takes from timm, by their names.
 *
 * The configuration gives only the name; what it stands for is timm's. The activation follows the
 * name, not the generation of the weights: a SigLIP 2 model whose tower has a name of SigLIP's
 * (vit_base_patch16_siglip_224) is computed with the exact GELU, as the reference does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_config_internal.h"

#include "base/mem.h"

#include <string.h>

#define NORM_EPS 1e-6 /* of every norm in timm's vision transformers */

/* Sizes; the width of the MLP is the ratio times width, truncated. */
struct shape {
    uint32_t width, layers, heads, mlp_width;
};

static const struct shape base = { 768, 12, 12, 3072 };
static const struct shape large = { 1024, 24, 16, 4096 };
static const struct shape so400m = { 1152, 27, 16, 4304 }; /* 3.7362 times */
static const struct shape giant = { 1536, 40, 16, 6144 };

static const struct tower {
    const char *name;
    const struct shape *shape;
    uint32_t patch, side;
    ims_clip_act act;
} towers[] = {
    { "vit_base_patch16_siglip_224", &base, 16, 224, IMS_CLIP_GELU },
    { "vit_base_patch16_siglip_256", &base, 16, 256, IMS_CLIP_GELU },
    { "vit_base_patch16_siglip_384", &base, 16, 384, IMS_CLIP_GELU },
    { "vit_base_patch16_siglip_512", &base, 16, 512, IMS_CLIP_GELU },
    { "vit_base_patch32_siglip_256", &base, 32, 256, IMS_CLIP_GELU_TANH },
    { "vit_large_patch16_siglip_256", &large, 16, 256, IMS_CLIP_GELU },
    { "vit_large_patch16_siglip_384", &large, 16, 384, IMS_CLIP_GELU },
    { "vit_large_patch16_siglip_512", &large, 16, 512, IMS_CLIP_GELU_TANH },
    { "vit_so400m_patch14_siglip_224", &so400m, 14, 224, IMS_CLIP_GELU },
    { "vit_so400m_patch14_siglip_378", &so400m, 14, 378, IMS_CLIP_GELU },
    { "vit_so400m_patch14_siglip_384", &so400m, 14, 384, IMS_CLIP_GELU },
    { "vit_so400m_patch16_siglip_256", &so400m, 16, 256, IMS_CLIP_GELU_TANH },
    { "vit_so400m_patch16_siglip_384", &so400m, 16, 384, IMS_CLIP_GELU_TANH },
    { "vit_so400m_patch16_siglip_512", &so400m, 16, 512, IMS_CLIP_GELU_TANH },
    { "vit_giantopt_patch16_siglip_256", &giant, 16, 256, IMS_CLIP_GELU_TANH },
    { "vit_giantopt_patch16_siglip_384", &giant, 16, 384, IMS_CLIP_GELU_TANH },
};

static const struct tower *find_tower(const char *name)
{
    for (size_t i = 0; name && i < IMS_ARRAY_LEN(towers); i++) {
        if (strcmp(towers[i].name, name) == 0)
            return &towers[i];
    }
    return NULL;
}

ims_status ims__clip_timm_read(struct ims_clip_vision *out, const char *path, const ims_json *name,
                               const ims_json *pool, const ims_json *proj, ims_err *err)
{
    const struct tower *t = find_tower(ims__json_str(name, NULL));
    const char *pool_name = ims__json_str(pool, NULL);
    const char *proj_name = ims__json_str(proj, NULL);

    if (!t)
        return ims__clip_key_bad(
            IMS_E_UNSUPPORTED, path, "vision_cfg", "timm_model_name",
            "none, or a SigLIP tower: vit_{base,large,so400m,giantopt}_patchN_siglip_SIZE", name,
            err);
    if (!pool_name || strcmp(pool_name, "map") != 0)
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, "vision_cfg", "timm_pool", "\"map\"",
                                 pool, err);
    if (!proj_name || strcmp(proj_name, "none") != 0)
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, "vision_cfg", "timm_proj", "\"none\"",
                                 proj, err);
    *out = (struct ims_clip_vision){
        .blocks = { .width = t->shape->width,
                    .layers = t->shape->layers,
                    .heads = t->shape->heads,
                    .mlp_width = t->shape->mlp_width,
                    .act = t->act,
                    .names = IMS_CLIP_NAMES_TIMM,
                    .norm_eps = NORM_EPS },
        .height = t->side,
        .width = t->side,
        .patch_height = t->patch,
        .patch_width = t->patch,
        .pool = IMS_CLIP_POOL_ATTENTION,
    };
    return IMS_OK;
}
