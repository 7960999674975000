/* Grouping faces and learning from them over HTTP, on synthetic faces: at once and as background jobs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FACES "/api/v1/faces"
#define JOB_STATUS "/api/v1/job-progress/status?progress_key=job:"

static struct serving_people sp;

static ims_json *ask(const char *method, const char *path, const char *body)
{
    return serving_json(&sp.s, method, serving_people_text(&sp, path), body ? serving_people_text(&sp, body) : NULL, 200);
}

static const char *text_of(const ims_json *v, const char *key)
{
    const char *s = ims__json_str(ims__json_get(v, key), NULL);

    return s ? s : "";
}

static int64_t number_of(const ims_json *v, const char *key)
{
    return ims__json_int(ims__json_get(v, key), -1);
}

/* What the job of a reply leaves once it ended; the reply is freed. */
static ims_json *await(ims_json *reply)
{
    char path[200];
    ims_json *v = NULL;

    snprintf(path, sizeof(path), JOB_STATUS "%s:progress", text_of(reply, "jobId"));
    ims__json_free(reply);
    for (struct test_wait w = { 0 }; test_waits(&w);) {
        v = ask("GET", path, NULL);
        if (!v || strcmp(text_of(v, "phase"), "completed") == 0 || strcmp(text_of(v, "phase"), "failed") == 0)
            return v;
        ims__json_free(v);
    }
    test_fail(__FILE__, __LINE__, "%s does not end", path);
    return NULL;
}

static int64_t cluster_of(size_t face)
{
    struct ims_store_face *f = NULL;

    return ims_store_faces_by_id(sp.p.s, &sp.p.faces[face - 1], 1, &sp.p.arena, &f, &sp.p.err) ? -1 : f->cluster_id;
}

TEST(work_clusters, "D-F11, D-C10: groups keep their number from run to run, what is in none has none, and a split obeys its limit")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/cluster", "{\"minClusterSize\":1}", 422, "minClusterSize" },
        { "POST", FACES "/cluster", "{\"maxFaces\":99}", 422, "maxFaces" },
        { "POST", FACES "/clusters/clu_1/split", "{\"minClusterSize\":1}", 422, NULL },
        { "POST", FACES "/clusters/clu_1/split", "{\"minClusterSize\":6}", 400, "too few" },
    };
    static const struct serving_request unnamed[] = {
        { "DELETE", FACES "/persons/$P1", NULL, 200, "\"facesUnassigned\":5" },
    };
    char path[80];
    ims_json *v;
    int64_t first;

    CHECK(serving_people_groups(&sp, false));
    CHECK(people_add_faces(&sp.p, 20, 5, 3, 0.05)); /* faces 11-15 look like 10 */
    CHECK(library_sql(&sp.p.l, "UPDATE faces SET cluster_id = 1 WHERE cluster_id = 2")); /* five and four as one */
    ASK_PEOPLE(&sp, rows);
    v = ask("POST", FACES "/clusters/clu_1/split", "{\"minClusterSize\":4}");
    CHECK_STR(text_of(v, "originalClusterId"), "clu_1");
    CHECK_STR(text_of(v, "status"), "split");
    CHECK_INT(ims__json_len(ims__json_get(v, "newClusters")), 2);
    ims__json_free(v);
    CHECK(cluster_of(1) != cluster_of(7) && cluster_of(1) == cluster_of(5) && cluster_of(7) == cluster_of(9));
    v = ask("POST", FACES "/cluster", "{\"minClusterSize\":3,\"qualityThreshold\":0.2}");
    CHECK_STR(text_of(v, "status"), "completed");
    CHECK_INT(number_of(v, "totalFaces"), 15);
    CHECK_INT(number_of(v, "clustersFound"), 3);
    CHECK_INT(number_of(v, "noiseCount"), 0);
    ims__json_free(v);
    first = cluster_of(7);
    v = ask("POST", FACES "/cluster", "{\"minClusterSize\":5}");
    CHECK_INT(number_of(v, "clustersFound"), 2); /* four are no group any more, and have no number */
    CHECK_INT(number_of(v, "noiseCount"), 4);
    ims__json_free(v);
    CHECK_INT(cluster_of(7), 0);
    ims__json_free(ask("POST", FACES "/cluster", "{\"minClusterSize\":3}"));
    CHECK(cluster_of(7) > first); /* a number is never given twice */
    snprintf(path, sizeof(path), FACES "/clusters/clu_%lld/label", (long long)cluster_of(1));
    ims__json_free(ask("POST", path, "{\"name\":\"Anna\"}"));
    v = ask("POST", FACES "/cluster", "{\"minClusterSize\":3}");
    CHECK_INT(number_of(v, "totalFaces"), 10);
    ims__json_free(v);
    ASK_PEOPLE(&sp, unnamed);
    v = ask("POST", FACES "/cluster", "{\"minClusterSize\":3}");
    CHECK_INT(number_of(v, "totalFaces"), 15); /* who is nobody again takes part again */
    ims__json_free(v);
    serving_people_close(&sp);
}

