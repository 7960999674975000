/* Tests of `imgsearch models pull`, verify and remove, against a small hub.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/hash.h"
#include "golden/clip/generated.h"
#include "harness/http_server.h"
#include "integration/library.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "ViT-B-32__laion2b_s34b_b79k"
#define REPO "/laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define WEIGHTS "open_clip_model.safetensors"

static struct library library;
static struct http_server *hub;
static char env_hub[100];
static struct run_result result;

/* The three files of a generated model, as the hub serves them. */
static struct {
    const char *name;
    char *data;
    size_t n;
    char sum[IMS_SHA256_HEX];
} files[3] = { { .name = "open_clip_config.json" },
               { .name = "tokenizer.json" },
               { .name = WEIGHTS } };

static void make_files(void)
{
    struct ims_clip_config config;
    const char *dir = test_tmp_dir();
    uint8_t sum[IMS_SHA256_BYTES];
    char path[700];
    ims_err err;

    if (files[0].data)
        return;
    generated_pack(dir, test_source_path("tests/golden/clip/class_token.config.json"), "F32", NULL,
                   &config);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
        files[i].data = test_read_file(path, &files[i].n);
        CHECK_OK(ims__sha256(files[i].data, files[i].n, sum, &err), err);
        ims__hex(sum, sizeof(sum), files[i].sum);
    }
}

static void route(const char *what, const char *revision, const char *name, struct http_route r)
{
    char path[300];

    snprintf(path, sizeof(path), REPO "/%s/%s/%s", what, revision, name);
    r.path = path;
    http_server_route(hub, &r);
}

/* Under the branch and under the commit. */
static void route_both(const char *name, struct http_route r)
{
    route("resolve", "main", name, r);
    route("resolve", COMMIT, name, r);
}

static void serve_small(size_t i)
{
    uint8_t sum[IMS_SHA1_BYTES];
    char hex[41], headers[300];
    ims_err err;

    CHECK_OK(ims__git_blob_sha1(files[i].data, files[i].n, sum, &err), err);
    ims__hex(sum, sizeof(sum), hex);
    snprintf(headers, sizeof(headers), "X-Repo-Commit: " COMMIT "\r\nETag: \"%s\"\r\n", hex);
    route_both(
        files[i].name,
        (struct http_route){ .headers = headers, .body = files[i].data, .body_bytes = files[i].n });
}

/* A large file: facts and a redirect, then the bytes at another path. */
static void serve_weights(const char *sum, unsigned long long size, struct http_route at_storage)
{
    char headers[500];

    snprintf(
        headers, sizeof(headers),
        "X-Repo-Commit: " COMMIT
        "\r\nX-Linked-Size: %llu\r\nX-Linked-Etag: \"%s\"\r\nLocation: /storage?sign=secret\r\n",
        size, sum);
    route_both(WEIGHTS, (struct http_route){
                            .status = 302, .headers = headers, .body = "", .body_bytes = 0 });
    at_storage.path = "/storage";
    at_storage.body = files[2].data;
    at_storage.body_bytes = files[2].n;
    http_server_route(hub, &at_storage);
}

static void setup(void)
{
    make_files();
    library_init(&library);
    hub = http_server_start();
    snprintf(env_hub, sizeof(env_hub), "IMS_HUB_URL=%s", http_server_url(hub));
    library_add_env(&library, env_hub);
    serve_small(0);
    serve_small(1);
    serve_weights(files[2].sum, files[2].n, (struct http_route){ 0 });
}

static void teardown(void)
{
    run_release(&result);
    if (hub)
        http_server_stop(hub);
    hub = NULL;
}

static void run(int want, const char *words)
{
    struct run_options o = { 0 };

    run_release(&result);
    library_run_with(&library, &o, &result, words);
    if (result.exit_code != want)
        test_fail(__FILE__, __LINE__, "exit code %d (signal %d), expected %d, of %s: %s%s",
                  result.exit_code, result.signal, want, words, result.out, result.err);
}

static bool has(const char *relative)
{
    char path[900];

    snprintf(path, sizeof(path), "%s/%s", library.data, relative);
    return access(path, F_OK) == 0;
}

/* Nothing that a program would take for a model. */
static void check_not_installed(void)
{
    CHECK(!has("models/" NAME));
}

