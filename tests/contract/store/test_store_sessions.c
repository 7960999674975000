/* Training sessions: every event in every state, races between users and runs, counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include "base/clock.h"
#include "base/thread.h"
#include "store/jobs.h"
#include "store/sessions.h"
#include "store/store_internal.h"

#include <stdio.h>
#include <string.h>

static int64_t add_session(struct library *l)
{
    struct ims_store_session x = { .name = "s", .root_path = "/photos", .config_json = "{}" };
    int64_t id = 0;

    if (ims_store_add_session(l->store, &x, NULL, 0, &id, &l->err))
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
    return id;
}

static struct ims_store_session look(struct library *l, int64_t id)
{
    struct ims_store_session x = { 0 };

    if (ims_store_session(l->store, id, &l->arena, &x, &l->err))
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
    return x;
}

/* What the contract of the interface allows, written down apart from the table in the code. */
static const char *expected(const char *from, const char *event)
{
    static const char *const rows[][3] = {
        { "pending", "start", "discovering" },   { "discovering", "discovered", "running" },
        { "discovering", "cancel", "cancelled" }, { "discovering", "broken", "failed" },
        { "running", "pause", "paused" },        { "running", "cancel", "cancelled" },
        { "running", "done", "completed" },      { "running", "broken", "failed" },
        { "paused", "start", "running" },        { "paused", "cancel", "cancelled" },
        { "paused", "restart", "pending" },      { "failed", "start", "running" },
        { "failed", "restart", "pending" },      { "completed", "restart", "pending" },
        { "cancelled", "restart", "pending" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i][0], from) == 0 && strcmp(rows[i][1], event) == 0)
            return rows[i][2];
    }
    return NULL;
}

TEST(sessions_machine, "each of the 49 pairs of state and event does what the contract says, and nothing else")
{
    struct library l;
    int64_t id;

    if (!library_open(&l))
        return;
    id = add_session(&l);
    for (int from = 0; from < IMS_SESSION_N_STATUSES; from++) {
        for (int event = 0; event < IMS_SESSION_N_EVENTS; event++) {
            const char *name = ims_session_status_name((ims_session_status)from);
            const char *want = expected(name, ims_session_event_name((ims_session_event)event));
            char sql[200];
            ims_status st;

            snprintf(sql, sizeof(sql), "UPDATE training_sessions SET status = '%s', generation = 7", name);
            CHECK(sql_exec(&l, sql));
            st = ims_store_session_event(l.store, id, (ims_session_event)event, 7, "why", NULL, &l.err);
            test_note("%s %s", name, ims_session_event_name((ims_session_event)event));
            CHECK_INT(st == IMS_OK, want != NULL);
            CHECK_STR(ims_session_status_name(look(&l, id).status), want ? want : name);
        }
    }
    CHECK_STATUS(ims_store_session_event(l.store, 99, IMS_SESSION_START, 0, NULL, NULL, &l.err), IMS_E_NOT_FOUND, l.err);
    library_close(&l);
}

TEST(sessions_generation, "D-T4: what a run of before a restart reports changes nothing")
{
    struct library l;
    int64_t id, first, second;

    if (!library_open(&l))
        return;
    id = add_session(&l);
    CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_START, 0, NULL, &first, &l.err), l.err);
    CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_DISCOVERED, first, NULL, NULL, &l.err), l.err);
    CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_PAUSE, 0, NULL, NULL, &l.err), l.err);
    CHECK(look(&l, id).paused_us > 0);
    /* pausing in the last batch: the run's "done" must not overwrite it (it did upstream) */
    CHECK_STATUS(ims_store_session_event(l.store, id, IMS_SESSION_DONE, first, NULL, NULL, &l.err), IMS_E_CANCELLED, l.err);
    CHECK_INT(look(&l, id).status, IMS_SESSION_PAUSED);
    CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_START, 0, NULL, &second, &l.err), l.err);
    CHECK(second > first);
    CHECK(look(&l, id).paused_us == 0 && look(&l, id).started_us > 0);
    CHECK_STATUS(ims_store_session_event(l.store, id, IMS_SESSION_BROKEN, first, "old", NULL, &l.err), IMS_E_CANCELLED, l.err);
    CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_DONE, second, NULL, NULL, &l.err), l.err);
    CHECK(look(&l, id).status == IMS_SESSION_COMPLETED && look(&l, id).completed_us > 0);
    CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_RESTART, 0, "Full restart", NULL, &l.err), l.err);
    CHECK_STR(look(&l, id).reset_reason, "Full restart");
    CHECK(look(&l, id).started_us == 0 && look(&l, id).completed_us == 0);
    library_close(&l);
}

