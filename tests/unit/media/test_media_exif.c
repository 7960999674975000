/* The EXIF reader: byte orders, types, dates, places, hostile blocks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "harness/test.h"
#include "media/exif.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 70000
#define HEAP_START 2048 /* values go here; directories before */

/* A block under construction. */
struct block {
    uint8_t p[BLOCK_BYTES];
    size_t heap;
    bool is_big_endian;
    ims_err err;
};

static struct block b;
static struct ims_exif x;

static void put16(size_t at, unsigned v)
{
    b.p[at + (b.is_big_endian ? 1 : 0)] = (uint8_t)v;
    b.p[at + (b.is_big_endian ? 0 : 1)] = (uint8_t)(v >> 8);
}

static void put32(size_t at, uint32_t v)
{
    put16(at + (b.is_big_endian ? 2 : 0), v & 0xFFFF);
    put16(at + (b.is_big_endian ? 0 : 2), v >> 16);
}

static void start(bool is_big_endian)
{
    ims__exif_release(&x);
    memset(&b, 0, sizeof(b));
    b.is_big_endian = is_big_endian;
    b.heap = HEAP_START;
    memcpy(b.p, is_big_endian ? "MM\0*" : "II*\0", 4);
    put32(4, 8);
}

/* Adds an entry to the directory at `ifd`; value is the number itself or an offset. */
static void entry(size_t ifd, unsigned tag, unsigned type, uint32_t count, uint32_t value)
{
    size_t at;
    unsigned n = b.is_big_endian ? (unsigned)(b.p[ifd] << 8 | b.p[ifd + 1])
                                 : (unsigned)(b.p[ifd + 1] << 8 | b.p[ifd]);

    put16(ifd, n + 1);
    at = ifd + 2 + 12 * n;
    put16(at, tag);
    put16(at + 2, type);
    put32(at + 4, count);
    if (type == 3 && count == 1)
        put16(at + 8, value);
    else
        put32(at + 8, value);
}

static void text_entry(size_t ifd, unsigned tag, unsigned type, const char *s, size_t n)
{
    memcpy(b.p + b.heap, s, n);
    entry(ifd, tag, type, (uint32_t)n, (uint32_t)b.heap);
    b.heap += n;
}

static void rational_entry(size_t ifd, unsigned tag, uint32_t count, const uint32_t *pairs)
{
    entry(ifd, tag, 5, count, (uint32_t)b.heap);
    for (uint32_t i = 0; i < 2 * count; i++) {
        put32(b.heap, pairs[i]);
        b.heap += 4;
    }
}

static void parse(void)
{
    CHECK_OK(ims__exif_parse(&x, b.p, BLOCK_BYTES, &b.err), b.err);
}

#define FIRST 8
#define EXIF 600
#define GPS 1200

static void parse_date(const char *original, const char *digitized)
{
    start(false);
    entry(FIRST, 34665, 4, 1, EXIF);
    text_entry(FIRST, 306, 2, "1999:09:09 09:09:09", 20);
    if (original)
        text_entry(EXIF, 36867, 2, original, strlen(original) + 1);
    if (digitized)
        text_entry(EXIF, 36868, 2, digitized, strlen(digitized) + 1);
    parse();
}

TEST(orientation, "orientation is read in both byte orders, and nonsense counts as absent")
{
    for (int big = 0; big < 2; big++) {
        start(big);
        entry(FIRST, 274, 3, 1, 6);
        parse();
        CHECK_INT(x.orientation, 6);
        CHECK(!x.is_damaged);
        start(big);
        entry(FIRST, 274, 4, 1, 8); /* a long where a short belongs */
        parse();
        CHECK_INT(x.orientation, 8);
        for (uint32_t v = 0; v < 20; v++) {
            start(big);
            entry(FIRST, 274, 3, 1, v);
            parse();
            CHECK_INT(x.orientation, v >= 1 && v <= 8 ? v : 0);
        }
    }
}

TEST(prefix, "a block may begin with Exif and two NULs")
{
    start(true);
    entry(FIRST, 274, 3, 1, 3);
    memmove(b.p + 6, b.p, BLOCK_BYTES - 6);
    memcpy(b.p, "Exif\0\0", 6);
    parse();
    CHECK_INT(x.orientation, 3);
}

TEST(dates, "the date is that of taking, else of digitizing, never that of change")
{
    parse_date("2021:07:04 12:34:56", "2020:01:01 00:00:00");
    CHECK(x.has_taken_at);
    CHECK_INT(x.taken_at_us, INT64_C(1625402096000000));
    parse_date(NULL, "1970:01:01 00:00:01");
    CHECK(x.has_taken_at);
    CHECK_INT(x.taken_at_us, 1000000);
    parse_date("    :  :     :  :  ", "1969:12:31 23:59:59");
    CHECK_INT(x.taken_at_us, -1000000);
    parse_date(NULL, NULL);
    CHECK(!x.has_taken_at);
}

