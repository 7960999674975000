/* Handing people on over HTTP: what goes out comes in again, by pictures and boxes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include "base/limits.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPORT "/api/v1/admin/persons/export"
#define IMPORT "/api/v1/admin/persons/import"
/* One person with one face: that of photo 100, which is face 16 and nobody's. */
#define FACE(path, x, y) "{\"imagePath\":\"" path "\",\"boundingBox\":{\"x\":" #x ",\"y\":" #y ",\"width\":110,\"height\":120}}"
#define DATA(name, faces) "{\"data\":{\"version\":\"1.0\",\"persons\":[{\"name\":\"" name "\",\"faceMappings\":[" faces "]}]}"
#define ONE(name, path, x, y) DATA(name, FACE(path, x, y)) "}"
#define WITH(name, path, x, y, options) DATA(name, FACE(path, x, y)) ",\"options\":{" options "}}"

static struct serving_people sp;

/* {"data": what the export gave}. */
static char *as_import(const ims_json *data)
{
    struct ims_buf text;
    char *body;

    ims__buf_init(&text, IMS_MAX_JSON_BYTES);
    (void)ims__buf_add_str(&text, "{\"data\":");
    if (ims__json_write(data, 0, &text, NULL))
        test_fail(__FILE__, __LINE__, "the export cannot be written");
    (void)ims__buf_add_str(&text, "}");
    body = ims__buf_take(&text, NULL);
    ims__buf_release(&text);
    return body;
}

TEST(exchange_round, "what was exported comes in again as it was, and a second time changes nothing")
{
    static const struct serving_request few[] = {
        { "POST", EXPORT "?max_faces_per_person=2", NULL, 200, "\"totalPersons\":2,\"totalFaceMappings\":4,\"exportFormat\":\"seed\"" },
        { "POST", EXPORT "?verify_paths=true", NULL, 200, "\"totalPersons\":2,\"totalFaceMappings\":0" }, /* photos without files */
        { "POST", EXPORT "?max_faces_per_person=501", NULL, 422, "max_faces_per_person" },
    };
    ims_json *data;
    char *body;

    if (!serving_people_open_known(&sp, false, false))
        return;
    ASK_PEOPLE(&sp, few);
    data = serving_json(&sp.s, "POST", EXPORT, NULL, 200);
    CHECK_INT((int)ims__json_int(ims__json_get(ims__json_get(data, "metadata"), "totalFaceMappings"), 0), 15);
    body = as_import(data);
    CHECK_OK(ims_people_delete(sp.p.e, NULL, 1, NULL, &sp.p.err), sp.p.err);
    CHECK_OK(ims_people_delete(sp.p.e, NULL, 2, NULL, &sp.p.err), sp.p.err);
    for (int round = 0; round < 2; round++) {
        ims_json *o = serving_json(&sp.s, "POST", IMPORT, body, 200);

        CHECK(ims__json_bool(ims__json_get(o, "success"), false));
        CHECK_INT((int)ims__json_int(ims__json_get(o, round ? "personsExisting" : "personsCreated"), -1), 2);
        CHECK_INT((int)ims__json_int(ims__json_get(o, "totalFacesMatched"), -1), 15);
        CHECK_INT((int)ims__json_int(ims__json_get(o, "qdrantUpdates"), -1), round ? 0 : 15);
        CHECK_INT((int)ims__json_int(ims__json_get(o, "centroidsComputed"), -1), round ? 0 : 2);
        ims__json_free(o);
    }
    CHECK_INT((int)people_person_of(&sp.p, sp.p.faces[0]), 3);
    ims__free(body);
    ims__json_free(data);
    serving_people_close(&sp);
}

