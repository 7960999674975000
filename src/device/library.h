/* Shared libraries looked at without loading them: is it there, what does it need, what of that is
 * missing. Loading a driver only to see whether it is there would run its code in this process.
 *
 * The search is that of the dynamic linker of glibc: folders of $LD_LIBRARY_PATH, then the library's
 * own RUNPATH, then /etc/ld.so.cache, then the default folders. Elsewhere only folders are looked
 * into, and files that are not ELF need nothing that is known here. Thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DEVICE_LIBRARY_H
#define IMS_DEVICE_LIBRARY_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_LIBRARY_NAME_BYTES 128
#define IMS_LIBRARY_MAX_NEEDED 64

/* Where a library of that name would be loaded from. runpath: folders separated by ':', "$ORIGIN"
 * meaning origin; both may be NULL. Writes the path into out (may be NULL); false: nowhere. */
bool ims_library_find(const char *name, const char *runpath, const char *origin, char *out,
                      size_t size);

/* Puts the address of a loaded library's function into the function pointer at out_function, NULL
 * when there is no such function: then false. */
bool ims_library_symbol(void *library, const char *name, void *out_function);

struct ims_library_needs {
    size_t n;
    char names[IMS_LIBRARY_MAX_NEEDED][IMS_LIBRARY_NAME_BYTES]; /* DT_NEEDED */
    char runpath[1024];                                         /* "" = none */
};
/* Reads the dynamic section of a 64-bit little-endian ELF file that lies in memory. Any bytes may
 * be given. IMS_E_FORMAT: it is no such file; IMS_E_LIMIT: it needs more than fits. */
ims_status ims_library_needs_of(const uint8_t *p, size_t n, struct ims_library_needs *out,
                                ims_err *err) IMS_MUST_CHECK;

/* Which libraries keep path from being loaded, by name and separated by ", ", into out: what it
 * needs, and what that needs in turn. "" when nothing is missing as far as can be seen. */
void ims_library_missing(const char *path, char *out, size_t size);

#endif