TEST(bad_dates, "a date that does not exist is no date")
{
    static const char *const bad[] = { "0000:00:00 00:00:00", "2021:02:29 00:00:00",
                                       "2021:13:01 00:00:00", "2021:01:01 24:00:00",
                                       "2021:01:01 00:60:00", "2021:01:01 00:00:60",
                                       "2021-01-01 00:00:00", "2021:01:01T00:00:00",
                                       "2021:01:01",          "2021:1:1 0:0:0",
                                       "20210:1:01 00:00:00", "2021:01:00 00:00:00",
                                       "+021:01:01 00:00:00", "" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(bad); i++) {
        parse_date(bad[i], NULL);
        CHECK(!x.has_taken_at);
    }
    parse_date("2024:02:29 00:00:00", NULL);
    CHECK(x.has_taken_at);
}

static void parse_gps(const char *lat_ref, const uint32_t *lat, const char *lng_ref,
                      const uint32_t *lng)
{
    start(true);
    entry(FIRST, 34853, 4, 1, GPS);
    if (lat_ref) {
        entry(GPS, 1, 2, 2, 0);
        memcpy(b.p + GPS + 2 + 8, lat_ref, 2);
    }
    if (lng_ref) {
        size_t at = GPS + 2 + (lat_ref ? 12 : 0) + 8;

        entry(GPS, 3, 2, 2, 0);
        memcpy(b.p + at, lng_ref, 2);
    }
    if (lat)
        rational_entry(GPS, 2, 3, lat);
    if (lng)
        rational_entry(GPS, 4, 3, lng);
    parse();
}

TEST(places, "a place needs both angles and both hemispheres, inside the globe")
{
    static const uint32_t lat[] = { 33, 1, 51, 1, 2450, 100 };
    static const uint32_t lng[] = { 151, 1, 12, 1, 161, 4 };
    static const uint32_t high[] = { 90, 1, 0, 1, 1, 1 };
    static const uint32_t none[] = { 33, 1, 0, 0, 0, 1 };

    parse_gps("S", lat, "W", lng);
    CHECK(x.has_gps);
    CHECK_NEAR(x.gps_lat, -(33 + 51 / 60.0 + 24.5 / 3600), 1e-9);
    CHECK_NEAR(x.gps_lng, -(151 + 12 / 60.0 + 40.25 / 3600), 1e-9);
    parse_gps("N", lat, "E", lng);
    CHECK(x.gps_lat > 33 && x.gps_lng > 151);
    parse_gps("N", high, "E", lng);
    CHECK(!x.has_gps);
    parse_gps("N", none, "E", lng);
    CHECK(!x.has_gps);
    parse_gps("N", lat, "E", NULL);
    CHECK(!x.has_gps);
    parse_gps(NULL, lat, "E", lng);
    CHECK(!x.has_gps);
    parse_gps("X", lat, "E", lng);
    CHECK(!x.has_gps);
}

TEST(camera, "camera names are trimmed, lose their NULs and end after 100 characters")
{
    char long_name[300];

    memset(long_name, 'a', sizeof(long_name));
    start(false);
    text_entry(FIRST, 271, 2, "  Fa\0ke Inc. \0\0", 15);
    text_entry(FIRST, 272, 2, long_name, sizeof(long_name));
    parse();
    CHECK_STR(x.make, "Fake Inc.");
    CHECK_INT(strlen(x.model), 100);
    start(false);
    text_entry(FIRST, 271, 2, "Caf\xE9 Optik", 11); /* Latin-1 */
    text_entry(FIRST, 272, 2, "\xE5\x86\x99\xE7\x9C\x9F\xE6\xA9\x9F", 9);
    parse();
    CHECK_STR(x.make, "Caf\xC3\xA9 Optik");
    CHECK_STR(x.model, "\xE5\x86\x99\xE7\x9C\x9F\xE6\xA9\x9F");
}

static const ims_json *tag(ims_json *json, const char *name)
{
    return ims__json_get(json, name);
}

TEST(json, "the first directory becomes JSON: numbers, fractions, lists, bytes, unknown tags")
{
    static const uint32_t half[] = { 1, 2, 3, 0 };
    ims_json *json = NULL;

    start(false);
    entry(FIRST, 18246, 3, 1, 5);
    entry(FIRST, 0xEE00, 9, 1, 0xFFFFFFFF);
    rational_entry(FIRST, 318, 2, half);
    text_entry(FIRST, 40091, 1, "T\0i\0\xFF\0", 6);
    entry(FIRST, 273, 4, 1, 8); /* where pixels lie: left out */
    parse();
    CHECK(x.json != NULL);
    CHECK_OK(ims__json_parse(&json, x.json, strlen(x.json), "test", &b.err), b.err);
    CHECK_INT(ims__json_len(json), 4);
    CHECK_INT(ims__json_int(tag(json, "Rating"), -1), 5);
    CHECK_INT(ims__json_int(tag(json, "60928"), 0), -1);
    CHECK_NEAR(ims__json_num(ims__json_at(tag(json, "WhitePoint"), 0), 0), 0.5, 0);
    CHECK_INT(ims__json_type(ims__json_at(tag(json, "WhitePoint"), 1)), IMS_JSON_NULL);
    CHECK_STR(ims__json_str(tag(json, "XPTitle"), NULL), "Ti");
    ims__json_free(json);
}

