/* The models that can be fetched by name.
 *
 * Sums are given where the publisher's files are known to the byte; elsewhere the hub says the SHA-256 of
 * every large file and the Git object of every small one, and those are checked (fetch.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/registry_table.h"

#include "base/mem.h"

#define LAION_ABOUT "trained on LAION-2B"
#define DATACOMP_ABOUT "trained on DataComp-1B"
#define OPENAI_ABOUT "OpenAI's weights"
#define SIGLIP_ABOUT "Google's SigLIP"
#define SIGLIP2_ABOUT "Google's SigLIP 2, many languages"
#define INSIGHTFACE_TERMS                                                                          \
    "InsightFace publishes these weights for non-commercial research only; a commercial licence "  \
    "is "                                                                                          \
    "to be had from recognition-oss-pack@insightface.ai."

const struct ims_registry_file ims__registry_open_clip_files[] = {
    { "open_clip_config.json", "open_clip_config.json", 0, NULL, NULL },
    { "tokenizer.json", "tokenizer.json", 0, NULL, NULL },
    { "open_clip_model.safetensors", "open_clip_model.safetensors", 0, NULL, NULL },
};
const size_t ims__registry_n_open_clip_files = IMS_ARRAY_LEN(ims__registry_open_clip_files);

/* All of OpenAI's and LAION's CLIP models split words alike, and some repositories leave that to the first. */
static const struct ims_registry_file clip_files[] = {
    { "open_clip_config.json", "open_clip_config.json", 0, NULL, NULL },
    { "tokenizer.json", "tokenizer.json", 0, NULL, "openai/clip-vit-base-patch32" },
    { "open_clip_model.safetensors", "open_clip_model.safetensors", 0, NULL, NULL },
};

static const struct ims_registry_file immich_files[] = {
    { "config.json", "config.json", 0, NULL, NULL },
    { "visual/preprocess_cfg.json", "visual/preprocess_cfg.json", 0, NULL, NULL },
    { "textual/tokenizer.json", "textual/tokenizer.json", 0, NULL, NULL },
    { "textual/tokenizer_config.json", "textual/tokenizer_config.json", 0, NULL, NULL },
    { "visual/model.onnx", "visual/model.onnx", 0, NULL, NULL },
    { "textual/model.onnx", "textual/model.onnx", 0, NULL, NULL },
};

static const struct ims_registry_file immich_laion_files[] = {
    { "config.json", "config.json", 0, NULL, NULL },
    { "visual/preprocess_cfg.json", "visual/preprocess_cfg.json", 0, NULL, NULL },
    { "textual/tokenizer.json", "textual/tokenizer.json", 0, NULL, NULL },
    { "textual/tokenizer_config.json", "textual/tokenizer_config.json", 0, NULL, NULL },
    { "visual/model.onnx", "visual/model.onnx", 351613724,
      "b9ce24b91a8c62ef8d40ea786051709c93140104cbf2b6b4a2cc270df3838f9c", NULL },
    { "textual/model.onnx", "textual/model.onnx", 254193396,
      "48c25be37b352398f2533c9426dab6f9340535e14e46f884cc894236a5060722", NULL },
};

/* The files of InsightFace's own packs, which the hub has singly under other names. */
#define DET_10G                                                                                    \
    {                                                                                              \
        "detection/model.onnx", "det_10g.onnx", 16923827,                                          \
            "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91", NULL               \
    }
#define DET_2_5G                                                                                   \
    {                                                                                              \
        "detection/model.onnx", "det_2.5g.onnx", 0,                                                \
            "041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9", NULL               \
    }
#define DET_500M                                                                                   \
    {                                                                                              \
        "detection/model.onnx", "det_500m.onnx", 2524817,                                          \
            "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a", NULL               \
    }
#define W600K_R50                                                                                  \
    {                                                                                              \
        "recognition/model.onnx", "w600k_r50.onnx", 174383860,                                     \
            "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43", NULL               \
    }
#define W600K_MBF                                                                                  \
    {                                                                                              \
        "recognition/model.onnx", "w600k_mbf.onnx", 13616099,                                      \
            "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f", NULL               \
    }
#define GLINTR100                                                                                  \
    {                                                                                              \
        "recognition/model.onnx", "glintr100.onnx", 0,                                             \
            "4ab1d6435d639628a6f3e5008dd4f929edf4c4124b1a7169e1048f9fef534cdf", NULL               \
    }

