/* imgsearch faces assign, suggestions, centroids: what follows from the people that are named.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "base/text.h"
#include "cli/cli_people.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_LISTED 1000000

static ims_status real_option(const struct cli *cli, const char *name, double min, double max,
                              double *out, ims_err *err)
{
    const char *value = cli_value(cli, name);

    if (value && !ims__parse_double(value, min, max, out))
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "--%s is \"%s\"; it must be from %g to %g",
                        name, value, min, max);
    return IMS_OK;
}

static ims_status person_option(const struct cli *cli, struct ims_engine *e, int64_t *out,
                                ims_err *err)
{
    const char *word = cli_value(cli, "person");

    return word ? ims_people_find(e, word, false, out, err) : IMS_OK;
}

/* ---- assign ---- */

static const struct cli_option assign_options[] = {
    { "person", 'p', "PERSON", "Only look for this person.", CLI_NO_CFG },
    { "since", 0, "DATE", "Only faces found on or after: 2024-05-17 or a time.", CLI_NO_CFG },
    { "max-faces", 0, "N", "At most so many faces (default: all).", CLI_NO_CFG },
    { "threshold", 0, "SCORE",
      "Assign from this score on, 0.3 to 1 (default: 0.85, a setting of the library).",
      CLI_NO_CFG },
    { "suggest", 0, "SCORE", "Suggest from this score on, 0.3 to 1 (default: 0.7, likewise).",
      CLI_NO_CFG },
    { "suggest-only", 0, NULL, "Assign nothing.", CLI_NO_CFG },
    { "dry-run", 0, NULL, "Only tell what would be done.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static bool show_progress(void *arg, size_t done, size_t total)
{
    if (*(bool *)arg)
        fprintf(stderr, "\r%zu of %zu faces ", done, total);
    return !cli_is_interrupted();
}

static ims_status print_match(const struct cli *cli, const struct ims_people_match *m, ims_err *err)
{
    ims_json *o;

    if (!cli->is_json) {
        printf("%zu unassigned faces compared with %zu persons%s: %zu assigned, %zu suggested%s\n",
               m->n_faces, m->n_persons, m->has_projection ? " by the trained projection" : "",
               m->n_assigned, m->n_suggested,
               m->is_dry_run ? " (a dry run: nothing was changed)" : "");
        if (m->n_ambiguous)
            printf("%zu faces are close to two persons: suggested, not assigned\n", m->n_ambiguous);
        if (m->n_suggested && !m->is_dry_run)
            printf("`imgsearch faces suggestions` shows them\n");
        return IMS_OK;
    }
    o = ims__json_new_object();
    (void)ims__json_set(o, "faces", ims__json_new_int((int64_t)m->n_faces));
    (void)ims__json_set(o, "persons", ims__json_new_int((int64_t)m->n_persons));
    (void)ims__json_set(o, "assigned", ims__json_new_int((int64_t)m->n_assigned));
    (void)ims__json_set(o, "suggested", ims__json_new_int((int64_t)m->n_suggested));
    (void)ims__json_set(o, "ambiguous", ims__json_new_int((int64_t)m->n_ambiguous));
    (void)ims__json_set(o, "projection", ims__json_new_bool(m->has_projection));
    (void)ims__json_set(o, "dryRun", ims__json_new_bool(m->is_dry_run));
    return cli_print_json(o, err);
}

static ims_status read_match(const struct cli *cli, struct ims_engine *e,
                             struct ims_people_match *m, ims_err *err)
{
    int64_t max_faces = 0, until;
    ims_status st = person_option(cli, e, &m->person_id, err);

    if (!st && cli_has(cli, "since") &&
        !ims__parse_date(cli_value(cli, "since"), &m->created_from_us, &until))
        st = ims_fail(err, IMS_E_USAGE, "cli", 0, "--since is \"%s\"; a date looks like 2024-05-17",
                      cli_value(cli, "since"));
    if (!st)
        st = cli_number(cli, "max-faces", 1, INT64_MAX, 0, &max_faces, err);
    if (!st)
        st = real_option(cli, "threshold", 0.3, 1, &m->auto_threshold, err);
    if (!st)
        st = real_option(cli, "suggest", 0.3, 1, &m->threshold, err);
    m->max_faces = (size_t)max_faces;
    if (cli_has(cli, "suggest-only"))
        m->auto_threshold = 2;
    m->is_dry_run = cli_has(cli, "dry-run");
    return st;
}

static ims_status run_assign(struct cli *cli, ims_err *err)
{
    bool is_shown = !cli->is_json && cli_is_terminal(STDERR_FILENO);
    struct ims_people_match m = { .on_progress = show_progress, .arg = &is_shown };
    struct ims_people_by by = cli_by(cli);
    struct ims_engine *e = NULL;
    ims_status st;

    if (cli->n_words)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "\"%s\" is not understood here", cli->words[0]);
    st = cli_open_engine(cli, false, &e, err);
    if (!st)
        st = read_match(cli, e, &m, err);
    cli_catch_signals();
    if (!st)
        st = ims_people_match(e, &by, &m, err);
    if (is_shown)
        fprintf(stderr, "\r\033[K");
    ims_engine_close(e);
    return st ? st : print_match(cli, &m, err);
}

const struct cli_command cli_cmd_faces_assign = {
    .name = "faces assign",
    .summary = "Compare new faces with the people that are named.",
    .words = "",
    .details = "A face that is like a person becomes that person; one that is less like it is "
               "suggested. What you said\n"
               "is never overruled, and no clustering is needed. `people undo` takes the "
               "assignments back.",
    .examples = "imgsearch faces assign\n"
                "imgsearch faces assign --suggest-only --person Anna",
    .options = assign_options,
    .run = run_assign,
};

/* ---- suggestions ---- */

static const struct cli_option suggestion_options[] = {
    { "person", 'p', "PERSON", "Only of this person.", CLI_NO_CFG },
    { "status", 0, "STATUS", "pending (default), accepted, rejected, expired or all.", CLI_NO_CFG },
    { "accept", 0, "N,...", "These are right: the faces become the persons.", CLI_NO_CFG },
    { "reject", 0, "N,...", "These are wrong, for good.", CLI_NO_CFG },
    { "expire", 0, "DAYS", "Forget pending ones older than that.", CLI_NO_CFG },
    { "limit", 'n', "N", "How many (default 50).", CLI_NO_CFG },
    { "offset", 0, "N", "Leave out the first N.", CLI_NO_CFG },
    CLI_BY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_json *suggestion_json(const struct ims_store_suggestion *s)
{
    ims_json *o = ims__json_new_object(), *scores = NULL;

    (void)ims__json_set(o, "id", ims__json_new_int(s->id));
    (void)ims__json_set(o, "face", ims__json_new_int(s->face_id));
    (void)ims__json_set(o, "person", ims__json_new_int(s->person_id));
    (void)ims__json_set(o, "name", ims__json_new_str(s->person));
    (void)ims__json_set(o, "confidence", ims__json_new_num(s->confidence));
    (void)ims__json_set(o, "aggregateConfidence", ims__json_new_num(s->aggregate_confidence));
    (void)ims__json_set(o, "matches", ims__json_new_int(s->n_matches));
    if (!s->scores_json ||
        ims__json_parse(&scores, s->scores_json, strlen(s->scores_json), "scores", NULL))
        scores = ims__json_new_null();
    (void)ims__json_set(o, "scores", scores);
    (void)ims__json_set(o, "status",
                        ims__json_new_str(ims_store_suggestion_status_name(s->status)));
    (void)ims__json_set(o, "createdAt", cli_time_json(s->created_us));
    return o;
}

static ims_status read_suggestion_filter(const struct cli *cli, struct ims_engine *e,
                                         struct ims_store_suggestion_filter *f, ims_err *err)
{
    const char *status = cli_value(cli, "status");

    f->has_status = !status || strcmp(status, "all") != 0;
    f->status = IMS_SUGGESTION_PENDING;
    for (int i = IMS_SUGGESTION_PENDING; status && f->has_status; i++) {
        if (i > IMS_SUGGESTION_EXPIRED)
            return ims_fail(
                err, IMS_E_USAGE, "cli", 0,
                "--status is \"%s\"; it must be pending, accepted, rejected, expired or all",
                status);
        f->status = (ims_store_suggestion_status)i;
        if (strcmp(status, ims_store_suggestion_status_name(f->status)) == 0)
            break;
    }
    return person_option(cli, e, &f->person_id, err);
}

static ims_status list_suggestions(struct cli *cli, struct ims_engine *e, struct ims_arena *arena,
                                   ims_err *err)
{
    struct ims_store_suggestion_filter filter = { 0 };
    struct ims_store_suggestion *list = NULL;
    int64_t limit = 0, offset = 0, total = 0;
    ims_json *o, *l;
    size_t n = 0;
    ims_status st = read_suggestion_filter(cli, e, &filter, err);

    if (!st)
        st = cli_number(cli, "limit", 1, MAX_LISTED, 50, &limit, err);
    if (!st)
        st = cli_number(cli, "offset", 0, MAX_LISTED, 0, &offset, err);
    if (!st)
        st = ims_store_suggestions(ims_people_store(e), &filter, offset, limit, arena, &list, &n,
                                   &total, err);
    if (st)
        return st;
    if (!cli->is_json) {
        for (size_t i = 0; i < n; i++)
            printf("%6lld  %.3f  face %lld is %s?  (%lld of the prototypes agree)\n",
                   (long long)list[i].id, list[i].aggregate_confidence, (long long)list[i].face_id,
                   list[i].person, (long long)list[i].n_matches);
        if (total)
            printf("%zu of %lld\n", n, (long long)total);
        else
            printf("there are none; `imgsearch faces assign` makes suggestions\n");
        return IMS_OK;
    }
    o = ims__json_new_object();
    l = ims__json_new_array();
    for (size_t i = 0; i < n; i++)
        (void)ims__json_add(l, suggestion_json(&list[i]));
    (void)ims__json_set(o, "total", ims__json_new_int(total));
    (void)ims__json_set(o, "suggestions", l);
    return cli_print_json(o, err);
}

/* Each is a change of its own: one that cannot be done does not cost the others, but the exit code tells. */
static ims_status answer(struct cli *cli, struct ims_engine *e, const char *words, bool is_accepted,
                         int64_t *n_done, int64_t *n_failed, ims_err *err)
{
    struct ims_people_by by = cli_by(cli);
    int64_t *ids = NULL;
    size_t n = 0;
    ims_status first = IMS_OK, st = cli_ids(words, "suggestion", &ids, &n, err);

    if (st)
        return st;
    for (size_t i = 0; i < n; i++) {
        ims_err own = { 0 };

        st = is_accepted ? ims_people_accept(e, &by, ids[i], &own)
                         : ims_people_reject_suggestion(e, &by, ids[i], &own);
        *n_done += !st;
        *n_failed += st != IMS_OK;
        if (st && !first) {
            first = st;
            *err = own;
        }
    }
    ims__free(ids);
    return first;
}

static ims_status act_on_suggestions(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    int64_t n_accepted = 0, n_rejected = 0, n_expired = 0, n_failed = 0, days = 0;
    ims_json *o;
    ims_status st = IMS_OK;

    if (cli_has(cli, "accept"))
        st = answer(cli, e, cli_value(cli, "accept"), true, &n_accepted, &n_failed, err);
    if (!st && cli_has(cli, "reject"))
        st = answer(cli, e, cli_value(cli, "reject"), false, &n_rejected, &n_failed, err);
    if (!st && cli_has(cli, "expire")) {
        st = cli_number(cli, "expire", 1, 36500, 30, &days, err);
        if (!st)
            st = ims_people_expire(e, days, &n_expired, err);
    }
    if (cli->is_json && st != IMS_E_USAGE) {
        ims_status printed;

        o = ims__json_new_object();
        (void)ims__json_set(o, "accepted", ims__json_new_int(n_accepted));
        (void)ims__json_set(o, "rejected", ims__json_new_int(n_rejected));
        (void)ims__json_set(o, "expired", ims__json_new_int(n_expired));
        (void)ims__json_set(o, "failed", ims__json_new_int(n_failed));
        printed = cli_print_json(o, st ? NULL : err);
        return st ? st : printed;
    }
    if (!cli->is_json && (!st || n_accepted + n_rejected + n_expired > 0))
        printf("%lld accepted, %lld rejected, %lld expired\n", (long long)n_accepted,
               (long long)n_rejected, (long long)n_expired);
    return st;
}

static ims_status run_suggestions(struct cli *cli, ims_err *err)
{
    bool is_change = cli_has(cli, "accept") || cli_has(cli, "reject") || cli_has(cli, "expire");
    struct ims_engine *e = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = cli_open_engine(cli, !is_change, &e, err);
    if (!st)
        st = is_change ? act_on_suggestions(cli, e, err) : list_suggestions(cli, e, &arena, err);
    ims__arena_release(&arena);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_faces_suggestions = {
    .name = "faces suggestions",
    .summary = "Show, accept or reject what faces assign suggested.",
    .words = "",
    .examples = "imgsearch faces suggestions --person Anna\n"
                "imgsearch faces suggestions --accept 4,7,9 --reject 5\n"
                "imgsearch faces suggestions --expire 30",
    .options = suggestion_options,
    .run = run_suggestions,
};

/* ---- centroids ---- */

static const struct cli_option centroid_options[] = {
    { "person", 'p', "PERSON", "Only of this person.", CLI_NO_CFG },
    { "min-faces", 0, "N", "Persons with fewer faces have none (default 2).", CLI_NO_CFG },
    { "force", 0, NULL, "Also those that are up to date.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status run_centroids(struct cli *cli, ims_err *err)
{
    struct ims_people_centroids what = { .is_forced = cli_has(cli, "force") };
    struct ims_engine *e = NULL;
    int64_t min_faces = 0;
    ims_json *o;
    ims_status st = cli_number(cli, "min-faces", 2, MAX_LISTED, 2, &min_faces, err);

    what.min_faces = (size_t)min_faces;
    if (!st)
        st = cli_open_engine(cli, false, &e, err);
    if (!st)
        st = person_option(cli, e, &what.person_id, err);
    if (!st)
        st = ims_people_centroids(e, &what, err);
    ims_engine_close(e);
    if (st)
        return st;
    if (!cli->is_json) {
        printf("%zu persons: %zu centroids made, %zu were up to date, %zu have too few faces\n",
               what.n_persons, what.n_made, what.n_fresh, what.n_too_few);
        return IMS_OK;
    }
    o = ims__json_new_object();
    (void)ims__json_set(o, "persons", ims__json_new_int((int64_t)what.n_persons));
    (void)ims__json_set(o, "made", ims__json_new_int((int64_t)what.n_made));
    (void)ims__json_set(o, "fresh", ims__json_new_int((int64_t)what.n_fresh));
    (void)ims__json_set(o, "tooFew", ims__json_new_int((int64_t)what.n_too_few));
    return cli_print_json(o, err);
}

const struct cli_command cli_cmd_faces_centroids = {
    .name = "faces centroids",
    .summary = "Make the mean face vectors of people anew where their faces changed.",
    .words = "",
    .details = "`faces assign` does so by itself.",
    .examples = "imgsearch faces centroids\n"
                "imgsearch faces centroids --person Anna --force",
    .options = centroid_options,
    .run = run_centroids,
};
