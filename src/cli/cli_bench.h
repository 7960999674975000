/* What the files of `imgsearch bench` share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_CLI_BENCH_H
#define IMS_CLI_BENCH_H

#include "cli/cli.h"

#include <stdbool.h>

/* cmd_bench_compare.c, cmd_bench_agreement.c: parts of bench */
ims_status cli_bench_compare(struct cli *cli, ims_err *err) IMS_MUST_CHECK;
ims_status cli_bench_agreement(struct cli *cli, const char *dir, ims_err *err) IMS_MUST_CHECK;

/* cmd_bench_table.c. The members of a result, in the order of the table. */
struct cli_bench_metric {
    const char *key, *shown;
    int digits;       /* after the point */
    bool is_of_faces; /* to be compared only where "face_model" is the same */
};
struct cli_bench_series { /* a list of objects with "batch" and a rate */
    const char *list, *key, *shown;
    bool is_of_faces; /* likewise */
};
extern const struct cli_bench_series cli_bench_series[];
extern const size_t cli_bench_n_series;
extern const struct cli_bench_metric cli_bench_metrics[];
extern const size_t cli_bench_n_metrics;
#define CLI_BENCH_NAME_BYTES 64
void cli_bench_rate_name(const struct cli_bench_series *s, double batch, char out[CLI_BENCH_NAME_BYTES]);

/* One line of a table: a name, then a value for each of n columns ("-" for NULL). */
void cli_bench_line(const char *name, const char *const *cells, size_t n);
/* A column for each result. */
void cli_bench_print(const ims_json *results);

#endif
