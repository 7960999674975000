/* imgsearch models pull: fetches a known model into the data directory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/cli.h"
#include "models/install.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DRAW_NS 200000000u
#define PLAIN_NS 5000000000u
#define SLICE_MS 100

static const struct cli_option options[] = {
    { "accept-licence", 0, NULL, "Accept the terms of a model that may not be used for everything.",
      CLI_NO_CFG },
    { "dry-run", 0, NULL, "Only show what would be fetched, and from where.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

struct pull_view {
    bool is_terminal, is_drawn;
    uint64_t start_ns, next_ns;
    uint64_t first_bytes; /* there before this run */
    bool has_first;
};

static void clear_line(struct pull_view *v)
{
    if (v->is_drawn)
        fputs("\r\033[K", stderr);
    v->is_drawn = false;
}

static bool on_progress(void *arg, const struct ims_pull_progress *p)
{
    struct pull_view *v = arg;
    uint64_t now = ims__mono_ns();
    double seconds, rate;
    char total[32] = "";

    if (cli_is_interrupted())
        return false;
    if (!v->has_first && p->done_bytes) {
        v->has_first = true;
        v->first_bytes = p->done_bytes;
        v->start_ns = now;
    }
    if (now < v->next_ns || !p->done_bytes)
        return true;
    v->next_ns = now + (v->is_terminal ? DRAW_NS : PLAIN_NS);
    seconds = (double)(now - v->start_ns) / 1e9;
    rate = seconds > 0.2 ? (double)(p->done_bytes - v->first_bytes) / seconds / 1e6 : 0;
    if (p->total_bytes)
        snprintf(total, sizeof(total), " of %.1f", (double)p->total_bytes / 1e6);
    fprintf(stderr, "%s%s: %.1f%s MB, %.1f MB/s%s", v->is_terminal ? "\r\033[K" : "", p->file,
            (double)p->done_bytes / 1e6, total, rate, v->is_terminal ? "" : "\n");
    fflush(stderr);
    v->is_drawn = v->is_terminal;
    return true;
}

static bool on_wait(void *arg, unsigned wait_ms, const char *why)
{
    const struct timespec slice = { .tv_nsec = SLICE_MS * 1000000L };

    clear_line(arg);
    fprintf(stderr, "%s; trying again in %.0f s\n", why, wait_ms / 1000.0);
    for (unsigned left = wait_ms; left > 0 && !cli_is_interrupted();
         left -= left < SLICE_MS ? left : SLICE_MS)
        (void)nanosleep(&slice, NULL);
    return !cli_is_interrupted();
}

/* ---- what is to be fetched ---- */

/* The model named, else the one that the settings name, else the default. */
static char *wanted_name(const struct cli *cli)
{
    const char *arch = ims__config_str(cli->config, IMS_CFG_CLIP_MODEL_NAME);
    const char *tag = ims__config_str(cli->config, IMS_CFG_CLIP_PRETRAINED);

    if (cli->n_words)
        return ims__strdup(cli->words[0]);
    if (*arch && *tag)
        return ims__strfmt("%s__%s", arch, tag);
    return ims__strdup(*arch ? arch : IMS_REGISTRY_DEFAULT);
}

static char *hub_url(const struct cli *cli)
{
    const char *url = ims__config_str(cli->config, IMS_CFG_HUB_URL);
    size_t n = strlen(url);

    while (n && url[n - 1] == '/')
        n--;
    return ims__strndup(url, n);
}

static void print_licence(const struct ims_registry_row *row)
{
    fprintf(stderr, "%s: licence %s%s%s\n", row->name, row->licence, row->terms ? ". " : "",
            row->terms ? row->terms : "");
}

static void print_file(FILE *out, const struct ims_registry_row *row, size_t i, const char *hub,
                       const char *dir)
{
    const struct ims_registry_file *f = &row->files[i];
    char *url = ims_model_file_url(row, i, hub);

    fprintf(out, "  %s\n      to %s/%s\n", url ? url : f->path, dir, f->local);
    if (f->size_bytes)
        fprintf(out, "      %llu bytes\n", (unsigned long long)f->size_bytes);
    if (f->sha256)
        fprintf(out, "      SHA-256 %s\n", f->sha256);
    ims__free(url);
}

/* What to do on a machine that cannot fetch. */
static void print_by_hand(FILE *out, const struct cli *cli, const struct ims_registry_row *row,
                          const char *hub)
{
    char *dir = ims__strfmt("%s/models/%s", cli->data_dir, row->name);

    fprintf(out, "Where there is a network, fetch these files; here, put them so:\n");
    for (size_t i = 0; i < row->n_files; i++)
        print_file(out, row, i, hub, dir ? dir : row->name);
    fprintf(out,
            "Then `imgsearch models verify %s` checks them. A folder with the same files is taken "
            "in by\n"
            "`imgsearch models import FOLDER`; a mirror is named by IMS_HUB_URL, a proxy by "
            "https_proxy.\n",
            row->name);
    ims__free(dir);
}

