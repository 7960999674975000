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
#define N_ROUNDS 200          /* decodes of each thread */
#define N_FAILING_ROUNDS 1000 /* two have to fail at the same moment */

static const char *const names[] = {
    /* the first N_FAILING fail with words of five different decoders */
    "tests/fuzz/media/bad/wrong_crc.png",    "tests/fuzz/media/bad/damaged_lossless.webp",
    "tests/fuzz/media/bad/damaged_lzw.tif",  "tests/fuzz/media/bad/damaged_still.gif",
    "tests/fuzz/media/bad/huge.heic",        "tests/fuzz/media/bad/huge.png",
    "tests/fuzz/media/bad/bomb.gif",         "tests/fuzz/media/bad/damaged_data.jpg",
    "tests/golden/media/files/o6.jpg",       "tests/golden/media/files/cmyk_icc.jpg",
    "tests/golden/media/files/rgba.png",     "tests/golden/media/files/alpha.webp",
    "tests/golden/media/files/animated.gif", "tests/golden/media/files/lzw.tif",
    "tests/golden/media/files/rich.heic",    "tests/golden/media/files/plain.avif",
    "tests/golden/media/files/p3.png",
};
#define N_FILES IMS_ARRAY_LEN(names)
#define N_FAILING 5

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

struct job {
    struct ims_thread thread;
    uint64_t seed;
    size_t n_files; /* of the first ones */
    int n_rounds;
};

static void work(void *arg)
{
    struct job *job = arg;

    for (int k = 0; k < job->n_rounds; k++) {
        size_t i = (size_t)(test_random(&job->seed) % job->n_files);
        struct result got;

        decode(i, &got);
        if (got.status != shared.want[i].status || got.pixels != shared.want[i].pixels ||
            got.thumbnail != shared.want[i].thumbnail ||
            strcmp(got.text, shared.want[i].text) != 0) {
            if (atomic_fetch_add(&shared.n_wrong, 1) == 0)
                test_note("%s: %s, alone: %s", names[i], got.text, shared.want[i].text);
        }
    }
}

static bool setup(void)
{
    ims_err err;

    if (shared.media)
        return true;
    if (ims_media_open(&shared.media, NULL, &err)) {
        test_fail(__FILE__, __LINE__, "%s", err.text);
        return false;
    }
    for (size_t i = 0; i < N_FILES; i++) {
        shared.bytes[i] = (uint8_t *)test_read_file(test_source_path(names[i]), &shared.n[i]);
        decode(i, &shared.want[i]);
    }
    return true;
}

static void run_threads(size_t n_files, int n_rounds)
{
    struct job jobs[N_THREADS] = { 0 };
    ims_err err;

    atomic_store(&shared.n_wrong, 0);
    for (size_t t = 0; t < N_THREADS; t++) {
        jobs[t].seed = t + 1;
        jobs[t].n_files = n_files;
        jobs[t].n_rounds = n_rounds;
        if (ims__thread_start(&jobs[t].thread, "decode", work, &jobs[t], &err))
            test_fail(__FILE__, __LINE__, "%s", err.text);
    }
    for (size_t t = 0; t < N_THREADS; t++)
        ims__thread_join(&jobs[t].thread);
    CHECK_INT(atomic_load(&shared.n_wrong), 0);
}

TEST(same, "four threads get the pixels and the messages that one gets")
{
    if (!setup())
        return;
    CHECK_INT(shared.want[N_FILES - 1].status, IMS_OK);
    run_threads(N_FILES, N_ROUNDS);
}

TEST(messages, "when several files fail at once, each is told its own decoder's words")
{
    if (!setup())
        return;
    for (size_t i = 0; i < N_FAILING; i++)
        CHECK(shared.want[i].status != IMS_OK && strchr(shared.want[i].text, ':') != NULL);
    run_threads(N_FAILING, N_FAILING_ROUNDS);
}

TEST(release, "the handle closes when all are done")
{
    if (!setup())
        return;
    for (size_t i = 0; i < N_FILES; i++) {
        free(shared.bytes[i]);
        shared.bytes[i] = NULL;
    }
    ims_media_close(shared.media);
    shared.media = NULL;
}

TEST_MAIN
