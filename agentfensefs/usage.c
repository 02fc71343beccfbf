/*
 * --help. The manual, the completion and this agree; a test compares them.
 */
#include "options.h"

#include <stdio.h>

void options_print_help(void)
{
	fputs("Usage: agentfensefs [-f] [-d] [-o OPT[,OPT]...] SOURCE MOUNTPOINT\n"
	      "       agentfensefs --explain [--json] [-0] [-C SOURCE] [-o ...] [PATH...]\n"
	      "       agentfensefs --check [-o ...]\n"
	      "       agentfensefs --presets\n"
	      "\n"
	      "Mounts a view of SOURCE in which each path is none, view, read or write.\n"
	      "\n"
	      "Options, each as -o NAME[=VALUE] or as --NAME[=VALUE]:\n"
	      "  policy=FILE            rules from a file (repeatable)\n"
	      "  preset=NAME            rules of a preset (repeatable; see --presets)\n"
	      "  rule=LEVEL[@PRIO]:PAT  one rule, after those of files (repeatable)\n"
	      "  default=LEVEL          the level of what no rule matches (none)\n"
	      "  audit=FILE             log refusals, one JSON object a line\n"
	      "  audit_all              log what is granted as well\n"
	      "  cache=auto|never|always  what the kernel may remember\n"
	      "  passthrough=auto|no    let the kernel read and write files directly\n"
	      "  threads=N              worker threads (one a processor, 2 to 8)\n"
	      "  foreground             stay in the foreground (also -f)\n"
	      "  ready_fd=N             write a line to descriptor N once the mount answers\n"
	      "  hold_fd=N              a socket by which the mount is held for a merge\n"
	      "  lend=UID:GID           root only: show root's files as UID's, act as root for it\n"
	      "  delta=DIR              writes go to DIR, SOURCE stays as it is\n"
	      "  quota=BYTES            at most so much in the delta (K, M, G, T)\n"
	      "  quota_files=N          at most so many files in it\n"
	      "  volatile               sync nothing; a crash of the machine ends the delta\n"
	      "and FUSE's own (ro, allow_other, fsname=...).\n"
	      "\n"
	      "  -d, --debug     print every request (implies -f)\n"
	      "  -0, --null      --explain: paths and records end in NUL\n"
	      "      --json      --explain: an object a line\n"
	      "  -C, --source    --explain: see in SOURCE what is a directory\n"
	      "  -h, --help      this text\n"
	      "  -V, --version   versions of agentfensefs and libfuse\n"
	      "\n"
	      "SIGHUP reads the policy again; SIGUSR1 logs counters. See agentfensefs(1).\n",
		stdout);
}
