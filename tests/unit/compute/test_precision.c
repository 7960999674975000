/* Tests of the names of precisions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/precision.h"
#include "harness/test.h"

TEST(names, "every precision is read by the name it has, nothing set is fp32, anything else is refused")
{
    static const char *const wrong[] = { "FP32", "fp64", "int8 ", "half", "0" };
    ims_precision p = IMS_PRECISION_AUTO;

    for (int i = 0; i <= IMS_PRECISION_AUTO; i++) {
        CHECK(ims_precision_read(ims_precision_name((ims_precision)i), &p));
        CHECK_INT((int)p, i);
    }
    CHECK(ims_precision_read(NULL, &p));
    CHECK_INT((int)p, IMS_PRECISION_FP32);
    p = IMS_PRECISION_INT8;
    CHECK(ims_precision_read("", &p));
    CHECK_INT((int)p, IMS_PRECISION_FP32);
    p = IMS_PRECISION_INT8;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK(!ims_precision_read(wrong[i], &p));
    CHECK_INT((int)p, IMS_PRECISION_INT8);
}

TEST_MAIN
