/* What the commands about people share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_CLI_CLI_PEOPLE_H
#define IMS_CLI_CLI_PEOPLE_H

#include "cli/cli.h"
#include "engine/people.h"

#define CLI_BY_OPTIONS                                                                             \
    { "by", 0, "NAME", "Who says so, for the history.", CLI_NO_CFG },    \
    {                                                                                              \
        "note", 0, "TEXT", "Why, for the history.", CLI_NO_CFG                                     \
    }

struct ims_people_by cli_by(const struct cli *cli);
/* Comma-separated ids to a new array (ims__free). IMS_E_USAGE. */
ims_status cli_ids(const char *text, const char *what, int64_t **out, size_t *out_n,
                   ims_err *err) IMS_MUST_CHECK;
/* Asks on the terminal; without one, --yes is needed (IMS_E_USAGE). IMS_E_CANCELLED for any answer but yes. */
ims_status cli_confirm(const struct cli *cli, const char *question, ims_err *err) IMS_MUST_CHECK;
/* All the person's lists use this form. */
ims_json *cli_person_json(const struct ims_store_person *p);
ims_json *cli_face_json(const struct ims_store_face *f);
/* Words from `first` on, joined; ims__free. IMS_E_USAGE when there are none. */
ims_status cli_rest(const struct cli *cli, size_t first, const char *what, char **out,
                    ims_err *err) IMS_MUST_CHECK;
/* A change of the library with so many words, else IMS_E_USAGE with the text. */
ims_status cli_run_change(struct cli *cli, size_t n_min, size_t n_max, const char *what,
                          ims_status (*change)(struct cli *, struct ims_engine *, ims_err *),
                          ims_err *err) IMS_MUST_CHECK;
/* {key: value, "event": what undoing takes, or null} */
ims_json *cli_change_json(const char *key, int64_t value, int64_t event_id);
/* How to take the change back; nothing for 0. */
void cli_print_undo(int64_t event_id);
/* "1 face is", "3 faces are". Returns out. */
#define CLI_COUNTED_BYTES 48
const char *cli_counted(char out[CLI_COUNTED_BYTES], size_t n, const char *one, const char *many);
/* "person"; IMS_E_NOT_FOUND. */
ims_status cli_person_of(struct ims_engine *e, int64_t id, struct ims_arena *arena,
                         struct ims_store_person **out, ims_err *err) IMS_MUST_CHECK;
/* people list --html: the persons, then the clusters that nobody named */
ims_status cli_write_people_html(struct ims_engine *e, const struct ims_store_person *persons, size_t n,
                                 const struct ims_store_cluster *clusters, size_t n_clusters, const char *path,
                                 ims_err *err) IMS_MUST_CHECK;
extern const struct cli_command cli_cmd_people, cli_cmd_people_list, cli_cmd_people_show,
    cli_cmd_people_history, cli_cmd_people_name, cli_cmd_people_merge, cli_cmd_people_unmerge,
    cli_cmd_people_split, cli_cmd_people_move, cli_cmd_people_reject, cli_cmd_people_hide,
    cli_cmd_people_delete, cli_cmd_people_undo, cli_cmd_people_export, cli_cmd_people_import,
    cli_cmd_faces_assign, cli_cmd_faces_suggestions, cli_cmd_faces_centroids;

#endif
