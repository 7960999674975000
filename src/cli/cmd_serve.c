/* imgsearch serve: the library as a service.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/cli.h"
#include "http/serve.h"

#include <stdio.h>

static const struct cli_option options[] = {
    { "host", 0, "ADDRESS", "Listen on this address (default 127.0.0.1). Any but loopback needs a token.", IMS_CFG_HOST },
    { "port", 'p', "N", "Listen on this port (default 8000); 0 = any free one.", IMS_CFG_PORT },
    { "device", 0, "NAME", "Compute on this device: auto, cpu, cuda, cuda:1, mps, webgpu ...", IMS_CFG_DEVICE },
    { "model", 'm', "NAME", "Serve with this installed model.", IMS_CFG_MODEL },
    { "watch", 0, NULL, "Follow the library's folders and index what changes (as WATCH_ENABLED and WATCH_AUTO_TRAIN).", CLI_NO_CFG },
    { "no-watch", 0, NULL, "Do not, whatever WATCH_ENABLED says.", CLI_NO_CFG },
    { "no-worker", 0, NULL, "Leave background jobs to `imgsearch worker`.", CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static void on_ready(void *arg, const char *url)
{
    (void)arg;
    printf("imgsearch serves %s\n", url);
    fflush(stdout);
}

static bool is_stopped(void *arg)
{
    (void)arg;
    return cli_is_interrupted();
}

static ims_status run(struct cli *cli, ims_err *err)
{
    const struct ims_config *c = cli->config;
    struct ims_serve_options o = { .host = ims__config_str(c, IMS_CFG_HOST),
                                   .port = (uint16_t)ims__config_int(c, IMS_CFG_PORT),
                                   .token = ims__config_str(c, IMS_CFG_TOKEN),
                                   .allowed_hosts = ims__config_str(c, IMS_CFG_ALLOWED_HOSTS),
                                   .cors_origins = ims__config_str(c, IMS_CFG_CORS_ORIGINS),
                                   .no_cors = !ims__config_bool(c, IMS_CFG_ENABLE_CORS),
                                   .allow_destructive = ims__config_bool(c, IMS_CFG_ALLOW_DESTRUCTIVE),
                                   .check_replies = ims__config_bool(c, IMS_CFG_CHECK_REPLIES),
                                   .root = ims__config_str(c, IMS_CFG_IMAGE_ROOT_DIR),
                                   .no_worker = cli_has(cli, "no-worker"),
                                   .is_watching = !cli_has(cli, "no-watch") &&
                                                  (cli_has(cli, "watch") || ims__config_bool(c, IMS_CFG_WATCH_ENABLED)),
                                   .watch = { .debounce_s = ims__config_real(c, IMS_CFG_WATCH_DEBOUNCE),
                                              .poll_s = ims__config_real(c, IMS_CFG_WATCH_POLL),
                                              .auto_train = cli_has(cli, "watch") ||
                                                            ims__config_bool(c, IMS_CFG_WATCH_AUTO_TRAIN) },
                                   .on_ready = on_ready,
                                   .is_stopped = is_stopped };
    ims_status st;

    if (ims__config_int(c, IMS_CFG_PORT) < 0 || ims__config_int(c, IMS_CFG_PORT) > 65535)
        return ims_fail(err, IMS_E_CONFIG, "cli", 0, "the port is %lld; 0 to 65535 are possible",
                        (long long)ims__config_int(c, IMS_CFG_PORT));
    cli_catch_signals();
    st = cli_open_engine(cli, false, &o.engine, err);
    if (!st)
        st = cli_settle_device(o.engine, err);
    if (!st)
        st = ims__serve(&o, err);
    ims_engine_close(o.engine);
    return st;
}

const struct cli_command cli_cmd_serve = {
    .name = "serve",
    .summary = "Serve the library over HTTP.",
    .words = "",
    .details = "Answers the HTTP interface (/docs describes it) on http://localhost:8000, does background work and\n"
               "ends in order on SIGTERM or Ctrl-C: what was begun is finished or taken up at the next start.\n"
               "Only folders that were indexed, and IMAGE_ROOT_DIR, are ever read.",
    .examples = "imgsearch serve  on this machine only\n"
                "imgsearch serve --watch  and index photos as they come\n"
                "IMS_TOKEN=$(openssl rand -hex 16) imgsearch serve --host 0.0.0.0  for the whole network, with a token",
    .options = options,
    .run = run,
};
