/* SigLIP 2's byte-pair encoding: over characters, with bytes to fall back on, from cleaned text to
 * ids.
 *
 * A text is one word, in which U+2581 stands for spaces. Its symbols are characters of the
 * vocabulary; another character is its UTF-8 bytes, each a token "<0xHH>".
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/clip/textclean.h"
#include "models/clip/tokenizer_added.h"
#include "models/clip/tokenizer_backend.h"
#include "models/clip/tokenizer_bpe_load.h"
#include "models/clip/tokenizer_bpe_merge.h"
#include "models/clip/tokenizer_normalize.h"

#include <stdio.h>
#include <string.h>

struct character {
    uint32_t cp; /* 0: free */
    int32_t id;
};

struct gemma {
    struct ims__bpe bpe;
    struct character *characters; /* open addressing; tokens of one character */
    uint32_t character_mask;
    int32_t byte_id[256]; /* -1: none */
    int32_t unk_id;       /* -1: none */
    bool fuses_unknown;
    struct ims__normalizer normalizer;
    struct ims__added added;
};

/* ---- encoding ---- */

static uint32_t character_slot(const struct gemma *g, uint32_t cp)
{
    return (cp * 0x9E3779B1u >> 7) & g->character_mask;
}

static int32_t find_character(const struct gemma *g, uint32_t cp)
{
    uint32_t i = character_slot(g, cp);

    for (; g->characters[i].cp; i = (i + 1) & g->character_mask) {
        if (g->characters[i].cp == cp)
            return g->characters[i].id;
    }
    return -1;
}

struct symbols {
    struct ims__bpe_scratch w;
    size_t n;
    size_t n_unknown; /* characters not written yet, in a row or between byte tokens */
};

static void add_symbol(struct symbols *s, int32_t id)
{
    s->w.symbols[s->n] = (struct ims__bpe_symbol){ id, (int32_t)s->n - 1, (int32_t)s->n + 1 };
    s->n++;
}

/* The reference writes an unknown only when a known character or another unknown follows; bytes
 * overtake it. */
static void flush_unknown(const struct gemma *g, struct symbols *s)
{
    if (s->n_unknown)
        add_symbol(s, g->unk_id);
    s->n_unknown = 0;
}

static void add_character(const struct gemma *g, struct symbols *s, uint32_t cp)
{
    int32_t id = find_character(g, cp);
    char bytes[4];
    size_t n = ims__utf8_encode(cp, bytes);
    bool has_bytes = true;

    if (id >= 0) {
        flush_unknown(g, s);
        add_symbol(s, id);
        return;
    }
    for (size_t i = 0; i < n; i++)
        has_bytes = has_bytes && g->byte_id[(unsigned char)bytes[i]] >= 0;
    if (has_bytes) {
        for (size_t i = 0; i < n; i++)
            add_symbol(s, g->byte_id[(unsigned char)bytes[i]]);
    } else if (g->unk_id >= 0) {
        if (!g->fuses_unknown)
            flush_unknown(g, s);
        s->n_unknown++;
    }
}

struct id_list {
    int32_t *ids;
    size_t max;
    size_t n;
};

static ims_status encode_word(const struct gemma *g, struct symbols *s, const uint32_t *at,
                              size_t n, struct id_list *out)
{
    int32_t pos = 0;

    if (ims__bpe_scratch_reserve(&s->w, 4 * n))
        return IMS_E_NOMEM;
    s->n = s->n_unknown = 0;
    for (size_t i = 0; i < n; i++)
        add_character(g, s, at[i]);
    flush_unknown(g, s);
    if (s->n == 0)
        return IMS_OK;
    s->w.symbols[s->n - 1].next = -1;
    ims__bpe_merge_at_once(&g->bpe, &s->w, s->n);
    for (; pos >= 0 && out->n < out->max; pos = s->w.symbols[pos].next)
        out->ids[out->n++] = s->w.symbols[pos].id;
    return IMS_OK;
}

