/* imgsearch search and similar: a query, ranked pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option search_options[] = {
    CLI_QUERY_OPTIONS,
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static const struct cli_option similar_options[] = {
    CLI_QUERY_OPTIONS,
    { "with-self", 0, NULL, "Keep the picture itself in the results.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static ims_status read_date(const struct cli *cli, const char *name, int64_t *from, int64_t *until, bool *out_has,
                            ims_err *err)
{
    const char *value = cli_value(cli, name);

    *out_has = value != NULL;
    if (value && !ims__parse_date(value, from, until))
        return ims_fail(err, IMS_E_USAGE, "cli", 0,
                        "--%s is \"%s\"; write a date as 2024, 2024-05, 2024-05-17 or 2024-05-17T10:20:30", name,
                        value);
    return IMS_OK;
}

/* A folder that is gone may still be searched in, so a path that cannot be resolved is taken as it is. */
static ims_status read_prefix(const struct cli *cli, struct ims_search_query *q, char **own, ims_err *err)
{
    const char *value = cli_value(cli, "in");

    if (!value)
        return IMS_OK;
    if (ims__real_path(value, own, NULL) != IMS_OK) {
        if (value[0] != '/')
            return ims__real_path(value, own, err);
        *own = ims__strdup(value);
        if (!*own)
            return ims_fail(err, IMS_E_NOMEM, "cli", 0, "reading --in");
    }
    q->filter.path_prefix = *own;
    return IMS_OK;
}

static ims_status read_persons(const struct cli *cli, struct ims_search_query *q, const char **names, ims_err *err)
{
    for (size_t i = 0; i < cli->n_given; i++) {
        if (strcmp(cli->given[i].option->name, "person") != 0)
            continue;
        if (!*cli->given[i].value)
            return ims_fail(err, IMS_E_USAGE, "cli", 0, "--person wants a name");
        names[q->filter.n_persons++] = cli->given[i].value;
    }
    q->filter.persons = names;
    return IMS_OK;
}

/* What a query points to. */
struct query_memory {
    char *prefix;
    const char *persons[CLI_MAX_OPTIONS];
};

static ims_status read_query_options(const struct cli *cli, struct ims_search_query *q, struct query_memory *own,
                                     ims_err *err)
{
    int64_t limit, offset, unused;
    ims_status st;

    st = cli_number(cli, "limit", 1, IMS_MAX_SEARCH_LIMIT, 10, &limit, err);
    if (!st)
        st = cli_number(cli, "offset", 0, 1000000, 0, &offset, err);
    if (!st)
        st = read_date(cli, "from", &q->filter.from_us, &unused, &q->filter.has_from, err);
    if (!st)
        st = read_date(cli, "until", &unused, &q->filter.until_us, &q->filter.has_until, err);
    if (!st)
        st = read_prefix(cli, q, &own->prefix, err);
    if (st)
        return st;
    q->limit = (size_t)limit;
    q->offset = (size_t)offset;
    q->is_exact = cli_has(cli, "exact");
    q->filter.category = cli_value(cli, "category");
    return read_persons(cli, q, own->persons, err);
}

static ims_json *answer_json(const struct ims_search_answer *a)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "plan", ims__json_new_str(a->plan));
    (void)ims__json_set(o, "scanned", ims__json_new_int((int64_t)a->scanned));
    (void)ims__json_set(o, "reranked", ims__json_new_int((int64_t)a->reranked));
    (void)ims__json_set(o, "miss", ims__json_new_num(a->miss));
    return o;
}

static ims_json *results_json(const char *shown, const struct ims_search_results *r,
                              const struct ims_model_facts *model, const struct ims_device_used *used)
{
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array(), *timing = ims__json_new_object();

    for (size_t i = 0; i < r->n; i++) {
        ims_json *hit = ims__json_new_object();

        (void)ims__json_set(hit, "score", ims__json_new_num(r->hits[i].score));
        (void)ims__json_set(hit, "asset", cli_asset_json(&r->hits[i].asset));
        (void)ims__json_add(list, hit);
    }
    (void)ims__json_set(timing, "embed_ms", ims__json_new_num(r->embed_ms));
    (void)ims__json_set(timing, "load_ms", ims__json_new_num(r->load_ms));
    (void)ims__json_set(timing, "scan_ms", ims__json_new_num(r->scan_ms));
    (void)ims__json_set(timing, "total_ms", ims__json_new_num(r->total_ms));
    (void)ims__json_set(o, "query", ims__json_new_str(shown));
    (void)ims__json_set(o, "model", ims__json_new_str(model->name));
    (void)ims__json_set(o, "device", ims__json_new_str(used->device[0] ? used->device : NULL));
    (void)ims__json_set(o, "total", ims__json_new_int((int64_t)r->total));
    if (r->n_queued)
        (void)ims__json_set(o, "queued", ims__json_new_int((int64_t)r->n_queued));
    (void)ims__json_set(o, "timing", timing);
    (void)ims__json_set(o, "answer", answer_json(&r->answer));
    (void)ims__json_set(o, "results", list);
    return o;
}

