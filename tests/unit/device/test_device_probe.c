/* Tests of what is found out about the machine: control groups, the CPU, and NVIDIA devices through
 * stand-ins for the driver's libraries.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"

#include "base/fs.h"
#include "base/mem.h"
#include "harness/test.h"

#include <stdio.h>
#include <string.h>

/* Writes a file below root, with its folders. */
static void put(const char *root, const char *name, const char *text)
{
    char path[1024];
    ims_err err;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    *strrchr(path, '/') = '\0';
    CHECK_OK(ims__mkdir_p(path, &err), err);
    path[strlen(path)] = '/';
    snprintf(path, sizeof(path), "%s/%s", root, name);
    CHECK_OK(ims__write_file(path, text, strlen(text), &err), err);
}

TEST(min_cores, "usable cores are the least of online, affinity and quota, and at least one")
{
    CHECK_INT(ims__device_min_cores(8, 0, 0), 8);
    CHECK_INT(ims__device_min_cores(8, 3, 0), 3);
    CHECK_INT(ims__device_min_cores(8, 0, 2), 2);
    CHECK_INT(ims__device_min_cores(8, 3, 2), 2);
    CHECK_INT(ims__device_min_cores(8, 2, 4), 2);
    CHECK_INT(ims__device_min_cores(0, 0, 0), 1);
}

TEST(this_machine, "the machine that runs the test is described")
{
    struct ims_device_facts f;

    ims_device_probe(&f);
    test_note("%s %s, %s, %s, %s", f.platform, f.machine, f.os, f.cpu_model, f.cpu_features);
    CHECK(f.platform[0] && f.machine[0] && f.os[0] && f.kernel[0]);
    CHECK(f.n_logical_cores >= 1);
    CHECK(f.n_usable_cores >= 1 && f.n_usable_cores <= f.n_logical_cores);
    CHECK(f.memory_bytes > 0 && f.memory_usable_bytes > 0);
    CHECK(f.memory_usable_bytes <= f.memory_bytes);
    CHECK_INT(f.is_apple_silicon,
              strcmp(f.platform, "Darwin") == 0 && strcmp(f.machine, "arm64") == 0);
}

#ifdef __linux__

TEST(no_cgroup, "without control groups there is no limit")
{
    const char *root = test_tmp_dir();

    CHECK_INT(ims__device_quota_cores(root), 0);
    CHECK_INT(ims__device_memory_limit(root), 0);
}

