/* imgsearch config: every setting, its value and where that came from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

static const char *shown_value(const struct cli *cli, ims_cfg id)
{
    const char *value = ims__config_str(cli->config, id);

    return *value && ims__config_is_secret(id) ? "(set; hidden)" : value;
}

static ims_json *row_json(const struct cli *cli, ims_cfg id)
{
    const struct ims_config_row *row = &ims__config_rows[id];
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "name", ims__json_new_str(row->name));
    (void)ims__json_set(o, "env", ims__json_new_str(row->env));
    (void)ims__json_set(o, "value", ims__json_new_str(shown_value(cli, id)));
    (void)ims__json_set(o, "source", ims__json_new_str(ims__config_source_name(ims__config_source(cli->config, id))));
    (void)ims__json_set(o, "default", ims__json_new_str(row->fallback));
    (void)ims__json_set(o, "doc", ims__json_new_str(row->doc));
    (void)ims__json_set(o, "built", ims__json_new_bool(row->type != IMS_CFG_UNBUILT));
    return o;
}

static ims_status run(struct cli *cli, ims_err *err)
{
    ims_json *list;

    if (cli->is_json) {
        list = ims__json_new_array();
        for (int id = 0; id < IMS_CFG_N; id++)
            (void)ims__json_add(list, row_json(cli, (ims_cfg)id));
        return cli_print_json(list, err);
    }
    for (int id = 0; id < IMS_CFG_N; id++) {
        const struct ims_config_row *row = &ims__config_rows[id];

        printf("%-22s %-28s %-12s %s\n", row->name, shown_value(cli, (ims_cfg)id),
               ims__config_source_name(ims__config_source(cli->config, (ims_cfg)id)), row->env);
    }
    printf("\nIn effect: data directory ");
    cli_print_path(cli->data_dir);
    printf("\n");
    return IMS_OK;
}

const struct cli_command cli_cmd_config = {
    .name = "config",
    .summary = "List every setting with its value and where it came from.",
    .words = "",
    .details = "A setting is taken from the first of: command line, environment, .env in the working folder,\n"
               "config file ($XDG_CONFIG_HOME/imgsearch/config), default.",
    .examples = "imgsearch config\n"
                "imgsearch config --json | jq '.[] | select(.source != \"default\")'",
    .options = options,
    .run = run,
};
