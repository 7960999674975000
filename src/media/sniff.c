/* What a file is, by its first bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/media.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

#define TEXT_PROBE_BYTES 512

static const struct {
    const char *name;
    const char *mime;
} formats[IMS_MEDIA_N_FORMATS] = {
    [IMS_MEDIA_UNKNOWN] = { "unknown", "application/octet-stream" },
    [IMS_MEDIA_JPEG] = { "JPEG", "image/jpeg" },
    [IMS_MEDIA_PNG] = { "PNG", "image/png" },
    [IMS_MEDIA_WEBP] = { "WebP", "image/webp" },
    [IMS_MEDIA_GIF] = { "GIF", "image/gif" },
    [IMS_MEDIA_TIFF] = { "TIFF", "image/tiff" },
    [IMS_MEDIA_HEIC] = { "HEIC", "image/heic" },
    [IMS_MEDIA_AVIF] = { "AVIF", "image/avif" },
};

/* What starts with these bytes at this offset is of this format, or is this noun. The first match
 * counts, so the longer of two overlapping patterns stands first. */
static const struct {
    uint8_t offset;
    uint8_t n;
    const char *bytes;
    ims_media_format format;
    const char *noun;
} patterns[] = {
    { 0, 3, "\xFF\xD8\xFF", IMS_MEDIA_JPEG, "a JPEG picture" },
    { 0, 8, "\x89PNG\r\n\x1A\n", IMS_MEDIA_PNG, "a PNG picture" },
    { 0, 6, "GIF87a", IMS_MEDIA_GIF, "a GIF picture" },
    { 0, 6, "GIF89a", IMS_MEDIA_GIF, "a GIF picture" },
    { 8, 2, "CR\x02", IMS_MEDIA_UNKNOWN, "a Canon raw photo (CR2)" },
    { 6, 8, "HEAPCCDR", IMS_MEDIA_UNKNOWN, "a Canon raw photo (CRW)" },
    { 0, 4, "II*\0", IMS_MEDIA_TIFF, "a TIFF picture" },
    { 0, 4, "MM\0*", IMS_MEDIA_TIFF, "a TIFF picture" },
    { 0, 4, "II+\0", IMS_MEDIA_TIFF, "a TIFF picture" },
    { 0, 4, "MM\0+", IMS_MEDIA_TIFF, "a TIFF picture" },
    { 0, 4, "IIRO", IMS_MEDIA_UNKNOWN, "an Olympus raw photo (ORF)" },
    { 0, 4, "IIRS", IMS_MEDIA_UNKNOWN, "an Olympus raw photo (ORF)" },
    { 0, 4, "IIU\0", IMS_MEDIA_UNKNOWN, "a Panasonic raw photo (RW2)" },
    { 0, 15, "FUJIFILMCCD-RAW", IMS_MEDIA_UNKNOWN, "a Fujifilm raw photo (RAF)" },
    { 0, 5, "%PDF-", IMS_MEDIA_UNKNOWN, "a PDF document" },
    { 0, 4, "%!PS", IMS_MEDIA_UNKNOWN, "a PostScript document" },
    { 0, 4, "8BPS", IMS_MEDIA_UNKNOWN, "a Photoshop document" },
    { 0, 4, "PK\x03\x04", IMS_MEDIA_UNKNOWN, "a ZIP archive" },
    { 0, 2, "\x1F\x8B", IMS_MEDIA_UNKNOWN, "gzip data" },
    { 0, 6, "7z\xBC\xAF\x27\x1C", IMS_MEDIA_UNKNOWN, "a 7-Zip archive" },
    { 0, 4, "Rar!", IMS_MEDIA_UNKNOWN, "a RAR archive" },
    { 0, 4, "\x1A\x45\xDF\xA3", IMS_MEDIA_UNKNOWN, "a Matroska or WebM video" },
    { 0, 4, "OggS", IMS_MEDIA_UNKNOWN, "an Ogg stream" },
    { 0, 3, "ID3", IMS_MEDIA_UNKNOWN, "MP3 audio" },
    { 0, 4, "fLaC", IMS_MEDIA_UNKNOWN, "FLAC audio" },
    { 0, 4, "\x00\x00\x01\xBA", IMS_MEDIA_UNKNOWN, "an MPEG video" },
    { 0, 4, "\x00\x00\x01\xB3", IMS_MEDIA_UNKNOWN, "an MPEG video" },
    { 0, 4,
      "\x7F"
      "ELF",
      IMS_MEDIA_UNKNOWN, "a program" },
    { 0, 12, "\0\0\0\x0CJXL \r\n\x87\n", IMS_MEDIA_UNKNOWN, "a JPEG XL picture" },
    { 0, 2, "\xFF\x0A", IMS_MEDIA_UNKNOWN, "a JPEG XL picture" },
    { 0, 12, "\0\0\0\x0CjP  \r\n\x87\n", IMS_MEDIA_UNKNOWN, "a JPEG 2000 picture" },
    { 0, 4, "\xFF\x4F\xFF\x51", IMS_MEDIA_UNKNOWN, "a JPEG 2000 picture" },
    { 0, 2, "BM", IMS_MEDIA_UNKNOWN, "a BMP picture" },
    { 0, 4, "\0\0\x01\0", IMS_MEDIA_UNKNOWN, "a Windows icon" },
    { 0, 4, "DDS ", IMS_MEDIA_UNKNOWN, "a DDS texture" },
    { 0, 4, "v/1\x01", IMS_MEDIA_UNKNOWN, "an OpenEXR picture" },
    { 0, 10, "#?RADIANCE", IMS_MEDIA_UNKNOWN, "a Radiance picture" },
    { 0, 4, "SIMP", IMS_MEDIA_UNKNOWN, "a FITS picture" },
    { 0, 15, "SQLite format 3", IMS_MEDIA_UNKNOWN, "an SQLite database" },
};

