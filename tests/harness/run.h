/* Runs a program for a test: arguments and environment in; exit code, stdout and stderr out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HARNESS_RUN_H
#define IMS_TESTS_HARNESS_RUN_H

#include <stdbool.h>
#include <stddef.h>

struct run_options {
    const char *const *env;   /* "NAME=value" added to a small fixed environment; ended by NULL; may be NULL */
    const char *dir;          /* working folder; NULL = a fresh empty one */
    unsigned timeout_ms;      /* 0 = TEST_PATIENCE_MS; then it is killed and the test fails */
    unsigned kill_after_ms;   /* SIGKILL after that time, when it still runs; 0 = never */
    bool (*interrupt_when)(void *arg); /* SIGINT once it is true; asked again and again */
    void *arg;
    bool no_override;         /* even root must obey file permissions */
};

struct run_result {
    int exit_code; /* -1 when a signal ended it */
    int signal;
    char *out; /* NUL-terminated, never NULL */
    char *err;
    size_t out_len;
};

/* argv[0] is the program. Environment: PATH, HOME, TMPDIR and the sanitizer options of the test, an XDG
 * cache as the test has it, XDG data and configuration in the working folder, what options add. */
void run_program(struct run_result *r, const struct run_options *options, const char *const *argv);
void run_release(struct run_result *r);

/* imgsearch of the build under test with a data directory and words separated by '\n' in one string:
 * run_imgsearch(&r, &o, data, "search\n--json\nred car"). */
void run_imgsearch(struct run_result *r, const struct run_options *options, const char *data, const char *words);

#endif
