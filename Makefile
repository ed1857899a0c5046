# hdnas: build, demo, tests. `make help` lists the targets.
#
# Layers (docs/ARCHITECTURE.md): cli > nas > nn, data > core. Each is an archive; a test program is linked with only
# the layers its name grants it (tests/test_LAYER_*.c).

CC      ?= gcc
AR      ?= ar
PREFIX  ?= /usr/local
BUILD   ?= build
# The program; another name beside another BUILD keeps two builds apart.
PROGRAM ?= hdnas
# make V=1 shows the commands.
V       ?= 0
ifeq ($(V),0)
Q   := @
SAY  = @echo "  $(1)	$@"
endif
OPT     ?= -O3 -g

# What is built against, and what the tests want besides. docs/DEPENDENCIES.md says why each is there.
BUILD_PACKAGES = pkg-config libopenblas-dev libstb-dev libcjson-dev zlib1g-dev libcurl4-openssl-dev libssl-dev
TEST_PACKAGES  = libcmocka-dev python3 binutils xz-utils dataset-fashion-mnist

MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)
ifneq (,$(findstring x86_64,$(MACHINE)))
TIERS := ref avx2 avx512 avx512bf16 amx
else ifneq (,$(findstring aarch64,$(MACHINE)))
TIERS := ref neon
else
TIERS := ref
endif
TIER_CFLAGS_ref    := -ffp-contract=off
TIER_CFLAGS_avx2   := -mavx2 -mfma -ffp-contract=fast
TIER_CFLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512 -ffp-contract=fast
TIER_CFLAGS_avx512bf16 := $(TIER_CFLAGS_avx512) -mavx512bf16
TIER_CFLAGS_amx := $(TIER_CFLAGS_avx512bf16) -mamx-tile -mamx-bf16
TIER_CFLAGS_neon   := -ffp-contract=fast

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS  += -std=c11 $(OPT) $(WARN) -fno-math-errno -fno-trapping-math -fopenmp -I. $(SANITIZE)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1)
LDFLAGS += -fopenmp $(SANITIZE)
LDLIBS  += -lopenblas -lcjson -lz -lcrypto -ldl -lm

