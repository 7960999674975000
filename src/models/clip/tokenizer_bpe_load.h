/* Loading a byte-pair encoding in two phases: vocabulary, then merges. Private to the byte-pair
 * tokenizers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_BPE_LOAD_H
#define IMS_MODELS_CLIP_TOKENIZER_BPE_LOAD_H

#include "base/buf.h"
#include "ims/status.h"
#include "models/clip/tokenizer_bpe.h"
#include "models/clip/tokenizer_json.h"

#include <stddef.h>
#include <stdint.h>

/* What loading needs beside the tables. */
struct ims__bpe_loader {
    struct ims__bpe *b;
    const struct ims__tokenizer_doc *doc;
    ims_err *err;
    struct ims__json_pull *pull;
    struct ims_buf texts; /* becomes b->texts */
    uint32_t *at;         /* entries in the order of the file: where its text is, which id it has */
    int32_t *ids;
    size_t n_entries;
    size_t cap_at;
    size_t cap_ids;
    size_t cap_merges;
    uint64_t *slots; /* open addressing over token texts: upper half of the hash, then id + 1; 0 is
                      * free. Most of the others are told apart without a look at their texts. */
    uint32_t slot_mask;
};

/* Vocabulary and merges; l->slots still finds tokens afterwards. */
ims_status ims__bpe_load_tables(struct ims__bpe_loader *l);
/* The steps around it: memory of the reader, and after all has been found the texts go to b. */
ims_status ims__bpe_loader_init(struct ims__bpe_loader *l);
void ims__bpe_loader_finish(struct ims__bpe_loader *l);
void ims__bpe_loader_release(struct ims__bpe_loader *l);

/* Fills text_at, vocab_size and slots; checks that ids are unique and without gaps. */
ims_status ims__bpe_load_vocab(struct ims__bpe_loader *l);
/* The id of a token, or -1. */
int32_t ims__bpe_find_token(const struct ims__bpe_loader *l, const char *text, size_t len);
uint32_t ims__bpe_slots_for(size_t n);

/* The end of a list that was pulled: did anything stop the reader before it? */
ims_status ims__bpe_check_list(struct ims__bpe_loader *l, const char *name);
ims_status ims__bpe_out_of_memory(struct ims__bpe_loader *l, const char *doing);
/* "an array", "null" ... and "nothing" for NULL */
const char *ims__bpe_kind_of(const ims_json *v);

#endif
