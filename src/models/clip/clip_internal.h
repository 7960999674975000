/* The inside of a CLIP handle; for its own files and for tests that feed token ids.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_INTERNAL_H
#define IMS_MODELS_CLIP_INTERNAL_H

#include "base/thread.h"
#include "compute/batcher.h"
#include "compute/pool.h"
#include "models/clip/clip.h"
#include "models/clip/clip_config.h"
#include "models/clip/tokenizer.h"

/* One tower: its graph until the pool is there, then the pool: a session per device. */
struct ims_clip_side {
    struct ims_lock lock;
    bool has_lock;
    void *graph; /* open_clip packs; freed once the pool holds it */
    size_t graph_bytes;
    void *wide; /* text: what takes graph's place where accelerators may run it; NULL = nothing does */
    size_t wide_bytes;
    void *reference; /* the float32 graph that one of another precision is proven against; as above */
    size_t reference_bytes;
    struct ims_compute_dim static_dims[2]; /* rows, and of texts the length: see session options */
    size_t n_static_dims;                  /* 0: a ready graph, whose symbols are anybody's */
    struct ims_pool *pool;
    /* Read from the ports of its first session. */
    bool is_planar;    /* image: normalised floats [n, 3, h, w], else bytes [n, h, w, 3] */
    ims_dtype id_type; /* text: I32 or I64 */
    size_t length;     /* text: positions the graph insists on, 0 = free */
};

struct ims_clip {
    const struct ims_pack *pack;
    struct ims_compute *compute;
    struct ims_clip_config config;
    struct ims_clip_info info;
    struct ims_clip_space space;
    char *weights_dir; /* where the graphs' weights are: the pack's folder, or that of made ones */
    struct ims_tokenizer *tokenizer;
    int32_t pad_id;
    size_t max_batch;
    bool is_one_shot, measures_batch;
    bool no_proof; /* tests with a tokenizer that is not the model's: its texts mean nothing */
    struct ims_clip_side sides[IMS_CLIP_N_TOWERS];
    struct ims_batcher *texts; /* NULL: each text by itself; set once, with the text side's lock */
};

/* ims_clip_open with a configuration that is not the pack's, for tests of smaller shapes. */
ims_status ims__clip_open(struct ims_clip **out, const struct ims_pack *pack,
                          const struct ims_clip_config *config, struct ims_compute *compute,
                          const struct ims_clip_options *options, ims_err *err) IMS_MUST_CHECK;
/* Is every row of unit length? The look of the towers' pools. */
ims_status ims__clip_look(void *clip, const struct ims_compute_value *out, size_t n_out,
                          ims_err *err) IMS_MUST_CHECK;
/* What the first session of a tower says about its inputs, into side; IMS_E_MODEL when they are not
 * what the configuration says. */
ims_status ims__clip_read_ports(const struct ims_clip *c, struct ims_clip_side *side,
                                ims_clip_tower tower, const struct ims_compute_session *session,
                                ims_err *err) IMS_MUST_CHECK;
/* n pictures of bytes to normalised floats [n, 3, height, width]. */
void ims__clip_planes(const struct ims_clip *c, const uint8_t *pixels, size_t n, float *out);
/* n texts to rows of *out_length ids, padded to what side insists on or to the longest; *out is
 * ims__free'd. */
ims_status ims__clip_ids(const struct ims_clip *c, const struct ims_clip_side *side,
                         const char *const *texts, size_t n, int32_t **out, size_t *out_length,
                         ims_err *err) IMS_MUST_CHECK;
/* n rows of length ids each (padded), in turns of max_batch; as ims_clip_embed_text. */
ims_status ims__clip_embed_ids(struct ims_clip *c, const int32_t *ids, size_t n, size_t length,
                               float *out, ims_err *err) IMS_MUST_CHECK;
bool ims__clip_gathers(struct ims_clip *c);
/* One row of length ids, together with those of other threads. */
ims_status ims__clip_embed_gathered(struct ims_clip *c, const int32_t *ids, size_t length,
                                    float *out, ims_err *err) IMS_MUST_CHECK;
/* The id that fills short rows: the tokenizer's, or what tokenizer_config.json says, in Immich's
 * packs and in those whose tokenizer is not CLIP's own. */
ims_status ims__clip_pad_id(const struct ims_clip *c, int32_t *out, ims_err *err) IMS_MUST_CHECK;

#endif
