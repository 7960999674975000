/* Suggestions over HTTP: made, listed by person and one by one, answered alone and in numbers, asked for again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define S "/api/v1/faces/suggestions"

static struct serving_people sp;

static bool open_people(bool is_suggested, bool has_worker)
{
    return serving_people_open_known(&sp, is_suggested, has_worker);
}

static void job_ends(const char *key, const char *has)
{
    serving_people_job_ends(&sp, key, has);
}

static void post_job(const char *path, const char *body, const char *has)
{
    ims_json *o = serving_json(&sp.s, "POST", serving_people_text(&sp, path), body, 201);
    const char *key = ims__json_str(ims__json_get(o, "progressKey"), NULL);

    CHECK(key != NULL);
    job_ends(key, has);
    ims__json_free(o);
}

TEST(suggestions_lists_D_F20, "D-F20: suggestions come by person, best first, or one by one, with all that was known about the match")
{
    static const struct serving_request rows[] = {
        { "GET", S, NULL, 200, "\"totalGroups\":2,\"totalSuggestions\":8,\"page\":1,\"groupsPerPage\":10,\"suggestionsPerGroup\":20}" },
        { "GET", S "?status=pending&groupsPerPage=1&suggestionsPerGroup=2", NULL, 200, "\"suggestionCount\":" },
        { "GET", S "?groupsPerPage=1&page=2", NULL, 200, "\"totalGroups\":2,\"totalSuggestions\":8,\"page\":2" }, /* M15 */
        { "GET", S "?groupsPerPage=1&page=3", NULL, 200, "{\"groups\":[],\"totalGroups\":2,\"totalSuggestions\":8" },
        { "GET", S "?personId=$P2", NULL, 200, "\"totalGroups\":1,\"totalSuggestions\":2" },
        { "GET", S "?personId=$P9", NULL, 200, "{\"groups\":[],\"totalGroups\":0,\"totalSuggestions\":0" },
        { "GET", S "?personId=5b0c3f3e-0000-4000-8000-000000000001", NULL, 200, "\"totalGroups\":0" },
        { "GET", S "?personId=five", NULL, 422, "personId" }, /* D-F20 */
        { "GET", S "?status=open", NULL, 422, "status" },
        { "GET", S "?groupsPerPage=51", NULL, 422, "groupsPerPage" },
        { "GET", S "?suggestionsPerGroup=0", NULL, 422, "suggestionsPerGroup" },
        { "GET", S "?grouped=false", NULL, 200, "\"total\":8,\"page\":1,\"pageSize\":20}" },
        { "GET", S "?grouped=false&pageSize=3&page=3", NULL, 200, "\"total\":8,\"page\":3,\"pageSize\":3}" },
        { "GET", S "?grouped=false&page_size=101", NULL, 422, "page_size" },
        { "GET", S "?grouped=false&status=accepted", NULL, 200, "{\"items\":[],\"total\":0" },
        { "GET", S "?grouped=false&person_id=$P1", NULL, 200, "\"total\":6" },
        { "GET", S "/stats", NULL, 200, "\"total\":8,\"pending\":8,\"accepted\":0,\"rejected\":0,\"expired\":0,\"reviewed\":0,\"acceptance_rate\":0.0,"
                                        "\"top_persons_with_pending\":[{\"person_id\":\"$P1\",\"name\":\"Ann\",\"pending_count\":6},{\"person_id\":\"$P2\"" },
        { "GET", S "/1", NULL, 200, "\"fullImageUrl\":\"/api/v1/images/" },
        { "GET", S "/1", NULL, 200, "\"isMultiPrototypeMatch\":true" },
        { "GET", S "/99", NULL, 404, "99" },
        { "GET", S "/0", NULL, 404, NULL },
        { "GET", S "/one", NULL, 422, NULL },
    };
    ims_json *o;
    double last = 2;

    if (!open_people(true, false))
        return;
    ASK_PEOPLE(&sp, rows);
    o = serving_json(&sp.s, "GET", S, NULL, 200);
    for (size_t i = 0; i < 2; i++) { /* D-F20: the fields of the match are in groups too */
        const ims_json *g = ims__json_at(ims__json_get(o, "groups"), i), *s = ims__json_at(ims__json_get(g, "suggestions"), 0);

        CHECK(ims__json_num(ims__json_get(g, "maxConfidence"), -1) <= last);
        last = ims__json_num(ims__json_get(g, "maxConfidence"), -1);
        CHECK(ims__json_num(ims__json_get(s, "aggregateConfidence"), -1) == last);
        CHECK_INT((int)ims__json_len(ims__json_get(s, "matchingPrototypeIds")),
                  (int)ims__json_int(ims__json_get(s, "prototypeMatchCount"), -1));
        CHECK(ims__json_len(ims__json_get(s, "prototypeScores")) > 0);
        CHECK(ims__json_num(ims__json_get(ims__json_get(s, "prototypeScores"),
                                          ims__json_str(ims__json_get(s, "sourceFaceId"), NULL)),
                            0) > 0.7);
    }
    ims__json_free(o);
    serving_people_close(&sp);
}

