# The words a newcomer types. CMakePresets.json holds the builds, tools/ the scripts behind the targets.
# SPDX-License-Identifier: Apache-2.0

BINARY := build/release/imgsearch

.PHONY: help setup build demo test check-long bench deb format clean

help:
	@echo 'make demo        build, index the drawn photo library in demo/ and search it'
	@echo 'make test        build (release, and with address and undefined sanitizers), run every test'
	@echo 'make build       build the release binary, $(BINARY)'
	@echo 'make setup       only install what is missing to build'
	@echo 'make check-long  thread sanitizer, long fuzzing, soak and full-size model tests'
	@echo 'make bench       the measurements of docs/benchmarks.md'
	@echo 'make deb         build/imgsearch_VERSION_ARCH.deb (docs/install.md)'
	@echo 'make format      clang-format over all C files'
	@echo 'make clean       remove build/'

setup:
	@tools/setup build

build: setup
	@mkdir -p build
	@cmake --preset release >build/cmake-release.log 2>&1 || { cat build/cmake-release.log; exit 1; }
	@cmake --build --preset release --target imgsearch

demo: build
	@tools/demo $(BINARY)

test:
	@tools/setup test
	@tools/run_tests release asan

check-long:
	@tools/setup long
	@tools/run_tests --long release tsan fuzz

bench: build
	@cmake --build --preset release >build/build-release.log 2>&1 || { tail -n 40 build/build-release.log; exit 1; }
	@set -e; for b in build/release/bin/bench_*; do echo "== $$b"; "$$b"; done
	@set -e; for s in bench/*.sh; do [ ! -f "$$s" ] || { echo "== $$s"; sh "$$s" $(BINARY); }; done

deb: build
	@packaging/deb/build $(BINARY) build

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build