TEST(pull, "a model is fetched, installed as a whole, listed, checked and removed")
{
    ims_json *v;

    setup();
    run(0, "models\npull");
    CHECK(strstr(result.out, "is installed"));
    CHECK(strstr(result.err, "licence MIT"));
    CHECK(has("models/" NAME "/" WEIGHTS));
    CHECK(has("models/" NAME "/imgsearch-model.json"));
    CHECK(!has("downloads/" NAME));
    CHECK_INT(http_server_count(hub, "GET /storage"), 1);
    CHECK_INT(http_server_count(hub, "GET " REPO "/resolve/main/" WEIGHTS),
              0); /* all from one commit */
    run(0, "models\nlist");
    CHECK(strstr(result.out, "* " NAME));
    v = library_run(&library, 0, "models\nverify\n--json\n" NAME);
    CHECK(ims__json_bool(ims__json_get(ims__json_at(v, 0), "ok"), false));
    CHECK_INT(ims__json_len(ims__json_get(ims__json_at(v, 0), "files")), 3);
    CHECK_INT(ims__json_int(ims__json_get(ims__json_at(v, 0), "without_sum"), -1), 0);
    ims__json_free(v);
    run(0, "tokenize\n--json\na car");
    run(0, "models\npull\nViT-B-32");
    CHECK(strstr(result.out, "already"));
    CHECK_INT(http_server_count(hub, "GET /storage"), 1);
    run(0, "models\nremove\n" NAME);
    check_not_installed();
    run(5, "models\nremove\n" NAME);
    teardown();
}

TEST(settings, "without a name the model of the settings is fetched")
{
    setup();
    library_add_env(&library, "CLIP_MODEL_NAME=ViT-B-32");
    library_add_env(&library, "CLIP_PRETRAINED=laion2b_s34b_b79k");
    run(0, "models\npull\n--json");
    CHECK(strstr(result.out, NAME));
    teardown();
}

TEST(cut, "a cut connection does not harm")
{
    setup();
    serve_weights(files[2].sum, files[2].n,
                  (struct http_route){
                      .headers = "ETag: \"s\"\r\n", .cut_times = 1, .cut_bytes = files[2].n / 2 });
    run(0, "models\npull");
    CHECK_INT(http_server_sent(hub), files[0].n + files[1].n + files[2].n);
    run(0, "models\nverify\n" NAME);
    teardown();
}

TEST(again, "a pull that failed half way keeps what is right and fetches only the rest")
{
    setup();
    serve_weights(files[2].sum, files[2].n,
                  (struct http_route){ .fail_times = 1, .fail_status = 404 });
    run(5, "models\npull");
    check_not_installed();
    CHECK(has("downloads/" NAME "/tokenizer.json"));
    run(0, "models\npull");
    CHECK_INT(http_server_count(hub, "GET " REPO "/resolve/" COMMIT "/tokenizer.json"), 1);
    teardown();
}

TEST(wrong_sum, "weights with a wrong sum are not installed")
{
    char sum[IMS_SHA256_HEX];

    setup();
    snprintf(sum, sizeof(sum), "%s", files[2].sum);
    sum[5] = sum[5] == '0' ? '1' : '0';
    serve_weights(sum, files[2].n, (struct http_route){ 0 });
    run(13, "models\npull");
    CHECK(strstr(result.err, "wrong sum"));
    CHECK(!strstr(result.err, "secret"));
    check_not_installed();
    CHECK(!has("downloads/" NAME "/" WEIGHTS ".part"));
    teardown();
}

TEST(wrong_small, "a small file that is not the commit's is refused too")
{
    setup();
    route("resolve", COMMIT, "tokenizer.json",
          (struct http_route){ .headers =
                                   "X-Repo-Commit: " COMMIT
                                   "\r\nETag: \"ce013625030ba8dba906f756967f9e9ca394464a\"\r\n",
                               .body = files[1].data,
                               .body_bytes = files[1].n });
    run(13, "models\npull");
    CHECK(strstr(result.err, "Git object"));
    check_not_installed();
    teardown();
}

TEST(licence, "a licence that is not for everything is shown and must be accepted")
{
    setup();
    run(7, "models\npull\nbuffalo_l");
    CHECK(strstr(result.err, "non-commercial"));
    CHECK(strstr(result.err, "--accept-licence"));
    CHECK_INT(http_server_count(hub, NULL), 0);
    run(5, "models\npull\nbuffalo_l\n--accept-licence");
    CHECK(http_server_count(hub, NULL) > 0);
    teardown();
}

