/* Platform facts on Linux: /etc/os-release, /proc/cpuinfo, sysinfo and the affinity mask.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* CPU_ALLOC and sched_getaffinity */
#include "device/device_internal.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The value of PRETTY_NAME="..." */
static void read_os(char *out, size_t size)
{
    FILE *f = fopen("/etc/os-release", "re");
    char line[256];

    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        char *value = line + 12;

        if (strncmp(line, "PRETTY_NAME=", 12) != 0)
            continue;
        value[strcspn(value, "\n")] = '\0';
        if (*value == '"') {
            value++;
            value[strcspn(value, "\"")] = '\0';
        }
        ims__device_clean(value, out, size);
    }
    fclose(f);
}

/* Keeps of a flags line what an inference or kernel tier looks at. */
static void pick_features(char *flags, char *out, size_t size)
{
    static const char *const wanted[] = {
        "sse4_2",   "avx",         "fma",      "f16c",        "avx2",        "avx512f",  "avx512bw",
        "avx512vl", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16",
        "asimd",    "asimdhp",     "asimddp",  "i8mm",        "bf16",        "sve",      "sve2",
    };
    size_t n = 0;
    char *state = NULL;

    out[0] = '\0';
    for (char *word = strtok_r(flags, " \t\n", &state); word;
         word = strtok_r(NULL, " \t\n", &state)) {
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
            if (strcmp(word, wanted[i]) == 0 && n < size)
                n += (size_t)snprintf(out + n, size - n, "%s%s", n ? " " : "", word);
        }
    }
}

/* The first processor of /proc/cpuinfo speaks for all. */
static void read_cpu(struct ims_device_facts *f)
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[8192];

    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        char *colon = strchr(line, ':');

        if (!colon) {
            if (f->cpu_features[0])
                break;
            continue;
        }
        if (strncmp(line, "model name", 10) == 0 && colon[1]) {
            colon[strcspn(colon, "\n")] = '\0';
            ims__device_clean(colon + 2, f->cpu_model, sizeof(f->cpu_model));
        } else if (strncmp(line, "flags", 5) == 0 || strncmp(line, "Features", 8) == 0) {
            pick_features(colon + 1, f->cpu_features, sizeof(f->cpu_features));
        }
    }
    fclose(file);
}

void ims__device_probe_platform(struct ims_device_facts *f)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);

    read_os(f->os, sizeof(f->os));
    read_cpu(f);
    if (pages > 0 && page_bytes > 0)
        f->memory_bytes = (uint64_t)pages * (uint64_t)page_bytes;
}

unsigned ims__device_affinity_cores(void)
{
    for (unsigned n = 1024; n <= 65536; n *= 4) { /* EINVAL: the kernel knows more CPUs than n */
        cpu_set_t *set = CPU_ALLOC(n);
        size_t bytes = CPU_ALLOC_SIZE(n);
        int count = 0, error;

        if (!set)
            return 0;
        error = sched_getaffinity(0, bytes, set) == 0 ? 0 : errno;
        if (!error)
            count = CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (!error)
            return (unsigned)count;
        if (error != EINVAL)
            return 0;
    }
    return 0;
}
