/* Changing people over HTTP, on synthetic faces: persons, merging, splitting, moving photos, the history, taking back.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include <stdio.h>
#include <string.h>

#define FACES "/api/v1/faces"
#define EVENT "00000000-0000-8005-8000-" /* a database passes over numbers of changes that failed */
#define P1 FACES "/persons/$P1"
#define P2 FACES "/persons/$P2"

static struct serving_people sp;

/* As of serving_people_named, Anna (1) and Ben (2) by name, in events 1 and 2. */
static bool open_named(void)
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\"Anna\"}", 200, "$P1" },
        { "POST", FACES "/clusters/clu_2/label", "{\"name\":\"Ben\"}", 200, "$P2" },
    };

    if (!serving_people_groups(&sp, false))
        return false;
    ASK_PEOPLE(&sp, rows);
    return true;
}

TEST(persons_life, "D-F24: a person is made, renamed, given a date of birth that can be read and cleared, hidden, deleted")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/persons", "{\"name\":\"Zo\xc3\xab\"}", 201, "\"id\":\"$P1\",\"name\":\"Zo\xc3\xab\",\"status\":\"active\"" },
        { "POST", FACES "/persons", "{\"name\":\"ZO\xc3\x8b \"}", 409, "person 1" },
        { "POST", FACES "/persons", "{\"name\":\"\"}", 422, NULL },
        { "POST", FACES "/persons", "{\"name\":\"  \"}", 400, "needs a name" },
        { "POST", FACES "/persons", "{\"name\":\"Ben\",\"birthDate\":\"yesterday\"}", 422, "birthDate" },
        { "POST", FACES "/persons", "{\"name\":\"Ben\",\"birthDate\":\"2001-02-28\"}", 201, "\"birthDate\":\"2001-02-28\"" },
        { "PATCH", P1, "{\"birthDate\":\"1999-12-31\"}", 200, "\"name\":\"Zo\xc3\xab\",\"status\":\"active\",\"birthDate\":\"1999-12-31\"" },
        { "GET", P1, NULL, 200, "\"birthDate\":\"1999-12-31\"" },
        { "GET", FACES "/persons", NULL, 200, "\"birthDate\":\"1999-12-31\"" },
        { "PATCH", P1, "{\"name\":\"Zoe\"}", 200, "\"birthDate\":\"1999-12-31\"" },
        { "PATCH", P1, "{\"birth_date\":null}", 200, "\"name\":\"Zoe\",\"status\":\"active\",\"birthDate\":null" },
        { "GET", P1, NULL, 200, "\"birthDate\":null" },
        { "PATCH", P1, "{\"birthDate\":\"2001-02-30\"}", 422, NULL },
        { "PATCH", P1, "{\"name\":\"ben\"}", 409, "person 2" },
        { "PATCH", P1, "{\"status\":\"merged\"}", 422, "status" },
        { "PATCH", FACES "/persons/$P9", "{\"name\":\"X\"}", 404, NULL },
        { "PATCH", P1, "{\"status\":\"hidden\"}", 200, "\"status\":\"hidden\"" },
        { "GET", FACES "/people", NULL, 200, "\"identifiedCount\":1" },
        { "GET", FACES "/persons?status=hidden", NULL, 200, "\"total\":1" },
        { "DELETE", P1, NULL, 200, "{\"personId\":\"$P1\",\"personName\":\"Zoe\",\"facesUnassigned\":0,\"eventId\":\"" EVENT },
        { "DELETE", P1, NULL, 404, NULL },
        { "GET", P1, NULL, 404, NULL },
        { "GET", P1 "/photos", NULL, 404, NULL },
        { "PATCH", P1, "{\"name\":\"Zoe\"}", 404, NULL },
        { "POST", FACES "/persons", "{\"name\":\"Zoe\"}", 201, "\"id\":\"$P3\"" },
    };

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(persons_merged, "D-F17: a merged person leaves no prototype, suggestion or face behind, and the merge can be taken back")
{
    static const struct serving_request rows[] = {
        { "POST", P1 "/merge", "{\"intoPersonId\":\"$P1\"}", 400, "itself" },
        { "POST", P1 "/merge", "{\"intoPersonId\":\"$P9\"}", 404, NULL },
        { "POST", FACES "/persons/$P9/merge", "{\"intoPersonId\":\"$P1\"}", 404, NULL },
        { "POST", P1 "/merge", "{}", 422, "intoPersonId" },
        { "POST", P1 "/unmerge", NULL, 409, "not merged" },
        { "POST", P1 "/merge", "{\"intoPersonId\":\"$P2\"}", 409, "same photo" },
        { "GET", P1, NULL, 200, "\"faceCount\":5" },
        { "POST", FACES "/faces/$F10/assign", "{\"personId\":\"$P1\"}", 200, NULL },
        { "POST", P1 "/merge", "{\"intoPersonId\":\"$P2\",\"allowSamePhoto\":true}", 200,
          "{\"sourcePersonId\":\"$P1\",\"targetPersonId\":\"$P2\",\"facesMoved\":6,\"eventId\":\"" EVENT },
        { "GET", P1, NULL, 200, "\"status\":\"merged\",\"birthDate\":null,\"faceCount\":0,\"photoCount\":0,\"prototypeCount\":0,"
                                "\"thumbnailUrl\":null,\"faceThumbnailUrl\":null,\"mergedIntoId\":\"$P2\"" },
        { "GET", P2, NULL, 200, "\"faceCount\":10,\"photoCount\":9" },
        { "GET", FACES "/persons?status=merged", NULL, 200, "\"total\":1" },
        { "GET", FACES "/persons", NULL, 200, "\"total\":1" },
        { "POST", P1 "/merge", "{\"intoPersonId\":\"$P2\"}", 404, "not any more" },
        { "POST", FACES "/faces/$F1/assign", "{\"personId\":\"$P1\"}", 409, "merged" },
        { "PATCH", P1, "{\"name\":\"Anne\"}", 409, "merged" },
        { "DELETE", P1, NULL, 409, "merged" },
        { "GET", P2 "/assignment-history?limit=1", NULL, 200,
          "\"operation\":\"MERGE_PERSON\",\"createdAt\":" },
        { "POST", P1 "/unmerge", NULL, 200, "\"kept\":0}" },
        { "GET", P1, NULL, 200, "\"status\":\"active\",\"birthDate\":null,\"faceCount\":6" },
        { "GET", P2, NULL, 200, "\"faceCount\":4" },
    };
    struct ims_store_prototype *left = NULL;
    size_t n = 0;

    CHECK(open_named());
    ASK_PEOPLE(&sp, rows);
    CHECK_OK(ims_store_prototypes(sp.p.s, sp.p.face_model, 2, false, &sp.p.arena, &left, &n, &sp.p.err), sp.p.err);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(people_person_of(&sp.p, left[i].face_id), 2);
    serving_people_close(&sp);
}

