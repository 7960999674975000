/* What this process takes, from /proc.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <dirent.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BACKGROUND_NICE 15 /* a share of about 1 to 28 against the default */
/* Larger blocks are mappings of their own: where glibc's threshold, which moves by itself otherwise, ends
 * (DEFAULT_MMAP_THRESHOLD_MAX of its malloc.c). */
#define LARGEST_IN_HEAP (32 << 20)

uint64_t ims__resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;

    if (f && fscanf(f, "%*u %llu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

unsigned ims__open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the folder itself */
}

/* On Linux the nice value is a thread's own, and is inherited. */
void ims__yield_to_others(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), BACKGROUND_NICE);
}

void ims__limit_arenas(unsigned n)
{
#if defined(__GLIBC__) && defined(M_ARENA_MAX)
    (void)mallopt(M_ARENA_MAX, (int)n);
#else
    (void)n;
#endif
}

void ims__keep_memory(size_t bytes)
{
#if defined(__GLIBC__)
    (void)mallopt(M_MMAP_THRESHOLD, LARGEST_IN_HEAP);
    (void)mallopt(M_TRIM_THRESHOLD, bytes < INT_MAX ? (int)bytes : INT_MAX);
#else
    (void)bytes;
#endif
}

void ims__return_memory(void)
{
#if defined(__GLIBC__)
    (void)malloc_trim(0);
#endif
}
