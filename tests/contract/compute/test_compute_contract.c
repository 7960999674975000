/* What every device behind the compute seam must do; runs once per device.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/thread.h"
#include "compute/graph_inline.h"
#include "compute/proof_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHAIN 32

/* The chain graph in double precision. */
static void expect_chain(const float *x, size_t batch, double *y)
{
    for (size_t n = 0; n < batch; n++) {
        double a[CHAIN], b[CHAIN];

        for (size_t i = 0; i < CHAIN; i++)
            a[i] = (double)x[n * CHAIN + i];
        for (int layer = 0; layer < 8; layer++) {
            for (size_t j = 0; j < CHAIN; j++) {
                b[j] = 0;
                for (size_t i = 0; i < CHAIN; i++)
                    b[j] += a[i] * (((double)((i * CHAIN + j) * 7919 % 1009) - 504) / 4000.0);
                b[j] = tanh(b[j]);
            }
            memcpy(a, b, sizeof(a));
        }
        memcpy(y + n * CHAIN, a, sizeof(a));
    }
}

static void fill_random(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(test_random(&seed) >> 40) / 16777216.0f * 2 - 1;
}

/* Runs the chain on a batch and compares; false after recording a failure. */
static bool run_chain(struct ims_compute_session *s, size_t batch, uint64_t seed)
{
    float *x = ims__alloc(batch * CHAIN, sizeof(float));
    double *want = ims__alloc(batch * CHAIN, sizeof(double));
    struct ims_compute_value in, out = { .name = "y" };
    ims_err err = { .text = "" };
    bool ok;

    fill_random(x, batch * CHAIN, seed);
    in = fixture_f32("x", 2, (int64_t[]){ (int64_t)batch, CHAIN }, x);
    ok = test_check_ok(__FILE__, __LINE__, "run", ims_compute_session_run(s, &in, 1, &out, 1, &err),
                       &err);
    ok = ok && test_check_int(__FILE__, __LINE__, "batch", out.tensor.shape[0], (long long)batch);
    expect_chain(x, batch, want);
    for (size_t i = 0; ok && i < batch * CHAIN; i++)
        ok = test_check_near(__FILE__, __LINE__, "y", (double)((float *)out.tensor.data)[i],
                             want[i], fixture_tolerance());
    ims_tensor_release(&out.tensor);
    ims__free(x);
    ims__free(want);
    return ok;
}

TEST(no_telemetry, "the runtime does not report home: nothing of its reporter is left behind")
{
    struct ims_compute *c = NULL;
    struct ims_compute_options options = { 0 };
    struct ims_compute_info *info = ims__zalloc(1, sizeof(*info));
    char path[64];
    ims_err err;

    CHECK_OK(ims_compute_open(&c, &options, &err), err);
    CHECK_STR(getenv("ORT_DISABLE_TELEMETRY"), "1");
    CHECK_OK(ims_compute_describe(c, true, info, &err), err);
    CHECK(info->has_runtime);
    ims_compute_close(c);
    snprintf(path, sizeof(path), "/tmp/mat-debug-%ld.log", (long)getpid());
    CHECK(access(path, F_OK) != 0);
    ims__free(info);
}

TEST(device, "the session runs on the device that was asked for, and tells")
{
    struct ims_compute_session *s = fixture_open("chain", NULL);
    struct ims_compute_report r;
    char name[IMS_DEVICE_NAME_BYTES];
    size_t n_own = 0, n_all = 0;

    CHECK(s);
    ims_compute_session_report(s, &r);
    ims_device_id_name(r.device, name);
    CHECK_STR(name, fixture_device());
    CHECK_STR(r.device_name, fixture_device());
    CHECK_STR(r.provider, ims_device_kind_provider(r.device.kind));
    if (r.is_assignment_known) {
        for (size_t i = 0; i < r.n_shares; i++) {
            test_note("%s: %zu nodes", r.shares[i].provider, r.shares[i].n_nodes);
            n_all += r.shares[i].n_nodes;
            n_own += strcmp(r.shares[i].provider, r.provider) == 0 ? r.shares[i].n_nodes : 0;
        }
        CHECK(n_own >= 16); /* 8 products, 8 tanh */
        CHECK(n_all <= 20);
    }
    ims_compute_session_close(s);
}

