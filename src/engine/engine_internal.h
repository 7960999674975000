/* The engine's own parts: what its files share. One thread at a time, except where noted.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_ENGINE_INTERNAL_H
#define IMS_ENGINE_ENGINE_INTERNAL_H

#include "base/mem.h"
#include "base/thread.h"
#include "compute/compute.h"
#include "engine/index_keeper.h"
#include "engine/search_candidates.h"
#include "compute/precision.h"
#include "engine/engine_parts.h"
#include "engine/figures.h"
#include "engine/text_cache.h"
#include "ims/engine.h"
#include "media/media.h"
#include "models/clip/clip.h"
#include "models/face/face.h"
#include "models/pack.h"
#include "store/store.h"
#include "vectors/vectors.h"

struct ims_engine {
    struct ims_engine_options options; /* every pointer into strings */
    struct ims_engine *host; /* whose compute, media, pack, clip and vectors this one uses; NULL = its own */
    struct ims_lock sharing; /* of a host: held while one of its parts is brought up or catches up */
    struct ims_arena strings;
    const char *database; /* URL or path of the SQLite file */
    struct ims_store *store;
    struct ims_compute *compute; /* opened with the engine; loads nothing yet */
    struct ims_media *media;     /* NULL until needed */
    struct ims_pack *pack;       /* NULL until needed, as are the next */
    ims_precision precision;     /* of the pack's vectors, known with it; may be AUTO until the next */
    struct ims_clip *clip;
    int64_t model_id; /* 0 = the library has never seen this model */
    struct ims_face_pack *face_pack; /* NULL until needed, or when there is none */
    struct ims_face_models *faces;
    int64_t face_model_id; /* as model_id */
    struct ims_vectors *vectors;
    int64_t vectors_seq; /* how far the library is in it; 0 = it holds nothing */
    bool is_index_counted; /* it was compared with the library since it was opened */
    struct ims_index_keeper keeper; /* of a host */
    struct ims_candidate_sets candidates;
    size_t n_unsaved; /* changes of vectors since its folder was written */
    struct ims_device_used used;
    struct ims_arena story; /* of ims_engine_show */
    struct ims_figures figures;   /* of a host */
    struct ims_text_cache texts;  /* of a host */
    int64_t people_event;   /* of the last change of people; 0 = it changed nothing */
};

#define IMS_DEFAULT_MODEL "ViT-B-32"
#define IMS_DEFAULT_PRETRAINED "laion2b_s34b_b79k"
#define IMS_DEFAULT_THUMBNAIL_PX 256
#define IMS_DEFAULT_BATCH 16
#define IMS_THUMBNAIL_QUALITY 85
#define IMS_DEFAULT_MIN_FACE_SCORE 0.5
#define IMS_DEFAULT_MIN_FACE_PX 20

/* Opens the library; is_read_only as in the options. */
ims_status ims__engine_open_store(struct ims_engine *e, ims_err *err) IMS_MUST_CHECK;
/* Each opens its part once and leaves it in e. */
ims_status ims__engine_need_pack(struct ims_engine *e, ims_err *err) IMS_MUST_CHECK;
/* The store of an engine without a library, for a look: IMS_OK and no store when there is none. With
 * *out_is_lent, give it back. */
ims_status ims__engine_lend_store(struct ims_engine *e, bool *out_is_lent, ims_err *err) IMS_MUST_CHECK;
void ims__engine_return_store(struct ims_engine *e, bool is_lent);
/* "NAME@int8" to NAME, a new string, and its precision; *out_is_named: there was one. */
ims_status ims__split_model(const char *model, char **out_name, ims_precision *out, bool *out_is_named,
                            ims_err *err) IMS_MUST_CHECK;
uint64_t ims__peak_rss_bytes(void); /* of this process so far */
/* The fastest good precision that was measured for this pack on the chosen device; fp32 when none was. */
ims_precision ims__agreement_fastest(struct ims_engine *e, const struct ims_pack *pack);
/* Keeps a measurement for that. */
ims_status ims__agreement_keep(struct ims_engine *e, const struct ims_agreement *a, ims_err *err) IMS_MUST_CHECK;
/* Makes *p of a pack what is meant by auto; others stay. */
ims_status ims__engine_settle_precision(struct ims_engine *e, const struct ims_pack *pack, ims_precision *p,
                                        ims_err *err) IMS_MUST_CHECK;
ims_status ims__engine_need_clip(struct ims_engine *e, ims_err *err) IMS_MUST_CHECK;
ims_status ims__engine_need_media(struct ims_engine *e, ims_err *err) IMS_MUST_CHECK;
/* create: register the model in the library when it is not there yet; otherwise model_id may stay 0. */
ims_status ims__engine_need_model_id(struct ims_engine *e, bool create, ims_err *err) IMS_MUST_CHECK;

