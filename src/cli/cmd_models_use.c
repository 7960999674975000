/* imgsearch models use, drop-vectors: changing the model of a library.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option use_options[] = {
    { "now", 0, NULL, "Even when it has fewer vectors than the model that serves.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status print_use(const struct cli *cli, const struct ims_model_use *use, ims_err *err)
{
    ims_json *o;

    if (cli->is_json) {
        o = ims__json_new_object();
        (void)ims__json_set(o, "model", ims__json_new_str(use->name[0] ? use->name : NULL));
        (void)ims__json_set(o, "vectors", ims__json_new_int(use->vectors));
        (void)ims__json_set(o, "before", ims__json_new_str(use->before[0] ? use->before : NULL));
        (void)ims__json_set(o, "beforeVectors", ims__json_new_int(use->before_vectors));
        return cli_print_json(o, err);
    }
    if (!use->name[0]) {
        printf("the library chooses no model any more\n");
        return IMS_OK;
    }
    printf("%s serves from now on, with the vectors of %lld pictures\n", use->name,
           (long long)use->vectors);
    if (use->before[0] && strcmp(use->before, use->name) != 0 && use->before_vectors)
        printf("those of %s (%lld) stay; `imgsearch models drop-vectors %s` frees their room\n",
               use->before, (long long)use->before_vectors, use->before);
    if (use->vectors < use->before_vectors)
        printf("index again for the rest\n");
    return IMS_OK;
}

static ims_status run_use(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    struct ims_model_use use = { 0 };
    ims_status st;

    if (cli->n_words != 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name the model, or auto");
    st = cli_open_engine(cli, false, &e, err);
    if (!st)
        st = ims_engine_use_model(e, strcmp(cli->words[0], "auto") == 0 ? NULL : cli->words[0],
                                  cli_has(cli, "now"), &use, err);
    ims_engine_close(e);
    return st ? st : print_use(cli, &use, err);
}

const struct cli_command cli_cmd_models_use = {
    .name = "models use",
    .summary = "Choose the model that serves this library.",
    .words = "NAME|auto",
    .details = "Index with a second model beside the first (`imgsearch --model NAME index "
               "FOLDER`); searches go on with the\n"
               "first. Then this command switches at once. The vectors of the first stay until "
               "`models drop-vectors`,\n"
               "so that switching back is as quick; a search never mixes the two. `auto` takes the "
               "choice back. --model\n"
               "and IMS_MODEL win over it.",
    .examples = "imgsearch models pull ViT-L-14\n"
                "imgsearch --model ViT-L-14__laion2b_s32b_b82k index ~/Pictures\n"
                "imgsearch models use ViT-L-14__laion2b_s32b_b82k",
    .options = use_options,
    .run = run_use,
};

/* ---- drop-vectors ---- */

static const struct cli_option no_options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

static ims_status run_drop(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    int64_t n = 0;
    ims_json *o;
    ims_status st;

    if (cli->n_words != 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name the model whose vectors are to go");
    st = cli_open_engine(cli, false, &e, err);
    if (!st)
        st = ims_engine_drop_vectors(e, cli->words[0], &n, err);
    ims_engine_close(e);
    if (st)
        return st;
    if (!cli->is_json) {
        printf("dropped the vectors of %lld pictures\n", (long long)n);
        return IMS_OK;
    }
    o = ims__json_new_object();
    (void)ims__json_set(o, "model", ims__json_new_str(cli->words[0]));
    (void)ims__json_set(o, "vectors", ims__json_new_int(n));
    return cli_print_json(o, err);
}

const struct cli_command cli_cmd_models_drop_vectors = {
    .name = "models drop-vectors",
    .summary = "Forget all that a model made in this library.",
    .words = "NAME",
    .details = "Vectors, work states and evidence of the model go; pictures and the model itself "
               "stay. Not for the model\n"
               "that serves.",
    .examples = "imgsearch models drop-vectors ViT-B-32__laion2b_s34b_b79k",
    .options = no_options,
    .run = run_drop,
};
