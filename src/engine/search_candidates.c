/* Candidates of filters: read once, remembered by the store's epoch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/search_candidates.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define MAX_KEY_BYTES (64 * IMS_KIB)

static void release(struct ims_candidates *c)
{
    ims__free(c->pairs);
    ims__free(c->contents);
    ims_vectors_filter_close(c->filter);
    *c = (struct ims_candidates){ 0 };
}

void ims__candidates_release(struct ims_candidate_sets *sets)
{
    for (size_t i = 0; i < IMS_CANDIDATE_SETS; i++) {
        release(&sets->at[i].c);
        ims__free(sets->at[i].key);
    }
    *sets = (struct ims_candidate_sets){ 0 };
}

static ims_status read_candidates(struct ims_store *store, int64_t model_id, const struct ims_store_filter *filter,
                                  struct ims_candidates *out, ims_err *err)
{
    struct ims_candidates c = { 0 };
    ims_status st = ims_store_candidates(store, model_id, filter, &c.pairs, &c.n, err);

    if (st)
        return st;
    c.contents = ims__alloc(c.n, sizeof(*c.contents));
    if (!c.contents)
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "memory for %zu candidates", c.n);
    for (size_t i = 0; !st && i < c.n; i++) {
        if (!c.n_contents || c.contents[c.n_contents - 1] != c.pairs[i].content_id)
            c.contents[c.n_contents++] = c.pairs[i].content_id;
    }
    if (!st)
        st = ims_vectors_filter_open(&c.filter, c.contents, c.n_contents, err);
    if (st)
        release(&c);
    else
        *out = c;
    return st;
}

/* The place of a key, or the one that was unused for longest. */
static size_t find_place(const struct ims_candidate_sets *sets, const struct ims_buf *key)
{
    size_t oldest = 0;

    for (size_t i = 0; i < IMS_CANDIDATE_SETS; i++) {
        if (sets->at[i].key && sets->at[i].key_bytes == key->len && memcmp(sets->at[i].key, key->data, key->len) == 0)
            return i;
        if (sets->at[i].used < sets->at[oldest].used)
            oldest = i;
    }
    return oldest;
}

/* The epoch is read first: a change that comes between it and the candidates makes them older than they
 * are, never newer. */
ims_status ims__candidates_get(struct ims_candidate_sets *sets, struct ims_store *store, int64_t model_id,
                               const struct ims_store_filter *filter, const struct ims_candidates **out,
                               ims_err *err)
{
    struct ims_candidates fresh;
    struct ims_buf key;
    int64_t epoch;
    size_t i;
    ims_status st;

    ims__buf_init(&key, MAX_KEY_BYTES);
    st = ims_store_candidates_key(model_id, filter, &key, err);
    if (!st)
        st = ims_store_epoch(store, &epoch, err);
    if (st)
        goto out;
    i = find_place(sets, &key);
    if (!sets->at[i].key || sets->at[i].epoch != epoch || sets->at[i].key_bytes != key.len ||
        memcmp(sets->at[i].key, key.data, key.len) != 0) {
        st = read_candidates(store, model_id, filter, &fresh, err);
        if (st)
            goto out;
        release(&sets->at[i].c);
        ims__free(sets->at[i].key);
        sets->at[i].c = fresh;
        sets->at[i].epoch = epoch;
        sets->at[i].key = ims__buf_take(&key, &sets->at[i].key_bytes);
    }
    sets->at[i].used = ++sets->clock;
    *out = &sets->at[i].c;
out:
    ims__buf_release(&key);
    return st;
}

size_t ims__candidates_find(const struct ims_candidates *c, int64_t content_id)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (c->pairs[mid].content_id < content_id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
