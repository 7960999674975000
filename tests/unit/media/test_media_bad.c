/* Files that are not what they seem, do not end where they should, or ask for too much.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "harness/test.h"
#include "media/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define GOOD "tests/golden/media/files/"
#define BAD "tests/fuzz/media/bad/"

static struct ims_media *open_media(const struct ims_media_options *opts)
{
    struct ims_media *m = NULL;
    ims_err err;

    if (ims_media_open(&m, opts, &err)) {
        test_fail(__FILE__, __LINE__, "%s", err.text);
        exit(1);
    }
    return m;
}

static struct ims_media *media(void)
{
    static struct ims_media *m;

    if (!m)
        m = open_media(NULL);
    return m;
}

static uint8_t *read_bytes(const char *path, size_t *n)
{
    return (uint8_t *)test_read_file(test_source_path(path), n);
}

/* Decodes with m; the picture is let go at once. */
static ims_status try_with(struct ims_media *m, const uint8_t *p, size_t n, ims_err *err)
{
    struct ims_image *im = NULL;
    ims_status st = ims_media_decode(m, p, n, NULL, &im, err);

    ims_image_unref(im);
    return st;
}

static ims_status try_file(const char *path, ims_err *err)
{
    size_t n;
    uint8_t *p = read_bytes(path, &n);
    ims_status st = try_with(media(), p, n, err);

    free(p);
    return st;
}

static bool says(const ims_err *err, const char *word)
{
    if (strstr(err->text, word))
        return true;
    test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err->text, word);
    return false;
}

TEST(empty, "zero bytes are a truncated file")
{
    ims_err err;

    CHECK_STATUS(try_with(media(), (const uint8_t *)"", 0, &err), IMS_E_TRUNCATED, err);
    CHECK(says(&err, "empty"));
}

TEST(not_pictures, "what is no picture is refused by what it is, whatever it is called")
{
    static const struct {
        const char *bytes;
        const char *noun;
    } cases[] = { { "just some notes\n", "text" },
                  { "%PDF-1.4\n", "PDF" },
                  { "<svg xmlns='x'/>", "SVG" },
                  { "\1\2\3\4\5\6\7", "no kind of file" } };
    ims_err err;

    for (size_t i = 0; i < IMS_ARRAY_LEN(cases); i++) {
        CHECK_STATUS(
            try_with(media(), (const uint8_t *)cases[i].bytes, strlen(cases[i].bytes), &err),
            IMS_E_UNSUPPORTED, err);
        CHECK(says(&err, cases[i].noun));
    }
}

static void check_cuts(const char *name)
{
    char path[200];
    size_t n;
    uint8_t *p;
    ims_err err;

    snprintf(path, sizeof(path), GOOD "%s", name);
    p = read_bytes(path, &n);
    for (size_t k = 0; k < 12; k++) {
        size_t cut = 16 + (n - 36) * k / 11;
        uint8_t *part = malloc(cut);

        CHECK(part != NULL);
        memcpy(part, p, cut);
        test_note("%s after %zu of %zu bytes", name, cut, n);
        CHECK_STATUS(try_with(media(), part, cut, &err), IMS_E_TRUNCATED, err);
        CHECK(says(&err, "ends too early"));
        free(part);
    }
    free(p);
}

TEST(truncated, "a file that was cut off is called that, in every format, wherever the cut is")
{
    static const char *const names[] = { "o6.jpg",    "progressive.jpg", "cmyk.jpg",   "grey.jpg",
                                         "rgb.png",   "rgba16.png",      "lossy.webp", "alpha.webp",
                                         "still.gif", "lzw.tif",         "rgba.tif",   "plain.heic",
                                         "plain.avif" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(names); i++)
        check_cuts(names[i]);
}

TEST(no_end_marker, "a JPEG that lacks only its end marker counts as cut off")
{
    size_t n;
    uint8_t *p = read_bytes(GOOD "o1.jpg", &n);
    ims_err err;

    CHECK_STATUS(try_with(media(), p, n - 2, &err), IMS_E_TRUNCATED, err);
    free(p);
}

TEST(trailing, "bytes behind the picture do no harm")
{
    size_t n;
    uint8_t *p = read_bytes(GOOD "o1.jpg", &n);
    uint8_t *longer = calloc(n + 5000, 1);
    ims_err err;

    CHECK(longer != NULL);
    memcpy(longer, p, n);
    CHECK_OK(try_with(media(), longer, n + 5000, &err), err);
    free(longer);
    free(p);
}

