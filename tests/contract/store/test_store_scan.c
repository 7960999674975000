/* Scans: new, changed, unchanged, gone, back, moved.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include <string.h>

static const char *const abc[] = { "/photos/a.jpg", "/photos/b.jpg", "/photos/sub/c.jpg" };

TEST(verdicts,
     "a scan tells new, queued, done, failed and changed files apart without reading them")
{
    struct ims_store_file files[3], again;
    struct ims_store_scan scan;
    struct ims_store_item item;
    struct library l;

    CHECK(library_open(&l));
    CHECK(scan_paths(&l, abc, 3, files, NULL));
    for (int i = 0; i < 3; i++) {
        CHECK_INT(files[i].verdict, IMS_STORE_FILE_NEW);
        CHECK(files[i].asset_id > 0);
        CHECK_INT(files[i].content_id, 0);
    }
    CHECK_INT(counts_of(&l).queued, 3);
    CHECK_INT(commit_one(&l, abc[0], 1), files[0].asset_id);
    item = make_item(&l, abc[1], 2, false);
    item.failure = IMS_E_TRUNCATED;
    item.reason = "truncated";
    CHECK_OK(ims_store_commit(l.store, IMS_TASK_CLIP, l.model_id, &item, 1, &l.err), l.err);

    CHECK(scan_paths(&l, abc, 3, files, &scan));
    CHECK_INT(files[0].verdict, IMS_STORE_FILE_DONE);
    CHECK(files[0].content_id > 0);
    CHECK_INT(files[1].verdict, IMS_STORE_FILE_FAILED);
    CHECK_INT(files[2].verdict, IMS_STORE_FILE_QUEUED);

    again = (struct ims_store_file){ .path = abc[0], .size_bytes = 100, .mtime_us = 2000 };
    CHECK_OK(ims_store_scan_files(l.store, &scan, &again, 1, &l.err), l.err);
    CHECK_INT(again.verdict, IMS_STORE_FILE_CHANGED);
    CHECK_INT(again.asset_id, files[0].asset_id);
    again = (struct ims_store_file){ .path = abc[1], .size_bytes = 101, .mtime_us = 1000 };
    CHECK_OK(ims_store_scan_files(l.store, &scan, &again, 1, &l.err), l.err);
    CHECK_INT(again.verdict, IMS_STORE_FILE_CHANGED);
    CHECK_INT(counts_of(&l).queued, 3);
    CHECK_INT(counts_of(&l).failed, 0);
    library_close(&l);
}

TEST(no_model, "a scan for an unknown root or model, a relative path and a long task are refused")
{
    struct ims_store_file file = { .path = "a.jpg" };
    struct ims_store_task tasks[IMS_STORE_MAX_TASKS + 1] = { { IMS_TASK_CLIP, 77 } };
    struct ims_store_scan scan;
    struct library l;

    CHECK(library_open(&l));
    CHECK_STATUS(ims_store_scan_begin(l.store, l.root_id, tasks, 1, 0, &scan, &l.err),
                 IMS_E_NOT_FOUND, l.err);
    tasks[0].model_id = l.model_id;
    CHECK_STATUS(ims_store_scan_begin(l.store, 77, tasks, 1, 0, &scan, &l.err), IMS_E_NOT_FOUND,
                 l.err);
    CHECK_STATUS(ims_store_scan_begin(l.store, l.root_id, tasks, 0, 0, &scan, &l.err),
                 IMS_E_INVALID, l.err);
    CHECK_STATUS(
        ims_store_scan_begin(l.store, l.root_id, tasks, IMS_STORE_MAX_TASKS + 1, 0, &scan, &l.err),
        IMS_E_INVALID, l.err);
    tasks[1] = (struct ims_store_task){ "a task of a long name", l.model_id };
    CHECK_STATUS(ims_store_scan_begin(l.store, l.root_id, tasks, 2, 0, &scan, &l.err),
                 IMS_E_INVALID, l.err);
    CHECK_OK(ims_store_scan_begin(l.store, l.root_id, tasks, 1, 0, &scan, &l.err), l.err);
    CHECK_STATUS(ims_store_scan_files(l.store, &scan, &file, 1, &l.err), IMS_E_INVALID, l.err);
    CHECK_OK(ims_store_scan_files(l.store, &scan, &file, 0, &l.err), l.err);
    library_close(&l);
}

TEST(twice_in_one, "a path that is handed in twice in one go is one asset")
{
    const char *const twice[] = { "/photos/a.jpg", "/photos/a.jpg" };
    struct ims_store_file files[2];
    struct library l;

    CHECK(library_open(&l));
    CHECK(scan_paths(&l, twice, 2, files, NULL));
    CHECK_INT(files[0].asset_id, files[1].asset_id);
    CHECK_INT(counts_of(&l).assets, 1);
    library_close(&l);
}

TEST(gone, "files not seen are marked deleted, leave the search, and come back with their work "
           "when seen again")
{
    struct ims_store_scan_result r = { 0 };
    struct ims_store_file files[3];
    struct ims_store_pair *pairs = NULL;
    struct library l;
    int64_t epoch = 0, later = 0;
    size_t n = 0;

    CHECK(library_open(&l));
    CHECK(scan_all(&l, abc, 3, &r));
    CHECK_INT(r.n_deleted, 0);
    for (uint64_t i = 0; i < 3; i++)
        CHECK(commit_one(&l, abc[i], i));
    CHECK_OK(ims_store_epoch(l.store, &epoch, &l.err), l.err);
    CHECK(scan_all(&l, abc, 3, &r));
    CHECK_OK(ims_store_epoch(l.store, &later, &l.err), l.err);
    CHECK_INT(later, epoch); /* a scan that finds nothing new leaves caches alone */

    CHECK(scan_all(&l, abc + 1, 2, &r));
    CHECK_INT(r.n_deleted, 1);
    CHECK_INT(r.n_moved, 0);
    CHECK_OK(ims_store_epoch(l.store, &later, &l.err), l.err);
    CHECK(later > epoch);
    CHECK_INT(counts_of(&l).assets, 2);
    CHECK_INT(counts_of(&l).deleted, 1);
    CHECK_OK(ims_store_candidates(l.store, l.model_id, NULL, &pairs, &n, &l.err), l.err);
    CHECK_INT(n, 2);
    ims__free(pairs);

    epoch = later;
    CHECK(scan_paths(&l, abc, 3, files, NULL));
    CHECK(files[0].is_back && !files[1].is_back);
    CHECK_INT(files[0].verdict, IMS_STORE_FILE_DONE);
    CHECK_OK(ims_store_epoch(l.store, &later, &l.err), l.err);
    CHECK(later > epoch);
    CHECK_INT(counts_of(&l).done, 3);
    library_close(&l);
}

