/* Starting, asking and ending a child process.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_internal.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_MS 2000
#define REAP_MS 1000
#define FIRST_REGION_BYTES IMS_MIB

extern char **environ;

/* ---- starting ---- */

/* A copy above the numbers that the child is given, so that dup2 always has something to do. */
static int move_up(int fd)
{
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 10);

    close(fd);
    return up;
}

static bool make_channels(int sock[2], int err_pipe[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock) != 0)
        return false;
    for (int i = 0; i < 2; i++)
        sock[i] = move_up(sock[i]);
    if (pipe(err_pipe) != 0)
        return false;
    for (int i = 0; i < 2; i++)
        err_pipe[i] = move_up(err_pipe[i]);
    if (sock[0] < 0 || sock[1] < 0 || err_pipe[0] < 0 || err_pipe[1] < 0)
        return false;
#ifdef SO_NOSIGPIPE
    if (setsockopt(sock[0], SOL_SOCKET, SO_NOSIGPIPE, &(int){ 1 }, sizeof(int)) != 0)
        return false;
#endif
    /* Both ends: a child must never wait for somebody to read what it prints. */
    return fcntl(err_pipe[0], F_SETFL, O_NONBLOCK) == 0 &&
           fcntl(err_pipe[1], F_SETFL, O_NONBLOCK) == 0;
}