/* Between added tokens of the cleaned text: normalized, then split at those of the normalized. */
static ims_status encode_between(const struct gemma *g, struct symbols *s, const uint32_t *at,
                                 size_t n, struct id_list *out)
{
    struct ims__cps text = { 0 };
    struct ims__stretch stretch;
    size_t pos = 0;
    ims_status st = ims__cps_add_all(&text, at, n);

    if (!st)
        st = ims__normalizer_apply(&g->normalizer, &text);
    while (!st && out->n < out->max &&
           ims__added_next(&g->added, true, text.at, text.n, &pos, &stretch)) {
        if (stretch.id >= 0)
            out->ids[out->n++] = stretch.id;
        else
            st = encode_word(g, s, text.at + stretch.from, stretch.n, out);
    }
    ims__cps_release(&text);
    return st;
}

static ims_status gemma_encode(const void *ctx, const char *utf8, size_t len, int32_t *out_ids,
                               size_t max_ids, size_t *out_n, ims_err *err)
{
    const struct gemma *g = ctx;
    struct id_list out = { out_ids, max_ids, 0 };
    struct symbols s = { 0 };
    struct ims__cps text = { 0 };
    struct ims__stretch stretch;
    size_t pos = 0;
    ims_status st = ims__textclean(utf8, len, IMS_CLEAN_CANONICAL, &text, err);

    if (st)
        goto out;
    while (!st && out.n < out.max &&
           ims__added_next(&g->added, false, text.at, text.n, &pos, &stretch)) {
        if (stretch.id >= 0)
            out.ids[out.n++] = stretch.id;
        else
            st = encode_between(g, &s, text.at + stretch.from, stretch.n, &out);
    }
    if (st)
        st = ims_fail(err, st, "tokenizer", 0, "encoding a text of %zu characters", text.n);
    else
        *out_n = out.n;
out:
    ims__bpe_scratch_release(&s.w);
    ims__cps_release(&text);
    return st;
}

/* ---- loading ---- */

/* The token as one character, or 0. */
static uint32_t only_character(const char *text)
{
    size_t len = strlen(text);
    uint32_t cp = 0;

    if (len == 0 || len > 4 || ims__utf8_decode(text, len, &cp) != len || cp > 0x10FFFF)
        return 0;
    return cp;
}

static ims_status index_characters(struct gemma *g, const struct ims__bpe_loader *l)
{
    const struct ims__bpe *b = &g->bpe;
    size_t n = 0;

    for (int32_t id = 0; id < b->vocab_size; id++)
        n += only_character(l->texts.data + b->text_at[id]) != 0;
    g->character_mask = ims__bpe_slots_for(n) - 1;
    g->characters = ims__zalloc(g->character_mask + 1u, sizeof(*g->characters));
    if (!g->characters)
        return ims_fail(l->err, IMS_E_NOMEM, "tokenizer", 0, "%s: indexing characters",
                        l->doc->what);
    for (int32_t id = 0; id < b->vocab_size; id++) {
        uint32_t cp = only_character(l->texts.data + b->text_at[id]);
        uint32_t i = character_slot(g, cp);

        while (cp && g->characters[i].cp)
            i = (i + 1) & g->character_mask;
        if (cp)
            g->characters[i] = (struct character){ cp, id };
    }
    return IMS_OK;
}

static ims_status find_specials(struct gemma *g, struct ims__bpe_loader *l,
                                struct ims__tokenizer_facts *out)
{
    const ims_json *model = ims__json_get(l->doc->root, "model");
    const char *unk = ims__json_str(ims__json_get(model, "unk_token"), NULL);
    char text[8];

    for (unsigned byte = 0; byte < 256; byte++) {
        (void)snprintf(text, sizeof(text), "<0x%02X>", byte);
        g->byte_id[byte] = ims__bpe_find_token(l, text, 6);
    }
    g->unk_id = unk ? ims__bpe_find_token(l, unk, strlen(unk)) : -1;
    g->fuses_unknown = ims__json_bool(ims__json_get(model, "fuse_unk"), false);
    out->vocab_size = g->bpe.vocab_size;
    out->start_id = -1;
    out->end_id = ims__bpe_find_token(l, "<eos>", 5);
    out->pad_id = ims__bpe_find_token(l, "<pad>", 5);
    if (out->end_id < 0 || out->pad_id < 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: expected the tokens \"<eos>\" and \"<pad>\", found no %s",
                        l->doc->what, out->end_id < 0 ? "\"<eos>\"" : "\"<pad>\"");
    if (ims__json_bool(ims__json_get(model, "ignore_merges"), false))
        return ims_fail(l->err, IMS_E_UNSUPPORTED, "tokenizer", 0,
                        "%s: model.ignore_merges: expected false, found true", l->doc->what);
    return IMS_OK;
}

