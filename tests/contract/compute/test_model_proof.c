/* Proof before use, with devices that do every wrong thing: what passes, what is kept on disk, and
 * what the choice makes of it. The devices are planned: CUDA's name, the CPU's work, and the plan's
 * faults in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "fault_backend.h"

#include "base/mem.h"
#include "compute/model_proof.h"
#include "compute/proof_graph.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODEL "toy"
#define ROWS 4

static const struct ims_device_id cuda0 = { IMS_DEVICE_CUDA, 0 };
static const struct ims_device_id cpu = { IMS_DEVICE_CPU, 0 };

/* The test graph plays the model. */
struct toy {
    struct ims_buf bytes;
    struct ims_proof_set set;
    float golden[ROWS * IMS_PROOF_OUTPUT];
};

static ims_status fill_images(void *arg, const struct ims_compute_session *s, size_t which,
                              struct ims_compute_value *in, size_t *out_n, ims_err *err)
{
    ims_status st;

    (void)arg;
    (void)s;
    (void)which;
    in->tensor =
        (struct ims_tensor){ .dtype = IMS_DTYPE_F32, .rank = 4, .shape = { ROWS, 3, 8, 8 } };
    st = ims_tensor_alloc(&in->tensor, err);
    if (!st)
        ims__proof_input(in->tensor.data, ROWS);
    *out_n = 1;
    return st;
}

static const float *give_golden(void *arg, size_t which, size_t *out_n)
{
    struct toy *t = arg;

    (void)which;
    *out_n = ROWS * IMS_PROOF_OUTPUT;
    return t->golden;
}

static void make_toy(struct toy *t)
{
    double exact[ROWS * IMS_PROOF_OUTPUT];
    float x[ROWS * IMS_PROOF_INPUT];
    ims_err err;

    memset(t, 0, sizeof(*t));
    CHECK_OK(ims__proof_graph(&t->bytes, &err), err);
    t->set = (struct ims_proof_set){
        .model = MODEL,
        .digest = "0123",
        .graph_name = "image",
        .graph = { .bytes = t->bytes.data, .n_bytes = t->bytes.len },
        .version = 1,
        .has_rows = true,
        .n_cases = 1,
        .fill = fill_images,
        .arg = t,
    };
    ims__proof_input(x, ROWS);
    ims__proof_expected(x, ROWS, exact);
    for (size_t i = 0; i < ROWS * IMS_PROOF_OUTPUT; i++)
        t->golden[i] = (float)exact[i];
}

static struct fault_plan plan_for(struct ims_device_id id, enum fault_kind kind)
{
    struct fault_plan plan = { .lists_cuda = true,
                               .n_cuda = 2,
                               .run_fails_at = 1,
                               .run_kind = kind,
                               .label = MODEL,
                               .has_device = true,
                               .device = id };

    return plan;
}

static struct fault_plan good_plan(void)
{
    struct fault_plan plan = plan_for(cuda0, FAULT_STATUS);

    plan.run_fails_at = 0;
    return plan;
}

static struct ims_compute *open_compute(struct fault_plan *plan, const char *flag,
                                        const char *providers, const char *cache_dir)
{
    struct ims_compute_options options = { .device = { .flag = flag, .onnx_providers = providers },
                                           .n_threads = 1,
                                           .cache_dir = cache_dir,
                                           .backend = &fault_backend,
                                           .backend_arg = plan };
    struct ims_compute *c = NULL;
    ims_err err = { .text = "" };

    return test_check_ok(__FILE__, __LINE__, "open", ims_compute_open(&c, &options, &err), &err)
               ? c
               : NULL;
}

/* The verdict of a handle of its own. */
static struct ims_proof_verdict prove_once(struct toy *t, struct fault_plan *plan,
                                           struct ims_device_id id, const char *cache_dir)
{
    struct ims_compute *c = open_compute(plan, "auto", NULL, cache_dir);
    struct ims_proof_verdict v = { .state = IMS_PROOF_NONE };
    ims_err err = { .text = "" };

    if (c)
        test_check_ok(__FILE__, __LINE__, "prove",
                      ims_compute_prove_model(c, &t->set, id, false, &v, &err), &err);
    ims_compute_close(c);
    return v;
}

