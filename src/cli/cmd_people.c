/* imgsearch people list, show, history: looking.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cli/cli_people.h"

#include <stdio.h>
#include <string.h>

#define MAX_LISTED 1000000
#define MAX_GROUPS 50 /* of unnamed faces, largest first */

/* ---- list ---- */

static const struct cli_option list_options[] = {
    { "sort", 0, "ORDER", "faces (most first, the default) or name.", CLI_NO_CFG },
    { "status", 0, "STATUS", "active, hidden, merged, deleted or all (default: active and hidden).",
      CLI_NO_CFG },
    { "limit", 'n', "N", "How many (default: all).", CLI_NO_CFG },
    { "offset", 0, "N", "Leave out the first N.", CLI_NO_CFG },
    { "html", 0, "FILE", "Also write a page with each person's faces, and those of groups without a name.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status read_status(const struct cli *cli, struct ims_store_person_filter *f,
                              ims_err *err)
{
    const char *status = cli_value(cli, "status");

    if (!status)
        return IMS_OK;
    f->include_all = strcmp(status, "all") == 0;
    f->has_status = !f->include_all;
    for (int i = IMS_PERSON_ACTIVE; f->has_status && i <= IMS_PERSON_DELETED; i++) {
        f->status = (ims_store_person_status)i;
        if (strcmp(status, ims_store_person_status_name(f->status)) == 0)
            return IMS_OK;
    }
    return f->include_all
               ? IMS_OK
               : ims_fail(err, IMS_E_USAGE, "cli", 0,
                          "--status is \"%s\"; it must be active, hidden, merged, deleted or all",
                          status);
}

/* Groups of faces that nobody named: how one gets from a clustering to names. */
struct groups {
    struct ims_store_cluster *at;
    size_t n;
    int64_t total;
};

static ims_json *groups_json(const struct groups *g)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < g->n; i++) {
        ims_json *o = ims__json_new_object();

        (void)ims__json_set(o, "cluster", ims__json_new_int(g->at[i].id));
        (void)ims__json_set(o, "faces", ims__json_new_int(g->at[i].n_faces));
        (void)ims__json_set(o, "confidence", ims__json_new_num(g->at[i].confidence));
        (void)ims__json_set(o, "bestFace", ims__json_new_int(g->at[i].best_face_id));
        (void)ims__json_add(list, o);
    }
    return list;
}

static void print_groups(const struct groups *g)
{
    for (size_t i = 0; i < g->n; i++)
        printf("%s %4lld  %6lld faces  nobody yet\n", i ? "cluster" : "\ncluster", (long long)g->at[i].id,
               (long long)g->at[i].n_faces);
    if (g->total > (int64_t)g->n)
        printf("and %lld smaller ones\n", (long long)(g->total - (int64_t)g->n));
    if (g->n)
        printf("`imgsearch people --html FILE` shows their faces, `imgsearch people name --cluster N NAME` names one\n");
}

static ims_status print_persons(const struct cli *cli, const struct ims_store_person *p, size_t n,
                                int64_t total, const struct groups *groups, ims_err *err)
{
    ims_json *o, *list;

    if (cli->is_json) {
        o = ims__json_new_object();
        list = ims__json_new_array();
        for (size_t i = 0; i < n; i++)
            (void)ims__json_add(list, cli_person_json(&p[i]));
        (void)ims__json_set(o, "total", ims__json_new_int(total));
        (void)ims__json_set(o, "persons", list);
        (void)ims__json_set(o, "unnamed", groups_json(groups));
        return cli_print_json(o, err);
    }
    if (!n)
        printf(groups->n ? "nobody is named yet\n"
                         : "nobody is named yet; `imgsearch faces cluster` puts faces together that look alike\n");
    for (size_t i = 0; i < n; i++)
        printf("%6lld  %6lld faces  %6lld photos  %s%s%s\n", (long long)p[i].id,
               (long long)p[i].n_faces, (long long)p[i].n_photos, p[i].name,
               p[i].status == IMS_PERSON_ACTIVE ? "" : "  ",
               p[i].status == IMS_PERSON_ACTIVE ? "" : ims_store_person_status_name(p[i].status));
    print_groups(groups);
    return IMS_OK;
}

