/* Reading open_clip's model configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_config.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "models/clip/clip_config_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ORIGIN "clip"
#define MAX_WIDTH 16384
#define MAX_LAYERS 256
#define MAX_HEADS 1024
#define MAX_MLP_RATIO 64
#define MAX_CONTEXT 4096
#define MAX_PATCHES 16384
#define DEFAULT_EPS 1e-5 /* torch's LayerNorm */

#define SUPPORTED                                                                                  \
    "none (open_clip's own vision and text transformers and timm's SigLIP towers are supported)"

/* Both towers' keys before they are judged. */
struct raw_tower {
    const ims_json *layers, *image_size, *patch_size, *pool_type, *act, *norm, *layer_scale,
        *proj_type, *tokenizer, *timm_name, *timm_pool, *timm_proj;
    uint32_t width, heads, head_width, context_length, vocab_size, eos_id;
    double mlp_ratio;
    bool no_ln_pre, final_ln_after_pool, no_causal_mask, proj_bias;
};

#define COUNT(key, field, lo, hi)                                                                  \
    {                                                                                              \
        key, IMS_CLIP_KEY_COUNT, offsetof(struct raw_tower, field), lo, hi, NULL                   \
    }
#define FLAG(key, field)                                                                           \
    {                                                                                              \
        key, IMS_CLIP_KEY_FLAG, offsetof(struct raw_tower, field), 0, 0, NULL                      \
    }
#define NODE(key, field)                                                                           \
    {                                                                                              \
        key, IMS_CLIP_KEY_NODE, offsetof(struct raw_tower, field), 0, 0, NULL                      \
    }
#define IGNORED(key)                                                                               \
    {                                                                                              \
        key, IMS_CLIP_KEY_IGNORED, 0, 0, 0, NULL                                                   \
    }
#define REFUSED(key, hint)                                                                         \
    {                                                                                              \
        key, IMS_CLIP_KEY_REFUSED, 0, 0, 0, hint                                                   \
    }
#define SHARED_KEYS                                                                                \
    NODE("layers", layers), COUNT("width", width, 1, MAX_WIDTH),                                   \
        { "mlp_ratio", IMS_CLIP_KEY_REAL, offsetof(struct raw_tower, mlp_ratio),                   \
          0,           MAX_MLP_RATIO,     NULL },                                                  \
        NODE("ls_init_value", layer_scale), NODE("pool_type", pool_type), NODE("act_kwargs", act), \
        NODE("norm_kwargs", norm), IGNORED("output_tokens"), REFUSED("block_type", SUPPORTED),     \
        REFUSED("qk_norm", SUPPORTED), REFUSED("scaled_cosine_attn", SUPPORTED),                   \
        REFUSED("scale_heads", SUPPORTED), REFUSED("scale_attn_inner", SUPPORTED),                 \
        REFUSED("scale_attn", SUPPORTED), REFUSED("scale_fc", SUPPORTED)

static const struct ims_clip_key vision_keys[] = {
    SHARED_KEYS,
    COUNT("head_width", head_width, 1, MAX_WIDTH),
    NODE("image_size", image_size),
    NODE("patch_size", patch_size),
    FLAG("no_ln_pre", no_ln_pre),
    FLAG("final_ln_after_pool", final_ln_after_pool),
    IGNORED("patch_dropout"),  /* only in training */
    IGNORED("pos_embed_type"), /* the values are in the file either way */
    REFUSED("attentional_pool", SUPPORTED),
    IGNORED("attn_pooler_queries"),
    IGNORED("attn_pooler_heads"),
    NODE("timm_model_name", timm_name),
    IGNORED("timm_model_pretrained"),
    NODE("timm_pool", timm_pool),
    NODE("timm_proj", timm_proj),
    IGNORED("timm_proj_bias"),
    IGNORED("timm_drop"),
    IGNORED("timm_drop_path"),
};