static void choose_once(struct toy *t, struct fault_plan *plan, const char *flag,
                        const char *providers, const char *cache_dir,
                        struct ims_device_choice *out, ims_status want, ims_err *err)
{
    struct ims_compute *c = open_compute(plan, flag, providers, cache_dir);

    CHECK(c);
    test_check_status(__FILE__, __LINE__, "choose", ims_compute_choose_for(c, &t->set, out, err),
                      want, err);
    ims_compute_close(c);
}

TEST(right_device, "a device that computes the model passes, and its nearness is told")
{
    struct fault_plan plan = good_plan();
    struct ims_proof_verdict v;
    struct toy t;

    make_toy(&t);
    v = prove_once(&t, &plan, cuda0, NULL);
    CHECK_INT(v.state, IMS_PROOF_PASSED);
    CHECK(v.has_numbers && v.min_cosine > 0.999999 && v.max_difference < 1e-4);
    CHECK(strstr(v.text, "toy image in fp32 is right") != NULL);
    CHECK(!v.is_stored && v.made_us > 0);
    CHECK_INT(plan.n_sessions, plan.n_session_closes);
    CHECK_INT(plan.n_meant, 3); /* all rows, the first alone, the last alone */
    ims__buf_release(&t.bytes);
}

static const struct wrong {
    enum fault_kind kind;
    ims_status status;
    const char *text;
} wrongs[] = {
    { FAULT_CONSTANT, IMS_OK, "one result for different inputs" },
    { FAULT_STATUS, IMS_OK, "results that are no numbers" }, /* NaN */
    { FAULT_WRONG, IMS_OK, "wrong results: cosine 0." },
    { FAULT_SLIGHT, IMS_OK, "wrong results: cosine 0.9999" },
    { FAULT_PERMUTED_ROWS, IMS_OK, "wrong results: cosine" },
    { FAULT_PERMUTED_NUMBERS, IMS_OK, "wrong results: cosine" },
    { FAULT_IN_BATCHES, IMS_OK, "wrong results: cosine 0.9999" },
    { FAULT_STATUS, IMS_E_DEVICE, "the plan says: run 1 fails" },
    { FAULT_STATUS, IMS_E_TIMEOUT, "the plan says: run 1 fails" },
};

TEST(wrong_devices, "whatever a device does wrong, it fails the proof with what it did")
{
    struct toy t;

    make_toy(&t);
    for (size_t i = 0; i < IMS_ARRAY_LEN(wrongs); i++) {
        struct fault_plan plan = plan_for(cuda0, wrongs[i].kind);
        struct ims_proof_verdict v;

        plan.run_status = wrongs[i].status;
        v = prove_once(&t, &plan, cuda0, NULL);
        CHECK_INT(v.state, IMS_PROOF_FAILED);
        if (!strstr(v.text, wrongs[i].text))
            test_fail(__FILE__, __LINE__, "fault %zu: %s", i, v.text);
        CHECK_INT(plan.n_sessions, plan.n_session_closes);
    }
    ims__buf_release(&t.bytes);
}

TEST(alone, "a device that is right in batches and wrong for a single input fails")
{
    struct fault_plan plan = plan_for(cuda0, FAULT_SLIGHT);
    struct ims_proof_verdict v;
    struct toy t;

    make_toy(&t);
    for (plan.run_fails_at = 2; plan.run_fails_at <= 3; plan.run_fails_at++) { /* first, last */
        plan.n_runs = 0;
        v = prove_once(&t, &plan, cuda0, NULL);
        CHECK_INT(v.state, IMS_PROOF_FAILED);
        CHECK(strstr(v.text, "by itself and in a batch") != NULL);
    }
    ims__buf_release(&t.bytes);
}

TEST(named, "a device asked for by name that fails is an error with the reason")
{
    struct fault_plan plan = plan_for(cuda0, FAULT_SLIGHT);
    struct ims_device_choice choice;
    ims_err err = { .text = "" };
    struct toy t;

    make_toy(&t);
    choose_once(&t, &plan, "cuda", NULL, NULL, &choice, IMS_E_DEVICE, &err);
    CHECK(strstr(err.text, "cuda:0 (--device=cuda) cannot be used: toy image in fp32: wrong") != NULL);
    choose_once(&t, &plan, "cuda:1", NULL, NULL, &choice, IMS_OK, &err); /* that one is right */
    CHECK_INT(choice.ids[0].index, 1);
    ims__buf_release(&t.bytes);
}

