/* Curating a person over HTTP: prototypes, centroids, and the settings by which faces are matched.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include <stdio.h>
#include <string.h>

#define P "/api/v1/faces/persons/"
#define C "/api/v1/faces/centroids/persons/"
#define CONFIG "/api/v1/config/"
#define NO_ERAS "\"coverage\":{\"coveredEras\":[],\"missingEras\":[\"infant\",\"child\",\"teen\",\"young_adult\",\"adult\",\"senior\"],\"coveragePercentage\":0.0,"

static struct serving_people sp;

/* A member of the first prototype, as the list has it. */
static const char *first_of(const char *person, const char *key, char *out, size_t size)
{
    char path[100];
    ims_json *o;

    snprintf(path, sizeof(path), P "%s/prototypes", person);
    o = serving_json(&sp.s, "GET", serving_people_text(&sp, path), NULL, 200);
    snprintf(out, size, "%s", ims__json_str(ims__json_get(ims__json_at(ims__json_get(o, "items"), 0), key), NULL));
    ims__json_free(o);
    return out;
}

static bool is_prototype_of(const char *person, const char *face)
{
    char path[100];
    ims_json *o;
    bool is_there = false;

    snprintf(path, sizeof(path), P "%s/prototypes", person);
    o = serving_json(&sp.s, "GET", serving_people_text(&sp, path), NULL, 200);
    for (size_t i = 0; i < ims__json_len(ims__json_get(o, "items")); i++)
        is_there = is_there ||
                   strcmp(ims__json_str(ims__json_get(ims__json_at(ims__json_get(o, "items"), i), "faceInstanceId"), NULL), face) == 0;
    ims__json_free(o);
    return is_there;
}

/* DELETE of a prototype, or of its pin. */
static void delete_of(const char *person, const char *id, const char *what, int status, const char *has)
{
    char path[200];
    struct serving_request r = { .method = "DELETE", .path = path, .status = status, .has = has };

    snprintf(path, sizeof(path), P "%s/prototypes/%s%s", person, id, what);
    serving_people_ask(&sp, &r, 1);
}

TEST(prototypes_D_F4, "D-F4: a person has a few prototypes however many faces it has; they are pinned, unpinned and left out")
{
    static const struct serving_request rows[] = {
        { "GET", P "$P1/prototypes", NULL, 200, NO_ERAS "\"totalPrototypes\":5}" },
        { "GET", P "$P9/prototypes", NULL, 200, "{\"items\":[]," NO_ERAS "\"totalPrototypes\":0}" },
        { "GET", P "me/prototypes", NULL, 422, "person_id" },
        { "GET", P "$P1/temporal-coverage", NULL, 200, "{\"covered_eras\":[],\"missing_eras\":[\"infant\"" },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F12\"}", 400, "name the era" },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F12\",\"ageEraBucket\":\"toddler\"}", 422, "ageEraBucket" },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F12\",\"role\":\"fallback\"}", 422, "role" },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F13\",\"ageEraBucket\":\"teen\"}", 400, "is not person 1" },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F999\",\"ageEraBucket\":\"teen\"}", 404, NULL },
        { "POST", P "$P9/prototypes/pin", "{\"faceInstanceId\":\"$F12\",\"ageEraBucket\":\"teen\"}", 404, "person" },
        { "POST", P "$P1/prototypes/pin", "{}", 422, "faceInstanceId" },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F12\",\"ageEraBucket\":\"teen\",\"note\":\"school\"}", 200,
          "\"role\":\"temporal\",\"ageEraBucket\":\"teen\",\"isPinned\":true" },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F11\",\"ageEraBucket\":\"teen\"}", 400, "unpin it first" },
        { "GET", P "$P1/temporal-coverage", NULL, 200, "{\"covered_eras\":[\"teen\"],\"missing_eras\":[\"infant\",\"child\",\"young_adult\"" },
        { "GET", P "$P1/prototypes", NULL, 200, "\"coveragePercentage\":16.7,\"totalPrototypes\":5" },
        /* half of them by hand, rounded up (D-F31) */
        { "POST", P "$P1/prototypes/pin", "{\"face_instance_id\":\"$F9\",\"role\":\"primary\"}", 200, "\"role\":\"primary\",\"ageEraBucket\":null" },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F8\",\"role\":\"primary\"}", 200, NULL },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F7\",\"role\":\"primary\"}", 200, NULL },
        { "POST", P "$P1/prototypes/pin", "{\"faceInstanceId\":\"$F6\",\"role\":\"primary\"}", 400, "3 faces are pinned already" },
        { "GET", P "$P1/prototypes", NULL, 200, "\"totalPrototypes\":5" },
        { "DELETE", P "$P1/prototypes/$R999/pin", NULL, 404, "prototype" },
        { "DELETE", P "$P1/prototypes/first", NULL, 422, NULL },
    };
    static const struct serving_request again = { "POST", P "$P2/prototypes/recompute", "{}", 200, NULL };
    char id[60], face[60];

    if (!serving_people_open_known(&sp, false, false))
        return;
    ASK_PEOPLE(&sp, rows);
    first_of("$P1", "id", id, sizeof(id)); /* a pinned one */
    delete_of("$P2", id, "/pin", 400, "another person");
    delete_of("$P2", id, "", 400, "another person");
    delete_of("$P1", id, "/pin", 200, "{\"status\":\"unpinned\"}");
    first_of("$P2", "id", id, sizeof(id)); /* Bob has three faces, all of them prototypes */
    first_of("$P2", "faceInstanceId", face, sizeof(face));
    CHECK(is_prototype_of("$P2", face));
    delete_of("$P2", id, "", 200, "{\"status\":\"deleted\"}");
    delete_of("$P2", id, "", 404, NULL);
    CHECK(!is_prototype_of("$P2", face));
    serving_people_ask(&sp, &again, 1); /* not even when they are chosen anew */
    CHECK(!is_prototype_of("$P2", face));
    serving_people_close(&sp);
}

