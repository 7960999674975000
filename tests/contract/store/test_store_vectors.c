/* The stream of vector changes: complete, in order, and enough to keep an index in step.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include "base/clock.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAX_CONTENTS 4096

/* An index as simple as can be: what is there, by content. */
struct mirror {
    bool is_there[MAX_CONTENTS];
    float vector[MAX_CONTENTS][DIM];
    size_t n;
    size_t n_calls;
    int64_t seq;
    bool is_wrong;
};

static ims_status mirror_removed(void *arg, int64_t content_id, ims_err *err)
{
    struct mirror *m = arg;

    (void)err;
    m->n_calls++;
    if (m->is_there[content_id])
        m->n--;
    m->is_there[content_id] = false;
    return IMS_OK;
}

static ims_status mirror_vector(void *arg, int64_t content_id, const float *vector, int64_t seq,
                                ims_err *err)
{
    struct mirror *m = arg;

    (void)err;
    m->n_calls++;
    if (seq <= m->seq || content_id <= 0 || content_id >= MAX_CONTENTS ||
        (uintptr_t)vector % sizeof(float)) {
        m->is_wrong = true;
        return IMS_OK;
    }
    m->seq = seq;
    m->n += !m->is_there[content_id];
    m->is_there[content_id] = true;
    memcpy(m->vector[content_id], vector, sizeof(m->vector[0]));
    return IMS_OK;
}

static struct mirror mirror;

static bool follow(struct library *l, int64_t *seq)
{
    const struct ims_store_vector_sink sink = { &mirror, mirror_removed, mirror_vector };

    mirror.n_calls = 0;
    mirror.seq = *seq;
    return test_check_ok(__FILE__, __LINE__, "vectors",
                         ims_store_vectors(l->store, l->model_id, *seq, &sink, seq, &l->err),
                         &l->err) &&
           !mirror.is_wrong;
}

TEST(follow_changes,
     "an index that follows the changes has every vector, and reads each change once")
{
    const char *const keep[] = { "/photos/b.jpg" };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_item item;
    struct library l;
    float vector[DIM];
    int64_t seq = 0, purged = 0, n = 0, last = 0;

    memset(&mirror, 0, sizeof(mirror));
    CHECK(library_open(&l));
    CHECK(follow(&l, &seq));
    CHECK_INT(seq, 0);
    CHECK(commit_one(&l, "/photos/a.jpg", 1) && commit_one(&l, "/photos/b.jpg", 2));
    CHECK(follow(&l, &seq));
    CHECK_INT(mirror.n, 2);
    CHECK_INT(mirror.n_calls, 2);
    CHECK(follow(&l, &seq));
    CHECK_INT(mirror.n_calls, 0);
    CHECK(commit_one(&l, "/photos/b.jpg", 2)); /* the same again is no change */
    CHECK(follow(&l, &seq));
    CHECK_INT(mirror.n_calls, 0);

    item = make_item(&l, "/photos/b.jpg", 2, true); /* a better vector for the same content */
    make_vector(77, vector);
    item.vector = vector;
    CHECK_OK(ims_store_commit(l.store, IMS_TASK_CLIP, l.model_id, &item, 1, &l.err), l.err);
    CHECK(follow(&l, &seq));
    CHECK_INT(mirror.n_calls, 1);
    CHECK_INT(mirror.n, 2);
    CHECK_MEM(mirror.vector[item.content_id], vector, sizeof(vector));

    CHECK(scan_all(&l, keep, 1, &r));
    CHECK(follow(&l, &seq));
    CHECK_INT(mirror.n_calls, 0); /* a deleted file's vector stays until it is purged */
    CHECK_OK(ims_store_purge(l.store, ims__now_us() + 1, &purged, &l.err), l.err);
    CHECK_INT(purged, 1);
    CHECK(follow(&l, &seq));
    CHECK_INT(mirror.n_calls, 1);
    CHECK_INT(mirror.n, 1);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM contents"), 1);

    CHECK(commit_one(&l, "/photos/a.jpg", 1)); /* removed and there again, seen in one go */
    CHECK_OK(ims_store_vector_count(l.store, l.model_id, &n, &last, &l.err), l.err);
    CHECK_INT(n, 2);
    CHECK(follow(&l, &seq));
    CHECK_INT(seq, last);
    CHECK_INT(mirror.n, 2);
    seq = 0;
    memset(&mirror, 0, sizeof(mirror));
    CHECK(follow(&l, &seq));
    CHECK_INT(mirror.n, 2);
    CHECK_INT(mirror.n_calls, 2); /* from the start there are no removals to tell */
    library_close(&l);
}

static ims_status refuse(void *arg, int64_t content_id, const float *vector, int64_t seq,
                         ims_err *err)
{
    (void)arg;
    (void)content_id;
    (void)vector;
    (void)seq;
    return ims_fail(err, IMS_E_CANCELLED, "test", 0, "enough");
}

TEST(sink_fails, "a reader that gives up gets its own status back, and the next reading works")
{
    const struct ims_store_vector_sink sink = { NULL, NULL, refuse };
    struct library l;
    int64_t seq = 0, same = 5;

    memset(&mirror, 0, sizeof(mirror));
    CHECK(library_open(&l));
    CHECK(commit_one(&l, "/photos/a.jpg", 1));
    CHECK_STATUS(ims_store_vectors(l.store, l.model_id, 0, &sink, &same, &l.err), IMS_E_CANCELLED,
                 l.err);
    CHECK_INT(same, 5);
    CHECK(follow(&l, &seq));
    CHECK_INT(mirror.n, 1);
    CHECK_STATUS(ims_store_vectors(l.store, 999, 0, &sink, &same, &l.err), IMS_E_NOT_FOUND, l.err);
    library_close(&l);
}

