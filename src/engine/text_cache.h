/* Vectors of the last query texts: typing, paging and filtering ask for the same words again and again.
 *
 * All zero is an empty cache; ims__text_cache_open before use. Thread-safe. The vectors of one model only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_TEXT_CACHE_H
#define IMS_ENGINE_TEXT_CACHE_H

#include "base/thread.h"

#define IMS_TEXT_CACHE_ENTRIES 256
#define IMS_TEXT_CACHE_MAX_BYTES 1000 /* longer texts are not kept */

struct ims_text_cache_entry {
    char *text; /* NULL = empty */
    float *vector;
    uint64_t used; /* the higher, the later */
};

struct ims_text_cache {
    struct ims_lock lock;
    bool is_open;
    uint64_t now;
    struct ims_text_cache_entry entries[IMS_TEXT_CACHE_ENTRIES];
};

ims_status ims__text_cache_open(struct ims_text_cache *c, ims_err *err) IMS_MUST_CHECK;
void ims__text_cache_release(struct ims_text_cache *c);

/* Copies the text's vector to out, dim floats; false when it is not there. */
bool ims__text_cache_get(struct ims_text_cache *c, const char *text, float *out, size_t dim);
/* Keeps a copy in place of what was not asked for longest. Without memory nothing is kept. */
void ims__text_cache_put(struct ims_text_cache *c, const char *text, const float *vector, size_t dim);

#endif
