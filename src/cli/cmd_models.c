/* imgsearch models list: the models on this machine.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "models/face/face_pack.h"
#include "models/install.h"
#include "models/clip/clip.h"
#include "models/pack.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    { "available", 'a', NULL, "List those that `models pull` knows instead.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

/* ---- those that are known ---- */

static ims_json *row_json(const struct ims_registry_row *row)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "name", ims__json_new_str(row->name));
    (void)ims__json_set(o, "kind",
                        ims__json_new_str(row->kind == IMS_MODEL_FACES ? "faces" : "clip"));
    (void)ims__json_set(o, "about", ims__json_new_str(row->about));
    (void)ims__json_set(o, "source", ims__json_new_str(row->repo));
    (void)ims__json_set(o, "licence", ims__json_new_str(row->licence));
    (void)ims__json_set(o, "terms", ims__json_new_str(row->terms));
    (void)ims__json_set(o, "dim", ims__json_new_int(row->dim));
    (void)ims__json_set(o, "image_px", ims__json_new_int(row->image_px));
    (void)ims__json_set(o, "size_mb", ims__json_new_int(row->size_mb));
    return o;
}

static ims_status list_available(struct cli *cli, ims_err *err)
{
    size_t n;
    const struct ims_registry_row *rows = ims_registry_rows(&n);
    ims_json *list = cli->is_json ? ims__json_new_array() : NULL;

    for (size_t i = 0; i < n; i++) {
        if (list)
            (void)ims__json_add(list, row_json(&rows[i]));
        else
            printf("%-36s %5u MB  %4u  %4u px  %-11.11s  %s%s\n", rows[i].name, rows[i].size_mb,
                   rows[i].dim, rows[i].image_px, rows[i].licence, rows[i].about,
                   rows[i].terms ? " (non-commercial)" : "");
    }
    return list ? cli_print_json(list, err) : IMS_OK;
}

/* ---- those that are here ---- */

/* Face models are no CLIP model, and none the worse for it. NULL when it is none of either. */
static struct ims_face_pack *open_faces(const struct ims_pack_entry *entry)
{
    struct ims_face_pack *faces = NULL;

    return !entry->pack && ims_face_pack_open(&faces, entry->dir, NULL) == IMS_OK ? faces : NULL;
}

/* How many vectors the library has of which model. */
struct counts {
    ims_json *by_digest;
};

static void on_stored(void *arg, const char *name, const char *digest, int64_t n_vectors)
{
    struct counts *c = arg;

    (void)name;
    (void)ims__json_set(c->by_digest, digest, ims__json_new_int(n_vectors));
}

static int64_t vectors_of(const struct counts *c, const struct ims_pack_entry *entry)
{
    return entry->pack ? ims__json_int(ims__json_get(c->by_digest, entry->pack->digest), 0) : 0;
}

/* The library says which model serves it; without one there is still the rule for models alone. */
static ims_status open_library(struct cli *cli, struct ims_engine **out, struct counts *c,
                               ims_err *err)
{
    ims_err why;
    ims_status st = cli_open_engine(cli, true, out, &why);

    if (st == IMS_E_NOT_FOUND)
        return cli_open_bare_engine(cli, out, err);
    if (!st)
        return ims_engine_stored_models(*out, on_stored, c, err);
    if (err)
        *err = why;
    return st;
}

/* Vectors of the pack in another precision than fp32; *out_name: what they are called. */
static int64_t rounded_vectors(const struct counts *c, const struct ims_pack_entry *entry, ims_precision p,
                               struct ims_clip_space *out)
{
    if (!entry->pack || ims_clip_space(entry->pack, p, out, NULL))
        return 0;
    return ims__json_int(ims__json_get(c->by_digest, out->digest), 0);
}

/* The same model in other precisions, where the library has vectors of it or it serves so. */
static void print_rounded(const struct counts *c, const struct ims_pack_entry *entry, const char *serving)
{
    for (int p = IMS_PRECISION_FP16; p < IMS_N_PRECISIONS; p++) {
        struct ims_clip_space space = { .name = "" };
        int64_t n = rounded_vectors(c, entry, (ims_precision)p, &space);
        bool serves = serving && strcmp(serving, space.name) == 0;

        if (n || serves)
            printf("%s %-32s              %7lld vectors\n", serves ? "*" : " ", space.name, (long long)n);
    }
}

static ims_json *rounded_json(const struct counts *c, const struct ims_pack_entry *entry)
{
    ims_json *o = ims__json_new_object();

    for (int p = IMS_PRECISION_FP16; p < IMS_N_PRECISIONS; p++) {
        struct ims_clip_space space;
        int64_t n = rounded_vectors(c, entry, (ims_precision)p, &space);

        (void)ims__json_set(o, ims_precision_name((ims_precision)p), ims__json_new_int(n));
    }
    return o;
}

static void add_pack(ims_json *o, const char *layout, bool is_demo, uint64_t size_bytes,
                     const char *digest)
{
    (void)ims__json_set(o, "layout", ims__json_new_str(layout));
    (void)ims__json_set(o, "demo", ims__json_new_bool(is_demo));
    (void)ims__json_set(o, "size", ims__json_new_int((int64_t)size_bytes));
    (void)ims__json_set(o, "digest", ims__json_new_str(digest));
}

