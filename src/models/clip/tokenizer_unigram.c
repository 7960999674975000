/* SentencePiece's Unigram model: from cleaned text to ids.
 *
 * A word becomes the pieces whose scores have the largest sum. best[i] is the best way to the i-th
 * character's start; a character that is no piece of its own may be passed as unknown, for ten less
 * than the lowest score. Of equal sums the one whose last piece begins first stays.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_unigram.h"

#include "base/mem.h"
#include "base/text.h"
#include "models/clip/textclean.h"
#include "models/clip/tokenizer_backend.h"

#include <string.h>

int32_t ims__unigram_find(const struct ims__unigram *u, uint64_t h, const char *text, size_t len)
{
    uint32_t i = ims__unigram_slot(u, h);

    for (; u->slots[i]; i = (i + 1) & u->slot_mask) {
        const char *piece = u->texts + u->text_at[u->slots[i] - 1];

        if (strncmp(piece, text, len) == 0 && piece[len] == '\0')
            return (int32_t)(u->slots[i] - 1);
    }
    return -1;
}

struct node {
    double score;
    uint32_t from;
    int32_t id; /* of the piece that ends here; -1: no way leads here yet */
};

/* The working memory of one call. */
struct scratch {
    struct node *best; /* one more than characters */
    char *bytes;       /* the word in UTF-8 */
    uint32_t *byte_at; /* where each character begins in it, and the end */
    size_t cap;        /* characters */
    int32_t *ids;      /* of one word, last first */
    struct ims__cps word;
};

struct id_list {
    int32_t *ids;
    size_t max;
    size_t n;
};

static void release(struct scratch *w)
{
    ims__free(w->best);
    ims__free(w->bytes);
    ims__free(w->byte_at);
    ims__free(w->ids);
    ims__cps_release(&w->word);
}

static ims_status reserve(struct scratch *w, size_t n)
{
    if (n <= w->cap)
        return IMS_OK;
    n = n < 64 ? 64 : n;
    ims__free(w->best);
    ims__free(w->bytes);
    ims__free(w->byte_at);
    ims__free(w->ids);
    w->cap = 0;
    w->best = ims__alloc(n + 1, sizeof(*w->best));
    w->bytes = ims__alloc(n, 4);
    w->byte_at = ims__alloc(n + 1, sizeof(*w->byte_at));
    w->ids = ims__alloc(n, sizeof(*w->ids));
    if (!w->best || !w->bytes || !w->byte_at || !w->ids)
        return IMS_E_NOMEM;
    w->cap = n;
    return IMS_OK;
}

static void offer(struct node *to, double score, size_t from, int32_t id)
{
    if (to->id < 0 || score > to->score)
        *to = (struct node){ score, (uint32_t)from, id };
}

/* Offers every piece that begins at character i to the place where it ends. */
static void offer_pieces(const struct ims__unigram *u, struct scratch *w, size_t i, size_t n)
{
    const char *text = w->bytes + w->byte_at[i];
    const double score = w->best[i].score;
    uint64_t h = IMS__UNIGRAM_HASH_START;
    bool has_single = false;
    size_t len = 0;

    for (size_t end = i + 1; end <= n && w->byte_at[end] - w->byte_at[i] <= u->max_bytes; end++) {
        int32_t id;

        while (len < w->byte_at[end] - w->byte_at[i])
            h = ims__unigram_hash(h, (unsigned char)text[len++]);
        id = ims__unigram_find(u, h, text, len);
        if (id < 0)
            continue;
        offer(&w->best[end], u->scores[id] + score, i, id);
        has_single = has_single || end == i + 1;
    }
    if (!has_single)
        offer(&w->best[i + 1], u->unk_score + score, i, u->unk_id);
}

static ims_status encode_word(const struct ims__unigram *u, struct scratch *w, const uint32_t *at,
                              size_t n, struct id_list *out)
{
    size_t n_ids = 0;
    size_t len = 0;

    if (reserve(w, n))
        return IMS_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        w->byte_at[i] = (uint32_t)len;
        len += ims__utf8_encode(at[i], w->bytes + len);
        w->best[i + 1].id = -1;
    }
    w->byte_at[n] = (uint32_t)len;
    w->best[0] = (struct node){ 0.0, 0, 0 };
    for (size_t i = 0; i < n; i++)
        offer_pieces(u, w, i, n);
    for (size_t end = n; end > 0; end = w->best[end].from) {
        int32_t id = w->best[end].id;
        if (id != u->unk_id || n_ids == 0 || w->ids[n_ids - 1] != id) /* unknowns fuse */
            w->ids[n_ids++] = id;
    }
    while (n_ids > 0 && out->n < out->max)
        out->ids[out->n++] = w->ids[--n_ids];
    return IMS_OK;
}

