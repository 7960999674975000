/* imgsearch people name, merge, unmerge, split, move, reject, hide, delete, undo: changing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/cli_people.h"

#include <stdio.h>
#include <string.h>

/* Opens the engine for writing and runs a change. */
static ims_status with_engine(struct cli *cli,
                              ims_status (*run)(struct cli *, struct ims_engine *, ims_err *),
                              ims_err *err)
{
    struct ims_engine *e = NULL;
    ims_status st = cli_open_engine(cli, false, &e, err);

    if (!st)
        st = run(cli, e, err);
    ims_engine_close(e);
    return st;
}

/* The word or words that name a person. */
static ims_status find_word(struct ims_engine *e, const char *word, bool is_merged_ok, int64_t *out,
                            ims_err *err)
{
    return ims_people_find(e, word, is_merged_ok, out, err);
}

static ims_status need_words(const struct cli *cli, size_t n, const char *what, ims_err *err)
{
    return cli->n_words == n ? IMS_OK : ims_fail(err, IMS_E_USAGE, "cli", 0, "%s", what);
}

static ims_json *result_json(const char *key, int64_t value, int64_t event_id)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, key, ims__json_new_int(value));
    (void)ims__json_set(o, "event", event_id ? ims__json_new_int(event_id) : ims__json_new_null());
    return o;
}

/* ---- name ---- */