TEST(batches, "one session runs batches of any size, in any order, with right numbers")
{
    static const size_t batches[] = { 1, 7, 3, 32, 1, 16, 2 };
    struct ims_compute_session *s = fixture_open("chain", NULL);

    CHECK(s);
    for (size_t i = 0; i < IMS_ARRAY_LEN(batches); i++)
        CHECK(run_chain(s, batches[i], i + 1));
    ims_compute_session_close(s);
}

TEST(proof, "the proof passes and its numbers are those of the loops")
{
    struct ims_device_choice choice;
    struct ims_device_proof proof;
    ims_err err = { .text = "" };

    CHECK_OK(ims_compute_choose(fixture_compute(), &choice, &err), err);
    CHECK_OK(ims_compute_prove(fixture_compute(), choice.ids[0], &proof, &err), err);
    test_note("%s", proof.text);
    CHECK_INT(proof.state, IMS_PROOF_PASSED);
}

TEST(memory_graph, "a graph given as bytes outlives the bytes")
{
    struct ims_compute_graph graph = { .bytes = NULL };
    struct ims_compute_session *s = NULL;
    float x[2 * IMS_PROOF_INPUT] = { 0 };
    double want[2 * IMS_PROOF_OUTPUT];
    struct ims_compute_value in = fixture_f32(NULL, 4, (int64_t[]){ 2, 3, 8, 8 }, x),
                             out = { .name = "y" };
    struct ims_buf bytes;
    ims_err err = { .text = "" };

    CHECK_OK(ims__proof_graph(&bytes, &err), err);
    graph.bytes = bytes.data;
    graph.n_bytes = bytes.len;
    CHECK_OK(ims_compute_session_open(fixture_compute(), &s, &graph, NULL, &err), err);
    memset(bytes.data, 0xff, bytes.len);
    ims__buf_release(&bytes);
    ims__proof_input(x, 2);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    ims__proof_expected(x, 2, want);
    for (size_t i = 0; i < 2 * IMS_PROOF_OUTPUT; i++)
        CHECK_NEAR((double)((float *)out.tensor.data)[i], want[i], fixture_tolerance() * 10);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
}

TEST(ports, "names, types, shapes and symbols of inputs and outputs are read")
{
    struct ims_compute_session *s = fixture_open("ports", NULL);
    const struct ims_compute_port *image, *scale, *sum;

    CHECK(s);
    CHECK_INT(ims_compute_session_n_inputs(s), 2);
    CHECK_INT(ims_compute_session_n_outputs(s), 2);
    image = ims_compute_session_input(s, 0);
    scale = ims_compute_session_input(s, 1);
    sum = ims_compute_session_output(s, 0);
    CHECK_STR(image->name, "image");
    CHECK_INT(image->dtype, IMS_DTYPE_F32);
    CHECK_INT(image->rank, 4);
    CHECK_INT(image->shape[0], -1);
    CHECK_INT(image->shape[1], 3);
    CHECK_INT(image->shape[3], -1);
    CHECK_STR(image->symbol[0], "batch");
    CHECK_STR(image->symbol[1], "");
    CHECK_STR(image->symbol[2], "h");
    CHECK_STR(image->symbol[3], "w");
    CHECK_STR(scale->name, "scale");
    CHECK_INT(scale->rank, 0);
    CHECK_INT(sum->rank, 4);
    CHECK_INT(sum->shape[2], -1);
    CHECK_INT(ims_compute_session_output(s, 1)->dtype, IMS_DTYPE_NONE);
    CHECK(ims_compute_session_input(s, 2) == NULL);
    CHECK(ims_compute_session_output(s, 2) == NULL);
    ims_compute_session_close(s);
}

