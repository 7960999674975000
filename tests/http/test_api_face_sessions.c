/* Face sessions over HTTP: run, paused, killed, watched, started anew, without losing a name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "training_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define F "/api/v1/faces/sessions"
#define S "/api/v1/training/sessions"
#define N_PICTURES 24

/* A served library whose pictures nobody looked at for faces. */
static bool open_without_faces(struct serving *s)
{
    char words[900];

    if (!serving_open(s, 1, NULL))
        return false;
    for (size_t i = 1; i < N_PICTURES; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%02zu.jpg", i);
        library_copy(&s->library, library_demo_jpeg(i), name);
    }
    snprintf(words, sizeof(words), "index\n--json\n--no-faces\n%s", s->library.photos);
    ims__json_free(library_run(&s->library, 0, words));
    return true;
}

/* Makes a face session and gives the path of it (two buffers in turn). */
static const char *make(struct serving *s, const char *body)
{
    static char path[2][120];
    static unsigned turn;
    char *out = path[turn++ % 2];
    ims_json *o = training_ask(s, "POST", F, body, 201);
    const char *id = training_str(o, "id");

    snprintf(out, sizeof(path[0]), F "/%s", id ? id : "");
    ims__json_free(o);
    return out;
}

static const char *add(const char *path, const char *tail)
{
    static char text[3][160];
    static unsigned turn;
    char *out = text[turn++ % 3];

    snprintf(out, sizeof(text[0]), "%s%s", path, tail);
    return out;
}

/* Holds the lock of whoever indexes, so that a session that was taken up waits until it is closed. */
static int take_lock(struct serving *s)
{
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char path[700];
    int fd;

    snprintf(path, sizeof(path), "%s/index.lock", s->library.data);
    fd = open(path, O_RDWR | O_CREAT, 0644);
    if (fd < 0 || fcntl(fd, F_SETLKW, &all))
        test_fail(__FILE__, __LINE__, "%s cannot be locked", path);
    return fd;
}

static void release_lock(struct serving *s, int lock)
{
    close(lock);
    CHECK(library_sql(&s->library, "UPDATE jobs SET due_us = 0 WHERE state = 'queued'")); /* who waited goes on at once */
}

TEST(d_f8_pause, "D-F8: paused, resumed and killed, a face session ends with every picture counted once")
{
    struct serving s;
    const char *one;
    ims_json *o;
    char path[120];
    long long faces;
    int lock;

    if (!open_without_faces(&s))
        return;
    lock = take_lock(&s);
    snprintf(path, sizeof(path), "%s", make(&s, "{\"batch_size\":7,\"min_confidence\":0.5}"));
    CHECK(training_await(&s, path, "\"status\":\"processing\""));
    training_want(&s, "POST", add(path, "/pause"), NULL, 200, "\"status\":\"paused\"");
    training_want(&s, "POST", add(path, "/pause"), NULL, 400, "cannot pause");
    o = training_ask(&s, "GET", path, NULL, 200);
    CHECK_INT(training_int(o, "totalImages"), N_PICTURES);
    CHECK(training_int(o, "processedImages") == 1 && training_int(o, "totalBatches") == (N_PICTURES + 6) / 7);
    ims__json_free(o);
    training_want(&s, "POST", add(path, "/resume"), NULL, 200, "\"status\":\"processing\"");
    training_want(&s, "POST", add(path, "/resume"), NULL, 400, "cannot resume");
    close(lock); /* the session that found it taken goes on a little later */
    serving_stop(&s, SIGKILL);
    CHECK(library_sql(&s.library, "UPDATE jobs SET lease_until_us = 1 WHERE state = 'started'"));
    CHECK(serving_start(&s, NULL));
    CHECK(training_await(&s, path, "\"status\":\"completed\""));
    o = training_ask(&s, "GET", path, NULL, 200);
    CHECK(training_int(o, "totalImages") == N_PICTURES && training_int(o, "processedImages") == N_PICTURES);
    CHECK(training_int(o, "failedImages") == 0 && training_int(o, "currentBatch") == training_int(o, "totalBatches"));
    faces = training_int(o, "facesDetected");
    CHECK(faces >= 10 && training_int(o, "clustersCreated") >= 1);
    CHECK_NEAR(ims__json_num(ims__json_get(o, "progressPercent"), 0), 100, 0);
    ims__json_free(o);
    CHECK_INT(library_status(&s.library, "faces"), faces);
    /* D-F10: nothing is looked at again, and a second session ends with the same numbers */
    one = make(&s, "{}");
    CHECK(training_await(&s, one, "\"status\":\"completed\""));
    o = training_ask(&s, "GET", one, NULL, 200);
    CHECK(training_int(o, "processedImages") == N_PICTURES && training_int(o, "facesDetected") == faces);
    ims__json_free(o);
    CHECK_INT(library_status(&s.library, "faces"), faces);
    serving_stop(&s, SIGTERM);
}

