/* The added tokens of a tokenizer.json that a cleaned text can contain.
 *
 * They are found before the model looks at a text, the longest at the leftmost place, and split it.
 * Most have punctuation or capitals ("<pad>"), which cleaning removes, so they are not kept; what
 * is left are the runs of U+2581 of SigLIP 2. Immutable after loading and thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_ADDED_H
#define IMS_MODELS_CLIP_TOKENIZER_ADDED_H

#include "base/json.h"
#include "models/clip/textclean.h"
#include "models/clip/unicode.h"

struct ims__added_token {
    uint32_t *at;
    size_t n;
    int32_t id;
    bool is_normalized; /* is looked for in the normalized text, not in the text before */
};

struct ims__added {
    struct ims__added_token *tokens;
    size_t n;
};

/* A stretch of a text: an added token, or what lies between two. */
struct ims__stretch {
    size_t from;
    size_t n;
    int32_t id; /* -1: between */
};

/* v: the value of "added_tokens", whose contents and ids have been checked. IMS_E_UNSUPPORTED for a
 * token that is kept and takes spaces or word borders into account. */
ims_status ims__added_load(struct ims__added *out, const ims_json *v, ims_clean cleaning,
                           const char *what, ims_err *err) IMS_MUST_CHECK;
void ims__added_release(struct ims__added *a);
/* vocab_size without the last ids that are added tokens no cleaned text can have: a model need not
 * know them. */
int32_t ims__added_id_limit(const struct ims__added *a, const ims_json *v, int32_t vocab_size);
/* The next stretch from *pos on that is not empty; false at the end. */
bool ims__added_next(const struct ims__added *a, bool is_normalized, const uint32_t *text, size_t n,
                     size_t *pos, struct ims__stretch *out);

#endif
