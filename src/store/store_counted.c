/* Counts that took long, kept for a while: clients ask every two seconds how far a run is, and counting half a million
 * pictures takes longer. What was counted is good for twenty times as long as counting took, so counting never
 * takes more than a twentieth of a thread. What is counted fast is counted each time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "store/store_internal.h"

#include <string.h>

#define FAST_NS ((uint64_t)20000000)
#define SHARE 20

bool ims__counted_get(const struct ims_store *s, const int64_t key[3], int64_t values[IMS__COUNTED_VALUES])
{
    uint64_t now = ims__mono_ns();

    for (size_t i = 0; i < IMS_ARRAY_LEN(s->counted); i++) {
        const struct ims__counted *c = &s->counted[i];

        if (c->cost_ns && memcmp(c->key, key, sizeof(c->key)) == 0 && now - c->at_ns < SHARE * c->cost_ns) {
            memcpy(values, c->values, sizeof(c->values));
            return true;
        }
    }
    return false;
}

void ims__counted_put(struct ims_store *s, const int64_t key[3], const int64_t values[IMS__COUNTED_VALUES], uint64_t since_ns)
{
    struct ims__counted *at = &s->counted[0];
    uint64_t now = ims__mono_ns();

    if (now - since_ns < FAST_NS)
        return;
    for (size_t i = 0; i < IMS_ARRAY_LEN(s->counted); i++) {
        if (memcmp(s->counted[i].key, key, sizeof(at->key)) == 0) {
            at = &s->counted[i];
            break;
        }
        if (s->counted[i].at_ns < at->at_ns) /* the oldest */
            at = &s->counted[i];
    }
    *at = (struct ims__counted){ .at_ns = now, .cost_ns = now - since_ns };
    memcpy(at->key, key, sizeof(at->key));
    memcpy(at->values, values, sizeof(at->values));
}