TEST(json_limit, "the JSON stays below its limit and says when something was left out")
{
    start(false);
    memset(b.p + HEAP_START, 1, 8000); /* control characters: six bytes each in JSON */
    for (unsigned i = 0; i < 40; i++)
        entry(FIRST, 0xC000 + i, 7, 8000, HEAP_START);
    parse();
    CHECK(x.json != NULL);
    CHECK(strlen(x.json) <= IMS_MAX_EXIF_JSON_BYTES);
    CHECK(x.is_cut);
    start(false);
    entry(FIRST, 0xC000, 3, 20000, HEAP_START);
    parse();
    CHECK(x.json == NULL);
    CHECK(!x.is_damaged);
}

TEST(hostile, "loops, huge counts and offsets outside the block are damage, not disaster")
{
    start(false); /* directories that are the first one */
    entry(FIRST, 34665, 4, 1, FIRST);
    entry(FIRST, 34853, 4, 1, FIRST);
    entry(FIRST, 274, 3, 1, 6);
    parse();
    CHECK_INT(x.orientation, 6);

    start(false);
    entry(FIRST, 271, 2, 0xFFFFFFFF, HEAP_START);
    entry(FIRST, 272, 12, 0x20000001, HEAP_START); /* 8 bytes each: overflows 32 bits */
    entry(FIRST, 274, 3, 1, 2);
    parse();
    CHECK(x.is_damaged);
    CHECK_INT(x.orientation, 2);
    CHECK_STR(x.make, "");

    start(false);
    entry(FIRST, 271, 2, 5, 0xFFFFFFF0);
    entry(FIRST, 34665, 4, 1, 0xFFFFFFFE);
    entry(FIRST, 34853, 9, 1, 0xFFFFFFF8); /* negative */
    parse();
    CHECK(x.is_damaged);

    start(false);
    put16(FIRST, 0xFFFF); /* more entries than bytes */
    parse();
    CHECK(x.is_damaged);

    start(false);
    put32(4, BLOCK_BYTES - 1); /* the directory does not fit */
    parse();
    CHECK(x.is_damaged);
}

TEST(every_length, "a block cut anywhere is read to its end and not beyond")
{
    static const uint32_t pairs[] = { 1, 1, 2, 1, 3, 1 };
    uint8_t *whole;
    size_t n;

    start(false);
    entry(FIRST, 34665, 4, 1, 100);
    entry(FIRST, 34853, 4, 1, 160);
    b.heap = 240;
    text_entry(FIRST, 271, 2, "Maker", 6);
    text_entry(100, 36867, 2, "2021:07:04 12:34:56", 20);
    rational_entry(160, 2, 3, pairs);
    n = b.heap;
    whole = malloc(n);
    CHECK(whole != NULL);
    memcpy(whole, b.p, n);
    for (size_t k = 0; k <= n; k++) {
        uint8_t *part = malloc(k ? k : 1); /* exactly k bytes: a sanitizer sees any byte more */

        CHECK(part != NULL);
        memcpy(part, whole, k);
        ims__exif_release(&x);
        CHECK_OK(ims__exif_parse(&x, part, k, &b.err), b.err);
        CHECK(x.is_damaged == (k < n) || k >= n);
        free(part);
    }
    CHECK_STR(x.make, "Maker");
    CHECK(x.has_taken_at);
    free(whole);
}

TEST(no_memory, "running out of memory is reported at every allocation")
{
    uint64_t at = 1;
    ims_status st;

    start(false);
    entry(FIRST, 18246, 3, 1, 5);
    do {
        struct ims_exif y;

        ims__mem_fail_at(at++);
        st = ims__exif_parse(&y, b.p, BLOCK_BYTES, &b.err);
        ims__mem_fail_at(0);
        if (!st)
            ims__exif_release(&y);
        else
            CHECK_INT(st, IMS_E_NOMEM);
    } while (st && at < 100);
    CHECK_INT(st, IMS_OK);
    CHECK(at > 3);
}

TEST(names, "tags have the names of the standards")
{
    CHECK_STR(ims__exif_tag_name(271), "Make");
    CHECK_STR(ims__exif_tag_name(33432), "Copyright");
    CHECK_STR(ims__exif_tag_name(11), "ProcessingSoftware");
    CHECK_STR(ims__exif_tag_name(50827), "OriginalRawFileName");
    CHECK(ims__exif_tag_name(0) == NULL);
    CHECK(ims__exif_tag_name(65535) == NULL);
}

TEST_MAIN
