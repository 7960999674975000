/* Model packs on disk: finding, opening and listing the folders that hold a CLIP model.
 *
 * Two layouts are known:
 *   open_clip  open_clip_config.json (model_cfg, preprocess_cfg), open_clip_model.safetensors (or, for
 *              weights in several files, open_clip_model.safetensors.index.json), tokenizer.json
 *   immich     config.json, visual/model.onnx, visual/preprocess_cfg.json, textual/model.onnx,
 *              textual/tokenizer.json
 * A pack is immutable after it was opened and may be read from any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_PACK_H
#define IMS_MODELS_PACK_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ims_pack_layout { IMS_PACK_OPEN_CLIP, IMS_PACK_IMMICH } ims_pack_layout;

typedef enum ims_pack_file {
    IMS_PACK_CONFIG,     /* open_clip_config.json or config.json */
    IMS_PACK_PREPROCESS, /* the same file as CONFIG for open_clip */
    IMS_PACK_TOKENIZER,  /* tokenizer.json */
    IMS_PACK_IMAGE,      /* open_clip_model.safetensors or visual/model.onnx */
    IMS_PACK_TEXT,       /* open_clip_model.safetensors or textual/model.onnx */
    IMS_PACK_N_FILES
} ims_pack_file;

struct ims_pack {
    ims_pack_layout layout;
    char *name;          /* of the config's "imgsearch" object, or the folder's */
    char *dir;           /* as given, without a trailing slash */
    bool is_demo;        /* the drawn demo world's model: say so wherever it serves */
    char digest[65];     /* identity of configuration and weights, see docs/notes/safetensors.md */
    uint64_t size_bytes; /* weights on disk */
    char *files[IMS_PACK_N_FILES]; /* paths */
    /* open_clip: the names in dir of the file of the weights; or of their index and then its files */
    char **weight_files;
    size_t n_weight_files;
};

/* Opens the pack in dir. IMS_E_MODEL names the missing file or says what the folder is not. */
ims_status ims_pack_open(struct ims_pack **out, const char *dir, ims_err *err) IMS_MUST_CHECK;
void ims_pack_close(struct ims_pack *p);

/* Finds a pack by name. A name with a '/' is a folder. Otherwise each of roots[0..n_roots) is
 * looked into, in order, for a folder NAME, or NAME__PRETRAINED when pretrained is not NULL or
 * empty ('_' and '-' are equal after the first "__", as open_clip and Immich write tags
 * differently). IMS_E_MODEL lists what the roots hold when nothing fits. */
ims_status ims_pack_find(struct ims_pack **out, const char *const *roots, size_t n_roots,
                         const char *name, const char *pretrained, ims_err *err) IMS_MUST_CHECK;

/* One entry per folder below the roots, usable or not, by root and then by name. */
struct ims_pack_entry {
    char *name;
    char *dir;
    struct ims_pack *pack; /* NULL when it cannot be opened */
    ims_err why;           /* then the reason */
};
struct ims_pack_list {
    struct ims_pack_entry *entries;
    size_t n;
};
/* A root that does not exist is empty. */
ims_status ims_pack_list_read(struct ims_pack_list *out, const char *const *roots, size_t n_roots,
                              ims_err *err) IMS_MUST_CHECK;
void ims_pack_list_release(struct ims_pack_list *l);

#endif
