/* Runs a program in a network namespace of its own, which has the loopback device and no route to anywhere:
 *
 *     cut_off PROGRAM [ARGUMENTS]
 *
 * Ends with 77, a skipped test for CTest, where no such namespace may be made.
 * SPDX-License-Identifier: Apache-2.0 */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* unshare() */
#endif

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SKIPPED 77

#ifdef __linux__
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* The user stays who it was, inside a user namespace that it made. */
static int map_id(const char *file, unsigned id)
{
    FILE *f = fopen(file, "w");

    if (!f)
        return -1;
    fprintf(f, "%u %u 1\n", id, id);
    return fclose(f);
}

static int enter(void)
{
    unsigned user = geteuid(), group = getegid();
    FILE *f;

    if (user == 0)
        return unshare(CLONE_NEWNET);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return -1;
    f = fopen("/proc/self/setgroups", "w"); /* asked for before the map of groups */
    if (f) {
        fputs("deny", f);
        if (fclose(f) != 0)
            return -1;
    }
    return map_id("/proc/self/uid_map", user) || map_id("/proc/self/gid_map", group);
}

static int raise_loopback(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);

    if (fd >= 0)
        close(fd);
    return rc;
}

static int cut_off(void)
{
    if (enter() == 0 && raise_loopback() == 0)
        return 0;
    fprintf(stderr, "no network namespace may be made here: %s\n", strerror(errno));
    return -1;
}
#else
static int cut_off(void)
{
    fputs("this system has no network namespaces\n", stderr);
    return -1;
}
#endif

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: cut_off PROGRAM [ARGUMENTS]\n", stderr);
        return 2;
    }
    if (cut_off() != 0)
        return SKIPPED;
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