static ims_json *entry_json(const struct ims_pack_entry *entry, const struct ims_face_pack *faces,
                            bool serves, int64_t n_vectors)
{
    const struct ims_pack *p = entry->pack;
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "name", ims__json_new_str(p ? p->name : faces ? faces->name : entry->name));
    (void)ims__json_set(o, "dir", cli_path_json(entry->dir));
    (void)ims__json_set(o, "usable", ims__json_new_bool(p || faces));
    (void)ims__json_set(o, "serves", ims__json_new_bool(serves));
    (void)ims__json_set(o, "vectors", ims__json_new_int(n_vectors));
    if (p)
        add_pack(o, p->layout == IMS_PACK_IMMICH ? "immich" : "open_clip", p->is_demo, p->size_bytes,
                 p->digest);
    else if (faces)
        add_pack(o, faces->layout == IMS_FACE_IMMICH ? "immich" : "insightface", faces->is_demo,
                 faces->size_bytes, faces->digest);
    if (!p)
        (void)ims__json_set(o, "problem", ims__json_new_str(faces ? NULL : entry->why.text));
    (void)ims__json_set(o, "kind", ims__json_new_str(faces ? "faces" : "clip"));
    return o;
}

static void print_entry(const struct ims_pack_entry *entry, const struct ims_face_pack *faces,
                        bool serves, int64_t n_vectors)
{
    const struct ims_pack *p = entry->pack;

    if (p)
        printf("%s %-32s %8.1f MB  %7lld vectors  %s%s\n", serves ? "*" : " ", p->name,
               (double)p->size_bytes / 1e6, (long long)n_vectors, entry->dir,
               p->is_demo ? "  (demo: knows only drawn scenes)" : "");
    else if (faces)
        printf("  %-32s %8.1f MB    face models  %s%s\n", faces->name,
               (double)faces->size_bytes / 1e6, entry->dir,
               faces->is_demo ? "  (demo: knows only drawn people)" : "");
    else
        printf("  %-32s unusable: %s\n", entry->name, entry->why.text);
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_pack_list list = { 0 };
    struct counts counts = { .by_digest = NULL };
    struct ims_model_facts model = { 0 };
    struct ims_engine *e = NULL;
    ims_json *out = NULL;
    ims_err why;
    ims_status st;

    if (cli_has(cli, "available"))
        return list_available(cli, err);
    out = ims__json_new_array();
    counts.by_digest = ims__json_new_object();
    st = ims_pack_list_read(&list, (const char *const *)cli->model_roots, cli->n_model_roots, err);
    if (!st)
        st = open_library(cli, &e, &counts, err);
    if (st)
        goto out;
    if (ims_engine_model(e, &model, &why))
        fprintf(stderr, "imgsearch: no model serves: %s\n", why.text);
    for (size_t i = 0; i < list.n; i++) {
        const struct ims_pack_entry *entry = &list.entries[i];
        struct ims_face_pack *faces = open_faces(entry);
        bool serves = model.dir && strcmp(model.dir, entry->dir) == 0;

        if (cli->is_json) {
            ims_json *o = entry_json(entry, faces, serves, vectors_of(&counts, entry));

            if (entry->pack)
                (void)ims__json_set(o, "rounded_vectors", rounded_json(&counts, entry));
            (void)ims__json_set(o, "precision", serves ? ims__json_new_str(model.precision) : ims__json_new_null());
            (void)ims__json_add(out, o);
        } else {
            print_entry(entry, faces, serves && strcmp(model.precision, "fp32") == 0,
                        vectors_of(&counts, entry));
            print_rounded(&counts, entry, serves ? model.name : NULL);
        }
        ims_face_pack_close(faces);
    }
    if (cli->is_json) {
        st = cli_print_json(out, err);
        out = NULL;
    } else if (list.n == 0) {
        printf("no model is installed in %s; `imgsearch models pull` fetches one\n",
               cli->model_roots[0]);
    }
out:
    ims__json_free(out);
    ims__json_free(counts.by_digest);
    ims_engine_close(e);
    ims_pack_list_release(&list);
    return st;
}

const struct cli_command cli_cmd_models_list = {
    .name = "models list",
    .summary = "List the models on this machine; the one that serves has a star.",
    .words = "",
    .details =
        "A model is a folder in the models folder of the data directory, in one of two forms:\n"
        "  open_clip  open_clip_config.json, open_clip_model.safetensors, tokenizer.json\n"
        "  immich     config.json, visual/model.onnx, visual/preprocess_cfg.json, "
        "textual/model.onnx,\n"
        "             textual/tokenizer.json\n"
        "or face models, as InsightFace's packs (det_*.onnx, w600k_*.onnx ...) or Immich's "
        "(detection/model.onnx,\n"
        "recognition/model.onnx). "
        "Its folder is named ARCHITECTURE__WEIGHTS, e.g. ViT-B-32__laion2b_s34b_b79k. With "
        "--available: name,\n"
        "size, dimension of the vectors, size of a picture, licence.",
    .examples = "imgsearch models list\n"
                "imgsearch models list --available\n"
                "imgsearch --model ViT-B-32__laion2b_s34b_b79k index ~/Pictures",
    .options = options,
    .run = run,
};
