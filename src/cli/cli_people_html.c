/* A page with each person's faces: one HTML file with the pictures inside.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "cli/cli_people.h"

#define MAX_FACES_SHOWN 24 /* of a person or cluster, best first */

/* A face whose picture cannot be had leaves an empty frame, not a hole in the list. */
static void add_face(struct ims_engine *e, struct ims_buf *b, const struct ims_store_face *f)
{
    uint8_t *jpeg = NULL;
    size_t n = 0;

    (void)ims__buf_add_str(b, "<figure>");
    if (ims_engine_face_thumbnail(e, f->id, &jpeg, &n, NULL) == IMS_OK) {
        (void)ims__buf_add_str(b, "<img alt=\"\" src=\"");
        cli_html_jpeg(b, jpeg, n);
        (void)ims__buf_add_str(b, "\">");
    } else {
        (void)ims__buf_add_str(b, "<div class=\"none\"></div>");
    }
    ims_engine_free(jpeg);
    (void)ims__buf_addf(b, "<figcaption><b>%lld</b> ", (long long)f->id);
    cli_html_text(b, f->path ? f->path : "");
    (void)ims__buf_add_str(b, "</figcaption></figure>\n");
}

/* The best faces that pass the filter, in a grid. */
static ims_status add_faces(struct ims_engine *e, struct ims_buf *b, const struct ims_store_face_filter *filter,
                            ims_err *err)
{
    struct ims_store_face *faces = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_faces(ims_people_store(e), filter, IMS_STORE_FACES_BY_QUALITY, 0, MAX_FACES_SHOWN, &arena, &faces, &n,
                         NULL, err);
    (void)ims__buf_add_str(b, "<main>\n");
    for (size_t i = 0; !st && i < n; i++)
        add_face(e, b, &faces[i]);
    (void)ims__buf_add_str(b, "</main>\n");
    ims__arena_release(&arena);
    return st;
}

static ims_status add_person(struct ims_engine *e, struct ims_buf *b, const struct ims_store_person *p, ims_err *err)
{
    struct ims_store_face_filter filter = { .person_id = p->id };
    ims_status st = ims_people_model(e, &filter.model_id, err);

    (void)ims__buf_add_str(b, "<h2>");
    cli_html_text(b, p->name);
    (void)ims__buf_addf(b, "</h2>\n<p>%lld faces in %lld photos</p>\n", (long long)p->n_faces, (long long)p->n_photos);
    return st ? st : add_faces(e, b, &filter, err);
}

/* A group without a name, and how to give it one. */
static ims_status add_cluster(struct ims_engine *e, struct ims_buf *b, const struct ims_store_cluster *c, ims_err *err)
{
    struct ims_store_face_filter filter = { .model_id = c->model_id,
                                            .cluster_id = c->id,
                                            .who = IMS_STORE_FACE_UNASSIGNED };

    (void)ims__buf_addf(b, "<h2>Cluster %lld</h2>\n<p>%lld faces. <code>imgsearch people name --cluster %lld NAME</code></p>\n",
                        (long long)c->id, (long long)c->n_faces, (long long)c->id);
    return add_faces(e, b, &filter, err);
}

ims_status cli_write_people_html(struct ims_engine *e, const struct ims_store_person *persons, size_t n,
                                 const struct ims_store_cluster *clusters, size_t n_clusters, const char *path,
                                 ims_err *err)
{
    struct ims_buf b;
    ims_status st = IMS_OK;

    ims__buf_init(&b, IMS_GIB);
    cli_html_start(&b, "People");
    for (size_t i = 0; !st && i < n; i++)
        st = add_person(e, &b, &persons[i], err);
    for (size_t i = 0; !st && i < n_clusters; i++)
        st = add_cluster(e, &b, &clusters[i], err);
    if (!st)
        st = cli_html_write(&b, path, err);
    ims__buf_release(&b);
    return st;
}
