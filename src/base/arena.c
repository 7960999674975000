/* An arena: blocks of growing size, released together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <string.h>

#define FIRST_BLOCK_BYTES 4096
#define MAX_BLOCK_BYTES ((size_t)1 << 20)
#define ALIGNMENT 16

struct ims_arena_block {
    struct ims_arena_block *next;
    size_t size;
    size_t used;
    size_t pad; /* keeps bytes[] on a 16-byte boundary */
    unsigned char bytes[];
};

void ims__arena_init(struct ims_arena *a, size_t max_bytes)
{
    *a = (struct ims_arena){ .max_bytes = max_bytes };
}

static struct ims_arena_block *add_block(struct ims_arena *a, size_t need)
{
    size_t size = a->blocks ? a->blocks->size * 2 : FIRST_BLOCK_BYTES;
    struct ims_arena_block *b;

    if (size > MAX_BLOCK_BYTES)
        size = MAX_BLOCK_BYTES;
    if (size < need)
        size = need;
    if (size > SIZE_MAX - sizeof(*b))
        return NULL;
    b = ims__zalloc(1, sizeof(*b) + size);
    if (!b)
        return NULL;
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

void *ims__arena_alloc(struct ims_arena *a, size_t n, size_t size)
{
    struct ims_arena_block *b = a->blocks;
    size_t bytes;
    void *p;

    if (!ims__mul_size(n, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (a->max_bytes && (bytes > a->max_bytes || a->used_bytes > a->max_bytes - bytes))
        return NULL;
    if (!b || b->size - b->used < bytes)
        b = add_block(a, bytes);
    if (!b)
        return NULL;
    p = b->bytes + b->used;
    b->used += bytes;
    a->used_bytes += bytes;
    return p;
}

char *ims__arena_strndup(struct ims_arena *a, const char *s, size_t n)
{
    char *copy = n < SIZE_MAX ? ims__arena_alloc(a, n + 1, 1) : NULL;

    if (copy)
        memcpy(copy, s, n);
    return copy;
}

void ims__arena_release(struct ims_arena *a)
{
    struct ims_arena_block *b = a->blocks;

    while (b) {
        struct ims_arena_block *next = b->next;

        ims__free(b);
        b = next;
    }
    a->blocks = NULL;
    a->used_bytes = 0;
}
