/* Tests of the choice: tables of request, machine and proofs against what must come out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"
#include "harness/test.h"

#include <stdio.h>
#include <string.h>

/* A machine in a word, so that tables stay readable. */
enum machine {
    BARE,        /* a CPU build of the runtime, no driver */
    GPU_BUILD,   /* a GPU build of the runtime, no driver */
    ONE_GPU,     /* driver, one device, GPU build */
    TWO_GPUS,    /* the same with two */
    GPU_NO_EP,   /* driver, one device, but a CPU build of the runtime */
    NO_DEVICE,   /* driver without a device (CUDA_VISIBLE_DEVICES empty) */
    BAD_DRIVER,  /* the driver does not start */
    APPLE,       /* Apple silicon with Core ML in the runtime */
    APPLE_NO_EP, /* Apple silicon without */
    ALL_OFFERED  /* every provider compiled in, no NVIDIA device */
};

static struct ims_device_inventory machine_of(enum machine m)
{
    struct ims_device_inventory v = { .is_apple_silicon = m == APPLE || m == APPLE_NO_EP };

    v.offers[IMS_DEVICE_CPU] = true;
    v.has_cuda_driver =
        m == ONE_GPU || m == TWO_GPUS || m == GPU_NO_EP || m == NO_DEVICE || m == BAD_DRIVER;
    v.n_cuda = m == TWO_GPUS ? 2 : m == ONE_GPU || m == GPU_NO_EP ? 1 : 0;
    v.offers[IMS_DEVICE_CUDA] = v.offers[IMS_DEVICE_TENSORRT] =
        m == GPU_BUILD || m == ONE_GPU || m == TWO_GPUS || m == NO_DEVICE || m == BAD_DRIVER;
    v.offers[IMS_DEVICE_WEBGPU] = m != BARE;
    v.offers[IMS_DEVICE_COREML] = m == APPLE;
    if (m == BAD_DRIVER)
        snprintf(v.cuda_problem, sizeof(v.cuda_problem), "cuInit failed with 803");
    for (unsigned k = 0; m == ALL_OFFERED && k < IMS_DEVICE_KINDS; k++)
        v.offers[k] = true;
    return v;
}

struct row {
    const char *flag, *device, *force, *providers;
    enum machine machine;
    const char *failing; /* devices whose proof fails, and "~name" for slower than the CPU */
    const char *want;    /* chosen devices, or "error: part of the text" */
    const char *tried;   /* devices that had to be proven, in order */
    const char *notes;   /* parts of the notes, in order, separated by '|' */
};

static bool is_listed(const char *list, const char *name)
{
    size_t n = strlen(name);

    for (const char *s = list; s && (s = strstr(s, name)) != NULL; s += n) {
        bool starts = s == list || s[-1] == ' ';

        if (starts && (s[n] == '\0' || s[n] == ' '))
            return true;
    }
    return false;
}

static void prove(struct ims_device_proof *p, struct ims_device_id id, const char *failing)
{
    char name[IMS_DEVICE_NAME_BYTES + 1] = "~";

    ims_device_id_name(id, name + 1);
    *p = (struct ims_device_proof){ .id = id, .state = IMS_PROOF_PASSED };
    if (is_listed(failing, name + 1)) {
        p->state = IMS_PROOF_FAILED;
        snprintf(p->text, sizeof(p->text), "the test said no");
    } else if (is_listed(failing, name)) {
        p->state = IMS_PROOF_SLOWER;
        snprintf(p->text, sizeof(p->text), "9 ms against 5 ms");
    }
}

/* Runs the loop that compute/ runs. Returns the status; fills the devices proven on the way. */
static ims_status decide(const struct row *row, struct ims_device_choice *choice, char *tried,
                         size_t size, ims_err *err)
{
    struct ims_device_settings s = { row->flag, row->device, NULL, row->force, row->providers };
    struct ims_device_inventory inventory = machine_of(row->machine);
    struct ims_device_proof proofs[IMS_MAX_PROOFS];
    struct ims_device_request request;
    size_t n_proofs = 0, n = 0;
    ims_status st = ims_device_request_read(&request, &s, err);

    tried[0] = '\0';
    while (!st) {
        char name[IMS_DEVICE_NAME_BYTES];

        st = ims_device_choose(choice, &request, &inventory, proofs, n_proofs, err);
        if (st || choice->is_final)
            break;
        if (n_proofs == IMS_MAX_PROOFS) {
            test_fail(__FILE__, __LINE__, "the choice never ends");
            return IMS_E_INTERNAL;
        }
        ims_device_id_name(choice->needs_proof, name);
        n += (size_t)snprintf(tried + n, size - n, "%s%s", n ? " " : "", name);
        prove(&proofs[n_proofs++], choice->needs_proof, row->failing);
    }
    return st;
}

