/* Writes model packs with generated weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/clip/generated.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "harness/test.h"
#include "unit/tokenizer/small_vocab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN 0x9E3779B97F4A7C15u

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "cannot make the test model: %s\n", what);
        exit(1);
    }
}

/* ---- generator ---- */

static uint64_t hash(const char *s)
{
    uint64_t h = 0xCBF29CE484222325u;

    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001B3u;
    return h;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t generated_value(const char *stream, uint64_t i)
{
    return mix(hash(stream) + i * GOLDEN);
}

static bool ends(const char *s, const char *suffix)
{
    return ims__ends_with(s, suffix);
}

static bool is_behind_attention(const char *name)
{
    return ends(name, "out_proj.weight") || ends(name, "attn.proj.weight") ||
           ends(name, "attn_pool.proj.weight");
}

/* value = offset + scale * r, the table at the top of make.py. */
static void rule(const char *name, const uint64_t *dims, size_t rank, float *offset, float *scale)
{
    double fan_in = 1;

    *offset = 0;
    if (ends(name, "bias")) {
        *scale = (float)0.1;
    } else if (ends(name, "gamma")) {
        *offset = (float)0.5;
        *scale = (float)0.3;
    } else if (ends(name, "class_embedding") || ends(name, "positional_embedding") ||
               ends(name, "pos_embed") || ends(name, "token_embedding.weight")) {
        *scale = (float)0.2;
    } else if (rank == 0 || ends(name, "attn_pool.latent")) {
        *scale = 1;
    } else if (rank == 1) {
        *offset = 1;
        *scale = (float)0.2;
    } else {
        if (ends(name, "visual.proj") || ends(name, "text_projection"))
            fan_in = (double)dims[0];
        else
            for (size_t i = 1; i < rank; i++)
                fan_in *= (double)dims[i];
        *scale = (float)(sqrt(6.0 / fan_in) * (is_behind_attention(name) ? 4.0 : 1.0));
    }
}

/* Both to nearest even; the generated values are far from the ends of the ranges, tiny ones
 * aside. */
static uint16_t to_bf16(float v)
{
    uint32_t u;

    memcpy(&u, &v, sizeof(u));
    return (uint16_t)((u + 0x7FFF + ((u >> 16) & 1)) >> 16);
}

static uint16_t to_f16(float v)
{
    uint16_t sign = signbit(v) ? 0x8000 : 0;
    double a = fabs((double)v);
    int e;

    if (a < 6.103515625e-05) /* subnormal: units of 2^-24 */
        return (uint16_t)(sign | (uint16_t)nearbyint(a * 16777216.0));
    (void)frexp(a, &e); /* a = m * 2^e, m in [0.5, 1) */
    /* a rounding up to the next power carries into the exponent by itself */
    return (uint16_t)(sign | (uint16_t)(((e + 13) << 10) + (int)nearbyint(ldexp(a, 11 - e))));
}

static size_t type_bytes(const char *dtype)
{
    return strcmp(dtype, "F32") == 0 ? 4 : 2;
}

static void fill(const char *name, const uint64_t *dims, size_t rank, const char *dtype, void *out,
                 size_t n)
{
    const uint64_t h = hash(name);
    float offset;
    float scale;

    rule(name, dims, rank, &offset, &scale);
    for (size_t i = 0; i < n; i++) {
        int64_t m = (int64_t)(mix(h + i * GOLDEN) >> 40) - (1 << 23);
        float product = scale * ((float)m / (float)(1 << 23));
        float v = offset + product;
        if (strcmp(dtype, "F32") == 0)
            ((float *)out)[i] = v;
        else
            ((uint16_t *)out)[i] = strcmp(dtype, "F16") == 0 ? to_f16(v) : to_bf16(v);
    }
}

/* ---- file ---- */

struct writer {
    FILE *file;
    struct ims_buf header;
    const char *dtype;
    const struct generated_faults *faults;
    uint64_t at;
    bool is_data; /* second pass */
};

static bool is_fault(const char *fault, const char *name)
{
    return fault && strcmp(fault, name) == 0;
}

static void put_header(struct writer *w, const char *name, const uint64_t *dims, size_t rank,
                       size_t n)
{
    uint64_t bytes = n * type_bytes(w->dtype);
    bool is_reversed = is_fault(w->faults->transposed, name);
    bool is_retyped = is_fault(w->faults->retyped, name);

    (void)ims__buf_addf(&w->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", w->at ? "," : "",
                        name, is_retyped ? "I32" : w->dtype);
    for (size_t i = 0; i < rank; i++)
        (void)ims__buf_addf(&w->header, "%s%llu", i ? "," : "",
                            (unsigned long long)dims[is_reversed ? rank - 1 - i : i]);
    (void)ims__buf_addf(&w->header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)w->at,
                        (unsigned long long)(w->at + bytes));
    w->at += bytes;
}

