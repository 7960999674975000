/* The vector index follows the store: what was committed since the last look is added, what was purged goes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <stdio.h>
#include <string.h>

#define ADD_BATCH 2048   /* vectors handed to the index at a time */
#define SAVE_AFTER 20000 /* changes; what is fewer is saved when the engine closes */
#define STEP 16384       /* changes between two looks at whether to go on, and two lines about how far it is */
#define SPILL_AFTER 65536 /* vectors of a rebuild, before what is full of it goes to disk */
#define MAX_AT_ONCE 4096 /* changes that a search takes up itself: some 20 ms */
#define AUDIT_EVERY 256

/* ---- taking up ---- */

/* Vectors are read into one half of a buffer while another thread adds the other half to the index. */
struct batch {
    struct ims_index_feed *feed;
    struct ims_vectors *into;
    uint32_t dim;
    size_t n_done, n_total, n_stepped; /* vectors */
    size_t n; /* in the half that is being filled */
    unsigned half;
    int64_t ids[2][ADD_BATCH];
    float *rows; /* 2 * ADD_BATCH * dim */
    struct adding { /* the other thread's until it is joined */
        struct ims_thread thread;
        unsigned half;
        size_t n, n_unspilled;
        bool is_staged; /* what is full of the index may go to disk */
        ims_status status;
        ims_err err;
    } adding;
};

static ims_status step(struct batch *b, ims_err *err)
{
    const struct ims_index_feed *f = b->feed;

    b->n_stepped = f->n_changes;
    if (f->on_step && !f->on_step(f->arg, b->n_done, b->n_total))
        return ims_fail(err, IMS_E_CANCELLED, "engine", 0, "the vector index is not needed any more");
    return IMS_OK;
}

static float *rows_of(struct batch *b, unsigned half)
{
    return b->rows + (size_t)half * ADD_BATCH * b->dim;
}

static void add_half(void *arg)
{
    struct batch *b = arg;
    struct adding *a = &b->adding;

    a->status = ims_vectors_add(b->into, b->ids[a->half], rows_of(b, a->half), a->n, &a->err);
    a->n_unspilled += a->n;
    if (!a->status && a->is_staged && a->n_unspilled >= SPILL_AFTER) {
        a->n_unspilled = 0;
        a->is_staged = ims_vectors_save(b->into, 0, NULL) == IMS_OK; /* else it stays in memory */
    }
}

static ims_status wait_for_half(struct batch *b, ims_err *err)
{
    struct adding *a = &b->adding;
    ims_status st;

    ims__thread_join(&a->thread);
    st = a->status;
    a->status = IMS_OK;
    if (st && err)
        *err = a->err;
    return st;
}

/* is_last: what was read is in the index when this returns. */
static ims_status flush_batch(struct batch *b, bool is_last, ims_err *err)
{
    struct adding *a = &b->adding;
    ims_status st = wait_for_half(b, err);

    if (st)
        return st;
    a->half = b->half;
    a->n = b->n;
    b->n_done += b->n;
    b->feed->n_changes += b->n;
    b->half ^= 1u;
    b->n = 0;
    if (is_last || ims__thread_start(&a->thread, "ims-index-add", add_half, b, NULL) != IMS_OK) {
        add_half(b);
        st = wait_for_half(b, err);
    }
    if (!st && b->feed->n_changes - b->n_stepped >= STEP)
        st = step(b, err);
    return st;
}

static ims_status on_vector(void *arg, int64_t content_id, const float *vector, int64_t seq, ims_err *err)
{
    struct batch *b = arg;

    (void)seq;
    memcpy(rows_of(b, b->half) + b->n * b->dim, vector, b->dim * sizeof(float));
    b->ids[b->half][b->n++] = content_id;
    return b->n == ADD_BATCH ? flush_batch(b, false, err) : IMS_OK;
}

static ims_status on_removed(void *arg, int64_t content_id, ims_err *err)
{
    struct batch *b = arg;

    b->feed->n_changes++;
    return ims_vectors_remove(b->into, &content_id, 1, err);
}

