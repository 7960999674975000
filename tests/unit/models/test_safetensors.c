/* The safetensors reader: what it accepts, and that every lie of a header is named.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/safetensors.h"

#include "base/fs.h"
#include "base/mem.h"
#include "harness/test.h"

#include <stdio.h>
#include <string.h>

/* Parses header as that of a file with data_bytes of data. */
static ims_status parse(struct ims_safetensors *s, const char *header, uint64_t data_bytes,
                        ims_err *err)
{
    static uint8_t file[64 * 1024];
    size_t len = strlen(header);

    memset(file, 0, 8);
    file[0] = (uint8_t)len;
    file[1] = (uint8_t)(len >> 8);
    memcpy(file + 8, header, len);
    *err = (ims_err){ 0 };
    return ims__safetensors_parse(s, file, 8 + len, 8 + len + data_bytes, "m.safetensors", err);
}

static void check_refused(const char *header, uint64_t data_bytes, ims_status want,
                          const char *text)
{
    struct ims_safetensors s;
    ims_err err;

    CHECK_STATUS(parse(&s, header, data_bytes, &err), want, err);
    CHECK_STR(err.text, text);
}

TEST(reads, "tensors are found by name with type, shape and place")
{
    struct ims_safetensors s;
    const struct ims_weight *w;
    ims_err err;
    const char *header =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[8,20]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"scalar\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[20,22]},"
        "\"none\":{\"dtype\":\"I64\",\"shape\":[0,5],\"data_offsets\":[22,22]}}   ";

    CHECK_OK(parse(&s, header, 22, &err), err);
    CHECK_INT(s.n_tensors, 4);
    w = ims__safetensors_find(&s, "b");
    CHECK(w);
    CHECK_INT(w->type, IMS_WEIGHT_F16);
    CHECK_INT(w->rank, 2);
    CHECK_INT(w->dims[0], 2);
    CHECK_INT(w->dims[1], 3);
    CHECK_INT(w->offset, 8 + strlen(header) + 8);
    CHECK_INT(w->size_bytes, 12);
    w = ims__safetensors_find(&s, "scalar");
    CHECK(w && w->rank == 0 && w->size_bytes == 2);
    CHECK(ims__safetensors_find(&s, "none"));
    CHECK(!ims__safetensors_find(&s, "c"));
    CHECK(!ims__safetensors_find(&s, "__metadata__"));
    ims__safetensors_release(&s);
}

TEST(empty, "a file without tensors is read, and nothing is found in it")
{
    struct ims_safetensors s;
    ims_err err;

    CHECK_OK(parse(&s, "{}", 0, &err), err);
    CHECK(!ims__safetensors_find(&s, "a"));
    ims__safetensors_release(&s);
}

TEST(offsets, "data offsets that leave the file, run backwards or do not fit the shape are named")
{
    check_refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, IMS_E_FORMAT,
        "m.safetensors: tensor a: expected data offsets within the 4 bytes of data, found 0 to 8");
    check_refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, IMS_E_FORMAT,
        "m.safetensors: tensor a: expected data offsets in ascending order, found 8 to 0");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8,
                  IMS_E_FORMAT,
                  "m.safetensors: tensor a: expected 12 bytes for F32 [3], found 8 bytes");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8,
                  IMS_E_FORMAT,
                  "m.safetensors: tensor a: expected \"data_offsets\" of two whole numbers, found "
                  "something else");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, IMS_E_FORMAT,
                  "m.safetensors: tensor a: expected \"data_offsets\" of two whole numbers, found "
                  "something else");
    check_refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8,
        IMS_E_FORMAT,
        "m.safetensors: tensor a: expected a shape whose size fits 64 bits, found F32 "
        "[4294967296, 4294967296]");
}

TEST(cover, "overlaps, gaps and left-over data are named")
{
    check_refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
        12, IMS_E_FORMAT,
        "m.safetensors: tensor b overlaps tensor a: expected its data to start at 8, found 4");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                  "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
                  12, IMS_E_FORMAT,
                  "m.safetensors: tensor b: expected its data to start at 4 (no gaps), found 8");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 12,
                  IMS_E_FORMAT,
                  "m.safetensors: the tensors end at byte 4 of the data: expected 4 bytes of data, "
                  "found 12");
}