/* The suggestions that were made, by id; their ids are 1 to 8. */
static struct ims_store_suggestion *all_suggestions(void)
{
    const struct ims_store_suggestion_filter any = { .id = 0 };
    static struct ims_store_suggestion by_id[9];
    struct ims_store_suggestion *s = NULL;
    size_t n = 0;

    memset(by_id, 0, sizeof(by_id));
    if (!test_check_ok(__FILE__, __LINE__, "suggestions",
                       ims_store_suggestions(sp.p.s, &any, 0, 0, &sp.p.arena, &s, &n, NULL, &sp.p.err), &sp.p.err))
        return by_id;
    for (size_t i = 0; i < n; i++)
        by_id[s[i].id <= 8 ? s[i].id : 0] = s[i];
    return by_id;
}

TEST(suggestions_answers_D_C2, "D-C2: accepting names the face, rejecting is for good, and both happen only once")
{
    static const struct serving_request rows[] = {
        { "POST", S "/1/accept", "{}", 200, "\"status\":\"accepted\"" },
        { "POST", S "/1/accept", "{}", 400, "\"detail\":\"suggestion 1 is accepted already\"" },
        { "POST", S "/1/reject", "{}", 400, "accepted already" },
        { "POST", S "/2/reject", NULL, 200, "\"status\":\"rejected\"" },
        { "POST", S "/2/accept", "{}", 400, NULL },
        { "POST", S "/99/accept", "{}", 404, NULL },
        { "POST", S "/99/reject", "{}", 404, NULL },
        { "POST", S "/x/accept", "{}", 422, NULL },
    };
    static const struct serving_request after[] = {
        { "GET", S "/stats", NULL, 200, "\"pending\":6,\"accepted\":1,\"rejected\":1,\"expired\":0,\"reviewed\":2,\"acceptance_rate\":50.0" },
    };
    struct ims_people_match again = { .auto_threshold = 2 };
    const struct ims_store_suggestion *s;

    if (!open_people(true, false))
        return;
    s = all_suggestions();
    ASK_PEOPLE(&sp, rows);
    ASK_PEOPLE(&sp, after);
    for (int i = 1; i <= 8; i++)
        CHECK_INT((int)people_person_of(&sp.p, s[i].face_id), i == 1 ? (int)s[1].person_id : 0);
    CHECK_OK(ims_people_match(sp.p.e, NULL, &again, &sp.p.err), sp.p.err);
    ASK_PEOPLE(&sp, after); /* what was answered is not asked again */
    serving_people_close(&sp);
}

TEST(suggestions_rivals_D_F19, "D-F19: a face that is somebody by now is not taken from them, and its suggestions are over")
{
    static const struct serving_request rows[] = {
        { "POST", S "/1/accept", "{}", 400, "expired already" },
        { "GET", S "/1", NULL, 200, "\"status\":\"expired\"" },
        { "POST", S "/bulk-action", "{\"suggestionIds\":[1,2],\"action\":\"accept\"}", 200, "\"processed\":1,\"failed\":1,\"errors\":[\"1: " },
    };
    const struct ims_store_suggestion *s;
    struct ims_people_assign what = { .n = 1, .name = "Cleo" };

    if (!open_people(true, false))
        return;
    s = all_suggestions();
    what.face_ids = &s[1].face_id;
    CHECK_OK(ims_people_assign(sp.p.e, NULL, &what, &sp.p.err), sp.p.err);
    ASK_PEOPLE(&sp, rows);
    CHECK_INT((int)people_person_of(&sp.p, s[1].face_id), (int)what.person_id);
    CHECK_INT((int)people_person_of(&sp.p, s[2].face_id), (int)s[2].person_id);
    serving_people_close(&sp);
}