static void name_all(const struct ims_device_choice *choice, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < choice->n_ids; i++) {
        char name[IMS_DEVICE_NAME_BYTES];

        ims_device_id_name(choice->ids[i], name);
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "," : "", name);
    }
}

static void check_notes(const struct ims_device_choice *choice, const char *want)
{
    size_t i = 0;
    char part[128];

    for (const char *s = want; s && *s; i++) {
        size_t n = strcspn(s, "|");

        snprintf(part, sizeof(part), "%.*s", (int)n, s);
        CHECK(i < choice->notes.n);
        if (!strstr(choice->notes.at[i].text, part))
            test_fail(__FILE__, __LINE__, "note \"%s\" does not say \"%s\"",
                      choice->notes.at[i].text, part);
        s += s[n] ? n + 1 : n;
    }
    CHECK_INT(choice->notes.n, i);
}

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *row = &rows[i];
        struct ims_device_choice choice = { .is_final = false };
        ims_err err = { .text = "" };
        char tried[256], got[256];
        ims_status st = decide(row, &choice, tried, sizeof(tried), &err);

        test_note("row %zu: %s", i, row->want);
        CHECK_STR(tried, row->tried ? row->tried : "");
        if (strncmp(row->want, "error: ", 7) == 0) {
            CHECK(st == IMS_E_DEVICE || st == IMS_E_CONFIG);
            if (!strstr(err.text, row->want + 7))
                test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text,
                          row->want + 7);
            continue;
        }
        CHECK_OK(st, err);
        name_all(&choice, got, sizeof(got));
        CHECK_STR(got, row->want);
        CHECK(choice.reason[0]);
        check_notes(&choice, row->notes);
    }
}

#define ROWS(...)                                                                                  \
    do {                                                                                           \
        static const struct row rows[] = { __VA_ARGS__ };                                          \
        check_rows(rows, sizeof(rows) / sizeof(rows[0]));                                          \
    } while (0)

TEST(auto_order, "auto takes CUDA, then Core ML on Apple silicon, then the CPU")
{
    ROWS({ .machine = BARE, .want = "cpu", .tried = "cpu" },
         { .machine = GPU_BUILD, .want = "cpu", .tried = "cpu" },
         { .machine = ALL_OFFERED, .want = "cpu", .tried = "cpu" },
         { .machine = ONE_GPU, .want = "cuda:0", .tried = "cuda:0" },
         { .machine = TWO_GPUS, .want = "cuda:0", .tried = "cuda:0" },
         { .machine = APPLE, .want = "coreml", .tried = "coreml" },
         { .machine = NO_DEVICE, .want = "cpu", .tried = "cpu" },
         { .device = "auto", .machine = ONE_GPU, .want = "cuda:0", .tried = "cuda:0" },
         { .flag = "auto",
           .device = "cpu",
           .machine = ONE_GPU,
           .want = "cuda:0",
           .tried = "cuda:0" });
}

TEST(auto_moves_on, "auto moves on when a proof fails or the device is slower, and says why")
{
    ROWS(
        { .machine = ONE_GPU,
          .failing = "cuda:0",
          .want = "cpu",
          .tried = "cuda:0 cpu",
          .notes = "cuda:0 is passed over: the test said no" },
        { .machine = ONE_GPU,
          .failing = "~cuda:0",
          .want = "cpu",
          .tried = "cuda:0 cpu",
          .notes = "slower than the CPU here: 9 ms against 5 ms" },
        { .machine = TWO_GPUS,
          .failing = "cuda:0",
          .want = "cuda:1",
          .tried = "cuda:0 cuda:1",
          .notes = "cuda:0 is passed over" },
        { .machine = TWO_GPUS,
          .failing = "cuda:0 cuda:1",
          .want = "cpu",
          .tried = "cuda:0 cuda:1 cpu",
          .notes = "cuda:0 is|cuda:1 is" },
        { .machine = APPLE,
          .failing = "coreml",
          .want = "cpu",
          .tried = "coreml cpu",
          .notes = "coreml is passed over" },
        { .machine = APPLE_NO_EP,
          .want = "cpu",
          .tried = "cpu",
          .notes = "coreml is passed over: this inference runtime was built without" },
        { .machine = GPU_NO_EP,
          .want = "cpu",
          .tried = "cpu",
          .notes = "cuda:0 is passed over: this inference runtime was built without "
                   "CUDAExecutionProvider" },
        { .machine = BAD_DRIVER, .want = "cpu", .tried = "cpu", .notes = "cuInit failed with 803" },
        { .machine = BARE,
          .failing = "cpu",
          .want = "error: no device passed: cpu did not do",
          .tried = "cpu" });
}

