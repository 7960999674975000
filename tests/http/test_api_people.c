/* Faces, clusters, persons and their photos over HTTP, on synthetic faces: what is listed, and naming.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include <stdio.h>
#include <string.h>

#define FACES "/api/v1/faces"
#define EVENT "00000000-0000-8005-8000-" /* a database may pass over numbers */
#define NOBODY "00000000-0000-8002-8000-0000000003e7"

static struct serving_people sp;

static ims_json *get(const char *path)
{
    return serving_json(&sp.s, "GET", serving_people_text(&sp, path), NULL, 200);
}

TEST(people_clusters, "clusters are listed by size with their best faces, and one shows all of its faces")
{
    static const struct serving_request rows[] = {
        { "GET", FACES "/clusters?page_size=1", NULL, 200,
          "\"clusterId\":\"clu_1\",\"faceCount\":5,\"sampleFaceIds\":[\"$F1\",\"$F2\",\"$F3\",\"$F4\",\"$F5\"]" },
        { "GET", FACES "/clusters?page_size=1", NULL, 200, "\"total\":2,\"page\":1,\"pageSize\":1}" },
        { "GET", FACES "/clusters?page=2&page_size=1", NULL, 200,
          "{\"items\":[{\"clusterId\":\"clu_2\",\"faceCount\":4,\"sampleFaceIds\":[\"$F7\",\"$F8\",\"$F9\",\"$F6\"]" },
        { "GET", FACES "/clusters?page=3&page_size=1", NULL, 200, "{\"items\":[],\"total\":2" },
        { "GET", FACES "/clusters?min_cluster_size=5", NULL, 200, "\"total\":1," },
        { "GET", FACES "/clusters?page_size=101", NULL, 422, "page_size" },
        { "GET", FACES "/clusters?min_confidence=1.5", NULL, 422, "min_confidence" },
        { "GET", FACES "/clusters/clu_2", NULL, 200, "\"id\":\"$F7\"" },
        { "GET", FACES "/clusters/clu_2", NULL, 200, "\"clusterId\":\"clu_2\",\"personId\":null,\"personName\":null}" },
        { "GET", FACES "/clusters/-1", NULL, 200,
          "{\"faces\":[{\"bbox\":{\"x\":0,\"y\":20,\"width\":110,\"height\":120},\"id\":\"$F10\",\"assetId\":9," },
        { "GET", FACES "/clusters/clu_3", NULL, 404, "no such cluster" },
        { "GET", FACES "/clusters/clu_02", NULL, 404, NULL },
        { "GET", FACES "/clusters/%2e%2e%2f", NULL, 404, NULL },
        { "GET", FACES "/assets/5", NULL, 200, "\"total\":2,\"page\":1,\"pageSize\":2}" },
        { "GET", FACES "/assets/999", NULL, 200, "{\"items\":[],\"total\":0,\"page\":1,\"pageSize\":0}" },
        { "GET", FACES "/assets/five", NULL, 422, NULL },
    };

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(people_naming, "naming a cluster makes the person, its prototypes and its photos, and a cluster is named once")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\"Anna\",\"personId\":\"$P1\"}", 400, "either" },
        { "POST", FACES "/clusters/clu_1/label", "{}", 400, "either" },
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\"\"}", 422, "name" },
        { "POST", FACES "/clusters/clu_1/label", "{\"personId\":\"" NOBODY "\"}", 404, NULL },
        { "POST", FACES "/clusters/clu_1/label", "{\"personId\":\"12\"}", 422, "uuid" },
        { "POST", FACES "/clusters/clu_9/label", "{\"name\":\"Anna\"}", 404, NULL },
        { "GET", FACES "/persons", NULL, 200, "\"total\":0" },
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\" Anna \"}", 200,
          "{\"personId\":\"$P1\",\"personName\":\"Anna\",\"facesLabeled\":5,\"prototypesCreated\":5,\"eventId\":\"$E1\"}" },
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\"Anna\"}", 409, "named already" },
        { "GET", FACES "/clusters", NULL, 200, "\"total\":1," },
        { "GET", FACES "/clusters?include_labeled=true", NULL, 200, "\"personId\":\"$P1\",\"personName\":\"Anna\"" },
        { "GET", FACES "/clusters/clu_1", NULL, 200, "\"clusterId\":\"clu_1\",\"personId\":\"$P1\",\"personName\":\"Anna\"}" },
        { "GET", FACES "/assets/5", NULL, 200, "\"personId\":\"$P1\",\"personName\":\"Anna\"" },
        { "POST", FACES "/clusters/clu_2/label", "{\"person_id\":\"$P1\",\"except_face_ids\":[\"$F6\",\"$F7\"]}", 200,
          "\"facesLabeled\":2,\"prototypesCreated\":" },
        { "GET", FACES "/persons/$P1", NULL, 200, "\"faceCount\":7,\"photoCount\":7" },
        { "GET", "/api/v1/jobs/1", NULL, 200, "\"funcName\":\"match\",\"status\":\"queued\"" },
    };

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(people_faces, "a face is given to a person, moved, taken away; each once and as it was when looked at")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\"Anna\"}", 200, "$P1" },
        { "POST", FACES "/clusters/clu_2/label", "{\"name\":\"Ben\"}", 200, "$P2" },
        { "POST", FACES "/faces/$F10/assign", "{\"personId\":\"$P1\"}", 200,
          "{\"faceId\":\"$F10\",\"personId\":\"$P1\",\"personName\":\"Anna\",\"eventId\":\"$E3\"}" },
        { "POST", FACES "/faces/$F10/assign", "{\"personId\":\"$P1\"}", 200, "\"eventId\":null" },
        { "POST", FACES "/faces/$F10/assign", "{\"personId\":\"$P2\"}", 200, "\"personName\":\"Ben\"" },
        { "GET", FACES "/persons/$P2", NULL, 200, "\"faceCount\":5" },
        { "GET", FACES "/persons/$P1", NULL, 200, "\"faceCount\":5" },
        { "POST", FACES "/faces/$F6/assign", "{\"personId\":\"$P1\"}", 409, "same photo" },
        { "GET", FACES "/persons/$P2", NULL, 200, "\"faceCount\":5" },
        { "POST", FACES "/faces/$F6/assign", "{\"personId\":\"$P1\",\"allowSamePhoto\":true}", 200, NULL },
        { "POST", FACES "/faces/$F999/assign", "{\"personId\":\"$P1\"}", 404, NULL },
        { "POST", FACES "/faces/$P1/assign", "{\"personId\":\"$P1\"}", 404, NULL },
        { "POST", FACES "/faces/7/assign", "{\"personId\":\"$P1\"}", 422, NULL },
        { "POST", FACES "/faces/$F1/assign", "{\"personId\":\"$P9\"}", 404, NULL },
        { "POST", FACES "/faces/$F1/assign", "{}", 422, "personId" },
        { "DELETE", FACES "/faces/$F10/person", NULL, 200,
          "{\"faceId\":\"$F10\",\"previousPersonId\":\"$P2\",\"previousPersonName\":\"Ben\",\"eventId\":\"" EVENT },
        { "DELETE", FACES "/faces/$F10/person", NULL, 400, "nobody" },
        { "GET", FACES "/faces/$F10/suggestions?min_confidence=0.5", NULL, 200, "\"suggestions\":[]" }, /* not Ben, for good */
        { "DELETE", FACES "/faces/$F999/person", NULL, 404, NULL },
        { "GET", FACES "/faces/$F999/thumbnail", NULL, 404, NULL },
        { "GET", FACES "/faces/$F10/thumbnail", NULL, 404, NULL }, /* no file is at /photos */
    };

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, rows);
    CHECK_INT(people_person_of(&sp.p, sp.p.faces[9]), 0);
    CHECK_INT(people_person_of(&sp.p, sp.p.faces[5]), 1);
    serving_people_close(&sp);
}