TEST(d_f28_events, "D-F28: a session is watched to its end, in both spellings; one that is over says so at once; an unknown one is an error event")
{
    struct serving s;
    struct http_reply r;
    const char *one;

    if (!open_without_faces(&s))
        return;
    one = make(&s, "{}");
    http_request(&r, s.port, "GET", add(one, "/events"), NULL, NULL, 0); /* until the stream ends */
    CHECK_INT(r.status, 200);
    CHECK(strstr(http_header(&r, "Content-Type"), "text/event-stream") != NULL);
    CHECK(strstr(r.body, "event: progress\n") != NULL && strstr(r.body, "event: complete\n") != NULL);
    CHECK(strstr(r.body, "\"processed_images\":24") != NULL && strstr(r.body, "\"processedImages\":24") != NULL);
    CHECK(strstr(r.body, "\"status\":\"completed\"") != NULL);
    http_reply_release(&r);
    http_request(&r, s.port, "GET", add(one, "/events"), NULL, NULL, 0);
    CHECK(strstr(r.body, "event: progress\n") != NULL && strstr(r.body, "event: complete\n") != NULL);
    http_reply_release(&r);
    http_request(&r, s.port, "GET", F "/00000000-0000-4000-8000-000000000000/events", NULL, NULL, 0);
    CHECK_INT(r.status, 200);
    CHECK(strstr(r.body, "event: error\ndata: {\"error\":") != NULL);
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
}

TEST(d_f27_delete, "D-F27: a session at work is cancelled and stays; one that is over keeps its state and can be forgotten")
{
    struct serving s;
    const char *one, *two;
    int lock;

    if (!open_without_faces(&s))
        return;
    lock = take_lock(&s);
    one = make(&s, "{}");
    training_want(&s, "DELETE", one, NULL, 200, "\"status\":\"cancelled\"");
    training_want(&s, "GET", one, NULL, 200, "\"status\":\"cancelled\"");
    training_want(&s, "DELETE", one, NULL, 200, "\"status\":\"deleted\"");
    training_want(&s, "GET", one, NULL, 404, NULL);
    training_want(&s, "DELETE", one, NULL, 404, NULL);
    release_lock(&s, lock);
    /* the training session goes while its faces are looked for: the job ends and does not fail */
    CHECK_INT(training_session(&s, NULL), 1);
    two = make(&s, "{\"trainingSessionId\":1}");
    training_want(&s, "DELETE", S "/1", NULL, 204, NULL);
    training_want(&s, "GET", two, NULL, 404, NULL);
    CHECK(training_await(&s, "/api/v1/queues", "\"name\":\"default\",\"count\":0,\"isEmpty\":true,\"startedCount\":0,\"failedCount\":0"));
    two = make(&s, "{\"minFaceSize\":30}");
    CHECK(training_await(&s, two, "\"status\":\"completed\""));
    training_want(&s, "POST", add(two, "/pause"), NULL, 400, "cannot pause");
    training_want(&s, "GET", F "?status=completed", NULL, 200, "\"minFaceSize\":30");
    training_want(&s, "GET", F "?status=odd", NULL, 400, "status is one of");
    training_want(&s, "GET", F "?page_size=101", NULL, 422, NULL);
    training_want(&s, "POST", F, "{\"trainingSessionId\":77}", 404, "77");
    training_want(&s, "POST", F, "{\"minFaceSize\":3}", 422, NULL);
    training_want(&s, "GET", F "/7", NULL, 422, NULL);
    training_want(&s, "POST", F "/00000000-0000-4000-8000-000000000000/pause", NULL, 404, NULL);
    training_want(&s, "POST", F "/00000000-0000-4000-8000-000000000000/resume", NULL, 404, NULL);
    serving_stop(&s, SIGTERM);
}

/* Names some faces of the largest group; the person's id (static). Comparing is to find the others. */
static const char *name_some(struct serving *s, int n)
{
    static char person[64];
    char path[160], body[100];
    ims_json *o = training_ask(s, "GET", "/api/v1/faces/clusters?page_size=1", NULL, 200);

    snprintf(path, sizeof(path), "/api/v1/faces/clusters/%s", training_str(o, "items.0.clusterId"));
    ims__json_free(o);
    o = training_ask(s, "POST", "/api/v1/faces/persons", "{\"name\":\"Ada\"}", 201);
    snprintf(person, sizeof(person), "%s", training_str(o, "id"));
    ims__json_free(o);
    snprintf(body, sizeof(body), "{\"personId\":\"%s\"}", person);
    o = training_ask(s, "GET", path, NULL, 200);
    for (int i = 0; i < n; i++) {
        char key[40];

        snprintf(key, sizeof(key), "faces.%d.id", i);
        snprintf(path, sizeof(path), "/api/v1/faces/faces/%s/assign", training_str(o, key));
        training_want(s, "POST", path, body, 200, NULL);
    }
    ims__json_free(o);
    return person;
}