TEST(suggestions_bulk, "many are answered at once, each for itself; more is looked for of those who were accepted")
{
    static const struct serving_request bad[] = {
        { "POST", S "/bulk-action", "{\"suggestionIds\":[1]}", 422, "action" },
        { "POST", S "/bulk-action", "{\"suggestionIds\":[],\"action\":\"accept\"}", 422, "too_short" },
        { "POST", S "/bulk-action", "{\"suggestionIds\":[1],\"action\":\"keep\"}", 422, "action" },
        { "POST", S "/bulk-action", "{\"suggestionIds\":[1],\"action\":\"accept\",\"findMorePrototypeCount\":9}", 422, "findMorePrototypeCount" },
        { "POST", S "/bulk-action", "{\"suggestionIds\":[90,91,92,93,94,95,96,97,98,99,100,101],\"action\":\"reject\"}", 200,
          "\"processed\":0,\"failed\":12,\"errors\":[\"90: there is no suggestion 90\"" },
    };
    static const struct serving_request good[] = {
        { "POST", S "/bulk-action", "{\"suggestionIds\":[7,8,77],\"action\":\"reject\",\"autoFindMore\":true}", 200,
          "\"processed\":2,\"failed\":1,\"errors\":[\"77: there is no suggestion 77\"],\"findMoreJobs\":null" },
    };
    ims_json *o;
    const ims_json *jobs;

    if (!open_people(true, true))
        return;
    ASK_PEOPLE(&sp, bad);
    o = serving_json(&sp.s, "POST", S "/bulk-action",
                     "{\"suggestionIds\":[1,2,3],\"action\":\"accept\",\"autoFindMore\":true,\"findMorePrototypeCount\":10}", 200);
    CHECK_INT((int)ims__json_int(ims__json_get(o, "processed"), -1), 3);
    jobs = ims__json_get(o, "findMoreJobs");
    CHECK_INT((int)ims__json_len(jobs), 1); /* Bob has too few faces */
    CHECK_STR(ims__json_str(ims__json_get(ims__json_at(jobs, 0), "personId"), NULL), serving_people_text(&sp, "$P1"));
    job_ends(ims__json_str(ims__json_get(ims__json_at(jobs, 0), "progressKey"), NULL),
             "\"suggestionsCreated\":0,\"prototypesUsed\":10,\"candidatesFound\":3,\"duplicatesSkipped\":3");
    ims__json_free(o);
    ASK_PEOPLE(&sp, good);
    serving_people_close(&sp);
}

