/* CLIP embeddings against open_clip's, on small architectures with generated weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden/clip/expected.h"

#include "harness/test.h"

TEST(class_token, "a class-token tower with GELU and a causal text tower give open_clip's vectors")
{
    expected_check("class_token");
}

TEST(average_pool,
     "average pooling, quick-GELU, an uneven picture and a wide ratio give open_clip's vectors")
{
    expected_check("average_pool");
}

TEST(half_deep,
     "F16 weights, no first norm, layer scale and end-id pooling give open_clip's vectors")
{
    expected_check("half_deep");
}

TEST(two_way_text,
     "BF16 weights, tanh-GELU and a text tower without a mask give open_clip's vectors")
{
    expected_check("two_way_text");
}

TEST(threads, "a tower that many threads use at once for the first time gives each its vector")
{
    expected_check_threads("class_token");
}

TEST_MAIN
