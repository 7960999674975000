/* Runs a fuzz target over files, without a fuzzer: every build replays the seeds as a test.
 *
 *     replay_x [-m N] FILE_OR_FOLDER...
 *
 * It prints TAP: one test. -m N runs N changed copies of each file besides: bytes flipped, set to telling values, cut,
 * doubled; the same ones every time. A failure is the target's: an abort or a sanitizer's report. A
 * run that found no file fails too.
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE_BYTES (16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long n_files;
static unsigned long n_runs;
static unsigned n_mutations;

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* In a block of its own size, so that a sanitizer sees a read past the end. */
static void run_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    n_runs++;
}

static size_t mutate(uint8_t *data, size_t size, uint64_t *state)
{
    static const uint8_t telling[] = { 0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF };
    unsigned n_changes = 1 + (unsigned)(next_random(state) % 4);

    for (unsigned i = 0; i < n_changes && size; i++) {
        size_t at = (size_t)(next_random(state) % size);
        uint64_t r = next_random(state);

        switch (r % 5) {
        case 0:
            data[at] = (uint8_t)(data[at] ^ 1u << (r >> 8) % 8);
            break;
        case 1:
        case 2:
            data[at] = telling[(r >> 8) % sizeof(telling)];
            break;
        case 3: /* four bytes: a length or an offset */
            memset(data + at, (r >> 8) % 2 ? 0xFF : 0, size - at < 4 ? size - at : 4);
            break;
        default: /* cut off, or a piece of it over another */
            if ((r >> 8) % 4 == 0)
                size = at;
            else
                memmove(data, data + at, (size - at) / 2);
            break;
        }
    }
    return size;
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(MAX_FILE_BYTES);
    uint8_t *changed = malloc(MAX_FILE_BYTES);
    uint64_t state = 1;
    size_t size;

    if (!f || !data || !changed) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    size = fread(data, 1, MAX_FILE_BYTES, f);
    fclose(f);
    n_files++;
    run_copy(data, size);
    for (unsigned i = 0; i < n_mutations && size; i++) {
        memcpy(changed, data, size);
        run_copy(changed, mutate(changed, size, &state));
    }
    free(data);
    free(changed);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files of a folder in the order of their names; folders in it are not entered. */
static void run_folder(const char *path)
{
    DIR *d = opendir(path);
    char **names = NULL;
    size_t n = 0;

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        size_t len = strlen(path) + strlen(e->d_name) + 2;
        struct stat st;
        char *name = malloc(len);

        names = realloc(names, (n + 1) * sizeof(*names));
        if (!name || !names)
            exit(1);
        snprintf(name, len, "%s/%s", path, e->d_name);
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
            names[n++] = name;
        else
            free(name);
    }
    if (d)
        closedir(d);
    if (n)
        qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        run_file(names[i]);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    int i = 1;

    if (argc > 2 && strcmp(argv[1], "-m") == 0) {
        n_mutations = (unsigned)strtoul(argv[2], NULL, 10);
        i = 3;
    }
    printf("1..1\n");
    fflush(stdout); /* the plan without its line is how a crash is seen */
    for (; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st)) {
            fprintf(stderr, "there is no %s\n", argv[i]);
            return 1;
        }
        if (S_ISDIR(st.st_mode))
            run_folder(argv[i]);
        else
            run_file(argv[i]);
    }
    printf("%s 1 - the target survives %lu files in %lu runs\n", n_files ? "ok" : "not ok", n_files, n_runs);
    return n_files ? 0 : 1;
}