/* faces_model.c. The face models that serve, opened without loading: leaves e->face_pack and e->faces NULL, with
 * the reason in why, when none is installed that would do; a model that was asked for by name must be there. The
 * demo's models serve beside the demo's picture model only, since they know drawn people alone. */
ims_status ims__engine_need_faces(struct ims_engine *e, char *why, size_t why_bytes, ims_err *err) IMS_MUST_CHECK;
/* After that, with e->faces: e->face_model_id; create as above. */
ims_status ims__engine_need_face_model_id(struct ims_engine *e, bool create, ims_err *err) IMS_MUST_CHECK;
/* For looking at faces that are stored already: the model that serves if the library knows it, else the one that
 * it has the most faces of; 0 = it has none. */
ims_status ims__engine_find_face_model(struct ims_engine *e, int64_t *out_id, ims_err *err) IMS_MUST_CHECK;

/* faces.c: the faces of one asset, in e->story. */
ims_status ims__engine_story_faces(struct ims_engine *e, int64_t asset_id, const struct ims_asset_face **out,
                                   size_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* Reads back where the session of a tower runs. */
void ims__engine_note_device(struct ims_engine *e, bool is_image_tower);
/* The same of the face detector, for a run in which nothing else computes. */
void ims__engine_note_face_device(struct ims_engine *e);

/* search_index.c. Brings e->vectors up to what the store holds for e->model_id. Beside a host only what takes no time:
 * for the rest the host's keeper is woken, and e->vectors may be NULL or behind meanwhile. */
ims_status ims__engine_catch_up(struct ims_engine *e, ims_err *err) IMS_MUST_CHECK;
void ims__index_fill_info(const struct ims_vectors_info *v, struct ims_index_info *out);
/* Writes the index's folder if something changed; where that fails the next start takes longer, no more. */
void ims__engine_save_index(struct ims_engine *e);
/* The parts of it, for the keeper's thread with a store of its own. Opens the index, which e does not see yet. */
ims_status ims__index_open(struct ims_engine *e, struct ims_vectors **out, ims_err *err) IMS_MUST_CHECK;
struct ims_index_feed {
    struct ims_vectors *vectors;
    int64_t seq;    /* of vectors; then how far it came */
    bool is_counted;
    bool was_rebuilt;
    size_t n_changes;
    /* Called now and then; false = stop, which gives IMS_E_CANCELLED. May be NULL. */
    bool (*on_step)(void *arg, size_t done, size_t total);
    void *arg;
};
/* Takes up what e->store holds for e->model_id after seq; makes the index anew where that is needed. */
ims_status ims__index_follow(struct ims_engine *e, struct ims_index_feed *feed, ims_err *err) IMS_MUST_CHECK;
/* The hits of a query from the library's own vectors. */
ims_status ims__index_scan_library(struct ims_engine *e, const struct ims_vectors_query *q,
                                   struct ims_vectors_result *out, ims_err *err) IMS_MUST_CHECK;

struct ims_walk_filter;
/* folders.c: what the user wants to be passed over, in arena. */
ims_status ims__walk_read_ignored(struct ims_engine *e, struct ims_arena *arena, struct ims_walk_filter *f,
                                  ims_err *err) IMS_MUST_CHECK;

/* Picks the pack that serves; the rule is in ims/engine.h. */
ims_status ims__choose_pack(struct ims_pack **out, const struct ims_engine_options *options,
                            ims_err *err) IMS_MUST_CHECK;

/* A decoded picture to the bytes that ims_clip_embed_images takes (height x width x 3), in sRGB. */
ims_status ims__model_pixels(struct ims_media *media, const struct ims_clip_info *info,
                             const struct ims_image *im, uint8_t *out, ims_err *err) IMS_MUST_CHECK;

/* data_dir/thumbs/ab/<sha256>.jpg in a new string. */
char *ims__thumbnail_path(const char *data_dir, const uint8_t sha256[IMS_SHA256_BYTES]);
/* data_dir/faces/ab/<sha256>_x_y_w_h.jpg, likewise. */
char *ims__face_thumb_path(const char *data_dir, const uint8_t sha256[IMS_SHA256_BYTES], int x, int y, int w, int h);
/* IMS_E_CORRUPT for a JPEG that does not end in its end marker. ims__free(*out). */
ims_status ims__read_jpeg(const char *path, uint8_t **out, size_t *out_n, ims_err *err) IMS_MUST_CHECK;

#endif
