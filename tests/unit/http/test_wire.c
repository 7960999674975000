/* What an address and headers say.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/mem.h"
#include "http/wire.h"

#include <stdio.h>
#include <string.h>

TEST(wire_decode, "percent signs are decoded once, a plus only in a query; what is malformed is refused")
{
    static const struct {
        const char *in, *path, *query; /* NULL = refused */
    } rows[] = { { "a+b", "a+b", "a b" },  { "%41%2f%2F", "A//", "A//" }, { "%2541", "%41", "%41" }, { "", "", "" },
                 { "%", NULL, NULL },      { "%4", NULL, NULL },          { "%4g", NULL, NULL },     { "%0x", NULL, NULL },
                 { "%+1", NULL, NULL },    { "%00", NULL, NULL },         { "%ff", "\xff", "\xff" } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int is_query = 0; is_query < 2; is_query++) {
            const char *want = is_query ? rows[i].query : rows[i].path;
            char text[32];

            snprintf(text, sizeof(text), "%s", rows[i].in);
            CHECK_INT(ims__wire_decode(text, is_query), want != NULL);
            if (want)
                CHECK_STR(text, want);
        }
    }
}

TEST(wire_range, "a range lies within its file, is beyond it, or is none")
{
    static const struct {
        const char *range;
        uint64_t n;
        int status;
        uint64_t first, count;
    } rows[] = { { "bytes=0-9", 100, 206, 0, 10 },  { "bytes=90-", 100, 206, 90, 10 }, { "bytes=-7", 100, 206, 93, 7 },
                 { "bytes=-700", 100, 206, 0, 100 }, { "bytes=5-5", 100, 206, 5, 1 },   { "bytes=5-999", 100, 206, 5, 95 },
                 { "bytes=100-", 100, 416, 0, 0 },  { "bytes=-0", 100, 416, 0, 0 },    { "bytes=0-", 0, 416, 0, 0 },
                 { "bytes=9-5", 100, 200, 0, 0 },   { "bytes=-", 100, 200, 0, 0 },     { "bytes=1-2,4-5", 100, 200, 0, 0 },
                 { "bytes=1--2", 100, 200, 0, 0 },  { "bytes=+1-2", 100, 200, 0, 0 },  { "bytes 1-2", 100, 200, 0, 0 },
                 { "", 100, 200, 0, 0 },            { NULL, 100, 200, 0, 0 } };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t first = 0, count = 0;

        test_note("%s", rows[i].range ? rows[i].range : "none");
        CHECK_INT(ims__wire_range(rows[i].range, rows[i].n, &first, &count), rows[i].status);
        CHECK_INT(first, rows[i].first);
        CHECK_INT(count, rows[i].count);
    }
}

TEST(wire_lists, "tags are compared whole and weakly; gzip is taken where its weight is not nought")
{
    static const struct {
        const char *list;
        bool is_known;
    } tags[] = { { "\"v1\"", true },  { "W/\"v1\"", true }, { "\"v0\", W/\"v1\"", true }, { "*", true },     { "\"v0\",\"v1\"", true },
                 { "\"v11\"", false }, { "\"xv1\"", false }, { "v1", false },              { "\"v1", false }, { "", false },
                 { NULL, false },     { "\"a \"v1\" b\"", false } };
    static const struct {
        const char *accepted;
        bool is_taken;
    } codings[] = { { "gzip", true },          { "br, GZIP;q=0.5", true }, { "*", true },  { "gzip;q=0", false }, { "gzip; q=0.000", false },
                    { "*;q=0, gzip", true },   { "gzip;q=0, *", false },   { "br", false }, { "xgzip", false },   { "gzipx", false },
                    { "", false },             { NULL, false } };

    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (ims__wire_knows_etag(tags[i].list, "\"v1\"") != tags[i].is_known)
            test_fail(__FILE__, __LINE__, "tags %s", tags[i].list);
    }
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        if (ims__wire_takes_gzip(codings[i].accepted) != codings[i].is_taken)
            test_fail(__FILE__, __LINE__, "codings %s", codings[i].accepted);
    }
}
