/* Flushing of denormal numbers in the calling thread, so that it computes what the pool's threads
 * do.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/ort/ort_internal.h"

#if defined(__x86_64__) || defined(__SSE2__)

#include <xmmintrin.h>

#define FLUSH_BITS 0x8040u /* flush to zero, denormals are zero */

uint64_t ims__ort_float_flush(void)
{
    unsigned saved = _mm_getcsr();

    _mm_setcsr(saved | FLUSH_BITS);
    return saved;
}

void ims__ort_float_restore(uint64_t saved)
{
    _mm_setcsr((unsigned)saved);
}

#elif defined(__aarch64__) && defined(__GNUC__)

#define FLUSH_BIT (UINT64_C(1) << 24) /* FPCR.FZ */

uint64_t ims__ort_float_flush(void)
{
    uint64_t saved;

    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(saved | FLUSH_BIT));
    return saved;
}

void ims__ort_float_restore(uint64_t saved)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(saved));
}

#else

uint64_t ims__ort_float_flush(void)
{
    return 0;
}

void ims__ort_float_restore(uint64_t saved)
{
    (void)saved;
}

#endif
