/* imgsearch faces detect --dry-run: what the face models see in files, and nothing stored.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const char *const point_names[] = { "left_eye", "right_eye", "nose", "mouth_left", "mouth_right" };

struct looking {
    struct cli *cli;
    struct ims_engine *e;
    const char *crops_dir, *html_path;
    size_t number; /* of the file at hand, from 1 */
    ims_json *list;
    struct ims_buf page;
};

/* ---- crops ---- */

/* DIR/NAME-K.jpg in a new string: the picture's name without its folder, the face's number from 1. Of several
 * pictures, whose names may be equal, the number stands in front. */
static char *crop_path(const struct looking *l, const char *picture, size_t k)
{
    const char *base = ims__path_base(picture);

    if (l->cli->n_words > 1)
        return ims__strfmt("%s/%zu-%s-%zu.jpg", l->crops_dir, l->number, base, k + 1);
    return ims__strfmt("%s/%s-%zu.jpg", l->crops_dir, base, k + 1);
}

static ims_status write_crops(const struct looking *l, const char *picture,
                              const struct ims_seen_faces *s, ims_err *err)
{
    ims_status st = ims__mkdir_p(l->crops_dir, err);

    for (size_t i = 0; !st && i < s->n; i++) {
        char *path;

        if (!s->faces[i].crop_jpeg)
            continue;
        path = crop_path(l, picture, i);
        st = path ? ims__write_derived(path, s->faces[i].crop_jpeg, s->faces[i].crop_bytes, err)
                  : ims_fail(err, IMS_E_NOMEM, "cli", 0, "writing the faces of %s", picture);
        ims__free(path);
    }
    return st;
}

/* ---- JSON ---- */

static ims_json *pair(double x, double y)
{
    ims_json *p = ims__json_new_array();

    (void)ims__json_add(p, ims__json_new_num(x));
    (void)ims__json_add(p, ims__json_new_num(y));
    return p;
}

static ims_json *face_json(const struct looking *l, const char *picture, const struct ims_seen_face *f,
                           size_t k)
{
    ims_json *o = ims__json_new_object(), *box = ims__json_new_object(), *part;

    (void)ims__json_set(box, "x", ims__json_new_num(f->x));
    (void)ims__json_set(box, "y", ims__json_new_num(f->y));
    (void)ims__json_set(box, "width", ims__json_new_num(f->width));
    (void)ims__json_set(box, "height", ims__json_new_num(f->height));
    (void)ims__json_set(o, "box", box);
    (void)ims__json_set(o, "score", ims__json_new_num(f->score));
    (void)ims__json_set(o, "quality", ims__json_new_num(f->quality));
    (void)ims__json_set(o, "usable", ims__json_new_bool(f->is_usable));
    part = f->has_points ? ims__json_new_object() : ims__json_new_null();
    for (size_t i = 0; f->has_points && i < IMS_ARRAY_LEN(point_names); i++)
        (void)ims__json_set(part, point_names[i], pair(f->points[i][0], f->points[i][1]));
    (void)ims__json_set(o, "landmarks", part);
    if (f->has_age) {
        (void)ims__json_set(o, "gender", ims__json_new_str(f->is_male ? "male" : "female"));
        (void)ims__json_set(o, "age", ims__json_new_int(f->age));
    }
    if (f->has_pose) {
        part = ims__json_new_object();
        (void)ims__json_set(part, "pitch", ims__json_new_num(f->pitch));
        (void)ims__json_set(part, "yaw", ims__json_new_num(f->yaw));
        (void)ims__json_set(part, "roll", ims__json_new_num(f->roll));
        (void)ims__json_set(o, "pose", part);
    }
    if (l->crops_dir && f->crop_jpeg) {
        char *path = crop_path(l, picture, k);

        (void)ims__json_set(o, "crop", path ? cli_path_json(path) : ims__json_new_null());
        ims__free(path);
    }
    return o;
}

static void add_json(struct looking *l, const char *picture, const struct ims_seen_faces *s)
{
    ims_json *o = ims__json_new_object(), *faces = ims__json_new_array();

    for (size_t i = 0; i < s->n; i++)
        (void)ims__json_add(faces, face_json(l, picture, &s->faces[i], i));
    (void)ims__json_set(o, "path", cli_path_json(picture));
    (void)ims__json_set(o, "width", ims__json_new_int(s->width));
    (void)ims__json_set(o, "height", ims__json_new_int(s->height));
    (void)ims__json_set(o, "model", ims__json_new_str(s->model));
    (void)ims__json_set(o, "device", ims__json_new_str(s->device));
    (void)ims__json_set(o, "decodeMs", ims__json_new_num(s->decode_ms));
    (void)ims__json_set(o, "detectMs", ims__json_new_num(s->detect_ms));
    (void)ims__json_set(o, "faces", faces);
    (void)ims__json_add(l->list, o);
}

/* ---- a page ---- */

