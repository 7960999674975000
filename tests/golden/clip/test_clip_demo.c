/* The demo model that ships with the program, against open_clip on the same files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"
#include "golden/clip/expected.h"

TEST(captions, "the demo model gives open_clip's ids and vectors of captions")
{
    expected_check_demo_captions(test_source_path("models/demo/clip"));
}

TEST(pictures, "the demo model gives open_clip's vectors of pictures")
{
    expected_check_demo_pictures(test_source_path("models/demo/clip"));
}

int main(int argc, char **argv)
{
    int code = 0;

    return fixture_prepare(fixture_device(), &code) ? test_main(argc, argv) : code;
}
