/* imgsearch bench --compare: two files of measurements side by side.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/cli_bench.h"

#include <stdio.h>
#include <string.h>

struct pair {
    const ims_json *a, *b; /* results of the same model, device and precision */
    ims_json *rows;        /* NULL: text */
};

static ims_status read_bench(const char *path, ims_json **out, ims_err *err)
{
    struct ims_buf text;
    const char *format;
    ims_json *root = NULL;
    ims_status st = ims__read_file(path, IMS_MIB, &text, NULL, err);

    if (st)
        return st;
    st = ims__json_parse(&root, text.data ? text.data : "", text.len, path, err);
    ims__buf_release(&text);
    format = ims__json_str(ims__json_get(root, "format"), NULL);
    if (!st && (!format || strcmp(format, "imgsearch bench 1") != 0))
        st = ims_fail(err, IMS_E_FORMAT, "cli", 0, "%s is not a file of `imgsearch bench --json`", path);
    if (st) {
        ims__json_free(root);
        return st;
    }
    *out = root;
    return IMS_OK;
}

static bool is_same(const ims_json *a, const ims_json *b, const char *key)
{
    const char *x = ims__json_str(ims__json_get(a, key), NULL), *y = ims__json_str(ims__json_get(b, key), NULL);

    return x && y && strcmp(x, y) == 0;
}

static void show(const struct pair *p, const char *name, double a, double b)
{
    char text[3][32];
    const char *cells[3] = { text[0], text[1], text[2] };
    ims_json *o;

    if (a <= 0 || b <= 0)
        return;
    if (p->rows) {
        o = ims__json_new_object();
        (void)ims__json_set(o, "device", ims__json_new_str(ims__json_str(ims__json_get(p->a, "device"), NULL)));
        (void)ims__json_set(o, "precision",
                            ims__json_new_str(ims__json_str(ims__json_get(p->a, "precision"), NULL)));
        (void)ims__json_set(o, "what", ims__json_new_str(name));
        (void)ims__json_set(o, "a", ims__json_new_num(a));
        (void)ims__json_set(o, "b", ims__json_new_num(b));
        (void)ims__json_set(o, "ratio", ims__json_new_num(b / a));
        (void)ims__json_add(p->rows, o);
        return;
    }
    snprintf(text[0], sizeof(text[0]), "%.5g", a);
    snprintf(text[1], sizeof(text[1]), "%.5g", b);
    snprintf(text[2], sizeof(text[2]), "%.3f", b / a);
    cli_bench_line(name, cells, 3);
}

static double number(const ims_json *o, const char *key)
{
    return ims__json_num(ims__json_get(o, key), 0);
}

static void show_series(const struct pair *p, const struct cli_bench_series *s)
{
    const ims_json *a = ims__json_get(p->a, s->list), *b = ims__json_get(p->b, s->list);
    char name[CLI_BENCH_NAME_BYTES];

    for (size_t i = 0; i < ims__json_len(a); i++) {
        for (size_t k = 0; k < ims__json_len(b); k++) {
            double size = number(ims__json_at(a, i), "batch");

            if (!(number(ims__json_at(b, k), "batch") == size))
                continue;
            cli_bench_rate_name(s, size, name);
            show(p, name, number(ims__json_at(a, i), s->key), number(ims__json_at(b, k), s->key));
        }
    }
}

static void show_pair(const struct pair *p)
{
    const bool is_same_faces = is_same(p->a, p->b, "face_model");
    static const char *const heads[] = { "A", "B", "B / A" };

    if (!p->rows) {
        printf("%s, %s, %s\n", ims__json_str(ims__json_get(p->a, "model"), NULL),
               ims__json_str(ims__json_get(p->a, "device"), NULL),
               ims__json_str(ims__json_get(p->a, "precision"), NULL));
        cli_bench_line("", heads, 3);
    }
    for (size_t i = 0; i < cli_bench_n_series; i++) {
        if (is_same_faces || !cli_bench_series[i].is_of_faces)
            show_series(p, &cli_bench_series[i]);
    }
    for (size_t i = 0; i < cli_bench_n_metrics; i++) {
        const struct cli_bench_metric *m = &cli_bench_metrics[i];

        if (is_same_faces || !m->is_of_faces)
            show(p, m->shown, number(p->a, m->key), number(p->b, m->key));
    }
}

static size_t compare(const ims_json *a, const ims_json *b, ims_json *rows)
{
    const ims_json *as = ims__json_get(a, "results"), *bs = ims__json_get(b, "results");
    size_t n = 0;

    for (size_t i = 0; i < ims__json_len(as); i++) {
        for (size_t k = 0; k < ims__json_len(bs); k++) {
            struct pair p = { ims__json_at(as, i), ims__json_at(bs, k), rows };

            if (is_same(p.a, p.b, "model") && is_same(p.a, p.b, "device") && is_same(p.a, p.b, "precision")) {
                show_pair(&p);
                n++;
            }
        }
    }
    return n;
}

ims_status cli_bench_compare(struct cli *cli, ims_err *err)
{
    ims_json *a = NULL, *b = NULL, *rows;
    ims_status st;

    if (cli->n_words != 2)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "--compare takes two files of `imgsearch bench --json`");
    st = read_bench(cli->words[0], &a, err);
    if (!st)
        st = read_bench(cli->words[1], &b, err);
    rows = !st && cli->is_json ? ims__json_new_array() : NULL;
    if (!st && compare(a, b, rows) == 0)
        st = ims_fail(err, IMS_E_INVALID, "cli", 0,
                      "the two files have no model, device and precision in common");
    ims__json_free(a);
    ims__json_free(b);
    if (!st && rows)
        return cli_print_json(rows, err);
    ims__json_free(rows);
    return st;
}
