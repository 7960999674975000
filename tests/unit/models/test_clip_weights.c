/* Weights of another precision: what is made, where it is kept, and what happens to a file that
 * lies. The runtime is not needed for that.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_weights.h"

#include "base/fs.h"
#include "base/mem.h"
#include "golden/clip/generated.h"
#include "harness/test.h"
#include "models/clip/clip.h"
#include "models/install.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ims_pack *pack;
static char cache[600], beside[700];
static ims_err err;

/* A small pack; is_own: as if `models pull` had made it. */
static void make_pack(const char *dtype, bool is_own)
{
    static char dir[600];
    struct ims_clip_config config;
    char path[700];

    ims_pack_close(pack);
    pack = NULL;
    (void)snprintf(dir, sizeof(dir), "%s", test_tmp_dir());
    (void)snprintf(cache, sizeof(cache), "%s", test_tmp_dir());
    generated_pack(dir, test_source_path("tests/golden/clip/class_token.config.json"), dtype, NULL,
                   &config);
    if (is_own) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, IMS_MODEL_MANIFEST);
        CHECK_OK(ims__write_file(path, "{}", 2, &err), err);
    }
    (void)snprintf(beside, sizeof(beside), "%s/imgsearch.int8.safetensors", dir);
    CHECK_OK(ims_pack_open(&pack, dir, &err), err);
}

static ims_status open_with(ims_precision p, bool is_one_shot)
{
    struct ims_clip_options o = { .precision = p, .cache_dir = cache, .is_one_shot = is_one_shot };
    struct ims_clip *clip = NULL;
    ims_status st;

    err = (ims_err){ 0 };
    st = ims_clip_open(&clip, pack, NULL, &o, &err);
    ims_clip_close(clip);
    return st;
}

