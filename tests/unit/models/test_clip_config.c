/* CLIP configurations: defaults as open_clip's, and every refusal naming the key.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_config.h"

#include "harness/test.h"

#include <stdio.h>
#include <string.h>

static ims_status parse(struct ims_clip_config *c, const char *text, ims_err *err)
{
    *err = (ims_err){ 0 };
    return ims__clip_config_parse(c, IMS_PACK_OPEN_CLIP, text, strlen(text), "c.json", NULL, 0,
                                  NULL, err);
}

/* vision, text: members of the two objects; more: further members of model_cfg, with a comma. */
static const char *config(const char *vision, const char *text, const char *more)
{
    static char out[2048];

    (void)snprintf(out, sizeof(out),
                   "{\"model_cfg\":{\"embed_dim\":512%s,\"vision_cfg\":{%s},\"text_cfg\":{%s}}}",
                   more, vision, text);
    return out;
}

static void check_refused(const char *text, ims_status want, const char *message)
{
    struct ims_clip_config c;
    ims_err err;

    CHECK_STATUS(parse(&c, text, &err), want, err);
    CHECK_STR(err.text, message);
}

#define NOT_BUILT                                                                                  \
    "expected none (open_clip's own vision and text transformers and timm's SigLIP towers are "    \
    "supported), found "

#define NO_TIMM                                                                                    \
    "expected none, or a SigLIP tower: vit_{base,large,so400m,giantopt}_patchN_siglip_SIZE, "      \
    "found "

TEST(defaults, "an empty vision and text configuration is open_clip's default model")
{
    struct ims_clip_config c;
    ims_err err;

    CHECK_OK(parse(&c, config("", "", ""), &err), err);
    CHECK_INT(c.dim, 512);
    CHECK_INT(c.vision.height, 224);
    CHECK_INT(c.vision.patch_width, 16);
    CHECK_INT(c.vision.blocks.width, 768);
    CHECK_INT(c.vision.blocks.layers, 12);
    CHECK_INT(c.vision.blocks.heads, 12);
    CHECK_INT(c.vision.blocks.mlp_width, 3072);
    CHECK_INT(c.vision.pool, IMS_CLIP_POOL_CLASS);
    CHECK(!c.vision.no_ln_pre);
    CHECK_INT(c.text.context_length, 77);
    CHECK_INT(c.text.vocab_size, 49408);
    CHECK_INT(c.text.blocks.width, 512);
    CHECK_INT(c.text.blocks.heads, 8);
    CHECK_INT(c.text.pool, IMS_CLIP_POOL_ARGMAX);
    CHECK(c.text.is_causal && ims__clip_text_is_cuttable(&c.text));
    CHECK_INT(c.text.blocks.act, IMS_CLIP_GELU);
    CHECK_INT(c.preprocess.width, 224);
    CHECK_INT(c.preprocess.resize, IMS_CLIP_RESIZE_SHORTEST);
    CHECK_INT(c.preprocess.interpolation, IMS_FILTER_BICUBIC);
    CHECK_NEAR(c.preprocess.mean[0], 0.48145466, 1e-7);
    CHECK_NEAR(c.preprocess.std[2], 0.27577711, 1e-7);
}

