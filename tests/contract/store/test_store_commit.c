/* Commits: contents, vectors, work and evidence of a batch, together and once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static ims_status commit(struct library *l, struct ims_store_item *items, size_t n)
{
    return ims_store_commit(l->store, IMS_TASK_CLIP, l->model_id, items, n, &l->err);
}

TEST(whole_photo, "everything known of a photo is stored with it and read back")
{
    struct ims_store_evidence *e = NULL;
    struct ims_store_asset *a = NULL;
    struct ims_store_work *w = NULL;
    struct ims_store_item item;
    float vector[DIM], stored[DIM];
    char sum[IMS_SHA256_HEX];
    uint8_t digest[IMS_SHA256_BYTES];
    struct library l;
    size_t n = 0;

    CHECK(library_open(&l));
    item = make_item(&l, "/photos/\xff\n odd.jpg", 7, true);
    CHECK_OK(commit(&l, &item, 1), l.err);
    CHECK(item.asset_id > 0 && item.content_id > 0);
    CHECK_INT(item.state, IMS_STORE_DONE);
    CHECK(!item.is_moved);

    CHECK_OK(ims_store_asset_by_path(l.store, "/photos/\xff\n odd.jpg", &l.arena, &a, &l.err),
             l.err);
    CHECK_INT(a->id, item.asset_id);
    CHECK_INT(a->content_id, item.content_id);
    CHECK_INT(a->root_id, l.root_id);
    CHECK_INT(a->size_bytes, 100);
    CHECK_INT(a->mtime_us, 1000);
    CHECK(a->indexed_us > 0 && a->created_us > 0 && a->deleted_us == 0 && a->category_id > 0);
    CHECK(a->has_sha256);
    CHECK_MEM(a->sha256, item.sha256, IMS_SHA256_BYTES);
    CHECK_STR(a->media.mime, "image/jpeg");
    CHECK_INT(a->media.width, 640);
    CHECK_INT(a->media.height, 480);
    CHECK_INT(a->media.orientation, 6);
    CHECK_INT(a->media.n_pages, 1);
    CHECK(a->media.has_phash && a->media.phash == 0xf000000000000008u);
    CHECK(a->media.has_taken_at && a->media.taken_at_us == 7000000);
    CHECK(a->media.has_gps);
    CHECK_NEAR(a->media.gps_lat, 52.5, 0);
    CHECK_NEAR(a->media.gps_lng, -13.25, 0);
    CHECK_STR(a->media.camera_model, "Model \xc3\xa4");
    CHECK_STR(a->media.exif_json, "{\"Make\":\"Maker\"}");
    CHECK(a->media.note == NULL);

    make_vector(7, vector);
    CHECK_OK(ims_store_asset_vector(l.store, item.asset_id, l.model_id, stored, DIM, &l.err),
             l.err);
    CHECK_MEM(stored, vector, sizeof(vector));
    CHECK_STATUS(ims_store_asset_vector(l.store, item.asset_id, l.model_id, stored, 8, &l.err),
                 IMS_E_DIMENSION, l.err);
    CHECK_STATUS(ims_store_asset_vector(l.store, 9999, l.model_id, stored, DIM, &l.err),
                 IMS_E_NOT_FOUND, l.err);

    CHECK_OK(ims_store_asset_work(l.store, item.asset_id, &l.arena, &w, &n, &l.err), l.err);
    CHECK_INT(n, 1);
    CHECK_INT(w->state, IMS_STORE_DONE);
    CHECK_INT(w->attempts, 1);
    CHECK(w->reason == NULL && w->failure == IMS_OK);
    CHECK_STR(w->task, IMS_TASK_CLIP);

    CHECK_OK(ims_store_asset_evidence(l.store, item.asset_id, 10, &l.arena, &e, &n, &l.err), l.err);
    CHECK_INT(n, 1);
    CHECK_STR(e->model_name, "tiny");
    CHECK_STR(e->model_digest, "abc");
    CHECK_STR(e->device, "cpu");
    CHECK_STR(e->provider, "CPUExecutionProvider");
    CHECK_STR(e->runtime, "ONNX Runtime 1.30.0");
    CHECK_INT(e->dim, DIM);
    CHECK_NEAR(e->norm, 1.0, 1e-6);
    CHECK_NEAR(e->embedding_ms, 12.5, 0);
    CHECK_NEAR(e->total_ms, 20.25, 0);
    CHECK(e->error == NULL && e->created_us > 0);
    CHECK_STR(e->metadata_json, "{\"image\":{\"width\":640}}");
    CHECK_OK(ims__sha256(vector, sizeof(vector), digest, &l.err), l.err);
    ims__hex(digest, sizeof(digest), sum);
    CHECK_STR(e->checksum, sum);
    library_close(&l);
}

TEST(twice, "committing a batch twice leaves one vector per content and one work row per asset")
{
    struct ims_store_item items[3];
    struct library l;
    int64_t seq = 0, later = 0, n = 0, first_id;

    CHECK(library_open(&l));
    for (int k = 0; k < 3; k++) {
        items[0] = make_item(&l, "/photos/a.jpg", 1, true);
        items[1] = make_item(&l, "/photos/b.jpg", 2, true);
        items[2] = make_item(&l, "/photos/copy of a.jpg", 1, true);
        CHECK_OK(commit(&l, items, 3), l.err);
        if (k == 0) {
            first_id = items[0].asset_id;
            CHECK_OK(ims_store_vector_count(l.store, l.model_id, &n, &seq, &l.err), l.err);
        }
        CHECK_INT(items[0].asset_id, first_id);
        CHECK_INT(items[0].content_id, items[2].content_id);
    }
    CHECK_OK(ims_store_vector_count(l.store, l.model_id, &n, &later, &l.err), l.err);
    CHECK_INT(n, 2);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM work"), 3);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM assets"), 3);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM contents"), 2);
    CHECK_INT(sql_int(&l, "SELECT max(seq) FROM embeddings"),
              sql_int(&l, "SELECT min(seq) FROM embeddings") + 1);
    CHECK_INT(counts_of(&l).done, 3);
    CHECK_INT(counts_of(&l).contents, 2);
    library_close(&l);
}

TEST(epoch, "every commit tells caches of candidates that they are out of date")
{
    struct library l;
    int64_t before = 0, after = 0;

    CHECK(library_open(&l));
    CHECK_OK(ims_store_epoch(l.store, &before, &l.err), l.err);
    CHECK(commit_one(&l, "/photos/a.jpg", 1));
    CHECK_OK(ims_store_epoch(l.store, &after, &l.err), l.err);
    CHECK(after > before);
    library_close(&l);
}

TEST(duplicate, "a file whose content has its vector is done without decode, and both are found")
{
    uint8_t sha[3][IMS_SHA256_BYTES];
    struct ims_store_known known[3];
    struct ims_store_pair *pairs = NULL;
    struct ims_store_asset *a = NULL;
    struct ims_store_item item;
    struct library l;
    int64_t first;
    size_t n = 0;

    CHECK(library_open(&l));
    first = commit_one(&l, "/photos/a.jpg", 1);
    for (uint64_t i = 0; i < 3; i++)
        make_sha256(i, sha[i]);
    CHECK_OK(ims_store_find_contents(l.store, (const uint8_t(*)[IMS_SHA256_BYTES])sha, 3,
                                     l.model_id, known, &l.err),
             l.err);
    CHECK_INT(known[0].content_id, 0);
    CHECK(known[1].content_id > 0 && known[1].has_vector);
    CHECK(!known[2].has_vector);
    CHECK_OK(ims_store_find_contents(l.store, (const uint8_t(*)[IMS_SHA256_BYTES])sha, 3, 12345,
                                     known, &l.err),
             l.err);
    CHECK(known[1].content_id > 0 && !known[1].has_vector);

    item = make_item(&l, "/photos/copy.jpg", 1, false);
    CHECK_OK(commit(&l, &item, 1), l.err);
    CHECK_INT(item.state, IMS_STORE_DONE);
    CHECK_OK(ims_store_candidates(l.store, l.model_id, NULL, &pairs, &n, &l.err), l.err);
    CHECK_INT(n, 2);
    CHECK_INT(pairs[0].content_id, pairs[1].content_id);
    CHECK_INT(pairs[0].asset_id, first);
    CHECK_INT(pairs[1].asset_id, item.asset_id);
    ims__free(pairs);
    CHECK_OK(ims_store_assets(l.store, &item.asset_id, 1, &l.arena, &a, &n, &l.err), l.err);
    CHECK_INT(a->media.width, 640); /* known from the first reading */
    library_close(&l);
}

