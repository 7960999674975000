/* What a process keeps of freed memory, counted in page faults.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/process.h"
#include "harness/test.h"

#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define N_BLOCKS 8
#define BLOCK_BYTES ((size_t)16 << 20) /* together twice what glibc keeps by itself at the most */
#define N_ROUNDS 4

#if defined(__GLIBC__) && !defined(IMS_SANITIZED)
#define IS_GLIBC 1
#else
#define IS_GLIBC 0
#endif

static long count_faults(void)
{
    struct rusage u = { .ru_minflt = 0 };

    (void)getrusage(RUSAGE_SELF, &u);
    return u.ru_minflt;
}

/* The faults of a round in which all blocks are allocated, written and freed; -1 without memory. */
static long run_round(void)
{
    long before = count_faults();
    void *blocks[N_BLOCKS];
    bool is_good = true;

    for (size_t i = 0; i < N_BLOCKS; i++) {
        blocks[i] = ims__alloc(BLOCK_BYTES, 1);
        if (blocks[i])
            memset(blocks[i], 1, BLOCK_BYTES);
        else
            is_good = false;
    }
    for (size_t i = 0; i < N_BLOCKS; i++)
        ims__free(blocks[i]);
    return is_good ? count_faults() - before : -1;
}

/* Few and many leave room for huge pages and for what the system does to a page now and then. */
TEST(kept_memory, "freed memory is kept when that is asked for, and goes back when that is")
{
    const long n_pages = (long)(N_BLOCKS * BLOCK_BYTES) / sysconf(_SC_PAGESIZE);
    long least = LONG_MAX;

    if (!IS_GLIBC)
        SKIP("another allocator than glibc's decides");
    ims__keep_memory(2 * N_BLOCKS * BLOCK_BYTES);
    CHECK(run_round() >= 0);
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        long n = run_round();

        CHECK(n >= 0);
        least = n < least ? n : least;
    }
    CHECK(least < n_pages / 8);
    ims__return_memory();
    CHECK(run_round() > n_pages / 1024);
}
