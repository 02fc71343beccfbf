/*
 * --help. The manual, the completion and this agree; a test compares them.
 */
#include "opts.h"

#include <stdio.h>

void usage_print(void)
{
	fputs("Usage: afsyncd [OPTION]... DELTA [SOURCE]\n"
	      "  or:  afsyncd -n | --diff [OPTION]... DELTA [SOURCE]\n"
	      "  or:  afsyncd --undo [ID] SOURCE\n"
	      "  or:  afsyncd --history [--json | -0] SOURCE\n"
	      "  or:  afsyncd --fsck DELTA\n"
	      "  or:  afsyncd --discard DELTA\n"
	      "  or:  afsyncd --daemon [--table FILE]\n"
	      "Merges what a sandbox wrote, its delta, into the source.\n\n"
	      "  -n, --dry-run            print what would be done: LETTER TAB PATH a line\n"
	      "      --diff               print it as a patch for git apply or patch -p1\n"
	      "      --json               print an object a line\n"
	      "  -0, --null               paths end in NUL, in what is printed and in --only's\n"
	      "      --only FILE          only the paths listed in FILE (- is stdin)\n"
	      "      --exclude PATTERN    not these (repeatable)\n"
	      "      --conflict lww|keep|both|fail|merge\n"
	      "                           where the source has changed too (default: lww)\n"
	      "      --hold PATTERN       hold these back as well (repeatable)\n"
	      "      --no-hold            hold nothing back\n"
	      "  -p, --preset NAME        a preset policy, not the one in the delta\n"
	      "  -P, --policy FILE        a policy file\n"
	      "  -r, --rule RULE          LEVEL[@PRIORITY]:PATTERN, after all files' rules\n"
	      "      --state DIR          journal and undo there, not in SOURCE/.agentfense\n"
	      "      --undo-keep N        how many merges can be undone (default: 10)\n"
	      "      --undo               take a merge back: the newest, or the one named\n"
	      "      --history            list the merges that can be undone\n"
	      "      --fsck               check a delta, and mend what can be proved\n"
	      "      --discard            throw a delta away\n"
	      "      --daemon             merge deltas as their mounts end, by a table\n"
	      "      --table FILE         that table (default: /etc/agentfense/afsyncd.tab)\n"
	      "  -q, --quiet  -v, --verbose  -h, --help  --version\n\n"
	      "Letters: A added, M modified, D deleted, R renamed (old TAB new), T another type,\n"
	      "P mode or attributes, C conflict, Q held back.\n"
	      "Exit status: 0 all is merged, 1 something stayed, 2 usage or failure.\n",
		stdout);
}