static const struct cli_option name_options[] = {
    { "cluster", 0, "N", "Name the faces of this cluster.", CLI_NO_CFG },
    { "face", 'f', "N,...", "Name these faces.", CLI_NO_CFG },
    { "person", 'p', "PERSON", "Give this person another name.", CLI_NO_CFG },
    { "born", 0, "DATE", "With --person or a new one: date of birth, YYYY-MM-DD; none clears it.",
      CLI_NO_CFG },
    { "twice", 0, NULL, "The person is in the same photo more than once.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status print_named(const struct cli *cli, int64_t person_id, const char *name,
                              size_t n_faces, size_t n_skipped, bool is_new, int64_t event_id,
                              ims_err *err)
{
    ims_json *o;

    if (cli->is_json) {
        o = result_json("person", person_id, event_id);
        (void)ims__json_set(o, "name", ims__json_new_str(name));
        (void)ims__json_set(o, "created", ims__json_new_bool(is_new));
        (void)ims__json_set(o, "faces", ims__json_new_int((int64_t)n_faces));
        (void)ims__json_set(o, "skipped", ims__json_new_int((int64_t)n_skipped));
        return cli_print_json(o, err);
    }
    printf("%zu faces are %s%s (person %lld)\n", n_faces, name, is_new ? ", who is new" : "",
           (long long)person_id);
    if (n_skipped)
        printf("%zu faces were left out: a better face of the same photo, or not that person by "
               "your word "
               "(--twice takes those of one photo too)\n",
               n_skipped);
    if (event_id)
        printf("`imgsearch people undo %lld` takes it back\n", (long long)event_id);
    return IMS_OK;
}

static ims_status name_cluster(struct cli *cli, struct ims_engine *e, const char *name,
                               ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    struct ims_people_name_cluster what = { .name = name, .allow_extra = cli_has(cli, "twice") };
    ims_status st = cli_number(cli, "cluster", 1, INT64_MAX, 0, &what.cluster_id, err);

    if (!st)
        st = ims_people_name_cluster(e, &by, &what, err);
    return st ? st
              : print_named(cli, what.named_person_id, name, what.n_faces, what.n_skipped,
                            what.is_new_person, what.event_id, err);
}

static ims_status assign_words(struct cli *cli, struct ims_engine *e, const char *faces,
                               const char *name, bool may_move, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    struct ims_people_assign what = {
        .name = name, .may_move = may_move, .allow_extra = cli_has(cli, "twice"), .is_strict = true
    };
    int64_t *ids = NULL;
    ims_status st = cli_ids(faces, "face", &ids, &what.n, err);

    what.face_ids = ids;
    if (!st)
        st = ims_people_assign(e, &by, &what, err);
    ims__free(ids);
    return st ? st
              : print_named(cli, what.person_id, name, what.n_changed, 0, what.is_new_person,
                            what.event_id, err);
}

static ims_status rename_person(struct cli *cli, struct ims_engine *e, const char *name,
                                ims_err *err)
{
    const char *born = cli_value(cli, "born");
    struct ims_people_by by = cli_by(cli);
    struct ims_store_person_change change = { .name = name, .has_birth_date = born != NULL };
    int64_t id = 0;
    ims_status st = find_word(e, cli_value(cli, "person"), false, &id, err);

    change.birth_date = born && strcmp(born, "none") != 0 ? born : NULL;
    if (!st)
        st = ims_people_change(e, &by, id, &change, err);
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(result_json("person", id, 0), err);
    printf("person %lld is %s\n", (long long)id, name ? name : "changed");
    return IMS_OK;
}

static ims_status create_person(struct cli *cli, struct ims_engine *e, const char *name,
                                ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    int64_t id = 0;
    ims_status st = ims_people_create(e, &by, name, cli_value(cli, "born"), &id, err);

    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(result_json("person", id, 0), err);
    printf("%s is person %lld\n", name, (long long)id);
    return IMS_OK;
}

static ims_status name(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    int n = cli_has(cli, "cluster") + cli_has(cli, "face") + cli_has(cli, "person");
    char *text = NULL;
    ims_status st = IMS_OK;

    if (n > 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "one of --cluster, --face and --person");
    if (cli->n_words || !cli_has(cli, "person") || !cli_has(cli, "born"))
        st = cli_joined_words(cli, "the words of the name", &text, err);
    if (!st && cli_has(cli, "cluster"))
        st = name_cluster(cli, e, text, err);
    else if (!st && cli_has(cli, "face"))
        st = assign_words(cli, e, cli_value(cli, "face"), text, false, err);
    else if (!st && cli_has(cli, "person"))
        st = rename_person(cli, e, text, err);
    else if (!st)
        st = create_person(cli, e, text, err);
    ims__free(text);
    return st;
}

static ims_status run_name(struct cli *cli, ims_err *err)
{
    return with_engine(cli, name, err);
}

const struct cli_command cli_cmd_people_name = {
    .name = "people name",
    .summary = "Say who a cluster or a face is, or give a person a name.",
    .words = "NAME...",
    .details = "A person of that name is found whatever the capitals, or made. Faces that have a "
               "person already\n"
               "are not taken from it: `people move` does that. Without --cluster, --face and "
               "--person a person\n"
               "without faces is made.",
    .examples = "imgsearch people name --cluster 17 Anna Schmidt\n"
                "imgsearch people name --face 204,311 Anna\n"
                "imgsearch people name --person Anna Anna Weber\n"
                "imgsearch people name --person Anna --born 1984-03-02",
    .options = name_options,
    .run = run_name,
};

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
    char question[700];
    ims_json *o;
    ims_status st = find_word(e, cli->words[0], false, &what.from, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = find_word(e, cli->words[1], false, &what.into, err);
    if (!st)
        st = cli_person_of(e, what.from, &arena, &from, err);
    if (!st)
        st = cli_person_of(e, what.into, &arena, &into, err);
    if (!st && what.from != what.into) {
        snprintf(question, sizeof(question), "Make the %lld faces of %s those of %s?",
                 (long long)from->n_faces, from->name, into->name);
        st = cli_confirm(cli, question, err);
    }
    if (!st)
        st = ims_people_merge(e, &by, &what, err);
    ims__arena_release(&arena);
    if (st)
        return st;
    if (!cli->is_json) {
        printf("%zu faces moved; `imgsearch people unmerge %lld` takes it back\n", what.n_faces,
               (long long)what.from);
        return IMS_OK;
    }
    o = result_json("faces", (int64_t)what.n_faces, what.event_id);
    (void)ims__json_set(o, "from", ims__json_new_int(what.from));
    (void)ims__json_set(o, "into", ims__json_new_int(what.into));
    return cli_print_json(o, err);
}

static ims_status run_merge(struct cli *cli, ims_err *err)
{
    ims_status st = need_words(
        cli, 2,
        "name two persons: who is to become part of whom (names of several words in quotes)", err);

    return st ? st : with_engine(cli, merge, err);
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
    ims_json *o;

    if (cli->is_json) {
        o = result_json("kept", n_kept, event_id);
        return cli_print_json(o, err);
    }
    printf("%s\n", event_id ? "taken back" : "there was nothing left to take back");
    if (n_kept)
        printf("%lld things were changed since and stay as they are\n", (long long)n_kept);
    return IMS_OK;
}

static ims_status unmerge(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    int64_t id = 0, event_id = 0, n_kept = 0;
    ims_status st = find_word(e, cli->words[0], true, &id, err);

    if (!st)
        st = ims_people_unmerge(e, &by, id, &event_id, &n_kept, err);
    return st ? st : print_undone(cli, event_id, n_kept, err);
}

static ims_status run_unmerge(struct cli *cli, ims_err *err)
{
    ims_status st = need_words(
        cli, 1, "give the number of the merged person (`imgsearch people list --status merged`)",
        err);

    return st ? st : with_engine(cli, unmerge, err);
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

/* ---- split, move, reject ---- */

static const struct cli_option split_options[] = {
    { "face", 'f', "N,...", "The faces that are somebody else.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status split(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    int64_t *ids = NULL, person_id = 0, id = 0;
    char *text = NULL;
    size_t n = 0;
    ims_status st = find_word(e, cli->words[0], false, &person_id, err);

    if (!st)
        st = cli_rest(cli, 1, "the words of the new name", &text, err);
    if (!st)
        st = cli_ids(cli_value(cli, "face"), "face", &ids, &n, err);
    if (!st)
        st = ims_people_split(e, &by, person_id, ids, n, text, &id, err);
    if (!st)
        st = print_named(cli, id, text, n, 0, true, 0, err);
    ims__free(ids);
    ims__free(text);
    return st;
}

static ims_status run_split(struct cli *cli, ims_err *err)
{
    if (cli->n_words < 2 || !cli_has(cli, "face"))
        return ims_fail(err, IMS_E_USAGE, "cli", 0,
                        "name the person, the new name, and with --face which faces are meant");
    return with_engine(cli, split, err);
}

const struct cli_command cli_cmd_people_split = {
    .name = "people split",
    .summary = "Make some faces of a person a new person.",
    .words = "PERSON NAME...",
    .examples = "imgsearch people split Anna --face 311,402 Anna\\'s sister",
    .options = split_options,
    .run = run_split,
};

static const struct cli_option move_options[] = {
    { "twice", 0, NULL, "The person is in the same photo more than once.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status move(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    char *text = NULL;
    ims_status st = cli_rest(cli, 1, "the words of the name", &text, err);

    if (!st)
        st = assign_words(cli, e, cli->words[0], text, true, err);
    ims__free(text);
    return st;
}

static ims_status run_move(struct cli *cli, ims_err *err)
{
    if (cli->n_words < 2)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name the faces (N,N,...) and the person");
    return with_engine(cli, move, err);
}

const struct cli_command cli_cmd_people_move = {
    .name = "people move",
    .summary = "Make faces another person's, whoever they are now.",
    .words = "FACE,... NAME...",
    .examples = "imgsearch people move 204,311 Bert",
    .options = move_options,
    .run = run_move,
};

static const struct cli_option reject_options[] = {
    { "off", 0, NULL, "Take the word back: it may be that person after all.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

/* Faces that are the person leave it; for the others it is noted alone. */
static ims_status reject(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    bool on = !cli_has(cli, "off");
    int64_t *ids = NULL, person_id = 0;
    size_t n = 0, n_removed = 0;
    ims_status st = find_word(e, cli->words[1], false, &person_id, err);

    if (!st)
        st = cli_ids(cli->words[0], "face", &ids, &n, err);
    if (!st && on)
        st = ims_people_remove(e, &by, ids, n, person_id, true, &n_removed, NULL, err);
    for (size_t i = 0; !st && i < n; i++)
        st = ims_people_reject(e, &by, ids[i], person_id, on, err);
    ims__free(ids);
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(result_json("removed", (int64_t)n_removed, 0), err);
    printf("%zu faces %s\n", n,
           on ? "are not that person, and will not become it by themselves"
              : "may be that person again");
    return IMS_OK;
}

static ims_status run_reject(struct cli *cli, ims_err *err)
{
    ims_status st = need_words(
        cli, 2, "name the faces (N,N,...) and the person (several words in quotes)", err);

    return st ? st : with_engine(cli, reject, err);
}

const struct cli_command cli_cmd_people_reject = {
    .name = "people reject",
    .summary = "Say that faces are not a person, for good.",
    .words = "FACE,... PERSON",
    .examples = "imgsearch people reject 204 Anna\n"
                "imgsearch people reject 204 Anna --off",
    .options = reject_options,
    .run = run_reject,
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
    ims_status st = find_word(e, cli->words[0], false, &id, err);

    change.status = cli_has(cli, "off") ? IMS_PERSON_ACTIVE : IMS_PERSON_HIDDEN;
    if (!st)
        st = ims_people_change(e, &by, id, &change, err);
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(result_json("person", id, 0), err);
    printf("person %lld is %s\n", (long long)id, ims_store_person_status_name(change.status));
    return IMS_OK;
}

static ims_status run_hide(struct cli *cli, ims_err *err)
{
    ims_status st = need_words(cli, 1, "name one person (several words in quotes)", err);

    return st ? st : with_engine(cli, hide, err);
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
    char question[400];
    int64_t id = 0;
    size_t n = 0;
    ims_status st = find_word(e, cli->words[0], false, &id, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = cli_person_of(e, id, &arena, &p, err);
    if (!st) {
        snprintf(question, sizeof(question), "Delete %s, leaving %lld faces without a person?",
                 p->name, (long long)p->n_faces);
        st = cli_confirm(cli, question, err);
    }
    if (!st)
        st = ims_people_delete(e, &by, id, &n, err);
    ims__arena_release(&arena);
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(result_json("faces", (int64_t)n, 0), err);
    printf("deleted; %zu faces are nobody's now. `imgsearch people history` has the number to undo "
           "it\n",
           n);
    return IMS_OK;
}

static ims_status run_delete(struct cli *cli, ims_err *err)
{
    ims_status st = need_words(cli, 1, "name one person (several words in quotes)", err);

    return st ? st : with_engine(cli, delete_person, err);
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
    ims_status st =
        need_words(cli, 1, "give the number of the change (`imgsearch people history`)", err);

    return st ? st : with_engine(cli, undo, err);
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