static ims_json *plan_json(const struct cli *cli, const struct ims_registry_row *row,
                           const char *hub)
{
    ims_json *o = ims__json_new_object(), *files = ims__json_new_array();

    for (size_t i = 0; i < row->n_files; i++) {
        ims_json *f = ims__json_new_object();
        char *url = ims_model_file_url(row, i, hub);
        char *to = ims__strfmt("%s/models/%s/%s", cli->data_dir, row->name, row->files[i].local);

        (void)ims__json_set(f, "url", ims__json_new_str(url));
        (void)ims__json_set(f, "path", to ? cli_path_json(to) : NULL);
        (void)ims__json_set(f, "sha256", ims__json_new_str(row->files[i].sha256));
        (void)ims__json_add(files, f);
        ims__free(url);
        ims__free(to);
    }
    (void)ims__json_set(o, "name", ims__json_new_str(row->name));
    (void)ims__json_set(o, "licence", ims__json_new_str(row->licence));
    (void)ims__json_set(o, "terms", ims__json_new_str(row->terms));
    (void)ims__json_set(o, "files", files);
    return o;
}

static ims_status report(const struct cli *cli, const struct ims_registry_row *row,
                         const struct ims_pull_result *r, ims_err *err)
{
    ims_json *o;

    if (!cli->is_json) {
        if (r->was_there)
            printf("%s is installed already: ", row->name);
        else
            printf("%s is installed (%.1f MB fetched, every sum is right): ", row->name,
                   (double)r->fetched_bytes / 1e6);
        cli_print_path(r->dir);
        printf("\n");
        return IMS_OK;
    }
    o = ims__json_new_object();
    (void)ims__json_set(o, "name", ims__json_new_str(row->name));
    (void)ims__json_set(o, "dir", cli_path_json(r->dir));
    (void)ims__json_set(o, "fetched_bytes", ims__json_new_int((int64_t)r->fetched_bytes));
    (void)ims__json_set(o, "was_there", ims__json_new_bool(r->was_there));
    return cli_print_json(o, err);
}

static ims_status pull(struct cli *cli, const struct ims_registry_row *row, const char *hub,
                       ims_err *err)
{
    struct pull_view view = { .is_terminal = cli_is_terminal(STDERR_FILENO) };
    struct ims_pull_options o = { .data_dir = cli->data_dir,
                                  .hub_url = hub,
                                  .accept_licence = cli_has(cli, "accept-licence"),
                                  .on_progress = on_progress,
                                  .on_wait = on_wait,
                                  .arg = &view };
    struct ims_pull_result result = { 0 };
    ims_err why = { 0 };
    ims_status st;

    cli_catch_signals();
    if (!row->terms || o.accept_licence)
        print_licence(row); /* else the refusal says it */
    if (ims__starts_with(hub, "http://") && !ims__starts_with(hub, "http://127.") &&
        !ims__starts_with(hub, "http://localhost"))
        fprintf(stderr,
                "note: %s is not encrypted; sums that it says are worth as much as the network "
                "between\n",
                hub);
    st = ims_model_pull(row, &o, &result, &why);
    clear_line(&view);
    if (!st)
        st = report(cli, row, &result, err);
    else if (err)
        *err = why;
    if (st && ims_model_pull_is_offline(&why))
        print_by_hand(stderr, cli, row, hub);
    ims__free(result.dir);
    return st;
}

static ims_status run(struct cli *cli, ims_err *err)
{
    const struct ims_registry_row *row;
    struct ims_registry_own own;
    char *name = wanted_name(cli), *hub = hub_url(cli);
    ims_status st;

    if (cli->n_words > 1)
        st = ims_fail(err, IMS_E_USAGE, "cli", 0, "one model at a time");
    else if (!name || !hub)
        st = ims_fail(err, IMS_E_NOMEM, "cli", 0, "starting");
    else
        st = ims_registry_find(&row, name, &own, err);
    if (st)
        goto out;
    if (!cli_has(cli, "dry-run")) {
        st = pull(cli, row, hub, err);
    } else if (cli->is_json) {
        st = cli_print_json(plan_json(cli, row, hub), err);
    } else {
        printf("%s: %s, %s, about %u MB, licence %s%s%s\n", row->name, row->about, row->repo,
               row->size_mb, row->licence, row->terms ? ". " : "", row->terms ? row->terms : "");
        print_by_hand(stdout, cli, row, hub);
    }
out:
    ims__free(name);
    ims__free(hub);
    return st;
}

const struct cli_command cli_cmd_models_pull = {
    .name = "models pull",
    .summary = "Fetch a model from the hub, checked to the byte.",
    .words = "[NAME]",
    .details =
        "NAME is one of `imgsearch models list --available`, an architecture alone (ViT-B-32), or\n"
        "hf-hub:OWNER/REPOSITORY for any other open_clip model of the hub; \"faces\" is whichever face "
        "models are to be\n"
        "had most freely. Without a name: the "
        "model that the\n"
        "settings name, else ViT-B-32__laion2b_s34b_b79k. What was interrupted goes on where it "
        "was. A model\n"
        "gets its place only when the size and sum of every file are right. This command and "
        "`runtime pull`\n"
        "are the only ones that use the network. IMS_HUB_URL names a mirror, https_proxy a proxy.",
    .examples = "imgsearch models pull\n"
                "imgsearch models pull ViT-L-14\n"
                "imgsearch models pull buffalo_l --accept-licence",
    .options = options,
    .run = run,
};
