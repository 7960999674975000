/* Counts that took long, kept for a while: clients ask every two seconds how far a run is, and counting half a million
 * pictures takes longer. What was counted is good for twenty times as long as counting took, so counting never
 * takes more than a twentieth of a thread, however many connections ask. What is counted fast is counted each time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/store_internal.h"

#include <string.h>

#define FAST_NS ((uint64_t)20000000)
#define SHARE 20

/* Under the lock: the row with this key, or NULL. */
static struct ims__counted *find(struct ims__counts *counts, const int64_t key[3])
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(counts->rows); i++) {
        if (counts->rows[i].cost_ns && memcmp(counts->rows[i].key, key, sizeof(counts->rows[i].key)) == 0)
            return &counts->rows[i];
    }
    return NULL;
}

static struct ims__counted *oldest(struct ims__counts *counts)
{
    struct ims__counted *at = &counts->rows[0];

    for (size_t i = 1; i < IMS_ARRAY_LEN(counts->rows); i++) {
        if (counts->rows[i].at_ns < at->at_ns)
            at = &counts->rows[i];
    }
    return at;
}

bool ims__counted_get(struct ims_store *s, const int64_t key[3], int64_t values[IMS__COUNTED_VALUES])
{
    const struct ims__counted *c;
    bool is_good;

    ims__lock(&s->counts->lock);
    c = find(s->counts, key);
    is_good = c && ims__mono_ns() - c->at_ns < SHARE * c->cost_ns;
    if (is_good)
        memcpy(values, c->values, sizeof(c->values));
    ims__unlock(&s->counts->lock);
    return is_good;
}

void ims__counted_put(struct ims_store *s, const int64_t key[3], const int64_t values[IMS__COUNTED_VALUES], uint64_t since_ns)
{
    uint64_t now = ims__mono_ns();
    struct ims__counted *at;

    if (now - since_ns < FAST_NS)
        return;
    ims__lock(&s->counts->lock);
    now = ims__mono_ns(); /* under the lock: nobody's time lies ahead of another's */
    at = find(s->counts, key);
    if (!at)
        at = oldest(s->counts);
    *at = (struct ims__counted){ .at_ns = now, .cost_ns = now - since_ns };
    memcpy(at->key, key, sizeof(at->key));
    memcpy(at->values, values, sizeof(at->values));
    ims__unlock(&s->counts->lock);
}
