/* imgsearch bench --agreement: other precisions against fp32 on the user's own pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_bench.h"

#include <stdio.h>

static bool on_progress(void *arg, const char *what, size_t done, size_t total)
{
    (void)arg;
    if (cli_is_terminal(2) && total)
        fprintf(stderr, "\r\033[K%s: %zu of %zu\r", what, done, total);
    return !cli_is_interrupted();
}

static ims_json *agreement_json(const struct ims_agreement *a)
{
    ims_json *o = ims__json_new_object(), *rows = ims__json_new_array();

    (void)ims__json_set(o, "model", ims__json_new_str(a->model));
    (void)ims__json_set(o, "digest", ims__json_new_str(a->digest));
    (void)ims__json_set(o, "device", ims__json_new_str(a->device));
    (void)ims__json_set(o, "runtime", ims__json_new_str(a->runtime));
    (void)ims__json_set(o, "pictures", ims__json_new_int((int64_t)a->n_pictures));
    (void)ims__json_set(o, "unreadable", ims__json_new_int((int64_t)a->n_unreadable));
    (void)ims__json_set(o, "words", ims__json_new_int((int64_t)a->n_words));
    for (size_t i = 0; i < a->n_rows; i++) {
        const struct ims_agreement_row *r = &a->rows[i];
        ims_json *row = ims__json_new_object();

        (void)ims__json_set(row, "precision", ims__json_new_str(r->precision));
        (void)ims__json_set(row, "images_per_s", ims__json_new_num(r->images_per_s));
        (void)ims__json_set(row, "speed", ims__json_new_num(r->speed));
        (void)ims__json_set(row, "min_cosine", ims__json_new_num(r->min_cosine));
        (void)ims__json_set(row, "mean_cosine", ims__json_new_num(r->mean_cosine));
        (void)ims__json_set(row, "picture_top1", ims__json_new_num(r->picture_top1));
        (void)ims__json_set(row, "picture_top10", ims__json_new_num(r->picture_top10));
        (void)ims__json_set(row, "word_top1", ims__json_new_num(r->word_top1));
        (void)ims__json_set(row, "word_top10", ims__json_new_num(r->word_top10));
        (void)ims__json_set(row, "good", ims__json_new_bool(r->is_good));
        (void)ims__json_add(rows, row);
    }
    (void)ims__json_set(o, "rows", rows);
    (void)ims__json_set(o, "auto", ims__json_new_str(a->fastest));
    return o;
}

static void print_agreement(const struct ims_agreement *a)
{
    printf("%s on %s, %zu pictures", a->model, a->device, a->n_pictures);
    if (a->n_unreadable)
        printf(" (%zu could not be read)", a->n_unreadable);
    printf(", %zu queries by words\n", a->n_words);
    printf("%-6s %9s %6s  %10s %10s  %13s %13s  %s\n", "", "images/s", "", "least cos.", "mean cos.",
           "pictures 1/10", "words 1/10", "");
    for (size_t i = 0; i < a->n_rows; i++) {
        const struct ims_agreement_row *r = &a->rows[i];

        printf("%-6s %9.1f %5.2fx  %10.6f %10.6f  %6.3f %6.3f %6.3f %6.3f  %s\n", r->precision, r->images_per_s,
               r->speed, r->min_cosine, r->mean_cosine, r->picture_top1, r->picture_top10, r->word_top1,
               r->word_top10, r->is_good ? "good" : "not good enough");
    }
    printf("--precision auto means %s here, where nothing is indexed yet\n", a->fastest);
}

ims_status cli_bench_agreement(struct cli *cli, const char *dir, ims_err *err)
{
    struct ims_agreement_options o = { .dirs = &dir, .n_dirs = 1, .on_progress = on_progress };
    struct ims_engine *e = NULL;
    struct ims_agreement a;
    int64_t n = 0;
    ims_status st = cli_number(cli, "pictures", IMS_AGREEMENT_MIN_PICTURES, IMS_AGREEMENT_MAX_PICTURES, 200, &n, err);

    o.max_pictures = (size_t)n;
    cli_catch_signals();
    if (!st)
        st = cli_open_bare_engine(cli, &e, err);
    if (!st)
        st = ims_engine_agreement(e, &o, &a, err);
    ims_engine_close(e);
    if (cli_is_terminal(2))
        fprintf(stderr, "\r\033[K");
    if (st)
        return st;
    if (cli->is_json)
        return cli_print_json(agreement_json(&a), err);
    print_agreement(&a);
    return IMS_OK;
}
