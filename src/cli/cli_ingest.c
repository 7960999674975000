/* What the commands that run the ingest share: progress, notes, the summary.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

static bool on_progress(void *arg, const struct ims_index_progress *p)
{
    cli_progress_show(arg, p);
    return !cli_is_interrupted();
}

static void on_note(void *arg, const char *path, const char *reason, const char *text)
{
    char shown[1024];

    (void)arg;
    ims__log(IMS_LOG_WARN, "index", "%s: %s: %s", ims__shown(shown, sizeof(shown), path), reason, text);
}

static ims_json *summary_json(const struct ims_index_summary *s, const char *model)
{
    ims_json *o = ims__json_new_object();

#define COUNT(key, field) (void)ims__json_set(o, key, ims__json_new_int((int64_t)s->field))
#define REAL(key, field) (void)ims__json_set(o, key, ims__json_new_num(s->field))
    COUNT("processed", processed);
    COUNT("errors", errors);
    COUNT("unchanged", unchanged);
    COUNT("duplicates", duplicates);
    COUNT("found", found);
    COUNT("known_failures", known_failures);
    COUNT("moved", moved);
    COUNT("deleted", deleted);
    COUNT("skipped_links", skipped_links);
    COUNT("skipped_other", skipped_other);
    COUNT("failed_folders", failed_folders);
    COUNT("total_faces", total_faces);
    COUNT("unusable_faces", unusable_faces);
    (void)ims__json_set(o, "cancelled", ims__json_new_bool(s->is_cancelled));
    REAL("throughput", throughput);
    REAL("elapsed_time", elapsed_s);
    REAL("io_time", io_s);
    REAL("decode_time", decode_s);
    REAL("gpu_time", compute_s);
    REAL("compute_time", compute_s);
    REAL("detect_time", detect_s);
    REAL("align_time", align_s);
    REAL("recognise_time", recognise_s);
    REAL("write_time", write_s);
    REAL("wait_decode_time", wait_decode_s);
    REAL("wait_compute_time", wait_compute_s);
    REAL("wait_crops_time", wait_crops_s);
    REAL("efficiency", efficiency);
    COUNT("cores", cores);
    COUNT("batches", batches);
    COUNT("peak_rss_bytes", peak_rss_bytes);
#undef COUNT
#undef REAL
    (void)ims__json_set(o, "model", ims__json_new_str(model));
    (void)ims__json_set(o, "face_model", ims__json_new_str(s->face_model[0] ? s->face_model : NULL));
    if (s->faces_note[0])
        (void)ims__json_set(o, "faces_note", ims__json_new_str(s->faces_note));
    (void)ims__json_set(o, "device", ims__json_new_str(s->device[0] ? s->device : NULL));
    (void)ims__json_set(o, "provider", ims__json_new_str(s->provider[0] ? s->provider : NULL));
    (void)ims__json_set(o, "device_faults", ims__json_new_int((int64_t)s->device_faults));
    (void)ims__json_set(o, "device_fault", ims__json_new_str(s->device_fault[0] ? s->device_fault : NULL));
    return o;
}

static void print_if(uint64_t n, const char *what)
{
    if (n)
        printf("  %llu %s\n", (unsigned long long)n, what);
}

static void print_summary(const struct ims_index_summary *s, const char *model)
{
    printf("%s %llu of %llu pictures in %.1f s", s->is_cancelled ? "Stopped after" : "Indexed",
           (unsigned long long)s->processed, (unsigned long long)s->found, s->elapsed_s);
    if (s->processed && s->elapsed_s > 0)
        printf(" (%.1f/s)", s->throughput);
    if (s->face_model[0])
        printf(", %llu faces", (unsigned long long)s->total_faces);
    if (model)
        printf(", model %s", model);
    if (s->face_model[0])
        printf(", face models %s", s->face_model);
    if (s->device[0])
        printf(", device %s", s->device);
    printf("\n");
    if (s->device_faults)
        printf("  %llu batches were computed again after a fault, the last of %s\n",
               (unsigned long long)s->device_faults, s->device_fault);
    if (s->faces_note[0])
        printf("  faces were not looked for: %s\n", s->faces_note);
    print_if(s->unusable_faces, "faces were left out, as their points are of no use");
    print_if(s->unchanged, "were in the library already");
    print_if(s->duplicates, "have the same content as another");
    print_if(s->errors, "failed; `imgsearch status --failures` tells why");
    print_if(s->known_failures, "failed before and were not tried again (--retry-failed)");
    print_if(s->moved, "were moved");
    print_if(s->deleted, "are gone");
    print_if(s->skipped_links, "links were not followed");
    print_if(s->failed_folders, "folders could not be read");
    if (s->processed >= 20)
        printf("  core-seconds: decode %.1f, inference %.1f, write %.1f; %.0f %% of %u cores busy\n", s->decode_s,
               s->compute_s, s->write_s, 100.0 * s->efficiency, s->cores);
    if (s->processed >= 20 && s->face_model[0])
        printf("  faces: detect %.1f s, cut out %.1f s, recognise %.1f s\n", s->detect_s, s->align_s, s->recognise_s);
    if (s->is_cancelled)
        printf("Run the same command again to go on.\n");
}

void cli_start_ingest(const struct cli *cli, struct cli_progress *progress, struct ims_index_options *o)
{
    cli_progress_init(progress, cli_is_terminal(STDERR_FILENO), cli_has(cli, "quiet"));
    o->on_progress = on_progress;
    o->on_note = on_note;
    o->arg = progress;
}

ims_status cli_end_ingest(const struct cli *cli, struct ims_engine *e, struct cli_progress *progress, ims_status st,
                          const struct ims_index_summary *summary, const char *model, ims_err *err)
{
    cli_progress_end(progress);
    if (st)
        return st;
    cli_note_device(e);
    if (cli->is_json)
        st = cli_print_json(summary_json(summary, model), err);
    else if (!cli_has(cli, "quiet"))
        print_summary(summary, model);
    if (!st && summary->is_cancelled)
        st = ims_fail(err, IMS_E_CANCELLED, "cli", 0, "interrupted; what was finished is kept");
    return st;
}
