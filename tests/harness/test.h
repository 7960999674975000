/* The test harness: a test is a sentence and a body; a program prints TAP.
 *
 *     TEST(rejects_empty, "an empty name is refused")
 *     {
 *         CHECK(ims__thing("") == IMS_E_INVALID);
 *     }
 *     TEST_MAIN
 *
 * A failed CHECK prints file, line and values, marks the test failed and returns from the function it
 * stands in (so CHECK belongs in functions returning void; use CHECK_SOFT elsewhere).
 * Programs take: no argument = all tests; -l = list; a word = only tests whose sentence contains it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HARNESS_TEST_H
#define IMS_TESTS_HARNESS_TEST_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_case {
    const char *sentence;
    void (*fn)(void);
    struct test_case *next;
};

void test_register(struct test_case *t);
void test_fail(const char *file, int line, const char *fmt, ...) IMS_PRINTF(3, 4);
void test_skip(const char *fmt, ...) IMS_PRINTF(1, 2);
bool test_has_failed(void); /* did the running test fail so far */
int test_main(int argc, char **argv);
void test_note(const char *fmt, ...) IMS_PRINTF(1, 2); /* "# ..." in the output */

bool test_check_int(const char *file, int line, const char *what, long long got, long long want);
bool test_check_str(const char *file, int line, const char *what, const char *got, const char *want);
bool test_check_mem(const char *file, int line, const char *what, const void *got, const void *want,
                    size_t n);
bool test_check_near(const char *file, int line, const char *what, double got, double want,
                     double tolerance);
bool test_check_ok(const char *file, int line, const char *what, ims_status st, const ims_err *err);
bool test_check_status(const char *file, int line, const char *what, ims_status got, ims_status want,
                       const ims_err *err);

/* A new empty folder below $TMPDIR, removed when the program ends. Valid until then. */
const char *test_tmp_dir(void);
/* Path of a file of the source tree, e.g. test_source_path("demo/truth.json"). 4 buffers in turn. */
const char *test_source_path(const char *relative);
const char *test_build_path(const char *relative);
/* Whole file into malloc'ed memory (free()), NUL-terminated; fails the program when it is not there. */
char *test_read_file(const char *path, size_t *out_len);
/* For a loop that looks until another thread or process has done its part:
 *
 *     for (struct test_wait w = { 0 }; test_waits(&w);) { if (it is so) return true; }
 *
 * The first look is at once, the next ones after pauses that grow to 50 ms. false: minutes have passed, so it hangs;
 * no test is about how long something takes on a busy machine. */
#define TEST_PATIENCE_MS 240000
struct test_wait {
    uint64_t until_ms;
    unsigned n;
};
bool test_waits(struct test_wait *w);
/* A reproducible random stream (splitmix64). */
uint64_t test_random(uint64_t *state);

#define TEST(name, sentence_text)                                                                 \
    static void test_##name(void);                                                                \
    static struct test_case case_##name = { sentence_text, test_##name, NULL };                   \
    __attribute__((constructor)) static void register_##name(void)                                \
    {                                                                                             \
        test_register(&case_##name);                                                              \
    }                                                                                             \
    static void test_##name(void)

#define TEST_MAIN                                                                                 \
    int main(int argc, char **argv)                                                               \
    {                                                                                             \
        return test_main(argc, argv);                                                             \
    }

#define CHECK(cond)                                                                               \
    do {                                                                                          \
        if (!(cond)) {                                                                            \
            test_fail(__FILE__, __LINE__, "not true: %s", #cond);                                 \
            return;                                                                               \
        }                                                                                         \
    } while (0)
#define CHECK_SOFT(cond)                                                                          \
    do {                                                                                          \
        if (!(cond))                                                                              \
            test_fail(__FILE__, __LINE__, "not true: %s", #cond);                                 \
    } while (0)
#define CHECK_BY(call)                                                                            \
    do {                                                                                          \
        if (!(call))                                                                              \
            return;                                                                               \
    } while (0)
#define CHECK_INT(got, want)                                                                      \
    CHECK_BY(test_check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(want)))
#define CHECK_STR(got, want) CHECK_BY(test_check_str(__FILE__, __LINE__, #got, got, want))
#define CHECK_MEM(got, want, n) CHECK_BY(test_check_mem(__FILE__, __LINE__, #got, got, want, n))
#define CHECK_NEAR(got, want, tol) CHECK_BY(test_check_near(__FILE__, __LINE__, #got, got, want, tol))
/* call must be an expression of type ims_status; err the ims_err it filled */
#define CHECK_OK(call, err) CHECK_BY(test_check_ok(__FILE__, __LINE__, #call, call, &(err)))
#define CHECK_STATUS(call, want, err)                                                             \
    CHECK_BY(test_check_status(__FILE__, __LINE__, #call, call, want, &(err)))
#define SKIP(...)                                                                                 \
    do {                                                                                          \
        test_skip(__VA_ARGS__);                                                                   \
        return;                                                                                   \
    } while (0)

#endif