static const struct ims_clip_key text_keys[] = {
    SHARED_KEYS,
    COUNT("heads", heads, 1, MAX_HEADS),
    COUNT("context_length", context_length, 2, MAX_CONTEXT),
    COUNT("vocab_size", vocab_size, 1, IMS_MAX_VOCAB),
    IGNORED("pad_id"), /* for masks that are not built; the tokenizer pads */
    COUNT("eos_id", eos_id, 0, IMS_MAX_VOCAB),
    FLAG("no_causal_mask", no_causal_mask),
    FLAG("proj_bias", proj_bias),
    NODE("proj_type", proj_type),
    NODE("tokenizer_kwargs", tokenizer),
    IGNORED("final_ln_after_pool"), /* the text tower of the reference has no such switch */
    IGNORED("hf_tokenizer_name"),   /* tokenizer.json says what it is */
    REFUSED("tokenizer_mode", "none (CLIP's own cleaning is supported)"),
    REFUSED("embed_cls", SUPPORTED),
    REFUSED("hf_model_name", SUPPORTED),
    IGNORED("hf_model_pretrained"),
    IGNORED("hf_proj_type"),
    IGNORED("hf_pooler_type"),
};

struct raw_top {
    const ims_json *vision, *text;
    uint32_t dim;
    bool quick_gelu;
};

static const struct ims_clip_key top_keys[] = {
    { "embed_dim", IMS_CLIP_KEY_COUNT, offsetof(struct raw_top, dim), 1, IMS_MAX_EMBEDDING_DIM,
      NULL },
    { "vision_cfg", IMS_CLIP_KEY_NODE, offsetof(struct raw_top, vision), 0, 0, NULL },
    { "text_cfg", IMS_CLIP_KEY_NODE, offsetof(struct raw_top, text), 0, 0, NULL },
    { "quick_gelu", IMS_CLIP_KEY_FLAG, offsetof(struct raw_top, quick_gelu), 0, 0, NULL },
    IGNORED("custom_text"), /* shows in the names of the weights */
    IGNORED("init_logit_scale"),
    IGNORED("init_logit_bias"),
    IGNORED("nonscalar_logit_scale"),
    IGNORED("cast_dtype"),
    IGNORED("output_dict"),
    REFUSED("multimodal_cfg", SUPPORTED),
};

static ims_status read_activation(struct ims_clip_blocks *b, const char *path, const char *name,
                                  const struct raw_tower *raw, bool quick_gelu, ims_err *err)
{
    const char *approximate = ims__json_str(ims__json_get(raw->act, "approximate"), NULL);
    size_t n = ims__json_len(raw->act);

    b->act = quick_gelu ? IMS_CLIP_QUICK_GELU : IMS_CLIP_GELU;
    if (n == 0)
        return IMS_OK;
    if (quick_gelu || n != 1 || !approximate ||
        (strcmp(approximate, "tanh") != 0 && strcmp(approximate, "none") != 0))
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, name, "act_kwargs",
                                 "{\"approximate\": \"tanh\"} or \"none\", without quick_gelu",
                                 raw->act, err);
    if (strcmp(approximate, "tanh") == 0)
        b->act = IMS_CLIP_GELU_TANH;
    return IMS_OK;
}

static ims_status read_blocks(struct ims_clip_blocks *b, const char *path, const char *name,
                              const struct raw_tower *raw, bool quick_gelu, ims_err *err)
{
    const ims_json *eps = ims__json_get(raw->norm, "eps");
    int64_t layers = raw->layers ? ims__json_int(raw->layers, -1) : 12;
    double mlp = (double)raw->width * raw->mlp_ratio;
    char found[64];

    if (ims__json_type(raw->layers) == IMS_JSON_ARRAY)
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, name, "layers",
                                 "one number (vision transformers are supported, ResNets are not)",
                                 raw->layers, err);
    if (layers < 1 || layers > MAX_LAYERS)
        return ims__clip_key_bad(IMS_E_FORMAT, path, name, "layers", "a whole number from 1 to 256",
                                 raw->layers, err);
    if (raw->heads == 0 || raw->width % raw->heads != 0) {
        (void)snprintf(found, sizeof(found), "%u for %u heads", raw->width, raw->heads);
        return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                        "%s: %s.width: expected a multiple of the number of heads, found %s", path,
                        name, found);
    }
    b->norm_eps = DEFAULT_EPS;
    if (ims__json_len(raw->norm) != (eps ? 1u : 0u))
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, name, "norm_kwargs", "only \"eps\"",
                                 raw->norm, err);
    if (eps) {
        b->norm_eps = ims__json_num(eps, -1.0);
        if (!(b->norm_eps >= 0.0 && b->norm_eps < 1.0))
            return ims__clip_key_bad(IMS_E_FORMAT, path, name, "norm_kwargs.eps",
                                     "a number from 0 and below 1", eps, err);
    }
    if (!(mlp >= 1.0 && mlp <= (double)MAX_WIDTH * MAX_MLP_RATIO))
        return ims__clip_key_bad(IMS_E_FORMAT, path, name, "mlp_ratio",
                                 "a ratio that leaves at least one unit", NULL, err);
    b->width = raw->width;
    b->layers = (uint32_t)layers;
    b->heads = raw->heads;
    b->mlp_width = (uint32_t)mlp; /* truncated, as the reference does */
    b->has_layer_scale = raw->layer_scale != NULL;
    return read_activation(b, path, name, raw, quick_gelu, err);
}

