/* imgsearch faces train: learn from the faces that have names.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "ims/face_training.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    { "dry-run", 0, NULL, "Train and judge, but keep nothing.", CLI_NO_CFG },
    { "epochs", 0, "N", "How often every face is seen at most (default 20).",
      IMS_CFG_FACE_TRAINING_EPOCHS },
    { "margin", 0, "D", "How much nearer one's own faces shall be than others' (default 0.2).",
      IMS_CFG_FACE_TRIPLET_MARGIN },
    { "batch-size", 0, "N", "Faces compared at a time (default 32).", IMS_CFG_FACE_BATCH_SIZE },
    { "learning-rate", 0, "R", "Step of the optimiser (default 0.0001).", IMS_CFG_FACE_LEARNING_RATE },
    { "min-faces", 0, "N", "Leave out persons with fewer named faces (default 5).", CLI_NO_CFG },
    { "seed", 0, "N", "Another choice of what is held out (default 1).", CLI_NO_CFG },
    { "continue", 0, NULL, "Go on from the training that serves.", CLI_NO_CFG },
    { "checkpoint", 0, "FILE", "Also write a training that is kept to this file.",
      IMS_CFG_FACE_MODEL_CHECKPOINT },
    { "list", 'l', NULL, "List the trainings that are kept instead.", CLI_NO_CFG },
    { "use", 'u', "VERSION", "Have that training serve instead, or none.", CLI_NO_CFG },
    { "quiet", 'q', NULL, "No progress.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

/* ---- train ---- */

static bool on_epoch(void *arg, const struct ims_face_training_progress *p)
{
    const struct cli *cli = arg;
    bool is_terminal = cli_is_terminal(STDERR_FILENO);

    if (!cli_has(cli, "quiet"))
        fprintf(stderr, "%sepoch %d of %d: loss %.4f, of watched faces %.4f (before %.4f)%s",
                is_terminal ? "\r\033[K" : "", p->epoch, p->n_epochs, p->loss, p->watched_loss,
                p->watched_first, is_terminal && p->epoch < p->n_epochs ? "" : "\n");
    fflush(stderr);
    return !cli_is_interrupted();
}

static ims_status read_number(const struct cli *cli, const char *option, int64_t lo, int64_t hi,
                              int64_t fallback, int64_t *out, ims_err *err)
{
    const char *text = cli_value(cli, option);

    *out = fallback;
    if (text && !ims__parse_int(text, lo, hi, out))
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "--%s takes a whole number from %lld to %lld", option,
                        (long long)lo, (long long)hi);
    return IMS_OK;
}

static ims_json *rates_json(const struct ims_face_training_rates *r)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "trueAcceptRate", ims__json_new_num(r->true_accepts));
    (void)ims__json_set(o, "falseAcceptRate", ims__json_new_num(r->false_accepts));
    (void)ims__json_set(o, "threshold", ims__json_new_num(r->threshold));
    (void)ims__json_set(o, "meanSame", ims__json_new_num(r->mean_same));
    (void)ims__json_set(o, "meanDifferent", ims__json_new_num(r->mean_different));
    return o;
}

