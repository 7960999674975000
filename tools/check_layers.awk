# The layer tables and the check over #include lines; run by tools/check_layers.
# SPDX-License-Identifier: Apache-2.0

function words(list, set,    i, n, parts)
{
    n = split(list, parts, " ")
    for (i = 1; i <= n; i++)
        set[parts[i]] = 1
}

BEGIN {
    # What each folder of src/ may include besides itself and include/ims/.
    below["base"] = ""
    below["kernels"] = "base"
    below["device"] = "base kernels"
    below["media"] = "base kernels"
    below["db"] = "base kernels"
    below["queue"] = "base kernels db"
    below["store"] = "base kernels db"
    below["vectors"] = "base kernels"
    below["compute"] = "base kernels device"
    below["models"] = "base kernels device compute"
    below["people"] = "base kernels device compute"
    below["engine"] = "base kernels device media db queue store vectors compute models people"
    below["http"] = below["engine"] " engine"
    below["cli"] = below["http"] " http"

    # Folders behind a seam: their headers, and every *_backend.h, are for their own module alone.
    words("db/sqlite db/postgres vectors/embedded vectors/qdrant queue/embedded queue/redis compute/ort" \
        " kernels/x86 kernels/arm", backend)

    # The folder that may see a vendor's headers; utf8proc: one for names, one for tokens.
    vendor["vips/"] = "media"
    vendor["glib"] = "media"
    vendor["libheif/"] = "media"
    vendor["turbojpeg.h"] = "media"
    vendor["sqlite3.h"] = "db"
    vendor["libpq-fe.h"] = "db"
    vendor["jansson.h"] = "base"
    vendor["openssl/"] = "base"
    vendor["utf8proc.h"] = "base models"
    vendor["curl/"] = "models"
    vendor["microhttpd.h"] = "http"
    vendor["yaml.h"] = "http"
    vendor["zlib.h"] = "http"

    words("assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h limits.h locale.h math.h" \
        " setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h" \
        " stdlib.h stdnoreturn.h string.h tgmath.h time.h uchar.h wchar.h wctype.h", standard)
    words("arpa/inet.h dirent.h dlfcn.h fcntl.h fnmatch.h ftw.h getopt.h glob.h grp.h langinfo.h" \
        " libgen.h netdb.h netinet/in.h netinet/tcp.h poll.h pthread.h pwd.h regex.h sched.h semaphore.h" \
        " spawn.h strings.h sys/file.h sys/ioctl.h sys/mman.h sys/resource.h sys/socket.h sys/stat.h" \
        " sys/statvfs.h sys/time.h sys/times.h sys/types.h sys/uio.h sys/un.h sys/utsname.h sys/wait.h" \
        " syslog.h termios.h unistd.h utime.h", standard)
    words("immintrin.h xmmintrin.h cpuid.h arm_neon.h", standard)
    # Only in a file whose name says so; a macOS header also under #ifdef __APPLE__.
    words("sys/auxv.h sys/epoll.h sys/eventfd.h sys/inotify.h sys/prctl.h sys/random.h sys/sysinfo.h" \
        " sys/syscall.h sys/sysmacros.h sys/vfs.h malloc.h", linux_only)
    words("sys/sysctl.h sys/event.h TargetConditionals.h libproc.h", apple_only)
}

function complain(text)
{
    printf "%s:%d: %s\n", FILENAME, FNR, text
    n_bad++
}

# "src/db/sqlite/x.c" -> "db"; "include/ims/x.h" -> "ims"
function module_of(path,    parts)
{
    split(path, parts, "/")
    return parts[2]
}

function check_own(header, from,    parts, n, to, sub_folder)
{
    n = split(header, parts, "/")
    if (n < 2) {
        complain("\"" header "\": write the path from src/ or include/")
        return
    }
    to = parts[1]
    sub_folder = parts[1] "/" parts[2]
    if (to == "ims" || to == from)
        return
    if (from == "ims")
        complain("a public header includes \"" header "\"")
    else if (index(" " below[from] " ", " " to " ") == 0)
        complain("src/" from " includes \"" header "\": " to " is not below it")
    else if (sub_folder in backend || header ~ /_backend\.h$/)
        complain("src/" from " includes \"" header "\", which is for src/" to " alone")
}

function check_foreign(header, from,    v)
{
    for (v in vendor) {
        if (index(header, v) == 1) {
            if (index(" " vendor[v] " ", " " from " ") == 0)
                complain("<" header "> is for src/" vendor[v] " alone")
            return
        }
    }
    if (header ~ /^linux\// || header in linux_only) {
        if (FILENAME !~ /_linux\.[ch]$/)
            complain("<" header "> exists on Linux only: it belongs in a file named *_linux.c")
    } else if (header ~ /^mach(-o)?\// || header in apple_only) {
        if (FILENAME !~ /_apple\.[ch]$/ && !is_apple)
            complain("<" header "> exists on macOS only: it belongs in a file named *_apple.c")
    } else if (!(header in standard)) {
        complain("<" header "> is in no table of tools/check_layers.awk")
    }
}

FNR == 1 {
    n_files++
    is_apple = 0
    from = module_of(FILENAME)
    if (from != "ims" && !(from in below))
        complain("src/" from " is in no layer of tools/check_layers.awk")
}

/^[ \t]*#[ \t]*(if|ifdef|elif).*__APPLE__/ {
    is_apple = 1
}

/^[ \t]*#[ \t]*(else|endif|elif)/ && !/__APPLE__/ {
    is_apple = 0
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    header = $0
    sub(/^[^"]*"/, "", header)
    sub(/".*/, "", header)
    check_own(header, from)
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    header = $0
    sub(/^[^<]*</, "", header)
    sub(/>.*/, "", header)
    check_foreign(header, from)
}

END {
    if (n_files == 0) {
        print "check_layers: no source files found"
        exit 1
    }
    printf "check_layers: %d files, %d violations\n", n_files, n_bad
    exit n_bad > 0
}