TEST(find_more_D_F5_D_F6_D_F14_D_F21, "D-F5, D-F6, D-F14, D-F21: more faces of a person are found, each once, and the counts are told at the end")
{
    static const struct serving_request rows[] = {
        { "POST", S "/persons/$P2/find-more", "{}", 400, "3 named faces" },
        { "POST", S "/persons/$P2/find-more-centroid", "{}", 400, "3 named faces" },
        { "POST", S "/persons/$P7/find-more", "{}", 404, NULL },
        { "POST", S "/persons/$F1/find-more", "{}", 404, NULL }, /* a name of something else */
        { "POST", S "/persons/1/find-more", "{}", 422, "person_id" },
        { "POST", S "/persons/$P1/find-more", "{\"prototypeCount\":9}", 422, "prototypeCount" },
        { "POST", S "/persons/$P1/find-more", "{\"maxSuggestions\":501}", 422, "maxSuggestions" },
        { "POST", S "/persons/$P1/find-more", "{\"minConfidence\":0.2}", 422, "minConfidence" },
        { "POST", S "/persons/$P1/find-more-centroid", "{\"minSimilarity\":0.96}", 422, "minSimilarity" },
        { "GET", S, NULL, 200, "\"totalSuggestions\":0" },
    };
    static const struct serving_request after[] = {
        { "GET", S "?personId=$P1", NULL, 200, "\"totalSuggestions\":6" },
        { "GET", S "?personId=$P2", NULL, 200, "\"totalSuggestions\":0" },
        { "GET", "/api/v1/jobs/$J1", NULL, 200, "\"funcName\":\"find_more\",\"status\":\"finished\"" },
    };

    if (!open_people(false, true))
        return;
    ASK_PEOPLE(&sp, rows);
    post_job(S "/persons/$P1/find-more", "{\"maxSuggestions\":4}",
             "\"suggestionsCreated\":4,\"prototypesUsed\":12,\"candidatesFound\":6,\"duplicatesSkipped\":0,\"current\":8,\"total\":8");
    post_job(S "/persons/$P1/find-more", "{\"maxSuggestions\":1}", /* what waits already takes nobody's place */
             "\"suggestionsCreated\":1,\"prototypesUsed\":12,\"candidatesFound\":6,\"duplicatesSkipped\":4");
    post_job(S "/persons/$P1/find-more-centroid", "{}",
             "\"suggestionsCreated\":1,\"prototypesUsed\":1,\"candidatesFound\":6,\"duplicatesSkipped\":5");
    post_job(S "/persons/$P1/find-more", "{\"minConfidence\":0.99999}", "\"suggestionsCreated\":0,\"prototypesUsed\":12,\"candidatesFound\":0");
    ASK_PEOPLE(&sp, after);
    serving_people_close(&sp);
}

TEST(find_more_draw, "faces are drawn to compare with, prototypes last, and the same ones as long as nothing changed")
{
    const struct ims_store_suggestion_filter any = { .id = 0 };
    struct ims_people_more few = { .person_id = 1, .n_queries = 7 }, all = { .person_id = 1 }, too_few = { .person_id = 2 };
    struct ims_store_prototype *y = NULL;
    struct ims_store_suggestion *s = NULL;
    size_t n_y = 0, n = 0;

    if (!open_people(false, false))
        return;
    CHECK_INT(ims_people_find_more(sp.p.e, NULL, &too_few, &sp.p.err), IMS_E_CONSTRAINT);
    CHECK_OK(ims_people_find_more(sp.p.e, NULL, &few, &sp.p.err), sp.p.err);
    CHECK_INT((int)few.n_used, 7);
    CHECK_OK(ims_store_prototypes(sp.p.s, sp.p.face_model, 1, false, &sp.p.arena, &y, &n_y, &sp.p.err), sp.p.err);
    CHECK_OK(ims_store_suggestions(sp.p.s, &any, 0, 0, &sp.p.arena, &s, &n, NULL, &sp.p.err), sp.p.err);
    CHECK_INT((int)n, 6);
    for (size_t i = 0; i < n * n_y; i++) /* 12 faces, of which 5 are prototypes */
        CHECK(s[i / n_y].source_face_id != y[i % n_y].face_id);
    CHECK_OK(ims_people_find_more(sp.p.e, NULL, &few, &sp.p.err), sp.p.err);
    CHECK_INT((int)few.n_suggested, 0);
    CHECK_INT((int)few.n_known, 6);
    CHECK_OK(ims_people_find_more(sp.p.e, NULL, &all, &sp.p.err), sp.p.err);
    CHECK_INT((int)all.n_used, 12);
    serving_people_close(&sp);
}

TEST(suggestions_expire, "what nobody answered for as long as is set expires while the server runs")
{
    bool is_over = false;

    if (!open_people(true, false))
        return;
    CHECK(library_sql(&sp.p.l, "UPDATE face_suggestions SET created_us = created_us - 31 * 86400000000 WHERE id <= 2"));
    serving_stop(&sp.s, SIGTERM);
    CHECK(serving_people_start(&sp, true));
    for (struct test_wait w = { 0 }; !is_over && test_waits(&w);) {
        ims_json *o = serving_json(&sp.s, "GET", S "/stats", NULL, 200);

        is_over = ims__json_int(ims__json_get(o, "expired"), 0) == 2 && ims__json_int(ims__json_get(o, "pending"), 0) == 6;
        ims__json_free(o);
    }
    CHECK(is_over);
    serving_people_close(&sp);
}

TEST_MAIN
