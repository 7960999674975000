/* The vector index follows the store: what was committed since the last look is added, what was purged goes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <stdio.h>
#include <string.h>

#define ADD_BATCH 2048 /* vectors handed to the index at a time */
#define SAVE_AFTER 20000 /* changes; what is fewer is saved when the engine closes */
#define TELL_EVERY 8     /* batches */
#define AUDIT_QUERIES 16
#define AUDIT_HITS 10
#define AUDIT_EVERY 256

struct feed {
    struct ims_engine *engine;
    struct ims_vectors *vectors;
    uint32_t dim;
    size_t n_done, n_total, n_changes; /* vectors */
    size_t n;
    int64_t ids[ADD_BATCH];
    float *rows;
};

static ims_status flush_feed(struct feed *f, ims_err *err)
{
    const struct ims_engine_options *o = &f->engine->options;
    ims_status st = ims_vectors_add(f->vectors, f->ids, f->rows, f->n, err);

    f->n_done += f->n;
    f->n_changes += f->n;
    if (o->on_rebuild && f->n_changes / ADD_BATCH % TELL_EVERY == 0 && f->n_changes >= TELL_EVERY * ADD_BATCH)
        o->on_rebuild(o->on_rebuild_arg, f->n_done, f->n_total);
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

    f->n_changes++;
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

void ims__index_fill_info(const struct ims_vectors_info *v, struct ims_index_info *out)
{
    out->dim = v->dim;
    out->vectors = (int64_t)v->n_rows;
    out->dead = (int64_t)v->n_dead;
    out->coded = (int64_t)v->n_coded;
    out->segments = v->n_segments;
    out->full_segments = v->n_sealed;
    out->mapped_segments = v->n_mapped;
    out->epochs = v->n_epochs;
    out->code_bytes = v->code_bytes;
    out->byte_bytes = v->byte_bytes;
    out->row_bytes = v->row_bytes + v->id_bytes;
    out->memory_bytes = v->memory_bytes;
    out->disk_bytes = v->disk_bytes;
    out->generation = v->saved_generation;
    out->seq = v->seq;
    out->is_writer = v->is_writer;
    out->threads = v->n_threads;
    out->miss = v->miss;
    out->audit_searches = v->audit.n_searches;
    out->audit_audited = v->audit.n_audited;
    out->audit_hits = v->audit.n_hits;
    out->audit_found = v->audit.n_found;
    out->audit_us = v->audit.last_us;
}

/* Vectors of the library as queries, each answered as a search would be and by the full scan. */
static ims_status audit(struct ims_engine *e, ims_err *err)
{
    struct ims_vectors_hit hits[AUDIT_HITS];
    uint32_t dim = ims_clip_info(e->clip)->dim;
    float *vector = ims__alloc(dim, sizeof(float));
    size_t n = ims_vectors_count(e->vectors), n_hits;
    ims_status st = vector ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "auditing the vector index");

    for (size_t i = 0; !st && n && i < AUDIT_QUERIES; i++) {
        struct ims_vectors_query q = { .vector = vector, .k = AUDIT_HITS, .is_audited = true };

        for (uint32_t d = 0; d < dim; d++) /* any direction will do */
            vector[d] = (float)((i * 2654435761u + d * 40503u) % 1009) - 504.0f;
        st = ims_vectors_search(e->vectors, &q, hits, &n_hits, NULL, err);
        if (!st && n_hits) {
            st = ims_vectors_get(e->vectors, hits[i % n_hits].id, vector, err);
            if (!st)
                st = ims_vectors_search(e->vectors, &q, hits, &n_hits, NULL, err);
        }
    }
    ims__free(vector);
    return st;
}

/* The index lies in a folder of its own per model; it knows by its key whether it is of this library. */
static ims_status open_index(struct ims_engine *e, ims_err *err)
{
    const struct ims_clip_info *info = ims_clip_info(e->clip);
    char key[IMS_VECTORS_KEY_BYTES];
    char *dir = ims__strfmt("%s/index/%lld", e->options.data_dir, (long long)e->model_id);
    struct ims_vectors_options options = { .dim = info->dim, .n_threads = e->options.n_threads, .dir = dir,
                                           .key = key, .miss = e->options.index_miss,
                                           .audit_every = e->options.is_one_shot ? 0 : AUDIT_EVERY };
    ims_status st;

    if (!dir)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the vector index");
    snprintf(key, sizeof(key), "%.32s:%.24s", ims_store_library_id(e->store), info->digest);
    if (!options.n_threads)
        options.n_threads = ims_device_usable_cores();
    st = ims_vectors_open(&e->vectors, "embedded", &options, err);
    if (!st)
        e->vectors_seq = ims_vectors_seq(e->vectors);
    ims__free(dir);
    return st;
}

