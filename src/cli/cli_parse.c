/* Reads the command line against the table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/text.h"
#include "cli/cli_people.h"

#include <stdio.h>
#include <string.h>

const struct cli_option cli_global_options[] = {
    { "data", 'd', "DIR", "Data directory (IMS_DATA).", IMS_CFG_DATA },
    { "database", 0, "URL", "PostgreSQL in place of SQLite in the data directory (DATABASE_URL).",
      IMS_CFG_DATABASE_URL },
    { "model", 'm', "NAME", "Model by name or folder (IMS_MODEL).", IMS_CFG_MODEL },
    { "precision", 0, "NAME", "fp32, fp16, int8 or auto (IMS_PRECISION).", IMS_CFG_PRECISION },
    { "device", 0, "NAME", "Compute device (DEVICE): auto, cpu, cuda, cuda:N, mps, webgpu ...", IMS_CFG_DEVICE },
    { "threads", 't', "N", "Threads; 0 = as many as may be used (IMS_THREADS).", IMS_CFG_THREADS },
    { "log-level", 0, "LEVEL", "debug, info, warning, error, off (IMS_LOG_LEVEL).", IMS_CFG_LOG_LEVEL },
    { "json", 'j', NULL, "Answer in JSON.", CLI_NO_CFG },
    { "help", 'h', NULL, "Show this help.", CLI_NO_CFG },
    { "version", 'V', NULL, "Show the version.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

const struct cli_command *const cli_commands[] = {
    &cli_cmd_index,
    &cli_cmd_serve,
    &cli_cmd_worker,
    &cli_cmd_search,
    &cli_cmd_similar,
    &cli_cmd_show,
    &cli_cmd_status,
    &cli_cmd_verify,
    &cli_cmd_embed,
    &cli_cmd_faces_detect,
    &cli_cmd_faces_cluster,
    &cli_cmd_faces_dual,
    &cli_cmd_faces_split,
    &cli_cmd_faces_stats,
    &cli_cmd_faces_train,
    &cli_cmd_faces_find_orphans,
    &cli_cmd_faces_assign,
    &cli_cmd_faces_suggestions,
    &cli_cmd_faces_centroids,
    &cli_cmd_people_list,
    &cli_cmd_people_show,
    &cli_cmd_people_name,
    &cli_cmd_people_merge,
    &cli_cmd_people_unmerge,
    &cli_cmd_people_split,
    &cli_cmd_people_move,
    &cli_cmd_people_reject,
    &cli_cmd_people_hide,
    &cli_cmd_people_delete,
    &cli_cmd_people_history,
    &cli_cmd_people_undo,
    &cli_cmd_people_export,
    &cli_cmd_people_import,
    &cli_cmd_people, /* the short form comes last */
    &cli_cmd_tokenize,
    &cli_cmd_devices,
    &cli_cmd_models_list,
    &cli_cmd_models_pull,
    &cli_cmd_models_import,
    &cli_cmd_models_verify,
    &cli_cmd_models_remove,
    &cli_cmd_models_use,
    &cli_cmd_models_drop_vectors,
    &cli_cmd_runtime_list,
    &cli_cmd_runtime_use,
    &cli_cmd_runtime_pull,
    &cli_cmd_bench,
    &cli_cmd_config,
    &cli_cmd_index_info,
    &cli_cmd_doctor,
    NULL,
};

const char *cli_value(const struct cli *cli, const char *name)
{
    for (size_t i = cli->n_given; i > 0; i--) {
        if (strcmp(cli->given[i - 1].option->name, name) == 0)
            return cli->given[i - 1].value;
    }
    return NULL;
}

bool cli_has(const struct cli *cli, const char *name)
{
    return cli_value(cli, name) != NULL;
}

ims_status cli_number(const struct cli *cli, const char *name, int64_t min, int64_t max, int64_t fallback,
                      int64_t *out, ims_err *err)
{
    const char *value = cli_value(cli, name);

    if (!value) {
        *out = fallback;
        return IMS_OK;
    }
    if (!ims__parse_int(value, min, max, out))
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "--%s is \"%s\"; it must be a whole number from %lld to %lld",
                        name, value, (long long)min, (long long)max);
    return IMS_OK;
}

