/* imgsearch people name, split, move, reject: whose faces they are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/cli_people.h"

#include <stdio.h>
#include <string.h>

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

struct named {
    int64_t person_id, event_id;
    size_t n_faces, n_skipped;
    bool is_new;
};

static ims_status print_as(const struct cli *cli, const char *name, const struct named *x, ims_err *err)
{
    char counted[CLI_COUNTED_BYTES];
    ims_json *o;

    if (cli->is_json) {
        o = cli_change_json("person", x->person_id, x->event_id);
        (void)ims__json_set(o, "name", ims__json_new_str(name));
        (void)ims__json_set(o, "created", ims__json_new_bool(x->is_new));
        (void)ims__json_set(o, "faces", ims__json_new_int((int64_t)x->n_faces));
        (void)ims__json_set(o, "skipped", ims__json_new_int((int64_t)x->n_skipped));
        return cli_print_json(o, err);
    }
    printf("%s %s%s (person %lld)\n", cli_counted(counted, x->n_faces, "face is", "faces are"), name,
           x->is_new ? ", who is new" : "", (long long)x->person_id);
    if (x->n_skipped)
        printf("%s left out: a better face of the same photo, or not that person by your word "
               "(--twice takes those of one photo too)\n",
               cli_counted(counted, x->n_skipped, "face was", "faces were"));
    cli_print_undo(x->event_id);
    return IMS_OK;
}

/* By the name as the library has it, which may be written otherwise than it was given. */
static ims_status print_named(const struct cli *cli, struct ims_engine *e, const struct named *x, ims_err *err)
{
    struct ims_store_person *p = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = cli_person_of(e, x->person_id, &arena, &p, err);
    if (!st)
        st = print_as(cli, p->name, x, err);
    ims__arena_release(&arena);
    return st;
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
              : print_named(cli, e,
                            &(struct named){ what.named_person_id, what.event_id, what.n_faces, what.n_skipped,
                                             what.is_new_person },
                            err);
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
              : print_named(cli, e,
                            &(struct named){ what.person_id, what.event_id, what.n_changed, 0, what.is_new_person }, err);
}

static ims_status rename_person(struct cli *cli, struct ims_engine *e, const char *name,
                                ims_err *err)
{
    const char *born = cli_value(cli, "born");
    struct ims_people_by by = cli_by(cli);
    struct ims_store_person_change change = { .name = name, .has_birth_date = born != NULL };
    int64_t id = 0;
    ims_status st = ims_people_find(e, cli_value(cli, "person"), false, &id, err);

    change.birth_date = born && strcmp(born, "none") != 0 ? born : NULL;
    if (!st)
        st = ims_people_change(e, &by, id, &change, err);
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(cli_change_json("person", id, ims_people_event(e)), err);
    printf("person %lld is %s\n", (long long)id, name ? name : "changed");
    cli_print_undo(ims_people_event(e));
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
        return cli_print_json(cli_change_json("person", id, ims_people_event(e)), err);
    printf("%s is person %lld\n", name, (long long)id);
    cli_print_undo(ims_people_event(e));
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
    return cli_run_change(cli, 0, CLI_MAX_WORDS, "", name, err);
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
    ims_status st = ims_people_find(e, cli->words[0], false, &person_id, err);

    if (!st)
        st = cli_rest(cli, 1, "the words of the new name", &text, err);
    if (!st)
        st = cli_ids(cli_value(cli, "face"), "face", &ids, &n, err);
    if (!st)
        st = ims_people_split(e, &by, person_id, ids, n, text, &id, err);
    if (!st)
        st = print_named(cli, e, &(struct named){ id, ims_people_event(e), n, 0, true }, err);
    ims__free(ids);
    ims__free(text);
    return st;
}

static ims_status run_split(struct cli *cli, ims_err *err)
{
    static const char what[] = "name the person, the new name, and with --face which faces are meant";

    return cli_has(cli, "face") ? cli_run_change(cli, 2, CLI_MAX_WORDS, what, split, err)
                                : ims_fail(err, IMS_E_USAGE, "cli", 0, "%s", what);
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
    return cli_run_change(cli, 2, CLI_MAX_WORDS, "name the faces (N,N,...) and the person", move, err);
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

static ims_status reject(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    bool on = !cli_has(cli, "off");
    char counted[CLI_COUNTED_BYTES];
    int64_t *ids = NULL, person_id = 0;
    size_t n = 0, n_removed = 0;
    ims_status st = ims_people_find(e, cli->words[1], false, &person_id, err);

    if (!st)
        st = cli_ids(cli->words[0], "face", &ids, &n, err);
    if (!st)
        st = ims_people_reject(e, &by, ids, n, person_id, on, &n_removed, err);
    ims__free(ids);
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(cli_change_json("removed", (int64_t)n_removed, ims_people_event(e)), err);
    if (on)
        printf("%s not that person, and will not become it by %s\n",
               cli_counted(counted, n, "face is", "faces are"), n == 1 ? "itself" : "themselves");
    else
        printf("%s may be that person again\n", cli_counted(counted, n, "face", "faces"));
    cli_print_undo(ims_people_event(e));
    return IMS_OK;
}

static ims_status run_reject(struct cli *cli, ims_err *err)
{
    return cli_run_change(cli, 2, 2, "name the faces (N,N,...) and the person (several words in quotes)",
                          reject, err);
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