TEST(values, "sizes, ratios, switches and preprocessing are taken over")
{
    struct ims_clip_config c;
    ims_err err;
    const char *text =
        "{\"model_cfg\":{\"embed_dim\":640,\"quick_gelu\":true,\"custom_text\":true,"
        "\"init_logit_bias\":-10,\"vision_cfg\":{\"image_size\":[192,256],\"patch_size\":[16,32],"
        "\"width\":1664,\"head_width\":104,\"layers\":48,\"mlp_ratio\":4.9231,\"pool_type\":"
        "\"avg\","
        "\"no_ln_pre\":true,\"ls_init_value\":1e-5,\"timm_model_name\":null,\"timm_pool\":\"avg\"},"
        "\"text_cfg\":{\"no_causal_mask\":true,\"pool_type\":\"last\",\"proj_bias\":true,"
        "\"norm_kwargs\":{\"eps\":1e-6},\"hf_tokenizer_name\":\"x\"}},"
        "\"preprocess_cfg\":{\"size\":[192,256],\"mode\":\"RGB\",\"mean\":[0.5,0.5,0.25],"
        "\"std\":[1,0.5,0.5],\"interpolation\":\"bilinear\",\"resize_mode\":\"longest\","
        "\"fill_color\":7}}";

    CHECK_OK(parse(&c, text, &err), err);
    CHECK_INT(c.vision.height, 192);
    CHECK_INT(c.vision.width, 256);
    CHECK_INT(c.vision.patch_width, 32);
    CHECK_INT(c.vision.blocks.heads, 16);
    CHECK_INT(c.vision.blocks.mlp_width, 8192); /* 1664 * 4.9231 = 8192.04 */
    CHECK(c.vision.blocks.has_layer_scale);
    CHECK_INT(c.vision.blocks.act, IMS_CLIP_QUICK_GELU);
    CHECK_INT(c.vision.pool, IMS_CLIP_POOL_MEAN);
    CHECK(!c.text.is_causal && !ims__clip_text_is_cuttable(&c.text));
    CHECK_INT(c.text.pool, IMS_CLIP_POOL_LAST);
    CHECK_INT(c.text.proj, IMS_CLIP_PROJ_LINEAR);
    CHECK_NEAR(c.text.blocks.norm_eps, 1e-6, 1e-12);
    CHECK_INT(c.preprocess.height, 192);
    CHECK_INT(c.preprocess.width, 256);
    CHECK_INT(c.preprocess.resize, IMS_CLIP_RESIZE_LONGEST);
    CHECK_INT(c.preprocess.interpolation, IMS_FILTER_BILINEAR);
    CHECK_INT(c.preprocess.fill, 7);
    CHECK_NEAR(c.preprocess.mean[2], 0.25, 1e-9);
}

TEST(towers, "towers of other kinds are refused by their name")
{
    check_refused(config("\"timm_model_name\":\"convnext_base\"", "", ""), IMS_E_UNSUPPORTED,
                  "c.json: vision_cfg.timm_model_name: " NO_TIMM "\"convnext_base\"");
    check_refused(config("\"timm_model_name\":\"vit_base_patch16_siglip_gap_224\"", "", ""),
                  IMS_E_UNSUPPORTED,
                  "c.json: vision_cfg.timm_model_name: " NO_TIMM
                  "\"vit_base_patch16_siglip_gap_224\"");
    check_refused(config("\"timm_model_name\":16", "", ""), IMS_E_UNSUPPORTED,
                  "c.json: vision_cfg.timm_model_name: " NO_TIMM "16");
    check_refused(
        config("\"layers\":[3,4,6,3]", "", ""), IMS_E_UNSUPPORTED,
        "c.json: vision_cfg.layers: expected one number (vision transformers are supported, "
        "ResNets are not), found an array of 4");
    check_refused(config("", "\"hf_model_name\":\"roberta-base\"", ""), IMS_E_UNSUPPORTED,
                  "c.json: text_cfg.hf_model_name: " NOT_BUILT "\"roberta-base\"");
    check_refused(config("\"attentional_pool\":true", "", ""), IMS_E_UNSUPPORTED,
                  "c.json: vision_cfg.attentional_pool: " NOT_BUILT "true");
    check_refused(config("", "\"embed_cls\":true", ",\"multimodal_cfg\":{}"), IMS_E_UNSUPPORTED,
                  "c.json: text_cfg.embed_cls: " NOT_BUILT "true");
    check_refused(config("", "", ",\"multimodal_cfg\":{\"width\":1}"), IMS_E_UNSUPPORTED,
                  "c.json: model_cfg.multimodal_cfg: " NOT_BUILT "an object of 1");
    check_refused(config("\"pool_type\":\"none\"", "", ""), IMS_E_UNSUPPORTED,
                  "c.json: vision_cfg.pool_type: expected \"tok\" or \"avg\", found \"none\"");
    check_refused(
        config("", "\"tokenizer_kwargs\":{\"clean\":\"whitespace\"}", ""), IMS_E_UNSUPPORTED,
        "c.json: text_cfg.tokenizer_kwargs: expected none, {\"clean\": \"lower\"} or {\"clean\": "
        "\"canonicalize\"}, found an object of 1");
    check_refused(
        config("", "\"tokenizer_kwargs\":{\"clean\":\"canonicalize\",\"x\":1}", ""),
        IMS_E_UNSUPPORTED,
        "c.json: text_cfg.tokenizer_kwargs: expected none, {\"clean\": \"lower\"} or {\"clean\": "
        "\"canonicalize\"}, found an object of 2");
    check_refused(
        config("\"act_kwargs\":{\"approximate\":\"tanh\"}", "", ",\"quick_gelu\":true"),
        IMS_E_UNSUPPORTED,
        "c.json: vision_cfg.act_kwargs: expected {\"approximate\": \"tanh\"} or \"none\", "
        "without quick_gelu, found an object of 1");
}

