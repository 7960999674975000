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

/* Hoare's FIND. */
void ims__rank_select(uint64_t *keys, size_t n, size_t n_best)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1, place = (ptrdiff_t)n_best - 1;

    if (n_best == 0 || n_best >= n)
        return;
    while (low < high) {
        uint64_t pivot = keys[place];
        ptrdiff_t i = low, j = high;

        while (i <= j) {
            while (keys[i] > pivot)
                i++;
            while (keys[j] < pivot)
                j--;
            if (i <= j) {
                uint64_t key = keys[i];

                keys[i++] = keys[j];
                keys[j--] = key;
            }
        }
        if (j < place)
            low = i;
        if (place < i)
            high = j;
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