TEST(fixed_dims, "a symbolic dimension can be fixed when the session is opened")
{
    struct ims_compute_dim dims[] = { { "batch", 2 }, { "h", 4 }, { "nosuch", 9 } };
    struct ims_compute_session_options options = { .label = "fixed", .dims = dims, .n_dims = 3 };
    struct ims_compute_session *s = fixture_open("ports", &options);
    float x[2 * 3 * 4 * 5] = { 1.5f }, half = 0.5f;
    struct ims_compute_value in[2], out = { .name = "sum" };
    ims_err err = { .text = "" };

    CHECK(s);
    CHECK_INT(ims_compute_session_input(s, 0)->shape[0], 2);
    CHECK_INT(ims_compute_session_input(s, 0)->shape[2], 4);
    CHECK_INT(ims_compute_session_input(s, 0)->shape[3], -1);
    in[0] = fixture_f32("image", 4, (int64_t[]){ 2, 3, 4, 5 }, x);
    in[1] = fixture_f32("scale", 0, NULL, &half);
    CHECK_OK(ims_compute_session_run(s, in, 2, &out, 1, &err), err);
    CHECK_NEAR((double)((float *)out.tensor.data)[0], 2.0, 1e-6);
    ims_tensor_release(&out.tensor);
    in[0].tensor.shape[0] = 1;
    CHECK_STATUS(ims_compute_session_run(s, in, 2, &out, 1, &err), IMS_E_DIMENSION, err);
    ims_compute_session_close(s);
}

TEST(types, "every element type goes through unchanged")
{
    static const char *const names[] = { "f32", "f16", "f64", "u8", "i8", "i32", "i64", "bool" };
    static const ims_dtype dtypes[] = {
        IMS_DTYPE_F32, IMS_DTYPE_F16, IMS_DTYPE_F64, IMS_DTYPE_U8,
        IMS_DTYPE_I8,  IMS_DTYPE_I32, IMS_DTYPE_I64, IMS_DTYPE_BOOL
    };
    struct ims_compute_session *s = fixture_open("types", NULL);
    struct ims_compute_value in[8], out[8];
    char in_names[8][16], out_names[8][16];
    uint64_t data[8][6];
    ims_err err = { .text = "" };

    CHECK(s);
    for (size_t i = 0; i < 8; i++) {
        size_t bytes = 6 * ims_dtype_bytes(dtypes[i]);

        for (size_t k = 0; k < sizeof(data[i]); k++)
            ((unsigned char *)data[i])[k] =
                dtypes[i] == IMS_DTYPE_BOOL ? k % 2 : (unsigned char)(k * 3 + i);
        snprintf(in_names[i], sizeof(in_names[i]), "in_%s", names[i]);
        snprintf(out_names[i], sizeof(out_names[i]), "out_%s", names[i]);
        in[i] = (struct ims_compute_value){
            in_names[i], ims_tensor_view(dtypes[i], 2, (int64_t[]){ 2, 3 }, data[i], bytes)
        };
        out[i] = (struct ims_compute_value){ .name = out_names[i] };
    }
    CHECK_OK(ims_compute_session_run(s, in, 8, out, 8, &err), err);
    for (size_t i = 0; i < 8; i++) {
        CHECK_INT(ims_compute_session_input(s, i)->dtype, dtypes[i]);
        CHECK_INT(out[i].tensor.dtype, dtypes[i]);
        CHECK_INT(out[i].tensor.bytes, 6 * ims_dtype_bytes(dtypes[i]));
        CHECK_MEM(out[i].tensor.data, data[i], out[i].tensor.bytes);
        ims_tensor_release(&out[i].tensor);
    }
    ims_compute_session_close(s);
}

