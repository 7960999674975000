/* Texts that many threads ask for at once, embedded together, come out as each by itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"

#include "base/mem.h"
#include "base/thread.h"
#include "models/clip/clip_internal.h"

#include <string.h>

#define N_THREADS 8
#define N_ROUNDS 25
#define MAX_DIM 1024

static const char *const texts[] = {
    "a red house", "two dogs by the sea in the evening", "", "a person with a hat and an umbrella in the rain",
    "snow", "a boat", "an old green car in front of a house with a garden and three trees", "night",
};

static struct ims_clip *open_clip(struct ims_pack **out_pack)
{
    ims_err err;
    struct ims_clip *clip = NULL;

    test_check_ok(__FILE__, __LINE__, "pack",
                  ims_pack_open(out_pack, test_source_path("models/demo/clip"), &err), &err);
    test_check_ok(__FILE__, __LINE__, "clip",
                  ims_clip_open(&clip, *out_pack, fixture_compute(), NULL, &err), &err);
    return clip;
}

struct client {
    struct ims_clip *clip;
    struct ims_thread thread;
    size_t first;
    float expected[IMS_ARRAY_LEN(texts)][MAX_DIM];
    unsigned n_wrong, n_failed;
};

static void ask(void *arg)
{
    struct client *me = arg;
    const size_t dim = ims_clip_info(me->clip)->dim;
    float got[MAX_DIM];

    for (size_t i = 0; i < N_ROUNDS; i++) {
        size_t k = (me->first + i) % IMS_ARRAY_LEN(texts);

        if (ims_clip_embed_text(me->clip, &texts[k], 1, got, NULL)) {
            me->n_failed++;
            continue;
        }
        for (size_t d = 0; d < dim; d++) {
            float off = got[d] - me->expected[k][d];

            if (!(off < 1e-5F && off > -1e-5F)) {
                me->n_wrong++;
                break;
            }
        }
    }
}

TEST(together, "texts of many threads go together, and each gets the vector of its own text")
{
    static struct client clients[N_THREADS];
    struct ims_batcher_stats stats = { .n_items = 0 };
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = open_clip(&pack);
    ims_err err;

    CHECK(clip && ims_clip_info(clip)->dim <= MAX_DIM);
    for (size_t k = 0; k < IMS_ARRAY_LEN(texts); k++) { /* not gathered yet */
        CHECK_OK(ims_clip_embed_text(clip, &texts[k], 1, clients[0].expected[k], &err), err);
        for (size_t i = 1; i < N_THREADS; i++)
            memcpy(clients[i].expected[k], clients[0].expected[k], sizeof(clients[i].expected[k]));
    }
    CHECK_OK(ims_clip_gather_texts(clip, &err), err);
    CHECK_OK(ims_clip_gather_texts(clip, &err), err); /* again changes nothing */
    for (unsigned turn = 0; turn < 200 && stats.n_batches == stats.n_items; turn++) {
        for (size_t i = 0; i < N_THREADS; i++) {
            clients[i].clip = clip;
            clients[i].first = i;
            CHECK_OK(ims__thread_start(&clients[i].thread, "client", ask, &clients[i], &err), err);
        }
        for (size_t i = 0; i < N_THREADS; i++)
            ims__thread_join(&clients[i].thread);
        ims_batcher_stats(clip->texts, &stats);
        CHECK_INT(stats.n_items, (turn + 1) * N_THREADS * N_ROUNDS);
    }
    test_note("%llu texts in %llu runs", (unsigned long long)stats.n_items,
              (unsigned long long)stats.n_batches);
    CHECK(stats.n_batches < stats.n_items);
    for (size_t i = 0; i < N_THREADS; i++) {
        CHECK_INT(clients[i].n_failed, 0);
        CHECK_INT(clients[i].n_wrong, 0);
    }
    ims_clip_close(clip);
    ims_pack_close(pack);
}

int main(int argc, char **argv)
{
    int code = 0;

    return fixture_prepare(fixture_device(), &code) ? test_main(argc, argv) : code;
}
