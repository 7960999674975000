/* Help and the command-line page of the documentation, from the table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void option_form(const struct cli_option *o, char *out, size_t size)
{
    char letter[8] = "";

    if (o->letter)
        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
    snprintf(out, size, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
}

static void print_options(const struct cli_option *options, const char *title)
{
    if (!options || !options->name)
        return;
    printf("\n%s\n", title);
    for (const struct cli_option *o = options; o->name; o++) {
        char form[64];

        option_form(o, form, sizeof(form));
        printf("  %-24s %s\n", form, o->doc);
    }
}

static void print_indented(const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        printf("  %.*s\n", (int)n, text);
        text += n;
        text += *text == '\n';
    }
}

static void print_overview(void)
{
    printf("imgsearch %s: find photos by words or by another picture, on your own machine.\n\n"
           "Usage: imgsearch [OPTIONS] COMMAND ...\n\nCommands\n",
           IMS_VERSION);
    for (size_t i = 0; cli_commands[i]; i++)
        printf("  %-20s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    printf("  %-20s %s\n", "help", "Explain a command: imgsearch help COMMAND.");
    print_options(cli_global_options, "Options of every command");
    printf("\nExamples\n"
           "  imgsearch index ~/Pictures          read a folder into the library\n"
           "  imgsearch search \"a red car\"        find pictures by words\n"
           "  imgsearch similar holiday.jpg       find pictures that look alike\n"
           "  imgsearch doctor                    check that everything is in place\n");
}

void cli_print_help(const struct cli_command *c)
{
    if (!c) {
        print_overview();
        return;
    }
    printf("%s\n\nUsage: imgsearch %s [OPTIONS]%s%s\n", c->summary, c->name, *c->words ? " " : "",
           c->words);
    if (c->details)
        printf("\n%s\n", c->details);
    print_options(c->options, "Options");
    print_options(cli_global_options, "Options of every command");
    if (c->examples) {
        printf("\nExamples\n");
        print_indented(c->examples);
    }
}

static bool is_in_group(const char *name, const char *first, size_t n)
{
    return strncmp(name, first, n) == 0 && name[n] == ' ';
}

bool cli_is_group(const char *first)
{
    bool is_group = false;

    for (size_t i = 0; cli_commands[i]; i++) {
        if (strcmp(cli_commands[i]->name, first) == 0)
            return false;
        is_group = is_group || is_in_group(cli_commands[i]->name, first, strlen(first));
    }
    return is_group;
}

void cli_print_group(const char *first)
{
    const size_t n = strlen(first);

    printf("Usage: imgsearch %s COMMAND ...\n\nCommands\n", first);
    for (size_t i = 0; cli_commands[i]; i++) {
        const char *name = cli_commands[i]->name;

        if (is_in_group(name, first, n))
            printf("  %-20s %s\n", name, cli_commands[i]->summary);
    }
    printf("\n`imgsearch help COMMAND` explains one of them.\n");
}

static void print_markdown_options(const struct cli_option *options)
{
    if (!options || !options->name)
        return;
    printf("\n| option | meaning |\n|---|---|\n");
    for (const struct cli_option *o = options; o->name; o++) {
        char form[64];

        option_form(o, form, sizeof(form));
        printf("| `%s` | %s |\n", form, o->doc);
    }
}

void cli_print_markdown(void)
{
    printf("# The command line\n\n"
           "Written by `imgsearch help --markdown` from the table that the program parses with.\n\n"
           "Exit codes are those of [errors.md](errors.md): 0 is success.\n\n"
           "## Options of every command\n");
    print_markdown_options(cli_global_options);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_command *c = cli_commands[i];

        printf("\n## imgsearch %s\n\n%s\n\n    imgsearch %s [OPTIONS]%s%s\n", c->name, c->summary, c->name,
               *c->words ? " " : "", c->words);
        if (c->details)
            printf("\n%s\n", c->details);
        print_markdown_options(c->options);
        if (c->examples) {
            printf("\n```\n%s\n```\n", c->examples);
        }
    }
}