TEST(moving_on, "auto and a provider list pass over a device that fails, and say why")
{
    struct fault_plan plan = plan_for(cuda0, FAULT_PERMUTED_ROWS);
    struct ims_device_choice choice;
    ims_err err = { .text = "" };
    struct toy t;

    make_toy(&t);
    choose_once(&t, &plan, NULL, "CUDAExecutionProvider,CPUExecutionProvider", NULL, &choice, IMS_OK,
                &err);
    CHECK_INT(choice.ids[0].kind, IMS_DEVICE_CUDA);
    CHECK_INT(choice.ids[0].index, 1);
    CHECK_INT(choice.notes.n, 1);
    CHECK(strstr(choice.notes.at[0].text, "cuda:0 is passed over: toy image") != NULL);
    plan.n_cuda = 1;
    choose_once(&t, &plan, "auto", NULL, NULL, &choice, IMS_OK, &err);
    CHECK_INT(choice.ids[0].kind, IMS_DEVICE_CPU);
    CHECK(strstr(choice.reason, "cuda:0 did not do: toy image in fp32: wrong results") != NULL);
    choose_once(&t, &plan, NULL, "CUDAExecutionProvider", NULL, &choice, IMS_E_DEVICE, &err);
    ims__buf_release(&t.bytes);
}

/* ---- what is kept ---- */

static unsigned count_files(const char *cache, const char *suffix, char *last, size_t size)
{
    char dir[1200];
    struct dirent *e;
    unsigned n = 0;
    DIR *d;

    snprintf(dir, sizeof(dir), "%s/proofs", cache);
    d = opendir(dir);
    while (d && (e = readdir(d))) {
        if (strstr(e->d_name, suffix)) {
            n++;
            snprintf(last, size, "%s/%s", dir, e->d_name);
        }
    }
    if (d)
        closedir(d);
    return n;
}

TEST(kept, "a verdict is kept: the next process asks the device nothing")
{
    struct fault_plan plan = good_plan();
    const char *cache = test_tmp_dir();
    struct ims_proof_verdict v;
    char path[1400];
    unsigned n_sessions;
    struct toy t;

    make_toy(&t);
    v = prove_once(&t, &plan, cuda0, cache);
    CHECK_INT(count_files(cache, ".json", path, sizeof(path)), 1);
    CHECK_INT(count_files(cache, ".ref", path, sizeof(path)), 1);
    n_sessions = plan.n_sessions;
    v = prove_once(&t, &plan, cuda0, cache);
    CHECK_INT(plan.n_sessions, n_sessions);
    CHECK(v.is_stored && v.state == IMS_PROOF_PASSED && v.has_numbers && v.min_cosine > 0.999999);
    v = prove_once(&t, &plan, (struct ims_device_id){ IMS_DEVICE_CUDA, 1 }, cache);
    CHECK_INT(plan.n_sessions, n_sessions + 1); /* another device; the reference is kept */
    t.set.version++;
    v = prove_once(&t, &plan, cuda0, cache);
    CHECK_INT(plan.n_sessions, n_sessions + 3); /* other inputs: reference and device */
    CHECK(!v.is_stored);
    ims__buf_release(&t.bytes);
}

TEST(kept_failure, "wrong results are kept, too; a device that gave none is asked again")
{
    struct fault_plan plan = plan_for(cuda0, FAULT_WRONG);
    const char *cache = test_tmp_dir();
    struct ims_proof_verdict v;
    struct toy t;

    make_toy(&t);
    (void)prove_once(&t, &plan, cuda0, cache);
    v = prove_once(&t, &plan, cuda0, cache);
    CHECK(v.is_stored && v.state == IMS_PROOF_FAILED);
    CHECK(strstr(v.text, "wrong results") != NULL);

    cache = test_tmp_dir();
    plan = plan_for(cuda0, FAULT_STATUS);
    plan.run_status = IMS_E_NOMEM;
    v = prove_once(&t, &plan, cuda0, cache);
    CHECK_INT(v.state, IMS_PROOF_FAILED);
    plan.run_fails_at = 0;
    v = prove_once(&t, &plan, cuda0, cache);
    CHECK(!v.is_stored && v.state == IMS_PROOF_PASSED);
    ims__buf_release(&t.bytes);
}

