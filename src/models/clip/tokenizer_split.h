/* Cutting cleaned text into the pieces that CLIP's byte-pair encoding works on.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_SPLIT_H
#define IMS_MODELS_CLIP_TOKENIZER_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ims__piece_kind { IMS__PIECE_WORD, IMS__PIECE_START, IMS__PIECE_END } ims__piece_kind;

struct ims__piece {
    const uint32_t *at;
    size_t n;
    ims__piece_kind kind;
};

/* The first piece at or after *pos; moves *pos behind it. False when there is none left. */
bool ims__split_next(const uint32_t *at, size_t n, size_t *pos, struct ims__piece *out);

#endif
