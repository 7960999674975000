/* The last query texts and their vectors, in an array that is searched through: 256 comparisons cost microseconds, an
 * inference milliseconds.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/text_cache.h"

#include "base/mem.h"

#include <string.h>

ims_status ims__text_cache_open(struct ims_text_cache *c, ims_err *err)
{
    if (ims__lock_init(&c->lock))
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the cache of texts");
    c->is_open = true;
    return IMS_OK;
}

void ims__text_cache_release(struct ims_text_cache *c)
{
    if (!c->is_open)
        return;
    for (size_t i = 0; i < IMS_TEXT_CACHE_ENTRIES; i++) {
        ims__free(c->entries[i].text);
        ims__free(c->entries[i].vector);
    }
    ims__lock_release(&c->lock);
    c->is_open = false;
}

/* Under the lock: the entry of that text, or the one to replace. */
static struct ims_text_cache_entry *find(struct ims_text_cache *c, const char *text, bool *out_is_it)
{
    struct ims_text_cache_entry *oldest = &c->entries[0];

    *out_is_it = false;
    for (size_t i = 0; i < IMS_TEXT_CACHE_ENTRIES; i++) {
        struct ims_text_cache_entry *e = &c->entries[i];

        if (e->text && strcmp(e->text, text) == 0) {
            *out_is_it = true;
            return e;
        }
        if (e->used < oldest->used)
            oldest = e;
    }
    return oldest;
}

bool ims__text_cache_get(struct ims_text_cache *c, const char *text, float *out, size_t dim)
{
    struct ims_text_cache_entry *e;
    bool is_it;

    ims__lock(&c->lock);
    e = find(c, text, &is_it);
    if (is_it) {
        memcpy(out, e->vector, dim * sizeof(float));
        e->used = ++c->now;
    }
    ims__unlock(&c->lock);
    return is_it;
}

void ims__text_cache_put(struct ims_text_cache *c, const char *text, const float *vector, size_t dim)
{
    char *text_copy = strlen(text) <= IMS_TEXT_CACHE_MAX_BYTES ? ims__strdup(text) : NULL;
    float *vector_copy = text_copy ? ims__memdup(vector, dim * sizeof(float)) : NULL;
    struct ims_text_cache_entry *e;
    bool is_it;

    if (!vector_copy) {
        ims__free(text_copy);
        return;
    }
    ims__lock(&c->lock);
    e = find(c, text, &is_it);
    ims__free(e->text);
    ims__free(e->vector);
    *e = (struct ims_text_cache_entry){ .text = text_copy, .vector = vector_copy, .used = ++c->now };
    ims__unlock(&c->lock);
}