/* Adds and removes what changed after e->vectors_seq. */
static ims_status follow(struct ims_engine *e, struct feed *feed, ims_err *err)
{
    struct ims_store_vector_sink sink = { .arg = feed, .on_removed = on_removed, .on_vector = on_vector };
    int64_t seq = e->vectors_seq;
    ims_status st = ims_store_vectors(e->store, e->model_id, e->vectors_seq, &sink, &seq, err);

    if (!st)
        st = flush_feed(feed, err);
    if (!st && seq < e->vectors_seq) /* the library is older than the index: it came back from a copy */
        seq = -1;
    if (!st)
        e->vectors_seq = seq;
    return st;
}

/* An index that does not hold as many vectors as the library is not of this library's present: made anew. */
static ims_status follow_or_rebuild(struct ims_engine *e, struct feed *feed, ims_err *err)
{
    int64_t n = 0, seq = 0;
    bool is_new = e->vectors_seq == 0;
    ims_status st = ims_store_vector_count(e->store, e->model_id, &n, &seq, err);

    feed->n_total = (size_t)n;
    feed->n_done = ims_vectors_count(e->vectors);
    if (!st && seq == e->vectors_seq && feed->n_done == feed->n_total)
        return IMS_OK;
    if (!st)
        st = follow(e, feed, err);
    if (!st)
        st = ims_store_vector_count(e->store, e->model_id, &n, &seq, err);
    if (st || is_new || (e->vectors_seq >= 0 && (seq != e->vectors_seq || ims_vectors_count(e->vectors) == (size_t)n)))
        return st;
    st = ims_vectors_clear(e->vectors, err);
    e->vectors_seq = 0;
    feed->n_done = 0;
    return st ? st : follow(e, feed, err);
}

ims_status ims__engine_catch_up(struct ims_engine *e, ims_err *err)
{
    struct feed feed = { .dim = ims_clip_info(e->clip)->dim, .engine = e };
    ims_status st = IMS_OK;

    if (e->host)
        return share_index(e, err);
    if (!e->vectors)
        st = open_index(e, err);
    if (st)
        return st;
    feed.vectors = e->vectors;
    feed.rows = ims__alloc((size_t)ADD_BATCH * feed.dim, sizeof(float));
    if (!feed.rows)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "loading vectors");
    st = follow_or_rebuild(e, &feed, err);
    if (e->options.on_rebuild && feed.n_changes >= TELL_EVERY * ADD_BATCH)
        e->options.on_rebuild(e->options.on_rebuild_arg, feed.n_total, feed.n_total);
    e->n_unsaved += feed.n_changes;
    ims__free(feed.rows);
    if (!st && e->n_unsaved >= SAVE_AFTER)
        ims__engine_save_index(e);
    return st;
}

/* The folder is a convenience: a disk that is full, or not ours to write on, costs time at the next start. */
void ims__engine_save_index(struct ims_engine *e)
{
    if (!e->vectors || !e->n_unsaved)
        return;
    if (ims_vectors_save(e->vectors, e->vectors_seq, NULL) == IMS_OK)
        e->n_unsaved = 0;
}

ims_status ims_engine_index_info(struct ims_engine *e, bool is_thorough, struct ims_index_info *out, ims_err *err)
{
    struct ims_vectors_info v;
    ims_status st = ims__engine_need_model_id(e, false, err);

    *out = (struct ims_index_info){ .is_sound = true };
    if (st)
        return st;
    out->model = ims_clip_info(e->clip)->name;
    if (!e->model_id)
        return IMS_OK;
    st = ims__engine_catch_up(e, err);
    if (st)
        return st;
    if (is_thorough) {
        st = ims_vectors_verify(e->vectors, err);
        if (st == IMS_E_CORRUPT) { /* named; the next search makes it anew */
            out->is_sound = false;
            snprintf(out->note, sizeof(out->note), "%s", err->text);
            st = ims_vectors_clear(e->vectors, err);
            e->vectors_seq = 0;
            if (!st)
                st = ims__engine_catch_up(e, err);
        }
        if (!st)
            st = audit(e, err);
    }
    ims__engine_save_index(e);
    ims_vectors_info(e->vectors, &v);
    if (out->is_sound)
        snprintf(out->note, sizeof(out->note), "%s", v.note);
    ims__index_fill_info(&v, out);
    return st;
}
