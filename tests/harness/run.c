/* Runs a program for a test.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/run.h"

#include "harness/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2
#endif

#define MAX_ARGS 64
#define POLL_NS 2000000

static void add_env(char **env, size_t *n, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 2;

    env[*n] = malloc(size);
    snprintf(env[*n], size, "%s=%s", name, value);
    env[++*n] = NULL;
}

static char **make_env(const struct run_options *o, const char *dir)
{
    static const char *const kept[] = { "PATH",         "TMPDIR",       "ASAN_OPTIONS",   "UBSAN_OPTIONS",  "LSAN_OPTIONS",
                                        "TSAN_OPTIONS", "ORT_DYLIB_PATH", "LD_LIBRARY_PATH", "XDG_CACHE_HOME" };
    char **env = calloc(64, sizeof(*env)), cache[1100];
    const char *home = getenv("HOME");
    size_t n = 0;

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (getenv(kept[i]))
            add_env(env, &n, kept[i], getenv(kept[i]));
    }
    if (!getenv("XDG_CACHE_HOME") && home) {
        snprintf(cache, sizeof(cache), "%s/.cache", home);
        add_env(env, &n, "XDG_CACHE_HOME", cache);
    }
    add_env(env, &n, "HOME", dir);
    for (size_t i = 0; o->env && o->env[i]; i++) {
        env[n] = strdup(o->env[i]);
        env[++n] = NULL;
    }
    return env;
}

static void run_child(const struct run_options *o, const char *const *argv, char **env, const char *dir, int out,
                      int err)
{
    int null = open("/dev/null", O_RDONLY);

    dup2(null, 0);
    dup2(out, 1);
    dup2(err, 2);
    if (chdir(dir) != 0)
        _exit(127);
#if defined(__linux__)
    if (o->no_override) {
        prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0);
        prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0);
    }
#endif
    execve(argv[0], (char *const *)(uintptr_t)argv, env);
    fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static unsigned ms_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned)((now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000);
}

static int wait_for(pid_t pid, const struct run_options *o, const char *name)
{
    unsigned timeout = o->timeout_ms ? o->timeout_ms : TEST_PATIENCE_MS, ms;
    struct timespec start, pause = { .tv_nsec = POLL_NS };
    bool is_interrupted = false;
    int state = 0;

    clock_gettime(CLOCK_MONOTONIC, &start);
    while (waitpid(pid, &state, WNOHANG) == 0) {
        ms = ms_since(&start);
        if (o->kill_after_ms && ms >= o->kill_after_ms)
            kill(pid, SIGKILL);
        if (o->interrupt_when && !is_interrupted && o->interrupt_when(o->arg)) {
            kill(pid, SIGINT);
            is_interrupted = true;
        }
        if (ms >= timeout) {
            test_fail(__FILE__, __LINE__, "%s did not end within %u ms", name, timeout);
            kill(pid, SIGKILL);
        }
        nanosleep(&pause, NULL);
    }
    return state;
}

void run_program(struct run_result *r, const struct run_options *options, const char *const *argv)
{
    static const struct run_options none;
    const struct run_options *o = options ? options : &none;
    const char *files = test_tmp_dir(), *dir = o->dir ? o->dir : files;
    char out_path[640], err_path[640];
    char **env = make_env(o, files);
    int out, err, state;
    pid_t pid;

    snprintf(out_path, sizeof(out_path), "%s/stdout", files);
    snprintf(err_path, sizeof(err_path), "%s/stderr", files);
    out = open(out_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    err = open(err_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        run_child(o, argv, env, dir, out, err);
    close(out);
    close(err);
    state = wait_for(pid, o, argv[0]);
    r->exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    r->signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    r->out = test_read_file(out_path, &r->out_len);
    r->err = test_read_file(err_path, NULL);
    for (size_t i = 0; env[i]; i++)
        free(env[i]);
    free(env);
}

void run_release(struct run_result *r)
{
    free(r->out);
    free(r->err);
    *r = (struct run_result){ 0 };
}

void run_imgsearch(struct run_result *r, const struct run_options *options, const char *data, const char *words)
{
    const char *argv[MAX_ARGS] = { 0 };
    char binary[1024], *copy = strdup(words), *p = copy;
    size_t n = 0;

    snprintf(binary, sizeof(binary), "%s", test_build_path("imgsearch"));
    argv[n++] = binary;
    if (data) {
        argv[n++] = "--data";
        argv[n++] = data;
    }
    while (p && n < MAX_ARGS - 1) {
        argv[n++] = p;
        p = strchr(p, '\n');
        if (p)
            *p++ = '\0';
    }
    run_program(r, options, argv);
    free(copy);
}
