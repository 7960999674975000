/* Model packs on disk: layouts, names, the list, and the digest.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/pack.h"

#include "base/fs.h"
#include "base/mem.h"
#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[512];

static void write_file(const char *name, const char *text)
{
    char path[1024];
    ims_err err = { 0 };
    char *slash;

    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    CHECK_OK(ims__mkdir_p(path, &err), err);
    *slash = '/';
    CHECK_OK(ims__write_file(path, text, strlen(text), &err), err);
}

static const char *under(const char *name)
{
    static char paths[4][1024];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static void write_open_clip(const char *name, const char *config)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/open_clip_config.json", name);
    write_file(path, config);
    (void)snprintf(path, sizeof(path), "%s/open_clip_model.safetensors", name);
    write_file(path, "weights");
    (void)snprintf(path, sizeof(path), "%s/tokenizer.json", name);
    write_file(path, "{}");
}

static void write_immich(const char *name)
{
    static const char *const files[] = { "config.json", "visual/model.onnx", "textual/model.onnx",
                                         "visual/preprocess_cfg.json", "textual/tokenizer.json" };
    char path[256];

    for (size_t i = 0; i < IMS_ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", name, files[i]);
        write_file(path, "{}");
    }
}

static void begin(void)
{
    (void)snprintf(root, sizeof(root), "%s", test_tmp_dir());
}

TEST(layouts, "both layouts open, with their files and a name from the folder")
{
    struct ims_pack *p = NULL;
    ims_err err = { 0 };

    begin();
    write_open_clip("ViT-X__tag", "{}");
    write_immich("Immich-Y__tag");
    CHECK_OK(ims_pack_open(&p, under("ViT-X__tag//"), &err), err);
    CHECK_INT(p->layout, IMS_PACK_OPEN_CLIP);
    CHECK_STR(p->name, "ViT-X__tag");
    CHECK(!p->is_demo);
    CHECK_INT(p->size_bytes, strlen("weights"));
    CHECK_INT(strlen(p->digest), 64);
    CHECK_STR(p->files[IMS_PACK_TOKENIZER], under("ViT-X__tag/tokenizer.json"));
    ims_pack_close(p);
    CHECK_OK(ims_pack_open(&p, under("Immich-Y__tag"), &err), err);
    CHECK_INT(p->layout, IMS_PACK_IMMICH);
    CHECK_STR(p->files[IMS_PACK_TEXT], under("Immich-Y__tag/textual/model.onnx"));
    ims_pack_close(p);
}

TEST(demo, "a demo model says so, by its configuration or its place")
{
    struct ims_pack *p = NULL;
    ims_err err = { 0 };

    begin();
    write_open_clip("demo/clip", "{}");
    write_open_clip("other", "{\"imgsearch\":{\"name\":\"small world\",\"demo\":true}}");
    CHECK_OK(ims_pack_open(&p, under("demo/clip"), &err), err);
    CHECK(p->is_demo);
    CHECK_STR(p->name, "demo");
    ims_pack_close(p);
    CHECK_OK(ims_pack_open(&p, under("other"), &err), err);
    CHECK(p->is_demo);
    CHECK_STR(p->name, "small world");
    ims_pack_close(p);
}

TEST(missing, "a folder that is no pack, or lacks a file, is an error that names what is missing")
{
    struct ims_pack *p = NULL;
    ims_err err = { 0 };
    char want[1024];

    begin();
    write_file("nothing/readme.txt", "x");
    CHECK_STATUS(ims_pack_open(&p, under("nothing"), &err), IMS_E_MODEL, err);
    (void)snprintf(want, sizeof(want),
                   "%s is not a CLIP model: expected open_clip_config.json (open_clip) or "
                   "visual/model.onnx (Immich), found neither",
                   under("nothing"));
    CHECK_STR(err.text, want);
    write_open_clip("half", "{}");
    CHECK_INT(unlink(under("half/open_clip_model.safetensors")), 0);
    CHECK_STATUS(ims_pack_open(&p, under("half"), &err), IMS_E_MODEL, err);
    (void)snprintf(want, sizeof(want), "%s: expected a file, found none",
                   under("half/open_clip_model.safetensors"));
    CHECK_STR(err.text, want);
    write_open_clip("garbled", "{\"model_cfg\"");
    CHECK_STATUS(ims_pack_open(&p, under("garbled"), &err), IMS_E_FORMAT, err);
    CHECK(strstr(err.text, "open_clip_config.json"));
}

TEST(digest, "the digest changes with configuration and weights, and with nothing else")
{
    struct ims_pack *p = NULL;
    ims_err err = { 0 };
    char first[65];

    begin();
    write_open_clip("d", "{}");
    CHECK_OK(ims_pack_open(&p, under("d"), &err), err);
    memcpy(first, p->digest, sizeof(first));
    ims_pack_close(p);
    write_file("d/tokenizer.json", "{\"other\":1}");
    write_file("d/README.md", "more words");
    CHECK_OK(ims_pack_open(&p, under("d"), &err), err);
    CHECK_STR(p->digest, first);
    ims_pack_close(p);
    write_file("d/open_clip_model.safetensors", "Weights");
    CHECK_OK(ims_pack_open(&p, under("d"), &err), err);
    CHECK(strcmp(p->digest, first) != 0);
    ims_pack_close(p);
    write_file("d/open_clip_model.safetensors", "weights");
    write_file("d/open_clip_config.json", "{ }");
    CHECK_OK(ims_pack_open(&p, under("d"), &err), err);
    CHECK(strcmp(p->digest, first) != 0);
    ims_pack_close(p);
}

TEST(big_digest, "of a large file the digest sees size, head, tail and blocks in between")
{
    enum { SIZE = 3 << 20 };
    static const size_t seen[] = { 0, (256 << 10) - 1, SIZE - 1 };
    struct ims_pack *p = NULL;
    ims_err err = { 0 };
    char first[65] = "";
    char *data = calloc(SIZE, 1);

    begin();
    CHECK(data);
    write_open_clip("big", "{}");
    for (size_t i = 0; i <= IMS_ARRAY_LEN(seen); i++) {
        if (i)
            data[seen[i - 1]] = 1;
        CHECK_OK(ims__write_file(under("big/open_clip_model.safetensors"), data, SIZE, &err), err);
        if (i)
            data[seen[i - 1]] = 0;
        CHECK_OK(ims_pack_open(&p, under("big"), &err), err);
        CHECK_INT(p->size_bytes, SIZE);
        if (i == 0)
            memcpy(first, p->digest, sizeof(first));
        else
            CHECK(strcmp(p->digest, first) != 0);
        ims_pack_close(p);
    }
    CHECK_OK(ims__write_file(under("big/open_clip_model.safetensors"), data, SIZE - 1, &err), err);
    CHECK_OK(ims_pack_open(&p, under("big"), &err), err);
    CHECK(strcmp(p->digest, first) != 0);
    ims_pack_close(p);
    free(data);
}

static void check_found(const char *const *roots, size_t n, const char *name, const char *tag,
                        const char *want_dir)
{
    struct ims_pack *p = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_pack_find(&p, roots, n, name, tag, &err), err);
    CHECK_STR(p->dir, want_dir);
    ims_pack_close(p);
}

TEST(find, "packs are found by folder, by name and tag in either spelling, and by their own name")
{
    const char *roots[3];
    char first[1024], second[1024], none[1024];
    struct ims_pack *p = NULL;
    ims_err err = { 0 };

    begin();
    write_open_clip("first/ViT-B-32__laion2b_s34b_b79k", "{}");
    write_open_clip("first/plain", "{}");
    write_open_clip("second/plain", "{}");
    write_open_clip("second/demo/clip", "{}");
    write_file("second/demo/stray.txt", "not a pack");
    (void)snprintf(first, sizeof(first), "%s/first", root);
    (void)snprintf(second, sizeof(second), "%s/second", root);
    (void)snprintf(none, sizeof(none), "%s/absent", root);
    roots[0] = none;
    roots[1] = first;
    roots[2] = second;
    check_found(roots, 3, "ViT-B-32", "laion2b_s34b_b79k",
                under("first/ViT-B-32__laion2b_s34b_b79k"));
    check_found(roots, 3, "ViT-B-32", "laion2b-s34b-b79k",
                under("first/ViT-B-32__laion2b_s34b_b79k"));
    check_found(roots, 3, "ViT-B-32__laion2b-s34b-b79k", NULL,
                under("first/ViT-B-32__laion2b_s34b_b79k"));
    check_found(roots, 3, "plain", "", under("first/plain"));
    check_found(roots, 3, under("second/plain"), NULL, under("second/plain"));
    roots[0] = under("second/demo");
    check_found(roots, 1, "demo", NULL, under("second/demo/clip"));
    roots[0] = first;
    CHECK_STATUS(ims_pack_find(&p, roots, 1, "ViT-B_32", "laion2b_s34b_b79k", &err), IMS_E_MODEL,
                 err);
    CHECK_STR(err.text, "no model named ViT-B_32__laion2b_s34b_b79k; installed: "
                        "ViT-B-32__laion2b_s34b_b79k plain");
    CHECK_STATUS(ims_pack_find(&p, roots, 0, "x", NULL, &err), IMS_E_MODEL, err);
    CHECK_STR(err.text, "no model named x; none is installed in");
}

TEST(list, "the list has every folder, with the reason where one cannot be used")
{
    struct ims_pack_list l;
    const char *roots[1];
    ims_err err = { 0 };

    begin();
    write_open_clip("l/b", "{}");
    write_immich("l/a");
    write_file("l/broken/open_clip_config.json", "{}");
    write_file("l/stray.txt", "x");
    roots[0] = under("l");
    CHECK_OK(ims_pack_list_read(&l, roots, 1, &err), err);
    CHECK_INT(l.n, 3);
    CHECK_STR(l.entries[0].name, "a");
    CHECK(l.entries[0].pack && l.entries[0].pack->layout == IMS_PACK_IMMICH);
    CHECK_STR(l.entries[1].name, "b");
    CHECK_STR(l.entries[2].name, "broken");
    CHECK(!l.entries[2].pack);
    CHECK_INT(l.entries[2].why.status, IMS_E_MODEL);
    ims_pack_list_release(&l);
}

TEST_MAIN