TEST(by_name, "inputs may come in any order by name, and outputs be left out")
{
    struct ims_compute_session *s = fixture_open("ports", NULL);
    float x[3] = { 1, 2, 3 }, one = 1;
    struct ims_compute_value in[2], out = { .name = "sum" };
    ims_err err = { .text = "" };

    CHECK(s);
    in[0] = fixture_f32("scale", 0, NULL, &one);
    in[1] = fixture_f32("image", 4, (int64_t[]){ 1, 3, 1, 1 }, x);
    CHECK_OK(ims_compute_session_run(s, in, 2, &out, 1, &err), err);
    CHECK_NEAR((double)((float *)out.tensor.data)[2], 4.0, 1e-6);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
}

TEST(in_place, "a result is written into memory that the caller brings")
{
    struct ims_compute_session *s = fixture_open("chain", NULL);
    float x[4 * CHAIN] = { 0 }, y[4 * CHAIN + 1];
    double want[4 * CHAIN];
    struct ims_compute_value in, out;
    ims_err err = { .text = "" };

    CHECK(s);
    fill_random(x, 4 * CHAIN, 9);
    y[4 * CHAIN] = 77;
    in = fixture_f32("x", 2, (int64_t[]){ 4, CHAIN }, x);
    out = fixture_f32("y", 2, (int64_t[]){ 4, CHAIN }, y);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK(out.tensor.data == y);
    expect_chain(x, 4, want);
    for (size_t i = 0; i < 4 * CHAIN; i++)
        CHECK_NEAR((double)y[i], want[i], fixture_tolerance());
    CHECK(y[4 * CHAIN] == 77);
    /* memory for another shape than comes out is refused, whatever was declared */
    out.tensor.shape[0] = 3;
    CHECK(ims_compute_session_run(s, &in, 1, &out, 1, &err) != IMS_OK);
    ims_compute_session_close(s);
}

TEST(data_dependent, "a result whose size depends on the data is allocated, also an empty one")
{
    struct ims_compute_session *s = fixture_open("nonzero", NULL);
    float x[5] = { 0, 3, 0, 0, -1 }, zeros[5] = { 0 };
    struct ims_compute_value in, out = { .name = NULL };
    ims_err err = { .text = "" };

    CHECK(s);
    in = fixture_f32("x", 1, (int64_t[]){ 5 }, x);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_INT(out.tensor.rank, 2);
    CHECK_INT(out.tensor.shape[1], 2);
    CHECK_INT(((int64_t *)out.tensor.data)[0], 1);
    CHECK_INT(((int64_t *)out.tensor.data)[1], 4);
    ims_tensor_release(&out.tensor);
    in = fixture_f32("x", 1, (int64_t[]){ 5 }, zeros);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_INT(out.tensor.shape[1], 0);
    CHECK_INT(out.tensor.bytes, 0);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
}

TEST(declared_shape, "a graph that declares a batch of one and gives more is taken at its result")
{
    struct ims_compute_session *s = fixture_open("declares_one", NULL);
    float x[6] = { 1, 2, 3, 4, 5, 6 }, y[6] = { 0 };
    struct ims_compute_value in, out = { .name = NULL };
    ims_err err = { .text = "" };

    CHECK(s);
    in = fixture_f32("x", 2, (int64_t[]){ 3, 2 }, x);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_INT(out.tensor.shape[0], 3);
    CHECK_NEAR((double)((float *)out.tensor.data)[5], 12.0, 1e-6);
    ims_tensor_release(&out.tensor);
    out = fixture_f32("y", 2, (int64_t[]){ 3, 2 }, y); /* also into memory of the real shape */
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_NEAR((double)y[5], 12.0, 1e-6);
    out = fixture_f32("y", 2, (int64_t[]){ 2, 3 }, y);
    CHECK_STATUS(ims_compute_session_run(s, &in, 1, &out, 1, &err), IMS_E_DIMENSION, err);
    CHECK(strstr(err.text, "y is f32[3,2], the memory is for f32[2,3]") != NULL);
    ims_compute_session_close(s);
}

/* ---- weights outside the graph ---- */

static const float external_w[8] = { 1, 10, 2, 20, 3, 30, 4, 40 };