TEST(failed_folder, "what lies below a folder that could not be read is not taken for deleted")
{
    const char *const failed[] = { "/photos/sub" };
    const char *const all[] = { "/photos/a.jpg", "/photos/sub/c.jpg", "/photos/sub.jpg",
                                "/photos/subway/d.jpg" };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_scan scan;
    struct library l;

    CHECK(library_open(&l));
    CHECK(scan_all(&l, all, 4, &r));
    CHECK(scan_paths(&l, all, 1, NULL, &scan));
    CHECK_OK(ims_store_scan_end(l.store, &scan, NULL, failed, 1, &r, &l.err), l.err);
    CHECK_INT(r.n_deleted, 2); /* sub.jpg and subway/d.jpg */
    CHECK_INT(counts_of(&l).assets, 2);
    library_close(&l);
}

TEST(part_of_root,
     "a walk over one folder of a root says nothing about the rest of it or about other roots")
{
    const char *const all[] = { "/photos/a.jpg", "/photos/sub/c.jpg", "/photos/subway/d.jpg",
                                "/other/e.jpg" };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_scan scan;
    struct library l;

    CHECK(library_open(&l));
    CHECK(scan_all(&l, all, 4, &r));
    CHECK(scan_paths(&l, NULL, 0, NULL, &scan));
    CHECK_OK(ims_store_scan_end(l.store, &scan, "/photos/sub/", NULL, 0, &r, &l.err), l.err);
    CHECK_INT(r.n_deleted, 1);
    CHECK(scan_paths(&l, NULL, 0, NULL, &scan));
    CHECK_OK(ims_store_scan_end(l.store, &scan, NULL, NULL, 0, &r, &l.err), l.err);
    CHECK_INT(r.n_deleted, 2);
    CHECK_INT(counts_of(&l).assets, 1);
    library_close(&l);
}

