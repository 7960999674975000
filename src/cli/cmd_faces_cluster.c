/* imgsearch faces cluster, dual, split: groups of faces that have no name yet.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "engine/clusters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLUSTER_OPTIONS                                                                                            \
    { "method", 'm', "NAME", "hdbscan (default), dbscan or agglomerative.", CLI_NO_CFG },                           \
    { "min-cluster-size", 0, "N", "Smaller groups are none (default 3).", CLI_NO_CFG },                             \
    { "min-samples", 0, "N", "Neighbours that make a face's surroundings dense (default 3).", CLI_NO_CFG },         \
    { "eps", 0, "X",                                                                                                \
      "Cosine distance, 0 to 2. dbscan: how near neighbours are; agglomerative: mean distance up to which "         \
      "groups join (both default 0.5). hdbscan: groups that split below it stay together (default 0).",             \
      CLI_NO_CFG },                                                                                                 \
    { "min-quality", 0, "Q", "Faces below make no groups, they only join one (default 0.3).", CLI_NO_CFG },         \
    { "merge", 0, "S", "Groups whose faces have this mean cosine become one; 2 = never (default 0.5).",             \
      CLI_NO_CFG },                                                                                                 \
    { "max-memory", 0, "MIB", "Fail rather than use more (default 4096).", CLI_NO_CFG },                            \
    { "anew", 0, NULL, "Compute neighbour lists again even where the stored ones fit.", CLI_NO_CFG },               \
    { "quiet", 'q', NULL, "No progress.", CLI_NO_CFG }

static const struct cli_option cluster_options[] = {
    CLUSTER_OPTIONS,
    { "leaves", 0, NULL, "hdbscan: the smallest groups of the hierarchy.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static const struct cli_option dual_options[] = {
    { "person-threshold", 0, "S", "Least cosine with a person's mean face (default 0.7).", CLI_NO_CFG },
    CLUSTER_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

/* A real number in a range; what was not given is negative. */
static ims_status read_real(const struct cli *cli, const char *name, double max, double *out, ims_err *err)
{
    const char *text = cli_value(cli, name);
    char *end;

    *out = -1;
    if (!text)
        return IMS_OK;
    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= 0 && *out <= max))
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "--%s is a number from 0 to %g, not \"%s\"", name, max, text);
    return IMS_OK;
}

static ims_status read_options(const struct cli *cli, struct ims_clusters_options *o, ims_err *err)
{
    const char *method = cli_value(cli, "method");
    int64_t size = 0, samples = 0, mib = 0;
    ims_status st = IMS_OK;

    if (method && ims_clusters_method_of(method, &o->method, err))
        return ims_fail_in(err, IMS_E_USAGE, "--method");
    st = cli_number(cli, "min-cluster-size", 2, 1000000, 0, &size, err);
    if (!st)
        st = cli_number(cli, "min-samples", 1, 1024, 0, &samples, err);
    if (!st)
        st = cli_number(cli, "max-memory", 1, 1 << 20, 0, &mib, err);
    if (!st)
        st = read_real(cli, "eps", 2, &o->eps, err);
    if (!st)
        st = read_real(cli, "min-quality", 1, &o->min_quality, err);
    if (!st)
        st = read_real(cli, "merge", 2, &o->merge_similarity, err);
    o->person_threshold = -1;
    o->min_cluster_size = (unsigned)size;
    o->min_samples = (unsigned)samples;
    o->max_bytes = (size_t)mib << 20;
    o->is_anew = cli_has(cli, "anew");
    return st;
}

/* --- progress --- */

struct show {
    bool is_drawn, is_quiet;
    int last;
};

static bool show_progress(void *arg, const char *phase, double fraction)
{
    struct show *s = arg;
    int percent = (int)(fraction * 100);

    if (!s->is_quiet && percent != s->last) {
        fprintf(stderr, "\r\033[K%s %d %%", phase, percent);
        fflush(stderr);
        s->is_drawn = true;
        s->last = percent;
    }
    return !cli_is_interrupted();
}

static void end_progress(struct show *s)
{
    if (s->is_drawn)
        fputs("\r\033[K", stderr);
}

/* --- cluster, dual --- */

static ims_json *result_json(const struct ims_clusters_result *r, const char *method, bool is_dual)
{
    ims_json *o = ims__json_new_object();

#define COUNT(key, field) (void)ims__json_set(o, key, ims__json_new_int((int64_t)r->field))
    (void)ims__json_set(o, "method", ims__json_new_str(method));
    COUNT("faces", faces);
    COUNT("clusters", clusters);
    COUNT("clustered", clustered);
    COUNT("noise", noise);
    COUNT("keptClusters", kept);
    COUNT("lowQuality", low_quality);
    if (is_dual) {
        COUNT("assigned", assigned);
        COUNT("persons", persons);
    }
#undef COUNT
    (void)ims__json_set(o, "lists", ims__json_new_str(r->lists));
    (void)ims__json_set(o, "seconds", ims__json_new_num(r->seconds));
    return o;
}

static void print_result(const struct ims_clusters_result *r, const char *method, bool is_dual)
{
    if (r->faces == 0) {
        puts("There is no face without a name to group.");
        return;
    }
    if (is_dual)
        printf("named      %zu faces, compared with %zu persons\n", r->assigned, r->persons);
    printf("clusters   %zu with %zu faces, %zu of them with the number they had\n", r->clusters, r->clustered, r->kept);
    printf("noise      %zu faces like no other\n", r->noise);
    if (r->low_quality)
        printf("quality    %zu faces below the limit could only join\n", r->low_quality);
    printf("method     %s, %.2f s, neighbour lists %s\n", method, r->seconds, r->lists);
}