/* What a timm tower is follows from its name; image_size only repeats it. */
static ims_status read_timm(struct ims_clip_vision *v, const char *path,
                            const struct raw_tower *raw, ims_err *err)
{
    uint32_t h = 224;
    uint32_t w = 224;
    ims_status st =
        ims__clip_timm_read(v, path, raw->timm_name, raw->timm_pool, raw->timm_proj, err);

    if (!st && raw->image_size)
        st = ims__clip_pair_read(path, "vision_cfg", "image_size", raw->image_size,
                                 IMS_MAX_MODEL_SIDE_PX, &h, &w, err);
    if (!st && (h != v->height || w != v->width))
        st = ims__clip_key_bad(IMS_E_FORMAT, path, "vision_cfg", "image_size",
                               "the size at the end of timm_model_name", raw->image_size, err);
    return st;
}

static ims_status read_vision(struct ims_clip_vision *v, const char *path, const ims_json *node,
                              bool quick_gelu, ims_err *err)
{
    struct raw_tower raw = { .width = 768, .head_width = 64, .mlp_ratio = 4.0 };
    const char *pool;
    const char *timm;
    ims_status st;

    st = ims__clip_keys_read(path, "vision_cfg", node, vision_keys, IMS_ARRAY_LEN(vision_keys),
                             &raw, err);
    if (st)
        return st;
    timm = ims__json_str(raw.timm_name, NULL);
    if (raw.timm_name && !(timm && *timm == '\0'))
        return read_timm(v, path, &raw, err);
    v->height = v->width = 224;
    v->patch_height = v->patch_width = 16;
    if (raw.image_size)
        st = ims__clip_pair_read(path, "vision_cfg", "image_size", raw.image_size,
                                 IMS_MAX_MODEL_SIDE_PX, &v->height, &v->width, err);
    if (!st && raw.patch_size)
        st = ims__clip_pair_read(path, "vision_cfg", "patch_size", raw.patch_size,
                                 IMS_MAX_MODEL_SIDE_PX, &v->patch_height, &v->patch_width, err);
    if (st)
        return st;
    if (v->patch_height > v->height || v->patch_width > v->width)
        return ims__clip_key_bad(IMS_E_FORMAT, path, "vision_cfg", "patch_size",
                                 "at most image_size", raw.patch_size, err);
    if ((v->height / v->patch_height) * (v->width / v->patch_width) > MAX_PATCHES)
        return ims__clip_key_bad(IMS_E_LIMIT, path, "vision_cfg", "patch_size",
                                 "at most 16384 patches", raw.patch_size, err);
    pool = raw.pool_type ? ims__json_str(raw.pool_type, NULL) : "tok";
    if (!pool || (strcmp(pool, "tok") != 0 && strcmp(pool, "avg") != 0))
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, "vision_cfg", "pool_type",
                                 "\"tok\" or \"avg\"", raw.pool_type, err);
    v->pool = strcmp(pool, "tok") == 0 ? IMS_CLIP_POOL_CLASS : IMS_CLIP_POOL_MEAN;
    v->no_ln_pre = raw.no_ln_pre;
    v->final_ln_after_pool = raw.final_ln_after_pool;
    raw.heads = raw.width / raw.head_width;
    return read_blocks(&v->blocks, path, "vision_cfg", &raw, quick_gelu, err);
}