TEST(no_word, "on a machine without CUDA the automatic choice does not mention it")
{
    static const enum machine machines[] = { BARE, GPU_BUILD, ALL_OFFERED, NO_DEVICE, APPLE };

    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        struct row row = { .machine = machines[i], .want = "" };
        struct ims_device_choice choice;
        ims_err err = { .text = "" };
        char tried[256];

        CHECK_OK(decide(&row, &choice, tried, sizeof(tried), &err), err);
        CHECK(!strstr(choice.reason, "cuda") && !strstr(choice.reason, "CUDA"));
        CHECK_INT(choice.notes.n, 0);
    }
}

TEST(by_name, "a device asked for by name is taken even when slow, and never replaced")
{
    ROWS({ .device = "cuda", .machine = ONE_GPU, .want = "cuda:0", .tried = "cuda:0" },
         { .device = "cuda:1", .machine = TWO_GPUS, .want = "cuda:1", .tried = "cuda:1" },
         { .device = "cuda",
           .machine = ONE_GPU,
           .failing = "~cuda:0",
           .want = "cuda:0",
           .tried = "cuda:0" },
         { .device = "cpu", .machine = ONE_GPU, .want = "cpu", .tried = "cpu" },
         { .device = "mps", .machine = APPLE, .want = "coreml", .tried = "coreml" },
         { .device = "webgpu", .machine = GPU_BUILD, .want = "webgpu", .tried = "webgpu" },
         { .device = "tensorrt", .machine = ONE_GPU, .want = "tensorrt", .tried = "tensorrt" },
         { .device = "openvino", .machine = ALL_OFFERED, .want = "openvino", .tried = "openvino" },
         { .flag = "cpu", .device = "cuda", .machine = BARE, .want = "cpu", .tried = "cpu" },
         { .device = "cuda",
           .force = "true",
           .machine = ONE_GPU,
           .want = "cuda:0",
           .tried = "cuda:0",
           .notes = "DEVICE=cuda wins over FORCE_CPU" },
         { .force = "true", .machine = ONE_GPU, .want = "cpu", .tried = "cpu" },
         { .device = "cuda",
           .machine = ONE_GPU,
           .failing = "cuda:0",
           .tried = "cuda:0",
           .want = "error: cuda:0 (DEVICE=cuda) cannot be used: the test said no. Here: "
                   "cpu; not tried: tensorrt, webgpu (docs" },
         { .device = "cuda", .machine = BARE, .want = "error: no NVIDIA driver was found" },
         { .device = "cuda", .machine = BARE, .want = "error: . Here: cpu" },
         { .device = "cuda", .machine = BARE, .want = "error: . Here: cpu (docs/devices.md" },
         { .device = "cuda", .machine = GPU_BUILD, .want = "error: . Here: cpu; not tried: webgpu (" },
         { .device = "cuda:9",
           .machine = TWO_GPUS,
           .want = "error: . Here: cpu, cuda:0, cuda:1; not tried: tensorrt, webgpu (docs" },
         { .device = "cuda",
           .machine = NO_DEVICE,
           .want = "error: the NVIDIA driver shows no device" },
         { .device = "cuda", .machine = BAD_DRIVER, .want = "error: cuInit failed with 803" },
         { .device = "cuda",
           .machine = GPU_NO_EP,
           .want = "error: built without CUDAExecutionProvider" },
         { .device = "cuda:5",
           .machine = TWO_GPUS,
           .want = "error: Invalid CUDA device ID: device 5 is not there, only 2 found" },
         { .device = "tensorrt", .machine = GPU_BUILD, .want = "error: no NVIDIA driver" },
         { .device = "mps",
           .machine = BARE,
           .want = "error: built without CoreMLExecutionProvider" },
         { .device = "webgpu",
           .machine = BARE,
           .want = "error: built without WebGpuExecutionProvider" },
         { .device = "migraphx",
           .machine = BARE,
           .want = "error: built without MIGraphXExecutionProvider" });
}

