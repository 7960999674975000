/* A CLIP model: pictures and texts to unit vectors of one space.
 *
 * Opening is cheap: configuration and tokenizer are read, weights are not. The image and the
 * text tower become sessions of the compute seam on first use, each by itself, so a search by
 * words never loads the image tower. A handle is thread-safe; calls on one tower may run at the
 * same time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_CLIP_H
#define IMS_MODELS_CLIP_CLIP_H

#include "compute/compute.h"
#include "compute/pool.h"
#include "compute/precision.h"
#include "ims/status.h"
#include "models/clip/preprocess.h"
#include "models/pack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_clip;

typedef enum ims_clip_tower { IMS_CLIP_IMAGE, IMS_CLIP_TEXT, IMS_CLIP_N_TOWERS } ims_clip_tower;

struct ims_clip_info {
    /* Of the space that vectors are in: the pack's, and for a precision other than fp32
     * "NAME@PRECISION" and a digest that no other precision has. Strings live as long as the
     * handle. */
    const char *name;
    const char *digest;
    ims_precision precision;
    ims_pack_layout layout;
    bool is_demo;
    uint32_t dim;
    uint32_t context_length; /* positions of a text, start and end tokens included */
    uint32_t vocab_size;
    /* What a picture goes through before ims_clip_embed_images (ims__clip_preprocess_run). mean and
     * std are applied by this handle, inside the graph where the pack allows it. */
    struct ims_clip_preprocess preprocess;
};

/* A pack's vectors in one precision: what they are called, and what tells them from others. */
#define IMS_CLIP_SPACE_BYTES 300
struct ims_clip_space {
    char name[IMS_CLIP_SPACE_BYTES];
    char digest[65];
};
/* p is not AUTO. */
ims_status ims_clip_space(const struct ims_pack *pack, ims_precision p, struct ims_clip_space *out,
                          ims_err *err) IMS_MUST_CHECK;

struct ims_clip_options {
    uint32_t expected_dim; /* EMBEDDING_DIM; 0 = not set. Another model dimension is IMS_E_CONFIG */
    size_t max_batch;      /* rows per run of the graph; more are computed in turns. 0 = 64 */
    bool measures_batch;   /* pictures: as many as prove fastest, up to that (compute/pool_batch.h) */
    bool is_one_shot;      /* for a few runs: start fast rather than run fast, trust the device */
    ims_precision precision; /* not AUTO */
    /* Where weights of another precision are kept when they may not lie beside the pack; NULL:
     * nowhere. Made on opening when they are not there: a second or two. */
    const char *cache_dir;
};

/* pack and compute are loans that must outlive the handle. options may be NULL. compute may be
 * NULL: then only info and tokenize work, and embedding is IMS_E_RUNTIME. */
ims_status ims_clip_open(struct ims_clip **out, const struct ims_pack *pack,
                         struct ims_compute *compute, const struct ims_clip_options *options,
                         ims_err *err) IMS_MUST_CHECK;
void ims_clip_close(struct ims_clip *c);
const struct ims_clip_info *ims_clip_info(const struct ims_clip *c);

/* pixels: n pictures of preprocess.height * width * 3 bytes, sRGB, rows top down, packed.
 * out: n * dim floats, each row of unit length; written on success only. A result that is not
 * finite or not of unit length is IMS_E_MODEL. n = 0 does nothing. */
ims_status ims_clip_embed_images(struct ims_clip *c, const uint8_t *pixels, size_t n, float *out,
                                 ims_err *err) IMS_MUST_CHECK;
/* The same, with where each picture was computed: n places of the tower's pool. */
ims_status ims_clip_embed_images_on(struct ims_clip *c, const uint8_t *pixels, size_t n, float *out,
                                    struct ims_pool_place *places,
                                    ims_err *err) IMS_MUST_CHECK;
/* texts: UTF-8, at most IMS_MAX_TEXT_BYTES each; longer than the context is cut as the reference
 * does. The batch is computed at the length of its longest text where the model allows it. */
ims_status ims_clip_embed_text(struct ims_clip *c, const char *const *texts, size_t n, float *out,
                               ims_err *err) IMS_MUST_CHECK;
/* For a server: from now on, single texts that threads ask for while one is being embedded go together,
 * which is more a second (docs/decisions/0153). Thread-safe. */
ims_status ims_clip_gather_texts(struct ims_clip *c, ims_err *err) IMS_MUST_CHECK;
/* The ids of one text, start and end tokens included, without padding. *out is ims__free'd. */
ims_status ims_clip_tokenize(const struct ims_clip *c, const char *text, int32_t **out,
                             size_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* Has the text more tokens than the model reads? Then embed_text reads the first ones, as the
 * reference does. */
ims_status ims_clip_text_is_cut(const struct ims_clip *c, const char *text, bool *out,
                                ims_err *err) IMS_MUST_CHECK;

/* Opens a tower's session now (a worker warming up, `doctor`); otherwise the first use does. */
ims_status ims_clip_load(struct ims_clip *c, ims_clip_tower tower, ims_err *err) IMS_MUST_CHECK;
/* Which devices a tower runs on, or would, and why: proves candidates with this model, loads no
 * session to stay. */
ims_status ims_clip_choose(struct ims_clip *c, ims_clip_tower tower, struct ims_device_choice *out,
                           ims_err *err) IMS_MUST_CHECK;
/* What a tower runs on, to ask where it ran and what happened (compute/pool.h); NULL until it is
 * loaded. Lives as long as c. */
struct ims_pool *ims_clip_pool(struct ims_clip *c, ims_clip_tower tower);

#endif