TEST(huge, "a picture of 30,000 x 30,000 pixels is refused at once and for little memory")
{
    struct rusage before;
    struct rusage after;
    clock_t used;
    ims_err err;

    (void)media();
    getrusage(RUSAGE_SELF, &before);
    used = clock();
    CHECK_STATUS(try_file(BAD "huge.png", &err), IMS_E_LIMIT, err);
    CHECK(clock() - used < CLOCKS_PER_SEC / 2); /* of this process, however busy the machine is */
    getrusage(RUSAGE_SELF, &after);
    CHECK(after.ru_maxrss - before.ru_maxrss <
          32 * 1024); /* KiB, bytes on macOS: there it is laxer still */
    CHECK(says(&err, "30000 x 30000"));
    CHECK_STATUS(try_file(BAD "huge.jpg", &err), IMS_E_LIMIT, err);
    CHECK_STATUS(try_file(BAD "huge.heic", &err), IMS_E_LIMIT, err);
    CHECK_STATUS(try_file(BAD "bomb.gif", &err), IMS_E_LIMIT, err);
    CHECK_STATUS(try_file(BAD "many_scans.jpg", &err), IMS_E_LIMIT, err);
}

TEST(damaged, "damaged data is called that, with the decoder's own words")
{
    ims_err err;

    CHECK_STATUS(try_file(BAD "wrong_crc.png", &err), IMS_E_FORMAT, err);
    CHECK(says(&err, "png read error"));
    CHECK(strchr(err.text, '\n') == NULL);
    CHECK_STATUS(try_file(BAD "no_frame.jpg", &err), IMS_E_FORMAT, err);
    CHECK_STATUS(try_file(BAD "zero_size.jpg", &err), IMS_E_FORMAT, err);
}

TEST(tolerated, "damage that decoders pass over is noted")
{
    size_t n;
    uint8_t *p = read_bytes(BAD "damaged_data.jpg", &n);
    struct ims_media_info info;
    struct ims_image *im = NULL;
    ims_err err;

    CHECK_OK(ims_media_decode(media(), p, n, &info, &im, &err), err);
    CHECK(strstr(info.note, "Corrupt JPEG data") != NULL);
    ims_image_unref(im);
    ims_media_info_release(&info);
    free(p);
}

TEST(bad_profile, "a damaged profile or EXIF block is noted and does not stop the picture")
{
    static const struct {
        const char *path;
        const char *note;
    } cases[] = { { GOOD "bad_icc.jpg", "profile" }, { GOOD "bad_exif.jpg", "EXIF" } };

    for (size_t i = 0; i < IMS_ARRAY_LEN(cases); i++) {
        size_t n;
        uint8_t *p = read_bytes(cases[i].path, &n);
        struct ims_media_info info;
        ims_err err;

        CHECK_OK(ims_media_probe(media(), p, n, &info, &err), err);
        CHECK(strstr(info.note, cases[i].note) != NULL);
        ims_media_info_release(&info);
        free(p);
    }
}

TEST(limits, "limits on bytes and pixels are the ones given")
{
    struct ims_media_options few_bytes = { .max_bytes = 1000 };
    struct ims_media_options few_px = { .max_px = 41 * 27 - 1 };
    struct ims_media_options enough = { .max_px = 41 * 27 };
    size_t n;
    uint8_t *p = read_bytes(GOOD "o1.jpg", &n);
    struct ims_media *m = open_media(&few_bytes);
    ims_err err;

    CHECK_STATUS(try_with(m, p, n, &err), IMS_E_LIMIT, err);
    ims_media_close(m);
    m = open_media(&few_px);
    CHECK_STATUS(try_with(m, p, n, &err), IMS_E_LIMIT, err);
    ims_media_close(m);
    m = open_media(&enough);
    CHECK_OK(try_with(m, p, n, &err), err);
    ims_media_close(m);
    free(p);
}

