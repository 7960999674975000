/* What the commands about people share: ids, confirmation, JSON forms.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_people.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ims_people_by cli_by(const struct cli *cli)
{
    return (struct ims_people_by){ .actor = cli_value(cli, "by"), .note = cli_value(cli, "note") };
}

ims_status cli_ids(const char *text, const char *what, int64_t **out, size_t *out_n, ims_err *err)
{
    size_t n = 1, k = 0;
    char *copy = ims__strdup(text), *save = NULL;
    int64_t *ids;

    for (const char *p = text; *p; p++)
        n += *p == ',';
    ids = ims__zalloc(n, sizeof(*ids));
    if (!copy || !ids) {
        ims__free(copy);
        ims__free(ids);
        return ims_fail(err, IMS_E_NOMEM, "cli", 0, "reading the command line");
    }
    for (char *p = strtok_r(copy, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
        if (!ims__parse_int(p[0] == '#' ? p + 1 : p, 1, INT64_MAX, &ids[k++])) {
            ims_status st =
                ims_fail(err, IMS_E_USAGE, "cli", 0, "\"%s\" is no number of a %s", p, what);

            ims__free(copy);
            ims__free(ids);
            return st;
        }
    }
    ims__free(copy);
    *out = ids;
    *out_n = k;
    if (k)
        return IMS_OK;
    ims__free(ids);
    return ims_fail(err, IMS_E_USAGE, "cli", 0, "no number of a %s is given", what);
}

ims_status cli_confirm(const struct cli *cli, const char *question, ims_err *err)
{
    char line[16] = "";

    if (cli_has(cli, "yes"))
        return IMS_OK;
    if (!cli_is_terminal(STDIN_FILENO) || cli->is_json)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "%s Say --yes if that is meant", question);
    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    if (!fgets(line, sizeof(line), stdin) || (line[0] != 'y' && line[0] != 'Y'))
        return ims_fail(err, IMS_E_CANCELLED, "cli", 0, "nothing was changed");
    return IMS_OK;
}

ims_status cli_rest(const struct cli *cli, size_t first, const char *what, char **out, ims_err *err)
{
    struct cli rest = { .command = cli->command };

    for (size_t i = first; i < cli->n_words; i++)
        rest.words[rest.n_words++] = cli->words[i];
    return cli_joined_words(&rest, what, out, err);
}

static ims_json *id_json(int64_t id)
{
    return id ? ims__json_new_int(id) : ims__json_new_null();
}

ims_json *cli_person_json(const struct ims_store_person *p)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "id", ims__json_new_int(p->id));
    (void)ims__json_set(o, "name", ims__json_new_str(p->name));
    (void)ims__json_set(o, "status", ims__json_new_str(ims_store_person_status_name(p->status)));
    (void)ims__json_set(o, "mergedInto", id_json(p->merged_into));
    (void)ims__json_set(o, "birthDate", ims__json_new_str(p->birth_date));
    (void)ims__json_set(o, "faces", ims__json_new_int(p->n_faces));
    (void)ims__json_set(o, "photos", ims__json_new_int(p->n_photos));
    (void)ims__json_set(o, "prototypes", ims__json_new_int(p->n_prototypes));
    (void)ims__json_set(o, "bestFace", id_json(p->best_face_id));
    (void)ims__json_set(o, "createdAt", cli_time_json(p->created_us));
    (void)ims__json_set(o, "updatedAt", cli_time_json(p->updated_us));
    return o;
}

ims_json *cli_face_json(const struct ims_store_face *f)
{
    ims_json *o = ims__json_new_object(), *box = ims__json_new_object();

    (void)ims__json_set(box, "x", ims__json_new_int(f->x));
    (void)ims__json_set(box, "y", ims__json_new_int(f->y));
    (void)ims__json_set(box, "width", ims__json_new_int(f->w));
    (void)ims__json_set(box, "height", ims__json_new_int(f->h));
    (void)ims__json_set(o, "id", ims__json_new_int(f->id));
    (void)ims__json_set(o, "asset", id_json(f->asset_id));
    (void)ims__json_set(o, "path", f->path ? cli_path_json(f->path) : ims__json_new_null());
    (void)ims__json_set(o, "box", box);
    (void)ims__json_set(o, "score", ims__json_new_num(f->score));
    (void)ims__json_set(o, "quality", ims__json_new_num(f->quality));
    (void)ims__json_set(o, "age", f->has_age ? ims__json_new_num(f->age) : ims__json_new_null());
    (void)ims__json_set(o, "cluster", id_json(f->cluster_id));
    (void)ims__json_set(o, "person", id_json(f->person_id));
    (void)ims__json_set(o, "assignedBy", ims__json_new_str(f->assigned_by));
    (void)ims__json_set(o, "extra", ims__json_new_bool(f->is_extra));
    return o;
}

ims_status cli_person_of(struct ims_engine *e, int64_t id, struct ims_arena *arena,
                         struct ims_store_person **out, ims_err *err)
{
    struct ims_store_person_filter filter = { .id = id, .include_all = true };
    size_t n = 0;
    ims_status st = ims_people_model(e, &filter.model_id, err);

    if (!st)
        st = ims_store_persons(ims_people_store(e), &filter, IMS_PERSONS_BY_NAME, 0, 1, arena, out,
                               &n, NULL, err);
    if (!st && !n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "cli", 0, "there is no person %lld", (long long)id);
    return st;
}

ims_status cli_run_change(struct cli *cli, size_t n_min, size_t n_max, const char *what,
                          ims_status (*change)(struct cli *, struct ims_engine *, ims_err *),
                          ims_err *err)
{
    struct ims_engine *e = NULL;
    ims_status st;

    if (cli->n_words < n_min || cli->n_words > n_max)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "%s", what);
    st = cli_open_engine(cli, false, &e, err);
    if (!st)
        st = change(cli, e, err);
    ims_engine_close(e);
    return st;
}

ims_json *cli_change_json(const char *key, int64_t value, int64_t event_id)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, key, ims__json_new_int(value));
    (void)ims__json_set(o, "event", event_id ? ims__json_new_int(event_id) : ims__json_new_null());
    return o;
}

void cli_print_undo(int64_t event_id)
{
    if (event_id)
        printf("`imgsearch people undo %lld` takes it back\n", (long long)event_id);
}

const char *cli_counted(char out[CLI_COUNTED_BYTES], size_t n, const char *one, const char *many)
{
    (void)snprintf(out, CLI_COUNTED_BYTES, "%zu %s", n, n == 1 ? one : many);
    return out;
}
