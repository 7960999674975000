/* The walk of folders.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SEEN 600

struct seen {
    char root[700];
    size_t n, n_odd, n_failed;
    char files[MAX_SEEN][300]; /* below root */
    char odd[8][300];
    char failed[8][300];
    char why[200]; /* of the last failed folder */
    size_t stop_after;
    ims_status fail_with;
    const char *vanish; /* a folder that is removed at the first file */
};

static struct seen seen;

static void keep(char *out, const char *path)
{
    snprintf(out, 300, "%s", ims__starts_with(path, seen.root) ? path + strlen(seen.root) + 1 : path);
}

static ims_status on_file(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    struct seen *s = arg;

    if (s->fail_with)
        return ims_fail(err, s->fail_with, "test", 0, "as asked");
    if (s->vanish && s->n == 0)
        rmdir(s->vanish);
    if (s->n < MAX_SEEN)
        keep(s->files[s->n], path);
    s->n++;
    CHECK_SOFT(size_bytes == 1 && mtime_us > 0);
    return IMS_OK;
}

static void on_odd(void *arg, const char *path, const char *what)
{
    struct seen *s = arg;

    CHECK_SOFT(what[0]);
    if (s->n_odd < 8)
        keep(s->odd[s->n_odd], path);
    s->n_odd++;
}

static ims_status on_failed_dir(void *arg, const char *path, const ims_err *why, ims_err *err)
{
    struct seen *s = arg;

    (void)err;
    if (s->n_failed < 8)
        keep(s->failed[s->n_failed], path);
    s->n_failed++;
    snprintf(s->why, sizeof(s->why), "%s", why->text);
    return IMS_OK;
}

static bool is_stopped(void *arg)
{
    struct seen *s = arg;

    return s->stop_after && s->n >= s->stop_after;
}

static void start(void)
{
    seen = (struct seen){ 0 };
    snprintf(seen.root, sizeof(seen.root), "%s", test_tmp_dir());
}

static const char *below(const char *name)
{
    static char path[1200];

    snprintf(path, sizeof(path), "%s/%s", seen.root, name);
    return path;
}

static void put(const char *name)
{
    ims_err err;

    CHECK_OK(ims__write_derived(below(name), "x", 1, &err), err);
}

static ims_status walk(struct ims_walk_counts *counts, ims_err *err)
{
    struct ims_walk_sink sink = {
        .arg = &seen, .on_file = on_file, .on_odd = on_odd, .on_failed_dir = on_failed_dir, .is_stopped = is_stopped
    };

    *counts = (struct ims_walk_counts){ 0 };
    return ims__walk(seen.root, &sink, counts, err);
}

TEST(names, "a picture is told by its suffix, in any case; macOS's companions are none")
{
    static const char *const yes[] = { "a.jpg", "a.JPEG", "a.b.heic", " .png", "a.TIF", "a.avif", ".a.webp" };
    static const char *const no[] = { "a", ".jpg", "a.jpg.txt", "jpg", "a.", "._a.jpg", "a.mp4", "a.jpg~" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(yes); i++)
        CHECK(ims__walk_is_picture_name(yes[i]));
    for (size_t i = 0; i < IMS_ARRAY_LEN(no); i++)
        CHECK(!ims__walk_is_picture_name(no[i]));
}

