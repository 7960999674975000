/* Face packs on disk: layouts, names, what is missing, and the one that serves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/face_pack.h"

#include "base/fs.h"
#include "base/mem.h"
#include "harness/test.h"

#include <stdio.h>
#include <string.h>

static const char *root;

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

static void write_pack(const char *name, const char *content)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/det_10g.onnx", name);
    write_file(path, content);
    (void)snprintf(path, sizeof(path), "%s/w600k_r50.onnx", name);
    write_file(path, content);
}

/* Opens, and closes again; "" or why it failed. */
static const char *open_error(const char *name, ims_status want)
{
    static ims_err err;
    struct ims_face_pack *p = NULL;
    ims_status st = ims_face_pack_open(&p, under(name), &err);

    ims_face_pack_close(p);
    if (st != want)
        test_fail(__FILE__, __LINE__, "%s: %s, %s", name, ims_status_name(st), st ? err.text : "");
    return st ? err.text : "";
}

TEST(layouts, "InsightFace's and Immich's folders open, each file as what it is")
{
    static const char *const files[] = { "1k3d68.onnx", "2d106det.onnx", "genderage.onnx",
                                         "glintr100.onnx", "scrfd_10g_bnkps.onnx" };
    struct ims_face_pack *p = NULL;
    char path[128];
    ims_err err = { 0 };

    root = test_tmp_dir();
    for (size_t i = 0; i < IMS_ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof(path), "antelopev2/%s", files[i]);
        write_file(path, files[i]);
    }
    CHECK_OK(ims_face_pack_open(&p, under("antelopev2/"), &err), err);
    CHECK_INT(p->layout, IMS_FACE_INSIGHTFACE);
    CHECK_STR(p->name, "antelopev2");
    CHECK_STR(ims__path_base(p->files[IMS_FACE_DETECT]), "scrfd_10g_bnkps.onnx");
    CHECK_STR(ims__path_base(p->files[IMS_FACE_EMBED]), "glintr100.onnx");
    CHECK_STR(ims__path_base(p->files[IMS_FACE_GENDER_AGE]), "genderage.onnx");
    CHECK_STR(ims__path_base(p->files[IMS_FACE_LANDMARKS]), "1k3d68.onnx");
    CHECK(!p->is_demo);
    CHECK_INT(strlen(p->digest), 64);
    CHECK_INT(p->size_bytes, 11 + 14 + 14 + 20); /* 2d106det.onnx is not used */
    ims_face_pack_close(p);
    write_file("immich/detection/model.onnx", "d");
    write_file("immich/recognition/model.onnx", "r");
    CHECK_OK(ims_face_pack_open(&p, under("immich"), &err), err);
    CHECK_INT(p->layout, IMS_FACE_IMMICH);
    CHECK(strstr(p->files[IMS_FACE_EMBED], "/immich/recognition/model.onnx"));
    CHECK(!p->files[IMS_FACE_LANDMARKS]);
    ims_face_pack_close(p);
}

TEST(card, "a card gives the name and says that it is the demo's; a broken one is an error")
{
    struct ims_face_pack *p = NULL;
    ims_err err = { 0 };

    root = test_tmp_dir();
    write_pack("face", "x");
    write_file("face/imgsearch.json", "{\"name\": \"demo-faces\", \"demo\": true}");
    CHECK_OK(ims_face_pack_open(&p, under("face"), &err), err);
    CHECK_STR(p->name, "demo-faces");
    CHECK(p->is_demo);
    ims_face_pack_close(p);
    write_file("face/imgsearch.json", "{\"name\": ");
    CHECK(strstr(open_error("face", IMS_E_FORMAT), "imgsearch.json"));
}

