/* The true shape of ViT-B/32 against open_clip: 151 million generated weights, so not in every run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/clip/expected.h"

#include "harness/test.h"

TEST(vit_b_32, "ViT-B/32 in its true shape gives open_clip's vectors")
{
    expected_check("vit_b_32");
}

TEST_MAIN