/* A text is one word only because no space is left when the pre-tokenizer looks for one. */
static ims_status check_spaces(const struct gemma *g, const struct ims__bpe_loader *l)
{
    const struct ims__normalizer_step *s = &g->normalizer.steps[0];

    if (g->normalizer.n_steps == 1 && s->kind == IMS__NORMAL_REPLACE && s->n_from == 1 &&
        s->from[0] == ' ' && s->n_to == 1 && s->to[0] == IMS__METASPACE)
        return IMS_OK;
    return ims_fail(l->err, IMS_E_UNSUPPORTED, "tokenizer", 0,
                    "%s: normalizer: expected Replace of \" \" by U+2581, found another one",
                    l->doc->what);
}

static ims_status load(struct gemma *g, struct ims__bpe_loader *l, struct ims__tokenizer_facts *out)
{
    const ims_json *root = l->doc->root;
    ims_status st = ims__bpe_load_tables(l);

    if (!st)
        st = index_characters(g, l);
    if (!st)
        st = find_specials(g, l, out);
    if (!st)
        st = ims__normalizer_load(&g->normalizer, ims__json_get(root, "normalizer"), l->doc->what,
                                  l->err);
    if (!st)
        st = check_spaces(g, l);
    if (!st)
        st = ims__added_load(&g->added, ims__json_get(root, "added_tokens"), IMS_CLEAN_CANONICAL,
                             l->doc->what, l->err);
    out->id_limit =
        ims__added_id_limit(&g->added, ims__json_get(root, "added_tokens"), g->bpe.vocab_size);
    return st;
}

static ims_status gemma_open(void *ctx, const struct ims__tokenizer_doc *doc,
                             struct ims__tokenizer_facts *out, ims_err *err)
{
    struct gemma *g = ctx;
    struct ims__bpe_loader l = { .b = &g->bpe, .doc = doc, .err = err };
    struct ims__tokenizer_facts facts;
    ims_status st = ims__bpe_loader_init(&l);

    if (!st)
        st = load(g, &l, &facts);
    if (!st) {
        ims__bpe_loader_finish(&l);
        *out = facts;
    }
    ims__bpe_loader_release(&l);
    return st;
}

static void gemma_close(void *ctx)
{
    struct gemma *g = ctx;

    ims__bpe_release(&g->bpe);
    ims__free(g->characters);
    ims__normalizer_release(&g->normalizer);
    ims__added_release(&g->added);
}

static const char *gemma_token(const void *ctx, int32_t id)
{
    const struct gemma *g = ctx;

    return g->bpe.texts + g->bpe.text_at[id];
}

static bool gemma_accepts(const struct ims__tokenizer_doc *doc)
{
    const ims_json *model = ims__json_get(doc->root, "model");
    const char *type = ims__json_str(ims__json_get(model, "type"), NULL);
    const char *suffix = ims__json_str(ims__json_get(model, "end_of_word_suffix"), NULL);
    const char *prefix = ims__json_str(ims__json_get(model, "continuing_subword_prefix"), NULL);

    return type && strcmp(type, "BPE") == 0 && (!suffix || !*suffix) && (!prefix || !*prefix) &&
           ims__json_bool(ims__json_get(model, "byte_fallback"), false);
}

const struct ims__tokenizer_ops ims__tokenizer_gemma_ops = {
    .abi = IMS__TOKENIZER_ABI,
    .name = "gemma-bpe",
    .ctx_size = sizeof(struct gemma),
    .reads = "BPE over characters with byte_fallback",
    .cleaning = IMS_CLEAN_CANONICAL,
    .accepts = gemma_accepts,
    .open = gemma_open,
    .clean = ims__tokenizer_clean_canonical,
    .encode = gemma_encode,
    .token = gemma_token,
    .close = gemma_close,
};
