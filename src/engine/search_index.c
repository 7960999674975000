/* The vector index follows the store: what was committed since the last look is added, what was purged goes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <string.h>

#define ADD_BATCH 256 /* vectors handed to the index at a time */

struct feed {
    struct ims_vectors *vectors;
    uint32_t dim;
    size_t n;
    int64_t ids[ADD_BATCH];
    float *rows;
};

static ims_status flush_feed(struct feed *f, ims_err *err)
{
    ims_status st = ims_vectors_add(f->vectors, f->ids, f->rows, f->n, err);

    f->n = 0;
    return st;
}

static ims_status on_vector(void *arg, int64_t content_id, const float *vector, int64_t seq, ims_err *err)
{
    struct feed *f = arg;

    (void)seq;
    memcpy(f->rows + f->n * f->dim, vector, f->dim * sizeof(float));
    f->ids[f->n++] = content_id;
    return f->n == ADD_BATCH ? flush_feed(f, err) : IMS_OK;
}

static ims_status on_removed(void *arg, int64_t content_id, ims_err *err)
{
    struct feed *f = arg;

    return ims_vectors_remove(f->vectors, &content_id, 1, err);
}

/* One index serves all: whoever needs it first brings it up to date, the others wait that long. */
static ims_status share_index(struct ims_engine *e, ims_err *err)
{
    ims_status st;

    ims__lock(&e->host->sharing);
    st = ims__engine_need_model_id(e->host, false, err);
    if (!st && e->host->model_id)
        st = ims__engine_catch_up(e->host, err);
    e->vectors = e->host->vectors;
    e->vectors_seq = e->host->vectors_seq;
    ims__unlock(&e->host->sharing);
    return st;
}

ims_status ims__engine_catch_up(struct ims_engine *e, ims_err *err)
{
    struct feed feed = { .dim = ims_clip_info(e->clip)->dim };
    struct ims_store_vector_sink sink = { .arg = &feed, .on_removed = on_removed, .on_vector = on_vector };
    struct ims_vectors_options options = { .dim = feed.dim, .n_threads = e->options.n_threads };
    int64_t seq;
    ims_status st = IMS_OK;

    if (e->host)
        return share_index(e, err);
    if (!options.n_threads)
        options.n_threads = ims_device_usable_cores();
    if (!e->vectors)
        st = ims_vectors_open(&e->vectors, "embedded", &options, err);
    if (st)
        return st;
    feed.vectors = e->vectors;
    feed.rows = ims__alloc((size_t)ADD_BATCH * feed.dim, sizeof(float));
    if (!feed.rows)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "loading vectors");
    st = ims_store_vectors(e->store, e->model_id, e->vectors_seq, &sink, &seq, err);
    if (!st)
        st = flush_feed(&feed, err);
    if (!st)
        e->vectors_seq = seq;
    ims__free(feed.rows);
    return st;
}