static ims_status list(struct cli *cli, struct ims_engine *e, struct ims_arena *arena, ims_err *err)
{
    const char *sort = cli_value(cli, "sort");
    struct ims_store_person_filter filter = { 0 };
    struct ims_store_cluster_filter unnamed = { 0 };
    struct ims_store_person *persons = NULL;
    struct groups groups = { 0 };
    int64_t limit = 0, offset = 0, total = 0;
    size_t n = 0;
    ims_status st = read_status(cli, &filter, err);

    if (!st && sort && strcmp(sort, "faces") != 0 && strcmp(sort, "name") != 0)
        st = ims_fail(err, IMS_E_USAGE, "cli", 0, "--sort is \"%s\"; it must be faces or name",
                      sort);
    if (!st)
        st = cli_number(cli, "limit", 1, MAX_LISTED, 0, &limit, err);
    if (!st)
        st = cli_number(cli, "offset", 0, MAX_LISTED, 0, &offset, err);
    if (!st)
        st = ims_people_model(e, &filter.model_id, err);
    if (!st)
        st = ims_store_persons(ims_people_store(e), &filter,
                               sort && strcmp(sort, "name") == 0 ? IMS_PERSONS_BY_NAME
                                                                 : IMS_PERSONS_BY_FACES,
                               offset, limit, arena, &persons, &n, &total, err);
    unnamed.model_id = filter.model_id;
    if (!st && unnamed.model_id && !cli_has(cli, "status") && !offset)
        st = ims_store_clusters(ims_people_store(e), &unnamed, 0, MAX_GROUPS, arena, &groups.at, &groups.n, &groups.total,
                                err);
    if (!st && cli_has(cli, "html"))
        st = cli_write_people_html(e, persons, n, groups.at, groups.n, cli_value(cli, "html"), err);
    if (!st)
        st = print_persons(cli, persons, n, total, &groups, err);
    if (!st && cli_has(cli, "html") && !cli->is_json)
        printf("wrote %s\n", cli_value(cli, "html"));
    return st;
}

static ims_status run_list(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    struct ims_arena arena;
    ims_status st;

    if (cli->n_words)
        return ims_fail(
            err, IMS_E_USAGE, "cli", 0,
            "\"%s\" is not understood here; people has list, show, history, name, merge, unmerge, "
            "split, move, reject, hide, delete, undo, export, import",
            cli->words[0]);
    ims__arena_init(&arena, 0);
    st = cli_open_engine(cli, true, &e, err);
    if (!st)
        st = list(cli, e, &arena, err);
    ims__arena_release(&arena);
    ims_engine_close(e);
    return st;
}

#define LIST_DETAILS                                                                               \
    "Number, faces, photos and name of each. Other commands take a person by name or number; "     \
    "names\n"                                                                                      \
    "are compared without the difference of capitals."

const struct cli_command cli_cmd_people_list = {
    .name = "people list",
    .summary = "Show the people that are named.",
    .words = "",
    .details = LIST_DETAILS,
    .examples = "imgsearch people list --sort name\n"
                "imgsearch people list --html people.html",
    .options = list_options,
    .run = run_list,
};

const struct cli_command cli_cmd_people = {
    .name = "people",
    .summary = "The same as people list.",
    .words = "",
    .details = LIST_DETAILS,
    .examples = "imgsearch people\n"
                "imgsearch people --html people.html",
    .options = list_options,
    .run = run_list,
};

/* ---- show ---- */