static ims_status read_text_pool(struct ims_clip_text *t, const char *path, const ims_json *v,
                                 ims_err *err)
{
    static const char *const names[] = { [IMS_CLIP_POOL_ARGMAX] = "argmax",
                                         [IMS_CLIP_POOL_EOS] = "eos",
                                         [IMS_CLIP_POOL_FIRST] = "first",
                                         [IMS_CLIP_POOL_LAST] = "last" };
    const char *name = v ? ims__json_str(v, NULL) : "argmax";

    for (size_t i = 0; name && i < IMS_ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            t->pool = (ims_clip_text_pool)i;
            return IMS_OK;
        }
    }
    return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, "text_cfg", "pool_type",
                             "\"argmax\", \"eos\", \"first\" or \"last\"", v, err);
}

static ims_status read_text(struct ims_clip_text *t, const char *path, const ims_json *node,
                            bool quick_gelu, ims_err *err)
{
    struct raw_tower raw = { .width = 512,
                             .heads = 8,
                             .mlp_ratio = 4.0,
                             .context_length = 77,
                             .vocab_size = 49408,
                             .eos_id = 2 };
    const char *clean;
    const char *proj;
    ims_status st;

    st =
        ims__clip_keys_read(path, "text_cfg", node, text_keys, IMS_ARRAY_LEN(text_keys), &raw, err);
    if (!st)
        st = read_text_pool(t, path, raw.pool_type, err);
    if (st)
        return st;
    clean = ims__json_str(ims__json_get(raw.tokenizer, "clean"), NULL);
    t->clean = clean && strcmp(clean, "canonicalize") == 0 ? IMS_CLEAN_CANONICAL : IMS_CLEAN_LOWER;
    if (ims__json_len(raw.tokenizer) >
        (t->clean == IMS_CLEAN_CANONICAL || (clean && strcmp(clean, "lower") == 0) ? 1u : 0u))
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, "text_cfg", "tokenizer_kwargs",
                                 "none, {\"clean\": \"lower\"} or {\"clean\": \"canonicalize\"}",
                                 raw.tokenizer, err);
    proj = raw.proj_type ? ims__json_str(raw.proj_type, NULL) : "linear";
    if (!proj || (strcmp(proj, "linear") != 0 && strcmp(proj, "none") != 0))
        return ims__clip_key_bad(IMS_E_UNSUPPORTED, path, "text_cfg", "proj_type",
                                 "\"linear\" or \"none\"", raw.proj_type, err);
    t->proj = strcmp(proj, "none") == 0 ? IMS_CLIP_PROJ_NONE
              : raw.proj_bias           ? IMS_CLIP_PROJ_LINEAR
                                        : IMS_CLIP_PROJ_MATRIX;
    t->is_causal = !raw.no_causal_mask;
    t->context_length = raw.context_length;
    t->vocab_size = raw.vocab_size;
    t->eos_id = (int32_t)raw.eos_id;
    return read_blocks(&t->blocks, path, "text_cfg", &raw, quick_gelu, err);
}

static ims_status read_open_clip(struct ims_clip_config *c, const char *path, const ims_json *model,
                                 ims_err *err)
{
    struct raw_top raw = { 0 };
    ims_status st;

    st =
        ims__clip_keys_read(path, "model_cfg", model, top_keys, IMS_ARRAY_LEN(top_keys), &raw, err);
    if (!st && raw.dim == 0)
        st = ims__clip_key_bad(IMS_E_FORMAT, path, "model_cfg", "embed_dim", "a whole number", NULL,
                               err);
    if (!st)
        st = read_vision(&c->vision, path, raw.vision, raw.quick_gelu, err);
    if (!st)
        st = read_text(&c->text, path, raw.text, raw.quick_gelu, err);
    c->dim = raw.dim;
    if (!st && c->text.proj == IMS_CLIP_PROJ_NONE && c->text.blocks.width != c->dim)
        st = ims__clip_key_bad(IMS_E_FORMAT, path, "text_cfg", "width",
                               "embed_dim, as there is no projection",
                               ims__json_get(raw.text, "width"), err);
    if (!st && c->vision.pool == IMS_CLIP_POOL_ATTENTION) {
        if (c->vision.blocks.width != c->dim)
            st = ims__clip_key_bad(IMS_E_FORMAT, path, "model_cfg", "embed_dim",
                                   "the width of the image tower, which has no projection",
                                   ims__json_get(model, "embed_dim"), err);
        c->preprocess = ims__clip_preprocess_siglip;
    }
    return st;
}