static void put(struct writer *w, const char *name, size_t rank, const uint64_t *dims)
{
    size_t n = 1;
    void *data;

    if (is_fault(w->faults->missing, name))
        return;
    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    if (!w->is_data) {
        put_header(w, name, dims, rank, n);
        return;
    }
    data = ims__alloc(n, 4);
    must(data != NULL, name);
    fill(name, dims, rank, w->dtype, data, n);
    must(fwrite(data, type_bytes(w->dtype), n, w->file) == n, name);
    ims__free(data);
}

#define PUT(w, name, ...)                                                                          \
    put(w, name, sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t),                           \
        (uint64_t[]){ __VA_ARGS__ })

static const char *in_block(const char *prefix, unsigned i, const char *part)
{
    static char name[160];

    (void)snprintf(name, sizeof(name), "%stransformer.resblocks.%u.%s", prefix, i, part);
    return name;
}

static const char *with(const char *prefix, const char *part)
{
    static char name[160];

    (void)snprintf(name, sizeof(name), "%s%s", prefix, part);
    return name;
}

static void put_blocks(struct writer *w, const char *prefix, const struct ims_clip_blocks *b)
{
    for (unsigned i = 0; i < b->layers; i++) {
        PUT(w, in_block(prefix, i, "ln_1.weight"), b->width);
        PUT(w, in_block(prefix, i, "ln_1.bias"), b->width);
        PUT(w, in_block(prefix, i, "attn.in_proj_weight"), 3 * b->width, b->width);
        PUT(w, in_block(prefix, i, "attn.in_proj_bias"), 3 * b->width);
        PUT(w, in_block(prefix, i, "attn.out_proj.weight"), b->width, b->width);
        PUT(w, in_block(prefix, i, "attn.out_proj.bias"), b->width);
        if (b->has_layer_scale) {
            PUT(w, in_block(prefix, i, "ls_1.gamma"), b->width);
            PUT(w, in_block(prefix, i, "ls_2.gamma"), b->width);
        }
        PUT(w, in_block(prefix, i, "ln_2.weight"), b->width);
        PUT(w, in_block(prefix, i, "ln_2.bias"), b->width);
        PUT(w, in_block(prefix, i, "mlp.c_fc.weight"), b->mlp_width, b->width);
        PUT(w, in_block(prefix, i, "mlp.c_fc.bias"), b->mlp_width);
        PUT(w, in_block(prefix, i, "mlp.c_proj.weight"), b->width, b->mlp_width);
        PUT(w, in_block(prefix, i, "mlp.c_proj.bias"), b->width);
    }
}

static void put_timm_block(struct writer *w, const char *name, const struct ims_clip_blocks *b)
{
    const struct {
        const char *part;
        size_t rank;
        uint64_t dims[2];
    } parts[] = {
        { "norm1.weight", 1, { b->width } },
        { "norm1.bias", 1, { b->width } },
        { "attn.qkv.weight", 2, { 3 * b->width, b->width } },
        { "attn.qkv.bias", 1, { 3 * b->width } },
        { "attn.proj.weight", 2, { b->width, b->width } },
        { "attn.proj.bias", 1, { b->width } },
        { "norm2.weight", 1, { b->width } },
        { "norm2.bias", 1, { b->width } },
        { "mlp.fc1.weight", 2, { b->mlp_width, b->width } },
        { "mlp.fc1.bias", 1, { b->mlp_width } },
        { "mlp.fc2.weight", 2, { b->width, b->mlp_width } },
        { "mlp.fc2.bias", 1, { b->width } },
    };
    char full[160];

    for (size_t i = 0; i < IMS_ARRAY_LEN(parts); i++) {
        (void)snprintf(full, sizeof(full), "%s.%s", name, parts[i].part);
        put(w, full, parts[i].rank, parts[i].dims);
    }
}