TEST(pinned, "a hub that has other bytes than the known ones is refused before they are fetched")
{
    static const char path[] = "/immich-app/buffalo_s/resolve/"
                               "0ff1751885575e62e084dff70549ce24a11fa5dc/detection/model.onnx";

    setup();
    http_server_route(hub, &(struct http_route){ .path = path, .body = "other", .body_bytes = 5 });
    run(13, "models\npull\nbuffalo_s\n--accept-licence");
    CHECK(strstr(result.err, "2524817"));
    CHECK_INT(http_server_sent(hub), 0);
    teardown();
}

TEST(plain, "a mirror of plain files serves when it has the pointers too, and not without")
{
    char pointer[300];

    setup();
    for (size_t i = 0; i < 3; i++)
        route("resolve", "main", files[i].name,
              (struct http_route){ .body = files[i].data, .body_bytes = files[i].n });
    run(11, "models\npull");
    CHECK(strstr(result.err, "nobody says its sum"));
    check_not_installed();
    snprintf(pointer, sizeof(pointer),
             "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %zu\n", files[2].sum,
             files[2].n);
    route("raw", "main", WEIGHTS,
          (struct http_route){ .body = pointer, .body_bytes = strlen(pointer) });
    run(0, "models\npull");
    run(0, "models\nverify\n" NAME);
    teardown();
}

TEST(page, "a mirror that serves web pages is refused")
{
    setup();
    route("resolve", "main", "open_clip_config.json",
          (struct http_route){ .headers = "Content-Type: text/html; charset=utf-8\r\n",
                               .body = "<html>",
                               .body_bytes = 6 });
    run(10, "models\npull");
    CHECK(strstr(result.err, "web page"));
    check_not_installed();
    teardown();
}

TEST(away, "a hub that redirects to a foreign host is refused")
{
    setup();
    route("resolve", "main", "open_clip_config.json",
          (struct http_route){ .status = 302,
                               .headers = "Location: https://example.org/x\r\n",
                               .body = "",
                               .body_bytes = 0 });
    run(7, "models\npull");
    CHECK(strstr(result.err, "example.org"));
    teardown();
}

TEST(architecture, "an architecture that is not built is refused before its weights are fetched")
{
    static const char config[] = "{\"model_cfg\": {\"embed_dim\": 1024, \"vision_cfg\": "
                                 "{\"image_size\": 224, \"layers\": [3, 4, 6, 3], "
                                 "\"width\": 64}, \"text_cfg\": {}}}";

    setup();
    route_both("open_clip_config.json",
               (struct http_route){ .body = config, .body_bytes = sizeof(config) - 1 });
    run(11, "models\npull");
    CHECK(strstr(result.err, "layers"));
    CHECK_INT(http_server_count(hub, "GET /storage"), 0);
    check_not_installed();
    teardown();
}

TEST(unsound, "weights that are right to the byte but no model are not installed")
{
    char *saved = files[2].data, sum_before[IMS_SHA256_HEX];
    uint8_t sum[IMS_SHA256_BYTES];
    size_t n = files[2].n;
    ims_err err;

    setup();
    saved = files[2].data;
    n = files[2].n;
    memcpy(sum_before, files[2].sum, sizeof(sum_before));
    files[2].n = n / 2; /* the publisher's own file is cut */
    CHECK_OK(ims__sha256(files[2].data, files[2].n, sum, &err), err);
    ims__hex(sum, sizeof(sum), files[2].sum);
    serve_weights(files[2].sum, files[2].n, (struct http_route){ 0 });
    run(10, "models\npull");
    check_not_installed();
    files[2].data = saved;
    files[2].n = n;
    memcpy(files[2].sum, sum_before, sizeof(sum_before));
    teardown();
}

TEST(space, "a model that does not fit on the disk is refused before it is fetched")
{
    setup();
    serve_weights(files[2].sum, 1000000000000000000ull, (struct http_route){ 0 });
    run(8, "models\npull");
    CHECK(strstr(result.err, "free"));
    CHECK_INT(http_server_sent(hub), 0);
    teardown();
}

TEST(busy, "two processes do not fetch the same model at once")
{
    char path[900];
    int fd;
    ims_err err;

    setup();
    snprintf(path, sizeof(path), "%s/downloads", library.data);
    CHECK_OK(ims__mkdir_p(path, &err), err);
    snprintf(path, sizeof(path), "%s/downloads/" NAME ".lock", library.data);
    fd = open(path, O_RDWR | O_CREAT, 0644);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    run(25, "models\npull");
    close(fd);
    run(0, "models\npull");
    teardown();
}

