/* Every command of the program's own table on a machine without an accelerator: with DEVICE=cpu it does its
 * work, and it does not talk about hardware that is not there. A command without a row here fails the test.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"
#include "integration/library.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COMMANDS 100

/* Words are separated by '|'; @NAMES@ are replaced as in cases.txt. exit: what the command must end with. */
static const struct row {
    const char *command, *words;
    int exit_code;
    int or_exit_code; /* where it depends on which packs are installed; 0 = it does not */
} rows[] = {
    { "index", "@DEMO@", 0, 0 },
    { "search", "a red car", 0, 0 },
    { "similar", "1", 0, 0 },
    { "show", "1", 0, 0 },
    { "status", "", 0, 0 },
    { "verify", "--sample|3", 0, 0 },
    { "embed", "a red car", 0, 0 },
    { "tokenize", "a red car", 0, 0 },
    { "faces detect", "", 0, 18 },
    { "faces stats", "", 0, 0 },
    { "faces train", "--list", 0, 0 },
    { "faces find-orphans", "", 0, 0 },
    { "faces cluster", "", 0, 18 },
    { "faces dual", "", 0, 18 },
    { "faces split", "999999", 5, 0 },
    { "faces assign", "--dry-run", 0, 0 },
    { "faces suggestions", "", 0, 0 },
    { "faces centroids", "", 0, 0 },
    { "people list", "", 0, 0 },
    { "people show", "no-such-person", 5, 0 },
    { "people name", "Anna", 0, 0 },
    { "people merge", "Anna|Anna|--yes", 2, 0 },
    { "people unmerge", "Anna", 22, 0 },
    { "people split", "Anna|Bert|--face|999999", 5, 0 },
    { "people move", "999999|Anna", 5, 0 },
    { "people reject", "999999|Anna", 5, 0 },
    { "people hide", "Anna", 0, 0 },
    { "people delete", "Anna|--yes", 0, 0 },
    { "people history", "", 0, 0 },
    { "people undo", "999999", 5, 0 },
    { "people export", "-", 0, 0 },
    { "people import", "@TMP@/none", 5, 0 },
    { "people", "", 0, 0 },
    { "devices", "", 0, 0 },
    { "bench", "--batch|1", 0, 0 },
    { "models list", "", 0, 0 },
    { "models pull", "no-such-model", 5, 0 },
    { "models import", "@TMP@/none", 5, 0 },
    { "models verify", "demo", 0, 0 },
    { "models remove", "no-such-model", 5, 0 },
    { "models use", "demo", 0, 0 },
    { "models drop-vectors", "no-such-model", 5, 0 },
    { "runtime list", "", 0, 0 },
    { "runtime use", "@TMP@/none.so", 5, 0 },
    { "runtime pull", "no-such-runtime", 2, 0 },
    { "serve", "--host|0.0.0.0", 15, 0 }, /* serving itself is tested over HTTP */
    { "worker", "--no-such-option", 2, 0 }, /* and so is a worker's work */
    { "config", "", 0, 0 },
    { "index-info", "--verify", 0, 0 },
    { "doctor", "", 0, 0 },
};

static struct library library;
static char commands[MAX_COMMANDS][64];
static size_t n_commands;

/* From the table itself, as the manual is. */
static void read_commands(void)
{
    static const char head[] = "## imgsearch ";
    struct run_options o = { 0 };
    struct run_result r;

    run_imgsearch(&r, &o, library.data, "help\n--markdown");
    CHECK_INT(r.exit_code, 0);
    for (const char *s = r.out; (s = strstr(s, head)) != NULL && n_commands < MAX_COMMANDS;) {
        s += sizeof(head) - 1;
        snprintf(commands[n_commands++], sizeof(commands[0]), "%.*s", (int)strcspn(s, "\n"), s);
    }
    run_release(&r);
}

static const struct row *find_row(const char *command)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].command, command) == 0)
            return &rows[i];
    }
    return NULL;
}

/* "models list" and "a|b" to words on lines, @TMP@ and @DEMO@ replaced. */
static void spell(const struct row *row, char *out, size_t size)
{
    const char *parts[] = { row->command, row->words };
    size_t n = 0;

    for (size_t p = 0; p < 2; p++) {
        for (const char *s = parts[p]; *s && n + 1 < size;) {
            if (strncmp(s, "@TMP@", 5) == 0 || strncmp(s, "@DEMO@", 6) == 0) {
                n += (size_t)snprintf(out + n, size - n, "%s",
                                      s[1] == 'T' ? library.photos : test_source_path("demo"));
                s += s[1] == 'T' ? 5 : 6;
                continue;
            }
            out[n++] = (p == 0 && *s == ' ') || (p == 1 && *s == '|') ? '\n' : *s;
            s++;
        }
        if (p == 0 && row->words[0])
            out[n++] = '\n';
    }
    out[n < size ? n : size - 1] = '\0';
}

static bool says_cuda(const char *text)
{
    for (const char *s = text; *s; s++) {
        static const char word[] = "cuda";
        size_t i = 0;

        while (word[i] && tolower((unsigned char)s[i]) == word[i])
            i++;
        if (!word[i])
            return true;
    }
    return false;
}

static void check_command(const struct row *row, const char *device)
{
    const char *env[] = { device, "IMS_LOG_LEVEL=debug", NULL };
    struct run_options o = { .env = env };
    struct run_result r;
    char words[2000];

    spell(row, words, sizeof(words));
    run_imgsearch(&r, &o, library.data, words);
    if (r.exit_code != row->exit_code && (!row->or_exit_code || r.exit_code != row->or_exit_code))
        test_fail(__FILE__, __LINE__, "%s with %s: exit code %d, expected %d: %s", row->command, device, r.exit_code,
                  row->exit_code, r.err);
    if (!ims_device_has_cuda_driver() && (says_cuda(r.out) || says_cuda(r.err)))
        test_fail(__FILE__, __LINE__, "%s with %s talks about CUDA: %s%s", row->command, device, r.out, r.err);
    run_release(&r);
}

TEST(all_commands, "every command works with DEVICE=cpu, and none talks about CUDA where there is none")
{
    library_init(&library);
    read_commands();
    CHECK(n_commands >= 20);
    for (size_t i = 0; i < n_commands; i++) {
        const struct row *row = find_row(commands[i]);

        if (!row) {
            test_fail(__FILE__, __LINE__, "the command \"%s\" is new: give it a row in this file", commands[i]);
            continue;
        }
        check_command(row, "DEVICE=cpu");
    }
}

TEST(by_itself, "without any setting, too, no command talks about CUDA where there is none")
{
    for (size_t i = 0; i < n_commands; i++) {
        const struct row *row = find_row(commands[i]);

        if (row && strcmp(row->command, "index") != 0 && strcmp(row->command, "bench") != 0) /* long */
            check_command(row, "DEVICE=auto");
    }
}

TEST_MAIN
