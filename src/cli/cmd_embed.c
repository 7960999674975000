/* imgsearch embed and tokenize: what the model makes of a text or a picture.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option embed_options[] = {
    { "image", 'i', "FILE", "Embed this picture instead of words.", CLI_NO_CFG },
    { "npy", 0, "FILE", "Write the vector as a NumPy file.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static const struct cli_option no_options[] = { { NULL, 0, NULL, NULL, CLI_NO_CFG } };

#define NPY_ALIGNMENT 64

/* NumPy's format 1.0: magic, version, header length (little-endian), a dictionary padded so that the
 * data start at a multiple of 64, data. Floats are written low byte first on every machine. */
static ims_status write_npy(const char *path, const float *v, uint32_t dim, ims_err *err)
{
    struct ims_buf b;
    char header[128];
    size_t n, total;
    ims_status st;

    snprintf(header, sizeof(header), "{'descr': '<f4', 'fortran_order': False, 'shape': (%u,), }", dim);
    n = strlen(header) + 1; /* the line end */
    total = (10 + n + NPY_ALIGNMENT - 1) / NPY_ALIGNMENT * NPY_ALIGNMENT;
    ims__buf_init(&b, (size_t)1 << 20);
    (void)ims__buf_add(&b, "\x93NUMPY\x01\x00", 8);
    (void)ims__buf_add_char(&b, (char)((total - 10) & 0xff));
    (void)ims__buf_add_char(&b, (char)((total - 10) >> 8));
    (void)ims__buf_add_str(&b, header);
    for (size_t i = 10 + n; i < total; i++)
        (void)ims__buf_add_char(&b, ' ');
    (void)ims__buf_add_char(&b, '\n');
    for (uint32_t i = 0; i < dim; i++) {
        uint32_t bits;
        char bytes[4];

        memcpy(&bits, &v[i], sizeof(bits));
        for (int k = 0; k < 4; k++)
            bytes[k] = (char)(bits >> (8 * k) & 0xff);
        (void)ims__buf_add(&b, bytes, 4);
    }
    st = ims__buf_status(&b);
    st = st ? ims_fail(err, st, "cli", 0, "writing %s", path) : ims__write_file(path, b.data, b.len, err);
    ims__buf_release(&b);
    return st;
}

static ims_status print_vector(struct cli *cli, struct ims_engine *e, const char *what, const float *v,
                               uint32_t dim, ims_err *err)
{
    struct ims_model_facts model;
    struct ims_device_used used;
    ims_json *o, *list;
    ims_status st = ims_engine_model(e, &model, err);

    if (st)
        return st;
    if (!cli->is_json) {
        for (uint32_t i = 0; i < dim; i++)
            printf("%.9g\n", (double)v[i]);
        return IMS_OK;
    }
    ims_engine_device_used(e, &used);
    o = ims__json_new_object();
    list = ims__json_new_array();
    for (uint32_t i = 0; i < dim; i++)
        (void)ims__json_add(list, ims__json_new_num((double)v[i]));
    (void)ims__json_set(o, "input", ims__json_new_str(what));
    (void)ims__json_set(o, "model", ims__json_new_str(model.name));
    (void)ims__json_set(o, "device", ims__json_new_str(used.device));
    (void)ims__json_set(o, "dimension", ims__json_new_int(dim));
    (void)ims__json_set(o, "vector", list);
    return cli_print_json(o, err);
}

static ims_status run_embed(struct cli *cli, ims_err *err)
{
    const char *image = cli_value(cli, "image"), *npy = cli_value(cli, "npy");
    struct ims_engine *e = NULL;
    char *words = NULL;
    float *v = NULL;
    uint32_t dim;
    ims_status st = IMS_OK;

    if (image && cli->n_words)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "give words or --image FILE, not both");
    if (!image)
        st = cli_joined_words(cli, "the words to embed", &words, err);
    if (!st)
        st = cli_open_bare_engine(cli, &e, err);
    if (!st)
        st = image ? ims_engine_embed_image(e, image, &v, &dim, err) : ims_engine_embed_text(e, words, &v, &dim, err);
    if (!st && !image)
        cli_note_cut(e, words);
    if (!st && npy)
        st = write_npy(npy, v, dim, err);
    if (!st && (!npy || cli->is_json))
        st = print_vector(cli, e, image ? image : words, v, dim, err);
    ims_engine_free(v);
    ims_engine_close(e);
    ims__free(words);
    return st;
}

static ims_status run_tokenize(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    struct ims_model_facts model;
    char *words = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    ims_status st = cli_joined_words(cli, "the words to tokenize", &words, err);

    if (!st)
        st = cli_open_bare_engine(cli, &e, err);
    if (!st)
        st = ims_engine_tokenize(e, words, &ids, &n, err);
    if (!st)
        cli_note_cut(e, words);
    if (!st)
        st = ims_engine_model(e, &model, err);
    if (!st && cli->is_json) {
        ims_json *o = ims__json_new_object(), *list = ims__json_new_array();

        for (size_t i = 0; i < n; i++)
            (void)ims__json_add(list, ims__json_new_int(ids[i]));
        (void)ims__json_set(o, "text", ims__json_new_str(words));
        (void)ims__json_set(o, "model", ims__json_new_str(model.name));
        (void)ims__json_set(o, "ids", list);
        st = cli_print_json(o, err);
    } else if (!st) {
        for (size_t i = 0; i < n; i++)
            printf("%s%d", i ? " " : "", ids[i]);
        printf("\n");
    }
    ims_engine_free(ids);
    ims_engine_close(e);
    ims__free(words);
    return st;
}

const struct cli_command cli_cmd_embed = {
    .name = "embed",
    .summary = "Turn words or a picture into the model's vector.",
    .words = "[WORDS...]",
    .details = "The vector has unit length. Without --json and --npy it is printed one number a line.",
    .examples = "imgsearch embed --json a red car\n"
                "imgsearch embed --image holiday.jpg --npy holiday.npy",
    .options = embed_options,
    .run = run_embed,
};

const struct cli_command cli_cmd_tokenize = {
    .name = "tokenize",
    .summary = "Show the token ids that the model reads for words.",
    .words = "WORDS...",
    .examples = "imgsearch tokenize \"a photo of a cat\"",
    .options = no_options,
    .run = run_tokenize,
};
