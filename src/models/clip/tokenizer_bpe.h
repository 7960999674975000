/* CLIP's byte-pair encoding: the tables, shared by loading and encoding. Private to
 * tokenizer_bpe*.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_BPE_H
#define IMS_MODELS_CLIP_TOKENIZER_BPE_H

#include "ims/status.h"

#include <stddef.h>
#include <stdint.h>

struct ims__tokenizer_doc;
struct ims__tokenizer_facts;

struct ims__bpe_merge { /* its rank is its place in the array */
    int32_t left;
    int32_t right;
    int32_t result;
};

struct ims__bpe {
    char *texts; /* all tokens, each NUL-terminated */
    uint32_t *text_at;
    int32_t vocab_size;
    int32_t start_id;
    int32_t end_id;
    int32_t byte_id[2][256]; /* symbol of a byte; [1]: of a word's last byte */

    struct ims__bpe_merge *merges;
    uint32_t n_merges;
    uint32_t *slots; /* open addressing over pairs: rank + 1, 0 is free */
    uint32_t slot_mask;
};

#define IMS__BPE_NO_RANK UINT32_MAX

static inline uint32_t ims__bpe_pair_slot(const struct ims__bpe *b, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

    key *= 0x9E3779B97F4A7C15u;
    return (uint32_t)(key >> 32) & b->slot_mask;
}

/* The rank of the merge of two neighbours, or IMS__BPE_NO_RANK. */
static inline uint32_t ims__bpe_rank(const struct ims__bpe *b, int32_t left, int32_t right)
{
    uint32_t i = ims__bpe_pair_slot(b, left, right);

    while (b->slots[i]) {
        const struct ims__bpe_merge *m = &b->merges[b->slots[i] - 1];

        if (m->left == left && m->right == right)
            return b->slots[i] - 1;
        i = (i + 1) & b->slot_mask;
    }
    return IMS__BPE_NO_RANK;
}

/* The open and close slots. */
ims_status ims__bpe_load(void *ctx, const struct ims__tokenizer_doc *doc,
                         struct ims__tokenizer_facts *out, ims_err *err);
void ims__bpe_release(void *ctx);

#endif
