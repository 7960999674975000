#!/bin/sh
# tools/setup with stand-ins for the package manager, npm and sudo: what it says, does and refuses.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/tap.sh"

bin=$work/bin
calls=$work/calls

# stand_in NAME BODY: a command found before the system's
stand_in()
{
    printf '#!/bin/sh\n%s\n' "$2" >"$bin/$1" && chmod +x "$bin/$1"
}

# A machine with no ONNX Runtime, no packages of ours and a network that answers nothing.
fresh_machine()
{
    rm -rf "$bin" "$work/cache" "$calls"
    mkdir -p "$bin" "$work/cache"
    : >"$calls"
    stand_in ldconfig 'exit 0'
    stand_in ls 'exit 2'
    stand_in uname '[ "$1" = -m ] && echo x86_64 || echo Linux'
    stand_in npm "echo npm \"\$@\" >>$calls; echo 'npm error code EAI_AGAIN' >&2; exit 1"
    stand_in dpkg-query "cat $work/installed 2>/dev/null"
    stand_in apt-cache 'exit 0'
    stand_in id 'echo 0'
    stand_in chromium 'exit 0'
    stand_in node 'exit 0'
    stand_in apt-get "echo apt-get \"\$@\" >>$calls
        case \"\$*\" in
            *update*) echo 'Hit:1 somewhere' ;;
            *--assume-no*) printf '0 upgraded, 7 newly installed, 0 to remove\\n'
                printf 'Need to get 182 MB of archives.\\n'
                printf 'After this operation, 697 MB of additional disk space will be used.\\n'; exit 1 ;;
        esac"
    rm -f "$work/installed"
}

run_setup()
{
    env -u ORT_DYLIB_PATH PATH="$bin:$PATH" XDG_CACHE_HOME="$work/cache" HOME="$work" "$root/tools/setup" "$@"
}

all_installed()
{
    for name in gcc libc6-dev make cmake ninja-build pkgconf libvips-dev libturbojpeg0-dev libsqlite3-dev libpq-dev \
        libjansson-dev libutf8proc-dev libssl-dev libcurl4-openssl-dev libmicrohttpd-dev libyaml-dev zlib1g-dev postgresql-15 gcc-aarch64-linux-gnu \
        libc6-dev-arm64-cross qemu-user-static libvulkan1 clang; do
        echo "ii  $name"
    done >"$work/installed"
    sed -n "s/^ *\([a-z-]*\)@\([0-9.]*\)@[0-9a-f]*'*\$/\1 \2/p" "$root/tools/setup" | while read -r name version; do
        mkdir -p "$work/cache/imgsearch/browser/node_modules/$name"
        echo "  \"version\": \"$version\"," >"$work/cache/imgsearch/browser/node_modules/$name/package.json"
    done
}

with_runtime()
{
    echo VERS_1.30.0 >"$work/libonnxruntime.so"
    env -u VK_DRIVER_FILES -u IMS_SWIFTSHADER_DIR PATH="$bin:$PATH" XDG_CACHE_HOME="$work/cache" \
        ORT_DYLIB_PATH="$work/libonnxruntime.so" \
        "$root/tools/setup" "$@"
}

takes_named_library()
{
    fresh_machine && with_runtime runtime >"$work/said" && grep -qF "$work/libonnxruntime.so" "$work/said" &&
        ! [ -s "$calls" ]
}

refuses_named_library_that_is_not_there()
{
    fresh_machine
    complains 'ORT_DYLIB_PATH is /nowhere/x.so, which is not a file' \
        env PATH="$bin:$PATH" HOME="$work" ORT_DYLIB_PATH=/nowhere/x.so "$root/tools/setup" runtime
}

# An installed library that carries the given version.
install_library()
{
    mkdir -p "$work/usr"
    echo "VERS_$1" >"$work/usr/libonnxruntime.so.1"
    stand_in ldconfig "echo '	libonnxruntime.so.1 (libc6,x86-64) => $work/usr/libonnxruntime.so.1'"
}

takes_installed_library()
{
    fresh_machine && install_library 1.21.0 && run_setup runtime >"$work/said" &&
        grep -qF "$work/usr/libonnxruntime.so.1" "$work/said" && ! [ -s "$calls" ]
}

passes_over_old_library()
{
    fresh_machine && install_library 1.17.3 && complains 'could not be fetched' run_setup runtime &&
        grep -q '^npm pack' "$calls"
}

