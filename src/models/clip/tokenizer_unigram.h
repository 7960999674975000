/* SentencePiece's Unigram model: the tables, shared by loading and encoding. Private to
 * tokenizer_unigram*.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_UNIGRAM_H
#define IMS_MODELS_CLIP_TOKENIZER_UNIGRAM_H

#include "ims/status.h"
#include "models/clip/tokenizer_added.h"
#include "models/clip/tokenizer_normalize.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims__tokenizer_doc;
struct ims__tokenizer_facts;

typedef enum ims__prepend {
    IMS__PREPEND_ALWAYS, /* every stretch between added tokens, every word */
    IMS__PREPEND_FIRST,  /* only what begins the text */
    IMS__PREPEND_NEVER
} ims__prepend;

struct ims__unigram {
    char *texts; /* all tokens, each NUL-terminated */
    uint32_t *text_at;
    double *scores;
    int32_t vocab_size; /* added tokens included */
    int32_t n_pieces;   /* those with a score; the others are never found in a word */
    int32_t unk_id;
    int32_t end_id;
    double unk_score;
    size_t max_bytes; /* of the longest piece */
    uint32_t *slots;  /* open addressing over pieces: id + 1, 0 is free */
    uint32_t slot_mask;

    struct ims__normalizer normalizer;
    struct ims__added added;
    ims__prepend prepend;
    bool splits_words;   /* at white space, which goes */
    bool splits_symbols; /* before every U+2581 */
};

/* FNV-1a, byte by byte, as pieces are looked up prefix by prefix. */
#define IMS__UNIGRAM_HASH_START 0xCBF29CE484222325u
static inline uint64_t ims__unigram_hash(uint64_t h, unsigned char byte)
{
    return (h ^ byte) * 0x100000001B3u;
}

static inline uint32_t ims__unigram_slot(const struct ims__unigram *u, uint64_t h)
{
    return (uint32_t)(h ^ h >> 29) & u->slot_mask;
}

/* The piece of that text, whose hash is h, or -1. */
int32_t ims__unigram_find(const struct ims__unigram *u, uint64_t h, const char *text, size_t len);

/* The open and close slots. */
ims_status ims__unigram_load(void *ctx, const struct ims__tokenizer_doc *doc,
                             struct ims__tokenizer_facts *out, ims_err *err);
void ims__unigram_release(void *ctx);

#endif
