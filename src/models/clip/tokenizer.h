/* Text to token ids, as the text towers of CLIP models expect them.
 *
 * A tokenizer is read from a Hugging Face tokenizer.json; the kind of its model decides the rules.
 * There are CLIP's byte-pair encoding, SigLIP's Unigram and SigLIP 2's byte-pair encoding with
 * bytes to fall back on, each with the cleaning in front of it that open_clip gives it; another
 * kind registers a backend in tokenizer.c and keeps this header.
 *
 * Immutable after open and thread-safe: encode works on memory of its own call.
 * docs/notes/tokenizer.md has the rules, what of the reference is left out, and the file format.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_H
#define IMS_MODELS_CLIP_TOKENIZER_H

#include "base/buf.h"
#include "ims/status.h"
#include "models/clip/textclean.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_tokenizer;

/* Reads a tokenizer.json. IMS_E_NOT_FOUND, IMS_E_IO and the like for the file itself, IMS_E_FORMAT
 * when it is not JSON or contradicts itself, IMS_E_UNSUPPORTED (naming the kind) for a model that
 * no backend reads, IMS_E_LIMIT above IMS_MAX_JSON_BYTES or IMS_MAX_VOCAB. The text names file,
 * what was expected and what was found. */
ims_status ims_tokenizer_open(struct ims_tokenizer **out, const char *path,
                              ims_err *err) IMS_MUST_CHECK;
/* The same from memory; what names the input in messages. */
ims_status ims_tokenizer_parse(struct ims_tokenizer **out, const char *json, size_t len,
                               const char *what, ims_err *err) IMS_MUST_CHECK;
void ims_tokenizer_free(struct ims_tokenizer *t);

struct ims_tokens {
    int32_t *ids;       /* in: room for context_length ids */
    int context_length; /* in: >= 2 */
    int n;              /* out: ids used, start and end included; ids[n ..] hold the padding id */
    bool is_truncated;  /* out: the text had more ids; ids[context_length - 1] is the end id */
};

/* Any bytes are accepted: each byte that is not part of valid UTF-8 reads as U+FFFD, NUL is a
 * control character (removed). IMS_E_LIMIT above IMS_MAX_TEXT_BYTES; then and on any other failure
 * *io and the ids stay as they were. utf8 may be NULL when len is 0: the empty text is start, end.
 */
ims_status ims_tokenizer_encode(const struct ims_tokenizer *t, const char *utf8, size_t len,
                                struct ims_tokens *io, ims_err *err) IMS_MUST_CHECK;
/* The text as the tokenizer sees it after cleaning, appended to *out. Same limits. */
ims_status ims_tokenizer_clean(const struct ims_tokenizer *t, const char *utf8, size_t len,
                               struct ims_buf *out, ims_err *err) IMS_MUST_CHECK;

/* "clip-bpe", "unigram", "gemma-bpe"; static storage */
const char *ims_tokenizer_kind(const struct ims_tokenizer *t);
ims_clean ims_tokenizer_cleaning(const struct ims_tokenizer *t);
int32_t ims_tokenizer_vocab_size(const struct ims_tokenizer *t);
/* One more than the largest id that encode can give; at most the above. */
int32_t ims_tokenizer_id_limit(const struct ims_tokenizer *t);
int32_t ims_tokenizer_start_id(const struct ims_tokenizer *t); /* -1: this kind has none */
int32_t ims_tokenizer_end_id(const struct ims_tokenizer *t);
/* What fills ids[n ..]: 0 for CLIP, as open_clip does; the end id for Unigram, "<pad>" for
 * SigLIP 2. (CLIP packs exported through Hugging Face pad with the end id; a causal tower pooled at
 * the first end id gives the same embedding for both.) */
int32_t ims_tokenizer_pad_id(const struct ims_tokenizer *t);
/* The token as it stands in the file (for CLIP byte-table characters, "</w>" at a word's end); NULL
 * outside 0 .. vocab_size - 1. Valid as long as t. */
const char *ims_tokenizer_token(const struct ims_tokenizer *t, int32_t id);

#endif
