/* Merging the symbols of one word, in the two orders that references have. Private to the byte-pair
 * tokenizers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_BPE_MERGE_H
#define IMS_MODELS_CLIP_TOKENIZER_BPE_MERGE_H

#include "ims/status.h"
#include "models/clip/tokenizer_bpe.h"

#include <stddef.h>
#include <stdint.h>

#define IMS__BPE_DEAD (-1)

struct ims__bpe_symbol {
    int32_t id; /* IMS__BPE_DEAD: merged into a symbol on its left */
    int32_t prev;
    int32_t next; /* -1: the last one */
};

/* The working memory of one call, as large as the longest word so far. Zero-initialised is empty.
 */
struct ims__bpe_scratch {
    struct ims__bpe_symbol *symbols;
    uint64_t *heap;   /* rank << 32 | position */
    int32_t *touched; /* positions whose right neighbour is new */
    size_t cap;       /* symbols */
    size_t n_heap;
    size_t n_touched;
};

/* Room for n symbols; what was in it is lost. */
ims_status ims__bpe_scratch_reserve(struct ims__bpe_scratch *w, size_t n) IMS_MUST_CHECK;
void ims__bpe_scratch_release(struct ims__bpe_scratch *w);

/* Both merge symbols[0 .. n), linked; what is left is the list that begins at 0.
 *
 * CLIP's order: take the pair of the lowest rank, merge all its occurrences from left to right,
 * begin again. So one rank is worked off completely before pairs that its merges made are looked
 * at, although such a pair may have a lower rank. */
void ims__bpe_merge_by_rank(const struct ims__bpe *b, struct ims__bpe_scratch *w, size_t n);
/* Hugging Face's order: every merge takes the pair of the lowest rank that is there at that moment,
 * the leftmost of equals. */
void ims__bpe_merge_at_once(const struct ims__bpe *b, struct ims__bpe_scratch *w, size_t n);

#endif
