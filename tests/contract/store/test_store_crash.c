/* Crashes: a killed writer, a lost server connection; whole batches or nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/store/store_fixture.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH 50

/* Commits batches without end, with new contents and some of before; says each one on fd. */
static void write_for_ever(const char *url, int64_t root_id, int64_t model_id, int first, int fd)
{
    struct library l = { .url = url, .root_id = root_id, .model_id = model_id };

    if (ims_store_open(&l.store, url, NULL, &l.err))
        _exit(3);
    for (int b = first;; b++) {
        struct ims_store_item items[BATCH];
        char paths[BATCH][48];

        for (int i = 0; i < BATCH; i++) {
            snprintf(paths[i], sizeof(paths[i]), "/photos/%d/%d.jpg", b, i);
            items[i] = make_item(&l, paths[i], (uint64_t)(b * BATCH + i) % 3000, true);
        }
        if (ims_store_commit(l.store, IMS_TASK_CLIP, model_id, items, BATCH, &l.err) ||
            write(fd, "x", 1) != 1)
            _exit(4);
    }
}

/* What must hold whenever nobody is writing. */
static void check_whole(struct library *l, int64_t *n_done)
{
    struct ims_store_counts c = counts_of(l);

    CHECK_INT(c.assets % BATCH, 0);
    CHECK_INT(c.done, c.assets);
    CHECK_INT(c.vectors, c.contents);
    CHECK_INT(sql_int(l, "SELECT count(*) FROM evidence"), c.assets);
    CHECK_INT(sql_int(l, "SELECT count(*) FROM work WHERE state <> 'done'"), 0);
    CHECK_INT(sql_int(l,
                      "SELECT count(*) FROM assets a WHERE NOT EXISTS (SELECT 1 FROM embeddings e "
                      "WHERE e.content_id = a.content_id)"),
              0);
    CHECK_INT(sql_int(l, "SELECT vector_seq FROM models") >=
                  sql_int(l, "SELECT max(seq) FROM embeddings"),
              1);
    *n_done = c.done;
}

TEST(killed, "a writer killed at any moment leaves whole batches, and the next one goes on")
{
    struct library l;
    uint64_t state = ims__mono_ns();
    int64_t n_done = 0, before;

    CHECK(library_open(&l));
    for (int round = 0; round < 12; round++) {
        uint64_t until, delay = test_random(&state) % 25000000;
        int status = 0, fds[2];
        char byte;
        pid_t pid;

        CHECK_INT(pipe(fds), 0);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            write_for_ever(l.url, l.root_id, l.model_id, round * 1000, fds[1]);
        close(fds[1]);
        CHECK_INT(read(fds[0], &byte, 1), 1); /* it has committed; then a random moment */
        for (until = ims__mono_ns() + delay; ims__mono_ns() < until;)
            ;
        kill(pid, SIGKILL);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status));
        close(fds[0]);
        /* A server may still be at the last words of a client that is gone: behind its turn they are done. */
        CHECK_OK(ims_store_set_setting(l.store, "turn", "ours", &l.err), l.err);
        before = n_done;
        check_whole(&l, &n_done);
        if (test_has_failed())
            return;
        CHECK(n_done > before);
    }
    if (!fixture_is_postgres())
        CHECK_INT(
            sql_int(&l, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
            1);
    library_close(&l);
}

TEST(turns, "writers take turns: one that does not get its turn in time is told IMS_E_DB_BUSY")
{
    struct ims_store_options hasty = { .busy_timeout_ms = 30 };
    struct ims_store *s = NULL;
    struct ims_db *db = NULL;
    struct library l;
    char *value = NULL;

    CHECK(library_open(&l));
    CHECK_OK(ims_store_open(&s, l.url, &hasty, &l.err), l.err);
    CHECK_OK(ims_db_open(&db, l.url, NULL, &l.err), l.err);
    CHECK_OK(ims_db_begin(db, IMS_DB_WRITE, &l.err), l.err);
    CHECK_OK(ims_db_exec(db, "UPDATE counters SET value = value + 1 WHERE name = 'writer'", &l.err),
             l.err);
    CHECK_STATUS(ims_store_set_setting(s, "k", "v", &l.err), IMS_E_DB_BUSY, l.err);
    CHECK_OK(ims_store_get_setting(s, "k", &value, &l.err), l.err); /* readers are not held up */
    CHECK(value == NULL);
    ims_db_rollback(db);
    CHECK_OK(ims_store_set_setting(s, "k", "v", &l.err), l.err);
    ims_db_close(db);
    ims_store_close(s);
    library_close(&l);
}

TEST(connection_lost, "a commit over a connection that was lost is made again on a new one")
{
    struct library l;
    int64_t id;

    if (!fixture_is_postgres())
        SKIP("about servers; runs as contract_store_postgres");
    CHECK(library_open(&l));
    CHECK(commit_one(&l, "/photos/a.jpg", 1));
    for (int i = 0; i < 3; i++) {
        CHECK(sql_exec(&l, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE application_name = 'imgsearch' AND pid <> pg_backend_pid()"));
        if (i == 0) {
            CHECK_OK(ims_store_set_setting(l.store, "k", "v", &l.err), l.err);
            CHECK(commit_one(&l, "/photos/b.jpg", 2));
        } else if (i == 1) {
            CHECK_INT(counts_of(&l).done, 2);
        } else {
            CHECK_OK(ims_store_find_category(l.store, NULL, &id, &l.err), l.err);
        }
    }
    CHECK_INT(counts_of(&l).done, 2);
    library_close(&l);
}