TEST(work_dual, "D-F12 D-F14: persons take what is close enough to them, the rest is grouped under numbers never used before")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\"Anna\",\"exceptFaceIds\":[\"$F4\",\"$F5\"]}", 200, "\"facesLabeled\":3" },
        { "POST", FACES "/cluster/dual", "{\"unknownMethod\":\"kmeans\"}", 422, "unknownMethod" },
        { "POST", FACES "/cluster/dual", "{\"personThreshold\":1.1}", 422, NULL },
        { "POST", FACES "/cluster/dual", "{\"unknownEps\":3}", 422, NULL },
        { "POST", FACES "/cluster/dual", "{\"maxFaces\":3}", 413, "7 faces are waiting" },
    };
    const ims_json *r;
    ims_json *v;
    int64_t other;

    CHECK(serving_people_groups(&sp, true));
    ASK_PEOPLE(&sp, rows);
    other = cluster_of(7);
    v = ask("POST", FACES "/cluster/dual", "{\"personThreshold\":0.9999,\"queue\":false}");
    r = ims__json_get(v, "result");
    CHECK_STR(text_of(v, "status"), "completed");
    CHECK_INT(number_of(r, "total_processed"), 7);
    CHECK_INT(number_of(r, "assigned_to_people"), 0);
    CHECK_INT(number_of(r, "still_unlabeled"), 7);
    ims__json_free(v);
    v = await(ask("POST", FACES "/cluster/dual", "{\"personThreshold\":0.7,\"unknownMethod\":\"agglomerative\",\"unknownMinSize\":4}"));
    CHECK_STR(text_of(v, "phase"), "completed");
    CHECK_INT(number_of(v, "total_processed"), 7);
    CHECK_INT(number_of(v, "assigned_to_people"), 2);
    CHECK_INT(number_of(v, "unknown_clusters"), 1);
    CHECK_INT(number_of(v, "still_unlabeled"), 5);
    ims__json_free(v);
    CHECK_INT(people_person_of(&sp.p, sp.p.faces[3]), 1);
    CHECK_INT(people_person_of(&sp.p, sp.p.faces[9]), 0);
    CHECK(cluster_of(7) >= other && cluster_of(7) == cluster_of(9) && cluster_of(10) == 0);
    serving_people_close(&sp);
}

TEST(work_training, "D-F1: training is a job that tells how it goes and what came of it; too few names are an error that says so")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/train", "{\"epochs\":0}", 422, "epochs" },
        { "POST", FACES "/train", "{\"learningRate\":1}", 422, "learningRate" },
        { "POST", FACES "/train", "{\"checkpointPath\":\"/tmp/x\"}", 403, "FACE_MODEL_CHECKPOINT" },
    };
    ims_json *v;

    CHECK(serving_people_open(&sp));
    for (int look = 0; look < 12; look++) {
        char name[16];
        struct ims_people_assign what = { .face_ids = sp.p.faces + look * 8, .n = 8, .name = name, .is_strict = true };

        snprintf(name, sizeof(name), "Person %d", look);
        CHECK(people_add_faces(&sp.p, look * 8 + 1, 8, look, 0.8));
        if (look > 0)
            CHECK_OK(ims_people_assign(sp.p.e, NULL, &what, &sp.p.err), sp.p.err);
    }
    CHECK(serving_people_start(&sp, true));
    ASK_PEOPLE(&sp, rows);
    v = await(ask("POST", FACES "/train", "{\"epochs\":3,\"minFaces\":2}"));
    CHECK_STR(text_of(v, "phase"), "completed");
    CHECK(number_of(v, "epochs") >= 1 && number_of(v, "persons_trained") >= 2 && number_of(v, "triplets_used") > 0);
    CHECK(ims__json_num(ims__json_get(v, "final_loss"), -1) > 0);
    ims__json_free(v);
    v = await(ask("POST", FACES "/train", "{\"minFaces\":100}"));
    CHECK_STR(text_of(v, "phase"), "failed");
    CHECK(strstr(text_of(v, "message"), "person") != NULL);
    ims__json_free(v);
    serving_people_close(&sp);
}

TEST(work_dismissed, "D-F15: the list of groups has one order and a right total; a dismissed group is shown again when it changes")
{
    static const struct serving_request rows[] = {
        { "GET", FACES "/clusters?min_confidence=0.5", NULL, 200, "\"total\":2," },
        { "GET", FACES "/clusters?min_confidence=1", NULL, 200, "{\"items\":[],\"total\":0" },
        { "GET", FACES "/clusters?min_confidence=0.5&page_size=1&page=2", NULL, 200, "{\"items\":[{\"clusterId\":\"clu_2\"" },
        { "POST", FACES "/clusters/clu_2/dismiss", "{\"reason\":\"passers-by\"}", 200,
          "{\"clusterId\":\"clu_2\",\"faceCount\":4,\"status\":\"dismissed\"}" },
        { "POST", FACES "/clusters/clu_2/dismiss", NULL, 200, "dismissed" },
        { "GET", FACES "/clusters", NULL, 200, "\"total\":1," },
        { "GET", FACES "/people", NULL, 200, "\"unidentifiedCount\":1" },
        { "GET", FACES "/clusters/clu_2", NULL, 200, "\"$F7\"" },
        { "POST", FACES "/clusters/clu_1/dismiss", "{\"asNoise\":true}", 200, NULL },
        { "GET", FACES "/clusters/clu_1", NULL, 404, NULL },
        { "GET", FACES "/people?include_noise=true", NULL, 200, "\"name\":\"Unknown Faces\",\"type\":\"noise\",\"faceCount\":6," },
    };
    static const struct serving_request changed[] = {
        { "GET", FACES "/clusters", NULL, 200, "{\"items\":[{\"clusterId\":\"clu_2\",\"faceCount\":4" },
    };

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, rows);
    CHECK(library_sql(&sp.p.l, "UPDATE faces SET cluster_id = CASE WHEN cluster_id = 2 THEN NULL ELSE 2 END "
                               "WHERE id IN (SELECT MAX(id) FROM faces UNION SELECT MAX(id) FROM faces WHERE cluster_id = 2)"));
    ASK_PEOPLE(&sp, changed); /* as many faces, but another one */
    serving_people_close(&sp);
}
