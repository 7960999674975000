/* Training over HTTP beyond starting and stopping: progress of all phases, jobs, evidence, folders of a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "training_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define S "/api/v1/training/sessions"

static bool run_to_end(struct serving *s, long long id)
{
    char path[100];

    snprintf(path, sizeof(path), S "/%lld/start", id);
    training_want(s, "POST", path, NULL, 200, "\"message\"");
    snprintf(path, sizeof(path), S "/%lld/progress-unified", id);
    return training_await(s, path, "\"overallStatus\":\"completed\"");
}

TEST(training_unified, "D-T11: the progress of all phases ends at 100 percent, in both spellings, with the faces' session made")
{
    struct serving s;
    ims_json *o;

    if (!training_open(&s, NULL))
        return;
    CHECK_INT(training_session(&s, NULL), 1);
    training_want(&s, "GET", S "/1/progress-unified", NULL, 200, "\"overallStatus\":\"pending\"");
    training_want(&s, "GET", S "/99/progress-unified", NULL, 404, "99");
    CHECK(run_to_end(&s, 1));
    o = training_ask(&s, "GET", S "/1/progress-unified", NULL, 200);
    CHECK_NEAR(ims__json_num(ims__json_get(ims__json_get(o, "overallProgress"), "percentage"), -1), 100, 0);
    CHECK_STR(training_str(o, "overallProgress.currentPhase"), "completed");
    CHECK_STR(training_str(o, "phases.training.status"), "completed");
    CHECK_STR(training_str(o, "phases.faceDetection.status"), "completed");
    CHECK_STR(training_str(o, "phases.face_detection.name"), "face_detection");
    CHECK_STR(training_str(o, "phases.clustering.status"), "completed");
    CHECK_INT(training_int(o, "phases.training.progress.total"), 9);
    CHECK_INT(training_int(o, "phases.training.progress.unique"), 8);
    ims__json_free(o);
    o = training_ask(&s, "GET", "/api/v1/faces/sessions", NULL, 200);
    CHECK_INT(training_int(o, "total"), 1);
    CHECK_INT(training_int(o, "items.0.trainingSessionId"), 1);
    CHECK_INT(training_int(o, "items.0.totalImages"), 9);
    CHECK_INT(training_int(o, "items.0.processedImages"), 8);
    CHECK_INT(training_int(o, "items.0.failedImages"), 1);
    CHECK(training_int(o, "items.0.facesDetected") >= 5);
    ims__json_free(o);
    /* D-T11: a second one, made by hand */
    training_want(&s, "POST", "/api/v1/faces/sessions", "{\"trainingSessionId\":1}", 201, "\"status\":\"pending\"");
    CHECK(training_await(&s, S "/1/progress-unified", "\"overallStatus\":\"completed\""));
    training_want(&s, "GET", "/api/v1/faces/sessions?status=completed", NULL, 200, "\"total\":2");
    serving_stop(&s, SIGTERM);
}

TEST(d_t8_no_faces, "D-T7, D-T8: a run without face models ends at 100 percent as well")
{
    struct serving s;

    if (!training_open(&s, NULL))
        return;
    serving_stop(&s, SIGTERM);
    CHECK(library_sql(&s.library, "INSERT INTO training_sessions (name, status, root_path, created_us, started_us, completed_us, "
                                  "path_from, path_until) SELECT 'old', 'completed', path, 1, 2, 3, path, path FROM roots"));
    CHECK(serving_start(&s, NULL));
    training_want(&s, "GET", S "/1/progress-unified", NULL, 200, "\"overallStatus\":\"completed\",\"overallProgress\":{\"percentage\":100");
    serving_stop(&s, SIGTERM);
}