TEST(no_vector, "nothing is done without a vector: it stays queued")
{
    struct ims_store_item items[2];
    struct library l;

    CHECK(library_open(&l));
    items[0] = make_item(&l, "/photos/a.jpg", 1, false);
    items[1] = make_item(&l, "/photos/b.jpg", 2, true);
    CHECK_OK(commit(&l, items, 2), l.err);
    CHECK_INT(items[0].state, IMS_STORE_QUEUED);
    CHECK_INT(items[1].state, IMS_STORE_DONE);
    CHECK_INT(counts_of(&l).queued, 1);
    CHECK_INT(counts_of(&l).done, 1);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM assets WHERE indexed_us IS NOT NULL"), 1);
    items[0] =
        make_item(&l, "/photos/a.jpg", 2, false); /* of a batch that brings the vector itself */
    items[1] = make_item(&l, "/photos/c.jpg", 3, true);
    CHECK_OK(commit(&l, items, 2), l.err);
    CHECK_INT(items[0].state, IMS_STORE_DONE);
    library_close(&l);
}

TEST(bad_vectors,
     "a vector that is not finite or not of length 1 is a failure by name, and only its own")
{
    static const float values[] = { NAN, INFINITY, 0.0f, 2.0f };
    struct ims_store_item items[5];
    float bad[4][DIM];
    struct ims_store_work *w = NULL;
    struct library l;
    char paths[5][32];
    size_t n = 0;

    CHECK(library_open(&l));
    for (uint64_t i = 0; i < 5; i++) {
        snprintf(paths[i], sizeof(paths[i]), "/photos/%d.jpg", (int)i);
        items[i] = make_item(&l, paths[i], i, true);
        if (i == 4)
            continue;
        for (int k = 0; k < DIM; k++)
            bad[i][k] = values[i];
        items[i].vector = bad[i];
    }
    CHECK_OK(commit(&l, items, 5), l.err);
    for (int i = 0; i < 4; i++)
        CHECK_INT(items[i].state, IMS_STORE_FAILED);
    CHECK_INT(items[4].state, IMS_STORE_DONE);
    CHECK_OK(ims_store_failures(l.store, IMS_TASK_CLIP, l.model_id, "bad_vector", 0, 10, &l.arena,
                                &w, &n, &l.err),
             l.err);
    CHECK_INT(n, 4);
    CHECK_STR(w[3].reason, "bad_vector");
    CHECK(w[3].detail && strstr(w[3].detail, "length 8") != NULL);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM embeddings"), 1);
    library_close(&l);
}