static ims_status run_any(struct cli *cli, bool is_dual, struct ims_clusters_options *o, ims_err *err)
{
    struct show show = { .is_quiet = cli_has(cli, "quiet") || !cli_is_terminal(STDERR_FILENO), .last = -1 };
    struct ims_clusters_result r;
    struct ims_engine *e = NULL;
    const char *method = ims_clusters_method_name(o->method);
    ims_status st = cli_open_engine(cli, false, &e, err);

    if (st)
        return st;
    o->on_progress = show_progress;
    o->arg = &show;
    cli_catch_signals();
    st = is_dual ? ims_engine_cluster_dual(e, o, &r, err) : ims_engine_cluster_faces(e, o, &r, err);
    end_progress(&show);
    if (!st && cli->is_json)
        st = cli_print_json(result_json(&r, method, is_dual), err);
    else if (!st)
        print_result(&r, method, is_dual);
    ims_engine_close(e);
    return st;
}

static ims_status run_cluster(struct cli *cli, ims_err *err)
{
    struct ims_clusters_options o = { 0 };
    ims_status st = read_options(cli, &o, err);

    o.use_leaves = cli_has(cli, "leaves");
    return st ? st : run_any(cli, false, &o, err);
}

static ims_status run_dual(struct cli *cli, ims_err *err)
{
    struct ims_clusters_options o = { 0 };
    ims_status st = read_options(cli, &o, err);

    if (!st)
        st = read_real(cli, "person-threshold", 1, &o.person_threshold, err);
    return st ? st : run_any(cli, true, &o, err);
}

const struct cli_command cli_cmd_faces_cluster = {
    .name = "faces cluster",
    .summary = "Group the faces that have no name.",
    .words = "",
    .details = "Faces that look alike become a cluster; faces like no other are noise. Named faces are left alone. Two\n"
               "faces of one photo are never in one cluster. The same faces give the same clusters, and a cluster keeps\n"
               "its number as long as it shares more faces with its earlier self than with any other. The neighbours of\n"
               "each face are stored, so other settings, and a few new faces, take a moment.",
    .examples = "imgsearch faces cluster\n"
                "imgsearch faces cluster --min-cluster-size 5 --json\n"
                "imgsearch faces cluster --method dbscan --eps 0.4",
    .options = cluster_options,
    .run = run_cluster,
};

const struct cli_command cli_cmd_faces_dual = {
    .name = "faces dual",
    .summary = "Give faces to known persons, then group the rest.",
    .words = "",
    .details = "A face goes to the person whose mean face is nearest, from a threshold on: never twice in a photo, and\n"
               "never to a person that was rejected for it. That is one event, which `imgsearch people undo` takes back.\n"
               "The other faces are grouped as by `imgsearch faces cluster`.",
    .examples = "imgsearch faces dual\n"
                "imgsearch faces dual --person-threshold 0.6",
    .options = dual_options,
    .run = run_dual,
};

/* --- split --- */

static const struct cli_option split_options[] = {
    { "min-cluster-size", 0, "N", "The parts have at least so many faces (default 3).", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status print_parts(const struct cli *cli, int64_t cluster, const int64_t *ids, size_t n, ims_err *err)
{
    ims_json *o, *list;

    if (!cli->is_json) {
        if (n == 0)
            printf("Cluster %lld holds together: nothing was changed.\n", (long long)cluster);
        for (size_t i = 0; i < n; i++)
            printf("%s%lld%s", i ? ", " : "New clusters: ", (long long)ids[i], i + 1 == n ? "\n" : "");
        return IMS_OK;
    }
    o = ims__json_new_object();
    list = ims__json_new_array();
    for (size_t i = 0; i < n; i++)
        (void)ims__json_add(list, ims__json_new_int(ids[i]));
    (void)ims__json_set(o, "originalClusterId", ims__json_new_int(cluster));
    (void)ims__json_set(o, "newClusters", list);
    return cli_print_json(o, err);
}

static ims_status run_split(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    int64_t *ids = NULL, size = 0, cluster;
    size_t n = 0;
    char *end = NULL;
    ims_status st = cli_number(cli, "min-cluster-size", 2, 1000000, 0, &size, err);

    if (st)
        return st;
    cluster = cli->n_words == 1 ? strtoll(cli->words[0], &end, 10) : 0;
    if (cli->n_words != 1 || *end || cluster <= 0)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "give the number of one cluster");
    st = cli_open_engine(cli, false, &e, err);
    if (!st)
        st = ims_engine_split_cluster(e, cluster, (unsigned)size, &ids, &n, err);
    if (!st)
        st = print_parts(cli, cluster, ids, n, err);
    ims_engine_free(ids);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_faces_split = {
    .name = "faces split",
    .summary = "Split a cluster of faces.",
    .words = "CLUSTER",
    .details = "Looks for denser groups within the cluster. They become clusters of their own; faces that belong to none\n"
               "of them stay. A cluster that holds together is not changed.",
    .examples = "imgsearch faces split 12\n"
                "imgsearch faces split 12 --min-cluster-size 5",
    .options = split_options,
    .run = run_split,
};
