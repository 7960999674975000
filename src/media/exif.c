/* What we take from an EXIF block: orientation, date, camera, place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/exif.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

#define TAG_MAKE 271
#define TAG_MODEL 272
#define TAG_ORIENTATION 274
#define TAG_EXIF_IFD 34665
#define TAG_GPS_IFD 34853
#define TAG_DATE_ORIGINAL 36867
#define TAG_DATE_DIGITIZED 36868
#define CAMERA_MAX_CP 100
#define DATE_MAX_CP 32

struct first_ifd {
    struct ims_exif *out;
    uint32_t exif_offset; /* 0 = none */
    uint32_t gps_offset;
};

struct exif_ifd {
    bool has_original;
    bool has_digitized;
    int64_t original_us;
    int64_t digitized_us;
};

struct gps_ifd {
    char lat_ref;
    char lng_ref;
    bool has_lat;
    bool has_lng;
    double lat;
    double lng;
};

static uint32_t read_offset(const struct exif_block *b, const struct exif_entry *e)
{
    double d;

    if (!ims__exif_number(b, e, 0, &d) || d < 8 || d > (double)UINT32_MAX)
        return 0;
    return (uint32_t)d;
}

static ims_status take_first(const struct exif_block *b, const struct exif_entry *e, void *arg)
{
    struct first_ifd *f = arg;
    double d;

    switch (e->tag) {
    case TAG_MAKE:
        if (ims__exif_is_text(e))
            ims__exif_text(e, CAMERA_MAX_CP, f->out->make);
        break;
    case TAG_MODEL:
        if (ims__exif_is_text(e))
            ims__exif_text(e, CAMERA_MAX_CP, f->out->model);
        break;
    case TAG_ORIENTATION:
        if (ims__exif_number(b, e, 0, &d) && d >= 1 && d <= 8)
            f->out->orientation = (int)d;
        break;
    case TAG_EXIF_IFD:
        f->exif_offset = read_offset(b, e);
        break;
    case TAG_GPS_IFD:
        f->gps_offset = read_offset(b, e);
        break;
    default:
        break;
    }
    return IMS_OK;
}

static bool read_digits(const char *s, unsigned n, unsigned *out)
{
    unsigned v = 0;

    for (unsigned i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (unsigned)(s[i] - '0');
    }
    *out = v;
    return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* "YYYY:MM:DD HH:MM:SS", read as UTC. */
static bool read_date(const struct exif_entry *e, int64_t *out_us)
{
    char s[4 * DATE_MAX_CP + 1];
    unsigned year, month, day, hour, minute, second;

    if (!ims__exif_is_text(e) || ims__exif_text(e, DATE_MAX_CP, s) != 19)
        return false;
    if (s[4] != ':' || s[7] != ':' || s[10] != ' ' || s[13] != ':' || s[16] != ':')
        return false;
    if (!read_digits(s, 4, &year) || !read_digits(s + 5, 2, &month) ||
        !read_digits(s + 8, 2, &day) || !read_digits(s + 11, 2, &hour) ||
        !read_digits(s + 14, 2, &minute) || !read_digits(s + 17, 2, &second))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    *out_us = (ims__days_from_civil(year, month, day) * 86400 + (int64_t)hour * 3600 + minute * 60 +
               second) *
              1000000;
    return true;
}

static ims_status take_exif(const struct exif_block *b, const struct exif_entry *e, void *arg)
{
    struct exif_ifd *x = arg;

    (void)b;
    if (e->tag == TAG_DATE_ORIGINAL)
        x->has_original = read_date(e, &x->original_us);
    else if (e->tag == TAG_DATE_DIGITIZED)
        x->has_digitized = read_date(e, &x->digitized_us);
    return IMS_OK;
}

static bool read_degrees(const struct exif_block *b, const struct exif_entry *e, double max,
                         double *out)
{
    static const double unit[] = { 1, 60, 3600 };
    double sum = 0;

    for (uint32_t i = 0; i < 3; i++) {
        double d;

        if (!ims__exif_number(b, e, i, &d) || d < 0)
            return false;
        sum += d / unit[i];
    }
    if (sum > max)
        return false;
    *out = sum;
    return true;
}

static char read_ref(const struct exif_entry *e, const char *allowed)
{
    char s[5] = "";

    if (!ims__exif_is_text(e) || ims__exif_text(e, 1, s) != 1)
        return '\0';
    if (s[0] >= 'a' && s[0] <= 'z')
        s[0] = (char)(s[0] - 'a' + 'A');
    return strchr(allowed, s[0]) ? s[0] : '\0';
}

static ims_status take_gps(const struct exif_block *b, const struct exif_entry *e, void *arg)
{
    struct gps_ifd *g = arg;

    switch (e->tag) {
    case 1:
        g->lat_ref = read_ref(e, "NS");
        break;
    case 2:
        g->has_lat = read_degrees(b, e, 90, &g->lat);
        break;
    case 3:
        g->lng_ref = read_ref(e, "EW");
        break;
    case 4:
        g->has_lng = read_degrees(b, e, 180, &g->lng);
        break;
    default:
        break;
    }
    return IMS_OK;
}

static bool open_block(struct exif_block *b, const uint8_t *p, size_t n)
{
    if (n >= 6 && memcmp(p, "Exif\0\0", 6) == 0) {
        p += 6;
        n -= 6;
    }
    if (n < 8)
        return false;
    b->p = p;
    b->n = n;
    if (memcmp(p, "II*\0", 4) == 0)
        b->is_big_endian = false;
    else if (memcmp(p, "MM\0*", 4) == 0)
        b->is_big_endian = true;
    else
        return false;
    return true;
}

static ims_status parse(struct ims_exif *out, const struct exif_block *b)
{
    struct first_ifd first = { .out = out };
    struct exif_ifd exif = { 0 };
    struct gps_ifd gps = { 0 };
    uint32_t offset = ims__exif_u32(b, b->p + 4);
    ims_status st = ims__exif_walk(b, offset, take_first, &first, &out->is_damaged);

    if (!st && first.exif_offset)
        st = ims__exif_walk(b, first.exif_offset, take_exif, &exif, &out->is_damaged);
    if (!st && first.gps_offset)
        st = ims__exif_walk(b, first.gps_offset, take_gps, &gps, &out->is_damaged);
    if (st)
        return st;

    out->has_taken_at = exif.has_original || exif.has_digitized;
    out->taken_at_us = exif.has_original ? exif.original_us : exif.digitized_us;
    if (gps.has_lat && gps.has_lng && gps.lat_ref && gps.lng_ref) {
        out->has_gps = true;
        out->gps_lat = gps.lat_ref == 'S' ? -gps.lat : gps.lat;
        out->gps_lng = gps.lng_ref == 'W' ? -gps.lng : gps.lng;
    }
    return ims__exif_json(b, offset, out);
}

ims_status ims__exif_parse(struct ims_exif *out, const uint8_t *p, size_t n, ims_err *err)
{
    struct ims_exif x = { 0 };
    struct exif_block b;

    if (!open_block(&b, p, n)) {
        x.is_damaged = true;
    } else if (parse(&x, &b)) {
        ims__exif_release(&x);
        return ims_fail(err, IMS_E_NOMEM, "exif", 0, "reading an EXIF block of %zu bytes", n);
    }
    *out = x;
    return IMS_OK;
}

void ims__exif_release(struct ims_exif *x)
{
    ims__free(x->json);
    memset(x, 0, sizeof(*x));
}
