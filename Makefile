# AgentFense: three programs on one small library. `make help` lists what can be made.
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

# A line for each directory's part, so that each can grow by itself.
COMMON = glob glob_class io json log path spawn \
	policy_cache policy_check policy_classes policy_compile policy_decide policy_dump \
	policy_finish policy_intern policy_parse policy_preset policy_rules policy_scan policy_set \
	policy_settle policy_state policy_trie policy_verdict \
	$(DELTA)
DELTA = copy copy_attrs delta delta_check delta_lock delta_record delta_reset delta_settle delta_xattr journal \
	remove state_dir
FS = attr audit audit_infer change change_rename conn copyup copyup_dir copyup_tree counters cred \
	dirfd explain gate habit handle hold inode inode_name inode_path kcache keep layer lend links listing merge mount op_attr op_data \
	op_dir op_file op_lookup op_name op_rename op_xattr options options_mount options_rules \
	overlay refresh session stale tree upper upper_quota usage whiteout
RUN = bwrap cgroup cgroup_home channel channel_call channel_holder control docker docker_place embedded env facts filter fsmount host \
	identity inside inside_session inside_start inside_tree keeper launch limits list named namespace opts opts_check opts_value plan \
	refusals report rootfs sandbox session session_callers session_client session_merge session_server session_state show supervise \
	temporary terminal usage words writes
SYNC = $(SYNC_PLAN) $(SYNC_APPLY) $(SYNC_SHOW) $(SYNC_DAEMON)
SYNC_PLAN = changes conflict gather origin plan plan_dirs plan_links plan_moves plan_steps scan source
SYNC_DAEMON = daemon errand notify table table_option watch watch_look watch_way
SYNC_APPLY = apply attrs clean clean_log dirs finish history layout merge parents progress record \
	record_load recover stage state step take undo undo_check
SYNC_SHOW = beneath diff diff_binary diff_file diff_side diff_text discard fsck fsck_upper hold merge3 \
	names only opts show tell tool usage where