says_what_to_put_where()
{
    fresh_machine && complains "$work/cache/imgsearch/onnxruntime/1.30.0/libonnxruntime.so.1" run_setup runtime &&
        grep -q 'sha256 ffb75a925ba05e47' "$work/complaint" && grep -q 'no network' "$work/complaint" &&
        grep -q 'onnxruntime-node-1.30.0.tgz' "$work/complaint" && grep -q ORT_DYLIB_PATH "$work/complaint" &&
        left=$(find "$work/cache" -name '.fetch*') && [ -z "$left" ]
}

refuses_another_package()
{
    fresh_machine && stand_in npm "echo not this >onnxruntime-node-1.30.0.tgz" &&
        complains 'sha256 differs' run_setup runtime &&
        ! [ -e "$work/cache/imgsearch/onnxruntime/1.30.0/libonnxruntime.so.1" ] &&
        ! [ -e "$work/cache/imgsearch/onnxruntime/1.30.0/onnxruntime-node-1.30.0.tgz" ]
}

refuses_damaged_cache()
{
    fresh_machine && mkdir -p "$work/cache/imgsearch/onnxruntime/1.30.0" &&
        echo cut >"$work/cache/imgsearch/onnxruntime/1.30.0/libonnxruntime.so.1" &&
        complains 'is damaged' run_setup runtime && ! [ -s "$calls" ]
}

says_full_disk()
{
    fresh_machine && stand_in df 'printf "F b u a c m\n/dev/x 9 9 2048 9 /\n"' &&
        complains 'has 2 MB free' run_setup runtime && ! [ -s "$calls" ]
}

changes_nothing_when_all_is_there()
{
    fresh_machine && all_installed && with_runtime test && ! [ -s "$calls" ]
}

says_what_and_how_much()
{
    fresh_machine && all_installed && grep -v -e cmake -e libvips "$work/installed" >"$work/fewer" &&
        mv "$work/fewer" "$work/installed" && with_runtime build >"$work/said" &&
        grep -q 'missing: cmake libvips-dev$' "$work/said" && grep -q 'to download: 182 MB' "$work/said" &&
        grep -q 'on disk: 697 MB' "$work/said" &&
        [ "$(grep -c ' update' "$calls")" = 1 ] && grep -q 'install -y --no-install-recommends cmake libvips-dev' "$calls"
}

says_offline()
{
    fresh_machine && stand_in apt-get "echo apt-get \"\$@\" >>$calls
        echo 'E: Failed to fetch x: Temporary failure resolving y' >&2; exit 100" &&
        complains 'no network?' with_runtime build && [ "$(wc -l <"$calls")" = 1 ]
}

says_all_that_is_missing_offline()
{
    fresh_machine && stand_in apt-get "echo 'E: Failed to fetch x: Temporary failure resolving y' >&2; exit 100" &&
        complains "$work/cache/imgsearch/onnxruntime/1.30.0/libonnxruntime.so.1" run_setup build &&
        grep -q 'or install: gcc libc6-dev' "$work/complaint"
}

installs_npm_with_the_rest()
{
    fresh_machine && rm "$bin/npm" && all_installed || return 1
    for tool in sh sed tr cat grep dirname env rm awk mktemp mkdir df flock cut head sha256sum; do
        ln -s "$(command -v "$tool")" "$bin/$tool" || return 1
    done
    complains 'npm is needed' env -u ORT_DYLIB_PATH PATH="$bin" XDG_CACHE_HOME="$work/cache" HOME="$work" \
        sh "$root/tools/setup" build && grep -q 'install -y --no-install-recommends npm' "$calls"
}

# Only where the system knows them, and together with what is required.
installs_a_browser_with_the_rest()
{
    fresh_machine && rm "$bin/chromium" "$bin/node" && all_installed && hide_browser && stand_in apt-cache '[ "$2" = chromium ]' &&
        grep -v cmake "$work/installed" >"$work/fewer" && mv "$work/fewer" "$work/installed" && with_hidden test >"$work/said" 2>&1 &&
        grep -q 'install -y --no-install-recommends cmake chromium$' "$calls"
}

# A PATH without the browser and node of this machine.
hide_browser()
{
    for tool in sh sed tr cat grep dirname env rm awk mktemp mkdir mv df flock cut head sha256sum tail tar readlink; do
        ln -sf "$(command -v "$tool")" "$bin/$tool" || return 1
    done
}

with_hidden()
{
    echo VERS_1.30.0 >"$work/libonnxruntime.so"
    env -u IMS_CHROMIUM -u IMS_NODE_MODULES PATH="$bin" HOME="$work" XDG_CACHE_HOME="$work/cache" VK_DRIVER_FILES=x \
        ORT_DYLIB_PATH="$work/libonnxruntime.so" sh "$root/tools/setup" "$@"
}

