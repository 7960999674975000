/* The command line: one table of commands and options that parsing, --help, the documentation and
 * completion are made from.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_CLI_CLI_H
#define IMS_CLI_CLI_H

#include "base/config.h"
#include "base/json.h"
#include "ims/engine.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_MAX_OPTIONS 24
#define CLI_MAX_WORDS 256
#define CLI_NO_CFG (-1)

struct cli_option {
    const char *name;  /* without the dashes; NULL ends a list */
    char letter;       /* 0 = none */
    const char *value; /* what stands for the value in help; NULL = a switch */
    const char *doc;
    int cfg;           /* the setting that it sets, or CLI_NO_CFG */
};

struct cli;

struct cli_command {
    const char *name;    /* one word, or two ("models list") */
    const char *summary; /* one line */
    const char *words;   /* "DIR..." */
    const char *details; /* paragraphs; may be NULL */
    const char *examples; /* one a line: command, two spaces, what it does */
    const struct cli_option *options;
    ims_status (*run)(struct cli *cli, ims_err *err);
};

extern const struct cli_option cli_global_options[];
extern const struct cli_command *const cli_commands[]; /* ended by NULL */

/* One invocation. */
struct cli {
    const struct cli_command *command;
    const char *group; /* the first of two words, where --help is asked about all of them; otherwise NULL */
    struct ims_config *config;
    const char *words[CLI_MAX_WORDS];
    size_t n_words;
    struct {
        const struct cli_option *option;
        const char *value; /* "" for a switch */
    } given[CLI_MAX_OPTIONS];
    size_t n_given;
    bool is_json;
    bool prove_again; /* devices: earlier proofs do not count */
    char *data_dir;
    char *model_roots[3];
    size_t n_model_roots;
};

/* The last value given for an option of the command, NULL if it was not given. */
const char *cli_value(const struct cli *cli, const char *name);
bool cli_has(const struct cli *cli, const char *name);
/* A number in a range, fallback when it was not given. IMS_E_USAGE. */
ims_status cli_number(const struct cli *cli, const char *name, int64_t min, int64_t max, int64_t fallback,
                      int64_t *out, ims_err *err) IMS_MUST_CHECK;
/* All words joined by spaces; ims__free. IMS_E_USAGE when there is none. what: "the words to search for". */
ims_status cli_joined_words(const struct cli *cli, const char *what, char **out, ims_err *err) IMS_MUST_CHECK;

/* cli_parse.c: IMS_E_USAGE with the nearest right name. Help and version are answered there:
 * then *out_is_answered. */
ims_status cli_parse(struct cli *cli, int argc, char **argv, bool *out_is_answered, ims_err *err)
    IMS_MUST_CHECK;

/* cli_help.c */
void cli_print_help(const struct cli_command *command); /* NULL: the overview */
bool cli_is_group(const char *first);    /* no command by itself, but the first word of some */
void cli_print_group(const char *first); /* the commands of two words that begin with this one */
void cli_print_markdown(void); /* docs/cli.md */

/* cli_setup.c */
ims_status cli_load_config(struct cli *cli, ims_err *err) IMS_MUST_CHECK;
ims_status cli_finish_config(struct cli *cli, ims_err *err) IMS_MUST_CHECK;
ims_status cli_open_engine(struct cli *cli, bool is_read_only, struct ims_engine **out, ims_err *err)
    IMS_MUST_CHECK;
/* An engine without a library, for what needs only the model. */
ims_status cli_open_bare_engine(struct cli *cli, struct ims_engine **out, ims_err *err) IMS_MUST_CHECK;
/* Device settings from the configuration; strings are borrowed. */
struct ims_device_settings;
void cli_device_settings(const struct cli *cli, struct ims_device_settings *out);
void cli_release(struct cli *cli);
extern const char *cli_program; /* argv[0], for where it lies */
char *cli_executable_path(void); /* ims__free; NULL when it cannot be told */
char *cli_executable_dir(void); /* ims__free; NULL when it cannot be told */
char *cli_config_path(void);    /* of the config file, there or not; ims__free; NULL when it cannot be told */

/* cli_output.c: stdout. Failing to write is an error of its own. */
ims_status cli_print_json(ims_json *take, ims_err *err) IMS_MUST_CHECK;
/* Paths are bytes: the display form (base/text.h), in which nothing is lost. */
ims_json *cli_path_json(const char *path);
ims_json *cli_time_json(int64_t us);
ims_json *cli_asset_json(const struct ims_asset *a);
void cli_print_path(const char *path); /* display form, no line end */
/* FILE|ID: the number of an asset, 0 for a file. A file that is called 12 is meant before asset 12. */
int64_t cli_asset_id(const char *word);
ims_status cli_flush(ims_err *err) IMS_MUST_CHECK;
/* Says so when the demo model serves: the first line of a text answer. */
void cli_note_demo(const struct cli *cli, const struct ims_model_facts *model);
void cli_note_device(struct ims_engine *e);
/* For services, before they begin: a device that was named must pass its test, and what computes is
 * logged. On a machine where only the CPU can, nothing is loaded for that. */
ims_status cli_settle_device(struct ims_engine *e, ims_err *err) IMS_MUST_CHECK;
/* Says on stderr when a text is longer than the model reads. */
void cli_note_cut(struct ims_engine *e, const char *text);
/* " A B": what a runtime was built with. NVIDIA's where there is no driver of theirs are left out: they
 * would read like a promise. JSON has them all. */