static ims_status take_up(struct ims_engine *e, struct batch *b, int64_t after_seq, int64_t *out_seq, ims_err *err)
{
    struct ims_store_vector_sink sink = { .arg = b, .on_removed = on_removed, .on_vector = on_vector };
    ims_status st;

    *out_seq = after_seq;
    st = ims_store_vectors(e->store, e->model_id, after_seq, &sink, out_seq, err);
    if (!st)
        return flush_batch(b, true, err);
    (void)wait_for_half(b, NULL);
    return st;
}

/* Beside the index as it is, which answers until the new one takes its place. */
static ims_status rebuild(struct ims_engine *e, struct batch *b, ims_err *err)
{
    struct ims_index_feed *f = b->feed;
    int64_t seq = 0;
    ims_status st;

    b->n_done = 0;
    b->adding.is_staged = true;
    st = ims_vectors_stage(&b->into, f->vectors, err);
    if (st)
        return st;
    if (b->n_total > STEP || e->host)
        st = step(b, err);
    if (!st)
        st = take_up(e, b, 0, &seq, err);
    if (!st)
        st = ims_vectors_adopt(f->vectors, b->into, err);
    ims_vectors_close(b->into);
    if (!st) {
        f->seq = seq;
        f->was_rebuilt = true;
        f->n_changes += f->n_changes == 0; /* also an index that became empty is to be saved */
    }
    return st;
}

/* An index that is ahead of the library, or does not hold as many vectors, is not of this library's present. */
static ims_status follow(struct ims_engine *e, struct batch *b, ims_err *err)
{
    struct ims_index_feed *f = b->feed;
    int64_t n = 0, seq = 0;
    ims_status st = ims_store_vector_count(e->store, e->model_id, &n, &seq, err);

    b->n_total = (size_t)n;
    b->n_done = ims_vectors_count(f->vectors);
    if (!st && f->seq == 0 && seq)
        return rebuild(e, b, err);
    if (!st && seq > f->seq)
        st = take_up(e, b, f->seq, &f->seq, err);
    if (!st)
        st = ims_store_vector_count(e->store, e->model_id, &n, &seq, err);
    if (st)
        return st;
    if (seq < f->seq || (seq == f->seq && ims_vectors_count(f->vectors) != (size_t)n))
        return rebuild(e, b, err);
    f->is_counted = true;
    return IMS_OK;
}

ims_status ims__index_follow(struct ims_engine *e, struct ims_index_feed *feed, ims_err *err)
{
    struct batch b = { .feed = feed, .into = feed->vectors, .dim = ims_clip_info(e->clip)->dim };
    ims_status st;

    feed->was_rebuilt = false;
    b.rows = ims__large_alloc(2 * (size_t)ADD_BATCH * b.dim, sizeof(float));
    if (!b.rows)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "loading vectors");
    st = follow(e, &b, err);
    if (!st && b.n_stepped && feed->on_step) /* the last line */
        (void)feed->on_step(feed->arg, b.n_total, b.n_total);
    ims__free(b.rows);
    return st;
}

/* ---- opening and saving ---- */

/* The index lies in a folder of its own per model; it knows by its key whether it is of this library. */
ims_status ims__index_open(struct ims_engine *e, struct ims_vectors **out, ims_err *err)
{
    const struct ims_clip_info *info = ims_clip_info(e->clip);
    char key[IMS_VECTORS_KEY_BYTES];
    char *dir = ims__strfmt("%s/index/%lld", e->options.data_dir, (long long)e->model_id);
    struct ims_vectors_options options = { .dim = info->dim, .n_threads = e->options.n_threads, .dir = dir,
                                           .key = key, .miss = e->options.index_miss,
                                           .audit_every = e->options.is_one_shot ? 0 : AUDIT_EVERY };
    struct ims_vectors_info v;
    ims_status st;

    if (!dir)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "opening the vector index");
    snprintf(key, sizeof(key), "%.32s:%.24s", ims_store_library_id(e->store), info->digest);
    if (!options.n_threads)
        options.n_threads = ims_device_usable_cores();
    st = ims_vectors_open(out, "embedded", &options, err);
    if (!st) {
        ims_vectors_info(*out, &v);
        e->n_unsaved += v.n_stale; /* saving makes their codes again */
    }
    ims__free(dir);
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