TEST(exchange_matching, "a face is meant by a box that is near enough, and nobody's word is overruled unasked")
{
    static const struct serving_request rows[] = {
        { "POST", IMPORT, "{}", 422, "data" },
        { "POST", IMPORT, "{\"data\":{\"version\":\"2.0\",\"persons\":[]}}", 422, "version 1.0" },
        { "POST", IMPORT, "{\"data\":{\"version\":\"1.0\"}}", 422, "persons" },
        { "POST", IMPORT, WITH("Cleo", "/photos/100.jpg", 0, 20, "\"tolerancePixels\":51"), 422, "tolerancePixels" },
        { "POST", IMPORT, ONE("Cleo", "/photos/100.jpg", 11, 20), 200, "\"facesMatched\":0,\"facesNotFound\":1," },
        { "POST", IMPORT, ONE("Cleo", "/photos/999.jpg", 0, 20), 200, "\"status\":\"image_missing\",\"matchedFaceId\":null" },
        { "POST", IMPORT, WITH("Cleo", "/photos/100.jpg", 10, 10, "\"dryRun\":true"), 200, "\"dryRun\":true,\"personsCreated\":0,\"personsExisting\":1,\"totalFacesMatched\":1" },
        { "POST", IMPORT, WITH("Dora", "/photos/100.jpg", 10, 10, "\"dry_run\":true"), 200, "\"status\":\"created\",\"personId\":null" },
        { "GET", "/api/v1/faces/persons", NULL, 200, "\"total\":3," }, /* Ann, Bob and Cleo */
        { "POST", IMPORT, ONE("cleo", "/photos/100.jpg", 10, 10), 200, "\"status\":\"matched\",\"matchedFaceId\":\"$F16\",\"error\":null" },
        { "POST", IMPORT, ONE("Ann", "/photos/100.jpg", 0, 20), 200, "\"skippedConflicts\":1," },
        { "POST", IMPORT, ONE("Ann", "/photos/100.jpg", 0, 20), 200, "\"status\":\"conflict\"" },
        { "POST", IMPORT, WITH("Ann", "/photos/100.jpg", 0, 20, "\"forceReassign\":true"), 200, "\"qdrantUpdates\":1" },
        { "POST", IMPORT, ONE("", "/photos/100.jpg", 0, 20), 200, "\"success\":false" },
        { "POST", IMPORT, ONE("", "/photos/100.jpg", 0, 20), 200, "\"status\":\"error\",\"personId\":null" },
        { "POST", IMPORT, "{\"data\":{\"version\":\"1.0\",\"persons\":[{\"name\":\"Eve\",\"status\":\"hidden\",\"faceMappings\":[" FACE("/photos/101.jpg", 0, 20) ","
          FACE("/photos/gone.jpg", 0, 20) "]}]},\"options\":{\"skipMissingImages\":false}}", 200,
          "\"success\":false,\"dryRun\":false,\"personsCreated\":1,\"personsExisting\":0,\"totalFacesMatched\":1,\"totalFacesNotFound\":0,\"totalImagesMissing\":1" },
        { "GET", "/api/v1/faces/persons", NULL, 200, "\"total\":3," }, /* nothing of it was kept */
    };

    if (!serving_people_open_known(&sp, false, false))
        return;
    ASK_PEOPLE(&sp, rows);
    CHECK_INT((int)people_person_of(&sp.p, sp.p.faces[15]), 1);
    CHECK_INT((int)people_person_of(&sp.p, sp.p.faces[16]), 0);
    serving_people_close(&sp);
}

TEST(exchange_missing, "a picture that is missing, but there below a root, is indexed for the next import")
{
    struct serving s;
    char body[1200];
    struct serving_request r = { "POST", IMPORT, body, 200, "its folder is being indexed" };
    bool is_there = false;

    if (!serving_open(&s, 1, NULL))
        return;
    library_copy(&s.library, library_demo_jpeg(1), "new.jpg");
    snprintf(body, sizeof(body), DATA("Ann", "{\"imagePath\":\"%s/new.jpg\",\"boundingBox\":{\"x\":0,\"y\":0,\"width\":9,\"height\":9}}") "}",
             s.library.photos);
    serving_ask(&s, &r, 1);
    for (struct test_wait w = { 0 }; !is_there && test_waits(&w);) {
        ims_json *o = serving_json(&s, "GET", "/api/v1/assets", NULL, 200);

        is_there = ims__json_int(ims__json_get(o, "total"), 0) == 2;
        ims__json_free(o);
    }
    CHECK(is_there);
    serving_stop(&s, SIGTERM);
}
