/* Tests of looking at libraries without loading them: real ones that the build made, and bytes that
 * are none.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/library.h"

#include "base/fs.h"
#include "base/mem.h"
#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__

#define NEEDY "fakes/libfake_needy.so"

static bool needs(const struct ims_library_needs *l, const char *name)
{
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->names[i], name) == 0)
            return true;
    }
    return false;
}

TEST(needed, "what a library needs and where it looks is read from its file")
{
    struct ims_library_needs l;
    size_t n;
    char *bytes = test_read_file(test_build_path(NEEDY), &n);
    ims_err err = { .text = "" };

    CHECK_OK(ims_library_needs_of((const uint8_t *)bytes, n, &l, &err), err);
    CHECK(needs(&l, "libfake_middle.so"));
    CHECK(!needs(&l, "libfake_absent.so"));
    CHECK_STR(l.runpath, "/nowhere:$ORIGIN");
    free(bytes);
}

TEST(found, "libraries are found where the linker finds them, and nowhere else")
{
    char path[512] = "";

    CHECK(ims_library_find("libc.so.6", NULL, NULL, path, sizeof(path)));
    CHECK(path[0] == '/' && strstr(path, "libc.so.6") != NULL);
    CHECK(!ims_library_find("libimgsearch-none.so.9", NULL, NULL, path, sizeof(path)));
    CHECK(!ims_library_find("libfake_middle.so", NULL, NULL, NULL, 0));
    CHECK(ims_library_find("libfake_middle.so", "/x:${ORIGIN}", test_build_path("fakes"), path,
                           sizeof(path)));
    CHECK(ims_library_find("libfake_absent.so", "$ORIGIN/elsewhere", test_build_path("fakes"), path,
                           sizeof(path)));
    CHECK(!ims_library_find("", NULL, NULL, NULL, 0) || path[0]);
}

TEST(missing, "what keeps a library from loading is named, however deep it is needed")
{
    char out[200], little[12];

    unsetenv("LD_LIBRARY_PATH");
    ims_library_missing(test_build_path(NEEDY), out, sizeof(out));
    CHECK_STR(out, "libfake_absent.so");
    ims_library_missing(test_build_path(NEEDY), little, sizeof(little)); /* whole names only */
    CHECK_STR(little, "");
    setenv("LD_LIBRARY_PATH", test_build_path("fakes/elsewhere"), 1);
    ims_library_missing(test_build_path(NEEDY), out, sizeof(out));
    CHECK_STR(out, "");
    unsetenv("LD_LIBRARY_PATH");
    ims_library_missing("/nowhere/at/all.so", out, sizeof(out));
    CHECK_STR(out, "");
}

TEST(bad_bytes, "cut and damaged files are refused or read, never more")
{
    struct ims_library_needs l;
    size_t n;
    char *bytes = test_read_file(test_build_path(NEEDY), &n);
    uint64_t state = 7;
    unsigned n_refused = 0;

    for (size_t cut = 0; cut < n; cut += cut < 2048 ? 1 : 97) {
        uint8_t *part = ims__memdup(bytes, cut ? cut : 1); /* its end is the end of the memory */

        n_refused += ims_library_needs_of(part, cut, &l, NULL) != IMS_OK;
        ims__free(part);
    }
    CHECK(n_refused > 1000);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t *copy = ims__memdup(bytes, n);

        for (unsigned k = 0; k < 4; k++) {
            size_t at = test_random(&state) % (k < 3 && n > 1024 ? 1024 : n);

            copy[at] = (uint8_t)test_random(&state);
        }
        if (ims_library_needs_of(copy, n, &l, NULL) == IMS_OK)
            CHECK(l.n <= IMS_LIBRARY_MAX_NEEDED);
        ims__free(copy);
    }
    free(bytes);
}

#endif

TEST(not_elf, "what is no library is refused")
{
    static const char text[256] = "#!/bin/sh";
    struct ims_library_needs l;
    ims_err err = { .text = "" };

    CHECK_STATUS(ims_library_needs_of((const uint8_t *)text, sizeof(text), &l, &err), IMS_E_FORMAT, err);
    CHECK_STATUS(ims_library_needs_of(NULL, 0, &l, &err), IMS_E_FORMAT, err);
}

TEST_MAIN
