/* Evidence over HTTP.
 * SPDX-License-Identifier: Apache-2.0 */
#include "training_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define E "/api/v1/evidence"
#define S "/api/v1/training/sessions"

TEST(d_t19_evidence, "D-T19, D-C6: evidence is listed, shown, summed up by session and forgotten; the vectors stay")
{
    struct serving s;
    ims_json *o;
    char path[100], own[700];
    long long id, asset, n;

    if (!training_open(&s, NULL))
        return;
    training_want(&s, "GET", E "?session_id=1", NULL, 200, "\"total\":0");
    training_want(&s, "GET", S "/1/evidence/stats", NULL, 404, NULL);
    CHECK_INT(training_session(&s, NULL), 1);
    training_want(&s, "GET", S "/1/evidence/stats", NULL, 200, "\"total\":0,\"successful\":0,\"failed\":0,\"avgProcessingTimeMs\":0");
    training_want(&s, "POST", S "/1/start", NULL, 200, NULL);
    CHECK(training_await(&s, S "/1/progress-unified", "\"overallStatus\":\"completed\""));
    o = training_ask(&s, "GET", E "?session_id=1&page_size=1", NULL, 200);
    n = training_int(o, "total");
    CHECK(n >= 5); /* of five new contents: a vector, and faces */
    id = training_int(o, "items.0.id");
    asset = training_int(o, "items.0.assetId");
    CHECK_INT(training_int(o, "items.0.sessionId"), 1);
    CHECK_INT(strlen(training_str(o, "items.0.embeddingChecksum")), 64);
    CHECK(strstr(training_str(o, "items.0.metadataJson.environment.python_version"), "imgsearch") != NULL);
    CHECK(training_str(o, "items.0.metadataJson.environment.device") != NULL);
    ims__json_free(o);
    o = training_ask(&s, "GET", S "/1/evidence/stats", NULL, 200);
    CHECK_INT(training_int(o, "total"), n);
    CHECK_INT(training_int(o, "failed"), 0);
    CHECK(training_str(o, "devicesUsed.0") && training_str(o, "modelVersions.0"));
    CHECK(training_int(o, "minProcessingTimeMs") <= training_int(o, "maxProcessingTimeMs"));
    ims__json_free(o);
    snprintf(path, sizeof(path), E "?asset_id=%lld", asset);
    training_want(&s, "GET", path, NULL, 200, "\"page\":1,\"pageSize\":50");
    training_want(&s, "GET", E "?asset_id=0", NULL, 200, "\"total\":0");
    training_want(&s, "GET", E "?page_size=101", NULL, 422, NULL);
    snprintf(path, sizeof(path), E "/%lld", id);
    training_want(&s, "GET", path, NULL, 200, "\"modelVersion\":\"");
    snprintf(path, sizeof(path), E "/%lld/detail", id);
    snprintf(own, sizeof(own), "\"assetPath\":\"%s/", s.library.photos);
    training_want(&s, "GET", path, NULL, 200, own);
    snprintf(path, sizeof(path), E "/%lld", id);
    training_want(&s, "DELETE", path, NULL, 204, NULL);
    training_want(&s, "GET", path, NULL, 404, NULL);
    training_want(&s, "DELETE", path, NULL, 404, NULL);
    training_want(&s, "GET", E "/0", NULL, 404, NULL);
    training_want(&s, "GET", E "/x/detail", NULL, 422, NULL);
    training_want(&s, "GET", "/health", NULL, 200, "\"vectors\":7");
    /* D-C6: what was computed stays when the session goes, and so does the record of it */
    training_want(&s, "DELETE", S "/1", NULL, 204, NULL);
    training_want(&s, "GET", E "?session_id=1", NULL, 200, "\"total\":0");
    training_want(&s, "GET", "/health", NULL, 200, "\"vectors\":7");
    o = training_ask(&s, "GET", E "?page_size=1", NULL, 200);
    CHECK(training_int(o, "total") >= n - 1);
    CHECK_INT(training_int(o, "items.0.sessionId"), 0);
    ims__json_free(o);
    serving_stop(&s, SIGTERM);
}