static void print_results(const struct ims_search_results *r, const char *model, size_t offset)
{
    bool is_ranked = !r->answer.plan || strcmp(r->answer.plan, "filter") != 0;

    for (size_t i = 0; i < r->n; i++) {
        printf("%4zu  ", offset + i + 1);
        if (is_ranked)
            printf("%6.3f  ", (double)r->hits[i].score);
        cli_print_path(r->hits[i].asset.path);
        printf("\n");
    }
    if (r->n == 0 && r->total)
        printf("nothing from place %zu on: there are %zu pictures\n", offset + 1, r->total);
    else if (r->n == 0)
        printf("nothing found\n");
    else
        printf("%zu of %zu pictures, %.0f ms\n", r->n, r->total, r->total_ms);
    if (r->n_queued)
        printf("%zu pictures of the library are not indexed with the model %s: run `imgsearch index` on their folders\n",
               r->n_queued, model);
}

ims_status cli_run_query(struct cli *cli, struct ims_engine *e, struct ims_search_query *query, const char *shown,
                         ims_err *err)
{
    struct ims_search_results results;
    struct ims_model_facts model;
    struct ims_device_used used;
    const char *html = cli_value(cli, "html");
    ims_status st = ims_engine_model(e, &model, err);

    if (st)
        return st;
    cli_note_demo(cli, &model);
    if (query->text)
        cli_note_cut(e, query->text);
    st = ims_engine_search(e, query, &results, err);
    if (st)
        return st;
    cli_note_device(e);
    ims_engine_device_used(e, &used);
    if (html)
        st = cli_write_html(e, &results, shown, model.name, html, err);
    if (!st && cli->is_json)
        st = cli_print_json(results_json(shown, &results, &model, &used), err);
    else if (!st)
        print_results(&results, model.name, query->offset);
    if (!st && html && !cli->is_json)
        printf("contact sheet: %s\n", html);
    ims_search_results_release(&results);
    return st;
}

static ims_status run_search(struct cli *cli, ims_err *err)
{
    struct ims_search_query q = { 0 };
    struct ims_engine *e = NULL;
    struct query_memory own = { .prefix = NULL };
    char *words = NULL;
    ims_status st = IMS_OK;

    if (cli->n_words || !cli_has(cli, "person")) /* the pictures of a person need no words */
        st = cli_joined_words(cli, "the words to search for", &words, err);
    if (!st)
        st = read_query_options(cli, &q, &own, err);
    if (!st)
        st = cli_open_engine(cli, true, &e, err);
    if (!st) {
        q.text = words;
        st = cli_run_query(cli, e, &q, words ? words : "", err);
    }
    ims_engine_close(e);
    ims__free(words);
    ims__free(own.prefix);
    return st;
}

static ims_status run_similar(struct cli *cli, ims_err *err)
{
    struct ims_search_query q = { .exclude_self = !cli_has(cli, "with-self") };
    struct query_memory own = { .prefix = NULL };
    struct ims_engine *e = NULL;
    ims_status st;

    if (cli->n_words != 1)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "name one picture: a file, or the id of an asset");
    st = read_query_options(cli, &q, &own, err);
    if (!st)
        st = cli_open_engine(cli, true, &e, err);
    if (!st) {
        q.asset_id = cli_asset_id(cli->words[0]);
        q.image_path = q.asset_id ? NULL : cli->words[0];
        st = cli_run_query(cli, e, &q, cli->words[0], err);
    }
    ims_engine_close(e);
    ims__free(own.prefix);
    return st;
}

const struct cli_command cli_cmd_search = {
    .name = "search",
    .summary = "Find pictures by words.",
    .words = "WORDS...",
    .details = "The best matches come first; the number before a path is the cosine similarity of words and\n"
               "picture. Filters apply before ranking, so a small folder gives complete results too. With --person\n"
               "the words may be left out: then it is all pictures that pass the filters, newest first.",
    .examples = "imgsearch search a red car\n"
                "imgsearch search --in ~/Pictures/2023 --limit 30 \"boats at night\"\n"
                "imgsearch search --from 2022-06 --until 2022-08 --html sheet.html beach\n"
                "imgsearch search --person Anna --person Ben on the beach\n"
                "imgsearch search --person Anna --from 2023\n"
                "imgsearch search --json dog | jq -r '.results[].asset.path'",
    .options = search_options,
    .run = run_search,
};

const struct cli_command cli_cmd_similar = {
    .name = "similar",
    .summary = "Find pictures that look like another one.",
    .words = "FILE|ID",
    .details = "FILE need not be in the library. ID is the number of an asset, as --json shows it.",
    .examples = "imgsearch similar holiday.jpg\n"
                "imgsearch similar --limit 5 --in ~/Pictures 1234",
    .options = similar_options,
    .run = run_similar,
};