static const struct ims_registry_file buffalo_l_files[] = { DET_10G, W600K_R50 };
static const struct ims_registry_file buffalo_m_files[] = { DET_2_5G, W600K_R50 };
static const struct ims_registry_file buffalo_s_files[] = { DET_500M, W600K_MBF };
static const struct ims_registry_file antelopev2_files[] = {
    { "detection/model.onnx", "scrfd_10g_bnkps.onnx", 16923827,
      "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91", NULL },
    GLINTR100,
};

/* The same three files are in every pack of InsightFace's but buffalo_sc. */
static const struct ims_registry_file insightface_extras[] = {
    { "genderage.onnx", "genderage.onnx", 0,
      "4fde69b1c810857b88c64a335084f1c3fe8f01246c9a191b48c7bb756d6652fb", NULL },
    { "1k3d68.onnx", "1k3d68.onnx", 0,
      "df5c06b8a0c12e422b2ed8947b8869faa4105387f199c477af038aa01f9a45cc", NULL },
    { "2d106det.onnx", "2d106det.onnx", 5030888,
      "f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf", NULL },
};

/* Face packs are known to the byte by their sums. Where no commit is known either ("main"), a publisher's other file of that name
 * is refused before it is fetched. */
/* clang-format off */
#define OPEN_CLIP(NAME, REPO, LICENCE, ABOUT, DIM, PX, MB, FILES)                                   \
    { .name = NAME, .kind = IMS_MODEL_CLIP, .repo = REPO, .revision = "main", .licence = LICENCE,   \
      .about = ABOUT, .dim = DIM, .image_px = PX, .size_mb = MB,                                    \
      .files = FILES, .n_files = IMS_ARRAY_LEN(FILES) }
#define CLIP(NAME, REPO, ABOUT, DIM, PX, MB) OPEN_CLIP(NAME, REPO, "MIT", ABOUT, DIM, PX, MB, clip_files)
#define SIGLIP(NAME, REPO, ABOUT, DIM, PX, MB)                                                      \
    OPEN_CLIP(NAME, REPO, "Apache-2.0", ABOUT, DIM, PX, MB, ims__registry_open_clip_files)
#define IMMICH(NAME, REPO, REVISION, LICENCE, ABOUT, DIM, PX, MB, FILES)                            \
    { .name = NAME, .kind = IMS_MODEL_CLIP, .repo = REPO, .revision = REVISION, .licence = LICENCE, \
      .about = ABOUT, .dim = DIM, .image_px = PX, .size_mb = MB,                                    \
      .files = FILES, .n_files = IMS_ARRAY_LEN(FILES) }
#define FACES(NAME, REPO, REVISION, ABOUT, MB, FILES)                                               \
    { .name = NAME, .kind = IMS_MODEL_FACES, .repo = REPO, .revision = REVISION,                    \
      .licence = "InsightFace, non-commercial", .terms = INSIGHTFACE_TERMS, .about = ABOUT,         \
      .dim = 512, .image_px = 112, .size_mb = MB, .files = FILES, .n_files = IMS_ARRAY_LEN(FILES),  \
      .extras = insightface_extras, .n_extras = IMS_ARRAY_LEN(insightface_extras) }

