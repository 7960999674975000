/* CLIP's byte-pair encoding: from cleaned text to ids.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/tokenizer_bpe.h"

#include "base/mem.h"
#include "base/text.h"
#include "models/clip/textclean.h"
#include "models/clip/tokenizer_backend.h"
#include "models/clip/tokenizer_bpe_merge.h"
#include "models/clip/tokenizer_split.h"

#include <string.h>

/* One symbol for each byte of the word; returns their number. */
static size_t fill_symbols(const struct ims__bpe *b, struct ims__bpe_scratch *w,
                           const struct ims__piece *word)
{
    unsigned char last = 0;
    size_t n = 0;

    for (size_t i = 0; i < word->n; i++) {
        char bytes[4];
        size_t len = ims__utf8_encode(word->at[i], bytes);

        for (size_t k = 0; k < len; k++) {
            last = (unsigned char)bytes[k];
            w->symbols[n] =
                (struct ims__bpe_symbol){ b->byte_id[0][last], (int32_t)n - 1, (int32_t)n + 1 };
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

static ims_status encode_word(const struct ims__bpe *b, struct ims__bpe_scratch *w,
                              const struct ims__piece *word, struct id_list *out)
{
    size_t n_bytes = 0;
    int32_t pos = 0;
    ims_status st;

    for (size_t i = 0; i < word->n; i++) {
        char bytes[4];

        n_bytes += ims__utf8_encode(word->at[i], bytes);
    }
    st = ims__bpe_scratch_reserve(w, n_bytes);
    if (st)
        return st;
    ims__bpe_merge_by_rank(b, w, fill_symbols(b, w, word));
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
    struct ims__bpe_scratch w = { 0 };
    struct ims__cps text = { 0 };
    struct ims__piece piece;
    size_t pos = 0;
    ims_status st = ims__textclean(utf8, len, IMS_CLEAN_LOWER, &text, err);

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
    ims__bpe_scratch_release(&w);
    ims__cps_release(&text);
    return st;
}

static ims_status bpe_clean(const void *ctx, const char *utf8, size_t len, struct ims_buf *out,
                            ims_err *err)
{
    struct ims__cps text = { 0 };
    ims_status st = ims__textclean(utf8, len, IMS_CLEAN_LOWER, &text, err);

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
    .cleaning = IMS_CLEAN_LOWER,
    .accepts = bpe_accepts,
    .open = ims__bpe_load,
    .clean = bpe_clean,
    .encode = bpe_encode,
    .token = bpe_token,
    .close = ims__bpe_release,
};