/* ---- before a search ---- */

static bool show(void *arg, size_t done, size_t total)
{
    struct ims_engine *e = arg;

    if (e->options.on_rebuild)
        e->options.on_rebuild(e->options.on_rebuild_arg, done, total);
    return true;
}

static ims_status follow_now(struct ims_engine *e, ims_err *err)
{
    struct ims_index_feed feed = { .vectors = e->vectors, .seq = e->vectors_seq, .is_counted = e->is_index_counted,
                                   .on_step = show, .arg = e };
    ims_status st = ims__index_follow(e, &feed, err);

    e->n_unsaved += feed.n_changes;
    e->vectors_seq = feed.seq;
    e->is_index_counted = feed.is_counted;
    return st;
}

/* Does what the library, which goes as far as seq, has beyond the index take a moment only? */
static bool is_near(const struct ims_engine *e, int64_t seq)
{
    return e->vectors && e->is_index_counted && seq >= e->vectors_seq && seq - e->vectors_seq <= MAX_AT_ONCE;
}

/* The host's lock is held. */
static ims_status follow_shared(struct ims_engine *host, ims_err *err)
{
    int64_t seq = 0;
    ims_status st = ims_store_vector_seq(host->store, host->model_id, &seq, err);

    if (st)
        return st;
    if (!is_near(host, seq) || host->n_unsaved >= SAVE_AFTER) {
        if (ims__keeper_wake(host))
            return IMS_OK;
    }
    return is_near(host, seq) && seq != host->vectors_seq ? follow_now(host, err) : IMS_OK;
}

/* One index serves all. A few changes are taken up at once, so that who adds a picture finds it; everything else is
 * the keeper's, and meanwhile the index is what it is. */
static ims_status share_index(struct ims_engine *e, ims_err *err)
{
    struct ims_engine *host = e->host;
    ims_status st;

    ims__lock(&host->sharing);
    st = ims__engine_need_model_id(host, false, err);
    if (!st && host->model_id && !ims__keeper_is_running(host))
        st = follow_shared(host, err);
    ims__lock(&host->keeper.lock);
    e->vectors = host->vectors;
    ims__unlock(&host->keeper.lock);
    ims__unlock(&host->sharing);
    return st;
}

ims_status ims__engine_catch_up(struct ims_engine *e, ims_err *err)
{
    int64_t seq = 0;
    ims_status st = IMS_OK;

    if (e->host)
        return share_index(e, err);
    if (!e->vectors) {
        st = ims__index_open(e, &e->vectors, err);
        if (!st)
            e->vectors_seq = ims_vectors_seq(e->vectors);
    }
    if (!st)
        st = ims_store_vector_seq(e->store, e->model_id, &seq, err);
    if (!st && !(e->is_index_counted && seq == e->vectors_seq))
        st = follow_now(e, err);
    if (!st && e->n_unsaved >= SAVE_AFTER)
        ims__engine_save_index(e);
    return st;
}

/* ---- without the index ---- */

static ims_status on_scanned(void *arg, int64_t content_id, const float *vector, int64_t seq, ims_err *err)
{
    (void)seq;
    (void)err;
    ims_vectors_scan_row(arg, content_id, vector);
    return IMS_OK;
}

ims_status ims__index_scan_library(struct ims_engine *e, const struct ims_vectors_query *q,
                                   struct ims_vectors_result *out, ims_err *err)
{
    struct ims_vectors_scan *scan = NULL;
    struct ims_store_vector_sink sink = { .on_vector = on_scanned };
    int64_t seq;
    ims_status st = ims_vectors_scan_open(&scan, ims_clip_info(e->clip)->dim, q, err);

    sink.arg = scan;
    if (!st)
        st = ims_store_vectors(e->store, e->model_id, 0, &sink, &seq, err);
    if (!st)
        ims_vectors_scan_finish(scan, out);
    ims_vectors_scan_close(scan);
    return st;
}
