/* The registry of vector backends, and the checks that all of them share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/vectors.h"

#include "base/limits.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "vectors/vectors_backend.h"

#include <math.h>
#include <string.h>

struct ims_vectors {
    const struct ims_vectors_ops *ops;
    void *ctx;
    uint32_t dim;
};

static const struct ims_vectors_ops *const backends[] = { &ims__vectors_embedded,
                                                         &ims__vectors_exact };

static bool is_complete(const struct ims_vectors_ops *o)
{
    return o->abi == IMS_VECTORS_ABI && o->name && o->ctx_size && o->open && o->close && o->add &&
           o->remove && o->count && o->get && o->search;
}

static const struct ims_vectors_ops *find_backend(const char *name)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(backends); i++) {
        if (strcmp(backends[i]->name, name) == 0 && is_complete(backends[i]))
            return backends[i];
    }
    return NULL;
}

/* A handle with a zeroed context. */
static struct ims_vectors *new_handle(const struct ims_vectors_ops *ops, uint32_t dim)
{
    struct ims_vectors *v = ims__zalloc(1, sizeof(*v));

    if (!v)
        return NULL;
    *v = (struct ims_vectors){ .ops = ops, .dim = dim, .ctx = ims__zalloc(1, ops->ctx_size) };
    if (!v->ctx) {
        ims__free(v);
        return NULL;
    }
    return v;
}

ims_status ims_vectors_open(struct ims_vectors **out, const char *name,
                            const struct ims_vectors_options *options, ims_err *err)
{
    const struct ims_vectors_ops *ops = find_backend(name);
    struct ims_vectors *v = NULL;
    ims_status st;

    if (!ops)
        return ims_fail(err, IMS_E_UNSUPPORTED, "vectors", 0,
                        "no vector index \"%s\"; built in: %s, %s", name, backends[0]->name,
                        backends[1]->name);
    if (options->dim == 0 || options->dim > IMS_MAX_EMBEDDING_DIM)
        return ims_fail(err, IMS_E_DIMENSION, "vectors", 0, "%u dimensions; 1 to %d are possible",
                        options->dim, IMS_MAX_EMBEDDING_DIM);
    if (!(options->miss >= 0 && options->miss < 0.5))
        return ims_fail(err, IMS_E_INVALID, "vectors", 0,
                        "a probability of %g to miss a hit; below 0.5 is possible", options->miss);
    if (options->dir && (!ops->save || !options->key || strlen(options->key) >= IMS_VECTORS_KEY_BYTES))
        return ims_fail(err, IMS_E_INVALID, "vectors", 0, ops->save
                            ? "an index with a folder needs a key of at most %d bytes"
                            : "this index has no folder", IMS_VECTORS_KEY_BYTES - 1);
    v = new_handle(ops, options->dim);
    if (!v)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "opening an index");
    st = ops->open(v->ctx, options, err);
    if (st) {
        ims_vectors_close(v);
        return st;
    }
    *out = v;
    return IMS_OK;
}

void ims_vectors_close(struct ims_vectors *v)
{
    if (!v)
        return;
    if (v->ctx)
        v->ops->close(v->ctx);
    ims__free(v->ctx);
    ims__free(v);
}

bool ims__vectors_is_usable(const float *row, uint32_t dim)
{
    float square = ims__kernels()->dot_f32(row, row, dim);

    return isfinite(square) && square > 0.0f;
}

ims_status ims_vectors_add(struct ims_vectors *v, const int64_t *ids, const float *rows, size_t n,
                           ims_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!ims__vectors_is_usable(rows + i * v->dim, v->dim))
            return ims_fail(err, IMS_E_INVALID, "vectors", 0,
                            "the vector of id %lld is zero or not finite", (long long)ids[i]);
    }
    return n ? v->ops->add(v->ctx, ids, rows, n, err) : IMS_OK;
}

ims_status ims_vectors_remove(struct ims_vectors *v, const int64_t *ids, size_t n, ims_err *err)
{
    return n ? v->ops->remove(v->ctx, ids, n, err) : IMS_OK;
}

size_t ims_vectors_count(struct ims_vectors *v)
{
    return v->ops->count(v->ctx);
}

uint32_t ims_vectors_dim(const struct ims_vectors *v)
{
    return v->dim;
}

ims_status ims_vectors_get(struct ims_vectors *v, int64_t id, float *out, ims_err *err)
{
    return v->ops->get(v->ctx, id, out, err);
}

const char *ims_vectors_plan_name(enum ims_vectors_plan plan)
{
    static const char *const names[] = { [IMS_VECTORS_FLOATS] = "exact",
                                         [IMS_VECTORS_BYTES] = "bytes",
                                         [IMS_VECTORS_CODES] = "codes" };

    return names[plan];
}

static bool is_ascending(const int64_t *ids, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (ids[i - 1] >= ids[i])
            return false;
    }
    return true;
}

ims_status ims_vectors_filter_open(struct ims_vectors_filter **out, const int64_t *ids, size_t n, ims_err *err)
{
    struct ims_vectors_filter *f;

    if (!is_ascending(ids, n))
        return ims_fail(err, IMS_E_INVALID, "vectors", 0, "the id filter is not in ascending order");
    f = ims__zalloc(1, sizeof(*f));
    if (!f || !(f->ids = ims__alloc(n, sizeof(*f->ids))) || pthread_mutex_init(&f->lock, NULL)) {
        if (f)
            ims__free(f->ids);
        ims__free(f);
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for a filter of %zu", n);
    }
    if (n)
        memcpy(f->ids, ids, n * sizeof(*ids));
    f->n = n;
    *out = f;
    return IMS_OK;
}