PROGRAMS = agentfensefs afrun afsyncd
MAN1 = agentfensefs/agentfensefs.1 afrun/afrun.1
MAN5 = policies/agentfense-policy.5
MAN8 = afsyncd/afsyncd.8
COMPLETIONS = agentfensefs/agentfensefs.bash afrun/afrun.bash afsyncd/afsyncd.bash
POLICIES = $(wildcard policies/*.conf)

UNIT_COMMON = test_common test_glob test_policy_parse test_policy_decide test_policy_property \
	$(UNIT_DELTA)
UNIT_DELTA = test_copy test_copy_attrs test_journal test_remove test_policy_dump \
	test_delta test_delta_crash test_delta_record
UNIT_FS = test_fs test_inode
UNIT_RUN = test_afrun_limits test_afrun_opts test_afrun_plan test_afrun_refusals
UNIT_SYNC = $(UNIT_SYNC_PLAN) $(UNIT_SYNC_APPLY) $(UNIT_SYNC_SHOW)
UNIT_SYNC_PLAN = test_sync_plan
UNIT_SYNC_APPLY =
UNIT_SYNC_SHOW = test_sync_diff test_sync_hold test_sync_opts test_sync_show
SYS = sys sys_attrs sys_data sys_names
FIXTURES = attack delta_layers delta_names fs_handles fs_race fsdiff journals linux_data linux_names \
	linux_sharing ovl_random peer treecmp
# Several files in one.
CRASH_WALK = crash_walk crash_check crash_setup crash_trace crash_tree
FUZZERS = fuzz_policy fuzz_delta
FUZZ_SECONDS = 60
BENCHES = bench_policy bench_work
BENCH_PROBE = $(B)/bench/bench_probe.so

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
# gcc 12's analyzer loses who owns memory stored through reallocated memory; LeakSanitizer does not.
HARDEN_analyzer = -fanalyzer -Wno-analyzer-malloc-leak
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
PC_FUSE = $(if $(OWN_FUSE_PC),PKG_CONFIG_PATH=$(dir $(OWN_FUSE_PC)) $(PC) --static \
	--define-variable=prefix=$(OWN_FUSE),$(PC))

PKGS_COMMON = libconfuse libxxhash libbsd
PKGS_FS = libcap
PKGS_RUN = libseccomp libcap
PKGS_SYNC = libmd
pkg_missing := $(foreach p,fuse3 $(sort $(PKGS_COMMON) $(PKGS_FS) $(PKGS_RUN) $(PKGS_SYNC)), \
	$(if $(shell $(PC) --exists $(p) 2>/dev/null && echo yes),,$(p)))
PKG_CFLAGS := $(shell $(PC_FUSE) --cflags fuse3 2>/dev/null; \
	$(PC) --cflags $(PKGS_COMMON) $(PKGS_FS) $(PKGS_RUN) $(PKGS_SYNC) 2>/dev/null)
LIBS_COMMON := $(shell $(PC) --libs $(PKGS_COMMON) 2>/dev/null) -lm
LIBS_FS := $(shell $(PC_FUSE) --libs fuse3 2>/dev/null; $(PC) --libs $(PKGS_FS) 2>/dev/null)
LIBS_RUN := $(shell $(PC) --libs $(PKGS_RUN) 2>/dev/null)
LIBS_SYNC := $(shell $(PC) --libs $(PKGS_SYNC) 2>/dev/null)

DEFINES = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DAF_VERSION='"$(VERSION)"'
# Only for "": common/ has a glob.h, as the C library has.
ALL_CPPFLAGS = $(DEFINES) -iquotecommon $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 -O2 -g -fPIE -pthread $(WARNINGS) $(HARDEN) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,--as-needed -Wl,-z,relro -Wl,-z,now \
	$(filter -fsanitize=%,$(HARDEN)) $(CFLAGS) $(LDFLAGS)

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

# ---- building -----------------------------------------------------------------------------------

all: $(PROGRAMS:%=$(B)/%)
$(VARIANTS): all
objs = $(patsubst %,$(B)/obj/$(1)/%.o,$(2))
objects: $(call objs,common,$(COMMON)) $(call objs,agentfensefs,main $(FS)) \
	$(call objs,afrun,main $(RUN)) $(call objs,afsyncd,main $(SYNC))

UNITS = $(UNIT_COMMON) $(UNIT_FS) $(UNIT_RUN) $(UNIT_SYNC)
TEST_PROGRAMS = $(addprefix $(B)/tests/,sys reap crash_walk $(FIXTURES))
test-programs: $(TEST_PROGRAMS) $(UNITS:%=$(B)/tests/unit/%)

# What every object depends on: another compiler, flag or library makes all of them again.
$(B)/flags: export FLAGS = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) \
	$(LIBS_COMMON) $(LIBS_FS) $(LIBS_RUN) $(LIBS_SYNC)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@$(if $(strip $(pkg_missing)),echo >&2 'missing: $(strip $(pkg_missing)); run: make deps'; exit 1)
	@printf '%s\n' "$$FLAGS" | cmp -s - $@ || printf '%s\n' "$$FLAGS" >$@

# Only path.c knows where we are installed, so another PREFIX costs no more than a link.
$(B)/datadir: FORCE
	@mkdir -p $(@D)
	@echo '$(DATADIR)' | cmp -s - $@ || echo '$(DATADIR)' >$@
$(B)/obj/common/path.o: $(B)/datadir
$(B)/obj/common/path.o: OWN_FLAGS = -DAF_DATADIR='"$(DATADIR)"'

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(OWN_FLAGS) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# What a session's shell loads. It is a part of bash there, so nothing of a variant is in it; and only
# what it interposes and the builtin itself is bash's to see.
SHELL_FLAGS = -std=gnu11 -O2 -g0 -fPIC -shared -fvisibility=hidden $(WARNINGS) -fstack-protector-strong
SHELL_C = $(addprefix afrun/session_shell,.c _calls.c _signals.c)
$(B)/session_shell.so: $(SHELL_C) afrun/session_shell.h afrun/session_text.h $(B)/flags
	$(call say,LD,$@)
	$(Q)$(CC) -D_GNU_SOURCE $(SHELL_FLAGS) -Wl,-z,relro -o $@ $(SHELL_C)
# Our first process where nothing of the host's is: linked with nothing. Nothing of a variant is in it.
INSIDE_C = $(addprefix afrun/inside,_static.c .c _session.c _start.c _tree.c) afrun/control.c common/io.c
INSIDE_FLAGS = -std=gnu11 -O2 -g0 $(WARNINGS) -ffunction-sections -fdata-sections -fstack-protector-strong
$(B)/afrun-inside: $(INSIDE_C) $(wildcard afrun/inside*.h) afrun/control.h common/io.h common/cleanup.h $(B)/flags
	$(call say,LD,$@)
	$(Q)$(CC) $(DEFINES) -iquotecommon $(INSIDE_FLAGS) -static -s -Wl,--gc-sections -o $@ $(INSIDE_C)
$(B)/obj/afrun/embedded.o: $(B)/session_shell.so $(B)/afrun-inside
$(B)/obj/afrun/embedded.o: OWN_FLAGS = -Wa,-I$(B)

# A program's headers are found by its own files and by its unit tests.
$(call objs,tests/unit,$(UNIT_FS)): OWN_FLAGS = -Iagentfensefs
$(call objs,tests/unit,$(UNIT_RUN)): OWN_FLAGS = -Iafrun
$(call objs,tests/unit,$(UNIT_SYNC)): OWN_FLAGS = -Iafsyncd

$(B)/libcommon.a: $(call objs,common,$(COMMON))
$(B)/libagentfensefs.a: $(call objs,agentfensefs,$(FS))
$(B)/libafrun.a: $(call objs,afrun,$(RUN))
$(B)/libafsyncd.a: $(call objs,afsyncd,$(SYNC))
# The lists above are in this file: another list, another archive.
$(B)/lib%.a: Makefile
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
$(B)/afsyncd: LIBS = $(LIBS_SYNC) $(LIBS_COMMON)
$(B)/afsyncd: $(B)/obj/afsyncd/main.o $(B)/libafsyncd.a $(B)/libcommon.a
	$(link)

$(B)/tests/sys: $(call objs,tests,$(SYS))
	$(link)
$(B)/tests/reap: $(B)/obj/tests/reap.o
	$(link)
$(FIXTURES:%=$(B)/tests/%): $(B)/tests/%: $(B)/obj/tests/fixtures/%.o
	$(link)
$(B)/tests/journals: $(B)/libcommon.a
$(B)/tests/journals: LIBS = $(LIBS_COMMON)

$(B)/tests/crash_walk: LIBS = $(LIBS_COMMON)
$(B)/tests/crash_walk: $(call objs,tests/fixtures,$(CRASH_WALK)) $(B)/libcommon.a
	$(link)

$(UNITS:%=$(B)/tests/unit/%): $(B)/tests/unit/%: $(B)/obj/tests/unit/%.o
	$(link)
$(UNIT_COMMON:%=$(B)/tests/unit/%): $(B)/libcommon.a
$(UNIT_COMMON:%=$(B)/tests/unit/%): LIBS = -lcmocka $(LIBS_COMMON)
$(UNIT_FS:%=$(B)/tests/unit/%): $(B)/libagentfensefs.a $(B)/libcommon.a
$(UNIT_FS:%=$(B)/tests/unit/%): LIBS = -lcmocka $(LIBS_FS) $(LIBS_COMMON)
$(UNIT_RUN:%=$(B)/tests/unit/%): $(B)/libafrun.a $(B)/libcommon.a
$(UNIT_RUN:%=$(B)/tests/unit/%): LIBS = -lcmocka $(LIBS_RUN) $(LIBS_COMMON)
$(UNIT_SYNC:%=$(B)/tests/unit/%): $(B)/libafsyncd.a $(B)/libcommon.a
$(UNIT_SYNC:%=$(B)/tests/unit/%): LIBS = -lcmocka $(LIBS_SYNC) $(LIBS_COMMON)

# ---- testing ------------------------------------------------------------------------------------

deps:
	@.ci/deps

# deps may install what the variables above are made from, hence a second make wherever it is needed.
again = +@$(MAKE) --no-print-directory
# Those that are waited for use all processors, unless -j was given.
jobs = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
# Of the cases, only some: make check CASES='tests/cases/fs/*.sh'
check: deps
	@[ "$$(id -u)" -ne 0 ] || .ci/deps docker
	$(again) $(jobs) check-only $(VARIANT)
check-only: all test-programs
	@BUILD='$(abspath $(B))' tests/check.sh $(CASES)
unit: test-programs
	@BUILD='$(abspath $(B))' AS_USER=0 tests/check.sh $(UNITS:%=$(B)/tests/unit/%)

demo: deps
	$(again) $(jobs) demo-only
demo-only: all
	@tests/demo/run.sh

# SECTIONS, LINES, SYSTEMS, USERS, TINY ...: see tests/bench/run.sh. What is compared and is not there is left out.
bench: deps
	@.ci/deps bench || [ "$$(id -u)" -ne 0 ]
	$(again) $(jobs) bench-programs
	$(again) bench-only
bench-programs: all $(BENCHES:%=$(B)/bench/%) $(BENCH_PROBE)
bench-only: bench-programs
	@BUILD='$(abspath $(B))' tests/shown tests/bench/run.sh $(SECTIONS)
bench-readme:
	@BUILD='$(abspath $(B))' tests/bench/run.sh --readme
$(BENCHES:%=$(B)/bench/%): $(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/libcommon.a
	$(link)
$(BENCHES:%=$(B)/bench/%): LIBS = $(LIBS_COMMON)
$(BENCH_PROBE): tests/bench/bench_probe.c $(B)/flags
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(DEFINES) -std=gnu11 -O2 -fPIC -shared -pthread $(WARNINGS) -o $@ $<

# libFuzzer needs clang, and all of what it looks into compiled by it. New inputs stay in build/.
FUZZ_CC = clang
FUZZ_FLAGS = -std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzz: deps
	@.ci/deps fuzz
	$(again) fuzz-only
fuzz-only: $(FUZZERS:%=build/fuzz/%)
	@set -e; for f in $(FUZZERS); do mkdir -p build/fuzz/corpus/$$f build/fuzz/found; \
	echo "fuzz: $$f, $(or $(FUZZ_RUNS:%=% runs),$(FUZZ_SECONDS) s)"; \
	build/fuzz/$$f $(or $(FUZZ_RUNS:%=-seed=1 -runs=%),-max_total_time=$(FUZZ_SECONDS)) \
		-timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/found/ build/fuzz/corpus/$$f tests/fuzz/corpus/$$f \
		>build/fuzz/$$f.log 2>&1 || { tail -n 40 build/fuzz/$$f.log; exit 1; }; \
	grep -E '^stat::(number_of_executed_units|average_exec)' build/fuzz/$$f.log; done
build/fuzz/%: tests/fuzz/%.c $(COMMON:%=common/%.c) $(B)/flags
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(ALL_CPPFLAGS) $(FUZZ_FLAGS) $(filter %.c,$^) -o $@ $(LIBS_COMMON)

# ---- the code's looks -------------------------------------------------------------------------

C_FILES = $(wildcard $(foreach d,common agentfensefs afrun afsyncd tests tests/unit tests/fixtures tests/fuzz \
	tests/bench,$(d)/*.c $(d)/*.h))
PROGRAM_C = $(filter common/%.c agentfensefs/%.c afrun/%.c afsyncd/%.c,$(C_FILES))
SCRIPTS = $(wildcard .ci/run .ci/deps .ci/libfuse tests/*.sh tests/run-case tests/as-user tests/shown tests/*/*.sh \
	tests/*/*/*.sh $(COMPLETIONS))

