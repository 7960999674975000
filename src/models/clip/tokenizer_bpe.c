/* CLIP's byte-pair encoding: from cleaned text to ids.
 *
 * The reference, per word: take the pair of neighbours with the lowest rank, merge all its
 * occurrences from left to right, begin again. That is quadratic for long words; here the word is a
 * linked list of symbols and the ranked pairs wait in a heap of (rank, position). One rank is
 * worked off completely before the pairs that its merges created are looked at, because such a pair
 * may have a lower rank.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_bpe.h"

#include "base/mem.h"
#include "base/text.h"
#include "models/clip/textclean.h"
#include "models/clip/tokenizer_backend.h"
#include "models/clip/tokenizer_split.h"

#include <string.h>

#define DEAD (-1)

struct symbol {
    int32_t id; /* DEAD: merged into a symbol on its left */
    int32_t prev;
    int32_t next; /* -1: the last one */
};

/* The working memory of one call, as large as the longest word so far. */
struct scratch {
    struct symbol *symbols;
    uint64_t *heap;   /* rank << 32 | position */
    int32_t *touched; /* positions whose right neighbour is new */
    size_t cap;       /* symbols */
    size_t n_heap;
    size_t n_touched;
};

static void scratch_release(struct scratch *w)
{
    ims__free(w->symbols);
    ims__free(w->heap);
    ims__free(w->touched);
}

static ims_status scratch_reserve(struct scratch *w, size_t n)
{
    if (n <= w->cap)
        return IMS_OK;
    n = n < 64 ? 64 : n;
    scratch_release(w);
    memset(w, 0, sizeof(*w));
    w->symbols = ims__alloc(n, sizeof(*w->symbols));
    /* n - 1 pairs at first; each of at most n - 1 merges adds two. */
    w->heap = ims__alloc(3 * n, sizeof(*w->heap));
    w->touched = ims__alloc(2 * n, sizeof(*w->touched));
    if (!w->symbols || !w->heap || !w->touched)
        return IMS_E_NOMEM;
    w->cap = n;
    return IMS_OK;
}

static void heap_push(struct scratch *w, uint64_t key)
{
    size_t i = w->n_heap++;

    while (i > 0 && w->heap[(i - 1) / 2] > key) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = key;
}

static uint64_t heap_pop(struct scratch *w)
{
    uint64_t top = w->heap[0];
    uint64_t key = w->heap[--w->n_heap];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= w->n_heap)
            break;
        if (child + 1 < w->n_heap && w->heap[child + 1] < w->heap[child])
            child++;
        if (w->heap[child] >= key)
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = key;
    return top;
}

static void push_pair(const struct ims__bpe *b, struct scratch *w, int32_t pos)
{
    const struct symbol *s = &w->symbols[pos];
    uint32_t rank;

    if (s->id == DEAD || s->next < 0)
        return;
    rank = ims__bpe_rank(b, s->id, w->symbols[s->next].id);
    if (rank != IMS__BPE_NO_RANK)
        heap_push(w, (uint64_t)rank << 32 | (uint32_t)pos);
}

/* Merges the pair at pos if it is still the one of this rank. */
static void merge_at(const struct ims__bpe *b, struct scratch *w, uint32_t rank, int32_t pos)
{
    const struct ims__bpe_merge *m = &b->merges[rank];
    struct symbol *s = &w->symbols[pos];
    struct symbol *next;

    if (s->id != m->left || s->next < 0 || w->symbols[s->next].id != m->right)
        return;
    next = &w->symbols[s->next];
    s->id = m->result;
    s->next = next->next;
    next->id = DEAD;
    if (s->next >= 0)
        w->symbols[s->next].prev = pos;
    w->touched[w->n_touched++] = pos;
    if (s->prev >= 0)
        w->touched[w->n_touched++] = s->prev;
}

static void merge_word(const struct ims__bpe *b, struct scratch *w, size_t n)
{
    w->n_heap = 0;
    for (size_t i = 0; i + 1 < n; i++)
        push_pair(b, w, (int32_t)i);
    while (w->n_heap) {
        uint32_t rank = (uint32_t)(w->heap[0] >> 32);

        w->n_touched = 0;
        while (w->n_heap && (uint32_t)(w->heap[0] >> 32) == rank)
            merge_at(b, w, rank, (int32_t)(uint32_t)heap_pop(w));
        for (size_t i = 0; i < w->n_touched; i++)
            push_pair(b, w, w->touched[i]);
    }
}

