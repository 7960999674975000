/* Faces over HTTP on real pictures: their small pictures, looking again, and finding the photos of a person.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_ids.h"
#include "serving.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FACES "/api/v1/faces"
#define N_EACH 3

/* Drawn persons of the demo library, alone in their pictures: three of one, three of another. */
static const char *const pictures[] = {
    "demo/2023/picnic/IMG_1110.jpg",        "demo/2024/mountain-hike/IMG_1127.jpg", "demo/2024/family/IMG_1138.jpg",
    "demo/2021/autumn-forest/IMG_1019.jpg", "demo/2022/city-weekend/IMG_1062.jpg",  "demo/2024/family/IMG_1139.jpg",
};

static struct serving s;
static char face_of[2 * N_EACH][IMS_API_ID_BYTES]; /* of assets 1 to 6 */

static ims_json *ask(int status, const char *method, const char *path, const char *body)
{
    return serving_json(&s, method, path, body, status);
}

static void tell(int status, const char *method, const char *path, const char *body)
{
    ims__json_free(ask(status, method, path, body));
}

/* Picture i is asset i + 1: they are indexed one after the other. */
static bool open_demo(void)
{
    memset(&s, 0, sizeof(s));
    library_init(&s.library);
    snprintf(s.log, sizeof(s.log), "%s.log", s.library.data);
    for (size_t i = 0; i < 2 * N_EACH; i++) {
        char name[32];

        snprintf(name, sizeof(name), "p%zu.jpg", i);
        library_copy(&s.library, pictures[i], name);
    }
    library_copy(&s.library, pictures[2 * N_EACH - 1], "q.jpg"); /* asset 7, the same as 6 */
    if (library_index(&s.library, "processed") != 2 * N_EACH + 1 || !serving_start(&s, NULL))
        return false;
    for (size_t i = 0; i < 2 * N_EACH; i++) {
        char path[64];
        ims_json *v;
        const char *id;

        snprintf(path, sizeof(path), FACES "/assets/%zu", i + 1);
        v = ask(200, "GET", path, NULL);
        id = ims__json_str(ims__json_get(ims__json_at(ims__json_get(v, "items"), 0), "id"), NULL);
        snprintf(face_of[i], sizeof(face_of[i]), "%s", id ? id : "");
        ims__json_free(v);
        if (!id)
            test_fail(__FILE__, __LINE__, "%s: no face", pictures[i]);
    }
    return !test_has_failed();
}

static void assign(size_t asset, int64_t person, int status)
{
    char path[120], body[120], id[IMS_API_ID_BYTES];

    snprintf(path, sizeof(path), FACES "/faces/%s/assign", face_of[asset - 1]);
    snprintf(body, sizeof(body), "{\"personId\":\"%s\"}", ims__api_id_text(IMS_ID_PERSON, person, id));
    tell(status, "POST", path, body);
}

/* The assets that a search finds, as bits. person 0: a text that names none; more: further members of the filter. */
static unsigned found(const char *key, int64_t person, const char *more)
{
    char id[IMS_API_ID_BYTES], body[400];
    unsigned bits = 0;
    ims_json *v;
    const ims_json *list;

    snprintf(body, sizeof(body), "{\"query\":\"a person\",\"limit\":50,\"filters\":{\"%s\":\"%s\"%s}}", key,
             person ? ims__api_id_text(IMS_ID_PERSON, person, id) : "Anna", more);
    v = ask(200, "POST", "/api/v1/search", body);
    list = ims__json_get(v, "results");
    for (size_t i = 0; i < ims__json_len(list); i++)
        bits |= 1u << ims__json_int(ims__json_get(ims__json_get(ims__json_at(list, i), "asset"), "id"), 0);
    CHECK_SOFT(ims__json_int(ims__json_get(v, "total"), -1) == (int64_t)ims__json_len(list));
    ims__json_free(v);
    return bits;
}

#define ASSET(n) (1u << (n))
#define FIRST (ASSET(1) | ASSET(2) | ASSET(3))

