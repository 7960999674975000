/* Everything but `models pull` and `runtime pull` works on a machine without any network: here in a network
 * namespace that has no route, not even to itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "integration/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORDS 20

static struct library library;
static bool is_ready, is_possible;

/* Runs a program in a namespace of its own; words separated by '\n'. */
static void run_cut_off(struct run_result *r, const char *words)
{
    char copy[2000], binary[1024], *p = copy;
    const char *argv[MAX_WORDS + 8] = { "/usr/bin/unshare", geteuid() == 0 ? "-n" : "-rn" };
    struct run_options o = { .env = library.env };
    size_t n = 2;

    snprintf(binary, sizeof(binary), "%s", test_build_path("imgsearch"));
    snprintf(copy, sizeof(copy), "%s", words);
    argv[n++] = binary;
    argv[n++] = "--data";
    argv[n++] = library.data;
    while (p && n < MAX_WORDS) {
        argv[n++] = p;
        p = strchr(p, '\n');
        if (p)
            *p++ = '\0';
    }
    run_program(r, &o, argv);
}

static bool make_ready(void)
{
    const char *probe[] = { "/usr/bin/unshare", geteuid() == 0 ? "-n" : "-rn", "/bin/true", NULL };
    struct run_result r;

    if (is_ready)
        return is_possible;
    is_ready = true;
    if (access(probe[0], X_OK) != 0)
        return false;
    run_program(&r, NULL, probe);
    is_possible = r.exit_code == 0;
    run_release(&r);
    library_init(&library);
    return is_possible;
}

static void check_works(const char *words, int want)
{
    struct run_result r;

    run_cut_off(&r, words);
    if (r.exit_code != want)
        test_fail(__FILE__, __LINE__, "without a network, exit code %d, expected %d, of %s: %s%s",
                  r.exit_code, want, words, r.out, r.err);
    run_release(&r);
}

TEST(everything, "indexing, searching and every other command work without a network")
{
    char words[1500];

    if (getenv("IMS_TEST_POSTGRES_URL") || !make_ready())
        SKIP("no network namespace may be made here");
    for (size_t i = 0; i < 6; i++) {
        char name[40];

        snprintf(name, sizeof(name), "%zu.jpg", i);
        (void)library_copy(&library, library_demo_jpeg(i), name);
    }
    snprintf(words, sizeof(words), "index\n--quiet\n%s", library.photos);
    check_works(words, 0);
    check_works("search\na red car", 0);
    snprintf(words, sizeof(words), "similar\n%s/0.jpg", library.photos);
    check_works(words, 0);
    check_works("show\n1", 0);
    check_works("status", 0);
    check_works("embed\n--json\na car", 0);
    check_works("tokenize\na car", 0);
    check_works("devices", 0);
    check_works("doctor", 0);
    check_works("config", 0);
    check_works("models\nlist", 0);
    check_works("models\nlist\n--available", 0);
    check_works("models\npull\n--dry-run", 0);
    check_works("models\nverify", 0);
    check_works("runtime\nlist", 0);
    snprintf(words, sizeof(words), "models\nimport\n%s\n--name\ncopy",
             test_source_path("models/demo/clip"));
    check_works(words, 0);
    check_works("models\nremove\ncopy", 0);
}

TEST(pull, "fetching says that there is no network, and what to put where")
{
    struct run_result r;

    if (!make_ready())
        SKIP("no network namespace may be made here");
    run_cut_off(&r, "models\npull");
    CHECK_INT(r.exit_code, 4);
    CHECK(strstr(r.err, "https://huggingface.co/laion/"));
    CHECK(strstr(r.err, "open_clip_model.safetensors"));
    run_release(&r);
}

TEST_MAIN
