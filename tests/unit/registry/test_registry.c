/* Tests of the table of known models and of how names are looked up in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"
#include "models/install_internal.h"
#include "models/registry.h"

#include <ctype.h>
#include <string.h>

static const char *found(const char *name)
{
    static struct ims_registry_own own;
    const struct ims_registry_row *row;
    ims_err err;

    return ims_registry_find(&row, name, &own, &err) ? NULL : row->name;
}

TEST(rows, "every row has a name that can be a folder, a repository, a licence and distinct files")
{
    size_t n;
    const struct ims_registry_row *rows = ims_registry_rows(&n);
    ims_err err;

    CHECK(n > 20);
    for (size_t i = 0; i < n; i++) {
        CHECK_OK(ims__model_name_check(rows[i].name, &err), err);
        CHECK(strchr(rows[i].repo, '/') && rows[i].revision[0] && rows[i].licence[0] &&
              rows[i].about[0]);
        CHECK(rows[i].dim >= 512 && rows[i].image_px >= 112 && rows[i].size_mb > 0);
        CHECK(rows[i].n_files > 0 && rows[i].n_files <= IMS_REGISTRY_MAX_FILES);
        for (size_t k = 0; k < rows[i].n_files; k++) {
            const struct ims_registry_file *f = &rows[i].files[k];

            CHECK(f->path[0] && f->local[0] && f->local[0] != '/');
            if (f->sha256) {
                CHECK_INT(strlen(f->sha256), 64);
                CHECK_INT(strspn(f->sha256, "0123456789abcdef"), 64);
            }
            for (size_t j = 0; j < k; j++)
                CHECK(strcmp(rows[i].files[j].local, f->local) != 0);
        }
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(rows[k].name, rows[i].name) != 0);
        CHECK_STR(found(rows[i].name), rows[i].name);
    }
}

TEST(faces, "face packs are pinned to the byte and must be accepted first")
{
    size_t n, n_faces = 0;
    const struct ims_registry_row *rows = ims_registry_rows(&n);

    for (size_t i = 0; i < n; i++) {
        if (rows[i].kind != IMS_MODEL_FACES)
            continue;
        n_faces++;
        CHECK(rows[i].terms && strstr(rows[i].terms, "non-commercial"));
        for (size_t k = 0; k < rows[i].n_files; k++)
            CHECK(rows[i].files[k].sha256);
        for (size_t k = 0; k < rows[i].n_extras; k++)
            CHECK(rows[i].extras[k].sha256 && strlen(rows[i].extras[k].sha256) == 64);
        CHECK_INT(rows[i].n_extras, 3);
    }
    CHECK_INT(n_faces, 5);
}

TEST(any_faces, "\"faces\" stands for the first pack that asks for nothing, and for buffalo_l while there is none")
{
    const struct ims_registry_row *row = ims_registry_faces();

    CHECK_STR(found("faces"), row->name);
    CHECK_STR(row->name, "buffalo_l");
    CHECK(row->terms);
}

TEST(names, "a name may be written as open_clip, as Immich or as people do")
{
    CHECK_STR(found("ViT-B-32"), IMS_REGISTRY_DEFAULT);
    CHECK_STR(found("vit-b-32"), IMS_REGISTRY_DEFAULT);
    CHECK_STR(found("ViT-B-32__laion2b-s34b-b79k"), IMS_REGISTRY_DEFAULT);
    CHECK_STR(found("ViT-B-32-quickgelu__openai"), "ViT-B-32__openai");
    CHECK_STR(found("ViT-L-14"), "ViT-L-14__laion2b_s32b_b82k");
    CHECK_STR(found("ViT-B-16-SigLIP"), "ViT-B-16-SigLIP__webli");
    CHECK_STR(found("buffalo_l"), "buffalo_l");
    CHECK_STR(found("buffalo_sc"), "buffalo_sc");
    CHECK(!found("ViT-B-32__nothing"));
    CHECK(!found("ViT-B"));
    CHECK(!found(""));
    CHECK(!found("buffalo_l__x"));
}

TEST(unknown, "an unknown name is answered with similar ones")
{
    struct ims_registry_own own;
    const struct ims_registry_row *row;
    ims_err err;

    CHECK_STATUS(ims_registry_find(&row, "ViT-B-32__nothing", &own, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, IMS_REGISTRY_DEFAULT));
    CHECK_STATUS(ims_registry_find(&row, "resnet", &own, &err), IMS_E_NOT_FOUND, err);
    CHECK(strstr(err.text, "--available"));
}

TEST(own, "any open_clip repository of the hub can be named, and its licence must be accepted")
{
    struct ims_registry_own own;
    const struct ims_registry_row *row;
    static const char *const bad[] = { "hf-hub:",     "hf-hub:a",     "hf-hub:a/b/c", "hf-hub:../x",
                                       "hf-hub:a/..", "hf-hub:a/b?c", "hf-hub:a/b c", "hf-hub:/a" };
    ims_err err;

    CHECK_OK(ims_registry_find(&row, "hf-hub:some-one/My.Model_2", &own, &err), err);
    CHECK_STR(row->name, "My.Model_2");
    CHECK_STR(row->repo, "some-one/My.Model_2");
    CHECK(row->terms);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_STATUS(ims_registry_find(&row, bad[i], &own, &err), IMS_E_INVALID, err);
}

TEST_MAIN