TEST(demo_search, "M10 D-C1: a search for a person finds their photos under every spelling, and follows each change at once")
{
    char undo[120];
    ims_json *v;

    if (!open_demo())
        return;
    tell(201, "POST", FACES "/persons", "{\"name\":\"Anna\"}");
    tell(201, "POST", FACES "/persons", "{\"name\":\"Ben\"}");
    CHECK_INT(found("personId", 1, ""), 0);
    for (size_t i = 1; i <= N_EACH; i++)
        assign(i, 1, 200);
    CHECK_INT(found("personId", 1, ""), FIRST);
    CHECK_INT(found("person_id", 1, ""), FIRST);
    CHECK_INT(found("personId", 1, ",\"dateFrom\":\"2001-01-01\",\"dateTo\":\"2999-01-01\""), FIRST);
    CHECK_INT(found("personId", 1, ",\"from_date\":\"2999-01-01\""), 0);
    CHECK_INT(found("personId", 2, ""), 0);
    CHECK_INT(found("personId", 99, ""), 0);
    CHECK_INT(found("personId", 0, ""), 0);
    v = ask(200, "POST", "/api/v1/search", "{\"query\":\"\",\"filters\":{\"personId\":\"00000000-0000-8002-8000-000000000001\"}}");
    CHECK_INT(ims__json_int(ims__json_get(v, "total"), 0), N_EACH); /* without words: all of them */
    ims__json_free(v);
    assign(4, 2, 200);
    assign(4, 3, 404); /* refused: nothing changes anywhere */
    CHECK_INT(found("personId", 2, ""), ASSET(4));
    v = ask(200, "POST", FACES "/persons/00000000-0000-8002-8000-000000000001/photos/bulk-move",
            "{\"photoIds\":[1,2],\"toPersonId\":\"00000000-0000-8002-8000-000000000002\"}");
    CHECK_INT(found("personId", 2, ""), ASSET(1) | ASSET(2) | ASSET(4));
    CHECK_INT(found("personId", 1, ""), ASSET(3));
    snprintf(undo, sizeof(undo), FACES "/assignment-events/%s/undo", ims__json_str(ims__json_get(v, "eventId"), NULL));
    ims__json_free(v);
    tell(200, "POST", undo, NULL);
    CHECK_INT(found("personId", 1, ""), FIRST);
    serving_stop(&s, SIGTERM);
}

TEST(demo_thumbnail, "M14: the small picture of a face is a JPEG that clients keep until the face is found elsewhere")
{
    struct http_reply r;
    char path[120], kept[200], etag[120];

    if (!open_demo())
        return;
    snprintf(path, sizeof(path), FACES "/faces/%s/thumbnail", face_of[0]);
    http_request(&r, s.port, "GET", path, NULL, NULL, 0);
    CHECK_INT(r.status, 200);
    CHECK_STR(http_header(&r, "Content-Type"), "image/jpeg");
    CHECK_STR(http_header(&r, "Cache-Control"), "private, max-age=86400");
    CHECK(r.n_body > 500 && memcmp(r.body, "\xff\xd8\xff", 3) == 0);
    snprintf(etag, sizeof(etag), "%s", http_header(&r, "ETag"));
    CHECK(etag[0] == '"');
    http_reply_release(&r);
    snprintf(kept, sizeof(kept), "If-None-Match: %s\r\n", etag);
    http_request(&r, s.port, "GET", path, kept, NULL, 0);
    CHECK_INT(r.status, 304);
    http_reply_release(&r);
    CHECK(library_sql(&s.library, "UPDATE faces SET x = x + 1"));
    http_request(&r, s.port, "GET", path, kept, NULL, 0);
    CHECK_INT(r.status, 200);
    http_reply_release(&r);
    serving_stop(&s, SIGTERM);
}

TEST(demo_detect, "D-F2: a picture is looked at again with the limits of the request, and who is named stays named")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/detect/1", "{\"minConfidence\":2}", 422, "minConfidence" },
        { "POST", FACES "/detect/1", "{\"minFaceSize\":9}", 422, "minFaceSize" },
        { "POST", FACES "/detect/99", NULL, 404, NULL },
        { "POST", FACES "/detect/2", "{\"minFaceSize\":5000}", 200, "\"facesDetected\":0}" },
        { "GET", FACES "/assets/2", NULL, 200, "\"total\":0" },
        { "POST", FACES "/detect/2", "{\"minConfidence\":0.3}", 200, "\"assetId\":2,\"facesDetected\":1}" },
        { "POST", FACES "/detect/2", "{\"minConfidence\":0.999}", 200, "\"facesDetected\":0}" },
        { "GET", FACES "/assets/6", NULL, 200, "\"assetId\":6," },
        { "GET", FACES "/assets/7", NULL, 200, "\"assetId\":7," }, /* a copy: the same face */
    };
    char text[120];
    ims_json *v;

    if (!open_demo())
        return;
    serving_ask(&s, rows, sizeof(rows) / sizeof(rows[0]));
    tell(201, "POST", FACES "/persons", "{\"name\":\"Anna\"}");
    assign(1, 1, 200);
    v = ask(200, "POST", FACES "/detect/1", NULL);
    snprintf(text, sizeof(text), "%s", ims__json_str(ims__json_at(ims__json_get(v, "faceIds"), 0), NULL));
    CHECK_STR(text, face_of[0]);
    ims__json_free(v);
    CHECK_INT(found("personId", 1, ""), ASSET(1));
    serving_stop(&s, SIGTERM);
}

TEST_MAIN
