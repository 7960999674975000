/* Answers on stdout.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "compute/compute.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cli_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

ims_status cli_flush(ims_err *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return IMS_OK;
    return ims_fail(err, ims__errno_status(errno), "cli", errno, "writing the answer: %s", strerror(errno));
}

ims_status cli_print_json(ims_json *take, ims_err *err)
{
    struct ims_buf text;
    ims_status st;

    ims__buf_init(&text, IMS_MAX_JSON_BYTES);
    st = ims__json_write(take, 2, &text, err);
    if (!st) {
        fwrite(text.data, 1, text.len, stdout);
        fputc('\n', stdout);
    }
    ims__buf_release(&text);
    ims__json_free(take);
    return st ? st : cli_flush(err);
}

int64_t cli_asset_id(const char *word)
{
    struct ims_file_info info;
    int64_t id = 0;

    if (ims__stat(word, false, &info, NULL) != IMS_OK)
        (void)ims__parse_int(word, 1, INT64_MAX, &id);
    return id;
}

void cli_print_path(const char *path)
{
    struct ims_buf shown;

    ims__buf_init(&shown, 4 * IMS_MAX_PATH_BYTES + 1);
    if (ims__display(path, strlen(path), &shown) == IMS_OK && shown.data)
        fputs(shown.data, stdout);
    ims__buf_release(&shown);
}

ims_json *cli_time_json(int64_t us)
{
    char text[40];

    ims__format_utc(us, text, sizeof(text));
    return ims__json_new_str(text);
}

ims_json *cli_path_json(const char *path)
{
    struct ims_buf shown;
    ims_json *v = NULL;

    ims__buf_init(&shown, 4 * IMS_MAX_PATH_BYTES + 1);
    if (ims__display(path, strlen(path), &shown) == IMS_OK)
        v = ims__json_new_str(shown.data ? shown.data : "");
    ims__buf_release(&shown);
    return v;
}

static ims_json *camera_json(const struct ims_asset *a)
{
    ims_json *o;

    if (!a->camera_make && !a->camera_model)
        return ims__json_new_null();
    o = ims__json_new_object();
    (void)ims__json_set(o, "make", ims__json_new_str(a->camera_make));
    (void)ims__json_set(o, "model", ims__json_new_str(a->camera_model));
    return o;
}

static ims_json *location_json(const struct ims_asset *a)
{
    ims_json *o;

    if (!a->has_gps)
        return ims__json_new_null();
    o = ims__json_new_object();
    (void)ims__json_set(o, "lat", ims__json_new_num(a->gps_lat));
    (void)ims__json_set(o, "lng", ims__json_new_num(a->gps_lng));
    return o;
}

ims_json *cli_asset_json(const struct ims_asset *a)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "id", ims__json_new_int(a->id));
    (void)ims__json_set(o, "path", cli_path_json(a->path));
    (void)ims__json_set(o, "filename", cli_path_json(ims__path_base(a->path)));
    (void)ims__json_set(o, "mime", ims__json_new_str(a->mime));
    (void)ims__json_set(o, "width", ims__json_new_int(a->width));
    (void)ims__json_set(o, "height", ims__json_new_int(a->height));
    (void)ims__json_set(o, "size", ims__json_new_int(a->size_bytes));
    (void)ims__json_set(o, "createdAt", cli_time_json(a->created_us));
    (void)ims__json_set(o, "modifiedAt", cli_time_json(a->mtime_us));
    (void)ims__json_set(o, "indexedAt", a->indexed_us ? cli_time_json(a->indexed_us) : ims__json_new_null());
    (void)ims__json_set(o, "takenAt", a->has_taken_at ? cli_time_json(a->taken_at_us) : ims__json_new_null());
    (void)ims__json_set(o, "camera", camera_json(a));
    (void)ims__json_set(o, "location", location_json(a));
    (void)ims__json_set(o, "sha256", ims__json_new_str(a->sha256[0] ? a->sha256 : NULL));
    (void)ims__json_set(o, "phash", ims__json_new_str(a->phash[0] ? a->phash : NULL));
    (void)ims__json_set(o, "categoryId", ims__json_new_int(a->category_id));
    (void)ims__json_set(o, "deleted", ims__json_new_bool(a->is_deleted));
    return o;
}

void cli_note_demo(const struct cli *cli, const struct ims_model_facts *model)
{
    if (model->is_demo && !cli->is_json)
        printf("note: the demo model \"%s\" serves; it knows only drawn scenes, not photographs "
               "(README: your own photos)\n",
               model->name);
}

void cli_note_cut(struct ims_engine *e, const char *text)
{
    struct ims_model_facts model;
    bool is_cut = false;

    if (ims_engine_text_is_cut(e, text, &is_cut, NULL) == IMS_OK && is_cut &&
        ims_engine_model(e, &model, NULL) == IMS_OK)
        fprintf(stderr, "note: this text is longer than the %u tokens that the model reads; the rest is left out\n",
                model.context_length);
}

void cli_note_device(struct ims_engine *e)
{
    struct ims_device_used used;
    char text[320];
    bool is_warning;

    for (size_t i = 0; ims_engine_device_note(e, i, &is_warning, text, sizeof(text)); i++)
        ims__log(is_warning ? IMS_LOG_WARN : IMS_LOG_INFO, "device", "%s", text);
    ims_engine_device_used(e, &used);
    if (used.device[0])
        ims__log(IMS_LOG_DEBUG, "device", "%s by %s, %s: %s", used.device, used.provider, used.runtime, used.reason);
}

void cli_print_providers(const struct ims_compute_info *info)
{
    bool has_driver = ims_device_has_cuda_driver();
    size_t n_absent = 0;

    for (size_t i = 0; i < info->n_providers; i++) {
        ims_device_kind kind;
        bool is_nvidia = ims_device_kind_from_provider(info->providers[i], &kind) &&
                         (kind == IMS_DEVICE_CUDA || kind == IMS_DEVICE_TENSORRT);

        if (is_nvidia && !has_driver)
            n_absent++;
        else
            printf(" %s", info->providers[i]);
    }
    if (n_absent)
        printf(" and %zu for hardware without a driver here", n_absent);
}
