/* imgsearch show: all that is known of one picture.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

/* Text that holds JSON, as JSON; null when there is none. */
static ims_json *embedded_json(const char *text)
{
    ims_json *v = NULL;

    if (!text || ims__json_parse(&v, text, strlen(text), "stored JSON", NULL))
        return ims__json_new_null();
    return v;
}

static ims_json *work_json(const struct ims_asset_work *w)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "task", ims__json_new_str(w->task));
    (void)ims__json_set(o, "state", ims__json_new_str(w->state));
    (void)ims__json_set(o, "reason", ims__json_new_str(w->reason));
    (void)ims__json_set(o, "detail", ims__json_new_str(w->detail));
    (void)ims__json_set(o, "attempts", ims__json_new_int(w->attempts));
    (void)ims__json_set(o, "updatedAt", cli_time_json(w->updated_us));
    return o;
}

static ims_json *evidence_json(const struct ims_asset_evidence *v)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "task", ims__json_new_str(v->task));
    (void)ims__json_set(o, "model", ims__json_new_str(v->model));
    (void)ims__json_set(o, "device", ims__json_new_str(v->device));
    (void)ims__json_set(o, "provider", ims__json_new_str(v->provider));
    (void)ims__json_set(o, "runtime", ims__json_new_str(v->runtime));
    (void)ims__json_set(o, "dimension", ims__json_new_int(v->dim));
    (void)ims__json_set(o, "norm", ims__json_new_num(v->norm));
    (void)ims__json_set(o, "checksum", ims__json_new_str(v->checksum));
    (void)ims__json_set(o, "error", ims__json_new_str(v->error));
    (void)ims__json_set(o, "embedding_ms", ims__json_new_num(v->embedding_ms));
    (void)ims__json_set(o, "total_ms", ims__json_new_num(v->total_ms));
    (void)ims__json_set(o, "metadata", embedded_json(v->metadata_json));
    (void)ims__json_set(o, "createdAt", cli_time_json(v->created_us));
    return o;
}

static ims_json *face_json(const struct ims_asset_face *f)
{
    ims_json *o = ims__json_new_object(), *box = ims__json_new_object();

    (void)ims__json_set(box, "x", ims__json_new_int(f->x));
    (void)ims__json_set(box, "y", ims__json_new_int(f->y));
    (void)ims__json_set(box, "w", ims__json_new_int(f->w));
    (void)ims__json_set(box, "h", ims__json_new_int(f->h));
    (void)ims__json_set(o, "id", ims__json_new_int(f->id));
    (void)ims__json_set(o, "bbox", box);
    (void)ims__json_set(o, "score", ims__json_new_num(f->score));
    (void)ims__json_set(o, "quality", ims__json_new_num(f->quality));
    (void)ims__json_set(o, "age", f->has_age ? ims__json_new_num(f->age) : ims__json_new_null());
    (void)ims__json_set(o, "clusterId", f->cluster_id ? ims__json_new_int(f->cluster_id) : ims__json_new_null());
    (void)ims__json_set(o, "personId", f->person_id ? ims__json_new_int(f->person_id) : ims__json_new_null());
    (void)ims__json_set(o, "person", ims__json_new_str(f->person));
    return o;
}

static ims_json *story_json(const struct ims_asset_story *s)
{
    ims_json *o = cli_asset_json(&s->asset), *work = ims__json_new_array(), *evidence = ims__json_new_array();
    ims_json *faces = ims__json_new_array();

    for (size_t i = 0; i < s->n_work; i++)
        (void)ims__json_add(work, work_json(&s->work[i]));
    for (size_t i = 0; i < s->n_evidence; i++)
        (void)ims__json_add(evidence, evidence_json(&s->evidence[i]));
    for (size_t i = 0; i < s->n_faces; i++)
        (void)ims__json_add(faces, face_json(&s->faces[i]));
    (void)ims__json_set(o, "exif", embedded_json(s->asset.exif_json));
    (void)ims__json_set(o, "note", ims__json_new_str(s->asset.note));
    (void)ims__json_set(o, "work", work);
    (void)ims__json_set(o, "evidence", evidence);
    (void)ims__json_set(o, "faces", faces);
    return o;
}

static void print_time(const char *label, int64_t us)
{
    char text[40];

    ims__format_utc(us, text, sizeof(text));
    printf("%-10s %s\n", label, text);
}

static void print_asset(const struct ims_asset *a)
{
    printf("%-10s %lld\n%-10s ", "id", (long long)a->id, "path");
    cli_print_path(a->path);
    printf("%s\n", a->is_deleted ? "  (the file is gone)" : "");
    if (a->mime)
        printf("%-10s %s, %d x %d, %lld bytes\n", "picture", a->mime, a->width, a->height, (long long)a->size_bytes);
    if (a->has_taken_at)
        print_time("taken", a->taken_at_us);
    if (a->camera_make || a->camera_model)
        printf("%-10s %s %s\n", "camera", a->camera_make ? a->camera_make : "", a->camera_model ? a->camera_model : "");
    if (a->has_gps)
        printf("%-10s %.6f, %.6f\n", "place", a->gps_lat, a->gps_lng);
    if (a->sha256[0])
        printf("%-10s %s\n", "sha256", a->sha256);
    if (a->phash[0])
        printf("%-10s %s\n", "phash", a->phash);
    if (a->note && a->note[0])
        printf("%-10s %s\n", "note", a->note);
}

static void print_faces(const struct ims_asset_story *s)
{
    for (size_t i = 0; i < s->n_faces; i++) {
        const struct ims_asset_face *f = &s->faces[i];

        printf("%-10s %lld at %d,%d of %d x %d, score %.2f, quality %.2f", "face", (long long)f->id, f->x, f->y, f->w,
               f->h, f->score, f->quality);
        if (f->has_age)
            printf(", about %.0f years", f->age);
        if (f->person)
            printf(": %s", f->person);
        printf("\n");
    }
}

static void print_story(const struct ims_asset_story *s)
{
    print_asset(&s->asset);
    print_faces(s);
    for (size_t i = 0; i < s->n_work; i++) {
        const struct ims_asset_work *w = &s->work[i];

        printf("%-10s %s", w->task, w->state);
        if (w->reason)
            printf(": %s, %s", w->reason, w->detail ? w->detail : "");
        printf("\n");
    }
    for (size_t i = 0; i < s->n_evidence; i++) {
        const struct ims_asset_evidence *v = &s->evidence[i];

        printf("%-10s %s, ", strcmp(v->task, "faces") == 0 ? "looked at" : "vector", v->model);
        if (v->dim)
            printf("%d dimensions, ", v->dim);
        printf("on %s (%s, %s), %.1f ms\n", v->device, v->provider, v->runtime, v->embedding_ms);
    }
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_asset_story story;
    struct ims_engine *e = NULL;
    ims_status st;

    if (cli->n_words != 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name one picture: a file, or the id of an asset");
    st = cli_open_engine(cli, true, &e, err);
    if (!st)
        st = ims_engine_show(e, cli_asset_id(cli->words[0]), cli->words[0], &story, err);
    if (!st && cli->is_json)
        st = cli_print_json(story_json(&story), err);
    else if (!st)
        print_story(&story);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_show = {
    .name = "show",
    .summary = "Show what is known of one picture.",
    .words = "FILE|ID",
    .examples = "imgsearch show holiday.jpg\n"
                "imgsearch show --json 1234",
    .options = options,
    .run = run,
};