const struct ims_registry_row ims__registry_rows[] = {
    CLIP("ViT-B-32__laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", LAION_ABOUT, 512, 224, 608),
    CLIP("ViT-B-32__datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-32-DataComp.XL-s13B-b90K", DATACOMP_ABOUT, 512, 224, 608),
    CLIP("ViT-B-32__openai", "timm/vit_base_patch32_clip_224.openai", OPENAI_ABOUT, 512, 224, 608),
    CLIP("ViT-B-32-256__datacomp_s34b_b86k", "laion/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K", DATACOMP_ABOUT, 512, 256, 608),
    CLIP("ViT-B-16__laion2b_s34b_b88k", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", LAION_ABOUT, 512, 224, 601),
    CLIP("ViT-B-16__datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K", DATACOMP_ABOUT, 512, 224, 601),
    CLIP("ViT-B-16__openai", "timm/vit_base_patch16_clip_224.openai", OPENAI_ABOUT, 512, 224, 601),
    CLIP("ViT-L-14__laion2b_s32b_b82k", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K", LAION_ABOUT, 768, 224, 1713),
    CLIP("ViT-L-14__datacomp_xl_s13b_b90k", "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K", DATACOMP_ABOUT, 768, 224, 1713),
    CLIP("ViT-L-14__openai", "timm/vit_large_patch14_clip_224.openai", OPENAI_ABOUT, 768, 224, 1713),
    CLIP("ViT-L-14-336__openai", "timm/vit_large_patch14_clip_336.openai", OPENAI_ABOUT, 768, 336, 1714),
    CLIP("ViT-H-14__laion2b_s32b_b79k", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", LAION_ABOUT, 1024, 224, 3947),
    SIGLIP("ViT-B-16-SigLIP__webli", "timm/ViT-B-16-SigLIP", SIGLIP_ABOUT, 768, 224, 815),
    SIGLIP("ViT-B-16-SigLIP-256__webli", "timm/ViT-B-16-SigLIP-256", SIGLIP_ABOUT, 768, 256, 815),
    SIGLIP("ViT-B-16-SigLIP-384__webli", "timm/ViT-B-16-SigLIP-384", SIGLIP_ABOUT, 768, 384, 817),
    SIGLIP("ViT-L-16-SigLIP-256__webli", "timm/ViT-L-16-SigLIP-256", SIGLIP_ABOUT, 1024, 256, 2611),
    SIGLIP("ViT-L-16-SigLIP-384__webli", "timm/ViT-L-16-SigLIP-384", SIGLIP_ABOUT, 1024, 384, 2613),
    SIGLIP("ViT-SO400M-14-SigLIP__webli", "timm/ViT-SO400M-14-SigLIP", SIGLIP_ABOUT, 1152, 224, 3512),
    SIGLIP("ViT-SO400M-14-SigLIP-384__webli", "timm/ViT-SO400M-14-SigLIP-384", SIGLIP_ABOUT, 1152, 384, 3514),
    SIGLIP("ViT-B-16-SigLIP2__webli", "timm/ViT-B-16-SigLIP2", SIGLIP2_ABOUT, 768, 224, 1535),
    SIGLIP("ViT-B-16-SigLIP2-256__webli", "timm/ViT-B-16-SigLIP2-256", SIGLIP2_ABOUT, 768, 256, 1535),
    SIGLIP("ViT-B-16-SigLIP2-512__webli", "timm/ViT-B-16-SigLIP2-512", SIGLIP2_ABOUT, 768, 512, 1539),
    SIGLIP("ViT-L-16-SigLIP2-256__webli", "timm/ViT-L-16-SigLIP2-256", SIGLIP2_ABOUT, 1024, 256, 3560),
    SIGLIP("ViT-SO400M-16-SigLIP2-384__webli", "timm/ViT-SO400M-16-SigLIP2-384", SIGLIP2_ABOUT, 1152, 384, 4575),
    IMMICH("immich-ViT-B-32__laion2b-s34b-b79k", "immich-app/ViT-B-32__laion2b-s34b-b79k", "19a057a0fb927cf239541300e74237cd56c7ffe2", "MIT", "Immich's ready ONNX pack", 512, 224, 608, immich_laion_files),
    IMMICH("immich-ViT-B-32__openai", "immich-app/ViT-B-32__openai", "main", "MIT", "Immich's default, ready ONNX pack", 512, 224, 608, immich_files),
    IMMICH("immich-ViT-B-16__openai", "immich-app/ViT-B-16__openai", "main", "MIT", "Immich's ready ONNX pack", 512, 224, 601, immich_files),
    IMMICH("immich-ViT-L-14__openai", "immich-app/ViT-L-14__openai", "main", "MIT", "Immich's ready ONNX pack", 768, 224, 1713, immich_files),
    IMMICH("immich-ViT-B-16-SigLIP__webli", "immich-app/ViT-B-16-SigLIP__webli", "main", "Apache-2.0", "Immich's ready ONNX pack", 768, 224, 815, immich_files),
    IMMICH("immich-ViT-B-16-SigLIP2__webli", "immich-app/ViT-B-16-SigLIP2__webli", "main", "Apache-2.0", "Immich's ready ONNX pack", 768, 224, 1535, immich_files),
    FACES("buffalo_l", "immich-app/buffalo_l", "d09715916a0778919a770c343533641e250b8699", "faces: SCRFD-10GF and ResNet-50", 191, buffalo_l_files),
    FACES("buffalo_m", "immich-app/buffalo_m", "main", "faces: SCRFD-2.5GF and ResNet-50", 178, buffalo_m_files),
    FACES("buffalo_s", "immich-app/buffalo_s", "0ff1751885575e62e084dff70549ce24a11fa5dc", "faces: SCRFD-500MF and MobileFaceNet", 16, buffalo_s_files),
    FACES("buffalo_sc", "immich-app/buffalo_s", "0ff1751885575e62e084dff70549ce24a11fa5dc", "faces: the two files of buffalo_s alone", 16, buffalo_s_files),
    FACES("antelopev2", "immich-app/antelopev2", "main", "faces: SCRFD-10GF and ResNet-100", 278, antelopev2_files),
};
/* clang-format on */
const size_t ims__registry_n_rows = IMS_ARRAY_LEN(ims__registry_rows);