/* name, size, pool and projection as timm_model_name, image_size, timm_pool and timm_proj. */
static const char *siglip(const char *name, unsigned size, const char *pool, const char *proj,
                          unsigned dim)
{
    static char out[1024];

    (void)snprintf(out, sizeof(out),
                   "{\"model_cfg\":{\"embed_dim\":%u,\"init_logit_bias\":-10,\"custom_text\":true,"
                   "\"vision_cfg\":{\"image_size\":%u,\"timm_model_name\":\"%s\","
                   "\"timm_model_pretrained\":false,\"timm_pool\":\"%s\",\"timm_proj\":\"%s\"},"
                   "\"text_cfg\":{\"context_length\":64,\"vocab_size\":32000,"
                   "\"hf_tokenizer_name\":\"x\",\"tokenizer_kwargs\":{\"clean\":\"canonicalize\"},"
                   "\"width\":%u,\"heads\":4,\"no_causal_mask\":true,\"proj_bias\":true,"
                   "\"pool_type\":\"last\",\"norm_kwargs\":{\"eps\":1e-6}}}}",
                   dim, size, name, pool, proj, dim);
    return out;
}

TEST(siglip, "a SigLIP tower of timm is what its name stands for, with SigLIP's preprocessing")
{
    struct ims_clip_config c;
    ims_err err;

    CHECK_OK(parse(&c, siglip("vit_so400m_patch14_siglip_384", 384, "map", "none", 1152), &err),
             err);
    CHECK_INT(c.dim, 1152);
    CHECK_INT(c.vision.pool, IMS_CLIP_POOL_ATTENTION);
    CHECK_INT(c.vision.height, 384);
    CHECK_INT(c.vision.patch_width, 14);
    CHECK_INT(c.vision.blocks.width, 1152);
    CHECK_INT(c.vision.blocks.layers, 27);
    CHECK_INT(c.vision.blocks.heads, 16);
    CHECK_INT(c.vision.blocks.mlp_width, 4304);
    CHECK_INT(c.vision.blocks.act, IMS_CLIP_GELU);
    CHECK_NEAR(c.vision.blocks.norm_eps, 1e-6, 1e-12);
    CHECK_INT(c.text.clean, IMS_CLEAN_CANONICAL);
    CHECK(!ims__clip_text_is_cuttable(&c.text));
    CHECK_INT(c.preprocess.width, 384);
    CHECK_INT(c.preprocess.resize, IMS_CLIP_RESIZE_SQUASH);
    CHECK_INT(c.preprocess.interpolation, IMS_FILTER_BICUBIC);
    CHECK_NEAR(c.preprocess.mean[1], 0.5, 1e-9);
    CHECK_NEAR(c.preprocess.std[1], 0.5, 1e-9);
    CHECK_OK(parse(&c, siglip("vit_base_patch32_siglip_256", 256, "map", "none", 768), &err), err);
    CHECK_INT(c.vision.blocks.act, IMS_CLIP_GELU_TANH);
    CHECK_INT(c.vision.patch_height, 32);
}

