/* New photos of known persons: matched when they are indexed, with the real face models of the demo.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PICTURES 8
#define INGEST "/api/v1/assets/ingest"
#define ANN "00000000-0000-8002-8000-000000000001"

static struct serving s;

/* The picture once more, as another file: what follows its end is not looked at. */
static void add_again(const char *path, const char *name)
{
    char *bytes, *more;
    size_t n = 0;

    bytes = test_read_file(path, &n);
    CHECK(bytes && n > 0);
    more = malloc(n + 1);
    memcpy(more, bytes, n);
    more[n] = *name;
    library_write(&s.library, name, more, n + 1);
    free(more);
    free(bytes);
}

static void ingest(void)
{
    char body[700];

    snprintf(body, sizeof(body), "{\"rootPath\":\"%s\"}", s.library.photos);
    ims__json_free(serving_json(&s, "POST", INGEST, body, 200));
}

/* Waits for the job and gives a number of its result. */
static int64_t result_of(int job, const char *key)
{
    char path[100];
    int64_t n = -1;

    snprintf(path, sizeof(path), "/api/v1/job-progress/status?progress_key=job:00000000-0000-8007-8000-%012x:progress", job);
    for (struct test_wait w = { 0 }; n < 0 && test_waits(&w);) {
        ims_json *o = serving_json(&s, "GET", path, NULL, 200);
        const char *phase = ims__json_str(ims__json_get(o, "phase"), NULL);

        bool is_over = !phase || strcmp(phase, "failed") == 0;

        if (phase && strcmp(phase, "completed") == 0)
            n = ims__json_int(ims__json_get(o, key), 0);
        ims__json_free(o);
        if (is_over)
            break;
    }
    return n;
}

/* A picture with faces; all of them get names. The asset, or 0. */
static int64_t name_somebody(char *path, size_t size)
{
    for (int id = 1; id <= N_PICTURES; id++) {
        char at[100];
        ims_json *o, *asset;
        const ims_json *face;
        size_t n;

        snprintf(at, sizeof(at), "/api/v1/faces/assets/%d", id);
        o = serving_json(&s, "GET", at, NULL, 200);
        n = ims__json_len(ims__json_get(o, "items"));
        face = ims__json_at(ims__json_get(o, "items"), 0);
        if (n == 1) {
            snprintf(at, sizeof(at), "/api/v1/faces/faces/%s/assign", ims__json_str(ims__json_get(face, "id"), NULL));
            ims__json_free(serving_json(&s, "POST", "/api/v1/faces/persons", "{\"name\":\"Ann\"}", 201));
            ims__json_free(serving_json(&s, "POST", at, "{\"personId\":\"" ANN "\"}", 200));
            snprintf(at, sizeof(at), "/api/v1/assets/%d", id);
            asset = serving_json(&s, "GET", at, NULL, 200);
            snprintf(path, size, "%s", ims__json_str(ims__json_get(asset, "path"), NULL));
            ims__json_free(asset);
            ims__json_free(o);
            return id;
        }
        ims__json_free(o);
    }
    return 0;
}

TEST(incremental_D_F7, "D-F7: a new photo of a known person gets the name when it is indexed, and only once")
{
    static const struct serving_request named[] = {
        { "GET", "/api/v1/faces/persons/" ANN, NULL, 200, "\"faceCount\":2" },
    };
    static const struct serving_request undone[] = {
        { "POST", "/api/v1/faces/suggestions/persons/" ANN "/find-more", "{}", 400, "2 named faces" },
        { "GET", "/api/v1/faces/persons/" ANN, NULL, 200, "\"faceCount\":2" },
    };
    char path[700];

    if (!serving_open(&s, N_PICTURES, NULL))
        return;
    CHECK(name_somebody(path, sizeof(path)) > 0); /* job 1 looks for more of the face */
    add_again(path, "again.jpg");
    ingest();
    CHECK_INT((int)result_of(2, "facesAssigned"), 1);
    serving_ask(&s, named, 1);
    CHECK(library_sql(&s.library, "UPDATE jobs SET state = 'queued', ended_us = NULL WHERE id = 2")); /* as after a crash */
    CHECK_INT((int)result_of(2, "facesAssigned"), 0);
    serving_ask(&s, undone, 2);
    serving_stop(&s, SIGTERM);
}

/* What is suggested after indexing when so many persons are. */
static size_t suggested(struct serving_people *sp, const char *mode, const char *count)
{
    const char *const keys[] = { "post_training_suggestions_mode", "post_training_suggestions_top_n_count" };
    const char *const values[] = { mode, count };
    struct ims_people_match m = { .auto_threshold = 2, .is_after_indexing = true };

    if (!test_check_ok(__FILE__, __LINE__, mode, ims_people_set(sp->p.e, keys, values, 2, &sp->p.err), &sp->p.err) ||
        !test_check_ok(__FILE__, __LINE__, mode, ims_people_match(sp->p.e, NULL, &m, &sp->p.err), &sp->p.err))
        return 99;
    return m.n_suggested;
}

TEST(top_persons, "after indexing, only the persons with the most faces are suggested where that is set")
{
    static struct serving_people sp;

    if (!serving_people_open_known(&sp, false, false))
        return;
    CHECK_INT((int)suggested(&sp, "top_n", "1"), 6); /* Ann's */
    CHECK_INT((int)suggested(&sp, "top_n", "2"), 2); /* and Bob's */
    CHECK_INT((int)suggested(&sp, "all", "1"), 0);
    serving_people_close(&sp);
}
