/* imgsearch models import, verify, remove: models without a network.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "models/install.h"
#include "models/pack.h"

#include <stdio.h>
#include <string.h>

/* ---- import ---- */

static const struct cli_option import_options[] = {
    { "name", 0, "NAME", "Under which name; default: the known one, or the folder's.", CLI_NO_CFG },
    { "config", 0, "FILE", "For a single file: its open_clip_config.json (default: beside it).",
      CLI_NO_CFG },
    { "tokenizer", 0, "FILE", "For a single file: its tokenizer.json (default: beside it).",
      CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status print_dir(const struct cli *cli, const char *what, const char *dir, ims_err *err)
{
    ims_json *o;

    if (!cli->is_json) {
        printf("%s: ", what);
        cli_print_path(dir);
        printf("\n");
        return IMS_OK;
    }
    o = ims__json_new_object();
    (void)ims__json_set(o, "name", ims__json_new_str(ims__path_base(dir)));
    (void)ims__json_set(o, "dir", cli_path_json(dir));
    return cli_print_json(o, err);
}

static ims_status run_import(struct cli *cli, ims_err *err)
{
    struct ims_import_options o = { .data_dir = cli->data_dir,
                                    .path = cli->n_words ? cli->words[0] : NULL,
                                    .config = cli_value(cli, "config"),
                                    .tokenizer = cli_value(cli, "tokenizer"),
                                    .name = cli_value(cli, "name") };
    char *dir = NULL;
    ims_status st;

    if (cli->n_words != 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name one model folder or .safetensors file");
    st = ims_model_import(&o, &dir, err);
    if (!st)
        st = print_dir(cli, "imported", dir, err);
    ims__free(dir);
    return st;
}

const struct cli_command cli_cmd_models_import = {
    .name = "models import",
    .summary = "Take in a model that is on this machine already.",
    .words = "FOLDER|FILE",
    .details = "A folder in open_clip's form (weights in one file or several), Immich's ready ONNX "
               "pack, face models in\n"
               "InsightFace's or Immich's layout (known packs are checked by their sums, and what "
               "else they hold comes\n"
               "along), or a single .safetensors file with its configuration and "
               "tokenizer. It is copied\n"
               "into the data directory. Pickle files (.bin, .pt) are refused: loading one runs "
               "what is in it.",
    .examples = "imgsearch models import ~/Downloads/CLIP-ViT-B-32-laion2B-s34B-b79K\n"
                "imgsearch models import ~/.insightface/models/buffalo_l\n"
                "imgsearch models import w.safetensors --config open_clip_config.json --tokenizer "
                "tokenizer.json --name mine",
    .options = import_options,
    .run = run_import,
};

/* ---- verify ---- */

static const struct cli_option no_options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

struct verify_view {
    const struct cli *cli;
    ims_json *files; /* NULL: text */
};

static void on_file(void *arg, const char *path, uint64_t size_bytes, const ims_err *why)
{
    struct verify_view *v = arg;

    if (v->files) {
        ims_json *o = ims__json_new_object();

        (void)ims__json_set(o, "path", cli_path_json(path));
        (void)ims__json_set(o, "size", ims__json_new_int((int64_t)size_bytes));
        (void)ims__json_set(o, "ok", ims__json_new_bool(!why));
        (void)ims__json_set(o, "problem", ims__json_new_str(why ? why->text : NULL));
        (void)ims__json_add(v->files, o);
        return;
    }
    printf("  %-4s  ", why ? "BAD" : "ok");
    cli_print_path(path);
    printf("  %llu bytes%s%s\n", (unsigned long long)size_bytes, why ? ": " : "",
           why ? why->text : "");
}

static ims_status verify_one(const struct cli *cli, const char *name, const char *dir,
                             ims_json *list, ims_err *err)
{
    struct verify_view v = { .cli = cli, .files = list ? ims__json_new_array() : NULL };
    ims_json *o = list ? ims__json_new_object() : NULL;
    size_t n_unproven = 0;
    ims_err why = { 0 };
    ims_status st;

    if (!list)
        printf("%s\n", name);
    st = ims_model_verify(dir, on_file, &v, &n_unproven, &why);
    if (list) {
        (void)ims__json_set(o, "name", ims__json_new_str(name));
        (void)ims__json_set(o, "dir", cli_path_json(dir));
        (void)ims__json_set(o, "ok", ims__json_new_bool(!st));
        (void)ims__json_set(o, "problem", ims__json_new_str(st ? why.text : NULL));
        (void)ims__json_set(o, "without_sum", ims__json_new_int((int64_t)n_unproven));
        (void)ims__json_set(o, "files", v.files);
        (void)ims__json_add(list, o);
    } else if (st) {
        printf("  BAD   %s\n", why.text);
    } else if (n_unproven) {
        printf("  no sum is known for %zu of its files: they were only opened\n", n_unproven);
    }
    if (st && err)
        *err = why;
    return st;
}

static bool is_wanted(const struct cli *cli, const struct ims_pack_entry *e)
{
    return cli->n_words == 0 || strcmp(cli->words[0], e->name) == 0 ||
           strcmp(cli->words[0], ims__path_base(e->dir)) == 0;
}

static ims_status run_verify(struct cli *cli, ims_err *err)
{
    struct ims_pack_list all = { 0 };
    ims_json *list = cli->is_json ? ims__json_new_array() : NULL;
    ims_status st, first = IMS_OK;
    size_t n = 0;

    if (cli->n_words > 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name one model, or none for all of them");
    st = ims_pack_list_read(&all, (const char *const *)cli->model_roots, cli->n_model_roots, err);
    for (size_t i = 0; !st && i < all.n; i++) {
        const struct ims_pack_entry *e = &all.entries[i];
        ims_status one;

        if (!is_wanted(cli, e))
            continue;
        n++;
        one = verify_one(cli, e->name, e->dir, list, first ? NULL : err);
        first = first ? first : one;
    }
    if (!st && n == 0 && cli->n_words && strchr(cli->words[0], '/')) {
        n++;
        first = verify_one(cli, ims__path_base(cli->words[0]), cli->words[0], list, err);
    }
    if (!st && n == 0 && cli->n_words)
        st = ims_fail(err, IMS_E_NOT_FOUND, "cli", 0,
                      "no model named %s; `imgsearch models list` shows them", cli->words[0]);
    ims_pack_list_release(&all);
    if (list && !st) {
        st = cli_print_json(list, first ? NULL : err);
        list = NULL;
    }
    ims__json_free(list);
    return st ? st : first;
}

const struct cli_command cli_cmd_models_verify = {
    .name = "models verify",
    .summary = "Check every byte of the installed models.",
    .words = "[NAME]",
    .details = "Compares each file with the size and SHA-256 that were written down when it was "
               "fetched or imported\n"
               "(imgsearch-model.json in its folder), or with the sums this program knows, and "
               "opens the model. The\n"
               "exit code is not 0 when anything is wrong.",
    .examples = "imgsearch models verify\n"
                "imgsearch models verify ViT-B-32__laion2b_s34b_b79k",
    .options = no_options,
    .run = run_verify,
};

/* ---- remove ---- */

static ims_status run_remove(struct cli *cli, ims_err *err)
{
    ims_status st;

    if (cli->n_words != 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name the model to remove");
    st = ims_model_remove(cli->data_dir, cli->words[0], err);
    if (!st && !cli->is_json)
        printf("removed %s\n", cli->words[0]);
    else if (!st)
        st = cli_print_json(ims__json_new_str(cli->words[0]), err);
    return st;
}

const struct cli_command cli_cmd_models_remove = {
    .name = "models remove",
    .summary = "Remove a model from the data directory, also a half-fetched one.",
    .words = "NAME",
    .details = "Only the model's own files go. Vectors that it made stay in the library, and serve "
               "again when the same\n"
               "model is fetched again.",
    .examples = "imgsearch models remove ViT-L-14__laion2b_s32b_b82k",
    .options = no_options,
    .run = run_remove,
};