TEST(failures,
     "failures keep their status, reason and detail, can be paged, counted and tried again")
{
    struct ims_store_requeue all = { .task = IMS_TASK_CLIP };
    struct ims_store_item items[4];
    struct ims_store_reason *reasons = NULL;
    struct ims_store_work *w = NULL;
    struct ims_store_evidence *e = NULL;
    struct library l;
    int64_t n_back = -1;
    size_t n = 0;

    CHECK(library_open(&l));
    items[0] = make_item(&l, "/photos/a/0.jpg", 0, false);
    items[1] = make_item(&l, "/photos/a/1.jpg", 1, false);
    items[2] = make_item(&l, "/photos/b/2.jpg", 2, false);
    items[3] = make_item(&l, "/photos/b/3.jpg", 3, true);
    for (int i = 0; i < 3; i++) {
        items[i].failure = i < 2 ? IMS_E_TRUNCATED : IMS_E_PERMISSION;
        items[i].reason = i < 2 ? "truncated" : "unreadable";
        items[i].detail = "it ends after \xff bytes";
    }
    items[2].sha256 = NULL;
    CHECK_OK(commit(&l, items, 4), l.err);
    CHECK_INT(items[2].content_id, 0);
    CHECK_INT(counts_of(&l).failed, 3);
    CHECK_OK(ims_store_failure_reasons(l.store, IMS_TASK_CLIP, l.model_id, &l.arena, &reasons, &n,
                                       &l.err),
             l.err);
    CHECK_INT(n, 2);
    CHECK_STR(reasons[0].reason, "truncated");
    CHECK_INT(reasons[0].n, 2);
    CHECK_OK(ims_store_failures(l.store, IMS_TASK_CLIP, l.model_id, NULL, 0, 2, &l.arena, &w, &n,
                                &l.err),
             l.err);
    CHECK_INT(n, 2);
    CHECK_INT(w[0].failure, IMS_E_TRUNCATED);
    CHECK_STR(w[0].detail, "it ends after \\xFF bytes"); /* display form of what is not UTF-8 */
    CHECK_OK(ims_store_failures(l.store, IMS_TASK_CLIP, l.model_id, NULL, w[1].asset_id, 2,
                                &l.arena, &w, &n, &l.err),
             l.err);
    CHECK_INT(n, 1);
    CHECK_STR(w[0].path, "/photos/b/2.jpg");
    CHECK_OK(ims_store_asset_evidence(l.store, items[0].asset_id, 9, &l.arena, &e, &n, &l.err),
             l.err);
    CHECK_INT(n, 1);
    CHECK(e->checksum == NULL && e->error != NULL);

    all.model_id = l.model_id;
    all.reason = "truncated";
    all.path_prefix = "/photos/b";
    CHECK_OK(ims_store_requeue(l.store, &all, &n_back, &l.err), l.err);
    CHECK_INT(n_back, 0);
    all.path_prefix = "/photos/a";
    CHECK_OK(ims_store_requeue(l.store, &all, &n_back, &l.err), l.err);
    CHECK_INT(n_back, 2);
    CHECK_INT(counts_of(&l).failed, 1);
    all = (struct ims_store_requeue){ .task = IMS_TASK_CLIP,
                                      .model_id = l.model_id,
                                      .include_done = true };
    CHECK_OK(ims_store_requeue(l.store, &all, &n_back, &l.err), l.err);
    CHECK_INT(n_back, 2);
    CHECK_INT(counts_of(&l).queued, 4);
    all.asset_id = items[3].asset_id;
    CHECK_OK(ims_store_requeue(l.store, &all, &n_back, &l.err), l.err);
    CHECK_INT(n_back, 0);
    library_close(&l);
}

