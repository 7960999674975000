/* Where this program lies: its read-only data are looked for beside it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

char *cli_executable_path(void)
{
    char *real = NULL;
#if defined(__APPLE__)
    char path[IMS_MAX_PATH_BYTES];
    uint32_t size = sizeof(path);

    if (_NSGetExecutablePath(path, &size) == 0 && ims__real_path(path, &real, NULL) == IMS_OK)
        return real;
#elif defined(__linux__)
    if (ims__real_path("/proc/self/exe", &real, NULL) == IMS_OK)
        return real;
#endif
    if (cli_program && strchr(cli_program, '/') && ims__real_path(cli_program, &real, NULL) == IMS_OK)
        return real;
    return NULL;
}

char *cli_executable_dir(void)
{
    char *path = cli_executable_path();
    char *slash = path ? strrchr(path, '/') : NULL;

    if (slash)
        *slash = '\0';
    return path;
}
