/* imgsearch people merge, unmerge, hide, delete, undo: persons as a whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/cli_people.h"

#include <stdio.h>
#include <string.h>

/* ---- merge, unmerge ---- */

static const struct cli_option merge_options[] = {
    { "twice", 0, NULL, "Also when both are in one photo.", CLI_NO_CFG },
    { "yes", 'y', NULL, "Do not ask.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status merge(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    struct ims_people_merge what = { .allow_extra = cli_has(cli, "twice") };
    struct ims_store_person *from = NULL, *into = NULL;
    struct ims_arena arena;
    char question[700], counted[CLI_COUNTED_BYTES];
    ims_json *o;
    ims_status st = ims_people_find(e, cli->words[0], false, &what.from, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_people_find(e, cli->words[1], false, &what.into, err);
    if (!st)
        st = cli_person_of(e, what.from, &arena, &from, err);
    if (!st)
        st = cli_person_of(e, what.into, &arena, &into, err);
    if (!st && what.from != what.into) {
        snprintf(question, sizeof(question), "Make the %s of %s %s?",
                 cli_counted(counted, (size_t)from->n_faces, "face", "faces"), from->name, into->name);
        st = cli_confirm(cli, question, err);
    }
    if (!st)
        st = ims_people_merge(e, &by, &what, err);
    ims__arena_release(&arena);
    if (st)
        return st;
    if (!cli->is_json) {
        printf("%s moved; `imgsearch people unmerge %lld` takes it back\n",
               cli_counted(counted, what.n_faces, "face", "faces"), (long long)what.from);
        return IMS_OK;
    }
    o = cli_change_json("faces", (int64_t)what.n_faces, what.event_id);
    (void)ims__json_set(o, "from", ims__json_new_int(what.from));
    (void)ims__json_set(o, "into", ims__json_new_int(what.into));
    return cli_print_json(o, err);
}

static ims_status run_merge(struct cli *cli, ims_err *err)
{
    return cli_run_change(cli, 2, 2, "name two persons: who is to become part of whom (names of several words in quotes)",
                          merge, err);
}

const struct cli_command cli_cmd_people_merge = {
    .name = "people merge",
    .summary = "Make two persons one.",
    .words = "FROM INTO",
    .examples = "imgsearch people merge \"Anna W.\" \"Anna Weber\"\n"
                "imgsearch people merge 14 3 --yes",
    .options = merge_options,
    .run = run_merge,
};

static const struct cli_option by_options[] = {
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status print_undone(const struct cli *cli, int64_t event_id, int64_t n_kept,
                               ims_err *err)
{
    char counted[CLI_COUNTED_BYTES];

    if (cli->is_json)
        return cli_print_json(cli_change_json("kept", n_kept, event_id), err);
    printf("%s\n", event_id ? "taken back" : "there was nothing left to take back");
    if (n_kept)
        printf("%s changed since and %s\n",
               cli_counted(counted, (size_t)n_kept, "thing was", "things were"),
               n_kept == 1 ? "stays as it is" : "stay as they are");
    return IMS_OK;
}

static ims_status unmerge(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    int64_t id = 0, event_id = 0, n_kept = 0;
    ims_status st = ims_people_find(e, cli->words[0], true, &id, err);

    if (!st)
        st = ims_people_unmerge(e, &by, id, &event_id, &n_kept, err);
    return st ? st : print_undone(cli, event_id, n_kept, err);
}

static ims_status run_unmerge(struct cli *cli, ims_err *err)
{
    return cli_run_change(
        cli, 1, 1, "give the number of the merged person (`imgsearch people list --status merged`)",
        unmerge, err);
}

const struct cli_command cli_cmd_people_unmerge = {
    .name = "people unmerge",
    .summary = "Take a merge back.",
    .words = "NUMBER",
    .details = "The person is there again with the faces it brought, except those that were "
               "changed since.",
    .examples = "imgsearch people list --status merged\n"
                "imgsearch people unmerge 14",
    .options = by_options,
    .run = run_unmerge,
};

/* ---- hide, delete ---- */

static const struct cli_option hide_options[] = {
    { "off", 0, NULL, "Show the person again.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status hide(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    struct ims_store_person_change change = { .has_status = true };
    int64_t id = 0;
    ims_status st = ims_people_find(e, cli->words[0], false, &id, err);

    change.status = cli_has(cli, "off") ? IMS_PERSON_ACTIVE : IMS_PERSON_HIDDEN;
    if (!st)
        st = ims_people_change(e, &by, id, &change, err);
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(cli_change_json("person", id, ims_people_event(e)), err);
    printf("person %lld is %s\n", (long long)id, ims_store_person_status_name(change.status));
    cli_print_undo(ims_people_event(e));
    return IMS_OK;
}

static ims_status run_hide(struct cli *cli, ims_err *err)
{
    return cli_run_change(cli, 1, 1, "name one person (several words in quotes)",
                          hide, err);
}

const struct cli_command cli_cmd_people_hide = {
    .name = "people hide",
    .summary = "Keep a person out of suggestions and lists of people.",
    .words = "PERSON",
    .examples = "imgsearch people hide \"Passer-by\"\n"
                "imgsearch people hide \"Passer-by\" --off",
    .options = hide_options,
    .run = run_hide,
};

static const struct cli_option delete_options[] = {
    { "yes", 'y', NULL, "Do not ask.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status delete_person(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    struct ims_store_person *p = NULL;
    struct ims_arena arena;
    char question[400], counted[CLI_COUNTED_BYTES];
    int64_t id = 0;
    size_t n = 0;
    ims_status st = ims_people_find(e, cli->words[0], false, &id, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = cli_person_of(e, id, &arena, &p, err);
    if (!st) {
        snprintf(question, sizeof(question), "Delete %s, leaving %s without a person?", p->name,
                 cli_counted(counted, (size_t)p->n_faces, "face", "faces"));
        st = cli_confirm(cli, question, err);
    }
    if (!st)
        st = ims_people_delete(e, &by, id, &n, err);
    ims__arena_release(&arena);
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(cli_change_json("faces", (int64_t)n, ims_people_event(e)), err);
    printf("deleted; %s nobody's now\n", cli_counted(counted, n, "face is", "faces are"));
    cli_print_undo(ims_people_event(e));
    return IMS_OK;
}

static ims_status run_delete(struct cli *cli, ims_err *err)
{
    return cli_run_change(cli, 1, 1, "name one person (several words in quotes)",
                          delete_person, err);
}

const struct cli_command cli_cmd_people_delete = {
    .name = "people delete",
    .summary = "Delete a person; faces stay, and are nobody's.",
    .words = "PERSON",
    .examples = "imgsearch people delete \"Anna W.\" --yes",
    .options = delete_options,
    .run = run_delete,
};

/* ---- undo ---- */

static const struct cli_option undo_options[] = {
    { "partial", 0, NULL, "Leave as it is what was changed since, and take back the rest.",
      CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status undo(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    int64_t *ids = NULL, event_id = 0, n_kept = 0;
    size_t n = 0;
    ims_status st = cli_ids(cli->words[0], "change", &ids, &n, err);

    if (!st && n != 1)
        st = ims_fail(err, IMS_E_USAGE, "cli", 0, "one change at a time");
    if (!st)
        st = ims_people_undo(e, &by, ids[0], cli_has(cli, "partial"), &event_id, &n_kept, err);
    ims__free(ids);
    return st ? st : print_undone(cli, event_id, n_kept, err);
}

static ims_status run_undo(struct cli *cli, ims_err *err)
{
    return cli_run_change(cli, 1, 1, "give the number of the change (`imgsearch people history`)",
                          undo, err);
}

const struct cli_command cli_cmd_people_undo = {
    .name = "people undo",
    .summary = "Take back a change about people.",
    .words = "NUMBER",
    .details = "All or nothing: when something was changed again since, that is named and nothing "
               "happens.\n"
               "Undoing an undo does the change again.",
    .examples = "imgsearch people undo 81\n"
                "imgsearch people undo 81 --partial",
    .options = undo_options,
    .run = run_undo,
};
