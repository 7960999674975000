/* A new library for each test.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define N_SLOTS 1024

bool library_open(struct library *l)
{
    *l = (struct library){ .url = fixture_url() };
    ims__arena_init(&l->arena, 0);
    return test_check_ok(__FILE__, __LINE__, "open",
                         ims_store_open(&l->store, l->url, NULL, &l->err), &l->err) &&
           test_check_ok(__FILE__, __LINE__, "root",
                         ims_store_add_root(l->store, "/photos", &l->root_id, &l->err), &l->err) &&
           test_check_ok(
               __FILE__, __LINE__, "model",
               ims_store_add_model(l->store, "tiny", "abc", "clip", DIM, &l->model_id, &l->err),
               &l->err);
}

void library_close(struct library *l)
{
    ims_store_close(l->store);
    ims__arena_release(&l->arena);
}

void make_vector(uint64_t seed, float out[DIM])
{
    uint64_t state = seed * 977 + 5;
    double sum = 0;

    for (int i = 0; i < DIM; i++) {
        out[i] = (float)((double)(test_random(&state) >> 11) / 9007199254740992.0 - 0.5);
        sum += (double)out[i] * (double)out[i];
    }
    for (int i = 0; i < DIM; i++)
        out[i] = (float)((double)out[i] / sqrt(sum));
}

void make_sha256(uint64_t seed, uint8_t out[IMS_SHA256_BYTES])
{
    uint64_t state = seed * 31 + 1;

    for (int i = 0; i < IMS_SHA256_BYTES; i++)
        out[i] = (uint8_t)test_random(&state);
}

struct ims_store_item make_item(const struct library *l, const char *path, uint64_t seed,
                                bool with_vector)
{
    static struct {
        float vector[DIM];
        uint8_t sha256[IMS_SHA256_BYTES];
        struct ims_store_media media;
    } slots[N_SLOTS];
    static const struct ims_store_evidence_in evidence = {
        .device = "cpu",
        .provider = "CPUExecutionProvider",
        .runtime = "ONNX Runtime 1.30.0",
        .embedding_ms = 12.5,
        .total_ms = 20.25,
        .metadata_json = "{\"image\":{\"width\":640}}",
    };
    static unsigned turn;
    unsigned k = turn++ % N_SLOTS;

    make_vector(seed, slots[k].vector);
    make_sha256(seed, slots[k].sha256);
    slots[k].media = (struct ims_store_media){
        .mime = "image/jpeg",
        .width = 640,
        .height = 480,
        .orientation = 6,
        .n_pages = 1,
        .has_phash = true,
        .phash = 0xf000000000000001u + seed,
        .has_taken_at = true,
        .taken_at_us = (int64_t)seed * 1000000,
        .has_gps = true,
        .gps_lat = 52.5,
        .gps_lng = -13.25,
        .camera_make = "Maker",
        .camera_model = "Model \xc3\xa4",
        .exif_json = "{\"Make\":\"Maker\"}",
    };
    return (struct ims_store_item){
        .path = path,
        .root_id = l->root_id,
        .size_bytes = 100,
        .mtime_us = 1000,
        .sha256 = slots[k].sha256,
        .media = with_vector ? &slots[k].media : NULL,
        .vector = with_vector ? slots[k].vector : NULL,
        .evidence = &evidence,
    };
}

int64_t commit_one(struct library *l, const char *path, uint64_t seed)
{
    struct ims_store_item item = make_item(l, path, seed, true);

    return test_check_ok(__FILE__, __LINE__, "commit",
                         ims_store_commit(l->store, IMS_TASK_CLIP, l->model_id, &item, 1, &l->err),
                         &l->err)
               ? item.asset_id
               : 0;
}

bool scan_paths(struct library *l, const char *const *paths, size_t n, struct ims_store_file *files,
                struct ims_store_scan *out_scan)
{
    const struct ims_store_task task = { IMS_TASK_CLIP, l->model_id };
    struct ims_store_file own[64];
    struct ims_store_scan scan;

    if (!files)
        files = own;
    for (size_t i = 0; i < n; i++)
        files[i] = (struct ims_store_file){ .path = paths[i], .size_bytes = 100, .mtime_us = 1000 };
    if (!test_check_ok(__FILE__, __LINE__, "begin",
                       ims_store_scan_begin(l->store, l->root_id, &task, 1, 0, &scan, &l->err),
                       &l->err) ||
        !test_check_ok(__FILE__, __LINE__, "files",
                       ims_store_scan_files(l->store, &scan, files, n, &l->err), &l->err))
        return false;
    if (out_scan)
        *out_scan = scan;
    return true;
}

bool scan_all(struct library *l, const char *const *paths, size_t n,
              struct ims_store_scan_result *out)
{
    struct ims_store_scan scan;

    return scan_paths(l, paths, n, NULL, &scan) &&
           test_check_ok(__FILE__, __LINE__, "end",
                         ims_store_scan_end(l->store, &scan, NULL, NULL, 0, out, &l->err), &l->err);
}

struct ims_store_counts counts_of(struct library *l)
{
    struct ims_store_counts c = { 0 };

    if (ims_store_count(l->store, IMS_TASK_CLIP, l->model_id, &c, &l->err))
        test_fail(__FILE__, __LINE__, "counting: %s", l->err.text);
    if (c.assets != c.done + c.failed + c.queued)
        test_fail(__FILE__, __LINE__, "%lld assets, but %lld done, %lld failed, %lld queued",
                  (long long)c.assets, (long long)c.done, (long long)c.failed, (long long)c.queued);
    return c;
}

int64_t sql_int(struct library *l, const char *sql)
{
    struct ims_db *db = NULL;
    int64_t n = -1;
    ims_status st = ims_db_open(&db, l->url, NULL, &l->err);

    if (!st)
        st = ims_db_get_int(db, sql, IMS_DB_NO_ARGS, &n, NULL, &l->err);
    ims_db_close(db);
    if (st)
        test_fail(__FILE__, __LINE__, "%s: %s", sql, l->err.text);
    return n;
}

bool sql_exec(struct library *l, const char *sql)
{
    struct ims_db *db = NULL;
    ims_status st = ims_db_open(&db, l->url, NULL, &l->err);

    if (!st)
        st = ims_db_exec(db, sql, &l->err);
    ims_db_close(db);
    if (st)
        test_fail(__FILE__, __LINE__, "%s: %s", sql, l->err.text);
    return !st;
}