static void overwrite(const char *path, size_t at, const char *text, bool cut)
{
    FILE *f = fopen(path, "r+e");

    CHECK(f && fseek(f, (long)at, SEEK_SET) == 0);
    CHECK(fwrite(text, 1, strlen(text), f) == strlen(text));
    fflush(f);
    CHECK(!cut || ftruncate(fileno(f), (off_t)(at + strlen(text))) == 0);
    fclose(f);
}

TEST(damaged, "files that are damaged, cut or about something else are as good as none")
{
    static const struct {
        const char *suffix, *text;
        size_t at;
        bool cut;
    } damages[] = {
        { ".json", "{", 0, true },
        { ".json", "", 0, true },
        { ".json", "\"about\": \"imgsearch proof 0", 3, false }, /* another recipe */
        { ".json", "{\"state\": \"passed\", \"text\": \"\"}", 0, true },
        { ".ref", "", 0, true },
        { ".ref", "imsref1", 0, true },
        { ".ref", "xx", 40, false },
        { ".ref", "\377\377\377\377\377\377\377", 8, false },
    };
    struct toy t;

    make_toy(&t);
    for (size_t i = 0; i < IMS_ARRAY_LEN(damages); i++) {
        struct fault_plan plan = good_plan();
        const char *cache = test_tmp_dir();
        struct ims_proof_verdict v = prove_once(&t, &plan, cuda0, cache);
        char path[1400] = "";
        unsigned n_sessions = plan.n_sessions;

        CHECK_INT(v.state, IMS_PROOF_PASSED);
        CHECK_INT(count_files(cache, damages[i].suffix, path, sizeof(path)), 1);
        overwrite(path, damages[i].at, damages[i].text, damages[i].cut);
        if (strcmp(damages[i].suffix, ".ref") == 0) { /* the verdict would spare the reference */
            CHECK_INT(count_files(cache, ".json", path, sizeof(path)), 1);
            CHECK(unlink(path) == 0);
        }
        v = prove_once(&t, &plan, cuda0, cache);
        CHECK(!v.is_stored && v.state == IMS_PROOF_PASSED);
        CHECK_INT(plan.n_sessions - n_sessions, strcmp(damages[i].suffix, ".ref") == 0 ? 2 : 1);
        v = prove_once(&t, &plan, cuda0, cache);
        CHECK(v.is_stored);
    }
    ims__buf_release(&t.bytes);
}

TEST(again, "asked to prove again, what is kept is not looked at")
{
    struct fault_plan plan = good_plan();
    struct ims_compute_options options = { .device = { .flag = "auto" },
                                           .n_threads = 1,
                                           .cache_dir = test_tmp_dir(),
                                           .prove_again = true,
                                           .backend = &fault_backend,
                                           .backend_arg = &plan };
    struct ims_compute *c = NULL;
    struct ims_proof_verdict v;
    unsigned n_sessions;
    ims_err err;
    struct toy t;

    make_toy(&t);
    (void)prove_once(&t, &plan, cuda0, options.cache_dir);
    n_sessions = plan.n_sessions;
    CHECK_OK(ims_compute_open(&c, &options, &err), err);
    CHECK_OK(ims_compute_prove_model(c, &t.set, cuda0, false, &v, &err), err);
    CHECK(!v.is_stored);
    CHECK_INT(plan.n_sessions, n_sessions + 2);
    CHECK_OK(ims_compute_prove_model(c, &t.set, cuda0, false, &v, &err), err);
    CHECK_INT(plan.n_sessions, n_sessions + 2); /* once is enough for one handle */
    CHECK_INT(ims_compute_verdicts(c, &v, 1), 1);
    CHECK_STR(v.model, MODEL);
    ims_compute_close(c);
    ims__buf_release(&t.bytes);
}

