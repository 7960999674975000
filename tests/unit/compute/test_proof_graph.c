/* Tests of the test graph: its bytes are stable and its expected numbers are of a useful size.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/proof_graph.h"
#include "harness/test.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

TEST(bytes, "the graph is written the same every time, and small")
{
    struct ims_buf a, b;
    ims_err err = { .text = "" };

    CHECK_OK(ims__proof_graph(&a, &err), err);
    CHECK_OK(ims__proof_graph(&b, &err), err);
    CHECK_INT(a.len, b.len);
    CHECK_MEM(a.data, b.data, a.len);
    CHECK(a.len > 10000 && a.len < 20000);
    ims__buf_release(&a);
    ims__buf_release(&b);
}

TEST(memory, "when memory is short, the graph fails cleanly at every allocation")
{
    struct ims_buf b;
    ims_err err = { .text = "" };
    ims_status st = IMS_E_NOMEM;
    unsigned n = 0;

    for (unsigned i = 1; st && i < 2000; i++) {
        ims__mem_fail_at(i);
        st = ims__proof_graph(&b, &err);
        ims__mem_fail_at(0);
        n += st != IMS_OK;
        CHECK(st == IMS_OK || st == IMS_E_NOMEM);
    }
    CHECK_OK(st, err);
    CHECK(n > 10);
    ims__buf_release(&b);
}

TEST(expected, "the expected numbers differ from each other and stay within two")
{
    float x[IMS_PROOF_BATCH * IMS_PROOF_INPUT];
    double y[IMS_PROOF_BATCH * IMS_PROOF_OUTPUT];

    ims__proof_input(x, IMS_PROOF_BATCH);
    ims__proof_expected(x, IMS_PROOF_BATCH, y);
    for (size_t i = 0; i < IMS_PROOF_BATCH * IMS_PROOF_OUTPUT; i++) {
        CHECK(fabs(y[i]) < 2.0);
        for (size_t k = 0; k < i; k++)
            CHECK(fabs(y[i] - y[k]) > 1e-6);
    }
}

TEST(tolerances, "no tolerance is as large as the numbers differ")
{
    for (unsigned k = 0; k < IMS_DEVICE_KINDS; k++) {
        CHECK(ims__proof_tolerance((ims_device_kind)k) > 0);
        CHECK(ims__proof_tolerance((ims_device_kind)k) <= 0.02);
    }
}

TEST_MAIN