TEST(odd_facts, "facts that are not UTF-8 or not finite do not cost the photo")
{
    struct ims_store_media media;
    struct ims_store_item item;
    struct ims_store_asset *a = NULL;
    struct library l;
    size_t n = 0;

    CHECK(library_open(&l));
    item = make_item(&l, "/photos/a.jpg", 1, true);
    media = *item.media;
    media.camera_make = "Ma\xffker";
    media.exif_json = "{\"x\":\"\xfe\"}";
    media.gps_lat = NAN;
    item.media = &media;
    CHECK_OK(commit(&l, &item, 1), l.err);
    CHECK_OK(ims_store_assets(l.store, &item.asset_id, 1, &l.arena, &a, &n, &l.err), l.err);
    CHECK_STR(a->media.camera_make, "Ma\\xFFker");
    CHECK(!a->media.has_gps);
    library_close(&l);
}

TEST(refused, "contradictory items are refused with the whole batch, and the item is named")
{
    static const struct ims_store_evidence_in no_device = { .provider = "x" };
    struct ims_store_item items[2];
    struct library l;

    CHECK(library_open(&l));
    for (int i = 0; i < 6; i++) {
        items[0] = make_item(&l, "/photos/a.jpg", 1, true);
        items[1] = make_item(&l, "/photos/b.jpg", 2, true);
        if (i == 0)
            items[1].path = "b.jpg";
        else if (i == 1)
            items[1].failure = IMS_E_IO; /* without a reason, with a vector */
        else if (i == 2)
            items[1].reason = "why";
        else if (i == 3)
            items[1].sha256 = NULL;
        else if (i == 4)
            items[1].root_id = 999;
        else
            items[1].evidence = &no_device;
        CHECK_STATUS(commit(&l, items, 2), i == 4 ? IMS_E_CONSTRAINT : IMS_E_INVALID, l.err);
        CHECK(strstr(l.err.text, i == 4 ? "/photos/b.jpg" : "item 2 of 2") != NULL);
    }
    CHECK_STATUS(ims_store_commit(l.store, IMS_TASK_CLIP, 999, items, 1, &l.err), IMS_E_NOT_FOUND,
                 l.err);
    CHECK_INT(counts_of(&l).assets, 0);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM contents"), 0);
    CHECK_OK(commit(&l, items, 0), l.err);
    library_close(&l);
}

