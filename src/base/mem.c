/* Checked allocation over malloc, with failures on demand for tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t n_allocations;
static _Atomic uint64_t fail_from; /* 0 = never */

/* Counts an allocation; true when a test wants it to fail. */
static bool must_fail(void)
{
    uint64_t n = atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed) + 1;
    uint64_t from = atomic_load_explicit(&fail_from, memory_order_relaxed);

    return from && n >= from;
}

void ims__mem_fail_at(uint64_t n)
{
    atomic_store(&fail_from, n ? atomic_load(&n_allocations) + n : 0);
}

uint64_t ims__mem_count(void)
{
    return atomic_load(&n_allocations);
}

bool ims__mul_size(size_t a, size_t b, size_t *out)
{
    if (b && a > SIZE_MAX / b)
        return false;
    *out = a * b;
    return true;
}

bool ims__add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b)
        return false;
    *out = a + b;
    return true;
}

void *ims__zalloc(size_t n, size_t size)
{
    size_t bytes;

    if (!ims__mul_size(n, size, &bytes) || must_fail())
        return NULL;
    return calloc(1, bytes ? bytes : 1);
}

void *ims__alloc(size_t n, size_t size)
{
    size_t bytes;

    if (!ims__mul_size(n, size, &bytes) || must_fail())
        return NULL;
    return malloc(bytes ? bytes : 1);
}

void *ims__realloc(void *p, size_t n, size_t size)
{
    size_t bytes;

    if (!ims__mul_size(n, size, &bytes) || must_fail())
        return NULL;
    return realloc(p, bytes ? bytes : 1);
}

void ims__free(void *p)
{
    free(p);
}

char *ims__strndup(const char *s, size_t n)
{
    char *copy;

    if (!s)
        return NULL;
    copy = ims__alloc(n + 1, 1);
    if (copy) {
        memcpy(copy, s, n);
        copy[n] = '\0';
    }
    return copy;
}

char *ims__strdup(const char *s)
{
    return s ? ims__strndup(s, strlen(s)) : NULL;
}

void *ims__memdup(const void *p, size_t n)
{
    void *copy;

    if (!p)
        return NULL;
    copy = ims__alloc(n, 1);
    if (copy)
        memcpy(copy, p, n);
    return copy;
}

void *ims__aligned_alloc(size_t alignment, size_t n, size_t size)
{
    size_t bytes;
    void *p = NULL;

    if (!ims__mul_size(n, size, &bytes) || must_fail())
        return NULL;
    if (posix_memalign(&p, alignment, bytes ? bytes : 1) != 0)
        return NULL;
    return p;
}

void *ims__large_alloc(size_t n, size_t size)
{
    size_t bytes;
    void *p;

    if (!ims__mul_size(n, size, &bytes))
        return NULL;
    p = ims__aligned_alloc(bytes < IMS_LARGE_BYTES ? 64 : IMS_LARGE_BYTES, bytes, 1);
    if (p && bytes >= IMS_LARGE_BYTES)
        ims__advise_large(p, bytes);
    return p;
}

char *ims__strfmt(const char *fmt, ...)
{
    va_list args, again;
    char *s = NULL;
    int n;

    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0)
        s = ims__alloc((size_t)n + 1, 1);
    if (s)
        vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return s;
}

bool ims__grow(void **items, size_t *cap, size_t n, size_t item_size, size_t max_items)
{
    size_t want;
    void *more;

    if (n < *cap)
        return true;
    if (n >= max_items)
        return false;
    want = *cap < 8 ? 8 : *cap * 2;
    if (want > max_items)
        want = max_items;
    more = ims__realloc(*items, want, item_size);
    if (!more)
        return false;
    *items = more;
    *cap = want;
    return true;
}
