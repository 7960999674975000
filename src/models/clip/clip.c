/* Opening and describing a CLIP model.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "models/clip/clip_graph.h"
#include "models/clip/clip_internal.h"
#include "models/clip/clip_weights.h"

#include <string.h>

#define ORIGIN "clip"
#define DEFAULT_MAX_BATCH 64
/* That go through a graph of fixed shape at a time; texts go one by one. */
#define STATIC_PICTURES 8

static const char *const clean_names[] = {
    [IMS_CLEAN_LOWER] = "lower", [IMS_CLEAN_CANONICAL] = "canonicalize"
};

/* Both graphs are written at once, although their sessions wait: it takes a millisecond, and a file
 * that lacks a tensor is found out here instead of in the middle of a night's work. */
static ims_status write_both(struct ims_clip *c, const struct ims_clip_source *source, ims_err *err)
{
    struct ims_clip_side *image = &c->sides[IMS_CLIP_IMAGE];
    struct ims_clip_side *text = &c->sides[IMS_CLIP_TEXT];
    ims_status st;

    st = ims__clip_graph_image(&image->graph, &image->graph_bytes, &c->config, source, err);
    if (!st)
        st = ims__clip_graph_text(&text->graph, &text->graph_bytes, &c->config, source, err);
    return st;
}

/* The trained weights' graphs say what is needed; the graphs that run are those of what was made
 * of them. */
static ims_status write_rounded(struct ims_clip *c, const struct ims_safetensors *trained,
                                const struct ims_clip_options *o, ims_err *err)
{
    struct ims_safetensors made = { 0 };
    struct ims_clip_plan plan;
    struct ims_clip_weights_job job = { .pack = c->pack,
                                        .trained = trained,
                                        .plan = &plan,
                                        .precision = o->precision,
                                        .cache_dir = o->cache_dir,
                                        .is_thorough = !o->is_one_shot };
    ims_status st;

    ims__clip_plan_init(&plan);
    st = write_both(c, &(struct ims_clip_source){ .weights = trained, .plan = &plan }, err);
    for (size_t i = 0; i < IMS_CLIP_N_TOWERS; i++) {
        struct ims_clip_side *side = &c->sides[i];

        side->reference = side->graph;
        side->reference_bytes = side->graph_bytes;
        side->graph = NULL;
    }
    if (!st)
        st = ims__clip_weights_open(&made, &c->weights_dir, &job, err);
    if (!st)
        st = write_both(c, &(struct ims_clip_source){ .weights = &made, .precision = o->precision },
                        err);
    ims__safetensors_release(&made);
    ims__clip_plan_release(&plan);
    return st;
}

/* Which of the two text graphs runs is known when devices are: settle_graph. */
static ims_status write_trained(struct ims_clip *c, const struct ims_safetensors *trained,
                                ims_err *err)
{
    struct ims_clip_side *text = &c->sides[IMS_CLIP_TEXT];
    struct ims_clip_source source = { .weights = trained };
    ims_status st = write_both(c, &source, err);

    if (st || !ims__clip_is_table_narrow(trained))
        return st;
    source.is_table_wide = true;
    return ims__clip_graph_text(&text->wide, &text->wide_bytes, &c->config, &source, err);
}

static void fix_shapes(struct ims_clip *c)
{
    struct ims_clip_side *image = &c->sides[IMS_CLIP_IMAGE], *text = &c->sides[IMS_CLIP_TEXT];
    size_t n = c->is_one_shot ? 1 : STATIC_PICTURES;

    n = n < c->max_batch ? n : c->max_batch;
    image->static_dims[0] = (struct ims_compute_dim){ "batch", (int64_t)n };
    image->n_static_dims = 1;
    text->static_dims[0] = (struct ims_compute_dim){ "batch", 1 };
    text->static_dims[1] = (struct ims_compute_dim){ "length", c->config.text.context_length };
    text->n_static_dims = 2;
}

static ims_status write_graphs(struct ims_clip *c, const struct ims_clip_options *o, ims_err *err)
{
    struct ims_safetensors weights;
    ims_status st;

    if (c->pack->layout != IMS_PACK_OPEN_CLIP)
        return c->info.precision == IMS_PRECISION_FP32
                   ? IMS_OK
                   : ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0,
                              "%s holds ready graphs, which run in the precision they have; use "
                              "--precision fp32",
                              c->pack->name);
    fix_shapes(c);
    st = ims__safetensors_open(&weights, c->pack->files[IMS_PACK_IMAGE], err);
    if (st)
        return st;
    if (c->info.precision == IMS_PRECISION_FP32)
        st = write_trained(c, &weights, err);
    else
        st = write_rounded(c, &weights, o, err);
    ims__safetensors_release(&weights);
    return st;
}

