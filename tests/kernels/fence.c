/* Buffers that end at a page without access, and reproducible contents.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tiers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARK 0xa5
#define MARK_BYTES 64

struct fence fence_new(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct fence f = { .bytes = bytes };

    f.map_bytes = (bytes + MARK_BYTES + page - 1) / page * page + page;
    f.map = mmap(NULL, f.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f.map == MAP_FAILED ||
        mprotect((uint8_t *)f.map + f.map_bytes - page, page, PROT_NONE) != 0) {
        perror("mmap");
        exit(99);
    }
    memset(f.map, MARK, f.map_bytes - page);
    f.data = (uint8_t *)f.map + f.map_bytes - page - bytes;
    return f;
}

void fence_free(struct fence *f)
{
    munmap(f->map, f->map_bytes);
}

bool fence_check(const struct fence *f)
{
    for (size_t i = 1; i <= MARK_BYTES; i++) {
        if (f->data[-(ptrdiff_t)i] != MARK) {
            test_fail(__FILE__, __LINE__, "the byte %zu before the buffer was overwritten", i);
            return false;
        }
    }
    return true;
}

void fill_bytes(uint8_t *p, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(test_random(&seed) >> 56);
}

void fill_floats(float *p, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t r = test_random(&seed);
        double v = (double)(r >> 11) * 0x1p-52 - 1.0;

        p[i] = (float)((r & 15u) == 0 ? v * 1e-30 : v);
    }
}

const struct ims_kernels *table_with_amx(void)
{
    const struct ims_kernels *k = ims__kernels_for(IMS_CPU_AVX512);

    return k && strstr(k->name, "amx") ? k : NULL;
}
