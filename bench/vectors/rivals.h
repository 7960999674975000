/* Other indexes behind one small set of functions, for measuring side by side.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BENCH_RIVALS_H
#define IMS_BENCH_RIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What returns bool is false when it could not. */
struct rival {
    const char *name;
    void *ctx;
    int effort_from, effort_until; /* what search's effort may be; 0 = it has none */
    unsigned max_threads;          /* that one query can use */
    /* From n rows of unit length, ids 0 .. n - 1. */
    bool (*build)(void *ctx, const float *rows, size_t n, uint32_t dim, unsigned n_threads);
    bool (*save)(void *ctx, const char *path);
    bool (*load)(void *ctx, uint32_t dim, const char *path); /* in place of what it holds */
    /* The searches that follow find only these of n ids: one byte each, kept by the caller; NULL = all. */
    bool (*allow)(void *ctx, const uint8_t *allowed, size_t n);
    /* Up to k ids, best first. Returns how many. */
    size_t (*search)(void *ctx, const float *query, size_t k, int effort, unsigned n_threads, int64_t *out);
    /* Bytes of vectors, and of links between them, that such a search has to read. */
    size_t (*read_bytes)(void *ctx, const float *query, int effort);
    bool (*remove)(void *ctx, const int64_t *ids, size_t n);
    /* n rows with the ids from .. into a file of its own at path, durable on return. NULL: it saves all or nothing. */
    bool (*insert)(void *ctx, const char *path, const float *rows, size_t from, size_t n);
    size_t (*bytes)(void *ctx); /* of memory */
    void (*close)(void *ctx);
};

bool rival_hnswlib(struct rival *out, const char *name, int m);
bool rival_faiss(struct rival *out);
/* extension: the path of vec0 without its ending */
bool rival_sqlite_vec(struct rival *out, const char *extension);

#ifdef __cplusplus
}
#endif
#endif
