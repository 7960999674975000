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

struct rival {
    const char *name;
    void *ctx;
    int effort_from, effort_until; /* what search's effort may be; 0 = it has none */
    /* Builds from n rows of unit length, ids 0 .. n - 1, or takes the file at path if it is there; writes it
     * there otherwise (path may be NULL). false: it could not. */
    bool (*build)(void *ctx, const float *rows, size_t n, uint32_t dim, unsigned n_threads, const char *path);
    /* Up to k ids, best first, of those allowed (one byte each; NULL = all). Returns how many. */
    size_t (*search)(void *ctx, const float *query, size_t k, int effort, const uint8_t *allowed,
                     unsigned n_threads, int64_t *out);
    bool (*remove)(void *ctx, size_t id); /* NULL: it cannot */
    size_t (*bytes)(void *ctx);
    bool can_filter;
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
