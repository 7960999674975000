/* imgsearch bench: the measurements as a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/cli_bench.h"

#include <stdio.h>

#define MAX_CELLS 64

const struct cli_bench_series cli_bench_series[] = {
    { "images", "images_per_s", "images/s", false },
    { "detections", "images_per_s", "detections/s", true },
    { "recognitions", "faces_per_s", "recognitions/s", true },
};
const size_t cli_bench_n_series = IMS_ARRAY_LEN(cli_bench_series);

const struct cli_bench_metric cli_bench_metrics[] = {
    { "texts_per_s", "texts/s", 1, false },
    { "open_ms", "model opened, ms", 0, false },
    { "batch", "pictures at a time in use", 0, false },
    { "text_load_ms", "text tower loaded, ms", 0, false },
    { "text_first_ms", "first text answer, ms", 0, false },
    { "image_load_ms", "image tower loaded, ms", 0, false },
    { "image_first_ms", "first image answer, ms", 0, false },
    { "face_load_ms", "face models loaded, ms", 0, true },
    { "host_peak_mb", "peak memory, MB", 0, false },
    { "device_process_peak_mb", "of the device's process, MB", 0, false },
    { "device_memory_mb", "in use on the card, MB", 0, false },
    { "min_cosine", "least cosine with CPU fp32", 7, false },
};
const size_t cli_bench_n_metrics = IMS_ARRAY_LEN(cli_bench_metrics);

void cli_bench_rate_name(const struct cli_bench_series *s, double batch, char out[CLI_BENCH_NAME_BYTES])
{
    (void)snprintf(out, CLI_BENCH_NAME_BYTES, "%s, %.0f at a time", s->shown, batch);
}

void cli_bench_line(const char *name, const char *const *cells, size_t n)
{
    printf("%-30s", name);
    for (size_t i = 0; i < n; i++)
        printf(" %16s", cells[i] ? cells[i] : "-");
    printf("\n");
}

/* The number that each result has of a metric, or in row `which` of a series. */
static void print_numbers(const char *name, const ims_json *results, int digits, const char *list, size_t which,
                          const char *key)
{
    char text[MAX_CELLS][32];
    const char *cells[MAX_CELLS];
    size_t n = ims__json_len(results);

    n = n < MAX_CELLS ? n : MAX_CELLS;
    for (size_t i = 0; i < n; i++) {
        const ims_json *o = ims__json_at(results, i);
        double v;

        if (list)
            o = ims__json_at(ims__json_get(o, list), which);
        v = ims__json_num(ims__json_get(o, key), -1);
        cells[i] = v < 0 ? NULL : text[i];
        (void)snprintf(text[i], sizeof(text[i]), "%.*f", digits, v);
    }
    cli_bench_line(name, cells, n);
}

/* NULL: no result has it. */
static const ims_json *first_with(const ims_json *results, const char *key)
{
    for (size_t i = 0; i < ims__json_len(results); i++) {
        const ims_json *v = ims__json_get(ims__json_at(results, i), key);

        if (v)
            return v;
    }
    return NULL;
}

static void print_series(const ims_json *results, const struct cli_bench_series *s)
{
    const ims_json *rows = first_with(results, s->list);
    char name[CLI_BENCH_NAME_BYTES];

    for (size_t i = 0; i < ims__json_len(rows); i++) {
        cli_bench_rate_name(s, ims__json_num(ims__json_get(ims__json_at(rows, i), "batch"), 0), name);
        print_numbers(name, results, 1, s->list, i, s->key);
    }
}

static void print_head(const ims_json *results)
{
    static const struct {
        const char *key, *shown;
    } heads[] = { { "device", "device" }, { "precision", "precision" }, { "face_device", "device of the faces" } };
    const ims_json *faces = first_with(results, "face_model");
    const char *cells[MAX_CELLS];
    size_t n = ims__json_len(results);

    n = n < MAX_CELLS ? n : MAX_CELLS;
    printf("%s, %s\n", ims__json_str(ims__json_get(ims__json_at(results, 0), "model"), NULL),
           ims__json_str(ims__json_get(ims__json_at(results, 0), "runtime"), NULL));
    if (faces)
        printf("faces: %s, detected at %.0f pixels\n", ims__json_str(faces, NULL),
               ims__json_num(first_with(results, "face_side_px"), 0));
    for (size_t k = 0; k < IMS_ARRAY_LEN(heads) && first_with(results, heads[k].key); k++) {
        for (size_t i = 0; i < n; i++)
            cells[i] = ims__json_str(ims__json_get(ims__json_at(results, i), heads[k].key), NULL);
        cli_bench_line(heads[k].shown, cells, n);
    }
}

void cli_bench_print(const ims_json *results)
{
    if (ims__json_len(results) == 0)
        return;
    print_head(results);
    for (size_t i = 0; i < cli_bench_n_series; i++)
        print_series(results, &cli_bench_series[i]);
    for (size_t i = 0; i < cli_bench_n_metrics; i++)
        print_numbers(cli_bench_metrics[i].shown, results, cli_bench_metrics[i].digits, NULL, 0,
                      cli_bench_metrics[i].key);
}
