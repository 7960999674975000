/* SigLIP embeddings against open_clip's with timm's towers, on small shapes with generated weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/clip/expected.h"

#include "harness/test.h"

TEST(siglip,
     "SigLIP: attention pooling, GELU and Unigram captions give open_clip's ids and vectors")
{
    expected_check_siglip("siglip", "tests/golden/tokenizer_unigram/tokenizer.json");
}

TEST(
    siglip2,
    "SigLIP 2: BF16 weights, tanh-GELU and byte-fallback captions give open_clip's ids and vectors")
{
    expected_check_siglip("siglip2", "tests/golden/tokenizer_gemma/tokenizer.json");
}

TEST_MAIN
