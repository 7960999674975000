/* Starting and stopping the server of a test.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

/* A test that fails or is killed leaves no server behind. */
static void die_with_parent(void)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

static void run_server(const struct serving *s, int out, const char *const *env)
{
    int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char data[700];

    die_with_parent();
    dup2(out, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (size_t i = 0; s->library.env[i]; i++)
        putenv((char *)(uintptr_t)s->library.env[i]);
    for (; env && *env; env++)
        putenv((char *)(uintptr_t)*env);
    setenv("IMS_CHECK_REPLIES", "1", 1);
    setenv("XDG_DATA_HOME", s->library.data, 1); /* the runtime stays where the cache has it */
    setenv("XDG_CONFIG_HOME", s->library.data, 1);
    snprintf(data, sizeof(data), "%s", s->library.data);
    execl(test_build_path("imgsearch"), "imgsearch", "--data", data, "serve", "--port", "0",
          getenv("TEST_NO_WORKER") ? "--no-worker" : (char *)NULL, (char *)NULL);
    _exit(127);
}

/* Bytes that come within the time; 0 at the end. */
static size_t read_some(int fd, char *out, size_t size, unsigned timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t n = poll(&p, 1, (int)timeout_ms) > 0 ? read(fd, out, size - 1) : 0;

    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

bool serving_spawn(struct serving *s, const char *const *env)
{
    int pipes[2];

    if (pipe(pipes))
        return false;
    s->pid = fork();
    if (s->pid == 0) {
        close(pipes[0]);
        run_server(s, pipes[1], env);
    }
    close(pipes[1]);
    s->out = pipes[0];
    return s->pid > 0;
}

bool serving_await(struct serving *s)
{
    char line[300];
    size_t n = 0;
    const char *colon;

    while (n < sizeof(line) - 1) { /* "imgsearch serves http://127.0.0.1:PORT" */
        size_t got = read_some(s->out, line + n, sizeof(line) - n, TEST_PATIENCE_MS);

        n += got;
        if (!got || strchr(line, '\n'))
            break;
    }
    line[n] = '\0';
    colon = strrchr(line, ':');
    s->port = colon ? (uint16_t)atoi(colon + 1) : 0;
    if (!s->port)
        test_fail(__FILE__, __LINE__, "the server does not start: %s%s", line, test_read_file(s->log, NULL));
    return s->port != 0;
}

bool serving_start(struct serving *s, const char *const *env)
{
    return serving_spawn(s, env) && serving_await(s);
}

bool serving_open(struct serving *s, size_t n_pictures, const char *const *env)
{
    memset(s, 0, sizeof(*s));
    library_init(&s->library);
    snprintf(s->log, sizeof(s->log), "%s.log", s->library.data);
    for (size_t i = 0; i < n_pictures; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%02zu.jpg", i);
        library_copy(&s->library, library_demo_jpeg(i), name);
    }
    if (library_index(&s->library, "processed") != (long long)n_pictures)
        test_fail(__FILE__, __LINE__, "the pictures were not all indexed");
    return serving_start(s, env);
}

pid_t serving_beside(struct serving *s, const char *words)
{
    char *argv[16] = { (char *)(uintptr_t)"imgsearch", (char *)(uintptr_t)"--data", s->library.data }, *copy, *save = NULL;
    size_t n = 3;
    pid_t pid = fork();

    if (pid)
        return pid;
    die_with_parent();
    copy = strdup(words);
    for (char *word = strtok_r(copy, "\n", &save); word && n < 15; word = strtok_r(NULL, "\n", &save))
        argv[n++] = word;
    for (size_t i = 0; s->library.env[i]; i++)
        putenv((char *)(uintptr_t)s->library.env[i]);
    if (!freopen(s->log, "a", stderr) || !freopen("/dev/null", "w", stdout))
        _exit(126);
    execv(test_build_path("imgsearch"), argv);
    _exit(127);
}

void serving_end(pid_t pid)
{
    int status = 0;

    kill(pid, SIGTERM);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        test_fail(__FILE__, __LINE__, "the process beside the server ended with %d", status);
}

void serving_stop(struct serving *s, int sig)
{
    int status = 0;

    kill(s->pid, sig);
    if (waitpid(s->pid, &status, 0) != s->pid)
        test_fail(__FILE__, __LINE__, "the server is gone already");
    else if (sig != SIGKILL && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        test_fail(__FILE__, __LINE__, "the server ended with %d: %s", status, test_read_file(s->log, NULL));
    close(s->out);
}

void serving_ask(const struct serving *s, const struct serving_request *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct http_reply r;

        http_json(&r, s->port, rows[i].method, rows[i].path, rows[i].body);
        if (r.status != rows[i].status || (rows[i].has && !strstr(r.body, rows[i].has)))
            test_fail(__FILE__, __LINE__, "%s %s %s: %d %.900s; expected %d with %s", rows[i].method, rows[i].path,
                      rows[i].body ? rows[i].body : "", r.status, r.body, rows[i].status, rows[i].has ? rows[i].has : "");
        http_reply_release(&r);
    }
}

ims_json *serving_json(const struct serving *s, const char *method, const char *path, const char *body, int status)
{
    struct http_reply r;
    ims_json *out = NULL;

    http_json(&r, s->port, method, path, body);
    if (r.status != status || ims__json_parse(&out, r.body, r.n_body, path, NULL))
        test_fail(__FILE__, __LINE__, "%s %s %s: %d %.900s; expected %d and JSON", method, path, body ? body : "", r.status,
                  r.body, status);
    http_reply_release(&r);
    return out;
}