static void add_page(struct looking *l, const char *picture, const struct ims_seen_faces *s)
{
    struct ims_buf *b = &l->page;

    (void)ims__buf_add_str(b, "<h2>");
    cli_html_text(b, picture);
    (void)ims__buf_addf(b, "</h2>\n<p>%d &times; %d pixels, %zu faces, model ", s->width, s->height, s->n);
    cli_html_text(b, s->model);
    (void)ims__buf_addf(b,
                        "</p>\n<svg viewBox=\"0 0 %d %d\" style=\"max-width:100%%;max-height:90vh\"><image "
                        "width=\"%d\" height=\"%d\" href=\"",
                        s->width, s->height, s->width, s->height);
    cli_html_jpeg(b, s->picture_jpeg, s->picture_bytes);
    (void)ims__buf_add_str(b, "\"/>\n<g fill=\"none\" stroke=\"#0c6\" stroke-width=\"2\">\n");
    for (size_t i = 0; i < s->n; i++) {
        const struct ims_seen_face *f = &s->faces[i];

        (void)ims__buf_addf(b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", f->x, f->y,
                            f->width, f->height);
        for (size_t k = 0; f->has_points && k < IMS_ARRAY_LEN(point_names); k++)
            (void)ims__buf_addf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", f->points[k][0],
                                f->points[k][1], f->width / 40 + 0.5);
        (void)ims__buf_add_char(b, '\n');
    }
    (void)ims__buf_add_str(b, "</g></svg>\n<main>\n");
    for (size_t i = 0; i < s->n; i++) {
        const struct ims_seen_face *f = &s->faces[i];

        (void)ims__buf_add_str(b, "<figure>");
        if (f->crop_jpeg) {
            (void)ims__buf_add_str(b, "<img alt=\"\" src=\"");
            cli_html_jpeg(b, f->crop_jpeg, f->crop_bytes);
            (void)ims__buf_add_str(b, "\">");
        } else {
            (void)ims__buf_add_str(b, "<div class=\"none\"></div>");
        }
        (void)ims__buf_addf(b, "<figcaption><b>%zu</b> score %.2f, quality %.2f", i + 1, f->score, f->quality);
        if (f->has_age)
            (void)ims__buf_addf(b, ", %s, %d", f->is_male ? "male" : "female", f->age);
        (void)ims__buf_add_str(b, "</figcaption></figure>\n");
    }
    (void)ims__buf_add_str(b, "</main>\n");
}

/* ---- text ---- */

static void print_faces(const char *picture, const struct ims_seen_faces *s)
{
    cli_print_path(picture);
    printf("  %d x %d, %zu face%s (%s%s, %s, %.0f ms)\n", s->width, s->height, s->n, s->n == 1 ? "" : "s",
           s->model, s->is_demo ? ", which knows drawn people only" : "", s->device, s->detect_ms);
    for (size_t i = 0; i < s->n; i++) {
        const struct ims_seen_face *f = &s->faces[i];

        printf("  %3zu  score %.3f  quality %.2f  %.0f x %.0f at %.0f, %.0f", i + 1, f->score, f->quality,
               f->width, f->height, f->x, f->y);
        if (f->has_age)
            printf("  %s, %d", f->is_male ? "male" : "female", f->age);
        if (f->has_pose)
            printf("  turned %.0f, tilted %.0f, leaning %.0f", f->yaw, f->pitch, f->roll);
        printf("%s\n", f->is_usable ? "" : "  (its points are of no use: it cannot be recognised)");
    }
}

static ims_status look_at(struct looking *l, const char *picture, ims_err *err)
{
    const struct ims_faces_look_options o = { .with_pictures = l->crops_dir || l->html_path };
    struct ims_seen_faces s = { .faces = NULL };
    ims_status st = ims_engine_look_at_faces(l->e, picture, &o, &s, err);

    if (st)
        return st;
    if (l->crops_dir)
        st = write_crops(l, picture, &s, err);
    if (!st && l->html_path)
        add_page(l, picture, &s);
    if (!st && l->cli->is_json)
        add_json(l, picture, &s);
    else if (!st)
        print_faces(picture, &s);
    ims_seen_faces_release(&s);
    return st;
}

/* A file that cannot be looked at does not keep the others from it. */
static ims_status look_at_all(struct looking *l, ims_err *err)
{
    ims_status first = IMS_OK;

    for (size_t i = 0; i < l->cli->n_words && !cli_is_interrupted(); i++) {
        ims_err why;
        ims_status st;

        l->number = i + 1;
        st = look_at(l, l->cli->words[i], &why);
        if (!st)
            continue;
        if (first)
            fprintf(stderr, "imgsearch: %s\n", why.text);
        else if (err)
            *err = why;
        first = first ? first : st;
        if (st == IMS_E_MODEL || st == IMS_E_RUNTIME || st == IMS_E_DEVICE || st == IMS_E_CONFIG)
            break; /* it will not be better with the next */
    }
    return first;
}

ims_status cli_look_at_faces(struct cli *cli, ims_err *err)
{
    struct looking l = { .cli = cli,
                         .crops_dir = cli_value(cli, "crops"),
                         .html_path = cli_value(cli, "html"),
                         .list = ims__json_new_array() };
    ims_status st, looked;

    ims__buf_init(&l.page, IMS_GIB);
    if (cli->n_words == 0)
        st = ims_fail(err, IMS_E_USAGE, "cli", 0, "--dry-run looks at files: name one or more");
    else
        st = cli_open_bare_engine(cli, &l.e, err);
    if (st)
        goto out;
    cli_catch_signals();
    if (l.html_path) {
        cli_html_start(&l.page, "Faces");
        (void)ims__buf_add_str(&l.page, "<style>svg *{vector-effect:non-scaling-stroke}</style>\n");
    }
    looked = look_at_all(&l, err);
    st = l.html_path ? cli_html_write(&l.page, l.html_path, looked ? NULL : err) : IMS_OK;
    if (cli->is_json) {
        ims_status printed = cli_print_json(l.list, looked || st ? NULL : err);

        l.list = NULL;
        st = st ? st : printed;
    }
    st = looked ? looked : st;
out:
    ims__json_free(l.list);
    ims__buf_release(&l.page);
    ims_engine_close(l.e);
    return st;
}