static ims_status check_dim(const struct ims_clip *c, const struct ims_clip_options *o,
                            ims_err *err)
{
    if (!o || o->expected_dim == 0 || o->expected_dim == c->config.dim)
        return IMS_OK;
    return ims_fail(err, IMS_E_CONFIG, ORIGIN, 0,
                    "EMBEDDING_DIM is %u, but the model %s makes vectors of %u", o->expected_dim,
                    c->pack->name, c->config.dim);
}

static ims_status open_tokenizer(struct ims_clip *c, ims_err *err)
{
    const char *path = c->pack->files[IMS_PACK_TOKENIZER];
    int32_t n;
    ims_status st;

    st = ims_tokenizer_open(&c->tokenizer, path, err);
    if (st)
        return st;
    if (c->pack->layout == IMS_PACK_OPEN_CLIP &&
        ims_tokenizer_cleaning(c->tokenizer) != c->config.text.clean)
        return ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0,
                        "%s: text_cfg.tokenizer_kwargs.clean: expected \"%s\" for a tokenizer of "
                        "the kind %s, found \"%s\"",
                        c->pack->files[IMS_PACK_CONFIG],
                        clean_names[ims_tokenizer_cleaning(c->tokenizer)],
                        ims_tokenizer_kind(c->tokenizer), clean_names[c->config.text.clean]);
    n = ims_tokenizer_id_limit(c->tokenizer);
    if (n < 0 || (uint32_t)n > c->config.text.vocab_size)
        return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                        "%s: expected at most %u tokens (text_cfg.vocab_size), found %d", path,
                        c->config.text.vocab_size, (int)n);
    st = ims__clip_pad_id(c, &c->pad_id, err);
    if (!st && (c->pad_id < 0 || (uint32_t)c->pad_id >= c->config.text.vocab_size))
        st = ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                      "%s: expected a padding token below %u (text_cfg.vocab_size), found id %d",
                      path, c->config.text.vocab_size, (int)c->pad_id);
    return st;
}

static ims_status init_locks(struct ims_clip *c, ims_err *err)
{
    for (size_t i = 0; i < IMS_CLIP_N_TOWERS; i++) {
        ims_status st = ims__lock_init(&c->sides[i].lock);
        if (st)
            return ims_fail(err, st, ORIGIN, 0, "opening the model %s", c->pack->name);
        c->sides[i].has_lock = true;
    }
    return IMS_OK;
}

ims_status ims_clip_open(struct ims_clip **out, const struct ims_pack *pack,
                         struct ims_compute *compute, const struct ims_clip_options *options,
                         ims_err *err)
{
    struct ims_clip_config config;
    ims_status st = ims__clip_config_read(&config, pack, err);

    return st ? st : ims__clip_open(out, pack, &config, compute, options, err);
}

ims_status ims__clip_open(struct ims_clip **out, const struct ims_pack *pack,
                          const struct ims_clip_config *config, struct ims_compute *compute,
                          const struct ims_clip_options *options, ims_err *err)
{
    struct ims_clip *c = NULL;
    ims_status st;

    c = ims__zalloc(1, sizeof(*c));
    if (!c) {
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening the model %s", pack->name);
        goto out;
    }
    c->pack = pack;
    c->config = *config;
    c->compute = compute;
    c->is_one_shot = options && options->is_one_shot;
    c->measures_batch = options && options->measures_batch && !c->is_one_shot;
    c->info.precision = options ? options->precision : IMS_PRECISION_FP32;
    c->max_batch = options && options->max_batch ? options->max_batch : DEFAULT_MAX_BATCH;
    st = init_locks(c, err);
    if (!st)
        st = check_dim(c, options, err);
    if (!st)
        st = open_tokenizer(c, err); /* before weights, which may be made at some expense */
    if (!st)
        st = write_graphs(c, options, err);
    if (!st)
        st = ims_clip_space(pack, c->info.precision, &c->space, err);
    if (st)
        goto out;
    c->info = (struct ims_clip_info){ .name = c->space.name,
                                      .digest = c->space.digest,
                                      .precision = c->info.precision,
                                      .layout = pack->layout,
                                      .is_demo = pack->is_demo,
                                      .dim = c->config.dim,
                                      .context_length = c->config.text.context_length,
                                      .vocab_size = c->config.text.vocab_size,
                                      .preprocess = c->config.preprocess };
    *out = c;
    c = NULL;
out:
    ims_clip_close(c);
    return st;
}