TEST(types, "an unknown type, a missing one and shapes that are none are named")
{
    check_refused(
        "{\"a\":{\"dtype\":\"Q4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, IMS_E_UNSUPPORTED,
        "m.safetensors: tensor a: expected an element type such as F32, F16 or BF16, found "
        "\"Q4\"");
    check_refused("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, IMS_E_FORMAT,
                  "m.safetensors: tensor a: expected an object with a \"dtype\" text, found none");
    check_refused("{\"a\":7}", 0, IMS_E_FORMAT,
                  "m.safetensors: tensor a: expected an object with a \"dtype\" text, found none");
    check_refused("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, IMS_E_FORMAT,
                  "m.safetensors: tensor a: expected a \"shape\" array, found none");
    check_refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}", 8, IMS_E_FORMAT,
        "m.safetensors: tensor a: expected dimensions that are whole numbers from 0, found "
        "another value in \"shape\"");
    check_refused(
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
        IMS_E_FORMAT, "m.safetensors: tensor a: expected at most 8 dimensions, found 9");
    check_refused("[1]", 0, IMS_E_FORMAT,
                  "m.safetensors: header: expected a JSON object, found another value");
}

TEST(duplicates, "a tensor that is listed twice is refused by name")
{
    struct ims_safetensors s;
    ims_err err;

    CHECK_STATUS(parse(&s,
                       "{\"twice\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                       "\"twice\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                       8, &err),
                 IMS_E_FORMAT, err);
    CHECK(strstr(err.text, "m.safetensors") && strstr(err.text, "twice"));
}

TEST(lengths, "a header length beyond the limit or the file is named")
{
    struct ims_safetensors s;
    ims_err err = { 0 };
    uint8_t file[16] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };

    CHECK_STATUS(ims__safetensors_parse(&s, file, 16, 16, "m.safetensors", &err), IMS_E_LIMIT, err);
    CHECK_STR(err.text,
              "m.safetensors: expected a header of at most 67108864 bytes, found a length of "
              "18446744073709551615");
    memset(file, 0, sizeof(file));
    file[0] = 200;
    CHECK_STATUS(ims__safetensors_parse(&s, file, 16, 16, "m.safetensors", &err), IMS_E_TRUNCATED,
                 err);
    CHECK_STR(err.text,
              "m.safetensors: expected a header of 200 bytes, found 8 bytes after its length");
    CHECK_STATUS(ims__safetensors_parse(&s, file, 5, 5, "m.safetensors", &err), IMS_E_TRUNCATED,
                 err);
    CHECK_STR(err.text,
              "m.safetensors: expected a header length of 8 bytes, found a file of 5 bytes");
}

TEST(file, "an empty file, a missing one and a folder are errors that name the path")
{
    struct ims_safetensors s;
    ims_err err = { 0 };
    char *path = ims__path_join(test_tmp_dir(), "empty.safetensors");

    CHECK(path);
    CHECK_OK(ims__write_file(path, "", 0, &err), err);
    CHECK_STATUS(ims__safetensors_open(&s, path, &err), IMS_E_TRUNCATED, err);
    CHECK(strstr(err.text, "empty.safetensors"));
    CHECK_STATUS(ims__safetensors_open(&s, "/nonexistent/x.safetensors", &err), IMS_E_NOT_FOUND,
                 err);
    CHECK(strstr(err.text, "/nonexistent/x.safetensors"));
    CHECK(ims__safetensors_open(&s, test_tmp_dir(), &err) != IMS_OK);
    ims__free(path);
}

TEST(memory, "every allocation may fail, and the reader says so without a leak")
{
    const char *header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    struct ims_safetensors s;
    ims_err err;
    ims_status st = IMS_E_NOMEM;
    uint64_t n = 0;

    while (st != IMS_OK) {
        CHECK(++n < 1000);
        ims__mem_fail_at(n);
        st = parse(&s, header, 4, &err);
        ims__mem_fail_at(0);
        CHECK(st == IMS_OK || st == IMS_E_NOMEM);
    }
    CHECK(n > 3);
    ims__safetensors_release(&s);
}

TEST_MAIN
