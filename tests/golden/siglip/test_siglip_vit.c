/* The true shape of ViT-B-16-SigLIP against open_clip: 203 million generated weights, so not in
 * every run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/clip/expected.h"

#include "harness/test.h"

TEST(vit_b_16_siglip, "ViT-B-16-SigLIP in its true shape gives open_clip's vectors")
{
    expected_check_siglip("vit_b_16_siglip", "tests/golden/tokenizer_unigram/tokenizer.json");
}

TEST_MAIN
