/* Which vector instructions an x86-64 processor has and its operating system saves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>

#define XCR0_SSE_AVX 0x06u /* xmm and the upper halves of ymm */
#define XCR0_AVX512 0xe6u  /* and mask registers, zmm */
#define XCR0_TILES 0x60000u

struct words {
    unsigned leaf1_ecx, leaf7_ebx, leaf7_ecx, leaf7_edx, leaf7_1_eax;
    unsigned xcr0;
};

static unsigned read_xcr0(void)
{
    unsigned low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static bool has_bit(unsigned word, unsigned bit)
{
    return (word >> bit & 1u) != 0;
}

static struct words read_words(void)
{
    struct words w = { 0 };
    unsigned eax, ebx, ecx, edx;

    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
        w.leaf1_ecx = ecx;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) {
        w.leaf7_ebx = ebx;
        w.leaf7_ecx = ecx;
        w.leaf7_edx = edx;
    }
    if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx))
        w.leaf7_1_eax = eax;
    if (has_bit(w.leaf1_ecx, 27)) /* OSXSAVE: XGETBV may be used */
        w.xcr0 = read_xcr0();
    return w;
}

static void add_name(struct ims_cpu_found *out, const char *name, bool has)
{
    size_t used = strlen(out->features);

    if (has)
        snprintf(out->features + used, sizeof(out->features) - used, "%s%s", used ? " " : "", name);
}

void ims__cpu_detect(struct ims_cpu_found *out)
{
    struct words w = read_words();
    bool os_avx = (w.xcr0 & XCR0_SSE_AVX) == XCR0_SSE_AVX;
    bool os_avx512 = (w.xcr0 & XCR0_AVX512) == XCR0_AVX512;
    bool avx2 = os_avx && has_bit(w.leaf1_ecx, 28) && has_bit(w.leaf7_ebx, 5);
    bool fma = os_avx && has_bit(w.leaf1_ecx, 12);
    bool f16c = os_avx && has_bit(w.leaf1_ecx, 29);
    bool f = os_avx512 && has_bit(w.leaf7_ebx, 16);
    bool dq = f && has_bit(w.leaf7_ebx, 17);
    bool bw = f && has_bit(w.leaf7_ebx, 30);
    bool vl = f && has_bit(w.leaf7_ebx, 31);
    bool vnni = f && has_bit(w.leaf7_ecx, 11);
    bool avx_vnni = avx2 && has_bit(w.leaf7_1_eax, 4);

    bool amx = (w.xcr0 & XCR0_TILES) == XCR0_TILES && has_bit(w.leaf7_edx, 24) && has_bit(w.leaf7_edx, 25);

    *out = (struct ims_cpu_found){ 0 };
    out->has_avx2 = avx2 && fma && f16c;
    out->has_avx512 = out->has_avx2 && f && dq && bw && vl;
    out->has_avx512_vnni = out->has_avx512 && vnni;
    out->has_amx_int8 = out->has_avx512_vnni && amx && ims__amx_allow();
    add_name(out, "avx2", avx2);
    add_name(out, "fma", fma);
    add_name(out, "f16c", f16c);
    add_name(out, "avx512f", f);
    add_name(out, "avx512dq", dq);
    add_name(out, "avx512bw", bw);
    add_name(out, "avx512vl", vl);
    add_name(out, "avx512_vnni", vnni);
    add_name(out, "amx_int8", out->has_amx_int8);
    add_name(out, "avx_vnni", avx_vnni);
    out->i8_overflows = !vnni && !avx_vnni;
}