static int spawn(struct child *c, int sock, int err_fd)
{
    char *argv[] = { (char *)(uintptr_t)ims__child_program(), (char *)(uintptr_t)CHILD_ARGUMENT,
                     c->name, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t signals;
    int e;

    if (posix_spawn_file_actions_init(&files) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    e = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!e) /* what a driver prints must not get between our results */
        e = posix_spawn_file_actions_adddup2(&files, err_fd, 1);
    if (!e)
        e = posix_spawn_file_actions_adddup2(&files, err_fd, 2);
    if (!e)
        e = posix_spawn_file_actions_adddup2(&files, sock, CHILD_SOCKET);
    sigemptyset(&signals);
    if (!e)
        e = posix_spawnattr_setsigmask(&attr, &signals);
    if (!e)
        e = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    if (!e)
        e = posix_spawn(&c->pid, ims__child_executable(), &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return e;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

ims_status ims__child_start(struct child *c, ims_err *err)
{
    int sock[2] = { -1, -1 }, err_pipe[2] = { -1, -1 };
    int e = 0;

    c->sock = c->stderr_fd = -1;
    if (!make_channels(sock, err_pipe))
        e = errno;
    if (!e)
        e = spawn(c, sock[1], err_pipe[1]);
    close_fd(&sock[1]);
    close_fd(&err_pipe[1]);
    if (e) {
        close_fd(&sock[0]);
        close_fd(&err_pipe[0]);
        c->pid = 0;
        c->is_dead = true;
        snprintf(c->cause, sizeof(c->cause), "it could not be started");
        return ims_fail(err, IMS_E_DEVICE, "child", e, "starting a process for %s: %s", c->name,
                        strerror(e));
    }
    c->sock = sock[0];
    c->stderr_fd = err_pipe[0];
    return IMS_OK;
}

/* ---- what it prints ---- */

static void take_text(struct child *c, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '\n' && c->line_len + 1 < sizeof(c->line)) {
            c->line[c->line_len++] = p[i];
            continue;
        }
        c->line[c->line_len] = '\0';
        if (c->line_len)
            ims__log_ring_addf(c->log, "%s[%ld] %s", c->name, (long)c->pid, c->line);
        c->line_len = 0;
        if (p[i] != '\n')
            c->line[c->line_len++] = p[i];
    }
}

static void drain(struct child *c)
{
    char text[4096];
    ssize_t n;

    while (c->stderr_fd >= 0) {
        n = read(c->stderr_fd, text, sizeof(text));
        if (n > 0) {
            take_text(c, text, (size_t)n);
            continue;
        }
        if (n == 0)
            close_fd(&c->stderr_fd);
        if (n < 0 && errno == EINTR)
            continue;
        return;
    }
}

/* ---- ending ---- */

static const char *signal_name(int number)
{
    switch (number) {
    case SIGABRT:
        return "aborted";
    case SIGSEGV:
        return "segmentation fault";
    case SIGBUS:
        return "bus error";
    case SIGILL:
        return "illegal instruction";
    case SIGFPE:
        return "arithmetic error";
    case SIGKILL:
        return "killed";
    case SIGTERM:
        return "terminated";
    default:
        return "signal";
    }
}

/* false: still there after REAP_MS (a driver that does not let go); tried again at the end. */
static bool reap(struct child *c, int *out_wstatus)
{
    const struct timespec pause = { 0, 1000000 };
    uint64_t start = ims__mono_ns();
    pid_t got;

    *out_wstatus = 0;
    while ((got = waitpid(c->pid, out_wstatus, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if (ims__mono_ns() - start > (uint64_t)REAP_MS * 1000000)
            return false;
        nanosleep(&pause, NULL);
    }
    c->pid = 0;
    return true;
}

void ims__child_kill(struct child *c, const char *cause)
{
    int wstatus = 0;

    if (c->is_dead)
        return;
    c->is_dead = true;
    if (c->pid <= 0) /* never started; 0 would be this process and its group */
        return;
    kill(c->pid, SIGKILL); /* one that is ending already keeps its own cause */
    if (!reap(c, &wstatus))
        snprintf(c->cause, sizeof(c->cause), "it does not end");
    else if (cause)
        snprintf(c->cause, sizeof(c->cause), "%s", cause);
    else if (WIFSIGNALED(wstatus))
        snprintf(c->cause, sizeof(c->cause), "signal %d (%s)", WTERMSIG(wstatus),
                 signal_name(WTERMSIG(wstatus)));
    else
        snprintf(c->cause, sizeof(c->cause), "it exited with code %d", WEXITSTATUS(wstatus));
    drain(c);
    take_text(c, "\n", 1);
    ims__log_ring_addf(c->log, "%s: the process ended: %s", c->name, c->cause);
    close_fd(&c->sock);
    close_fd(&c->stderr_fd);
    ims__child_region_unmap(&c->region);
}

/* Waits until the socket or the child's stderr has something; false when the time is over. */
static bool wait_for(struct child *c, uint64_t until_ns)
{
    struct pollfd fds[2] = { { .fd = c->sock, .events = POLLIN },
                             { .fd = c->stderr_fd, .events = POLLIN } };
    uint64_t now = ims__mono_ns();
    int ms = 1000, n;

    if (until_ns && now >= until_ns)
        return false;
    if (until_ns && until_ns - now < 1000000000u)
        ms = (int)((until_ns - now) / 1000000) + 1;
    n = poll(fds, 2, ms);
    if (n > 0 && fds[1].revents)
        drain(c);
    return true;
}

void ims__child_stop(struct child *c)
{
    struct child_header h = { .magic = CHILD_MAGIC, .kind = CHILD_QUIT };
    uint64_t until = ims__mono_ns() + (uint64_t)STOP_MS * 1000000;
    char byte;

    if (!c->is_dead && ims__frame_send(c->sock, &h, NULL, -1)) {
        while (wait_for(c, until)) {
            if (ims__frame_receive(c->sock, &byte, 1, NULL, false) < 0)
                break;
        }
    }
    ims__child_kill(c, NULL);
    if (c->pid > 0 && waitpid(c->pid, NULL, WNOHANG) == c->pid)
        c->pid = 0;
}

/* ---- asking ---- */

ims_status ims__child_need_region(struct child *c, size_t bytes, int *out_fd, ims_err *err)
{
    size_t size = c->region.bytes ? c->region.bytes : FIRST_REGION_BYTES;
    int fd;

    *out_fd = -1;
    if (c->region.bytes >= bytes)
        return IMS_OK;
    while (size < bytes) {
        if (!ims__mul_size(size, 2, &size))
            return ims_fail(err, IMS_E_LIMIT, "child", 0, "tensors of %zu bytes", bytes);
    }
    if (size > bytes && size - bytes > 64 * IMS_MIB)
        size = bytes;
    fd = ims__child_memory_new(size);
    if (fd < 0 || !ims__child_region_map(&c->region, fd, size)) {
        int e = errno;

        close_fd(&fd);
        return ims_fail(err, IMS_E_NOMEM, "child", e, "shared memory of %zu bytes", size);
    }
    *out_fd = fd;
    return IMS_OK;
}

/* n bytes of the reply into p. */
static ims_status receive(struct child *c, void *p, size_t n, uint64_t until_ns, ims_err *err)
{
    char *at = p;

    while (n > 0) {
        ssize_t got = ims__frame_receive(c->sock, at, n, NULL, false);

        if (got > 0) {
            at += got;
            n -= (size_t)got;
            continue;
        }
        if (got < 0) {
            ims__child_kill(c, NULL);
            return ims_fail(err, IMS_E_DEVICE, "child", 0, "the process of %s ended: %s", c->name,
                            c->cause);
        }
        if (!wait_for(c, until_ns)) {
            ims__child_kill(c, "it did not answer in time");
            return ims_fail(err, IMS_E_TIMEOUT, "child", 0,
                            "the process of %s did not answer in time and was ended", c->name);
        }
    }
    return IMS_OK;
}

static ims_status receive_reply(struct child *c, uint64_t until_ns, struct ims_buf *reply,
                                ims_err *err)
{
    struct child_header h;
    ims_status st = receive(c, &h, sizeof(h), until_ns, err);

    ims__buf_clear(reply);
    if (st)
        return st;
    if (h.magic != CHILD_MAGIC || h.kind != CHILD_REPLY || h.n_bytes > CHILD_MAX_BODY_BYTES) {
        ims__child_kill(c, "its answer made no sense");
        return ims_fail(err, IMS_E_DEVICE, "child", 0, "the process of %s: %s", c->name, c->cause);
    }
    st = ims__buf_reserve(reply, h.n_bytes);
    if (st) {
        ims__child_kill(c, "there was no memory for its answer");
        return ims_fail(err, IMS_E_NOMEM, "child", 0, "an answer of %u bytes", h.n_bytes);
    }
    st = receive(c, reply->data, h.n_bytes, until_ns, err);
    if (!st)
        reply->len = h.n_bytes;
    return st;
}

ims_status ims__child_ask(struct child *c, child_kind kind, const struct ims_buf *body, int fd,
                          unsigned timeout_ms, struct ims_buf *reply, ims_err *err)
{
    struct child_header h = { .magic = CHILD_MAGIC,
                              .kind = (uint32_t)kind,
                              .n_bytes = (uint32_t)body->len,
                              .region_bytes = fd >= 0 ? c->region.bytes : 0 };
    uint64_t until = timeout_ms ? ims__mono_ns() + (uint64_t)timeout_ms * 1000000 : 0;
    ims_status st = ims__buf_status(body);
    bool is_sent;

    if (st) { /* a region that the child never saw would part the two sides */
        if (fd >= 0)
            ims__child_kill(c, "there was no memory for a request");
        close_fd(&fd);
        return ims_fail(err, st, "child", 0, "a request to %s", c->name);
    }
    if (c->is_dead) {
        close_fd(&fd);
        return ims_fail(err, IMS_E_DEVICE, "child", 0, "the process of %s ended: %s", c->name,
                        c->cause);
    }
    is_sent = ims__frame_send(c->sock, &h, body->data, fd);
    close_fd(&fd);
    if (!is_sent) {
        ims__child_kill(c, NULL);
        return ims_fail(err, IMS_E_DEVICE, "child", 0, "the process of %s ended: %s", c->name,
                        c->cause);
    }
    return receive_reply(c, until, reply, err);
}