TEST(prototypes_anew_D_F31, "D-F31: prototypes are chosen anew by the quality that is set, with or without what was pinned")
{
    static const struct serving_request rows[] = {
        { "POST", P "$P2/prototypes/pin", "{\"faceInstanceId\":\"$F14\",\"role\":\"primary\"}", 200, NULL },
        { "POST", P "$P2/prototypes/recompute", "{}", 200, "{\"prototypesCreated\":0,\"prototypesRemoved\":0,\"coverage\":{" },
        { "GET", P "$P2/prototypes", NULL, 200, "\"isPinned\":true" },
        { "PUT", CONFIG "face_prototype_min_quality", "{\"value\":0.95}", 200, NULL },
        { "POST", P "$P2/prototypes/recompute", "{\"preserve_pins\":false}", 200, "\"prototypesRemoved\":2" },
        { "GET", P "$P2/prototypes", NULL, 200, "\"role\":\"fallback\"" }, /* one is kept, though none is good enough */
        { "GET", P "$P2/prototypes", NULL, 200, "\"totalPrototypes\":1" },
        { "POST", P "$P9/prototypes/recompute", "{}", 404, NULL },
        { "POST", P "$P2/prototypes/recompute", "{\"triggerRescan\":true}", 200, "\"rescanTriggered\":true,\"rescanMessage\":\"" },
        { "POST", P "$P2/prototypes/recompute", "{\"triggerRescan\":null}", 200, "\"rescanTriggered\":false,\"rescanMessage\":null" },
    };

    if (!serving_people_open_known(&sp, false, true))
        return;
    ASK_PEOPLE(&sp, rows);
    serving_people_job_ends(&sp, "job:$J1:progress", "\"suggestionsCreated\":2");
    serving_people_close(&sp);
}

