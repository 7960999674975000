/* Frames over a socket, with a descriptor along where there is one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: the socket has SO_NOSIGPIPE instead */
#endif

/* Room for one descriptor, aligned as the system wants it. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

static void attach(struct msghdr *m, union control *c, int fd)
{
    struct cmsghdr *header;

    memset(c, 0, sizeof(*c));
    m->msg_control = c->room;
    m->msg_controllen = sizeof(c->room);
    header = CMSG_FIRSTHDR(m);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

static bool send_all(int sock, const void *p, size_t n, int fd)
{
    const char *at = p;

    while (n > 0) {
        struct iovec part = { (void *)(uintptr_t)at, n };
        struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
        union control c;
        ssize_t sent;

        if (fd >= 0)
            attach(&m, &c, fd);
        sent = sendmsg(sock, &m, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        n -= (size_t)sent;
        fd = -1;
    }
    return true;
}

bool ims__frame_send(int sock, const struct child_header *h, const void *body, int fd)
{
    return send_all(sock, h, sizeof(*h), fd) && send_all(sock, body, h->n_bytes, -1);
}

static void detach(struct msghdr *m, int *fd)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        int got;

        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(&got, CMSG_DATA(h), sizeof(got));
        if (fd && *fd < 0 && fcntl(got, F_SETFD, FD_CLOEXEC) == 0)
            *fd = got;
        else
            close(got);
    }
}

ssize_t ims__frame_receive(int sock, void *p, size_t n, int *fd, bool may_block)
{
    struct iovec part = { p, n };
    union control c;
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = c.room, .msg_controllen = sizeof(c.room)
    };
    ssize_t got;

    do {
        got = recvmsg(sock, &m, may_block ? 0 : MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    detach(&m, fd);
    return got == 0 ? -1 : got;
}
