/* Limits that control groups put on this process: CPU quota and memory, versions 1 and 2.
 *
 * /proc/self/cgroup names the group; a limit may stand in it or in any group above, so every folder
 * on the way up is read and the tightest limit counts. Inside a container the named path is often
 * not visible below the mount; the walk then ends at the mount itself, which is the container's
 * group.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads one small file; false when it is not there. */
static bool read_small(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f)
        return false;
    n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    fclose(f);
    return n > 0;
}

struct limits {
    uint64_t cores;  /* 0 = none */
    uint64_t memory; /* 0 = none */
};

static void tighten(uint64_t *limit, uint64_t value)
{
    if (value && (*limit == 0 || value < *limit))
        *limit = value;
}

/* A quota of 150 ms in every 100 ms is 2 cores: rounded up, so that the quota can be used wholly.
 */
static uint64_t quota_cores(int64_t quota_us, int64_t period_us)
{
    if (quota_us <= 0 || period_us <= 0)
        return 0;
    return (uint64_t)(quota_us / period_us + (quota_us % period_us != 0));
}

static void read_v2(const char *folder, struct limits *l)
{
    char path[IMS_MAX_PATH_BYTES], text[128], *end;

    snprintf(path, sizeof(path), "%s/cpu.max", folder);
    if (read_small(path, text, sizeof(text)) && strncmp(text, "max", 3) != 0) {
        int64_t quota = strtoll(text, &end, 10);

        tighten(&l->cores, quota_cores(quota, strtoll(end, NULL, 10)));
    }
    snprintf(path, sizeof(path), "%s/memory.max", folder);
    if (read_small(path, text, sizeof(text)) && strncmp(text, "max", 3) != 0)
        tighten(&l->memory, strtoull(text, NULL, 10));
}

static void read_v1_cpu(const char *folder, struct limits *l)
{
    char path[IMS_MAX_PATH_BYTES], quota[64], period[64];

    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder);
    if (!read_small(path, quota, sizeof(quota)))
        return;
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
    if (read_small(path, period, sizeof(period)))
        tighten(&l->cores, quota_cores(strtoll(quota, NULL, 10), strtoll(period, NULL, 10)));
}

static void read_v1_memory(const char *folder, struct limits *l)
{
    char path[IMS_MAX_PATH_BYTES], text[64];

    snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", folder);
    if (read_small(path, text, sizeof(text))) {
        uint64_t bytes = strtoull(text, NULL, 10);

        if (bytes < UINT64_C(1) << 62) /* version 1 writes a huge number for "none" */
            tighten(&l->memory, bytes);
    }
}

/* base, base/a, base/a/b for group "/a/b", deepest first. */
static void walk_up(const char *base, const char *group,
                    void (*read)(const char *, struct limits *), struct limits *l)
{
    char folder[IMS_MAX_PATH_BYTES - 64];
    size_t base_len = strlen(base);
    int n;

    if (strstr(group, "..")) /* outside this process's view of the tree */
        group = "/";
    n = snprintf(folder, sizeof(folder), "%s%s", base, group);
    if (n < 0 || (size_t)n >= sizeof(folder))
        return;
    for (;;) {
        size_t len = strlen(folder);

        while (len > base_len && folder[len - 1] == '/')
            folder[--len] = '\0';
        read(folder, l);
        if (len <= base_len)
            return;
        *strrchr(folder, '/') = '\0';
    }
}

static bool has_controller(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *s = list; s; s = strchr(s, ',')) {
        if (*s == ',')
            s++;
        if (strncmp(s, name, n) == 0 && (s[n] == '\0' || s[n] == ','))
            return true;
    }
    return false;
}

/* One line of /proc/self/cgroup: "0::/path" (version 2) or "4:cpu,cpuacct:/path" (version 1). */
static void read_line(const char *root, char *line, struct limits *l)
{
    char base[IMS_MAX_PATH_BYTES / 2];
    char *controllers, *group;

    line[strcspn(line, "\n")] = '\0';
    controllers = strchr(line, ':');
    group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group || group[1] != '/')
        return;
    controllers++;
    *group++ = '\0';
    if (!*controllers) {
        snprintf(base, sizeof(base), "%s/sys/fs/cgroup", root);
        walk_up(base, group, read_v2, l);
        snprintf(base, sizeof(base), "%s/sys/fs/cgroup/unified", root);
        walk_up(base, group, read_v2, l);
    }
    if (has_controller(controllers, "cpu")) {
        snprintf(base, sizeof(base), "%s/sys/fs/cgroup/%s", root, controllers);
        walk_up(base, group, read_v1_cpu, l);
        snprintf(base, sizeof(base), "%s/sys/fs/cgroup/cpu", root);
        walk_up(base, group, read_v1_cpu, l);
    }
    if (has_controller(controllers, "memory")) {
        snprintf(base, sizeof(base), "%s/sys/fs/cgroup/memory", root);
        walk_up(base, group, read_v1_memory, l);
    }
}

static struct limits read_limits(const char *root)
{
    struct limits l = { 0, 0 };
    char path[IMS_MAX_PATH_BYTES], line[IMS_MAX_PATH_BYTES];
    FILE *f;

    snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    f = fopen(path, "re");
    if (!f)
        return l;
    while (fgets(line, sizeof(line), f))
        read_line(root, line, &l);
    fclose(f);
    return l;
}

unsigned ims__device_quota_cores(const char *root)
{
    uint64_t cores = read_limits(root).cores;

    return cores > 65536 ? 65536 : (unsigned)cores;
}

uint64_t ims__device_memory_limit(const char *root)
{
    return read_limits(root).memory;
}