/* --- moves --- */

static int64_t id_of(struct library *l, const char *path)
{
    struct ims_store_asset *a = NULL;

    if (ims_store_asset_by_path(l->store, path, &l->arena, &a, &l->err))
        return 0;
    return a->deleted_us ? -a->id : a->id;
}

TEST(move_before_end, "a moved file whose content is committed before the scan ends keeps its id")
{
    const char *const before[] = { "/photos/a.jpg", "/photos/b.jpg" };
    const char *const after[] = { "/photos/b.jpg", "/photos/new/a.jpg" };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_evidence *e = NULL;
    struct ims_store_work *w = NULL;
    struct ims_store_scan scan;
    struct library l;
    int64_t id;
    size_t n = 0;

    CHECK(library_open(&l));
    CHECK(scan_all(&l, before, 2, &r));
    id = commit_one(&l, before[0], 1);
    CHECK(commit_one(&l, before[1], 2));

    CHECK(scan_paths(&l, after, 2, NULL, &scan));
    CHECK(commit_one(&l, after[1], 1) != id); /* the old path might still be there */
    CHECK_OK(ims_store_scan_end(l.store, &scan, NULL, NULL, 0, &r, &l.err), l.err);
    CHECK_INT(r.n_moved, 1);
    CHECK_INT(r.n_deleted, 0);
    CHECK_INT(id_of(&l, after[1]), id);
    CHECK_INT(id_of(&l, before[0]), 0);
    CHECK_INT(counts_of(&l).assets, 2);
    CHECK_INT(counts_of(&l).done, 2);
    CHECK_INT(counts_of(&l).deleted, 0);
    CHECK_OK(ims_store_asset_work(l.store, id, &l.arena, &w, &n, &l.err), l.err);
    CHECK_INT(n, 1);
    CHECK_INT(w[0].state, IMS_STORE_DONE);
    CHECK_OK(ims_store_asset_evidence(l.store, id, 10, &l.arena, &e, &n, &l.err), l.err);
    CHECK_INT(n, 2); /* of both readings */
    library_close(&l);
}

TEST(move_after_end, "a moved file whose content is committed after the scan ended keeps its id")
{
    const char *const before[] = { "/photos/a.jpg" };
    const char *const after[] = { "/photos/new/a.jpg" };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_item item;
    struct library l;
    int64_t id, cats = 0;

    CHECK(library_open(&l));
    CHECK(scan_all(&l, before, 1, &r));
    id = commit_one(&l, before[0], 1);
    CHECK_OK(ims_store_add_category(l.store, "Cats", NULL, NULL, &cats, &l.err), l.err);
    CHECK_OK(ims_store_set_category(l.store, &id, 1, cats, &l.err), l.err);
    CHECK(scan_all(&l, after, 1, &r));
    CHECK_INT(r.n_deleted, 1);
    item = make_item(&l, after[0], 1, false);
    CHECK_OK(ims_store_commit(l.store, IMS_TASK_CLIP, l.model_id, &item, 1, &l.err), l.err);
    CHECK(item.is_moved);
    CHECK_INT(item.asset_id, id);
    CHECK_INT(item.state, IMS_STORE_DONE);
    CHECK_INT(id_of(&l, after[0]), id);
    CHECK_INT(sql_int(&l, "SELECT count(*) FROM assets"), 1);
    CHECK_INT(sql_int(&l, "SELECT category_id FROM assets"),
              cats); /* what belongs to the photo went with it */
    CHECK_INT(counts_of(&l).done, 1);
    library_close(&l);
}

