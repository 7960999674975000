/* imgsearch faces detect, stats, find-orphans: the faces of the library.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/progress.h"

#include <stdio.h>

/* ---- detect ---- */

static const struct cli_option detect_options[] = {
    { "missing", 0, NULL, "Only pictures that were not looked at yet (default).", CLI_NO_CFG },
    { "all", 'a', NULL, "Also those that failed before.", CLI_NO_CFG },
    { "redo", 0, NULL, "Every picture again. Faces that are found again keep their name.", CLI_NO_CFG },
    CLI_FACE_OPTIONS,
    { "dry-run", 0, NULL, "Look at the files named, in the library or not, and store nothing.", CLI_NO_CFG },
    { "crops", 0, "DIR", "With --dry-run: write each face upright into DIR.", CLI_NO_CFG },
    { "html", 0, "FILE", "With --dry-run: write a page that shows what was found.", CLI_NO_CFG },
    { "no-thumbnails", 0, NULL, "Do not store small pictures of the faces.", CLI_NO_CFG },
    { "quiet", 'q', NULL, "No progress, no summary.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status read_scope(const struct cli *cli, ims_faces_scope *out, ims_err *err)
{
    bool is_all = cli_has(cli, "all"), is_redo = cli_has(cli, "redo");

    if (is_all + is_redo + cli_has(cli, "missing") > 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "of --missing, --all and --redo only one can be meant");
    *out = is_redo ? IMS_FACES_REDO : is_all ? IMS_FACES_ALL : IMS_FACES_MISSING;
    return IMS_OK;
}

static ims_status run_detect(struct cli *cli, ims_err *err)
{
    struct ims_index_options o = { .dirs = cli->words,
                                   .n_dirs = cli->n_words,
                                   .no_thumbnails = cli_has(cli, "no-thumbnails") };
    struct ims_index_summary summary;
    struct cli_progress progress;
    struct ims_engine *e = NULL;
    ims_faces_scope scope = IMS_FACES_MISSING;
    ims_status st;

    if (cli_has(cli, "dry-run"))
        return cli_look_at_faces(cli, err);
    if (cli_value(cli, "crops") || cli_value(cli, "html"))
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "--crops and --html go with --dry-run");
    st = read_scope(cli, &scope, err);
    if (!st)
        st = cli_open_engine(cli, false, &e, err);
    if (st)
        return st;
    cli_catch_signals();
    cli_start_ingest(cli, &progress, &o);
    st = ims_engine_detect_faces(e, scope, &o, &summary, err);
    st = cli_end_ingest(cli, e, &progress, st, &summary, NULL, err);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_faces_detect = {
    .name = "faces detect",
    .summary = "Look for faces in pictures of the library.",
    .words = "[PATH...]",
    .details = "Indexing looks for faces by itself. This command is for a library that was indexed without, for\n"
               "other face models and for other limits: it takes what the library has below the paths, or all of\n"
               "it, and looks at nothing else. A face that is found again keeps its name; one that has a name stays\n"
               "even when it is not found again.\n"
               "\n"
               "With --dry-run it needs no library: it shows what the face models see in the files that are named.",
    .examples = "imgsearch faces detect\n"
                "imgsearch faces detect --redo --min-face-size 40 ~/Pictures/2023\n"
                "imgsearch faces detect --dry-run --html faces.html party.jpg",
    .options = detect_options,
    .run = run_detect,
};

/* ---- stats ---- */

static const struct cli_option no_options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

static ims_json *stats_json(const struct ims_faces_stats *s)
{
    ims_json *o = ims__json_new_object();

#define COUNT(key, field) (void)ims__json_set(o, key, ims__json_new_int(s->field))
    COUNT("faces", faces);
    COUNT("persons", persons);
    COUNT("clusters", clusters);
    COUNT("unassigned", unassigned);
    COUNT("assigned", assigned);
    COUNT("clustered", clustered);
    COUNT("noise", noise);
    COUNT("unclustered", unclustered);
    COUNT("photos", photos);
    COUNT("done", done);
    COUNT("failed", failed);
    COUNT("queued", queued);
#undef COUNT
    (void)ims__json_set(o, "model", ims__json_new_str(s->model));
    return o;
}

static void print_stats(const struct ims_faces_stats *s)
{
    printf("faces      %lld in %lld photos\n", (long long)s->faces, (long long)s->photos);
    printf("persons    %lld, with %lld faces\n", (long long)s->persons, (long long)s->assigned);
    printf("unnamed    %lld: %lld in %lld clusters, %lld like no other, %lld not clustered yet\n",
           (long long)s->unassigned, (long long)s->clustered, (long long)s->clusters, (long long)s->noise,
           (long long)s->unclustered);
    printf("pictures   %lld looked at, %lld to be, %lld failed\n", (long long)s->done, (long long)s->queued,
           (long long)s->failed);
    printf("model      %s\n", s->model ? s->model : "none has looked for faces here");
}

static ims_status run_stats(struct cli *cli, ims_err *err)
{
    struct ims_faces_stats s;
    struct ims_engine *e = NULL;
    ims_status st = cli_open_engine(cli, true, &e, err);

    if (!st)
        st = ims_engine_faces_stats(e, &s, err);
    if (!st && cli->is_json)
        st = cli_print_json(stats_json(&s), err);
    else if (!st)
        print_stats(&s);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_faces_stats = {
    .name = "faces stats",
    .summary = "Count faces, persons and clusters.",
    .words = "",
    .examples = "imgsearch faces stats\n"
                "imgsearch faces stats --json",
    .options = no_options,
    .run = run_stats,
};

/* ---- find-orphans ---- */

static const struct cli_option orphan_options[] = {
    { "fix", 0, NULL, "Put right what can be, as said above.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_json *orphans_json(const struct ims_face_orphans *f, bool is_fixed)
{
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();

    for (size_t i = 0; i < f->n_listed; i++)
        (void)ims__json_add(list, ims__json_new_int(f->listed[i]));
    (void)ims__json_set(o, "facesOfDeleted", ims__json_new_int(f->gone));
    (void)ims__json_set(o, "namedFacesOfDeleted", ims__json_new_int(f->gone_named));
    (void)ims__json_set(o, "facesWithoutVector", ims__json_new_int(f->without_vector));
    (void)ims__json_set(o, "thumbnailsWithoutFace", ims__json_new_int(f->stray_thumbs));
    (void)ims__json_set(o, "namedFacesNotFound", ims__json_new_int(f->unseen));
    (void)ims__json_set(o, "notFound", list);
    (void)ims__json_set(o, "fixed", ims__json_new_bool(is_fixed));
    return o;
}

static void print_orphans(const struct ims_face_orphans *f, bool is_fixed)
{
    printf("%lld unnamed faces of pictures that are gone%s\n", (long long)f->gone,
           f->gone && is_fixed ? ": forgotten" : "");
    printf("%lld named faces of pictures that are gone%s\n", (long long)f->gone_named,
           f->gone_named ? ": kept, as the pictures may come back" : "");
    printf("%lld faces without a vector%s\n", (long long)f->without_vector,
           f->without_vector && is_fixed ? ": their pictures will be looked at again" : "");
    printf("%lld small pictures of faces that are not in the library%s\n", (long long)f->stray_thumbs,
           f->stray_thumbs && is_fixed ? ": removed" : "");
    printf("%lld named faces that their model did not find when it last looked%s\n", (long long)f->unseen,
           f->unseen ? ": kept, as you named them" : "");
    for (size_t i = 0; i < f->n_listed; i++)
        printf("%s%lld%s", i ? ", " : "  faces ", (long long)f->listed[i],
               i + 1 < f->n_listed           ? ""
               : f->n_listed < (size_t)f->unseen ? ", ...\n"
                                                : "\n");
}

static ims_status run_orphans(struct cli *cli, ims_err *err)
{
    struct ims_face_orphans found;
    struct ims_engine *e = NULL;
    bool is_fixed = cli_has(cli, "fix");
    ims_status st = cli_open_engine(cli, !is_fixed, &e, err);

    if (!st)
        st = ims_engine_face_orphans(e, is_fixed, &found, err);
    if (!st && cli->is_json)
        st = cli_print_json(orphans_json(&found, is_fixed), err);
    else if (!st)
        print_orphans(&found, is_fixed);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_faces_find_orphans = {
    .name = "faces find-orphans",
    .summary = "Find faces whose pictures are gone, and named ones that are not found any more.",
    .words = "",
    .details = "With --fix, unnamed faces of pictures that are gone are forgotten (the named ones stay: a picture may\n"
               "come back), pictures with a face that has no vector are looked at again by the next run, and small\n"
               "pictures of faces that are not in the library are removed. Named faces that the same model did not\n"
               "find when it looked again stay as they are; they are listed here, and `people reject` takes a name away.",
    .examples = "imgsearch faces find-orphans\n"
                "imgsearch faces find-orphans --fix",
    .options = orphan_options,
    .run = run_orphans,
};