TEST(vulkan, "what was proven of WebGPU with one Vulkan driver is proven again with another")
{
    struct fault_plan plan = good_plan();
    const struct ims_device_id webgpu = { IMS_DEVICE_WEBGPU, 0 };
    const char *cache = test_tmp_dir();
    struct toy t;

    make_toy(&t);
    CHECK(!prove_once(&t, &plan, webgpu, cache).is_stored);
    CHECK(prove_once(&t, &plan, webgpu, cache).is_stored);
    plan.vulkan_driver = "23.2.1";
    CHECK(!prove_once(&t, &plan, webgpu, cache).is_stored);
    CHECK(prove_once(&t, &plan, webgpu, cache).is_stored);
    plan.vulkan_driver = "23.2.2";
    CHECK(!prove_once(&t, &plan, webgpu, cache).is_stored);
    CHECK(!prove_once(&t, &plan, cuda0, cache).is_stored);
    plan.vulkan_driver = "23.2.1";
    CHECK(prove_once(&t, &plan, webgpu, cache).is_stored);
    CHECK(prove_once(&t, &plan, cuda0, cache).is_stored); /* not CUDA's business */
    ims__buf_release(&t.bytes);
}

/* ---- the measure itself ---- */

TEST(golden, "numbers that came with the model are the measure, for the CPU as well")
{
    struct fault_plan plan = good_plan();
    struct ims_proof_verdict v;
    struct toy t;

    make_toy(&t);
    t.set.golden = give_golden;
    v = prove_once(&t, &plan, cpu, NULL);
    CHECK_INT(v.state, IMS_PROOF_PASSED);
    CHECK(v.max_difference > 0 && v.max_difference < 1e-4);
    v = prove_once(&t, &plan, cuda0, NULL);
    CHECK_INT(v.state, IMS_PROOF_PASSED);
    t.golden[9] += 0.1f;
    v = prove_once(&t, &plan, cpu, NULL);
    CHECK_INT(v.state, IMS_PROOF_FAILED);
    CHECK(strstr(v.text, "with the reference that came with the model") != NULL);
    v = prove_once(&t, &plan, cuda0, NULL);
    CHECK_INT(v.state, IMS_PROOF_FAILED);
    ims__buf_release(&t.bytes);
}

TEST(stored_reference, "a CPU that no longer gives what it gave before fails")
{
    struct fault_plan plan = good_plan();
    const char *cache = test_tmp_dir();
    struct ims_proof_verdict v;
    char path[1400];
    struct toy t;

    make_toy(&t);
    v = prove_once(&t, &plan, cpu, cache);
    CHECK_INT(v.state, IMS_PROOF_PASSED);
    CHECK(strstr(v.text, "makes sense") != NULL);
    CHECK_INT(count_files(cache, ".json", path, sizeof(path)), 1);
    CHECK(unlink(path) == 0); /* as after an upgrade of the runtime */
    plan = plan_for(cpu, FAULT_SLIGHT);
    v = prove_once(&t, &plan, cpu, cache);
    CHECK_INT(v.state, IMS_PROOF_FAILED);
    CHECK(strstr(v.text, "with the CPU's float32 results") != NULL);
    ims__buf_release(&t.bytes);
}

TEST(model_to_blame, "a model that makes no sense on the CPU is the model's error, not a device's")
{
    static const enum fault_kind kinds[] = { FAULT_CONSTANT, FAULT_STATUS, FAULT_IN_BATCHES };
    struct toy t;

    make_toy(&t);
    for (size_t i = 0; i < IMS_ARRAY_LEN(kinds); i++) {
        struct fault_plan plan = plan_for(cpu, kinds[i]);
        struct ims_compute *c = open_compute(&plan, "cuda", NULL, NULL);
        struct ims_device_choice choice;
        ims_err err = { .text = "" };

        CHECK(c);
        CHECK_STATUS(ims_compute_choose_for(c, &t.set, &choice, &err), IMS_E_MODEL, err);
        CHECK(strstr(err.text, "toy image on the cpu") != NULL);
        ims_compute_close(c);
    }
    ims__buf_release(&t.bytes);
}

