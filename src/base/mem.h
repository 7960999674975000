/* Memory: the only door to the allocator. Checked sizes, zeroed blocks, failures on demand.
 *
 * Every function is thread-safe. All of them return NULL when memory is short or a size overflows;
 * the caller turns that into IMS_E_NOMEM. ims__free accepts NULL.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_MEM_H
#define IMS_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* n * size bytes, zeroed. A product of 0 gives a block of 1 byte. */
void *ims__zalloc(size_t n, size_t size);
/* The same without zeroing: for buffers that are filled at once. */
void *ims__alloc(size_t n, size_t size);
/* Grows or shrinks p to n * size bytes; on failure p stays valid. New bytes are not zeroed. */
void *ims__realloc(void *p, size_t n, size_t size);
void ims__free(void *p);
/* Copies; NULL in gives NULL out. */
char *ims__strdup(const char *s);
char *ims__strndup(const char *s, size_t n);
void *ims__memdup(const void *p, size_t n);
/* alignment: a power of two >= sizeof(void *). End with ims__free. Not zeroed. */
void *ims__aligned_alloc(size_t alignment, size_t n, size_t size);
/* For blocks of megabytes that are filled: aligned to at least 64 bytes and, from IMS_LARGE_BYTES on, on huge pages where
 * the system has them on request. Not zeroed. */
#define IMS_LARGE_BYTES ((size_t)2 << 20)
void *ims__large_alloc(size_t n, size_t size);
/* mem_large_*.c: the advice alone. */
void ims__advise_large(void *p, size_t bytes);
/* "printf into a new string". */
char *ims__strfmt(const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/* Checked arithmetic: false on overflow, *out untouched then. */
bool ims__mul_size(size_t a, size_t b, size_t *out);
bool ims__add_size(size_t a, size_t b, size_t *out);

/* Makes room for one more element in a growing array: *items has *cap slots of which n are used.
 * Doubles; false when memory is short (the array stays as it was). max_items bounds it. */
bool ims__grow(void **items, size_t *cap, size_t n, size_t item_size, size_t max_items);

/* Tests only: the allocation number n from now (1 = the next) fails, and every one after it until
 * ims__mem_fail_at(0). ims__mem_count() is the number of allocations since the program started. */
void ims__mem_fail_at(uint64_t n);
uint64_t ims__mem_count(void);

/* An arena: many small allocations, one release. One thread at a time. */
struct ims_arena {
    struct ims_arena_block *blocks;
    size_t used_bytes;
    size_t max_bytes; /* 0 = no limit */
};
void ims__arena_init(struct ims_arena *a, size_t max_bytes);
void *ims__arena_alloc(struct ims_arena *a, size_t n, size_t size); /* zeroed, 16-byte aligned */
char *ims__arena_strndup(struct ims_arena *a, const char *s, size_t n);
void ims__arena_release(struct ims_arena *a);

#endif
