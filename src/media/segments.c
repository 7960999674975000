/* Walking the segments of a JPEG file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/segments.h"

#include <string.h>

#define SOI 0xD8
#define EOI 0xD9
#define SOS 0xDA
#define APP1 0xE1
#define APP2 0xE2
#define ICC_HEAD "ICC_PROFILE" /* with its NUL 12 bytes, then part number and number of parts */
#define ICC_HEAD_BYTES 14

struct walk {
    const uint8_t *p;
    size_t n;
    size_t at; /* of the next marker's FF */
};

struct segment {
    uint8_t marker;
    const uint8_t *body; /* behind the length field; NULL for a marker that stands alone */
    size_t n;
};

static bool stands_alone(uint8_t marker)
{
    return marker == 0x01 || (marker >= 0xD0 && marker <= EOI);
}

static bool is_frame(uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/* false when the file ends (w->at == w->n) or no marker stands here (w->at < w->n). */
static bool next_segment(struct walk *w, struct segment *s)
{
    size_t at = w->at;
    size_t len;

    if (at >= w->n || w->p[at] != 0xFF)
        return false;
    while (at < w->n && w->p[at] == 0xFF) /* a marker may have any number of FF before it */
        at++;
    if (at >= w->n) {
        w->at = w->n;
        return false;
    }
    *s = (struct segment){ .marker = w->p[at] };
    at++;
    if (stands_alone(s->marker)) {
        w->at = at;
        return true;
    }
    if (w->n - at < 2) {
        w->at = w->n;
        return false;
    }
    len = (size_t)w->p[at] << 8 | w->p[at + 1];
    if (len < 2)
        return false;
    if (len > w->n - at) {
        w->at = w->n;
        return false;
    }
    s->body = w->p + at + 2;
    s->n = len - 2;
    w->at = at + len;
    return true;
}

/* From compressed data to the marker that ends it; restart markers and stuffed zeros belong to it.
 * Bytes between segments that are no marker are passed over too, as decoders do. */
static void skip_to_marker(struct walk *w)
{
    while (w->at + 1 < w->n) {
        const uint8_t *ff = memchr(w->p + w->at, 0xFF, w->n - 1 - w->at);

        if (!ff)
            break;
        w->at = (size_t)(ff - w->p);
        if (ff[1] != 0 && ff[1] != 0xFF && !(ff[1] >= 0xD0 && ff[1] <= 0xD7))
            return;
        w->at += ff[1] == 0xFF ? 1 : 2;
    }
    w->at = w->n;
}

static void take_frame(struct jpeg_outline *out, const struct segment *s)
{
    if (s->n < 6 || out->width)
        return;
    out->bits = s->body[0];
    out->height = s->body[1] << 8 | s->body[2];
    out->width = s->body[3] << 8 | s->body[4];
    out->n_components = s->body[5];
    out->is_progressive = s->marker == 0xC2;
    out->is_unusual = s->marker != 0xC0 && s->marker != 0xC1 && s->marker != 0xC2;
}

static bool is_icc(const struct segment *s)
{
    return s->marker == APP2 && s->n > ICC_HEAD_BYTES && memcmp(s->body, ICC_HEAD, 12) == 0;
}

struct icc_parts {
    int n;        /* so far */
    int n_in_all; /* as the last one says */
    bool is_broken;
};

/* Parts come in order, numbered from 1; anything else counts as no profile. */
static void take_icc(struct jpeg_outline *out, const struct segment *s, struct icc_parts *parts)
{
    out->has_icc_parts = true;
    parts->n++;
    parts->n_in_all = s->body[13];
    if (s->body[12] != parts->n)
        parts->is_broken = true;
    out->icc_bytes += s->n - ICC_HEAD_BYTES;
}

static void take_segment(struct jpeg_outline *out, const struct segment *s, struct icc_parts *parts)
{
    if (is_frame(s->marker))
        take_frame(out, s);
    else if (s->marker == APP1 && !out->exif && s->n >= 6 && memcmp(s->body, "Exif\0", 5) == 0) {
        out->exif = s->body;
        out->exif_bytes = s->n;
    } else if (is_icc(s))
        take_icc(out, s, parts);
}

void ims__jpeg_outline(struct jpeg_outline *out, const uint8_t *p, size_t n)
{
    struct walk w = { .p = p, .n = n, .at = 2 };
    struct segment s;
    struct icc_parts parts = { 0 };

    memset(out, 0, sizeof(*out));
    while (!out->is_complete) {
        if (!next_segment(&w, &s)) {
            if (w.at >= n)
                break;
            out->is_damaged = true;
            w.at++;
            skip_to_marker(&w);
            continue;
        }
        if (s.marker == EOI) {
            out->is_complete = true;
        } else if (s.marker == SOS) {
            out->n_scans++;
            skip_to_marker(&w);
        } else if (s.body) {
            take_segment(out, &s, &parts);
        }
    }
    if (parts.is_broken || parts.n != parts.n_in_all)
        out->icc_bytes = 0;
}

void ims__jpeg_icc(const uint8_t *p, size_t n, const struct jpeg_outline *outline, uint8_t *out)
{
    struct walk w = { .p = p, .n = n, .at = 2 };
    struct segment s;
    size_t len = 0;

    while (len < outline->icc_bytes) {
        if (!next_segment(&w, &s)) {
            w.at++;
            skip_to_marker(&w);
            if (w.at >= n)
                return;
            continue;
        }
        if (s.marker == SOS) {
            skip_to_marker(&w);
            continue;
        }
        if (!is_icc(&s) || s.n - ICC_HEAD_BYTES > outline->icc_bytes - len)
            continue;
        memcpy(out + len, s.body + ICC_HEAD_BYTES, s.n - ICC_HEAD_BYTES);
        len += s.n - ICC_HEAD_BYTES;
    }
}