struct ims_compute_info;
void cli_print_providers(const struct ims_compute_info *info);
bool cli_is_terminal(int fd);

/* cli_self.c: this program again, with these words, ended by NULL; what it prints is added to out. Its exit
 * code, or 128 and the signal that ended it. */
struct ims_buf;
ims_status cli_run_self(const char *const *argv, struct ims_buf *out, int *out_exit, ims_err *err)
    IMS_MUST_CHECK;

/* cli_signal.c: SIGINT and SIGTERM ask for an orderly end; the second one ends at once. */
void cli_catch_signals(void);
bool cli_is_interrupted(void);

/* cli_ingest.c, shared by index and faces detect: progress and notes into o, and afterwards the summary. st is
 * what the run returned; model NULL: no picture was embedded. */
struct cli_progress;
void cli_start_ingest(const struct cli *cli, struct cli_progress *progress, struct ims_index_options *o);
ims_status cli_end_ingest(const struct cli *cli, struct ims_engine *e, struct cli_progress *progress, ims_status st,
                          const struct ims_index_summary *summary, const char *model, ims_err *err) IMS_MUST_CHECK;

/* cmd_search.c, shared by search and similar */
ims_status cli_run_query(struct cli *cli, struct ims_engine *e, struct ims_search_query *query,
                         const char *shown, ims_err *err) IMS_MUST_CHECK;
/* cli_faces_look.c: faces detect --dry-run */
ims_status cli_look_at_faces(struct cli *cli, ims_err *err) IMS_MUST_CHECK;
/* cli_html.c. Pages in the style of the contact sheet: begin with a title, add, write. Failures of the buffer
 * show when it is written. */
void cli_html_start(struct ims_buf *b, const char *title);
void cli_html_text(struct ims_buf *b, const char *bytes);                   /* the display form, escaped */
void cli_html_jpeg(struct ims_buf *b, const uint8_t *jpeg, size_t n_bytes); /* as the value of src */
ims_status cli_html_write(struct ims_buf *b, const char *path, ims_err *err) IMS_MUST_CHECK;
ims_status cli_write_html(struct ims_engine *e, const struct ims_search_results *r, const char *title,
                          const char *model, const char *path, ims_err *err) IMS_MUST_CHECK;

/* One a line: several hands add to this list. */
extern const struct cli_command cli_cmd_index;
extern const struct cli_command cli_cmd_search;
extern const struct cli_command cli_cmd_similar;
extern const struct cli_command cli_cmd_embed;
extern const struct cli_command cli_cmd_tokenize;
extern const struct cli_command cli_cmd_show;
extern const struct cli_command cli_cmd_status;
extern const struct cli_command cli_cmd_verify;
extern const struct cli_command cli_cmd_devices;
extern const struct cli_command cli_cmd_models_list;
extern const struct cli_command cli_cmd_models_pull;
extern const struct cli_command cli_cmd_models_import;
extern const struct cli_command cli_cmd_models_verify;
extern const struct cli_command cli_cmd_models_remove;
extern const struct cli_command cli_cmd_models_use;
extern const struct cli_command cli_cmd_models_drop_vectors;
extern const struct cli_command cli_cmd_runtime_list;
extern const struct cli_command cli_cmd_runtime_use;
extern const struct cli_command cli_cmd_runtime_pull;
extern const struct cli_command cli_cmd_bench;
extern const struct cli_command cli_cmd_config;
extern const struct cli_command cli_cmd_index_info;
extern const struct cli_command cli_cmd_doctor;
extern const struct cli_command cli_cmd_faces_detect;
extern const struct cli_command cli_cmd_faces_stats;
extern const struct cli_command cli_cmd_faces_train;
extern const struct cli_command cli_cmd_faces_find_orphans;
extern const struct cli_command cli_cmd_faces_cluster;
extern const struct cli_command cli_cmd_faces_dual;
extern const struct cli_command cli_cmd_faces_split;
extern const struct cli_command cli_cmd_serve;
extern const struct cli_command cli_cmd_worker;

#define CLI_FACE_OPTIONS                                                                                 \
    { "min-face-score", 0, "P", "Leave out faces that the detector is less sure of (default 0.5).",      \
      IMS_CFG_MIN_FACE_SCORE },                                                                          \
    { "min-face-size", 0, "PX", "Leave out faces of fewer pixels in width or height (default 20).",      \
      IMS_CFG_MIN_FACE_SIZE }

#define CLI_QUERY_OPTIONS                                                                                \
    { "limit", 'n', "N", "How many results, 1 to 10000 (default 10).", CLI_NO_CFG },                     \
    { "offset", 0, "N", "Leave out the first N results.", CLI_NO_CFG },                                  \
    { "in", 'i', "PATH", "Only pictures in this folder or this file.", CLI_NO_CFG },                     \
    { "from", 0, "DATE", "Taken on or after: 2024, 2024-05, 2024-05-17 or a time.", CLI_NO_CFG },        \
    { "until", 0, "DATE", "Taken on or before the end of DATE.", CLI_NO_CFG },                           \
    { "category", 'c', "NAME", "Only pictures of this category.", CLI_NO_CFG },                          \
    { "exact", 0, NULL, "Read every vector in full (IMS_SEARCH_EXACT).", CLI_NO_CFG },                   \
    { "person", 'p', "NAME", "Only pictures of this person; several times: of all of them.", CLI_NO_CFG }, \
    { "html", 0, "FILE", "Also write a contact sheet.", CLI_NO_CFG }

#endif