/* ---- races ---- */

struct racer {
    const char *url;
    int64_t id, generation;
    ims_session_event event;
    ims_status st;
};

static void race(void *arg)
{
    struct racer *r = arg;
    struct ims_store *s = NULL;
    ims_err err;

    r->st = ims_store_open(&s, r->url, NULL, &err);
    if (!r->st)
        r->st = ims_store_session_event(s, r->id, r->event, r->generation, NULL, NULL, &err);
    ims_store_close(s);
}

TEST(sessions_race, "of pause, cancel and done at the same moment one wins, and the state is the winner's")
{
    struct library l;

    if (!library_open(&l))
        return;
    for (int round = 0; round < 15; round++) {
        static const ims_session_event events[3] = { IMS_SESSION_PAUSE, IMS_SESSION_CANCEL, IMS_SESSION_DONE };
        struct racer r[3];
        struct ims_thread t[3] = { 0 };
        int64_t id = add_session(&l), generation;
        bool paused, cancelled, done;
        ims_session_status status;

        CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_START, 0, NULL, &generation, &l.err), l.err);
        CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_DISCOVERED, generation, NULL, NULL, &l.err), l.err);
        for (int i = 0; i < 3; i++) {
            r[i] = (struct racer){ l.url, id, generation, events[(i + round) % 3], IMS_OK };
            CHECK_OK(ims__thread_start(&t[i], "racer", race, &r[i], &l.err), l.err);
        }
        for (int i = 0; i < 3; i++)
            ims__thread_join(&t[i]);
        paused = cancelled = done = false;
        for (int i = 0; i < 3; i++) {
            paused = paused || (r[i].event == IMS_SESSION_PAUSE && !r[i].st);
            cancelled = cancelled || (r[i].event == IMS_SESSION_CANCEL && !r[i].st);
            done = done || (r[i].event == IMS_SESSION_DONE && !r[i].st);
        }
        status = look(&l, id).status;
        CHECK(!(done && (paused || cancelled)));
        CHECK(done || cancelled);
        CHECK_INT(status, done ? IMS_SESSION_COMPLETED : IMS_SESSION_CANCELLED);
    }
    library_close(&l);
}

/* ---- rows ---- */

TEST(sessions_rows, "sessions and their subdirectories are entered, listed, changed and deleted")
{
    static const char *const subs[] = { "/photos/a", "/photos/b", "/photos/a" };
    struct ims_store_session x = { .name = "trip", .root_path = "/photos", .config_json = "{}" }, *list;
    struct ims_store_subdirectory *d;
    struct library l;
    size_t n;
    int64_t id, total;

    if (!library_open(&l))
        return;
    CHECK_OK(ims_store_add_session(l.store, &x, subs, 3, &id, &l.err), l.err);
    add_session(&l);
    CHECK_OK(ims_store_subdirectories(l.store, id, &l.arena, &d, &n, &l.err), l.err);
    CHECK_INT(n, 2);
    CHECK(strcmp(d[1].name, "b") == 0 && d[1].is_selected);
    CHECK_OK(ims_store_select_subdirectory(l.store, id, d[1].id, false, &l.err), l.err);
    CHECK_STATUS(ims_store_select_subdirectory(l.store, id + 1, d[1].id, false, &l.err), IMS_E_NOT_FOUND, l.err);
    CHECK_OK(ims_store_subdirectories(l.store, id, &l.arena, &d, &n, &l.err), l.err);
    CHECK(!d[1].is_selected);
    CHECK_OK(ims_store_change_session(l.store, id, "journey", NULL, &l.err), l.err);
    CHECK_STR(look(&l, id).name, "journey");
    CHECK_OK(ims_store_list_sessions(l.store, -1, 0, 1, &l.arena, &list, &n, &total, &l.err), l.err);
    CHECK(n == 1 && total == 2 && list[0].id == id + 1);
    CHECK_OK(ims_store_list_sessions(l.store, IMS_SESSION_FAILED, 0, 9, &l.arena, &list, &n, &total, &l.err), l.err);
    CHECK(n == 0 && total == 0);
    CHECK_OK(ims_store_delete_session(l.store, id, &l.err), l.err);
    CHECK_STATUS(ims_store_delete_session(l.store, id, &l.err), IMS_E_NOT_FOUND, l.err);
    CHECK_INT(sql_int(&l, "SELECT COUNT(*) FROM training_subdirectories"), 0);
    x.category_id = 77;
    CHECK_STATUS(ims_store_add_session(l.store, &x, NULL, 0, &id, &l.err), IMS_E_NOT_FOUND, l.err);
    library_close(&l);
}

