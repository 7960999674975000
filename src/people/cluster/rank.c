/* Scores with places as sortable numbers, and the best of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIGN 0x80000000u

uint64_t ims__rank_key(float score, uint32_t place)
{
    uint32_t bits;

    score += 0.0f; /* -0 becomes 0: they are equal */
    memcpy(&bits, &score, sizeof(bits));
    bits ^= bits & SIGN ? 0xffffffffu : SIGN; /* negative floats grow downwards */
    return (uint64_t)bits << 32 | (0xffffffffu - place);
}

float ims__rank_score(uint64_t key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float score;

    bits ^= bits & SIGN ? SIGN : 0xffffffffu;
    memcpy(&score, &bits, sizeof(score));
    return score;
}

uint32_t ims__rank_place(uint64_t key)
{
    return 0xffffffffu - (uint32_t)key;
}

/* Lomuto's partition, without a branch that depends on a key: around the middle one of three. Where it ends up. */
static size_t split(uint64_t *keys, size_t low, size_t high)
{
    size_t middle = low + (high - low) / 2, n = low;
    uint64_t a = keys[low], b = keys[middle], c = keys[high];
    size_t at = (b > a) == (b < c) ? middle : (a > b) == (a < c) ? low : high;
    uint64_t pivot = keys[at];

    keys[at] = keys[high];
    for (size_t i = low; i < high; i++) {
        uint64_t key = keys[i];

        keys[i] = keys[n];
        keys[n] = key;
        n += key > pivot;
    }
    keys[high] = keys[n];
    keys[n] = pivot;
    return n;
}

/* Hoare's FIND. */
void ims__rank_select(uint64_t *keys, size_t n, size_t n_best)
{
    size_t low = 0, high = n - 1, place = n_best - 1;

    if (n_best == 0 || n_best >= n)
        return;
    while (low < high) {
        size_t at = split(keys, low, high);

        if (at == place)
            return;
        if (at < place)
            low = at + 1;
        else
            high = at - 1;
    }
}

float ims__rank_lowest(const uint64_t *keys, size_t n)
{
    float lowest = INFINITY;

    for (size_t i = 0; i < n; i++)
        lowest = fminf(lowest, ims__rank_score(keys[i]));
    return lowest;
}

static int falling(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

void ims__rank_sort(uint64_t *keys, size_t n)
{
    if (n > 96) {
        qsort(keys, n, sizeof(*keys), falling);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        size_t j = i;

        for (; j > 0 && keys[j - 1] < key; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}