TEST(lists, "a list and cuda:all run on several devices")
{
    ROWS(
        { .device = "cuda:0,cuda:1",
          .machine = TWO_GPUS,
          .want = "cuda:0,cuda:1",
          .tried = "cuda:0 cuda:1" },
        { .device = "cuda:1,cuda:0",
          .machine = TWO_GPUS,
          .want = "cuda:1,cuda:0",
          .tried = "cuda:1 cuda:0" },
        { .device = "cuda:0,cpu", .machine = ONE_GPU, .want = "cuda:0,cpu", .tried = "cuda:0 cpu" },
        { .device = "cuda:0,cuda:1", .machine = ONE_GPU, .want = "error: only 1 found" },
        { .device = "cuda:0,cuda:1",
          .machine = TWO_GPUS,
          .failing = "cuda:1",
          .tried = "cuda:0 cuda:1",
          .want = "error: cuda:1 (DEVICE=cuda:0,cuda:1) cannot be used" },
        { .device = "cuda:all",
          .machine = TWO_GPUS,
          .want = "cuda:0,cuda:1",
          .tried = "cuda:0 cuda:1" },
        { .device = "cuda:all", .machine = ONE_GPU, .want = "cuda:0", .tried = "cuda:0" },
        { .device = "cuda:all",
          .machine = TWO_GPUS,
          .failing = "cuda:0",
          .want = "cuda:1",
          .tried = "cuda:0 cuda:1",
          .notes = "cuda:0 is left out: the test said no" },
        { .device = "cuda:all",
          .machine = TWO_GPUS,
          .failing = "cuda:0 cuda:1",
          .tried = "cuda:0 cuda:1",
          .want = "error: the test said no" },
        { .device = "cuda:all", .machine = BARE, .want = "error: no NVIDIA driver was found" });
}

TEST(permission, "ONNX_PROVIDERS is an ordered permission")
{
    ROWS({ .providers = "CPUExecutionProvider", .machine = ONE_GPU, .want = "cpu", .tried = "cpu" },
         { .providers = "CUDAExecutionProvider,CPUExecutionProvider",
           .machine = ONE_GPU,
           .want = "cuda:0",
           .tried = "cuda:0" },
         { .providers = "CPUExecutionProvider,CUDAExecutionProvider",
           .machine = ONE_GPU,
           .want = "cpu",
           .tried = "cpu" },
         { .providers = "CUDAExecutionProvider,CPUExecutionProvider",
           .machine = BARE,
           .want = "cpu",
           .tried = "cpu",
           .notes = "cuda is passed over: no NVIDIA driver" },
         { .providers = "TensorrtExecutionProvider,CUDAExecutionProvider",
           .machine = ONE_GPU,
           .failing = "tensorrt",
           .want = "cuda:0",
           .tried = "tensorrt cuda:0",
           .notes = "tensorrt is passed" },
         { .providers = "WebGpuExecutionProvider,CPUExecutionProvider",
           .machine = GPU_BUILD,
           .want = "webgpu",
           .tried = "webgpu" },
         { .providers = "WebGpuExecutionProvider,CPUExecutionProvider",
           .machine = GPU_BUILD,
           .failing = "webgpu",
           .want = "cpu",
           .tried = "webgpu cpu",
           .notes = "webgpu is passed over" },
         { .providers = "CoreMLExecutionProvider,CPUExecutionProvider",
           .machine = BARE,
           .want = "cpu",
           .tried = "cpu",
           .notes = "coreml is passed over" },
         { .providers = "CUDAExecutionProvider",
           .machine = BARE,
           .want = "error: no device passed: cuda did not do: no NVIDIA driver" },
         { .device = "cuda",
           .providers = "CPUExecutionProvider",
           .machine = ONE_GPU,
           .want =
               "error: DEVICE=cuda needs CUDAExecutionProvider, which ONNX_PROVIDERS leaves out" },
         { .device = "cuda:all",
           .providers = "CPUExecutionProvider",
           .machine = ONE_GPU,
           .want = "error: which ONNX_PROVIDERS leaves out" },
         { .force = "1",
           .providers = "CUDAExecutionProvider",
           .machine = ONE_GPU,
           .want = "error: FORCE_CPU=true needs CPUExecutionProvider" },
         { .device = "cpu",
           .providers = "CUDAExecutionProvider",
           .machine = ONE_GPU,
           .want = "error: DEVICE=cpu needs CPUExecutionProvider" },
         { .device = "cuda:1",
           .providers = "CPUExecutionProvider,CUDAExecutionProvider",
           .machine = TWO_GPUS,
           .want = "cuda:1",
           .tried = "cuda:1" });
}