static int64_t session_over(struct library *l, const char *root, const char *const *subs, size_t n)
{
    struct ims_store_session x = { .name = "s", .root_path = root, .config_json = "{}" };
    int64_t id = 0;

    if (ims_store_add_session(l->store, &x, subs, n, &id, &l->err))
        test_fail(__FILE__, __LINE__, "%s", l->err.text);
    return id;
}

static int64_t asset_at(struct library *l, const char *path)
{
    struct ims_store_asset *a;

    return ims_store_asset_by_path(l->store, path, &l->arena, &a, &l->err) ? 0 : a->id;
}

TEST(sessions_counts, "D-T15: a session counts each picture below its folders once, and takes only equal contents for duplicates")
{
    static const char *const nested[] = { "/photos/a", "/photos/a/b", "/photos" }, *const one[] = { "/photos/a" };
    struct ims_store_session_item_filter which = { .task = IMS_TASK_CLIP };
    struct ims_store_session_counts c;
    struct ims_store_session_item *items;
    struct ims_store_task task = { .name = IMS_TASK_CLIP };
    struct ims_store_folder_training t;
    struct ims_store_todo *todo;
    struct library l;
    int64_t all, some, root, us, total;
    size_t n;

    if (!library_open(&l))
        return;
    which.model_id = task.model_id = l.model_id;
    CHECK(commit_one(&l, "/photos/a/1.jpg", 1) && commit_one(&l, "/photos/a/b/2.jpg", 2) && commit_one(&l, "/photos/ab/3.jpg", 3));
    CHECK(commit_one(&l, "/photos/a/4.jpg", 1));
    all = session_over(&l, "/photos", nested, 3);
    some = session_over(&l, "/photos", one, 1);
    root = session_over(&l, "/", NULL, 0);
    CHECK_OK(ims_store_count_session(l.store, all, IMS_TASK_CLIP, l.model_id, &c, &l.err), l.err);
    CHECK(c.assets == 4 && c.done == 4 && c.failed == 0 && c.unique == 3 && c.skipped == 1);
    CHECK_OK(ims_store_count_session(l.store, root, IMS_TASK_CLIP, l.model_id, &c, &l.err), l.err);
    CHECK(c.assets == 4 && c.done == 4);
    CHECK_OK(ims_store_count_session(l.store, 0, IMS_TASK_CLIP, l.model_id, &c, &l.err), l.err);
    CHECK(c.assets == 4 && c.skipped == 1);
    CHECK_OK(ims_store_count_session(l.store, some, IMS_TASK_CLIP, l.model_id, &c, &l.err), l.err);
    CHECK(c.assets == 3 && c.done == 3 && c.unique == 2);
    CHECK_OK(ims_store_count_session(l.store, some, IMS_TASK_CLIP, l.model_id + 1, &c, &l.err), l.err);
    CHECK(c.assets == 3 && c.done == 0 && c.skipped == 0);
    /* kept when it is complete, until it starts again */
    CHECK_OK(ims_store_count_session(l.store, some, IMS_TASK_CLIP, l.model_id, &c, &l.err), l.err);
    CHECK(!look(&l, some).has_counts);
    CHECK_OK(ims_store_keep_session_counts(l.store, some, &c, &l.err), l.err);
    CHECK(look(&l, some).has_counts && look(&l, some).counts.unique == 2 && look(&l, some).counts.skipped == 1);
    CHECK_OK(ims_store_session_event(l.store, some, IMS_SESSION_START, 0, NULL, NULL, &l.err), l.err);
    CHECK(!look(&l, some).has_counts);
    /* as rows: the later copy is the duplicate, of the one that is in the session too */
    which.which = IMS_ITEMS_SKIPPED;
    CHECK_OK(ims_store_session_items(l.store, some, &which, 0, 9, &l.arena, &items, &n, &total, &l.err), l.err);
    CHECK(n == 1 && total == 1 && items[0].duplicate_of == asset_at(&l, "/photos/a/1.jpg"));
    CHECK_STR(items[0].path, "/photos/a/4.jpg");
    which.which = IMS_ITEMS_DONE;
    CHECK_OK(ims_store_session_items(l.store, some, &which, 1, 1, &l.arena, &items, &n, &total, &l.err), l.err);
    CHECK(n == 1 && total == 2 && items[0].asset_id == asset_at(&l, "/photos/a/1.jpg"));
    which.which = IMS_ITEMS_ALL;
    CHECK_OK(ims_store_session_items(l.store, some, &which, 1, 1, &l.arena, &items, &n, &total, &l.err), l.err);
    CHECK(n == 1 && total == 3 && items[0].asset_id == asset_at(&l, "/photos/a/b/2.jpg"));
    CHECK_OK(ims_store_session_items(l.store, some, &which, 0, 9, &l.arena, &items, &n, &total, &l.err), l.err);
    CHECK(n == 3 && total == 3 && items[0].duplicate_of == items[2].asset_id && items[1].duplicate_of == 0);
    CHECK_OK(ims_store_session_items(l.store, some, &which, 3, 9, &l.arena, &items, &n, &total, &l.err), l.err);
    CHECK(n == 0 && total == 3);
    CHECK_OK(ims_store_folder_training(l.store, "/photos/a", IMS_TASK_CLIP, l.model_id, &t, &l.err), l.err);
    CHECK(t.done == 3 && t.last_us > 0);
    /* what is ignored is in no session, and back when it is not */
    CHECK_OK(ims_store_ignore(l.store, "/photos/a/b", "why", &us, &l.err), l.err);
    CHECK_STATUS(ims_store_ignore(l.store, "/photos/a/b", NULL, &us, &l.err), IMS_E_EXISTS, l.err);
    CHECK_STATUS(ims_store_ignore(l.store, "relative", NULL, &us, &l.err), IMS_E_INVALID, l.err);
    CHECK_OK(ims_store_count_session(l.store, some, IMS_TASK_CLIP, l.model_id, &c, &l.err), l.err);
    CHECK_INT(c.assets, 2);
    CHECK(sql_exec(&l, "UPDATE work SET state = 'queued'"));
    CHECK_OK(ims_store_queued(l.store, &task, 1, 0, 9, &l.arena, &todo, &n, &l.err), l.err);
    CHECK_INT(n, 3); /* of the four, without the one that is ignored */
    CHECK_OK(ims_store_unignore(l.store, "/photos/a/b", &us, &l.err), l.err);
    CHECK_STATUS(ims_store_unignore(l.store, "/photos/a/b", &us, &l.err), IMS_E_NOT_FOUND, l.err);
    CHECK_OK(ims_store_count_session(l.store, some, IMS_TASK_CLIP, l.model_id, &c, &l.err), l.err);
    CHECK_INT(c.assets, 3);
    library_close(&l);
}