TEST(digest, "the digest tells packs of other weights apart, and parts from each other")
{
    struct ims_face_pack *a = NULL, *b = NULL, *c = NULL;
    ims_err err = { 0 };

    root = test_tmp_dir();
    write_pack("one", "weights 1");
    write_pack("two", "weights 2");
    write_pack("same", "weights 1");
    CHECK_OK(ims_face_pack_open(&a, under("one"), &err), err);
    CHECK_OK(ims_face_pack_open(&b, under("two"), &err), err);
    CHECK_OK(ims_face_pack_open(&c, under("same"), &err), err);
    CHECK_STR(a->digest, c->digest);
    CHECK(strcmp(a->digest, b->digest) != 0);
    ims_face_pack_close(a);
    ims_face_pack_close(b);
    ims_face_pack_close(c);
}

TEST(missing, "what is missing is named with what would do")
{
    root = test_tmp_dir();
    write_file("empty/README.md", "nothing");
    CHECK(strstr(open_error("empty", IMS_E_MODEL), "is not a face pack"));
    write_file("half/det_10g.onnx", "x");
    CHECK(strstr(open_error("half", IMS_E_MODEL), "the recogniser is missing"));
    write_file("other/w600k_r50.onnx", "x");
    CHECK(strstr(open_error("other", IMS_E_MODEL), "the detector is missing"));
    CHECK(strstr(open_error("absent", IMS_E_NOT_FOUND), "absent"));
}

static const char *find_error(const char *name, ims_status want)
{
    static ims_err err;
    struct ims_face_pack *p = NULL;
    ims_status st = ims_face_pack_find(&p, (const char *const[]){ root }, 1, name, &err);

    ims_face_pack_close(p);
    if (st != want)
        test_fail(__FILE__, __LINE__, "%s, %s", ims_status_name(st), st ? err.text : "");
    return st ? err.text : "";
}

static void check_found(const char *name, const char *want)
{
    struct ims_face_pack *p = NULL;
    ims_err err = { 0 };

    CHECK_OK(ims_face_pack_find(&p, (const char *const[]){ "/nowhere", root }, 2, name, &err), err);
    CHECK_STR(ims__path_base(p->dir), want);
    ims_face_pack_close(p);
}

TEST(find, "a pack is found by folder, name or default: buffalo_l, the only real one, the demo's")
{
    root = test_tmp_dir();
    CHECK(strstr(find_error(NULL, IMS_E_MODEL), "models pull buffalo_l"));
    write_file("clip/open_clip_config.json", "{}"); /* none of ours, passed over */
    write_pack("face", "demo");
    write_file("face/imgsearch.json", "{\"name\": \"demo-faces\", \"demo\": true}");
    check_found(NULL, "face");
    check_found("demo-faces", "face");
    write_pack("buffalo_s", "s");
    check_found("", "buffalo_s");
    check_found("face", "face");
    write_pack("antelopev2", "a");
    CHECK(strstr(find_error(NULL, IMS_E_CONFIG), "antelopev2, buffalo_s"));
    check_found("antelopev2", "antelopev2");
    write_pack("buffalo_l", "l");
    check_found(NULL, "buffalo_l");
    check_found(under("buffalo_s"), "buffalo_s");
    CHECK(strstr(find_error("buffalo_x", IMS_E_MODEL), "installed are (antelopev2"));
    write_file("broken/det_10g.onnx", "x");
    CHECK(strstr(find_error("broken", IMS_E_MODEL), "the recogniser is missing"));
}

TEST(memory, "a shortage of memory at any point is an error, and nothing is left behind")
{
    struct ims_face_pack *p = NULL;
    ims_err err = { 0 };
    ims_status st = IMS_E_NOMEM;
    uint64_t n = 0;

    root = test_tmp_dir();
    write_pack("one", "x");
    write_file("one/imgsearch.json", "{\"name\": \"n\"}");
    while (st == IMS_E_NOMEM && n < 1000) {
        ims__mem_fail_at(++n);
        st = ims_face_pack_find(&p, (const char *const[]){ root }, 1, NULL, &err);
        ims__mem_fail_at(0);
        CHECK(st == IMS_OK || !p);
    }
    CHECK_OK(st, err);
    CHECK(n > 5);
    ims_face_pack_close(p);
}

TEST_MAIN