TEST(damaged_vector, "a stored vector of the wrong length is IMS_E_CORRUPT and names its content")
{
    struct library l;
    const struct ims_store_vector_sink sink = { &mirror, mirror_removed, mirror_vector };
    int64_t seq = 0;

    memset(&mirror, 0, sizeof(mirror));
    CHECK(library_open(&l));
    CHECK(commit_one(&l, "/photos/a.jpg", 1));
    CHECK(sql_exec(&l, fixture_is_postgres() ? "UPDATE embeddings SET vector = '\\x0102'"
                                             : "UPDATE embeddings SET vector = x'0102'"));
    CHECK_STATUS(ims_store_vectors(l.store, l.model_id, 0, &sink, &seq, &l.err), IMS_E_CORRUPT,
                 l.err);
    CHECK(strstr(l.err.text, "2 bytes") != NULL);
    library_close(&l);
}

/* --- several writers --- */

#define N_WRITERS 3
#define N_BATCHES 20
#define BATCH 10

struct writer {
    struct library *l;
    int number;
    ims_status st; /* read after the thread has ended */
    atomic_bool has_failed;
    ims_err err;
};

static void write_batches(void *arg)
{
    struct writer *w = arg;
    struct ims_store *s = NULL;

    w->st = ims_store_open(&s, w->l->url, NULL, &w->err);
    for (int b = 0; !w->st && b < N_BATCHES; b++) {
        struct ims_store_item items[BATCH];
        float vectors[BATCH][DIM];
        uint8_t hashes[BATCH][IMS_SHA256_BYTES];
        char paths[BATCH][48];

        for (int i = 0; i < BATCH; i++) {
            /* half of the contents are everybody's, in an order of one's own: where deadlocks would
             * come from */
            uint64_t seed = i % 2 ? (uint64_t)((b * BATCH + i * (w->number + 1)) % 40) + 5000
                                  : (uint64_t)(w->number * 1000 + b * BATCH + i);

            snprintf(paths[i], sizeof(paths[i]), "/photos/%d/%d-%d.jpg", w->number, b, i);
            make_vector(seed, vectors[i]);
            make_sha256(seed, hashes[i]);
            items[i] = (struct ims_store_item){ .path = paths[i],
                                                .root_id = w->l->root_id,
                                                .sha256 = hashes[i],
                                                .vector = vectors[i] };
        }
        w->st = ims_store_commit(s, IMS_TASK_CLIP, w->l->model_id, items, BATCH, &w->err);
    }
    atomic_store(&w->has_failed, w->st != IMS_OK);
    ims_store_close(s);
}

TEST(many_writers,
     "several writers at once store everything, and a reader beside them misses no change")
{
    struct ims_thread threads[N_WRITERS] = { { .is_running = false } };
    struct writer writers[N_WRITERS] = { 0 };
    struct library l;
    int64_t seq = 0, n = 0, last = 0;
    size_t n_rounds = 0;

    memset(&mirror, 0, sizeof(mirror));
    CHECK(library_open(&l));
    for (int i = 0; i < N_WRITERS; i++) {
        writers[i].l = &l;
        writers[i].number = i;
        CHECK_OK(ims__thread_start(&threads[i], "writer", write_batches, &writers[i], &l.err),
                 l.err);
    }
    while (counts_of(&l).done < N_WRITERS * N_BATCHES * BATCH && n_rounds++ < 100000) {
        CHECK(follow(&l, &seq));
        for (int i = 0; i < N_WRITERS; i++) {
            if (atomic_load(&writers[i].has_failed))
                n_rounds = 100000;
        }
    }
    for (int i = 0; i < N_WRITERS; i++) {
        ims__thread_join(&threads[i]);
        CHECK_OK(writers[i].st, writers[i].err);
    }
    CHECK(follow(&l, &seq));
    CHECK_OK(ims_store_vector_count(l.store, l.model_id, &n, &last, &l.err), l.err);
    CHECK_INT(mirror.n, n);
    CHECK_INT(seq, last);
    CHECK_INT(counts_of(&l).done, N_WRITERS * N_BATCHES * BATCH);
    CHECK_INT(counts_of(&l).contents, n);
    library_close(&l);
}

TEST(drop_model, "a model can be forgotten with all it made, and the other model keeps its own")
{
    struct ims_store_item item;
    struct library l;
    int64_t other = 0, n = 0, dropped = 0;
    float vector[DIM];

    CHECK(library_open(&l));
    CHECK(commit_one(&l, "/photos/a.jpg", 1) && commit_one(&l, "/photos/b.jpg", 2));
    CHECK_OK(ims_store_add_model(l.store, "other", "d2", "clip", DIM, &other, &l.err), l.err);
    item = make_item(&l, "/photos/a.jpg", 1, true);
    make_vector(5, vector);
    item.vector = vector;
    CHECK_OK(ims_store_commit(l.store, IMS_TASK_CLIP, other, &item, 1, &l.err), l.err);

    CHECK_OK(ims_store_drop_model(l.store, l.model_id, &dropped, &l.err), l.err);
    CHECK_INT(dropped, 2);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM embeddings"), 1);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM work"), 1);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM assets"), 2);
    CHECK_OK(ims_store_vector_count(l.store, other, &n, NULL, &l.err), l.err);
    CHECK_INT(n, 1);
    CHECK_STATUS(ims_store_drop_model(l.store, l.model_id, &dropped, &l.err), IMS_E_NOT_FOUND, l.err);

    /* there again: another number, so nothing old is taken for its own */
    CHECK_OK(ims_store_add_model(l.store, "again", "d3", "clip", DIM, &n, &l.err), l.err);
    CHECK(n > other);
    library_close(&l);
}
