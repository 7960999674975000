/* SentencePiece's Unigram model: pieces and rules out of a tokenizer.json, checked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_unigram.h"

#include "base/limits.h"
#include "base/mem.h"
#include "models/clip/tokenizer_backend.h"

#include <float.h>
#include <string.h>

#define MAX_PIECE_BYTES 1024
#define UNK_PENALTY 10.0 /* below the lowest score */

struct loader {
    struct ims__unigram *u;
    const struct ims__tokenizer_doc *doc;
    ims_err *err;
    struct ims__json_pull *pull;
    struct ims_buf texts; /* becomes u->texts */
    size_t cap_at, cap_scores;
};

static ims_status no_memory(const struct loader *l)
{
    return ims_fail(l->err, IMS_E_NOMEM, "tokenizer", 0, "%s: reading the pieces", l->doc->what);
}

/* ---- pieces ---- */

static ims_status add_text(struct loader *l, const char *text, size_t len)
{
    struct ims__unigram *u = l->u;

    if (u->vocab_size >= IMS_MAX_VOCAB || len > MAX_PIECE_BYTES)
        return ims_fail(l->err, IMS_E_LIMIT, "tokenizer", 0,
                        "%s: model.vocab[%d] has %zu bytes; at most %d pieces of %d are read",
                        l->doc->what, (int)u->vocab_size, len, IMS_MAX_VOCAB, MAX_PIECE_BYTES);
    if (!ims__grow((void **)&u->text_at, &l->cap_at, (size_t)u->vocab_size, sizeof(*u->text_at),
                   IMS_MAX_VOCAB))
        return no_memory(l);
    u->text_at[u->vocab_size++] = (uint32_t)l->texts.len;
    return ims__buf_add(&l->texts, text, len) || ims__buf_add_char(&l->texts, '\0') ? no_memory(l)
                                                                                    : IMS_OK;
}

/* [piece, score] */
static ims_status read_piece(struct loader *l)
{
    struct ims__json_pull *p = l->pull;
    struct ims__unigram *u = l->u;
    const char *found = ims__pull_found(p);
    bool is_first = true;
    bool is_sound = ims__pull_enter(p, '[') && ims__pull_element(p, &is_first) &&
                    ims__pull_string(p) && ims__pull_element(p, &is_first);
    size_t len = p->n_text;
    double score = 0;

    is_sound = is_sound && ims__pull_number(p, &score) && !ims__pull_element(p, &is_first);
    if (p->status)
        return IMS_OK; /* the list's end tells */
    if (!is_sound)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.vocab[%d]: expected [piece, score], found %s", l->doc->what,
                        (int)u->vocab_size, found);
    if (!ims__grow((void **)&u->scores, &l->cap_scores, (size_t)u->vocab_size, sizeof(*u->scores),
                   IMS_MAX_VOCAB + 1))
        return no_memory(l);
    u->scores[u->vocab_size] = score;
    if (len > u->max_bytes)
        u->max_bytes = len;
    if (score - UNK_PENALTY < u->unk_score)
        u->unk_score = score - UNK_PENALTY;
    return add_text(l, p->text, len);
}

static ims_status read_pieces(struct loader *l)
{
    struct ims__json_pull *p = l->pull;
    bool is_first = true;
    ims_status st = IMS_OK;

    if (!l->doc->vocab.at || *l->doc->vocab.at != '[')
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.vocab: expected an array of [piece, score], found none",
                        l->doc->what);
    l->u->unk_score = DBL_MAX;
    ims__pull_init(p, l->doc->vocab);
    ims__pull_enter(p, '[');
    while (!st && ims__pull_element(p, &is_first))
        st = read_piece(l);
    if (!st && !ims__pull_is_at_end(p))
        st = ims_fail(l->err, p->status ? p->status : IMS_E_FORMAT, "tokenizer", 0,
                      "%s: model.vocab: malformed JSON or too long a string at byte %zu",
                      l->doc->what, (size_t)(p->at - l->doc->text));
    if (!st && l->u->vocab_size == 0)
        st = ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                      "%s: model.vocab: expected an array of [piece, score], found an empty one",
                      l->doc->what);
    l->u->n_pieces = l->u->vocab_size;
    return st;
}

