/* Single texts that several threads ask for at the same time, embedded together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/mem.h"
#include "models/clip/clip_internal.h"

#include <string.h>

#define MAX_TEXTS 16 /* at a time; a server has fewer threads that search */

/* An item of the batcher: how many ids, and they; as many int32 as the context and one. */
static size_t item_words(const struct ims_clip *c)
{
    return (size_t)c->config.text.context_length + 1;
}

static ims_status run_texts(void *clip, unsigned worker, const void *items, size_t n, void *results,
                            ims_err *err)
{
    struct ims_clip *c = clip;
    const size_t words = item_words(c);
    const int32_t *item = items;
    int32_t longest = 0;
    int32_t *ids;
    ims_status st;

    (void)worker; /* there is one */
    for (size_t i = 0; i < n; i++)
        longest = item[i * words] > longest ? item[i * words] : longest;
    ids = ims__alloc(n * (size_t)longest, sizeof(*ids));
    if (!ids)
        return ims_fail(err, IMS_E_NOMEM, "clip", 0, "embedding %zu texts", n);
    for (size_t i = 0; i < n; i++) {
        const int32_t *from = item + i * words;
        int32_t *row = ids + i * (size_t)longest;

        for (int32_t k = 0; k < longest; k++)
            row[k] = k < from[0] ? from[1 + k] : c->pad_id;
    }
    st = ims__clip_embed_ids(c, ids, n, (size_t)longest, results, err);
    ims__free(ids);
    return st;
}

ims_status ims_clip_gather_texts(struct ims_clip *c, ims_err *err)
{
    const struct ims_batcher_options options = { .name = "ims-texts",
                                                 .max_batch = MAX_TEXTS,
                                                 .item_bytes = item_words(c) * sizeof(int32_t),
                                                 .result_bytes = c->config.dim * sizeof(float),
                                                 .run = run_texts,
                                                 .arg = c };

    struct ims_clip_side *side = &c->sides[IMS_CLIP_TEXT];
    ims_status st = IMS_OK;

    ims__lock(&side->lock);
    if (!c->texts)
        st = ims_batcher_new(&c->texts, &options, err);
    ims__unlock(&side->lock);
    return st;
}

bool ims__clip_gathers(struct ims_clip *c)
{
    struct ims_clip_side *side = &c->sides[IMS_CLIP_TEXT];
    bool gathers;

    ims__lock(&side->lock);
    gathers = c->texts != NULL;
    ims__unlock(&side->lock);
    return gathers;
}

ims_status ims__clip_embed_gathered(struct ims_clip *c, const int32_t *ids, size_t length,
                                    float *out, ims_err *err)
{
    int32_t *item = ims__alloc(item_words(c), sizeof(*item));
    ims_status st;

    if (!item)
        return ims_fail(err, IMS_E_NOMEM, "clip", 0, "embedding a text");
    item[0] = (int32_t)length;
    memcpy(item + 1, ids, length * sizeof(*ids));
    st = ims_batcher_do(c->texts, item, out, err);
    ims__free(item);
    return st;
}