static void write_weights(const char *folder, size_t n_bytes)
{
    unsigned char file[13 + 32] = { 0 };
    char path[1024];
    ims_err err;

    memcpy(file + 13, external_w, 32);
    snprintf(path, sizeof(path), "%s/weights.bin", folder);
    CHECK_OK(ims__write_file(path, file, n_bytes, &err), err);
}

static ims_status open_external(const char *folder, struct ims_compute_session **out, ims_err *err)
{
    struct ims_compute_graph graph = { .external_dir = folder };
    size_t n;
    char *bytes = test_read_file(fixture_graph("external"), &n);
    ims_status st;

    graph.bytes = bytes;
    graph.n_bytes = n;
    st = ims_compute_session_open(fixture_compute(), out, &graph, NULL, err);
    free(bytes);
    return st;
}

TEST(external, "a graph in memory takes its weights from a file, at an unaligned offset")
{
    const char *folder = test_tmp_dir();
    struct ims_compute_session *s = NULL;
    float x[8] = { 1, 1, 1, 1, 1, 0, 0, 2 };
    struct ims_compute_value in, out = { .name = NULL };
    ims_err err = { .text = "" };

    write_weights(folder, 45);
    CHECK_OK(open_external(folder, &s, &err), err);
    in = fixture_f32("x", 2, (int64_t[]){ 2, 4 }, x);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_NEAR((double)((float *)out.tensor.data)[0], 10, 1e-5);
    CHECK_NEAR((double)((float *)out.tensor.data)[1], 100, 1e-5);
    CHECK_NEAR((double)((float *)out.tensor.data)[2], 9, 1e-5);
    CHECK_NEAR((double)((float *)out.tensor.data)[3], 90, 1e-5);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
}

TEST(external_missing, "a file of weights that is missing or too short is the model's error")
{
    const char *folder = test_tmp_dir();
    struct ims_compute_session *s = NULL;
    ims_err err = { .text = "" };

    CHECK_STATUS(open_external(folder, &s, &err), IMS_E_MODEL, err);
    test_note("%s", err.text);
    CHECK(strstr(err.text, "weights.bin") != NULL);
    write_weights(folder, 40);
    CHECK_STATUS(open_external(folder, &s, &err), IMS_E_MODEL, err);
    test_note("%s", err.text);
    CHECK_STATUS(open_external("/nonexistent/folder", &s, &err), IMS_E_MODEL, err);
    CHECK(s == NULL);
}

static ims_status inline_external(const char *folder, struct ims_buf *out, ims_err *err)
{
    size_t n;
    char *bytes = test_read_file(fixture_graph("external"), &n);
    ims_status st = ims__graph_inline(bytes, n, folder, out, err);

    free(bytes);
    return st;
}

TEST(inlined, "a graph whose weights were taken in needs no file any more, and gives the same")
{
    const char *folder = test_tmp_dir();
    struct ims_compute_session *s = NULL;
    struct ims_compute_graph graph = { .bytes = NULL };
    float x[8] = { 1, 1, 1, 1, 1, 0, 0, 2 };
    struct ims_compute_value in, out = { .name = NULL };
    struct ims_buf whole;
    ims_err err = { .text = "" };

    write_weights(folder, 45);
    CHECK_OK(inline_external(folder, &whole, &err), err);
    graph.bytes = whole.data;
    graph.n_bytes = whole.len;
    CHECK_OK(ims_compute_session_open(fixture_compute(), &s, &graph, NULL, &err), err);
    in = fixture_f32("x", 2, (int64_t[]){ 2, 4 }, x);
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_NEAR((double)((float *)out.tensor.data)[1], 100, 1e-5);
    CHECK_NEAR((double)((float *)out.tensor.data)[3], 90, 1e-5);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
    ims__buf_release(&whole);

    write_weights(folder, 40);
    CHECK_STATUS(inline_external(folder, &whole, &err), IMS_E_MODEL, err);
    CHECK(strstr(err.text, "weights.bin is too short") != NULL);
    ims__buf_release(&whole);
    CHECK_STATUS(inline_external(test_tmp_dir(), &whole, &err), IMS_E_MODEL, err);
    ims__buf_release(&whole);
}