static uint64_t hash(const char *text)
{
    uint64_t h = IMS__UNIGRAM_HASH_START;

    for (; *text; text++)
        h = ims__unigram_hash(h, (unsigned char)*text);
    return h;
}

/* A piece that comes again takes its last id, as in the reference. */
static ims_status index_pieces(struct loader *l)
{
    struct ims__unigram *u = l->u;
    uint32_t n_slots = 16;

    while (n_slots < 2 * (uint32_t)u->n_pieces)
        n_slots *= 2;
    u->slot_mask = n_slots - 1;
    u->slots = ims__zalloc(n_slots, sizeof(*u->slots));
    if (!u->slots)
        return no_memory(l);
    u->texts = l->texts.data;
    for (int32_t id = 0; id < u->n_pieces; id++) {
        const char *text = u->texts + u->text_at[id];
        uint32_t i = ims__unigram_slot(u, hash(text));

        while (u->slots[i] && strcmp(u->texts + u->text_at[u->slots[i] - 1], text) != 0)
            i = (i + 1) & u->slot_mask;
        u->slots[i] = (uint32_t)id + 1;
    }
    u->texts = NULL;
    return IMS_OK;
}

/* ---- added and special tokens ---- */

static ims_status read_added(struct loader *l)
{
    const ims_json *added = ims__json_get(l->doc->root, "added_tokens");
    struct ims__unigram *u = l->u;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < ims__json_len(added) && !st; i++) {
        const ims_json *token = ims__json_at(added, i);
        int64_t id = ims__json_int(ims__json_get(token, "id"), -1);
        size_t len = 0;
        const char *text = ims__json_str(ims__json_get(token, "content"), &len);
        bool is_new = id == u->vocab_size;
        bool is_known = text && id >= 0 && id < u->vocab_size &&
                        strcmp(l->texts.data + u->text_at[id], text) == 0;

        if (!text || strlen(text) != len || (!is_new && !is_known))
            return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                            "%s: added_tokens[%zu]: expected a content with its id in model.vocab, "
                            "or the next id %d, found id %lld",
                            l->doc->what, i, (int)u->vocab_size, (long long)id);
        if (is_new)
            st = add_text(l, text, len);
    }
    return st;
}

static ims_status read_specials(struct loader *l)
{
    static const char *const ends[] = { "</s>", "<eos>" };
    const ims_json *model = ims__json_get(l->doc->root, "model");
    int64_t unk = ims__json_int(ims__json_get(model, "unk_id"), -1);
    struct ims__unigram *u = l->u;

    if (ims__json_bool(ims__json_get(model, "byte_fallback"), false))
        return ims_fail(l->err, IMS_E_UNSUPPORTED, "tokenizer", 0,
                        "%s: model.byte_fallback: expected false for a Unigram model, found true",
                        l->doc->what);
    if (unk < 0 || unk >= u->n_pieces)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: model.unk_id: expected an id of model.vocab, found %lld", l->doc->what,
                        (long long)unk);
    u->unk_id = (int32_t)unk;
    u->end_id = -1;
    for (size_t k = 0; k < IMS_ARRAY_LEN(ends) && u->end_id < 0; k++) {
        for (int32_t id = 0; id < u->vocab_size && u->end_id < 0; id++) {
            if (strcmp(l->texts.data + u->text_at[id], ends[k]) == 0)
                u->end_id = id;
        }
    }
    if (u->end_id < 0)
        return ims_fail(l->err, IMS_E_FORMAT, "tokenizer", 0,
                        "%s: expected a token \"%s\" or \"%s\", found neither", l->doc->what,
                        ends[0], ends[1]);
    return IMS_OK;
}

/* ---- pre-tokenizer ---- */

static bool is_type(const ims_json *v, const char *name)
{
    const char *type = ims__json_str(ims__json_get(v, "type"), NULL);

    return type && strcmp(type, name) == 0;
}