TEST(precision, "another precision is held against the float32 graph, with bounds of its own")
{
    struct fault_plan plan = plan_for(cuda0, FAULT_SLIGHT);
    struct ims_proof_verdict v;
    struct ims_compute *c;
    ims_err err = { .text = "" };
    struct toy t;

    make_toy(&t);
    t.set.precision = IMS_PRECISION_FP16;
    c = open_compute(&plan, "auto", NULL, NULL);
    CHECK_STATUS(ims_compute_prove_model(c, &t.set, cuda0, false, &v, &err), IMS_E_INVALID, err);
    ims_compute_close(c);
    t.set.reference = t.set.graph;
    v = prove_once(&t, &plan, cuda0, NULL);
    CHECK_INT(v.state, IMS_PROOF_PASSED); /* a hundredth off is within a half's bounds */
    CHECK(strstr(v.text, "in fp16") != NULL);
    plan = plan_for(cpu, FAULT_WRONG);
    t.set.precision = IMS_PRECISION_INT8;
    plan.run_fails_at = 3; /* the reference and its check are right */
    v = prove_once(&t, &plan, cpu, NULL);
    CHECK_INT(v.state, IMS_PROOF_PASSED);
    plan = plan_for(cpu, FAULT_PERMUTED_NUMBERS);
    plan.run_fails_at = 3;
    v = prove_once(&t, &plan, cpu, NULL);
    CHECK_INT(v.state, IMS_PROOF_FAILED);
    ims__buf_release(&t.bytes);
}

/* ---- graphs of other forms ---- */

static ims_status fill_pairs(void *arg, const struct ims_compute_session *s, size_t which,
                             struct ims_compute_value *in, size_t *out_n, ims_err *err)
{
    size_t n_rows = *(size_t *)arg;
    ims_status st;

    (void)s;
    in->tensor =
        (struct ims_tensor){ .dtype = IMS_DTYPE_F32, .rank = 2, .shape = { (int64_t)n_rows, 2 } };
    st = ims_tensor_alloc(&in->tensor, err);
    for (size_t i = 0; !st && i < n_rows * 2; i++)
        ((float *)in->tensor.data)[i] = (float)(i + 1) * (which ? -1.0f : 0.5f);
    *out_n = 1;
    return st;
}

TEST(forms, "graphs that insist on one row, and graphs without rows, are proven as they are")
{
    size_t n_rows = 3;
    struct toy t = { .set = { .model = MODEL,
                              .digest = "77",
                              .graph_name = "double",
                              .graph = { .path = fixture_graph("declares_one") },
                              .has_rows = true,
                              .n_cases = 1,
                              .fill = fill_pairs,
                              .arg = &n_rows } };
    struct fault_plan plan = good_plan();
    struct ims_proof_verdict v = prove_once(&t, &plan, cuda0, NULL);

    CHECK_INT(v.state, IMS_PROOF_PASSED);
    CHECK(plan.n_meant >= 3);
    plan = plan_for(cuda0, FAULT_SLIGHT);
    plan.run_fails_at = 3;
    CHECK_INT(prove_once(&t, &plan, cuda0, NULL).state, IMS_PROOF_FAILED);

    n_rows = 1;
    t.set.has_rows = false;
    t.set.n_cases = 2;
    plan = good_plan();
    CHECK_INT(prove_once(&t, &plan, cuda0, NULL).state, IMS_PROOF_PASSED);
    plan = plan_for(cuda0, FAULT_CONSTANT);
    v = prove_once(&t, &plan, cuda0, NULL);
    CHECK_INT(v.state, IMS_PROOF_FAILED);
    CHECK(strstr(v.text, "one result for different inputs") != NULL);
    plan = plan_for(cuda0, FAULT_SLIGHT);
    plan.run_fails_at = 2; /* only the second case */
    CHECK_INT(prove_once(&t, &plan, cuda0, NULL).state, IMS_PROOF_FAILED);
}

/* ---- speed ---- */