static ims_json *result_json(const struct ims_face_training_result *r)
{
    ims_json *o = ims__json_new_object();

#define COUNT(key, field) (void)ims__json_set(o, key, ims__json_new_int((int64_t)r->field))
    COUNT("persons", persons);
    COUNT("personsHeldOut", persons_held_out);
    COUNT("facesLearned", learned);
    COUNT("facesWatched", watched);
    COUNT("facesJudged", judged);
    COUNT("facesIgnored", ignored);
    COUNT("samePairs", same_pairs);
    COUNT("differentPairs", different_pairs);
    COUNT("epochs", epochs);
    COUNT("bestEpoch", best_epoch);
#undef COUNT
    (void)ims__json_set(o, "watchedLossBefore", ims__json_new_num(r->watched_first));
    (void)ims__json_set(o, "watchedLossAfter", ims__json_new_num(r->watched_best));
    (void)ims__json_set(o, "before", rates_json(&r->before));
    (void)ims__json_set(o, "after", rates_json(&r->after));
    (void)ims__json_set(o, "gain", ims__json_new_num(r->gain));
    (void)ims__json_set(o, "gainError", ims__json_new_num(r->gain_error));
    (void)ims__json_set(o, "better", ims__json_new_bool(r->is_better));
    (void)ims__json_set(o, "active", ims__json_new_bool(r->is_active));
    (void)ims__json_set(o, "version", r->version ? ims__json_new_int(r->version) : ims__json_new_null());
    (void)ims__json_set(o, "digest", ims__json_new_str(r->digest[0] ? r->digest : NULL));
    return o;
}

static void print_result(const struct ims_face_training_result *r)
{
    printf("learnt from %zu faces of %zu persons; judged by %zu other faces, %zu persons held out whole\n",
           r->learned, r->persons - r->persons_held_out, r->judged, r->persons_held_out);
    printf("                      before    after\n");
    printf("the same, accepted   %6.1f %%  %6.1f %%   of %zu pairs\n", 100 * r->before.true_accepts,
           100 * r->after.true_accepts, r->same_pairs);
    printf("others, accepted     %6.3f %%  %6.3f %%   of %zu pairs\n", 100 * r->before.false_accepts,
           100 * r->after.false_accepts, r->different_pairs);
    if (r->is_active)
        printf("better: training %d serves from now on; `imgsearch faces train --use none` takes it back\n",
               r->version);
    else if (r->is_better)
        printf("better; nothing was kept\n");
    else
        printf("no better (%+.1f %%, give or take %.1f): it is not used, and everything stays as it was\n",
               100 * r->gain, 200 * r->gain_error);
}

static ims_status train(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct ims_face_training_options o = {
        .margin = ims__config_real(cli->config, IMS_CFG_FACE_TRIPLET_MARGIN),
        .learning_rate = ims__config_real(cli->config, IMS_CFG_FACE_LEARNING_RATE),
        .epochs = (int)ims__config_int(cli->config, IMS_CFG_FACE_TRAINING_EPOCHS),
        .batch = (int)ims__config_int(cli->config, IMS_CFG_FACE_BATCH_SIZE),
        .go_on = cli_has(cli, "continue"),
        .is_dry_run = cli_has(cli, "dry-run"),
        .checkpoint = ims__config_str(cli->config, IMS_CFG_FACE_MODEL_CHECKPOINT),
        .on_epoch = on_epoch,
        .arg = cli,
    };
    struct ims_face_training_result r;
    int64_t min_faces, seed;
    ims_status st = read_number(cli, "min-faces", 4, 1000000, 5, &min_faces, err);

    if (!st)
        st = read_number(cli, "seed", 0, INT64_MAX, 1, &seed, err);
    if (st)
        return st;
    o.min_faces = (size_t)min_faces;
    o.seed = (uint64_t)seed;
    cli_catch_signals();
    st = ims_engine_train_faces(e, &o, &r, err);
    if (!st && cli->is_json)
        return cli_print_json(result_json(&r), err);
    if (!st)
        print_result(&r);
    return st;
}

/* ---- versions ---- */

struct view {
    ims_json *list; /* NULL: text */
    size_t n;
};

