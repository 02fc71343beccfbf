# AgentFense: two programs on one small library. `make help` lists what can be made.
#
# Everything that is made goes to build/ (variants to build/asan ...); nothing is written elsewhere.
# CFLAGS, CPPFLAGS and LDFLAGS are yours: they come last on every command line. V=1 shows commands.

VERSION = 0.1.0
PREFIX = /usr/local
DESTDIR =
BINDIR = $(PREFIX)/bin
DATADIR = $(PREFIX)/share/agentfense
MANDIR = $(PREFIX)/share/man
COMPDIR = $(PREFIX)/share/bash-completion/completions
CC = gcc
AR = ar
PKG_CONFIG = pkg-config

# ---- what there is ------------------------------------------------------------------------------

# Wildcards until the first files are all there; then explicit lists.
COMMON := $(notdir $(basename $(wildcard common/*.c)))
FS := $(filter-out main,$(notdir $(basename $(wildcard agentfensefs/*.c))))
RUN := $(filter-out main,$(notdir $(basename $(wildcard afrun/*.c))))

PROGRAMS = agentfensefs afrun
MAN1 = agentfensefs/agentfensefs.1 afrun/afrun.1
MAN5 = policies/agentfense-policy.5
COMPLETIONS = agentfensefs/agentfensefs.bash afrun/afrun.bash
POLICIES = $(wildcard policies/*.conf)

UNIT_COMMON = test_common test_glob test_policy test_policy_property
UNIT_FS = test_fs
UNIT_RUN = test_run
SYS = sys sys_attrs sys_data sys_names
FIXTURES = fsdiff linux_data linux_names linux_sharing treecmp
FUZZERS = fuzz_policy
BENCHES = bench_policy

# Until each file is there. (Removed when all are.)
there = $(foreach f,$(2),$(if $(wildcard $(1)/$(f).c),$(f)))
PROGRAMS := $(foreach p,$(PROGRAMS),$(if $(wildcard $(p)/main.c),$(p)))
UNIT_COMMON := $(call there,tests/unit,$(UNIT_COMMON))
UNIT_FS := $(call there,tests/unit,$(UNIT_FS))
UNIT_RUN := $(call there,tests/unit,$(UNIT_RUN))
FIXTURES := $(call there,tests/fixtures,$(FIXTURES))
FUZZERS := $(call there,tests/fuzz,$(FUZZERS))
BENCHES := $(call there,tests/bench,$(BENCHES))
MAN1 := $(wildcard $(MAN1))
MAN5 := $(wildcard $(MAN5))
COMPLETIONS := $(wildcard $(COMPLETIONS))

# ---- variants: make [asan|ubsan|tsan] [check ...] -----------------------------------------------

VARIANTS = asan ubsan tsan
VARIANT := $(filter $(VARIANTS),$(MAKECMDGOALS))
ifneq ($(words $(VARIANT)),$(words $(firstword $(VARIANT))))
$(error one of $(VARIANTS) at a time)
endif
B = build$(VARIANT:%=/%)

# ---- flags --------------------------------------------------------------------------------------

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
	-Wwrite-strings -Wundef -Wpointer-arith -Wcast-qual $(if $(WERROR),-Werror)
X86 := $(filter x86_64-% i386-% i486-% i586-% i686-%,$(shell $(CC) -dumpmachine 2>/dev/null))
FORTIFY = $(if $(or $(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),$(filter -O0,$(CFLAGS))),, \
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
HARDEN_ = $(FORTIFY) -fstack-protector-strong -fstack-clash-protection $(if $(X86),-fcf-protection)
HARDEN_asan = -fsanitize=address -fno-omit-frame-pointer
HARDEN_ubsan = -fsanitize=undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN_tsan = -fsanitize=thread -fno-omit-frame-pointer
HARDEN = $(HARDEN_$(VARIANT))

# libfuse: the system's if it is 3.17 or newer or if LIBFUSE=system, else the one `make deps` made.
OWN_FUSE = build/libfuse/prefix
OWN_FUSE_PC := $(if $(filter system,$(LIBFUSE)),,$(wildcard $(OWN_FUSE)/lib/pkgconfig/fuse3.pc))
ifneq ($(OWN_FUSE_PC),)
ifneq ($(shell $(PKG_CONFIG) --atleast-version=3.17 fuse3 2>/dev/null && echo new),)
OWN_FUSE_PC :=
endif
endif
PC = $(PKG_CONFIG)
PC_FUSE = $(if $(OWN_FUSE_PC),PKG_CONFIG_PATH=$(dir $(OWN_FUSE_PC)) $(PC) --static,$(PC))

PKGS_COMMON = libconfuse libxxhash libbsd
PKGS_FS = libcap
PKGS_RUN = libseccomp libcap
pkg_missing := $(foreach p,fuse3 $(sort $(PKGS_COMMON) $(PKGS_FS) $(PKGS_RUN)), \
	$(if $(shell $(PC) --exists $(p) 2>/dev/null && echo yes),,$(p)))
PKG_CFLAGS := $(shell $(PC_FUSE) --cflags fuse3 2>/dev/null; \
	$(PC) --cflags $(PKGS_COMMON) $(PKGS_FS) $(PKGS_RUN) 2>/dev/null)
LIBS_COMMON := $(shell $(PC) --libs $(PKGS_COMMON) 2>/dev/null) -lm
LIBS_FS := $(shell $(PC_FUSE) --libs fuse3 2>/dev/null; $(PC) --libs $(PKGS_FS) 2>/dev/null)
LIBS_RUN := $(shell $(PC) --libs $(PKGS_RUN) 2>/dev/null)

DEFINES = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-DAF_VERSION='"$(VERSION)"' -DAF_DATADIR='"$(DATADIR)"'
ALL_CPPFLAGS = $(DEFINES) -Icommon $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 -O2 -g -fPIE -pthread $(WARNINGS) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,--as-needed -Wl,-z,relro -Wl,-z,now \
	$(filter -fsanitize=%,$(HARDEN)) $(CFLAGS) $(LDFLAGS)

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

# ---- building -----------------------------------------------------------------------------------

all: $(PROGRAMS:%=$(B)/%)
$(VARIANTS): all

objects = $(patsubst %,$(B)/obj/$(1)/%.o,$(2))
UNITS = $(UNIT_COMMON) $(UNIT_FS) $(UNIT_RUN)
TEST_PROGRAMS = $(addprefix $(B)/tests/,sys reap $(FIXTURES))
test-programs: $(TEST_PROGRAMS) $(UNITS:%=$(B)/tests/unit/%)

# What every object depends on: another compiler, flag or library makes all of them again.
$(B)/flags: export FLAGS = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) \
	$(LIBS_COMMON) $(LIBS_FS) $(LIBS_RUN)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@$(if $(strip $(pkg_missing)),echo >&2 'missing: $(strip $(pkg_missing)); run: make deps'; exit 1)
	@printf '%s\n' "$$FLAGS" | cmp -s - $@ || printf '%s\n' "$$FLAGS" >$@

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(INCLUDES) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# A program's headers are found by its own files and by its unit tests.
$(call objects,tests/unit,$(UNIT_FS)): INCLUDES = -Iagentfensefs
$(call objects,tests/unit,$(UNIT_RUN)): INCLUDES = -Iafrun

archive = $(call say,AR,$@)
$(B)/libcommon.a: $(call objects,common,$(COMMON))
$(B)/libagentfensefs.a: $(call objects,agentfensefs,$(FS))
$(B)/libafrun.a: $(call objects,afrun,$(RUN))
$(B)/lib%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $(filter %.o,$^)

# Objects and archives in the order given, then the libraries of each part in it.
define link
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $(filter %.o %.a,$^) $(ALL_LDFLAGS) $(LIBS)
endef

$(B)/agentfensefs: LIBS = $(LIBS_FS) $(LIBS_COMMON)
$(B)/agentfensefs: $(B)/obj/agentfensefs/main.o $(B)/libagentfensefs.a $(B)/libcommon.a
	$(link)
$(B)/afrun: LIBS = $(LIBS_RUN) $(LIBS_COMMON)
$(B)/afrun: $(B)/obj/afrun/main.o $(B)/libafrun.a $(B)/libcommon.a
	$(link)

$(B)/tests/sys: $(call objects,tests,$(SYS))
	$(link)
$(B)/tests/reap: $(B)/obj/tests/reap.o
	$(link)
$(FIXTURES:%=$(B)/tests/%): $(B)/tests/%: $(B)/obj/tests/fixtures/%.o
	$(link)

$(UNITS:%=$(B)/tests/unit/%): $(B)/tests/unit/%: $(B)/obj/tests/unit/%.o
	$(link)
$(UNIT_COMMON:%=$(B)/tests/unit/%): $(B)/libcommon.a
$(UNIT_COMMON:%=$(B)/tests/unit/%): LIBS = -lcmocka $(LIBS_COMMON)
$(UNIT_FS:%=$(B)/tests/unit/%): $(B)/libagentfensefs.a $(B)/libcommon.a
$(UNIT_FS:%=$(B)/tests/unit/%): LIBS = -lcmocka $(LIBS_FS) $(LIBS_COMMON)
$(UNIT_RUN:%=$(B)/tests/unit/%): $(B)/libafrun.a $(B)/libcommon.a
$(UNIT_RUN:%=$(B)/tests/unit/%): LIBS = -lcmocka $(LIBS_RUN) $(LIBS_COMMON)

# ---- testing ------------------------------------------------------------------------------------

# deps may install what the variables above are made from, hence the second make.
check: deps
	+@$(MAKE) --no-print-directory check-only $(VARIANT)

check-only: all test-programs
	@BUILD='$(abspath $(B))' tests/check.sh $(CASES)

.SECONDARY:
.DELETE_ON_ERROR:
FORCE:
.PHONY: all $(VARIANTS) test-programs check check-only FORCE
.DEFAULT_GOAL := all

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
