/* Tests of `imgsearch doctor`'s lines about the steps to a device, and of the table of them in docs/devices.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/text.h"
#include "device/device.h"
#include "harness/run.h"
#include "harness/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADING "### Each step and its line"

/* A member's text, "" without one. */
static const char *text_of(const ims_json *o, const char *key)
{
    const ims_json *v = o ? ims__json_get(o, key) : NULL;

    return ims__json_type(v) == IMS_JSON_STRING ? ims__json_str(v, NULL) : "";
}

/* The checks of one run of doctor; NULL when it gave no such JSON. */
static ims_json *doctor(const char *const *env, const char *words, struct run_result *r)
{
    struct run_options o = { .env = env };
    ims_json *v = NULL;
    ims_err err;

    run_imgsearch(r, &o, test_tmp_dir(), words);
    if (ims__json_parse(&v, r->out, r->out_len, "stdout", &err))
        test_fail(__FILE__, __LINE__, "%s: %s", err.text, r->err);
    return v;
}

/* "" when there is no such line. */
static const char *said(const ims_json *v, const char *line, const char *key)
{
    const ims_json *checks = v ? ims__json_get(v, "checks") : NULL;

    for (size_t i = 0; checks && i < ims__json_len(checks); i++) {
        const ims_json *o = ims__json_at(checks, i);

        if (strcmp(text_of(o, "part"), line) == 0)
            return text_of(o, key);
    }
    return "";
}

/* The names in the last column of the document's table, each in `quotes`, one after the other on lines. */
static void read_document(char *out, size_t size)
{
    char *text = test_read_file(test_source_path("docs/devices.md"), NULL);
    char *at = strstr(text, HEADING), *end = at ? strstr(at, "\n\nOnly ") : NULL;
    size_t n = 0;

    out[0] = '\0';
    if (end)
        *end = '\0';
    for (char *line = end ? strtok(at, "\n") : NULL; line; line = strtok(NULL, "\n")) {
        char *stop = line[0] == '|' ? strrchr(line, '`') : NULL, *start = stop;

        while (start && start > line && start[-1] != '`')
            start--;
        if (start)
            n += (size_t)snprintf(out + n, size - n, "\n%.*s", (int)(stop - start), start);
    }
    snprintf(out + n, size - n, "\n");
    free(text);
}

static bool document_has(const char *names, const char *line)
{
    char wanted[80];

    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    return strstr(names, wanted) != NULL;
}

TEST(document, "every step of docs/devices.md is a line of doctor, and every line about a step is in there")
{
    struct run_result r;
    ims_json *v = doctor(NULL, "doctor\n--steps\n--json", &r);
    const ims_json *checks = v ? ims__json_get(v, "checks") : NULL;
    char names[2000], copy[2000];
    size_t n = 0, n_steps = 0;

    read_document(names, sizeof(names));
    snprintf(copy, sizeof(copy), "%s", names);
    for (char *s = strtok(copy, "\n"); s; s = strtok(NULL, "\n"), n++) {
        if (!said(v, s, "text")[0])
            test_fail(__FILE__, __LINE__, "doctor has no line \"%s\", which docs/devices.md names", s);
    }
    for (size_t i = 0; checks && i < ims__json_len(checks); i++) {
        const char *part = text_of(ims__json_at(checks, i), "part");
        const char *text = text_of(ims__json_at(checks, i), "text");
        bool is_done = ims__starts_with(text, "done: "), is_step = is_done || ims__starts_with(text, "not done: ");

        n_steps += is_step;
        if (is_step && !document_has(names, part))
            test_fail(__FILE__, __LINE__, "docs/devices.md lacks doctor's line \"%s\"", part);
        if (is_step && strcmp(said(v, part, "verdict"), is_done ? "ok" : "warning") != 0)
            test_fail(__FILE__, __LINE__, "%s: the verdict is not that of \"%s\"", part, text);
    }
    CHECK_SOFT(n == n_steps + 2); /* runtime and device */
    CHECK_SOFT(n_steps >= 10);
    ims__json_free(v);
    run_release(&r);
}

TEST(named, "the device that is named gets its steps, and no other does")
{
    struct run_result r;
    ims_json *v = doctor(NULL, "doctor\n--device\nwebgpu\n--json", &r);

    CHECK_SOFT(said(v, "webgpu loader", "text")[0]);
    CHECK_SOFT(!said(v, "cuda driver", "text")[0]);
    ims__json_free(v);
    run_release(&r);
    v = doctor(NULL, "doctor\n--device\ncpu\n--json", &r);
    CHECK_SOFT(said(v, "device", "text")[0]);
    CHECK_SOFT(!said(v, "webgpu loader", "text")[0]);
    ims__json_free(v);
    run_release(&r);
}

static void put(const char *dir, const char *name)
{
    char path[600];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    if (!f || fclose(f) != 0)
        test_fail(__FILE__, __LINE__, "%s cannot be written", path);
}

TEST(libraries, "a step whose libraries are installed is done, and one that lacks the last of them names it")
{
    const char *dir = test_tmp_dir();
    char path[600];
    const char *env[] = { path, NULL };
    struct run_result r;
    ims_json *v;

    if (ims_device_has_cuda_driver())
        SKIP("this machine has CUDA");
    snprintf(path, sizeof(path), "LD_LIBRARY_PATH=%s", dir);
    put(dir, "libnvinfer.so.10");
    v = doctor(env, "doctor\n--device\ntensorrt\n--json", &r);
    CHECK_SOFT(strstr(said(v, "tensorrt libraries", "text"), "not done: libnvonnxparser.so.10 is not found; install "));
    CHECK_SOFT(strstr(said(v, "cuda driver", "text"), "not done: libcuda.so.1 is not found; install "));
    ims__json_free(v);
    run_release(&r);
    put(dir, "libnvonnxparser.so.10");
    v = doctor(env, "doctor\n--device\ntensorrt\n--json", &r);
    CHECK_SOFT(ims__starts_with(said(v, "tensorrt libraries", "text"), "done: "));
    ims__json_free(v);
    run_release(&r);
}

TEST(no_runtime, "without a runtime the steps are told all the same")
{
    static const char *const env[] = { "ORT_DYLIB_PATH=/nowhere/libonnxruntime.so", NULL };
    struct run_result r;
    ims_json *v = doctor(env, "doctor\n--device\nopenvino\n--json", &r);

    CHECK_SOFT(r.exit_code == 17);
    CHECK_SOFT(strstr(said(v, "openvino provider", "text"), "not done: there is no runtime; "));
    ims__json_free(v);
    run_release(&r);
}

TEST_MAIN
