/* The embedded vector index behind the seam: opening, closing, one writer, readers without locks.
 * docs/notes/vectors.md says how it works.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/embedded.h"

#include "base/mem.h"
#include "vectors/embedded/persist.h"

#include <math.h>

#define BYTES_ROWS 20000
#define SKIP_ROWS IMS_SEGMENT_SLOTS
#define ROTATION_SEED UINT64_C(0x1b8753f1c4d20e69)

static size_t tuned(size_t wish, size_t built_in)
{
    return wish ? wish : built_in;
}

ims_status ims__embedded_init(struct ims_embedded *e, uint32_t dim, unsigned n_threads, unsigned audit_every,
                              const struct ims_vectors_tuning *tuning, ims_err *err)
{
    struct ims_snapshot *empty;
    ims_status st;

    e->dim = dim;
    e->lock_fd = -1;
    e->next_number = 1;
    e->rules.bytes_rows = tuned(tuning->bytes_rows, BYTES_ROWS);
    e->rules.skip_rows = tuned(tuning->skip_rows, SKIP_ROWS);
    e->first_centre_rows = tuned(tuning->first_centre_rows, IMS_FIRST_CENTRE_ROWS);
    e->has_lock = ims__lock_init(&e->lock) == IMS_OK;
    e->room = ims__alloc(4 * (size_t)e->dim, sizeof(float));
    empty = ims__snapshot_new(0);
    if (empty)
        ims__snapshots_publish(&e->snapshots, empty);
    if (!e->has_lock || !e->room || !empty)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "opening an index");
    if (e->dim >= IMS_MIN_CODED_DIM) {
        e->has_rotation = ims__rotation_init(&e->rotation, e->dim, ROTATION_SEED);
        if (!e->has_rotation)
            return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "opening an index");
        e->rules.rotation = &e->rotation;
    }
    e->has_passes = true;
    st = ims__passes_open(&e->passes, &e->snapshots, &e->rules,
                          n_threads < IMS_MAX_SEARCH_THREADS ? n_threads : IMS_MAX_SEARCH_THREADS, err);
    return st ? st : ims__audit_open(&e->audit, &e->passes, e->dim, audit_every, err);
}

static ims_status embedded_open(void *ctx, const struct ims_vectors_options *options, ims_err *err)
{
    struct ims_embedded *e = ctx;
    const struct ims_vectors_tuning as_built_in = { 0 };
    ims_status st;

    ims__job_rules_miss(&e->rules, options->miss > 0 ? options->miss : IMS_VECTORS_MISS);
    st = ims__embedded_init(e, options->dim, options->n_threads ? options->n_threads : 1, options->audit_every,
                            options->tuning ? options->tuning : &as_built_in, err);
    if (st || !options->dir)
        return st;
    e->dir = ims__strdup(options->dir);
    if (!e->dir)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "opening an index");
    memcpy(e->key, options->key, strlen(options->key));
    return ims__embedded_load(e, err);
}

static void embedded_close(void *ctx)
{
    struct ims_embedded *e = ctx;

    ims__embedded_leave_stage(e);
    ims__audit_close(&e->audit);
    if (e->has_passes)
        ims__passes_close(&e->passes);
    ims__snapshots_release(&e->snapshots);
    ims__segment_unref(e->spare);
    ims__epoch_unref(e->epoch);
    ims__rotation_release(&e->rotation);
    ims__id_map_release(&e->active_rows);
    ims__free(e->room);
    ims__embedded_leave_dir(e);
    if (e->has_lock)
        ims__lock_release(&e->lock);
}

/* Where an id comes more than once, the last of its rows counts. Ids that ascend come once: *out stays empty. */
static ims_status find_last(const int64_t *ids, size_t n, struct ims_id_map *out, ims_err *err)
{
    size_t n_ascending = 1;

    while (n_ascending < n && ids[n_ascending - 1] < ids[n_ascending])
        n_ascending++;
    if (n_ascending >= n)
        return IMS_OK;
    if (!ims__id_map_reserve(out, n))
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for %zu ids", n);
    for (size_t i = 0; i < n; i++)
        ims__id_map_put(out, ids[i], i);
    return IMS_OK;
}

static ims_status add_rows(struct ims_embedded *e, const int64_t *ids, const float *rows, size_t n,
                           const struct ims_id_map *last, ims_err *err)
{
    struct ims_change c;
    ims_status st = ims__change_begin(&c, e, n, err);

    if (st)
        return st;
    for (size_t i = 0; !st && i < n; i++) {
        if (last->n && ims__id_map_get(last, ids[i]) != i)
            continue;
        st = ims__change_remove(&c, ids[i], err);
        if (!st)
            st = ims__change_append(&c, ids[i], rows + i * e->dim, err);
    }
    if (!st)
        st = ims__change_publish(&c, err);
    if (st)
        ims__change_drop(&c);
    return st;
}