/* An uncompressed grey TIFF. */
static uint8_t *make_tiff(unsigned width, unsigned height, size_t *n)
{
    const unsigned entries[][4] = {
        { 256, 4, 1, width }, { 257, 4, 1, height }, { 258, 3, 1, 8 },
        { 259, 3, 1, 1 },     { 262, 3, 1, 1 },      { 273, 4, 1, 200 },
        { 277, 3, 1, 1 },     { 278, 4, 1, height }, { 279, 4, 1, width * height }
    };
    uint8_t *p = calloc(200 + (size_t)width * height, 1);

    if (!p)
        exit(1);
    memcpy(p, "II*\0\x08\0\0\0", 8);
    p[8] = IMS_ARRAY_LEN(entries);
    for (size_t i = 0; i < IMS_ARRAY_LEN(entries); i++) {
        uint8_t *e = p + 10 + 12 * i;

        for (unsigned k = 0; k < 4; k++) {
            e[4 + k] = (uint8_t)(entries[i][2] >> 8 * k);
            e[8 + k] = (uint8_t)(entries[i][3] >> 8 * k);
        }
        e[0] = (uint8_t)entries[i][0];
        e[1] = (uint8_t)(entries[i][0] >> 8);
        e[2] = (uint8_t)entries[i][1];
    }
    *n = 200 + (size_t)width * height;
    return p;
}

TEST(time, "a decode that takes longer than allowed is given up")
{
    struct ims_media_options opts = { .max_ms = 1 };
    struct ims_media *m = open_media(&opts);
    size_t n;
    uint8_t *p = make_tiff(9000, 8000, &n);
    ims_err err;

    CHECK_STATUS(try_with(m, p, n, &err), IMS_E_TIMEOUT, err);
    CHECK(says(&err, "1 ms"));
    CHECK_OK(try_with(media(), p, n, &err), err);
    ims_media_close(m);
    free(p);
}

TEST(probe, "a probe reads the header of what is too damaged to be decoded")
{
    size_t n;
    uint8_t *p = read_bytes(GOOD "o6.jpg", &n);
    struct ims_media_info info;
    ims_err err;

    CHECK_OK(ims_media_probe(media(), p, n - 300, &info, &err), err);
    CHECK_INT(info.width, 27);
    CHECK_INT(info.height, 41);
    CHECK_INT(info.orientation, 6);
    ims_media_info_release(&info);
    free(p);
}

static void fail_everywhere(const char *path)
{
    size_t n;
    uint8_t *p = read_bytes(path, &n);
    uint64_t at = 0;
    ims_status st;

    do {
        struct ims_image *im = NULL;
        struct ims_media_info info = { 0 };
        ims_err err;

        ims__mem_fail_at(++at);
        st = ims_media_decode(media(), p, n, &info, &im, &err);
        ims__mem_fail_at(0);
        if (st)
            CHECK_INT(st, IMS_E_NOMEM);
        ims_image_unref(im);
        ims_media_info_release(&info);
    } while (st && at < 1000);
    CHECK_INT(st, IMS_OK);
    CHECK(at > 2);
    free(p);
}

TEST(no_memory, "running out of memory is reported wherever it happens, and nothing leaks")
{
    (void)media();
    fail_everywhere(GOOD "rich.jpg");
    fail_everywhere(GOOD "p3.jpg");
    fail_everywhere(GOOD "o6.png");
    fail_everywhere(GOOD "p3.png");
}

TEST(arguments, "encoding nothing, or at no quality, is refused")
{
    uint8_t px[12] = { 0 };
    uint8_t *out = NULL;
    size_t n = 0;
    ims_err err;

    CHECK_STATUS(ims_media_encode_jpeg(media(), px, 0, 1, 3, 85, &out, &n, &err), IMS_E_INVALID,
                 err);
    CHECK_STATUS(ims_media_encode_jpeg(media(), px, 2, 2, 5, 85, &out, &n, &err), IMS_E_INVALID,
                 err);
    CHECK_STATUS(ims_media_encode_jpeg(media(), px, 2, 2, 6, 0, &out, &n, &err), IMS_E_INVALID,
                 err);
    CHECK_OK(ims_media_encode_jpeg(media(), px, 2, 2, 6, 85, &out, &n, &err), err);
    CHECK_INT(ims_media_sniff(out, n, NULL), IMS_MEDIA_JPEG);
    ims__free(out);
}

TEST(loaders, "every format's loader is there, and libvips tells its version")
{
    for (int f = IMS_MEDIA_JPEG; f < IMS_MEDIA_N_FORMATS; f++)
        CHECK(ims_media_can_decode(media(), (ims_media_format)f));
    CHECK(!ims_media_can_decode(media(), IMS_MEDIA_UNKNOWN));
    CHECK(strncmp(ims_media_vips_version(media()), "8.", 2) == 0);
}

TEST_MAIN