TEST(training_jobs, "D-T6, D-T9, D-S6: every picture is a job with its state, time and error; the counts add up, also after a full restart")
{
    struct serving s;
    ims_json *o;
    char path[120];
    long long id;

    if (!training_open(&s, NULL))
        return;
    CHECK_INT(training_session(&s, NULL), 1);
    training_want(&s, "GET", S "/1/jobs", NULL, 200, "\"total\":0");
    CHECK(run_to_end(&s, 1));
    for (int round = 0; round < 2; round++) {
        training_want(&s, "GET", S "/1", NULL, 200, "\"totalImages\":9,\"processedImages\":7,\"failedImages\":1,\"skippedImages\":1");
        training_want(&s, "GET", S "/1/progress", NULL, 200,
                      "\"pending\":0,\"running\":0,\"completed\":7,\"failed\":1,\"cancelled\":0,\"skipped\":1");
        training_want(&s, "GET", S "/1/jobs?page_size=4", NULL, 200, "\"total\":9,\"page\":1,\"pageSize\":4,\"hasMore\":true");
        training_want(&s, "GET", S "/1/jobs?status=completed", NULL, 200, "\"total\":7");
        training_want(&s, "GET", S "/1/jobs?status=pending", NULL, 200, "\"total\":0");
        training_want(&s, "GET", S "/1/jobs?status=cancelled", NULL, 200, "\"total\":0");
        training_want(&s, "POST", S "/1/restart-training?failed_only=false", NULL, 200, "\"operation\":\"training_restart\"");
        CHECK(training_await(&s, S "/1", "\"status\":\"completed\""));
    }
    training_want(&s, "GET", "/api/v1/faces/sessions", NULL, 200, "\"total\":1"); /* made once */
    o = training_ask(&s, "GET", S "/1/jobs?status=failed", NULL, 200);
    CHECK_INT(training_int(o, "total"), 1);
    CHECK(strstr(training_str(o, "items.0.imagePath"), "/a/broken.jpg") != NULL);
    CHECK(training_str(o, "items.0.errorMessage") != NULL);
    ims__json_free(o);
    o = training_ask(&s, "GET", S "/1/jobs?status=skipped", NULL, 200);
    CHECK_INT(training_int(o, "total"), 1);
    CHECK(strstr(training_str(o, "items.0.skipReason"), "Duplicate of asset ") != NULL);
    CHECK_INT(training_int(o, "items.0.progress"), 100);
    snprintf(path, sizeof(path), "/api/v1/search/similar/%lld?limit=3", training_int(o, "items.0.assetId"));
    ims__json_free(o);
    training_want(&s, "GET", path, NULL, 200, "/a/1.jpg"); /* D-S6: skipped, but a copy is found and finds */
    o = training_ask(&s, "GET", S "/1/jobs?status=completed&page_size=1", NULL, 200);
    id = training_int(o, "items.0.id");
    CHECK(training_int(o, "items.0.processingTimeMs") >= 0 && training_str(o, "items.0.startedAt"));
    ims__json_free(o);
    snprintf(path, sizeof(path), "/api/v1/training/jobs/%lld", id);
    o = training_ask(&s, "GET", path, NULL, 200);
    CHECK_INT(training_int(o, "id"), id);
    CHECK_INT(training_int(o, "sessionId"), 1);
    ims__json_free(o);
    training_want(&s, "GET", "/api/v1/training/jobs/1", NULL, 404, NULL);
    training_want(&s, "GET", "/api/v1/training/jobs/0", NULL, 404, NULL);
    training_want(&s, "GET", "/api/v1/training/jobs/9007199254740993", NULL, 404, NULL);
    training_want(&s, "GET", S "/99/jobs", NULL, 404, NULL);
    training_want(&s, "GET", S "/1/jobs?status=odd", NULL, 422, NULL);
    training_want(&s, "POST", S "/1/thumbnails", NULL, 200, "\"totalImages\":9,\"status\":\"queued\"");
    training_want(&s, "POST", S "/99/thumbnails", NULL, 404, NULL);
    CHECK(training_await(&s, "/api/v1/queues", "\"name\":\"training-low\",\"count\":0,\"isEmpty\":true,\"startedCount\":0,\"failedCount\":0,\"finishedCount\":1"));
    serving_stop(&s, SIGTERM);
}

TEST(training_subdirectories, "a session is about its chosen folders; the choice is read and changed as a list or wrapped")
{
    struct serving s;
    char body[200];
    long long first, second;
    ims_json *o;

    if (!training_open(&s, NULL))
        return;
    CHECK_INT(training_session(&s, "[\"a\",\"a/deep\",\"b\"]"), 1);
    o = training_ask(&s, "GET", S "/1/subdirectories", NULL, 200);
    CHECK_INT(ims__json_len(o), 3);
    first = training_int(o, "0.id");
    second = training_int(o, "1.id");
    CHECK_STR(training_str(o, "1.name"), "deep");
    ims__json_free(o);
    snprintf(body, sizeof(body), "[{\"id\":%lld,\"selected\":false},{\"id\":%lld,\"selected\":true}]", first, second);
    training_want(&s, "PATCH", S "/1/subdirectories", body, 200, "\"selected\":false");
    snprintf(body, sizeof(body), "{\"selections\":[{\"id\":%lld,\"selected\":true},{\"id\":999,\"selected\":true}]}", first);
    training_want(&s, "PATCH", S "/1/subdirectories", body, 404, "999");
    o = training_ask(&s, "GET", S "/1/subdirectories", NULL, 200);
    CHECK(!ims__json_bool(ims__json_get(ims__json_at(o, 0), "selected"), true)); /* all of it or nothing */
    ims__json_free(o);
    snprintf(body, sizeof(body), "{\"subdirectories\":[{\"id\":%lld,\"selected\":false}]}", first);
    training_want(&s, "PATCH", S "/1/subdirectories", body, 200, NULL);
    training_want(&s, "PATCH", S "/99/subdirectories", "[]", 404, NULL);
    training_want(&s, "PATCH", S "/1/subdirectories", "[{\"id\":\"x\"}]", 422, NULL);
    training_want(&s, "GET", S "/99/subdirectories", NULL, 404, NULL);
    CHECK(run_to_end(&s, 1));
    training_want(&s, "GET", S "/1", NULL, 200, "\"totalImages\":3"); /* deep and b */
    training_want(&s, "GET", S "/1/subdirectories", NULL, 200, "\"imageCount\":2,\"trainedCount\":2,\"status\":\"trained\"");
    CHECK_INT(library_status(&s.library, "assets"), 5);
    serving_stop(&s, SIGTERM);
}