static ims_status embedded_add(void *ctx, const int64_t *ids, const float *rows, size_t n, ims_err *err)
{
    struct ims_embedded *e = ctx;
    struct ims_id_map last = { 0 };
    ims_status st = find_last(ids, n, &last, err);

    if (!st) {
        ims__lock(&e->lock);
        st = add_rows(e, ids, rows, n, &last, err);
        ims__unlock(&e->lock);
    }
    ims__id_map_release(&last);
    return st;
}

static ims_status embedded_remove(void *ctx, const int64_t *ids, size_t n, ims_err *err)
{
    struct ims_embedded *e = ctx;
    struct ims_change c;
    ims_status st;

    ims__lock(&e->lock);
    st = ims__change_begin(&c, e, 0, err);
    if (!st) {
        for (size_t i = 0; !st && i < n; i++)
            st = ims__change_remove(&c, ids[i], err);
        if (!st)
            st = ims__change_publish(&c, err);
        if (st)
            ims__change_drop(&c);
    }
    ims__unlock(&e->lock);
    return st;
}

static size_t embedded_count(void *ctx)
{
    struct ims_embedded *e = ctx;
    unsigned slot;
    size_t n = ims__snapshot_take(&e->snapshots, &slot)->n_live;

    ims__snapshot_leave(&e->snapshots, slot);
    return n;
}

static ims_status embedded_get(void *ctx, int64_t id, float *out, ims_err *err)
{
    struct ims_embedded *e = ctx;
    const struct ims_snapshot *s;
    ims_status st = IMS_OK;
    size_t view;
    uint32_t slot;

    ims__lock(&e->lock); /* the ids of the last segment are the writer's */
    s = atomic_load(&e->snapshots.current);
    if (ims__embedded_find(e, s, id, &view, &slot))
        memcpy(out, ims__segment_row(s->views[view].segment, slot), e->dim * sizeof(float));
    else
        st = ims_fail(err, IMS_E_NOT_FOUND, "vectors", 0, "no vector with id %lld", (long long)id);
    ims__unlock(&e->lock);
    return st;
}

static ims_status embedded_search(void *ctx, const struct ims_vectors_query *queries, size_t n,
                                  struct ims_vectors_result *results, ims_err *err)
{
    struct ims_embedded *e = ctx;

    ims_status st = ims__passes_search(&e->passes, queries, n, results, err);

    for (size_t i = 0; !st && i < n; i++)
        st = ims__audit_note(&e->audit, &queries[i], &results[i], err);
    return st;
}

static int64_t embedded_seq(void *ctx)
{
    struct ims_embedded *e = ctx;
    int64_t seq;

    ims__lock(&e->lock);
    seq = e->seq;
    ims__unlock(&e->lock);
    return seq;
}

static ims_status embedded_save(void *ctx, int64_t seq, ims_err *err)
{
    struct ims_embedded *e = ctx;
    ims_status st;

    ims__lock(&e->lock);
    st = e->stage_of ? ims__embedded_spill(e, err) : ims__embedded_save(e, seq, err);
    ims__unlock(&e->lock);
    return st;
}

static ims_status embedded_verify(void *ctx, ims_err *err)
{
    return ims__embedded_verify(ctx, err);
}

static ims_status embedded_clear(void *ctx, ims_err *err)
{
    struct ims_embedded *e = ctx;
    ims_status st;

    ims__lock(&e->lock);
    st = ims__embedded_clear(e, err);
    ims__unlock(&e->lock);
    return st;
}

static void embedded_warm(void *ctx)
{
    ims__embedded_warm(ctx);
}

static void embedded_info(void *ctx, struct ims_vectors_info *out)
{
    struct ims_embedded *e = ctx;

    ims__lock(&e->lock);
    ims__embedded_info(e, out);
    ims__unlock(&e->lock);
    ims__audit_counts(&e->audit, &out->audit);
}

static void embedded_audit(void *ctx, struct ims_vectors_audit *out)
{
    struct ims_embedded *e = ctx;

    ims__audit_counts(&e->audit, out);
}

static ims_status embedded_stage(void *ctx, void *staged, ims_err *err)
{
    return ims__embedded_stage(ctx, staged, err);
}

static ims_status embedded_adopt(void *ctx, void *staged, ims_err *err)
{
    return ims__embedded_adopt(ctx, staged, err);
}

const struct ims_vectors_ops ims__vectors_embedded = {
    .abi = IMS_VECTORS_ABI,
    .name = "embedded",
    .ctx_size = sizeof(struct ims_embedded),
    .open = embedded_open,
    .close = embedded_close,
    .add = embedded_add,
    .remove = embedded_remove,
    .count = embedded_count,
    .get = embedded_get,
    .search = embedded_search,
    .seq = embedded_seq,
    .save = embedded_save,
    .verify = embedded_verify,
    .clear = embedded_clear,
    .warm = embedded_warm,
    .info = embedded_info,
    .audit = embedded_audit,
    .stage = embedded_stage,
    .adopt = embedded_adopt,
};
