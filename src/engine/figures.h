/* What a process has done since it began, for its metrics: counters that only grow, kept by the host and written by
 * every engine beside it. Thread-safe.
 *
 * Stages of indexing overlap and have several threads each, so their seconds do not add up to time that went by.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_FIGURES_H
#define IMS_ENGINE_FIGURES_H

#include "compute/pool.h"
#include "ims/engine.h"

#include <stdatomic.h>

/* _N: pictures (faces where the stage takes faces); _NS: nanoseconds. */
#define IMS_FIGURES(X)                                                                                               \
    X(READ_N) X(READ_NS)                                                                                             \
    X(DECODE_N) X(DECODE_NS)                                                                                         \
    X(DETECT_N) X(DETECT_NS)                                                                                         \
    X(ALIGN_N) X(ALIGN_NS)                                                                                           \
    X(EMBED_N) X(EMBED_NS)                                                                                           \
    X(RECOGNISE_N) X(RECOGNISE_NS)                                                                                   \
    X(WRITE_N) X(WRITE_NS)                                                                                           \
    X(WAIT_DECODE_NS) X(WAIT_COMPUTE_NS) X(WAIT_CROPS_NS)                                                            \
    X(RUNS) X(RUNS_ENDED) X(DONE) X(FAILED) X(DUPLICATES) X(FACES) X(BATCHES)                                        \
    X(TEXT_HITS) X(TEXT_MISSES)                                                                                      \
    X(THUMB_HITS) X(THUMB_MISSES)

typedef enum ims_figure {
#define IMS_FIGURE(name) IMS_FIGURE_##name,
    IMS_FIGURES(IMS_FIGURE)
#undef IMS_FIGURE
    IMS_N_FIGURES
} ims_figure;

struct ims_figures {
    _Atomic uint64_t at[IMS_N_FIGURES];
};

void ims__figure_add(struct ims_engine *e, ims_figure which, uint64_t n);
void ims__figures_read(struct ims_engine *e, uint64_t out[IMS_N_FIGURES]);

/* One part of the models that is loaded: "clip_image", "clip_text", "face_detect" ... A loan for the call. */
typedef void (*ims_pool_fn)(void *arg, const char *part, const struct ims_pool_info *info);
/* Shows each. One that is being loaded right now is passed over rather than waited for. */
void ims__engine_pools(struct ims_engine *e, ims_pool_fn fn, void *arg);

/* What the last inference in this process ran on; empty strings before the first one. */
void ims__engine_device_now(struct ims_engine *e, struct ims_device_used *out);

/* The vector index as it is, without bringing it up to date; false: not opened yet, or being brought up to date. */
bool ims__engine_index_now(struct ims_engine *e, struct ims_index_info *out);

#endif