TEST(inline_broken, "cut and damaged graphs are refused or copied, never more")
{
    const char *folder = test_tmp_dir();
    size_t n;
    char *bytes = test_read_file(fixture_graph("external"), &n);
    uint64_t state = 3;
    unsigned n_refused = 0;

    write_weights(folder, 45);
    for (size_t i = 0; i < 4000; i++) {
        size_t keep = i < n ? i : n;
        uint8_t *copy = ims__memdup(bytes, keep ? keep : 1);
        struct ims_buf out;

        for (unsigned k = 0; i >= n && k < 3; k++)
            copy[test_random(&state) % n] = (uint8_t)test_random(&state);
        n_refused += ims__graph_inline(copy, keep, folder, &out, NULL) != IMS_OK;
        ims__buf_release(&out);
        ims__free(copy);
    }
    CHECK(n_refused > 100);
    free(bytes);
}

/* ---- threads ---- */

struct runner {
    struct ims_compute_session *s;
    struct ims_thread thread;
    unsigned number;
    bool ok;
};

static void run_many(void *arg)
{
    struct runner *r = arg;

    r->ok = true;
    for (unsigned i = 0; r->ok && i < 20; i++)
        r->ok = run_chain(r->s, 1 + (r->number + i) % 5, r->number * 1000 + i);
}

TEST(threads, "runs of one session overlap and do not mix")
{
    struct ims_compute_session *s = fixture_open("chain", NULL);
    struct runner runners[4];
    ims_err err = { .text = "" };

    CHECK(s);
    for (unsigned i = 0; i < 4; i++) {
        runners[i] = (struct runner){ .s = s, .number = i };
        CHECK_OK(ims__thread_start(&runners[i].thread, "runner", run_many, &runners[i], &err), err);
    }
    for (unsigned i = 0; i < 4; i++)
        ims__thread_join(&runners[i].thread);
    for (unsigned i = 0; i < 4; i++)
        CHECK(runners[i].ok);
    ims_compute_session_close(s);
}

/* ---- what must be refused ---- */

TEST(bad_runs, "a run with a wrong name, type, shape, size or count is refused and names the port")
{
    struct ims_compute_session *s = fixture_open("chain", NULL);
    float x[2 * CHAIN] = { 0 };
    const struct ims_compute_value good = fixture_f32("x", 2, (int64_t[]){ 2, CHAIN }, x);
    struct ims_compute_value in[2] = { good, good }, out[2] = { { .name = "y" }, { .name = "y" } };
    ims_err err = { .text = "" };

    CHECK(s);
    in[0].name = "z";
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_INVALID, err);
    CHECK(strstr(err.text, "no input named 'z'") != NULL);
    in[0] = good;
    in[0].tensor.dtype = IMS_DTYPE_I32;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_INVALID, err);
    CHECK(strstr(err.text, "x is i32[2,32], expected f32[?,32]") != NULL);
    in[0] = good;
    in[0].tensor.shape[1] = CHAIN - 1;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_DIMENSION, err);
    in[0] = good;
    in[0].tensor.rank = 1;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_DIMENSION, err);
    in[0] = good;
    in[0].tensor.rank = 99;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_DIMENSION, err);
    in[0] = good;
    in[0].tensor.shape[0] = 0;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_DIMENSION, err);
    in[0].tensor.shape[0] = -1;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_DIMENSION, err);
    in[0].tensor.shape[0] = INT64_MAX;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_LIMIT, err);
    in[0] = good;
    in[0].tensor.bytes--;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_INVALID, err);
    CHECK(strstr(err.text, "x needs 256 bytes and has 255") != NULL);
    in[0].tensor.data = NULL;
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_INVALID, err);
    in[0] = good;
    CHECK_STATUS(ims_compute_session_run(s, in, 0, out, 1, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_compute_session_run(s, in, 2, out, 1, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_compute_session_run(s, in, 1000, out, 1, &err), IMS_E_LIMIT, err);
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 0, &err), IMS_E_INVALID, err);
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 2, &err), IMS_E_INVALID, err);
    out[0].name = "nosuch";
    CHECK_STATUS(ims_compute_session_run(s, in, 1, out, 1, &err), IMS_E_INVALID, err);
    CHECK(out[0].tensor.data == NULL);
    CHECK(run_chain(s, 2, 5)); /* and the session still works */
    ims_compute_session_close(s);
}