TEST(sessions_counted, "a count that took long is good for twenty times as long, for handles beside each other; a fast one is not kept")
{
    static const int64_t values[IMS__COUNTED_VALUES] = { 7, 6, 5 };
    const int64_t key[3] = { IMS__COUNTED_PICTURES, 1, 2 }, elsewhere[3] = { IMS__COUNTED_FACES, 1, 2 };
    int64_t got[IMS__COUNTED_VALUES] = { 0 };
    uint64_t now;
    struct ims_store *beside, *s;
    struct library l;

    if (!library_open(&l))
        return;
    s = l.store;
    CHECK_OK(ims_store_open(&beside, l.url, &(struct ims_store_options){ .beside = s }, &l.err), l.err);
    CHECK(!ims__counted_get(s, key, got));
    now = ims__mono_ns();
    ims__counted_put(s, key, values, now); /* it took no time */
    CHECK(!ims__counted_get(s, key, got));
    ims__counted_put(beside, key, values, now - 60000000000u);
    CHECK(ims__counted_get(s, key, got) && got[0] == 7 && got[2] == 5);
    CHECK(!ims__counted_get(s, elsewhere, got));
    s->counts->rows[0].at_ns = now - 21 * s->counts->rows[0].cost_ns;
    CHECK(!ims__counted_get(beside, key, got));
    for (int64_t i = 0; i < 20; i++) /* more sessions than there is room for: the newest are kept */
        ims__counted_put(s, (const int64_t[3]){ IMS__COUNTED_PICTURES, 100 + i, 2 }, values, ims__mono_ns() - 60000000000u);
    CHECK(ims__counted_get(beside, (const int64_t[3]){ IMS__COUNTED_PICTURES, 119, 2 }, got));
    CHECK(!ims__counted_get(beside, (const int64_t[3]){ IMS__COUNTED_PICTURES, 100, 2 }, got));
    ims_store_close(beside);
    library_close(&l);
}