/* One stretch or word: spaces become U+2581, perhaps one goes in front, then words begin at it. */
static ims_status encode_symbols(const struct ims__unigram *u, struct scratch *w,
                                 const uint32_t *at, size_t n, bool is_first, struct id_list *out)
{
    bool is_prepended =
        u->prepend == IMS__PREPEND_ALWAYS || (u->prepend == IMS__PREPEND_FIRST && is_first);
    ims_status st = IMS_OK;

    if (n == 0)
        return IMS_OK;
    w->word.n = 0;
    if (is_prepended && at[0] != ' ' && at[0] != IMS__METASPACE)
        st = ims__cps_add(&w->word, IMS__METASPACE);
    if (!st)
        st = ims__cps_add_all(&w->word, at, n);
    for (size_t i = 0; i < w->word.n && !st; i++) {
        if (w->word.at[i] == ' ')
            w->word.at[i] = IMS__METASPACE;
    }
    for (size_t from = 0, to; from < w->word.n && out->n < out->max && !st; from = to) {
        to = from + 1;
        while (to < w->word.n && !(u->splits_symbols && w->word.at[to] == IMS__METASPACE))
            to++;
        st = encode_word(u, w, w->word.at + from, to - from, out);
    }
    return st;
}

static bool is_space(uint32_t cp)
{
    return ims__unicode_props(cp) & IMS__CHAR_SPACE;
}

static ims_status encode_stretch(const struct ims__unigram *u, struct scratch *w,
                                 const uint32_t *at, size_t n, bool is_first, struct id_list *out)
{
    ims_status st = IMS_OK;

    if (!u->splits_words)
        return encode_symbols(u, w, at, n, is_first, out);
    for (size_t from = 0, to; from < n && out->n < out->max && !st; from = to) {
        to = from + 1;
        if (is_space(at[from]))
            continue;
        while (to < n && !is_space(at[to]))
            to++;
        st = encode_symbols(u, w, at + from, to - from, is_first && from == 0, out);
    }
    return st;
}

/* Between added tokens of the cleaned text: normalized, then split at those of the normalized. */
static ims_status encode_between(const struct ims__unigram *u, struct scratch *w,
                                 const uint32_t *at, size_t n, bool is_first, struct id_list *out)
{
    struct ims__cps text = { 0 };
    struct ims__stretch s;
    size_t pos = 0;
    ims_status st = ims__cps_add_all(&text, at, n);

    if (!st)
        st = ims__normalizer_apply(&u->normalizer, &text);
    while (!st && out->n < out->max &&
           ims__added_next(&u->added, true, text.at, text.n, &pos, &s)) {
        if (s.id >= 0)
            out->ids[out->n++] = s.id;
        else
            st = encode_stretch(u, w, text.at + s.from, s.n, is_first && s.from == 0, out);
    }
    ims__cps_release(&text);
    return st;
}

static ims_status unigram_encode(const void *ctx, const char *utf8, size_t len, int32_t *out_ids,
                                 size_t max_ids, size_t *out_n, ims_err *err)
{
    const struct ims__unigram *u = ctx;
    struct id_list out = { out_ids, max_ids, 0 };
    struct scratch w = { 0 };
    struct ims__cps text = { 0 };
    struct ims__stretch s;
    size_t pos = 0;
    ims_status st = ims__textclean(utf8, len, IMS_CLEAN_CANONICAL, &text, err);

    if (st)
        goto out;
    while (!st && out.n < out.max && ims__added_next(&u->added, false, text.at, text.n, &pos, &s)) {
        if (s.id >= 0)
            out.ids[out.n++] = s.id;
        else
            st = encode_between(u, &w, text.at + s.from, s.n, s.from == 0, &out);
    }
    if (st)
        st = ims_fail(err, st, "tokenizer", 0, "encoding a text of %zu characters", text.n);
    else
        *out_n = out.n;
out:
    release(&w);
    ims__cps_release(&text);
    return st;
}

static const char *unigram_token(const void *ctx, int32_t id)
{
    const struct ims__unigram *u = ctx;

    return u->texts + u->text_at[id];
}

static bool unigram_accepts(const struct ims__tokenizer_doc *doc)
{
    const char *type =
        ims__json_str(ims__json_get(ims__json_get(doc->root, "model"), "type"), NULL);

    return type && strcmp(type, "Unigram") == 0;
}

const struct ims__tokenizer_ops ims__tokenizer_unigram_ops = {
    .abi = IMS__TOKENIZER_ABI,
    .name = "unigram",
    .ctx_size = sizeof(struct ims__unigram),
    .reads = "Unigram with a Metaspace pre-tokenizer",
    .cleaning = IMS_CLEAN_CANONICAL,
    .accepts = unigram_accepts,
    .open = ims__unigram_load,
    .clean = ims__tokenizer_clean_canonical,
    .encode = unigram_encode,
    .token = unigram_token,
    .close = ims__unigram_release,
};
