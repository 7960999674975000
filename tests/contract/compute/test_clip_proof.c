/* A CLIP model on devices that compute it wrongly: neither tower is ever used there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "fault_backend.h"

#include "base/hash.h"
#include "base/mem.h"
#include "models/clip/clip.h"
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