lint:
	@.ci/deps build lint
	$(again) -k lint-format lint-tree lint-shell lint-man lint-cppcheck lint-analyzer lint-tidy
lint-format:
	clang-format --dry-run -Werror $(C_FILES)
lint-tree: build/compile_flags.txt
	tests/lint/tree.sh
print-common:
	@echo $(COMMON)
print-lists:
	@printf '%s\n' $(COMMON:%=common/%.c) $(FS:%=agentfensefs/%.c) $(RUN:%=afrun/%.c) \
		$(SYNC:%=afsyncd/%.c) $(PROGRAMS:%=%/main.c) $(SHELL_C) afrun/inside_static.c $(UNITS:%=tests/unit/%.c) $(SYS:%=tests/%.c) tests/reap.c \
		$(FIXTURES:%=tests/fixtures/%.c) $(CRASH_WALK:%=tests/fixtures/%.c) $(FUZZERS:%=tests/fuzz/%.c) $(BENCHES:%=tests/bench/%.c) tests/bench/bench_probe.c
lint-shell:
	@printf '%s\n' $(SCRIPTS) | xargs -P$(shell nproc) -n4 shellcheck -x
lint-man:
	mandoc -Tlint -Wwarning $(MAN1) $(MAN5) $(MAN8)
lint-cppcheck:
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		--inline-suppr --suppressions-list=tests/lint/cppcheck.supp -j2 $(DEFINES) -Icommon \
		$(PROGRAM_C) $(wildcard tests/*.c tests/fixtures/*.c)
lint-analyzer:
	$(again) VARIANT=analyzer WERROR=1 objects
# clang-tidy (and clangd) take the flags from a file, one a line, with paths seen from build/.
lint-tidy: build/compile_flags.txt
	@printf '%s\n' $(PROGRAM_C) | xargs -P$(shell nproc) -n1 clang-tidy --quiet -p build
build/compile_flags.txt: $(B)/flags
	@printf '%s\n' -std=gnu11 $(ALL_CPPFLAGS) | sed 's,^\(-I\|-iquote\)\([^/]\),\1$(CURDIR)/\2,' >$@

format:
	clang-format -i $(C_FILES)

# ---- installing -------------------------------------------------------------------------------

D = $(DESTDIR)
install: all
	install -d '$(D)$(BINDIR)' '$(D)$(DATADIR)/policies' '$(D)$(MANDIR)/man1' '$(D)$(MANDIR)/man5' \
		'$(D)$(MANDIR)/man8' '$(D)$(COMPDIR)'
	install -m 755 $(PROGRAMS:%=$(B)/%) '$(D)$(BINDIR)'
	install -m 644 $(POLICIES) '$(D)$(DATADIR)/policies'
	install -m 644 $(MAN1) '$(D)$(MANDIR)/man1'
	install -m 644 $(MAN5) '$(D)$(MANDIR)/man5'
	install -m 644 $(MAN8) '$(D)$(MANDIR)/man8'
	for f in $(COMPLETIONS); do \
		install -m 644 $$f '$(D)$(COMPDIR)/'"$$(basename $$f .bash)" || exit 1; done

# Directories go where they are empty then: ours always, those of a system prefix only at the leaf.
uninstall:
	rm -f $(PROGRAMS:%='$(D)$(BINDIR)/%') \
		$(patsubst policies/%,'$(D)$(DATADIR)/policies/%',$(POLICIES)) \
		$(patsubst %,'$(D)$(MANDIR)/man1/%',$(notdir $(MAN1))) \
		$(patsubst %,'$(D)$(MANDIR)/man5/%',$(notdir $(MAN5))) \
		$(patsubst %,'$(D)$(MANDIR)/man8/%',$(notdir $(MAN8))) \
		$(patsubst %.bash,'$(D)$(COMPDIR)/%',$(notdir $(COMPLETIONS)))
	for d in '$(D)$(DATADIR)/policies' '$(D)$(DATADIR)' '$(D)$(MANDIR)/man1' '$(D)$(MANDIR)/man5' \
		'$(D)$(MANDIR)/man8' '$(D)$(COMPDIR)' $(if $(D)$(filter-out /usr /usr/local,$(PREFIX)),'$(D)$(BINDIR)'); do \
		[ ! -d "$$d" ] || rmdir $(if $(D)$(filter-out /usr /usr/local,$(PREFIX)),-p) \
			--ignore-fail-on-non-empty "$$d" || exit 1; done

# The libfuse that deps made stays; distclean takes it too.
clean:
	find build -mindepth 1 -maxdepth 1 ! -name libfuse -exec rm -rf {} + 2>/dev/null || [ ! -d build ]
distclean:
	rm -rf build

help:
	@sed -n 's/^#? //p' Makefile

#? make              the programs, build/agentfensefs, build/afrun and build/afsyncd
#? make deps         get what building and testing need (Debian, as root)
#? make demo         see it work
#? make check        all tests; CASES='FILE...' some, AS_USER=1 only as an ordinary user
#? make unit         the unit tests alone
#? make asan check   the tests on a build with a sanitizer: asan, ubsan or tsan
#? make lint         all checks of the code; make format mends its layout
#? make fuzz         each fuzzer for FUZZ_SECONDS=60, or FUZZ_RUNS=N from one seed
#? make bench        measure, beside others; LINES="find git-status" some, TINY=1 only see that it runs
#? make bench-readme put what was measured into README
#? make install      to PREFIX=/usr/local, below DESTDIR; make uninstall takes all of it away
#? make clean        what was built; make distclean also the libfuse that deps built
#?
#? CFLAGS CPPFLAGS LDFLAGS  come last     V=1 shows commands     WERROR=1 warnings are errors
#? LIBFUSE=system           the system's libfuse, also where it is older than 3.17

.SECONDARY:
.DELETE_ON_ERROR:
FORCE:
.PHONY: all $(VARIANTS) objects test-programs deps check check-only unit demo demo-only bench bench-programs bench-only bench-readme \
	fuzz fuzz-only lint lint-format lint-tree lint-shell lint-man lint-cppcheck lint-analyzer \
	lint-tidy print-common print-lists format install uninstall clean distclean help FORCE
.DEFAULT_GOAL := all

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
