/* Running this program again, for what must be measured in a process of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/mem.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static ims_status fail(int e, ims_err *err)
{
    return ims_fail(err, IMS_E_IO, "cli", e, "starting imgsearch again: %s", strerror(e));
}

static ims_status start(const char *const *argv, int out_fd, pid_t *out_pid, ims_err *err)
{
    posix_spawn_file_actions_t files;
    char *path = cli_executable_path();
    int e = path ? posix_spawn_file_actions_init(&files) : ENOENT;

    if (e) {
        ims__free(path);
        return fail(e, err);
    }
    e = posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO);
    if (!e)
        e = posix_spawn(out_pid, path, &files, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    ims__free(path);
    return e ? fail(e, err) : IMS_OK;
}

static ims_status read_all(int fd, struct ims_buf *out, ims_err *err)
{
    char chunk[4096];
    ssize_t n;

    do {
        n = read(fd, chunk, sizeof(chunk));
        if (n > 0)
            (void)ims__buf_add(out, chunk, (size_t)n);
    } while (n > 0 || (n < 0 && errno == EINTR));
    if (n < 0)
        return fail(errno, err);
    return ims__buf_status(out) ? ims_fail(err, ims__buf_status(out), "cli", 0, "reading a measurement")
                                : IMS_OK;
}

ims_status cli_run_self(const char *const *argv, struct ims_buf *out, int *out_exit, ims_err *err)
{
    int ends[2], state = 0;
    pid_t pid;
    ims_status st;

    if (pipe(ends) != 0)
        return fail(errno, err);
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC); /* the child keeps only what becomes its stdout */
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    st = start(argv, ends[1], &pid, err);
    close(ends[1]);
    if (!st) {
        st = read_all(ends[0], out, err);
        while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
            continue;
        *out_exit = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    }
    close(ends[0]);
    return st;
}