TEST(no_move, "a copy made while the original was there is no move, nor is a file of other content")
{
    const char *const both[] = { "/photos/a.jpg", "/photos/copy.jpg" };
    const char *const other[] = { "/photos/copy.jpg", "/photos/z.jpg" };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_scan scan;
    struct library l;
    int64_t original, copy;

    CHECK(library_open(&l));
    CHECK(scan_all(&l, both, 2, &r));
    original = commit_one(&l, both[0], 1);
    copy = commit_one(&l, both[1], 1);
    CHECK(copy != original);
    CHECK(scan_paths(&l, other, 2, NULL, &scan));
    CHECK(commit_one(&l, other[1], 9));
    CHECK_OK(ims_store_scan_end(l.store, &scan, NULL, NULL, 0, &r, &l.err), l.err);
    CHECK_INT(r.n_moved, 0);
    CHECK_INT(r.n_deleted, 1);
    CHECK_INT(id_of(&l, both[0]), -original);
    CHECK_INT(id_of(&l, both[1]), copy);
    library_close(&l);
}

TEST(late_copy,
     "a copy met in the same scan as the original is none of its moves when committed later")
{
    const char *const both[] = { "/photos/a.jpg", "/photos/copy.jpg" };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_item item;
    struct library l;
    int64_t original;

    CHECK(library_open(&l));
    CHECK(scan_all(&l, both, 2, &r));
    original = commit_one(&l, both[0], 1);
    CHECK(scan_all(&l, both + 1, 1, &r));
    CHECK_INT(r.n_deleted, 1);
    item = make_item(&l, both[1], 1, false);
    CHECK_OK(ims_store_commit(l.store, IMS_TASK_CLIP, l.model_id, &item, 1, &l.err), l.err);
    CHECK(!item.is_moved && item.asset_id != original);
    CHECK_INT(id_of(&l, both[0]), -original);
    library_close(&l);
}

TEST(moved_copies,
     "of two deleted copies and one new file one has moved; two new files take one each")
{
    const char *const before[] = { "/photos/1.jpg", "/photos/2.jpg" };
    const char *const one[] = { "/photos/x.jpg" };
    const char *const two[] = { "/photos/y.jpg", "/photos/z.jpg" };
    struct ims_store_scan_result r = { 0 };
    struct ims_store_item items[2];
    struct ims_store_scan scan;
    struct library l;
    int64_t ids[2];

    CHECK(library_open(&l));
    CHECK(scan_all(&l, before, 2, &r));
    ids[0] = commit_one(&l, before[0], 1);
    ids[1] = commit_one(&l, before[1], 1);
    CHECK(scan_paths(&l, one, 1, NULL, &scan));
    CHECK(commit_one(&l, one[0], 1));
    CHECK_OK(ims_store_scan_end(l.store, &scan, NULL, NULL, 0, &r, &l.err), l.err);
    CHECK_INT(r.n_moved, 1);
    CHECK_INT(r.n_deleted, 1);
    CHECK_INT(id_of(&l, one[0]), ids[0]);

    CHECK(scan_all(&l, two, 2, &r)); /* now both old ones are gone */
    CHECK_INT(r.n_deleted, 1);
    items[0] = make_item(&l, two[0], 1, false);
    items[1] = make_item(&l, two[1], 1, false);
    CHECK_OK(ims_store_commit(l.store, IMS_TASK_CLIP, l.model_id, items, 2, &l.err), l.err);
    CHECK(items[0].is_moved); /* both asked for the one deleted last: the first has it */
    CHECK(!items[1].is_moved);
    CHECK(items[0].asset_id != items[1].asset_id);
    CHECK_INT(counts_of(&l).done, 2);
    library_close(&l);
}

/* --- queues --- */

TEST(resume, "what is queued can be gone through in pages, without deleted files")
{
    struct ims_store_scan_result r = { 0 };
    struct ims_store_todo *todo = NULL;
    struct ims_store_task task;
    struct library l;
    size_t n = 0;

    CHECK(library_open(&l));
    CHECK(scan_all(&l, abc, 3, &r));
    task = (struct ims_store_task){ IMS_TASK_CLIP, l.model_id };
    CHECK_OK(ims_store_queued(l.store, &task, 1, 0, 2, &l.arena, &todo, &n, &l.err), l.err);
    CHECK_INT(n, 2);
    CHECK_INT(todo[0].due, 1);
    CHECK_STR(todo[0].path, abc[0]);
    CHECK_INT(todo[0].size_bytes, 100);
    CHECK_INT(todo[0].root_id, l.root_id);
    CHECK_OK(ims_store_queued(l.store, &task, 1, todo[1].asset_id, 2, &l.arena, &todo, &n, &l.err),
             l.err);
    CHECK_INT(n, 1);
    CHECK_STR(todo[0].path, abc[2]);
    CHECK(scan_all(&l, abc + 2, 1, &r));
    CHECK_OK(ims_store_queued(l.store, &task, 1, 0, 9, &l.arena, &todo, &n, &l.err), l.err);
    CHECK_INT(n, 1);
    library_close(&l);
}