TEST(persons_split, "some faces of a person become a new person; all of them, or none")
{
    static const struct serving_request rows[] = {
        { "POST", P1 "/split", "{\"faceIds\":[\"$F1\",\"$F2\"],\"name\":\"Anna's twin\"}", 201,
          "{\"personId\":\"$P3\",\"personName\":\"Anna's twin\",\"facesMoved\":2,\"eventId\":\"$E3\"}" },
        { "GET", P1, NULL, 200, "\"faceCount\":3" },
        { "POST", FACES "/assignment-events/$E3/undo", NULL, 200, "\"facesUnassigned\":2" },
        { "GET", P1, NULL, 200, "\"faceCount\":5" },
        { "GET", FACES "/persons/$P3", NULL, 404, NULL },
        { "POST", P1 "/split", "{\"faceIds\":[],\"name\":\"X\"}", 422, "faceIds" },
        { "POST", P1 "/split", "{\"faceIds\":[\"$F1\",\"$F7\"],\"name\":\"X\"}", 409, "is not person 1" },
        { "POST", P1 "/split", "{\"faceIds\":[\"$F1\",\"$P1\"],\"name\":\"X\"}", 404, NULL },
        { "POST", P1 "/split", "{\"faceIds\":[\"$F1\"],\"name\":\"ben\"}", 409, "person 2" },
        { "POST", FACES "/persons/$P9/split", "{\"faceIds\":[\"$F1\"],\"name\":\"X\"}", 404, NULL },
        { "GET", FACES "/persons", NULL, 200, "\"total\":2" },
        { "GET", P1, NULL, 200, "\"faceCount\":5" },
    };

    CHECK(open_named());
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(persons_photos, "D-F18: faces taken out of photos leave no prototype of the person behind; photos without it change nothing")
{
    static const struct serving_request rows[] = {
        { "POST", P1 "/photos/bulk-remove", "{\"photoIds\":[1,2,6,999]}", 200,
          "{\"updatedFaces\":2,\"updatedPhotos\":2,\"skippedFaces\":0,\"eventId\":\"$E3\"}" },
        { "POST", P1 "/photos/bulk-remove", "{\"photoIds\":[1,2]}", 200,
          "{\"updatedFaces\":0,\"updatedPhotos\":0,\"skippedFaces\":0,\"eventId\":null}" },
        { "GET", P1, NULL, 200, "\"faceCount\":3,\"photoCount\":3,\"prototypeCount\":3" },
        { "POST", P1 "/photos/bulk-remove", "{\"photoIds\":[]}", 422, "photoIds" },
        { "POST", P1 "/photos/bulk-remove", "{\"photoIds\":[\"one\"]}", 422, NULL },
        { "POST", FACES "/persons/$P9/photos/bulk-remove", "{\"photoIds\":[1]}", 404, NULL },
        { "DELETE", FACES "/faces/$F3/person", NULL, 200, NULL },
        { "GET", P1, NULL, 200, "\"faceCount\":2,\"photoCount\":2,\"prototypeCount\":2" },
    };
    struct ims_store_prototype *left = NULL;
    size_t n = 0;

    CHECK(open_named());
    ASK_PEOPLE(&sp, rows);
    CHECK_OK(ims_store_prototypes(sp.p.s, sp.p.face_model, 1, false, &sp.p.arena, &left, &n, &sp.p.err), sp.p.err);
    for (size_t i = 0; i < n; i++)
        CHECK_INT(people_person_of(&sp.p, left[i].face_id), 1);
    serving_people_close(&sp);
}

TEST(persons_moved, "D-F23: photos are moved to a person that is there or is made, and a name nobody gets is not kept")
{
    static const struct serving_request rows[] = {
        { "POST", P1 "/photos/bulk-move", "{\"photoIds\":[],\"toPersonName\":\"Carl\"}", 422, "photoIds" },
        { "POST", P1 "/photos/bulk-move", "{\"photoIds\":[6],\"toPersonName\":\"Carl\"}", 404, "none of these photos" },
        { "POST", P1 "/photos/bulk-move", "{\"photoIds\":[1]}", 422, "either" },
        { "POST", P1 "/photos/bulk-move", "{\"photoIds\":[1],\"toPersonName\":\"Carl\",\"toPersonId\":\"$P2\"}", 422, "either" },
        { "POST", P1 "/photos/bulk-move", "{\"photoIds\":[1],\"toPersonId\":\"$P9\"}", 404, NULL },
        { "POST", FACES "/persons/$P9/photos/bulk-move", "{\"photoIds\":[1],\"toPersonName\":\"Carl\"}", 404, NULL },
        { "GET", FACES "/persons", NULL, 200, "\"total\":2" },
        { "POST", P1 "/photos/bulk-move", "{\"photoIds\":[4,5],\"toPersonId\":\"$P2\"}", 200,
          "{\"updatedFaces\":1,\"updatedPhotos\":1,\"skippedFaces\":1,\"eventId\":\"$E3\",\"toPersonId\":\"$P2\",\"toPersonName\":"
          "\"Ben\",\"personCreated\":false}" },
        { "POST", P1 "/photos/bulk-move", "{\"photoIds\":[1,2],\"toPersonName\":\"Carl\"}", 200,
          "{\"updatedFaces\":2,\"updatedPhotos\":2,\"skippedFaces\":0,\"eventId\":\"$E4\",\"toPersonId\":\"$P3\",\"toPersonName\":"
          "\"Carl\",\"personCreated\":true}" },
        { "GET", P1, NULL, 200, "\"faceCount\":2,\"photoCount\":2,\"prototypeCount\":2" },
        { "GET", P2, NULL, 200, "\"faceCount\":5" },
        { "GET", FACES "/persons/$P3/photos", NULL, 200, "\"photoId\":2," },
        { "GET", P1 "/assignment-history?limit=1", NULL, 200,
          "\"operation\":\"MOVE_TO_PERSON\"" },
    };

    CHECK(open_named());
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(persons_history, "the history shows who, what, when, newest first; every change can be taken back, once")
{
    static const struct serving_request rows[] = {
        { "DELETE", FACES "/faces/$F5/person", NULL, 200, "\"eventId\":\"$E3\"" },
        { "GET", P1 "/assignment-history", NULL, 200,
          "{\"events\":[{\"id\":\"$E3\",\"operation\":\"UNASSIGN_FROM_PERSON\",\"createdAt\":\"" },
        { "GET", P1 "/assignment-history", NULL, 200,
          "\"faceCount\":1,\"photoCount\":1,\"faceInstanceIds\":[\"$F5\"],\"assetIds\":[5],\"fromPersonId\":\"$P1\",\"toPersonId\":"
          "null,\"fromPersonName\":\"Anna\",\"toPersonName\":null,\"note\":null,\"actor\":\"web\",\"undone\":false},{\"id\":\"$E1\"" },
        { "GET", P1 "/assignment-history", NULL, 200,
          "\"faceInstanceIds\":[\"$F1\",\"$F2\",\"$F3\",\"$F4\",\"$F5\"],\"assetIds\":[1,2,3,4,5]," },
        { "GET", P1 "/assignment-history?limit=1&offset=1", NULL, 200, "{\"events\":[{\"id\":\"$E1\"" },
        { "GET", P1 "/assignment-history?limit=1&offset=1", NULL, 200, "\"total\":2,\"offset\":1,\"limit\":1}" },
        { "GET", P1 "/assignment-history?operation=ASSIGN_TO_PERSON", NULL, 200, "\"total\":1," },
        { "GET", P1 "/assignment-history?since=2999-01-01", NULL, 200, "{\"events\":[],\"total\":0" },
        { "GET", P1 "/assignment-history?since=2001-01-01T00:00:00Z", NULL, 200, "\"total\":2" },
        { "GET", P1 "/assignment-history?since=soon", NULL, 400, "since" },
        { "GET", P1 "/assignment-history?limit=0", NULL, 422, "limit" },
        { "GET", FACES "/persons/$P9/assignment-history", NULL, 404, NULL },
        { "POST", FACES "/assignment-events/$E9/undo", NULL, 404, NULL },
        { "POST", FACES "/assignment-events/$P1/undo", NULL, 404, NULL },
        { "POST", FACES "/assignment-events/3/undo", NULL, 422, NULL },
        { "POST", FACES "/assignment-events/$E1/undo", NULL, 409, "event 3" },
        { "GET", P1, NULL, 200, "\"faceCount\":4" },
        { "POST", FACES "/assignment-events/$E3/undo", NULL, 200,
          "{\"eventId\":\"$E3\",\"facesUnassigned\":1,\"personId\":\"$P1\",\"personName\":\"Anna\",\"undoEventId\":\"" EVENT },
        { "POST", FACES "/assignment-events/$E3/undo", NULL, 409, "undone by event" },
        { "GET", P1, NULL, 200, "\"faceCount\":5" },
        { "POST", FACES "/faces/$F5/reject", "{\"personId\":\"$P1\"}", 200,
          "{\"faceId\":\"$F5\",\"personId\":\"$P1\",\"isRejected\":true,\"eventId\":\"" EVENT },
        { "POST", FACES "/assignment-events/$E1/undo?partial=true", NULL, 200, "\"facesUnassigned\":4,\"personId\":\"$P1\"" },
        { "GET", FACES "/clusters?include_labeled=true", NULL, 200, "\"total\":2" },
    };

    CHECK(open_named());
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(persons_rejected, "a face that is not a person is never suggested or given to it again, until that is taken back")
{
    static const struct serving_request rows[] = {
        { "POST", FACES "/faces/$F1/reject", "{\"personId\":\"$P1\"}", 200, "\"isRejected\":true" },
        { "GET", FACES "/assets/1", NULL, 200, "\"personId\":null" },
        { "GET", FACES "/faces/$F1/suggestions", NULL, 200, "{\"suggestions\":[],\"faceId\":\"$F1\",\"thresholdUsed\":0.7}" },
        { "POST", FACES "/faces/$F1/reject", "{\"personId\":\"$P1\",\"on\":false}", 200, "\"isRejected\":false" },
        { "GET", FACES "/faces/$F1/suggestions", NULL, 200, "{\"suggestions\":[{\"personId\":\"$P1\",\"personName\":\"Anna\"," },
        { "GET", FACES "/faces/$F10/suggestions?min_confidence=0", NULL, 200, "{\"suggestions\":[{" },
        { "GET", FACES "/faces/$F1/suggestions?limit=11", NULL, 422, "limit" },
        { "GET", FACES "/faces/$F1/suggestions?min_confidence=2", NULL, 422, NULL },
        { "POST", FACES "/faces/$F999/reject", "{\"personId\":\"$P1\"}", 404, NULL },
        { "POST", FACES "/faces/$F1/reject", "{\"personId\":\"$P9\"}", 404, NULL },
        { "POST", FACES "/faces/$F1/reject", "{}", 422, "personId" },
        { "POST", P1 "/suggestions/regenerate", NULL, 200, "{\"status\":\"queued\",\"message\":" },
        { "POST", FACES "/persons/$P9/suggestions/regenerate", NULL, 404, NULL },
        { "POST", FACES "/persons", "{\"name\":\"Carl\"}", 201, "$P3" },
        { "POST", FACES "/persons/$P3/suggestions/regenerate", NULL, 400, "no prototypes" },
    };

    CHECK(open_named());
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(persons_not_found, "D-F22: what is not there is 404 on every route about faces, never 500")
{
    static const struct serving_request rows[] = {
        { "GET", FACES "/faces/$F999/suggestions", NULL, 404, "no face" },
        { "GET", FACES "/faces/$P1/suggestions", NULL, 404, NULL },
        { "GET", FACES "/faces/$F1/suggestions", NULL, 200, "{\"suggestions\":[]" }, /* there is nobody yet */
        { "POST", FACES "/clusters/clu_99/split", NULL, 404, NULL },
        { "POST", FACES "/clusters/nonsense/split", "{}", 404, NULL },
        { "POST", FACES "/clusters/clu_99/dismiss", NULL, 404, NULL },
        { "POST", FACES "/persons/$P99/unmerge", NULL, 404, NULL },
        { "DELETE", FACES "/persons/$P99", NULL, 404, NULL },
    };

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(persons_pages, "D-F16: pages of persons are in the order of names and miss nobody; a status that is none is refused")
{
    static const struct serving_request rows[] = {
        { "GET", FACES "/persons?status=deleted", NULL, 422, "status" },
        { "GET", FACES "/persons?page_size=1001", NULL, 422, "page_size" },
        { "POST", FACES "/persons", "{\"name\":\"carl\"}", 201, NULL },
        { "POST", FACES "/persons", "{\"name\":\"\u00c4nne\"}", 201, NULL },
        { "POST", FACES "/persons", "{\"name\":\"Bob\"}", 201, NULL },
        { "POST", FACES "/clusters/clu_1/label", "{\"name\":\"anna\"}", 200, "$P4" },
        { "GET", FACES "/persons?page_size=2", NULL, 200, "{\"items\":[{\"id\":\"$P4\",\"name\":\"anna\"," },
        { "GET", FACES "/persons?page_size=2", NULL, 200, "\"faceCount\":5,\"photoCount\":5,\"prototypeCount\":5," },
        { "GET", FACES "/persons?page_size=2", NULL, 200, "{\"id\":\"$P3\",\"name\":\"Bob\"," },
        { "GET", FACES "/persons?page_size=2", NULL, 200, "\"total\":4,\"page\":1,\"pageSize\":2}" },
        { "GET", FACES "/persons?page_size=2&page=2", NULL, 200, "{\"items\":[{\"id\":\"$P1\",\"name\":\"carl\"," },
        { "GET", FACES "/persons?page_size=2&page=2", NULL, 200, "{\"id\":\"$P2\",\"name\":\"\xc3\x84nne\"," },
        { "GET", FACES "/persons?page_size=2&page=3", NULL, 200, "{\"items\":[],\"total\":4" },
    };

    CHECK(serving_people_groups(&sp, false));
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}