static long long faces_of(struct serving *s, const char *person)
{
    char path[120];
    ims_json *o;
    long long n;

    snprintf(path, sizeof(path), "/api/v1/faces/persons/%s", person);
    o = training_ask(s, "GET", path, NULL, 200);
    n = training_int(o, "faceCount");
    ims__json_free(o);
    return n;
}

TEST(d_f26_restart, "D-F25, D-F26, D-C10: faces and groups are started anew, and what a user named keeps its name")
{
    struct serving s;
    const char *person;
    char path[120];
    ims_json *o;
    const int named = 3;
    long long faces, found;
    int lock;

    if (!open_without_faces(&s))
        return;
    CHECK_INT(training_session(&s, NULL), 1);
    training_want(&s, "POST", S "/1/restart-faces", NULL, 400, "must be completed");
    training_want(&s, "POST", S "/1/start", NULL, 200, NULL);
    CHECK(training_await(&s, S "/1/progress-unified", "\"overallStatus\":\"completed\""));
    training_want(&s, "PUT", "/api/v1/config/face-matching",
                  "{\"auto_assign_threshold\":0.51,\"suggestion_threshold\":0.5}", 200, NULL);
    person = name_some(&s, named);
    CHECK_INT(faces_of(&s, person), named);
    faces = library_status(&s.library, "faces");
    lock = take_lock(&s); /* it does not end before it was asked */
    o = training_ask(&s, "POST", S "/1/restart-faces", NULL, 200);
    CHECK_STR(training_str(o, "cleanupStats.operation"), "face_detection_restart");
    CHECK_INT(training_int(o, "cleanup_stats.items_reset"), N_PICTURES);
    CHECK_INT(training_int(o, "cleanup_stats.items_preserved"), named);
    CHECK(training_int(o, "cleanup_stats.face_instances_deleted") == 0 && training_int(o, "cleanup_stats.persons_deleted") == 0);
    ims__json_free(o);
    training_want(&s, "POST", S "/1/restart-faces", NULL, 409, "face session");
    release_lock(&s, lock);
    CHECK(training_await(&s, S "/1/progress-unified", "\"overallStatus\":\"completed\""));
    CHECK_INT(library_status(&s.library, "faces"), faces);
    CHECK(faces_of(&s, person) > named); /* comparing has found more */
    found = faces_of(&s, person);
    /* whom comparing gave faces to is a person by a user's word: not deleted */
    lock = take_lock(&s);
    o = training_ask(&s, "POST", S "/1/restart-faces?delete_persons=true", NULL, 200);
    CHECK_INT(training_int(o, "cleanup_stats.items_preserved"), named);
    CHECK_INT(training_int(o, "cleanup_stats.persons_deleted"), 0);
    CHECK_INT(training_int(o, "cleanup_stats.faces_reset"), found - named);
    ims__json_free(o);
    release_lock(&s, lock);
    CHECK(training_await(&s, S "/1/progress-unified", "\"overallStatus\":\"completed\""));
    CHECK_INT(faces_of(&s, person), found); /* taken back, and found again */
    snprintf(path, sizeof(path), "/api/v1/faces/persons/%s/assignment-history", person);
    training_want(&s, "GET", path, NULL, 200, "\"note\":\"faces of a session were started anew\"");
    o = training_ask(&s, "POST", S "/1/restart-clustering", NULL, 200);
    CHECK_STR(training_str(o, "cleanupStats.operation"), "clustering_restart");
    CHECK_INT(training_int(o, "cleanup_stats.manually_assigned_faces_preserved"), named);
    ims__json_free(o);
    CHECK(training_await(&s, S "/1/progress-unified", "\"overallStatus\":\"completed\""));
    CHECK(faces_of(&s, person) >= named);
    CHECK_INT(library_status(&s.library, "faces"), faces);
    serving_stop(&s, SIGTERM);
}

TEST(restart_without_faces, "groups are not started anew where no face was found")
{
    struct serving s;

    if (!serving_open(&s, 1, NULL)) /* a picture without people */
        return;
    CHECK_INT(training_session(&s, NULL), 1);
    training_want(&s, "POST", S "/1/start", NULL, 200, NULL);
    CHECK(training_await(&s, S "/1/progress-unified", "\"overallStatus\":\"completed\""));
    training_want(&s, "POST", S "/1/restart-clustering", NULL, 400, "no face was found");
    serving_stop(&s, SIGTERM);
}

TEST_MAIN
