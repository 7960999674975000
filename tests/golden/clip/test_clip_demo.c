/* The demo model that ships with the program, against open_clip on the same files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/clip/expected.h"

#include "harness/test.h"

TEST(demo, "the demo model gives open_clip's ids and vectors")
{
    expected_check_demo(test_source_path("models/demo/clip"));
}

TEST_MAIN