TEST(siglip_other, "a SigLIP tower with another head, size or dimension is refused")
{
    check_refused(siglip("vit_base_patch16_siglip_224", 224, "avg", "none", 768), IMS_E_UNSUPPORTED,
                  "c.json: vision_cfg.timm_pool: expected \"map\", found \"avg\"");
    check_refused(siglip("vit_base_patch16_siglip_224", 224, "map", "linear", 768),
                  IMS_E_UNSUPPORTED,
                  "c.json: vision_cfg.timm_proj: expected \"none\", found \"linear\"");
    check_refused(
        siglip("vit_base_patch16_siglip_224", 256, "map", "none", 768), IMS_E_FORMAT,
        "c.json: vision_cfg.image_size: expected the size at the end of timm_model_name, found "
        "256");
    check_refused(siglip("vit_base_patch16_siglip_224", 224, "map", "none", 512), IMS_E_FORMAT,
                  "c.json: model_cfg.embed_dim: expected the width of the image tower, which has "
                  "no projection, found 512");
}

TEST(unknown, "a key that this version does not know is refused, as it may change the vectors")
{
    check_refused(
        config("\"new_trick\":true", "", ""), IMS_E_UNSUPPORTED,
        "c.json: vision_cfg.new_trick: expected a key of open_clip's configuration that this "
        "version knows, found true");
    check_refused(config("", "", ",\"router\":3"), IMS_E_UNSUPPORTED,
                  "c.json: model_cfg.router: expected a key of open_clip's configuration that this "
                  "version knows, found 3");
}

TEST(numbers, "numbers of the wrong type or size are refused with the range")
{
    check_refused(
        config("\"width\":\"768\"", "", ""), IMS_E_FORMAT,
        "c.json: vision_cfg.width: expected a whole number from 1 to 16384, found \"768\"");
    check_refused(
        config("\"width\":99999999", "", ""), IMS_E_FORMAT,
        "c.json: vision_cfg.width: expected a whole number from 1 to 16384, found 99999999");
    check_refused(config("\"layers\":0", "", ""), IMS_E_FORMAT,
                  "c.json: vision_cfg.layers: expected a whole number from 1 to 256, found 0");
    check_refused(
        config("\"head_width\":100", "", ""), IMS_E_FORMAT,
        "c.json: vision_cfg.width: expected a multiple of the number of heads, found 768 for "
        "7 heads");
    check_refused(
        config("\"image_size\":[1,2,3]", "", ""), IMS_E_FORMAT,
        "c.json: vision_cfg.image_size: expected a size from 1 to 2048, or [height, width], "
        "found an array of 3");
    check_refused(config("\"patch_size\":225", "", ""), IMS_E_FORMAT,
                  "c.json: vision_cfg.patch_size: expected at most image_size, found 225");
    check_refused(config("\"patch_size\":1,\"image_size\":2048", "", ""), IMS_E_LIMIT,
                  "c.json: vision_cfg.patch_size: expected at most 16384 patches, found 1");
    check_refused(config("\"mlp_ratio\":-1", "", ""), IMS_E_FORMAT,
                  "c.json: vision_cfg.mlp_ratio: expected a number above 0 and up to 64, found -1");
    check_refused(
        config("", "\"context_length\":1", ""), IMS_E_FORMAT,
        "c.json: text_cfg.context_length: expected a whole number from 2 to 4096, found 1");
    check_refused(config("\"no_ln_pre\":1", "", ""), IMS_E_FORMAT,
                  "c.json: vision_cfg.no_ln_pre: expected true or false, found 1");
}

