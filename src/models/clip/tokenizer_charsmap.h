/* SentencePiece's precompiled character map: a double-array trie from byte sequences to texts.
 *
 * Bytes: the trie's size in bytes (32 bits, little-endian), the trie (32-bit units), then the
 * texts, each ended by a NUL. A unit has its label in bits 0-7, a leaf mark in bit 8, an offset in
 * bits 10-30, shifted by 8 where bit 9 is set; a leaf's value is where its text begins. docs/notes/
 * tokenizer.md says how the reference applies it, which is not quite what one would expect.
 * Immutable after loading and thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_CHARSMAP_H
#define IMS_MODELS_CLIP_TOKENIZER_CHARSMAP_H

#include "ims/status.h"
#include "models/clip/unicode.h"

#include <stddef.h>
#include <stdint.h>

struct ims__charsmap {
    uint32_t *units;
    size_t n_units;
    char *texts;
    size_t n_texts; /* bytes; the last one is NUL */
};

/* From base64. IMS_E_FORMAT, with what in the message. */
ims_status ims__charsmap_load(struct ims__charsmap *out, const char *base64, size_t len,
                              const char *what, ims_err *err) IMS_MUST_CHECK;
void ims__charsmap_release(struct ims__charsmap *m);
/* Maps *s in place. IMS_E_NOMEM, or IMS_E_LIMIT when the result is longer than max characters. */
ims_status ims__charsmap_apply(const struct ims__charsmap *m, struct ims__cps *s,
                               size_t max) IMS_MUST_CHECK;

#endif
