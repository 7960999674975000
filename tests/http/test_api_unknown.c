/* Unknown persons over HTTP: groups are looked for, listed, joined, named and dismissed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include <string.h>

#define U "/api/v1/faces/unknown-persons/"
#define G U "candidates"
#define N_A 6 /* faces 1 to 6: cluster 1 */
#define N_B 5 /* 7 to 11, of the same look: cluster 2 */
#define N_C 5 /* 12 to 16: cluster 3 */

static struct serving_people sp;

/* Three groups and a face, 17, that is in none. */
static bool open_groups(bool is_grouped, bool has_worker)
{
    if (!serving_people_open(&sp) || !people_add_faces(&sp.p, 1, N_A + N_B, 1, 0.05) ||
        !people_add_faces(&sp.p, 50, N_C, 2, 0.05) || !people_add_faces(&sp.p, 90, 1, 3, 0.05))
        return false;
    if (is_grouped && (people_cluster(&sp.p, sp.p.faces, N_A) != 1 || people_cluster(&sp.p, sp.p.faces + N_A, N_B) != 2 ||
                       people_cluster(&sp.p, sp.p.faces + N_A + N_B, N_C) != 3))
        return false;
    return serving_people_start(&sp, has_worker);
}

TEST(unknown_lists, "groups of unknown faces are filtered, sorted and counted, and two that are alike are told")
{
    static const struct serving_request rows[] = {
        { "GET", U "stats", NULL, 200, "{\"totalUnassignedFaces\":17,\"totalClusteredFaces\":16,\"totalNoiseFaces\":0,\"totalUnclusteredFaces\":1,"
          "\"candidateGroups\":3,\"avgGroupSize\":5.33" },
        { "GET", U "stats", NULL, 200, "\"totalDismissedGroups\":0,\"lastDiscoveryAt\":null}" },
        { "GET", G, NULL, 200, "{\"groups\":[{\"groupId\":\"clu_1\",\"membershipHash\":\"" },
        { "GET", G, NULL, 200, "\"totalUnassignedFaces\":17,\"totalNoiseFaces\":0,\"totalGroups\":3,\"totalDismissedGroups\":0,\"page\":1,\"groupsPerPage\":50,"
          "\"facesPerGroup\":6,\"lastDiscoveryAt\":null,\"minGroupSizeSetting\":5,\"minConfidenceSetting\":0.7,\"discoveryMinConfidence\":0.7,"
          "\"filteredByConfidence\":0,\"filteredBySize\":0,\"filteredByDismissed\":0,\"totalBeforeFiltering\":3}" },
        { "GET", G "?groupsPerPage=1&page=2", NULL, 200, "{\"groups\":[{\"groupId\":\"clu_2\"" },
        { "GET", G "?groupsPerPage=1&page=4", NULL, 200, "{\"groups\":[],\"totalUnassignedFaces\":17" },
        { "GET", G "?sortOrder=asc", NULL, 200, "{\"groups\":[{\"groupId\":\"clu_3\"" },
        { "GET", G "?sortBy=quality&groups_per_page=1", NULL, 200, "\"totalGroups\":3" },
        { "GET", G "?sortBy=confidence", NULL, 200, "{\"groups\":[{\"groupId\":\"clu_1\"" },
        { "GET", G "?sortBy=name", NULL, 422, "sortBy" },
        { "GET", G "?minGroupSize=6", NULL, 200, "\"filteredByConfidence\":0,\"filteredBySize\":2,\"filteredByDismissed\":0,\"totalBeforeFiltering\":3" },
        { "GET", G "?minConfidence=0.95", NULL, 200, "\"filteredByConfidence\":3" },
        { "GET", G "?minGroupSize=0", NULL, 422, "minGroupSize" },
        { "GET", G "?facesPerGroup=101", NULL, 422, "facesPerGroup" },
        { "GET", G "/clu_3", NULL, 200, "\"faceCount\":5,\"clusterConfidence\":0.9," },
        { "GET", G "/clu_3", NULL, 200, "{\"faceInstanceId\":\"$F12\",\"assetId\":12,\"qualityScore\":0.89" },
        { "GET", G "/clu_99", NULL, 404, NULL },
        { "GET", G "/group", NULL, 404, NULL },
        { "GET", G "/merge-suggestions", NULL, 200, "{\"suggestions\":[{\"groupAId\":\"clu_1\",\"groupBId\":\"clu_2\",\"similarity\":0.9" },
        { "GET", G "/merge-suggestions", NULL, 200, "\"groupAFaceCount\":6,\"groupBFaceCount\":5}],\"totalGroupsCompared\":3}" },
        { "GET", G "/merge-suggestions?min_similarity=1", NULL, 200, "{\"suggestions\":[],\"totalGroupsCompared\":3}" },
        { "GET", G "/merge-suggestions?min_similarity=0&max_suggestions=2", NULL, 200, "\"groupBId\":\"clu_2\"" },
        { "GET", G "/merge-suggestions?max_suggestions=51", NULL, 422, "max_suggestions" },
    };

    if (!open_groups(true, false))
        return;
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(unknown_changes, "groups are joined, dismissed as they are, and named once")
{
    static const struct serving_request rows[] = {
        { "POST", G "/merge", "{\"groupAId\":\"clu_1\",\"groupBId\":\"clu_1\"}", 400, "itself" },
        { "POST", G "/merge", "{\"groupAId\":\"clu_1\",\"groupBId\":\"clu_99\"}", 404, NULL },
        { "POST", G "/merge", "{\"groupAId\":\"one\",\"groupBId\":\"clu_2\"}", 404, NULL },
        { "POST", G "/merge", "{\"groupAId\":\"clu_1\"}", 422, "groupBId" },
        { "POST", G "/merge", "{\"group_a_id\":\"clu_1\",\"group_b_id\":\"clu_2\"}", 200,
          "{\"mergedGroupId\":\"clu_1\",\"totalFaces\":11,\"facesMoved\":5}" },
        { "GET", G "/clu_2", NULL, 404, NULL },
        { "GET", G, NULL, 200, "\"faceCount\":11," },
        { "POST", G "/clu_99/dismiss", "{}", 404, NULL },
        { "POST", G "/clu_3/dismiss", "{\"reason\":\"passers-by\"}", 200, "\"facesAffected\":5,\"markedAsNoise\":false}" },
        { "GET", G, NULL, 200, "\"filteredByDismissed\":1,\"totalBeforeFiltering\":2" },
        { "GET", G "?include_dismissed=true", NULL, 200, "\"isDismissed\":true,\"dismissedAt\":\"20" },
        { "GET", U "stats", NULL, 200, "\"candidateGroups\":1,\"avgGroupSize\":8.0" },
        { "POST", G "/clu_1/accept", "{}", 400, "either name or personId" },
        { "POST", G "/clu_1/accept", "{\"name\":\"Ann\",\"personId\":\"$P1\"}", 400, NULL },
        { "POST", G "/clu_1/accept", "{\"personId\":\"$P7\"}", 404, NULL },
        { "POST", G "/clu_1/accept", "{\"name\":\"\"}", 422, "name" },
        { "POST", G "/clu_99/accept", "{\"name\":\"Ann\"}", 404, NULL },
        { "POST", G "/clu_1/accept", "{\"name\":\"Ann\",\"membershipHash\":\"old\"}", 409, NULL },
        { "POST", G "/clu_1/accept", "{\"name\":\"Ann\",\"faceIdsToExclude\":[\"$F1\"],\"triggerReclustering\":false}", 200,
          "{\"personId\":\"$P1\",\"personName\":\"Ann\",\"facesAssigned\":10,\"facesExcluded\":1,\"prototypesCreated\":5,\"findMoreJobId\":\"$J1\","
          "\"reclusteringJobId\":null,\"assignmentEventId\":\"" },
        { "GET", "/api/v1/jobs/$J1", NULL, 200, "\"funcName\":\"find_more\"" },
        { "POST", G "/clu_1/accept", "{\"personId\":\"$P1\"}", 200, "\"facesAssigned\":1,\"facesExcluded\":0,\"prototypesCreated\":0,\"findMoreJobId\":\"$J1\","
          "\"reclusteringJobId\":\"00000000-0000-8007-" },
        { "POST", G "/clu_1/accept", "{\"name\":\"Bob\"}", 409, NULL },
        { "POST", G "/clu_3/dismiss", "{\"markAsNoise\":true}", 200, "\"markedAsNoise\":true" },
        { "GET", G "/clu_3", NULL, 404, NULL },
    };

    if (!open_groups(true, false))
        return;
    ASK_PEOPLE(&sp, rows);
    serving_people_close(&sp);
}

TEST(unknown_discovery_D_F29_D_C9, "D-F29, D-C9: groups are found by either method, stay, and say when they were looked for")
{
    static const struct serving_request bad[] = {
        { "POST", U "discover", "{\"clusteringMethod\":\"kmeans\"}", 422, "clusteringMethod" },
        { "POST", U "discover", "{\"minClusterSize\":1}", 422, "minClusterSize" },
        { "POST", U "discover", "{\"maxFaces\":99}", 422, "maxFaces" },
        { "POST", U "discover", "{\"eps\":3}", 422, "eps" },
    };
    static const struct serving_request first[] = {
        { "POST", U "discover", "{\"clusteringMethod\":\"dbscan\",\"min_cluster_size\":5,\"minClusterConfidence\":0.6}", 200,
          "{\"jobId\":\"$J1\",\"status\":\"queued\",\"progressKey\":\"job:$J1:progress\",\"params\":{" },
    };
    static const struct serving_request second[] = {
        { "GET", G, NULL, 200, "\"totalGroups\":2,\"totalDismissedGroups\":0," },
        { "GET", G, NULL, 200, "\"lastDiscoveryAt\":\"20" },
        { "GET", G, NULL, 200, "\"discoveryMinConfidence\":0.6," },
        { "POST", U "discover", NULL, 200, "\"clusteringMethod\":\"hdbscan\"" },
    };
    static const struct serving_request after[] = {
        { "GET", G, NULL, 200, "\"totalGroups\":2," },
        { "GET", U "stats", NULL, 200, "\"totalUnclusteredFaces\":0," },
    };

    if (!open_groups(false, true))
        return;
    ASK_PEOPLE(&sp, bad);
    ASK_PEOPLE(&sp, first);
    serving_people_job_ends(&sp, "job:$J1:progress", "\"totalFaces\":17,\"clustersFound\":2,\"noiseCount\":1");
    ASK_PEOPLE(&sp, second);
    serving_people_job_ends(&sp, "job:$J2:progress", "\"totalFaces\":17,\"clustersFound\":2");
    ASK_PEOPLE(&sp, after);
    serving_people_close(&sp);
}
