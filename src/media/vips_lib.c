/* Opening libvips by name, and the rules under which it runs here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/vips_lib.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#define MIN_MAJOR 8
#define MIN_MINOR 13 /* vips_operation_block_set */

/* Where the library's own name is not enough, as with Homebrew, its usual folder is tried too. */
static const char *const names[] = {
#if defined(__APPLE__)
    "libvips.42.dylib",
    "/opt/homebrew/lib/libvips.42.dylib",
    "/usr/local/lib/libvips.42.dylib",
#else
    "libvips.so.42",
#endif
};

/* Loading is all-or-nothing and under this lock; the table never changes once is_ready. */
static struct ims_lock lock = { PTHREAD_MUTEX_INITIALIZER };
static struct vips_api api;
static atomic_bool is_ready;

static ims_status open_library(void **out, ims_err *err)
{
    const char *why = NULL;

    for (size_t i = 0; i < IMS_ARRAY_LEN(names); i++) {
        void *lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);

        if (lib) {
            *out = lib;
            return IMS_OK;
        }
        why = dlerror();
    }
    return ims_fail(err, IMS_E_RUNTIME, "vips", 0,
                    "libvips is needed to read pictures (Debian package libvips42): %s",
                    why ? why : "not found");
}

static ims_status find_functions(void *lib, struct vips_api *a, ims_err *err)
{
    static const char *const symbols[] = {
#define X(name) #name,
        VIPS_FUNCTIONS(X)
#undef X
    };
    void *found[IMS_ARRAY_LEN(symbols)];

    static_assert(sizeof(found) == sizeof(*a), "the table is nothing but these pointers");
    for (size_t i = 0; i < IMS_ARRAY_LEN(symbols); i++) {
        found[i] = dlsym(lib, symbols[i]);
        if (!found[i])
            return ims_fail(err, IMS_E_RUNTIME, "vips", 0,
                            "libvips lacks %s; version %d.%d or newer is needed", symbols[i],
                            MIN_MAJOR, MIN_MINOR);
    }
    memcpy(a, found, sizeof(*a));
    return IMS_OK;
}

/* GLib would print these on stderr. */
static void pass_to_log(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer arg)
{
    (void)level;
    (void)arg;
    ims__log(IMS_LOG_DEBUG, "vips", "%s: %s", domain ? domain : "glib", text);
}

static void set_rules(const struct vips_api *v)
{
    static const char *const allowed[] = {
        "VipsForeignLoadJpeg",  "VipsForeignLoadPng",  "VipsForeignLoadWebp",
        "VipsForeignLoadNsgif", "VipsForeignLoadTiff", "VipsForeignLoadHeif",
    };

    /* Everything that reads files is off, then exactly our formats are on. So the plug-ins for
     * ImageMagick, Poppler and OpenSlide never see a byte, although vips_init has loaded them. */
    v->vips_block_untrusted_set(TRUE);
    v->vips_operation_block_set("VipsForeignLoad", TRUE);
    for (size_t i = 0; i < IMS_ARRAY_LEN(allowed); i++)
        v->vips_operation_block_set(allowed[i], FALSE);
    v->vips_cache_set_max(0);
    v->vips_cache_set_max_mem(0);
    v->vips_cache_set_max_files(0);
    v->vips_concurrency_set(1);
}

static ims_status load(struct vips_api *a, ims_err *err)
{
    void *lib = NULL; /* never closed: GLib's types cannot be unloaded */
    ims_status st = open_library(&lib, err);
    int major;
    int minor;

    if (!st)
        st = find_functions(lib, a, err);
    if (st)
        return st;
    major = a->vips_version(0);
    minor = a->vips_version(1);
    if (major != MIN_MAJOR || minor < MIN_MINOR)
        return ims_fail(err, IMS_E_RUNTIME, "vips", 0, "libvips %d.%d is not 8.13 or a newer 8",
                        major, minor);
    a->g_log_set_handler("VIPS", G_LOG_LEVEL_MASK, pass_to_log, NULL);
    if (a->vips_init("imgsearch"))
        return ims_fail(err, IMS_E_RUNTIME, "vips", 0, "libvips did not start");
    st = ims__vips_gate_init(err);
    if (st)
        return st;
    set_rules(a);
    a->vips_error_clear();
    return IMS_OK;
}

ims_status ims__vips_get(const struct vips_api **out, ims_err *err)
{
    ims_status st = IMS_OK;

    if (!atomic_load_explicit(&is_ready, memory_order_acquire)) {
        ims__lock(&lock);
        if (!atomic_load_explicit(&is_ready, memory_order_relaxed)) {
            st = load(&api, err);
            atomic_store_explicit(&is_ready, st == IMS_OK, memory_order_release);
        }
        ims__unlock(&lock);
    }
    if (!st)
        *out = &api;
    return st;
}