void ims_vectors_filter_close(struct ims_vectors_filter *f)
{
    if (!f)
        return;
    if (f->state)
        f->free_state(f->state);
    pthread_mutex_destroy(&f->lock);
    ims__free(f->ids);
    ims__free(f);
}

ims_status ims__vectors_check_query(uint32_t dim, const struct ims_vectors_query *q, ims_err *err)
{
    if (q->k == 0 || q->k > IMS_MAX_SEARCH_WINDOW)
        return ims_fail(err, IMS_E_LIMIT, "vectors", 0, "%zu hits asked for; 1 to %zu are possible", q->k,
                        IMS_MAX_SEARCH_WINDOW);
    if (!ims__vectors_is_usable(q->vector, dim))
        return ims_fail(err, IMS_E_INVALID, "vectors", 0, "the query vector is zero or not finite");
    if (q->only_ids && q->filter)
        return ims_fail(err, IMS_E_INVALID, "vectors", 0, "two filters for one query");
    if (q->only_ids && !is_ascending(q->only_ids, q->n_only_ids))
        return ims_fail(err, IMS_E_INVALID, "vectors", 0, "the id filter is not in ascending order");
    return IMS_OK;
}

ims_status ims_vectors_search_many(struct ims_vectors *v, const struct ims_vectors_query *queries, size_t n,
                                   struct ims_vectors_result *results, ims_err *err)
{
    struct ims_vectors_query *copies = NULL;
    float *units = NULL;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < n; i++) {
        st = ims__vectors_check_query(v->dim, &queries[i], err);
        if (st)
            return st;
    }
    copies = ims__alloc(n, sizeof(*copies));
    units = ims__alloc(n, (size_t)v->dim * sizeof(*units));
    if (!copies || !units) {
        st = ims_fail(err, IMS_E_NOMEM, "vectors", 0, "searching");
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        float *unit = units + i * v->dim;

        memcpy(unit, queries[i].vector, v->dim * sizeof(float));
        ims__kernels()->normalise_f32(unit, v->dim);
        copies[i] = queries[i];
        copies[i].vector = unit;
    }
    if (n)
        st = v->ops->search(v->ctx, copies, n, results, err);
out:
    ims__free(copies);
    ims__free(units);
    return st;
}

ims_status ims_vectors_search(struct ims_vectors *v, const struct ims_vectors_query *query,
                              struct ims_vectors_hit *out_hits, size_t *out_n, size_t *out_candidates,
                              ims_err *err)
{
    struct ims_vectors_result r = { .hits = out_hits };
    ims_status st = ims_vectors_search_many(v, query, 1, &r, err);

    if (st)
        return st;
    *out_n = r.n;
    if (out_candidates)
        *out_candidates = r.answer.n_candidates;
    return IMS_OK;
}

int64_t ims_vectors_seq(struct ims_vectors *v)
{
    return v->ops->seq ? v->ops->seq(v->ctx) : 0;
}

ims_status ims_vectors_save(struct ims_vectors *v, int64_t seq, ims_err *err)
{
    return v->ops->save ? v->ops->save(v->ctx, seq, err) : IMS_OK;
}

ims_status ims_vectors_verify(struct ims_vectors *v, ims_err *err)
{
    return v->ops->verify ? v->ops->verify(v->ctx, err) : IMS_OK;
}

ims_status ims_vectors_clear(struct ims_vectors *v, ims_err *err)
{
    return v->ops->clear ? v->ops->clear(v->ctx, err)
                         : ims_fail(err, IMS_E_UNSUPPORTED, "vectors", 0, "this index cannot be emptied");
}

void ims_vectors_warm(struct ims_vectors *v)
{
    if (v->ops->warm)
        v->ops->warm(v->ctx);
}

ims_status ims_vectors_stage(struct ims_vectors **out, struct ims_vectors *v, ims_err *err)
{
    struct ims_vectors *staged;
    ims_status st;

    if (!v->ops->stage)
        return ims_fail(err, IMS_E_UNSUPPORTED, "vectors", 0, "this index is not made anew beside itself");
    staged = new_handle(v->ops, v->dim);
    if (!staged)
        return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "making an index anew");
    st = v->ops->stage(v->ctx, staged->ctx, err);
    if (st)
        ims_vectors_close(staged);
    else
        *out = staged;
    return st;
}

ims_status ims_vectors_adopt(struct ims_vectors *v, struct ims_vectors *staged, ims_err *err)
{
    return v->ops->adopt(v->ctx, staged->ctx, err);
}

void ims_vectors_info(struct ims_vectors *v, struct ims_vectors_info *out)
{
    *out = (struct ims_vectors_info){ .dim = v->dim };
    if (v->ops->info)
        v->ops->info(v->ctx, out);
    else
        out->n_rows = v->ops->count(v->ctx);
}

void ims_vectors_audit(struct ims_vectors *v, struct ims_vectors_audit *out)
{
    *out = (struct ims_vectors_audit){ 0 };
    if (v->ops->audit)
        v->ops->audit(v->ctx, out);
}