static bool read_metaspace(struct ims__unigram *u, const ims_json *v)
{
    static const char *const schemes[] = { [IMS__PREPEND_ALWAYS] = "always",
                                           [IMS__PREPEND_FIRST] = "first",
                                           [IMS__PREPEND_NEVER] = "never" };
    const char *symbol = ims__json_str(ims__json_get(v, "replacement"), NULL);
    const char *scheme = ims__json_str(ims__json_get(v, "prepend_scheme"), NULL);

    if (!is_type(v, "Metaspace") || !symbol || strcmp(symbol, "\xE2\x96\x81") != 0)
        return false;
    u->splits_symbols = ims__json_bool(ims__json_get(v, "split"), true);
    u->prepend = ims__json_bool(ims__json_get(v, "add_prefix_space"), true) ? IMS__PREPEND_ALWAYS
                                                                            : IMS__PREPEND_NEVER;
    if (!scheme)
        return true;
    for (size_t i = 0; i < IMS_ARRAY_LEN(schemes); i++) {
        if (strcmp(schemes[i], scheme) == 0) {
            u->prepend = (ims__prepend)i;
            return true;
        }
    }
    return false;
}

static ims_status read_pre_tokenizer(struct loader *l)
{
    const ims_json *v = ims__json_get(l->doc->root, "pre_tokenizer");
    const ims_json *list = ims__json_get(v, "pretokenizers");
    const char *found;

    if (is_type(v, "Sequence") && ims__json_len(list) == 2 &&
        is_type(ims__json_at(list, 0), "WhitespaceSplit")) {
        l->u->splits_words = true;
        v = ims__json_at(list, 1);
    } else if (is_type(v, "Sequence") && ims__json_len(list) == 1) {
        v = ims__json_at(list, 0);
    }
    if (read_metaspace(l->u, v))
        return IMS_OK;
    found = ims__json_str(ims__json_get(v, "type"), NULL);
    return ims_fail(l->err, IMS_E_UNSUPPORTED, "tokenizer", 0,
                    "%s: pre_tokenizer: expected Metaspace with U+2581, alone or behind "
                    "WhitespaceSplit, found \"%.60s\"",
                    l->doc->what, found ? found : "nothing");
}

/* ---- all ---- */

static ims_status load(struct loader *l)
{
    struct ims__unigram *u = l->u;
    ims_status st = read_pieces(l);

    if (!st)
        st = read_added(l);
    if (!st)
        st = index_pieces(l);
    if (!st)
        st = read_specials(l);
    if (!st)
        st = read_pre_tokenizer(l);
    if (!st)
        st = ims__normalizer_load(&u->normalizer, ims__json_get(l->doc->root, "normalizer"),
                                  l->doc->what, l->err);
    if (!st)
        st = ims__added_load(&u->added, ims__json_get(l->doc->root, "added_tokens"),
                             IMS_CLEAN_CANONICAL, l->doc->what, l->err);
    return st;
}

ims_status ims__unigram_load(void *ctx, const struct ims__tokenizer_doc *doc,
                             struct ims__tokenizer_facts *out, ims_err *err)
{
    struct ims__unigram *u = ctx;
    struct loader l = { .u = u, .doc = doc, .err = err };
    const ims_json *added = ims__json_get(doc->root, "added_tokens");
    ims_status st;

    ims__buf_init(&l.texts, IMS_MAX_JSON_BYTES);
    l.pull = ims__alloc(1, sizeof(*l.pull));
    st = l.pull ? load(&l) : no_memory(&l);
    if (!st) {
        u->texts = ims__buf_take(&l.texts, NULL);
        /* SigLIP's texts are padded with the end token */
        *out =
            (struct ims__tokenizer_facts){ u->vocab_size, -1, u->end_id, u->end_id,
                                           ims__added_id_limit(&u->added, added, u->vocab_size) };
    }
    ims__buf_release(&l.texts);
    ims__free(l.pull);
    return st;
}

void ims__unigram_release(void *ctx)
{
    struct ims__unigram *u = ctx;

    ims__normalizer_release(&u->normalizer);
    ims__added_release(&u->added);
    ims__free(u->texts);
    ims__free(u->text_at);
    ims__free(u->scores);
    ims__free(u->slots);
}
