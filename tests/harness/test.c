/* Runs registered tests and prints TAP.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct test_case *first_case;
static struct test_case *last_case;
static bool has_failed;
static bool is_skipped;
static char skip_reason[256];
static char tmp_dir[512];

void test_register(struct test_case *t)
{
    if (last_case)
        last_case->next = t;
    else
        first_case = t;
    last_case = t;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list args;

    has_failed = true;
    printf("# %s:%d: ", file, line);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

void test_note(const char *fmt, ...)
{
    va_list args;

    printf("# ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

void test_skip(const char *fmt, ...)
{
    va_list args;

    is_skipped = true;
    va_start(args, fmt);
    vsnprintf(skip_reason, sizeof(skip_reason), fmt, args);
    va_end(args);
}

bool test_has_failed(void)
{
    return has_failed;
}

bool test_check_int(const char *file, int line, const char *what, long long got, long long want)
{
    if (got == want)
        return true;
    test_fail(file, line, "%s is %lld, expected %lld", what, got, want);
    return false;
}

bool test_check_str(const char *file, int line, const char *what, const char *got, const char *want)
{
    if (got == want || (got && want && strcmp(got, want) == 0))
        return true;
    test_fail(file, line, "%s is \"%s\", expected \"%s\"", what, got ? got : "(null)",
              want ? want : "(null)");
    return false;
}

bool test_check_mem(const char *file, int line, const char *what, const void *got, const void *want,
                    size_t n)
{
    const unsigned char *a = got, *b = want;

    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            test_fail(file, line, "%s differs at byte %zu of %zu: 0x%02x, expected 0x%02x", what, i,
                      n, a[i], b[i]);
            return false;
        }
    }
    return true;
}

bool test_check_near(const char *file, int line, const char *what, double got, double want,
                     double tolerance)
{
    if (fabs(got - want) <= tolerance) /* false for NaN */
        return true;
    test_fail(file, line, "%s is %.9g, expected %.9g within %.3g", what, got, want, tolerance);
    return false;
}

bool test_check_ok(const char *file, int line, const char *what, ims_status st, const ims_err *err)
{
    if (st == IMS_OK)
        return true;
    test_fail(file, line, "%s failed: %s: %s: %s", what, ims_status_name(st), err->origin, err->text);
    return false;
}

bool test_check_status(const char *file, int line, const char *what, ims_status got, ims_status want,
                       const ims_err *err)
{
    if (got == want)
        return true;
    test_fail(file, line, "%s gave %s, expected %s (%s)", what, ims_status_name(got),
              ims_status_name(want), got ? err->text : "");
    return false;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_tmp_dir(void)
{
    if (tmp_dir[0])
        nftw(tmp_dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_tmp_dir(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* threads of a server under test ask too */
    static unsigned counter;
    static char dirs[64][560];
    char *dir;

    pthread_mutex_lock(&lock);
    dir = dirs[counter % 64];
    if (!tmp_dir[0]) {
        const char *base = getenv("TMPDIR");

        snprintf(tmp_dir, sizeof(tmp_dir), "%s/ims-test-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(tmp_dir)) {
            fprintf(stderr, "mkdtemp %s: %s\n", tmp_dir, strerror(errno));
            exit(99);
        }
        atexit(remove_tmp_dir);
    }
    snprintf(dir, sizeof(dirs[0]), "%s/%u", tmp_dir, counter++);
    if (mkdir(dir, 0700) != 0) {
        fprintf(stderr, "mkdir %s: %s\n", dir, strerror(errno));
        exit(99);
    }
    pthread_mutex_unlock(&lock);
    return dir;
}

static const char *join_env(const char *variable, const char *relative)
{
    static char paths[4][1024];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    const char *root = getenv(variable);

    snprintf(path, sizeof(paths[0]), "%s/%s", root && *root ? root : ".", relative);
    return path;
}

const char *test_source_path(const char *relative)
{
    return join_env("IMS_SOURCE_DIR", relative);
}

const char *test_build_path(const char *relative)
{
    return join_env("IMS_BUILD_DIR", relative);
}

char *test_read_file(const char *path, size_t *out_len)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    size_t len = 0, cap = 0, n;

    if (!f) {
        fprintf(stderr, "cannot open %s: %s\n", path, strerror(errno));
        exit(99);
    }
    do {
        if (cap - len < 65536) {
            char *more = realloc(data, cap = cap ? cap * 2 : 131072);

            if (!more)
                exit(99);
            data = more;
        }
        n = fread(data + len, 1, cap - len - 1, f);
        len += n;
    } while (n > 0);
    fclose(f);
    data[len] = '\0';
    if (out_len)
        *out_len = len;
    return data;
}

bool test_waits(struct test_wait *w)
{
    struct timespec now, pause = { .tv_nsec = 1000000l << (w->n < 6 ? w->n : 6) };
    uint64_t ms;

    if (pause.tv_nsec > 50000000)
        pause.tv_nsec = 50000000;
    if (w->n++)
        nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (!w->until_ms)
        w->until_ms = ms + TEST_PATIENCE_MS;
    return ms < w->until_ms;
}

uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int test_main(int argc, char **argv)
{
    int n = 0, n_failed = 0, number = 0;
    const char *filter = NULL;

    if (argc > 1 && strcmp(argv[1], "-l") == 0) {
        for (struct test_case *t = first_case; t; t = t->next)
            printf("%s\n", t->sentence);
        return 0;
    }
    if (argc > 1)
        filter = argv[1];
    for (struct test_case *t = first_case; t; t = t->next) {
        if (!filter || strstr(t->sentence, filter))
            n++;
    }
    printf("1..%d\n", n);
    fflush(stdout); /* a crash must not take the plan along */
    for (struct test_case *t = first_case; t; t = t->next) {
        if (filter && !strstr(t->sentence, filter))
            continue;
        has_failed = false;
        is_skipped = false;
        t->fn();
        number++;
        if (has_failed)
            n_failed++;
        printf("%s %d - %s", has_failed ? "not ok" : "ok", number, t->sentence);
        if (is_skipped && !has_failed)
            printf(" # SKIP %s", skip_reason);
        printf("\n");
        fflush(stdout);
    }
    return n_failed ? 1 : 0;
}