/* timm's SigLIP trunk */
static void put_trunk(struct writer *w, const struct ims_clip_vision *v)
{
    const struct ims_clip_blocks *b = &v->blocks;
    char name[64];

    PUT(w, "visual.trunk.pos_embed", 1, (v->height / v->patch_height) * (v->width / v->patch_width),
        b->width);
    PUT(w, "visual.trunk.patch_embed.proj.weight", b->width, 3, v->patch_height, v->patch_width);
    PUT(w, "visual.trunk.patch_embed.proj.bias", b->width);
    for (unsigned i = 0; i < b->layers; i++) {
        (void)snprintf(name, sizeof(name), "visual.trunk.blocks.%u", i);
        put_timm_block(w, name, b);
    }
    PUT(w, "visual.trunk.norm.weight", b->width);
    PUT(w, "visual.trunk.norm.bias", b->width);
    PUT(w, "visual.trunk.attn_pool.latent", 1, 1, b->width);
    PUT(w, "visual.trunk.attn_pool.q.weight", b->width, b->width);
    PUT(w, "visual.trunk.attn_pool.q.bias", b->width);
    PUT(w, "visual.trunk.attn_pool.kv.weight", 2 * b->width, b->width);
    PUT(w, "visual.trunk.attn_pool.kv.bias", 2 * b->width);
    PUT(w, "visual.trunk.attn_pool.proj.weight", b->width, b->width);
    PUT(w, "visual.trunk.attn_pool.proj.bias", b->width);
    PUT(w, "visual.trunk.attn_pool.norm.weight", b->width);
    PUT(w, "visual.trunk.attn_pool.norm.bias", b->width);
    PUT(w, "visual.trunk.attn_pool.mlp.fc1.weight", b->mlp_width, b->width);
    PUT(w, "visual.trunk.attn_pool.mlp.fc1.bias", b->mlp_width);
    PUT(w, "visual.trunk.attn_pool.mlp.fc2.weight", b->width, b->mlp_width);
    PUT(w, "visual.trunk.attn_pool.mlp.fc2.bias", b->width);
}

static void put_visual(struct writer *w, const struct ims_clip_vision *v, uint32_t dim)
{
    const uint32_t width = v->blocks.width;

    PUT(w, "visual.class_embedding", width);
    PUT(w, "visual.positional_embedding",
        (v->height / v->patch_height) * (v->width / v->patch_width) + 1, width);
    PUT(w, "visual.conv1.weight", width, 3, v->patch_height, v->patch_width);
    if (!v->no_ln_pre) {
        PUT(w, "visual.ln_pre.weight", width);
        PUT(w, "visual.ln_pre.bias", width);
    }
    put_blocks(w, "visual.", &v->blocks);
    PUT(w, "visual.ln_post.weight", width);
    PUT(w, "visual.ln_post.bias", width);
    PUT(w, "visual.proj", width, dim);
}

static void put_all(struct writer *w, const struct ims_clip_config *c, const char *text)
{
    const uint32_t t_width = c->text.blocks.width;

    put(w, "logit_scale", 0, NULL);
    if (c->vision.pool == IMS_CLIP_POOL_ATTENTION)
        put_trunk(w, &c->vision);
    else
        put_visual(w, &c->vision, c->dim);
    PUT(w, with(text, "positional_embedding"), c->text.context_length, t_width);
    PUT(w, with(text, "token_embedding.weight"), c->text.vocab_size, t_width);
    put_blocks(w, text, &c->text.blocks);
    PUT(w, with(text, "ln_final.weight"), t_width);
    PUT(w, with(text, "ln_final.bias"), t_width);
    if (c->text.proj == IMS_CLIP_PROJ_MATRIX) {
        PUT(w, with(text, "text_projection"), t_width, c->dim);
    } else {
        PUT(w, with(text, "text_projection.weight"), c->dim, t_width);
        PUT(w, with(text, "text_projection.bias"), c->dim);
    }
}

static void write_weights(const char *dir, const char *dtype, const struct generated_faults *faults,
                          const struct ims_clip_config *c, const char *text)
{
    char *path = ims__path_join(dir, "open_clip_model.safetensors");
    struct writer w = { .dtype = dtype, .faults = faults };
    uint8_t length[8];

    ims__buf_init(&w.header, 16 * IMS_MIB);
    (void)ims__buf_add_str(&w.header, "{\"__metadata__\":{\"format\":\"pt\"}");
    w.at = 0;
    (void)ims__buf_add_char(&w.header, ',');
    put_all(&w, c, text);
    (void)ims__buf_add_char(&w.header, '}');
    while (w.header.len % 8)
        (void)ims__buf_add_char(&w.header, ' ');
    must(ims__buf_status(&w.header) == IMS_OK, "header");
    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)w.header.len >> (8 * i));
    w.file = path ? fopen(path, "wb") : NULL;
    must(w.file != NULL, "open_clip_model.safetensors");
    must(fwrite(length, 1, 8, w.file) == 8, "length");
    must(fwrite(w.header.data, 1, w.header.len, w.file) == w.header.len, "header");
    w.is_data = true;
    put_all(&w, c, text);
    must(fclose(w.file) == 0, "open_clip_model.safetensors");
    ims__buf_release(&w.header);
    ims__free(path);
}

static void write_file(const char *dir, const char *name, const char *text, size_t n)
{
    char *path = ims__path_join(dir, name);

    must(path && ims__write_file(path, text, n, NULL) == IMS_OK, name);
    ims__free(path);
}

