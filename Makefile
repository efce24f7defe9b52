# Loadstar. `make help` lists the targets.
#
# Sources are found, not listed: every .c under the floors is built, all but
# server/main.c into libloadstar.a, which the binary and the tests link.
#
#   VARIANT=plain|asan|tsan|cover|fuzz   which build; plain lives in build/, the others in build/VARIANT
#   FAILPOINTS=1                         adds -DLOADSTAR_FAILPOINTS, in build/failpoints or build/VARIANT-failpoints
#   CC, EXTRA_CFLAGS, EXTRA_LDFLAGS      changing them, or any flag here, rebuilds what they touch

VARIANT ?= plain
FAILPOINTS ?=
PREFIX ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif

# Parallel by default; several goals in one command (make clean build) keep their order instead.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter-out 0 1,$(words $(MAKECMDGOALS))),)
MAKEFLAGS += -j$(shell nproc)
endif
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

.PHONY: build
build:

# ---- where things go

VARIANTS := plain asan tsan cover fuzz
ifeq ($(filter $(VARIANT),$(VARIANTS)),)
$(error VARIANT must be one of: $(VARIANTS))
endif
DIR_plain := build
DIR_plain_1 := build/failpoints
O := $(or $(DIR_$(VARIANT)$(if $(FAILPOINTS),_1)),build/$(VARIANT)$(if $(FAILPOINTS),-failpoints))