TEST(v2_quota, "a version 2 quota counts in cores, rounded up")
{
    static const struct {
        const char *text;
        unsigned cores;
    } cases[] = {
        { "200000 100000\n", 2 }, { "150000 100000\n", 2 }, { "50000 100000\n", 1 },
        { "max 100000\n", 0 },    { "400000 100000\n", 4 }, { "", 0 },
        { "garbage\n", 0 },       { "100000\n", 0 },        { "-1 100000\n", 0 },
        { "100000 0\n", 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *root = test_tmp_dir();

        put(root, "proc/self/cgroup", "0::/\n");
        put(root, "sys/fs/cgroup/cpu.max", cases[i].text);
        CHECK_INT(ims__device_quota_cores(root), cases[i].cores);
    }
}

TEST(v2_nested, "the tightest group on the way up counts")
{
    const char *root = test_tmp_dir();

    put(root, "proc/self/cgroup", "0::/system.slice/app.service/worker\n");
    put(root, "sys/fs/cgroup/system.slice/cpu.max", "300000 100000\n");
    put(root, "sys/fs/cgroup/system.slice/app.service/cpu.max", "max 100000\n");
    put(root, "sys/fs/cgroup/system.slice/app.service/worker/cpu.max", "600000 100000\n");
    put(root, "sys/fs/cgroup/system.slice/app.service/worker/memory.max", "1073741824\n");
    put(root, "sys/fs/cgroup/system.slice/memory.max", "536870912\n");
    CHECK_INT(ims__device_quota_cores(root), 3);
    CHECK_INT(ims__device_memory_limit(root), 536870912);
}

TEST(v2_container, "a group that is not visible here leads to the mount itself")
{
    const char *root = test_tmp_dir();

    put(root, "proc/self/cgroup", "0::/docker/0123456789abcdef\n");
    put(root, "sys/fs/cgroup/cpu.max", "100000 100000\n");
    CHECK_INT(ims__device_quota_cores(root), 1);
    put(root, "proc/self/cgroup", "0::/../../outside\n");
    CHECK_INT(ims__device_quota_cores(root), 1);
}

TEST(v1_quota, "version 1 files count too, wherever the controller is mounted")
{
    const char *root = test_tmp_dir();

    put(root, "proc/self/cgroup",
        "12:memory:/docker/abc\n5:cpuset:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/"
        "\n");
    put(root, "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "250000\n");
    put(root, "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK_INT(ims__device_quota_cores(root), 3);
    CHECK_INT(ims__device_memory_limit(root), 0);
    put(root, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "268435456\n");
    CHECK_INT(ims__device_memory_limit(root), 268435456);
    put(root, "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
    CHECK_INT(ims__device_quota_cores(root), 0);
}

TEST(cgroup_garbage, "a malformed list of groups is no limit and no crash")
{
    static const char *const texts[] = {
        "", "\n", ":", "::", "0:", "0::", "0::x\n", "4:cpu", "4:cpu:rel\n", "a:b:c:d\n0::/\n"
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *root = test_tmp_dir();

        put(root, "proc/self/cgroup", texts[i]);
        CHECK_INT(ims__device_quota_cores(root), 0);
    }
}

#endif

/* ---- NVIDIA, through stand-ins ---- */

static void probe(struct ims_cuda_facts *f, const char *cuda, const char *nvml)
{
    char a[1024], b[1024];

    snprintf(a, sizeof(a), "%s", test_build_path(cuda));
    snprintf(b, sizeof(b), "%s", test_build_path(nvml));
    ims__device_probe_cuda_from(f, a, b);
}

TEST(no_driver, "without a driver library there is no driver, and nothing is said")
{
    struct ims_cuda_facts f;

    ims__device_probe_cuda_from(&f, "/nonexistent/libcuda.so.1", "/nonexistent/libnvidia-ml.so.1");
    CHECK(!f.has_driver);
    CHECK_INT(f.n_devices, 0);
    CHECK_STR(f.problem, "");
}

TEST(device_counts, "0, 1, 2 and 8 devices are found with their facts")
{
    static const struct {
        const char *library;
        size_t n;
    } cases[] = { { "fakes/fake_cuda_0.so", 0 },
                  { "fakes/fake_cuda_1.so", 1 },
                  { "fakes/fake_cuda_2.so", 2 },
                  { "fakes/fake_cuda_8.so", 8 } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ims_cuda_facts f;

        probe(&f, cases[i].library, "fakes/none.so");
        CHECK(f.has_driver);
        CHECK(!f.has_nvml);
        CHECK_STR(f.problem, "");
        CHECK_INT(f.n_devices, cases[i].n);
        for (size_t d = 0; d < f.n_devices; d++) {
            char name[64];

            snprintf(name, sizeof(name), "Test Accelerator %zu", d);
            CHECK_STR(f.devices[d].name, name);
            CHECK_INT(f.devices[d].index, d);
            CHECK_INT(f.devices[d].memory_bytes, (long long)(d + 1) << 30);
            CHECK_INT(f.devices[d].compute_major * 10 + f.devices[d].compute_minor, 86);
            CHECK(!f.devices[d].has_memory_used);
            CHECK(!f.devices[d].has_utilisation);
        }
    }
}

TEST(nvml_join, "NVML's records are joined by UUID, then by PCI id, never by number")
{
    struct ims_cuda_facts f;

    probe(&f, "fakes/fake_cuda_8.so", "fakes/fake_nvml.so");
    CHECK(f.has_nvml);
    CHECK_STR(f.driver_version, "550.54.14");
    CHECK_INT(f.cuda_major * 100 + f.cuda_minor, 1204);
    CHECK_STR(f.devices[0].uuid, "GPU-00102030-4050-6070-8090-a0b0c0d0e0f0");
    CHECK(f.devices[0].has_memory_used);
    CHECK(f.devices[0].has_utilisation);
    CHECK_INT(f.devices[0].utilisation_percent, 70);
    CHECK_INT(f.devices[0].memory_used_bytes, 70);
    CHECK_INT(f.devices[0].temperature_c, 71);
    CHECK_INT(f.devices[0].power_w, 70);
    CHECK_STR(f.devices[0].nvml_name, "NVML 70");
    CHECK_STR(f.devices[1].pci_id, "0000:02:00.0");
    CHECK(f.devices[1].has_utilisation);
    CHECK_INT(f.devices[1].utilisation_percent, 30);
    CHECK(!f.devices[2].has_memory_used);
    CHECK(!f.devices[2].has_utilisation);
}

TEST(some_of_it, "what NVML does not tell is not made up, and what it tells is kept")
{
    struct ims_cuda_facts f;

    probe(&f, "fakes/fake_cuda_1.so", "fakes/fake_nvml_divided.so");
    CHECK(f.devices[0].has_memory_used);
    CHECK_INT(f.devices[0].memory_used_bytes, 70);
    CHECK_INT(f.devices[0].temperature_c, 71);
    CHECK(!f.devices[0].has_utilisation);
    CHECK_INT(f.devices[0].utilisation_percent, 0);
    probe(&f, "fakes/fake_cuda_1.so", "fakes/fake_nvml_lost.so");
    CHECK(f.has_nvml);
    CHECK_STR(f.driver_version, "550.54.14");
    CHECK(!f.devices[0].has_memory_used);
    CHECK(!f.devices[0].has_utilisation);
    CHECK_INT(f.devices[0].memory_used_bytes, 0);
    CHECK_INT(f.devices[0].temperature_c, 0);
    CHECK_INT(f.devices[0].power_w, 0);
}

TEST(lost, "a device that is lost between two calls is told, and the others keep their numbers")
{
    struct ims_cuda_facts f;

    probe(&f, "fakes/fake_cuda_lost.so", "fakes/fake_nvml.so");
    CHECK_INT(f.n_devices, 3);
    CHECK_STR(f.devices[1].name, "Test Accelerator 1");
    CHECK_STR(f.problem, "");
    probe(&f, "fakes/fake_cuda_lost.so", "fakes/fake_nvml.so");
    CHECK_INT(f.n_devices, 3);
    CHECK_STR(f.devices[0].name, "Test Accelerator 0");
    CHECK(f.devices[0].has_memory_used);
    CHECK_STR(f.devices[1].name, "");
    CHECK_INT(f.devices[1].index, 1);
    CHECK(!f.devices[1].has_memory_used);
    CHECK_STR(f.devices[2].name, "Test Accelerator 2");
    CHECK_INT(f.devices[2].index, 2);
    CHECK_STR(f.problem, "cuda:1 is lost: cuDeviceGetName failed with 46 "
                         "(CUDA-capable device(s) is/are busy or unavailable)");
}

TEST(old_driver, "a driver of an older CUDA tells which")
{
    struct ims_cuda_facts f;

    probe(&f, "fakes/fake_cuda_old.so", "fakes/fake_nvml.so");
    CHECK_INT(f.n_devices, 1);
    CHECK_STR(f.problem, "");
    CHECK_INT(f.cuda_major * 100 + f.cuda_minor, 1104);
}

TEST(broken_driver, "a driver that does not start says why")
{
    struct ims_cuda_facts f;

    probe(&f, "fakes/fake_cuda_broken.so", "fakes/fake_nvml.so");
    CHECK(f.has_driver);
    CHECK_INT(f.n_devices, 0);
    CHECK_STR(
        f.problem,
        "cuInit failed with 803 (system has unsupported display driver / cuda driver combination)");
    probe(&f, "fakes/fake_cuda_empty.so", "fakes/fake_nvml.so");
    CHECK(f.has_driver);
    CHECK(strstr(f.problem, "lacks functions") != NULL);
}

TEST_MAIN