static const char *in_cache(const char *name)
{
    static char path[900];

    (void)snprintf(path, sizeof(path), "%s/weights/%.16s/%s", cache, pack->digest, name);
    return path;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static float trained_value(const struct ims_safetensors *s, const char *name, size_t i)
{
    const struct ims_weight *w = ims__safetensors_find(s, name);
    float v = NAN;

    if (w && w->type == IMS_WEIGHT_F32)
        memcpy(&v, s->map.data + w->offset + i * sizeof(v), sizeof(v));
    return v;
}

static const uint8_t *made_data(const struct ims_safetensors *s, const char *name,
                                ims_weight_type type)
{
    const struct ims_weight *w = ims__safetensors_find(s, name);

    return w && w->type == type ? s->map.data + w->offset : NULL;
}

/* out[c][r] of [n_out, n_in] rows first .. first + n, each with its largest magnitude at 127. */
static bool is_rounded(const struct ims_safetensors *trained, const struct ims_safetensors *made,
                       const char *name, const char *stored, size_t first, size_t n, size_t n_in)
{
    const int8_t *bytes = (const int8_t *)made_data(made, stored, IMS_WEIGHT_I8);
    char scale_name[200];
    const uint8_t *scales;

    (void)snprintf(scale_name, sizeof(scale_name), "%s" IMS_CLIP_SCALE, stored);
    scales = made_data(made, scale_name, IMS_WEIGHT_F32);
    for (size_t r = 0; bytes && scales && r < n; r++) {
        float scale;
        int top = 0;

        memcpy(&scale, scales + r * sizeof(scale), sizeof(scale));
        for (size_t c = 0; c < n_in; c++) {
            float want = trained_value(trained, name, (first + r) * n_in + c);
            int byte = bytes[c * n + r];

            if (!(fabsf((float)byte * scale - want) <= scale * 0.501f))
                return false;
            top = abs(byte) > top ? abs(byte) : top;
        }
        if (top != 127)
            return false;
    }
    return bytes && scales;
}

TEST(int8, "8-bit weights are the trained ones within half a step of their output's scale, "
           "products only, and the attention that is used in parts is stored in parts")
{
    struct ims_safetensors trained, made;
    const char *last = "visual.transformer.resblocks.1.attn.in_proj_weight";

    make_pack("F32", true);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    CHECK_OK(ims__safetensors_open(&trained, pack->files[IMS_PACK_IMAGE], &err), err);
    CHECK_OK(ims__safetensors_open(&made, beside, &err), err);
    CHECK(is_rounded(&trained, &made, "visual.transformer.resblocks.0.mlp.c_fc.weight",
                     "visual.transformer.resblocks.0.mlp.c_fc.weight", 0, 256, 64));
    CHECK(is_rounded(&trained, &made, last,
                     "visual.transformer.resblocks.1.attn.in_proj_weight[0:64]", 0, 64, 64));
    CHECK(is_rounded(&trained, &made, last,
                     "visual.transformer.resblocks.1.attn.in_proj_weight[64:192]", 64, 128, 64));
    CHECK(!ims__safetensors_find(&made, last));
    CHECK(!ims__safetensors_find(&made, "logit_scale"));
    CHECK(made_data(&made, "visual.ln_post.weight", IMS_WEIGHT_F32) != NULL);
    CHECK(made_data(&made, "visual.conv1.weight", IMS_WEIGHT_F32) != NULL);
    CHECK(made_data(&made, "token_embedding.weight", IMS_WEIGHT_F16) != NULL);
    CHECK(made_data(&made, "visual.proj", IMS_WEIGHT_I8) != NULL);
    ims__safetensors_release(&trained);
    ims__safetensors_release(&made);
}

TEST(places, "weights of an installed pack lie beside it, those of any other folder in the cache")
{
    make_pack("F16", true);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    CHECK(is_there(beside));
    CHECK(!is_there(in_cache("imgsearch.int8.safetensors")));
    make_pack("BF16", false);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    CHECK(!is_there(beside));
    CHECK(is_there(in_cache("imgsearch.int8.safetensors")));
    CHECK_OK(open_with(IMS_PRECISION_FP16, false), err);
    CHECK(is_there(in_cache("imgsearch.fp16.safetensors")));
}

TEST(spaces, "each precision has a name and a digest of its own, and fp32 those of the pack")
{
    struct ims_clip_space s[IMS_N_PRECISIONS];

    make_pack("F32", false);
    for (int i = 0; i < IMS_N_PRECISIONS; i++)
        CHECK_OK(ims_clip_space(pack, (ims_precision)i, &s[i], &err), err);
    CHECK_STR(s[0].name, pack->name);
    CHECK_STR(s[0].digest, pack->digest);
    CHECK(strstr(s[1].name, "@fp16") && strstr(s[2].name, "@int8"));
    CHECK(strcmp(s[1].digest, s[0].digest) != 0 && strcmp(s[2].digest, s[0].digest) != 0 &&
          strcmp(s[1].digest, s[2].digest) != 0);
}

/* ---- files that lie ---- */

static uint8_t *content;
static size_t n_content;

static void remember(const char *path)
{
    struct ims_buf b;

    ims__free(content);
    content = NULL;
    CHECK_OK(ims__read_file(path, 64 << 20, &b, NULL, &err), err);
    n_content = b.len;
    content = (uint8_t *)ims__buf_take(&b, NULL);
}

static void check_same(const char *path)
{
    struct ims_buf b;

    CHECK_OK(ims__read_file(path, 64 << 20, &b, NULL, &err), err);
    CHECK_INT(b.len, n_content);
    CHECK_MEM((const void *)b.data, (const void *)content, n_content);
    ims__buf_release(&b);
}

/* The file with byte i changed, cut to n bytes. */
static void write_spoilt(const char *path, size_t i, size_t n)
{
    content[i] ^= 1;
    CHECK_OK(ims__write_file(path, content, n, &err), err);
    content[i] ^= 1;
}

TEST(lies, "a file with a changed byte, a missing end, another model's weights or no JSON is made "
           "again as it was")
{
    make_pack("F32", true);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    remember(beside);
    for (size_t k = 0; k < 40; k++) {
        write_spoilt(beside, k * (n_content - 1) / 39, n_content);
        CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
        check_same(beside);
    }
    write_spoilt(beside, 0, n_content / 2);
    CHECK_OK(open_with(IMS_PRECISION_INT8, true), err);
    check_same(beside);
    write_spoilt(beside, 0, 0);
    CHECK_OK(open_with(IMS_PRECISION_INT8, true), err);
    check_same(beside);
}

TEST(other, "weights made from another pack, or under another precision's name, are not used")
{
    char there[700];

    make_pack("F32", true);
    CHECK_OK(open_with(IMS_PRECISION_FP16, false), err);
    (void)snprintf(there, sizeof(there), "%s/imgsearch.fp16.safetensors", pack->dir);
    remember(there);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    CHECK_OK(ims__write_file(beside, content, n_content, &err), err); /* halves under int8's name */
    remember(beside);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    CHECK(access(beside, F_OK) == 0);
    make_pack("BF16", true); /* rounded otherwise, so another model */
    CHECK_OK(ims__write_file(beside, content, n_content, &err), err);
    CHECK_OK(open_with(IMS_PRECISION_INT8, true), err);
    remember(beside);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    check_same(beside);
}

TEST(left_over, "what a killed process left behind is taken over, and nothing stays beside the file")
{
    char partial[720];

    make_pack("F32", true);
    (void)snprintf(partial, sizeof(partial), "%s.partial", beside);
    CHECK_OK(ims__write_file(partial, "half a file", 11, &err), err);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    CHECK(is_there(beside));
    CHECK(!is_there(partial));
}

TEST(crowd, "processes that want the same weights at once all get them, and they are sound")
{
    pid_t children[6];
    struct ims_clip_options o = { .precision = IMS_PRECISION_INT8, .cache_dir = cache };

    make_pack("F32", false);
    for (size_t i = 0; i < 6; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            struct ims_clip *clip = NULL;
            _exit(ims_clip_open(&clip, pack, NULL, &o, &err) == IMS_OK ? 0 : 1);
        }
    }
    for (size_t i = 0; i < 6; i++) {
        int status = -1;

        CHECK_INT(waitpid(children[i], &status, 0), children[i]);
        CHECK_INT(status, 0);
    }
    CHECK(!is_there(in_cache("imgsearch.int8.safetensors.partial")));
    remember(in_cache("imgsearch.int8.safetensors"));
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    check_same(in_cache("imgsearch.int8.safetensors"));
}

