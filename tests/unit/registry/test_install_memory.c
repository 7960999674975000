/* Memory that runs out at any point of an import: an error, nothing installed, nothing leaked.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/install.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(import, "an import without memory fails, installs nothing, and the next one succeeds")
{
    const char *dir = test_tmp_dir();
    char from[700], data[700], installed[800];
    struct ims_clip_config config;
    struct ims_import_options o = { .data_dir = data, .path = from, .name = "x" };
    char *out = NULL;
    unsigned n_failed = 0;
    ims_err err = { 0 };

    snprintf(from, sizeof(from), "%s/from", dir);
    snprintf(data, sizeof(data), "%s/data", dir);
    snprintf(installed, sizeof(installed), "%s/models/x", data);
    CHECK(mkdir(from, 0755) == 0);
    generated_pack(from, test_source_path("tests/golden/clip/class_token.config.json"), "F32", NULL,
                   &config);
    for (uint64_t at = 1; !out; at += at < 200 ? 1 : at / 20) {
        ims_status st;

        ims__mem_fail_at(at);
        st = ims_model_import(&o, &out, &err);
        ims__mem_fail_at(0);
        if (st == IMS_OK)
            break;
        n_failed++;
        CHECK_INT(st, IMS_E_NOMEM);
        CHECK(access(installed, F_OK) != 0);
        CHECK(at < 10000000);
    }
    CHECK(n_failed > 200);
    CHECK_STR(out, installed);
    ims__free(out);
}

TEST_MAIN
