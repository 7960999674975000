/* Names of rows on the wire.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"
#include "http/api/api_ids.h"

#include <string.h>

TEST(ids_and_back, "a name carries the kind and the number, in either case of its letters")
{
    char text[IMS_API_ID_BYTES];

    CHECK_STR(ims__api_id_text(IMS_ID_PERSON, 0xabc, text), "00000000-0000-8002-8000-000000000abc");
    CHECK_INT(ims__api_id_read(IMS_ID_PERSON, text), 0xabc);
    CHECK_INT(ims__api_id_read(IMS_ID_PERSON, "00000000-0000-8002-8000-000000000ABC"), 0xabc);
    CHECK_INT(ims__api_id_read(IMS_ID_FACE, text), 0);
    ims__api_id_text(IMS_ID_FACE, ((int64_t)1 << 48) - 1, text);
    CHECK_INT(ims__api_id_read(IMS_ID_FACE, text), ((int64_t)1 << 48) - 1);
}

TEST(ids_of_others, "what is no name of ours carries nothing")
{
    static const char *const bad[] = { "", "-", "12", "00000000-0000-8002-8000-000000000000", "x-1",
                                       "f47ac10b-58cc-4372-a567-0e02b2c3d479", "00000000-0000-8002-8000-000000000abcd",
                                       "00000000-0000-8002-8000-00000000abc", "00000000-0000-8002-8000--00000000abc" };

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK_INT(ims__api_id_read(IMS_ID_PERSON, bad[i]), 0);
    CHECK_INT(ims__api_id_read(IMS_ID_PERSON, NULL), 0);
}

TEST(cluster_names, "a cluster is named by its number and only so")
{
    char text[IMS_API_ID_BYTES];

    CHECK_STR(ims__api_cluster_text(12, text), "clu_12");
    CHECK_INT(ims__api_cluster_read("clu_12"), 12);
    CHECK_INT(ims__api_cluster_read("clu_012"), 0);
    CHECK_INT(ims__api_cluster_read("clu_-1"), 0);
    CHECK_INT(ims__api_cluster_read("clu_12x"), 0);
    CHECK_INT(ims__api_cluster_read("12"), 0);
    CHECK_INT(ims__api_cluster_read(NULL), 0);
}