/* ISO base media files: the brand decides. Brands of the second kind leave it to the compatible
 * ones. */
static const struct {
    const char brand[5];
    ims_media_format format;
    const char *noun;
} brands[] = {
    { "avif", IMS_MEDIA_AVIF, "an AVIF picture" },
    { "avis", IMS_MEDIA_AVIF, "an AVIF picture" },
    { "heic", IMS_MEDIA_HEIC, "a HEIC picture" },
    { "heix", IMS_MEDIA_HEIC, "a HEIC picture" },
    { "heim", IMS_MEDIA_HEIC, "a HEIC picture" },
    { "heis", IMS_MEDIA_HEIC, "a HEIC picture" },
    { "hevc", IMS_MEDIA_HEIC, "a HEIC picture" },
    { "hevx", IMS_MEDIA_HEIC, "a HEIC picture" },
    { "crx ", IMS_MEDIA_UNKNOWN, "a Canon raw photo (CR3)" },
    { "qt  ", IMS_MEDIA_UNKNOWN, "a QuickTime video" },
    { "M4A ", IMS_MEDIA_UNKNOWN, "MPEG-4 audio" },
};

const char *ims_media_format_name(ims_media_format f)
{
    return formats[f < IMS_MEDIA_N_FORMATS ? f : IMS_MEDIA_UNKNOWN].name;
}

const char *ims_media_format_mime(ims_media_format f)
{
    return formats[f < IMS_MEDIA_N_FORMATS ? f : IMS_MEDIA_UNKNOWN].mime;
}

static bool find_brand(const uint8_t *brand, ims_media_format *out_format, const char **out_noun)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(brands); i++) {
        if (memcmp(brand, brands[i].brand, 4) == 0) {
            *out_format = brands[i].format;
            *out_noun = brands[i].noun;
            return true;
        }
    }
    return false;
}

static ims_media_format sniff_iso(const uint8_t *p, size_t n, const char **out_noun)
{
    ims_media_format format = IMS_MEDIA_UNKNOWN;
    size_t box = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    bool is_picture = memcmp(p + 8, "mif1", 4) == 0 || memcmp(p + 8, "msf1", 4) == 0 ||
                      memcmp(p + 8, "miaf", 4) == 0;

    *out_noun = "an MPEG-4 video";
    if (find_brand(p + 8, &format, out_noun) || !is_picture)
        return format;
    for (size_t at = 16; at + 4 <= n && at + 4 <= box && at < 256; at += 4) {
        if (find_brand(p + at, &format, out_noun))
            return format;
    }
    *out_noun = "an HEIF picture of an unknown kind";
    return IMS_MEDIA_HEIC;
}

static bool has_word(const uint8_t *p, size_t n, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= n; i++) {
        if (memcmp(p + i, word, len) == 0)
            return true;
    }
    return false;
}

static const char *describe_rest(const uint8_t *p, size_t n)
{
    size_t start = 0;
    size_t probe = n < TEXT_PROBE_BYTES ? n : TEXT_PROBE_BYTES;

    if (n == 0)
        return "an empty file";
    for (size_t i = 0; i < probe; i++) {
        if (p[i] < ' ' && p[i] != '\n' && p[i] != '\r' && p[i] != '\t' && p[i] != '\f')
            return "no kind of file known here";
    }
    while (start < probe && p[start] <= ' ')
        start++;
    if (has_word(p, probe, "<svg"))
        return "an SVG drawing";
    if (has_word(p, probe, "<html") || has_word(p, probe, "<!DOCTYPE html") ||
        has_word(p, probe, "<!doctype html"))
        return "an HTML page";
    if (start < probe && p[start] == '<')
        return "XML";
    return "text";
}

ims_media_format ims_media_sniff(const uint8_t *p, size_t n, const char **out_looks_like)
{
    const char *noun = NULL;
    ims_media_format format = IMS_MEDIA_UNKNOWN;

    for (size_t i = 0; i < IMS_ARRAY_LEN(patterns) && !noun; i++) {
        if (n >= (size_t)patterns[i].offset + patterns[i].n &&
            memcmp(p + patterns[i].offset, patterns[i].bytes, patterns[i].n) == 0) {
            format = patterns[i].format;
            noun = patterns[i].noun;
        }
    }
    if (!noun && n >= 12 && memcmp(p, "RIFF", 4) == 0) {
        if (memcmp(p + 8, "WEBP", 4) == 0) {
            format = IMS_MEDIA_WEBP;
            noun = "a WebP picture";
        } else {
            noun = memcmp(p + 8, "AVI ", 4) == 0 ? "an AVI video" : "a RIFF file";
        }
    }
    if (!noun && n >= 12 && memcmp(p + 4, "ftyp", 4) == 0)
        format = sniff_iso(p, n, &noun);
    if (!noun)
        noun = describe_rest(p, n);
    if (out_looks_like)
        *out_looks_like = noun;
    return format;
}
