/* What this process takes, where the system has no way that we know.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

uint64_t ims__resident_bytes(void)
{
    return 0;
}

unsigned ims__open_files(void)
{
    return 0;
}

void ims__yield_to_others(void)
{
}

void ims__limit_arenas(unsigned n)
{
    (void)n;
}

void ims__keep_memory(size_t bytes)
{
    (void)bytes;
}

void ims__return_memory(void)
{
}