ims_status cli_joined_words(const struct cli *cli, const char *what, char **out, ims_err *err)
{
    struct ims_buf b;
    ims_status st;

    if (cli->n_words == 0)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "%s are missing; `imgsearch %s --help` shows how", what,
                        cli->command->name);
    ims__buf_init(&b, (size_t)1 << 20);
    for (size_t i = 0; i < cli->n_words; i++) {
        if (i)
            (void)ims__buf_add_char(&b, ' ');
        (void)ims__buf_add_str(&b, cli->words[i]);
    }
    st = ims__buf_status(&b);
    if (!st)
        *out = ims__buf_take(&b, NULL);
    ims__buf_release(&b);
    return st ? ims_fail(err, st, "cli", 0, "reading the command line") : IMS_OK;
}

/* ---- finding commands and options ---- */

/* How many letters must change to make a into b (Levenshtein), for "did you mean". */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);

    if (n >= 63 || strlen(a) >= 63)
        return 63;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

static ims_status fail_command(const char *word, ims_err *err)
{
    const char *nearest = NULL;
    size_t best = 3;

    for (size_t i = 0; cli_commands[i]; i++) {
        size_t d = edit_distance(word, cli_commands[i]->name);

        if (d < best) {
            best = d;
            nearest = cli_commands[i]->name;
        }
    }
    if (nearest)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "there is no command \"%s\"; did you mean \"%s\"?", word,
                        nearest);
    return ims_fail(err, IMS_E_USAGE, "cli", 0,
                    "there is no command \"%s\"; `imgsearch --help` lists the commands", word);
}

static const struct cli_option *find_in(const struct cli_option *options, const char *name, size_t n, char letter)
{
    for (const struct cli_option *o = options; o && o->name; o++) {
        if (letter ? o->letter == letter : strlen(o->name) == n && strncmp(o->name, name, n) == 0)
            return o;
    }
    return NULL;
}

static const struct cli_option *find_option(const struct cli *cli, const char *name, size_t n, char letter)
{
    const struct cli_option *o = find_in(cli_global_options, name, n, letter);

    return o || !cli->command ? o : find_in(cli->command->options, name, n, letter);
}

static ims_status fail_option(const struct cli *cli, const char *arg, ims_err *err)
{
    const struct cli_option *lists[] = { cli_global_options, cli->command ? cli->command->options : NULL };
    const char *nearest = NULL;
    size_t best = 3;

    for (size_t i = 0; i < 2; i++) {
        for (const struct cli_option *o = lists[i]; o && o->name; o++) {
            size_t d = ims__starts_with(arg, "--") ? edit_distance(arg + 2, o->name) : best;

            if (d < best) {
                best = d;
                nearest = o->name;
            }
        }
    }
    if (nearest)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "there is no option \"%s\"; did you mean \"--%s\"?", arg,
                        nearest);
    return ims_fail(err, IMS_E_USAGE, "cli", 0, "there is no option \"%s\"; `imgsearch %s%s--help` lists them",
                    arg, cli->command ? cli->command->name : "", cli->command ? " " : "");
}

/* The second words that go with a first one, for the message that one is missing. */
static ims_status fail_second_word(const char *first, ims_err *err)
{
    struct ims_buf list;
    ims_status st;
    size_t n = strlen(first);

    ims__buf_init(&list, 400);
    for (size_t k = 0; cli_commands[k]; k++) {
        const char *name = cli_commands[k]->name;

        if (strncmp(name, first, n) == 0 && name[n] == ' ')
            (void)ims__buf_addf(&list, "%simgsearch %s", list.len ? ", " : "", name);
    }
    st = ims_fail(err, IMS_E_USAGE, "cli", 0, "\"%s\" wants a second word: %s", first, list.data ? list.data : "");
    ims__buf_release(&list);
    return st;
}

/* Takes a word as (part of) the command's name. Names of two words need both. */
static ims_status take_command(struct cli *cli, int argc, char **argv, int *i, ims_err *err)
{
    bool is_first_word = false;

    for (size_t k = 0; cli_commands[k]; k++) {
        const char *name = cli_commands[k]->name;
        size_t n = strcspn(name, " ");

        if (strlen(argv[*i]) != n || strncmp(name, argv[*i], n) != 0)
            continue;
        if (!name[n]) {
            cli->command = cli_commands[k];
            return IMS_OK;
        }
        if (*i + 1 < argc && strcmp(argv[*i + 1], name + n + 1) == 0) {
            ++*i;
            cli->command = cli_commands[k];
            return IMS_OK;
        }
        is_first_word = true;
    }
    if (is_first_word && *i + 1 < argc && (strcmp(argv[*i + 1], "--help") == 0 || strcmp(argv[*i + 1], "-h") == 0)) {
        cli->group = argv[*i];
        return IMS_OK;
    }
    return is_first_word ? fail_second_word(argv[*i], err) : fail_command(argv[*i], err);
}