static uint32_t number(const ims_json *v)
{
    int64_t n = ims__json_int(v, 0);

    must(n > 0 && n < 65536, "a number of \"reduced\"");
    return (uint32_t)n;
}

/* timm's towers come in their true sizes only; "reduced" beside "model_cfg" has smaller ones, by
 * the names of timm's arguments. */
static void reduce(struct ims_clip_config *c, const char *text, size_t n)
{
    ims_json *root = NULL;
    const ims_json *r;

    must(ims__json_parse(&root, text, n, "the configuration", NULL) == IMS_OK, "configuration");
    r = ims__json_get(root, "reduced");
    if (r) {
        c->dim = c->vision.blocks.width = number(ims__json_get(r, "embed_dim"));
        c->vision.blocks.layers = number(ims__json_get(r, "depth"));
        c->vision.blocks.heads = number(ims__json_get(r, "num_heads"));
        c->vision.blocks.mlp_width =
            (uint32_t)(c->dim * ims__json_num(ims__json_get(r, "mlp_ratio"), 4.0));
        c->vision.patch_height = c->vision.patch_width = number(ims__json_get(r, "patch_size"));
        c->vision.height = number(ims__json_at(ims__json_get(r, "img_size"), 0));
        c->vision.width = number(ims__json_at(ims__json_get(r, "img_size"), 1));
    }
    ims__json_free(root);
}

static void copy_tokenizer(const char *dir, const char *tokenizer)
{
    size_t n;
    char *text = test_read_file(test_source_path(tokenizer), &n);

    write_file(dir, "tokenizer.json", text, n);
    free(text);
}

static void make_tokenizer(const char *dir)
{
    static const char *const results[] = { "ab", "ab</w>" };
    struct ims_buf vocab;

    write_vocab(&vocab, results, IMS_ARRAY_LEN(results), "\"a b\",\"a b</w>\"");
    must(ims__buf_status(&vocab) == IMS_OK, "tokenizer.json");
    write_file(dir, "tokenizer.json", vocab.data, vocab.len);
    ims__buf_release(&vocab);
}

void generated_pack(const char *dir, const char *config_path, const char *dtype,
                    const struct generated_faults *faults, struct ims_clip_config *out_config)
{
    generated_pack_with(dir, config_path, dtype, NULL, faults, out_config);
}

void generated_pack_with(const char *dir, const char *config_path, const char *dtype,
                         const char *tokenizer, const struct generated_faults *faults,
                         struct ims_clip_config *out_config)
{
    static const struct generated_faults none;
    ims_err err = { 0 };
    size_t n;
    char *config = test_read_file(config_path, &n);

    must(ims__clip_config_parse(out_config, IMS_PACK_OPEN_CLIP, config, n, config_path, NULL, 0,
                                NULL, &err) == IMS_OK,
         err.text);
    reduce(out_config, config, n);
    write_file(dir, "open_clip_config.json", config, n);
    if (tokenizer)
        copy_tokenizer(dir, tokenizer);
    else
        make_tokenizer(dir);
    write_weights(dir, dtype, faults ? faults : &none, out_config,
                  strstr(config, "\"custom_text\": true") ? "text." : "");
    free(config);
}

/* ---- inputs ---- */

void generated_picture(const char *arch, unsigned k, uint32_t side, uint32_t height, uint32_t width,
                       uint8_t *out)
{
    char cells[64];
    char noise[64];

    (void)snprintf(cells, sizeof(cells), "%s/picture%u", arch, k);
    (void)snprintf(noise, sizeof(noise), "%s/noise%u", arch, k);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint32_t cell = (y * side / height) * side + x * side / width;
            for (uint32_t c = 0; c < 3; c++) {
                uint64_t i = ((uint64_t)y * width + x) * 3 + c;
                uint64_t v = (generated_value(cells, cell * 3 + c) >> 56) +
                             (generated_value(noise, i) >> 60);
                out[i] = (uint8_t)(v > 255 ? 255 : v);
            }
        }
    }
}

void generated_text(const char *arch, unsigned k, uint32_t n_tokens, uint32_t vocab, int32_t pad,
                    size_t length, int32_t *out)
{
    char stream[64];

    (void)snprintf(stream, sizeof(stream), "%s/text%u", arch, k);
    for (size_t i = 0; i < length; i++) {
        if (i == 0)
            out[i] = (int32_t)vocab - 2;
        else if (i + 1 == n_tokens)
            out[i] = (int32_t)vocab - 1;
        else
            out[i] = i < n_tokens ? (int32_t)(generated_value(stream, i - 1) % (vocab - 2)) : pad;
    }
}