void ims_clip_close(struct ims_clip *c)
{
    if (!c)
        return;
    ims_batcher_free(c->texts);
    for (size_t i = 0; i < IMS_CLIP_N_TOWERS; i++) {
        struct ims_clip_side *side = &c->sides[i];
        ims_pool_close(side->pool);
        ims__free(side->graph);
        ims__free(side->wide);
        ims__free(side->reference);
        if (side->has_lock)
            ims__lock_release(&side->lock);
    }
    ims_tokenizer_free(c->tokenizer);
    ims__free(c->weights_dir);
    ims__free(c);
}

const struct ims_clip_info *ims_clip_info(const struct ims_clip *c)
{
    return &c->info;
}

/* out->ids is a new block. */
static ims_status tokenize(const struct ims_clip *c, const char *text, struct ims_tokens *out,
                           ims_err *err)
{
    struct ims_tokens t = { .context_length = (int)c->config.text.context_length };
    ims_status st;

    t.ids = ims__zalloc((size_t)t.context_length, sizeof(*t.ids));
    if (!t.ids)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "tokenizing a text");
    st = ims_tokenizer_encode(c->tokenizer, text, strlen(text), &t, err);
    if (st)
        ims__free(t.ids);
    else
        *out = t;
    return st;
}

ims_status ims_clip_tokenize(const struct ims_clip *c, const char *text, int32_t **out,
                             size_t *out_n, ims_err *err)
{
    struct ims_tokens t = { .ids = NULL };
    ims_status st = tokenize(c, text, &t, err);

    if (st)
        return st;
    *out = t.ids;
    *out_n = (size_t)t.n;
    return IMS_OK;
}

ims_status ims_clip_text_is_cut(const struct ims_clip *c, const char *text, bool *out, ims_err *err)
{
    struct ims_tokens t = { .ids = NULL };
    ims_status st = tokenize(c, text, &t, err);

    if (st)
        return st;
    *out = t.is_truncated;
    ims__free(t.ids);
    return IMS_OK;
}

/* ---- padding ---- */

/* Where the tokenizer's configuration says what pads a text: beside tokenizer.json. open_clip takes
 * no notice of it for CLIP's own tokenizer, which pads with 0. NULL without IMS_E_NOMEM in *out_st:
 * nowhere. */
static char *pad_file(const struct ims_clip *c, ims_status *out_st)
{
    static const char own[] = "tokenizer.json";
    const char *tokenizer = c->pack->files[IMS_PACK_TOKENIZER];
    size_t n = strlen(tokenizer);
    char *path;

    *out_st = IMS_OK;
    if (c->pack->layout == IMS_PACK_OPEN_CLIP && c->config.text.clean != IMS_CLEAN_CANONICAL)
        return NULL;
    if (n < sizeof(own) - 1 || strcmp(tokenizer + n - (sizeof(own) - 1), own) != 0)
        return NULL;
    path = ims__strfmt("%.*stokenizer_config.json", (int)(n - (sizeof(own) - 1)), tokenizer);
    if (!path)
        *out_st = IMS_E_NOMEM;
    return path;
}

static ims_status find_token(const struct ims_clip *c, const char *path, const char *token,
                             int32_t *out, ims_err *err)
{
    int32_t n = ims_tokenizer_vocab_size(c->tokenizer);

    for (int32_t i = n - 1; i >= 0; i--) { /* special tokens stand at the end */
        const char *t = ims_tokenizer_token(c->tokenizer, i);
        if (t && strcmp(t, token) == 0) {
            *out = i;
            return IMS_OK;
        }
    }
    return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                    "%s: pad_token: expected a token of tokenizer.json, found \"%.60s\"", path,
                    token);
}

ims_status ims__clip_pad_id(const struct ims_clip *c, int32_t *out, ims_err *err)
{
    struct ims_buf text;
    ims_json *root = NULL;
    const ims_json *pad;
    const char *token;
    char *path = NULL;
    ims_status st;

    *out = ims_tokenizer_pad_id(c->tokenizer);
    path = pad_file(c, &st);
    if (st)
        return ims_fail(err, st, ORIGIN, 0, "opening %s", c->pack->dir);
    if (!path)
        return IMS_OK;
    ims__buf_init(&text, 1);
    st = ims__read_file(path, IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, err);
    if (st == IMS_E_NOT_FOUND)
        st = IMS_OK; /* optional: the tokenizer's own padding is what the models were made with */
    else if (!st)
        st = ims__json_parse(&root, text.data ? text.data : "", text.len, path, err);
    pad = ims__json_get(root, "pad_token");
    token = ims__json_str(pad, NULL);
    if (!token)
        token = ims__json_str(ims__json_get(pad, "content"), NULL);
    if (!st && token)
        st = find_token(c, path, token, out, err);
    ims__json_free(root);
    ims__buf_release(&text);
    ims__free(path);
    return st;
}