TEST(sessions_at_work, "a folder is in training while a session at work is on it, above or below it")
{
    static const char *const one[] = { "/photos/a" };
    static const struct {
        const char *folder;
        bool is_at_work;
    } rows[] = { { "/photos/a", true }, { "/photos/a/b", true }, { "/photos", true }, { "/photos/ab", false }, { "/other", false } };
    struct library l;
    bool is_at_work;
    int64_t id;

    if (!library_open(&l))
        return;
    id = session_over(&l, "/photos", one, 1);
    CHECK_OK(ims_store_is_in_training(l.store, "/photos/a", &is_at_work, &l.err), l.err);
    CHECK(!is_at_work);
    CHECK_OK(ims_store_session_event(l.store, id, IMS_SESSION_START, 0, NULL, NULL, &l.err), l.err);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_OK(ims_store_is_in_training(l.store, rows[i].folder, &is_at_work, &l.err), l.err);
        CHECK_INT(is_at_work, rows[i].is_at_work);
    }
    library_close(&l);
}

TEST(sessions_settled, "a session whose job is gone fails; one whose job waits goes on")
{
    struct ims_store_job job = { .queue = "default", .func = "train", .key = "session:2:1" };
    struct library l;
    int64_t gone, waits, n, unused;

    if (!library_open(&l))
        return;
    gone = add_session(&l);
    waits = add_session(&l);
    CHECK_OK(ims_store_session_event(l.store, gone, IMS_SESSION_START, 0, NULL, NULL, &l.err), l.err);
    CHECK_OK(ims_store_session_event(l.store, waits, IMS_SESSION_START, 0, NULL, NULL, &l.err), l.err);
    CHECK_OK(ims_store_push_job(l.store, &job, &unused, &l.err), l.err);
    CHECK_OK(ims_store_settle_sessions(l.store, &n, &l.err), l.err);
    CHECK_INT(n, 1);
    CHECK_INT(look(&l, gone).status, IMS_SESSION_FAILED);
    CHECK(look(&l, gone).error != NULL && look(&l, gone).completed_us > 0);
    CHECK_INT(look(&l, waits).status, IMS_SESSION_DISCOVERING);
    library_close(&l);
}