TEST(slower, "auto skips a device that measured slower than the CPU, and the measure is kept")
{
    struct fault_plan plan = plan_for(cuda0, FAULT_SLOW);
    const char *cache = test_tmp_dir();
    struct ims_device_choice choice;
    ims_err err = { .text = "" };
    unsigned n_sessions;
    struct toy t;

    make_toy(&t);
    plan.n_cuda = 1;
    choose_once(&t, &plan, "auto", NULL, cache, &choice, IMS_OK, &err);
    CHECK_INT(choice.ids[0].kind, IMS_DEVICE_CPU);
    CHECK(strstr(choice.reason, "cuda:0 did not do: slower than the CPU here: toy image: ") != NULL);
    CHECK_INT(choice.notes.n, 1);
    n_sessions = plan.n_sessions;
    choose_once(&t, &plan, "auto", NULL, cache, &choice, IMS_OK, &err);
    CHECK_INT(choice.ids[0].kind, IMS_DEVICE_CPU);
    CHECK_INT(plan.n_sessions, n_sessions + 2); /* the test graph on both; not the model */
    choose_once(&t, &plan, "cuda", NULL, cache, &choice, IMS_OK, &err); /* by name: speed is no matter */
    CHECK_INT(choice.ids[0].kind, IMS_DEVICE_CUDA);
    choose_once(&t, &plan, NULL, "CUDAExecutionProvider,CPUExecutionProvider", cache, &choice, IMS_OK,
                &err); /* nor where the operator gives the order */
    CHECK_INT(choice.ids[0].kind, IMS_DEVICE_CUDA);
    ims__buf_release(&t.bytes);
}

TEST(faster, "auto takes a device that measured faster than the CPU")
{
    struct fault_plan plan = plan_for(cpu, FAULT_SLOW);
    struct ims_device_choice choice;
    ims_err err = { .text = "" };
    struct toy t;

    make_toy(&t);
    choose_once(&t, &plan, "auto", NULL, NULL, &choice, IMS_OK, &err);
    CHECK_INT(choice.ids[0].kind, IMS_DEVICE_CUDA);
    CHECK_INT(choice.notes.n, 0);
    ims__buf_release(&t.bytes);
}

TEST(threads, "speed is measured again when the CPU has other threads than then")
{
    struct fault_plan plan = good_plan();
    const char *cache = test_tmp_dir();
    struct ims_proof_verdict v;
    ims_err err;
    struct toy t;

    make_toy(&t);
    for (unsigned n_threads = 1; n_threads <= 3; n_threads++) {
        struct ims_compute_options options = { .n_threads = n_threads ? (n_threads + 1) / 2 : 1,
                                               .cache_dir = cache,
                                               .backend = &fault_backend,
                                               .backend_arg = &plan };
        struct ims_compute *c = NULL;

        CHECK_OK(ims_compute_open(&c, &options, &err), err);
        CHECK_OK(ims_compute_prove_model(c, &t.set, cuda0, true, &v, &err), err);
        CHECK_INT(v.is_stored, n_threads == 2); /* 1, 1, 2 threads */
        CHECK(v.rows_per_s > 0 && v.cpu_rows_per_s > 0);
        ims_compute_close(c);
    }
    ims__buf_release(&t.bytes);
}

TEST(memory, "when memory is short at any point, a proof is an error or a verdict that is not kept")
{
    const char *cache = test_tmp_dir();
    struct fault_plan plan = good_plan();
    struct ims_proof_verdict v = { .state = IMS_PROOF_NONE };
    ims_status st = IMS_E_NOMEM;
    struct toy t;

    make_toy(&t);
    for (uint64_t n = 1; n < 4000 && (st || v.state != IMS_PROOF_PASSED); n++) {
        struct ims_compute *c = open_compute(&plan, "auto", NULL, cache);
        ims_err err = { .text = "" };

        CHECK(c);
        ims__mem_fail_at(n);
        st = ims_compute_prove_model(c, &t.set, cuda0, false, &v, &err);
        ims__mem_fail_at(0);
        CHECK(!st || err.text[0]);
        CHECK(st || v.state == IMS_PROOF_PASSED || v.state == IMS_PROOF_FAILED);
        ims_compute_close(c);
    }
    CHECK_INT(st, IMS_OK);
    v = prove_once(&t, &plan, cuda0, cache);
    CHECK_INT(v.state, IMS_PROOF_PASSED);
    ims__buf_release(&t.bytes);
}

TEST_MAIN
