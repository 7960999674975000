/* imgsearch index-info: the vector index, its sizes and its state.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>

static const struct cli_option options[] = {
    { "verify", 0, NULL, "Check every byte of its files, make it anew when one lies, and audit some searches.",
      CLI_NO_CFG },
    { NULL, 0, NULL, NULL, CLI_NO_CFG },
};

static double mib(uint64_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

static double recall(const struct ims_index_info *i)
{
    return i->audit_hits ? (double)i->audit_found / (double)i->audit_hits : 0;
}

static ims_json *to_json(const struct ims_index_info *i)
{
    ims_json *o = ims__json_new_object(), *tiers = ims__json_new_object(), *audit = ims__json_new_object();

#define COUNT(object, key, value) (void)ims__json_set(object, key, ims__json_new_int((int64_t)(value)))
    (void)ims__json_set(o, "model", ims__json_new_str(i->model));
    COUNT(o, "dim", i->dim);
    COUNT(o, "vectors", i->vectors);
    COUNT(o, "dead", i->dead);
    COUNT(o, "coded", i->coded);
    COUNT(o, "segments", i->segments);
    COUNT(o, "fullSegments", i->full_segments);
    COUNT(o, "mappedSegments", i->mapped_segments);
    COUNT(o, "orderedSegments", i->ordered_segments);
    COUNT(o, "readWholeSegments", i->read_whole_segments);
    COUNT(o, "epochs", i->epochs);
    COUNT(tiers, "codes", i->code_bytes);
    COUNT(tiers, "bytes", i->byte_bytes);
    COUNT(tiers, "rows", i->row_bytes);
    (void)ims__json_set(o, "tierBytes", tiers);
    COUNT(o, "memoryBytes", i->memory_bytes);
    COUNT(o, "diskBytes", i->disk_bytes);
    COUNT(o, "generation", i->generation);
    COUNT(o, "seq", i->seq);
    (void)ims__json_set(o, "writer", ims__json_new_bool(i->is_writer));
    COUNT(o, "threads", i->threads);
    (void)ims__json_set(o, "miss", ims__json_new_num(i->miss));
    (void)ims__json_set(o, "sound", ims__json_new_bool(i->is_sound));
    (void)ims__json_set(o, "rebuilding", ims__json_new_bool(i->is_rebuilding));
    (void)ims__json_set(o, "note", ims__json_new_str(i->note[0] ? i->note : NULL));
    COUNT(audit, "searches", i->audit_searches);
    COUNT(audit, "audited", i->audit_audited);
    COUNT(audit, "hits", i->audit_hits);
    COUNT(audit, "found", i->audit_found);
    (void)ims__json_set(audit, "at", i->audit_us ? cli_time_json(i->audit_us) : ims__json_new_str(NULL));
    (void)ims__json_set(o, "audit", audit);
#undef COUNT
    return o;
}

static void print_info(const struct ims_index_info *i, bool is_thorough)
{
    printf("model       %s, %u dimensions\n", i->model, i->dim);
    printf("vectors     %lld, %lld of them with codes, %lld dead\n", (long long)i->vectors, (long long)i->coded,
           (long long)i->dead);
    printf("segments    %zu, %zu full, %zu mapped, %zu epochs\n", i->segments, i->full_segments, i->mapped_segments,
           i->epochs);
    if (i->ordered_segments > i->read_whole_segments)
        printf("in order    %zu segments, so searches pass over what is unlike the query\n",
               i->ordered_segments - i->read_whole_segments);
    if (i->read_whole_segments)
        printf("in order    %zu segments that are read whole: skipping in them was tried and missed too much\n",
               i->read_whole_segments);
    printf("codes       %.1f MiB, read by every search of the whole library\n", mib(i->code_bytes));
    printf("bytes       %.1f MiB, read for what the codes leave\n", mib(i->byte_bytes));
    printf("rows        %.1f MiB, read for the final order\n", mib(i->row_bytes));
    printf("in memory   %.1f MiB; on disk %.1f MiB, generation %llu\n", mib(i->memory_bytes), mib(i->disk_bytes),
           (unsigned long long)i->generation);
    printf("searching   %u threads; one of the best may be missed with probability %g\n", i->threads, i->miss);
    if (i->is_rebuilding)
        printf("state       being made anew; searches go on\n");
    if (i->note[0])
        printf("damage      %s\n", i->note);
    else if (is_thorough)
        printf("checksums   agree\n");
    if (i->audit_audited)
        printf("audit       %llu searches against the full scan: recall %.4f\n", (unsigned long long)i->audit_audited,
               recall(i));
}

static ims_status run(struct cli *cli, ims_err *err)
{
    struct ims_index_info info;
    struct ims_engine *e = NULL;
    bool is_thorough = cli_has(cli, "verify");
    ims_status st = cli_open_engine(cli, true, &e, err);

    if (!st)
        st = ims_engine_index_info(e, is_thorough, &info, err);
    if (!st && cli->is_json)
        st = cli_print_json(to_json(&info), err);
    else if (!st)
        print_info(&info, is_thorough);
    ims_engine_close(e);
    return st;
}

const struct cli_command cli_cmd_index_info = {
    .name = "index-info",
    .summary = "Show the vector index: sizes, state, agreement with the full scan.",
    .words = "",
    .details = "The index is made from the library and may be deleted at any time; it lies in the folder `index`\n"
               "of the data directory. It is brought up to date first.",
    .examples = "imgsearch index-info\n"
                "imgsearch index-info --verify --json",
    .options = options,
    .run = run,
};