LAYERS := core nn data nas cli
KERNEL_SRC := $(foreach t,$(TIERS),$(wildcard core/kernels/*_$(t).c))
core_SRC := $(wildcard core/*.c) $(KERNEL_SRC)
nn_SRC   := $(wildcard nn/*.c)
data_SRC := $(wildcard data/*.c)
nas_SRC  := $(wildcard nas/*.c)
cli_SRC  := $(filter-out cli/main.c,$(wildcard cli/*.c))
objects   = $(patsubst %.c,$(BUILD)/%.o,$(1))

# What a layer may be linked with, itself first.
core_LIBS := core
nn_LIBS   := nn core
data_LIBS := data core
nas_LIBS  := nas nn core
cli_LIBS  := cli nas nn data core
archives   = $(foreach l,$(1),$(BUILD)/lib$(l).a)

TEST_SRC   := $(wildcard tests/test_*.c)
TEST_BIN   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SRC))
BENCH_SRC  := $(wildcard bench/bench_*.c)
BENCH_BIN  := $(patsubst bench/%.c,$(BUILD)/bench/%,$(BENCH_SRC))

# Tables that REPRODUCTION.md needs: make reproduce-quick REPRODUCE_DATA=DIR
REPRODUCE_DATA ?= ../shared/data
.PHONY: all reproduce-quick demo check kcheck peers deps test-deps install uninstall clean help tests
all: $(PROGRAM)

$(PROGRAM): $(BUILD)/cli/main.o $(call archives,$(cli_LIBS))
	$(call SAY,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

define layer_rule
$$(BUILD)/lib$(1).a: $$(call objects,$$($(1)_SRC))
	@rm -f $$@
	$$(call SAY,AR)
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

define tier_rule
$$(BUILD)/core/kernels/%_$(1).o: core/kernels/%_$(1).c
	@mkdir -p $$(@D)
	$$(call SAY,CC)
	$$(Q)$$(CC) $$(CFLAGS) $$(TIER_CFLAGS_$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach t,$(TIERS),$(eval $(call tier_rule,$(t))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(CC) $(CFLAGS) -ffp-contract=off -MMD -MP -c -o $@ $<

# The version is compiled into one file only, anew whenever it has changed.
$(BUILD)/cli/version.o: CFLAGS += -DHDNAS_VERSION='"$(VERSION)"'
$(BUILD)/cli/version.o: $(BUILD)/version.txt
$(BUILD)/version.txt: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@
.PHONY: FORCE

# tests/test_nn_x.c may know nn and core: the layer is the word after test_.
test_layer = $(word 2,$(subst _, ,$(basename $(notdir $(1)))))
define test_rule
$$(BUILD)/tests/$(basename $(notdir $(1))): $$(BUILD)/$(1:.c=.o) $$(call archives,$$($(call test_layer,$(1))_LIBS))
	@mkdir -p $$(@D)
	$$(call SAY,LD)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ -lcmocka $$(LDLIBS)
endef
$(foreach s,$(TEST_SRC),$(eval $(call test_rule,$(s))))

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(call archives,$(cli_LIBS))
	@mkdir -p $(@D)
	$(call SAY,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# hdnas beside its peers: make peers, or make peers PEERS='--only conv3x3 --threads 1,2'. The glue is no part of the
# product; peers that are not installed are skipped.
PEER_LIBS_onednn  := -ldnnl
PEER_LIBS_libxsmm := -lxsmm -lxsmmnoblas -ldl
PEER_LIBS_xnnpack := -lXNNPACK -lpthreadpool
.PRECIOUS: $(BUILD)/bench/peers/%.o
$(BUILD)/bench/peers/conv_%: $(BUILD)/bench/peers/conv_%.o $(BUILD)/bench/peers/conv_peers.o $(call archives,$(cli_LIBS))
	$(call SAY,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(PEER_LIBS_$*)
peers: $(PROGRAM)
	@BUILD=$(BUILD) CC=$(CC) python3 bench/peers/run.py $(PEERS)

tests: $(PROGRAM) $(TEST_BIN)

help:
	@echo 'make            build ./hdnas'
	@echo 'make demo       install what is missing, build, and search on the built-in data (30 s of it)'
	@echo 'make check      all tests'
	@echo 'make kcheck     every kernel against the C reference'
	@echo 'make peers      speed beside oneDNN, LIBXSMM, XNNPACK, PyTorch, ONNX Runtime, as far as they are installed'
	@echo 'make reproduce-quick  some of docs/REPRODUCTION.md anew (REPRODUCE_DATA=DIR holds the tables; 2 minutes)'
	@echo 'make install    to PREFIX=$(PREFIX)'

# Install missing packages with apt when we may, else name them in one line and stop.
define need_packages
	@missing=; for p in $(1); do dpkg -s $$p 2>/dev/null | grep -q '^Status: install ok' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing:$$missing" >&2; \
	    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $$missing; } >$(BUILD)-apt.log 2>&1 \
	      || { tail -5 $(BUILD)-apt.log >&2; rm -f $(BUILD)-apt.log; echo "run: apt-get install$$missing" >&2; exit 1; }; rm -f $(BUILD)-apt.log; \
	  else echo "missing packages; run: sudo apt-get install$$missing" >&2; exit 1; fi; fi
endef
deps:
	$(call need_packages,$(BUILD_PACKAGES))
test-deps:
	$(call need_packages,$(BUILD_PACKAGES) $(TEST_PACKAGES))

demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) $(PROGRAM)
	@rm -rf $(BUILD)/demo
	./$(PROGRAM) search --data builtin --device local --population 16 --generations 8 --seed 1 --out $(BUILD)/demo

check: test-deps
	@$(MAKE) --no-print-directory -j$$(nproc) tests
	@BUILD=$(BUILD) sh tests/run.sh

kcheck: $(BUILD)/tests/test_core_kernels
	$<

reproduce-quick: $(PROGRAM)
	@HDNAS=$(abspath $(PROGRAM)) sh bench/experiments/reproduce_quick.sh $(BUILD)/reproduce $(REPRODUCE_DATA)

install: $(PROGRAM)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/hdnas
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/hdnas
	install -m 644 $(wildcard data/builtin/*) $(DESTDIR)$(PREFIX)/share/hdnas/
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/hdnas $(DESTDIR)$(PREFIX)/share/hdnas

clean:
	rm -rf $(BUILD) $(PROGRAM)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