FLOORS := base sql etl handlers server
SOURCES := $(sort $(shell find $(FLOORS) -name '*.c' 2>/dev/null))
MAIN := $(filter server/main.c,$(SOURCES))
GEN := $(O)/gen/control_sql.c
LIB := $(O)/libloadstar.a
LIB_OBJS := $(patsubst %.c,$(O)/obj/%.o,$(filter-out server/main.c,$(SOURCES))) $(O)/obj/gen/control_sql.o
SUPPORT := $(O)/libtestsupport.a
SUPPORT_SOURCES := $(sort $(wildcard tests/support/*.c) \
	$(filter-out $(wildcard tests/unit/test_*.c),$(wildcard tests/unit/*.c)))
SUPPORT_OBJS := $(patsubst %.c,$(O)/obj/%.o,$(SUPPORT_SOURCES))
BINARY := $(if $(MAIN),$(O)/loadstar)
UNIT := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/unit/test_*.c)))
CONCURRENCY := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/concurrency/test_*.c)))
BENCH := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/bench/*.c)))
FUZZ := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/fuzz/*.c)))

# ---- how things are compiled

# Package and the oldest version the code is written for (Debian 12).
PACKAGES := libmicrohttpd>=0.9.75 libjwt>=1.10.2 libcurl>=7.88.1 libpq>=15 jansson>=2.14 libfyaml>=0.7.12 openssl>=3.0
PACKAGE_NAMES := $(foreach p,$(PACKAGES),$(firstword $(subst >, ,$p)))
# Expanded once, on first use: make clean works on a machine without the libraries.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PACKAGE_NAMES) 2>/dev/null))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PACKAGE_NAMES) 2>/dev/null))$(PKG_LIBS)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla
HARDEN := -fstack-protector-strong -fPIE
CFLAGS_plain := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_cover := -O0 -g --coverage -fprofile-update=atomic
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_cover := --coverage
LDFLAGS_fuzz := -fsanitize=address,undefined

LANGUAGE := -std=c17 -D_GNU_SOURCE -I. -isystem .duckdb/include
ALL_CFLAGS = $(LANGUAGE) $(WARNINGS) $(HARDEN) -pthread $(CFLAGS_$(VARIANT)) \
	$(if $(FAILPOINTS),-DLOADSTAR_FAILPOINTS) $(PKG_CFLAGS) $(EXTRA_CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS_$(VARIANT)) $(EXTRA_LDFLAGS)
LIBS = $(PKG_LIBS) -ldl -lm

VERSION := $(shell v=$$(cat VERSION); c=$$(git rev-parse --short=9 HEAD 2>/dev/null) && v=$$v+g$$c; echo $$v)

# A file that changes only when its contents do: $(call stamp,TEXT) in the recipe of a FORCEd target.
stamp = @mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' >$@

.PHONY: FORCE
FORCE:

$(O)/.flags: FORCE $(O)/.packages
	$(call stamp,$(CC) $(shell $(CC) -dumpfullversion -dumpversion) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS))
$(O)/.sources: FORCE
	$(call stamp,$(LIB_OBJS) $(SUPPORT_OBJS))
$(O)/.version: FORCE
	$(call stamp,$(VERSION))
$(O)/.packages: Makefile
	@mkdir -p $(@D)
	@for p in $(foreach p,$(PACKAGES),'$p'); do \
		pkg-config --exists "$$(echo "$$p" | sed 's/>=/ >= /')" || \
		{ echo "missing: $$p (make deps installs it)" >&2; exit 1; }; done
	@touch $@

$(GEN): FORCE
	@python3 scripts/embed.py $@

# DuckDB is not linked: the child process that reads files loads it. Its name beside a program, where that looks for it.
DUCKDB := .duckdb/.stamp
$(DUCKDB): scripts/duckdb.sh
	@scripts/duckdb.sh && touch $@
$(O)/lib/loadstar/libduckdb.so $(O)/tests/lib/loadstar/libduckdb.so: $(DUCKDB)
	@mkdir -p $(@D)
	@ln -sf $(CURDIR)/.duckdb/lib/libduckdb.so $@

$(filter $(O)/obj/etl/duck/%,$(LIB_OBJS)): | $(DUCKDB)
$(O)/obj/%.o: %.c $(O)/.flags
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(O)/obj/gen/%.o: $(O)/gen/%.c $(O)/.flags
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(O)/obj/base/version.o: private EXTRA_CFLAGS += -DLOADSTAR_VERSION='"$(VERSION)"'
$(O)/obj/base/version.o: $(O)/.version

# Made anew each time, so that the object of a deleted source does not live on in it.
$(LIB): $(LIB_OBJS) $(O)/.sources
	@echo "  AR      $@"
	@rm -f $@ && $(AR) rcs $@ $(LIB_OBJS)
$(SUPPORT): $(SUPPORT_OBJS) $(O)/.sources
	@rm -f $@ && $(AR) rcs $@ $(SUPPORT_OBJS)

$(O)/loadstar: $(O)/obj/server/main.o $(LIB)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(O)/obj/server/main.o $(LIB) $(LIBS)
$(UNIT) $(CONCURRENCY) $(BENCH): $(O)/tests/%: $(O)/obj/tests/%.o $(LIB) $(SUPPORT) | $(O)/tests/lib/loadstar/libduckdb.so
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(SUPPORT) $(LIB) -lcmocka $(LIBS)
$(FUZZ): $(O)/tests/%: $(O)/obj/tests/%.o $(LIB) $(SUPPORT)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(SUPPORT) $(LIB) $(LIBS)

-include $(shell find $(O)/obj -name '*.d' 2>/dev/null)

# ---- what people ask for

build: $(LIB) $(BINARY) $(O)/lib/loadstar/libduckdb.so ## build build/loadstar
ifeq ($(if $(MAIN),$(VARIANT)$(FAILPOINTS)),plain1)
build: build/loadstar-failpoints
build/loadstar-failpoints: $(BINARY)
	@ln -f $< $@
endif

.PHONY: build-unit build-concurrency build-bench build-fuzz
build-unit: $(UNIT)
build-concurrency: $(CONCURRENCY)
build-bench: $(BENCH)
build-fuzz: $(FUZZ)

# Each sanitizer gets the same tests; scripts/test.py says which.
.PHONY: run demo stop test asan tsan cover bench model lint format fuzz fuzz-api deps install clean help
run: build ## build and serve in the foreground, with the embedded PostgreSQL and the shipped pipelines
	@$(if $(wildcard scripts/run.sh),exec scripts/run.sh,exec build/loadstar serve)

demo: ## install what is missing, load the sample warehouse, show it (KEEP=1, PIPELINE=name)
	@scripts/deps.sh build run
	@$(MAKE) build
	@scripts/demo.sh
stop: ## stop what make demo KEEP=1 left running
	@scripts/stop.sh
export KEEP PIPELINE

test: ## install what is missing, then every test
	@scripts/deps.sh build run test
	+@python3 scripts/test.py
asan: ## build/asan: unit tests and system smoke under ASan and UBSan
	+@python3 scripts/test.py asan
tsan: ## build/tsan: unit and concurrency tests under TSan
	+@python3 scripts/test.py tsan
model: ## check the protocol model
	@$(if $(wildcard scripts/model.sh),scripts/model.sh,echo "no scripts/model.sh")
cover: ## build/cover: coverage of unit tests and system smoke
	@scripts/deps.sh build run test cover
	+@scripts/cover.sh
bench: ## run the benchmark suite, write build/bench.json (BENCH_ARGS)
	@scripts/deps.sh build run test bench
	@$(MAKE) -s build build-bench venv
	@scripts/bench.sh $(BENCH_ARGS)

ifneq ($(FUZZ),)
FUZZ_SECONDS ?= 60
fuzz: ## fuzz each target in tests/fuzz for FUZZ_SECONDS (60)
	+@$(MAKE) VARIANT=fuzz CC=clang build-fuzz
	@scripts/fuzz.sh $(FUZZ_SECONDS)
endif

FUZZ_API_SECONDS ?= 600
fuzz-api: build venv ## generated requests against the contract of the API for FUZZ_API_SECONDS (600)
	@.venv/bin/python scripts/fuzz_api.py $(FUZZ_API_SECONDS)

lint: ## format, analysers, floors
	@scripts/lint.sh
format: ## rewrite the sources in the house format
	@find $(FLOORS) tests -name '*.[ch]' 2>/dev/null | xargs -r clang-format -i

deps: ## install what is missing, silently when nothing is
	@scripts/deps.sh build run test

# The Python packages of the system tests, made again only when their list changes.
.PHONY: venv
venv: .venv/.stamp
.venv/.stamp: tests/requirements.txt
	@echo "  VENV    .venv"
	@rm -rf .venv && python3 -m venv .venv
	@.venv/bin/pip install -q --disable-pip-version-check --no-input --only-binary :all: --require-hashes -r $<
	@touch $@

SHARE = $(DESTDIR)$(PREFIX)/share
install: build ## install under PREFIX (/usr/local); DESTDIR is honoured
	install -D -m 755 build/loadstar $(DESTDIR)$(PREFIX)/bin/loadstar
	install -D -m 644 .duckdb/lib/libduckdb.so $(DESTDIR)$(PREFIX)/lib/loadstar/libduckdb.so
	@set -e; find sql/pipelines -type f 2>/dev/null | while read -r file; do \
		install -D -m 644 "$$file" "$(SHARE)/loadstar/$${file#sql/}"; done
	@set -e; if [ -f docs/loadstar.1 ]; then \
		install -D -m 644 docs/loadstar.1 "$(SHARE)/man/man1/loadstar.1"; fi
	@set -e; for file in docs/loadstar.bash docs/completion/loadstar.bash; do [ ! -f $$file ] || \
		install -D -m 644 $$file "$(SHARE)/bash-completion/completions/loadstar"; done

clean: ## remove everything that was built
	rm -rf build
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '%-10s %s\n' "$$name" "$$what"; done
