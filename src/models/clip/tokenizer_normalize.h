/* The "normalizer" of a tokenizer.json as a list of steps. Only the steps that the models we build
 * have are known; another one is refused by its name, since it would change the ids.
 * Immutable after loading and thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TOKENIZER_NORMALIZE_H
#define IMS_MODELS_CLIP_TOKENIZER_NORMALIZE_H

#include "base/json.h"
#include "models/clip/tokenizer_charsmap.h"
#include "models/clip/unicode.h"

#define IMS__NORMALIZER_MAX_STEPS 8
#define IMS__NORMALIZER_MAX_TEXT 8 /* characters of what is replaced, and by what */

/* The character that SentencePiece writes for a space. */
#define IMS__METASPACE 0x2581u

struct ims__normalizer_step {
    enum {
        IMS__NORMAL_CHARSMAP,
        IMS__NORMAL_STRIP,  /* white space at the ends */
        IMS__NORMAL_SPACES, /* runs of two and more spaces: to */
        IMS__NORMAL_REPLACE /* every from: to */
    } kind;
    bool strips_left, strips_right;
    uint32_t from[IMS__NORMALIZER_MAX_TEXT], to[IMS__NORMALIZER_MAX_TEXT];
    size_t n_from, n_to;
};

struct ims__normalizer {
    struct ims__normalizer_step steps[IMS__NORMALIZER_MAX_STEPS];
    size_t n_steps;
    struct ims__charsmap charsmap;
};

/* v: the value of "normalizer"; NULL or null is no step. */
ims_status ims__normalizer_load(struct ims__normalizer *out, const ims_json *v, const char *what,
                                ims_err *err) IMS_MUST_CHECK;
void ims__normalizer_release(struct ims__normalizer *n);
/* In place. IMS_E_NOMEM, or IMS_E_LIMIT for a text that grows beyond all measure. */
ims_status ims__normalizer_apply(const struct ims__normalizer *n,
                                 struct ims__cps *s) IMS_MUST_CHECK;

#endif
