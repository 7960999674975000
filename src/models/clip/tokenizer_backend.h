/* For implementers of a kind of tokenizer; callers want tokenizer.h.
 *
 * The registry in tokenizer.c allocates ctx_size zeroed bytes, calls open, and always calls close,
 * also after a failed open. Between them a context is immutable: every other slot is called from
 * any number of threads at once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_BACKEND_H
#define IMS_MODELS_CLIP_TOKENIZER_BACKEND_H

#include "base/buf.h"
#include "ims/status.h"
#include "models/clip/textclean.h"
#include "models/clip/tokenizer_json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS__TOKENIZER_ABI 2

/* What open finds out and the registry needs to frame a sequence. */
struct ims__tokenizer_facts {
    int32_t vocab_size;
    int32_t start_id; /* -1: sequences have no start token */
    int32_t end_id;
    int32_t pad_id;
    int32_t id_limit; /* one more than the largest id of a text; at most vocab_size */
};

struct ims__tokenizer_ops {
    uint32_t abi;
    const char *name; /* the kind */
    size_t ctx_size;
    const char *reads;  /* for messages: what accepts asks for, in words */
    ims_clean cleaning; /* what clean does */

    /* Is the document's model one of this kind? Looks at its type, not at its soundness. */
    bool (*accepts)(const struct ims__tokenizer_doc *doc);
    /* Builds the context. Nothing of the document may be kept. */
    ims_status (*open)(void *ctx, const struct ims__tokenizer_doc *doc,
                       struct ims__tokenizer_facts *out, ims_err *err);
    /* Appends the cleaned text as UTF-8. */
    ims_status (*clean)(const void *ctx, const char *utf8, size_t len, struct ims_buf *out,
                        ims_err *err);
    /* The ids of the text without start and end, at most max_ids of them (the rest is not
     * computed). */
    ims_status (*encode)(const void *ctx, const char *utf8, size_t len, int32_t *out_ids,
                         size_t max_ids, size_t *out_n, ims_err *err);
    /* The token of an id that is in range. */
    const char *(*token)(const void *ctx, int32_t id);
    /* Accepts a context at any stage of open. */
    void (*close)(void *ctx);
};

/* The clean slot of kinds whose cleaning is IMS_CLEAN_CANONICAL; ctx is not looked at. */
ims_status ims__tokenizer_clean_canonical(const void *ctx, const char *utf8, size_t len,
                                          struct ims_buf *out, ims_err *err);

extern const struct ims__tokenizer_ops ims__tokenizer_bpe_ops;
extern const struct ims__tokenizer_ops ims__tokenizer_unigram_ops;
extern const struct ims__tokenizer_ops ims__tokenizer_gemma_ops;

#endif