TEST(own_folder, "a folder of that name that is no model is left alone")
{
    char path[900];
    ims_err err;

    setup();
    snprintf(path, sizeof(path), "%s/models/" NAME "/notes.txt", library.data);
    CHECK_OK(ims__write_derived(path, "mine", 4, &err), err);
    run(6, "models\npull");
    CHECK(strstr(result.err, "models remove"));
    CHECK(has("models/" NAME "/notes.txt"));
    teardown();
}

TEST(offline, "without a network each file is named with its address and its place")
{
    setup();
    http_server_stop(hub);
    hub = NULL;
    run(4, "models\npull");
    for (size_t i = 0; i < 3; i++)
        CHECK(strstr(result.err, files[i].name));
    CHECK(strstr(result.err, REPO "/resolve/main/" WEIGHTS));
    CHECK(strstr(result.err, "models/" NAME "/" WEIGHTS));
    check_not_installed();
    teardown();
}

TEST(damage, "verify finds a changed byte and a missing file")
{
    char path[900], *data;
    size_t n;
    ims_err err;

    setup();
    run(0, "models\npull");
    snprintf(path, sizeof(path), "%s/models/" NAME "/" WEIGHTS, library.data);
    data = test_read_file(path, &n);
    data[n - 1] ^= 1;
    CHECK_OK(ims__write_file(path, data, n, &err), err);
    free(data);
    run(13, "models\nverify");
    CHECK(strstr(result.out, "BAD   " WEIGHTS));
    CHECK(strstr(result.out, "ok    tokenizer.json"));
    CHECK(unlink(path) == 0);
    run(13, "models\nverify\n" NAME);
    teardown();
}

TEST(by_hand, "files put in place by hand are a model, and verify opens it")
{
    char path[900];
    ims_err err;

    setup();
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/models/" NAME "/%s", library.data, files[i].name);
        CHECK_OK(ims__write_derived(path, files[i].data, files[i].n, &err), err);
    }
    run(0, "models\nverify\n" NAME);
    CHECK(strstr(result.out, "no sum is known"));
    run(0, "models\npull");
    CHECK(strstr(result.out, "already"));
    CHECK_INT(http_server_count(hub, NULL), 0);
    teardown();
}

TEST(elsewhere, "a tokenizer that the repository lacks is taken from the one that has the same")
{
    char path[300];

    setup();
    route_both("tokenizer.json", (struct http_route){ .status = 404, .body = "", .body_bytes = 0 });
    run(5, "models\npull");
    CHECK(strstr(result.err, REPO));
    snprintf(path, sizeof(path), "/openai/clip-vit-base-patch32/resolve/main/tokenizer.json");
    http_server_route(
        hub, &(struct http_route){ .path = path, .body = files[1].data, .body_bytes = files[1].n });
    run(0, "models\npull");
    CHECK(has("models/" NAME "/tokenizer.json"));
    teardown();
}

TEST(own, "any open_clip repository of the hub can be fetched when its licence is accepted")
{
    setup();
    run(7, "models\npull\nhf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K");
    run(0, "models\npull\nhf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K\n--accept-licence");
    CHECK(has("models/CLIP-ViT-B-32-laion2B-s34B-b79K/" WEIGHTS));
    teardown();
}

TEST(bad_hub, "an address of a hub that is none is an error of the settings")
{
    setup();
    snprintf(env_hub, sizeof(env_hub), "IMS_HUB_URL=https://me:hunter2@hub.example");
    run(15, "models\npull");
    CHECK(strstr(result.err, "IMS_HUB_URL"));
    CHECK(!strstr(result.err, "hunter2"));
    snprintf(env_hub, sizeof(env_hub), "IMS_HUB_URL=ftp://hub.example");
    run(15, "models\npull");
    teardown();
}

TEST(names, "names that are none, or that lead elsewhere, are refused")
{
    setup();
    run(5, "models\npull\nresnet-50");
    run(2, "models\npull\nhf-hub:../../etc");
    run(2, "models\nremove\n../data");
    run(2, "models\nremove\n.");
    run(2, "models\npull\na\nb");
    run(5, "models\nverify\nnone");
    CHECK_INT(http_server_count(hub, NULL), 0);
    teardown();
}

TEST_MAIN
