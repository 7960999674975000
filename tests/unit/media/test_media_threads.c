/* Many threads decode at once: each gets what it would get alone, error messages included.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/mem.h"
#include "base/thread.h"
#include "harness/test.h"
#include "media/media.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_THREADS 4
#define N_ROUNDS 400

static const char *const names[] = {
    "tests/golden/media/files/o6.jpg",       "tests/golden/media/files/cmyk_icc.jpg",
    "tests/golden/media/files/rgba.png",     "tests/golden/media/files/alpha.webp",
    "tests/golden/media/files/animated.gif", "tests/golden/media/files/lzw.tif",
    "tests/golden/media/files/rich.heic",    "tests/golden/media/files/plain.avif",
    "tests/golden/media/files/p3.png",       "tests/fuzz/media/bad/wrong_crc.png",
    "tests/fuzz/media/bad/huge.heic",        "tests/fuzz/media/bad/huge.png",
    "tests/fuzz/media/bad/bomb.gif",         "tests/fuzz/media/bad/damaged_data.jpg",
};
#define N_FILES IMS_ARRAY_LEN(names)

struct result {
    ims_status status;
    uint64_t pixels; /* hash */
    uint64_t thumbnail;
    char text[512];
};

static struct {
    struct ims_media *media;
    uint8_t *bytes[N_FILES];
    size_t n[N_FILES];
    struct result want[N_FILES];
    atomic_int n_wrong;
} shared;

static void decode(size_t i, struct result *r)
{
    struct ims_image *im = NULL;
    struct ims_media_info info = { 0 };
    uint8_t *jpeg = NULL;
    size_t n = 0;
    ims_err err = { 0 };

    memset(r, 0, sizeof(*r));
    r->status = ims_media_decode(shared.media, shared.bytes[i], shared.n[i], &info, &im, &err);
    if (r->status) {
        snprintf(r->text, sizeof(r->text), "%s", err.text);
        return;
    }
    r->pixels = ims__hash64(im->rgb, im->stride_bytes * (size_t)im->height);
    if (ims_media_thumbnail(shared.media, im, 20, 85, &jpeg, &n, &err) == IMS_OK)
        r->thumbnail = ims__hash64(jpeg, n);
    snprintf(r->text, sizeof(r->text), "%s", info.note);
    ims__free(jpeg);
    ims_image_unref(im);
    ims_media_info_release(&info);
}

static void work(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;

    for (int k = 0; k < N_ROUNDS; k++) {
        size_t i = (size_t)(test_random(&seed) % N_FILES);
        struct result got;

        decode(i, &got);
        if (got.status != shared.want[i].status || got.pixels != shared.want[i].pixels ||
            got.thumbnail != shared.want[i].thumbnail || strcmp(got.text, shared.want[i].text) != 0) {
            if (atomic_fetch_add(&shared.n_wrong, 1) == 0)
                test_note("%s: %s, alone: %s", names[i], got.text, shared.want[i].text);
        }
    }
}

TEST(same, "four threads get the pixels and the messages that one gets")
{
    struct ims_thread threads[N_THREADS] = { 0 };
    ims_err err;

    CHECK_OK(ims_media_open(&shared.media, NULL, &err), err);
    for (size_t i = 0; i < N_FILES; i++) {
        shared.bytes[i] = (uint8_t *)test_read_file(test_source_path(names[i]), &shared.n[i]);
        decode(i, &shared.want[i]);
    }
    CHECK_INT(shared.want[0].status, IMS_OK);
    CHECK_INT(shared.want[9].status, IMS_E_FORMAT);
    for (uintptr_t t = 0; t < N_THREADS; t++)
        CHECK_OK(ims__thread_start(&threads[t], "decode", work, (void *)(t + 1), &err), err);
    for (size_t t = 0; t < N_THREADS; t++)
        ims__thread_join(&threads[t]);
    CHECK_INT(atomic_load(&shared.n_wrong), 0);
    for (size_t i = 0; i < N_FILES; i++)
        free(shared.bytes[i]);
    ims_media_close(shared.media);
}

TEST_MAIN