static ims_status add_given(struct cli *cli, const struct cli_option *o, const char *value, ims_err *err)
{
    if (cli->n_given == CLI_MAX_OPTIONS)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "more than %d options", CLI_MAX_OPTIONS);
    cli->given[cli->n_given].option = o;
    cli->given[cli->n_given++].value = value;
    return IMS_OK;
}

/* --name, --name=value, --name value, -x, -x value, -xvalue. */
static ims_status take_option(struct cli *cli, int argc, char **argv, int *i, ims_err *err)
{
    const char *arg = argv[*i], *value = NULL;
    const struct cli_option *o;

    if (arg[1] == '-') {
        size_t n = strcspn(arg + 2, "=");

        o = find_option(cli, arg + 2, n, 0);
        if (arg[2 + n] == '=')
            value = arg + 3 + n;
    } else {
        o = find_option(cli, NULL, 0, arg[1]);
        if (arg[2])
            value = arg + 2;
    }
    if (!o)
        return fail_option(cli, arg, err);
    if (!o->value && value)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "--%s takes no value", o->name);
    if (o->value && !value) {
        if (*i + 1 >= argc)
            return ims_fail(err, IMS_E_USAGE, "cli", 0, "--%s needs a value: %s", o->name, o->value);
        value = argv[++*i];
    }
    return add_given(cli, o, value ? value : "", err);
}

static ims_status answer_help(struct cli *cli, ims_err *err)
{
    struct cli asked = { 0 };
    int i = 0;
    ims_status st;

    if (cli->n_words == 0) {
        cli_print_help(NULL);
        return IMS_OK;
    }
    if (strcmp(cli->words[0], "--markdown") == 0) {
        cli_print_markdown();
        return IMS_OK;
    }
    if (cli->n_words == 1 && cli_is_group(cli->words[0])) {
        cli_print_group(cli->words[0]);
        return IMS_OK;
    }
    st = take_command(&asked, (int)cli->n_words, (char **)(uintptr_t)cli->words, &i, err);
    if (!st)
        cli_print_help(asked.command);
    return st;
}

/* `help COMMAND`, `version`: words rather than commands, as they need no settings. */
static bool is_help_word(const char *word)
{
    return strcmp(word, "help") == 0;
}

static ims_status take_all(struct cli *cli, int argc, char **argv, bool *out_is_help, ims_err *err)
{
    bool is_only_words = false;
    ims_status st = IMS_OK;

    for (int i = 1; !st && i < argc; i++) {
        if (!is_only_words && strcmp(argv[i], "--") == 0) {
            is_only_words = true;
        } else if (!is_only_words && !*out_is_help && argv[i][0] == '-' && argv[i][1]) {
            st = take_option(cli, argc, argv, &i, err);
        } else if (!cli->command && !*out_is_help && is_help_word(argv[i])) {
            *out_is_help = true;
        } else if (!cli->command && !*out_is_help && strcmp(argv[i], "version") == 0) {
            st = add_given(cli, find_in(cli_global_options, "version", 7, 0), "", err);
        } else if (!cli->command && !*out_is_help) {
            st = take_command(cli, argc, argv, &i, err);
        } else if (cli->n_words == CLI_MAX_WORDS) {
            st = ims_fail(err, IMS_E_USAGE, "cli", 0, "more than %d words", CLI_MAX_WORDS);
        } else {
            cli->words[cli->n_words++] = argv[i];
        }
    }
    return st;
}

ims_status cli_parse(struct cli *cli, int argc, char **argv, bool *out_is_answered, ims_err *err)
{
    bool is_help = false;
    ims_status st = take_all(cli, argc, argv, &is_help, err);

    if (st)
        return st;
    *out_is_answered = true;
    if (is_help)
        return answer_help(cli, err);
    if (cli_has(cli, "help")) {
        if (cli->group)
            cli_print_group(cli->group);
        else
            cli_print_help(cli->command);
        return IMS_OK;
    }
    if (cli_has(cli, "version")) {
        printf("imgsearch %s\n", IMS_VERSION);
        return IMS_OK;
    }
    if (!cli->command) {
        cli_print_help(NULL);
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "a command is missing");
    }
    cli->is_json = cli_has(cli, "json");
    *out_is_answered = false;
    return IMS_OK;
}