TEST(reasons, "the reason names what decided")
{
    static const struct {
        struct row row;
        const char *reason;
    } cases[] = {
        { { .machine = BARE }, "auto: this machine has no accelerator that auto considers" },
        { { .machine = ONE_GPU }, "auto: cuda:0 passed the test" },
        { { .machine = ONE_GPU, .failing = "cuda:0" },
          "auto: cpu, because cuda:0 did not do: the test said no" },
        { { .flag = "cpu", .machine = BARE }, "asked for with --device=cpu" },
        { { .device = "cuda:0", .machine = ONE_GPU }, "asked for with DEVICE=cuda:0" },
        { { .force = "yes", .machine = ONE_GPU }, "FORCE_CPU is set" },
        { { .providers = "CPUExecutionProvider", .machine = ONE_GPU },
          "auto: cpu is the first of ONNX_PROVIDERS and passed the test" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ims_device_choice choice;
        ims_err err = { .text = "" };
        char tried[256];

        CHECK_OK(decide(&cases[i].row, &choice, tried, sizeof(tried), &err), err);
        CHECK_STR(choice.reason, cases[i].reason);
    }
}

/* Every combination: whatever comes out obeys what must always hold. */
TEST(all_combinations, "no combination of settings, machine and proofs breaks the rules")
{
    static const char *const devices[] = { NULL,       "cpu",           "cuda", "cuda:1",
                                           "cuda:all", "cuda:0,cuda:1", "mps",  "webgpu",
                                           "tensorrt", "openvino",      "auto" };
    static const char *const forces[] = { NULL, "1" };
    static const char *const lists[] = {
        NULL, "CPUExecutionProvider", "CUDAExecutionProvider",
        "CUDAExecutionProvider,CPUExecutionProvider",
        "WebGpuExecutionProvider,CoreMLExecutionProvider,CPUExecutionProvider"
    };
    static const char *const failings[] = { NULL, "cuda:0", "~cuda:0 coreml",
                                            "cuda:0 cuda:1 webgpu" };
    size_t n = 0, n_chosen = 0;

    for (size_t i = 0; i < 11 * 2 * 5 * 4 * 10; i++) {
        struct row row = { .device = devices[i % 11],
                           .force = forces[i / 11 % 2],
                           .providers = lists[i / 22 % 5],
                           .failing = failings[i / 110 % 4],
                           .machine = (enum machine)(i / 440 % 10) };
        struct ims_device_choice choice;
        ims_err err = { .status = IMS_OK };
        char tried[256];
        bool is_named = row.device && strcmp(row.device, "auto") != 0;

        n++;
        if (decide(&row, &choice, tried, sizeof(tried), &err) != IMS_OK) {
            CHECK(err.text[0]);
            CHECK(is_named ||
                  row.providers); /* plain auto and FORCE_CPU alone always find the CPU */
            continue;
        }
        n_chosen++;
        CHECK(choice.n_ids >= 1);
        for (size_t k = 0; k < choice.n_ids; k++) {
            char name[IMS_DEVICE_NAME_BYTES];

            ims_device_id_name(choice.ids[k], name);
            CHECK(is_listed(tried, name));        /* nothing unproven is chosen */
            CHECK(!is_listed(row.failing, name)); /* nothing failed is chosen */
            CHECK(!row.providers ||
                  strstr(row.providers, ims_device_kind_provider(choice.ids[k].kind)));
            CHECK(is_named || !row.force || choice.ids[k].kind == IMS_DEVICE_CPU);
        }
    }
    test_note("%zu combinations, %zu with a device", n, n_chosen);
    CHECK_INT(n, 4400);
    CHECK(n_chosen > 1000);
}

TEST_MAIN