/* One symbol for each byte of the word; returns their number. */
static size_t fill_symbols(const struct ims__bpe *b, struct scratch *w,
                           const struct ims__piece *word)
{
    unsigned char last = 0;
    size_t n = 0;

    for (size_t i = 0; i < word->n; i++) {
        char bytes[4];
        size_t len = ims__utf8_encode(word->at[i], bytes);

        for (size_t k = 0; k < len; k++) {
            last = (unsigned char)bytes[k];
            w->symbols[n] = (struct symbol){ b->byte_id[0][last], (int32_t)n - 1, (int32_t)n + 1 };
            n++;
        }
    }
    w->symbols[n - 1].id = b->byte_id[1][last];
    w->symbols[n - 1].next = -1;
    return n;
}

struct id_list {
    int32_t *ids;
    size_t max;
    size_t n;
};

static ims_status encode_word(const struct ims__bpe *b, struct scratch *w,
                              const struct ims__piece *word, struct id_list *out)
{
    size_t n_bytes = 0;
    int32_t pos = 0;
    ims_status st;

    for (size_t i = 0; i < word->n; i++) {
        char bytes[4];

        n_bytes += ims__utf8_encode(word->at[i], bytes);
    }
    st = scratch_reserve(w, n_bytes);
    if (st)
        return st;
    merge_word(b, w, fill_symbols(b, w, word));
    while (pos >= 0 && out->n < out->max) {
        out->ids[out->n++] = w->symbols[pos].id;
        pos = w->symbols[pos].next;
    }
    return IMS_OK;
}

static ims_status bpe_encode(const void *ctx, const char *utf8, size_t len, int32_t *out_ids,
                             size_t max_ids, size_t *out_n, ims_err *err)
{
    const struct ims__bpe *b = ctx;
    struct id_list out = { out_ids, max_ids, 0 };
    struct scratch w = { 0 };
    struct ims__cps text = { 0 };
    struct ims__piece piece;
    size_t pos = 0;
    ims_status st = ims__textclean(utf8, len, &text, err);

    if (st)
        goto out;
    while (out.n < out.max && ims__split_next(text.at, text.n, &pos, &piece)) {
        if (piece.kind == IMS__PIECE_WORD)
            st = encode_word(b, &w, &piece, &out);
        else
            out.ids[out.n++] = piece.kind == IMS__PIECE_START ? b->start_id : b->end_id;
        if (st) {
            st = ims_fail(err, st, "tokenizer", 0, "encoding a word of %zu characters", piece.n);
            goto out;
        }
    }
    *out_n = out.n;
out:
    scratch_release(&w);
    ims__cps_release(&text);
    return st;
}

static ims_status bpe_clean(const void *ctx, const char *utf8, size_t len, struct ims_buf *out,
                            ims_err *err)
{
    struct ims__cps text = { 0 };
    ims_status st = ims__textclean(utf8, len, &text, err);

    (void)ctx;
    if (!st) {
        st = ims__cps_to_utf8(text.at, text.n, out);
        if (st)
            st = ims_fail(err, st, "tokenizer", 0, "writing %zu characters", text.n);
    }
    ims__cps_release(&text);
    return st;
}

static const char *bpe_token(const void *ctx, int32_t id)
{
    const struct ims__bpe *b = ctx;

    return b->texts + b->text_at[id];
}

static bool bpe_accepts(const struct ims__tokenizer_doc *doc)
{
    const ims_json *model = ims__json_get(doc->root, "model");
    const char *type = ims__json_str(ims__json_get(model, "type"), NULL);
    const char *suffix = ims__json_str(ims__json_get(model, "end_of_word_suffix"), NULL);
    const char *prefix = ims__json_str(ims__json_get(model, "continuing_subword_prefix"), NULL);

    return type && strcmp(type, "BPE") == 0 && suffix && strcmp(suffix, "</w>") == 0 &&
           (!prefix || !*prefix) && !ims__json_bool(ims__json_get(model, "byte_fallback"), false);
}

const struct ims__tokenizer_ops ims__tokenizer_bpe_ops = {
    .abi = IMS__TOKENIZER_ABI,
    .name = "clip-bpe",
    .ctx_size = sizeof(struct ims__bpe),
    .reads = "BPE over bytes with end_of_word_suffix \"</w>\"",
    .accepts = bpe_accepts,
    .open = ims__bpe_load,
    .clean = bpe_clean,
    .encode = bpe_encode,
    .token = bpe_token,
    .close = ims__bpe_release,
};
