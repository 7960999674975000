/* Runs the cases of cases.txt: a command, its exit code, what it must and must not say.
 *
 * A case is a paragraph:
 *     # a sentence
 *     env: NAME=value            (any number)
 *     $ search --limit 0 car     ('...' keeps blanks together)
 *     exit: 2
 *     out: text that stdout must hold      out! text that it must not hold      err: err! alike
 *     json: key                  stdout is a JSON object (or array) that has this key (in its first member)
 * @DATA@ is a library made of the demo pictures, @EMPTY@ a data directory that does not exist, @DEMO@ the
 * demo folder, @TMP@ an empty folder, @SOURCE@ the source tree. --data @DATA@ is given unless the case
 * says otherwise.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/library.h"

#include "base/mem.h"
#include "base/buf.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CASES 200
#define MAX_LINES 40

struct cli_case {
    struct test_case test;
    char *lines[MAX_LINES];
    size_t n_lines;
};

static struct cli_case cases[MAX_CASES];
static size_t n_cases, running;
static struct library library;
static char empty_dir[700], tmp_dir[700];

static void make_library(void)
{
    char words[1200];

    if (library.data[0])
        return;
    library_init(&library);
    snprintf(tmp_dir, sizeof(tmp_dir), "%s", test_tmp_dir());
    snprintf(empty_dir, sizeof(empty_dir), "%s/none", tmp_dir);
    snprintf(words, sizeof(words), "index\n--quiet\n%s", test_source_path("demo"));
    library_run(&library, 0, words);
}

/* Blanks become '\n' (as run_imgsearch wants words), except in '...'; @NAMES@ are replaced. */
static char *expand(const char *line)
{
    const struct {
        const char *name, *value;
    } names[] = { { "@DATA@", library.data }, { "@EMPTY@", empty_dir }, { "@TMP@", tmp_dir },
                  { "@DEMO@", test_source_path("demo") }, { "@SOURCE@", test_source_path(".") } };
    struct ims_buf b;
    bool is_quoted = false;

    ims__buf_init(&b, 10000);
    while (*line) {
        bool is_name = false;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (ims__starts_with(line, names[i].name)) {
                (void)ims__buf_add_str(&b, names[i].value);
                line += strlen(names[i].name);
                is_name = true;
                break;
            }
        }
        if (is_name)
            continue;
        if (*line == '\'')
            is_quoted = !is_quoted;
        else
            (void)ims__buf_add_char(&b, *line == ' ' && !is_quoted ? '\n' : *line);
        line++;
    }
    return ims__buf_take(&b, NULL);
}

static void check_json(const struct run_result *r, const char *key)
{
    ims_json *v = NULL;
    const ims_json *o;
    ims_err err;

    CHECK_OK(ims__json_parse(&v, r->out, r->out_len, "stdout", &err), err);
    o = ims__json_type(v) == IMS_JSON_ARRAY ? ims__json_at(v, 0) : v;
    if (!ims__json_get(o, key))
        test_fail(__FILE__, __LINE__, "the JSON has no \"%s\"", key);
    ims__json_free(v);
}

static void check_line(const struct run_result *r, const char *line)
{
    const char *what = strchr(line, ' ');
    const char *text = ims__starts_with(line, "err") ? r->err : r->out;

    what = what ? what + 1 : "";
    if (ims__starts_with(line, "exit: ")) {
        if (r->exit_code != atol(what))
            test_fail(__FILE__, __LINE__, "exit code %d (signal %d), expected %s; stderr: %s", r->exit_code, r->signal, what,
                      r->err);
    } else if (ims__starts_with(line, "json: ")) {
        check_json(r, what);
    } else if (ims__starts_with(line, "out: ") || ims__starts_with(line, "err: ")) {
        if (!strstr(text, what))
            test_fail(__FILE__, __LINE__, "\"%s\" is not in: %.600s", what, text);
    } else if (ims__starts_with(line, "out! ") || ims__starts_with(line, "err! ")) {
        if (strstr(text, what))
            test_fail(__FILE__, __LINE__, "\"%s\" is in: %.600s", what, text);
    } else {
        test_fail(__FILE__, __LINE__, "cases.txt: what is \"%s\"?", line);
    }
}

/* Runs the command at line i and checks the lines up to the next one; returns where that is. */
static size_t run_command(const struct cli_case *c, size_t i, const struct run_options *o)
{
    char *words = expand(c->lines[i] + 2);
    struct run_result r = { 0 };

    run_imgsearch(&r, o, strstr(words, "--data") ? NULL : library.data, words);
    for (i++; i < c->n_lines && !ims__starts_with(c->lines[i], "$ "); i++)
        check_line(&r, c->lines[i]);
    run_release(&r);
    ims__free(words);
    return i;
}

static void run_case(void)
{
    struct cli_case *c = &cases[running++];
    const char *env[MAX_LINES] = { 0 };
    char *own[MAX_LINES] = { 0 }; /* of env, made here */
    struct run_options o = { .env = env };
    size_t n_env = 0, i = 0;

    make_library();
    for (size_t k = 0; library.env[k]; k++)
        env[n_env++] = library.env[k];
    for (; i < c->n_lines && ims__starts_with(c->lines[i], "env: "); i++)
        env[n_env++] = own[i] = expand(c->lines[i] + 5);
    CHECK(i < c->n_lines && ims__starts_with(c->lines[i], "$ "));
    while (i < c->n_lines)
        i = run_command(c, i, &o);
    for (i = 0; i < MAX_LINES; i++)
        ims__free(own[i]);
}

static void load_cases(void)
{
    char *text = test_read_file(test_source_path("tests/cli/cases.txt"), NULL), *save = NULL;
    struct cli_case *c = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (ims__starts_with(line, "# ")) {
            if (n_cases == MAX_CASES)
                abort();
            c = &cases[n_cases++];
            c->test = (struct test_case){ .sentence = line + 2, .fn = run_case };
            test_register(&c->test);
        } else if (c && line[0]) {
            if (c->n_lines == MAX_LINES)
                abort();
            c->lines[c->n_lines++] = line;
        }
    }
}

/* No filter by sentence here: cases find themselves by their order. */
int main(void)
{
    char *argv[] = { NULL, NULL };

    load_cases();
    return test_main(1, argv);
}