TEST(twice, "an input given twice or an output asked for twice is refused")
{
    struct ims_compute_session *s = fixture_open("ports", NULL);
    float one = 1;
    struct ims_compute_value in[2] = { fixture_f32("scale", 0, NULL, &one),
                                       fixture_f32("scale", 0, NULL, &one) };
    struct ims_compute_value out[2] = { { .name = "sum" }, { .name = "sum" } };
    float x[3] = { 0 };
    ims_err err = { .text = "" };

    CHECK(s);
    CHECK_STATUS(ims_compute_session_run(s, in, 2, out, 1, &err), IMS_E_INVALID, err);
    CHECK(strstr(err.text, "scale is given twice") != NULL);
    in[0] = fixture_f32("image", 4, (int64_t[]){ 1, 3, 1, 1 }, x);
    CHECK_STATUS(ims_compute_session_run(s, in, 2, out, 2, &err), IMS_E_INVALID, err);
    CHECK(strstr(err.text, "sum is asked for twice") != NULL);
    ims_compute_session_close(s);
}

TEST(not_a_tensor, "an output that is no tensor is an error of the model, and nothing leaks")
{
    struct ims_compute_session *s = fixture_open("ports", NULL);
    float one = 1, x[3] = { 0 };
    struct ims_compute_value in[2] = { fixture_f32("image", 4, (int64_t[]){ 1, 3, 1, 1 }, x),
                                       fixture_f32("scale", 0, NULL, &one) };
    struct ims_compute_value out[2] = { { .name = NULL }, { .name = NULL } };
    ims_err err = { .text = "" };

    CHECK(s);
    CHECK_STATUS(ims_compute_session_run(s, in, 2, out, 2, &err), IMS_E_MODEL, err);
    CHECK(out[0].tensor.data == NULL && out[1].tensor.data == NULL);
    ims_compute_session_close(s);
}

TEST(failing_node, "a node that fails gives an error that names it, and the session goes on")
{
    struct ims_compute_session *s = fixture_open("reshape", NULL);
    float x[6] = { 1, 2, 3, 4, 5, 6 };
    int64_t shape[2] = { 4, 2 };
    struct ims_compute_value in[2], out = { .name = NULL };
    ims_err err = { .text = "" };
    ims_status st;

    CHECK(s);
    in[0] = fixture_f32("x", 1, (int64_t[]){ 6 }, x);
    in[1] = (struct ims_compute_value){ "shape", ims_tensor_view(IMS_DTYPE_I64, 1, (int64_t[]){ 2 },
                                                                 shape, sizeof(shape)) };
    st = ims_compute_session_run(s, in, 2, &out, 1, &err);
    CHECK(st == IMS_E_MODEL || st == IMS_E_DEVICE);
    test_note("%s", err.text);
    CHECK(strstr(err.text, "Reshape") != NULL);
    CHECK(out.tensor.data == NULL);
    shape[0] = 3;
    CHECK_OK(ims_compute_session_run(s, in, 2, &out, 1, &err), err);
    CHECK_INT(out.tensor.shape[0], 3);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
}