goes_on_without_a_browser()
{
    fresh_machine && rm "$bin/chromium" && all_installed && hide_browser &&
        stand_in apt-get "echo 'E: Failed to fetch x: Temporary failure resolving y' >&2; exit 100" &&
        with_hidden test >"$work/said" 2>&1 && grep -q 'without chromium the tests of the web page are skipped' "$work/said" &&
        rm -rf "$work/cache/imgsearch/browser" && stand_in chromium 'exit 0' && with_hidden test >"$work/said" 2>&1 &&
        grep -q 'without playwright-core and axe-core the tests' "$work/said" && left=$(find "$work/cache" -name '.fetch*') && [ -z "$left" ]
}

refuses_other_modules()
{
    fresh_machine && all_installed && rm -rf "$work/cache/imgsearch/browser" && hide_browser &&
        stand_in npm 'echo x >playwright-core-1.60.0.tgz' && with_hidden test >"$work/said" 2>&1 &&
        grep -q 'is not the expected playwright-core' "$work/said" && ! [ -e "$work/cache/imgsearch/browser/node_modules/playwright-core" ]
}

says_lock()
{
    fresh_machine && stand_in apt-get 'case "$*" in
            *update*) echo "Hit:1 x" ;;
            *) echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7" >&2; exit 100 ;;
        esac' &&
        complains 'another package manager is at work' with_runtime build
}

uses_sudo()
{
    fresh_machine && stand_in id 'echo 1000' && stand_in sudo "echo sudo \"\$@\" >>$calls; exec \"\$@\"" &&
        with_runtime build && grep -q '^sudo env DEBIAN_FRONTEND=noninteractive' "$calls"
}

fetches_vulkan_driver_once()
{
    fresh_machine && all_installed && mkdir -p "$work/deb/usr/lib/chromium" || return 1
    echo driver >"$work/deb/usr/lib/chromium/libvk_swiftshader.so"
    echo icd >"$work/deb/usr/lib/chromium/vk_swiftshader_icd.json"
    stand_in apt-cache 'echo Size: 31000000'
    stand_in apt-get "echo apt-get \"\$@\" >>$calls
        case \"\$*\" in *download*) : >chromium-common_1.deb ;; esac"
    stand_in dpkg-deb "tar -C $work/deb -cf - ./usr"
    if [ -f /usr/lib/chromium/libvk_swiftshader.so ]; then # an installed one is taken
        with_runtime test && ! [ -s "$calls" ]
        return
    fi
    with_runtime test >"$work/said" && grep -q 'fetching chromium-common (31 MB)' "$work/said" &&
        cmp "$work/cache/imgsearch/swiftshader/libvk_swiftshader.so" "$work/deb/usr/lib/chromium/libvk_swiftshader.so" &&
        with_runtime test && [ "$(wc -l <"$calls")" = 1 ]
}

prints_names_elsewhere()
{
    fresh_machine && stand_in uname 'echo Darwin' && stand_in pkg-config 'exit 1' || return 1
    # a PATH without apt-get: only the tools the script itself needs
    for tool in sh sed tr cat grep dirname env rm; do
        ln -s "$(command -v "$tool")" "$bin/$tool" || return 1
    done
    rm -f "$bin/apt-get" "$bin/dpkg-query"
    complains 'brew install cmake ninja' env PATH="$bin" HOME="$work" sh "$root/tools/setup" build
}

plan 20
try "the library that ORT_DYLIB_PATH names is taken" takes_named_library
try "ORT_DYLIB_PATH naming no file is an error" refuses_named_library_that_is_not_there
try "an installed library that is new enough is taken" takes_installed_library
try "an installed library that is too old is passed over" passes_over_old_library
try "without a network it says which file to put where" says_what_to_put_where
try "a package with another checksum is refused and not kept" refuses_another_package
try "a damaged library in the cache is refused" refuses_damaged_cache
try "a full disk is said before anything is fetched" says_full_disk
try "with everything there nothing is called" changes_nothing_when_all_is_there
try "what is missing and how much it is comes before installing it" says_what_and_how_much
try "a package manager without a network ends with one sentence" says_offline
try "without a network all that is missing is named at once" says_all_that_is_missing_offline
try "npm is installed when it is absent and needed" installs_npm_with_the_rest
try "a browser is installed with the rest where the system has one" installs_a_browser_with_the_rest
try "without a browser or what drives it the set-up goes on, and says what is skipped" goes_on_without_a_browser
try "what drives the browser is refused when its checksum differs" refuses_other_modules
try "a package manager that is busy is said" says_lock
try "without being root it goes through sudo" uses_sudo
try "the software Vulkan driver for the tests is fetched once" fetches_vulkan_driver_once
try "on a system without apt-get the names are printed" prints_names_elsewhere
finish
