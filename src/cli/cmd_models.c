/* imgsearch models list: the models on this machine.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "models/pack.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

static ims_json *entry_json(const struct ims_pack_entry *entry, bool serves)
{
    const struct ims_pack *p = entry->pack;
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "name", ims__json_new_str(p ? p->name : entry->name));
    (void)ims__json_set(o, "dir", cli_path_json(entry->dir));
    (void)ims__json_set(o, "usable", ims__json_new_bool(p != NULL));
    (void)ims__json_set(o, "serves", ims__json_new_bool(serves));
    if (p) {
        (void)ims__json_set(o, "layout", ims__json_new_str(p->layout == IMS_PACK_IMMICH ? "immich" : "open_clip"));
        (void)ims__json_set(o, "demo", ims__json_new_bool(p->is_demo));
        (void)ims__json_set(o, "size", ims__json_new_int((int64_t)p->size_bytes));
        (void)ims__json_set(o, "digest", ims__json_new_str(p->digest));
    } else {
        (void)ims__json_set(o, "problem", ims__json_new_str(entry->why.text));
    }
    return o;
}

static void print_entry(const struct ims_pack_entry *entry, bool serves)
{
    const struct ims_pack *p = entry->pack;

    if (p)
        printf("%s %-32s %8.1f MB  %s%s\n", serves ? "*" : " ", p->name, (double)p->size_bytes / 1e6, entry->dir,
               p->is_demo ? "  (demo: knows only drawn scenes)" : "");
    else
        printf("  %-32s unusable: %s\n", entry->name, entry->why.text);
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_pack_list list = { 0 };
    struct ims_model_facts model = { 0 };
    struct ims_engine *e = NULL;
    ims_json *out = ims__json_new_array();
    ims_err why;
    ims_status st;

    st = ims_pack_list_read(&list, (const char *const *)cli->model_roots, cli->n_model_roots, err);
    if (!st)
        st = cli_open_bare_engine(cli, &e, err);
    if (st)
        goto out;
    if (ims_engine_model(e, &model, &why))
        fprintf(stderr, "imgsearch: no model serves: %s\n", why.text);
    for (size_t i = 0; i < list.n; i++) {
        bool serves = model.dir && strcmp(model.dir, list.entries[i].dir) == 0;

        if (cli->is_json)
            (void)ims__json_add(out, entry_json(&list.entries[i], serves));
        else
            print_entry(&list.entries[i], serves);
    }
    if (cli->is_json) {
        st = cli_print_json(out, err);
        out = NULL;
    } else if (list.n == 0) {
        printf("no model is installed; packs belong into %s\n", cli->model_roots[0]);
    }
out:
    ims__json_free(out);
    ims_engine_close(e);
    ims_pack_list_release(&list);
    return st;
}

const struct cli_command cli_cmd_models_list = {
    .name = "models list",
    .summary = "List the models on this machine; the one that serves has a star.",
    .words = "",
    .details = "A model is a folder in the models folder of the data directory, in one of two forms:\n"
               "  open_clip  open_clip_config.json, open_clip_model.safetensors, tokenizer.json\n"
               "  immich     config.json, visual/model.onnx, visual/preprocess_cfg.json, textual/model.onnx,\n"
               "             textual/tokenizer.json\n"
               "Name the folder ARCHITECTURE__WEIGHTS, e.g. ViT-B-32__laion2b_s34b_b79k.",
    .examples = "imgsearch models list\n"
                "imgsearch --model ViT-B-32__laion2b_s34b_b79k index ~/Pictures",
    .options = options,
    .run = run,
};