TEST(out_of_memory, "a run that cannot have its memory is IMS_E_NOMEM, and the session goes on")
{
    struct ims_compute_session *s = fixture_open("memory", NULL);
    int64_t n = (int64_t)1 << 48;
    struct ims_compute_value in, out = { .name = NULL };
    ims_err err = { .text = "" };

#ifdef IMS_SANITIZED
    ims_compute_session_close(s);
    SKIP("the sanitizer's allocator ends the process where others refuse");
#endif
    CHECK(s);
    in = (struct ims_compute_value){ NULL, ims_tensor_view(IMS_DTYPE_I64, 1, (int64_t[]){ 1 }, &n,
                                                           sizeof(n)) };
    CHECK_STATUS(ims_compute_session_run(s, &in, 1, &out, 1, &err), IMS_E_NOMEM, err);
    test_note("%s", err.text);
    n = 1000;
    CHECK_OK(ims_compute_session_run(s, &in, 1, &out, 1, &err), err);
    CHECK_INT(out.tensor.rank, 0);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
}

static ims_status open_bytes(const void *bytes, size_t n, ims_err *err)
{
    struct ims_compute_graph graph = { .bytes = bytes, .n_bytes = n };
    struct ims_compute_session *s = NULL;
    ims_status st = ims_compute_session_open(fixture_compute(), &s, &graph, NULL, err);

    ims_compute_session_close(s);
    return st;
}

TEST(bad_graphs, "garbage, cut off, empty and missing graphs are refused with the right status")
{
    struct ims_compute_graph both = { .bytes = "x", .n_bytes = 1, .path = "y" },
                             neither = { .bytes = NULL };
    struct ims_compute_graph missing = { .path = "/nonexistent/model.onnx" };
    struct ims_compute_session *s = NULL;
    unsigned char garbage[4096];
    uint64_t seed = 42;
    ims_err err = { .text = "" };
    size_t n;
    char *bytes = test_read_file(fixture_graph("chain"), &n);

    for (size_t i = 0; i < sizeof(garbage); i++)
        garbage[i] = (unsigned char)test_random(&seed);
    CHECK_STATUS(open_bytes(garbage, sizeof(garbage), &err), IMS_E_MODEL, err);
    CHECK_STATUS(open_bytes("", 1, &err), IMS_E_MODEL, err);
    CHECK_STATUS(open_bytes("text, not a graph", 17, &err), IMS_E_MODEL, err);
    CHECK_STATUS(open_bytes(garbage, 0, &err), IMS_E_MODEL, err);
    CHECK_STATUS(open_bytes(bytes, n / 2, &err), IMS_E_MODEL, err);
    CHECK_STATUS(ims_compute_session_open(fixture_compute(), &s, &both, NULL, &err), IMS_E_INVALID,
                 err);
    CHECK_STATUS(ims_compute_session_open(fixture_compute(), &s, &neither, NULL, &err),
                 IMS_E_INVALID, err);
    CHECK_STATUS(ims_compute_session_open(fixture_compute(), &s, &missing, NULL, &err),
                 IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "/nonexistent/model.onnx") != NULL);
    missing.path = fixture_graph("rank9");
    CHECK_STATUS(ims_compute_session_open(fixture_compute(), &s, &missing, NULL, &err), IMS_E_MODEL,
                 err);
    CHECK(s == NULL);
    free(bytes);
}

TEST(damaged_graphs,
     "a graph with any one byte changed is refused or runs, but never ends the process")
{
    size_t n, n_refused = 0;
    char *bytes = test_read_file(fixture_graph("reshape"), &n);
    uint64_t seed = 7;

    for (size_t i = 0; i < n; i++) {
        char saved = bytes[i];
        ims_err err = { .text = "" };

        bytes[i] = (char)(saved ^ (char)(1 + test_random(&seed) % 255));
        if (open_bytes(bytes, n, &err) != IMS_OK) {
            n_refused++;
            CHECK(err.text[0]);
        }
        bytes[i] = saved;
    }
    test_note("%zu of %zu refused", n_refused, n);
    CHECK(n_refused > n / 4);
    free(bytes);
}

int main(int argc, char **argv)
{
    int code = 0;

    return fixture_prepare(fixture_device(), &code) ? test_main(argc, argv) : code;
}