static void show_version(void *arg, const struct ims_face_training_version *v)
{
    struct view *view = arg;
    char when[40];
    ims_json *o, *metrics = NULL;

    view->n++;
    ims__format_utc(v->created_us, when, sizeof(when));
    if (ims__json_parse(&metrics, v->metrics_json ? v->metrics_json : "{}",
                        v->metrics_json ? strlen(v->metrics_json) : 2, "metrics", NULL))
        metrics = NULL;
    if (!view->list) {
        printf("%s %3d  %s  %.1f %% -> %.1f %% of the same accepted  %s\n", v->is_active ? "*" : " ",
               v->version, when,
               100 * ims__json_num(ims__json_get(ims__json_get(metrics, "before"), "trueAcceptRate"), 0),
               100 * ims__json_num(ims__json_get(ims__json_get(metrics, "after"), "trueAcceptRate"), 0),
               v->name);
        ims__json_free(metrics);
        return;
    }
    o = ims__json_new_object();
    (void)ims__json_set(o, "version", ims__json_new_int(v->version));
    (void)ims__json_set(o, "name", ims__json_new_str(v->name));
    (void)ims__json_set(o, "digest", ims__json_new_str(v->digest));
    (void)ims__json_set(o, "active", ims__json_new_bool(v->is_active));
    (void)ims__json_set(o, "created", ims__json_new_str(when));
    (void)ims__json_set(o, "metrics", metrics ? metrics : ims__json_new_null());
    (void)ims__json_add(view->list, o);
}

static ims_status list_versions(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    struct view view = { .list = cli->is_json ? ims__json_new_array() : NULL };
    ims_status st = ims_engine_face_trainings(e, show_version, &view, err);

    if (!st && view.list)
        return cli_print_json(view.list, err);
    if (!st && view.n == 0)
        printf("there is no training yet; `imgsearch faces train` makes one\n");
    ims__json_free(view.list);
    return st;
}

static ims_status use_version(struct cli *cli, struct ims_engine *e, ims_err *err)
{
    int64_t version = 0;
    ims_status st = IMS_OK;
    ims_json *o;

    if (strcmp(cli_value(cli, "use"), "none") != 0)
        st = read_number(cli, "use", 1, INT32_MAX, 0, &version, err);
    if (!st)
        st = ims_engine_use_face_training(e, (int)version, err);
    if (st)
        return st;
    if (!cli->is_json && version)
        printf("training %lld serves\n", (long long)version);
    else if (!cli->is_json)
        printf("no training serves: faces are compared by their vectors as they are\n");
    if (!cli->is_json)
        return IMS_OK;
    o = ims__json_new_object();
    (void)ims__json_set(o, "version", version ? ims__json_new_int(version) : ims__json_new_null());
    return cli_print_json(o, err);
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_engine *e = NULL;
    bool is_list = cli_has(cli, "list"), is_use = cli_value(cli, "use") != NULL;
    ims_status st;

    if (is_list && is_use)
        return ims_fail(err, IMS_E_USAGE, "cli", 0, "of --list and --use only one can be meant");
    if (!is_list && !is_use && !ims__config_bool(cli->config, IMS_CFG_FACE_TRAINING_ENABLED))
        return ims_fail(err, IMS_E_CONFIG, "cli", 0,
                        "face training is switched off; set FACE_TRAINING_ENABLED=true to use it");
    st = cli_open_engine(cli, is_list, &e, err);
    if (!st)
        st = is_list ? list_versions(cli, e, err) : is_use ? use_version(cli, e, err) : train(cli, e, err);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_faces_train = {
    .name = "faces train",
    .summary = "Learn to tell people apart from the faces that have names.",
    .words = "",
    .details =
        "Learns a projection of the face vectors that brings the faces of a person together. A part of the\n"
        "named faces, and some persons whole, are kept out of it: unless it tells those apart better than\n"
        "before, and not just by chance, it is not used. The vectors stay as they are, so --use none takes\n"
        "a training back at once. Needs FACE_TRAINING_ENABLED=true, two persons with five faces each, and\n"
        "helps the more the more faces have names.",
    .examples = "FACE_TRAINING_ENABLED=true imgsearch faces train\n"
                "FACE_TRAINING_ENABLED=true imgsearch faces train --dry-run --json\n"
                "imgsearch faces train --list\n"
                "imgsearch faces train --use none",
    .options = options,
    .run = run,
};