TEST(shape, "a document that is no configuration is refused by what it lacks")
{
    check_refused("{}", IMS_E_FORMAT, "c.json: model_cfg: expected an object, found nothing");
    check_refused("[]", IMS_E_FORMAT, "c.json: model_cfg: expected an object, found nothing");
    check_refused("{\"model_cfg\":{\"vision_cfg\":{},\"text_cfg\":{}}}", IMS_E_FORMAT,
                  "c.json: model_cfg.embed_dim: expected a whole number, found nothing");
    check_refused("{\"model_cfg\":{\"embed_dim\":4,\"text_cfg\":{}}}", IMS_E_FORMAT,
                  "c.json: vision_cfg: expected an object, found nothing");
    check_refused("{\"model_cfg\":{\"embed_dim\":4,\"vision_cfg\":{}}}", IMS_E_FORMAT,
                  "c.json: text_cfg: expected an object, found nothing");
    check_refused(
        config("", "\"proj_type\":\"none\",\"width\":64", ""), IMS_E_FORMAT,
        "c.json: text_cfg.width: expected embed_dim, as there is no projection, found 64");
}

static void check_preprocess(const char *preprocess, const char *message)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "{\"model_cfg\":{\"embed_dim\":4,\"vision_cfg\":{},\"text_cfg\":{}},"
                   "\"preprocess_cfg\":{%s}}",
                   preprocess);
    check_refused(text,
                  strstr(message, "RGB") || strstr(message, "bicubic") || strstr(message, "squash")
                      ? IMS_E_UNSUPPORTED
                      : IMS_E_FORMAT,
                  message);
}

TEST(preprocess, "preprocessing that is not built or contradicts the model is refused")
{
    check_preprocess(
        "\"size\":256",
        "c.json: preprocess_cfg.size: expected the image_size of the model, found 256");
    check_preprocess("\"mean\":[1,2]",
                     "c.json: preprocess_cfg.mean: expected three numbers, found an array of 2");
    check_preprocess(
        "\"std\":[1,0,1]",
        "c.json: preprocess_cfg.std: expected three numbers above 0, found an array of 3");
    check_preprocess("\"mode\":\"L\"",
                     "c.json: preprocess_cfg.mode: expected \"RGB\", found \"L\"");
    check_preprocess(
        "\"interpolation\":\"random\"",
        "c.json: preprocess_cfg.interpolation: expected \"bicubic\" or \"bilinear\", found "
        "\"random\"");
    check_preprocess("\"resize_mode\":\"stretch\"",
                     "c.json: preprocess_cfg.resize_mode: expected \"shortest\", \"squash\" or "
                     "\"longest\", found \"stretch\"");
}

TEST(immich, "an Immich pack needs only sizes, whatever its towers are")
{
    const char *text =
        "{\"embed_dim\":768,\"vision_cfg\":{\"image_size\":384,\"timm_model_name\":\"x\"},"
        "\"text_cfg\":{\"context_length\":64,\"vocab_size\":32000,\"hf_model_name\":\"y\"}}";
    const char *preprocess = "{\"size\":[384,384],\"mode\":\"RGB\",\"mean\":[0.5,0.5,0.5],"
                             "\"std\":[0.5,0.5,0.5],\"interpolation\":\"bicubic\","
                             "\"resize_mode\":\"squash\",\"fill_color\":0}";
    struct ims_clip_config c;
    ims_err err = { 0 };

    CHECK_OK(ims__clip_config_parse(&c, IMS_PACK_IMMICH, text, strlen(text), "config.json",
                                    preprocess, strlen(preprocess), "p.json", &err),
             err);
    CHECK_INT(c.dim, 768);
    CHECK_INT(c.vision.height, 384);
    CHECK_INT(c.text.context_length, 64);
    CHECK_INT(c.preprocess.width, 384);
    CHECK_INT(c.preprocess.resize, IMS_CLIP_RESIZE_SQUASH);
    CHECK_STATUS(ims__clip_config_parse(&c, IMS_PACK_IMMICH, "{}", 2, "config.json", preprocess,
                                        strlen(preprocess), "p.json", &err),
                 IMS_E_FORMAT, err);
    CHECK_STR(err.text,
              "config.json: embed_dim: expected a whole number from 1 to 8192, found nothing");
}

TEST_MAIN