TEST(centroids_D_F30_D_C8, "D-F30, D-C8: a centroid says whose model it is of, when it is stale, and finds the faces near it")
{
    static const struct serving_request rows[] = {
        { "GET", C "$P1", NULL, 200, "\"centroids\":[],\"isStale\":true,\"staleReason\":\"missing\"" },
        { "GET", C "$P9", NULL, 404, NULL },
        { "GET", C "x", NULL, 422, NULL },
        { "POST", C "$P1/suggestions", "{\"autoRebuild\":false}", 422, "compute it first" },
        { "POST", C "$P1/compute", "{\"min_faces\":13}", 422, "13 are needed" },
        { "POST", C "$P1/compute", "{\"minFaces\":1}", 422, "minFaces" },
        { "POST", C "$P9/compute", "{}", 404, NULL },
        { "POST", C "$P1/compute", "{}", 200, "\"centroids\":[{\"centroidId\":\"$C1\",\"centroidType\":\"global\",\"clusterLabel\":\"global\","
          "\"nFaces\":12,\"modelVersion\":\"faces\",\"centroidVersion\":2," },
        { "POST", C "$P1/compute", NULL, 200, "\"rebuilt\":false,\"staleReason\":null" },
        { "POST", C "$P1/compute", "{\"force_rebuild\":true}", 200, "\"rebuilt\":true,\"staleReason\":\"asked for\"" },
        { "GET", C "$P1", NULL, 200, "\"isStale\":false}],\"isStale\":false,\"staleReason\":null" },
        { "POST", C "$P1/suggestions", "{}", 200, "\"totalFound\":6,\"rebuiltCentroids\":false" },
        { "POST", C "$P1/suggestions", "{}", 200, "\"centroidsUsed\":[\"$C2\"]" },
        { "POST", C "$P1/suggestions", "{}", 200, "\"assetId\":\"" }, /* M9: a text */
        { "POST", C "$P1/suggestions", "{\"max_results\":2}", 200, "\"totalFound\":2" },
        { "POST", C "$P1/suggestions", "{\"minSimilarity\":0.4}", 422, "minSimilarity" },
        { "POST", C "$P9/suggestions", "{}", 404, NULL },
        { "POST", C "$P2/suggestions", "{}", 200, "\"totalFound\":2,\"rebuiltCentroids\":true" },
    };
    static const struct serving_request stale[] = {
        { "GET", C "$P1", NULL, 200, "\"centroids\":[],\"isStale\":true,\"staleReason\":\"the person's faces changed\"" },
        { "GET", C "$P1?include_stale=true", NULL, 200, "\"isStale\":true}],\"isStale\":true" },
        { "POST", C "$P1/suggestions", "{\"autoRebuild\":false}", 200, "\"totalFound\":5,\"rebuiltCentroids\":false" },
        { "POST", C "$P1/suggestions", "{}", 200, "\"totalFound\":5,\"rebuiltCentroids\":true" },
    };
    static const struct serving_request others[] = { /* face 17 is Cleo's by now, and her only prototype */
        { "POST", C "$P1/suggestions", "{\"unassignedOnly\":false}", 200, "\"totalFound\":4," },
        { "POST", C "$P1/suggestions", "{\"unassignedOnly\":false,\"excludePrototypes\":false}", 200, "\"totalFound\":5," },
        { "DELETE", C "$P1", NULL, 200, "\"deletedCount\":3" },
        { "DELETE", C "$P1", NULL, 200, "\"deletedCount\":0" },
        { "DELETE", C "$P9", NULL, 404, NULL },
    };
    struct ims_people_assign ann = { .n = 1, .name = "Ann" }, cleo = { .n = 1, .name = "Cleo" };

    if (!serving_people_open_known(&sp, false, false))
        return;
    ASK_PEOPLE(&sp, rows);
    ann.face_ids = &sp.p.faces[15];
    cleo.face_ids = &sp.p.faces[16];
    CHECK_OK(ims_people_assign(sp.p.e, NULL, &ann, &sp.p.err), sp.p.err);
    ASK_PEOPLE(&sp, stale);
    CHECK_OK(ims_people_assign(sp.p.e, NULL, &cleo, &sp.p.err), sp.p.err);
    ASK_PEOPLE(&sp, others);
    serving_people_close(&sp);
}