/* An Immich pack brings its graphs along, of any architecture: only sizes are needed from here. */
static ims_status read_immich(struct ims_clip_config *c, const char *path, const ims_json *model,
                              ims_err *err)
{
    const ims_json *vision = ims__json_get(model, "vision_cfg");
    const ims_json *text = ims__json_get(model, "text_cfg");
    int64_t dim = ims__json_int(ims__json_get(model, "embed_dim"), -1);
    int64_t context = ims__json_int(ims__json_get(text, "context_length"), 77);
    int64_t vocab = ims__json_int(ims__json_get(text, "vocab_size"), 49408);
    const ims_json *size = ims__json_get(vision, "image_size");

    if (dim < 1 || dim > IMS_MAX_EMBEDDING_DIM)
        return ims__clip_key_bad(IMS_E_FORMAT, path, "", "embed_dim",
                                 "a whole number from 1 to 8192", ims__json_get(model, "embed_dim"),
                                 err);
    if (context < 2 || context > MAX_CONTEXT)
        return ims__clip_key_bad(IMS_E_FORMAT, path, "text_cfg", "context_length",
                                 "a whole number from 2 to 4096",
                                 ims__json_get(text, "context_length"), err);
    if (vocab < 1 || vocab > IMS_MAX_VOCAB)
        return ims__clip_key_bad(IMS_E_FORMAT, path, "text_cfg", "vocab_size",
                                 "a whole number from 1 to 1000000",
                                 ims__json_get(text, "vocab_size"), err);
    c->dim = (uint32_t)dim;
    c->text.context_length = (uint32_t)context;
    c->text.vocab_size = (uint32_t)vocab;
    c->vision.height = c->vision.width = 224;
    if (!size)
        return IMS_OK;
    return ims__clip_pair_read(path, "vision_cfg", "image_size", size, IMS_MAX_MODEL_SIDE_PX,
                               &c->vision.height, &c->vision.width, err);
}

bool ims__clip_text_is_cuttable(const struct ims_clip_text *t)
{
    return t->is_causal && t->pool != IMS_CLIP_POOL_LAST;
}

ims_status ims__clip_config_parse(struct ims_clip_config *out, ims_pack_layout layout,
                                  const char *text, size_t len, const char *path,
                                  const char *preprocess, size_t preprocess_len,
                                  const char *preprocess_path, ims_err *err)
{
    struct ims_clip_config c = { .preprocess = ims__clip_preprocess_openai };
    const ims_json *model;
    ims_json *root = NULL;
    ims_json *second = NULL;
    ims_status st;

    st = ims__json_parse(&root, text, len, path, err);
    if (st)
        goto out;
    model = ims__json_get(root, "model_cfg");
    if (!model && layout == IMS_PACK_IMMICH)
        model = root;
    st = layout == IMS_PACK_IMMICH ? read_immich(&c, path, model, err)
                                   : read_open_clip(&c, path, model, err);
    if (st)
        goto out;
    c.preprocess.width = (int)c.vision.width;
    c.preprocess.height = (int)c.vision.height;
    if (preprocess) {
        st = ims__json_parse(&second, preprocess, preprocess_len, preprocess_path, err);
        if (!st)
            st = ims__clip_preprocess_read(&c.preprocess, preprocess_path, "", second, err);
    } else {
        st = ims__clip_preprocess_read(&c.preprocess, path, "preprocess_cfg",
                                       ims__json_get(root, "preprocess_cfg"), err);
    }
    if (!st)
        *out = c;
out:
    ims__json_free(second);
    ims__json_free(root);
    return st;
}

ims_status ims__clip_config_read(struct ims_clip_config *out, const struct ims_pack *pack,
                                 ims_err *err)
{
    const char *path = pack->files[IMS_PACK_CONFIG];
    const char *path2 = pack->files[IMS_PACK_PREPROCESS];
    bool has_second = pack->layout == IMS_PACK_IMMICH;
    struct ims_buf text;
    struct ims_buf second;
    ims_status st;

    ims__buf_init(&second, 1);
    st = ims__read_file(path, IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, err);
    if (st)
        return st;
    if (has_second)
        st = ims__read_file(path2, IMS_MAX_CONFIG_FILE_BYTES, &second, NULL, err);
    if (!st)
        st = ims__clip_config_parse(out, pack->layout, text.data ? text.data : "", text.len, path,
                                    !has_second   ? NULL
                                    : second.data ? second.data
                                                  : "",
                                    second.len, path2, err);
    ims__buf_release(&second);
    ims__buf_release(&text);
    return st;
}