TEST(changed_content,
     "a file with new content has its new vector, and other models' work on it starts again")
{
    struct ims_store_item item;
    struct ims_store_work *w = NULL;
    struct library l;
    float vector[DIM], stored[DIM];
    int64_t other = 0, id;
    size_t n = 0;

    CHECK(library_open(&l));
    CHECK_OK(ims_store_add_model(l.store, "other", "x", "clip", DIM, &other, &l.err), l.err);
    id = commit_one(&l, "/photos/a.jpg", 1);
    item = make_item(&l, "/photos/a.jpg", 1, true);
    CHECK_OK(ims_store_commit(l.store, IMS_TASK_CLIP, other, &item, 1, &l.err), l.err);
    CHECK_INT(commit_one(&l, "/photos/a.jpg", 2), id);
    CHECK_OK(ims_store_asset_work(l.store, id, &l.arena, &w, &n, &l.err), l.err);
    CHECK_INT(n, 2);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(w[i].state, w[i].model_id == other ? IMS_STORE_QUEUED : IMS_STORE_DONE);
    make_vector(2, vector);
    CHECK_OK(ims_store_asset_vector(l.store, id, l.model_id, stored, DIM, &l.err), l.err);
    CHECK_MEM(stored, vector, sizeof(vector));
    library_close(&l);
}

TEST(unreadable_now, "a file that became unreadable fails by name and keeps what was known of it")
{
    struct ims_store_item item;
    struct ims_store_asset *a = NULL;
    struct library l;
    int64_t id;
    size_t n = 0;

    CHECK(library_open(&l));
    id = commit_one(&l, "/photos/a.jpg", 1);
    item = make_item(&l, "/photos/a.jpg", 1, false);
    item.sha256 = NULL;
    item.failure = IMS_E_PERMISSION;
    item.reason = "unreadable";
    CHECK_OK(commit(&l, &item, 1), l.err);
    CHECK_INT(item.asset_id, id);
    CHECK_OK(ims_store_assets(l.store, &id, 1, &l.arena, &a, &n, &l.err), l.err);
    CHECK(a->content_id > 0);
    CHECK_INT(counts_of(&l).failed, 1);
    library_close(&l);
}

TEST(commit_out_of_memory,
     "memory that runs out during a commit leaves all of the batch or nothing")
{
    struct ims_store_item items[8];
    struct library l;
    char paths[8][32];
    unsigned n = 0;
    ims_status st;

    CHECK(library_open(&l));
    for (int i = 0; i < 8; i++)
        snprintf(paths[i], sizeof(paths[i]), "/photos/%d.jpg", i);
    do {
        for (uint64_t i = 0; i < 8; i++)
            items[i] = make_item(&l, paths[i], i, true);
        ims__mem_fail_at(++n);
        st = commit(&l, items, 8);
        ims__mem_fail_at(0);
        if (st) {
            CHECK_STATUS(st, IMS_E_NOMEM, l.err);
            CHECK_INT(counts_of(&l).assets, 0);
        }
    } while (st && n < 2000);
    CHECK_OK(st, l.err);
    CHECK(n > 5);
    CHECK_INT(counts_of(&l).done, 8);
    library_close(&l);
}
