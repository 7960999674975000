/* imgsearch people export, import: names out of a library and into one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/cli_people.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option export_options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

static ims_status write_export(const ims_json *data, const char *path, ims_err *err)
{
    struct ims_buf text;
    ims_status st;

    ims__buf_init(&text, IMS_MAX_JSON_BYTES);
    st = ims__json_write(data, 2, &text, err);
    if (!st && ims__buf_add_char(&text, '\n'))
        st = ims_fail(err, IMS_E_LIMIT, "cli", 0, "the export is too large");
    if (!st && strcmp(path, "-") == 0)
        fwrite(text.data, 1, text.len, stdout);
    else if (!st)
        st = ims__write_file(path, text.data, text.len, err);
    ims__buf_release(&text);
    return st;
}

static ims_status run_export(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    ims_json *data = NULL;
    ims_status st;

    if (cli->n_words != 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0,
                        "name the file to write, or - for standard output");
    st = cli_open_engine(cli, true, &e, err);
    if (!st)
        st = ims_people_export(e, &data, err);
    if (!st)
        st = write_export(data, cli->words[0], err);
    if (!st && !cli->is_json && strcmp(cli->words[0], "-") != 0)
        printf("wrote %s\n", cli->words[0]);
    ims__json_free(data);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_people_export = {
    .name = "people export",
    .summary = "Write all names and whose faces they are to a file.",
    .words = "FILE|-",
    .details = "Faces are told by the SHA-256 of their file and their box, so the names fit the "
               "same pictures in any\n"
               "library, also with other face models. docs/notes/people.md has the form.",
    .examples = "imgsearch people export people.json",
    .options = export_options,
    .run = run_export,
};

static const struct cli_option import_options[] = {
    { "dry-run", 0, NULL, "Only tell what would be done.", CLI_NO_CFG },
    { "move", 0, NULL, "Also take faces from the persons they have here.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status print_import(const struct cli *cli, const struct ims_people_import *w,
                               ims_err *err)
{
    const struct {
        const char *key;
        size_t n;
        const char *text;
    } rows[] = {
        { "personsCreated", w->n_persons_made, "persons made" },
        { "personsFound", w->n_persons_found, "persons found" },
        { "facesAssigned", w->n_assigned, "faces assigned" },
        { "facesSame", w->n_same, "faces had that person already" },
        { "conflicts", w->n_conflicts,
          "faces are somebody else here, or twice in a photo: left as they are" },
        { "photosMissing", w->n_no_photo, "faces of pictures that are not in this library" },
        { "facesMissing", w->n_no_face, "faces that were not found in their picture" },
        { "rejections", w->n_rejections, "times \"not this person\"" },
    };
    ims_json *o = cli->is_json ? ims__json_new_object() : NULL;

    for (size_t i = 0; i < IMS_ARRAY_LEN(rows); i++) {
        if (cli->is_json)
            (void)ims__json_set(o, rows[i].key, ims__json_new_int((int64_t)rows[i].n));
        else if (rows[i].n)
            printf("%6zu %s\n", rows[i].n, rows[i].text);
    }
    if (!cli->is_json)
        return IMS_OK;
    (void)ims__json_set(o, "dryRun", ims__json_new_bool(w->is_dry_run));
    (void)ims__json_set(o, "event",
                        w->event_id ? ims__json_new_int(w->event_id) : ims__json_new_null());
    return cli_print_json(o, err);
}

static ims_status run_import(struct cli *cli, ims_err *err)
{
    struct ims_people_import what = { .is_dry_run = cli_has(cli, "dry-run"),
                                      .may_move = cli_has(cli, "move") };
    struct ims_people_by by = cli_by(cli);
    struct ims_engine *e = NULL;
    ims_json *data = NULL;
    struct ims_buf text;
    ims_status st;

    if (cli->n_words != 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name the file to read");
    ims__buf_init(&text, IMS_MAX_JSON_BYTES);
    st = ims__read_file(cli->words[0], IMS_MAX_JSON_BYTES, &text, NULL, err);
    if (!st)
        st = ims__json_parse(&data, text.data, text.len, cli->words[0], err);
    ims__buf_release(&text);
    if (!st)
        st = cli_open_engine(cli, false, &e, err);
    if (!st)
        st = ims_people_import(e, &by, data, &what, err);
    ims__json_free(data);
    ims_engine_close(e);
    return st ? st : print_import(cli, &what, err);
}

const struct cli_command cli_cmd_people_import = {
    .name = "people import",
    .summary = "Read names from a file that people export wrote.",
    .words = "FILE",
    .details = "One change: `people undo` takes all of it back. Persons are found by name or made; "
               "what the user said\n"
               "here wins over the file, unless --move is given.",
    .examples = "imgsearch people import --dry-run people.json\n"
                "imgsearch people import people.json",
    .options = import_options,
    .run = run_import,
};