TEST(people_list, "people are persons, groups without a name and what is in none, in the order that was asked for")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/clusters/clu_2/label", "{\"name\":\"Ben\"}", 200, "$P1" },
        { "GET", FACES "/people", NULL, 200,
          "{\"people\":[{\"id\":\"clu_1\",\"name\":\"Unidentified Person 1\",\"type\":\"unidentified\",\"faceCount\":5,"
          "\"thumbnailUrl\":\"/api/v1/images/1/thumbnail\",\"confidence\":" },
        { "GET", FACES "/people", NULL, 200,
          "{\"id\":\"$P1\",\"name\":\"Ben\",\"type\":\"identified\",\"faceCount\":4,\"thumbnailUrl\":"
          "\"/api/v1/images/6/thumbnail\",\"confidence\":null,\"faceThumbnailUrl\":\"/api/v1/faces/faces/$F7/thumbnail\"}],"
          "\"total\":2,\"identifiedCount\":1,\"unidentifiedCount\":1,\"noiseCount\":0}" },
        { "GET", FACES "/people?include_noise=true&sort_order=asc", NULL, 200,
          "{\"people\":[{\"id\":\"-1\",\"name\":\"Unknown Faces\",\"type\":\"noise\",\"faceCount\":1,\"thumbnailUrl\":"
          "\"/api/v1/images/9/thumbnail\"" },
        { "GET", FACES "/people?include_identified=false&include_unidentified=false&include_noise=true", NULL, 200,
          "\"total\":1,\"identifiedCount\":0,\"unidentifiedCount\":0,\"noiseCount\":1}" },
        { "GET", FACES "/people?sort_by=name&sort_order=asc", NULL, 200, "{\"people\":[{\"id\":\"$P1\"" },
        { "GET", FACES "/people?sort_by=name", NULL, 200, "{\"people\":[{\"id\":\"clu_1\"" },
        { "GET", FACES "/people?sort_by=age", NULL, 422, "sort_by" },
        { "GET", FACES "/persons?status=active", NULL, 200, "\"total\":1,\"page\":1,\"pageSize\":20}" },
        { "GET", FACES "/persons?status=hidden", NULL, 200, "{\"items\":[],\"total\":0" },
        { "GET", FACES "/persons/" NOBODY, NULL, 404, "no such person" },
        { "GET", FACES "/persons/$F1", NULL, 404, NULL },
        { "GET", FACES "/persons/Ben", NULL, 422, NULL },
    };

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(people_photos, "D-F32: the photos of a person show everybody in them, newest first, when they were taken and how old the person was then")
{
    static const struct serving_request before[] = {
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\"Anna\"}", 200, "$P1" },
    };
    static const struct serving_request rows[] = {
        { "GET", FACES "/persons/$P1/photos?page_size=2", NULL, 200,
          "\"total\":5,\"page\":1,\"pageSize\":2,\"personId\":\"$P1\",\"personName\":\"Anna\"}" },
        { "GET", FACES "/persons/$P1/photos?page_size=2", NULL, 200,
          "{\"items\":[{\"faces\":[{\"faceInstanceId\":\"$F5\",\"bboxX\":0,\"bboxY\":20,\"bboxW\":110,\"bboxH\":120," },
        { "GET", FACES "/persons/$P1/photos?page_size=2", NULL, 200,
          "\"personId\":\"$P1\",\"personName\":\"Anna\",\"clusterId\":\"clu_1\",\"personAgeAtPhoto\":39},{\"faceInstanceId\":"
          "\"$F6\",\"bboxX\":120," },
        { "GET", FACES "/persons/$P1/photos?page_size=2", NULL, 200,
          "\"photoId\":5,\"takenAt\":\"2024-05-17T10:00:00Z\",\"thumbnailUrl\":\"/api/v1/images/5/thumbnail\",\"fullUrl\":"
          "\"/api/v1/images/5/full\",\"path\":\"/photos/5.jpg\",\"faceCount\":2,\"hasNonPersonFaces\":true,\"camera\":"
          "{\"make\":\"Leica\",\"model\":null},\"location\":{\"lat\":47.5,\"lng\":8.5}}" },
        { "GET", FACES "/persons/$P1/photos?page_size=2&page=3", NULL, 200, "\"photoId\":1,\"takenAt\":null," },
        { "GET", FACES "/persons/$P1/photos?page_size=2&page=4", NULL, 200, "{\"items\":[],\"total\":5" },
        { "GET", FACES "/persons/$P1/photos?page_size=10000", NULL, 200, "\"hasNonPersonFaces\":false,\"camera\":null,\"location\":null" },
        { "GET", FACES "/persons/$P1/photos?page_size=10001", NULL, 422, NULL },
        { "GET", FACES "/persons/$P2/photos", NULL, 404, NULL },
    };
    ims_json *v;

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, before);
    CHECK(library_sql(&sp.p.l, "UPDATE contents SET taken_at_us = 1715940000000000, camera_make = 'Leica', gps_lat = 47.5, "
                               "gps_lng = 8.5 WHERE id = (SELECT content_id FROM assets WHERE id = 5)"));
    CHECK(library_sql(&sp.p.l, "UPDATE persons SET birth_date = '1984-05-18'"));
    ASK_PEOPLE(&sp, rows);
    v = get(FACES "/persons/$P1/photos");
    CHECK_INT(ims__json_len(ims__json_get(v, "items")), 5);
    for (size_t i = 0; i < 5; i++)
        CHECK_INT(ims__json_int(ims__json_get(ims__json_at(ims__json_get(v, "items"), i), "photoId"), 0), 5 - (int)i);
    ims__json_free(v);
    serving_people_close(&sp);
}
