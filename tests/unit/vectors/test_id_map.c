/* The id table of the embedded vector index.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "vectors/embedded/id_map.h"

#include <stdlib.h>

TEST(id_map, "the id table agrees with a plain array over random puts and removes")
{
    enum { IDS = 500 };
    struct ims_id_map m = { 0 };
    size_t want[IDS];
    uint64_t state = 77;

    for (int i = 0; i < IDS; i++)
        want[i] = IMS_NO_ROW;
    for (int step = 0; step < 20000; step++) {
        size_t i = test_random(&state) % IDS;

        if (test_random(&state) % 2) {
            CHECK(ims__id_map_reserve(&m, m.n + 1));
            ims__id_map_put(&m, (int64_t)i * 1000003, (size_t)step);
            want[i] = (size_t)step;
        } else {
            ims__id_map_remove(&m, (int64_t)i * 1000003);
            want[i] = IMS_NO_ROW;
        }
        if (step % 100 == 0) {
            for (size_t k = 0; k < IDS; k++)
                CHECK(ims__id_map_get(&m, (int64_t)k * 1000003) == want[k]);
        }
    }
    ims__id_map_release(&m);
}

TEST_MAIN
