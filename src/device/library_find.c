/* Where the dynamic linker would find a library, and which of those that one needs it would not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/library.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_FILE "/etc/ld.so.cache"
#define MAX_CACHE_BYTES (16 * IMS_MIB)
#define MAX_WALK 256 /* libraries that are looked into for one answer */

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#else
#define MULTIARCH "unknown"
#endif

static const char default_folders[] =
    "/lib/" MULTIARCH ":/usr/lib/" MULTIARCH ":/lib64:/usr/lib64:/lib:/usr/lib:/usr/local/lib";

static bool try_path(const char *path, char *out, size_t size)
{
    if (access(path, R_OK) != 0)
        return false;
    if (out)
        snprintf(out, size, "%s", path);
    return true;
}

/* One folder after the other; an empty one is the working directory, as for the linker. */
static bool find_in(const char *folders, const char *origin, const char *name, char *out,
                    size_t size)
{
    static const char word[] = "$ORIGIN", braced[] = "${ORIGIN}";
    char path[IMS_MAX_PATH_BYTES];

    for (const char *s = folders; s && *s;) {
        size_t n = strcspn(s, ":"), skip = 0;

        if (strncmp(s, braced, sizeof(braced) - 1) == 0)
            skip = sizeof(braced) - 1;
        else if (strncmp(s, word, sizeof(word) - 1) == 0)
            skip = sizeof(word) - 1;
        snprintf(path, sizeof(path), "%s%.*s%s%s", skip && origin ? origin : "", (int)(n - skip),
                 s + skip, n ? "/" : "", name);
        if (try_path(path, out, size))
            return true;
        s += n + (s[n] == ':');
    }
    return false;
}

/* The linker's cache is tables of numbers and at its end strings, names and whole paths: the paths
 * alone say what is wanted here, whatever the version of the tables. */
static bool find_in_cache(const char *name, char *out, size_t size)
{
    size_t n = strlen(name) + 1;
    struct ims_map map;
    bool is_found = false;

    if (ims__map_open(&map, CACHE_FILE, NULL) != IMS_OK)
        return false;
    for (size_t i = 1; !is_found && map.size_bytes >= n && map.size_bytes <= MAX_CACHE_BYTES &&
                       i <= map.size_bytes - n;
         i++) {
        size_t start = i;

        if (map.data[i - 1] != '/' || memcmp(map.data + i, name, n) != 0)
            continue;
        while (start > 0 && map.data[start - 1] != '\0' && i - start < IMS_MAX_PATH_BYTES)
            start--;
        is_found = map.data[start] == '/' && try_path((const char *)map.data + start, out, size);
    }
    ims__map_close(&map);
    return is_found;
}

bool ims_library_find(const char *name, const char *runpath, const char *origin, char *out,
                      size_t size)
{
    if (strchr(name, '/'))
        return try_path(name, out, size);
    return find_in(getenv("LD_LIBRARY_PATH"), NULL, name, out, size) ||
           find_in(runpath, origin, name, out, size) || find_in_cache(name, out, size) ||
           find_in(default_folders, NULL, name, out, size);
}

/* ---- what is missing ---- */

struct walk {
    size_t n, n_done;
    char *paths[MAX_WALK]; /* found, each once */
    char *out;
    size_t size, used;
};

static void add_path(struct walk *w, const char *path)
{
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->paths[i], path) == 0)
            return;
    }
    if (w->n < MAX_WALK && (w->paths[w->n] = ims__strdup(path)))
        w->n++;
}

static void add_missing(struct walk *w, const char *name)
{
    const char *at = strstr(w->out, name);
    int n;

    if (at && (at == w->out || at[-1] == ' ') &&
        (at[strlen(name)] == ',' || at[strlen(name)] == '\0'))
        return;
    n = snprintf(w->out + w->used, w->size - w->used, "%s%s", w->used ? ", " : "", name);
    if (n > 0 && (size_t)n < w->size - w->used)
        w->used += (size_t)n;
    else
        w->out[w->used] = '\0'; /* whole names only */
}

static void look_into(struct walk *w, const char *path)
{
    struct ims_library_needs *needs = ims__alloc(1, sizeof(*needs));
    char found[IMS_MAX_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    char *origin = slash ? ims__strndup(path, (size_t)(slash - path)) : NULL;
    struct ims_map map;

    if (needs && ims__map_open(&map, path, NULL) == IMS_OK) {
        if (ims_library_needs_of(map.data, map.size_bytes, needs, NULL) != IMS_OK)
            needs->n = 0;
        ims__map_close(&map);
        for (size_t i = 0; i < needs->n; i++) {
            if (ims_library_find(needs->names[i], needs->runpath, origin, found, sizeof(found)))
                add_path(w, found);
            else
                add_missing(w, needs->names[i]);
        }
    }
    ims__free(origin);
    ims__free(needs);
}

void ims_library_missing(const char *path, char *out, size_t size)
{
    struct walk *w = ims__zalloc(1, sizeof(*w));

    out[0] = '\0';
    if (!w)
        return;
    w->out = out;
    w->size = size;
    add_path(w, path);
    while (w->n_done < w->n)
        look_into(w, w->paths[w->n_done++]);
    for (size_t i = 0; i < w->n; i++)
        ims__free(w->paths[i]);
    ims__free(w);
}

/* ISO C has no conversion from void * to a function pointer; POSIX guarantees the same bits. */
bool ims_library_symbol(void *library, const char *name, void *out_function)
{
    void *symbol = dlsym(library, name);

    memcpy(out_function, &symbol, sizeof(symbol));
    return symbol != NULL;
}
