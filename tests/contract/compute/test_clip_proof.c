/* A CLIP model on devices that compute it wrongly: neither tower is ever used there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "fault_backend.h"

#include "base/hash.h"
#include "base/mem.h"
#include "models/clip/clip_internal.h"
#include "models/clip/clip_proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
    struct ims_compute *compute;
    struct ims_pack *pack;
    struct ims_clip *clip;
};

static void open_demo(struct model *m, struct fault_plan *plan, const char *flag)
{
    struct ims_compute_options options = {
        .device = { .flag = flag }, .n_threads = 1, .backend = &fault_backend, .backend_arg = plan
    };
    ims_err err = { .text = "" };

    memset(m, 0, sizeof(*m));
    CHECK_OK(ims_compute_open(&m->compute, &options, &err), err);
    CHECK_OK(ims_pack_open(&m->pack, test_source_path("models/demo/clip"), &err), err);
    CHECK_OK(ims_clip_open(&m->clip, m->pack, m->compute, NULL, &err), err);
}

static void close_demo(struct model *m)
{
    ims_clip_close(m->clip);
    ims_pack_close(m->pack);
    ims_compute_close(m->compute);
}

/* Which of the two graphs of the text tower remains once devices are known. */
static void check_table(const char *flag, bool is_wide)
{
    struct fault_plan plan = { .lists_cuda = true, .n_cuda = 1 };
    struct ims_device_choice choice;
    const struct ims_clip_side *side;
    bool is_only_cpu = is_wide;
    void *narrow, *wide;
    size_t n, n_wide;
    struct model m;
    ims_err err;

    open_demo(&m, &plan, flag);
    CHECK(m.clip);
    side = &m.clip->sides[IMS_CLIP_TEXT];
    CHECK(side->graph && side->wide); /* the demo model's table is of halves */
    n = side->graph_bytes;
    n_wide = side->wide_bytes;
    narrow = ims__memdup(side->graph, n);
    wide = ims__memdup(side->wide, n_wide);
    CHECK(narrow && wide);
    CHECK(n != n_wide || memcmp(narrow, wide, n) != 0);
    CHECK_OK(ims_compute_is_only_cpu(m.compute, &is_only_cpu, &err), err);
    CHECK(is_only_cpu == !is_wide);
    CHECK_OK(ims_clip_choose(m.clip, IMS_CLIP_TEXT, &choice, &err), err);
    CHECK(side->graph && !side->wide);
    CHECK_INT(side->graph_bytes, is_wide ? n_wide : n);
    CHECK_MEM(side->graph, is_wide ? wide : narrow, side->graph_bytes);
    ims__free(narrow);
    ims__free(wide);
    close_demo(&m);
}

TEST(table, "a token table of halves is widened for accelerators only, and the vectors are the same")
{
    static const char *const texts[] = { "a red car", "a forest in autumn", "two people" };
    struct fault_plan plan = { .lists_cuda = true, .n_cuda = 1 };
    static const char *const flags[] = { "cpu", "cuda:0" };
    float *rows[2] = { NULL, NULL };
    size_t dim = 0;
    ims_err err;

    check_table("cpu", false);
    check_table("cpu,cpu", false);
    check_table("cuda:0", true);
    check_table("cpu,cuda:0", true);
    check_table("auto", true);
    for (size_t i = 0; i < 2; i++) {
        struct model m;

        open_demo(&m, &plan, flags[i]);
        CHECK(m.clip);
        dim = ims_clip_info(m.clip)->dim;
        rows[i] = ims__zalloc(3 * dim, sizeof(float));
        CHECK(rows[i]);
        CHECK_OK(ims_clip_embed_text(m.clip, texts, 3, rows[i], &err), err);
        close_demo(&m);
    }
    CHECK_MEM(rows[0], rows[1], 3 * dim * sizeof(float));
    ims__free(rows[0]);
    ims__free(rows[1]);
}

TEST(golden, "both towers of the demo model are held against the reference implementation's numbers")
{
    struct fault_plan plan = { .n_cuda = 0 };
    struct ims_proof_verdict v[4];
    ims_err err;
    struct model m;

    open_demo(&m, &plan, "cpu");
    CHECK(m.clip);
    CHECK_OK(ims_clip_load(m.clip, IMS_CLIP_IMAGE, &err), err);
    CHECK_OK(ims_clip_load(m.clip, IMS_CLIP_TEXT, &err), err);
    CHECK_INT(ims_compute_verdicts(m.compute, v, 4), 2);
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(v[i].state, IMS_PROOF_PASSED);
        CHECK(v[i].min_cosine > 0.999999);
        CHECK(v[i].max_difference > 0 && v[i].max_difference < 1e-4); /* not compared with itself */
        test_note("%s", v[i].text);
    }
    close_demo(&m);
}

static void check_fault(enum fault_kind kind, ims_clip_tower tower)
{
    struct fault_plan plan = { .lists_cuda = true,
                               .n_cuda = 1,
                               .run_fails_at = 1,
                               .run_kind = kind,
                               .label = "demo",
                               .has_device = true,
                               .device = { IMS_DEVICE_CUDA, 0 } };
    struct ims_device_choice choice;
    ims_err err = { .text = "" };
    struct model m;

    open_demo(&m, &plan, "cuda");
    CHECK(m.clip);
    CHECK_STATUS(ims_clip_load(m.clip, tower, &err), IMS_E_DEVICE, err);
    CHECK(strstr(err.text, "cuda:0 (--device=cuda) cannot be used: demo ") != NULL);
    close_demo(&m);
    open_demo(&m, &plan, "auto");
    CHECK_OK(ims_clip_choose(m.clip, tower, &choice, &err), err);
    CHECK_INT(choice.ids[0].kind, IMS_DEVICE_CPU);
    CHECK(strstr(choice.reason, "because cuda:0 did not do: demo ") != NULL);
    close_demo(&m);
}

TEST(faults, "a device that spoils a tower in any way is refused by name, and passed over by auto")
{
    static const enum fault_kind kinds[] = { FAULT_CONSTANT,      FAULT_STATUS,
                                             FAULT_WRONG,         FAULT_SLIGHT,
                                             FAULT_PERMUTED_ROWS, FAULT_PERMUTED_NUMBERS,
                                             FAULT_IN_BATCHES };

    for (size_t i = 0; i < IMS_ARRAY_LEN(kinds); i++) /* the judge is one; both towers meet it */
        check_fault(kinds[i], i % 2 ? IMS_CLIP_TEXT : IMS_CLIP_IMAGE);
}

TEST(pictures, "the fixed pictures are the bytes that the reference script computed with")
{
    static uint8_t px[112 * 112 * 3 * IMS_CLIP_PROOF_ROWS];
    uint8_t sum[IMS_SHA256_BYTES];
    char hex[2 * IMS_SHA256_BYTES + 1];
    char *text;
    size_t n;
    ims_err err;

    for (unsigned k = 0; k < IMS_CLIP_PROOF_ROWS; k++)
        ims__clip_proof_picture(k, 112, 112, px + k * 112 * 112 * 3);
    CHECK_OK(ims__sha256(px, sizeof(px), sum, &err), err);
    ims__hex(sum, sizeof(sum), hex);
    text = test_read_file(test_source_path("models/demo/clip/proof.json"), &n);
    CHECK(strstr(text, hex) != NULL);
    free(text);
}

TEST_MAIN