TEST(settings_D_O4_D_O5, "D-O4, D-O5: settings are stored, all of a request or none, and the two thresholds keep their order")
{
    static const struct serving_request rows[] = {
        { "GET", CONFIG "face-matching", NULL, 200,
          "{\"auto_assign_threshold\":0.85,\"suggestion_threshold\":0.7,\"max_suggestions\":50,\"suggestion_expiry_days\":30,"
          "\"prototype_min_quality\":0.5,\"prototype_max_exemplars\":5,\"post_training_suggestions_mode\":\"all\","
          "\"post_training_suggestions_top_n_count\":10}" },
        { "PUT", CONFIG "face-matching", "{\"auto_assign_threshold\":0.9}", 422, "suggestion_threshold" },
        { "PUT", CONFIG "face-matching", "{\"auto_assign_threshold\":0.7,\"suggestion_threshold\":0.7}", 400, "less than" },
        { "PUT", CONFIG "face-matching", "{\"auto_assign_threshold\":0.9,\"suggestion_threshold\":0.6,\"max_suggestions\":201}", 422, "max_suggestions" },
        { "PUT", CONFIG "face-matching", "{\"auto_assign_threshold\":0.9,\"suggestion_threshold\":0.6,\"post_training_suggestions_mode\":\"some\"}", 422, NULL },
        { "GET", CONFIG "face-matching", NULL, 200, "{\"auto_assign_threshold\":0.85,\"suggestion_threshold\":0.7,\"max_suggestions\":50" },
        { "PUT", CONFIG "face-matching", "{\"autoAssignThreshold\":0.9,\"suggestion_threshold\":0.6,\"max_suggestions\":60,"
          "\"post_training_suggestions_mode\":\"top_n\",\"post_training_suggestions_top_n_count\":null}", 200, "\"max_suggestions\":60" },
        { "GET", CONFIG "face-matching", NULL, 200, "{\"auto_assign_threshold\":0.9,\"suggestion_threshold\":0.6,\"max_suggestions\":60,"
          "\"suggestion_expiry_days\":30,\"prototype_min_quality\":0.5,\"prototype_max_exemplars\":5,\"post_training_suggestions_mode\":\"top_n\"" },
        { "GET", CONFIG "face-suggestions", NULL, 200, "{\"groupsPerPage\":10,\"itemsPerGroup\":20}" },
        { "PUT", CONFIG "face-suggestions", "{\"groups_per_page\":5}", 422, "itemsPerGroup" },
        { "PUT", CONFIG "face-suggestions", "{\"groups_per_page\":51,\"items_per_group\":7}", 422, "groupsPerPage" },
        { "PUT", CONFIG "face-suggestions", "{\"groups_per_page\":5,\"items_per_group\":7}", 200, "{\"groupsPerPage\":5,\"itemsPerGroup\":7}" },
        { "GET", "/api/v1/faces/suggestions", NULL, 200, "\"groupsPerPage\":5,\"suggestionsPerGroup\":7" },
        { "GET", CONFIG "face-clustering-unknown", NULL, 200, "{\"minConfidence\":0.7,\"minClusterSize\":5}" },
        { "PUT", CONFIG "face-clustering-unknown", "{\"minConfidence\":1.5,\"minClusterSize\":4}", 422, "minConfidence" },
        { "PUT", CONFIG "face-clustering-unknown", "{\"minConfidence\":0.8,\"minClusterSize\":4}", 200, NULL },
        { "GET", CONFIG "face-clustering-unknown", NULL, 200, "{\"minConfidence\":0.8,\"minClusterSize\":4}" },
        { "GET", CONFIG "face_matching", NULL, 200, "{\"key\":\"face_suggestion_groups_per_page\",\"value\":\"5\",\"data_type\":\"int\"" },
        { "GET", CONFIG "face_matching", NULL, 200, "\"allowed_values\":[\"all\",\"top_n\"],\"category\":\"face_matching\"}" },
        { "GET", CONFIG "nothing", NULL, 200, "{\"items\":[],\"category\":\"nothing\"}" },
        { "PUT", CONFIG "nothing", "{\"value\":1}", 400, "no such setting" },
        { "PUT", CONFIG "face_suggestion_max_results", "{\"value\":true}", 400, "type int" },
        { "PUT", CONFIG "face_suggestion_max_results", "{\"value\":2.5}", 400, "type int" },
        { "PUT", CONFIG "face_suggestion_max_results", "{\"value\":0}", 400, "from 1 to 200" },
        { "PUT", CONFIG "face_suggestion_max_results", "{}", 422, "value" },
        { "PUT", CONFIG "face_suggestion_max_results", "{\"value\":70}", 200, "{\"key\":\"face_suggestion_max_results\",\"value\":70,\"updated\":true}" },
        { "PUT", CONFIG "post_training_use_centroids", "{\"value\":1}", 400, "type boolean" },
        { "PUT", CONFIG "post_training_use_centroids", "{\"value\":false}", 200, "\"value\":false" },
        { "PUT", CONFIG "post_training_suggestions_mode", "{\"value\":\"none\"}", 400, "one of: all top_n" },
        { "PUT", CONFIG "face_suggestion_threshold", "{\"value\":0.95}", 400, "less than" },
        { "PUT", CONFIG "face_auto_assign_threshold", "{\"value\":1}", 200, "\"value\":1" },
        { "GET", CONFIG "face-matching", NULL, 200, "{\"auto_assign_threshold\":1.0,\"suggestion_threshold\":0.6,\"max_suggestions\":70" },
    };
    ims_json *o;

    if (!serving_people_open_known(&sp, true, false))
        return;
    ASK_PEOPLE(&sp, rows);
    o = serving_json(&sp.s, "GET", CONFIG "face_matching", NULL, 200);
    CHECK_INT((int)ims__json_len(ims__json_get(o, "items")), 16);
    ims__json_free(o);
    serving_people_close(&sp);
}