TEST(passed_over, "hidden folders, stores of NAS systems, links and other files are passed over and counted")
{
    static const char *const want[] = { "B.jpg", "a/deep/er/2.png", "a/x.jpg", "b.JPG" };
    struct ims_walk_counts counts;
    ims_err err;

    start();
    put("b.JPG");
    put("B.jpg");
    put("a/x.jpg");
    put("a/deep/er/2.png");
    put("a/notes.txt");
    put("._b.JPG");
    put(".hidden/h.jpg");
    put("a/@eaDir/thumb.jpg");
    put("#recycle/r.jpg");
    CHECK_INT(symlink("a", below("link")), 0);
    CHECK_INT(symlink("b.JPG", below("link.jpg")), 0);
    CHECK_INT(symlink(".", below("a/loop")), 0);
    CHECK_INT(mkfifo(below("fifo.jpg"), 0600), 0);
    CHECK_INT(mkfifo(below("fifo"), 0600), 0);
    CHECK_INT(mkdir(below("folder.jpg"), 0755), 0);
    CHECK_OK(walk(&counts, &err), err);
    CHECK_INT(seen.n, IMS_ARRAY_LEN(want));
    for (size_t i = 0; i < IMS_ARRAY_LEN(want); i++)
        CHECK_STR(seen.files[i], want[i]);
    CHECK_INT(counts.files, 4);
    CHECK_INT(counts.links, 3);
    CHECK_INT(counts.others, 3); /* notes.txt, ._b.JPG, fifo */
    CHECK_INT(counts.failed_dirs, 0);
    CHECK_INT(seen.n_odd, 1);
    CHECK_STR(seen.odd[0], "fifo.jpg");
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

TEST(order, "a random tree is handed over whole, each file once, in the order of names")
{
    static char want[500][300];
    struct ims_walk_counts counts;
    uint64_t state = 3;
    ims_err err;

    start();
    for (size_t i = 0; i < IMS_ARRAY_LEN(want); i++) {
        int len = snprintf(want[i], sizeof(want[0]), "%c", (int)('a' + test_random(&state) % 20));

        for (uint64_t depth = test_random(&state) % 5; depth > 0; depth--)
            len += snprintf(want[i] + len, sizeof(want[0]) - (size_t)len, "/%c", (int)('A' + test_random(&state) % 3));
        snprintf(want[i] + len, sizeof(want[0]) - (size_t)len, "/%zu.jpg", i);
        put(want[i]);
    }
    CHECK_OK(walk(&counts, &err), err);
    CHECK_INT(seen.n, IMS_ARRAY_LEN(want));
    for (size_t i = 1; i < seen.n; i++) { /* names are compared folder by folder */
        const char *a = seen.files[i - 1], *b = seen.files[i];

        while (*a == *b) {
            a++;
            b++;
        }
        CHECK(strchr(a, '/') == NULL || *a != '/');
        CHECK((unsigned char)*a < (unsigned char)*b || *b == '/');
    }
    qsort(seen.files, seen.n, sizeof(seen.files[0]), compare);
    qsort(want, IMS_ARRAY_LEN(want), sizeof(want[0]), compare);
    for (size_t i = 0; i < seen.n; i++)
        CHECK_STR(seen.files[i], want[i]);
}

TEST(depth, "folders nested too deep are a named failure, not an endless walk")
{
    char path[1000] = "";
    struct ims_walk_counts counts;
    ims_err err;

    start();
    for (int i = 0; i < IMS_MAX_WALK_DEPTH + 3; i++) {
        strncat(path, "d/", sizeof(path) - strlen(path) - 1);
        if (i >= IMS_MAX_WALK_DEPTH - 3) {
            char name[1100];

            snprintf(name, sizeof(name), "%sp.jpg", path);
            put(name);
        }
    }
    CHECK_OK(walk(&counts, &err), err);
    CHECK_INT(seen.n, 2);
    CHECK_INT(counts.failed_dirs, 1);
    CHECK(strstr(seen.why, "more than 64 deep"));
}

TEST(long_path, "a path that is too long is a named failure")
{
    char name[256];
    struct ims_walk_counts counts;
    char before[1000];
    ims_err err;

    start();
    CHECK(getcwd(before, sizeof(before)) && chdir(seen.root) == 0);
    memset(name, 'n', 250);
    name[250] = '\0';
    for (int i = 0; i < 16; i++)
        CHECK(mkdir(name, 0755) == 0 && chdir(name) == 0);
    snprintf(name + 200, 40, ".jpg");
    fclose(fopen(name, "w"));
    CHECK_INT(chdir(before), 0);
    CHECK_OK(walk(&counts, &err), err);
    CHECK_INT(seen.n, 0);
    CHECK_INT(seen.n_odd + seen.n_failed, 1);
}

TEST(stop, "a walk that is stopped, or whose taker fails, ends there")
{
    struct ims_walk_counts counts;
    ims_err err;

    start();
    for (int i = 0; i < 10; i++) {
        char name[20];

        snprintf(name, sizeof(name), "%d.jpg", i);
        put(name);
    }
    seen.stop_after = 3;
    CHECK_STATUS(walk(&counts, &err), IMS_E_CANCELLED, err);
    CHECK_INT(seen.n, 3);
    seen.fail_with = IMS_E_NO_SPACE;
    seen.stop_after = 0;
    CHECK_STATUS(walk(&counts, &err), IMS_E_NO_SPACE, err);
    CHECK_STR(err.text, "as asked");
}

TEST(vanishing, "a folder that vanishes during the walk is gone, and the rest goes on")
{
    static char gone[1200];
    struct ims_walk_counts counts;
    ims_err err;

    start();
    put("a/1.jpg");
    CHECK_INT(mkdir(below("b"), 0755), 0);
    put("c/2.jpg");
    snprintf(gone, sizeof(gone), "%s", below("b"));
    seen.vanish = gone;
    CHECK_OK(walk(&counts, &err), err);
    CHECK_INT(seen.n, 2);
    CHECK_INT(counts.files, 2);
    CHECK_INT(counts.failed_dirs, 0); /* nothing about it is unknown */
}

TEST(root_gone, "a walk whose own folder is gone fails with its name")
{
    struct ims_walk_counts counts;
    ims_err err;

    start();
    strncat(seen.root, "/none", sizeof(seen.root) - strlen(seen.root) - 1);
    CHECK_STATUS(walk(&counts, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "/none: "));
}

/* Runs the rest of a test as a user who must obey permissions. */
static int as_nobody(void (*fn)(void))
{
    pid_t pid = fork();
    int status = 1;

    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(2);
        if (access(seen.root, X_OK) != 0)
            _exit(77);
        fn();
        _exit(test_has_failed() ? 1 : 0);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void walk_closed(void)
{
    struct ims_walk_counts counts;
    ims_err err;

    CHECK_OK(walk(&counts, &err), err);
    CHECK_INT(seen.n, 1);
    CHECK_INT(counts.failed_dirs, 2);
    CHECK_INT(seen.n_odd, 0);
    CHECK_STR(seen.failed[0], "no_enter");
    CHECK_STR(seen.failed[1], "no_read");
}

TEST(closed, "a folder that may not be read, or not be entered, has failed: its files are unknown, not gone")
{
    int code;

    start();
    put("a.jpg");
    put("no_read/b.jpg");
    put("no_enter/c.jpg");
    put("no_enter/deeper/d.jpg");
    CHECK_INT(chmod(seen.root, 0755), 0);
    CHECK_INT(chmod(below(".."), 0755), 0); /* the harness's own folder: nobody must get through */
    CHECK_INT(chmod(below("no_read"), 0111), 0);
    CHECK_INT(chmod(below("no_enter"), 0444), 0);
    code = as_nobody(walk_closed);
    CHECK_INT(chmod(below("no_read"), 0755), 0);
    CHECK_INT(chmod(below("no_enter"), 0755), 0);
    if (code == 77)
        SKIP("TMPDIR is closed to the user nobody");
    CHECK_INT(code, 0);
}

TEST_MAIN