TEST(d_t2_all, "D-T1, D-T2, D-T18: no folder chosen means all of them; the session's own extensions and depth are heeded")
{
    struct serving s;

    if (!training_open(&s, NULL))
        return;
    training_want(&s, "POST", S,
                  "{\"name\":\"x\",\"rootPath\":\"$P/a\",\"categoryId\":1,\"subdirectories\":[],\"config\":{\"recursive\":false,"
                  "\"extensions\":[\"JPG\"],\"batch_size\":32}}",
                  200, "pending");
    CHECK(run_to_end(&s, 1));
    CHECK_INT(library_status(&s.library, "assets"), 5); /* p00, p01, and three in a */
    training_want(&s, "POST", S, "{\"name\":\"y\",\"rootPath\":\"$P/a\",\"categoryId\":1}", 200, "pending");
    CHECK(run_to_end(&s, 2));
    training_want(&s, "GET", S "/2", NULL, 200, "\"totalImages\":5");
    /* D-T18, D-T1: unknown and impossible */
    training_want(&s, "POST", S "/99/restart", NULL, 404, NULL);
    training_want(&s, "POST", S "/99/restart-training", NULL, 404, NULL);
    training_want(&s, "POST", S "/99/restart-faces", NULL, 404, NULL);
    training_want(&s, "POST", S "/99/restart-clustering", NULL, 404, NULL);
    training_want(&s, "POST", S "/1/restart?failed_only=true", NULL, 200, "\"sessionId\":1");
    CHECK(training_await(&s, S "/1", "\"status\":\"completed\"")); /* D-T1: nothing had failed but one, and it ends */
    training_want(&s, "POST", S, "{\"name\":\"z\",\"rootPath\":\"$P/b\",\"categoryId\":1}", 200, "pending");
    training_want(&s, "POST", S "/3/restart-training", NULL, 400, "cannot restart");
    training_want(&s, "POST", S "/3/restart-faces", NULL, 400, "must be completed");
    training_want(&s, "POST", S "/3/restart", NULL, 200, "\"sessionId\":3");
    CHECK(training_await(&s, S "/3", "\"status\":\"completed\""));
    training_want(&s, "POST", S, "{\"name\":\"p\",\"rootPath\":\"$P\",\"categoryId\":1,\"config\":{\"extensions\":[\".png\"]}}", 200, NULL);
    training_want(&s, "POST", S "/4/start", NULL, 200, NULL);
    CHECK(training_await(&s, S "/4", "\"status\":\"failed\"")); /* there is no PNG */
    CHECK_INT(library_status(&s.library, "assets"), 8); /* and nothing counts as gone */
    serving_stop(&s, SIGTERM);
}

TEST(d_t3_ends, "D-T3: a session whose pictures all fail, and one without any, come to an end")
{
    struct serving s;

    if (!serving_open(&s, 1, NULL))
        return;
    library_write(&s.library, "bad/1.jpg", "no", 2);
    library_write(&s.library, "empty/readme.txt", "no", 2);
    training_want(&s, "POST", S, "{\"name\":\"x\",\"rootPath\":\"$P/bad\",\"categoryId\":1}", 200, NULL);
    training_want(&s, "POST", S, "{\"name\":\"x\",\"rootPath\":\"$P/empty\",\"categoryId\":1}", 200, NULL);
    CHECK(run_to_end(&s, 1));
    training_want(&s, "GET", S "/1", NULL, 200, "\"processedImages\":0,\"failedImages\":1");
    training_want(&s, "POST", S "/2/start", NULL, 200, NULL);
    CHECK(training_await(&s, S "/2", "\"status\":\"failed\""));
    training_want(&s, "GET", S "/2", NULL, 200, "there are no pictures");
    training_want(&s, "GET", S "/2/progress-unified", NULL, 200, "\"overallStatus\":\"failed\"");
    serving_stop(&s, SIGTERM);
}

TEST_MAIN