/* What a scan of `abc` for the first n tasks says of each file. */
static bool scan_tasks(struct library *l, const struct ims_store_task *tasks, size_t n,
                       struct ims_store_file files[3])
{
    struct ims_store_scan scan;

    for (int i = 0; i < 3; i++)
        files[i] = (struct ims_store_file){ .path = abc[i], .size_bytes = 100, .mtime_us = 1000 };
    return test_check_ok(
               __FILE__, __LINE__, "begin",
               ims_store_scan_begin(l->store, l->root_id, tasks, n, 0, &scan, &l->err), &l->err) &&
           test_check_ok(__FILE__, __LINE__, "files",
                         ims_store_scan_files(l->store, &scan, files, 3, &l->err), &l->err);
}

TEST(two_tasks, "a file is due for each task that has not dealt with it, whatever others have done")
{
    struct ims_store_task tasks[2] = { { IMS_TASK_CLIP, 0 }, { "other", 0 } };
    struct ims_store_todo *todo = NULL;
    struct ims_store_file files[3];
    struct library l;
    size_t n = 0;

    CHECK(library_open(&l));
    tasks[0].model_id = l.model_id;
    CHECK_OK(ims_store_add_model(l.store, "second", "d", "face", DIM, &tasks[1].model_id, &l.err),
             l.err);
    CHECK(commit_one(&l, abc[0], 1));
    CHECK(commit_one(&l, abc[1], 2));
    CHECK(scan_tasks(&l, tasks, 1, files));
    CHECK_INT(files[0].verdict, IMS_STORE_FILE_DONE);
    CHECK_INT(files[2].verdict, IMS_STORE_FILE_NEW);

    CHECK(scan_tasks(&l, tasks, 2, files));
    for (int i = 0; i < 3; i++)
        CHECK_INT(files[i].verdict, IMS_STORE_FILE_QUEUED);
    CHECK_OK(ims_store_queued(l.store, tasks, 2, 0, 9, &l.arena, &todo, &n, &l.err), l.err);
    CHECK_INT(n, 3);
    CHECK_INT(todo[0].due, 2);
    CHECK_INT(todo[1].due, 2);
    CHECK_INT(todo[2].due, 3);
    CHECK(todo[0].content_id > 0);
    CHECK_INT(todo[2].content_id, 0);
    /* a page holds the first files of all tasks together, each of them once */
    CHECK_OK(ims_store_queued(l.store, tasks, 2, 0, 2, &l.arena, &todo, &n, &l.err), l.err);
    CHECK_INT(n, 2);
    CHECK_OK(ims_store_queued(l.store, tasks, 2, todo[1].asset_id, 2, &l.arena, &todo, &n, &l.err),
             l.err);
    CHECK_INT(n, 1);
    CHECK_INT(todo[0].due, 3);

    CHECK(sql_exec(&l, "UPDATE work SET state = 'done' WHERE task = 'other'"));
    CHECK(sql_exec(&l, "UPDATE work SET state = 'failed', failure = -1, reason = 'x' "
                       "WHERE task = 'clip' AND state = 'done'"));
    CHECK(scan_tasks(&l, tasks, 2, files));
    CHECK_INT(files[0].verdict, IMS_STORE_FILE_FAILED);
    CHECK_INT(files[2].verdict, IMS_STORE_FILE_QUEUED);
    CHECK(scan_tasks(&l, tasks + 1, 1, files));
    CHECK_INT(files[0].verdict, IMS_STORE_FILE_DONE);
    library_close(&l);
}
