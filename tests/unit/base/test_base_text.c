/* UTF-8, display forms, numbers, dates.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>
#include <time.h>

TEST(utf8_all, "every code point is encoded and decoded back, surrogates and beyond are refused")
{
    char bytes[4];
    uint32_t back;

    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        size_t n = ims__utf8_encode(cp, bytes);

        if (cp >= 0xd800 && cp <= 0xdfff) {
            CHECK(n == 0);
            continue;
        }
        CHECK(n > 0 && ims__utf8_decode(bytes, n, &back) == n && back == cp);
        CHECK(n == 1 || ims__utf8_decode(bytes, n - 1, &back) == 1); /* cut short */
    }
    CHECK_INT(ims__utf8_encode(0x110000, bytes), 0);
}

TEST(utf8_bad, "ill-formed UTF-8 is seen: overlong, surrogates, stray and missing continuation bytes")
{
    static const char *const bad[] = { "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                                       "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "a\xe2", "\xc3(" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(bad); i++)
        CHECK(!ims__utf8_is_valid(bad[i], strlen(bad[i])));
    CHECK(ims__utf8_is_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82", 10));
}

TEST(display, "any bytes survive the display form and its reverse")
{
    uint64_t state = 5;
    struct ims_buf shown, back;

    for (int round = 0; round < 2000; round++) {
        char bytes[40];
        size_t n = test_random(&state) % sizeof(bytes);

        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(test_random(&state) % (round % 2 ? 256 : 128));
        ims__buf_init(&shown, 1000);
        ims__buf_init(&back, 1000);
        CHECK_INT(ims__display(bytes, n, &shown), IMS_OK);
        CHECK(n == 0 || ims__utf8_is_valid(shown.data, shown.len));
        CHECK_INT(ims__undisplay(shown.data ? shown.data : "", shown.len, &back), IMS_OK);
        CHECK_INT(back.len, n);
        CHECK(n == 0 || memcmp(back.data, bytes, n) == 0);
        ims__buf_release(&shown);
        ims__buf_release(&back);
    }
    ims__buf_init(&shown, 1000); /* U+009B begins a terminal's command as ESC [ does */
    CHECK_INT(ims__display("\xc2\x9b" "2J\x1b\xc2\xa0", 7, &shown), IMS_OK);
    CHECK_STR(shown.data, "\\xC2\\x9B2J\\x1B\xc2\xa0");
    ims__buf_release(&shown);
    ims__buf_init(&back, 100);
    CHECK_INT(ims__undisplay("\\q", 2, &back), IMS_E_FORMAT);
    ims__buf_release(&back);
}

TEST(shown, "a message shows a path's display form, cut at a whole character when it is too long")
{
    char out[16];

    CHECK_STR(ims__shown(out, sizeof(out), ""), "");
    CHECK_STR(ims__shown(out, sizeof(out), "a\nb"), "a\\x0Ab");
    CHECK_STR(ims__shown(out, sizeof(out), "123456789012345"), "123456789012345");
    CHECK_STR(ims__shown(out, sizeof(out), "1234567890123456"), "123456789012...");
    CHECK_STR(ims__shown(out, sizeof(out), "12345678901\xc3\xa9 and more"), "12345678901...");
    CHECK_STR(ims__shown(out, sizeof(out), "1234567890\xff\xff"), "1234567890...");
}

TEST(numbers, "numbers must fill the whole string and fit")
{
    int64_t v;
    double d;
    bool b;

    CHECK(ims__parse_int("-5", -10, 10, &v) && v == -5);
    CHECK(!ims__parse_int("5x", 0, 10, &v) && !ims__parse_int("", 0, 10, &v) && !ims__parse_int(" 5", 0, 10, &v));
    CHECK(!ims__parse_int("11", 0, 10, &v) && !ims__parse_int("99999999999999999999", 0, INT64_MAX, &v));
    CHECK(ims__parse_double("0.25", 0, 1, &d) && d == 0.25);
    CHECK(!ims__parse_double("nan", 0, 1, &d) && !ims__parse_double("inf", 0, 1e308, &d) && !ims__parse_double("2", 0, 1, &d));
    CHECK(ims__parse_bool("YES", &b) && b && ims__parse_bool("off", &b) && !b && !ims__parse_bool("maybe", &b));
}

TEST(dates, "dates name spans, and dates that do not exist are refused")
{
    static const char *const bad[] = { "", "24", "2024-13", "2024-00", "2023-02-29", "2024-02-30", "2024-1-1", "2024-05-17T25:00:00",
                                       "2024-05-17x", "yesterday" };
    int64_t from, until;
    char text[40];

    CHECK(ims__parse_date("2024-02", &from, &until));
    ims__format_utc(from, text, sizeof(text));
    CHECK_STR(text, "2024-02-01T00:00:00Z");
    ims__format_utc(until, text, sizeof(text));
    CHECK_STR(text, "2024-03-01T00:00:00Z");
    CHECK(ims__parse_date("2024-12-31", &from, &until));
    ims__format_utc(until, text, sizeof(text));
    CHECK_STR(text, "2025-01-01T00:00:00Z");
    CHECK(ims__parse_date("1969-12-31T23:59:59Z", &from, &until) && from == -1000000 && until == 0);
    for (size_t i = 0; i < IMS_ARRAY_LEN(bad); i++)
        CHECK(!ims__parse_date(bad[i], &from, &until));
}

TEST(calendar, "our calendar agrees with the C library's over four centuries")
{
    for (int64_t day = -146097; day <= 146097; day += 11) {
        time_t t = (time_t)(day * 86400 + 12345);
        struct tm tm;
        char want[40], got[40];

        CHECK(gmtime_r(&t, &tm) != NULL);
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
        ims__format_utc(t * 1000000, got, sizeof(got));
        CHECK_STR(got, want);
        CHECK_INT(ims__days_from_civil(tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday), day);
    }
}

TEST(html, "text for HTML is text there, in elements and in attributes")
{
    struct ims_buf b;

    ims__buf_init(&b, 1000);
    ims__html_add(&b, "a<b>&\"c\"'d' \xc3\xa9");
    CHECK_STR(b.data, "a&lt;b&gt;&amp;&quot;c&quot;&#39;d&#39; \xc3\xa9");
    ims__html_add(&b, NULL);
    CHECK_INT(ims__buf_status(&b), IMS_OK);
    ims__buf_release(&b);
}

TEST(base64, "base64 gives the published test vectors")
{
    static const char *const in[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
    static const char *const want[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
    struct ims_buf b;

    for (size_t i = 0; i < IMS_ARRAY_LEN(in); i++) {
        ims__buf_init(&b, 100);
        CHECK_INT(ims__base64(in[i], strlen(in[i]), &b), IMS_OK);
        CHECK_STR(b.data, want[i]);
        ims__buf_release(&b);
    }
}