static const struct cli_option show_options[] = {
    { "limit", 'n', "N", "How many faces (default 20).", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

struct shown {
    struct ims_store_person *person;
    struct ims_store_face *faces;
    size_t n_faces;
    int64_t total;
    struct ims_store_prototype *prototypes;
    size_t n_prototypes;
};

static ims_json *prototypes_json(const struct shown *s)
{
    ims_json *list = ims__json_new_array();

    for (size_t i = 0; i < s->n_prototypes; i++) {
        const struct ims_store_prototype *p = &s->prototypes[i];
        ims_json *o = ims__json_new_object();

        (void)ims__json_set(o, "id", ims__json_new_int(p->id));
        (void)ims__json_set(o, "face", ims__json_new_int(p->face_id));
        (void)ims__json_set(o, "role", ims__json_new_str(ims_store_role_name(p->role)));
        (void)ims__json_set(o, "era", ims__json_new_str(p->era));
        (void)ims__json_set(o, "pinned", ims__json_new_bool(p->is_pinned));
        (void)ims__json_set(o, "quality", ims__json_new_num(p->quality));
        (void)ims__json_add(list, o);
    }
    return list;
}

static ims_status print_shown(const struct cli *cli, const struct shown *s, ims_err *err)
{
    const struct ims_store_person *p = s->person;
    ims_json *o, *list;

    if (cli->is_json) {
        o = cli_person_json(p);
        list = ims__json_new_array();
        for (size_t i = 0; i < s->n_faces; i++)
            (void)ims__json_add(list, cli_face_json(&s->faces[i]));
        (void)ims__json_set(o, "prototypeList", prototypes_json(s));
        (void)ims__json_set(o, "faceList", list);
        return cli_print_json(o, err);
    }
    printf("%s  (%lld, %s)\n", p->name, (long long)p->id, ims_store_person_status_name(p->status));
    if (p->merged_into)
        printf("part of person %lld since\n", (long long)p->merged_into);
    if (p->birth_date)
        printf("born %s\n", p->birth_date);
    printf("%lld faces in %lld photos\n", (long long)p->n_faces, (long long)p->n_photos);
    for (size_t i = 0; i < s->n_prototypes; i++)
        printf("  recognised by face %lld: %s%s%s%s\n", (long long)s->prototypes[i].face_id,
               ims_store_role_name(s->prototypes[i].role), s->prototypes[i].era ? ", " : "",
               s->prototypes[i].era ? s->prototypes[i].era : "",
               s->prototypes[i].is_pinned ? ", pinned" : "");
    for (size_t i = 0; i < s->n_faces; i++) {
        printf("  face %lld  quality %.2f  ", (long long)s->faces[i].id, s->faces[i].quality);
        cli_print_path(s->faces[i].path ? s->faces[i].path : "");
        printf("\n");
    }
    if (s->total > (int64_t)s->n_faces)
        printf("  and %lld more\n", (long long)(s->total - (int64_t)s->n_faces));
    return IMS_OK;
}

static ims_status show(struct cli *cli, struct ims_engine *e, struct ims_arena *arena, ims_err *err)
{
    struct ims_store *s = ims_people_store(e);
    struct ims_store_face_filter filter = { 0 };
    struct shown x = { 0 };
    int64_t limit = 0;
    char *name = NULL;
    ims_status st = cli_joined_words(cli, "the person's name", &name, err);

    if (!st)
        st = cli_number(cli, "limit", 1, MAX_LISTED, 20, &limit, err);
    if (!st)
        st = ims_people_find(e, name, true, &filter.person_id, err);
    ims__free(name);
    if (!st)
        st = ims_people_model(e, &filter.model_id, err);
    if (!st)
        st = cli_person_of(e, filter.person_id, arena, &x.person, err);
    if (!st)
        st = ims_store_prototypes(s, filter.model_id, filter.person_id, true, arena, &x.prototypes,
                                  &x.n_prototypes, err);
    if (!st)
        st = ims_store_faces(s, &filter, IMS_STORE_FACES_BY_QUALITY, 0, limit, arena, &x.faces,
                             &x.n_faces, &x.total, err);
    return st ? st : print_shown(cli, &x, err);
}

static ims_status run_show(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = cli_open_engine(cli, true, &e, err);
    if (!st)
        st = show(cli, e, &arena, err);
    ims__arena_release(&arena);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_people_show = {
    .name = "people show",
    .summary = "Show a person: faces, and by which of them it is recognised.",
    .words = "PERSON",
    .examples = "imgsearch people show Anna\n"
                "imgsearch people show 12 --limit 100",
    .options = show_options,
    .run = run_show,
};

/* ---- history ---- */

static const struct cli_option history_options[] = {
    { "limit", 'n', "N", "How many changes (default 20).", CLI_NO_CFG },
    { "offset", 0, "N", "Leave out the first N.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_json *event_json(const struct ims_store_event_row *r)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "id", ims__json_new_int(r->id));
    (void)ims__json_set(o, "operation", ims__json_new_str(r->operation));
    (void)ims__json_set(o, "createdAt", cli_time_json(r->created_us));
    (void)ims__json_set(o, "actor", ims__json_new_str(r->actor));
    (void)ims__json_set(o, "from", ims__json_new_str(r->from_person));
    (void)ims__json_set(o, "to", ims__json_new_str(r->to_person));
    (void)ims__json_set(o, "faces", ims__json_new_int(r->n_faces));
    (void)ims__json_set(o, "photos", ims__json_new_int(r->n_photos));
    (void)ims__json_set(o, "undoes",
                        r->undoes ? ims__json_new_int(r->undoes) : ims__json_new_null());
    (void)ims__json_set(o, "undoneBy",
                        r->undone_by ? ims__json_new_int(r->undone_by) : ims__json_new_null());
    (void)ims__json_set(o, "note", ims__json_new_str(r->note));
    return o;
}

static void print_event(const struct ims_store_event_row *r)
{
    char time[40];

    ims__format_utc(r->created_us, time, sizeof(time));
    printf("%6lld  %s  %-22s %5lld faces", (long long)r->id, time, r->operation,
           (long long)r->n_faces);
    if (r->from_person)
        printf("  from %s", r->from_person);
    if (r->to_person)
        printf("  to %s", r->to_person);
    if (r->undoes)
        printf("  undoes %lld", (long long)r->undoes);
    if (r->undone_by)
        printf("  (undone by %lld)", (long long)r->undone_by);
    if (r->actor)
        printf("  by %s", r->actor);
    printf("%s%s\n", r->note ? "  " : "", r->note ? r->note : "");
}

static ims_status history(struct cli *cli, struct ims_engine *e, struct ims_arena *arena,
                          ims_err *err)
{
    struct ims_store_event_filter filter = { 0 };
    struct ims_store_event_row *rows = NULL;
    int64_t limit = 0, offset = 0, total = 0;
    char *name = NULL;
    size_t n = 0;
    ims_json *o, *l;
    ims_status st = cli->n_words ? cli_joined_words(cli, "the person's name", &name, err) : IMS_OK;

    if (!st && name)
        st = ims_people_find(e, name, true, &filter.person_id, err);
    ims__free(name);
    if (!st)
        st = cli_number(cli, "limit", 1, MAX_LISTED, 20, &limit, err);
    if (!st)
        st = cli_number(cli, "offset", 0, MAX_LISTED, 0, &offset, err);
    if (!st)
        st = ims_store_events(ims_people_store(e), &filter, offset, limit, arena, &rows, &n, &total,
                              err);
    if (st)
        return st;
    if (!cli->is_json) {
        for (size_t i = 0; i < n; i++)
            print_event(&rows[i]);
        return IMS_OK;
    }
    o = ims__json_new_object();
    l = ims__json_new_array();
    for (size_t i = 0; i < n; i++)
        (void)ims__json_add(l, event_json(&rows[i]));
    (void)ims__json_set(o, "total", ims__json_new_int(total));
    (void)ims__json_set(o, "events", l);
    return cli_print_json(o, err);
}

static ims_status run_history(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = cli_open_engine(cli, true, &e, err);
    if (!st)
        st = history(cli, e, &arena, err);
    ims__arena_release(&arena);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_people_history = {
    .name = "people history",
    .summary = "Show what was changed about people, newest first.",
    .words = "[PERSON]",
    .details = "Each change has a number; `imgsearch people undo NUMBER` takes it back.",
    .examples = "imgsearch people history\n"
                "imgsearch people history Anna --limit 100",
    .options = history_options,
    .run = run_history,
};
