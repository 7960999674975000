/* Fresh databases for tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "contract/db/db_fixture.h"

#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_URLS 256

static const char *server_url(void)
{
    const char *url = getenv("IMS_TEST_POSTGRES_URL");

    return url && *url ? url : NULL;
}

bool fixture_is_postgres(void)
{
    return server_url() != NULL;
}

static void make_schema(const char *name)
{
    struct ims_db *db = NULL;
    ims_err err = { 0 };
    char sql[128];
    ims_status st;

    snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", name);
    st = ims_db_open(&db, server_url(), NULL, &err);
    if (!st)
        st = ims_db_exec(db, sql, &err);
    ims_db_close(db);
    if (st) {
        fprintf(stderr, "%s: %s\n", ims_status_name(st), err.text);
        exit(99);
    }
}

const char *fixture_url(void)
{
    static char urls[MAX_URLS][640];
    static unsigned n;
    char *url, name[64];

    if (n >= MAX_URLS) {
        fprintf(stderr, "more than %d databases in one test program\n", MAX_URLS);
        exit(99);
    }
    url = urls[n++];
    if (!fixture_is_postgres()) {
        snprintf(url, sizeof(urls[0]), "%s/test.db", test_tmp_dir());
        return url;
    }
    snprintf(name, sizeof(name), "t%ld_%u", (long)getpid(), n);
    make_schema(name);
    snprintf(url, sizeof(urls[0]), "%s%coptions=-csearch_path%%3D%s", server_url(),
             strchr(server_url(), '?') ? '&' : '?', name);
    return url;
}

int fixture_fork(int (*fn)(void *arg), void *arg)
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(fn(arg)); /* _exit: the parent's handles and folders are not the child's */
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 99;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