/* ---- what cannot be ---- */

TEST(full, "where nothing can be written the error says what to do, and nothing is left behind")
{
    struct rlimit all, none;

    make_pack("F32", true);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &all), 0);
    none = all;
    none.rlim_cur = 4096;
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &none), 0);
    CHECK_SOFT(open_with(IMS_PRECISION_INT8, false) != IMS_OK);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &all), 0);
    CHECK(strstr(err.text, "int8 weights") && strstr(err.text, "--precision fp32"));
    CHECK(!is_there(beside));
    (void)snprintf(cache, sizeof(cache), "/dev/null/cache");
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err); /* beside the pack there is room now */
}

TEST(too_large, "a weight beyond the range of halves is refused by its name for fp16, not for int8")
{
    struct ims_buf b;
    struct ims_safetensors s;
    const struct ims_weight *w;
    float big = 70000.0f;
    uint64_t at;

    make_pack("F32", false);
    CHECK_OK(ims__safetensors_open(&s, pack->files[IMS_PACK_IMAGE], &err), err);
    w = ims__safetensors_find(&s, "visual.proj");
    CHECK(w != NULL);
    at = w->offset;
    ims__safetensors_release(&s);
    CHECK_OK(ims__read_file(pack->files[IMS_PACK_IMAGE], 64 << 20, &b, NULL, &err), err);
    memcpy(b.data + at, &big, sizeof(big));
    CHECK_OK(ims__write_file(pack->files[IMS_PACK_IMAGE], b.data, b.len, &err), err);
    ims__buf_release(&b);
    CHECK_STATUS(open_with(IMS_PRECISION_FP16, false), IMS_E_MODEL, err);
    CHECK(strstr(err.text, "visual.proj") && strstr(err.text, "70000"));
    CHECK(!is_there(in_cache("imgsearch.fp16.safetensors")));
    CHECK(!is_there(in_cache("imgsearch.fp16.safetensors.partial")));
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
}

TEST(memory, "every allocation of making weights may fail, and opening says so")
{
    uint64_t before, total;

    make_pack("F32", false);
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err); /* the folder is there from now on */
    (void)unlink(in_cache("imgsearch.int8.safetensors"));
    before = ims__mem_count();
    CHECK_OK(open_with(IMS_PRECISION_INT8, false), err);
    total = ims__mem_count() - before;
    for (uint64_t n = 1; n <= total; n += 1 + total / 150) {
        ims_status st;

        (void)unlink(in_cache("imgsearch.int8.safetensors"));
        ims__mem_fail_at(n);
        st = open_with(IMS_PRECISION_INT8, false);
        ims__mem_fail_at(0);
        CHECK_STATUS(st, IMS_E_NOMEM, err);
        CHECK(!is_there(in_cache("imgsearch.int8.safetensors.partial")));
    }
}

TEST_MAIN
